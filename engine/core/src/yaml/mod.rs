//! YAML text as a tree in which every scalar keeps its place: the only importer of the YAML crate.
//!
//! The tree is built from parser events, not by serde: serde stops at its first error and loses positions inside tagged
//! enums. What definitions never need (tags, several documents, keys that are not text) is a finding; anchors work, and
//! their expansion is bounded by [`NODES_MAX`].

mod load;
mod place;
mod scalar;

pub use load::load;
pub use place::place;
pub use scalar::{Kind, Scalar, Style};

use crate::source::{FileId, Span};
use serde_json::{Map, Value as Document};

/// The deepest nesting; people write five levels, generated payloads in cases ten.
pub const DEPTH_MAX: usize = 64;

/// The most nodes of one file, aliases counted every time they are used.
pub const NODES_MAX: usize = 200_000;

/// Which node of which file. An alias's copies share the identity of what they copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId {
    /// The file.
    pub file: FileId,
    /// Counted in reading order.
    pub number: u32,
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its identity.
    pub id: NodeId,
    /// From its first to its last character, quotes included.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// One scalar, nothing included.
    Scalar(Scalar),
    /// Items in order.
    List(Vec<Node>),
    /// Members in order, each key once.
    Map(Vec<Entry>),
    /// Something that was reported while it was read; whoever meets it stays silent.
    Broken,
}

/// A member of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// The member of this key, if this is a map that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The value of this key, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The members, if this is a map.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::Scalar(_) | Value::List(_) | Value::Broken => &[],
        }
    }

    /// The items, if this is a list.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            Value::Scalar(_) | Value::Map(_) | Value::Broken => &[],
        }
    }

    /// The scalar, if this is one.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            Value::List(_) | Value::Map(_) | Value::Broken => None,
        }
    }

    /// Whether this is the scalar nothing.
    pub fn is_null(&self) -> bool {
        self.scalar()
            .is_some_and(|scalar| scalar.kind == Kind::Null)
    }

    /// What this is, for messages: `a list`, `the number 10`.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Scalar(scalar) => scalar.describe(),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
            Value::Broken => "something unreadable".to_owned(),
        }
    }

    /// The same content as a document. Numbers keep their digits; what was broken becomes null.
    pub fn to_document(&self) -> Document {
        match &self.value {
            Value::Scalar(scalar) => scalar.to_document(),
            Value::List(items) => Document::Array(items.iter().map(Self::to_document).collect()),
            Value::Map(entries) => {
                let members = entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_document()));
                Document::Object(members.collect::<Map<_, _>>())
            }
            Value::Broken => Document::Null,
        }
    }

    /// Whether anything in it was reported while it was read.
    pub fn has_broken(&self) -> bool {
        match &self.value {
            Value::Scalar(_) => false,
            Value::List(items) => items.iter().any(Self::has_broken),
            Value::Map(entries) => entries.iter().any(|entry| entry.value.has_broken()),
            Value::Broken => true,
        }
    }
}

#[cfg(test)]
mod tests;
