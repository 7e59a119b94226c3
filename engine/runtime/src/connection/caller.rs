//! Calls without a gate: encode, send, decode. What the gate itself needs (log-on, log-off,
//! probes) is made of these; everything else goes through [`super::Link`].

use super::budget::Budget;
use crate::capture;
use crate::counters::Counters;
use crate::credentials::{Failure, Resolved, SecretTable, Token};
use crate::seams::{Outgoing, Seams};
use jiff::Timestamp;
use ml_connector_core::delivery::{Class, Outcome};
use ml_connector_core::http::{HttpRequest, HttpResponse, SendError};
use ml_connector_core::plan::{Auth, Connection, Operation};
use ml_connector_core::protocol::{self, Answer, Call, Credentials, EncodeError};
use serde_json::{Map, Value as Document};
use std::sync::Arc;

/// A document that is null, for the parts of a call that do not apply.
pub(crate) static NOTHING: Document = Document::Null;

/// One connection's way out.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) plan: Arc<Connection>,
    pub(crate) seams: Seams,
    pub(crate) counters: Arc<Counters>,
    pub(crate) secrets: SecretTable,
    pub(crate) budget: Budget,
}

/// Credentials of a log-on (secrets) or log-off (secrets and the session's token).
struct SessionCredentials<'a> {
    secrets: Arc<Resolved>,
    token: Option<&'a Token>,
}

impl Credentials for SessionCredentials<'_> {
    fn secret(&self, name: &str) -> Option<&str> {
        self.secrets.first(name)
    }
    fn session(&self) -> Option<&str> {
        self.token.map(Token::value)
    }
    fn bearer(&self) -> Option<&str> {
        None
    }
}

impl Caller {
    pub(crate) fn new(plan: Arc<Connection>, seams: Seams, counters: Arc<Counters>) -> Self {
        let secrets = SecretTable::new(Arc::clone(&seams.secrets), plan.secrets.clone());
        let budget = Budget::new(plan.rate_limit.clone());
        Self {
            plan,
            seams,
            counters,
            secrets,
            budget,
        }
    }

    /// How this connection's requests are authenticated, where its settings choose.
    pub(crate) fn auth(&self) -> &Auth {
        self.plan.connector.http.auth.chosen(&self.plan.settings)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.seams.clock.now()
    }

    /// A call of one of the connection's operations with this input; more is set by the caller.
    pub(crate) fn call<'a>(&'a self, operation: &'a Operation, input: &'a Document) -> Call<'a> {
        Call {
            connector: &self.plan.connector,
            settings: &self.plan.settings,
            operation,
            input,
            reference: None,
            idempotency_key: None,
            steps: None,
            page: &NOTHING,
            cursor: &NOTHING,
        }
    }

    /// Waits until the budget lets one request through.
    pub(crate) async fn pace(&self) {
        while let Err(until) = self.budget.take(self.now()) {
            self.seams.clock.sleep_until(until).await;
        }
    }

    /// Sends, once.
    pub(crate) async fn transmit(&self, request: HttpRequest) -> Result<HttpResponse, SendError> {
        let outgoing = Outgoing {
            connection: &self.plan.id,
            request,
            answer_bytes_max: self.plan.connector.http.answer_bytes_max,
        };
        self.seams.transport.send(outgoing).await
    }

    /// Makes an answer readable, and takes over what it says about the budget.
    pub(crate) fn receive(
        &self,
        call: &Call<'_>,
        response: Result<HttpResponse, SendError>,
    ) -> Result<Answer, SendError> {
        let answer = protocol::decode(call, &response?);
        if let Some(told) = protocol::rate_state(&self.plan.connector, &answer, self.now()) {
            self.budget.follow(told, self.now());
        }
        Ok(answer)
    }

    /// Logs on (without a token) or off (with it).
    pub(crate) async fn session_call(
        &self,
        operation: &str,
        token: Option<&Token>,
    ) -> Result<Outcome, Failure> {
        let operation = self
            .plan
            .connector
            .operations
            .get(operation)
            .ok_or_else(|| {
                refused(
                    format!("there is no operation `{operation}`"),
                    "correct the connector",
                )
            })?;
        let input = Document::Object(Map::new());
        let call = self.call(operation, &input);
        let credentials = SessionCredentials {
            secrets: self.secrets.resolve(),
            token,
        };
        let request = protocol::encode(&call, &credentials)
            .map_err(|error| not_encodable(&error, &credentials.secrets))?;
        let response = self.transmit(request).await;
        let answer = self.receive(&call, response);
        Ok(capture::meaning_of_write(&call, &answer, self.now()))
    }
}

/// A log-on that cannot be written down: most often a secret that nobody has set.
pub(super) fn not_encodable(error: &EncodeError, secrets: &Resolved) -> Failure {
    let why = match secrets.missing().first() {
        Some(missing) => format!("{error}; {missing}"),
        None => error.to_string(),
    };
    refused(
        why,
        "set it with `ml-connector secrets set`, or correct the connection",
    )
}

fn refused(why: String, help: &str) -> Failure {
    Failure::Refused {
        class: Class::Configuration,
        why,
        help: help.to_owned(),
    }
}
