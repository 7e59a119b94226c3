//! Payload schemas: what a dotted path of an expression finds in them.
//!
//! A schema is a JSON Schema document (2020-12) as it stands in the definitions. Nothing here validates values; the question
//! is the one a check asks before there is any value: *may* a payload have this member, and what would it be? A schema that
//! says nothing about its members (`{}`, `{type: object}`) accepts every name; one that lists them accepts these only, because
//! a name that is not listed is, in a definition, nearly always a slip.
//!
//! Beyond the standard vocabulary: `x-unit: minor | major` (money), `x-sensitive: true` (personal data), `optional: true` and
//! `required_when` on a property of `settings`, `params` and `input`.

mod alternatives;
mod types;

pub use types::{Type, Types};

use alternatives::{Alternative, Piece};
use indexmap::IndexMap;
use serde_json::Value as Document;

/// A path segment that stands for "any element of this list".
pub const EACH: &str = "[]";

/// A schema, or what is known of a place in it.
#[derive(Debug, Clone)]
pub struct Schema<'a> {
    /// Whether anything may stand here, whatever the alternatives say.
    open: bool,
    /// Whether it may be left out somewhere on the way here.
    optional: bool,
    alternatives: Vec<Alternative<'a>>,
}

/// In which unit a field holds an amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Whole numbers of the currency's smallest unit: 4950 for 49.50.
    Minor,
    /// The currency's own unit, with decimals.
    Major,
}

impl Unit {
    /// The word used in schemas.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minor => "minor",
            Self::Major => "major",
        }
    }
}

/// Why a path leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// Objects there have no such member.
    Unknown {
        /// Index of the segment that is not known.
        at: usize,
        /// The members there are, in the schema's order.
        members: Vec<String>,
    },
    /// What stands there has no members.
    NoMembers {
        /// Index of the segment that asks for a member.
        at: usize,
        /// What it is.
        types: Types,
    },
    /// What stands there is no list.
    NoList {
        /// Index of the segment that asks for an element.
        at: usize,
        /// What it is.
        types: Types,
    },
}

impl<'a> Schema<'a> {
    /// The schema of a document. References lead within it; lowering puts what they need from other files under `$defs`.
    pub fn of(root: &'a Document) -> Self {
        let alternatives = alternatives::alternatives(Piece { at: root, root });
        Self {
            open: alternatives.is_none(),
            optional: false,
            alternatives: alternatives.unwrap_or_default(),
        }
    }

    /// One that accepts everything.
    pub const fn open() -> Self {
        Self {
            open: true,
            optional: false,
            alternatives: Vec::new(),
        }
    }

    /// What stands at a path; [`EACH`] steps into a list.
    ///
    /// # Errors
    /// If no payload can have anything there.
    pub fn find<S: AsRef<str>>(&self, path: &[S]) -> Result<Self, Miss> {
        let mut here = self.clone();
        for (at, name) in path.iter().enumerate() {
            if here.is_open() {
                return Ok(Self::open());
            }
            here = if name.as_ref() == EACH {
                here.element(at)?
            } else {
                here.member(name.as_ref(), at)?
            };
        }
        Ok(here)
    }

    /// Whether anything at all may stand here.
    pub fn is_open(&self) -> bool {
        self.open
            || self
                .alternatives
                .iter()
                .any(|one| one.iter().all(|piece| says_nothing(piece.at)))
    }

    /// The types it may have.
    pub fn types(&self) -> Types {
        if self.open {
            return Types::ALL;
        }
        let types = self.alternatives.iter().map(types::of);
        let types = types.fold(Types::NONE, Types::or);
        // What is optional in `settings`, `params` and `input` and is not given is null.
        let optional = |piece: &Piece<'_>| piece.at.get("optional") == Some(&Document::Bool(true));
        if self.pieces().any(optional) {
            types.or(Types::only(Type::Null))
        } else {
            types
        }
    }

    /// Whether null may stand here.
    pub fn nullable(&self) -> bool {
        !self.open && self.types().has(Type::Null)
    }

    /// Whether it may be left out, here or on the way here.
    pub fn optional(&self) -> bool {
        self.optional
    }

    /// Whether it is personal data.
    pub fn sensitive(&self) -> bool {
        self.pieces()
            .any(|piece| piece.at.get("x-sensitive") == Some(&Document::Bool(true)))
    }

    /// In which unit it holds money.
    pub fn unit(&self) -> Option<Unit> {
        self.pieces()
            .find_map(|piece| match piece.at.get("x-unit")?.as_str()? {
                "minor" => Some(Unit::Minor),
                "major" => Some(Unit::Major),
                _ => None,
            })
    }

    /// The most characters a text here may have, if every text here is limited.
    pub fn length_max(&self) -> Option<u64> {
        self.texts()
            .map(|one| {
                one.iter()
                    .filter_map(|piece| piece.at.get("maxLength")?.as_u64())
                    .min()
            })
            .try_fold(None, |most: Option<u64>, one| {
                Some(Some(most.unwrap_or(0).max(one?)))
            })
            .flatten()
    }

    /// The format of texts here, if they all have the same.
    pub fn format(&self) -> Option<&'a str> {
        self.word("format").or_else(|| self.word("x-format"))
    }

    /// The values it may have, if they are listed; null is left out of the list.
    pub fn values(&self) -> Option<Vec<&'a Document>> {
        if self.open {
            return None;
        }
        let mut all = Vec::new();
        for one in self
            .alternatives
            .iter()
            .filter(|one| !types::of(one).without(Type::Null).is_none())
        {
            let listed = types::listed(one)?;
            all.extend(listed.into_iter().filter(|value| !value.is_null()));
        }
        (!all.is_empty()).then_some(all)
    }

    /// The values that are known by name where others are possible too: `anyOf: [{ enum: [a, b] }, { type: string }]`.
    pub fn known_values(&self) -> Vec<&'a Document> {
        let listed = self.alternatives.iter().filter_map(types::listed);
        listed.flatten().filter(|value| !value.is_null()).collect()
    }

    /// Why a value does not fit, in words; `None` if it does, or if nothing is known.
    pub fn refuses(&self, value: &Document) -> Option<String> {
        // Each alternative is a list of schema objects that must all hold; one alternative is enough.
        let mut first = None;
        for one in &self.alternatives {
            let why = one
                .iter()
                .find_map(|piece| alternatives::own_rules_refuse(*piece, value));
            match why {
                None => return None,
                Some(why) => first = first.or(Some(why)),
            }
        }
        first.filter(|_| !self.open)
    }

    /// The members it is known to have, with whether each must be there, in the schema's order.
    pub fn members(&self) -> Vec<(&'a str, bool)> {
        let mut all: IndexMap<&str, bool> = IndexMap::new();
        for one in self
            .alternatives
            .iter()
            .filter(|one| types::of(one).has(Type::Object))
        {
            for name in property_names(one) {
                let required = all.entry(name).or_insert(true);
                *required &= is_required(one, name);
            }
        }
        all.into_iter().collect()
    }

    /// Whether it may have members that are not listed.
    pub fn has_open_members(&self) -> bool {
        const NO_SUCH_NAME: &str = "\u{0}";
        self.member(NO_SUCH_NAME, 0).is_ok()
    }

    fn member(&self, name: &str, at: usize) -> Result<Self, Miss> {
        if self.open {
            return Ok(Self::open());
        }
        let mut found = Self {
            open: false,
            optional: self.optional,
            alternatives: Vec::new(),
        };
        let (mut objects, mut hits) = (0, 0);
        for one in self
            .alternatives
            .iter()
            .filter(|one| types::of(one).has(Type::Object))
        {
            objects += 1;
            let Some(pieces) = member_pieces(one, name) else {
                continue;
            };
            hits += 1;
            found.optional |= !is_required(one, name);
            match alternatives::together(&pieces) {
                Some(alternatives) => found.alternatives.extend(alternatives),
                None => found.open = true,
            }
        }
        if objects == 0 {
            return Err(Miss::NoMembers {
                at,
                types: self.types(),
            });
        }
        if hits == 0 {
            let members = self
                .members()
                .into_iter()
                .map(|(name, _)| name.to_owned())
                .collect();
            return Err(Miss::Unknown { at, members });
        }
        found.optional |= hits < objects || !self.types().without(Type::Object).is_none();
        Ok(found)
    }

    fn element(&self, at: usize) -> Result<Self, Miss> {
        let mut found = Self {
            open: self.open,
            optional: true,
            alternatives: Vec::new(),
        };
        let mut lists = 0;
        for one in self
            .alternatives
            .iter()
            .filter(|one| types::of(one).has(Type::List))
        {
            lists += 1;
            let pieces = element_pieces(one);
            match alternatives::together(&pieces) {
                Some(alternatives) if !pieces.is_empty() => found.alternatives.extend(alternatives),
                Some(_) | None => found.open = true,
            }
        }
        if lists == 0 && !self.open {
            return Err(Miss::NoList {
                at,
                types: self.types(),
            });
        }
        Ok(found)
    }

    fn pieces(&self) -> impl Iterator<Item = &Piece<'a>> {
        self.alternatives.iter().flatten()
    }

    fn texts(&self) -> impl Iterator<Item = &Alternative<'a>> {
        self.alternatives
            .iter()
            .filter(|one| types::of(one).has(Type::Text))
    }

    fn word(&self, key: &str) -> Option<&'a str> {
        let mut words = self
            .texts()
            .map(|one| one.iter().find_map(|piece| piece.at.get(key)?.as_str()));
        let first = words.next()??;
        words.all(|word| word == Some(first)).then_some(first)
    }
}

/// Keywords that say nothing about what a value may be.
const ANNOTATIONS: [&str; 11] = [
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "optional",
    "required_when",
];

fn says_nothing(schema: &Document) -> bool {
    schema
        .as_object()
        .is_none_or(|object| object.keys().all(|key| ANNOTATIONS.contains(&key.as_str())))
}

fn property_names<'a>(alternative: &Alternative<'a>) -> impl Iterator<Item = &'a str> {
    alternative
        .iter()
        .filter_map(|piece| piece.at.get("properties")?.as_object())
        .flat_map(|properties| properties.keys().map(String::as_str))
}

/// The schemas that a member of this name has to fit, none for "any"; `None` if there is no such member.
fn member_pieces<'a>(alternative: &Alternative<'a>, name: &str) -> Option<Vec<Piece<'a>>> {
    let of = |word: &str| {
        let word = word.to_owned();
        alternative
            .iter()
            .filter_map(move |piece| piece.at.get(&word).map(|at| Piece { at, ..*piece }))
    };
    let listed: Vec<_> = of("properties")
        .filter_map(|piece| piece.at.get(name).map(|at| Piece { at, ..piece }))
        .collect();
    if !listed.is_empty() {
        return Some(listed);
    }
    if of("patternProperties").next().is_some() {
        return Some(Vec::new());
    }
    let further: Vec<_> = of("additionalProperties")
        .chain(of("unevaluatedProperties"))
        .collect();
    if further
        .iter()
        .any(|piece| *piece.at == Document::Bool(false))
    {
        return None;
    }
    if !further.is_empty() {
        return Some(further);
    }
    of("properties").next().is_none().then(Vec::new)
}

fn element_pieces<'a>(alternative: &Alternative<'a>) -> Vec<Piece<'a>> {
    alternative
        .iter()
        // With `prefixItems` the place decides; nothing is said about "any element" then.
        .filter(|piece| piece.at.get("prefixItems").is_none())
        .filter_map(|piece| piece.at.get("items").map(|at| Piece { at, ..*piece }))
        .collect()
}

fn is_required(alternative: &Alternative<'_>, name: &str) -> bool {
    alternative
        .iter()
        .filter_map(|piece| piece.at.get("required")?.as_array())
        .flatten()
        .any(|one| one.as_str() == Some(name))
}

#[cfg(test)]
mod tests;
