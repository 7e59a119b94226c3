//! `reload`: have a running engine read its definitions again.

use crate::failure::Exit;
use crate::operator::{ActArgs, Operator, block_on, unexpected};
use crate::site::SiteArgs;
use crate::terminal::Terminal;
use ml_connector_runtime::operator::{Command, Reply};

/// Arguments of `reload`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    ml-connector reload --reason 'new fee code'\n\n\
    The engine also does so by itself, on SIGHUP and when the files have changed and are at rest. Definitions with errors\n\
    are not taken over; what runs goes on. Ends when the calls under way have ended and the new ones run.\n\
    Exit codes: 0 they run, 1 they have errors.")]
pub(crate) struct Args {
    #[command(flatten)]
    act: ActArgs,
    #[command(flatten)]
    site: SiteArgs,
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let command = Command::Reload {
        act: args.act.act(None)?,
    };
    let installation = args.site.read(terminal)?;
    let reply = block_on(Operator::ask_once(&installation, terminal, command))?;
    let Reply::Reloaded(status) = reply else {
        return Err(unexpected());
    };
    let (done, exit) = if status.loaded {
        ("reloaded", Exit::Fine)
    } else {
        ("not reloaded; what runs goes on", Exit::Findings)
    };
    terminal.tell(match status.why.as_str() {
        "" => done.to_owned(),
        why => format!("{done}: {why}"),
    });
    Ok(exit)
}
