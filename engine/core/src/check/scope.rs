//! The names an expression may read at its place, and what is known of each.

use crate::schema::{EACH, Miss, Schema, Types};
use crate::template::Segment;
use indexmap::IndexMap;
use serde_json::{Value as Document, json};
use std::rc::Rc;
use std::sync::LazyLock;

/// What is known of a name.
#[derive(Debug, Clone)]
pub(super) enum Entry<'a> {
    /// What a schema says.
    Schema(Schema<'a>),
    /// Exactly these members.
    Group(IndexMap<&'a str, Entry<'a>>),
    /// A list of these.
    List(Box<Entry<'a>>),
    /// An entry of a matching table that has at least these columns.
    Columns(Vec<&'a str>),
}

/// Why a path leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    /// Its first name does not exist anywhere near.
    Unknown,
    /// Its first name exists, but not at this place, for this reason.
    NotHere(String),
    /// One of its further segments does not exist.
    Member(Miss),
}

/// The names at a place.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope<'a> {
    names: IndexMap<&'a str, Rc<Entry<'a>>>,
    refused: IndexMap<&'a str, String>,
}

/// Names the engine supplies, and why one of them is not there where it is not.
const WORDS: [(&str, &str); 23] = [
    (
        "settings",
        "`settings` belong to a connection and are read by its connector; an integration has `params`",
    ),
    (
        "secrets",
        "`secrets` may only be used in `http.auth` and in session operations",
    ),
    ("event", "there is an event only in integrations"),
    (
        "events",
        "only an integration with `aggregate` reads several `events`, from `requires` on",
    ),
    (
        "group",
        "only an integration with `aggregate` has a `group`, from `requires` on",
    ),
    (
        "params",
        "`params` belong to an integration; a connector has `settings`",
    ),
    (
        "input",
        "`input` is what an operation is given; it is read in the operation itself",
    ),
    (
        "session",
        "the connector's auth has no session, or this is no request that carries one",
    ),
    (
        "page",
        "`page` is read in the request of an operation with `paginate`",
    ),
    (
        "callback",
        "`callback` is what comes with an authorization code; it is read in `authorize`, in `token_url` and `tell`",
    ),
    (
        "over",
        "`over` is read only where a poll has `over`, in its `with`",
    ),
    (
        "now",
        "`now` is read only in polls; a mapping gives the same whenever it runs",
    ),
    (
        "cursor",
        "`cursor` is read in a poll's `with` and in the requests of reads",
    ),
    (
        "reference",
        "only the requests and look-ups of a write have a reference",
    ),
    (
        "idempotency_key",
        "only a write with `repeat: { idempotency_key: … }` has a key",
    ),
    (
        "documents",
        "`documents` are declared by an operation and read in its requests",
    ),
    (
        "steps",
        "`steps` are read in a sequence, each after it was made",
    ),
    (
        "result",
        "there is no result here: nothing has been answered yet, or `body` is what was answered",
    ),
    (
        "status",
        "there is an answer only in outcomes, answers and receipts",
    ),
    (
        "headers",
        "there is an answer only in outcomes, answers and receipts",
    ),
    (
        "body",
        "there is an answer only in outcomes, answers and receipts",
    ),
    (
        "text",
        "there is an answer only in outcomes, answers and receipts",
    ),
    (
        "receipt",
        "there is a receipt only in `remember`, after the write",
    ),
];

static TEXT: LazyLock<Document> = LazyLock::new(|| json!({"type": "string"}));
static STATUS: LazyLock<Document> = LazyLock::new(|| json!({"type": "integer"}));
static MAYBE_TEXT: LazyLock<Document> = LazyLock::new(|| json!({"type": ["string", "null"]}));

impl<'a> Entry<'a> {
    /// Anything.
    pub(super) fn open() -> Self {
        Self::Schema(Schema::open())
    }

    /// As a schema document says.
    pub(super) fn of(schema: &'a Document) -> Self {
        Self::Schema(Schema::of(schema))
    }

    /// Text.
    pub(super) fn text() -> Self {
        Self::of(&TEXT)
    }

    /// Text or null.
    pub(super) fn maybe_text() -> Self {
        Self::of(&MAYBE_TEXT)
    }

    /// A whole number.
    pub(super) fn status() -> Self {
        Self::of(&STATUS)
    }

    /// These names, all alike.
    pub(super) fn group(names: impl IntoIterator<Item = &'a str>, each: &Self) -> Self {
        Self::Group(names.into_iter().map(|name| (name, each.clone())).collect())
    }

    /// What stands at a path below it.
    pub(super) fn find(&self, path: &[&str]) -> Result<Self, Miss> {
        self.walk(path, 0)
    }

    fn walk(&self, path: &[&str], at: usize) -> Result<Self, Miss> {
        let Some((name, rest)) = path.split_first() else {
            return Ok(self.clone());
        };
        match self {
            Self::Schema(schema) => schema
                .find(path)
                .map(Self::Schema)
                .map_err(|miss| shifted(miss, at)),
            Self::Group(members) => match members.get(name) {
                Some(member) => member.walk(rest, at + 1),
                None => Err(Miss::Unknown {
                    at,
                    members: members.keys().map(|&name| name.to_owned()).collect(),
                }),
            },
            Self::Columns(columns) if columns.contains(name) => Self::open().walk(rest, at + 1),
            Self::Columns(columns) => Err(Miss::Unknown {
                at,
                members: columns.iter().map(|&name| name.to_owned()).collect(),
            }),
            Self::List(each) if *name == EACH => each.walk(rest, at + 1),
            Self::List(_) => Err(Miss::NoMembers {
                at,
                types: Types::only(crate::schema::Type::List),
            }),
        }
    }
}

fn shifted(miss: Miss, by: usize) -> Miss {
    match miss {
        Miss::Unknown { at, members } => Miss::Unknown {
            at: at + by,
            members,
        },
        Miss::NoMembers { at, types } => Miss::NoMembers { at: at + by, types },
        Miss::NoList { at, types } => Miss::NoList { at: at + by, types },
    }
}

impl<'a> Scope<'a> {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The same with one more name; a later one of the same name wins.
    #[must_use]
    pub(super) fn with(mut self, name: &'a str, entry: Entry<'a>) -> Self {
        self.refused.shift_remove(name);
        self.names.insert(name, Rc::new(entry));
        self
    }

    /// The same with one more name if there is something to know of it.
    #[must_use]
    pub(super) fn maybe(self, name: &'a str, entry: Option<Entry<'a>>) -> Self {
        match entry {
            Some(entry) => self.with(name, entry),
            None => self,
        }
    }

    /// The same with a name that exists elsewhere, and why it does not here.
    #[must_use]
    pub(super) fn refusing(mut self, name: &'a str, why: impl Into<String>) -> Self {
        if !self.names.contains_key(name) {
            self.refused.insert(name, why.into());
        }
        self
    }

    /// Only these of its names.
    #[must_use]
    pub(super) fn keeping(&self, names: &[&str]) -> Self {
        let kept = self.names.iter().filter(|(name, _)| names.contains(name));
        Self {
            names: kept
                .map(|(name, entry)| (*name, Rc::clone(entry)))
                .collect(),
            refused: self.refused.clone(),
        }
    }

    /// What is known of a name itself.
    pub(super) fn entry(&self, name: &str) -> Option<&Entry<'a>> {
        self.names.get(name).map(AsRef::as_ref)
    }

    /// The names there are.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.names.keys().copied()
    }

    /// What stands at a dotted path.
    pub(super) fn find(&self, path: &[Segment]) -> Result<Entry<'a>, Lost> {
        let Some((first, rest)) = path.split_first() else {
            return Ok(Entry::open());
        };
        let root = first.name.as_str();
        if let Some(entry) = self.names.get(root) {
            let rest: Vec<&str> = rest.iter().map(|segment| segment.name.as_str()).collect();
            return entry
                .find(&rest)
                .map_err(|miss| Lost::Member(shifted(miss, 1)));
        }
        if let Some(why) = self.refused.get(root) {
            return Err(Lost::NotHere(why.clone()));
        }
        let word = WORDS.iter().find(|(name, _)| *name == root);
        Err(word.map_or(Lost::Unknown, |(_, why)| Lost::NotHere((*why).to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<Segment> {
        text.split('.')
            .map(|name| Segment {
                name: name.to_owned(),
                at: 0..0,
            })
            .collect()
    }

    #[test]
    fn a_name_is_here_or_elsewhere_or_nowhere() {
        let scope = Scope::new()
            .with("event", Entry::open())
            .refusing("payment", "it is fetched later");
        assert!(scope.find(&path("event.any.thing")).is_ok());
        assert_eq!(
            scope.find(&path("payment.id")).unwrap_err(),
            Lost::NotHere("it is fetched later".into())
        );
        assert!(
            matches!(scope.find(&path("secrets.key")), Err(Lost::NotHere(why)) if why.contains("http.auth"))
        );
        assert_eq!(scope.find(&path("evnt.id")).unwrap_err(), Lost::Unknown);
        assert!(
            scope
                .with("payment", Entry::open())
                .find(&path("payment.id"))
                .is_ok()
        );
    }

    #[test]
    fn members_of_groups_and_lists_are_counted_from_the_root() {
        let row = json!({"properties": {"id": {"type": "string"}}});
        let scope = Scope::new()
            .with(
                "steps",
                Entry::Group([("find", Entry::List(Box::new(Entry::of(&row))))].into()),
            )
            .with("documents", Entry::group(["query"], &Entry::text()));
        assert!(scope.find(&path("steps.find.[].id")).is_ok());
        let at = |text: &str| match scope.find(&path(text)) {
            Err(Lost::Member(
                Miss::Unknown { at, .. } | Miss::NoMembers { at, .. } | Miss::NoList { at, .. },
            )) => at,
            other => panic!("{other:?}"),
        };
        assert_eq!(at("steps.fnd"), 1);
        assert_eq!(at("steps.find.id"), 2);
        assert_eq!(at("steps.find.[].di"), 3);
        assert_eq!(at("documents.query.x"), 2);
    }
}
