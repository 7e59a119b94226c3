//! Finds out when a system is back: while a circuit is open, one health call at a time, each later
//! than the one before; one at once when a person resumes the connection or its secrets change.

use super::circuit::Cause;
use super::{Asked, Link};
use crate::capture;
use crate::context::later;
use crate::credentials::Failure;
use ml_connector_core::delivery::{Class, Outcome};
use ml_connector_core::plan::{Auth, Health};
use ml_connector_core::protocol::{self, EncodeError, ReadResult};
use ml_connector_core::template::Scope;
use serde_json::Value as Document;
use std::sync::Arc;
use std::time::Duration;

/// While a circuit is open for want of credentials, how often it is looked whether they have changed
/// in the vault.
const VAULT_LOOK: Duration = Duration::from_secs(15);

impl Link {
    /// Runs until the engine stops.
    pub(crate) async fn guard(self: Arc<Self>) {
        let mut changes = self.changes();
        loop {
            changes.catch_up();
            let Some(due) = self.circuit().probe_due() else {
                tokio::select! {
                    biased;
                    () = self.stopping.cancelled() => return,
                    () = changes.changed() => continue,
                }
            };
            let secrets = self.caller.secrets.resolve();
            let now = self.caller.now();
            if due > now {
                let until = due.min(later(now, VAULT_LOOK));
                tokio::select! {
                    biased;
                    () = self.stopping.cancelled() => return,
                    () = changes.changed() => continue,
                    () = self.caller.seams.clock.sleep_until(until) => {}
                }
                let in_time = self.caller.now() >= due;
                let about_credentials = self.circuit().view().cause.is_some_and(|cause| {
                    matches!(cause.class, Class::Authentication | Class::Configuration)
                });
                // Another connection's new secret says nothing about ours, and one more try with the
                // same values may be the one that locks the account.
                let changed = !self.caller.secrets.resolve().same_as(&secrets);
                if !(in_time || about_credentials && changed) {
                    continue;
                }
            }
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                () = self.probe() => {}
            }
        }
    }

    async fn probe(self: &Arc<Self>) {
        let connection = self.id();
        match self.healthy().await.map_err(Failure::itself) {
            Ok(true) => {
                self.circuit().probed_fine();
                tracing::info!(%connection, "circuit closed");
            }
            Ok(false) => {
                self.circuit().half_open();
                tracing::info!(%connection, "circuit half open");
            }
            Err(Failure::Stopping | Failure::Shared(_)) => {}
            Err(Failure::Refused { class, why, help }) => self.still(class, why, help),
            Err(Failure::Passing { class, why, .. }) => self.still(class, why, String::new()),
        }
    }

    fn still(&self, class: Class, why: String, help: String) {
        let (connection, word) = (self.id(), class.as_str());
        tracing::warn!(%connection, class = word, why, "circuit stays open");
        let now = self.caller.now();
        self.circuit().probed_trouble(
            Cause {
                class,
                why,
                help,
                since: now,
            },
            now,
        );
    }

    /// Whether the system is well; `false` if the connector names nothing to ask.
    async fn healthy(self: &Arc<Self>) -> Result<bool, Failure> {
        let connector = &self.plan().connector;
        // A health call that needs no session proves nothing about a log-on that was refused.
        let about_log_on = matches!(
            connector.http.auth.chosen(&self.plan().settings),
            Auth::Session { .. }
        ) && self.circuit().view().cause.is_some_and(|cause| {
            matches!(cause.class, Class::Authentication | Class::Configuration)
        });
        if about_log_on {
            drop(self.enter_as_probe(false).await?);
        }
        let Some(health) = &connector.health else {
            return Ok(about_log_on);
        };
        self.ask(health).await.map(|_| true)
    }

    /// Makes one health call past the circuit; its first page.
    pub(crate) async fn ask(self: &Arc<Self>, health: &Health) -> Result<Document, Failure> {
        let operation = self.plan().connector.operations.get(&health.operation);
        let operation = operation.ok_or_else(|| {
            configuration(format!("there is no operation `{}`", health.operation))
        })?;
        let scope = Scope::new().with("settings", &self.plan().settings);
        let unwritable = |error: EncodeError| configuration(error.to_string());
        let input = protocol::input(operation, &health.with, &scope).map_err(unwritable)?;
        let asked = Asked::with(&input);
        let mut renewed = false;
        loop {
            let turn = self.enter_as_probe(operation.anonymous).await?;
            let call = self.caller.call(operation, asked.input);
            let request = turn.encode(&call).map_err(|error| {
                super::caller::not_encodable(&error, &self.caller.secrets.resolve())
            })?;
            let answer = turn.send(&call, request).await;
            let outcome = match capture::meaning_of_read(&call, &answer, self.caller.now()) {
                ReadResult::Found { result, .. } => {
                    turn.proven();
                    return Ok(result);
                }
                // The system answered, if only to say that there is nothing.
                ReadResult::NotFound { .. } => return Ok(Document::Null),
                ReadResult::Failed(outcome) => outcome,
            };
            if matches!(outcome, Outcome::Reauthenticate { .. }) && !renewed {
                turn.forget().await;
                renewed = true;
                continue;
            }
            return Err(unhealthy(outcome));
        }
    }
}

fn unhealthy(outcome: Outcome) -> Failure {
    let passing = |class, why, after| Failure::Passing { class, why, after };
    match outcome {
        Outcome::Retry { after, class, why } => passing(class, why, after),
        Outcome::Throttle { after, why } => passing(Class::Capacity, why, after),
        Outcome::Reauthenticate { why } => passing(Class::Authentication, why, None),
        Outcome::Unknown { why } => passing(Class::Intermittent, why, None),
        Outcome::Rejected { class, why, help } => Failure::Refused { class, why, help },
        Outcome::Succeeded { .. } | Outcome::AlreadyThere { .. } => {
            configuration("an outcome rule gives a read the meaning of a write".to_owned())
        }
    }
}

fn configuration(why: String) -> Failure {
    let help = "correct the connector or the connection's settings".to_owned();
    Failure::Refused {
        class: Class::Configuration,
        why,
        help,
    }
}
