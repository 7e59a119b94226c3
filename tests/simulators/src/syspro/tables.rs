//! The SQL tables that COMFND and COMFCH read, as a real schema shows them (SY 5.2, 6.5).

use super::company::{Company, Customer, GlJournal, GlLine, Invoice, InvoicePay};
use super::keys::{CUSTOMER_DIGITS, stored};
use jiff::civil::Date;
use rust_decimal::Decimal;

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    /// Text.
    Text(String),
    /// A key that numeric sites store padded to so many digits (SY 9.1).
    Key(String, usize),
    /// A number with its decimals.
    Number(Decimal),
    /// A date.
    Date(Date),
}

/// A table: its name, its columns in order of the schema, and which of them are its key.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [&'static str],
    pub(super) key: &'static [&'static str],
}

/// The tables that are served.
pub(super) const TABLES: &[Table] = &[
    Table {
        name: "ArCustomer",
        columns: &[
            "Customer",
            "Name",
            "ShortName",
            "Currency",
            "Email",
            "CustomerOnHold",
            "PaymentsAllowed",
            "UnappPayAllowed",
            "DrNotesAllowed",
            "CrNotesAllowed",
            "CreditStatus",
            "CreditLimit",
            "MasterAccount",
            "TermsCode",
            "Branch",
            "Area",
            "Salesperson",
            "LanguageCode",
            "UserField1",
            "UserField2",
        ],
        key: &["Customer"],
    },
    Table {
        name: "ArInvoice",
        columns: &[
            "Customer",
            "Invoice",
            "DocumentType",
            "InvoiceDate",
            "CustomerPoNumber",
            "InvoiceBal1",
            "CurrencyValue",
            "PostCurrency",
            "InvoiceYear",
            "InvoiceMonth",
            "TermsCode",
            "Branch",
        ],
        key: &["Customer", "Invoice", "DocumentType"],
    },
    Table {
        name: "ArInvoicePay",
        columns: &[
            "Customer",
            "Invoice",
            "DocumentType",
            "EntryNumber",
            "TrnType",
            "JournalDate",
            "Journal",
            "Reference",
            "TrnValue",
            "DiscValue",
            "TrnYear",
            "TrnMonth",
            "PostValue",
            "PostCurrency",
            "PaymentNumber",
            "InvoiceNotation",
        ],
        key: &["Customer", "Invoice", "DocumentType", "EntryNumber"],
    },
    Table {
        name: "ApBank",
        columns: &["Bank", "Description", "Currency"],
        key: &["Bank"],
    },
    Table {
        name: "GenMaster",
        columns: &["GlCode", "Description"],
        key: &["GlCode"],
    },
    Table {
        name: "GenJournalCtl",
        columns: &[
            "GlYear",
            "GlPeriod",
            "GlJournal",
            "Reference",
            "Notation",
            "JnlStatus",
            "DebitAmount",
            "CreditAmount",
            "Operator",
            "JournalSource",
            "JnlDate",
        ],
        key: &["GlYear", "GlPeriod", "GlJournal"],
    },
    Table {
        name: "GenJournalDetail",
        columns: &[
            "GlYear",
            "GlPeriod",
            "GlJournal",
            "EntryNumber",
            "GlCode",
            "Reference",
            "Comment",
            "EntryValue",
            "EntryDate",
        ],
        key: &["GlYear", "GlPeriod", "GlJournal", "EntryNumber"],
    },
    Table {
        name: "BomEmployee",
        columns: &["Employee", "Name", "WorkCentre"],
        key: &["Employee"],
    },
    Table {
        name: "BomCostCentre",
        columns: &["CostCentre", "Description"],
        key: &["CostCentre"],
    },
    Table {
        name: "BomWorkCentre",
        columns: &["WorkCentre", "Description", "CostCentre"],
        key: &["WorkCentre"],
    },
];

/// A row of any table.
#[derive(Clone, Copy)]
pub(super) enum Row<'a> {
    Customer(&'a Customer),
    Invoice(&'a Company, &'a Invoice),
    Pay(&'a Company, &'a InvoicePay),
    Bank(&'a super::company::Bank),
    Ledger(&'a super::company::LedgerCode),
    Journal(&'a GlJournal),
    Line(&'a GlJournal, usize, &'a GlLine),
    /// Key column, key, elements.
    Master(
        &'static str,
        &'a str,
        &'a std::collections::BTreeMap<String, String>,
    ),
    /// A row of `ArCustomer+`.
    Form(&'a Company, &'a Customer),
}

/// All rows of a table in key order as far as it matters.
pub(super) fn rows<'a>(company: &'a Company, table: &str) -> Vec<Row<'a>> {
    let masters = |root: &'static str, column: &'static str| {
        company
            .masters
            .iter()
            .filter(move |((own, _), _)| own == root)
            .map(move |((_, key), elements)| Row::Master(column, key, elements))
            .collect()
    };
    match table {
        "ArCustomer" => company.customers.values().map(Row::Customer).collect(),
        "ArCustomer+" => company
            .customers
            .values()
            .map(|own| Row::Form(company, own))
            .collect(),
        "ArInvoice" => company
            .invoices
            .values()
            .map(|own| Row::Invoice(company, own))
            .collect(),
        "ArInvoicePay" => company
            .pays
            .iter()
            .map(|own| Row::Pay(company, own))
            .collect(),
        "ApBank" => company.banks.iter().map(Row::Bank).collect(),
        "GenMaster" => company.ledger.iter().map(Row::Ledger).collect(),
        "GenJournalCtl" => company.journals.iter().map(Row::Journal).collect(),
        "GenJournalDetail" => company
            .journals
            .iter()
            .flat_map(|own| {
                own.lines
                    .iter()
                    .enumerate()
                    .map(move |(at, line)| Row::Line(own, at + 1, line))
            })
            .collect(),
        "BomEmployee" => masters("SetupBomEmployee", "Employee"),
        "BomCostCentre" => masters("SetupBomCostCentre", "CostCentre"),
        "BomWorkCentre" => masters("SetupBomWorkCentre", "WorkCentre"),
        _ => Vec::new(),
    }
}

impl Row<'_> {
    /// The value of a column.
    pub(super) fn cell(&self, column: &str) -> Cell {
        let text = |value: &str| Cell::Text(value.to_owned());
        match self {
            Self::Customer(own) => match column {
                "Customer" => Cell::Key(own.code.clone(), CUSTOMER_DIGITS),
                "CreditLimit" | "UserField2" => number(own.field(column)),
                column => text(own.field(column)),
            },
            Self::Form(company, own) => match column {
                "Customer" => Cell::Key(own.code.clone(), CUSTOMER_DIGITS),
                column => text(
                    company
                        .form_value("CUS", &own.code, column)
                        .unwrap_or_default(),
                ),
            },
            Self::Invoice(company, own) => invoice_cell(company, own, column),
            Self::Pay(company, own) => pay_cell(company, own, column),
            Self::Bank(own) => match column {
                "Bank" => text(&own.code),
                "Description" => text(&own.description),
                _ => text(&own.currency),
            },
            Self::Ledger(own) => match column {
                "GlCode" => text(&own.code),
                _ => text(&own.description),
            },
            Self::Journal(own) => journal_cell(own, column),
            Self::Line(own, at, line) => match column {
                "EntryNumber" => Cell::Number(Decimal::from(*at)),
                "GlCode" => text(&line.code),
                "Reference" => text(&line.reference),
                "Comment" => text(&line.comment),
                "EntryValue" => Cell::Number(line.amount),
                "EntryDate" => Cell::Date(line.date),
                column => journal_cell(own, column),
            },
            Self::Master(key_column, key, elements) => {
                if column == *key_column {
                    return text(key);
                }
                text(elements.get(column).map_or("", String::as_str))
            }
        }
    }
}

fn number(text: &str) -> Cell {
    Cell::Number(text.parse().unwrap_or_default())
}

fn code_of(company: &Company, customer: &str) -> Cell {
    let code = company
        .customer(customer)
        .map_or(customer, |own| own.code.as_str());
    Cell::Key(code.to_owned(), CUSTOMER_DIGITS)
}

fn invoice_cell(company: &Company, own: &Invoice, column: &str) -> Cell {
    match column {
        "Customer" => code_of(company, &own.customer),
        "Invoice" => Cell::Text(own.number.clone()),
        "DocumentType" => Cell::Text(own.document_type.to_string()),
        "InvoiceDate" => Cell::Date(own.date),
        "CustomerPoNumber" => Cell::Text(own.purchase_order.clone()),
        "InvoiceBal1" => Cell::Number(own.balance),
        "CurrencyValue" => Cell::Number(own.value),
        "InvoiceYear" => Cell::Number(Decimal::from(own.period.year)),
        "InvoiceMonth" => Cell::Number(Decimal::from(own.period.number)),
        column => {
            let column = if column == "PostCurrency" {
                "Currency"
            } else {
                column
            };
            let customer = company.customer(&own.customer);
            Cell::Text(customer.map_or("", |own| own.field(column)).to_owned())
        }
    }
}

fn pay_cell(company: &Company, own: &InvoicePay, column: &str) -> Cell {
    match column {
        "Customer" => code_of(company, &own.customer),
        "Invoice" => Cell::Text(own.invoice.clone()),
        "DocumentType" => Cell::Text(own.document_type.to_string()),
        "EntryNumber" => Cell::Number(Decimal::from(own.entry)),
        "TrnType" => Cell::Text(own.kind.to_string()),
        "JournalDate" => Cell::Date(own.date),
        "Journal" => Cell::Text(own.journal.clone()),
        "Reference" => Cell::Text(own.reference.clone()),
        "TrnValue" | "PostValue" => Cell::Number(own.value),
        "DiscValue" => Cell::Number(own.discount),
        "TrnYear" => Cell::Number(Decimal::from(own.period.year)),
        "TrnMonth" => Cell::Number(Decimal::from(own.period.number)),
        "PostCurrency" => Cell::Text(own.currency.clone()),
        "InvoiceNotation" => Cell::Text(own.notation.clone()),
        _ => Cell::Text(String::new()),
    }
}

fn journal_cell(own: &GlJournal, column: &str) -> Cell {
    let debit: Decimal = own
        .lines
        .iter()
        .map(|line| line.amount.max(Decimal::ZERO))
        .sum();
    match column {
        "GlYear" => Cell::Number(Decimal::from(own.period.year)),
        "GlPeriod" => Cell::Number(Decimal::from(own.period.number)),
        "GlJournal" => Cell::Text(own.number.clone()),
        "Reference" => Cell::Text(own.reference.clone()),
        "Notation" => Cell::Text(own.notation.clone()),
        "JnlStatus" => Cell::Text(own.status.to_owned()),
        "DebitAmount" | "CreditAmount" => Cell::Number(debit),
        "Operator" => Cell::Text(own.operator.clone()),
        "JournalSource" => Cell::Text("JE".to_owned()),
        "JnlDate" => Cell::Date(own.date),
        _ => Cell::Text(String::new()),
    }
}

impl Cell {
    /// As it stands in a row of an answer.
    pub(super) fn show(&self, padded_keys: bool) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Key(key, digits) if padded_keys => stored(key, *digits),
            Self::Key(key, _) => key.clone(),
            Self::Number(value) => super::answer::padded(value, 13),
            Self::Date(date) => date.to_string(),
        }
    }
}
