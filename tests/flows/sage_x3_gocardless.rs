//! Sage X3 and GoCardless: every write path, and what must hold on the clearing account.

use super::{Moment, Script, Story, Trouble};
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::delivery::StateKind;
use ml_connector_simulators::gocardless::{self, Access, Endpoint, Kind, Party, Sending};
use ml_connector_simulators::sage_x3::{self, Fault, On, Switches};
use ml_connector_simulators::serve::lock;
use rust_decimal::Decimal;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const BEGIN: &str = "2026-03-16T08:00:00Z";
const ERP: &str = "http://x3";
const CLEARING: &str = "41100";
const HOOK: &str = "hook-value";

/// Number, name and currency of everybody who pays. Leading zeros count.
const PEOPLE: [(&str, &str, &str); 2] = [
    ("07535", "Brookfield & Sons <Leeds>", "GBP"),
    ("00042", "Łódź Précis 漢", "EUR"),
];

/// The ways in which a site can be reached: settings of the connection.
const SOAP: &str = "login: engine, pool_alias: GCPOOL";
const API1: &str = "login: engine, pool_alias: GCPOOL, write_path: api1, \
    api1_class: YGASGC, api1_representation: YGASGC";
const SIGNED: &str = "auth: signed_jwt, client_id: connected-app, jwt_user: engine, \
    jwt_audience: 'http://x3.example.test:8124/xtrem/api', write_path: graphql, lookup: graphql";
const CLOUD: &str = "auth: cloud_oauth2, client_id: cloud-app, token_url: 'http://x3/v1/token', \
    graphql_path: v1/graphql, write_path: graphql, lookup: graphql";

const ALL: [&str; 5] = [
    "payment-receipts",
    "refunds",
    "reversals",
    "payment-states",
    "payout-entries",
];

struct Cast {
    collector: Arc<Mutex<gocardless::Simulator>>,
    x3: Arc<Mutex<sage_x3::Simulator>>,
    /// Customer and mandate of each of [`PEOPLE`].
    ids: Vec<(String, String)>,
    refresh: String,
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
        let site = sage_x3::Settings {
            entry_class: Some(("YGASGC".to_owned(), "YGASGC".to_owned())),
            ..sage_x3::Settings::default()
        };
        let switches = Switches {
            api1_entries: true,
            ..Switches::default()
        };
        let mut x3 = sage_x3::Simulator::new(site, switches, 7);
        let (_, refresh) = x3.pair("cloud-app", now);
        let mut ids = Vec::new();
        for (number, name, currency) in PEOPLE {
            let long_ago = now - SignedDuration::from_hours(24 * 60);
            ids.push(
                collector
                    .add_payer(&Party::new(name, currency), long_ago)
                    .unwrap(),
            );
            let folder = x3.folder_mut("UKLIVE").unwrap();
            folder.add_customer(number, name, currency, now);
        }
        collector.forget_unsent();
        collector.add_endpoint(Endpoint {
            url: "http://engine/webhooks/gocardless".to_owned(),
            secret: HOOK.to_owned(),
        });
        Self {
            collector: Arc::new(Mutex::new(collector)),
            x3: Arc::new(Mutex::new(x3)),
            ids,
            refresh,
        }
    }

    async fn start(&self, way: &str, integrations: &[&str]) -> Story {
        let mut site = format!(
            "version: 1\nsite: story\nconnections:\n  gocardless:\n    connector: gocardless\n    \
             settings: {{ environment: sandbox, base_url: 'http://collector' }}\n    \
             secrets: {{ access_token: token, webhook_secret: hook }}\n    \
             rate_limit: {{ requests: 1000000, per: 1s }}\n  sage_x3:\n    connector: sage-x3\n    \
             settings: {{ base_url: 'http://x3', endpoint: UKLIVE, {way} }}\n    \
             secrets: {{ password: password, client_secret: client, refresh_token: refresh }}\nintegrations:\n"
        );
        for name in integrations {
            let params = if *name == "payment-receipts" {
                format!(
                    ", params: {{ site: UK01, entry_type: GCPAY, clearing_account: '{CLEARING}', revenue_account: '40100' }}"
                )
            } else {
                String::new()
            };
            site.push_str("  - { use: sage-x3-gocardless/");
            site.push_str(name);
            site.push_str(&params);
            site.push_str(" }\n");
        }
        let client = if way == CLOUD {
            "cloud-secret"
        } else {
            "connected-secret"
        };
        let (collector, x3) = (self.collector.clone(), self.x3.clone());
        let mut script = Script::new(BEGIN, &site)
            .system("http://collector", &self.collector)
            .notifies(&self.collector)
            .system(ERP, &self.x3)
            .secret("token", "token-value")
            .secret("hook", HOOK)
            .secret("password", "secret")
            .secret("client", client)
            .secret("refresh", &self.refresh)
            .check("the clearing account to the cent", move || {
                differences(&lock(&collector), &lock(&x3))
            });
        for ((customer, _), (number, ..)) in self.ids.iter().zip(PEOPLE) {
            script = script.entry("customers", customer, json!({ "x3": number }));
        }
        script.start().await
    }

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

    fn announce(&self, story: &Story) {
        let sending = Sending {
            batch: 3,
            shuffled: true,
            twice_per_mille: 333,
        };
        lock(&self.collector).make_webhooks(&sending, story.now());
    }
}

/// What the collector has kept against what stands on the clearing account, by currency; and no source document twice.
fn differences(collector: &gocardless::Simulator, x3: &sage_x3::Simulator) -> Vec<String> {
    let mut sums: BTreeMap<String, Decimal> = BTreeMap::new();
    for one in collector.collected() {
        let payment = collector.resource(Kind::Payments, &one.payment).unwrap();
        let refunded = payment["amount_refunded"].as_i64().unwrap_or(0);
        *sums.entry(one.currency.clone()).or_default() += one.amount() - Decimal::new(refunded, 2);
    }
    let mut seen = BTreeMap::new();
    for entry in x3.entries() {
        *sums.entry(entry.currency.clone()).or_default() -= entry.on_account(CLEARING);
        *seen.entry(entry.source_document.clone()).or_insert(0) += 1;
    }
    let mut found: Vec<String> = sums
        .iter()
        .filter(|(_, left)| !left.is_zero())
        .map(|(currency, left)| format!("{left} {currency} too little"))
        .collect();
    let twice = seen.iter().filter(|(_, times)| **times > 1);
    found.extend(twice.map(|(document, times)| format!("{document} stands there {times} times")));
    let unequal = x3
        .sums()
        .into_iter()
        .filter(|(_, (debit, credit))| debit != credit);
    found.extend(unequal.map(|(currency, _)| format!("{currency}: debits are not credits")));
    found
}

/// Collected, partly refunded, charged back and failed late, by one way of writing.
async fn everything(way: &str) {
    let cast = Cast::new();
    let story = cast.start(way, &ALL).await;
    let payments = cast.collect(&story, 2);
    let later = story.now() + SignedDuration::from_millis(5);
    {
        let mut collector = lock(&cast.collector);
        let refund = collector.refund(&payments[0], 301, later).unwrap();
        collector.pay_refund(&refund, later).unwrap();
        collector
            .charge_back(&payments[1], "authorisation_disputed", later)
            .unwrap();
        collector
            .fail(&payments[2], "refer_to_payer", later)
            .unwrap();
    }
    cast.announce(&story);
    // Four receipts, a refund, two reversals, two tracked states.
    story.settle(9).await;
    let count = lock(&cast.x3).entries().count();
    assert_eq!(count, 4 + 1 + 2, "{way}: {:?}", story.holds().await);
    let state = story
        .looked_up("payment_states", &payments[1])
        .await
        .unwrap();
    assert_eq!(state["status"], "charged_back");
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_posted_once_by_soap() {
    everything(SOAP).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_posted_once_by_api1() {
    everything(API1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_posted_once_by_graphql_with_signed_tokens() {
    everything(SIGNED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_posted_once_by_graphql_through_the_cloud() {
    everything(CLOUD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answers_are_looked_up_and_an_outage_costs_only_time() {
    let cast = Cast::new();
    let story = cast.start(SOAP, &["payment-receipts"]).await;
    story.strike(ERP, "YWSGAS", Trouble::CutAfter, 1);
    story.strike(ERP, "YWSGAS", Trouble::CutBefore, 1);
    lock(&cast.x3).faults.plan(On::Writes, Fault::Locked);
    lock(&cast.x3)
        .faults
        .plan(On::Writes, Fault::RefusedButWritten);
    cast.collect(&story, 2);
    cast.announce(&story);
    story.settle(4).await;
    story.down(ERP);
    cast.collect(&story, 1);
    cast.announce(&story);
    story.pass(SignedDuration::from_hours(8)).await;
    let integration = "sage-x3-gocardless/payment-receipts";
    assert_eq!(story.count(integration, StateKind::Delivered).await, 4);
    story.up(ERP);
    story.all_delivered(6).await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_around_the_post_loses_and_doubles_nothing() {
    for (way, marker) in [(SOAP, "YWSGAS"), (CLOUD, "mutation")] {
        for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
            let cast = Cast::new();
            let mut story = cast.start(way, &["payment-receipts"]).await;
            cast.collect(&story, 1);
            cast.announce(&story);
            story.crash_during(ERP, marker, moment).await;
            story.all_delivered(2).await;
            story.end().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_ends_in_the_middle_is_renewed_and_its_successor_kept() {
    let cast = Cast::new();
    let mut story = cast.start(CLOUD, &["payment-receipts"]).await;
    cast.collect(&story, 1);
    cast.announce(&story);
    story.settle(2).await;
    // Access tokens live for five minutes, and each refresh token once.
    story.pass(SignedDuration::from_mins(20)).await;
    cast.collect(&story, 1);
    cast.announce(&story);
    story.settle(4).await;
    story.crash().await;
    cast.collect(&story, 1);
    cast.announce(&story);
    story.all_delivered(6).await;
    story.end().await;
}
