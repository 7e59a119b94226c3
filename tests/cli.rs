//! The binary from outside: what it prints where, and how it exits.
//!
//! Every run has its own folder, an empty environment and no terminal.

mod authoring;
pub(crate) mod operating;
mod reconcile;
mod secrets;
mod streams;
mod validate;

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A folder in which the binary runs, and nothing else of this machine.
pub(crate) struct Sealed {
    folder: TempDir,
}

/// The secrets of the fixture's site.
pub(crate) const SECRETS: [(&str, &str); 3] = [
    ("payfast/token", "tok-9f3b"),
    ("payfast/hook", "hook-77c1"),
    ("netledger/key", "key-04da"),
];

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/fixture")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(path, target).unwrap();
        }
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Sealed {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A folder with definitions of two invented systems, a site file and cases.
    pub(crate) fn with_definitions() -> Self {
        let sealed = Self::new();
        copy(&fixture(), sealed.folder.path());
        sealed
    }

    /// As [`Sealed::with_definitions`], with a vault that has every secret of the site.
    pub(crate) fn with_vault() -> Self {
        let sealed = Self::with_definitions();
        sealed.run(&["secrets", "init"]).fine();
        for (name, value) in SECRETS {
            sealed.run_with(&["secrets", "set", name], value).fine();
        }
        sealed
    }

    /// Replaces a text that must stand in a file.
    #[track_caller]
    pub(crate) fn change(&self, name: &str, from: &str, to: &str) -> &Self {
        let text = self.text(name);
        assert!(text.contains(from), "{name} has no `{from}`");
        self.file(name, &text.replace(from, to))
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn file(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// The binary with arguments, ready to be started. `ML_TEST_BINARY` is the path of another build of it.
    pub(crate) fn command<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let other = std::env::var_os("ML_TEST_BINARY");
        let built = || env!("CARGO_BIN_EXE_ml-connector").into();
        let mut command = Command::new(other.unwrap_or_else(built));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs with nothing on stdin.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    /// Runs with `input` on stdin.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        ended(self.command(arguments), input)
    }
}

/// Starts a command, hands it its input and waits for its end.
pub(crate) fn ended(mut command: Command, input: &str) -> Ran {
    let mut child = command.spawn().unwrap();
    // A command that reads no input may end before it is written.
    let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ran {
    /// The output of a run that must have been fine.
    #[track_caller]
    pub(crate) fn fine(self) -> String {
        assert_eq!(self.code, 0, "{self:#?}");
        self.out
    }

    /// The words for people of a run that must have ended with this code.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:#?}");
        self.err
    }

    /// The one document on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// A document that a command printed must be what `schema output NAME` says.
#[track_caller]
pub(crate) fn assert_conforms(sealed: &Sealed, name: &str, document: &serde_json::Value) {
    let schema = sealed.run(&["schema", "output", name]).json();
    assert_eq!(document["version"], 1, "{name}");
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<String> = validator
        .iter_errors(document)
        .map(|error| error.to_string())
        .collect();
    assert!(wrong.is_empty(), "{name}: {wrong:?}: {document:#}");
}
