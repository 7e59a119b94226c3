//! What the store takes and gives. These are domain types; how they lie on disk is `entry`'s business.

use bytes::Bytes;
use jiff::Timestamp;
use ml_connector_core::delivery::{Class, DeliveryState, Event, Progress, StateKind};
use ml_connector_core::identity::{
    ConnectionId, CrosswalkId, DedupKey, DeliveryId, InstanceId, MessageId, OrderKey, Reference,
    StreamId,
};
use ml_connector_core::mapping::Joins;
use serde::{Deserialize, Serialize};
use serde_json::Value as Document;
use std::fmt;

/// Events to accept in one commit: one webhook, or one page of a poll.
#[derive(Debug, Clone)]
pub struct Intake {
    /// Whose events.
    pub connection: ConnectionId,
    /// Which stream; the space in which event ids are unique.
    pub stream: StreamId,
    /// How they came.
    pub origin: Origin,
    /// When.
    pub received_at: Timestamp,
    /// Hash of the plan that routed them.
    pub plan_hash: [u8; 32],
    /// The events, in order.
    pub events: Vec<IntakeEvent>,
    /// A poll cursor that moves in this commit.
    pub cursor: Option<(StreamId, String)>,
    /// What a poll knows of its items from this commit on.
    pub prints: Option<(StreamId, Vec<Print>)>,
}

/// What a poll knows of an item of its list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Print {
    /// The item's id.
    pub id: String,
    /// What stands for its content; nothing if it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub print: Option<String>,
    /// How often it has changed; 1 when it was first seen.
    pub number: u64,
    /// Which of the lists that the poll goes over it stood in; nothing where there is one list only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
}

/// How events came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "origin", rename_all = "snake_case")]
pub enum Origin {
    /// A verified webhook.
    Webhook {
        /// SHA-256 of the raw body, hex.
        body_sha256: String,
        /// Its length.
        body_bytes: u64,
        /// Which of the live secrets matched, counted from 0.
        secret: u32,
    },
    /// A poll.
    Poll {
        /// The trigger's name.
        trigger: String,
    },
    /// Put in by hand.
    Operator,
}

/// One event with what the integrations make of it. `Debug` shows no content.
#[derive(Clone)]
pub struct IntakeEvent {
    /// Unique within the stream.
    pub id: String,
    /// As received.
    pub raw: Bytes,
    /// One for each instance that takes it.
    pub deliveries: Vec<NewDelivery>,
}

impl fmt::Debug for IntakeEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntakeEvent")
            .field("id", &self.id)
            .field("bytes", &self.raw.len())
            .field("deliveries", &self.deliveries)
            .finish()
    }
}

/// A delivery to create.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// For which instance.
    pub instance: InstanceId,
    /// The connection it goes to; deliveries are reserved by lane.
    pub lane: ConnectionId,
    /// Unique within the instance.
    pub dedup_key: DedupKey,
    /// Its place in order.
    pub order_key: Option<OrderKey>,
    /// Pending, or held where routing failed. Of one that joins a group that is open already, the store makes it joined.
    pub state: DeliveryState,
    /// The group of events it joins, if several make one delivery.
    pub joins: Option<Joins>,
    /// See [`Delivery::unrouted`].
    pub unrouted: bool,
}

/// What became of an intake. It is on disk when this is returned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Events that were new.
    pub messages: u32,
    /// Events whose id this stream had before.
    pub duplicates: u32,
    /// Deliveries made.
    pub deliveries: u32,
    /// Deliveries not made because the instance has had their dedup key.
    pub deduplicated: u32,
}

/// A stored event. `Debug` shows no content.
#[derive(Clone)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Its id in the source.
    pub event_id: String,
    /// Whose.
    pub connection: ConnectionId,
    /// Which stream.
    pub stream: StreamId,
    /// When.
    pub received_at: Timestamp,
    /// As received.
    pub raw: Bytes,
    /// The deliveries made of it.
    pub deliveries: Vec<DeliveryId>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("event_id", &self.event_id)
            .field("stream", &self.stream)
            .field("bytes", &self.raw.len())
            .finish_non_exhaustive()
    }
}

/// A delivery as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Its message.
    pub message: MessageId,
    /// Its event's id in the source.
    pub event_id: String,
    /// For which instance.
    pub instance: InstanceId,
    /// Where it goes.
    pub lane: ConnectionId,
    /// Unique within the instance.
    pub dedup_key: DedupKey,
    /// Its place in order.
    pub order_key: Option<OrderKey>,
    /// Whether its routing failed: the dedup key only stands in for the one that the integration will give it, so it
    /// must be routed again before anything is sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unrouted: bool,
    /// Our reference, from the first claim on.
    pub reference: Option<Reference>,
    /// Where the journal keeps what was prepared for its first claim, while it goes on with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<u64>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// Grows with every transition; guards against lost updates.
    pub revision: u32,
    /// Where it stands.
    pub state: DeliveryState,
    /// What has been done.
    pub progress: Progress,
}

/// One transition of one delivery, decided by `step`, to be recorded in one commit.
#[derive(Debug, Clone)]
pub struct Transition {
    /// Which.
    pub delivery: DeliveryId,
    /// The revision it was decided on.
    pub revision: u32,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
    /// The new state.
    pub state: DeliveryState,
    /// The new progress.
    pub progress: Progress,
    /// Our reference, where it became known.
    pub reference: Option<Reference>,
    /// What was prepared for it, where it is a claim that goes on with that.
    pub keep: Option<KeptContent>,
    /// What was said on the wire, redacted and cut.
    pub exchange: Option<Exchange>,
    /// Crosswalk entries written with it.
    pub remember: Vec<CrosswalkEntry>,
    /// Who decided, when a person did.
    pub actor: Option<String>,
    /// Hash of the plan that decided.
    pub plan_hash: [u8; 32],
}

/// What was prepared for a delivery, as the engine writes it down: the journal keeps it as it keeps events. `Debug` shows
/// no content.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptContent(pub Bytes);

impl fmt::Debug for KeptContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeptContent").field(&self.0.len()).finish()
    }
}

/// A delivery that was routed once more, before anything was sent.
#[derive(Debug, Clone)]
pub struct Routing {
    /// Which.
    pub delivery: DeliveryId,
    /// The revision it was decided on.
    pub revision: u32,
    /// When.
    pub at: Timestamp,
    /// The lane it belongs to.
    pub lane: ConnectionId,
    /// Its keys, where it was unrouted before.
    pub keys: Option<Keys>,
    /// Hash of the plan that routed it.
    pub plan_hash: [u8; 32],
}

/// What a definition makes of an event to tell deliveries apart and to order them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Unique within the instance.
    pub dedup_key: DedupKey,
    /// Its place in order.
    pub order_key: Option<OrderKey>,
}

/// One exchange with a system, for the audit: redacted by construction, cut to a size.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Operation.
    pub operation: String,
    /// Method and URL, secrets masked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// Body, secrets and declared personal fields masked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request_body: String,
    /// Status, if there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Answer, masked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub response_body: String,
    /// How long it took.
    #[serde(default)]
    pub duration_ms: u64,
}

/// An entry of a matching table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrosswalkEntry {
    /// Which table.
    pub table: CrosswalkId,
    /// Source key.
    pub key: String,
    /// Target values, an object; null removes the entry.
    pub values: Document,
}

/// Which deliveries to list. Empty fields select everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// These, and no others.
    pub ids: Vec<DeliveryId>,
    /// Of these instances.
    pub instances: Vec<InstanceId>,
    /// To these connections.
    pub lanes: Vec<ConnectionId>,
    /// In these states.
    pub states: Vec<StateKind>,
    /// Held for these classes.
    pub classes: Vec<Class>,
    /// Accepted at or after.
    pub since: Option<Timestamp>,
    /// Accepted before.
    pub until: Option<Timestamp>,
    /// With this event id, dedup key, order key, reference, or value of a receipt.
    pub text: Option<String>,
    /// Only greater ids: the last one of the page before.
    pub after: Option<DeliveryId>,
    /// Most rows.
    pub limit: usize,
}

/// How many there are, for one instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Deliveries made; always the sum of all states.
    pub received: u64,
    /// Deliveries not made because their dedup key was known.
    pub duplicates: u64,
    /// By state, in the order of [`StateKind::ALL`].
    pub states: [u64; 8],
}

/// The events of a group so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// Their messages, in the order of acceptance.
    pub messages: Vec<MessageId>,
    /// When the last of them was accepted.
    pub last_at: Timestamp,
    /// All events that ever came under the group's key.
    pub total: u64,
}

/// One journal record, for people and programs that audit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Sequence number.
    pub sequence: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What kind of record it is.
    pub kind: String,
    /// Its content.
    pub content: Document,
    /// SHA-256 of this record chained to the one before, hex.
    pub hash: String,
    /// The one before, hex.
    pub previous: String,
}

/// Something that a person can stop until it is resumed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "paused", content = "name", rename_all = "snake_case")]
pub enum Pausable {
    /// A connection: nothing is asked of its system.
    Connection(ConnectionId),
    /// An integration: its events are taken in, its deliveries wait.
    Integration(InstanceId),
}

/// A pause that lasts until it is resumed, also across restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// What is stopped.
    #[serde(flatten)]
    pub what: Pausable,
    /// Who stopped it.
    pub actor: String,
    /// Why, in the person's words.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// An operator act or an event of the engine itself, kept in the audit trail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// e.g. `engine_started`, `plan_loaded`, `connection_paused`, `secret_set`.
    pub kind: String,
    /// Who.
    pub actor: Option<String>,
    /// Why, in the person's words.
    pub reason: Option<String>,
    /// Facts, without secrets.
    pub facts: Document,
}
