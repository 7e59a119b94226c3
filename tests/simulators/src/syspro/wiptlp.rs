//! WIPTLP: labour posting to jobs (SY 4.12).

use super::answer::{Findings, Node, counter, error_nodes, number};
use super::company::{Company, Labour, Period};
use super::fields::{date_of, items, reference, verdict};
use super::period::{journal_digits, open_period};
use super::xml::{self, Element, Flag, Flags, PERIODS, YES_NO};
use super::{Outcome, Run};
use rust_decimal::Decimal;

/// ValidateOnly is **Y** by default: without the flag nothing is posted (SY 10 no. 14).
const FLAGS: &[Flag] = &[
    ("ValidateOnly", YES_NO, "Y"),
    ("ApplyIfEntireDocumentValid", YES_NO, "N"),
    ("IgnoreWarnings", YES_NO, "Y"),
    ("PostingPeriod", PERIODS, "C"),
    ("TransactionDate", &[], ""),
    ("UpdateQtyToMakeWithScrap", YES_NO, "N"),
    ("UncompleteNonMile", YES_NO, "Y"),
    ("UseWCRateIfEmpRateZero", YES_NO, "N"),
    ("IncludeDimensionAnalysis", YES_NO, "N"),
];

/// The order beyond the sheet's example is not documented, so none is enforced.
const ITEM: &[&str] = &[
    "Journal",
    "ItemTransactionDate",
    "Job",
    "NonProductiveCode",
    "UnitOfMeasure",
    "LOperation",
    "LWorkCentre",
    "LWcRateInd",
    "LEmployee",
    "LMachine",
    "LSetUpHours",
    "LRunTimeHours",
    "Reference",
    "AdditionalReference",
    "OperCompleted",
    "ManualWorkCenterRates",
    "ManualRates",
];

/// Runs the object.
pub(super) fn post(
    company: &mut Company,
    parameters: &str,
    document: &str,
    run: &Run<'_>,
) -> Outcome {
    let flags = Flags::read(parameters, "PostLabour", FLAGS)?;
    let document = items(document, "PostLabour", ITEM)?;
    let period = open_period(company, flags.get("PostingPeriod"), run)?;
    let mut drafts = Vec::new();
    for item in &document.children {
        drafts.push(check(
            company,
            item,
            period,
            flags.yes("IgnoreWarnings"),
            run,
        ));
    }
    let (invalid, posts) = verdict(&flags, drafts.iter().map(|(_, findings)| findings));
    let mut root = Node::new("PostLabour");
    let mut validated = 0;
    let mut journal: Option<String> = None;
    for (mut labour, findings) in drafts {
        if !findings.errors.is_empty() {
            let errors = error_nodes(&findings.errors, run.switches);
            root.push(Node::new("Item").with_all(errors));
            continue;
        }
        validated += usize::from(posts || flags.yes("ValidateOnly"));
        if !posts {
            continue;
        }
        if labour.journal.is_empty() {
            let digits = journal_digits(run);
            let fresh = || company.next_journal("wip", period, digits);
            labour.journal.clone_from(journal.get_or_insert_with(fresh));
        }
        labour.entry = company
            .labour
            .iter()
            .filter(|own| own.journal == labour.journal)
            .count()
            + 1;
        root.push(Node::new("Item").with(Node::new("Key").leaves([
            ("TrnYear", format!("{:04}", period.year)),
            ("TrnMonth", format!("{:02}", period.number)),
            ("Journal", labour.journal.clone()),
            ("EntryNumber", format!("{:05}", labour.entry)),
        ])));
        company.labour.push(labour);
    }
    root.push(
        Node::new("StatusOfItems")
            .with(counter("RecordsValidated", validated, run.switches))
            // Ten digits here (SY 4.12).
            .with(Node::text("InvalidRecords", format!("{invalid:010}"))),
    );
    Ok(root)
}

fn check(
    company: &Company,
    item: &Element,
    period: Period,
    ignore_warnings: bool,
    run: &Run<'_>,
) -> (Labour, Findings) {
    let mut findings = Findings::default();
    let job = item.text_or_blank("Job");
    let non_productive = item.text_or_blank("NonProductiveCode");
    if job.is_empty() && non_productive.is_empty() {
        let text = "A non-productive code is required without a job";
        findings.error("NonProductiveCode", "", number::REQUIRED, text);
    }
    if !job.is_empty() {
        if !company.jobs.contains(job) {
            findings.error("Job", job, number::NOT_FOUND, "Job not found");
        }
        for name in ["LOperation", "OperCompleted"] {
            if item.text_or_blank(name).is_empty() {
                findings.error(name, "", number::REQUIRED, "A value is required with a job");
            }
        }
    }
    let employee = item.text_or_blank("LEmployee");
    check_employee(company, item, employee, &mut findings);
    let text = item.text_or_blank("LRunTimeHours");
    let hours = xml::number(text, 6).unwrap_or_else(|| {
        findings.error(
            "LRunTimeHours",
            text,
            number::NOT_NUMERIC,
            "Value is not numeric",
        );
        Decimal::ZERO
    });
    let date = date_of(item, "ItemTransactionDate", &mut findings, run);
    let reference = reference(item.text_or_blank("Reference"), &mut findings, run);
    findings.settle(ignore_warnings);
    let labour = Labour {
        period,
        journal: item.text_or_blank("Journal").to_owned(),
        entry: 0,
        job: job.to_owned(),
        non_productive: non_productive.to_owned(),
        employee: employee.to_owned(),
        hours,
        reference,
        date,
    };
    (labour, findings)
}

/// Employee and work centre must exist; whether an employee is needed is set-up, here it is (SY 4.12).
fn check_employee(company: &Company, item: &Element, employee: &str, findings: &mut Findings) {
    if employee.is_empty() {
        findings.error("LEmployee", "", number::REQUIRED, "An employee is required");
    } else if company.master_exists("SetupBomEmployee", employee) {
        let centre = item.text_or_blank("LWorkCentre");
        if !centre.is_empty() && !company.master_exists("SetupBomWorkCentre", centre) {
            findings.error(
                "LWorkCentre",
                centre,
                number::NOT_FOUND,
                "Work centre not found",
            );
        }
    } else {
        findings.error(
            "LEmployee",
            employee,
            number::NOT_FOUND,
            "Employee not found",
        );
    }
}

impl Company {
    fn master_exists(&self, root: &str, key: &str) -> bool {
        self.masters
            .contains_key(&(root.to_owned(), key.to_owned()))
    }
}
