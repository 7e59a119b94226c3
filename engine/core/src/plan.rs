//! What can be run: definitions with every name resolved, every expression compiled and every limit parsed.
//!
//! Lowering makes a [`Library`] of the definition files; binding a site file to it makes a [`Plan`]. Only a `Plan` runs.
//! `preview`, `test` and `validate` need no more than a `Library`.

mod auth;
mod connector;
mod integration;
mod operation;
mod reconcile;

pub use auth::{Auth, AuthOption, Authorize, Jwt, KeyPlace, OauthClient, OauthRefresh, TokenBody};
pub use connector::{
    AnswerFormat, BodyFormat, Changes, Circuit, Connector, Cursor, CursorKind, Embedded,
    EmbeddedFormat, Encoding, EventId, Health, Http, NullStyle, Over, Pace, Poll, RateHeaders,
    RateLimit, ResetFormat, SecretSpec, SignatureEncoding, Trigger, TriggerKind, Verify, Webhook,
    XmlRules,
};
pub use integration::{
    Aggregate, Complete, Fetch, FetchFrom, HoldRule, Integration, Missing, Remember, Require,
    RequireBy, Sink, SkipRule, Source, Split,
};
pub use operation::{
    Action, Content, LookUpSpec, Operation, OperationKind, OutcomeRule, OutcomeWord, PageEnd,
    Paginate, PaginateKind, ReferenceRule, Repeat, Request, ResultSpec, SoapContent, SoapVersion,
    Step, Tree, Variant, Write, XmlContent,
};
pub use reconcile::{Asking, Each, FoundRule, LineRule, PostedBy, PostedKey, Reconcile};

use crate::calendar::Windows;
use crate::cases::Case;
use crate::definition::Located;
use crate::identity::{ConnectionId, ConnectorId, CrosswalkId, InstanceId, IntegrationId};
use indexmap::IndexMap;
use serde_json::Value as Document;
use std::sync::Arc;

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
    /// How often or when poll triggers ask, where the site overrides that.
    pub poll_pace: IndexMap<String, Pace>,
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
    /// When its deliveries may be made: as the site says, else as the integration does. `None`: at any time.
    pub windows: Option<Windows>,
}
