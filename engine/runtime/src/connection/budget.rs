//! A connection's request budget: what the connector declares, and what the answers say is left.

use jiff::{SignedDuration, Timestamp};
use ml_connector_core::plan::RateLimit;
use ml_connector_core::protocol::RateState;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::context::later;

/// The pause when a system says "slow down" without saying for how long.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest pause that a system's word is taken for. A wait written in the wrong unit (a time in
/// milliseconds read as seconds) must not silence a connection for years; a true wait of a day
/// costs one refused request an hour.
const QUIET_MAX: Duration = Duration::from_secs(3600);
/// The longest a window may last where the connector declares none.
const WINDOW_MAX: Duration = Duration::from_secs(3600);

/// Never more requests than declared in any stretch of the declared length; never one while the
/// other side has said that nothing is left.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: Option<RateLimit>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the last requests were let through, oldest first; no more than the limit.
    spent: VecDeque<Timestamp>,
    /// What the other side said is left, counted down by every request since.
    told: Option<RateState>,
    /// Nothing before this.
    quiet_until: Option<Timestamp>,
}

impl Budget {
    pub(crate) fn new(limit: Option<RateLimit>) -> Self {
        Self {
            limit,
            state: Mutex::default(),
        }
    }

    /// The budget in words, where there is one: what may be asked in a stretch, what is left of what the other side said,
    /// until when it wants quiet.
    pub(crate) fn view(&self, now: Timestamp) -> Option<String> {
        let state = self.held();
        let limit = self.limit.as_ref().map(|limit| {
            let seconds = limit.per.as_secs_f64();
            format!("{} requests in {seconds} s", limit.requests)
        });
        let told = state.told.filter(|told| told.resets_at > now).map(|told| {
            let (left, until) = (told.remaining, told.resets_at);
            format!("{left} left until {until}")
        });
        let quiet = state.quiet_until.filter(|until| *until > now);
        let quiet = quiet.map(|until| format!("quiet until {until}"));
        let parts: Vec<String> = [limit, told, quiet].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// Spends one request, or says when to ask again.
    pub(crate) fn take(&self, now: Timestamp) -> Result<(), Timestamp> {
        let mut state = self.held();
        if let Some(until) = state.quiet_until.filter(|until| *until > now) {
            return Err(until);
        }
        state.quiet_until = None;
        if let Some(told) = state.told.filter(|told| told.resets_at > now) {
            if told.remaining == 0 {
                return Err(told.resets_at);
            }
        } else {
            state.told = None;
        }
        if let Some(limit) = &self.limit {
            let window = SignedDuration::try_from(limit.per).unwrap_or(SignedDuration::MAX);
            while state
                .spent
                .front()
                .is_some_and(|at| now.duration_since(*at) >= window)
            {
                state.spent.pop_front();
            }
            if state.spent.len() >= limit.requests as usize
                && let Some(oldest) = state.spent.front()
            {
                return Err(later(*oldest, limit.per));
            }
            state.spent.push_back(now);
        }
        if let Some(told) = &mut state.told {
            told.remaining = told.remaining.saturating_sub(1);
        }
        Ok(())
    }

    /// Takes over what an answer says. Answers of concurrent requests arrive in any order, so
    /// within one window only a lower number counts.
    ///
    /// A window that has begun ends within its declared length, so a later end is a clock that is
    /// wrong or a number in the wrong unit, and is not waited for.
    pub(crate) fn follow(&self, told: RateState, now: Timestamp) {
        let window = self.limit.as_ref().map_or(WINDOW_MAX, |limit| limit.per);
        let told = RateState {
            resets_at: told.resets_at.min(later(now, window)),
            ..told
        };
        let mut state = self.held();
        match &mut state.told {
            Some(known) if known.resets_at == told.resets_at => {
                known.remaining = known.remaining.min(told.remaining);
            }
            Some(known) if known.resets_at > told.resets_at => {}
            Some(_) | None => state.told = Some(told),
        }
    }

    /// Stays quiet for as long as was asked.
    pub(crate) fn slow_down(&self, after: Option<Duration>, now: Timestamp) {
        let until = later(now, after.unwrap_or(PAUSE).min(QUIET_MAX));
        let mut state = self.held();
        state.quiet_until = Some(state.quiet_until.map_or(until, |known| known.max(until)));
    }

    fn held(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn three_a_minute() -> Budget {
        let per = Duration::from_secs(60);
        Budget::new(Some(RateLimit {
            requests: 3,
            per,
            follow: None,
        }))
    }

    #[test]
    fn no_stretch_of_the_window_holds_more_than_the_limit() {
        let budget = three_a_minute();
        let mut let_through = Vec::new();
        let mut now = 0;
        while let_through.len() < 12 {
            match budget.take(at(now)) {
                Ok(()) => let_through.push(now),
                Err(until) => assert!(until > at(now), "a wait must end later than now"),
            }
            now += 7;
        }
        for start in &let_through {
            let inside = let_through
                .iter()
                .filter(|t| (*start..*start + 60).contains(*t))
                .count();
            assert!(
                inside <= 3,
                "{inside} requests in the minute from {start}: {let_through:?}"
            );
        }
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let budget = Budget::new(None);
        assert!((0..10_000).all(|_| budget.take(at(0)).is_ok()));
    }

    #[test]
    fn what_the_other_side_says_is_left_counts_down_and_ends_with_its_window() {
        let budget = Budget::new(None);
        let told = |remaining| RateState {
            remaining,
            resets_at: at(30),
        };
        budget.follow(told(2), at(0));
        assert_eq!(budget.take(at(1)), Ok(()));
        // An answer to an earlier request says more than is left by now.
        budget.follow(told(5), at(1));
        assert_eq!(budget.take(at(1)), Ok(()));
        assert_eq!(budget.take(at(2)), Err(at(30)));
        assert_eq!(budget.take(at(30)), Ok(()));
    }

    #[test]
    fn an_end_of_the_window_in_a_far_future_is_not_waited_for() {
        let budget = three_a_minute();
        let resets_at = at(0) + SignedDuration::from_hours(24 * 365 * 50);
        budget.follow(
            RateState {
                remaining: 0,
                resets_at,
            },
            at(0),
        );
        assert_eq!(budget.take(at(1)), Err(at(60)));
        assert_eq!(budget.take(at(60)), Ok(()));
        budget.slow_down(Some(Duration::MAX), at(60));
        assert_eq!(budget.take(at(61)), Err(at(60 + 3600)));
    }

    #[test]
    fn a_request_to_slow_down_is_kept_and_never_shortened() {
        let budget = three_a_minute();
        budget.slow_down(Some(Duration::from_secs(90)), at(0));
        budget.slow_down(None, at(1));
        assert_eq!(budget.take(at(2)), Err(at(90)));
        assert_eq!(budget.take(at(90)), Ok(()));
    }
}
