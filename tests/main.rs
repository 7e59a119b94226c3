//! The one test binary of the workspace: what can only be seen from outside the crates.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that cannot go on says so where it stands, and plays the outside world itself"
)]

mod cli;
mod definitions;
mod diagnostics;
mod kill;
mod scenarios;
mod tidy;
