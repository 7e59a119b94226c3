//! A world to demonstrate the engine in, and to kill it in: simulated systems on loopback ports, records that are made in a
//! planned way, and a closing table.
//!
//! Whoever drives it needs to know nothing about the systems: a [`Pairing`] is chosen by name, and a [`World`] gives the
//! site file, the secrets and the crosswalk entries to start an engine with, then lets its parts happen and says when
//! everything must have arrived. What is wrong in the end is decided by the books of both sides alone ([`crate::books`]).
//!
//! **A further pairing** is a folder here, named like its folder under `mappings/`, with a [`Play`]: which systems there are,
//! what the site file says, what happens in a part, and what the books say. It is listed in [`PAIRINGS`]; the command
//! `demo` shows it, and the campaign of SIGKILLs in `tests/kill.rs` runs it, without another line. Where GoCardless is the
//! source, `collector` has what all of them need.

mod cast;
mod closing;
mod collector;
mod files;
mod oracle_ebs_gocardless;
mod pairing;
mod plan;
mod sage_x3_gocardless;
mod syspro;
pub mod syspro_gocardless;
mod syspro_paychex;
mod world;

pub use closing::{Closing, EngineCounts, Line, Money};
pub use files::{definitions, plan};
pub use pairing::{Account, Doing, Pairing, Part, Play, Point, Starting, Stopping, Tally};
pub use plan::Options;
pub use world::{CrosswalkRow, Progress, World};

/// All pairings, in the order in which they are shown.
pub const PAIRINGS: &[Pairing] = &[
    syspro_gocardless::PAIRING,
    sage_x3_gocardless::PAIRING,
    oracle_ebs_gocardless::PAIRING,
    syspro_paychex::PAIRING,
];

/// Why a world cannot be set up or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No loopback port.
    #[error("cannot listen on a loopback port")]
    Listen(#[source] std::io::Error),
    /// Somebody who cannot be set up, e.g. for a currency without a direct debit scheme.
    #[error("{0} cannot be set up")]
    SetUp(&'static str),
}

/// Where the engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Address and port for webhooks.
    pub webhooks: String,
    /// Address and port for the console.
    pub admin: String,
}

impl Pairing {
    /// The pairing of that name.
    pub fn named(name: &str) -> Option<Self> {
        PAIRINGS
            .iter()
            .copied()
            .find(|pairing| pairing.name == name)
    }
}

/// A site file up to and with the line `connections:`; connections, indented by two, and `integrations:` follow.
pub fn site_head(listen: &Listen) -> String {
    format!(
        "version: 1\nsite: demo\nstore: {{ path: data }}\n\
         vault: {{ path: data/vault, key: {{ file: vault.key }} }}\n\
         listen: {{ webhooks: \"{}\", admin: \"{}\" }}\n\
         connections:\n",
        listen.webhooks, listen.admin
    )
}
