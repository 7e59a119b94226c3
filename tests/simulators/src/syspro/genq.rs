//! Look-ups in the general ledger: GENQRY, GENQZM, GENQGL and GENQPP (SY 4.10).
//!
//! The sheet names what goes in and which members come out; roots that it does not name are the closest reading.

use super::Outcome;
use super::answer::{Exception, Node, padded};
use super::company::{Company, GlJournal, GlLine, Period};
use super::xml::Element;

/// Rows of GENQRY that are returned unless the query says otherwise.
const ROWS_DEFAULT: usize = 50;

fn query(document: &str, key: &[&str], options: &[&str]) -> Result<Element, Exception> {
    let query = Element::parse(document, "XmlIn")?;
    query.expect_root("Query")?;
    query.expect_children(&["Key", "Option"], false)?;
    if let Some(element) = query.child("Key") {
        element.expect_children(key, false)?;
    }
    if let Some(element) = query.child("Option") {
        element.expect_children(options, false)?;
    }
    Ok(query)
}

fn text<'a>(query: &'a Element, part: &str, name: &str) -> &'a str {
    query
        .child(part)
        .map_or("", |part| part.text_or_blank(name))
}

fn number<T: std::str::FromStr + Default>(text: &str, what: &str) -> Result<T, Exception> {
    if text.is_empty() {
        return Ok(T::default());
    }
    text.parse()
        .map_err(|_| Exception::new(format!("{what} is not numeric")))
}

fn line_node(own: &GlLine) -> Vec<(&'static str, String)> {
    vec![
        ("GlCode", own.code.clone()),
        ("Reference", own.reference.clone()),
        ("EntryValue", padded(own.amount, 17)),
        ("Comment", own.comment.clone()),
        ("EntryDate", own.date.to_string()),
    ]
}

fn posted(company: &Company) -> impl Iterator<Item = &GlJournal> {
    company.journals.iter().filter(|own| own.status == "P")
}

/// Runs GENQRY: the transactions of one ledger code, from a period and a line on.
pub(super) fn ledger(company: &Company, document: &str) -> Outcome {
    let options = ["MaxRowsToReturn", "StartAtKey", "Direction"];
    let query = query(document, &["LedgerCode", "Company"], &options)?;
    let code = text(&query, "Key", "LedgerCode");
    let own = company
        .ledger_code(code)
        .ok_or_else(|| Exception::new(format!("Ledger code {code} not found")))?;
    let most = match number(text(&query, "Option", "MaxRowsToReturn"), "MaxRowsToReturn")? {
        0 => ROWS_DEFAULT,
        most => most,
    };
    match text(&query, "Option", "Direction") {
        "" | "pagedown" => {}
        other => return Err(Exception::new(format!("Direction {other} is not valid"))),
    }
    let start = query
        .child("Option")
        .and_then(|option| option.child("StartAtKey"));
    let start: (String, usize) = match start {
        Some(key) => {
            key.expect_children(&["Period", "Line"], false)?;
            let line = number(key.text_or_blank("Line"), "Line")?;
            (key.text_or_blank("Period").to_owned(), line)
        }
        None => (String::new(), 0),
    };
    let shown = |period: Period| format!("{:04}{:02}", period.year, period.number);
    let mut found: Vec<(String, &GlJournal, &GlLine)> = posted(company)
        .flat_map(|journal| journal.lines.iter().map(move |line| (journal, line)))
        .filter(|(_, line)| line.code == own.code)
        .map(|(journal, line)| (shown(journal.period), journal, line))
        .collect();
    found.sort_by(|left, right| left.0.cmp(&right.0));
    let mut root = Node::query_root("LedgerQuery").leaves([
        ("LedgerCode", own.code.clone()),
        ("Description", own.description.clone()),
    ]);
    let mut count = 0;
    let mut next = None;
    let mut of_period = (String::new(), 0);
    for (period, journal, line) in found {
        // Lines are counted within their period.
        of_period = if of_period.0 == period {
            (period, of_period.1 + 1)
        } else {
            (period, 1)
        };
        if of_period < start {
            continue;
        }
        if count == most {
            next = Some(of_period.clone());
            break;
        }
        count += 1;
        let mut node = Node::new("Transaction").leaves([
            ("Period", of_period.0.clone()),
            ("Line", of_period.1.to_string()),
            ("GlJournal", journal.number.clone()),
        ]);
        for (name, value) in line_node(line) {
            node.push(Node::text(name, value));
        }
        root.push(node);
    }
    if let Some((period, line)) = next {
        let key = Node::new("NextKey").leaves([("Period", period), ("Line", line.to_string())]);
        root.push(key);
    }
    Ok(root)
}

/// Runs GENQZM: one journal with its header and lines.
pub(super) fn zoom(company: &Company, document: &str) -> Outcome {
    let query = query(document, &[], &["GeneralLedgerJournal"])?;
    let wanted = query
        .child("Option")
        .and_then(|option| option.child("GeneralLedgerJournal"))
        .ok_or_else(|| Exception::new("GeneralLedgerJournal is required"))?;
    wanted.expect_children(
        &["IncludeGLJournals", "GlYear", "GlPer", "GlJournal"],
        false,
    )?;
    let period = Period {
        year: number(wanted.text_or_blank("GlYear"), "GlYear")?,
        number: number(wanted.text_or_blank("GlPer"), "GlPer")?,
    };
    let name = wanted.text_or_blank("GlJournal");
    let mut journals = company.journals.iter();
    let own = journals
        .find(|own| {
            own.period == period
                && own.number.trim_start_matches('0') == name.trim_start_matches('0')
        })
        .ok_or_else(|| Exception::new(format!("Journal {name} not found")))?;
    let mut node = Node::new("GeneralLedgerJournal").leaves([
        ("GlYear", own.period.year.to_string()),
        ("GlPeriod", format!("{:02}", own.period.number)),
        ("GlJournal", own.number.clone()),
        ("Reference", own.reference.clone()),
        ("Notation", own.notation.clone()),
        ("Jnlstatus", own.status.to_owned()),
    ]);
    for line in &own.lines {
        let mut detail = Node::new("Line");
        for (name, value) in line_node(line) {
            detail.push(Node::text(name, value));
        }
        node.push(detail);
    }
    Ok(Node::query_root("LedgerQueryZoom").with(node))
}

/// Runs GENQGL: whether a ledger code can be posted to.
pub(super) fn validate(company: &Company, document: &str) -> Outcome {
    let key = [
        "LedgerCode",
        "Company",
        "SecurityType",
        "ValidateStructure",
        "ValidateFlags",
    ];
    let query = query(document, &key, &[])?;
    let code = text(&query, "Key", "LedgerCode");
    let own = company
        .ledger_code(code)
        .ok_or_else(|| Exception::new(format!("Ledger code {code} not found")))?;
    let flag = |yes: bool| if yes { "Y" } else { "N" }.to_owned();
    Ok(Node::query_root("GlCodeQuery").leaves([
        ("LedgerCode", own.code.clone()),
        ("Description", own.description.clone()),
        ("ControlAccFlag", flag(own.control)),
        ("GlCodeOnHold", flag(own.on_hold)),
    ]))
}

/// Runs GENQPP: the periods of a fiscal year, O open or C closed (SY 4.10: that O and C mean this is inferred).
pub(super) fn periods(company: &Company, document: &str) -> Outcome {
    let query = query(document, &["PreviousYear"], &["PreviousYear"])?;
    let back = match text(&query, "Key", "PreviousYear") {
        "" => text(&query, "Option", "PreviousYear"),
        own => own,
    };
    let back: i16 = match back {
        "" | "N" => 0,
        "Y" => 1,
        other => number(other, "PreviousYear")?,
    };
    let year = company.gl_period.year - back;
    let mut root = Node::query_root("GlPeriods").leaves([("GlYear", year.to_string())]);
    for number in 1..=12 {
        let own = Period { year, number };
        let open = own <= company.gl_period && !company.closed.contains(&own);
        root.push(Node::new("Period").leaves([
            ("GlPeriod", format!("{number:02}")),
            ("PeriodEndDate", last_day(year, number)),
            ("Status", if open { "O" } else { "C" }.to_owned()),
        ]));
    }
    Ok(root)
}

/// The last day of a month; a simulated fiscal year is a calendar year.
fn last_day(year: i16, month: i8) -> String {
    jiff::civil::Date::new(year, month, 1)
        .map(|first| first.last_of_month().to_string())
        .unwrap_or_default()
}
