//! From an event to what is to be written: pure, in turns. The engine says what it needs, the shell
//! fetches it.
//!
//! ```text
//! event ──route──► mine: dedup key, order key
//!   Preparation:  skip? hold? ─► requires… ─► skip? hold? ─► fetch… ─► skip? hold? ─► reference, fields ─► Ready
//!                 (each rule as soon as everything it reads is there)
//! receipt ──remember──► crosswalk entries
//! ```

mod again;
mod group;
mod kept;
mod prepare;
mod reference;
mod route;
#[cfg(test)]
mod tests;

pub use again::reference_again;
pub use group::{Gathered, Gathering, completeness, gathering, subject};
pub use kept::Kept;
pub use prepare::Preparation;
pub use route::{Routing, idempotency_key, route};

pub(crate) use prepare::given_to;

use crate::delivery::{Awaited, Class, Trouble};
use crate::identity::{
    ConnectionId, CrosswalkId, DedupKey, InstanceId, IntegrationId, OrderKey, Reference,
};
use crate::plan::{Instance, Plan, RequireBy};
use serde_json::Value as Document;
use std::time::Duration;

/// What an integration instance makes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Not one of its events.
    NotMine,
    /// One of its events.
    Mine {
        /// Which.
        dedup_key: DedupKey,
        /// Its place in order.
        order_key: Option<OrderKey>,
        /// The group it joins, where several events make one delivery.
        joins: Option<Joins>,
    },
    /// It cannot be told: an expression failed. The delivery is made all the same, and held.
    Failed {
        /// Derived from the event's id, so that the same event is not held twice.
        dedup_key: DedupKey,
        /// Why.
        trouble: Trouble,
    },
}

/// The group of events that an event joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joins {
    /// What the events have in common.
    pub key: String,
    /// What the event weighs.
    pub weight: u64,
    /// The most that the events of one delivery weigh.
    pub weight_max: u64,
    /// The most events of one delivery.
    pub events_max: u32,
    /// How long no further event must come.
    pub quiet: Duration,
}

/// What the preparation needs next, or its end.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// A read operation's result.
    Read {
        /// Which connection.
        connection: ConnectionId,
        /// Which operation.
        operation: String,
        /// Its input, valid against its schema.
        input: Document,
    },
    /// A crosswalk entry.
    Crosswalk {
        /// Which table.
        table: CrosswalkId,
        /// Which key.
        key: String,
    },
    /// Another delivery's receipt.
    Delivery {
        /// The integration that makes it; [`instances_of`] says which instances that is.
        integration: IntegrationId,
        /// How it is named.
        by: RequiredKey,
    },
    /// Ready to be written.
    Ready(Box<Prepared>),
    /// Needs nothing.
    Skip {
        /// Why.
        reason: String,
    },
    /// Cannot be prepared.
    Trouble(Trouble),
}

/// How a required delivery is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequiredKey {
    /// By its dedup key.
    DedupKey(DedupKey),
    /// By our reference.
    Reference(Reference),
}

/// What answers a [`Next`].
#[derive(Debug, Clone, PartialEq)]
pub enum Supply {
    /// Here it is.
    Found(Document),
    /// It is not there.
    Missing {
        /// What would release a delivery held for it.
        awaits: Option<Awaited>,
        /// What the other side said.
        why: String,
    },
    /// It is there but not finished: a required delivery that still waits.
    NotYet {
        /// What to wait for.
        awaits: Awaited,
        /// For people.
        why: String,
    },
    /// Asking failed.
    Failed(Trouble),
}

/// Everything ready to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// Which connection.
    pub connection: ConnectionId,
    /// Which write operation.
    pub operation: String,
    /// Its input, valid against its schema.
    pub input: Document,
    /// Our reference.
    pub reference: Option<Reference>,
}

/// Names a required delivery by its evaluated template.
pub fn required_key(by: &RequireBy, text: String) -> RequiredKey {
    match by {
        RequireBy::DedupKey(_) => RequiredKey::DedupKey(DedupKey::new(text)),
        RequireBy::Reference(_) => RequiredKey::Reference(Reference::new(text)),
    }
}

/// The instances whose deliveries an instance may require: those that run the integration between
/// the same connections. Where one site serves several customers, this keeps them apart.
pub fn instances_of(
    plan: &Plan,
    instance: &Instance,
    integration: &IntegrationId,
) -> Vec<InstanceId> {
    let same_connections = |other: &Instance| {
        instance.connections.iter().all(|(name, connection)| {
            other
                .connections
                .get(name)
                .is_none_or(|theirs| theirs == connection)
        })
    };
    plan.instances
        .values()
        .filter(|other| other.integration.id == *integration && same_connections(other))
        .map(|other| other.id.clone())
        .collect()
}

/// The class of a mapping failure.
pub const MAPPING_FAILURE: Class = Class::Value;

/// What an expression or value that does not work out means for a record.
pub(crate) fn failure(why: impl Into<String>) -> Trouble {
    Trouble::Lasting {
        class: MAPPING_FAILURE,
        why: why.into(),
        help: "correct the record where it comes from, or the integration, then retry it"
            .to_owned(),
        awaits: None,
    }
}

/// What a definition that does not fit together means. `validate` finds these before anything runs.
pub(crate) fn misfit(why: impl Into<String>) -> Trouble {
    Trouble::Lasting {
        class: Class::Configuration,
        why: why.into(),
        help: "run `ml-connector validate` and correct the definition, then retry it".to_owned(),
        awaits: None,
    }
}
