//! One mistake, one finding, at its place, with what to do about it.

use super::*;
use crate::diagnostic::Diagnostic;

const CONNECTOR: &str = "connectors/netledger/connector.yaml";
const FLOW: &str = "mappings/netledger-payfast/bills.yaml";

/// The connector sample with twenty mistakes of all sorts: none hides another, and none causes another.
#[test]
fn twenty_mistakes_are_twenty_findings() {
    let mistakes = [
        ("title: NetLedger", "titel: NetLedger", "E0110 titel"),
        (
            "company: { type: string, optional: true }",
            "company: string",
            "E0112 string",
        ),
        ("several: true", "several: yes", "E0112 yes"),
        (
            "settings.base_url }}/api",
            "settings.base_url }/api",
            "E0301 }",
        ),
        ("requests: 600", "requests: 0", "E0116 0"),
        ("reset_format: epoch", "reset_format: epoc", "E0113 epoc"),
        (
            "answer_bytes_max: 2MiB",
            "answer_bytes_max: 2MB",
            "E0115 2MB",
        ),
        ("first: 2s", "first: 2", "E0115 2"),
        (
            "encoding: base64, prefix",
            "encoding: base63, prefix",
            "E0113 base63",
        ),
        ("each: $.events[*]", "each: $.events[", "E0302 $"),
        ("accepted: 204", "accepted: 0204", "E0106 0204"),
        ("every: 10m", "evry: 10m", "E0110 evry"),
        (
            "value: $.changed, kind: date",
            "value: $.changed, kind: time",
            "E0113 time",
        ),
        (
            "{ name: only, request: { method: DELETE, path: /logon } }",
            "{ name: only }",
            "E0114 name",
        ),
        (
            "find_bill:\n    kind: read",
            "find_bill:\n    kind: reed",
            "E0113 reed",
        ),
        ("limit: 50 }", "limit: 5.0 }", "E0106 5.0"),
        (
            "found: result is not none\n        same: result.amount",
            "found: \"{{ result is not none }}\"\n        same: result.amount",
            "E0301 \"{{ result is not none }}\"",
        ),
        (
            "absences: 3",
            "absences: 3\n        absences: 4",
            "E0104 absences",
        ),
        (
            "if: \"{{ line.kind is defined }}\"",
            "if: line.kind is defined",
            "E0112 line.kind is defined",
        ),
        (
            "{ when: status == 423, outcome: retry }",
            "{ outcome: retry }",
            "E0111 outcome",
        ),
    ];
    let mut text = SAMPLES
        .iter()
        .find(|(name, _)| *name == CONNECTOR)
        .unwrap()
        .1
        .to_owned();
    for (from, to, _) in mistakes {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text = text.replace(from, to);
    }
    let mut sources = samples();
    sources.add(CONNECTOR, &text);
    let all = sorted(&sources);
    let shown: Vec<_> = all
        .iter()
        .map(|one| format!("{} {}", one.code, sources.text(one.primary.span)))
        .collect();
    let expected: Vec<_> = mistakes
        .iter()
        .map(|(_, _, place)| (*place).to_owned())
        .collect();
    assert_eq!(shown, expected, "{}", show(&sources, all));
}

pub(super) fn sorted(sources: &SourceSet) -> Vec<Diagnostic> {
    let mut findings = Findings::new();
    library::load(sources, &mut findings);
    findings.sorted(sources)
}

#[test]
fn a_finding_says_what_was_meant() {
    let text = found(CONNECTOR, "title: NetLedger", "titel: NetLedger");
    assert!(text.contains("help: did you mean `title`?"), "{text}");
    let text = found(CONNECTOR, "outcome: throttle", "outcome: throtle");
    assert!(
        text.contains("`outcomes.3.outcome` cannot be `throtle`") && text.contains("`throttle`?"),
        "{text}"
    );
    let text = found(CONNECTOR, "several: true", "several: yes");
    assert!(text.contains("write `true` or `false`"), "{text}");
}

#[test]
fn what_depends_on_something_broken_stays_silent() {
    // The file cannot be read: its integration and the cases are not told that there is no such connector.
    let text = found("connectors/payfast/connector.yaml", "http:", "http: ]");
    assert!(
        text.starts_with("E0101 connectors/payfast/connector.yaml"),
        "{text}"
    );
    assert_eq!(text.matches("\nE").count(), 0, "{text}");
    let text = found(FLOW, "version: 1", "version: 3");
    assert!(text.starts_with("E0121"), "{text}");
    assert_eq!(text.matches("\nE").count(), 0, "{text}");
}

#[test]
fn a_name_defined_twice_names_both_places() {
    let mut sources = samples();
    let (_, text) = SAMPLES
        .iter()
        .find(|(name, _)| name.contains("payfast/connector"))
        .unwrap();
    sources.add("more/copy.yaml", text);
    let (_, text) = load(&sources);
    assert!(
        text.starts_with("E0201 more/copy.yaml:2:12: the connector `payfast` is defined twice"),
        "{text}"
    );
    assert_eq!(text.matches("\nE").count(), 0, "{text}");
}

#[test]
fn places_and_what_was_reported_can_be_asked_for() {
    let sources = with(
        CONNECTOR,
        "find_bill:\n    kind: read",
        "find_bill:\n    kind: reed",
    );
    let (library, _) = load(&sources);
    let show = |path: &[&str]| {
        library
            .span(path)
            .map(|span| sources.position(span).to_string())
    };
    let netledger = |rest: &[&'static str]| [&["connectors", "netledger"], rest].concat();
    assert_eq!(
        show(&netledger(&["operations", "list_bills", "request", "path"])),
        Some("130:35".to_owned())
    );
    assert_eq!(
        show(&netledger(&["operations", "list_bills"])),
        Some("127:3".to_owned())
    );
    assert_eq!(
        show(&netledger(&["outcomes", "1", "outcome"])),
        Some("244:37".to_owned())
    );
    assert_eq!(show(&netledger(&["operations", "nothing"])), None);
    assert!(library.is_broken(&netledger(&["operations", "find_bill"])));
    assert!(library.is_broken(&netledger(&["operations", "find_bill", "request"])));
    assert!(!library.is_broken(&netledger(&["operations", "list_bills"])));
    assert!(!library.is_broken(&["connectors", "none"]));
    let key = library.key_span(&netledger(&["http", "timeout"])).unwrap();
    assert_eq!(sources.text(key), "timeout");
}
