//! Payments that GoCardless collects, refunds and takes back become journal entries in Sage X3, through all three of its
//! doors: receipts by SOAP with a password, refunds by api1, reversals by GraphQL with tokens that the engine signs.
//!
//! In each part new payments are collected, a few fail at once, and some of the part before are refunded in part, charged
//! back or fail late. What reverses an entry may be announced before what it reverses.
//!
//! With every flow, money is paid out as well, and payouts and states are tracked: nothing of that is posted.

use super::cast::{self, CURRENCIES, Fate, Fates, Payer};
use super::collector::{self, Collector};
use super::pairing::{
    Account, Doing, Pairing, Part, Play, Point, Stopping, Tally, starting, stopping,
};
use super::plan::Options;
use super::{CrosswalkRow, Error, Listen, site_head};
use crate::books::{Posted, Report, compare};
use crate::entropy::Entropy;
use crate::gocardless::{self, Kind};
use crate::sage_x3::{self, Fault, On, Settings, Switches, User};
use crate::serve::{Moment, Server, lock};
use crate::webhooks::Delivery;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The pairing.
pub(super) const PAIRING: Pairing = Pairing {
    name: "sage-x3-gocardless",
    title: "Payments, refunds and chargebacks of GoCardless become journal entries in Sage X3, by SOAP, api1 and GraphQL",
    start: |options, now| starting(Show::start(options, now)),
};

const PASSWORD: &str = "p&ss w<rd";
const CLIENT_SECRET: &str = "7d0c-connected-b\u{f6}oks";
/// The customers' control account.
const CLEARING: &str = "41100";

/// Both systems on loopback ports, with everybody who pays.
#[derive(Debug)]
struct Show {
    options: Options,
    collector: Collector,
    x3: Arc<Mutex<sage_x3::Simulator>>,
    server: Server,
    people: Vec<Payer>,
    fates: Fates,
    /// Collected in the last part.
    fresh: Vec<String>,
    /// Refunds, and reversals of what had been collected.
    mirrors: usize,
    /// Payments that failed before they were collected.
    failures: usize,
    began: Timestamp,
    entropy: Entropy,
}

/// How many parts lie between two payouts.
const PAYOUT_EVERY: usize = 4;

/// What only tracks money, and posts nothing.
const TRACKING: &str = "\x20 - use: sage-x3-gocardless/payment-states\n\
    \x20 - use: sage-x3-gocardless/payout-entries\n\
    \x20 - use: sage-x3-gocardless/payouts\n";

impl Show {
    async fn start(options: Options, now: Timestamp) -> Result<Self, Error> {
        let mut collector = collector::simulator(&options, now);
        let people = cast::meet(&mut collector, now)?;
        let x3 = Arc::new(Mutex::new(erp(&options, &people, now)));
        Ok(Self {
            collector: Collector::start(collector).await?,
            server: Server::start(x3.clone()).await.map_err(Error::Listen)?,
            x3,
            people,
            fates: Fates::default(),
            fresh: Vec::new(),
            mirrors: 0,
            failures: 0,
            began: now,
            entropy: Entropy::new(options.seed ^ 0xDE30),
            options,
        })
    }

    /// Some of the last part's payments go back to the payer.
    fn give_back(&mut self, now: Timestamp) {
        let mut collector = lock(&self.collector.simulator);
        for payment in std::mem::take(&mut self.fresh) {
            let done = match self.entropy.below(12) {
                0 => {
                    let part = amount_of(&collector, &payment) / 3;
                    let refund = collector.refund(&payment, part, now);
                    refund.and_then(|refund| collector.pay_refund(&refund, now))
                }
                1 => collector.charge_back(&payment, "authorisation_disputed", now),
                2 => collector.fail(&payment, "refer_to_payer", now),
                _ => continue,
            };
            self.mirrors += usize::from(done.is_ok());
        }
    }

    /// So many payments are collected, or fail.
    fn collect(&mut self, payments: usize, now: Timestamp) {
        let mut collector = lock(&self.collector.simulator);
        for _ in 0..payments {
            let owed = cast::owe(&self.people, &mut collector, &mut self.entropy, now);
            let Some((payment, member)) = owed else {
                continue;
            };
            if self.entropy.chance(40) {
                let failed = collector.fail(&payment, "refer_to_payer", now);
                self.failures += usize::from(failed.is_ok());
            } else if collector.confirm(&payment, now).is_ok() {
                self.fates.add(payment.clone(), member.fate);
                if member.fate == Fate::Posted {
                    self.fresh.push(payment);
                }
            }
        }
    }

    /// Deliveries that only track money, and how many of them wait for an entry that is held.
    fn tracked(&self) -> (usize, usize) {
        let collector = lock(&self.collector.simulator);
        let (mut all, mut without_entry) = (0, 0);
        let events = collector.events().filter(|own| own.at >= self.began);
        for event in events.filter(|_| self.options.every_flow) {
            match (event.resource, event.action) {
                ("payments", "paid_out") => {
                    all += 1;
                    let posted = event.payment.is_some_and(|own| self.fates.is_posted(own));
                    without_entry += usize::from(!posted);
                }
                (
                    "payments",
                    "failed"
                    | "cancelled"
                    | "charged_back"
                    | "chargeback_cancelled"
                    | "late_failure_settled"
                    | "chargeback_settled",
                )
                | ("payouts", "paid") => all += 1,
                _ => {}
            }
        }
        (all, without_entry)
    }

    /// What was collected, less what was given back, against the clearing account.
    fn books(&self) -> Report {
        let collector = lock(&self.collector.simulator);
        let mut expected = self.fates.expected(&self.people, &collector);
        for one in &mut expected {
            one.amount -= refunded(&collector, &one.payment);
        }
        let mut posted = lock(&self.x3).posted_on(CLEARING);
        for entry in &mut posted {
            by_payment(&collector, entry);
        }
        compare(&expected, &posted)
    }
}

impl Play for Show {
    fn site(&self, listen: &Listen) -> String {
        let x3 = format!(
            "base_url: \"{}\", endpoint: UKLIVE, settle: {}",
            self.server.url(),
            self.options.settle
        );
        let secrets = "{ password: x3/password, client_secret: x3/client }";
        format!(
            "{head}{collector}\
             \x20 sage_x3:\n\
             \x20   connector: sage-x3\n\
             \x20   settings: {{ {x3}, login: engine, pool_alias: GCPOOL }}\n\
             \x20   secrets: {secrets}\n\
             \x20 x3_api1:\n\
             \x20   connector: sage-x3\n\
             \x20   settings: {{ {x3}, login: engine, write_path: api1, lookup: api1, \
             api1_class: YGASGC, api1_representation: YGASGC }}\n\
             \x20   secrets: {secrets}\n\
             \x20 x3_graphql:\n\
             \x20   connector: sage-x3\n\
             \x20   settings: {{ {x3}, auth: signed_jwt, client_id: connected-app, jwt_user: engine, \
             jwt_audience: \"{audience}\", write_path: graphql, lookup: graphql }}\n\
             \x20   secrets: {secrets}\n\
             integrations:\n\
             \x20 - use: sage-x3-gocardless/payment-receipts\n\
             \x20   params: {{ site: UK01, entry_type: GCPAY, clearing_account: \"{CLEARING}\", revenue_account: \"40100\" }}\n\
             \x20 - use: sage-x3-gocardless/refunds\n\
             \x20   connections: {{ sage_x3: x3_api1 }}\n\
             \x20   params: {{ entry_type: GCREF }}\n\
             \x20 - use: sage-x3-gocardless/reversals\n\
             \x20   connections: {{ sage_x3: x3_graphql }}\n\
             {tracking}",
            tracking = if self.options.every_flow {
                TRACKING
            } else {
                ""
            },
            head = site_head(listen),
            collector = self.collector.connection(),
            audience = audience(&Settings::default()),
        )
    }

    fn secrets(&self) -> Vec<(&'static str, String)> {
        let mut secrets = Collector::secrets().to_vec();
        secrets.push(("x3/password", PASSWORD.to_owned()));
        secrets.push(("x3/client", CLIENT_SECRET.to_owned()));
        secrets
    }

    /// Which customer is which partner. One customer is left out on purpose.
    fn crosswalk(&self) -> Vec<CrosswalkRow> {
        cast::crosswalk(&self.people, |member| vec![("x3", member.code.to_owned())])
    }

    /// What every payout came to, and which payout and entry each payment in it belongs to.
    fn remembered(&self) -> Vec<CrosswalkRow> {
        if !self.options.every_flow {
            return Vec::new();
        }
        let (collector, x3) = (lock(&self.collector.simulator), lock(&self.x3));
        let payouts = collector.ids(Kind::Payouts).into_iter();
        let payouts = payouts.filter_map(|id| {
            let payout = collector.resource(Kind::Payouts, &id)?;
            let money = |name: &str| {
                let minor = payout.get(name)?.as_i64()?;
                Some(Decimal::new(minor, 2).to_string())
            };
            Some(CrosswalkRow {
                table: "payouts",
                values: vec![("net", money("amount")?), ("fees", money("deducted_fees")?)],
                key: id,
            })
        });
        let numbers: BTreeMap<&str, &str> = x3
            .entries()
            .map(|entry| (entry.source_document.as_str(), entry.number.as_str()))
            .collect();
        let payments = collector.ids(Kind::Payments).into_iter();
        let payments = payments.filter(|id| self.fates.is_posted(id));
        let payments = payments.filter_map(|id| {
            let payment = collector.resource(Kind::Payments, &id)?;
            let payout = payment.get("links")?.get("payout")?.as_str()?.to_owned();
            let number = (*numbers.get(id.as_str())?).to_owned();
            Some(CrosswalkRow {
                table: "payout_entries",
                values: vec![
                    ("payout", payout),
                    ("entry", number.clone()),
                    ("in_x3", number),
                    (
                        "amount",
                        Decimal::new(amount_of(&collector, &id), 2).to_string(),
                    ),
                ],
                key: id,
            })
        });
        payouts.chain(payments).collect()
    }

    fn send_to(&mut self, engine: &str) {
        self.collector.send_to(engine);
    }

    fn happen(&mut self, part: Part, now: Timestamp) {
        self.give_back(now);
        self.collect(part.records, now);
        if self.options.every_flow && part.number % PAYOUT_EVERY == PAYOUT_EVERY - 1 {
            let mut collector = lock(&self.collector.simulator);
            for currency in CURRENCIES {
                collector.pay_out(currency, now);
            }
        }
        self.collector.announce(&self.options, now);
    }

    fn forge(&mut self, number: u64, now: Timestamp) -> Option<Delivery> {
        self.collector.forge(("payments", "confirmed"), number, now)
    }

    fn target(&mut self) -> &mut Server {
        &mut self.server
    }

    /// By the door of receipts, that of refunds and that of reversals; there is nothing to log on to, tokens are the engine's own,
    /// and a write is one call.
    fn stops(&self, point: Point) -> Vec<Stopping> {
        let writes = ["YWSGAS", "mutation", ".%24create"];
        match point {
            Point::BeforeEffect => stopping(&self.server, Moment::BeforeEffect, &writes),
            Point::AfterEffect => stopping(&self.server, Moment::AfterEffect, &writes),
            Point::LogOn | Point::BetweenSteps => Vec::new(),
        }
    }

    /// Each payment that was collected is an entry, and so is each refund and reversal. A payment that failed before it was
    /// collected needs none, and is skipped.
    fn tally(&self) -> Tally {
        let to_hold = self.fates.held();
        let posted = lock(&self.x3).entries().count();
        let (tracked, without_entry) = self.tracked();
        Tally {
            made: self.fates.collected() + self.mirrors + self.failures + tracked,
            to_post: self.fates.collected() - to_hold + self.mirrors,
            posted,
            either: tracked - without_entry,
            to_hold: to_hold + without_entry,
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

fn payment_member(collector: &gocardless::Simulator, payment: &str, name: &str) -> i64 {
    let payment = collector.resource(Kind::Payments, payment);
    let member = payment.and_then(|own| own.get(name)?.as_i64());
    member.unwrap_or(0)
}

fn amount_of(collector: &gocardless::Simulator, payment: &str) -> i64 {
    payment_member(collector, payment, "amount")
}

fn refunded(collector: &gocardless::Simulator, payment: &str) -> Decimal {
    Decimal::new(payment_member(collector, payment, "amount_refunded"), 2)
}

/// Lets an entry's reference begin with the payment that it belongs to: `X-PM…` is a reversal, `RF…` a refund.
fn by_payment(collector: &gocardless::Simulator, entry: &mut Posted) {
    if let Some(payment) = entry.reference.strip_prefix("X-") {
        entry.reference = format!("{payment}-X");
        return;
    }
    let refund = collector.resource(Kind::Refunds, &entry.reference);
    let payment = refund.as_ref().and_then(|own| {
        let links = own.get("links")?;
        links.get("payment")?.as_str()
    });
    if let Some(payment) = payment {
        entry.reference = format!("{payment}-{}", entry.reference);
    }
}

/// The URL under which the connected application is registered: tokens must name it byte for byte.
fn audience(settings: &Settings) -> String {
    let mut applications = settings.applications.values();
    applications
        .next()
        .map_or_else(String::new, |own| own.url.clone())
}

/// A folder in which everybody is a partner, except for the one whom X3 does not know.
fn erp(options: &Options, people: &[Payer], now: Timestamp) -> sage_x3::Simulator {
    let mut settings = Settings {
        users: BTreeMap::from([("engine".to_owned(), User::new(PASSWORD))]),
        // A class that the site has rebuilt for entries, so that api1 can write them.
        entry_class: Some(("YGASGC".to_owned(), "YGASGC".to_owned())),
        ..Settings::default()
    };
    for application in settings.applications.values_mut() {
        CLIENT_SECRET.clone_into(&mut application.secret);
    }
    let switches = Switches {
        api1_entries: true,
        ..Switches::default()
    };
    let mut x3 = sage_x3::Simulator::new(settings, switches, options.seed);
    if let Some(folder) = x3.folder_mut("UKLIVE") {
        let today = now.to_zoned(TimeZone::UTC).date();
        let year = Span::new().years(1);
        folder.fiscal = (today.saturating_sub(year), today.saturating_add(year));
        for person in people {
            let member = person.member;
            if member.fate != Fate::Closed {
                folder.add_customer(member.code, member.name, member.currency, now);
            }
        }
    }
    if options.cut_per_mille > 0 {
        x3.faults
            .chance(options.cut_per_mille, On::Writes, Fault::DropAfter);
    }
    x3
}
