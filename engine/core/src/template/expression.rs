//! Expressions and scalars as the rest of the engine uses them.

use super::compile::{self, Lowered, Piece, Program};
use super::engine::{self, Failure, Slots};
use super::{CompileError, EvalError, FUEL, Read, Scope, convert};
use crate::source::Span;
use crate::value::{kind_of, scalar_text};
use minijinja::Value;
use serde_json::Value as Document;
use std::fmt;

/// A compiled expression, e.g. `event.action == params.collected_on`.
pub struct Expression {
    source: String,
    lowered: Lowered,
    span: Option<Span>,
}

/// A compiled scalar of a definition: a literal, one expression, or text with expressions in it.
pub struct Template {
    source: String,
    content: Content,
    reads: Vec<Read>,
    span: Option<Span>,
}

enum Content {
    /// Nothing to compute.
    Fixed(Document),
    /// One expression: its value keeps its type.
    Single(Lowered),
    /// Text.
    Text(Vec<Piece>),
}

impl Expression {
    /// Compiles; the source is the bare expression without braces.
    ///
    /// # Errors
    /// If it is not an expression, names a filter or test that does not exist, or could make a
    /// binary float.
    pub fn compile(source: &str) -> Result<Self, CompileError> {
        Ok(Self {
            source: source.to_owned(),
            lowered: compile::expression(source)?,
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

    /// Every name it reads.
    pub fn reads(&self) -> &[Read] {
        &self.lowered.reads
    }

    /// Its value.
    ///
    /// # Errors
    /// If something it reads is not there, or an operation does not take what it got.
    pub fn value(&self, scope: &Scope<'_>) -> Result<Document, EvalError> {
        self.lowered.document(scope, &self.source)
    }

    /// Its truth.
    ///
    /// # Errors
    /// As [`Expression::value`]; also if it is anything but a boolean.
    pub fn holds(&self, scope: &Scope<'_>) -> Result<bool, EvalError> {
        match self.value(scope)? {
            Document::Bool(holds) => Ok(holds),
            other => Err(EvalError::new(
                &self.source,
                format!("it must be true or false and is {}", kind_of(&other)),
            )),
        }
    }

    /// Which of the conditions it joins with `and` do not hold, as written: what to tell a person
    /// where it as a whole does not.
    pub fn failing(&self, scope: &Scope<'_>) -> Vec<String> {
        let fails = |part: &&str| {
            let part = Self::compile(part);
            part.is_ok_and(|part| part.holds(scope) == Ok(false))
        };
        let parts = compile::conjuncts(&self.source).into_iter();
        parts.filter(fails).map(str::to_owned).collect()
    }
}

impl Template {
    /// Compiles a string scalar. White space around a single expression does not make it text.
    ///
    /// # Errors
    /// As [`Expression::compile`]; also for `{% … %}`.
    pub fn compile(source: &str) -> Result<Self, CompileError> {
        if !source.contains(['{', '}']) {
            return Ok(Self::literal(Document::String(source.to_owned())));
        }
        let mut pieces = compile::pieces(source)?;
        let blank = |piece: &Piece| matches!(piece, Piece::Raw(raw) if raw.trim().is_empty());
        let reads = pieces.iter().flat_map(Piece::reads).cloned().collect();
        let computed = pieces
            .iter()
            .filter(|piece| matches!(piece, Piece::Computed(_)))
            .count();
        if computed == 1 && pieces.iter().filter(|piece| !blank(piece)).count() == 1 {
            pieces.retain(|piece| !blank(piece));
        }
        let content = match pieces.pop() {
            Some(Piece::Computed(lowered)) if pieces.is_empty() => Content::Single(lowered),
            last => {
                pieces.extend(last);
                if computed == 0 {
                    Content::Fixed(Document::String(pieces.iter().map(Piece::raw).collect()))
                } else {
                    Content::Text(pieces)
                }
            }
        };
        Ok(Self {
            source: source.to_owned(),
            content,
            reads,
            span: None,
        })
    }

    /// A fixed value.
    pub fn literal(value: Document) -> Self {
        let source = match &value {
            Document::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self {
            source,
            content: Content::Fixed(value),
            reads: Vec::new(),
            span: None,
        }
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

    /// Every name it reads.
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// Its value, if there is nothing to compute.
    pub fn fixed(&self) -> Option<&Document> {
        match &self.content {
            Content::Fixed(value) => Some(value),
            Content::Single(_) | Content::Text(_) => None,
        }
    }

    /// Whether it is one expression, whose value keeps its type.
    pub fn is_single(&self) -> bool {
        matches!(self.content, Content::Single(_))
    }

    /// Its typed value.
    ///
    /// # Errors
    /// As [`Expression::value`]; in a text also if a part is null, a list or a map.
    pub fn value(&self, scope: &Scope<'_>) -> Result<Document, EvalError> {
        match &self.content {
            Content::Fixed(value) => Ok(value.clone()),
            Content::Single(lowered) => lowered.document(scope, &self.source),
            Content::Text(pieces) => self.render(pieces, scope).map(Document::String),
        }
    }

    /// Its value as text: strings as they are, integers and decimals in plain notation, booleans as
    /// `true`/`false`.
    ///
    /// # Errors
    /// As [`Template::value`]; also for null, lists and maps.
    pub fn text(&self, scope: &Scope<'_>) -> Result<String, EvalError> {
        let value = self.value(scope)?;
        self.to_text(value)
    }

    /// Its value as text, with every computed part passed through `encode`; what is written out
    /// stays as it is.
    ///
    /// # Errors
    /// As [`Template::text`]; also with the words of `encode` where it refuses a part.
    pub fn encoded_text(
        &self,
        scope: &Scope<'_>,
        encode: impl Fn(&str) -> Result<String, String>,
    ) -> Result<String, EvalError> {
        let refused = |why| EvalError::new(&self.source, why);
        match &self.content {
            Content::Fixed(_) => self.text(scope),
            Content::Single(_) => encode(&self.text(scope)?).map_err(refused),
            Content::Text(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Raw(raw) => text.push_str(raw),
                        Piece::Computed(lowered) => {
                            let value = self.to_text(lowered.document(scope, &self.source)?)?;
                            text.push_str(&encode(&value).map_err(refused)?);
                        }
                    }
                }
                Ok(text)
            }
        }
    }

    /// As [`Template::text`], with null meaning "left out".
    ///
    /// # Errors
    /// As [`Template::value`]; also for lists and maps.
    pub fn optional_text(&self, scope: &Scope<'_>) -> Result<Option<String>, EvalError> {
        match self.value(scope)? {
            Document::Null => Ok(None),
            value => self.to_text(value).map(Some),
        }
    }

    fn to_text(&self, value: Document) -> Result<String, EvalError> {
        if let Document::String(text) = value {
            return Ok(text);
        }
        scalar_text(&value).ok_or_else(|| {
            EvalError::new(
                &self.source,
                format!("it must be a text and is {}", kind_of(&value)),
            )
        })
    }

    fn render(&self, pieces: &[Piece], scope: &Scope<'_>) -> Result<String, EvalError> {
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Raw(raw) => text.push_str(raw),
                Piece::Computed(lowered) => {
                    let value = lowered.document(scope, &self.source)?;
                    text.push_str(&self.to_text(value)?);
                }
            }
        }
        Ok(text)
    }
}

impl Piece {
    fn reads(&self) -> &[Read] {
        match self {
            Self::Raw(_) => &[],
            Self::Computed(lowered) => &lowered.reads,
        }
    }

    fn raw(&self) -> &str {
        match self {
            Self::Raw(raw) => raw,
            Self::Computed(_) => "",
        }
    }
}

impl Lowered {
    fn document(&self, scope: &Scope<'_>, source: &str) -> Result<Document, EvalError> {
        match &self.program {
            Program::Name => {
                let path = self.reads.first().map_or(&[][..], |read| &read.path);
                walk(scope, path)
                    .cloned()
                    .map_err(|why| EvalError::new(source, why))
            }
            Program::Code(code) => {
                let value = self
                    .run(code, scope)
                    .map_err(|failure| EvalError::new(source, self.in_words(failure, scope)))?;
                convert::to_document(&value).map_err(|why| {
                    let failure = if why == convert::NO_VALUE {
                        Failure::Missing
                    } else {
                        Failure::Words(why.to_owned())
                    };
                    EvalError::new(source, self.in_words(failure, scope))
                })
            }
        }
    }

    fn run(
        &self,
        code: &minijinja::Expression<'static, 'static>,
        scope: &Scope<'_>,
    ) -> Result<Value, Failure> {
        let slots = self.slots.iter().map(|path| scope.value_at(path)).collect();
        code.eval(Value::from_object(Slots(slots)))
            .map_err(|error| engine::explain(&error))
    }

    /// Says what is missing by looking for the first thing read that is not there.
    fn in_words(&self, failure: Failure, scope: &Scope<'_>) -> String {
        if matches!(failure, Failure::Missing) {
            let mut unguarded = self.reads.iter().filter(|read| !read.guarded);
            if let Some(why) = unguarded.find_map(|read| walk(scope, &read.path).err()) {
                return why;
            }
        }
        failure.into_words()
    }
}

/// Follows a name; in words where it ends.
fn walk<'s>(scope: &'s Scope<'_>, path: &[String]) -> Result<&'s Document, String> {
    let Some((root, members)) = path.split_first() else {
        return Err("it reads nothing".to_owned());
    };
    let mut here = scope
        .get(root)
        .ok_or_else(|| format!("there is no `{root}` here"))?;
    for (at, name) in members.iter().enumerate() {
        let parent = || {
            path.iter()
                .take(at + 1)
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(".")
        };
        here = match here {
            Document::Object(map) => map
                .get(name)
                .ok_or_else(|| format!("`{}` has no `{name}`", parent()))?,
            other => {
                return Err(format!(
                    "`{}` is {} and has no `{name}`",
                    parent(),
                    kind_of(other)
                ));
            }
        };
    }
    Ok(here)
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.source).finish()
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.source).finish()
    }
}

// One plan is shared by every worker.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Expression>();
    shared::<Template>();
    let _ = FUEL;
};
