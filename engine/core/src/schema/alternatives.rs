//! A schema taken apart into alternatives: what `anyOf`, `oneOf`, `allOf`, `if` and `$ref` come to.
//!
//! A value fits the schema if it fits at least one alternative, and an alternative if it fits all of its pieces. Whatever
//! cannot be followed (a reference to nowhere, a ring of references, more combinations than are worth trying) makes the
//! schema *open*: the checks then say nothing, because a wrong finding is worse than none.

use crate::protocol::percent_decode;
use serde_json::Value as Document;

/// Schemas with more combinations than this are treated as open.
const ALTERNATIVES_MAX: usize = 64;

/// References and combinators nested deeper than this are treated as open.
const DEPTH_MAX: u32 = 32;

/// One schema object, without what its combinators say, and where its references start from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    /// The schema object.
    pub(super) at: &'a Document,
    /// The document it stands in, where references start from.
    pub(super) root: &'a Document,
}

/// Pieces that hold together.
pub(super) type Alternative<'a> = Vec<Piece<'a>>;

/// The alternatives of a schema; `None` if it is open.
pub(super) fn alternatives(piece: Piece<'_>) -> Option<Vec<Alternative<'_>>> {
    expand(piece, 0)
}

/// The alternatives of schemas that hold together; `None` if one of them is open for being too large.
pub(super) fn together<'a>(pieces: &[Piece<'a>]) -> Option<Vec<Alternative<'a>>> {
    let parts: Option<Vec<_>> = pieces.iter().map(|piece| expand(*piece, 0)).collect();
    parts?
        .iter()
        .try_fold(vec![Vec::new()], |all, part| product(&all, part))
}

fn expand(piece: Piece<'_>, depth: u32) -> Option<Vec<Alternative<'_>>> {
    let object = match piece.at {
        Document::Bool(false) => return Some(Vec::new()),
        Document::Object(object) => object,
        // `true` says nothing; anything else is no schema, and is reported where schemas are read.
        Document::Null
        | Document::Bool(true)
        | Document::Number(_)
        | Document::String(_)
        | Document::Array(_) => return Some(vec![vec![piece]]),
    };
    if depth > DEPTH_MAX {
        return None;
    }
    let within = |at| Piece { at, ..piece };
    let mut all = vec![vec![piece]];
    if let Some(target) = object.get("$ref").and_then(Document::as_str) {
        all = product(&all, &expand(resolve(piece.root, target)?, depth + 1)?)?;
    }
    for part in list(object, "allOf") {
        all = product(&all, &expand(within(part), depth + 1)?)?;
    }
    for word in ["anyOf", "oneOf"] {
        if object.get(word).is_some_and(Document::is_array) {
            all = product(&all, &union(list(object, word).map(within), depth)?)?;
        }
    }
    let branches = ["then", "else"].map(|word| object.get(word));
    if object.contains_key("if") && branches.iter().any(Option::is_some) {
        // Which branch applies depends on the value; either may.
        let either = branches.map(|branch| within(branch.unwrap_or(&Document::Bool(true))));
        all = product(&all, &union(either.into_iter(), depth)?)?;
    }
    Some(all)
}

fn union<'a>(parts: impl Iterator<Item = Piece<'a>>, depth: u32) -> Option<Vec<Alternative<'a>>> {
    let mut all = Vec::new();
    for part in parts {
        all.extend(expand(part, depth + 1)?);
    }
    (all.len() <= ALTERNATIVES_MAX).then_some(all)
}

fn product<'a>(
    left: &[Alternative<'a>],
    right: &[Alternative<'a>],
) -> Option<Vec<Alternative<'a>>> {
    if left.len().saturating_mul(right.len()) > ALTERNATIVES_MAX {
        return None;
    }
    let mut all = Vec::with_capacity(left.len() * right.len());
    for a in left {
        all.extend(right.iter().map(|b| a.iter().chain(b).copied().collect()));
    }
    Some(all)
}

fn list<'a>(
    object: &'a serde_json::Map<String, Document>,
    word: &str,
) -> impl Iterator<Item = &'a Document> {
    object
        .get(word)
        .and_then(Document::as_array)
        .into_iter()
        .flatten()
}

/// Keywords that have become alternatives and pieces of their own, and `not`, which never does.
const COMBINATORS: [&str; 8] = [
    "$ref", "allOf", "anyOf", "oneOf", "if", "then", "else", "not",
];

/// Why a piece alone does not take a scalar. Structures are followed member by member instead.
pub(super) fn own_rules_refuse(piece: Piece<'_>, value: &Document) -> Option<String> {
    if *piece.at == Document::Bool(false) {
        return Some("nothing fits here".to_owned());
    }
    if value.is_object() || value.is_array() {
        return None;
    }
    let mut own = piece.at.as_object()?.clone();
    own.retain(|key, _| !COMBINATORS.contains(&key.as_str()));
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&Document::Object(own))
        .ok()?;
    let error = validator.iter_errors(value).next()?;
    Some(error.to_string())
}

/// What a `$ref` points to in its own document.
fn resolve<'a>(root: &'a Document, target: &str) -> Option<Piece<'a>> {
    let pointer = target.strip_prefix('#')?;
    // RFC 6901 section 6: a pointer in a URL fragment is percent-encoded.
    let at = root.pointer(&percent_decode(pointer))?;
    Some(Piece { at, root })
}
