//! Broken definitions and what is said about them.
//!
//! `diagnostics/ok` is a sound set of definitions, about which nothing is said. Every other folder adds to it, or replaces
//! of it, what has one kind of mistake; `expected.txt` is what `validate` says then. `BLESS=1 cargo test diagnostics` writes
//! these files anew; they are read as code is read.

use ml_connector_core::codes;
use ml_connector_core::definition::site::Site;
use ml_connector_core::diagnostic::Findings;
use ml_connector_core::diagnostic::render::{Style, render, summary};
use ml_connector_core::plan::{Library, Plan};
use ml_connector_core::source::SourceSet;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const SITE: &str = "ml-connector.yaml";
const EXPECTED: &str = "expected.txt";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics")
}

/// Every file below a folder, by its path in it.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .replace('\\', "/");
            if name != EXPECTED {
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// The folders of broken definitions, by name.
fn broken() -> Vec<(String, PathBuf)> {
    let mut all: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir() && !path.ends_with("ok"))
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    all.sort();
    all
}

/// The code that a folder is about: `E0312` of `E0312-unknown-member`. One without may have mistakes of any kind.
fn code(name: &str) -> Option<&str> {
    let first = name.split('-').next()?;
    let digits = first.strip_prefix('E')?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(first)
}

/// The lines that open a finding.
fn openings(said: &str) -> impl Iterator<Item = &str> {
    said.lines()
        .filter(|line| line.starts_with("error[") || line.starts_with("warning["))
}

/// What `validate` says about these files.
fn said(files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut sources = SourceSet::new();
    for (name, bytes) in files {
        sources.add_bytes(name, bytes);
    }
    let (library, mut findings) = Library::load(&sources);
    findings.extend(ml_connector_core::check::check(&library, &sources));
    if let Some(file) = sources.by_name(SITE) {
        let (site, of_site) = Site::load(&sources, file);
        findings.extend(of_site);
        if let Some(site) = site {
            let (_, of_plan) = Plan::bind(&library, &site);
            findings.extend(of_plan);
        }
    }
    shown(&sources, findings)
}

fn shown(sources: &SourceSet, findings: Findings) -> String {
    let sorted = findings.sorted(sources);
    let text = render(sources, &sorted, Style::Plain);
    summary(&sorted).map_or(text.clone(), |summary| format!("{text}\n{summary}\n"))
}

#[test]
fn nothing_is_said_about_sound_definitions() {
    assert_eq!(said(&files(&folder().join("ok"))), "");
}

/// What is delivered with the engine, warnings included.
#[test]
fn nothing_is_said_about_the_shipped_definitions() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = BTreeMap::new();
    for part in ["connectors", "mappings", "schemas"] {
        let files = files(&root.join(part)).into_iter();
        all.extend(files.map(|(name, bytes)| (format!("{part}/{name}"), bytes)));
    }
    assert!(
        all.keys().any(|name| name.ends_with("connector.yaml")),
        "nothing was read"
    );
    assert_eq!(said(&all), "");
}

#[test]
fn every_mistake_is_said_as_expected() {
    let ok = files(&folder().join("ok"));
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for (name, path) in broken() {
        let mut all = ok.clone();
        all.extend(files(&path));
        let said = said(&all);
        let expected = fs::read_to_string(path.join(EXPECTED)).unwrap_or_default();
        if bless {
            fs::write(path.join(EXPECTED), &said).unwrap();
        } else if said != expected {
            wrong.push(format!(
                "--- {name}: expected\n{expected}\n--- said\n{said}"
            ));
        }
        if let Some(code) = code(&name) {
            assert!(
                said.contains(&format!("[{code}]")),
                "{name} is not about its code:\n{said}"
            );
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nBLESS=1 accepts what is said",
        wrong.join("\n")
    );
}

/// One mistake, one finding: nothing but the code that a folder is about.
#[test]
fn no_mistake_brings_findings_of_another_kind() {
    let ok = files(&folder().join("ok"));
    let mut wrong = Vec::new();
    for (name, path) in broken() {
        let Some(code) = code(&name) else { continue };
        let mut all = ok.clone();
        all.extend(files(&path));
        let said = said(&all);
        let others = openings(&said).filter(|line| !line.contains(&format!("[{code}]")));
        wrong.extend(others.map(|line| format!("{name}: {line}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Twenty mistakes in one file are twenty findings, none caused by another.
#[test]
fn many_mistakes_are_found_at_once() {
    let mut all = files(&folder().join("ok"));
    all.extend(files(&folder().join("many-mistakes")));
    let said = said(&all);
    assert_eq!(openings(&said).count(), 20, "{said}");
    assert!(said.ends_with("\n20 errors\n"), "{said}");
}

#[test]
fn every_code_has_a_page_and_a_broken_sample() {
    let samples: BTreeSet<String> = broken()
        .iter()
        .filter_map(|(name, _)| code(name).map(str::to_owned))
        .collect();
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors");
    let mut known = BTreeSet::new();
    for (code, title) in codes::ALL {
        let code = code.as_str();
        known.insert(code.to_owned());
        let page = fs::read_to_string(pages.join(format!("{code}.md")))
            .unwrap_or_else(|_| panic!("docs/errors/{code}.md is missing"));
        let first = page.lines().next().unwrap_or_default();
        assert_eq!(
            first,
            format!("# {code}: {title}"),
            "first line of docs/errors/{code}.md"
        );
        assert!(
            page.contains("## How to mend it"),
            "docs/errors/{code}.md does not say how to mend it"
        );
    }
    let missing: Vec<_> = known.difference(&samples).collect();
    assert!(
        missing.is_empty(),
        "codes without a folder in tests/diagnostics: {missing:?}"
    );
    let unknown: Vec<_> = samples.difference(&known).collect();
    assert!(
        unknown.is_empty(),
        "folders in tests/diagnostics about no code: {unknown:?}"
    );
    for entry in fs::read_dir(&pages).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let code = name.trim_end_matches(".md");
        assert!(
            code == "README" || known.contains(code),
            "docs/errors/{name} is about no code"
        );
    }
}
