//! Cursor values: points in time as a source writes them.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};
use ml_connector_core::plan::CursorKind;
use std::time::Duration;

pub(super) const fn word(kind: CursorKind) -> &'static str {
    match kind {
        CursorKind::Timestamp => "timestamp",
        CursorKind::Date => "date",
    }
}

/// A cursor value as a point in time; a date is its beginning in UTC.
pub(super) fn moment(kind: CursorKind, text: &str) -> Option<Timestamp> {
    match kind {
        CursorKind::Timestamp => text.parse().ok(),
        CursorKind::Date => {
            let date: civil::Date = text.parse().ok()?;
            Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
        }
    }
}

/// A point in time as a cursor value.
pub(super) fn written(kind: CursorKind, at: Timestamp) -> String {
    match kind {
        CursorKind::Timestamp => at.to_string(),
        CursorKind::Date => at.to_zoned(TimeZone::UTC).date().to_string(),
    }
}

pub(super) fn back(at: Timestamp, by: Duration) -> Option<Timestamp> {
    at.checked_sub(SignedDuration::try_from(by).ok()?).ok()
}
