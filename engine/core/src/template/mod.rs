//! Expressions and templates: the only importer of the template crate.
//!
//! A scalar that is one expression (`"{{ payment.amount }}"`) keeps its type; anything else is text. Undefined is an
//! error, fuel is bounded, and no binary float can come in, arise or go out: numbers are integers or exact decimals.

mod shape;

pub use shape::{Comparison, Kind, Segment, Shape};

use serde_json::Value as Document;

/// A compiled expression, e.g. `event.action == params.collected_on`.
#[derive(Debug)]
pub struct Expression {
    source: String,
}

/// A compiled scalar of a definition: a literal, one expression, or text with expressions in it.
#[derive(Debug)]
pub struct Template {
    source: String,
}

/// A compiled JSONPath (RFC 9535).
#[derive(Debug)]
pub struct Path {
    source: String,
}

/// The names an expression may read, with their values.
#[derive(Debug, Clone, Default)]
pub struct Scope {}

/// A dotted name an expression reads, for checks against schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// `["payment", "links", "mandate"]`; list indexes and computed members end the path.
    pub path: Vec<String>,
    /// Byte offset of its first character in the source text.
    pub offset: usize,
    /// Filters applied directly to it, in order, e.g. `["from_minor"]`.
    pub filters: Vec<String>,
}

/// An expression that does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct CompileError {
    /// What is wrong.
    pub why: String,
    /// Byte offset in the source text.
    pub offset: usize,
    /// How to mend it, if known.
    pub help: Option<String>,
}

/// An expression that has no value for these inputs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{source_text}`: {why}")]
pub struct EvalError {
    /// The expression.
    pub source_text: String,
    /// What is wrong, without any value.
    pub why: String,
}

impl Expression {
    /// Compiles; the source is the bare expression without braces.
    pub fn compile(_source: &str) -> Result<Self, CompileError> {
        todo!()
    }
    /// As written.
    pub fn source(&self) -> &str {
        &self.source
    }
    /// Every name it reads.
    pub fn reads(&self) -> &[Read] {
        todo!()
    }
    /// Its value.
    pub fn value(&self, _scope: &Scope) -> Result<Document, EvalError> {
        todo!()
    }
    /// Its truth; anything but a boolean is an error.
    pub fn holds(&self, _scope: &Scope) -> Result<bool, EvalError> {
        todo!()
    }
}

impl Template {
    /// Compiles a string scalar.
    pub fn compile(_source: &str) -> Result<Self, CompileError> {
        todo!()
    }
    /// A fixed value.
    pub fn literal(_value: Document) -> Self {
        todo!()
    }
    /// As written.
    pub fn source(&self) -> &str {
        &self.source
    }
    /// Every name it reads.
    pub fn reads(&self) -> &[Read] {
        todo!()
    }
    /// Its typed value.
    pub fn value(&self, _scope: &Scope) -> Result<Document, EvalError> {
        todo!()
    }
    /// Its value as text: strings as they are, integers and decimals in plain notation, booleans as `true`/`false`;
    /// null, lists and maps are errors.
    pub fn text(&self, _scope: &Scope) -> Result<String, EvalError> {
        todo!()
    }
    /// As [`Template::text`], with null meaning "left out".
    pub fn optional_text(&self, _scope: &Scope) -> Result<Option<String>, EvalError> {
        todo!()
    }
}

impl Path {
    /// Compiles.
    pub fn compile(_source: &str) -> Result<Self, CompileError> {
        todo!()
    }
    /// As written.
    pub fn source(&self) -> &str {
        &self.source
    }
    /// Every selected node.
    pub fn all<'a>(&self, _document: &'a Document) -> Vec<&'a Document> {
        todo!()
    }
    /// The first selected node.
    pub fn first<'a>(&self, _document: &'a Document) -> Option<&'a Document> {
        todo!()
    }
}

impl Scope {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds a name; a later one of the same name wins.
    #[must_use]
    pub fn with(self, _name: &str, _value: &Document) -> Self {
        todo!()
    }
    /// Adds a name.
    pub fn set(&mut self, _name: &str, _value: &Document) {
        todo!()
    }
}
