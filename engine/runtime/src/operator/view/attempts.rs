//! The attempts of a delivery, put together from its history.

use ml_connector_store::AuditRecord;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Document;

/// One try at the write: what was sent and what came back, masked and cut where it was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AttemptView {
    /// Counted from 1.
    pub number: u32,
    /// When it was claimed, before anything was sent.
    pub claimed_at: String,
    /// When its outcome was recorded; null while it is under way.
    pub ended_at: Option<String>,
    /// The operation.
    pub operation: String,
    /// Method and URL, secrets masked.
    pub request: String,
    /// Body, secrets and personal values masked.
    pub request_body: String,
    /// The answer's status, if there was one.
    pub status: Option<u16>,
    /// The answer's body, masked.
    pub response_body: String,
    /// How long it took.
    pub duration_ms: Option<u64>,
    /// What came of it: succeeded, already_there, retry, throttle, reauthenticate, rejected, unknown, not_sent,
    /// step_done, step_waits or lease_lost.
    pub outcome: Option<String>,
    /// What kind of trouble the answer shows.
    pub class: Option<String>,
    /// What the target said, or what happened.
    pub why: Option<String>,
    /// Hash of the definitions that decided, hex.
    pub plan: String,
}

/// The attempts in a delivery's history, oldest first.
pub fn attempts(history: &[AuditRecord]) -> Vec<AttemptView> {
    let mut attempts: Vec<AttemptView> = Vec::new();
    for record in history {
        let event = record.content.get("event").unwrap_or(&Document::Null);
        let exchange = record.content.get("exchange").unwrap_or(&Document::Null);
        let kind = event.get("event").and_then(Document::as_str);
        let at = record.at.to_string();
        match kind {
            Some("claimed") => attempts.push(AttemptView {
                number: u32::try_from(attempts.len() + 1).unwrap_or(u32::MAX),
                claimed_at: at,
                operation: text(exchange, "operation"),
                request: text(exchange, "request"),
                request_body: text(exchange, "request_body"),
                plan: text(&record.content, "plan"),
                ..AttemptView::default()
            }),
            Some(kind @ ("answered" | "not_sent" | "step_done" | "step_waits" | "lease_lost")) => {
                let open = attempts
                    .last_mut()
                    .filter(|attempt| attempt.ended_at.is_none());
                if let Some(attempt) = open {
                    attempt.ended_at = Some(at);
                    let outcome = event.get("outcome").and_then(Document::as_str);
                    attempt.outcome = Some(outcome.unwrap_or(kind).to_owned());
                    attempt.class = said(event, "class");
                    attempt.why = said(event, "why");
                    let status = exchange.get("status").and_then(Document::as_u64);
                    attempt.status = status.and_then(|status| u16::try_from(status).ok());
                    attempt.response_body = text(exchange, "response_body");
                    attempt.duration_ms = exchange.get("duration_ms").and_then(Document::as_u64);
                }
            }
            Some(_) | None => {}
        }
    }
    attempts
}

fn said(from: &Document, name: &str) -> Option<String> {
    from.get(name).and_then(Document::as_str).map(str::to_owned)
}

fn text(from: &Document, name: &str) -> String {
    said(from, name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::attempts;
    use ml_connector_store::AuditRecord;
    use serde_json::{Value as Document, json};

    fn record(content: Document) -> AuditRecord {
        AuditRecord {
            sequence: 1,
            at: "2026-03-16T08:47:21Z".parse().unwrap(),
            kind: "transition".into(),
            content,
            hash: String::new(),
            previous: String::new(),
        }
    }

    #[test]
    fn a_claim_and_its_answer_are_one_attempt() {
        let found = attempts(&[
            record(json!({ "event_id": "EV1" })),
            record(json!({
                "event": { "event": "claimed" }, "plan": "d5",
                "exchange": { "operation": "post", "request": "POST http://x/y", "request_body": "{}" },
            })),
            record(json!({
                "event": { "event": "answered", "outcome": "rejected", "class": "value", "why": "no" },
                "exchange": { "operation": "post", "status": 422, "response_body": "bad", "duration_ms": 21 },
            })),
            record(json!({ "event": { "event": "decided" } })),
            record(json!({ "event": { "event": "claimed" } })),
        ]);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (
                found[0].status,
                found[0].outcome.as_deref(),
                found[0].duration_ms
            ),
            (Some(422), Some("rejected"), Some(21))
        );
        assert_eq!(
            (found[0].request.as_str(), found[0].plan.as_str()),
            ("POST http://x/y", "d5")
        );
        assert_eq!((found[1].number, &found[1].ended_at), (2, &None));
    }
}
