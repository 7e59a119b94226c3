//! Protocols as pure codecs: encode a call to an [`HttpRequest`], decode an [`HttpResponse`], say what it means.

use crate::delivery::{LookUp, Outcome};
use crate::http::{HttpRequest, HttpResponse, SendError};
use crate::plan::{Connector, LookUpSpec, Operation, Step, Webhook};
use crate::template::EvalError;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value as Document;
use std::collections::BTreeMap;
use std::time::Duration;

/// One call of one operation: everything its templates may see, except credentials.
#[derive(Debug, Clone)]
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
}

/// Credentials that put `[secret]`-like marks where values would stand: for previews, captures and golden cases.
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

/// An answer made readable.
#[derive(Debug, Clone, PartialEq)]
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

/// Writes a call down as a request, with its credentials.
pub fn encode(
    _call: &Call<'_>,
    _credentials: &dyn Credentials,
) -> Result<HttpRequest, EncodeError> {
    todo!()
}

/// Makes an answer readable by the operation's (or connector's) rules. Never fails: an unreadable body says so in itself.
pub fn decode(_call: &Call<'_>, _response: &HttpResponse) -> Answer {
    todo!()
}

/// What a write's (or session call's) answer means.
pub fn classify_write(
    _call: &Call<'_>,
    _answer: &Result<Answer, SendError>,
    _now: Timestamp,
) -> Outcome {
    todo!()
}

/// What a read's answer means.
pub fn classify_read(
    _call: &Call<'_>,
    _answer: &Result<Answer, SendError>,
    _now: Timestamp,
) -> ReadResult {
    todo!()
}

/// The input of a look-up. An adoption (`outcomes[].adopt`) also sees the answer that led to it.
pub fn look_up_input(
    _call: &Call<'_>,
    _spec: &LookUpSpec,
    _answer: Option<&Answer>,
) -> Result<Document, EncodeError> {
    todo!()
}

/// For an answer that means `already_there`: how what is there is read and compared, if its rule says so.
pub fn adoption<'a>(_call: &Call<'a>, _answer: &Answer) -> Option<&'a LookUpSpec> {
    todo!()
}

/// An operation's input from templates over a scope the caller fills (a poll's `with`, a health call's), with the
/// schema's defaults.
pub fn input(
    _operation: &Operation,
    _with: &indexmap::IndexMap<String, crate::template::Template>,
    _scope: &crate::template::Scope,
) -> Result<Document, EncodeError> {
    todo!()
}

/// The input of a step; `call` is the sequence's own call with the results so far.
pub fn step_input(_call: &Call<'_>, _step: &Step) -> Result<Document, EncodeError> {
    todo!()
}

/// What a step's successful answer means for the sequence.
#[derive(Debug, Clone, PartialEq)]
pub enum StepVerdict {
    /// The next step may go.
    Done,
    /// Ask again later: `until` does not hold yet.
    Wait,
    /// One of the step's own outcome rules applies.
    Ended(Outcome),
}

/// Judges a step by its `until` and its outcome rules; `call` is the sequence's own call with the results so far.
pub fn step_verdict(
    _call: &Call<'_>,
    _step: &Step,
    _result: &Document,
    _now: Timestamp,
) -> Result<StepVerdict, EncodeError> {
    todo!()
}

/// The receipt of a finished sequence; `call.steps` holds every step's result.
pub fn sequence_receipt(_call: &Call<'_>) -> Result<crate::delivery::Receipt, EncodeError> {
    todo!()
}

/// What a look-up's result says about a write.
pub fn look_up_verdict(_write: &Call<'_>, _spec: &LookUpSpec, _read: &ReadResult) -> LookUp {
    todo!()
}

/// The steps of the variant that applies, or nothing for a single request.
pub fn steps<'a>(_call: &Call<'a>) -> Result<&'a [Step], EncodeError> {
    todo!()
}

/// How the rate budget stands, if the connector says where the answer tells.
pub fn rate_state(_connector: &Connector, _answer: &Answer, _now: Timestamp) -> Option<RateState> {
    todo!()
}

/// A setting-dependent duration, e.g. the connection's time limit.
pub fn duration(
    _template: &crate::template::Template,
    _settings: &Document,
) -> Result<Duration, EvalError> {
    todo!()
}

/// One event cut out of a webhook's body.
#[derive(Debug, Clone, PartialEq)]
pub struct RawEvent {
    /// Its id as declared by the trigger.
    pub id: String,
    /// Its bytes as received.
    pub raw: Bytes,
    /// Parsed.
    pub document: Document,
}

/// A webhook that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// No or wrong signature.
    #[error("the signature does not match")]
    NotGenuine,
    /// Genuine, but not readable as declared.
    #[error("the body is not what the trigger declares: {why}")]
    Malformed {
        /// Why, without content.
        why: String,
    },
}

/// Whether a webhook is genuine: which of the live secrets matched. Constant time over the raw bytes, before any parsing.
///
/// # Errors
/// If none matches; also for a missing, short or unreadable signature.
pub fn verify(
    _webhook: &Webhook,
    _header: &dyn Fn(&str) -> Option<String>,
    _body: &[u8],
    _secrets: &[&str],
) -> Result<usize, WebhookError> {
    todo!()
}

/// Percent-encodes everything but the unreserved characters of RFC 3986 section 2.3.
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for nibble in [byte >> 4, byte & 15] {
                encoded.push(char::from(if nibble < 10 {
                    b'0' + nibble
                } else {
                    b'A' - 10 + nibble
                }));
            }
        }
    }
    encoded
}

/// Cuts a genuine body into its events, keeping each one's bytes as received.
pub fn split(
    _webhook: &Webhook,
    _id: &crate::template::Path,
    _body: &Bytes,
) -> Result<Vec<RawEvent>, WebhookError> {
    todo!()
}
