//! Which names an expression may read, by where it stands.

use crate::definition::table::Sees;

/// Connection-wide values.
pub(crate) const SETTINGS: Sees = &["settings"];
/// Credentials.
pub(crate) const SECRETS: Sees = &["settings", "secrets"];
/// What a log-on's answer gave.
pub(crate) const RESULT: Sees = &["result"];
/// What came with an authorization code.
pub(crate) const CALLBACK: Sees = &["settings", "callback"];
/// What a health call read.
pub(crate) const HEALTH: Sees = &["result", "settings"];
/// A poll's input.
pub(crate) const POLL: Sees = &["settings", "cursor", "over", "now"];
/// The input of the read that a poll goes over.
pub(crate) const OVER_INPUT: Sees = &["settings", "now"];
/// An item of the list that a poll goes over.
pub(crate) const OVER: Sees = &["over", "settings", "now"];
/// What a site decided.
pub(crate) const PARAMS: Sees = &["params"];
/// A request. `secrets` only in operations of kind `session`.
pub(crate) const REQUEST: Sees = &[
    "settings",
    "input",
    "reference",
    "idempotency_key",
    "documents",
    "session",
    "steps",
    "cursor",
    "page",
    "secrets",
];
/// The choice of a variant.
pub(crate) const VARIANT: Sees = &["settings", "input", "reference", "documents"];
/// A value made of every answer.
pub(crate) const ANSWERS: Sees = &[
    "status",
    "headers",
    "body",
    "text",
    "settings",
    "earlier values of `answers`",
];
/// An answer.
pub(crate) const ANSWER: Sees = &[
    "status",
    "headers",
    "body",
    "text",
    "settings",
    "input",
    "the values of `answers`",
];
/// An answer of which the result has been selected.
pub(crate) const RECEIPT: Sees = &[
    "result",
    "status",
    "headers",
    "body",
    "text",
    "settings",
    "input",
    "reference",
    "the values of `answers`",
];
/// A look-up's input.
pub(crate) const LOOK_UP_INPUT: Sees = &["settings", "input", "reference"];
/// What a look-up found.
pub(crate) const LOOK_UP: Sees = &["result", "input", "reference", "settings"];
/// The input of a read whose result is adopted.
pub(crate) const ADOPT_INPUT: Sees = &[
    "status",
    "headers",
    "body",
    "text",
    "settings",
    "input",
    "reference",
    "the names in `answers`",
];
/// A step's input.
pub(crate) const STEP_INPUT: Sees = &["settings", "input", "reference", "steps"];
/// What a step gave.
pub(crate) const STEP: Sees = &["result", "input", "steps", "settings"];
/// An event.
pub(crate) const EVENT: Sees = &["event", "params"];
/// An event and what has been read for it so far.
pub(crate) const FETCHED: Sees = &["event", "params", "everything required and fetched before"];
/// A group of events that is being gathered.
pub(crate) const GROUP: Sees = &["group", "params"];
/// What was read about a group of events.
pub(crate) const COMPLETE: Sees = &["result", "group", "params"];
/// All of it, for what is written.
pub(crate) const FIELDS: Sees = &["event", "params", "everything required and fetched"];
/// All of it and what the target made.
pub(crate) const REMEMBER: Sees = &[
    "event",
    "params",
    "everything required and fetched",
    "receipt",
];
/// What names a statement.
pub(crate) const STATEMENT_ID: Sees = &["id", "params"];
/// A period of statements.
pub(crate) const STATEMENT_PERIOD: Sees = &["since", "until", "params"];
/// A statement of the source.
pub(crate) const STATEMENT: Sees = &["statement", "params"];
/// A statement and what has been read for it so far.
pub(crate) const STATEMENT_READS: Sees = &["statement", "params", "everything read before"];
/// A statement and what has been read for it.
pub(crate) const LINES: Sees = &["statement", "params", "everything read for the statement"];
/// A line of a statement.
pub(crate) const LINE: Sees = &[
    "statement",
    "params",
    "everything read for the statement",
    "the name in `as`",
];
/// A line and the delivery that posted it.
pub(crate) const POSTED_READS: Sees = &[
    "`delivery` (`id`, `event_id`, `dedup_key`, `order_key`, `reference`, `receipt`)",
    "what the line reads",
    "everything read before",
];
/// A line, the delivery that posted it, and what was read of that.
pub(crate) const FOUND_LIST: Sees = &["delivery", "what the line reads", "everything read"];
/// A document that was found.
pub(crate) const FOUND: Sees = &[
    "delivery",
    "what the line reads",
    "everything read",
    "the name in `as`",
];
