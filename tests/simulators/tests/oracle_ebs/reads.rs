//! Polling open invoices, periods (EB 5.1, 8.3).

use super::{ORG, receipt, run, site};
use crate::support::{at, start};
use serde_json::{Value, json};

fn items(answer: &Value) -> Vec<String> {
    let rows = &answer["X_INVOICES"]["X_INVOICES_ITEM"];
    let rows = match rows {
        Value::Array(rows) => rows.clone(),
        Value::Null => Vec::new(),
        one @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            vec![one.clone()]
        }
    };
    let text = |row: &Value| row["TRX_NUMBER"].as_str().unwrap().to_owned();
    rows.iter().map(text).collect()
}

#[test]
fn pages_go_on_after_the_last_row_of_the_same_second() {
    let (mut simulator, _) = site();
    let due = "2026-04-01".parse().unwrap();
    for at in 2..=5 {
        simulator.add_invoice(
            1290,
            &format!("INV-100{at}"),
            "10".parse().unwrap(),
            due,
            start(),
        );
    }
    let (mut since, mut after, mut seen) = (Value::Null, "0".to_owned(), Vec::new());
    loop {
        let mut inputs = json!({ "P_AFTER_ID": after, "P_MAX_ROWS": "2" });
        if let Some(text) = since.as_str() {
            inputs["P_UPDATED_SINCE"] = json!(text);
        }
        let page = run(&mut simulator, "GET_OPEN_INVOICES", &inputs, at(10));
        seen.extend(items(&page));
        let rows = &page["X_INVOICES"]["X_INVOICES_ITEM"];
        let last = rows.as_array().map_or(rows, |rows| rows.last().unwrap());
        since = json!(last["LAST_UPDATE_DATE"].as_str().unwrap()[..19].to_owned());
        after = last["PAYMENT_SCHEDULE_ID"].as_str().unwrap().to_owned();
        assert_eq!(page["X_SERVER_TIME"], "2026-03-02T01:00:10.000-08:00");
        if page["X_HAS_MORE"] == "N" {
            break;
        }
    }
    assert_eq!(
        seen,
        ["INV-1001", "INV-1002", "INV-1003", "INV-1004", "INV-1005"]
    );
}

#[test]
fn a_payment_elsewhere_shows_as_a_closed_row() {
    let (mut simulator, schedule) = site();
    simulator.pay_elsewhere(schedule, at(60));
    let since = json!({ "P_UPDATED_SINCE": "2026-03-02T01:00:30" });
    let page = run(&mut simulator, "GET_OPEN_INVOICES", &since, at(61));
    assert_eq!(page["X_INVOICES"]["X_INVOICES_ITEM"]["STATUS"], "CL");
    simulator.switches.closed_too = false;
    assert!(items(&run(&mut simulator, "GET_OPEN_INVOICES", &since, at(62))).is_empty());
}

#[test]
fn receipts_and_credit_memos_are_negative_schedules() {
    let (mut simulator, schedule) = site();
    run(
        &mut simulator,
        "CREATE_AND_APPLY",
        &receipt(schedule),
        at(5),
    );
    let due = "2026-04-01".parse().unwrap();
    let memo = simulator.add_invoice(1290, "CM-1", "-40".parse().unwrap(), due, at(6));
    simulator.invoice_mut(memo).unwrap().class = "CM";
    let all = run(&mut simulator, "GET_OPEN_INVOICES", &json!({}), at(7));
    assert_eq!(items(&all), ["INV-1001", "PM01", "CM-1"]);
    simulator.switches.all_classes = false;
    let collectable = run(&mut simulator, "GET_OPEN_INVOICES", &json!({}), at(8));
    assert_eq!(items(&collectable), ["INV-1001"]);
}

#[test]
fn a_late_commit_hides_behind_rows_already_read() {
    let (mut simulator, _) = site();
    let due = "2026-04-01".parse().unwrap();
    let late = simulator.add_invoice(1290, "INV-7", "1".parse().unwrap(), due, at(300));
    let earlier = simulator.local(at(30));
    simulator.invoice_mut(late).unwrap().updated = earlier;
    let exact = json!({ "P_UPDATED_SINCE": "2026-03-02T01:01:00" });
    assert!(items(&run(&mut simulator, "GET_OPEN_INVOICES", &exact, at(301))).is_empty());
    let overlapping = json!({ "P_UPDATED_SINCE": "2026-03-02T00:51:00" });
    assert_eq!(
        items(&run(
            &mut simulator,
            "GET_OPEN_INVOICES",
            &overlapping,
            at(301)
        ))
        .len(),
        2
    );
}

#[test]
fn the_next_open_period_is_told() {
    let (mut simulator, _) = site();
    let asked = json!({ "P_GL_DATE": "2026-02-27T00:00:00" });
    let found = run(&mut simulator, "GET_OPEN_PERIOD", &asked, start());
    assert_eq!(found["X_GL_DATE"], "2026-03-01T00:00:00.000-08:00");
    assert_eq!(found["X_IS_OPEN"], "N");
    simulator.close_period(ORG, 2026, 3);
    let none = run(&mut simulator, "GET_OPEN_PERIOD", &asked, start());
    assert_eq!(none["X_RETURN_STATUS"], "E");
    let unknown = run(
        &mut simulator,
        "GET_REQUEST_STATUS",
        &json!({ "P_REQUEST_ID": "1" }),
        start(),
    );
    assert_eq!(unknown["X_RETURN_STATUS"], "E");
    let customers = run(&mut simulator, "GET_CUSTOMERS", &json!({}), start());
    let item = &customers["X_CUSTOMERS"]["X_CUSTOMERS_ITEM"];
    assert_eq!(
        (&item["ACCOUNT_NUMBER"], item["EMAIL_ADDRESS"].is_object()),
        (&json!("C-2044"), true)
    );
}
