//! Credentials whose refusal must not be repeated, such as a password that locks its account.
//!
//! Until one call has shown that the other side takes the values, calls go one at a time; whoever
//! waited for one that was refused takes the refusal over. So a wrong password is tried once, not
//! once per call that the connection may have under way.

use super::refusals::Refusals;
use super::{Failure, Resolved};
use crate::connection::Caller;
use ml_connector_core::delivery::Class;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// What is known about the present values.
#[derive(Debug)]
pub(crate) struct Proving {
    /// One call at a time while nothing is proven.
    alone: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    refusals: Refusals,
    /// The values that the other side has taken.
    proven: Option<Arc<Resolved>>,
}

/// Leave to use values that are not proven; given back on drop.
#[derive(Debug)]
pub(crate) struct Trial {
    proving: Arc<Proving>,
    secrets: Arc<Resolved>,
    _alone: OwnedSemaphorePermit,
}

impl Trial {
    /// The other side has taken the values.
    pub(super) fn proven(&self) {
        let mut state = self.proving.held();
        state.proven = Some(Arc::clone(&self.secrets));
        state.refusals.forget();
    }
}

impl Proving {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            alone: Arc::new(Semaphore::new(1)),
            state: Mutex::default(),
        })
    }

    /// Leave to use the values: at once if they are proven, alone otherwise.
    pub(super) async fn enter(
        self: &Arc<Self>,
        caller: &Caller,
        secrets: &Arc<Resolved>,
        stopping: &CancellationToken,
    ) -> Result<Option<Trial>, Failure> {
        let failures = {
            let state = self.held();
            if state.knows(secrets) {
                return Ok(None);
            }
            state.refusals.count()
        };
        let alone = tokio::select! {
            biased;
            () = stopping.cancelled() => return Err(Failure::Stopping),
            alone = Arc::clone(&self.alone).acquire_owned() => alone.map_err(|_| Failure::Stopping)?,
        };
        let state = self.held();
        if state.knows(secrets) {
            return Ok(None);
        }
        let refused = state.refusals.since(failures);
        if let Some(failure) = refused.or_else(|| state.refusals.stands(secrets, caller.now())) {
            return Err(failure);
        }
        drop(state);
        Ok(Some(Trial {
            proving: Arc::clone(self),
            secrets: Arc::clone(secrets),
            _alone: alone,
        }))
    }

    /// The other side refuses the values.
    pub(super) fn refused(&self, caller: &Caller, why: &str) {
        let mut state = self.held();
        state.proven = None;
        let failure = Failure::Refused {
            class: Class::Authentication,
            why: why.to_owned(),
            help: CORRECT.to_owned(),
        };
        let rules = &caller.plan.connector.http.circuit;
        let secrets = caller.secrets.resolve();
        state
            .refusals
            .failed(&failure, &secrets, rules, caller.now());
    }

    /// A person says that they may be tried again.
    pub(super) fn forgive(&self) {
        self.held().refusals.forget();
    }

    fn held(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a person does about refused values.
pub(crate) const CORRECT: &str = "correct the credentials in the vault";

impl State {
    fn knows(&self, secrets: &Resolved) -> bool {
        self.proven
            .as_ref()
            .is_some_and(|proven| proven.same_as(secrets))
    }
}
