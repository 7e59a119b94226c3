//! The table at the end of a demonstration.

use super::pairing::{Account, Tally};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::fmt;

/// What the engine says of itself. It is shown and checked, but the books decide.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EngineCounts {
    /// Different events taken by webhook or sweep.
    pub received: u64,
    /// Events that were there already.
    pub duplicate: u64,
    /// Requests refused for their signature.
    pub refused: u64,
    /// Deliveries that were posted.
    pub posted: u64,
    /// Deliveries that wait for a person.
    pub held: u64,
}

/// A row of counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What is counted.
    pub what: &'static str,
    /// What the world knows.
    pub world: u64,
    /// What the engine says.
    pub engine: Option<u64>,
    /// Whether the two fit.
    pub ok: bool,
}

/// A row of sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    /// ISO code.
    pub currency: String,
    /// Collected on one side, held ones included.
    pub collected: Decimal,
    /// Of that, held on purpose.
    pub held: Decimal,
    /// Posted on the other side.
    pub posted: Decimal,
    /// Whether collected less held is posted.
    pub ok: bool,
}

/// The closing table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// Counts.
    pub lines: Vec<Line>,
    /// Sums.
    pub money: Vec<Money>,
    /// Differences between the books, in words.
    pub differences: Vec<String>,
    /// Everything fits.
    pub ok: bool,
}

impl Closing {
    pub(super) fn make(
        account: &Account,
        tally: &Tally,
        (tampered, refused): (u64, u64),
        engine: Option<&EngineCounts>,
    ) -> Self {
        let books = &account.books;
        let line =
            |what, world: u64, pick: fn(&EngineCounts) -> u64, fits: fn(u64, u64) -> bool| {
                let engine = engine.map(pick);
                Line {
                    what,
                    world,
                    engine,
                    ok: engine.is_none_or(|engine| fits(engine, world)),
                }
            };
        let equal = |engine, world| engine == world;
        // A sweep may have seen events before their webhook came, and sees them again.
        let at_least = |engine, world| engine >= world;
        let mut lines = vec![
            line(
                "received",
                account.received,
                |engine| engine.received,
                at_least,
            ),
            line(
                "duplicate",
                account.duplicate,
                |engine| engine.duplicate,
                at_least,
            ),
            line("refused", tampered, |engine| engine.refused, equal),
            line("posted", tally.posted as u64, |engine| engine.posted, equal),
            line("held", tally.to_hold as u64, |engine| engine.held, equal),
        ];
        for line in &mut lines {
            if line.what == "refused" {
                line.ok &= refused == tampered;
            }
        }
        let mut held_sums: BTreeMap<&str, Decimal> = BTreeMap::new();
        for (currency, amount) in &account.held_sums {
            *held_sums.entry(currency).or_default() += amount;
        }
        let money: Vec<Money> = books
            .sums
            .iter()
            .map(|sum| {
                let held = held_sums.remove(sum.currency.as_str()).unwrap_or_default();
                Money {
                    currency: sum.currency.clone(),
                    collected: sum.collected + held,
                    held,
                    posted: sum.posted,
                    ok: sum.collected == sum.posted,
                }
            })
            .collect();
        let ok = books.agrees() && lines.iter().all(|line| line.ok);
        let differences = books.differences.iter().map(ToString::to_string).collect();
        Self {
            lines,
            money,
            differences,
            ok,
        }
    }
}

impl fmt::Display for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = |ok: bool| if ok { "" } else { "  <-- does not fit" };
        writeln!(f, "{:<12}{:>10}{:>10}", "", "world", "engine")?;
        for line in &self.lines {
            let engine = line
                .engine
                .map_or_else(|| "-".to_owned(), |count| count.to_string());
            writeln!(
                f,
                "{:<12}{:>10}{engine:>10}{}",
                line.what,
                line.world,
                mark(line.ok)
            )?;
        }
        writeln!(
            f,
            "\n{:<6}{:>14}{:>14}{:>14}",
            "", "collected", "held", "posted"
        )?;
        for sum in &self.money {
            let Money {
                currency,
                collected,
                held,
                posted,
                ok,
            } = sum;
            writeln!(
                f,
                "{currency:<6}{collected:>14.2}{held:>14.2}{posted:>14.2}{}",
                mark(*ok)
            )?;
        }
        self.differences
            .iter()
            .try_for_each(|difference| writeln!(f, "{difference}"))
    }
}
