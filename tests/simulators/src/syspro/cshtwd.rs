//! CSHTWD: cash book deposits and withdrawals (SY 4.8).

use super::answer::{
    Exception, Findings, Node, counter, error_nodes, number, storable, warning_nodes,
};
use super::company::{CashEntry, Company, Period};
use super::fields::{date_of, ledger_line, reference, verdict};
use super::period::{journal_digits, open_period};
use super::settings::GlJournals;
use super::xml::{self, Element, Flag, Flags, PERIODS, YES_NO};
use super::{Fault, Outcome, Run};
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

const FLAGS: &[Flag] = &[
    ("PostingPeriod", PERIODS, "C"),
    ("IgnoreWarnings", &["Y", "N", "W"], "N"),
    ("ApplyIfEntireDocumentValid", YES_NO, "Y"),
    ("ValidateOnly", YES_NO, "N"),
];

const FLAGS_8: &[Flag] = &[
    ("IgnoreAnalysis", YES_NO, "Y"),
    ("Taxable", YES_NO, "N"),
    ("IncludeDimensionAnalysis", YES_NO, "N"),
    ("ApplySingle", YES_NO, "N"),
    ("SingleBank", &[], ""),
];

const ADD_TRANSACTION: &[&str] = &[
    "Bank",
    "DepositOrWithdrawal",
    "Reconciled",
    "Reference",
    "TransactionValue",
    "TransactionDate",
    "Narration",
    "WithdrawalType",
    "CheckNumber",
    "EftBeneficiary",
    "PostingCurrency",
    "ExchangeRate",
    "TaxBasis",
    "TaxValue",
    "eSignature",
    "LedgerDistribution*",
];

const LEDGER_DISTRIBUTION: &[&str] = &[
    "LedgerCode",
    "PasswordForLedgerCode",
    "LedgerTaxCode",
    "LedgerNotation",
    "LedgerValue",
];

/// Entries that the object has and nothing here needs.
const OTHER_ENTRIES: &[&str] = &[
    "ChangeTransaction",
    "ReconOrUnreconByCheck",
    "ReconOrUnreconByTransaction",
    "UnreconByPeriod",
];

/// Runs the object.
pub(super) fn post(
    company: &mut Company,
    parameters: &str,
    document: &str,
    run: &Run<'_>,
) -> Outcome {
    let known = if run.switches.version_8 {
        [FLAGS, FLAGS_8].concat()
    } else {
        FLAGS.to_vec()
    };
    let flags = Flags::read(parameters, "PostCbDepositsWithdrawals", &known)?;
    let document = Element::parse(document, "XmlIn")?;
    document.expect_root("PostCbDepositsWithdrawals")?;
    document.expect_children(&["Item*"], false)?;
    for item in &document.children {
        check_shape(item, run)?;
    }
    let period = open_period(company, flags.get("PostingPeriod"), run)?;
    let ignore = flags.get("IgnoreWarnings") != "N";
    let mut drafts = Vec::new();
    for item in &document.children {
        drafts.push(check(company, item, period, ignore, run));
    }
    let (invalid, posts) = verdict(&flags, drafts.iter().map(|(_, findings)| findings));
    let mut root = Node::new("PostCbDepositsWithdrawals");
    let mut processed = 0;
    let mut journal = None;
    for (mut entry, findings) in drafts {
        let mut transaction = Node::new("AddTransaction");
        if findings.errors.is_empty() {
            processed += usize::from(posts || flags.yes("ValidateOnly"));
            if posts {
                let digits = journal_digits(run);
                let fresh = || company.next_journal("cb", period, digits);
                entry.journal.clone_from(journal.get_or_insert_with(fresh));
                transaction.push(carry_out(company, entry, run));
            }
            transaction = transaction.with_all(warning_nodes(&findings.warnings));
        } else {
            transaction = transaction.with_all(error_nodes(&findings.errors, run.switches));
        }
        root.push(Node::new("Item").with(transaction));
    }
    root.push(
        Node::new("StatusOfItems")
            .with(counter("ItemsProcessed", processed, run.switches))
            .with(counter("ItemsInvalid", invalid, run.switches)),
    );
    Ok(root)
}

fn check_shape(item: &Element, run: &Run<'_>) -> Result<(), Exception> {
    let [entry] = item.children.as_slice() else {
        return Err(Exception::new("an Item holds exactly one entry"));
    };
    if OTHER_ENTRIES.contains(&entry.name.as_str()) {
        return Err(Exception::not_licensed());
    }
    item.expect_children(&["AddTransaction"], false)?;
    entry.expect_children(ADD_TRANSACTION, run.switches.strict_order)?;
    entry
        .all("LedgerDistribution")
        .try_for_each(|line| line.expect_children(LEDGER_DISTRIBUTION, run.switches.strict_order))
}

fn check(
    company: &Company,
    item: &Element,
    period: Period,
    ignore_warnings: bool,
    run: &Run<'_>,
) -> (CashEntry, Findings) {
    let mut findings = Findings::default();
    let blank = Element {
        name: String::new(),
        text: String::new(),
        children: Vec::new(),
    };
    let entry = item.children.first().unwrap_or(&blank);
    let bank = match entry.text_or_blank("Bank") {
        "" => run.operator_bank,
        code => code,
    };
    if !company.banks.iter().any(|own| own.code == bank) {
        findings.error("Bank", bank, number::NOT_FOUND, "Bank not found");
    }
    let kind = entry.text_or_blank("DepositOrWithdrawal");
    if !["D", "W"].contains(&kind) {
        findings.error(
            "DepositOrWithdrawal",
            kind,
            number::BAD_VALUE,
            "Must be D or W",
        );
    }
    check_withdrawal(kind, entry, &mut findings);
    let text = entry.text_or_blank("TransactionValue");
    let value = xml::number(text, 2);
    if value.is_none_or(|value| value <= Decimal::ZERO) {
        let message = "Transaction value must be a number greater than zero";
        findings.error("TransactionValue", text, number::NOT_NUMERIC, message);
    }
    let value = value.unwrap_or_default();
    let lines = check_lines(company, entry, value, &mut findings);
    let transaction_date = date_of(entry, "TransactionDate", &mut findings, run);
    let reference = reference(entry.text_or_blank("Reference"), &mut findings, run);
    findings.settle(ignore_warnings);
    let draft = CashEntry {
        bank: bank.to_owned(),
        period,
        date: run.now.to_zoned(TimeZone::UTC).date(),
        time: String::new(),
        kind: kind.chars().next().unwrap_or('D'),
        reference,
        value,
        transaction_date,
        narration: storable(entry.text_or_blank("Narration")),
        reconciled: entry.text_or_blank("Reconciled") == "Y",
        journal: String::new(),
        entry: 0,
        lines,
    };
    (draft, findings)
}

/// The default type M, and E, need a check number; N is a plain withdrawal (SY 4.8).
fn check_withdrawal(kind: &str, entry: &Element, findings: &mut Findings) {
    if kind != "W" {
        return;
    }
    let means = match entry.text_or_blank("WithdrawalType") {
        "" => "M",
        means => means,
    };
    if !["N", "M", "E"].contains(&means) {
        findings.error(
            "WithdrawalType",
            means,
            number::BAD_VALUE,
            "Must be N, M or E",
        );
    }
    if means != "N" && entry.text_or_blank("CheckNumber").is_empty() {
        findings.error(
            "CheckNumber",
            "",
            number::REQUIRED,
            "A check number is required",
        );
    }
}

/// Ledger codes must exist and their values add up; a negative line is a warning, which is unverified (SY 4.8).
fn check_lines(
    company: &Company,
    entry: &Element,
    value: Decimal,
    findings: &mut Findings,
) -> Vec<(String, Decimal)> {
    let mut lines = Vec::new();
    for line in entry.all("LedgerDistribution") {
        let (code, amount) = ledger_line(company, line, "LedgerValue", findings);
        if amount.is_sign_negative() {
            let text = line.text_or_blank("LedgerValue");
            findings.warning("LedgerValue", text, "Ledger value is negative");
        }
        lines.push((code, amount));
    }
    let sum: Decimal = lines.iter().map(|(_, amount)| *amount).sum();
    if sum != value {
        let text = "The transaction has not been distributed in full";
        findings.error(
            "LedgerValue",
            sum.to_string(),
            number::NOT_DISTRIBUTED,
            text,
        );
    }
    lines
}

/// Posts an entry. Its key is (bank, year, month, date, time); GlJournal sits inside the key (SY 4.8).
fn carry_out(company: &mut Company, mut entry: CashEntry, run: &Run<'_>) -> Node {
    let sequence = company
        .cash
        .iter()
        .filter(|own| own.bank == entry.bank)
        .count()
        + 1;
    entry.entry = company
        .cash
        .iter()
        .filter(|own| own.journal == entry.journal)
        .count()
        + 1;
    // hhmmsscc; the hundredths tell entries of one second apart.
    let clock = run
        .now
        .to_zoned(TimeZone::UTC)
        .strftime("%H%M%S")
        .to_string();
    entry.time = format!("{clock}{:02}", sequence % 100);
    let mut key = Node::new("Key").leaves([
        ("Bank", entry.bank.clone()),
        ("CbTrnYear", format!("{:04}", entry.period.year)),
        ("CbTrnMonth", format!("{:02}", entry.period.number)),
        ("Journal", entry.journal.clone()),
        ("EntryNumber", format!("{:05}", entry.entry)),
        ("CbTrnDate", entry.date.strftime("%Y%m%d").to_string()),
        ("CbTrnTime", entry.time.clone()),
    ]);
    let failed = run.hit(&Fault::GlJournalError);
    if run.switches.gl_journal == GlJournals::Named || failed {
        let period = company.gl_period;
        let digits = journal_digits(run);
        let number = if failed {
            String::new()
        } else {
            company.next_journal("gl", period, digits)
        };
        let text = |error: &str| {
            if failed {
                error.to_owned()
            } else {
                String::new()
            }
        };
        key.push(Node::new("GlJournal").leaves([
            ("GlYear", format!("{:04}", period.year)),
            ("GlPeriod", format!("{:02}", period.number)),
            ("GlJournal", number),
            ("Company", company.id.clone()),
            ("GlJournalError", text("100156")),
            (
                "GlJournalMessage",
                text("The general ledger journal could not be created"),
            ),
        ]));
    }
    company.cash.push(entry);
    key
}
