//! Personal values out of sight: what a schema declares as sensitive is never shown.

use serde_json::Value as Document;

/// What stands in place of a personal value.
pub const MASK: &str = "[masked]";

/// A copy of a document with the members masked that its schema declares with `x-sensitive: true`, at any depth.
pub fn masked(document: &Document, schema: &Document) -> Document {
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

#[cfg(test)]
mod tests {
    use super::masked;
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
}
