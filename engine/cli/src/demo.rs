//! What the demonstration needs of the world outside: systems that are simulated, events that they send, and books that can
//! be compared.
//!
//! The command knows no system. The binary hands in a [`Stage`], because only the binary may know the simulators
//! (`docs/adr/0001-workspace.md`). This is no seam of the engine: the engine reaches the simulated systems over real
//! sockets, through its ordinary transport.

use serde_json::Value as Document;
use std::future::Future;
use std::pin::Pin;

/// A future of a trait object.
pub type Step<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Where demonstrations come from.
pub trait Stage {
    /// Names and titles of the pairings that can be shown, in their order.
    fn pairings(&self) -> Vec<(String, String)>;
    /// Every definition file: path from the root, and text.
    fn definitions(&self) -> Vec<(String, String)>;
    /// Sets a world up; nothing has been sent yet.
    ///
    /// # Errors
    /// If there is no such pairing, or no loopback port.
    fn start<'a>(
        &'a self,
        pairing: &'a str,
        options: Options,
    ) -> Step<'a, anyhow::Result<Box<dyn World>>>;
}

/// How a demonstration runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Events to send, duplicates not counted.
    pub events: usize,
    /// Decides everything that looks random.
    pub seed: u64,
}

/// Systems on loopback ports, with everything that will happen in them.
pub trait World {
    /// The text of a site file for an engine that listens at these addresses. Its paths are relative.
    fn site(&self, webhooks: &str, admin: &str) -> String;
    /// Secrets for the vault: name and value.
    fn secrets(&self) -> Vec<(String, String)>;
    /// Entries for the matching tables: table, key, values.
    fn crosswalk(&self) -> Vec<(String, String, Document)>;
    /// Begins sending to an engine, e.g. `http://127.0.0.1:8080`.
    fn send_to(&mut self, engine: &str);
    /// Lets everything happen; `show` hears of each part.
    ///
    /// # Errors
    /// If a port is gone.
    fn run<'a>(&'a mut self, show: &'a mut dyn FnMut(Progress)) -> Step<'a, anyhow::Result<()>>;
    /// How far everything is.
    fn progress(&self) -> Progress;
    /// Whether everything was sent and taken, and everything that must arrive is there.
    fn settled(&self) -> bool;
    /// Compares the books of both sides, and puts what the engine says of itself beside them.
    fn closing(&self, engine: &EngineCounts) -> Closing;
    /// Closes every port.
    fn stop(self: Box<Self>) -> Step<'static, ()>;
}

/// How far a demonstration has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Parts that have happened.
    pub step: usize,
    /// Parts in all.
    pub steps: usize,
    /// Records made in the source.
    pub made: usize,
    /// Of those, how many must end in the target.
    pub to_post: usize,
    /// Of those, how many are there.
    pub posted: usize,
    /// Records that must be held.
    pub to_hold: usize,
    /// Whether the target is on the network.
    pub target_up: bool,
}

/// What the engine says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EngineCounts {
    /// Different events taken.
    pub received: u64,
    /// Events that were there already.
    pub duplicate: u64,
    /// Requests refused because they were not genuine.
    pub refused: u64,
    /// Deliveries that stand in the target.
    pub posted: u64,
    /// Deliveries that wait for a person.
    pub held: u64,
}

/// The end of a demonstration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closing {
    /// Counts.
    pub counts: Vec<CountLine>,
    /// Sums.
    pub money: Vec<MoneyLine>,
    /// Differences between the books, in words.
    pub differences: Vec<String>,
    /// Whether everything fits.
    pub fits: bool,
}

/// A row of counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountLine {
    /// What is counted.
    pub what: String,
    /// What the world knows.
    pub world: u64,
    /// What the engine says.
    pub engine: Option<u64>,
    /// Whether the two fit.
    pub fits: bool,
}

/// A row of sums, in major units as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoneyLine {
    /// ISO code.
    pub currency: String,
    /// Made in the source, held ones included.
    pub made: String,
    /// Of that, held on purpose.
    pub held: String,
    /// Posted in the target.
    pub posted: String,
    /// Whether what was made and not held is posted.
    pub fits: bool,
}
