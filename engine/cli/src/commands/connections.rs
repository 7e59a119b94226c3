//! `pause` and `resume`: stop a connection's calls, and let them go on.

use crate::failure::Exit;
use crate::operator::{ActArgs, Operator, block_on, unexpected};
use crate::site::SiteArgs;
use crate::terminal::Terminal;
use ml_connector_core::identity::ConnectionId;
use ml_connector_runtime::operator::{Command, Reply};

/// Arguments of `pause`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    ml-connector pause netledger --reason 'month-end close'\n\n\
    Webhooks are still taken; deliveries wait. The pause ends with `resume` or with the engine.")]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    common: Common,
}

/// Arguments of `resume`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    ml-connector resume netledger --reason 'close is done'\n\n\
    It also tries a connection at once that the engine stopped calling because its system was in trouble.")]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// The connection, as the site names it.
    connection: String,
    #[command(flatten)]
    act: ActArgs,
    #[command(flatten)]
    site: SiteArgs,
}

pub(super) fn pause(args: &PauseArgs, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let Common {
        connection, act, ..
    } = &args.common;
    let command = Command::Pause {
        connection: ConnectionId::new(connection),
        act: act.act(None)?,
    };
    ask(&args.common, command, "paused", terminal)
}

pub(super) fn resume(args: &ResumeArgs, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let Common {
        connection, act, ..
    } = &args.common;
    let act = act.act(Some("resumed on the command line"))?;
    ask(
        &args.common,
        Command::Resume {
            connection: ConnectionId::new(connection),
            act,
        },
        "resumed",
        terminal,
    )
}

fn ask(
    args: &Common,
    command: Command,
    done: &str,
    terminal: &mut Terminal,
) -> anyhow::Result<Exit> {
    let installation = args.site.read(terminal)?;
    let reply = block_on(Operator::ask_once(&installation, terminal, command))?;
    let Reply::Done = reply else {
        return Err(unexpected());
    };
    terminal.tell(format!("{done} `{}`", args.connection));
    Ok(Exit::Fine)
}
