//! The case file.

use super::super::reader::Reader;
use crate::cases::{Case, Posted, Statement};
use crate::codes;
use crate::definition::tables::case::{POSTED_STATES, RAW_ANSWER};
use crate::definition::values::{self, Wrong};
use crate::definition::words;
use crate::delivery::{Receipt, StateKind};
use crate::diagnostic::Diagnostic;
use crate::http::HttpResponse;
use crate::identity::IntegrationId;
use crate::plan::Integration;
use crate::reconcile::Posting;
use crate::rehearsal::Given;
use crate::source::Span;
use crate::yaml::{Entry, Node, NodeId, Value};
use bytes::Bytes;
use indexmap::IndexMap;
use serde_json::{Map, Value as Document};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The integrations there are, and those that would be there if their files could be read.
pub(in crate::definition) struct Integrations<'a> {
    pub(in crate::definition) known: &'a IndexMap<IntegrationId, Arc<Integration>>,
    /// Their files: a part of one that was reported is there all the same.
    pub(in crate::definition) nodes: &'a HashMap<&'a str, &'a Node>,
    pub(in crate::definition) unreadable: &'a HashSet<String>,
}

/// The raw answers in a case, which its table cannot tell from results.
pub(in crate::definition) fn raw_answers(node: &Node) -> impl Iterator<Item = (&str, &Entry)> {
    let fetch = node.get("fetch").map_or(&[][..], Node::entries);
    fetch
        .iter()
        .filter_map(|entry| Some((entry.key.as_str(), raw_answer(&entry.value)?)))
}

fn raw_answer(node: &Node) -> Option<&Entry> {
    match node.entries() {
        [entry] if entry.key == "response" => Some(entry),
        _ => None,
    }
}

/// A case. `None` if its event or integration could not be read.
pub(in crate::definition) fn lower(
    reader: &Reader<'_, '_>,
    node: &Node,
    integrations: &Integrations<'_>,
) -> Option<Case> {
    reader.opt_text("version");
    let integration = integration(reader, integrations);
    if let Some(integration) = integration {
        if let Some(node) = integrations.nodes.get(integration.id.as_str()) {
            check_names(reader, integration, node);
        }
        check_values(reader, integration);
        if let Some(statement) = reader
            .node("statement")
            .filter(|_| integration.reconcile.is_none())
        {
            let what = format!("`{}` reconciles nothing", integration.id);
            let finding = Diagnostic::error(codes::CASE_VALUE, statement.span, what);
            reader
                .cx
                .report(finding.help("name the integration that has a section `reconcile`"));
        }
        if let Some(events) = reader
            .node("events")
            .filter(|_| integration.aggregate.is_none())
        {
            let what = format!("`{}` makes a delivery of every event", integration.id);
            let finding = Diagnostic::error(codes::CASE_VALUE, events.span, what);
            reader
                .cx
                .report(finding.help("give one as `event`; several only where it has `aggregate`"));
        }
    }
    let expect = reader.object("expect");
    ask_all(&expect);
    let case = Case {
        name: reader.text("case"),
        integration: IntegrationId::new(reader.text("integration")),
        settings: reader
            .entries("settings")
            .map(|(name, node)| (name.to_owned(), node.to_document()))
            .collect(),
        params: reader
            .document("params")
            .unwrap_or_else(|| Document::Object(Map::new())),
        event: event(reader)?,
        statement: reader.document("statement").map(|document| Statement {
            document,
            posted: reader.objects("posted").iter().map(posted).collect(),
        }),
        group: reader.opt_object("group").map_or((1, None), |one| {
            let total = one.node("total").map(|_| one.count("total"));
            (one.count("number"), total)
        }),
        requires: reader
            .entries("requires")
            .map(|(name, node)| (name.to_owned(), required(node)))
            .collect(),
        fetch: reader
            .entries("fetch")
            .map(|(name, node)| (name.to_owned(), given(reader, node)))
            .collect(),
        crosswalks: reader
            .entries("crosswalks")
            .map(|(name, node)| (name.to_owned(), rows(node)))
            .collect(),
        answer: reader.opt_object("answer").map(|one| response(&one)),
        expect: expect.node.map_or(Document::Null, Node::to_document),
        span: node.get("case").map_or(node.span, |node| node.span),
        expect_span: node
            .entry("expect")
            .map_or(node.span, |entry| entry.key_span),
    };
    integration.map(|_| case)
}

/// `expect` is handed on as it is written; its rows are compared one by one when the case runs.
fn ask_all(reader: &Reader<'_, '_>) {
    for field in reader.table.fields() {
        for inner in reader
            .opt_object(field.name)
            .iter()
            .chain(&reader.objects(field.name))
        {
            if !std::ptr::eq(inner.table, reader.table) {
                ask_all(inner);
            }
        }
    }
}

fn integration<'a>(
    reader: &Reader<'_, '_>,
    integrations: &Integrations<'a>,
) -> Option<&'a Integration> {
    let node = reader.node("integration")?;
    let name = node.scalar().map_or("", |scalar| scalar.text.as_str());
    let known = integrations.known.get(name);
    if known.is_none() && !integrations.unreadable.contains(name) {
        let what = format!("there is no integration `{name}`");
        let mut finding = Diagnostic::error(codes::CASE_INTEGRATION, node.span, what);
        let names = integrations.known.keys().map(IntegrationId::as_str);
        if let Some(near) = words::nearest(name, names) {
            finding = finding.help(format!("did you mean `{near}`?"));
        }
        reader.cx.report(finding);
    }
    known.map(AsRef::as_ref)
}

fn event(reader: &Reader<'_, '_>) -> Option<Document> {
    if let Some(event) = reader.document("event") {
        return Some(event);
    }
    if reader.node("statement").is_some() {
        return Some(Document::Null);
    }
    if reader.node("events").is_some() {
        return Some(reader.items("events").map(Node::to_document).collect());
    }
    let node = reader.node("event_file")?;
    let name = node.scalar()?.text.as_str();
    let sources = reader.cx.sources;
    let folder = sources
        .name(node.span.file)
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    let path = join(folder, name);
    let Some(file) = sources.by_name(&path).and_then(|id| sources.file(id)) else {
        let what = format!("there is no file `{name}`");
        let finding = Diagnostic::error(codes::CASE_FILE, node.span, what);
        reader
            .cx
            .report(finding.label(format!("expected as `{path}`")));
        return None;
    };
    match serde_json::from_str(file.text()) {
        Ok(event) => Some(event),
        Err(error) => {
            let what = format!("`{name}` is not JSON");
            reader.cx.report(
                Diagnostic::error(codes::CASE_FILE, node.span, what).label(error.to_string()),
            );
            None
        }
    }
}

/// A path below a folder, `.` and `..` resolved as text.
fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    let absolute = folder.starts_with('/');
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("{}{}", if absolute { "/" } else { "" }, parts.join("/"))
}

// -- what is given ----------------------------------------------------------------------------------------------------

fn given(reader: &Reader<'_, '_>, node: &Node) -> Given {
    if let Some(entry) = raw_answer(node) {
        return Given::Response(response(&Reader::new(
            reader.cx,
            Some(&entry.value),
            &RAW_ANSWER,
        )));
    }
    Given::Document(there(node))
}

/// `{}` says that it is not there, like null.
fn there(node: &Node) -> Document {
    if matches!(node.value, Value::Map(_)) && node.entries().is_empty() {
        return Document::Null;
    }
    node.to_document()
}

fn required(node: &Node) -> Given {
    if node.scalar().is_some_and(|scalar| scalar.text == "not_yet") {
        return Given::NotYet;
    }
    Given::Document(there(node))
}

fn response(reader: &Reader<'_, '_>) -> HttpResponse {
    let text = |node: &Node| {
        node.scalar()
            .map(|scalar| scalar.text.clone())
            .unwrap_or_default()
    };
    let body = match reader.document("body") {
        None | Some(Document::Null) => Bytes::new(),
        Some(Document::String(text)) => Bytes::from(text),
        Some(document) => Bytes::from(document.to_string()),
    };
    HttpResponse {
        status: reader.count("status"),
        headers: reader
            .entries("headers")
            .map(|(name, node)| (name.to_owned(), text(node)))
            .collect(),
        body,
    }
}

fn rows(node: &Node) -> IndexMap<String, Document> {
    node.entries()
        .iter()
        .map(|entry| (entry.key.clone(), there(&entry.value)))
        .collect()
}

fn posted(reader: &Reader<'_, '_>) -> Posted {
    let state = reader.text("state");
    let known = StateKind::ALL.into_iter();
    let mut known = known.filter(|one| POSTED_STATES.contains(&one.as_str()));
    let receipt = reader.entries("receipt");
    Posted {
        integration: IntegrationId::new(reader.text("integration")),
        state: known
            .find(|one| one.as_str() == state)
            .unwrap_or(StateKind::Delivered),
        posting: Posting {
            id: "dlv_1".to_owned(),
            event_id: reader.text("event_id"),
            dedup_key: reader.text("dedup_key"),
            order_key: reader.opt_text("order_key"),
            reference: reader.opt_text("reference"),
            receipt: Receipt(
                receipt
                    .map(|(name, node)| (name.to_owned(), node.to_document()))
                    .collect(),
            ),
        },
        fetch: reader
            .entries("fetch")
            .map(|(name, node)| (name.to_owned(), given(reader, node)))
            .collect(),
    }
}

// -- whether it fits --------------------------------------------------------------------------------------------------

fn check_names(reader: &Reader<'_, '_>, integration: &Integration, node: &Node) {
    fn entries<'n>(node: Option<&'n Node>, key: &str) -> &'n [Entry] {
        let value = node.and_then(|node| node.get(key));
        value.map_or(&[][..], Node::entries)
    }
    fn names(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.key.as_str()).collect()
    }
    let keys = |key: &str| names(entries(Some(node), key));
    let reconcile = node.get("reconcile");
    let lines = entries(reconcile, "lines").iter();
    let lines: Vec<&Node> = lines.map(|entry| &entry.value).collect();
    let of_lines: Vec<&Entry> = lines
        .iter()
        .flat_map(|line| entries(Some(line), "fetch"))
        .collect();
    let own = entries(Some(node), "fetch").iter();
    let of_statement = entries(reconcile, "fetch").iter();
    let fetches = own.chain(of_statement).chain(of_lines.iter().copied());
    let fetches = fetches.map(|entry| &entry.value);
    let remembered = node.get("remember").map_or(&[][..], Node::items);
    let table = |node: &'_ Node| Some(node.get("crosswalk")?.scalar()?.text.clone());
    let tables: Vec<String> = fetches.chain(remembered).filter_map(table).collect();
    let check = |name: &str, span: Span, what: &str, known: &[&str]| {
        if known.contains(&name) {
            return;
        }
        let message = format!("`{}` has no {what} `{name}`", integration.id);
        let mut finding = Diagnostic::error(codes::CASE_NAME, span, message);
        if let Some(near) = words::nearest(name, known.iter().copied()) {
            finding = finding.help(format!("did you mean `{near}`?"));
        } else if !known.is_empty() {
            finding = finding.help(format!("it has {}", words::join(known)));
        }
        reader.cx.report(finding);
    };
    let all = |reader: &Reader<'_, '_>, key: &str, what: &str, known: Vec<&str>| {
        for entry in reader.node(key).map_or(&[][..], Node::entries) {
            check(&entry.key, entry.key_span, what, &known);
        }
    };
    all(reader, "settings", "connection", keys("connections"));
    if reader.node("statement").is_some() {
        let known = names(entries(reconcile, "fetch"));
        all(reader, "fetch", "fetch for statements", known);
    } else {
        all(reader, "fetch", "fetch", keys("fetch"));
    }
    let makers = lines.iter().filter_map(|line| line.get("posted"));
    let makers = makers.filter_map(|posted| posted.get("integration")?.scalar());
    let makers: Vec<&str> = makers.map(|one| one.text.as_str()).collect();
    for posted in reader.objects("posted") {
        let known = of_lines.iter().map(|entry| entry.key.as_str()).collect();
        all(&posted, "fetch", "fetch for lines", known);
        if let Some(node) = posted.node("integration")
            && let Some(name) = node.scalar()
        {
            check(&name.text, node.span, "lines posted by", &makers);
        }
    }
    all(reader, "requires", "required delivery", keys("requires"));
    all(
        reader,
        "crosswalks",
        "crosswalk",
        tables.iter().map(String::as_str).collect(),
    );
}

fn check_values(reader: &Reader<'_, '_>, integration: &Integration) {
    let root: Option<Span> = reader.node("integration").map(|node| node.span);
    let report = |wrong: Vec<Wrong>, node: Option<&Node>, what: &str| {
        for one in wrong {
            let Some(span) = node.map(|node| values::place(node, &one)).or(root) else {
                continue;
            };
            let finding =
                Diagnostic::error(codes::CASE_VALUE, span, format!("{what}: {}", one.why));
            reader.cx.report(finding);
        }
    };
    let broken: &HashSet<NodeId> = reader.cx.broken;
    for (name, node) in reader.entries("settings") {
        let Some(connector) = integration.connections.get(name) else {
            continue;
        };
        if !node
            .entries()
            .iter()
            .any(|entry| broken.contains(&entry.value.id))
        {
            let wrong = values::misfits(&connector.settings, &node.to_document());
            report(wrong, Some(node), &format!("settings of `{name}`"));
        }
    }
    let params = reader.node("params");
    let document = params.map_or_else(|| Document::Object(Map::new()), Node::to_document);
    report(
        values::misfits(&integration.params, &document),
        params,
        "parameters",
    );
}
