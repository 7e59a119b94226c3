//! What stands at a customer in SYSPRO: the mandate, the subscription, the last failure; and customers whom somebody links there.
//!
//! Mandates from before are listed. New customers sign a mandate and pay; nobody types them in, the link in the ERP's custom form
//! is enough.

use super::super::cast::{Member, Payer, member, sign};
use super::super::collector::ask;
use super::super::pairing::Part;
use super::form_fields;
use crate::books::Difference;
use crate::gocardless::{Kind, Simulator};
use crate::syspro::{self, Company};
use jiff::Timestamp;
use ml_connector_core::http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Those who come later.
const NEWCOMERS: [Member; 4] = [
    member("0000501", "Fjällräven & Dotter <Umeå> AB", "SEK"),
    member("0000502", "Æbler og Pærer ApS", "DKK"),
    member("0000503", "Zweite Bäckerei \"Süß\"", "EUR"),
    member("0000504", "D'Arcy & Daughters", "GBP"),
];

/// Of the cast, by place: who has a subscription.
const SUBSCRIBED: [usize; 4] = [5, 6, 7, 8];

/// What was changed so far.
#[derive(Debug, Default)]
pub(super) struct Registers {
    /// Living mandates that a list must have shown at some time.
    pub(super) listed: usize,
    /// Customers whom somebody linked.
    pub(super) linked: usize,
    /// The subscription of those who have one, by account.
    subscriptions: Vec<(&'static str, String)>,
}

impl Registers {
    /// Before anything happens: everybody's mandate is there.
    pub(super) fn new(people: &[Payer], company: &mut Company) -> Self {
        company.form_fields = form_fields();
        Self {
            listed: people.len(),
            ..Self::default()
        }
    }

    /// Lets one part happen.
    pub(super) fn happen(
        &mut self,
        part: Part,
        people: &mut Vec<Payer>,
        (collector, erp): (&mut Simulator, &mut syspro::Simulator),
        now: Timestamp,
    ) {
        let Some(company) = erp.company_mut(super::COMPANY) else {
            return;
        };
        if part.number % 4 == 1
            && let Some(member) = NEWCOMERS.get(self.linked).copied()
            && let Some(payer) = sign(member, collector, now)
        {
            company.add_customer(member.code, member.name, member.currency);
            company.set_form_value("CUS", member.code, "GcCustomer", &payer.customer);
            people.push(payer);
            self.listed += 1;
            self.linked += 1;
        }
        self.subscribe(part, people, collector, now);
    }

    /// A subscription is made, then changed again and again, and one of them is cancelled.
    fn subscribe(
        &mut self,
        part: Part,
        people: &[Payer],
        collector: &mut Simulator,
        now: Timestamp,
    ) {
        let place = part.number % SUBSCRIBED.len();
        let payer = SUBSCRIBED.get(place).and_then(|at| people.get(*at));
        let Some(Payer {
            member, mandate, ..
        }) = payer
        else {
            return;
        };
        let mut known = self.subscriptions.iter();
        let known = known.find(|(code, _)| *code == member.code);
        if let Some((_, id)) = known {
            let path = format!("/subscriptions/{id}");
            if place == 0 {
                let path = format!("{path}/actions/cancel");
                let nothing = json!({ "data": {} });
                // Refused where that has been done.
                ask(collector, (Method::Post, &path), &nothing, now);
            } else {
                let changed = json!({ "subscriptions": { "amount": 4_550 + part.number } });
                ask(collector, (Method::Put, &path), &changed, now);
            }
            return;
        }
        let made = json!({ "subscriptions": {
            "amount": 4_550, "currency": member.currency, "interval_unit": "monthly", "day_of_month": 16,
            "name": "Care & <more> é", "links": { "mandate": mandate },
        } });
        let made = ask(collector, (Method::Post, "/subscriptions"), &made, now);
        let id = made.as_ref().and_then(|made| {
            let id = made.get("subscriptions")?.get("id")?;
            id.as_str()
        });
        self.subscriptions
            .extend(id.map(|id| (member.code, id.to_owned())));
    }

    /// What does not stand in the ERP as it is at the collector.
    pub(super) fn differences(
        &self,
        people: &[Payer],
        collector: &Simulator,
        company: &Company,
    ) -> Vec<Difference> {
        let mut differences = Vec::new();
        let mut check = |code: &str, column: &str, expected: &[String]| {
            let found = company.form_value("CUS", code, column).unwrap_or_default();
            if !expected.iter().any(|expected| expected == found) {
                differences.push(Difference::Differs {
                    what: format!("{code} {column}"),
                    expected: expected.join("` or `"),
                    found: found.to_owned(),
                });
            }
        };
        let failures = failures(collector);
        let text =
            |record: &Value, name: &str| record[name].as_str().unwrap_or_default().to_owned();
        for payer in people {
            let code = payer.member.code;
            let Some(mandate) = collector.resource(Kind::Mandates, &payer.mandate) else {
                continue;
            };
            if payer.member.fate == super::Fate::Unmapped {
                check(code, "GcMandate", &[String::new()]);
                continue;
            }
            let scheme = format!(
                "{} {}",
                text(&mandate, "scheme"),
                text(&mandate, "reference")
            );
            check(code, "GcMandate", &[text(&mandate, "id")]);
            check(code, "GcMandateStatus", &[text(&mandate, "status")]);
            check(code, "GcMandateScheme", &[scheme]);
            // Of several that are written at the same time, any may be the last.
            if let Some(own) = failures.get(&payer.customer) {
                check(code, "GcFailedPayment", &own.payments);
                check(code, "GcFailureCause", &own.causes);
            }
        }
        for (code, id) in &self.subscriptions {
            let Some(own) = collector.resource(Kind::Subscriptions, id) else {
                continue;
            };
            let amount = own["amount"].as_i64().unwrap_or_default();
            let amount = rust_decimal::Decimal::new(amount, 2).to_string();
            let rhythm = format!("{} every 1 monthly ", text(&own, "currency"));
            check(code, "GcSubscription", std::slice::from_ref(id));
            check(code, "GcSubscriptionStatus", &[text(&own, "status")]);
            check(code, "GcSubscriptionAmount", &[amount]);
            check(
                code,
                "GcSubscriptionRhythm",
                &[rhythm + &text(&own, "name")],
            );
        }
        differences
    }
}

/// The payments that failed for each customer, and why.
fn failures(collector: &Simulator) -> BTreeMap<String, Failures> {
    let mut all: BTreeMap<String, Failures> = BTreeMap::new();
    for event in collector.events() {
        let failed = matches!(event.action, "failed" | "charged_back" | "cancelled");
        let Some(payment) = event.payment.filter(|_| failed) else {
            continue;
        };
        let customer = collector.payer_of(payment).unwrap_or_default();
        let own = all.entry(customer.to_owned()).or_default();
        own.payments.push(payment.to_owned());
        own.causes
            .push(format!("{}: {}", event.action, event.cause));
    }
    all
}

#[derive(Debug, Default)]
struct Failures {
    payments: Vec<String>,
    causes: Vec<String>,
}
