//! What a person can ask of an installation: look, decide, set, pause.
//!
//! The same command runs in two places: in the engine, where it comes in over the control socket
//! (see [`call`]), or on an opened store when no engine holds it (see [`execute`]). Every act
//! leaves actor and reason in the audit trail.

mod execute;
mod look;
mod pause;
mod ping;
mod reconcile;
mod replay;
mod socket;
pub mod view;
mod workbench;

pub use execute::execute;
pub(crate) use pause::paused;
pub use ping::ping;
pub use reconcile::{Period, ReconciledLine, ReconciledSum, Reconciliation};
pub use replay::{ReplayDifference, ReplayNow, ReplayPlan, ReplayRecord, ReplaySort};
pub use socket::{CallError, call};
pub(crate) use socket::{bind, routes};
pub use workbench::Workbench;

use crate::connection::CircuitView;
use crate::counters::CountersSnapshot;
use jiff::Timestamp;
use ml_connector_core::delivery::{Decision, DeliveryState};
use ml_connector_core::identity::{ConnectionId, CrosswalkId, DeliveryId, InstanceId, MessageId};
use ml_connector_store::{AuditRecord, Counts, CrosswalkEntry, Delivery, Paused, Selection};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Document;
use std::collections::BTreeMap;
use view::HoldGroup;

/// Who asks, and why. Acts need both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Who.
    pub actor: String,
    /// Why, in the person's words.
    pub reason: String,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// How everything stands.
    Status,
    /// A page of deliveries.
    Deliveries {
        /// Which.
        selection: Selection,
    },
    /// One delivery with its history.
    Delivery {
        /// Which.
        id: DeliveryId,
        /// Whether the stored event comes with it, as received: it may hold personal data.
        event: bool,
    },
    /// Decides about deliveries, each in a commit of its own.
    Resolve {
        /// Which.
        deliveries: Vec<DeliveryId>,
        /// What.
        decision: Decision,
        /// Who and why.
        act: Act,
    },
    /// Decides about everything that is held for one cause, each delivery in a commit of its own. What is in doubt is
    /// left out: it is decided one by one.
    ResolveCause {
        /// Which, as `holds` names it.
        cause: String,
        /// What: retry or discard.
        decision: Decision,
        /// Who and why.
        act: Act,
    },
    /// What is held, by cause.
    Holds {
        /// Of which deliveries; its states and its page do not matter.
        selection: Selection,
    },
    /// The integrations of the site.
    Integrations,
    /// A stored event: its ids and its hash, never itself.
    Message {
        /// Which.
        id: MessageId,
    },
    /// A page of the journal's records.
    Records {
        /// Only greater sequence numbers.
        after: u64,
        /// Most records.
        limit: usize,
    },
    /// Everything about one payment or document, across its events and integrations.
    Trail {
        /// Its id, an event's, a delivery's, our reference, or the target's document number.
        reference: String,
    },
    /// Verifies the whole journal.
    Verify,
    /// What a replay of deliveries would do; writes nothing. Needs the definitions: a running engine, or a workbench.
    ReplayPlan {
        /// Which; its page does not matter.
        selection: Selection,
    },
    /// Tries again what a plan says was never posted. Needs the definitions.
    ReplayApply {
        /// The plan.
        plan: Box<ReplayPlan>,
        /// Who and why.
        act: Act,
    },
    /// Replays one delivery.
    Replay {
        /// Which.
        delivery: DeliveryId,
        /// Whether it is posted a second time if it was posted.
        force: bool,
        /// Who and why.
        act: Act,
    },
    /// Compares statements of a source with what was posted; writes nothing. Needs the definitions.
    Reconcile {
        /// The integration that says what is compared, as the site names it; not needed where there is only one.
        integration: Option<InstanceId>,
        /// What.
        period: Period,
    },
    /// One entry of a matching table.
    CrosswalkGet {
        /// Which table.
        table: CrosswalkId,
        /// Which key.
        key: String,
    },
    /// Sets entries, in one commit; null values remove.
    CrosswalkSet {
        /// The entries.
        entries: Vec<CrosswalkEntry>,
        /// Who and why.
        act: Act,
    },
    /// A page of entries by table and key.
    CrosswalkList {
        /// Of this table, or of all.
        table: Option<CrosswalkId>,
        /// Only greater keys: the last one of the page before.
        after: Option<String>,
        /// Most entries.
        limit: usize,
    },
    /// Stops a connection's calls until it is resumed, also across restarts.
    Pause {
        /// Which.
        connection: ConnectionId,
        /// Who and why.
        act: Act,
    },
    /// Stops an integration's deliveries until it is resumed, also across restarts. Its events are
    /// taken in.
    PauseIntegration {
        /// Which.
        instance: InstanceId,
        /// Who and why.
        act: Act,
    },
    /// Lets a paused integration go on.
    ResumeIntegration {
        /// Which.
        instance: InstanceId,
        /// Who and why.
        act: Act,
    },
    /// Has a running engine read its definitions again.
    Reload {
        /// Who and why.
        act: Act,
    },
    /// Lets a paused connection go on; probes an open circuit at once.
    Resume {
        /// Which.
        connection: ConnectionId,
        /// Who and why.
        act: Act,
    },
    /// Logs in to the real system and reads something harmless. Needs a running engine; see also
    /// [`ping`].
    Ping {
        /// Which.
        connection: ConnectionId,
    },
    /// Keeps a note in the audit trail.
    Note {
        /// What kind, e.g. `secret_set`.
        kind: String,
        /// Who and why.
        act: Act,
        /// Facts, without secrets.
        facts: Document,
    },
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// To `status`.
    Status(Box<Status>),
    /// To `deliveries`.
    Deliveries {
        /// By id.
        deliveries: Vec<Delivery>,
    },
    /// To `delivery`.
    Delivery {
        /// As it stands.
        delivery: Box<Delivery>,
        /// Everything that happened to it, oldest first.
        history: Vec<AuditRecord>,
        /// Its event as received, if it was asked for.
        event: Option<String>,
    },
    /// To `resolve`: one for each delivery, in order.
    Resolved {
        /// What became of each.
        results: Vec<Resolved>,
    },
    /// To `holds`.
    Holds {
        /// How many deliveries are held.
        held: u64,
        /// By cause, the largest first.
        groups: Vec<HoldGroup>,
    },
    /// To `integrations`.
    Integrations {
        /// By name.
        integrations: Vec<IntegrationView>,
    },
    /// To `message`.
    Message {
        /// The event.
        message: MessageView,
        /// What was made of it.
        deliveries: Vec<Delivery>,
    },
    /// To `records`.
    Records {
        /// In order.
        records: Vec<AuditRecord>,
    },
    /// To `trail`.
    Trail {
        /// By id.
        deliveries: Vec<Delivery>,
        /// Every record about them, in order.
        records: Vec<AuditRecord>,
    },
    /// To `verify`.
    Verified {
        /// What was found.
        verification: VerificationView,
    },
    /// To `replay_plan`.
    ReplayPlan {
        /// The plan.
        plan: Box<ReplayPlan>,
    },
    /// To `reconcile`.
    Reconciled(Box<Reconciliation>),
    /// To `crosswalk_get`.
    Entry {
        /// Nothing if there is no such entry.
        entry: Option<CrosswalkEntry>,
    },
    /// To `crosswalk_list`.
    Entries {
        /// By table and key.
        entries: Vec<CrosswalkEntry>,
    },
    /// To `crosswalk_set`.
    Set {
        /// Entries written.
        written: u64,
        /// Deliveries that were held for them and are due again.
        released: u64,
    },
    /// To `reload`: how it went.
    Reloaded(ReloadStatus),
    /// To `ping`.
    Pinged(Pinged),
    /// To `pause`, `resume` and `note`.
    Done,
    /// It was not done.
    Refused {
        /// Why.
        error: String,
        /// The next step, or empty.
        help: String,
        /// What kind of refusal it is.
        #[serde(default)]
        kind: RefusedKind,
    },
}

/// Why something was not done, for programs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedKind {
    /// There is no such thing.
    NotFound,
    /// What was asked makes no sense.
    Invalid,
    /// Not as things stand.
    #[default]
    Conflict,
    /// Only a running engine can do it.
    NeedsEngine,
    /// The store fails.
    Failed,
}

/// What became of one delivery of a `resolve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// Which.
    pub delivery: DeliveryId,
    /// Its new state, if the decision was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<DeliveryState>,
    /// Why not, otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What kind of refusal that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<RefusedKind>,
    /// What is left to do by hand, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}

/// An integration as the site runs it, or ran it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IntegrationView {
    /// As the site names it.
    pub integration: String,
    /// Whether the running definitions have it.
    pub enabled: bool,
    /// Whether a person has stopped its deliveries.
    pub paused: bool,
    /// The definition it runs; null if it does not run.
    pub definition: Option<String>,
    /// What it is for.
    pub title: Option<String>,
    /// Where its events come from: `<connection>/<trigger>`.
    pub source: Option<String>,
    /// What it writes: `<connection>/<operation>`.
    pub sink: Option<String>,
    /// Deliveries made; always the sum of all states.
    pub received: u64,
    /// Deliveries not made because their dedup key was known.
    pub duplicates: u64,
    /// By state.
    pub states: BTreeMap<String, u64>,
    /// When the next of its windows opens, for which its deliveries wait; null if they need not wait for one.
    #[schemars(with = "Option<String>")]
    pub opens_at: Option<Timestamp>,
}

/// A stored event, without itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageView {
    /// Its id, e.g. `msg_17`.
    pub id: String,
    /// Its id in the source.
    pub event_id: String,
    /// Whose.
    pub connection: String,
    /// Which stream.
    pub stream: String,
    /// When it was received.
    #[schemars(with = "String")]
    pub received_at: Timestamp,
    /// SHA-256 of it as received, hex.
    pub sha256: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What verifying the journal found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerificationView {
    /// Whether everything verifies.
    pub sound: bool,
    /// Sound records, from the beginning to the end or to the first damage.
    pub records: u64,
    /// Hash of the last sound record, hex.
    pub head: String,
    /// The first record that does not verify; null if all do.
    pub first_bad: Option<u64>,
    /// What is wrong with it.
    pub damage: Option<String>,
}

/// How everything stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The site's name, from a running engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Since when the engine runs; nothing if none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_since: Option<Timestamp>,
    /// Hash of the running plan, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// How the last reload of its definitions went, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload: Option<ReloadStatus>,
    /// What is stopped by a person, connections first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Paused>,
    /// Counts by integration instance.
    pub instances: Vec<InstanceStatus>,
    /// The connections of a running engine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<ConnectionStatus>,
    /// The polls of a running engine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub polls: Vec<PollStatus>,
    /// What the running engine has done since its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counters: Option<CountersSnapshot>,
    /// Number of the newest record of the journal.
    pub records: u64,
    /// Its hash, hex.
    pub head: String,
}

/// How a reload of definitions went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReloadStatus {
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Whether the definitions are what runs now. If not, the plan before goes on.
    pub loaded: bool,
    /// Why not, or what else is to be said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// One instance's counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// Which.
    pub instance: InstanceId,
    /// Whether the running plan has it.
    pub enabled: bool,
    /// How many there are.
    pub counts: Counts,
    /// When the next of its windows opens, where it delivers in windows only and none is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<Timestamp>,
}

/// How one connection stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionStatus {
    /// Which.
    pub connection: ConnectionId,
    /// Its connector.
    pub connector: String,
    /// Its circuit and pause.
    pub circuit: CircuitView,
    /// Its session or token in words, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Its request budget in words, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// When the next delivery of its lane is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_due: Option<Timestamp>,
}

/// How one poll stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollStatus {
    /// `<connection>/<trigger>`.
    pub poll: String,
    /// When it asks next; nothing while it is asking or waits for its connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// Its cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// What a ping found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pinged {
    /// Which connection.
    #[schemars(with = "String")]
    pub connection: ConnectionId,
    /// What was read, in order.
    pub steps: Vec<PingStep>,
}

/// One read of a ping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PingStep {
    /// The operation.
    pub operation: String,
    /// How long it took.
    pub duration_ms: u64,
    /// What the connector shows of it, if it went well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shows: Option<String>,
    /// What went wrong, otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The next step in plain words, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
}
