//! From a place in a definition to a place in its file.
//!
//! The plan's types carry the places of expressions; names and keys are found in what the library remembers of its files.

use crate::plan::{Connector, Integration, Library};
use crate::source::{FileId, SourceSet, Span, to_u32};

/// Whose definition it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner<'a> {
    /// A connector's.
    Connector(&'a Connector),
    /// An integration's.
    Integration(&'a Integration),
}

/// Keys from the top of a file; a number counts the items of a list.
pub(super) type Route = Vec<String>;

/// A route of these keys.
pub(super) fn route<const N: usize>(keys: [&str; N]) -> Route {
    keys.map(str::to_owned).to_vec()
}

/// Finds places in files.
pub(super) struct Locator<'a> {
    library: &'a Library,
    sources: &'a SourceSet,
}

impl<'a> Locator<'a> {
    pub(super) fn new(library: &'a Library, sources: &'a SourceSet) -> Self {
        Self { library, sources }
    }

    /// The texts.
    pub(super) fn sources(&self) -> &'a SourceSet {
        self.sources
    }

    /// The value at a route, its key if the value is no scalar, or as far as the file follows the route.
    pub(super) fn value(&self, owner: Owner<'_>, route: &[String]) -> Span {
        deepest(owner, route, |path| self.library.span(path))
    }

    /// The key at a route, or as far as the file follows it.
    pub(super) fn key(&self, owner: Owner<'_>, route: &[String]) -> Span {
        deepest(owner, route, |path| {
            self.library
                .key_span(path)
                .or_else(|| self.library.span(path))
        })
    }

    /// The end of the value at a route, if it is text that ends so: the operation in `connection.operation`.
    pub(super) fn tail(&self, owner: Owner<'_>, route: &[String], tail: &str) -> Span {
        let span = self.value(owner, route);
        let text = self.sources.text(span);
        let content = text.trim_end_matches(['"', '\'']);
        if !content.ends_with(tail) {
            return span;
        }
        let end = span.end.saturating_sub(to_u32(text.len() - content.len()));
        Span::new(span.file, end.saturating_sub(to_u32(tail.len())), end)
    }

    /// The beginning of the value at a route, if it is text that begins so.
    pub(super) fn head(&self, owner: Owner<'_>, route: &[String], head: &str) -> Span {
        let span = self.value(owner, route);
        let text = self.sources.text(span);
        let content = text.trim_start_matches(['"', '\'']);
        if !content.starts_with(head) {
            return span;
        }
        let start = span
            .start
            .saturating_add(to_u32(text.len() - content.len()));
        Span::new(span.file, start, start.saturating_add(to_u32(head.len())))
    }

    /// Whether the file has something at a route.
    pub(super) fn exists(&self, owner: Owner<'_>, route: &[String]) -> bool {
        self.library.span(&path(owner, route)).is_some()
    }

    /// Whether what stands at a route, or around it, was reported while it was read; then nothing more is said.
    pub(super) fn is_broken(&self, owner: Owner<'_>, route: &[String]) -> bool {
        self.library.is_broken(&path(owner, route))
    }

    /// Whether something of this name stands where it could not be read, e.g. under a mistyped key.
    pub(super) fn is_unread(&self, owner: Owner<'_>, name: &str) -> bool {
        self.library.is_unread(&path(owner, &[]), name)
    }
}

/// The place of a route, or of as much of it as there is.
fn deepest(owner: Owner<'_>, route: &[String], find: impl Fn(&[&str]) -> Option<Span>) -> Span {
    let path = path(owner, route);
    let prefixes = (2..=path.len())
        .rev()
        .filter_map(|length| path.get(..length));
    // A definition that was made without a file has no places; the first file is as good as any.
    prefixes
        .into_iter()
        .find_map(find)
        .unwrap_or(Span::new(FileId(0), 0, 0))
}

/// The way to a place as the library knows it.
fn path<'p>(owner: Owner<'p>, route: &'p [String]) -> Vec<&'p str> {
    let (kind, name) = match owner {
        Owner::Connector(connector) => ("connectors", connector.id.as_str()),
        Owner::Integration(integration) => ("integrations", integration.id.as_str()),
    };
    [kind, name]
        .into_iter()
        .chain(route.iter().map(String::as_str))
        .collect()
}
