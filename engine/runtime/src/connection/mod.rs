//! A connection at run time: everything that is asked of its system goes through its [`Link`].
//!
//! In this order, for every call: the circuit must admit it, a permit bounds how many are under
//! way, the budget paces it, credentials are made ready (a log-on, if need be), the request is sent
//! once, and what came back is marked against the circuit. Whatever fails before sending costs a
//! delivery no attempt.

mod budget;
mod caller;
mod circuit;
mod guard;
mod keep;
mod read;

pub(crate) use caller::{Caller, NOTHING};
pub(crate) use circuit::wait_when_open;
pub use circuit::{Cause, CircuitView, Pause};
pub(crate) use read::{Asked, Page, Read};

use crate::context::Context;
use crate::credentials::{Authenticator, CORRECT, Failure, Ready, Sessions};
use circuit::{Admission, Circuit};
use jiff::Timestamp;
use ml_connector_core::delivery::{Class, Outcome, Trouble};
use ml_connector_core::http::{HttpRequest, SendError};
use ml_connector_core::identity::ConnectionId;
use ml_connector_core::plan::{Auth, Connection};
use ml_connector_core::protocol::{self, Answer, Call, EncodeError};
use ml_connector_core::template::{EvalError, Scope};
use ml_connector_store::Changes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// No connection has more requests under way than this, whatever its connector says.
const CONCURRENCY_MAX: usize = 256;

/// The links of an engine.
#[derive(Debug)]
pub(crate) struct Links {
    links: BTreeMap<ConnectionId, Arc<Link>>,
    pub(crate) sessions: Sessions,
}

/// A connection that cannot be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("connection `{connection}`: {why}")]
pub struct Unusable {
    /// Which.
    pub connection: ConnectionId,
    /// Why.
    pub why: String,
}

impl Links {
    pub(crate) fn new(context: &Context) -> Result<Self, Unusable> {
        let sessions = Sessions::default();
        let mut links = BTreeMap::new();
        for (id, plan) in &context.plan.connections {
            let caller = Caller::new(
                Arc::clone(plan),
                context.seams.clone(),
                Arc::clone(&context.counters),
            );
            let stops = (context.stopping.clone(), context.halted.clone());
            let link = Link::new(caller, &sessions, stops).map_err(|error| Unusable {
                connection: id.clone(),
                why: error.to_string(),
            })?;
            links.insert(id.clone(), Arc::new(link));
        }
        Ok(Self { links, sessions })
    }

    /// Goes on where the same connections stood under the plan before: who was paused stays paused,
    /// and a reload is no reason to send refused credentials once more.
    pub(crate) fn go_on_from(&self, before: &Self, now: Timestamp) {
        for (id, link) in &self.links {
            if let Some(old) = before.links.get(id) {
                link.circuit.go_on_from(&old.circuit, now);
            }
        }
        self.sessions.go_on_from(&before.sessions);
    }

    pub(crate) fn get(&self, id: &ConnectionId) -> Option<&Arc<Link>> {
        self.links.get(id)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Link>> {
        self.links.values()
    }
}

/// One connection's gate and way out.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) caller: Arc<Caller>,
    concurrency: usize,
    permits: Arc<Semaphore>,
    circuit: Arc<Circuit>,
    auth: Authenticator,
    /// Nothing new is begun.
    stopping: CancellationToken,
    /// The grace time of a stop is over: nobody waits for an answer any more.
    halted: CancellationToken,
}

/// Why a call cannot be made now. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotNow {
    /// The circuit is open, the connection is paused, or the engine stops: whatever waits, waits
    /// with the connection.
    Closed,
    /// This one try failed.
    Trouble(Trouble),
}

/// Leave and means to make one call. Everything is given back on drop.
#[derive(Debug)]
pub(crate) struct Turn {
    link: Arc<Link>,
    ready: Ready,
    _permit: OwnedSemaphorePermit,
    _admission: Admission,
}

impl Link {
    pub(crate) fn new(
        caller: Caller,
        sessions: &Sessions,
        (stopping, halted): (CancellationToken, CancellationToken),
    ) -> Result<Self, EvalError> {
        let http = &caller.plan.connector.http;
        let scope = Scope::new().with("settings", &caller.plan.settings);
        let wanted = http.concurrency.value(&scope)?;
        let wanted = wanted
            .as_u64()
            .and_then(|number| usize::try_from(number).ok());
        let concurrency = wanted.unwrap_or(1).clamp(1, CONCURRENCY_MAX);
        let circuit = Circuit::new(http.circuit);
        let auth = Authenticator::new(&caller, sessions)?;
        Ok(Self {
            caller: Arc::new(caller),
            concurrency,
            permits: Arc::new(Semaphore::new(concurrency)),
            circuit,
            auth,
            stopping,
            halted,
        })
    }

    pub(crate) fn id(&self) -> &ConnectionId {
        &self.caller.plan.id
    }

    pub(crate) fn plan(&self) -> &Arc<Connection> {
        &self.caller.plan
    }

    pub(crate) fn concurrency(&self) -> usize {
        self.concurrency
    }

    pub(crate) fn circuit(&self) -> &Arc<Circuit> {
        &self.circuit
    }

    /// Whether calls are let through at the moment.
    pub(crate) fn admits(&self) -> bool {
        self.circuit.admits()
    }

    /// Changes whenever [`Link::admits`] may have changed.
    pub(crate) fn changes(&self) -> Changes {
        self.circuit.changes()
    }

    /// The session's or token's state in words, where there is one.
    pub(crate) fn session_view(&self) -> Option<String> {
        self.auth.view()
    }

    /// The request budget in words, where there is one.
    pub(crate) fn rate_view(&self) -> Option<String> {
        self.caller.budget.view(self.caller.now())
    }

    /// Waits for leave to make one call of an operation.
    pub(crate) async fn enter(self: &Arc<Self>, anonymous: bool) -> Result<Turn, NotNow> {
        if !self.circuit.admits() {
            return Err(NotNow::Closed);
        }
        let permit = tokio::select! {
            biased;
            () = self.stopping.cancelled() => return Err(NotNow::Closed),
            permit = Arc::clone(&self.permits).acquire_owned() => permit.map_err(|_| NotNow::Closed)?,
        };
        // It may have opened while this call waited for the ones before it.
        let admission = self.circuit.admit().ok_or(NotNow::Closed)?;
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => return Err(NotNow::Closed),
            () = self.caller.pace() => {}
        }
        let ready = self.credentials(anonymous).await?;
        // A log-on takes its time. What would begin only after the stop does not begin.
        if self.stopping.is_cancelled() {
            return Err(NotNow::Closed);
        }
        Ok(Turn {
            link: Arc::clone(self),
            ready,
            _permit: permit,
            _admission: admission,
        })
    }

    /// As [`Link::enter`], past the circuit: for the probe that may close it.
    async fn enter_as_probe(self: &Arc<Self>, anonymous: bool) -> Result<Turn, Failure> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| Failure::Stopping)?;
        self.caller.pace().await;
        let ready = if anonymous {
            Authenticator::anonymous(&self.caller)
        } else {
            self.auth.ready(&self.caller, &self.stopping).await?
        };
        let admission = Admission::of_probe();
        Ok(Turn {
            link: Arc::clone(self),
            ready,
            _permit: permit,
            _admission: admission,
        })
    }

    async fn credentials(&self, anonymous: bool) -> Result<Ready, NotNow> {
        if anonymous {
            return Ok(Authenticator::anonymous(&self.caller));
        }
        let ready = tokio::select! {
            biased;
            ready = self.auth.ready(&self.caller, &self.stopping) => ready,
            () = self.halted.cancelled() => Err(Failure::Stopping),
        };
        ready.map_err(|failure| self.no_credentials(failure, true))
    }

    /// Marks a failure to authenticate: once, where it happened. A refusal that was shared opens
    /// this connection's circuit too, which may be another one than where it happened.
    fn no_credentials(&self, failure: Failure, first_hand: bool) -> NotNow {
        match failure {
            Failure::Stopping => NotNow::Closed,
            Failure::Shared(failure) => self.no_credentials(*failure, false),
            Failure::Refused { class, why, help } => {
                self.refuse(class, &why, &help);
                NotNow::Closed
            }
            Failure::Passing { class, why, after } => {
                if first_hand {
                    self.trouble(class, &why);
                }
                if self.circuit.admits() {
                    NotNow::Trouble(Trouble::Passing { class, why, after })
                } else {
                    NotNow::Closed
                }
            }
        }
    }

    /// The system answered sensibly.
    pub(crate) fn fine(&self) {
        self.circuit.fine();
    }

    /// One mark against the circuit.
    pub(crate) fn trouble(&self, class: Class, why: &str) {
        if self.circuit.trouble(class, why, self.caller.now()) {
            let (connection, class) = (self.id(), class.as_str());
            tracing::warn!(%connection, class, why, "circuit opened");
        }
    }

    /// Opens the circuit at once.
    pub(crate) fn refuse(&self, class: Class, why: &str, help: &str) {
        let now = self.caller.now();
        let cause = Cause {
            class,
            why: why.to_owned(),
            help: help.to_owned(),
            since: now,
        };
        if self.circuit.refuse(cause, now) {
            let (connection, class) = (self.id(), class.as_str());
            tracing::error!(%connection, class, why, help, "circuit opened");
        }
    }

    /// A person lets the connection go on, also after a refusal.
    pub(crate) fn resume(&self) {
        self.auth.forgive();
        self.circuit.resume(self.caller.now());
    }

    /// Stays quiet for as long as the system asked.
    pub(crate) fn slow_down(&self, after: Option<Duration>) {
        self.caller.budget.slow_down(after, self.caller.now());
    }

    /// Marks a refusal of our credentials. Where repeating it would lock the account, once is
    /// enough.
    pub(crate) fn credentials_refused(&self, why: &str) {
        let once = matches!(
            self.caller.auth(),
            Auth::Basic {
                stop_after_refusal: true,
                ..
            }
        );
        if once {
            self.auth.refused(&self.caller, why);
            self.refuse(Class::Authentication, why, CORRECT);
        } else {
            self.trouble(Class::Authentication, why);
        }
    }

    /// A call that cannot be written down: a fault of the definition or its values, or a secret
    /// that is not there, which concerns the whole connection.
    pub(crate) fn not_encodable(&self, operation: &str, error: &EncodeError) -> NotNow {
        match error {
            EncodeError::Credential { .. } => {
                let secrets = self.caller.secrets.resolve();
                if let Failure::Refused { class, why, help } =
                    caller::not_encodable(error, &secrets)
                {
                    self.refuse(class, &why, &help);
                }
                NotNow::Closed
            }
            EncodeError::Value { .. } | EncodeError::Template { .. } => {
                NotNow::Trouble(lasting(Class::Value, operation, error))
            }
            EncodeError::NoVariant { .. } => {
                NotNow::Trouble(lasting(Class::Configuration, operation, error))
            }
        }
    }
}

impl Turn {
    /// Writes a call down with this turn's credentials.
    pub(crate) fn encode(&self, call: &Call<'_>) -> Result<HttpRequest, EncodeError> {
        protocol::encode(call, &self.ready)
    }

    /// Sends, once, and makes the answer readable.
    pub(crate) async fn send(
        &self,
        call: &Call<'_>,
        request: HttpRequest,
    ) -> Result<Answer, SendError> {
        let caller = &self.link.caller;
        let response = tokio::select! {
            biased;
            response = caller.transmit(request) => response,
            () = self.link.halted.cancelled() => {
                let why = "the engine stopped while it waited for the answer".to_owned();
                Err(SendError::Unknown { why })
            }
        };
        caller.receive(call, response)
    }

    /// The call's credentials are stale: the token is dropped, unless somebody has already.
    pub(crate) async fn stale(&self, why: &str) {
        if self.link.auth.stale(&self.ready).await {
            // Stale from the first call on: another log-on at once would only repeat that.
            self.link.credentials_refused(why);
        }
    }

    /// As [`Turn::stale`], for a probe: its result is marked as a whole.
    async fn forget(&self) {
        self.link.auth.stale(&self.ready).await;
    }

    /// The call's credentials were taken.
    pub(crate) fn proven(&self) {
        self.ready.proven();
    }
}

fn lasting(class: Class, operation: &str, error: &EncodeError) -> Trouble {
    Trouble::Lasting {
        class,
        why: format!("cannot write `{operation}`: {error}"),
        help: "correct the record or the integration, then retry it".to_owned(),
        awaits: None,
    }
}

/// The word an outcome is counted and logged under.
pub(crate) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded { .. } => "succeeded",
        Outcome::AlreadyThere { .. } => "already_there",
        Outcome::Retry { .. } => "retry",
        Outcome::Throttle { .. } => "throttle",
        Outcome::Reauthenticate { .. } => "reauthenticate",
        Outcome::Rejected { .. } => "rejected",
        Outcome::Unknown { .. } => "unknown",
    }
}
