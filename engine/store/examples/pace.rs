//! How fast the store is on this machine, beside a bare append and `fdatasync` of the same bytes.
//!
//! `cargo run --release -p ml-connector-store --example pace -- DIRECTORY [EVENTS]`
//!
//! Prints events per second for commits of 250 and of one event (64 callers), for claim and settle (64 callers), and what
//! a million waiting deliveries cost: memory, and time to open after a clean stop. DIRECTORY is created and removed.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a measurement: it prints, takes the time, and ends at the first failure"
)]

use bytes::Bytes;
use jiff::Timestamp;
use ml_connector_core::delivery::{DeliveryState, Event, Outcome, Receipt};
use ml_connector_core::identity::{ConnectionId, StreamId};
use ml_connector_store::{
    Delivery, Intake, IntakeEvent, NewDelivery, Options, Origin, Store, Transition,
};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

const BATCH: usize = 250;
const CALLERS: usize = 64;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().expect("a directory to measure in"));
    let events: usize = arguments
        .next()
        .map_or(1_000_000, |text| text.parse().expect("a number of events"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    std::fs::create_dir_all(&directory).expect("the directory");
    for round in 0..3 {
        let sizes = bare(&directory.join("bare"), 200, 1);
        println!(
            "round {round}: bare append and sync, {BATCH} events at once: {sizes:.0} events/s"
        );
        runtime.block_on(batches(&directory.join("batches"), 200 * BATCH, true));
        runtime.block_on(singles(&directory.join("singles"), 30_000));
    }
    runtime.block_on(million(&directory.join("million"), events));
    std::fs::remove_dir_all(&directory).expect("removing the directory");
}

fn raw(number: usize) -> Bytes {
    let filler = "x".repeat(900);
    Bytes::from(format!(
        r#"{{"id":"EV{number:012}","resource_type":"payments","action":"confirmed","filler":"{filler}"}}"#
    ))
}

fn bare(path: &Path, batches: usize, events_per_record: usize) -> f64 {
    let mut file = std::fs::File::create(path).expect("a file");
    let batch: Vec<u8> = (0..BATCH * events_per_record)
        .flat_map(|number| raw(number).to_vec())
        .collect();
    let start = Instant::now();
    for _ in 0..batches {
        file.write_all(&batch).expect("a write");
        file.sync_data().expect("a sync");
    }
    let rate = per_second(batches * BATCH, start);
    std::fs::remove_file(path).expect("removing a file");
    rate
}

async fn batches(directory: &Path, events: usize, report: bool) -> Store {
    let store = open(directory);
    let start = Instant::now();
    for batch in 0..events / BATCH {
        let numbers = batch * BATCH..(batch + 1) * BATCH;
        store.inbox_accept(intake(numbers)).await.expect("a commit");
    }
    if report {
        println!(
            "  commits of {BATCH}: {:.0} events/s",
            per_second(events, start)
        );
        store.close().await.expect("closing");
        std::fs::remove_dir_all(directory).expect("removing a store");
    }
    store
}

async fn singles(directory: &Path, events: usize) {
    let store = open(directory);
    let start = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let store = store.clone();
        callers.spawn(async move {
            for number in (caller..events).step_by(CALLERS) {
                store
                    .inbox_accept(intake(number..number + 1))
                    .await
                    .expect("a commit");
            }
        });
    }
    callers.join_all().await;
    println!(
        "  commits of 1, {CALLERS} callers: {:.0} events/s",
        per_second(events, start)
    );
    let start = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        callers.spawn(drain(store.clone()));
    }
    callers.join_all().await;
    println!(
        "  claim and settle, {CALLERS} callers: {:.0} deliveries/s",
        per_second(events, start)
    );
    store.close().await.expect("closing");
    std::fs::remove_dir_all(directory).expect("removing a store");
}

async fn drain(store: Store) {
    loop {
        let due = store
            .delivery_reserve(&lane(), Timestamp::MAX, 1)
            .await
            .expect("a reservation");
        let Some(delivery) = due.into_iter().next() else {
            return;
        };
        let lease_until = Timestamp::MAX;
        let event = Event::Claimed { lease_until };
        let claimed = transition(&delivery, event, DeliveryState::InFlight { lease_until });
        let delivery = store.delivery_record(claimed).await.expect("a claim");
        let receipt = Receipt::default();
        let result = serde_json::Value::Null;
        let event = Event::Answered(Outcome::Succeeded {
            receipt: receipt.clone(),
            result,
        });
        let settled = transition(&delivery, event, DeliveryState::Delivered { receipt });
        store.delivery_record(settled).await.expect("a settlement");
    }
}

async fn million(directory: &Path, events: usize) {
    let start = Instant::now();
    let store = batches(directory, events, false).await;
    println!(
        "{events} waiting: loaded at {:.0} events/s, {}",
        per_second(events, start),
        memory()
    );
    let start = Instant::now();
    store.close().await.expect("closing");
    drop(store);
    println!("  closed in {:?}", start.elapsed());
    let start = Instant::now();
    let store = open(directory);
    let opened = start.elapsed();
    let due = store
        .delivery_reserve(&lane(), Timestamp::MAX, 64)
        .await
        .expect("a reservation");
    println!(
        "  opened in {opened:?}, first {} due after {:?}, {}",
        due.len(),
        start.elapsed(),
        memory()
    );
    for delivery in due {
        store.delivery_release(delivery.id).await;
    }
    let start = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let store = store.clone();
        callers.spawn(async move {
            tokio::time::timeout(std::time::Duration::from_secs(10), drain(store))
                .await
                .ok();
        });
    }
    callers.join_all().await;
    let counts = store.counts().await.expect("counters");
    let done: u64 = counts
        .iter()
        .filter_map(|(_, counts)| counts.states.get(4))
        .sum();
    let rate = per_second(usize::try_from(done).unwrap_or(0), start);
    println!("  drained {done} at {rate:.0} deliveries/s, {}", memory());
    let start = Instant::now();
    let head = store.head().await.expect("the head").0;
    store.close().await.expect("closing");
    drop(store);
    let verified = ml_connector_store::verify(directory, &mut |_, _| ()).expect("verifying");
    println!(
        "  verified {} of {head} records in {:?}",
        verified.records,
        start.elapsed()
    );
    let start = Instant::now();
    let options = Options::new(directory);
    ml_connector_store::rebuild_index(&options, &mut |_| ()).expect("rebuilding");
    println!("  index rebuilt in {:?}, {}", start.elapsed(), memory());
}

fn open(directory: &Path) -> Store {
    Store::open(&Options::new(directory), &mut |_| ()).expect("a store")
}

fn lane() -> ConnectionId {
    "ledger".into()
}

fn intake(numbers: std::ops::Range<usize>) -> Intake {
    let received_at = Timestamp::UNIX_EPOCH;
    let events = numbers.map(|number| {
        let id = format!("EV{number:012}");
        let delivery = NewDelivery {
            instance: "receipts".into(),
            lane: lane(),
            dedup_key: id.as_str().into(),
            order_key: Some(format!("PM{number:012}").as_str().into()),
            state: DeliveryState::Pending {
                due_at: received_at,
            },
        };
        IntakeEvent {
            id,
            raw: raw(number),
            deliveries: vec![delivery],
        }
    });
    Intake {
        connection: "payer".into(),
        stream: StreamId::new("payer/events"),
        origin: Origin::Operator,
        received_at,
        plan_hash: [0; 32],
        events: events.collect(),
        cursor: None,
    }
}

fn transition(delivery: &Delivery, event: Event, state: DeliveryState) -> Transition {
    Transition {
        delivery: delivery.id,
        revision: delivery.revision,
        at: Timestamp::UNIX_EPOCH,
        event,
        state,
        progress: delivery.progress.clone(),
        reference: Some(delivery.event_id.as_str().into()),
        exchange: None,
        remember: Vec::new(),
        actor: None,
        plan_hash: [0; 32],
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate to be printed")]
fn per_second(count: usize, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kept = |line: &&str| line.starts_with("VmRSS") || line.starts_with("VmHWM");
    status
        .lines()
        .filter(kept)
        .collect::<Vec<_>>()
        .join(", ")
        .replace('\t', " ")
}
