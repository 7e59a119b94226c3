//! COMFND, a restricted SELECT, and COMFCH, one row by its key (SY 4.13).

use super::answer::{Exception, Node, padded};
use super::company::Company;
use super::keys::normal;
use super::tables::{Cell, Row, TABLES, rows};
use super::xml::Element;
use super::{Outcome, Run};
use rust_decimal::Decimal;
use std::cmp::Ordering;

const QUERY: &[&str] = &[
    "TableName",
    "ReturnRows",
    "Columns",
    "AllColumns",
    "Where",
    "OrderBy",
];
const EXPRESSION: &[&str] = &[
    "AndOr",
    "OpenBracket",
    "Column",
    "Condition",
    "Value",
    "CloseBracket",
];
/// Brackets nest so deep (SY 4.13).
const BRACKETS_MAX: usize = 3;

/// Runs COMFND.
pub(super) fn find(company: &Company, document: &str, run: &Run<'_>) -> Outcome {
    let query = Element::parse(document, "XmlIn")?;
    query.expect_root("Query")?;
    query.expect_children(QUERY, false)?;
    let (name, known) = table(company, query.text_or_blank("TableName"), run)?;
    let columns = columns(&query, &known, run)?;
    let most = match query.text_of("ReturnRows") {
        None | Some("") => usize::MAX,
        Some(text) => text
            .parse()
            .map_err(|_| Exception::new("ReturnRows is not numeric"))?,
    };
    let tokens = match query.child("Where") {
        Some(filter) => tokens(filter, &known)?,
        None => Vec::new(),
    };
    let mut found = Vec::new();
    for row in rows(company, name) {
        if tokens.is_empty() || Reader::new(&tokens, &row, run).read()? {
            found.push(row);
        }
    }
    sort(&mut found, query.child("OrderBy"), &known)?;
    found.truncate(most);
    if found.is_empty() && run.switches.no_rows_as_error {
        return Err(Exception::new("No rows found"));
    }
    Ok(answer(name, &columns, &found, run))
}

fn answer(name: &str, columns: &[String], found: &[Row<'_>], run: &Run<'_>) -> Node {
    // A plus sign cannot stand in an element name.
    let mut root = Node::query_root(name.replace('+', "_"));
    root.push(Node::new("HeaderDetails").leaves([("TableName", name.to_owned())]));
    for row in found {
        let cells = columns
            .iter()
            .map(|column| Node::text(column, row.cell(column).show(run.switches.padded_keys)));
        root.push(Node::new("Row").with_all(cells));
    }
    root.push(Node::text("RowsReturned", padded(found.len(), 13)));
    root
}

/// Name and columns of a table. Both are case-sensitive (SY 4.13).
fn table<'a>(
    company: &'a Company,
    wanted: &str,
    run: &Run<'_>,
) -> Result<(&'a str, Vec<&'a str>), Exception> {
    if wanted == "ArCustomer+" && run.switches.plus_tables {
        let own = company
            .form_fields
            .iter()
            .filter(|field| field.form == "CUS");
        let columns = std::iter::once("Customer").chain(own.map(|field| field.column.as_str()));
        return Ok(("ArCustomer+", columns.collect()));
    }
    let table = TABLES.iter().find(|table| table.name == wanted);
    let table = table.ok_or_else(|| Exception::new(format!("Table {wanted} is not valid")))?;
    Ok((table.name, table.columns.to_vec()))
}

/// Name, columns and key columns of a table.
pub(super) fn keyed_table<'a>(
    company: &'a Company,
    wanted: &str,
    run: &Run<'_>,
) -> Result<(&'a str, Vec<&'a str>, &'static [&'static str]), Exception> {
    let (name, known) = table(company, wanted, run)?;
    let own = TABLES.iter().find(|table| table.name == name);
    Ok((name, known, own.map_or(&["Customer"], |own| own.key)))
}

fn columns(query: &Element, known: &[&str], run: &Run<'_>) -> Result<Vec<String>, Exception> {
    if query.text_or_blank("AllColumns") == "Y" && run.switches.version_8 {
        return Ok(known.iter().map(|name| (*name).to_owned()).collect());
    }
    let listed = query
        .child("Columns")
        .map_or(&[][..], |columns| columns.children.as_slice());
    if listed.is_empty() {
        return Err(Exception::new("At least one column is required"));
    }
    listed
        .iter()
        .map(|column| {
            if column.name == "Column" && known.contains(&column.text.as_str()) {
                return Ok(column.text.clone());
            }
            Err(Exception::new(format!(
                "Column {} is not valid",
                column.text
            )))
        })
        .collect()
}

/// One element of a condition.
enum Token {
    And,
    Or,
    Open,
    Close,
    Test {
        column: String,
        condition: String,
        value: String,
    },
}

fn tokens(filter: &Element, known: &[&str]) -> Result<Vec<Token>, Exception> {
    filter.expect_children(&["Expression*"], false)?;
    let mut tokens = Vec::new();
    for (at, expression) in filter.children.iter().enumerate() {
        // A recording has AndOr behind the bracket (SY 4.13), so the order is free.
        expression.expect_children(EXPRESSION, false)?;
        if at > 0 {
            tokens.push(
                match expression.text_or_blank("AndOr").to_lowercase().as_str() {
                    "" | "and" => Token::And,
                    "or" => Token::Or,
                    other => return Err(Exception::new(format!("AndOr {other} is not valid"))),
                },
            );
        }
        let brackets = |name: &str, sign: char| {
            let text = expression.text_or_blank(name);
            let only = text.chars().all(|c| c == sign) && text.len() <= BRACKETS_MAX;
            if only {
                Ok(text.len())
            } else {
                Err(Exception::new(format!("{name} is not valid")))
            }
        };
        let (open, close) = (
            brackets("OpenBracket", '(')?,
            brackets("CloseBracket", ')')?,
        );
        tokens.extend((0..open).map(|_| Token::Open));
        let column = expression.text_or_blank("Column").to_owned();
        if !known.contains(&column.as_str()) {
            return Err(Exception::new(format!("Column {column} is not valid")));
        }
        let condition = expression.text_or_blank("Condition").to_owned();
        if !["GT", "GE", "LT", "LE", "EQ", "NE", "LIKE"].contains(&condition.as_str()) {
            return Err(Exception::new(format!(
                "Condition {condition} is not valid"
            )));
        }
        let value = expression.text_or_blank("Value").to_owned();
        tokens.push(Token::Test {
            column,
            condition,
            value,
        });
        tokens.extend((0..close).map(|_| Token::Close));
    }
    Ok(tokens)
}

/// Evaluates a condition for one row; `And` binds tighter than `Or`, as in SQL.
struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    row: &'a Row<'a>,
    padded_keys: bool,
}

impl<'a> Reader<'a> {
    fn new(tokens: &'a [Token], row: &'a Row<'a>, run: &Run<'_>) -> Self {
        Self {
            tokens,
            at: 0,
            row,
            padded_keys: run.switches.padded_keys,
        }
    }

    fn read(mut self) -> Result<bool, Exception> {
        let holds = self.any(0)?;
        if self.at < self.tokens.len() {
            return Err(Exception::new("Brackets do not match"));
        }
        Ok(holds)
    }

    fn any(&mut self, depth: usize) -> Result<bool, Exception> {
        let mut holds = self.all(depth)?;
        while matches!(self.tokens.get(self.at), Some(Token::Or)) {
            self.at += 1;
            holds |= self.all(depth)?;
        }
        Ok(holds)
    }

    fn all(&mut self, depth: usize) -> Result<bool, Exception> {
        let mut holds = self.one(depth)?;
        while matches!(self.tokens.get(self.at), Some(Token::And)) {
            self.at += 1;
            holds &= self.one(depth)?;
        }
        Ok(holds)
    }

    fn one(&mut self, depth: usize) -> Result<bool, Exception> {
        let mismatch = || Exception::new("Brackets do not match");
        let token = self.tokens.get(self.at).ok_or_else(mismatch)?;
        self.at += 1;
        match token {
            Token::Open if depth < BRACKETS_MAX => {
                let holds = self.any(depth + 1)?;
                if !matches!(self.tokens.get(self.at), Some(Token::Close)) {
                    return Err(mismatch());
                }
                self.at += 1;
                Ok(holds)
            }
            Token::Test {
                column,
                condition,
                value,
            } => Ok(test(
                &self.row.cell(column),
                condition,
                value,
                self.padded_keys,
            )),
            Token::Open | Token::Close | Token::And | Token::Or => Err(mismatch()),
        }
    }
}

/// Compares a stored value with one from the query. Keys must be given in the form that the site stores: this is what
/// makes a look-up in the wrong form find nothing (SY 4.13).
fn test(cell: &Cell, condition: &str, value: &str, padded_keys: bool) -> bool {
    if condition == "LIKE" {
        return like(&cell.show(padded_keys), value);
    }
    let order = match cell {
        Cell::Number(own) => match value.parse::<Decimal>() {
            Ok(value) => own.cmp(&value),
            Err(_) => return condition == "NE",
        },
        Cell::Date(own) => own.to_string().cmp(&value.replace('/', "-")),
        Cell::Text(_) | Cell::Key(..) => cell.show(padded_keys).trim_end().cmp(value.trim_end()),
    };
    match condition {
        "EQ" => order == Ordering::Equal,
        "NE" => order != Ordering::Equal,
        "GT" => order == Ordering::Greater,
        "GE" => order != Ordering::Less,
        "LT" => order == Ordering::Less,
        _ => order != Ordering::Greater,
    }
}

/// `*` stands for any text, `?` for one character (SY 4.13).
fn like(text: &str, pattern: &str) -> bool {
    fn matches(text: &[char], pattern: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len())
                .any(|skip| text.get(skip..).is_some_and(|text| matches(text, rest))),
            Some((wanted, rest)) => match text.split_first() {
                Some((own, text)) => (*wanted == '?' || own == wanted) && matches(text, rest),
                None => false,
            },
        }
    }
    let characters = |text: &str| text.trim_end().chars().collect::<Vec<_>>();
    matches(&characters(text), &characters(pattern))
}

fn sort(found: &mut [Row<'_>], order: Option<&Element>, known: &[&str]) -> Result<(), Exception> {
    let Some(order) = order else { return Ok(()) };
    order.expect_children(&["Column*"], false)?;
    for column in order.children.iter().rev() {
        let column = column.text.as_str();
        if !known.contains(&column) {
            return Err(Exception::new(format!("Column {column} is not valid")));
        }
        found.sort_by(
            |left, right| match (left.cell(column), right.cell(column)) {
                (Cell::Number(left), Cell::Number(right)) => left.cmp(&right),
                (left, right) => left.show(true).cmp(&right.show(true)),
            },
        );
    }
    Ok(())
}

/// Runs COMFCH: all columns of the row with that key, in any form of the key. A row that is not there is an exception.
pub(super) fn fetch(company: &Company, document: &str, run: &Run<'_>) -> Outcome {
    let fetch = Element::parse(document, "XmlIn")?;
    fetch.expect_root("Fetch")?;
    let optional: Vec<String> = (1..=12).map(|n| format!("OptionalKey{n}")).collect();
    let mut listed = vec!["TableName", "Key"];
    listed.extend(optional.iter().map(String::as_str));
    listed.extend(["FullKeyProvided", "DefaultType", "EspressoFetch"]);
    fetch.expect_children(&listed, false)?;
    let (name, known) = table(company, fetch.text_or_blank("TableName"), run)?;
    let key = TABLES
        .iter()
        .find(|table| table.name == name)
        .map_or(&["Customer"][..], |t| t.key);
    let mut wanted = vec![fetch.text_or_blank("Key")];
    wanted.extend(optional.iter().map(|name| fetch.text_or_blank(name)));
    let is_it = |row: &Row<'_>| {
        key.iter()
            .zip(&wanted)
            .all(|(column, wanted)| normal(&row.cell(column).show(false)) == normal(wanted))
    };
    let row = rows(company, name).into_iter().find(is_it);
    let row =
        row.ok_or_else(|| Exception::new(format!("{name} {} not found", wanted.join(" ").trim())))?;
    let cells = known
        .iter()
        .map(|column| Node::text(*column, row.cell(column).show(run.switches.padded_keys)));
    Ok(Node::query_root(name.replace('+', "_")).with_all(cells))
}
