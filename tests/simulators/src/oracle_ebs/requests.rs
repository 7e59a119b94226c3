//! Concurrent requests: phases and status letters (EB 5.6).

use super::faults::Fault;
use super::lockbox::Arguments;
use jiff::Timestamp;

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Waits for a manager.
    Pending,
    /// Runs, has not validated yet.
    Running {
        /// Since when.
        since: Timestamp,
    },
    /// Runs, has validated, has not posted yet.
    Validated {
        /// Running since when.
        since: Timestamp,
    },
    /// Finished with this status letter.
    Completed(char),
}

/// A concurrent request.
#[derive(Debug, Clone)]
pub struct Request {
    /// REQUEST_ID.
    pub id: u64,
    /// When it was submitted.
    pub submitted: Timestamp,
    /// Where it is.
    pub phase: Phase,
    /// Completion text.
    pub text: String,
    pub(super) arguments: Arguments,
    pub(super) fate: Option<Fault>,
    pub(super) rejected: usize,
    pub(super) unmanaged: bool,
}

impl Request {
    pub(super) fn new(id: u64, arguments: Arguments, submitted: Timestamp) -> Self {
        Self {
            id,
            submitted,
            phase: Phase::Pending,
            text: String::new(),
            arguments,
            fate: None,
            rejected: 0,
            unmanaged: false,
        }
    }

    pub(super) fn finish(&mut self, letter: char, text: &str) {
        self.phase = Phase::Completed(letter);
        text.clone_into(&mut self.text);
    }

    /// Whether it will not move by itself.
    pub(super) fn stuck(&self) -> bool {
        matches!(self.fate, Some(Fault::Standby | Fault::NoManager))
    }

    /// PHASE_CODE and STATUS_CODE. The letters mean different things in the two columns.
    pub fn codes(&self) -> (&'static str, String) {
        match (self.phase, &self.fate) {
            (Phase::Completed(letter), _) => ("C", letter.to_string()),
            (Phase::Running { .. } | Phase::Validated { .. }, _) => ("R", "R".to_owned()),
            (Phase::Pending, Some(Fault::Standby)) => ("P", "Q".to_owned()),
            (Phase::Pending, Some(Fault::NoManager)) => ("I", "M".to_owned()),
            (Phase::Pending, _) if self.unmanaged => ("I", "M".to_owned()),
            (Phase::Pending, _) => ("P", "I".to_owned()),
        }
    }

    /// DEV_PHASE and DEV_STATUS: COMPLETE, not COMPLETED.
    pub fn words(&self) -> (&'static str, &'static str) {
        let (phase, letter) = self.codes();
        let phase = match phase {
            "C" => "COMPLETE",
            "R" => "RUNNING",
            "I" => "INACTIVE",
            _ => "PENDING",
        };
        let status = match letter.as_str() {
            "Q" => "STANDBY",
            "M" => "NO_MANAGER",
            "E" => "ERROR",
            "G" => "WARNING",
            "X" => "TERMINATED",
            "D" => "CANCELLED",
            _ => "NORMAL",
        };
        (phase, status)
    }
}
