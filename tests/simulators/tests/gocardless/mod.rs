//! The payment collector.

mod calls;
mod events;
mod lists;
mod payments;
mod payouts;
mod set_up;
mod webhooks;

use crate::support::{answer, json, request};
use jiff::Timestamp;
use ml_connector_core::http::{HttpResponse, Method};
use ml_connector_simulators::gocardless::{Access, Party, Settings, Simulator};
use serde_json::Value;

const BASE: &str = "https://api-sandbox.gocardless.com";

/// A sandbox with a read-write and a read-only token.
pub(crate) fn sandbox() -> Simulator {
    sandbox_with(Settings::default())
}

pub(crate) fn sandbox_with(mut settings: Settings) -> Simulator {
    settings.tokens.insert("reads".to_owned(), Access::ReadOnly);
    Simulator::new(settings, 1, crate::support::start())
}

/// A well-formed call.
pub(crate) fn call(
    simulator: &mut Simulator,
    method: Method,
    path: &str,
    body: Option<Value>,
    now: Timestamp,
) -> (u16, Value) {
    call_with(simulator, method, path, body, &[], now)
}

pub(crate) fn call_with(
    simulator: &mut Simulator,
    method: Method,
    path: &str,
    body: Option<Value>,
    extra: &[(&str, &str)],
    now: Timestamp,
) -> (u16, Value) {
    let response = raw(
        simulator,
        method,
        path,
        &body.map(|body| body.to_string()).unwrap_or_default(),
        extra,
        now,
    );
    (response.status, json(&response))
}

pub(crate) fn raw(
    simulator: &mut Simulator,
    method: Method,
    path: &str,
    body: &str,
    extra: &[(&str, &str)],
    now: Timestamp,
) -> HttpResponse {
    let mut headers = vec![
        ("Authorization", "Bearer token-read-write"),
        ("GoCardless-Version", "2015-07-06"),
    ];
    if !body.is_empty() {
        headers.push(("Content-Type", "application/json"));
    }
    headers.extend_from_slice(extra);
    answer(simulator.handle(
        &request(method, &format!("{BASE}{path}"), &headers, body),
        now,
    ))
}

/// The reason in an error body.
pub(crate) fn reason(body: &Value) -> &str {
    body["error"]["errors"][0]["reason"]
        .as_str()
        .unwrap_or_default()
}

/// The type in an error body.
pub(crate) fn kind(body: &Value) -> &str {
    body["error"]["type"].as_str().unwrap_or_default()
}

/// A payer with an active mandate.
pub(crate) fn payer(simulator: &mut Simulator, currency: &str, now: Timestamp) -> (String, String) {
    simulator
        .add_payer(
            &Party::new("Brookfield Joinery & Söhne <Ltd>", currency),
            now,
        )
        .unwrap()
}

/// The actions of all events of one resource, oldest first.
pub(crate) fn actions(simulator: &mut Simulator, filter: &str, now: Timestamp) -> Vec<String> {
    let (status, body) = call(
        simulator,
        Method::Get,
        &format!("/events?limit=500&{filter}"),
        None,
        now,
    );
    assert_eq!(status, 200, "{body}");
    let events = body["events"].as_array().unwrap();
    events
        .iter()
        .rev()
        .map(|event| event["action"].as_str().unwrap().to_owned())
        .collect()
}
