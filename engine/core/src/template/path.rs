//! JSONPath: selects nodes out of documents.

use super::CompileError;
use crate::source::Span;
use jsonpath_rust::parser::model::{JpQuery, Segment, Selector};
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use serde_json::Value as Document;
use std::fmt;

/// A compiled JSONPath (RFC 9535).
///
/// Paths of names, indexes and `[*]`, which is nearly all, are walked directly; only the others
/// (descendants, slices, filters) go through the general machinery.
pub struct Path {
    source: String,
    way: Way,
    span: Option<Span>,
}

enum Way {
    Direct(Vec<Leg>),
    General(Box<JpQuery>),
}

/// One step of a simple path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leg {
    /// `.name` or `['name']`
    Name(String),
    /// `[0]`, `[-1]`
    Index(i64),
    /// `[*]`
    All,
}

impl Path {
    /// Compiles.
    ///
    /// # Errors
    /// If it is not a JSONPath.
    pub fn compile(source: &str) -> Result<Self, CompileError> {
        let query = parse_json_path(source).map_err(|_| {
            let error = CompileError::new(0, format!("`{source}` is not a JSONPath (RFC 9535)"));
            if source.starts_with('$') {
                error
            } else {
                error.help("a path starts with `$`: `$.payments[*].id`")
            }
        })?;
        if let Some(offset) = float_literal(source) {
            return Err(
                CompileError::new(offset, "a number with a point would be a binary float")
                    .help("compare such numbers in an expression, where they are exact"),
            );
        }
        let way = match query.segments.iter().map(leg).collect() {
            Some(legs) => Way::Direct(legs),
            None => Way::General(Box::new(query)),
        };
        Ok(Self {
            source: source.to_owned(),
            way,
            span: None,
        })
    }

    /// As written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Notes where it stands.
    #[must_use]
    pub fn at(self, span: Span) -> Self {
        Self {
            span: Some(span),
            ..self
        }
    }

    /// Where it stands, if noted.
    pub fn span(&self) -> Option<Span> {
        self.span
    }

    /// Its steps, if it is made of names, indexes and `[*]` only.
    pub fn legs(&self) -> Option<&[Leg]> {
        match &self.way {
            Way::Direct(legs) => Some(legs),
            Way::General(_) => None,
        }
    }

    /// Every selected node.
    pub fn all<'a>(&self, document: &'a Document) -> Vec<&'a Document> {
        match &self.way {
            Way::Direct(legs) => {
                let mut found = Vec::new();
                walk(legs, document, &mut |node| {
                    found.push(node);
                    true
                });
                found
            }
            Way::General(query) => js_path_process(query, document)
                .map(|nodes| {
                    nodes
                        .into_iter()
                        .map(jsonpath_rust::query::QueryRef::val)
                        .collect()
                })
                .unwrap_or_default(),
        }
    }

    /// The first selected node.
    pub fn first<'a>(&self, document: &'a Document) -> Option<&'a Document> {
        match &self.way {
            Way::Direct(legs) => {
                let mut found = None;
                walk(legs, document, &mut |node| {
                    found = Some(node);
                    false
                });
                found
            }
            Way::General(_) => self.all(document).into_iter().next(),
        }
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Path").field(&self.source).finish()
    }
}

/// Where a number with a point or an exponent stands in a filter, outside of quotes.
fn float_literal(source: &str) -> Option<usize> {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in source.char_indices() {
        match quote {
            Some(open) if c == open && before != '\\' => quote = None,
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None if c.is_ascii_digit()
                && !(before.is_alphanumeric() || matches!(before, '_' | '.')) =>
            {
                let rest = source.get(at..).unwrap_or_default();
                let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
                if rest.starts_with(['.', 'e', 'E']) {
                    return Some(at);
                }
            }
            Some(_) | None => {}
        }
        before = c;
    }
    None
}

fn leg(segment: &Segment) -> Option<Leg> {
    match segment {
        Segment::Selector(Selector::Name(name)) => Some(Leg::Name(unquoted(name)?)),
        Segment::Selector(Selector::Index(index)) => Some(Leg::Index(*index)),
        Segment::Selector(Selector::Wildcard) => Some(Leg::All),
        Segment::Selector(Selector::Slice(..) | Selector::Filter(_))
        | Segment::Selectors(_)
        | Segment::Descendant(_) => None,
    }
}

/// The parser leaves the quotes of `['name']` on; escapes in it are left to the general machinery.
fn unquoted(name: &str) -> Option<String> {
    if name.contains('\\') {
        return None;
    }
    let inner = ['\'', '"']
        .into_iter()
        .find_map(|quote| name.strip_prefix(quote)?.strip_suffix(quote));
    Some(inner.unwrap_or(name).to_owned())
}

/// Visits the nodes in order until told to stop; false if it was.
fn walk<'a>(legs: &[Leg], node: &'a Document, visit: &mut dyn FnMut(&'a Document) -> bool) -> bool {
    let Some((leg, rest)) = legs.split_first() else {
        return visit(node);
    };
    match (leg, node) {
        (Leg::Name(name), Document::Object(members)) => members
            .get(name)
            .is_none_or(|member| walk(rest, member, visit)),
        (Leg::Index(index), Document::Array(items)) => {
            let at = usize::try_from(*index).ok().or_else(|| {
                items
                    .len()
                    .checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
            });
            at.and_then(|at| items.get(at))
                .is_none_or(|item| walk(rest, item, visit))
        }
        (Leg::All, Document::Array(items)) => items.iter().all(|item| walk(rest, item, visit)),
        (Leg::All, Document::Object(members)) => {
            members.values().all(|member| walk(rest, member, visit))
        }
        _ => true,
    }
}
