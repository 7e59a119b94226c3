//! The `Payment` of ARSTPY: reading, checking against the books, posting (SY 4.1).

use super::answer::{Exception, Findings, number, storable};
use super::arstpy::Journal;
use super::company::{Company, Customer, Invoice, InvoicePay, Period, Receipt};
use super::keys::normal;
use super::settings::{Negatives, TooLong};
use super::xml::{self, Element, Flags};
use super::{Fault, Run};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

/// Longest AR reference (SY 9.2).
pub(super) const REFERENCE_MAX: usize = 30;

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
enum Target {
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
struct Part {
    target: Target,
    gross: Decimal,
    discount: Decimal,
}

/// A payment that was checked.
pub(super) struct Payment {
    customer: String,
    value: Decimal,
    reference: String,
    date: Date,
    notation: String,
    narration: String,
    bank: String,
    parts: Vec<Part>,
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
    period: Period,
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
    let mut parts = Vec::new();
    let customer_key = normal(code);
    for invoice in payment.all("InvoiceToPay") {
        parts.extend(invoice_part(
            company,
            &customer_key,
            invoice,
            date,
            findings,
        ));
    }
    for invoice in payment.all("InvoiceToReEstablish") {
        parts.extend(re_established_part(
            company,
            &customer_key,
            invoice,
            date,
            findings,
        ));
    }
    for unapplied in payment.all("UnappliedPayment") {
        parts.push(unapplied_part(unapplied, findings));
    }
    for check in payment.all("PostDatedCheck") {
        for name in ["CheckDate", "CheckNumber"] {
            if check.text_or_blank(name).is_empty() {
                findings.error(name_of(name), "", number::REQUIRED, "A value is required");
            }
        }
    }
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
    let _ = period;
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

/// Default is the server's date when absent, blank or zero (SY 4.1).
pub(super) fn date_of(
    element: &Element,
    name: &'static str,
    findings: &mut Findings,
    run: &Run<'_>,
) -> Date {
    let today = run.now.to_zoned(TimeZone::UTC).date();
    match element.text_or_blank(name) {
        "" | "0" | "0000-00-00" => today,
        text => xml::date(text).unwrap_or_else(|| {
            findings.error(name, text, number::BAD_DATE, "Invalid date");
            today
        }),
    }
}

/// A reference of at most 30 characters (SY 5.1).
pub(super) fn reference(text: &str, findings: &mut Findings, run: &Run<'_>) -> String {
    let text = storable(text);
    if text.chars().count() <= REFERENCE_MAX {
        return text;
    }
    match run.switches.long_reference {
        TooLong::Rejected => {
            findings.error(
                "Reference",
                &text,
                number::TOO_LONG,
                "Reference is too long",
            );
            text
        }
        TooLong::Truncated => text.chars().take(REFERENCE_MAX).collect(),
    }
}

/// Used and checked only where deposit slips are required; blank means the operator's bank (SY 4.1).
pub(super) fn bank(
    company: &Company,
    element: &Element,
    findings: &mut Findings,
    run: &Run<'_>,
) -> String {
    if !run.switches.deposit_slips {
        return String::new();
    }
    let code = match element.text_or_blank("Bank") {
        "" => run.operator_bank,
        code => code,
    };
    if !company.banks.iter().any(|bank| bank.code == code) {
        findings.error("Bank", code, number::NOT_FOUND, "Bank not found");
    }
    let kind = element.text_or_blank("PaymentType");
    if !["", "C", "S", "O"].contains(&kind) {
        findings.error(
            "PaymentType",
            kind,
            number::BAD_VALUE,
            "Payment type must be C, S or O",
        );
    }
    code.to_owned()
}

/// A money value; blank is zero (SY 3.5, 9.3).
pub(super) fn amount(field: &'static str, text: &str, findings: &mut Findings) -> Option<Decimal> {
    if text.is_empty() {
        return Some(Decimal::ZERO);
    }
    let value = xml::number(text, 2);
    if value.is_none() {
        findings.error(field, text, number::NOT_NUMERIC, "Value is not numeric");
    }
    value
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
        invoice.customer == customer
            && invoice.balance > Decimal::ZERO
            && options.text_or_blank(option) != "N"
    };
    let mut open: Vec<&Invoice> = company.invoices.iter().filter(included).collect();
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

/// N: the value must be distributed in full. Y: the value becomes what was distributed. U: the rest becomes an unapplied
/// payment (SY 4.1, AutoCorrectPaymentValue).
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

fn name_of(name: &str) -> &'static str {
    if name == "CheckDate" {
        "CheckDate"
    } else {
        "CheckNumber"
    }
}

/// Posts a checked payment: invoices, ArInvoicePay rows with the reference, the receipt. Gives the customer's code.
pub(super) fn post(
    company: &mut Company,
    payment: Payment,
    journal: &Journal,
    run: &Run<'_>,
) -> String {
    let (code, currency) = match company.customers.get(&payment.customer) {
        Some(customer) => (customer.code.clone(), customer.field("Currency").to_owned()),
        None => return String::new(),
    };
    let mut distribution = Vec::new();
    for part in &payment.parts {
        let number = target_invoice(company, &payment, part, journal);
        let own = |invoice: &&mut Invoice| {
            invoice.customer == payment.customer && invoice.number == number
        };
        let document_type = match company.invoices.iter_mut().find(own) {
            Some(invoice) => {
                invoice.balance -= part.gross;
                invoice.document_type
            }
            None => 'I',
        };
        let entry = company.next_entry(&payment.customer, &number);
        let net = part.gross - part.discount;
        let sign = if run.switches.negative_pay_rows {
            Decimal::NEGATIVE_ONE
        } else {
            Decimal::ONE
        };
        company.pays.push(InvoicePay {
            customer: payment.customer.clone(),
            invoice: number.clone(),
            document_type,
            entry,
            kind: 'P',
            date: payment.date,
            journal: journal.number.clone(),
            reference: payment.reference.clone(),
            value: net * sign,
            discount: part.discount * sign,
            period: journal.period,
            currency: currency.clone(),
            notation: payment.notation.clone(),
        });
        distribution.push((number, net));
    }
    let receipt = Receipt {
        company: company.id.clone(),
        customer: code.clone(),
        reference: payment.reference,
        amount: payment.value,
        currency: company.iso(&currency),
        date: payment.date,
        period: journal.period,
        bank: payment.bank,
        journal: journal.number.clone(),
        notation: payment.notation,
        narration: payment.narration,
        distribution,
        gl_failed: journal.gl_failed,
    };
    company.receipts.push(receipt);
    code
}

/// The invoice that a part goes to, made where needed. Gives its number.
fn target_invoice(
    company: &mut Company,
    payment: &Payment,
    part: &Part,
    journal: &Journal,
) -> String {
    let (number, document_type, date, value, purchase_order) = match &part.target {
        Target::Invoice(number) => return number.clone(),
        Target::ReEstablish {
            number,
            value,
            date,
            purchase_order,
        } => (number.clone(), 'I', *date, *value, purchase_order.clone()),
        Target::Credit { purchase_order } => {
            let number = company.next_credit(&payment.customer);
            (
                number,
                'C',
                payment.date,
                Decimal::ZERO,
                purchase_order.clone(),
            )
        }
    };
    company.invoices.push(Invoice {
        customer: payment.customer.clone(),
        number: number.clone(),
        document_type,
        date,
        value,
        // A re-established invoice was paid; only what this payment does to it counts.
        balance: Decimal::ZERO,
        terms_discount: None,
        purchase_order,
        period: journal.period,
    });
    number
}

impl Company {
    /// `_CRDnn`, the next number of the customer (SY 4.1).
    fn next_credit(&mut self, customer: &str) -> String {
        let credits = self.customers.get_mut(customer).map_or(1, |customer| {
            customer.credits += 1;
            customer.credits
        });
        format!("_CRD{credits:02}")
    }

    /// The next entry number of an invoice, the last part of the key of ArInvoicePay (SY 5.2).
    pub(super) fn next_entry(&self, customer: &str, invoice: &str) -> usize {
        let own = |pay: &&InvoicePay| pay.customer == customer && pay.invoice == invoice;
        self.pays
            .iter()
            .rev()
            .find(own)
            .map_or(1, |pay| pay.entry + 1)
    }
}
