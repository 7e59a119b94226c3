//! The one test binary of the workspace: what can only be seen from outside the crates.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    clippy::format_collect,
    clippy::zombie_processes,
    reason = "a test that cannot go on should say so where it stands, and these run real processes in real time"
)]

mod campaign;
mod canary;
mod cli;
mod connect;
mod definitions;
mod diagnostics;
mod flows;
mod guide;
mod kill;
mod operator;
mod scenarios;
mod tidy;
