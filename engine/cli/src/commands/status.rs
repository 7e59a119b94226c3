//! `status`: how everything stands.

use super::Format;
use crate::failure::Exit;
use crate::operator::{Operator, block_on, unexpected};
use crate::site::SiteArgs;
use crate::table::Table;
use crate::terminal::{Terminal, Tone};
use crate::views::{
    ConnectionView, CountsView, PollView, age, counts_table, moment, windows_table,
};
use jiff::Timestamp;
use ml_connector_runtime::operator::{Command, ReloadStatus, Reply, Status};
use ml_connector_runtime::{Clock as _, SystemClock};
use ml_connector_store::{Pausable, Paused};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Document;
use std::io;

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ml-connector status\n  ml-connector status --format json\n\n\
    Exit codes: 0 nothing waits for a person, 1 something does: held or uncertain deliveries, a connection in trouble or \
    paused, definitions that could not be reloaded."
)]
pub(crate) struct Args {
    /// For whom to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    site: SiteArgs,
}

/// Output of `status --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "status")]
pub(crate) struct StatusOutput {
    /// Version of this document's form.
    version: u32,
    /// The site's name.
    site: String,
    /// Since when the engine runs; null if none does.
    #[schemars(with = "Option<String>")]
    running_since: Option<Timestamp>,
    /// Hash of the running plan, hex.
    plan: Option<String>,
    /// How the last reload of the definitions went; null if there was none.
    reload: Option<ReloadView>,
    /// Deliveries by integration.
    integrations: Vec<CountsView>,
    /// Connections of a running engine.
    connections: Vec<ConnectionView>,
    /// What a person has stopped until it is resumed.
    pauses: Vec<PauseView>,
    /// Polls of a running engine.
    polls: Vec<PollView>,
    /// What the running engine has done since its start, by counter.
    counters: Option<Document>,
    /// Number of the newest record of the journal.
    records: u64,
    /// Its hash, hex: note it elsewhere, and `audit verify --expect` proves that nothing was removed since.
    head: String,
}

/// How a reload went.
#[derive(Debug, Serialize, JsonSchema)]
struct ReloadView {
    /// When.
    #[schemars(with = "String")]
    at: Timestamp,
    /// Whether the definitions are what runs now. If not, the plan before goes on.
    loaded: bool,
    /// Why not, or what else is to be said; empty for nothing.
    why: String,
}

impl ReloadView {
    fn of(status: &ReloadStatus) -> Self {
        Self {
            at: status.at,
            loaded: status.loaded,
            why: status.why.clone(),
        }
    }
}

/// What a person has stopped.
#[derive(Debug, Serialize, JsonSchema)]
struct PauseView {
    /// connection or integration.
    what: String,
    /// Which.
    name: String,
    /// Who stopped it.
    actor: String,
    /// Why.
    reason: String,
    /// Since when.
    #[schemars(with = "String")]
    since: Timestamp,
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let installation = args.site.read(terminal)?;
    let reply = block_on(Operator::ask_once(&installation, terminal, Command::Status))?;
    let Reply::Status(status) = reply else {
        return Err(unexpected());
    };
    let output = StatusOutput::of(&installation.site.name, &status)?;
    match args.format {
        Format::Json => terminal.json(&output)?,
        Format::Text => output.print(terminal)?,
    }
    Ok(if output.waits_for_somebody() {
        Exit::Findings
    } else {
        Exit::Fine
    })
}

impl StatusOutput {
    fn of(site: &str, status: &Status) -> anyhow::Result<Self> {
        let integrations = status.instances.iter().map(CountsView::of_status);
        Ok(Self {
            version: 1,
            site: status.site.clone().unwrap_or_else(|| site.to_owned()),
            running_since: status.running_since,
            plan: status.plan.clone(),
            reload: status.reload.as_ref().map(ReloadView::of),
            integrations: integrations.collect(),
            connections: status.connections.iter().map(ConnectionView::of).collect(),
            pauses: status.pauses.iter().map(PauseView::of).collect(),
            polls: status.polls.iter().map(PollView::of).collect(),
            counters: status
                .counters
                .as_ref()
                .map(serde_json::to_value)
                .transpose()?,
            records: status.records,
            head: status.head.clone(),
        })
    }

    fn waits_for_somebody(&self) -> bool {
        let refused = self.reload.as_ref().is_some_and(|reload| !reload.loaded);
        let in_trouble = refused || self.connections.iter().any(|one| one.state != "closed");
        in_trouble
            || !self.pauses.is_empty()
            || self.integrations.iter().any(CountsView::waits_for_somebody)
    }

    fn print_pauses(&self, terminal: &mut Terminal) -> io::Result<()> {
        if self.pauses.is_empty() {
            return Ok(());
        }
        let mut table = Table::new(["PAUSED", "NAME", "SINCE", "BY", "WHY"]);
        for one in &self.pauses {
            table.row([
                one.what.clone(),
                one.name.clone(),
                moment(one.since),
                one.actor.clone(),
                one.reason.clone(),
            ]);
        }
        terminal.line("")?;
        print_lines(&table.lines(), terminal)
    }

    fn print(&self, terminal: &mut Terminal) -> io::Result<()> {
        let state = match self.running_since {
            Some(since) => {
                let text = format!(
                    "runs since {} ({})",
                    moment(since),
                    age(since, SystemClock.now())
                );
                terminal.tone(Tone::Good, &text)
            }
            None => terminal.tone(Tone::Doubt, "no engine runs"),
        };
        terminal.line(format!("{}: {state}", self.site))?;
        if let Some(reload) = &self.reload {
            let at = moment(reload.at);
            let text = if reload.loaded {
                format!("definitions reloaded {at}")
            } else {
                let text = format!("definitions NOT reloaded {at}: {}", reload.why);
                terminal.tone(Tone::Doubt, &text)
            };
            terminal.line(text)?;
        }
        terminal.line(format!(
            "journal: {} records, head {}",
            self.records, self.head
        ))?;
        if !self.integrations.is_empty() {
            terminal.line("")?;
            print_lines(&counts_table(&self.integrations), terminal)?;
        }
        let windows = windows_table(&self.integrations);
        if !windows.is_empty() {
            terminal.line("")?;
            print_lines(&windows, terminal)?;
        }
        if !self.connections.is_empty() {
            let mut table = Table::new([
                "CONNECTION",
                "CONNECTOR",
                "CIRCUIT",
                "SESSION",
                "NEXT DUE",
                "WHY",
            ]);
            for one in &self.connections {
                table.row([
                    one.connection.clone(),
                    one.connector.clone(),
                    one.state.clone(),
                    one.session.clone().unwrap_or_default(),
                    one.next_due.map(moment).unwrap_or_default(),
                    one.why.clone().unwrap_or_default(),
                ]);
            }
            terminal.line("")?;
            print_lines(&table.lines(), terminal)?;
        }
        self.print_pauses(terminal)?;
        if !self.polls.is_empty() {
            let mut table = Table::new(["POLL", "NEXT", "CURSOR"]);
            for one in &self.polls {
                table.row([
                    one.poll.clone(),
                    one.next.map_or_else(|| "now".to_owned(), moment),
                    one.cursor.clone().unwrap_or_default(),
                ]);
            }
            terminal.line("")?;
            print_lines(&table.lines(), terminal)?;
        }
        Ok(())
    }
}

fn print_lines(lines: &[String], terminal: &mut Terminal) -> io::Result<()> {
    lines.iter().try_for_each(|line| terminal.line(line))
}

impl PauseView {
    fn of(paused: &Paused) -> Self {
        let (what, name) = match &paused.what {
            Pausable::Connection(connection) => ("connection", connection.to_string()),
            Pausable::Integration(instance) => ("integration", instance.to_string()),
        };
        Self {
            what: what.to_owned(),
            name,
            actor: paused.actor.clone(),
            reason: paused.reason.clone(),
            since: paused.since,
        }
    }
}
