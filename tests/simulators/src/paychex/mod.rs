//! The payroll service: a strict copy of its public API, its pay periods and its notifications.
//!
//! A call is authenticated, its media type chosen, its rights checked, then routed; the answer is the envelope with
//! `content`, or the list of errors. Everything the sheet leaves open is a [`Switches`] member; everything that can go
//! wrong on the way is a [`Fault`]. Every `Accept` that was asked for is remembered, and so is every answer that
//! carried personal identifiers, so that a test can prove that nobody asked for them (PX 8).
//!
//! "PX 4.12" is section 4.12 of the sheet.

mod checks;
mod envelope;
pub mod faults;
mod hooks;
mod lists;
mod lookup;
mod media;
mod payroll;
mod records;
mod routes;
mod settings;
mod show;
mod sums;
mod token;
mod worker;

pub use faults::{Fault, On, Shape500};
pub use hooks::{HookAuth, Sending};
pub use payroll::Lines;
pub use records::{
    Address, Check, Company, Effect, Job, JobTitle, LaborAssignment, Line, Location, Name,
    Organization, PayComponent, PayPeriod, PayRate, PeriodStatus, Status, Tax, Worker,
};
pub use settings::{
    Access, Client, EtagRule, ProcessingAnswer, ReversalSign, Switches, TokenRefusal,
};
pub use sums::Sums;

use crate::entropy::Entropy;
use crate::faults::Faults;
use crate::late::Late;
use crate::system::Simulated;
use crate::{Reply, Ticket};
use hooks::Outbox;
use jiff::Timestamp;
use ml_connector_core::http::HttpRequest;
use records::Records;
use std::collections::{BTreeMap, VecDeque};
use token::Token;

/// One call as it arrived, for tests that prove what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Method and path, without the query.
    pub what: String,
    /// The `Accept` header; empty if there was none.
    pub accept: String,
    /// Whether the answer carried social security numbers.
    pub identifiers: bool,
}

/// The whole service in memory.
#[derive(Debug)]
pub struct Simulator {
    /// What differs between sites, and what the sheet leaves open.
    pub switches: Switches,
    /// Faults to inject.
    pub faults: Faults<On, Fault>,
    clients: BTreeMap<String, Client>,
    tokens: BTreeMap<String, Token>,
    token_calls: VecDeque<Timestamp>,
    records: Records,
    outbox: Outbox,
    /// Snapshots of paged collections by their tag (PX 3.4).
    snapshots: BTreeMap<String, Vec<String>>,
    recent: VecDeque<Timestamp>,
    entropy: Entropy,
    late: Late,
    calls: u64,
    tokens_given: u64,
    tokens_refused: u64,
    asked: Vec<Asked>,
}

impl Simulator {
    /// A service with one client `key` (secret `secret`) that may read everything of every company, and no company yet.
    pub fn new(switches: Switches, seed: u64) -> Self {
        Self {
            switches,
            faults: Faults::new(seed ^ 0x9A7C),
            clients: BTreeMap::from([("key".to_owned(), Client::reader("secret"))]),
            tokens: BTreeMap::new(),
            token_calls: VecDeque::new(),
            records: Records::new(seed),
            outbox: Outbox::new(seed),
            snapshots: BTreeMap::new(),
            recent: VecDeque::new(),
            entropy: Entropy::new(seed ^ 0x0C0F_FEE0),
            late: Late::default(),
            calls: 0,
            tokens_given: 0,
            tokens_refused: 0,
            asked: Vec::new(),
        }
    }

    /// Adds or changes a client.
    pub fn set_client(&mut self, key: &str, client: Client) {
        self.clients.insert(key.to_owned(), client);
    }

    /// Carries out one call at the given moment.
    pub fn handle(&mut self, request: &HttpRequest, now: Timestamp) -> Reply {
        self.calls += 1;
        let area = routes::area(request);
        match self.faults.take(|on| on.covers(request.method, area)) {
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
            Some(Fault::TokensEnd) => {
                self.tokens.clear();
                Reply::Answer(self.answer(request, now))
            }
            Some(fault) => Reply::Answer(self.faulty(&fault, request, now)),
        }
    }

    /// How many tokens were given out: one per life, if nobody asks twice (PX 2).
    pub fn tokens_given(&self) -> u64 {
        self.tokens_given
    }

    /// How many calls came with a token that had expired or never was one: none, if each is renewed in time (PX 2).
    pub fn tokens_refused(&self) -> u64 {
        self.tokens_refused
    }

    /// Ends every token at once, as an expiry in the middle of the work does.
    pub fn end_tokens(&mut self) {
        self.tokens.clear();
    }

    /// Every call that got past authentication, oldest first.
    pub fn asked(&self) -> &[Asked] {
        &self.asked
    }

    /// The calls whose answer carried social security numbers. A connector that asks for nothing it does not need
    /// leaves this empty (PX 4.7, 8).
    pub fn identifiers_served(&self) -> Vec<&Asked> {
        self.asked
            .iter()
            .filter(|asked| asked.identifiers)
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
