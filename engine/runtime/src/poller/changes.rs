//! Lists that do not say what has changed: the whole list is read each time, and an item is an event if its content is not
//! what it was.
//!
//! What is known of an item is stored in the commit that accepts the event about it, so a crash between the two cannot lose
//! a change. An item whose content is what it was causes no write. In memory are one page and sixteen bytes for each item.

use super::backlog::Item;
use super::reading::{Listed, Pages, Reading};
use super::{Failed, definition};
use bytes::Bytes;
use ml_connector_core::identity::StreamId;
use ml_connector_core::plan::Changes;
use ml_connector_core::protocol::fingerprint;
use ml_connector_store::Print;
use serde_json::{Value as Document, json};
use sha2::{Digest as _, Sha256};
use std::collections::HashSet;

/// Known items read from the store at once, and events of one commit.
const PART: usize = 500;

/// What stands for an item that was listed.
type Short = [u8; 16];

fn event_id(id: &str, number: u64) -> String {
    format!("{id} #{number}")
}

fn short(id: &str) -> Short {
    let digest: [u8; 32] = Sha256::digest(id).into();
    digest.first_chunk().copied().unwrap_or_default()
}

impl Reading<'_> {
    /// Reads the whole list and accepts what differs from what is known.
    pub(super) async fn changed(&self, changes: &Changes) -> Result<(), Failed> {
        let (mut seen, mut lists) = (HashSet::new(), HashSet::new());
        for over in self.over().await? {
            let list = self.list(over.as_ref())?;
            let mut pages = Pages::over(self, Document::Null, over)?;
            while let Some(items) = pages.next().await? {
                self.page(changes, list.as_deref(), items, &mut seen)
                    .await?;
            }
            lists.insert(list);
        }
        if changes.deleted {
            self.gone(changes, &seen, &lists).await?;
        }
        Ok(())
    }

    /// What tells a list apart from the others that the poll goes over.
    fn list(&self, over: Option<&Document>) -> Result<Option<String>, Failed> {
        let id = self.poll.over.as_ref().and_then(|over| over.id.as_ref());
        let (Some(id), Some(over)) = (id, over) else {
            return Ok(None);
        };
        let found = id.of(over, self.now);
        let none = || definition(format!("an item that it goes over has no {}", id.words()));
        found.map(Some).ok_or_else(none)
    }

    async fn page(
        &self,
        changes: &Changes,
        list: Option<&str>,
        items: Vec<Document>,
        seen: &mut HashSet<Short>,
    ) -> Result<(), Failed> {
        let poll = self.poller.cursor_id();
        let (mut events, mut prints, mut odd) = (Vec::new(), Vec::new(), Vec::new());
        for item in items {
            let Some(id) = self.trigger.id.of(&item, self.now) else {
                odd.push(item);
                continue;
            };
            // One that is listed twice, on the edge of two pages, counts as it was listed first.
            if !seen.insert(short(&id)) {
                continue;
            }
            let print = fingerprint(&item, &changes.of, &changes.ignore);
            let known = self.poller.context.store.print(&poll, &id).await;
            let known = known.map_err(Failed::Store)?;
            if let Some(same) = known
                .as_ref()
                .filter(|known| known.print.as_ref() == Some(&print))
            {
                // It stands in another list than it did, or that was not kept yet.
                if same.list.as_deref() != list {
                    let list = list.map(str::to_owned);
                    prints.push(Print {
                        list,
                        ..same.clone()
                    });
                }
                continue;
            }
            let new = known.as_ref().is_none_or(|known| known.print.is_none());
            let number = known.map_or(0, |known| known.number) + 1;
            let (change, before) = if new {
                ("new", Document::Null)
            } else {
                ("changed", self.before(&id, number).await?)
            };
            events.push(self.event(change, &id, number, &item, &before)?);
            prints.push(Print {
                id,
                print: Some(print),
                number,
                list: list.map(str::to_owned),
            });
        }
        events.extend(self.listed(None, odd)?);
        let (trigger, poller) = (self.trigger, self.poller);
        poller.accept_with(trigger, events, None, prints).await
    }

    fn event(
        &self,
        change: &str,
        id: &str,
        number: u64,
        item: &Document,
        before: &Document,
    ) -> Result<Listed, Failed> {
        let event =
            json!({ "change": change, "id": id, "number": number, "item": item, "before": before });
        let raw = Bytes::from(serde_json::to_vec(&event).map_err(definition)?);
        let (id, at) = (event_id(id, number), self.now);
        Ok(Listed::Fine(Item { id, raw, at }))
    }

    /// What an item was before its change of this number: what the last event about it said. Whoever corrects what was made
    /// of it takes that back, whenever the event is read.
    async fn before(&self, id: &str, number: u64) -> Result<Document, Failed> {
        let (store, plan) = (&self.poller.context.store, self.poller.link.plan());
        let stream = StreamId::of(&plan.id, &self.trigger.stream);
        let last = event_id(id, number.saturating_sub(1));
        let found = store.event_get(&stream, &last).await;
        let Some(found) = found.map_err(Failed::Store)? else {
            return Ok(Document::Null);
        };
        let event: Document = serde_json::from_slice(&found).map_err(definition)?;
        Ok(event.get("item").cloned().unwrap_or_default())
    }

    /// Whole lists have been read: what was known of them and is in none is gone, unless that is so much that the lists were
    /// probably not all of it. What stood in a list that was not read now is where it was.
    async fn gone(
        &self,
        changes: &Changes,
        seen: &HashSet<Short>,
        lists: &HashSet<Option<String>>,
    ) -> Result<(), Failed> {
        let (store, poll) = (&self.poller.context.store, self.poller.cursor_id());
        let (mut known, mut gone) = (0_usize, Vec::new());
        let mut after: Option<String> = None;
        loop {
            let part = store.prints(&poll, after.as_deref(), PART).await;
            let part = part.map_err(Failed::Store)?;
            let last = part.len() < PART;
            after = part.last().map(|print| print.id.clone());
            let there = |print: &Print| print.print.is_some() && lists.contains(&print.list);
            for print in part.into_iter().filter(there) {
                known += 1;
                if !seen.contains(&short(&print.id)) {
                    gone.push(print);
                }
            }
            if last {
                break;
            }
        }
        let share = usize::try_from(changes.deleted_share_max).unwrap_or(usize::MAX);
        let most = (known.saturating_mul(share) / 100).max(1);
        if gone.len() > most || !gone.is_empty() && seen.is_empty() {
            let (gone, poll) = (gone.len(), self.poller.name());
            return Err(definition(format!(
                "{gone} of {known} known items are not in the list of {poll} any more: that is more than \
                 `deleted_share_max` allows, so none is taken for deleted; raise it if they are gone"
            )));
        }
        for part in gone.chunks(PART) {
            let (mut events, mut prints) = (Vec::new(), Vec::new());
            for Print {
                id, number, list, ..
            } in part
            {
                let number = number + 1;
                let before = self.before(id, number).await?;
                events.push(self.event("deleted", id, number, &Document::Null, &before)?);
                prints.push(Print {
                    id: id.clone(),
                    print: None,
                    number,
                    list: list.clone(),
                });
            }
            let (trigger, poller) = (self.trigger, self.poller);
            poller.accept_with(trigger, events, None, prints).await?;
        }
        Ok(())
    }
}
