//! What was really paid, for a checker that does not ask the engine.

use super::Simulator;
use super::records::{Check, Effect, Records};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// The money of some checks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// Earnings that are paid out.
    pub earnings: Decimal,
    /// Imputed income: counts for tax, is not paid out.
    pub in_out: Decimal,
    /// Deductions.
    pub deductions: Decimal,
    /// Taxes withheld from workers.
    pub withheld: Decimal,
    /// Taxes that the employer owes.
    pub employer_taxes: Decimal,
    /// Employer's contributions.
    pub employer_benefits: Decimal,
}

impl Sums {
    /// What the workers get: earnings less deductions less what was withheld (PX 4.12).
    pub fn net(&self) -> Decimal {
        self.earnings - self.deductions - self.withheld
    }

    /// What the employer's labor costs: earnings, taxes and contributions of the employer.
    pub fn cost(&self) -> Decimal {
        self.earnings + self.employer_taxes + self.employer_benefits
    }

    pub(super) fn add(&mut self, check: &Check, records: &Records) {
        let effect = |component: &str| records.component(component).map(|own| own.effect);
        for line in &check.earnings {
            if effect(&line.component) == Some(Effect::AdditionWithInOut) {
                self.in_out += line.amount;
            } else {
                self.earnings += line.amount;
            }
        }
        self.deductions += check
            .deductions
            .iter()
            .map(|line| line.amount)
            .sum::<Decimal>();
        for line in &check.informational {
            if effect(&line.component) == Some(Effect::EmployerInformational) {
                self.employer_benefits += line.amount;
            }
        }
        for tax in &check.taxes {
            if tax.employer {
                self.employer_taxes += tax.amount;
            } else {
                self.withheld += tax.amount;
            }
        }
    }
}

impl Simulator {
    /// Every check of a period, in the order in which they were entered.
    pub fn checks(&self, period: &str) -> Vec<&Check> {
        let checks = self.records.checks.iter();
        checks.filter(|own| own.period == period).collect()
    }

    /// A check by the id that it has when it is processed.
    pub fn check(&self, id: &str) -> Option<&Check> {
        self.records.checks.iter().find(|own| own.id == id)
    }

    /// The sums of one check.
    pub fn check_sums(&self, id: &str) -> Sums {
        let mut sums = Sums::default();
        if let Some(check) = self.check(id) {
            sums.add(check, &self.records);
        }
        sums
    }

    /// The sums of a period.
    pub fn sums(&self, period: &str) -> Sums {
        let mut sums = Sums::default();
        for check in self.records.checks_of(period) {
            sums.add(check, &self.records);
        }
        sums
    }

    /// Earnings of a period that are paid out, by the organization named in their line; `None` where it names none.
    pub fn earnings_by_organization(&self, period: &str) -> BTreeMap<Option<String>, Decimal> {
        let mut out = BTreeMap::new();
        for line in self
            .records
            .checks_of(period)
            .flat_map(|check| &check.earnings)
        {
            let effect = self
                .records
                .component(&line.component)
                .map(|own| own.effect);
            if effect != Some(Effect::AdditionWithInOut) {
                *out.entry(line.organization.clone())
                    .or_insert(Decimal::ZERO) += line.amount;
            }
        }
        out
    }
}
