//! Making requests and reading answers.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::http::{HttpRequest, HttpResponse, Method};
use ml_connector_simulators::Reply;
use serde_json::Value;
use std::time::Duration;

/// When all tests begin: a Monday morning.
pub(crate) fn start() -> Timestamp {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

/// So many seconds after the start.
pub(crate) fn at(secs: i64) -> Timestamp {
    start() + SignedDuration::from_secs(secs)
}

/// So many days after the start.
pub(crate) fn day(days: i64) -> Timestamp {
    start() + SignedDuration::from_hours(24 * days)
}

/// A request.
pub(crate) fn request(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> HttpRequest {
    HttpRequest {
        method,
        url: url.to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: Bytes::from(body.to_owned()),
        timeout: Duration::from_secs(5),
    }
}

/// The answer, which must be there.
pub(crate) fn answer(reply: Reply) -> HttpResponse {
    match reply {
        Reply::Answer(response) => response,
        other @ (Reply::Drop | Reply::Truncate { .. } | Reply::Delay { .. }) => {
            panic!("no answer but {other:?}")
        }
    }
}

/// The body as JSON; null if there is none.
pub(crate) fn json(response: &HttpResponse) -> Value {
    if response.body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&response.body).unwrap()
    }
}

/// Percent-encodes for a query.
pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
