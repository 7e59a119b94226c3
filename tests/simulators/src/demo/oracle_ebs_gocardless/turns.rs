//! With every flow: somebody without a mandate is asked for one and grants it, and money that was paid out goes back.

use super::{ORG, Person};
use crate::books::payment_of;
use crate::gocardless::{Kind, Party, Simulator};
use crate::oracle_ebs;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Account, number and name of the one who has no mandate.
pub(super) const NEWCOMER: (u64, &str, &str) = (1294, "C-2048", "Caf\u{e9} Newcomer & <Co>");

/// Each kind of turn comes once among so many payments.
const ROUND: usize = 8;

/// What has happened so far.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Payments of which it is decided what becomes of them.
    decided: BTreeSet<String>,
    /// Payments of which a part was refunded: minor units that are left.
    pub(super) in_part: BTreeMap<String, i64>,
    /// The newcomer, once the mandate is granted.
    pub(super) granted: Option<Person>,
    /// Invoices of the newcomer.
    pub(super) waiting: usize,
}

impl Turns {
    /// Sets the newcomer up in the ERP alone.
    pub(super) fn new(erp: &mut oracle_ebs::Simulator, now: Timestamp) -> Self {
        let (account, number, name) = NEWCOMER;
        let long_ago = now - SignedDuration::from_hours(60 * 24);
        erp.add_customer(ORG, account, number, name, long_ago);
        Self::default()
    }

    /// The payer fills in the form of whatever request there is.
    pub(super) fn grant(&mut self, collector: &mut Simulator, now: Timestamp) {
        if self.granted.is_some() {
            return;
        }
        let (account, number, name) = NEWCOMER;
        let Some(flow) = collector.ids(Kind::BillingRequestFlows).pop() else {
            return;
        };
        let party = Party::new(name, "GBP");
        if collector.complete_flow(&flow, &party, now).is_none() {
            return;
        }
        let request = collector.ids(Kind::BillingRequests).pop();
        let request = request.and_then(|id| collector.resource(Kind::BillingRequests, &id));
        let link = |name: &str| {
            let links = request.as_ref()?.get("links")?;
            links.get(name)?.as_str().map(str::to_owned)
        };
        let both = link("customer").zip(link("mandate_request_mandate"));
        self.granted = both.map(|(customer, mandate)| Person {
            account,
            number,
            customer,
            mandate,
        });
    }

    /// What becomes of payments that have been paid out: of most, nothing.
    pub(super) fn take(&mut self, collector: &mut Simulator, now: Timestamp) {
        for id in collector.ids(Kind::Payments) {
            if status(collector, &id) != "paid_out" || self.decided.contains(&id) {
                continue;
            }
            let amount = minor(collector, &id, "amount");
            match self.decided.len() % ROUND {
                0 => {
                    self.refund(collector, &id, amount / 3, now);
                    self.in_part.insert(id.clone(), amount - amount / 3);
                }
                1 => drop(collector.fail(&id, "refer_to_payer", now)),
                2 => self.refund(collector, &id, amount, now),
                3 => drop(collector.charge_back(&id, "refund_requested", now)),
                _ => {}
            }
            self.decided.insert(id);
        }
    }

    fn refund(&self, collector: &mut Simulator, payment: &str, amount: i64, now: Timestamp) {
        if let Ok(refund) = collector.refund(payment, amount, now) {
            collector.pay_refund(&refund, now).ok();
        }
    }

    /// Payments whose receipt was reversed and has no successor: whether it was ours to make, only a person can tell where the
    /// answer of the reversal was lost.
    pub(super) fn undecided(&self, erp: &oracle_ebs::Simulator) -> BTreeSet<String> {
        let payments = self.in_part.keys();
        let undecided = payments.filter(|payment| {
            let own = |one: &&oracle_ebs::Receipt| payment_of(&one.number) == payment.as_str();
            let own: Vec<_> = erp.receipts().filter(own).collect();
            !own.is_empty() && own.iter().all(|one| one.reversal.is_some())
        });
        undecided.cloned().collect()
    }
}

/// A payment's status.
pub(super) fn status(collector: &Simulator, payment: &str) -> String {
    let found = collector.resource(Kind::Payments, payment);
    let status = found.as_ref().and_then(|own| own.get("status")?.as_str());
    status.unwrap_or_default().to_owned()
}

fn minor(collector: &Simulator, payment: &str, name: &str) -> i64 {
    let found = collector.resource(Kind::Payments, payment);
    let amount = found.as_ref().and_then(|own| own.get(name)?.as_i64());
    amount.unwrap_or_default()
}

/// Whether a payment is the newcomer's, by what the engine wrote into it.
pub(super) fn is_newcomers(collector: &Simulator, payment: &str) -> bool {
    let found = collector.resource(Kind::Payments, payment);
    let customer = found
        .as_ref()
        .and_then(|own| own.get("metadata")?.get("ebs_customer"));
    customer.and_then(Value::as_str) == Some(NEWCOMER.0.to_string().as_str())
}
