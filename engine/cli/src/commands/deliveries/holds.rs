//! `deliveries holds`: what waits for a person, grouped by identical cause.

use super::list::Which;
use crate::commands::Format;
use crate::failure::Exit;
use crate::operator::{Operator, unexpected};
use crate::table::count;
use crate::terminal::{Terminal, Tone};
use crate::views::moment;
use ml_connector_runtime::operator::view::HoldGroup;
use ml_connector_runtime::operator::{Command, Reply};
use schemars::JsonSchema;
use serde::Serialize;

/// Arguments of `deliveries holds`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// For whom to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Output of `deliveries holds --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "holds")]
pub(crate) struct HoldsOutput {
    /// Version of this document's form.
    version: u32,
    /// How many deliveries are held.
    held: u64,
    /// By cause, the largest first.
    groups: Vec<HoldGroup>,
}

pub(super) async fn perform(
    args: &Args,
    operator: &Operator,
    terminal: &mut Terminal,
) -> anyhow::Result<Exit> {
    let selection = args.which.selection();
    let Reply::Holds { held, groups } = operator.ask(Command::Holds { selection }).await? else {
        return Err(unexpected());
    };
    let exit = if held == 0 {
        Exit::Fine
    } else {
        Exit::Findings
    };
    if args.format == Format::Json {
        terminal.json(&HoldsOutput {
            version: 1,
            held,
            groups,
        })?;
        return Ok(exit);
    }
    for group in &groups {
        print(group, terminal)?;
    }
    let causes = count(groups.len(), "cause", "causes");
    let held = count(held, "held delivery", "held deliveries");
    terminal.tell(format!("{held}, {causes}"));
    Ok(exit)
}

fn print(group: &HoldGroup, terminal: &mut Terminal) -> std::io::Result<()> {
    let head = format!("{:>7}  {}: {}", group.count, group.class, group.reason);
    terminal.line(terminal.tone(Tone::Strong, &head))?;
    let by: Vec<String> = group
        .integrations
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let decide = if group.in_doubt {
        "the target may already have them: look there, then `resolve posted` or `resolve not-posted` each".to_owned()
    } else {
        format!(
            "ml-connector resolve retry --cause {} --reason …",
            group.cause
        )
    };
    let lines = [
        ("next", group.help.clone()),
        ("then", decide),
        ("integrations", by.join(", ")),
        (
            "since",
            format!("{} … {}", moment(group.oldest), moment(group.newest)),
        ),
        ("e.g.", group.deliveries.join(", ")),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        terminal.line(format!("         {name:<12} {value}"))?;
    }
    Ok(())
}
