//! The async shell: it receives, polls, works and answers operators, and decides nothing about a
//! delivery itself.
//!
//! Every decision is `ml_connector_core`'s, every durable fact is `ml_connector_store`'s. What is
//! left is to wait, to send and to stop cleanly. The outside world comes in through four seams
//! ([`Clock`], [`Entropy`], [`Transport`], [`SecretSource`]), each with a simulated twin in
//! [`simulated`], so that whole outages run in virtual time.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::wildcard_enum_match_arm,
        clippy::disallowed_methods,
        clippy::float_cmp,
        clippy::match_wild_err_arm,
        clippy::format_collect,
        clippy::unused_async,
        reason = "a test that cannot go on should say so where it stands"
    )
)]

mod admin;
pub mod api;
mod capture;
pub mod connect;
mod connection;
mod context;
mod counters;
mod credentials;
mod deliver;
mod engine;
mod generation;
mod intake;
mod metrics;
pub mod operator;
mod poller;
mod receiver;
mod seams;
mod server;
mod settle;
pub mod simulated;
pub mod telemetry;
mod transport;
mod worker;

#[cfg(test)]
mod tests;

pub use connection::{Cause, CircuitView, Pause, Unusable};
pub use counters::CountersSnapshot;
pub use engine::{Engine, EngineOptions, Listen, ReloadError, ReloadRequest, StartError, Stopped};
pub use seams::{
    Clock, Entropy, Outgoing, Seams, Secret, SecretError, SecretSource, SecretTurn, SystemClock,
    SystemEntropy, Transport,
};
pub use transport::{Error as TransportError, HttpTransport};
