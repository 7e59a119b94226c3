//! One delivery's preparation, in turns.

use super::{Next, Prepared, Supply, failure, misfit, reference, required_key};
use crate::delivery::{Awaited, Class, Receipt, Trouble};
use crate::identity::CrosswalkId;
use crate::input::in_words;
use crate::plan::{
    Fetch, FetchFrom, HoldRule, Instance, Missing, Operation, Require, RequireBy, SkipRule,
};
use crate::protocol::tree;
use crate::template::{EvalError, Expression, Read, Scope, Shared, Template};
use crate::value::scalar_text;
use indexmap::IndexMap;
use serde_json::{Map, Value as Document};

/// One delivery's preparation: ask [`Preparation::next`], answer with [`Preparation::supply`],
/// until it ends.
#[derive(Debug)]
pub struct Preparation<'a> {
    pub(super) instance: &'a Instance,
    /// What it is about: `event`, or `events` and `group`.
    about: Vec<(&'static str, Shared<'a>)>,
    pub(super) params: Shared<'a>,
    /// Receipts required and results fetched so far, in order.
    pub(super) known: Vec<(&'a str, Shared<'a>)>,
    /// Entries of the matching table that is being read key by key.
    gathered: Map<String, Document>,
    asked_skips: Vec<bool>,
    asked_holds: Vec<bool>,
    /// What the last answer ended the preparation with.
    end: Option<End>,
}

#[derive(Debug, Clone)]
enum End {
    Skip(String),
    Trouble(Trouble),
}

/// What a need asks for now.
enum Question {
    /// This.
    Ask(Next),
    /// Nothing, because this is what it is: null where it is not to be read.
    Known(Document),
    /// Nothing more: every key has its entry.
    Gathered,
}

/// What is needed in this turn.
#[derive(Clone, Copy)]
enum Need<'a> {
    Delivery(&'a Require),
    Fetch(&'a Fetch),
}

impl Need<'_> {
    const fn missing(self) -> Missing {
        match self {
            Self::Delivery(require) => require.missing,
            Self::Fetch(fetch) => fetch.missing,
        }
    }

    /// Whether it is a matching table read at several keys.
    const fn several(self) -> bool {
        matches!(
            self,
            Self::Fetch(Fetch {
                from: FetchFrom::Crosswalk { several: true, .. },
                ..
            })
        )
    }

    fn name(&self) -> &str {
        match self {
            Self::Delivery(require) => &require.name,
            Self::Fetch(fetch) => &fetch.name,
        }
    }
}

impl<'a> Preparation<'a> {
    /// Starts. Where several events make one delivery, `event` is what [`super::subject`] made of them.
    pub fn new(instance: &'a Instance, event: &'a Document) -> Self {
        let about = match &instance.integration.aggregate {
            None => vec![("event", Shared::of(event))],
            Some(_) => ["events", "group"]
                .into_iter()
                .filter_map(|name| Some((name, Shared::of(event.get(name)?))))
                .collect(),
        };
        Self {
            instance,
            about,
            params: Shared::of(&instance.params),
            known: Vec::new(),
            gathered: Map::new(),
            asked_skips: vec![false; instance.integration.skip.len()],
            asked_holds: vec![false; instance.integration.hold.len()],
            end: None,
        }
    }

    /// What is needed next. Once ended, it stays ended.
    #[expect(
        clippy::should_implement_trait,
        reason = "each turn needs an answer before the next: this is no iterator"
    )]
    pub fn next(&mut self) -> Next {
        loop {
            match &self.end {
                Some(End::Skip(reason)) => {
                    return Next::Skip {
                        reason: reason.clone(),
                    };
                }
                Some(End::Trouble(trouble)) => return Next::Trouble(trouble.clone()),
                None => {}
            }
            match self.turn() {
                Ok(Some(next)) => return next,
                Ok(None) => {}
                Err(trouble) => self.end = Some(End::Trouble(trouble)),
            }
        }
    }

    /// One turn; `None` where there is another one at once.
    fn turn(&mut self) -> Result<Option<Next>, Trouble> {
        self.end = self.judged()?;
        if self.end.is_some() {
            return Ok(None);
        }
        let Some(need) = self.need() else {
            return Ok(Some(Next::Ready(Box::new(self.prepared()?))));
        };
        match self.asked(need)? {
            Question::Ask(next) => Ok(Some(next)),
            Question::Known(value) => {
                self.know(value);
                Ok(None)
            }
            Question::Gathered => {
                let entries = std::mem::take(&mut self.gathered);
                self.know(Document::Object(entries));
                Ok(None)
            }
        }
    }

    /// The name under which the integration will see what is needed now.
    pub fn needs(&self) -> Option<&'a str> {
        self.need().map(|need| match need {
            Need::Delivery(require) => require.name.as_str(),
            Need::Fetch(fetch) => fetch.name.as_str(),
        })
    }

    /// Answers the last need.
    pub fn supply(&mut self, supply: Supply) {
        let Some(need) = self.need() else { return };
        match supply {
            Supply::Found(document) => match lacking_column(need, &document) {
                None => self.learn(need, document),
                Some(column) => {
                    let why = format!("`{}` has no `{column}`", need.name());
                    self.missing(need, None, &why);
                    self.await_column(column);
                }
            },
            Supply::Missing { awaits, why } => self.missing(need, awaits, &why),
            Supply::NotYet { awaits, why } => {
                self.end = Some(End::Trouble(Trouble::Lasting {
                    class: Class::MissingMasterData,
                    why,
                    help: "it goes on by itself when that delivery has ended".to_owned(),
                    awaits: Some(awaits),
                }));
            }
            Supply::Failed(trouble) => self.end = Some(End::Trouble(trouble)),
        }
    }

    /// Crosswalk entries to write with the delivery's success. Null values are left out.
    ///
    /// # Errors
    /// If a template has no value. The delivery itself succeeded all the same.
    pub fn remember(
        &self,
        receipt: &Receipt,
    ) -> Result<Vec<(CrosswalkId, String, Document)>, Trouble> {
        let receipt = Document::Object(receipt.0.clone().into_iter().collect());
        let scope = self.scope().with("receipt", &receipt);
        let mut entries = Vec::new();
        for remember in &self.instance.integration.remember {
            let place = format!("remember.{}", remember.table);
            let key = remember.key.text(&scope).map_err(at(&place))?;
            let mut values = Map::new();
            for (name, template) in &remember.values {
                let value = template
                    .value(&scope)
                    .map_err(at(&format!("{place}.{name}")))?;
                if !value.is_null() {
                    values.insert(name.clone(), value);
                }
            }
            entries.push((self.table(&remember.table), key, Document::Object(values)));
        }
        Ok(entries)
    }

    fn scope(&self) -> Scope<'_> {
        let mut scope = Scope::new();
        for (name, shared) in &self.about {
            scope.share(name, shared);
        }
        scope.share("params", &self.params);
        for (name, shared) in &self.known {
            scope.share(name, shared);
        }
        scope
    }

    /// Requirements first, then fetches, each once.
    fn need(&self) -> Option<Need<'a>> {
        let integration = &self.instance.integration;
        let requires = integration.requires.iter().map(Need::Delivery);
        requires
            .chain(integration.fetch.iter().map(Need::Fetch))
            .nth(self.known.len())
    }

    /// What was asked for last: all of what is needed, or the entry of one key of several.
    fn learn(&mut self, need: Need<'a>, document: Document) {
        match self.asked(need) {
            Ok(Question::Ask(Next::Crosswalk { key, .. })) if need.several() => {
                self.gathered.insert(key, document);
            }
            _ => self.know(document),
        }
    }

    fn know(&mut self, document: Document) {
        if let Some(name) = self.needs() {
            self.known.push((name, Shared::owned(document)));
        }
    }

    /// Asks every rule that has not been asked and whose names are all there.
    fn judged(&mut self) -> Result<Option<End>, Trouble> {
        let integration = &self.instance.integration;
        for (at, rule) in integration.skip.iter().enumerate() {
            let ready = !self.asked_skips.get(at).copied().unwrap_or(true)
                && self.can_read(rule.when.reads(), rule.reason.reads());
            if ready {
                mark(&mut self.asked_skips, at);
                if self.holds(&rule.when, "skip")? {
                    return Ok(Some(End::Skip(self.reason_to_skip(rule))));
                }
            }
        }
        for (at, rule) in integration.hold.iter().enumerate() {
            let ready = !self.asked_holds.get(at).copied().unwrap_or(true)
                && self.can_read(rule.when.reads(), rule.reason.reads());
            if ready {
                mark(&mut self.asked_holds, at);
                if self.holds(&rule.when, "hold")? {
                    return Ok(Some(End::Trouble(self.reason_to_hold(rule))));
                }
            }
        }
        Ok(None)
    }

    /// Whether nothing among these names is still to be required or fetched.
    fn can_read(&self, when: &[Read], reason: &[Read]) -> bool {
        let integration = &self.instance.integration;
        let requires = integration.requires.iter().map(|require| &require.name);
        let names = requires.chain(integration.fetch.iter().map(|fetch| &fetch.name));
        let outstanding: Vec<&String> = names.skip(self.known.len()).collect();
        let roots = when
            .iter()
            .chain(reason)
            .filter_map(|read| read.path.first());
        !roots.into_iter().any(|root| outstanding.contains(&root))
    }

    fn holds(&self, when: &Expression, place: &str) -> Result<bool, Trouble> {
        when.holds(&self.scope())
            .map_err(at(&format!("{place}.when")))
    }

    fn reason_to_skip(&self, rule: &SkipRule) -> String {
        // The rule holds; that its words cannot be made does not change that.
        rule.reason
            .text(&self.scope())
            .unwrap_or_else(|_| rule.when.source().to_owned())
    }

    fn reason_to_hold(&self, rule: &HoldRule) -> Trouble {
        let reason = rule.reason.text(&self.scope());
        Trouble::Lasting {
            class: rule.class,
            why: reason.unwrap_or_else(|_| rule.when.source().to_owned()),
            help: rule.help.clone(),
            awaits: None,
        }
    }

    /// The question for the shell.
    fn asked(&self, need: Need<'a>) -> Result<Question, Trouble> {
        let scope = self.scope();
        let fetch = match need {
            Need::Fetch(fetch) => fetch,
            Need::Delivery(require) => {
                let (RequireBy::DedupKey(template) | RequireBy::Reference(template)) = &require.by;
                let text = template
                    .text(&scope)
                    .map_err(at(&format!("requires.{}", require.name)))?;
                return Ok(Question::Ask(Next::Delivery {
                    integration: require.integration.clone(),
                    by: required_key(&require.by, text),
                }));
            }
        };
        let place = format!("fetch.{}", fetch.name);
        if let Some(when) = &fetch.when
            && !when.holds(&scope).map_err(at(&format!("{place}.when")))?
        {
            return Ok(Question::Known(Document::Null));
        }
        match &fetch.from {
            FetchFrom::Value(tree) => {
                let made = tree::evaluate(tree, &scope, &format!("{place}.value"));
                let made = made.map_err(|error| failure(error.to_string()))?;
                Ok(Question::Known(made.unwrap_or_default()))
            }
            FetchFrom::Operation {
                connection,
                operation,
                with,
            } => {
                let found = self.operation(connection, operation)?;
                let input = given(with, &scope, &place)?;
                Ok(Question::Ask(Next::Read {
                    connection: self.connection(connection)?,
                    operation: operation.clone(),
                    input: complete(found, input)?,
                }))
            }
            FetchFrom::Crosswalk {
                table,
                key,
                several,
                ..
            } => {
                let table = self.table(table);
                if !several {
                    let key = key.text(&scope).map_err(at(&format!("{place}.key")))?;
                    return Ok(Question::Ask(Next::Crosswalk { table, key }));
                }
                let place = format!("{place}.keys");
                let keys = keys_of(&key.value(&scope).map_err(at(&place))?)
                    .ok_or_else(|| failure(format!("{place}: it is not a list of texts")))?;
                let next = keys
                    .into_iter()
                    .find(|key| !self.gathered.contains_key(key));
                Ok(next.map_or(Question::Gathered, |key| {
                    Question::Ask(Next::Crosswalk { table, key })
                }))
            }
        }
    }

    fn missing(&mut self, need: Need<'a>, awaits: Option<Awaited>, why: &str) {
        match need.missing() {
            Missing::Null => self.learn(need, Document::Null),
            Missing::Skip => self.end = Some(End::Skip(format!("`{}`: {why}", need.name()))),
            Missing::Hold => {
                let (awaits, help) = self.way_out(need, awaits);
                self.end = Some(End::Trouble(Trouble::Lasting {
                    class: Class::MissingMasterData,
                    why: format!("`{}`: {why}", need.name()),
                    help,
                    awaits,
                }));
            }
        }
    }

    /// The entry is there: what is waited for is its column. Waiting for the entry would end at once, for ever.
    fn await_column(&mut self, column: &str) {
        let Some(End::Trouble(Trouble::Lasting { awaits, .. })) = &mut self.end else {
            return;
        };
        if let Some(Awaited::Crosswalk { table, key }) = awaits.take() {
            let column = column.to_owned();
            *awaits = Some(Awaited::Column { table, key, column });
        }
    }

    /// What would release the record, and the next step for a person.
    fn way_out(&self, need: Need<'a>, awaits: Option<Awaited>) -> (Option<Awaited>, String) {
        let Need::Fetch(fetch) = need else {
            let help = "it goes on by itself when that delivery has ended".to_owned();
            return (awaits, help);
        };
        match &fetch.from {
            FetchFrom::Value(_) => (awaits, String::new()),
            FetchFrom::Operation { connection, .. } => {
                let help = format!("look for it in `{connection}`, then retry it");
                (awaits, help)
            }
            FetchFrom::Crosswalk { key, columns, .. } => {
                // It was asked for under this key a moment ago.
                let Ok(Question::Ask(Next::Crosswalk { table, key: asked })) = self.asked(need)
                else {
                    return (awaits, format!("set the entry for `{}`", key.source()));
                };
                let columns: Vec<String> =
                    columns.iter().map(|column| format!("{column}=…")).collect();
                let help = format!(
                    "ml-connector crosswalk set {} {} {}",
                    shell_word(table.as_str()),
                    shell_word(&asked),
                    columns.join(" ")
                );
                (
                    Some(Awaited::Crosswalk { table, key: asked }),
                    help.trim_end().to_owned(),
                )
            }
        }
    }

    fn prepared(&self) -> Result<Prepared, Trouble> {
        let sink = &self.instance.integration.sink;
        let operation = self.operation(&sink.connection, &sink.operation)?;
        let scope = self.scope();
        let reference = match &sink.reference {
            Some(template) => Some(reference::checked(template, operation, &scope)?),
            None => None,
        };
        let mut fields = Map::new();
        for (name, tree) in &sink.fields {
            let value = tree::evaluate(tree, &scope, &format!("sink.fields.{name}"))
                .map_err(|error| failure(error.to_string()))?;
            fields.extend(value.map(|value| (name.clone(), value)));
        }
        Ok(Prepared {
            connection: self.connection(&sink.connection)?,
            operation: sink.operation.clone(),
            input: complete(operation, fields)?,
            reference,
        })
    }

    fn operation(&self, connection: &str, name: &str) -> Result<&'a Operation, Trouble> {
        let connector = self.instance.integration.connections.get(connection);
        connector
            .and_then(|connector| connector.operations.get(name))
            .map(AsRef::as_ref)
            .ok_or_else(|| misfit(format!("`{connection}` has no operation `{name}`")))
    }

    fn connection(&self, name: &str) -> Result<crate::identity::ConnectionId, Trouble> {
        let bound = self.instance.connections.get(name).cloned();
        bound.ok_or_else(|| {
            misfit(format!(
                "`{name}` is not bound to a connection of this site"
            ))
        })
    }

    fn table(&self, name: &str) -> CrosswalkId {
        self.instance
            .crosswalks
            .get(name)
            .cloned()
            .unwrap_or_else(|| CrosswalkId::new(name))
    }
}

/// The keys of a list, whole numbers as text.
fn keys_of(list: &Document) -> Option<Vec<String>> {
    list.as_array()?.iter().map(scalar_text).collect()
}

/// The first declared column that a crosswalk entry does not have.
fn lacking_column<'a>(need: Need<'a>, document: &Document) -> Option<&'a str> {
    let Need::Fetch(Fetch {
        from: FetchFrom::Crosswalk { columns, .. },
        ..
    }) = need
    else {
        return None;
    };
    let has = |column: &String| match document.get(column) {
        None | Some(Document::Null) => false,
        Some(Document::String(text)) => !text.is_empty(),
        Some(_) => true,
    };
    columns
        .iter()
        .find(|column| !has(column))
        .map(String::as_str)
}

fn mark(asked: &mut [bool], at: usize) {
    if let Some(asked) = asked.get_mut(at) {
        *asked = true;
    }
}

fn at(place: &str) -> impl FnOnce(EvalError) -> Trouble {
    let place = place.to_owned();
    move |error| failure(format!("{place}: {error}"))
}

/// An operation's input, made of templates.
pub(crate) fn given_to(
    operation: &Operation,
    with: &IndexMap<String, Template>,
    scope: &Scope<'_>,
    place: &str,
) -> Result<Document, Trouble> {
    complete(operation, given(with, scope, place)?)
}

fn given(
    with: &IndexMap<String, Template>,
    scope: &Scope<'_>,
    place: &str,
) -> Result<Map<String, Document>, Trouble> {
    let mut input = Map::new();
    for (name, template) in with {
        let value = template
            .value(scope)
            .map_err(at(&format!("{place}.with.{name}")))?;
        input.insert(name.clone(), value);
    }
    Ok(input)
}

fn complete(operation: &Operation, input: Map<String, Document>) -> Result<Document, Trouble> {
    operation.input.complete(input).map_err(|problems| {
        failure(format!(
            "input of `{}`: {}",
            operation.name,
            in_words(&problems)
        ))
    })
}

/// A word as a shell takes it: quoted where it must be.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
