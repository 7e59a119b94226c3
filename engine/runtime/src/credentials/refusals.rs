//! What keeps a refusal from being repeated: by the calls that waited for it, and by those that
//! come soon after.
//!
//! A password tried once more by every waiting call locks its account. So a failed try is the
//! failure of everybody who waited for it, and what was refused is not sent again with the same
//! values until a wait is over or a person acts.

use super::{Failure, Resolved};
use crate::connection::wait_when_open;
use crate::context::later;
use jiff::Timestamp;
use ml_connector_core::plan::Circuit;
use std::sync::Arc;

/// The failed tries of one user, and the refusal that stands.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// Failures so far.
    count: u64,
    last: Option<Failure>,
    standing: Option<Standing>,
}

#[derive(Debug)]
struct Standing {
    failure: Failure,
    /// What was refused.
    secrets: Arc<Resolved>,
    until: Timestamp,
    /// Refusals in a row; what the wait grows by.
    times: u32,
}

impl Refusals {
    /// How many tries have failed so far: what a call notes before it waits for one.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The failure of the try that a call waited for, if it has failed.
    pub(super) fn since(&self, count: u64) -> Option<Failure> {
        self.last
            .as_ref()
            .filter(|_| self.count > count)
            .map(shared)
    }

    /// The refusal that these values would only repeat.
    pub(super) fn stands(&self, secrets: &Resolved, now: Timestamp) -> Option<Failure> {
        self.standing
            .as_ref()
            .filter(|standing| now < standing.until && standing.secrets.same_as(secrets))
            .map(|standing| shared(&standing.failure))
    }

    /// A try with these values has failed.
    pub(super) fn failed(
        &mut self,
        failure: &Failure,
        secrets: &Arc<Resolved>,
        rules: &Circuit,
        now: Timestamp,
    ) {
        self.count += 1;
        self.last = Some(failure.clone());
        if let Failure::Refused { class, .. } = failure {
            let times = self.standing.as_ref().map_or(0, |known| known.times);
            self.standing = Some(Standing {
                failure: failure.clone(),
                secrets: Arc::clone(secrets),
                until: later(now, wait_when_open(*class, rules, times)),
                times: times.saturating_add(1),
            });
        }
    }

    /// A try went well, or a person says that it may be tried again.
    pub(super) fn forget(&mut self) {
        self.standing = None;
    }
}

fn shared(failure: &Failure) -> Failure {
    Failure::Shared(Box::new(failure.clone()))
}
