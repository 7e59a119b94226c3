//! Where two documents differ, member by member: what somebody needs to see when a case fails.

use serde_json::{Map, Value as Document};
use std::fmt;

/// One place where two documents differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Dotted path, e.g. `request.query.XmlIn` or `lines[2].amount`.
    pub path: String,
    /// What was expected there, if anything.
    pub expected: Option<Document>,
    /// What is there, if anything.
    pub actual: Option<Document>,
}

/// Every difference, in the order of the expected document, then what is there beyond it.
///
/// Members are compared by name, whatever their order. Numbers differ when they are written differently (`49.5` and
/// `49.50`): in an amount that is a difference.
pub fn differences(path: &str, expected: &Document, actual: &Document) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(path, expected, actual, &mut found);
    found
}

fn compare(path: &str, expected: &Document, actual: &Document, found: &mut Vec<Difference>) {
    match (expected, actual) {
        (Document::Object(expected), Document::Object(actual)) => {
            members(path, expected, actual, found);
        }
        (Document::Array(expected), Document::Array(actual)) => {
            items(path, expected, actual, found);
        }
        _ if expected == actual => {}
        _ => found.push(Difference {
            path: path.to_owned(),
            expected: Some(expected.clone()),
            actual: Some(actual.clone()),
        }),
    }
}

fn members(
    path: &str,
    expected: &Map<String, Document>,
    actual: &Map<String, Document>,
    found: &mut Vec<Difference>,
) {
    for (name, wanted) in expected {
        match actual.get(name) {
            Some(is) => compare(&member(path, name), wanted, is, found),
            None => found.push(Difference {
                path: member(path, name),
                expected: Some(wanted.clone()),
                actual: None,
            }),
        }
    }
    for (name, is) in actual
        .iter()
        .filter(|(name, _)| !expected.contains_key(*name))
    {
        found.push(Difference {
            path: member(path, name),
            expected: None,
            actual: Some(is.clone()),
        });
    }
}

fn items(path: &str, expected: &[Document], actual: &[Document], found: &mut Vec<Difference>) {
    for at in 0..expected.len().max(actual.len()) {
        let path = format!("{path}[{at}]");
        match (expected.get(at), actual.get(at)) {
            (Some(wanted), Some(is)) => compare(&path, wanted, is, found),
            (wanted, is) => {
                found.push(Difference {
                    path,
                    expected: wanted.cloned(),
                    actual: is.cloned(),
                });
            }
        }
    }
}

fn member(path: &str, name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let name = if !name.is_empty() && name.chars().all(plain) {
        name.to_owned()
    } else {
        format!("\"{name}\"")
    };
    if path.is_empty() {
        name
    } else {
        format!("{path}.{name}")
    }
}

/// How much of two long texts is shown on either side of where they part.
const CONTEXT_CHARACTERS: usize = 30;

/// Texts longer than this are shown only around the difference.
const TEXT_CHARACTERS_MAX: usize = 100;

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (expected, actual) = match (&self.expected, &self.actual) {
            (Some(Document::String(expected)), Some(Document::String(actual))) => {
                around(expected, actual)
            }
            (expected, actual) => (show(expected.as_ref()), show(actual.as_ref())),
        };
        write!(
            f,
            "{}\n  expected: {expected}\n  actual:   {actual}",
            self.path
        )
    }
}

fn show(document: Option<&Document>) -> String {
    document.map_or_else(
        || "(nothing)".to_owned(),
        |document| cut(&document.to_string()),
    )
}

fn cut(text: &str) -> String {
    if text.chars().count() <= TEXT_CHARACTERS_MAX {
        return text.to_owned();
    }
    text.chars()
        .take(TEXT_CHARACTERS_MAX)
        .chain(['…'])
        .collect()
}

/// Both texts quoted, cut to where they part if they are long.
fn around(expected: &str, actual: &str) -> (String, String) {
    let longest = expected.chars().count().max(actual.chars().count());
    if longest <= TEXT_CHARACTERS_MAX {
        return (quoted(expected), quoted(actual));
    }
    let same = expected
        .chars()
        .zip(actual.chars())
        .take_while(|(a, b)| a == b)
        .count();
    let shortest = expected.chars().count().min(actual.chars().count());
    let same_end = expected
        .chars()
        .rev()
        .zip(actual.chars().rev())
        .take(shortest - same)
        .take_while(|(a, b)| a == b)
        .count();
    let window = |text: &str| {
        let length = text.chars().count();
        let from = same.saturating_sub(CONTEXT_CHARACTERS);
        let to = (length - same_end + CONTEXT_CHARACTERS)
            .min(same + TEXT_CHARACTERS_MAX)
            .min(length);
        let part: String = text
            .chars()
            .skip(from)
            .take(to.saturating_sub(from))
            .collect();
        let (before, after) = (
            if from > 0 { "…" } else { "" },
            if to < length { "…" } else { "" },
        );
        quoted(&format!("{before}{part}{after}"))
    };
    (window(expected), window(actual))
}

fn quoted(text: &str) -> String {
    Document::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::differences;
    use serde_json::json;

    fn shown(expected: &serde_json::Value, actual: &serde_json::Value) -> Vec<String> {
        differences("", expected, actual)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn order_of_members_is_no_difference_and_order_of_items_is() {
        assert!(shown(&json!({"a": 1, "b": 2}), &json!({"b": 2, "a": 1})).is_empty());
        assert_eq!(shown(&json!({"a": [1, 2]}), &json!({"a": [2, 1]})).len(), 2);
    }

    #[test]
    fn what_is_missing_and_what_is_too_much_are_named() {
        assert_eq!(
            shown(
                &json!({"a": {"b c": 1}, "l": [1]}),
                &json!({"a": {}, "l": [1, null]})
            ),
            [
                "a.\"b c\"\n  expected: 1\n  actual:   (nothing)",
                "l[1]\n  expected: (nothing)\n  actual:   null",
            ]
        );
    }

    #[test]
    fn an_amount_with_other_places_is_another_amount() {
        let number = |text: &str| serde_json::from_str(text).unwrap();
        assert_eq!(
            differences("amount", &number("49.50"), &number("49.5")).len(),
            1
        );
        assert_eq!(
            differences("amount", &number("49.50"), &json!("49.50")).len(),
            1
        );
        assert!(differences("amount", &number("49.50"), &number("49.50")).is_empty());
    }

    #[test]
    fn long_texts_are_shown_where_they_part() {
        let text = |amount: &str| {
            format!(
                "{}<Amount>{amount}</Amount>{}",
                "<x/>".repeat(50),
                "<y/>".repeat(50)
            )
        };
        let shown = shown(&json!(text("49.50")), &json!(text("4950")));
        assert!(shown[0].contains("<Amount>49.50</Amount>"), "{shown:?}");
        assert!(shown[0].contains("<Amount>4950</Amount>"), "{shown:?}");
        assert!(shown[0].chars().count() < 300, "{shown:?}");
    }

    #[test]
    fn texts_that_repeat_themselves_are_not_cut_twice() {
        let (short, long) = ("ab".repeat(60), "ab".repeat(61));
        let shown = shown(&json!(short), &json!(long));
        assert_eq!(shown.len(), 1);
        assert!(shown[0].contains("actual:   \"…"), "{shown:?}");
    }
}
