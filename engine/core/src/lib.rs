//! The pure core of ml-connector: it decides, and touches nothing.
//!
//! No clock, no randomness, no files, no sockets, no environment, no logging: whatever of these a decision needs is an
//! argument. See `ARCHITECTURE.md` for the map and `docs/guide/glossary.md` for the words.

pub mod calendar;
pub mod cases;
pub mod check;
pub mod codes;
pub mod definition;
pub mod delivery;
pub mod diagnostic;
pub mod hex;
pub mod http;
pub mod identity;
pub mod input;
pub mod mapping;
pub mod masking;
pub mod money;
pub mod plan;
pub mod protocol;
pub mod reconcile;
pub mod rehearsal;
mod required;
pub mod schema;
pub mod source;
pub mod template;
pub mod value;
pub mod yaml;
