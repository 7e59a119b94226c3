//! The index as everybody reads it: the tree below, and above it the changes that are not in it yet.
//!
//! ```text
//! staged    of the group that is being decided; the writer thread's own (`fold`)
//! active    of committed groups
//! frozen    on its way into the tree, or not there
//! base      the tree
//! ```
//! A change moves downwards only, and a key is looked up from the top. So whoever reads a value has the committed one,
//! whatever the indexer is doing.
//!
//! Long because: overlay, levels and indexer share one set of invariants, which are easier to hold in one sight.

use super::base::{Base, Reflected, Unusable, WriteError};
use super::changes::{Change, Changes};
use super::key;
use super::queue::{Covered, Due, Queue, Reserved, WINDOW_FILL, Window};
use super::row::{self, Row};
use crate::model::{Counts, Delivery};
use ml_connector_core::identity::DeliveryId;
use sled::IVec;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use std::time::Duration;

/// So many changes are handed to the indexer at once. Tests want it to be busy.
const FREEZE_AT: usize = if cfg!(test) { 128 } else { 8 * 1024 };

/// With so many changes waiting, commits wait for the indexer.
const ACTIVE_MAX: usize = 2 * FREEZE_AT;

/// How often one call fills a lane's window. Passing what is not wanted must not keep commits waiting.
const FILLS_MAX: u32 = 8;

/// Idle changes are indexed after this long, so that a stop leaves little to catch up with. Tests say themselves when.
const IDLE: Duration = Duration::from_millis(if cfg!(test) { 3_600_000 } else { 500 });

/// Names of instances and lanes as small numbers.
#[derive(Debug, Default)]
pub(crate) struct Names {
    by_name: HashMap<Arc<str>, u32>,
    by_number: Vec<Arc<str>>,
}

impl Names {
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn name(&self, number: u32) -> Option<&Arc<str>> {
        self.by_number.get(number as usize)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }

    pub(crate) fn add(&mut self, name: Arc<str>) {
        let number = u32::try_from(self.by_number.len()).unwrap_or(u32::MAX);
        self.by_name.insert(Arc::clone(&name), number);
        self.by_number.push(name);
    }
}

/// Changes on their way into the tree.
#[derive(Debug)]
pub(crate) struct Frozen {
    changes: Changes,
    to: Reflected,
}

/// What is above the tree.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    active: Changes,
    frozen: Option<Arc<Frozen>>,
    /// The position that everything together reflects, and the one that base and frozen reflect.
    pub(crate) reflected: Reflected,
    settled: Reflected,
    pub(crate) names: Names,
    pub(crate) counts: BTreeMap<u32, Counts>,
}

impl Levels {
    /// What is above the tree for a key.
    fn above(&self, key: &[u8]) -> Option<Change> {
        let frozen = || self.frozen.as_ref()?.changes.get(key);
        self.active.get(key).or_else(frozen).cloned()
    }
}

/// What one committed group changes.
#[derive(Debug, Default)]
pub(crate) struct GroupChanges {
    pub(crate) changes: Changes,
    pub(crate) names: Vec<Arc<str>>,
    pub(crate) counts: BTreeMap<u32, Counts>,
    pub(crate) reflected: Reflected,
}

/// The indexer's condition.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent flags of one worker, set by different hands under one lock"
)]
struct Indexing {
    stop: bool,
    /// There is more to tidy up.
    more: bool,
    /// There is nothing to do.
    resting: bool,
    /// Why the last write could not be made, if it could not.
    trouble: Option<String>,
    /// The tree has failed for good.
    failed: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct View {
    base: Base,
    levels: RwLock<Levels>,
    queue: Mutex<Queue>,
    indexing: Mutex<Indexing>,
    /// Signalled when there is something to index, when something has been indexed, and on stop.
    signal: Condvar,
}

impl View {
    /// The view of a tree that reflects this position.
    ///
    /// # Errors
    /// If the tree cannot be read.
    pub(crate) fn new(base: Base, reflected: Reflected) -> Result<Self, Unusable> {
        let mut levels = Levels {
            reflected,
            settled: reflected,
            ..Levels::default()
        };
        let mut names = BTreeMap::new();
        for entry in base.range(&IVec::from(&[key::NAME]), &key::behind(&[key::NAME])) {
            let (key, value) = entry?;
            let name = key.get(1..).and_then(|name| std::str::from_utf8(name).ok());
            let number = row::read_number(&value).zip(name);
            let (number, name) = number.ok_or_else(|| odd("a name"))?;
            names.insert(number, Arc::from(name));
        }
        for (at, (number, name)) in names.into_iter().enumerate() {
            if at as u64 != number {
                return Err(odd("a name"));
            }
            levels.names.add(name);
        }
        for entry in base.range(&IVec::from(&[key::COUNT]), &key::behind(&[key::COUNT])) {
            let (key, value) = entry?;
            let instance = key.last_chunk().map(|number| u32::from_be_bytes(*number));
            let counts = row::read_counts(&value).zip(instance);
            let (counts, instance) = counts.ok_or_else(|| odd("a counter"))?;
            levels.counts.insert(instance, counts);
        }
        Ok(Self {
            base,
            levels: RwLock::new(levels),
            queue: Mutex::default(),
            indexing: Mutex::default(),
            signal: Condvar::new(),
        })
    }

    pub(crate) fn levels(&self) -> RwLockReadGuard<'_, Levels> {
        self.levels.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn levels_mut(&self) -> RwLockWriteGuard<'_, Levels> {
        self.levels.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Taken after [`View::levels`] where both are needed.
    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn indexing(&self) -> MutexGuard<'_, Indexing> {
        self.indexing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A committed value.
    ///
    /// # Errors
    /// If the tree cannot be read.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<IVec>, Unusable> {
        let above = self.levels().above(key);
        match above {
            Some(change) => Ok(change.value().cloned()),
            // What is found here now may be newer than the look above, never older.
            None => self.base.get(key),
        }
    }

    /// Up to `limit` committed entries from one key up to, but not including, another.
    ///
    /// # Errors
    /// If the tree cannot be read.
    pub(crate) fn range(
        &self,
        from: &IVec,
        to: &IVec,
        limit: usize,
    ) -> Result<Vec<(IVec, IVec)>, Unusable> {
        self.range_in(&self.levels(), from, to, limit)
    }

    fn range_in(
        &self,
        levels: &Levels,
        from: &IVec,
        to: &IVec,
        limit: usize,
    ) -> Result<Vec<(IVec, IVec)>, Unusable> {
        let mut above = BTreeMap::new();
        let mut found: Vec<(IVec, IVec)> = Vec::new();
        if from >= to {
            return Ok(found);
        }
        let mut base = self.base.range(from, to).peekable();
        // The changes above are taken in portions, so that a short page of a long range stays cheap.
        let mut start = from.clone();
        while found.len() < limit {
            above.clear();
            let portion = limit - found.len();
            let frozen = levels.frozen.as_ref();
            let mut reached = vec![portion_of(&levels.active, &start, to, portion, &mut above)];
            if let Some(frozen) = frozen {
                let mut lower = BTreeMap::new();
                reached.push(portion_of(&frozen.changes, &start, to, portion, &mut lower));
                for (key, change) in lower {
                    above.entry(key).or_insert(change);
                }
            }
            // Up to here all changes are known; `None` is the end of the range.
            let until = reached.into_iter().flatten().min();
            let within = |key: &IVec| until.as_ref().is_none_or(|until| key <= until);
            let mut portion = above
                .range::<IVec, _>(..)
                .filter(|(key, _)| within(key))
                .peekable();
            while found.len() < limit {
                let next = match base.peek() {
                    Some(Ok((key, _))) if within(key) => Some(key.clone()),
                    Some(Err(_)) => base.next().transpose()?.map(|(key, _)| key),
                    Some(Ok(_)) | None => None,
                };
                match (next, portion.peek()) {
                    (Some(below), Some((key, _))) if below < **key => {
                        found.extend(base.next().transpose()?);
                    }
                    (Some(below), Some((key, change))) => {
                        if below == **key {
                            base.next();
                        }
                        if let Some(value) = change.value() {
                            found.push(((*key).clone(), value.clone()));
                        }
                        portion.next();
                    }
                    (Some(_), None) => found.extend(base.next().transpose()?),
                    (None, Some((key, change))) => {
                        if let Some(value) = change.value() {
                            found.push(((*key).clone(), value.clone()));
                        }
                        portion.next();
                    }
                    (None, None) => break,
                }
            }
            match until {
                Some(until) => {
                    let mut behind = until.to_vec();
                    behind.push(0);
                    start = IVec::from(behind);
                }
                None => break,
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Takes over what a committed group changes.
    pub(crate) fn merge(&self, group: GroupChanges) {
        let mut levels = self.levels_mut();
        let mut queue = self.queue();
        for (key, change) in group.changes {
            if key.first() == Some(&key::DUE)
                && let Some((lane, due, id)) = key::read_due(&key)
            {
                match change {
                    Change::New(_) | Change::Set(_) => queue.added(lane, (due, id)),
                    Change::Gone => queue.removed(lane, (due, id)),
                }
            }
            levels.active.merge(key, change);
        }
        for name in group.names {
            levels.names.add(name);
        }
        levels.counts.extend(group.counts);
        levels.reflected = group.reflected;
    }

    /// Hands the changes to the indexer if there are enough, and waits for it if there are far too many.
    ///
    /// # Errors
    /// If the indexer cannot go on, so that waiting would be in vain.
    pub(crate) fn make_room(&self) -> Result<(), String> {
        if self.freeze(FREEZE_AT) {
            self.signal.notify_all();
        }
        let mut indexing = self.indexing();
        loop {
            if indexing.failed || (indexing.trouble.is_some() && self.is_full()) {
                let why = indexing.trouble.clone().unwrap_or_default();
                return Err(format!("the index cannot follow: {why}"));
            }
            if !self.is_full() {
                return Ok(());
            }
            indexing = self
                .signal
                .wait(indexing)
                .unwrap_or_else(PoisonError::into_inner);
            if self.freeze(FREEZE_AT) {
                self.signal.notify_all();
            }
        }
    }

    fn is_full(&self) -> bool {
        self.levels().active.len() >= ACTIVE_MAX
    }

    /// Moves the active changes aside for the indexer, if there are at least so many and it has none.
    fn freeze(&self, least: usize) -> bool {
        let active = self.levels().active.len();
        if active < least {
            return false;
        }
        let mut levels = self.levels_mut();
        // A position that moved without any change (a note) is worth indexing too.
        if levels.frozen.is_some() || levels.reflected == levels.settled {
            return false;
        }
        let changes = std::mem::take(&mut levels.active);
        let frozen = Frozen {
            changes,
            to: levels.reflected,
        };
        levels.settled = frozen.to;
        levels.frozen = Some(Arc::new(frozen));
        true
    }

    /// Writes the frozen changes into the tree.
    fn settle(&self) -> Result<(), WriteError> {
        let frozen = self.levels().frozen.clone();
        let Some(frozen) = frozen else { return Ok(()) };
        self.base.write(&frozen.changes, &frozen.to)?;
        self.levels_mut().frozen = None;
        Ok(())
    }

    /// The indexer thread: writes changes as they come, or after a while; everything when it is told to stop.
    pub(crate) fn index(&self) {
        while !self.index_once() {}
    }

    /// One round of the indexer. Returns whether it was the last.
    fn index_once(&self) -> bool {
        let (stop, idle) = {
            let indexing = self.indexing();
            let waiting = indexing.more || self.levels().frozen.is_some();
            // Told to stop, it tries once more at once: nobody will wake it again.
            if indexing.stop || (waiting && indexing.trouble.is_none()) {
                (indexing.stop, false)
            } else {
                let mut indexing = indexing;
                indexing.resting = true;
                self.signal.notify_all();
                let (mut indexing, timeout) = self
                    .signal
                    .wait_timeout(indexing, IDLE)
                    .unwrap_or_else(PoisonError::into_inner);
                indexing.resting = false;
                (indexing.stop, timeout.timed_out())
            }
        };
        if stop || idle {
            self.freeze(0);
        }
        let written = self.settle();
        self.signal.notify_all();
        let written = match written {
            Ok(()) if !stop => self.base.tidy(),
            Ok(()) => Ok(false),
            Err(error) => Err(error),
        };
        let mut indexing = self.indexing();
        indexing.more = false;
        match written {
            Ok(more) => {
                indexing.trouble = None;
                indexing.more = more;
            }
            Err(WriteError::NoRoom(error)) => indexing.trouble = Some(error.to_string()),
            Err(WriteError::Failed(Unusable(why))) => {
                indexing.trouble = Some(why);
                indexing.failed = true;
            }
        }
        let trouble = indexing.trouble.is_some();
        let failed = indexing.failed;
        drop(indexing);
        self.signal.notify_all();
        failed || (stop && (trouble || self.is_settled()))
    }

    /// Says that there is no indexer any more and why.
    pub(crate) fn fail(&self, why: &str) {
        let mut indexing = self.indexing();
        indexing.failed = true;
        indexing.trouble = Some(why.to_owned());
        drop(indexing);
        self.signal.notify_all();
    }

    /// Tells the indexer to write everything and end.
    pub(crate) fn stop(&self) {
        self.indexing().stop = true;
        self.signal.notify_all();
    }

    /// Writes everything into the tree now; only while there is no indexer.
    ///
    /// # Errors
    /// If there is no room or the tree fails.
    pub(crate) fn settle_all(&self, least: usize) -> Result<(), WriteError> {
        while self.freeze(least) {
            self.settle()?;
            self.base.tidy()?;
        }
        Ok(())
    }

    /// Writes into the tree if there is enough to write; only while there is no indexer.
    ///
    /// # Errors
    /// If there is no room or the tree fails.
    pub(crate) fn settle_much(&self) -> Result<(), WriteError> {
        self.settle_all(FREEZE_AT)
    }

    /// Whether everything is in the tree.
    pub(crate) fn is_settled(&self) -> bool {
        let levels = self.levels();
        levels.reflected == levels.settled && levels.frozen.is_none()
    }

    /// Gives the tree back, for closing it.
    pub(crate) fn into_base(self) -> Base {
        self.base
    }

    /// A delivery's row.
    ///
    /// # Errors
    /// If the tree cannot be read, or the row cannot.
    pub(crate) fn row(&self, id: DeliveryId) -> Result<Option<Row>, Unusable> {
        self.get(&key::row(id))?
            .map(|bytes| Row::decode(&bytes).ok_or_else(|| odd("a row")))
            .transpose()
    }

    /// Reserves up to `limit` due entries of a lane, but none of these instances. Where there are very many of those, it
    /// may come back with fewer than there are; the next call goes on there.
    ///
    /// # Errors
    /// If the tree cannot be read.
    pub(crate) fn reserve(
        &self,
        lane: u32,
        until: i64,
        limit: usize,
        without: &HashSet<u32>,
    ) -> Result<Vec<u64>, Unusable> {
        let levels = self.levels();
        let mut queue = self.queue();
        let (free, _) = self.free(&levels, &mut queue, (lane, until, limit), without)?;
        for (_, id) in &free {
            queue.reserved.insert(DeliveryId(*id), Reserved::default());
        }
        Ok(free.into_iter().map(|(_, id)| id).collect())
    }

    /// The earliest entry of a lane that nobody has, of none of these instances; or the time from which on
    /// [`View::reserve`] would go on.
    ///
    /// # Errors
    /// If the tree cannot be read.
    pub(crate) fn next_due(
        &self,
        lane: u32,
        without: &HashSet<u32>,
    ) -> Result<Option<i64>, Unusable> {
        let levels = self.levels();
        let mut queue = self.queue();
        let window = queue.lanes.entry(lane).or_default();
        if !window.serves(without) {
            // Somebody only wants to know: the window stays as those want it who reserve.
            let (from, to) = (key::due(lane, i64::MIN, 0), behind_lane(lane));
            let first = self.range_in(&levels, &from, &to, queue.reserved.len() + 1)?;
            let dues = first.iter().filter_map(|(key, _)| key::read_due(key));
            let mut free = dues.filter(|(.., id)| !queue.reserved.contains_key(&DeliveryId(*id)));
            return Ok(free.next().map(|(_, due, _)| due));
        }
        let (free, goes_on) = self.free(&levels, &mut queue, (lane, i64::MAX, 1), without)?;
        Ok(free.first().copied().or(goes_on).map(|(due, _)| due))
    }

    /// Entries of a lane until a time, at most so many; and up to which entry there are none, if it did not see all.
    fn free(
        &self,
        levels: &Levels,
        queue: &mut Queue,
        (lane, until, limit): (u32, i64, usize),
        without: &HashSet<u32>,
    ) -> Result<(Vec<Due>, Option<Due>), Unusable> {
        let window = queue.lanes.entry(lane).or_default();
        if !window.serves(without) {
            *window = Window::default();
        }
        let mut fills = 0;
        loop {
            let found = queue.free(lane, until, limit);
            let count = found.len();
            let free = self.wanted(levels, queue, lane, found, without)?;
            if free.len() >= limit {
                return Ok((free, None));
            }
            if free.len() < count {
                continue;
            }
            let covered = queue.incomplete(lane, until);
            let from = match covered {
                None | Some(Covered::All) => return Ok((free, None)),
                Some(Covered::UpTo(seen)) if fills == FILLS_MAX && !without.is_empty() => {
                    return Ok((free, seen));
                }
                Some(Covered::UpTo(Some((due, id)))) => key::due(lane, due, id.saturating_add(1)),
                Some(Covered::UpTo(None)) => key::due(lane, i64::MIN, 0),
            };
            fills += 1;
            let read = self.range_in(levels, &from, &behind_lane(lane), WINDOW_FILL)?;
            let mut dues = Vec::with_capacity(read.len());
            for (key, _) in &read {
                let (_, due, id) = key::read_due(key).ok_or_else(|| odd("a due entry"))?;
                dues.push((due, id));
            }
            let window = queue.lanes.entry(lane).or_default();
            window.fill(&dues, read.len() < WINDOW_FILL);
            debug_assert!(window.covered == Covered::All || !dues.is_empty());
        }
    }

    /// Those of these entries whose instances are wanted; the others are left out of the window.
    fn wanted(
        &self,
        levels: &Levels,
        queue: &mut Queue,
        lane: u32,
        mut found: Vec<Due>,
        without: &HashSet<u32>,
    ) -> Result<Vec<Due>, Unusable> {
        if without.is_empty() {
            return Ok(found);
        }
        let window = queue.lanes.entry(lane).or_default();
        let mut failed = None;
        found.retain(|due| {
            let key = key::row(DeliveryId(due.1));
            let row = match levels.above(&key) {
                Some(change) => Ok(change.value().cloned()),
                None => self.base.get(&key),
            };
            match row.map(|row| row.as_deref().and_then(Row::decode)) {
                Ok(Some(row)) if without.contains(&row.instance) => {
                    window.leave_out(*due, row.instance);
                    false
                }
                Ok(Some(_)) => true,
                Ok(None) => {
                    failed = Some(odd("the row of a due delivery"));
                    false
                }
                Err(error) => {
                    failed = Some(error);
                    false
                }
            }
        });
        failed.map_or(Ok(found), Err)
    }

    /// Keeps what a reserved delivery is at a position, for the transition that will follow.
    pub(crate) fn remember(&self, position: u64, delivery: &Arc<Delivery>) {
        if let Some(reserved) = self.queue().reserved.get_mut(&delivery.id) {
            *reserved = Reserved {
                position,
                delivery: Some(Arc::clone(delivery)),
            };
        }
    }

    /// Lets the indexer try again at once.
    #[cfg(test)]
    pub(crate) fn nudge(&self) {
        self.indexing().trouble = None;
        self.signal.notify_all();
    }

    /// Waits until the indexer has nothing to do.
    #[cfg(test)]
    pub(crate) fn quiet(&self) {
        let mut indexing = self.indexing();
        while !(indexing.resting && self.levels().frozen.is_none()) {
            indexing = self.signal.wait(indexing).unwrap();
        }
    }

    /// What is not in the tree yet and not on its way either.
    #[cfg(test)]
    pub(crate) fn unindexed(&self) -> Changes {
        self.levels().active.clone()
    }

    /// Every committed entry, for comparing one index with another.
    ///
    /// # Errors
    /// If the tree cannot be read.
    #[cfg(any(test, feature = "simulation"))]
    #[expect(clippy::type_complexity, reason = "keys and values as they are")]
    pub(crate) fn dump(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>, Unusable> {
        let all = self.range(&IVec::from(b"\""), &IVec::from(&[0xff]), usize::MAX)?;
        let copy = |(key, value): (IVec, IVec)| (key.to_vec(), value.to_vec());
        Ok(all.into_iter().map(copy).collect())
    }
}

/// The key behind all entries of a lane in the due queue.
fn behind_lane(lane: u32) -> IVec {
    match lane.checked_add(1) {
        Some(next) => key::due(next, i64::MIN, 0),
        None => key::behind(&[key::DUE]),
    }
}

/// An entry of the index that cannot be read.
pub(crate) fn odd(what: &str) -> Unusable {
    Unusable(format!("{what} cannot be read"))
}

/// Takes up to `limit` changes from `from` on into `out`. Returns the last key taken if there may be more.
fn portion_of(
    changes: &Changes,
    from: &IVec,
    to: &IVec,
    limit: usize,
    out: &mut BTreeMap<IVec, Change>,
) -> Option<IVec> {
    if from >= to {
        return None;
    }
    let mut last = None;
    for (taken, (key, change)) in changes.range(from, to).enumerate() {
        if taken == limit {
            return last;
        }
        last = Some(key.clone());
        out.insert(key.clone(), change.clone());
    }
    None
}
