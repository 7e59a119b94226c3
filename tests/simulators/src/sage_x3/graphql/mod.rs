//! GraphQL: read-only nodes, and at most one create that the customer built (X3 4, finding 1). Functional failures come
//! under 200 (X3 4.6).

mod filter;
mod nodes;
mod syntax;

use super::Simulator;
use super::api1::iso;
use super::auth::plain;
use super::faults::Fault;
use super::folder::{Folder, Origin};
use super::ledger::{self, Draft, DraftLine};
use super::soap::Session;
use crate::wire;
use jiff::Timestamp;
use ml_connector_core::http::{HttpRequest, HttpResponse};
use nodes::Node;
use serde_json::{Map, Value, json};
use syntax::{Argument, Field, Operation};

/// Operations on a node, from a GraphQL request's text: mutation or not, and the node's name.
pub(super) fn glance(request: &HttpRequest) -> Option<(bool, String)> {
    let body: Value = serde_json::from_slice(&request.body).ok()?;
    let operation = syntax::parse(body.get("query")?.as_str()?).ok()?;
    let node = operation.fields.first()?.fields.first()?;
    Some((operation.mutation, node.name.clone()))
}

/// Something that goes into `errors`.
struct Fail {
    text: String,
    path: Vec<String>,
    /// Severity and text of each diagnosis.
    diagnoses: Vec<(u8, String)>,
}

impl Fail {
    fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            path: Vec::new(),
            diagnoses: Vec::new(),
        }
    }

    fn json(&self) -> Value {
        let mut out = json!({ "message": self.text });
        if !self.path.is_empty() {
            out["path"] = json!(self.path);
        }
        if !self.diagnoses.is_empty() {
            out["extensions"] = json!({ "diagnoses": diagnoses(&self.diagnoses) });
        }
        out
    }
}

fn diagnoses(all: &[(u8, String)]) -> Value {
    let all = all
        .iter()
        .map(|(severity, message)| json!({ "severity": severity, "message": message }));
    Value::Array(all.collect())
}

fn reply(status: u16, body: &Value) -> HttpResponse {
    wire::response(status, "application/json", body.to_string())
}

fn failed(fails: &[Fail]) -> Value {
    let errors: Vec<Value> = fails.iter().map(Fail::json).collect();
    json!({ "data": null, "errors": errors })
}

impl Simulator {
    /// Carries out one call for a user who has been let in.
    pub(super) fn graphql(
        &mut self,
        request: &HttpRequest,
        login: &str,
        now: Timestamp,
        fault: Option<&Fault>,
    ) -> HttpResponse {
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
            return plain(400, "Body is not JSON");
        };
        let Some(text) = body.get("query").and_then(Value::as_str) else {
            return plain(400, "Must provide query string");
        };
        let operation = match syntax::parse(text) {
            Ok(operation) => operation,
            // 400 for malformed GraphQL is unverified (X3 4.6).
            Err(text) => return reply(400, &json!({ "errors": [{ "message": text }] })),
        };
        let none = Map::new();
        let variables = body.get("variables").and_then(Value::as_object);
        let variables = variables.unwrap_or(&none);
        let endpoint = request.header("x-xtrem-endpoint").unwrap_or_default();
        let folder = self.folders.get_mut(endpoint);
        let (Some(folder), Some(user)) = (folder, self.settings.users.get(login)) else {
            let fail = Fail::plain(format!("Endpoint {endpoint} not found"));
            return reply(200, &failed(&[fail]));
        };
        let session = Session {
            settings: &self.settings,
            switches: &self.switches,
            login,
            user,
            now,
            fault,
        };
        let mut run = Run {
            folder,
            session: &session,
            operation: &operation,
            variables,
            fails: Vec::new(),
            notes: Vec::new(),
        };
        let data = match run.check_variables() {
            Ok(()) => run.fields(),
            Err(fail) => Err(fail),
        };
        let body = match data {
            Ok(data) => {
                let mut body = json!({ "data": data });
                if !run.fails.is_empty() {
                    body["errors"] = run.fails.iter().map(Fail::json).collect();
                }
                if !run.notes.is_empty() {
                    body["extensions"] = json!({ "diagnoses": diagnoses(&run.notes) });
                }
                body
            }
            Err(fail) => failed(&[fail]),
        };
        reply(200, &body)
    }
}

/// One operation on its way.
struct Run<'a> {
    folder: &'a mut Folder,
    session: &'a Session<'a>,
    operation: &'a Operation,
    variables: &'a Map<String, Value>,
    /// What went wrong without stopping the rest.
    fails: Vec<Fail>,
    /// Diagnoses of what went well.
    notes: Vec<(u8, String)>,
}

impl Run<'_> {
    fn check_variables(&self) -> Result<(), Fail> {
        let known = ["String", "Int", "Id", "Boolean"];
        for (name, kind) in &self.operation.variables {
            let post = self.session.settings.post_entry.as_ref();
            let bare = kind.trim_end_matches('!');
            if !known.contains(&bare) && post.is_none_or(|post| post.input_type != bare) {
                return Err(Fail::plain(format!("Unknown type \"{bare}\".")));
            }
            let missing = self.variables.get(name).is_none_or(Value::is_null);
            if kind.ends_with('!') && missing {
                let text =
                    format!("Variable \"${name}\" of required type \"{kind}\" was not provided.");
                return Err(Fail::plain(text));
            }
        }
        Ok(())
    }

    fn fields(&mut self) -> Result<Value, Fail> {
        let mut out = Map::new();
        for package in &self.operation.fields {
            if package.name == "__schema" || package.name == "__type" {
                let names = self.introspect(package);
                out.insert(package.label().to_owned(), names);
                continue;
            }
            let mut nodes = Map::new();
            for node in &package.fields {
                let value = if self.operation.mutation {
                    self.mutate(package, node)?
                } else {
                    self.read(package, node)?
                };
                nodes.insert(node.label().to_owned(), value);
            }
            out.insert(package.label().to_owned(), Value::Object(nodes));
        }
        Ok(Value::Object(out))
    }

    /// Enough of introspection to see whether there is a create (X3 4.4, 11.4 no. 4).
    fn introspect(&self, field: &Field) -> Value {
        let package = |name: &str, nodes: &[&str]| json!({ "name": name, "nodes": nodes });
        let prefix = if self.session.switches.xtrem_prefix {
            "xtremX3"
        } else {
            "x3"
        };
        let queries = [
            package(
                &format!("{prefix}Finance"),
                &["journalEntry", "journalEntryLine"],
            ),
            package(
                &format!("{prefix}MasterData"),
                &["customer", "businessPartner"],
            ),
        ];
        let post = self.session.settings.post_entry.as_ref();
        let mutations: Vec<Value> = post
            .map(|post| {
                let [package, node] = &post.path;
                json!({ "name": package, "nodes": [node] })
            })
            .into_iter()
            .collect();
        let full = json!({
            "queryType": { "name": "Query", "fields": queries },
            "mutationType": { "name": "Mutation", "fields": mutations },
        });
        project(&full, &field.fields).unwrap_or(Value::Null)
    }

    fn argument(&self, field: &Field, name: &str) -> Option<Value> {
        let (_, argument) = field.arguments.iter().find(|(own, _)| own == name)?;
        match argument {
            Argument::Literal(value) => Some(value.clone()),
            Argument::Variable(name) => self.variables.get(name).cloned(),
        }
        .filter(|value| !value.is_null())
    }

    fn read(&self, package: &Field, field: &Field) -> Result<Value, Fail> {
        let switches = self.session.switches;
        let node = Node::of(&package.name, &field.name, switches);
        let Some(node) = node else {
            let text = format!(
                "Cannot query field \"{}\" on \"{}\".",
                field.name, package.name
            );
            return Err(Fail::plain(text));
        };
        let all = node.all(self.folder, switches);
        let mut out = Map::new();
        for operation in &field.fields {
            let value = match operation.name.as_str() {
                "read" => self.one(&all, operation)?,
                "query" => self.page(all.clone(), operation)?,
                other => {
                    let text = format!("Cannot query field \"{other}\" on \"{}\".", field.name);
                    return Err(Fail::plain(text));
                }
            };
            out.insert(operation.label().to_owned(), value);
        }
        Ok(Value::Object(out))
    }

    /// One record; null when it is not there (X3 4.2).
    fn one(&self, all: &[Value], operation: &Field) -> Result<Value, Fail> {
        let id = self.argument(operation, "_id");
        let id = id.ok_or_else(|| Fail::plain("Argument \"_id\" is required."))?;
        match all.iter().find(|node| node.get("_id") == Some(&id)) {
            Some(node) => project(node, &operation.fields),
            None => Ok(Value::Null),
        }
    }

    fn page(&self, all: Vec<Value>, operation: &Field) -> Result<Value, Fail> {
        let switches = self.session.switches;
        let text = |name: &str| {
            let value = self.argument(operation, name);
            value.map(|value| value.as_str().map(str::to_owned).unwrap_or_default())
        };
        let first = match self.argument(operation, "first") {
            None => switches.default_page,
            Some(value) => {
                let first = value.as_u64().and_then(|first| usize::try_from(first).ok());
                let first = first.filter(|first| (1..=switches.page_max).contains(first));
                first.ok_or_else(|| {
                    Fail::plain(format!("first must be from 1 to {}", switches.page_max))
                })?
            }
        };
        let mut found = Vec::new();
        let wanted = text("filter").map(|text| filter::parse(&text)).transpose();
        let wanted = wanted.map_err(Fail::plain)?;
        for node in all {
            let fits = wanted.as_ref().map_or(Ok(true), |wanted| {
                filter::holds(wanted, &node, switches.full_filters)
            });
            if fits.map_err(Fail::plain)? {
                found.push(node);
            }
        }
        if let Some(order) = text("orderBy") {
            sort(&mut found, &order)?;
        }
        let total = found.len();
        let start = match text("after") {
            None => 0,
            // Cursors are opaque; this one counts what came before it.
            Some(cursor) => cursor
                .strip_prefix("c#")
                .and_then(|count| count.parse().ok())
                .ok_or_else(|| Fail::plain("after is not a cursor"))?,
        };
        let end = total.min(start + first);
        let edges: Vec<Value> = found
            .into_iter()
            .enumerate()
            .take(end)
            .skip(start)
            .map(|(at, node)| json!({ "node": node, "cursor": format!("c#{}", at + 1) }))
            .collect();
        let page = json!({
            "totalCount": total,
            "edges": edges,
            "pageInfo": {
                "hasNextPage": end < total,
                "endCursor": if end > start { json!(format!("c#{end}")) } else { Value::Null },
            },
        });
        project(&page, &operation.fields)
    }

    fn mutate(&mut self, package: &Field, field: &Field) -> Result<Value, Fail> {
        let unknown = || {
            let text = format!(
                "Cannot query field \"{}\" on \"{}\".",
                field.name, package.name
            );
            Fail::plain(text)
        };
        let post = self
            .session
            .settings
            .post_entry
            .clone()
            .ok_or_else(unknown)?;
        let [own_package, own_node] = &post.path;
        let create = field.field("create").ok_or_else(unknown)?;
        if *own_package != package.name || *own_node != field.name || field.fields.len() != 1 {
            return Err(unknown());
        }
        let path = [&package.name, &field.name, &create.name].map(Clone::clone);
        if self.session.fault == Some(&Fault::NotActivated) {
            // Defined and not activated: this node alone fails (X3 4.5).
            self.fails.push(Fail {
                text: format!("{} create: operation not activated", field.name),
                path: path.to_vec(),
                diagnoses: Vec::new(),
            });
            return Ok(json!({ create.label(): null }));
        }
        let data = self.argument(create, "data");
        let data = data.ok_or_else(|| Fail::plain("Argument \"data\" is required."))?;
        let draft = draft(&data).map_err(Fail::plain)?;
        let number = self.post(draft, field, &path);
        let result = match number {
            Some(number) => {
                let full = json!({ post.number_field.as_str(): number });
                project(&full, &create.fields)?
            }
            None => Value::Null,
        };
        Ok(json!({ create.label(): result }))
    }

    /// Writes the entry; the number, if the answer shows one. What is to be said goes into `errors` or `extensions`.
    fn post(&mut self, draft: Draft, field: &Field, path: &[String]) -> Option<String> {
        let fail = |severity: u8, texts: Vec<String>| Fail {
            text: format!("Create {} failed", field.name),
            path: path.to_vec(),
            diagnoses: texts.into_iter().map(|text| (severity, text)).collect(),
        };
        let fault = self.session.fault.cloned();
        if let Some(Fault::Diagnosis {
            severity,
            written: false,
            ..
        }) = fault
        {
            self.fails
                .push(fail(severity, vec!["Something was wrong".to_owned()]));
            return None;
        }
        let desk = self.session.desk(Origin::GraphQl);
        let language = if self.session.switches.always_french {
            "FRA"
        } else {
            "ENG"
        };
        let (_, number) = match ledger::post(self.folder, draft, &desk) {
            Ok(key) => key,
            Err(messages) => {
                let texts = messages
                    .iter()
                    .map(|message| message.text(language).to_owned());
                self.fails.push(fail(3, texts.collect()));
                return None;
            }
        };
        if let Some(Fault::Diagnosis {
            severity, named, ..
        }) = fault
        {
            self.fails
                .push(fail(severity, vec!["Entry recorded".to_owned()]));
            return named.then_some(number);
        }
        if self.session.switches.warnings_as_errors {
            // Severity 2 in `errors`, and written all the same (X3 11 no. 8).
            self.fails
                .push(fail(2, vec!["Entry recorded with a warning".to_owned()]));
        } else {
            self.notes.push((1, "Entry recorded".to_owned()));
        }
        Some(number)
    }
}

/// Cuts a document down to what was asked for.
fn project(value: &Value, fields: &[Field]) -> Result<Value, Fail> {
    match value {
        Value::Array(items) => items.iter().map(|item| project(item, fields)).collect(),
        Value::Object(members) => {
            if fields.is_empty() {
                return Err(Fail::plain("A selection of subfields is required."));
            }
            let mut out = Map::new();
            for field in fields {
                let own = members.get(&field.name).ok_or_else(|| {
                    Fail::plain(format!("Cannot query field \"{}\".", field.name))
                })?;
                out.insert(field.label().to_owned(), project(own, &field.fields)?);
            }
            Ok(Value::Object(out))
        }
        Value::Null => Ok(Value::Null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) if fields.is_empty() => {
            Ok(value.clone())
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(Fail::plain("A scalar has no subfields."))
        }
    }
}

/// `{prop: 1}` or `{prop: -1}` (X3 4.3).
fn sort(nodes: &mut [Value], order: &str) -> Result<(), Fail> {
    let order = filter::parse(order).map_err(Fail::plain)?;
    let members = order
        .as_object()
        .ok_or_else(|| Fail::plain("orderBy is not an object"))?;
    for (name, direction) in members.iter().rev() {
        if nodes.iter().any(|node| node.get(name).is_none()) {
            return Err(Fail::plain(format!("{name}: unknown property in orderBy")));
        }
        nodes.sort_by_key(|node| node.get(name).map(ToString::to_string));
        if direction.as_i64() == Some(-1) {
            nodes.reverse();
        }
    }
    Ok(())
}

/// Input of the customer's operation, as the sheet's example has it: references as plain keys, numbers as texts (X3 4.5,
/// 4.7). `businessPartner`, `description` and `dimensions` (by type) are this simulator's own, as the input type of such
/// an operation is free.
fn draft(data: &Value) -> Result<Draft, String> {
    let members = data.as_object().ok_or("data is not an object")?;
    let mut draft = Draft::default();
    for (name, value) in members {
        let text = || {
            value
                .as_str()
                .map(str::to_owned)
                .ok_or(format!("{name} is not a text"))
        };
        match name.as_str() {
            "site" => draft.site = text()?,
            "entryType" => draft.kind = text()?,
            "accountingDate" => draft.date = Some(iso(name, &text()?)?),
            "sourceDocument" => draft.source_document = text()?,
            "currency" => draft.currency = text()?,
            "description" => draft.description = text()?,
            "lines" => {
                let lines = value.as_array().ok_or("lines is not a list")?;
                draft.lines = lines.iter().map(line).collect::<Result<_, _>>()?;
            }
            other => {
                return Err(format!(
                    "Field \"{other}\" is not defined by the input type."
                ));
            }
        }
    }
    Ok(draft)
}

fn line(value: &Value) -> Result<DraftLine, String> {
    let members = value.as_object().ok_or("line is not an object")?;
    let mut line = DraftLine::default();
    for (name, value) in members {
        let text = || {
            value
                .as_str()
                .map(str::to_owned)
                .ok_or(format!("{name} is not a text"))
        };
        let amount = || {
            text()?
                .parse()
                .map_err(|_| format!("{name} is not a number"))
        };
        match name.as_str() {
            "account" => line.account = text()?,
            "debit" => line.debit = amount()?,
            "credit" => line.credit = amount()?,
            "businessPartner" => line.partner = text()?,
            "description" => line.description = text()?,
            "dimensions" => {
                for (kind, code) in value.as_object().ok_or("dimensions is not an object")? {
                    let kind = kind.parse().map_err(|_| "dimension type is not a number")?;
                    let code = code.as_str().ok_or("dimension is not a text")?;
                    line.dimensions.insert(kind, code.to_owned());
                }
            }
            other => {
                return Err(format!(
                    "Field \"{other}\" is not defined by the input type."
                ));
            }
        }
    }
    Ok(line)
}
