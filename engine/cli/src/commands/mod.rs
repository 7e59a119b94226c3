//! The commands, one file each. Each has its arguments (with an example in its help) and one function that performs it.

mod audit;
mod completions;
mod connect;
mod connections;
mod crosswalk;
mod deliveries;
mod demo;
mod explain;
mod new;
mod ping;
mod preview;
mod reconcile;
mod reload;
mod replay;
mod resolve;
mod run;
mod schema;
mod secrets;
mod status;
mod store;
mod test;
mod tokens;
mod validate;
mod version;

use crate::demo::Stage;
use crate::failure::Exit;
use crate::terminal::Terminal;
use clap::{Subcommand, ValueEnum};

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the engine at work against simulated systems, and compare the books.
    Demo(demo::Args),
    /// Run the engine: take webhooks, poll, deliver.
    Run(run::Args),
    /// Check definitions, without network and without secrets.
    Validate(validate::Args),
    /// Run the mapping cases.
    Test(test::Args),
    /// Begin a definition, with what the systems' definitions say filled in.
    New(new::Args),
    /// Show the exact request an event would lead to, and why. Sends nothing.
    Preview(preview::Args),
    /// Log on to the real systems and read something harmless.
    Ping(ping::Args),
    /// Let a person authorize a connection, and keep its refresh token.
    Connect(connect::Args),
    /// Keep secret values in the encrypted vault.
    Secrets(secrets::Args),
    /// Say who may use the operator API.
    Tokens(tokens::Args),
    /// Say how everything stands.
    Status(status::Args),
    /// Look at records on their way, and at what waits for a person.
    Deliveries(deliveries::Args),
    /// Decide about records that wait for a person.
    Resolve(resolve::Args),
    /// Take records through the present definitions again, by a plan.
    Replay(replay::Args),
    /// Compare what the source says that it has done with what was posted.
    Reconcile(reconcile::Args),
    /// Prove what happened.
    Audit(audit::Args),
    /// Care for the matching tables.
    Crosswalk(crosswalk::Args),
    /// Stop a connection's calls.
    Pause(connections::PauseArgs),
    /// Let a connection's calls go on.
    Resume(connections::ResumeArgs),
    /// Have the engine read its definitions again.
    Reload(reload::Args),
    /// Care for the store's files.
    Store(store::Args),
    /// Say what a finding's code means.
    Explain(explain::Args),
    /// Print the JSON Schema of a definition or of an output.
    Schema(schema::Args),
    /// Print completions for a shell.
    Completions(completions::Args),
    /// Print the version.
    Version(version::Args),
}

/// Performs a command.
pub(crate) fn perform(
    command: Command,
    stage: &dyn Stage,
    terminal: &mut Terminal,
) -> anyhow::Result<Exit> {
    match command {
        Command::Demo(args) => demo::perform(&args, stage, terminal),
        Command::Run(args) => run::perform(&args, terminal),
        Command::Validate(args) => validate::perform(&args, terminal),
        Command::Test(args) => test::perform(&args, terminal),
        Command::New(args) => new::perform(&args, terminal),
        Command::Preview(args) => preview::perform(&args, terminal),
        Command::Ping(args) => ping::perform(&args, terminal),
        Command::Connect(args) => connect::perform(&args, terminal),
        Command::Secrets(args) => secrets::perform(&args, terminal),
        Command::Tokens(args) => tokens::perform(&args, terminal),
        Command::Status(args) => status::perform(&args, terminal),
        Command::Deliveries(args) => deliveries::perform(&args, terminal),
        Command::Resolve(args) => resolve::perform(&args, terminal),
        Command::Replay(args) => replay::perform(&args, terminal),
        Command::Reconcile(args) => reconcile::perform(&args, terminal),
        Command::Audit(args) => audit::perform(&args, terminal),
        Command::Crosswalk(args) => crosswalk::perform(&args, terminal),
        Command::Pause(args) => connections::pause(&args, terminal),
        Command::Resume(args) => connections::resume(&args, terminal),
        Command::Reload(args) => reload::perform(&args, terminal),
        Command::Store(args) => store::perform(&args, terminal),
        Command::Explain(args) => explain::perform(&args, terminal),
        Command::Schema(args) => schema::perform(&args, terminal),
        Command::Completions(args) => completions::perform(&args, terminal),
        Command::Version(args) => version::perform(&args, terminal),
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
