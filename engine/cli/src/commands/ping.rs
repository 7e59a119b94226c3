//! `ping`: log on to the real systems, read something harmless, log off.

use super::Format;
use crate::failure::{Exit, usage};
use crate::operator::{accepted, block_on, unexpected};
use crate::running::seams;
use crate::site::{Installation, SiteArgs};
use crate::terminal::{Terminal, Tone};
use ml_connector_core::identity::ConnectionId;
use ml_connector_core::plan::Plan;
use ml_connector_runtime::operator::{self, CallError, Command, Pinged, Reply};
use schemars::JsonSchema;
use serde::Serialize;

/// Arguments of `ping`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ml-connector ping\n  ml-connector ping netledger --format json\n\n\
    It needs the secrets of the connections and nothing else: no store, no running engine. If one runs, it asks for us, \
    because some systems end its session when the same user logs on twice.\n\
    Exit codes: 0 every connection answered, 1 one did not."
)]
pub(crate) struct Args {
    /// Only this connection.
    connection: Option<String>,
    /// For whom to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    site: SiteArgs,
}

/// Output of `ping --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "ping")]
pub(crate) struct PingOutput {
    /// Version of this document's form.
    version: u32,
    /// One for each connection, as the site has them.
    connections: Vec<PingedView>,
}

/// How one connection answered.
#[derive(Debug, Serialize, JsonSchema)]
struct PingedView {
    /// Which.
    connection: String,
    /// Whether everything went well.
    fine: bool,
    /// What was read, in order.
    steps: Vec<StepView>,
}

/// One read.
#[derive(Debug, Serialize, JsonSchema)]
struct StepView {
    /// The operation.
    operation: String,
    /// How long it took.
    duration_ms: u64,
    /// What it read, in words.
    shows: Option<String>,
    /// What went wrong.
    error: Option<String>,
    /// The next step.
    help: Option<String>,
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let installation = args.site.read(terminal)?;
    let (_, plan) = installation.plan(terminal)?;
    let wanted = wanted(args.connection.as_deref(), &plan)?;
    let mut views = Vec::with_capacity(wanted.len());
    block_on(async {
        for id in wanted {
            let view = PingedView::of(ping(&installation, &plan, &id).await?);
            if args.format == Format::Text {
                print(&view, terminal)?;
                terminal.flush()?;
            }
            views.push(view);
        }
        Ok(())
    })?;
    let fine = views.iter().all(|view| view.fine);
    if args.format == Format::Json {
        terminal.json(&PingOutput {
            version: 1,
            connections: views,
        })?;
    }
    Ok(if fine { Exit::Fine } else { Exit::Findings })
}

fn wanted(name: Option<&str>, plan: &Plan) -> anyhow::Result<Vec<ConnectionId>> {
    let Some(name) = name else {
        return Ok(plan.connections.keys().cloned().collect());
    };
    let id = ConnectionId::new(name);
    if plan.connections.contains_key(&id) {
        return Ok(vec![id]);
    }
    let names: Vec<&str> = plan.connections.keys().map(ConnectionId::as_str).collect();
    Err(usage(format!(
        "there is no connection `{name}`; there are: {}",
        names.join(", ")
    )))
}

/// Through the running engine, else by ourselves.
async fn ping(
    installation: &Installation,
    plan: &Plan,
    id: &ConnectionId,
) -> anyhow::Result<Pinged> {
    let socket = installation.control();
    if socket.exists() {
        let command = Command::Ping {
            connection: id.clone(),
        };
        match operator::call(&socket, &command).await {
            Err(CallError::NoEngine { .. }) => {}
            Err(error @ CallError::Failed(_)) => return Err(error.into()),
            Ok(reply) => {
                let Reply::Pinged(pinged) = accepted(reply)? else {
                    return Err(unexpected());
                };
                return Ok(pinged);
            }
        }
    }
    let connection = plan
        .connections
        .get(id)
        .ok_or_else(|| anyhow::anyhow!("there is no connection `{id}`"))?;
    Ok(operator::ping(connection, &seams(installation, plan)?).await)
}

impl PingedView {
    fn of(pinged: Pinged) -> Self {
        let steps: Vec<StepView> = pinged
            .steps
            .into_iter()
            .map(|step| StepView {
                operation: step.operation,
                duration_ms: step.duration_ms,
                shows: step.shows,
                error: step.error,
                help: Some(step.help).filter(|help| !help.is_empty()),
            })
            .collect();
        let fine = !steps.is_empty() && steps.iter().all(|step| step.error.is_none());
        Self {
            connection: pinged.connection.to_string(),
            fine,
            steps,
        }
    }
}

fn print(view: &PingedView, terminal: &mut Terminal) -> std::io::Result<()> {
    let name = &view.connection;
    if view.steps.is_empty() {
        let word = terminal.tone(Tone::Doubt, "nothing to read");
        return terminal.line(format!(
            "{name}: {word}: its connector declares no `health`"
        ));
    }
    for step in &view.steps {
        match &step.error {
            None => {
                let word = terminal.tone(Tone::Good, "ok");
                let shows = step.shows.as_deref().unwrap_or_default();
                let line = format!(
                    "{name}: {word} {} ({} ms) {shows}",
                    step.operation, step.duration_ms
                );
                terminal.line(line.trim_end())?;
            }
            Some(error) => {
                let word = terminal.tone(Tone::Bad, "failed");
                terminal.line(format!("{name}: {word} {}: {error}", step.operation))?;
                if let Some(help) = &step.help {
                    terminal.line(format!("  help: {help}"))?;
                }
            }
        }
    }
    Ok(())
}
