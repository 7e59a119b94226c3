//! What authenticates a connection's requests, kept fresh by one task at a time.
//!
//! | kind | what is kept | renewed |
//! |---|---|---|
//! | none, bearer, basic, API key | the vault's values | when the vault changes |
//! | session | a token, one per scope over all connections | when a call says that it is stale |
//! | OAuth2, signed JWT | a token per connection | before it expires, and when it is stale |

mod jwt;
pub(crate) mod oauth;
mod proving;
mod refusals;
mod secrets;
mod session;
mod token;

pub(crate) use proving::CORRECT;
pub(crate) use secrets::{Resolved, SecretTable};
pub(crate) use session::{Lease, Sessions};
pub(crate) use token::Token;

use crate::connection::Caller;
use ml_connector_core::delivery::Class;
use ml_connector_core::plan::Auth;
use ml_connector_core::protocol::Credentials;
use ml_connector_core::template::{EvalError, Scope};
use serde_json::{Map, Value as Document};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Why there are no credentials now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The other side refuses ours, or there are none: nothing more is tried until somebody acts or
    /// a long time has passed.
    Refused {
        class: Class,
        why: String,
        help: String,
    },
    /// May work later.
    Passing {
        class: Class,
        why: String,
        after: Option<Duration>,
    },
    /// The failure of another call, which this one waited for. It is marked where it happened.
    Shared(Box<Failure>),
    /// The engine stops.
    Stopping,
}

impl Failure {
    /// What failed, wherever it happened.
    pub(crate) fn itself(self) -> Self {
        match self {
            Self::Shared(failure) => failure.itself(),
            other @ (Self::Refused { .. } | Self::Passing { .. } | Self::Stopping) => other,
        }
    }
}

/// How one connection's requests are authenticated.
#[derive(Debug)]
pub(crate) enum Authenticator {
    /// By the vault's values alone; the codec puts them in.
    Static,
    /// The same, where a refusal must not be repeated.
    Proven(Arc<proving::Proving>),
    /// By a session.
    Session(session::SessionAuth),
    /// By a token asked for with OAuth2, or signed by us.
    Token(Box<token::TokenCell>),
}

/// Credentials for one call. Dropping them gives a session's use back.
#[derive(Debug)]
pub(crate) struct Ready {
    secrets: Arc<Resolved>,
    bearer: Option<Arc<Token>>,
    lease: Option<Lease>,
    trial: Option<proving::Trial>,
}

impl Credentials for Ready {
    fn secret(&self, name: &str) -> Option<&str> {
        self.secrets.first(name)
    }
    fn session(&self) -> Option<&str> {
        self.lease.as_ref().map(|lease| lease.token().value())
    }
    fn bearer(&self) -> Option<&str> {
        self.bearer.as_ref().map(|token| token.value())
    }
}

impl Authenticator {
    /// Evaluates what depends on the settings only.
    pub(crate) fn new(caller: &Caller, sessions: &Sessions) -> Result<Self, EvalError> {
        Ok(match caller.auth() {
            Auth::Basic {
                stop_after_refusal: true,
                ..
            } => Self::Proven(proving::Proving::new()),
            // A choice is never made of choices.
            Auth::None
            | Auth::Bearer { .. }
            | Auth::Basic { .. }
            | Auth::ApiKey { .. }
            | Auth::Choice(_) => Self::Static,
            Auth::Session {
                scope, idle_max, ..
            } => Self::Session(session::SessionAuth::new(
                caller, sessions, scope, idle_max,
            )?),
            Auth::OauthClient(_) | Auth::OauthRefresh(_) | Auth::Jwt(_) => {
                Self::Token(Box::default())
            }
        })
    }

    /// Credentials for a call; logs on or asks for a token if there is none.
    pub(crate) async fn ready(
        &self,
        caller: &Arc<Caller>,
        stopping: &CancellationToken,
    ) -> Result<Ready, Failure> {
        let secrets = caller.secrets.resolve();
        let (mut bearer, mut lease, mut trial) = (None, None, None);
        match self {
            Self::Static => {}
            Self::Proven(proving) => trial = proving.enter(caller, &secrets, stopping).await?,
            Self::Session(session) => lease = Some(session.enter(caller, stopping).await?),
            Self::Token(cell) => bearer = Some(cell.current(caller).await?),
        }
        Ok(Ready {
            secrets,
            bearer,
            lease,
            trial,
        })
    }

    /// The other side refuses our credentials.
    pub(crate) fn refused(&self, caller: &Caller, why: &str) {
        match self {
            Self::Proven(proving) => proving.refused(caller, why),
            Self::Static | Self::Session(_) | Self::Token(_) => {}
        }
    }

    /// A person says that what was refused may be tried again.
    pub(crate) fn forgive(&self) {
        match self {
            Self::Session(session) => session.forgive(),
            Self::Proven(proving) => proving.forgive(),
            Self::Token(cell) => cell.forgive(),
            Self::Static => {}
        }
    }

    /// Credentials without a session or token, for anonymous calls.
    pub(crate) fn anonymous(caller: &Caller) -> Ready {
        Ready {
            secrets: caller.secrets.resolve(),
            bearer: None,
            lease: None,
            trial: None,
        }
    }

    /// A call says that its token is stale. Whoever comes first drops it; a newer token stays.
    /// Says, once per token, whether it never served a single call: then renewing it again at once
    /// would not help.
    pub(crate) async fn stale(&self, ready: &Ready) -> bool {
        match self {
            Self::Static | Self::Proven(_) => true,
            Self::Session(session) => match &ready.lease {
                Some(lease) => session.stale(lease.token()) && !lease.token().is_proven(),
                None => false,
            },
            Self::Token(cell) => match &ready.bearer {
                Some(token) => cell.stale(token).await && !token.is_proven(),
                None => false,
            },
        }
    }

    /// The session's state in a word, for the status.
    pub(crate) fn view(&self) -> Option<String> {
        match self {
            Self::Static | Self::Proven(_) => None,
            Self::Session(session) => Some(session.view()),
            Self::Token(cell) => Some(cell.view()),
        }
    }
}

impl Ready {
    /// A call with these credentials went through.
    pub(crate) fn proven(&self) {
        if let Some(trial) = &self.trial {
            trial.proven();
        }
        if let Some(token) = self
            .lease
            .as_ref()
            .map(Lease::token)
            .or(self.bearer.as_ref())
        {
            token.prove();
        }
    }
}

/// A scope with `settings` and `secrets`, for the templates of token requests.
pub(crate) fn scope_with_secrets(caller: &Caller) -> Scope<'_> {
    let resolved = caller.secrets.resolve();
    let secrets: Map<String, Document> = resolved
        .firsts()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    Scope::new()
        .with("settings", &caller.plan.settings)
        .with_owned("secrets", Document::Object(secrets))
}

/// A template of the connection that has no value. It shows the expression, never a value.
pub(crate) fn misconfigured(error: &EvalError) -> Failure {
    Failure::Refused {
        class: Class::Configuration,
        why: format!("cannot authenticate: {error}"),
        help: "set the missing secrets or correct the connection's settings".to_owned(),
    }
}
