//! What the repository ships is sound: for the loader, and for the schemas that editors use.

use super::json_schema;
use super::site::Site;
use crate::diagnostic::{Diagnostic, Findings};
use crate::plan::{Library, Plan};
use crate::source::SourceSet;
use crate::yaml;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test reads files of the repository"
)]
fn add(sources: &mut SourceSet, folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add(sources, &path);
        } else if path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "json")
        {
            let name = path
                .strip_prefix(root())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            sources.add_bytes(&name, &std::fs::read(&path).unwrap());
        }
    }
}

fn shipped() -> SourceSet {
    let mut sources = SourceSet::new();
    for folder in ["connectors", "mappings", "schemas"] {
        add(&mut sources, &root().join(folder));
    }
    sources
}

pub(super) fn show(sources: &SourceSet, findings: Vec<Diagnostic>) -> String {
    let one = |one: Diagnostic| {
        let label = if one.primary.text.is_empty() {
            String::new()
        } else {
            format!(" ({})", one.primary.text)
        };
        let help = one
            .help
            .map(|help| format!("\n    help: {help}"))
            .unwrap_or_default();
        format!(
            "{} {}: {}{label}{help}\n",
            one.code,
            sources.show(one.primary.span),
            one.message
        )
    };
    findings.into_iter().map(one).collect()
}

#[test]
fn what_is_shipped_loads_without_findings() {
    let sources = shipped();
    let (library, findings) = Library::load(&sources);
    assert_eq!(show(&sources, findings.sorted(&sources)), "");
    assert!(!library.connectors.is_empty() && !library.integrations.is_empty());
    assert!(!library.cases.is_empty());
}

#[test]
fn the_example_site_binds() {
    let mut sources = shipped();
    let text = include_str!("../../../../tests/site-example.yaml");
    let file = sources.add("tests/site-example.yaml", text);
    let (library, _) = Library::load(&sources);
    let (site, findings) = Site::load(&sources, file);
    assert_eq!(show(&sources, findings.sorted(&sources)), "");
    let (plan, findings) = Plan::bind(&library, &site.unwrap());
    assert_eq!(show(&sources, findings.sorted(&sources)), "");
    assert!(!plan.instances.is_empty());
}

#[test]
fn editors_accept_what_is_shipped() {
    let sources = shipped();
    for (id, file) in sources.files() {
        let Some(kind) = super::kind_of(&sources, id) else {
            continue;
        };
        let node = yaml::load(&sources, id, &mut Findings::new()).unwrap();
        let validator = jsonschema::validator_for(&json_schema::schema(kind)).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(&node.to_document())
            .map(|one| one.to_string())
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", file.name());
        let up = "../".repeat(file.name().matches('/').count());
        let expected = format!(
            "# yaml-language-server: $schema={up}schemas/dsl/{}.json",
            kind.key()
        );
        assert_eq!(
            file.text().lines().next(),
            Some(expected.as_str()),
            "{}",
            file.name()
        );
    }
}
