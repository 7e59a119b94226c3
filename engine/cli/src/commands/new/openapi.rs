//! An OpenAPI 3 document: read from JSON or YAML, its references followed, its schemas taken over as files.
//!
//! Documents in the wild are awkward: schemas that contain themselves, parameters declared twice, status codes as numbers,
//! names that are words of the expression language. What cannot be taken over becomes "anything", and is counted.

use ml_connector_core::definition::words::is_identifier;
use serde_json::{Map, Value as Document, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// References to references that are followed before one is given up: a ring of them leads nowhere.
const HOPS_MAX: u32 = 16;

/// Keywords of a payload's schema that are taken over as they are. Limits are not: an answer is no less true for a limit
/// that its document states wrongly.
const KEYWORDS: [&str; 5] = ["type", "enum", "const", "format", "required"];

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Reads a document.
///
/// # Errors
/// In words, if it is neither JSON nor YAML, or no OpenAPI 3 document.
pub(super) fn read(bytes: &[u8]) -> Result<Document, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let text = text.trim_start_matches('\u{feff}');
    let document = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?
    } else {
        let read = serde_yaml::from_str(text);
        json_of(read.map_err(|error| format!("it is not YAML: {error}"))?)
    };
    if document.get("swagger").is_some() {
        return Err("it is Swagger 2.0: convert it to OpenAPI 3 first".to_owned());
    }
    let version = match member(&document, "openapi") {
        Document::String(version) => version.clone(),
        // `openapi: 3.1` without quotes.
        Document::Number(version) => version.to_string(),
        Document::Null | Document::Bool(_) | Document::Array(_) | Document::Object(_) => {
            return Err("it is no OpenAPI document: it has no `openapi`".to_owned());
        }
    };
    if !version.starts_with("3.") {
        return Err(format!("it is OpenAPI {version}; 3.0 and 3.1 are read"));
    }
    Ok(document)
}

/// YAML as JSON. Keys become text: status codes are mostly written without quotes.
fn json_of(value: serde_yaml::Value) -> Document {
    match value {
        serde_yaml::Value::Null => Document::Null,
        serde_yaml::Value::Bool(flag) => Document::Bool(flag),
        serde_yaml::Value::Number(number) => {
            serde_json::from_str(&number.to_string()).unwrap_or(Document::Null)
        }
        serde_yaml::Value::String(text) => Document::String(text),
        serde_yaml::Value::Sequence(items) => items.into_iter().map(json_of).collect(),
        serde_yaml::Value::Mapping(members) => {
            let member = |(key, value)| {
                let key = match json_of(key) {
                    Document::String(text) => text,
                    other @ (Document::Null
                    | Document::Bool(_)
                    | Document::Number(_)
                    | Document::Array(_)
                    | Document::Object(_)) => other.to_string(),
                };
                (key, json_of(value))
            };
            Document::Object(members.into_iter().map(member).collect())
        }
        serde_yaml::Value::Tagged(tagged) => json_of(tagged.value),
    }
}

/// One operation of a document.
pub(super) struct Found<'a> {
    /// What a definition calls it; unique.
    pub(super) name: String,
    /// In small letters.
    pub(super) method: &'static str,
    /// As the document writes it.
    pub(super) path: &'a str,
    /// What it says about itself, in one line.
    pub(super) summary: String,
    /// Its parameters, each once.
    pub(super) parameters: Vec<&'a Document>,
    operation: &'a Document,
}

/// A document and what is taken of it.
pub(super) struct OpenApi<'a> {
    document: &'a Document,
    connector: &'a str,
    /// The file of each schema that is referred to, by where it stands.
    files: BTreeMap<String, String>,
    taken: BTreeSet<String>,
    /// Schemas whose files are still to be written, by the names of the files.
    waiting: VecDeque<(String, &'a Document)>,
    /// References that lead to another file or nowhere.
    pub(super) lost: u32,
}

impl<'a> OpenApi<'a> {
    pub(super) fn new(document: &'a Document, connector: &'a str) -> Self {
        Self {
            document,
            connector,
            files: BTreeMap::new(),
            taken: BTreeSet::new(),
            waiting: VecDeque::new(),
            lost: 0,
        }
    }

    /// Every operation, in the document's order.
    pub(super) fn operations(&self) -> Vec<Found<'a>> {
        let mut names = BTreeSet::new();
        let mut all = Vec::new();
        let document = self.document;
        for (path, item) in member(document, "paths").as_object().into_iter().flatten() {
            let item = self.resolved(item);
            for method in METHODS {
                let Some(operation) = item.get(method).filter(|one| one.is_object()) else {
                    continue;
                };
                let given = member(operation, "operationId").as_str();
                let named = given.map_or_else(|| format!("{method} {path}"), str::to_owned);
                all.push(Found {
                    name: unique(&identifier(&named), &mut names),
                    method,
                    path,
                    summary: line(member(operation, "summary").as_str().unwrap_or_default()),
                    parameters: self
                        .parameters(member(item, "parameters"), member(operation, "parameters")),
                    operation,
                });
            }
        }
        all
    }

    /// Parameters of a path and of its operation, whose own replace those of the path (name and place tell them apart).
    fn parameters(&self, shared: &'a Document, own: &'a Document) -> Vec<&'a Document> {
        let mut all: Vec<&Document> = Vec::new();
        for list in [shared, own] {
            for parameter in list.as_array().into_iter().flatten() {
                let parameter = self.resolved(parameter);
                let key = (member(parameter, "name"), member(parameter, "in"));
                all.retain(|known| (member(known, "name"), member(known, "in")) != key);
                all.push(parameter);
            }
        }
        all
    }

    /// The media types of a request's body.
    pub(super) fn body_types(&self, found: &Found<'a>) -> Vec<&'a str> {
        let body = self.resolved(member(found.operation, "requestBody"));
        let content = member(body, "content").as_object();
        content
            .into_iter()
            .flatten()
            .map(|(media, _)| media.as_str())
            .collect()
    }

    /// Whether a request has a body.
    pub(super) fn has_body(found: &Found<'a>) -> bool {
        !member(found.operation, "requestBody").is_null()
    }

    /// What comes back: the name of a schema's file, or nothing where the document does not say.
    pub(super) fn answer(&mut self, found: &Found<'a>) -> Option<String> {
        let responses = member(found.operation, "responses");
        let good = ["200", "201", "202", "203", "2XX", "default"];
        let good = good
            .iter()
            .map(|status| self.resolved(member(responses, status)))
            .find(|response| member(response, "content").is_object())?;
        let mut media = member(good, "content").as_object().into_iter().flatten();
        let (_, content) = media.find(|(media, _)| media.contains("json"))?;
        let schema = content.get("schema").filter(|one| one.is_object())?;
        if let Some(reference) = member(schema, "$ref")
            .as_str()
            .filter(|_| only(schema, "$ref"))
        {
            return self.file(reference);
        }
        // One that is written in place has a file of its own all the same, so that the descriptor stays short.
        let name = format!(
            "{}/{}.json",
            self.connector,
            unique(&found.name, &mut self.taken)
        );
        self.waiting.push_back((name.clone(), schema));
        Some(name)
    }

    /// The files of all schemas that were asked for, and of those that they refer to.
    pub(super) fn schema_files(&mut self) -> Vec<(String, Document)> {
        let mut written = Vec::new();
        while let Some((name, schema)) = self.waiting.pop_front() {
            let plain = self.plain(schema);
            written.push((format!("schemas/{name}"), plain));
        }
        written
    }

    /// A schema in the words that payload schemas have here; other schemas by the names of their files.
    fn plain(&mut self, schema: &'a Document) -> Document {
        let Some(members) = schema.as_object() else {
            // `true` and `false` of 3.1, and what is no schema.
            return json!({});
        };
        let mut taken = Map::new();
        for (name, value) in members {
            if KEYWORDS.contains(&name.as_str()) {
                taken.insert(name.clone(), value.clone());
            }
        }
        // A required list that is no list, or a type that is no word, is the document's slip.
        taken.retain(|name, value| match name.as_str() {
            "required" | "enum" => value.is_array(),
            "type" => value.is_string() || value.is_array(),
            "format" => value.is_string(),
            _ => true,
        });
        if let Some(properties) = members.get("properties").and_then(Document::as_object) {
            let plain = properties
                .iter()
                .map(|(name, value)| (name.clone(), self.plain(value)));
            let plain: Map<String, Document> = plain.collect();
            taken.insert("properties".to_owned(), Document::Object(plain));
        }
        if let Some(items) = members.get("items").filter(|items| items.is_object()) {
            let items = self.plain(items);
            taken.insert("items".to_owned(), items);
        }
        for (from, to) in [("allOf", "allOf"), ("anyOf", "anyOf"), ("oneOf", "anyOf")] {
            let pieces = members.get(from).and_then(Document::as_array);
            if let Some(pieces) = pieces.filter(|pieces| !pieces.is_empty()) {
                let pieces: Vec<Document> = pieces.iter().map(|one| self.plain(one)).collect();
                taken.insert(to.to_owned(), Document::Array(pieces));
            }
        }
        if let Some(reference) = members.get("$ref").and_then(Document::as_str) {
            match self.file(reference) {
                Some(file) => {
                    // Beside each other in one folder.
                    let file = file.rsplit('/').next().unwrap_or_default();
                    taken.insert("$ref".to_owned(), file.into());
                }
                None => self.lost += 1,
            }
        }
        if members.get("nullable") == Some(&Document::Bool(true)) && !taken.is_empty() {
            return json!({ "anyOf": [taken, { "type": "null" }] });
        }
        Document::Object(taken)
    }

    /// The file of a schema that is referred to.
    fn file(&mut self, reference: &str) -> Option<String> {
        let pointer = pointer(reference)?;
        if let Some(known) = self.files.get(&pointer) {
            return Some(known.clone());
        }
        let schema = self.document.pointer(&pointer)?;
        let last = pointer.rsplit('/').next().unwrap_or_default();
        let name = unique(&identifier(last), &mut self.taken);
        let name = format!("{}/{name}.json", self.connector);
        self.waiting.push_back((name.clone(), schema));
        self.files.insert(pointer, name.clone());
        Some(name)
    }

    /// What a reference leads to, through further ones; null where it leads nowhere.
    pub(super) fn resolved(&self, value: &'a Document) -> &'a Document {
        let mut value = value;
        for _ in 0..HOPS_MAX {
            let Some(reference) = member(value, "$ref").as_str() else {
                return value;
            };
            let target = pointer(reference).and_then(|pointer| self.document.pointer(&pointer));
            value = target.unwrap_or(&Document::Null);
        }
        &Document::Null
    }
}

/// A member; null where there is none.
pub(super) fn member<'a>(document: &'a Document, name: &str) -> &'a Document {
    document.get(name).unwrap_or(&Document::Null)
}

/// What stands at a JSON pointer; null where there is nothing.
pub(super) fn below<'a>(document: &'a Document, pointer: &str) -> &'a Document {
    document.pointer(pointer).unwrap_or(&Document::Null)
}

fn only(schema: &Document, key: &str) -> bool {
    schema.as_object().is_some_and(|members| {
        members
            .keys()
            .all(|name| name == key || name == "description")
    })
}

/// The JSON pointer of a reference within the document.
fn pointer(reference: &str) -> Option<String> {
    let pointer = reference.strip_prefix('#')?;
    Some(ml_connector_core::protocol::percent_decode(pointer))
}

/// The first line of a text, not too long for a comment.
fn line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    line.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// A name that is not taken yet.
pub(super) fn unique(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut free = name.to_owned();
    let mut number = 2;
    while !taken.insert(free.clone()) {
        free = format!("{name}_{number}");
        number += 1;
    }
    free
}

/// A name that expressions can read: `getPayRun` and `GET /pay-runs` become `get_pay_run` and `get_pay_runs`.
pub(super) fn identifier(text: &str) -> String {
    let mut name = String::new();
    let mut lower_before = false;
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            if c.is_ascii_uppercase() && lower_before {
                name.push('_');
            }
            lower_before = c.is_ascii_lowercase() || c.is_ascii_digit();
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
            lower_before = false;
        }
    }
    let name = name.trim_end_matches('_').to_owned();
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && is_identifier(&name) {
        name
    } else {
        format!("call_{name}").trim_end_matches('_').to_owned()
    }
}
