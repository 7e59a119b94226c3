//! ARSQRY: a customer's account (SY 4.4).

use super::answer::{Exception, Node, padded};
use super::company::{Company, Customer, Invoice, Receipt};
use super::keys::normal;
use super::xml::{Element, YES_NO};
use super::{Outcome, Run};
use rust_decimal::Decimal;

const OPTIONS: &[&str] = &[
    "IncludeFutures",
    "IncludeTransactions",
    "IncludeInvoices",
    "IncludeCheckPayments",
    "IncludePostDated",
    "IncludeZeroBalances",
    "IncludeCustomForms",
    "IncludePaymentRequests",
    "AsOfPeriod",
    "XslStylesheet",
];

/// Runs the query. A customer that does not exist is an exception, not an XML error (SY 4.4).
pub(super) fn query(company: &Company, document: &str, run: &Run<'_>) -> Outcome {
    let query = Element::parse(document, "XmlIn")?;
    query.expect_root("Query")?;
    query.expect_children(&["Key", "Option"], false)?;
    let code = match query.child("Key") {
        Some(key) => {
            key.expect_children(&["Customer"], false)?;
            key.text_or_blank("Customer")
        }
        None => "",
    };
    let blank = Element {
        name: "Option".to_owned(),
        text: String::new(),
        children: Vec::new(),
    };
    let options = query.child("Option").unwrap_or(&blank);
    options.expect_children(OPTIONS, false)?;
    for option in &options.children {
        let free = ["AsOfPeriod", "XslStylesheet"].contains(&option.name.as_str());
        if !free && !option.text.is_empty() && !YES_NO.contains(&option.text.as_str()) {
            return Err(Exception::new(format!("{} must be Y or N", option.name)));
        }
    }
    let yes = |name: &str| options.text_or_blank(name) == "Y";
    let customer = company.customer(code);
    let customer = customer.ok_or_else(|| Exception::new(format!("Customer {code} not found")))?;
    let header = header(company, customer, yes("IncludeCustomForms"));
    let information = Node::new("SystemInformation").leaves([
        ("Company", company.id.clone()),
        ("Operator", run.operator.to_owned()),
    ]);
    let mut root = Node::query_root("ARStatement")
        .with(information)
        .with(header);
    let key = normal(code);
    let own = company.invoices_of(&key);
    let total: Decimal = own.clone().map(|invoice| invoice.balance).sum();
    for invoice in own {
        if !invoice.balance.is_zero() || yes("IncludeZeroBalances") {
            root.push(invoice_node(company, invoice, yes("IncludeTransactions")));
        }
    }
    if yes("IncludeCheckPayments") {
        let own = company
            .receipts
            .iter()
            .filter(|own| normal(&own.customer) == key);
        root = root.with_all(own.map(receipt_node));
    }
    root.push(Node::new("TotalSection").leaves([("Balance", padded(total, 15))]));
    Ok(root)
}

fn header(company: &Company, customer: &Customer, forms: bool) -> Node {
    let mut header = Node::new("Header").leaves([
        ("Customer", customer.code.clone()),
        ("Name", customer.field("Name").to_owned()),
        ("Currency", customer.field("Currency").to_owned()),
        (
            "CustomerOnHold",
            customer.field("CustomerOnHold").to_owned(),
        ),
    ]);
    if forms {
        let fields = company
            .form_fields
            .iter()
            .filter(|field| field.form == "CUS");
        let values = fields.map(|field| {
            let value = company.form_value("CUS", &customer.code, &field.column);
            Node::text(&field.column, value.unwrap_or_default())
        });
        header.push(Node::new("CustomForm").with_all(values));
    }
    header
}

fn invoice_node(company: &Company, invoice: &Invoice, transactions: bool) -> Node {
    let mut detail = Node::new("InvoiceDetail").leaves([
        ("DocumentType", invoice.document_type.to_string()),
        ("Invoice", invoice.number.clone()),
        ("InvoiceDate", invoice.date.to_string()),
        ("CustomerPoNumber", invoice.purchase_order.clone()),
        ("CurrencyValue", padded(invoice.value, 15)),
        ("InvoiceBal1", padded(invoice.balance, 15)),
    ]);
    let own = company
        .pays
        .iter()
        .filter(|pay| pay.customer == invoice.customer && pay.invoice == invoice.number);
    for pay in own.filter(|_| transactions) {
        detail.push(Node::new("TransDetail").leaves([
            ("Reference", pay.reference.clone()),
            ("TrnValue", padded(pay.value, 15)),
            ("DiscValue", padded(pay.discount, 15)),
            ("JournalDate", pay.date.to_string()),
        ]));
    }
    detail
}

fn receipt_node(receipt: &Receipt) -> Node {
    Node::new("PayDetail").leaves([
        ("ChequeReference", receipt.reference.clone()),
        ("PayDate", receipt.date.to_string()),
        ("PayValue", padded(receipt.amount, 15)),
        ("PaymYear", receipt.period.year.to_string()),
        ("PaymMonth", format!("{:02}", receipt.period.number)),
    ])
}
