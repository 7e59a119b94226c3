//! Reading the fields that several transaction objects share: dates, references, banks, amounts (SY 3.5, 4.1, 9).

use super::Run;
use super::answer::{Exception, Findings, number, storable};
use super::company::Company;
use super::settings::TooLong;
use super::xml::{self, Element, Flags};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

/// Longest AR reference (SY 9.2).
pub(super) const REFERENCE_MAX: usize = 30;

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

/// The code and the amount (element `value`) of a line that goes to the general ledger (SY 4.8, 4.10).
pub(super) fn ledger_line(
    company: &Company,
    line: &Element,
    value: &'static str,
    findings: &mut Findings,
) -> (String, Decimal) {
    let code = line.text_or_blank("LedgerCode");
    match company.ledger_code(code) {
        None => findings.error(
            "LedgerCode",
            code,
            number::NOT_FOUND,
            "Ledger code not found",
        ),
        Some(own) if own.on_hold => {
            findings.error(
                "LedgerCode",
                code,
                number::ON_HOLD,
                "Ledger code is on hold",
            );
        }
        Some(own) if own.control => {
            findings.warning("LedgerCode", code, "Ledger code is a control account");
        }
        Some(_) => {}
    }
    let text = line.text_or_blank(value);
    let amount = xml::number(text, 2).unwrap_or_else(|| {
        findings.error(value, text, number::NOT_NUMERIC, "Value is not numeric");
        Decimal::ZERO
    });
    (code.to_owned(), amount)
}

/// A document of items, each with these elements (SY 3.5).
pub(super) fn items(document: &str, root: &str, elements: &[&str]) -> Result<Element, Exception> {
    let document = Element::parse(document, "XmlIn")?;
    document.expect_root(root)?;
    document.expect_children(&["Item*"], false)?;
    for item in &document.children {
        item.expect_children(elements, false)?;
    }
    Ok(document)
}

/// How many items are invalid, and whether the others post: not when only asked to validate, and not beside an invalid
/// one when the document applies as a whole or not at all (SY 3.6).
pub(super) fn verdict<'f>(
    flags: &Flags,
    findings: impl Iterator<Item = &'f Findings>,
) -> (usize, bool) {
    let invalid = findings.filter(|one| !one.errors.is_empty()).count();
    let entire = flags.yes("ApplyIfEntireDocumentValid");
    let posts = !flags.yes("ValidateOnly") && (invalid == 0 || !entire);
    (invalid, posts)
}
