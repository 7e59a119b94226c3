//! The receipt API (EB 5.3, 5.8, 6, 8.3).

use super::{ORG, receipt, run, site, with};
use crate::support::{at, start};
use ml_connector_simulators::oracle_ebs::{Method, Simulator};
use rust_decimal::Decimal;
use serde_json::{Value, json};

fn create(simulator: &mut Simulator, inputs: &Value) -> Value {
    run(simulator, "CREATE_AND_APPLY", inputs, start())
}

fn money(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[test]
fn a_receipt_closes_its_invoice_and_a_reversal_opens_it() {
    let (mut simulator, schedule) = site();
    let header = simulator.invoice(schedule).unwrap().header_updated;
    let done = run(
        &mut simulator,
        "CREATE_AND_APPLY",
        &receipt(schedule),
        at(60),
    );
    assert_eq!(done["X_RETURN_STATUS"], "S", "{done}");
    let invoice = simulator.invoice(schedule).unwrap();
    assert_eq!((invoice.status(), invoice.remaining), ("CL", Decimal::ZERO));
    assert!(invoice.updated > header && invoice.header_updated == header);
    let own = simulator.receipts().next().unwrap().clone();
    assert_eq!(simulator.receipt_status(&own), "APP");
    let sums = simulator.sums()["GBP"].clone();
    assert_eq!((sums.received, sums.applied), (money("250"), money("250")));

    let inputs = json!({
        "P_API_VERSION": "1.0", "P_COMMIT": "T", "P_CASH_RECEIPT_ID": done["P_CR_ID"],
        "P_REVERSAL_CATEGORY_CODE": "NSF", "P_REVERSAL_REASON_CODE": "PAYMENT REVERSAL",
        "P_REVERSAL_GL_DATE": "2026-03-12T00:00:00", "P_REVERSAL_DATE": "2026-03-12T00:00:00"
    });
    assert_eq!(
        run(&mut simulator, "REVERSE", &inputs, at(90))["X_RETURN_STATUS"],
        "S"
    );
    assert_eq!(simulator.invoice(schedule).unwrap().remaining, money("250"));
    let own = simulator.receipts().next().unwrap().clone();
    assert_eq!(simulator.receipt_status(&own), "NSF");
    assert_eq!(simulator.sums()["GBP"].reversed, money("250"));
    assert_eq!(
        run(&mut simulator, "REVERSE", &inputs, at(91))["X_RETURN_STATUS"],
        "E"
    );
    // The reversed one no longer counts as a duplicate.
    assert_eq!(
        create(&mut simulator, &receipt(schedule))["X_RETURN_STATUS"],
        "S"
    );
    let net: Decimal = simulator.posted().iter().map(|own| own.amount).sum();
    assert_eq!((simulator.posted().len(), net), (3, money("250")));
}

#[test]
fn only_the_very_same_receipt_is_a_duplicate() {
    let (mut simulator, schedule) = site();
    let half = with(
        receipt(schedule),
        &json!({ "P_AMOUNT": "100", "P_AMOUNT_APPLIED": "100" }),
    );
    assert_eq!(create(&mut simulator, &half)["X_RETURN_STATUS"], "S");
    let again = create(&mut simulator, &half);
    assert_eq!(again["X_RETURN_STATUS"], "E");
    assert!(
        again["X_MSG_DATA"]
            .as_str()
            .unwrap()
            .contains("already exists")
    );
    // On another day nothing stops it (EB 10 no. 4).
    let next_day = with(half, &json!({ "P_RECEIPT_DATE": "2026-03-06T00:00:00" }));
    assert_eq!(create(&mut simulator, &next_day)["X_RETURN_STATUS"], "S");
    assert_eq!(simulator.receipts_numbered("PM01").count(), 2);
}

#[test]
fn business_errors_stand_under_200() {
    for (change, wanted) in [
        (
            json!({ "P_GL_DATE": "2026-02-28T00:00:00" }),
            "closed period",
        ),
        (json!({ "P_GL_DATE": "2026-03-05T08:00:00" }), "time of day"),
        (json!({ "P_RECEIPT_METHOD_ID": "9" }), "method"),
        (
            json!({ "P_REMITTANCE_BANK_ACCOUNT_ID": "10078" }),
            "bank account",
        ),
        (json!({ "P_AMOUNT": "-5" }), "negative"),
        (json!({ "P_AMOUNT": null }), "enter the receipt amount"),
        (json!({ "P_AMOUNT": "250.001" }), "decimals"),
        (json!({ "P_CUSTOMER_ID": "7" }), "customer"),
        (json!({ "P_CUSTOMER_SITE_USE_ID": "7" }), "site"),
        (
            json!({ "P_APPLIED_PAYMENT_SCHEDULE_ID": "7" }),
            "transaction is not valid",
        ),
        (
            json!({ "P_AMOUNT": "400", "P_AMOUNT_APPLIED": "300" }),
            "over apply",
        ),
        (json!({ "P_AMOUNT_APPLIED": "260" }), "over apply"),
        (json!({ "P_AMOUNT": "200" }), "unapplied"),
        (json!({ "P_AMOUNT_APPLIED": null }), "amount to be applied"),
        (
            json!({ "P_ATTRIBUTE_REC": { "ATTRIBUTE1": "PM01" } }),
            "flexfield",
        ),
    ] {
        let (mut simulator, schedule) = site();
        let done = create(&mut simulator, &with(receipt(schedule), &change));
        assert_eq!(done["X_RETURN_STATUS"], "E", "{change}: {done}");
        let text = done["X_MSG_DATA"].as_str().unwrap_or_default();
        assert!(text.contains(wanted), "{change}: {done}");
        assert_eq!(simulator.receipts().count(), 0);
    }
    let (mut simulator, schedule) = site();
    let two = json!({ "P_AMOUNT": null, "P_RECEIPT_METHOD_ID": "9" });
    let done = create(&mut simulator, &with(receipt(schedule), &two));
    assert_eq!(
        (done["X_MSG_COUNT"].as_str(), done["X_MSG_DATA"].is_object()),
        (Some("2"), true)
    );
    let long = json!({ "P_RECEIPT_NUMBER": "P".repeat(31) });
    let done = create(&mut simulator, &with(receipt(schedule), &long));
    assert_eq!(done["X_RETURN_STATUS"], "U");
}

#[test]
fn without_commit_a_success_leaves_nothing() {
    let (mut simulator, schedule) = site();
    let done = create(
        &mut simulator,
        &with(receipt(schedule), &json!({ "P_COMMIT": null })),
    );
    assert_eq!(done["X_RETURN_STATUS"], "S");
    assert!(done["P_CR_ID"].is_string());
    assert_eq!(simulator.receipts().count(), 0);
    simulator.switches.commits_anyway = true;
    create(
        &mut simulator,
        &with(receipt(schedule), &json!({ "P_COMMIT": "F" })),
    );
    assert_eq!(simulator.receipts().count(), 1);
}

#[test]
fn two_steps_leave_an_unapplied_receipt_between_them() {
    let (mut simulator, schedule) = site();
    let gone = json!({ "P_APPLIED_PAYMENT_SCHEDULE_ID": null, "P_AMOUNT_APPLIED": null, "P_APPLY_DATE": null,
        "P_APPLY_GL_DATE": null, "P_CALL_PAYMENT_PROCESSOR": null });
    let done = run(
        &mut simulator,
        "CREATE_CASH",
        &with(receipt(schedule), &gone),
        start(),
    );
    let status = |simulator: &Simulator| {
        let own = simulator.receipts().next().unwrap().clone();
        simulator.receipt_status(&own)
    };
    assert_eq!(status(&simulator), "UNAPP");
    let apply = json!({ "P_API_VERSION": "1.0", "P_COMMIT": "T", "P_CASH_RECEIPT_ID": done["P_CR_ID"],
        "P_TRX_NUMBER": "INV-1001", "P_AMOUNT_APPLIED": "250", "P_APPLY_GL_DATE": "2026-03-05T00:00:00" });
    assert_eq!(
        run(&mut simulator, "APPLY", &apply, start())["X_RETURN_STATUS"],
        "S"
    );
    assert_eq!(status(&simulator), "APP");
    assert_eq!(
        run(&mut simulator, "UNAPPLY", &apply, start())["X_RETURN_STATUS"],
        "S"
    );
    assert_eq!(
        (
            status(&simulator).as_str(),
            simulator.invoice(schedule).unwrap().status()
        ),
        ("UNAPP", "OP")
    );
    let on_account = with(apply, &json!({ "P_TRX_NUMBER": null }));
    assert_eq!(
        run(&mut simulator, "APPLY_ON_ACCOUNT", &on_account, start())["X_RETURN_STATUS"],
        "S"
    );
    // APP, and our invoice is still open (EB 5.7).
    assert_eq!(
        (
            status(&simulator).as_str(),
            simulator.invoice(schedule).unwrap().status()
        ),
        ("APP", "OP")
    );
}

#[test]
fn an_automatic_method_can_take_the_money_twice() {
    let (mut simulator, schedule) = site();
    let method = Method {
        id: 3002,
        name: "Cards".to_owned(),
        automatic: true,
        accounts: [("GBP".to_owned(), 10_077)].into(),
    };
    simulator.set_method(method);
    let change = json!({ "P_RECEIPT_METHOD_ID": "3002", "P_CALL_PAYMENT_PROCESSOR": "T" });
    create(&mut simulator, &with(receipt(schedule), &change));
    assert_eq!(simulator.captured().len(), 1);
}

#[test]
fn texts_change_with_the_language_and_fees_may_be_negative() {
    let (mut simulator, schedule) = site();
    let text = super::body(
        "CREATE_CASH",
        &json!({ "P_API_VERSION": "1.0", "P_AMOUNT": "1" }),
    )
    .replace("AMERICAN", "GERMAN");
    let request = super::post("/gcreceipt/create_cash/", &text);
    crate::support::answer(simulator.handle(&request, start()));
    let fee = json!({ "P_API_VERSION": 1, "P_COMMIT": "T", "P_CURRENCY_CODE": "GBP", "P_AMOUNT": "-1.20",
        "P_RECEIPT_NUMBER": "PO01-FEE", "P_RECEIPT_DATE": "2026-03-05T00:00:00",
        "P_GL_DATE": "2026-03-05T00:00:00", "P_RECEIPT_METHOD_ID": "3001", "P_ACTIVITY": "GC fees" });
    let done = run(&mut simulator, "CREATE_MISC", &fee, start());
    assert_eq!(done["X_RETURN_STATUS"], "S", "{done}");
    assert_eq!(simulator.sums()["GBP"].received, money("-1.20"));
    simulator.close_period(ORG, 2026, 3);
    let closed = create(&mut simulator, &receipt(schedule));
    assert_eq!(closed["X_RETURN_STATUS"], "E");
}
