//! Cases: what they give, and what in them fits nothing.

use super::*;
use crate::rehearsal::Given;
use serde_json::Value as Document;

const CASE: &str = "mappings/netledger-payfast/cases/bill.yaml";

#[test]
fn an_event_file_keeps_its_digits() {
    let (library, _) = load(&samples());
    let case = library
        .cases
        .iter()
        .find(|case| case.name.starts_with("a bill without"))
        .unwrap();
    assert_eq!(
        case.event.to_string(),
        r#"{"id":"B2","amount":12345678901234567890.10}"#
    );
}

#[test]
fn not_there_is_said_by_null_and_by_an_empty_map() {
    let (library, _) = load(&samples());
    let case = library
        .cases
        .iter()
        .find(|case| case.name == "a bill is paid")
        .unwrap();
    assert_eq!(case.fetch["customer"], Given::Document(Document::Null));
    assert_eq!(case.requires["posting"], Given::NotYet);
    assert_eq!(case.crosswalks["customers"]["C2"], Document::Null);
    let Given::Response(answer) = &case.fetch["bill"] else {
        panic!("a raw answer")
    };
    assert_eq!(
        (answer.status, &answer.body[..]),
        (203, &br#"{"id":"B1","amount":1010}"#[..])
    );
}

#[test]
fn names_the_integration_does_not_have_are_found() {
    for (from, to, place) in [
        (
            "  customer: {}",
            "  custmer: {}",
            "E0702 mappings/netledger-payfast/cases/bill.yaml:10:3",
        ),
        (
            "requires: { opening:",
            "requires: { openning:",
            "E0702 mappings/netledger-payfast/cases/bill.yaml:7:13",
        ),
        (
            "settings: { ledger:",
            "settings: { leger:",
            "E0702 mappings/netledger-payfast/cases/bill.yaml:4:13",
        ),
        (
            "crosswalks: { customers:",
            "crosswalks: { clients:",
            "E0702 mappings/netledger-payfast/cases/bill.yaml:11:15",
        ),
        (
            "integration: netledger-payfast/bills",
            "integration: netledger-payfast/bils",
            "E0701 mappings/netledger-payfast/cases/bill.yaml:3:14",
        ),
        (
            "account: \"4711\"",
            "account: 4711",
            "E0704 mappings/netledger-payfast/cases/bill.yaml:5:20",
        ),
        (
            "account: \"4711\"",
            "acount: \"4711\"",
            "E0704 mappings/netledger-payfast/cases/bill.yaml:5:",
        ),
        (
            "base_url:",
            "url:",
            "E0704 mappings/netledger-payfast/cases/bill.yaml:4:",
        ),
        (
            "status: 203",
            "status: 99",
            "E0116 mappings/netledger-payfast/cases/bill.yaml:9:31",
        ),
        (
            "headers: { X-Note: yes }, body",
            "headrs: { X-Note: yes }, body",
            "E0110 mappings/netledger-payfast/cases/bill.yaml:9:36",
        ),
        (
            "    reference: B1",
            "    refrence: B1",
            "E0110 mappings/netledger-payfast/cases/bill.yaml:17:5",
        ),
    ] {
        let text = found(CASE, from, to);
        assert!(text.starts_with(place), "{to}: {text}");
    }
}

#[test]
fn an_event_file_that_is_not_there_or_not_json_is_found() {
    let held = "mappings/netledger-payfast/cases/held.yaml";
    let text = found(held, "../events/bill.json", "events/bill.json");
    assert!(
        text.starts_with("E0703")
            && text.contains("mappings/netledger-payfast/cases/events/bill.json"),
        "{text}"
    );
    let text = found(
        "mappings/netledger-payfast/events/bill.json",
        "\"B2\"",
        "B2",
    );
    assert!(
        text.starts_with("E0703 mappings/netledger-payfast/cases/held.yaml:5:13"),
        "{text}"
    );
}
