//! One process owns a store directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

/// The lock of a store directory, held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "kept open for the lock it holds")] File);

/// Why a store cannot be locked.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Another process has it.
    Held(Option<u32>),
    Io(io::Error),
}

impl Lock {
    /// Locks `directory`.
    ///
    /// # Errors
    /// If another process has it, or the lock file cannot be written.
    pub(crate) fn take(directory: &Path) -> Result<Self, LockError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.join("lock"))
            .map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let read = file.read_to_string(&mut pid);
                return Err(LockError::Held(
                    read.ok().and_then(|_| pid.trim().parse().ok()),
                ));
            }
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        // Only for the message that the next one gets; the lock itself is the operating system's.
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(LockError::Io)?;
        Ok(Self(file))
    }
}
