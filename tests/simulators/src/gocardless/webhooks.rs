//! Webhooks as the vendor sends them: grouped, signed, out of order, sometimes twice, and again until they are taken
//! (GC 2.14, 4).
//!
//! The simulator only decides what is to be sent when; [`crate::webhooks`] puts it on the wire and reports back.

use super::Simulator;
use super::calendar::{stamp, to_millis};
use super::error::Refusal;
use super::kind::Kind;
use super::store::{Record, Row};
use crate::entropy::Entropy;
use crate::webhooks::{Delivery, Failure, Outgoing, sign};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Most events in one request (GC 4.2).
pub const EVENTS_MAX: usize = 250;

/// The sender's name (GC 4.1).
const USER_AGENT: &str = "gocardless-webhook-service/1.2";

/// Where webhooks go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Address.
    pub url: String,
    /// Shared secret, used as typed (GC 4.1).
    pub secret: String,
}

/// How events are made up into requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// Most events in one request; capped at [`EVENTS_MAX`].
    pub batch: usize,
    /// Mix the order within and across requests (GC 4.2: no order is promised).
    pub shuffled: bool,
    /// So many of a thousand events are sent a second time in a later request (GC 4.2).
    pub twice_per_mille: u32,
}

impl Default for Sending {
    fn default() -> Self {
        Self {
            batch: EVENTS_MAX,
            shuffled: false,
            twice_per_mille: 0,
        }
    }
}

/// What waits to be sent.
#[derive(Debug)]
pub(crate) struct Outbox {
    endpoints: Vec<Endpoint>,
    /// Event ids not yet put into a request.
    fresh: Vec<String>,
    /// Requests to send: (due, sequence, endpoint, delivery).
    due: Vec<(Timestamp, u64, Delivery)>,
    sequence: u64,
    entropy: Entropy,
}

impl Outbox {
    pub(crate) fn new(seed: u64) -> Self {
        let entropy = Entropy::new(seed ^ 0x0B0);
        Self {
            endpoints: Vec::new(),
            fresh: Vec::new(),
            due: Vec::new(),
            sequence: 0,
            entropy,
        }
    }

    /// An event that every endpoint will get.
    pub(crate) fn announce(&mut self, event: &str) {
        self.fresh.push(event.to_owned());
    }

    fn push(&mut self, due: Timestamp, delivery: Delivery) {
        self.sequence += 1;
        self.due.push((due, self.sequence, delivery));
    }
}

impl Delivery {
    /// The same request with one byte of its body changed after signing.
    #[must_use]
    pub fn tampered(mut self) -> Self {
        let mut body = self.body.to_vec();
        let middle = body.len() / 2;
        if let Some(digit) = body
            .iter_mut()
            .skip(middle)
            .find(|byte| byte.is_ascii_digit())
        {
            *digit = if *digit == b'9' { b'8' } else { *digit + 1 };
        }
        self.body = Bytes::from(body);
        self
    }

    /// The same request with a signature made with another secret.
    #[must_use]
    pub fn with_wrong_signature(self) -> Self {
        let signature = sign("not the secret", &self.body);
        self.with_signature(Some(&signature))
    }

    /// The same request with this signature, or without any.
    #[must_use]
    pub fn with_signature(mut self, signature: Option<&str>) -> Self {
        self.headers.retain(|(name, _)| name != "Webhook-Signature");
        if let Some(signature) = signature {
            self.headers
                .push(("Webhook-Signature".to_owned(), signature.to_owned()));
        }
        self
    }

    /// The value of `Webhook-Signature`.
    pub fn signature(&self) -> Option<&str> {
        self.headers
            .iter()
            .find(|(name, _)| name == "Webhook-Signature")
            .map(|(_, value)| value.as_str())
    }
}

impl Simulator {
    /// Adds an address; every event from now on goes to every address (GC 4.2).
    pub fn add_endpoint(&mut self, endpoint: Endpoint) {
        self.outbox.endpoints.push(endpoint);
    }

    /// Removes all addresses, for a change of secrets.
    pub fn clear_endpoints(&mut self) {
        self.outbox.endpoints.clear();
    }

    /// Forgets events that wait to be put into a request, as if the webhook had been set up after them.
    pub fn forget_unsent(&mut self) {
        self.outbox.fresh.clear();
    }

    /// Makes requests out of the events that happened since the last call.
    pub fn make_webhooks(&mut self, sending: &Sending, now: Timestamp) {
        let now = to_millis(now);
        let mut events = std::mem::take(&mut self.outbox.fresh);
        let twice: Vec<String> = events
            .iter()
            .filter(|_| self.outbox.entropy.chance(sending.twice_per_mille))
            .cloned()
            .collect();
        if sending.shuffled {
            self.outbox.entropy.shuffle(&mut events);
        }
        let batch = sending.batch.clamp(1, EVENTS_MAX);
        for endpoint in self.outbox.endpoints.clone() {
            for events in events.chunks(batch).chain(twice.chunks(batch)) {
                let bodies: Vec<Value> = events
                    .iter()
                    .filter_map(|id| self.store.get(Kind::Events, id))
                    .map(|row| Value::Object(row.body.clone()))
                    .collect();
                self.make_delivery(&endpoint, &bodies, false, now);
            }
        }
        if sending.shuffled {
            self.outbox.entropy.shuffle(&mut self.outbox.due);
        }
    }

    /// The dashboard's "send test webhook": signed, with placeholder ids (GC 4.7).
    pub fn make_test_webhook(&mut self, resource_type: &str, action: &str, now: Timestamp) {
        let now = to_millis(now);
        let singular = Kind::of(resource_type).map_or("index", Kind::singular);
        let id = self.store.fresh_id("EVTEST");
        let event = json!({
            "id": id,
            "created_at": stamp(now),
            "resource_type": resource_type,
            "action": action,
            "links": { singular: format!("{singular}_ID_123"), "organisation": "OR000TEST00001" },
            "details": {
                "origin": "gocardless",
                "cause": format!("{singular}_{action}"),
                "description": "A test webhook.",
            },
            "metadata": {},
        });
        for endpoint in self.outbox.endpoints.clone() {
            self.make_delivery(&endpoint, std::slice::from_ref(&event), true, now);
        }
    }

    /// A well-signed request with an event that never happened, for a test to break. It is not logged and not sent by
    /// itself.
    pub fn forge_webhook(
        &mut self,
        resource_type: &str,
        action: &str,
        now: Timestamp,
    ) -> Option<Delivery> {
        let endpoint = self.outbox.endpoints.first()?.clone();
        let now = to_millis(now);
        let singular = Kind::of(resource_type)?.singular();
        let cause = format!("{singular}_{action}");
        let event = json!({
            "id": self.store.fresh_id(Kind::Events.prefix()),
            "created_at": stamp(now),
            "resource_type": resource_type,
            "action": action,
            "links": { singular: self.store.fresh_id("XX") },
            "details": { "origin": "gocardless", "cause": cause, "description": "" },
            "metadata": {},
            "resource_metadata": {},
        });
        let id = self.store.fresh_id(Kind::Webhooks.prefix());
        Some(self.signed(&endpoint, id, &[event]))
    }

    fn signed(&self, endpoint: &Endpoint, id: String, events: &[Value]) -> Delivery {
        let body = json!({ "events": events, "meta": { "webhook_id": id } }).to_string();
        let host = if self.settings.sandbox {
            "api-sandbox"
        } else {
            "api"
        };
        let headers = [
            ("Content-Type", "application/json".to_owned()),
            ("User-Agent", USER_AGENT.to_owned()),
            ("Origin", format!("https://{host}.gocardless.com")),
            ("Webhook-Signature", sign(&endpoint.secret, body.as_bytes())),
        ];
        Delivery {
            id,
            url: endpoint.url.clone(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value))
                .to_vec(),
            body: Bytes::from(body),
            attempt: 1,
            events: events.len(),
        }
    }

    /// Signs a request, writes it to the log and puts it in line.
    fn make_delivery(
        &mut self,
        endpoint: &Endpoint,
        events: &[Value],
        is_test: bool,
        now: Timestamp,
    ) {
        let id = self.store.fresh_id(Kind::Webhooks.prefix());
        let delivery = self.signed(endpoint, id, events);
        let shown: Record = delivery
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let record = json!({
            "id": delivery.id,
            "created_at": stamp(now),
            "url": endpoint.url,
            "is_test": is_test,
            "successful": false,
            "request_headers": shown,
            "request_body": String::from_utf8_lossy(&delivery.body),
            "response_code": null,
            "response_headers": {},
            "response_body": null,
        });
        if let Value::Object(record) = record {
            self.store.insert(Kind::Webhooks, now, record);
        }
        self.outbox.push(now, delivery);
    }

    /// Takes up to so many requests whose time has come. Each must be reported with [`Simulator::webhook_answered`].
    pub fn take_due_webhooks(&mut self, most: usize, now: Timestamp) -> Vec<Delivery> {
        let mut taken = Vec::new();
        let mut rest = Vec::new();
        for entry in std::mem::take(&mut self.outbox.due) {
            if entry.0 <= now && taken.len() < most {
                taken.push(entry.2);
            } else {
                rest.push(entry);
            }
        }
        self.outbox.due = rest;
        taken
    }

    /// When the next request is due; `None` if none waits.
    pub fn next_webhook_at(&self) -> Option<Timestamp> {
        self.outbox.due.iter().map(|(due, ..)| *due).min()
    }

    /// Notes how a delivery went. A failure is sent again after the next gap, up to the last one (GC 4.2).
    pub fn webhook_answered(
        &mut self,
        mut delivery: Delivery,
        outcome: Result<u16, Failure>,
        now: Timestamp,
    ) {
        let outcome = outcome.and_then(|status| {
            if (200..300).contains(&status) {
                Ok(status)
            } else {
                Err(Failure::Status(status))
            }
        });
        let code = match outcome {
            Ok(status) | Err(Failure::Status(status)) => json!(status),
            Err(Failure::NoAnswer) => Value::Null,
        };
        if let Some(row) = self.store.get_mut(Kind::Webhooks, &delivery.id) {
            row.set("response_code", code);
            row.set("successful", outcome.is_ok());
        }
        if outcome.is_err()
            && let Some(gap) = self.settings.webhook_retry_gaps.get(delivery.attempt - 1)
        {
            let due = now.checked_add(*gap).unwrap_or(Timestamp::MAX);
            delivery.attempt += 1;
            self.outbox.push(due, delivery);
        }
    }

    /// `POST /webhooks/:id/actions/retry` (GC 2.14).
    pub(crate) fn retry_webhook(&mut self, id: &str, now: Timestamp) -> Result<(), Refusal> {
        let row = self
            .store
            .get(Kind::Webhooks, id)
            .ok_or_else(Refusal::not_found)?;
        let delivery = stored_delivery(row);
        self.outbox.push(now, delivery);
        Ok(())
    }
}

impl Outgoing for Simulator {
    fn take_due_webhooks(&mut self, most: usize, now: Timestamp) -> Vec<Delivery> {
        Self::take_due_webhooks(self, most, now)
    }

    fn next_webhook_at(&self) -> Option<Timestamp> {
        Self::next_webhook_at(self)
    }

    fn webhook_answered(
        &mut self,
        delivery: Delivery,
        outcome: Result<u16, Failure>,
        now: Timestamp,
    ) {
        Self::webhook_answered(self, delivery, outcome, now);
    }
}

/// The delivery as the log keeps it.
fn stored_delivery(row: &Row) -> Delivery {
    let none = Map::new();
    let headers = row
        .body
        .get("request_headers")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    let body = row.text("request_body");
    let events = serde_json::from_str::<Value>(body)
        .ok()
        .and_then(|body| body.get("events").and_then(Value::as_array).map(Vec::len))
        .unwrap_or(0);
    Delivery {
        id: row.id.clone(),
        url: row.text("url").to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect(),
        body: Bytes::from(body.to_owned()),
        attempt: 1,
        events,
    }
}
