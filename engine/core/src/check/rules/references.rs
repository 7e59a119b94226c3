//! Everything that is named exists and is of the right kind: operations, triggers, integrations, secrets.

use super::super::Context;
use super::super::locate::{Owner, Route, route};
use super::super::nearest::{nearest, not_one_of};
use super::super::walk::{self, Call, Wants};
use crate::codes;
use crate::diagnostic::{Code, Diagnostic, Findings};
use crate::identity::IntegrationId;
use crate::plan::{Auth, Connector, FetchFrom, Integration, OperationKind, Reconcile, TriggerKind};
use crate::source::Span;

pub(super) fn rule(context: &Context<'_>, findings: &mut Findings) {
    for call in &context.walk.calls {
        operation(context, call, findings);
    }
    for connector in context.library.connectors.values() {
        feeds(context, connector, findings);
        wakes(context, connector, findings);
        secrets(context, connector, findings);
    }
    for integration in context.library.integrations.values() {
        connections(context, integration, findings);
        trigger(context, integration, findings);
        requires(context, integration, findings);
        posted(context, integration, findings);
    }
}

fn operation(context: &Context<'_>, call: &Call<'_>, findings: &mut Findings) {
    let Some(connector) = call.connector else {
        return;
    };
    if context.locator.is_broken(call.owner, &call.route) {
        return;
    }
    let span = || {
        context
            .locator
            .tail(call.owner, &call.route, call.operation)
    };
    let declared = Owner::Connector(connector);
    let Some(target) = call.target() else {
        let stands = route(["operations", call.operation]);
        if context.locator.exists(declared, &stands)
            || context.locator.is_unread(declared, call.operation)
        {
            return;
        }
        let fit = connector
            .operations
            .values()
            .filter(|one| call.takes(&one.kind));
        let names: Vec<&str> = fit.map(|one| one.name.as_str()).collect();
        let message = format!(
            "connector `{}` has no operation `{}`",
            connector.id, call.operation
        );
        let finding = unknown(
            context,
            codes::UNKNOWN_OPERATION,
            span(),
            message,
            call.operation,
            &names,
            |name| Some((declared, route(["operations", name]))),
        );
        findings.push(finding);
        return;
    };
    if call.takes(&target.kind) {
        return;
    }
    let message = format!(
        "{} needs {}, and `{}` is {}",
        call.what,
        wanted(call.wants),
        target.name,
        kind(&target.kind)
    );
    let finding = Diagnostic::error(codes::WRONG_KIND, span(), message).related(
        context
            .locator
            .key(declared, &route(["operations", &target.name])),
        "declared here",
    );
    findings.push(match call.wants {
        Wants::Read => {
            finding.note("what is asked may be asked again at any time, so it must change nothing")
        }
        Wants::Write => finding
            .note("only a write says how it may be repeated, and is recorded before it is sent"),
        Wants::Session | Wants::ReadOrWrite => finding,
    });
}

fn kind(kind: &OperationKind) -> &'static str {
    match kind {
        OperationKind::Read => "a read",
        OperationKind::Write(_) => "a write",
        OperationKind::Session => "a session call",
    }
}

fn wanted(wants: Wants) -> &'static str {
    match wants {
        Wants::Read => "a read",
        Wants::Write => "a write",
        Wants::Session => "an operation of kind `session`",
        Wants::ReadOrWrite => "a read or a write",
    }
}

/// Every connection that is named is declared.
fn connections(context: &Context<'_>, integration: &Integration, findings: &mut Findings) {
    let owner = Owner::Integration(integration);
    let mut named = vec![(
        &integration.source.connection,
        route(["source", "connection"]),
    )];
    for fetch in &integration.fetch {
        if let FetchFrom::Operation { connection, .. } = &fetch.from {
            named.push((connection, route(["fetch", &fetch.name, "operation"])));
        }
    }
    if let Some(complete) = integration
        .aggregate
        .as_ref()
        .and_then(|one| one.complete.as_ref())
    {
        let at = route(["aggregate", "complete", "operation"]);
        named.push((&complete.connection, at));
    }
    named.push((&integration.sink.connection, route(["sink", "operation"])));
    if let Some(reconcile) = &integration.reconcile {
        named.extend(reconcile_connections(reconcile));
    }
    for (name, at) in named {
        let known = integration.connections.contains_key(name)
            || context.locator.exists(owner, &route(["connections", name]))
            || context.locator.is_unread(owner, name);
        if known || context.locator.is_broken(owner, &at) {
            continue;
        }
        let names: Vec<&str> = integration.connections.keys().map(String::as_str).collect();
        let message = format!("there is no connection `{name}` in this file");
        let span = context.locator.head(owner, &at, name);
        findings.push(unknown(
            context,
            codes::UNKNOWN_CONNECTION,
            span,
            message,
            name,
            &names,
            |name| Some((owner, route(["connections", name]))),
        ));
    }
}

fn trigger(context: &Context<'_>, integration: &Integration, findings: &mut Findings) {
    let source = &integration.source;
    let Some(connector) = integration.connections.get(&source.connection) else {
        return;
    };
    let owner = Owner::Integration(integration);
    let declared = Owner::Connector(connector);
    if context
        .locator
        .is_broken(owner, &route(["source", "trigger"]))
    {
        return;
    }
    let span = || context.locator.value(owner, &route(["source", "trigger"]));
    let Some(trigger) = connector.triggers.get(&source.trigger) else {
        let stands = route(["triggers", &source.trigger]);
        if context.locator.exists(declared, &stands)
            || context.locator.is_unread(declared, &source.trigger)
        {
            return;
        }
        let names: Vec<&str> = connector.triggers.keys().map(String::as_str).collect();
        let message = format!(
            "connector `{}` has no trigger `{}`",
            connector.id, source.trigger
        );
        findings.push(unknown(
            context,
            codes::UNKNOWN_TRIGGER,
            span(),
            message,
            &source.trigger,
            &names,
            |name| Some((declared, route(["triggers", name]))),
        ));
        return;
    };
    if trigger.stream != trigger.name && connector.triggers.contains_key(&trigger.stream) {
        let message = format!(
            "`{}` feeds the stream of `{}` and has none of its own",
            trigger.name, trigger.stream
        );
        findings.push(
            Diagnostic::error(codes::UNKNOWN_TRIGGER, span(), message)
                .related(
                    context
                        .locator
                        .value(declared, &route(["triggers", &trigger.name, "feeds"])),
                    "declared here",
                )
                .help(format!(
                    "write `trigger: {}`; its events are the same",
                    trigger.stream
                )),
        );
    }
}

fn feeds(context: &Context<'_>, connector: &Connector, findings: &mut Findings) {
    let owner = Owner::Connector(connector);
    for trigger in connector
        .triggers
        .values()
        .filter(|one| one.stream != one.name)
    {
        let span = || {
            context
                .locator
                .value(owner, &route(["triggers", &trigger.name, "feeds"]))
        };
        match connector.triggers.get(&trigger.stream) {
            Some(fed) if fed.stream == fed.name => {}
            Some(fed) => {
                let message = format!("`{}` feeds another stream itself", fed.name);
                findings.push(
                    Diagnostic::error(codes::UNKNOWN_TRIGGER, span(), message)
                        .help(format!("write `feeds: {}`", fed.stream)),
                );
            }
            None if context
                .locator
                .exists(owner, &route(["triggers", &trigger.stream])) => {}
            None => {
                let names = connector.triggers.keys().map(String::as_str);
                let names: Vec<&str> = names.filter(|name| *name != trigger.name).collect();
                let message = format!(
                    "connector `{}` has no trigger `{}`",
                    connector.id, trigger.stream
                );
                findings.push(unknown(
                    context,
                    codes::UNKNOWN_TRIGGER,
                    span(),
                    message,
                    &trigger.stream,
                    &names,
                    |name| Some((owner, route(["triggers", name]))),
                ));
            }
        }
    }
}

/// A webhook wakes polls of its own connector.
fn wakes(context: &Context<'_>, connector: &Connector, findings: &mut Findings) {
    let owner = Owner::Connector(connector);
    let is_poll = |name: &str| {
        let trigger = connector.triggers.get(name);
        trigger.is_some_and(|trigger| matches!(trigger.kind, TriggerKind::Poll(_)))
    };
    let polls: Vec<&str> = connector
        .triggers
        .keys()
        .map(String::as_str)
        .filter(|name| is_poll(name))
        .collect();
    for trigger in connector.triggers.values() {
        let TriggerKind::Webhook(webhook) = &trigger.kind else {
            continue;
        };
        for name in webhook.wakes.iter().filter(|name| !is_poll(name)) {
            let at = route(["triggers", &trigger.name, "wakes"]);
            let message = format!("connector `{}` has no poll `{name}`", connector.id);
            findings.push(unknown(
                context,
                codes::UNKNOWN_TRIGGER,
                context.locator.value(owner, &at),
                message,
                name,
                &polls,
                |name| Some((owner, route(["triggers", name]))),
            ));
        }
    }
}

fn requires(context: &Context<'_>, integration: &Integration, findings: &mut Findings) {
    let owner = Owner::Integration(integration);
    for require in &integration.requires {
        let span = || {
            context
                .locator
                .value(owner, &route(["requires", &require.name, "integration"]))
        };
        if require.integration == integration.id {
            findings.push(
                Diagnostic::error(codes::UNKNOWN_INTEGRATION, span(), "an integration cannot wait for itself")
                    .help("name the integration whose delivery comes first; `order_key` keeps its own deliveries in order"),
            );
        } else {
            integration_exists(context, &require.integration, span(), findings);
        }
    }
}

/// An integration that is named is defined.
fn integration_exists(
    context: &Context<'_>,
    id: &IntegrationId,
    span: Span,
    findings: &mut Findings,
) {
    let known = &context.library.integrations;
    if known.contains_key(id) || context.library.is_broken(&["integrations", id.as_str()]) {
        return;
    }
    let names: Vec<&str> = known.keys().map(IntegrationId::as_str).collect();
    let message = format!("there is no integration `{id}`");
    let code = codes::UNKNOWN_INTEGRATION;
    findings.push(unknown(
        context,
        code,
        span,
        message,
        id.as_str(),
        &names,
        |name| {
            let found = known.get(name)?;
            Some((Owner::Integration(found), route(["integration"])))
        },
    ));
}

/// What posts the lines of a reconciliation is defined.
fn posted(context: &Context<'_>, integration: &Integration, findings: &mut Findings) {
    let owner = Owner::Integration(integration);
    let lines = integration.reconcile.iter().flat_map(|one| &one.lines);
    for line in lines {
        let at = route(["reconcile", "lines", &line.kind, "posted", "integration"]);
        if context.locator.is_broken(owner, &at) {
            continue;
        }
        let span = context.locator.value(owner, &at);
        integration_exists(context, &line.posted.integration, span, findings);
    }
}

fn reconcile_connections(reconcile: &Reconcile) -> Vec<(&String, Route)> {
    let mut named = vec![
        (
            &reconcile.one.connection,
            route(["reconcile", "one", "operation"]),
        ),
        (
            &reconcile.list.connection,
            route(["reconcile", "list", "operation"]),
        ),
    ];
    for part in walk::reads(reconcile) {
        for fetch in part.reads {
            if let FetchFrom::Operation { connection, .. } = &fetch.from {
                let below = [fetch.name.clone(), "operation".to_owned()];
                named.push((connection, part.at.iter().cloned().chain(below).collect()));
            }
        }
    }
    named
}

fn secrets(context: &Context<'_>, connector: &Connector, findings: &mut Findings) {
    let owner = Owner::Connector(connector);
    let mut named = Vec::new();
    for trigger in connector.triggers.values() {
        if let TriggerKind::Webhook(webhook) = &trigger.kind {
            let place = route(["triggers", &trigger.name, "verify", "secret"]);
            named.push((webhook.verify.secret(), place));
        }
    }
    for (at, way) in connector.http.auth.ways().into_iter().enumerate() {
        let Auth::OauthRefresh(oauth) = way else {
            continue;
        };
        let place = if matches!(connector.http.auth, Auth::Choice(_)) {
            let at = at.to_string();
            route(["http", "auth", "of", &at, "auth", "refresh_token"])
        } else {
            route(["http", "auth", "refresh_token"])
        };
        named.push((&oauth.refresh_token, place));
    }
    for (name, place) in named {
        if connector.secrets.contains_key(name)
            || context.locator.exists(owner, &route(["secrets", name]))
        {
            continue;
        }
        let names: Vec<&str> = connector.secrets.keys().map(String::as_str).collect();
        let message = format!("connector `{}` declares no secret `{name}`", connector.id);
        let span = context.locator.value(owner, &place);
        findings.push(unknown(
            context,
            codes::UNKNOWN_SECRET,
            span,
            message,
            name,
            &names,
            |name| Some((owner, route(["secrets", name]))),
        ));
    }
}

/// A finding about a name that is not in a list, with the nearest one and where that stands.
fn unknown<'n>(
    context: &Context<'_>,
    code: Code,
    span: Span,
    message: String,
    name: &str,
    names: &[&'n str],
    declared: impl Fn(&'n str) -> Option<(Owner<'n>, Vec<String>)>,
) -> Diagnostic {
    let finding = Diagnostic::error(code, span, message).label(not_one_of(names.iter().copied()));
    let Some(near) = nearest(name, names.iter().copied()) else {
        return finding;
    };
    let place = declared(near).map(|(owner, route)| context.locator.key(owner, &route));
    finding
        .related(place, "declared here")
        .help(format!("did you mean `{near}`?"))
}
