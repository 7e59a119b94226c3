//! What a record changes in the index. Pure: the same records give the same index, live or rebuilt.

use super::base::{Reflected, Unusable};
use super::changes::Changes;
use super::key;
use super::row::{self, GroupRow, Row};
use super::view::{GroupChanges, View, odd};
use crate::entry::{
    Entry, EventEntry, IntakeEntry, Made, MadeGroup, PauseEntry, PauseKind, TransitionEntry,
};
use crate::journal::At;
use crate::model::{Counts, CrosswalkEntry, Paused};
use crate::read;
use ml_connector_core::delivery::{DeliveryState, StateKind};
use ml_connector_core::identity::{DeliveryId, InstanceId, OrderKey};
use sled::IVec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every so many records the index keeps one position, from which a record is found by walking on.
pub(crate) const CHECKPOINT_EVERY: u64 = 16;

/// A group that is being decided or folded: its changes above the committed view.
#[derive(Debug)]
pub(crate) struct Staged<'a> {
    view: &'a View,
    changes: Changes,
    names: Vec<Arc<str>>,
    counts: BTreeMap<u32, Counts>,
    next_delivery: u64,
}

impl<'a> Staged<'a> {
    pub(crate) fn new(view: &'a View) -> Self {
        let next_delivery = view.levels().reflected.next_delivery.max(1);
        Self {
            view,
            changes: Changes::default(),
            names: Vec::new(),
            counts: BTreeMap::new(),
            next_delivery,
        }
    }

    /// The id of the next delivery.
    pub(crate) const fn next_delivery(&self) -> u64 {
        self.next_delivery
    }

    /// The present value of a key.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<IVec>, Unusable> {
        match self.changes.get(key) {
            Some(change) => Ok(change.value().cloned()),
            None => self.view.get(key),
        }
    }

    /// A delivery's row.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub(crate) fn row(&self, id: DeliveryId) -> Result<Option<Row>, Unusable> {
        self.get(&key::row(id))?
            .map(|bytes| Row::decode(&bytes).ok_or_else(|| odd("a row")))
            .transpose()
    }

    /// Keys with a prefix, by order: all, or at least the first `limit` of them.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub(crate) fn keys(&self, prefix: &IVec, limit: usize) -> Result<Vec<IVec>, Unusable> {
        let behind = key::behind(prefix);
        // As many more as the changes above may take away.
        let gone = self.changes.range(prefix, &behind).count();
        let below = self
            .view
            .range(prefix, &behind, limit.saturating_add(gone))?;
        let mut keys: std::collections::BTreeSet<IVec> =
            below.into_iter().map(|(key, _)| key).collect();
        for (key, change) in self.changes.range(prefix, &behind) {
            match change.value() {
                Some(_) => keys.insert(key.clone()),
                None => keys.remove(key),
            };
        }
        Ok(keys.into_iter().collect())
    }

    /// The changes, to be merged once the group is committed.
    pub(crate) fn finish(
        mut self,
        last: At,
        hash: crate::journal::frame::Hash,
        end: u64,
    ) -> GroupChanges {
        for (instance, counts) in &self.counts {
            self.changes.set(key::count(*instance), row::counts(counts));
        }
        GroupChanges {
            changes: self.changes,
            names: self.names,
            counts: self.counts,
            reflected: Reflected {
                sequence: last.sequence,
                hash,
                last: last.position,
                end,
                next_delivery: self.next_delivery,
            },
        }
    }

    /// Folds one record.
    ///
    /// # Errors
    /// If the index cannot be read, or contradicts the record.
    pub(crate) fn apply(&mut self, entry: &Entry, at: At, time_us: i64) -> Result<(), Unusable> {
        if at.sequence.is_multiple_of(CHECKPOINT_EVERY) {
            self.changes
                .insert(key::checkpoint(at.sequence), row::number(at.position));
        }
        match entry {
            Entry::Intake(intake) => self.intake(intake),
            Entry::Event(event) => self.event(event, at, time_us),
            Entry::Transition(transition) => self.transition(transition, at),
            Entry::Crosswalk(change) => {
                self.crosswalk(&change.entries);
                Ok(())
            }
            Entry::Pause(pause) => {
                self.pause(pause, time_us);
                Ok(())
            }
            Entry::Note(_) | Entry::Kept(_) => Ok(()),
        }
    }

    fn intake(&mut self, intake: &IntakeEntry) -> Result<(), Unusable> {
        if let Some(cursor) = &intake.cursor {
            self.changes.set(
                key::cursor(&cursor.poll),
                IVec::from(cursor.value.as_bytes()),
            );
        }
        if let Some((poll, prints)) = &intake.prints {
            for print in prints {
                self.changes
                    .set(key::print(poll, &print.id), row::print(print));
            }
        }
        for (instance, known) in &intake.known {
            let instance = self.number(instance.as_str())?;
            self.counts(instance).duplicates += known;
        }
        Ok(())
    }

    fn event(&mut self, event: &EventEntry, at: At, time_us: i64) -> Result<(), Unusable> {
        let seen = key::seen(&event.stream, &event.event_id);
        self.changes.insert(seen, row::number(at.position));
        for made in &event.deliveries {
            self.made(made, at, time_us)?;
        }
        Ok(())
    }

    fn made(&mut self, made: &Made, at: At, time_us: i64) -> Result<(), Unusable> {
        let id = made.id;
        self.next_delivery = self.next_delivery.max(id.0 + 1);
        let instance = self.number(made.instance.as_str())?;
        let mut row = Row {
            position: at.position,
            kind: StateKind::Pending,
            class: None,
            instance,
            lane: self.number(made.lane.as_str())?,
            created_s: time_us.div_euclid(1_000_000),
            due_us: None,
            queued: false,
            awaited: None,
            next: None,
        };
        row.set_state(&made.state);
        let counts = self.counts(instance);
        counts.received += 1;
        *state_count(counts, row.kind)? += 1;
        self.changes.insert(
            key::ledger(&made.instance, &made.dedup_key),
            row::number(id.0),
        );
        let head = self.line_up(id, &made.instance, made.order_key.as_ref(), row.kind)?;
        self.enter(id, &mut row, head);
        self.changes.insert(key::row(id), row.encode());
        match &made.group {
            Some(group) => self.joined(made, group),
            None => Ok(()),
        }
    }

    /// A delivery joins a group, or begins one.
    fn joined(&mut self, made: &Made, group: &MadeGroup) -> Result<(), Unusable> {
        let key = key::group(&made.instance, &group.key);
        let mut row = self.group(&key)?;
        if let DeliveryState::Joined { into } = &made.state {
            row.count += 1;
            row.weight = row.weight.saturating_add(group.weight);
            self.changes
                .insert(key::member(*into, made.id), IVec::default());
        } else {
            row.open = made.id.0;
            row.number = u64::from(group.number);
            row.count = 1;
            row.weight = group.weight;
        }
        row.total += 1;
        self.changes.set(key, row.encode());
        Ok(())
    }

    /// The present delivery of a group's key.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub(crate) fn group(&self, key: &[u8]) -> Result<GroupRow, Unusable> {
        match self.get(key)? {
            Some(bytes) => GroupRow::decode(&bytes).ok_or_else(|| odd("a group")),
            None => Ok(GroupRow::default()),
        }
    }

    /// Puts a delivery at the end of its order. Says whether nothing is before it.
    fn line_up(
        &mut self,
        id: DeliveryId,
        instance: &InstanceId,
        order_key: Option<&OrderKey>,
        kind: StateKind,
    ) -> Result<bool, Unusable> {
        let Some(order_key) = order_key.filter(|_| !kind.is_terminal()) else {
            return Ok(true);
        };
        let order = key::order(instance, order_key);
        let Some(ends) = self.get(&order)? else {
            self.changes.insert(order, row::pair(id.0, id.0));
            return Ok(true);
        };
        let (first, last) = row::read_pair(&ends).ok_or_else(|| odd("an order"))?;
        self.change_row(last, |row| row.next = Some(id.0))?;
        self.changes.set(order, row::pair(first, id.0));
        Ok(false)
    }

    fn transition(&mut self, entry: &TransitionEntry, at: At) -> Result<(), Unusable> {
        let delivery = &entry.delivery;
        let id = delivery.id;
        let mut row = self
            .row(id)?
            .ok_or_else(|| odd("the row of a changed delivery"))?;
        self.leave(id, &mut row);
        let before = row.kind;
        row.position = at.position;
        row.lane = self.number(delivery.lane.as_str())?;
        row.set_state(&delivery.state);
        let counts = self.counts(row.instance);
        let left = state_count(counts, before)?;
        *left = left.checked_sub(1).ok_or_else(|| odd("a counter"))?;
        *state_count(counts, row.kind)? += 1;
        if let Some(stood_in) = &entry.stood_in {
            let ledger = key::ledger(&delivery.instance, stood_in);
            self.changes.remove(ledger);
            let ledger = key::ledger(&delivery.instance, &delivery.dedup_key);
            self.changes.insert(ledger, row::number(id.0));
            let order_key = delivery.order_key.as_ref();
            let head = self.line_up(id, &delivery.instance, order_key, row.kind)?;
            self.enter(id, &mut row, head);
            self.changes.set(key::row(id), row.encode());
            return Ok(());
        }
        let order = delivery
            .order_key
            .as_ref()
            .map(|key| key::order(&delivery.instance, key));
        let ends = match &order {
            Some(order) => self.get(order)?,
            None => None,
        };
        let ends = ends
            .map(|ends| row::read_pair(&ends).ok_or_else(|| odd("an order")))
            .transpose()?;
        let mut ends = ends;
        if before.is_terminal()
            && !row.kind.is_terminal()
            && let Some(order) = &order
        {
            ends = self.reopen(id, &mut row, order, ends)?;
        }
        let head = ends.is_none_or(|(first, _)| first == id.0);
        self.enter(id, &mut row, head);
        self.changes.set(key::row(id), row.encode());
        if row.kind.is_terminal()
            && !before.is_terminal()
            && let (Some(order), Some((first, last))) = (order, ends)
            && first == id.0
        {
            self.advance(order, row.next, last)?;
        }
        if entry.new_reference
            && let Some(reference) = &delivery.reference
        {
            self.changes.set(
                key::reference(&delivery.instance, reference),
                row::number(id.0),
            );
        }
        self.crosswalk(&entry.remember);
        if let Some(group) = delivery.progress.group.as_ref().filter(|group| !group.open) {
            let key = key::group(&delivery.instance, &group.key);
            let mut row = self.group(&key)?;
            if row.open == id.0 {
                row.open = 0;
                self.changes.set(key, row.encode());
            }
        }
        Ok(())
    }

    /// A finished delivery goes on: it takes its place in its order again, at the end, unless the order has not yet come
    /// past it. Returns the order's ends.
    fn reopen(
        &mut self,
        id: DeliveryId,
        row: &mut Row,
        order: &IVec,
        ends: Option<(u64, u64)>,
    ) -> Result<Option<(u64, u64)>, Unusable> {
        let Some((first, last)) = ends else {
            row.next = None;
            let alone = (id.0, id.0);
            self.changes.insert(order.clone(), row::pair(id.0, id.0));
            return Ok(Some(alone));
        };
        let mut at = Some(first);
        while let Some(here) = at {
            if here == id.0 {
                return Ok(ends);
            }
            let row = self.row(DeliveryId(here))?;
            at = row.ok_or_else(|| odd("a row of an order"))?.next;
        }
        row.next = None;
        self.change_row(last, |row| row.next = Some(id.0))?;
        self.changes.set(order.clone(), row::pair(first, id.0));
        Ok(Some((first, id.0)))
    }

    /// The first delivery of an order is finished: the next unfinished one becomes its first.
    fn advance(&mut self, order: IVec, mut next: Option<u64>, last: u64) -> Result<(), Unusable> {
        while let Some(id) = next {
            let mut row = self
                .row(DeliveryId(id))?
                .ok_or_else(|| odd("the next row of an order"))?;
            if !row.kind.is_terminal() {
                self.enqueue(DeliveryId(id), &mut row);
                self.changes.set(key::row(DeliveryId(id)), row.encode());
                self.changes.set(order, row::pair(id, last));
                return Ok(());
            }
            next = row.next;
        }
        self.changes.remove(order);
        Ok(())
    }

    /// Adds what a row's state says to the tables beside it.
    fn enter(&mut self, id: DeliveryId, row: &mut Row, head: bool) {
        if head {
            self.enqueue(id, row);
        }
        if let Some(awaited) = &row.awaited {
            self.changes
                .insert(key::waiting(awaited, id.0), IVec::default());
        }
        if row.kind == StateKind::InFlight {
            self.changes.insert(key::in_flight(id), IVec::default());
        }
    }

    /// Undoes [`Staged::enter`].
    fn leave(&mut self, id: DeliveryId, row: &mut Row) {
        if let Some(due) = row.due_us.filter(|_| row.queued) {
            self.changes.remove(key::due(row.lane, due, id.0));
            row.queued = false;
        }
        if let Some(awaited) = &row.awaited {
            self.changes.remove(key::waiting(awaited, id.0));
        }
        if row.kind == StateKind::InFlight {
            self.changes.remove(key::in_flight(id));
        }
    }

    fn enqueue(&mut self, id: DeliveryId, row: &mut Row) {
        if let Some(due) = row.due_us.filter(|_| !row.queued) {
            self.changes
                .insert(key::due(row.lane, due, id.0), IVec::default());
            row.queued = true;
        }
    }

    fn pause(&mut self, entry: &PauseEntry, time_us: i64) {
        let key = key::pause(&entry.what);
        match entry.kind {
            PauseKind::Paused => {
                let paused = Paused {
                    what: entry.what.clone(),
                    actor: entry.actor.clone(),
                    reason: entry.reason.clone(),
                    since: read::time(time_us),
                };
                // Texts and a time can always be written.
                let value = serde_json::to_vec(&paused).unwrap_or_default();
                self.changes.set(key, IVec::from(value));
            }
            PauseKind::Resumed => self.changes.remove(key),
        }
    }

    fn crosswalk(&mut self, entries: &[CrosswalkEntry]) {
        for entry in entries {
            let key = key::crosswalk(&entry.table, &entry.key);
            if entry.values.is_null() {
                self.changes.remove(key);
            } else {
                // A document that was read can be written.
                let values = serde_json::to_vec(&entry.values).unwrap_or_default();
                self.changes.set(key, IVec::from(values));
            }
        }
    }

    fn change_row(&mut self, id: u64, change: impl FnOnce(&mut Row)) -> Result<(), Unusable> {
        let mut row = self
            .row(DeliveryId(id))?
            .ok_or_else(|| odd("the last row of an order"))?;
        change(&mut row);
        self.changes.set(key::row(DeliveryId(id)), row.encode());
        Ok(())
    }

    /// The number of a name, which is given one if it is new.
    fn number(&mut self, name: &str) -> Result<u32, Unusable> {
        let known = {
            let levels = self.view.levels();
            let known = levels.names.number(name);
            if known.is_some() {
                return known.ok_or_else(|| odd("a name"));
            }
            levels.names.len()
        };
        let staged = self.names.iter().position(|staged| **staged == *name);
        let number = known + staged.unwrap_or(self.names.len());
        let number = u32::try_from(number).map_err(|_| odd("a name"))?;
        if staged.is_none() {
            self.names.push(Arc::from(name));
            self.changes
                .insert(key::name(name), row::number(u64::from(number)));
        }
        Ok(number)
    }

    /// An instance's counters.
    fn counts(&mut self, instance: u32) -> &mut Counts {
        let view = self.view;
        self.counts.entry(instance).or_insert_with(|| {
            view.levels()
                .counts
                .get(&instance)
                .cloned()
                .unwrap_or_default()
        })
    }
}

fn state_count(counts: &mut Counts, kind: StateKind) -> Result<&mut u64, Unusable> {
    let at = StateKind::ALL.iter().position(|known| *known == kind);
    at.and_then(|at| counts.states.get_mut(at))
        .ok_or_else(|| odd("a counter"))
}
