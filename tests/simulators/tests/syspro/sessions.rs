//! Logon, one session per operator, logoff (SY 2).

use super::{BASE, get, logon, run, server, server_with, text, url};
use crate::support::{answer, at, start};
use ml_connector_core::http::HttpResponse;
use ml_connector_simulators::syspro::{Operator, Simulator, Switches};
use std::time::Duration;

fn call(simulator: &mut Simulator, path: &str) -> HttpResponse {
    answer(simulator.handle(&get(&format!("{BASE}{path}")), start()))
}

#[test]
fn a_logon_answers_36_bytes_of_octets() {
    let mut simulator = server();
    let path = "/lOgOn?CompanyId=EDU1&operator=GC&OperatorPassword=secret&CompanyPassword=";
    let response = call(&mut simulator, path);
    assert_eq!(
        (response.status, response.header("content-type")),
        (200, Some("application/octet-stream"))
    );
    let id = text(&response);
    assert_eq!(id.len(), 36);
    assert!(
        id[..32]
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte))
    );
    assert_eq!(&id[32..], "00  ");
    // Ids are taken with and without the spaces.
    let profile = call(
        &mut simulator,
        &format!("/GetLogonProfile?UserId={}%20%20", id.trim()),
    );
    assert!(text(&profile).contains("<DefaultBank>GC</DefaultBank>"));
    assert_eq!(
        text(&call(
            &mut simulator,
            &format!("/logoff?UserId={}", id.trim())
        )),
        "0"
    );
    let gone = text(&call(
        &mut simulator,
        &format!("/Logoff?UserId={}", id.trim()),
    ));
    assert_eq!(gone, "ERROR: The supplied UserID is invalid.");
    assert_eq!(simulator.open_sessions(), 0);
}

#[test]
fn logons_are_refused_in_text_under_200() {
    let mut simulator = server();
    simulator.company_mut("EDU1").unwrap().password = "books".to_owned();
    for (query, wanted) in [
        (
            "Operator=GC&OperatorPassword=wrong&CompanyId=EDU1&CompanyPassword=books",
            "Invalid operator password",
        ),
        (
            "Operator=XX&OperatorPassword=secret&CompanyId=EDU1&CompanyPassword=books",
            "Invalid operator",
        ),
        (
            "Operator=GC&OperatorPassword=secret&CompanyId=NONE&CompanyPassword=books",
            "Invalid company",
        ),
        (
            "Operator=GC&OperatorPassword=secret&CompanyId=EDU1&CompanyPassword=",
            "Invalid company password",
        ),
        (
            "Operator=GC&OperatorPassword=secret&CompanyId=EDU1",
            "Parameter CompanyPassword is missing",
        ),
    ] {
        let response = call(&mut simulator, &format!("/Logon?{query}"));
        assert_eq!(
            (response.status, text(&response)),
            (200, format!("ERROR: {wanted}"))
        );
    }
    simulator.block_logons_until(Some(at(60)));
    let right = "/Logon?Operator=GC&OperatorPassword=secret&CompanyId=EDU1&CompanyPassword=books";
    assert!(text(&call(&mut simulator, right)).contains("prevented"));
    let later = answer(simulator.handle(&get(&format!("{BASE}{right}")), at(60)));
    assert_eq!(text(&later).len(), 36);
}

#[test]
fn a_second_logon_ends_the_first_session() {
    let mut simulator = server();
    let first = logon(&mut simulator, start());
    let second = logon(&mut simulator, start());
    assert_ne!(first, second);
    let find = "<Query><TableName>ApBank</TableName><ReturnRows>1</ReturnRows><Columns><Column>Bank</Column></Columns></Query>";
    let with = |simulator: &mut Simulator, id: &str| {
        text(&answer(simulator.handle(
            &get(&url("Query/Query", id, "COMFND", "", find)),
            start(),
        )))
    };
    assert_eq!(
        with(&mut simulator, &first),
        "ERROR: The supplied UserID is invalid."
    );
    assert!(with(&mut simulator, &second).contains("<Bank>GC</Bank>"));
    simulator.sign_in_at_the_client("gc");
    assert_eq!(
        with(&mut simulator, &second),
        "ERROR: The supplied UserID is invalid."
    );
    assert_eq!((simulator.logons(), simulator.evictions()), (2, 2));
}

#[test]
fn seats_and_idle_time_are_limited() {
    let switches = Switches {
        seats: 1,
        idle_expiry: Some(Duration::from_secs(300)),
        ..Switches::default()
    };
    let mut simulator = server_with(switches);
    simulator.set_operator(
        "AB",
        Operator {
            password: String::new(),
            bank: "GC".to_owned(),
        },
    );
    let id = logon(&mut simulator, start());
    let other = "/Logon?Operator=AB&OperatorPassword=&CompanyId=EDU1&CompanyPassword=";
    assert!(text(&call(&mut simulator, other)).contains("licensed users"));
    let profile = get(&format!("{BASE}/GetLogonProfile?UserId={id}"));
    assert!(!text(&answer(simulator.handle(&profile, at(300)))).starts_with("ERROR"));
    assert!(!text(&answer(simulator.handle(&profile, at(600)))).starts_with("ERROR"));
    assert!(text(&answer(simulator.handle(&profile, at(901)))).contains("UserID is invalid"));
}

#[test]
fn the_version_needs_no_session_and_other_instances_do_not_exist() {
    let mut simulator = server();
    assert!(text(&call(&mut simulator, "/getversion")).starts_with("8."));
    let path = format!("/Logoff?UserId={}08", "0123456789ABCDEF".repeat(2));
    let wanted = "ERROR: Unable to read the SYSPRO base directory registry string BaseDir8";
    assert_eq!(text(&call(&mut simulator, &path)), wanted);
    let unknown = run(&mut simulator, "Transaction/Post", "ARSPAY", "", "<x/>");
    assert_eq!(unknown, "ERROR: e.net exception raised: 100000");
    let build = run(&mut simulator, "Transaction/Build", "SORRSL", "", "<x/>");
    assert_eq!(build, unknown);
}
