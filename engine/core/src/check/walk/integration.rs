//! The expressions of an integration and what each may read.

use super::super::locate::{Owner, route};
use super::super::scope::{Entry, Scope};
use super::{Call, Walk, Wants, receipt, reconcile, result};
use crate::plan::{
    Aggregate, Connector, Fetch, FetchFrom, Integration, Library, Operation, RequireBy,
};
use std::rc::Rc;

pub(super) fn walk<'a>(walk: &mut Walk<'a>, library: &'a Library, integration: &'a Integration) {
    let owner = Owner::Integration(integration);
    let params = Entry::of(&integration.params);
    let mut before = Scope::new()
        .with("event", event(integration))
        .with("params", params.clone());
    let mut scope = match &integration.aggregate {
        None => before.clone(),
        Some(_) => Scope::new()
            .with("events", Entry::List(Box::new(event(integration))))
            .with("group", group())
            .with("params", params)
            .refusing("event", "several events make one delivery: read `events`"),
    };
    let required_by = Rc::new(scope.clone());
    for name in integration.requires.iter().map(|one| &one.name) {
        before = before.refusing(
            name,
            format!("the receipt `{name}` is there only after `requires`"),
        );
    }
    for fetch in &integration.fetch {
        before = before.refusing(
            &fetch.name,
            format!("`{}` is read in `fetch`, after this", fetch.name),
        );
    }
    if let Some(one) = &integration.reconcile {
        reconcile::walk(walk, library, integration, one);
    }
    let early = Rc::new(before);
    if let Some(when) = &integration.source.when {
        walk.expression(owner, "when", when, &early);
    }
    walk.template(owner, "dedup_key", &integration.dedup_key, &early);
    if let Some(key) = &integration.order_key {
        walk.template(owner, "order_key", key, &early);
    }
    if let Some(one) = &integration.aggregate {
        aggregate(walk, integration, one, &early);
    }
    for require in &integration.requires {
        let (RequireBy::DedupKey(key) | RequireBy::Reference(key)) = &require.by;
        let seen = if integration.aggregate.is_some() {
            &required_by
        } else {
            &early
        };
        walk.template(owner, "key", key, seen);
        scope = scope.with(
            &require.name,
            required(library, require.integration.as_str()),
        );
    }
    for (at, fetch) in integration.fetch.iter().enumerate() {
        let later = integration.fetch.iter().skip(at + 1);
        let mut seen = scope.clone().refusing(
            &fetch.name,
            format!("`{}` is what is read here", fetch.name),
        );
        for later in later {
            seen = seen.refusing(&later.name, format!("`{}` is fetched later", later.name));
        }
        let entry = one_fetch(walk, integration, fetch, &Rc::new(seen));
        scope = scope.with(&fetch.name, entry);
    }
    written(walk, integration, scope);
}

fn aggregate<'a>(
    walk: &mut Walk<'a>,
    integration: &'a Integration,
    aggregate: &'a Aggregate,
    early: &Rc<Scope<'a>>,
) {
    let owner = Owner::Integration(integration);
    walk.template(owner, "key", &aggregate.key, early);
    let decided = Rc::new(early.keeping(&["params"]));
    walk.template(owner, "quiet", &aggregate.quiet, &decided);
    if let Some(max) = &aggregate.max {
        walk.template(owner, "max", max, &decided);
    }
    if let Some(split) = &aggregate.split {
        walk.template(owner, "weigh", &split.weigh, early);
    }
    let Some(complete) = &aggregate.complete else {
        return;
    };
    let scope = early.keeping(&["params"]).with("group", group());
    let given = walk.templates(owner, &complete.with, &Rc::new(scope.clone()));
    let (connector, target) = find(integration, &complete.connection, &complete.operation);
    let at = |key| route(["aggregate", "complete", key]);
    walk.calls.push(Call {
        owner,
        connector,
        operation: &complete.operation,
        wants: Wants::Read,
        what: "`complete`",
        route: at("operation"),
        input_route: Some(at("with")),
        given,
    });
    let seen = Rc::new(scope.with("result", result(target)));
    walk.expression(owner, "when", &complete.when, &seen);
}

/// What is known of a group of events.
fn group<'a>() -> Entry<'a> {
    let number = Entry::status();
    Entry::Group(
        [
            ("key", Entry::text()),
            ("number", number.clone()),
            ("count", number.clone()),
            ("total", number),
        ]
        .into(),
    )
}

fn one_fetch<'a>(
    walk: &mut Walk<'a>,
    integration: &'a Integration,
    fetch: &'a Fetch,
    scope: &Rc<Scope<'a>>,
) -> Entry<'a> {
    let owner = Owner::Integration(integration);
    if let Some(when) = &fetch.when {
        walk.expression(owner, "when", when, scope);
    }
    match &fetch.from {
        FetchFrom::Value(tree) => {
            walk.tree(owner, "value", tree, scope);
            Entry::open()
        }
        FetchFrom::Operation {
            connection,
            operation,
            with,
        } => {
            let given = walk.templates(owner, with, scope);
            let (connector, target) = find(integration, connection, operation);
            walk.calls.push(Call {
                owner,
                connector,
                operation,
                wants: Wants::Read,
                what: "a fetch",
                route: route(["fetch", &fetch.name, "operation"]),
                input_route: Some(route(["fetch", &fetch.name, "with"])),
                given,
            });
            result(target)
        }
        FetchFrom::Crosswalk {
            key,
            several,
            columns,
            ..
        } => {
            walk.template(owner, if *several { "keys" } else { "key" }, key, scope);
            // Which keys it has is known only when it is read.
            if *several {
                return Entry::open();
            }
            // Only what every entry must have is known; without such a list anything may be there.
            if columns.is_empty() {
                return Entry::open();
            }
            Entry::Columns(columns.iter().map(String::as_str).collect())
        }
    }
}

/// What is asked and written once everything has been read.
fn written<'a>(walk: &mut Walk<'a>, integration: &'a Integration, scope: Scope<'a>) {
    let owner = Owner::Integration(integration);
    let seen = Rc::new(scope.clone());
    for rule in &integration.skip {
        walk.expression(owner, "when", &rule.when, &seen);
        walk.template(owner, "reason", &rule.reason, &seen);
    }
    for rule in &integration.hold {
        walk.expression(owner, "when", &rule.when, &seen);
        walk.template(owner, "reason", &rule.reason, &seen);
    }
    let sink = &integration.sink;
    if let Some(reference) = &sink.reference {
        walk.template(owner, "reference", reference, &seen);
    }
    let given = sink
        .fields
        .iter()
        .map(|(name, tree)| (name.as_str(), walk.tree(owner, name, tree, &seen)))
        .collect();
    let (connector, target) = find(integration, &sink.connection, &sink.operation);
    walk.calls.push(Call {
        owner,
        connector,
        operation: &sink.operation,
        wants: Wants::Write,
        what: "the sink",
        route: route(["sink", "operation"]),
        input_route: Some(route(["sink", "fields"])),
        given,
    });
    let after = Rc::new(scope.with("receipt", receipt(connector, target)));
    for remember in &integration.remember {
        walk.template(owner, "key", &remember.key, &after);
        walk.templates(owner, &remember.values, &after);
    }
}

pub(super) fn find<'a>(
    integration: &'a Integration,
    connection: &str,
    operation: &str,
) -> (Option<&'a Connector>, Option<&'a Operation>) {
    let connector = integration.connections.get(connection).map(AsRef::as_ref);
    (
        connector,
        connector
            .and_then(|one| one.operations.get(operation))
            .map(AsRef::as_ref),
    )
}

fn event(integration: &Integration) -> Entry<'_> {
    let source = &integration.source;
    let connector = integration.connections.get(&source.connection);
    connector
        .and_then(|one| one.triggers.get(&source.trigger))
        .map_or_else(Entry::open, |trigger| Entry::of(&trigger.schema))
}

/// The receipt of a required integration's deliveries.
pub(super) fn required<'a>(library: &'a Library, name: &str) -> Entry<'a> {
    let Some(integration) = library.integrations.get(name) else {
        return Entry::open();
    };
    let (connector, operation) = find(
        integration,
        &integration.sink.connection,
        &integration.sink.operation,
    );
    receipt(connector, operation)
}
