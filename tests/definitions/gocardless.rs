//! GoCardless: what its errors mean, whatever they look like, and what an idempotency conflict is taken for.

use super::{Given, System, answer, line, line_of_read, now, query};
use ml_connector_core::http::HttpResponse;
use ml_connector_core::protocol::{self, ReadResult};
use serde_json::{Value as Document, json};

fn system() -> System {
    System::new(
        "gocardless",
        "environment: sandbox",
        "access_token: gocardless/token, webhook_secret: gocardless/hook",
    )
}

fn payment() -> Document {
    json!({"amount": 12000, "currency": "GBP", "mandate": "MD1"})
}

fn error(status: u16, kind: &str, reason: &str) -> HttpResponse {
    let body = json!({"error": {"message": "Words that change", "type": kind, "code": status, "request_id": "0f2a",
        "errors": [{"reason": reason, "message": "More words"}]}});
    answer(status, &body.to_string())
}

#[test]
fn errors_are_told_apart_by_type_and_reason() {
    let read = |response: &HttpResponse| {
        line_of_read(&system().read("get_payment", json!({"id": "PM1"}), response))
    };
    let usage = "invalid_api_usage";
    for (response, expected) in [
        (
            error(401, usage, "access_token_revoked"),
            "rejected authentication",
        ),
        (
            error(403, usage, "insufficient_permissions"),
            "rejected permission",
        ),
        (
            error(400, usage, "missing_version_header"),
            "rejected configuration",
        ),
        (error(404, usage, "resource_not_found"), "not found"),
        (
            error(404, usage, "path_not_found"),
            "rejected configuration",
        ),
        (error(410, usage, "gone"), "not found"),
        (error(422, usage, "customer_data_removed"), "not found"),
        (error(422, "validation_failed", "x"), "rejected value"),
        (
            error(409, "validation_failed", "bank_account_exists"),
            "rejected duplicate",
        ),
        (error(429, usage, "rate_limit_exceeded"), "throttle None"),
        (error(500, "gocardless", "internal_error"), "unknown"),
        (
            answer(404, "<html>not here</html>"),
            "retry intermittent None",
        ),
        (answer(502, "<html>Bad gateway</html>"), "unknown"),
        (answer(503, ""), "unknown"),
        (
            answer(422, "{\"error\": \"bank_authorisation_expired\"}"),
            "rejected value",
        ),
        (answer(405, "{\"error\": \"no\"}"), "rejected configuration"),
        (
            answer(200, "<html>Sign in</html>"),
            "retry intermittent None",
        ),
        (answer(200, "{\"mandates\": {}}"), "retry intermittent None"),
        (
            answer(200, "{\"payments\": {\"id\": \"PM1\"}}"),
            "found {\"id\":\"PM1\"}",
        ),
    ] {
        let body = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(read(&response), expected, "{} {body}", response.status);
    }
}

#[test]
fn a_validation_error_without_reasons_says_what_it_is_about() {
    let body = json!({"error": {"message": "Validation failed", "type": "validation_failed", "code": 422,
        "errors": [{"field": "charge_date", "message": "is too early"}]}});
    let (outcome, _) = system().write("create_payment", payment(), &answer(422, &body.to_string()));
    assert!(
        format!("{outcome:?}").contains("validation_failed: Validation failed; is too early"),
        "{outcome:?}"
    );
}

#[test]
fn the_end_of_a_rate_limit_is_a_date() {
    let mut limited = error(429, "invalid_api_usage", "rate_limit_exceeded");
    limited.headers.push((
        "RateLimit-Reset".to_owned(),
        "Mon, 16 Mar 2026 09:00:20 GMT".to_owned(),
    ));
    let (outcome, _) = system().write("create_payment", payment(), &limited);
    assert_eq!(line(&outcome), "throttle Some(20s)");
    limited
        .headers
        .push(("Retry-After".to_owned(), "7".to_owned()));
    let (outcome, _) = system().write("create_payment", payment(), &limited);
    assert_eq!(line(&outcome), "throttle Some(7s)");
}

#[test]
fn a_used_key_is_resolved_by_what_it_was_used_for() {
    let conflict = json!({"error": {"message": "x", "type": "invalid_state", "code": 409, "errors": [
        {"reason": "idempotent_creation_conflict", "links": {"conflicting_resource_id": "PM9"}}]}});
    let system = system();
    let (outcome, answered) = system.write(
        "create_payment",
        payment(),
        &answer(409, &conflict.to_string()),
    );
    assert_eq!(line(&outcome), "already there");
    let input = system.input("create_payment", payment());
    let call = system.call("create_payment", &input, None);
    let adoption = protocol::adoption(&call, &answered).unwrap();
    let asked = protocol::look_up_input(&call, adoption, Some(&answered)).unwrap();
    assert_eq!(asked, json!({"id": "PM9"}));
    for (amount, currency, mandate, verdict) in [
        (12000, "GBP", "MD1", "Found"),
        (12001, "GBP", "MD1", "Differs"),
        (12000, "EUR", "MD1", "Differs"),
        (12000, "GBP", "MD2", "Differs"),
    ] {
        let there = json!({"payments": {"id": "PM9", "amount": amount, "currency": currency, "links": {"mandate": mandate}}});
        let read = system.read(
            "get_payment",
            asked.clone(),
            &answer(200, &there.to_string()),
        );
        let said = format!("{:?}", protocol::look_up_verdict(&call, adoption, &read));
        assert!(said.starts_with(verdict), "{said}");
    }
}

#[test]
fn a_second_cancel_is_done_only_if_the_payment_says_so() {
    let refused = error(422, "invalid_state", "cancellation_failed");
    let (outcome, _) = system().write("cancel_payment", json!({"id": "PM1"}), &refused);
    assert_eq!(line(&outcome), "already there");
    let other = error(422, "invalid_state", "retry_failed");
    let (outcome, _) = system().write("cancel_payment", json!({"id": "PM1"}), &other);
    assert_eq!(line(&outcome), "rejected value");
}

#[test]
fn a_create_sends_the_listed_members_and_no_null() {
    let request = system().request(
        "create_payment",
        payment(),
        &Given(&[("access_token", "t")]),
    );
    assert_eq!(request.url, "https://api-sandbox.gocardless.com/payments");
    let body: Document = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        body,
        json!({"payments": {"amount": 12000, "currency": "GBP", "links": {"mandate": "MD1"}}})
    );
    assert_eq!(request.header("gocardless-version"), Some("2015-07-06"));
    assert_eq!(
        request.header("idempotency-key"),
        Some("key-of-this-record")
    );
    assert_eq!(request.header("authorization"), Some("Bearer t"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    let cancel = system().request(
        "cancel_payment",
        json!({"id": "PM 1/x"}),
        &Given(&[("access_token", "t")]),
    );
    assert_eq!(
        cancel.url,
        "https://api-sandbox.gocardless.com/payments/PM%201%2Fx/actions/cancel"
    );
    assert_eq!(&cancel.body[..], b"{\"data\":{}}");
}

#[test]
fn events_are_asked_for_from_an_instant_on_and_page_by_page() {
    let given = json!({"created_since": "2026-03-16T08:50:00.000Z"});
    let request = system().request(
        "list_events",
        given.clone(),
        &Given(&[("access_token", "t")]),
    );
    assert_eq!(
        Document::Object(query(&request)),
        json!({"limit": "500", "created_at[gte]": "2026-03-16T08:50:00.000Z"})
    );
    for (cursors, expected) in [
        (json!({"before": null, "after": "EV1"}), Some(json!("EV1"))),
        (json!({"before": "EV2", "after": null}), None),
        (json!({"before": "EV2"}), None),
    ] {
        let page = json!({"events": [{"id": "EV1"}], "meta": {"cursors": cursors, "limit": 500}});
        let ReadResult::Found { next, .. } = system().read(
            "list_events",
            given.clone(),
            &answer(200, &page.to_string()),
        ) else {
            panic!("the page is not read");
        };
        let cursor = next.and_then(|next| next.get("cursor").cloned());
        assert_eq!(cursor, expected);
    }
    assert!(now() > "2026-03-16T08:50:00Z".parse().unwrap());
}
