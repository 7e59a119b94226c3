//! A folder: sites, accounts, partners, calendar, and the entries that were posted (X3 6).

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// A site (X3 6.1 FCY).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Its company.
    pub company: String,
    /// Financial sites alone take entries.
    pub financial: bool,
}

/// A company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// Currency of its ledger.
    pub currency: String,
}

/// An entry type (X3 6.1 TYP): decides on journal and counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryType {
    /// Journal when the call names none.
    pub journal: String,
}

/// A general account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Control (collective) account: a line needs a partner (X3 6.1).
    pub control: bool,
    /// Dimension types that a line must fill (X3 6.1), from 1.
    pub dimensions: BTreeSet<u8>,
    /// Takes no new lines.
    pub inactive: bool,
}

/// A business partner that is a customer (X3 6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// BPCNUM; leading zeros count.
    pub number: String,
    /// BPCNAM.
    pub name: String,
    /// BPCSTA.
    pub active: bool,
    /// CUR.
    pub currency: String,
    /// WEB1.
    pub email: String,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// A currency of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Currency {
    /// Decimals of amounts.
    pub decimals: u32,
    /// Units of ledger currency for one of this one; `None`: no rate, entries are refused.
    pub rate: Option<Decimal>,
}

/// On which way an entry came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// SOAP `save`.
    Soap,
    /// AOWSIMPORT.
    Import,
    /// The customer's GraphQL operation.
    GraphQl,
    /// A class rebuilt for api1.
    Api1,
    /// A person at the screen.
    Screen,
}

/// Category of an entry (X3 6.1 CAT).
pub const ACTUAL: u8 = 1;
/// Status of an entry that can still be changed (X3 6.1 STA).
pub const TEMPORARY: u8 = 1;
/// Status of an entry that cannot.
pub const FINAL: u8 = 2;

/// A journal entry (GACCENTRY, X3 6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// TYP.
    pub kind: String,
    /// NUM.
    pub number: String,
    /// FCY.
    pub site: String,
    /// CPY.
    pub company: String,
    /// JOU.
    pub journal: String,
    /// ACCDAT.
    pub date: Date,
    /// CAT: 1 actual, 2 active simulation, 3 inactive simulation, 4 off-balance, 5 template.
    pub category: u8,
    /// STA: 1 temporary, 2 final.
    pub status: u8,
    /// DESVCR.
    pub description: String,
    /// BPRVCR.
    pub source_document: String,
    /// BPRDATVCR.
    pub source_date: Option<Date>,
    /// REF.
    pub reference: String,
    /// REFINT.
    pub internal_reference: String,
    /// CUR.
    pub currency: String,
    /// RATDAT.
    pub rate_date: Date,
    /// RVS: 1 no, 2 yes, 3 reversed.
    pub reversal: u8,
    /// RVSORINUM.
    pub reverses: String,
    /// Lines of the legal ledger.
    pub lines: Vec<Line>,
    /// CREUSR.
    pub user: String,
    /// CREDATTIM.
    pub created: Timestamp,
    /// How it came in.
    pub origin: Origin,
}

/// A line of an entry (GACCENTRYD, X3 6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// LIN, from 1.
    pub number: u32,
    /// FCYLIN.
    pub site: String,
    /// ACC.
    pub account: String,
    /// BPR.
    pub partner: String,
    /// AMTCUR with its sign: positive debit, negative credit (X3 6.1 SNS).
    pub amount: Decimal,
    /// AMTLED with its sign.
    pub ledger_amount: Decimal,
    /// DES.
    pub description: String,
    /// FREREF.
    pub free_reference: String,
    /// CCE by dimension type, from 1.
    pub dimensions: BTreeMap<u8, String>,
}

/// Lengths of the data types that a site can adjust, and of the fixed fields (X3 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// FCY, TYP, JOU.
    pub code: usize,
    /// BPR, ACC, CCE.
    pub account: usize,
    /// DES, DESVCR.
    pub description: usize,
    /// REF, FREREF, BPRVCR.
    pub reference: usize,
    /// REFINT.
    pub internal_reference: usize,
}

/// One folder, which Syracuse shows as an endpoint (X3 1.2).
#[derive(Debug, Clone)]
pub struct Folder {
    /// Sites by code.
    pub sites: BTreeMap<String, Site>,
    /// Companies by code.
    pub companies: BTreeMap<String, Company>,
    /// Entry types by code.
    pub entry_types: BTreeMap<String, EntryType>,
    /// Accounts by code.
    pub accounts: BTreeMap<String, Account>,
    /// Dimensions: type and code.
    pub dimensions: BTreeSet<(u8, String)>,
    /// Currencies by code.
    pub currencies: BTreeMap<String, Currency>,
    /// Closed periods: company, year, month.
    pub closed: BTreeSet<(String, i16, i8)>,
    /// First and last day of the fiscal years that are open at all.
    pub fiscal: (Date, Date),
    /// Lengths.
    pub lengths: Lengths,
    pub(crate) customers: BTreeMap<String, Customer>,
    pub(crate) entries: Vec<Entry>,
    counters: BTreeMap<(String, i16), u64>,
}

impl Folder {
    /// The folder of the sheet's examples: site `UK01`, type `GCPAY`, accounts `12500` and `40100` (X3 4.7, 5.8).
    pub fn new() -> Self {
        let account = |code: &str, control: bool, dimensions: &[u8]| {
            let account = Account {
                control,
                dimensions: dimensions.iter().copied().collect(),
                inactive: false,
            };
            (code.to_owned(), account)
        };
        let currency = |code: &str, decimals: u32, rate: &str| {
            let rate = rate.parse().ok();
            (code.to_owned(), Currency { decimals, rate })
        };
        let entry_type = |code: &str| {
            let journal = "GCJ".to_owned();
            (code.to_owned(), EntryType { journal })
        };
        let site = |code: &str, company: &str, financial: bool| {
            let company = company.to_owned();
            (code.to_owned(), Site { company, financial })
        };
        let company = |code: &str, currency: &str| {
            let currency = currency.to_owned();
            (code.to_owned(), Company { currency })
        };
        Self {
            sites: [
                site("UK01", "UK10", true),
                site("UK02", "UK10", true),
                site("UKSTO", "UK10", false),
                site("FR01", "FR10", true),
            ]
            .into(),
            companies: [company("UK10", "GBP"), company("FR10", "EUR")].into(),
            entry_types: ["GCPAY", "GCREF", "GCOUT"].map(entry_type).into(),
            accounts: [
                account("12500", false, &[]),
                account("40100", false, &[]),
                account("40200", false, &[1]),
                account("41100", true, &[]),
                account("51200", false, &[]),
                account("62780", false, &[]),
            ]
            .into(),
            dimensions: [(1, "SALES".to_owned()), (2, "NORTH".to_owned())].into(),
            currencies: [
                currency("GBP", 2, "1"),
                currency("EUR", 2, "0.86"),
                currency("USD", 2, "0.79"),
                currency("SEK", 2, "0.075"),
                currency("DKK", 2, "0.115"),
                currency("AUD", 2, "0.52"),
                currency("CAD", 2, "0.58"),
                currency("NZD", 2, "0.48"),
                currency("JPY", 0, "0.0053"),
            ]
            .into(),
            closed: BTreeSet::new(),
            fiscal: (Date::constant(2025, 1, 1), Date::constant(2027, 12, 31)),
            lengths: Lengths {
                code: 5,
                account: 15,
                description: 30,
                reference: 20,
                internal_reference: 25,
            },
            customers: BTreeMap::new(),
            entries: Vec::new(),
            counters: BTreeMap::new(),
        }
    }

    /// Adds a customer, or replaces it.
    pub fn add_customer(&mut self, number: &str, name: &str, currency: &str, now: Timestamp) {
        let customer = Customer {
            number: number.to_owned(),
            name: name.to_owned(),
            active: true,
            currency: currency.to_owned(),
            email: String::new(),
            updated: now,
        };
        self.customers.insert(number.to_owned(), customer);
    }

    /// A customer to change; the number counts with its leading zeros (X3 6.2).
    pub fn customer_mut(&mut self, number: &str) -> Option<&mut Customer> {
        self.customers.get_mut(number)
    }

    /// Closes a month of a company, or opens it again.
    pub fn set_closed(&mut self, company: &str, year: i16, month: i8, closed: bool) {
        let period = (company.to_owned(), year, month);
        if closed {
            self.closed.insert(period);
        } else {
            self.closed.remove(&period);
        }
    }

    /// Every entry, in posting order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// An entry by its key.
    pub fn entry(&self, kind: &str, number: &str) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.kind == kind && entry.number == number)
    }

    /// An entry to change.
    pub(crate) fn entry_mut(&mut self, kind: &str, number: &str) -> Option<&mut Entry> {
        self.entries
            .iter_mut()
            .find(|entry| entry.kind == kind && entry.number == number)
    }

    /// Entries with this source document, compared without case: X3 may have upper-cased it (X3 10).
    pub fn entries_of(&self, source_document: &str) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(move |entry| entry.source_document.eq_ignore_ascii_case(source_document))
    }

    /// Finance makes an entry final: it can no longer be changed (X3 6.1 STA).
    pub fn finalise(&mut self, kind: &str, number: &str) {
        if let Some(entry) = self.entry_mut(kind, number) {
            entry.status = FINAL;
        }
    }

    /// Finance reverses an entry at the screen: the opposite entry is made once, the original says "reversed" (X3 8).
    /// Gives the new entry's number; `None` if there is no such entry, or it is reversed already.
    pub fn reverse_by_hand(
        &mut self,
        kind: &str,
        number: &str,
        date: Date,
        now: Timestamp,
    ) -> Option<String> {
        let original = self.entry_mut(kind, number)?;
        if original.reversal == 3 {
            return None;
        }
        original.reversal = 3;
        let mut mirror = original.clone();
        for line in &mut mirror.lines {
            line.amount = -line.amount;
            line.ledger_amount = -line.ledger_amount;
        }
        // The default description carries the original's number (X3 8).
        mirror.description = format!("{kind} {number}");
        mirror.reverses = number.to_owned();
        mirror.reversal = 1;
        mirror.date = date;
        mirror.created = now;
        mirror.origin = Origin::Screen;
        mirror.number = self.next_number(kind, date.year());
        let made = mirror.number.clone();
        self.entries.push(mirror);
        Some(made)
    }

    /// The next number of a type's counter (X3 5.8: type, year, six digits).
    pub(crate) fn next_number(&mut self, kind: &str, year: i16) -> String {
        let counter = self.counters.entry((kind.to_owned(), year)).or_insert(0);
        *counter += 1;
        format!("{kind}{:02}{counter:06}", year.rem_euclid(100))
    }

    /// The first months from a date on are scanned for one that is open; for tests of "first open day" (X3 11.2).
    pub fn is_open(&self, company: &str, date: Date) -> bool {
        let period = (company.to_owned(), date.year(), date.month());
        date >= self.fiscal.0 && date <= self.fiscal.1 && !self.closed.contains(&period)
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Entry {
    /// Sum of the debits.
    pub fn debit(&self) -> Decimal {
        let amounts = self.lines.iter().map(|line| line.amount);
        amounts.filter(Decimal::is_sign_positive).sum()
    }

    /// What the lines on one account add up to, debits positive.
    pub fn on_account(&self, account: &str) -> Decimal {
        let lines = self.lines.iter().filter(|line| line.account == account);
        lines.map(|line| line.amount).sum()
    }
}
