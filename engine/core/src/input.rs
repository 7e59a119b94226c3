//! The input of an operation: made complete by its schema, and checked against it before anything
//! is sent.

use crate::required::{KEYWORD, is_given, required};
use jsonschema::Validator;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::{Map, Value as Document};
use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

/// JSON Schema (an object schema) of an operation's input; compiled once, when it is first needed.
///
/// Beyond the standard: a property without `default` and without `optional: true` must be there.
/// What is optional and not given is null in templates. Reads as the schema document itself.
#[derive(Default)]
pub struct InputSchema {
    document: Document,
    validator: OnceLock<Option<Validator>>,
}

/// One thing that is wrong with an input. Says what, never which value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where in the input, e.g. `invoices/0/amount`; empty for the whole.
    pub place: String,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() {
            f.write_str(&self.why)
        } else {
            write!(f, "`{}` {}", self.place, self.why)
        }
    }
}

/// Several problems in one line.
pub fn in_words(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

impl InputSchema {
    /// The input with defaults filled in and null for what is optional and not given.
    ///
    /// # Errors
    /// With everything that is wrong: a member that is needed and not given, one that is not known,
    /// a value that does not fit its schema.
    pub fn complete(&self, given: Map<String, Document>) -> Result<Document, Vec<Problem>> {
        let mut given = given;
        let mut problems = Vec::new();
        let mut whole = Map::new();
        let mut left_out = Vec::new();
        for (name, property) in self.properties() {
            match given.shift_remove(name).filter(|value| !value.is_null()) {
                Some(value) => {
                    whole.insert(name.clone(), value);
                }
                None => match property.get("default") {
                    Some(default) => {
                        whole.insert(name.clone(), default.clone());
                    }
                    None if property.get("optional") == Some(&Document::Bool(true)) => {
                        left_out.push((whole.len() + left_out.len(), name.clone()));
                    }
                    None => problems.push(Problem {
                        place: name.clone(),
                        why: "is needed and has no value".to_owned(),
                    }),
                },
            }
        }
        for (name, value) in given {
            if self.is_open() {
                whole.insert(name, value);
            } else {
                problems.push(Problem {
                    place: name,
                    why: "is not known".to_owned(),
                });
            }
        }
        let mut whole = Document::Object(whole);
        for (name, property) in self.properties() {
            let condition = property.get(KEYWORD);
            let because = condition.and_then(|condition| required(condition, &whole));
            if let Some(because) = because.filter(|_| !is_given(whole.get(name))) {
                problems.push(Problem {
                    place: name.clone(),
                    why: format!("is needed because {because}, and has no value"),
                });
            }
        }
        problems.extend(self.misfits(&whole));
        if !problems.is_empty() {
            return Err(problems);
        }
        if let Document::Object(members) = &mut whole {
            for (at, name) in left_out {
                members.shift_insert(at.min(members.len()), name, Document::Null);
            }
        }
        Ok(whole)
    }

    /// The names whose values are declared personal data.
    pub fn is_sensitive(&self, name: &str) -> bool {
        self.properties().any(|(known, property)| {
            known == name && property.get("x-sensitive") == Some(&Document::Bool(true))
        })
    }

    fn properties(&self) -> impl Iterator<Item = (&String, &Document)> {
        self.document
            .get("properties")
            .and_then(Document::as_object)
            .into_iter()
            .flatten()
    }

    fn is_open(&self) -> bool {
        self.document
            .get("additionalProperties")
            .is_some_and(|more| *more != Document::Bool(false))
    }

    fn misfits(&self, whole: &Document) -> Vec<Problem> {
        let validator = self.validator.get_or_init(|| {
            jsonschema::options()
                .should_validate_formats(true)
                .build(&self.document)
                .ok()
        });
        let Some(validator) = validator else {
            return vec![Problem {
                place: String::new(),
                why: "cannot be checked: its schema is not a JSON Schema".to_owned(),
            }];
        };
        validator
            .iter_errors(whole)
            // Reported above, in the words of definitions.
            .filter(|error| {
                !(error.instance_path().as_str().is_empty()
                    && matches!(error.kind(), ValidationErrorKind::Required { .. }))
            })
            .map(|error| Problem {
                place: error
                    .instance_path()
                    .as_str()
                    .trim_start_matches('/')
                    .to_owned(),
                why: misfit(error.kind()),
            })
            .collect()
    }
}

impl From<Document> for InputSchema {
    fn from(document: Document) -> Self {
        Self {
            document,
            validator: OnceLock::new(),
        }
    }
}

impl Deref for InputSchema {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.document
    }
}

impl fmt::Debug for InputSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.document.fmt(f)
    }
}

/// What does not fit, without the value that does not.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "keywords that definitions rarely use have no words of their own"
)]
fn misfit(kind: &ValidationErrorKind) -> String {
    match kind {
        ValidationErrorKind::MaxLength { limit } => format!("is longer than {limit} characters"),
        ValidationErrorKind::MinLength { limit: 1 } => "is empty".to_owned(),
        ValidationErrorKind::MinLength { limit } => format!("is shorter than {limit} characters"),
        ValidationErrorKind::Maximum { limit } => format!("is more than {limit}"),
        ValidationErrorKind::Minimum { limit } => format!("is less than {limit}"),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("is not less than {limit}"),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("is not more than {limit}"),
        ValidationErrorKind::MaxItems { limit } => format!("has more than {limit} items"),
        ValidationErrorKind::MinItems { limit } => format!("has fewer than {limit} items"),
        ValidationErrorKind::MaxProperties { limit } => format!("has more than {limit} members"),
        ValidationErrorKind::MinProperties { limit } => format!("has fewer than {limit} members"),
        ValidationErrorKind::Enum { options } => format!("is not one of {options}"),
        ValidationErrorKind::Constant { expected_value } => format!("is not {expected_value}"),
        ValidationErrorKind::Format { format } => format!("is not a {format}"),
        ValidationErrorKind::Pattern { pattern } => format!("does not match `{pattern}`"),
        ValidationErrorKind::Required { property } => format!("lacks {property}"),
        ValidationErrorKind::Type {
            kind: TypeKind::Single(one),
        } => format!("is not of type {one}"),
        ValidationErrorKind::Type {
            kind: TypeKind::Multiple(_),
        } => "is of none of the types allowed".to_owned(),
        other => format!("does not fit its schema (`{}`)", other.keyword()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn complete(schema: Document, given: &str) -> Result<String, String> {
        let given: Map<String, Document> = serde_json::from_str(given).unwrap();
        InputSchema::from(schema)
            .complete(given)
            .map(|input| input.to_string())
            .map_err(|problems| in_words(&problems))
    }

    fn sample() -> Document {
        json!({
            "type": "object",
            "properties": {
                "customer": { "type": "string", "minLength": 1, "maxLength": 5 },
                "note": { "type": "string", "optional": true },
                "amount": { "type": "number", "exclusiveMinimum": 0 },
                "count": { "type": "integer", "optional": true },
                "on": { "type": "string", "format": "date", "optional": true },
                "kind": { "enum": ["a", "b"], "default": "a" },
                "lines": { "type": "array", "default": [], "items": {
                    "type": "object", "required": ["x"], "properties": { "x": { "type": "string" } } } }
            }
        })
    }

    #[test]
    fn defaults_and_nulls_are_filled_in_the_schemas_order() {
        let input = complete(
            sample(),
            r#"{"amount": 49.50, "customer": "C1", "on": null}"#,
        );
        let expected = r#"{"customer":"C1","note":null,"amount":49.50,"count":null,"on":null,"kind":"a","lines":[]}"#;
        assert_eq!(input.unwrap(), expected);
    }

    #[test]
    fn everything_wrong_is_said_at_once_and_no_value_is() {
        for (given, expected) in [
            (
                "{}",
                "`customer` is needed and has no value; `amount` is needed and has no value",
            ),
            (
                r#"{"customer": "toolong", "amount": 1}"#,
                "`customer` is longer than 5 characters",
            ),
            (r#"{"customer": "", "amount": 1}"#, "`customer` is empty"),
            (
                r#"{"customer": "C", "amount": 0}"#,
                "`amount` is not more than 0",
            ),
            (
                r#"{"customer": "C", "amount": 0.0000000000000000000000001}"#,
                "",
            ),
            (
                r#"{"customer": "C", "amount": "1"}"#,
                "`amount` is not of type number",
            ),
            (
                r#"{"customer": "C", "amount": 1, "count": 1.50}"#,
                "`count` is not of type integer",
            ),
            (
                r#"{"customer": "C", "amount": 1, "on": "14.3.26"}"#,
                "`on` is not a date",
            ),
            (
                r#"{"customer": "C", "amount": 1, "kind": "z"}"#,
                r#"`kind` is not one of ["a","b"]"#,
            ),
            (
                r#"{"customer": "C", "amount": 1, "extra": "z"}"#,
                "`extra` is not known",
            ),
            (
                r#"{"customer": "C", "amount": 1, "lines": [{}]}"#,
                "`lines/0` lacks \"x\"",
            ),
            (
                r#"{"customer": "C", "amount": 1, "lines": [{"x": 1}]}"#,
                "`lines/0/x` is not of type string",
            ),
        ] {
            assert_eq!(
                complete(sample(), given).err().unwrap_or_default(),
                expected,
                "{given}"
            );
        }
    }

    #[test]
    fn a_schema_that_is_none_refuses_everything() {
        let problems = complete(
            json!({ "properties": { "a": { "type": 7, "optional": true } } }),
            "{}",
        );
        assert_eq!(
            problems.unwrap_err(),
            "cannot be checked: its schema is not a JSON Schema"
        );
        assert_eq!(complete(json!({ "type": "object" }), "{}").unwrap(), "{}");
    }
}
