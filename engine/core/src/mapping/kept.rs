//! What a preparation leaves behind: enough to write the record, look it up and remember it without preparing it again.

use super::{Preparation, Prepared};
use crate::delivery::{Receipt, Trouble};
use crate::identity::{ConnectionId, CrosswalkId, Reference};
use crate::plan::Instance;
use crate::template::{Shared, Template};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Document};
use std::collections::BTreeSet;
use std::fmt;

/// The name of an integration's parameters.
const PARAMS: &str = "params";

/// A prepared write as it is kept with its first claim. `Debug` shows no content.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    connection: ConnectionId,
    operation: String,
    input: Document,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<Reference>,
    /// What `remember` reads of what was required, fetched and set as parameters, by name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    facts: Map<String, Document>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("connection", &self.connection)
            .field("operation", &self.operation)
            .field("reference", &self.reference)
            .finish_non_exhaustive()
    }
}

impl Kept {
    /// Of what was prepared, with what its success will be remembered by.
    pub fn of(prepared: &Prepared, preparation: &Preparation<'_>) -> Self {
        let integration = &preparation.instance.integration;
        let templates = integration
            .remember
            .iter()
            .flat_map(|remember| std::iter::once(&remember.key).chain(remember.values.values()));
        let reads = templates.flat_map(Template::reads);
        let names: BTreeSet<&String> = reads.filter_map(|read| read.path.first()).collect();
        let known = preparation.known.iter();
        let known = known.map(|(name, shared)| (*name, shared));
        let facts = std::iter::once((PARAMS, &preparation.params)).chain(known);
        let facts = facts.filter(|(name, _)| names.iter().any(|read| read == name));
        let facts = facts.map(|(name, shared)| (name.to_owned(), shared.document().clone()));
        Self {
            connection: prepared.connection.clone(),
            operation: prepared.operation.clone(),
            input: prepared.input.clone(),
            reference: prepared.reference.clone(),
            facts: facts.collect(),
        }
    }

    /// What was prepared.
    pub fn prepared(&self) -> Prepared {
        Prepared {
            connection: self.connection.clone(),
            operation: self.operation.clone(),
            input: self.input.clone(),
            reference: self.reference.clone(),
        }
    }

    /// As [`Preparation::remember`]: the present definition's entries, of what was known then.
    ///
    /// # Errors
    /// If a template has no value, e.g. because it reads what was not read then.
    pub fn remember(
        &self,
        instance: &Instance,
        event: &Document,
        receipt: &Receipt,
    ) -> Result<Vec<(CrosswalkId, String, Document)>, Trouble> {
        let mut preparation = Preparation::new(instance, event);
        if let Some(params) = self.facts.get(PARAMS) {
            preparation.params = Shared::of(params);
        }
        let others = self.facts.iter().filter(|(name, _)| *name != PARAMS);
        preparation.known = others
            .map(|(name, document)| (name.as_str(), Shared::of(document)))
            .collect();
        preparation.remember(receipt)
    }
}
