//! Events (GC 2.10, 4.3, 4.5).

use super::{call, payer, reason, sandbox, sandbox_with};
use crate::support::{at, start};
use ml_connector_core::http::Method;
use ml_connector_simulators::gocardless::{Settings, Simulator};
use serde_json::{Value, json};
use std::time::Duration;

fn events(simulator: &mut Simulator, query: &str) -> Vec<Value> {
    let (status, body) = call(
        simulator,
        Method::Get,
        &format!("/events?{query}"),
        None,
        at(100),
    );
    assert_eq!(status, 200, "{body}");
    body["events"].as_array().unwrap().clone()
}

fn origin_and_cause(event: &Value) -> (&str, &str) {
    (
        event["details"]["origin"].as_str().unwrap(),
        event["details"]["cause"].as_str().unwrap(),
    )
}

#[test]
fn events_say_who_did_it_and_why() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "EUR", start());
    let payment = simulator
        .collect_payment(&mandate, 4500, &[("invoice", "I-7")], at(1))
        .unwrap();
    simulator.confirm(&payment, at(2)).unwrap();
    simulator.pay_out("EUR", at(3)).unwrap();
    simulator
        .charge_back(&payment, "refund_requested", at(4))
        .unwrap();
    simulator.cancel_charge_back(&payment, at(5)).unwrap();
    let seen = events(&mut simulator, &format!("payment={payment}"));
    let told: Vec<(&str, (&str, &str))> = seen
        .iter()
        .rev()
        .map(|event| (event["action"].as_str().unwrap(), origin_and_cause(event)))
        .collect();
    assert_eq!(
        told,
        [
            ("created", ("api", "payment_created")),
            ("submitted", ("gocardless", "payment_submitted")),
            ("confirmed", ("gocardless", "payment_confirmed")),
            ("paid_out", ("gocardless", "payment_paid_out")),
            ("charged_back", ("bank", "refund_requested")),
            ("chargeback_cancelled", ("gocardless", "payment_confirmed")),
        ]
    );
    for event in &seen {
        assert_eq!(event["resource_type"], "payments");
        assert_eq!(event["resource_metadata"], json!({ "invoice": "I-7" }));
        let of_bank = event["details"]["origin"] == "bank";
        assert_eq!(
            event["details"].get("scheme").is_some(),
            of_bank,
            "scheme only from the bank"
        );
    }
    assert_eq!(seen[1]["details"]["reason_code"], "MD06");
    assert_eq!(seen[1]["created_at"], "2026-03-02T09:00:04.000Z");
    // Where the payment was before the chargeback.
    assert_eq!(
        simulator
            .resource(
                ml_connector_simulators::gocardless::Kind::Payments,
                &payment
            )
            .unwrap()["status"],
        "paid_out"
    );
}

#[test]
fn the_metadata_of_an_action_is_on_its_event_only() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let body = json!({ "data": { "metadata": { "why": "test" } } });
    call(
        &mut simulator,
        Method::Post,
        &format!("/mandates/{mandate}/actions/cancel"),
        Some(body),
        start(),
    );
    let seen = events(
        &mut simulator,
        &format!("mandate={mandate}&action=cancelled"),
    );
    assert_eq!(seen[0]["metadata"], json!({ "why": "test" }));
    assert_eq!(
        (origin_and_cause(&seen[0]), &seen[0]["resource_metadata"]),
        (("api", "mandate_cancelled"), &json!({}))
    );
}

#[test]
fn an_automatic_retry_says_so_before_it_happens() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let payment = simulator
        .collect_payment(&mandate, 4500, &[], start())
        .unwrap();
    simulator.fail_and_retry(&payment, at(1)).unwrap();
    let seen = events(&mut simulator, &format!("payment={payment}"));
    assert_eq!(
        origin_and_cause(&seen[0]),
        ("gocardless", "payment_autoretried")
    );
    assert_eq!(
        (
            &seen[1]["action"],
            &seen[1]["details"]["will_attempt_retry"]
        ),
        (&json!("failed"), &json!(true))
    );
}

#[test]
fn filters_combine_only_as_documented() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let payment = simulator
        .collect_payment(&mandate, 4500, &[], start())
        .unwrap();
    for bad in [
        format!("resource_type=payments&payment={payment}"),
        "include=payment".to_owned(),
        "resource_type=cheques".to_owned(),
        "resource_type=payments&include=cheque".to_owned(),
        "created_at=2026-03-02T00:00:00Z".to_owned(),
        "created_at[gte]=2026-03-02".to_owned(),
        "created_at[since]=2026-03-02T00:00:00Z".to_owned(),
        "customer=CU1".to_owned(),
    ] {
        let (status, body) = call(
            &mut simulator,
            Method::Get,
            &format!("/events?{bad}"),
            None,
            start(),
        );
        assert_eq!((status, reason(&body)), (400, "invalid_filters"), "{bad}");
    }
    let (_, body) = call(
        &mut simulator,
        Method::Get,
        "/events?resource_type=payments&include=payment",
        None,
        start(),
    );
    assert_eq!(body["linked"]["payments"][0]["id"], json!(payment));
    assert_eq!(events(&mut simulator, "resource_type=mandates").len(), 3);
    assert_eq!(
        events(&mut simulator, "resource_type=mandates&parent_event=EV404").len(),
        0
    );
    let (_, one) = call(
        &mut simulator,
        Method::Get,
        &format!("/events/{}", body["events"][0]["id"].as_str().unwrap()),
        None,
        start(),
    );
    assert_eq!(one["events"], body["events"][0], "one event is an object");
}

#[test]
fn events_may_show_late() {
    let mut simulator = sandbox_with(Settings {
        event_lag: Duration::from_secs(5),
        ..Settings::default()
    });
    payer(&mut simulator, "GBP", start());
    let count = |simulator: &mut Simulator, second| {
        let (_, body) = call(simulator, Method::Get, "/events", None, at(second));
        body["events"].as_array().unwrap().len()
    };
    assert_eq!((count(&mut simulator, 4), count(&mut simulator, 5)), (0, 3));
}
