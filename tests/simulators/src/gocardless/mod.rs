//! The payment collector: a strict copy of its public REST API, its events and its webhooks.
//!
//! Order of checks on a call: authentication, version header, media types, rate, path and method, rights, key length,
//! document, used idempotency key, envelope, members, state. The sheet does not say in which order the vendor checks;
//! no client may depend on it.
//!
//! Resources are kept in the form in which they are sent, so that no field can be forgotten between state and answer.
//! State changes go through `moves`, the only place that alters a `status`; each change writes its event (GC 4.5).

mod admission;
mod billing;
mod calendar;
mod creditors;
mod customers;
mod error;
mod events;
pub mod faults;
mod fields;
mod instalments;
mod kind;
mod list;
mod mandates;
mod moves;
mod payments;
mod payouts;
mod refunds;
mod routes;
mod scenarios;
mod schemes;
mod settings;
mod spec;
mod store;
mod subscriptions;
mod verbs;
mod webhooks;

pub use crate::webhooks::{Delivery, Failure};
pub use events::Origin;
pub use faults::{Fault, On};
pub use kind::Kind;
pub use moves::WrongState;
pub use settings::{Access, Fees, Settings};
pub use verbs::{Collected, Event, Party};
pub use webhooks::{EVENTS_MAX, Endpoint, Sending};

use crate::faults::Faults;
use crate::late::Late;
use crate::system::Simulated;
use crate::{Reply, Ticket};
use admission::Window;
use jiff::Timestamp;
use ml_connector_core::http::HttpRequest;
use payouts::Line;
use std::collections::{BTreeMap, HashMap};
use store::Store;
use webhooks::Outbox;

/// The API version that every call must name (GC 1).
pub const VERSION: &str = "2015-07-06";

/// The whole system in memory.
#[derive(Debug)]
pub struct Simulator {
    /// What differs between merchants, and what the sheet leaves open.
    pub settings: Settings,
    /// Faults to inject.
    pub faults: Faults<On, Fault>,
    store: Store,
    entropy: crate::entropy::Entropy,
    idempotency: HashMap<(String, String, String), (String, Timestamp)>,
    windows: HashMap<(String, bool), Window>,
    waiting_lines: Vec<Line>,
    payout_items: HashMap<String, Vec<payouts::Item>>,
    tax_rates: HashMap<String, rust_decimal::Decimal>,
    account_numbers: HashMap<String, String>,
    planned_instalments: BTreeMap<String, Vec<(jiff::civil::Date, i64)>>,
    creditor: String,
    outbox: Outbox,
    late: Late,
    calls: u64,
    today: jiff::civil::Date,
}

impl Simulator {
    /// A merchant with one verified creditor and nothing else. Ids follow from the seed.
    pub fn new(settings: Settings, seed: u64, now: Timestamp) -> Self {
        let mut simulator = Self {
            faults: Faults::new(seed ^ 0xFA17),
            store: Store::new(seed),
            entropy: crate::entropy::Entropy::new(seed),
            idempotency: HashMap::new(),
            windows: HashMap::new(),
            waiting_lines: Vec::new(),
            payout_items: HashMap::new(),
            tax_rates: HashMap::new(),
            account_numbers: HashMap::new(),
            planned_instalments: BTreeMap::new(),
            creditor: String::new(),
            outbox: Outbox::new(seed),
            late: Late::default(),
            calls: 0,
            today: calendar::date_of(now),
            settings,
        };
        simulator.set_up_creditor(calendar::to_millis(now));
        simulator
    }

    /// Carries out one call at the given moment.
    pub fn handle(&mut self, request: &HttpRequest, now: Timestamp) -> Reply {
        let now = calendar::to_millis(now);
        self.calls += 1;
        self.roll_day(now);
        match self.fault_for(request) {
            None => Reply::Answer(self.answer(request, now)),
            Some(Fault::DropBefore) => Reply::Drop,
            Some(Fault::DropAfter) => {
                self.answer(request, now);
                Reply::Drop
            }
            Some(Fault::Truncate { body_bytes }) => Reply::Truncate {
                response: self.answer(request, now),
                body_bytes,
            },
            Some(Fault::Slow { by }) => {
                let response = self.answer(request, now);
                self.late.keep(response, by, now)
            }
            Some(fault) => Reply::Answer(self.faulty_answer(&fault, now)),
        }
    }

    /// A resource as the API would show it now, for assertions.
    pub fn resource(&self, kind: Kind, id: &str) -> Option<serde_json::Value> {
        Some(serde_json::Value::Object(
            self.store.get(kind, id)?.body.clone(),
        ))
    }

    /// All ids of a kind, oldest first.
    pub fn ids(&self, kind: Kind) -> Vec<String> {
        self.store
            .rows(kind)
            .iter()
            .map(|row| row.id.clone())
            .collect()
    }
}

impl Simulated for Simulator {
    fn handle(&mut self, request: &HttpRequest, now: Timestamp) -> Reply {
        Self::handle(self, request, now)
    }

    fn collect(&mut self, ticket: Ticket, now: Timestamp) -> Reply {
        self.late.collect(ticket, now)
    }

    fn calls(&self) -> u64 {
        self.calls
    }
}
