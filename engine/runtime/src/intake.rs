//! From events to what the store accepts: which instances take an event, and where their
//! deliveries go. Pure but for the definitions it holds; webhooks and polls share it.

use crate::context::later;
use jiff::Timestamp;
use ml_connector_core::delivery::{self, DeliveryState, Event, Policy, Progress, RepeatSafety};
use ml_connector_core::delivery::{RetryPolicy, Trouble};
use ml_connector_core::identity::{ConnectionId, StreamId};
use ml_connector_core::mapping::{Route, Routing};
use ml_connector_core::plan::{Instance, Plan};
use ml_connector_core::protocol::RawEvent;
use ml_connector_store::{IntakeEvent, NewDelivery};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The instances by the stream they listen to.
#[derive(Debug)]
pub(crate) struct Router {
    by_stream: HashMap<StreamId, Vec<Listener>>,
}

#[derive(Debug)]
struct Listener {
    instance: Arc<Instance>,
    lane: ConnectionId,
}

impl Router {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut by_stream: HashMap<StreamId, Vec<Listener>> = HashMap::new();
        for instance in plan.instances.values() {
            let source = &instance.integration.source;
            let (Some(from), Some(lane)) = (
                instance.connections.get(&source.connection),
                instance
                    .connections
                    .get(&instance.integration.sink.connection),
            ) else {
                // Binding a plan resolves every connection name; an instance without them has no
                // stream to listen to.
                continue;
            };
            by_stream
                .entry(StreamId::of(from, &source.trigger))
                .or_default()
                .push(Listener {
                    instance: Arc::clone(instance),
                    lane: lane.clone(),
                });
        }
        Self { by_stream }
    }

    /// Whether any instance listens to a stream.
    pub(crate) fn listens(&self, stream: &StreamId) -> bool {
        self.by_stream.contains_key(stream)
    }

    /// What the instances make of events, in order.
    pub(crate) fn route(
        &self,
        stream: &StreamId,
        events: Vec<RawEvent>,
        now: Timestamp,
    ) -> Vec<IntakeEvent> {
        let route = |event| self.route_one(stream, event, now);
        events.into_iter().map(route).collect()
    }

    /// What the instances make of an event.
    pub(crate) fn route_one(
        &self,
        stream: &StreamId,
        event: RawEvent,
        now: Timestamp,
    ) -> IntakeEvent {
        self.deliveries(stream, event, |listener, routing| {
            listener.delivery(routing, None, now)
        })
    }

    /// An event that is not as its trigger declares it: held for every instance that would take it.
    pub(crate) fn hold(
        &self,
        stream: &StreamId,
        event: RawEvent,
        trouble: &Trouble,
        now: Timestamp,
    ) -> IntakeEvent {
        self.deliveries(stream, event, |listener, routing| {
            listener.delivery(routing, Some(trouble), now)
        })
    }

    fn deliveries(
        &self,
        stream: &StreamId,
        event: RawEvent,
        delivery: impl Fn(&Listener, &Routing<'_>) -> Option<NewDelivery>,
    ) -> IntakeEvent {
        let routing = Routing::new(&event.id, &event.document);
        let listeners = self.by_stream.get(stream).into_iter().flatten();
        let deliveries = listeners
            .filter_map(|listener| delivery(listener, &routing))
            .collect();
        IntakeEvent {
            id: event.id,
            raw: event.raw,
            deliveries,
        }
    }

    /// The lanes that deliveries of a stream may go to.
    pub(crate) fn lanes(&self, stream: &StreamId) -> impl Iterator<Item = &ConnectionId> {
        self.by_stream
            .get(stream)
            .into_iter()
            .flatten()
            .map(|listener| &listener.lane)
    }
}

impl Listener {
    fn delivery(
        &self,
        routing: &Routing<'_>,
        odd: Option<&Trouble>,
        now: Timestamp,
    ) -> Option<NewDelivery> {
        let mut unrouted = false;
        let (dedup_key, order_key, joins, trouble) = match routing.route(&self.instance) {
            Route::NotMine => return None,
            Route::Mine {
                dedup_key,
                order_key,
                joins,
            } => (dedup_key, order_key, joins, odd.cloned()),
            Route::Failed { dedup_key, trouble } => {
                unrouted = true;
                let trouble = odd.cloned().unwrap_or(trouble);
                (dedup_key, None, None, Some(trouble))
            }
        };
        let (state, joins) = if let Some(trouble) = trouble {
            // It is about this event alone.
            (held(trouble, now), None)
        } else {
            let due_at = joins.as_ref().map_or(now, |joins| later(now, joins.quiet));
            (DeliveryState::Pending { due_at }, joins)
        };
        let (instance, lane) = (self.instance.id.clone(), self.lane.clone());
        Some(NewDelivery {
            instance,
            lane,
            dedup_key,
            order_key,
            state,
            joins,
            unrouted,
        })
    }
}

/// The state of a delivery whose routing failed, decided where every state is decided.
fn held(trouble: Trouble, now: Timestamp) -> DeliveryState {
    let pending = DeliveryState::Pending { due_at: now };
    let event = Event::NotPrepared(trouble);
    match delivery::step(&pending, &Progress::default(), event, &UNSENT, now, 0) {
        Ok(stepped) => stepped.state,
        // `step` takes a preparation failure in `Pending`; should that change, the worker meets the
        // failure again.
        Err(_) => pending,
    }
}

/// A policy for decisions in which nothing has been sent, so neither spacing nor safety matters.
pub(crate) const UNSENT: Policy = Policy {
    retry: RetryPolicy {
        first: Duration::from_secs(5),
        factor_thousandths: 2000,
        max: Duration::from_secs(900),
        full_jitter: false,
        give_up_after: Duration::from_secs(7 * 24 * 3600),
    },
    repeat: RepeatSafety::None,
};
