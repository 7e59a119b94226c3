//! The `Payment` of ARSTPY: reading, checking against the books, posting (SY 4.1).

use super::answer::{Exception, Findings, number, storable};
use super::company::{Company, Customer, Invoice};
use super::fields::{amount, bank, date_of, reference};
use super::keys::normal;
use super::settings::Negatives;
use super::xml::{self, Element, Flags};
use super::{Fault, Run};
use jiff::civil::Date;
use rust_decimal::Decimal;

/// Children of `Payment` in schema order (SY 4.1).
const PAYMENT: &[&str] = &[
    "Customer",
    "PaymentValue",
    "Reference",
    "PaymentDate",
    "JournalNotation",
    "PaymentNarration",
    "DefaultExchangeRateMethod",
    "DefaultExchangeRateToUse",
    "ExchangeRateVarianceLedgerCode",
    "PasswordExchangeRateVarianceLedgerCode",
    "ApplyDuePostDatedChecks",
    "Bank",
    "PaymentType",
    "DrawerName",
    "DrawerBank",
    "DrawerBranch",
    "BankChargeValue",
    "BankChargeExchangeRate",
    "InvoiceToPay*",
    "AutomaticPaymentsOptions",
    "SumCreditValuesOptions",
    "InvoiceToReEstablish*",
    "UnappliedPayment*",
    "PostDatedCheck*",
];

const INVOICE_TO_PAY: &[&str] = &[
    "TransactionType",
    "Invoice",
    "GrossPaymentValue",
    "DiscountValue",
    "TaxPortionOfDiscount",
    "WithholdingTaxValue",
    "CustomerPurchaseOrder",
    "ExchangeRateToUse",
];

const AUTOMATIC: &[&str] = &[
    "ApplyAutomaticPayments",
    "AutomaticPaymentsSequence",
    "IncludeFutureInvoices",
    "IncludeCurrentInvoices",
    "Include30DayInvoices",
    "Include60DayInvoices",
    "Include90DayInvoices",
    "Include120DayAndOverInvoices",
];

const RE_ESTABLISH: &[&str] = &[
    "Invoice",
    "OriginalInvoiceValue",
    "OriginalInvoiceDate",
    "OriginalInvoiceTerms",
    "OriginalDiscountValue",
    "OriginalCustomerPurchaseOrder",
    "OriginalExchangeRate",
    "GrossPaymentValue",
    "DiscountValue",
];

const UNAPPLIED: &[&str] = &[
    "GrossPaymentValue",
    "DiscountValue",
    "CustomerPurchaseOrder",
];

/// Where a part of the money goes.
pub(super) enum Target {
    /// An invoice on file.
    Invoice(String),
    /// An invoice that is no longer on file and comes back.
    ReEstablish {
        number: String,
        value: Decimal,
        date: Date,
        purchase_order: String,
    },
    /// A `_CRDnn` invoice that is made to hold it.
    Credit { purchase_order: String },
}

/// One part of the money.
pub(super) struct Part {
    pub(super) target: Target,
    pub(super) gross: Decimal,
    pub(super) discount: Decimal,
}

/// A payment that was checked.
pub(super) struct Payment {
    pub(super) customer: String,
    pub(super) value: Decimal,
    pub(super) reference: String,
    pub(super) date: Date,
    pub(super) notation: String,
    pub(super) narration: String,
    pub(super) bank: String,
    pub(super) parts: Vec<Part>,
}

/// Refuses unlisted elements (SY 3.5).
pub(super) fn check_shape(payment: &Element, ordered: bool) -> Result<(), Exception> {
    payment.expect_children(PAYMENT, ordered)?;
    for child in &payment.children {
        let listed = match child.name.as_str() {
            "InvoiceToPay" => INVOICE_TO_PAY,
            "AutomaticPaymentsOptions" => AUTOMATIC,
            "InvoiceToReEstablish" => RE_ESTABLISH,
            "UnappliedPayment" => UNAPPLIED,
            "PostDatedCheck" => &["CheckDate", "CheckNumber"],
            // Its members are not documented, and it is to be kept out (SY 4.1).
            _ => &[],
        };
        child.expect_children(listed, ordered)?;
    }
    Ok(())
}

/// Checks a payment against the books.
pub(super) fn check(
    company: &Company,
    payment: &Element,
    flags: &Flags,
    findings: &mut Findings,
    run: &Run<'_>,
) -> Payment {
    let code = payment.text_or_blank("Customer");
    let customer = company.customer(code);
    match customer {
        None => findings.error("Customer", code, number::NOT_FOUND, "Customer not found"),
        Some(customer) => check_customer(customer, findings, run),
    }
    let date = date_of(payment, "PaymentDate", findings, run);
    let customer_key = normal(code);
    let mut parts = stated_parts(company, &customer_key, payment, date, findings);
    let stated = payment
        .text_of("PaymentValue")
        .map(|text| amount("PaymentValue", text, findings).unwrap_or_default());
    if let (Some(options), Some(stated)) = (payment.child("AutomaticPaymentsOptions"), stated) {
        automatic_parts(company, &customer_key, options, stated, date, &mut parts);
    }
    let value = distribute(
        stated,
        flags.get("AutoCorrectPaymentValue"),
        &mut parts,
        findings,
    );
    check_unapplied(customer, &parts, findings);
    check_signs(value, &parts, findings, run);
    if run.switches.notation_required && payment.child("JournalNotation").is_none() {
        findings.error(
            "JournalNotation",
            "",
            number::REQUIRED,
            "A journal notation is required",
        );
    }
    Payment {
        customer: customer_key,
        value,
        reference: reference(payment.text_or_blank("Reference"), findings, run),
        date,
        notation: storable(payment.text_or_blank("JournalNotation")),
        narration: storable(payment.text_or_blank("PaymentNarration")),
        bank: bank(company, payment, findings, run),
        parts,
    }
}

/// Every part that the document itself names.
fn stated_parts(
    company: &Company,
    customer: &str,
    payment: &Element,
    date: Date,
    findings: &mut Findings,
) -> Vec<Part> {
    let mut parts = Vec::new();
    for invoice in payment.all("InvoiceToPay") {
        parts.extend(invoice_part(company, customer, invoice, date, findings));
    }
    for invoice in payment.all("InvoiceToReEstablish") {
        parts.extend(re_established_part(
            company, customer, invoice, date, findings,
        ));
    }
    for unapplied in payment.all("UnappliedPayment") {
        parts.push(unapplied_part(unapplied, findings));
    }
    for check in payment.all("PostDatedCheck") {
        for name in ["CheckDate", "CheckNumber"] {
            if check.text_or_blank(name).is_empty() {
                findings.error(name, "", number::REQUIRED, "A value is required");
            }
        }
    }
    parts
}

fn check_customer(customer: &Customer, findings: &mut Findings, run: &Run<'_>) {
    let held = customer.field("CustomerOnHold") == "Y" && run.switches.hold_stops_receipts;
    if held || run.hit(&Fault::CustomerOnHold) {
        findings.error(
            "Customer",
            &customer.code,
            number::ON_HOLD,
            "Customer is on hold",
        );
    }
    // SY 10 no. 33: the flag exists; that it refuses is inferred.
    if !customer.allows("PaymentsAllowed") {
        let text = "Payments are not allowed for this customer";
        findings.error("Customer", &customer.code, number::NOT_ALLOWED, text);
    }
}

/// Absent gross: the whole balance; absent discount: the terms discount when in time and paid in full; blank: zero.
fn invoice_part(
    company: &Company,
    customer: &str,
    element: &Element,
    date: Date,
    findings: &mut Findings,
) -> Option<Part> {
    let kind = element.text_or_blank("TransactionType");
    if !["", "I", "C", "D"].contains(&kind) {
        findings.error(
            "TransactionType",
            kind,
            number::BAD_VALUE,
            "Must be I, C or D",
        );
    }
    let number = element.text_or_blank("Invoice");
    let Some(invoice) = company.invoice(customer, number) else {
        findings.error("Invoice", number, number::NOT_FOUND, "Invoice not found");
        return None;
    };
    let stated = match element.text_of("GrossPaymentValue") {
        None => None,
        Some(text) => Some(amount("GrossPaymentValue", text, findings)?),
    };
    let gross = stated.unwrap_or(invoice.balance);
    let in_full = gross == invoice.balance;
    let discount = match element.text_of("DiscountValue") {
        Some(text) => amount("DiscountValue", text, findings)?,
        None => match invoice.terms_discount {
            Some((discount, until)) if date <= until && in_full => discount,
            _ => Decimal::ZERO,
        },
    };
    if gross > Decimal::ZERO && gross > invoice.balance.max(Decimal::ZERO) {
        findings.warning(
            "GrossPaymentValue",
            gross.to_string(),
            "Invoice is over-paid",
        );
    }
    Some(Part {
        target: Target::Invoice(number.to_owned()),
        gross,
        discount,
    })
}

fn re_established_part(
    company: &Company,
    customer: &str,
    element: &Element,
    date: Date,
    findings: &mut Findings,
) -> Option<Part> {
    let number = element.text_or_blank("Invoice").to_owned();
    if number.is_empty() || company.invoice(customer, &number).is_some() {
        findings.error(
            "Invoice",
            &number,
            number::BAD_VALUE,
            "Invoice is still on file",
        );
        return None;
    }
    let value = amount(
        "OriginalInvoiceValue",
        element.text_or_blank("OriginalInvoiceValue"),
        findings,
    )?;
    let gross = amount(
        "GrossPaymentValue",
        element.text_or_blank("GrossPaymentValue"),
        findings,
    )?;
    let purchase_order = match element.text_or_blank("OriginalCustomerPurchaseOrder") {
        "" => "Re-established".to_owned(),
        text => storable(text),
    };
    let date = xml::date(element.text_or_blank("OriginalInvoiceDate")).unwrap_or(date);
    let target = Target::ReEstablish {
        number,
        value,
        date,
        purchase_order,
    };
    Some(Part {
        target,
        gross,
        discount: Decimal::ZERO,
    })
}

fn unapplied_part(element: &Element, findings: &mut Findings) -> Part {
    let mut of = |name: &'static str| {
        amount(name, element.text_or_blank(name), findings).unwrap_or_default()
    };
    let gross = of("GrossPaymentValue");
    let discount = of("DiscountValue");
    let purchase_order = match element.text_or_blank("CustomerPurchaseOrder") {
        "" => "Unapplied cash".to_owned(),
        text => storable(text),
    };
    Part {
        target: Target::Credit { purchase_order },
        gross,
        discount,
    }
}

/// Pays open invoices in order until the undistributed part is used (SY 4.1, AutomaticPaymentsOptions).
fn automatic_parts(
    company: &Company,
    customer: &str,
    options: &Element,
    stated: Decimal,
    date: Date,
    parts: &mut Vec<Part>,
) {
    if options.text_or_blank("ApplyAutomaticPayments") != "Y" {
        return;
    }
    let included = |invoice: &&Invoice| {
        let age = date.since(invoice.date).map_or(0, |span| span.get_days());
        let option = match age {
            i32::MIN..0 => "IncludeFutureInvoices",
            0..30 => "IncludeCurrentInvoices",
            30..60 => "Include30DayInvoices",
            60..90 => "Include60DayInvoices",
            90..120 => "Include90DayInvoices",
            _ => "Include120DayAndOverInvoices",
        };
        invoice.balance > Decimal::ZERO && options.text_or_blank(option) != "N"
    };
    let mut open: Vec<&Invoice> = company.invoices_of(customer).filter(included).collect();
    if options.text_or_blank("AutomaticPaymentsSequence") == "D" {
        open.sort_by_key(|invoice| invoice.date);
    } else {
        open.sort_by(|left, right| left.number.cmp(&right.number));
    }
    let mut left = stated - net_of(parts);
    for invoice in open {
        let taken =
            |part: &Part| matches!(&part.target, Target::Invoice(n) if *n == invoice.number);
        if left <= Decimal::ZERO || parts.iter().any(taken) {
            continue;
        }
        let gross = left.min(invoice.balance);
        left -= gross;
        let target = Target::Invoice(invoice.number.clone());
        parts.push(Part {
            target,
            gross,
            discount: Decimal::ZERO,
        });
    }
}

fn net_of(parts: &[Part]) -> Decimal {
    parts.iter().map(|part| part.gross - part.discount).sum()
}

/// N: the value must be distributed in full. Y: the value becomes what was distributed. U: the rest becomes
/// an unapplied payment (SY 4.1, AutoCorrectPaymentValue).
fn distribute(
    stated: Option<Decimal>,
    auto_correct: &str,
    parts: &mut Vec<Part>,
    findings: &mut Findings,
) -> Decimal {
    let net = net_of(parts);
    let Some(stated) = stated else { return net };
    if stated == net {
        return stated;
    }
    let same_direction = (stated - net).is_sign_positive() == stated.is_sign_positive();
    match auto_correct {
        "Y" => net,
        "U" if same_direction => {
            let target = Target::Credit {
                purchase_order: "Unapplied cash".to_owned(),
            };
            parts.push(Part {
                target,
                gross: stated - net,
                discount: Decimal::ZERO,
            });
            stated
        }
        _ => {
            let text = "Payment value has not been distributed in full";
            findings.error(
                "PaymentValue",
                stated.to_string(),
                number::NOT_DISTRIBUTED,
                text,
            );
            stated
        }
    }
}

fn check_unapplied(customer: Option<&Customer>, parts: &[Part], findings: &mut Findings) {
    let unapplied = parts
        .iter()
        .any(|part| matches!(part.target, Target::Credit { .. }));
    if let Some(customer) = customer.filter(|own| unapplied && !own.allows("UnappPayAllowed")) {
        let text = "Unapplied payments are not allowed for this customer";
        findings.error(
            "UnappliedPayment",
            &customer.code,
            number::NOT_ALLOWED,
            text,
        );
    }
}

/// Zero is a warning; what happens to negatives is a switch (SY 4.2, 8.2).
fn check_signs(value: Decimal, parts: &[Part], findings: &mut Findings, run: &Run<'_>) {
    if value.is_zero() && parts.is_empty() {
        findings.warning("PaymentValue", value.to_string(), "Payment value is zero");
    }
    let negative = value < Decimal::ZERO || parts.iter().any(|part| part.gross < Decimal::ZERO);
    match run.switches.negatives {
        Negatives::Warned if negative => {
            findings.warning(
                "PaymentValue",
                value.to_string(),
                "Payment value is negative",
            );
        }
        Negatives::Rejected if negative => {
            let text = "Payment value may not be negative";
            findings.error("PaymentValue", value.to_string(), number::BAD_VALUE, text);
        }
        Negatives::Accepted | Negatives::Warned | Negatives::Rejected => {}
    }
}
