//! Personal values out of sight: what a schema declares as sensitive is never shown.

use serde_json::Value as Document;

/// What stands in place of a personal value.
pub const MASK: &str = "[masked]";

/// How many references a schema is followed through at one place; more is a circle.
const HOPS_MAX: usize = 16;

/// Keywords whose schemas speak of the same value.
const SAME_VALUE: [&str; 6] = ["anyOf", "oneOf", "allOf", "if", "then", "else"];

/// A copy of a document with everything masked that its schema declares with `x-sensitive: true`,
/// at any depth. What is personal in one of several alternatives is personal; what the schema does
/// not describe is shown.
pub fn masked(document: &Document, schema: &Document) -> Document {
    mask(document, &described(vec![schema], schema), schema)
}

/// Values shorter than this are not looked for in texts: they would blot out ordinary words.
const LENGTH_MIN: usize = 4;

/// The values that a schema declares as sensitive, as they would stand in a text: for what a system says about what it was
/// sent, which no schema describes.
pub fn personal_values(document: &Document, schema: &Document) -> Vec<String> {
    let mut values = Vec::new();
    if declares_personal(schema) {
        collect(document, &masked(document, schema), &mut values);
    }
    values
}

/// Everything in `document` that is masked in its masked copy.
fn collect(document: &Document, shown: &Document, values: &mut Vec<String>) {
    if shown == MASK && document != MASK {
        scalars(document, values);
        return;
    }
    match (document, shown) {
        (Document::Object(members), Document::Object(shown)) => {
            for (name, value) in members {
                if let Some(shown) = shown.get(name) {
                    collect(value, shown, values);
                }
            }
        }
        (Document::Array(items), Document::Array(shown)) => {
            for (item, shown) in items.iter().zip(shown) {
                collect(item, shown, values);
            }
        }
        _ => {}
    }
}

fn scalars(document: &Document, values: &mut Vec<String>) {
    match document {
        Document::String(text) if text.len() >= LENGTH_MIN => values.push(text.clone()),
        Document::Number(number) => {
            values.extend(Some(number.to_string()).filter(|text| text.len() >= LENGTH_MIN));
        }
        Document::Array(items) => items.iter().for_each(|item| scalars(item, values)),
        Document::Object(members) => members.values().for_each(|value| scalars(value, values)),
        Document::Null | Document::Bool(_) | Document::String(_) => {}
    }
}

/// A text with these values masked, also where they stand percent-encoded.
pub fn blotted(text: &str, values: &[String]) -> String {
    values.iter().fold(text.to_owned(), |text, value| {
        let encoded = crate::protocol::percent_encode(value);
        text.replace(value.as_str(), MASK).replace(&encoded, MASK)
    })
}

/// Whether a schema declares anything personal at all.
pub fn declares_personal(schema: &Document) -> bool {
    match schema {
        Document::Object(members) => is_personal(schema) || members.values().any(declares_personal),
        Document::Array(items) => items.iter().any(declares_personal),
        Document::Null | Document::Bool(_) | Document::Number(_) | Document::String(_) => false,
    }
}

fn is_personal(schema: &Document) -> bool {
    schema.get("x-sensitive") == Some(&Document::Bool(true))
}

/// `schemas` is everything that speaks of this value.
fn mask(document: &Document, schemas: &[&Document], root: &Document) -> Document {
    if !document.is_null() && schemas.iter().any(|schema| is_personal(schema)) {
        return MASK.into();
    }
    match document {
        Document::Object(members) => {
            let shown = members.iter().map(|(name, value)| {
                let of_member = schemas
                    .iter()
                    .flat_map(|schema| of_member(schema, name))
                    .collect();
                (name.clone(), mask(value, &described(of_member, root), root))
            });
            Document::Object(shown.collect())
        }
        Document::Array(items) => {
            let of_items = schemas.iter().flat_map(|schema| of_items(schema)).collect();
            let schemas = described(of_items, root);
            items
                .iter()
                .map(|item| mask(item, &schemas, root))
                .collect()
        }
        Document::Null | Document::Bool(_) | Document::Number(_) | Document::String(_) => {
            document.clone()
        }
    }
}

/// Schemas with everything they refer to or are made of, as far as it speaks of the same value.
fn described<'s>(mut schemas: Vec<&'s Document>, root: &'s Document) -> Vec<&'s Document> {
    let mut at = 0;
    let enough = schemas.len() + HOPS_MAX * 16;
    while let Some(schema) = schemas.get(at).copied() {
        at += 1;
        if schemas.len() > enough {
            break;
        }
        let referred = schema.get("$ref").and_then(Document::as_str);
        schemas.extend(referred.and_then(|to| root.pointer(to.strip_prefix('#')?)));
        for more in SAME_VALUE.iter().filter_map(|keyword| schema.get(*keyword)) {
            if let Document::Array(several) = more {
                schemas.extend(several);
            } else {
                schemas.push(more);
            }
        }
    }
    schemas
}

fn of_member<'s>(schema: &'s Document, name: &str) -> Vec<&'s Document> {
    if let Some(property) = schema.get("properties").and_then(|all| all.get(name)) {
        return vec![property];
    }
    let by_pattern = schema
        .get("patternProperties")
        .and_then(Document::as_object);
    let by_pattern = by_pattern.into_iter().flat_map(|all| all.values());
    by_pattern
        .chain(schema.get("additionalProperties"))
        .collect()
}

fn of_items(schema: &Document) -> Vec<&Document> {
    let first = schema
        .get("prefixItems")
        .and_then(Document::as_array)
        .into_iter()
        .flatten();
    first.chain(schema.get("items")).collect()
}

#[cfg(test)]
mod tests {
    use super::{blotted, declares_personal, masked, personal_values};
    use serde_json::json;

    #[test]
    fn only_what_is_declared_is_masked_and_nothing_is_invented() {
        let schema = json!({ "properties": {
            "ssn": { "x-sensitive": true },
            "bank": { "x-sensitive": true },
            "worker": { "properties": { "account": { "x-sensitive": true } } },
            "lines": { "items": { "properties": { "iban": { "x-sensitive": true } } } },
        } });
        let document = json!({
            "ssn": 123,
            "bank": null,
            "worker": { "account": { "number": "1" }, "name": "A" },
            "lines": [{ "iban": "X", "amount": 5 }],
        });
        assert_eq!(
            masked(&document, &schema),
            json!({
                "ssn": "[masked]",
                "bank": null,
                "worker": { "account": "[masked]", "name": "A" },
                "lines": [{ "iban": "[masked]", "amount": 5 }],
            })
        );
    }

    #[test]
    fn a_personal_value_is_masked_in_what_a_system_says_about_it() {
        let schema = json!({ "properties": { "ssn": { "x-sensitive": true }, "list": { "x-sensitive": true } } });
        let document = json!({ "ssn": "078-05-1120", "amount": 5000, "list": [12345, "of", { "a": "x y z" }] });
        let values = personal_values(&document, &schema);
        assert_eq!(values, ["078-05-1120", "12345", "x y z"]);
        let said = "078-05-1120 of 12345 owes 5000 (x%20y%20z)";
        assert_eq!(
            blotted(said, &values),
            "[masked] of [masked] owes 5000 ([masked])"
        );
    }

    #[test]
    fn what_is_personal_in_one_alternative_is_personal() {
        let schema = json!({
            "$defs": { "id": { "x-sensitive": true }, "loop": { "$ref": "#/$defs/loop" } },
            "anyOf": [
                { "properties": { "a": { "type": "string" }, "d": { "$ref": "#/$defs/loop" } } },
                { "properties": { "a": { "allOf": [{ "$ref": "#/$defs/id" }] } } },
            ],
            "then": { "properties": { "b": { "x-sensitive": true } } },
            "properties": {
                "tags": { "additionalProperties": { "$ref": "#/$defs/id" } },
                "pair": { "prefixItems": [{ "x-sensitive": true }] },
            },
        });
        let document =
            json!({ "a": "1", "b": 2, "c": 3, "d": { "x": 4 }, "tags": { "t": 5 }, "pair": [6] });
        assert_eq!(
            masked(&document, &schema),
            json!({ "a": "[masked]", "b": "[masked]", "c": 3, "d": { "x": 4 }, "tags": { "t": "[masked]" }, "pair": ["[masked]"] })
        );
        assert!(declares_personal(&schema));
        assert!(!declares_personal(
            &json!({ "properties": { "a": { "x-unit": "minor" } } })
        ));
    }
}
