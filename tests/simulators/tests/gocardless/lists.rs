//! Lists (GC 1.2, 2.0, 3).

use super::{call, payer, reason, sandbox, sandbox_with};
use crate::support::{at, start};
use ml_connector_core::http::Method;
use ml_connector_simulators::gocardless::{Settings, Simulator};
use serde_json::Value;

fn list(simulator: &mut Simulator, path: &str) -> Value {
    let (status, body) = call(simulator, Method::Get, path, None, at(5000));
    assert_eq!(status, 200, "{path}: {body}");
    body
}

fn amounts(body: &Value) -> Vec<i64> {
    body["payments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|payment| payment["amount"].as_i64().unwrap())
        .collect()
}

/// Payments of 1000, 1001 … one second apart.
fn with_payments(count: i64) -> Simulator {
    let mut simulator = sandbox();
    let (_, mandate) = payer(&mut simulator, "GBP", start());
    for number in 0..count {
        simulator
            .collect_payment(&mandate, 1000 + number, &[], at(number))
            .unwrap();
    }
    simulator
}

#[test]
fn pages_go_from_new_to_old_without_gaps_or_repeats() {
    let mut simulator = with_payments(120);
    let mut path = "/payments".to_owned();
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let body = list(&mut simulator, &path);
        assert_eq!(body["meta"]["limit"], 50);
        assert_eq!(body["meta"]["cursors"]["before"].is_null(), pages == 0);
        seen.extend(amounts(&body));
        pages += 1;
        let Some(after) = body["meta"]["cursors"]["after"].as_str() else {
            break;
        };
        assert_eq!(
            body["payments"].as_array().unwrap().last().unwrap()["id"],
            after
        );
        path = format!("/payments?after={after}");
    }
    assert_eq!(pages, 3);
    assert_eq!(
        seen,
        (0..120)
            .rev()
            .map(|number| 1000 + number)
            .collect::<Vec<_>>()
    );
}

#[test]
fn new_rows_do_not_shift_pages_and_before_goes_back() {
    let mut simulator = with_payments(10);
    let first = list(&mut simulator, "/payments?limit=3");
    let after = first["meta"]["cursors"]["after"]
        .as_str()
        .unwrap()
        .to_owned();
    let mandate = first["payments"][0]["links"]["mandate"]
        .as_str()
        .unwrap()
        .to_owned();
    simulator
        .collect_payment(&mandate, 9999, &[], at(99))
        .unwrap();
    let second = list(&mut simulator, &format!("/payments?limit=3&after={after}"));
    assert_eq!(amounts(&second), [1006, 1005, 1004]);
    let before = second["meta"]["cursors"]["before"].as_str().unwrap();
    let back = list(
        &mut simulator,
        &format!("/payments?limit=3&before={before}"),
    );
    assert_eq!(amounts(&back), [1009, 1008, 1007]);
    assert!(
        back["meta"]["cursors"]["before"].is_string(),
        "one newer row has come"
    );
    let newest = list(&mut simulator, "/payments?limit=1");
    assert_eq!(amounts(&newest), [9999]);
}

#[test]
fn limits_and_cursors_are_checked() {
    let mut simulator = with_payments(2);
    for bad in [
        "limit=0",
        "limit=501",
        "limit=ten",
        "after=PM404",
        "sort_field=id",
        "status=a&colour=red",
        "creditor=CR1&customer=CU1",
    ] {
        let (status, body) = call(
            &mut simulator,
            Method::Get,
            &format!("/payments?{bad}"),
            None,
            start(),
        );
        assert_eq!((status, reason(&body)), (400, "invalid_filters"), "{bad}");
    }
    assert_eq!(
        amounts(&list(&mut simulator, "/payments?limit=500")).len(),
        2
    );
    let settings = Settings {
        unused_cursor_left_out: true,
        ..Settings::default()
    };
    let body = list(&mut sandbox_with(settings), "/payments");
    assert_eq!(body["meta"]["cursors"], serde_json::json!({}));
}

#[test]
fn ranges_are_open_or_closed_as_written() {
    let mut simulator = with_payments(10);
    let stamp = |second: u32| format!("2026-03-02T09:00:0{second}.000Z");
    for (filter, wanted) in [
        (format!("created_at[gte]={}", stamp(8)), vec![1009, 1008]),
        (format!("created_at%5Bgt%5D={}", stamp(8)), vec![1009]),
        (format!("created_at[lt]={}", stamp(1)), vec![1000]),
        (format!("created_at[lte]={}", stamp(1)), vec![1001, 1000]),
        (
            format!("created_at[gte]={}&created_at[lt]={}", stamp(4), stamp(6)),
            vec![1005, 1004],
        ),
        (
            format!("created_at[gte]={}", "2026-03-02T10:00:09%2B01:00"),
            vec![1009],
        ),
    ] {
        assert_eq!(
            amounts(&list(&mut simulator, &format!("/payments?{filter}"))),
            wanted,
            "{filter}"
        );
    }
    assert_eq!(
        amounts(&list(
            &mut simulator,
            "/payments?charge_date[gte]=2026-03-07"
        ))
        .len(),
        0
    );
    assert_eq!(
        amounts(&list(
            &mut simulator,
            "/payments?charge_date[lte]=2026-03-06"
        ))
        .len(),
        10
    );
}

#[test]
fn filters_look_where_they_should() {
    let mut simulator = sandbox();
    let (customer, mandate) = payer(&mut simulator, "GBP", start());
    let (_, other) = payer(&mut simulator, "EUR", start());
    simulator
        .collect_payment(&mandate, 3000, &[], start())
        .unwrap();
    let confirmed = simulator
        .collect_payment(&mandate, 1000, &[], start())
        .unwrap();
    simulator
        .collect_payment(&other, 2000, &[], start())
        .unwrap();
    simulator.confirm(&confirmed, start()).unwrap();
    for (filter, wanted) in [
        (format!("customer={customer}"), vec![1000, 3000]),
        (format!("mandate={other}"), vec![2000]),
        ("status=confirmed".to_owned(), vec![1000]),
        ("currency=EUR".to_owned(), vec![2000]),
        ("scheme=bacs".to_owned(), vec![1000, 3000]),
        (
            "sort_field=amount&sort_direction=asc".to_owned(),
            vec![1000, 2000, 3000],
        ),
        ("sort_field=amount".to_owned(), vec![3000, 2000, 1000]),
    ] {
        assert_eq!(
            amounts(&list(&mut simulator, &format!("/payments?{filter}"))),
            wanted,
            "{filter}"
        );
    }
    let mandates = list(
        &mut simulator,
        "/mandates?scheme=bacs,sepa_core&status=active",
    );
    assert_eq!(mandates["mandates"].as_array().unwrap().len(), 2);
    let customers = list(&mut simulator, "/customers?currency=EUR");
    assert_eq!(customers["customers"].as_array().unwrap().len(), 1);
}
