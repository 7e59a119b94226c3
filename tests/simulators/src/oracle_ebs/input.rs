//! Reading a body: wrapper, context header, parameters, each as strict as the site's level (EB 2.4, 3.1).

use super::answer::Refusal;
use super::services::{Kind, Operation, Shape};
use super::settings::{Offsets, Switches};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The application context that a call names; a missing member is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) responsibility: Option<String>,
    pub(crate) application: Option<String>,
    pub(crate) security_group: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) org: Option<String>,
}

/// Columns of one row, as text.
pub(crate) type Columns = BTreeMap<String, String>;

#[derive(Debug, Clone, PartialEq)]
enum Given {
    Text(String),
    Number(Decimal),
    Date(DateTime),
    Record(Columns),
    Table(Vec<Columns>),
}

/// The parameters of a call. What is omitted or empty is null.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Inputs(BTreeMap<String, Given>);

impl Inputs {
    pub(crate) fn text(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(Given::Text(text)) => text,
            _ => "",
        }
    }

    pub(crate) fn number(&self, name: &str) -> Option<Decimal> {
        match self.0.get(name) {
            Some(Given::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// A whole number; a text parameter that holds one counts too.
    pub(crate) fn id(&self, name: &str) -> Option<u64> {
        match self.0.get(name) {
            Some(Given::Number(number)) => number.normalize().to_string().parse().ok(),
            Some(Given::Text(text)) => text.parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn date(&self, name: &str) -> Option<DateTime> {
        match self.0.get(name) {
            Some(Given::Date(date)) => Some(*date),
            _ => None,
        }
    }

    pub(crate) fn record(&self, name: &str) -> Columns {
        match self.0.get(name) {
            Some(Given::Record(columns)) => columns.clone(),
            _ => Columns::new(),
        }
    }

    pub(crate) fn table(&self, name: &str) -> Vec<Columns> {
        match self.0.get(name) {
            Some(Given::Table(rows)) => rows.clone(),
            _ => Vec::new(),
        }
    }
}

/// A body that was understood.
#[derive(Debug, Clone, Default)]
pub(crate) struct Body {
    pub(crate) header: Header,
    pub(crate) inputs: Inputs,
    /// The columns that `Select` names (EB 4.2).
    pub(crate) select: String,
}

/// Reads bodies in the way of one site.
pub(crate) struct Reader<'a> {
    pub(crate) switches: &'a Switches,
    pub(crate) zone: &'a TimeZone,
}

impl Reader<'_> {
    fn refuse<T>(&self, message: impl Into<String>) -> Result<T, Refusal> {
        Err(Refusal::execution(self.switches, message))
    }

    /// Reads the body of an operation.
    pub(crate) fn body(&self, bytes: &[u8], operation: &Operation) -> Result<Body, Refusal> {
        self.single(bytes)?;
        let Ok(Value::Object(root)) = serde_json::from_slice(bytes) else {
            return self.refuse("The payload is not a JSON object");
        };
        let content = self.unwrap(root, operation)?;
        let mut body = Body::default();
        for (name, value) in &content {
            match (name.as_str(), value) {
                ("RESTHeader", Value::Object(header)) => body.header = self.header(header)?,
                ("InputParameters", Value::Object(inputs)) => {
                    body.inputs = self.inputs(inputs, operation)?;
                }
                ("InputParameters", Value::Null | Value::String(_)) => {}
                ("Select", Value::String(select)) if operation.shape == Shape::Table => {
                    body.select.clone_from(select);
                }
                (name, _) if name.starts_with('@') => {}
                (name, _) if self.switches.strict => {
                    return self.refuse(format!("Unexpected element {name}"));
                }
                _ => {}
            }
        }
        Ok(body)
    }

    /// Each context element at most once (EB 2.4). A parsed document no longer shows a second one.
    fn single(&self, bytes: &[u8]) -> Result<(), Refusal> {
        let text = String::from_utf8_lossy(bytes);
        for (name, code) in [
            ("Responsibility", "ISG_DUPLICATE_RESPONSIBILITY"),
            ("RespApplication", "ISG_DUPLICATE_RESPAPPLICATION"),
            ("SecurityGroup", "ISG_DUPLICATE_SECURITYGROUP"),
            ("NLSLanguage", "ISG_DUPLICATE_NLSLANGUAGE"),
            ("Org_Id", "ISG_DUPLICATE_ORGID"),
        ] {
            let member = format!("\"{name}\"");
            let is_name = |rest: &str| rest.trim_start().starts_with(':');
            if text
                .split(&member)
                .skip(1)
                .filter(|rest| is_name(rest))
                .count()
                > 1
            {
                return Err(Refusal::new(500, code, format!("{name} is given twice")));
            }
        }
        Ok(())
    }

    /// Takes the wrapper off. The strict level wants `{OPERATION}_Input`, the lax one any or none (EB 3.1).
    fn unwrap(
        &self,
        root: Map<String, Value>,
        operation: &Operation,
    ) -> Result<Map<String, Value>, Refusal> {
        let wrapper = format!("{}_Input", operation.name);
        let mut members = root.iter().filter(|(name, _)| !name.starts_with('@'));
        let only = (members.next(), members.next());
        if let (Some((name, Value::Object(content))), None) = only
            && (*name == wrapper || (!self.switches.strict && name != "InputParameters"))
        {
            return Ok(content.clone());
        }
        if !self.switches.strict && root.contains_key("InputParameters") {
            return Ok(root);
        }
        self.refuse(format!("Expected the root element {wrapper}"))
    }

    fn header(&self, given: &Map<String, Value>) -> Result<Header, Refusal> {
        let mut header = Header::default();
        for (name, value) in given {
            let text = match value {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            };
            let place = match name.as_str() {
                "Responsibility" => &mut header.responsibility,
                "RespApplication" => &mut header.application,
                "SecurityGroup" => &mut header.security_group,
                "NLSLanguage" => &mut header.language,
                "Org_Id" => &mut header.org,
                name if name.starts_with('@') => continue,
                // `ORG_ID` is not `Org_Id` (EB 10 no. 6).
                name if self.switches.strict => {
                    return self.refuse(format!("Unexpected element {name} in RESTHeader"));
                }
                _ => continue,
            };
            *place = text.filter(|text| !text.is_empty());
        }
        Ok(header)
    }

    fn inputs(&self, given: &Map<String, Value>, operation: &Operation) -> Result<Inputs, Refusal> {
        let mut inputs = BTreeMap::new();
        let positional = operation.shape == Shape::Program && self.switches.positional_arguments;
        for (name, value) in given {
            if name.starts_with('@') {
                continue;
            }
            let known = if positional {
                let at = name
                    .strip_prefix("ARGUMENT")
                    .and_then(|at| at.parse::<usize>().ok());
                at.and_then(|at| operation.inputs.get(at.checked_sub(1)?))
            } else {
                operation.inputs.iter().find(|(own, _)| own == name)
            };
            let Some((own, kind)) = known else {
                if self.switches.strict {
                    return self.refuse(format!("Unexpected element {name} in InputParameters"));
                }
                continue;
            };
            if value.is_null() && self.switches.null_input_refused {
                return self.refuse(format!("Null is not a value for {name}"));
            }
            if let Some(value) = self.given(own, *kind, value, operation)? {
                inputs.insert((*own).to_owned(), value);
            }
        }
        Ok(Inputs(inputs))
    }

    fn given(
        &self,
        name: &str,
        kind: Kind,
        value: &Value,
        operation: &Operation,
    ) -> Result<Option<Given>, Refusal> {
        match (kind, value) {
            (_, Value::Null) => Ok(None),
            (Kind::Record, Value::Object(members)) => {
                Ok(Some(Given::Record(self.columns(members)?)))
            }
            (Kind::Table, value) => {
                // The rows of an open interface stand directly below, those of a PL/SQL table below `_ITEM`.
                let rows = match (operation.shape, value) {
                    (Shape::Table, rows) => Some(rows),
                    (_, Value::Object(members)) => members.get(&format!("{name}_ITEM")),
                    _ => None,
                };
                let rows = match rows {
                    Some(Value::Array(rows)) => rows.iter().collect(),
                    Some(row @ Value::Object(_)) => vec![row],
                    _ => return self.refuse(format!("{name} is not a table")),
                };
                let rows = rows.into_iter().map(|row| match row {
                    Value::Object(members) => self.columns(members),
                    _ => self.refuse(format!("A row of {name} is not an object")),
                });
                Ok(Some(Given::Table(rows.collect::<Result<_, _>>()?)))
            }
            (_, Value::String(_) | Value::Number(_)) => {
                let text = match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                self.scalar(name, kind, text)
            }
            _ => self.refuse(format!("{name} is not of its type")),
        }
    }

    fn scalar(&self, name: &str, kind: Kind, text: String) -> Result<Option<Given>, Refusal> {
        if text.is_empty() {
            return Ok(None);
        }
        match kind {
            Kind::Number => match number(&text) {
                Some(number) => Ok(Some(Given::Number(number))),
                None => self.refuse(format!(
                    "ORA-06502: PL/SQL: numeric or value error for {name}"
                )),
            },
            Kind::Date => match self.date(&text) {
                Some(date) => Ok(Some(Given::Date(date))),
                None => self.refuse(format!(
                    "ORA-01861: literal does not match format string for {name}"
                )),
            },
            Kind::Text => Ok(Some(Given::Text(text))),
            Kind::Record | Kind::Table => self.refuse(format!("{name} is not of its type")),
        }
    }

    fn columns(&self, members: &Map<String, Value>) -> Result<Columns, Refusal> {
        let mut columns = Columns::new();
        for (name, value) in members {
            match value {
                Value::String(text) if !text.is_empty() => {
                    columns.insert(name.clone(), text.clone());
                }
                Value::Number(number) => {
                    columns.insert(name.clone(), number.to_string());
                }
                Value::Null if self.switches.null_input_refused => {
                    return self.refuse(format!("Null is not a value for {name}"));
                }
                Value::String(_) | Value::Null => {}
                _ => return self.refuse(format!("{name} is not of its type")),
            }
        }
        Ok(columns)
    }

    /// `YYYY-MM-DDTHH:MM:SS` without a zone; what becomes of an offset is a switch (EB 9).
    pub(crate) fn date(&self, text: &str) -> Option<DateTime> {
        let (plain, rest) = text.split_at_checked(19)?;
        let date: DateTime = plain.parse().ok()?;
        if plain.as_bytes().get(10) != Some(&b'T') {
            return None;
        }
        match (rest, self.switches.offsets) {
            ("", _) => Some(date),
            (_, Offsets::Refused) => None,
            (_, Offsets::Cut) => Some(date),
            (_, Offsets::Converted) => {
                let at: jiff::Timestamp = text.parse().ok()?;
                Some(at.to_zoned(self.zone.clone()).datetime())
            }
        }
    }
}

/// A NUMBER: a point, no thousands mark, no exponent (EB 9).
pub(crate) fn number(text: &str) -> Option<Decimal> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
    text.parse().ok().filter(|_| plain)
}
