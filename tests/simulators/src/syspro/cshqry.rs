//! CSHQRY: the cash book of one bank (SY 4.9).

use super::answer::{Exception, Node, padded};
use super::company::{CashEntry, Company};
use super::xml::Element;
use super::{Outcome, Run};

const OPTIONS: &[&str] = &[
    "IncludeDeposits",
    "IncludeWithdrawals",
    "IncludeReconciled",
    "IncludeUnreconciled",
    "DateSequence",
    "IncludeCurrencyInfo",
    "AsOfPeriod",
    "TrnToView",
    "IncludeApInfo",
    "IncludeArInfo",
    "ExcludeTransactions",
    "IncludeAllPeriodBal",
    "XslStylesheet",
];

/// Runs the query. There is no filter on the reference: the caller looks for it (SY 4.9).
pub(super) fn query(company: &Company, document: &str, run: &Run<'_>) -> Outcome {
    let query = Element::parse(document, "XmlIn")?;
    query.expect_root("Query")?;
    query.expect_children(&["Key", "Option"], false)?;
    let code = match query.child("Key") {
        Some(key) => {
            key.expect_children(&["Bank"], false)?;
            key.text_or_blank("Bank")
        }
        None => "",
    };
    let bank = company.banks.iter().find(|bank| bank.code == code);
    let bank = bank.ok_or_else(|| Exception::new(format!("Bank {code} not found")))?;
    let blank = Element {
        name: "Option".to_owned(),
        text: String::new(),
        children: Vec::new(),
    };
    let options = query.child("Option").unwrap_or(&blank);
    options.expect_children(OPTIONS, false)?;
    let includes = |name: &str| options.text_or_blank(name) != "N";
    let wanted = |entry: &&CashEntry| {
        let kind = if entry.kind == 'D' {
            "IncludeDeposits"
        } else {
            "IncludeWithdrawals"
        };
        let state = if entry.reconciled {
            "IncludeReconciled"
        } else {
            "IncludeUnreconciled"
        };
        entry.bank == code && includes(kind) && includes(state)
    };
    let mut entries: Vec<&CashEntry> = company.cash.iter().filter(wanted).collect();
    if options.text_or_blank("DateSequence") == "L" {
        entries.reverse();
    }
    let mut item = Node::new("BankItem").leaves([
        ("Bank", bank.code.clone()),
        ("Description", bank.description.clone()),
        ("AccountNumber", String::new()),
    ]);
    if options.text_or_blank("ExcludeTransactions") != "Y" {
        for entry in entries {
            item.push(Node::new("CshTrnItem").leaves([
                ("CbTrnYear", entry.period.year.to_string()),
                ("CbTrnMonth", format!("{:02}", entry.period.number)),
                ("CbTrnDate", entry.date.strftime("%Y%m%d").to_string()),
                ("CbTrnTime", entry.time.clone()),
                ("TrnType", entry.kind.to_string()),
                ("TrnReference", entry.reference.clone()),
                ("TrnValue", padded(entry.value, 17)),
                ("TrnDate", entry.transaction_date.to_string()),
                ("Narration", entry.narration.clone()),
                (
                    "ReconciledFlag",
                    if entry.reconciled { "Y" } else { "N" }.to_owned(),
                ),
                ("Journal", entry.journal.clone()),
                ("TrnSource", "CB".to_owned()),
            ]));
        }
    }
    let information = Node::new("SystemInformation").leaves([
        ("Company", company.id.clone()),
        ("Operator", run.operator.to_owned()),
    ]);
    Ok(Node::query_root("CshTrnQuery").with(information).with(item))
}
