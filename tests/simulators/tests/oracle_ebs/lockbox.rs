//! The lockbox over time (EB 5.4 to 5.7, 7).

use super::{ORG, get, path, post, run, site, site_with};
use crate::support::{answer, at, json, start};
use ml_connector_simulators::oracle_ebs::{Fault, On, Simulator, Switches};
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// Opens a transmission and gives its id.
fn open(simulator: &mut Simulator) -> String {
    let inputs = json!({ "P_TRANSMISSION_NAME": "GC-PO01", "P_TRANSMISSION_FORMAT_ID": "1021", "P_LOCKBOX_ID": "1005" });
    let done = run(simulator, "CREATE_TRANSMISSION", &inputs, start());
    assert_eq!(done["X_RETURN_STATUS"], "S", "{done}");
    done["X_TRANSMISSION_ID"].as_str().unwrap().to_owned()
}

/// A row for the invoice.
fn row(transmission: &str, item: &str, check: &str, minor: &str) -> Value {
    json!({
        "RECORD_TYPE": "6", "STATUS": "AR_PLB_NEW_RECORD", "TRANSMISSION_ID": transmission,
        "TRANSMISSION_REQUEST_ID": transmission, "LOCKBOX_NUMBER": "GC001", "BATCH_NAME": "GC-PO01",
        "ITEM_NUMBER": item, "CHECK_NUMBER": check, "REMITTANCE_AMOUNT": minor, "CURRENCY_CODE": "GBP",
        "RECEIPT_DATE": "2026-03-05", "GL_DATE": "2026-03-05", "CUSTOMER_ID": "1290",
        "CUSTOMER_NUMBER": "C-2044", "INVOICE1": "INV-1001", "AMOUNT_APPLIED1": minor,
        "ATTRIBUTE1": check, "ORG_ID": "204"
    })
}

fn insert(simulator: &mut Simulator, rows: &Value) -> Value {
    let table = "AR_PAYMENTS_INTERFACE_ALL";
    let inputs = json!({ "AR_PAYMENTS_INTERFACE_ALL_REC": rows });
    let request = post(&path(table), &super::body(table, &inputs));
    json(&answer(simulator.handle(&request, start())))
}

fn arguments(transmission: &str) -> Value {
    json!({
        "NEW_TRANSMISSION": "N", "LB_TRANSMISSION_ID": transmission, "ORIG_REQUEST_ID": transmission,
        "TRANSMISSION_NAME": "GC-PO01", "SUBMIT_IMPORT": "N", "TRANSMISSION_FORMAT_ID": "1021",
        "SUBMIT_VALIDATION": "Y", "PAY_UNRELATED_INVOICES": "N", "LOCKBOX_ID": "1005", "REPORT_FORMAT": "A",
        "COMPLETE_BATCHES_ONLY": "N", "SUBMIT_POSTBATCH": "Y", "ALTERNATE_NAME_SEARCH": "N",
        "IGNORE_INVALID_TXN_NUM": "Y", "ORG_ID": "204", "APPLY_UNEARN_DISC": "N", "NO_OF_INSTANCES": "1",
        "SOURCE_TYPE_FLAG": "L"
    })
}

fn submit(simulator: &mut Simulator, arguments: &Value) -> String {
    let done = run(simulator, "SUBMIT_CP_ARLPLB", arguments, start());
    done["REQUEST_ID"].as_str().unwrap().to_owned()
}

fn codes(simulator: &mut Simulator, id: &str, secs: i64) -> String {
    let done = run(
        simulator,
        "GET_REQUEST_STATUS",
        &json!({ "P_REQUEST_ID": id }),
        at(secs),
    );
    let of = |name: &str| done[name].as_str().unwrap_or_default().to_owned();
    format!(
        "{}{} {}",
        of("X_PHASE_CODE"),
        of("X_STATUS_CODE"),
        of("X_DEV_PHASE")
    )
}

#[test]
fn a_row_becomes_a_receipt_in_time() {
    let (mut simulator, schedule) = site();
    let id = open(&mut simulator);
    let done = insert(&mut simulator, &json!([row(&id, "1", "PM01", "25000")]));
    assert_eq!(done["OutputParameters"]["COUNT"], "1");
    let request = submit(&mut simulator, &arguments(&id));
    assert_eq!(codes(&mut simulator, &request, 60), "PI PENDING");
    assert_eq!(codes(&mut simulator, &request, 130), "RR RUNNING");
    assert_eq!(simulator.interface_rows().len(), 1);
    assert_eq!(codes(&mut simulator, &request, 400), "RR RUNNING");
    let between = run(
        &mut simulator,
        "GET_RECEIPT",
        &json!({ "P_RECEIPT_NUMBER": "PM01" }),
        at(400),
    );
    assert_eq!(
        (between["X_RECEIPTS"].is_null(), &between["X_IN_INTERIM"]),
        (true, &json!("Y"))
    );
    assert_eq!(codes(&mut simulator, &request, 600), "CC COMPLETE");
    let done = run(
        &mut simulator,
        "GET_RECEIPT",
        &json!({ "P_RECEIPT_NUMBER": "PM01" }),
        at(600),
    );
    let item = &done["X_RECEIPTS"]["X_RECEIPTS_ITEM"];
    assert_eq!(
        (&item["AMOUNT"], &item["STATUS"]),
        (&json!("250"), &json!("APP"))
    );
    assert_eq!(
        simulator.invoice(schedule).unwrap().remaining,
        Decimal::ZERO
    );
    assert!(simulator.interim_rows().is_empty() && simulator.interface_rows().is_empty());
    // A second run over rows that were taken does nothing.
    submit(&mut simulator, &arguments(&id));
    simulator.tick(at(9000));
    assert_eq!(simulator.receipts().count(), 1);
}

#[test]
fn bad_rows_stay_with_the_name_of_their_error() {
    for (member, value, wanted) in [
        ("GL_DATE", "2026-02-27", "AR_PLB_GL_PERIOD_CLOSED"),
        ("CUSTOMER_NUMBER", "C-1", "AR_PLB_CUSTOMER_CONFLICT"),
        ("ACCOUNT", "55779911", "AR_PLB_BAD_MICR_NUM"),
        ("AMOUNT_APPLIED1", "26000", "AR_PLB_INVALID_RECEIPT"),
        ("CURRENCY_CODE", "SEK", "AR_PLB_INVALID_RECEIPT"),
    ] {
        let (mut simulator, _) = site();
        let id = open(&mut simulator);
        let mut bad = row(&id, "2", "PM02", "25000");
        bad[member] = json!(value);
        let mut good = row(&id, "1", "PM01", "10000");
        good["AMOUNT_APPLIED1"] = json!("10000");
        insert(&mut simulator, &json!([good, bad]));
        let request = submit(&mut simulator, &arguments(&id));
        assert_eq!(
            codes(&mut simulator, &request, 3600),
            "CG COMPLETE",
            "{member}"
        );
        assert_eq!(
            simulator.interface_rows(),
            [("PM02".to_owned(), wanted.to_owned())]
        );
        assert_eq!(simulator.receipts_numbered("PM01").count(), 1);
        let state = run(
            &mut simulator,
            "GET_RECEIPT",
            &json!({ "P_RECEIPT_NUMBER": "PM02" }),
            at(3601),
        );
        assert_eq!(state["X_INTERFACE_STATUS"], wanted);
        // With complete batches only, the bad one would have held the good one back.
        let (mut simulator, _) = site();
        let id = open(&mut simulator);
        let mut bad = row(&id, "2", "PM02", "25000");
        bad[member] = json!(value);
        insert(
            &mut simulator,
            &json!([row(&id, "1", "PM01", "10000"), bad]),
        );
        let mut arguments = arguments(&id);
        arguments["COMPLETE_BATCHES_ONLY"] = json!("Y");
        submit(&mut simulator, &arguments);
        simulator.tick(at(3600));
        assert_eq!(
            (
                simulator.receipts().count(),
                simulator.interface_rows().len()
            ),
            (0, 2)
        );
    }
}

#[test]
fn arguments_decide_what_happens() {
    for (member, value, request_id, receipts, interim, interface) in [
        ("NEW_TRANSMISSION", "", 0, 0, 0, 1),
        ("TRANSMISSION_FORMAT_ID", "9", 0, 0, 0, 1),
        ("SOURCE_TYPE_FLAG", "", 0, 0, 0, 1),
        ("SOURCE_TYPE_FLAG", "S", 1, 0, 0, 1),
        ("LB_TRANSMISSION_ID", "4711", 1, 0, 0, 1),
        ("ORIG_REQUEST_ID", "4711", 1, 0, 0, 1),
        ("SUBMIT_POSTBATCH", "N", 1, 0, 1, 0),
        ("SUBMIT_VALIDATION", "N", 1, 0, 0, 1),
        ("REPORT_FORMAT", "A", 1, 1, 0, 0),
    ] {
        let (mut simulator, _) = site();
        let id = open(&mut simulator);
        insert(&mut simulator, &json!([row(&id, "1", "PM01", "25000")]));
        let mut arguments = arguments(&id);
        arguments[member] = json!(value);
        let request = submit(&mut simulator, &arguments);
        assert_eq!(request != "0", request_id != 0, "{member} {value}");
        simulator.tick(at(3600));
        let seen = (
            simulator.receipts().count(),
            simulator.interim_rows().len(),
            simulator.interface_rows().len(),
        );
        assert_eq!(seen, (receipts, interim, interface), "{member} {value}");
    }
}

#[test]
fn rows_without_a_parent_are_never_picked_up() {
    let (mut simulator, _) = site();
    insert(&mut simulator, &json!([row("4711", "1", "PM01", "25000")]));
    submit(&mut simulator, &arguments("4711"));
    simulator.tick(at(3600));
    assert_eq!(
        simulator.interface_rows(),
        [("PM01".to_owned(), "AR_PLB_NEW_RECORD".to_owned())]
    );
}

#[test]
fn an_unmatched_invoice_leaves_the_money_unapplied_or_the_row_rejected() {
    for (keeps, receipts) in [(true, 1), (false, 0)] {
        let switches = Switches {
            ignore_keeps_receipt: keeps,
            ..Switches::default()
        };
        let (mut simulator, _) = site_with(switches);
        let id = open(&mut simulator);
        let mut stray = row(&id, "1", "PM01", "25000");
        stray["INVOICE1"] = json!("INV-9");
        insert(&mut simulator, &json!([stray]));
        submit(&mut simulator, &arguments(&id));
        simulator.tick(at(3600));
        assert_eq!(simulator.receipts().count(), receipts);
        for own in simulator.receipts() {
            assert_eq!(simulator.receipt_status(own), "UNAPP");
        }
    }
}

#[test]
fn managers_and_requests_can_stand_still() {
    let (mut simulator, _) = site();
    let id = open(&mut simulator);
    insert(&mut simulator, &json!([row(&id, "1", "PM01", "25000")]));
    simulator.stop_managers_until(Some(at(7200)));
    let request = submit(&mut simulator, &arguments(&id));
    assert_eq!(codes(&mut simulator, &request, 3600), "IM INACTIVE");
    assert_eq!(codes(&mut simulator, &request, 7300), "RR RUNNING");
    assert_eq!(codes(&mut simulator, &request, 7700), "CC COMPLETE");

    for (fault, wanted) in [
        (Fault::Standby, "PQ PENDING"),
        (Fault::NoManager, "IM INACTIVE"),
    ] {
        let (mut simulator, _) = site();
        let id = open(&mut simulator);
        insert(&mut simulator, &json!([row(&id, "1", "PM01", "25000")]));
        simulator
            .faults
            .plan(On::Operation("SUBMIT_CP_ARLPLB"), fault);
        let request = submit(&mut simulator, &arguments(&id));
        assert_eq!(codes(&mut simulator, &request, 90_000), wanted);
        simulator.release_request(request.parse().unwrap());
        simulator.tick(at(90_001));
        assert_eq!(simulator.receipts().count(), 1);
    }
}

#[test]
fn a_program_can_fail_lose_a_row_or_not_post() {
    for (fault, wanted, receipts, interim, interface) in [
        (Fault::Ends('E'), "CE COMPLETE", 0, 0, 1),
        (Fault::LosesRow, "CC COMPLETE", 0, 0, 0),
        (Fault::NotPosted, "CC COMPLETE", 0, 1, 0),
    ] {
        let (mut simulator, _) = site();
        let id = open(&mut simulator);
        insert(&mut simulator, &json!([row(&id, "1", "PM01", "25000")]));
        simulator
            .faults
            .plan(On::Operation("SUBMIT_CP_ARLPLB"), fault);
        let request = submit(&mut simulator, &arguments(&id));
        assert_eq!(codes(&mut simulator, &request, 3600), wanted);
        let seen = (
            simulator.receipts().count(),
            simulator.interim_rows().len(),
            simulator.interface_rows().len(),
        );
        assert_eq!(seen, (receipts, interim, interface));
    }
    let (mut simulator, _) = site();
    let id = open(&mut simulator);
    simulator
        .faults
        .plan(On::Operation("SUBMIT_CP_ARLPLB"), Fault::NotSubmitted);
    assert_eq!(submit(&mut simulator, &arguments(&id)), "0");
    assert!(simulator.requests().is_empty());
}

#[test]
fn the_open_interface_inserts_plainly_and_reads_back() {
    let (mut simulator, _) = site();
    let mut long = row("1", "1", "P".repeat(31).as_str(), "1");
    let fault = insert(&mut simulator, &json!([long]));
    assert!(
        fault["ISGServiceFault"]["Message"]
            .as_str()
            .unwrap()
            .contains("ORA-12899")
    );
    long = row("1", "1", "PM03", "1");
    long["RECORD_TYPE"] = json!("");
    let fault = insert(&mut simulator, &json!([row("1", "2", "PM04", "1"), long]));
    assert!(
        fault["ISGServiceFault"]["Message"]
            .as_str()
            .unwrap()
            .contains("ORA-01400")
    );
    // Not atomic: the good row before the bad one went in (EB 4.2).
    assert_eq!(simulator.interface_rows().len(), 1);
    let query = "?select=CHECK_NUMBER,STATUS&filter=CHECK_NUMBER%3D%27PM04%27&ctx_responsibility=GC_RECEIVABLES\
        &ctx_respapplication=AR&ctx_securitygroup=STANDARD&ctx_nlslanguage=AMERICAN&ctx_orgid=204";
    let request = get(&format!("{}{query}", path("AR_PAYMENTS_INTERFACE_ALL")));
    let found = json(&answer(simulator.handle(&request, start())));
    let rows = &found["OutputParameters"]["AR_PAYMENTS_INTERFACE_ALL_REC"];
    assert_eq!(
        rows,
        &json!({ "CHECK_NUMBER": "PM04", "STATUS": "AR_PLB_NEW_RECORD" })
    );
    let mut delete = request.clone();
    delete.method = ml_connector_core::http::Method::Delete;
    assert_eq!(answer(simulator.handle(&delete, start())).status, 200);
    assert!(simulator.interface_rows().is_empty());
}

#[test]
fn the_package_helps_without_the_open_interface() {
    let switches = Switches {
        open_interface: false,
        ..Switches::default()
    };
    let (mut simulator, _) = site_with(switches);
    let id = open(&mut simulator);
    let mut own = row(&id, "1", "PM01", "25000");
    own.as_object_mut().unwrap().remove("TRANSMISSION_ID");
    let inputs = json!({ "P_TRANSMISSION_ID": id, "P_RECEIPTS": { "P_RECEIPTS_ITEM": [own] } });
    assert_eq!(
        run(&mut simulator, "STAGE_RECEIPTS", &inputs, start())["X_ROWS"],
        "1"
    );
    assert_eq!(
        run(&mut simulator, "STAGE_RECEIPTS", &inputs, start())["X_RETURN_STATUS"],
        "E"
    );
    let submit = json!({ "P_TRANSMISSION_ID": id });
    let first = run(&mut simulator, "SUBMIT_LOCKBOX", &submit, start());
    let second = run(&mut simulator, "SUBMIT_LOCKBOX", &submit, start());
    assert_eq!(
        (&second["X_RETURN_STATUS"], &second["X_REQUEST_ID"]),
        (&json!("E"), &first["X_REQUEST_ID"])
    );
    let named = json!({ "P_TRANSMISSION_NAME": "GC-PO01" });
    let found = run(&mut simulator, "GET_TRANSMISSION", &named, start());
    let item = &found["X_TRANSMISSIONS"]["X_TRANSMISSIONS_ITEM"];
    assert_eq!(item["LATEST_REQUEST_ID"], first["X_REQUEST_ID"]);
    simulator.tick(at(3600));
    assert_eq!(simulator.receipts().count(), 1);
    assert_eq!(simulator.sums()["GBP"].open, Decimal::ZERO);
    let again = json!({ "P_TRANSMISSION_NAME": "GC-PO01", "P_TRANSMISSION_FORMAT_ID": "1021", "P_LOCKBOX_ID": "1005" });
    assert_eq!(
        run(&mut simulator, "CREATE_TRANSMISSION", &again, at(1))["X_RETURN_STATUS"],
        "E"
    );
    assert_eq!(simulator.invoices().filter(|own| own.org == ORG).count(), 2);
}
