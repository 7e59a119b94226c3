//! The world of a demonstration: a pairing's systems, and what happens to them part by part.

use super::closing::{Closing, EngineCounts};
use super::pairing::{Pairing, Part, Play, Point, Stopping};
use super::plan::Options;
use super::{Error, Listen};
use crate::books::Report;
use crate::serve::{Clock, wall_clock};
use crate::webhooks::{TIMEOUT, deliver};
use std::time::Duration;

/// An entry for the engine's crosswalk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrosswalkRow {
    /// The table.
    pub table: &'static str,
    /// The key.
    pub key: String,
    /// Columns and values.
    pub values: Vec<(&'static str, String)>,
}

/// How far the demonstration has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Parts that have been sent.
    pub step: usize,
    /// Parts in all.
    pub steps: usize,
    /// Deliveries that the engine must have made so far.
    pub made: usize,
    /// Of those, how many must end in the target.
    pub to_post: usize,
    /// Of those, how many are there.
    pub posted: usize,
    /// Deliveries that may be skipped because what they would write stands there already.
    pub either: usize,
    /// Deliveries that must be held.
    pub to_hold: usize,
    /// Requests that the engine has taken.
    pub accepted: u64,
    /// Requests that were tampered with and refused.
    pub refused: u64,
    /// Requests that were not taken at the first try, or not yet.
    pub unanswered: u64,
    /// Whether the target is on the network.
    pub target_up: bool,
}

/// Simulated systems on loopback ports, and their plan.
#[derive(Debug)]
pub struct World {
    pairing: Pairing,
    options: Options,
    play: Box<dyn Play>,
    step: usize,
    target_up: bool,
    tampered: u64,
    refused: u64,
    clock: ClockBox,
}

#[derive(Clone)]
struct ClockBox(Clock);

impl std::fmt::Debug for ClockBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl World {
    /// Sets a pairing's systems up: all of them answer, nothing has been sent yet.
    pub async fn start(pairing: Pairing, options: Options) -> Result<Self, Error> {
        let play = (pairing.start)(options.clone(), wall_clock()()).await?;
        Ok(Self::of(pairing, options, play))
    }

    /// A world of systems that have been set up.
    pub fn of(pairing: Pairing, options: Options, play: Box<dyn Play>) -> Self {
        Self {
            pairing,
            options,
            play,
            step: 0,
            target_up: true,
            tampered: 0,
            refused: 0,
            clock: ClockBox(wall_clock()),
        }
    }

    /// The pairing.
    pub const fn pairing(&self) -> Pairing {
        self.pairing
    }

    /// The text of a site file. Its paths are relative: definitions beside it, store and vault under `data`.
    pub fn site(&self, listen: &Listen) -> String {
        self.play.site(listen)
    }

    /// Secrets for the vault: name in the site file, value.
    pub fn secrets(&self) -> Vec<(&'static str, String)> {
        self.play.secrets()
    }

    /// Entries of the matching tables that somebody fills in first.
    pub fn crosswalk(&self) -> Vec<CrosswalkRow> {
        self.play.crosswalk()
    }

    /// What must stand in the engine's matching tables in the end, in these columns and perhaps others.
    pub fn remembered(&self) -> Vec<CrosswalkRow> {
        self.play.remembered()
    }

    /// Begins sending notifications to an engine that listens at this address, e.g. `http://127.0.0.1:8080`.
    pub fn send_to(&mut self, engine: &str) {
        self.play.send_to(engine);
    }

    /// Lets the next part happen: records are made, notifications go out, some are tampered with, the target goes off the
    /// network or comes back. `false` once all parts are done.
    pub async fn advance(&mut self) -> Result<bool, Error> {
        if self.step >= self.options.steps {
            return Ok(false);
        }
        let step = self.step;
        let down = self.options.outage.contains(&step);
        if down && self.target_up {
            self.stop_target().await;
        } else if !down && !self.target_up {
            self.start_target().await?;
        }
        let part = Part {
            number: step,
            of: self.options.steps,
            records: self.options.records_in(step),
        };
        self.play.happen(part, (self.clock.0)());
        self.tamper(self.options.tampers_in(step)).await;
        self.step += 1;
        Ok(true)
    }

    /// Runs all parts, with a pause after each.
    pub async fn run(&mut self, mut show: impl FnMut(&Progress)) -> Result<(), Error> {
        while self.advance().await? {
            show(&self.progress());
            crate::serve::pause(self.options.pace).await;
        }
        if !self.target_up {
            self.start_target().await?;
        }
        Ok(())
    }

    /// Sends requests that must be refused.
    async fn tamper(&mut self, requests: usize) {
        for _ in 0..requests {
            let Some(delivery) = self.play.forge(self.tampered, (self.clock.0)()) else {
                return;
            };
            self.tampered += 1;
            let refused = deliver(&delivery, TIMEOUT).await;
            if matches!(refused, Ok(status) if (400..500).contains(&status)) {
                self.refused += 1;
            }
        }
    }

    /// How far everything is.
    pub fn progress(&self) -> Progress {
        let tally = self.play.tally();
        Progress {
            step: self.step,
            steps: self.options.steps,
            made: tally.made,
            to_post: tally.to_post,
            posted: tally.posted,
            either: tally.either,
            to_hold: tally.to_hold,
            accepted: tally.accepted,
            refused: self.refused,
            unanswered: tally.unanswered,
            target_up: self.target_up,
        }
    }

    /// Whether everything was sent and taken, and as many documents are in the target as must be.
    pub fn settled(&self) -> bool {
        let tally = self.play.tally();
        self.step >= self.options.steps && tally.quiet && tally.posted >= tally.to_post
    }

    /// Waits until [`World::settled`], or until the time is over; `false` then.
    pub async fn settle(&mut self, within: Duration, mut show: impl FnMut(&Progress)) -> bool {
        const LOOK_EVERY: Duration = Duration::from_millis(50);
        let mut left = within;
        loop {
            self.play.go_on((self.clock.0)());
            if self.settled() {
                return true;
            }
            if left.is_zero() {
                return false;
            }
            crate::serve::pause(LOOK_EVERY).await;
            left = left.saturating_sub(LOOK_EVERY);
            show(&self.progress());
        }
    }

    /// Compares the books of both sides, without asking the engine.
    pub fn books(&self) -> Report {
        self.play.account().books
    }

    /// The closing table; what the engine says of itself is put beside what the world knows.
    pub fn closing(&self, engine: Option<&EngineCounts>) -> Closing {
        let refused = (self.tampered, self.refused);
        Closing::make(&self.play.account(), &self.play.tally(), refused, engine)
    }

    /// Where calls can be stopped, so that the engine is killed at this point.
    pub fn stops(&self, point: Point) -> Vec<Stopping> {
        self.play.stops(point)
    }

    /// From now on each of the target's answers comes back up to so much later.
    pub fn slow_target(&mut self, most: Duration) {
        self.play.target().slow(most);
    }

    /// Takes the target off the network.
    pub async fn stop_target(&mut self) {
        self.play.target().pause().await;
        self.target_up = false;
    }

    /// Brings the target back on the same port.
    pub async fn start_target(&mut self) -> Result<(), Error> {
        self.play.target().resume().await.map_err(Error::Listen)?;
        self.target_up = true;
        Ok(())
    }

    /// Closes every port.
    pub async fn stop(self) {
        self.play.stop().await;
    }
}
