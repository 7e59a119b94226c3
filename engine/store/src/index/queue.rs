//! Which deliveries may be taken next: what must be quick and need not be durable.
//!
//! Per lane a *window* holds the earliest entries of the due queue in memory. It is filled from the index when it runs
//! empty and kept up to date with every commit, so a lane with a million waiting deliveries costs as much memory as one
//! with a few thousand, and taking the next one costs the same.

use crate::model::Delivery;
use ml_connector_core::delivery::StateKind;
use ml_connector_core::identity::DeliveryId;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Entries a window holds at most. Small in tests, so that they meet its edges.
pub(crate) const WINDOW_MAX: usize = if cfg!(test) { 12 } else { 8192 };

/// Entries read from the index when a window runs empty.
pub(crate) const WINDOW_FILL: usize = WINDOW_MAX / 4;

/// Due time and id.
pub(crate) type Due = (i64, u64);

/// How much of a lane's queue its window covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Covered {
    /// All entries up to and including this one, if any.
    UpTo(Option<Due>),
    /// All entries.
    All,
}

/// The earliest entries of one lane.
///
/// Entries of instances that nobody wants at the moment are left out as they are met, so that a lane with a million of
/// them is passed once and costs no memory. When one of those instances is wanted again, the window starts anew.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) entries: BTreeSet<Due>,
    pub(crate) covered: Covered,
    /// Instances of which entries may be missing.
    left_out: HashSet<u32>,
}

/// A delivery that was handed out, with what it was at that position of the journal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reserved {
    pub(crate) position: u64,
    pub(crate) delivery: Option<Arc<Delivery>>,
}

/// All lanes.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) lanes: HashMap<u32, Window>,
    pub(crate) reserved: HashMap<DeliveryId, Reserved>,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            entries: BTreeSet::new(),
            covered: Covered::UpTo(None),
            left_out: HashSet::new(),
        }
    }
}

impl Window {
    /// Whether it has all entries that are wanted.
    pub(crate) fn serves(&self, without: &HashSet<u32>) -> bool {
        self.left_out.is_subset(without)
    }

    /// Forgets an entry that is not wanted.
    pub(crate) fn leave_out(&mut self, due: Due, instance: u32) {
        self.entries.remove(&due);
        self.left_out.insert(instance);
    }

    fn covers(&self, due: Due) -> bool {
        match self.covered {
            Covered::All => true,
            Covered::UpTo(last) => last.is_some_and(|last| due <= last),
        }
    }

    /// Takes over what was read from the index: the entries behind the covered ones, and whether they were all.
    pub(crate) fn fill(&mut self, entries: &[Due], all: bool) {
        self.entries.extend(entries.iter().copied());
        self.covered = match (all, entries.last()) {
            (true, _) => Covered::All,
            (false, Some(last)) => Covered::UpTo(Some(*last)),
            (false, None) => self.covered,
        };
    }
}

impl Queue {
    /// The due queue has a new entry.
    pub(crate) fn added(&mut self, lane: u32, due: Due) {
        let window = self.lanes.entry(lane).or_default();
        if !window.covers(due) {
            return;
        }
        window.entries.insert(due);
        if window.entries.len() > WINDOW_MAX {
            window.entries.pop_last();
            window.covered = Covered::UpTo(window.entries.last().copied());
        }
    }

    /// The due queue has lost an entry.
    pub(crate) fn removed(&mut self, lane: u32, due: Due) {
        if let Some(window) = self.lanes.get_mut(&lane) {
            window.entries.remove(&due);
        }
    }

    /// A delivery has changed: only one in flight stays with whoever has it.
    pub(crate) fn changed(&mut self, position: u64, delivery: Arc<Delivery>) {
        if delivery.state.kind() != StateKind::InFlight {
            self.reserved.remove(&delivery.id);
        } else if let Some(reserved) = self.reserved.get_mut(&delivery.id) {
            *reserved = Reserved {
                position,
                delivery: Some(delivery),
            };
        }
    }

    /// Up to `limit` entries of the window that nobody has, not later than `until`.
    pub(crate) fn free(&self, lane: u32, until: i64, limit: usize) -> Vec<Due> {
        let Some(window) = self.lanes.get(&lane) else {
            return Vec::new();
        };
        window
            .entries
            .iter()
            .take_while(|(due, _)| *due <= until)
            .filter(|(_, id)| !self.reserved.contains_key(&DeliveryId(*id)))
            .take(limit)
            .copied()
            .collect()
    }

    /// What the window covers, unless it surely has all entries not later than `until`.
    pub(crate) fn incomplete(&self, lane: u32, until: i64) -> Option<Covered> {
        let covered = self
            .lanes
            .get(&lane)
            .map_or(Covered::UpTo(None), |window| window.covered);
        let complete = match covered {
            Covered::All => true,
            Covered::UpTo(last) => last.is_some_and(|(due, _)| due > until),
        };
        (!complete).then_some(covered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_stays_within_its_size_and_says_what_it_no_longer_covers() {
        let mut queue = Queue::default();
        queue.lanes.insert(
            7,
            Window {
                covered: Covered::All,
                ..Window::default()
            },
        );
        for id in 0..=WINDOW_MAX as u64 {
            queue.added(7, (i64::try_from(id).unwrap(), id));
        }
        assert_eq!(queue.lanes[&7].entries.len(), WINDOW_MAX);
        assert_eq!(
            queue.incomplete(7, 10),
            None,
            "everything up to 10 is in the window"
        );
        let last = WINDOW_MAX as u64 - 1;
        let last = (i64::try_from(last).unwrap(), last);
        let covered = Covered::UpTo(Some(last));
        assert_eq!(queue.incomplete(7, i64::MAX), Some(covered));
        queue.added(7, (last.0 + 5, 99_999));
        assert_eq!(
            queue.lanes[&7].entries.len(),
            WINDOW_MAX,
            "what is not covered is not kept"
        );
    }
}
