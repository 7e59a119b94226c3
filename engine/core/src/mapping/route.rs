//! Which events are an instance's, and under which keys.

use super::{Joins, Route, failure};
use crate::hex;
use crate::identity::{DedupKey, InstanceId, OrderKey};
use crate::plan::{Aggregate, Instance};
use crate::protocol::duration_in;
use crate::template::{EvalError, Scope, Shared};
use serde_json::Value as Document;
use sha2::{Digest, Sha256};

/// One event on its way to every instance that listens to its stream: converted once for all of
/// them.
#[derive(Debug)]
pub struct Routing<'a> {
    event_id: &'a str,
    event: Shared<'a>,
}

/// Whether an event is one of the instance's, and its keys.
pub fn route(instance: &Instance, event_id: &str, event: &Document) -> Route {
    Routing::new(event_id, event).route(instance)
}

impl<'a> Routing<'a> {
    /// Starts; the id is the event's in its stream.
    pub fn new(event_id: &'a str, event: &'a Document) -> Self {
        Self {
            event_id,
            event: Shared::of(event),
        }
    }

    /// Whether it is one of the instance's, and its keys.
    pub fn route(&self, instance: &Instance) -> Route {
        match self.keys(instance) {
            Ok(None) => Route::NotMine,
            Ok(Some((dedup_key, order_key, joins))) => Route::Mine {
                dedup_key,
                order_key,
                joins,
            },
            Err(why) => Route::Failed {
                // No dedup key that a definition makes of an event looks like this by accident.
                dedup_key: DedupKey::new(format!("unrouted event {}", self.event_id)),
                trouble: failure(why),
            },
        }
    }

    fn keys(&self, instance: &Instance) -> Result<Option<Keys>, String> {
        let integration = &instance.integration;
        let mut scope = Scope::new().with("params", &instance.params);
        scope.share("event", &self.event);
        let at = |place: &'static str| move |error: EvalError| format!("{place}: {error}");
        if let Some(when) = &integration.source.when
            && !when.holds(&scope).map_err(at("source.when"))?
        {
            return Ok(None);
        }
        let dedup_key = integration
            .dedup_key
            .text(&scope)
            .map_err(at("dedup_key"))?;
        if dedup_key.is_empty() {
            return Err("dedup_key: it is empty".to_owned());
        }
        let order_key = match &integration.order_key {
            Some(template) => template.optional_text(&scope).map_err(at("order_key"))?,
            None => None,
        };
        let joins = match &integration.aggregate {
            Some(aggregate) => Some(joins(aggregate, &scope)?),
            None => None,
        };
        // A correction must not be made before what it corrects.
        let order_key = joins.as_ref().map(|joins| joins.key.clone()).or(order_key);
        Ok(Some((
            DedupKey::new(dedup_key),
            order_key.map(OrderKey::new),
            joins,
        )))
    }
}

type Keys = (DedupKey, Option<OrderKey>, Option<Joins>);

fn joins(aggregate: &Aggregate, scope: &Scope<'_>) -> Result<Joins, String> {
    let at = |place: &'static str| move |error: EvalError| format!("{place}: {error}");
    let key = aggregate.key.text(scope).map_err(at("aggregate.key"))?;
    if key.is_empty() {
        return Err("aggregate.key: it is empty".to_owned());
    }
    let (weight, weight_max) = match &aggregate.split {
        Some(split) => {
            let weight = split
                .weigh
                .value(scope)
                .map_err(at("aggregate.split.weigh"))?;
            let weight = weight
                .as_u64()
                .ok_or("aggregate.split.weigh: it is no whole number from 0")?;
            (weight, split.max)
        }
        None => (0, u64::MAX),
    };
    let quiet = duration_in(&aggregate.quiet, scope).map_err(at("aggregate.quiet"))?;
    Ok(Joins {
        quiet,
        key,
        weight,
        weight_max,
        events_max: aggregate.events_max,
    })
}

/// The idempotency key of a delivery: stable across restarts, definitions and replays.
///
/// Hexadecimal digits of a SHA-256 over both names, each with its length before it, so that no two
/// pairs share a text; cut to `length_max` characters.
pub fn idempotency_key(instance: &InstanceId, dedup_key: &DedupKey, length_max: u32) -> String {
    let mut hash = Sha256::new();
    for part in [instance.as_str(), dedup_key.as_str()] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut key = hex::of(&hash.finalize());
    key.truncate(usize::try_from(length_max).unwrap_or(usize::MAX));
    key
}
