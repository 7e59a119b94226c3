//! Cases: the analyst's unit tests, run without a network.
//!
//! A case states an event, what the systems would answer, and what must come of it. It runs through the same code as a
//! delivery ([`crate::rehearsal`]); what came of it is written down in the form of the case's `expect` and compared member
//! by member. What a case does not state is not compared.
//!
//! A case of a statement says instead what was posted, and what reconciling it must show ([`crate::reconcile`]).

mod actual;
mod difference;
mod reconciled;
mod request;

pub use difference::{Difference, differences};
pub use reconciled::{Posted, Statement};
pub use request::{query_parameters, request_document};

use crate::definition::with_defaults;
use crate::http::HttpResponse;
use crate::identity::{ConnectionId, CrosswalkId, InstanceId, IntegrationId};
use crate::plan::{Connection, Connector, Instance, Integration, Library};
use crate::rehearsal::{Asked, End, Given, Need, Rehearsal, Rehearsed};
use crate::source::Span;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::Value as Document;
use std::sync::Arc;

/// A case, lowered from its file.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it shows, in a sentence.
    pub name: String,
    /// The integration it tests.
    pub integration: IntegrationId,
    /// The settings of each connection, by the integration's name for it.
    pub settings: IndexMap<String, Document>,
    /// The integration's parameters, an object.
    pub params: Document,
    /// The event; a list of them where several make one delivery. Null beside a statement.
    pub event: Document,
    /// What is reconciled, where it is a statement of the source and no event.
    pub statement: Option<Statement>,
    /// Which delivery of its key a group of events makes, and how many events came under that key in all if not just these.
    pub group: (u32, Option<u64>),
    /// The receipt of each required delivery, by its name.
    pub requires: IndexMap<String, Given>,
    /// What each read gives, by its name; a null document for "not there".
    pub fetch: IndexMap<String, Given>,
    /// Matching tables by name: key to columns. Asked where `fetch` does not say what an entry is.
    pub crosswalks: IndexMap<String, IndexMap<String, Document>>,
    /// What the target answers.
    pub answer: Option<HttpResponse>,
    /// What must come of it, as written: `{ deliver: … }`, `{ skipped: … }`, `{ held: … }`, `{ not_routed: true }`,
    /// `{ reconciled: … }` or `{ not_reconciled: true }`.
    pub expect: Document,
    /// Where the case stands.
    pub span: Span,
    /// Where its `expect` stands.
    pub expect_span: Span,
}

/// How a case went.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// As expected.
    Passed,
    /// Something else came of it.
    Failed {
        /// Where, in the terms of `expect`.
        differences: Vec<Difference>,
        /// What came of it, in the form of `expect`, as far as the case states it.
        actual: Document,
    },
    /// It did not come to an end.
    Broken {
        /// Why.
        why: String,
        /// How to mend it.
        help: String,
    },
}

/// Times in cases are measured from here, so that a case gives the same today and in ten years.
pub const CASE_TIME: Timestamp = Timestamp::UNIX_EPOCH;

/// Runs a case.
pub fn run(library: &Library, case: &Case) -> Verdict {
    let Some(integration) = library.integrations.get(&case.integration) else {
        return Verdict::Broken {
            why: format!("there is no integration `{}`", case.integration),
            help: "name one that is defined".to_owned(),
        };
    };
    let actual = if let Some(statement) = &case.statement {
        match reconciled::document(integration, case, statement) {
            Ok(actual) => actual,
            Err((why, help)) => return Verdict::Broken { why, help },
        }
    } else {
        let rehearsed = rehearse(integration, case);
        if let End::NotGiven(need) = &rehearsed.end {
            return not_given(need);
        }
        actual::document(&rehearsed)
    };
    let actual = actual::as_stated(&case.expect, actual);
    let differences = differences("expect", &case.expect, &actual);
    if differences.is_empty() {
        Verdict::Passed
    } else {
        Verdict::Failed {
            differences,
            actual,
        }
    }
}

/// Takes a case's event through its integration.
pub fn rehearse(integration: &Arc<Integration>, case: &Case) -> Rehearsed {
    let (instance, connections) = stage(integration, &case.settings, &case.params);
    let rehearsal = Rehearsal {
        instance: &instance,
        connections: &connections,
        event: &case.event,
        group: case.group,
        now: CASE_TIME,
        mask_personal: false,
    };
    rehearsal.run(&mut |need| given(case, need), case.answer.as_ref())
}

/// An instance of an integration without a site: its connections and tables have the integration's own names, and
/// settings and parameters that are not given have their defaults.
pub fn stage(
    integration: &Arc<Integration>,
    settings: &IndexMap<String, Document>,
    params: &Document,
) -> (Instance, IndexMap<ConnectionId, Arc<Connection>>) {
    let connection = |(name, connector): (&String, &Arc<Connector>)| {
        let given = settings.get(name).unwrap_or(&Document::Null);
        let connection = Connection {
            id: ConnectionId::new(name),
            connector: Arc::clone(connector),
            settings: with_defaults(&connector.settings, given),
            secrets: IndexMap::new(),
            poll_pace: IndexMap::new(),
            rate_limit: None,
        };
        (ConnectionId::new(name), Arc::new(connection))
    };
    let table = |name: &&str| ((*name).to_owned(), CrosswalkId::new(*name));
    let instance = Instance {
        id: InstanceId::new(integration.id.as_str()),
        integration: Arc::clone(integration),
        connections: integration
            .connections
            .keys()
            .map(|name| (name.clone(), ConnectionId::new(name)))
            .collect(),
        params: with_defaults(&integration.params, params),
        crosswalks: integration.tables().iter().map(table).collect(),
        // A case is about what is written, not when.
        windows: None,
    };
    (
        instance,
        integration.connections.iter().map(connection).collect(),
    )
}

/// What a case gives for a need; nothing if it does not say.
pub fn given(case: &Case, need: &Need) -> Option<Given> {
    match &need.what {
        Asked::Read { .. } => case.fetch.get(&need.name).cloned(),
        Asked::Delivery { .. } => {
            let given = case.requires.get(&need.name).cloned();
            Some(given.unwrap_or(Given::Document(Document::Null)))
        }
        Asked::Crosswalk { table, key } => case.fetch.get(&need.name).cloned().or_else(|| {
            let table = case.crosswalks.get(table.as_str())?;
            Some(Given::Document(
                table.get(key).cloned().unwrap_or(Document::Null),
            ))
        }),
    }
}

fn not_given(need: &Need) -> Verdict {
    let name = &need.name;
    let (what, help) = match &need.what {
        Asked::Read {
            operation, input, ..
        } => (
            format!("`{name}` reads `{operation}` with {input}"),
            format!("say under `fetch: {{ {name}: … }}` what it gives, null for \"not there\""),
        ),
        Asked::Crosswalk { table, key } => (
            format!("`{name}` asks crosswalk `{table}` for `{key}`"),
            format!(
                "say under `fetch: {{ {name}: … }}` or `crosswalks: {{ {table}: … }}` what is there"
            ),
        ),
        Asked::Delivery { integration, key } => (
            format!("`{name}` requires `{key}` of `{integration}`"),
            format!("say under `requires: {{ {name}: … }}` what its receipt is"),
        ),
    };
    Verdict::Broken {
        why: format!("{what}, and the case does not say what that gives"),
        help,
    }
}
