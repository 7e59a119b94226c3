//! The ERP behind its integration gateway: a strict copy of the REST services of one deployment and of the receivables
//! behind them.
//!
//! There is no fixed catalogue: the site has deployed the receipt API, a package of its own for what base tables hide,
//! and the lockbox open interface, each under an alias (EB 1.2, and the sheet's five deciding things). A call is
//! authenticated, its body checked against the level of the site, its context resolved, the service run; a business
//! error stands under HTTP 200 (EB 3.3). The lockbox works over time: rows are staged, a concurrent request validates
//! and posts them when a manager gets to it, and only the base tables tell what became of them (EB 7).
//!
//! SOAP needs another product beside the suite (EB 1.1) and XML bodies are the fallback that the sheet advises
//! against (EB 3.1): neither is here. What sites differ in, or nobody knows, is a [`Switches`] member; what can go wrong
//! on the way is a [`Fault`].

mod answer;
mod by_hand;
mod call;
pub mod faults;
mod input;
mod interface;
mod lockbox;
mod package;
mod receipts;
mod requests;
mod services;
mod session;
pub mod settings;
mod site;
mod tables;
mod wadl;

pub use faults::{Fault, On};
pub use lockbox::Transmission;
pub use requests::{Phase, Request};
pub use settings::{Aliases, Expired, Nulls, Offsets, Scale, Settings, Switches};
pub use tables::{
    Application, Customer, Invoice, Lockbox, Method, OrgId, Receipt, Responsibility, Reversal,
    Sums, User,
};

use crate::entropy::Entropy;
use crate::faults::Faults;
use crate::late::Late;
use crate::system::Simulated;
use crate::{Reply, Ticket};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use lockbox::{Lockboxes, Progress};
use ml_connector_core::http::HttpRequest;
use session::Session;
use std::collections::{BTreeMap, BTreeSet};
use tables::Tables;

/// The context in which a call runs.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// The operating unit; `None`: not set, base tables look empty (EB 9).
    pub(crate) org: Option<OrgId>,
    /// The session has worked in more than one operating unit.
    pub(crate) several_orgs: bool,
    /// Oracle language name.
    pub(crate) language: String,
}

/// The whole system in memory.
#[derive(Debug)]
pub struct Simulator {
    /// Site facts.
    pub settings: Settings,
    /// Site differences and unknowns.
    pub switches: Switches,
    /// Faults to inject.
    pub faults: Faults<On, Fault>,
    users: BTreeMap<String, User>,
    responsibilities: Vec<Responsibility>,
    revoked: BTreeSet<String>,
    sessions: Vec<Session>,
    tables: Tables,
    lockboxes: Lockboxes,
    entropy: Entropy,
    down_until: Option<Timestamp>,
    managers_down_until: Option<Timestamp>,
    late: Late<HttpRequest>,
    calls: u64,
    logins: u64,
    operation_calls: BTreeMap<String, u64>,
}

impl Simulator {
    /// Carries out what time has brought: the managers work, calls that were held back run.
    pub fn tick(&mut self, now: Timestamp) {
        let progress = Progress {
            settings: &self.settings,
            switches: &self.switches,
            now,
            down_until: self.managers_down_until,
        };
        self.lockboxes.advance(&mut self.tables, &progress);
        while let Some((ticket, _, request)) = self.late.due(now) {
            let answer = self.answer(&request, now, None);
            self.late.answered(ticket, answer);
        }
    }
}

/// The server's local time to the second, which is what a DATE holds.
fn local(at: Timestamp, zone: &TimeZone) -> DateTime {
    let local = at.to_zoned(zone.clone()).datetime();
    local.with().subsec_nanosecond(0).build().unwrap_or(local)
}

impl Simulated for Simulator {
    fn handle(&mut self, request: &HttpRequest, now: Timestamp) -> Reply {
        Self::handle(self, request, now)
    }

    fn collect(&mut self, ticket: Ticket, now: Timestamp) -> Reply {
        self.tick(now);
        self.late.collect(ticket, now)
    }

    fn tick(&mut self, now: Timestamp) {
        Self::tick(self, now);
    }

    fn calls(&self) -> u64 {
        self.calls
    }
}
