//! What is written out from the tables is what stands in the repository.

use super::table::{Need, Shape};
use super::tables::DefinitionKind;
use super::{json_schema, manual, outline};
use crate::diagnostic::Findings;
use crate::source::SourceSet;
use crate::yaml;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test compares files of the repository"
)]
fn compare(path: &str, expected: &str) {
    let file = root().join(path);
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, expected).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == expected,
        "{path} is stale: run `BLESS=1 cargo test -p ml-connector-core schemas`"
    );
}

#[test]
fn schemas_in_the_repository_are_those_of_the_tables() {
    for kind in DefinitionKind::ALL {
        let path = format!("schemas/dsl/{}.json", kind.key());
        compare(&path, &json_schema::schema_text(kind));
    }
}

#[test]
fn schemas_have_their_reference_page() {
    compare("docs/guide/reference.md", &manual::reference());
}

#[test]
fn schemas_are_json_schemas() {
    for kind in DefinitionKind::ALL {
        let schema = json_schema::schema(kind);
        assert!(jsonschema::meta::is_valid(&schema), "{kind:?}");
        jsonschema::validator_for(&schema).unwrap();
    }
}

/// Defaults are YAML, of the shape their own row asks for.
#[test]
fn defaults_fit_their_rows() {
    for kind in DefinitionKind::ALL {
        let schema = json_schema::schema(kind);
        for part in outline::parts(kind) {
            let (outline::Part::Table(table) | outline::Part::Variant { table, .. }) = part else {
                continue;
            };
            for field in table.fields() {
                let Need::Default(text) = field.need else {
                    continue;
                };
                let mut sources = SourceSet::new();
                let file = sources.add("default", text);
                let node = yaml::load(&sources, file, &mut Findings::new()).unwrap();
                let mut one = schema.clone();
                one["$ref"] = format!("#/$defs/{}/properties/{}", table.name, field.name).into();
                let validator = jsonschema::validator_for(&one).unwrap();
                let as_text = serde_json::Value::String(text.to_owned());
                let fits = validator.is_valid(&node.to_document()) || validator.is_valid(&as_text);
                assert!(fits, "{}.{}", table.name, field.name);
                if matches!(field.shape, Shape::Flag) {
                    assert!(matches!(text, "true" | "false"));
                }
            }
        }
    }
}

#[test]
fn names_and_keys_are_unique_and_told() {
    for kind in DefinitionKind::ALL {
        for part in outline::parts(kind) {
            let (outline::Part::Table(table) | outline::Part::Variant { table, .. }) = part else {
                continue;
            };
            let mut seen = std::collections::HashSet::new();
            for field in table.fields() {
                assert!(seen.insert(field.name), "{}.{}", table.name, field.name);
                assert!(
                    field.doc.ends_with(['.', ')']) && field.doc.len() < 320,
                    "{}.{}",
                    table.name,
                    field.name
                );
            }
        }
    }
}
