//! The site's own package: the reads and the lockbox help that base tables need (EB 5.1, 5.2, 5.6, 5.7). Its contract is
//! the fact sheet's proposal; every read filters by the organisation of the context, and without one finds nothing (EB 9).

use super::Scope;
use super::answer::{Out, Row};
use super::input::{Columns, Inputs};
use super::lockbox::{Arguments, Lockboxes, PAYMENTS};
use super::receipts::status;
use super::settings::Settings;
use super::settings::Switches;
use super::tables::{Invoice, Receipt, Tables};
use jiff::civil::DateTime;
use rust_decimal::Decimal;

/// What a call of the package works with.
pub(super) struct Call<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) scope: &'a Scope,
    pub(super) switches: &'a Switches,
    pub(super) settings: &'a Settings,
    pub(super) now: DateTime,
}

/// Runs a read.
pub(super) fn read(
    tables: &Tables,
    lockboxes: &Lockboxes,
    operation: &str,
    call: &Call<'_>,
) -> Row {
    match operation {
        "GET_OPEN_INVOICES" => call.invoices(tables),
        "GET_CUSTOMERS" => call.customers(tables),
        "GET_RECEIPT" => call.receipt(tables, lockboxes),
        "GET_REQUEST_STATUS" => call.request(lockboxes),
        "GET_OPEN_PERIOD" => call.period(tables),
        _ => call.transmission(lockboxes),
    }
}

/// Runs a write. Gives the request that was submitted, to be struck by faults.
pub(super) fn write(
    tables: &mut Tables,
    lockboxes: &mut Lockboxes,
    operation: &str,
    call: &Call<'_>,
    at: jiff::Timestamp,
) -> Row {
    if call.scope.org.is_none() {
        return call.failed("The operating unit of the call is not set");
    }
    match operation {
        "CREATE_TRANSMISSION" => call.create_transmission(tables, lockboxes),
        "STAGE_RECEIPTS" => call.stage(tables, lockboxes),
        _ => call.submit(tables, lockboxes, at),
    }
}

impl Call<'_> {
    fn good(&self, outputs: Row) -> Row {
        let mut row = status("S", &[], &self.scope.language);
        row.extend(outputs);
        row
    }

    fn failed(&self, text: &str) -> Row {
        status("E", &[text.to_owned()], &self.scope.language)
    }

    /// The page of a list in the order of change: rows after (P_UPDATED_SINCE, P_AFTER_ID), at most so many.
    fn page<T>(
        &self,
        mut rows: Vec<(DateTime, u64, T)>,
        show: impl Fn(T) -> Row,
    ) -> (Vec<Row>, &'static str) {
        let since = self.inputs.date("P_UPDATED_SINCE").unwrap_or(DateTime::MIN);
        let after = self.inputs.id("P_AFTER_ID").unwrap_or(0);
        rows.retain(|(updated, id, _)| (*updated, *id) > (since, after));
        rows.sort_by_key(|(updated, id, _)| (*updated, *id));
        let asked = self.inputs.id("P_MAX_ROWS");
        let asked = asked.and_then(|rows| usize::try_from(rows).ok());
        let most = asked.unwrap_or(usize::MAX).min(self.settings.rows_max);
        let more = if rows.len() > most { "Y" } else { "N" };
        let rows = rows.into_iter().take(most);
        (rows.map(|(_, _, row)| show(row)).collect(), more)
    }

    fn invoices(&self, tables: &Tables) -> Row {
        let one = self.inputs.id("P_PAYMENT_SCHEDULE_ID");
        let customer = self.inputs.id("P_CUST_ACCOUNT_ID");
        let wanted = |invoice: &&Invoice| {
            Some(invoice.org) == self.scope.org
                && one.is_none_or(|one| one == invoice.schedule_id)
                && customer.is_none_or(|customer| customer == invoice.customer)
                && invoice.complete
                && (self.switches.all_classes || ["INV", "DM", "CB"].contains(&invoice.class))
                && (self.switches.closed_too || invoice.status() == "OP")
        };
        let rows = tables.invoices.values().filter(wanted);
        let rows = rows
            .map(|invoice| (invoice.updated, invoice.schedule_id, invoice))
            .collect();
        let (rows, more) = self.page(rows, |invoice| invoice_row(tables, invoice));
        self.good(vec![
            ("X_SERVER_TIME", Out::Date(self.now)),
            ("X_HAS_MORE", Out::text(more)),
            ("X_INVOICES", Out::Table("X_INVOICES", rows)),
        ])
    }

    fn customers(&self, tables: &Tables) -> Row {
        let one = self.inputs.id("P_CUST_ACCOUNT_ID");
        let rows = tables.customers.values().filter(|customer| {
            Some(customer.org) == self.scope.org && one.is_none_or(|one| one == customer.account_id)
        });
        let rows = rows
            .map(|customer| (customer.updated, customer.account_id, customer))
            .collect();
        let (rows, more) = self.page(rows, |customer| {
            vec![
                ("CUST_ACCOUNT_ID", Out::id(customer.account_id)),
                (
                    "ACCOUNT_NUMBER",
                    Out::text(customer.account_number.as_str()),
                ),
                ("PARTY_ID", Out::id(customer.party_id)),
                ("PARTY_NAME", Out::text(customer.name.as_str())),
                ("BILL_TO_SITE_USE_ID", Out::id(customer.site_use_id)),
                (
                    "EMAIL_ADDRESS",
                    Out::text(customer.email.clone().unwrap_or_default()),
                ),
                ("STATUS", Out::text(if customer.active { "A" } else { "I" })),
                ("LAST_UPDATE_DATE", Out::Date(customer.updated)),
            ]
        });
        self.good(vec![
            ("X_SERVER_TIME", Out::Date(self.now)),
            ("X_HAS_MORE", Out::text(more)),
            ("X_CUSTOMERS", Out::Table("X_CUSTOMERS", rows)),
        ])
    }

    /// Where a receipt stands: base table, interim table, interface (EB 6).
    fn receipt(&self, tables: &Tables, lockboxes: &Lockboxes) -> Row {
        let number = self.inputs.text("P_RECEIPT_NUMBER");
        let attribute = self.inputs.text("P_ATTRIBUTE1");
        let id = self.inputs.id("P_CASH_RECEIPT_ID");
        let wanted = |receipt: &&Receipt| {
            let by_attribute = receipt.attributes.get("ATTRIBUTE1");
            Some(receipt.org) == self.scope.org
                && match id {
                    Some(id) => receipt.id == id,
                    None if !number.is_empty() => receipt.number == number,
                    None => {
                        !attribute.is_empty() && by_attribute.is_some_and(|own| own == attribute)
                    }
                }
        };
        let staged = |columns: &Columns| {
            let own = |name: &str| columns.get(name).map_or("", String::as_str);
            own("ORG_ID").parse().ok() == self.scope.org
                && ((!number.is_empty() && own("CHECK_NUMBER") == number)
                    || (!attribute.is_empty() && own("ATTRIBUTE1") == attribute))
        };
        let interface = lockboxes.interface().find(|columns| staged(columns));
        let interim = lockboxes.interim().any(staged);
        let flag = |there: bool| Out::text(if there { "Y" } else { "N" });
        let rows: Vec<Row> = tables
            .receipts
            .values()
            .filter(wanted)
            .map(|receipt| {
                let mut row = receipt_row(tables, receipt);
                row.push(("IN_INTERFACE", flag(interface.is_some())));
                row.push(("IN_INTERIM", flag(interim)));
                row
            })
            .collect();
        let ids: Vec<u64> = tables
            .receipts
            .values()
            .filter(wanted)
            .map(|own| own.id)
            .collect();
        let applications = tables
            .applications
            .iter()
            .filter(|own| ids.contains(&own.receipt))
            .map(|own| {
                vec![
                    ("CASH_RECEIPT_ID", Out::id(own.receipt)),
                    ("APPLIED_PAYMENT_SCHEDULE_ID", Out::id(own.schedule)),
                    ("AMOUNT_APPLIED", Out::Number(own.amount)),
                    ("DISPLAY", flag(own.displayed)),
                ]
            })
            .collect();
        let state = interface.and_then(|columns| columns.get("STATUS").cloned());
        self.good(vec![
            ("X_RECEIPTS", Out::Table("X_RECEIPTS", rows)),
            ("X_APPLICATIONS", Out::Table("X_APPLICATIONS", applications)),
            ("X_INTERFACE_STATUS", Out::text(state.unwrap_or_default())),
            ("X_IN_INTERIM", flag(interim)),
        ])
    }

    fn request(&self, lockboxes: &Lockboxes) -> Row {
        let id = self.inputs.id("P_REQUEST_ID").unwrap_or(0);
        let Some(request) = lockboxes.request(id) else {
            return self.failed("The request does not exist");
        };
        let (phase, letter) = request.codes();
        let (dev_phase, dev_status) = request.words();
        self.good(vec![
            ("X_PHASE_CODE", Out::text(phase)),
            ("X_STATUS_CODE", Out::text(letter)),
            ("X_DEV_PHASE", Out::text(dev_phase)),
            ("X_DEV_STATUS", Out::text(dev_status)),
            ("X_COMPLETION_TEXT", Out::text(request.text.as_str())),
        ])
    }

    /// The first day on which a receipt of this date can be booked (EB 8.3).
    fn period(&self, tables: &Tables) -> Row {
        let asked = self.inputs.date("P_GL_DATE").unwrap_or(self.now).date();
        let found = self.scope.org.and_then(|org| tables.open_date(org, asked));
        match found {
            None => self.failed("There is no open period at or after the date"),
            Some(date) => self.good(vec![
                ("X_GL_DATE", Out::day(date)),
                (
                    "X_IS_OPEN",
                    Out::text(if date == asked { "Y" } else { "N" }),
                ),
            ]),
        }
    }

    fn create_transmission(&self, tables: &mut Tables, lockboxes: &mut Lockboxes) -> Row {
        let name = self.inputs.text("P_TRANSMISSION_NAME");
        let lockbox = self.inputs.id("P_LOCKBOX_ID").unwrap_or(0);
        let format = self.inputs.id("P_TRANSMISSION_FORMAT_ID").unwrap_or(0);
        let found = tables.lockboxes.get(&lockbox);
        let Some(found) = found.filter(|own| Some(own.org) == self.scope.org) else {
            return self.failed("The lockbox is not valid");
        };
        if found.format_id != format {
            return self.failed("The transmission format is not the lockbox's");
        }
        if name.is_empty() || name.len() > 30 {
            return self.failed("The transmission name is not valid");
        }
        if lockboxes.named(name).is_some() {
            return self.failed("A transmission of this name exists");
        }
        let org = self.scope.org.unwrap_or(0);
        let id = tables.next_id();
        lockboxes.open(id, name, lockbox, org);
        self.good(vec![
            ("X_TRANSMISSION_ID", Out::id(id)),
            ("X_TRANSMISSION_REQUEST_ID", Out::id(id)),
        ])
    }

    fn transmission(&self, lockboxes: &Lockboxes) -> Row {
        let name = self.inputs.text("P_TRANSMISSION_NAME");
        let found = match self.inputs.id("P_TRANSMISSION_ID") {
            Some(id) => lockboxes.transmission(id),
            None => lockboxes.named(name),
        };
        let found = found.filter(|own| Some(own.org) == self.scope.org);
        let rows: Vec<Row> = found
            .into_iter()
            .map(|own| {
                vec![
                    ("TRANSMISSION_ID", Out::id(own.id)),
                    ("TRANSMISSION_REQUEST_ID", Out::id(own.id)),
                    ("TRANSMISSION_NAME", Out::text(own.name.as_str())),
                    ("STATUS", Out::text(own.status)),
                    (
                        "LATEST_REQUEST_ID",
                        own.latest_request.map_or(Out::Null, Out::id),
                    ),
                    (
                        "ROWS_STAGED",
                        Out::Number(Decimal::from(lockboxes.staged(own.id))),
                    ),
                ]
            })
            .collect();
        self.good(vec![(
            "X_TRANSMISSIONS",
            Out::Table("X_TRANSMISSIONS", rows),
        )])
    }

    /// Inserts the rows below a transmission, all or none. A check number that the transmission holds already is
    /// refused.
    fn stage(&self, tables: &mut Tables, lockboxes: &mut Lockboxes) -> Row {
        let id = self.inputs.id("P_TRANSMISSION_ID").unwrap_or(0);
        let org = self.scope.org.unwrap_or(0);
        if lockboxes.transmission(id).is_none_or(|own| own.org != org) {
            return self.failed("The transmission does not exist");
        }
        let mut rows = self.inputs.table("P_RECEIPTS");
        for row in &mut rows {
            for (name, value) in [
                ("TRANSMISSION_ID", id.to_string()),
                ("TRANSMISSION_REQUEST_ID", id.to_string()),
                ("ORG_ID", org.to_string()),
                ("STATUS", PAYMENTS.to_owned()),
                ("TRANSMISSION_RECORD_ID", tables.next_id().to_string()),
            ] {
                row.insert(name.to_owned(), value);
            }
            let number = row.get("CHECK_NUMBER").cloned().unwrap_or_default();
            if lockboxes.holds(id, &number) {
                return self.failed("The transmission holds this check number already");
            }
        }
        match lockboxes.insert(rows, true) {
            Ok(count) => self.good(vec![("X_ROWS", Out::Number(Decimal::from(count)))]),
            Err(text) => status("U", &[text], &self.scope.language),
        }
    }

    /// Submits Process Lockboxes for a transmission that has not been submitted; otherwise tells the request.
    fn submit(&self, tables: &mut Tables, lockboxes: &mut Lockboxes, at: jiff::Timestamp) -> Row {
        let id = self.inputs.id("P_TRANSMISSION_ID").unwrap_or(0);
        let org = self.scope.org.unwrap_or(0);
        let Some(own) = lockboxes.transmission(id).filter(|own| own.org == org) else {
            return self.failed("The transmission does not exist");
        };
        if let Some(latest) = own.latest_request {
            let mut row = self.failed("The transmission has been submitted already");
            row.push(("X_REQUEST_ID", Out::id(latest)));
            return row;
        }
        let format = tables.lockboxes.get(&own.lockbox).map(|own| own.format_id);
        let mut arguments = Arguments::of_inserted_rows(id, own.lockbox, format.unwrap_or(0), org);
        arguments.gl_date = self.inputs.date("P_GL_DATE").map(DateTime::date);
        let request = lockboxes.submit(tables, &arguments, at);
        self.good(vec![("X_REQUEST_ID", Out::id(request))])
    }
}

fn invoice_row(tables: &Tables, invoice: &Invoice) -> Row {
    let customer = tables.customers.get(&invoice.customer);
    let of = |field: fn(&super::Customer) -> &str| Out::text(customer.map_or("", field));
    vec![
        ("PAYMENT_SCHEDULE_ID", Out::id(invoice.schedule_id)),
        ("CUSTOMER_TRX_ID", Out::id(invoice.trx_id)),
        ("TRX_NUMBER", Out::text(invoice.number.as_str())),
        (
            "TERMS_SEQUENCE_NUMBER",
            Out::id(u64::from(invoice.installment)),
        ),
        ("CLASS", Out::text(invoice.class)),
        ("STATUS", Out::text(invoice.status())),
        ("AMOUNT_DUE_ORIGINAL", Out::Number(invoice.original)),
        ("AMOUNT_DUE_REMAINING", Out::Number(invoice.remaining)),
        (
            "INVOICE_CURRENCY_CODE",
            Out::text(invoice.currency.as_str()),
        ),
        ("TRX_DATE", Out::day(invoice.trx_date)),
        ("DUE_DATE", Out::day(invoice.due_date)),
        (
            "CUST_ACCOUNT_ID",
            customer.map_or(Out::Null, |own| Out::id(own.account_id)),
        ),
        ("ACCOUNT_NUMBER", of(|own| &own.account_number)),
        ("PARTY_NAME", of(|own| &own.name)),
        ("ORG_ID", Out::id(invoice.org)),
        ("LAST_UPDATE_DATE", Out::Date(invoice.updated)),
    ]
}

fn receipt_row(tables: &Tables, receipt: &Receipt) -> Row {
    let reversal = receipt.reversal.as_ref();
    let attribute = receipt.attributes.get("ATTRIBUTE1").cloned();
    vec![
        ("CASH_RECEIPT_ID", Out::id(receipt.id)),
        ("RECEIPT_NUMBER", Out::text(receipt.number.as_str())),
        ("RECEIPT_DATE", Out::day(receipt.date)),
        ("AMOUNT", Out::Number(receipt.amount)),
        ("CURRENCY_CODE", Out::text(receipt.currency.as_str())),
        (
            "TYPE",
            Out::text(if receipt.misc { "MISC" } else { "CASH" }),
        ),
        ("STATUS", Out::text(tables.status(receipt))),
        (
            "PAY_FROM_CUSTOMER",
            receipt.customer.map_or(Out::Null, Out::id),
        ),
        (
            "AMOUNT_APPLIED_TO_TRX",
            Out::Number(tables.applied(receipt.id)),
        ),
        (
            "CUSTOMER_RECEIPT_REFERENCE",
            Out::text(receipt.reference.as_str()),
        ),
        ("COMMENTS", Out::text(receipt.comments.as_str())),
        ("ATTRIBUTE1", Out::text(attribute.unwrap_or_default())),
        (
            "REVERSAL_DATE",
            reversal.map_or(Out::Null, |own| Out::day(own.date)),
        ),
        (
            "REVERSAL_CATEGORY",
            Out::text(reversal.map(|own| own.category.clone()).unwrap_or_default()),
        ),
        ("ORG_ID", Out::id(receipt.org)),
        ("LAST_UPDATE_DATE", Out::Date(receipt.updated)),
    ]
}
