//! The journal's records of one delivery, told to people: what happened, what was said on the wire, who decided.

use crate::terminal::{Terminal, Tone};
use crate::views::{moment, plain};
use ml_connector_core::cases::query_parameters;
use ml_connector_store::AuditRecord;
use serde_json::{Map, Value as Document};
use std::io;

/// The member of an event's record that holds it as received.
const RAW: &str = "raw";

/// Prints records, one head line each and what belongs to it below.
pub(crate) fn print(history: &[AuditRecord], terminal: &mut Terminal) -> io::Result<()> {
    for record in history {
        let (head, details) = told(record);
        let line = format!("  {}  #{}  {head}", moment(record.at), record.sequence);
        terminal.line(terminal.tone(Tone::Strong, &line))?;
        for (name, value) in details {
            member(&name, &value, 6, terminal)?;
        }
    }
    Ok(())
}

fn told(record: &AuditRecord) -> (String, Map<String, Document>) {
    let none = Map::new();
    let content = record.content.as_object().unwrap_or(&none);
    match record.kind.as_str() {
        "transition" => transition(content),
        "event" => {
            let details = picked(content, &["event_id", "connection", "stream", "origin"]);
            ("accepted".to_owned(), details)
        }
        kind => {
            let hidden = |name: &str| name == RAW || name == "kind";
            let details = content
                .iter()
                .filter(|(name, value)| !hidden(name) && !value.is_null());
            let details = details
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let kind = content
                .get("kind")
                .and_then(Document::as_str)
                .unwrap_or(kind);
            (kind.replace('_', " "), details)
        }
    }
}

/// What happened, in which state that left the delivery, and what was said on the wire.
fn transition(content: &Map<String, Document>) -> (String, Map<String, Document>) {
    let none = Map::new();
    let event = content
        .get("event")
        .and_then(Document::as_object)
        .unwrap_or(&none);
    let word = |name: &str| {
        event
            .get(name)
            .and_then(Document::as_str)
            .map(str::to_owned)
    };
    let what = word("event")
        .unwrap_or_else(|| "changed".to_owned())
        .replace('_', " ");
    let decision = event
        .get("decision")
        .and_then(|decision| decision.get("decision"))
        .and_then(Document::as_str)
        .map(str::to_owned);
    let which = word("outcome")
        .or(decision)
        .or_else(|| word("look_up"))
        .or_else(|| word("trouble"));
    let state = content
        .get("delivery")
        .and_then(|delivery| delivery.get("state"))
        .and_then(|state| state.get("state"))
        .and_then(Document::as_str)
        .unwrap_or("?");
    let which = which
        .map(|which| format!(": {}", which.replace('_', " ")))
        .unwrap_or_default();
    let head = format!("{what}{which} → {state}");
    let mut details = picked(
        event,
        &[
            "class", "why", "help", "reason", "receipt", "after", "awaits", "name", "due_at",
        ],
    );
    if let Some(Document::Object(exchange)) = content.get("exchange") {
        details.extend(wire(exchange));
    }
    details.extend(picked(content, &["actor", "remember"]));
    (head, details)
}

/// One exchange: what was sent, and what came back.
fn wire(exchange: &Map<String, Document>) -> Map<String, Document> {
    let mut details = Map::new();
    let request = exchange.get("request").and_then(Document::as_str);
    match request.and_then(|request| request.split_once('?')) {
        // Some systems take whole documents in the query: decoded, they can be read.
        Some((request, query)) => {
            details.insert("request".to_owned(), request.into());
            details.insert(
                "query".to_owned(),
                Document::Object(query_parameters(query)),
            );
        }
        None => details.extend(picked(exchange, &["request"])),
    }
    details.extend(picked(exchange, &["request_body"]));
    if let Some(status) = exchange.get("status").filter(|status| !status.is_null()) {
        let took = exchange.get("duration_ms").map(plain).unwrap_or_default();
        details.insert(
            "answer".to_owned(),
            format!("status {status} after {took} ms").into(),
        );
    }
    details.extend(picked(exchange, &["response_body"]));
    details
}

fn picked(from: &Map<String, Document>, names: &[&str]) -> Map<String, Document> {
    let said = |value: &&Document| {
        !value.is_null()
            && value.as_str() != Some("")
            && value.as_object().is_none_or(|one| !one.is_empty())
    };
    names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), from.get(*name).filter(said)?.clone())))
        .collect()
}

fn member(name: &str, value: &Document, indent: usize, terminal: &mut Terminal) -> io::Result<()> {
    let margin = " ".repeat(indent);
    let name = name.replace('_', " ");
    match value {
        Document::Object(members) if !members.is_empty() => {
            terminal.line(format!("{margin}{name}:"))?;
            members
                .iter()
                .try_for_each(|(name, value)| member(name, value, indent + 2, terminal))
        }
        Document::String(text) if text.contains('\n') => {
            terminal.line(format!("{margin}{name}:"))?;
            text.lines()
                .try_for_each(|line| terminal.line(format!("{margin}  {line}")))
        }
        Document::Null
        | Document::Bool(_)
        | Document::Number(_)
        | Document::String(_)
        | Document::Array(_)
        | Document::Object(_) => terminal.line(format!("{margin}{name}: {}", plain(value))),
    }
}

#[cfg(test)]
mod tests {
    use super::print;
    use crate::terminal::capture::captured;
    use ml_connector_store::AuditRecord;
    use serde_json::{Value as Document, json};

    fn record(kind: &str, content: Document) -> AuditRecord {
        AuditRecord {
            sequence: 7,
            at: "2026-03-16T08:47:21Z".parse().unwrap(),
            kind: kind.into(),
            content,
            hash: String::new(),
            previous: String::new(),
        }
    }

    fn text(record: AuditRecord) -> String {
        let (mut terminal, out, _) = captured("");
        print(&[record], &mut terminal).unwrap();
        terminal.flush().unwrap();
        out.text()
    }

    #[test]
    fn a_transition_says_what_happened_and_what_was_on_the_wire() {
        let told = text(record(
            "transition",
            json!({
                "delivery": { "state": { "state": "held" } },
                "event": { "event": "answered", "outcome": "rejected", "class": "value", "why": "no", "help": "" },
                "exchange": { "operation": "post", "request": "GET http://x/y?a=%3Cb%3E&c=", "status": 400, "response_body": "a\nb", "duration_ms": 21 },
                "plan": "d559",
            }),
        ));
        assert_eq!(
            told,
            "  2026-03-16 08:47:21Z  #7  answered: rejected → held\n      class: value\n      why: no\n      \
             request: GET http://x/y\n      query:\n        a: <b>\n        c: \n      answer: status 400 after 21 ms\n      response body:\n        a\n        b\n"
        );
    }

    #[test]
    fn a_decision_names_the_person_and_the_reason() {
        let told = text(record(
            "transition",
            json!({
                "delivery": { "state": { "state": "pending" } },
                "event": { "event": "decided", "decision": { "decision": "not_posted" }, "reason": "searched" },
                "actor": "anna",
            }),
        ));
        assert!(
            told.contains(
                "decided: not posted → pending\n      reason: searched\n      actor: anna"
            ),
            "{told}"
        );
    }

    #[test]
    fn the_event_as_received_is_shown_only_on_demand() {
        let content = json!({ "event_id": "EV1", "raw": "{\"iban\":\"X\"}" });
        assert!(!text(record("event", content)).contains("iban"));
    }
}
