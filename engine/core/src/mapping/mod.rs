//! From an event to what is to be written: pure, in turns. The engine says what it needs, the shell fetches it.

use crate::delivery::{Awaited, Class, Receipt, Trouble};
use crate::identity::{ConnectionId, CrosswalkId, DedupKey, InstanceId, OrderKey, Reference};
use crate::plan::{Instance, RequireBy};
use serde_json::Value as Document;

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
    },
    /// It cannot be told: an expression failed. The delivery is made all the same, and held.
    Failed {
        /// Derived from the event's id, so that the same event is not held twice.
        dedup_key: DedupKey,
        /// Why.
        trouble: Trouble,
    },
}

/// Whether an event is one of the instance's, and its keys.
pub fn route(_instance: &Instance, _event_id: &str, _event: &Document) -> Route {
    todo!()
}

/// The idempotency key of a delivery: stable across restarts, definitions and replays.
pub fn idempotency_key(_instance: &InstanceId, _dedup_key: &DedupKey, _length_max: u32) -> String {
    todo!()
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
        /// Its input.
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
        /// The instances that run the required integration on this site.
        instances: Vec<InstanceId>,
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

/// One delivery's preparation.
#[derive(Debug)]
pub struct Preparation<'a> {
    instance: &'a Instance,
    event: &'a Document,
}

impl<'a> Preparation<'a> {
    /// Starts.
    pub fn new(instance: &'a Instance, event: &'a Document) -> Self {
        Self { instance, event }
    }
    /// What is needed next.
    pub fn next(&mut self) -> Next {
        let _ = (self.instance, self.event);
        todo!()
    }
    /// Answers the last need.
    pub fn supply(&mut self, _supply: Supply) {
        todo!()
    }
    /// Crosswalk entries to write with the delivery's success.
    pub fn remember(
        &self,
        _receipt: &Receipt,
    ) -> Result<Vec<(CrosswalkId, String, Document)>, Trouble> {
        todo!()
    }
}

/// Names a required delivery by its evaluated template.
pub fn required_key(_by: &RequireBy, _text: String) -> RequiredKey {
    todo!()
}

/// The class of a mapping failure.
pub const MAPPING_FAILURE: Class = Class::Value;
