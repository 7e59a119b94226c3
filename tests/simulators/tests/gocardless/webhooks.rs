//! Webhooks: signature, grouping, repeats, test mode (GC 4).

use super::{call, payer, reason, sandbox, sandbox_with};
use crate::support::{at, start};
use ml_connector_core::http::Method;
use ml_connector_simulators::gocardless::{
    Delivery, Endpoint, Failure, Kind, Sending, Settings, Simulator,
};
use ml_connector_simulators::webhooks::sign;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// The official vector (GC 4.1).
const SECRET: &str = "ED7D658C-D8EB-4941-948B-3973214F2D49";
const BODY: &str = r#"{"events":[{"id":"EV00BD05S5VM2T","created_at":"2018-07-05T09:13:51.404Z","resource_type":"subscriptions","action":"created","links":{"subscription":"SB0003JJQ2MR06"},"details":{"origin":"api","cause":"subscription_created","description":"Subscription created via the API."},"metadata":{}},{"id":"EV00BD05TB8K63","created_at":"2018-07-05T09:13:56.893Z","resource_type":"mandates","action":"created","links":{"mandate":"MD000AMA19XGEC"},"details":{"origin":"api","cause":"mandate_created","description":"Mandate created via the API."},"metadata":{}}]}"#;

fn listening() -> Simulator {
    let mut simulator = sandbox();
    simulator.add_endpoint(Endpoint {
        url: "http://engine/hook".to_owned(),
        secret: SECRET.to_owned(),
    });
    simulator
}

fn body(delivery: &Delivery) -> Value {
    serde_json::from_slice(&delivery.body).unwrap()
}

fn event_ids(delivery: &Delivery) -> Vec<String> {
    body(delivery)["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["id"].as_str().unwrap().to_owned())
        .collect()
}

fn taken(simulator: &mut Simulator, sending: &Sending) -> Vec<Delivery> {
    simulator.make_webhooks(sending, start());
    simulator.take_due_webhooks(usize::MAX, start())
}

#[test]
fn the_official_vector_and_the_newline_that_breaks_it() {
    assert_eq!(BODY.len(), 550);
    assert_eq!(
        sign(SECRET, BODY.as_bytes()),
        "2693754819d3e32d7e8fcb13c729631f316c6de8dc1cf634d6527f1c07276e7e"
    );
    assert!(sign(SECRET, format!("{BODY}\n").as_bytes()).starts_with("cdbb6dc7"));
}

#[test]
fn requests_are_signed_over_their_bytes_and_carry_at_most_250_events() {
    let mut simulator = listening();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    for _ in 0..150 {
        let payment = simulator
            .collect_payment(&mandate, 500, &[], start())
            .unwrap();
        simulator.confirm(&payment, start()).unwrap();
    }
    let deliveries = taken(
        &mut simulator,
        &Sending {
            batch: 10_000,
            ..Sending::default()
        },
    );
    let sizes: Vec<usize> = deliveries.iter().map(|delivery| delivery.events).collect();
    assert_eq!(sizes, [250, 203]);
    for delivery in &deliveries {
        assert_eq!(delivery.signature().unwrap(), sign(SECRET, &delivery.body));
        assert_eq!(event_ids(delivery).len(), delivery.events);
        assert_eq!(body(delivery)["meta"]["webhook_id"], json!(delivery.id));
        assert!(
            delivery
                .headers
                .contains(&("Content-Type".to_owned(), "application/json".to_owned()))
        );
    }
    // The same ids as in GET /events (GC 9.4).
    let (_, listed) = call(
        &mut simulator,
        Method::Get,
        "/events?limit=500",
        None,
        start(),
    );
    let mut listed: Vec<String> = listed["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["id"].as_str().unwrap().to_owned())
        .collect();
    let mut sent: Vec<String> = deliveries.iter().flat_map(event_ids).collect();
    listed.sort();
    sent.sort();
    assert_eq!(sent, listed);
}

#[test]
fn order_is_mixed_and_some_come_twice_but_none_is_lost() {
    let mut simulator = listening();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    for _ in 0..40 {
        simulator
            .collect_payment(&mandate, 500, &[], start())
            .unwrap();
    }
    let sending = Sending {
        batch: 7,
        shuffled: true,
        twice_per_mille: 500,
    };
    let sent: Vec<String> = taken(&mut simulator, &sending)
        .iter()
        .flat_map(event_ids)
        .collect();
    let mut times: HashMap<&String, usize> = HashMap::new();
    for id in &sent {
        *times.entry(id).or_default() += 1;
    }
    assert_eq!(times.len(), 43);
    assert!(times.values().any(|count| *count == 2) && times.values().all(|count| *count <= 2));
    let ids = simulator.ids(Kind::Events);
    let order: Vec<usize> = sent
        .iter()
        .map(|id| ids.iter().position(|own| own == id).unwrap())
        .collect();
    assert!(!order.is_sorted());
    assert_eq!(
        taken(&mut simulator, &sending),
        [],
        "nothing is made twice without a cause"
    );
}

#[test]
fn a_failure_is_repeated_with_growing_gaps_and_then_given_up() {
    let settings = Settings {
        webhook_retry_gaps: [60, 120, 600].map(Duration::from_secs).to_vec(),
        ..Settings::default()
    };
    let mut simulator = sandbox_with(settings);
    simulator.add_endpoint(Endpoint {
        url: "http://engine/hook".to_owned(),
        secret: "s".to_owned(),
    });
    payer(&mut simulator, "GBP", start());
    simulator.make_webhooks(&Sending::default(), start());
    let mut now = 0;
    for (outcome, gap) in [(Err(Failure::NoAnswer), 60), (Ok(302), 120), (Ok(498), 600)] {
        assert_eq!(simulator.take_due_webhooks(9, at(now - 1)).len(), 0);
        let delivery = simulator.take_due_webhooks(9, at(now)).pop().unwrap();
        simulator.webhook_answered(delivery, outcome, at(now));
        now += gap;
        assert_eq!(simulator.next_webhook_at(), Some(at(now)));
    }
    let last = simulator.take_due_webhooks(9, at(now)).pop().unwrap();
    assert_eq!(last.attempt, 4);
    let id = last.id.clone();
    simulator.webhook_answered(last, Ok(500), at(now));
    assert_eq!(simulator.next_webhook_at(), None);
    let log = simulator.resource(Kind::Webhooks, &id).unwrap();
    assert_eq!(
        (&log["successful"], &log["response_code"]),
        (&json!(false), &json!(500))
    );
    // By hand it can be sent once more, with the same bytes.
    let path = format!("/webhooks/{id}/actions/retry");
    assert_eq!(
        call(&mut simulator, Method::Post, &path, None, at(now)).0,
        200
    );
    let again = simulator.take_due_webhooks(9, at(now)).pop().unwrap();
    assert_eq!(again.signature().unwrap(), sign("s", &again.body));
    simulator.webhook_answered(again, Ok(204), at(now));
    let (_, listed) = call(
        &mut simulator,
        Method::Get,
        "/webhooks?successful=true",
        None,
        at(now),
    );
    assert_eq!(listed["webhooks"][0]["id"], json!(id));
}

#[test]
fn test_webhooks_are_signed_and_name_things_that_do_not_exist() {
    let mut simulator = listening();
    simulator.make_test_webhook("payments", "confirmed", start());
    let delivery = simulator.take_due_webhooks(9, start()).pop().unwrap();
    let event = body(&delivery)["events"][0].clone();
    assert!(event["id"].as_str().unwrap().starts_with("EVTEST"));
    assert_eq!(event["links"]["payment"], "payment_ID_123");
    assert_eq!(delivery.signature().unwrap(), sign(SECRET, &delivery.body));
    let (status, answer) = call(
        &mut simulator,
        Method::Get,
        "/payments/payment_ID_123",
        None,
        start(),
    );
    assert_eq!((status, reason(&answer)), (404, "resource_not_found"));
    assert_eq!(
        simulator.resource(Kind::Webhooks, &delivery.id).unwrap()["is_test"],
        true
    );
}

#[test]
fn broken_requests_do_not_verify() {
    let mut simulator = listening();
    payer(&mut simulator, "GBP", start());
    let delivery = taken(&mut simulator, &Sending::default()).pop().unwrap();
    let verifies =
        |delivery: &Delivery| delivery.signature() == Some(&sign(SECRET, &delivery.body));
    assert!(verifies(&delivery));
    let tampered = delivery.clone().tampered();
    assert!(
        !verifies(&tampered)
            && tampered.body != delivery.body
            && serde_json::from_slice::<Value>(&tampered.body).is_ok()
    );
    assert!(!verifies(&delivery.clone().with_wrong_signature()));
    assert_eq!(delivery.with_signature(None).signature(), None);
    let forged = simulator
        .forge_webhook("payments", "confirmed", start())
        .unwrap();
    assert!(
        verifies(&forged)
            && simulator
                .resource(Kind::Events, &event_ids(&forged)[0])
                .is_none()
    );
}
