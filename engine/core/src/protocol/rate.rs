//! Rate budgets, as answers report them.

use super::{Answer, RateState, time};
use crate::plan::{Connector, ResetFormat};
use jiff::{SignedDuration, Timestamp};

/// How the rate budget stands, if the connector says where the answer tells, and the answer does.
pub fn rate_state(connector: &Connector, answer: &Answer, now: Timestamp) -> Option<RateState> {
    let follow = connector.http.rate_limit.as_ref()?.follow.as_ref()?;
    let field = |name: &str| {
        answer
            .headers
            .get(&name.to_ascii_lowercase())
            .map(|v| v.trim())
    };
    let remaining = field(&follow.remaining)?.parse().ok()?;
    let reset = field(&follow.reset)?;
    let resets_at = match follow.reset_format {
        ResetFormat::HttpDate => time::moment(reset)?,
        ResetFormat::Seconds => now
            .checked_add(SignedDuration::from_secs(reset.parse().ok()?))
            .ok()?,
        ResetFormat::Epoch => Timestamp::from_second(reset.parse().ok()?).ok()?,
    };
    Some(RateState {
        remaining,
        resets_at,
    })
}
