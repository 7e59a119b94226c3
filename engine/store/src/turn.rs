//! Whose turn it is to change a secret that its system rotates: a lock of its own for each name, beside the vault.
//!
//! The vault's own lock covers one change. A rotating refresh token needs more: from reading the present one, over the
//! request that uses it up, until the new one is on disk, nobody else may ask with it, in this process or another. The
//! operating system gives the lock back when its holder dies. The lock files hold nothing and stay: removing one while
//! somebody waits for it would let two have the turn.

use crate::vault::{Error, with_suffix};
use ml_connector_core::hex;
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

/// The turn to change one secret. It ends when this is dropped, and with the process.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "the lock is held for its drop alone")] File);

/// Takes the turn for a secret of the vault at `vault`, or `None` while somebody has it.
///
/// # Errors
/// If the lock file beside the vault cannot be opened.
pub fn try_turn(vault: &Path, name: &str) -> Result<Option<Turn>, Error> {
    // Names may hold `/`; a hash makes a file name of any.
    let digest = hex::of(&Sha256::digest(name.as_bytes()));
    let digest: String = digest.chars().take(16).collect();
    let path = with_suffix(vault, &format!(".turn-{digest}"));
    let io = |source| Error::Io {
        doing: "lock",
        path: path.clone(),
        source,
    };
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    let file = options.open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Turn(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::try_turn;

    #[test]
    fn one_at_a_time_for_each_name() {
        let folder = tempfile::tempdir().unwrap();
        let vault = folder.path().join("vault");
        let first = try_turn(&vault, "cloud/refresh").unwrap();
        assert!(first.is_some());
        assert!(try_turn(&vault, "cloud/refresh").unwrap().is_none());
        assert!(try_turn(&vault, "other").unwrap().is_some());
        drop(first);
        assert!(try_turn(&vault, "cloud/refresh").unwrap().is_some());
    }
}
