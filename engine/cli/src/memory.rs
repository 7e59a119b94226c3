//! What the allocator keeps of memory that is free again.
//!
//! It keeps pages for a second before it gives them back, and looks at them only while something else is allocated. An
//! engine that takes a burst in and then waits out an outage would hold on to the burst's pages for hours (ADR 18).

use crate::failure::Advised as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// The allocator's own variable, in milliseconds. It is read before `main` begins.
const DELAY: &str = "MIMALLOC_PURGE_DELAY";

/// Starts this process over with an allocator that gives pages back at once, unless somebody has chosen otherwise.
///
/// It stays the same process, with the same arguments, limits and open files.
///
/// # Errors
/// If it cannot be started over. It does not go on then, because trying has put its signals back to what they are before
/// `main`.
#[expect(
    clippy::disallowed_methods,
    reason = "whether somebody has chosen otherwise is known to the environment only"
)]
pub(crate) fn give_back_at_once() -> anyhow::Result<()> {
    let what = || "cannot start over with an allocator that gives memory back".to_owned();
    let help = || format!("set {DELAY}=0 where the engine is started");
    if std::env::var_os(DELAY).is_some() {
        return Ok(());
    }
    let binary = std::env::current_exe().advise(what, help)?;
    let mut arguments = std::env::args_os();
    let mut again = Command::new(binary);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    let failed = again.args(arguments).env(DELAY, "0").exec();
    Err(failed).advise(what, help)
}
