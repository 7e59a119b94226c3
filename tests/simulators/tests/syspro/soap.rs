//! SOAP over HTTP (SY 3.3).

use super::{server, value};
use crate::support::{answer, encode, request, start};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ml_connector_core::http::{HttpResponse, Method};
use ml_connector_simulators::syspro::{Fault, On, Simulator};

const URL: &str = "http://erp:20000/SYSPROWCFService/Soap";

fn send(simulator: &mut Simulator, action: &str, members: &[(&str, &str)]) -> HttpResponse {
    let inner: String = members
        .iter()
        .map(|(name, text)| {
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            format!("<{name}>{text}</{name}>")
        })
        .collect();
    let body = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
         <{action} xmlns=\"http://SYSPROWcfService\">{inner}</{action}></s:Body></s:Envelope>"
    );
    let headers = [
        ("Content-Type", "text/xml; charset=utf-8"),
        ("SOAPAction", action),
    ];
    answer(simulator.handle(&request(Method::Post, URL, &headers, &body), start()))
}

fn result(response: &HttpResponse, action: &str) -> String {
    let text = String::from_utf8(response.body.to_vec()).unwrap();
    let encoded = value(&text, &format!("{action}Result")).unwrap_or_else(|| panic!("{text}"));
    let bytes = STANDARD.decode(encoded).unwrap();
    encoding_rs::WINDOWS_1252.decode(&bytes).0.into_owned()
}

fn logon(simulator: &mut Simulator) -> String {
    let given = send(
        simulator,
        "Logon",
        &[
            ("Operator", "GC"),
            ("OperatorPassword", "secret"),
            ("CompanyId", "EDU1"),
            ("CompanyPassword", ""),
            ("LanguageCode", "5"),
            ("LogLevel", "0"),
            ("EncoreInstance", "0"),
            ("XmlIn", ""),
        ],
    );
    result(&given, "Logon").trim().to_owned()
}

#[test]
fn a_document_too_long_for_an_address_goes_through() {
    let mut simulator = server();
    let id = logon(&mut simulator);
    let narration = "x".repeat(60_000);
    let document = format!(
        "<PostArPayment><Item><Payment><Customer>0000417</Customer><PaymentValue>5.00</PaymentValue>\
         <Reference>PM&amp;1</Reference><JournalNotation>n</JournalNotation><PaymentNarration>{narration}</PaymentNarration>\
         <UnappliedPayment><GrossPaymentValue>5.00</GrossPaymentValue></UnappliedPayment></Payment></Item></PostArPayment>"
    );
    let by_get = format!(
        "http://erp:20000/SYSPROWCFService/Rest/Transaction/Post?XmlIn={}",
        encode(&document)
    );
    assert_eq!(
        answer(simulator.handle(&super::get(&by_get), start())).status,
        400
    );
    let members = [
        ("UserId", id.as_str()),
        ("BusinessObject", "ARSTPY"),
        ("XmlParameters", ""),
        ("XmlIn", &document),
    ];
    let posted = send(&mut simulator, "TransactionPost", &members);
    let posted = result(&posted, "TransactionPost");
    let document = document.replace(&narration, "short");
    let members = [
        ("UserId", id.as_str()),
        ("BusinessObject", "ARSTPY"),
        ("XmlParameters", ""),
        ("XmlIn", &document),
    ];
    let short = result(
        &send(&mut simulator, "TransactionPost", &members),
        "TransactionPost",
    );
    assert!(posted.contains("postarpayment"), "{posted}");
    assert_eq!(value(&short, "ItemsProcessed"), Some("000001"), "{short}");
    assert_eq!(
        super::company(&simulator)
            .receipts()
            .last()
            .unwrap()
            .reference,
        "PM&1"
    );
    assert_eq!(simulator.calls_of("ARSTPY"), 2);
}

#[test]
fn an_error_is_a_fault_or_a_result() {
    let mut simulator = server();
    let refused = send(
        &mut simulator,
        "Logoff",
        &[("UserId", "0".repeat(34).as_str())],
    );
    assert_eq!(refused.status, 500);
    let text = String::from_utf8_lossy(&refused.body).into_owned();
    assert_eq!(
        value(&text, "faultstring"),
        Some("ERROR: The supplied UserID is invalid.")
    );
    simulator.switches.soap_faults = false;
    let refused = send(
        &mut simulator,
        "Logoff",
        &[("UserId", "0".repeat(34).as_str())],
    );
    assert!(result(&refused, "Logoff").starts_with("ERROR: The supplied UserID"));
}

#[test]
fn the_contract_is_strict() {
    let mut simulator = server();
    let id = logon(&mut simulator);
    let wrong_order = send(
        &mut simulator,
        "QueryQuery",
        &[("BusinessObject", "COMFND"), ("UserId", &id), ("XmlIn", "")],
    );
    assert_eq!(wrong_order.status, 500);
    assert!(String::from_utf8_lossy(&wrong_order.body).contains("in this order"));
    let body =
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body/></s:Envelope>";
    let headers = [("Content-Type", "application/soap+xml")];
    let newer = answer(simulator.handle(&request(Method::Post, URL, &headers, body), start()));
    assert_eq!(newer.status, 415);
    simulator.switches.soap = false;
    assert_eq!(send(&mut simulator, "GetVersion", &[]).status, 404);
}

#[test]
fn faults_strike_calls_by_soap_too() {
    let mut simulator = server();
    let id = logon(&mut simulator);
    simulator
        .faults
        .plan(On::Object("ARSQRY"), Fault::NotLicensed);
    let document = "<Query><Key><Customer>0000417</Customer></Key></Query>";
    let members = [
        ("UserId", id.as_str()),
        ("BusinessObject", "ARSQRY"),
        ("XmlIn", document),
    ];
    let refused = send(&mut simulator, "QueryQuery", &members);
    assert!(String::from_utf8_lossy(&refused.body).contains("100000"));
    let found = result(&send(&mut simulator, "QueryQuery", &members), "QueryQuery");
    assert_eq!(
        value(&found, "Name"),
        Some("Brookfield &amp; Söhne &lt;Ltd&gt;")
    );
}
