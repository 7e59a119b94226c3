//! Rewriting what a case expects, and nothing else in its file.

use crate::rehearsed::yaml_text;
use anyhow::Context as _;
use ml_connector_core::cases::Case;
use ml_connector_core::source::SourceSet;
use serde_json::Value as Document;
use std::fs;
use std::path::Path;

/// Writes what came of a case into its file, in place of what it expects.
pub(crate) fn rewrite(case: &Case, actual: &Document, sources: &SourceSet) -> anyhow::Result<()> {
    let name = sources.name(case.expect_span.file);
    let text = sources
        .file(case.expect_span.file)
        .map_or("", |file| file.text());
    let start = case.expect_span.start as usize;
    let new = replaced(text, start, &yaml_text(actual)?);
    fs::write(Path::new(name), new).with_context(|| format!("cannot write `{name}`"))
}

/// The text with the value of the key at `start` replaced. The value ends before the next line that is indented no deeper
/// than the key; comments and empty lines before that line stay.
fn replaced(text: &str, start: usize, value: &str) -> String {
    let (before, from) = text.split_at_checked(start).unwrap_or((text, ""));
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let indent = before.len() - line_start;
    let mut end = 0;
    let mut at = 0;
    for (count, line) in from.split_inclusive('\n').enumerate() {
        let bare = line.trim();
        let depth = line.len() - line.trim_start().len();
        let beyond = count > 0 && !bare.is_empty() && depth <= indent;
        if beyond && !bare.starts_with('#') {
            break;
        }
        at += line.len();
        let kept = bare.is_empty() || (bare.starts_with('#') && depth <= indent);
        if !kept {
            end = at;
        }
    }
    let rest = from.get(end..).unwrap_or_default();
    let margin = " ".repeat(indent + 2);
    let mut new = format!("{before}expect:\n");
    for line in value.lines() {
        if !line.is_empty() {
            new.push_str(&margin);
            new.push_str(line);
        }
        new.push('\n');
    }
    new + rest
}

#[cfg(test)]
mod tests {
    use super::replaced;

    fn rewritten(text: &str) -> String {
        replaced(
            text,
            text.find("expect:").unwrap(),
            "skipped: because\nx:\n  y: 1\n",
        )
    }

    #[test]
    fn only_the_expectation_changes() {
        let text = "case: a\nexpect:          # old\n  deliver:\n    # inner\n    a: 1\n\n  # deep\n  b: 2\n\n# after\nevent: 1\n";
        assert_eq!(
            rewritten(text),
            "case: a\nexpect:\n  skipped: because\n  x:\n    y: 1\n\n# after\nevent: 1\n"
        );
    }

    #[test]
    fn an_expectation_on_one_line_or_at_the_end_is_found_too() {
        assert_eq!(
            rewritten("expect: { not_routed: true }\nevent: 1\n"),
            "expect:\n  skipped: because\n  x:\n    y: 1\nevent: 1\n"
        );
        assert_eq!(
            rewritten("case: a\nexpect:\n  held: {}"),
            "case: a\nexpect:\n  skipped: because\n  x:\n    y: 1\n"
        );
    }

    #[test]
    fn a_block_of_text_keeps_its_empty_lines_inside() {
        let text = "expect:\n  deliver:\n    body: |\n      a\n\n      b\nevent: 1\n";
        assert_eq!(
            rewritten(text),
            "expect:\n  skipped: because\n  x:\n    y: 1\nevent: 1\n"
        );
    }
}
