//! Where the vault lies and where its key comes from.
//!
//! A key is 32 bytes as text, or `passphrase:` and the passphrase. It comes from a file, from the environment, or from the
//! service manager's credentials directory (`CREDENTIALS_DIRECTORY`), never from an argument.

use crate::failure::{Advised as _, advise};
use anyhow::Context as _;
use ml_connector_store::vault::{Error, Key, Vault};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A vault on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VaultPlace {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its key.
    pub(crate) key: KeySource,
}

/// Where a key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A file in the credentials directory.
    Credential(String),
}

/// What begins a key text that is a passphrase.
const PASSPHRASE: &str = "passphrase:";

impl VaultPlace {
    /// Opens the vault.
    ///
    /// A change of the key writes the new one beside the old one first, so a change that was cut off leaves one of the two
    /// that fits: then it is finished here.
    pub(crate) fn open(&self) -> anyhow::Result<Vault> {
        let wrong = match Vault::open(&self.path, self.key.read()?) {
            Err(wrong @ Error::WrongKey(_)) => wrong,
            other => return Ok(other?),
        };
        let KeySource::File(file) = &self.key else {
            return Err(wrong.into());
        };
        let next = beside(file);
        if !next.exists() {
            return Err(wrong.into());
        }
        let vault = Vault::open(&self.path, read_file(&next)?)?;
        finish_change(&next, file)?;
        Ok(vault)
    }

    /// Makes a vault, and its key file if the key comes from a file that is not there yet. Says whether the key is new.
    pub(crate) fn create(&self) -> anyhow::Result<(Vault, bool)> {
        if self.path.exists() {
            return Err(Error::Exists(self.path.clone()).into());
        }
        if let Some(folder) = self.path.parent() {
            make_folder(folder)?;
        }
        let new_key = match &self.key {
            KeySource::File(file) if !file.exists() => {
                if let Some(folder) = file.parent() {
                    make_folder(folder)?;
                }
                let (_, text) = Key::generate()?;
                write_private(file, text.expose())?;
                true
            }
            KeySource::File(_) | KeySource::Env(_) | KeySource::Credential(_) => false,
        };
        Ok((Vault::create(&self.path, self.key.read()?)?, new_key))
    }

    /// Encrypts everything under a new key that is written to the key file.
    pub(crate) fn change_key_file(&self, file: &Path) -> anyhow::Result<()> {
        let mut vault = self.open()?;
        let next = beside(file);
        match fs::remove_file(&next) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove `{}`", next.display()));
            }
            Ok(()) | Err(_) => {}
        }
        let (key, text) = Key::generate()?;
        write_private(&next, text.expose())?;
        vault.rotate(key)?;
        finish_change(&next, file)
    }
}

impl KeySource {
    /// Reads the key.
    pub(crate) fn read(&self) -> anyhow::Result<Key> {
        match self {
            Self::File(file) => read_file(file),
            Self::Env(name) => {
                let text = environment(name).ok_or_else(|| {
                    advise(
                        format!(
                            "the environment variable `{name}` with the vault's key is not set"
                        ),
                        "`ml-connector secrets new-key` prints a key",
                    )
                })?;
                parse(&text).with_context(|| format!("cannot use the key in `{name}`"))
            }
            Self::Credential(name) => {
                let folder = environment("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                    advise(
                        format!("there is no credentials directory to read `{name}` from"),
                        format!(
                            "run it as a service with `LoadCredential={name}:…`, or set \
                             CREDENTIALS_DIRECTORY to the folder that holds it"
                        ),
                    )
                })?;
                read_file(&Path::new(folder.as_str()).join(name))
            }
        }
    }
}

/// Reads key text given by other means, e.g. stdin.
pub(crate) fn parse(text: &str) -> anyhow::Result<Key> {
    let text = text.trim();
    match text.strip_prefix(PASSPHRASE) {
        Some(passphrase) if passphrase.trim().is_empty() => {
            Err(anyhow::anyhow!("the passphrase is empty"))
        }
        Some(passphrase) => Ok(Key::Passphrase(passphrase.trim().to_owned())),
        None => Ok(Key::from_text(text)?),
    }
}

fn read_file(file: &Path) -> anyhow::Result<Key> {
    let text = fs::read_to_string(file).advise(
        || format!("cannot read the vault's key from `{}`", file.display()),
        || "`ml-connector secrets init` makes vault and key".to_owned(),
    )?;
    parse(&Zeroizing::new(text))
        .with_context(|| format!("cannot use the key in `{}`", file.display()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a key may come from the environment"
)]
fn environment(name: &str) -> Option<Zeroizing<String>> {
    std::env::var(name)
        .ok()
        .filter(|value| !value.is_empty())
        .map(Zeroizing::new)
}

fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

fn finish_change(next: &Path, file: &Path) -> anyhow::Result<()> {
    fs::rename(next, file).advise(
        || format!("cannot replace the key file `{}`", file.display()),
        || {
            format!(
                "the vault's key is in `{}` now: rename it by hand",
                next.display()
            )
        },
    )
}

fn make_folder(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder `{}`", folder.display()))
}

/// Writes a new file that only its owner may read, and waits until it is on disk.
fn write_private(file: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let write = || -> std::io::Result<()> {
        let mut opened = options.open(file)?;
        opened.write_all(text.as_bytes())?;
        opened.write_all(b"\n")?;
        opened.sync_all()?;
        if let Some(folder) = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            fs::File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    write().with_context(|| format!("cannot write the key file `{}`", file.display()))
}

#[cfg(test)]
mod tests {
    use super::{KeySource, VaultPlace, beside, parse};
    use jiff::Timestamp;
    use ml_connector_store::vault::{Key, Secret, Vault};
    use std::fs;
    use std::path::Path;

    fn place(folder: &Path) -> VaultPlace {
        VaultPlace {
            path: folder.join("data/vault"),
            key: KeySource::File(folder.join("keys/vault.key")),
        }
    }

    fn filled(folder: &Path) -> VaultPlace {
        let place = place(folder);
        let (mut vault, new) = place.create().unwrap();
        assert!(new);
        vault
            .set("hook", &Secret::new("s3cret".into()), Timestamp::UNIX_EPOCH)
            .unwrap();
        place
    }

    #[test]
    fn a_new_vault_has_a_key_that_only_its_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let place = filled(folder.path());
        assert_eq!(
            place.open().unwrap().get("hook").unwrap().expose(),
            "s3cret"
        );
        assert!(place.create().is_err());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(folder.path().join("keys/vault.key"))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn the_old_key_opens_nothing_after_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let place = filled(folder.path());
        let file = folder.path().join("keys/vault.key");
        let old = fs::read_to_string(&file).unwrap();
        place.change_key_file(&file).unwrap();
        assert_ne!(fs::read_to_string(&file).unwrap(), old);
        assert!(Vault::open(&place.path, parse(&old).unwrap()).is_err());
        assert_eq!(
            place.open().unwrap().get("hook").unwrap().expose(),
            "s3cret"
        );
        assert!(!beside(&file).exists());
    }

    #[test]
    fn a_change_that_was_cut_off_is_finished_or_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let place = filled(folder.path());
        let file = folder.path().join("keys/vault.key");
        let (key, text) = Key::generate().unwrap();
        // Cut off before the vault changed: the old key still fits, and the next change starts afresh.
        fs::write(beside(&file), text.expose()).unwrap();
        assert!(place.open().is_ok());
        // Cut off after the vault changed: the new key takes its place.
        place.open().unwrap().rotate(key).unwrap();
        assert_eq!(
            place.open().unwrap().get("hook").unwrap().expose(),
            "s3cret"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), text.expose());
        place.change_key_file(&file).unwrap();
        assert!(place.open().is_ok());
    }

    #[test]
    fn a_passphrase_is_marked_as_one() {
        assert!(matches!(
            parse("passphrase: four words").unwrap(),
            Key::Passphrase(_)
        ));
        assert!(parse("passphrase:  ").is_err());
        assert!(parse("four words").is_err());
    }
}
