//! api1: reading by class and representation; writing only what was rebuilt as a class (X3 3, finding 2).

use super::Simulator;
use super::faults::Fault;
use super::folder::{Customer, Entry, Folder, Origin};
use super::ledger::{self, Draft, DraftLine};
use super::settings::{Settings, Switches};
use super::soap::Session;
use super::where_clause::{Clause, Trouble};
use crate::wire::{self, Target};
use jiff::Timestamp;
use jiff::civil::Date;
use ml_connector_core::http::{HttpRequest, HttpResponse, Method};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

/// Rows of a page when `count` is missing (X3 3.2).
const PAGE: usize = 20;

/// A resource: its key and its properties.
struct Row {
    key: String,
    etag: Timestamp,
    properties: Map<String, Value>,
}

/// What an address asks for.
struct Address {
    endpoint: String,
    class: String,
    /// Text in `CLASS('…')`.
    key: Option<String>,
    /// `$template`, `$prototypes('…')` …
    facet: Option<String>,
}

impl Address {
    /// `/api1/x3/erp/{E}/{CLASS}` or `/api1/x3/$$prod/{E}.{CLASS}` (X3 1.1).
    fn parse(segments: &[String]) -> Option<Self> {
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (endpoint, class, rest) = match segments.as_slice() {
            ["api1", "x3", "erp", endpoint, class, rest @ ..] => (*endpoint, *class, rest),
            ["api1", "x3", "$$prod", joined, rest @ ..] => {
                let (endpoint, class) = joined.split_once('.')?;
                (endpoint, class, rest)
            }
            _ => return None,
        };
        let (class, key) = match class.split_once('(') {
            Some((class, key)) => {
                let key = key.strip_suffix(')')?;
                let key = key.strip_prefix('\'')?.strip_suffix('\'')?;
                (class, Some(key.replace("''", "'")))
            }
            None => (class, None),
        };
        Some(Self {
            endpoint: endpoint.to_owned(),
            class: class.to_owned(),
            key,
            facet: rest.first().map(|facet| (*facet).to_owned()),
        })
    }
}

/// A refusal: status and a diagnosis (X3 3.4).
fn refuse(status: u16, text: impl AsRef<str>) -> HttpResponse {
    let body = json!({ "$diagnoses": [{ "$severity": "error", "$message": text.as_ref() }] });
    wire::response(status, "application/json", body.to_string())
}

fn answer(status: u16, body: &Value) -> HttpResponse {
    wire::response(status, "application/json", body.to_string())
}

impl Simulator {
    /// The class that a call names, for faults and counts.
    pub(super) fn api1_class(target: &Target) -> Option<String> {
        Address::parse(&target.segments).map(|address| address.class)
    }

    /// Carries out one call for a user who has been let in.
    pub(super) fn api1(
        &mut self,
        request: &HttpRequest,
        target: &Target,
        login: &str,
        now: Timestamp,
        fault: Option<&Fault>,
    ) -> HttpResponse {
        let segments: Vec<&str> = target.segments.iter().map(String::as_str).collect();
        if let ["api1", "syracuse", "collaboration", "syracuse", entity] = segments.as_slice() {
            return self.administration(entity, request);
        }
        let Some(address) = Address::parse(&target.segments) else {
            return refuse(404, "Not found");
        };
        let known = classes(&self.settings, &self.switches);
        let Some(folder) = self.folders.get_mut(&address.endpoint) else {
            return refuse(404, format!("Endpoint {} not found", address.endpoint));
        };
        let representation = target.parameter("representation").unwrap_or_default();
        let (name, facet) = representation
            .split_once('.')
            .unwrap_or((representation, ""));
        // Both are needed, and they must belong together (X3 3.1).
        let Some((_, _, writable)) = known.iter().find(|(class, own, _)| {
            *class == address.class && (own == name || address.facet.is_some())
        }) else {
            return refuse(404, format!("Class {} not found", address.class));
        };
        let Some(user) = self.settings.users.get(login) else {
            return refuse(403, "Not authorized");
        };
        let session = Session {
            settings: &self.settings,
            switches: &self.switches,
            login,
            user,
            now,
            fault,
        };
        match (request.method, facet) {
            (Method::Get, "$query") => list(folder, &address, target, &session),
            (Method::Get, "$details" | "$edit") => details(folder, &address, &session),
            (Method::Get, _) if address.facet.is_some() => prototypes(folder, &address, &session),
            (Method::Post, "$create") if *writable => create(folder, request, &address, &session),
            // Classic modules can only be read (X3 finding 2); the status is not documented.
            (Method::Post | Method::Put | Method::Delete | Method::Patch, _) => {
                refuse(405, format!("{} is read-only", address.class))
            }
            _ => refuse(400, "Facet not found"),
        }
    }

    /// The endpoint list, for check-ins (X3 1.2). An unknown property in `where` is silently ignored here (X3 3.2).
    fn administration(&self, entity: &str, request: &HttpRequest) -> HttpResponse {
        if entity != "endPoints" || request.method != Method::Get {
            return refuse(404, "Not found");
        }
        let resources: Vec<Value> = self
            .folders
            .keys()
            .map(|name| json!({ "$key": name, "dataset": name, "$etag": 1 }))
            .collect();
        let total = resources.len();
        let body = json!({
            "$descriptor": "endPoints",
            "$startIndex": 1,
            "$itemsPerPage": PAGE,
            "$totalResults": total,
            "$links": {},
            "$resources": resources,
        });
        answer(200, &body)
    }
}

/// Classes with their representation, and whether they can be written.
fn classes(settings: &Settings, switches: &Switches) -> Vec<(String, String, bool)> {
    let mut known = vec![("BPCUSTOMER".to_owned(), "BPCUSTOMER".to_owned(), false)];
    if switches.api1_entries {
        known.push(("GACCENTRY".to_owned(), "GACCENTRY".to_owned(), false));
    }
    if let Some((class, representation)) = &settings.entry_class {
        known.push((class.clone(), representation.clone(), true));
    }
    known
}

fn rows(folder: &Folder, class: &str, session: &Session<'_>) -> Vec<Row> {
    if class == "BPCUSTOMER" {
        folder.customers.values().map(customer_row).collect()
    } else {
        let mut rows: Vec<Row> = folder
            .entries
            .iter()
            .map(|entry| entry_row(entry, session.switches))
            .collect();
        rows.sort_by(|one, other| one.key.cmp(&other.key));
        rows
    }
}

fn customer_row(customer: &Customer) -> Row {
    let properties = json!({
        "BPCNUM": customer.number,
        "BPCNAM": customer.name,
        "BPCSTA": if customer.active { 2 } else { 1 },
        "CUR": customer.currency,
        "WEB1": customer.email,
        "UPDDATTIM": customer.updated.to_string(),
    });
    Row {
        key: customer.number.clone(),
        etag: customer.updated,
        properties: members(properties),
    }
}

fn entry_row(entry: &Entry, switches: &Switches) -> Row {
    let mut properties = members(json!({
        "TYP": entry.kind,
        "NUM": entry.number,
        "FCY": entry.site,
        "CPY": entry.company,
        "JOU": entry.journal,
        "ACCDAT": entry.date.to_string(),
        "CAT": entry.category,
        "STA": entry.status,
        "DESVCR": entry.description,
        "CUR": entry.currency,
        "RVS": entry.reversal,
    }));
    if switches.api1_source_on_facet {
        properties.insert("BPRVCR".to_owned(), json!(entry.source_document));
    }
    Row {
        key: format!("{}~{}", entry.kind, entry.number),
        etag: entry.created,
        properties,
    }
}

fn members(mut value: Value) -> Map<String, Value> {
    value
        .as_object_mut()
        .map(std::mem::take)
        .unwrap_or_default()
}

fn text_of(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn resource(row: &Row, base: &str) -> Value {
    let mut out = members(json!({
        "$uuid": format!("4c1f0d1e-0000-4000-8000-{:012x}", row.etag.as_second()),
        "$key": row.key,
        "$url": format!("{base}('{}')", row.key),
        "$etag": row.etag.to_string(),
    }));
    out.extend(row.properties.clone());
    Value::Object(out)
}

fn base(address: &Address, session: &Session<'_>) -> String {
    let Address {
        endpoint, class, ..
    } = address;
    format!("{}/api1/x3/erp/{endpoint}/{class}", session.settings.origin)
}

fn list(
    folder: &Folder,
    address: &Address,
    target: &Target,
    session: &Session<'_>,
) -> HttpResponse {
    let size = match target.parameter("count").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(count)) if count > 0 => count,
        Some(_) => return refuse(400, "count is not a number"),
    };
    let after = target.parameter("key").unwrap_or_default();
    let after = after.strip_prefix("gt.").unwrap_or_default();
    let clause = match target.parameter("where").map(str::trim) {
        None | Some("") => None,
        Some(text) => match Clause::parse(text, session.switches.api1_full_where) {
            Ok(clause) => Some(clause),
            Err(_) => return refuse(400, format!("Invalid where: {text}")),
        },
    };
    let mut found = Vec::new();
    for row in rows(folder, &address.class, session) {
        let value = |name: &str| row.properties.get(name).map(text_of);
        let holds = clause
            .as_ref()
            .map_or(Ok(true), |clause| clause.holds(&value));
        match holds {
            Ok(true) if row.key.as_str() > after => found.push(row),
            Ok(_) => {}
            // Often a permanent fault of the request, not one of the server (X3 3.4).
            Err(Trouble::Property(name)) => {
                return refuse(500, format!("Property {name} does not exist"));
            }
            Err(Trouble::Syntax) => return refuse(400, "Invalid where"),
        }
    }
    if let Err(refusal) = order(&mut found, target.parameter("orderBy").unwrap_or_default()) {
        return refusal;
    }
    let total = found.len();
    let base = base(address, session);
    let more = total > size;
    found.truncate(size);
    let mut links = Map::new();
    if let (true, Some(last)) = (more, found.last()) {
        let representation = target.parameter("representation").unwrap_or_default();
        let mut url = format!("{base}?representation={representation}&count={size}");
        if let Some(text) = target.parameter("where") {
            url += &format!("&where={}", encode(text));
        }
        url += &format!("&key=gt.{}", encode(&last.key));
        links.insert("$next".to_owned(), json!({ "$url": url }));
    }
    let resources: Vec<Value> = found.iter().map(|row| resource(row, &base)).collect();
    let body = json!({
        "$url": base,
        "$descriptor": address.class,
        "$startIndex": 1,
        "$itemsPerPage": size,
        "$totalResults": total,
        "$links": links,
        "$resources": resources,
    });
    answer(200, &body)
}

/// `FIELD asc, FIELD desc`; only what the facet carries can sort (X3 3.2).
fn order(rows: &mut [Row], by: &str) -> Result<(), HttpResponse> {
    for part in by
        .split(',')
        .rev()
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (name, direction) = part.split_once(' ').unwrap_or((part, "asc"));
        if rows.iter().any(|row| !row.properties.contains_key(name)) {
            return Err(refuse(500, format!("Property {name} does not exist")));
        }
        let value = |row: &Row| row.properties.get(name).map(text_of);
        rows.sort_by_key(value);
        if direction.trim() == "desc" {
            rows.reverse();
        }
    }
    Ok(())
}

fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

fn details(folder: &Folder, address: &Address, session: &Session<'_>) -> HttpResponse {
    let key = address.key.as_deref().unwrap_or_default();
    let rows = rows(folder, &address.class, session);
    match rows.iter().find(|row| row.key == key) {
        Some(row) => answer(200, &resource(row, &base(address, session))),
        // 404 for an unknown key is unverified (X3 3.4).
        None => refuse(404, format!("{} {key} not found", address.class)),
    }
}

/// Property metadata: real lengths are read from here (X3 3.3).
fn prototypes(folder: &Folder, address: &Address, session: &Session<'_>) -> HttpResponse {
    let length = |name: &str| match name {
        "BPRVCR" => folder.lengths.reference,
        "DESVCR" => folder.lengths.description,
        "BPCNUM" => folder.lengths.account,
        _ => folder.lengths.code,
    };
    let names: &[&str] = match (
        address.class.as_str(),
        session.switches.api1_source_on_facet,
    ) {
        ("BPCUSTOMER", _) => &["BPCNUM", "BPCNAM", "BPCSTA", "CUR", "WEB1"],
        (_, true) => &["TYP", "NUM", "FCY", "ACCDAT", "DESVCR", "CUR", "BPRVCR"],
        (_, false) => &["TYP", "NUM", "FCY", "ACCDAT", "DESVCR", "CUR"],
    };
    let properties: Map<String, Value> = names
        .iter()
        .map(|name| {
            let about = json!({
                "$type": "application/x-string",
                "$maxLength": length(name),
                "$isExcluded": false,
            });
            ((*name).to_owned(), about)
        })
        .collect();
    answer(200, &json!({ "$properties": properties }))
}

/// Creates an entry through a class that the site has rebuilt. Properties are header field codes; lines stand in the
/// collection `GACCENTRYD`, in table fields: `ACC`, `SNS`, `AMTCUR` (X3 6.1). Dates are ISO (X3 10).
fn create(
    folder: &mut Folder,
    request: &HttpRequest,
    address: &Address,
    session: &Session<'_>,
) -> HttpResponse {
    let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
        return refuse(400, "Body is not JSON");
    };
    let draft = match draft(&body) {
        Ok(draft) => draft,
        Err(text) => return refuse(400, text),
    };
    match ledger::post(folder, draft, &session.desk(Origin::Api1)) {
        Ok((kind, number)) => {
            let status = if session.switches.api1_created {
                201
            } else {
                200
            };
            let row = folder.entry(&kind, &number);
            let row = row.map(|entry| entry_row(entry, session.switches));
            let body = row.map(|row| resource(&row, &base(address, session)));
            answer(status, &body.unwrap_or(Value::Null))
        }
        Err(messages) => {
            let language = if session.switches.always_french {
                "FRA"
            } else {
                "ENG"
            };
            let found: Vec<Value> = messages
                .iter()
                .map(|message| json!({ "$severity": "error", "$message": message.text(language) }))
                .collect();
            answer(400, &json!({ "$diagnoses": found }))
        }
    }
}

fn draft(body: &Value) -> Result<Draft, String> {
    let members = body.as_object().ok_or("Body is not an object")?;
    let mut draft = Draft::default();
    for (name, value) in members {
        let text = || text_of(value);
        match name.as_str() {
            "TYP" => draft.kind = text(),
            "FCY" => draft.site = text(),
            "JOU" => draft.journal = text(),
            "CUR" => draft.currency = text(),
            "DESVCR" => draft.description = text(),
            "BPRVCR" => draft.source_document = text(),
            "ACCDAT" => draft.date = Some(iso(name, &text())?),
            "BPRDATVCR" => draft.source_date = Some(iso(name, &text())?),
            "RATDAT" => draft.rate_date = Some(iso(name, &text())?),
            "CAT" => draft.category = value.as_u64().and_then(|menu| u8::try_from(menu).ok()),
            "STA" => draft.status = value.as_u64().and_then(|menu| u8::try_from(menu).ok()),
            "GACCENTRYD" => {
                let lines = value.as_array().ok_or("GACCENTRYD is not a collection")?;
                draft.lines = lines.iter().map(line).collect::<Result<_, _>>()?;
            }
            other => return Err(format!("Property {other} does not exist")),
        }
    }
    Ok(draft)
}

fn line(value: &Value) -> Result<DraftLine, String> {
    let members = value.as_object().ok_or("Line is not an object")?;
    let mut line = DraftLine::default();
    let mut amount = Decimal::ZERO;
    let mut sign = 0;
    for (name, value) in members {
        let text = || text_of(value);
        match name.as_str() {
            "FCYLIN" => line.site = text(),
            "ACC" => line.account = text(),
            "BPR" => line.partner = text(),
            "DES" => line.description = text(),
            "SNS" => sign = value.as_i64().unwrap_or(0),
            "AMTCUR" => amount = text().parse().map_err(|_| "AMTCUR is not a number")?,
            dimension => match dimension.strip_prefix("CCE").map(str::parse) {
                Some(Ok(number)) => {
                    line.dimensions.insert(number, text());
                }
                _ => return Err(format!("Property {dimension} does not exist")),
            },
        }
    }
    match sign {
        1 => line.debit = amount,
        -1 => line.credit = amount,
        _ => return Err("SNS must be 1 or -1".to_owned()),
    }
    Ok(line)
}

/// `YYYY-MM-DD` (X3 10: unverified for api1).
pub(super) fn iso(name: &str, text: &str) -> Result<Date, String> {
    let parsed = Date::strptime("%Y-%m-%d", text).ok();
    parsed
        .filter(|_| text.len() == 10)
        .ok_or_else(|| format!("{name}: {text} is not a date"))
}
