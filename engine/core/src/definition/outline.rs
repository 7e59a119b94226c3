//! The tables of a definition kind, in the order in which a reader meets them.

use super::table::{Shape, Table, Tagged};
use super::tables::{DefinitionKind, content};

/// A table or a tagged object.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// An object.
    Table(&'static Table),
    /// One variant of a tagged object.
    Variant {
        /// The key that decides.
        tag: &'static str,
        /// What it says.
        word: &'static str,
        /// The keys beside it.
        table: &'static Table,
    },
    /// An object whose keys depend on one of them.
    Tagged(&'static Tagged),
}

impl Part {
    /// Its name in manual and schemas.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Table(table) | Self::Variant { table, .. } => table.name,
            Self::Tagged(tagged) => tagged.name,
        }
    }
}

/// Every part of a definition kind, each once, the file itself first.
pub fn parts(kind: DefinitionKind) -> Vec<Part> {
    let mut found = Vec::new();
    add(Part::Table(kind.table()), &mut found);
    if kind == DefinitionKind::Case {
        // Stands under `response`, which the structural check cannot tell from a result.
        add(Part::Table(&super::tables::case::RAW_ANSWER), &mut found);
    }
    found
}

fn add(part: Part, found: &mut Vec<Part>) {
    if found.iter().any(|known| known.name() == part.name()) {
        return;
    }
    found.push(part);
    match part {
        Part::Table(table) | Part::Variant { table, .. } => {
            for field in table.fields() {
                add_shape(&field.shape, found);
            }
        }
        Part::Tagged(tagged) => {
            for (word, table) in tagged.variants {
                add(
                    Part::Variant {
                        tag: tagged.tag,
                        word,
                        table,
                    },
                    found,
                );
            }
        }
    }
}

fn add_shape(shape: &'static Shape, found: &mut Vec<Part>) {
    match shape {
        Shape::Object(table) => add(Part::Table(table), found),
        Shape::Tagged(tagged) => add(Part::Tagged(tagged), found),
        Shape::List(item) | Shape::OneOrMore(item) | Shape::Map(_, item) => add_shape(item, found),
        Shape::ScalarOr { scalar, other } => {
            add_shape(scalar, found);
            add_shape(other, found);
        }
        Shape::Tree(_) => {
            add(Part::Table(&content::EACH), found);
            add(Part::Table(&content::IF), found);
        }
        Shape::Version
        | Shape::Identifier
        | Shape::Name
        | Shape::PathName
        | Shape::OperationName
        | Shape::Text
        | Shape::Flag
        | Shape::Count { .. }
        | Shape::Duration
        | Shape::Size
        | Shape::Factor
        | Shape::Cron
        | Shape::Zone
        | Shape::Word(_)
        | Shape::Expression(_)
        | Shape::Braced(_)
        | Shape::Template(_)
        | Shape::DurationTemplate(_)
        | Shape::CountTemplate(_)
        | Shape::JsonPath
        | Shape::Schema
        | Shape::Properties
        | Shape::Anything => {}
    }
}
