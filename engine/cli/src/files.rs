//! Definition files on disk: which of them belong together, and their texts.
//!
//! A *root* is a folder that holds `connectors/`, `mappings/` and `schemas/`. Checking one file needs its whole root, so a
//! path that was named leads to the root above it; what was named decides only which findings are shown.

use crate::failure::{Advised as _, advise, usage};
use anyhow::Context as _;
use ml_connector_core::source::{FILE_BYTES_MAX, SourceSet};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

/// Folders of a root whose files are definitions, with what their names end in. JSON beside definitions is events and
/// answers that cases refer to.
const FOLDERS: [(&str, &[&str]); 3] = [
    ("connectors", &["yaml", "yml", "json"]),
    ("mappings", &["yaml", "yml", "json"]),
    ("schemas", &["json"]),
];

/// Schemas of the definition language itself, which definitions do not refer to.
const LANGUAGE_SCHEMAS: &str = "schemas/dsl";

/// Folders nested deeper are not definitions but a mistake, e.g. a link back up.
const DEPTH_MAX: usize = 16;

/// Definition files of one root.
#[derive(Debug)]
pub(crate) struct Root {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// Paths relative to it with `/`, sorted.
    pub(crate) files: Vec<String>,
}

impl Root {
    /// Finds the definition files in a folder.
    pub(crate) fn open(folder: &Path) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        for (name, endings) in FOLDERS {
            let below = folder.join(name);
            if below.is_dir() {
                walk(&below, name, endings, DEPTH_MAX, &mut files)?;
            }
        }
        files.sort();
        Ok(Self {
            folder: folder.to_owned(),
            files,
        })
    }

    /// The root of a path: the nearest folder, from the path itself upwards, that holds definitions.
    pub(crate) fn above(path: &Path) -> anyhow::Result<PathBuf> {
        let absolute = fs::canonicalize(path).map_err(|error| unreadable(path, &error))?;
        let holds = |folder: &&Path| {
            FOLDERS
                .iter()
                .any(|(name, _)| *name != "schemas" && folder.join(name).is_dir())
        };
        let start = if absolute.is_dir() {
            Some(absolute.as_path())
        } else {
            absolute.parent()
        };
        let found = start.and_then(|start| start.ancestors().find(holds));
        found.map(relative_to_here).ok_or_else(|| {
            advise(
                format!("there are no definitions in or above `{}`", path.display()),
                "definitions lie in folders named `connectors` and `mappings`; \
                 `ml-connector new connector NAME` begins them here",
            )
        })
    }

    /// Reads every file into a source set. Names are relative to the present folder, so that terminals make links of them.
    pub(crate) fn read(&self, sources: &mut SourceSet) -> anyhow::Result<()> {
        for file in &self.files {
            let path = self.folder.join(file);
            sources.add_bytes(&display_name(&path), &read(&path)?);
        }
        Ok(())
    }
}

/// Reads a definition file, one byte further than the longest that is taken: so the core can say that it is too long.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(FILE_BYTES_MAX)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    File::open(path)
        .map_err(|error| unreadable(path, &error))?
        .take(limit)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(bytes)
}

/// A path as findings name it: relative, with `/`, without `./`.
pub(crate) fn display_name(path: &Path) -> String {
    let kept = path
        .components()
        .filter(|part| !matches!(part, Component::CurDir));
    let parts: Vec<String> = kept
        .map(|part| {
            part.as_os_str()
                .to_string_lossy()
                .trim_end_matches('/')
                .to_owned()
        })
        .collect();
    parts.join("/")
}

/// A path that was named and cannot be read is wrong usage, with the system's reason.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> anyhow::Error {
    usage(format!("cannot read `{}`: {error}", path.display()))
}

/// The path as seen from the present folder where it lies below it, else as it is.
fn relative_to_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir()
        .and_then(fs::canonicalize)
        .unwrap_or_default();
    match path.strip_prefix(&here) {
        Ok(below) if below.as_os_str().is_empty() => PathBuf::from("."),
        Ok(below) => below.to_owned(),
        Err(_) => path.to_owned(),
    }
}

fn walk(
    folder: &Path,
    name: &str,
    endings: &[&str],
    depth: usize,
    files: &mut Vec<String>,
) -> anyhow::Result<()> {
    if name == LANGUAGE_SCHEMAS {
        return Ok(());
    }
    if depth == 0 {
        return Err(advise(
            format!("`{}` is nested too deep for definitions", folder.display()),
            "is there a link that leads back up?",
        ));
    }
    let entries = fs::read_dir(folder).advise(
        || format!("cannot list `{}`", folder.display()),
        || "check that the folder may be read".to_owned(),
    )?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list `{}`", folder.display()))?;
        let file_name = entry.file_name();
        let Some(text) = file_name.to_str().filter(|text| !text.starts_with('.')) else {
            continue;
        };
        let path = entry.path();
        let below = format!("{name}/{text}");
        if path.is_dir() {
            walk(&path, &below, endings, depth - 1, files)?;
        } else if path
            .extension()
            .is_some_and(|ending| endings.iter().any(|one| ending == *one))
        {
            files.push(below);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Root, display_name};
    use std::fs;
    use std::path::Path;

    fn root() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in [
            "connectors/netledger/connector.yaml",
            "connectors/netledger/README.md",
            "connectors/netledger/.connector.yaml.swp.yaml",
            "mappings/a/flow.yaml",
            "mappings/a/cases/event.json",
            "mappings/a/cases/one.yml",
            "schemas/netledger/bill.json",
            "schemas/dsl/case.json",
            "data/other.yaml",
        ] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "version: 1\n").unwrap();
        }
        folder
    }

    #[test]
    fn a_root_has_its_definitions_and_nothing_else() {
        let folder = root();
        assert_eq!(
            Root::open(folder.path()).unwrap().files,
            [
                "connectors/netledger/connector.yaml",
                "mappings/a/cases/event.json",
                "mappings/a/cases/one.yml",
                "mappings/a/flow.yaml",
                "schemas/netledger/bill.json",
            ]
        );
    }

    #[test]
    fn any_path_in_a_root_leads_to_it() {
        let folder = root();
        let expected = fs::canonicalize(folder.path()).unwrap();
        for path in [
            "",
            "mappings",
            "mappings/a/flow.yaml",
            "connectors/netledger",
        ] {
            assert_eq!(
                Root::above(&folder.path().join(path)).unwrap(),
                expected,
                "{path}"
            );
        }
        let lost = Root::above(&folder.path().join("no/such")).unwrap_err();
        assert!(lost.downcast_ref::<crate::failure::Usage>().is_some());
    }

    #[test]
    fn names_have_no_dots_in_front() {
        assert_eq!(
            display_name(Path::new("./mappings/./a.yaml")),
            "mappings/a.yaml"
        );
        assert_eq!(
            display_name(Path::new("/site/mappings/a.yaml")),
            "/site/mappings/a.yaml"
        );
    }
}
