//! The definition language: from YAML to what can be run.
//!
//! A file passes through three steps, and every one collects all its findings and goes on:
//! 1. [`crate::yaml`] makes nodes that keep their places;
//! 2. the structural check compares them with the [tables](table) that state the language;
//! 3. lowering makes the types of [`crate::plan`] from what passed, compiling every expression.
//!
//! The same tables are written out as [JSON Schemas](json_schema) for editors and as the [manual].

pub mod json_schema;
pub mod manual;
pub mod outline;
pub mod site;
pub mod table;
pub mod tables;
pub mod words;

mod bind;
mod context;
mod library;
mod located;
mod lower;
mod reader;
mod required;
mod schemas;
mod structure;
mod values;

pub use library::{VERSION, kind_of};
pub use located::Located;
pub(crate) use values::with_defaults;

#[cfg(test)]
mod generated_tests;
#[cfg(test)]
mod shipped_tests;
#[cfg(test)]
mod tests;
