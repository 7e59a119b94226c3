//! Invoices of Oracle E-Business Suite are collected by GoCardless, and payouts come back as receipts.
//!
//! In each part finance enters invoices; what the engine has asked GoCardless to collect so far is collected and paid out.
//! What is asked for after the last part stays with GoCardless, so it never becomes a receipt.

use super::collector::{self, Collector};
use super::pairing::{Account, Doing, Pairing, Part, Play, Tally, starting};
use super::plan::{Options, amount_minor};
use super::{CrosswalkRow, Error, Listen, site_head};
use crate::books::{Expected, Report, compare};
use crate::entropy::Entropy;
use crate::gocardless::{self, Kind, Party};
use crate::oracle_ebs::{self, Fault, On, OrgId, Settings, Switches, User};
use crate::serve::{Server, lock};
use crate::webhooks::Delivery;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use rust_decimal::Decimal;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The pairing.
pub(super) const PAIRING: Pairing = Pairing {
    name: "oracle-ebs-gocardless",
    title: "Invoices of Oracle E-Business Suite are collected by GoCardless and come back as receipts",
    start: |options, now| starting(Show::start(options, now)),
};

const PASSWORD: &str = "p&ss w<rd";
const ORG: OrgId = 204;

/// Account, number and name of everybody who owes.
const PEOPLE: [(u64, &str, &str); 4] = [
    (1290, "C-2044", "Brookfield & Sons <Leeds>"),
    (1291, "C-2045", "\u{141}\u{f3}d\u{17a} Pr\u{e9}cis"),
    (1292, "C-2046", "Halden \u{6f22} Ltd"),
    (1293, "C-2047", "V\u{e4}ster\u{e5}s Verkstad"),
];

/// A customer as both systems know it.
#[derive(Debug, Clone)]
struct Person {
    account: u64,
    number: &'static str,
    customer: String,
    mandate: String,
}

/// Both systems on loopback ports, with everybody who owes.
#[derive(Debug)]
struct Show {
    options: Options,
    collector: Collector,
    erp: Arc<Mutex<oracle_ebs::Simulator>>,
    server: Server,
    people: Vec<Person>,
    /// Accounts that have had an invoice.
    invoiced: BTreeSet<u64>,
    invoices: usize,
    entropy: Entropy,
}

impl Show {
    async fn start(options: Options, now: Timestamp) -> Result<Self, Error> {
        let mut collector = collector::simulator(&options, now);
        let mut erp = erp(&options, now);
        let people = meet(&mut collector, &mut erp, now)?;
        let erp = Arc::new(Mutex::new(erp));
        Ok(Self {
            collector: Collector::start(collector).await?,
            server: Server::start(erp.clone()).await.map_err(Error::Listen)?,
            erp,
            people,
            invoiced: BTreeSet::new(),
            invoices: 0,
            entropy: Entropy::new(options.seed ^ 0xDE30),
            options,
        })
    }

    fn enter_invoices(&mut self, count: usize, now: Timestamp) {
        let due = now.to_zoned(TimeZone::UTC).date();
        let due = due.saturating_add(Span::new().days(14));
        for _ in 0..count {
            let Some(person) = self.entropy.pick(&self.people).cloned() else {
                return;
            };
            self.invoices += 1;
            let amount = Decimal::new(amount_minor(&mut self.entropy), 2);
            let number = format!("INV-{}", self.invoices);
            lock(&self.erp).add_invoice(person.account, &number, amount, due, now);
            self.invoiced.insert(person.account);
        }
    }

    /// Collects what was asked for, and pays it out.
    fn collect(&self, now: Timestamp) {
        let mut collector = lock(&self.collector.simulator);
        for payment in collector.ids(Kind::Payments) {
            // Refused where it was collected before.
            collector.confirm(&payment, now).ok();
        }
        collector.pay_out("GBP", now);
    }

    fn expected(&self) -> Vec<Expected> {
        let collector = lock(&self.collector.simulator);
        let paid_out = |payment: &str| {
            let found = collector.resource(Kind::Payments, payment);
            let status = found.as_ref().and_then(|own| own.get("status")?.as_str());
            status == Some("paid_out")
        };
        let number = |customer: &str| {
            let mut own = self.people.iter();
            let own = own.find(|person| person.customer == customer);
            own.map(|person| person.number.to_owned())
        };
        collector
            .collected()
            .iter()
            .filter(|own| paid_out(&own.payment))
            .map(|own| Expected {
                customer: number(&own.customer),
                ..Expected::from(own)
            })
            .collect()
    }

    fn books(&self) -> Report {
        compare(&self.expected(), &lock(&self.erp).posted())
    }
}

impl Play for Show {
    fn site(&self, listen: &Listen) -> String {
        format!(
            "{head}{collector}\
             \x20 ebs:\n\
             \x20   connector: oracle-ebs\n\
             \x20   settings:\n\
             \x20     base_url: \"{erp}/webservices/rest\"\n\
             \x20     username: GC_INTEGRATION\n\
             \x20     responsibility: GC_RECEIVABLES\n\
             \x20     org_id: \"204\"\n\
             \x20     lockbox_number: GC001\n\
             \x20     lockbox_id: \"1005\"\n\
             \x20     lockbox_format_id: \"1021\"\n\
             \x20     settle: {settle}\n\
             \x20   secrets: {{ password: ebs/password }}\n\
             \x20   poll: {{ invoices: {{ every: 250ms }} }}\n\
             integrations:\n\
             \x20 - use: oracle-ebs-gocardless/open-invoices\n\
             \x20 - use: oracle-ebs-gocardless/mandate-requests\n\
             \x20   params: {{ redirect_uri: \"https://halden.example/done\", exit_uri: \"https://halden.example/exit\" }}\n\
             \x20 - use: oracle-ebs-gocardless/receipts\n\
             \x20 - use: oracle-ebs-gocardless/reversals\n",
            head = site_head(listen),
            collector = self.collector.connection(),
            erp = self.server.url(),
            settle = self.options.settle,
        )
    }

    fn secrets(&self) -> Vec<(&'static str, String)> {
        let mut secrets = Collector::secrets().to_vec();
        secrets.push(("ebs/password", PASSWORD.to_owned()));
        secrets
    }

    fn crosswalk(&self) -> Vec<CrosswalkRow> {
        let rows = self.people.iter().flat_map(|person| {
            let account = person.account.to_string();
            [
                CrosswalkRow {
                    table: "mandates",
                    key: format!("{account}-GBP"),
                    values: vec![("mandate", person.mandate.clone())],
                },
                CrosswalkRow {
                    table: "customers",
                    key: person.customer.clone(),
                    values: vec![("account", account)],
                },
            ]
        });
        rows.collect()
    }

    fn send_to(&mut self, engine: &str) {
        self.collector.send_to(engine);
    }

    fn happen(&mut self, part: Part, now: Timestamp) {
        self.enter_invoices(part.records, now);
        self.collect(now);
        self.collector.announce(&self.options, now);
    }

    fn forge(&mut self, number: u64, now: Timestamp) -> Option<Delivery> {
        self.collector.forge(("payments", "paid_out"), number, now)
    }

    fn target(&mut self) -> &mut Server {
        &mut self.server
    }

    /// Each invoice is a payment, each payment that was paid out a receipt; who has a mandate is not asked for one.
    fn tally(&self) -> Tally {
        let asked = lock(&self.collector.simulator).ids(Kind::Payments).len();
        let receipts = lock(&self.erp).receipts().count();
        let to_post = self.invoices + self.expected().len();
        Tally {
            made: to_post + self.invoiced.len(),
            to_post,
            posted: asked + receipts,
            to_hold: 0,
            ..self.collector.tally()
        }
    }

    fn account(&self) -> Account {
        let events = self.collector.account();
        Account {
            books: self.books(),
            received: events.received + self.invoices as u64,
            ..events
        }
    }

    fn stop(self: Box<Self>) -> Doing<'static, ()> {
        Box::pin(self.collector.stop_with(self.server))
    }
}

fn erp(options: &Options, now: Timestamp) -> oracle_ebs::Simulator {
    let settings = Settings {
        // The demonstration squeezes hours into moments.
        pending: Duration::from_millis(100),
        running: Duration::from_millis(200),
        ..Settings::default()
    };
    let mut erp = oracle_ebs::Simulator::new(settings, Switches::default(), options.seed);
    erp.set_user("GC_INTEGRATION", User::new(PASSWORD, &["GC_RECEIVABLES"]));
    // Payments are charged two weeks from now at the latest, and dated then.
    for day in [-31, 0, 31] {
        let date = now.to_zoned(TimeZone::UTC).date();
        let date = date.saturating_add(Span::new().days(day));
        erp.open_period(ORG, date.year(), date.month());
    }
    if options.cut_per_mille > 0 {
        for operation in ["CREATE_TRANSMISSION", "STAGE_RECEIPTS", "SUBMIT_LOCKBOX"] {
            let on = On::Operation(operation);
            erp.faults
                .chance(options.cut_per_mille, on, Fault::DropAfter);
        }
    }
    erp
}

/// Sets everybody up on both sides.
fn meet(
    collector: &mut gocardless::Simulator,
    erp: &mut oracle_ebs::Simulator,
    now: Timestamp,
) -> Result<Vec<Person>, Error> {
    let long_ago = now - SignedDuration::from_hours(60 * 24);
    let mut people = Vec::new();
    for (account, number, name) in PEOPLE {
        let ids = collector.add_payer(&Party::new(name, "GBP"), long_ago);
        let (customer, mandate) = ids.ok_or(Error::SetUp(number))?;
        erp.add_customer(ORG, account, number, name, long_ago);
        people.push(Person {
            account,
            number,
            customer,
            mandate,
        });
    }
    Ok(people)
}
