//! Rules of the repository that no compiler checks.

use std::fs;
use std::path::{Path, PathBuf};

/// The longest source file that needs no stated reason.
const LINES_MAX: usize = 600;
/// A longer file says why in its module comment, behind this.
const LONG_BECAUSE: &str = "Long because:";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` with one of the extensions, relative to the root.
fn files(folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path
                    .file_name()
                    .is_some_and(|name| name != "target" && name != ".git")
                {
                    open.push(path);
                }
            } else if path
                .extension()
                .is_some_and(|e| extensions.iter().any(|x| e == *x))
            {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn text(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn sources() -> Vec<PathBuf> {
    let mut all = files("engine", &["rs"]);
    all.extend(files("tests", &["rs"]));
    all
}

fn fail(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

/// Whether `word` stands in `text` with no letter directly before it, so that "message" does not count.
fn names(text: &str, word: &str) -> bool {
    let lower = text.to_lowercase();
    lower.match_indices(word).any(|(at, _)| {
        !lower[..at]
            .chars()
            .next_back()
            .is_some_and(char::is_alphabetic)
    })
}

#[test]
fn the_engine_names_no_system() {
    let systems = ["gocardless", "syspro", "sage", "oracle", "paychex"];
    let mut found = Vec::new();
    for path in files("engine", &["rs", "toml", "md", "json", "yaml"]) {
        for (number, line) in text(&path).lines().enumerate() {
            for system in systems.iter().filter(|system| names(line, system)) {
                found.push(format!("{}:{}: {system}", path.display(), number + 1));
            }
        }
    }
    fail("a system is data, never a name in the engine", &found);
    assert!(
        names("the Sage one", "sage") && !names("a message", "sage"),
        "the rule itself"
    );
}

#[test]
fn every_module_says_what_it_is_for() {
    let missing: Vec<String> = sources()
        .iter()
        .filter(|path| !text(path).trim_start().starts_with("//!"))
        .map(|path| path.display().to_string())
        .collect();
    fail("a module opens with `//!`", &missing);
}

#[test]
fn long_files_say_why() {
    let long: Vec<String> = sources()
        .iter()
        .filter_map(|path| {
            let text = text(path);
            let lines = text.lines().count();
            (lines > LINES_MAX && !text.contains(LONG_BECAUSE))
                .then(|| format!("{} ({lines} lines)", path.display()))
        })
        .collect();
    fail("a file over 600 lines is split or says why", &long);
}

#[test]
fn nothing_is_left_open_in_the_tree() {
    let marks = [
        ["to", "do!("],
        ["unimpl", "emented!("],
        ["#[ig", "nore"],
        ["FIX", "ME"],
        ["XX", "X:"],
    ];
    let mut found = Vec::new();
    for path in sources() {
        for (number, line) in text(&path).lines().enumerate() {
            if marks.iter().any(|mark| line.contains(&mark.concat())) {
                found.push(format!(
                    "{}:{}: {}",
                    path.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    fail("finish it or leave it out", &found);
}

#[test]
fn each_heavy_crate_has_one_importer() {
    // Crate, and the folder that alone may name it.
    let homes = [
        ("sled::", "engine/store/src/"),
        ("saphyr_parser::", "engine/core/src/yaml"),
        ("minijinja::", "engine/core/src/template"),
        ("reqwest::", "engine/runtime/src/transport"),
        ("roxmltree::", "engine/core/src/protocol"),
        ("quick_xml::", "engine/core/src/protocol"),
    ];
    let mut found = Vec::new();
    for path in files("engine", &["rs"]) {
        let text = text(&path);
        for (name, home) in homes {
            if text.contains(name) && !path.to_string_lossy().starts_with(home) {
                found.push(format!("{} imports {name}", path.display()));
            }
        }
    }
    fail("outside its home the crate is unknown", &found);
}

#[test]
fn crates_depend_in_one_direction_only() {
    let allowed: [(&str, &[&str]); 4] = [
        ("core", &[]),
        ("store", &["core"]),
        ("runtime", &["core", "store"]),
        ("cli", &["core", "store", "runtime"]),
    ];
    for (name, may) in allowed {
        let manifest = text(Path::new(&format!("engine/{name}/Cargo.toml")));
        let own = manifest.split("[dev-dependencies]").next().unwrap();
        for other in ["core", "store", "runtime", "cli", "simulators"] {
            let uses = own.contains(&format!("\nml-connector-{other}.workspace"));
            assert!(
                !uses || may.contains(&other),
                "{name} must not depend on {other}"
            );
        }
    }
    let core = text(Path::new("engine/core/Cargo.toml"));
    for banned in ["tokio", "reqwest", "tracing", "getrandom", "sled"] {
        assert!(
            !core.contains(&format!("\n{banned}.workspace")),
            "core must not know {banned}"
        );
    }
}

#[test]
fn every_shipped_definition_names_its_schema() {
    let mut found = Vec::new();
    for folder in ["connectors", "mappings"] {
        for path in files(folder, &["yaml"]) {
            let text = text(&path);
            let line = text.lines().next().unwrap_or_default();
            let schema = line.strip_prefix("# yaml-language-server: $schema=");
            let there = schema.is_some_and(|schema| {
                root()
                    .join(&path)
                    .parent()
                    .unwrap()
                    .join(schema.trim())
                    .is_file()
            });
            if !there {
                found.push(format!("{}: {line}", path.display()));
            }
        }
    }
    fail(
        "the first line names the schema, and the schema is there",
        &found,
    );
}

#[test]
fn links_in_the_documents_lead_somewhere() {
    let mut found = Vec::new();
    let mut documents = files("docs", &["md"]);
    documents.extend(files("connectors", &["md"]));
    documents.extend(files("mappings", &["md"]));
    for name in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"] {
        documents.push(PathBuf::from(name));
    }
    for path in documents {
        let text = text(&path);
        for piece in text.split("](").skip(1) {
            let target = piece.split(')').next().unwrap_or_default();
            let target = target.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.contains(char::is_whitespace) {
                continue;
            }
            if !root().join(&path).parent().unwrap().join(target).exists() {
                found.push(format!("{} -> {target}", path.display()));
            }
        }
    }
    fail("a link leads nowhere", &found);
}

#[test]
fn the_documents_speak_of_the_project_alone() {
    let words = [
        "sub-agent",
        "subagent",
        "chatgpt",
        "claude",
        "copilot",
        "/work/",
        "crates.io-",
    ];
    let mut found = Vec::new();
    let mut all = sources();
    for folder in ["docs", "connectors", "mappings", "schemas"] {
        all.extend(files(folder, &["md", "yaml", "json"]));
    }
    for path in all.iter().filter(|path| !path.ends_with("tidy.rs")) {
        let text = text(path).to_lowercase();
        for word in words.iter().filter(|word| text.contains(**word)) {
            found.push(format!("{}: {word}", path.display()));
        }
    }
    fail("the project speaks of itself alone", &found);
}
