//! Measures the built binary from outside, as a child process: intake, pipeline, outage, backlog, validation.
//!
//! Every figure stands beside one taken in the same run, because machines differ: intake beside a bare append and sync
//! of the same bytes. Nothing here asserts a time. What is asserted is the count: lost, doubled, corrupted.

mod cases;
mod driver;
mod engine;
mod process;
mod sink;
mod table;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Measure the engine.
#[derive(Debug, Parser)]
#[command(
    about,
    after_help = "Example: cargo run --release -p ml-connector-bench -- intake --batch 250"
)]
struct Arguments {
    /// The binary to measure; default: the one built beside this program.
    #[arg(long, global = true)]
    binary: Option<PathBuf>,
    /// Where stores are made; a real disk, not a memory file system.
    #[arg(long, global = true, default_value = "target/bench")]
    directory: PathBuf,
    /// How often each figure is taken; medians are printed.
    #[arg(long, global = true, default_value_t = 3)]
    rounds: u32,
    #[command(subcommand)]
    case: Case,
}

#[derive(Debug, Subcommand)]
enum Case {
    /// Signed webhooks, verified, deduplicated, durable, beside a bare append and sync.
    Intake {
        /// Events per webhook.
        #[arg(long, default_value_t = 250)]
        batch: usize,
        /// Webhooks per round.
        #[arg(long, default_value_t = 200)]
        webhooks: usize,
        /// Connections of the sender.
        #[arg(long, default_value_t = 4)]
        connections: usize,
    },
    /// Events in, receipts out: the GC-250 scenario with its four sinks.
    Pipeline {
        /// How the sink behaves.
        #[arg(long, value_enum, default_value = "fast")]
        mode: sink::Mode,
        /// Webhooks of 250 events per round.
        #[arg(long, default_value_t = 40)]
        webhooks: usize,
        /// Connections of the sender.
        #[arg(long, default_value_t = 4)]
        connections: usize,
        /// SIGKILL once at this share of the events posted, then start again.
        #[arg(long)]
        kill_at: Option<f64>,
    },
    /// Many events waiting for a sink that is away: memory, restart, drain.
    Backlog {
        /// Events waiting.
        #[arg(long, default_value_t = 1_000_000)]
        events: usize,
        /// How many are drained at the end.
        #[arg(long, default_value_t = 50_000)]
        drain: usize,
    },
    /// `validate` over generated integrations.
    Validate {
        /// Integration files.
        #[arg(long, default_value_t = 1000)]
        files: usize,
    },
    /// Everything above in small, for CI.
    Small,
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(Arguments::parse())),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            table::complain(&format!("{error:#}"));
            ExitCode::from(3)
        }
    }
}

/// Runs one case; false if anything was lost, doubled or corrupted.
async fn run(arguments: Arguments) -> Result<bool> {
    std::fs::create_dir_all(&arguments.directory)?;
    let bench = engine::Bench::new(arguments.binary, &arguments.directory, arguments.rounds)?;
    match arguments.case {
        Case::Intake {
            batch,
            webhooks,
            connections,
        } => cases::intake(&bench, batch, webhooks, connections).await,
        Case::Pipeline {
            mode,
            webhooks,
            connections,
            kill_at,
        } => cases::pipeline(&bench, mode, webhooks, connections, kill_at).await,
        Case::Backlog { events, drain } => cases::backlog(&bench, events, drain).await,
        Case::Validate { files } => cases::validate(&bench, files).await,
        Case::Small => {
            let mut fine = cases::intake(&bench, 250, 20, 4).await?;
            fine &= cases::intake(&bench, 1, 500, 16).await?;
            for mode in [sink::Mode::Fast, sink::Mode::Ambiguous, sink::Mode::Down] {
                fine &= cases::pipeline(&bench, mode, 4, 4, None).await?;
            }
            fine &= cases::pipeline(&bench, sink::Mode::Ambiguous, 4, 4, Some(0.4)).await?;
            fine &= cases::validate(&bench, 100).await?;
            Ok(fine)
        }
    }
}
