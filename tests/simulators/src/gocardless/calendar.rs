//! Dates and times as the API writes them, and working days (GC 8.3).
//!
//! Working days are Monday to Friday. Bank holidays are left out: which ones apply differs by scheme and country, and
//! the sheet does not list them.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// Cuts a time to milliseconds, the resolution of every timestamp of the API (GC 8.3).
pub(crate) fn to_millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// `2026-03-02T09:14:27.311Z`.
pub(crate) fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The UTC date of a moment.
pub(crate) fn date_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// `Thu, 03 May 2018 16:00:00 GMT`, the form of `RateLimit-Reset` (GC 5.1).
pub(crate) fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Whether banks work on that day.
pub(crate) fn is_working_day(date: Date) -> bool {
    !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// The day itself, or the next working day.
pub(crate) fn forward(mut date: Date) -> Date {
    while !is_working_day(date) {
        date = date.tomorrow().unwrap_or(Date::MAX);
        if date == Date::MAX {
            break;
        }
    }
    date
}

/// So many working days later; 0 gives the day itself or the next working day.
pub(crate) fn add_working_days(date: Date, days: u32) -> Date {
    let mut date = forward(date);
    for _ in 0..days {
        date = forward(date.tomorrow().unwrap_or(date));
    }
    date
}

/// So many months earlier.
pub(crate) fn months_before(at: Timestamp, months: i32) -> Timestamp {
    let zoned = at.to_zoned(TimeZone::UTC);
    zoned
        .checked_sub(months.months())
        .map_or(Timestamp::MIN, |earlier| earlier.timestamp())
}

/// A moment later by so many seconds.
pub(crate) fn after_secs(at: Timestamp, secs: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(secs))
        .unwrap_or(Timestamp::MAX)
}

/// Reads a date of the form `2026-03-11`, nothing else.
pub(crate) fn parse_date(text: &str) -> Option<Date> {
    if text.len() != 10 {
        return None;
    }
    Date::strptime("%Y-%m-%d", text).ok()
}

/// Reads a full timestamp; an offset is allowed, a bare date is not (GC 1.2).
pub(crate) fn parse_stamp(text: &str) -> Option<Timestamp> {
    if !text.contains('T') {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_api_writes_them() {
        let at: Timestamp = "2018-05-03T16:00:00.0419Z".parse().unwrap();
        assert_eq!(http_date(at), "Thu, 03 May 2018 16:00:00 GMT");
        assert_eq!(stamp(to_millis(at)), "2018-05-03T16:00:00.041Z");
    }

    #[test]
    fn working_days_skip_weekends() {
        let friday = parse_date("2026-03-06").unwrap();
        assert_eq!(add_working_days(friday, 1).to_string(), "2026-03-09");
        assert_eq!(
            forward(parse_date("2026-03-07").unwrap()).to_string(),
            "2026-03-09"
        );
        assert_eq!(add_working_days(friday, 3).to_string(), "2026-03-11");
        assert_eq!(parse_date("2026-3-06"), None);
        assert_eq!(parse_date("2026-02-30"), None);
    }
}
