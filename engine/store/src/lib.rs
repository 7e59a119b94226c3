//! Durable state: a hash-chained journal as the only truth, an index that can be rebuilt from it, and the vault.
//!
//! The runtime sees one asynchronous facade of domain verbs, [`Store`]. It never sees a database type, and the store
//! never sees a clock, a network or a definition: `now` is an argument, decisions arrive made (see
//! `ml_connector_core::delivery::step`).
//!
//! # How a change happens
//! ```text
//! command ─► decide against the view ─► records ─► fold ─► write, sync ─► visible ─► answer
//!            └──────────────── the writer thread, many commands at once ────────────┘
//!                                                                └─► indexer thread ─► tree
//! ```
//! # The guarantees
//! - What was answered is on disk, whatever happens to process, machine or index afterwards.
//! - A command is stored as a whole or not at all; one that was not answered may be either.
//! - The index is what folding the journal gives, nothing else. It can be deleted while nobody has the store.
//! - Memory does not grow with the number of deliveries.
//!
//! # Where to look
//! `journal` the file format, torn tails and damage · `entry` what is recorded · `decide` commands to records ·
//! `index` keys, fold, tree · `writer` group commit · `open` recovery · `verify` auditing without the engine ·
//! `vault` secrets · `tokens` who may use the operator API.

mod announce;
mod blocking;
mod decide;
mod entry;
mod index;
mod journal;
mod lock;
mod medium;
mod meter;
mod model;
mod open;
mod read;
mod store;
pub mod tokens;
mod turn;
pub mod vault;
mod verify;
mod writer;

/// A disk in memory that can fail and lose its power, for the simulation.
#[cfg(any(test, feature = "simulation"))]
pub mod simulated {
    pub use crate::medium::{Fault, SimulatedDisk};
    pub use crate::verify::verify_simulated;
}

#[cfg(test)]
mod tests;

pub use announce::{Announcer, Changes};
pub use blocking::off_thread;
pub use journal::Damage;
pub use meter::{Meters, SYNC_BOUNDS_US};
pub use model::*;
pub use open::{Opening, Rebuilding};
pub use store::Store;
pub use verify::{AuditTrail, SealedRecord, Verification, read_journal, rebuild_index, verify};

use index::base::Unusable;
use ml_connector_core::identity::DeliveryId;
use serde_json::Value as Document;
use std::io;
use std::path::PathBuf;

/// Why the store cannot do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The journal cannot be written: nothing of this commit is stored.
    #[error("cannot write the journal: {0}")]
    Unwritable(String),
    /// The record changed since it was read.
    #[error("{0} has changed meanwhile")]
    Changed(DeliveryId),
    /// There is no such record.
    #[error("there is no {0}")]
    Missing(String),
    /// Stored bytes do not verify.
    #[error("damaged: {0}")]
    Damaged(#[from] Damage),
    /// The index fails. Nothing is lost: it is rebuilt by `store rebuild-index`, or by itself where opening notices.
    #[error("the index cannot be used: {0}")]
    Index(String),
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

impl From<Unusable> for Error {
    fn from(Unusable(why): Unusable) -> Self {
        Self::Index(why)
    }
}

/// Why a store cannot be opened. Nothing has been changed then.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{} is in use{}; stop that process, or send the command to it", .directory.display(), by(*.pid))]
    Locked {
        /// The store's directory.
        directory: PathBuf,
        /// The other process, if it says so.
        pid: Option<u32>,
    },
    /// The directory cannot be created or written.
    #[error("cannot use {} as the store's directory", .directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no store there.
    #[error("there is no store in {}", .0.display())]
    NoStore(PathBuf),
    /// A later version wrote it.
    #[error("{} has format {found}; this version reads up to {supported}: use the later version", .file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this version reads.
        supported: u32,
    },
    /// The journal does not verify. Restore the file from a copy; `store verify` shows how far the rest is sound.
    #[error("the journal is damaged: {0}")]
    Damaged(#[from] Damage),
    /// The journal cannot be read or written.
    #[error("cannot open the journal")]
    Journal(#[source] io::Error),
    /// The index cannot be built.
    #[error("cannot build the index: {0}")]
    Index(String),
    /// A thread cannot be started.
    #[error("cannot start a thread of the store")]
    Thread(#[source] io::Error),
}

impl From<journal::Error> for OpenError {
    fn from(error: journal::Error) -> Self {
        match error {
            journal::Error::Damaged(damage) => Self::Damaged(damage),
            journal::Error::Newer { file, found } => Self::Newer {
                file,
                found,
                supported: journal::segment::FORMAT,
            },
            journal::Error::Io(source) => Self::Journal(source),
        }
    }
}

fn by(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" by process {pid}"))
        .unwrap_or_default()
}

/// Opens the store in a directory, creating it if it is not there.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it lies.
    pub directory: PathBuf,
    /// A segment is closed when it is this long, in bytes.
    pub segment_bytes: u64,
    /// Memory the index may use for its cache, in bytes.
    pub index_cache_bytes: u64,
}

impl Options {
    /// The usual sizes for a directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            segment_bytes: 64 * 1024 * 1024,
            index_cache_bytes: 8 * 1024 * 1024,
        }
    }
}

/// A document that is not there.
pub const NOTHING: Document = Document::Null;
