//! Compares what was collected with what was posted, to the penny and without asking the engine.
//!
//! Receipts are found by their reference: it begins with the payment's id; what follows a hyphen tells collections and
//! reversals of one payment apart. What counts for a payment is the sum of all its receipts in its currency.

use crate::{gocardless, syspro};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Money that was collected and must stand in the books once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Id of the payment.
    pub payment: String,
    /// Account in the ERP that it belongs to; `None`: any.
    pub customer: Option<String>,
    /// ISO code.
    pub currency: String,
    /// Major units.
    pub amount: Decimal,
}

impl From<&gocardless::Collected> for Expected {
    fn from(collected: &gocardless::Collected) -> Self {
        Self {
            payment: collected.payment.clone(),
            customer: None,
            currency: collected.currency.clone(),
            amount: collected.amount(),
        }
    }
}

/// Money that stands in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Reference as it was stored.
    pub reference: String,
    /// Account.
    pub customer: String,
    /// ISO code.
    pub currency: String,
    /// Major units; negative for a reversal.
    pub amount: Decimal,
}

impl From<&syspro::Receipt> for Posted {
    fn from(receipt: &syspro::Receipt) -> Self {
        Self {
            reference: receipt.reference.clone(),
            customer: receipt.customer.clone(),
            currency: receipt.currency.clone(),
            amount: receipt.amount,
        }
    }
}

/// One difference between the two sides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// Collected and not posted.
    Lost {
        /// The payment.
        payment: String,
        /// What is missing.
        amount: Decimal,
    },
    /// Posted more than once.
    Doubled {
        /// The payment.
        payment: String,
        /// How often.
        times: usize,
        /// All of it together.
        posted: Decimal,
    },
    /// Posted with another amount or currency.
    WrongAmount {
        /// The payment.
        payment: String,
        /// Amount and currency collected.
        expected: String,
        /// Amounts and currencies posted.
        posted: String,
    },
    /// Posted to another account.
    WrongCustomer {
        /// The payment.
        payment: String,
        /// The right account.
        expected: String,
        /// Where it went.
        posted: String,
    },
    /// Posted, although nothing was collected or nothing should be posted.
    Unexpected {
        /// Reference of the receipt.
        reference: String,
        /// Its amount.
        amount: Decimal,
    },
    /// A record of master data that does not say what it should.
    Differs {
        /// Which field of which record.
        what: String,
        /// What should stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { payment, amount } => write!(f, "{payment}: {amount} lost"),
            Self::Doubled {
                payment,
                times,
                posted,
            } => {
                write!(f, "{payment}: posted {times} times, {posted} in all")
            }
            Self::WrongAmount {
                payment,
                expected,
                posted,
            } => {
                write!(f, "{payment}: {posted} posted instead of {expected}")
            }
            Self::WrongCustomer {
                payment,
                expected,
                posted,
            } => {
                write!(f, "{payment}: posted to {posted} instead of {expected}")
            }
            Self::Unexpected { reference, amount } => {
                write!(f, "{reference}: {amount} posted unexpectedly")
            }
            Self::Differs {
                what,
                expected,
                found,
            } => write!(f, "{what}: `{found}` instead of `{expected}`"),
        }
    }
}

/// Sums of one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// ISO code.
    pub currency: String,
    /// Collected, as far as it is to be posted.
    pub collected: Decimal,
    /// Posted.
    pub posted: Decimal,
}

/// What the comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Payments that had to be posted.
    pub payments: usize,
    /// Receipts that were looked at.
    pub receipts: usize,
    /// Sums by currency.
    pub sums: Vec<Sum>,
    /// Every difference, sorted.
    pub differences: Vec<Difference>,
}

impl Report {
    /// Whether both sides agree to the penny.
    pub fn agrees(&self) -> bool {
        self.differences.is_empty() && self.sums.iter().all(|sum| sum.collected == sum.posted)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} payments, {} receipts", self.payments, self.receipts)?;
        for sum in &self.sums {
            writeln!(
                f,
                "{}  {:>14}  {:>14}",
                sum.currency, sum.collected, sum.posted
            )?;
        }
        self.differences
            .iter()
            .try_for_each(|difference| writeln!(f, "{difference}"))
    }
}

/// The payment that a reference speaks of.
pub fn payment_of(reference: &str) -> &str {
    reference.split('-').next().unwrap_or(reference).trim()
}

/// Compares both sides.
pub fn compare(expected: &[Expected], posted: &[Posted]) -> Report {
    let mut by_payment: BTreeMap<&str, Vec<&Posted>> = BTreeMap::new();
    let mut sums: BTreeMap<&str, (Decimal, Decimal)> = BTreeMap::new();
    for receipt in posted {
        by_payment
            .entry(payment_of(&receipt.reference))
            .or_default()
            .push(receipt);
        sums.entry(&receipt.currency).or_default().1 += receipt.amount;
    }
    let mut differences = Vec::new();
    let mut known = BTreeSet::new();
    for payment in expected {
        known.insert(payment.payment.as_str());
        sums.entry(&payment.currency).or_default().0 += payment.amount;
        let receipts = by_payment
            .get(payment.payment.as_str())
            .map_or(&[][..], Vec::as_slice);
        differences.extend(judge(payment, receipts));
    }
    for (payment, receipts) in &by_payment {
        let net: Decimal = receipts.iter().map(|receipt| receipt.amount).sum();
        // A receipt and its reversal cancel out; anything else has no business here.
        if !known.contains(payment) && !net.is_zero() {
            differences.extend(receipts.iter().map(|receipt| Difference::Unexpected {
                reference: receipt.reference.clone(),
                amount: receipt.amount,
            }));
        }
    }
    differences.sort();
    let sums = sums
        .into_iter()
        .map(|(currency, (collected, posted))| Sum {
            currency: currency.to_owned(),
            collected,
            posted,
        })
        .collect();
    Report {
        payments: expected.len(),
        receipts: posted.len(),
        sums,
        differences,
    }
}

fn judge(payment: &Expected, receipts: &[&Posted]) -> Option<Difference> {
    let id = || payment.payment.clone();
    let in_currency = receipts
        .iter()
        .filter(|receipt| receipt.currency == payment.currency);
    let net: Decimal = in_currency.map(|receipt| receipt.amount).sum();
    let all: Decimal = receipts.iter().map(|receipt| receipt.amount).sum();
    let forward = receipts
        .iter()
        .filter(|receipt| receipt.amount > Decimal::ZERO)
        .count();
    let back = receipts.len() - forward;
    if all.is_zero() {
        return Some(Difference::Lost {
            payment: id(),
            amount: payment.amount,
        });
    }
    if forward > back + 1 {
        return Some(Difference::Doubled {
            payment: id(),
            times: forward - back,
            posted: all,
        });
    }
    if net != payment.amount || all != net {
        let shown = receipts
            .iter()
            .map(|receipt| format!("{} {}", receipt.amount, receipt.currency));
        return Some(Difference::WrongAmount {
            payment: id(),
            expected: format!("{} {}", payment.amount, payment.currency),
            posted: shown.collect::<Vec<_>>().join(", "),
        });
    }
    let wrong = |receipt: &&&Posted| {
        payment
            .customer
            .as_ref()
            .is_some_and(|customer| &receipt.customer != customer)
    };
    receipts
        .iter()
        .find(wrong)
        .map(|receipt| Difference::WrongCustomer {
            payment: id(),
            expected: payment.customer.clone().unwrap_or_default(),
            posted: receipt.customer.clone(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(payment: &str, amount: &str) -> Expected {
        Expected {
            payment: payment.to_owned(),
            customer: Some("1".to_owned()),
            currency: "GBP".to_owned(),
            amount: amount.parse().unwrap(),
        }
    }

    fn posted(reference: &str, amount: &str) -> Posted {
        Posted {
            reference: reference.to_owned(),
            customer: "1".to_owned(),
            currency: "GBP".to_owned(),
            amount: amount.parse().unwrap(),
        }
    }

    #[test]
    fn agreeing_books_agree() {
        let report = compare(
            &[expected("PM1", "10.00"), expected("PM2", "0.10")],
            &[
                posted("PM1-ABC", "10"),
                posted("PM2", "0.1"),
                posted("PM3", "5"),
                posted("PM3-F1", "-5"),
            ],
        );
        assert!(report.agrees(), "{report}");
        assert_eq!(
            report.sums,
            [Sum {
                currency: "GBP".to_owned(),
                collected: "10.10".parse().unwrap(),
                posted: "10.10".parse().unwrap(),
            }]
        );
    }

    #[test]
    fn every_kind_of_difference_is_seen() {
        let wants = ["PM1", "PM2", "PM3", "PM4", "PM5"].map(|payment| expected(payment, "10.00"));
        let mut euro = posted("PM4", "10.00");
        euro.currency = "EUR".to_owned();
        let mut other = posted("PM5", "10.00");
        other.customer = "2".to_owned();
        let receipts = [
            posted("PM2", "10.00"),
            posted("PM2", "10.00"),
            posted("PM3", "10.01"),
            euro,
            other,
            posted("PM9", "1"),
        ];
        let report = compare(&wants, &receipts);
        let seen: Vec<String> = report.differences.iter().map(ToString::to_string).collect();
        assert_eq!(
            seen,
            [
                "PM1: 10.00 lost",
                "PM2: posted 2 times, 20.00 in all",
                "PM3: 10.01 GBP posted instead of 10.00 GBP",
                "PM4: 10.00 EUR posted instead of 10.00 GBP",
                "PM5: posted to 2 instead of 1",
                "PM9: 1 posted unexpectedly",
            ]
        );
        assert!(!report.agrees());
    }

    #[test]
    fn a_penny_hidden_by_another_payment_does_not_pass() {
        let report = compare(
            &[expected("PM1", "10.00"), expected("PM2", "10.00")],
            &[posted("PM1", "10.01"), posted("PM2", "9.99")],
        );
        assert_eq!(report.sums[0].collected, report.sums[0].posted);
        assert!(!report.agrees());
    }
}
