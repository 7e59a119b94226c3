//! One file per rule.

mod comparisons;
mod crosswalks;
mod inputs;
mod literal_secrets;
mod money;
mod names;
mod nulls;
mod paths;
mod references;
mod safety;
mod unused;

pub(super) use literal_secrets::{looks_secret, secret_finding};

use super::Context;
use crate::diagnostic::Findings;

/// Every rule. The order does not matter: findings are sorted by place.
pub(super) const ALL: &[fn(&Context<'_>, &mut Findings)] = &[
    comparisons::rule,
    crosswalks::rule,
    inputs::rule,
    literal_secrets::rule,
    money::rule,
    names::rule,
    nulls::rule,
    paths::rule,
    references::rule,
    safety::rule,
    unused::rule,
];
