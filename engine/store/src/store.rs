//! The facade.
//!
//! Long because: every verb that changes something stands here with its promise, and each only hands a command to the
//! writer. What only reads stands in `reading` and `listing`.

mod listing;
mod reading;

use crate::decide::{Answer, Command};
use crate::entry::{PauseEntry, PauseKind};
use crate::index::key;
use crate::index::row::{self, Row};
use crate::index::view::View;
use crate::journal::{Appender, Journal};
use crate::lock::{Lock, LockError};
use crate::medium::Medium;
use crate::meter::{Meter, Meters};
use crate::model::{
    Accepted, Counts, CrosswalkEntry, Delivery, Intake, Message, Note, Pausable, Paused, Print,
    Routing, Transition,
};
use crate::open::{self, Opening, Rebuilding};
use crate::writer::{Job, Orders, Writer};
use crate::{Announcer, Changes, Error, OpenError, Options, off_thread, read};
use jiff::Timestamp;
use ml_connector_core::delivery::Awaited;
use ml_connector_core::identity::{
    ConnectionId, CrosswalkId, DeliveryId, InstanceId, MessageId, StreamId,
};
use serde_json::Value as Document;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use tokio::sync::{Semaphore, oneshot};

/// Commands that wait for the writer at most; more callers wait for a place.
const WAITING_MAX: usize = 1024;

/// The embedded store. Cheap to clone; every clone is the same store.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// `None` once it is closed.
    shared: RwLock<Option<Arc<Shared>>>,
    threads: Mutex<Option<Threads>>,
    places: Semaphore,
    announcer: Announcer,
    meter: Arc<Meter>,
    opening: Opening,
    index: PathBuf,
    _lock: Option<Lock>,
}

/// What reading and sending needs.
#[derive(Debug)]
struct Shared {
    view: Arc<View>,
    journal: Arc<Journal>,
    orders: Orders,
}

#[derive(Debug)]
struct Threads {
    writer: JoinHandle<()>,
    indexer: JoinHandle<()>,
}

/// What a store is made of beside its writer.
struct Parts {
    view: Arc<View>,
    journal: Arc<Journal>,
    announcer: Announcer,
    meter: Arc<Meter>,
    opening: Opening,
    index: PathBuf,
}

impl Parts {
    fn store(self, orders: Orders, threads: Option<Threads>, lock: Option<Lock>) -> Store {
        let shared = Shared {
            view: self.view,
            journal: self.journal,
            orders,
        };
        Store {
            inner: Arc::new(Inner {
                shared: RwLock::new(Some(Arc::new(shared))),
                threads: Mutex::new(threads),
                places: Semaphore::new(WAITING_MAX),
                announcer: self.announcer,
                meter: self.meter,
                opening: self.opening,
                index: self.index,
                _lock: lock,
            }),
        }
    }
}

impl Store {
    /// Opens the store in a directory, creating it if it is not there. Blocks; `progress` hears of it where the index has
    /// to follow by more than a moment's work.
    ///
    /// # Errors
    /// If another process has it, the directory cannot be written, a later version wrote it, or the journal is damaged.
    pub fn open(
        options: &Options,
        progress: &mut dyn FnMut(&Rebuilding),
    ) -> Result<Self, OpenError> {
        let lock = prepare(&options.directory)?;
        let medium = Medium::real(options.directory.join("journal"));
        Self::open_on(&medium, options, Some(lock), progress)
    }

    /// Opens a store on a medium; the index lies in the options' directory.
    pub(crate) fn open_on(
        medium: &Medium,
        options: &Options,
        lock: Option<Lock>,
        progress: &mut dyn FnMut(&Rebuilding),
    ) -> Result<Self, OpenError> {
        let (writer, parts) = Self::parts(medium, options, progress)?;
        let (orders, received) = mpsc::channel();
        let writer = spawn("store-writer", move || writer.run(&received))?;
        let indexed = Arc::clone(&parts.view);
        let indexer = spawn("store-indexer", move || {
            let run = std::panic::AssertUnwindSafe(|| indexed.index());
            if std::panic::catch_unwind(run).is_err() {
                indexed.fail("the indexer has failed");
            }
        })?;
        let threads = Some(Threads { writer, indexer });
        Ok(parts.store(Orders::Thread(orders), threads, lock))
    }

    /// A writer, and what the facade is made of.
    fn parts(
        medium: &Medium,
        options: &Options,
        progress: &mut dyn FnMut(&Rebuilding),
    ) -> Result<(Writer, Parts), OpenError> {
        let index = options.directory.join("index");
        let opened = open::open(medium, &index, options.index_cache_bytes, progress)?;
        let journal = Arc::clone(&opened.journal);
        let appender = Appender::open(journal, options.segment_bytes, opened.last)
            .map_err(OpenError::Journal)?;
        let view = Arc::new(opened.view);
        let announcer = Announcer::default();
        let meter = Arc::<Meter>::default();
        let writer = Writer {
            journal: Arc::clone(&opened.journal),
            view: Arc::clone(&view),
            appender,
            announcer: announcer.clone(),
            meter: Arc::clone(&meter),
        };
        let parts = Parts {
            view,
            journal: opened.journal,
            announcer,
            meter,
            opening: opened.opening,
            index,
        };
        Ok((writer, parts))
    }

    /// Opens a store on a simulated disk; the index lies in the options' directory. It has no threads: whoever hands in a
    /// command commits all that wait, so that one seed gives one history.
    ///
    /// # Errors
    /// As [`Store::open`].
    #[cfg(feature = "simulation")]
    pub fn open_simulated(
        disk: &crate::simulated::SimulatedDisk,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let medium = Medium::Simulated(disk.clone());
        let (writer, parts) = Self::parts(&medium, options, &mut |_| {})?;
        Ok(parts.store(Orders::inline(writer), None, None))
    }

    /// Lets go of everything without a word, as a killed process does: nothing is written, and the index is not marked as
    /// closed.
    #[cfg(feature = "simulation")]
    pub fn abandon(&self) {
        self.inner
            .shared
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    /// Brings the tree of a simulated store up to the journal now.
    ///
    /// # Errors
    /// If the tree cannot be written.
    #[cfg(feature = "simulation")]
    pub fn settle(&self) -> Result<(), Error> {
        let settled = self.shared()?.view.settle_all(0);
        settled.map_err(|_| Error::Index("it cannot be written".to_owned()))
    }

    /// What opening found and did.
    pub fn opening(&self) -> &Opening {
        &self.inner.opening
    }

    /// Accepts events: ledger, messages, deliveries and cursor in one durable commit.
    ///
    /// # Errors
    /// [`Error::Unwritable`] if the disk refuses: nothing is stored then.
    pub async fn inbox_accept(&self, intake: Intake) -> Result<Accepted, Error> {
        match self.submit(Command::Accept(intake)).await? {
            Answer::Accepted(accepted) => Ok(accepted),
            Answer::Recorded(_) | Answer::Released(_) | Answer::Noted => Err(Error::Closed),
        }
    }

    /// A poll's cursor.
    ///
    /// # Errors
    /// If the index cannot be read.
    #[expect(clippy::unused_async, reason = "another backend has to wait here")]
    pub async fn cursor(&self, poll: &StreamId) -> Result<Option<String>, Error> {
        let found = self.shared()?.view.get(&key::cursor(poll))?;
        Ok(found.map(|value| String::from_utf8_lossy(&value).into_owned()))
    }

    /// What a poll knows of an item.
    ///
    /// # Errors
    /// If the index cannot be read.
    #[expect(clippy::unused_async, reason = "another backend has to wait here")]
    pub async fn print(&self, poll: &StreamId, id: &str) -> Result<Option<Print>, Error> {
        let found = self.shared()?.view.get(&key::print(poll, id))?;
        let odd = || Error::Index("what is known of an item cannot be read".to_owned());
        found
            .map(|bytes| row::read_print(&bytes).ok_or_else(odd))
            .transpose()
            .map(|found| found.filter(|found| found.id == id))
    }

    /// A page of what a poll knows of its items, in an order of its own, after the item `after`.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub async fn prints(
        &self,
        poll: &StreamId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Print>, Error> {
        let prefix = key::prints(poll);
        let from = match after {
            Some(id) => {
                let mut from = key::print(poll, id).to_vec();
                from.push(0);
                from.into()
            }
            None => prefix.clone(),
        };
        self.blocking(move |shared| {
            let odd = || Error::Index("what is known of an item cannot be read".to_owned());
            let range = shared.view.range(&from, &key::behind(&prefix), limit)?;
            let prints = range.iter().map(|(_, bytes)| row::read_print(bytes));
            prints.map(|print| print.ok_or_else(odd)).collect()
        })
        .await
    }

    /// Reserves due deliveries of a lane (pending, uncertain, held until now, or in flight with a lease that has lapsed),
    /// oldest due first, only the head of each order key, none twice until its transition is recorded or it is released:
    /// whoever claimed it keeps it beyond its lease, for as long as it has not given it back. A reservation is not
    /// durable: what was only reserved when the process ends is simply due again.
    ///
    /// Deliveries of the instances in `without` stay where they are. Where very many of them are due, fewer than `limit`
    /// may be handed out although there are more; [`Store::delivery_next_due`] says so.
    ///
    /// # Errors
    /// If the index or a record cannot be read. Nothing is reserved then.
    #[expect(clippy::unused_async, reason = "another backend has to wait here")]
    pub async fn delivery_reserve(
        &self,
        lane: &ConnectionId,
        now: Timestamp,
        limit: usize,
        without: &[InstanceId],
    ) -> Result<Vec<Delivery>, Error> {
        let shared = self.shared()?;
        let lane = shared.view.levels().names.number(lane.as_str());
        let Some(lane) = lane else {
            return Ok(Vec::new());
        };
        let without = shared.left_out(without);
        let now = now.as_microsecond();
        let ids = shared.view.reserve(lane, now, limit, &without)?;
        let mut deliveries = Vec::with_capacity(ids.len());
        for id in &ids {
            match shared.delivery(DeliveryId(*id)) {
                Ok(Some((row, delivery))) => {
                    let delivery = Arc::new(delivery);
                    shared.view.remember(row.position, &delivery);
                    deliveries.push(Arc::unwrap_or_clone(delivery));
                }
                Ok(None) => {}
                Err(error) => {
                    let mut queue = shared.view.queue();
                    for id in &ids {
                        queue.reserved.remove(&DeliveryId(*id));
                    }
                    return Err(error);
                }
            }
        }
        Ok(deliveries)
    }

    /// Gives a reservation back without a transition.
    #[expect(clippy::unused_async, reason = "another backend has to wait here")]
    pub async fn delivery_release(&self, delivery: DeliveryId) {
        if let Ok(shared) = self.shared() {
            shared.view.queue().reserved.remove(&delivery);
        }
    }

    /// When the lane's next unreserved delivery is due, of instances other than those in `without`. A time that has come
    /// may also mean that the search goes on there.
    ///
    /// # Errors
    /// If the index cannot be read.
    #[expect(clippy::unused_async, reason = "another backend has to wait here")]
    pub async fn delivery_next_due(
        &self,
        lane: &ConnectionId,
        without: &[InstanceId],
    ) -> Result<Option<Timestamp>, Error> {
        let shared = self.shared()?;
        let lane = shared.view.levels().names.number(lane.as_str());
        let Some(lane) = lane else { return Ok(None) };
        let without = shared.left_out(without);
        Ok(shared.view.next_due(lane, &without)?.map(read::time))
    }

    /// Records a transition durably; a terminal state releases its order key and everything that awaits the delivery in
    /// the same commit. Ends the reservation unless the new state is in flight.
    ///
    /// A hold that awaits what is there already is released in the same commit: the delivery comes back pending.
    ///
    /// # Errors
    /// [`Error::Changed`] if the revision is not the present one, [`Error::Missing`] if there is no such delivery.
    pub async fn delivery_record(&self, transition: Transition) -> Result<Delivery, Error> {
        match self.submit(Command::Record(Box::new(transition))).await? {
            Answer::Recorded(delivery) => Ok(Arc::unwrap_or_clone(delivery)),
            Answer::Accepted(_) | Answer::Released(_) | Answer::Noted => Err(Error::Closed),
        }
    }

    /// Routes a delivery that waits and of which nothing was sent: it gets its lane, and its keys if it was unrouted. If
    /// another delivery of the instance has the dedup key, it is skipped as a duplicate instead, in the same commit.
    /// Ends the reservation.
    ///
    /// # Errors
    /// [`Error::Changed`] if the revision is not the present one, or if something was sent; [`Error::Missing`] if there is
    /// no such delivery.
    pub async fn delivery_route(&self, routing: Routing) -> Result<Delivery, Error> {
        match self.submit(Command::Route(Box::new(routing))).await? {
            Answer::Recorded(delivery) => Ok(Arc::unwrap_or_clone(delivery)),
            Answer::Accepted(_) | Answer::Released(_) | Answer::Noted => Err(Error::Closed),
        }
    }

    /// Releases deliveries that are held for something that has appeared, up to a thousand of them. Returns how many;
    /// until it is none, there may be more.
    ///
    /// # Errors
    /// [`Error::Unwritable`] if the disk refuses: none is released then.
    pub async fn delivery_release_held(
        &self,
        awaited: Awaited,
        at: Timestamp,
    ) -> Result<u64, Error> {
        match self.submit(Command::Release { awaited, at }).await? {
            Answer::Released(released) => Ok(released),
            Answer::Accepted(_) | Answer::Recorded(_) | Answer::Noted => Err(Error::Closed),
        }
    }

    /// The lanes in which anything waits for a time.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub async fn lanes(&self) -> Result<Vec<ConnectionId>, Error> {
        self.blocking(|shared| {
            let mut lanes = Vec::new();
            let (mut from, end) = (sled::IVec::from(&[key::DUE]), key::behind(&[key::DUE]));
            while let Some((first, _)) = shared.view.range(&from, &end, 1)?.into_iter().next() {
                let odd = || Error::Index("a due entry cannot be read".to_owned());
                let (lane, ..) = key::read_due(&first).ok_or_else(odd)?;
                let name = shared.view.levels().names.name(lane).cloned();
                lanes.push(ConnectionId::new(&*name.ok_or_else(odd)?));
                from = key::behind(first.get(..5).ok_or_else(odd)?);
            }
            Ok(lanes)
        })
        .await
    }

    /// Deliveries in flight: after a start, those whose process ended.
    ///
    /// # Errors
    /// If the index or a record cannot be read.
    pub async fn delivery_in_flight(&self) -> Result<Vec<Delivery>, Error> {
        self.blocking(|shared| {
            let from = sled::IVec::from(&[key::IN_FLIGHT]);
            let found = shared.view.range(&from, &key::behind(&from), usize::MAX)?;
            let mut deliveries = Vec::with_capacity(found.len());
            for (key, _) in found {
                let id = DeliveryId(key::last_number(&key).unwrap_or_default());
                deliveries.extend(shared.delivery(id)?.map(|(_, delivery)| delivery));
            }
            Ok(deliveries)
        })
        .await
    }

    /// What it has written since it was opened.
    pub fn meters(&self) -> Meters {
        self.inner.meter.read()
    }

    /// The directory it lies in.
    pub fn directory(&self) -> &Path {
        self.inner.index.parent().unwrap_or(Path::new("."))
    }

    /// A crosswalk entry's values.
    ///
    /// # Errors
    /// If the index cannot be read.
    #[expect(clippy::unused_async, reason = "another backend has to wait here")]
    pub async fn crosswalk_get(
        &self,
        table: &CrosswalkId,
        key: &str,
    ) -> Result<Option<Document>, Error> {
        let found = self.shared()?.view.get(&key::crosswalk(table, key))?;
        found.map(|values| document(&values)).transpose()
    }

    /// Sets (or, with null values, removes) entries, and releases the deliveries held for them in the same commit.
    /// Returns how many were released.
    ///
    /// # Errors
    /// [`Error::Unwritable`] if the disk refuses: nothing is stored then.
    pub async fn crosswalk_set(
        &self,
        entries: Vec<CrosswalkEntry>,
        at: Timestamp,
        actor: &str,
        reason: Option<&str>,
    ) -> Result<u64, Error> {
        let (actor, reason) = (actor.to_owned(), reason.map(str::to_owned));
        let command = Command::Crosswalk {
            entries,
            at,
            actor,
            reason,
        };
        match self.submit(command).await? {
            Answer::Released(released) => Ok(released),
            Answer::Accepted(_) | Answer::Recorded(_) | Answer::Noted => Err(Error::Closed),
        }
    }

    /// A page of a table's entries by key, after `after`. Without a table: of all tables, by table and key, and `after` is
    /// the last entry's table and key with a NUL between them.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub async fn crosswalk_list(
        &self,
        table: Option<&CrosswalkId>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<CrosswalkEntry>, Error> {
        let prefix = key::crosswalk_table(table);
        let mut from = prefix.to_vec();
        if let Some(after) = after {
            from.extend_from_slice(after.as_bytes());
            from.push(0);
        }
        self.blocking(move |shared| {
            let range = shared
                .view
                .range(&from.into(), &key::behind(&prefix), limit)?;
            let mut entries = Vec::with_capacity(range.len());
            for (key, values) in range {
                let odd = || Error::Index("a crosswalk entry cannot be read".to_owned());
                let (table, key) = key::read_crosswalk(&key).ok_or_else(odd)?;
                entries.push(CrosswalkEntry {
                    table,
                    key,
                    values: document(&values)?,
                });
            }
            Ok(entries)
        })
        .await
    }

    /// Keeps a note in the audit trail.
    ///
    /// # Errors
    /// [`Error::Unwritable`] if the disk refuses.
    pub async fn note(&self, note: Note, at: Timestamp) -> Result<(), Error> {
        self.submit(Command::Note(note, at)).await.map(drop)
    }

    /// Records that a person stopped something, until [`Store::resume`] is recorded for it.
    ///
    /// # Errors
    /// [`Error::Unwritable`] if the disk refuses.
    pub async fn pause(&self, paused: Paused) -> Result<(), Error> {
        let entry = PauseEntry {
            kind: PauseKind::Paused,
            what: paused.what,
            actor: paused.actor,
            reason: paused.reason,
        };
        let command = Command::Pause(entry, paused.since);
        self.submit(command).await.map(drop)
    }

    /// Records that a person let something go on, whether or not it was stopped.
    ///
    /// # Errors
    /// [`Error::Unwritable`] if the disk refuses.
    pub async fn resume(
        &self,
        what: Pausable,
        at: Timestamp,
        actor: &str,
        reason: &str,
    ) -> Result<(), Error> {
        let entry = PauseEntry {
            kind: PauseKind::Resumed,
            what,
            actor: actor.to_owned(),
            reason: reason.to_owned(),
        };
        self.submit(Command::Pause(entry, at)).await.map(drop)
    }

    /// What is stopped at present, connections first, by name.
    ///
    /// # Errors
    /// If the index cannot be read.
    #[expect(clippy::unused_async, reason = "another backend has to wait here")]
    pub async fn pauses(&self) -> Result<Vec<Paused>, Error> {
        let from = sled::IVec::from(&[key::PAUSE]);
        let view = &self.shared()?.view;
        let found = view.range(&from, &key::behind(&from), usize::MAX)?;
        let odd = |_| Error::Index("a pause cannot be read".to_owned());
        found
            .iter()
            .map(|(_, value)| serde_json::from_slice(value).map_err(odd))
            .collect()
    }

    /// Counters by instance, by name.
    ///
    /// # Errors
    /// [`Error::Closed`].
    #[expect(clippy::unused_async, reason = "another backend has to wait here")]
    pub async fn counts(&self) -> Result<Vec<(InstanceId, Counts)>, Error> {
        let shared = self.shared()?;
        let levels = shared.view.levels();
        let named = |(number, counts): (&u32, &Counts)| {
            levels
                .names
                .name(*number)
                .map(|name| (InstanceId::new(name), counts.clone()))
        };
        let mut counts: Vec<_> = levels.counts.iter().filter_map(named).collect();
        counts.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(counts)
    }

    /// Whether it can commit: its threads run, the index follows, and the journal can be written. Writes only if the last
    /// commit failed, to find out whether the disk takes records again.
    ///
    /// # Errors
    /// What keeps it from committing.
    pub async fn check(&self, at: Timestamp) -> Result<(), Error> {
        self.submit(Command::Check(at)).await.map(drop)
    }

    /// Sequence number and hash of the newest record.
    ///
    /// # Errors
    /// [`Error::Closed`].
    #[expect(clippy::unused_async, reason = "another backend has to wait here")]
    pub async fn head(&self) -> Result<(u64, [u8; 32]), Error> {
        let shared = self.shared()?;
        let reflected = shared.view.levels().reflected;
        Ok((reflected.sequence, reflected.hash))
    }

    /// Changes whenever something may have become due: a hint, never the truth.
    pub fn changes(&self) -> Changes {
        self.inner.announcer.changes()
    }

    /// Waits until everything accepted is indexed, then closes. Other clones give [`Error::Closed`] from then on.
    ///
    /// # Errors
    /// If the index could not be written completely; the next start brings it forward then.
    pub async fn close(&self) -> Result<(), Error> {
        let inner = Arc::clone(&self.inner);
        let closed = off_thread(move || inner.close());
        closed.await.map_err(|_| Error::Closed)?
    }

    /// Every entry of the index, for comparing one with another.
    ///
    /// # Errors
    /// If it cannot be read.
    #[cfg(any(test, feature = "simulation"))]
    #[expect(clippy::type_complexity, reason = "keys and values as they are")]
    pub fn dump(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>, Error> {
        Ok(self.shared()?.view.dump()?)
    }

    /// As if the index had failed for good.
    #[cfg(test)]
    pub(crate) fn fail_index(&self) {
        self.shared().unwrap().view.fail("a test says so");
    }

    /// Lets the indexer try again at once.
    #[cfg(test)]
    pub(crate) fn nudge(&self) {
        self.shared().unwrap().view.nudge();
    }

    /// Waits until the indexer has nothing to do.
    #[cfg(test)]
    pub(crate) fn quiet(&self) {
        self.shared().unwrap().view.quiet();
    }

    /// What is not in the tree yet.
    #[cfg(test)]
    pub(crate) fn unindexed(&self) -> crate::index::changes::Changes {
        self.shared().unwrap().view.unindexed()
    }

    fn shared(&self) -> Result<Arc<Shared>, Error> {
        let shared = self
            .inner
            .shared
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        shared.clone().ok_or(Error::Closed)
    }

    /// Hands a command to the writer and waits for its answer.
    async fn submit(&self, command: Command) -> Result<Answer, Error> {
        let _place = self
            .inner
            .places
            .acquire()
            .await
            .map_err(|_| Error::Closed)?;
        let (answer, answered) = oneshot::channel();
        self.shared()?
            .orders
            .hand_in(Job { command, answer })
            .await?;
        answered.await.map_err(|_| Error::Closed)?
    }

    /// Reads that may take long, off the asynchronous threads.
    async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shared) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = self.shared()?;
        let failed = |_| Error::Index("reading it has failed".to_owned());
        off_thread(move || read(&shared)).await.map_err(failed)?
    }
}

impl Inner {
    fn close(&self) -> Result<(), Error> {
        let shared = self
            .shared
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(shared) = shared else { return Ok(()) };
        shared.orders.stop();
        let threads = self
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(threads) = threads {
            // The writer may still have commands, so the indexer ends after it.
            let writer = threads.writer.join();
            shared.view.stop();
            let indexer = threads.indexer.join();
            if writer.is_err() || indexer.is_err() {
                return Err(Error::Index("a thread of the store has failed".to_owned()));
            }
        } else if shared.view.settle_all(0).is_err() {
            return Err(Error::Index("it cannot be written".to_owned()));
        }
        if !shared.view.is_settled() {
            return Err(Error::Index("it could not follow the journal".to_owned()));
        }
        // A reader that has not finished keeps the tree open. Then it is not marked clean, which costs a rebuild only if
        // the machine also stops hard before the next start.
        if let Some(view) = Arc::into_inner(shared).and_then(|shared| Arc::into_inner(shared.view))
        {
            view.into_base().close()?;
            open::mark_clean(&self.index).map_err(|error| Error::Index(error.to_string()))?;
        }
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Whoever cares closes; this only makes sure that the threads are gone when the lock is.
        self.close().ok();
    }
}

impl Shared {
    /// A delivery with its row.
    fn delivery(&self, id: DeliveryId) -> Result<Option<(Row, Delivery)>, Error> {
        let Some(row) = self.view.row(id)? else {
            return Ok(None);
        };
        let delivery = read::delivery(&self.journal, id, row.position)?;
        Ok(Some((row, delivery)))
    }

    /// The numbers of those instances that have any delivery.
    fn left_out(&self, instances: &[InstanceId]) -> HashSet<u32> {
        let levels = self.view.levels();
        let number = |instance: &InstanceId| levels.names.number(instance.as_str());
        instances.iter().filter_map(number).collect()
    }

    /// The delivery whose id a key has.
    fn by(&self, key: &[u8]) -> Result<Option<Delivery>, Error> {
        let Some(found) = self.view.get(key)? else {
            return Ok(None);
        };
        let odd = || Error::Index("a delivery's id cannot be read".to_owned());
        let id = row::read_number(&found).ok_or_else(odd)?;
        Ok(self.delivery(DeliveryId(id))?.map(|(_, delivery)| delivery))
    }

    /// A position from which the record with this sequence number is found by walking on, if there may be one.
    fn near(&self, sequence: u64) -> Result<Option<u64>, Error> {
        let every = crate::index::fold::CHECKPOINT_EVERY;
        let checkpoint = sequence / every * every;
        if checkpoint == 0 {
            return Ok(self.journal.next_start(0));
        }
        let found = self.view.get(&key::checkpoint(checkpoint))?;
        Ok(found.and_then(|position| row::read_number(&position)))
    }

    fn message(&self, id: MessageId) -> Result<Option<Message>, Error> {
        let Some(from) = self.near(id.0)? else {
            return Ok(None);
        };
        match self.journal.walk(from, id.0)? {
            Some((position, frame)) => read::message(&self.journal, position, frame),
            None => Ok(None),
        }
    }
}

fn document(values: &[u8]) -> Result<Document, Error> {
    let odd = |_| Error::Index("a crosswalk entry cannot be read".to_owned());
    serde_json::from_slice(values).map_err(odd)
}

/// Makes the directories and takes the lock.
pub(crate) fn prepare(directory: &Path) -> Result<Lock, OpenError> {
    let failed = |source| OpenError::Directory {
        directory: directory.to_owned(),
        source,
    };
    std::fs::create_dir_all(directory.join("journal")).map_err(failed)?;
    match Lock::take(directory) {
        Ok(lock) => Ok(lock),
        Err(LockError::Held(pid)) => Err(OpenError::Locked {
            directory: directory.to_owned(),
            pid,
        }),
        Err(LockError::Io(source)) => Err(failed(source)),
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(OpenError::Thread)
}
