//! One token of one connection: got by one task at a time, renewed before it expires.

use super::refusals::Refusals;
use super::{Failure, jwt, oauth};
use crate::connection::Caller;
use crate::seams::Secret;
use crate::telemetry;
use jiff::Timestamp;
use ml_connector_core::plan::Auth;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A session or bearer token. Tokens are told apart by number, never by value.
pub(crate) struct Token {
    number: u64,
    value: Arc<Secret>,
    /// Renewed from this time on.
    renew_at: Option<Timestamp>,
    proven: AtomicBool,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Token {
    pub(crate) fn new(value: String, renew_at: Option<Timestamp>) -> Arc<Self> {
        let value = Arc::new(Secret::new(value));
        telemetry::keep_out_of_logs(&value);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self {
            number,
            value,
            renew_at,
            proven: AtomicBool::new(false),
        })
    }

    pub(crate) fn value(&self) -> &str {
        self.value.expose()
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        self.number == other.number
    }

    /// Whether it need not be renewed yet.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        self.renew_at.is_none_or(|renew_at| now < renew_at)
    }

    /// A call with it went through.
    pub(crate) fn prove(&self) {
        self.proven.store(true, Ordering::Relaxed);
    }

    /// Whether any call with it went through.
    pub(crate) fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }
}

/// The present token. Its lock is held while a new one is asked for, so that only one task asks.
#[derive(Debug, Default)]
pub(crate) struct TokenCell {
    current: Mutex<Present>,
    /// Tries to get one that failed; locked for a moment only.
    refusals: std::sync::Mutex<Refusals>,
    state: AtomicU8,
}

#[derive(Debug, Default)]
struct Present {
    token: Option<Arc<Token>>,
    /// What was granted and is not stored yet.
    unkept: Option<oauth::Unkept>,
}

impl TokenCell {
    /// The present token, or a new one if there is none or it is about to expire.
    /// Whoever waited for a try that failed takes its failure over.
    pub(crate) async fn current(&self, caller: &Arc<Caller>) -> Result<Arc<Token>, Failure> {
        let failures = self.refusals().count();
        let mut current = self.current.lock().await;
        let now = caller.now();
        if let Some(token) = current.token.as_ref()
            && token.is_fresh(now)
        {
            return Ok(Arc::clone(token));
        }
        let secrets = caller.secrets.resolve();
        {
            let refusals = self.refusals();
            let refused = refusals.since(failures);
            if let Some(failure) = refused.or_else(|| refusals.stands(&secrets, now)) {
                return Err(failure);
            }
        }
        let rules = &caller.plan.connector.http.circuit;
        let asked = ask(caller, &mut current.unkept).await;
        let token = asked.inspect_err(|failure| {
            self.refusals()
                .failed(failure, &secrets, rules, caller.now());
        })?;
        self.refusals().forget();
        self.state.store(1, Ordering::Relaxed);
        current.token = Some(Arc::clone(&token));
        Ok(token)
    }

    /// A person says that what was refused may be asked again.
    pub(crate) fn forgive(&self) {
        self.refusals().forget();
    }

    fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops a stale token, if it is still the present one. Says whether it was.
    pub(crate) async fn stale(&self, token: &Token) -> bool {
        let mut current = self.current.lock().await;
        let present = current.token.as_ref();
        let first = present.is_some_and(|present| present.is(token));
        if first {
            current.token = None;
            self.state.store(0, Ordering::Relaxed);
        }
        first
    }

    pub(crate) fn view(&self) -> String {
        if self.state.load(Ordering::Relaxed) == 1 {
            "token"
        } else {
            "no token"
        }
        .to_owned()
    }
}

async fn ask(
    caller: &Arc<Caller>,
    unkept: &mut Option<oauth::Unkept>,
) -> Result<Arc<Token>, Failure> {
    match caller.auth() {
        Auth::OauthClient(oauth) => oauth::client_credentials(caller, oauth).await,
        Auth::OauthRefresh(oauth) => oauth::refresh(caller, oauth, unkept).await,
        Auth::Jwt(jwt) => jwt::sign(caller, jwt),
        Auth::None
        | Auth::Bearer { .. }
        | Auth::Basic { .. }
        | Auth::ApiKey { .. }
        | Auth::Choice(_)
        | Auth::Session { .. } => Err(Failure::Stopping),
    }
}

/// When to renew a token that expires at `expires_at`: `before` it, but not in its first half, so
/// that a short-lived token is used at all.
pub(crate) fn renew_at(now: Timestamp, lifetime: Duration, before: Duration) -> Timestamp {
    crate::context::later(now, lifetime.saturating_sub(before).max(lifetime / 2))
}
