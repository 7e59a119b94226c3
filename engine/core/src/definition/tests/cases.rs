//! Cases: what they give, and what in them fits nothing.

use super::*;
use crate::cases::{Verdict, run};
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

const STATEMENT: &str = "mappings/netledger-payfast/cases/statement.yaml";

/// How the case that begins so goes, with a change in its file.
fn went(file: &str, from: &str, to: &str) -> Verdict {
    let sources = if from.is_empty() {
        samples()
    } else {
        with(file, from, to)
    };
    let (library, findings) = Library::load(&sources);
    assert!(findings.is_empty(), "{findings:#?}");
    let mut cases = library.cases.iter();
    let case = cases.find(|case| sources.name(case.span.file) == file);
    run(&library, case.unwrap())
}

#[test]
fn a_statement_is_reconciled_by_what_the_case_gives() {
    assert_eq!(went(STATEMENT, "", ""), Verdict::Passed);
    let none = "mappings/netledger-payfast/cases/nothing.yaml";
    assert_eq!(went(none, "", ""), Verdict::Passed);
    let places = |verdict: Verdict| match verdict {
        Verdict::Failed { differences, .. } => {
            let paths = differences.into_iter().map(|one| one.path);
            paths.collect::<Vec<_>>()
        }
        other @ (Verdict::Passed | Verdict::Broken { .. }) => panic!("{other:?}"),
    };
    // One document less, and the line beside which it was extra is the last that is as expected.
    let fewer = places(went(STATEMENT, ", { amount: 400 }", ""));
    assert_eq!(fewer[0], "expect.reconciled[1].key");
    let other = places(went(STATEMENT, "state: held", "state: skipped"));
    assert_eq!(
        other,
        ["expect.reconciled[2].state", "expect.reconciled[2].why"]
    );
    let given = "amount: 1, customer: C1, date: \"2026-03-16\" }\nfetch: { rows: [], entry: null }";
    let compared = places(went(none, "amount: 0 }", given));
    assert_eq!(compared, ["expect.not_reconciled", "expect.reconciled"]);
    let foreign = places(went(
        "mappings/netledger-payfast/cases/foreign.yaml",
        "",
        "",
    ));
    assert_eq!(foreign[0], "expect.reconciled[0].found_currency");
}

#[test]
fn what_a_case_of_a_statement_does_not_give_is_asked_for() {
    let asked = |from: &str, to: &str| match went(STATEMENT, from, to) {
        Verdict::Broken { why, help } => format!("{why} {help}"),
        other @ (Verdict::Passed | Verdict::Failed { .. }) => panic!("{other:?}"),
    };
    let crosswalk = asked("crosswalks:", "settings: {}\n#");
    assert!(
        crosswalk.contains("`entry` asks crosswalk `customers` for `C1`"),
        "{crosswalk}"
    );
    let line = asked("bills: [{ amount: 500 }, { amount: 400 }], ", "");
    assert!(
        line.contains("`bills` reads `ledger.list_bills`") && line.contains("`posted`"),
        "{line}"
    );
}

#[test]
fn names_that_no_reconciliation_has_are_found() {
    let place = |line: &str| format!("E0702 {STATEMENT}:{line}");
    for (from, to, at) in [
        ("  rows:\n", "  rowz:\n", place("6:3")),
        ("fetch: { bills:", "fetch: { bils:", place("14:14")),
        (
            "- { integration: netledger-payfast/bills, dedup_key",
            "- { integration: netledger-payfast/bils, dedup_key",
            place("16:20"),
        ),
        ("{ customers: {", "{ custmers: {", place("9:15")),
    ] {
        let findings = found(STATEMENT, from, to);
        assert!(findings.starts_with(&at), "{to}: {findings}");
    }
    let findings = found(STATEMENT, "payfast/statements", "payfast/bills");
    let place = format!("E0704 {STATEMENT}:4:12");
    assert!(findings.contains(&place), "{findings}");
}
