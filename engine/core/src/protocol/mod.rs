//! Protocols as pure codecs: write a call down as a request, make its answer readable, say what it
//! means.
//!
//! ```text
//! Call ──encode──► HttpRequest ──(the shell sends)──► HttpResponse ──decode──► Answer ──classify──► Outcome, ReadResult
//! webhook body ──verify──► genuine ──split──► RawEvent…
//! ```
//!
//! Everything a system wants is in its definition; nothing here knows any. Invariants:
//! - A value is escaped by what it goes into: a path segment, a query, XML, JSON, a form. Nothing
//!   is pasted together.
//! - A body that cannot be read, or does not hold what the operation says comes back, never counts
//!   as success.
//! - What an answer means is decided by the definition's rules; where none decides, a write is
//!   [`Outcome::Unknown`].
//! - Secrets enter by [`Credentials`] only. With [`Masked`] the same code writes what people may
//!   see.

mod answer;
mod capture;
mod classify;
mod encode;
mod fingerprint;
mod form;
mod graphql;
mod look_up;
mod paginate;
mod rate;
mod receipt;
mod scope;
mod sequence;
mod soap;
mod text;
mod tidy;
mod time;
pub(crate) mod tree;
mod webhook;
mod xml;

pub use answer::decode;
pub use capture::{Captured, capture, capture_answer, readable};
pub use classify::{classify_read, classify_write};
pub use encode::encode;
pub use fingerprint::fingerprint;
pub use look_up::{adoption, input, look_up_input, look_up_verdict};
pub use rate::rate_state;
pub use receipt::UNREAD;
pub use sequence::{StepVerdict, sequence_receipt, step_input, step_verdict, steps, variant};
pub(crate) use text::length_in;
pub use text::{percent_decode, percent_encode};
pub use time::duration;
pub(crate) use time::duration_in;
pub use webhook::{EVENT_DEPTH_MAX, RawEvent, WebhookError, split, verify};

use crate::delivery::Outcome;
use crate::plan::{Connector, Operation};
use crate::template::EvalError;
use jiff::Timestamp;
use serde_json::Value as Document;
use std::collections::BTreeMap;
use std::fmt;

/// One call of one operation: everything its templates may see, except credentials. `Debug` shows
/// whose operation it is; inputs carry personal data.
#[derive(Clone)]
pub struct Call<'a> {
    /// Whose operation.
    pub connector: &'a Connector,
    /// The connection's settings.
    pub settings: &'a Document,
    /// What is called.
    pub operation: &'a Operation,
    /// Its input, an object.
    pub input: &'a Document,
    /// Our reference, for writes and their look-ups.
    pub reference: Option<&'a str>,
    /// The derived key, for writes repeated by key.
    pub idempotency_key: Option<&'a str>,
    /// Results of finished steps.
    pub steps: Option<&'a BTreeMap<String, Document>>,
    /// The next page, null for the first.
    pub page: &'a Document,
    /// The poll cursor, null outside polls.
    pub cursor: &'a Document,
}

/// What authenticates a call. Values are secret; `Debug` shows none.
pub trait Credentials {
    /// The first live value of a secret.
    fn secret(&self, name: &str) -> Option<&str>;
    /// The session token.
    fn session(&self) -> Option<&str>;
    /// The bearer token got by OAuth2 or signed by us.
    fn bearer(&self) -> Option<&str>;
    /// Whether the values are marks for people, so that nothing needs to be encoded.
    fn is_masked(&self) -> bool {
        false
    }
}

/// Credentials that put `[secret]`-like marks where values would stand: for previews, captures and
/// golden cases.
#[derive(Debug, Clone, Copy, Default)]
pub struct Masked;

impl Credentials for Masked {
    fn secret(&self, _name: &str) -> Option<&str> {
        Some("[secret]")
    }
    fn session(&self) -> Option<&str> {
        Some("[session]")
    }
    fn bearer(&self) -> Option<&str> {
        Some("[token]")
    }
    fn is_masked(&self) -> bool {
        true
    }
}

/// A call that cannot be written down as a request. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A template has no value.
    #[error("{place}: {source}")]
    Template {
        /// Which part of the operation, e.g. `request.query.UserId`.
        place: String,
        /// Why.
        source: EvalError,
    },
    /// A value the target's format cannot take.
    #[error("{place}: {why}")]
    Value {
        /// Which part of the operation.
        place: String,
        /// Why, without the value.
        why: String,
    },
    /// A credential is not there.
    #[error("no value for {what}")]
    Credential {
        /// Which.
        what: String,
    },
    /// No variant's `when` holds.
    #[error("no variant of operation `{operation}` applies")]
    NoVariant {
        /// Which operation.
        operation: String,
    },
}

impl EncodeError {
    fn template(place: impl Into<String>) -> impl FnOnce(EvalError) -> Self {
        let place = place.into();
        move |source| Self::Template { place, source }
    }

    fn value(place: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Value {
            place: place.into(),
            why: why.into(),
        }
    }
}

/// An answer made readable. `Debug` shows the status and sizes only: answers carry personal data
/// and session tokens.
#[derive(Clone, PartialEq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body as text.
    pub text: String,
    /// The body as document: null when empty or unreadable.
    pub body: Document,
    /// Why the body could not be read, if it could not.
    pub unreadable: Option<String>,
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({}.{})", self.connector.id, self.operation.name)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("text_bytes", &self.text.len())
            .field("unreadable", &self.unreadable)
            .finish_non_exhaustive()
    }
}

/// What a read gave.
#[derive(Debug, Clone, PartialEq)]
pub enum ReadResult {
    /// The selected result; for paged reads one page's items.
    Found {
        /// The result.
        result: Document,
        /// How to ask for the next page, if there is one.
        next: Option<Document>,
    },
    /// The target says that there is no such thing.
    NotFound {
        /// What it said.
        why: String,
    },
    /// Anything else.
    Failed(Outcome),
}

/// How a rate budget stands after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateState {
    /// Requests left in this window.
    pub remaining: u64,
    /// When the window ends.
    pub resets_at: Timestamp,
}

#[cfg(test)]
mod tests;
