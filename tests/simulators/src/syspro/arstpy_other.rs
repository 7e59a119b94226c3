//! The other two entries of ARSTPY: adjustments and miscellaneous receipts (SY 4.1).

use super::Run;
use super::answer::{Exception, Findings, number, storable};
use super::arstpy::Journal;
use super::company::{Company, InvoicePay, Receipt};
use super::fields::{amount, bank, date_of, reference};
use super::keys::normal;
use super::xml::Element;
use jiff::civil::Date;
use rust_decimal::Decimal;

const ADJUSTMENTS: &[&str] = &[
    "Customer",
    "Bank",
    "PaymentType",
    "DrawerName",
    "DrawerBank",
    "DrawerBranch",
    "InvoiceToAdjust*",
];

const INVOICE_TO_ADJUST: &[&str] = &[
    "TransactionType",
    "Invoice",
    "AdjustmentValue",
    "AdjustmentTaxCode",
    "TaxPortionOfAdjustment",
    "Reference",
    "AdjustmentLedgerCode",
    "PasswordForAdjustmentLedgerCode",
    "JournalNotation",
];

const MISCELLANEOUS: &[&str] = &[
    "Bank",
    "Currency",
    "Branch",
    "MiscellaneousReceiptValue",
    "Reference",
    "MiscellaneousReceiptDate",
    "DebitLedgerCode",
    "PasswordForDebitLedgerCode",
    "CreditLedgerCode",
    "PasswordForCreditLedgerCode",
    "JournalNotation",
    "MiscellaneousExchangeRate",
    "PaymentType",
    "DrawerName",
    "DrawerBank",
    "DrawerBranch",
    "BankChargeValue",
];

/// One adjustment of one invoice. A positive value lowers the balance; the sign is unverified (SY 4.2).
pub(super) struct Adjustment {
    customer: String,
    invoice: String,
    value: Decimal,
    reference: String,
    notation: String,
    date: Date,
}

/// Money that belongs to no customer.
pub(super) struct Miscellaneous {
    value: Decimal,
    reference: String,
    date: Date,
    currency: String,
    bank: String,
    notation: String,
}

pub(super) fn check_adjustments_shape(entry: &Element, ordered: bool) -> Result<(), Exception> {
    entry.expect_children(ADJUSTMENTS, ordered)?;
    entry
        .all("InvoiceToAdjust")
        .try_for_each(|one| one.expect_children(INVOICE_TO_ADJUST, ordered))
}

pub(super) fn check_miscellaneous_shape(entry: &Element, ordered: bool) -> Result<(), Exception> {
    entry.expect_children(MISCELLANEOUS, ordered)
}

/// Checks the adjustments of one item.
pub(super) fn check_adjustments(
    company: &Company,
    entry: &Element,
    findings: &mut Findings,
    run: &Run<'_>,
) -> Vec<Adjustment> {
    let code = entry.text_or_blank("Customer");
    match company.customer(code) {
        None => findings.error("Customer", code, number::NOT_FOUND, "Customer not found"),
        // The screen's rules forbid adjustments for a customer on hold (SY 4.2).
        Some(customer) if customer.field("CustomerOnHold") == "Y" => {
            findings.error("Customer", code, number::ON_HOLD, "Customer is on hold");
        }
        Some(_) => {}
    }
    let customer = normal(code);
    let date = date_of(entry, "Date", findings, run);
    entry
        .all("InvoiceToAdjust")
        .map(|one| {
            let invoice = one.text_or_blank("Invoice");
            if company.invoice(&customer, invoice).is_none() {
                findings.error("Invoice", invoice, number::NOT_FOUND, "Invoice not found");
            }
            let text = one.text_or_blank("AdjustmentValue");
            let value = amount("AdjustmentValue", text, findings).unwrap_or_default();
            if value.is_zero() {
                findings.error(
                    "AdjustmentValue",
                    text,
                    number::BAD_VALUE,
                    "Value may not be zero",
                );
            }
            if one.text_or_blank("JournalNotation").is_empty() {
                findings.error(
                    "JournalNotation",
                    "",
                    number::REQUIRED,
                    "A notation is required",
                );
            }
            let ledger = one.text_or_blank("AdjustmentLedgerCode");
            if !ledger.is_empty() && company.ledger_code(ledger).is_none() {
                findings.error(
                    "AdjustmentLedgerCode",
                    ledger,
                    number::NOT_FOUND,
                    "Not found",
                );
            }
            Adjustment {
                customer: customer.clone(),
                invoice: invoice.to_owned(),
                value,
                reference: reference(one.text_or_blank("Reference"), findings, run),
                notation: storable(one.text_or_blank("JournalNotation")),
                date,
            }
        })
        .collect()
}

/// Posts checked adjustments. Gives the customer's code.
pub(super) fn post_adjustments(
    company: &mut Company,
    adjustments: Vec<Adjustment>,
    journal: &Journal,
) -> String {
    let mut code = String::new();
    for adjustment in adjustments {
        let (customer_code, currency) = match company.customers.get(&adjustment.customer) {
            Some(customer) => (customer.code.clone(), customer.field("Currency").to_owned()),
            None => continue,
        };
        code = customer_code;
        let entry = company.next_entry(&adjustment.customer, &adjustment.invoice);
        let mut document_type = 'I';
        if let Some(invoice) = company.invoice_mut(&adjustment.customer, &adjustment.invoice) {
            invoice.balance -= adjustment.value;
            document_type = invoice.document_type;
        }
        company.pays.push(InvoicePay {
            customer: adjustment.customer,
            invoice: adjustment.invoice,
            document_type,
            entry,
            kind: 'A',
            date: adjustment.date,
            journal: journal.number.clone(),
            reference: adjustment.reference,
            value: adjustment.value,
            discount: Decimal::ZERO,
            period: journal.period,
            currency,
            notation: adjustment.notation,
        });
    }
    code
}

/// Checks a miscellaneous receipt.
pub(super) fn check_miscellaneous(
    company: &Company,
    entry: &Element,
    findings: &mut Findings,
    run: &Run<'_>,
) -> Miscellaneous {
    let text = entry.text_or_blank("MiscellaneousReceiptValue");
    let value = amount("MiscellaneousReceiptValue", text, findings).unwrap_or_default();
    if value.is_zero() {
        findings.error(
            "MiscellaneousReceiptValue",
            text,
            number::BAD_VALUE,
            "May not be zero",
        );
    }
    if value < Decimal::ZERO {
        findings.warning("MiscellaneousReceiptValue", text, "Value is negative");
    }
    for field in ["DebitLedgerCode", "CreditLedgerCode"] {
        let code = entry.text_or_blank(field);
        if !code.is_empty() && company.ledger_code(code).is_none() {
            findings.error(field, code, number::NOT_FOUND, "Ledger code not found");
        }
    }
    let currency = match entry.text_or_blank("Currency") {
        "" => company.local_currency.clone(),
        code => code.to_owned(),
    };
    if !company.currencies.contains_key(&currency) {
        findings.error(
            "Currency",
            &currency,
            number::NOT_FOUND,
            "Currency not found",
        );
    }
    Miscellaneous {
        value,
        reference: reference(entry.text_or_blank("Reference"), findings, run),
        date: date_of(entry, "MiscellaneousReceiptDate", findings, run),
        currency,
        bank: bank(company, entry, findings, run),
        notation: storable(entry.text_or_blank("JournalNotation")),
    }
}

/// Posts a checked miscellaneous receipt.
pub(super) fn post_miscellaneous(
    company: &mut Company,
    receipt: Miscellaneous,
    journal: &Journal,
) -> String {
    let currency = company.iso(&receipt.currency);
    company.receipts.push(Receipt {
        company: company.id.clone(),
        customer: String::new(),
        reference: receipt.reference,
        amount: receipt.value,
        currency,
        date: receipt.date,
        period: journal.period,
        bank: receipt.bank,
        journal: journal.number.clone(),
        notation: receipt.notation,
        narration: String::new(),
        distribution: Vec::new(),
        gl_failed: journal.gl_failed,
    });
    String::new()
}

impl Company {
    /// A ledger code.
    pub fn ledger_code(&self, code: &str) -> Option<&super::company::LedgerCode> {
        self.ledger.iter().find(|own| own.code == code)
    }
}
