//! How the definition language is stated: one table per kind of object, one row per key.
//!
//! From these rows come the structural check, the JSON Schemas for editors and the manual; lowering asks for a key by the same
//! row, and a test fails if there is a row that lowering never asks for. So a key cannot be documented and ignored, or
//! accepted and undocumented.

/// One kind of object.
#[derive(Debug)]
pub struct Table {
    /// Its name in the manual and the schemas; unique.
    pub name: &'static str,
    /// What it is, in one or two sentences.
    pub doc: &'static str,
    /// Its keys, in the order the manual lists them. Several lists, so that kinds that resemble each other share rows.
    pub rows: &'static [&'static [Field]],
    /// What holds between its keys.
    pub rules: &'static [Rule],
}

/// One key.
#[derive(Debug)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// What its value must be.
    pub shape: Shape,
    /// Whether it must be there.
    pub need: Need,
    /// What it says, in one or two sentences.
    pub doc: &'static str,
}

/// Whether a key must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It must.
    Required,
    /// It may be absent, and then says nothing.
    Optional,
    /// Absent, it is as if this were written.
    Default(&'static str),
}

/// What holds between keys of one object.
#[derive(Debug)]
pub enum Rule {
    /// One of them is needed, and no second.
    ExactlyOne(&'static [&'static str]),
    /// No more than one of them.
    AtMostOne(&'static [&'static str]),
    /// The keys mean something only beside one of the others.
    OnlyWith {
        /// These keys …
        keys: &'static [&'static str],
        /// … need one of these.
        with: &'static [&'static str],
    },
    /// A key that asks for another.
    Needs {
        /// If this is there …
        key: &'static str,
        /// … this must be.
        needs: &'static str,
    },
}

/// Names an expression may read, as the manual lists them.
pub type Sees = &'static [&'static str];

/// What a value must be.
#[derive(Debug)]
pub enum Shape {
    /// The version of the definition language.
    Version,
    /// A name that expressions read: letters, digits and `_`.
    Identifier,
    /// A name with `-` and `.` too, for what expressions do not read.
    Name,
    /// Names separated by `/`.
    PathName,
    /// `connection.operation`.
    OperationName,
    /// Text, not empty.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number in a range.
    Count {
        /// The smallest.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// A length of time: `250ms`, `5s`, `15m`, `1h`, `7d`.
    Duration,
    /// A number of bytes: `512`, `10MiB`.
    Size,
    /// What a wait is multiplied by: `2`, `1.5`.
    Factor,
    /// A cron expression of five fields.
    Cron,
    /// A name of the time zone database.
    Zone,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An expression without braces.
    Expression(Sees),
    /// An expression in braces and nothing else.
    Braced(Sees),
    /// Text, a number or a boolean; expressions stand in `{{ … }}`.
    Template(Sees),
    /// A length of time, or an expression in braces that gives one.
    DurationTemplate(Sees),
    /// A whole number from 1, or an expression in braces that gives one.
    CountTemplate(Sees),
    /// Maps and lists with templates at their leaves.
    Tree(Sees),
    /// A JSONPath (RFC 9535).
    JsonPath,
    /// The name of a file below `schemas/`, or a JSON Schema.
    Schema,
    /// Properties: name to JSON Schema.
    Properties,
    /// Whatever YAML can say.
    Anything,
    /// An object.
    Object(&'static Table),
    /// An object whose keys depend on one of them.
    Tagged(&'static Tagged),
    /// A list.
    List(&'static Shape),
    /// One of them, or a list.
    OneOrMore(&'static Shape),
    /// Keys of one's own.
    Map(Keys, &'static Shape),
    /// Either of two, told apart by whether a scalar stands there.
    ScalarOr {
        /// If a scalar stands there.
        scalar: &'static Shape,
        /// If not.
        other: &'static Shape,
    },
}

/// What the keys of a map of one's own look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// As [`Shape::Identifier`].
    Identifier,
    /// As [`Shape::Name`].
    Name,
    /// Any text, not empty.
    Text,
}

/// An object whose keys depend on one of them.
#[derive(Debug)]
pub struct Tagged {
    /// Its name in the manual and the schemas; unique.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// The key that decides.
    pub tag: &'static str,
    /// What the deciding key says.
    pub tag_doc: &'static str,
    /// The keys beside it, for each of its words.
    pub variants: &'static [(&'static str, &'static Table)],
}

impl Table {
    /// Its keys, in order.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> {
        self.rows.iter().flat_map(|rows| rows.iter())
    }

    /// The row of a key.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.name == name)
    }
}

impl Tagged {
    /// The keys beside the deciding one, for this word.
    pub fn variant(&self, word: &str) -> Option<&'static Table> {
        self.variants
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, table)| *table)
    }
}

/// A key that must be there.
pub(super) const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field {
        name,
        shape,
        need: Need::Required,
        doc,
    }
}

/// A key that may be absent.
pub(super) const fn optional(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field {
        name,
        shape,
        need: Need::Optional,
        doc,
    }
}

/// A key with a default, written as it would be in YAML.
pub(super) const fn default(
    name: &'static str,
    shape: Shape,
    default: &'static str,
    doc: &'static str,
) -> Field {
    Field {
        name,
        shape,
        need: Need::Default(default),
        doc,
    }
}
