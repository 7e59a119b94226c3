//! `replay`: take stored events through the present definitions again, by a plan first and then that plan only.

use super::Format;
use super::deliveries::{Which, delivery_id};
use super::resolve::{print, resolved};
use crate::failure::{Advised as _, Exit, usage};
use crate::moments::moment_argument;
use crate::operator::{ActArgs, Operator, block_on, unexpected};
use crate::site::SiteArgs;
use crate::table::Table;
use crate::terminal::{Terminal, Tone};
use crate::views::plain;
use jiff::Timestamp;
use ml_connector_core::identity::DeliveryId;
use ml_connector_runtime::operator::{
    Command, ReplayNow, ReplayPlan, ReplayRecord, ReplaySort, Reply,
};
use ml_connector_store::Selection;
use std::path::{Path, PathBuf};

/// Arguments of `replay`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  \
    ml-connector replay --plan --class value --since 3d > plan.json       # posts nothing\n  \
    ml-connector replay --show plan.json\n  \
    ml-connector replay --apply plan.json --reason 'the amount rule is mended'\n  \
    ml-connector replay dlv_42 --reason 'was discarded by mistake'\n  \
    ml-connector replay dlv_42 --force --reason 'reversed by hand in the ledger'   # posts it a second time\n\n\
    A plan sorts records into unchanged, would_differ (with the fields), already_posted, never_posted and in_doubt.\n\
    Applying it tries again what was never posted, and is refused if anything has moved since.\n\
    Exit codes: 0 done (a plan: nothing differs), 1 something differs or was not done.",
    group(clap::ArgGroup::new("mode").required(true).args(["plan", "show", "apply", "deliveries"]))
)]
pub(crate) struct Args {
    /// Make a plan of what is selected and print it, as JSON on stdout; a summary goes to stderr.
    #[arg(long)]
    plan: bool,
    /// Print what a plan says, for people.
    #[arg(long, value_name = "PLAN")]
    show: Option<PathBuf>,
    /// Apply a plan: try again what it says was never posted.
    #[arg(long, value_name = "PLAN")]
    apply: Option<PathBuf>,
    /// Replay these at once, each by itself.
    #[arg(value_parser = delivery_id)]
    deliveries: Vec<DeliveryId>,
    /// Post a record that was posted a second time, under a reference of its own. One record only.
    #[arg(long, requires = "deliveries")]
    force: bool,
    #[command(flatten)]
    which: Which,
    /// Accepted at or after: a time, a date, or how long ago, e.g. `2d`.
    #[arg(long, value_name = "WHEN", value_parser = moment_argument)]
    since: Option<Timestamp>,
    /// Accepted before.
    #[arg(long, value_name = "WHEN", value_parser = moment_argument)]
    until: Option<Timestamp>,
    /// With this event id, dedup key, order key, reference, or value of a receipt.
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
    #[command(flatten)]
    act: ActArgs,
    /// For whom to print what was decided.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    site: SiteArgs,
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    if let Some(file) = &args.show {
        let plan = read(file)?;
        show(&plan, terminal)?;
        return Ok(found(&plan));
    }
    if args.force && args.deliveries.len() != 1 {
        return Err(usage("`--force` is for one record at a time"));
    }
    let installation = args.site.read(terminal)?;
    if args.plan {
        let selection = Selection {
            since: args.since,
            until: args.until,
            text: args.reference.clone(),
            ..args.which.selection()
        };
        let command = Command::ReplayPlan { selection };
        let reply = block_on(async {
            let operator = Operator::with_definitions(&installation, terminal).await?;
            let reply = operator.ask(command).await;
            operator.close().await?;
            reply
        })?;
        let Reply::ReplayPlan { plan } = reply else {
            return Err(unexpected());
        };
        terminal.json(&plan)?;
        terminal.tell(summary(&plan));
        return Ok(found(&plan));
    }
    let act = args.act.act(None)?;
    let mut commands: Vec<Command> = Vec::new();
    if let Some(file) = &args.apply {
        let plan = Box::new(read(file)?);
        let act = act.clone();
        commands.push(Command::ReplayApply { plan, act });
    }
    commands.extend(args.deliveries.iter().map(|delivery| Command::Replay {
        delivery: *delivery,
        force: args.force,
        act: act.clone(),
    }));
    let results = block_on(async {
        let operator = Operator::with_definitions(&installation, terminal).await?;
        let mut results = Vec::new();
        let mut failed = None;
        for command in commands {
            match operator.ask(command).await.and_then(resolved) {
                Ok(some) => results.extend(some),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        operator.close().await?;
        failed.map_or(Ok(results), Err)
    })?;
    print(&results, args.format, terminal)
}

fn read(file: &Path) -> anyhow::Result<ReplayPlan> {
    let advice = || "a plan is what `ml-connector replay --plan` prints".to_owned();
    let text = std::fs::read(file).advise(
        || format!("cannot read the plan `{}`", file.display()),
        advice,
    )?;
    serde_json::from_slice(&text).advise(|| format!("`{}` is no plan", file.display()), advice)
}

/// A plan under which posted records would look different is a finding.
fn found(plan: &ReplayPlan) -> Exit {
    let differs = |record: &ReplayRecord| record.sort == ReplaySort::WouldDiffer;
    if plan.records.iter().any(differs) {
        Exit::Findings
    } else {
        Exit::Fine
    }
}

fn summary(plan: &ReplayPlan) -> String {
    let sorts = ReplaySort::ALL.iter().map(|sort| {
        let word = sort.as_str();
        let number = plan.sorts.get(word).copied().unwrap_or(0);
        format!("{number} {}", word.replace('_', " "))
    });
    let sorts: Vec<String> = sorts.collect();
    format!("{}: {}", plan.id, sorts.join(", "))
}

fn show(plan: &ReplayPlan, terminal: &mut Terminal) -> anyhow::Result<()> {
    if !plan.is_whole() {
        return Err(usage("this is not a plan as it was made"));
    }
    let mut table = Table::new(["DELIVERY", "SORT", "STATE", "INTEGRATION", "EVENT", "WOULD"]);
    for record in &plan.records {
        table.row([
            record.delivery.clone(),
            record.sort.as_str().to_owned(),
            record.state.clone(),
            record.integration.clone(),
            record.event_id.clone(),
            would(&record.now),
        ]);
    }
    for line in table.lines() {
        terminal.line(line)?;
    }
    for record in &plan.records {
        if record.differences.is_empty() && record.remark.is_none() {
            continue;
        }
        terminal.line("")?;
        terminal.line(terminal.tone(Tone::Strong, &record.delivery))?;
        for one in &record.differences {
            let said = |value: &Option<serde_json::Value>| {
                value.as_ref().map_or_else(|| "nothing".to_owned(), plain)
            };
            terminal.line(format!(
                "  {}: {} → {}",
                one.path,
                said(&one.was),
                said(&one.would_be)
            ))?;
        }
        if let Some(remark) = &record.remark {
            terminal.line(format!("  {remark}"))?;
        }
    }
    terminal.tell(summary(plan));
    Ok(())
}

fn would(now: &ReplayNow) -> String {
    match now {
        ReplayNow::Write { .. } => "be written".to_owned(),
        ReplayNow::Skip { reason } => format!("be skipped: {reason}"),
        ReplayNow::Hold { class, why } => format!("be held: {class}: {why}"),
        ReplayNow::Unknown { why } => format!("cannot be told: {why}"),
    }
}
