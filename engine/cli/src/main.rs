//! The binary: the command line with the demonstration's simulated world plugged in.

mod simulated;

use std::process::ExitCode;

/// Events and documents are many small pieces made by one thread and dropped by another, which is what this allocator is
/// made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ml_connector_cli::main(&simulated::Simulators)
}
