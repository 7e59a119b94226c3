//! What the tests share: a store on a simulated or a real disk, and short ways to say what happens to it.

use crate::medium::{Medium, SimulatedDisk};
use crate::*;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::delivery::{
    Awaited, Class, DeliveryState, Event, Hold, Outcome, Progress, Receipt, StateKind,
};
use ml_connector_core::identity::*;
use std::collections::BTreeMap;

/// A store whose journal lies on a simulated disk. The index lies in a temporary directory.
pub(super) struct Rig {
    pub(super) disk: SimulatedDisk,
    pub(super) directory: tempfile::TempDir,
    pub(super) store: Store,
}

/// A directory in memory where there is one: the index may wait for no disk in these tests.
pub(super) fn directory() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let in_memory = memory.is_dir().then(|| tempfile::tempdir_in(memory));
    in_memory
        .and_then(Result::ok)
        .unwrap_or_else(|| tempfile::tempdir().unwrap())
}

/// Segments so short that every test meets several.
pub(super) const SEGMENT_BYTES: u64 = 8 * 1024;

pub(super) fn options(directory: &std::path::Path) -> Options {
    Options {
        segment_bytes: SEGMENT_BYTES,
        index_cache_bytes: 1 << 20,
        ..Options::new(directory)
    }
}

pub(super) fn open_on(
    disk: &SimulatedDisk,
    directory: &std::path::Path,
) -> Result<Store, OpenError> {
    Store::open_on(
        &Medium::Simulated(disk.clone()),
        &options(directory),
        None,
        &mut |_| (),
    )
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::on(SimulatedDisk::default())
    }

    pub(super) fn on(disk: SimulatedDisk) -> Self {
        Self::in_directory(disk, directory())
    }

    pub(super) fn in_directory(disk: SimulatedDisk, directory: tempfile::TempDir) -> Self {
        let store = open_on(&disk, directory.path()).unwrap();
        Self {
            disk,
            directory,
            store,
        }
    }

    /// Closes and opens again.
    pub(super) async fn reopened(self) -> Self {
        self.store.close().await.unwrap();
        let store = open_on(&self.disk, self.directory.path()).unwrap();
        Self { store, ..self }
    }
}

/// `seconds` after an arbitrary start.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_secs(seconds)
}

pub(super) fn lane() -> ConnectionId {
    "ledger".into()
}

pub(super) fn instance() -> InstanceId {
    "receipts".into()
}

pub(super) fn stream() -> StreamId {
    StreamId::of(&"payer".into(), "events")
}

/// A pending delivery of an event for the usual instance.
pub(super) fn pending(key: &str, order: Option<&str>, due: i64) -> NewDelivery {
    NewDelivery {
        instance: instance(),
        lane: lane(),
        dedup_key: key.into(),
        order_key: order.map(OrderKey::from),
        state: DeliveryState::Pending { due_at: at(due) },
        joins: None,
        unrouted: false,
    }
}

pub(super) fn event(id: &str, deliveries: Vec<NewDelivery>) -> IntakeEvent {
    let raw = format!("{{\"id\":\"{id}\",\"amount\":{}}}", id.len() * 100);
    IntakeEvent {
        id: id.to_owned(),
        raw: Bytes::from(raw),
        deliveries,
    }
}

pub(super) fn intake(events: Vec<IntakeEvent>) -> Intake {
    Intake {
        connection: "payer".into(),
        stream: stream(),
        origin: Origin::Webhook {
            body_sha256: "ab".repeat(32),
            body_bytes: 10,
            secret: 0,
        },
        received_at: at(0),
        plan_hash: [7; 32],
        events,
        cursor: None,
        prints: None,
    }
}

/// One event with one pending delivery for each id, due at once.
pub(super) fn simple(ids: &[&str]) -> Intake {
    intake(
        ids.iter()
            .map(|id| event(id, vec![pending(id, None, 0)]))
            .collect(),
    )
}

/// The usual transition of a delivery: event and state chosen, everything else as it is.
pub(super) fn transition(delivery: &Delivery, event: Event, state: DeliveryState) -> Transition {
    Transition {
        delivery: delivery.id,
        revision: delivery.revision,
        at: at(1),
        event,
        state,
        progress: delivery.progress.clone(),
        reference: None,
        keep: None,
        exchange: None,
        remember: Vec::new(),
        actor: None,
        plan_hash: [7; 32],
    }
}

pub(super) fn claimed(delivery: &Delivery) -> Transition {
    let lease_until = at(60);
    let mut claimed = transition(
        delivery,
        Event::Claimed {
            lease_until,
            fingerprint: None,
            part: None,
        },
        DeliveryState::InFlight { lease_until },
    );
    claimed.reference = Some(Reference::new(format!("ref-{}", delivery.dedup_key)));
    claimed.progress = Progress {
        attempts: 1,
        ..delivery.progress.clone()
    };
    claimed
}

pub(super) fn delivered(delivery: &Delivery) -> Transition {
    let receipt = Receipt(BTreeMap::from([("number".to_owned(), "4711".into())]));
    let outcome = Outcome::Succeeded {
        receipt: receipt.clone(),
        result: Document::Null,
    };
    let mut delivered = transition(
        delivery,
        Event::Answered(outcome),
        DeliveryState::Delivered { receipt },
    );
    delivered.exchange = Some(Exchange {
        operation: "post".to_owned(),
        request: "POST https://ledger.example/".to_owned(),
        status: Some(200),
        ..Exchange::default()
    });
    delivered
}

pub(super) fn held(delivery: &Delivery, awaits: Option<Awaited>) -> Transition {
    let state = held_state(awaits);
    let trouble = ml_connector_core::delivery::Trouble::Lasting {
        class: Class::MissingMasterData,
        why: "the customer is not known".to_owned(),
        help: "set it".to_owned(),
        awaits: None,
    };
    transition(delivery, Event::NotPrepared(trouble), state)
}

pub(super) fn held_state(awaits: Option<Awaited>) -> DeliveryState {
    DeliveryState::Held(Hold {
        class: Class::MissingMasterData,
        why: "the customer is not known".to_owned(),
        help: "set it".to_owned(),
        since: at(1),
        awaits,
        in_doubt: false,
    })
}

/// Takes up to `limit` due deliveries of the usual lane.
pub(super) async fn reserve(store: &Store, now: i64, limit: usize) -> Vec<Delivery> {
    store
        .delivery_reserve(&lane(), at(now), limit, &[])
        .await
        .unwrap()
}

/// The event ids of what is due.
pub(super) async fn due(store: &Store, now: i64) -> Vec<String> {
    let reserved = reserve(store, now, usize::MAX).await;
    for delivery in &reserved {
        store.delivery_release(delivery.id).await;
    }
    reserved
        .into_iter()
        .map(|delivery| delivery.event_id)
        .collect()
}

/// Claims and delivers one delivery.
pub(super) async fn deliver(store: &Store, delivery: &Delivery) -> Delivery {
    let claimed = store.delivery_record(claimed(delivery)).await.unwrap();
    store.delivery_record(delivered(&claimed)).await.unwrap()
}

pub(super) async fn count(store: &Store, kind: StateKind) -> u64 {
    let at = StateKind::ALL
        .iter()
        .position(|known| *known == kind)
        .unwrap();
    store
        .counts()
        .await
        .unwrap()
        .iter()
        .map(|(_, counts)| counts.states[at])
        .sum()
}

use serde_json::Value as Document;

/// Copies a directory.
pub(super) fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
