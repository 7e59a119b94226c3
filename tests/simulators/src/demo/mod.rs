//! A world to demonstrate the engine in, and to kill it in: simulated systems on loopback ports, customers on both
//! sides, payments that arrive in a planned way, and a closing table.
//!
//! Whoever drives it needs to know nothing about the systems: a [`Scenario`] is chosen by name, and a [`World`] gives
//! the site file, the secrets and the crosswalk entries to start an engine with, then sends its events and says when
//! everything must have arrived. What is wrong in the end is decided by the books of both sides alone
//! ([`crate::books`]).

mod cast;
mod closing;
mod files;
mod plan;
mod world;

pub use closing::{Closing, EngineCounts, Line, Money};
pub use files::definitions;
pub use plan::Options;
pub use world::{CrosswalkRow, Error, Listen, Progress, World};

/// A pairing that can be demonstrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What happens in it, in a sentence.
    pub title: &'static str,
}

/// All scenarios; the first is the default.
pub const SCENARIOS: &[Scenario] = &[Scenario {
    name: "syspro-gocardless",
    title: "Payments that GoCardless collects become receipts in SYSPRO",
}];

impl Scenario {
    /// The scenario of that name.
    pub fn named(name: &str) -> Option<Self> {
        SCENARIOS
            .iter()
            .copied()
            .find(|scenario| scenario.name == name)
    }

    /// Sets the world up: both systems answer, nothing has been sent yet.
    pub async fn start(self, options: Options) -> Result<World, Error> {
        World::start(self, options).await
    }
}
