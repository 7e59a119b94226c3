//! SYSPRO and GoCardless.

use super::{Moment, Script, Story, Trouble};
use http::StatusCode;
use jiff::SignedDuration;
use jiff::Timestamp;
use ml_connector_core::delivery::StateKind;
use ml_connector_simulators::books::{self, Expected, Posted};
use ml_connector_simulators::gocardless::{self, Access, Endpoint, Party, Sending};
use ml_connector_simulators::serve::lock;
use ml_connector_simulators::syspro::{self, Fault, On, Operator, Period, Switches};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const BEGIN: &str = "2026-03-16T08:00:00Z";
const ERP: &str = "http://erp";
const HOOK: &str = "hook-value";

const SITE: &str = r#"
version: 1
site: story
connections:
  gocardless:
    connector: gocardless
    settings: { environment: sandbox, base_url: "http://collector" }
    secrets: { access_token: token, webhook_secret: hook }
    rate_limit: { requests: 1000000, per: 1s }
  syspro:
    connector: syspro
    settings: { base_url: "http://erp/SYSPROWCFService/Rest", operator: GC, company_id: EDU1 }
    secrets: { operator_password: operator, company_password: company }
integrations:
  - use: syspro-gocardless/payment-receipts
    params: { bank: GC }
"#;

/// Account, name and currency of everybody who pays.
const PEOPLE: [(&str, &str, &str); 3] = [
    ("0000417", "Brookfield & Sons <Leeds>", "GBP"),
    ("0000418", "Łódź Précis 漢", "EUR"),
    ("0000419", "Västerås Verkstad", "SEK"),
];

/// Both systems, with everybody in them.
struct Cast {
    collector: Arc<Mutex<gocardless::Simulator>>,
    erp: Arc<Mutex<syspro::Simulator>>,
    /// Customer and mandate of each of [`PEOPLE`].
    ids: Vec<(String, String)>,
}

impl Cast {
    fn new() -> Self {
        let now: Timestamp = BEGIN.parse().unwrap();
        let settings = gocardless::Settings {
            tokens: BTreeMap::from([("token-value".to_owned(), Access::ReadWrite)]),
            calls_per_minute: 1_000_000,
            ..gocardless::Settings::default()
        };
        let mut collector = gocardless::Simulator::new(settings, 7, now);
        let (year, number) = (2026, 3);
        let mut erp = syspro::Simulator::new(Switches::default(), 7, Period { year, number });
        let operator = Operator {
            password: "op".to_owned(),
            bank: "GC".to_owned(),
        };
        erp.set_operator("GC", operator);
        let mut ids = Vec::new();
        for (code, name, currency) in PEOPLE {
            let long_ago = now - SignedDuration::from_hours(24 * 60);
            let party = Party::new(name, currency);
            ids.push(collector.add_payer(&party, long_ago).unwrap());
            let company = erp.company_mut("EDU1").unwrap();
            company.add_customer(code, name, currency);
        }
        collector.forget_unsent();
        collector.add_endpoint(Endpoint {
            url: "http://engine/webhooks/gocardless".to_owned(),
            secret: HOOK.to_owned(),
        });
        Self {
            collector: Arc::new(Mutex::new(collector)),
            erp: Arc::new(Mutex::new(erp)),
            ids,
        }
    }

    fn script(&self, site: &str) -> Script {
        let (collector, erp) = (self.collector.clone(), self.erp.clone());
        let mut script = Script::new(BEGIN, site)
            .system("http://collector", &self.collector)
            .notifies(&self.collector)
            .system(ERP, &self.erp)
            .secret("token", "token-value")
            .secret("hook", HOOK)
            .secret("operator", "op")
            .secret("company", "")
            .check("receipts to the cent", move || {
                let collector = lock(&collector);
                let expected: Vec<Expected> =
                    collector.collected().iter().map(Expected::from).collect();
                let erp = lock(&erp);
                let posted: Vec<Posted> = erp.receipts().iter().map(Posted::from).collect();
                let report = books::compare(&expected, &posted);
                let differences = report.differences.iter();
                differences.map(ToString::to_string).collect()
            });
        for ((customer, _), (code, _, currency)) in self.ids.iter().zip(PEOPLE) {
            let values = json!({ "syspro": code, "currency": currency });
            script = script.entry("customers", customer, values);
        }
        script
    }

    /// Collects so many payments of everybody and confirms them; gives their ids.
    fn collect(&self, story: &Story, each: i64) -> Vec<String> {
        let now = story.now();
        let mut collector = lock(&self.collector);
        let asked = now - SignedDuration::from_hours(24 * 7);
        let mut payments = Vec::new();
        for number in 0..each {
            for (_, mandate) in &self.ids {
                let amount = 1001 + number * 37;
                let payment = collector
                    .collect_payment(mandate, amount, &[], asked)
                    .unwrap();
                collector.confirm(&payment, now).unwrap();
                payments.push(payment);
            }
        }
        payments
    }

    /// Sends what has happened: in no order, in small requests, a third of it twice.
    fn announce(&self, story: &Story) {
        let sending = Sending {
            batch: 5,
            shuffled: true,
            twice_per_mille: 333,
        };
        lock(&self.collector).make_webhooks(&sending, story.now());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_arrive_once_whatever_their_order_and_a_forged_one_never() {
    let cast = Cast::new();
    let story = cast.script(SITE).start().await;
    cast.collect(&story, 4);
    cast.announce(&story);
    let forged = {
        let mut collector = lock(&cast.collector);
        collector.forge_webhook("payments", "confirmed", story.now())
    };
    let status = story.receive(&forged.unwrap().tampered()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    story.all_delivered(12).await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_wait_for_the_erp_and_lost_answers_are_looked_up() {
    let cast = Cast::new();
    let story = cast.script(SITE).start().await;
    story.strike(ERP, "ARSTPY", Trouble::CutAfter, 2);
    story.strike(ERP, "ARSTPY", Trouble::CutBefore, 1);
    story.strike(ERP, "ARSTPY", Trouble::Answer(502), 1);
    lock(&cast.erp)
        .faults
        .plan(On::Object("ARSTPY"), Fault::Evict);
    cast.collect(&story, 2);
    cast.announce(&story);
    story.settle(6).await;
    story.down(ERP);
    cast.collect(&story, 2);
    cast.announce(&story);
    story.pass(SignedDuration::from_hours(8)).await;
    let integration = "syspro-gocardless/payment-receipts";
    assert_eq!(story.count(integration, StateKind::Delivered).await, 6);
    story.up(ERP);
    story.all_delivered(12).await;
    assert_eq!(story.troubles_waiting(), 0);
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_survive_crashes_before_and_after_their_effect() {
    for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
        let cast = Cast::new();
        let mut story = cast.script(SITE).start().await;
        cast.collect(&story, 2);
        cast.announce(&story);
        story.crash_during(ERP, "ARSTPY", moment).await;
        story.all_delivered(6).await;
        story.end().await;
    }
}
