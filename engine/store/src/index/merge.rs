//! Several runs read as one, and made into one.

use super::base::Unusable;
use super::changes::Change;
use super::run::{Builder, Cursor, Run};
use sled::{IVec, Tree};
use std::sync::Arc;

/// Runs as one sequence: of the same key the newest run's entry counts.
pub(crate) struct Merged {
    /// Newest first, each with its next entry.
    cursors: Vec<(Cursor, Option<(IVec, Change)>)>,
    /// Kept, so that their blocks are not removed while they are read.
    _runs: Vec<Arc<Run>>,
}

impl Merged {
    /// From the first entry that is not less than `from`. `runs` are newest first.
    ///
    /// # Errors
    /// If the tree fails.
    pub(crate) fn new(tree: &Tree, runs: Vec<Arc<Run>>, from: &[u8]) -> Result<Self, Unusable> {
        let mut cursors = Vec::with_capacity(runs.len());
        for run in &runs {
            let mut cursor = Cursor::new(tree, run.number, from);
            let first = cursor.next()?;
            cursors.push((cursor, first));
        }
        Ok(Self {
            cursors,
            _runs: runs,
        })
    }

    /// The next entry, removals included.
    ///
    /// # Errors
    /// If the tree fails or a block cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<(IVec, Change)>, Unusable> {
        let mut least: Option<&IVec> = None;
        for (_, next) in &self.cursors {
            if let Some((key, _)) = next
                && least.is_none_or(|least| key < least)
            {
                least = Some(key);
            }
        }
        let Some(least) = least.cloned() else {
            return Ok(None);
        };
        let mut found = None;
        for (cursor, next) in &mut self.cursors {
            if next.as_ref().is_some_and(|(key, _)| *key == least) {
                let entry = std::mem::replace(next, cursor.next()?);
                // The first one is the newest.
                found = found.or(entry);
            }
        }
        Ok(found)
    }
}

/// Several neighbouring runs on their way to being one.
pub(crate) struct Merging {
    entries: Merged,
    builder: Builder,
    /// The runs that go into it.
    pub(crate) parts: Vec<u32>,
    /// Whether nothing older is left, so that removals need not be kept.
    last: bool,
}

impl std::fmt::Debug for Merging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Merging")
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

impl Merging {
    /// Begins to merge runs into run `number`.
    ///
    /// # Errors
    /// If the tree fails.
    pub(crate) fn begin(
        tree: &Tree,
        number: u32,
        runs: Vec<Arc<Run>>,
        last: bool,
    ) -> Result<Self, Unusable> {
        let parts = runs.iter().map(|run| run.number).collect();
        let builder = Builder::new(number, runs.iter().map(|run| run.entries).sum());
        Ok(Self {
            entries: Merged::new(tree, runs, &[])?,
            builder,
            parts,
            last,
        })
    }

    /// Merges up to `budget` entries. Returns whether that was all.
    ///
    /// # Errors
    /// If the tree fails or a block cannot be read.
    pub(crate) fn step(&mut self, tree: &Tree, budget: usize) -> Result<bool, Unusable> {
        for _ in 0..budget {
            let Some((key, change)) = self.entries.next()? else {
                return Ok(true);
            };
            if !(self.last && change == Change::Gone) {
                self.builder.add(tree, &key, &change)?;
            }
        }
        Ok(false)
    }

    /// The finished run.
    ///
    /// # Errors
    /// If the tree fails.
    pub(crate) fn finish(self, tree: &Tree) -> Result<Run, Unusable> {
        self.builder.finish(tree)
    }
}

/// How many of the newest runs should become one, if any: as soon as enough of them have about the same size, so that
/// there are never many runs, and each entry is rewritten only a few times in its life.
pub(crate) fn due(entries: &[u64]) -> Option<usize> {
    const TOGETHER: usize = 8;
    let mut largest = 0;
    let mut due = None;
    for (at, size) in entries.iter().enumerate() {
        let tier = tier(*size);
        if tier > largest {
            // Older ones may be merged only together with all that are newer.
            largest = tier;
        }
        let same = entries
            .iter()
            .take(at + 1)
            .filter(|size| self::tier(**size) == largest)
            .count();
        if same >= TOGETHER {
            due = Some(at + 1);
        }
    }
    due
}

/// Runs of one tier differ by less than a factor of eight in size.
fn tier(entries: u64) -> u32 {
    entries.max(1).ilog2() / 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_stay_few_and_entries_are_rewritten_seldom() {
        let mut runs: Vec<u64> = Vec::new();
        let (mut written, mut rewritten, mut most) = (0, 0, 0);
        for _ in 0..2000 {
            runs.insert(0, 32_000);
            written += 32_000;
            while let Some(count) = due(&runs) {
                let merged: u64 = runs.drain(..count).sum();
                rewritten += merged;
                runs.insert(0, merged);
            }
            most = most.max(runs.len());
        }
        assert!(most < 30, "{most} runs");
        assert!(
            rewritten < 5 * written,
            "each entry was rewritten {} times",
            rewritten / written
        );
    }

    #[test]
    fn a_few_runs_of_different_sizes_are_left_alone() {
        assert_eq!(due(&[]), None);
        assert_eq!(due(&[5, 100, 2000, 50_000]), None);
        assert_eq!(due(&[5, 5, 5, 5, 5, 5, 5, 5, 5000]), Some(8));
    }
}
