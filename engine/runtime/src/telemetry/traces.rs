//! OpenTelemetry traces: one per event, from its acceptance to its last delivery.
//!
//! An event waits in the store, across restarts and for days, so nothing that lives in memory can
//! hold its trace together. Its trace id and the id of the trace's first span are therefore computed
//! from the stored event; whoever works on it later adds spans to the same trace.
//!
//! | span | when | parent |
//! |---|---|---|
//! | `accept` | an event was stored; links nothing, everything links to it | none |
//! | `deliver` | a delivery was worked on once, to whatever end | `accept` |
//! | `send` | a request went out within that | `deliver` |
//!
//! Attributes are names, numbers and states, never content. Spans wait in a queue of
//! [`QUEUED_MAX`]; when a collector is slower than that they are dropped and counted, since nothing
//! may wait for telemetry. How they are sent is [`super::otlp`]'s business.

use super::otlp::{self, Exporter};
use crate::seams::{Clock, Transport};
use jiff::Timestamp;
use ml_connector_core::identity::StreamId;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Spans that wait to be sent.
const QUEUED_MAX: usize = 2048;

/// How traces are sent, as the standard variables say it.
#[derive(Clone, PartialEq, Eq)]
pub struct TraceOptions {
    /// Where spans are posted to.
    pub endpoint: String,
    /// Header fields of each request; they may hold a credential.
    pub headers: Vec<(String, String)>,
    /// How long a request may take.
    pub timeout: Duration,
    /// `service.name` and further attributes of this process.
    pub resource: Vec<(String, String)>,
    /// How many of a million traces are kept. All spans of a trace are, or none.
    pub kept_per_million: u32,
    /// How long spans are collected before they are sent.
    pub delay: Duration,
}

impl fmt::Debug for TraceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceOptions")
            .field("endpoint", &self.endpoint)
            .field("resource", &self.resource)
            .field("kept_per_million", &self.kept_per_million)
            .finish_non_exhaustive()
    }
}

/// A variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}`: {why}")]
pub struct BadVariable {
    /// Which.
    pub name: &'static str,
    /// What is wrong with its value.
    pub why: String,
}

impl TraceOptions {
    /// Reads the standard variables (OpenTelemetry specification, "environment variables" and "OTLP
    /// exporter"); nothing without an end point, or if they switch traces off.
    ///
    /// # Errors
    /// If a value cannot be used.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, BadVariable> {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let either = |one: &str, other: &str| set(one).or_else(|| set(other));
        let off = set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let exporter = set("OTEL_TRACES_EXPORTER").unwrap_or_else(|| "otlp".to_owned());
        let sampler = set("OTEL_TRACES_SAMPLER").unwrap_or_default();
        if off || exporter == "none" || sampler.ends_with("always_off") {
            return Ok(None);
        }
        if exporter != "otlp" {
            return Err(bad("OTEL_TRACES_EXPORTER", "it is `otlp` or `none`"));
        }
        let base = set("OTEL_EXPORTER_OTLP_ENDPOINT");
        let endpoint = set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
            .or_else(|| base.map(|base| format!("{}/v1/traces", base.trim_end_matches('/'))));
        let Some(endpoint) = endpoint else {
            return Ok(None);
        };
        let protocol = either(
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        );
        if protocol.is_some_and(|protocol| protocol == "grpc") {
            let why = "spans are sent over HTTP; name the collector's HTTP end point, by default port 4318";
            return Err(bad("OTEL_EXPORTER_OTLP_PROTOCOL", why));
        }
        let headers = either(
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
            "OTEL_EXPORTER_OTLP_HEADERS",
        );
        let timeout = either(
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
            "OTEL_EXPORTER_OTLP_TIMEOUT",
        );
        Ok(Some(Self {
            endpoint,
            headers: pairs("OTEL_EXPORTER_OTLP_HEADERS", headers)?,
            timeout: milliseconds("OTEL_EXPORTER_OTLP_TIMEOUT", timeout, 10_000)?,
            resource: resource(set("OTEL_SERVICE_NAME"), set("OTEL_RESOURCE_ATTRIBUTES"))?,
            kept_per_million: kept(&sampler, set("OTEL_TRACES_SAMPLER_ARG"))?,
            delay: milliseconds(
                "OTEL_BSP_SCHEDULE_DELAY",
                set("OTEL_BSP_SCHEDULE_DELAY"),
                5000,
            )?,
        }))
    }
}

fn bad(name: &'static str, why: &str) -> BadVariable {
    BadVariable {
        name,
        why: why.to_owned(),
    }
}

/// `key=value,key=value`, percent-encoded as W3C baggage is.
fn pairs(name: &'static str, text: Option<String>) -> Result<Vec<(String, String)>, BadVariable> {
    let text = text.unwrap_or_default();
    let parts = text.split(',').map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| bad(name, "it is a list of `key=value`, separated by commas"))?;
            Ok((key.trim().to_owned(), decoded(value.trim())))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(ml_connector_core::hex::read);
        if let (b'%', Some([byte])) = (first, byte.as_deref()) {
            bytes.push(*byte);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn milliseconds(
    name: &'static str,
    text: Option<String>,
    otherwise: u64,
) -> Result<Duration, BadVariable> {
    let number = match text {
        Some(text) => text
            .trim()
            .parse()
            .map_err(|_| bad(name, "it is a number of milliseconds"))?,
        None => otherwise,
    };
    Ok(Duration::from_millis(number))
}

fn resource(
    service: Option<String>,
    attributes: Option<String>,
) -> Result<Vec<(String, String)>, BadVariable> {
    let mut all = pairs("OTEL_RESOURCE_ATTRIBUTES", attributes)?;
    if let Some(service) = service {
        all.retain(|(key, _)| key != "service.name");
        all.insert(0, ("service.name".to_owned(), service));
    } else if !all.iter().any(|(key, _)| key == "service.name") {
        all.insert(0, ("service.name".to_owned(), "ml-connector".to_owned()));
    }
    Ok(all)
}

/// What the sampler keeps. Every trace begins here, so "parent based" is the same as without.
fn kept(sampler: &str, argument: Option<String>) -> Result<u32, BadVariable> {
    match sampler.trim_start_matches("parentbased_") {
        "" | "always_on" => Ok(1_000_000),
        "traceidratio" => {
            let share = argument.unwrap_or_else(|| "1".to_owned());
            millionths(share.trim()).ok_or_else(|| {
                bad(
                    "OTEL_TRACES_SAMPLER_ARG",
                    "it is a number between 0 and 1, such as 0.05",
                )
            })
        }
        _ => Err(bad(
            "OTEL_TRACES_SAMPLER",
            "it is `always_on`, `always_off` or `traceidratio`, with or without `parentbased_`",
        )),
    }
}

fn millionths(share: &str) -> Option<u32> {
    let (whole, part) = share.split_once('.').unwrap_or((share, ""));
    let part: String = part.chars().chain("000000".chars()).take(6).collect();
    let whole: u32 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let number = whole
        .checked_mul(1_000_000)?
        .checked_add(part.parse().ok()?)?;
    (number <= 1_000_000).then_some(number)
}

/// One finished piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) trace: Trace,
    pub(crate) id: [u8; 8],
    pub(crate) parent: Option<[u8; 8]>,
    pub(crate) name: &'static str,
    pub(crate) kind: SpanKind,
    pub(crate) began: Timestamp,
    pub(crate) ended: Timestamp,
    pub(crate) attributes: Vec<(&'static str, String)>,
    /// Why it did not end as it should.
    pub(crate) failed: Option<String>,
}

/// The specification's kinds, as far as they occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpanKind {
    Internal = 1,
    Client = 3,
    Consumer = 5,
}

/// An event's trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trace(pub(crate) [u8; 16]);

impl Trace {
    /// The trace of an event: the same wherever and whenever it is asked for.
    pub(crate) fn of(stream: &StreamId, event_id: &str) -> Self {
        Self(digest(&[stream.as_str().as_bytes(), event_id.as_bytes()]))
    }

    /// A span of it; the same for the same words.
    pub(crate) fn span(self, words: &[&str]) -> [u8; 8] {
        let mut parts = vec![&self.0[..]];
        parts.extend(words.iter().map(|word| word.as_bytes()));
        digest(&parts)
    }

    /// Its first span: the event's acceptance.
    pub(crate) fn root(self) -> [u8; 8] {
        self.span(&["accept"])
    }

    /// Whether it is among those that are kept.
    fn kept(self, per_million: u32) -> bool {
        let number = u128::from_be_bytes(self.0) % 1_000_000;
        number < u128::from(per_million)
    }
}

/// The first bytes of a SHA-256 over the parts, each with its length before it.
fn digest<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    bytes
}

/// Takes spans; cheap to clone, and nothing at all when traces are off.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traces(Option<Arc<Queue>>);

#[derive(Debug)]
struct Queue {
    spans: mpsc::Sender<Span>,
    kept_per_million: u32,
    dropped: AtomicU64,
}

impl Traces {
    /// The queue, and the task that empties it until it is told to end.
    pub(crate) fn start(
        options: TraceOptions,
        version: &str,
        clock: Arc<dyn Clock>,
        transport: Arc<dyn Transport>,
        ending: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + use<>) {
        let (spans, waiting) = mpsc::channel(QUEUED_MAX);
        let queue = Queue {
            spans,
            kept_per_million: options.kept_per_million,
            dropped: AtomicU64::new(0),
        };
        let exporter = Exporter::new(options, version, clock, transport);
        (
            Self(Some(Arc::new(queue))),
            otlp::export(exporter, waiting, ending),
        )
    }

    /// Whether a trace is recorded.
    pub(crate) fn wants(&self, trace: Trace) -> bool {
        self.0
            .as_ref()
            .is_some_and(|queue| trace.kept(queue.kept_per_million))
    }

    /// Whether any trace is.
    pub(crate) fn on(&self) -> bool {
        self.0.is_some()
    }

    /// Takes a span that is wanted.
    pub(crate) fn add(&self, span: Span) {
        if let Some(queue) = &self.0
            && queue.spans.try_send(span).is_err()
        {
            let before = queue.dropped.fetch_add(1, Ordering::Relaxed);
            // The first of a flood, and then every thousandth.
            if before % 1000 == 0 {
                tracing::warn!(
                    dropped = before + 1,
                    "spans are dropped: the collector is too slow"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(variables: &[(&str, &str)]) -> Result<Option<TraceOptions>, BadVariable> {
        TraceOptions::of(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_standard_variables_are_read() {
        assert_eq!(
            options(&[]),
            Ok(None),
            "nothing is sent unless an end point is named"
        );
        let read = options(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/"),
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "authorization=Bearer%20abc, x=1",
            ),
            ("OTEL_SERVICE_NAME", "posting"),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "service.name=other,deployment.environment=live",
            ),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.05"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ])
        .unwrap()
        .unwrap();
        assert_eq!(read.endpoint, "http://collector:4318/v1/traces");
        assert_eq!(
            read.headers[0],
            ("authorization".into(), "Bearer abc".into())
        );
        assert_eq!(
            read.resource,
            [
                ("service.name".into(), "posting".into()),
                ("deployment.environment".into(), "live".into())
            ]
        );
        assert_eq!(read.kept_per_million, 50_000);
        assert_eq!(read.timeout, Duration::from_millis(2500));
        assert!(!format!("{read:?}").contains("abc"));
        let own = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://one/two")];
        assert_eq!(options(&own).unwrap().unwrap().endpoint, "http://one/two");
    }

    #[test]
    fn traces_are_switched_off_and_wrong_values_are_named() {
        let at = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        for off in [
            ("OTEL_SDK_DISABLED", "true"),
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_TRACES_SAMPLER", "always_off"),
        ] {
            assert_eq!(options(&[at, off]), Ok(None), "{off:?}");
        }
        for (name, value) in [
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a"),
        ] {
            let wrong = options(&[at, (name, value)]).unwrap_err();
            assert_eq!(wrong.name, name);
        }
    }

    #[test]
    fn an_events_trace_is_its_own_and_always_the_same() {
        let trace = Trace::of(&StreamId::new("pay/events"), "EV1");
        assert_eq!(trace, Trace::of(&StreamId::new("pay/events"), "EV1"));
        assert_ne!(trace, Trace::of(&StreamId::new("pay/events"), "EV2"));
        assert_ne!(trace, Trace::of(&StreamId::new("pay/event"), "sEV1"));
        assert_ne!(trace.root(), trace.span(&["deliver", "dlv_1", "0"]));
        let kept = (0..1000)
            .filter(|n| Trace::of(&StreamId::new("s"), &n.to_string()).kept(100_000))
            .count();
        assert!(
            (50..200).contains(&kept),
            "{kept} of a thousand, not a hundred"
        );
    }
}
