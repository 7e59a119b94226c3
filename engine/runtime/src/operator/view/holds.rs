//! What is held, grouped by cause: fifty thousand records of one weekend are a handful of causes on Monday.
//!
//! Two holds have the same cause if they are of the same class and their reasons are the same but for what names the one
//! record: numbers, ids, amounts and whatever stands in quotes.

use jiff::Timestamp;
use ml_connector_core::delivery::{DeliveryState, Hold};
use ml_connector_core::hex;
use ml_connector_store::Delivery;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Deliveries named in a group; the list of deliveries has the rest.
const EXAMPLES_MAX: usize = 5;
/// Stands where a reason names the one record.
const BLANK: char = '…';

/// Holds that have the same cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldGroup {
    /// Names the cause: the same as long as class and reason are.
    pub cause: String,
    /// What kind of trouble it is.
    pub class: String,
    /// What happened, with `…` where the reasons of the group differ.
    pub reason: String,
    /// One whole reason.
    pub example: String,
    /// The next step in plain words.
    pub help: String,
    /// How many deliveries are held for it.
    pub count: u64,
    /// Whether the target may already have them: then they are decided one by one, after looking there.
    pub in_doubt: bool,
    /// How many, by integration.
    pub integrations: BTreeMap<String, u64>,
    /// Since when the oldest is held.
    #[schemars(with = "String")]
    pub oldest: Timestamp,
    /// Since when the newest is held.
    #[schemars(with = "String")]
    pub newest: Timestamp,
    /// Some of the deliveries, oldest first.
    pub deliveries: Vec<String>,
}

/// Puts holds into groups as they come.
#[derive(Debug, Default)]
pub struct HoldGroups {
    groups: BTreeMap<String, HoldGroup>,
}

impl HoldGroups {
    /// Takes a delivery; one that is not held is left out.
    pub fn add(&mut self, delivery: &Delivery) {
        let DeliveryState::Held(hold) = &delivery.state else {
            return;
        };
        let cause = cause(hold);
        let group = self
            .groups
            .entry(cause.clone())
            .or_insert_with(|| HoldGroup {
                cause,
                class: hold.class.as_str().to_owned(),
                reason: normalised(&hold.why),
                example: hold.why.clone(),
                help: hold.help.clone(),
                count: 0,
                in_doubt: hold.in_doubt,
                integrations: BTreeMap::new(),
                oldest: hold.since,
                newest: hold.since,
                deliveries: Vec::new(),
            });
        group.count += 1;
        *group
            .integrations
            .entry(delivery.instance.to_string())
            .or_default() += 1;
        group.oldest = group.oldest.min(hold.since);
        group.newest = group.newest.max(hold.since);
        if group.deliveries.len() < EXAMPLES_MAX {
            group.deliveries.push(delivery.id.to_string());
        }
    }

    /// The groups, the largest first.
    pub fn finish(self) -> Vec<HoldGroup> {
        let mut groups: Vec<HoldGroup> = self.groups.into_values().collect();
        groups.sort_by(|one, other| {
            (other.count, &one.oldest, &one.cause).cmp(&(one.count, &other.oldest, &other.cause))
        });
        groups
    }
}

/// The name of a hold's cause.
pub(crate) fn cause(hold: &Hold) -> String {
    let mut hash = Sha256::new();
    hash.update(hold.class.as_str());
    hash.update([0, u8::from(hold.in_doubt)]);
    hash.update(normalised(&hold.why));
    let digest = hash.finalize();
    hex::of(digest.get(..6).unwrap_or_default())
}

/// A reason without what names the one record: quoted parts, and words with digits in them.
pub fn normalised(reason: &str) -> String {
    let mut text = String::with_capacity(reason.len());
    let mut rest = reason;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        if matches!(first, '`' | '"' | '\u{201c}')
            && let Some(end) = after.find(closing(first))
        {
            text.push(first);
            text.push(BLANK);
            text.push(closing(first));
            rest = &after[end + closing(first).len_utf8()..];
        } else if first.is_alphanumeric() {
            let end = rest.find(|c: char| !in_word(c)).unwrap_or(rest.len());
            let word = rest[..end].trim_end_matches(['.', '-', '/', ':', '_']);
            if word.chars().any(|c| c.is_ascii_digit()) {
                text.push(BLANK);
            } else {
                text.push_str(word);
            }
            rest = &rest[word.len()..];
        } else {
            text.push(first);
            rest = after;
        }
    }
    text
}

/// Ids, dates, amounts and paths are one word each.
fn in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | ':')
}

const fn closing(quote: char) -> char {
    match quote {
        '\u{201c}' => '\u{201d}',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::held;
    use super::{HoldGroups, normalised};

    #[test]
    fn what_names_the_one_record_is_left_blank() {
        for (reason, wanted) in [
            (
                "`customers` has no entry for `CU1`",
                "`…` has no entry for `…`",
            ),
            ("period 2026-03 is closed.", "period … is closed."),
            (
                "invoice INV-0042/7: 12.50 GBP open",
                "invoice …: … GBP open",
            ),
            ("customer is on hold", "customer is on hold"),
            ("value \"a b\" too long", "value \"…\" too long"),
            ("a lone ` quote 漢字 é1", "a lone ` quote 漢字 …"),
            ("", ""),
        ] {
            assert_eq!(normalised(reason), wanted);
        }
    }

    #[test]
    fn same_causes_are_one_group_and_the_largest_comes_first() {
        let mut groups = HoldGroups::default();
        groups.add(&held(1, "customer is on hold"));
        for id in 2..9 {
            groups.add(&held(id, &format!("no account for MD{id}")));
        }
        let groups = groups.finish();
        assert_eq!(groups.len(), 2);
        let largest = &groups[0];
        assert_eq!(
            (
                largest.count,
                largest.reason.as_str(),
                largest.help.as_str()
            ),
            (7, "no account for …", "set it")
        );
        assert_eq!(largest.deliveries.len(), 5);
        assert_eq!(largest.integrations["netledger-payfast/bills"], 7);
        assert_ne!(largest.cause, groups[1].cause);
    }
}
