//! The OData service: tables of a company, read-only, over HTTP Basic (SY 6).
//!
//! A machine of its own beside the load balancer: it needs no session and no seat (SY 6.2), and a restart of the load
//! balancer does not touch it. Values come straight out of SQL: keys in their stored form, dates as date-times (SY 6.4).

use super::Simulator;
use super::company::Company;
use super::odata_filter::{Filter, compare};
use super::settings::Switches;
use super::tables::{Cell, Row, TABLES, rows};
use crate::wire::{self, Target};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ml_connector_core::http::{HttpRequest, HttpResponse, Method};
use serde_json::{Map, Value, json};
use std::cmp::Ordering;

/// How faults and counts name the service.
pub(super) const OBJECT: &str = "ODATA";

/// Most rows in one answer (SY 6.3).
pub(super) const ROWS_MAX: usize = 5000;

/// A refusal: status and text.
pub(super) type Refusal = (u16, String);

/// The company and the table that a path names; `None` if it leads elsewhere. The name of the virtual directory is the
/// installer's choice (SY 6.1).
pub(super) fn place(target: &Target) -> Option<(&str, &str)> {
    match target.segments.as_slice() {
        [directory, service, rest @ ..]
            if directory.eq_ignore_ascii_case("SYSPRO8Odata")
                && service.eq_ignore_ascii_case("SYSPROOData") =>
        {
            let part = |at: usize| rest.get(at).map_or("", String::as_str);
            // A longer path names nothing that exists.
            Some((part(0), if rest.len() > 2 { "" } else { part(1) }))
        }
        _ => None,
    }
}

impl Simulator {
    /// Lets a user name read by OData. It need not be an operator's code (SY 6.2).
    pub fn set_odata_user(&mut self, name: &str, password: &str) {
        self.odata_users
            .insert(name.to_owned(), password.to_owned());
    }

    /// Carries out one OData call.
    pub(super) fn odata(&self, request: &HttpRequest, target: &Target) -> HttpResponse {
        let (company, table) = place(target).unwrap_or_default();
        match self.odata_rows(request, target, company, table) {
            Ok(body) => wire::response(
                200,
                "application/json; odata.metadata=minimal; odata.streaming=true",
                body.to_string(),
            ),
            Err((status, text)) => refuse(status, &text, &self.switches),
        }
    }

    fn odata_rows(
        &self,
        request: &HttpRequest,
        target: &Target,
        company: &str,
        table: &str,
    ) -> Result<Value, Refusal> {
        self.odata_authorize(request)?;
        if request.method != Method::Get {
            return Err((405, "The service is read-only".to_owned()));
        }
        let company = self
            .companies
            .get(&company.to_uppercase())
            .ok_or_else(|| (404, format!("Company '{company}' not found")))?;
        let (table, columns) = table_of(company, table, &self.switches)
            .ok_or_else(|| (404, format!("Resource not found for the segment '{table}'")))?;
        let options = Options::read(target, &columns)?;
        let mut found = Vec::new();
        for row in rows(company, table) {
            if match &options.filter {
                Some(filter) => filter.holds(&row)?,
                None => true,
            } {
                found.push(row);
            }
        }
        if options.order.is_empty() && !found.is_empty() {
            // Without $orderby SQL promises no order, and it changes between requests (SY 6.3).
            let by = usize::try_from(self.calls).unwrap_or(0) % found.len();
            found.rotate_left(by);
        }
        sort(&mut found, &options.order);
        let mut page: Vec<_> = found.iter().skip(options.skip).collect();
        let wanted = options.top.unwrap_or(usize::MAX);
        let cut = page.len().min(wanted) > ROWS_MAX;
        page.truncate(wanted.min(ROWS_MAX));
        let shown = page
            .into_iter()
            .map(|row| show(row, &options.select, &self.switches))
            .collect::<Vec<_>>();
        if self.switches.odata_bare_array {
            return Ok(Value::Array(shown));
        }
        let mut body = Map::new();
        body.insert(
            "@odata.context".to_owned(),
            json!(format!("$metadata#{table}")),
        );
        body.insert("value".to_owned(), Value::Array(shown));
        if cut && self.switches.odata_next_link {
            let skip = options.skip + ROWS_MAX;
            body.insert(
                "@odata.nextLink".to_owned(),
                json!(format!("{table}?$skip={skip}")),
            );
        }
        Ok(Value::Object(body))
    }

    fn odata_authorize(&self, request: &HttpRequest) -> Result<(), Refusal> {
        let denied = || (401, "Unauthorized".to_owned());
        let given = request.header("authorization").ok_or_else(denied)?;
        let encoded = given.strip_prefix("Basic ").ok_or_else(denied)?;
        let bytes = STANDARD.decode(encoded.trim()).map_err(|_| denied())?;
        let text = String::from_utf8(bytes).map_err(|_| denied())?;
        let (name, password) = text.split_once(':').ok_or_else(denied)?;
        match self.odata_users.get(name) {
            Some(own) if own == password => Ok(()),
            _ => Err(denied()),
        }
    }
}

/// OData's own error, or a page of the web server (SY 6.4).
fn refuse(status: u16, text: &str, switches: &Switches) -> HttpResponse {
    let mut response = if switches.odata_html_errors {
        let page = format!("<!DOCTYPE html><html><body><h2>{status} - {text}</h2></body></html>");
        wire::response(status, "text/html", page)
    } else {
        let body = json!({ "error": { "code": "", "message": text } });
        wire::response(status, "application/json", body.to_string())
    };
    if status == 401 {
        response.headers.push((
            "WWW-Authenticate".to_owned(),
            "Basic realm=\"OData\"".to_owned(),
        ));
    }
    response
}

/// Name and columns of a table; names are case-sensitive (SY 4.13). The table with the plus sign may go by another name
/// (SY 6.4).
fn table_of<'a>(
    company: &'a Company,
    wanted: &str,
    switches: &Switches,
) -> Option<(&'static str, Vec<&'a str>)> {
    let plus = if switches.odata_plus_renamed {
        "ArCustomerPlus"
    } else {
        "ArCustomer+"
    };
    if wanted == plus {
        let own = company
            .form_fields
            .iter()
            .filter(|field| field.form == "CUS");
        let columns = std::iter::once("Customer").chain(own.map(|field| field.column.as_str()));
        return Some(("ArCustomer+", columns.collect()));
    }
    let table = TABLES.iter().find(|table| table.name == wanted)?;
    Some((table.name, table.columns.to_vec()))
}

/// The query options of a call.
struct Options {
    filter: Option<Filter>,
    /// Columns, true for descending.
    order: Vec<(String, bool)>,
    select: Vec<String>,
    top: Option<usize>,
    skip: usize,
}

impl Options {
    /// Reads them. `$count`, `$expand`, `$apply` and the like are unverified and therefore refused (SY 6.3).
    fn read(target: &Target, columns: &[&str]) -> Result<Self, Refusal> {
        let mut options = Self {
            filter: None,
            order: Vec::new(),
            select: columns.iter().map(|name| (*name).to_owned()).collect(),
            top: None,
            skip: 0,
        };
        let known = |name: &str| {
            columns
                .contains(&name)
                .then(|| name.to_owned())
                .ok_or((400, format!("Could not find a property named '{name}'")))
        };
        let count = |name: &str, value: &str| {
            value
                .parse::<usize>()
                .map_err(|_| (400, format!("Invalid value '{value}' for {name}")))
        };
        for (name, value) in &target.query {
            match name.as_str() {
                "$filter" => options.filter = Some(Filter::parse(value, columns)?),
                "$select" => {
                    options.select = value
                        .split(',')
                        .map(|name| known(name.trim()))
                        .collect::<Result<_, _>>()?;
                }
                "$orderby" => {
                    for term in value.split(',') {
                        let mut words = term.split_whitespace();
                        let column = known(words.next().unwrap_or_default())?;
                        let descending = match words.next() {
                            None | Some("asc") => false,
                            Some("desc") => true,
                            Some(other) => return Err((400, format!("Syntax error at '{other}'"))),
                        };
                        options.order.push((column, descending));
                    }
                }
                "$top" => options.top = Some(count(name, value)?),
                "$skip" => options.skip = count(name, value)?,
                name if name.starts_with('$') => {
                    return Err((400, format!("The query option '{name}' is not supported")));
                }
                _ => {}
            }
        }
        Ok(options)
    }
}

fn sort(found: &mut [Row<'_>], order: &[(String, bool)]) {
    found.sort_by(|left, right| {
        order
            .iter()
            .map(|(column, descending)| {
                let order = compare(&left.cell(column), &right.cell(column));
                if *descending { order.reverse() } else { order }
            })
            .find(|order| *order != Ordering::Equal)
            .unwrap_or(Ordering::Equal)
    });
}

/// One row as JSON (SY 6.4).
fn show(row: &Row<'_>, select: &[String], switches: &Switches) -> Value {
    let mut out = Map::new();
    for column in select {
        let value = match row.cell(column) {
            Cell::Number(number) => number
                .to_string()
                .parse::<serde_json::Number>()
                .map_or(Value::Null, Value::Number),
            Cell::Date(date) if switches.odata_zoned_dates => json!(format!("{date}T00:00:00Z")),
            Cell::Date(date) => json!(format!("{date}T00:00:00")),
            text @ (Cell::Text(_) | Cell::Key(..)) => {
                let text = text.show(true);
                if switches.odata_padded_text {
                    json!(format!("{text:<20}"))
                } else {
                    json!(text)
                }
            }
        };
        out.insert(column.clone(), value);
    }
    Value::Object(out)
}
