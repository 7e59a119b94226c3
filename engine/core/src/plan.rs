//! What can be run: definitions with every name resolved, every expression compiled and every limit parsed.
//!
//! Lowering makes a [`Library`] of the definition files; binding a site file to it makes a [`Plan`]. Only a `Plan` runs.
//! `preview`, `test` and `validate` need no more than a `Library`.

use crate::cases::Case;
use crate::definition::Located;
use crate::delivery::{Class, RepeatSafety, RetryPolicy};
use crate::http::Method;
use crate::identity::{ConnectionId, ConnectorId, CrosswalkId, InstanceId, IntegrationId};
use crate::input::InputSchema;
use crate::template::{Expression, Path, Template};
use indexmap::IndexMap;
use serde_json::Value as Document;
use std::sync::Arc;
use std::time::Duration;

/// Everything the definition files say. Made by [`Library::load`].
#[derive(Debug)]
pub struct Library {
    /// Connectors by name.
    pub connectors: IndexMap<ConnectorId, Arc<Connector>>,
    /// Integrations by name.
    pub integrations: IndexMap<IntegrationId, Arc<Integration>>,
    /// Cases, in the order of their files.
    pub cases: Vec<Case>,
    /// Schema files by name (`system/record.json`), each with everything it refers to under its `$defs`.
    pub schemas: IndexMap<String, Document>,
    /// SHA-256 over connectors, integrations and schemas in name order; stamped on every message.
    pub hash: [u8; 32],
    pub(crate) located: Located,
}

/// A library bound to one site. Made by [`Plan::bind`].
#[derive(Debug)]
pub struct Plan {
    /// The site's name.
    pub site: String,
    /// Connections by name.
    pub connections: IndexMap<ConnectionId, Arc<Connection>>,
    /// Enabled integration instances by name.
    pub instances: IndexMap<InstanceId, Arc<Instance>>,
    /// SHA-256 over the library's hash and the site file.
    pub hash: [u8; 32],
}

/// A connector with the settings and secret references of one site.
#[derive(Debug)]
pub struct Connection {
    /// Its name.
    pub id: ConnectionId,
    /// What it connects to.
    pub connector: Arc<Connector>,
    /// Settings with defaults filled in, valid against the connector's schema.
    pub settings: Document,
    /// Names in the vault, by secret name; several where the connector allows several live values.
    pub secrets: IndexMap<String, Vec<String>>,
    /// Poll triggers' `every`, where the site overrides them.
    pub poll_every: IndexMap<String, Duration>,
    /// The connector's request budget, or the site's own.
    pub rate_limit: Option<RateLimit>,
}

/// An integration as this site runs it.
#[derive(Debug)]
pub struct Instance {
    /// Its name.
    pub id: InstanceId,
    /// What it runs.
    pub integration: Arc<Integration>,
    /// The site's connection for each name the integration uses.
    pub connections: IndexMap<String, ConnectionId>,
    /// Parameters with defaults filled in.
    pub params: Document,
    /// The matching table of the site for each name the integration uses.
    pub crosswalks: IndexMap<String, CrosswalkId>,
}

// ---------------------------------------------------------------------------------------------------------------------
// Connectors

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
    /// What `ping` reads after `health`, in order: what proves that log-on, rights and look-ups work. A circuit never
    /// calls these.
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

/// How requests are authenticated.
#[derive(Debug)]
pub enum Auth {
    /// Not at all.
    None,
    /// `Authorization: Bearer`. Sees `settings`, `secrets`.
    Bearer {
        /// The token.
        token: Template,
    },
    /// `Authorization: Basic`. Sees `settings`, `secrets`.
    Basic {
        /// User name.
        username: Template,
        /// Password.
        password: Template,
        /// Whether one refusal stops the connection, because repeating would lock the account.
        stop_after_refusal: bool,
    },
    /// A key in a header field or in the query. Sees `settings`, `secrets`.
    ApiKey {
        /// Where it goes.
        place: KeyPlace,
        /// Its name there.
        name: String,
        /// The key.
        value: Template,
    },
    /// Log on, use the token until a call says that it is stale, log off.
    Session {
        /// Operation of kind `session` that yields the token.
        logon: String,
        /// Where the token stands in the log-on answer's `result`. Sees `result`.
        token: Expression,
        /// Operation of kind `session` that ends it.
        logoff: Option<String>,
        /// Connections with the same scope share one session, one at a time. Sees `settings`.
        scope: Template,
        /// A session idle for longer is ended. Sees `settings`.
        idle_max: Template,
    },
    /// OAuth2 client credentials.
    OauthClient(OauthClient),
    /// OAuth2 with a rotating refresh token.
    OauthRefresh(OauthRefresh),
    /// A signed JWT.
    Jwt(Jwt),
}

/// Where an API key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlace {
    /// A header field.
    Header,
    /// A query parameter.
    Query,
    /// A cookie.
    Cookie,
}

/// OAuth2 client credentials (RFC 6749 section 4.4). Templates see `settings`, `secrets`.
#[derive(Debug)]
pub struct OauthClient {
    /// Absolute URL.
    pub token_url: Template,
    /// Client id.
    pub client_id: Template,
    /// Client secret.
    pub client_secret: Template,
    /// Scope, if any.
    pub scope: Option<Template>,
    /// Whether client id and secret go into the body instead of Basic.
    pub in_body: bool,
    /// Renewed this long before it expires.
    pub renew_before: Duration,
}

/// OAuth2 refresh token (RFC 6749 section 6). Templates see `settings`, `secrets`.
#[derive(Debug)]
pub struct OauthRefresh {
    /// Absolute URL of the token end point.
    pub token_url: Template,
    /// Absolute URL of the authorization end point, for the first step by `connect`.
    pub authorize_url: Option<Template>,
    /// Client id.
    pub client_id: Template,
    /// Client secret.
    pub client_secret: Template,
    /// Secret name that holds the refresh token; a new one is stored there before it is used.
    pub refresh_token: String,
    /// Scope, if any.
    pub scope: Option<Template>,
    /// Whether client id and secret go into the body instead of Basic.
    pub in_body: bool,
    /// Renewed this long before it expires.
    pub renew_before: Duration,
}

/// A signed JWT (RFC 7519) sent as bearer token. Templates see `settings`, `secrets`.
#[derive(Debug)]
pub struct Jwt {
    /// `HS256` or `RS256`.
    pub algorithm: String,
    /// The key.
    pub key: Template,
    /// Claims beside `iat` and `exp`.
    pub claims: Vec<(String, Template)>,
    /// Lifetime.
    pub lifetime: Duration,
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
    /// Rules for XML documents.
    pub xml: XmlRules,
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
pub struct XmlRules {
    /// Whether element names are lowered, for systems that change their case.
    pub lowercase_names: bool,
    /// Names that are always lists, also with one or no element.
    pub lists: Vec<String>,
    /// Whether text is trimmed.
    pub trim: bool,
    /// Names of wrapper elements (ignoring case) whose text content is itself the document.
    pub unwrap: Vec<String>,
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
    /// Where the event's id stands in it.
    pub id: Path,
    /// JSON Schema of one event.
    pub schema: Document,
}

/// How events come.
#[derive(Debug)]
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

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureEncoding {
    /// Hexadecimal, any case.
    Hex,
    /// Base64, standard alphabet.
    Base64,
}

/// A poll.
#[derive(Debug)]
pub struct Poll {
    /// Name of a read operation; its items are the events.
    pub operation: String,
    /// Its input. Sees `settings`, `cursor`.
    pub with: IndexMap<String, Template>,
    /// How often; a site may override it.
    pub every: Duration,
    /// How the cursor moves, if there is one.
    pub cursor: Option<Cursor>,
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

// ---------------------------------------------------------------------------------------------------------------------
// Operations

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
    Request(Request),
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

/// How further pages are asked for. `page` in request templates is null for the first page.
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
    /// The answer names the next cursor, which becomes a query parameter.
    Cursor {
        /// Where it stands; null, empty or missing ends.
        next: Path,
        /// Query parameter.
        parameter: String,
    },
    /// `page.offset` grows by the number of items until fewer than `size` come.
    Offset {
        /// Query parameter.
        parameter: String,
        /// Items per page.
        size: u32,
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

// ---------------------------------------------------------------------------------------------------------------------
// Integrations

/// One flow: which events, what is read, what is written.
#[derive(Debug)]
pub struct Integration {
    /// Its name.
    pub id: IntegrationId,
    /// For people.
    pub title: String,
    /// JSON Schema (an object schema) of its parameters.
    pub params: Document,
    /// The connector each connection name it uses must have.
    pub connections: IndexMap<String, Arc<Connector>>,
    /// Where events come from.
    pub source: Source,
    /// Which of its events it has had. Sees `event`, `params`.
    pub dedup_key: Template,
    /// What must go in order. Sees `event`, `params`.
    pub order_key: Option<Template>,
    /// Deliveries this one waits for. In order, before `fetch`.
    pub requires: Vec<Require>,
    /// What is read before mapping, in order; each sees the earlier ones.
    pub fetch: Vec<Fetch>,
    /// Reasons to do nothing, each asked as soon as everything it reads is there: one that reads only `event` and
    /// `params` is asked before anything is fetched. See `event`, `params` and everything fetched.
    pub skip: Vec<SkipRule>,
    /// Reasons to wait for a person, asked like `skip` and after it. See the same.
    pub hold: Vec<HoldRule>,
    /// What is written.
    pub sink: Sink,
    /// Crosswalk entries written in the commit that records the delivery. See the fields scope and `receipt`.
    pub remember: Vec<Remember>,
    /// Spacing and end of retries.
    pub retry: RetryPolicy,
}

/// Where an integration's events come from.
#[derive(Debug)]
pub struct Source {
    /// Connection name.
    pub connection: String,
    /// The stream's trigger.
    pub trigger: String,
    /// Which events. Sees `event`, `params`.
    pub when: Option<Expression>,
}

/// Another delivery this one needs.
#[derive(Debug)]
pub struct Require {
    /// Its receipt is seen as this name.
    pub name: String,
    /// The integration that makes it.
    pub integration: IntegrationId,
    /// Its dedup key or reference. Sees `event`, `params`.
    pub by: RequireBy,
    /// What happens when there is none.
    pub missing: Missing,
}

/// How a required delivery is named.
#[derive(Debug)]
pub enum RequireBy {
    /// By its dedup key.
    DedupKey(Template),
    /// By our reference.
    Reference(Template),
}

/// What happens when something looked for is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Held until it appears.
    Hold,
    /// Skipped, with that reason.
    Skip,
    /// Null goes on.
    Null,
}

/// One read before mapping.
#[derive(Debug)]
pub struct Fetch {
    /// Seen as this name from here on.
    pub name: String,
    /// Whether it is read at all; what is not read is null. Sees `event`, `params`, earlier fetches.
    pub when: Option<Expression>,
    /// What is read.
    pub from: FetchFrom,
    /// What happens when it is not there.
    pub missing: Missing,
}

/// Where a fetch reads.
#[derive(Debug)]
pub enum FetchFrom {
    /// A read operation of a connection.
    Operation {
        /// Connection name.
        connection: String,
        /// Operation name.
        operation: String,
        /// Its input. Sees `event`, `params`, earlier fetches.
        with: IndexMap<String, Template>,
    },
    /// A matching table.
    Crosswalk {
        /// Table name.
        table: String,
        /// The key. Sees `event`, `params`, earlier fetches.
        key: Template,
        /// The columns it must have.
        columns: Vec<String>,
    },
}

/// A reason to do nothing.
#[derive(Debug)]
pub struct SkipRule {
    /// Whether it applies.
    pub when: Expression,
    /// For people.
    pub reason: Template,
}

/// A reason to wait for a person.
#[derive(Debug)]
pub struct HoldRule {
    /// Whether it applies.
    pub when: Expression,
    /// What kind of trouble.
    pub class: Class,
    /// For people, without personal data.
    pub reason: Template,
    /// The next step in plain words.
    pub help: String,
}

/// What is written.
#[derive(Debug)]
pub struct Sink {
    /// Connection name.
    pub connection: String,
    /// Write operation's name.
    pub operation: String,
    /// What the look-up finds it by.
    pub reference: Option<Template>,
    /// The operation's input.
    pub fields: Vec<(String, Tree)>,
}

/// A crosswalk entry to write.
#[derive(Debug)]
pub struct Remember {
    /// Table name.
    pub table: String,
    /// Its key.
    pub key: Template,
    /// Its values.
    pub values: IndexMap<String, Template>,
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
