//! Times by the calendar: cron expressions in a time zone.
//!
//! Pure: the present is an argument, and the zones are those that come with the program, so that the same definitions
//! give the same times on every machine. A new rule of a zone comes with a new version.
//!
//! # When a clock changes
//! An expression that states its hours (`30 1 * * *`, `0 1,13 * * *`) comes at each of its times once on every day that it
//! names. What falls into the hour that is left out comes when the clock goes on, and what falls into the hour that is there
//! twice comes the first time. An expression for every hour (`*/15 * * * *`, `30 * * * *`) follows the clock on the wall: it
//! comes in both hours, and not in the one that is left out.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

/// How a cron expression is written, for help.
pub const CRON_HELP: &str = "write five fields: minute, hour, day of the month, month, weekday, e.g. \"0 6 * * 1-5\" for six \
                             o'clock from Monday to Friday";
/// How a time zone is written, for help.
pub const ZONE_HELP: &str = "write a name of the time zone database, e.g. `Europe/London` or `UTC`";

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
static PARSER: LazyLock<CronParser> = LazyLock::new(|| {
    CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build()
});

/// A cron expression in a time zone.
#[derive(Clone)]
pub struct Calendar {
    text: String,
    cron: Box<Cron>,
    zone: TimeZone,
    /// Whether it states its hours.
    fixed: bool,
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Calendar({self})")
    }
}

impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = self.zone.iana_name().unwrap_or("UTC");
        write!(f, "{} {zone}", self.text)
    }
}

impl Calendar {
    /// Reads an expression and a zone; in words what is wrong with either.
    ///
    /// # Errors
    /// If one of them cannot be read, or the expression names no day that there is.
    pub fn compile(cron: &str, zone: &str) -> Result<Self, String> {
        let compiled = expression(cron)?;
        let zone = time_zone(zone)?;
        let hours = cron.split_whitespace().nth(1).unwrap_or_default();
        Ok(Self {
            text: cron.to_owned(),
            cron: Box::new(compiled),
            zone,
            fixed: !hours.contains(['*', '/', '?']),
        })
    }

    /// The first time after `at`; `None` beyond the end of representable time.
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        let zoned = at.to_zoned(self.zone.clone());
        if !self.fixed {
            let next = self.cron.find_next_occurrence(&zoned, false).ok()?;
            return Some(next.timestamp());
        }
        let mut civil = zoned.datetime();
        loop {
            civil = self.cron.find_next_occurrence(&civil, false).ok()?;
            // What has come the first time does not come again, nor what came when the clock went on.
            if let Some(next) = self.instant(civil).filter(|next| *next > at) {
                return Some(next);
            }
        }
    }

    /// When a time on the wall comes that is meant once.
    fn instant(&self, civil: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(civil);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
                ambiguous.earlier().ok()
            }
            AmbiguousOffset::Gap { before, .. } => {
                // By the clock that has just been put on, it is a time behind the change.
                let behind = before.to_timestamp(civil).ok()?;
                let change = self.zone.preceding(behind).next()?;
                Some(change.timestamp())
            }
        }
    }

    /// The last time that is not after `at`; `None` before the beginning of representable time.
    pub fn last_until(&self, at: Timestamp) -> Option<Timestamp> {
        // Forwards from further and further back: whatever is skipped or repeated when a clock changes is decided by one
        // search alone.
        let mut reach = SignedDuration::from_hours(1);
        while reach <= REACH_MAX {
            let from = at.checked_sub(reach).ok()?;
            let mut last = self.next_after(from).filter(|next| *next <= at);
            while let Some(next) = last
                .and_then(|last| self.next_after(last))
                .filter(|next| *next <= at)
            {
                last = Some(next);
            }
            if last.is_some() {
                return last;
            }
            reach = reach.saturating_mul(4);
        }
        None
    }
}

/// How far [`Calendar::last_until`] looks back: the 29th of February may be eight years ago, and on a weekday longer.
const REACH_MAX: SignedDuration = SignedDuration::from_hours(24 * 366 * 50);

/// Whether a cron expression can be read; in words what is wrong with it.
///
/// # Errors
/// If it is none, or names no day that there is.
pub fn expression(text: &str) -> Result<Cron, String> {
    let fields = text.split_whitespace().count();
    if text.trim_start().starts_with('@') {
        return Err("names like `@daily` are not taken".to_owned());
    }
    if fields != 5 {
        return Err(format!("it has {fields} fields in place of five"));
    }
    let cron = PARSER
        .parse(text)
        .map_err(|error| format!("{error}").to_lowercase())?;
    let never = || "it names no day that there is".to_owned();
    let from = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    cron.find_next_occurrence(&from, true)
        .map_err(|_| never())?;
    Ok(cron)
}

/// A zone of the time zone database by its name.
///
/// # Errors
/// If it has none of that name.
pub fn time_zone(name: &str) -> Result<TimeZone, String> {
    ZONES
        .get(name)
        .map_err(|_| format!("there is no time zone `{name}`"))
}

/// Windows that open by the calendar.
#[derive(Debug, Clone)]
pub struct Windows {
    /// When one opens.
    pub opens: Calendar,
    /// How long it stays open.
    pub lasts: Duration,
}

impl Windows {
    /// When the next one opens; `None` while one is open.
    pub fn closed_until(&self, now: Timestamp) -> Option<Timestamp> {
        let open = self.opens.last_until(now).is_some_and(|opened| {
            let lasts = SignedDuration::try_from(self.lasts).unwrap_or(SignedDuration::MAX);
            opened.checked_add(lasts).is_ok_and(|closes| now < closes)
        });
        if open {
            return None;
        }
        Some(self.opens.next_after(now).unwrap_or(Timestamp::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The times from `from` on, as they are in the zone.
    fn times(cron: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let calendar = Calendar::compile(cron, zone).unwrap();
        let mut now = at(from);
        let mut found = Vec::new();
        for _ in 0..count {
            now = calendar.next_after(now).unwrap();
            found.push(
                now.to_zoned(time_zone(zone).unwrap())
                    .strftime("%m-%d %H:%M %z")
                    .to_string(),
            );
        }
        found
    }

    #[test]
    fn a_fixed_time_comes_once_a_day_whatever_the_clock_does() {
        // In London the clock went from 01:00 to 02:00 on 29 March 2026, and from 02:00 back to 01:00 on 25 October.
        assert_eq!(
            times("30 1 * * *", "Europe/London", "2026-03-27T12:00:00Z", 3),
            [
                "03-28 01:30 +0000",
                "03-29 02:00 +0100",
                "03-30 01:30 +0100"
            ],
            "what is left out comes when the clock goes on"
        );
        assert_eq!(
            times("30 1 * * *", "Europe/London", "2026-10-24T12:00:00Z", 2),
            ["10-25 01:30 +0100", "10-26 01:30 +0000"],
            "what is there twice comes the first time"
        );
        // Two in the hour that is left out come once.
        assert_eq!(
            times("15,45 1 * * *", "Europe/London", "2026-03-28T12:00:00Z", 3),
            [
                "03-29 02:00 +0100",
                "03-30 01:15 +0100",
                "03-30 01:45 +0100"
            ]
        );
    }

    #[test]
    fn what_comes_again_and_again_follows_the_wall_clock() {
        assert_eq!(
            times("*/30 * * * *", "Europe/London", "2026-03-29T00:15:00Z", 3),
            [
                "03-29 00:30 +0000",
                "03-29 02:00 +0100",
                "03-29 02:30 +0100"
            ]
        );
        assert_eq!(
            times("*/30 * * * *", "Europe/London", "2026-10-25T00:15:00Z", 5),
            [
                "10-25 01:30 +0100",
                "10-25 01:00 +0000",
                "10-25 01:30 +0000",
                "10-25 02:00 +0000",
                "10-25 02:30 +0000"
            ]
        );
    }

    #[test]
    fn rare_days_are_found_and_days_that_never_come_are_refused() {
        assert_eq!(
            times("0 6 29 2 *", "UTC", "2026-01-01T00:00:00Z", 1),
            ["02-29 06:00 +0000"]
        );
        assert_eq!(
            times("0 6 L * *", "UTC", "2026-02-01T00:00:00Z", 2),
            ["02-28 06:00 +0000", "03-31 06:00 +0000"]
        );
        assert_eq!(
            expression("0 6 30 2 *").unwrap_err(),
            "it names no day that there is"
        );
        for (wrong, why) in [
            ("0 6 * *", "it has 4 fields in place of five"),
            ("0 0 6 * * 1", "it has 6 fields in place of five"),
            ("@daily", "names like `@daily` are not taken"),
        ] {
            assert_eq!(expression(wrong).unwrap_err(), why);
        }
        assert!(expression("61 6 * * *").is_err());
        assert_eq!(
            time_zone("Europe/Londn").unwrap_err(),
            "there is no time zone `Europe/Londn`"
        );
    }

    #[test]
    fn the_last_time_is_the_one_that_a_search_forwards_gives() {
        for (cron, zone) in [
            ("30 1 * * *", "Europe/London"),
            ("*/15 * * * *", "Europe/London"),
            ("15,45 1 * * *", "Europe/London"),
            ("0 0 1 * 1", "Pacific/Chatham"),
            ("*/10 2-3 * * *", "Pacific/Chatham"),
            ("45 2 * * *", "Australia/Lord_Howe"),
        ] {
            let calendar = Calendar::compile(cron, zone).unwrap();
            for begin in [
                "2026-03-28T00:00:00Z",
                "2026-10-24T00:00:00Z",
                "2026-04-04T00:00:00Z",
            ] {
                let mut now = calendar.next_after(at(begin)).unwrap();
                for _ in 0..40 {
                    let next = calendar.next_after(now).unwrap();
                    assert!(next > now, "{cron} {zone}: {next} after {now}");
                    let just_before = next.checked_sub(SignedDuration::from_nanos(1)).unwrap();
                    assert_eq!(calendar.last_until(next), Some(next), "{cron} {zone}");
                    assert_eq!(calendar.last_until(just_before), Some(now), "{cron} {zone}");
                    now = next;
                }
            }
        }
    }

    #[test]
    fn a_window_is_open_for_as_long_as_it_lasts_and_says_when_the_next_opens() {
        let windows = Windows {
            opens: Calendar::compile("0 22 * * 1-5", "Europe/London").unwrap(),
            lasts: Duration::from_secs(8 * 3600),
        };
        // Friday night is open into Saturday morning; then nothing opens before Monday night.
        assert_eq!(
            windows.closed_until(at("2026-03-20T21:59:59Z")),
            Some(at("2026-03-20T22:00:00Z"))
        );
        assert_eq!(windows.closed_until(at("2026-03-20T22:00:00Z")), None);
        assert_eq!(windows.closed_until(at("2026-03-21T05:59:59Z")), None);
        assert_eq!(
            windows.closed_until(at("2026-03-21T06:00:00Z")),
            Some(at("2026-03-23T22:00:00Z"))
        );
        // Eight hours are eight hours in the night in which the clock goes on.
        let sunday = Windows {
            opens: Calendar::compile("0 22 * * 6", "Europe/London").unwrap(),
            lasts: Duration::from_secs(8 * 3600),
        };
        assert_eq!(sunday.closed_until(at("2026-03-29T05:59:59Z")), None);
        assert!(sunday.closed_until(at("2026-03-29T06:00:00Z")).is_some());
    }
}
