//! Payouts (GC 2.8, 2.9, 7).

use super::{call, payer, reason, sandbox, sandbox_with};
use crate::support::{day, start};
use ml_connector_core::http::Method;
use ml_connector_simulators::gocardless::{Fees, Kind, Settings, Simulator};
use rust_decimal::Decimal;
use serde_json::{Value, json};

fn items(simulator: &mut Simulator, payout: &str, query: &str) -> Value {
    let (status, body) = call(
        simulator,
        Method::Get,
        &format!("/payout_items?payout={payout}{query}"),
        None,
        day(20),
    );
    assert_eq!(status, 200, "{body}");
    body
}

fn shown(body: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    body["payout_items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            (
                text(&item["type"]),
                text(&item["amount"]),
                text(&item["taxes"][0]["amount"]),
            )
        })
        .collect()
}

fn confirmed(simulator: &mut Simulator, mandate: &str, amount: i64) -> String {
    let payment = simulator
        .collect_payment(mandate, amount, &[], start())
        .unwrap();
    simulator.confirm(&payment, start()).unwrap();
    payment
}

/// The worked example: two payments, a late failure, a refund.
fn worked_example(simulator: &mut Simulator) -> String {
    let (_, mandate) = payer(simulator, "GBP", start());
    let failing = confirmed(simulator, &mandate, 3000);
    let refunded = confirmed(simulator, &mandate, 9000);
    simulator.pay_out("GBP", day(1)).unwrap();
    confirmed(simulator, &mandate, 12000);
    confirmed(simulator, &mandate, 4550);
    simulator.fail(&failing, "refer_to_payer", day(2)).unwrap();
    simulator.refund(&refunded, 1500, day(2)).unwrap();
    simulator.pay_out("GBP", day(3)).unwrap()
}

#[test]
fn the_worked_example_comes_out_to_the_tenth() {
    let mut simulator = sandbox();
    let payout = worked_example(&mut simulator);
    let body = items(&mut simulator, &payout, "");
    let item =
        |kind: &str, amount: &str, tax: &str| (kind.to_owned(), amount.to_owned(), tax.to_owned());
    assert_eq!(
        shown(&body),
        [
            item("payment_paid_out", "12000.0", ""),
            item("gocardless_fee", "-168.0", "-28.0"),
            item("payment_paid_out", "4550.0", ""),
            item("gocardless_fee", "-78.6", "-13.1"),
            item("payment_failed", "-3000.0", ""),
            item("gocardless_fee", "60.0", "10.0"),
            item("payment_refunded", "-1500.0", ""),
        ]
    );
    let payout = simulator.resource(Kind::Payouts, &payout).unwrap();
    assert_eq!(
        (&payout["amount"], &payout["deducted_fees"]),
        (&json!(11863), &json!(187))
    );
    assert_eq!(
        (&payout["status"], &payout["arrival_date"]),
        (&json!("paid"), &json!("2026-03-06"))
    );
    assert!(payout["reference"].as_str().unwrap().starts_with("HALDEN-"));
    let refund_links = &body["payout_items"][6]["links"];
    assert!(refund_links["refund"].is_string() && refund_links["mandate"].is_string());
    assert_eq!(
        body["payout_items"][0]["links"].as_object().unwrap().len(),
        1
    );
    let keys: Vec<&String> = body["payout_items"][0]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(
        keys,
        ["type", "amount", "taxes", "links"],
        "no id, no date, no currency"
    );
}

#[test]
fn a_payout_tells_what_was_settled_in_it() {
    let mut simulator = sandbox();
    let payout = worked_example(&mut simulator);
    let (_, body) = call(
        &mut simulator,
        Method::Get,
        &format!("/events?payout={payout}&action=paid"),
        None,
        day(20),
    );
    let paid = body["events"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(body["events"][0]["details"]["cause"], "payout_paid");
    let (_, body) = call(
        &mut simulator,
        Method::Get,
        &format!("/events?parent_event={paid}"),
        None,
        day(20),
    );
    let mut actions: Vec<&str> = body["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["action"].as_str().unwrap())
        .collect();
    actions.sort_unstable();
    assert_eq!(
        actions,
        [
            "late_failure_settled",
            "paid_out",
            "paid_out",
            "refund_settled"
        ]
    );
}

#[test]
fn items_page_by_an_opaque_cursor_and_go_after_six_months() {
    let mut simulator = sandbox();
    let payout = worked_example(&mut simulator);
    let first = items(&mut simulator, &payout, "&limit=5");
    let after = first["meta"]["cursors"]["after"].as_str().unwrap();
    let second = items(&mut simulator, &payout, &format!("&limit=5&after={after}"));
    assert_eq!((shown(&first).len(), shown(&second).len()), (5, 2));
    assert!(second["meta"]["cursors"]["after"].is_null());
    let path = format!("/payout_items?payout={payout}");
    assert_eq!(
        call(&mut simulator, Method::Get, &path, None, day(3 + 183)).0,
        200
    );
    let (status, body) = call(&mut simulator, Method::Get, &path, None, day(3 + 185));
    assert_eq!(
        (status, &body["error"]["type"]),
        (410, &json!("invalid_api_usage"))
    );
    let (status, body) = call(&mut simulator, Method::Get, "/payout_items", None, day(3));
    assert_eq!((status, reason(&body)), (400, "invalid_filters"));
    assert_eq!(
        call(
            &mut simulator,
            Method::Get,
            "/payout_items?payout=PO404",
            None,
            day(3)
        )
        .0,
        404
    );
}

#[test]
fn fees_given_back_can_outweigh_the_fees() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let failing: Vec<String> = (0..5)
        .map(|_| confirmed(&mut simulator, &mandate, 1000))
        .collect();
    simulator.pay_out("GBP", day(1)).unwrap();
    for payment in &failing {
        simulator.fail(payment, "refer_to_payer", day(2)).unwrap();
    }
    confirmed(&mut simulator, &mandate, 10000);
    let payout = simulator.pay_out("GBP", day(3)).unwrap();
    let payout = simulator.resource(Kind::Payouts, &payout).unwrap();
    // 5000 net of payments; fees 144 less 5 × 36 given back.
    assert_eq!(
        (&payout["amount"], &payout["deducted_fees"]),
        (&json!(5036), &json!(-36))
    );
}

#[test]
fn what_cannot_be_paid_out_waits() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let payment = confirmed(&mut simulator, &mandate, 5000);
    simulator.pay_out("GBP", day(1)).unwrap();
    simulator
        .charge_back(&payment, "authorisation_disputed", day(2))
        .unwrap();
    assert_eq!(
        simulator.pay_out("GBP", day(3)),
        None,
        "the sum is negative"
    );
    assert_eq!(simulator.pay_out("EUR", day(3)), None);
    confirmed(&mut simulator, &mandate, 9000);
    let payout = simulator.pay_out("GBP", day(4)).unwrap();
    let kinds: Vec<String> = shown(&items(&mut simulator, &payout, ""))
        .into_iter()
        .map(|item| item.0)
        .collect();
    assert_eq!(
        kinds,
        ["payment_charged_back", "payment_paid_out", "gocardless_fee"]
    );
    // A failure before the payout leaves nothing behind.
    let early = confirmed(&mut simulator, &mandate, 7000);
    simulator.fail(&early, "refer_to_payer", day(5)).unwrap();
    assert_eq!(simulator.pay_out("GBP", day(5)), None);
}

#[test]
fn an_exchanged_payout_is_paid_before_its_status_says_so() {
    let settings = Settings {
        fx_payout_currency: Some("GBP"),
        ..Settings::default()
    };
    let mut simulator = sandbox_with(settings);
    let (_, mandate) = payer(&mut simulator, "EUR", start());
    confirmed(&mut simulator, &mandate, 10000);
    let payout = simulator.pay_out("EUR", day(1)).unwrap();
    let (_, body) = call(
        &mut simulator,
        Method::Get,
        &format!("/events?payout={payout}"),
        None,
        day(1),
    );
    assert_eq!(body["events"][0]["action"], "paid");
    let pending = simulator.resource(Kind::Payouts, &payout).unwrap();
    assert_eq!(
        (&pending["status"], &pending["fx"]["fx_amount"]),
        (&json!("pending"), &Value::Null)
    );
    // Tax in another currency is not known yet either.
    let tax = items(&mut simulator, &payout, "")["payout_items"][1]["taxes"][0].clone();
    assert_eq!(
        (&tax["destination_amount"], &tax["exchange_rate"]),
        (&Value::Null, &Value::Null)
    );

    simulator
        .confirm_fx(&payout, "0.8512345".parse().unwrap(), day(2))
        .unwrap();
    let done = simulator.resource(Kind::Payouts, &payout).unwrap();
    assert_eq!(
        done["fx"],
        json!({
            "fx_currency": "GBP", "fx_amount": 8390, "exchange_rate": "0.8512345", "estimated_exchange_rate": null,
        })
    );
    assert_eq!(done["status"], "paid");
    assert!(simulator.confirm_fx(&payout, Decimal::ONE, day(2)).is_err());
    simulator
        .confirm_tax_rates(&payout, "0.85".parse().unwrap(), day(2))
        .unwrap();
    let tax = items(&mut simulator, &payout, "")["payout_items"][1]["taxes"][0].clone();
    assert_eq!(
        (
            &tax["amount"],
            &tax["destination_amount"],
            &tax["exchange_rate"]
        ),
        (&json!("-24.0"), &json!("-20.4"), &json!("0.85"))
    );
}

#[test]
fn merchants_differ_in_their_fees() {
    let mut invoiced = sandbox_with(Settings {
        fees: None,
        ..Settings::default()
    });
    let (_, mandate) = payer(&mut invoiced, "GBP", start());
    confirmed(&mut invoiced, &mandate, 10000);
    let payout = invoiced.pay_out("GBP", day(1)).unwrap();
    assert_eq!(
        invoiced.resource(Kind::Payouts, &payout).unwrap()["deducted_fees"],
        0
    );
    assert_eq!(shown(&items(&mut invoiced, &payout, "")).len(), 1);

    let fees = Fees {
        surcharge_minor: 500.into(),
        tax_percent: None,
        ..Fees::default()
    };
    let mut surcharged = sandbox_with(Settings {
        fees: Some(fees),
        tax_currency: None,
        ..Settings::default()
    });
    let (_, mandate) = payer(&mut surcharged, "GBP", start());
    let payment = confirmed(&mut surcharged, &mandate, 10000);
    surcharged.pay_out("GBP", day(1)).unwrap();
    surcharged.charge_back(&payment, "other", day(2)).unwrap();
    confirmed(&mut surcharged, &mandate, 20000);
    let payout = surcharged.pay_out("GBP", day(3)).unwrap();
    let seen = shown(&items(&mut surcharged, &payout, ""));
    assert!(
        seen.contains(&(
            "surcharge_fee".to_owned(),
            "-500.0".to_owned(),
            String::new()
        )),
        "{seen:?}"
    );
}

#[test]
fn a_bounced_refund_comes_back_only_if_it_was_taken() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let payment = confirmed(&mut simulator, &mandate, 5000);
    simulator.pay_out("GBP", day(1)).unwrap();
    let untaken = simulator.refund(&payment, 100, day(2)).unwrap();
    simulator.bounce_refund(&untaken, day(2)).unwrap();
    let taken = simulator.refund(&payment, 200, day(2)).unwrap();
    confirmed(&mut simulator, &mandate, 1000);
    let payout = simulator.pay_out("GBP", day(3)).unwrap();
    let amounts: Vec<String> = shown(&items(&mut simulator, &payout, ""))
        .into_iter()
        .map(|item| item.1)
        .collect();
    assert_eq!(amounts, ["-200.0", "1000.0", "-36.0"]);
    simulator.pay_refund(&taken, day(4)).unwrap();
    simulator.bounce_refund(&taken, day(5)).unwrap();
    assert_eq!(
        simulator.resource(Kind::Refunds, &taken).unwrap()["status"],
        "bounced"
    );
    let payout = simulator.pay_out("GBP", day(6)).unwrap();
    assert_eq!(
        shown(&items(&mut simulator, &payout, ""))[0].0,
        "refund_funds_returned"
    );
    assert_eq!(
        simulator.resource(Kind::Refunds, &taken).unwrap()["status"],
        "funds_returned"
    );
    assert_eq!(
        simulator.resource(Kind::Payments, &payment).unwrap()["amount_refunded"],
        0
    );
}
