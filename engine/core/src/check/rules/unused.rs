//! Declared and never read: most often a slip at the place that should read it.

use super::super::Context;
use super::super::locate::{Owner, Route, route};
use super::super::nearest::nearest;
use super::super::scope::Lost;
use super::super::walk::{self, Leaf};
use super::safety::{carrying, leaves_of};
use crate::codes;
use crate::diagnostic::{Diagnostic, Findings};
use crate::plan::{Auth, Connector, FetchFrom, Integration, Operation, Repeat, TriggerKind};
use crate::schema::{Miss, Schema};
use std::collections::HashSet;

pub(super) fn rule(context: &Context<'_>, findings: &mut Findings) {
    for (owner, leaves) in context.walk.definitions() {
        let mut one = One {
            context,
            owner,
            findings,
        };
        match owner {
            Owner::Connector(connector) => {
                one.settings_and_secrets(connector, &Names::of(leaves));
                for operation in connector.operations.values() {
                    one.inside_operation(connector, operation);
                }
            }
            Owner::Integration(integration) => {
                one.params_and_fetches(integration, &Names::of(leaves));
                one.connections(integration);
            }
        }
    }
}

/// The names that some expressions read: roots, and members of roots.
#[derive(Default)]
struct Names<'l> {
    roots: HashSet<&'l str>,
    members: HashSet<(&'l str, &'l str)>,
    /// Roots that are read as a whole, or with a computed member: any of their members may be meant.
    whole: HashSet<&'l str>,
    /// Members that do not exist. They are reported, and a name near to one is probably the one that was meant.
    slips: HashSet<(&'l str, &'l str)>,
    /// Whether something was reported that may have read anything.
    broken: bool,
}

/// Roots themselves, where members are kept with their root.
const ROOT: &str = "";

impl<'l> Names<'l> {
    fn of<'a: 'l>(leaves: impl IntoIterator<Item = &'l Leaf<'a>>) -> Self {
        let mut names = Self::default();
        for leaf in leaves {
            names.broken |= leaf.broken;
            for path in leaf.shape.names() {
                let Some(root) = path.first().map(|segment| segment.name.as_str()) else {
                    continue;
                };
                let member = path.get(1).map(|segment| segment.name.as_str());
                names.roots.insert(root);
                match member {
                    Some(member) => names.members.insert((root, member)),
                    None => names.whole.insert(root),
                };
                match (leaf.scope.find(path), member) {
                    (Err(Lost::Unknown), _) => names.slips.insert((ROOT, root)),
                    (Err(Lost::Member(Miss::Unknown { at: 1, .. })), Some(member)) => {
                        names.slips.insert((root, member))
                    }
                    _ => false,
                };
            }
        }
        names
    }

    fn has(&self, root: &str, member: &str) -> bool {
        self.broken
            || self.whole.contains(root)
            || self.members.contains(&(root, member))
            || self.meant(root, member)
    }

    fn has_root(&self, root: &str) -> bool {
        self.broken || self.roots.contains(root) || self.meant(ROOT, root)
    }

    fn meant(&self, root: &str, name: &str) -> bool {
        let slips = self.slips.iter().filter(|(of, _)| *of == root);
        slips
            .into_iter()
            .any(|(_, slip)| nearest(slip, [name]).is_some())
    }
}

/// One definition on its way through the rule.
struct One<'r, 'a> {
    context: &'r Context<'a>,
    owner: Owner<'a>,
    findings: &'r mut Findings,
}

impl One<'_, '_> {
    fn report<const N: usize>(&mut self, at: [&str; N], what: &str, name: &str) {
        self.report_at(&route(at), what, name);
    }

    fn report_at(&mut self, at: &Route, what: &str, name: &str) {
        // A name that cannot be used was reported as that.
        let usable = crate::definition::words::is_identifier(name);
        if self.context.locator.is_broken(self.owner, at) || !usable {
            return;
        }
        let span = self.context.locator.key(self.owner, at);
        self.findings.push(
            Diagnostic::warning(
                codes::UNUSED,
                span,
                format!("{what} `{name}` is never read"),
            )
            .help("remove it, or use it where it was meant to be used"),
        );
    }

    fn settings_and_secrets(&mut self, connector: &Connector, read: &Names<'_>) {
        for (name, _) in Schema::of(&connector.settings).members() {
            if !read.has("settings", name) {
                self.report(["settings", name], "the setting", name);
            }
        }
        let named = secrets_by_name(connector);
        for name in connector.secrets.keys() {
            let by_name = named.contains(&name)
                || named.iter().any(|one| {
                    !connector.secrets.contains_key(*one) && nearest(one, [name.as_str()]).is_some()
                });
            if !by_name && !read.has("secrets", name) {
                self.report(["secrets", name], "the secret", name);
            }
        }
    }

    fn inside_operation(&mut self, connector: &Connector, operation: &Operation) {
        let read = Names::of(leaves_of(self.context, connector, operation));
        for (name, _) in Schema::of(&operation.input).members() {
            if !read.has("input", name) && !carries_reference(connector, operation, name) {
                let at = ["operations", &operation.name, "input", name];
                self.report(at, "the input", name);
            }
        }
        for (name, _) in &operation.documents {
            if !read.has("documents", name) {
                let at = ["operations", &operation.name, "documents", name];
                self.report(at, "the document", name);
            }
        }
    }

    fn params_and_fetches(&mut self, integration: &Integration, read: &Names<'_>) {
        for (name, _) in Schema::of(&integration.params).members() {
            if !read.has("params", name) {
                self.report(["params", name], "the parameter", name);
            }
        }
        for fetch in &integration.fetch {
            if !read.has_root(&fetch.name) {
                self.report(["fetch", &fetch.name], "what is fetched as", &fetch.name);
            }
        }
        for part in integration.reconcile.iter().flat_map(walk::reads) {
            for fetch in part.reads {
                if !read.has_root(&fetch.name) {
                    let mut at = part.at.clone();
                    at.push(fetch.name.clone());
                    self.report_at(&at, "what is read as", &fetch.name);
                }
            }
        }
    }

    fn connections(&mut self, integration: &Integration) {
        let mut named = vec![&integration.source.connection, &integration.sink.connection];
        for fetch in integration.reads() {
            if let FetchFrom::Operation { connection, .. } = &fetch.from {
                named.push(connection);
            }
        }
        let reconcile = integration.reconcile.iter();
        named.extend(reconcile.flat_map(|one| [&one.one.connection, &one.list.connection]));
        let complete = integration
            .aggregate
            .as_ref()
            .and_then(|one| one.complete.as_ref());
        named.extend(complete.map(|one| &one.connection));
        let unknown = |name: &String| !integration.connections.contains_key(name);
        if named.iter().any(|name| unknown(name)) {
            // Reported, and one of those declared was probably meant.
            return;
        }
        for name in integration.connections.keys() {
            if !named.contains(&name) {
                self.report(["connections", name], "the connection", name);
            }
        }
    }
}

/// Secrets that are named instead of being read by an expression.
fn secrets_by_name(connector: &Connector) -> Vec<&String> {
    let mut named = Vec::new();
    for trigger in connector.triggers.values() {
        if let TriggerKind::Webhook(webhook) = &trigger.kind {
            named.push(webhook.verify.secret());
        }
    }
    for way in connector.http.auth.ways() {
        if let Auth::OauthRefresh(oauth) = way {
            named.push(&oauth.refresh_token);
        }
    }
    named
}

/// Whether a look-up hands our reference to this input; that it is not read is reported there.
fn carries_reference(connector: &Connector, operation: &Operation, input: &str) -> bool {
    let writes = connector.operations.values().filter_map(|one| one.write());
    writes.into_iter().any(|write| match &write.repeat {
        Repeat::LookUp(spec) => spec.operation == operation.name && carrying(spec).contains(&input),
        Repeat::IdempotencyKey { .. } | Repeat::Natural | Repeat::None => false,
    })
}
