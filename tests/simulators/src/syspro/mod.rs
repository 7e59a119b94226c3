//! The ERP: a strict copy of its REST load balancer and of the business objects behind it.
//!
//! A call is read, its session checked, and the object run on the session's company; what comes back is text: an answer
//! document, or a line beginning with `ERROR`, both under HTTP 200 (SY 3.4, 8.1). Posting the same document twice
//! posts it twice (SY 5). Everything that sites differ in, or that nobody knows, is a [`Switches`] member;
//! everything that can go wrong on the way is a [`Fault`].

mod answer;
mod arsqry;
mod arstin;
mod arstpy;
mod arstpy_other;
mod arstpy_payment;
mod arstpy_post;
mod by_hand;
mod call;
mod combrw;
mod comfnd;
mod company;
mod cshqry;
mod cshtwd;
pub mod faults;
mod fields;
mod forms;
mod genq;
mod gentjl;
mod keys;
mod masters;
mod odata;
mod odata_filter;
mod period;
mod session;
pub mod settings;
mod soap;
mod tables;
mod wiptlp;
mod xml;

pub use company::{
    Bank, CashEntry, Company, Customer, FormField, GlJournal, GlLine, Invoice, Labour, LedgerCode,
    Period, Receipt,
};
pub use faults::{Fault, On};
pub use session::Operator;
pub use settings::{
    GlJournals, Negatives, Nesting, RootCase, Switches, TooLong, Wrapping, ZeroCounters,
};

use crate::entropy::Entropy;
use crate::faults::Faults;
use crate::late::Late;
use crate::system::Simulated;
use crate::{Reply, Ticket};
use answer::{Exception, Node};
use jiff::Timestamp;
use ml_connector_core::http::HttpRequest;
use session::Session;
use std::collections::BTreeMap;

/// A call that runs late, in this session.
#[derive(Debug, Clone)]
struct LateCall {
    request: HttpRequest,
    session: String,
}

/// One run of a business object: what it needs to know beside its documents.
pub(crate) struct Run<'a> {
    pub(crate) switches: &'a Switches,
    pub(crate) now: Timestamp,
    pub(crate) operator: &'a str,
    pub(crate) operator_bank: &'a str,
    pub(crate) fault: Option<Fault>,
}

impl Run<'_> {
    pub(crate) fn hit(&self, fault: &Fault) -> bool {
        self.fault.as_ref() == Some(fault)
    }
}

/// What a business object gives back.
pub(crate) type Outcome = Result<Node, Exception>;

/// The whole system in memory.
#[derive(Debug)]
pub struct Simulator {
    /// Site differences and unknowns.
    pub switches: Switches,
    /// Faults to inject.
    pub faults: Faults<On, Fault>,
    operators: BTreeMap<String, Operator>,
    /// User names and passwords of the OData service (SY 6.2).
    odata_users: BTreeMap<String, String>,
    companies: BTreeMap<String, Company>,
    sessions: Vec<Session>,
    /// Evicted sessions whose calls may still run.
    ended: Vec<Session>,
    entropy: Entropy,
    logons_blocked_until: Option<Timestamp>,
    down_until: Option<Timestamp>,
    late: Late<LateCall>,
    calls: u64,
    logons: u64,
    evictions: u64,
    object_calls: BTreeMap<String, u64>,
}

impl Simulator {
    /// A server with one operator `GC` (password `secret`) and one empty company `EDU1` in the given accounting month.
    pub fn new(switches: Switches, seed: u64, period: Period) -> Self {
        let operator = Operator {
            password: "secret".to_owned(),
            bank: "GC".to_owned(),
        };
        Self {
            switches,
            faults: Faults::new(seed ^ 0x5E5),
            operators: BTreeMap::from([("GC".to_owned(), operator)]),
            odata_users: BTreeMap::new(),
            companies: BTreeMap::from([("EDU1".to_owned(), Company::new("EDU1", period))]),
            sessions: Vec::new(),
            ended: Vec::new(),
            entropy: Entropy::new(seed),
            logons_blocked_until: None,
            down_until: None,
            late: Late::default(),
            calls: 0,
            logons: 0,
            evictions: 0,
            object_calls: BTreeMap::new(),
        }
    }

    /// Adds or changes an operator.
    pub fn set_operator(&mut self, code: &str, operator: Operator) {
        self.operators.insert(code.to_uppercase(), operator);
    }

    /// Adds or replaces a company.
    pub fn set_company(&mut self, company: Company) {
        self.companies.insert(company.id.to_uppercase(), company);
    }

    /// A company.
    pub fn company(&self, id: &str) -> Option<&Company> {
        self.companies.get(&id.to_uppercase())
    }

    /// A company, to set up.
    pub fn company_mut(&mut self, id: &str) -> Option<&mut Company> {
        self.companies.get_mut(&id.to_uppercase())
    }

    /// Everything received in all companies, for the checker.
    pub fn receipts(&self) -> Vec<Receipt> {
        self.companies
            .values()
            .flat_map(|company| company.receipts.iter().cloned())
            .collect()
    }

    /// How many receipts there are in all companies.
    pub fn receipt_count(&self) -> usize {
        self.companies
            .values()
            .map(|company| company.receipts.len())
            .sum()
    }

    /// Refuses logons until then, as the month-end run does (SY 2.4).
    pub fn block_logons_until(&mut self, until: Option<Timestamp>) {
        self.logons_blocked_until = until;
    }

    /// Answers 503 until then, with all sessions lost (SY 10 no. 30).
    pub fn restart_until(&mut self, until: Timestamp) {
        self.sessions.clear();
        self.down_until = Some(until);
    }

    /// How many calls of a business object have arrived, faults included.
    pub fn calls_of(&self, object: &str) -> u64 {
        self.object_calls
            .get(&object.to_uppercase())
            .copied()
            .unwrap_or(0)
    }

    /// Runs calls that were held back and whose time has come.
    pub fn tick(&mut self, now: Timestamp) {
        while let Some((ticket, _, call)) = self.late.due(now) {
            let answer = self.answer(&call.request, now, None, true);
            self.late.answered(ticket, answer);
        }
    }
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
