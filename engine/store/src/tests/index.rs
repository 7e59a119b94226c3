//! Whatever happens to the index, the journal is believed.

use super::rig::*;
use crate::medium::SimulatedDisk;
use crate::*;
use ml_connector_core::delivery::{DeliveryState, Event, StateKind};
use std::fs;
use std::path::Path;

/// A store with some history: delivered, pending, held, in flight, in order.
pub(super) async fn history(store: &Store) {
    for number in 0..40 {
        let key = format!("k{number}");
        let order = format!("o{}", number % 7);
        let new = pending(&key, (number % 3 == 0).then_some(order.as_str()), number);
        store
            .inbox_accept(intake(vec![event(&format!("e{number}"), vec![new])]))
            .await
            .unwrap();
    }
    for (number, delivery) in reserve(store, 30, 12).await.iter().enumerate() {
        match number % 4 {
            0 => drop(store.delivery_record(claimed(delivery)).await.unwrap()),
            1 => drop(store.delivery_record(held(delivery, None)).await.unwrap()),
            2 => drop(deliver(store, delivery).await),
            _ => {
                let skipped = DeliveryState::Skipped {
                    reason: "not ours".to_owned(),
                };
                let event = Event::Skipped {
                    reason: "not ours".to_owned(),
                };
                store
                    .delivery_record(transition(delivery, event, skipped))
                    .await
                    .unwrap();
            }
        }
    }
    for delivery in reserve(store, 99, 99).await {
        store.delivery_release(delivery.id).await;
    }
}

/// Everything a reader can see.
async fn seen(store: &Store) -> String {
    let all = Selection {
        limit: 9999,
        ..Selection::default()
    };
    format!(
        "{:?} {:?} {:?} {:?}",
        store.delivery_list(&all).await.unwrap(),
        store.counts().await.unwrap(),
        due(store, 59).await,
        store.head().await.unwrap(),
    )
}

/// Does something to a closed store's index; opening must then say why it was rebuilt, and show the same.
async fn rebuilt_after(expected: &str, harm: impl FnOnce(&Path, &SimulatedDisk)) {
    let rig = Rig::new();
    history(&rig.store).await;
    let before = seen(&rig.store).await;
    rig.store.close().await.unwrap();
    harm(&rig.directory.path().join("index"), &rig.disk);
    let mut reports = Vec::new();
    let store = Store::open_on(
        &crate::medium::Medium::Simulated(rig.disk.clone()),
        &options(rig.directory.path()),
        None,
        &mut |report| reports.push(report.clone()),
    )
    .unwrap();
    let why = store.opening().rebuilt.clone().expect("it is rebuilt");
    assert!(why.contains(expected), "{why}");
    assert_eq!(
        reports
            .last()
            .map(|report| report.bytes_done == report.bytes_total),
        Some(true)
    );
    assert_eq!(seen(&store).await, before);
    store.inbox_accept(simple(&["new"])).await.unwrap();
}

#[tokio::test]
async fn a_missing_index_is_rebuilt() {
    rebuilt_after("there is none", |index, _| {
        fs::remove_dir_all(index).unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_index_without_its_state_is_rebuilt() {
    rebuilt_after("there is none", |index, _| {
        fs::remove_file(index.join("state")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_damaged_index_is_set_aside_and_rebuilt() {
    rebuilt_after("", |index, _| {
        for entry in fs::read_dir(index.join("tree")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let mut content = fs::read(&path).unwrap();
                content
                    .iter_mut()
                    .step_by(61)
                    .for_each(|byte| *byte ^= 0x55);
                fs::write(&path, content).unwrap();
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_index_left_by_a_power_cut_is_rebuilt() {
    rebuilt_after("the machine stopped", |index, _| {
        fs::write(index.join("state"), "running another-boot\n").unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_index_of_a_later_format_is_rebuilt() {
    rebuilt_after("format 200", |index, _| {
        let tree = sled::open(index.join("tree")).unwrap();
        tree.insert(crate::index::key::FORMAT, &[200]).unwrap();
        tree.flush().unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_index_of_another_journal_is_rebuilt() {
    let other = Rig::new();
    history(&other.store).await;
    other.store.close().await.unwrap();
    rebuilt_after("another journal", |index, _| {
        fs::remove_dir_all(index).unwrap();
        fs::rename(other.directory.path().join("index"), index).unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_index_ahead_of_the_journal_is_rebuilt_and_reported() {
    let rig = Rig::new();
    history(&rig.store).await;
    let before = seen(&rig.store).await;
    let (sequence, _) = rig.store.head().await.unwrap();
    let old = rig.disk.after_kill();
    rig.store.inbox_accept(simple(&["later"])).await.unwrap();
    rig.store.close().await.unwrap();
    let store = open_on(&old, rig.directory.path()).unwrap();
    assert_eq!(store.opening().ahead, Some(sequence + 2));
    assert!(store.opening().rebuilt.is_some());
    assert_eq!(seen(&store).await, before);
}

#[tokio::test]
async fn a_stale_index_is_brought_forward() {
    let rig = Rig::new();
    rig.store.inbox_accept(simple(&["first"])).await.unwrap();
    rig.store.close().await.unwrap();
    let stale = rig.directory.path().join("stale");
    copy(&rig.directory.path().join("index"), &stale);
    let store = open_on(&rig.disk, rig.directory.path()).unwrap();
    history(&store).await;
    let before = seen(&store).await;
    store.close().await.unwrap();
    let index = rig.directory.path().join("index");
    fs::remove_dir_all(&index).unwrap();
    fs::rename(&stale, &index).unwrap();
    let store = open_on(&rig.disk, rig.directory.path()).unwrap();
    assert_eq!(store.opening().rebuilt, None);
    assert!(store.opening().records > 40);
    assert_eq!(seen(&store).await, before);
}

#[tokio::test]
async fn a_write_into_the_tree_that_was_interrupted_counts_for_nothing() {
    use crate::index::base::Base;
    let rig = Rig::new();
    history(&rig.store).await;
    rig.store.close().await.unwrap();
    let index = rig.directory.path().join("index");
    let stale = rig.directory.path().join("stale");
    copy(&index, &stale);
    let store = open_on(&rig.disk, rig.directory.path()).unwrap();
    store
        .inbox_accept(simple(&["n1", "n2", "n3"]))
        .await
        .unwrap();
    let before = seen(&store).await;
    let unindexed = store.unindexed();
    store.close().await.unwrap();
    fs::remove_dir_all(&index).unwrap();
    copy(&stale, &index);
    let (base, _) = Base::open(&index, 1 << 20).unwrap();
    let entries = base.entries();
    base.write_run(77, &unindexed).unwrap();
    assert!(base.entries() > entries);
    drop(base);
    let store = open_on(&rig.disk, rig.directory.path()).unwrap();
    assert_eq!(store.opening().rebuilt, None);
    assert_eq!(store.opening().records, 4, "brought forward by the journal");
    assert_eq!(seen(&store).await, before);
    store.close().await.unwrap();
    let (base, _) = Base::open(&index, 1 << 20).unwrap();
    assert!(
        base.entries() <= entries + 3,
        "what was left behind is removed"
    );
}

#[tokio::test]
async fn many_small_writes_into_the_tree_are_merged_and_say_the_same() {
    let rig = Rig::new();
    let mut rig = rig;
    for round in 0..20 {
        for delivery in reserve(&rig.store, 99, 2).await {
            deliver(&rig.store, &delivery).await;
        }
        let ids = [
            format!("{round}a"),
            format!("{round}b"),
            format!("{round}c"),
        ];
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        rig.store.inbox_accept(simple(&ids)).await.unwrap();
        rig = rig.reopened().await;
    }
    let live = rig.store.dump().unwrap();
    let other = directory();
    let rebuilt = open_on(&rig.disk.after_kill(), other.path()).unwrap();
    assert_eq!(rebuilt.dump().unwrap(), live);
    assert_eq!(due(&rig.store, 99).await.len(), 22);
}

#[tokio::test]
async fn the_index_that_grew_with_the_store_equals_one_built_from_the_journal() {
    let rig = Rig::new();
    history(&rig.store).await;
    let live = rig.store.dump().unwrap();
    let other = directory();
    let rebuilt = open_on(&rig.disk.after_kill(), other.path()).unwrap();
    assert_eq!(rebuilt.dump().unwrap(), live);
    let rig = rig.reopened().await;
    assert_eq!(rig.store.dump().unwrap(), live);
}

#[tokio::test]
async fn counters_always_add_up() {
    let rig = Rig::new();
    history(&rig.store).await;
    for (_, counts) in rig.store.counts().await.unwrap() {
        assert_eq!(counts.received, counts.states.iter().sum::<u64>());
        assert_eq!(counts.received, 40);
    }
    assert_eq!(count(&rig.store, StateKind::Held).await, 3);
}

/// An index entry that says an unknown event is known must not make it disappear.
#[tokio::test]
async fn a_lie_of_the_index_is_not_believed() {
    let rig = Rig::new();
    rig.store.inbox_accept(simple(&["e1", "e2"])).await.unwrap();
    rig.store.close().await.unwrap();
    {
        let index = rig.directory.path().join("index");
        let (base, reflected) = crate::index::base::Base::open(&index, 1 << 20).unwrap();
        let known = base
            .get(&crate::index::key::seen(&stream(), "e1"))
            .unwrap()
            .unwrap();
        let mut lie = crate::index::changes::Changes::default();
        lie.insert(crate::index::key::seen(&stream(), "never seen"), known);
        base.write(&lie, &reflected).unwrap();
    }
    let store = open_on(&rig.disk, rig.directory.path()).unwrap();
    let refused = store.inbox_accept(simple(&["never seen"])).await;
    assert!(matches!(refused, Err(Error::Index(_))), "{refused:?}");
    assert_eq!(
        store
            .inbox_accept(simple(&["e1", "e3"]))
            .await
            .unwrap()
            .messages,
        1
    );
}

#[tokio::test]
async fn an_index_without_room_stops_intake_in_time_and_goes_on_when_there_is_room() {
    let rig = Rig::new();
    // Asking for room fails as it would on a full disk.
    let room = rig.directory.path().join("index/room");
    fs::create_dir(&room).unwrap();
    let mut accepted = 0;
    let refused = loop {
        match rig
            .store
            .inbox_accept(simple(&[&format!("e{accepted}")]))
            .await
        {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 10_000, "memory would grow without end");
    };
    assert!(matches!(refused, Error::Unwritable(_)), "{refused}");
    assert!(accepted > 10, "a while is bridged");
    assert_eq!(due(&rig.store, 0).await.len(), accepted, "reading goes on");
    fs::remove_dir(&room).unwrap();
    rig.store.nudge();
    rig.store.quiet();
    rig.store.inbox_accept(simple(&["more"])).await.unwrap();
    let live = rig.store.dump().unwrap();
    let rig = rig.reopened().await;
    assert_eq!(rig.store.dump().unwrap(), live);
    assert_eq!(due(&rig.store, 0).await.len(), accepted + 1);
}
