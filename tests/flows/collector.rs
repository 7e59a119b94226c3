//! GoCardless in a story. Every pairing whose source it is shares this.

use super::{Script, Story};
use jiff::{SignedDuration, Timestamp};
use ml_connector_simulators::books::Expected;
use ml_connector_simulators::gocardless::{
    Access, Endpoint, Kind, Party, Sending, Settings, Simulator,
};
use ml_connector_simulators::serve::lock;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// When every story begins.
pub(crate) const BEGIN: &str = "2026-03-16T08:00:00Z";
pub(crate) const COLLECTOR: &str = "http://collector";
pub(crate) const HOOK: &str = "hook-value";

/// How every site file begins: up to the end of this connection.
const SITE: &str = r#"
version: 1
site: story
connections:
  gocardless:
    connector: gocardless
    settings: { environment: sandbox, base_url: "http://collector" }
    secrets: { access_token: token, webhook_secret: hook }
    rate_limit: { requests: 1000000, per: 1s }
"#;

/// A merchant who may ask as often as he likes, with nobody who pays yet.
pub(crate) fn simulator() -> Simulator {
    let settings = Settings {
        tokens: BTreeMap::from([("token-value".to_owned(), Access::ReadWrite)]),
        calls_per_minute: 1_000_000,
        ..Settings::default()
    };
    Simulator::new(settings, 7, BEGIN.parse().unwrap())
}

/// Somebody who has long had a mandate: ids of customer and mandate.
pub(crate) fn payer(collector: &mut Simulator, name: &str, currency: &str) -> (String, String) {
    let begin: Timestamp = BEGIN.parse().unwrap();
    let long_ago = begin - SignedDuration::from_hours(24 * 60);
    let party = Party::new(name, currency);
    collector.add_payer(&party, long_ago).unwrap()
}

/// The same, which from now on tells the engine what happens.
pub(crate) fn telling(mut collector: Simulator) -> Arc<Mutex<Simulator>> {
    collector.forget_unsent();
    collector.add_endpoint(Endpoint {
        url: "http://engine/webhooks/gocardless".to_owned(),
        secret: HOOK.to_owned(),
    });
    Arc::new(Mutex::new(collector))
}

/// A story with the collector in it. Its site file has more of this connection, further ones, and integrations.
pub(crate) fn script(site: &str, collector: &Arc<Mutex<Simulator>>) -> Script {
    Script::new(BEGIN, &format!("{SITE}{site}"))
        .system(COLLECTOR, collector)
        .notifies(collector)
        .secret("token", "token-value")
        .secret("hook", HOOK)
}

/// Collects so many payments under each mandate and confirms them; gives their ids.
pub(crate) fn collect(
    collector: &Mutex<Simulator>,
    payers: &[(String, String)],
    each: i64,
    now: Timestamp,
) -> Vec<String> {
    let mut collector = lock(collector);
    let asked = now - SignedDuration::from_hours(24 * 7);
    let mut payments = Vec::new();
    for number in 0..each {
        for (_, mandate) in payers {
            let payment = collector.collect_payment(mandate, 1001 + number * 37, &[], asked);
            let payment = payment.unwrap();
            collector.confirm(&payment, now).unwrap();
            payments.push(payment);
        }
    }
    payments
}

/// Sends what has happened: in no order, in small requests, a third of it twice.
pub(crate) fn announce(collector: &Mutex<Simulator>, story: &Story) {
    let sending = Sending {
        batch: 5,
        shuffled: true,
        twice_per_mille: 333,
    };
    lock(collector).make_webhooks(&sending, story.now());
}

/// What was given back of a payment, in major units.
pub(crate) fn refunded(collector: &Simulator, payment: &str) -> Decimal {
    let payment = collector.resource(Kind::Payments, payment).unwrap();
    Decimal::new(payment["amount_refunded"].as_i64().unwrap_or(0), 2)
}

/// What has been kept of each payment: collected, not lost again, less what was given back.
pub(crate) fn kept(collector: &Simulator) -> Vec<Expected> {
    let mut expected: Vec<Expected> = collector.collected().iter().map(Expected::from).collect();
    for one in &mut expected {
        one.amount -= refunded(collector, &one.payment);
    }
    // What was given back in full stands in the books as nothing.
    expected.retain(|one| !one.amount.is_zero());
    expected
}
