//! Filters and tests: the closed list of what expressions can do with a value.
//!
//! Each is one row of a table: name, arguments, a line for the manual, and a pure function.
//! Operators are rows too, under names that nobody can write. The compiler checks names and
//! arguments, so a function sees exactly its declared ones.
//!
//! Filters that calculate take numbers, and texts that are strictly a number (documents read from
//! XML hold only texts). Operators take numbers only.

mod dates;
mod groups;
mod lists;
mod numbers;
mod operators;
mod texts;

pub(crate) use groups::of as fingerprint;

use super::convert;
use crate::value::{Inexact, Number};
use minijinja::Value;
use minijinja::value::ValueKind;
use std::borrow::Cow;

/// The longest text an expression may build, in bytes.
pub const TEXT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a row is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `value | name`
    Filter,
    /// `value is name`
    Test,
    /// Written by the compiler only.
    Operator,
}

impl Kind {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Test => "test",
            Self::Operator => "operator",
        }
    }
}

/// An argument behind the value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Param {
    /// For keyword use and for messages.
    pub(super) name: &'static str,
    /// Its default, as an expression; without one it is required.
    pub(super) default: Option<&'static str>,
    /// Whether it must be a literal text. Every literal is checked when the definition is read.
    pub(super) literal: bool,
    /// Whether it is given by name only.
    pub(super) keyword: bool,
}

impl Param {
    const fn required(name: &'static str) -> Self {
        Self {
            name,
            default: None,
            literal: false,
            keyword: false,
        }
    }

    const fn optional(name: &'static str, default: &'static str) -> Self {
        Self {
            name,
            default: Some(default),
            literal: false,
            keyword: false,
        }
    }

    const fn literal(self) -> Self {
        Self {
            literal: true,
            ..self
        }
    }

    const fn keyword(self) -> Self {
        Self {
            keyword: true,
            ..self
        }
    }
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) params: &'static [Param],
    /// Whether its value may be missing.
    pub(super) takes_missing: bool,
    /// Whether arguments behind the declared ones go to the filter or test it applies.
    pub(super) rest: bool,
    /// What its argument `filter` or `test` names.
    pub(super) applies: Option<Kind>,
    /// One line for the manual.
    pub(super) summary: &'static str,
    pub(super) run: Run,
}

/// The function of a row: the value, then every declared argument.
pub(super) type Run = fn(&[Value]) -> Result<Value, Trouble>;

/// Why a filter has no result.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Something it was given is not there.
    Missing,
    /// In plain words, without values.
    Why(Cow<'static, str>),
}

impl From<&'static str> for Trouble {
    fn from(why: &'static str) -> Self {
        Self::Why(Cow::Borrowed(why))
    }
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self::Why(Cow::Owned(why))
    }
}

impl From<Inexact> for Trouble {
    fn from(error: Inexact) -> Self {
        Self::from(error.to_string())
    }
}

impl Spec {
    const fn filter(
        name: &'static str,
        params: &'static [Param],
        summary: &'static str,
        run: Run,
    ) -> Self {
        Self {
            name,
            kind: Kind::Filter,
            params,
            takes_missing: false,
            rest: false,
            applies: None,
            summary,
            run,
        }
    }

    const fn test(
        name: &'static str,
        params: &'static [Param],
        summary: &'static str,
        run: Run,
    ) -> Self {
        Self {
            kind: Kind::Test,
            ..Self::filter(name, params, summary, run)
        }
    }

    const fn operator(name: &'static str, run: Run) -> Self {
        Self {
            kind: Kind::Operator,
            ..Self::filter(name, &[], "", run)
        }
    }

    const fn takes_missing(self) -> Self {
        Self {
            takes_missing: true,
            ..self
        }
    }

    const fn applying(self, kind: Kind) -> Self {
        Self {
            rest: true,
            applies: Some(kind),
            ..self
        }
    }

    /// The name in rewritten expressions.
    pub(super) fn internal_name(&self) -> Cow<'static, str> {
        match self.kind {
            Kind::Filter => Cow::Borrowed(self.name),
            Kind::Test => Cow::Owned(format!("is_{}", self.name)),
            Kind::Operator => Cow::Owned(format!("op_{}", self.name)),
        }
    }

    /// The error of a call that does not fit, with the call as it should be.
    pub(super) fn misuse(&self, offset: usize, why: &str) -> super::CompileError {
        let mut usage = String::new();
        for param in self.params {
            if !usage.is_empty() {
                usage.push_str(", ");
            }
            usage.push_str(param.name);
            if let Some(default) = param.default {
                usage.push('=');
                usage.push_str(default);
            }
        }
        let name = self.name;
        let usage = match self.kind {
            Kind::Test => format!("value is {name}({usage})"),
            Kind::Filter | Kind::Operator => format!("value | {name}({usage})"),
        };
        super::CompileError::new(offset, format!("{} `{name}` {why}", self.kind.word()))
            .help(format!("it is written `{}`", usage.replace("()", "")))
    }
}

/// A filter or test as the manual lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterInfo {
    /// `filter` or `test`.
    pub kind: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its arguments in order, with their defaults.
    pub arguments: Vec<(&'static str, Option<&'static str>)>,
    /// What it does.
    pub summary: &'static str,
}

/// Everything expressions can use, in the order of the manual.
pub fn catalogue() -> Vec<FilterInfo> {
    every()
        .filter(|spec| spec.kind != Kind::Operator)
        .map(|spec| FilterInfo {
            kind: spec.kind.word(),
            name: spec.name,
            arguments: spec
                .params
                .iter()
                .map(|param| (param.name, param.default))
                .collect(),
            summary: spec.summary,
        })
        .collect()
}

/// Every row.
pub(super) fn every() -> impl Iterator<Item = &'static Spec> {
    [
        numbers::TABLE,
        texts::TABLE,
        dates::TABLE,
        lists::TABLE,
        groups::TABLE,
        operators::TESTS,
        operators::TABLE,
    ]
    .into_iter()
    .flatten()
}

/// The row of this kind and name.
pub(super) fn find(kind: Kind, name: &str) -> Option<&'static Spec> {
    let name = match (kind, name) {
        (Kind::Test, "==" | "equalto") => "eq",
        (Kind::Test, "!=") => "ne",
        (Kind::Test, "<") => "lt",
        (Kind::Test, "<=") => "le",
        (Kind::Test, ">") => "gt",
        (Kind::Test, ">=") => "ge",
        (Kind::Filter, "d") => "default",
        (Kind::Filter, "count") => "length",
        _ => name,
    };
    every().find(|spec| spec.kind == kind && spec.name == name)
}

/// The name of this kind that somebody may have meant.
pub(super) fn nearest(kind: Kind, name: &str) -> Option<&'static str> {
    every()
        .filter(|spec| spec.kind == kind)
        .map(|spec| (strsim::damerau_levenshtein(spec.name, name), spec.name))
        .filter(|(distance, near)| *distance <= 2 && *distance < near.len())
        .min()
        .map(|(_, near)| near)
}

/// Checks an argument that is read when the definition is, if it stands there.
pub(super) fn check_literal(param: &str, text: &str) -> Result<(), String> {
    match param {
        "pattern" => texts::pattern(text).map(|_| ()),
        "mode" => numbers::mode(text).map(|_| ()),
        "format" => dates::check_format(text),
        _ => Ok(()),
    }
}

/// The value and its arguments; the compiler fills every declared argument in.
fn arg(args: &[Value], at: usize) -> &Value {
    const NOTHING: &Value = &Value::UNDEFINED;
    args.get(at).unwrap_or(NOTHING)
}

/// A number, or a text that is strictly one.
fn number(value: &Value) -> Result<Number, Trouble> {
    convert::number_of(value)
        .or_else(|| value.as_str().and_then(Number::from_text))
        .ok_or_else(|| expected("a number", value))
}

/// A text, number or boolean as text.
fn text(value: &Value) -> Result<Cow<'_, str>, Trouble> {
    if let Some(text) = value.as_str() {
        return Ok(Cow::Borrowed(text));
    }
    convert::text_of(value)
        .map(Cow::Owned)
        .ok_or_else(|| expected("a text", value))
}

/// A count.
fn count(value: &Value, max: usize) -> Result<usize, Trouble> {
    match value.as_usize() {
        Some(count) if count <= max => Ok(count),
        _ => Err(format!("a count must be a whole number from 0 to {max}").into()),
    }
}

/// The items of a list.
fn items(value: &Value) -> Result<Vec<Value>, Trouble> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => value
            .try_iter()
            .map(Iterator::collect)
            .map_err(|_| expected("a list", value)),
        _ => Err(expected("a list", value)),
    }
}

fn expected(what: &str, value: &Value) -> Trouble {
    if value.is_undefined() {
        return Trouble::Missing;
    }
    format!("{what} is needed where {} stands", convert::kind_of(value)).into()
}

/// A text, if it is not too long.
fn bounded(text: String) -> Result<Value, Trouble> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("the text would be longer than {TEXT_BYTES_MAX} bytes").into());
    }
    Ok(Value::from(text))
}
