//! `resolve`: a person decides about records that wait, and the audit trail keeps who and why.

use super::Format;
use super::deliveries::{Which, delivery_id, page};
use crate::failure::{Exit, usage};
use crate::operator::{ActArgs, Operator, block_on, unexpected};
use crate::site::SiteArgs;
use crate::table::count;
use crate::terminal::{Terminal, Tone};
use crate::views::DecidedView;
use ml_connector_core::delivery::{Decision, Receipt, StateKind};
use ml_connector_core::identity::DeliveryId;
use ml_connector_runtime::operator::{Command, Reply, Resolved};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Document;

/// Decisions sent at once.
const BATCH: usize = 500;

/// Arguments of `resolve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ml-connector resolve retry dlv_42 dlv_43 --reason 'period opened'\n  \
    ml-connector resolve retry --held --class period --reason 'period opened'\n  \
    ml-connector resolve retry --cause 3f2a90c1d4e5 --reason 'customer is released'\n  \
    ml-connector resolve posted dlv_42 --receipt journal=512 --reason 'found by hand'\n  \
    ml-connector resolve not-posted dlv_42 --reason 'searched, is not there'\n  \
    ml-connector resolve discard dlv_42 --reason 'refunded outside'\n\n\
    Exit codes: 0 every decision was taken, 1 some were not.")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    site: SiteArgs,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Try held deliveries again now. Refused where the target may already have one.
    Retry(ManyArgs),
    /// Say that a delivery stands in the target.
    Posted(PostedArgs),
    /// Say that a delivery does not stand in the target: it is sent.
    NotPosted(ManyArgs),
    /// Say that a delivery shall not be delivered.
    Discard(ManyArgs),
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let installation = args.site.read(terminal)?;
    block_on(async {
        let operator = Operator::of(&installation, terminal).await?;
        let done = match &args.what {
            What::Retry(args) => decide(args, Decision::Retry, &operator, terminal).await,
            What::Posted(args) => posted(args, &operator, terminal).await,
            What::NotPosted(args) => decide(args, Decision::NotPosted, &operator, terminal).await,
            What::Discard(args) => decide(args, Decision::Discard, &operator, terminal).await,
        };
        operator.close().await?;
        done
    })
}

/// Arguments of decisions that many deliveries can share.
#[derive(Debug, clap::Args)]
pub(crate) struct ManyArgs {
    /// Which, as lists print them.
    #[arg(value_parser = delivery_id, required_unless_present_any = ["held", "cause"], conflicts_with_all = ["held", "cause"])]
    deliveries: Vec<DeliveryId>,
    /// Everything that is held for one cause, as `deliveries holds` names it.
    #[arg(long, value_name = "CAUSE", conflicts_with = "held")]
    cause: Option<String>,
    /// All held deliveries, as far as `--class` and `--integration` select them.
    #[arg(long)]
    held: bool,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    act: ActArgs,
    /// For whom to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Arguments of `posted`.
#[derive(Debug, clap::Args)]
pub(crate) struct PostedArgs {
    /// Which, as lists print it.
    #[arg(value_parser = delivery_id)]
    delivery: DeliveryId,
    /// What the target calls it: `NAME=VALUE`, with the names its operation's receipt has; may be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    receipt: Vec<String>,
    #[command(flatten)]
    act: ActArgs,
    /// For whom to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Output of `resolve` and of `replay` with `--format json`, where decisions are taken.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "decisions")]
pub(crate) struct DecisionsOutput {
    /// Version of this document's form.
    version: u32,
    /// One for each delivery.
    results: Vec<DecidedView>,
}

async fn posted(
    args: &PostedArgs,
    operator: &Operator,
    terminal: &mut Terminal,
) -> anyhow::Result<Exit> {
    let mut receipt = Receipt::default();
    for pair in &args.receipt {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| usage(format!("`{pair}` is not of the form NAME=VALUE")))?;
        receipt.0.insert(name.to_owned(), Document::from(value));
    }
    let decision = Decision::Posted { receipt };
    let act = args.act.act(None)?;
    let command = Command::Resolve {
        deliveries: vec![args.delivery],
        decision,
        act,
    };
    let results = resolved(operator.ask(command).await?)?;
    print(&results, args.format, terminal)
}

async fn decide(
    args: &ManyArgs,
    decision: Decision,
    operator: &Operator,
    terminal: &mut Terminal,
) -> anyhow::Result<Exit> {
    let act = args.act.act(None)?;
    if let Some(cause) = &args.cause {
        let command = Command::ResolveCause {
            cause: cause.clone(),
            decision,
            act,
        };
        let results = resolved(operator.ask(command).await?)?;
        return print(&results, args.format, terminal);
    }
    let deliveries = if args.held {
        held(&args.which, operator).await?
    } else {
        args.deliveries.clone()
    };
    let bar = terminal.progress("deciding", deliveries.len() as u64);
    let mut results = Vec::with_capacity(deliveries.len());
    for batch in deliveries.chunks(BATCH) {
        let command = Command::Resolve {
            deliveries: batch.to_vec(),
            decision: decision.clone(),
            act: act.clone(),
        };
        results.extend(resolved(operator.ask(command).await?)?);
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    print(&results, args.format, terminal)
}

/// Every held delivery that is meant, as they stand before the first decision.
async fn held(which: &Which, operator: &Operator) -> anyhow::Result<Vec<DeliveryId>> {
    let mut selection = which.selection();
    selection.states = vec![StateKind::Held];
    selection.limit = 1000;
    let mut found = Vec::new();
    loop {
        let page = page(operator, &selection).await?;
        let last = page.len() < selection.limit;
        found.extend(page.into_iter().map(|(id, _)| id));
        selection.after = found.last().copied();
        if last {
            return Ok(found);
        }
    }
}

pub(super) fn resolved(reply: Reply) -> anyhow::Result<Vec<Resolved>> {
    let Reply::Resolved { results } = reply else {
        return Err(unexpected());
    };
    Ok(results)
}

/// Prints what became of each; some that were not decided are findings.
pub(super) fn print(
    results: &[Resolved],
    format: Format,
    terminal: &mut Terminal,
) -> anyhow::Result<Exit> {
    let failed = results.iter().filter(|one| one.error.is_some()).count();
    let views: Vec<DecidedView> = results.iter().map(DecidedView::of).collect();
    let decided = views.len() - failed;
    match format {
        Format::Json => terminal.json(&DecisionsOutput {
            version: 1,
            results: views,
        })?,
        Format::Text => {
            for view in &views {
                let text = match (&view.state, &view.error) {
                    (_, Some(error)) => terminal.tone(Tone::Bad, &format!("not decided: {error}")),
                    (Some(state), None) => format!("now {state}"),
                    (None, None) => "decided".to_owned(),
                };
                terminal.line(format!("{}: {text}", view.delivery))?;
                if let Some(notice) = &view.notice {
                    terminal.tell(format!("{}: {notice}", view.delivery));
                }
            }
            let decided = count(decided, "delivery decided", "deliveries decided");
            terminal.tell(if failed > 0 {
                format!("{decided}, {failed} not")
            } else {
                decided
            });
        }
    }
    Ok(if failed > 0 {
        Exit::Findings
    } else {
        Exit::Fine
    })
}
