//! The checkers. They compare what the senders were told with what the ledger has, and never ask how the engine got there.

use crate::operators::OTHER_CODE;
use crate::systems::{Entry, Event, Systems};
use ml_connector_core::delivery::{DeliveryState, StateKind};
use ml_connector_store::Delivery;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong at the end of a run; empty if nothing is.
pub(crate) fn books(
    systems: &Systems,
    acknowledged: &[String],
    again: &BTreeMap<String, usize>,
    deliveries: &[Delivery],
) -> Vec<String> {
    let mut wrong = systems.odd.clone();
    let by_event = deliveries_of(deliveries, &mut wrong);
    let checker = Checker {
        systems,
        again,
        deliveries,
    };
    for id in acknowledged {
        let Some(event) = systems.events.iter().find(|event| event.id == *id) else {
            continue;
        };
        match by_event.get(id.as_str()) {
            None => wrong.push(format!("{id} was acknowledged and has no delivery")),
            Some(delivery) => checker.one(event, delivery, &mut wrong),
        }
    }
    checker.strangers(&mut wrong);
    checker.order(&mut wrong);
    checker.groups(&mut wrong);
    states(systems, deliveries, &mut wrong);
    wrong.extend(checker.sums());
    wrong
}

/// Acknowledged events of which the store knows nothing.
pub(crate) fn lost(acknowledged: &[String], deliveries: &[Delivery]) -> Vec<String> {
    let known: BTreeSet<&str> = deliveries
        .iter()
        .map(|delivery| delivery.event_id.as_str())
        .collect();
    acknowledged
        .iter()
        .filter(|id| !known.contains(id.as_str()))
        .map(|id| format!("{id} was acknowledged and is gone after a restart"))
        .collect()
}

fn deliveries_of<'a>(
    deliveries: &'a [Delivery],
    wrong: &mut Vec<String>,
) -> BTreeMap<&'a str, &'a Delivery> {
    let mut by_event = BTreeMap::new();
    for delivery in deliveries {
        if by_event
            .insert(delivery.event_id.as_str(), delivery)
            .is_some()
        {
            wrong.push(format!("{} has two deliveries", delivery.event_id));
        }
    }
    by_event
}

/// Everything that is compared.
struct Checker<'a> {
    systems: &'a Systems,
    /// How often a person wanted an event to be posted once more.
    again: &'a BTreeMap<String, usize>,
    deliveries: &'a [Delivery],
}

impl<'a> Checker<'a> {
    /// What stands in the ledger for an event: the first posting, then those that a person wanted.
    fn entries_of(&self, id: &str) -> Vec<&'a Entry> {
        let numbered = format!("{id}-");
        let entries = self.systems.entries.iter();
        let mine = entries.filter(|entry| {
            let bare = entry.bare_reference();
            entry.kind != "tally" && (bare == id || bare.starts_with(&numbered))
        });
        mine.collect()
    }

    fn first_entry_of(&self, id: &str) -> Option<&'a Entry> {
        let mut entries = self.systems.entries.iter();
        entries.find(|entry| entry.bare_reference() == id)
    }

    /// One event: in a final state, and in the ledger exactly as that says.
    fn one(&self, event: &Event, delivery: &Delivery, wrong: &mut Vec<String>) {
        let id = &event.id;
        let kind = delivery.state.kind();
        if !kind.is_terminal() {
            wrong.push(format!(
                "{id} is {} at the end: {:?}",
                kind.as_str(),
                delivery.state
            ));
            return;
        }
        if matches!(event.kind, "state" | "part") {
            return;
        }
        let entries = self.entries_of(id);
        let again = usize::try_from(delivery.progress.again).unwrap_or(usize::MAX);
        if again > self.again.get(id).copied().unwrap_or(0) {
            wrong.push(format!("{id} was posted again, and nobody wanted that"));
        }
        // Each time that a person wanted adds one; the last one may have ended otherwise.
        let wanted = again + usize::from(kind == StateKind::Delivered);
        if entries.len() != wanted {
            let times = entries.len();
            wrong.push(format!(
                "{id} ({}) is {} and stands {times} times in the ledger instead of {wanted}",
                event.kind,
                kind.as_str()
            ));
        }
        for entry in entries {
            self.content(event, entry, wrong);
        }
    }

    fn content(&self, event: &Event, entry: &Entry, wrong: &mut Vec<String>) {
        let id = &event.id;
        if entry.account.trim_end_matches(OTHER_CODE) != event.account {
            wrong.push(format!(
                "{id} was posted to {} instead of {}",
                entry.account, event.account
            ));
        }
        if entry.amount.parse::<Decimal>().ok() != Some(amount(event))
            || entry.currency != event.currency
        {
            wrong.push(format!(
                "{id}: {} {} instead of {}",
                entry.amount,
                entry.currency,
                amount(event)
            ));
        }
        if event.kind == "batch" && entry.submitted.is_none() {
            wrong.push(format!("{id} was never submitted"));
        }
        let Some(of) = &event.of else { return };
        let stands = self.entries_of(of);
        if !stands
            .iter()
            .any(|other| Some(other.number) == entry.reverses)
        {
            wrong.push(format!(
                "{id} reverses entry {:?}, not that of {of}",
                entry.reverses
            ));
        }
        if entry.reverses.is_none_or(|number| number >= entry.number) {
            wrong.push(format!("{id} stands before what it reverses"));
        }
    }

    /// Nothing stands in the ledger that belongs to no delivery.
    fn strangers(&self, wrong: &mut Vec<String>) {
        for entry in &self.systems.entries {
            let bare = entry.bare_reference();
            let known = self.deliveries.iter().any(|delivery| {
                entry.is_of(delivery) || bare.starts_with(&format!("{}-", delivery.event_id))
            });
            if !known {
                wrong.push(format!("entry {} belongs to no delivery", entry.reference));
            }
        }
    }

    /// What must go one after another stands in the order in which it was accepted: by what the senders made, not by
    /// the keys that the engine wrote down.
    fn order(&self, wrong: &mut Vec<String>) {
        let mut last: BTreeMap<(&str, &str), (i64, &str)> = BTreeMap::new();
        for delivery in self.deliveries {
            let id = delivery.event_id.as_str();
            let events = &self.systems.events;
            let Some(event) = events.iter().find(|event| event.id == id) else {
                continue;
            };
            let Some(entry) = self.first_entry_of(id).filter(|_| event.kind != "part") else {
                continue;
            };
            let key = (
                event.kind,
                event.of.as_ref().unwrap_or(&event.account).as_str(),
            );
            if let Some((number, before)) = last.get(&key)
                && *number > entry.number
            {
                wrong.push(format!("{id} was posted before {before}"));
            }
            last.insert(key, (entry.number, id));
        }
    }

    /// Of each account and currency, what stands in joint entries is what came in, without what was dropped as a whole.
    fn groups(&self, wrong: &mut Vec<String>) {
        let mut came: BTreeMap<(&str, &str), Decimal> = BTreeMap::new();
        for delivery in self.deliveries {
            let events = &self.systems.events;
            let event = events.iter().find(|event| event.id == delivery.event_id);
            let Some(event) = event.filter(|event| event.kind == "part") else {
                continue;
            };
            let whole = if let DeliveryState::Joined { into } = &delivery.state {
                self.deliveries.iter().find(|other| other.id == *into)
            } else {
                Some(delivery)
            };
            let Some(whole) = whole.filter(|whole| whole.progress.group.is_some()) else {
                wrong.push(format!("{} is part of nothing", event.id));
                continue;
            };
            if whole.state.kind() == StateKind::Delivered {
                *came.entry((&event.account, event.currency)).or_default() += amount(event);
            }
        }
        let mut stands: BTreeMap<(&str, &str), Decimal> = BTreeMap::new();
        let mut references = BTreeSet::new();
        for entry in &self.systems.entries {
            if entry.kind != "tally" {
                continue;
            }
            if !references.insert(entry.bare_reference()) {
                wrong.push(format!("{} stands twice", entry.reference));
            }
            let account = entry.account.trim_end_matches(OTHER_CODE);
            let amount: Decimal = entry.amount.parse().unwrap_or_default();
            *stands.entry((account, &entry.currency)).or_default() += amount;
        }
        if came != stands {
            wrong.push(format!("joined {came:?}, posted jointly {stands:?}"));
        }
    }

    /// Sums per kind and currency: what was delivered is what stands there.
    fn sums(&self) -> Option<String> {
        let mut delivered: BTreeMap<(&str, &str), Decimal> = BTreeMap::new();
        for delivery in self.deliveries {
            let events = &self.systems.events;
            let event = events.iter().find(|event| event.id == delivery.event_id)?;
            if !matches!(event.kind, "state" | "part")
                && delivery.state.kind() == StateKind::Delivered
                && !self.again.contains_key(&event.id)
            {
                *delivered.entry((event.kind, event.currency)).or_default() += amount(event);
            }
        }
        let mut posted: BTreeMap<(&str, &str), Decimal> = BTreeMap::new();
        for entry in &self.systems.entries {
            let bare = entry.bare_reference();
            let id = bare.split('-').next().unwrap_or_default();
            if entry.kind == "tally" || self.again.contains_key(id) {
                continue;
            }
            let amount: Decimal = entry.amount.parse().ok()?;
            *posted.entry((&entry.kind, &entry.currency)).or_default() += amount;
        }
        (delivered != posted).then(|| format!("delivered {delivered:?}, posted {posted:?}"))
    }
}

/// The last state of each account is that of its last event, and none came back after a later one.
fn states(systems: &Systems, deliveries: &[Delivery], wrong: &mut Vec<String>) {
    let place = |event: &str| {
        deliveries
            .iter()
            .position(|delivery| delivery.event_id == event)
    };
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for (account, event) in &systems.states {
        let Some(at) = place(event) else {
            wrong.push(format!("state {event} belongs to no delivery"));
            continue;
        };
        let before = last.insert(account, at);
        if before.is_some_and(|before| before > at) {
            wrong.push(format!("state {event} of {account} came after a later one"));
        }
    }
    for delivery in deliveries {
        let is_state = delivery.instance.as_str().ends_with("/states");
        if is_state
            && delivery.state.kind() == StateKind::Delivered
            && !systems
                .states
                .iter()
                .any(|(_, event)| *event == delivery.event_id)
        {
            wrong.push(format!("state {} was never put", delivery.event_id));
        }
    }
}

/// An event's amount in major units, by the currency's own exponent and not by the engine's.
fn amount(event: &Event) -> Decimal {
    let exponent = match event.currency {
        "JPY" => 0,
        "KWD" => 3,
        _ => 2,
    };
    Decimal::new(event.amount, exponent)
}
