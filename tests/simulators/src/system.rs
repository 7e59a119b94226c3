//! What every simulated system can do, whichever it is: answer calls.
//!
//! [`crate::serve`] puts anything that is [`Simulated`] behind a port, also whatever stands in front of a system and lets
//! calls through to it.
//! Those that also send notifications are [`crate::webhooks::Outgoing`].

use crate::{Reply, Ticket};
use jiff::Timestamp;
use ml_connector_core::http::HttpRequest;
use std::fmt::Debug;

/// A system that answers calls.
pub trait Simulated: Debug + Send + 'static {
    /// Carries out one call at the given moment.
    fn handle(&mut self, request: &HttpRequest, now: Timestamp) -> Reply;

    /// The answer that [`Reply::Delay`] promised; cut off if the ticket is unknown or it is still too early.
    fn collect(&mut self, ticket: Ticket, now: Timestamp) -> Reply;

    /// Lets what the system does by itself happen up to this moment: calls it held back, jobs it runs.
    fn tick(&mut self, _now: Timestamp) {}

    /// When it will next do something by itself; `None` if nothing waits.
    fn next_tick_at(&self) -> Option<Timestamp> {
        None
    }

    /// How many calls have arrived.
    fn calls(&self) -> u64;
}
