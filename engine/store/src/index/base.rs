//! The tree on disk, and how net changes get into it.
//!
//! sled survives a killed process and not a power cut (`docs/adr/0002`), so nothing here is needed for safety. What is
//! needed is that after a kill the tree reflects exactly one journal position. Its batches would give that, but they lock
//! readers out for as long as they run. Instead:
//! 1. the net changes are written to the file `redo`, with a checksum and the positions from and to which they lead;
//! 2. they go into the tree one by one, the position last; readers see them above the tree in the meantime;
//! 3. the tree is flushed, and `redo` removed.
//!
//! A kill before 2 changes nothing; a kill in 2 leaves a `redo` that is applied again, which is harmless because it holds
//! values and not increments.

use super::changes::{Change, Changes};
use super::key;
use super::row::{put_number, take_number};
use crate::journal::frame::Hash;
use sled::IVec;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The layout of keys and values. An index with another one is rebuilt.
pub(crate) const FORMAT: u8 = 1;

const REDO_MAGIC: &[u8; 8] = b"MLCREDO1";

/// Room that must be free before the tree is touched, as a multiple of the changes, and at least so many bytes. sled
/// cannot go on after a write that failed, so it must not be the one to find out that the disk is full.
const ROOM_FACTOR: usize = 4;
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

/// How writing changes failed.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// There is no room. Nothing was changed; it can be tried again.
    NoRoom(io::Error),
    /// The tree failed.
    Failed(Unusable),
}

/// The tree.
#[derive(Debug)]
pub(crate) struct Base {
    database: sled::Db,
    directory: PathBuf,
}

impl Reflected {
    fn encode(&self) -> IVec {
        let mut out = Vec::with_capacity(64);
        put_number(&mut out, self.sequence);
        put_number(&mut out, self.last);
        put_number(&mut out, self.end);
        put_number(&mut out, self.next_delivery);
        out.extend_from_slice(&self.hash);
        IVec::from(out)
    }

    fn decode(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        Some(Self {
            sequence: take_number(bytes)?,
            last: take_number(bytes)?,
            end: take_number(bytes)?,
            next_delivery: take_number(bytes)?,
            hash: <Hash>::try_from(*bytes).ok()?,
        })
    }
}

impl From<sled::Error> for Unusable {
    fn from(error: sled::Error) -> Self {
        Self(error.to_string())
    }
}

impl Base {
    /// Opens the tree in `directory`, which exists, and finishes a write that a kill has interrupted.
    ///
    /// # Errors
    /// If it is damaged, of another format, or its left-over changes do not fit.
    pub(crate) fn open(directory: &Path, cache_bytes: u64) -> Result<(Self, Reflected), Unusable> {
        let path = directory.join("tree");
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(cache_bytes)
            // Flushed explicitly, after each set of changes.
            .flush_every_ms(None);
        // sled asserts some of what it reads, and a damaged file must lead to a rebuild, not to a crash.
        let open = std::panic::AssertUnwindSafe(|| config.open());
        let opened = std::panic::catch_unwind(open);
        let database = opened.map_err(|_| Unusable("its files are damaged".to_owned()))??;
        let base = Self {
            database,
            directory: directory.to_owned(),
        };
        match base.get(key::FORMAT)? {
            Some(format) if *format == [FORMAT] => {}
            Some(format) => {
                let found = format.first().copied().unwrap_or_default();
                return Err(Unusable(format!(
                    "it has format {found}, this version writes {FORMAT}"
                )));
            }
            None if base.database.is_empty() => {
                base.database.insert(key::FORMAT, &[FORMAT])?;
            }
            None => return Err(Unusable("its format is not stated".to_owned())),
        }
        base.redo()?;
        let reflected = match base.get(key::POSITION)? {
            Some(bytes) => Reflected::decode(&bytes)
                .ok_or_else(|| Unusable("its position cannot be read".to_owned()))?,
            None if base.database.len() <= 1 => Reflected::default(),
            None => return Err(Unusable("its position is missing".to_owned())),
        };
        Ok((base, reflected))
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<IVec>, Unusable> {
        Ok(self.database.get(key)?)
    }

    /// The entries from one key up to, but not including, another.
    pub(crate) fn range(
        &self,
        from: &IVec,
        to: &IVec,
    ) -> impl Iterator<Item = Result<(IVec, IVec), Unusable>> + use<> {
        self.database
            .range(from.clone()..to.clone())
            .map(|entry| Ok(entry?))
    }

    /// Writes net changes that lead from one position to another.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub(crate) fn write(
        &self,
        changes: &Changes,
        from: &Reflected,
        to: &Reflected,
    ) -> Result<(), WriteError> {
        self.write_redo(changes, from, to)
            .map_err(WriteError::NoRoom)?;
        self.apply(changes, to).map_err(WriteError::Failed)?;
        let removed = fs::remove_file(self.directory.join("redo"));
        removed.map_err(|error| WriteError::Failed(Unusable(error.to_string())))
    }

    /// Makes the tree durable against a power cut, for a clean stop.
    ///
    /// # Errors
    /// If a file cannot be synced.
    pub(crate) fn close(self) -> Result<PathBuf, Unusable> {
        self.database.flush()?;
        let directory = self.directory;
        drop(self.database);
        sync_all(&directory.join("tree")).map_err(|error| Unusable(error.to_string()))?;
        Ok(directory)
    }

    fn apply(&self, changes: &Changes, to: &Reflected) -> Result<(), Unusable> {
        for (key, change) in changes.iter() {
            match change.value() {
                Some(value) => self.database.insert(key, value)?,
                None => self.database.remove(key)?,
            };
        }
        self.database.insert(key::POSITION, to.encode())?;
        self.database.flush()?;
        Ok(())
    }

    pub(crate) fn write_redo(
        &self,
        changes: &Changes,
        from: &Reflected,
        to: &Reflected,
    ) -> io::Result<()> {
        let mut out = REDO_MAGIC.to_vec();
        put_bytes(&mut out, &from.encode());
        put_bytes(&mut out, &to.encode());
        put_number(&mut out, changes.len() as u64);
        for (key, change) in changes.iter() {
            put_bytes(&mut out, key);
            match change.value() {
                Some(value) => {
                    out.push(1);
                    put_bytes(&mut out, value);
                }
                None => out.push(0),
            }
        }
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        let path = self.directory.join("redo");
        let unfinished = self.directory.join("redo.new");
        let written = fs::File::create(&unfinished).and_then(|mut file| {
            file.write_all(&out)?;
            let mut room = (out.len() * (ROOM_FACTOR - 1)).max(ROOM_BYTES_MIN);
            let zeros = vec![0; 1024 * 1024];
            while let Some(part) = zeros
                .get(..room.min(zeros.len()))
                .filter(|part| !part.is_empty())
            {
                file.write_all(part)?;
                room -= part.len();
            }
            file.set_len(out.len() as u64)
        });
        if let Err(error) = written {
            fs::remove_file(&unfinished).ok();
            return Err(error);
        }
        fs::rename(&unfinished, &path)
    }

    /// Applies the first few changes, as a kill in the middle would.
    #[cfg(test)]
    pub(crate) fn interrupt(&self, changes: &Changes, after: usize) {
        for (key, change) in changes.iter().take(after) {
            match change.value() {
                Some(value) => self.database.insert(key, value).unwrap(),
                None => self.database.remove(key).unwrap(),
            };
        }
        self.database.flush().unwrap();
    }

    /// Applies the changes of an interrupted write again.
    fn redo(&self) -> Result<(), Unusable> {
        let path = self.directory.join("redo");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Unusable(error.to_string())),
        };
        let odd = || Unusable("its left-over changes do not fit to it".to_owned());
        let (from, to, changes) = read_redo(&bytes).ok_or_else(odd)?;
        let present = self.get(key::POSITION)?;
        let present = present.map_or(Some(Reflected::default()), |bytes| {
            Reflected::decode(&bytes)
        });
        if present == Some(from) {
            self.apply(&changes, &to)?;
        } else if present != Some(to) {
            return Err(odd());
        }
        fs::remove_file(&path).map_err(|error| Unusable(error.to_string()))
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_number(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn read_redo(bytes: &[u8]) -> Option<(Reflected, Reflected, Changes)> {
    let (content, crc) = bytes.split_last_chunk::<4>()?;
    if crc32fast::hash(content).to_le_bytes() != *crc {
        return None;
    }
    let mut rest = content.strip_prefix(REDO_MAGIC)?;
    let rest = &mut rest;
    let from = Reflected::decode(take_bytes(rest)?)?;
    let to = Reflected::decode(take_bytes(rest)?)?;
    let mut changes = Changes::default();
    for _ in 0..take_number(rest)? {
        let key = IVec::from(take_bytes(rest)?);
        let (there, after) = rest.split_first()?;
        *rest = after;
        let change = match there {
            0 => Change::Gone,
            _ => Change::Set(IVec::from(take_bytes(rest)?)),
        };
        changes.merge(key, change);
    }
    rest.is_empty().then_some((from, to, changes))
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
