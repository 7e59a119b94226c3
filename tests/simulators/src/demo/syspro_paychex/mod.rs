//! Payroll of Paychex becomes labor-cost journals in SYSPRO.
//!
//! In each part a pay period is paid and a worker is hired. Some periods undo a check of an earlier one, and some carry
//! imputed income, which nobody has decided about: their journals are held. Organizations become cost centres first, and
//! journals wait for them; one has no number and is held.
//!
//! With every flow, locations and jobs become dimension codes, and the daily reading finds all workers.

mod masters;
mod payroll;
mod verdict;

use super::pairing::{
    Account, Doing, Pairing, Part, Play, Point, Stopping, Tally, starting, stopping,
};
use super::plan::Options;
use super::{CrosswalkRow, Error, Listen, site_head, syspro};
use crate::paychex::{self, HookAuth, Sending};
use crate::serve::{Moment, Server, lock};
use crate::syspro::{LedgerCode, Period};
use crate::webhooks::{Counts, Delivery, Sender};
use bytes::Bytes;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use masters::Masters;
use payroll::{NUMBERED, Payroll};
use serde_json::json;
use std::sync::{Arc, Mutex};
use verdict::{ACCOUNTS, COMPANY, LIABILITIES};

/// The pairing.
pub(super) const PAIRING: Pairing = Pairing {
    name: "syspro-paychex",
    title: "Payroll of Paychex becomes labor-cost journals in SYSPRO",
    start: |options, now| starting(Show::start(options, now)),
};

const OPERATOR: &str = "PX";
const HOOK_USER: &str = "paychex";
const HOOK_PASSWORD: &str = "hook w\u{f6}rd of the demo";
const CLIENT_ID: &str = "paychex-demo-client-id";
const CLIENT_SECRET: &str = "paychex-demo-client-secret";

/// Both systems on loopback ports.
#[derive(Debug)]
struct Show {
    options: Options,
    payroll: Payroll,
    source: Server,
    erp: Arc<Mutex<crate::syspro::Simulator>>,
    server: Server,
    sender: Option<Sender<paychex::Simulator>>,
    /// Where the engine listens.
    engine: String,
    /// Whether every part has happened.
    over: bool,
    /// With every flow.
    masters: Option<Masters>,
    /// How often the workers had been asked for when everything had happened.
    read: Option<usize>,
}

/// So many requests at least are two whole readings of the workers.
const TWO_READINGS: usize = 6;

impl Show {
    async fn start(options: Options, now: Timestamp) -> Result<Self, Error> {
        let payroll = Payroll::new(&options, (CLIENT_ID, CLIENT_SECRET), now);
        let erp = Arc::new(Mutex::new(erp(&options, now)));
        let simulator = payroll.simulator.clone();
        let masters = || Masters::new(&lock(&simulator), &payroll.company);
        let masters = options.every_flow.then(masters);
        Ok(Self {
            source: Server::start(simulator).await.map_err(Error::Listen)?,
            server: Server::start(erp.clone()).await.map_err(Error::Listen)?,
            payroll,
            erp,
            sender: None,
            masters,
            read: None,
            engine: String::new(),
            over: false,
            options,
        })
    }

    fn readings(&self) -> usize {
        let asked = format!("GET /companies/{}/workers", self.payroll.company);
        let simulator = lock(&self.payroll.simulator);
        let calls = simulator.asked().iter();
        calls.filter(|own| own.what == asked).count()
    }

    fn counts(&self) -> Counts {
        self.sender.as_ref().map(Sender::counts).unwrap_or_default()
    }
}

impl Play for Show {
    fn site(&self, listen: &Listen) -> String {
        let (mut polls, mut integrations) = ("", String::new());
        if self.masters.is_some() {
            polls = ", locations: { every: 1s }, jobs: { every: 1s }, workers: { every: 1s }";
            let (departments, jobs) = masters::CATEGORIES;
            integrations = format!(
                "\x20 - use: syspro-paychex/workers-daily\n\
                 \x20 - use: syspro-paychex/locations\n\
                 \x20   params: {{ category: {departments}, codes: name }}\n\
                 \x20 - use: syspro-paychex/jobs\n\
                 \x20   params: {{ category: {jobs}, prefix: {prefix} }}\n",
                prefix = masters::PREFIX
            );
        }
        format!(
            "{head}\
             \x20 paychex:\n\
             \x20   connector: paychex\n\
             \x20   settings: {{ base_url: \"{source}\", company_id: {company}, periods_since: \"{since}\" }}\n\
             \x20   secrets: {{ client_id: paychex/key, client_secret: paychex/secret, notification_login: [paychex/hook] }}\n\
             \x20   rate_limit: {{ requests: 1000000, per: 1s }}\n\
             \x20   poll: {{ checks: {{ every: 1s }}, organizations: {{ every: 1s }}{polls} }}\n\
             {erp}\
             integrations:\n\
             \x20 - use: syspro-paychex/organizations\n\
             \x20 - use: syspro-paychex/workers\n\
             \x20   params: {{ company_id: {company} }}\n\
             \x20 - use: syspro-paychex/payroll-journals\n\
             \x20   params:\n\
             \x20     accounts: {{ wages: \"6110\", employer_tax: \"6120\", benefits: \"6130\", withheld: 00-2320, employer_tax_due: 00-2330, deductions: 00-2340, benefits_due: 00-2350, net_pay: 00-2310 }}\n\
             \x20     reversals: post\n\
             \x20     gather: 500ms\n\
             {integrations}",
            head = site_head(listen),
            source = self.source.url(),
            company = self.payroll.company,
            since = self.payroll.since,
            erp = syspro::connection(&self.server, OPERATOR, &self.options),
        )
    }

    fn secrets(&self) -> Vec<(&'static str, String)> {
        let mut secrets = syspro::secrets().to_vec();
        secrets.push(("paychex/key", CLIENT_ID.to_owned()));
        secrets.push(("paychex/secret", CLIENT_SECRET.to_owned()));
        secrets.push(("paychex/hook", format!("{HOOK_USER}:{HOOK_PASSWORD}")));
        secrets
    }

    /// None: cost centres are made on the way, and journals wait for them.
    fn crosswalk(&self) -> Vec<CrosswalkRow> {
        Vec::new()
    }

    fn send_to(&mut self, engine: &str) {
        engine.clone_into(&mut self.engine);
        let mut simulator = lock(&self.payroll.simulator);
        simulator.clear_hooks();
        let hooks = [
            ("notifications", &["WRKR_EMPL", "WRKR_DEM"][..]),
            ("pay_runs", &["CLT_PYRN"][..]),
        ];
        for (trigger, domains) in hooks {
            let uri = format!("{engine}/webhooks/paychex/{trigger}");
            let auth = HookAuth::Basic {
                username: HOOK_USER.to_owned(),
                password: HOOK_PASSWORD.to_owned(),
            };
            let company = Some(self.payroll.company.as_str());
            simulator.add_hook_for(company, &uri, auth, domains, self.payroll.began);
        }
        simulator.set_sending(Sending {
            twice_per_mille: self.options.twice_per_mille,
            lost_per_mille: 0,
            shuffled: true,
        });
        drop(simulator);
        if self.sender.is_none() {
            self.sender = Some(Sender::start(self.payroll.simulator.clone(), 4));
        }
    }

    fn happen(&mut self, part: Part, now: Timestamp) {
        let (number, given, family) = self.payroll.happen(part, now);
        if let Some(masters) = &mut self.masters {
            masters.employs(&number, given, family);
            let day = now.to_zoned(TimeZone::UTC).date();
            let mut simulator = lock(&self.payroll.simulator);
            let payroll = (&mut *simulator, self.payroll.company.as_str());
            masters.happen(part, payroll, &lock(&self.erp), day, now);
        }
        self.over = part.number + 1 >= part.of;
    }

    fn go_on(&mut self, _now: Timestamp) {
        self.read = self.read.or(Some(self.readings()));
    }

    /// A notification with a wrong password, or none at all.
    fn forge(&mut self, number: u64, _now: Timestamp) -> Option<Delivery> {
        let body = json!({
            "companyId": self.payroll.company,
            "workerId": format!("00FORGED{number:012}"),
            "domains": ["WRKR_EMPL"],
            "action": "UPDATE",
            "notificationId": format!("forged-{number}"),
        });
        let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        if !number.is_multiple_of(2) {
            headers.push((
                "Authorization".to_owned(),
                "Basic cGF5Y2hleDpvdGhlcg==".to_owned(),
            ));
        }
        Some(Delivery {
            id: format!("forged-{number}"),
            url: format!("{}/webhooks/paychex/notifications", self.engine),
            headers,
            body: Bytes::from(body.to_string()),
            attempt: 1,
            events: 1,
        })
    }

    fn target(&mut self) -> &mut Server {
        &mut self.server
    }

    /// Log-ons are those of SYSPRO, and the token of Paychex.
    fn stops(&self, point: Point) -> Vec<Stopping> {
        let writes = ["GENTJL", "BOMSEC", "GENSCD"];
        match point {
            Point::BeforeEffect => stopping(&self.server, Moment::BeforeEffect, &writes),
            Point::AfterEffect => stopping(&self.server, Moment::AfterEffect, &writes),
            Point::LogOn => {
                let mut both = stopping(&self.server, Moment::AfterEffect, &["/Logon"]);
                both.extend(stopping(
                    &self.source,
                    Moment::AfterEffect,
                    &["/auth/oauth"],
                ));
                both
            }
            Point::BetweenSteps => Vec::new(),
        }
    }

    /// Each check is a delivery, and those of a period end in one journal; organizations and hires are masters.
    fn tally(&self) -> Tally {
        let counts = self.counts();
        let erp = lock(&self.erp);
        let hired = self.payroll.hired;
        let (mut to_post, mut read, mut either, mut stand) =
            (self.payroll.journals_to_post() + NUMBERED, 0, 0, true);
        match (&self.masters, erp.company(COMPANY)) {
            (Some(masters), Some(company)) => {
                read = masters.codes_read + masters.workers_read + masters.left;
                either = hired + read;
                // What was announced may stand there before the reading has found it too.
                let read = self.read.map(|read| read + TWO_READINGS);
                stand = masters.differences(company).is_empty()
                    && read.is_some_and(|read| self.readings() >= read);
            }
            _ => to_post += hired,
        }
        let to_hold = self.payroll.journals_to_hold() + 1;
        let waits = lock(&self.payroll.simulator).next_webhook_at().is_some();
        Tally {
            made: self.payroll.checks() + NUMBERED + 1 + hired + read,
            to_post,
            posted: verdict::documents(&erp, self.masters.is_some()),
            either,
            to_hold,
            accepted: counts.accepted,
            unanswered: counts.sent - counts.accepted,
            quiet: self.over && !waits && counts.in_flight == 0 && stand,
        }
    }

    fn account(&self) -> Account {
        let (erp, source) = (lock(&self.erp), lock(&self.payroll.simulator));
        let (received, duplicate) = source.notifications_taken();
        let mut books = verdict::books(&self.payroll, &source, &erp);
        if let (Some(masters), Some(company)) = (&self.masters, erp.company(COMPANY)) {
            books.differences.extend(masters.differences(company));
        }
        Account {
            books,
            held_sums: vec![("USD".to_owned(), self.payroll.held_net(&source))],
            received,
            duplicate,
        }
    }

    fn stop(self: Box<Self>) -> Doing<'static, ()> {
        Box::pin(async move {
            if let Some(sender) = self.sender {
                sender.stop().await;
            }
            self.source.stop().await;
            self.server.stop().await;
        })
    }
}

fn erp(options: &Options, now: Timestamp) -> crate::syspro::Simulator {
    let mut erp = syspro::simulator(
        options,
        OPERATOR,
        &["GENTJL", "BOMSCC", "BOMSEC", "GENSCD"],
        now,
    );
    if let Some(company) = erp.company_mut("EDU1") {
        // A demonstration that runs over the end of a month pays a little later than it began.
        let next = now.to_zoned(TimeZone::UTC).date();
        let next = next.saturating_add(Span::new().days(1));
        company.gl_period = Period {
            year: next.year(),
            number: next.month(),
        };
        let sections = (1..=NUMBERED).map(|number| format!("{number}0"));
        let costs = sections.flat_map(|section| {
            let accounts = ACCOUNTS.into_iter();
            accounts.map(move |account| format!("{section}-{account}"))
        });
        let codes: Vec<String> = costs.chain(LIABILITIES.map(str::to_owned)).collect();
        company.ledger.retain(|own| !codes.contains(&own.code));
        company
            .ledger
            .extend(codes.into_iter().map(|code| LedgerCode {
                code,
                description: "Payroll".to_owned(),
                control: false,
                on_hold: false,
            }));
    }
    erp
}
