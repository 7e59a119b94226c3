//! A demonstration as it goes, and its end.

use crate::demo::{Closing, Progress};
use crate::table::Table;
use crate::terminal::{Terminal, Tone};
use indicatif::ProgressBar;
use ml_connector_store::Verification;
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write as _};

/// Shows progress: a bar on a terminal, else a line whenever something changes that matters.
pub(super) struct Shown {
    bar: Option<ProgressBar>,
    said: Option<(usize, bool)>,
}

/// Without a terminal, so many lines tell of the parts.
const QUARTERS: usize = 4;

impl Shown {
    pub(super) fn new(terminal: &Terminal) -> Self {
        let bar = terminal
            .shows_progress()
            .then(|| terminal.progress("starting", 0));
        Self { bar, said: None }
    }

    pub(super) fn at(&mut self, at: Progress) {
        let text = words(&at);
        if let Some(bar) = &self.bar {
            bar.set_length(at.to_post.max(1) as u64);
            bar.set_position(at.posted as u64);
            bar.set_message(text);
        } else {
            let quarter = at.step * QUARTERS / at.steps.max(1);
            if self.said != Some((quarter, at.target_up)) {
                self.said = Some((quarter, at.target_up));
                let _gone = writeln!(io::stderr(), "{text}");
            }
        }
    }

    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn words(at: &Progress) -> String {
    let target = if at.target_up {
        ""
    } else {
        ", the target is off the network"
    };
    format!(
        "{:>3}% sent: {} made, {} posted, {} to be held{target}",
        at.step * 100 / at.steps.max(1),
        at.made,
        at.posted,
        at.to_hold
    )
}

/// Output of `demo --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "demo")]
pub(crate) struct DemoOutput {
    /// Version of this document's form.
    version: u32,
    /// Whether everything fits in every pairing.
    fits: bool,
    /// The pairings that were shown.
    pairings: Vec<PairingView>,
}

/// What came of one pairing.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PairingView {
    /// Its name.
    pairing: String,
    /// Whether both books, the engine's counts and the journal agree, and everything arrived in time.
    fits: bool,
    /// Whether everything arrived in time.
    settled: bool,
    /// What the simulated world knows, beside what the engine says.
    counts: Vec<CountView>,
    /// Sums per currency on both sides.
    money: Vec<MoneyView>,
    /// Differences between the books, in words.
    differences: Vec<String>,
    /// Records of the journal, each verified.
    records: u64,
    /// What does not verify in it.
    damage: Option<String>,
}

/// A row of counts.
#[derive(Debug, Serialize, JsonSchema)]
struct CountView {
    /// What is counted.
    what: String,
    /// What the world knows.
    world: u64,
    /// What the engine says.
    engine: Option<u64>,
    /// Whether the two fit.
    fits: bool,
}

/// A row of sums, in major units.
#[derive(Debug, Serialize, JsonSchema)]
struct MoneyView {
    /// ISO code.
    currency: String,
    /// Made in the source, held ones included.
    made: String,
    /// Of that, held on purpose.
    held: String,
    /// Posted in the target.
    posted: String,
    /// Whether what was made and not held is posted.
    fits: bool,
}

impl DemoOutput {
    pub(super) const fn new() -> Self {
        Self {
            version: 1,
            fits: true,
            pairings: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, shown: PairingView) {
        self.fits &= shown.fits;
        self.pairings.push(shown);
    }
}

impl PairingView {
    pub(super) fn of(
        pairing: &str,
        closing: &Closing,
        verified: &Verification,
        settled: bool,
    ) -> Self {
        Self {
            pairing: pairing.to_owned(),
            fits: closing.fits && settled && verified.damage.is_none(),
            settled,
            counts: closing
                .counts
                .iter()
                .map(|line| CountView {
                    what: line.what.clone(),
                    world: line.world,
                    engine: line.engine,
                    fits: line.fits,
                })
                .collect(),
            money: closing
                .money
                .iter()
                .map(|line| MoneyView {
                    currency: line.currency.clone(),
                    made: line.made.clone(),
                    held: line.held.clone(),
                    posted: line.posted.clone(),
                    fits: line.fits,
                })
                .collect(),
            differences: closing.differences.clone(),
            records: verified.records,
            damage: verified.damage.as_ref().map(ToString::to_string),
        }
    }

    pub(super) const fn fits(&self) -> bool {
        self.fits
    }

    pub(super) fn print(&self, terminal: &mut Terminal) -> io::Result<()> {
        let mark = |fits: bool| {
            if fits {
                String::new()
            } else {
                "<- does not fit".to_owned()
            }
        };
        let mut table = Table::new(["", "WORLD", "ENGINE", ""]).right(&[1, 2]);
        for line in &self.counts {
            let engine = line
                .engine
                .map(|count| count.to_string())
                .unwrap_or_default();
            table.row([
                line.what.clone(),
                line.world.to_string(),
                engine,
                mark(line.fits),
            ]);
        }
        table
            .lines()
            .iter()
            .try_for_each(|line| terminal.line(line))?;
        terminal.line("")?;
        let mut table = Table::new(["", "MADE", "HELD", "POSTED", ""]).right(&[1, 2, 3]);
        for line in &self.money {
            table.row([
                line.currency.clone(),
                line.made.clone(),
                line.held.clone(),
                line.posted.clone(),
                mark(line.fits),
            ]);
        }
        table
            .lines()
            .iter()
            .try_for_each(|line| terminal.line(line))?;
        terminal.line("")?;
        for difference in &self.differences {
            terminal.line(difference)?;
        }
        if !self.settled {
            terminal.line("not everything arrived in time")?;
        }
        match &self.damage {
            None => terminal.line(format!(
                "{} journal records, every one verifies",
                self.records
            ))?,
            Some(damage) => terminal.line(format!("the journal does not verify: {damage}"))?,
        }
        let verdict = if self.fits {
            terminal.tone(Tone::Good, "the books agree")
        } else {
            terminal.tone(Tone::Bad, "the books do not agree")
        };
        terminal.line(verdict)
    }
}
