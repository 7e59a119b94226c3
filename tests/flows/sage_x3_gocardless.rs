//! Sage X3 and GoCardless: both systems with everybody in them, every way to write, and what must hold on the clearing account.

mod payouts;
mod posting;
mod reconciliation;
mod tokens;
mod troubles;

use super::collector::{self, BEGIN, kept};
use super::{Script, Story};
use jiff::{SignedDuration, Timestamp};
use ml_connector_simulators::gocardless::{self, Kind};
use ml_connector_simulators::sage_x3::{self, Switches};
use ml_connector_simulators::serve::lock;
use rust_decimal::Decimal;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const ERP: &str = "http://x3";
const CLEARING: &str = "41100";

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
        let mut collector = collector::simulator();
        let site = sage_x3::Settings {
            entry_class: Some(("YGASGC".to_owned(), "YGASGC".to_owned())),
            ..sage_x3::Settings::default()
        };
        let switches = Switches {
            api1_entries: true,
            ..switches.clone()
        };
        let mut x3 = sage_x3::Simulator::new(site, switches, 7);
        let now: Timestamp = BEGIN.parse().unwrap();
        let (_, refresh) = x3.pair("cloud-app", now);
        let mut ids = Vec::new();
        for (number, name, currency) in PEOPLE {
            ids.push(collector::payer(&mut collector, name, currency));
            let folder = x3.folder_mut("UKLIVE").unwrap();
            folder.add_customer(number, name, currency, now);
        }
        Self {
            collector: collector::telling(collector),
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
            "  sage_x3:\n    connector: sage-x3\n    \
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
        let mut script = collector::script(&site, &self.collector)
            .system(ERP, &self.x3)
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
        collector::collect(&self.collector, &self.ids, each, story.now())
    }

    fn announce(&self, story: &Story) {
        collector::announce(&self.collector, story);
    }
}

/// What the collector has kept against what stands on the clearing account, by currency; and no source document twice.
fn differences(collector: &gocardless::Simulator, x3: &sage_x3::Simulator) -> Vec<String> {
    let mut sums: BTreeMap<String, Decimal> = BTreeMap::new();
    for one in kept(collector) {
        *sums.entry(one.currency).or_default() += one.amount;
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
