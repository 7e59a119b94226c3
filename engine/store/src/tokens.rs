//! The file of operator tokens: who may use the operator API, and in which role.
//!
//! A token is 32 random bytes, so nobody guesses one and a plain SHA-256 of it is enough: only that hash is kept. The text
//! is `mlt_<id>_<secret>`; it exists once, where it is made. The file is JSON, readable by its owner only, replaced
//! atomically and changed under a lock like the vault beside it. A revoked token stays in it, so that what it did can be
//! traced to whom it was given.

use crate::vault::{self, Secret};
use base64::Engine as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The format written; a newer one is refused.
const FORMAT: u32 = 1;
/// What every token begins with, so that a scanner for leaked secrets can find one.
const PREFIX: &str = "mlt_";
/// The longest name.
const NAME_CHARS_MAX: usize = 64;
/// No token is longer; a longer text is not even hashed.
const TOKEN_BYTES_MAX: usize = 128;

/// Why tokens cannot be read or changed. No variant carries a token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read, locked or replaced.
    #[error(transparent)]
    File(#[from] vault::Error),
    /// The file cannot be read.
    #[error("cannot read the tokens in {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is not a file of tokens.
    #[error("{path} is not a file of tokens: {why}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A newer engine wrote it.
    #[error("{path} has format {found}, this engine knows up to {FORMAT}; use the newer engine")]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// A name that cannot be one.
    #[error("a token's name has 1 to {NAME_CHARS_MAX} characters and no control characters")]
    Name,
    /// A live token has this name.
    #[error("there is a token `{0}` already; revoke it first, or take another name")]
    Taken(String),
    /// No live token has this id or name.
    #[error("there is no token `{0}` that could be revoked")]
    Missing(String),
}

/// What the bearer of a token may do. Each role may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Viewer,
    /// Decide about records, stop and resume connections, fill matching tables.
    Operator,
    /// What may lead to a second posting.
    Admin,
}

impl Role {
    /// All, from the least to the most.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The word used in commands and output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is not a role; there are: viewer, operator, admin"))
    }
}

/// A token as it is kept and listed: everything but itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its public part.
    pub id: String,
    /// To whom it was given; what the audit trail calls them.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// SHA-256 of its text, hex.
    hash: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// From when on it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_by: Option<String>,
}

impl Token {
    /// Whether it is accepted at a time.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// What a new token shall be.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// To whom it is given.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Who makes it.
    pub created_by: String,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    tokens: Vec<Token>,
}

/// The tokens of an installation, as last read.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    tokens: Vec<Token>,
}

impl Tokens {
    /// Reads the file; one that is not there has no tokens.
    ///
    /// # Errors
    /// If it cannot be read, is not one, or a newer engine wrote it.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(source) => {
                let path = path.to_owned();
                return Err(Error::Read { path, source });
            }
        };
        let damaged = |error: serde_json::Error| Error::Damaged {
            path: path.to_owned(),
            why: error.to_string(),
        };
        let any: serde_json::Value = serde_json::from_slice(&text).map_err(damaged)?;
        let found = any.get("version").and_then(serde_json::Value::as_u64);
        if let Some(found) = found.and_then(|found| u32::try_from(found).ok())
            && found > FORMAT
        {
            let path = path.to_owned();
            return Err(Error::Newer { path, found });
        }
        let content: Content = serde_json::from_value(any).map_err(damaged)?;
        Ok(Self {
            tokens: content.tokens,
        })
    }

    /// All, in the order they were made.
    pub fn list(&self) -> &[Token] {
        &self.tokens
    }

    /// The live token that a text is. Every known hash is compared, each in constant time, so the time it takes says
    /// nothing about how much of the text was right.
    pub fn recognise(&self, presented: &str, now: Timestamp) -> Option<&Token> {
        if presented.len() > TOKEN_BYTES_MAX || !presented.starts_with(PREFIX) {
            return None;
        }
        let hash = hash(presented);
        let mut found = None;
        for token in &self.tokens {
            if bool::from(token.hash.as_bytes().ct_eq(hash.as_bytes())) {
                found = Some(token);
            }
        }
        found.filter(|token| token.is_live(now))
    }

    /// Makes a token; it is on disk when this returns. The text that comes back exists nowhere else.
    ///
    /// # Errors
    /// If the name cannot be one or is taken, or the file cannot be written.
    pub fn create(path: &Path, new: NewToken, at: Timestamp) -> Result<(Token, Secret), Error> {
        let NewToken {
            name,
            role,
            created_by,
            expires_at,
        } = new;
        let length = name.chars().count();
        if !(1..=NAME_CHARS_MAX).contains(&length) || name.chars().any(char::is_control) {
            return Err(Error::Name);
        }
        let _lock = vault::lock(path)?;
        let mut tokens = Self::read(path)?;
        let taken = |token: &Token| token.name == name && token.is_live(at);
        if tokens.tokens.iter().any(taken) {
            return Err(Error::Taken(name));
        }
        let (mut id, mut secret) = ([0_u8; 6], Zeroizing::new([0_u8; 32]));
        vault::random(&mut id)?;
        vault::random(secret.as_mut())?;
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let id = ml_connector_core::hex::of(&id);
        let encoded = Zeroizing::new(engine.encode(secret.as_ref()));
        let text = format!("{PREFIX}{id}_{}", encoded.as_str());
        let token = Token {
            id,
            name,
            role,
            hash: hash(&text),
            created_at: at,
            created_by,
            expires_at,
            revoked_at: None,
            revoked_by: None,
        };
        tokens.tokens.push(token.clone());
        tokens.write(path)?;
        Ok((token, Secret::new(text)))
    }

    /// Revokes the live token with this id or name; from now on it is refused.
    ///
    /// # Errors
    /// If there is none, or the file cannot be written; then it stands.
    pub fn revoke(path: &Path, which: &str, by: &str, at: Timestamp) -> Result<Token, Error> {
        let _lock = vault::lock(path)?;
        let mut tokens = Self::read(path)?;
        let found = tokens
            .tokens
            .iter_mut()
            .find(|token| token.revoked_at.is_none() && (token.id == which || token.name == which));
        let Some(token) = found else {
            return Err(Error::Missing(which.to_owned()));
        };
        token.revoked_at = Some(at);
        token.revoked_by = Some(by.to_owned());
        let revoked = token.clone();
        tokens.write(path)?;
        Ok(revoked)
    }

    fn write(&self, path: &Path) -> Result<(), Error> {
        let content = Content {
            version: FORMAT,
            tokens: self.tokens.clone(),
        };
        let text = serde_json::to_vec_pretty(&content).map_err(|error| Error::Damaged {
            path: path.to_owned(),
            why: error.to_string(),
        })?;
        Ok(vault::replace(path, &[&text, b"\n"])?)
    }
}

fn hash(text: &str) -> String {
    ml_connector_core::hex::of(&Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn new(name: &str, role: Role) -> NewToken {
        NewToken {
            name: name.to_owned(),
            role,
            created_by: "root".to_owned(),
            expires_at: None,
        }
    }

    #[test]
    fn a_token_is_known_by_its_hash_alone_and_not_after_it_was_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/tokens.json");
        let (anna, text) =
            Tokens::create(&path, new("anna", Role::Operator), at(1)).expect("it can be made");
        let (_, other) = Tokens::create(&path, new("bert", Role::Viewer), at(1)).unwrap();
        let file = std::fs::read_to_string(&path).unwrap();
        let secret = text.expose().rsplit('_').next().unwrap();
        assert!(!file.contains(secret), "{file}");
        let tokens = Tokens::read(&path).unwrap();
        let known = tokens.recognise(text.expose(), at(2)).unwrap();
        assert_eq!((&known.id, known.role), (&anna.id, Role::Operator));
        let mut wrong = text.expose().to_owned();
        let last = wrong.pop().unwrap();
        wrong.push(if last == 'A' { 'E' } else { 'A' });
        assert!(tokens.recognise(&wrong, at(2)).is_none());
        assert!(tokens.recognise("", at(2)).is_none());
        assert!(tokens.recognise(&"mlt_".repeat(1000), at(2)).is_none());
        Tokens::revoke(&path, "anna", "root", at(3)).unwrap();
        let tokens = Tokens::read(&path).unwrap();
        assert!(tokens.recognise(text.expose(), at(4)).is_none());
        assert!(tokens.recognise(other.expose(), at(4)).is_some());
        assert_eq!(tokens.list()[0].revoked_by.as_deref(), Some("root"));
        let again = Tokens::revoke(&path, "anna", "root", at(5));
        assert!(matches!(again, Err(Error::Missing(_))), "{again:?}");
    }

    #[test]
    fn a_token_ends_when_it_was_said_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        let mut asked = new("anna", Role::Admin);
        asked.expires_at = Some(at(10));
        let (_, text) = Tokens::create(&path, asked, at(1)).unwrap();
        let tokens = Tokens::read(&path).unwrap();
        assert!(tokens.recognise(text.expose(), at(9)).is_some());
        assert!(tokens.recognise(text.expose(), at(10)).is_none());
        // Its name is free again.
        assert!(Tokens::create(&path, new("anna", Role::Admin), at(11)).is_ok());
    }

    #[test]
    fn names_are_taken_once_and_files_of_others_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        Tokens::create(&path, new("anna", Role::Viewer), at(1)).unwrap();
        let taken = Tokens::create(&path, new("anna", Role::Admin), at(2)).map(drop);
        assert!(matches!(taken, Err(Error::Taken(_))), "{taken:?}");
        for name in ["", "a\nb", &"x".repeat(65)] {
            let refused = Tokens::create(&path, new(name, Role::Admin), at(2)).map(drop);
            assert!(matches!(refused, Err(Error::Name)), "{name}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(&path, r#"{"version":9,"tokens":[]}"#).unwrap();
        assert!(matches!(
            Tokens::read(&path),
            Err(Error::Newer { found: 9, .. })
        ));
        std::fs::write(&path, "[").unwrap();
        assert!(matches!(Tokens::read(&path), Err(Error::Damaged { .. })));
    }
}
