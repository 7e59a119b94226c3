//! The seam between the journal and the file system.
//!
//! Everything the journal does to a disk goes through [`Medium`] and [`MediumFile`]. The real one is a directory; the
//! simulated one (tests and the `simulation` feature) records writes and syncs, fails on demand, and can show what a power cut would have left.
//! See `docs/adr/0010-store-medium.md` for why this is an enum and why the index and the vault do not use it.
//!
//! **Invariant:** a name is durable only after [`Medium::sync`], content only after [`MediumFile::sync`].

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(any(test, feature = "simulation"))]
pub use simulated::{Fault, SimulatedDisk};

/// A flat directory of files.
#[derive(Debug, Clone)]
pub(crate) enum Medium {
    /// A directory of the file system.
    Real(Arc<PathBuf>),
    /// A disk in memory.
    #[cfg(any(test, feature = "simulation"))]
    Simulated(SimulatedDisk),
}

/// An open file of a [`Medium`].
#[derive(Debug)]
pub(crate) enum MediumFile {
    /// A file of the file system.
    Real(File),
    /// A file in memory.
    #[cfg(any(test, feature = "simulation"))]
    Simulated(simulated::SimulatedFile),
}

impl Medium {
    /// The directory at `path`, which must exist.
    pub(crate) fn real(path: PathBuf) -> Self {
        Self::Real(Arc::new(path))
    }

    /// The names in it, sorted.
    pub(crate) fn list(&self) -> io::Result<Vec<String>> {
        let mut names = match self {
            Self::Real(path) => {
                let mut names = Vec::new();
                for entry in std::fs::read_dir(path.as_path())? {
                    if let Ok(name) = entry?.file_name().into_string() {
                        names.push(name);
                    }
                }
                names
            }
            #[cfg(any(test, feature = "simulation"))]
            Self::Simulated(disk) => disk.list(),
        };
        names.sort_unstable();
        Ok(names)
    }

    /// Creates a file that must not be there yet.
    pub(crate) fn create(&self, name: &str) -> io::Result<MediumFile> {
        match self {
            Self::Real(path) => OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .open(path.join(name))
                .map(MediumFile::Real),
            #[cfg(any(test, feature = "simulation"))]
            Self::Simulated(disk) => disk.create(name).map(MediumFile::Simulated),
        }
    }

    /// Opens a file for reading and writing.
    pub(crate) fn open(&self, name: &str) -> io::Result<MediumFile> {
        match self {
            Self::Real(path) => OpenOptions::new()
                .read(true)
                .write(true)
                .open(path.join(name))
                .map(MediumFile::Real),
            #[cfg(any(test, feature = "simulation"))]
            Self::Simulated(disk) => disk.open(name).map(MediumFile::Simulated),
        }
    }

    /// Opens a file for reading.
    pub(crate) fn open_to_read(&self, name: &str) -> io::Result<MediumFile> {
        match self {
            Self::Real(path) => File::open(path.join(name)).map(MediumFile::Real),
            #[cfg(any(test, feature = "simulation"))]
            Self::Simulated(disk) => disk.open(name).map(MediumFile::Simulated),
        }
    }

    /// Removes a file.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        match self {
            Self::Real(path) => std::fs::remove_file(path.join(name)),
            #[cfg(any(test, feature = "simulation"))]
            Self::Simulated(disk) => disk.remove(name),
        }
    }

    /// Makes created and removed names durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match self {
            Self::Real(path) => sync_directory(path),
            #[cfg(any(test, feature = "simulation"))]
            Self::Simulated(disk) => disk.sync_names(),
        }
    }

    /// How a file of it is called in messages.
    pub(crate) fn describe(&self, name: &str) -> PathBuf {
        match self {
            Self::Real(path) => path.join(name),
            #[cfg(any(test, feature = "simulation"))]
            Self::Simulated(_) => Path::new("simulated").join(name),
        }
    }
}

impl MediumFile {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> io::Result<u64> {
        match self {
            Self::Real(file) => file.metadata().map(|data| data.len()),
            #[cfg(any(test, feature = "simulation"))]
            Self::Simulated(file) => file.len(),
        }
    }

    /// Reads from `offset` until `buffer` is full or the file ends. Returns the bytes read.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(done as u64);
            let read = match self {
                Self::Real(file) => read_once(file, rest, at),
                #[cfg(any(test, feature = "simulation"))]
                Self::Simulated(file) => file.read_at(rest, at),
            };
            match read {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Writes all of `bytes` at `offset`. They are durable only after [`MediumFile::sync`].
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match self {
            Self::Real(file) => write_whole(file, bytes, offset),
            #[cfg(any(test, feature = "simulation"))]
            Self::Simulated(file) => file.write_at(bytes, offset),
        }
    }

    /// Cuts or extends it.
    pub(crate) fn set_len(&self, length: u64) -> io::Result<()> {
        match self {
            Self::Real(file) => file.set_len(length),
            #[cfg(any(test, feature = "simulation"))]
            Self::Simulated(file) => file.set_len(length),
        }
    }

    /// Makes content and length durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match self {
            Self::Real(file) => file.sync_data(),
            #[cfg(any(test, feature = "simulation"))]
            Self::Simulated(file) => file.sync(),
        }
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(unix)]
fn read_once(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(unix)]
fn write_whole(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_once(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(windows)]
fn write_whole(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(written..).unwrap_or_default();
        offset += written as u64;
    }
    Ok(())
}

#[cfg(any(test, feature = "simulation"))]
mod simulated;
