//! How a write may be repeated, and whether what was sent may be sent again.

use super::Progress;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a write may be repeated. Every write operation declares one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "repeat", rename_all = "snake_case")]
pub enum RepeatSafety {
    /// The target refuses or adopts a second request with the same key.
    IdempotencyKey,
    /// The target can be asked for our reference.
    LookUp {
        /// How long the target may go on working on a request whose answer was lost.
        settle: Duration,
        /// How many look-ups in a row, each a settle time apart, prove that it is not there.
        absences: u32,
        /// After this long without a result a person decides.
        give_up_after: Duration,
    },
    /// A second time changes nothing.
    Natural,
    /// A second time does it twice: a person decides.
    None,
}

/// The kinds of [`RepeatSafety`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepeatKind {
    /// See [`RepeatSafety::IdempotencyKey`].
    IdempotencyKey,
    /// See [`RepeatSafety::LookUp`].
    LookUp,
    /// See [`RepeatSafety::Natural`].
    Natural,
    /// See [`RepeatSafety::None`].
    None,
}

impl RepeatSafety {
    /// Its kind.
    pub const fn kind(&self) -> RepeatKind {
        match self {
            Self::IdempotencyKey => RepeatKind::IdempotencyKey,
            Self::LookUp { .. } => RepeatKind::LookUp,
            Self::Natural => RepeatKind::Natural,
            Self::None => RepeatKind::None,
        }
    }
}

impl Progress {
    /// Whether it may be sent as it stands, under what the definition says of repeating it now: what the target may have
    /// already, only if both how it was sent and how it would be sent now make that safe.
    pub const fn is_repeatable(&self, repeat: RepeatSafety) -> bool {
        match repeat {
            // An attempt with a key was not harmless by itself.
            RepeatSafety::Natural => !self.maybe_sent,
            // An attempt that was harmless by itself had no key by which the target would know it.
            RepeatSafety::IdempotencyKey => !self.maybe_done,
            RepeatSafety::LookUp { .. } | RepeatSafety::None => {
                !self.maybe_sent && !self.maybe_done
            }
        }
    }
}
