//! Invoices of Oracle E-Business Suite are collected by GoCardless, and payouts come back as receipts.
//!
//! In each part finance enters invoices; what the engine has asked GoCardless to collect so far is collected and paid out.
//! What is asked for after the last part stays with GoCardless, so it never becomes a receipt.
//!
//! With every flow, somebody is asked for a mandate first, and some of what was paid out goes back, whole or in part. Receipts get
//! in by one of three ways and calls are signed in by one of two, by the seed.

mod turns;

use super::collector::{self, Collector};
use super::pairing::{
    Account, Doing, Pairing, Part, Play, Point, Stopping, Tally, starting, stopping,
};
use super::plan::{Options, amount_minor};
use super::{CrosswalkRow, Error, Listen, site_head};
use crate::books::{Expected, Report, compare, payment_of};
use crate::entropy::Entropy;
use crate::gocardless::{self, Kind, Party};
use crate::oracle_ebs::{self, Fault, On, OrgId, Settings, Switches, User};
use crate::serve::{Moment, Server, lock};
use crate::webhooks::Delivery;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use rust_decimal::Decimal;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use turns::{NEWCOMER, Turns};

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

const REVERSALS: &str = "\x20 - use: oracle-ebs-gocardless/reversals\n";
const GOING_BACK: &str = "\x20 - use: oracle-ebs-gocardless/mandates\n\
    \x20 - use: oracle-ebs-gocardless/reversals\n\
    \x20   params: { partial_refunds: replace }\n\
    \x20 - use: oracle-ebs-gocardless/partial-refunds\n";

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
    began: Timestamp,
    /// With every flow.
    turns: Option<Turns>,
    entropy: Entropy,
}

impl Show {
    async fn start(options: Options, now: Timestamp) -> Result<Self, Error> {
        let mut collector = collector::simulator(&options, now);
        let mut erp = erp(&options, now);
        let people = meet(&mut collector, &mut erp, now)?;
        let turns = || Turns::new(&mut erp, now);
        let turns = options.every_flow.then(turns);
        let erp = Arc::new(Mutex::new(erp));
        Ok(Self {
            collector: Collector::start(collector).await?,
            server: Server::start(erp.clone()).await.map_err(Error::Listen)?,
            erp,
            people,
            invoiced: BTreeSet::new(),
            invoices: 0,
            began: now,
            turns,
            entropy: Entropy::new(options.seed ^ 0xDE30),
            options,
        })
    }

    fn enter_invoices(&mut self, count: usize, now: Timestamp) {
        for at in 0..count {
            let Some(person) = self.entropy.pick(&self.people) else {
                return;
            };
            let account = person.account;
            match &mut self.turns {
                // One in each part, so that one is there before anything goes wrong.
                Some(turns) if at == 0 => {
                    turns.waiting += 1;
                    self.enter_invoice(NEWCOMER.0, now);
                }
                _ => self.enter_invoice(account, now),
            }
        }
    }

    fn enter_invoice(&mut self, account: u64, now: Timestamp) {
        let due = now.to_zoned(TimeZone::UTC).date();
        let due = due.saturating_add(Span::new().days(14));
        self.invoices += 1;
        let amount = Decimal::new(amount_minor(&mut self.entropy), 2);
        let number = format!("INV-{}", self.invoices);
        lock(&self.erp).add_invoice(account, &number, amount, due, now);
        self.invoiced.insert(account);
    }

    /// Collects what was asked for, or only what the newcomer owes, and pays it out.
    fn collect(&self, only_newcomers: bool, now: Timestamp) {
        let mut collector = lock(&self.collector.simulator);
        for payment in collector.ids(Kind::Payments) {
            if !only_newcomers || turns::is_newcomers(&collector, &payment) {
                // Refused where it was collected before.
                collector.confirm(&payment, now).ok();
            }
        }
        collector.pay_out("GBP", now);
    }

    /// What is not the engine's to do goes on while everybody waits for the rest.
    fn act(&mut self, now: Timestamp) {
        if let Some(turns) = &mut self.turns {
            let mut collector = lock(&self.collector.simulator);
            turns.take(&mut collector, now);
            turns.grant(&mut collector, now);
        }
    }

    fn expected(&self) -> Vec<Expected> {
        let collector = lock(&self.collector.simulator);
        let undecided = self
            .turns
            .as_ref()
            .map(|own| own.undecided(&lock(&self.erp)));
        let undecided = undecided.unwrap_or_default();
        let newcomer = self.turns.iter().filter_map(|own| own.granted.as_ref());
        let everybody: Vec<&Person> = self.people.iter().chain(newcomer).collect();
        let number = |customer: &str| {
            let mut own = everybody.iter();
            let own = own.find(|person| person.customer == customer);
            own.map(|person| person.number.to_owned())
        };
        let mut expected = Vec::new();
        for own in collector.collected() {
            let paid_out = turns::status(&collector, &own.payment) == "paid_out";
            if !paid_out || undecided.contains(&own.payment) {
                continue;
            }
            let mut one = Expected {
                customer: number(&own.customer),
                ..Expected::from(&own)
            };
            one.amount -= collector.refunded(&own.payment);
            // What was given back in full stands in the books as nothing.
            if !one.amount.is_zero() {
                expected.push(one);
            }
        }
        expected
    }

    /// Deliveries that the events so far make, and those of them that must end in documents.
    fn deliveries(&self) -> (usize, usize) {
        let collector = lock(&self.collector.simulator);
        let (mut made, mut to_post) = (0, 0);
        let every_flow = usize::from(self.turns.is_some());
        for event in collector.events().filter(|own| own.at >= self.began) {
            let (all, documents) = match (event.resource, event.action) {
                ("payments", "paid_out" | "failed" | "charged_back") => (1, 1),
                // Either all of the receipt is taken back or a part of it is left: the other flow skips it.
                ("refunds", "paid") => (2, 1),
                ("billing_requests", "fulfilled") => (every_flow, 0),
                _ => (0, 0),
            };
            made += all;
            to_post += documents;
        }
        (made, to_post)
    }

    /// How calls are signed in.
    fn auth(&self) -> &'static str {
        let token = self.turns.is_some() && (self.options.seed / 4).is_multiple_of(2);
        if token { "token" } else { "basic" }
    }

    /// How receipts get in.
    fn mode(&self) -> &'static str {
        match self.options.seed % 3 {
            _ if self.turns.is_none() => "package",
            0 => "package",
            1 => "open_interface",
            _ => "receipt_api",
        }
    }

    /// Settings by which receipts get in and calls are signed in. With every flow, receipts of the rest are made by the receipt API
    /// whatever the way is.
    fn way(&self) -> String {
        let lockbox = "\x20     lockbox_number: GC001\n\
            \x20     lockbox_id: \"1005\"\n\
            \x20     lockbox_format_id: \"1021\"\n";
        if self.turns.is_none() {
            return lockbox.to_owned();
        }
        let (mode, auth) = (self.mode(), self.auth());
        format!(
            "{lockbox}\
             \x20     write_mode: {mode}\n\
             \x20     auth: {auth}\n\
             \x20     receipt_method_id: \"3001\"\n\
             \x20     remittance_account_id: \"10077\"\n"
        )
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
             {way}\
             \x20     settle: {settle}\n\
             \x20   secrets: {{ password: ebs/password }}\n\
             \x20   poll: {{ invoices: {{ every: 250ms }} }}\n\
             integrations:\n\
             \x20 - use: oracle-ebs-gocardless/open-invoices\n\
             \x20 - use: oracle-ebs-gocardless/mandate-requests\n\
             \x20   params: {{ redirect_uri: \"https://halden.example/done\", exit_uri: \"https://halden.example/exit\" }}\n\
             \x20 - use: oracle-ebs-gocardless/receipts\n\
             {rest}",
            way = self.way(),
            rest = if self.turns.is_some() {
                GOING_BACK
            } else {
                REVERSALS
            },
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
        self.people.iter().flat_map(Person::rows).collect()
    }

    /// The newcomer, who is tied to the account once the mandate is granted.
    fn remembered(&self) -> Vec<CrosswalkRow> {
        let newcomer = self.turns.iter().filter_map(|own| own.granted.as_ref());
        newcomer.flat_map(Person::rows).collect()
    }

    fn send_to(&mut self, engine: &str) {
        self.collector.send_to(engine);
    }

    fn happen(&mut self, part: Part, now: Timestamp) {
        self.act(now);
        self.enter_invoices(part.records, now);
        self.collect(false, now);
        self.collector.announce(&self.options, now);
    }

    fn go_on(&mut self, now: Timestamp) {
        if self.turns.is_some() {
            self.act(now);
            self.collect(true, now);
            self.collector.announce(&self.options, now);
        }
    }

    fn forge(&mut self, number: u64, now: Timestamp) -> Option<Delivery> {
        self.collector.forge(("payments", "paid_out"), number, now)
    }

    fn target(&mut self) -> &mut Server {
        &mut self.server
    }

    fn stops(&self, point: Point) -> Vec<Stopping> {
        let (first, second) = match self.mode() {
            "package" => ("create_transmission", "submit_lockbox"),
            "open_interface" => ("create_transmission", "ARLPLB"),
            _ => ("create_and_apply", "gcreceipt/reverse"),
        };
        match point {
            Point::BeforeEffect => stopping(&self.server, Moment::BeforeEffect, &[first]),
            Point::AfterEffect => stopping(&self.server, Moment::AfterEffect, &[first, second]),
            Point::LogOn if self.auth() == "basic" => Vec::new(),
            Point::LogOn => stopping(&self.server, Moment::AfterEffect, &["/login"]),
            Point::BetweenSteps => stopping(&self.server, Moment::BeforeEffect, &[second]),
        }
    }

    /// Each invoice is a payment, each payment that was paid out a receipt, and some of those are taken back; who has a mandate is
    /// not asked for one.
    fn tally(&self) -> Tally {
        let (events, documents) = self.deliveries();
        let asked = lock(&self.collector.simulator).ids(Kind::Payments).len();
        let erp = lock(&self.erp);
        let received = erp.receipts().map(|one| payment_of(&one.number));
        let received: BTreeSet<&str> = received.collect();
        let reversed = erp.receipts().filter(|one| one.reversal.is_some());
        let (mut either, mut to_hold, mut granted) = (0, 0, true);
        if let Some(turns) = &self.turns {
            // The request for the mandate, and the mandate.
            either = 2;
            to_hold = turns.undecided(&erp).len();
            granted = turns.granted.is_some();
        }
        Tally {
            made: self.invoices + self.invoiced.len() + events,
            to_post: self.invoices + documents - to_hold,
            posted: asked + received.len() + reversed.count(),
            either,
            to_hold,
            ..self.collector.tally_if(granted)
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

impl Person {
    /// What ties both sides together.
    fn rows(&self) -> [CrosswalkRow; 2] {
        let account = self.account.to_string();
        [
            CrosswalkRow {
                table: "mandates",
                key: format!("{account}-GBP"),
                values: vec![("mandate", self.mandate.clone())],
            },
            CrosswalkRow {
                table: "customers",
                key: self.customer.clone(),
                values: vec![("account", account)],
            },
        ]
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
        for operation in [
            "CREATE_TRANSMISSION",
            "STAGE_RECEIPTS",
            "SUBMIT_LOCKBOX",
            "CREATE_AND_APPLY",
        ] {
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
