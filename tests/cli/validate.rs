//! `validate`: what it finds, in every format, and what it looks at.

use super::{Sealed, assert_conforms};
use insta::assert_snapshot;

const FLOW: &str = "mappings/netledger-payfast/bills.yaml";

fn broken() -> Sealed {
    let sealed = Sealed::with_definitions();
    sealed.change(FLOW, "netledger.create_bill", "netledger.create_bil");
    sealed.change(FLOW, "payment.amount |", "payment.amont |");
    sealed
}

#[test]
fn sound_definitions_are_fine_and_silent() {
    let sealed = Sealed::with_definitions();
    for arguments in [
        &["validate"][..],
        &["validate", "."],
        &["validate", "mappings", "connectors"],
    ] {
        let ran = sealed.run(arguments);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (0, ""),
            "{arguments:?}: {ran:?}"
        );
        assert!(ran.err.contains("no findings"), "{ran:?}");
    }
}

#[test]
fn findings_have_place_cause_and_help() {
    let ran = broken().run(&["validate"]);
    assert_eq!(ran.code, 1);
    assert_snapshot!("validate_text", format!("{}---\n{}", ran.out, ran.err));
}

#[test]
fn every_format_says_the_same() {
    let sealed = broken();
    let ran = sealed.run(&[
        "validate",
        "--format",
        "json",
        "--output",
        "sarif=out/findings.sarif",
        "--output",
        "junit=out/validate.xml",
        "--output",
        "github=out/annotations",
        "--output",
        "text=out/findings.txt",
    ]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let json = ran.json();
    assert_conforms(&sealed, "validate", &json);
    let codes: Vec<&str> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["E0205", "E0312"]);
    assert_eq!(json["summary"]["errors"], 2);

    let sarif: serde_json::Value =
        serde_json::from_str(&sealed.text("out/findings.sarif")).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let found: Vec<_> = results
        .iter()
        .map(|one| {
            let place = &one["locations"][0]["physicalLocation"];
            (
                one["ruleId"].as_str().unwrap(),
                place["region"]["startLine"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(found, [("E0205", 17), ("E0312", 21)]);

    let annotations = sealed.text("out/annotations");
    assert!(
        annotations.starts_with(&format!("::error file={FLOW},line=17,")),
        "{annotations}"
    );
    assert_eq!(annotations.lines().count(), 2);
    let junit = sealed.text("out/validate.xml");
    assert!(
        junit.contains(r#"failures="1""#) && junit.contains(FLOW),
        "{junit}"
    );
    assert_eq!(
        sealed.text("out/findings.txt"),
        sealed.run(&["validate"]).out
    );
}

#[test]
fn a_named_file_shows_its_own_findings_alone() {
    let sealed = broken();
    let ran = sealed.run(&["validate", "connectors/netledger/connector.yaml"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    let ran = sealed.run(&["validate", FLOW]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let ran = sealed.run(&["validate", "mappings/netledger-payfast/cases"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn a_site_file_is_checked_with_its_definitions() {
    let sealed = Sealed::with_definitions();
    sealed.change(
        "ml-connector.yaml",
        "connector: netledger",
        "connector: netleger",
    );
    let ran = sealed.run(&["validate", "ml-connector.yaml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.out.contains("error[E0601]") && ran.out.contains("ml-connector.yaml:10:16"),
        "{ran:?}"
    );
}

#[test]
fn the_variable_names_the_site_file() {
    let sealed = Sealed::with_definitions();
    std::fs::rename(sealed.path("ml-connector.yaml"), sealed.path("other.yaml")).unwrap();
    sealed.change("other.yaml", "connector: netledger", "connector: netleger");
    let mut command = sealed.command(["validate"]);
    command.env("ML_CONNECTOR_SITE", "other.yaml");
    assert!(super::ended(command, "").out.contains("other.yaml:10:16"));
}

#[test]
fn what_cannot_be_read_is_wrong_usage() {
    let sealed = Sealed::with_definitions();
    for path in [
        "no-such-folder",
        "mappings/no-such.yaml",
        "schemas/none.txt",
    ] {
        let said = sealed.run(&["validate", path]).ends(2);
        assert!(said.contains(path), "{said}");
    }
    sealed.file("notes.txt", "x");
    assert!(
        sealed
            .run(&["validate", "notes.txt"])
            .ends(2)
            .contains("neither YAML")
    );
    assert!(
        sealed
            .run(&["validate", "--output", "pdf=x"])
            .ends(2)
            .contains("not a format")
    );
}

#[test]
fn a_folder_without_definitions_says_what_is_expected() {
    let said = Sealed::new().run(&["validate"]).ends(3);
    assert!(
        said.contains("there are no definitions") && said.contains("help:"),
        "{said}"
    );
}

#[test]
fn a_warning_fails_only_when_it_is_denied() {
    let sealed = Sealed::with_definitions();
    // Read and never used.
    sealed.change(
        FLOW,
        "skip:\n",
        "  spare: { crosswalk: spare, key: \"{{ event.id }}\", missing: \"null\" }\nskip:\n",
    );
    let ran = sealed.run(&["validate"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.contains("warning[") && ran.err.contains("1 warning"),
        "{ran:?}"
    );
    assert_eq!(sealed.run(&["validate", "--deny-warnings"]).code, 1);
}
