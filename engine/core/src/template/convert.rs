//! Between documents and the values of the template crate. Binary floats cannot pass in either
//! direction.

use crate::value::Number;
use indexmap::IndexMap;
use minijinja::Value;
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr, ValueKind};
use serde_json::Value as Document;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// How deep a value may be nested; documents are bounded when they are read, this bounds what
/// expressions build.
pub(super) const DEPTH_MAX: u32 = 128;

/// A number that is not a plain integer, as the template crate sees it: opaque, compared by our
/// operators only.
#[derive(Debug)]
pub(super) struct Exact(pub(super) Number);

impl Object for Exact {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !self.0.is_zero()
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        self.0.compare(&other.downcast_ref::<Self>()?.0).ok()
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A document's object, in its order.
#[derive(Debug)]
pub(super) struct Members(pub(super) IndexMap<Box<str>, Value>);

impl Object for Members {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_str()?).cloned()
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.0.get(key).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(|key| Value::from(key.as_ref())).collect())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.0.len())
    }
}

/// A document as a value.
pub(super) fn to_value(document: &Document) -> Value {
    match document {
        Document::Null => Value::from(()),
        Document::Bool(value) => Value::from(*value),
        Document::Number(number) => Number::from_json(number.as_str()).map_or_else(
            || from_number(Number::Verbatim(number.as_str().into())),
            from_number,
        ),
        Document::String(text) => Value::from(text.as_str()),
        Document::Array(items) => Value::from(items.iter().map(to_value).collect::<Vec<_>>()),
        Document::Object(members) => Value::from_object(Members(
            members
                .iter()
                .map(|(key, value)| (key.as_str().into(), to_value(value)))
                .collect(),
        )),
    }
}

/// A map of a few members, as one that a document has.
pub(super) fn map_of<const N: usize>(members: [(&str, Value); N]) -> Value {
    let members = members.into_iter();
    Value::from_object(Members(
        members.map(|(key, value)| (key.into(), value)).collect(),
    ))
}

/// A number as a value: an integer where it is one, else [`Exact`].
pub(super) fn from_number(number: Number) -> Value {
    match number {
        Number::Integer(value) => {
            i64::try_from(value).map_or_else(|_| Value::from(value), Value::from)
        }
        Number::Decimal(_) | Number::Verbatim(_) => Value::from_object(Exact(number)),
    }
}

/// The number a value is, if it is one. Binary floats are none.
pub(super) fn number_of(value: &Value) -> Option<Number> {
    match value.kind() {
        ValueKind::Number if value.is_integer() => {
            i128::try_from(value.clone()).ok().map(Number::Integer)
        }
        ValueKind::Plain => value
            .downcast_object_ref::<Exact>()
            .map(|exact| exact.0.clone()),
        _ => None,
    }
}

/// A value as a document.
///
/// # Errors
/// In words, if there is something in it that no document can hold: undefined, a binary float, a
/// function.
pub(super) fn to_document(value: &Value) -> Result<Document, &'static str> {
    nested(value, DEPTH_MAX)
}

fn nested(value: &Value, depth: u32) -> Result<Document, &'static str> {
    let below = depth
        .checked_sub(1)
        .ok_or("the result is nested too deep")?;
    if let Some(number) = number_of(value) {
        return Ok(number.to_document());
    }
    match value.kind() {
        ValueKind::None => Ok(Document::Null),
        ValueKind::Bool => Ok(Document::Bool(value.is_true())),
        ValueKind::String => Ok(Document::String(
            value.as_str().unwrap_or_default().to_owned(),
        )),
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value
                .try_iter()
                .map_err(|_| "the result is not a plain list")?;
            items
                .map(|item| nested(&item, below))
                .collect::<Result<_, _>>()
                .map(Document::Array)
        }
        ValueKind::Map => {
            let mut members = serde_json::Map::new();
            for key in value
                .try_iter()
                .map_err(|_| "the result is not a plain map")?
            {
                let name = key.as_str().ok_or("a map's keys must be texts")?;
                let member = value.get_item(&key).unwrap_or_default();
                members.insert(name.to_owned(), nested(&member, below)?);
            }
            Ok(Document::Object(members))
        }
        ValueKind::Undefined => Err(NO_VALUE),
        ValueKind::Number => Err("the result would be a binary float"),
        _ => Err("the result is not plain data"),
    }
}

/// What is said where an expression ends in something undefined.
pub(super) const NO_VALUE: &str = "it has no value";

/// What people call this kind of value.
pub(super) fn kind_of(value: &Value) -> &'static str {
    if number_of(value).is_some() {
        return "a number";
    }
    match value.kind() {
        ValueKind::Undefined => "nothing",
        ValueKind::None => "null",
        ValueKind::Bool => "a boolean",
        ValueKind::Number => "a binary float",
        ValueKind::String => "a text",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map => "a map",
        _ => "something else",
    }
}

/// A scalar as text: strings as they are, numbers in plain notation, `true` and `false`.
pub(super) fn text_of(value: &Value) -> Option<String> {
    if let Some(number) = number_of(value) {
        return Some(number.to_string());
    }
    match value.kind() {
        ValueKind::String => value.as_str().map(str::to_owned),
        ValueKind::Bool => Some(value.is_true().to_string()),
        _ => None,
    }
}
