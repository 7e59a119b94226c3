//! What can happen to one delivery, and what follows from it.
//!
//! # The cast
//! - A *message* is one accepted event, stored once, verbatim.
//! - A *delivery* is that message on its way through one integration instance to one write operation.
//! - An *attempt* is one try at that write: it is stored as *claimed* before anything is sent.
//! - A *look-up* asks the target whether our reference is already there.
//!
//! # The life of a delivery
//! ```text
//!              ┌────────────── retry at ───────────────┐
//!              ▼                                       │
//!  accepted ► Pending ──claim (commit)──► InFlight ──answer──► Delivered
//!              │  ▲                         │  │
//!              │  │ absent, proven          │  └── rejected ─► Held ─ decision ─► Pending · Delivered · Discarded
//!    skipped ◄─┘  └───────── Uncertain ◄────┘ no answer, crash
//!                              │  └─ found ─► Delivered
//!                              └─ no look-up, or look-up too long without a result ─► Held
//! ```
//!
//! # The guarantees
//! - A write is sent again only after an answer that proves it did nothing, after enough look-ups that did not find it,
//!   with the same idempotency key, or when its operation is declared naturally repeatable. Nothing else leads from
//!   `InFlight` or `Uncertain` to `Pending`.
//! - From the first claim whose effect is not known, or whose step is done, everything that follows (further steps, tries
//!   and look-ups) is about what was prepared for that claim, whatever definitions and matching tables say by then. Only
//!   what certainly did nothing is prepared anew.
//! - A delivery that waits (for a due time, for what is missing, for a person) is in exactly one state that says so.
//! - [`step`] is a total function: every state meets every event with a defined result or a refusal that names both.
//!
//! `step` decides, the runtime performs, the store remembers. There is no waiting here, only due times.

mod repeat;
mod step;

pub use repeat::{RepeatKind, RepeatSafety};
pub use step::{Effect, Event, Policy, Refused, RetryPolicy, Stepped, backoff, later, step};

use crate::identity::{ConnectionId, CrosswalkId, DeliveryId, InstanceId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Document;
use std::collections::BTreeMap;
use std::time::Duration;

/// Where one delivery stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waits for its due time; nothing of it is under way.
    Pending {
        /// Not before this.
        due_at: Timestamp,
    },
    /// Claimed: the request may have been sent.
    InFlight {
        /// After this without an answer the outcome is unknown.
        lease_until: Timestamp,
    },
    /// It is not known whether the target has it. Nothing is sent until that is known.
    Uncertain {
        /// When to look next.
        due_at: Timestamp,
        /// Since when it is unknown.
        since: Timestamp,
        /// Look-ups that found nothing so far.
        absences: u32,
        /// Why it is unknown.
        why: String,
    },
    /// Waits for a person, or for what is missing.
    Held(Hold),
    /// Stands in the target.
    Delivered {
        /// What the target calls it.
        receipt: Receipt,
    },
    /// Needs nothing, for a stated reason.
    Skipped {
        /// The reason, in the words of the integration.
        reason: String,
    },
    /// A person decided that it shall not be delivered.
    Discarded {
        /// The reason the person gave.
        reason: String,
    },
    /// Part of another delivery that is made of several events; what becomes of that one becomes of this.
    Joined {
        /// The delivery that it is part of.
        into: DeliveryId,
    },
}

/// The states by name, for counters, lists and selections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateKind {
    /// See [`DeliveryState::Pending`].
    Pending,
    /// See [`DeliveryState::InFlight`].
    InFlight,
    /// See [`DeliveryState::Uncertain`].
    Uncertain,
    /// See [`DeliveryState::Held`].
    Held,
    /// See [`DeliveryState::Delivered`].
    Delivered,
    /// See [`DeliveryState::Skipped`].
    Skipped,
    /// See [`DeliveryState::Discarded`].
    Discarded,
    /// See [`DeliveryState::Joined`].
    Joined,
}

impl StateKind {
    /// All, in the order tables list them.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::InFlight,
        Self::Uncertain,
        Self::Held,
        Self::Delivered,
        Self::Skipped,
        Self::Discarded,
        Self::Joined,
    ];

    /// The word used in commands, output and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InFlight => "in_flight",
            Self::Uncertain => "uncertain",
            Self::Held => "held",
            Self::Delivered => "delivered",
            Self::Skipped => "skipped",
            Self::Discarded => "discarded",
            Self::Joined => "joined",
        }
    }

    /// Whether nothing will happen to it any more by itself or by what it waits for.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Delivered | Self::Skipped | Self::Discarded | Self::Joined
        )
    }
}

impl DeliveryState {
    /// The state's name.
    pub const fn kind(&self) -> StateKind {
        match self {
            Self::Pending { .. } => StateKind::Pending,
            Self::InFlight { .. } => StateKind::InFlight,
            Self::Uncertain { .. } => StateKind::Uncertain,
            Self::Held(_) => StateKind::Held,
            Self::Delivered { .. } => StateKind::Delivered,
            Self::Skipped { .. } => StateKind::Skipped,
            Self::Discarded { .. } => StateKind::Discarded,
            Self::Joined { .. } => StateKind::Joined,
        }
    }

    /// When a worker should take it up, if it waits for a time. For one in flight that is the end of its lease: whoever
    /// sent it has not come back by then.
    pub const fn due_at(&self) -> Option<Timestamp> {
        match self {
            Self::Pending { due_at } | Self::Uncertain { due_at, .. } => Some(*due_at),
            Self::InFlight { lease_until } => Some(*lease_until),
            Self::Held(_)
            | Self::Delivered { .. }
            | Self::Skipped { .. }
            | Self::Discarded { .. }
            | Self::Joined { .. } => None,
        }
    }
}

/// What has been done for a delivery so far; it outlives the states.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Attempts claimed so far.
    #[serde(default)]
    pub attempts: u32,
    /// Tries in a row that ended in a retry; what the backoff grows by.
    #[serde(default)]
    pub retries: u32,
    /// When the first try of the present run of retries was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trying_since: Option<Timestamp>,
    /// Steps of a sequence operation that are finished; 0 for single requests.
    #[serde(default)]
    pub step: u16,
    /// What was claimed last, by its names in the connector, which may have changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// What the finished steps answered, by step name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub results: BTreeMap<String, Document>,
    /// Fingerprint of what was claimed last: the operation, its idempotency key, and what a look-up would ask for. A
    /// look-up by other values proves nothing about that attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// How repeating was safe when it was claimed last. The definition may say otherwise since, and what is under way goes
    /// by what it was sent under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_as: Option<RepeatKind>,
    /// Whether an attempt repeated by key has an unknown outcome behind it, so that the target may have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub maybe_sent: bool,
    /// Whether an attempt has an unknown outcome behind it that was harmless to repeat then. As long as repeating it stays
    /// so, that is of no account; when its definition says otherwise, the target may have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub maybe_done: bool,
    /// Whether it goes on with what was prepared for its last claim.
    #[serde(default, skip_serializing_if = "Content::is_open")]
    pub content: Content,
    /// How often a person had it posted again. Each time has an idempotency key and a reference of its own.
    #[serde(default, skip_serializing_if = "is_none")]
    pub again: u32,
    /// Since when look-ups fail, each after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_ups_fail_since: Option<Timestamp>,
    /// The group it is the delivery of, where it is made of several events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
}

/// Whether what was prepared for the last claim is what further steps, tries and look-ups are about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Nothing of it was carried out: it is prepared anew before it is claimed.
    #[default]
    Open,
    /// It is under way as it was prepared for this claim.
    Claimed,
    /// Something of it was carried out, or may have been: it goes on as it was prepared then.
    Fixed,
}

impl Content {
    /// Whether it is prepared anew.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

/// What a delivery of several events is known by. Its first event's delivery carries it; the others are
/// [`DeliveryState::Joined`] to that one, in the commits that accept them, and stay so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// What its events have in common.
    pub key: String,
    /// Which delivery of that key it is, counted from 1.
    pub number: u32,
    /// Whether further events may still join it. Nothing of it is prepared or sent before it is closed.
    pub open: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_none(again: &u32) -> bool {
    *again == 0
}

/// Which part of a write a claim is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The operation of the integration's sink.
    pub operation: String,
    /// The variant of it that was taken.
    pub variant: String,
    /// The step, where that is a sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
}

/// What a target calls the document it made: the names and values the operation's `receipt` declares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Receipt(pub BTreeMap<String, Document>);

/// Why a delivery waits for somebody, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// What kind of trouble it is; identical causes are grouped by class and `why`.
    pub class: Class,
    /// What happened, without personal data.
    pub why: String,
    /// The next step in plain words, often a command.
    pub help: String,
    /// Since when.
    pub since: Timestamp,
    /// What would release it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaits: Option<Awaited>,
    /// Whether the target may already have it. Sending it again then needs a person's decision.
    #[serde(default)]
    pub in_doubt: bool,
}

/// Something whose appearance releases a held delivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Awaited {
    /// An entry in a matching table.
    Crosswalk {
        /// Which table.
        table: CrosswalkId,
        /// The missing key.
        key: String,
    },
    /// A column of an entry in a matching table: the entry is there and does not have it.
    Column {
        /// Which table.
        table: CrosswalkId,
        /// The entry's key.
        key: String,
        /// The missing column.
        column: String,
    },
    /// Another delivery's end.
    Delivery {
        /// Which.
        delivery: DeliveryId,
    },
    /// A connection that the site does not have at present.
    Connection {
        /// Which.
        connection: ConnectionId,
    },
    /// An integration that the site does not run at present.
    Integration {
        /// Which, as the site names it.
        instance: InstanceId,
    },
    /// A later try, e.g. when an accounting period opens.
    Until {
        /// When to try again.
        due_at: Timestamp,
    },
}

impl Awaited {
    /// Whether a delivery that waits for this is to look again because that has appeared.
    pub fn is_met_by(&self, appeared: &Self) -> bool {
        let set = |own: &CrosswalkId, at: &String| matches!(appeared, Self::Crosswalk { table, key } if table == own && key == at);
        match self {
            Self::Column { table, key, .. } => self == appeared || set(table, key),
            Self::Crosswalk { .. }
            | Self::Delivery { .. }
            | Self::Connection { .. }
            | Self::Integration { .. }
            | Self::Until { .. } => self == appeared,
        }
    }
}

/// What kind of trouble a target's answer, or our own preparation, shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A value the target does not take.
    Value,
    /// Something the record refers to is not there: a customer, an account, a crosswalk entry.
    MissingMasterData,
    /// The target says that it has it already, in a way that cannot be adopted.
    Duplicate,
    /// The accounting period is closed or not open yet.
    Period,
    /// The record is locked by somebody.
    Lock,
    /// Our user may not do that.
    Permission,
    /// Our credentials are refused.
    Authentication,
    /// No seat, no licence, too many requests.
    Capacity,
    /// The system or the way to it fails for the moment.
    Intermittent,
    /// The integration or the connection is set up wrongly.
    Configuration,
    /// Nobody knows whether the target has it.
    InDoubt,
    /// Retried for as long as its policy allows.
    Exhausted,
}

impl Class {
    /// All, in the order the manual lists them.
    pub const ALL: [Self; 12] = [
        Self::Value,
        Self::MissingMasterData,
        Self::Duplicate,
        Self::Period,
        Self::Lock,
        Self::Permission,
        Self::Authentication,
        Self::Capacity,
        Self::Intermittent,
        Self::Configuration,
        Self::InDoubt,
        Self::Exhausted,
    ];

    /// The word used in definitions, output and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::MissingMasterData => "missing_master_data",
            Self::Duplicate => "duplicate",
            Self::Period => "period",
            Self::Lock => "lock",
            Self::Permission => "permission",
            Self::Authentication => "authentication",
            Self::Capacity => "capacity",
            Self::Intermittent => "intermittent",
            Self::Configuration => "configuration",
            Self::InDoubt => "in_doubt",
            Self::Exhausted => "exhausted",
        }
    }
}

/// What an answer of the target means. The list is closed: an answer nobody foresaw is [`Outcome::Unknown`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Done.
    Succeeded {
        /// What the target calls it.
        receipt: Receipt,
        /// What a step answered, where later steps need it. Not stored with the outcome: it is the raw answer; what later
        /// steps need stands in [`Progress::results`], and the audit keeps a masked capture.
        #[serde(skip)]
        result: Document,
    },
    /// Was done before, by us.
    AlreadyThere {
        /// What the target calls it.
        receipt: Receipt,
    },
    /// Certainly not done; may work later.
    Retry {
        /// The wait the target asked for.
        after: Option<Duration>,
        /// What kind of trouble.
        class: Class,
        /// What it said.
        why: String,
    },
    /// Certainly not done; the whole connection must slow down.
    Throttle {
        /// The wait the target asked for.
        after: Option<Duration>,
        /// What it said.
        why: String,
    },
    /// Certainly not done; the session or token is stale.
    Reauthenticate {
        /// What it said.
        why: String,
    },
    /// Certainly not done, and will not be as it stands.
    Rejected {
        /// What kind of trouble.
        class: Class,
        /// What it said.
        why: String,
        /// The next step in plain words.
        help: String,
    },
    /// May be done or not.
    Unknown {
        /// What happened.
        why: String,
    },
}

impl Outcome {
    /// The same, with what was said told otherwise.
    #[must_use]
    pub fn with_why(mut self, tell: impl FnOnce(&str) -> String) -> Self {
        match &mut self {
            Self::Retry { why, .. }
            | Self::Throttle { why, .. }
            | Self::Reauthenticate { why }
            | Self::Rejected { why, .. }
            | Self::Unknown { why } => *why = tell(why),
            Self::Succeeded { .. } | Self::AlreadyThere { .. } => {}
        }
        self
    }
}

/// What a look-up by our reference found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "look_up", rename_all = "snake_case")]
pub enum LookUp {
    /// It is there, and says the same as we would.
    Found {
        /// What the target calls it.
        receipt: Receipt,
    },
    /// It is there under our reference, but differs.
    Differs {
        /// Which fields differ.
        why: String,
    },
    /// It is not there.
    Absent,
    /// The look-up itself failed; nothing is known yet.
    Failed {
        /// What happened.
        why: String,
        /// The wait the target asked for.
        after: Option<Duration>,
    },
}

/// Something that went wrong before anything was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "trouble", rename_all = "snake_case")]
pub enum Trouble {
    /// May work later: a read failed, a system is away.
    Passing {
        /// What kind of trouble.
        class: Class,
        /// What happened.
        why: String,
        /// The wait the target asked for.
        after: Option<Duration>,
    },
    /// Needs somebody, or something that is missing.
    Lasting {
        /// What kind of trouble.
        class: Class,
        /// What happened.
        why: String,
        /// The next step in plain words.
        help: String,
        /// What would release it.
        awaits: Option<Awaited>,
    },
}

/// What a person decides about a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// Try again now; refused where the target may already have it, unless it is also said not to be posted.
    Retry,
    /// It stands in the target, as this.
    Posted {
        /// What the target calls it.
        receipt: Receipt,
    },
    /// It does not stand in the target: send it.
    NotPosted,
    /// It shall not be delivered.
    Discard,
    /// It was skipped or discarded without ever having been sent for good: take it up again.
    Reopen,
    /// It stands in the target, or may: post it a second time all the same.
    PostAgain,
}
