//! What happens in a demonstration, and when.

use crate::entropy::Entropy;
use std::ops::Range;
use std::time::Duration;

/// How the demonstration runs. Everything follows from these numbers and the clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Decides ids, amounts, order and faults.
    pub seed: u64,
    /// Whether every flow of the pairing takes part, also those that a person who watches would lose sight of.
    pub every_flow: bool,
    /// Records that the source makes.
    pub records: usize,
    /// Parts in which they arrive.
    pub steps: usize,
    /// Pause between two parts.
    pub pace: Duration,
    /// Parts during which the target is off the network; empty for none.
    pub outage: Range<usize>,
    /// So many of a thousand events are sent twice.
    pub twice_per_mille: u32,
    /// Requests that are tampered with on the way, or signed with a wrong secret.
    pub tampered: usize,
    /// So many of a thousand of the target's posts are cut off after they were carried out.
    pub cut_per_mille: u32,
    /// Most events in one request.
    pub batch: usize,
    /// How long the target may go on working on a post whose answer was lost, as the site file says it.
    pub settle: &'static str,
    /// Gap before a webhook that was not taken is sent again; the vendor waits a minute first.
    pub retry_gap: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            every_flow: false,
            records: 240,
            steps: 24,
            pace: Duration::from_millis(150),
            outage: 8..14,
            twice_per_mille: 120,
            tampered: 6,
            cut_per_mille: 20,
            batch: 25,
            settle: "1s",
            retry_gap: Duration::from_millis(500),
        }
    }
}

impl Options {
    /// How many records are made in a part: spread evenly, the first parts take what is left over.
    pub(super) fn records_in(&self, step: usize) -> usize {
        let steps = self.steps.max(1);
        self.records / steps + usize::from(step < self.records % steps)
    }

    /// Whether a request is tampered with in this part: spread evenly from the second part on.
    pub(super) fn tampers_in(&self, step: usize) -> usize {
        let steps = self.steps.max(1);
        self.tampered / steps + usize::from(step < self.tampered % steps)
    }
}

/// An amount from 1.00 to 4,999.99, more often small than large, as payments are.
pub(super) fn amount_minor(entropy: &mut Entropy) -> i64 {
    let largest = [2_000, 20_000, 100_000, 500_000];
    let bound = entropy.pick(&largest).copied().unwrap_or(2_000);
    // Ten units of Swedish or Danish money is the least there (GC 8.1).
    i64::try_from(1_000 + entropy.below(bound - 1_000)).unwrap_or(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_add_up() {
        let options = Options {
            records: 101,
            steps: 7,
            tampered: 9,
            ..Options::default()
        };
        assert_eq!(
            (0..7).map(|step| options.records_in(step)).sum::<usize>(),
            101
        );
        assert_eq!(
            (0..7).map(|step| options.tampers_in(step)).sum::<usize>(),
            9
        );
    }
}
