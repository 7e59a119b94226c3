//! Schema files and schemas in place.

use super::*;
use serde_json::json;

const CONNECTOR: &str = "connectors/netledger/connector.yaml";
const RECORD: &str = "schemas/netledger/record.json";
const COMMON: &str = "schemas/netledger/common.json";

#[test]
fn a_schema_that_refers_to_other_files_stands_alone() {
    let (library, _) = load(&samples());
    let connector = &library.connectors["netledger"];
    let schema = &connector.operations["find_bill"].result.schema;
    let validator = jsonschema::validator_for(schema).unwrap();
    assert!(validator.is_valid(&json!({ "id": "1", "links": { "a": "b", "c": null } })));
    assert!(!validator.is_valid(&json!({ "id": "1", "links": { "a": 1 } })));
    assert_eq!(&library.schemas["netledger/record.json"], schema);
}

#[test]
fn a_reference_that_leads_nowhere_is_found_where_it_stands() {
    let at = |to: &str| found(RECORD, "common.json#/$defs/links", to);
    assert_eq!(at("comon.json#/$defs/links").lines().count(), 2);
    assert!(at("comon.json#/$defs/links").starts_with("E0123 schemas/netledger/record.json:5:24:"));
    assert!(
        at("common.json#/$defs/link2").starts_with("E0123 schemas/netledger/record.json:5:24:")
    );
    assert!(at("#/$defs/none").starts_with("E0123 schemas/netledger/record.json:5:24:"));
    assert_eq!(at("netledger/common.json#/$defs/links"), "");
    assert_eq!(at("./common.json#/$defs/links"), "");
    assert_eq!(at("#"), "");
}

#[test]
fn schemas_may_refer_to_one_another_in_a_circle() {
    let circle = "\"link\": { \"anyOf\": [{ \"$ref\": \"record.json\" }, { \"type\": \"null\" }] }";
    let sources = with(
        COMMON,
        "\"link\": { \"type\": [\"string\", \"null\"] }",
        circle,
    );
    let (library, findings) = load(&sources);
    assert_eq!(findings, "");
    let schema = &library.schemas["netledger/record.json"];
    let definitions: Vec<_> = schema["$defs"].as_object().unwrap().keys().collect();
    assert_eq!(definitions, ["netledger/common.json"]);
    let validator = jsonschema::validator_for(schema).unwrap();
    assert!(
        validator.is_valid(
            &json!({ "id": "1", "links": { "a": { "id": "2", "links": { "b": null } } } })
        )
    );
    assert!(!validator.is_valid(&json!({ "id": "1", "links": { "a": { "id": 2 } } })));
}

#[test]
fn a_broken_schema_file_is_one_finding_however_many_use_it() {
    let text = found(RECORD, "\"type\": \"object\",", "\"type\": \"object\"");
    assert!(
        text.starts_with("E0123 schemas/netledger/record.json:3:3:"),
        "{text}"
    );
    assert_eq!(text.matches("\nE").count(), 0, "{text}");
    let text = found(COMMON, "\"string\", \"null\"", "\"text\"");
    assert!(
        text.starts_with("E0123 schemas/netledger/common.json:5:"),
        "{text}"
    );
    assert_eq!(text.matches("\nE").count(), 0, "{text}");
}

#[test]
fn an_unknown_schema_file_is_named() {
    let text = found(
        CONNECTOR,
        "select: $.bill, schema: netledger/record.json",
        "select: $.bill, schema: netledger/recrod.json",
    );
    assert!(
        text.starts_with("E0203 connectors/netledger/connector.yaml:"),
        "{text}"
    );
    assert!(
        text.contains("did you mean `netledger/record.json`?"),
        "{text}"
    );
}

#[test]
fn a_schema_in_place_is_checked_where_it_stands() {
    let text = found(
        CONNECTOR,
        "company: { type: string,",
        "company: { type: txt,",
    );
    assert!(
        text.starts_with("E0123 connectors/netledger/connector.yaml:7:20:"),
        "{text}"
    );
    let text = found(
        CONNECTOR,
        "schema: { type: string }",
        "schema: { type: string, pattern: '(' }",
    );
    assert!(text.starts_with("E0123"), "{text}");
    let text = found(
        CONNECTOR,
        "parallel: { type: integer, default: 2 }",
        "parallel: { type: integer, default: two }",
    );
    assert!(
        text.starts_with("E0123 connectors/netledger/connector.yaml:9:39:"),
        "{text}"
    );
    let text = found(
        CONNECTOR,
        "parallel: { type: integer, default: 2 }",
        "parallel: 2",
    );
    assert!(
        text.starts_with("E0112 connectors/netledger/connector.yaml:9:13:"),
        "{text}"
    );
}

#[test]
fn properties_without_default_and_not_optional_are_required() {
    let (library, _) = load(&samples());
    let connector = &library.connectors["netledger"];
    assert_eq!(connector.settings["required"], json!(["base_url"]));
    assert_eq!(connector.settings["additionalProperties"], json!(false));
}

#[test]
fn the_hash_changes_with_what_is_run_and_not_with_where_it_lies() {
    let of = |sources: &SourceSet| load(sources).0.hash;
    let plain = of(&samples());
    assert_ne!(plain, of(&with(RECORD, "\"id\"", "\"ident\"")));
    assert_ne!(plain, of(&with(CONNECTOR, "NetLedger", "Netledger")));
    assert_eq!(
        plain,
        of(&with(
            "mappings/netledger-payfast/cases/bill.yaml",
            "a bill is paid",
            "paid"
        ))
    );
    let mut moved = SourceSet::new();
    for (name, text) in SAMPLES {
        moved.add(&format!("/etc/defs/{name}"), text);
    }
    assert_eq!(plain, of(&moved));
}
