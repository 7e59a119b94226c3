//! Declared and never read: most often a slip at the place that should read it.

use super::super::Context;
use super::super::locate::{Owner, Route, route};
use super::super::walk::Leaf;
use super::safety::leaves_of;
use crate::codes;
use crate::diagnostic::{Diagnostic, Findings};
use crate::plan::{Auth, Connector, Integration, Operation, TriggerKind, Verify};
use crate::schema::Schema;
use std::collections::HashSet;

pub(super) fn rule(context: &Context<'_>, findings: &mut Findings) {
    for (owner, leaves) in context.walk.definitions() {
        let read = Names::of(leaves);
        match owner {
            Owner::Connector(connector) => {
                settings_and_secrets(context, connector, &read, findings);
                for operation in connector.operations.values() {
                    inside_operation(context, connector, operation, findings);
                }
            }
            Owner::Integration(integration) => {
                params_and_fetches(context, integration, &read, findings);
            }
        }
    }
}

/// The names some expressions read: roots, and members of roots.
struct Names<'l> {
    roots: HashSet<&'l str>,
    members: HashSet<(&'l str, &'l str)>,
    /// Roots that are read as a whole, or with a computed member: any of their members may be meant.
    whole: HashSet<&'l str>,
}

impl<'l> Names<'l> {
    fn of<'a: 'l>(leaves: impl IntoIterator<Item = &'l Leaf<'a>>) -> Self {
        let mut names = Self {
            roots: HashSet::new(),
            members: HashSet::new(),
            whole: HashSet::new(),
        };
        for path in leaves.into_iter().flat_map(|leaf| leaf.shape.names()) {
            let Some(root) = path.first().map(|segment| segment.name.as_str()) else {
                continue;
            };
            names.roots.insert(root);
            match path.get(1) {
                Some(member) => names.members.insert((root, member.name.as_str())),
                None => names.whole.insert(root),
            };
        }
        names
    }

    fn has(&self, root: &str, member: &str) -> bool {
        self.whole.contains(root) || self.members.contains(&(root, member))
    }
}

fn report(
    context: &Context<'_>,
    owner: Owner<'_>,
    at: &Route,
    what: &str,
    name: &str,
    findings: &mut Findings,
) {
    findings.push(
        Diagnostic::warning(
            codes::UNUSED,
            context.locator.key(owner, at),
            format!("{what} `{name}` is never read"),
        )
        .help("remove it, or use it where it was meant to be used"),
    );
}

fn settings_and_secrets(
    context: &Context<'_>,
    connector: &Connector,
    read: &Names<'_>,
    findings: &mut Findings,
) {
    let owner = Owner::Connector(connector);
    for (name, _) in Schema::of(&connector.settings).members() {
        if !read.has("settings", name) {
            report(
                context,
                owner,
                &route(["settings", name]),
                "the setting",
                name,
                findings,
            );
        }
    }
    let mut named = HashSet::new();
    for trigger in connector.triggers.values() {
        if let TriggerKind::Webhook(webhook) = &trigger.kind {
            let (Verify::HmacSha256 { secret, .. }
            | Verify::SharedSecret { secret, .. }
            | Verify::Basic { secret }) = &webhook.verify;
            named.insert(secret.as_str());
        }
    }
    if let Auth::OauthRefresh(oauth) = &connector.http.auth {
        named.insert(&oauth.refresh_token);
    }
    for name in connector.secrets.keys() {
        if !named.contains(name.as_str()) && !read.has("secrets", name) {
            report(
                context,
                owner,
                &route(["secrets", name]),
                "the secret",
                name,
                findings,
            );
        }
    }
}

fn inside_operation(
    context: &Context<'_>,
    connector: &Connector,
    operation: &Operation,
    findings: &mut Findings,
) {
    let owner = Owner::Connector(connector);
    let read = Names::of(leaves_of(context, connector, operation));
    for (name, _) in Schema::of(&operation.input).members() {
        if !read.has("input", name) {
            let at = route(["operations", &operation.name, "input", name]);
            report(context, owner, &at, "the input", name, findings);
        }
    }
    for (name, _) in &operation.documents {
        if !read.has("documents", name) {
            let at = route(["operations", &operation.name, "documents", name]);
            report(context, owner, &at, "the document", name, findings);
        }
    }
}

fn params_and_fetches(
    context: &Context<'_>,
    integration: &Integration,
    read: &Names<'_>,
    findings: &mut Findings,
) {
    let owner = Owner::Integration(integration);
    for (name, _) in Schema::of(&integration.params).members() {
        if !read.has("params", name) {
            report(
                context,
                owner,
                &route(["params", name]),
                "the parameter",
                name,
                findings,
            );
        }
    }
    for fetch in &integration.fetch {
        if !read.roots.contains(fetch.name.as_str()) {
            report(
                context,
                owner,
                &route(["fetch", &fetch.name]),
                "what is fetched as",
                &fetch.name,
                findings,
            );
        }
    }
}
