//! Spans on their way to a collector: OTLP over HTTP with JSON (OpenTelemetry protocol
//! specification 1.x, "OTLP/HTTP", JSON encoding), through the engine's own transport.

use super::redact;
use super::traces::{Span, TraceOptions};
use crate::context::later;
use crate::seams::{Clock, Outgoing, Transport};
use bytes::Bytes;
use ml_connector_core::hex;
use ml_connector_core::http::{HttpRequest, Method};
use ml_connector_core::identity::ConnectionId;
use serde_json::{Value as Document, json};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Spans in one request.
const BATCH_MAX: usize = 512;
/// The longest answer that is read of a collector; it says nothing that is used.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Where spans go.
#[derive(Debug)]
pub(super) struct Exporter {
    options: TraceOptions,
    version: String,
    clock: Arc<dyn Clock>,
    transport: Arc<dyn Transport>,
    /// Not a connection of the site: the transport trusts for it what it trusts for all.
    name: ConnectionId,
}

impl Exporter {
    pub(super) fn new(
        options: TraceOptions,
        version: &str,
        clock: Arc<dyn Clock>,
        transport: Arc<dyn Transport>,
    ) -> Self {
        Self {
            options,
            version: version.to_owned(),
            clock,
            transport,
            name: ConnectionId::new("telemetry"),
        }
    }

    /// Sends once. What a collector does not take is gone: traces are for looking, the audit trail
    /// is for proving.
    async fn send(&self, spans: &[Span]) {
        let body = document(&self.options.resource, &self.version, spans);
        let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        headers.extend(self.options.headers.iter().cloned());
        let request = HttpRequest {
            method: Method::Post,
            url: self.options.endpoint.clone(),
            headers,
            body: Bytes::from(body.to_string()),
            timeout: self.options.timeout,
        };
        let outgoing = Outgoing {
            connection: &self.name,
            request,
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let lost = spans.len();
        match self.transport.send(outgoing).await {
            Ok(answer) if (200..300).contains(&answer.status) => {}
            Ok(answer) => {
                tracing::warn!(status = answer.status, lost, "the collector took no spans");
            }
            Err(error) => {
                let why = error.to_string();
                tracing::warn!(why, lost, "the collector cannot be reached");
            }
        }
    }
}

/// Sends what is added, in batches, until it is told to end; then what is left.
pub(super) async fn export(
    exporter: Exporter,
    mut waiting: mpsc::Receiver<Span>,
    ending: CancellationToken,
) {
    let mut batch = Vec::new();
    loop {
        let ended = tokio::select! {
            biased;
            taken = waiting.recv_many(&mut batch, BATCH_MAX) => taken == 0,
            () = ending.cancelled() => true,
        };
        let until = later(exporter.clock.now(), exporter.options.delay);
        while !ended && batch.len() < BATCH_MAX {
            let left = BATCH_MAX - batch.len();
            tokio::select! {
                biased;
                () = ending.cancelled() => break,
                taken = waiting.recv_many(&mut batch, left) => if taken == 0 { break },
                () = exporter.clock.sleep_until(until) => break,
            }
        }
        if !batch.is_empty() {
            exporter.send(&batch).await;
            batch.clear();
        }
        if ended && waiting.is_empty() {
            return;
        }
    }
}

fn document(resource: &[(String, String)], version: &str, spans: &[Span]) -> Document {
    let resource: Vec<_> = resource
        .iter()
        .map(|(key, value)| attribute(key, value))
        .chain([attribute("service.version", version)])
        .collect();
    let spans: Vec<_> = spans.iter().map(span).collect();
    json!({ "resourceSpans": [{
        "resource": { "attributes": resource },
        "scopeSpans": [{
            "scope": { "name": "ml-connector", "version": version },
            "spans": spans,
        }],
    }] })
}

fn span(span: &Span) -> Document {
    let attributes: Vec<_> = span
        .attributes
        .iter()
        .map(|(key, value)| attribute(key, value))
        .collect();
    let mut written = json!({
        "traceId": hex::of(&span.trace.0),
        "spanId": hex::of(&span.id),
        "name": span.name,
        "kind": span.kind as u8,
        "startTimeUnixNano": span.began.as_nanosecond().to_string(),
        "endTimeUnixNano": span.ended.as_nanosecond().to_string(),
        "attributes": attributes,
    });
    if let Some(members) = written.as_object_mut() {
        if let Some(parent) = &span.parent {
            members.insert("parentSpanId".to_owned(), hex::of(parent).into());
        }
        if let Some(why) = &span.failed {
            let status = json!({ "code": 2, "message": redact(why) });
            members.insert("status".to_owned(), status);
        }
    }
    written
}

fn attribute(key: &str, value: &str) -> Document {
    json!({ "key": key, "value": { "stringValue": redact(value) } })
}
