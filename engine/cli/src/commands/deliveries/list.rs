//! `deliveries list`.

use super::Format;
use crate::failure::Exit;
use crate::moments::moment_argument;
use crate::operator::{Operator, unexpected};
use crate::table::count;
use crate::terminal::Terminal;
use crate::views::{DeliveryView, deliveries_table};
use jiff::Timestamp;
use ml_connector_core::delivery::{Class, StateKind};
use ml_connector_core::identity::{ConnectionId, DeliveryId, InstanceId};
use ml_connector_runtime::operator::{Command, Reply};
use ml_connector_store::Selection;
use schemars::JsonSchema;
use serde::Serialize;

/// Rows of one page.
const PAGE: usize = 1000;

/// Arguments of `deliveries list`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
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
    text: Option<String>,
    /// Only greater ids: the last one of a page before.
    #[arg(long, value_name = "ID", value_parser = super::delivery_id)]
    after: Option<DeliveryId>,
    /// Most rows; 0 for all.
    #[arg(long, default_value_t = 50, value_name = "ROWS")]
    limit: usize,
    /// For whom to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Which deliveries, by what they are.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Which {
    /// In this state; may be given several times.
    #[arg(long, value_name = "STATE", value_parser = state)]
    pub(crate) state: Vec<StateKind>,
    /// Held for this class of trouble; may be given several times.
    #[arg(long, value_name = "CLASS", value_parser = class)]
    pub(crate) class: Vec<Class>,
    /// Of this integration, as the site names it; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) integration: Vec<String>,
    /// To this connection; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) connection: Vec<String>,
}

/// Output of `deliveries list --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "deliveries")]
pub(crate) struct DeliveriesOutput {
    /// Version of this document's form.
    version: u32,
    /// By id.
    deliveries: Vec<DeliveryView>,
    /// What to give to `--after` for the rows that follow; null if there are none.
    next: Option<String>,
}

impl Which {
    /// As the store selects.
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            instances: self.integration.iter().map(InstanceId::new).collect(),
            lanes: self.connection.iter().map(ConnectionId::new).collect(),
            states: self.state.clone(),
            classes: self.class.clone(),
            ..Selection::default()
        }
    }
}

pub(super) async fn perform(
    args: &Args,
    operator: &Operator,
    terminal: &mut Terminal,
) -> anyhow::Result<Exit> {
    let limit = if args.limit == 0 {
        usize::MAX
    } else {
        args.limit
    };
    let mut selection = Selection {
        since: args.since,
        until: args.until,
        text: args.text.clone(),
        after: args.after,
        ..args.which.selection()
    };
    let mut deliveries = Vec::new();
    // One more than asked for tells whether there are more.
    let more = loop {
        let wanted = limit.saturating_add(1) - deliveries.len();
        selection.limit = wanted.min(PAGE);
        let page = page(operator, &selection).await?;
        let last = page.len() < selection.limit;
        deliveries.extend(page);
        selection.after = deliveries
            .last()
            .map(|delivery| delivery.0)
            .or(selection.after);
        if deliveries.len() > limit {
            deliveries.truncate(limit);
            break true;
        }
        if last {
            break false;
        }
    };
    let next = if more {
        deliveries.last().map(|(id, _)| id.to_string())
    } else {
        None
    };
    let deliveries: Vec<DeliveryView> = deliveries.into_iter().map(|(_, view)| view).collect();
    match args.format {
        Format::Json => terminal.json(&DeliveriesOutput {
            version: 1,
            deliveries,
            next,
        })?,
        Format::Text => {
            if !deliveries.is_empty() {
                for line in deliveries_table(&deliveries) {
                    terminal.line(line)?;
                }
            }
            let number = count(deliveries.len(), "delivery", "deliveries");
            terminal.tell(match next {
                Some(next) => format!("{number}; there are more: --after {next}"),
                None => number,
            });
        }
    }
    Ok(Exit::Fine)
}

/// One page, with the id of each row.
pub(crate) async fn page(
    operator: &Operator,
    selection: &Selection,
) -> anyhow::Result<Vec<(DeliveryId, DeliveryView)>> {
    let selection = selection.clone();
    let reply = operator.ask(Command::Deliveries { selection }).await?;
    let Reply::Deliveries { deliveries } = reply else {
        return Err(unexpected());
    };
    Ok(deliveries
        .iter()
        .map(|delivery| (delivery.id, DeliveryView::of(delivery)))
        .collect())
}

fn state(text: &str) -> Result<StateKind, String> {
    let text = text.replace('-', "_");
    StateKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| {
            let known: Vec<&str> = StateKind::ALL.iter().map(|kind| kind.as_str()).collect();
            format!("there are: {}", known.join(", "))
        })
}

fn class(text: &str) -> Result<Class, String> {
    let text = text.replace('-', "_");
    Class::ALL
        .into_iter()
        .find(|class| class.as_str() == text)
        .ok_or_else(|| {
            let known: Vec<&str> = Class::ALL.iter().map(|class| class.as_str()).collect();
            format!("there are: {}", known.join(", "))
        })
}
