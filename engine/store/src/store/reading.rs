//! Reading: deliveries by what names them, their members and history, records, events.

use super::Store;
use crate::index::key;
use crate::index::row::{self, GroupRow};
use crate::model::{AuditRecord, Delivery, KeptContent, Members, Message, Selection};
use crate::{Error, read};
use bytes::Bytes;
use ml_connector_core::delivery::DeliveryState;
use ml_connector_core::identity::{
    DedupKey, DeliveryId, InstanceId, MessageId, OrderKey, Reference, StreamId,
};

impl Store {
    /// One delivery.
    ///
    /// # Errors
    /// If the index or its record cannot be read.
    #[expect(clippy::unused_async, reason = "another backend has to wait here")]
    pub async fn delivery_get(&self, id: DeliveryId) -> Result<Option<Delivery>, Error> {
        Ok(self.shared()?.delivery(id)?.map(|(_, delivery)| delivery))
    }

    /// What was prepared for a delivery's first claim, while it goes on with that.
    ///
    /// # Errors
    /// If its record cannot be read.
    #[expect(clippy::unused_async, reason = "another backend has to wait here")]
    pub async fn delivery_kept(&self, delivery: &Delivery) -> Result<Option<KeptContent>, Error> {
        let Some(position) = delivery.kept else {
            return Ok(None);
        };
        read::kept(&self.shared()?.journal, delivery.id, position).map(Some)
    }

    /// The delivery an instance made of a dedup key.
    ///
    /// # Errors
    /// If the index or a record cannot be read.
    #[expect(clippy::unused_async, reason = "another backend has to wait here")]
    pub async fn delivery_by_key(
        &self,
        instance: &InstanceId,
        key: &DedupKey,
    ) -> Result<Option<Delivery>, Error> {
        let found = self.shared()?.by(&key::ledger(instance, key))?;
        Ok(found.filter(|found| found.dedup_key == *key && found.instance == *instance))
    }

    /// The delivery an instance wrote under a reference; the latest, if there were several.
    ///
    /// # Errors
    /// If the index or a record cannot be read.
    #[expect(clippy::unused_async, reason = "another backend has to wait here")]
    pub async fn delivery_by_reference(
        &self,
        instance: &InstanceId,
        reference: &Reference,
    ) -> Result<Option<Delivery>, Error> {
        let found = self.shared()?.by(&key::reference(instance, reference))?;
        Ok(found.filter(|found| found.instance == *instance))
    }

    /// The events of a delivery that is made of several; nothing if it is made of one.
    ///
    /// # Errors
    /// If the index or a record cannot be read.
    pub async fn delivery_members(&self, delivery: &Delivery) -> Result<Option<Members>, Error> {
        let Some(group) = delivery.progress.group.clone() else {
            return Ok(None);
        };
        let (id, instance, own) = (delivery.id, delivery.instance.clone(), delivery.message);
        let created_at = delivery.created_at;
        self.blocking(move |shared| {
            let odd = || Error::Index("a member of a group cannot be read".to_owned());
            let prefix = key::members(id);
            let range = shared
                .view
                .range(&prefix, &key::behind(&prefix), usize::MAX)?;
            let mut members = Members {
                messages: vec![own],
                last_at: created_at,
                total: 0,
            };
            for (key, _) in range {
                let member = DeliveryId(key::last_number(&key).ok_or_else(odd)?);
                let (_, member) = shared.delivery(member)?.ok_or_else(odd)?;
                if member.state != (DeliveryState::Joined { into: id }) {
                    return Err(odd());
                }
                members.messages.push(member.message);
                members.last_at = members.last_at.max(member.created_at);
            }
            let row = shared.view.get(&key::group(&instance, &group.key))?;
            let row = row
                .and_then(|bytes| GroupRow::decode(&bytes))
                .ok_or_else(odd)?;
            members.total = row.total;
            Ok(Some(members))
        })
        .await
    }

    /// The last delivery of an order that is not finished, whether or not it was ever sent.
    ///
    /// # Errors
    /// If the index or a record cannot be read.
    #[expect(clippy::unused_async, reason = "another backend has to wait here")]
    pub async fn delivery_last_in_order(
        &self,
        instance: &InstanceId,
        order_key: &OrderKey,
    ) -> Result<Option<Delivery>, Error> {
        let shared = self.shared()?;
        let Some(ends) = shared.view.get(&key::order(instance, order_key))? else {
            return Ok(None);
        };
        let odd = || Error::Index("an order cannot be read".to_owned());
        let (_, last) = row::read_pair(&ends).ok_or_else(odd)?;
        let found = shared.delivery(DeliveryId(last))?;
        Ok(found.map(|(_, delivery)| delivery).filter(|found| {
            found.instance == *instance
                && found.order_key.as_ref() == Some(order_key)
                && !found.state.kind().is_terminal()
        }))
    }

    /// A page of deliveries by id. Selecting by text reads the record of every delivery that the rest of the selection
    /// leaves, so it takes seconds where there are millions.
    ///
    /// # Errors
    /// If the index or a record cannot be read.
    pub async fn delivery_list(&self, selection: &Selection) -> Result<Vec<Delivery>, Error> {
        let selection = selection.clone();
        self.blocking(move |shared| shared.list(&selection)).await
    }

    /// Everything that happened to a delivery, oldest first, starting with its message.
    ///
    /// # Errors
    /// If a record cannot be read.
    pub async fn delivery_history(&self, id: DeliveryId) -> Result<Vec<AuditRecord>, Error> {
        self.blocking(move |shared| match shared.view.row(id)? {
            Some(row) => read::history(&shared.journal, id, row.position),
            None => Ok(Vec::new()),
        })
        .await
    }

    /// The records after a sequence number, in order, at most so many.
    ///
    /// # Errors
    /// If a record cannot be read.
    pub async fn records(&self, after: u64, limit: usize) -> Result<Vec<AuditRecord>, Error> {
        self.blocking(move |shared| {
            let mut records = Vec::new();
            let Some(from) = shared.near(after.saturating_add(1))? else {
                return Ok(records);
            };
            let mut next = shared.journal.next_start(from);
            while let Some(position) = next.filter(|_| records.len() < limit) {
                let frame = shared.journal.read(position)?;
                if frame.header.sequence > after {
                    records.push(read::record(&shared.journal, position, &frame)?);
                }
                next = shared
                    .journal
                    .next_start(position + u64::from(frame.header.length));
            }
            Ok(records)
        })
        .await
    }

    /// A stored event.
    ///
    /// # Errors
    /// If the index or its record cannot be read.
    #[expect(clippy::unused_async, reason = "another backend has to wait here")]
    pub async fn message_get(&self, id: MessageId) -> Result<Option<Message>, Error> {
        self.shared()?.message(id)
    }

    /// The bytes of an event as it was accepted, by its id in its stream.
    ///
    /// # Errors
    /// If the index or its record cannot be read.
    #[expect(clippy::unused_async, reason = "another backend has to wait here")]
    pub async fn event_get(&self, stream: &StreamId, id: &str) -> Result<Option<Bytes>, Error> {
        let shared = self.shared()?;
        let Some(found) = shared.view.get(&key::seen(stream, id))? else {
            return Ok(None);
        };
        let odd = || Error::Index("an accepted event cannot be read".to_owned());
        let position = row::read_number(&found).ok_or_else(odd)?;
        let (frame, event) = read::event(&shared.journal, position)?;
        let same = event.event_id == id && event.stream == *stream;
        Ok(same.then(|| frame.into_body()))
    }
}
