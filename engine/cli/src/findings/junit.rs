//! Findings as a JUnit report: one test suite, one test per file looked at, failed by its findings.

use super::{Finding, FindingsOutput, Severity};
use indexmap::IndexMap;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// The report. Warnings are said in a file's output; they fail it only where `warnings_fail`.
///
/// # Errors
/// If the XML cannot be written, which the writer alone decides.
pub(crate) fn junit(
    output: &FindingsOutput,
    files: &[String],
    warnings_fail: bool,
) -> anyhow::Result<String> {
    let mut by_file: IndexMap<&str, Vec<&Finding>> = files
        .iter()
        .map(|file| (file.as_str(), Vec::new()))
        .collect();
    for finding in &output.findings {
        let file = finding
            .place
            .as_ref()
            .map_or("definitions", |place| place.file.as_str());
        by_file.entry(file).or_default().push(finding);
    }
    let mut suite = TestSuite::new("validate");
    for (file, findings) in by_file {
        suite.add_test_case(test_case(file, &findings, warnings_fail));
    }
    let mut report = Report::new("ml-connector");
    report.add_test_suite(suite);
    Ok(report.to_string()?)
}

fn test_case(file: &str, findings: &[&Finding], warnings_fail: bool) -> TestCase {
    let fails = |finding: &&&Finding| warnings_fail || finding.severity == Severity::Error;
    let status = match findings.iter().find(fails) {
        None => TestCaseStatus::success(),
        Some(first) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status
                .set_type(first.code.as_str())
                .set_message(first.message.as_str())
                .set_description(described(findings));
            status
        }
    };
    let failed = !matches!(status, TestCaseStatus::Success { .. });
    let mut case = TestCase::new(file, status);
    case.set_classname("definitions");
    if !failed && !findings.is_empty() {
        case.set_system_out(described(findings));
    }
    case
}

fn described(findings: &[&Finding]) -> String {
    let texts = findings.iter().map(|finding| {
        let place = finding
            .place
            .as_ref()
            .map(|place| format!("{}:{}:{}: ", place.file, place.line, place.column))
            .unwrap_or_default();
        let (severity, code, message) =
            (finding.severity.as_str(), &finding.code, &finding.message);
        format!(
            "{place}{severity}[{code}]: {message}\n{}",
            finding.explanation()
        )
    });
    texts.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use crate::findings::samples;

    #[test]
    fn files_without_findings_pass_and_warnings_fail_only_when_denied() {
        let files = ["connectors/netledger/connector.yaml".to_owned()];
        let lenient = super::junit(&samples::two(), &files, false).unwrap();
        assert!(lenient.contains(r#"tests="3""#), "{lenient}");
        assert!(lenient.contains(r#"failures="1""#), "{lenient}");
        let strict = super::junit(&samples::two(), &files, true).unwrap();
        assert!(strict.contains(r#"failures="2""#), "{strict}");
        assert!(strict.contains("100% &lt;odd&gt;"), "{strict}");
    }
}
