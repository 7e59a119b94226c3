//! ARSTIN: invoices, debit and credit notes (SY 4.3).

use super::answer::{Findings, Node, counter, error_nodes, number, storable};
use super::company::{Company, Invoice, InvoicePay, Period};
use super::fields::{date_of, items, reference, verdict};
use super::keys::normal;
use super::period::{journal_digits, open_period};
use super::xml::{self, Element, Flag, Flags, PERIODS, YES_NO};
use super::{Outcome, Run};
use jiff::civil::Date;
use rust_decimal::Decimal;

const FLAGS: &[Flag] = &[
    ("PostingPeriod", PERIODS, "C"),
    ("IgnoreWarnings", YES_NO, "N"),
    ("ApplyIfEntireDocumentValid", YES_NO, "Y"),
    ("ValidateOnly", YES_NO, "N"),
    ("AutomaticTaxCalculation", YES_NO, "N"),
    ("IncludeDimensionAnalysis", YES_NO, "N"),
];

/// The order beyond the sheet's example is not documented, so none is enforced.
const ITEM: &[&str] = &[
    "TransactionType",
    "Customer",
    "PostToExistingInvoice",
    "GenerateInvoiceNumber",
    "Invoice",
    "InvoiceDate",
    "Reference",
    "InvoiceValue",
    "ProductClass",
    "Branch",
    "InvoiceTerms",
    "GeographicArea",
    "Salesperson",
    "CustomerPurchaseOrder",
];

struct Draft {
    kind: char,
    customer: String,
    invoice: String,
    existing: bool,
    generates: bool,
    date: Date,
    reference: String,
    value: Decimal,
    purchase_order: String,
    findings: Findings,
}

/// Runs the object.
pub(super) fn post(
    company: &mut Company,
    parameters: &str,
    document: &str,
    run: &Run<'_>,
) -> Outcome {
    let flags = Flags::read(parameters, "PostArInvoices", FLAGS)?;
    let document = items(document, "PostArInvoices", ITEM)?;
    let period = open_period(company, flags.get("PostingPeriod"), run)?;
    let ignore = flags.yes("IgnoreWarnings");
    let drafts: Vec<Draft> = document
        .children
        .iter()
        .map(|item| check(company, item, ignore, run))
        .collect();
    let (invalid, posts) = verdict(&flags, drafts.iter().map(|draft| &draft.findings));
    let mut root = Node::new("PostArInvoices");
    let mut validated = 0;
    let mut journal = None;
    for (at, mut draft) in drafts.into_iter().enumerate() {
        if !draft.findings.errors.is_empty() {
            let errors = error_nodes(&draft.findings.errors, run.switches);
            root.push(Node::new("Item").with_all(errors));
            continue;
        }
        validated += usize::from(posts || flags.yes("ValidateOnly"));
        if posts {
            let digits = journal_digits(run);
            let number =
                journal.get_or_insert_with(|| company.next_journal("ar_invoices", period, digits));
            carry_out(company, &mut draft, period, number);
        }
        root.push(Node::new("Item").leaves([
            ("Customer", draft.customer.clone()),
            ("Invoice", draft.invoice.clone()),
            ("DocumentType", draft.kind.to_string()),
            ("TransactionType", draft.kind.to_string()),
            ("ItemNumber", format!("{:06}", at + 1)),
        ]));
    }
    // Other names than ARSTPY has (SY 4.3).
    root.push(
        Node::new("StatusOfItems")
            .with(counter("ItemsValidated", validated, run.switches))
            .with(counter("InvalidItems", invalid, run.switches)),
    );
    Ok(root)
}

fn check(company: &Company, item: &Element, ignore_warnings: bool, run: &Run<'_>) -> Draft {
    let mut findings = Findings::default();
    let kind = item.text_or_blank("TransactionType");
    if !["I", "D", "C"].contains(&kind) {
        findings.error(
            "TransactionType",
            kind,
            number::BAD_VALUE,
            "Must be I, D or C",
        );
    }
    let kind = kind.chars().next().unwrap_or('I');
    let code = item.text_or_blank("Customer");
    match company.customer(code) {
        None => findings.error("Customer", code, number::NOT_FOUND, "Customer not found"),
        Some(customer) => {
            let flag = if kind == 'C' {
                "CrNotesAllowed"
            } else {
                "DrNotesAllowed"
            };
            if kind != 'I' && !customer.allows(flag) {
                findings.error(
                    "Customer",
                    code,
                    number::NOT_ALLOWED,
                    "Notes are not allowed",
                );
            }
        }
    }
    let existing = item.text_or_blank("PostToExistingInvoice") == "Y";
    let generates = item.text_or_blank("GenerateInvoiceNumber") == "Y";
    let invoice = item.text_or_blank("Invoice").to_owned();
    let on_file = company.invoice(code, &invoice).is_some();
    check_number(kind, &invoice, existing, generates, on_file, &mut findings);
    let text = item.text_or_blank("InvoiceValue");
    let value = xml::number(text, 2);
    if value.is_none_or(|value| value.is_sign_negative()) {
        let message = "Invoice value must be a number that is not negative";
        findings.error("InvoiceValue", text, number::NOT_NUMERIC, message);
    }
    if item.text_or_blank("ProductClass").is_empty() {
        findings.error(
            "ProductClass",
            "",
            number::REQUIRED,
            "A product class is required",
        );
    }
    let date = date_of(item, "InvoiceDate", &mut findings, run);
    let reference = reference(item.text_or_blank("Reference"), &mut findings, run);
    findings.settle(ignore_warnings);
    Draft {
        kind,
        customer: company
            .customer(code)
            .map_or(code, |own| own.code.as_str())
            .to_owned(),
        invoice,
        existing,
        generates,
        date,
        reference,
        value: value.unwrap_or_default(),
        purchase_order: storable(item.text_or_blank("CustomerPurchaseOrder")),
        findings,
    }
}

/// A number that is given or made, new or on file, as the two flags say (SY 4.3).
fn check_number(
    kind: char,
    invoice: &str,
    existing: bool,
    generates: bool,
    on_file: bool,
    findings: &mut Findings,
) {
    match (existing, generates) {
        (true, true) | (false, false) if existing || invoice.is_empty() => {
            let text = "An invoice number is required";
            findings.error("Invoice", invoice, number::REQUIRED, text);
        }
        (true, false) if kind == 'I' => {
            let text = "Only notes can be posted to an existing invoice";
            findings.error("PostToExistingInvoice", "Y", number::BAD_VALUE, text);
        }
        (true, false) if !on_file => {
            findings.error("Invoice", invoice, number::NOT_FOUND, "Invoice not found");
        }
        (false, false) if on_file => {
            findings.error(
                "Invoice",
                invoice,
                number::DUPLICATE,
                "Duplicate key on table",
            );
        }
        _ => {}
    }
}

/// Posts a note or invoice. Its reference lands in ArInvoicePay, which is inferred (SY 5.1).
fn carry_out(company: &mut Company, draft: &mut Draft, period: Period, journal: &str) {
    let customer = normal(&draft.customer);
    let signed = if draft.kind == 'C' {
        -draft.value
    } else {
        draft.value
    };
    if draft.existing {
        if let Some(invoice) = company.invoice_mut(&customer, &draft.invoice) {
            invoice.balance += signed;
        }
    } else {
        if draft.generates {
            let all = Period { year: 0, number: 0 };
            draft.invoice = company.next_journal("invoice_number", all, 6);
        }
        company.put_invoice(Invoice {
            customer: customer.clone(),
            number: draft.invoice.clone(),
            document_type: draft.kind,
            date: draft.date,
            value: signed,
            balance: signed,
            terms_discount: None,
            purchase_order: draft.purchase_order.clone(),
            period,
        });
    }
    let entry = company.next_entry(&customer, &draft.invoice);
    let currency = company
        .customer(&customer)
        .map(|own| own.field("Currency").to_owned());
    company.pays.push(InvoicePay {
        customer,
        invoice: draft.invoice.clone(),
        document_type: draft.kind,
        entry,
        kind: draft.kind,
        date: draft.date,
        journal: journal.to_owned(),
        reference: draft.reference.clone(),
        value: signed,
        discount: Decimal::ZERO,
        period,
        currency: currency.unwrap_or_default(),
        notation: String::new(),
    });
}
