//! The types a value may have.

use super::alternatives::Alternative;
use serde_json::Value as Document;
use std::fmt;

/// A type of the data model. JSON Schema's `number` is [`Type::Integer`] and [`Type::Decimal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Null.
    Null,
    /// True or false.
    Boolean,
    /// A whole number.
    Integer,
    /// A number with a fractional part.
    Decimal,
    /// Text.
    Text,
    /// A list.
    List,
    /// Named members.
    Object,
}

impl Type {
    const ALL: [Self; 7] = [
        Self::Null,
        Self::Boolean,
        Self::Integer,
        Self::Decimal,
        Self::Text,
        Self::List,
        Self::Object,
    ];

    /// The type of a value.
    pub fn of(value: &Document) -> Self {
        match value {
            Document::Null => Self::Null,
            Document::Bool(_) => Self::Boolean,
            Document::Number(number)
                if number
                    .to_string()
                    .bytes()
                    .all(|byte| byte == b'-' || byte.is_ascii_digit()) =>
            {
                Self::Integer
            }
            Document::Number(_) => Self::Decimal,
            Document::String(_) => Self::Text,
            Document::Array(_) => Self::List,
            Document::Object(_) => Self::Object,
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Types(u8);

impl Types {
    /// No type: nothing can stand there.
    pub const NONE: Self = Self(0);
    /// Every type.
    pub const ALL: Self = Self(0x7f);
    /// Whole numbers and decimals.
    pub const NUMBER: Self = Self(Type::Integer.bit() | Type::Decimal.bit());

    /// Only this one.
    pub const fn only(one: Type) -> Self {
        Self(one.bit())
    }

    /// Whether a type is among them.
    pub const fn has(self, one: Type) -> bool {
        self.0 & one.bit() != 0
    }

    /// Whether there is none.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Those in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// All but one.
    #[must_use]
    pub const fn without(self, one: Type) -> Self {
        Self(self.0 & !one.bit())
    }

    fn named(name: &str) -> Self {
        match name {
            "null" => Self::only(Type::Null),
            "boolean" => Self::only(Type::Boolean),
            "integer" => Self::only(Type::Integer),
            "number" => Self::NUMBER,
            "string" => Self::only(Type::Text),
            "array" => Self::only(Type::List),
            "object" => Self::only(Type::Object),
            // Reported where schemas are read.
            _ => Self::ALL,
        }
    }
}

/// As people read it: `a string`, `a number or null`.
impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ALL {
            return f.write_str("anything");
        }
        let mut words = Vec::new();
        for one in Type::ALL.into_iter().filter(|one| self.has(*one)) {
            words.push(match one {
                Type::Null => "null",
                Type::Boolean => "a boolean",
                Type::Integer if self.has(Type::Decimal) => continue,
                Type::Integer => "an integer",
                Type::Decimal => "a number",
                Type::Text => "a string",
                Type::List => "a list",
                Type::Object => "an object",
            });
        }
        // Null last: "a string or null".
        words.sort_by_key(|word| *word == "null");
        f.write_str(if words.is_empty() { "nothing" } else { "" })?;
        f.write_str(&words.join(" or "))
    }
}

/// The types that every piece admits.
pub(super) fn of(alternative: &Alternative<'_>) -> Types {
    alternative
        .iter()
        .fold(Types::ALL, |all, piece| all.and(of_one(piece.at)))
}

/// The values that every listing piece lists; `None` if no piece lists any.
pub(super) fn listed<'a>(alternative: &Alternative<'a>) -> Option<Vec<&'a Document>> {
    let mut lists = alternative.iter().filter_map(|piece| values(piece.at));
    let first = lists.next()?;
    Some(lists.fold(first, |both, next| {
        both.into_iter()
            .filter(|value| next.contains(value))
            .collect()
    }))
}

fn values(schema: &Document) -> Option<Vec<&Document>> {
    let one = schema.get("const").map(|value| vec![value]);
    one.or_else(|| Some(schema.get("enum")?.as_array()?.iter().collect()))
}

fn of_one(schema: &Document) -> Types {
    let named = match schema.get("type") {
        Some(Document::String(name)) => Types::named(name),
        Some(Document::Array(names)) => names
            .iter()
            .filter_map(Document::as_str)
            .fold(Types::NONE, |all, name| all.or(Types::named(name))),
        // Properties without a type constrain objects only, but nobody lists members of what is none.
        _ if schema.get("properties").is_some() => Types::only(Type::Object),
        _ => Types::ALL,
    };
    match values(schema) {
        Some(values) => values
            .into_iter()
            .fold(Types::NONE, |all, value| {
                all.or(Types::only(Type::of(value)))
            })
            .and(named),
        None => named,
    }
}
