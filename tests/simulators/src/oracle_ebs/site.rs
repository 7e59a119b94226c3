//! Setting a site up, and looking into its books without the gateway.

use super::lockbox::{Lockboxes, Transmission};
use super::tables::{
    Application, Customer, Invoice, Lockbox, Method, OrgId, Receipt, Responsibility, Sums, Tables,
    User,
};
use super::{Request, Settings, Simulator, Switches};
use crate::books::Posted;
use crate::entropy::Entropy;
use crate::faults::Faults;
use crate::late::Late;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// Organisation of the standard site.
const ORG: OrgId = 204;

impl Simulator {
    /// A site with operating unit 204, user `GC_INTEGRATION` (password `secret`) with responsibility `GC_RECEIVABLES`
    /// of `AR`, receipt method 3001 with remittance accounts 10077 (GBP) and 10078 (EUR), lockbox 1005 (`GC001`, format
    /// 1021), no open period, no customer.
    pub fn new(settings: Settings, switches: Switches, seed: u64) -> Self {
        let mut tables = Tables {
            sequence: 70_000,
            ..Tables::default()
        };
        let method = Method {
            id: 3001,
            name: "GC Direct Debit".to_owned(),
            automatic: false,
            accounts: [("GBP", 10_077), ("EUR", 10_078)]
                .map(|(currency, account)| (currency.to_owned(), account))
                .into(),
        };
        let lockbox = Lockbox {
            id: 1005,
            number: "GC001".to_owned(),
            format_id: 1021,
            payment_record: "6".to_owned(),
            method: 3001,
            org: ORG,
        };
        tables.methods.insert(method.id, method);
        tables.lockboxes.insert(lockbox.id, lockbox);
        Self {
            settings,
            switches,
            faults: Faults::new(seed ^ 0xEB5),
            users: BTreeMap::from([(
                "GC_INTEGRATION".to_owned(),
                User::new("secret", &["GC_RECEIVABLES"]),
            )]),
            responsibilities: vec![Responsibility {
                key: "GC_RECEIVABLES".to_owned(),
                application: "AR".to_owned(),
                orgs: vec![ORG],
            }],
            revoked: BTreeSet::new(),
            sessions: Vec::new(),
            tables,
            lockboxes: Lockboxes::default(),
            entropy: Entropy::new(seed),
            down_until: None,
            managers_down_until: None,
            late: Late::default(),
            calls: 0,
            logins: 0,
            operation_calls: BTreeMap::new(),
        }
    }

    /// Adds or changes a user.
    pub fn set_user(&mut self, name: &str, user: User) {
        self.users.insert(name.to_owned(), user);
    }

    /// Whether wrong passwords have locked a user (EB 2.1).
    pub fn is_locked(&self, name: &str) -> bool {
        let limit = self.settings.lock_after;
        let user = self.users.get(name);
        limit.is_some_and(|limit| user.is_some_and(|user| user.failures >= limit))
    }

    /// Adds a responsibility.
    pub fn add_responsibility(&mut self, responsibility: Responsibility) {
        self.responsibilities.push(responsibility);
    }

    /// Adds or replaces a receipt method.
    pub fn set_method(&mut self, method: Method) {
        self.tables.methods.insert(method.id, method);
    }

    /// Adds or replaces a lockbox.
    pub fn set_lockbox(&mut self, lockbox: Lockbox) {
        self.tables.lockboxes.insert(lockbox.id, lockbox);
    }

    /// Takes the grant of an operation away, by its upper-case name (EB 1.4).
    pub fn revoke(&mut self, operation: &str) {
        self.revoked.insert(operation.to_owned());
    }

    /// Grants it again.
    pub fn grant(&mut self, operation: &str) {
        self.revoked.remove(operation);
    }

    /// Opens the AR period of a month.
    pub fn open_period(&mut self, org: OrgId, year: i16, month: i8) {
        let first = Date::new(year, month, 1);
        self.tables
            .open_periods
            .extend(first.ok().map(|first| (org, first)));
    }

    /// Closes the AR period of a month.
    pub fn close_period(&mut self, org: OrgId, year: i16, month: i8) {
        if let Ok(first) = Date::new(year, month, 1) {
            self.tables.open_periods.remove(&(org, first));
        }
    }

    /// Adds an active customer account with its site use, whose id is the account's plus 100000.
    pub fn add_customer(
        &mut self,
        org: OrgId,
        account_id: u64,
        account_number: &str,
        name: &str,
        now: Timestamp,
    ) -> &mut Customer {
        let updated = super::local(now, &self.settings.zone);
        let customer = Customer {
            account_id,
            account_number: account_number.to_owned(),
            party_id: account_id + 500_000,
            name: name.to_owned(),
            site_use_id: account_id + 100_000,
            email: None,
            active: true,
            org,
            updated,
        };
        self.tables
            .customers
            .entry(account_id)
            .insert_entry(customer)
            .into_mut()
    }

    /// Adds a complete open invoice of one installment in GBP, and gives its PAYMENT_SCHEDULE_ID. Change the rest with
    /// [`Simulator::invoice_mut`].
    pub fn add_invoice(
        &mut self,
        customer: u64,
        number: &str,
        amount: Decimal,
        due: Date,
        now: Timestamp,
    ) -> u64 {
        let updated = super::local(now, &self.settings.zone);
        let org = self
            .tables
            .customers
            .get(&customer)
            .map_or(ORG, |customer| customer.org);
        let (schedule_id, trx_id) = (self.tables.next_id(), self.tables.next_id());
        let invoice = Invoice {
            schedule_id,
            trx_id,
            number: number.to_owned(),
            installment: 1,
            class: "INV",
            customer,
            currency: "GBP".to_owned(),
            original: amount,
            remaining: amount,
            trx_date: updated.date(),
            due_date: due,
            complete: true,
            org,
            updated,
            header_updated: updated,
        };
        self.tables.invoices.insert(schedule_id, invoice);
        schedule_id
    }

    /// An invoice, to set up: another class, currency, installment, or an update that commits late (EB 5.1).
    pub fn invoice_mut(&mut self, schedule_id: u64) -> Option<&mut Invoice> {
        self.tables.invoices.get_mut(&schedule_id)
    }

    /// Pays an invoice by hand, inside the ERP: it closes without any word from us.
    pub fn pay_elsewhere(&mut self, schedule_id: u64, now: Timestamp) {
        let updated = super::local(now, &self.settings.zone);
        if let Some(invoice) = self.tables.invoices.get_mut(&schedule_id) {
            invoice.remaining = Decimal::ZERO;
            invoice.updated = updated;
        }
    }

    /// The server's local time of a moment.
    pub fn local(&self, at: Timestamp) -> DateTime {
        super::local(at, &self.settings.zone)
    }

    /// Answers 503 until then, with all sessions lost (EB 10 no. 28).
    pub fn cutover_until(&mut self, until: Timestamp) {
        self.end_sessions();
        self.down_until = Some(until);
    }

    /// Stops the concurrent managers until then; `None` starts them (EB 7.3).
    pub fn stop_managers_until(&mut self, until: Option<Timestamp>) {
        self.managers_down_until = until;
    }

    /// Lets a request that a fault has stuck go on.
    pub fn release_request(&mut self, id: u64) {
        if let Some(request) = self.lockboxes.request_mut(id) {
            request.fate = None;
        }
    }

    /// Ends every session.
    pub fn end_sessions(&mut self) {
        self.sessions.clear();
    }

    /// How many calls of an operation have arrived, faults included, by its upper-case name or `login`.
    pub fn calls_of(&self, operation: &str) -> u64 {
        self.operation_calls.get(operation).copied().unwrap_or(0)
    }

    /// How many sessions were opened.
    pub fn logins(&self) -> u64 {
        self.logins
    }

    /// All payment schedules: invoices, and those of credit memos and receipts.
    pub fn invoices(&self) -> impl Iterator<Item = &Invoice> {
        self.tables.invoices.values()
    }

    /// One payment schedule.
    pub fn invoice(&self, schedule_id: u64) -> Option<&Invoice> {
        self.tables.invoices.get(&schedule_id)
    }

    /// All receipts, in the order of their making.
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        self.tables.receipts.values()
    }

    /// All receipts of a number: it is not unique (EB 6).
    pub fn receipts_numbered<'a>(&'a self, number: &'a str) -> impl Iterator<Item = &'a Receipt> {
        self.receipts().filter(move |own| own.number == number)
    }

    /// STATUS of a receipt: APP, UNAPP, UNID, REV, NSF, STOP (EB 5.7).
    pub fn receipt_status(&self, receipt: &Receipt) -> String {
        self.tables.status(receipt)
    }

    /// All applications, also those taken back.
    pub fn applications(&self) -> &[Application] {
        &self.tables.applications
    }

    /// Receipts whose money Oracle Payments has captured a second time (EB 10 no. 15).
    pub fn captured(&self) -> &[u64] {
        &self.tables.captured
    }

    /// Concurrent requests, oldest first.
    pub fn requests(&self) -> &[Request] {
        self.lockboxes.requests()
    }

    /// Lockbox transmissions, oldest first.
    pub fn transmissions(&self) -> &[Transmission] {
        self.lockboxes.transmissions()
    }

    /// CHECK_NUMBER and STATUS of the rows in the interface table.
    pub fn interface_rows(&self) -> Vec<(String, String)> {
        let of = |row: &BTreeMap<String, String>, name: &str| row.get(name).cloned();
        let rows = self.lockboxes.interface();
        rows.map(|row| {
            let number = of(row, "CHECK_NUMBER").unwrap_or_default();
            (number, of(row, "STATUS").unwrap_or_default())
        })
        .collect()
    }

    /// CHECK_NUMBER of the rows in the interim table.
    pub fn interim_rows(&self) -> Vec<String> {
        let rows = self.lockboxes.interim();
        rows.filter_map(|row| row.get("CHECK_NUMBER").cloned())
            .collect()
    }

    /// The books by currency.
    pub fn sums(&self) -> BTreeMap<String, Sums> {
        self.tables.sums()
    }

    /// Every receipt, and for a reversed one the same amount back, for the checker.
    pub fn posted(&self) -> Vec<Posted> {
        let customer = |receipt: &Receipt| {
            let found = receipt
                .customer
                .and_then(|id| self.tables.customers.get(&id));
            found
                .map(|own| own.account_number.clone())
                .unwrap_or_default()
        };
        let line = |receipt: &Receipt, amount: Decimal| Posted {
            reference: receipt.number.clone(),
            customer: customer(receipt),
            currency: receipt.currency.clone(),
            amount,
        };
        let mut posted = Vec::new();
        for receipt in self.receipts() {
            posted.push(line(receipt, receipt.amount));
            if receipt.reversal.is_some() {
                posted.push(line(receipt, -receipt.amount));
            }
        }
        posted
    }
}
