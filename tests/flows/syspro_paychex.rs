//! SYSPRO and Paychex: one journal for each pay period, whatever happens on the way.

mod corrections;
mod masters;

use super::{Moment, Script, Story, Trouble};
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::delivery::{Awaited, DeliveryState, StateKind};
use ml_connector_core::identity::CrosswalkId;
use ml_connector_simulators::paychex::{
    self, Effect, Line, Lines, PeriodStatus, ReversalSign, Tax,
};
use ml_connector_simulators::serve::lock;
use ml_connector_simulators::syspro::{self, Fault, LedgerCode, On, Operator, Period, Switches};
use ml_connector_store::Delivery;
use rust_decimal::Decimal;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const BEGIN: &str = "2026-03-16T08:00:00Z";
const ERP: &str = "http://erp";
const PAYROLL: &str = "http://payroll";
const JOURNALS: &str = "syspro-paychex/payroll-journals";

const SITE: &str = r#"
version: 1
site: story
connections:
  paychex:
    connector: paychex
    settings: { base_url: "http://payroll", company_id: COMPANY, periods_since: "2026-01-01" }
    secrets: { client_id: key, client_secret: secret, notification_login: login }
    rate_limit: { requests: 1000000, per: 1s }
  syspro:
    connector: syspro
    settings: { base_url: "http://erp/SYSPROWCFService/Rest", operator: GC, company_id: EDU1 }
    secrets: { operator_password: operator, company_password: company }
integrations:
  - use: syspro-paychex/payroll-journals
    params:
      accounts: { wages: "6110", employer_tax: "6120", benefits: "6130", withheld: 00-2320, employer_tax_due: 00-2330, deductions: 00-2340, benefits_due: 00-2350, net_pay: 00-2310 }
      default_section: "90"
      reversals: post
      changes: post
"#;

/// Both systems, and who works where.
struct Cast {
    payroll: Arc<Mutex<paychex::Simulator>>,
    erp: Arc<Mutex<syspro::Simulator>>,
    company: String,
    organizations: [String; 2],
    assignments: [String; 2],
    components: [String; 3],
    workers: Vec<String>,
}

fn money(text: &str) -> Decimal {
    text.parse().unwrap()
}

impl Cast {
    fn new() -> Self {
        Self::with(paychex::Switches::default())
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is this story's own")]
    fn with(switches: paychex::Switches) -> Self {
        let now: Timestamp = BEGIN.parse().unwrap();
        let link_base = PAYROLL.to_owned();
        let mut payroll = paychex::Simulator::new(
            paychex::Switches {
                link_base,
                ..switches
            },
            7,
        );
        let company = payroll.add_company("01234567", "NORTHWIND VALVE WORKS LLC");
        let organizations = [("20", "20 Machining"), ("30", "30 Maintenance & Upkeep")]
            .map(|(number, name)| payroll.add_organization(&company, number, name, None, now));
        let assignments = [0, 1].map(|at: usize| {
            payroll.add_labor_assignment(&company, "Shift", Some(&organizations[at]), None)
        });
        let components = [
            payroll.add_component(&company, "Hourly", "REGULAR", Effect::Addition, now),
            payroll.add_component(&company, "401k EE", "_401K", Effect::Reduction, now),
            payroll.add_component(
                &company,
                "401k ER",
                "_401K",
                Effect::EmployerInformational,
                now,
            ),
        ];
        let hired = date(2021, 3, 15);
        let workers = (0..30)
            .map(|at| {
                let number = (318 + at).to_string();
                payroll.hire(
                    &company,
                    &number,
                    ("Dana", &format!("Okafor {at}")),
                    hired,
                    now,
                )
            })
            .collect();
        let mut erp = syspro::Simulator::new(
            Switches::default(),
            7,
            Period {
                year: 2026,
                number: 3,
            },
        );
        let operator = Operator {
            password: "op".to_owned(),
            bank: "GC".to_owned(),
        };
        erp.set_operator("GC", operator);
        let ledger = &mut erp.company_mut("EDU1").unwrap().ledger;
        for section in ["20", "30", "90"] {
            for account in ["6110", "6120", "6130"] {
                ledger.push(code(&format!("{section}-{account}")));
            }
        }
        for liability in ["00-2310", "00-2320", "00-2330", "00-2340", "00-2350"] {
            ledger.retain(|own| own.code != liability);
            ledger.push(code(liability));
        }
        Self {
            payroll: Arc::new(Mutex::new(payroll)),
            erp: Arc::new(Mutex::new(erp)),
            company,
            organizations,
            assignments,
            components,
            workers,
        }
    }

    fn script(&self, site: &str) -> Script {
        let (payroll, erp, company) =
            (self.payroll.clone(), self.erp.clone(), self.company.clone());
        Script::new(BEGIN, &site.replace("COMPANY", &self.company))
            .system(PAYROLL, &self.payroll)
            .notifies(&self.payroll)
            .system(ERP, &self.erp)
            .secret("key", "key")
            .secret("secret", "secret")
            .secret("login", "paychex:hook")
            .secret("operator", "op")
            .secret("company", "")
            .check("journals to the cent", move || {
                differences(&lock(&payroll), &lock(&erp), &company)
            })
    }

    /// With the matching table filled.
    fn mapped(&self, site: &str) -> Script {
        let mut script = self.script(site);
        for (organization, section) in self.organizations.iter().zip(["20", "30"]) {
            script = script.entry("cost_centers", organization, json!({ "section": section }));
        }
        script
    }

    fn lines(&self, at: i64) -> Lines {
        let odd = Decimal::new(at, 2);
        let earning = |amount: Decimal, place: usize| {
            Line::new(&self.components[0], amount).at(
                Some(&self.assignments[place]),
                Some(&self.organizations[place]),
            )
        };
        Lines {
            earnings: vec![earning(money("432.0") + odd, 0), earning(money("288"), 1)],
            deductions: vec![Line::new(&self.components[1], money("43.2"))],
            informational: vec![Line::new(&self.components[2], money("25.92"))],
            taxes: vec![
                Tax::new("Federal Income Tax", false, money("155.65")),
                Tax::new("Employer Social Security Tax", true, money("53.57") + odd),
            ],
        }
    }

    /// A period of two weeks with so many checks, still open.
    fn enter(&self, checks: usize) -> String {
        let mut payroll = lock(&self.payroll);
        let days = (date(2026, 2, 16), date(2026, 3, 1));
        let period = payroll.open_period(&self.company, Some("BI_WEEKLY"), days, date(2026, 3, 6));
        for (at, worker) in self.workers.iter().take(checks).enumerate() {
            let lines = self.lines(i64::try_from(at).unwrap());
            payroll.enter_check(&period, worker, lines).unwrap();
        }
        period
    }

    /// A period that has been paid.
    fn pay(&self, checks: usize, now: Timestamp) -> String {
        let period = self.enter(checks);
        lock(&self.payroll).complete(&period, PeriodStatus::Completed, now);
        period
    }

    fn journals(&self) -> usize {
        lock(&self.erp).company("EDU1").unwrap().gl_journals().len()
    }

    /// Every check has its delivery, and so many of them have become journals.
    async fn posted(&self, story: &Story, checks: usize, journals: usize) {
        let all = story.settle(checks).await;
        let delivered = story.count(JOURNALS, StateKind::Delivered).await;
        assert_eq!(
            (delivered, self.journals()),
            (journals, journals),
            "{all:#?}"
        );
    }

    /// Nothing that was asked for ever carried a social security number.
    fn no_identifiers(&self) {
        let payroll = lock(&self.payroll);
        assert!(payroll.identifiers_served().is_empty());
        assert!(
            payroll
                .asked()
                .iter()
                .all(|asked| !asked.accept.contains("application/json"))
        );
        let people = |what: &str| what.contains("/workers") && !what.contains("/checks");
        let mut people = payroll.asked().iter().filter(|asked| people(&asked.what));
        assert!(people.all(|asked| asked.accept.contains(".nonpii.")));
    }
}

fn code(code: &str) -> LedgerCode {
    LedgerCode {
        code: code.to_owned(),
        description: "Payroll".to_owned(),
        control: false,
        on_hold: false,
    }
}

/// What the ledger holds against what was paid, account by account; each journal once, posted and balanced.
fn differences(
    payroll: &paychex::Simulator,
    erp: &syspro::Simulator,
    company: &str,
) -> Vec<String> {
    let mut wanted: BTreeMap<&str, Decimal> = BTreeMap::new();
    let sign = |undoes: bool| match payroll.switches.reversal {
        ReversalSign::Positive if undoes => Decimal::NEGATIVE_ONE,
        _ => Decimal::ONE,
    };
    for period in payroll.periods(company) {
        if !matches!(
            period.status,
            PeriodStatus::Completed | PeriodStatus::Reversed
        ) {
            continue;
        }
        let sums = payroll.sums(&period.id);
        let sign = sign(period.original.is_some());
        for (account, amount) in [
            ("6110", sums.earnings),
            ("6120", sums.employer_taxes),
            ("6130", sums.employer_benefits),
            ("2310", -sums.net()),
            ("2320", -sums.withheld),
            ("2330", -sums.employer_taxes),
            ("2340", -sums.deductions),
            ("2350", -sums.employer_benefits),
        ] {
            *wanted.entry(account).or_default() += sign * amount;
        }
    }
    let mut found = Vec::new();
    let mut posted: BTreeMap<&str, Decimal> = BTreeMap::new();
    for journal in erp.company("EDU1").unwrap().gl_journals() {
        let sum: Decimal = journal.lines.iter().map(|line| line.amount).sum();
        if !sum.is_zero() || journal.status != "P" {
            found.push(format!(
                "{} sums to {sum}, {}",
                journal.reference, journal.status
            ));
        }
        for line in &journal.lines {
            let account = line.code.split('-').next_back().unwrap_or_default();
            *posted.entry(account).or_default() += line.amount;
        }
    }
    wanted.retain(|_, amount| !amount.is_zero());
    posted.retain(|_, amount| !amount.is_zero());
    if wanted != posted {
        found.push(format!("paid {wanted:?}, posted {posted:?}"));
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pay_period_becomes_one_balanced_journal() {
    let cast = Cast::new();
    let story = cast.mapped(SITE).start().await;
    let began = story.now();
    let period = cast.enter(30);
    story.pass(SignedDuration::from_hours(2)).await;
    assert_eq!(cast.journals(), 0);
    lock(&cast.payroll).process(&period);
    story.pass(SignedDuration::from_hours(2)).await;
    lock(&cast.payroll).complete(&period, PeriodStatus::Completed, story.now());
    cast.posted(&story, 30, 1).await;
    // Hours of polls later there is still one.
    story.pass(SignedDuration::from_hours(12)).await;
    assert_eq!(cast.journals(), 1);
    let lines = lock(&cast.erp).company("EDU1").unwrap().gl_journals()[0]
        .lines
        .len();
    assert!(lines <= 11, "{lines} lines would show single workers' pay");
    // One token an hour, not one a call; how many hours pass depends on how busy the machine is.
    let hours = story.now().duration_since(began).as_hours();
    let given = i64::try_from(lock(&cast.payroll).tokens_given()).unwrap();
    assert!(given <= hours + 3, "{given} tokens in {hours} hours");
    assert_eq!(
        lock(&cast.payroll).tokens_refused(),
        0,
        "each is renewed before it ends"
    );
    cast.no_identifiers();
    story.end().await;
}

/// Until a journal is held for this entry.
async fn waits_for(story: &Story, awaited: &Awaited) {
    let what = format!("a hold for {awaited:?}");
    let waits = |own: &Delivery| matches!(&own.state, DeliveryState::Held(hold) if hold.awaits.as_ref() == Some(awaited));
    story.until(&what, |all| all.iter().any(waits)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_waits_for_its_cost_centers() {
    let cast = Cast::new();
    let story = cast.script(SITE).start().await;
    cast.pay(3, story.now());
    let table = CrosswalkId::new("cost_centers");
    let entry = |at: usize| Awaited::Crosswalk {
        table: table.clone(),
        key: cast.organizations[at].clone(),
    };
    let set = async |at: usize, values| {
        let key = &cast.organizations[at];
        story.set_entry("cost_centers", key, values).await;
    };
    waits_for(&story, &entry(0)).await;
    set(0, json!({ "section": "20" })).await;
    waits_for(&story, &entry(1)).await;
    story.pass(SignedDuration::from_hours(3)).await;
    assert_eq!(
        (
            story.count(JOURNALS, StateKind::Held).await,
            cast.journals()
        ),
        (1, 0)
    );
    // An entry without the column is none, and nothing spins about it.
    set(1, json!({ "name": "Maintenance" })).await;
    let column = Awaited::Column {
        table: table.clone(),
        key: cast.organizations[1].clone(),
        column: "section".to_owned(),
    };
    waits_for(&story, &column).await;
    let reads = lock(&cast.payroll).asked().len();
    story.pass(SignedDuration::from_mins(30)).await;
    assert!(lock(&cast.payroll).asked().len() < reads + 20);
    set(1, json!({ "section": "30" })).await;
    cast.posted(&story, 3, 1).await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_lost_answers_and_ended_sessions_post_nothing_twice() {
    let cast = Cast::new();
    let story = cast.mapped(SITE).start().await;
    story.strike(ERP, "GENTJL", Trouble::CutAfter, 1);
    lock(&cast.erp)
        .faults
        .plan(On::Object("GENTJL"), Fault::Evict);
    cast.pay(5, story.now());
    cast.posted(&story, 5, 1).await;
    story.down(ERP);
    cast.pay(4, story.now());
    story.pass(SignedDuration::from_hours(8)).await;
    assert_eq!(cast.journals(), 1);
    story.up(ERP);
    lock(&cast.payroll).end_tokens();
    story.strike(ERP, "GENTJL", Trouble::CutBefore, 1);
    cast.posted(&story, 9, 2).await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_before_or_after_the_effect_posts_once() {
    for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
        let cast = Cast::new();
        let mut story = cast.mapped(SITE).start().await;
        cast.pay(3, story.now());
        story.crash_during(ERP, "PostGlJournal", moment).await;
        cast.posted(&story, 3, 1).await;
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_flows_of_one_operator_never_hold_two_sessions() {
    let cast = Cast::new();
    let second = "  erp2:\n    connector: syspro\n    settings: { base_url: \"http://ERP/SYSPROWCFService/Rest\", operator: gc, company_id: EDU1 }\n    \
                  secrets: { operator_password: operator, company_password: company }\nintegrations:\n";
    let site = SITE.replace("integrations:\n", &second.replace("ERP", "erp"))
        + "  - use: syspro-paychex/organizations\n    connections: { syspro: erp2 }\n";
    let story = cast.script(&site).start().await;
    for checks in [3, 4] {
        let now = story.now();
        cast.pay(checks, now);
        lock(&cast.payroll).add_organization(
            &cast.company,
            &format!("4{checks}"),
            "New",
            None,
            now,
        );
        story.pass(SignedDuration::from_hours(13)).await;
    }
    story.settle(7 + 4).await;
    assert_eq!((cast.journals(), story.holds().await.len()), (2, 0));
    let (evicted, logons, open) = {
        let erp = lock(&cast.erp);
        (erp.evictions(), erp.logons(), erp.open_sessions())
    };
    assert_eq!(evicted, 0, "no log-on ended another flow's session");
    assert!(logons >= 2 && open <= 1);
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_in_which_the_payroll_service_differs_leads_to_the_same_books() {
    for (name, switches) in paychex::Switches::variations() {
        println!("{name}");
        let cast = Cast::with(switches);
        let story = cast.mapped(SITE).start().await;
        // More than one page where that makes a difference, and read while it is being processed too.
        let paged = ["page", "tag", "total", "metadata", "links"];
        let checks = if paged.iter().any(|word| name.contains(word)) {
            22
        } else {
            3
        };
        let period = cast.enter(checks);
        lock(&cast.payroll).process(&period);
        story.pass(SignedDuration::from_mins(61)).await;
        lock(&cast.payroll).complete(&period, PeriodStatus::Completed, story.now());
        cast.posted(&story, checks, 1).await;
        // What undoes it shows its amounts with one sign or the other.
        lock(&cast.payroll)
            .reverse(&period, &[], story.now())
            .unwrap();
        cast.posted(&story, 2 * checks, 2).await;
        cast.no_identifiers();
        story.end().await;
    }
}
