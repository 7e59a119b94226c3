//! `test`, `preview`, `schema`, `explain`: what an analyst has.

use super::{Sealed, assert_conforms};
use insta::assert_snapshot;

const PAID: &str = "mappings/netledger-payfast/cases/paid.yaml";
const BILLS: &str = "netledger-payfast/bills";

#[test]
fn cases_pass_silently() {
    let sealed = Sealed::with_definitions();
    let ran = sealed.run(&["test"]);
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (0, "", "2 cases passed\n"),
        "{ran:?}"
    );
    let ran = sealed.run(&["test", "--filter", "UNKNOWN customer", "--format", "json"]);
    assert_eq!(ran.json()["cases"].as_array().unwrap().len(), 1);
    assert_conforms(&sealed, "test", &ran.json());
    assert!(sealed.run(&["test", PAID]).err.contains("1 case passed"));
}

#[test]
fn a_failed_case_shows_its_differences() {
    let sealed = Sealed::with_definitions();
    sealed
        .change(PAID, "amount: \"49.50\"", "amount: \"4950\"")
        .change(
            PAID,
            "reference: PM1\n    request",
            "reference: PM9\n    request",
        );
    let ran = sealed.run(&["test", "--output", "junit=cases.xml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_snapshot!("test_failed", format!("{}---\n{}", ran.out, ran.err));
    let junit = sealed.text("cases.xml");
    assert!(
        junit.contains(r#"tests="2""#) && junit.contains(r#"failures="1""#),
        "{junit}"
    );
    let ran = sealed.run(&["test", "--format", "json"]);
    assert_conforms(&sealed, "test", &ran.json());
    let failed = &ran.json()["cases"][0];
    assert_eq!(failed["differences"][0]["path"], "expect.deliver.reference");
}

#[test]
fn an_update_rewrites_what_is_expected_and_nothing_else() {
    let sealed = Sealed::with_definitions();
    let before = sealed.text(PAID);
    sealed.change(PAID, "amount: \"49.50\"", "amount: \"4950\"");
    let ran = sealed.run(&["test", "--update"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.starts_with("updated "), "{ran:?}");
    sealed.run(&["test"]).fine();
    let after = sealed.text(PAID);
    let kept = |text: &str| text.split("expect:").next().unwrap().to_owned();
    assert_eq!(kept(&after), kept(&before));
    assert!(
        !after.contains("4950\"") && after.contains("49.50"),
        "{after}"
    );
    // What a case does not state is not added.
    assert!(
        !after.contains("dedup_key") && !after.contains("headers"),
        "{after}"
    );
}

#[test]
fn cases_of_broken_definitions_do_not_run() {
    let sealed = Sealed::with_definitions();
    sealed.change(
        "mappings/netledger-payfast/bills.yaml",
        "payment.iban",
        "payment.iban2",
    );
    let ran = sealed.run(&["test"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert!(ran.err.contains("error[E0312]"), "{ran:?}");
}

#[test]
fn a_preview_shows_the_request_and_where_each_field_comes_from() {
    let sealed = Sealed::with_definitions();
    let ran = sealed.run(&["preview", BILLS, "--case", PAID]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_snapshot!("preview_text", ran.out);
    let ran = sealed.run(&["preview", BILLS, "--case", PAID, "--format", "json"]);
    assert_conforms(&sealed, "preview", &ran.json());
    let yaml = sealed
        .run(&["preview", BILLS, "--case", PAID, "--format", "yaml"])
        .fine();
    let yaml: serde_json::Value = serde_yaml::from_str(&yaml).unwrap();
    assert_eq!(yaml["request"], ran.json()["request"]);
}

#[test]
fn a_preview_masks_what_is_secret_or_personal_in_every_format() {
    let sealed = Sealed::with_vault();
    for format in ["text", "json", "yaml"] {
        let out = sealed
            .run(&["preview", BILLS, "--case", PAID, "--format", format])
            .fine();
        assert!(
            out.contains("[secret]") && out.contains("[masked]"),
            "{out}"
        );
        assert!(
            !out.contains("GB33BUKB") && !out.contains("key-04da"),
            "{out}"
        );
    }
}

#[test]
fn a_preview_says_what_it_still_needs() {
    let sealed = Sealed::with_definitions();
    let event = r#"{ "id": "EV1", "kind": "payment", "payment": "PM1", "customer": "CU1" }"#;
    sealed.file("event.json", event);
    sealed.file(
        "body.json",
        &format!("{{ \"events\": [{event}, {event}] }}"),
    );
    sealed.file(
        "payment.json",
        r#"{ "id": "PM1", "amount": 0, "currency": "GBP", "iban": "X" }"#,
    );

    let ran = sealed.run(&["preview", BILLS, "--event", "event.json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.out.contains("crosswalk customers, key CU1")
            && ran.out.contains("--crosswalk customer="),
        "{ran:?}"
    );

    let entry = r#"customer={"account":"7"}"#;
    let ran = sealed.run(&[
        "preview",
        BILLS,
        "--event",
        "event.json",
        "--crosswalk",
        entry,
    ]);
    assert!(
        ran.out.contains("GET http://127.0.0.1:9/payments/PM1")
            || ran.out.contains("--fetch payment="),
        "{ran:?}"
    );

    let arguments = [
        "preview",
        BILLS,
        "--event",
        "-",
        "--crosswalk",
        entry,
        "--fetch",
        "payment=payment.json",
    ];
    let ran = sealed.run_with(&arguments, &sealed.text("body.json"));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.contains("would be skipped") && ran.out.contains("nothing was paid"),
        "{ran:?}"
    );
    assert!(ran.err.contains("the first of 2 events"), "{ran:?}");

    let arguments = [
        "preview",
        BILLS,
        "--event",
        "event.json",
        "--crosswalk",
        "customer=null",
    ];
    let ran = sealed.run(&arguments);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.out.contains("would be held") && ran.out.contains("missing_master_data"),
        "{ran:?}"
    );
}

#[test]
fn a_preview_of_nothing_known_is_wrong_usage() {
    let sealed = Sealed::with_definitions();
    sealed.file("event.json", "{");
    let said = sealed
        .run(&["preview", "no-such", "--event", "event.json"])
        .ends(2);
    assert!(said.contains(BILLS), "{said}");
    let said = sealed
        .run(&["preview", BILLS, "--event", "event.json"])
        .ends(2);
    assert!(said.contains("not JSON"), "{said}");
    sealed.run(&["preview", BILLS]).ends(2);
}

#[test]
fn schemas_of_definitions_are_those_that_are_shipped() {
    let sealed = Sealed::new();
    for kind in ["connector", "integration", "case", "site"] {
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/dsl/");
        let shipped = std::fs::read_to_string(format!("{shipped}{kind}.json")).unwrap();
        assert_eq!(sealed.run(&["schema", kind]).fine(), shipped, "{kind}");
    }
}

#[test]
fn every_output_that_is_listed_has_a_schema() {
    let sealed = Sealed::new();
    let names = sealed.run(&["schema", "output"]).fine();
    assert!(names.lines().count() > 10, "{names}");
    for name in names.lines() {
        let schema = sealed.run(&["schema", "output", name]).json();
        assert!(jsonschema::validator_for(&schema).is_ok(), "{name}");
    }
}

#[test]
fn every_code_is_explained() {
    let sealed = Sealed::new();
    let codes = sealed.run(&["explain"]).fine();
    for line in codes.lines().skip(1) {
        let code = line.split_whitespace().next().unwrap();
        let page = sealed.run(&["explain", &code.to_lowercase()]).fine();
        assert!(page.contains(code), "{code}: {page}");
    }
}

#[test]
fn a_new_mapping_fits_its_systems_and_says_what_is_left() {
    let sealed = Sealed::with_definitions();
    let arguments = [
        "new",
        "mapping",
        "netledger-payfast/fees",
        "--from",
        "payfast.events",
        "--to",
        "netledger.create_bill",
    ];
    let files = sealed.run(&arguments).fine();
    assert_eq!(files.lines().count(), 2, "{files}");
    assert_snapshot!(
        "new_mapping",
        sealed.text("mappings/netledger-payfast/fees.yaml")
    );
    let ran = sealed.run(&["validate", "--format", "json"]);
    let findings = ran.json()["findings"].clone();
    let findings = findings.as_array().unwrap();
    assert!(!findings.is_empty());
    for finding in findings {
        assert!(
            finding["message"].as_str().unwrap().contains("TODO"),
            "{finding:#}"
        );
    }
    let said = sealed.run(&arguments).ends(1);
    assert!(said.contains("TODO"), "{said}");
    sealed.change(
        "mappings/netledger-payfast/fees.yaml",
        "event.TODO",
        "event.id",
    );
    let amount = "amount: \"{{ event.id }}\"";
    sealed.change(
        "mappings/netledger-payfast/fees.yaml",
        amount,
        "amount: \"{{ 5 | decimal }}\"",
    );
    let said = sealed.run(&arguments).ends(3);
    assert!(said.contains("is there already"), "{said}");
    for wrong in ["payfast.none", "none.events", "payfast"] {
        sealed
            .run(&[
                "new",
                "mapping",
                "a/b",
                "--from",
                wrong,
                "--to",
                "netledger.create_bill",
            ])
            .ends(2);
    }
}
