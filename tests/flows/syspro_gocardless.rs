//! SYSPRO and GoCardless: both systems with everybody in them, and what must hold in their books.

mod payouts;
mod receipts;
mod reconciliation;
mod registers;
mod reversals;

use super::collector::{self, BEGIN, kept};
use super::{Script, Story};
use jiff::Timestamp;
use ml_connector_simulators::books::{self, Posted};
use ml_connector_simulators::demo::syspro_gocardless::form_fields;
use ml_connector_simulators::gocardless::{self, Kind};
use ml_connector_simulators::serve::lock;
use ml_connector_simulators::syspro::{self, Operator, Period, Switches};
use serde_json::json;
use std::sync::{Arc, Mutex};

const ERP: &str = "http://erp";

/// The connections to the ERP; the integrations of a story follow.
const CONNECTIONS: &str = r#"
  syspro:
    connector: syspro
    settings: { base_url: "http://erp/SYSPROWCFService/Rest", operator: GC, company_id: EDU1 }
    secrets: { operator_password: operator, company_password: company }
  odata:
    connector: syspro-odata
    settings: { base_url: "http://erp/SYSPRO8Odata/SYSPROOData", company_id: EDU1 }
    secrets: { username: reader, password: odata }
integrations:
"#;

const RECEIPTS: &str = "  - { use: syspro-gocardless/payment-receipts, params: { bank: GC } }\n";
const FAILURES: &str =
    "  - { use: syspro-gocardless/failures, params: { bank: GC, ignore_warnings: Y } }\n";
const REFUNDS: &str =
    "  - { use: syspro-gocardless/refunds, params: { bank: GC, ignore_warnings: Y } }\n";
const RETURNED: &str = "  - { use: syspro-gocardless/refunds-returned }\n";
const REGISTERS: &str = "  - { use: syspro-gocardless/mandates }\n  \
    - { use: syspro-gocardless/subscriptions }\n  \
    - { use: syspro-gocardless/failure-records }\n";
const PAYOUTS: &str = "  - use: syspro-gocardless/payouts\n    params:\n      \
    clearing_banks: { GBP: GC, EUR: GC, SEK: GC }\n      banks: { GBP: NB, EUR: NB, SEK: NB }\n      \
    transfer_code: 10-1190\n      fee_code: 10-6910\n      tax_code: 00-2310\n";

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
        let mut collector = collector::simulator();
        let (year, number) = (2026, 3);
        let mut erp = syspro::Simulator::new(Switches::default(), 7, Period { year, number });
        let operator = Operator {
            password: "op".to_owned(),
            bank: "GC".to_owned(),
        };
        erp.set_operator("GC", operator);
        erp.set_odata_user("reader", "odata-value");
        let company = erp.company_mut("EDU1").unwrap();
        company.form_fields = form_fields();
        let mut ids = Vec::new();
        for (code, name, currency) in PEOPLE {
            ids.push(collector::payer(&mut collector, name, currency));
            let company = erp.company_mut("EDU1").unwrap();
            company.add_customer(code, name, currency);
        }
        Self {
            collector: collector::telling(collector),
            erp: Arc::new(Mutex::new(erp)),
            ids,
        }
    }

    /// A story with these integrations, whose receipts must agree to the cent.
    fn script(&self, integrations: &[&str]) -> Script {
        self.with_books(self.script_without_books(integrations))
    }

    /// The same with the check of the receipts.
    fn with_books(&self, script: Script) -> Script {
        let (collector, erp) = (self.collector.clone(), self.erp.clone());
        script.check("receipts to the cent", move || {
            let report = books::compare(&kept(&lock(&collector)), &posted(&lock(&erp)));
            let differences = report.differences.iter();
            differences.map(ToString::to_string).collect()
        })
    }

    /// A story of integrations that post no receipts.
    fn script_without_books(&self, integrations: &[&str]) -> Script {
        self.script_of(&(CONNECTIONS.to_owned() + &integrations.concat()))
    }

    /// A story of a whole site file.
    fn script_of(&self, site: &str) -> Script {
        let mut script = collector::script(site, &self.collector)
            .system(ERP, &self.erp)
            .secret("operator", "op")
            .secret("company", "")
            .secret("reader", "reader")
            .secret("odata", "odata-value");
        for ((customer, _), (code, _, currency)) in self.ids.iter().zip(PEOPLE) {
            let values = json!({ "syspro": code, "currency": currency });
            script = script.entry("customers", customer, values);
        }
        script
    }

    /// Collects so many payments of everybody and confirms them; gives their ids.
    fn collect(&self, story: &Story, each: i64) -> Vec<String> {
        collector::collect(&self.collector, &self.ids, each, story.now())
    }

    /// Sends what has happened: in no order, in small requests, a third of it twice.
    fn announce(&self, story: &Story) {
        collector::announce(&self.collector, story);
    }

    /// How many events of these kinds there have been since the story began.
    fn events(&self, wanted: &[(&str, &str)]) -> usize {
        let collector = lock(&self.collector);
        let begin: Timestamp = BEGIN.parse().unwrap();
        let ids = collector.ids(Kind::Events);
        let events = ids
            .iter()
            .filter_map(|id| collector.resource(Kind::Events, id));
        events
            .filter(|event| {
                let at: Timestamp = event["created_at"].as_str().unwrap().parse().unwrap();
                let is = |(kind, action): &(&str, &str)| {
                    event["resource_type"] == *kind
                        && (*action == "*" || event["action"] == *action)
                };
                at >= begin && wanted.iter().any(is)
            })
            .count()
    }

    /// A customer's value in a custom form field.
    fn registered(&self, code: &str, column: &str) -> Option<String> {
        let erp = lock(&self.erp);
        let company = erp.company("EDU1").unwrap();
        company.form_value("CUS", code, column).map(str::to_owned)
    }
}

fn posted(erp: &syspro::Simulator) -> Vec<Posted> {
    erp.receipts().iter().map(Posted::from).collect()
}
