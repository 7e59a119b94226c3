//! What every part of a running engine shares.

use crate::counters::Counters;
use crate::seams::Seams;
use crate::telemetry::{Span, SpanKind, Trace, Traces};
use jiff::{SignedDuration, Timestamp};
pub(crate) use ml_connector_core::delivery::later;
use ml_connector_core::identity::{ConnectionId, InstanceId, StreamId};
use ml_connector_core::plan::Plan;
use ml_connector_store::{Intake, Store};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The plan, the store, the seams, and the two ways to stop.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) plan: Arc<Plan>,
    pub(crate) store: Store,
    pub(crate) seams: Seams,
    pub(crate) counters: Arc<Counters>,
    pub(crate) lanes: Lanes,
    pub(crate) traces: Traces,
    pub(crate) polls: Polls,
    pub(crate) pauses: Arc<Pauses>,
    /// Nothing new is begun: no intake, no poll, no reservation.
    pub(crate) stopping: CancellationToken,
    /// The grace time is over: what waits for an answer stops waiting and records that.
    pub(crate) halted: CancellationToken,
}

impl Context {
    /// `stops` are the engine's two ways to stop, `stopping` and `halted`; those of the context end with them.
    pub(crate) fn new(
        plan: Arc<Plan>,
        store: Store,
        seams: Seams,
        stops: &(CancellationToken, CancellationToken),
        traces: Traces,
    ) -> Self {
        Self {
            traces,
            lanes: Lanes::new(&plan),
            polls: Polls::new(&plan),
            plan,
            store,
            seams,
            counters: Arc::default(),
            pauses: Arc::default(),
            stopping: stops.0.child_token(),
            halted: stops.1.child_token(),
        }
    }

    /// The same engine under another plan.
    pub(crate) fn with_plan(
        &self,
        plan: Arc<Plan>,
        seams: Seams,
        stops: &(CancellationToken, CancellationToken),
    ) -> Self {
        Self {
            counters: Arc::clone(&self.counters),
            pauses: Arc::clone(&self.pauses),
            ..Self::new(plan, self.store.clone(), seams, stops, self.traces.clone())
        }
    }

    /// The events of an intake, where anybody wants their traces.
    pub(crate) fn traced(&self, intake: &Intake) -> Vec<String> {
        let events = self.traces.on().then_some(&intake.events);
        let ids = events.into_iter().flatten().map(|event| event.id.clone());
        ids.collect()
    }

    /// One span for each event that was accepted: the first of its trace.
    pub(crate) fn trace_accepted(
        &self,
        stream: &StreamId,
        events: &[String],
        how: &'static str,
        began: Timestamp,
    ) {
        let ended = self.now();
        for event_id in events {
            let trace = Trace::of(stream, event_id);
            if self.traces.wants(trace) {
                self.traces.add(Span {
                    trace,
                    id: trace.root(),
                    parent: None,
                    name: "accept",
                    kind: SpanKind::Consumer,
                    began,
                    ended,
                    attributes: vec![
                        ("mlc.stream", stream.to_string()),
                        ("mlc.event_id", event_id.clone()),
                        ("mlc.how", how.to_owned()),
                    ],
                    failed: None,
                });
            }
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.seams.clock.now()
    }

    /// Waits, unless the engine stops first: then `false`.
    pub(crate) async fn rest(&self, wait: Duration) -> bool {
        let until = later(self.now(), wait);
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => false,
            () = self.seams.clock.sleep_until(until) => true,
        }
    }
}

/// The integrations that a person has stopped. The store has them too; this is what workers look at.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    instances: RwLock<BTreeSet<InstanceId>>,
}

impl Pauses {
    pub(crate) fn set(&self, instance: &InstanceId, paused: bool) {
        let mut instances = self
            .instances
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if paused {
            instances.insert(instance.clone());
        } else {
            instances.remove(instance);
        }
    }

    pub(crate) fn all(&self) -> BTreeSet<InstanceId> {
        let instances = self.instances.read();
        instances.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Wakes the dispatchers of lanes. A wake-up is a hint: the store says what is due.
#[derive(Debug)]
pub(crate) struct Lanes {
    wakes: BTreeMap<ConnectionId, Arc<Notify>>,
}

impl Lanes {
    fn new(plan: &Plan) -> Self {
        Self {
            wakes: plan
                .connections
                .keys()
                .map(|id| (id.clone(), Arc::default()))
                .collect(),
        }
    }

    pub(crate) fn of(&self, lane: &ConnectionId) -> Arc<Notify> {
        self.wakes.get(lane).cloned().unwrap_or_default()
    }

    pub(crate) fn wake(&self, lane: &ConnectionId) {
        if let Some(wake) = self.wakes.get(lane) {
            wake.notify_one();
        }
    }

    pub(crate) fn wake_all(&self) {
        for wake in self.wakes.values() {
            wake.notify_one();
        }
    }
}

/// Wakes polls before their time: something may have changed.
#[derive(Debug)]
pub(crate) struct Polls {
    wakes: BTreeMap<(ConnectionId, String), Arc<Notify>>,
}

impl Polls {
    fn new(plan: &Plan) -> Self {
        let connections = plan.connections.values();
        let triggers = connections.flat_map(|connection| {
            let triggers = connection.connector.triggers.keys();
            triggers.map(|trigger| (connection.id.clone(), trigger.clone()))
        });
        Self {
            wakes: triggers.map(|poll| (poll, Arc::default())).collect(),
        }
    }

    pub(crate) fn of(&self, connection: &ConnectionId, trigger: &str) -> Arc<Notify> {
        let wake = self.wakes.get(&(connection.clone(), trigger.to_owned()));
        wake.cloned().unwrap_or_default()
    }

    pub(crate) fn wake(&self, connection: &ConnectionId, trigger: &str) {
        self.of(connection, trigger).notify_one();
    }
}

/// Lets one line through per key and interval, and counts what it kept back, so that a flood of
/// refused requests does not become a flood of log lines.
#[derive(Debug, Default)]
pub(crate) struct LogGate {
    kept: Mutex<HashMap<Line, Kept>>,
}

/// Whose line, and the reason it gives.
type Line = (String, &'static str);
/// When the last one was written, and how many were kept back since.
type Kept = (Timestamp, u64);

impl LogGate {
    const INTERVAL: SignedDuration = SignedDuration::from_secs(10);

    /// `Some(n)` if a line may be written now, with the number kept back since the last one.
    ///
    /// Callers use keys from the plan only, so the table is bounded.
    pub(crate) fn pass(&self, subject: &str, reason: &'static str, now: Timestamp) -> Option<u64> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.get_mut(&(subject.to_owned(), reason)) {
            Some((last, count)) if now.duration_since(*last) < Self::INTERVAL => {
                *count += 1;
                None
            }
            Some((last, count)) => {
                *last = now;
                Some(std::mem::take(count))
            }
            None => {
                kept.insert((subject.to_owned(), reason), (now, 0));
                Some(0)
            }
        }
    }
}
