//! `pause` and `resume`: stop a connection's calls or an integration's deliveries, and let them go on.

use crate::failure::Exit;
use crate::operator::{ActArgs, Operator, block_on, unexpected};
use crate::site::SiteArgs;
use crate::terminal::Terminal;
use ml_connector_core::identity::{ConnectionId, InstanceId};
use ml_connector_runtime::operator::{Command, Reply};

/// Arguments of `pause`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    ml-connector pause netledger --reason 'month-end close'\n\n\
    ml-connector pause --integration payfast-netledger/receipts --reason 'wrong ledger account'\n\n\
    Webhooks are still taken; deliveries wait. The pause lasts until `resume`, also across restarts.")]
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
    #[arg(required_unless_present = "integration")]
    connection: Option<String>,
    /// An integration instead, as the site names it.
    #[arg(long, conflicts_with = "connection")]
    integration: Option<String>,
    #[command(flatten)]
    act: ActArgs,
    #[command(flatten)]
    site: SiteArgs,
}

impl Common {
    fn name(&self) -> &str {
        let name = self.connection.as_ref().or(self.integration.as_ref());
        name.map_or("", String::as_str)
    }
}

pub(super) fn pause(args: &PauseArgs, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let act = args.common.act.act(None)?;
    let command = match &args.common.integration {
        Some(instance) => Command::PauseIntegration {
            instance: InstanceId::new(instance),
            act,
        },
        None => Command::Pause {
            connection: ConnectionId::new(args.common.name()),
            act,
        },
    };
    ask(&args.common, command, "paused", terminal)
}

pub(super) fn resume(args: &ResumeArgs, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let act = args.common.act.act(Some("resumed on the command line"))?;
    let command = match &args.common.integration {
        Some(instance) => Command::ResumeIntegration {
            instance: InstanceId::new(instance),
            act,
        },
        None => Command::Resume {
            connection: ConnectionId::new(args.common.name()),
            act,
        },
    };
    ask(&args.common, command, "resumed", terminal)
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
    terminal.tell(format!("{done} `{}`", args.name()));
    Ok(Exit::Fine)
}
