//! What dotted paths mean in schemas, open and closed.

use super::{EACH, Miss, Schema, Type, Types, Unit};
use serde_json::{Value as Document, json};

fn path(text: &str) -> Vec<&str> {
    text.split('.').collect()
}

fn unknown(schema: &Document, at: &str) -> (usize, Vec<String>) {
    match Schema::of(schema).find(&path(at)) {
        Err(Miss::Unknown { at, members }) => (at, members),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dotted_path_is_followed_and_its_facts_come_back() {
    let schema = json!({"type": "object", "required": ["links"], "properties": {
        "amount": {"type": "integer", "x-unit": "minor"},
        "payer": {"type": ["string", "null"], "x-sensitive": true, "maxLength": 30},
        "day": {"type": "string", "format": "date"},
        "status": {"enum": ["open", "paid"]},
        "links": {"required": ["mandate"], "properties": {"mandate": {"type": "string"}}},
    }});
    let find = |at: &str| Schema::of(&schema).find(&path(at)).unwrap();
    assert_eq!(find("amount").unit(), Some(Unit::Minor));
    assert!(find("amount").optional());
    assert!(!find("links.mandate").optional());
    assert!(find("payer").sensitive() && find("payer").nullable());
    assert_eq!(find("payer").length_max(), Some(30));
    assert_eq!(find("day").format(), Some("date"));
    assert_eq!(
        find("status").values().unwrap(),
        [&json!("open"), &json!("paid")]
    );
    assert_eq!(find("status").types(), Types::only(Type::Text));
}

#[test]
fn an_unlisted_member_is_unknown_at_its_own_place() {
    let schema = json!({"properties": {"links": {"properties": {"mandate": {}, "payout": {}}}}});
    assert_eq!(
        unknown(&schema, "links.mandat"),
        (1, vec!["mandate".into(), "payout".into()])
    );
    assert_eq!(unknown(&schema, "link.mandate"), (0, vec!["links".into()]));
}

#[test]
fn a_member_of_a_text_is_told_from_an_unknown_one() {
    let schema = json!({"properties": {"id": {"type": ["string", "null"]}}});
    let miss = Schema::of(&schema).find(&["id", "value"]).unwrap_err();
    let types = Types::only(Type::Text).or(Types::only(Type::Null));
    assert_eq!(miss, Miss::NoMembers { at: 1, types });
    assert_eq!(types.to_string(), "a string or null");
    let miss = Schema::of(&schema).find(&["id", EACH]).unwrap_err();
    assert_eq!(miss, Miss::NoList { at: 1, types });
}

#[test]
fn schemas_that_list_nothing_accept_everything() {
    for open in [
        json!({}),
        json!(true),
        json!({"type": "object"}),
        json!({"description": "any"}),
    ] {
        let found = Schema::of(&open).find(&["a", "b", "c"]).unwrap();
        assert_eq!(found.types(), Types::ALL, "{open}");
        assert_eq!(
            (found.unit(), found.values(), found.nullable()),
            (None, None, false)
        );
    }
    assert!(
        Schema::of(&json!({"properties": {"a": {}}}))
            .find(&["a", "b"])
            .unwrap()
            .is_open()
    );
    assert!(Schema::open().find(&["x", EACH]).unwrap().is_open());
}

#[test]
fn additional_members_are_as_their_schema_says() {
    let listed = json!({"properties": {"a": {}}, "additionalProperties": {"type": "integer"}});
    assert_eq!(
        Schema::of(&listed).find(&["z"]).unwrap().types(),
        Types::only(Type::Integer)
    );
    assert!(Schema::of(&listed).has_open_members());
    let closed = json!({"type": "object", "additionalProperties": false});
    assert_eq!(unknown(&closed, "z"), (0, vec![]));
    assert!(!Schema::of(&closed).has_open_members());
    let any = json!({"properties": {"a": {}}, "additionalProperties": true});
    assert!(Schema::of(&any).find(&["z"]).unwrap().is_open());
    let pattern = json!({"properties": {"a": {}}, "patternProperties": {"^x-": {}}});
    assert!(Schema::of(&pattern).find(&["x-y"]).is_ok());
}

#[test]
fn a_member_of_one_alternative_exists_but_is_optional() {
    for word in ["anyOf", "oneOf"] {
        let schema = json!({word: [
            {"required": ["a"], "properties": {"a": {"type": "string"}}},
            {"required": ["b"], "properties": {"b": {"type": "integer"}}},
            {"type": "null"},
        ]});
        let found = Schema::of(&schema).find(&["a"]).unwrap();
        assert!(
            found.optional() && found.types() == Types::only(Type::Text),
            "{word}"
        );
        assert_eq!(unknown(&schema, "c").1, ["a", "b"]);
        assert!(Schema::of(&schema).nullable());
    }
}

#[test]
fn parts_that_hold_together_add_their_members_and_narrow_their_types() {
    let schema = json!({
        "properties": {"a": {"type": ["integer", "string"]}},
        "allOf": [{"required": ["a"], "properties": {"a": {"type": ["string", "null"]}, "b": {}}}],
    });
    let a = Schema::of(&schema).find(&["a"]).unwrap();
    assert_eq!(a.types(), Types::only(Type::Text));
    assert!(!a.optional());
    assert!(Schema::of(&schema).find(&["b"]).is_ok());
    assert_eq!(Schema::of(&schema).members(), [("a", true), ("b", false)]);
}

#[test]
fn members_of_a_condition_count_on_either_side() {
    let schema = json!({
        "properties": {"kind": {}},
        "if": {"properties": {"kind": {"const": "card"}}},
        "then": {"properties": {"number": {"type": "string"}}},
        "else": {"properties": {"iban": {"type": "string"}}},
    });
    for name in ["kind", "number", "iban"] {
        assert!(Schema::of(&schema).find(&[name]).is_ok(), "{name}");
    }
    assert_eq!(unknown(&schema, "bic").0, 0);
}

#[test]
fn references_lead_within_the_document() {
    let schema = json!({
        "properties": {
            "own": {"$ref": "#/$defs/own"},
            "escaped": {"$ref": "#/$defs/a~1b%20c"},
            "nowhere": {"$ref": "#/$defs/gone"},
            "elsewhere": {"$ref": "other.json"},
        },
        "$defs": {
            "own": {"properties": {"id": {"type": "string"}}},
            "a/b c": {"type": "integer"},
        },
    });
    let schema = Schema::of(&schema);
    let types = |at: &[&str]| schema.find(at).unwrap().types();
    assert_eq!(types(&["own", "id"]), Types::only(Type::Text));
    assert_eq!(types(&["escaped"]), Types::only(Type::Integer));
    assert!(schema.find(&["nowhere", "x"]).unwrap().is_open());
    assert!(schema.find(&["elsewhere", "x"]).unwrap().is_open());
    assert!(matches!(
        schema.find(&["own", "di"]),
        Err(Miss::Unknown { at: 1, .. })
    ));
}

#[test]
fn recursive_schemas_are_followed_as_far_as_the_path_goes() {
    let tree = json!({"properties": {"value": {"type": "integer"},
        "children": {"type": "array", "items": {"$ref": "#"}}}});
    let deep = ["children", EACH, "children", EACH, "value"];
    assert_eq!(
        Schema::of(&tree).find(&deep).unwrap().types(),
        Types::only(Type::Integer)
    );
    assert!(
        Schema::of(&tree)
            .find(&["children", EACH, "valeu"])
            .is_err()
    );
}

#[test]
fn rings_and_explosions_end_as_open() {
    let ring = json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}});
    assert!(Schema::of(&ring).find(&["x"]).unwrap().is_open());
    let choice = json!({"anyOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]});
    let explosion = json!({"allOf": vec![choice; 20]});
    assert!(Schema::of(&explosion).find(&["x"]).unwrap().is_open());
}

#[test]
fn a_schema_that_nothing_fits_has_no_members() {
    let miss = Schema::of(&json!({"properties": {"a": false}}))
        .find(&["a", "b"])
        .unwrap_err();
    assert_eq!(
        miss,
        Miss::NoMembers {
            at: 1,
            types: Types::NONE
        }
    );
}

#[test]
fn the_longest_text_counts_and_an_unlimited_one_lifts_the_limit() {
    let limit = |schema: Document| Schema::of(&schema).length_max();
    assert_eq!(
        limit(json!({"type": "string", "maxLength": 9, "allOf": [{"maxLength": 4}]})),
        Some(4)
    );
    assert_eq!(
        limit(
            json!({"anyOf": [{"type": "string", "maxLength": 9}, {"type": "string", "maxLength": 4}]})
        ),
        Some(9)
    );
    assert_eq!(
        limit(json!({"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}]})),
        Some(9)
    );
    assert_eq!(
        limit(json!({"anyOf": [{"type": "string", "maxLength": 9}, {"type": "string"}]})),
        None
    );
}

#[test]
fn listed_values_are_united_over_alternatives_and_cut_by_parts() {
    let values = |schema: Document| {
        Schema::of(&schema)
            .values()
            .map(|all| all.into_iter().cloned().collect::<Vec<_>>())
    };
    let either = json!({"anyOf": [{"const": "a"}, {"enum": ["b", null]}, {"type": "null"}]});
    assert_eq!(values(either), Some(vec![json!("a"), json!("b")]));
    let both = json!({"enum": ["a", "b"], "allOf": [{"enum": ["b", "c"]}]});
    assert_eq!(values(both), Some(vec![json!("b")]));
    let some = json!({"anyOf": [{"const": "a"}, {"type": "string"}]});
    assert_eq!(Schema::of(&some).known_values(), [&json!("a")]);
    assert_eq!(values(some), None);
}

#[test]
fn types_read_as_people_say_them() {
    assert_eq!(Types::NUMBER.to_string(), "a number");
    assert_eq!(Types::ALL.to_string(), "anything");
    assert_eq!(Types::NONE.to_string(), "nothing");
    let optional = json!({"type": "string", "optional": true});
    assert_eq!(
        Schema::of(&optional).types().to_string(),
        "a string or null"
    );
    assert_eq!(Type::of(&json!(12)), Type::Integer);
    assert_eq!(
        Type::of(&serde_json::from_str("1.0").unwrap()),
        Type::Decimal
    );
}
