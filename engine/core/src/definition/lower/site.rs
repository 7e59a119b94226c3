//! The site file.

use super::super::reader::Reader;
use super::{pace, windows};
use crate::codes;
use crate::definition::site::{Site, SiteConnection, SiteIntegration, SiteSchedule, VaultKey};
use crate::diagnostic::Diagnostic;
use crate::identity::{ConnectionId, ConnectorId, IntegrationId};
use crate::yaml::Node;
use serde_json::{Map, Value as Document};
use std::net::{Ipv4Addr, SocketAddr};

/// A site, or what of it could be read.
pub(in crate::definition) fn lower(reader: &Reader<'_, '_>, node: &Node, hash: [u8; 32]) -> Site {
    reader.opt_text("version");
    let vault = reader.object("vault");
    let listen = reader.object("listen");
    let connections = reader.object_map("connections");
    let integrations = reader.node("integrations").map_or(&[][..], Node::items);
    let position = |one: &Reader<'_, '_>| {
        integrations
            .iter()
            .position(|node| one.node.is_some_and(|own| own.id == node.id))
    };
    Site {
        name: reader.text("site"),
        definitions: reader.text("definitions"),
        store: reader.object("store").text("path"),
        vault: vault.text("path"),
        vault_key: vault_key(&vault),
        webhooks: address(&listen, "webhooks"),
        admin: address(&listen, "admin"),
        connections: connections
            .iter()
            .map(|(name, one)| (ConnectionId::new(name), connection(one)))
            .collect(),
        integrations: reader
            .objects("integrations")
            .iter()
            .filter_map(|one| integration(one, position(one)?))
            .collect(),
        hash,
        node: node.clone(),
    }
}

fn vault_key(vault: &Reader<'_, '_>) -> VaultKey {
    let key = vault.object("key");
    if let Some(file) = key.opt_text("file") {
        return VaultKey::File(file);
    }
    if let Some(variable) = key.opt_text("env") {
        return VaultKey::Env(variable);
    }
    match key.opt_text("credential") {
        Some(name) => VaultKey::Credential(name),
        None => VaultKey::File("vault.key".to_owned()),
    }
}

fn address(reader: &Reader<'_, '_>, key: &str) -> SocketAddr {
    let text = reader.text(key);
    if let Ok(address) = text.parse() {
        return address;
    }
    if let Some(node) = reader.node(key) {
        let what = format!("`{text}` is not an address and a port");
        let finding = Diagnostic::error(codes::BAD_VALUE, node.span, what);
        let help = "write e.g. `127.0.0.1:8080`, `0.0.0.0:8080` or `[::1]:8080`";
        reader.cx.report(finding.help(help));
    }
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

fn connection(reader: &Reader<'_, '_>) -> SiteConnection {
    let names = |node: &Node| -> Vec<String> {
        let one = node.scalar().map(|scalar| scalar.text.clone());
        let several = node
            .items()
            .iter()
            .filter_map(|item| item.scalar().map(|scalar| scalar.text.clone()));
        one.into_iter().chain(several).collect()
    };
    let polls = reader.object_map("poll");
    SiteConnection {
        connector: ConnectorId::new(reader.text("connector")),
        settings: object(reader, "settings"),
        secrets: reader
            .entries("secrets")
            .map(|(name, node)| (name.to_owned(), names(node)))
            .collect(),
        poll_pace: polls
            .iter()
            .filter_map(|(name, one)| Some((name.clone(), pace(one)?)))
            .collect(),
        rate_limit: reader
            .opt_object("rate_limit")
            .map(|one| (one.count("requests"), one.duration("per"))),
        certificates: reader.opt_text("certificates"),
    }
}

fn object(reader: &Reader<'_, '_>, key: &str) -> Document {
    reader
        .document(key)
        .unwrap_or_else(|| Document::Object(Map::new()))
}

fn integration(reader: &Reader<'_, '_>, at: usize) -> Option<SiteIntegration> {
    let integration = reader.opt_text("use")?;
    let text = |node: &Node| {
        node.scalar()
            .map(|scalar| scalar.text.clone())
            .unwrap_or_default()
    };
    Some(SiteIntegration {
        name: reader
            .opt_text("name")
            .unwrap_or_else(|| integration.clone()),
        integration: IntegrationId::new(integration),
        params: object(reader, "params"),
        connections: reader
            .entries("connections")
            .map(|(name, node)| (name.to_owned(), ConnectionId::new(text(node))))
            .collect(),
        crosswalks: reader
            .entries("crosswalks")
            .map(|(name, node)| (name.to_owned(), text(node)))
            .collect(),
        schedule: match reader.scalar_or_object("schedule") {
            Some(one) => windows(&one).map(SiteSchedule::In),
            // The one word that can stand there.
            None => reader.opt_text("schedule").map(|_| SiteSchedule::Always),
        },
        enabled: reader.flag("enabled"),
        at,
    })
}
