//! Posting a checked payment of ARSTPY: invoices, ArInvoicePay rows, the receipt (SY 4.1, 5.2).

use super::Run;
use super::arstpy::Journal;
use super::arstpy_payment::{Part, Payment, Target};
use super::company::{Company, Invoice, InvoicePay, Receipt};
use rust_decimal::Decimal;

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
        let document_type = match company.invoice_mut(&payment.customer, &number) {
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
    company.put_invoice(Invoice {
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
}
