//! The names an expression may read.

use super::convert;
use minijinja::Value;
use serde_json::Value as Document;
use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

/// The names an expression may read, with their values.
///
/// Documents are borrowed, and converted for the template crate once, when the first expression
/// asks for them: building a scope costs next to nothing, and many expressions over one scope share
/// one conversion. `Debug` shows names only.
#[derive(Clone, Default)]
pub struct Scope<'a> {
    entries: Vec<Entry<'a>>,
}

#[derive(Clone)]
struct Entry<'a> {
    name: Cow<'a, str>,
    held: Held<'a>,
}

#[derive(Clone)]
enum Held<'a> {
    Own(Shared<'a>),
    Shared(&'a Shared<'a>),
}

/// A document that several scopes show, converted once for all of them.
#[derive(Clone)]
pub struct Shared<'a> {
    document: Cow<'a, Document>,
    value: OnceLock<Value>,
}

impl<'a> Shared<'a> {
    /// Of a document somebody else keeps.
    pub fn of(document: &'a Document) -> Self {
        Self::from(Cow::Borrowed(document))
    }

    /// Of a document of its own.
    pub fn owned(document: Document) -> Self {
        Self::from(Cow::Owned(document))
    }

    /// The document.
    pub fn document(&self) -> &Document {
        &self.document
    }
}

impl<'a> From<Cow<'a, Document>> for Shared<'a> {
    fn from(document: Cow<'a, Document>) -> Self {
        Self {
            document,
            value: OnceLock::new(),
        }
    }
}

impl fmt::Debug for Shared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::value::kind_of(&self.document))
    }
}

impl<'a> Entry<'a> {
    fn shared(&self) -> &Shared<'a> {
        match &self.held {
            Held::Own(shared) => shared,
            Held::Shared(shared) => shared,
        }
    }
}

impl<'a> Scope<'a> {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a name; a later one of the same name wins.
    #[must_use]
    pub fn with(mut self, name: &'a str, document: &'a Document) -> Self {
        self.set(name, document);
        self
    }

    /// As [`Scope::with`], for a value made on the spot.
    #[must_use]
    pub fn with_owned(mut self, name: impl Into<Cow<'a, str>>, document: Document) -> Self {
        self.set_owned(name, document);
        self
    }

    /// Adds a name; a later one of the same name wins.
    pub fn set(&mut self, name: &'a str, document: &'a Document) {
        self.insert(name.into(), Cow::Borrowed(document));
    }

    /// As [`Scope::set`], for a value made on the spot.
    pub fn set_owned(&mut self, name: impl Into<Cow<'a, str>>, document: Document) {
        self.insert(name.into(), Cow::Owned(document));
    }

    /// As [`Scope::set`], sharing the conversion with every other scope that shows it.
    pub fn share(&mut self, name: &'a str, shared: &'a Shared<'a>) {
        self.put(Entry {
            name: name.into(),
            held: Held::Shared(shared),
        });
    }

    /// What a name stands for.
    pub fn get(&self, name: &str) -> Option<&Document> {
        self.entry(name).map(|entry| entry.shared().document())
    }

    /// What a dotted name leads to; undefined if it leads nowhere. A whole document is converted
    /// once for every expression that shares the scope; of a part of one, only that part is.
    pub(super) fn value_at(&self, path: &[String]) -> Value {
        let Some((root, members)) = path.split_first() else {
            return Value::UNDEFINED;
        };
        let Some(shared) = self.entry(root).map(Entry::shared) else {
            return Value::UNDEFINED;
        };
        if members.is_empty() {
            return shared
                .value
                .get_or_init(|| convert::to_value(&shared.document))
                .clone();
        }
        let mut here: &Document = &shared.document;
        for member in members {
            let Some(next) = here.as_object().and_then(|map| map.get(member)) else {
                return Value::UNDEFINED;
            };
            here = next;
        }
        convert::to_value(here)
    }

    fn entry(&self, name: &str) -> Option<&Entry<'a>> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    fn insert(&mut self, name: Cow<'a, str>, document: Cow<'a, Document>) {
        self.put(Entry {
            name,
            held: Held::Own(Shared::from(document)),
        });
    }

    fn put(&mut self, entry: Entry<'a>) {
        match self.entries.iter_mut().find(|old| old.name == entry.name) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.entries.iter().map(|entry| &entry.name))
            .finish()
    }
}
