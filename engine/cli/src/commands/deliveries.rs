//! `deliveries`: look at records on their way, and at what waits for a person.

mod holds;
mod list;
mod show;

use super::Format;
use crate::failure::Exit;
use crate::operator::{Operator, block_on};
use crate::site::SiteArgs;
use crate::terminal::Terminal;
use clap::Subcommand;
pub(crate) use holds::HoldsOutput;
pub(crate) use list::{DeliveriesOutput, Which, page};
use ml_connector_core::identity::DeliveryId;
pub(crate) use show::DeliveryOutput;

/// Arguments of `deliveries`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ml-connector deliveries list --state held\n  \
    ml-connector deliveries list --text EV0001 --format json\n  \
    ml-connector deliveries show dlv_42 --event\n  \
    ml-connector deliveries holds\n\n\
    Decisions about what waits: `ml-connector resolve`.")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    site: SiteArgs,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List deliveries, by id.
    List(list::Args),
    /// Show a delivery and everything that happened to it.
    Show(show::Args),
    /// What is held, grouped by identical cause, with the next step.
    Holds(holds::Args),
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let installation = args.site.read(terminal)?;
    block_on(async {
        let operator = Operator::of(&installation, terminal).await?;
        let done = match &args.what {
            What::List(args) => list::perform(args, &operator, terminal).await,
            What::Show(args) => show::perform(args, &operator, terminal).await,
            What::Holds(args) => holds::perform(args, &operator, terminal).await,
        };
        operator.close().await?;
        done
    })
}

/// Reads an id as lists print it.
pub(super) fn delivery_id(text: &str) -> Result<DeliveryId, String> {
    text.parse().map_err(|error| format!("{error}"))
}
