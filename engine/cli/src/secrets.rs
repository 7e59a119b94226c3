//! The vault as the engine's source of secret values.

use jiff::Timestamp;
use ml_connector_runtime::{
    Clock as _, Secret, SecretError, SecretSource, SecretTurn, SystemClock,
};
use ml_connector_store::vault::{self, Vault};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// An opened vault that follows what other processes write to its file, e.g. `secrets set` beside a running engine.
#[derive(Debug)]
pub(crate) struct VaultSecrets {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    vault: Vault,
    stamp: Option<Stamp>,
    version: u64,
}

/// What tells one content of the file from the next: it is always replaced by another file, never written in place.
type Stamp = (SystemTime, u64);

impl VaultSecrets {
    /// Takes an opened vault.
    pub(crate) fn new(path: &Path, vault: Vault) -> Self {
        let inner = Inner {
            vault,
            stamp: stamp(path),
            version: 1,
        };
        Self {
            path: path.to_owned(),
            inner: Mutex::new(inner),
        }
    }

    /// The content as it stands on disk. What cannot be read again leaves the content that was read before.
    fn fresh(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = stamp(&self.path);
        if stamp != inner.stamp {
            match inner.vault.reload() {
                Ok(()) => {
                    inner.stamp = stamp;
                    inner.version += 1;
                }
                Err(error) => {
                    tracing::warn!(error = %error, "the vault has changed and cannot be read again");
                    // Said once for each change, not for each use.
                    inner.stamp = stamp;
                }
            }
        }
        inner
    }
}

impl SecretSource for VaultSecrets {
    fn get(&self, name: &str) -> Result<Secret, SecretError> {
        match self.fresh().vault.get(name) {
            Ok(value) => Ok(value),
            Err(vault::Error::Missing(name)) => Err(SecretError::Missing(name)),
            Err(error) => Err(failed(name, &error)),
        }
    }

    fn put(&self, name: &str, value: &Secret) -> Result<(), SecretError> {
        let now: Timestamp = SystemClock.now();
        let mut inner = self.fresh();
        inner
            .vault
            .set(name, value, now)
            .map_err(|error| failed(name, &error))?;
        inner.stamp = stamp(&self.path);
        inner.version += 1;
        Ok(())
    }

    fn try_turn(&self, name: &str) -> Result<Option<SecretTurn>, SecretError> {
        let taken = vault::try_turn(&self.path, name).map_err(|error| failed(name, &error))?;
        if taken.is_some() {
            // Whoever had the turn before may have stored a value in the same moment in which the file was looked at.
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            let stamp = stamp(&self.path);
            inner.vault.reload().map_err(|error| failed(name, &error))?;
            inner.stamp = stamp;
            inner.version += 1;
        }
        Ok(taken.map(SecretTurn::new))
    }

    fn version(&self) -> u64 {
        self.fresh().version
    }
}

/// For installations whose connections need no secrets.
#[derive(Debug)]
pub(crate) struct NoSecrets;

impl SecretSource for NoSecrets {
    fn get(&self, name: &str) -> Result<Secret, SecretError> {
        Err(SecretError::Missing(name.to_owned()))
    }

    fn put(&self, name: &str, _value: &Secret) -> Result<(), SecretError> {
        Err(SecretError::Missing(name.to_owned()))
    }

    fn try_turn(&self, name: &str) -> Result<Option<SecretTurn>, SecretError> {
        Err(SecretError::Missing(name.to_owned()))
    }

    fn version(&self) -> u64 {
        0
    }
}

fn failed(name: &str, error: &vault::Error) -> SecretError {
    SecretError::Vault {
        name: name.to_owned(),
        why: error.to_string(),
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    #[cfg(unix)]
    let identity = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let identity = metadata.len();
    Some((metadata.modified().ok()?, identity))
}

#[cfg(test)]
mod tests {
    use super::VaultSecrets;
    use jiff::Timestamp;
    use ml_connector_runtime::{Secret, SecretError, SecretSource as _};
    use ml_connector_store::vault::{Key, Vault};

    fn key() -> Key {
        Key::Bytes([7; 32])
    }

    #[test]
    fn what_another_process_sets_is_seen_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        let secrets = VaultSecrets::new(&path, Vault::create(&path, key()).unwrap());
        assert!(matches!(secrets.get("hook"), Err(SecretError::Missing(_))));
        let before = secrets.version();
        let mut other = Vault::open(&path, key()).unwrap();
        other
            .set("hook", &Secret::new("one".into()), Timestamp::UNIX_EPOCH)
            .unwrap();
        assert_eq!(secrets.get("hook").unwrap().expose(), "one");
        assert!(secrets.version() > before);
    }

    #[test]
    fn what_is_put_is_on_disk_and_undoes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        let secrets = VaultSecrets::new(&path, Vault::create(&path, key()).unwrap());
        let mut other = Vault::open(&path, key()).unwrap();
        other
            .set("hook", &Secret::new("one".into()), Timestamp::UNIX_EPOCH)
            .unwrap();
        secrets.put("refresh", &Secret::new("two".into())).unwrap();
        let again = Vault::open(&path, key()).unwrap();
        assert_eq!(again.get("hook").unwrap().expose(), "one");
        assert_eq!(again.get("refresh").unwrap().expose(), "two");
    }

    #[test]
    fn a_vault_that_cannot_be_read_again_keeps_what_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        let mut vault = Vault::create(&path, key()).unwrap();
        vault
            .set("hook", &Secret::new("one".into()), Timestamp::UNIX_EPOCH)
            .unwrap();
        let secrets = VaultSecrets::new(&path, vault);
        std::fs::write(&path, b"not a vault").unwrap();
        assert_eq!(secrets.get("hook").unwrap().expose(), "one");
    }
}
