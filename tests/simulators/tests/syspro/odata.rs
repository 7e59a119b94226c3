//! The OData service (SY 6).

use super::{run, server};
use crate::support::{answer, encode, json, request, start};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ml_connector_core::http::{HttpResponse, Method};
use ml_connector_simulators::syspro::{Fault, On, Simulator, Switches};
use serde_json::{Value, json};

const BASE: &str = "http://erp/SYSPRO8Odata/SYSPROOData/EDU1";

fn service() -> Simulator {
    let mut simulator = server();
    simulator.set_odata_user("reader@halden.example", "hush");
    simulator
}

fn fetch_with(
    simulator: &mut Simulator,
    path: &str,
    options: &[(&str, &str)],
    user: &str,
) -> HttpResponse {
    let query: Vec<String> = options
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    let url = format!("{BASE}/{path}?{}", query.join("&"));
    let authorization = format!("Basic {}", STANDARD.encode(user));
    let headers = [("Authorization", authorization.as_str())];
    answer(simulator.handle(&request(Method::Get, &url, &headers, ""), start()))
}

fn fetch(simulator: &mut Simulator, path: &str, options: &[(&str, &str)]) -> HttpResponse {
    fetch_with(simulator, path, options, "reader@halden.example:hush")
}

fn names(body: &Value) -> Vec<&str> {
    let rows = body["value"].as_array().unwrap();
    rows.iter()
        .map(|row| row["Customer"].as_str().unwrap())
        .collect()
}

#[test]
fn customers_are_paged_by_key_and_filtered() {
    let mut simulator = service();
    let company = simulator.company_mut("EDU1").unwrap();
    for n in 1..=5 {
        company.add_customer(&format!("{n:07}"), &format!("Customer {n}"), "GBP");
    }
    let first = json(&fetch(
        &mut simulator,
        "ArCustomer",
        &[
            ("$orderby", "Customer"),
            ("$top", "3"),
            ("$select", "Customer,Name"),
        ],
    ));
    assert_eq!(
        names(&first),
        ["000000000000001", "000000000000002", "000000000000003"]
    );
    assert_eq!(
        first["value"][0],
        json!({ "Customer": "000000000000001", "Name": "Customer 1" })
    );
    let next = json(&fetch(
        &mut simulator,
        "ArCustomer",
        &[
            ("$orderby", "Customer"),
            ("$top", "3"),
            ("$filter", "Customer gt '000000000000003'"),
        ],
    ));
    assert_eq!(
        names(&next),
        ["000000000000004", "000000000000005", "000000000000417"]
    );
    let euro = json(&fetch(
        &mut simulator,
        "ArCustomer",
        &[
            (
                "$filter",
                "(Currency eq 'EUR' or Name eq 'Customer 1') and not (CreditLimit gt 5)",
            ),
            ("$orderby", "Customer desc"),
        ],
    ));
    assert_eq!(names(&euro), ["000000000000418", "000000000000001"]);
    let presented = json(&fetch(
        &mut simulator,
        "ArCustomer",
        &[("$filter", "Customer eq '0000417'")],
    ));
    assert!(
        names(&presented).is_empty(),
        "keys are compared as they are stored"
    );
}

#[test]
fn quotes_are_doubled_and_dates_and_numbers_are_bare() {
    let mut simulator = service();
    let company = simulator.company_mut("EDU1").unwrap();
    company.add_customer("0000500", "O'Hara", "GBP");
    company.add_invoice(
        "0000500",
        "INV1",
        "2026-03-14".parse().unwrap(),
        "40.10".parse().unwrap(),
    );
    let found = json(&fetch(
        &mut simulator,
        "ArCustomer",
        &[("$filter", "Name eq 'O''Hara'")],
    ));
    assert_eq!(names(&found), ["000000000000500"]);
    let filter = "InvoiceDate ge 2026-03-11T00:00:00Z and CurrencyValue ge 40.10";
    let invoices = json(&fetch(&mut simulator, "ArInvoice", &[("$filter", filter)]));
    let row = &invoices["value"][0];
    assert_eq!(row["InvoiceDate"], "2026-03-14T00:00:00Z");
    assert_eq!(row["CurrencyValue"].to_string(), "40.10");
    for (path, options) in [
        ("ArCustomer", [("$filter", "Nome eq 'x'")]),
        ("ArCustomer", [("$filter", "Name eq 5")]),
        ("ArCustomer", [("$filter", "contains(Name,'x')")]),
        ("ArCustomer", [("$select", "Nome")]),
        ("ArCustomer", [("$count", "true")]),
        ("ArCustomer", [("$top", "many")]),
    ] {
        let refused = fetch(&mut simulator, path, &options);
        assert_eq!(refused.status, 400, "{options:?}");
        assert!(json(&refused)["error"]["message"].is_string());
    }
    assert_eq!(fetch(&mut simulator, "arcustomer", &[]).status, 404);
}

#[test]
fn nobody_reads_without_a_user_and_nobody_writes() {
    let mut simulator = service();
    let refused = fetch_with(
        &mut simulator,
        "ArCustomer",
        &[],
        "reader@halden.example:wrong",
    );
    assert_eq!(
        (refused.status, refused.header("WWW-Authenticate").is_some()),
        (401, true)
    );
    let authorization = format!("Basic {}", STANDARD.encode("reader@halden.example:hush"));
    let post = request(
        Method::Post,
        &format!("{BASE}/ArCustomer"),
        &[("Authorization", authorization.as_str())],
        "{}",
    );
    assert_eq!(answer(simulator.handle(&post, start())).status, 405);
}

#[test]
fn more_than_five_thousand_rows_are_cut_without_a_word() {
    let mut simulator = service();
    let company = simulator.company_mut("EDU1").unwrap();
    for n in 1..=5001 {
        company.add_customer(&format!("{n:07}"), "Many", "GBP");
    }
    let body = json(&fetch(
        &mut simulator,
        "ArCustomer",
        &[("$select", "Customer")],
    ));
    assert_eq!(names(&body).len(), 5000);
    assert!(body.get("@odata.nextLink").is_none());
    simulator.switches.odata_next_link = true;
    let body = json(&fetch(
        &mut simulator,
        "ArCustomer",
        &[("$select", "Customer")],
    ));
    assert!(body["@odata.nextLink"].is_string());
}

#[test]
fn without_an_order_skipping_loses_rows() {
    let mut simulator = service();
    let company = simulator.company_mut("EDU1").unwrap();
    for n in 1..=6 {
        company.add_customer(&format!("{n:07}"), "Many", "GBP");
    }
    let mut seen = std::collections::BTreeSet::new();
    for skip in ["0", "2", "4", "6"] {
        let body = json(&fetch(
            &mut simulator,
            "ArCustomer",
            &[("$top", "2"), ("$skip", skip)],
        ));
        seen.extend(names(&body).into_iter().map(str::to_owned));
    }
    assert!(seen.len() < 8, "{seen:?}");
}

#[test]
fn the_shapes_that_are_not_known_are_switches() {
    let mut simulator = service();
    simulator.switches = Switches {
        odata_bare_array: true,
        odata_padded_text: true,
        odata_html_errors: true,
        ..Switches::default()
    };
    let body = json(&fetch(
        &mut simulator,
        "ArCustomer",
        &[("$orderby", "Customer")],
    ));
    assert_eq!(body[1]["Currency"], format!("{:<20}", "EUR"));
    let refused = fetch(&mut simulator, "Nothing", &[]);
    assert_eq!(
        (refused.status, refused.header("content-type")),
        (404, Some("text/html"))
    );
}

#[test]
fn it_is_a_machine_of_its_own_with_faults_of_its_own() {
    let mut simulator = service();
    simulator.restart_until(start() + jiff::SignedDuration::from_secs(60));
    assert_eq!(fetch(&mut simulator, "ArCustomer", &[]).status, 200);
    simulator
        .faults
        .plan(On::Object("ODATA"), Fault::Http { status: 502 });
    assert_eq!(fetch(&mut simulator, "ArCustomer", &[]).status, 502);
    simulator.faults.plan(On::Object("ODATA"), Fault::Garbled);
    let garbled = fetch(&mut simulator, "ArCustomer", &[]);
    assert!(serde_json::from_slice::<Value>(&garbled.body).is_err());
    assert_eq!(simulator.open_sessions(), 0, "no session, no seat");
}

#[test]
fn custom_form_columns_are_a_table_with_a_plus_sign() {
    let mut simulator = service();
    let company = simulator.company_mut("EDU1").unwrap();
    company
        .form_fields
        .push(ml_connector_simulators::syspro::FormField {
            form: "CUS".to_owned(),
            name: "GCM001".to_owned(),
            column: "GcMandate".to_owned(),
            kind: 'A',
            length: 30,
        });
    let item = "<SetupCustomForm><Item><Key><FormType>CUS</FormType><KeyField>0000417</KeyField>\
        <FieldName>GCM001</FieldName></Key><AlphaValue>MD1</AlphaValue></Item></SetupCustomForm>";
    let parameters = "<SetupCustomForm><Parameters><ValidateOnly>N</ValidateOnly></Parameters></SetupCustomForm>";
    run(&mut simulator, "Setup/Add", "COMSFM", parameters, item);
    let body = json(&fetch(
        &mut simulator,
        "ArCustomer%2B",
        &[("$filter", "GcMandate eq 'MD1'")],
    ));
    assert_eq!(names(&body), ["000000000000417"]);
    simulator.switches.odata_plus_renamed = true;
    assert_eq!(fetch(&mut simulator, "ArCustomer%2B", &[]).status, 404);
    assert_eq!(fetch(&mut simulator, "ArCustomerPlus", &[]).status, 200);
}
