//! Stored records as people and programs see them.

use crate::table::Table;
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::delivery::StateKind;
pub(crate) use ml_connector_runtime::operator::view::{
    ConnectionView, CountsView, DecidedView, DeliveryView, PollView, RecordView,
};
use serde_json::Value as Document;

/// A value as people write it.
pub(crate) fn plain(value: &Document) -> String {
    match value {
        Document::String(text) => text.clone(),
        Document::Null => "none".to_owned(),
        Document::Bool(_) | Document::Number(_) | Document::Array(_) | Document::Object(_) => {
            value.to_string()
        }
    }
}

/// A time to the second, in UTC.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// How long something has been, roughly: `4s`, `12m`, `3h`, `5d`.
pub(crate) fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now
        .duration_since(since)
        .max(SignedDuration::ZERO)
        .as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Deliveries as a table.
pub(crate) fn deliveries_table(deliveries: &[DeliveryView]) -> Vec<String> {
    let mut table = Table::new([
        "ID",
        "STATE",
        "INTEGRATION",
        "EVENT",
        "REFERENCE",
        "TRIES",
        "CHANGED",
        "REMARK",
    ])
    .right(&[5]);
    for delivery in deliveries {
        table.row([
            delivery.id.clone(),
            delivery.state.clone(),
            delivery.integration.clone(),
            delivery.event_id.clone(),
            delivery.reference.clone().unwrap_or_default(),
            delivery.attempts.to_string(),
            moment(delivery.changed_at),
            delivery.remark(),
        ]);
    }
    table.lines()
}

/// Counters as a table.
pub(crate) fn counts_table(counts: &[CountsView]) -> Vec<String> {
    let heads = [
        "INTEGRATION",
        "RECEIVED",
        "DUPLICATE",
        "WAITING",
        "UNCERTAIN",
        "HELD",
        "DELIVERED",
        "SKIPPED",
        "DISCARDED",
    ];
    // Only where deliveries are made of several events.
    let joined = counts
        .iter()
        .any(|one| one.state(StateKind::Joined) > 0)
        .then_some("JOINED");
    let heads: Vec<&str> = heads.into_iter().chain(joined).collect();
    let mut table = Table::new(heads).right(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for one in counts {
        let number = |kind| one.state(kind).to_string();
        let joined = joined.map(|_| number(StateKind::Joined));
        let cells = [
            one.integration.clone(),
            one.received.to_string(),
            one.duplicates.to_string(),
            (one.state(StateKind::Pending) + one.state(StateKind::InFlight)).to_string(),
            number(StateKind::Uncertain),
            number(StateKind::Held),
            number(StateKind::Delivered),
            number(StateKind::Skipped),
            number(StateKind::Discarded),
        ];
        table.row(cells.into_iter().chain(joined));
    }
    table.lines()
}

/// The integrations that wait for a window in which they deliver; no lines if none does.
pub(crate) fn windows_table(counts: &[CountsView]) -> Vec<String> {
    let closed: Vec<_> = counts
        .iter()
        .filter_map(|one| Some((one, one.opens_at?)))
        .collect();
    if closed.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(["WINDOW CLOSED", "WAITING", "OPENS"]).right(&[1]);
    for (one, opens_at) in closed {
        table.row([
            one.integration.clone(),
            one.state(StateKind::Pending).to_string(),
            moment(opens_at),
        ]);
    }
    table.lines()
}

#[cfg(test)]
mod tests {
    use super::{CountsView, age, counts_table, windows_table};
    use jiff::Timestamp;
    use ml_connector_store::Counts;

    #[test]
    fn waiting_is_pending_and_in_flight_and_the_row_adds_up() {
        let counts = Counts {
            received: 28,
            duplicates: 3,
            states: [1, 2, 3, 4, 5, 6, 7, 0],
        };
        let lines = counts_table(&[CountsView::of("a/b", &counts)]);
        let cells: Vec<&str> = lines[1].split_whitespace().collect();
        assert_eq!(cells, ["a/b", "28", "3", "3", "3", "4", "5", "6", "7"]);
    }

    #[test]
    fn who_waits_for_a_window_is_shown_with_its_time() {
        let counts = Counts {
            received: 28,
            duplicates: 3,
            states: [1, 2, 3, 4, 5, 6, 7, 0],
        };
        let mut views = vec![
            CountsView::of("a/b", &counts),
            CountsView::of("a/c", &counts),
        ];
        assert!(windows_table(&views).is_empty(), "none waits");
        views[1].opens_at = Some("2026-03-16T20:00:00Z".parse().unwrap());
        let lines = windows_table(&views);
        assert_eq!(lines.len(), 2);
        let cells: Vec<&str> = lines[1].split_whitespace().collect();
        assert_eq!(cells, ["a/c", "1", "2026-03-16", "20:00:00Z"]);
    }

    #[test]
    fn ages_are_rough() {
        let now: Timestamp = "2026-03-16T08:47:21Z".parse().unwrap();
        let ago = |seconds| age(now - jiff::SignedDuration::from_secs(seconds), now);
        assert_eq!(
            [ago(-5), ago(59), ago(60), ago(7200), ago(172_800)],
            ["0s", "59s", "1m", "2h", "2d"]
        );
    }
}
