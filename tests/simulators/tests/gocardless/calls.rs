//! Authentication, envelopes, members, idempotency, rates, faults (GC 1, 5, 6, 12.2).

use super::{call, call_with, kind, payer, raw, reason, sandbox, sandbox_with};
use crate::support::{answer, at, json, request, start};
use ml_connector_core::http::Method;
use ml_connector_simulators::gocardless::{Access, Fault, Kind, On, Settings, Simulator};
use ml_connector_simulators::{Reply, Simulated as _};
use serde_json::{Value, json};
use std::time::Duration;

fn bare(simulator: &mut Simulator, headers: &[(&str, &str)]) -> (u16, Value) {
    let url = format!("{}/creditors", super::BASE);
    let response = answer(simulator.handle(&request(Method::Get, &url, headers, ""), start()));
    (response.status, json(&response))
}

#[test]
fn every_call_needs_a_known_token_and_the_version() {
    let mut simulator = sandbox();
    simulator
        .settings
        .tokens
        .insert("old".to_owned(), Access::Revoked);
    let version = ("GoCardless-Version", "2015-07-06");
    let token = ("authorization", "Bearer token-read-write");
    let cases: [(&[(&str, &str)], u16, &str); 7] = [
        (&[version], 401, "missing_authorization_header"),
        (
            &[version, ("Authorization", "Basic x")],
            401,
            "invalid_authorization_header",
        ),
        (
            &[version, ("Authorization", "Bearer nobody")],
            401,
            "access_token_not_found",
        ),
        (
            &[version, ("Authorization", "Bearer old")],
            401,
            "access_token_revoked",
        ),
        (&[token], 400, "missing_version_header"),
        (
            &[token, ("GoCardless-Version", "2021-07-29")],
            400,
            "version_not_found",
        ),
        (
            &[token, version, ("Accept", "text/html")],
            406,
            "not_acceptable",
        ),
    ];
    for (headers, status, why) in cases {
        let (got, body) = bare(&mut simulator, headers);
        assert_eq!((got, reason(&body)), (status, why));
        assert_eq!(body["error"]["code"], json!(status));
        assert_eq!(kind(&body), "invalid_api_usage");
        assert!(body["error"]["request_id"].is_string());
        assert!(
            body["error"]["documentation_url"]
                .as_str()
                .unwrap()
                .ends_with(why)
        );
    }
    assert_eq!(bare(&mut simulator, &[token, version]).0, 200);
}

#[test]
fn paths_and_methods_that_are_not_offered_are_refused() {
    let mut simulator = sandbox();
    for (method, path, status, why) in [
        (Method::Get, "/v1/payments", 404, "path_not_found"),
        (Method::Get, "/webhook_endpoints", 404, "path_not_found"),
        (Method::Patch, "/payments/PM1", 405, "method_not_allowed"),
        (Method::Post, "/payouts", 405, "method_not_allowed"),
        (Method::Get, "/payout_items/PI1", 405, "method_not_allowed"),
        (Method::Delete, "/mandates/MD1", 405, "method_not_allowed"),
        (Method::Get, "/payments/PM1", 404, "resource_not_found"),
        (
            Method::Post,
            "/payments/PM1/actions/explode",
            404,
            "path_not_found",
        ),
    ] {
        let (got, body) = call(&mut simulator, method, path, None, start());
        assert_eq!((got, reason(&body)), (status, why), "{path}");
    }
}

#[test]
fn envelopes_are_exact() {
    let mut simulator = sandbox();
    let customer = json!({ "company_name": "A" });
    let ok = call(
        &mut simulator,
        Method::Post,
        "/customers",
        Some(json!({ "customers": customer })),
        start(),
    );
    assert_eq!(ok.0, 201);
    let id = ok.1["customers"]["id"].as_str().unwrap().to_owned();
    assert_eq!(ok.1["customers"]["language"], "en");
    for wrong in [
        customer.clone(),
        json!({ "customer": customer }),
        json!({ "customers": [customer] }),
        json!({ "customers": customer, "data": {} }),
        json!([]),
    ] {
        let (status, body) = call(
            &mut simulator,
            Method::Post,
            "/customers",
            Some(wrong),
            start(),
        );
        assert_eq!((status, reason(&body)), (400, "invalid_document_structure"));
    }
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let cancel = format!("/mandates/{mandate}/actions/cancel");
    let plural = json!({ "mandates": {} });
    assert_eq!(
        call(&mut simulator, Method::Post, &cancel, Some(plural), start()).0,
        400
    );
    let (status, body) = call(
        &mut simulator,
        Method::Post,
        &cancel,
        Some(json!({ "data": {} })),
        start(),
    );
    assert_eq!(
        (status, &body["mandates"]["status"]),
        (200, &json!("cancelled"))
    );
    let (status, body) = call(
        &mut simulator,
        Method::Get,
        &format!("/customers/{id}"),
        None,
        start(),
    );
    assert_eq!(
        (status, &body["customers"]["company_name"]),
        (200, &json!("A"))
    );
    let get_with_body = raw(
        &mut simulator,
        Method::Get,
        "/customers",
        "{}",
        &[],
        start(),
    );
    assert_eq!(get_with_body.status, 400);
    let html = raw(
        &mut simulator,
        Method::Post,
        "/customers",
        "<x/>",
        &[],
        start(),
    );
    assert_eq!((html.status, reason(&json(&html))), (400, "bad_request"));
}

#[test]
fn a_body_must_be_declared_as_json() {
    let mut simulator = sandbox();
    let headers = [
        ("Authorization", "Bearer token-read-write"),
        ("GoCardless-Version", "2015-07-06"),
        ("Content-Type", "text/plain"),
    ];
    let url = format!("{}/customers", super::BASE);
    let body = r#"{"customers":{"company_name":"A"}}"#;
    let response = answer(simulator.handle(&request(Method::Post, &url, &headers, body), start()));
    assert_eq!(
        (response.status, reason(&json(&response))),
        (415, "unsupported_media_type")
    );
}

#[test]
fn members_are_checked_by_name_and_type() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let mut post = |change: fn(&mut Value)| {
        let mut body = json!({ "payments": {
            "amount": 1200, "currency": "GBP", "metadata": {}, "links": { "mandate": mandate },
        } });
        change(&mut body["payments"]);
        call(
            &mut simulator,
            Method::Post,
            "/payments",
            Some(body),
            start(),
        )
    };
    let typed = "One of your parameters was incorrectly typed";
    for (change, at) in [
        (
            (|p| p["links"]["mandate"] = Value::Null) as fn(&mut Value),
            "/payments/links/mandate",
        ),
        (|p| p["amount"] = json!("12.00"), "/payments/amount"),
        (|p| p["metadata"]["n"] = json!(1), "/payments/metadata/n"),
        (|p| p["metadata"]["n"] = json!({}), "/payments/metadata/n"),
        (
            |p| p["metadata"] = json!({"a":"1","b":"2","c":"3","d":"4"}),
            "/payments/metadata",
        ),
        (
            |p| p["retry_if_possible"] = json!("true"),
            "/payments/retry_if_possible",
        ),
    ] {
        let (status, body) = post(change);
        assert_eq!((status, kind(&body)), (422, "invalid_api_usage"), "{at}");
        assert_eq!(body["error"]["message"], typed);
        assert_eq!(body["error"]["errors"][0]["request_pointer"], at);
        assert!(body["error"]["errors"][0].get("reason").is_none());
    }
    for (change, field, text) in [
        (
            (|p| p["scheme"] = json!("bacs")) as fn(&mut Value),
            "scheme",
            "scheme is not a permitted key",
        ),
        (
            |p| p["links"]["customer"] = json!("CU1"),
            "customer",
            "customer is not a permitted key",
        ),
        (
            |p| p["currency"] = json!("EUR"),
            "currency",
            "does not fit the mandate",
        ),
        (
            |p| p["amount"] = json!(99),
            "amount",
            "must be at least 100",
        ),
        (
            |p| p["amount"] = json!(5_000_001),
            "amount",
            "must be at most 5000000",
        ),
        (
            |p| p["reference"] = json!("ELEVEN-LONG"),
            "reference",
            "is too long (maximum is 10 characters)",
        ),
        (
            |p| p["app_fee"] = json!(1),
            "app_fee",
            "can only be set by partner apps",
        ),
        (
            |p| p["charge_date"] = json!("2026-02-30"),
            "charge_date",
            "is not a valid date",
        ),
    ] {
        let (status, body) = post(change);
        assert_eq!(
            (status, kind(&body)),
            (422, "validation_failed"),
            "{field}: {body}"
        );
        assert_eq!(body["error"]["errors"][0]["field"], field);
        assert_eq!(body["error"]["errors"][0]["message"], text);
    }
    // All findings at once.
    let (_, body) = post(|p| {
        p["amount"] = json!(1);
        p["currency"] = json!("USD");
    });
    assert_eq!(body["error"]["errors"].as_array().unwrap().len(), 2);
    // Numeric strings are amounts (GC 1.1), three metadata keys are allowed (GC 1.3).
    let (status, body) = post(|p| {
        p["amount"] = json!("2500");
        p["metadata"] = json!({"a":"1","b":"2","c":"3"});
    });
    assert_eq!((status, &body["payments"]["amount"]), (201, &json!(2500)));
}

#[test]
fn a_read_only_token_reads_and_does_not_write() {
    let mut simulator = sandbox();
    let body = json!({ "customers": { "company_name": "A" } }).to_string();
    let headers = |body: bool| {
        let mut headers = vec![
            ("Authorization", "Bearer reads"),
            ("GoCardless-Version", "2015-07-06"),
        ];
        if body {
            headers.push(("Content-Type", "application/json"));
        }
        headers
    };
    let url = format!("{}/customers", super::BASE);
    let write =
        answer(simulator.handle(&request(Method::Post, &url, &headers(true), &body), start()));
    assert_eq!(
        (write.status, reason(&json(&write))),
        (403, "insufficient_permissions")
    );
    let read = answer(simulator.handle(&request(Method::Get, &url, &headers(false), ""), start()));
    assert_eq!(read.status, 200);
    assert_eq!(simulator.ids(Kind::Customers).len(), 0);
}

#[test]
fn a_used_key_conflicts_without_looking_at_the_body() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let body = |amount: i64| {
        Some(json!({ "payments": {
            "amount": amount, "currency": "GBP", "links": { "mandate": mandate },
        } }))
    };
    let key = [("Idempotency-Key", "halden/INV-1/1")];
    // A refused create does not use the key up.
    assert_eq!(
        call_with(
            &mut simulator,
            Method::Post,
            "/payments",
            body(1),
            &key,
            start()
        )
        .0,
        422
    );
    let (status, first) = call_with(
        &mut simulator,
        Method::Post,
        "/payments",
        body(5000),
        &key,
        start(),
    );
    assert_eq!(status, 201);
    let (status, second) = call_with(
        &mut simulator,
        Method::Post,
        "/payments",
        body(9999),
        &key,
        start(),
    );
    assert_eq!(
        (status, kind(&second), reason(&second)),
        (409, "invalid_state", "idempotent_creation_conflict")
    );
    assert_eq!(
        second["error"]["errors"][0]["links"]["conflicting_resource_id"],
        first["payments"]["id"]
    );
    assert_eq!(simulator.ids(Kind::Payments).len(), 1);
    let other = [("Idempotency-Key", "halden/INV-1/2")];
    assert_eq!(
        call_with(
            &mut simulator,
            Method::Post,
            "/payments",
            body(5000),
            &other,
            start()
        )
        .0,
        201
    );
    let long = "k".repeat(129);
    let long = [("Idempotency-Key", long.as_str())];
    let (status, refused) = call_with(
        &mut simulator,
        Method::Post,
        "/payments",
        body(5000),
        &long,
        start(),
    );
    assert_eq!(
        (status, reason(&refused)),
        (400, "idempotency_key_too_long")
    );
}

#[test]
fn the_rate_is_counted_and_its_reset_is_an_http_date() {
    let settings = Settings {
        calls_per_minute: 3,
        ..Settings::default()
    };
    let mut simulator = sandbox_with(settings);
    for remaining in ["2", "1", "0"] {
        let response = raw(&mut simulator, Method::Get, "/creditors", "", &[], at(1));
        assert_eq!(response.status, 200);
        assert_eq!(response.header("ratelimit-limit"), Some("3"));
        assert_eq!(response.header("ratelimit-remaining"), Some(remaining));
    }
    let refused = raw(&mut simulator, Method::Get, "/creditors", "", &[], at(59));
    assert_eq!(
        (refused.status, reason(&json(&refused))),
        (429, "rate_limit_exceeded")
    );
    assert_eq!(
        refused.header("RateLimit-Reset"),
        Some("Mon, 02 Mar 2026 09:01:01 GMT")
    );
    assert!(json(&refused)["error"].get("request_id").is_none());
    assert_eq!(
        raw(&mut simulator, Method::Get, "/creditors", "", &[], at(61)).status,
        200
    );
}

#[test]
fn faults_strike_as_scripted() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    simulator.faults.plan(On::Reads, Fault::BadGateway);
    simulator.faults.plan(
        On::Reads,
        Fault::BareError {
            status: 400,
            text: "bank_authorisation_expired".to_owned(),
        },
    );
    simulator.faults.plan(
        On::Reads,
        Fault::RateLimited {
            reset_in: Duration::from_secs(20),
        },
    );
    simulator.faults.plan(On::Reads, Fault::InternalError);
    let read =
        |simulator: &mut Simulator| raw(simulator, Method::Get, "/creditors", "", &[], start());
    let html = read(&mut simulator);
    assert_eq!(
        (html.status, html.header("content-type")),
        (502, Some("text/html"))
    );
    assert_eq!(
        json(&read(&mut simulator)),
        json!({ "error": "bank_authorisation_expired" })
    );
    let limited = read(&mut simulator);
    assert_eq!(limited.status, 429);
    assert_eq!(
        limited.header("ratelimit-reset"),
        Some("Mon, 02 Mar 2026 09:00:20 GMT")
    );
    assert_eq!(kind(&json(&read(&mut simulator))), "gocardless");
    assert_eq!(read(&mut simulator).status, 200);

    // Stored, then cut off: the same key shows it (GC 12.2).
    let headers = [
        ("Authorization", "Bearer token-read-write"),
        ("GoCardless-Version", "2015-07-06"),
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "k"),
    ];
    let body = json!({ "payments": { "amount": 500, "currency": "GBP", "links": { "mandate": mandate } } });
    let create = request(
        Method::Post,
        &format!("{}/payments", super::BASE),
        &headers,
        &body.to_string(),
    );
    simulator
        .faults
        .plan(On::Create(Kind::Payments), Fault::DropBefore);
    simulator
        .faults
        .plan(On::Create(Kind::Payments), Fault::DropAfter);
    assert_eq!(simulator.handle(&create, start()), Reply::Drop);
    assert_eq!(simulator.ids(Kind::Payments).len(), 0);
    assert_eq!(simulator.handle(&create, start()), Reply::Drop);
    assert_eq!(simulator.ids(Kind::Payments).len(), 1);
    assert_eq!(answer(simulator.handle(&create, start())).status, 409);

    simulator.faults.plan(
        On::Any,
        Fault::Slow {
            by: Duration::from_secs(40),
        },
    );
    let Reply::Delay { ticket, .. } = simulator.handle(&create, start()) else {
        panic!("not delayed")
    };
    assert_eq!(simulator.collect(ticket, at(39)), Reply::Drop);
    assert_eq!(answer(simulator.collect(ticket, at(40))).status, 409);
}
