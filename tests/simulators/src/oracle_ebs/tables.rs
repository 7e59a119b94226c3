//! The base tables, as far as receivables need them, and what may happen to them.
//!
//! Everything is kept per operating unit, ids are per instance and increase (EB 9). A schedule's LAST_UPDATE_DATE is
//! the server's local time to the second; applications change the schedule's, never the header's (EB 5.1).

use super::settings::Switches;
use jiff::civil::{Date, DateTime};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// An operating unit.
pub type OrgId = u64;

/// A customer account with its bill-to site (EB 5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// CUST_ACCOUNT_ID.
    pub account_id: u64,
    /// ACCOUNT_NUMBER.
    pub account_number: String,
    /// PARTY_ID.
    pub party_id: u64,
    /// PARTY_NAME.
    pub name: String,
    /// BILL_TO site use of this organisation.
    pub site_use_id: u64,
    /// EMAIL_ADDRESS.
    pub email: Option<String>,
    /// STATUS = A.
    pub active: bool,
    /// Organisation of the site use.
    pub org: OrgId,
    /// LAST_UPDATE_DATE.
    pub updated: DateTime,
}

/// A payment schedule: one row per installment, also for credit memos and receipts (EB 5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// PAYMENT_SCHEDULE_ID.
    pub schedule_id: u64,
    /// CUSTOMER_TRX_ID; for class PMT the CASH_RECEIPT_ID.
    pub trx_id: u64,
    /// TRX_NUMBER, unique only within a batch source.
    pub number: String,
    /// TERMS_SEQUENCE_NUMBER.
    pub installment: u32,
    /// INV, DM, CB, CM, PMT.
    pub class: &'static str,
    /// CUSTOMER_ID.
    pub customer: u64,
    /// INVOICE_CURRENCY_CODE.
    pub currency: String,
    /// AMOUNT_DUE_ORIGINAL; credit memos and receipts negative.
    pub original: Decimal,
    /// AMOUNT_DUE_REMAINING.
    pub remaining: Decimal,
    /// TRX_DATE.
    pub trx_date: Date,
    /// DUE_DATE.
    pub due_date: Date,
    /// COMPLETE_FLAG = Y.
    pub complete: bool,
    /// Organisation.
    pub org: OrgId,
    /// LAST_UPDATE_DATE of the schedule.
    pub updated: DateTime,
    /// LAST_UPDATE_DATE of the header.
    pub header_updated: DateTime,
}

impl Invoice {
    /// STATUS: OP, or CL once nothing remains.
    pub fn status(&self) -> &'static str {
        if self.remaining.is_zero() { "CL" } else { "OP" }
    }
}

/// Why a receipt was reversed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reversal {
    /// REV, NSF or STOP: becomes the receipt's status.
    pub category: String,
    /// Reason code.
    pub reason: String,
    /// REVERSAL_DATE.
    pub date: Date,
    /// REVERSAL_GL_DATE.
    pub gl_date: Date,
    /// REVERSAL_COMMENTS.
    pub comments: String,
}

/// A cash receipt (EB 5.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// CASH_RECEIPT_ID.
    pub id: u64,
    /// RECEIPT_NUMBER: not unique (EB 6).
    pub number: String,
    /// RECEIPT_DATE.
    pub date: Date,
    /// GL_DATE.
    pub gl_date: Date,
    /// AMOUNT, major units.
    pub amount: Decimal,
    /// CURRENCY_CODE.
    pub currency: String,
    /// TYPE is MISC; otherwise CASH.
    pub misc: bool,
    /// PAY_FROM_CUSTOMER; `None`: unidentified.
    pub customer: Option<u64>,
    /// RECEIPT_METHOD_ID.
    pub method: u64,
    /// REMIT_BANK_ACCT_USE_ID.
    pub bank_account: u64,
    /// CUSTOMER_RECEIPT_REFERENCE.
    pub reference: String,
    /// COMMENTS.
    pub comments: String,
    /// ATTRIBUTE1 to ATTRIBUTE15.
    pub attributes: BTreeMap<String, String>,
    /// Put on account.
    pub on_account: Decimal,
    /// Reversed.
    pub reversal: Option<Reversal>,
    /// Organisation.
    pub org: OrgId,
    /// LAST_UPDATE_DATE.
    pub updated: DateTime,
    /// Came by the lockbox.
    pub lockbox: bool,
}

/// A receipt applied to a schedule (AR_RECEIVABLE_APPLICATIONS_ALL).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// CASH_RECEIPT_ID.
    pub receipt: u64,
    /// APPLIED_PAYMENT_SCHEDULE_ID.
    pub schedule: u64,
    /// AMOUNT_APPLIED.
    pub amount: Decimal,
    /// APPLY_DATE.
    pub date: Date,
    /// DISPLAY = Y: in force. An unapplication or reversal sets it to N.
    pub displayed: bool,
}

/// A receipt method with the remittance account of each currency (EB 5.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// RECEIPT_METHOD_ID.
    pub id: u64,
    /// Name.
    pub name: String,
    /// Can capture money by Oracle Payments (EB 10 no. 15).
    pub automatic: bool,
    /// Remittance account ids by currency.
    pub accounts: BTreeMap<String, u64>,
}

/// A lockbox with its transmission format (EB 5.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lockbox {
    /// LOCKBOX_ID.
    pub id: u64,
    /// Number.
    pub number: String,
    /// TRANSMISSION_FORMAT_ID.
    pub format_id: u64,
    /// Record type of payments in that format.
    pub payment_record: String,
    /// Receipt method of its batch source.
    pub method: u64,
    /// Organisation.
    pub org: OrgId,
}

/// A responsibility and what its security profile opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Responsibility {
    /// Key, not the display name.
    pub key: String,
    /// Application short name.
    pub application: String,
    /// Organisations; the first is MO: Operating Unit.
    pub orgs: Vec<OrgId>,
}

/// An application user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Password.
    pub password: String,
    /// Keys of assigned responsibilities.
    pub responsibilities: BTreeSet<String>,
    pub(crate) failures: u32,
}

impl User {
    /// A user with these responsibilities.
    pub fn new(password: &str, responsibilities: &[&str]) -> Self {
        Self {
            password: password.to_owned(),
            responsibilities: responsibilities
                .iter()
                .map(|key| (*key).to_owned())
                .collect(),
            failures: 0,
        }
    }
}

/// The money in the books of one currency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// Receipts in force.
    pub received: Decimal,
    /// Applied to schedules.
    pub applied: Decimal,
    /// Receipts that were reversed.
    pub reversed: Decimal,
    /// What customers still owe.
    pub open: Decimal,
}

/// The tables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tables {
    pub(crate) customers: BTreeMap<u64, Customer>,
    pub(crate) invoices: BTreeMap<u64, Invoice>,
    pub(crate) receipts: BTreeMap<u64, Receipt>,
    pub(crate) applications: Vec<Application>,
    pub(crate) methods: BTreeMap<u64, Method>,
    pub(crate) lockboxes: BTreeMap<u64, Lockbox>,
    /// Open AR periods: organisation, first day of the month (EB 8.3).
    pub(crate) open_periods: BTreeSet<(OrgId, Date)>,
    /// Money captured by Oracle Payments, which must stay empty (EB 10 no. 15).
    pub(crate) captured: Vec<u64>,
    pub(crate) sequence: u64,
}

/// A receipt to be made.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) number: String,
    pub(crate) date: Date,
    pub(crate) gl_date: Date,
    pub(crate) amount: Decimal,
    pub(crate) currency: String,
    pub(crate) misc: bool,
    pub(crate) customer: Option<u64>,
    pub(crate) method: u64,
    pub(crate) bank_account: u64,
    pub(crate) reference: String,
    pub(crate) comments: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) org: OrgId,
    pub(crate) lockbox: bool,
}

impl Tables {
    /// The next id of any sequence; ids of one instance never repeat.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    pub(crate) fn is_open(&self, org: OrgId, date: Date) -> bool {
        self.open_periods.contains(&(org, date.first_of_month()))
    }

    /// The first day of the first open period at or after this day's, the day itself if its period is open (EB 8.3).
    pub(crate) fn open_date(&self, org: OrgId, date: Date) -> Option<Date> {
        if self.is_open(org, date) {
            return Some(date);
        }
        let month = date.first_of_month();
        self.open_periods
            .iter()
            .filter(|(own, first)| *own == org && *first > month)
            .map(|(_, first)| *first)
            .min()
    }

    /// A customer of this organisation.
    pub(crate) fn customer(&self, org: OrgId, account: u64) -> Option<&Customer> {
        self.customers
            .get(&account)
            .filter(|customer| customer.org == org)
    }

    /// Same number, date, amount, customer and type, not reversed (EB 6).
    pub(crate) fn duplicate(&self, draft: &Draft) -> bool {
        self.receipts.values().any(|receipt| {
            receipt.reversal.is_none()
                && receipt.org == draft.org
                && receipt.number == draft.number
                && receipt.date == draft.date
                && receipt.amount == draft.amount
                && receipt.customer == draft.customer
                && receipt.misc == draft.misc
        })
    }

    /// Makes the receipt, and its schedule of class PMT for cash.
    pub(crate) fn create(&mut self, draft: Draft, now: DateTime, switches: &Switches) -> u64 {
        let id = self.next_id();
        let number = if switches.numbers_receipts {
            format!("DOC{id:08}")
        } else {
            draft.number
        };
        if !draft.misc {
            let schedule = Invoice {
                schedule_id: self.next_id(),
                trx_id: id,
                number: number.clone(),
                installment: 1,
                class: "PMT",
                customer: draft.customer.unwrap_or(0),
                currency: draft.currency.clone(),
                original: -draft.amount,
                remaining: -draft.amount,
                trx_date: draft.date,
                due_date: draft.date,
                complete: true,
                org: draft.org,
                updated: now,
                header_updated: now,
            };
            self.invoices.insert(schedule.schedule_id, schedule);
        }
        let receipt = Receipt {
            id,
            number,
            date: draft.date,
            gl_date: draft.gl_date,
            amount: draft.amount,
            currency: draft.currency,
            misc: draft.misc,
            customer: draft.customer,
            method: draft.method,
            bank_account: draft.bank_account,
            reference: draft.reference,
            comments: draft.comments,
            attributes: draft.attributes,
            on_account: Decimal::ZERO,
            reversal: None,
            org: draft.org,
            updated: now,
            lockbox: draft.lockbox,
        };
        self.receipts.insert(id, receipt);
        id
    }

    /// What of a receipt is applied to schedules.
    pub(crate) fn applied(&self, receipt: u64) -> Decimal {
        self.applications
            .iter()
            .filter(|application| application.receipt == receipt && application.displayed)
            .map(|application| application.amount)
            .sum()
    }

    /// What of a receipt is neither applied nor on account.
    pub(crate) fn unapplied(&self, receipt: &Receipt) -> Decimal {
        receipt.amount - self.applied(receipt.id) - receipt.on_account
    }

    /// STATUS of a receipt (EB 5.7).
    pub(crate) fn status(&self, receipt: &Receipt) -> String {
        match &receipt.reversal {
            Some(reversal) => reversal.category.clone(),
            None if receipt.misc => "APP".to_owned(),
            None if receipt.customer.is_none() => "UNID".to_owned(),
            None if self.unapplied(receipt).is_zero() => "APP".to_owned(),
            None => "UNAPP".to_owned(),
        }
    }

    /// Applies a receipt to a schedule and touches the schedule, not the header.
    pub(crate) fn apply(
        &mut self,
        receipt: u64,
        schedule: u64,
        amount: Decimal,
        date: Date,
        now: DateTime,
    ) {
        self.applications.push(Application {
            receipt,
            schedule,
            amount,
            date,
            displayed: true,
        });
        self.change_remaining(schedule, -amount, now);
        self.touch(receipt, now);
    }

    /// Takes all of a receipt's applications back, or only the one to a schedule. Gives the amount taken back.
    pub(crate) fn unapply(
        &mut self,
        receipt: u64,
        schedule: Option<u64>,
        now: DateTime,
    ) -> Decimal {
        let mut back = Vec::new();
        for application in &mut self.applications {
            let wanted = schedule.is_none_or(|schedule| schedule == application.schedule);
            if application.receipt == receipt && application.displayed && wanted {
                application.displayed = false;
                back.push((application.schedule, application.amount));
            }
        }
        for (schedule, amount) in &back {
            self.change_remaining(*schedule, *amount, now);
        }
        self.touch(receipt, now);
        back.iter().map(|(_, amount)| *amount).sum()
    }

    fn change_remaining(&mut self, schedule: u64, by: Decimal, now: DateTime) {
        if let Some(invoice) = self.invoices.get_mut(&schedule) {
            invoice.remaining += by;
            invoice.updated = now;
        }
    }

    /// Marks a receipt as changed and brings its own schedule up to date.
    pub(crate) fn touch(&mut self, id: u64, now: DateTime) {
        let Some(receipt) = self.receipts.get(&id) else {
            return;
        };
        let left = if receipt.reversal.is_some() {
            Decimal::ZERO
        } else {
            self.unapplied(receipt)
        };
        if let Some(receipt) = self.receipts.get_mut(&id) {
            receipt.updated = now;
        }
        let own = self
            .invoices
            .values_mut()
            .find(|invoice| invoice.class == "PMT" && invoice.trx_id == id);
        if let Some(own) = own {
            own.remaining = -left;
            own.updated = now;
        }
    }

    /// Reverses a receipt: its applications are undone, the invoices open again (EB 5.8).
    pub(crate) fn reverse(&mut self, id: u64, reversal: Reversal, now: DateTime) {
        self.unapply(id, None, now);
        if let Some(receipt) = self.receipts.get_mut(&id) {
            receipt.on_account = Decimal::ZERO;
            receipt.reversal = Some(reversal);
        }
        self.touch(id, now);
    }

    /// The books by currency.
    pub(crate) fn sums(&self) -> BTreeMap<String, Sums> {
        let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
        for receipt in self.receipts.values() {
            let own = sums.entry(receipt.currency.clone()).or_default();
            if receipt.reversal.is_some() {
                own.reversed += receipt.amount;
            } else {
                own.received += receipt.amount;
                own.applied += self.applied(receipt.id);
            }
        }
        for invoice in self.invoices.values() {
            if invoice.class != "PMT" {
                sums.entry(invoice.currency.clone()).or_default().open += invoice.remaining;
            }
        }
        sums
    }
}
