//! Every expression of a library with the names it may read, and every call of an operation with what it is given.
//!
//! This is where the scopes of the definition language are written down; the rules only ask.

mod connector;
mod integration;
mod reconcile;

pub(super) use reconcile::reads;

use super::locate::{Owner, Route};
use super::scope::{Entry, Scope};
use crate::plan::{Connector, Library, Operation, OperationKind, Repeat, Tree};
use crate::source::Span;
use crate::template::{Expression, Kind, Segment, Shape, Template};
use indexmap::IndexMap;
use serde_json::Value as Document;
use std::ops::Range;
use std::rc::Rc;
use std::sync::LazyLock;

/// One expression or template.
#[derive(Debug)]
pub(super) struct Leaf<'a> {
    /// Whose it is.
    pub(super) owner: Owner<'a>,
    /// The operation it belongs to, if it belongs to one.
    pub(super) operation: Option<&'a str>,
    /// The key it is the value of, e.g. a header's name.
    pub(super) key: &'a str,
    /// Its text, as the positions in `shape` count.
    pub(super) source: &'a str,
    /// Where its scalar stands.
    pub(super) span: Option<Span>,
    /// Whether it stands for one that was reported: it may have read anything.
    pub(super) broken: bool,
    /// What it is made of.
    pub(super) shape: Shape,
    /// What it may read.
    pub(super) scope: Rc<Scope<'a>>,
}

/// Index of a leaf in [`Walk::leaves`].
pub(super) type LeafId = usize;

/// What an operation is given for one of its inputs.
#[derive(Debug)]
pub(super) enum Given<'a> {
    /// One expression or template.
    Leaf(LeafId),
    /// Named members.
    Map(Vec<(&'a str, Given<'a>)>),
    /// Items.
    List(Vec<Given<'a>>),
    /// Any number of these.
    Each(Box<Given<'a>>),
    /// One or the other; nothing if there is no other.
    Either(Box<Given<'a>>, Option<Box<Given<'a>>>),
}

/// What kind of operation a place needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// One that changes nothing.
    Read,
    /// One that changes the target.
    Write,
    /// One that logs on or off.
    Session,
    /// A read or a write.
    ReadOrWrite,
}

/// A place that names an operation.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// Whose definition it stands in.
    pub(super) owner: Owner<'a>,
    /// The connector whose operation it is; none if the connection is not known, which is reported elsewhere.
    pub(super) connector: Option<&'a Connector>,
    /// The operation.
    pub(super) operation: &'a str,
    /// What it must be.
    pub(super) wants: Wants,
    /// For people: "the sink".
    pub(super) what: &'static str,
    /// Where the operation is named.
    pub(super) route: Route,
    /// Where its input stands; none if the place gives no input.
    pub(super) input_route: Option<Route>,
    /// Its input.
    pub(super) given: Vec<(&'a str, Given<'a>)>,
}

impl<'a> Call<'a> {
    /// Whether an operation is of the kind the place needs.
    pub(super) fn takes(&self, kind: &OperationKind) -> bool {
        match kind {
            OperationKind::Read => matches!(self.wants, Wants::Read | Wants::ReadOrWrite),
            OperationKind::Write(_) => matches!(self.wants, Wants::Write | Wants::ReadOrWrite),
            OperationKind::Session => self.wants == Wants::Session,
        }
    }

    /// The operation, if it exists.
    pub(super) fn target(&self) -> Option<&'a Operation> {
        self.connector?
            .operations
            .get(self.operation)
            .map(AsRef::as_ref)
    }
}

/// Everything the rules look at.
#[derive(Debug, Default)]
pub(super) struct Walk<'a> {
    /// Every expression and template.
    pub(super) leaves: Vec<Leaf<'a>>,
    /// Every place that names an operation.
    pub(super) calls: Vec<Call<'a>>,
    /// Leaves that are amounts of money in major units, and go into no operation.
    pub(super) amounts: Vec<LeafId>,
    /// Which of the leaves each definition has.
    definitions: Vec<(Owner<'a>, Range<LeafId>)>,
    /// The operation that is being walked.
    operation: Option<&'a str>,
}

impl<'a> Walk<'a> {
    /// Walks a library.
    pub(super) fn of(library: &'a Library) -> Self {
        let mut walk = Self::default();
        for connector in library.connectors.values() {
            let first = walk.leaves.len();
            connector::walk(&mut walk, connector);
            walk.definitions
                .push((Owner::Connector(connector), first..walk.leaves.len()));
        }
        for integration in library.integrations.values() {
            let first = walk.leaves.len();
            integration::walk(&mut walk, library, integration);
            walk.definitions
                .push((Owner::Integration(integration), first..walk.leaves.len()));
        }
        walk
    }

    /// The leaf of an id.
    pub(super) fn leaf(&self, id: LeafId) -> Option<&Leaf<'a>> {
        self.leaves.get(id)
    }

    /// Every definition with its leaves.
    pub(super) fn definitions(&self) -> impl Iterator<Item = (Owner<'a>, &[Leaf<'a>])> {
        self.definitions
            .iter()
            .map(|(owner, ids)| (*owner, self.leaves.get(ids.clone()).unwrap_or_default()))
    }

    fn template(
        &mut self,
        owner: Owner<'a>,
        key: &'a str,
        template: &'a Template,
        scope: &Rc<Scope<'a>>,
    ) -> LeafId {
        let shape = match (template.span(), template.fixed()) {
            // A default, or it stands for one that was reported.
            (None, _) => unknown(),
            (Some(_), Some(value)) => Shape {
                kind: Kind::Value(value.clone()),
                at: 0..template.source().len(),
            },
            // It compiled, so it parses; if it did not, there would be nothing to say here.
            (Some(_), None) => Shape::of_template(template.source()).unwrap_or_else(|_| unknown()),
        };
        {
            let broken = template.span().is_none() && template.fixed() == Some(&Document::Null);
            self.push(Leaf {
                owner,
                operation: self.operation,
                key,
                source: template.source(),
                span: template.span(),
                broken,
                shape,
                scope: Rc::clone(scope),
            })
        }
    }

    fn expression(
        &mut self,
        owner: Owner<'a>,
        key: &'a str,
        expression: &'a Expression,
        scope: &Rc<Scope<'a>>,
    ) -> LeafId {
        let shape = match expression.span() {
            Some(_) => Shape::of_expression(expression.source()).unwrap_or_else(|_| unknown()),
            None => unknown(),
        };
        self.push(Leaf {
            owner,
            operation: self.operation,
            key,
            source: expression.source(),
            span: expression.span(),
            broken: expression.span().is_none(),
            shape,
            scope: Rc::clone(scope),
        })
    }

    fn push(&mut self, leaf: Leaf<'a>) -> LeafId {
        self.leaves.push(leaf);
        self.leaves.len() - 1
    }

    fn templates(
        &mut self,
        owner: Owner<'a>,
        templates: impl IntoIterator<Item = (&'a String, &'a Template)>,
        scope: &Rc<Scope<'a>>,
    ) -> Vec<(&'a str, Given<'a>)> {
        templates
            .into_iter()
            .map(|(name, template)| {
                (
                    name.as_str(),
                    Given::Leaf(self.template(owner, name, template, scope)),
                )
            })
            .collect()
    }

    fn tree(
        &mut self,
        owner: Owner<'a>,
        key: &'a str,
        tree: &'a Tree,
        scope: &Rc<Scope<'a>>,
    ) -> Given<'a> {
        match tree {
            Tree::Leaf(template) => Given::Leaf(self.template(owner, key, template, scope)),
            Tree::Map(members) => Given::Map(
                members
                    .iter()
                    .map(|(name, tree)| (name.as_str(), self.tree(owner, name, tree, scope)))
                    .collect(),
            ),
            Tree::List(items) => Given::List(
                items
                    .iter()
                    .map(|tree| item(self.tree(owner, key, tree, scope)))
                    .collect(),
            ),
            Tree::Each { list, name, each } => {
                let id = self.expression(owner, "for", list, scope);
                let element = self.leaf(id).map_or_else(Entry::open, element);
                let inner = Rc::new(scope.as_ref().clone().with(name.as_str(), element));
                Given::Each(Box::new(self.tree(owner, key, each, &inner)))
            }
            Tree::If {
                condition,
                then,
                otherwise,
            } => {
                self.expression(owner, "if", condition, scope);
                let then = self.tree(owner, key, then, scope);
                let otherwise = otherwise
                    .as_ref()
                    .map(|tree| Box::new(self.tree(owner, key, tree, scope)));
                Given::Either(Box::new(then), otherwise)
            }
        }
    }
}

static EACH: LazyLock<Segment> = LazyLock::new(|| Segment {
    name: crate::schema::EACH.to_owned(),
    at: 0..0,
});

/// An item of a list: a `for` there gives its items to that list.
fn item(given: Given<'_>) -> Given<'_> {
    match given {
        Given::Each(one) => *one,
        Given::Either(then, otherwise) => Given::Either(
            Box::new(item(*then)),
            otherwise.map(|given| Box::new(item(*given))),
        ),
        other @ (Given::Leaf(_) | Given::Map(_) | Given::List(_)) => other,
    }
}

/// What is known of an element of the list that a leaf is.
fn element<'a>(list: &Leaf<'a>) -> Entry<'a> {
    let Some(name) = list.shape.name() else {
        return Entry::open();
    };
    let path: Vec<Segment> = name.iter().chain([&*EACH]).cloned().collect();
    list.scope.find(&path).unwrap_or_else(|_| Entry::open())
}

fn unknown() -> Shape {
    Shape {
        kind: Kind::Other(Vec::new()),
        at: 0..0,
    }
}

/// What is known of an operation's result.
fn result(operation: Option<&Operation>) -> Entry<'_> {
    let Some(operation) = operation else {
        return Entry::open();
    };
    let one = Entry::of(&operation.result.schema);
    if operation.result.list {
        Entry::List(Box::new(one))
    } else {
        one
    }
}

/// The names a delivery's receipt may have: what the write makes, finds by its look-up, or adopts.
fn receipt<'a>(connector: Option<&'a Connector>, operation: Option<&'a Operation>) -> Entry<'a> {
    let Some((operation, write)) = operation.and_then(|one| Some((one, one.write()?))) else {
        return Entry::open();
    };
    let mut names: IndexMap<&'a str, Entry<'a>> = IndexMap::new();
    let mut add = |receipt: &'a IndexMap<String, Template>| {
        names.extend(receipt.keys().map(|name| (name.as_str(), Entry::open())));
    };
    add(&write.receipt);
    if let Repeat::LookUp(spec) = &write.repeat {
        add(&spec.receipt);
    }
    let shared = connector.map_or(&[][..], |connector| &connector.outcomes);
    for rule in operation.outcomes.iter().chain(shared) {
        add(&rule.receipt);
        if let Some(adopt) = &rule.adopt {
            add(&adopt.receipt);
        }
    }
    Entry::Group(names)
}
