//! Durable state: a hash-chained journal as the only truth, an index that can be rebuilt from it, and the vault.
//!
//! The runtime sees one asynchronous facade of domain verbs, [`Store`]. It never sees a database type, and the store
//! never sees a clock, a network or a definition: `now` is an argument, decisions arrive made (see
//! `ml_connector_core::delivery::step`).

mod model;
pub mod vault;

pub use model::*;

use jiff::Timestamp;
use ml_connector_core::identity::{
    ConnectionId, CrosswalkId, DedupKey, DeliveryId, InstanceId, MessageId, Reference, StreamId,
};
use serde_json::Value as Document;

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
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
    Damaged(String),
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

/// The embedded store. Cheap to clone; every clone is the same store.
#[derive(Debug, Clone)]
pub struct Store {}

#[allow(clippy::unused_async, reason = "signatures only")]
impl Store {
    /// Accepts events: ledger, messages, deliveries and cursor in one durable commit.
    pub async fn inbox_accept(&self, _intake: Intake) -> Result<Accepted, Error> {
        todo!()
    }
    /// A poll's cursor.
    pub async fn cursor(&self, _poll: &StreamId) -> Result<Option<String>, Error> {
        todo!()
    }
    /// Reserves due deliveries of a lane (pending, uncertain, or held until now), oldest due first, only the head of each
    /// order key, none twice until its transition is recorded or it is released. A reservation is not durable: what was
    /// only reserved when the process ends is simply due again.
    pub async fn delivery_reserve(
        &self,
        _lane: &ConnectionId,
        _now: Timestamp,
        _limit: usize,
    ) -> Result<Vec<Delivery>, Error> {
        todo!()
    }
    /// Gives a reservation back without a transition.
    pub async fn delivery_release(&self, _delivery: DeliveryId) {
        todo!()
    }
    /// When the lane's next unreserved delivery is due.
    pub async fn delivery_next_due(
        &self,
        _lane: &ConnectionId,
    ) -> Result<Option<Timestamp>, Error> {
        todo!()
    }
    /// Records a transition durably; a terminal state releases its order key and everything that awaits the delivery in
    /// the same commit. Ends the reservation unless the new state is in flight.
    ///
    /// # Errors
    /// [`Error::Changed`] if the revision is not the present one.
    pub async fn delivery_record(&self, _transition: Transition) -> Result<Delivery, Error> {
        todo!()
    }
    /// Deliveries in flight: after a start, those whose process ended.
    pub async fn delivery_in_flight(&self) -> Result<Vec<Delivery>, Error> {
        todo!()
    }
    /// One delivery.
    pub async fn delivery_get(&self, _id: DeliveryId) -> Result<Option<Delivery>, Error> {
        todo!()
    }
    /// The delivery an instance made of a dedup key.
    pub async fn delivery_by_key(
        &self,
        _instance: &InstanceId,
        _key: &DedupKey,
    ) -> Result<Option<Delivery>, Error> {
        todo!()
    }
    /// The delivery an instance wrote under a reference.
    pub async fn delivery_by_reference(
        &self,
        _instance: &InstanceId,
        _reference: &Reference,
    ) -> Result<Option<Delivery>, Error> {
        todo!()
    }
    /// A page of deliveries by id.
    pub async fn delivery_list(&self, _selection: &Selection) -> Result<Vec<Delivery>, Error> {
        todo!()
    }
    /// Everything that happened to a delivery, oldest first, starting with its message.
    pub async fn delivery_history(&self, _id: DeliveryId) -> Result<Vec<AuditRecord>, Error> {
        todo!()
    }
    /// A stored event.
    pub async fn message_get(&self, _id: MessageId) -> Result<Option<Message>, Error> {
        todo!()
    }
    /// A crosswalk entry's values.
    pub async fn crosswalk_get(
        &self,
        _table: &CrosswalkId,
        _key: &str,
    ) -> Result<Option<Document>, Error> {
        todo!()
    }
    /// Sets (or, with null values, removes) entries, and releases the deliveries held for them in the same commit.
    /// Returns how many were released.
    pub async fn crosswalk_set(
        &self,
        _entries: Vec<CrosswalkEntry>,
        _at: Timestamp,
        _actor: &str,
        _reason: Option<&str>,
    ) -> Result<u64, Error> {
        todo!()
    }
    /// A page of a table's entries by key.
    pub async fn crosswalk_list(
        &self,
        _table: Option<&CrosswalkId>,
        _after: Option<&str>,
        _limit: usize,
    ) -> Result<Vec<CrosswalkEntry>, Error> {
        todo!()
    }
    /// Keeps a note in the audit trail.
    pub async fn note(&self, _note: Note, _at: Timestamp) -> Result<(), Error> {
        todo!()
    }
    /// Counters by instance.
    pub async fn counts(&self) -> Result<Vec<(InstanceId, Counts)>, Error> {
        todo!()
    }
    /// Sequence number and hash of the newest record.
    pub async fn head(&self) -> Result<(u64, [u8; 32]), Error> {
        todo!()
    }
    /// Changes whenever something may have become due: a hint, never the truth.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        todo!()
    }
    /// Waits until everything accepted is indexed, then closes. Other clones give [`Error::Closed`] from then on.
    pub async fn close(&self) -> Result<(), Error> {
        todo!()
    }
}

/// Opens the store in a directory, creating it if it is not there.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it lies.
    pub directory: std::path::PathBuf,
    /// A segment is closed when it is this long, in bytes.
    pub segment_bytes: u64,
    /// Memory the index may use for its cache, in bytes.
    pub index_cache_bytes: u64,
}

/// A document that is not there.
pub const NOTHING: Document = Document::Null;
