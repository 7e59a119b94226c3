//! What is kept of an exchange: the request as it would be encoded with masks for credentials and
//! personal data, and the answer with both taken out. Secrets are absent by construction.

use crate::telemetry;
use ml_connector_core::protocol::{self, Answer, Call, Masked};
use ml_connector_store::Exchange;
use serde_json::Value as Document;
use std::collections::BTreeSet;

/// Longer requests and answers are cut, in bytes.
const TEXT_MAX: usize = 16 * 1024;
/// What stands in place of a personal value.
const MASK: &str = "[masked]";

/// What is about to be sent.
pub(crate) fn request(call: &Call<'_>) -> Exchange {
    let mut exchange = Exchange {
        operation: call.operation.name.clone(),
        ..Exchange::default()
    };
    let input = masked(call.input, &call.operation.input);
    let call = Call {
        input: &input,
        ..call.clone()
    };
    match protocol::encode(&call, &Masked) {
        Ok(request) => {
            exchange.request = cut(&format!("{} {}", request.method.as_str(), request.url));
            exchange.request_body = cut(&String::from_utf8_lossy(&request.body));
        }
        // A mask can break an expression that computes with the value. Less is kept then, never
        // more.
        Err(error) => exchange.request = format!("(not shown: {error})"),
    }
    exchange
}

/// What came back.
pub(crate) fn answer(call: &Call<'_>, answer: &Answer, duration_ms: u64) -> Exchange {
    let mut text = answer.text.clone();
    let names = sensitive_names(&call.operation.result.schema);
    if !names.is_empty() {
        let mut values = BTreeSet::new();
        collect(&answer.body, &names, false, &mut values);
        for value in values {
            text = text.replace(&value, MASK);
        }
    }
    Exchange {
        operation: call.operation.name.clone(),
        status: Some(answer.status),
        response_body: cut(&telemetry::redact(&text)),
        duration_ms,
        ..Exchange::default()
    }
}

/// A copy of a document with the members masked that its schema declares as sensitive.
fn masked(document: &Document, schema: &Document) -> Document {
    if schema.get("x-sensitive") == Some(&Document::Bool(true)) && !document.is_null() {
        return Document::String(MASK.to_owned());
    }
    match document {
        Document::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let property = schema.get("properties").and_then(|all| all.get(name));
                (
                    name.clone(),
                    masked(value, property.unwrap_or(&Document::Null)),
                )
            })
            .collect(),
        Document::Array(items) => {
            let schema = schema.get("items").unwrap_or(&Document::Null);
            items.iter().map(|item| masked(item, schema)).collect()
        }
        Document::Null | Document::Bool(_) | Document::Number(_) | Document::String(_) => {
            document.clone()
        }
    }
}

/// Names of the properties a schema declares as sensitive, at any depth.
fn sensitive_names(schema: &Document) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut open = vec![schema];
    while let Some(schema) = open.pop() {
        match schema {
            Document::Object(members) => {
                if let Some(Document::Object(properties)) = members.get("properties") {
                    for (name, property) in properties {
                        if property.get("x-sensitive") == Some(&Document::Bool(true)) {
                            names.insert(name.to_ascii_lowercase());
                        }
                    }
                }
                open.extend(members.values());
            }
            Document::Array(items) => open.extend(items),
            Document::Null | Document::Bool(_) | Document::Number(_) | Document::String(_) => {}
        }
    }
    names
}

/// The texts that stand under these names.
fn collect(
    document: &Document,
    names: &BTreeSet<String>,
    inside: bool,
    values: &mut BTreeSet<String>,
) {
    match document {
        Document::Object(members) => {
            for (name, value) in members {
                let inside = inside || names.contains(&name.to_ascii_lowercase());
                collect(value, names, inside, values);
            }
        }
        Document::Array(items) => items
            .iter()
            .for_each(|item| collect(item, names, inside, values)),
        Document::String(text) if inside && !text.is_empty() => {
            values.insert(text.clone());
        }
        Document::Number(number) if inside => {
            values.insert(number.to_string());
        }
        Document::Null | Document::Bool(_) | Document::Number(_) | Document::String(_) => {}
    }
}

/// The text, or its beginning and a word about the rest.
fn cut(text: &str) -> String {
    if text.len() <= TEXT_MAX {
        return text.to_owned();
    }
    let mut end = TEXT_MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let kept = text.get(..end).unwrap_or_default();
    format!("{kept}… ({} bytes in all)", text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn declared_members_are_masked_at_any_depth_and_nothing_else_is() {
        let schema = json!({ "properties": {
            "ssn": { "x-sensitive": true },
            "worker": { "properties": { "account": { "x-sensitive": true } } },
            "lines": { "items": { "properties": { "iban": { "x-sensitive": true } } } },
        } });
        let input = json!({
            "ssn": "078-05-1120",
            "worker": { "account": 12345, "name": "Jo" },
            "lines": [{ "iban": "GB33", "amount": 5 }],
        });
        assert_eq!(
            masked(&input, &schema),
            json!({
                "ssn": "[masked]",
                "worker": { "account": "[masked]", "name": "Jo" },
                "lines": [{ "iban": "[masked]", "amount": 5 }],
            })
        );
    }

    #[test]
    fn sensitive_values_are_found_under_their_names_only() {
        let schema = json!({ "properties": { "Account": { "x-sensitive": true } } });
        let names = sensitive_names(&schema);
        let mut values = BTreeSet::new();
        let body =
            json!({ "row": [{ "account": "4242" }, { "other": "77" }], "account": { "n": 9 } });
        collect(&body, &names, false, &mut values);
        assert_eq!(values.into_iter().collect::<Vec<_>>(), ["4242", "9"]);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = "é".repeat(TEXT_MAX);
        let cut = cut(&text);
        assert!(cut.len() < TEXT_MAX + 64 && cut.ends_with("(32768 bytes in all)"));
    }
}
