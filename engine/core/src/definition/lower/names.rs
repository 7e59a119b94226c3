//! Names that a definition gives: none may hide what expressions read anyway, and none stands for two things.

use super::super::reader::Reader;
use crate::codes;
use crate::definition::words::join;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use std::collections::HashMap;

/// What expressions of an integration read anyway.
pub(super) const INTEGRATION: &[&str] = &["event", "events", "group", "params", "receipt"];

/// What expressions of a reconciliation read anyway.
pub(super) const RECONCILE: &[&str] = &["id", "since", "until", "statement", "params", "delivery"];

/// What expressions about an answer read anyway.
pub(super) const ANSWER: &[&str] = &[
    "status",
    "headers",
    "body",
    "text",
    "result",
    "settings",
    "input",
    "reference",
];

/// What a tree reads anyway, wherever it stands.
pub(super) const TREE: &[&str] = &[
    "event",
    "params",
    "settings",
    "secrets",
    "input",
    "reference",
    "idempotency_key",
    "documents",
    "session",
    "steps",
    "cursor",
    "page",
];

/// The keys of several maps, taken together: each name once, none of them one that is `taken`.
pub(super) fn check_keys(reader: &Reader<'_, '_>, maps: &[&str], taken: &[&str]) {
    let mut seen = HashMap::new();
    for map in maps {
        let entries = reader.node(map).map_or(&[][..], |node| node.entries());
        for entry in entries {
            check(reader, &entry.key, entry.key_span, taken, &mut seen);
        }
    }
}

/// The `name` of each object of a list: each once.
pub(super) fn check_items(reader: &Reader<'_, '_>, list: &str) {
    let mut seen = HashMap::new();
    for item in reader.items(list) {
        let named = item
            .get("name")
            .and_then(|name| Some((name.span, &name.scalar()?.text)));
        if let Some((span, name)) = named {
            check(reader, name, span, &[], &mut seen);
        }
    }
}

/// A name that is given to something.
pub(super) fn check_one(reader: &Reader<'_, '_>, key: &str, taken: &[&str]) {
    let named = reader
        .node(key)
        .and_then(|node| Some((node.span, &node.scalar()?.text)));
    if let Some((span, name)) = named {
        check(reader, name, span, taken, &mut HashMap::new());
    }
}

fn check<'n>(
    reader: &Reader<'_, '_>,
    name: &'n str,
    span: Span,
    taken: &[&str],
    seen: &mut HashMap<&'n str, Span>,
) {
    if taken.contains(&name) {
        let what = format!("the name `{name}` is taken");
        let finding = Diagnostic::error(codes::BAD_NAME, span, what);
        reader.cx.report(finding.help(format!(
            "expressions read something else under {}",
            join(taken)
        )));
    } else if let Some(first) = seen.get(name) {
        let what = format!("the name `{name}` stands for two things");
        let finding = Diagnostic::error(codes::DUPLICATE_NAME, span, what)
            .related(*first, "it is given here first");
        reader.cx.report(finding.help("rename one of the two"));
    } else {
        seen.insert(name, span);
    }
}
