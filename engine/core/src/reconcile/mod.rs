//! Reconciliation: what a source says that it has done, against what was posted, line by line and to the last digit.
//!
//! An integration's section `reconcile` says what is compared. A *statement* of the source (a payout, a settlement) has
//! *lines*; each line names the deliveries that should have posted it, and how what they posted is read in the target.
//!
//! Nothing is read here. The shell hands in the [`Answers`] it has; whatever is missing comes back as a [`Question`], is
//! asked once, and everything is evaluated again with one answer more. So the same code serves the engine, which asks
//! systems, and the cases, which hold the answers.

mod compare;
mod statement;
#[cfg(test)]
mod tests;

pub use compare::{Line, LineState, Standing, assign, compare};
pub use statement::{Posting, Statement};

use crate::delivery::Trouble;
use crate::identity::{ConnectionId, CrosswalkId, IntegrationId};
use crate::mapping::{failure, given_to, misfit};
use crate::plan::{Asking, Fetch, FetchFrom, Instance, Operation, Reconcile};
use crate::template::{EvalError, Scope, Template};
use crate::value::{Number, kind_of};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::Value as Document;
use std::collections::HashMap;
use std::time::Duration;

/// Something the shell has to find out.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// A read of a system.
    Read {
        /// Which connection.
        connection: ConnectionId,
        /// Which operation.
        operation: String,
        /// Its input, valid against its schema.
        input: Document,
    },
    /// An entry of a matching table.
    Crosswalk {
        /// Which table.
        table: CrosswalkId,
        /// Which key.
        key: String,
    },
}

impl Question {
    fn name(&self) -> String {
        match self {
            Self::Read {
                connection,
                operation,
                input,
            } => format!("{connection}.{operation} {input}"),
            Self::Crosswalk { table, key } => format!("{table} {key}"),
        }
    }
}

/// What has been found out. What is not there is null.
#[derive(Debug, Default)]
pub struct Answers(HashMap<String, Document>);

impl Answers {
    /// Takes an answer.
    pub fn add(&mut self, question: &Question, answer: Document) {
        self.0.insert(question.name(), answer);
    }

    fn to(&self, question: &Question) -> Option<&Document> {
        self.0.get(&question.name())
    }
}

/// A result, or what has to be found out before there is one.
#[derive(Debug)]
pub enum Turn<T> {
    /// The result.
    Done(T),
    /// This first.
    Ask {
        /// The name under which the definition reads it.
        read: String,
        /// What is to be found out.
        question: Question,
    },
}

/// An amount of money, exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount {
    /// In major units.
    pub value: Decimal,
    /// ISO 4217 code.
    pub currency: String,
}

/// A line of a statement, as the source says it.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// Its kind, by the definition's name.
    pub kind: String,
    /// What it is about.
    pub key: String,
    /// What should stand in the target.
    pub amount: Amount,
    /// Its date; of a day its middle.
    pub at: Timestamp,
    /// Its date as the source writes it.
    pub date: String,
    /// The integration whose deliveries post it.
    pub integration: IntegrationId,
    /// How these are named.
    pub by: Named,
    /// Number of its rule.
    rule: usize,
    /// The element it was made of.
    element: Document,
}

/// How the deliveries that post a line are named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// By one of these order keys.
    OrderKeys(Vec<String>),
    /// By their dedup key.
    DedupKey(String),
    /// By our reference.
    Reference(String),
}

/// A document of the target, found for a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its amount.
    pub amount: Amount,
    /// What the target calls it.
    pub document: Option<String>,
}

/// The reconciliation of an instance.
#[derive(Debug, Clone, Copy)]
pub struct Reconciling<'a> {
    instance: &'a Instance,
    rule: &'a Reconcile,
}

impl<'a> Reconciling<'a> {
    /// Of an instance; nothing if its integration has none.
    pub fn new(instance: &'a Instance) -> Option<Self> {
        let rule = instance.integration.reconcile.as_ref()?;
        Some(Self { instance, rule })
    }

    /// How long before a line's date what posts it may have been accepted.
    pub const fn reach(&self) -> Duration {
        self.rule.reach
    }

    /// What gives the statement with this id.
    ///
    /// # Errors
    /// If the definition has no value for it.
    pub fn one(&self, id: &str) -> Result<Question, Trouble> {
        let scope = self.scope().with_owned("id", id.into());
        self.asking(&self.rule.one, &scope, "reconcile.one")
    }

    /// What gives the statements of a period.
    ///
    /// # Errors
    /// If the definition has no value for it.
    pub fn period(&self, since: Timestamp, until: Option<Timestamp>) -> Result<Question, Trouble> {
        let until = until.map_or(Document::Null, |until| until.to_string().into());
        let scope = self
            .scope()
            .with_owned("since", since.to_string().into())
            .with_owned("until", until);
        self.asking(&self.rule.list, &scope, "reconcile.list")
    }

    /// Whether a statement is reconciled.
    ///
    /// # Errors
    /// If `when` has no value.
    pub fn wants(&self, statement: &Document) -> Result<bool, Trouble> {
        let Some(when) = &self.rule.when else {
            return Ok(true);
        };
        let scope = self.scope().with("statement", statement);
        when.holds(&scope).map_err(at("reconcile.when"))
    }

    /// What a statement is called.
    ///
    /// # Errors
    /// If `id` has no value.
    pub fn id(&self, statement: &Document) -> Result<String, Trouble> {
        let scope = self.scope().with("statement", statement);
        self.rule.id.text(&scope).map_err(at("reconcile.id"))
    }

    fn scope(&self) -> Scope<'a> {
        Scope::new().with("params", &self.instance.params)
    }

    fn asking(&self, asking: &Asking, scope: &Scope<'_>, place: &str) -> Result<Question, Trouble> {
        let operation = self.operation(&asking.connection, &asking.operation)?;
        Ok(Question::Read {
            connection: self.connection(&asking.connection)?,
            operation: asking.operation.clone(),
            input: given_to(operation, &asking.with, scope, place)?,
        })
    }

    /// What a read asks; nothing if it is not to be read.
    fn read(
        &self,
        fetch: &Fetch,
        scope: &Scope<'_>,
        place: &str,
    ) -> Result<Option<Question>, Trouble> {
        let place = format!("{place}.fetch.{}", fetch.name);
        if let Some(when) = &fetch.when
            && !when.holds(scope).map_err(at(&format!("{place}.when")))?
        {
            return Ok(None);
        }
        let question = match &fetch.from {
            // The table of what a reconciliation reads has no values.
            FetchFrom::Value(_) => return Ok(None),
            FetchFrom::Operation {
                connection,
                operation,
                with,
            } => Question::Read {
                connection: self.connection(connection)?,
                operation: operation.clone(),
                input: given_to(self.operation(connection, operation)?, with, scope, &place)?,
            },
            FetchFrom::Crosswalk { table, key, .. } => {
                let own = self.instance.crosswalks.get(table).cloned();
                Question::Crosswalk {
                    table: own.unwrap_or_else(|| CrosswalkId::new(table)),
                    key: key.text(scope).map_err(at(&format!("{place}.key")))?,
                }
            }
        };
        Ok(Some(question))
    }

    fn operation(&self, connection: &str, operation: &str) -> Result<&'a Operation, Trouble> {
        let connector = self.instance.integration.connections.get(connection);
        connector
            .and_then(|connector| connector.operations.get(operation))
            .map(AsRef::as_ref)
            .ok_or_else(|| misfit(format!("there is no operation `{connection}.{operation}`")))
    }

    fn connection(&self, name: &str) -> Result<ConnectionId, Trouble> {
        let bound = self.instance.connections.get(name).cloned();
        bound.ok_or_else(|| misfit(format!("`{name}` is not bound to a connection")))
    }
}

fn at(place: &str) -> impl FnOnce(EvalError) -> Trouble {
    let place = place.to_owned();
    move |error| failure(format!("{place}: {error}"))
}

/// An amount that a template gives: a number, or a text that is strictly one.
fn decimal(template: &Template, scope: &Scope<'_>, place: &str) -> Result<Decimal, Trouble> {
    let value = template.value(scope).map_err(at(place))?;
    let number = match &value {
        Document::String(text) => Number::from_text(text),
        Document::Null
        | Document::Bool(_)
        | Document::Number(_)
        | Document::Array(_)
        | Document::Object(_) => Number::of(&value),
    };
    let number =
        number.ok_or_else(|| failure(format!("{place}: it is {}, no amount", kind_of(&value))))?;
    number
        .decimal()
        .map_err(|error| failure(format!("{place}: {error}")))
}
