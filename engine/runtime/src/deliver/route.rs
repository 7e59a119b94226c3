//! Routing a delivery once more, before anything is sent.
//!
//! A delivery whose routing failed when its event was accepted has no keys of its own. Sending it
//! under the one that stands in could post it twice: neither its `when` nor its dedup key was ever
//! evaluated. So it takes the way of an event that comes in, and what has been posted under its
//! dedup key meanwhile makes it a duplicate.

use super::aim::Turned;
use super::{Done, Job};
use ml_connector_core::delivery::Event;
use ml_connector_core::identity::ConnectionId;
use ml_connector_core::mapping::{self, Route};
use ml_connector_core::plan::Instance;
use ml_connector_store::{Keys, Routing};
use serde_json::Value as Document;

/// Why an event that is none of the integration's is skipped.
const NOT_MINE: &str = "not one of the integration's events: its `source.when` does not hold";

impl Job {
    /// Gives an unrouted delivery its keys. It is due again afterwards, in its place in order.
    pub(super) async fn route(&mut self, instance: &Instance, event: &Document) -> Turned {
        let keys = match mapping::route(instance, &self.delivery.event_id, event) {
            Route::NotMine => {
                let reason = NOT_MINE.to_owned();
                return self.apply(Event::Skipped { reason }).await;
            }
            Route::Failed { trouble, .. } => return self.not_prepared(trouble).await,
            Route::Mine {
                dedup_key,
                order_key,
                ..
            } => Keys {
                dedup_key,
                order_key,
            },
        };
        let lane = lane_of(instance).unwrap_or(&self.delivery.lane).clone();
        self.routed(lane, Some(keys)).await
    }

    /// Commits where it belongs, and gives it back to that lane.
    pub(super) async fn routed(&mut self, lane: ConnectionId, keys: Option<Keys>) -> Turned {
        let routing = Routing {
            delivery: self.delivery.id,
            revision: self.delivery.revision,
            at: self.context.now(),
            lane: lane.clone(),
            keys,
            plan_hash: self.context.plan.hash,
        };
        self.delivery = self.context.store.delivery_route(routing).await?;
        let (instance, kind) = (&self.delivery.instance, self.delivery.state.kind());
        self.context.counters.moved(instance, kind);
        self.context.lanes.wake(&lane);
        self.log();
        Ok(Done::Moved)
    }
}

/// The connection that an instance writes to.
pub(super) fn lane_of(instance: &Instance) -> Option<&ConnectionId> {
    let sink = &instance.integration.sink.connection;
    instance.connections.get(sink)
}
