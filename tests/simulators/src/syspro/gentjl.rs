//! GENTJL: general ledger journals (SY 4.10).

use super::answer::{
    Exception, Findings, Node, counter, error_nodes, number, storable, warning_nodes,
};
use super::company::{Company, GlJournal, GlLine, Period};
use super::fields::{date_of, ledger_line, reference};
use super::period::journal_digits;
use super::xml::{Element, Flag, Flags, YES_NO};
use super::{Fault, Outcome, Run};
use rust_decimal::Decimal;

const FLAGS: &[Flag] = &[
    ("IgnoreWarnings", &["Y", "N", "W"], "N"),
    ("ApplyIfEntireDocumentValid", YES_NO, "Y"),
    ("ValidateOnly", YES_NO, "N"),
    ("ActionType", &["A", "M"], "A"),
    ("ValidatePasswords", YES_NO, "Y"),
    ("DeleteEntriesonMaint", YES_NO, "N"),
    ("IgnoreAnalysis", YES_NO, "Y"),
    ("IncludeDimensionAnalysis", YES_NO, "N"),
];

const ITEM: &[&str] = &[
    "JournalType",
    "JournalNumber",
    "AuthorizeJournal",
    "PostJournal",
    "CancelJournal",
    "HoldJournal",
    "JournalDate",
    "JournalReference",
    "Notation",
    "PostingPeriod",
    "PostingYear",
    "SourceCode",
    "Currency",
    "Source",
    "Type",
    "Company",
    "AuditorsPassword",
    "esignature",
    "JournalDetails*",
];

const DETAILS: &[&str] = &[
    "EntryNumber",
    "LedgerCode",
    "LedgerCodePassword",
    "Date",
    "Reference",
    "EntryAmount",
    "DeleteEntry",
    "Comment",
    "AnalysisEntry",
    "AnalysisLineEntry*",
];

/// Longest notation, an upper bound (SY 5.1).
const NOTATION_MAX: usize = 100;

struct Draft {
    journal: GlJournal,
    posts: bool,
    findings: Findings,
}

/// Runs the object: one journal per call, as in the schema of SYSPRO 7 (SY 4.10).
pub(super) fn post(
    company: &mut Company,
    parameters: &str,
    document: &str,
    run: &Run<'_>,
) -> Outcome {
    let flags = Flags::read(parameters, "PostGlJournal", FLAGS)?;
    let document = Element::parse(document, "XmlIn")?;
    document.expect_root("PostGlJournal")?;
    document.expect_children(&["Item"], false)?;
    let item = document
        .child("Item")
        .ok_or_else(|| Exception::new("no Item in PostGlJournal"))?;
    item.expect_children(ITEM, run.switches.strict_order)?;
    for line in item.all("JournalDetails") {
        line.expect_children(DETAILS, run.switches.strict_order)?;
    }
    if flags.get("ActionType") == "M" {
        // Maintaining a journal is left to a person; nothing here needs it.
        return Err(Exception::not_licensed());
    }
    let mut draft = check(company, item, flags.get("IgnoreWarnings") != "N", run);
    if !draft.findings.errors.is_empty() {
        let errors = error_nodes(&draft.findings.errors, run.switches);
        let item = Node::new("Item").with(Node::new("Transaction").with_all(errors));
        return Ok(Node::new("PostGlJournal")
            .with(item)
            .with(status(0, 1, 0, 0, run)));
    }
    if flags.yes("ValidateOnly") {
        return Ok(Node::new("PostGlJournal").with(status(1, 0, 0, 0, run)));
    }
    let invalid = run.hit(&Fault::PostingInvalid);
    let posted = draft.posts && !run.hit(&Fault::JournalNotPosted) && !invalid;
    draft.journal.number = company.next_journal("gl", draft.journal.period, journal_digits(run));
    draft.journal.status = if posted { "P" } else { " " };
    let item = Node::new("Item").with(transaction(&draft));
    company.journals.push(draft.journal);
    let (processed, refused) = (usize::from(posted), usize::from(invalid));
    Ok(Node::new("PostGlJournal")
        .with(item)
        .with(status(1, 0, processed, refused, run)))
}

fn status(journals: usize, invalid: usize, postings: usize, refused: usize, run: &Run<'_>) -> Node {
    Node::new("StatusOfItems").with_all([
        counter("JournalsProcessed", journals, run.switches),
        counter("JournalsInvalid", invalid, run.switches),
        counter("PostingsProcessed", postings, run.switches),
        counter("PostingsInvalid", refused, run.switches),
    ])
}

fn transaction(draft: &Draft) -> Node {
    let journal = &draft.journal;
    let debit: Decimal = journal
        .lines
        .iter()
        .map(|line| line.amount.max(Decimal::ZERO))
        .sum();
    let key = Node::new("Key").leaves([
        ("GlYear", format!("{:04}", journal.period.year)),
        ("GlPeriod", format!("{:02}", journal.period.number)),
        ("GlJournal", journal.number.clone()),
    ]);
    Node::new("Transaction")
        .with(key)
        .leaves([
            ("JournalDate", journal.date.strftime("%Y%m%d").to_string()),
            ("NumOfEntries", format!("{:>13}", journal.lines.len())),
            ("DebitAmount", format!("{debit:>17}")),
            ("CreditAmount", format!("{debit:>17}")),
            ("JnlPostingType", journal.kind.clone()),
            ("Jnlstatus", journal.status.to_owned()),
            ("Currency", String::new()),
            (
                "Authorised",
                if journal.authorised { "Y" } else { "N" }.to_owned(),
            ),
        ])
        .with_all(warning_nodes(&draft.findings.warnings))
}

fn check(company: &Company, item: &Element, ignore_warnings: bool, run: &Run<'_>) -> Draft {
    let mut findings = Findings::default();
    let kind = match item.text_or_blank("JournalType") {
        "" => "N",
        kind => kind,
    };
    if !["N", "P", "U", "S", "L", "A", "I", "E"].contains(&kind) {
        findings.error(
            "JournalType",
            kind,
            number::BAD_VALUE,
            "Journal type is not valid",
        );
    }
    let existing = item.text_or_blank("JournalNumber");
    if !existing.is_empty() {
        findings.error(
            "JournalNumber",
            existing,
            number::BAD_VALUE,
            "Must be blank to add",
        );
    }
    let flag = |name: &'static str, values: &[&str], default: &str, findings: &mut Findings| {
        let value = item.text_or_blank(name);
        if !value.is_empty() && !values.contains(&value) {
            findings.error(name, value, number::BAD_VALUE, "Value is not valid");
        }
        if value.is_empty() {
            default.to_owned()
        } else {
            value.to_owned()
        }
    };
    let authorise = flag("AuthorizeJournal", &["D", "A", "U"], "D", &mut findings);
    // Documented default Y when absent (SY 10 no. 15).
    let posts = flag("PostJournal", YES_NO, "Y", &mut findings) == "Y";
    flag("CancelJournal", YES_NO, "N", &mut findings);
    let held = flag("HoldJournal", YES_NO, "N", &mut findings) == "Y";
    let authorised = authorise == "A" || !run.switches.authorisation_required;
    let notation = storable(item.text_or_blank("Notation"));
    if notation.chars().count() > NOTATION_MAX {
        findings.error(
            "Notation",
            &notation,
            number::TOO_LONG,
            "Notation is too long",
        );
    }
    let journal = GlJournal {
        period: period(company, item, &mut findings, run),
        number: String::new(),
        reference: reference(item.text_or_blank("JournalReference"), &mut findings, run),
        notation,
        date: date_of(item, "JournalDate", &mut findings, run),
        kind: kind.to_owned(),
        status: " ",
        authorised,
        operator: run.operator.to_owned(),
        lines: lines(company, item, kind, &mut findings, run),
    };
    findings.settle(ignore_warnings);
    Draft {
        journal,
        posts: posts && authorised && !held,
        findings,
    }
}

/// A number of the fiscal year, open, not in the future, of this year or the one before (SY 4.10).
fn period(company: &Company, item: &Element, findings: &mut Findings, run: &Run<'_>) -> Period {
    let current = company.gl_period;
    let text = item.text_or_blank("PostingPeriod");
    let year = item.text_or_blank("PostingYear");
    let period = Period {
        year: if year.is_empty() {
            current.year
        } else {
            year.parse().unwrap_or(0)
        },
        number: if text.is_empty() {
            current.number
        } else {
            text.parse().unwrap_or(0)
        },
    };
    let shown = format!("{year}/{text}");
    if !(1..=13).contains(&period.number) || period.year < current.year - 1 {
        findings.error(
            "PostingPeriod",
            &shown,
            number::PERIOD,
            "Posting period is not valid",
        );
    } else if period > current {
        let text = "Posting period is not open, it lies in the future";
        findings.error("PostingPeriod", &shown, number::PERIOD, text);
    } else if company.closed.contains(&period) || run.hit(&Fault::PeriodClosed) {
        findings.error(
            "PostingPeriod",
            &shown,
            number::PERIOD,
            "Posting period is closed",
        );
    }
    period
}

fn lines(
    company: &Company,
    item: &Element,
    kind: &str,
    findings: &mut Findings,
    run: &Run<'_>,
) -> Vec<GlLine> {
    let mut lines = Vec::new();
    for line in item.all("JournalDetails") {
        let (code, amount) = ledger_line(company, line, "EntryAmount", findings);
        lines.push(GlLine {
            code,
            reference: reference(line.text_or_blank("Reference"), findings, run),
            amount,
            comment: storable(line.text_or_blank("Comment")),
            date: date_of(line, "Date", findings, run),
        });
    }
    let sum: Decimal = lines.iter().map(|line| line.amount).sum();
    if lines.is_empty() {
        findings.error(
            "JournalDetails",
            "",
            number::REQUIRED,
            "A journal needs entries",
        );
    } else if !sum.is_zero() && kind != "S" {
        // That a journal must balance is inferred; statistical ones need not.
        let text = format!("Journal does not balance, difference {sum}");
        findings.error("EntryAmount", sum.to_string(), number::UNBALANCED, text);
    }
    lines
}
