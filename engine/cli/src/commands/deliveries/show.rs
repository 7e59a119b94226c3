//! `deliveries show`: a delivery and everything that happened to it.

use super::Format;
use crate::failure::Exit;
use crate::history;
use crate::operator::{Operator, unexpected};
use crate::terminal::{Terminal, Tone};
use crate::views::{DeliveryView, RecordView, moment, plain};
use ml_connector_core::identity::DeliveryId;
use ml_connector_runtime::operator::{Command, Reply};
use schemars::JsonSchema;
use serde::Serialize;
use std::io;

/// Arguments of `deliveries show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which, as lists print it.
    #[arg(value_parser = super::delivery_id)]
    delivery: DeliveryId,
    /// Print the stored event too, as it was received. It may hold personal data.
    #[arg(long)]
    event: bool,
    /// For whom to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Output of `deliveries show --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "delivery")]
pub(crate) struct DeliveryOutput {
    /// Version of this document's form.
    version: u32,
    /// As it stands.
    delivery: DeliveryView,
    /// Everything that happened to it, oldest first.
    history: Vec<RecordView>,
    /// Its event as received, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
}

pub(super) async fn perform(
    args: &Args,
    operator: &Operator,
    terminal: &mut Terminal,
) -> anyhow::Result<Exit> {
    let command = Command::Delivery {
        id: args.delivery,
        event: args.event,
    };
    let Reply::Delivery {
        delivery,
        history,
        event,
    } = operator.ask(command).await?
    else {
        return Err(unexpected());
    };
    let view = DeliveryView::of(&delivery);
    if args.format == Format::Json {
        let history = history.iter().map(RecordView::of).collect();
        terminal.json(&DeliveryOutput {
            version: 1,
            delivery: view,
            history,
            event,
        })?;
        return Ok(Exit::Fine);
    }
    print_delivery(&view, terminal)?;
    terminal.line("")?;
    terminal.line(terminal.tone(Tone::Strong, "History"))?;
    history::print(&history, terminal)?;
    if let Some(event) = event {
        terminal.line("")?;
        terminal.line(terminal.tone(Tone::Strong, "Event"))?;
        terminal.line(format!("  {event}"))?;
    }
    Ok(Exit::Fine)
}

fn print_delivery(view: &DeliveryView, terminal: &mut Terminal) -> io::Result<()> {
    let none = || "none".to_owned();
    let tone = match view.state.as_str() {
        "delivered" => Tone::Good,
        "held" | "uncertain" => Tone::Bad,
        _ => Tone::Doubt,
    };
    terminal.line(format!("{}: {}", view.id, terminal.tone(tone, &view.state)))?;
    let receipt: Vec<String> = view
        .receipt
        .iter()
        .map(|(name, value)| format!("{name} {}", plain(value)))
        .collect();
    let lines = [
        ("why", view.why.clone()),
        ("class", view.class.clone()),
        ("help", view.help.clone()),
        ("awaits", view.awaits.clone()),
        (
            "receipt",
            Some(receipt.join(", ")).filter(|text| !text.is_empty()),
        ),
        ("integration", Some(view.integration.clone())),
        ("connection", Some(view.connection.clone())),
        (
            "event",
            Some(format!("{} ({})", view.event_id, view.message)),
        ),
        ("dedup key", Some(view.dedup_key.clone())),
        (
            "order key",
            Some(view.order_key.clone().unwrap_or_else(none)),
        ),
        (
            "reference",
            Some(view.reference.clone().unwrap_or_else(none)),
        ),
        ("attempts", Some(view.attempts.to_string())),
        ("accepted", Some(moment(view.created_at))),
        ("changed", Some(moment(view.changed_at))),
        ("due", view.due_at.map(moment)),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            terminal.line(format!("  {name:<12} {value}"))?;
        }
    }
    Ok(())
}
