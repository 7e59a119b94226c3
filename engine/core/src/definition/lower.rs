//! From nodes that fit their tables to the types of the plan.

pub(super) mod case;
pub(super) mod connector;
mod content;
mod http;
pub(super) mod integration;
mod names;
mod operation;
mod reconcile;
pub(super) mod site;
mod trigger;

use super::reader::Reader;
use crate::calendar::{Calendar, Windows};
use crate::delivery::{Class, RetryPolicy};
use crate::plan::{Encoding, Pace};

/// Every class by its word.
fn classes() -> [(&'static str, Class); Class::ALL.len()] {
    Class::ALL.map(|class| (class.as_str(), class))
}

const ENCODINGS: [(&str, Encoding); 3] = [
    ("utf-8", Encoding::Utf8),
    ("windows-1252", Encoding::Windows1252),
    ("auto", Encoding::Auto),
];

/// Times by the calendar; `None` for what was reported.
fn calendar(reader: &Reader<'_, '_>) -> Option<Calendar> {
    Calendar::compile(&reader.text("cron"), &reader.text("zone")).ok()
}

/// Windows by the calendar; `None` for what was reported.
fn windows(reader: &Reader<'_, '_>) -> Option<Windows> {
    let lasts = reader.duration("lasts");
    Some(Windows {
        opens: calendar(reader)?,
        lasts,
    })
}

/// How often or when a poll asks; `None` for what was reported.
fn pace(reader: &Reader<'_, '_>) -> Option<Pace> {
    let at = reader
        .opt_object("at")
        .map(|one| calendar(&one).map(Pace::At));
    let every = reader.opt_duration("every").map(Pace::Every);
    at.unwrap_or(every)
}

fn retry(reader: &Reader<'_, '_>) -> RetryPolicy {
    RetryPolicy {
        first: reader.duration("first"),
        factor_thousandths: reader.factor("factor"),
        max: reader.duration("max"),
        full_jitter: reader
            .word("jitter", &[("full", true), ("none", false)])
            .unwrap_or(true),
        give_up_after: reader.duration("give_up_after"),
    }
}
