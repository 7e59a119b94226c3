//! Expressions, templates and paths: what stands at the leaves of a definition. The only importer
//! of the template crate.
//!
//! # What an expression is
//! The expression language of Jinja without statements, function calls and floats: names, members,
//! `[…]`, literals, `+ - * // %`, comparisons, `in`, `and or not`, `a if b else c`, `x |
//! filter(…)`, `x is test(…)`.
//!
//! # What it promises
//! - **Numbers are exact.** They are integers or decimals; `+ - *` and every comparison are exact
//!   on both, or an error. A literal with a point, `/` and `**` do not compile, because each would
//!   make a binary float.
//! - **What is not there is an error**, unless `default(…)` or `is defined` says otherwise, and
//!   these look along the whole chain: `body.error.text | default('none')` also holds where there
//!   is no `body.error`. `default` stands in for null too.
//! - **A number is never compared with a text**: that is an error with help, not quietly false.
//! - **It ends.** Steps are bounded by [`FUEL`], sizes by [`TEXT_BYTES_MAX`].
//! - **Errors name the expression and what was missing, never a value.**
//!
//! # How it is done
//! The template crate parses and runs. Between the two stands `compile`: it walks the syntax tree
//! once, refuses what could make a float, lists the names that are read, and writes the expression
//! down again with every operator and test as a call of one of our own exact filters, because the
//! crate's operators would compare a decimal with an integer by their kinds. An expression that
//! only reads a name needs none of that and never enters the crate.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enums matched here are the template crate's and JSON's; a new variant there is data we do not take"
)]

mod calls;
mod chain;
mod compile;
mod convert;
mod engine;
mod expression;
mod filters;
mod path;
mod scope;
mod shape;

pub use engine::FUEL;
pub use expression::{Expression, Template};
pub(crate) use filters::fingerprint;
pub use filters::{FilterInfo, TEXT_BYTES_MAX, catalogue};
pub use path::{Leg, Path};
pub use scope::{Scope, Shared};
pub use shape::{Comparison, Kind, Segment, Shape};

/// A dotted name an expression reads, for checks against schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// `["payment", "links", "mandate"]`; list indexes and computed members end the path.
    pub path: Vec<String>,
    /// Byte offset of its first character in the source text.
    pub offset: usize,
    /// Filters applied directly to it, in order, e.g. `["from_minor"]`.
    pub filters: Vec<String>,
    /// Whether it may be missing: `default(…)`, `is defined` or `is undefined` stands directly
    /// behind it.
    pub guarded: bool,
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

impl CompileError {
    fn new(offset: usize, why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            offset,
            help: None,
        }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }
}

impl EvalError {
    fn new(source_text: &str, why: impl Into<String>) -> Self {
        Self {
            source_text: source_text.to_owned(),
            why: why.into(),
        }
    }
}

#[cfg(test)]
mod tests;
