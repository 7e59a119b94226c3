//! What can be wrong with the keyword `required_when` itself.

use super::context::Context;
use super::words;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::required::{KEYWORD, plain, wanted};
use crate::yaml::{Node, Value};
use serde_json::{Map, Value as Document};

type Members = Map<String, Document>;

/// What is wrong with a condition itself: `own` is what it belongs to, `properties` what it can ask about.
pub(super) fn check(
    own: &str,
    node: &Node,
    can_be_absent: bool,
    properties: &Members,
    cx: &Context<'_>,
) {
    if !can_be_absent {
        let what = format!("`{own}` is needed in any case, so its `{KEYWORD}` does nothing");
        let help = "let it be left out (`optional: true`, or an empty text as `default`), or take the condition away";
        cx.report(Diagnostic::error(codes::REQUIRED_WHEN, node.span, what).help(help));
    }
    match &node.value {
        Value::List(items) if !items.is_empty() => {
            for item in items {
                check_way(own, item, properties, cx);
            }
        }
        Value::List(_) | Value::Map(_) | Value::Scalar(_) => check_way(own, node, properties, cx),
        Value::Broken => {}
    }
}

fn check_way(own: &str, node: &Node, properties: &Members, cx: &Context<'_>) {
    if node.entries().is_empty() {
        let what = format!("`{KEYWORD}` of `{own}` names nothing");
        let help = "write the other name with the value, or the list of values, that makes this one needed: \
                    `required_when: { mode: [file, queue] }`";
        cx.report(Diagnostic::error(codes::REQUIRED_WHEN, node.span, what).help(help));
    }
    for entry in node.entries() {
        let name = entry.key.as_str();
        let Some(property) = properties.get(name).filter(|_| name != own) else {
            let what = if name == own {
                format!("`{own}` cannot be needed because of itself")
            } else {
                format!("`{KEYWORD}` of `{own}` asks for `{name}`, which is not declared")
            };
            let others = properties
                .keys()
                .map(String::as_str)
                .filter(|one| *one != own);
            let mut finding = Diagnostic::error(codes::REQUIRED_WHEN, entry.key_span, what);
            finding.help = words::did_you_mean(name, others, "there is");
            cx.report(finding);
            continue;
        };
        let Ok(validator) = jsonschema::validator_for(property) else {
            continue;
        };
        let document = entry.value.to_document();
        if document == Document::Array(Vec::new()) {
            let what = format!("`{KEYWORD}` of `{own}` names no value of `{name}`");
            let help = "write the value, or the values, that make it needed";
            cx.report(Diagnostic::error(codes::REQUIRED_WHEN, entry.value.span, what).help(help));
        }
        for value in wanted(&document)
            .iter()
            .filter(|value| !validator.is_valid(value))
        {
            let what = format!("`{name}` is never {}", plain(value));
            let mut finding = Diagnostic::error(codes::REQUIRED_WHEN, entry.value.span, what);
            finding.help = property
                .get("enum")
                .and_then(Document::as_array)
                .map(|words| {
                    let words: Vec<_> = words.iter().map(plain).collect();
                    format!("it is one of {}", words.join(", "))
                });
            cx.report(finding);
        }
    }
}
