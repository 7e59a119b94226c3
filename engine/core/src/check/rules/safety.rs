//! What keeps a record from being posted twice: look-ups that look for our reference, keys that are sent, keys that differ.

use super::super::Context;
use super::super::locate::{Owner, Route, route};
use super::super::walk::{Leaf, Wants};
use crate::codes;
use crate::diagnostic::{Diagnostic, Findings};
use crate::plan::{Action, Connector, Integration, LookUpSpec, Operation, Repeat, Write};
use crate::template::{Kind, Read, Shape, Template};

pub(super) fn rule(context: &Context<'_>, findings: &mut Findings) {
    for connector in context.library.connectors.values() {
        for operation in connector.operations.values() {
            if let Some(write) = operation.write() {
                repeat(context, connector, operation, write, findings);
            }
            waiting_writes(context, connector, operation, findings);
        }
    }
    for integration in context.library.integrations.values() {
        dedup(context, integration, findings);
        order(context, integration, findings);
        reference(context, integration, findings);
    }
}

fn reads(reads: &[Read], root: &str) -> bool {
    reads
        .iter()
        .any(|read| read.path.first().is_some_and(|name| name == root))
}

fn repeat(
    context: &Context<'_>,
    connector: &Connector,
    operation: &Operation,
    write: &Write,
    findings: &mut Findings,
) {
    let owner = Owner::Connector(connector);
    let at = route(["operations", &operation.name, "repeat"]);
    if !context.locator.exists(owner, &at) || context.locator.is_broken(owner, &at) {
        return;
    }
    match &write.repeat {
        Repeat::None => findings.push(
            Diagnostic::warning(
                codes::REPEAT_NONE,
                context.locator.value(owner, &at),
                format!("every lost answer of `{}` goes to a person", operation.name),
            )
            .help("if the system takes an idempotency key, or can be asked for our reference, say so under `repeat`")
            .note("nothing tells whether it was done, so it is not sent again by itself"),
        ),
        Repeat::LookUp(spec) => looks_for_reference(context, connector, operation, spec, findings),
        Repeat::IdempotencyKey { header, .. } => sends_key(context, connector, operation, header, findings),
        Repeat::Natural => {}
    }
}

fn looks_for_reference(
    context: &Context<'_>,
    connector: &Connector,
    operation: &Operation,
    spec: &LookUpSpec,
    findings: &mut Findings,
) {
    let owner = Owner::Connector(connector);
    let at = route(["operations", &operation.name, "repeat", "look_up"]);
    let carrying = carrying(spec);
    if carrying.is_empty() && !reads(spec.found.reads(), "reference") && is_whole(spec) {
        findings.push(
            Diagnostic::error(
                codes::IGNORED_REFERENCE,
                context.locator.key(owner, &at),
                format!("the look-up of `{}` does not look for our reference", operation.name),
            )
            .help("hand `reference` to the read in `with`, or compare with it in `found`")
            .note("what it finds may be another record; then this one would count as done and never be posted"),
        );
        return;
    }
    let Some(target) = connector.operations.get(&spec.operation) else {
        return;
    };
    for name in carrying {
        if reads(spec.found.reads(), "reference") || is_read(context, connector, target, name) {
            continue;
        }
        let mut at: Route = at.clone();
        at.extend(["with".to_owned(), name.to_owned()]);
        findings.push(
            Diagnostic::error(
                codes::IGNORED_REFERENCE,
                context.locator.key(owner, &at),
                format!("`{}` takes our reference as `{name}` and does not use it", target.name),
            )
            .related(context.locator.key(owner, &route(["operations", &target.name])), "this read")
            .note("what it finds may be another record; then this one would count as done and never be posted"),
        );
    }
}

/// The inputs by which a look-up hands our reference to its read.
pub(super) fn carrying(spec: &LookUpSpec) -> Vec<&str> {
    let with = spec.with.iter();
    with.filter(|(_, value)| reads(value.reads(), "reference"))
        .map(|(name, _)| name.as_str())
        .collect()
}

/// Whether nothing of a look-up was reported before.
fn is_whole(spec: &LookUpSpec) -> bool {
    spec.found.span().is_some() && spec.with.values().all(|value| value.span().is_some())
}

/// Whether an operation reads this one of its inputs.
fn is_read(
    context: &Context<'_>,
    connector: &Connector,
    operation: &Operation,
    input: &str,
) -> bool {
    leaves_of(context, connector, operation).any(|leaf| {
        leaf.shape.names().iter().any(|path| {
            let names: Vec<&str> = path
                .iter()
                .take(2)
                .map(|segment| segment.name.as_str())
                .collect();
            names == ["input"] || names == ["input", input]
        })
    })
}

/// The leaves that belong to an operation.
pub(super) fn leaves_of<'c, 'a>(
    context: &'c Context<'a>,
    connector: &'c Connector,
    operation: &'c Operation,
) -> impl Iterator<Item = &'c Leaf<'a>> {
    context
        .walk
        .definitions()
        .filter(move |(owner, _)| matches!(owner, Owner::Connector(one) if std::ptr::eq(*one, connector)))
        .flat_map(|(_, leaves)| leaves)
        .filter(move |leaf| leaf.operation == Some(operation.name.as_str()))
}

fn sends_key(
    context: &Context<'_>,
    connector: &Connector,
    operation: &Operation,
    header: &str,
    findings: &mut Findings,
) {
    let owner = Owner::Connector(connector);
    let at = route(["operations", &operation.name, "repeat", "idempotency_key"]);
    for variant in &operation.variants {
        match &variant.action {
            Action::Sequence(_) => findings.push(
                Diagnostic::error(
                    codes::LOST_KEY,
                    context.locator.key(owner, &at),
                    format!(
                        "`{}` is made of steps, and no request of its own carries the key",
                        operation.name
                    ),
                )
                .help("let the operations of the steps say how they may be repeated"),
            ),
            Action::Request(request) => {
                let fields = request.headers.iter().chain(&connector.http.headers);
                for (name, _) in fields.filter(|(name, _)| name.eq_ignore_ascii_case(header)) {
                    findings.push(
                        Diagnostic::error(
                            codes::LOST_KEY,
                            context.locator.key(owner, &at),
                            format!("the header field `{name}` is set by the definition too"),
                        )
                        .help(format!(
                            "leave `{name}` out of `headers`; the engine sends the key in it"
                        )),
                    );
                }
            }
        }
    }
}

fn dedup(context: &Context<'_>, integration: &Integration, findings: &mut Findings) {
    let key = &integration.dedup_key;
    // What else it reads is not there, which is reported; without a place it stands for one that was.
    let more_than_params = key
        .reads()
        .iter()
        .any(|read| read.path.first().is_some_and(|name| name != "params"));
    if more_than_params || key.span().is_none() {
        return;
    }
    let owner = Owner::Integration(integration);
    findings.push(
        Diagnostic::error(
            codes::CONSTANT_KEY,
            context.locator.value(owner, &route(["dedup_key"])),
            "the dedup key reads nothing of the event, so it is the same for every event",
        )
        .help("use what makes the event one of its kind, e.g. `\"{{ event.id }}\"`")
        .note("after the first event, every other one would count as a duplicate and be dropped"),
    );
}

fn order(context: &Context<'_>, integration: &Integration, findings: &mut Findings) {
    if integration.order_key.is_some()
        || integration.aggregate.is_some()
        || integration.requires.is_empty()
    {
        return;
    }
    let owner = Owner::Integration(integration);
    findings.push(
        Diagnostic::warning(
            codes::NO_ORDER,
            context.locator.key(owner, &route(["requires"])),
            "deliveries that wait for others have no order among themselves",
        )
        .help("add `order_key`, e.g. the id of what the events are about")
        .note("two events about the same thing may otherwise be delivered in either order, or at once"),
    );
}

fn reference(context: &Context<'_>, integration: &Integration, findings: &mut Findings) {
    let calls = context.walk.calls.iter();
    let is_sink = |owner: Owner<'_>| matches!(owner, Owner::Integration(one) if std::ptr::eq(one, integration));
    let Some(call) = calls
        .into_iter()
        .find(|call| call.wants == Wants::Write && is_sink(call.owner))
    else {
        return;
    };
    let (Some(connector), Some(operation)) = (call.connector, call.target()) else {
        return;
    };
    let Some(write) = operation.write() else {
        return;
    };
    let owner = Owner::Integration(integration);
    let at = route(["sink", "reference"]);
    let Some(reference) = &integration.sink.reference else {
        if !context.locator.exists(owner, &at)
            && needs_reference(context, connector, operation, write)
        {
            let declared = context.locator.key(
                Owner::Connector(connector),
                &route(["operations", &operation.name]),
            );
            findings.push(
                Diagnostic::error(
                    codes::NO_REFERENCE,
                    context.locator.key(owner, &route(["sink"])),
                    format!("`{}` needs a reference", operation.name),
                )
                .related(declared, "declared here")
                .help("add `reference`, e.g. the id of the record: it is written into the document, and a look-up finds it by it"),
            );
        }
        return;
    };
    if reference.reads().is_empty() && reference.span().is_some() {
        findings.push(
            Diagnostic::error(
                codes::CONSTANT_KEY,
                context.locator.value(owner, &at),
                "the reference reads nothing, so it is the same for every record",
            )
            .help("use what makes the record one of its kind, e.g. `\"{{ event.id }}\"`")
            .note("a look-up would find the first record and take it for every other"),
        );
    }
    if let Some(rule) = &write.reference
        && let least = least_length(reference)
        && least > u64::from(rule.length_max)
    {
        findings.push(
            Diagnostic::error(
                codes::REFERENCE_LENGTH,
                context.locator.value(owner, &at),
                format!("the reference has at least {least} characters, and `{}` takes {}", operation.name, rule.length_max),
            )
            .help("shorten it; `sha256_hex(n)` makes n characters of a long id, and stays unique if n is not too small"),
        );
    }
}

/// Steps that wait, as only reads can: asking a read again changes nothing.
fn waiting_writes(
    context: &Context<'_>,
    connector: &Connector,
    operation: &Operation,
    findings: &mut Findings,
) {
    let owner = Owner::Connector(connector);
    let whole = route(["operations", &operation.name]);
    for (number, variant) in operation.variants.iter().enumerate() {
        let Action::Sequence(steps) = &variant.action else {
            continue;
        };
        let mut under = whole.clone();
        if context.locator.exists(owner, &below(&whole, &["variants"])) {
            under = below(&whole, &["variants", &number.to_string()]);
        }
        for (number, step) in steps.iter().enumerate() {
            let target = connector.operations.get(&step.operation);
            let writes = target.is_some_and(|target| target.write().is_some());
            let key = if step.until.is_some() {
                "until"
            } else if step.wait.is_some() {
                "wait"
            } else {
                continue;
            };
            if !writes {
                continue;
            }
            let at = below(&under, &["steps", &number.to_string(), key]);
            findings.push(
                Diagnostic::error(
                    codes::WAITING_WRITE,
                    context.locator.key(owner, &at),
                    format!(
                        "`{}` is a write, so the step `{}` cannot ask it again",
                        step.operation, step.name
                    ),
                )
                .help("let this step write, and add a step behind it that reads and waits")
                .note("each time it is asked again it would be done again"),
            );
        }
    }
}

fn below(route: &Route, keys: &[&str]) -> Route {
    let mut below = route.clone();
    below.extend(keys.iter().map(|key| (*key).to_owned()));
    below
}

/// Whether an operation does something with our reference.
fn needs_reference(
    context: &Context<'_>,
    connector: &Connector,
    operation: &Operation,
    write: &Write,
) -> bool {
    write.reference.is_some()
        || matches!(write.repeat, Repeat::LookUp(_))
        || leaves_of(context, connector, operation).any(|leaf| {
            leaf.shape.names().iter().any(|path| {
                path.first()
                    .is_some_and(|segment| segment.name == "reference")
            })
        })
}

/// The least number of characters a template can give.
fn least_length(template: &Template) -> u64 {
    match template.fixed() {
        Some(value) => value.as_str().map_or(0, |text| text.chars().count() as u64),
        None => Shape::of_template(template.source()).map_or(0, |shape| least(&shape)),
    }
}

fn least(shape: &Shape) -> u64 {
    match &shape.kind {
        Kind::Value(value) => value.as_str().map_or(0, |text| text.chars().count() as u64),
        Kind::Text(parts) => parts.iter().map(least).sum(),
        Kind::Filter { name, on, args } => {
            let number = || {
                args.first()
                    .and_then(|arg| arg.fixed()?.as_u64())
                    .unwrap_or(0)
            };
            match name.as_str() {
                "sha256_hex" => number(),
                "pad_left" | "pad_right" => number().max(least(on)),
                "upper" | "lower" => least(on),
                _ => 0,
            }
        }
        Kind::Choice {
            then, otherwise, ..
        } => otherwise
            .as_ref()
            .map_or(0, |otherwise| least(then).min(least(otherwise))),
        Kind::Name(_)
        | Kind::Test { .. }
        | Kind::Compare { .. }
        | Kind::Not(_)
        | Kind::All(_)
        | Kind::Any(_)
        | Kind::List(_)
        | Kind::Sum(_)
        | Kind::Other(_) => 0,
    }
}
