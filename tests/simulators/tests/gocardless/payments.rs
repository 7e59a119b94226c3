//! Payments, mandates and refunds: state machines (GC 2.4, 2.6, 2.7, 9.1).

use super::{actions, call, kind, payer, reason, sandbox, sandbox_with};
use crate::support::{day, start};
use ml_connector_core::http::Method;
use ml_connector_simulators::gocardless::{Kind, Settings, Simulator, WrongState};
use serde_json::{Value, json};

fn post(simulator: &mut Simulator, path: &str, body: Value) -> (u16, Value) {
    call(simulator, Method::Post, path, Some(body), start())
}

fn payment_on(mandate: &str) -> Value {
    json!({ "payments": { "amount": 12000, "currency": "GBP", "links": { "mandate": mandate } } })
}

#[test]
fn a_payment_looks_as_documented_from_birth_to_pay_out() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let (status, body) = post(&mut simulator, "/payments", payment_on(&mandate));
    assert_eq!(status, 201);
    let payment = &body["payments"];
    let id = payment["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("PM"));
    assert_eq!(payment["status"], "pending_submission");
    assert_eq!(payment["created_at"], "2026-03-02T09:00:00.000Z");
    assert_eq!(payment["amount_refunded"], 0);
    assert_eq!(
        payment["fx"],
        json!({
            "fx_currency": "GBP", "fx_amount": null, "exchange_rate": null, "estimated_exchange_rate": null,
        })
    );
    assert!(payment["links"].get("customer").is_none() && payment["links"].get("payout").is_none());

    simulator.confirm(&id, day(4)).unwrap();
    assert_eq!(simulator.collected().len(), 1);
    let payout = simulator.pay_out("GBP", day(5)).unwrap();
    let (_, body) = call(
        &mut simulator,
        Method::Get,
        &format!("/payments/{id}"),
        None,
        day(5),
    );
    assert_eq!(body["payments"]["status"], "paid_out");
    assert_eq!(body["payments"]["links"]["payout"], json!(payout));
    let seen = actions(&mut simulator, &format!("payment={id}"), day(5));
    assert_eq!(seen, ["created", "submitted", "confirmed", "paid_out"]);
}

#[test]
fn charge_dates_obey_the_mandate_and_the_calendar() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let next =
        simulator.resource(Kind::Mandates, &mandate).unwrap()["next_possible_charge_date"].clone();
    assert_eq!(next, "2026-03-06");
    let mut with = |date: &str| {
        let mut body = payment_on(&mandate);
        body["payments"]["charge_date"] = json!(date);
        post(&mut simulator, "/payments", body)
    };
    let (status, body) = with("2026-03-05");
    assert_eq!((status, kind(&body)), (422, "validation_failed"));
    assert_eq!(body["error"]["errors"][0]["field"], "charge_date");
    assert_eq!(
        body["error"]["errors"][0]["request_pointer"],
        "/payments/charge_date"
    );
    // A Saturday moves to Monday.
    assert_eq!(
        with("2026-03-07").1["payments"]["charge_date"],
        "2026-03-09"
    );
    // The earliest date moves on by itself.
    let (_, body) = call(
        &mut simulator,
        Method::Get,
        &format!("/mandates/{mandate}"),
        None,
        day(14),
    );
    assert_eq!(body["mandates"]["next_possible_charge_date"], "2026-03-19");
}

#[test]
fn dead_and_replaced_mandates_take_no_payments() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let new = simulator.replace_mandate(&mandate, start()).unwrap();
    let (status, body) = post(&mut simulator, "/payments", payment_on(&mandate));
    assert_eq!((status, reason(&body)), (422, "mandate_replaced"));
    assert_eq!(
        body["error"]["errors"][0]["links"]["new_mandate"],
        json!(new)
    );
    let old = simulator.resource(Kind::Mandates, &mandate).unwrap();
    assert_eq!(
        (&old["status"], &old["links"]["new_mandate"]),
        (&json!("cancelled"), &json!(new))
    );

    simulator.cancel_mandate_at_bank(&new, start()).unwrap();
    let (status, body) = post(&mut simulator, "/payments", payment_on(&new));
    assert_eq!(
        (status, kind(&body), reason(&body)),
        (422, "invalid_state", "mandate_is_inactive")
    );
    let (status, body) = post(&mut simulator, "/payments", payment_on("MD404"));
    assert_eq!((status, reason(&body)), (422, "link_not_found"));
    let again = post(
        &mut simulator,
        &format!("/mandates/{new}/actions/cancel"),
        json!({ "data": {} }),
    );
    assert_eq!((again.0, reason(&again.1)), (422, "cancellation_failed"));
    let back = post(
        &mut simulator,
        &format!("/mandates/{new}/actions/reinstate"),
        json!({ "data": {} }),
    );
    assert_eq!(back.1["mandates"]["status"], "pending_submission");
    let alive = post(
        &mut simulator,
        &format!("/mandates/{new}/actions/reinstate"),
        json!({ "data": {} }),
    );
    assert_eq!((alive.0, reason(&alive.1)), (422, "mandate_not_inactive"));
}

#[test]
fn a_dying_mandate_takes_its_payments_and_subscriptions_along() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let pending = simulator
        .collect_payment(&mandate, 1000, &[("invoice", "I-1")], start())
        .unwrap();
    let sent = simulator
        .collect_payment(&mandate, 2000, &[], start())
        .unwrap();
    let confirmed = simulator
        .collect_payment(&mandate, 3000, &[], start())
        .unwrap();
    simulator.submit(&sent, start()).unwrap();
    simulator.confirm(&confirmed, start()).unwrap();
    let plan = json!({ "subscriptions": {
        "amount": 500, "currency": "GBP", "interval_unit": "monthly", "links": { "mandate": mandate },
    } });
    let (status, plan) = post(&mut simulator, "/subscriptions", plan);
    assert_eq!(status, 201);
    let plan = plan["subscriptions"]["id"].as_str().unwrap().to_owned();
    simulator.cancel_mandate_at_bank(&mandate, start()).unwrap();
    let status = |simulator: &Simulator, kind, id: &str| {
        simulator.resource(kind, id).unwrap()["status"].clone()
    };
    assert_eq!(status(&simulator, Kind::Payments, &pending), "cancelled");
    assert_eq!(status(&simulator, Kind::Payments, &sent), "cancelled");
    assert_eq!(status(&simulator, Kind::Payments, &confirmed), "confirmed");
    assert_eq!(status(&simulator, Kind::Subscriptions, &plan), "cancelled");
    let path = format!("/events?payment={pending}&action=cancelled");
    let (_, body) = call(&mut simulator, Method::Get, &path, None, start());
    let event = &body["events"][0];
    assert_eq!(event["details"]["cause"], "mandate_cancelled");
    assert_eq!(event["resource_metadata"], json!({ "invoice": "I-1" }));
    let parent = event["links"]["parent_event"].as_str().unwrap();
    let (_, body) = call(
        &mut simulator,
        Method::Get,
        &format!("/events/{parent}"),
        None,
        start(),
    );
    assert_eq!(body["events"]["resource_type"], "mandates");
    assert_eq!(body["events"]["details"]["origin"], "bank");
}

#[test]
fn cancelling_works_once_and_only_before_sending() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let id = simulator
        .collect_payment(&mandate, 1000, &[], start())
        .unwrap();
    let path = format!("/payments/{id}/actions/cancel");
    let (status, body) = call(&mut simulator, Method::Post, &path, None, start());
    assert_eq!(
        (status, &body["payments"]["status"]),
        (200, &json!("cancelled"))
    );
    let (status, body) = post(&mut simulator, &path, json!({ "data": {} }));
    assert_eq!((status, reason(&body)), (422, "cancellation_failed"));
    let sent = simulator
        .collect_payment(&mandate, 1000, &[], start())
        .unwrap();
    simulator.submit(&sent, start()).unwrap();
    let (status, body) = post(
        &mut simulator,
        &format!("/payments/{sent}/actions/cancel"),
        json!({ "data": {} }),
    );
    assert_eq!((status, kind(&body)), (422, "invalid_state"));
}

#[test]
fn a_failed_payment_is_retried_three_times_under_its_own_id() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let id = simulator
        .collect_payment(&mandate, 1000, &[], start())
        .unwrap();
    let path = format!("/payments/{id}/actions/retry");
    let early = post(&mut simulator, &path, json!({ "data": {} }));
    assert_eq!((early.0, reason(&early.1)), (422, "retry_failed"));
    let before = simulator.resource(Kind::Payments, &id).unwrap()["charge_date"].clone();
    for _ in 0..3 {
        simulator.fail(&id, "refer_to_payer", day(5)).unwrap();
        let (status, body) = call(&mut simulator, Method::Post, &path, None, day(7));
        assert_eq!(
            (status, &body["payments"]["status"]),
            (200, &json!("pending_submission"))
        );
        assert_ne!(body["payments"]["charge_date"], before);
    }
    simulator.fail(&id, "refer_to_payer", day(9)).unwrap();
    let fourth = call(&mut simulator, Method::Post, &path, None, day(9));
    assert_eq!((fourth.0, reason(&fourth.1)), (422, "retry_failed"));
    let failed = format!("/events?payment={id}&action=failed");
    let (_, body) = call(&mut simulator, Method::Get, &failed, None, day(9));
    assert_eq!(body["events"].as_array().unwrap().len(), 4);
    assert_eq!(body["events"][0]["details"]["reason_code"], "ARUDD-0");
    assert_eq!(body["events"][0]["details"]["scheme"], "bacs");
    assert_eq!(body["events"][0]["details"]["will_attempt_retry"], false);
}

#[test]
fn the_state_machine_has_no_other_arrows() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let id = simulator
        .collect_payment(&mandate, 1000, &[], start())
        .unwrap();
    let refused = simulator
        .charge_back(&id, "authorisation_disputed", start())
        .unwrap_err();
    assert_eq!(
        refused,
        WrongState::Status {
            kind: "payment",
            id: id.clone(),
            status: "pending_submission".to_owned(),
            action: "charged_back",
        }
    );
    simulator.fail(&id, "refer_to_payer", start()).unwrap();
    assert!(simulator.confirm(&id, start()).is_err());
    assert!(matches!(
        simulator.confirm("PM0", start()),
        Err(WrongState::Missing { .. })
    ));
}

#[test]
fn refunds_want_the_running_total() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let id = simulator
        .collect_payment(&mandate, 5000, &[], start())
        .unwrap();
    let refund = |amount: i64, total: Option<i64>| {
        let mut body = json!({ "refunds": { "amount": amount, "links": { "payment": id } } });
        if let Some(total) = total {
            body["refunds"]["total_amount_confirmation"] = json!(total);
        }
        body
    };
    let (status, body) = post(&mut simulator, "/refunds", refund(100, Some(100)));
    assert_eq!(
        (status, reason(&body)),
        (422, "refund_payment_invalid_state")
    );
    simulator.confirm(&id, start()).unwrap();
    assert_eq!(
        kind(&post(&mut simulator, "/refunds", refund(100, None)).1),
        "validation_failed"
    );
    let (status, body) = post(&mut simulator, "/refunds", refund(1500, Some(1500)));
    assert_eq!(
        (status, &body["refunds"]["status"]),
        (201, &json!("created"))
    );
    assert_eq!(body["refunds"]["fx"]["fx_currency"], Value::Null);
    let (status, body) = post(&mut simulator, "/refunds", refund(1500, Some(1500)));
    assert_eq!(
        (status, reason(&body)),
        (422, "total_amount_confirmation_invalid")
    );
    let (status, body) = post(&mut simulator, "/refunds", refund(4000, Some(5500)));
    assert_eq!(
        (status, reason(&body)),
        (422, "available_refund_amount_insufficient")
    );
    assert_eq!(
        post(&mut simulator, "/refunds", refund(1500, Some(3000))).0,
        201
    );
    assert_eq!(
        simulator.resource(Kind::Payments, &id).unwrap()["amount_refunded"],
        3000
    );
    let off = Settings {
        refunds: false,
        ..Settings::default()
    };
    let (status, body) = post(&mut sandbox_with(off), "/refunds", refund(1, Some(1)));
    assert_eq!((status, reason(&body)), (403, "feature_disabled"));
}

#[test]
fn scenario_simulators_move_things_only_from_fitting_states() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let run = |simulator: &mut Simulator, name: &str, id: &str| {
        let body = json!({ "data": { "links": { "resource": id } } });
        post(
            simulator,
            &format!("/scenario_simulators/{name}/actions/run"),
            body,
        )
    };
    let id = simulator
        .collect_payment(&mandate, 8000, &[], start())
        .unwrap();
    let (status, body) = run(&mut simulator, "payment_late_failure_settled", &id);
    assert_eq!(
        (status, body),
        (
            200,
            json!({ "scenario_simulators": { "id": "payment_late_failure_settled" } })
        )
    );
    let seen = actions(&mut simulator, &format!("payment={id}"), start());
    assert_eq!(
        seen,
        [
            "created",
            "submitted",
            "confirmed",
            "paid_out",
            "failed",
            "late_failure_settled"
        ]
    );
    let again = run(&mut simulator, "payment_confirmed", &id);
    assert_eq!((again.0, kind(&again.1)), (422, "invalid_state"));
    assert_eq!(run(&mut simulator, "payout_paid", "PO1").0, 404);
    assert_eq!(run(&mut simulator, "payment_paid_out", "PM404").0, 404);
    let live = Settings {
        sandbox: false,
        ..Settings::default()
    };
    assert_eq!(run(&mut sandbox_with(live), "payment_paid_out", &id).0, 404);
}
