//! Answers: faults of the gateway, output parameters with their quirks, pages of the front end.

use super::settings::{Nulls, Switches};
use crate::wire;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use ml_connector_core::http::HttpResponse;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

/// Why a call was refused by the gateway, before or instead of any business logic (EB 3.5, 8.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// The catch-all for bodies that do not fit and for PL/SQL exceptions.
    pub(crate) fn execution(switches: &Switches, message: impl Into<String>) -> Self {
        let status = switches.execution_error_status;
        Self::new(status, "ISG_SERVICE_EXECUTION_ERROR", message)
    }

    pub(crate) fn response(&self, service: &str, operation: &str) -> HttpResponse {
        let resolution = match self.status {
            401 => "Check the user name and the password or the security token",
            403 => "Check the grants of the operation",
            _ => "Check the server logs for details",
        };
        let body = json!({
            "ISGServiceFault": {
                "Code": self.code,
                "Message": self.message,
                "Resolution": resolution,
                "ServiceDetails": {
                    "ServiceName": service.to_uppercase(),
                    "OperationName": operation.to_uppercase(),
                    "InstanceId": "0",
                },
            }
        });
        wire::response(self.status, "application/json", body.to_string())
    }
}

/// A page of the web tier.
pub(crate) fn html(status: u16, text: &str) -> HttpResponse {
    let body = format!("<html><head><title>{text}</title></head><body>{text}</body></html>");
    wire::response(status, "text/html", body)
}

/// A value as a PL/SQL OUT parameter gives it: numbers are strings without trailing zeros, dates carry milliseconds and
/// the server's offset on that day (EB 3.2).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Out {
    Null,
    Text(String),
    Number(Decimal),
    Date(DateTime),
    /// The name of the table and its rows.
    Table(&'static str, Vec<Row>),
}

pub(crate) type Row = Vec<(&'static str, Out)>;

impl Out {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        // To Oracle an empty string is null.
        if text.is_empty() {
            Self::Null
        } else {
            Self::Text(text)
        }
    }

    pub(crate) fn id(id: u64) -> Self {
        Self::Text(id.to_string())
    }

    pub(crate) fn day(date: Date) -> Self {
        Self::Date(date.to_datetime(jiff::civil::Time::midnight()))
    }
}

/// Writes output values in the way of this site.
pub(crate) struct Writer<'a> {
    pub(crate) switches: &'a Switches,
    pub(crate) zone: &'a TimeZone,
}

impl Writer<'_> {
    /// `{"OutputParameters": …}`. The order of the two namespace keys varies (EB 3.2).
    pub(crate) fn output(&self, namespace: &str, row: Row, instance_first: bool) -> HttpResponse {
        let mut members = Map::new();
        let xsi = (
            "@xmlns:xsi",
            "http://www.w3.org/2001/XMLSchema-instance".to_owned(),
        );
        let own = ("@xmlns", namespace.to_owned());
        let keys = if instance_first {
            [xsi, own]
        } else {
            [own, xsi]
        };
        for (key, value) in keys {
            members.insert(key.to_owned(), Value::String(value));
        }
        members.extend(self.row(row));
        let body = json!({ "OutputParameters": members });
        wire::response(200, "application/json", body.to_string())
    }

    fn row(&self, row: Row) -> Map<String, Value> {
        row.into_iter()
            .map(|(name, value)| (name.to_owned(), self.value(value)))
            .collect()
    }

    fn null(&self) -> Value {
        match self.switches.nulls {
            Nulls::Nil => json!({ "@xsi:nil": "true" }),
            Nulls::Json => Value::Null,
        }
    }

    fn value(&self, value: Out) -> Value {
        match value {
            Out::Null => self.null(),
            Out::Text(text) => Value::String(text),
            Out::Number(number) => Value::String(number.normalize().to_string()),
            Out::Date(date) => Value::String(date_text(date, self.zone)),
            // An empty table is a plain null, a single row an object (EB 3.2).
            Out::Table(_, rows) if rows.is_empty() => Value::Null,
            Out::Table(name, rows) => json!({ format!("{name}_ITEM"): self.rows(rows) }),
        }
    }

    pub(crate) fn rows(&self, rows: Vec<Row>) -> Value {
        let mut rows: Vec<Value> = rows
            .into_iter()
            .map(|row| Value::Object(self.row(row)))
            .collect();
        match (rows.len(), rows.pop()) {
            (1, Some(only)) => only,
            (_, None) => Value::Null,
            (_, Some(last)) => {
                rows.push(last);
                Value::Array(rows)
            }
        }
    }
}

fn date_text(date: DateTime, zone: &TimeZone) -> String {
    let Ok(zoned) = date.to_zoned(zone.clone()) else {
        return date.to_string();
    };
    zoned.strftime("%Y-%m-%dT%H:%M:%S.000%:z").to_string()
}
