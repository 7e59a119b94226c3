//! What is answered, where it is more than one of the documents that commands print too.

use crate::operator::view::{
    AttemptView, ConnectionView, CountsView, DecidedView, DeliveryView, EntryView, HoldGroup,
    PollView, RecordView,
};
use crate::operator::{IntegrationView, MessageView, Status, VerificationView};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Document;

/// A page of deliveries.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Deliveries {
    /// By id.
    pub(super) deliveries: Vec<DeliveryView>,
    /// What to give to `after` for the rows that follow; null if there are none.
    pub(super) next: Option<String>,
}

/// One delivery with everything that happened to it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DeliveryDetail {
    /// As it stands.
    pub(super) delivery: DeliveryView,
    /// The tries at its write, oldest first.
    pub(super) attempts: Vec<AttemptView>,
    /// Every record about it, oldest first.
    pub(super) history: Vec<RecordView>,
}

/// Decisions that were taken.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Decisions {
    /// One for each delivery.
    pub(super) results: Vec<DecidedView>,
}

/// What is held, by cause.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Holds {
    /// How many deliveries are held.
    pub(super) held: u64,
    /// The largest first.
    pub(super) groups: Vec<HoldGroup>,
}

/// Connections of the engine.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Connections {
    /// By name.
    pub(super) connections: Vec<ConnectionView>,
}

/// Integrations of the site.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Integrations {
    /// By name.
    pub(super) integrations: Vec<IntegrationView>,
}

/// Entries of a matching table.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Entries {
    /// By key.
    pub(super) entries: Vec<EntryView>,
    /// What to give to `after` for the entries that follow; null if there are none.
    pub(super) next: Option<String>,
}

/// One entry that was set or removed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct EntrySet {
    /// Entries written.
    pub(super) written: u64,
    /// Deliveries that were held for it and go on.
    pub(super) released: u64,
}

/// A page of the journal's records.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Records {
    /// In order.
    pub(super) records: Vec<RecordView>,
    /// What to give to `after` for the records that follow; null if there are none yet.
    pub(super) next: Option<u64>,
}

/// Everything that belongs to one payment or document.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Trail {
    /// What was asked for.
    pub(super) reference: String,
    /// Every delivery that it names, and those that belong to the same order or event.
    pub(super) deliveries: Vec<DeliveryView>,
    /// Every record about them, in order.
    pub(super) records: Vec<RecordView>,
}

/// A stored event.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct EventDetail {
    /// The event.
    pub(super) event: MessageView,
    /// The deliveries made of it.
    pub(super) deliveries: Vec<DeliveryView>,
}

/// A verified journal, or what is wrong with it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Verified {
    /// What was found.
    pub(super) verification: VerificationView,
}

/// How everything stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Overview {
    /// The site's name.
    pub(super) site: Option<String>,
    /// The engine's version.
    pub(super) engine: String,
    /// Since when the engine runs.
    #[schemars(with = "Option<String>")]
    pub(super) running_since: Option<Timestamp>,
    /// Hash of the running definitions, hex.
    pub(super) plan: Option<String>,
    /// Deliveries by integration.
    pub(super) integrations: Vec<CountsView>,
    /// Connections.
    pub(super) connections: Vec<ConnectionView>,
    /// Polls.
    pub(super) polls: Vec<PollView>,
    /// What the engine has done since its start, by counter.
    pub(super) counters: Document,
    /// Number of the newest record of the journal.
    pub(super) records: u64,
    /// Its hash, hex.
    pub(super) head: String,
}

impl Overview {
    pub(super) fn of(status: &Status, engine: &str) -> Self {
        let counts = status.instances.iter();
        Self {
            site: status.site.clone(),
            engine: engine.to_owned(),
            running_since: status.running_since,
            plan: status.plan.clone(),
            integrations: counts.map(CountsView::of_status).collect(),
            connections: status.connections.iter().map(ConnectionView::of).collect(),
            polls: status.polls.iter().map(PollView::of).collect(),
            counters: serde_json::to_value(&status.counters).unwrap_or_default(),
            records: status.records,
            head: status.head.clone(),
        }
    }
}

/// The program's version.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the names of the answer")]
pub(super) struct Version {
    /// Of the program.
    pub(super) version: String,
    /// Of this API.
    pub(super) api: &'static str,
    /// The site's name.
    pub(super) site: String,
    /// Hash of the running definitions, hex.
    pub(super) plan: String,
}

/// The description of this API.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct OpenApi(pub(super) Document);

/// It was done.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Done {
    /// Always true.
    pub(super) done: bool,
}
