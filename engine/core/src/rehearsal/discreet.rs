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
        if let End::NotGiven(need) = &mut rehearsed.end
            && let Asked::Read {
                connection,
                operation,
                input,
                ..
            } = &mut need.what
            && let Some((_, operation)) = self.operation(connection, operation)
        {
            *input = masked(input, &operation.input);
        }
        if let End::Deliver(written) = &mut rehearsed.end
            && let Some((_, operation)) =
                self.operation(&written.prepared.connection, &written.prepared.operation)
        {
            written.prepared.input = masked(&written.prepared.input, &operation.input);
        }
        if let Some(events) = rehearsed
            .subject
            .as_mut()
            .and_then(|subject| subject.get_mut("events"))
        {
            *events = self.masked_event(events);
        }
        (self.masked_event(self.event), rehearsed)
    }

    fn masked_event(&self, event: &Document) -> Document {
        let source = &self.instance.integration.source;
        let connector = self
            .instance
            .integration
            .connections
            .get(&source.connection);
        let trigger = connector.and_then(|connector| connector.triggers.get(&source.trigger));
        let Some(trigger) = trigger else {
            return event.clone();
        };
        let several = self.instance.integration.aggregate.is_some();
        match event.as_array().filter(|_| several) {
            Some(events) => events
                .iter()
                .map(|event| masked(event, &trigger.schema))
                .collect(),
            None => masked(event, &trigger.schema),
        }
    }
}
