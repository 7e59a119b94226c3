//! Several events that make one delivery: when their group is complete, and what the mapping then reads.

use super::{MAPPING_FAILURE, given_to, misfit};
use crate::delivery::{Event, Trouble, later};
use crate::identity::ConnectionId;
use crate::plan::{Aggregate, Instance};
use crate::protocol::duration_in;
use crate::template::{Scope, Template};
use jiff::Timestamp;
use serde_json::{Value as Document, json};
use std::time::Duration;

/// How far a group has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered {
    /// What its events have in common.
    pub key: String,
    /// Which delivery of that key it is, counted from 1.
    pub number: u32,
    /// Its events so far.
    pub count: u64,
    /// All events that ever came under its key, in this and in other deliveries.
    pub total: u64,
    /// When the first of them was accepted.
    pub first_at: Timestamp,
    /// When the last of them was accepted.
    pub last_at: Timestamp,
}

/// What is to be done about a group whose delivery is due.
#[derive(Debug, Clone, PartialEq)]
pub enum Gathering {
    /// This has happened to the delivery.
    Is(Event),
    /// A read says whether it is complete; ask [`completeness`] with its result.
    Ask {
        /// Which connection.
        connection: ConnectionId,
        /// Which operation.
        operation: String,
        /// Its input, valid against its schema.
        input: Document,
    },
}

impl Gathered {
    /// As expressions read it.
    pub fn document(&self) -> Document {
        json!({ "key": self.key, "number": self.number, "count": self.count, "total": self.total })
    }
}

/// What is to be done about a group whose delivery is due.
///
/// # Errors
/// If the read that says whether it is complete cannot be asked.
pub fn gathering(
    instance: &Instance,
    gathered: &Gathered,
    now: Timestamp,
) -> Result<Gathering, Trouble> {
    let aggregate = aggregate(instance)?;
    let end = end(instance, aggregate, gathered)?;
    if now >= end {
        return Ok(Gathering::Is(Event::GroupClosed));
    }
    let quiet_at = later(gathered.last_at, quiet(instance, aggregate)?);
    if now < quiet_at {
        let due_at = quiet_at.min(end);
        return Ok(Gathering::Is(Event::GroupWaits { due_at }));
    }
    let Some(complete) = &aggregate.complete else {
        return Ok(Gathering::Is(Event::GroupClosed));
    };
    let group = gathered.document();
    let scope = Scope::new()
        .with("group", &group)
        .with("params", &instance.params);
    let connector = instance.integration.connections.get(&complete.connection);
    let operation = connector
        .and_then(|connector| connector.operations.get(&complete.operation))
        .ok_or_else(|| misfit(format!("there is no operation `{}`", complete.operation)))?;
    let connection = instance.connections.get(&complete.connection).cloned();
    Ok(Gathering::Ask {
        connection: connection
            .ok_or_else(|| misfit(format!("`{}` is not bound", complete.connection)))?,
        operation: complete.operation.clone(),
        input: given_to(operation, &complete.with, &scope, "aggregate.complete")?,
    })
}

/// What the result of [`Gathering::Ask`] means for the group.
///
/// # Errors
/// If `when` has no value.
pub fn completeness(
    instance: &Instance,
    gathered: &Gathered,
    result: &Document,
    now: Timestamp,
) -> Result<Event, Trouble> {
    let aggregate = aggregate(instance)?;
    let holds = match (&aggregate.complete, result) {
        (None, _) => true,
        (Some(_), Document::Null) => false,
        (Some(complete), result) => {
            let group = gathered.document();
            let scope = Scope::new()
                .with("result", result)
                .with("group", &group)
                .with("params", &instance.params);
            complete
                .when
                .holds(&scope)
                .map_err(|error| Trouble::Lasting {
                    class: MAPPING_FAILURE,
                    why: format!("aggregate.complete.when: {error}"),
                    help: "correct the integration, then retry it".to_owned(),
                    awaits: None,
                })?
        }
    };
    if holds {
        return Ok(Event::GroupClosed);
    }
    let due_at = later(now, quiet(instance, aggregate)?);
    let due_at = due_at.min(end(instance, aggregate, gathered)?);
    Ok(Event::GroupWaits { due_at })
}

/// What the mapping of a delivery of several events reads in place of an event.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the events belong to the subject from here on"
)]
pub fn subject(events: Vec<Document>, group: &Gathered) -> Document {
    json!({ "events": events, "group": group.document() })
}

fn aggregate(instance: &Instance) -> Result<&Aggregate, Trouble> {
    let aggregate = instance.integration.aggregate.as_ref();
    aggregate.ok_or_else(|| {
        misfit("the integration does not make one delivery of several events any more")
    })
}

fn quiet(instance: &Instance, aggregate: &Aggregate) -> Result<Duration, Trouble> {
    length(instance, &aggregate.quiet, "quiet")
}

fn end(
    instance: &Instance,
    aggregate: &Aggregate,
    gathered: &Gathered,
) -> Result<Timestamp, Trouble> {
    let Some(max) = &aggregate.max else {
        return Ok(Timestamp::MAX);
    };
    Ok(later(gathered.first_at, length(instance, max, "max")?))
}

fn length(instance: &Instance, template: &Template, key: &str) -> Result<Duration, Trouble> {
    let scope = Scope::new().with("params", &instance.params);
    duration_in(template, &scope).map_err(|error| misfit(format!("aggregate.{key}: {error}")))
}
