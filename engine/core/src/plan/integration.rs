//! Integrations: which events, what is read, what is written.

use super::{Connector, Reconcile, Tree};
use crate::calendar::Windows;
use crate::delivery::{Class, RetryPolicy};
use crate::identity::IntegrationId;
use crate::template::{Expression, Template};
use indexmap::IndexMap;
use serde_json::Value as Document;
use std::sync::Arc;

/// One flow: which events, what is read, what is written.
#[derive(Debug)]
pub struct Integration {
    /// Its name.
    pub id: IntegrationId,
    /// For people.
    pub title: String,
    /// JSON Schema (an object schema) of its parameters.
    pub params: Document,
    /// The connector each connection name it uses must have.
    pub connections: IndexMap<String, Arc<Connector>>,
    /// Where events come from.
    pub source: Source,
    /// Which of its events it has had. Sees `event`, `params`.
    pub dedup_key: Template,
    /// What must go in order. Sees `event`, `params`.
    pub order_key: Option<Template>,
    /// Deliveries this one waits for. In order, before `fetch`.
    pub requires: Vec<Require>,
    /// What is read before mapping, in order; each sees the earlier ones.
    pub fetch: Vec<Fetch>,
    /// Reasons to do nothing, each asked as soon as everything it reads is there: one that reads only `event` and
    /// `params` is asked before anything is fetched. See `event`, `params` and everything fetched.
    pub skip: Vec<SkipRule>,
    /// Reasons to wait for a person, asked like `skip` and after it. See the same.
    pub hold: Vec<HoldRule>,
    /// What is written.
    pub sink: Sink,
    /// Crosswalk entries written in the commit that records the delivery. See the fields scope and `receipt`.
    pub remember: Vec<Remember>,
    /// Spacing and end of retries.
    pub retry: RetryPolicy,
    /// When deliveries may be made; a site may override it. `None`: at any time.
    pub windows: Option<Windows>,
    /// Makes one delivery of several events; then everything from `requires` on sees `events` and `group` in place of
    /// `event`.
    pub aggregate: Option<Aggregate>,
    /// What the source says that it has done, and how it is found among what was posted.
    pub reconcile: Option<Reconcile>,
}

impl Integration {
    /// Everything that is read: for its events, and to reconcile.
    pub fn reads(&self) -> impl Iterator<Item = &Fetch> {
        let reconcile = self.reconcile.iter().flat_map(|one| {
            let lines = one.lines.iter().flat_map(|line| &line.fetch);
            one.fetch.iter().chain(lines)
        });
        self.fetch.iter().chain(reconcile)
    }

    /// The matching tables it reads or writes, each once.
    pub fn tables(&self) -> Vec<&str> {
        let read = self.reads().filter_map(|fetch| match &fetch.from {
            FetchFrom::Crosswalk { table, .. } => Some(table.as_str()),
            FetchFrom::Operation { .. } | FetchFrom::Value(_) => None,
        });
        let mut tables = Vec::new();
        for table in read.chain(self.remember.iter().map(|one| one.table.as_str())) {
            if !tables.contains(&table) {
                tables.push(table);
            }
        }
        tables
    }
}

/// Which events make one delivery, and when it is complete.
#[derive(Debug)]
pub struct Aggregate {
    /// What the events of one delivery have in common. Sees `event`, `params`.
    pub key: Template,
    /// It is complete when no further event came for so long: a duration. Sees `params`.
    pub quiet: Template,
    /// It is complete at the latest this long after its first event: a duration. Sees `params`.
    pub max: Option<Template>,
    /// The most events in one delivery; further ones begin the next.
    pub events_max: u32,
    /// What else must hold before it is complete.
    pub complete: Option<Complete>,
    /// How much one delivery may hold.
    pub split: Option<Split>,
}

/// Asks a system whether all events of a group have come.
#[derive(Debug)]
pub struct Complete {
    /// Connection name.
    pub connection: String,
    /// Read operation's name.
    pub operation: String,
    /// Its input. Sees `group`, `params`.
    pub with: IndexMap<String, Template>,
    /// Whether it is complete. Sees `result`, `group`, `params`.
    pub when: Expression,
}

/// Cuts the events of a key into several deliveries, each of whole events.
#[derive(Debug)]
pub struct Split {
    /// What an event weighs, a whole number. Sees `event`, `params`.
    pub weigh: Template,
    /// The most that the events of one delivery weigh together; an event that alone weighs more has one of its own.
    pub max: u64,
}

/// Where an integration's events come from.
#[derive(Debug)]
pub struct Source {
    /// Connection name.
    pub connection: String,
    /// The stream's trigger.
    pub trigger: String,
    /// Which events. Sees `event`, `params`.
    pub when: Option<Expression>,
}

/// Another delivery this one needs.
#[derive(Debug)]
pub struct Require {
    /// Its receipt is seen as this name.
    pub name: String,
    /// The integration that makes it.
    pub integration: IntegrationId,
    /// Its dedup key or reference. Sees `event`, `params`.
    pub by: RequireBy,
    /// What happens when there is none.
    pub missing: Missing,
}

/// How a required delivery is named.
#[derive(Debug)]
pub enum RequireBy {
    /// By its dedup key.
    DedupKey(Template),
    /// By our reference.
    Reference(Template),
}

/// What happens when something looked for is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Held until it appears.
    Hold,
    /// Skipped, with that reason.
    Skip,
    /// Null goes on.
    Null,
}

/// One read before mapping, or a value made of earlier ones.
#[derive(Debug)]
pub struct Fetch {
    /// Seen as this name from here on.
    pub name: String,
    /// Whether it is read at all; what is not read is null. Sees `event`, `params`, earlier fetches.
    pub when: Option<Expression>,
    /// What is read.
    pub from: FetchFrom,
    /// What happens when it is not there.
    pub missing: Missing,
}

/// Where a fetch reads.
#[derive(Debug)]
pub enum FetchFrom {
    /// Nowhere: it is made of what was read before. Sees `event`, `params`, earlier fetches.
    Value(Tree),
    /// A read operation of a connection.
    Operation {
        /// Connection name.
        connection: String,
        /// Operation name.
        operation: String,
        /// Its input. Sees `event`, `params`, earlier fetches.
        with: IndexMap<String, Template>,
    },
    /// A matching table.
    Crosswalk {
        /// Table name.
        table: String,
        /// The key, or the list of keys. Sees `event`, `params`, earlier fetches.
        key: Template,
        /// Whether `key` is a list: what is known then is a map of key to entry.
        several: bool,
        /// The columns it must have.
        columns: Vec<String>,
    },
}

/// A reason to do nothing.
#[derive(Debug)]
pub struct SkipRule {
    /// Whether it applies.
    pub when: Expression,
    /// For people.
    pub reason: Template,
}

/// A reason to wait for a person.
#[derive(Debug)]
pub struct HoldRule {
    /// Whether it applies.
    pub when: Expression,
    /// What kind of trouble.
    pub class: Class,
    /// For people, without personal data.
    pub reason: Template,
    /// The next step in plain words.
    pub help: String,
}

/// What is written.
#[derive(Debug)]
pub struct Sink {
    /// Connection name.
    pub connection: String,
    /// Write operation's name.
    pub operation: String,
    /// What the look-up finds it by.
    pub reference: Option<Template>,
    /// The operation's input.
    pub fields: Vec<(String, Tree)>,
}

/// A crosswalk entry to write.
#[derive(Debug)]
pub struct Remember {
    /// Table name.
    pub table: String,
    /// Its key.
    pub key: Template,
    /// Its values.
    pub values: IndexMap<String, Template>,
}
