//! The external systems as strict, stateful state machines in memory.
//!
//! Each system is one `Simulator` with `handle(&mut self, &HttpRequest, now) -> Reply`: no socket, no clock, no thread,
//! so that a test decides what time it is and in which order things happen. [`serve`] puts any of them behind a real
//! loopback port, on the real clock for the demo and for the tests that kill the engine, on a test's own for the stories of the
//! flows; [`webhooks`] delivers the notifications that a system wants to send, and [`books`] compares what both sides hold,
//! without asking the engine.
//!
//! **Invariants.** A simulator refuses what the real system refuses; where the fact sheet calls something unverified, a
//! switch decides, and tests are expected to pass under each of its positions. Every rule names the section of the fact
//! sheet it copies: "GC 2.6" is section 2.6 of the GoCardless sheet, "SY 4.1" section 4.1 of the SYSPRO
//! sheet, "PX 4.1" of the Paychex sheet, "EB 5.4" of the Oracle E-Business Suite sheet, "X3 5.4" of the
//! Sage X3 sheet. Money is
//! integers in minor units or [`rust_decimal::Decimal`]; ids come from a seed, so a run repeats exactly.

#![allow(
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::format_push_string,
    clippy::format_collect,
    clippy::type_complexity,
    clippy::assigning_clones,
    clippy::unused_self,
    clippy::match_same_arms,
    clippy::nonminimal_bool,
    reason = "test code, written after the fact sheets rule by rule"
)]

pub mod books;
pub mod demo;
pub mod entropy;
pub mod faults;
pub mod gocardless;
mod late;
pub mod oracle_ebs;
pub mod paychex;
pub mod reply;
pub mod sage_x3;
pub mod serve;
pub mod syspro;
pub mod system;
pub mod webhooks;
mod wire;

pub use reply::{Reply, Ticket};
pub use system::Simulated;

/// Switches that differ from the default in this, with a name for a test's output.
fn variation<S: Default>(name: &'static str, change: fn(&mut S)) -> (&'static str, S) {
    let mut switches = S::default();
    change(&mut switches);
    (name, switches)
}
