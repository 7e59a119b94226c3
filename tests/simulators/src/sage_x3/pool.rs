//! SOAP channels: each runs one call at a time, and who waits for too long is rejected (X3 5.6, 11 no. 13).

use super::settings::Pool;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// When a call gets a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// It ends then.
    Ends {
        /// The end of its run.
        at: Timestamp,
        /// The first one of this pool, which has to start its sessions.
        first: bool,
    },
    /// It would wait beyond the queue timeout.
    TimedOut,
}

/// What the channels of all pools are busy with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Channels {
    /// By alias: when each channel that was used falls free.
    free_at: BTreeMap<String, Vec<Timestamp>>,
    /// The most calls that waited or ran at one moment, over all pools.
    peak: usize,
}

impl Channels {
    /// Takes a channel for a run of so long.
    pub(crate) fn take(&mut self, alias: &str, pool: &Pool, run: Duration, now: Timestamp) -> Slot {
        let channels = self.free_at.entry(alias.to_owned()).or_default();
        let first = channels.is_empty();
        let idle = channels.iter().position(|free| *free <= now);
        let at = match idle {
            Some(at) => at,
            None if channels.len() < pool.channels => {
                channels.push(now);
                channels.len() - 1
            }
            None => {
                let soonest = channels.iter().enumerate().min_by_key(|(_, free)| **free);
                soonest.map_or(0, |(at, _)| at)
            }
        };
        let Some(free) = channels.get_mut(at) else {
            return Slot::TimedOut;
        };
        let start = (*free).max(now);
        let limit = SignedDuration::try_from(pool.queue_timeout).unwrap_or(SignedDuration::MAX);
        if start.duration_since(now) > limit {
            return Slot::TimedOut;
        }
        let end = start.checked_add(run).unwrap_or(Timestamp::MAX);
        *free = end;
        let busy = channels.iter().filter(|free| **free > now).count();
        self.peak = self.peak.max(busy);
        Slot::Ends { at: end, first }
    }

    /// The most channels that were busy at one moment.
    pub(crate) const fn peak(&self) -> usize {
        self.peak
    }

    /// The web server has restarted: every run is over.
    pub(crate) fn clear(&mut self) {
        self.free_at.clear();
    }
}
