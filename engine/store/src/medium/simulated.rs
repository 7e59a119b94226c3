//! A disk in memory that can fail and lose its power.
//!
//! It keeps, per file, what the process sees and what is on the platter, with every write since the last sync in
//! between. [`SimulatedDisk::after_power_cut`] gives a new disk with the platter's content plus a random part of those
//! writes, sector by sector, which is more than any ordered file system loses.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a disk in memory for tests: what cannot happen there is a bug of the test"
)]

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The unit in which a device writes all or nothing.
const SECTOR: usize = 512;

/// What a disk does wrong from some operation on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Only so many more bytes fit.
    Full(u64),
    /// Writes work, syncs fail.
    SyncFails,
    /// Nothing can be changed at all, as on a file system mounted read-only.
    ReadOnly,
    /// Writes fail half-way and cutting the file back fails too.
    Broken,
}

#[derive(Debug, Clone, Default)]
struct Node {
    seen: Vec<u8>,
    platter: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
    named: bool,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Node>,
    removed: BTreeMap<String, Node>,
    fault: Option<Fault>,
    operations: u64,
    power_fails_at: Option<u64>,
}

/// The disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

/// A file on it.
#[derive(Debug)]
pub(crate) struct SimulatedFile {
    disk: SimulatedDisk,
    name: String,
}

impl SimulatedDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets or clears what goes wrong from now on.
    pub fn fail(&self, fault: Option<Fault>) {
        self.state().fault = fault;
    }

    /// From the operation with this number on nothing works any more.
    pub fn power_fails_at(&self, operation: u64) {
        self.state().power_fails_at = Some(operation);
    }

    /// Writes, syncs and other changes so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The content of a file as the process sees it.
    pub fn content(&self, name: &str) -> Vec<u8> {
        self.state().files[name].seen.clone()
    }

    /// Replaces the content of a file behind everybody's back.
    pub fn overwrite(&self, name: &str, content: Vec<u8>) {
        let mut state = self.state();
        let node = state.files.entry(name.to_owned()).or_default();
        node.platter.clone_from(&content);
        node.seen = content;
        node.unsynced.clear();
        node.named = true;
    }

    /// Removes a file behind everybody's back.
    pub fn erase(&self, name: &str) -> Vec<u8> {
        self.state().files.remove(name).unwrap().seen
    }

    /// A copy as a crash of the process alone would leave it: everything that was written is seen, and what was not
    /// synced still is not.
    #[must_use]
    pub fn after_kill(&self) -> Self {
        let state = self.state();
        Self(Arc::new(Mutex::new(State {
            files: state.files.clone(),
            removed: state.removed.clone(),
            ..State::default()
        })))
    }

    /// A copy as a power cut would leave it: `draw` decides, sector by sector, what of the unsynced part survives.
    #[must_use]
    pub fn after_power_cut(&self, draw: &mut impl FnMut() -> u64) -> Self {
        let state = self.state();
        let mut files = BTreeMap::new();
        for (name, node) in &state.files {
            // An unsynced name may have reached the disk or not.
            if node.named || draw().is_multiple_of(2) {
                files.insert(name.clone(), surviving(node, draw));
            }
        }
        for (name, node) in &state.removed {
            if draw().is_multiple_of(2) {
                files
                    .entry(name.clone())
                    .or_insert_with(|| surviving(node, draw));
            }
        }
        Self(Arc::new(Mutex::new(State {
            files,
            ..State::default()
        })))
    }

    pub(crate) fn list(&self) -> Vec<String> {
        self.state().files.keys().cloned().collect()
    }

    pub(super) fn create(&self, name: &str) -> io::Result<SimulatedFile> {
        let mut state = self.state();
        state.operation()?;
        if state.files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.insert(name.to_owned(), Node::default());
        Ok(SimulatedFile {
            disk: self.clone(),
            name: name.to_owned(),
        })
    }

    pub(super) fn open(&self, name: &str) -> io::Result<SimulatedFile> {
        if self.state().files.contains_key(name) {
            Ok(SimulatedFile {
                disk: self.clone(),
                name: name.to_owned(),
            })
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.operation()?;
        let node = state.files.remove(name).ok_or(io::ErrorKind::NotFound)?;
        if node.named {
            state.removed.insert(name.to_owned(), node);
        }
        Ok(())
    }

    pub(super) fn sync_names(&self) -> io::Result<()> {
        let mut state = self.state();
        state.operation()?;
        if state.fault == Some(Fault::SyncFails) {
            return Err(io::Error::other("simulated sync failure"));
        }
        state.removed.clear();
        for node in state.files.values_mut() {
            node.named = true;
        }
        Ok(())
    }
}

impl State {
    fn operation(&mut self) -> io::Result<()> {
        self.operations += 1;
        if self.power_fails_at.is_some_and(|at| self.operations >= at) {
            return Err(io::Error::other("the power is gone"));
        }
        if self.fault == Some(Fault::ReadOnly) {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        Ok(())
    }
}

impl SimulatedFile {
    pub(super) fn len(&self) -> io::Result<u64> {
        let state = self.disk.state();
        Ok(state
            .files
            .get(&self.name)
            .ok_or(io::ErrorKind::NotFound)?
            .seen
            .len() as u64)
    }

    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        let node = state.files.get(&self.name).ok_or(io::ErrorKind::NotFound)?;
        let rest = node
            .seen
            .get(usize::try_from(offset).unwrap()..)
            .unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let operation = state.operation();
        let mut fits = bytes.len();
        let mut failure = None;
        if let Err(error) = operation {
            // Power fails in the middle of a write: what was handed over so far may still reach the disk.
            fits = if state.fault == Some(Fault::ReadOnly) {
                0
            } else {
                bytes.len()
            };
            failure = Some(error);
        } else if let Some(Fault::Full(space)) = state.fault {
            fits = fits.min(usize::try_from(space).unwrap());
            state.fault = Some(Fault::Full(space - fits as u64));
            failure = (fits < bytes.len()).then(|| io::ErrorKind::StorageFull.into());
        } else if state.fault == Some(Fault::Broken) {
            fits = bytes.len() / 2;
            failure = Some(io::Error::other("simulated write failure"));
        }
        let node = state
            .files
            .get_mut(&self.name)
            .ok_or(io::ErrorKind::NotFound)?;
        let start = usize::try_from(offset).unwrap();
        let end = start + fits;
        if node.seen.len() < end {
            node.seen.resize(end, 0);
        }
        node.seen[start..end].copy_from_slice(&bytes[..fits]);
        node.unsynced.push((start, bytes[..fits].to_vec()));
        failure.map_or(Ok(()), Err)
    }

    pub(super) fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operation()?;
        if state.fault == Some(Fault::Broken) {
            return Err(io::Error::other("simulated truncation failure"));
        }
        let node = state
            .files
            .get_mut(&self.name)
            .ok_or(io::ErrorKind::NotFound)?;
        let length = usize::try_from(length).unwrap();
        node.seen.resize(length, 0);
        // Cutting is taken to reach the disk at once; what was beyond it can no longer come back.
        node.platter.truncate(length);
        node.unsynced.retain_mut(|(start, bytes)| {
            bytes.truncate(length.saturating_sub(*start));
            !bytes.is_empty()
        });
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operation()?;
        if matches!(state.fault, Some(Fault::SyncFails | Fault::Broken)) {
            return Err(io::Error::other("simulated sync failure"));
        }
        let node = state
            .files
            .get_mut(&self.name)
            .ok_or(io::ErrorKind::NotFound)?;
        node.platter.clone_from(&node.seen);
        node.unsynced.clear();
        Ok(())
    }
}

/// The platter plus a random part of the unsynced writes, cut at a random length.
fn surviving(node: &Node, draw: &mut impl FnMut() -> u64) -> Node {
    let mut content = node.platter.clone();
    let mode = draw() % 4;
    for (start, bytes) in &node.unsynced {
        let mut at = *start;
        let end = start + bytes.len();
        while at < end {
            let sector_end = ((at / SECTOR + 1) * SECTOR).min(end);
            let keep = match mode {
                0 => false,
                1 => true,
                _ => draw().is_multiple_of(2),
            };
            if keep {
                if content.len() < sector_end {
                    content.resize(sector_end, 0);
                }
                content[at..sector_end].copy_from_slice(&bytes[at - start..sector_end - start]);
            }
            at = sector_end;
        }
    }
    if mode == 3 && content.len() < node.seen.len() && draw().is_multiple_of(2) {
        // The length reached the disk before the content.
        content.resize(node.seen.len(), 0);
    }
    if content.len() > node.platter.len() && draw().is_multiple_of(3) {
        let extra = (content.len() - node.platter.len()) as u64;
        content.truncate(node.platter.len() + usize::try_from(draw() % extra).unwrap());
    }
    Node {
        seen: content.clone(),
        platter: content,
        unsynced: Vec::new(),
        named: true,
    }
}
