//! Request documents: which members a call takes and of which type (GC 1.1, 1.3, 2, 5).

use super::calendar::parse_date;
use super::error::Refusal;
use super::store::Record;
use serde_json::{Map, Value};

/// Longest text where the sheet names no limit.
const LONG: usize = 2048;
/// At most so many metadata keys (GC 1.3).
const METADATA_KEYS: usize = 3;
/// Longest metadata key (GC 1.3).
const METADATA_KEY_CHARS: usize = 50;
/// Longest metadata value (GC 1.3).
const METADATA_VALUE_CHARS: usize = 500;

/// The type of a member.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// Text without a documented limit.
    Text,
    /// An integer, or a numeric string (GC 1.1).
    Integer,
    /// `true` or `false`.
    Bool,
    /// `2026-03-11`.
    Date,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// GC 1.3.
    Metadata,
    /// Links to other resources: text under these names, never null (GC 1.1).
    Links(&'static [&'static str]),
    /// An object with exactly these members.
    Object(&'static [Field]),
    /// An object or array that the handler reads itself.
    Free,
}

/// One member that a call takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) required: bool,
}

/// A member that must be there.
pub(crate) const fn must(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        shape,
        required: true,
    }
}

/// A member that may be there.
pub(crate) const fn may(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        shape,
        required: false,
    }
}

/// Checks a document against its members. Wrong types are refused first and alone, then keys that are not permitted,
/// then everything that is missing or unfit, together (GC 5). Gives the document with numeric strings turned into
/// integers and without nulls.
pub(crate) fn check(fields: &[Field], body: &Record, at: &str) -> Result<Record, Refusal> {
    let mut errors = Vec::new();
    let checked = collect(fields, body, at, &mut errors)?;
    if errors.is_empty() {
        Ok(checked)
    } else {
        Err(Refusal::fields(errors))
    }
}

fn collect(
    fields: &[Field],
    body: &Record,
    at: &str,
    errors: &mut Vec<(String, String)>,
) -> Result<Record, Refusal> {
    let mut checked = Map::new();
    for (name, value) in body {
        let pointer = format!("{at}/{name}");
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            errors.push((pointer, format!("{name} is not a permitted key")));
            continue;
        };
        if value.is_null() && !matches!(field.shape, Shape::Links(_) | Shape::Metadata) {
            continue;
        }
        let value = convert(field, value, &pointer, errors)?;
        checked.insert(name.clone(), value);
    }
    for field in fields.iter().filter(|field| field.required) {
        if !checked.contains_key(field.name) && body.get(field.name).is_none_or(Value::is_null) {
            errors.push((format!("{at}/{}", field.name), "is required".to_owned()));
        }
    }
    Ok(checked)
}

fn convert(
    field: &Field,
    value: &Value,
    pointer: &str,
    errors: &mut Vec<(String, String)>,
) -> Result<Value, Refusal> {
    let typed = || Refusal::incorrectly_typed(pointer);
    match field.shape {
        Shape::Text => {
            let text = value.as_str().ok_or_else(typed)?;
            if text.chars().count() > LONG {
                errors.push((
                    pointer.to_owned(),
                    format!("is too long (maximum is {LONG} characters)"),
                ));
            }
        }
        Shape::Integer => return integer(value).map(Value::from).ok_or_else(typed),
        Shape::Bool => {
            value.as_bool().ok_or_else(typed)?;
        }
        Shape::Date => {
            if parse_date(value.as_str().ok_or_else(typed)?).is_none() {
                errors.push((pointer.to_owned(), "is not a valid date".to_owned()));
            }
        }
        Shape::Choice(words) => {
            if !words.contains(&value.as_str().ok_or_else(typed)?) {
                errors.push((
                    pointer.to_owned(),
                    format!("must be one of {}", words.join(", ")),
                ));
            }
        }
        Shape::Metadata => metadata(value.as_object().ok_or_else(typed)?, pointer, errors)?,
        Shape::Links(names) => links(names, value.as_object().ok_or_else(typed)?, pointer, errors)?,
        Shape::Object(fields) => {
            let object = value.as_object().ok_or_else(typed)?;
            return collect(fields, object, pointer, errors).map(Value::Object);
        }
        Shape::Free => {
            if !value.is_object() && !value.is_array() {
                return Err(typed());
            }
        }
    }
    Ok(value.clone())
}

/// An integer as the API takes it: a JSON integer or a numeric string (GC 1.1). `12.0` and `"12.0"` are neither.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    match value.as_str() {
        Some(text) => text.parse().ok(),
        None => value.as_i64(),
    }
}

fn metadata(
    object: &Record,
    pointer: &str,
    errors: &mut Vec<(String, String)>,
) -> Result<(), Refusal> {
    if object.len() > METADATA_KEYS {
        return Err(Refusal::incorrectly_typed(pointer));
    }
    for (key, value) in object {
        let Some(text) = value.as_str() else {
            return Err(Refusal::incorrectly_typed(format!("{pointer}/{key}")));
        };
        if key.chars().count() > METADATA_KEY_CHARS {
            errors.push((format!("{pointer}/{key}"), "key is too long".to_owned()));
        }
        if text.chars().count() > METADATA_VALUE_CHARS {
            errors.push((format!("{pointer}/{key}"), "value is too long".to_owned()));
        }
    }
    Ok(())
}

fn links(
    names: &[&str],
    object: &Record,
    pointer: &str,
    errors: &mut Vec<(String, String)>,
) -> Result<(), Refusal> {
    for (name, value) in object {
        if !names.contains(&name.as_str()) {
            errors.push((
                format!("{pointer}/{name}"),
                format!("{name} is not a permitted key"),
            ));
        } else if !value.is_string() {
            return Err(Refusal::incorrectly_typed(format!("{pointer}/{name}")));
        }
    }
    Ok(())
}

/// The id under one name of `links`; a field error if it is not there.
pub(crate) fn required_link<'a>(
    fields: &'a Record,
    name: &str,
    at: &str,
) -> Result<&'a str, Refusal> {
    link(fields, name).ok_or_else(|| Refusal::field(format!("{at}/links/{name}"), "is required"))
}

/// The id under one name of `links`, if given.
pub(crate) fn link<'a>(fields: &'a Record, name: &str) -> Option<&'a str> {
    fields.get("links")?.get(name)?.as_str()
}
