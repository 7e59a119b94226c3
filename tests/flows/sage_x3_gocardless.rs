//! Sage X3 and GoCardless: both systems with everybody in them, every way to write, and what must hold on the clearing account.

mod payouts;
mod posting;
mod reconciliation;
mod tokens;
mod troubles;

use super::{Script, Story};
use jiff::{SignedDuration, Timestamp};
use ml_connector_simulators::gocardless::{self, Access, Endpoint, Kind, Party, Sending};
use ml_connector_simulators::sage_x3::{self, Switches};
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
const API1: &str = "login: engine, write_path: api1, lookup: api1, \
    api1_class: YGASGC, api1_representation: YGASGC";
const SIGNED: &str = "auth: signed_jwt, client_id: connected-app, jwt_user: engine, \
    jwt_audience: 'http://x3.example.test:8124/xtrem/api', write_path: graphql, lookup: graphql";
const CLOUD: &str = "auth: cloud_oauth2, client_id: cloud-app, token_url: 'http://x3/v1/token', \
    graphql_path: v1/graphql, write_path: graphql, lookup: graphql";

/// Each of them with a text that stands in its calls that write, and in no other.
const WAYS: [(&str, &str); 4] = [
    (SOAP, "YWSGAS"),
    (API1, "create"),
    (SIGNED, "mutation"),
    (CLOUD, "mutation"),
];

const RECEIPTS: &str = "payment-receipts";
const REFUNDS: &str = "refunds";
const REVERSALS: &str = "reversals";
const STATES: &str = "payment-states";
const POSTING: [&str; 3] = [RECEIPTS, REFUNDS, REVERSALS];

struct Cast {
    collector: Arc<Mutex<gocardless::Simulator>>,
    x3: Arc<Mutex<sage_x3::Simulator>>,
    /// Customer and mandate of each of [`PEOPLE`].
    ids: Vec<(String, String)>,
    refresh: String,
}

impl Cast {
    fn new() -> Self {
        Self::with(&Switches::default())
    }

    /// A site that has rebuilt the entry as a class, whatever else is special about it.
    fn with(switches: &Switches) -> Self {
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
            ..switches.clone()
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
        self.script(way, integrations).start().await
    }

    fn script(&self, way: &str, integrations: &[&str]) -> Script {
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
        script
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

/// An integration's name in records.
fn named(flow: &str) -> String {
    format!("sage-x3-gocardless/{flow}")
}
