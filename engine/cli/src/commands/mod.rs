//! The commands, one file each. Each has its arguments (with an example in its help) and one function that performs it.

mod completions;
mod explain;
mod schema;
mod secrets;
mod validate;
mod version;

use crate::failure::Exit;
use crate::terminal::Terminal;
use clap::{Subcommand, ValueEnum};

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check definitions, without network and without secrets.
    Validate(validate::Args),
    /// Keep secret values in the encrypted vault.
    Secrets(secrets::Args),
    /// Say what a finding's code means.
    Explain(explain::Args),
    /// Print the JSON Schema of a definition or of an output.
    Schema(schema::Args),
    /// Print the version.
    Version(version::Args),
    /// Print completions for a shell.
    Completions(completions::Args),
}

/// Performs a command.
pub(crate) fn perform(command: Command, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    match command {
        Command::Validate(args) => validate::perform(&args, terminal),
        Command::Secrets(args) => secrets::perform(&args, terminal),
        Command::Explain(args) => explain::perform(&args, terminal),
        Command::Schema(args) => schema::perform(&args, terminal),
        Command::Version(args) => version::perform(&args, terminal),
        Command::Completions(args) => completions::perform(&args, terminal),
    }
}

/// For whom a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one document, described by `ml-connector schema output NAME`.
    Json,
}
