//! What the books of both sides say: net pay and labor cost of each period, and wages by cost centre, to the cent.

use super::payroll::Payroll;
use crate::books::{Difference, Expected, Posted, Report, compare};
use crate::paychex;
use crate::syspro::{self, GlJournal};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Natural accounts of costs: wages, the employer's taxes, the employer's contributions.
pub(super) const ACCOUNTS: [&str; 3] = ["6110", "6120", "6130"];
/// Ledger codes of liabilities, net pay first.
pub(super) const LIABILITIES: [&str; 5] = ["00-2310", "00-2320", "00-2330", "00-2340", "00-2350"];

pub(super) const COMPANY: &str = "EDU1";

/// Journals and masters that stand in the ERP. Where employees come from two sides, only what comes from one counts.
pub(super) fn documents(erp: &syspro::Simulator, every_flow: bool) -> usize {
    let Some(company) = erp.company(COMPANY) else {
        return 0;
    };
    company.gl_journals().len()
        + company.master_count("SetupBomCostCentre")
        + if every_flow {
            0
        } else {
            company.master_count("SetupBomEmployee")
        }
}

/// Compares both sides.
pub(super) fn books(
    payroll: &Payroll,
    source: &paychex::Simulator,
    erp: &syspro::Simulator,
) -> Report {
    let journals = erp
        .company(COMPANY)
        .map_or(&[][..], |own| own.gl_journals());
    let posted_periods = payroll.paid.iter().filter(|own| !own.held);
    let expected: Vec<Expected> = posted_periods
        .clone()
        .map(|own| Expected {
            payment: own.period.clone(),
            customer: None,
            currency: "USD".to_owned(),
            amount: source.sums(&own.period).net(),
        })
        .collect();
    let posted: Vec<Posted> = journals
        .iter()
        .map(|journal| Posted {
            reference: period_of(journal).to_owned(),
            customer: String::new(),
            currency: "USD".to_owned(),
            amount: -sum(journal, |code| code == LIABILITIES[0]),
        })
        .collect();
    let mut report = compare(&expected, &posted);
    for own in posted_periods {
        let found = journals.iter().filter(|one| period_of(one) == own.period);
        let found: Vec<&GlJournal> = found.collect();
        let differs = differs(payroll, source, &own.period, &found);
        report.differences.extend(differs);
    }
    for journal in journals {
        let rest = sum(journal, |_| true);
        if !rest.is_zero() || journal.status != "P" {
            report.differences.push(Difference::WrongAmount {
                payment: period_of(journal).to_owned(),
                expected: "a journal that is posted and balanced".to_owned(),
                posted: format!("{rest} left over, status `{}`", journal.status),
            });
        }
    }
    report
}

/// Labor cost of a period, and wages by cost centre.
fn differs(
    payroll: &Payroll,
    source: &paychex::Simulator,
    period: &str,
    journals: &[&GlJournal],
) -> Vec<Difference> {
    let all = |wanted: &dyn Fn(&str) -> bool| -> Decimal {
        journals.iter().map(|journal| sum(journal, wanted)).sum()
    };
    let mut wanted = BTreeMap::from([("cost".to_owned(), source.sums(period).cost())]);
    let mut found = BTreeMap::from([(
        "cost".to_owned(),
        all(&|code| ACCOUNTS.iter().any(|account| code.ends_with(account))),
    )]);
    let earned = source.earnings_by_organization(period);
    for (number, organization) in (1..).zip(&payroll.organizations) {
        let code = format!("{number}0-{}", ACCOUNTS[0]);
        let wages = earned.get(&Some(organization.clone())).copied();
        found.insert(code.clone(), all(&|own| own == code));
        wanted.insert(code, wages.unwrap_or_default());
    }
    let differ = wanted.into_iter().filter_map(|(what, wanted)| {
        let found = found.get(&what).copied().unwrap_or_default();
        (found != wanted).then(|| Difference::WrongAmount {
            payment: period.to_owned(),
            expected: format!("{what} {wanted}"),
            posted: format!("{what} {found}"),
        })
    });
    differ.collect()
}

fn sum(journal: &GlJournal, wanted: impl Fn(&str) -> bool) -> Decimal {
    let lines = journal.lines.iter().filter(|line| wanted(&line.code));
    lines.map(|line| line.amount).sum()
}

/// Journals are referred to as `PX-<pay period>-<number>`.
fn period_of(journal: &GlJournal) -> &str {
    journal.reference.split('-').nth(1).unwrap_or_default()
}
