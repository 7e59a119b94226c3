//! Trying a connection: log on to its system and read something harmless.

use super::{PingStep, Pinged};
use crate::connection::{Caller, Link};
use crate::counters::Counters;
use crate::credentials::{Failure, Sessions};
use crate::seams::Seams;
use ml_connector_core::plan::{Connection, Health};
use ml_connector_core::template::Scope;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Logs in to a connection's system and reads something harmless, without an engine.
///
/// While an engine runs, send `Command::Ping` to it instead: some systems end the engine's
/// session when the same user logs on a second time.
pub async fn ping(connection: &Arc<Connection>, seams: &Seams) -> Pinged {
    let sessions = Sessions::default();
    let caller = Caller::new(
        Arc::clone(connection),
        seams.clone(),
        Arc::<Counters>::default(),
    );
    let stops = (CancellationToken::new(), CancellationToken::new());
    let pinged = match Link::new(caller, &sessions, stops) {
        Ok(link) => ping_over(&Arc::new(link)).await,
        Err(error) => Pinged {
            connection: connection.id.clone(),
            steps: vec![PingStep {
                operation: String::new(),
                duration_ms: 0,
                shows: None,
                error: Some(error.to_string()),
                help: "correct the connection's settings".to_owned(),
            }],
        },
    };
    for scope in sessions.all() {
        scope.close().await;
    }
    pinged
}

/// The health call and what `ping` declares beside it, up to the first that fails.
pub(super) async fn ping_over(link: &Arc<Link>) -> Pinged {
    let connector = &link.plan().connector;
    let mut steps = Vec::new();
    for health in connector.health.iter().chain(&connector.ping) {
        let step = ping_step(link, health).await;
        let failed = step.error.is_some();
        steps.push(step);
        if failed {
            break;
        }
    }
    Pinged {
        connection: link.id().clone(),
        steps,
    }
}

async fn ping_step(link: &Arc<Link>, health: &Health) -> PingStep {
    let clock = &link.caller.seams.clock;
    let began = clock.now();
    let answer = link.ask(health).await;
    let took = clock.now().duration_since(began).as_millis();
    let mut step = PingStep {
        operation: health.operation.clone(),
        duration_ms: u64::try_from(took).unwrap_or(0),
        shows: None,
        error: None,
        help: String::new(),
    };
    match answer {
        Ok(result) => {
            let settings = &link.plan().settings;
            let scope = Scope::new()
                .with("result", &result)
                .with("settings", settings);
            let shows = health
                .show
                .as_ref()
                .map_or(Ok(String::new()), |show| show.text(&scope));
            step.shows = Some(shows.unwrap_or_else(|error| format!("(not shown: {error})")));
        }
        Err(Failure::Refused { why, help, .. }) => {
            step.error = Some(why);
            step.help = help;
        }
        Err(Failure::Passing { why, .. }) => step.error = Some(why),
        Err(Failure::Shared(failure)) => {
            let (why, help) = match failure.itself() {
                Failure::Refused { why, help, .. } => (why, help),
                Failure::Passing { why, .. } => (why, String::new()),
                Failure::Shared(_) | Failure::Stopping => (String::new(), String::new()),
            };
            step.error = Some(format!("not asked again: {why}"));
            let resume = "`ml-connector resume` lets it be tried again";
            step.help = match help.as_str() {
                "" => resume.to_owned(),
                help => format!("{help}; {resume}"),
            };
        }
        Err(Failure::Stopping) => step.error = Some("the engine is stopping".to_owned()),
    }
    step
}
