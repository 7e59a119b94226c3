//! Operations: what can be asked of a system or told to it.

use super::{AnswerFormat, Encoding};
use crate::delivery::{Class, RepeatSafety, RetryPolicy};
use crate::http::Method;
use crate::input::InputSchema;
use crate::template::{Expression, Path, Template};
use indexmap::IndexMap;
use serde_json::Value as Document;
use std::time::Duration;

/// Something that can be asked of a system, or told to it.
#[derive(Debug)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: OperationKind,
    /// Whether it is called without credentials (`auth: none`), e.g. a version query that needs no session. Session
    /// operations never carry any beside the secrets that their templates name.
    pub anonymous: bool,
    /// JSON Schema (an object schema) of its input.
    pub input: InputSchema,
    /// Named values made first, in order; later ones, `when` of variants and requests see them as `documents.<name>`.
    /// Each is made at most once per call, when something first reads it.
    pub documents: Vec<(String, Content)>,
    /// How it is performed: the first variant whose `when` holds.
    pub variants: Vec<Variant>,
    /// What comes back.
    pub result: ResultSpec,
    /// How further pages are asked for.
    pub paginate: Option<Paginate>,
    /// What answers mean, before the connector's rules; first match wins.
    pub outcomes: Vec<OutcomeRule>,
}

/// What an operation does.
#[derive(Debug)]
pub enum OperationKind {
    /// Changes nothing: may be repeated at will.
    Read,
    /// Logs on or off. May use secrets.
    Session,
    /// Changes the target.
    Write(Box<Write>),
}

/// What a write needs beside its request.
#[derive(Debug)]
pub struct Write {
    /// How it may be repeated.
    pub repeat: Repeat,
    /// Rules for our reference in the target's document.
    pub reference: Option<ReferenceRule>,
    /// Names and values of what the target made. Sees the answer scope and `result`.
    pub receipt: IndexMap<String, Template>,
}

/// How a write may be repeated.
#[derive(Debug)]
pub enum Repeat {
    /// Key in a header field; the key is derived from instance and dedup key.
    IdempotencyKey {
        /// Header field.
        header: String,
        /// Most characters.
        length_max: u32,
    },
    /// A read operation finds it by our reference.
    LookUp(Box<LookUpSpec>),
    /// A second time changes nothing.
    Natural,
    /// A person decides.
    None,
}

/// How our reference is looked up.
#[derive(Debug)]
pub struct LookUpSpec {
    /// Name of a read operation.
    pub operation: String,
    /// Its input. Sees `settings`, `input` (of the write), `reference`.
    pub with: IndexMap<String, Template>,
    /// Whether it is there. Sees `result`, `input`, `reference`, `settings`.
    pub found: Expression,
    /// Whether what is there says the same as we would; its absence means yes. Same scope.
    pub same: Option<Expression>,
    /// Names and values of what is there. Same scope.
    pub receipt: IndexMap<String, Template>,
    /// How long the target may go on working on a request whose answer was lost. Sees `settings`.
    pub settle: Template,
    /// Look-ups in a row that prove absence.
    pub absences: u32,
    /// After this long without a result a person decides.
    pub give_up_after: Duration,
}

/// Rules for our reference, checked before anything is sent.
#[derive(Debug, Clone)]
pub struct ReferenceRule {
    /// Most bytes in `encoding`.
    pub length_max: u32,
    /// The target's character set.
    pub encoding: Encoding,
}

/// One way to perform an operation.
#[derive(Debug)]
pub struct Variant {
    /// For messages.
    pub name: String,
    /// Whether to take it; none means always. Sees `settings`, `input`, `reference`, `documents`.
    pub when: Option<Expression>,
    /// What is done.
    pub action: Action,
}

/// What a variant does.
#[derive(Debug)]
pub enum Action {
    /// One request.
    Request(Box<Request>),
    /// Several, each durable.
    Sequence(Vec<Step>),
}

/// One durable step of a sequence.
#[derive(Debug)]
pub struct Step {
    /// Its name; later steps see its result as `steps.<name>`.
    pub name: String,
    /// Name of an operation of this connector.
    pub operation: String,
    /// Its input. Sees `settings`, `input`, `reference`, `steps`.
    pub with: IndexMap<String, Template>,
    /// For a read: asked again until this holds. Sees `result`, `input`, `steps`, `settings`.
    pub until: Option<Expression>,
    /// What the step's end means when it is not success. Sees the same.
    pub outcomes: Vec<OutcomeRule>,
    /// How asking again is spaced, and its time limit.
    pub wait: Option<RetryPolicy>,
}

/// One HTTP request, as templates. They see `settings`, `input`, `reference`, `idempotency_key`, `documents`, `session`,
/// `steps`, `cursor`, `page`; in `session` operations also `secrets`.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Another root than the connector's base URL. Sees `settings`.
    pub base_url: Option<Template>,
    /// Appended to the base URL; every inserted value is percent-encoded as a path segment.
    pub path: Template,
    /// Query parameters; an undefined-by-choice (null) value is left out.
    pub query: Vec<(String, Template)>,
    /// Header fields.
    pub headers: Vec<(String, Template)>,
    /// The body.
    pub body: Option<Content>,
    /// Time limit, if not the connection's. Sees `settings`.
    pub timeout: Option<Template>,
}

/// Content that the engine serialises.
#[derive(Debug)]
pub enum Content {
    /// JSON from a tree of templates.
    Json(Tree),
    /// A form, `application/x-www-form-urlencoded`.
    Form(Vec<(String, Template)>),
    /// An XML document from a tree with one root.
    Xml(XmlContent),
    /// A SOAP envelope around a tree.
    Soap(SoapContent),
    /// A GraphQL query with variables.
    Graphql {
        /// The query text, as written.
        query: String,
        /// Its variables.
        variables: Tree,
    },
    /// Text.
    Text {
        /// The text.
        text: Template,
        /// Its media type.
        content_type: String,
    },
}

/// XML to build. In the tree, `@name` is an attribute, `#text` the text beside attributes, `#cdata` the same as CDATA, a
/// list repeats its element, and null leaves it out.
#[derive(Debug)]
pub struct XmlContent {
    /// One root.
    pub tree: Tree,
    /// Whether the XML declaration is written; never in a named document, which is text and has no bytes.
    pub declaration: bool,
    /// The target's character set; what it lacks is handled by `unmappable`.
    pub encoding: Encoding,
    /// What happens to characters the target lacks. Sees `settings`; yields `translit`, `question` or `fail`.
    pub unmappable: Option<Template>,
}

/// A SOAP envelope to build.
#[derive(Debug)]
pub struct SoapContent {
    /// `1.1` or `1.2`.
    pub version: SoapVersion,
    /// The action.
    pub action: Template,
    /// Headers, if any.
    pub header: Option<Tree>,
    /// The body's content.
    pub body: Tree,
}

/// SOAP versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoapVersion {
    /// SOAP 1.1: `text/xml` and a `SOAPAction` field.
    V11,
    /// SOAP 1.2: `application/soap+xml` with an `action` parameter.
    V12,
}

/// Structured content with expressions at its leaves.
#[derive(Debug)]
pub enum Tree {
    /// A leaf.
    Leaf(Template),
    /// Members in order.
    Map(Vec<(String, Tree)>),
    /// Items in order.
    List(Vec<Tree>),
    /// `{ for: "{{ list }}", as: name, each: … }`: one item per element.
    Each {
        /// What is walked.
        list: Expression,
        /// The element's name in `each`.
        name: String,
        /// Made for every element.
        each: Box<Tree>,
    },
    /// `{ if: "{{ condition }}", then: …, else: … }`
    If {
        /// What is asked.
        condition: Expression,
        /// When it holds.
        then: Box<Tree>,
        /// When not; left out if absent.
        otherwise: Option<Box<Tree>>,
    },
}

/// What comes back.
#[derive(Debug)]
pub struct ResultSpec {
    /// How the body is read, if not as the connector says.
    pub answer: Option<AnswerFormat>,
    /// Selects the result out of the document; for lists, the list.
    pub select: Option<Path>,
    /// Whether the result is every node selected (a list) or the one (an error if there are more).
    pub list: bool,
    /// JSON Schema of the result; for a list, of one element.
    pub schema: Document,
}

/// How further pages are asked for. `page` in request templates is null for the first page, then a map: `cursor`,
/// `offset`, `number` or `url`, and `headers` of the answer before.
#[derive(Debug)]
pub struct Paginate {
    /// Which kind.
    pub kind: PaginateKind,
    /// No more pages than this; reaching it is an error, never a silent cut.
    pub pages_max: u32,
}

/// Kinds of paging.
#[derive(Debug)]
pub enum PaginateKind {
    /// The answer names the next cursor.
    Cursor {
        /// Where it stands; null, empty or missing ends.
        next: Path,
        /// Query parameter; without one requests insert `page.cursor`, which may be any value.
        parameter: Option<String>,
        /// Where it stands whether there is more; what says no ends.
        more: Option<Path>,
    },
    /// `page.offset` grows by the number of items that came.
    Offset {
        /// Query parameter; without one requests insert `page.offset`.
        parameter: Option<String>,
        /// Items per page.
        size: u32,
        /// Where the answer says how many there are in all.
        total: Option<Path>,
        /// Which page is the last where `total` does not say.
        ends: PageEnd,
    },
    /// `page.number` grows by one until fewer than `size` come.
    Number {
        /// Query parameter.
        parameter: String,
        /// The first page's number.
        first: u32,
        /// Items per page.
        size: u32,
    },
    /// `Link: <…>; rel="next"` (RFC 8288).
    LinkHeader,
    /// The answer holds the whole next URL.
    NextLink {
        /// Where it stands.
        next: Path,
    },
}

/// Which page is the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageEnd {
    /// One with fewer items than `size`.
    Short,
    /// One without items: for systems that give fewer than asked for.
    Empty,
}

/// One rule about what an answer means. `when` sees `status`, `headers`, `body`, `text`, `settings`, `input` and the
/// connector's `answers`.
#[derive(Debug)]
pub struct OutcomeRule {
    /// Whether it applies.
    pub when: Expression,
    /// What it means.
    pub outcome: OutcomeWord,
    /// What kind of trouble.
    pub class: Class,
    /// What the system said, for people. Same scope.
    pub why: Option<Template>,
    /// The next step in plain words.
    pub help: Option<String>,
    /// The wait it asks for: seconds, a duration, or a timestamp. Same scope.
    pub wait: Option<Template>,
    /// For `already_there`: what the target calls it. Same scope.
    pub receipt: IndexMap<String, Template>,
    /// For `already_there`: a read operation whose result is compared with what we meant.
    pub adopt: Option<Box<LookUpSpec>>,
}

/// The closed list of what an answer can mean, as definitions write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeWord {
    /// Done.
    Succeeded,
    /// Was done before.
    AlreadyThere,
    /// A read found nothing under that key.
    NotFound,
    /// Certainly not done; may work later.
    Retry,
    /// Slow down.
    Throttle,
    /// Log on again.
    Reauthenticate,
    /// Certainly not done.
    Rejected,
    /// May be done or not.
    Unknown,
}

impl Operation {
    /// What a write declares about repeating it; `None` for reads and session calls.
    pub fn write(&self) -> Option<&Write> {
        match &self.kind {
            OperationKind::Write(write) => Some(write),
            OperationKind::Read | OperationKind::Session => None,
        }
    }
}

impl Repeat {
    /// As the delivery state machine sees it; `settle` is the evaluated settle time.
    pub fn safety(&self, settle: Duration) -> RepeatSafety {
        match self {
            Self::IdempotencyKey { .. } => RepeatSafety::IdempotencyKey,
            Self::LookUp(spec) => RepeatSafety::LookUp {
                settle,
                absences: spec.absences,
                give_up_after: spec.give_up_after,
            },
            Self::Natural => RepeatSafety::Natural,
            Self::None => RepeatSafety::None,
        }
    }
}
