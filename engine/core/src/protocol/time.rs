//! Lengths of time and waits, as settings and systems write them.

use crate::definition::words;
use crate::template::{EvalError, Scope, Template};
use crate::value::Number;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::Value as Document;
use std::time::Duration;

/// No wait that a system asks for is longer: more is a mistake of theirs, and operators would never
/// see the record again.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A setting-dependent duration, e.g. the connection's time limit. Sees `settings`.
///
/// # Errors
/// If the template has no value, or it is not a whole number with its unit.
pub fn duration(template: &Template, settings: &Document) -> Result<Duration, EvalError> {
    duration_in(template, &Scope::new().with("settings", settings))
}

/// A duration that depends on whatever is in scope.
///
/// # Errors
/// As [`duration`].
pub(crate) fn duration_in(template: &Template, scope: &Scope<'_>) -> Result<Duration, EvalError> {
    let text = template.text(scope)?;
    words::duration(&text).map_err(|why| EvalError {
        source_text: template.source().to_owned(),
        why: format!("its value is not a length of time: {why}"),
    })
}

/// A wait: seconds, a duration, an HTTP date (RFC 9110 section 5.6.7) or a timestamp (RFC 3339).
/// `None` if it is none of these, or null.
pub(super) fn wait(value: &Document, now: Timestamp) -> Option<Duration> {
    if let Some(number) = Number::of(value) {
        return seconds(&number);
    }
    let text = value.as_str()?.trim();
    if let Some(number) = Number::from_text(text) {
        return seconds(&number);
    }
    if let Ok(length) = words::duration(text) {
        return Some(length.min(WAIT_MAX));
    }
    moment(text).map(|until| between(now, until))
}

/// A moment as an HTTP date or in RFC 3339.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    text.parse()
        .ok()
        .or_else(|| DateTimeParser::new().parse_timestamp(text).ok())
}

/// From now until then; nothing if then is over.
pub(super) fn between(now: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now))
        .unwrap_or_default()
        .min(WAIT_MAX)
}

/// Whole seconds, rounded up: waiting a little longer than asked never hurts.
fn seconds(number: &Number) -> Option<Duration> {
    let whole = number
        .round(0, crate::money::Rounding::Up)
        .ok()?
        .integer()?;
    Some(Duration::from_secs(u64::try_from(whole).ok()?).min(WAIT_MAX))
}
