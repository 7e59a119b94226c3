//! One token of one connection: got by one task at a time, renewed before it expires.

use super::{Failure, jwt, oauth};
use crate::connection::Caller;
use crate::seams::Secret;
use crate::telemetry;
use jiff::Timestamp;
use ml_connector_core::plan::Auth;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
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
    current: Mutex<Option<Arc<Token>>>,
    state: AtomicU8,
}

impl TokenCell {
    /// The present token, or a new one if there is none or it is about to expire.
    pub(crate) async fn current(&self, caller: &Arc<Caller>) -> Result<Arc<Token>, Failure> {
        let mut current = self.current.lock().await;
        let now = caller.now();
        if let Some(token) = current.as_ref()
            && token.renew_at.is_none_or(|renew_at| now < renew_at)
        {
            return Ok(Arc::clone(token));
        }
        let token = match &caller.plan.connector.http.auth {
            Auth::OauthClient(oauth) => oauth::client_credentials(caller, oauth).await?,
            Auth::OauthRefresh(oauth) => oauth::refresh(caller, oauth).await?,
            Auth::Jwt(jwt) => jwt::sign(caller, jwt)?,
            Auth::None
            | Auth::Bearer { .. }
            | Auth::Basic { .. }
            | Auth::ApiKey { .. }
            | Auth::Session { .. } => return Err(Failure::Stopping),
        };
        self.state.store(1, Ordering::Relaxed);
        *current = Some(Arc::clone(&token));
        Ok(token)
    }

    /// Drops a stale token, if it is still the present one. Says whether it was.
    pub(crate) async fn stale(&self, token: &Token) -> bool {
        let mut current = self.current.lock().await;
        let first = current.as_ref().is_some_and(|present| present.is(token));
        if first {
            *current = None;
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

/// When to renew a token that expires at `expires_at`: `before` it, but not in its first half, so
/// that a short-lived token is used at all.
pub(crate) fn renew_at(now: Timestamp, lifetime: Duration, before: Duration) -> Timestamp {
    crate::context::later(now, lifetime.saturating_sub(before).max(lifetime / 2))
}
