//! Times on the command line: a time, a date, or how long ago.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use ml_connector_runtime::{Clock as _, SystemClock};

/// Reads `2026-03-16T08:00:00Z`, `2026-03-16` (its beginning in UTC), or `90s`, `15m`, `6h`, `2d` before now.
pub(crate) fn moment_argument(text: &str) -> Result<Timestamp, String> {
    moment(text, SystemClock.now())
}

/// Reads a time, a date, or how long from now.
pub(crate) fn ahead_argument(text: &str) -> Result<Timestamp, String> {
    let now = SystemClock.now();
    let read = moment(text, now)?;
    let is_length = text.ends_with(['s', 'm', 'h', 'd']);
    if !is_length {
        return Ok(read);
    }
    now.checked_add(now.duration_since(read))
        .map_err(|error| error.to_string())
}

fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let wrong = || {
        format!(
            "`{text}` is neither a time (2026-03-16T08:00:00Z), a date (2026-03-16), nor how long ago (90s, 15m, 6h, 2d)"
        )
    };
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    if let Ok(date) = text.parse::<Date>() {
        return date
            .to_zoned(jiff::tz::TimeZone::UTC)
            .map(|zoned| zoned.timestamp())
            .map_err(|_| wrong());
    }
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: i64 = text.trim_end_matches(unit).parse().map_err(|_| wrong())?;
    let ago = number
        .checked_mul(seconds)
        .filter(|ago| *ago >= 0)
        .ok_or_else(wrong)?;
    now.checked_sub(SignedDuration::from_secs(ago))
        .map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::moment;
    use jiff::Timestamp;

    #[test]
    fn times_dates_and_ages_are_read_and_nothing_else() {
        let now: Timestamp = "2026-03-16T08:00:00Z".parse().unwrap();
        let read = |text| moment(text, now).map(|time| time.to_string());
        assert_eq!(
            read("2026-03-15T10:00:00+02:00").unwrap(),
            "2026-03-15T08:00:00Z"
        );
        assert_eq!(read("2026-03-01").unwrap(), "2026-03-01T00:00:00Z");
        assert_eq!(read("2d").unwrap(), "2026-03-14T08:00:00Z");
        assert_eq!(read("90s").unwrap(), "2026-03-16T07:58:30Z");
        for wrong in ["", "2w", "d", "-2d", "yesterday", "999999999999999999d"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
