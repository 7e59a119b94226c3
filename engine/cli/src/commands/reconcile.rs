//! `reconcile`: what the source says that it has done, against what was posted.

use crate::csv;
use crate::failure::{Exit, usage};
use crate::moments::moment_argument;
use crate::operator::{Operator, block_on, unexpected};
use crate::site::SiteArgs;
use crate::table::{Table, count};
use crate::terminal::{Terminal, Tone};
use clap::ValueEnum;
use jiff::Timestamp;
use ml_connector_core::identity::InstanceId;
use ml_connector_runtime::operator::{
    Command, Period, ReconciledLine, ReconciledSum, Reconciliation, Reply,
};

/// Arguments of `reconcile`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  \
    ml-connector reconcile --statement PO42\n  \
    ml-connector reconcile netledger-payfast/payouts --since 2026-03-01 --until 2026-04-01\n  \
    ml-connector reconcile --since 7d --format csv > week.csv\n\n\
    Reads the source's statements (payouts) and what stands in the target, and writes nothing. Lines are matched, missing,\n\
    extra, amount_differs or in_doubt. Needs the secrets, or a running engine.\n\
    Exit codes: 0 every line matched, 1 something differs.",
    group(clap::ArgGroup::new("period").required(true).args(["statement", "since"]))
)]
pub(crate) struct Args {
    /// The integration that says what is compared, as the site names it; not needed where there is only one.
    integration: Option<String>,
    /// One statement, by the id that the source gives it.
    #[arg(long, value_name = "ID")]
    statement: Option<String>,
    /// Every statement made at or after: a time, a date, or how long ago, e.g. `7d`.
    #[arg(long, value_name = "WHEN", value_parser = moment_argument)]
    since: Option<Timestamp>,
    /// Made before. Without it: until now.
    #[arg(long, value_name = "WHEN", value_parser = moment_argument, requires = "since", conflicts_with = "statement")]
    until: Option<Timestamp>,
    /// Leave out the lines that matched.
    #[arg(long)]
    differences: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: ReconcileFormat,
    #[command(flatten)]
    site: SiteArgs,
}

/// How a reconciliation is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum ReconcileFormat {
    /// A table for people.
    #[default]
    Text,
    /// One document, described by `ml-connector schema output reconciliation`.
    Json,
    /// A row for each line (RFC 4180).
    Csv,
}

/// The columns of a CSV, which are the members of a line.
const COLUMNS: [&str; 14] = [
    "statement",
    "kind",
    "key",
    "state",
    "date",
    "currency",
    "expected",
    "found",
    "found_currency",
    "difference",
    "reference",
    "document",
    "delivery",
    "why",
];

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let period = match (&args.statement, args.since) {
        (Some(statement), _) => Period::Statement(statement.clone()),
        (None, Some(since)) => Period::Time {
            since,
            until: args.until,
        },
        (None, None) => return Err(usage("say `--statement ID` or `--since WHEN`")),
    };
    let command = Command::Reconcile {
        integration: args.integration.as_ref().map(InstanceId::new),
        period,
    };
    let installation = args.site.read(terminal)?;
    let reply = block_on(async {
        let operator = Operator::with_definitions(&installation, terminal).await?;
        let reply = operator.ask(command).await;
        operator.close().await?;
        reply
    })?;
    let Reply::Reconciled(mut reconciliation) = reply else {
        return Err(unexpected());
    };
    let agrees = reconciliation.agrees();
    if args.differences {
        reconciliation.lines.retain(|line| line.state != "matched");
    }
    match args.format {
        ReconcileFormat::Text => print(&reconciliation, terminal)?,
        ReconcileFormat::Json => terminal.json(&reconciliation)?,
        ReconcileFormat::Csv => {
            terminal.raw(csv::row(COLUMNS))?;
            for line in &reconciliation.lines {
                let cells = cells(line);
                terminal.raw(csv::row(cells.iter().map(String::as_str)))?;
            }
        }
    }
    Ok(if agrees { Exit::Fine } else { Exit::Findings })
}

fn cells(line: &ReconciledLine) -> [String; COLUMNS.len()] {
    let maybe = |value: &Option<String>| value.clone().unwrap_or_default();
    [
        line.statement.clone(),
        line.kind.clone(),
        line.key.clone(),
        line.state.clone(),
        line.date.clone(),
        line.currency.clone(),
        maybe(&line.expected),
        maybe(&line.found),
        maybe(&line.found_currency),
        maybe(&line.difference),
        maybe(&line.reference),
        maybe(&line.document),
        maybe(&line.delivery),
        maybe(&line.why),
    ]
}

fn print(reconciliation: &Reconciliation, terminal: &mut Terminal) -> anyhow::Result<()> {
    let mut table = Table::new([
        "STATEMENT",
        "KIND",
        "KEY",
        "STATE",
        "EXPECTED",
        "FOUND",
        "DIFFERENCE",
        "CCY",
        "REFERENCE",
        "DELIVERY",
        "WHY",
    ])
    .right(&[4, 5, 6]);
    for line in &reconciliation.lines {
        let maybe = |value: &Option<String>| value.clone().unwrap_or_default();
        let currency = match &line.found_currency {
            Some(other) => format!("{}/{other}", line.currency),
            None => line.currency.clone(),
        };
        table.row([
            line.statement.clone(),
            line.kind.clone(),
            line.key.clone(),
            line.state.clone(),
            maybe(&line.expected),
            maybe(&line.found),
            maybe(&line.difference),
            currency,
            maybe(&line.reference),
            maybe(&line.delivery),
            maybe(&line.why),
        ]);
    }
    for line in table.lines() {
        terminal.line(line)?;
    }
    terminal.line("")?;
    for line in sums(&reconciliation.sums) {
        terminal.line(line)?;
    }
    let states = reconciliation.states.iter();
    let states = states.filter(|(_, number)| **number > 0);
    let states: Vec<String> = states
        .map(|(state, number)| format!("{number} {}", state.replace('_', " ")))
        .collect();
    let statements = count(reconciliation.statements.len(), "statement", "statements");
    let lines = match states.as_slice() {
        [] => "no lines".to_owned(),
        states => states.join(", "),
    };
    terminal.line("")?;
    terminal.line(terminal.tone(Tone::Strong, &format!("{statements}: {lines}")))?;
    Ok(())
}

fn sums(sums: &[ReconciledSum]) -> Vec<String> {
    let mut table =
        Table::new(["KIND", "CCY", "EXPECTED", "FOUND", "DIFFERENCE"]).right(&[2, 3, 4]);
    for sum in sums {
        table.row([
            sum.kind.clone(),
            sum.currency.clone(),
            sum.expected.clone(),
            sum.found.clone(),
            sum.difference.clone(),
        ]);
    }
    table.lines()
}
