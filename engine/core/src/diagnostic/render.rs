//! Findings as people read them: the line, the place in it, and how to mend it.
//!
//! A line in which a secret may stand is never shown, by no finding: what `validate` says is kept in logs of CI systems.

use super::{Code, Diagnostic, Label, Severity};
use crate::codes;
use crate::source::{FileId, SourceSet, Span};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Whether text carries terminal colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Only characters.
    Plain,
    /// With ANSI escape sequences.
    Coloured,
}

/// All findings, in the order given, one empty line between two; empty for none.
pub fn render(sources: &SourceSet, findings: &[Diagnostic], style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    let secret = SecretLines::of(sources, findings);
    let mut text = String::new();
    for finding in findings {
        if !text.is_empty() {
            text.push('\n');
        }
        for line in renderer.render(&groups(sources, finding, &secret)).lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

/// `2 errors, 1 warning`, or nothing for none.
pub fn summary(findings: &[Diagnostic]) -> Option<String> {
    let mut text = String::new();
    for (severity, word) in [(Severity::Error, "error"), (Severity::Warning, "warning")] {
        let count = findings
            .iter()
            .filter(|one| one.severity == severity)
            .count();
        if count > 0 {
            let comma = if text.is_empty() { "" } else { ", " };
            let plural = if count == 1 { "" } else { "s" };
            // Writing to a string cannot fail.
            let _written = write!(text, "{comma}{count} {word}{plural}");
        }
    }
    (!text.is_empty()).then_some(text)
}

/// The findings that are about a value which may be a secret.
const ABOUT_SECRETS: [Code; 2] = [codes::LITERAL_SECRET, codes::SITE_SECRET];

/// The lines in which a secret may stand, by file.
struct SecretLines(BTreeSet<(FileId, u32)>);

impl SecretLines {
    fn of(sources: &SourceSet, findings: &[Diagnostic]) -> Self {
        let about = findings
            .iter()
            .filter(|finding| ABOUT_SECRETS.contains(&finding.code));
        let lines = about.flat_map(|finding| {
            let file = finding.primary.span.file;
            lines(sources, &finding.primary).map(move |line| (file, line))
        });
        Self(lines.collect())
    }

    /// Whether one of them would be shown with these places.
    fn touch<'a>(
        &self,
        sources: &SourceSet,
        file: FileId,
        labels: impl Iterator<Item = &'a Label>,
    ) -> bool {
        let shown: Vec<u32> = labels.flat_map(|label| lines(sources, label)).collect();
        // Lines between two that are shown may be shown too.
        let (Some(first), Some(last)) = (shown.iter().min(), shown.iter().max()) else {
            return false;
        };
        self.0
            .range((file, *first)..=(file, *last))
            .next()
            .is_some()
    }
}

fn lines(sources: &SourceSet, label: &Label) -> std::ops::RangeInclusive<u32> {
    let span = label.span;
    let end = Span::new(
        span.file,
        span.end.max(span.start),
        span.end.max(span.start),
    );
    sources.position(span).line..=sources.position(end).line
}

/// A place without its line.
fn origin<'a>(sources: &'a SourceSet, label: &Label) -> Origin<'a> {
    let place = sources.position(label.span);
    Origin::path(sources.name(label.span.file))
        .line(place.line as usize)
        .char_column(place.column as usize)
}

fn groups<'a>(
    sources: &'a SourceSet,
    finding: &'a Diagnostic,
    secret: &SecretLines,
) -> Vec<Group<'a>> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(finding.message.as_str())
        .id(finding.code.as_str());
    let home = finding.primary.span.file;
    let mut group = Group::with_title(title);
    let at_home = finding.related.iter().filter(|one| one.span.file == home);
    let at_home = at_home.chain([&finding.primary]);
    group = if secret.touch(sources, home, at_home) {
        group.element(origin(sources, &finding.primary))
    } else {
        match snippet(sources, home, Some(&finding.primary), &finding.related) {
            Some(snippet) => group.element(snippet),
            None => group.element(Origin::path(sources.name(home))),
        }
    };
    for file in other_files(finding) {
        let there = finding.related.iter().filter(|one| one.span.file == file);
        if secret.touch(sources, file, there.clone()) {
            group = there.fold(group, |group, label| group.element(origin(sources, label)));
        } else if let Some(snippet) = snippet(sources, file, None, &finding.related) {
            group = group.element(snippet);
        }
    }
    let mut groups = vec![group];
    let remarks = [(&finding.help, Level::HELP), (&finding.note, Level::NOTE)];
    for (text, level) in remarks {
        if let Some(text) = text {
            groups.push(Group::with_title(level.secondary_title(text.as_str())));
        }
    }
    groups
}

/// The files of related places that are not the finding's own, each once.
fn other_files(finding: &Diagnostic) -> Vec<FileId> {
    let mut files = Vec::new();
    for label in &finding.related {
        if label.span.file != finding.primary.span.file && !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    files
}

fn snippet<'a>(
    sources: &'a SourceSet,
    file: FileId,
    primary: Option<&'a Label>,
    related: &'a [Label],
) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let text = sources.file(file)?.text();
    let annotation = |kind: AnnotationKind, label: &'a Label| {
        let remark = (!label.text.is_empty()).then_some(label.text.as_str());
        kind.span(range(text, label)).label(remark)
    };
    let related = related
        .iter()
        .filter(|label| label.span.file == file)
        .map(|label| annotation(AnnotationKind::Context, label));
    let all: Vec<_> = primary
        .map(|label| annotation(AnnotationKind::Primary, label))
        .into_iter()
        .chain(related)
        .collect();
    Some(
        Snippet::source(text)
            .path(sources.name(file))
            .annotations(all),
    )
}

/// The part of a span that is worth underlining: its first line, within the text, on character boundaries.
fn range(text: &str, label: &Label) -> std::ops::Range<usize> {
    let floor = |offset: u32| {
        let mut at = (offset as usize).min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (start, end) = (floor(label.span.start), floor(label.span.end));
    let covered = text.get(start..end).unwrap_or_default();
    let first_line = covered.lines().next().unwrap_or_default().trim_end();
    start..start + first_line.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes;
    use crate::source::Span;

    fn sample() -> (SourceSet, Diagnostic) {
        let mut sources = SourceSet::new();
        let flow = sources.add(
            "mappings/a.yaml",
            "version: 1\nsink:\n  operation: create_bil\n",
        );
        let system = sources.add("connectors/b.yaml", "operations:\n  create_bill:\n");
        let finding = Diagnostic::error(
            codes::UNKNOWN_KEY,
            Span::new(flow, 30, 40),
            "no operation `create_bil`",
        )
        .label("not one of: create_bill")
        .related(Span::new(system, 14, 25), "declared here")
        .help("did you mean `create_bill`?");
        (sources, finding)
    }

    #[test]
    fn a_finding_shows_code_place_line_and_help() {
        let (sources, finding) = sample();
        let text = render(&sources, &[finding.clone(), finding], Style::Plain);
        let one = "\
error[E0110]: no operation `create_bil`
 --> mappings/a.yaml:3:14
  |
3 |   operation: create_bil
  |              ^^^^^^^^^^ not one of: create_bill
  |
 ::: connectors/b.yaml:2:3
  |
2 |   create_bill:
  |   ----------- declared here
  |
help: did you mean `create_bill`?
";
        assert_eq!(text, format!("{one}\n{one}"));
    }

    #[test]
    fn spans_over_several_lines_or_outside_the_text_do_not_break_it() {
        let mut sources = SourceSet::new();
        let file = sources.add("a.yaml", "a: |\n  é\n  c\n");
        for (start, end) in [(0, 14), (8, 9), (14, 99), (99, 120), (3, 3)] {
            let finding = Diagnostic::warning(codes::BAD_VALUE, Span::new(file, start, end), "odd");
            let text = render(&sources, &[finding], Style::Plain);
            assert!(
                text.starts_with("warning[E0115]: odd\n --> a.yaml:"),
                "{text}"
            );
        }
    }

    #[test]
    fn no_finding_shows_a_line_in_which_a_secret_stands() {
        let mut sources = SourceSet::new();
        let text = "a: 1\nheaders: { X-Key: hunter22, odd: x }\nb: 2\n";
        let file = sources.add("a.yaml", text);
        let at = |start, end| Span::new(file, start, end);
        let secret = Diagnostic::error(codes::LITERAL_SECRET, at(23, 31), "a secret");
        let beside = Diagnostic::error(codes::UNKNOWN_KEY, at(33, 36), "unknown key");
        let around = Diagnostic::error(codes::UNKNOWN_KEY, at(0, 1), "unknown key")
            .related(at(43, 44), "and this");
        let elsewhere = Diagnostic::error(codes::UNKNOWN_KEY, at(43, 44), "unknown key");
        let text = render(&sources, &[secret, beside, around, elsewhere], Style::Plain);
        assert!(!text.contains("hunter22"), "{text}");
        for place in ["a.yaml:2:19", "a.yaml:2:29", "a.yaml:1:1", "3 | b: 2"] {
            assert!(text.contains(place), "{place}: {text}");
        }
    }

    #[test]
    fn only_the_coloured_style_has_escapes() {
        let (sources, finding) = sample();
        let findings = [finding];
        assert!(!render(&sources, &findings, Style::Plain).contains('\u{1b}'));
        assert!(render(&sources, &findings, Style::Coloured).contains('\u{1b}'));
    }

    #[test]
    fn the_summary_counts_by_severity() {
        let (_, error) = sample();
        let warning = Diagnostic {
            severity: Severity::Warning,
            ..error.clone()
        };
        assert_eq!(summary(&[]), None);
        assert_eq!(summary(std::slice::from_ref(&error)).unwrap(), "1 error");
        assert_eq!(
            summary(&[error, warning.clone(), warning]).unwrap(),
            "1 error, 2 warnings"
        );
    }
}
