//! One file per rule.

mod names;
mod references;

use super::Context;
use crate::diagnostic::Findings;

/// Every rule. The order does not matter: findings are sorted by place.
pub(super) const ALL: &[fn(&Context<'_>, &mut Findings)] = &[names::rule, references::rule];
