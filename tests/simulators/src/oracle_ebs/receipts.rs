//! AR_RECEIPT_API_PUB: receipts made, applied, reversed at once (EB 5.3, 5.8, 8.3).
//!
//! HTTP is 200 whatever happens; X_RETURN_STATUS tells. With one message X_MSG_DATA holds its text, with several only
//! their number is known (EB 3.3). The texts are ours: they carry no message name, as the real ones.

use super::Scope;
use super::answer::{Out, Row};
use super::input::{Columns, Inputs};
use super::settings::Switches;
use super::tables::{Draft, Invoice, Receipt, Reversal, Tables};
use jiff::civil::{Date, DateTime};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// What went wrong: expected errors, or the unexpected kind with its Oracle text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failed {
    Expected(Vec<String>),
    Unexpected(String),
}

type Done = Result<Row, Failed>;

/// What a call of the API works with.
pub(super) struct Call<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) scope: &'a Scope,
    pub(super) switches: &'a Switches,
    pub(super) now: DateTime,
}

/// Runs an operation. Without P_COMMIT = T it answers as always and leaves nothing behind (EB 3.4).
pub(super) fn run(tables: &mut Tables, operation: &str, call: &Call<'_>) -> Row {
    let mut trial = tables.clone();
    let done = call.checked().and_then(|()| match operation {
        "CREATE_CASH" => call.create(&mut trial, false).map(created),
        "CREATE_MISC" => call.create(&mut trial, true).map(created),
        "CREATE_AND_APPLY" => call.create_and_apply(&mut trial),
        "CREATE_APPLY_ON_ACC" => call.create_on_account(&mut trial),
        "APPLY" => call.apply(&mut trial),
        "UNAPPLY" => call.unapply(&mut trial),
        "APPLY_ON_ACCOUNT" => call.apply_on_account(&mut trial),
        _ => call.reverse(&mut trial),
    });
    let creates = operation.starts_with("CREATE");
    match done {
        Ok(outputs) => {
            if call.inputs.text("P_COMMIT") == "T" || call.switches.commits_anyway {
                *tables = trial;
            }
            let mut row = status("S", &[], &call.scope.language);
            row.extend(outputs);
            row
        }
        Err(failed) => {
            let mut row = match failed {
                Failed::Expected(texts) => status("E", &texts, &call.scope.language),
                Failed::Unexpected(text) => status("U", &[text], &call.scope.language),
            };
            if creates {
                row.push(("P_CR_ID", Out::Null));
            }
            row
        }
    }
}

/// X_RETURN_STATUS, X_MSG_COUNT, X_MSG_DATA. Texts change with the language (EB 10 no. 21).
pub(super) fn status(letter: &str, texts: &[String], language: &str) -> Row {
    let data = match texts {
        [only] if language == "AMERICAN" => Out::text(only.as_str()),
        [only] => Out::text(format!("[{language}] {only}")),
        _ => Out::Null,
    };
    vec![
        ("X_RETURN_STATUS", Out::text(letter)),
        ("X_MSG_COUNT", Out::Number(Decimal::from(texts.len()))),
        ("X_MSG_DATA", data),
    ]
}

fn created(id: u64) -> Row {
    vec![("P_CR_ID", Out::id(id))]
}

fn expected<T>(text: impl Into<String>) -> Result<T, Failed> {
    Err(Failed::Expected(vec![text.into()]))
}

/// Decimals that a currency has (EB 9).
pub(super) fn decimals(currency: &str) -> u32 {
    match currency {
        "JPY" | "KRW" | "CLP" | "VND" | "ISK" => 0,
        "KWD" | "BHD" | "TND" | "JOD" | "OMR" => 3,
        _ => 2,
    }
}

impl Call<'_> {
    fn org(&self) -> u64 {
        self.scope.org.unwrap_or(0)
    }

    fn checked(&self) -> Result<(), Failed> {
        if self.inputs.number("P_API_VERSION") != Some(Decimal::ONE) {
            let text = "Incompatible API call: the version is not 1.0";
            return Err(Failed::Unexpected(text.to_owned()));
        }
        if self.scope.org.is_none() {
            return expected("The operating unit of the call is not set");
        }
        for (name, most) in [
            ("P_RECEIPT_NUMBER", 30),
            ("P_CUSTOMER_RECEIPT_REFERENCE", 30),
            ("P_COMMENTS", 2000),
            ("P_REVERSAL_COMMENTS", 240),
        ] {
            // Limits count bytes (EB 9).
            let bytes = self.inputs.text(name).len();
            if bytes > most {
                return Err(Failed::Unexpected(format!(
                    "ORA-12899: value too large for column {name} (actual: {bytes}, maximum: {most})"
                )));
            }
        }
        Ok(())
    }

    /// An accounting date: at midnight, in an open AR period, which is not the general ledger's (EB 8.3, 9).
    fn accounting(
        &self,
        tables: &Tables,
        name: &str,
        default: Option<Date>,
        texts: &mut Vec<String>,
    ) -> Date {
        let given = self.inputs.date(name);
        let date = given.map(DateTime::date).or(default);
        if given.is_some_and(|given| given.time() != jiff::civil::Time::midnight()) {
            texts.push(format!("{name} has a time of day"));
        }
        let Some(date) = date else {
            texts.push(format!("{name} is missing"));
            return self.now.date();
        };
        if !tables.is_open(self.org(), date) {
            texts.push(format!("GL date {date} is in a closed period"));
        }
        date
    }

    /// Checks everything of a receipt, collecting messages, and makes it.
    fn create(&self, tables: &mut Tables, misc: bool) -> Result<u64, Failed> {
        let mut texts = Vec::new();
        let inputs = self.inputs;
        let currency = inputs.text("P_CURRENCY_CODE").to_owned();
        if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            texts.push("The currency is not valid".to_owned());
        }
        let amount = inputs.number("P_AMOUNT").map(|amount| amount.normalize());
        match amount {
            None => texts.push("Please enter the receipt amount".to_owned()),
            Some(amount) if amount < Decimal::ZERO && !misc => {
                texts.push("The receipt amount must not be negative".to_owned());
            }
            Some(amount) if amount.scale() > decimals(&currency) => {
                texts.push("The amount has more decimals than its currency".to_owned());
            }
            Some(_) => {}
        }
        let number = inputs.text("P_RECEIPT_NUMBER").to_owned();
        if number.is_empty() && !self.switches.numbers_receipts {
            texts.push("Please enter the receipt number".to_owned());
        }
        let date = inputs
            .date("P_RECEIPT_DATE")
            .map_or(self.now.date(), DateTime::date);
        let gl_date = self.accounting(tables, "P_GL_DATE", Some(date), &mut texts);
        let customer = if misc {
            None
        } else {
            self.payer(tables, &mut texts)
        };
        let (method, bank_account) = self.method(tables, &currency, &mut texts)?;
        let attributes = self.attributes(&mut texts);
        let draft = Draft {
            number,
            date,
            gl_date,
            amount: amount.unwrap_or_default(),
            currency,
            misc,
            customer,
            method,
            bank_account,
            reference: inputs.text("P_CUSTOMER_RECEIPT_REFERENCE").to_owned(),
            comments: inputs.text("P_COMMENTS").to_owned(),
            attributes,
            org: self.org(),
            lockbox: false,
        };
        if texts.is_empty() && tables.duplicate(&draft) {
            texts.push(
                "A cash receipt with this number, date, amount and customer already exists"
                    .to_owned(),
            );
        }
        if !texts.is_empty() {
            return Err(Failed::Expected(texts));
        }
        Ok(tables.create(draft, self.now, self.switches))
    }

    /// The customer; an id wins over a number (EB 5.3). None at all makes an unidentified receipt.
    fn payer(&self, tables: &Tables, texts: &mut Vec<String>) -> Option<u64> {
        let id = self.inputs.id("P_CUSTOMER_ID");
        let number = self.inputs.text("P_CUSTOMER_NUMBER");
        if id.is_none() && number.is_empty() {
            return None;
        }
        let found = match id {
            Some(id) => tables.customer(self.org(), id),
            None => tables
                .customers
                .values()
                .find(|own| own.org == self.org() && own.account_number == number),
        };
        let Some(found) = found.filter(|found| found.active) else {
            texts.push("The customer is not valid".to_owned());
            return None;
        };
        let site = self.inputs.id("P_CUSTOMER_SITE_USE_ID");
        if site.is_some_and(|site| site != found.site_use_id) {
            texts.push("The bill-to site is not one of the customer's".to_owned());
        }
        Some(found.account_id)
    }

    /// The method and its remittance account of the currency.
    fn method(
        &self,
        tables: &Tables,
        currency: &str,
        texts: &mut Vec<String>,
    ) -> Result<(u64, u64), Failed> {
        let name = self.inputs.text("P_RECEIPT_METHOD_NAME");
        let found = match self.inputs.id("P_RECEIPT_METHOD_ID") {
            Some(id) => tables.methods.get(&id),
            None => tables.methods.values().find(|own| own.name == name),
        };
        let Some(method) = found else {
            texts.push("The receipt method is not valid".to_owned());
            return Ok((0, 0));
        };
        let usual = method.accounts.get(currency);
        let account = match (self.inputs.id("P_REMITTANCE_BANK_ACCOUNT_ID"), usual) {
            // Known trouble with several operating units in one session (EB 5.3).
            (None, _) if self.scope.several_orgs => {
                return Err(Failed::Unexpected(
                    "ORA-01403: no data found in the remittance account".to_owned(),
                ));
            }
            (None, Some(usual)) => *usual,
            (Some(given), Some(usual)) if given == *usual => given,
            (Some(_) | None, _) => {
                texts.push("The remittance bank account is not valid for the method".to_owned());
                0
            }
        };
        Ok((method.id, account))
    }

    /// The flexfield: only in a context that the site has defined (EB 6).
    fn attributes(&self, texts: &mut Vec<String>) -> Columns {
        let mut record = self.inputs.record("P_ATTRIBUTE_REC");
        let context = record.remove("ATTRIBUTE_CATEGORY").unwrap_or_default();
        if !record.is_empty() && context != self.switches.attribute_context {
            texts.push("The flexfield context is not valid".to_owned());
        }
        let known = |name: &str| {
            name.strip_prefix("ATTRIBUTE")
                .and_then(|at| at.parse::<u8>().ok())
                .is_some_and(|at| (1..=15).contains(&at))
        };
        if record
            .iter()
            .any(|(name, value)| !known(name) || value.len() > 150)
        {
            texts.push("A flexfield value is not valid".to_owned());
        }
        record
    }

    /// The receipt that an operation speaks of.
    fn receipt(&self, tables: &Tables) -> Result<Receipt, Failed> {
        let id = self.inputs.id("P_CASH_RECEIPT_ID");
        let number = self.inputs.text("P_RECEIPT_NUMBER");
        if id.is_none() && number.is_empty() {
            return expected("Please enter the cash receipt");
        }
        let mut found = tables.receipts.values().filter(|receipt| {
            receipt.org == self.org() && id.map_or(receipt.number == number, |id| receipt.id == id)
        });
        match (found.next(), found.next()) {
            (Some(receipt), None) => Ok(receipt.clone()),
            (Some(_), Some(_)) => expected("The receipt number is not unique"),
            (None, _) => expected("The cash receipt does not exist"),
        }
    }

    /// The schedule that an application speaks of.
    fn schedule<'t>(&self, tables: &'t Tables) -> Result<&'t Invoice, Failed> {
        let id = self.inputs.id("P_APPLIED_PAYMENT_SCHEDULE_ID");
        let trx = self.inputs.id("P_CUSTOMER_TRX_ID");
        let number = self.inputs.text("P_TRX_NUMBER");
        let installment = self.inputs.id("P_INSTALLMENT");
        let mut found = tables.invoices.values().filter(|invoice| {
            invoice.org == self.org()
                && ["INV", "DM", "CB"].contains(&invoice.class)
                && match (id, trx) {
                    (Some(id), _) => invoice.schedule_id == id,
                    (None, Some(trx)) => invoice.trx_id == trx,
                    (None, None) => invoice.number == number,
                }
                && installment.is_none_or(|own| own == u64::from(invoice.installment))
        });
        match (found.next(), found.next()) {
            (Some(invoice), None) => Ok(invoice),
            (Some(_), Some(_)) => expected("The transaction has several installments"),
            (None, _) => expected("The transaction is not valid"),
        }
    }

    /// Applies an amount to the schedule, both checked.
    fn apply_to(&self, tables: &mut Tables, receipt: u64) -> Result<(), Failed> {
        let Some(receipt) = tables.receipts.get(&receipt).cloned() else {
            return expected("The cash receipt does not exist");
        };
        let invoice = self.schedule(tables)?.clone();
        let mut texts = Vec::new();
        let date = self
            .inputs
            .date("P_APPLY_DATE")
            .map_or(receipt.date, DateTime::date);
        self.accounting(tables, "P_APPLY_GL_DATE", Some(receipt.gl_date), &mut texts);
        if receipt.reversal.is_some() {
            texts.push("The receipt has been reversed".to_owned());
        }
        if receipt.customer != Some(invoice.customer) {
            texts.push("The transaction belongs to another customer".to_owned());
        }
        if !invoice.complete {
            texts.push("The transaction is not complete".to_owned());
        }
        if invoice.currency != receipt.currency {
            texts.push("The currencies differ and there is no rate".to_owned());
        }
        let amount = self.inputs.number("P_AMOUNT_APPLIED").unwrap_or_default();
        if amount <= Decimal::ZERO {
            texts.push("Please enter the amount to be applied".to_owned());
        } else if invoice.remaining.is_zero() {
            texts.push("The transaction is closed".to_owned());
        } else if amount > invoice.remaining {
            texts.push("You may not over apply this transaction".to_owned());
        } else if amount > tables.unapplied(&receipt) {
            texts.push("The amount applied is more than the unapplied amount".to_owned());
        }
        if !texts.is_empty() {
            return Err(Failed::Expected(texts));
        }
        tables.apply(
            receipt.id,
            invoice.schedule_id,
            amount.normalize(),
            date,
            self.now,
        );
        Ok(())
    }

    fn create_and_apply(&self, tables: &mut Tables) -> Done {
        let id = self.create(tables, false)?;
        self.apply_to(tables, id)?;
        self.capture(tables, id);
        Ok(created(id))
    }

    fn create_on_account(&self, tables: &mut Tables) -> Done {
        let id = self.create(tables, false)?;
        if let Some(receipt) = tables.receipts.get_mut(&id) {
            receipt.on_account = receipt.amount;
        }
        tables.touch(id, self.now);
        self.capture(tables, id);
        Ok(created(id))
    }

    /// Oracle Payments captures the money a second time if one lets it (EB 10 no. 15).
    fn capture(&self, tables: &mut Tables, id: u64) {
        let method = tables.receipts.get(&id).map_or(0, |receipt| receipt.method);
        let automatic = tables.methods.get(&method).is_some_and(|own| own.automatic);
        if automatic && self.inputs.text("P_CALL_PAYMENT_PROCESSOR") == "T" {
            tables.captured.push(id);
        }
    }

    fn apply(&self, tables: &mut Tables) -> Done {
        let receipt = self.receipt(tables)?;
        self.apply_to(tables, receipt.id)?;
        Ok(Row::new())
    }

    fn unapply(&self, tables: &mut Tables) -> Done {
        let receipt = self.receipt(tables)?;
        let schedule = self.schedule(tables)?.schedule_id;
        if tables
            .unapply(receipt.id, Some(schedule), self.now)
            .is_zero()
        {
            return expected("The receipt is not applied to the transaction");
        }
        Ok(Row::new())
    }

    fn apply_on_account(&self, tables: &mut Tables) -> Done {
        let receipt = self.receipt(tables)?;
        let amount = self.inputs.number("P_AMOUNT_APPLIED").unwrap_or_default();
        if amount <= Decimal::ZERO || amount > tables.unapplied(&receipt) {
            return expected("The amount applied is more than the unapplied amount");
        }
        if let Some(own) = tables.receipts.get_mut(&receipt.id) {
            own.on_account += amount;
        }
        tables.touch(receipt.id, self.now);
        Ok(Row::new())
    }

    fn reverse(&self, tables: &mut Tables) -> Done {
        let receipt = self.receipt(tables)?;
        let mut texts = Vec::new();
        if receipt.reversal.is_some() {
            texts.push("The receipt has already been reversed".to_owned());
        }
        let category = self.inputs.text("P_REVERSAL_CATEGORY_CODE").to_owned();
        if !["REV", "NSF", "STOP"].contains(&category.as_str()) {
            texts.push("The reversal category is not valid".to_owned());
        }
        let reason = self.inputs.text("P_REVERSAL_REASON_CODE").to_owned();
        if reason.is_empty() {
            texts.push("The reversal reason is not valid".to_owned());
        }
        let gl_date = self.accounting(tables, "P_REVERSAL_GL_DATE", None, &mut texts);
        let date = self
            .inputs
            .date("P_REVERSAL_DATE")
            .map_or(gl_date, DateTime::date);
        if !texts.is_empty() {
            return Err(Failed::Expected(texts));
        }
        let comments = self.inputs.text("P_REVERSAL_COMMENTS").to_owned();
        let reversal = Reversal {
            category,
            reason,
            date,
            gl_date,
            comments,
        };
        tables.reverse(receipt.id, reversal, self.now);
        Ok(Row::new())
    }
}

/// The attributes of a row that may be copied to a receipt.
pub(super) fn attributes_of(columns: &Columns) -> BTreeMap<String, String> {
    columns
        .iter()
        .filter(|(name, _)| name.starts_with("ATTRIBUTE") && *name != "ATTRIBUTE_CATEGORY")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
