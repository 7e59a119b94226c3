//! From a place in a definition to a place in its file.
//!
//! The plan's types carry the places of expressions only; names and keys are found again in the file when there is
//! something to say about them, which for a sound definition is never.

use crate::diagnostic::Findings;
use crate::plan::{Connector, Integration};
use crate::source::{FileId, SourceSet, Span};
use crate::yaml::{self, Entry, Node};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Whose definition it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner<'a> {
    /// A connector's.
    Connector(&'a Connector),
    /// An integration's.
    Integration(&'a Integration),
}

impl Owner<'_> {
    /// What tells it from every other definition.
    fn key(self) -> (bool, String) {
        match self {
            Self::Connector(connector) => (true, connector.id.to_string()),
            Self::Integration(integration) => (false, integration.id.to_string()),
        }
    }
}

/// Keys from the top of a file; a number counts the items of a list.
pub(super) type Route = Vec<String>;

/// A route of these keys.
pub(super) fn route<const N: usize>(keys: [&str; N]) -> Route {
    keys.map(str::to_owned).to_vec()
}

/// Finds places in files.
#[derive(Debug)]
pub(super) struct Locator<'a> {
    sources: &'a SourceSet,
    files: HashMap<(bool, String), FileId>,
    trees: RefCell<HashMap<FileId, Option<Rc<Node>>>>,
}

impl<'a> Locator<'a> {
    /// `files` says which definition stands in which file.
    pub(super) fn new<'o>(
        sources: &'a SourceSet,
        files: impl Iterator<Item = (Owner<'o>, FileId)>,
    ) -> Self {
        Self {
            sources,
            files: files.map(|(owner, file)| (owner.key(), file)).collect(),
            trees: RefCell::default(),
        }
    }

    fn file(&self, owner: Owner<'_>) -> Option<FileId> {
        self.files.get(&owner.key()).copied()
    }

    /// The texts.
    pub(super) fn sources(&self) -> &'a SourceSet {
        self.sources
    }

    /// The value at a route, or as far as the file follows it.
    pub(super) fn value(&self, owner: Owner<'_>, route: &[String]) -> Span {
        self.with(owner, |tree| deepest(tree, route).0.unwrap_or(tree.span))
    }

    /// The key at a route, or as far as the file follows it.
    pub(super) fn key(&self, owner: Owner<'_>, route: &[String]) -> Span {
        self.with(owner, |tree| deepest(tree, route).1.unwrap_or(tree.span))
    }

    /// The end of the value at a route, if it is text that ends so: the operation in `connection.operation`.
    pub(super) fn tail(&self, owner: Owner<'_>, route: &[String], tail: &str) -> Span {
        let span = self.value(owner, route);
        let text = self.sources.text(span);
        let content = text.trim_end_matches(['"', '\'']);
        let quotes = crate::source::to_u32(text.len() - content.len());
        let length = crate::source::to_u32(tail.len());
        if content.ends_with(tail) {
            let end = span.end.saturating_sub(quotes);
            return Span::new(span.file, end.saturating_sub(length), end);
        }
        span
    }

    /// Whether the file has something at a route. What it has and the plan does not was refused, and reported, before.
    pub(super) fn exists(&self, owner: Owner<'_>, route: &[String]) -> bool {
        let Some(tree) = self.file(owner).and_then(|file| self.tree(file)) else {
            return false;
        };
        let mut here: &Node = &tree;
        for key in route {
            match step(here, key) {
                Some((next, _)) => here = next,
                None => return false,
            }
        }
        true
    }

    fn with(&self, owner: Owner<'_>, find: impl FnOnce(&Node) -> Span) -> Span {
        let file = self.file(owner).unwrap_or(FileId(0));
        self.tree(file)
            .map_or(Span::new(file, 0, 0), |tree| find(&tree))
    }

    fn tree(&self, file: FileId) -> Option<Rc<Node>> {
        let read = || {
            // Whatever is wrong with it has been reported when it was read the first time.
            let mut reported = Findings::new();
            yaml::load(self.sources, file, &mut reported).map(Rc::new)
        };
        self.trees
            .borrow_mut()
            .entry(file)
            .or_insert_with(read)
            .clone()
    }
}

fn step<'n>(node: &'n Node, key: &str) -> Option<(&'n Node, Option<&'n Entry>)> {
    if let Some(entry) = node.entry(key) {
        return Some((&entry.value, Some(entry)));
    }
    let item = node.items().get(key.parse::<usize>().ok()?)?;
    Some((item, None))
}

/// The spans of value and key where a route ends, or where the file stops to follow it.
fn deepest(tree: &Node, route: &[String]) -> (Option<Span>, Option<Span>) {
    let (mut here, mut value, mut key) = (tree, None, None);
    for name in route {
        let Some((next, entry)) = step(here, name) else {
            // Missing here: the key of what should have it says most.
            return (key, key);
        };
        (here, value) = (next, Some(next.span));
        key = entry.map_or(value, |entry| Some(entry.key_span));
    }
    (value, key)
}
