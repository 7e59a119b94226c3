//! Payments that GoCardless collects become receipts in SYSPRO; what fails late, is charged back or refunded is taken out of them
//! again, and payouts move the money to the bank.
//!
//! With every flow, mandates, subscriptions and failures are registered at the customers as well, and new customers are linked.

mod money;
mod registers;
mod verdict;

use super::cast::{self, CURRENCIES, Fate, Fates, Payer};
use super::collector::{self, Collector};
use super::pairing::{
    Account, Doing, Pairing, Part, Play, Point, Stopping, Tally, starting, stopping,
};
use super::plan::Options;
use super::{CrosswalkRow, Error, Listen, site_head, syspro};
use crate::entropy::Entropy;
use crate::gocardless;
use crate::serve::{Moment, Server, lock};
use crate::syspro::FormField;
use crate::webhooks::Delivery;
use jiff::Timestamp;
use money::Turns;
use registers::Registers;
use std::sync::{Arc, Mutex};
use verdict::BANKS;

/// The pairing.
pub(super) const PAIRING: Pairing = Pairing {
    name: "syspro-gocardless",
    title: "Payments, failures, refunds and payouts of GoCardless become receipts and cash book entries in SYSPRO",
    start: |options, now| starting(Show::start(options, now)),
};

const OPERATOR: &str = "GC";
const COMPANY: &str = "EDU1";
const READER: (&str, &str) = ("reader", "re\u{e4}d only");

/// Both systems on loopback ports, with everybody who pays.
#[derive(Debug)]
pub struct Show {
    options: Options,
    began: Timestamp,
    collector: Collector,
    erp: Arc<Mutex<crate::syspro::Simulator>>,
    server: Server,
    people: Vec<Payer>,
    fates: Fates,
    turns: Turns,
    /// With every flow.
    registers: Option<Registers>,
    entropy: Entropy,
}

impl Show {
    /// Sets both systems up.
    pub async fn start(options: Options, now: Timestamp) -> Result<Self, Error> {
        let mut collector = collector::simulator(&options, now);
        let mut erp = syspro::simulator(&options, OPERATOR, &["ARSTPY", "CSHTWD", "COMSFM"], now);
        let people = cast::meet(&mut collector, now)?;
        let mut registers = None;
        if let Some(company) = erp.company_mut(COMPANY) {
            open_accounts(&people, company);
            let register = || Registers::new(&people, company);
            registers = options.every_flow.then(register);
        }
        erp.set_odata_user(READER.0, READER.1);
        let erp = Arc::new(Mutex::new(erp));
        Ok(Self {
            began: now,
            collector: Collector::start(collector).await?,
            server: Server::start(erp.clone()).await.map_err(Error::Listen)?,
            erp,
            people,
            fates: Fates::default(),
            turns: Turns::default(),
            registers,
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

    /// Collects so many payments of whoever the wheel names; a few of them never bring any money.
    fn collect(&mut self, part: Part, now: Timestamp) {
        let mut collector = lock(&self.collector.simulator);
        for _ in 0..part.records {
            let owed = cast::owe(&self.people, &mut collector, &mut self.entropy, now);
            let Some((payment, member)) = owed else {
                continue;
            };
            let posted = member.fate == Fate::Posted;
            if posted && self.entropy.chance(30) {
                money::never_comes(&mut collector, &payment, &mut self.entropy, now);
            } else if collector.confirm(&payment, now).is_ok() {
                if posted {
                    self.turns.draw(&payment, part.number, &mut self.entropy);
                }
                self.fates.add(payment, member.fate);
            }
        }
    }

    /// Deliveries that the events so far make, those of them that become documents, and those that may be skipped.
    fn deliveries(&self) -> Tally {
        let collector = lock(&self.collector.simulator);
        let mut tally = Tally::default();
        let registered = usize::from(self.registers.is_some());
        for event in collector.events().filter(|event| event.at >= self.began) {
            let collected = event.payment.is_some_and(|own| self.fates.has(own));
            let (documents, skipped, states) = match (event.resource, event.action) {
                ("payments", "confirmed" | "chargeback_cancelled")
                | ("refunds", "paid" | "funds_returned")
                | ("payouts", "paid") => (1, 0, 0),
                // Where no money had come in there is no receipt to take back.
                ("payments", "failed" | "charged_back") if collected => (1, 0, registered),
                ("payments", "failed" | "charged_back") => (0, 1, registered),
                ("payments", "cancelled") | ("mandates", _) => (0, 0, registered),
                ("subscriptions", action) if action != "payment_created" => (0, 0, registered),
                _ => (0, 0, 0),
            };
            tally.made += documents + skipped + states;
            tally.to_post += documents;
            tally.either += states;
        }
        tally.to_hold = self.fates.held();
        tally.to_post -= tally.to_hold;
        if let Some(registers) = &self.registers {
            let unmapped = self.people.iter();
            let unmapped = unmapped.filter(|own| own.member.fate == Fate::Unmapped);
            let unmapped = unmapped.count();
            tally.made += registers.listed + registers.linked;
            tally.either += registers.listed + registers.linked - unmapped;
            tally.to_hold += unmapped;
        }
        tally
    }
}

impl Play for Show {
    fn site(&self, listen: &Listen) -> String {
        let (clearing, bank) = BANKS;
        let by_currency = |bank: &str| CURRENCIES.map(|own| format!("{own}: {bank}")).join(", ");
        let (clearing_banks, banks) = (by_currency(clearing), by_currency(bank));
        let (mut polls, mut odata, mut registers) = (String::new(), String::new(), "");
        if self.registers.is_some() {
            polls = "\x20   poll: { mandates_daily: { every: 1s } }\n".to_owned();
            odata = format!(
                "\x20 odata:\n\
                 \x20   connector: syspro-odata\n\
                 \x20   settings: {{ base_url: \"{}/SYSPRO8Odata/SYSPROOData\", company_id: {COMPANY} }}\n\
                 \x20   secrets: {{ username: odata/user, password: odata/password }}\n\
                 \x20   poll: {{ linked_customers: {{ every: 1s }} }}\n",
                self.server.url()
            );
            registers = "\x20 - use: syspro-gocardless/customers\n\
                 \x20 - use: syspro-gocardless/mandates\n\
                 \x20 - use: syspro-gocardless/mandates-daily\n\
                 \x20 - use: syspro-gocardless/subscriptions\n\
                 \x20 - use: syspro-gocardless/failure-records\n";
        }
        format!(
            "{head}{collector}{polls}{erp}{odata}\
             integrations:\n\
             \x20 - use: syspro-gocardless/payment-receipts\n\
             \x20   params: {{ bank: {clearing} }}\n\
             \x20 - use: syspro-gocardless/failures\n\
             \x20   params: {{ bank: {clearing}, ignore_warnings: Y }}\n\
             \x20 - use: syspro-gocardless/refunds\n\
             \x20   params: {{ bank: {clearing}, ignore_warnings: Y }}\n\
             \x20 - use: syspro-gocardless/refunds-returned\n\
             \x20 - use: syspro-gocardless/payouts\n\
             \x20   params:\n\
             \x20     clearing_banks: {{ {clearing_banks} }}\n\
             \x20     banks: {{ {banks} }}\n\
             \x20     transfer_code: 10-1190\n\
             \x20     fee_code: 10-6910\n\
             \x20     tax_code: 00-2310\n\
             {registers}",
            head = site_head(listen),
            collector = self.collector.connection(),
            erp = syspro::connection(&self.server, OPERATOR, &self.options),
        )
    }

    fn secrets(&self) -> Vec<(&'static str, String)> {
        let mut secrets = Collector::secrets().to_vec();
        secrets.extend(syspro::secrets());
        if self.registers.is_some() {
            secrets.push(("odata/user", READER.0.to_owned()));
            secrets.push(("odata/password", READER.1.to_owned()));
        }
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

    /// Those whom somebody linked in the ERP.
    fn remembered(&self) -> Vec<CrosswalkRow> {
        if self.registers.is_none() {
            return Vec::new();
        }
        self.crosswalk()
    }

    fn send_to(&mut self, engine: &str) {
        self.collector.send_to(engine);
    }

    fn happen(&mut self, part: Part, now: Timestamp) {
        {
            let mut collector = lock(&self.collector.simulator);
            self.turns.take(part.number, &mut collector, now);
            if let Some(registers) = &mut self.registers {
                let both = (&mut *collector, &mut *lock(&self.erp));
                registers.happen(part, &mut self.people, both, now);
            }
        }
        self.collect(part, now);
        self.collector.announce(&self.options, now);
    }

    fn forge(&mut self, number: u64, now: Timestamp) -> Option<Delivery> {
        self.collector.forge(("payments", "confirmed"), number, now)
    }

    fn target(&mut self) -> &mut Server {
        &mut self.server
    }

    fn stops(&self, point: Point) -> Vec<Stopping> {
        let writes = ["ARSTPY", "CSHTWD"];
        match point {
            Point::BeforeEffect => stopping(&self.server, Moment::BeforeEffect, &writes),
            Point::AfterEffect => stopping(&self.server, Moment::AfterEffect, &writes),
            Point::LogOn => stopping(&self.server, Moment::AfterEffect, &["/Logon"]),
            // Fields are added, then changed.
            Point::BetweenSteps => stopping(&self.server, Moment::BeforeEffect, &["/Setup/Update"]),
        }
    }

    /// Documents are receipts, their reversals, and payouts in the cash book.
    fn tally(&self) -> Tally {
        let sent = self.collector.tally();
        let deliveries = self.deliveries();
        let erp = lock(&self.erp);
        let company = erp.company(COMPANY);
        let payouts = company.map_or(0, |company| {
            let entries = company.cash_book().iter();
            let arrived = entries.filter(|own| own.reference.ends_with("-D"));
            arrived.count()
        });
        let posted = erp.receipt_count() + payouts;
        let registered = || {
            let collector = lock(&self.collector.simulator);
            self.registers
                .as_ref()
                .zip(company)
                .is_none_or(|(own, company)| {
                    own.differences(&self.people, &collector, company)
                        .is_empty()
                })
        };
        Tally {
            posted,
            accepted: sent.accepted,
            unanswered: sent.unanswered,
            quiet: sent.quiet && posted >= deliveries.to_post && registered(),
            ..deliveries
        }
    }

    fn account(&self) -> Account {
        let held_sums = self.fates.held_sums(&lock(&self.collector.simulator));
        Account {
            books: verdict::books(self),
            held_sums,
            ..self.collector.account()
        }
    }

    fn stop(self: Box<Self>) -> Doing<'static, ()> {
        Box::pin(self.collector.stop_with(self.server))
    }
}

/// An account for everybody.
fn open_accounts(people: &[Payer], company: &mut crate::syspro::Company) {
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

/// Custom form fields of the registers: name, column, type.
const FIELDS: [(&str, &str, char); 12] = [
    ("GCC001", "GcCustomer", 'A'),
    ("GCM001", "GcMandate", 'A'),
    ("GCM002", "GcMandateStatus", 'A'),
    ("GCM003", "GcMandateScheme", 'A'),
    ("GCM004", "GcMandateDate", 'D'),
    ("GCS001", "GcSubscription", 'A'),
    ("GCS002", "GcSubscriptionStatus", 'A'),
    ("GCS003", "GcSubscriptionAmount", 'N'),
    ("GCS004", "GcSubscriptionRhythm", 'A'),
    ("GCF001", "GcFailedPayment", 'A'),
    ("GCF002", "GcFailureCause", 'A'),
    ("GCF003", "GcFailureDate", 'D'),
];

/// The custom form fields that the registers are kept in, as an administrator sets them up.
pub fn form_fields() -> Vec<FormField> {
    let field = |(name, column, kind): (&str, &str, char)| FormField {
        form: "CUS".to_owned(),
        name: name.to_owned(),
        column: column.to_owned(),
        kind,
        length: 255,
    };
    FIELDS.map(field).to_vec()
}
