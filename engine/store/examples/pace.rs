//! How fast the store is on this machine, beside a bare append and `fdatasync` of the same bytes.
//!
//! `cargo run --release -p ml-connector-store --example pace -- DIRECTORY [EVENTS [ROUNDS [CACHE_BYTES]]]`
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
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const BATCH: usize = 250;
const CALLERS: usize = 64;
static CACHE_BYTES: AtomicU64 = AtomicU64::new(0);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().expect("a directory to measure in"));
    let mut number = |or: usize| {
        let text = arguments.next();
        text.map_or(or, |text| text.parse().expect("a number"))
    };
    let (events, rounds) = (number(1_000_000), number(3));
    CACHE_BYTES.store(number(16 << 20) as u64, Ordering::Relaxed);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    std::fs::create_dir_all(&directory).expect("the directory");
    for round in 0..rounds {
        let sizes = bare(&directory.join("bare"), 200);
        println!("round {round}: bare append and sync, {BATCH} events at once: {sizes}");
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

fn bare(path: &Path, batches: usize) -> String {
    let mut file = std::fs::File::create(path).expect("a file");
    let batch: Vec<u8> = (0..BATCH).flat_map(|number| raw(number).to_vec()).collect();
    let start = Watch::start();
    for _ in 0..batches {
        file.write_all(&batch).expect("a write");
        file.sync_data().expect("a sync");
    }
    let rate = start.told(batches * BATCH);
    std::fs::remove_file(path).expect("removing a file");
    rate
}

async fn batches(directory: &Path, events: usize, report: bool) -> Store {
    let store = open(directory);
    let start = Watch::start();
    for batch in 0..events / BATCH {
        let numbers = batch * BATCH..(batch + 1) * BATCH;
        store.inbox_accept(intake(numbers)).await.expect("a commit");
    }
    if report {
        println!("  commits of {BATCH}: {}", start.told(events));
        store.close().await.expect("closing");
        std::fs::remove_dir_all(directory).expect("removing a store");
    }
    store
}

async fn singles(directory: &Path, events: usize) {
    let store = open(directory);
    let start = Watch::start();
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
    println!("  commits of 1, {CALLERS} callers: {}", start.told(events));
    let start = Watch::start();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        callers.spawn(drain(store.clone()));
    }
    callers.join_all().await;
    println!(
        "  claim and settle, {CALLERS} callers: {}",
        start.told(events)
    );
    store.close().await.expect("closing");
    std::fs::remove_dir_all(directory).expect("removing a store");
}

async fn drain(store: Store) {
    loop {
        let due = store
            .delivery_reserve(&lane(), Timestamp::MAX, 1, &[])
            .await
            .expect("a reservation");
        let Some(delivery) = due.into_iter().next() else {
            return;
        };
        let lease_until = Timestamp::MAX;
        let event = Event::Claimed {
            lease_until,
            fingerprint: None,
            part: None,
        };
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
    let start = Watch::start();
    let store = batches(directory, events, false).await;
    println!(
        "{events} waiting: loaded at {}, {}",
        start.told(events),
        memory()
    );
    let start = Watch::start();
    store.close().await.expect("closing");
    drop(store);
    println!("  closed in {}", start.told(1));
    let start = Watch::start();
    let store = open(directory);
    let opened = start.told(1);
    let due = store
        .delivery_reserve(&lane(), Timestamp::MAX, 64, &[])
        .await
        .expect("a reservation");
    println!(
        "  opened in {opened}, first {} due after {}, {}",
        due.len(),
        start.told(1),
        memory()
    );
    for delivery in due {
        store.delivery_release(delivery.id).await;
    }
    let start = Watch::start();
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
    let rate = start.told(usize::try_from(done).unwrap_or(0));
    println!("  drained {done} at {rate}, {}", memory());
    let start = Watch::start();
    let head = store.head().await.expect("the head").0;
    store.close().await.expect("closing");
    drop(store);
    let verified = ml_connector_store::verify(directory, &mut |_, _| ()).expect("verifying");
    println!(
        "  verified {} of {head} records in {}",
        verified.records,
        start.told(1)
    );
    let start = Watch::start();
    let options = options(directory);
    ml_connector_store::rebuild_index(&options, &mut |_| ()).expect("rebuilding");
    println!("  index rebuilt in {}, {}", start.told(1), memory());
}

fn open(directory: &Path) -> Store {
    Store::open(&options(directory), &mut |_| ()).expect("a store")
}

fn options(directory: &Path) -> Options {
    Options {
        index_cache_bytes: CACHE_BYTES.load(Ordering::Relaxed),
        ..Options::new(directory)
    }
}

/// Wall time, and processor time of all threads.
struct Watch(Instant, Duration);

impl Watch {
    fn start() -> Self {
        Self(Instant::now(), processor())
    }

    /// How long, and how fast for so many.
    fn told(&self, count: usize) -> String {
        let (wall, processor) = (self.0.elapsed(), processor().saturating_sub(self.1));
        let rate = per_second(count, wall);
        let each = per_second(count, processor);
        format!(
            "{rate:.0}/s in {wall:.2?}; {processor:.2?} of processor, {each:.0} per processor second"
        )
    }
}

/// Processor time of this process so far.
fn processor() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split(' ')
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|text| text.parse::<u64>().ok())
            .unwrap_or(0)
    };
    Duration::from_millis((ticks(12) + ticks(13)) * 10)
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
            joins: None,
            unrouted: false,
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
        prints: None,
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
        keep: None,
        exchange: None,
        remember: Vec::new(),
        actor: None,
        plan_hash: [0; 32],
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate to be printed")]
fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(0.001)
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
