//! Payments that GoCardless collects become receipts in SYSPRO.

use super::cast::{self, Fate, Fates, Payer};
use super::collector::{self, Collector};
use super::pairing::{Account, Doing, Pairing, Part, Play, Tally};
use super::plan::Options;
use super::{CrosswalkRow, Error, Listen, site_head};
use crate::books::{Posted, Report, compare};
use crate::entropy::Entropy;
use crate::gocardless;
use crate::serve::{Server, lock};
use crate::syspro::{self, Fault, On, Operator, Period, Switches};
use crate::webhooks::Delivery;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::sync::{Arc, Mutex};

/// The pairing.
pub(super) const PAIRING: Pairing = Pairing {
    name: "syspro-gocardless",
    title: "Payments that GoCardless collects become receipts in SYSPRO",
    start: |options, now| {
        Box::pin(async move {
            let show = Show::start(options, now).await?;
            Ok(Box::new(show) as Box<dyn Play>)
        })
    },
};

const OPERATOR_PASSWORD: &str = "p&ss w<rd";
const COMPANY_PASSWORD: &str = "b\u{f6}oks";

/// Both systems on loopback ports, with everybody who pays.
#[derive(Debug)]
pub struct Show {
    options: Options,
    collector: Collector,
    erp: Arc<Mutex<syspro::Simulator>>,
    server: Server,
    people: Vec<Payer>,
    fates: Fates,
    entropy: Entropy,
}

impl Show {
    /// Sets both systems up.
    pub async fn start(options: Options, now: Timestamp) -> Result<Self, Error> {
        let mut collector = collector::simulator(&options, now);
        let mut erp = erp(&options, now);
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
    pub fn erp(&self) -> Arc<Mutex<syspro::Simulator>> {
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
            "{head}{collector}\
             \x20 syspro:\n\
             \x20   connector: syspro\n\
             \x20   settings: {{ base_url: \"{erp}/SYSPROWCFService/Rest\", operator: GC, company_id: EDU1, post_settle: {settle} }}\n\
             \x20   secrets: {{ operator_password: syspro/operator, company_password: syspro/company }}\n\
             integrations:\n\
             \x20 - use: syspro-gocardless/payment-receipts\n\
             \x20   params: {{ bank: GC }}\n",
            head = site_head(listen),
            collector = self.collector.connection(),
            erp = self.server.url(),
            settle = self.options.settle,
        )
    }

    fn secrets(&self) -> Vec<(&'static str, String)> {
        let mut secrets = Collector::secrets().to_vec();
        secrets.push(("syspro/operator", OPERATOR_PASSWORD.to_owned()));
        secrets.push(("syspro/company", COMPANY_PASSWORD.to_owned()));
        secrets
    }

    /// Which customer is which account. One customer is left out on purpose.
    fn crosswalk(&self) -> Vec<CrosswalkRow> {
        self.people
            .iter()
            .filter(|person| person.member.fate != Fate::Unmapped)
            .map(|person| CrosswalkRow {
                table: "customers",
                key: person.customer.clone(),
                values: vec![
                    ("syspro", person.member.code.to_owned()),
                    ("currency", person.member.currency.to_owned()),
                ],
            })
            .collect()
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
        let counts = self.collector.counts();
        let to_hold = self.fates.held();
        Tally {
            made: self.fates.collected(),
            to_post: self.fates.collected() - to_hold,
            posted: lock(&self.erp).receipt_count(),
            to_hold,
            accepted: counts.accepted,
            unanswered: counts.sent - counts.accepted,
            quiet: self.collector.quiet(),
        }
    }

    fn account(&self) -> Account {
        let (received, duplicate) = self.collector.events();
        Account {
            books: self.books(),
            held_sums: self.fates.held_sums(&lock(&self.collector.simulator)),
            received,
            duplicate,
        }
    }

    fn stop(self: Box<Self>) -> Doing<'static, ()> {
        Box::pin(async move {
            self.collector.stop().await;
            self.server.stop().await;
        })
    }
}

fn erp(options: &Options, now: Timestamp) -> syspro::Simulator {
    let today = now.to_zoned(TimeZone::UTC).date();
    let period = Period {
        year: today.year(),
        number: today.month(),
    };
    let mut erp = syspro::Simulator::new(Switches::default(), options.seed, period);
    let password = OPERATOR_PASSWORD.to_owned();
    erp.set_operator(
        "GC",
        Operator {
            password,
            bank: "GC".to_owned(),
        },
    );
    if let Some(company) = erp.company_mut("EDU1") {
        COMPANY_PASSWORD.clone_into(&mut company.password);
    }
    if options.cut_per_mille > 0 {
        erp.faults.chance(
            options.cut_per_mille,
            On::Object("ARSTPY"),
            Fault::DropAfter,
        );
    }
    erp
}

/// An account for everybody.
fn open_accounts(people: &[Payer], erp: &mut syspro::Simulator) {
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
