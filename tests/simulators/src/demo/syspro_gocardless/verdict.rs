//! What the books of both sides say: receipts less what was taken back or given back, the cash book of each payout, and what is
//! registered at the customers.

use super::Show;
use crate::books::{Difference, Posted, Report, compare};
use crate::gocardless::{Kind, Simulator};
use crate::serve::lock;
use crate::syspro::Company;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Banks in which receipts wait, and in which payouts arrive.
pub(super) const BANKS: (&str, &str) = ("GC", "NB");

/// Compares both sides.
pub(super) fn books(show: &Show) -> Report {
    let collector = lock(&show.collector.simulator);
    let erp = lock(&show.erp);
    let mut expected = show.fates.expected(&show.people, &collector);
    for one in &mut expected {
        one.amount -= collector.refunded(&one.payment);
    }
    // What was given back in full stands in the books as nothing.
    expected.retain(|one| !one.amount.is_zero());
    let posted: Vec<Posted> = erp.receipts().iter().map(Posted::from).collect();
    let mut report = compare(&expected, &posted);
    let Some(company) = erp.company(super::COMPANY) else {
        return report;
    };
    report.differences.extend(cash_book(&collector, company));
    if let Some(registers) = &show.registers {
        let differences = registers.differences(&show.people, &collector, company);
        report.differences.extend(differences);
    }
    report
}

fn money(minor: &serde_json::Value) -> Decimal {
    Decimal::new(minor.as_i64().unwrap_or_default(), 2)
}

/// Every payout stands in the cash book once: out of one bank, into the other, and its fees; and nothing else does.
fn cash_book(collector: &Simulator, company: &Company) -> Vec<Difference> {
    let mut entries: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for entry in company.cash_book() {
        entries.entry(&entry.reference).or_default().push(entry);
    }
    let mut differences = Vec::new();
    for id in collector.ids(Kind::Payouts) {
        let Some(payout) = collector.resource(Kind::Payouts, &id) else {
            continue;
        };
        let (net, fees) = (money(&payout["amount"]), money(&payout["deducted_fees"]));
        let fee_kind = if fees.is_sign_negative() { 'D' } else { 'W' };
        for (mark, bank, kind, amount) in [
            ('W', BANKS.0, 'W', net),
            ('D', BANKS.1, 'D', net),
            ('F', BANKS.0, fee_kind, fees.abs()),
        ] {
            let payment = format!("{id}-{mark}");
            let found = entries.remove(payment.as_str()).unwrap_or_default();
            differences.extend(match found.as_slice() {
                [] if amount.is_zero() => None,
                [] => Some(Difference::Lost { payment, amount }),
                [one] if one.bank == bank && one.kind == kind && one.value == amount => None,
                [one] => Some(Difference::WrongAmount {
                    payment,
                    expected: format!("{kind} {amount} {bank}"),
                    posted: format!("{} {} {}", one.kind, one.value, one.bank),
                }),
                several => Some(Difference::Doubled {
                    payment,
                    times: several.len(),
                    posted: several.iter().map(|one| one.value).sum(),
                }),
            });
        }
    }
    let left = entries.into_values().flatten();
    differences.extend(left.map(|entry| Difference::Unexpected {
        reference: entry.reference.clone(),
        amount: entry.value,
    }));
    differences
}
