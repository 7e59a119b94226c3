//! Who pays: names that have to survive XML, Windows-1252 and URLs, several currencies, and two kinds of trouble. Every
//! pairing in which GoCardless' payments go to an ERP shares this.

use super::plan::amount_minor;
use super::{CrosswalkRow, Error};
use crate::books::Expected;
use crate::entropy::Entropy;
use crate::gocardless::{self, Party};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// What is to become of a customer's payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// They are posted.
    Posted,
    /// Nobody has told the engine which account this is: held.
    Unmapped,
    /// The ERP takes nothing for this account: held.
    Closed,
}

/// A customer on both sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    /// Account in the ERP.
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    pub(super) currency: &'static str,
    pub(super) fate: Fate,
    /// How often this customer comes up against the others.
    pub(super) weight: usize,
}

pub(super) const fn member(
    code: &'static str,
    name: &'static str,
    currency: &'static str,
) -> Member {
    Member {
        code,
        name,
        currency,
        fate: Fate::Posted,
        weight: 6,
    }
}

/// The currencies in which they pay.
pub(super) const CURRENCIES: [&str; 8] = ["GBP", "EUR", "USD", "SEK", "DKK", "AUD", "CAD", "NZD"];

/// Everybody.
pub(super) const CAST: [Member; 14] = [
    member("0000417", "Brookfield Joinery & Sons <Leeds> Ltd", "GBP"),
    member("0000418", "Søren's Smørrebrød ApS", "DKK"),
    member("0000419", "Müller & Söhne GmbH", "EUR"),
    member("0000420", "Café \"Le Zinc\" SARL", "EUR"),
    member("0000421", "漢字商店", "USD"),
    member("0000422", "O'Neill 100% Organic + Co.", "USD"),
    member("0000423", "Łódź Precyzja Sp. z o.o.", "EUR"),
    member("0000424", "Västerås Verkstad AB", "SEK"),
    member("0000425", "Wagga Wagga Windows Pty", "AUD"),
    member("0000426", "Québec Quincaillerie Inc.", "CAD"),
    member("0000427", "Tāmaki Timber", "NZD"),
    member(
        "0000428",
        "A. Very Long Name of a Perfectly Ordinary Limited Company",
        "GBP",
    ),
    Member {
        fate: Fate::Unmapped,
        weight: 1,
        ..member("0000429", "New Customer Ltd", "GBP")
    },
    Member {
        fate: Fate::Closed,
        weight: 1,
        ..member("0000430", "Closed Account Ltd", "GBP")
    },
];

/// A customer whose payments GoCardless collects.
#[derive(Debug, Clone)]
pub(super) struct Payer {
    pub(super) member: Member,
    /// `CU…`.
    pub(super) customer: String,
    /// `MD…`.
    pub(super) mandate: String,
}

/// Sets everybody up at GoCardless.
pub(super) fn meet(
    collector: &mut gocardless::Simulator,
    now: Timestamp,
) -> Result<Vec<Payer>, Error> {
    let long_ago = now - SignedDuration::from_hours(60 * 24);
    let mut meet = |member: Member| {
        let code = member.code;
        sign(member, collector, long_ago).ok_or(Error::SetUp(code))
    };
    CAST.into_iter().map(&mut meet).collect()
}

/// Somebody signs a mandate; `None` if there is no scheme in this currency.
pub(super) fn sign(
    member: Member,
    collector: &mut gocardless::Simulator,
    now: Timestamp,
) -> Option<Payer> {
    let party = Party::new(member.name, member.currency);
    let (customer, mandate) = collector.add_payer(&party, now)?;
    Some(Payer {
        member,
        customer,
        mandate,
    })
}

/// Which customer is which account, in these columns. Who is unmapped is left out.
pub(super) fn crosswalk(
    payers: &[Payer],
    values: impl Fn(&Member) -> Vec<(&'static str, String)>,
) -> Vec<CrosswalkRow> {
    let mapped = payers.iter();
    let mapped = mapped.filter(|payer| payer.member.fate != Fate::Unmapped);
    mapped
        .map(|payer| CrosswalkRow {
            table: "customers",
            key: payer.customer.clone(),
            values: values(&payer.member),
        })
        .collect()
}

/// A payment of whoever the wheel names, asked for a week ago and not collected yet.
pub(super) fn owe(
    payers: &[Payer],
    collector: &mut gocardless::Simulator,
    entropy: &mut Entropy,
    now: Timestamp,
) -> Option<(String, Member)> {
    let wheel: Vec<&Payer> = payers
        .iter()
        .flat_map(|payer| std::iter::repeat_n(payer, payer.member.weight))
        .collect();
    let payer = entropy.pick(&wheel)?;
    let amount = amount_minor(entropy);
    let asked = now - SignedDuration::from_hours(7 * 24);
    let payment = collector.collect_payment(&payer.mandate, amount, &[], asked)?;
    Some((payment, payer.member))
}

/// What becomes of each payment that was collected.
#[derive(Debug, Clone, Default)]
pub(super) struct Fates(BTreeMap<String, Fate>);

impl Fates {
    pub(super) fn add(&mut self, payment: String, fate: Fate) {
        self.0.insert(payment, fate);
    }

    /// Payments that were collected.
    pub(super) fn collected(&self) -> usize {
        self.0.len()
    }

    /// Of those, how many must be held.
    pub(super) fn held(&self) -> usize {
        let held = |fate: &&Fate| **fate != Fate::Posted;
        self.0.values().filter(held).count()
    }

    /// Whether this payment was collected.
    pub(super) fn has(&self, payment: &str) -> bool {
        self.0.contains_key(payment)
    }

    /// Whether it was collected and must be posted.
    pub(super) fn is_posted(&self, payment: &str) -> bool {
        self.0.get(payment) == Some(&Fate::Posted)
    }

    /// What must stand in the ERP's books, by the collector's own.
    pub(super) fn expected(
        &self,
        payers: &[Payer],
        collector: &gocardless::Simulator,
    ) -> Vec<Expected> {
        let code = |customer: &str| {
            let mut own = payers.iter();
            let own = own.find(|payer| payer.customer == customer);
            own.map(|payer| payer.member.code.to_owned())
        };
        collector
            .collected()
            .iter()
            .filter(|own| self.is_posted(&own.payment))
            .map(|own| Expected {
                customer: code(&own.customer),
                ..Expected::from(own)
            })
            .collect()
    }

    /// What is held on purpose: ISO code and major units.
    pub(super) fn held_sums(&self, collector: &gocardless::Simulator) -> Vec<(String, Decimal)> {
        let mut sums: BTreeMap<String, Decimal> = BTreeMap::new();
        for own in collector.collected() {
            if self.0.contains_key(&own.payment) && !self.is_posted(&own.payment) {
                *sums.entry(own.currency.clone()).or_default() += own.amount();
            }
        }
        sums.into_iter().collect()
    }
}
