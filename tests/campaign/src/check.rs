//! The checkers. They compare what the senders were told with what the ledger has, and never ask how the engine got there.

use crate::systems::{Entry, Event, Systems};
use ml_connector_core::delivery::StateKind;
use ml_connector_store::Delivery;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// What is wrong at the end of a run; empty if nothing is.
pub(crate) fn books(
    systems: &Systems,
    acknowledged: &[String],
    deliveries: &[Delivery],
) -> Vec<String> {
    let mut wrong = Vec::new();
    let by_event = deliveries_of(deliveries, &mut wrong);
    for id in acknowledged {
        let Some(event) = systems.events.iter().find(|event| event.id == *id) else {
            continue;
        };
        match by_event.get(id.as_str()) {
            None => wrong.push(format!("{id} was acknowledged and has no delivery")),
            Some(delivery) => one(systems, event, delivery, &mut wrong),
        }
    }
    for entry in &systems.entries {
        if !by_event.contains_key(entry.reference.as_str()) {
            wrong.push(format!("entry {} belongs to no delivery", entry.reference));
        }
    }
    order(systems, deliveries, &mut wrong);
    states(systems, deliveries, &mut wrong);
    wrong.extend(sums(systems, deliveries));
    wrong
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

/// One event: in a final state, and in the ledger exactly as that says.
fn one(systems: &Systems, event: &Event, delivery: &Delivery, wrong: &mut Vec<String>) {
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
    if event.kind == "state" {
        return;
    }
    let entries: Vec<&Entry> = systems
        .entries
        .iter()
        .filter(|entry| entry.reference == *id)
        .collect();
    let wanted = usize::from(kind == StateKind::Delivered);
    if entries.len() != wanted {
        let times = entries.len();
        wrong.push(format!(
            "{id} ({}) is {} and stands {times} times in the ledger",
            event.kind,
            kind.as_str()
        ));
    }
    for entry in entries {
        if entry.account != event.account {
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
        if let Some(of) = &event.of {
            let reversed = systems.entries.iter().find(|other| other.reference == *of);
            if reversed.map(|other| other.number) != entry.reverses {
                wrong.push(format!(
                    "{id} reverses entry {:?}, not that of {of}",
                    entry.reverses
                ));
            }
            if reversed.is_none_or(|other| other.number >= entry.number) {
                wrong.push(format!("{id} stands before what it reverses"));
            }
        }
    }
}

/// Entries of one integration and account stand in the order in which their events were accepted.
fn order(systems: &Systems, deliveries: &[Delivery], wrong: &mut Vec<String>) {
    let mut last: BTreeMap<(&str, &str), (i64, &str)> = BTreeMap::new();
    for delivery in deliveries {
        let Some(key) = &delivery.order_key else {
            continue;
        };
        let entry = systems
            .entries
            .iter()
            .find(|entry| entry.reference == delivery.event_id);
        let Some(entry) = entry else { continue };
        let lane = (delivery.instance.as_str(), key.as_str());
        if let Some((number, before)) = last.get(&lane)
            && *number > entry.number
        {
            wrong.push(format!("{} was posted before {before}", entry.reference));
        }
        last.insert(lane, (entry.number, entry.reference.as_str()));
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

/// Sums per kind and currency: what was delivered is what stands there.
fn sums(systems: &Systems, deliveries: &[Delivery]) -> Option<String> {
    let mut delivered: BTreeMap<(&str, &str), Decimal> = BTreeMap::new();
    for delivery in deliveries {
        let event = systems
            .events
            .iter()
            .find(|event| event.id == delivery.event_id)?;
        if event.kind != "state" && delivery.state.kind() == StateKind::Delivered {
            *delivered.entry((event.kind, event.currency)).or_default() += amount(event);
        }
    }
    let mut posted: BTreeMap<(&str, &str), Decimal> = BTreeMap::new();
    for entry in &systems.entries {
        let amount: Decimal = entry.amount.parse().ok()?;
        *posted.entry((&entry.kind, &entry.currency)).or_default() += amount;
    }
    (delivered != posted).then(|| format!("delivered {delivered:?}, posted {posted:?}"))
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
