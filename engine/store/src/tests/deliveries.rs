//! Intake, dedup, queues, order, waiting, counters.
//!
//! Long because: one promise a test, over one rig.

use super::rig::*;
use crate::*;
use ml_connector_core::delivery::{Awaited, DeliveryState, Event, StateKind};
use ml_connector_core::identity::{CrosswalkId, DeliveryId, MessageId, StreamId};
use serde_json::json;

#[tokio::test]
async fn an_event_is_accepted_once_in_a_batch_across_batches_and_across_a_restart() {
    let rig = Rig::new();
    let accepted = rig
        .store
        .inbox_accept(simple(&["e1", "e2", "e1"]))
        .await
        .unwrap();
    assert_eq!(
        accepted,
        Accepted {
            messages: 2,
            duplicates: 1,
            deliveries: 2,
            deduplicated: 0
        }
    );
    let again = rig.store.inbox_accept(simple(&["e2", "e3"])).await.unwrap();
    assert_eq!(
        again,
        Accepted {
            messages: 1,
            duplicates: 1,
            deliveries: 1,
            deduplicated: 0
        }
    );
    let rig = rig.reopened().await;
    let again = rig
        .store
        .inbox_accept(simple(&["e1", "e2", "e3"]))
        .await
        .unwrap();
    assert_eq!(
        again,
        Accepted {
            messages: 0,
            duplicates: 3,
            deliveries: 0,
            deduplicated: 0
        }
    );
    let counts = rig.store.counts().await.unwrap();
    assert_eq!(counts[0].1.received, 3);
    assert_eq!(counts[0].1.duplicates, 5);
}

#[tokio::test]
async fn a_dedup_key_makes_one_delivery_however_many_events_bring_it() {
    let rig = Rig::new();
    let twice = vec![
        event("e1", vec![pending("k", None, 0), pending("k", None, 0)]),
        event("e2", vec![pending("k", None, 0)]),
    ];
    let accepted = rig.store.inbox_accept(intake(twice)).await.unwrap();
    assert_eq!(
        accepted,
        Accepted {
            messages: 2,
            duplicates: 0,
            deliveries: 1,
            deduplicated: 2
        }
    );
    let rig = rig.reopened().await;
    let later = intake(vec![event("e3", vec![pending("k", None, 0)])]);
    let accepted = rig.store.inbox_accept(later).await.unwrap();
    assert_eq!((accepted.deliveries, accepted.deduplicated), (0, 1));
    let found = rig
        .store
        .delivery_by_key(&instance(), &"k".into())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.event_id, "e1");
    assert_eq!(
        rig.store
            .delivery_by_key(&"other".into(), &"k".into())
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn a_delivery_is_reserved_once_until_it_is_released_or_recorded() {
    let rig = Rig::new();
    rig.store
        .inbox_accept(simple(&["e1", "e2", "e3"]))
        .await
        .unwrap();
    let first = reserve(&rig.store, 0, 2).await;
    assert_eq!(first.len(), 2);
    let second = reserve(&rig.store, 0, 2).await;
    assert_eq!(second.len(), 1, "what is reserved is not handed out again");
    rig.store.delivery_release(first[0].id).await;
    assert_eq!(reserve(&rig.store, 0, 5).await, vec![first[0].clone()]);
    let done = deliver(&rig.store, &second[0]).await;
    assert_eq!(done.state.kind(), StateKind::Delivered);
    assert_eq!(done.revision, 2);
    assert!(reserve(&rig.store, 9, 5).await.is_empty());
}

#[tokio::test]
async fn what_is_in_flight_is_due_when_its_lease_has_lapsed_and_nobody_has_it() {
    let rig = Rig::new();
    rig.store.inbox_accept(simple(&["e1"])).await.unwrap();
    let delivery = reserve(&rig.store, 0, 1).await.remove(0);
    let lease_end = 60;
    let claimed = rig.store.delivery_record(claimed(&delivery)).await.unwrap();
    // Whoever sent it still has it, however late it is.
    assert!(due(&rig.store, lease_end + 3600).await.is_empty());
    rig.store.delivery_release(delivery.id).await;
    assert!(due(&rig.store, lease_end - 1).await.is_empty());
    assert_eq!(reserve(&rig.store, lease_end, 9).await, [claimed]);
    let rig = rig.reopened().await;
    assert_eq!(due(&rig.store, lease_end).await, ["e1"]);
    let elsewhere = directory();
    let rebuilt = open_on(&rig.disk.after_kill(), elsewhere.path()).unwrap();
    assert_eq!(rebuilt.dump().unwrap(), rig.store.dump().unwrap());
}

#[tokio::test]
async fn nothing_is_handed_out_before_it_is_due_and_the_oldest_comes_first() {
    let rig = Rig::new();
    let events = [("e1", 30), ("e2", 10), ("e3", 20)];
    let events = events
        .iter()
        .map(|(id, due)| event(id, vec![pending(id, None, *due)]))
        .collect();
    rig.store.inbox_accept(intake(events)).await.unwrap();
    assert_eq!(
        rig.store.delivery_next_due(&lane(), &[]).await.unwrap(),
        Some(at(10))
    );
    assert!(due(&rig.store, 9).await.is_empty());
    assert_eq!(due(&rig.store, 20).await, ["e2", "e3"]);
    let rig = rig.reopened().await;
    assert_eq!(due(&rig.store, 99).await, ["e2", "e3", "e1"]);
    assert_eq!(
        rig.store
            .delivery_next_due(&"nowhere".into(), &[])
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn a_stale_revision_is_refused_and_changes_nothing() {
    let rig = Rig::new();
    rig.store.inbox_accept(simple(&["e1"])).await.unwrap();
    let delivery = reserve(&rig.store, 0, 1).await.remove(0);
    let head = rig.store.head().await.unwrap();
    rig.store.delivery_record(claimed(&delivery)).await.unwrap();
    let refused = rig.store.delivery_record(claimed(&delivery)).await;
    assert!(matches!(refused, Err(Error::Changed(id)) if id == delivery.id));
    let mut unknown = claimed(&delivery);
    unknown.delivery = DeliveryId(999);
    assert!(matches!(
        rig.store.delivery_record(unknown).await,
        Err(Error::Missing(_))
    ));
    assert_eq!(rig.store.head().await.unwrap().0, head.0 + 1);
    assert_eq!(rig.store.delivery_in_flight().await.unwrap().len(), 1);
}

#[tokio::test]
async fn deliveries_with_one_order_key_go_one_after_another() {
    let rig = Rig::new();
    let ids = ["e1", "e2", "e3", "e4"];
    for id in ids {
        let one = intake(vec![event(id, vec![pending(id, Some("o"), 0)])]);
        rig.store.inbox_accept(one).await.unwrap();
    }
    let mut rig = rig;
    for id in ids {
        let first = reserve(&rig.store, 0, 9).await;
        assert_eq!(first.len(), 1, "only the head is due");
        assert_eq!(first[0].event_id, id);
        // A held head blocks the others, also across a restart.
        let stopped = rig
            .store
            .delivery_record(held(&first[0], None))
            .await
            .unwrap();
        assert!(due(&rig.store, 99).await.is_empty());
        rig = rig.reopened().await;
        assert!(due(&rig.store, 99).await.is_empty());
        let freed = transition(
            &stopped,
            Event::Released,
            DeliveryState::Pending { due_at: at(0) },
        );
        let freed = rig.store.delivery_record(freed).await.unwrap();
        deliver(&rig.store, &freed).await;
    }
    assert!(due(&rig.store, 99).await.is_empty());
}

#[tokio::test]
async fn instances_that_nobody_wants_are_passed_however_many_wait_and_come_back_in_order() {
    let rig = Rig::new();
    let other = |id: &str| NewDelivery {
        instance: "payouts".into(),
        ..pending(id, None, 1)
    };
    // More than a window holds, and than one call passes.
    let mut ids: Vec<String> = (0..60).map(|number| format!("e{number:02}")).collect();
    let mut events: Vec<IntakeEvent> = ids
        .iter()
        .map(|id| event(id, vec![pending(id, None, 0)]))
        .collect();
    events.push(event("p1", vec![other("p1")]));
    rig.store.inbox_accept(intake(events)).await.unwrap();
    let (lane, without) = (lane(), [instance()]);
    let mut calls = 0;
    let passed = loop {
        let store = &rig.store;
        let reserved = store.delivery_reserve(&lane, at(5), 4, &without).await;
        let reserved = reserved.unwrap();
        if let Some(first) = reserved.into_iter().next() {
            break first;
        }
        let next = rig.store.delivery_next_due(&lane, &without).await;
        assert!(next.unwrap().is_some_and(|due| due <= at(5)), "it goes on");
        calls += 1;
        assert!(calls < 60);
    };
    assert_eq!(passed.event_id, "p1");
    deliver(&rig.store, &passed).await;
    let next = rig.store.delivery_next_due(&lane, &without).await;
    assert_eq!(next.unwrap(), None);
    // To ask for all does not make the next search begin anew.
    let next = rig.store.delivery_next_due(&lane, &[]).await;
    assert_eq!(next.unwrap(), Some(at(0)));
    ids.push("e99".to_owned());
    rig.store.inbox_accept(simple(&["e99"])).await.unwrap();
    let reserved = rig.store.delivery_reserve(&lane, at(5), 99, &without).await;
    assert!(reserved.unwrap().is_empty());
    assert_eq!(due(&rig.store, 5).await, ids);
}

#[tokio::test]
async fn a_delivery_that_is_routed_later_takes_its_keys_and_its_place_at_the_end() {
    let rig = Rig::new();
    let unrouted = |id: &str| {
        let made = NewDelivery {
            unrouted: true,
            ..pending(&format!("unrouted event {id}"), None, 0)
        };
        event(id, vec![made])
    };
    let first = event("e1", vec![pending("k1", Some("o"), 0)]);
    let events = vec![first, unrouted("e2"), unrouted("e3")];
    rig.store.inbox_accept(intake(events)).await.unwrap();
    let taken = reserve(&rig.store, 0, 9).await;
    let routing = |delivery: &Delivery, dedup_key: &str| Routing {
        delivery: delivery.id,
        revision: delivery.revision,
        at: at(1),
        lane: lane(),
        keys: Some(Keys {
            dedup_key: dedup_key.into(),
            order_key: Some("o".into()),
        }),
        plan_hash: [7; 32],
    };
    let routed = rig
        .store
        .delivery_route(routing(&taken[1], "k2"))
        .await
        .unwrap();
    assert_eq!((routed.dedup_key.as_str(), routed.unrouted), ("k2", false));
    let twin = rig
        .store
        .delivery_route(routing(&taken[2], "k2"))
        .await
        .unwrap();
    assert_eq!(twin.state.kind(), StateKind::Skipped);
    let stale = rig.store.delivery_route(routing(&taken[1], "k3")).await;
    assert!(matches!(stale, Err(Error::Changed(_))));

    let rig = rig.reopened().await;
    assert_eq!(
        due(&rig.store, 9).await,
        ["e1"],
        "it waits behind the first"
    );
    let again = intake(vec![
        unrouted("e2"),
        event("e4", vec![pending("k2", None, 0)]),
    ]);
    let accepted = rig.store.inbox_accept(again).await.unwrap();
    assert_eq!((accepted.duplicates, accepted.deduplicated), (1, 1));
    deliver(&rig.store, &reserve(&rig.store, 9, 1).await[0]).await;
    assert_eq!(due(&rig.store, 9).await, ["e2"]);
    let elsewhere = directory();
    let rebuilt = open_on(&rig.disk.after_kill(), elsewhere.path()).unwrap();
    assert_eq!(rebuilt.dump().unwrap(), rig.store.dump().unwrap());
}

#[tokio::test]
async fn what_is_discarded_in_the_middle_of_an_order_does_not_stop_the_rest() {
    let rig = Rig::new();
    for id in ["e1", "e2", "e3"] {
        let one = intake(vec![event(id, vec![pending(id, Some("o"), 0)])]);
        rig.store.inbox_accept(one).await.unwrap();
    }
    let middle = rig
        .store
        .delivery_get(DeliveryId(2))
        .await
        .unwrap()
        .unwrap();
    let discarded = DeliveryState::Discarded {
        reason: "twice".to_owned(),
    };
    rig.store
        .delivery_record(transition(&middle, Event::Released, discarded))
        .await
        .unwrap();
    let first = reserve(&rig.store, 0, 9).await.remove(0);
    deliver(&rig.store, &first).await;
    assert_eq!(due(&rig.store, 0).await, ["e3"]);
}

/// Puts a finished delivery back into the queue.
async fn taken_up(rig: &Rig, id: u64) {
    let finished = rig.store.delivery_get(DeliveryId(id)).await.unwrap();
    let finished = finished.unwrap();
    let again = transition(
        &finished,
        Event::Released,
        DeliveryState::Pending { due_at: at(0) },
    );
    rig.store.delivery_record(again).await.unwrap();
}

async fn discarded(rig: &Rig, id: u64) {
    let present = rig.store.delivery_get(DeliveryId(id)).await.unwrap();
    let state = DeliveryState::Discarded {
        reason: "twice".to_owned(),
    };
    let gone = transition(&present.unwrap(), Event::Released, state);
    rig.store.delivery_record(gone).await.unwrap();
}

#[tokio::test]
async fn a_finished_delivery_that_is_taken_up_again_keeps_its_order() {
    let rig = Rig::new();
    let ids = ["e1", "e2", "e3"];
    let events = ids.map(|id| event(id, vec![pending(id, Some("PM1"), 0)]));
    rig.store.inbox_accept(intake(events.into())).await.unwrap();
    let first = reserve(&rig.store, 0, 9).await.remove(0);
    deliver(&rig.store, &first).await;
    // Behind what waits in its order, and then alone.
    taken_up(&rig, 1).await;
    assert_eq!(due(&rig.store, 0).await, ["e2"]);
    // In the middle of an order that has not come to it.
    discarded(&rig, 3).await;
    taken_up(&rig, 3).await;
    for expected in ["e2", "e3", "e1"] {
        let next = reserve(&rig.store, 0, 9).await;
        assert_eq!(next.len(), 1, "one of an order at a time");
        assert_eq!(next[0].event_id, expected);
        deliver(&rig.store, &next[0]).await;
    }
    assert!(due(&rig.store, 0).await.is_empty());
    taken_up(&rig, 2).await;
    let later = event("e4", vec![pending("e4", Some("PM1"), 0)]);
    rig.store.inbox_accept(intake(vec![later])).await.unwrap();
    assert_eq!(due(&rig.store, 0).await, ["e2"]);
    assert_eq!(count(&rig.store, StateKind::Delivered).await, 2);
    let elsewhere = directory();
    let rebuilt = open_on(&rig.disk.after_kill(), elsewhere.path()).unwrap();
    assert_eq!(rebuilt.dump().unwrap(), rig.store.dump().unwrap());
}

#[tokio::test]
async fn records_are_read_by_number() {
    let rig = Rig::new();
    for id in 0..40 {
        rig.store
            .inbox_accept(simple(&[&format!("e{id}")]))
            .await
            .unwrap();
    }
    let (head, _) = rig.store.head().await.unwrap();
    for after in [0, 1, 15, 16, 17, head - 1, head, head + 40] {
        let read = rig.store.records(after, 5).await.unwrap();
        let numbers: Vec<u64> = read.iter().map(|record| record.sequence).collect();
        let wanted: Vec<u64> = (after + 1..=head.min(after + 5)).collect();
        assert_eq!(numbers, wanted, "after {after} of {head}");
    }
    let read = rig.store.meters();
    assert!(
        read.commits >= 40 && read.records == head && !read.failing,
        "{read:?}"
    );
}

#[tokio::test]
async fn an_entry_of_a_matching_table_releases_what_is_held_for_it_and_nothing_else() {
    let rig = Rig::new();
    rig.store
        .inbox_accept(simple(&["e1", "e2", "e3"]))
        .await
        .unwrap();
    let table = CrosswalkId::new("customers");
    let awaits = |key: &str| Awaited::Crosswalk {
        table: table.clone(),
        key: key.to_owned(),
    };
    for (delivery, key) in reserve(&rig.store, 0, 9).await.iter().zip(["a", "b", "a"]) {
        rig.store
            .delivery_record(held(delivery, Some(awaits(key))))
            .await
            .unwrap();
    }
    assert_eq!(count(&rig.store, StateKind::Held).await, 3);
    let rig = rig.reopened().await;
    let entry = |key: &str, values| CrosswalkEntry {
        table: table.clone(),
        key: key.to_owned(),
        values,
    };
    let removed = vec![entry("a", json!(null))];
    assert_eq!(
        rig.store
            .crosswalk_set(removed, at(5), "ann", None)
            .await
            .unwrap(),
        0
    );
    let set = vec![entry(
        "a",
        serde_json::from_str(r#"{"number":1.10}"#).unwrap(),
    )];
    assert_eq!(
        rig.store
            .crosswalk_set(set, at(5), "ann", Some("new"))
            .await
            .unwrap(),
        2
    );
    assert_eq!(due(&rig.store, 5).await, ["e1", "e3"]);
    let values = rig.store.crosswalk_get(&table, "a").await.unwrap().unwrap();
    assert_eq!(
        values.to_string(),
        r#"{"number":1.10}"#,
        "numbers keep their digits"
    );
    // A hold for what is there by now is no hold.
    let second = rig
        .store
        .delivery_get(DeliveryId(1))
        .await
        .unwrap()
        .unwrap();
    let back = rig
        .store
        .delivery_record(held(&second, Some(awaits("a"))))
        .await
        .unwrap();
    assert_eq!(back.state.kind(), StateKind::Pending);
    assert_eq!(back.revision, second.revision + 2);
    // One for a column that the entry lacks stays until the entry has it.
    let awaits = Awaited::Column {
        table: table.clone(),
        key: "a".to_owned(),
        column: "name".to_owned(),
    };
    let back = rig
        .store
        .delivery_record(held(&back, Some(awaits)))
        .await
        .unwrap();
    assert_eq!(back.state.kind(), StateKind::Held);
    let set = vec![entry("a", json!({ "name": "Ann" }))];
    let released = rig.store.crosswalk_set(set, at(6), "ann", None);
    assert_eq!(released.await.unwrap(), 1);
}

#[tokio::test]
async fn a_delivery_that_awaits_another_goes_when_that_is_finished() {
    let rig = Rig::new();
    rig.store.inbox_accept(simple(&["e1", "e2"])).await.unwrap();
    let both = reserve(&rig.store, 0, 9).await;
    let awaits = Awaited::Delivery {
        delivery: both[0].id,
    };
    rig.store
        .delivery_record(held(&both[1], Some(awaits)))
        .await
        .unwrap();
    assert!(due(&rig.store, 99).await.is_empty());
    let before = rig.store.head().await.unwrap().0;
    deliver(&rig.store, &both[0]).await;
    assert_eq!(
        rig.store.head().await.unwrap().0,
        before + 3,
        "the release is a record of its own"
    );
    assert_eq!(due(&rig.store, 99).await, ["e2"]);
}

#[tokio::test]
async fn a_hold_until_a_time_is_due_then() {
    let rig = Rig::new();
    rig.store.inbox_accept(simple(&["e1"])).await.unwrap();
    let delivery = reserve(&rig.store, 0, 1).await.remove(0);
    let until = Awaited::Until { due_at: at(50) };
    rig.store
        .delivery_record(held(&delivery, Some(until)))
        .await
        .unwrap();
    assert!(due(&rig.store, 49).await.is_empty());
    assert_eq!(due(&rig.store, 50).await, ["e1"]);
}

#[tokio::test]
async fn a_pause_lasts_until_it_is_resumed() {
    let rig = Rig::new();
    let paused = |what: Pausable, seconds| Paused {
        what,
        actor: "ann".to_owned(),
        reason: "month-end".to_owned(),
        since: at(seconds),
    };
    let ledger = paused(Pausable::Connection(lane()), 1);
    let receipts = paused(Pausable::Integration(instance()), 2);
    rig.store.pause(receipts.clone()).await.unwrap();
    rig.store.pause(ledger.clone()).await.unwrap();
    let rig = rig.reopened().await;
    assert_eq!(
        rig.store.pauses().await.unwrap(),
        [ledger.clone(), receipts.clone()]
    );
    let what = ledger.what;
    rig.store.resume(what, at(3), "bob", "done").await.unwrap();
    let rig = rig.reopened().await;
    assert_eq!(rig.store.pauses().await.unwrap(), [receipts]);
    let elsewhere = directory();
    let rebuilt = open_on(&rig.disk.after_kill(), elsewhere.path()).unwrap();
    assert_eq!(rebuilt.dump().unwrap(), rig.store.dump().unwrap());
}

#[tokio::test]
async fn a_cursor_moves_with_its_page_and_stays() {
    let rig = Rig::new();
    let poll = StreamId::new("payer/poll");
    assert_eq!(rig.store.cursor(&poll).await.unwrap(), None);
    let page = Intake {
        cursor: Some((poll.clone(), "c1".to_owned())),
        ..simple(&["e1"])
    };
    rig.store.inbox_accept(page).await.unwrap();
    let head = rig.store.head().await.unwrap();
    let empty = Intake {
        cursor: Some((poll.clone(), "c1".to_owned())),
        ..simple(&[])
    };
    rig.store.inbox_accept(empty).await.unwrap();
    assert_eq!(
        rig.store.head().await.unwrap(),
        head,
        "a poll that brought nothing writes nothing"
    );
    let rig = rig.reopened().await;
    assert_eq!(
        rig.store.cursor(&poll).await.unwrap().as_deref(),
        Some("c1")
    );
}

#[tokio::test]
async fn the_history_of_a_delivery_tells_everything_from_its_event_on() {
    let rig = Rig::new();
    rig.store.inbox_accept(simple(&["e1", "e2"])).await.unwrap();
    let delivery = reserve(&rig.store, 0, 1).await.remove(0);
    let done = deliver(&rig.store, &delivery).await;
    let history = rig.store.delivery_history(delivery.id).await.unwrap();
    let kinds: Vec<&str> = history.iter().map(|record| record.kind.as_str()).collect();
    assert_eq!(kinds, ["event", "transition", "transition"]);
    assert_eq!(
        history[0].content["raw"],
        json!(r#"{"id":"e1","amount":200}"#)
    );
    assert_eq!(history[1].content["event"]["event"], json!("claimed"));
    assert_eq!(history[2].content["exchange"]["status"], json!(200));
    let message = rig
        .store
        .message_get(delivery.message)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (message.event_id.as_str(), message.received_at),
        ("e1", at(0))
    );
    assert_eq!(
        rig.store
            .message_get(done.message)
            .await
            .unwrap()
            .unwrap()
            .raw,
        message.raw
    );
    let reference = done.reference.clone().unwrap();
    let found = rig
        .store
        .delivery_by_reference(&instance(), &reference)
        .await
        .unwrap();
    assert_eq!(found, Some(done));
}

#[tokio::test]
async fn every_stored_event_is_found_by_its_id_wherever_it_lies() {
    let rig = Rig::new();
    for number in 0..100 {
        rig.store
            .inbox_accept(simple(&[&format!("e{number}")]))
            .await
            .unwrap();
    }
    let all = Selection {
        limit: 1000,
        ..Selection::default()
    };
    let list = rig.store.delivery_list(&all).await.unwrap();
    assert_eq!(list.len(), 100);
    for delivery in list {
        let message = rig
            .store
            .message_get(delivery.message)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(message.event_id, delivery.event_id);
    }
    assert!(rig.store.message_get(MessageId(0)).await.unwrap().is_none());
    assert!(
        rig.store
            .message_get(MessageId(99_999))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        rig.store.message_get(MessageId(2)).await.unwrap().is_none(),
        "an intake is no message"
    );
}

#[tokio::test]
async fn a_list_selects_by_each_field_and_goes_on_after_a_page() {
    let rig = Rig::new();
    rig.store
        .inbox_accept(simple(&["e1", "e2", "e3", "e4"]))
        .await
        .unwrap();
    let taken = reserve(&rig.store, 0, 2).await;
    deliver(&rig.store, &taken[0]).await;
    rig.store
        .delivery_record(held(&taken[1], None))
        .await
        .unwrap();
    let list = async |selection: Selection| -> Vec<String> {
        let found = rig.store.delivery_list(&selection).await.unwrap();
        found
            .into_iter()
            .map(|delivery| delivery.event_id)
            .collect()
    };
    let all = Selection {
        limit: 9,
        ..Selection::default()
    };
    assert_eq!(list(all.clone()).await, ["e1", "e2", "e3", "e4"]);
    assert_eq!(
        list(Selection {
            limit: 2,
            ..all.clone()
        })
        .await,
        ["e1", "e2"]
    );
    let after = Some(DeliveryId(2));
    assert_eq!(
        list(Selection {
            after,
            ..all.clone()
        })
        .await,
        ["e3", "e4"]
    );
    let states = vec![StateKind::Held, StateKind::Delivered];
    assert_eq!(
        list(Selection {
            states,
            ..all.clone()
        })
        .await,
        ["e1", "e2"]
    );
    let classes = vec![ml_connector_core::delivery::Class::MissingMasterData];
    assert_eq!(
        list(Selection {
            classes,
            ..all.clone()
        })
        .await,
        ["e2"]
    );
    let text = Some("ref-e1".to_owned());
    assert_eq!(
        list(Selection {
            text,
            ..all.clone()
        })
        .await,
        ["e1"]
    );
    let instances = vec!["other".into()];
    assert!(
        list(Selection {
            instances,
            ..all.clone()
        })
        .await
        .is_empty()
    );
    assert!(
        list(Selection {
            since: Some(at(1)),
            ..all.clone()
        })
        .await
        .is_empty()
    );
    assert!(
        list(Selection {
            until: Some(at(0)),
            ..all.clone()
        })
        .await
        .is_empty()
    );
    assert_eq!(
        list(Selection {
            since: Some(at(0)),
            until: Some(at(1)),
            ..all
        })
        .await
        .len(),
        4
    );
}

#[tokio::test]
async fn matching_tables_are_listed_by_key_in_pages() {
    let rig = Rig::new();
    let entry = |table: &str, key: &str| CrosswalkEntry {
        table: table.into(),
        key: key.to_owned(),
        values: json!({"v": key}),
    };
    let entries = vec![
        entry("b", "2"),
        entry("a", "10"),
        entry("b", "1"),
        entry("ab", "x"),
    ];
    rig.store
        .crosswalk_set(entries, at(0), "ann", None)
        .await
        .unwrap();
    let keys = async |table: Option<&str>, after: Option<&str>, limit| -> Vec<String> {
        let table = table.map(CrosswalkId::new);
        let found = rig
            .store
            .crosswalk_list(table.as_ref(), after, limit)
            .await
            .unwrap();
        found
            .into_iter()
            .map(|entry| format!("{}/{}", entry.table, entry.key))
            .collect()
    };
    assert_eq!(keys(Some("b"), None, 9).await, ["b/1", "b/2"]);
    assert_eq!(keys(Some("b"), Some("1"), 9).await, ["b/2"]);
    assert_eq!(keys(Some("a"), None, 9).await, ["a/10"]);
    assert_eq!(keys(None, None, 3).await, ["a/10", "ab/x", "b/1"]);
    assert_eq!(keys(None, Some("b\u{0}1"), 3).await, ["b/2"]);
}

#[tokio::test]
async fn many_callers_share_commits_and_each_gets_its_own_answer() {
    let rig = Rig::new();
    let before = rig.disk.operations();
    let accepts = (0..200).map(|number| {
        let store = rig.store.clone();
        async move {
            let id = format!("e{}", number % 100);
            store.inbox_accept(simple(&[&id])).await.unwrap()
        }
    });
    let mut set = tokio::task::JoinSet::new();
    accepts.for_each(|accept| {
        set.spawn(accept);
    });
    let answers = set.join_all().await;
    assert_eq!(
        answers
            .iter()
            .map(|accepted| accepted.messages)
            .sum::<u32>(),
        100
    );
    assert_eq!(
        answers
            .iter()
            .map(|accepted| accepted.duplicates)
            .sum::<u32>(),
        100
    );
    let used = rig.disk.operations() - before;
    assert!(used < 2 * 200, "{used} disk operations for 200 commits");
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let rig = Rig::new();
    let other = rig.store.clone();
    rig.store.close().await.unwrap();
    rig.store.close().await.unwrap();
    assert!(matches!(other.head().await, Err(Error::Closed)));
    assert!(matches!(
        other.inbox_accept(simple(&["e1"])).await,
        Err(Error::Closed)
    ));
}
