//! What a delivery is about: its event, or the events of its group; and when a group is complete.

use super::aim::Turned;
use super::{Done, Job};
use crate::connection::{Asked, NotNow, Read};
use crate::settle::NotRecorded;
use ml_connector_core::delivery::{Class, Event, Trouble};
use ml_connector_core::identity::{ConnectionId, MessageId};
use ml_connector_core::mapping::{self, Gathered, Gathering};
use ml_connector_core::plan::Instance;
use ml_connector_store::{Error, Members};
use serde_json::Value as Document;

impl Job {
    /// Whether further events may still join the delivery.
    pub(super) fn is_open(&self) -> bool {
        let group = self.delivery.progress.group.as_ref();
        group.is_some_and(|group| group.open)
    }

    /// The delivery's group is due: closes it, or says when to ask again. What joins it between here and the commit that
    /// closes it is part of it all the same.
    pub(super) async fn gather(&mut self, instance: &Instance) -> Turned {
        let members = self.context.store.delivery_members(&self.delivery).await?;
        let Some(gathered) = members.and_then(|members| self.gathered(&members)) else {
            self.context.store.delivery_release(self.delivery.id).await;
            return Ok(Done::Moved);
        };
        let now = self.context.now();
        let event = match mapping::gathering(instance, &gathered, now) {
            Ok(Gathering::Is(event)) => event,
            Ok(Gathering::Ask {
                connection,
                operation,
                input,
            }) => match self.complete(&connection, &operation, &input).await {
                Ok(result) => match mapping::completeness(instance, &gathered, &result, now) {
                    Ok(event) => event,
                    Err(trouble) => Event::NotPrepared(trouble),
                },
                Err(NotNow::Closed) => return Ok(self.waits_for(connection)),
                Err(NotNow::Trouble(trouble)) => Event::NotPrepared(trouble),
            },
            Err(trouble) => Event::NotPrepared(trouble),
        };
        self.apply(event).await
    }

    /// What the read that says whether a group is complete gives; null if it finds nothing.
    async fn complete(
        &self,
        connection: &ConnectionId,
        operation: &str,
        input: &Document,
    ) -> Result<Document, NotNow> {
        let missing = || {
            NotNow::Trouble(super::aim::configuration(format!(
                "`{connection}` has no operation `{operation}`"
            )))
        };
        let link = self.links.get(connection).ok_or_else(missing)?;
        let operations = &link.plan().connector.operations;
        let operation = operations.get(operation).ok_or_else(missing)?;
        match link.read(operation, Asked::with(input)).await? {
            Read::Found(result) => Ok(result),
            Read::NotFound(_) => Ok(Document::Null),
        }
    }

    fn gathered(&self, members: &Members) -> Option<Gathered> {
        let group = self.delivery.progress.group.as_ref()?;
        Some(Gathered {
            key: group.key.clone(),
            number: group.number,
            count: u64::try_from(members.messages.len()).unwrap_or(u64::MAX),
            total: members.total,
            first_at: self.delivery.created_at,
            last_at: members.last_at,
        })
    }

    /// What the mapping reads: the stored event as document, or those of the group.
    pub(super) async fn event(
        &self,
        instance: &Instance,
    ) -> Result<Result<Document, Trouble>, NotRecorded> {
        let several = instance.integration.aggregate.is_some();
        let members = self.context.store.delivery_members(&self.delivery).await?;
        let members = match (several, members) {
            (false, None) => return Ok(self.stored(self.delivery.message).await?),
            (true, Some(members)) => members,
            (true, None) => {
                let why = "it was accepted without a group, because its key could not be told";
                return Ok(Err(accepted_otherwise(why)));
            }
            (false, Some(_)) => {
                let why = "it is made of several events, and the integration takes one";
                return Ok(Err(accepted_otherwise(why)));
            }
        };
        let mut events = Vec::with_capacity(members.messages.len());
        for id in &members.messages {
            match self.stored(*id).await? {
                Ok(event) => events.push(event),
                Err(trouble) => return Ok(Err(trouble)),
            }
        }
        Ok(match self.gathered(&members) {
            Some(gathered) => Ok(mapping::subject(events, &gathered)),
            None => Err(accepted_otherwise("it has no group")),
        })
    }

    async fn stored(&self, id: MessageId) -> Result<Result<Document, Trouble>, Error> {
        let trouble = |why: String| {
            let help = "verify the store with `ml-connector store verify`".to_owned();
            Err(Trouble::Lasting {
                class: Class::Configuration,
                why,
                help,
                awaits: None,
            })
        };
        Ok(match self.context.store.message_get(id).await? {
            Some(message) => match serde_json::from_slice(&message.raw) {
                Ok(event) => Ok(event),
                Err(error) => trouble(format!("the stored event {id} cannot be read: {error}")),
            },
            None => trouble(format!("the event {id} is not in the store")),
        })
    }
}

/// The definition changed, or failed, under a delivery.
fn accepted_otherwise(why: &str) -> Trouble {
    Trouble::Lasting {
        class: Class::Configuration,
        why: why.to_owned(),
        help: "discard it, and take its event up again with the present definition".to_owned(),
        awaits: None,
    }
}
