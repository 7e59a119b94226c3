//! The one test binary of the workspace: what can only be seen from outside the crates.

mod cli;
mod definitions;
mod diagnostics;
mod kill;
mod scenarios;
mod tidy;
