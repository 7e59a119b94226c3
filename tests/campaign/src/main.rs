//! Runs seeds and says which one broke a promise, with the command that repeats it.

use clap::Parser;
use ml_connector_campaign::{Mode, run};
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Seeded runs of the whole engine on a simulated disk, clock and network.
#[derive(Debug, Parser)]
#[command(after_help = "Example: ml-connector-campaign --seeds 10000")]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first one.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Only this mode of the ledger; else the modes take turns.
    #[arg(long)]
    mode: Option<Mode>,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Prints what was done in each run.
    #[arg(long)]
    acts: bool,
    /// Ends with the first run that breaks a promise.
    #[arg(long)]
    first: bool,
}

#[derive(Debug, Default)]
struct Row {
    runs: u64,
    events: usize,
    crashes: usize,
    in_doubt: usize,
    broken: u64,
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that reports"
)]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let next = AtomicU64::new(arguments.from);
    let end = arguments.from.saturating_add(arguments.seeds);
    let rows: Mutex<Vec<(Mode, Row)>> = Mutex::new(
        Mode::ALL
            .into_iter()
            .map(|mode| (mode, Row::default()))
            .collect(),
    );
    let terminal = std::io::stderr().is_terminal();
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || (arguments.first && any_broken(&rows)) {
                        return;
                    }
                    let turn = usize::try_from(seed % 4).unwrap_or_default();
                    let mode = arguments.mode.or_else(|| Mode::ALL.get(turn).copied());
                    let mode = mode.unwrap_or(Mode::Ambiguous);
                    one(&arguments, seed, mode, &rows);
                    if terminal && seed.is_multiple_of(50) {
                        eprint!("\r{} of {}", seed - arguments.from, arguments.seeds);
                        std::io::stderr().flush().ok();
                    }
                }
            });
        }
    });
    let rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!(
        "{:<10} {:>7} {:>9} {:>8} {:>9} {:>7}",
        "SINK", "RUNS", "EVENTS", "CRASHES", "DECIDED", "BROKEN"
    );
    for (mode, row) in &rows {
        let name = mode.as_str();
        println!(
            "{name:<10} {:>7} {:>9} {:>8} {:>9} {:>7}",
            row.runs, row.events, row.crashes, row.in_doubt, row.broken
        );
    }
    let broken: u64 = rows.iter().map(|(_, row)| row.broken).sum();
    if broken > 0 {
        println!("{broken} runs broke a promise");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn any_broken(rows: &Mutex<Vec<(Mode, Row)>>) -> bool {
    let rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
    rows.iter().any(|(_, row)| row.broken > 0)
}

#[expect(clippy::print_stdout, reason = "a program that reports")]
fn one(arguments: &Arguments, seed: u64, mode: Mode, rows: &Mutex<Vec<(Mode, Row)>>) {
    let outcome = run(seed, mode);
    let mut rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((_, row)) = rows.iter_mut().find(|(one, _)| *one == mode) else {
        return;
    };
    row.runs += 1;
    match outcome {
        Ok(outcome) => {
            row.events += outcome.events;
            row.crashes += outcome.crashes;
            row.in_doubt += outcome.in_doubt;
            if arguments.acts {
                println!("{}", outcome.acts.join("\n"));
            }
            if outcome.wrong.is_empty() {
                return;
            }
            println!("seed {seed}: {}", outcome.wrong.join("\n  "));
        }
        Err(error) => println!("seed {seed}: {error:#}"),
    }
    row.broken += 1;
    let word = mode.as_str();
    println!(
        "  again: cargo run --release -p ml-connector-campaign -- --from {seed} --seeds 1 --mode {word} --acts"
    );
}
