//! The command line: arguments, loading files, printing; one file per command under `commands`.
//!
//! It wires and prints. It decides nothing about a delivery (that is `ml_connector_core::delivery`) and knows no table of
//! the store. What a program may read goes to stdout and has a version and a schema (`output`); what a person reads goes
//! to stderr. The binary's `main.rs` hands in what only it may know: the simulated world of the demonstration.

mod ask;
mod commands;
mod csv;
mod definitions;
pub mod demo;
mod expected;
mod failure;
mod files;
mod findings;
mod history;
mod memory;
mod moments;
mod operator;
mod outputs;
mod pages;
mod rehearsed;
mod reload;
mod running;
mod secrets;
mod site;
mod store;
mod table;
mod terminal;
mod vault;
mod views;

use clap::Parser;
use clap::error::ErrorKind;
use commands::Command;
use std::ffi::OsString;
use std::process::ExitCode;
use terminal::{ColourChoice, Terminal};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "ml-connector",
    bin_name = "ml-connector",
    about = "Moves money records between ERPs and the services that collect and pay.",
    disable_help_subcommand = true,
    arg_required_else_help = true,
    subcommand_required = true,
    version,
    after_help = "Exit codes: 0 fine, 1 findings, 2 wrong usage, 3 failure while running.\n\
                  Start with `ml-connector demo`; then `ml-connector validate` in a folder with definitions."
)]
struct Cli {
    /// When to colour output.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: ColourChoice,
    #[command(subcommand)]
    command: Command,
}

/// Runs the command line of this process and says how it ended. `stage` is where demonstrations come from.
pub fn main(stage: &dyn demo::Stage) -> ExitCode {
    run(std::env::args_os(), stage)
}

fn run(arguments: impl IntoIterator<Item = OsString>, stage: &dyn demo::Stage) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return explain_usage(&error),
    };
    let mut terminal = Terminal::of_process(cli.color);
    let done = commands::perform(cli.command, stage, &mut terminal)
        .and_then(|exit| terminal.flush().map(|()| exit).map_err(anyhow::Error::from));
    match done {
        Ok(exit) => exit.into(),
        Err(error) if failure::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is::<failure::Told>() {
                terminal.tell(failure::describe(&error));
            }
            failure::exit_code(&error)
        }
    }
}

/// Help and version are asked for and go to stdout; everything else is wrong usage.
fn explain_usage(error: &clap::Error) -> ExitCode {
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    let _reader_gone = error.print();
    if asked {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    }
}
