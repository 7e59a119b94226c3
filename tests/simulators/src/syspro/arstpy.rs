//! ARSTPY: receipts, adjustments and miscellaneous receipts (SY 4.1).

use super::answer::{
    Exception, FieldError, Findings, Node, counter, error_nodes, number, warning_nodes,
};
use super::arstpy_other::{self, Adjustment, Miscellaneous};
use super::arstpy_payment::{self, Payment};
use super::arstpy_post;
use super::company::{Company, Period};
use super::period::{journal_digits, open_period};
use super::settings::GlJournals;
use super::xml::{Element, Flag, Flags, PERIODS, YES_NO};
use super::{Fault, Outcome, Run};

/// Parameters of every version.
const FLAGS: &[Flag] = &[
    ("PostingPeriod", PERIODS, "C"),
    ("IgnoreWarnings", YES_NO, "N"),
    ("ApplyIfEntireDocumentValid", YES_NO, "Y"),
    ("ValidateOnly", YES_NO, "N"),
    ("AutoCorrectPaymentValue", &["N", "Y", "U"], "N"),
    ("ApplySpecificBranch", YES_NO, "N"),
    ("BranchToUse", &[], ""),
    ("AreaToUseForLedgerIntegration", &[], ""),
    ("IntegrateToCashBookInDetail", YES_NO, "N"),
    ("AutoCalculateTax", YES_NO, "N"),
    ("IgnoreAnalysis", YES_NO, "Y"),
];

/// Parameters that SYSPRO 8 added.
const FLAGS_8: &[Flag] = &[
    ("NextJournal", &[], ""),
    ("ValidatePasswords", YES_NO, "Y"),
    ("GroupPayment", YES_NO, "N"),
    ("IncludeDimensionAnalysis", YES_NO, "N"),
];

/// What an item is to post.
pub(super) enum Plan {
    Payment(Payment),
    Adjustments(Vec<Adjustment>),
    Miscellaneous(Miscellaneous),
}

/// The journal of a call; all its items share one (SY 4.1).
pub(super) struct Journal {
    pub(super) period: Period,
    pub(super) number: String,
    pub(super) gl: Option<String>,
    pub(super) gl_failed: bool,
}

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
    let flags = Flags::read(parameters, "PostArPayment", &known)?;
    let document = Element::parse(document, "XmlIn")?;
    document.expect_root("PostArPayment")?;
    document.expect_children(&["Item*"], false)?;
    if document.children.is_empty() {
        return Err(Exception::new("no Item in PostArPayment"));
    }
    for item in &document.children {
        check_shape(item, run)?;
    }
    let period = open_period(company, flags.get("PostingPeriod"), run)?;
    let entire = flags.yes("ApplyIfEntireDocumentValid");
    let mut checked: Vec<(Plan, Findings)> = Vec::new();
    if entire {
        for item in &document.children {
            checked.push(check(company, item, &flags, run));
        }
    }
    let whole_is_valid = checked
        .iter()
        .all(|(_, findings)| findings.errors.is_empty());
    let mut journal = None;
    let mut tally = Tally::default();
    let mut answers = Vec::new();
    let mut checked = checked.into_iter();
    for (at, item) in document.children.iter().enumerate() {
        let (plan, mut findings) = match checked.next() {
            Some(earlier) => earlier,
            None => check(company, item, &flags, run),
        };
        if !entire && at % 2 == 1 && run.hit(&Fault::PartialSuccess) {
            findings.error(
                "Customer",
                "",
                number::LOCKED,
                "Record is locked by another operator",
            );
        }
        let kind = item
            .children
            .first()
            .map(|child| child.name.clone())
            .unwrap_or_default();
        if !findings.errors.is_empty() {
            tally.invalid += 1;
            answers.push(refused(&kind, &findings.errors, run));
            continue;
        }
        let posts = !flags.yes("ValidateOnly") && (whole_is_valid || !entire);
        if posts {
            let journal = journal.get_or_insert_with(|| open_journal(company, period, run));
            answers.push(carry_out(company, plan, journal, &kind, &findings, run));
        }
        if posts || flags.yes("ValidateOnly") {
            tally.processed += 1;
        }
    }
    Ok(answer(answers, journal.as_ref(), &tally, run))
}

#[derive(Default)]
struct Tally {
    processed: usize,
    invalid: usize,
}

/// Exactly one of the kinds of entry, and nothing unlisted in it (SY 3.5).
fn check_shape(item: &Element, run: &Run<'_>) -> Result<(), Exception> {
    item.expect_children(&["Payment", "Adjustments", "MiscellaneousReceipt"], false)?;
    let [entry] = item.children.as_slice() else {
        return Err(Exception::new("an Item holds exactly one entry"));
    };
    let ordered = run.switches.strict_order;
    match entry.name.as_str() {
        "Payment" => arstpy_payment::check_shape(entry, ordered),
        "Adjustments" => arstpy_other::check_adjustments_shape(entry, ordered),
        _ => arstpy_other::check_miscellaneous_shape(entry, ordered),
    }
}

fn check(company: &Company, item: &Element, flags: &Flags, run: &Run<'_>) -> (Plan, Findings) {
    let mut findings = Findings::default();
    let blank = Element {
        name: String::new(),
        text: String::new(),
        children: Vec::new(),
    };
    let entry = item.children.first().unwrap_or(&blank);
    let plan = match entry.name.as_str() {
        "Adjustments" => Plan::Adjustments(arstpy_other::check_adjustments(
            company,
            entry,
            &mut findings,
            run,
        )),
        "MiscellaneousReceipt" => Plan::Miscellaneous(arstpy_other::check_miscellaneous(
            company,
            entry,
            &mut findings,
            run,
        )),
        _ => Plan::Payment(arstpy_payment::check(
            company,
            entry,
            flags,
            &mut findings,
            run,
        )),
    };
    findings.settle(flags.yes("IgnoreWarnings"));
    (plan, findings)
}

fn open_journal(company: &mut Company, period: Period, run: &Run<'_>) -> Journal {
    let digits = journal_digits(run);
    let number = company.next_journal("ar", period, digits);
    let gl_failed = run.hit(&Fault::GlJournalError);
    let named = run.switches.gl_journal == GlJournals::Named && !gl_failed;
    let gl = named.then(|| company.next_journal("gl", period, digits));
    Journal {
        period,
        number,
        gl,
        gl_failed,
    }
}

fn carry_out(
    company: &mut Company,
    plan: Plan,
    journal: &Journal,
    kind: &str,
    findings: &Findings,
    run: &Run<'_>,
) -> Node {
    let customer = match plan {
        Plan::Payment(payment) => arstpy_post::post(company, payment, journal, run),
        Plan::Adjustments(adjustments) => {
            arstpy_other::post_adjustments(company, adjustments, journal)
        }
        Plan::Miscellaneous(receipt) => arstpy_other::post_miscellaneous(company, receipt, journal),
    };
    let key = Node::new("Key").leaves([
        ("TrnYear", format!("{:04}", journal.period.year)),
        ("TrnMonth", format!("{:02}", journal.period.number)),
        ("Journal", journal.number.clone()),
    ]);
    let mut entry = Node::new(kind)
        .with(key)
        .with_all(warning_nodes(&findings.warnings));
    if !customer.is_empty() {
        entry.push(Node::text("Customer", customer));
    }
    Node::new("Item").with(entry)
}

fn refused(kind: &str, errors: &[FieldError], run: &Run<'_>) -> Node {
    Node::new("Item").with(Node::new(kind).with_all(error_nodes(errors, run.switches)))
}

fn answer(items: Vec<Node>, journal: Option<&Journal>, tally: &Tally, run: &Run<'_>) -> Node {
    let mut status = Node::new("StatusOfItems");
    if let Some(journal) =
        journal.filter(|own| own.gl_failed || run.switches.gl_journal != GlJournals::Absent)
    {
        status.push(gl_node(journal));
    }
    status.push(counter("ItemsProcessed", tally.processed, run.switches));
    status.push(counter("ItemsInvalid", tally.invalid, run.switches));
    Node::new("PostArPayment").with_all(items).with(status)
}

/// The GL part of an answer; an error here means that the sub-ledger is posted and GL is not (SY 4.1).
pub(super) fn gl_node(journal: &Journal) -> Node {
    let (error, message) = if journal.gl_failed {
        ("100156", "The general ledger journal could not be created")
    } else {
        ("", "")
    };
    let filled = journal.gl_failed || journal.gl.is_some();
    let text = |text: String| if filled { text } else { String::new() };
    Node::new("GlJournal").leaves([
        ("GlYear", text(format!("{:04}", journal.period.year))),
        ("GlPeriod", text(format!("{:02}", journal.period.number))),
        ("GlJournal", journal.gl.clone().unwrap_or_default()),
        ("GlJournalError", error.to_owned()),
        ("GlJournalMessage", message.to_owned()),
    ])
}
