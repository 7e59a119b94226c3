//! Findings as programs read them, and the formats that CI systems take.
//!
//! A [`Finding`] is a diagnostic of the core with its places resolved to file, line and column. Every format is written from
//! it, so that none of them can say anything else than the others.

mod github;
mod junit;
mod sarif;

pub(crate) use github::github;
pub(crate) use junit::junit;
pub(crate) use sarif::{Rule, sarif};

use crate::table::count;
use ml_connector_core::diagnostic::{Diagnostic, Severity as Badness};
use ml_connector_core::source::{SourceSet, Span};
use schemars::JsonSchema;
use serde::Serialize;

/// Output of `validate --format json`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(title = "validate")]
pub(crate) struct FindingsOutput {
    /// Version of this document's form.
    pub(crate) version: u32,
    /// What was found, by file and place.
    pub(crate) findings: Vec<Finding>,
    /// How much was looked at.
    pub(crate) summary: Summary,
}

/// How much was looked at, and what came of it.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub(crate) struct Summary {
    /// Files read.
    pub(crate) files: usize,
    /// Connectors among them.
    pub(crate) connectors: usize,
    /// Integrations among them.
    pub(crate) integrations: usize,
    /// Cases among them.
    pub(crate) cases: usize,
    /// Site files among them.
    pub(crate) sites: usize,
    /// Findings that forbid running.
    pub(crate) errors: usize,
    /// Findings that do not.
    pub(crate) warnings: usize,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Finding {
    /// Its code; `ml-connector explain CODE` says more.
    pub(crate) code: String,
    /// Whether it forbids running.
    pub(crate) severity: Severity,
    /// What is wrong.
    pub(crate) message: String,
    /// Where, and what stands there.
    pub(crate) place: Option<Place>,
    /// What is wrong at that very place, e.g. what would be right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<String>,
    /// Other places that have to do with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) related: Vec<Related>,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) help: Option<String>,
    /// Why the rule exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// Nothing runs with it.
    Error,
    /// It runs.
    Warning,
}

/// Some text in a file. Lines and columns count from 1, columns in characters; the end is behind the last character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Place {
    /// Path as the files were named, with `/` between folders.
    pub(crate) file: String,
    /// First line.
    pub(crate) line: usize,
    /// First column.
    pub(crate) column: usize,
    /// Last line.
    pub(crate) end_line: usize,
    /// Column behind the last character.
    pub(crate) end_column: usize,
}

/// Another place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Related {
    /// What it has to do with it.
    pub(crate) message: String,
    /// Where.
    pub(crate) place: Place,
}

impl Summary {
    /// Adds what was looked at elsewhere.
    pub(crate) fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.connectors += other.connectors;
        self.integrations += other.integrations;
        self.cases += other.cases;
        self.sites += other.sites;
        self.errors += other.errors;
        self.warnings += other.warnings;
    }

    /// In one line, e.g. `12 files: no findings`.
    pub(crate) fn line(&self) -> String {
        let parts = [
            (self.connectors, "connector", "connectors"),
            (self.integrations, "integration", "integrations"),
            (self.cases, "case", "cases"),
            (self.sites, "site", "sites"),
        ];
        let kinds: Vec<String> = parts
            .into_iter()
            .filter(|(number, ..)| *number > 0)
            .map(|(number, one, many)| count(number, one, many))
            .collect();
        let files = count(self.files, "file", "files");
        let looked = if kinds.is_empty() {
            files
        } else {
            format!("{files} ({})", kinds.join(", "))
        };
        let found = match (self.errors, self.warnings) {
            (0, 0) => "no findings".to_owned(),
            (errors, 0) => count(errors, "error", "errors"),
            (0, warnings) => count(warnings, "warning", "warnings"),
            (errors, warnings) => {
                format!(
                    "{}, {}",
                    count(errors, "error", "errors"),
                    count(warnings, "warning", "warnings")
                )
            }
        };
        format!("{looked}: {found}")
    }
}

impl Severity {
    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl Finding {
    /// Resolves a diagnostic's places.
    pub(crate) fn of(diagnostic: &Diagnostic, sources: &SourceSet) -> Self {
        let related = diagnostic.related.iter().map(|label| Related {
            message: label.text.clone(),
            place: Place::of(label.span, sources),
        });
        Self {
            code: diagnostic.code.as_str().to_owned(),
            severity: match diagnostic.severity {
                Badness::Error => Severity::Error,
                Badness::Warning => Severity::Warning,
            },
            message: diagnostic.message.clone(),
            place: Some(Place::of(diagnostic.primary.span, sources)),
            label: Some(diagnostic.primary.text.clone()).filter(|text| !text.is_empty()),
            related: related.collect(),
            help: diagnostic.help.clone(),
            note: diagnostic.note.clone(),
        }
    }

    /// Everything it says beside its message, a line each: for formats that have but one text.
    pub(crate) fn explanation(&self) -> String {
        let mut lines = Vec::new();
        lines.extend(self.label.clone());
        lines.extend(self.related.iter().map(|related| {
            let Place {
                file, line, column, ..
            } = &related.place;
            format!("{}: {file}:{line}:{column}", related.message)
        }));
        lines.extend(self.help.as_ref().map(|help| format!("help: {help}")));
        lines.extend(self.note.as_ref().map(|note| format!("note: {note}")));
        lines.join("\n")
    }
}

impl Place {
    /// Resolves a span. An empty one covers one column, because readers of regions refuse empty ones.
    pub(crate) fn of(span: Span, sources: &SourceSet) -> Self {
        let start = sources.position(span);
        let end = sources.position(Span {
            start: span.end,
            ..span
        });
        let (line, column) = (start.line as usize, start.column as usize);
        let (end_line, mut end_column) = (end.line as usize, end.column as usize);
        if line == end_line {
            end_column = end_column.max(column + 1);
        }
        Self {
            file: sources.name(span.file).to_owned(),
            line,
            column,
            end_line,
            end_column,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;
    use ml_connector_core::source::{SourceSet, Span};

    #[test]
    fn an_end_is_behind_the_last_character_and_nothing_is_empty() {
        let mut sources = SourceSet::new();
        let file = sources.add("a.yaml", "näme: x\nb: y\n");
        let place = |start, end| {
            let Place {
                line,
                column,
                end_line,
                end_column,
                ..
            } = Place::of(Span::new(file, start, end), &sources);
            (line, column, end_line, end_column)
        };
        assert_eq!(place(0, 5), (1, 1, 1, 5));
        assert_eq!(place(7, 7), (1, 7, 1, 8));
        assert_eq!(place(7, 10), (1, 7, 2, 2));
    }
}

#[cfg(test)]
pub(crate) mod samples {
    //! Findings for the tests of the formats.

    use super::{Finding, FindingsOutput, Place, Related, Severity, Summary};

    fn place(file: &str, line: usize, columns: std::ops::Range<usize>) -> Place {
        Place {
            file: file.into(),
            line,
            column: columns.start,
            end_line: line,
            end_column: columns.end,
        }
    }

    pub(crate) fn two() -> FindingsOutput {
        FindingsOutput {
            version: 1,
            findings: vec![
                Finding {
                    code: "E0203".into(),
                    severity: Severity::Error,
                    message: "connector `netledger` has no operation `create_bil`".into(),
                    place: Some(place("mappings/netledger payfast/create.yaml", 18, 16..26)),
                    label: Some("not one of: create_bill, get_bill, void_bill".into()),
                    related: vec![Related {
                        message: "operations are declared here".into(),
                        place: place("connectors/netledger/connector.yaml", 41, 5..16),
                    }],
                    help: Some("did you mean `create_bill`?".into()),
                    note: None,
                },
                Finding {
                    code: "E0101".into(),
                    severity: Severity::Warning,
                    message: "100% <odd>, and: strange".into(),
                    place: None,
                    label: None,
                    related: Vec::new(),
                    help: None,
                    note: None,
                },
            ],
            summary: Summary {
                files: 3,
                connectors: 1,
                integrations: 1,
                errors: 1,
                warnings: 1,
                ..Summary::default()
            },
        }
    }
}
