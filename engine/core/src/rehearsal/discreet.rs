//! A rehearsal without personal values: what may be shown to whoever runs a preview.

use super::{Asked, End, Rehearsal, Rehearsed};
use crate::masking::masked;
use serde_json::Value as Document;

impl Rehearsal<'_> {
    /// The event and what came of it, with masks in place of every value that a schema declares as personal.
    pub fn discreet(&self, rehearsed: &Rehearsed) -> (Document, Rehearsed) {
        let mut rehearsed = rehearsed.clone();
        for answered in &mut rehearsed.answered {
            if let Asked::Read {
                connection,
                operation,
                input,
                ..
            } = &mut answered.need.what
                && let Some((_, operation)) = self.operation(connection, operation)
            {
                *input = masked(input, &operation.input);
                let result = &operation.result;
                let items = answered.document.as_array().filter(|_| result.list);
                answered.document = match items {
                    Some(items) => items
                        .iter()
                        .map(|item| masked(item, &result.schema))
                        .collect(),
                    None => masked(&answered.document, &result.schema),
                };
            }
        }
        if let End::Deliver(written) = &mut rehearsed.end
            && let Some((_, operation)) =
                self.operation(&written.prepared.connection, &written.prepared.operation)
        {
            written.prepared.input = masked(&written.prepared.input, &operation.input);
        }
        (self.masked_event(), rehearsed)
    }

    fn masked_event(&self) -> Document {
        let source = &self.instance.integration.source;
        let connector = self
            .instance
            .integration
            .connections
            .get(&source.connection);
        let trigger = connector.and_then(|connector| connector.triggers.get(&source.trigger));
        trigger.map_or_else(
            || self.event.clone(),
            |trigger| masked(self.event, &trigger.schema),
        )
    }
}
