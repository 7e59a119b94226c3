//! Puts a library and a site together: only what comes out of here can run.

use super::site::{Site, SiteConnection, SiteIntegration, SiteSchedule};
use super::values::{misfits, nearest_span, with_defaults};
use super::words;
use crate::check;
use crate::codes;
use crate::diagnostic::{Code, Diagnostic, Findings};
use crate::identity::{ConnectionId, ConnectorId, CrosswalkId, InstanceId, IntegrationId};
use crate::plan::{
    Connection, Connector, Instance, Integration, Library, Plan, RateLimit, TriggerKind,
};
use crate::required::required;
use crate::source::Span;
use crate::yaml::{Node, Value};
use indexmap::IndexMap;
use serde_json::Value as Document;
use sha2::{Digest, Sha256};
use std::sync::Arc;

impl Plan {
    /// Binds a library to a site. A plan with findings must not be run.
    pub fn bind(library: &Library, site: &Site) -> (Self, Findings) {
        let mut findings = Findings::new();
        let mut binder = Binder {
            library,
            site,
            findings: &mut findings,
        };
        let connections = binder.connections();
        let instances = binder.instances(&connections);
        findings.extend(check::check_site(site));
        let hash = Sha256::new()
            .chain_update(library.hash)
            .chain_update(site.hash)
            .finalize();
        let plan = Self {
            site: site.name.clone(),
            connections,
            instances,
            hash: hash.into(),
        };
        (plan, findings)
    }
}

/// The connector's request budget, with what the site says otherwise.
fn rate_limit(
    connector: Option<&RateLimit>,
    stated: Option<(u32, std::time::Duration)>,
) -> Option<RateLimit> {
    match stated {
        None => connector.cloned(),
        Some((requests, per)) => Some(RateLimit {
            requests,
            per,
            follow: connector.and_then(|limit| limit.follow.clone()),
        }),
    }
}

struct Binder<'a> {
    library: &'a Library,
    site: &'a Site,
    findings: &'a mut Findings,
}

impl Binder<'_> {
    fn report(&mut self, code: Code, path: &[&str], what: String, help: Option<String>) {
        let mut finding = Diagnostic::error(code, self.site.span(path), what);
        finding.help = help;
        self.findings.push(finding);
    }

    // -- connections --------------------------------------------------------------------------------------------------

    fn connections(&mut self) -> IndexMap<ConnectionId, Arc<Connection>> {
        let site = self.site;
        let mut connections = IndexMap::new();
        for (id, stated) in &site.connections {
            let Some(connector) = self.connector(id, stated) else {
                continue;
            };
            self.settings(id, stated, &connector);
            self.secrets(id, stated, &connector);
            self.polls(id, stated, &connector);
            let connection = Connection {
                id: id.clone(),
                settings: with_defaults(&connector.settings, &stated.settings),
                secrets: stated.secrets.clone(),
                poll_pace: stated.poll_pace.clone(),
                rate_limit: rate_limit(connector.http.rate_limit.as_ref(), stated.rate_limit),
                connector,
            };
            connections.insert(id.clone(), Arc::new(connection));
        }
        connections
    }

    fn connector(&mut self, id: &ConnectionId, stated: &SiteConnection) -> Option<Arc<Connector>> {
        let name = stated.connector.as_str();
        let known = self.library.connectors.get(name).map(Arc::clone);
        if known.is_none() && !name.is_empty() && !self.library.is_broken(&["connectors", name]) {
            let names = self.library.connectors.keys().map(ConnectorId::as_str);
            let help = words::did_you_mean(name, names, "there is");
            let what = format!("there is no connector `{name}`");
            self.report(
                codes::SITE_CONNECTOR,
                &["connections", id.as_str(), "connector"],
                what,
                help,
            );
        }
        known
    }

    fn settings(&mut self, id: &ConnectionId, stated: &SiteConnection, connector: &Connector) {
        for wrong in misfits(&connector.settings, &stated.settings) {
            let mut path = vec!["connections", id.as_str(), "settings"];
            path.extend(wrong.path.iter().map(String::as_str));
            let span = self.wrong_span(&path, wrong.is_key);
            let what = format!("connection `{id}`: {}", wrong.why);
            let mut finding = Diagnostic::error(codes::SITE_SETTING, span, what);
            finding.help = wrong.help;
            self.findings.push(finding);
        }
    }

    fn secrets(&mut self, id: &ConnectionId, stated: &SiteConnection, connector: &Connector) {
        let base = ["connections", id.as_str(), "secrets"];
        for (name, values) in &stated.secrets {
            let path = [base[0], base[1], base[2], name.as_str()];
            match connector.secrets.get(name) {
                None => {
                    let what = format!("connector `{}` has no secret `{name}`", connector.id);
                    let help = words::did_you_mean(
                        name,
                        connector.secrets.keys().map(String::as_str),
                        "it has",
                    );
                    let span = self.key_span(&path);
                    let mut finding = Diagnostic::error(codes::SITE_SECRET, span, what);
                    finding.help = help;
                    self.findings.push(finding);
                }
                Some(spec) if values.len() > 1 && !spec.several => {
                    let what = format!("secret `{name}` can have one value only");
                    let help = "name one entry of the vault".to_owned();
                    self.report(codes::SITE_SECRET, &path, what, Some(help));
                }
                Some(_) if values.is_empty() => {
                    let what = format!("secret `{name}` names no entry of the vault");
                    let help = format!("write e.g. `{name}: {id}/{name}`");
                    self.report(codes::SITE_SECRET, &path, what, Some(help));
                }
                Some(_) => {}
            }
        }
        let settings = with_defaults(&connector.settings, &stated.settings);
        for (name, spec) in &connector.secrets {
            let condition = spec.required_when.as_ref();
            let because = condition.and_then(|condition| required(condition, &settings));
            let needed = !spec.optional || because.is_some();
            if needed && !stated.secrets.contains_key(name) && !self.is_reported(&base) {
                let because = because.map(|words| format!(", which is needed because {words}"));
                let because = because.unwrap_or_default();
                let what = format!("connection `{id}` names no secret `{name}`{because}");
                let help = format!(
                    "write `{name}: {id}/{name}` under `secrets`; {}",
                    spec.description
                );
                let help = help.trim_end_matches("; ").to_owned();
                let span = nearest_span(&self.site.node, &base);
                self.findings
                    .push(Diagnostic::error(codes::SITE_SECRET, span, what).help(help));
            }
        }
    }

    fn polls(&mut self, id: &ConnectionId, stated: &SiteConnection, connector: &Connector) {
        for trigger in stated.poll_pace.keys() {
            let found = connector.triggers.get(trigger);
            if found.is_some_and(|one| matches!(one.kind, TriggerKind::Poll(_)))
                || self.library.is_broken(&[
                    "connectors",
                    connector.id.as_str(),
                    "triggers",
                    trigger,
                ])
            {
                continue;
            }
            let polls = connector
                .triggers
                .values()
                .filter(|one| matches!(one.kind, TriggerKind::Poll(_)));
            let what = format!("connector `{}` has no poll `{trigger}`", connector.id);
            let help = words::did_you_mean(trigger, polls.map(|one| one.name.as_str()), "it has");
            let span = self.key_span(&["connections", id.as_str(), "poll", trigger]);
            let mut finding = Diagnostic::error(codes::SITE_POLL, span, what);
            finding.help = help;
            self.findings.push(finding);
        }
    }

    /// Whether what stands there was left out because it had been reported.
    fn is_reported(&self, path: &[&str]) -> bool {
        let mut here = &self.site.node;
        for name in path {
            match here.get(name) {
                Some(next) => here = next,
                None => return false,
            }
        }
        !matches!(here.value, Value::Map(_))
    }

    fn wrong_span(&self, path: &[&str], is_key: bool) -> Span {
        if is_key {
            self.key_span(path)
        } else {
            nearest_span(&self.site.node, path)
        }
    }

    fn key_span(&self, path: &[&str]) -> Span {
        let Some((last, above)) = path.split_last() else {
            return self.site.node.span;
        };
        let mut here = &self.site.node;
        for name in above {
            let next = here
                .get(name)
                .or_else(|| here.items().get(name.parse::<usize>().ok()?));
            let Some(next) = next else {
                return self.site.span(path);
            };
            here = next;
        }
        here.entry(last)
            .map_or_else(|| self.site.span(path), |entry| entry.key_span)
    }

    // -- integrations -------------------------------------------------------------------------------------------------

    fn instances(
        &mut self,
        connections: &IndexMap<ConnectionId, Arc<Connection>>,
    ) -> IndexMap<InstanceId, Arc<Instance>> {
        let site = self.site;
        let mut instances = IndexMap::new();
        let mut names: IndexMap<&str, usize> = IndexMap::new();
        for stated in &site.integrations {
            let at = stated.at.to_string();
            if let Some(first) = names.get(stated.name.as_str()) {
                let key = if self
                    .site
                    .node
                    .get("integrations")
                    .is_some_and(|list| has_name(list, stated.at))
                {
                    "name"
                } else {
                    "use"
                };
                let span = self.site.span(&["integrations", &at, key]);
                let what = format!("`{}` runs twice under one name", stated.name);
                let finding = Diagnostic::error(codes::DUPLICATE_NAME, span, what)
                    .related(
                        self.site.span(&["integrations", &first.to_string(), "use"]),
                        "the first one",
                    )
                    .help("give each a `name` of its own; records keep it for ever");
                self.findings.push(finding);
                continue;
            }
            names.insert(&stated.name, stated.at);
            let Some(integration) = self.integration(stated, &at) else {
                continue;
            };
            let instance = Instance {
                id: InstanceId::new(&stated.name),
                connections: self.instance_connections(stated, &at, &integration, connections),
                params: self.params(stated, &at, &integration),
                crosswalks: self.crosswalks(stated, &at, &integration),
                windows: match &stated.schedule {
                    Some(SiteSchedule::Always) => None,
                    Some(SiteSchedule::In(windows)) => Some(windows.clone()),
                    None => integration.windows.clone(),
                },
                integration,
            };
            if stated.enabled {
                instances.insert(instance.id.clone(), Arc::new(instance));
            }
        }
        instances
    }

    fn integration(&mut self, stated: &SiteIntegration, at: &str) -> Option<Arc<Integration>> {
        let name = stated.integration.as_str();
        let known = self.library.integrations.get(name).map(Arc::clone);
        if known.is_none() && !self.library.is_broken(&["integrations", name]) {
            let names = self.library.integrations.keys().map(IntegrationId::as_str);
            let help = words::did_you_mean(name, names, "there is");
            let what = format!("there is no integration `{name}`");
            self.report(
                codes::SITE_INTEGRATION,
                &["integrations", at, "use"],
                what,
                help,
            );
        }
        known
    }

    fn params(
        &mut self,
        stated: &SiteIntegration,
        at: &str,
        integration: &Integration,
    ) -> Document {
        for wrong in misfits(&integration.params, &stated.params) {
            let mut path = vec!["integrations", at, "params"];
            path.extend(wrong.path.iter().map(String::as_str));
            let span = self.wrong_span(&path, wrong.is_key);
            let what = format!("`{}`: {}", stated.name, wrong.why);
            let mut finding = Diagnostic::error(codes::SITE_PARAM, span, what);
            finding.help = wrong.help;
            self.findings.push(finding);
        }
        with_defaults(&integration.params, &stated.params)
    }

    fn instance_connections(
        &mut self,
        stated: &SiteIntegration,
        at: &str,
        integration: &Integration,
        connections: &IndexMap<ConnectionId, Arc<Connection>>,
    ) -> IndexMap<String, ConnectionId> {
        self.unknown_keys(
            at,
            "connections",
            stated.connections.keys(),
            integration,
            &integration
                .connections
                .keys()
                .map(String::as_str)
                .collect::<Vec<_>>(),
        );
        let mut bound = IndexMap::new();
        for (name, connector) in &integration.connections {
            let id = stated
                .connections
                .get(name)
                .cloned()
                .unwrap_or_else(|| ConnectionId::new(name));
            let path = ["integrations", at, "connections", name.as_str()];
            match connections.get(id.as_str()) {
                Some(connection) if connection.connector.id == connector.id => {
                    bound.insert(name.clone(), id);
                }
                Some(connection) => {
                    let what = format!(
                        "`{name}` must be a connection to `{}`; `{id}` is one to `{}`",
                        connector.id, connection.connector.id
                    );
                    let span = nearest_span(&self.site.node, &path);
                    let fitting = connections
                        .values()
                        .filter(|one| one.connector.id == connector.id);
                    let names: Vec<_> = fitting.map(|one| one.id.as_str()).collect();
                    let mut finding = Diagnostic::error(codes::SITE_CONNECTION, span, what);
                    if !names.is_empty() {
                        finding = finding.help(format!("fitting here: {}", words::join(&names)));
                    }
                    self.findings.push(finding);
                }
                // A connection that is stated and could not be bound has been reported.
                None if self.site.connections.contains_key(id.as_str())
                    || self
                        .site
                        .node
                        .get("connections")
                        .is_some_and(|all| all.get(id.as_str()).is_some()) => {}
                None => {
                    let what = format!("there is no connection `{id}`");
                    let help = format!(
                        "add it to `connections` with `connector: {}`, or name another: `connections: {{ {name}: … }}`",
                        connector.id
                    );
                    let span = nearest_span(&self.site.node, &path);
                    self.findings
                        .push(Diagnostic::error(codes::SITE_CONNECTION, span, what).help(help));
                }
            }
        }
        bound
    }

    fn crosswalks(
        &mut self,
        stated: &SiteIntegration,
        at: &str,
        integration: &Integration,
    ) -> IndexMap<String, CrosswalkId> {
        let tables = integration.tables();
        self.unknown_keys(
            at,
            "crosswalks",
            stated.crosswalks.keys(),
            integration,
            &tables,
        );
        let own = |table: &&str| {
            let site = stated.crosswalks.get(*table).map_or(*table, String::as_str);
            ((*table).to_owned(), CrosswalkId::new(site))
        };
        tables.iter().map(own).collect()
    }

    fn unknown_keys<'k>(
        &mut self,
        at: &str,
        key: &str,
        stated: impl Iterator<Item = &'k String>,
        integration: &Integration,
        known: &[&str],
    ) {
        for name in stated.filter(|name| !known.contains(&name.as_str())) {
            if self
                .library
                .is_broken(&["integrations", integration.id.as_str(), key, name])
            {
                continue;
            }
            let what = format!("`{}` has no `{name}` among its {key}", integration.id);
            let span = self.key_span(&["integrations", at, key, name]);
            let mut finding = Diagnostic::error(codes::SITE_CONNECTION, span, what);
            finding.help = words::did_you_mean(name, known.iter().copied(), "it has");
            self.findings.push(finding);
        }
    }
}

fn has_name(list: &Node, at: usize) -> bool {
    list.items()
        .get(at)
        .is_some_and(|item| item.get("name").is_some())
}
