//! Reconciliations as stories look at them.

use super::Story;
use jiff::Timestamp;
use ml_connector_runtime::operator::{Command, Period, ReconciledLine, Reconciliation, Reply};

/// Compares what the source says with what stands in the target.
pub(crate) async fn reconcile(story: &Story, period: Period) -> Reconciliation {
    let command = Command::Reconcile {
        integration: None,
        period,
    };
    match story.engine().execute(command).await {
        Reply::Reconciled(reconciliation) => *reconciliation,
        other => panic!("{other:?}"),
    }
}

/// Everything since then.
pub(crate) async fn since(story: &Story, at: &str) -> Reconciliation {
    let since: Timestamp = at.parse().unwrap();
    reconcile(story, Period::Time { since, until: None }).await
}

/// The lines that did not match: state, kind, what each is about, and the difference; sorted.
pub(crate) fn differences(reconciliation: &Reconciliation) -> Vec<String> {
    let lines = reconciliation.lines.iter();
    let mut found: Vec<String> = lines
        .filter(|line| line.state != "matched")
        .map(|line| {
            let difference = line.difference.as_deref().unwrap_or("?");
            format!("{} {} {} {difference}", line.state, line.kind, line.key)
        })
        .collect();
    found.sort();
    found
}

/// The first line of a kind that is about this.
#[track_caller]
pub(crate) fn line<'r>(
    reconciliation: &'r Reconciliation,
    kind: &str,
    key: &str,
) -> &'r ReconciledLine {
    let mut lines = reconciliation.lines.iter();
    lines
        .find(|line| line.kind == kind && line.key == key)
        .unwrap()
}
