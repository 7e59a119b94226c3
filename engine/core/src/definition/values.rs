//! Values that a site or a case gives, compared with the schemas that ask for them.

use super::words;
use crate::required::{KEYWORD, is_given, required};
use crate::source::Span;
use crate::yaml::Node;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value as Document;

/// A value that does not fit its schema.
pub(super) struct Wrong {
    /// Where, from the object that was checked.
    pub(super) path: Vec<String>,
    /// Whether it is the key there that is wrong, not its value.
    pub(super) is_key: bool,
    /// What is wrong with it.
    pub(super) why: String,
    /// How to mend it.
    pub(super) help: Option<String>,
}

/// What does not fit in an object of settings or parameters. Defaults count as given.
pub(super) fn misfits(schema: &Document, given: &Document) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let Ok(validator) = jsonschema::validator_for(schema) else {
        return wrong;
    };
    for error in validator.iter_errors(given) {
        let path: Vec<String> = pointer(error.instance_path().as_str());
        if let ValidationErrorKind::Required { property } = error.kind() {
            let name = property.as_str().unwrap_or_default();
            let description = schema.pointer(&format!("/properties/{name}/description"));
            let help = description
                .and_then(Document::as_str)
                .map(|text| format!("`{name}`: {text}"));
            wrong.push(Wrong {
                path,
                is_key: false,
                why: format!("`{name}` is missing"),
                help,
            });
        } else if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() {
            wrong.extend(
                unexpected
                    .iter()
                    .map(|name| unexpected_name(schema, &path, name)),
            );
        } else {
            let name = path.join(".");
            let why = if name.is_empty() {
                error.to_string()
            } else {
                format!("`{name}`: {error}")
            };
            wrong.push(Wrong {
                path,
                is_key: false,
                why,
                help: None,
            });
        }
    }
    wrong.extend(bad_durations(schema, given));
    wrong.extend(missing_because(schema, given));
    wrong
}

fn unexpected_name(schema: &Document, above: &[String], name: &str) -> Wrong {
    let known = schema
        .get("properties")
        .and_then(Document::as_object)
        .filter(|_| above.is_empty());
    let names = known
        .into_iter()
        .flat_map(|known| known.keys().map(String::as_str));
    let help = words::did_you_mean(name, names, "there is");
    let path = above.iter().cloned().chain([name.to_owned()]).collect();
    Wrong {
        path,
        is_key: true,
        why: format!("there is no `{name}`"),
        help,
    }
}

/// JSON Schema knows no length of time; `x-format: duration` is ours.
fn bad_durations(schema: &Document, given: &Document) -> Vec<Wrong> {
    let properties = schema.get("properties").and_then(Document::as_object);
    let bad = |(name, property): (&String, &Document)| {
        let is_duration = property.get("x-format").and_then(Document::as_str) == Some("duration");
        let value = given
            .get(name)
            .and_then(Document::as_str)
            .filter(|_| is_duration)?;
        let why = words::duration(value).err()?;
        Some(Wrong {
            path: vec![name.clone()],
            is_key: false,
            why: format!("`{name}` must be a length of time: {why}"),
            help: Some(words::DURATION_HELP.to_owned()),
        })
    };
    properties.into_iter().flatten().filter_map(bad).collect()
}

/// Nor does it know what is needed because of another value; `required_when` is ours too.
fn missing_because(schema: &Document, given: &Document) -> Vec<Wrong> {
    let whole = with_defaults(schema, given);
    let properties = schema.get("properties").and_then(Document::as_object);
    let missing = |(name, property): (&String, &Document)| {
        let condition = property.get(KEYWORD)?;
        let because = required(condition, &whole).filter(|_| !is_given(whole.get(name)))?;
        let description = property.get("description").and_then(Document::as_str);
        Some(Wrong {
            path: Vec::new(),
            is_key: false,
            why: format!("`{name}` is missing, which is needed because {because}"),
            help: description.map(|text| format!("`{name}`: {text}")),
        })
    };
    properties
        .into_iter()
        .flatten()
        .filter_map(missing)
        .collect()
}

fn pointer(text: &str) -> Vec<String> {
    text.split('/')
        .skip(1)
        .map(|key| key.replace("~1", "/").replace("~0", "~"))
        .collect()
}

/// An object with the defaults its schema declares, and null for what is optional and not given.
pub(crate) fn with_defaults(schema: &Document, given: &Document) -> Document {
    let mut filled = given.as_object().cloned().unwrap_or_default();
    let properties = schema.get("properties").and_then(Document::as_object);
    for (name, property) in properties.into_iter().flatten() {
        if filled.contains_key(name) {
            continue;
        }
        if let Some(default) = property.get("default") {
            filled.insert(name.clone(), default.clone());
        } else if property.get("optional") == Some(&Document::Bool(true)) {
            filled.insert(name.clone(), Document::Null);
        }
    }
    Document::Object(filled)
}

/// The place of what is wrong below a node, or of what is nearest above it.
pub(super) fn place(node: &Node, wrong: &Wrong) -> Span {
    let path: Vec<_> = wrong.path.iter().map(String::as_str).collect();
    let key = path
        .split_last()
        .filter(|_| wrong.is_key)
        .and_then(|(last, above)| {
            let above = above.iter().try_fold(node, |here, name| here.get(name))?;
            Some(above.entry(last)?.key_span)
        });
    key.unwrap_or_else(|| nearest_span(node, &path))
}

pub(super) fn nearest_span(node: &Node, path: &[&str]) -> Span {
    let mut lengths = (0..=path.len()).rev();
    let found = lengths.find_map(|length| super::site::span(node, path.get(..length)?));
    found.unwrap_or(node.span)
}
