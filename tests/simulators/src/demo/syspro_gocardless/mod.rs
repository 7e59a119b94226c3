//! Payments that GoCardless collects become receipts in SYSPRO.

use super::cast::{self, Fate, Fates, Payer};
use super::collector::{self, Collector};
use super::pairing::{Account, Doing, Pairing, Part, Play, Tally, starting};
use super::plan::Options;
use super::{CrosswalkRow, Error, Listen, site_head, syspro};
use crate::books::{Posted, Report, compare};
use crate::entropy::Entropy;
use crate::gocardless;
use crate::serve::{Server, lock};
use crate::webhooks::Delivery;
use jiff::Timestamp;
use std::sync::{Arc, Mutex};

/// The pairing.
pub(super) const PAIRING: Pairing = Pairing {
    name: "syspro-gocardless",
    title: "Payments that GoCardless collects become receipts in SYSPRO",
    start: |options, now| starting(Show::start(options, now)),
};

const OPERATOR: &str = "GC";

/// Both systems on loopback ports, with everybody who pays.
#[derive(Debug)]
pub struct Show {
    options: Options,
    collector: Collector,
    erp: Arc<Mutex<crate::syspro::Simulator>>,
    server: Server,
    people: Vec<Payer>,
    fates: Fates,
    entropy: Entropy,
}

impl Show {
    /// Sets both systems up.
    pub async fn start(options: Options, now: Timestamp) -> Result<Self, Error> {
        let mut collector = collector::simulator(&options, now);
        let mut erp = syspro::simulator(&options, OPERATOR, &["ARSTPY"], now);
        let people = cast::meet(&mut collector, now)?;
        open_accounts(&people, &mut erp);
        let erp = Arc::new(Mutex::new(erp));
        Ok(Self {
            collector: Collector::start(collector).await?,
            server: Server::start(erp.clone()).await.map_err(Error::Listen)?,
            erp,
            people,
            fates: Fates::default(),
            entropy: Entropy::new(options.seed ^ 0xDE30),
            options,
        })
    }

    /// The collector.
    pub fn collector(&self) -> Arc<Mutex<gocardless::Simulator>> {
        self.collector.simulator.clone()
    }

    /// The ERP.
    pub fn erp(&self) -> Arc<Mutex<crate::syspro::Simulator>> {
        self.erp.clone()
    }

    /// Collects so many payments of whoever the wheel names.
    fn collect(&mut self, payments: usize, now: Timestamp) {
        let mut collector = lock(&self.collector.simulator);
        for _ in 0..payments {
            let owed = cast::owe(&self.people, &mut collector, &mut self.entropy, now);
            let Some((payment, member)) = owed else {
                continue;
            };
            if collector.confirm(&payment, now).is_ok() {
                self.fates.add(payment, member.fate);
            }
        }
    }

    fn books(&self) -> Report {
        let expected = self
            .fates
            .expected(&self.people, &lock(&self.collector.simulator));
        let posted: Vec<Posted> = lock(&self.erp)
            .receipts()
            .iter()
            .map(Posted::from)
            .collect();
        compare(&expected, &posted)
    }
}

impl Play for Show {
    fn site(&self, listen: &Listen) -> String {
        format!(
            "{head}{collector}{erp}\
             integrations:\n\
             \x20 - use: syspro-gocardless/payment-receipts\n\
             \x20   params: {{ bank: GC }}\n",
            head = site_head(listen),
            collector = self.collector.connection(),
            erp = syspro::connection(&self.server, OPERATOR, &self.options),
        )
    }

    fn secrets(&self) -> Vec<(&'static str, String)> {
        let mut secrets = Collector::secrets().to_vec();
        secrets.extend(syspro::secrets());
        secrets
    }

    /// Which customer is which account. One customer is left out on purpose.
    fn crosswalk(&self) -> Vec<CrosswalkRow> {
        cast::crosswalk(&self.people, |member| {
            vec![
                ("syspro", member.code.to_owned()),
                ("currency", member.currency.to_owned()),
            ]
        })
    }

    fn send_to(&mut self, engine: &str) {
        self.collector.send_to(engine);
    }

    fn happen(&mut self, part: Part, now: Timestamp) {
        self.collect(part.records, now);
        self.collector.announce(&self.options, now);
    }

    fn forge(&mut self, number: u64, now: Timestamp) -> Option<Delivery> {
        self.collector.forge(("payments", "confirmed"), number, now)
    }

    fn target(&mut self) -> &mut Server {
        &mut self.server
    }

    fn tally(&self) -> Tally {
        let to_hold = self.fates.held();
        let posted = lock(&self.erp).receipt_count();
        Tally {
            made: self.fates.collected(),
            to_post: self.fates.collected() - to_hold,
            posted,
            to_hold,
            ..self.collector.tally()
        }
    }

    fn account(&self) -> Account {
        let held_sums = self.fates.held_sums(&lock(&self.collector.simulator));
        Account {
            books: self.books(),
            held_sums,
            ..self.collector.account()
        }
    }

    fn stop(self: Box<Self>) -> Doing<'static, ()> {
        Box::pin(self.collector.stop_with(self.server))
    }
}

/// An account for everybody.
fn open_accounts(people: &[Payer], erp: &mut crate::syspro::Simulator) {
    let Some(company) = erp.company_mut("EDU1") else {
        return;
    };
    for person in people {
        let member = person.member;
        let account = company.add_customer(member.code, member.name, member.currency);
        if member.fate == Fate::Closed {
            account
                .fields
                .insert("PaymentsAllowed".to_owned(), "N".to_owned());
        }
    }
}
