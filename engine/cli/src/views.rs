//! Stored records as people and programs see them.

use crate::table::Table;
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::delivery::{Awaited, DeliveryState, StateKind};
use ml_connector_store::{Counts, Delivery};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Document;
use std::collections::BTreeMap;

/// A delivery.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct DeliveryView {
    /// Its id, e.g. `dlv_42`.
    pub(crate) id: String,
    /// Its message's id, e.g. `msg_17`.
    pub(crate) message: String,
    /// The event's id in the source.
    pub(crate) event_id: String,
    /// For which integration, as the site names it.
    pub(crate) integration: String,
    /// The connection it goes to.
    pub(crate) connection: String,
    /// pending, in_flight, uncertain, held, delivered, skipped or discarded.
    pub(crate) state: String,
    /// Unique within the integration.
    pub(crate) dedup_key: String,
    /// Deliveries of the integration with the same key go one after another.
    pub(crate) order_key: Option<String>,
    /// Our reference in the target's document.
    pub(crate) reference: Option<String>,
    /// Attempts made.
    pub(crate) attempts: u32,
    /// When it was accepted.
    #[schemars(with = "String")]
    pub(crate) created_at: Timestamp,
    /// When it last changed.
    #[schemars(with = "String")]
    pub(crate) changed_at: Timestamp,
    /// When it is taken up, if it waits for a time.
    #[schemars(with = "Option<String>")]
    pub(crate) due_at: Option<Timestamp>,
    /// What kind of trouble it is held for.
    pub(crate) class: Option<String>,
    /// Why it is where it is.
    pub(crate) why: Option<String>,
    /// The next step.
    pub(crate) help: Option<String>,
    /// What would release it by itself.
    pub(crate) awaits: Option<String>,
    /// Whether the target may already have it.
    pub(crate) in_doubt: bool,
    /// What the target calls it.
    pub(crate) receipt: BTreeMap<String, Document>,
}

impl DeliveryView {
    /// Makes a view of a stored delivery.
    pub(crate) fn of(delivery: &Delivery) -> Self {
        let mut view = Self {
            id: delivery.id.to_string(),
            message: delivery.message.to_string(),
            event_id: delivery.event_id.clone(),
            integration: delivery.instance.to_string(),
            connection: delivery.lane.to_string(),
            state: delivery.state.kind().as_str().to_owned(),
            dedup_key: delivery.dedup_key.to_string(),
            order_key: delivery.order_key.as_ref().map(ToString::to_string),
            reference: delivery.reference.as_ref().map(ToString::to_string),
            attempts: delivery.progress.attempts,
            created_at: delivery.created_at,
            changed_at: delivery.changed_at,
            due_at: delivery.state.due_at(),
            class: None,
            why: None,
            help: None,
            awaits: None,
            in_doubt: false,
            receipt: BTreeMap::new(),
        };
        match &delivery.state {
            DeliveryState::Pending { .. } | DeliveryState::InFlight { .. } => {}
            DeliveryState::Uncertain { why, .. } => {
                view.why = Some(why.clone());
                view.in_doubt = true;
            }
            DeliveryState::Held(hold) => {
                view.class = Some(hold.class.as_str().to_owned());
                view.why = Some(hold.why.clone());
                view.help = Some(hold.help.clone()).filter(|help| !help.is_empty());
                view.awaits = hold.awaits.as_ref().map(awaited);
                view.in_doubt = hold.in_doubt;
            }
            DeliveryState::Delivered { receipt } => view.receipt.clone_from(&receipt.0),
            DeliveryState::Skipped { reason } | DeliveryState::Discarded { reason } => {
                view.why = Some(reason.clone());
            }
        }
        view
    }

    /// What is worth a table's last column.
    pub(crate) fn remark(&self) -> String {
        if let Some(why) = &self.why {
            return match &self.class {
                Some(class) => format!("{class}: {why}"),
                None => why.clone(),
            };
        }
        let receipt = self
            .receipt
            .iter()
            .map(|(name, value)| format!("{name} {}", plain(value)));
        receipt.collect::<Vec<_>>().join(", ")
    }
}

/// What a held delivery waits for, in words.
fn awaited(awaited: &Awaited) -> String {
    match awaited {
        Awaited::Crosswalk { table, key } => format!("entry `{key}` in crosswalk `{table}`"),
        Awaited::Delivery { delivery } => format!("the end of {delivery}"),
        Awaited::Until { due_at } => moment(*due_at),
    }
}

/// A value as people write it.
pub(crate) fn plain(value: &Document) -> String {
    match value {
        Document::String(text) => text.clone(),
        Document::Null => "none".to_owned(),
        Document::Bool(_) | Document::Number(_) | Document::Array(_) | Document::Object(_) => {
            value.to_string()
        }
    }
}

/// A time to the second, in UTC.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// How long something has been, roughly: `4s`, `12m`, `3h`, `5d`.
pub(crate) fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now
        .duration_since(since)
        .max(SignedDuration::ZERO)
        .as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Deliveries as a table.
pub(crate) fn deliveries_table(deliveries: &[DeliveryView]) -> Vec<String> {
    let mut table = Table::new([
        "ID",
        "STATE",
        "INTEGRATION",
        "EVENT",
        "REFERENCE",
        "TRIES",
        "CHANGED",
        "REMARK",
    ])
    .right(&[5]);
    for delivery in deliveries {
        table.row([
            delivery.id.clone(),
            delivery.state.clone(),
            delivery.integration.clone(),
            delivery.event_id.clone(),
            delivery.reference.clone().unwrap_or_default(),
            delivery.attempts.to_string(),
            moment(delivery.changed_at),
            delivery.remark(),
        ]);
    }
    table.lines()
}

/// How many there are, for one integration.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct CountsView {
    /// As the site names it.
    pub(crate) integration: String,
    /// Deliveries made; always the sum of all states.
    pub(crate) received: u64,
    /// Deliveries not made because their dedup key was known.
    pub(crate) duplicates: u64,
    /// By state.
    pub(crate) states: BTreeMap<String, u64>,
}

impl CountsView {
    /// Makes a view of counters.
    pub(crate) fn of(integration: &str, counts: &Counts) -> Self {
        let states = StateKind::ALL.iter().zip(counts.states);
        Self {
            integration: integration.to_owned(),
            received: counts.received,
            duplicates: counts.duplicates,
            states: states
                .map(|(kind, number)| (kind.as_str().to_owned(), number))
                .collect(),
        }
    }

    /// Whether anything of it waits for a person or for an answer that may never come.
    pub(crate) fn waits_for_somebody(&self) -> bool {
        self.state(StateKind::Held) + self.state(StateKind::Uncertain) > 0
    }

    fn state(&self, kind: StateKind) -> u64 {
        self.states.get(kind.as_str()).copied().unwrap_or(0)
    }
}

/// Counters as a table.
pub(crate) fn counts_table(counts: &[CountsView]) -> Vec<String> {
    let heads = [
        "INTEGRATION",
        "RECEIVED",
        "DUPLICATE",
        "WAITING",
        "UNCERTAIN",
        "HELD",
        "DELIVERED",
        "SKIPPED",
        "DISCARDED",
    ];
    let mut table = Table::new(heads).right(&[1, 2, 3, 4, 5, 6, 7, 8]);
    for one in counts {
        let number = |kind| one.state(kind).to_string();
        table.row([
            one.integration.clone(),
            one.received.to_string(),
            one.duplicates.to_string(),
            (one.state(StateKind::Pending) + one.state(StateKind::InFlight)).to_string(),
            number(StateKind::Uncertain),
            number(StateKind::Held),
            number(StateKind::Delivered),
            number(StateKind::Skipped),
            number(StateKind::Discarded),
        ]);
    }
    table.lines()
}

#[cfg(test)]
mod tests {
    use super::{CountsView, DeliveryView, age, counts_table, deliveries_table};
    use jiff::Timestamp;
    use ml_connector_core::delivery::{Awaited, Class, DeliveryState, Hold, Progress};
    use ml_connector_core::identity::{DeliveryId, MessageId};
    use ml_connector_store::{Counts, Delivery};

    fn held() -> Delivery {
        let at: Timestamp = "2026-03-16T08:47:21Z".parse().unwrap();
        Delivery {
            id: DeliveryId(42),
            message: MessageId(17),
            event_id: "EV1".into(),
            instance: "netledger-payfast/bills".into(),
            lane: "netledger".into(),
            dedup_key: "EV1".into(),
            order_key: None,
            reference: Some("PM1".into()),
            created_at: at,
            changed_at: at,
            revision: 3,
            state: DeliveryState::Held(Hold {
                class: Class::MissingMasterData,
                why: "no account for MD1".into(),
                help: "ml-connector crosswalk set customers MD1 account=…".into(),
                since: at,
                awaits: Some(Awaited::Crosswalk {
                    table: "customers".into(),
                    key: "MD1".into(),
                }),
                in_doubt: false,
            }),
            progress: Progress::default(),
        }
    }

    #[test]
    fn a_held_delivery_says_why_and_what_next() {
        let view = DeliveryView::of(&held());
        assert_eq!(view.remark(), "missing_master_data: no account for MD1");
        assert_eq!(
            view.awaits.as_deref(),
            Some("entry `MD1` in crosswalk `customers`")
        );
        let lines = deliveries_table(&[view]);
        assert!(
            lines[1].starts_with("dlv_42  held   netledger-payfast/bills  EV1"),
            "{}",
            lines[1]
        );
    }

    #[test]
    fn waiting_is_pending_and_in_flight_and_the_row_adds_up() {
        let counts = Counts {
            received: 28,
            duplicates: 3,
            states: [1, 2, 3, 4, 5, 6, 7],
        };
        let lines = counts_table(&[CountsView::of("a/b", &counts)]);
        let cells: Vec<&str> = lines[1].split_whitespace().collect();
        assert_eq!(cells, ["a/b", "28", "3", "3", "3", "4", "5", "6", "7"]);
    }

    #[test]
    fn ages_are_rough() {
        let now: Timestamp = "2026-03-16T08:47:21Z".parse().unwrap();
        let ago = |seconds| age(now - jiff::SignedDuration::from_secs(seconds), now);
        assert_eq!(
            [ago(-5), ago(59), ago(60), ago(7200), ago(172_800)],
            ["0s", "59s", "1m", "2h", "2d"]
        );
    }
}
