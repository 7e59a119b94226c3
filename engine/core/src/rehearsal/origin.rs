//! Why each field has its value: the expression it came from, and what that expression read.

use super::{End, Rehearsed};
use crate::plan::{Instance, Tree};
use crate::source::Span;
use crate::template::{Read, Scope, Template};
use serde_json::Value as Document;

/// Where one value came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// Dotted path of the field, e.g. `lines[].amount`.
    pub field: String,
    /// Its value; nothing where the path stands for several.
    pub value: Option<Document>,
    /// The expression, as written.
    pub expression: String,
    /// Where it is written.
    pub span: Option<Span>,
    /// What it read, and what was there; nothing where nothing was.
    pub reads: Vec<(String, Option<Document>)>,
}

/// The origin of the keys and of every field of a rehearsal, as far as it came.
pub fn origins(instance: &Instance, event: &Document, rehearsed: &Rehearsed) -> Vec<Origin> {
    let integration = &instance.integration;
    let mut scope = Scope::new().with("params", &instance.params);
    match &rehearsed.subject {
        None => scope.set("event", event),
        Some(subject) => {
            for (name, value) in subject.as_object().into_iter().flatten() {
                scope.set(name, value);
            }
        }
    }
    let mut found = Vec::new();
    let text = |text: &str| Some(Document::from(text));
    if let Some(key) = rehearsed
        .dedup_key
        .as_ref()
        .filter(|_| rehearsed.subject.is_none())
    {
        let value = text(key.as_str());
        found.push(origin("dedup_key", &integration.dedup_key, &scope, value));
    }
    if let (Some(key), Some(template)) = (&rehearsed.order_key, &integration.order_key) {
        found.push(origin("order_key", template, &scope, text(key.as_str())));
    }
    for answered in &rehearsed.answered {
        scope.set(&answered.need.name, &answered.document);
    }
    let End::Deliver(written) = &rehearsed.end else {
        return found;
    };
    let prepared = &written.prepared;
    if let (Some(reference), Some(template)) = (&prepared.reference, &integration.sink.reference) {
        found.push(origin(
            "reference",
            template,
            &scope,
            text(reference.as_str()),
        ));
    }
    for (name, tree) in &integration.sink.fields {
        let value = prepared.input.get(name);
        walk(name, tree, value, &scope, &mut found);
    }
    found
}

fn walk(
    path: &str,
    tree: &Tree,
    value: Option<&Document>,
    scope: &Scope<'_>,
    found: &mut Vec<Origin>,
) {
    match tree {
        Tree::Leaf(template) => found.push(origin(path, template, scope, value.cloned())),
        Tree::Map(members) => {
            for (name, member) in members {
                let value = value.and_then(|value| value.get(name));
                walk(&format!("{path}.{name}"), member, value, scope, found);
            }
        }
        Tree::List(items) => {
            for (at, item) in items.iter().enumerate() {
                let value = value.and_then(|value| value.get(at));
                walk(&format!("{path}[{at}]"), item, value, scope, found);
            }
        }
        Tree::Each { list, each, .. } => {
            found.push(Origin {
                field: path.to_owned(),
                value: value.cloned(),
                expression: list.source().to_owned(),
                span: list.span(),
                reads: reads(list.reads(), scope),
            });
            walk(&format!("{path}[]"), each, None, scope, found);
        }
        Tree::If {
            condition,
            then,
            otherwise,
        } => match condition.holds(scope) {
            Ok(true) => walk(path, then, value, scope, found),
            Ok(false) => {
                if let Some(otherwise) = otherwise {
                    walk(path, otherwise, value, scope, found);
                }
            }
            // Inside an `each`, what the condition reads is not in scope here.
            Err(_) => {
                walk(path, then, None, scope, found);
                if let Some(otherwise) = otherwise {
                    walk(path, otherwise, None, scope, found);
                }
            }
        },
    }
}

fn origin(field: &str, template: &Template, scope: &Scope<'_>, value: Option<Document>) -> Origin {
    Origin {
        field: field.to_owned(),
        value,
        expression: template.source().to_owned(),
        span: template.span(),
        reads: reads(template.reads(), scope),
    }
}

/// What was read, each name once, in the order of the expression.
fn reads(reads: &[Read], scope: &Scope<'_>) -> Vec<(String, Option<Document>)> {
    let mut found: Vec<(String, Option<Document>)> = Vec::new();
    for read in reads {
        let name = read.path.join(".");
        if found.iter().any(|(one, _)| *one == name) {
            continue;
        }
        let mut parts = read.path.iter();
        let root = parts.next().and_then(|name| scope.get(name));
        let value = parts.fold(root, |value, name| value.and_then(|value| value.get(name)));
        found.push((name, value.cloned()));
    }
    found
}
