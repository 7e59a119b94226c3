//! What a pairing supplies to be demonstrated.

use super::{CrosswalkRow, Error, Listen, Options};
use crate::books::Report;
use crate::serve::{Gate, Moment, Server};
use crate::webhooks::Delivery;
use jiff::Timestamp;
use rust_decimal::Decimal;
use std::fmt::Debug;
use std::pin::Pin;

/// A future of a trait object.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A pairing's systems being set up.
pub type Starting = Doing<'static, Result<Box<dyn Play>, Error>>;

/// A pairing's systems as they are once this has set them up.
pub(super) fn starting<P: Play + 'static>(
    set_up: impl Future<Output = Result<P, Error>> + Send + 'static,
) -> Starting {
    Box::pin(async move { Ok(Box::new(set_up.await?) as Box<dyn Play>) })
}

/// A pairing that can be demonstrated.
#[derive(Debug, Clone, Copy)]
pub struct Pairing {
    /// Its name, that of its folder under `mappings/`.
    pub name: &'static str,
    /// What happens in it, in a sentence.
    pub title: &'static str,
    /// Sets its systems up, each behind a port; nothing has been sent yet.
    pub start: fn(Options, Timestamp) -> Starting,
}

/// A moment at which the engine can be killed, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// A call that writes has arrived, and nothing has been done yet.
    BeforeEffect,
    /// It has been done, and the answer is not on its way yet.
    AfterEffect,
    /// It logs on, or asks for a token: either of the two.
    LogOn,
    /// A later step of a write that takes several has arrived.
    BetweenSteps,
}

/// A place where calls can be stopped, when, and what is in those calls.
pub type Stopping = (Gate, Moment, &'static str);

/// Stops a server's calls with these marks.
pub(super) fn stopping(server: &Server, moment: Moment, marks: &[&'static str]) -> Vec<Stopping> {
    let stop = |mark: &&'static str| (server.gate(), moment, *mark);
    marks.iter().map(stop).collect()
}

/// One part of a demonstration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Counted from 0.
    pub number: usize,
    /// How many there are.
    pub of: usize,
    /// Records that the source makes in it.
    pub records: usize,
}

/// How far a pairing has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Deliveries that the engine must make of what has happened so far, over all integrations of the site.
    pub made: usize,
    /// Of those, how many must end in the target.
    pub to_post: usize,
    /// Of those, how many are there, by the target's own books.
    pub posted: usize,
    /// Deliveries that end delivered or skipped, as things stand when they are prepared: what is to be seen of them in the
    /// target is a state, not a document.
    pub either: usize,
    /// Deliveries that must be held. What is neither posted nor held is skipped.
    pub to_hold: usize,
    /// Requests that the engine has taken.
    pub accepted: u64,
    /// Requests that were not taken at the first try, or not yet.
    pub unanswered: u64,
    /// Whether nothing is on its way to the engine and nothing waits to be sent.
    pub quiet: bool,
}

/// What the books of both sides say in the end; the engine is not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Both sides compared.
    pub books: Report,
    /// What the deliveries that are to be held are worth: ISO code and major units.
    pub held_sums: Vec<(String, Decimal)>,
    /// Different events that the engine has acknowledged.
    pub received: u64,
    /// Events that were sent to it again.
    pub duplicate: u64,
}

/// A pairing's systems while a demonstration runs.
///
/// [`super::World`] drives it: it counts the parts, takes the target off the network and brings it back, sends what must be
/// refused, and makes the closing table. A pairing says what happens in each part, and what the books say.
pub trait Play: Debug + Send {
    /// The text of a site file. Its paths are relative: definitions beside it, store and vault under `data`. Use
    /// [`super::site_head`].
    fn site(&self, listen: &Listen) -> String;

    /// Secrets for the vault: name in the site file, value.
    fn secrets(&self) -> Vec<(&'static str, String)>;

    /// Entries of the matching tables that somebody fills in first.
    fn crosswalk(&self) -> Vec<CrosswalkRow>;

    /// What must stand in the engine's matching tables in the end, in these columns and perhaps others: what flows find out
    /// that write to no system.
    fn remembered(&self) -> Vec<CrosswalkRow> {
        Vec::new()
    }

    /// Begins sending notifications to an engine that listens at this address, e.g. `http://127.0.0.1:8080`. A source that is
    /// only polled has nothing to do.
    fn send_to(&mut self, engine: &str);

    /// Lets one part happen: records are made, notifications become due.
    fn happen(&mut self, part: Part, now: Timestamp);

    /// What people do while everybody waits for the rest, e.g. grant what they were asked for.
    fn go_on(&mut self, _now: Timestamp) {}

    /// The `number`th request that must be refused because it is not genuine; `None` where the source sends nothing.
    fn forge(&mut self, number: u64, now: Timestamp) -> Option<Delivery>;

    /// The system that is off the network for a while.
    fn target(&mut self) -> &mut Server;

    /// Where its calls are stopped to be killed at this point; nothing where it has no such moment.
    fn stops(&self, point: Point) -> Vec<Stopping>;

    /// How far everything is.
    fn tally(&self) -> Tally;

    /// What the books of both sides say.
    fn account(&self) -> Account;

    /// Closes every port.
    fn stop(self: Box<Self>) -> Doing<'static, ()>;
}
