//! `deliveries`: look at records on their way, and decide about those that wait for a person.

mod decide;
mod list;
mod show;

use super::Format;
use crate::failure::{Exit, usage};
use crate::operator::{ActArgs, Operator, block_on};
use crate::site::SiteArgs;
use crate::terminal::Terminal;
use clap::Subcommand;
pub(crate) use decide::DecisionsOutput;
pub(crate) use list::DeliveriesOutput;
use ml_connector_core::identity::DeliveryId;
pub(crate) use show::DeliveryOutput;

/// Arguments of `deliveries`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ml-connector deliveries list --state held\n  \
    ml-connector deliveries list --text EV0001 --format json\n  \
    ml-connector deliveries show dlv_42 --event\n  \
    ml-connector deliveries retry dlv_42 dlv_43 --reason 'period opened'\n  \
    ml-connector deliveries retry --held --class period --reason 'period opened'\n  \
    ml-connector deliveries posted dlv_42 --receipt journal=512 --reason 'found by hand'\n  \
    ml-connector deliveries not-posted dlv_42 --reason 'searched, is not there'\n  \
    ml-connector deliveries discard dlv_42 --reason 'refunded outside'")]
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
    /// Try held deliveries again now. Refused where the target may already have one.
    Retry(decide::Args),
    /// Say that a delivery stands in the target.
    Posted(decide::PostedArgs),
    /// Say that a delivery does not stand in the target: it is sent.
    NotPosted(decide::Args),
    /// Say that a delivery shall not be delivered.
    Discard(decide::Args),
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let installation = args.site.read(terminal)?;
    block_on(async {
        let operator = Operator::of(&installation, terminal).await?;
        let done = match &args.what {
            What::List(args) => list::perform(args, &operator, terminal).await,
            What::Show(args) => show::perform(args, &operator, terminal).await,
            What::Retry(args) => decide::retry(args, &operator, terminal).await,
            What::Posted(args) => decide::posted(args, &operator, terminal).await,
            What::NotPosted(args) => decide::not_posted(args, &operator, terminal).await,
            What::Discard(args) => decide::discard(args, &operator, terminal).await,
        };
        operator.close().await?;
        done
    })
}

/// Reads an id as lists print it.
pub(super) fn delivery_id(text: &str) -> Result<DeliveryId, String> {
    text.parse().map_err(|error| format!("{error}"))
}
