//! What a command becomes: records, decided against everything committed and everything earlier in the group.
//!
//! Long because: every command is decided here, by the same few steps, against one group.

use crate::entry::{
    CrosswalkChange, CursorEntry, Entry, EventEntry, IntakeEntry, KeptEntry, Made, MadeGroup,
    PauseEntry, TransitionEntry, to_the_microsecond,
};
use crate::index::fold::Staged;
use crate::index::key;
use crate::index::row::{self, Row};
use crate::index::view::View;
use crate::journal::{Appender, At, Journal};
use crate::model::{
    Accepted, CrosswalkEntry, Delivery, Intake, IntakeEvent, KeptContent, NewDelivery, Note,
    Routing, Transition,
};
use crate::{Error, read};
use bytes::Bytes;
use jiff::Timestamp;
use ml_connector_core::delivery::{
    Awaited, DeliveryState, Event, Policy, RepeatSafety, RetryPolicy, step,
};
use ml_connector_core::hex;
use ml_connector_core::identity::{DedupKey, DeliveryId, InstanceId, MessageId};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Crosswalk entries in one record at most: an import of many must not become one huge record.
const ENTRIES_PER_RECORD: usize = 500;

/// Deliveries that one command for it releases: a lane's whole backlog may be held for one thing.
pub(crate) const RELEASED_AT_ONCE: usize = 1000;

/// Something to decide and write.
#[derive(Debug)]
pub(crate) enum Command {
    Accept(Intake),
    Record(Box<Transition>),
    Route(Box<Routing>),
    Crosswalk {
        entries: Vec<CrosswalkEntry>,
        at: Timestamp,
        actor: String,
        reason: Option<String>,
    },
    Release {
        awaited: Awaited,
        at: Timestamp,
    },
    Note(Note, Timestamp),
    /// Writes nothing, unless the writer's last commit has failed: then it asks the disk again.
    Check(Timestamp),
    Pause(PauseEntry, Timestamp),
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Answer {
    Accepted(Accepted),
    Recorded(Arc<Delivery>),
    Released(u64),
    Noted,
}

/// The group being decided.
#[derive(Debug)]
pub(crate) struct Group<'v, 'g> {
    staged: Staged<'v>,
    view: &'v View,
    journal: &'g Journal,
    appender: &'g mut Appender,
    last: Option<At>,
    /// Deliveries as this group leaves them, with the position that says so.
    changed: HashMap<DeliveryId, (u64, Arc<Delivery>)>,
    /// Whether the writer's last commit has failed.
    last_failed: bool,
}

/// A group that is ready to be written.
#[derive(Debug)]
pub(crate) struct Decided<'a> {
    pub(crate) staged: Staged<'a>,
    pub(crate) last: At,
    pub(crate) changed: Vec<(u64, Arc<Delivery>)>,
}

impl Command {
    /// Roughly how many bytes it adds to the journal.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Accept(intake) => intake
                .events
                .iter()
                .map(|event| event.raw.len() + 512)
                .sum(),
            Self::Record(transition) => {
                1024 + transition.keep.as_ref().map_or(0, |kept| kept.0.len())
            }
            Self::Route(_) | Self::Note(..) | Self::Pause(..) | Self::Check(_) => 1024,
            Self::Release { .. } => RELEASED_AT_ONCE * 1024,
            Self::Crosswalk { entries, .. } => entries.len() * 128,
        }
    }
}

impl<'v, 'g> Group<'v, 'g> {
    pub(crate) fn new(
        view: &'v View,
        journal: &'g Journal,
        appender: &'g mut Appender,
        last_failed: bool,
    ) -> Self {
        let staged = Staged::new(view);
        Self {
            staged,
            view,
            journal,
            appender,
            last: None,
            changed: HashMap::new(),
            last_failed,
        }
    }

    /// The group, unless it has no records.
    pub(crate) fn finish(self) -> Option<Decided<'v>> {
        let changed = self.changed.into_values().collect();
        self.last.map(|last| Decided {
            staged: self.staged,
            last,
            changed,
        })
    }

    /// Writes a record into the group and folds it.
    fn push(&mut self, at: Timestamp, entry: &Entry, body: &Bytes) -> Result<At, Error> {
        let time = at.as_microsecond();
        let place = self
            .appender
            .push(entry.kind() as u8, time, |out| entry.write(out), body)
            .map_err(|error| Error::Unwritable(error.to_string()))?;
        self.staged.apply(entry, place, time)?;
        self.last = Some(place);
        Ok(place)
    }

    /// A delivery as it stands, with its row.
    fn load(&self, id: DeliveryId) -> Result<(Row, Arc<Delivery>), Error> {
        let missing = || Error::Missing(id.to_string());
        let row = self.staged.row(id)?.ok_or_else(missing)?;
        if let Some((_, delivery)) = self.changed.get(&id) {
            return Ok((row, Arc::clone(delivery)));
        }
        if let Some(reserved) = self.view.queue().reserved.get(&id)
            && reserved.position == row.position
            && let Some(delivery) = &reserved.delivery
        {
            return Ok((row, Arc::clone(delivery)));
        }
        if row.position >= self.journal.end() {
            // Made in this group, by a command whose caller does not know yet.
            return Err(missing());
        }
        let delivery = read::delivery(self.journal, id, row.position)?;
        Ok((row, Arc::new(delivery)))
    }

    /// Whether an event was accepted before. What the index says is believed only if the journal says the same.
    fn is_duplicate(&self, intake: &Intake, event: &IntakeEvent) -> Result<bool, Error> {
        let Some(found) = self.staged.get(&key::seen(&intake.stream, &event.id))? else {
            return Ok(false);
        };
        let position = row::read_number(&found).ok_or_else(|| odd("an accepted event"))?;
        if position < self.journal.end() {
            let (_, stored) = read::event(self.journal, position)?;
            if stored.event_id != event.id || stored.stream != intake.stream {
                return Err(odd("an accepted event"));
            }
        }
        Ok(true)
    }

    /// The delivery an instance made of a dedup key, believed as above.
    fn known(&self, instance: &InstanceId, dedup: &DedupKey) -> Result<Option<DeliveryId>, Error> {
        let Some(found) = self.staged.get(&key::ledger(instance, dedup))? else {
            return Ok(None);
        };
        let id = row::read_number(&found).ok_or_else(|| odd("a dedup key"))?;
        let row = self
            .staged
            .row(DeliveryId(id))?
            .ok_or_else(|| odd("a dedup key"))?;
        if row.position < self.journal.end() {
            let (_, delivery) = self.load(DeliveryId(id))?;
            if delivery.dedup_key != *dedup || delivery.instance != *instance {
                return Err(odd("a dedup key"));
            }
        }
        Ok(Some(DeliveryId(id)))
    }

    /// Makes sure that the delivery which an event joins is what the index says, believed as above.
    fn is_open(&self, id: DeliveryId, new: &NewDelivery, key: &str) -> Result<(), Error> {
        let row = self.staged.row(id)?.ok_or_else(|| odd("a group"))?;
        if row.position >= self.journal.end() {
            return Ok(());
        }
        let (_, delivery) = self.load(id)?;
        let open = delivery.progress.group.as_ref().is_some_and(|group| {
            group.open && group.key == key && delivery.instance == new.instance
        });
        if open { Ok(()) } else { Err(odd("a group")) }
    }
}

/// An index that says other things than the journal must not be used for a decision.
fn odd(what: &str) -> Error {
    Error::Index(format!("{what} is not what the journal says"))
}

/// Decides one command and stages its records.
///
/// # Errors
/// [`Error::Changed`] and [`Error::Missing`] before anything is staged; any other error leaves the group unusable.
pub(crate) fn decide(group: &mut Group<'_, '_>, command: &Command) -> Result<Answer, Error> {
    match command {
        Command::Accept(intake) => accept(group, intake).map(Answer::Accepted),
        Command::Record(transition) => record(group, transition).map(Answer::Recorded),
        Command::Route(routing) => route(group, routing).map(Answer::Recorded),
        Command::Crosswalk {
            entries,
            at,
            actor,
            reason,
        } => set_crosswalk(group, entries, *at, actor, reason.as_deref()).map(Answer::Released),
        Command::Release { awaited, at } => {
            let at = to_the_microsecond(*at);
            release_waiting(group, awaited, RELEASED_AT_ONCE, at).map(Answer::Released)
        }
        Command::Pause(entry, at) => {
            let at = to_the_microsecond(*at);
            group.push(at, &Entry::Pause(entry.clone()), &Bytes::new())?;
            Ok(Answer::Noted)
        }
        Command::Note(note, at) => {
            group.push(*at, &Entry::Note(note.clone()), &Bytes::new())?;
            Ok(Answer::Noted)
        }
        Command::Check(at) => {
            if group.last_failed {
                let note = Note {
                    kind: "store_checked".to_owned(),
                    actor: None,
                    reason: None,
                    facts: serde_json::json!({}),
                };
                group.push(*at, &Entry::Note(note), &Bytes::new())?;
            }
            Ok(Answer::Noted)
        }
    }
}

fn accept(group: &mut Group<'_, '_>, intake: &Intake) -> Result<Accepted, Error> {
    let at = to_the_microsecond(intake.received_at);
    let mut accepted = Accepted::default();
    let mut known: Vec<(InstanceId, u64)> = Vec::new();
    for event in &intake.events {
        let duplicate = group.is_duplicate(intake, event)?;
        let mut deliveries = Vec::with_capacity(event.deliveries.len());
        for new in &event.deliveries {
            let twice =
                |made: &Made| made.instance == new.instance && made.dedup_key == new.dedup_key;
            let made_before = || group.known(&new.instance, &new.dedup_key);
            if deliveries.iter().any(twice) || made_before()?.is_some() {
                accepted.deduplicated += u32::from(!duplicate);
                match known
                    .iter_mut()
                    .find(|(instance, _)| *instance == new.instance)
                {
                    Some((_, count)) => *count += 1,
                    None => known.push((new.instance.clone(), 1)),
                }
            } else if !duplicate {
                let id = DeliveryId(group.staged.next_delivery() + deliveries.len() as u64);
                let (state, joined) = joined(group, new)?;
                deliveries.push(Made {
                    id,
                    instance: new.instance.clone(),
                    lane: new.lane.clone(),
                    dedup_key: new.dedup_key.clone(),
                    order_key: new.order_key.clone(),
                    state,
                    unrouted: new.unrouted,
                    group: joined,
                });
            }
        }
        if duplicate {
            accepted.duplicates += 1;
            continue;
        }
        accepted.messages += 1;
        accepted.deliveries += u32::try_from(deliveries.len()).unwrap_or(u32::MAX);
        accept_event(group, intake, event, deliveries, at)?;
    }
    let cursor = moved_cursor(group, intake)?;
    let prints = intake
        .prints
        .clone()
        .filter(|(_, prints)| !prints.is_empty());
    if !intake.events.is_empty() || cursor.is_some() || prints.is_some() {
        let entry = Entry::Intake(IntakeEntry {
            connection: intake.connection.clone(),
            stream: intake.stream.clone(),
            origin: intake.origin.clone(),
            plan: hex::of(&intake.plan_hash),
            messages: accepted.messages,
            duplicates: accepted.duplicates,
            deliveries: accepted.deliveries,
            deduplicated: accepted.deduplicated,
            known,
            cursor,
            prints,
        });
        group.push(at, &entry, &Bytes::new())?;
    }
    Ok(accepted)
}

/// The state of a new delivery, and the group that it joins or begins. Whoever joins must not find the group closed
/// later, so this is decided here, where nothing can come between.
fn joined(
    group: &Group<'_, '_>,
    new: &NewDelivery,
) -> Result<(DeliveryState, Option<MadeGroup>), Error> {
    let Some(joins) = &new.joins else {
        return Ok((new.state.clone(), None));
    };
    let row = group.staged.group(&key::group(&new.instance, &joins.key))?;
    let has_room = row.count < u64::from(joins.events_max)
        && row.weight.saturating_add(joins.weight) <= joins.weight_max;
    let (state, number) = if row.open != 0 && has_room {
        let into = DeliveryId(row.open);
        group.is_open(into, new, &joins.key)?;
        (DeliveryState::Joined { into }, row.number)
    } else {
        (new.state.clone(), row.number + 1)
    };
    let made = MadeGroup {
        key: joins.key.clone(),
        number: u32::try_from(number).map_err(|_| odd("a group"))?,
        weight: joins.weight,
    };
    Ok((state, Some(made)))
}

fn accept_event(
    group: &mut Group<'_, '_>,
    intake: &Intake,
    event: &IntakeEvent,
    deliveries: Vec<Made>,
    at: Timestamp,
) -> Result<(), Error> {
    let entry = EventEntry {
        event_id: event.id.clone(),
        connection: intake.connection.clone(),
        stream: intake.stream.clone(),
        deliveries,
    };
    let entry = Entry::Event(entry);
    let place = group.push(at, &entry, &event.raw)?;
    let Entry::Event(entry) = entry else {
        return Ok(());
    };
    for made in &entry.deliveries {
        if let DeliveryState::Held(hold) = &made.state {
            let delivery = made.delivery(&entry.event_id, MessageId(place.sequence), at);
            group
                .changed
                .insert(made.id, (place.position, Arc::new(delivery)));
            if let Some(awaited) = &hold.awaits {
                release_if_there(group, made.id, awaited, at)?;
            }
        }
    }
    Ok(())
}

fn moved_cursor(group: &Group<'_, '_>, intake: &Intake) -> Result<Option<CursorEntry>, Error> {
    let Some((poll, value)) = &intake.cursor else {
        return Ok(None);
    };
    let present = group.staged.get(&key::cursor(poll))?;
    let moved = present.is_none_or(|present| *present != *value.as_bytes());
    Ok(moved.then(|| CursorEntry {
        poll: poll.clone(),
        value: value.clone(),
    }))
}

fn record(group: &mut Group<'_, '_>, transition: &Transition) -> Result<Arc<Delivery>, Error> {
    let (row, present) = group.load(transition.delivery)?;
    if present.revision != transition.revision {
        return Err(Error::Changed(transition.delivery));
    }
    let at = to_the_microsecond(transition.at);
    let mut delivery = Delivery::clone(&present);
    delivery.changed_at = at;
    delivery.revision += 1;
    delivery.state = transition.state.clone();
    delivery.progress = transition.progress.clone();
    let new_reference = transition.reference.is_some() && transition.reference != present.reference;
    if new_reference {
        delivery.reference.clone_from(&transition.reference);
    }
    if let Some(KeptContent(content)) = &transition.keep {
        let kept = Entry::Kept(KeptEntry {
            delivery: transition.delivery,
        });
        delivery.kept = Some(group.push(at, &kept, content)?.position);
    }
    let entry = TransitionEntry {
        delivery,
        before: row.position,
        new_reference,
        stood_in: None,
        remember: transition.remember.clone(),
        event: Some(transition.event.clone()),
        exchange: transition.exchange.clone(),
        actor: transition.actor.clone(),
        plan: hex::of(&transition.plan_hash),
    };
    change(group, entry, at)?;
    release_for_entries(group, &transition.remember, at)?;
    if transition.state.kind().is_terminal() && !present.state.kind().is_terminal() {
        let awaited = Awaited::Delivery {
            delivery: transition.delivery,
        };
        release_waiting(group, &awaited, usize::MAX, at)?;
    }
    if let DeliveryState::Held(hold) = &transition.state
        && let Some(awaited) = &hold.awaits
    {
        release_if_there(group, transition.delivery, awaited, at)?;
    }
    let changed = group.changed.get(&transition.delivery);
    changed
        .map(|(_, delivery)| Arc::clone(delivery))
        .ok_or_else(|| odd("a change"))
}

/// Gives a delivery its lane and keys. If another one has its dedup key, this one is skipped as a duplicate.
fn route(group: &mut Group<'_, '_>, routing: &Routing) -> Result<Arc<Delivery>, Error> {
    let (row, present) = group.load(routing.delivery)?;
    if present.revision != routing.revision {
        return Err(Error::Changed(routing.delivery));
    }
    let at = to_the_microsecond(routing.at);
    let mut delivery = Delivery::clone(&present);
    let twin = match &routing.keys {
        Some(keys) => group.known(&present.instance, &keys.dedup_key)?,
        None => None,
    };
    let mut stood_in = None;
    let event = if let Some(twin) = twin.filter(|twin| *twin != routing.delivery) {
        Event::Skipped {
            reason: format!("a duplicate: {twin} has its dedup key"),
        }
    } else {
        delivery.lane.clone_from(&routing.lane);
        if let Some(keys) = &routing.keys {
            stood_in = Some(delivery.dedup_key.clone());
            delivery.dedup_key.clone_from(&keys.dedup_key);
            delivery.order_key.clone_from(&keys.order_key);
            delivery.unrouted = false;
        }
        Event::Routed
    };
    let (state, progress) = (&present.state, &present.progress);
    // It was claimed or decided about meanwhile: whoever asked must look again.
    let stepped = step(state, progress, event.clone(), &UNUSED, at, 0)
        .map_err(|_| Error::Changed(routing.delivery))?;
    delivery.changed_at = at;
    delivery.revision += 1;
    delivery.state = stepped.state;
    delivery.progress = stepped.progress;
    let ended = delivery.state.kind().is_terminal();
    let entry = TransitionEntry {
        delivery,
        before: row.position,
        new_reference: false,
        stood_in,
        remember: Vec::new(),
        event: Some(event),
        exchange: None,
        actor: None,
        plan: hex::of(&routing.plan_hash),
    };
    change(group, entry, at)?;
    if ended {
        let delivery = routing.delivery;
        release_waiting(group, &Awaited::Delivery { delivery }, usize::MAX, at)?;
    }
    let changed = group.changed.get(&routing.delivery);
    changed
        .map(|(_, delivery)| Arc::clone(delivery))
        .ok_or_else(|| odd("a change"))
}

/// Writes a changed delivery.
fn change(
    group: &mut Group<'_, '_>,
    mut entry: TransitionEntry,
    at: Timestamp,
) -> Result<(), Error> {
    if entry.delivery.progress.content.is_open() {
        entry.delivery.kept = None;
    }
    let entry = Entry::Transition(Box::new(entry));
    let place = group.push(at, &entry, &Bytes::new())?;
    if let Entry::Transition(entry) = entry {
        let id = entry.delivery.id;
        group
            .changed
            .insert(id, (place.position, Arc::new(entry.delivery)));
    }
    Ok(())
}

fn set_crosswalk(
    group: &mut Group<'_, '_>,
    entries: &[CrosswalkEntry],
    at: Timestamp,
    actor: &str,
    reason: Option<&str>,
) -> Result<u64, Error> {
    let at = to_the_microsecond(at);
    let mut released = 0;
    for entries in entries.chunks(ENTRIES_PER_RECORD) {
        let change = CrosswalkChange {
            entries: entries.to_vec(),
            actor: actor.to_owned(),
            reason: reason.map(str::to_owned),
        };
        group.push(at, &Entry::Crosswalk(change), &Bytes::new())?;
        released += release_for_entries(group, entries, at)?;
    }
    Ok(released)
}

fn release_for_entries(
    group: &mut Group<'_, '_>,
    entries: &[CrosswalkEntry],
    at: Timestamp,
) -> Result<u64, Error> {
    let mut released = 0;
    for entry in entries.iter().filter(|entry| !entry.values.is_null()) {
        let awaited = Awaited::Crosswalk {
            table: entry.table.clone(),
            key: entry.key.clone(),
        };
        released += release_waiting(group, &awaited, usize::MAX, at)?;
    }
    Ok(released)
}

/// Releases what is held for this: everything, or at least the first `limit` of it.
fn release_waiting(
    group: &mut Group<'_, '_>,
    awaited: &Awaited,
    limit: usize,
    at: Timestamp,
) -> Result<u64, Error> {
    let Some(hash) = key::awaited(awaited) else {
        return Ok(0);
    };
    let mut released = 0;
    for waiting in group.staged.keys(&key::waiting_for(&hash), limit)? {
        let id = key::last_number(&waiting).ok_or_else(|| odd("a wait"))?;
        released += u64::from(release(group, DeliveryId(id), awaited, at)?);
    }
    Ok(released)
}

/// A hold whose cause has gone between the decision to hold and now would never be released: it is released at once.
fn release_if_there(
    group: &mut Group<'_, '_>,
    id: DeliveryId,
    awaited: &Awaited,
    at: Timestamp,
) -> Result<(), Error> {
    let there = match awaited {
        Awaited::Crosswalk { table, key } => {
            group.staged.get(&key::crosswalk(table, key))?.is_some()
        }
        Awaited::Column { table, key, column } => {
            let found = group.staged.get(&key::crosswalk(table, key))?;
            found.is_some_and(|entry| has(&entry, column))
        }
        Awaited::Delivery { delivery } => group
            .staged
            .row(*delivery)?
            .is_some_and(|row| row.kind.is_terminal()),
        // What the site has is known to whoever asks for a release.
        Awaited::Connection { .. } | Awaited::Integration { .. } | Awaited::Until { .. } => false,
    };
    if there {
        release(group, id, awaited, at)?;
    }
    Ok(())
}

/// Whether an entry of a matching table has a value in this column.
fn has(entry: &[u8], column: &str) -> bool {
    let entry: serde_json::Value = serde_json::from_slice(entry).unwrap_or_default();
    match entry.get(column) {
        None | Some(serde_json::Value::Null) => false,
        Some(serde_json::Value::String(text)) => !text.is_empty(),
        Some(_) => true,
    }
}

fn release(
    group: &mut Group<'_, '_>,
    id: DeliveryId,
    awaited: &Awaited,
    at: Timestamp,
) -> Result<bool, Error> {
    let (row, present) = group.load(id)?;
    let held_for_it = matches!(&present.state, DeliveryState::Held(hold) if hold.awaits.as_ref().is_some_and(|own| own.is_met_by(awaited)));
    if !held_for_it {
        return Ok(false);
    }
    let released = step(
        &present.state,
        &present.progress,
        Event::Released,
        &UNUSED,
        at,
        0,
    );
    let Ok(stepped) = released else {
        // In doubt: what it waits for has come, but only a person may let it go.
        return Ok(false);
    };
    let mut delivery = Delivery::clone(&present);
    delivery.changed_at = at;
    delivery.revision += 1;
    delivery.state = stepped.state;
    delivery.progress = stepped.progress;
    let entry = TransitionEntry {
        delivery,
        before: row.position,
        new_reference: false,
        stood_in: None,
        remember: Vec::new(),
        event: Some(Event::Released),
        exchange: None,
        actor: None,
        plan: String::new(),
    };
    change(group, entry, at)?;
    Ok(true)
}

/// A release and a routing follow no policy: `step` needs one and does not look at it.
const UNUSED: Policy = Policy {
    retry: RetryPolicy {
        first: Duration::ZERO,
        factor_thousandths: 1000,
        max: Duration::ZERO,
        full_jitter: false,
        give_up_after: Duration::ZERO,
    },
    repeat: RepeatSafety::None,
};
