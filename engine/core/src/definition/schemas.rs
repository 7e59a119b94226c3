//! JSON Schemas that definitions refer to: files below `schemas/`, and those written in place.
//!
//! A file may refer to others (`mandate.json#/$defs/link`, from its own folder or from `schemas/`). What a definition gets
//! stands alone: the files it reaches are put under its `$defs`, so that nobody later needs to know where it came from.

use super::context::Context;
use super::{required, words};
use crate::codes;
use crate::diagnostic::{Diagnostic, Findings};
use crate::required::{KEYWORD, is_given};
use crate::source::{FileId, SourceSet, Span, to_u32};
use crate::yaml::{self, Node, Value};
use indexmap::IndexMap;
use serde_json::{Map, Value as Document, json};

/// The schema files of a source set.
#[derive(Debug, Default)]
pub(super) struct Schemas {
    files: IndexMap<String, SchemaFile>,
}

#[derive(Debug)]
struct SchemaFile {
    /// As it is written; `None` if it could not be read, which has been reported.
    document: Option<Document>,
    /// Standing alone.
    bundled: Option<Document>,
}

/// The name by which definitions know a schema file: its path below `schemas/`.
pub(super) fn name_of(path: &str) -> Option<&str> {
    let name = match path.rsplit_once("/schemas/") {
        Some((_, name)) => name,
        None => path.strip_prefix("schemas/")?,
    };
    let is_json = std::path::Path::new(name)
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("json"));
    (is_json && !name.starts_with("dsl/")).then_some(name)
}

impl Schemas {
    /// Reads every schema file.
    pub(super) fn load(sources: &SourceSet, findings: &mut Findings) -> Self {
        let mut schemas = Self::default();
        let mut places = Vec::new();
        for (id, file) in sources.files() {
            let Some(name) = name_of(file.name()) else {
                continue;
            };
            let document = parse(id, file.text(), file.invalid_utf8_at(), findings);
            places.push((name.to_owned(), id));
            schemas.files.insert(
                name.to_owned(),
                SchemaFile {
                    document,
                    bundled: None,
                },
            );
        }
        for (name, id) in places {
            let bundled = schemas.bundle(&name, sources, id, findings);
            if let Some(file) = schemas.files.get_mut(&name) {
                file.bundled = bundled;
            }
        }
        schemas
    }

    /// Every schema that could be read, by name, standing alone.
    pub(super) fn documents(&self) -> impl Iterator<Item = (&str, &Document)> {
        self.files
            .iter()
            .filter_map(|(name, file)| Some((name.as_str(), file.bundled.as_ref()?)))
    }

    /// The schema a node names or holds. One that was reported accepts everything.
    pub(super) fn of_node(&self, node: &Node, cx: &Context<'_>) -> Document {
        let Some(scalar) = node.scalar() else {
            let document = node.to_document();
            return match problem(&document) {
                Some(problem) => {
                    cx.report(problem.finding(find(node, &problem.path)));
                    anything()
                }
                None => document,
            };
        };
        if let Some(file) = self.files.get(&scalar.text) {
            return file.bundled.clone().unwrap_or_else(anything);
        }
        let what = format!("there is no schema `{}`", scalar.text);
        let mut finding = Diagnostic::error(codes::UNKNOWN_SCHEMA, node.span, what)
            .label(format!("expected as `schemas/{}`", scalar.text));
        let names = self.files.keys().map(String::as_str);
        if let Some(near) = words::nearest(&scalar.text, names) {
            finding = finding.help(format!("did you mean `{near}`?"));
        }
        cx.report(finding);
        anything()
    }

    // -- references ---------------------------------------------------------------------------------------------------

    fn bundle(
        &self,
        name: &str,
        sources: &SourceSet,
        id: FileId,
        findings: &mut Findings,
    ) -> Option<Document> {
        let document = self.files.get(name)?.document.as_ref()?;
        let at = |path: &[String]| {
            let node = yaml::load(sources, id, &mut Findings::new());
            node.map_or(Span::new(id, 0, 0), |node| find(&node, path))
        };
        let mut reached = Vec::new();
        let mut missing = Vec::new();
        self.reach(name, name, document, &mut reached, &mut missing);
        for (path, target) in &missing {
            let what = format!("`{target}` leads nowhere");
            let help = "refer to a place in this file (`#/…`) or to a file in this folder or below `schemas/`";
            findings.push(Diagnostic::error(codes::SCHEMA_FILE, at(path), what).help(help));
        }
        if !missing.is_empty() {
            return None;
        }
        let bundled = self.stand_alone(name, document, &reached);
        if let Some(problem) = problem(&bundled) {
            // Another file's mistake is reported there.
            if !problem.path.iter().any(|key| self.files.contains_key(key)) {
                findings.push(problem.finding(at(&problem.path)));
            }
            return None;
        }
        Some(bundled)
    }

    /// Finds every file a document refers to, and what leads nowhere. What leads nowhere in another file is reported there.
    fn reach(
        &self,
        root: &str,
        name: &str,
        document: &Document,
        reached: &mut Vec<String>,
        missing: &mut Vec<(Vec<String>, String)>,
    ) {
        let mut targets = Vec::new();
        references(document, &mut Vec::new(), &mut targets);
        for (path, target) in targets {
            let (file, pointer) = target.split_once('#').unwrap_or((&target, ""));
            if file.is_empty() {
                if document.pointer(pointer).is_none() {
                    missing.push((path, target));
                }
                continue;
            }
            match self.beside(name, file) {
                Some(other) => {
                    let other_document = self
                        .files
                        .get(other)
                        .and_then(|file| file.document.as_ref());
                    if other_document.is_some_and(|document| document.pointer(pointer).is_none()) {
                        missing.push((path, target));
                    } else if other != root && !reached.iter().any(|known| known == other) {
                        reached.push(other.to_owned());
                        if let Some(document) = other_document {
                            self.reach(root, other, document, reached, &mut Vec::new());
                        }
                    }
                }
                None => missing.push((path, target)),
            }
        }
    }

    /// A file named in another: from that one's folder, else from `schemas/`.
    fn beside(&self, name: &str, file: &str) -> Option<&str> {
        let file = file.strip_prefix("./").unwrap_or(file);
        let beside = name
            .rsplit_once('/')
            .map(|(folder, _)| format!("{folder}/{file}"));
        let known = |name: &str| {
            self.files
                .get_key_value(name)
                .map(|(name, _)| name.as_str())
        };
        beside.and_then(|name| known(&name)).or_else(|| known(file))
    }

    fn stand_alone(&self, name: &str, document: &Document, reached: &[String]) -> Document {
        let mut alone = self.rewritten(name, name, document);
        if reached.is_empty() {
            return alone;
        }
        let definitions = reached.iter().filter_map(|other| {
            let document = self.files.get(other)?.document.as_ref()?;
            Some((other.clone(), self.rewritten(name, other, document)))
        });
        let definitions: Vec<_> = definitions.collect();
        if let Document::Object(object) = &mut alone {
            let slot = object.entry("$defs").or_insert_with(|| json!({}));
            if let Document::Object(slot) = slot {
                slot.extend(definitions);
            }
        }
        alone
    }

    /// A file's content with every reference leading to where it stands in the schema of `root`.
    fn rewritten(&self, root: &str, name: &str, document: &Document) -> Document {
        match document {
            Document::Array(items) => items
                .iter()
                .map(|item| self.rewritten(root, name, item))
                .collect(),
            Document::Object(object) => {
                let mut rewritten = Map::new();
                for (key, value) in object {
                    // A base address of its own would make the rewritten references lead elsewhere.
                    if key == "$id" && value.is_string() {
                        continue;
                    }
                    let value = match (key.as_str(), value.as_str()) {
                        ("$ref", Some(target)) => self.target(root, name, target).into(),
                        _ => self.rewritten(root, name, value),
                    };
                    rewritten.insert(key.clone(), value);
                }
                Document::Object(rewritten)
            }
            Document::Null | Document::Bool(_) | Document::Number(_) | Document::String(_) => {
                document.clone()
            }
        }
    }

    fn target(&self, root: &str, name: &str, target: &str) -> String {
        let (file, pointer) = target.split_once('#').unwrap_or((target, ""));
        let file = if file.is_empty() {
            Some(name)
        } else {
            self.beside(name, file)
        };
        match file {
            Some(file) if file == root => format!("#{pointer}"),
            Some(file) => {
                let escaped = file.replace('~', "~0").replace('/', "~1");
                format!("#/$defs/{escaped}{pointer}")
            }
            None => target.to_owned(),
        }
    }
}

/// The object schema of a map of properties. A property without `default` and without `optional: true` is required.
pub(super) fn of_properties(node: Option<&Node>, cx: &Context<'_>) -> Document {
    let mut properties = Map::new();
    let mut needed = Vec::new();
    for entry in node.map_or(&[][..], Node::entries) {
        let property = entry.value.to_document();
        let mut sound = !cx.broken.contains(&entry.value.id);
        if sound && let Some(problem) = problem(&property) {
            cx.report(problem.finding(find(&entry.value, &problem.path)));
            sound = false;
        }
        if !sound {
            // Nothing is known about it, so nobody is told that it is missing or wrong.
            properties.insert(entry.key.clone(), anything());
            continue;
        }
        let says = |key: &str| {
            property
                .get(key)
                .is_some_and(|value| *value != Document::Bool(false))
        };
        if !says("optional") && property.get("default").is_none() {
            needed.push(entry.key.clone());
        }
        check_default(&property, &entry.value, cx);
        properties.insert(entry.key.clone(), property);
    }
    for entry in node.map_or(&[][..], Node::entries) {
        let condition = entry.value.get(KEYWORD);
        let property = properties.get(&entry.key).filter(|one| **one != anything());
        if let (Some(condition), Some(property)) = (condition, property) {
            let filled = is_given(property.get("default"));
            let can_be_absent = !filled && !needed.contains(&entry.key);
            required::check(&entry.key, condition, can_be_absent, &properties, cx);
        }
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": needed,
        "additionalProperties": false,
    })
}

/// The schema that accepts everything.
fn anything() -> Document {
    Document::Object(Map::new())
}

fn parse(
    id: FileId,
    text: &str,
    invalid_utf8_at: Option<u32>,
    findings: &mut Findings,
) -> Option<Document> {
    if let Some(at) = invalid_utf8_at {
        findings.push(Diagnostic::error(
            codes::NOT_UTF8,
            Span::new(id, at, at),
            "the file is not UTF-8",
        ));
        return None;
    }
    match serde_json::from_str(text) {
        Ok(document) => Some(document),
        Err(error) => {
            let lines = text
                .split_inclusive('\n')
                .take(error.line().saturating_sub(1));
            let before: usize = lines.map(str::len).sum();
            let at = to_u32((before + error.column().saturating_sub(1)).min(text.len()));
            let why = error.to_string();
            let why = why.split(" at line ").next().unwrap_or_default().to_owned();
            let finding = Diagnostic::error(
                codes::SCHEMA_FILE,
                Span::new(id, at, at),
                "this is not JSON",
            );
            findings.push(finding.label(why));
            None
        }
    }
}

fn references(document: &Document, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    let mut child = |key: String, value: &Document, path: &mut Vec<String>| {
        path.push(key);
        references(value, path, found);
        path.pop();
    };
    match document {
        Document::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                child(at.to_string(), item, path);
            }
        }
        Document::Object(object) => {
            for (key, value) in object {
                child(key.clone(), value, path);
            }
            if let Some(target) = object.get("$ref").and_then(Document::as_str) {
                let mut path = path.clone();
                path.push("$ref".to_owned());
                found.push((path, target.to_owned()));
            }
        }
        Document::Null | Document::Bool(_) | Document::Number(_) | Document::String(_) => {}
    }
}

/// Why something is no JSON Schema.
struct Problem {
    path: Vec<String>,
    why: String,
}

impl Problem {
    fn finding(&self, span: Span) -> Diagnostic {
        let what = "this is not a JSON Schema";
        let finding = Diagnostic::error(codes::SCHEMA_FILE, span, what).label(self.why.clone());
        finding.help(
            "see https://json-schema.org/understanding-json-schema for what can be written here",
        )
    }
}

fn problem(schema: &Document) -> Option<Problem> {
    if schema.as_object().is_some_and(Map::is_empty) {
        return None;
    }
    if let Err(error) = jsonschema::meta::validate(schema) {
        let path = error.instance_path().as_str();
        let path = path
            .split('/')
            .skip(1)
            .map(|key| key.replace("~1", "/").replace("~0", "~"));
        return Some(Problem {
            path: path.collect(),
            why: error.to_string(),
        });
    }
    // What is a schema by form may still have a pattern that is no regular expression, or a reference that leads nowhere.
    match jsonschema::validator_for(schema) {
        Ok(_) => None,
        Err(error) => Some(Problem {
            path: Vec::new(),
            why: error.to_string(),
        }),
    }
}

fn check_default(property: &Document, node: &Node, cx: &Context<'_>) {
    let (Some(default), Some(place)) = (property.get("default"), node.get("default")) else {
        return;
    };
    let Ok(validator) = jsonschema::validator_for(property) else {
        return;
    };
    if let Err(error) = validator.validate(default) {
        let what = "the default does not fit its own schema";
        let finding = Diagnostic::error(
            codes::SCHEMA_FILE,
            super::structure::point(place, None),
            what,
        );
        cx.report(finding.label(error.to_string()));
    }
}

/// The place of a path in a node, or the nearest place above it.
fn find(node: &Node, path: &[String]) -> Span {
    let mut here = node;
    let mut key_span = None;
    for key in path {
        let next = match &here.value {
            Value::Map(_) => here
                .entry(key)
                .map(|entry| (Some(entry.key_span), &entry.value)),
            Value::List(items) => key
                .parse::<usize>()
                .ok()
                .and_then(|at| items.get(at))
                .map(|item| (None, item)),
            Value::Scalar(_) | Value::Broken => None,
        };
        let Some((span, next)) = next else { break };
        (key_span, here) = (span, next);
    }
    super::structure::point(here, key_span)
}
