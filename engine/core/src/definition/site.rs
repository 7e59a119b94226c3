//! The site file, as far as it stands for itself. [`crate::plan::Plan::bind`] puts it together with a library.

use super::structure;
use crate::calendar::Windows;
use crate::diagnostic::Findings;
use crate::identity::{ConnectionId, ConnectorId, IntegrationId};
use crate::plan::Pace;
use crate::source::{FileId, SourceSet, Span};
use crate::yaml::{Node, Value};
use indexmap::IndexMap;
use serde_json::Value as Document;
use std::net::SocketAddr;
use std::time::Duration;

/// One installation. Paths are as written: from the site file's folder.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// Folder with `connectors/`, `mappings/` and `schemas/`.
    pub definitions: String,
    /// Folder of the store.
    pub store: String,
    /// The vault file.
    pub vault: String,
    /// Where the key comes from that opens it.
    pub vault_key: VaultKey,
    /// Where webhooks are taken.
    pub webhooks: SocketAddr,
    /// Where operators are served.
    pub admin: SocketAddr,
    /// Connections by name.
    pub connections: IndexMap<ConnectionId, SiteConnection>,
    /// What runs, in order.
    pub integrations: Vec<SiteIntegration>,
    /// SHA-256 of the file.
    pub hash: [u8; 32],
    pub(super) node: Node,
}

/// Where the vault's key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultKey {
    /// A file, from the site file's folder.
    File(String),
    /// An environment variable.
    Env(String),
    /// A file in the service manager's credentials directory.
    Credential(String),
}

/// A connection as the site states it.
#[derive(Debug, Clone)]
pub struct SiteConnection {
    /// Its connector.
    pub connector: ConnectorId,
    /// Its settings as written, an object.
    pub settings: Document,
    /// Names in the vault, by secret name.
    pub secrets: IndexMap<String, Vec<String>>,
    /// How often or when polls ask, by trigger.
    pub poll_pace: IndexMap<String, Pace>,
    /// Requests and window, where they differ from the connector's.
    pub rate_limit: Option<(u32, Duration)>,
    /// The file of extra certificates that it trusts, as written.
    pub certificates: Option<String>,
}

/// When deliveries may be made, as a site states it.
#[derive(Debug, Clone)]
pub enum SiteSchedule {
    /// At any time.
    Always,
    /// In these windows.
    In(Windows),
}

/// An integration as the site states it.
#[derive(Debug, Clone)]
pub struct SiteIntegration {
    /// Which.
    pub integration: IntegrationId,
    /// Its name here.
    pub name: String,
    /// Its parameters as written, an object.
    pub params: Document,
    /// The site's connection for the integration's names, where they differ.
    pub connections: IndexMap<String, ConnectionId>,
    /// The site's matching table for the integration's names, where they differ.
    pub crosswalks: IndexMap<String, String>,
    /// When its deliveries may be made, where that is not as the integration says.
    pub schedule: Option<SiteSchedule>,
    /// Whether it runs.
    pub enabled: bool,
    /// Its place in the list of the file.
    pub(crate) at: usize,
}

impl Site {
    /// Reads a site file. `None` if it is none, or cannot be read at all.
    pub fn load(sources: &SourceSet, file: FileId) -> (Option<Self>, Findings) {
        super::library::load_site(sources, file)
    }

    /// The place of something in the file, e.g. `["connections", "north", "settings", "company"]`: its value if that is a
    /// scalar, else its key. List items are counted from 0.
    pub fn span(&self, path: &[&str]) -> Span {
        span(&self.node, path).unwrap_or(self.node.span)
    }
}

/// The place of a path in a node; `None` if it has nothing there.
pub(super) fn span(node: &Node, path: &[&str]) -> Option<Span> {
    let mut here = node;
    let mut key = None;
    for name in path {
        (key, here) = match &here.value {
            Value::Map(_) => here
                .entry(name)
                .map(|entry| (Some(entry.key_span), &entry.value))?,
            Value::List(items) => (None, items.get(name.parse::<usize>().ok()?)?),
            Value::Scalar(_) | Value::Broken => return None,
        };
    }
    Some(structure::point(here, key))
}
