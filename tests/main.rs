//! The one test binary of the workspace: what can only be seen from outside the crates.

mod cli;
mod diagnostics;
mod tidy;
