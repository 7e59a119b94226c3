//! COMBRW, a table page by page, and COMKEY, the key before or after one (SY 4.13).
//!
//! The sheet names the members of both, not every shape of their answers: roots and the answer of COMKEY are the closest
//! reading, and no client may depend on them.

use super::answer::{Exception, Node};
use super::comfnd;
use super::company::Company;
use super::keys::normal;
use super::tables::{Cell, Row, rows};
use super::xml::Element;
use super::{Outcome, Run};
use std::cmp::Ordering;

/// Rows in an answer that does not say otherwise (SY 4.13).
const ROWS_DEFAULT: usize = 20;

const BROWSE: &[&str] = &[
    "BrowseName",
    "StartAtKey",
    "StartCondition",
    "ReturnRows",
    "Filter",
    "BrowseDetails",
];

/// The rows of a table in the order of its key.
fn in_order<'a>(company: &'a Company, table: &str, key: &[&str]) -> Vec<Row<'a>> {
    let mut found = rows(company, table);
    found.sort_by(|left, right| {
        let orders = key
            .iter()
            .map(|column| order(&left.cell(column), &right.cell(column)));
        orders.fold(Ordering::Equal, Ordering::then)
    });
    found
}

fn order(left: &Cell, right: &Cell) -> Ordering {
    match (left, right) {
        (Cell::Number(left), Cell::Number(right)) => left.cmp(right),
        (left, right) => left.show(true).cmp(&right.show(true)),
    }
}

/// How a row's first key column stands to a key in any of its forms.
fn against(row: &Row<'_>, column: &str, key: &str) -> Ordering {
    let own = normal(&row.cell(column).show(false));
    let key = normal(key);
    match (own.parse::<u128>(), key.parse::<u128>()) {
        (Ok(own), Ok(key)) => own.cmp(&key),
        _ => own.cmp(&key),
    }
}

/// Runs COMBRW.
pub(super) fn browse(company: &Company, document: &str, run: &Run<'_>) -> Outcome {
    let browse = Element::parse(document, "XmlIn")?;
    browse.expect_root("Browse")?;
    browse.expect_children(BROWSE, false)?;
    let details = browse
        .child("BrowseDetails")
        .ok_or_else(|| Exception::new("BrowseDetails is required"))?;
    details.expect_children(&["TableName", "Title", "Column*"], false)?;
    let (name, known, key) = comfnd::keyed_table(company, details.text_or_blank("TableName"), run)?;
    let first = key.first().copied().unwrap_or_default();
    let mut columns = Vec::new();
    for column in details.all("Column") {
        if !known.contains(&column.text.as_str()) {
            return Err(Exception::new(format!(
                "Column {} is not valid",
                column.text
            )));
        }
        columns.push(column.text.as_str());
    }
    if columns.is_empty() {
        columns = known;
    }
    let most = match browse.text_or_blank("ReturnRows") {
        "" => ROWS_DEFAULT,
        text => text
            .parse()
            .map_err(|_| Exception::new("ReturnRows is not numeric"))?,
    };
    let start = browse.text_or_blank("StartAtKey");
    let mut all = in_order(company, name, key);
    if let Some(filter) = browse.child("Filter") {
        filter.expect_children(&["ColumnFilterName", "ColumnFilterValue"], false)?;
        let (column, value) = (
            filter.text_or_blank("ColumnFilterName"),
            filter.text_or_blank("ColumnFilterValue"),
        );
        all.retain(|row| normal(&row.cell(column).show(false)) == normal(value));
    }
    let total = all.len();
    let from = |wanted: fn(Ordering) -> bool| {
        let place = all
            .iter()
            .position(|row| wanted(against(row, first, start)));
        place.unwrap_or(total)
    };
    let begin = match browse.text_or_blank("StartCondition") {
        "" | "GE" if start.is_empty() => 0,
        "" | "GE" => from(|order| order != Ordering::Less),
        "GR" => from(|order| order == Ordering::Greater),
        "EF" => 0,
        // Backwards: the page that ends with this key.
        "LE" => from(|order| order == Ordering::Greater).saturating_sub(most),
        other => {
            return Err(Exception::new(format!(
                "StartCondition {other} is not valid"
            )));
        }
    };
    let page: Vec<&Row<'_>> = all.iter().skip(begin).take(most).collect();
    let mut root = Node::query_root("Browse");
    for row in &page {
        let cells = columns.iter().map(|column| {
            Node::new(*column).leaves([
                ("Value", row.cell(column).show(run.switches.padded_keys)),
                ("DataType", data_type(&row.cell(column)).to_owned()),
            ])
        });
        root.push(Node::new("Row").with_all(cells));
    }
    let key_of = |row: Option<&&Row<'_>>| {
        row.map(|row| row.cell(first).show(run.switches.padded_keys))
            .unwrap_or_default()
    };
    let more = begin + page.len() < total;
    let flag = |yes: bool| if yes { "Y" } else { "N" }.to_owned();
    root.push(Node::new("NextPrevKey").leaves([
        ("PrevKey", key_of(page.first())),
        ("NextKey", key_of(page.last())),
        ("Fwd", flag(more)),
        ("Back", flag(begin > 0)),
    ]));
    Ok(root)
}

const fn data_type(cell: &Cell) -> &'static str {
    match cell {
        Cell::Text(_) | Cell::Key(..) => "A",
        Cell::Number(_) => "N",
        Cell::Date(_) => "D",
    }
}

/// Runs COMKEY: the key behind the given one, or before it. None is an exception.
pub(super) fn neighbour(
    company: &Company,
    document: &str,
    forward: bool,
    run: &Run<'_>,
) -> Outcome {
    let keys = Element::parse(document, "XmlIn")?;
    keys.expect_root("Keys")?;
    let optional: Vec<String> = (1..=12).map(|n| format!("OptionalKey{n}")).collect();
    let mut listed = vec!["TableName", "Key"];
    listed.extend(optional.iter().map(String::as_str));
    listed.push("ReadDirection");
    keys.expect_children(&listed, false)?;
    let (name, _, key) = comfnd::keyed_table(company, keys.text_or_blank("TableName"), run)?;
    let first = key.first().copied().unwrap_or_default();
    let at = keys.text_or_blank("Key");
    let mut all = in_order(company, name, key);
    if !forward {
        all.reverse();
    }
    let wanted = if forward {
        Ordering::Greater
    } else {
        Ordering::Less
    };
    let found = all
        .iter()
        .find(|row| at.is_empty() || against(row, first, at) == wanted)
        .ok_or_else(|| Exception::new(format!("No more keys in {name}")))?;
    let cells = key
        .iter()
        .map(|column| Node::text(*column, found.cell(column).show(run.switches.padded_keys)));
    Ok(Node::query_root("Keys").with_all(cells))
}
