//! `completions`: a script that completes commands and options in a shell.

use crate::Cli;
use crate::failure::Exit;
use crate::terminal::Terminal;
use clap::CommandFactory;
use clap_complete::Shell;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  ml-connector completions bash > /etc/bash_completion.d/ml-connector"
)]
pub(crate) struct Args {
    /// Which shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ml-connector", &mut script);
    terminal.raw(script)?;
    Ok(Exit::Fine)
}
