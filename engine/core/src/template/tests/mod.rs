//! What expressions promise, tried from outside.

mod expressions;
mod hostile;
mod scalars;

use super::*;
use proptest::prelude::*;
use serde_json::{Value as Document, json};

fn scope_of(document: &Document) -> Scope<'_> {
    let mut scope = Scope::new();
    for (name, value) in document.as_object().unwrap() {
        scope.set(name, value);
    }
    scope
}

fn parse(text: &str) -> Document {
    serde_json::from_str(text).unwrap()
}

fn sample() -> Document {
    parse(
        r#"{
        "payment": {"id": "PM1", "amount": 4950, "fee": 0.30, "currency": "GBP", "note": null,
                    "links": {"mandate": "MD1"}, "on": "2026-03-14", "at": "2026-03-14T23:30:00+01:00"},
        "rows": [{"value": "10.10", "n": 1, "kind": "a"}, {"value": "-3.05", "n": 2, "kind": "b"}],
        "body": {"a": {"code": "X"}, "b": [{"code": ""}, {"code": ["Y", "Z"]}]},
        "big": 123456789012345678901234567890.10,
        "huge": 0.123456789012345678901234567890123456789,
        "text": "ERROR: UserID is invalid",
        "empty": []
    }"#,
    )
}

/// Evaluates the expression over the sample and gives the JSON text of its value, or why it has
/// none.
fn eval(source: &str) -> String {
    let document = sample();
    match Expression::compile(source) {
        Ok(expression) => match expression.value(&scope_of(&document)) {
            Ok(value) => value.to_string(),
            Err(error) => error.why,
        },
        Err(error) => format!("{} @{}", error.why, error.offset),
    }
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        assert_eq!(&eval(source), expected, "{source}");
    }
}
