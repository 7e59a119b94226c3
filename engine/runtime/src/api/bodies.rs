//! What requests carry. Unknown members are refused: a misspelt one would be ignored otherwise.

use crate::operator::ReplayPlan;
use ml_connector_core::delivery::{Decision, Receipt};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Document;
use std::collections::BTreeMap;

/// Why something is done.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    /// Why, in your words; the audit trail keeps it.
    pub(super) reason: String,
}

/// What can be decided about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DecisionWord {
    /// Try again now. Refused where the target may already have it.
    Retry,
    /// It stands in the target; `receipt` says as what.
    Posted,
    /// It does not stand in the target: it is sent.
    NotPosted,
    /// It shall not be delivered.
    Discard,
}

/// A decision about one delivery.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resolution {
    /// What.
    pub(super) decision: DecisionWord,
    /// With `posted`: what the target calls it, by the names its operation's receipt has.
    #[serde(default)]
    pub(super) receipt: BTreeMap<String, Document>,
    /// Why, in your words; the audit trail keeps it.
    pub(super) reason: String,
}

/// A decision about many deliveries.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resolutions {
    /// Which, e.g. `dlv_42`; at most 1000.
    #[schemars(length(min = 1, max = 1000))]
    pub(super) deliveries: Vec<String>,
    /// What; `posted` is said about one delivery at a time.
    pub(super) decision: DecisionWord,
    /// Why, in your words; the audit trail keeps it.
    pub(super) reason: String,
}

/// A decision about everything that is held for one cause.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CauseResolution {
    /// What: `retry` or `discard`. What is in doubt is decided one by one.
    pub(super) decision: DecisionWord,
    /// Why, in your words; the audit trail keeps it.
    pub(super) reason: String,
}

/// Which deliveries a plan is made for; everything together.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PlanSelection {
    /// These, e.g. `dlv_42`, and no others.
    pub(super) deliveries: Vec<String>,
    /// In one of these states.
    pub(super) states: Vec<String>,
    /// Of one of these integrations.
    pub(super) integrations: Vec<String>,
    /// Held for one of these classes of trouble.
    pub(super) classes: Vec<String>,
    /// With this event id, dedup key, order key, reference, or value of a receipt.
    pub(super) reference: Option<String>,
    /// Accepted at or after.
    pub(super) since: Option<String>,
    /// Accepted before.
    pub(super) until: Option<String>,
}

/// A plan to apply.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanToApply {
    /// The plan, as it was made.
    pub(super) plan: ReplayPlan,
    /// Why, in your words; the audit trail keeps it.
    pub(super) reason: String,
}

/// One delivery to replay.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayOne {
    /// Whether it is posted a second time if it was posted. Needs the role admin.
    #[serde(default)]
    pub(super) force: bool,
    /// Why, in your words; the audit trail keeps it.
    pub(super) reason: String,
}

/// What is reconciled: one statement, or every statement of a time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ToReconcile {
    /// The integration that says what is compared, as the site names it; not needed where there is only one.
    pub(super) integration: Option<String>,
    /// One statement, by the id that the source gives it.
    pub(super) statement: Option<String>,
    /// Every statement made at or after.
    pub(super) since: Option<String>,
    /// Made before; only beside `since`.
    pub(super) until: Option<String>,
}

/// Values of an entry of a matching table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryValues {
    /// Target values, by column.
    pub(super) values: serde_json::Map<String, Document>,
    /// Why, in your words; the audit trail keeps it.
    pub(super) reason: String,
}

impl DecisionWord {
    /// The decision, with what the target calls it where it stands there.
    pub(super) fn decision(self, receipt: BTreeMap<String, Document>) -> Decision {
        match self {
            Self::Retry => Decision::Retry,
            Self::Posted => Decision::Posted {
                receipt: Receipt(receipt),
            },
            Self::NotPosted => Decision::NotPosted,
            Self::Discard => Decision::Discard,
        }
    }
}
