//! Connectors: how a system is reached, and where its events come from.

use super::{Auth, Operation, OutcomeRule};
use crate::calendar::Calendar;
use crate::identity::ConnectorId;
use crate::template::{Expression, Path, Template, fingerprint};
use crate::value::scalar_text;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::Value as Document;
use std::sync::Arc;
use std::time::Duration;

/// Everything about one system, nothing about any pairing.
#[derive(Debug)]
pub struct Connector {
    /// Its name.
    pub id: ConnectorId,
    /// For people.
    pub title: String,
    /// JSON Schema (an object schema) of a connection's settings.
    pub settings: Document,
    /// Secrets a connection must or may name.
    pub secrets: IndexMap<String, SecretSpec>,
    /// How it is reached.
    pub http: Http,
    /// The operation `ping` calls first and that closes an open circuit.
    pub health: Option<Health>,
    /// What `ping` reads after `health`, in order: proves log-on, rights and look-ups. A circuit never calls these.
    pub ping: Vec<Health>,
    /// Sources of events.
    pub triggers: IndexMap<String, Trigger>,
    /// Everything that can be asked or told.
    pub operations: IndexMap<String, Arc<Operation>>,
    /// Values made of every answer, in order, seen by name in outcome rules and receipts, e.g. `fault`: what an answer
    /// complains of, wherever a system puts that. See the answer scope and earlier ones.
    pub answers: IndexMap<String, Template>,
    /// What answers mean, after an operation's own rules; first match wins.
    pub outcomes: Vec<OutcomeRule>,
}

/// A secret a connection supplies.
#[derive(Debug, Clone)]
pub struct SecretSpec {
    /// For people.
    pub description: String,
    /// Whether a connection may do without.
    pub optional: bool,
    /// Whether several values may be live at once, for rotation.
    pub several: bool,
    /// Of which values of settings one cannot do without it: a map of setting to value or values, or a list of such maps.
    pub required_when: Option<Document>,
}

/// A harmless read that shows whether a connection works.
#[derive(Debug)]
pub struct Health {
    /// Name of a read operation.
    pub operation: String,
    /// Its input. Sees `settings`.
    pub with: IndexMap<String, Template>,
    /// One line for people about what was read. Sees `result`, `settings`.
    pub show: Option<Template>,
}

/// How a system is reached.
#[derive(Debug)]
pub struct Http {
    /// Sees `settings`.
    pub base_url: Template,
    /// Sent with every request. Sees `settings`.
    pub headers: Vec<(String, Template)>,
    /// How requests are authenticated.
    pub auth: Auth,
    /// The budget.
    pub rate_limit: Option<RateLimit>,
    /// Requests under way at once. Sees `settings`.
    pub concurrency: Template,
    /// Time limit of one request. Sees `settings`.
    pub timeout: Template,
    /// The longest answer that is read, in bytes.
    pub answer_bytes_max: u64,
    /// How bodies are turned into text and documents.
    pub answer: AnswerFormat,
    /// When attempts stop, and for how long.
    pub circuit: Circuit,
}

/// The circuit breaker of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circuit {
    /// Troubles in a row that open it.
    pub failures: u32,
    /// The wait before the first health call.
    pub first: Duration,
    /// The longest wait between health calls.
    pub max: Duration,
}

/// A connection's request budget.
#[derive(Debug, Clone)]
pub struct RateLimit {
    /// Requests allowed per `per`.
    pub requests: u32,
    /// The window.
    pub per: Duration,
    /// Header fields of the answers that say how much is left.
    pub follow: Option<RateHeaders>,
}

/// Names of rate-limit header fields.
#[derive(Debug, Clone)]
pub struct RateHeaders {
    /// How many are left.
    pub remaining: String,
    /// When the window ends.
    pub reset: String,
    /// How `reset` is written.
    pub reset_format: ResetFormat,
}

/// How a rate-limit reset is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetFormat {
    /// `Thu, 03 May 2018 16:00:00 GMT`
    HttpDate,
    /// Seconds from now.
    Seconds,
    /// Seconds since 1970.
    Epoch,
}

/// How answers are read.
#[derive(Debug, Clone)]
pub struct AnswerFormat {
    /// What the body is.
    pub body: BodyFormat,
    /// How its bytes become text.
    pub encoding: Encoding,
    /// Whether a body that is one JSON string is taken as that string's content.
    pub unquote: bool,
    /// Which ways of saying nothing become null.
    pub nulls: Vec<NullStyle>,
    /// Members that are lists also with one item or none; `*` at either end stands for any characters.
    pub lists: Vec<String>,
    /// Whether members whose names begin with `@` are left out.
    pub drop_attributes: bool,
    /// Rules for XML documents.
    pub xml: XmlRules,
    /// Members whose text is itself a document.
    pub embedded: Vec<Embedded>,
}

/// A member, anywhere in an answer, whose text is itself a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedded {
    /// The member's name.
    pub name: String,
    /// What the text is.
    pub format: EmbeddedFormat,
    /// Whether it is base64 first.
    pub base64: bool,
}

/// What an embedded document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbeddedFormat {
    /// JSON.
    Json,
    /// XML. Its attributes are kept.
    Xml,
    /// XML if it starts like XML, else JSON.
    JsonOrXml,
}

/// A way of saying nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NullStyle {
    /// A map with a true `@nil` member, of whatever prefix.
    Nil,
    /// An empty text.
    Empty,
    /// The text `null`.
    Word,
}

/// What an answer's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    /// JSON.
    Json,
    /// XML, made into a document by [`XmlRules`].
    Xml,
    /// Text; the document is the text.
    Text,
    /// XML if it starts like XML, else text.
    XmlOrText,
    /// JSON if it starts like JSON, else text.
    JsonOrText,
    /// JSON or XML if it is one of them, else text; a page that only looks like XML is text.
    Any,
    /// Nothing is read.
    None,
}

/// How bytes become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Strict.
    Utf8,
    /// Always.
    Windows1252,
    /// UTF-8 if it is valid, else Windows-1252, whatever the document declares.
    Auto,
}

/// How an XML document becomes a structured one.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a rule of its own")]
pub struct XmlRules {
    /// Whether element names are lowered, for systems that change their case.
    pub lowercase_names: bool,
    /// Names that are always lists, also with one or no element.
    pub lists: Vec<String>,
    /// Whether text is trimmed.
    pub trim: bool,
    /// Names of wrapper elements (ignoring case) whose text content is itself the document.
    pub unwrap: Vec<String>,
    /// Whether a wrapper inside a SOAP envelope holds it in base64.
    pub unwrap_base64: bool,
    /// Whether `href="#id"` is replaced by what the element with that id holds.
    pub references: bool,
}

/// A source of events.
#[derive(Debug)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// The trigger whose stream its events belong to: itself, or the one it feeds.
    pub stream: String,
    /// Webhook or poll.
    pub kind: TriggerKind,
    /// Which event it is.
    pub id: EventId,
    /// JSON Schema of one event.
    pub schema: Document,
    /// JSON Schema of what `id` is read of, where that is not the event: an item that is compared with what it was.
    pub item: Option<Document>,
}

/// Which event an event is.
#[derive(Debug)]
pub enum EventId {
    /// What stands at these places, joined with `-`.
    At(Vec<Path>),
    /// Its content: the same content within this time is the same event.
    Content(Duration),
}

impl EventId {
    /// The id of an event; nothing where it lacks one.
    pub fn of(&self, event: &Document, now: Timestamp) -> Option<String> {
        match self {
            Self::At(paths) => {
                let parts = paths
                    .iter()
                    .map(|path| path.first(event).and_then(scalar_text));
                let parts: Vec<String> = parts.collect::<Option<_>>()?;
                (parts.iter().all(|part| !part.is_empty())).then(|| parts.join("-"))
            }
            Self::Content(within) => {
                let window = i64::try_from(within.as_secs()).unwrap_or(i64::MAX).max(1);
                let window = now.as_second().div_euclid(window);
                Some(format!("{}-{window}", fingerprint(event)))
            }
        }
    }

    /// In words, for messages.
    pub fn words(&self) -> String {
        match self {
            Self::At(paths) => {
                let paths: Vec<&str> = paths.iter().map(Path::source).collect();
                paths.join(", ")
            }
            Self::Content(_) => "content".to_owned(),
        }
    }
}

/// How events come.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there are few of them, and they live as long as the plan"
)]
pub enum TriggerKind {
    /// The system calls us.
    Webhook(Webhook),
    /// We ask the system.
    Poll(Poll),
}

/// A webhook.
#[derive(Debug)]
pub struct Webhook {
    /// How it proves who sent it.
    pub verify: Verify,
    /// Where the events stand in the body.
    pub each: Path,
    /// The longest body, in bytes.
    pub body_bytes_max: u64,
    /// The most events in one body.
    pub events_max: u32,
    /// Status when everything is stored.
    pub accepted: u16,
    /// Status when it is not genuine.
    pub refused: u16,
    /// Media types taken.
    pub content_types: Vec<String>,
    /// Polls that a genuine call makes run at once.
    pub wakes: Vec<String>,
}

/// How a webhook proves who sent it.
#[derive(Debug)]
pub enum Verify {
    /// A keyed hash over the raw body.
    HmacSha256 {
        /// Header field that carries it.
        header: String,
        /// How it is written there.
        encoding: SignatureEncoding,
        /// What stands before it, e.g. `sha256=`.
        prefix: String,
        /// Name of the secret; every live value is tried.
        secret: String,
    },
    /// A shared secret in a header field.
    SharedSecret {
        /// Header field.
        header: String,
        /// Name of the secret.
        secret: String,
    },
    /// Basic.
    Basic {
        /// Name of the secret that holds `user:password`.
        secret: String,
    },
}

impl Verify {
    /// Name of the secret that proves it.
    pub fn secret(&self) -> &String {
        match self {
            Self::HmacSha256 { secret, .. }
            | Self::SharedSecret { secret, .. }
            | Self::Basic { secret } => secret,
        }
    }
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureEncoding {
    /// Hexadecimal, any case.
    Hex,
    /// Base64, standard alphabet.
    Base64,
}

/// How often or when a poll asks.
#[derive(Debug, Clone)]
pub enum Pace {
    /// Again after this time.
    Every(Duration),
    /// By the calendar.
    At(Calendar),
}

/// A poll.
#[derive(Debug)]
pub struct Poll {
    /// Name of a read operation; its items are the events.
    pub operation: String,
    /// Its input. Sees `settings`, `cursor`, `over`, `now`.
    pub with: IndexMap<String, Template>,
    /// How often or when; a site may override it.
    pub pace: Pace,
    /// How the cursor moves, if there is one.
    pub cursor: Option<Cursor>,
    /// A list for each of whose items the poll is made.
    pub over: Option<Over>,
    /// Where content decides what is an event: which part of it, and what is gone.
    pub changes: Option<Changes>,
}

/// A list for each of whose items a poll is made. Its items are seen as `over`.
#[derive(Debug)]
pub struct Over {
    /// Name of a read operation whose result is a list.
    pub operation: String,
    /// Its input. Sees `settings`, `now`.
    pub with: IndexMap<String, Template>,
    /// For which of its items. Sees `over`, `settings`, `now`.
    pub when: Option<Expression>,
    /// Where the id of such an item stands, which tells the lists apart.
    pub id: Option<EventId>,
}

/// Events of a list that does not say what has changed: items whose content differs from what it was.
#[derive(Debug)]
pub struct Changes {
    /// What of an item counts; nothing stands for all of it.
    pub of: Vec<Path>,
    /// What does not.
    pub ignore: Vec<Path>,
    /// Whether an item that is gone is an event.
    pub deleted: bool,
    /// Where more than so many percent of the known items are gone at once, none is taken for deleted.
    pub deleted_share_max: u32,
}

/// How a poll's cursor moves: to the greatest value seen, in the commit that stores the items.
#[derive(Debug)]
pub struct Cursor {
    /// Where the value stands in an item.
    pub value: Path,
    /// What it is.
    pub kind: CursorKind,
    /// How far each poll reaches back behind the cursor; repeated items are recognised by their id.
    pub overlap: Duration,
    /// How far the first poll reaches back: a duration. Sees `settings`.
    pub initial: Template,
}

/// What a cursor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorKind {
    /// A UTC timestamp.
    Timestamp,
    /// A date.
    Date,
}
