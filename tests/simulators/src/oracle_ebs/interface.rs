//! The open interface of AR_PAYMENTS_INTERFACE_ALL: plain rows in, out, changed and removed (EB 4.2, 5.4).

use super::answer::{Refusal, Writer};
use super::input::{Body, Columns, number};
use super::lockbox::{Lockboxes, text};
use super::settings::Switches;
use super::tables::{OrgId, Tables};
use crate::wire::{self, Target};
use ml_connector_core::http::{HttpResponse, Method};
use serde_json::{Map, Value, json};

const TABLE: &str = "AR_PAYMENTS_INTERFACE_ALL";

enum Type {
    Text(usize),
    Number,
    Date,
}

use Type::{Date, Number, Text};

/// Columns with their types; lengths in bytes, as far as they are known (EB 5.4, 9).
const COLUMNS: &[(&str, Type)] = &[
    ("TRANSMISSION_RECORD_ID", Number),
    ("RECORD_TYPE", Text(2)),
    ("STATUS", Text(30)),
    ("TRANSMISSION_ID", Number),
    ("TRANSMISSION_REQUEST_ID", Number),
    ("LOCKBOX_NUMBER", Text(30)),
    ("BATCH_NAME", Text(25)),
    ("ITEM_NUMBER", Number),
    ("CHECK_NUMBER", Text(30)),
    ("REMITTANCE_AMOUNT", Number),
    ("CURRENCY_CODE", Text(15)),
    ("EXCHANGE_RATE", Number),
    ("RECEIPT_DATE", Date),
    ("DEPOSIT_DATE", Date),
    ("GL_DATE", Date),
    ("CUSTOMER_NUMBER", Text(30)),
    ("CUSTOMER_ID", Number),
    ("CUSTOMER_SITE_USE_ID", Number),
    ("CUSTOMER_REFERENCE", Text(30)),
    ("BILL_TO_LOCATION", Text(40)),
    ("TRANSIT_ROUTING_NUMBER", Text(25)),
    ("ACCOUNT", Text(30)),
    ("ORIGINATION", Text(25)),
    ("DESTINATION_ACCOUNT", Text(25)),
    ("OVERFLOW_SEQUENCE", Number),
    ("OVERFLOW_INDICATOR", Text(1)),
    ("RECEIPT_METHOD_ID", Number),
    ("CUSTOMER_BANK_ACCOUNT_ID", Number),
    ("COMMENTS", Text(240)),
    ("ATTRIBUTE_CATEGORY", Text(30)),
    ("ORG_ID", Number),
    ("CREATED_BY", Number),
    ("CREATION_DATE", Date),
    ("LAST_UPDATED_BY", Number),
    ("LAST_UPDATE_DATE", Date),
];

/// The numbered columns: name, how many, type.
const NUMBERED: &[(&str, u8, Type)] = &[
    ("INVOICE_CURRENCY_CODE", 8, Text(15)),
    ("AMOUNT_APPLIED_FROM", 8, Number),
    ("AMOUNT_APPLIED", 8, Number),
    ("TRANS_TO_RECEIPT_RATE", 8, Number),
    ("INVOICE", 8, Text(50)),
    ("ATTRIBUTE", 15, Text(150)),
];

fn column(name: &str) -> Option<&'static Type> {
    let own = COLUMNS.iter().find(|(own, _)| *own == name);
    own.map(|(_, kind)| kind).or_else(|| {
        NUMBERED.iter().find_map(|(own, most, kind)| {
            let at: u8 = name.strip_prefix(own)?.parse().ok()?;
            (1..=*most).contains(&at).then_some(kind)
        })
    })
}

/// What the database refuses at INSERT.
pub(super) fn check(row: &Columns) -> Result<(), String> {
    for (name, value) in row {
        match column(name) {
            None => return Err(format!("ORA-00904: \"{name}\": invalid identifier")),
            Some(Text(most)) if value.len() > *most => {
                return Err(format!(
                    "ORA-12899: value too large for column {name} (actual: {}, maximum: {most})",
                    value.len()
                ));
            }
            Some(Number) if number(value).is_none() => {
                return Err("ORA-01722: invalid number".to_owned());
            }
            Some(Date)
                if value
                    .get(..10)
                    .is_none_or(|day| day.parse::<jiff::civil::Date>().is_err()) =>
            {
                return Err("ORA-01861: literal does not match format string".to_owned());
            }
            Some(_) => {}
        }
    }
    if text(row, "RECORD_TYPE").is_empty() {
        return Err("ORA-01400: cannot insert NULL into RECORD_TYPE".to_owned());
    }
    Ok(())
}

/// One call of the table.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) target: &'a Target,
    pub(super) body: &'a Body,
    pub(super) org: Option<OrgId>,
    pub(super) switches: &'a Switches,
    pub(super) writer: &'a Writer<'a>,
    pub(super) rows_max: usize,
}

impl Call<'_> {
    /// Runs the verb. Rows of other organisations are out of reach.
    pub(super) fn run(
        &self,
        tables: &mut Tables,
        lockboxes: &mut Lockboxes,
    ) -> Result<HttpResponse, Refusal> {
        let given = self.body.inputs.table(&format!("{TABLE}_REC"));
        match self.method {
            Method::Post => {
                let mut rows = given;
                for row in &mut rows {
                    if self.switches.fills_record_id && !row.contains_key("TRANSMISSION_RECORD_ID")
                    {
                        let id = tables.next_id().to_string();
                        row.insert("TRANSMISSION_RECORD_ID".to_owned(), id);
                    }
                }
                let shown = rows.clone();
                lockboxes
                    .insert(rows, self.switches.atomic_inserts)
                    .map_err(|text| Refusal::execution(self.switches, text))?;
                Ok(self.answer(&shown, &self.body.select))
            }
            Method::Get => self.list(lockboxes),
            Method::Put => {
                let [change] = given.as_slice() else {
                    let text = "An update takes one set of columns";
                    return Err(Refusal::execution(self.switches, text));
                };
                let filter = self.filter()?;
                let mut changed = Vec::new();
                for row in lockboxes.rows_mut() {
                    if self.reaches(row, &filter) {
                        row.extend(change.clone());
                        changed.push(row.clone());
                    }
                }
                Ok(self.answer(&changed, &self.body.select))
            }
            Method::Delete => {
                let filter = self.filter()?;
                let before = lockboxes.rows_mut().len();
                lockboxes
                    .rows_mut()
                    .retain(|row| !self.reaches(row, &filter));
                let gone = before - lockboxes.rows_mut().len();
                Ok(self.counted(gone, Map::new()))
            }
            Method::Patch => Err(Refusal::new(405, "ISG_INVALID_METHOD", "No such method")),
        }
    }

    fn list(&self, lockboxes: &Lockboxes) -> Result<HttpResponse, Refusal> {
        let filter = self.filter()?;
        let mut rows: Vec<Columns> = lockboxes
            .interface()
            .filter(|row| self.reaches(row, &filter))
            .cloned()
            .collect();
        if let Some(sort) = self.target.parameter("sort") {
            rows.sort_by_key(|row| text(row, sort).to_owned());
        }
        let count = |name: &str| -> Option<usize> { self.target.parameter(name)?.parse().ok() };
        let limit = count("limit").unwrap_or(usize::MAX).min(self.rows_max);
        let rows: Vec<Columns> = rows
            .into_iter()
            .skip(count("offset").unwrap_or(0))
            .take(limit)
            .collect();
        Ok(self.answer(&rows, self.target.parameter("select").unwrap_or_default()))
    }

    fn reaches(&self, row: &Columns, filter: &[(String, String)]) -> bool {
        text(row, "ORG_ID").parse().ok() == self.org
            && filter.iter().all(|(name, value)| text(row, name) == value)
    }

    /// `COLUMN='value' AND …`. The real grammar is not known (EB 4.2); a client takes it from a setting. Without a
    /// condition nothing is changed or removed.
    fn filter(&self) -> Result<Vec<(String, String)>, Refusal> {
        let given = self.target.parameter("filter").unwrap_or_default();
        let parts = given.split(" AND ").filter(|part| !part.trim().is_empty());
        let conditions = parts.map(|part| {
            let (name, value) = part.split_once('=')?;
            let value = value.trim().strip_prefix('\'')?.strip_suffix('\'')?;
            column(name.trim())?;
            Some((name.trim().to_owned(), value.to_owned()))
        });
        let conditions: Option<Vec<_>> = conditions.collect();
        conditions
            .filter(|conditions| self.method == Method::Get || !conditions.is_empty())
            .ok_or_else(|| Refusal::execution(self.switches, "The filter is not valid"))
    }

    /// The rows with the columns that `Select` names, all of them without one.
    fn answer(&self, rows: &[Columns], select: &str) -> HttpResponse {
        let wanted: Vec<&str> = select
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect();
        let shown: Vec<Value> = rows
            .iter()
            .map(|row| {
                let members = row
                    .iter()
                    .filter(|(name, _)| wanted.is_empty() || wanted.contains(&name.as_str()))
                    .map(|(name, value)| (name.clone(), Value::String(value.clone())));
                Value::Object(members.collect())
            })
            .collect();
        let count = shown.len();
        let mut members = Map::new();
        // One row is an object here too (EB 3.2).
        let value = match <[Value; 1]>::try_from(shown) {
            Ok([only]) => only,
            Err(none) if none.is_empty() => self.writer.rows(Vec::new()),
            Err(several) => Value::Array(several),
        };
        members.insert(format!("{TABLE}_REC"), value);
        self.counted(count, members)
    }

    fn counted(&self, count: usize, rows: Map<String, Value>) -> HttpResponse {
        let mut members = if self.switches.nested_rows {
            Map::from_iter([(format!("{TABLE}_Output"), Value::Object(rows))])
        } else {
            rows
        };
        members.insert("COUNT".to_owned(), Value::String(count.to_string()));
        let body = json!({ "OutputParameters": members });
        wire::response(200, "application/json", body.to_string())
    }
}
