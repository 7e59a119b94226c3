//! What the writer has done since the store was opened: for dashboards, never for decisions.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets of sync times, in microseconds; one more bucket takes the rest.
pub const SYNC_BOUNDS_US: [u64; 12] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
];

/// The live numbers; the writer counts, anybody reads.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    commits: AtomicU64,
    commits_failed: AtomicU64,
    failing: AtomicBool,
    records: AtomicU64,
    bytes: AtomicU64,
    sync_us: AtomicU64,
    buckets: [AtomicU64; SYNC_BOUNDS_US.len() + 1],
}

/// The numbers at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meters {
    /// Groups that were written and synced.
    pub commits: u64,
    /// Groups that the disk refused.
    pub commits_failed: u64,
    /// Whether the last one was refused.
    pub failing: bool,
    /// Records written.
    pub records: u64,
    /// Bytes written to the journal.
    pub bytes: u64,
    /// Microseconds spent writing and syncing, in all.
    pub sync_us: u64,
    /// How many commits took so long, by [`SYNC_BOUNDS_US`]; the last takes the rest.
    pub buckets: [u64; SYNC_BOUNDS_US.len() + 1],
}

impl Meter {
    /// A group is on disk.
    pub(crate) fn committed(&self, records: u64, bytes: u64, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.records.fetch_add(records, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.sync_us.fetch_add(took, Ordering::Relaxed);
        let bucket = SYNC_BOUNDS_US.partition_point(|bound| *bound < took);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.failing.store(false, Ordering::Relaxed);
    }

    /// The disk refused a group.
    pub(crate) fn refused(&self) {
        self.commits_failed.fetch_add(1, Ordering::Relaxed);
        self.failing.store(true, Ordering::Relaxed);
    }

    /// Whether the last group was refused.
    pub(crate) fn failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    pub(crate) fn read(&self) -> Meters {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Meters {
            commits: read(&self.commits),
            commits_failed: read(&self.commits_failed),
            failing: self.failing(),
            records: read(&self.records),
            bytes: read(&self.bytes),
            sync_us: read(&self.sync_us),
            buckets: self.buckets.each_ref().map(read),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Meter, SYNC_BOUNDS_US};
    use std::time::Duration;

    #[test]
    fn each_commit_is_in_one_bucket() {
        let meter = Meter::default();
        for us in [0, 250, 251, 5_000_000, 5_000_001] {
            meter.committed(2, 100, Duration::from_micros(us));
        }
        meter.refused();
        let read = meter.read();
        assert_eq!((read.commits, read.records, read.bytes), (5, 10, 500));
        assert_eq!((read.buckets[0], read.buckets[1]), (2, 1));
        assert_eq!(read.buckets[SYNC_BOUNDS_US.len() - 1..], [1, 1]);
        assert!(read.failing && read.commits_failed == 1);
    }
}
