//! What a readable document is made into before anybody reads it: one way of saying nothing, lists that are always lists.

use crate::plan::{AnswerFormat, NullStyle};
use serde_json::{Map, Value as Document};

/// Applies an answer's rules for nulls, lists and attributes, at any depth.
pub(super) fn tidied(document: Document, format: &AnswerFormat) -> Document {
    if format.nulls.is_empty() && format.lists.is_empty() && !format.drop_attributes {
        return document;
    }
    match document {
        Document::Object(members) => object(members, format),
        Document::Array(items) => items.into_iter().map(|item| tidied(item, format)).collect(),
        Document::String(text) if is_nothing(&text, format) => Document::Null,
        plain
        @ (Document::String(_) | Document::Null | Document::Bool(_) | Document::Number(_)) => plain,
    }
}

fn object(members: Map<String, Document>, format: &AnswerFormat) -> Document {
    if format.nulls.contains(&NullStyle::Nil) && is_nil(&members) {
        return Document::Null;
    }
    let mut tidy = Map::new();
    for (name, value) in members {
        if format.drop_attributes && name.starts_with('@') {
            continue;
        }
        let value = tidied(value, format);
        let is_list = format.lists.iter().any(|list| matches(list, &name));
        let value = match value {
            Document::Array(_) => value,
            Document::Null if is_list => Document::Array(Vec::new()),
            one @ (Document::Null
            | Document::Bool(_)
            | Document::Number(_)
            | Document::String(_)
            | Document::Object(_))
                if is_list =>
            {
                Document::Array(vec![one])
            }
            one @ (Document::Null
            | Document::Bool(_)
            | Document::Number(_)
            | Document::String(_)
            | Document::Object(_)) => one,
        };
        tidy.insert(name, value);
    }
    // An element of which only its text is left is that text, as one without attributes is.
    if format.drop_attributes && tidy.len() == 1 {
        return match tidy.remove("#text") {
            Some(text) => text,
            None => Document::Object(tidy),
        };
    }
    Document::Object(tidy)
}

/// `{"@xsi:nil": "true"}`, with whatever prefix.
fn is_nil(members: &Map<String, Document>) -> bool {
    members.iter().any(|(name, value)| {
        let local = name
            .strip_prefix('@')
            .map(|name| name.rsplit_once(':').map_or(name, |(_, local)| local));
        local == Some("nil")
            && match value {
                Document::Bool(nil) => *nil,
                Document::String(text) => matches!(text.as_str(), "true" | "1"),
                Document::Null | Document::Number(_) | Document::Array(_) | Document::Object(_) => {
                    false
                }
            }
    })
}

fn is_nothing(text: &str, format: &AnswerFormat) -> bool {
    text.is_empty() && format.nulls.contains(&NullStyle::Empty)
        || text == "null" && format.nulls.contains(&NullStyle::Word)
}

/// Whether a name is meant by a pattern with `*` at either end.
fn matches(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) => name.contains(pattern.trim_matches('*')),
        (Some(end), None) => name.ends_with(end),
        (None, Some(start)) => name.starts_with(start),
        (None, None) => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn format(nulls: &[NullStyle], lists: &[&str]) -> AnswerFormat {
        AnswerFormat {
            body: crate::plan::BodyFormat::Json,
            encoding: crate::plan::Encoding::Utf8,
            unquote: false,
            nulls: nulls.to_vec(),
            lists: lists.iter().map(|list| (*list).to_owned()).collect(),
            drop_attributes: true,
            embedded: Vec::new(),
            xml: crate::plan::XmlRules::default(),
        }
    }

    #[test]
    fn one_row_several_and_none_are_lists_and_nothing_is_said_in_one_way() {
        let format = format(&[NullStyle::Nil, NullStyle::Empty], &["*_ITEM", "rows"]);
        let row = json!({ "ID": "1", "NOTE": { "@xsi:nil": "true" } });
        let found = tidied(
            json!({
                "@xmlns": "urn:x", "X_ROWS_ITEM": row, "rows": null, "text": "",
                "word": "null", "B_ITEM": [{ "ID": "2" }, { "@nil": false, "ID": "3" }],
            }),
            &format,
        );
        let wanted = json!({
            "X_ROWS_ITEM": [{ "ID": "1", "NOTE": null }], "rows": [], "text": null,
            "word": "null", "B_ITEM": [{ "ID": "2" }, { "ID": "3" }],
        });
        assert_eq!(found, wanted);
    }
}
