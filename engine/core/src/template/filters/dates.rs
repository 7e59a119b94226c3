//! Filters on dates and timestamps. A date is `2026-03-14`; a timestamp is RFC 3339 and is taken in
//! UTC.

use super::{Param, Spec, Trouble, arg, bounded, text};
use jiff::civil::Date;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use minijinja::Value;

pub(super) const TABLE: &[Spec] = &[
    Spec::filter(
        "date",
        &[Param::required("format").literal()],
        "a date or timestamp written as a format says, e.g. `%d/%m/%Y`",
        date,
    ),
    Spec::filter(
        "to_date",
        &[Param::optional("format", "none").literal()],
        "the date of a timestamp, or of a text written as a format says",
        to_date,
    ),
    Spec::filter(
        "add_days",
        &[Param::required("n")],
        "a date or timestamp `n` days later",
        add_days,
    ),
    Spec::filter(
        "add_hours",
        &[Param::required("n")],
        "a timestamp `n` hours later",
        add_hours,
    ),
];

enum Moment {
    Day(Date),
    Instant(Timestamp),
}

/// Whether a format can be used.
pub(super) fn check_format(format: &str) -> Result<(), String> {
    let sample = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    strtime::format(format, &sample)
        .map(|_| ())
        .map_err(|_| format!("`{format}` is not a date format; use e.g. `%Y-%m-%d`"))
}

fn moment(value: &Value) -> Result<Moment, Trouble> {
    let text = text(value)?;
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(Moment::Instant(instant));
    }
    match text.parse::<Date>() {
        Ok(day) if text.len() == "2026-03-14".len() => Ok(Moment::Day(day)),
        _ => Err("a date such as 2026-03-14 or a timestamp in RFC 3339 is needed".into()),
    }
}

fn day_of(moment: &Moment) -> Date {
    match moment {
        Moment::Day(day) => *day,
        Moment::Instant(instant) => instant.to_zoned(TimeZone::UTC).date(),
    }
}

fn date(args: &[Value]) -> Result<Value, Trouble> {
    let format = text(arg(args, 1))?;
    let written = match moment(arg(args, 0))? {
        Moment::Day(day) => strtime::format(format.as_ref(), day),
        Moment::Instant(instant) => {
            strtime::format(format.as_ref(), &instant.to_zoned(TimeZone::UTC))
        }
    };
    bounded(written.map_err(|_| "the format asks for a time that a date does not have")?)
}

fn to_date(args: &[Value]) -> Result<Value, Trouble> {
    let day = if arg(args, 1).is_none() {
        day_of(&moment(arg(args, 0))?)
    } else {
        let format = text(arg(args, 1))?;
        strtime::parse(format.as_ref(), text(arg(args, 0))?.as_ref())
            .and_then(|parsed| parsed.to_date())
            .map_err(|_| "the text is not a date as the format says")?
    };
    Ok(Value::from(day.to_string()))
}

fn add_hours(args: &[Value]) -> Result<Value, Trouble> {
    let hours = arg(args, 1)
        .as_i64()
        .and_then(|hours| Span::new().try_hours(hours).ok())
        .ok_or("the number of hours must be a whole number")?;
    let Moment::Instant(instant) = moment(arg(args, 0))? else {
        return Err("hours are added to a timestamp, not to a date".into());
    };
    let later = instant.checked_add(hours);
    let later = later.map_err(|_| Trouble::from("the timestamp is out of range"))?;
    Ok(Value::from(later.to_string()))
}

fn add_days(args: &[Value]) -> Result<Value, Trouble> {
    let days = arg(args, 1)
        .as_i64()
        .and_then(|days| Span::new().try_days(days).ok())
        .ok_or("the number of days must be a whole number")?;
    let too_far = |_| Trouble::from("the date is out of range");
    let written = match moment(arg(args, 0))? {
        Moment::Day(day) => day.checked_add(days).map_err(too_far)?.to_string(),
        Moment::Instant(instant) => {
            let zoned = instant
                .to_zoned(TimeZone::UTC)
                .checked_add(days)
                .map_err(too_far)?;
            zoned.timestamp().to_string()
        }
    };
    Ok(Value::from(written))
}
