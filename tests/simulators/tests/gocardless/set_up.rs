//! Customers, accounts, mandates by billing request, subscriptions, instalments (GC 2.1–2.5, 2.11–2.14).

use super::{actions, call, kind, payer, reason, sandbox, sandbox_with};
use crate::support::{day, start};
use ml_connector_core::http::Method;
use ml_connector_simulators::gocardless::{Kind, Party, Settings, Simulator};
use serde_json::{Value, json};

fn post(simulator: &mut Simulator, path: &str, body: Value) -> (u16, Value) {
    call(simulator, Method::Post, path, Some(body), start())
}

fn get(simulator: &mut Simulator, path: &str) -> (u16, Value) {
    call(simulator, Method::Get, path, None, start())
}

#[test]
fn customers_need_a_name_and_can_be_removed_for_good() {
    let mut simulator = sandbox();
    let (status, body) = post(
        &mut simulator,
        "/customers",
        json!({ "customers": { "given_name": "Ann" } }),
    );
    assert_eq!(
        (status, &body["error"]["errors"][0]["field"]),
        (422, &json!("family_name"))
    );
    let (status, body) = post(
        &mut simulator,
        "/customers",
        json!({ "customers": { "given_name": "Ann", "family_name": "Lee", "language": "xx" } }),
    );
    assert_eq!(
        (status, &body["error"]["errors"][0]["field"]),
        (422, &json!("language"))
    );
    let (customer, mandate) = payer(&mut simulator, "GBP", start());
    let path = format!("/customers/{customer}");
    let put = json!({ "customers": { "company_name": null } });
    assert_eq!(
        call(&mut simulator, Method::Put, &path, Some(put), start()).0,
        200,
        "null leaves it"
    );
    let put = json!({ "customers": { "city": "Leeds", "metadata": { "erp": "C-1" } } });
    let (_, body) = call(&mut simulator, Method::Put, &path, Some(put), start());
    assert_eq!(
        (
            &body["customers"]["city"],
            &body["customers"]["metadata"]["erp"]
        ),
        (&json!("Leeds"), &json!("C-1"))
    );
    let (status, body) = call(&mut simulator, Method::Delete, &path, None, start());
    assert_eq!((status, body), (204, Value::Null));
    let (status, body) = get(&mut simulator, &path);
    assert_eq!((status, reason(&body)), (410, "customer_data_removed"));
    assert_eq!(get(&mut simulator, "/customers").1["customers"], json!([]));
    assert_eq!(
        simulator.resource(Kind::Mandates, &mandate).unwrap()["status"],
        "cancelled"
    );
}

#[test]
fn bank_accounts_hide_their_number_and_exist_once() {
    let mut simulator = sandbox();
    let (customer, mandate) = payer(&mut simulator, "GBP", start());
    let account = json!({ "customer_bank_accounts": {
        "account_holder_name": "A", "iban": "FR1420041010050500013M02606", "links": { "customer": customer },
    } });
    let (status, body) = post(&mut simulator, "/customer_bank_accounts", account.clone());
    let made = &body["customer_bank_accounts"];
    assert_eq!(
        (status, &made["account_number_ending"], &made["currency"]),
        (201, &json!("06"), &json!("EUR"))
    );
    assert!(!body.to_string().contains("M02606"));
    let id = made["id"].as_str().unwrap().to_owned();
    let (status, body) = post(&mut simulator, "/customer_bank_accounts", account);
    assert_eq!(
        (status, kind(&body), reason(&body)),
        (409, "validation_failed", "bank_account_exists")
    );
    assert_eq!(
        body["error"]["errors"][0]["links"]["customer_bank_account"],
        json!(id)
    );
    let dollars = json!({ "customer_bank_accounts": {
        "account_holder_name": "A", "country_code": "US", "account_number": "2715500356", "bank_code": "026073150",
        "links": { "customer": customer },
    } });
    let (status, body) = post(&mut simulator, "/customer_bank_accounts", dollars);
    assert_eq!(
        (status, &body["error"]["errors"][0]["field"]),
        (422, &json!("account_type"))
    );

    let account =
        simulator.resource(Kind::Mandates, &mandate).unwrap()["links"]["customer_bank_account"]
            .as_str()
            .unwrap()
            .to_owned();
    let disable = format!("/customer_bank_accounts/{account}/actions/disable");
    assert_eq!(
        call(&mut simulator, Method::Post, &disable, None, start()).0,
        200
    );
    assert_eq!(
        simulator.resource(Kind::Mandates, &mandate).unwrap()["status"],
        "cancelled"
    );
    let (status, body) = call(&mut simulator, Method::Post, &disable, None, start());
    assert_eq!((status, reason(&body)), (422, "disable_failed"));
}

#[test]
fn mandates_by_api_are_restricted() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let account =
        simulator.resource(Kind::Mandates, &mandate).unwrap()["links"]["customer_bank_account"]
            .clone();
    let body = json!({ "mandates": { "links": { "customer_bank_account": account } } });
    let (status, answer) = post(&mut simulator, "/mandates", body.clone());
    assert_eq!((status, reason(&answer)), (403, "forbidden"));
    simulator.settings.mandates_by_api = true;
    let (status, answer) = post(&mut simulator, "/mandates", body.clone());
    assert_eq!(
        (
            status,
            &answer["mandates"]["scheme"],
            &answer["mandates"]["status"]
        ),
        (201, &json!("bacs"), &json!("pending_submission"))
    );
    let mut wrong = body;
    wrong["mandates"]["scheme"] = json!("sepa_core");
    assert_eq!(post(&mut simulator, "/mandates", wrong).0, 422);
}

#[test]
fn a_billing_request_goes_step_by_step_to_a_mandate() {
    let mut simulator = sandbox();
    let request = json!({ "billing_requests": { "mandate_request": { "currency": "GBP", "scheme": "bacs" }, "metadata": { "erp": "C-1" } } });
    let (status, body) = post(&mut simulator, "/billing_requests", request);
    assert_eq!(
        (status, &body["billing_requests"]["status"]),
        (201, &json!("pending"))
    );
    assert_eq!(
        body["billing_requests"]["actions"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let id = body["billing_requests"]["id"].as_str().unwrap().to_owned();
    let act = |simulator: &mut Simulator, name: &str, data: Value| {
        post(
            simulator,
            &format!("/billing_requests/{id}/actions/{name}"),
            json!({ "data": data }),
        )
    };
    assert_eq!(
        act(&mut simulator, "fulfil", json!({})).0,
        422,
        "nothing is collected yet"
    );
    let account = json!({ "account_holder_name": "A", "country_code": "GB", "branch_code": "200000", "account_number": "55779911" });
    assert_eq!(
        act(&mut simulator, "collect_bank_account", account.clone()).0,
        422,
        "the customer comes first"
    );
    assert_eq!(
        act(
            &mut simulator,
            "collect_customer_details",
            json!({ "customer": { "company_name": "A" } })
        )
        .0,
        200
    );
    assert_eq!(act(&mut simulator, "collect_bank_account", account).0, 200);
    let (_, body) = act(&mut simulator, "confirm_payer_details", json!({}));
    assert_eq!(body["billing_requests"]["status"], "ready_to_fulfil");
    let (_, body) = act(&mut simulator, "fulfil", json!({}));
    assert_eq!(body["billing_requests"]["status"], "fulfilled");
    let mandate = body["billing_requests"]["links"]["mandate_request_mandate"]
        .as_str()
        .unwrap();
    assert_eq!(
        simulator.resource(Kind::Mandates, mandate).unwrap()["status"],
        "pending_submission"
    );
    let (_, events) = get(
        &mut simulator,
        &format!("/events?billing_request={id}&action=fulfilled"),
    );
    assert_eq!(
        events["events"][0]["links"]["mandate_request_mandate"],
        json!(mandate)
    );
    assert_eq!(
        reason(&act(&mut simulator, "cancel", json!({})).1),
        "cancellation_failed"
    );
    let empty = post(
        &mut simulator,
        "/billing_requests",
        json!({ "billing_requests": {} }),
    );
    assert_eq!(empty.0, 422);
}

#[test]
fn a_payer_can_walk_through_a_flow() {
    let mut simulator = sandbox();
    let request = json!({ "billing_requests": {
        "mandate_request": { "currency": "EUR" }, "payment_request": { "amount": 1500, "currency": "EUR", "description": "first" },
    } });
    let (_, body) = post(&mut simulator, "/billing_requests", request);
    let id = body["billing_requests"]["id"].as_str().unwrap().to_owned();
    let flow = json!({ "billing_request_flows": { "redirect_uri": "https://erp.example/done", "links": { "billing_request": id } } });
    let (status, body) = post(&mut simulator, "/billing_request_flows", flow);
    assert_eq!(status, 201);
    assert!(
        body["billing_request_flows"]["authorisation_url"]
            .as_str()
            .unwrap()
            .starts_with("https://")
    );
    let flow = body["billing_request_flows"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    simulator
        .complete_flow(&flow, &Party::new("Payer", "EUR"), start())
        .unwrap();
    let done = simulator.resource(Kind::BillingRequests, &id).unwrap();
    let payment = done["links"]["payment_request_payment"].as_str().unwrap();
    assert_eq!(
        simulator.resource(Kind::Payments, payment).unwrap()["amount"],
        1500
    );
    let seen = actions(&mut simulator, &format!("billing_request={id}"), start());
    assert_eq!(seen.first().unwrap(), "created");
    assert_eq!(seen.last().unwrap(), "fulfilled");
    let both = json!({ "billing_request_with_actions": {
        "mandate_request": { "currency": "GBP" },
        "actions": [{ "type": "collect_customer_details", "collect_customer_details": { "customer": { "company_name": "B" } } }],
    } });
    let (status, body) = post(
        &mut simulator,
        "/billing_requests/create_with_actions",
        both,
    );
    assert_eq!(status, 201, "{body}");
    assert_eq!(
        body["billing_request_with_actions"]["actions"][0]["status"],
        "completed"
    );
}

#[test]
fn a_subscription_makes_its_payments_one_by_one() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let plan = |start_date: &str| {
        json!({ "subscriptions": {
        "amount": 4550, "currency": "GBP", "interval_unit": "monthly", "count": 2, "start_date": start_date,
        "links": { "mandate": mandate },
    } })
    };
    assert_eq!(
        post(&mut simulator, "/subscriptions", plan("2026-03-03")).0,
        422,
        "too early"
    );
    let (status, body) = post(&mut simulator, "/subscriptions", plan("2026-03-14"));
    assert_eq!(status, 201);
    // A Saturday moves to Monday.
    assert_eq!(
        body["subscriptions"]["upcoming_payments"],
        json!([
            { "charge_date": "2026-03-16", "amount": 4550 }, { "charge_date": "2026-04-14", "amount": 4550 },
        ])
    );
    let id = body["subscriptions"]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        simulator.run_subscriptions(start()).len(),
        0,
        "not within reach yet"
    );
    let made = simulator.run_subscriptions(day(10));
    assert_eq!(made.len(), 1);
    let payment = simulator.resource(Kind::Payments, &made[0]).unwrap();
    assert_eq!(
        (&payment["links"]["subscription"], &payment["charge_date"]),
        (&json!(id), &json!("2026-03-16"))
    );
    assert_eq!(simulator.run_subscriptions(day(10)).len(), 0, "never twice");
    assert_eq!(simulator.run_subscriptions(day(41)).len(), 1);
    let seen = actions(&mut simulator, &format!("subscription={id}"), day(41));
    assert_eq!(
        seen,
        ["created", "payment_created", "payment_created", "finished"]
    );
    let cancel = format!("/subscriptions/{id}/actions/pause");
    assert_eq!(
        reason(&post(&mut simulator, &cancel, json!({ "data": {} })).1),
        "subscription_already_ended"
    );
}

#[test]
fn a_subscription_can_be_paused_and_changed_ten_times() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let plan = json!({ "subscriptions": { "amount": 1000, "currency": "GBP", "interval_unit": "weekly", "links": { "mandate": mandate } } });
    let id = post(&mut simulator, "/subscriptions", plan).1["subscriptions"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let act = |simulator: &mut Simulator, name: &str| {
        post(
            simulator,
            &format!("/subscriptions/{id}/actions/{name}"),
            json!({ "data": {} }),
        )
    };
    assert_eq!(
        act(&mut simulator, "pause").1["subscriptions"]["status"],
        "paused"
    );
    assert_eq!(
        reason(&act(&mut simulator, "pause").1),
        "subscription_cannot_be_paused"
    );
    assert_eq!(simulator.run_subscriptions(day(30)).len(), 0);
    assert_eq!(
        act(&mut simulator, "resume").1["subscriptions"]["status"],
        "active"
    );
    let mut change = |amount: i64| {
        let body = json!({ "subscriptions": { "amount": amount } });
        call(
            &mut simulator,
            Method::Put,
            &format!("/subscriptions/{id}"),
            Some(body),
            start(),
        )
    };
    for amount in 0..10 {
        assert_eq!(change(2000 + amount).0, 200);
    }
    assert_eq!(
        reason(&change(9000).1),
        "number_of_subscription_amendments_exceeded"
    );
}

#[test]
fn instalments_are_created_later_and_must_add_up() {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let body = |total: i64, instalments: Value| {
        json!({ "instalment_schedules": {
        "name": "INV-1", "currency": "GBP", "total_amount": total, "instalments": instalments, "links": { "mandate": mandate },
    } })
    };
    let spaced = json!({ "start_date": "2026-03-10", "interval": 1, "interval_unit": "monthly", "amounts": [1000, 1000, 1000] });
    let (status, answer) = post(
        &mut simulator,
        "/instalment_schedules",
        body(2999, spaced.clone()),
    );
    assert_eq!(
        (status, &answer["error"]["errors"][0]["field"]),
        (422, &json!("total_amount"))
    );
    let (status, answer) = post(&mut simulator, "/instalment_schedules", body(3000, spaced));
    let schedule = &answer["instalment_schedules"];
    assert_eq!((status, &schedule["status"]), (201, &json!("pending")));
    assert!(schedule["links"].get("payments").is_none());
    let id = schedule["id"].as_str().unwrap().to_owned();
    let early = json!([{ "charge_date": "2026-03-03", "amount": 500 }, { "charge_date": "2026-03-10", "amount": 500 }]);
    let (_, answer) = post(&mut simulator, "/instalment_schedules", body(1000, early));
    let failed = answer["instalment_schedules"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    simulator.run_schedules(start());
    let made = simulator.resource(Kind::InstalmentSchedules, &id).unwrap();
    assert_eq!(
        (
            &made["status"],
            made["links"]["payments"].as_array().unwrap().len()
        ),
        (&json!("active"), 3)
    );
    let failed = simulator
        .resource(Kind::InstalmentSchedules, &failed)
        .unwrap();
    assert_eq!(failed["status"], "creation_failed");
    assert_eq!(
        failed["payment_errors"]
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
        ["0"]
    );
    let cancel = format!("/instalment_schedules/{id}/actions/cancel");
    assert_eq!(
        post(&mut simulator, &cancel, json!({ "data": {} })).1["instalment_schedules"]["status"],
        "cancelled"
    );
    let payment = made["links"]["payments"][0].as_str().unwrap();
    assert_eq!(
        simulator.resource(Kind::Payments, payment).unwrap()["status"],
        "cancelled"
    );
}

#[test]
fn creditors_balances_and_tax_rates_can_be_read() {
    let mut simulator = sandbox_with(Settings {
        balance_calls_per_minute: 1,
        ..Settings::default()
    });
    let (_, body) = get(&mut simulator, "/creditors");
    let creditor = &body["creditors"][0];
    assert_eq!(
        (
            &creditor["verification_status"],
            &creditor["can_create_refunds"]
        ),
        (&json!("successful"), &json!(true))
    );
    let account = creditor["links"]["default_gbp_payout_account"]
        .as_str()
        .unwrap();
    assert!(creditor["links"]["default_eur_payout_account"].is_null());
    assert_eq!(
        get(
            &mut simulator,
            &format!("/creditor_bank_accounts/{account}")
        )
        .0,
        200
    );
    let another = json!({ "creditors": { "name": "Another" } });
    assert_eq!(
        reason(&post(&mut simulator, "/creditors", another).1),
        "forbidden"
    );
    assert_eq!(
        get(&mut simulator, "/tax_rates/GB_VAT_1").1["tax_rates"]["percentage"],
        "20.0"
    );
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    let payment = simulator
        .collect_payment(&mandate, 700, &[], start())
        .unwrap();
    simulator.confirm(&payment, start()).unwrap();
    let (status, body) = get(&mut simulator, "/balances");
    assert_eq!((status, &body["balances"][0]["amount"]), (200, &json!(700)));
    assert_eq!(
        get(&mut simulator, "/balances").0,
        429,
        "sixty a minute, here one"
    );
}
