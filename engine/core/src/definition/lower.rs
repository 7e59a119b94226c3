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
use crate::delivery::{Class, RetryPolicy};
use crate::plan::Encoding;

/// Every class by its word.
fn classes() -> [(&'static str, Class); Class::ALL.len()] {
    Class::ALL.map(|class| (class.as_str(), class))
}

const ENCODINGS: [(&str, Encoding); 3] = [
    ("utf-8", Encoding::Utf8),
    ("windows-1252", Encoding::Windows1252),
    ("auto", Encoding::Auto),
];

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
