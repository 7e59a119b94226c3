//! The encrypted file of secrets: its own small file, never part of the journal.
//!
//! # The file
//! ```text
//! "MLVAULT" · format version · key kind · argon2 memory, passes, lanes · salt (16) · nonce (24) · key check (24 + 16) │ ciphertext and tag
//! └──────────────────────── header, authenticated with the content ───────────────────────────────────────────────┘
//! ```
//! The key check is nothing, encrypted under the key with a nonce of its own: it tells a wrong key from a changed file. It
//! came with format 2.
//!
//! The content is JSON: name to value and the time it was set. It is encrypted with XChaCha20-Poly1305 under a random nonce
//! for every write, and replaced atomically: written beside, synced, renamed, the folder synced. A reader therefore sees the
//! old content or the new, also after a power cut.
//!
//! # Who may change it
//! Changes read, change and write under an exclusive lock on a file beside it, so a command and a running engine (which
//! stores rotated tokens) never undo each other. What takes a request between reading and writing, as a rotating refresh
//! token does, takes a [`Turn`] as well.
//!
//! Long because: the file's form, its key and who may change it are one promise.

pub use crate::turn::{Turn, try_turn};
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use jiff::Timestamp;
use ml_connector_core::hex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const MAGIC: &[u8; 7] = b"MLVAULT";
/// The format written. Older ones are brought forward on the next write, newer ones refused.
const FORMAT: u8 = 2;
/// The header of format 1, and the key check behind it since format 2.
const HEADER_BYTES: usize = 7 + 1 + 1 + 12 + 16 + 24;
const CHECK_BYTES: usize = 24 + 16;
/// What the key check is made for, so that it can stand for nothing else.
const CHECK_FOR: &[u8] = b"ml-connector vault key check";
/// A vault is small; a longer file is not one.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Argon2id cost for new passphrase vaults: 64 MiB, three passes, one lane.
const ARGON2: Cost = Cost {
    memory_kib: 64 * 1024,
    passes: 3,
    lanes: 1,
};
/// The most an existing file may ask for, so that a forged header cannot exhaust memory.
const ARGON2_MEMORY_KIB_MAX: u32 = 1024 * 1024;

/// Why the vault cannot be read or changed. No variant carries a value.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no vault yet.
    #[error("there is no vault at {0}; make one with `ml-connector secrets init`")]
    NotFound(PathBuf),
    /// There is one already.
    #[error("there is a vault at {0} already")]
    Exists(PathBuf),
    /// The file cannot be read or written.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The key is not the one it was encrypted with; or, which nothing can tell from that, the file's first bytes were
    /// changed.
    #[error("cannot decrypt {0}: wrong key, or the file's first bytes were changed")]
    WrongKey(PathBuf),
    /// The key is right, and the file is not what was written.
    #[error("{0} was changed after it was written: restore it from a copy")]
    Changed(PathBuf),
    /// The vault wants a passphrase and got a key, or the other way round.
    #[error("{path} is opened with {wanted}")]
    WrongKind {
        /// Which file.
        path: PathBuf,
        /// What it wants.
        wanted: &'static str,
    },
    /// It is not a vault, or cut short.
    #[error("{0} is not a vault: {1}")]
    Damaged(PathBuf, &'static str),
    /// A newer engine wrote it.
    #[error("{path} has format {found}, this engine knows up to {FORMAT}; use the newer engine")]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u8,
    },
    /// No secret of that name.
    #[error("there is no secret `{0}`; set it with `ml-connector secrets set {0}`")]
    Missing(String),
    /// A name that would be hard to refer to.
    #[error(
        "`{0}` is not a name for a secret: use letters, digits, `-`, `_`, `.` and `/`, at most 128"
    )]
    Name(String),
    /// Key material that is not 32 bytes.
    #[error("a vault key is 32 bytes, written as 64 hexadecimal digits or as base64")]
    Key,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
}

/// A secret value. It cannot be printed, serialised or copied by accident, and is wiped when dropped.
#[derive(ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Takes a value in.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, for the place that puts it into a request, compares a signature with it or stores it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// What opens a vault.
#[derive(ZeroizeOnDrop)]
pub enum Key {
    /// 32 bytes.
    Bytes([u8; 32]),
    /// A passphrase, stretched with argon2id.
    Passphrase(String),
}

impl Key {
    /// Reads 32 bytes from text: 64 hexadecimal digits or base64; surrounding white space is ignored.
    ///
    /// # Errors
    /// If it is neither.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        use base64::Engine as _;
        let text = text.trim();
        let bytes = if text.len() == 64 && text.is_ascii() {
            hex::read(text).ok_or(Error::Key)?
        } else {
            let engines = [
                &base64::engine::general_purpose::STANDARD,
                &base64::engine::general_purpose::URL_SAFE_NO_PAD,
            ];
            engines
                .iter()
                .find_map(|engine| engine.decode(text).ok())
                .ok_or(Error::Key)?
        };
        let bytes = Zeroizing::new(bytes);
        Ok(Self::Bytes(
            bytes.as_slice().try_into().map_err(|_| Error::Key)?,
        ))
    }

    /// A new random key, and its text for a key file.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn generate() -> Result<(Self, Secret), Error> {
        let mut bytes = [0_u8; 32];
        random(&mut bytes)?;
        Ok((Self::Bytes(bytes), Secret::new(hex::of(&bytes))))
    }

    const fn kind(&self) -> u8 {
        match self {
            Self::Bytes(_) => 0,
            Self::Passphrase(_) => 1,
        }
    }
}

/// A secret's name and when it was set; never its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// When it was last set.
    pub set_at: Timestamp,
}

#[derive(Serialize, Deserialize, ZeroizeOnDrop)]
struct Entry {
    value: String,
    #[zeroize(skip)]
    set_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// An opened vault: its content as of the last read.
pub struct Vault {
    path: PathBuf,
    key: Key,
    entries: BTreeMap<String, Entry>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault")
            .field("path", &self.path)
            .field("secrets", &self.entries.len())
            .finish_non_exhaustive()
    }
}

impl Vault {
    /// Makes an empty vault.
    ///
    /// # Errors
    /// If there is one already, or the file cannot be written.
    pub fn create(path: &Path, key: Key) -> Result<Self, Error> {
        let _lock = lock(path)?;
        if path.exists() {
            return Err(Error::Exists(path.to_owned()));
        }
        let vault = Self {
            path: path.to_owned(),
            key,
            entries: BTreeMap::new(),
        };
        vault.write()?;
        Ok(vault)
    }

    /// Opens an existing vault.
    ///
    /// # Errors
    /// If there is none, the key is wrong, or a single byte of it was changed.
    pub fn open(path: &Path, key: Key) -> Result<Self, Error> {
        let entries = read(path, &key)?;
        Ok(Self {
            path: path.to_owned(),
            key,
            entries,
        })
    }

    /// Reads the file again, for values another process has set.
    ///
    /// # Errors
    /// As [`Vault::open`]; the content read before stays.
    pub fn reload(&mut self) -> Result<(), Error> {
        self.entries = read(&self.path, &self.key)?;
        Ok(())
    }

    /// Names and times, by name.
    pub fn list(&self) -> Vec<Listed> {
        let listed = |(name, entry): (&String, &Entry)| Listed {
            name: name.clone(),
            set_at: entry.set_at,
        };
        self.entries.iter().map(listed).collect()
    }

    /// A value.
    ///
    /// # Errors
    /// If there is no such secret.
    pub fn get(&self, name: &str) -> Result<Secret, Error> {
        match self.entries.get(name) {
            Some(entry) => Ok(Secret(entry.value.clone())),
            None => Err(Error::Missing(name.to_owned())),
        }
    }

    /// Sets a value; it is on disk when this returns.
    ///
    /// # Errors
    /// If the name cannot be one, or the file cannot be written; then the old value stands.
    pub fn set(&mut self, name: &str, value: &Secret, at: Timestamp) -> Result<(), Error> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if name.is_empty() || name.len() > 128 || !name.chars().all(allowed) {
            return Err(Error::Name(name.to_owned()));
        }
        self.change(|entries| {
            entries.insert(
                name.to_owned(),
                Entry {
                    value: value.0.clone(),
                    set_at: at,
                },
            );
            Ok(())
        })
    }

    /// Removes a secret.
    ///
    /// # Errors
    /// If there is no such secret, or the file cannot be written.
    pub fn delete(&mut self, name: &str) -> Result<(), Error> {
        self.change(|entries| match entries.remove(name) {
            Some(_) => Ok(()),
            None => Err(Error::Missing(name.to_owned())),
        })
    }

    /// Encrypts everything under another key from now on.
    ///
    /// # Errors
    /// If the file cannot be written; then the old key still opens it.
    pub fn rotate(&mut self, key: Key) -> Result<(), Error> {
        let _lock = lock(&self.path)?;
        self.entries = read(&self.path, &self.key)?;
        let old = std::mem::replace(&mut self.key, key);
        if let Err(error) = self.write() {
            self.key = old;
            return Err(error);
        }
        Ok(())
    }

    /// Reads, changes and writes under the lock.
    fn change(
        &mut self,
        change: impl FnOnce(&mut BTreeMap<String, Entry>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let _lock = lock(&self.path)?;
        self.entries = read(&self.path, &self.key)?;
        let done = change(&mut self.entries).and_then(|()| self.write());
        if done.is_err() {
            self.entries = read(&self.path, &self.key)?;
        }
        done
    }

    fn write(&self) -> Result<(), Error> {
        let mut header = Header::new(&self.key)?;
        let plain = Zeroizing::new(serde_json::to_vec(&self.entries).unwrap_or_default());
        let cipher = cipher(&self.key, &header, &self.path)?;
        header.check = Some(Check::new(&cipher, &self.path)?);
        let bytes = header.bytes();
        let payload = Payload {
            msg: plain.as_slice(),
            aad: &bytes,
        };
        let sealed = cipher
            .encrypt(&XNonce::from(header.nonce), payload)
            .map_err(|_| Error::WrongKey(self.path.clone()))?;
        replace(&self.path, &[&bytes, &sealed])
    }
}

struct Header {
    kind: u8,
    cost: Cost,
    salt: [u8; 16],
    nonce: [u8; 24],
    /// None in format 1, and until the key is at hand.
    check: Option<Check>,
}

/// Nothing, encrypted.
struct Check {
    nonce: [u8; 24],
    tag: [u8; 16],
}

impl Check {
    fn new(cipher: &XChaCha20Poly1305, path: &Path) -> Result<Self, Error> {
        let mut nonce = [0; 24];
        random(&mut nonce)?;
        let sealed = cipher.encrypt(&XNonce::from(nonce), Self::payload(&[]));
        let sealed = sealed.map_err(|_| Error::WrongKey(path.to_owned()))?;
        let tag = sealed.first_chunk().copied().unwrap_or_default();
        Ok(Self { nonce, tag })
    }

    /// Whether it was made with this key.
    fn fits(&self, cipher: &XChaCha20Poly1305) -> bool {
        let opened = cipher.decrypt(&XNonce::from(self.nonce), Self::payload(&self.tag));
        opened.is_ok()
    }

    fn payload(msg: &[u8]) -> Payload<'_, '_> {
        Payload {
            msg,
            aad: CHECK_FOR,
        }
    }
}

impl Header {
    /// For a write: new salt, new nonce.
    fn new(key: &Key) -> Result<Self, Error> {
        let (mut salt, mut nonce) = ([0; 16], [0; 24]);
        random(&mut salt)?;
        random(&mut nonce)?;
        Ok(Self {
            kind: key.kind(),
            cost: ARGON2,
            salt,
            nonce,
            check: None,
        })
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + CHECK_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.push(if self.check.is_some() { FORMAT } else { 1 });
        bytes.push(self.kind);
        for number in [self.cost.memory_kib, self.cost.passes, self.cost.lanes] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.salt);
        bytes.extend_from_slice(&self.nonce);
        if let Some(check) = &self.check {
            bytes.extend_from_slice(&check.nonce);
            bytes.extend_from_slice(&check.tag);
        }
        bytes
    }

    fn read(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let damaged = |why| Error::Damaged(path.to_owned(), why);
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or_else(|| damaged("it does not begin like one"))?;
        let (&format, rest) = rest
            .split_first()
            .ok_or_else(|| damaged("it is cut short"))?;
        if format > FORMAT {
            return Err(Error::Newer {
                path: path.to_owned(),
                found: format,
            });
        }
        let (&kind, rest) = rest
            .split_first()
            .ok_or_else(|| damaged("it is cut short"))?;
        let mut rest = rest;
        let mut number = || {
            let (head, tail) = rest.split_first_chunk::<4>()?;
            rest = tail;
            Some(u32::from_le_bytes(*head))
        };
        let cut = || damaged("it is cut short");
        let cost = Cost {
            memory_kib: number().ok_or_else(cut)?,
            passes: number().ok_or_else(cut)?,
            lanes: number().ok_or_else(cut)?,
        };
        let (&salt, rest) = rest.split_first_chunk::<16>().ok_or_else(cut)?;
        let (&nonce, rest) = rest.split_first_chunk::<24>().ok_or_else(cut)?;
        let check = if format == 1 {
            None
        } else {
            let (&nonce, rest) = rest.split_first_chunk::<24>().ok_or_else(cut)?;
            let (&tag, _) = rest.split_first_chunk::<16>().ok_or_else(cut)?;
            Some(Check { nonce, tag })
        };
        Ok(Self {
            kind,
            cost,
            salt,
            nonce,
            check,
        })
    }
}

fn read(path: &Path, key: &Key) -> Result<BTreeMap<String, Entry>, Error> {
    let io = |source: std::io::Error| {
        if source.kind() == std::io::ErrorKind::NotFound {
            return Error::NotFound(path.to_owned());
        }
        Error::Io {
            doing: "read",
            path: path.to_owned(),
            source,
        }
    };
    if std::fs::metadata(path).map_err(io)?.len() > FILE_BYTES_MAX {
        return Err(Error::Damaged(path.to_owned(), "it is too long"));
    }
    let bytes = std::fs::read(path).map_err(io)?;
    let header = Header::read(path, &bytes)?;
    let (head, sealed) = bytes
        .split_at_checked(header.bytes().len())
        .ok_or_else(|| Error::Damaged(path.to_owned(), "it is cut short"))?;
    let cipher = cipher(key, &header, path)?;
    let plain = cipher
        .decrypt(
            &XNonce::from(header.nonce),
            Payload {
                msg: sealed,
                aad: head,
            },
        )
        .map_err(|_| match &header.check {
            Some(check) if check.fits(&cipher) => Error::Changed(path.to_owned()),
            Some(_) | None => Error::WrongKey(path.to_owned()),
        })?;
    let plain = Zeroizing::new(plain);
    serde_json::from_slice(&plain)
        .map_err(|_| Error::Damaged(path.to_owned(), "its content is not readable"))
}

fn cipher(key: &Key, header: &Header, path: &Path) -> Result<XChaCha20Poly1305, Error> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    match (key, header.kind) {
        (Key::Bytes(key), 0) => bytes.copy_from_slice(key),
        (Key::Passphrase(phrase), 1) => {
            let Cost {
                memory_kib,
                passes,
                lanes,
            } = header.cost;
            let bad = || Error::Damaged(path.to_owned(), "its key settings cannot be used");
            if memory_kib > ARGON2_MEMORY_KIB_MAX || passes > 64 || lanes > 16 {
                return Err(bad());
            }
            let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(|_| bad())?;
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password_into(phrase.as_bytes(), &header.salt, bytes.as_mut())
                .map_err(|_| bad())?;
        }
        (_, 0) => {
            return Err(Error::WrongKind {
                path: path.to_owned(),
                wanted: "a key",
            });
        }
        (_, 1) => {
            return Err(Error::WrongKind {
                path: path.to_owned(),
                wanted: "a passphrase",
            });
        }
        _ => return Err(Error::Damaged(path.to_owned(), "its key kind is not known")),
    }
    let cipher = XChaCha20Poly1305::new((&*bytes).into());
    bytes.zeroize();
    Ok(cipher)
}

/// Replaces a file so that a reader, or a power cut, meets the old content or the new.
pub(crate) fn replace(path: &Path, parts: &[&[u8]]) -> Result<(), Error> {
    let io = |doing| {
        move |source| Error::Io {
            doing,
            path: path.to_owned(),
            source,
        }
    };
    let beside = with_suffix(path, ".new");
    let mut file = private(&beside).map_err(io("write beside"))?;
    for part in parts {
        file.write_all(part).map_err(io("write beside"))?;
    }
    file.sync_all().map_err(io("sync"))?;
    std::fs::rename(&beside, path).map_err(io("replace"))?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))
        .and_then(|folder| folder.sync_all())
        .map_err(io("sync the folder of"))
}

/// The lock is released when the file is dropped.
pub(crate) fn lock(path: &Path) -> Result<File, Error> {
    let io = |source| Error::Io {
        doing: "lock",
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(with_suffix(path, ".lock"))
        .map_err(io)?;
    file.lock().map_err(io)?;
    Ok(file)
}

/// Creates (or empties) a file that only its owner may read.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Random bytes of the system.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| Error::Random(error.to_string()))
}

#[cfg(test)]
#[path = "vault_tests.rs"]
mod tests;
