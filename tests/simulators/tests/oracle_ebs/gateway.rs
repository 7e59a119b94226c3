//! Credentials, sessions, levels, faults (EB 1 to 3, 8).

use super::{
    BASE, basic, body, call, code, get, header, path, post, receipt, run, site, site_with,
};
use crate::support::{answer, at, json, request, start};
use ml_connector_core::http::Method;
use ml_connector_simulators::oracle_ebs::{
    Expired, Fault, Nulls, On, Responsibility, Simulator, Switches, User,
};
use ml_connector_simulators::{Reply, Simulated as _};
use serde_json::{Value, json};
use std::time::Duration;

/// Logs in and gives the cookie.
fn login(simulator: &mut Simulator, secs: i64) -> String {
    let response = answer(simulator.handle(&get("/login"), at(secs)));
    let body = json(&response);
    let data = &body["data"];
    let cookie = format!(
        "{}={}",
        data["accessTokenName"].as_str().unwrap(),
        data["accessToken"].as_str().unwrap()
    );
    let set = response.header("set-cookie").unwrap();
    assert!(set.starts_with(&cookie), "{set}");
    cookie
}

fn with_cookie(
    cookie: &str,
    operation: &str,
    inputs: &Value,
) -> ml_connector_core::http::HttpRequest {
    let headers = [
        ("Cookie", cookie),
        ("Content-Type", "application/json"),
        ("Accept", "application/json"),
    ];
    let url = format!("{BASE}{}", path(operation));
    request(Method::Post, &url, &headers, &body(operation, inputs))
}

#[test]
fn wrong_passwords_are_refused_and_lock_the_user() {
    let (mut simulator, _) = site();
    let wrong = basic("GC_INTEGRATION", "guess");
    let request = request(
        Method::Get,
        &format!("{BASE}/provider/isActive/"),
        &[("Authorization", &wrong)],
        "",
    );
    for _ in 0..3 {
        let response = answer(simulator.handle(&request, start()));
        assert_eq!(
            (response.status, code(&response).as_str()),
            (401, "FND_SOA_AUTHENTICATION_FAILURE")
        );
    }
    assert!(simulator.is_locked("GC_INTEGRATION"));
    let right = answer(simulator.handle(&get("/provider/isActive/"), start()));
    assert_eq!(right.status, 401);
}

#[test]
fn alias_operation_grant_and_slash_are_checked() {
    let (mut simulator, _) = site();
    let ping = answer(simulator.handle(&get("/provider/isActive/"), start()));
    assert_eq!((ping.status, &ping.body[..]), (200, &b"ACTIVE"[..]));
    simulator.revoke("REVERSE");
    for (path, operation, status, wanted) in [
        ("/nowhere/reverse/", "REVERSE", 404, "ISG_INVALID_ALIAS"),
        (
            "/gcreceipt/nothing/",
            "NOTHING",
            404,
            "ISG_INVALID_FUNCTION",
        ),
        (
            "/gcreceipt/REVERSE/",
            "REVERSE",
            404,
            "ISG_INVALID_FUNCTION",
        ),
        (
            "/gcreceipt/reverse/",
            "REVERSE",
            403,
            "ISG_SERVICE_AUTH_FAILURE",
        ),
        ("/gcreceipt/reverse", "REVERSE", 404, ""),
    ] {
        let request = post(path, &body(operation, &json!({})));
        let response = answer(simulator.handle(&request, start()));
        let seen = if response.header("content-type") == Some("text/html") {
            String::new()
        } else {
            code(&response)
        };
        assert_eq!((response.status, seen.as_str()), (status, wanted), "{path}");
    }
    let wadl = answer(simulator.handle(&get("/gcreceipt/?WADL"), start()));
    let text = String::from_utf8_lossy(&wadl.body).into_owned();
    assert!(
        text.contains("path=\"/create_and_apply/\"") && text.contains("internal"),
        "{text}"
    );
    let xsd = get("/gcreceipt/?XSD=REVERSE_SYNCH_TYPEDEF.xsd");
    let xsd = answer(simulator.handle(&xsd, start()));
    assert!(String::from_utf8_lossy(&xsd.body).contains("P_REVERSAL_GL_DATE"));
}

#[test]
fn a_strict_level_wants_the_wrapper_and_known_names() {
    let bare = json!({ "InputParameters": { "P_REQUEST_ID": "1" } }).to_string();
    let other = json!({ "Anything": { "InputParameters": { "P_REQUEST_ID": "1" } } }).to_string();
    let spelt = json!({ "GET_REQUEST_STATUS_Input": {
        "RESTHeader": { "ORG_ID": "204" }, "InputParameters": {} } });
    let unknown = body("GET_REQUEST_STATUS", &json!({ "P_ID": "1" }));
    let null = body("GET_REQUEST_STATUS", &json!({ "P_REQUEST_ID": null }));
    let mut header_twice = body("GET_REQUEST_STATUS", &json!({}));
    header_twice = header_twice.replacen("\"Org_Id\"", "\"Org_Id\":\"1\",\"Org_Id\"", 1);
    let (mut strict, _) = site();
    let mut lax = Switches {
        strict: false,
        ..Switches::default()
    };
    lax.null_input_refused = false;
    let (mut lax, _) = site_with(lax);
    for (name, text, on_lax) in [
        ("bare", &bare, 200),
        ("other", &other, 200),
        ("ORG_ID", &spelt.to_string(), 200),
        ("unknown", &unknown, 200),
        ("null", &null, 200),
        ("twice", &header_twice, 500),
    ] {
        let request = post("/gcar/get_request_status/", text);
        let refused = answer(strict.handle(&request, start()));
        assert_eq!(refused.status, 500, "{name}");
        let wanted = if name == "twice" {
            "ISG_DUPLICATE_ORGID"
        } else {
            "ISG_SERVICE_EXECUTION_ERROR"
        };
        assert_eq!(code(&refused), wanted, "{name}");
        let lax = answer(lax.handle(&request, start()));
        assert_eq!(lax.status, on_lax, "{name}: {}", json(&lax));
    }
}

#[test]
fn the_context_must_be_the_users() {
    let (mut simulator, _) = site();
    for (member, value) in [
        ("Responsibility", "Receivables, Vision Operations"),
        ("RespApplication", "Receivables"),
        ("Org_Id", "911"),
        ("NLSLanguage", "en-GB"),
    ] {
        let mut wrong = header();
        wrong[member] = json!(value);
        let text = json!({ "GET_OPEN_PERIOD_Input": {
            "RESTHeader": wrong, "InputParameters": {} } });
        let request = post("/gcar/get_open_period/", &text.to_string());
        let response = answer(simulator.handle(&request, start()));
        assert_eq!(response.status, 500, "{member}");
    }
    simulator.switches.foreign_org_ignored = true;
    let text = body("GET_OPEN_PERIOD", &json!({})).replace("204", "911");
    let response = answer(simulator.handle(&post("/gcar/get_open_period/", &text), start()));
    assert_eq!(json(&response)["OutputParameters"]["X_IS_OPEN"], "Y");
    // Without any context the base tables look empty.
    let none = json!({ "GET_OPEN_INVOICES_Input": { "InputParameters": {} } }).to_string();
    let response = answer(simulator.handle(&post("/gcar/get_open_invoices/", &none), start()));
    assert_eq!(
        json(&response)["OutputParameters"]["X_INVOICES"],
        Value::Null
    );
}

#[test]
fn a_session_ends_when_idle_and_shows_it_in_three_ways() {
    for (expired, status, content) in [
        (Expired::Unauthorized, 401, "application/json"),
        (Expired::Redirect, 302, "text/html"),
        (Expired::LoginPage, 200, "text/html"),
    ] {
        let (mut simulator, _) = site_with(Switches {
            expired,
            ..Switches::default()
        });
        let cookie = login(&mut simulator, 0);
        let call = with_cookie(&cookie, "GET_OPEN_PERIOD", &json!({}));
        assert_eq!(answer(simulator.handle(&call, at(1700))).status, 200);
        assert_eq!(answer(simulator.handle(&call, at(3400))).status, 200);
        let late = answer(simulator.handle(&call, at(5300)));
        assert_eq!(
            (late.status, late.header("content-type")),
            (status, Some(content))
        );
    }
    let (mut simulator, _) = site();
    let cookie = login(&mut simulator, 0);
    let url = format!("{BASE}/logout");
    let logout = request(Method::Get, &url, &[("Cookie", &cookie)], "");
    assert_eq!(answer(simulator.handle(&logout, at(1))).status, 200);
    let call = with_cookie(&cookie, "GET_OPEN_PERIOD", &json!({}));
    assert_eq!(answer(simulator.handle(&call, at(2))).status, 401);
    assert_eq!(simulator.logins(), 1);
}

#[test]
fn the_context_of_a_session_sticks() {
    let (mut simulator, _) = site();
    simulator.add_responsibility(Responsibility {
        key: "BOTH".to_owned(),
        application: "AR".to_owned(),
        orgs: vec![204, 911],
    });
    simulator.set_user(
        "GC_INTEGRATION",
        User::new("secret", &["GC_RECEIVABLES", "BOTH"]),
    );
    let cookie = login(&mut simulator, 0);
    let initialize = json!({ "data": {
        "resp": { "key": "BOTH", "applKey": "AR" }, "securityGroup": { "key": "STANDARD" }, "org": { "id": 911 } } });
    let url = format!("{BASE}/initialize");
    let headers = [
        ("Cookie", cookie.as_str()),
        ("Content-Type", "application/json"),
    ];
    let request = request(Method::Post, &url, &headers, &initialize.to_string());
    assert_eq!(answer(simulator.handle(&request, at(1))).status, 200);
    // No header at all: the call runs in 911, where no period is open.
    let mut call = with_cookie(&cookie, "GET_OPEN_PERIOD", &json!({}));
    call.body = json!({ "GET_OPEN_PERIOD_Input": { "InputParameters": {} } })
        .to_string()
        .into();
    let leaked = json(&answer(simulator.handle(&call, at(2))));
    assert_eq!(leaked["OutputParameters"]["X_RETURN_STATUS"], "E");
    let own = with_cookie(&cookie, "GET_OPEN_PERIOD", &json!({}));
    let own = json(&answer(simulator.handle(&own, at(3))));
    assert_eq!(own["OutputParameters"]["X_RETURN_STATUS"], "S");
}

#[test]
fn media_types_are_needed() {
    let (mut simulator, _) = site();
    let mut request = post(
        "/gcar/get_open_period/",
        &body("GET_OPEN_PERIOD", &json!({})),
    );
    request.headers.retain(|(name, _)| name != "Accept");
    assert_eq!(answer(simulator.handle(&request, start())).status, 406);
    let mut request = post(
        "/gcar/get_open_period/",
        &body("GET_OPEN_PERIOD", &json!({})),
    );
    request.headers.retain(|(name, _)| name != "Content-Type");
    assert_eq!(answer(simulator.handle(&request, start())).status, 415);
}

#[test]
fn faults_strike_before_and_after_the_effect() {
    let (mut simulator, schedule) = site();
    let request = post(
        &path("CREATE_AND_APPLY"),
        &body("CREATE_AND_APPLY", &receipt(schedule)),
    );
    let on = On::Operation("CREATE_AND_APPLY");
    simulator.faults.plan(on, Fault::DropBefore);
    simulator.faults.plan(on, Fault::Status(502));
    simulator.faults.plan(
        on,
        Fault::Isg {
            status: 500,
            code: "ISG_DB_CONNECTION_ERROR",
            message: "no",
        },
    );
    simulator
        .faults
        .plan(on, Fault::Unexpected("ORA-00054: resource busy"));
    simulator.faults.plan(on, Fault::Expire);
    simulator.faults.plan(
        on,
        Fault::Cutover {
            lasts: Duration::from_secs(60),
        },
    );
    assert_eq!(simulator.handle(&request, at(0)), Reply::Drop);
    assert_eq!(answer(simulator.handle(&request, at(1))).status, 502);
    assert_eq!(
        code(&answer(simulator.handle(&request, at(2)))),
        "ISG_DB_CONNECTION_ERROR"
    );
    let busy = json(&answer(simulator.handle(&request, at(3))));
    assert_eq!(busy["OutputParameters"]["X_RETURN_STATUS"], "U");
    assert_eq!(simulator.receipts().count(), 0);
    // Basic calls have no session that could end.
    assert_eq!(answer(simulator.handle(&request, at(4))).status, 200);
    assert_eq!(answer(simulator.handle(&request, at(5))).status, 503);
    assert_eq!(answer(simulator.handle(&request, at(64))).status, 503);
    assert_eq!(answer(simulator.handle(&request, at(66))).status, 200);
    assert_eq!(simulator.receipts().count(), 1);

    for fault in [
        Fault::DropAfter,
        Fault::StatusAfter(504),
        Fault::Truncate { body_bytes: 10 },
        Fault::Slow {
            by: Duration::from_secs(5),
        },
    ] {
        let (mut simulator, schedule) = site();
        let request = post(
            &path("CREATE_AND_APPLY"),
            &body("CREATE_AND_APPLY", &receipt(schedule)),
        );
        simulator.faults.plan(On::Writes, fault.clone());
        simulator.handle(&request, at(0));
        assert_eq!(simulator.receipts().count(), 1, "{fault:?}");
    }
    let (mut simulator, schedule) = site();
    let request = post(
        &path("CREATE_AND_APPLY"),
        &body("CREATE_AND_APPLY", &receipt(schedule)),
    );
    simulator.faults.plan(
        On::Writes,
        Fault::Late {
            by: Duration::from_secs(90),
        },
    );
    let Reply::Delay { ticket, .. } = simulator.handle(&request, at(0)) else {
        panic!("no delay");
    };
    simulator.tick(at(89));
    assert_eq!(simulator.receipts().count(), 0);
    assert_eq!(answer(simulator.collect(ticket, at(90))).status, 200);
    assert_eq!(simulator.receipts().count(), 1);
}

#[test]
fn nulls_rows_and_numbers_have_their_quirks() {
    let (mut simulator, _) = site();
    let one = run(&mut simulator, "GET_OPEN_INVOICES", &json!({}), start());
    let item = &one["X_INVOICES"]["X_INVOICES_ITEM"];
    assert!(item.is_object());
    assert_eq!(item["AMOUNT_DUE_REMAINING"], "250");
    assert_eq!(item["DUE_DATE"], "2026-03-22T00:00:00.000-07:00");
    assert_eq!(item["TRX_DATE"], "2026-03-02T00:00:00.000-08:00");
    assert_eq!(one["X_MSG_DATA"], json!({ "@xsi:nil": "true" }));
    let due = "2026-04-01".parse().unwrap();
    simulator.add_invoice(1290, "INV-1002", "79.90".parse().unwrap(), due, at(1));
    simulator.switches.nulls = Nulls::Json;
    let two = run(&mut simulator, "GET_OPEN_INVOICES", &json!({}), at(2));
    assert_eq!(
        two["X_INVOICES"]["X_INVOICES_ITEM"][1]["AMOUNT_DUE_REMAINING"],
        "79.9"
    );
    assert_eq!(two["X_MSG_DATA"], Value::Null);
    let first = |value: &Value| value.as_object().unwrap().keys().next().unwrap().clone();
    assert_ne!(first(&one), first(&two));
    let none = json!({ "P_UPDATED_SINCE": "2027-01-01T00:00:00" });
    let none = run(&mut simulator, "GET_OPEN_INVOICES", &none, at(3));
    assert_eq!(none["X_INVOICES"], Value::Null);
    let offset = json!({ "P_UPDATED_SINCE": "2026-01-01T00:00:00.000-08:00" });
    assert_eq!(
        call(&mut simulator, "GET_OPEN_INVOICES", &offset, at(4)).status,
        500
    );
}

#[test]
fn every_variation_serves_the_careful_client() {
    for (name, switches) in Switches::variations() {
        let (mut simulator, schedule) = site_with(switches);
        let done = run(
            &mut simulator,
            "CREATE_AND_APPLY",
            &receipt(schedule),
            start(),
        );
        assert_eq!(done["X_RETURN_STATUS"], "S", "{name}: {done}");
        assert_eq!(
            simulator.sums()["GBP"].open,
            rust_decimal::Decimal::ZERO,
            "{name}"
        );
    }
}
