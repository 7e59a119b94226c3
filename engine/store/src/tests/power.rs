//! Power cuts at every disk operation of a random workload, and kills: what was acknowledged is there, nothing is there
//! twice, the chain verifies, and the index equals one built from the journal.

use super::rig::*;
use crate::medium::SimulatedDisk;
use crate::*;
use ml_connector_core::delivery::{Awaited, DeliveryState, Event, StateKind};
use ml_connector_core::identity::{CrosswalkId, DeliveryId};
use serde_json::json;
use std::collections::BTreeMap;

/// A small generator, so that a failure is repeated by its seed.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// What the callers were told.
#[derive(Debug, Default, Clone)]
struct Acknowledged {
    events: Vec<String>,
    /// Revision and state by delivery.
    deliveries: BTreeMap<DeliveryId, (u32, StateKind)>,
    notes: u64,
}

/// One random step. Fails once the power is gone.
async fn step(store: &Store, draw: &mut Draw, told: &mut Acknowledged) -> Result<(), Error> {
    match draw.below(10) {
        0..4 => {
            let ids: Vec<String> = (0..=draw.below(3))
                .map(|_| format!("e{}", draw.below(400)))
                .collect();
            let events = ids.iter().map(|id| {
                let ordered = draw.below(2) == 0;
                let order = ordered.then(|| format!("o{}", id.len()));
                event(id, vec![pending(id, order.as_deref(), 0)])
            });
            let events = events.collect();
            store.inbox_accept(intake(events)).await?;
            told.events.extend(ids);
        }
        4 => {
            let table = CrosswalkId::new("t");
            let key = draw.below(3).to_string();
            let entry = CrosswalkEntry {
                table,
                key,
                values: json!({"v": 1}),
            };
            store.crosswalk_set(vec![entry], at(2), "ann", None).await?;
        }
        5 => {
            let note = Note {
                kind: "test".to_owned(),
                actor: None,
                reason: None,
                facts: json!(draw.below(9)),
            };
            store.note(note, at(2)).await?;
            told.notes += 1;
        }
        _ => {
            for delivery in store.delivery_reserve(&lane(), at(9), 2, &[]).await? {
                let id = delivery.id;
                let after = match draw.below(4) {
                    0 => {
                        let key = draw.below(3).to_string();
                        let awaits = Awaited::Crosswalk {
                            table: "t".into(),
                            key,
                        };
                        store.delivery_record(held(&delivery, Some(awaits))).await?
                    }
                    1 if id.0 > 1 => {
                        let awaits = Awaited::Delivery {
                            delivery: DeliveryId(id.0 - 1),
                        };
                        store.delivery_record(held(&delivery, Some(awaits))).await?
                    }
                    2 => {
                        let claimed = store.delivery_record(claimed(&delivery)).await?;
                        told.deliveries
                            .insert(id, (claimed.revision, claimed.state.kind()));
                        store.delivery_record(delivered(&claimed)).await?
                    }
                    _ => {
                        let discarded = DeliveryState::Discarded {
                            reason: "no".to_owned(),
                        };
                        let event = Event::Skipped {
                            reason: "no".to_owned(),
                        };
                        store
                            .delivery_record(transition(&delivery, event, discarded))
                            .await?
                    }
                };
                told.deliveries
                    .insert(id, (after.revision, after.state.kind()));
            }
        }
    }
    Ok(())
}

/// Whether a store has everything that was acknowledged, and is sound in itself.
async fn check(store: &Store, told: &Acknowledged, what: &str) {
    let all = Selection {
        limit: 99_999,
        ..Selection::default()
    };
    let list = store.delivery_list(&all).await.unwrap();
    let mut ids: Vec<&str> = list
        .iter()
        .map(|delivery| delivery.event_id.as_str())
        .collect();
    ids.sort_unstable();
    let unique = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), unique, "{what}: an event made two deliveries");
    for event in &told.events {
        assert!(
            ids.binary_search(&event.as_str()).is_ok(),
            "{what}: {event} is lost"
        );
    }
    for delivery in &list {
        if let Some((revision, kind)) = told.deliveries.get(&delivery.id) {
            // A release, or a transition that was never answered, may have come on top.
            let same = delivery.revision == *revision && delivery.state.kind() == *kind;
            assert!(
                same || delivery.revision > *revision,
                "{what}: {delivery:?} lost {revision} {kind:?}"
            );
        }
    }
    for (_, counts) in store.counts().await.unwrap() {
        assert_eq!(
            counts.received,
            counts.states.iter().sum::<u64>(),
            "{what}: the sums"
        );
        assert_eq!(counts.received, list.len() as u64, "{what}: the sums");
    }
    // Of each order only the first unfinished one may be due.
    let due = reserve(store, 99, usize::MAX).await;
    for delivery in &due {
        let before = list.iter().filter(|other| {
            other.order_key.is_some()
                && other.order_key == delivery.order_key
                && other.id < delivery.id
        });
        for other in before {
            assert!(
                other.state.kind().is_terminal(),
                "{what}: {} overtakes {}",
                delivery.id,
                other.id
            );
        }
        store.delivery_release(delivery.id).await;
    }
}

/// Runs a workload until the power fails, then looks at what several cuts would leave.
async fn campaign(seed: u64, fails_at: Option<u64>) -> u64 {
    let disk = SimulatedDisk::default();
    let rig = Rig::on(disk.clone());
    let mut draw = Draw(seed.wrapping_mul(2_654_435_761) | 1);
    let mut told = Acknowledged::default();
    if let Some(at) = fails_at {
        disk.power_fails_at(at);
    }
    for _ in 0..30 {
        if step(&rig.store, &mut draw, &mut told).await.is_err() {
            break;
        }
    }
    let what = format!("seed {seed}, power fails at {fails_at:?}");
    let operations = disk.operations();
    if fails_at.is_none() {
        check(&rig.store, &told, &what).await;
        return operations;
    }
    // A kill leaves the index files as the indexer has written them; after a power cut they are not used.
    rig.store.quiet();
    let killed = directory();
    copy(
        &rig.directory.path().join("index"),
        &killed.path().join("index"),
    );
    for (after, killed) in [
        (disk.after_kill(), Some(killed)),
        (disk.after_power_cut(&mut || draw.next()), None),
    ] {
        let was_killed = killed.is_some();
        let again = Rig::in_directory(after.clone(), killed.unwrap_or_else(directory));
        if was_killed {
            assert_eq!(
                again.store.opening().rebuilt,
                None,
                "{what}: a kill costs no rebuild"
            );
        }
        check(&again.store, &told, &what).await;
        // It goes on, and what it then writes verifies.
        let mut more = told.clone();
        for _ in 0..3 {
            step(&again.store, &mut draw, &mut more).await.unwrap();
        }
        check(&again.store, &more, &what).await;
        let elsewhere = directory();
        let rebuilt = open_on(&after.after_kill(), elsewhere.path()).unwrap();
        assert_eq!(
            rebuilt.dump().unwrap(),
            again.store.dump().unwrap(),
            "{what}: live and rebuilt index differ"
        );
    }
    operations
}

#[tokio::test]
async fn a_power_cut_at_any_disk_operation_loses_nothing_that_was_acknowledged() {
    for seed in 1..=2 {
        let operations = campaign(seed, None).await;
        for at in 4..=operations {
            campaign(seed, Some(at)).await;
        }
    }
}

#[tokio::test]
async fn a_longer_workload_survives_cuts_at_random_moments() {
    for seed in 100..110 {
        campaign(seed, Some(4 + seed * 7 % 40)).await;
    }
}

#[tokio::test]
async fn what_a_killed_process_had_not_synced_is_synced_before_anything_is_built_on_it() {
    // At some of these the segment is full, so that what follows lies in another file.
    for before in 4..16 {
        let rig = Rig::new();
        let mut told: Vec<String> = (0..before).map(|number| format!("e{number}")).collect();
        for id in &told {
            rig.store.inbox_accept(simple(&[id])).await.unwrap();
        }
        // The write reaches the page cache; the sync behind it does not happen any more.
        rig.disk.power_fails_at(rig.disk.operations() + 2);
        assert!(rig.store.inbox_accept(simple(&["cut"])).await.is_err());
        let killed = rig.disk.after_kill();
        let next = Rig::on(killed.clone());
        next.store.inbox_accept(simple(&["next"])).await.unwrap();
        told.push("next".to_owned());
        for seed in 1..4 {
            let mut draw = Draw(seed);
            let after = Rig::on(killed.after_power_cut(&mut || draw.next()));
            let all = due(&after.store, 99).await;
            assert!(told.iter().all(|id| all.contains(id)), "{told:?} {all:?}");
        }
    }
}
