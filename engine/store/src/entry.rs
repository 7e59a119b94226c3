//! What a journal record says: the typed content of the frames.
//!
//! An entry is written once and folded into the index twice: when it is committed, and whenever the index is rebuilt. It
//! therefore carries everything the fold needs, so that folding never reads the journal. What only people and auditors
//! read (the event, the exchange, who and why) is skipped when an entry is read back for folding.
//!
//! Unknown members are ignored and new ones must have a default, so that an older journal stays readable.

use crate::journal::frame::Frame;
use crate::model::{CrosswalkEntry, Delivery, Exchange, Note, Origin, Pausable, Print};
use jiff::Timestamp;
use ml_connector_core::delivery::{DeliveryState, Event, Group, Progress};
use ml_connector_core::identity::{
    ConnectionId, DedupKey, DeliveryId, InstanceId, MessageId, OrderKey, StreamId,
};
use serde::{Deserialize, Serialize};

/// The number in the frame header, and the word in the audit trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Intake = 1,
    Event = 2,
    Transition = 3,
    Crosswalk = 4,
    Note = 5,
    Pause = 6,
    Kept = 7,
}

impl Kind {
    pub(crate) const fn of(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Intake),
            2 => Some(Self::Event),
            3 => Some(Self::Transition),
            4 => Some(Self::Crosswalk),
            5 => Some(Self::Note),
            6 => Some(Self::Pause),
            7 => Some(Self::Kept),
            _ => None,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Event => "event",
            Self::Transition => "transition",
            Self::Crosswalk => "crosswalk",
            Self::Note => "note",
            Self::Pause => "pause",
            Self::Kept => "kept",
        }
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    Intake(IntakeEntry),
    Event(EventEntry),
    Transition(Box<TransitionEntry>),
    Crosswalk(CrosswalkChange),
    Note(Note),
    Pause(PauseEntry),
    Kept(KeptEntry),
}

/// A webhook or a page of a poll was taken in; its events follow as records of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct IntakeEntry {
    pub(crate) connection: ConnectionId,
    pub(crate) stream: StreamId,
    #[serde(flatten)]
    pub(crate) origin: Origin,
    /// Hash of the plan that routed them, hex.
    pub(crate) plan: String,
    pub(crate) messages: u32,
    pub(crate) duplicates: u32,
    pub(crate) deliveries: u32,
    pub(crate) deduplicated: u32,
    /// Deliveries that were not made because their dedup key was known, by instance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) known: Vec<(InstanceId, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cursor: Option<CursorEntry>,
    /// What a poll knows of its items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prints: Option<(StreamId, Vec<Print>)>,
}

/// A poll's cursor moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CursorEntry {
    pub(crate) poll: StreamId,
    pub(crate) value: String,
}

/// An event that was new, with the deliveries made of it. Its raw bytes are the frame's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventEntry {
    pub(crate) event_id: String,
    pub(crate) connection: ConnectionId,
    pub(crate) stream: StreamId,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) deliveries: Vec<Made>,
}

/// A delivery that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) id: DeliveryId,
    pub(crate) instance: InstanceId,
    pub(crate) lane: ConnectionId,
    pub(crate) dedup_key: DedupKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) order_key: Option<OrderKey>,
    pub(crate) state: DeliveryState,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unrouted: bool,
    /// The group it joined or began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<MadeGroup>,
}

/// The group of events that a delivery joined or, where its state is not joined, began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MadeGroup {
    pub(crate) key: String,
    pub(crate) number: u32,
    #[serde(default)]
    pub(crate) weight: u64,
}

impl Made {
    /// The delivery as it stood then.
    pub(crate) fn delivery(&self, event_id: &str, message: MessageId, at: Timestamp) -> Delivery {
        Delivery {
            id: self.id,
            message,
            event_id: event_id.to_owned(),
            instance: self.instance.clone(),
            lane: self.lane.clone(),
            dedup_key: self.dedup_key.clone(),
            order_key: self.order_key.clone(),
            unrouted: self.unrouted,
            reference: None,
            kept: None,
            created_at: at,
            changed_at: at,
            revision: 0,
            state: self.state.clone(),
            progress: Progress {
                group: self.began(),
                ..Progress::default()
            },
        }
    }

    /// The group that it began.
    fn began(&self) -> Option<Group> {
        let group = self.group.as_ref()?;
        let joined = matches!(self.state, DeliveryState::Joined { .. });
        (!joined).then(|| Group {
            key: group.key.clone(),
            number: group.number,
            open: true,
        })
    }
}

/// A delivery changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TransitionEntry {
    /// As it stands afterwards.
    pub(crate) delivery: Delivery,
    /// Position of the record before of this delivery, so that its history needs no index.
    pub(crate) before: u64,
    /// Whether the reference was not known before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) new_reference: bool,
    /// The dedup key that stood in until now, where the delivery got its own keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stood_in: Option<DedupKey>,
    /// Crosswalk entries set with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) remember: Vec<CrosswalkEntry>,
    /// What happened.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<Event>,
    /// What was said on the wire.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(crate) exchange: Option<Exchange>,
    /// Who decided, when a person did.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<String>,
    /// Hash of the plan that decided, hex.
    #[serde(skip_deserializing, skip_serializing_if = "String::is_empty")]
    pub(crate) plan: String,
}

/// What was prepared for a delivery's claim, which follows in the same write. Its content is the frame's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptEntry {
    pub(crate) delivery: DeliveryId,
}

/// A person stopped something, or let it go on. The frame says when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PauseEntry {
    /// What the audit trail calls it.
    pub(crate) kind: PauseKind,
    #[serde(flatten)]
    pub(crate) what: Pausable,
    pub(crate) actor: String,
    pub(crate) reason: String,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PauseKind {
    Paused,
    Resumed,
}

/// Entries of matching tables were set or removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CrosswalkChange {
    pub(crate) entries: Vec<CrosswalkEntry>,
    pub(crate) actor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

impl Entry {
    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Intake(_) => Kind::Intake,
            Self::Event(_) => Kind::Event,
            Self::Transition(_) => Kind::Transition,
            Self::Crosswalk(_) => Kind::Crosswalk,
            Self::Note(_) => Kind::Note,
            Self::Pause(_) => Kind::Pause,
            Self::Kept(_) => Kind::Kept,
        }
    }

    /// Writes its JSON.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        match self {
            Self::Intake(entry) => serde_json::to_writer(out, entry),
            Self::Event(entry) => serde_json::to_writer(out, entry),
            Self::Transition(entry) => serde_json::to_writer(out, entry),
            Self::Crosswalk(entry) => serde_json::to_writer(out, entry),
            Self::Note(entry) => serde_json::to_writer(out, entry),
            Self::Pause(entry) => serde_json::to_writer(out, entry),
            Self::Kept(entry) => serde_json::to_writer(out, entry),
        }
    }

    /// Reads an entry back.
    ///
    /// # Errors
    /// A few words, if the kind is unknown or the JSON is not of its shape.
    pub(crate) fn read(kind: u8, meta: &[u8]) -> Result<Self, String> {
        let Some(kind) = Kind::of(kind) else {
            return Err(format!(
                "records of kind {kind} are not known to this version"
            ));
        };
        let read = match kind {
            Kind::Intake => serde_json::from_slice(meta).map(Self::Intake),
            Kind::Event => serde_json::from_slice(meta).map(Self::Event),
            Kind::Transition => serde_json::from_slice(meta).map(Self::Transition),
            Kind::Crosswalk => serde_json::from_slice(meta).map(Self::Crosswalk),
            Kind::Note => serde_json::from_slice(meta).map(Self::Note),
            Kind::Pause => serde_json::from_slice(meta).map(Self::Pause),
            Kind::Kept => serde_json::from_slice(meta).map(Self::Kept),
        };
        read.map_err(|error| format!("the {} record cannot be read: {error}", kind.as_str()))
    }

    /// Reads the entry of a frame.
    ///
    /// # Errors
    /// As [`Entry::read`].
    pub(crate) fn of(frame: &Frame<'_>) -> Result<Self, String> {
        Self::read(frame.header.kind, frame.meta)
    }
}

/// The journal's resolution of time is a microsecond: what is stored and what is given back must be the same.
pub(crate) fn to_the_microsecond(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}
