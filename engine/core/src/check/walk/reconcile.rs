//! The expressions of a reconciliation and what each may read.

use super::super::locate::{Owner, Route, route};
use super::super::scope::{Entry, Scope};
use super::integration::{find, required};
use super::{Call, Given, Walk, Wants, element, result};
use crate::plan::{
    Asking, Each, Fetch, FetchFrom, FoundRule, Integration, Library, LineRule, Reconcile,
};
use crate::schema::EACH;
use std::rc::Rc;

/// The reads of one part of a reconciliation.
pub(in super::super) struct Reads<'a> {
    /// Where they stand.
    pub(in super::super) at: Route,
    /// They.
    pub(in super::super) reads: &'a [Fetch],
}

/// Every part of a reconciliation that reads something, and where that stands.
pub(in super::super) fn reads(reconcile: &Reconcile) -> Vec<Reads<'_>> {
    let lines = reconcile.lines.iter().map(|line| Reads {
        at: route(["reconcile", "lines", &line.kind, "fetch"]),
        reads: &line.fetch,
    });
    let own = Reads {
        at: route(["reconcile", "fetch"]),
        reads: &reconcile.fetch,
    };
    std::iter::once(own).chain(lines).collect()
}

/// One reconciliation on its way.
struct One<'w, 'a> {
    walk: &'w mut Walk<'a>,
    library: &'a Library,
    integration: &'a Integration,
    owner: Owner<'a>,
}

pub(super) fn walk<'a>(
    walk: &mut Walk<'a>,
    library: &'a Library,
    integration: &'a Integration,
    reconcile: &'a Reconcile,
) {
    let mut one = One {
        walk,
        library,
        integration,
        owner: Owner::Integration(integration),
    };
    let base = Scope::new()
        .with("params", Entry::of(&integration.params))
        .refusing("event", "a reconciliation reads a `statement`, no event");
    let named = base.clone().with("id", Entry::text());
    let single = one.asking(&reconcile.one, "one", &Rc::new(named));
    let period = base
        .clone()
        .with("since", Entry::text())
        .with("until", Entry::maybe_text());
    let listed = one.asking(&reconcile.list, "list", &Rc::new(period));
    // Both give statements; what the list says of them is what lines may rely on, if it says anything.
    let statement = listed.find(&[EACH]).unwrap_or(single);
    let mut scope = base.with("statement", statement);
    let early = Rc::new(scope.clone());
    if let Some(when) = &reconcile.when {
        one.walk.expression(one.owner, "when", when, &early);
    }
    one.walk.template(one.owner, "id", &reconcile.id, &early);
    scope = one.reads(&reconcile.fetch, &route(["reconcile", "fetch"]), scope);
    for line in &reconcile.lines {
        one.line(line, &scope);
    }
}

impl<'a> One<'_, 'a> {
    fn asking(&mut self, asking: &'a Asking, key: &str, scope: &Rc<Scope<'a>>) -> Entry<'a> {
        let given = self.walk.templates(self.owner, &asking.with, scope);
        let at = route(["reconcile", key]);
        self.call(&asking.connection, &asking.operation, &at, given)
    }

    fn call(
        &mut self,
        connection: &str,
        operation: &'a str,
        at: &Route,
        given: Vec<(&'a str, Given<'a>)>,
    ) -> Entry<'a> {
        let (connector, target) = find(self.integration, connection, operation);
        let below = |key: &str| at.iter().cloned().chain([key.to_owned()]).collect();
        self.walk.calls.push(Call {
            owner: self.owner,
            connector,
            operation,
            wants: Wants::Read,
            what: "a reconciliation",
            route: below("operation"),
            input_route: Some(below("with")),
            given,
        });
        result(target)
    }

    /// The scope with what is read, each seeing the earlier ones.
    fn reads(&mut self, fetches: &'a [Fetch], at: &Route, mut scope: Scope<'a>) -> Scope<'a> {
        for (number, fetch) in fetches.iter().enumerate() {
            let mut seen = scope.clone();
            for later in fetches.iter().skip(number) {
                seen = seen.refusing(&later.name, format!("`{}` is read later", later.name));
            }
            let seen = Rc::new(seen);
            if let Some(when) = &fetch.when {
                self.walk.expression(self.owner, "when", when, &seen);
            }
            let entry = match &fetch.from {
                FetchFrom::Operation {
                    connection,
                    operation,
                    with,
                } => {
                    let given = self.walk.templates(self.owner, with, &seen);
                    let at = at.iter().cloned().chain([fetch.name.clone()]).collect();
                    self.call(connection, operation, &at, given)
                }
                FetchFrom::Value(_) => Entry::open(),
                FetchFrom::Crosswalk { key, .. } => {
                    self.walk.template(self.owner, "key", key, &seen);
                    Entry::open()
                }
            };
            scope = scope.with(&fetch.name, entry);
        }
        scope
    }

    /// The scope with the element of a list.
    fn each(&mut self, each: Option<&'a Each>, scope: &Scope<'a>) -> Scope<'a> {
        let Some(each) = each else {
            return scope.clone();
        };
        let seen = Rc::new(scope.clone());
        let id = self.walk.expression(self.owner, "for", &each.list, &seen);
        let entry = self.walk.leaf(id).map_or_else(Entry::open, element);
        scope.clone().with(each.name.as_str(), entry)
    }

    fn line(&mut self, line: &'a LineRule, scope: &Scope<'a>) {
        let scope = self.each(line.each.as_ref(), scope);
        let seen = Rc::new(scope.clone());
        self.walk.template(self.owner, "key", &line.key, &seen);
        self.amount(&line.amount, &seen);
        self.walk
            .template(self.owner, "currency", &line.currency, &seen);
        self.walk.template(self.owner, "date", &line.date, &seen);
        let (by, name) = (line.posted.by.template(), line.posted.by.word());
        self.walk.template(self.owner, name, by, &seen);
        let receipt = required(self.library, line.posted.integration.as_str());
        let scope = scope.with("delivery", delivery(receipt));
        let at = route(["reconcile", "lines", &line.kind, "fetch"]);
        let scope = self.reads(&line.fetch, &at, scope);
        self.found(&line.found, &scope);
    }

    fn found(&mut self, found: &'a FoundRule, scope: &Scope<'a>) {
        let seen = Rc::new(self.each(found.each.as_ref(), scope));
        self.amount(&found.amount, &seen);
        let further = [("currency", &found.currency), ("document", &found.document)];
        for (name, template) in further {
            if let Some(template) = template {
                self.walk.template(self.owner, name, template, &seen);
            }
        }
    }

    fn amount(&mut self, amount: &'a crate::template::Template, seen: &Rc<Scope<'a>>) {
        let id = self.walk.template(self.owner, "amount", amount, seen);
        self.walk.amounts.push(id);
    }
}

/// What is known of a delivery.
fn delivery(receipt: Entry<'_>) -> Entry<'_> {
    let text = Entry::text;
    Entry::Group(
        [
            ("id", text()),
            ("event_id", text()),
            ("dedup_key", text()),
            ("order_key", Entry::maybe_text()),
            ("reference", Entry::maybe_text()),
            ("receipt", receipt),
        ]
        .into(),
    )
}
