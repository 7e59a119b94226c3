//! How a command ends: its exit code, and the one place where an error is turned into words.
//!
//! Exit codes are part of the interface: 0 fine, 1 findings (or failed cases, or books that do not agree), 2 wrong usage,
//! 3 failure while running. Commands return `anyhow::Result<Exit>`; whatever is not a [`Usage`] is a failure. The cause
//! chain is walked once, here, and nowhere else.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::process::ExitCode;

/// How a command that ran to its end went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nothing to complain about.
    Fine,
    /// It worked, and what it found needs somebody.
    Findings,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Fine => Self::SUCCESS,
            Exit::Findings => Self::from(1),
        }
    }
}

/// The command line, or a file it names, asks for something that cannot be meant.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// Findings that have been told already and forbid going on.
#[derive(Debug, thiserror::Error)]
#[error("there are findings")]
pub(crate) struct Told;

/// What the person can do next, carried along with an error and printed after it.
///
/// Its text stands for the layer it is attached to, so it needs no context of its own.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Advice {
    what: String,
    help: String,
}

impl Advice {
    /// What was being done, and what to do about its failure.
    pub(crate) fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            help: help.into(),
        }
    }
}

/// An error with the next step, as a [`Usage`] would be: nothing below it.
pub(crate) fn advise(what: impl Into<String>, help: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Advice {
        what: what.into(),
        help: help.into(),
    })
}

/// A wrong use of the command line.
pub(crate) fn usage(what: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Usage(what.into()))
}

/// Adds what was being done and the next step to an error.
pub(crate) trait Advised<T> {
    /// Says what was being done and what to do about its failure.
    fn advise(
        self,
        what: impl FnOnce() -> String,
        help: impl FnOnce() -> String,
    ) -> anyhow::Result<T>;
}

impl<T, E> Advised<T> for Result<T, E>
where
    E: Into<anyhow::Error>,
{
    fn advise(
        self,
        what: impl FnOnce() -> String,
        help: impl FnOnce() -> String,
    ) -> anyhow::Result<T> {
        self.map_err(|error| {
            error.into().context(Advice {
                what: what(),
                help: help(),
            })
        })
    }
}

/// The exit code of an error.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<Told>() {
        Exit::Findings.into()
    } else if error.is::<Usage>() {
        ExitCode::from(2)
    } else {
        ExitCode::from(3)
    }
}

/// An error in words: the chain of causes on one line, then the next step.
///
/// A cause whose text its predecessor repeats is left out.
pub(crate) fn describe(error: &anyhow::Error) -> String {
    let mut text = String::from("error: ");
    let mut said = String::new();
    for cause in error.chain() {
        let words = cause.to_string();
        if said.contains(&words) {
            continue;
        }
        if !said.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&words);
        said.push_str(&words);
    }
    if let Some(help) = help_of(error) {
        let _infallible = write!(text, "\nhelp: {help}");
    }
    text
}

fn help_of(error: &anyhow::Error) -> Option<&str> {
    if let Some(advice) = error.downcast_ref::<Advice>() {
        return Some(&advice.help);
    }
    error
        .chain()
        .find_map(<dyn StdError + 'static>::downcast_ref::<Advice>)
        .map(|advice| advice.help.as_str())
}

/// Whether the reader of our output has gone, e.g. `| head`: not an error of ours.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(<dyn StdError + 'static>::downcast_ref::<std::io::Error>)
        .any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::{Advised, Usage, describe, exit_code, is_broken_pipe, usage};
    use anyhow::Context as _;
    use std::process::ExitCode;

    #[test]
    fn the_chain_stands_on_one_line_and_the_next_step_below() {
        let error = Err::<(), _>(std::io::Error::other("disk on fire"))
            .advise(
                || "cannot open the store in `data`".into(),
                || "put it out".into(),
            )
            .context("cannot start")
            .unwrap_err();
        assert_eq!(
            describe(&error),
            "error: cannot start: cannot open the store in `data`: disk on fire\nhelp: put it out"
        );
        assert_eq!(exit_code(&error), ExitCode::from(3));
    }

    #[test]
    fn a_cause_that_was_already_said_is_not_said_again() {
        let error = anyhow::anyhow!("disk on fire").context("cannot write: disk on fire");
        assert_eq!(describe(&error), "error: cannot write: disk on fire");
    }

    #[test]
    fn wrong_usage_stays_wrong_usage_under_context() {
        let error = usage("no such file").context("cannot read the event");
        assert!(error.downcast_ref::<Usage>().is_some());
        assert_eq!(exit_code(&error), ExitCode::from(2));
    }

    #[test]
    fn a_reader_that_went_away_is_recognised_below_context() {
        let error = anyhow::Error::new(std::io::Error::from(std::io::ErrorKind::BrokenPipe))
            .context("cannot print");
        assert!(is_broken_pipe(&error));
    }
}
