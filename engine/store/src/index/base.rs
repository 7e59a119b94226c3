//! What is on disk: runs of packed entries in a sled tree, and a manifest that says which runs count.
//!
//! sled survives a killed process and not a power cut (`docs/adr/0002`), so nothing here is needed for safety. What is
//! needed is that after a kill the tree reflects exactly one journal position. So a set of changes is written as a new run
//! ([`super::run`]) that nobody knows, the tree is flushed, and then one entry, the manifest, names the run and the
//! position. A kill leaves the old manifest or the new one; runs that it does not name are removed at the next open.
//!
//! Runs are merged as they become many ([`super::merge`]), in small steps between writes, so that neither waits long for
//! the other.

use super::changes::{Change, Changes};
use super::key;
use super::merge::{self, Merged, Merging};
use super::row::{put_number, take_number};
use super::run::{Builder, Run};
use super::view::odd;
use crate::journal::frame::Hash;
use sled::IVec;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// The layout of keys, values, blocks and manifest. An index with another one is rebuilt.
pub(crate) const FORMAT: u8 = 5;

/// Entries merged in one step.
const MERGE_STEP: usize = 64 * 1024;

/// Room that must be free before the tree is touched, for each entry to be written and at least. sled cannot go on after a
/// write that failed, so it must not be the one to find out that the disk is full.
const ROOM_BYTES_PER_ENTRY: usize = 96;
const ROOM_BYTES_MIN: usize = 4 * 1024 * 1024;

/// The journal position that an index reflects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reflected {
    /// Sequence and hash of the last record in it.
    pub(crate) sequence: u64,
    pub(crate) hash: Hash,
    /// Position of that record, and the position behind it.
    pub(crate) last: u64,
    pub(crate) end: u64,
    /// The next delivery's id.
    pub(crate) next_delivery: u64,
}

/// Why the index cannot be used. It is rebuilt at the next start.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the index cannot be used: {0}")]
pub(crate) struct Unusable(pub(crate) String);

/// How writing failed.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// There is no room. Nothing was changed; it can be tried again.
    NoRoom(io::Error),
    /// The tree failed.
    Failed(Unusable),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Base {
    tree: sled::Db,
    directory: PathBuf,
    /// Newest first. Replaced as a whole, so that a reader keeps what it began with.
    runs: RwLock<Arc<Vec<Arc<Run>>>>,
    /// What only the one who writes uses.
    work: Mutex<Work>,
}

#[derive(Debug)]
struct Work {
    reflected: Reflected,
    next_run: u32,
    merging: Option<Merging>,
    /// Runs that were merged away and may still be read.
    doomed: Vec<Arc<Run>>,
}

impl Reflected {
    fn write(&self, out: &mut Vec<u8>) {
        put_number(out, self.sequence);
        put_number(out, self.last);
        put_number(out, self.end);
        put_number(out, self.next_delivery);
        out.extend_from_slice(&self.hash);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let sequence = take_number(bytes)?;
        let last = take_number(bytes)?;
        let end = take_number(bytes)?;
        let next_delivery = take_number(bytes)?;
        let (hash, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(Self {
            sequence,
            hash: *hash,
            last,
            end,
            next_delivery,
        })
    }
}

impl From<sled::Error> for Unusable {
    fn from(error: sled::Error) -> Self {
        Self(error.to_string())
    }
}

/// How often a tree that is still being let go of is tried again.
const LETTING_GO_TRIES: u32 = 500;

/// The pause between two tries.
fn letting_go() {
    #[expect(
        clippy::disallowed_methods,
        reason = "sled says nothing when its threads have ended"
    )]
    std::thread::sleep(std::time::Duration::from_millis(10));
}

impl Base {
    /// Opens the tree in `directory`, which exists.
    ///
    /// # Errors
    /// If it is damaged or of another format.
    pub(crate) fn open(directory: &Path, cache_bytes: u64) -> Result<(Self, Reflected), Unusable> {
        let config = sled::Config::new()
            .path(directory.join("tree"))
            .cache_capacity(cache_bytes)
            // Flushed explicitly, with each manifest.
            .flush_every_ms(None);
        // sled asserts some of what it reads, and a damaged file must lead to a rebuild, not to a crash.
        let open = || std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| config.open()));
        let mut opened = open();
        // The store's own lock keeps everybody else out, so a tree that is locked is one that this process has just
        // closed: its threads let go of the file a moment after it was dropped.
        for _ in 0..LETTING_GO_TRIES {
            match &opened {
                Ok(Err(sled::Error::Io(error))) if error.to_string().contains("lock") => {
                    letting_go();
                    opened = open();
                }
                Ok(_) | Err(_) => break,
            }
        }
        let tree = opened.map_err(|_| Unusable("its files are damaged".to_owned()))??;
        match tree.get(key::FORMAT)? {
            Some(format) if *format == [FORMAT] => {}
            Some(format) => {
                let found = format.first().copied().unwrap_or_default();
                return Err(Unusable(format!(
                    "it has format {found}, this version writes {FORMAT}"
                )));
            }
            None if tree.is_empty() => drop(tree.insert(key::FORMAT, &[FORMAT])?),
            None => return Err(Unusable("its format is not stated".to_owned())),
        }
        let manifest = match tree.get(key::MANIFEST)? {
            Some(bytes) => read_manifest(&bytes).ok_or_else(|| odd("its manifest"))?,
            None => Manifest::default(),
        };
        let kept: Vec<u32> = manifest.runs.iter().map(|(number, _)| *number).collect();
        Run::remove_others(&tree, &kept)?;
        let mut runs = Vec::with_capacity(kept.len());
        for (number, entries) in manifest.runs {
            runs.push(Arc::new(Run::load(&tree, number, entries)?));
        }
        let reflected = manifest.reflected;
        let work = Work {
            reflected,
            next_run: kept.iter().max().map_or(0, |number| number + 1),
            merging: None,
            doomed: Vec::new(),
        };
        let base = Self {
            tree,
            directory: directory.to_owned(),
            runs: RwLock::new(Arc::new(runs)),
            work: Mutex::new(work),
        };
        Ok((base, reflected))
    }

    fn runs(&self) -> Arc<Vec<Arc<Run>>> {
        Arc::clone(&self.runs.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of a key.
    ///
    /// # Errors
    /// If the tree fails or a block cannot be read.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<IVec>, Unusable> {
        for run in self.runs().iter() {
            if let Some(change) = run.get(&self.tree, key)? {
                return Ok(change.value().cloned());
            }
        }
        Ok(None)
    }

    /// The entries from one key up to, but not including, another.
    pub(crate) fn range(&self, from: &IVec, to: &IVec) -> Range {
        let runs = self.runs().to_vec();
        match Merged::new(&self.tree, runs, from) {
            Ok(entries) => Range {
                entries: Some(entries),
                failed: None,
                to: to.clone(),
            },
            Err(error) => Range {
                entries: None,
                failed: Some(error),
                to: to.clone(),
            },
        }
    }

    /// Writes net changes that lead to a position.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub(crate) fn write(&self, changes: &Changes, to: &Reflected) -> Result<(), WriteError> {
        self.need_room(changes.len())?;
        let mut work = self.work();
        let mut runs = self.runs().to_vec();
        if changes.len() > 0 {
            let number = work.next_run;
            work.next_run += 1;
            let run = self.write_run(number, changes)?;
            runs.insert(0, Arc::new(run));
        }
        work.reflected = *to;
        Ok(self.publish(&work, runs)?)
    }

    /// Makes some progress in merging runs. Returns whether there is more to do.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub(crate) fn tidy(&self) -> Result<bool, WriteError> {
        let mut work = self.work();
        work.doomed.retain(|run| {
            // Nobody new can get hold of a run that is not in the list any more.
            let read = Arc::strong_count(run) > 1;
            read || Run::remove(&self.tree, run.number).is_err()
        });
        if work.merging.is_none() {
            let runs = self.runs();
            let sizes: Vec<u64> = runs.iter().map(|run| run.entries).collect();
            let Some(count) = merge::due(&sizes) else {
                return Ok(false);
            };
            let number = work.next_run;
            work.next_run += 1;
            let parts = runs.iter().take(count).cloned().collect();
            let last = count == runs.len();
            work.merging = Some(Merging::begin(&self.tree, number, parts, last)?);
        }
        self.need_room(MERGE_STEP)?;
        let Some(merging) = &mut work.merging else {
            return Ok(false);
        };
        if !merging.step(&self.tree, MERGE_STEP)? {
            return Ok(true);
        }
        if let Some(merging) = work.merging.take() {
            self.replace(&mut work, merging)?;
        }
        Ok(true)
    }

    /// Puts a merged run in the place of its parts.
    fn replace(&self, work: &mut Work, merging: Merging) -> Result<(), Unusable> {
        let parts = merging.parts.clone();
        let merged = Arc::new(merging.finish(&self.tree)?);
        let mut runs = Vec::new();
        for run in self.runs().iter() {
            if !parts.contains(&run.number) {
                runs.push(Arc::clone(run));
                continue;
            }
            if parts.first() == Some(&run.number) {
                runs.push(Arc::clone(&merged));
            }
            work.doomed.push(Arc::clone(run));
        }
        self.publish(work, runs)
    }

    /// Makes these runs the ones that count.
    fn publish(&self, work: &Work, runs: Vec<Arc<Run>>) -> Result<(), Unusable> {
        self.tree.flush()?;
        let mut manifest = Vec::new();
        work.reflected.write(&mut manifest);
        put_number(&mut manifest, runs.len() as u64);
        for run in &runs {
            put_number(&mut manifest, u64::from(run.number));
            put_number(&mut manifest, run.entries);
        }
        self.tree.insert(key::MANIFEST, manifest)?;
        self.tree.flush()?;
        *self.runs.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(runs);
        Ok(())
    }

    /// Writes changes as a run that does not count yet.
    pub(crate) fn write_run(&self, number: u32, changes: &Changes) -> Result<Run, Unusable> {
        let mut builder = Builder::new(number, changes.len() as u64);
        for (key, change) in changes.iter() {
            builder.add(&self.tree, key, change)?;
        }
        builder.finish(&self.tree)
    }

    /// Entries of the tree itself.
    #[cfg(test)]
    pub(crate) fn entries(&self) -> usize {
        self.tree.len()
    }

    /// Makes the tree durable against a power cut, for a clean stop.
    ///
    /// # Errors
    /// If a file cannot be synced.
    pub(crate) fn close(self) -> Result<(), Unusable> {
        self.tree.flush()?;
        let directory = self.directory.join("tree");
        drop(self.work);
        drop(self.tree);
        sync_all(&directory).map_err(|error| Unusable(error.to_string()))
    }

    /// Finds out whether there is room for so many entries, by taking and giving back several times of it.
    fn need_room(&self, entries: usize) -> Result<(), WriteError> {
        let path = self.directory.join("room");
        let mut room = (entries * ROOM_BYTES_PER_ENTRY).max(ROOM_BYTES_MIN);
        let zeros = vec![0; 1024 * 1024];
        let taken = fs::File::create(&path).and_then(|mut file| {
            while let Some(part) = zeros
                .get(..room.min(zeros.len()))
                .filter(|part| !part.is_empty())
            {
                file.write_all(part)?;
                room -= part.len();
            }
            Ok(())
        });
        let given_back = fs::remove_file(&path);
        taken.and(given_back).map_err(WriteError::NoRoom)
    }
}

impl From<Unusable> for WriteError {
    fn from(unusable: Unusable) -> Self {
        Self::Failed(unusable)
    }
}

/// Entries in order, without removed ones.
pub(crate) struct Range {
    entries: Option<Merged>,
    failed: Option<Unusable>,
    to: IVec,
}

impl Iterator for Range {
    type Item = Result<(IVec, IVec), Unusable>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(failed) = self.failed.take() {
            return Some(Err(failed));
        }
        loop {
            match self.entries.as_mut()?.next() {
                Ok(Some((key, change))) if key < self.to => {
                    if let Change::New(value) | Change::Set(value) = change {
                        return Some(Ok((key, value)));
                    }
                }
                Ok(Some(_) | None) => self.entries = None,
                Err(error) => {
                    self.entries = None;
                    return Some(Err(error));
                }
            }
        }
    }
}

/// Which runs count, newest first, and what they reflect.
#[derive(Debug, Default)]
struct Manifest {
    reflected: Reflected,
    runs: Vec<(u32, u64)>,
}

fn read_manifest(mut bytes: &[u8]) -> Option<Manifest> {
    let bytes = &mut bytes;
    let reflected = Reflected::read(bytes)?;
    let mut runs = Vec::new();
    for _ in 0..take_number(bytes)? {
        runs.push((
            u32::try_from(take_number(bytes)?).ok()?,
            take_number(bytes)?,
        ));
    }
    bytes.is_empty().then_some(Manifest { reflected, runs })
}

/// Syncs every file below a directory, and the directories.
fn sync_all(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all(&entry.path())?;
        } else {
            fs::File::open(entry.path())?.sync_all()?;
        }
    }
    crate::medium::sync_directory(directory)
}
