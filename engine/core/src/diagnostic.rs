//! Findings as data: what is wrong with a definition, where, and how to mend it.
//!
//! Everything that reads definitions collects into one [`Findings`]; nothing stops at the first mistake. Printing is the
//! command line's business. A code exists only with its line in [`crate::codes`], its page in `docs/errors/` and its fixture in
//! `tests/diagnostics/`.

pub mod render;

use crate::source::{SourceSet, Span};
use std::fmt;

/// A finding's code, e.g. `E0312`. Made only in [`crate::codes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(&'static str);

impl Code {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self(text)
    }

    /// The code as it is printed.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The definition cannot be run.
    Error,
    /// It can be run, but somebody should look at it.
    Warning,
}

impl Severity {
    /// The word used in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A place with a remark.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is to be seen there; may be empty.
    pub text: String,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which rule.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// What is wrong, in one line, lower-case, without full stop.
    pub message: String,
    /// Where it is wrong, and what was found there.
    pub primary: Label,
    /// Other places that take part, e.g. the first of two equal keys.
    pub related: Vec<Label>,
    /// How to mend it.
    pub help: Option<String>,
    /// Why the rule exists, where that is not plain.
    pub note: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            primary: Label {
                span,
                text: String::new(),
            },
            related: Vec::new(),
            help: None,
            note: None,
        }
    }

    /// A warning at a place.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, span, message)
        }
    }

    /// Says what is to be seen at the place itself.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.primary.text = text.into();
        self
    }

    /// Names another place; nothing happens if it is not known.
    #[must_use]
    pub fn related(mut self, span: impl Into<Option<Span>>, text: impl Into<String>) -> Self {
        if let Some(span) = span.into() {
            self.related.push(Label {
                span,
                text: text.into(),
            });
        }
        self
    }

    /// Says how to mend it.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Says why the rule exists.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.note = Some(text.into());
        self
    }
}

/// Collects findings. Cheap to make; merged with [`Findings::extend`].
#[derive(Debug, Default)]
pub struct Findings {
    all: Vec<Diagnostic>,
}

impl Findings {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.all.push(diagnostic);
    }

    /// Adds all of another collection.
    pub fn extend(&mut self, other: Self) {
        self.all.extend(other.all);
    }

    /// Whether there is nothing, not even a warning.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether anything forbids running.
    pub fn has_errors(&self) -> bool {
        self.all.iter().any(|one| one.severity == Severity::Error)
    }

    /// The findings as they were collected.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.all.iter()
    }

    /// Sorted by file name, position and code, each once.
    #[must_use]
    pub fn sorted(mut self, sources: &SourceSet) -> Vec<Diagnostic> {
        self.all.sort_by(|a, b| {
            let key = |one: &Diagnostic| (one.primary.span.start, one.primary.span.end, one.code);
            sources
                .name(a.primary.span.file)
                .cmp(sources.name(b.primary.span.file))
                .then_with(|| key(a).cmp(&key(b)))
                .then_with(|| a.message.cmp(&b.message))
        });
        self.all.dedup_by(|a, b| {
            a.code == b.code && a.primary.span == b.primary.span && a.message == b.message
        });
        self.all
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes;

    #[test]
    fn findings_come_out_by_file_name_and_place_each_once() {
        let mut set = SourceSet::new();
        let late = set.add("b.yaml", "text");
        let early = set.add("a.yaml", "text");
        let mut findings = Findings::new();
        for (file, start) in [(late, 0), (early, 2), (early, 1), (early, 2)] {
            let span = Span::new(file, start, start + 1);
            findings.push(Diagnostic::error(codes::UNKNOWN_KEY, span, "unknown key"));
        }
        let places: Vec<_> = findings
            .sorted(&set)
            .iter()
            .map(|one| set.show(one.primary.span))
            .collect();
        assert_eq!(places, ["a.yaml:1:2", "a.yaml:1:3", "b.yaml:1:1"]);
    }

    #[test]
    fn a_warning_does_not_forbid_running() {
        let mut set = SourceSet::new();
        let span = Span::new(set.add("a", ""), 0, 0);
        let mut findings = Findings::new();
        findings.push(Diagnostic::warning(codes::UNKNOWN_KEY, span, "odd"));
        assert!(!findings.has_errors());
        findings.push(Diagnostic::error(codes::UNKNOWN_KEY, span, "wrong"));
        assert!(findings.has_errors());
    }
}
