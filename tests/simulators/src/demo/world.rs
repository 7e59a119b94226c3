//! The world itself: both systems, the sender, and what has happened so far.

use super::Scenario;
use super::cast::{CAST, Fate, Member};
use super::closing::{Closing, EngineCounts};
use super::plan::{Options, amount_minor};
use crate::books::{Expected, Posted, Report, compare};
use crate::entropy::Entropy;
use crate::gocardless::{self, Access, Endpoint, Kind, Party, Sending};
use crate::serve::{Clock, Server, lock, wall_clock};
use crate::syspro::{self, Fault, On, Operator, Period, Switches};
use crate::webhooks::{Counts, Sender, TIMEOUT, deliver};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Why a world cannot be set up or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No loopback port.
    #[error("cannot listen on a loopback port")]
    Listen(#[source] std::io::Error),
    /// A currency without a direct debit scheme.
    #[error("customer {0} cannot be set up")]
    Customer(&'static str),
}

/// Where the engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Address and port for webhooks.
    pub webhooks: String,
    /// Address and port for the console.
    pub admin: String,
}

/// An entry for the engine's crosswalk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrosswalkRow {
    /// The table.
    pub table: &'static str,
    /// The key.
    pub key: String,
    /// Columns and values.
    pub values: Vec<(&'static str, String)>,
}

/// How far the demonstration has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Parts that have been sent.
    pub step: usize,
    /// Parts in all.
    pub steps: usize,
    /// Payments collected so far.
    pub collected: usize,
    /// Of those, how many must end in the ERP.
    pub to_post: usize,
    /// Of those, how many are there.
    pub posted: usize,
    /// Collected payments that must not be posted.
    pub to_hold: usize,
    /// Requests that the engine has taken.
    pub accepted: u64,
    /// Requests that were tampered with and refused.
    pub refused: u64,
    /// Requests that were not taken at the first try, or not yet.
    pub unanswered: u64,
    /// Whether the ERP is on the network.
    pub erp_up: bool,
}

/// A customer as both systems know it.
#[derive(Debug, Clone)]
struct Person {
    member: Member,
    customer: String,
    mandate: String,
}

/// Simulated systems on loopback ports, with everybody who pays.
#[derive(Debug)]
pub struct World {
    scenario: Scenario,
    options: Options,
    /// The collector.
    pub collector: Arc<Mutex<gocardless::Simulator>>,
    /// The ERP.
    pub erp: Arc<Mutex<syspro::Simulator>>,
    collector_server: Server,
    erp_server: Server,
    sender: Option<Sender>,
    people: Vec<Person>,
    fates: BTreeMap<String, Fate>,
    entropy: Entropy,
    step: usize,
    erp_up: bool,
    tampered: u64,
    refused: u64,
    clock: ClockBox,
}

#[derive(Clone)]
struct ClockBox(Clock);

impl std::fmt::Debug for ClockBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

const TOKEN: &str = "sandbox_demo_token";
const WEBHOOK_SECRET: &str = "ED7D658C-DEMO-4941-948B-3973214F2D49";
const OPERATOR_PASSWORD: &str = "p&ss w<rd";
const COMPANY_PASSWORD: &str = "b\u{f6}oks";

impl World {
    pub(super) async fn start(scenario: Scenario, options: Options) -> Result<Self, Error> {
        let clock = wall_clock();
        let now = clock();
        let mut collector =
            gocardless::Simulator::new(collector_settings(&options), options.seed, now);
        let mut erp = erp(&options, now);
        let people = meet(&mut collector, &mut erp, now)?;
        // Their setting up is history: the engine's webhook did not exist yet.
        collector.forget_unsent();
        let (collector, erp) = (Arc::new(Mutex::new(collector)), Arc::new(Mutex::new(erp)));
        Ok(Self {
            scenario,
            collector_server: Server::start(collector.clone())
                .await
                .map_err(Error::Listen)?,
            erp_server: Server::start(erp.clone()).await.map_err(Error::Listen)?,
            collector,
            erp,
            sender: None,
            people,
            fates: BTreeMap::new(),
            entropy: Entropy::new(options.seed ^ 0xDE30),
            step: 0,
            erp_up: true,
            tampered: 0,
            refused: 0,
            clock: ClockBox(clock),
            options,
        })
    }

    /// The scenario.
    pub const fn scenario(&self) -> Scenario {
        self.scenario
    }

    /// The text of a site file. Its paths are relative: definitions beside it, store and vault under `data`.
    pub fn site(&self, listen: &Listen) -> String {
        let mut site = String::new();
        write!(
            site,
            "version: 1\nsite: demo\nstore: {{ path: data }}\n\
             vault: {{ path: data/vault, key: {{ file: vault.key }} }}\n\
             listen: {{ webhooks: \"{webhooks}\", admin: \"{admin}\" }}\n\
             connections:\n\
             \x20 gocardless:\n\
             \x20   connector: gocardless\n\
             \x20   settings: {{ environment: sandbox, base_url: \"{collector}\" }}\n\
             \x20   secrets: {{ access_token: gocardless/token, webhook_secret: [gocardless/hook] }}\n\
             \x20   rate_limit: {{ requests: 1000000, per: 1m }}\n\
             \x20 syspro:\n\
             \x20   connector: syspro\n\
             \x20   settings: {{ base_url: \"{erp}/SYSPROWCFService/Rest\", operator: GC, company_id: EDU1, post_settle: {settle} }}\n\
             \x20   secrets: {{ operator_password: syspro/operator, company_password: syspro/company }}\n\
             integrations:\n\
             \x20 - use: syspro-gocardless/payment-receipts\n\
             \x20   params: {{ bank: GC }}\n",
            webhooks = listen.webhooks,
            admin = listen.admin,
            collector = self.collector_server.url(),
            erp = self.erp_server.url(),
            settle = self.options.settle,
        ).ok();
        site
    }

    /// Secrets for the vault: name in the site file, value.
    pub fn secrets(&self) -> Vec<(&'static str, String)> {
        vec![
            ("gocardless/token", TOKEN.to_owned()),
            ("gocardless/hook", WEBHOOK_SECRET.to_owned()),
            ("syspro/operator", OPERATOR_PASSWORD.to_owned()),
            ("syspro/company", COMPANY_PASSWORD.to_owned()),
        ]
    }

    /// Which customer is which account. One customer is left out on purpose.
    pub fn crosswalk(&self) -> Vec<CrosswalkRow> {
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

    /// Begins sending webhooks to an engine that listens at this address, e.g. `http://127.0.0.1:8080`.
    pub fn send_to(&mut self, engine: &str) {
        let url = format!("{engine}/webhooks/gocardless");
        let mut collector = lock(&self.collector);
        collector.clear_endpoints();
        collector.add_endpoint(Endpoint {
            url,
            secret: WEBHOOK_SECRET.to_owned(),
        });
        drop(collector);
        if self.sender.is_none() {
            self.sender = Some(Sender::start(self.collector.clone(), 4));
        }
    }

    /// Lets the next part happen: payments are collected, webhooks go out, some are tampered with, the ERP goes off the
    /// network or comes back. `false` once all parts are done.
    pub async fn advance(&mut self) -> Result<bool, Error> {
        if self.step >= self.options.steps {
            return Ok(false);
        }
        let step = self.step;
        let down = self.options.outage.contains(&step);
        if down && self.erp_up {
            self.erp_server.pause().await;
            self.erp_up = false;
        } else if !down && !self.erp_up {
            self.erp_server.resume().await.map_err(Error::Listen)?;
            self.erp_up = true;
        }
        self.collect(self.options.payments_in(step));
        self.tamper(self.options.tampers_in(step)).await;
        self.step += 1;
        Ok(true)
    }

    /// Runs all parts, with a pause after each.
    pub async fn run(&mut self, mut show: impl FnMut(&Progress)) -> Result<(), Error> {
        while self.advance().await? {
            show(&self.progress());
            crate::serve::pause(self.options.pace).await;
        }
        if !self.erp_up {
            self.erp_server.resume().await.map_err(Error::Listen)?;
            self.erp_up = true;
        }
        Ok(())
    }

    fn collect(&mut self, payments: usize) {
        let now = (self.clock.0)();
        let wheel: Vec<usize> = (0..self.people.len())
            .flat_map(|at| {
                let weight = self.people.get(at).map_or(0, |person| person.member.weight);
                std::iter::repeat_n(at, weight)
            })
            .collect();
        let mut collector = lock(&self.collector);
        for _ in 0..payments {
            let at = self.entropy.pick(&wheel).copied().unwrap_or(0);
            let Some(person) = self.people.get(at) else {
                continue;
            };
            let amount = amount_minor(&mut self.entropy);
            // Asked for a week ago, collected today.
            let asked = now - SignedDuration::from_hours(7 * 24);
            let Some(payment) = collector.collect_payment(&person.mandate, amount, &[], asked)
            else {
                continue;
            };
            if collector.confirm(&payment, now).is_ok() {
                self.fates.insert(payment, person.member.fate);
            }
        }
        let sending = Sending {
            batch: self.options.batch,
            shuffled: true,
            twice_per_mille: self.options.twice_per_mille,
        };
        collector.make_webhooks(&sending, now);
    }

    /// Sends requests that must be refused: changed on the way, signed with a wrong secret, or not signed at all. They
    /// carry events of their own, which must leave no trace.
    async fn tamper(&mut self, requests: usize) {
        for _ in 0..requests {
            let delivery = {
                let mut collector = lock(&self.collector);
                collector.forge_webhook("payments", "confirmed", (self.clock.0)())
            };
            let Some(delivery) = delivery else { return };
            let delivery = match self.tampered % 3 {
                0 => delivery.tampered(),
                1 => delivery.with_wrong_signature(),
                _ => delivery.with_signature(None),
            };
            self.tampered += 1;
            let refused = deliver(&delivery, TIMEOUT).await;
            if matches!(refused, Ok(status) if (400..500).contains(&status)) {
                self.refused += 1;
            }
        }
    }

    /// How far everything is.
    pub fn progress(&self) -> Progress {
        let counts = self.counts();
        let to_hold = self
            .fates
            .values()
            .filter(|fate| **fate != Fate::Posted)
            .count();
        Progress {
            step: self.step,
            steps: self.options.steps,
            collected: self.fates.len(),
            to_post: self.fates.len() - to_hold,
            posted: lock(&self.erp).receipt_count(),
            to_hold,
            accepted: counts.accepted,
            refused: self.refused,
            unanswered: counts.sent - counts.accepted,
            erp_up: self.erp_up,
        }
    }

    fn counts(&self) -> Counts {
        self.sender.as_ref().map(Sender::counts).unwrap_or_default()
    }

    /// Whether everything was sent and taken, and as many receipts are there as must be.
    pub fn settled(&self) -> bool {
        let progress = self.progress();
        let waits = lock(&self.collector).next_webhook_at().is_some();
        progress.step >= progress.steps
            && !waits
            && self.counts().in_flight == 0
            && progress.posted >= progress.to_post
    }

    /// Waits until [`World::settled`], or until the time is over; `false` then.
    pub async fn settle(&self, within: Duration, mut show: impl FnMut(&Progress)) -> bool {
        const LOOK_EVERY: Duration = Duration::from_millis(50);
        let mut left = within;
        while !self.settled() {
            if left.is_zero() {
                return false;
            }
            crate::serve::pause(LOOK_EVERY).await;
            left = left.saturating_sub(LOOK_EVERY);
            show(&self.progress());
        }
        true
    }

    /// Compares the books of both sides, without asking the engine.
    pub fn books(&self) -> Report {
        let codes: BTreeMap<&str, &str> = self
            .people
            .iter()
            .map(|person| (person.customer.as_str(), person.member.code))
            .collect();
        let expected: Vec<Expected> = lock(&self.collector)
            .collected()
            .iter()
            .filter(|own| self.fates.get(&own.payment) == Some(&Fate::Posted))
            .map(|own| Expected {
                customer: codes
                    .get(own.customer.as_str())
                    .map(|code| (*code).to_owned()),
                ..Expected::from(own)
            })
            .collect();
        let posted: Vec<Posted> = lock(&self.erp)
            .receipts()
            .iter()
            .map(Posted::from)
            .collect();
        compare(&expected, &posted)
    }

    /// The closing table; what the engine says of itself is put beside what the world knows.
    pub fn closing(&self, engine: Option<&EngineCounts>) -> Closing {
        let held: Vec<gocardless::Collected> = lock(&self.collector)
            .collected()
            .into_iter()
            .filter(|own| {
                self.fates
                    .get(&own.payment)
                    .is_some_and(|fate| *fate != Fate::Posted)
            })
            .collect();
        Closing::make(
            &self.books(),
            &held,
            self.events(),
            self.tampered,
            self.refused,
            engine,
        )
    }

    /// Different events that were taken, and how many were sent again.
    fn events(&self) -> (u64, u64) {
        let collector = lock(&self.collector);
        let mut seen = BTreeSet::new();
        let mut again = 0;
        for id in collector.ids(Kind::Webhooks) {
            let Some(webhook) = collector.resource(Kind::Webhooks, &id) else {
                continue;
            };
            let taken = webhook
                .get("successful")
                .and_then(serde_json::Value::as_bool);
            let body = webhook
                .get("request_body")
                .and_then(serde_json::Value::as_str);
            if taken != Some(true) {
                continue;
            }
            let body: serde_json::Value = body
                .and_then(|body| serde_json::from_str(body).ok())
                .unwrap_or_default();
            let events = body.get("events").and_then(serde_json::Value::as_array);
            for event in events.into_iter().flatten() {
                let id = event
                    .get("id")
                    .and_then(serde_json::Value::as_str)
                    .unwrap_or_default();
                again += u64::from(!seen.insert(id.to_owned()));
            }
        }
        (seen.len() as u64, again)
    }

    /// Takes the ERP off the network.
    pub async fn stop_erp(&mut self) {
        self.erp_server.pause().await;
        self.erp_up = false;
    }

    /// Brings the ERP back on the same port.
    pub async fn start_erp(&mut self) -> Result<(), Error> {
        self.erp_server.resume().await.map_err(Error::Listen)?;
        self.erp_up = true;
        Ok(())
    }

    /// Closes every port.
    pub async fn stop(self) {
        if let Some(sender) = self.sender {
            sender.stop().await;
        }
        self.collector_server.stop().await;
        self.erp_server.stop().await;
    }
}

fn collector_settings(options: &Options) -> gocardless::Settings {
    gocardless::Settings {
        tokens: BTreeMap::from([(TOKEN.to_owned(), Access::ReadWrite)]),
        // The demonstration squeezes days into seconds.
        calls_per_minute: 1_000_000,
        webhook_retry_gaps: vec![options.retry_gap; 1000],
        ..gocardless::Settings::default()
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

/// Sets everybody up on both sides.
fn meet(
    collector: &mut gocardless::Simulator,
    erp: &mut syspro::Simulator,
    now: Timestamp,
) -> Result<Vec<Person>, Error> {
    let long_ago = now - SignedDuration::from_hours(60 * 24);
    let mut people = Vec::new();
    for member in CAST {
        let party = Party::new(member.name, member.currency);
        let ids = collector.add_payer(&party, long_ago);
        let (customer, mandate) = ids.ok_or(Error::Customer(member.code))?;
        if let Some(company) = erp.company_mut("EDU1") {
            let account = company.add_customer(member.code, member.name, member.currency);
            if member.fate == Fate::Closed {
                account
                    .fields
                    .insert("PaymentsAllowed".to_owned(), "N".to_owned());
            }
        }
        people.push(Person {
            member,
            customer,
            mandate,
        });
    }
    Ok(people)
}
