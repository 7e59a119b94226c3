//! What operators see: the documents that commands print and the operator API answers, made from stored records.
//!
//! One set for both, so that a program meets the same members whichever way it asks. Nothing here holds an event as it was
//! received: it may hold personal data, and is given out only where somebody asks for that one event on the machine itself.

mod attempts;
mod holds;

pub use attempts::{AttemptView, attempts};
pub(crate) use holds::cause;
pub use holds::{HoldGroup, HoldGroups, normalised};

use super::{ConnectionStatus, InstanceStatus, PollStatus, Resolved};
use jiff::Timestamp;
use ml_connector_core::delivery::{Awaited, DeliveryState, StateKind};
use ml_connector_store::{AuditRecord, Counts, CrosswalkEntry, Delivery};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Document;
use std::collections::BTreeMap;

/// The members of an event's record that hold it as received.
const RAW: [&str; 2] = ["raw", "raw_base64"];

/// A delivery.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DeliveryView {
    /// Its id, e.g. `dlv_42`.
    pub id: String,
    /// Its message's id, e.g. `msg_17`.
    pub message: String,
    /// The event's id in the source.
    pub event_id: String,
    /// For which integration, as the site names it.
    pub integration: String,
    /// The connection it goes to.
    pub connection: String,
    /// pending, in_flight, uncertain, held, delivered, skipped or discarded.
    pub state: String,
    /// Unique within the integration.
    pub dedup_key: String,
    /// Deliveries of the integration with the same key go one after another.
    pub order_key: Option<String>,
    /// Our reference in the target's document.
    pub reference: Option<String>,
    /// Attempts made.
    pub attempts: u32,
    /// When it was accepted.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// When it last changed.
    #[schemars(with = "String")]
    pub changed_at: Timestamp,
    /// When it is taken up, if it waits for a time.
    #[schemars(with = "Option<String>")]
    pub due_at: Option<Timestamp>,
    /// What kind of trouble it is held for.
    pub class: Option<String>,
    /// Why it is where it is.
    pub why: Option<String>,
    /// The next step.
    pub help: Option<String>,
    /// What would release it by itself.
    pub awaits: Option<String>,
    /// Whether the target may already have it.
    pub in_doubt: bool,
    /// What the target calls it.
    pub receipt: BTreeMap<String, Document>,
    /// The group of events it is made of, if it is made of several.
    pub group: Option<String>,
}

impl DeliveryView {
    /// Makes a view of a stored delivery.
    pub fn of(delivery: &Delivery) -> Self {
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
            group: None,
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
            DeliveryState::Joined { into } => view.why = Some(format!("part of {into}")),
        }
        if let Some(group) = &delivery.progress.group {
            let open = if group.open { ", still open" } else { "" };
            view.group = Some(format!("{} number {}{open}", group.key, group.number));
        }
        view
    }

    /// What is worth a table's last column: why it waits, or what the target calls it.
    pub fn remark(&self) -> String {
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
        Awaited::Column { table, key, column } => {
            format!("column `{column}` of entry `{key}` in crosswalk `{table}`")
        }
        Awaited::Delivery { delivery } => format!("the end of {delivery}"),
        Awaited::Connection { connection } => format!("connection `{connection}` in the site"),
        Awaited::Integration { instance } => format!("integration `{instance}` in the site"),
        Awaited::Until { due_at } => due_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
    }
}

/// A value as people write it.
fn plain(value: &Document) -> String {
    match value {
        Document::String(text) => text.clone(),
        Document::Null => "none".to_owned(),
        Document::Bool(_) | Document::Number(_) | Document::Array(_) | Document::Object(_) => {
            value.to_string()
        }
    }
}

/// How many there are, for one integration.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CountsView {
    /// As the site names it.
    pub integration: String,
    /// Deliveries made; always the sum of all states.
    pub received: u64,
    /// Deliveries not made because their dedup key was known.
    pub duplicates: u64,
    /// By state.
    pub states: BTreeMap<String, u64>,
    /// When the next of its windows opens, for which its deliveries wait; null if they need not wait for one.
    #[schemars(with = "Option<String>")]
    pub opens_at: Option<Timestamp>,
}

impl CountsView {
    /// Makes a view of counters.
    pub fn of(integration: &str, counts: &Counts) -> Self {
        let states = StateKind::ALL.iter().zip(counts.states);
        Self {
            integration: integration.to_owned(),
            received: counts.received,
            duplicates: counts.duplicates,
            states: states
                .map(|(kind, number)| (kind.as_str().to_owned(), number))
                .collect(),
            opens_at: None,
        }
    }

    /// Makes a view of how an integration stands.
    pub fn of_status(status: &InstanceStatus) -> Self {
        Self {
            opens_at: status.opens_at,
            ..Self::of(status.instance.as_str(), &status.counts)
        }
    }

    /// Whether anything of it waits for a person or for an answer that may never come.
    pub fn waits_for_somebody(&self) -> bool {
        self.state(StateKind::Held) + self.state(StateKind::Uncertain) > 0
    }

    /// How many are in a state.
    pub fn state(&self, kind: StateKind) -> u64 {
        self.states.get(kind.as_str()).copied().unwrap_or(0)
    }
}

/// One journal record.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RecordView {
    /// Sequence number.
    pub sequence: u64,
    /// When it was written.
    pub at: String,
    /// What kind of record it is: intake, event, transition, crosswalk or note.
    pub kind: String,
    /// Its content, without the event as it was received.
    pub content: Document,
    /// SHA-256 of this record chained to the one before, hex.
    pub hash: String,
    /// The one before, hex.
    pub previous: String,
}

impl RecordView {
    /// Makes a view of a record, without the event as it was received, which may hold personal data.
    pub fn of(record: &AuditRecord) -> Self {
        Self {
            sequence: record.sequence,
            at: record.at.to_string(),
            kind: record.kind.clone(),
            content: without_raw(&record.content),
            hash: record.hash.clone(),
            previous: record.previous.clone(),
        }
    }
}

/// A record's content without the event as received.
pub fn without_raw(content: &Document) -> Document {
    let Document::Object(members) = content else {
        return content.clone();
    };
    let kept = members
        .iter()
        .filter(|(name, _)| !RAW.contains(&name.as_str()));
    kept.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// A connection of a running engine.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ConnectionView {
    /// As the site names it.
    pub connection: String,
    /// What it connects to.
    pub connector: String,
    /// closed (calls go through), half_open, open (the system is in trouble) or paused (by a person).
    pub state: String,
    /// Why, unless it is closed.
    pub why: Option<String>,
    /// The next step, where waiting is not enough.
    pub help: Option<String>,
    /// Its session or token in words, where there is one.
    pub session: Option<String>,
    /// Requests it may make in a stretch of time, in words, where that is limited.
    pub rate: Option<String>,
    /// When its system is tried next.
    #[schemars(with = "Option<String>")]
    pub probe_at: Option<Timestamp>,
    /// When its next delivery is due.
    #[schemars(with = "Option<String>")]
    pub next_due: Option<Timestamp>,
}

impl ConnectionView {
    /// Makes a view of a connection's status.
    pub fn of(status: &ConnectionStatus) -> Self {
        let circuit = &status.circuit;
        let (state, why, help) = match (&circuit.pause, &circuit.cause) {
            (Some(pause), _) => (
                "paused".to_owned(),
                Some(format!("{}: {}", pause.actor, pause.reason)),
                Some(format!(
                    "let it go on with `ml-connector resume {}`",
                    status.connection
                )),
            ),
            (None, Some(cause)) => (
                circuit.state.clone(),
                Some(cause.why.clone()),
                Some(cause.help.clone()).filter(|help| !help.is_empty()),
            ),
            (None, None) => (circuit.state.clone(), None, None),
        };
        Self {
            connection: status.connection.to_string(),
            connector: status.connector.clone(),
            state,
            why,
            help,
            session: status.session.clone(),
            rate: status.rate.clone(),
            probe_at: circuit.probe_at,
            next_due: status.next_due,
        }
    }
}

/// A poll of a running engine.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PollView {
    /// `<connection>/<trigger>`.
    pub poll: String,
    /// When it asks next; null while it is asking or waits for its connection.
    #[schemars(with = "Option<String>")]
    pub next: Option<Timestamp>,
    /// How far it has come.
    pub cursor: Option<String>,
}

impl PollView {
    /// Makes a view of a poll's status.
    pub fn of(status: &PollStatus) -> Self {
        Self {
            poll: status.poll.clone(),
            next: status.next,
            cursor: status.cursor.clone(),
        }
    }
}

/// What became of one delivery that was decided about.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DecidedView {
    /// Which.
    pub delivery: String,
    /// Its new state, if the decision was taken.
    pub state: Option<String>,
    /// Why not, otherwise.
    pub error: Option<String>,
    /// What is left to do by hand, if anything.
    pub notice: Option<String>,
}

impl DecidedView {
    /// Makes a view of what became of a delivery.
    pub fn of(resolved: &Resolved) -> Self {
        Self {
            delivery: resolved.delivery.to_string(),
            state: resolved
                .state
                .as_ref()
                .map(|state| state.kind().as_str().to_owned()),
            error: resolved.error.clone(),
            notice: resolved.notice.clone(),
        }
    }
}

/// An entry of a matching table.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct EntryView {
    /// Which table.
    pub table: String,
    /// Source key.
    pub key: String,
    /// Target values, by column.
    pub values: Document,
}

impl EntryView {
    /// Makes a view of an entry.
    pub fn of(entry: &CrosswalkEntry) -> Self {
        Self {
            table: entry.table.to_string(),
            key: entry.key.clone(),
            values: entry.values.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DeliveryView, RecordView};
    use jiff::Timestamp;
    use ml_connector_core::delivery::{Awaited, Class, DeliveryState, Hold, Progress};
    use ml_connector_core::identity::{DeliveryId, MessageId};
    use ml_connector_store::{AuditRecord, Delivery};
    use serde_json::json;

    pub(super) fn held(id: u64, why: &str) -> Delivery {
        let at: Timestamp = "2026-03-16T08:47:21Z".parse().unwrap();
        Delivery {
            id: DeliveryId(id),
            message: MessageId(17),
            event_id: "EV1".into(),
            instance: "netledger-payfast/bills".into(),
            lane: "netledger".into(),
            dedup_key: "EV1".into(),
            order_key: None,
            unrouted: false,
            reference: Some("PM1".into()),
            kept: None,
            created_at: at,
            changed_at: at,
            revision: 3,
            state: DeliveryState::Held(Hold {
                class: Class::MissingMasterData,
                why: why.into(),
                help: "set it".into(),
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
        let view = DeliveryView::of(&held(42, "no account for MD1"));
        assert_eq!(view.remark(), "missing_master_data: no account for MD1");
        assert_eq!(view.help.as_deref(), Some("set it"));
        assert_eq!(
            view.awaits.as_deref(),
            Some("entry `MD1` in crosswalk `customers`")
        );
    }

    #[test]
    fn no_record_shows_the_event_as_received() {
        for raw in ["raw", "raw_base64"] {
            let record = AuditRecord {
                sequence: 7,
                at: "2026-03-16T08:47:21Z".parse().unwrap(),
                kind: "event".into(),
                content: json!({ "event_id": "EV1", raw: "iban" }),
                hash: String::new(),
                previous: String::new(),
            };
            let view = RecordView::of(&record);
            assert_eq!(view.content, json!({ "event_id": "EV1" }));
        }
    }
}
