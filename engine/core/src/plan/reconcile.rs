//! Reconciliation: what a source's statement lists, and how it is found among what was posted.

use super::Fetch;
use crate::identity::IntegrationId;
use crate::template::{Expression, Template};
use indexmap::IndexMap;
use std::time::Duration;

/// Compares statements of a source (a payout, a settlement, a month) with what was posted, line by line.
#[derive(Debug)]
pub struct Reconcile {
    /// Reads one statement. Sees `id`, `params`.
    pub one: Asking,
    /// Lists the statements of a period. Sees `since`, `until` (null: no end), `params`.
    pub list: Asking,
    /// Which statements; none means all. Sees `statement`, `params`.
    pub when: Option<Expression>,
    /// What a statement is called. Sees `statement`, `params`.
    pub id: Template,
    /// How long before a line's date it may have been accepted.
    pub reach: Duration,
    /// What is read for a statement, in order. Sees `statement`, `params`, earlier reads.
    pub fetch: Vec<Fetch>,
    /// The kinds of lines a statement has.
    pub lines: Vec<LineRule>,
}

/// A read operation and what it is given.
#[derive(Debug)]
pub struct Asking {
    /// Connection name.
    pub connection: String,
    /// Read operation's name.
    pub operation: String,
    /// Its input.
    pub with: IndexMap<String, Template>,
}

/// Something done for each element of a list.
#[derive(Debug)]
pub struct Each {
    /// The list.
    pub list: Expression,
    /// The name under which the element is seen.
    pub name: String,
}

/// One kind of lines of a statement. Its templates see `statement`, `params`, what was read for the statement, and the
/// element of `each`.
#[derive(Debug)]
pub struct LineRule {
    /// The kind.
    pub kind: String,
    /// One line for each element; none means one line for the statement.
    pub each: Option<Each>,
    /// What the line is about; unique within its kind and statement.
    pub key: Template,
    /// Its amount in major units, with the sign it has in the target.
    pub amount: Template,
    /// ISO 4217 code.
    pub currency: Template,
    /// Its date.
    pub date: Template,
    /// Which of our deliveries post it.
    pub posted: PostedBy,
    /// What is read for each delivery that was delivered. Sees `delivery` too.
    pub fetch: Vec<Fetch>,
    /// What stands in the target. Sees `delivery` and these reads too.
    pub found: FoundRule,
}

/// Which deliveries post a line.
#[derive(Debug)]
pub struct PostedBy {
    /// The integration that makes them.
    pub integration: IntegrationId,
    /// How they are named.
    pub by: PostedKey,
}

/// How deliveries are named.
#[derive(Debug)]
pub enum PostedKey {
    /// By their order key, or one of several.
    OrderKey(Template),
    /// By their dedup key.
    DedupKey(Template),
    /// By our reference.
    Reference(Template),
}

impl PostedKey {
    /// The template that gives the name.
    pub const fn template(&self) -> &Template {
        match self {
            Self::OrderKey(template) | Self::DedupKey(template) | Self::Reference(template) => {
                template
            }
        }
    }

    /// The key of the definition that states it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::OrderKey(_) => "order_key",
            Self::DedupKey(_) => "dedup_key",
            Self::Reference(_) => "reference",
        }
    }
}

/// What stands in the target for a line.
#[derive(Debug)]
pub struct FoundRule {
    /// One document for each element; none means one document.
    pub each: Option<Each>,
    /// Its amount, as the line's.
    pub amount: Template,
    /// ISO 4217 code; none means the line's.
    pub currency: Option<Template>,
    /// What the target calls it.
    pub document: Option<Template>,
}
