//! What can be read: packages, their nodes, and each node as a full document (X3 4.4).

use super::super::folder::{Customer, Entry, Folder, Line};
use super::super::settings::Switches;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// Package and node, without the site's prefix (X3 1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    JournalEntry,
    JournalEntryLine,
    Customer,
    BusinessPartner,
}

impl Node {
    /// The node of a package, both as they stand in a query.
    pub(super) fn of(package: &str, node: &str, switches: &Switches) -> Option<Self> {
        let prefix = if switches.xtrem_prefix {
            "xtremX3"
        } else {
            "x3"
        };
        match (package.strip_prefix(prefix)?, node) {
            ("Finance", "journalEntry") => Some(Self::JournalEntry),
            ("Finance", "journalEntryLine") => Some(Self::JournalEntryLine),
            ("MasterData", "customer") => Some(Self::Customer),
            ("MasterData", "businessPartner") => Some(Self::BusinessPartner),
            _ => None,
        }
    }

    /// Every document of this node.
    pub(super) fn all(self, folder: &Folder, switches: &Switches) -> Vec<Value> {
        match self {
            Self::JournalEntry => {
                let entries = folder.entries.iter();
                entries.map(|entry| with_lines(entry, switches)).collect()
            }
            // One entry is stored once per ledger type, and so are its lines (X3 11 no. 17).
            Self::JournalEntryLine => folder
                .entries
                .iter()
                .flat_map(|entry| all_lines(entry, switches))
                .collect(),
            Self::Customer => folder.customers.values().map(customer).collect(),
            Self::BusinessPartner => folder.customers.values().map(partner).collect(),
        }
    }
}

fn amount(value: Decimal, switches: &Switches) -> Value {
    let text = value.normalize().to_string();
    if switches.amounts_as_text {
        Value::String(text)
    } else {
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}

fn reference(id: &str, code: &str) -> Value {
    json!({ "_id": id, "code": code })
}

/// The header. Source document, reference and description are not there (X3 4.4).
fn header(entry: &Entry) -> Value {
    let status = if entry.status == super::super::folder::FINAL {
        "final"
    } else {
        "temporary"
    };
    json!({
        "_id": format!("{}|{}", entry.kind, entry.number),
        "_updateStamp": entry.created.to_string(),
        "_createStamp": entry.created.to_string(),
        "journalEntryType": reference(&entry.kind, &entry.kind),
        "journalEntryNumber": entry.number,
        "company": reference(&entry.company, &entry.company),
        "site": reference(&entry.site, &entry.site),
        "journal": reference(&entry.journal, &entry.journal),
        "accountingDate": entry.date.to_string(),
        "journalEntryStatus": status,
        "transactionCurrency": reference(&entry.currency, &entry.currency),
    })
}

fn with_lines(entry: &Entry, switches: &Switches) -> Value {
    let mut out = header(entry);
    let edges: Vec<Value> = all_lines(entry, switches)
        .into_iter()
        .map(|line| json!({ "node": line }))
        .collect();
    out["journalEntryLines"] = json!({ "query": { "edges": edges } });
    out
}

fn all_lines(entry: &Entry, switches: &Switches) -> Vec<Value> {
    let ledgers = 1..=switches.ledgers;
    ledgers
        .flat_map(|ledger| {
            let lines = entry.lines.iter();
            lines.map(move |one| line(entry, one, ledger, switches))
        })
        .collect()
}

fn line(entry: &Entry, line: &Line, ledger: u8, switches: &Switches) -> Value {
    let ledger_name = match ledger {
        1 => "legal",
        2 => "analytical",
        _ => "ias",
    };
    let sign = if line.amount.is_sign_negative() {
        -1
    } else {
        1
    };
    json!({
        "_id": format!("{}|{}|{}|{ledger}", entry.kind, entry.number, line.number),
        "journalEntryType": reference(&entry.kind, &entry.kind),
        "journalEntry": header(entry),
        "lineNumber": line.number,
        "ledgerTypeNumber": ledger_name,
        "site": reference(&line.site, &line.site),
        "accountingDate": entry.date.to_string(),
        "account": reference(&line.account, &line.account),
        "businessPartner": reference(&line.partner, &line.partner),
        "sign": sign,
        "transactionCurrency": reference(&entry.currency, &entry.currency),
        "transactionAmount": amount(line.amount.abs(), switches),
        "ledgerAmount": amount(line.ledger_amount.abs(), switches),
        "lineDescription": line.description,
        "matchingCode": "",
    })
}

fn partner(customer: &Customer) -> Value {
    json!({
        "_id": customer.number,
        "_updateStamp": customer.updated.to_string(),
        "code": customer.number,
        "isActive": customer.active,
    })
}

/// `code` is itself a reference, to the business partner (X3 4.3, 4.4).
fn customer(customer: &Customer) -> Value {
    json!({
        "_id": customer.number,
        "_updateStamp": customer.updated.to_string(),
        "code": partner(customer),
        "isActive": customer.active,
        "companyName1": customer.name,
    })
}
