//! The engine under one seed.
//!
//! One run is one thread: engine, store on a simulated disk, clock, network and two invented systems, all driven by the
//! numbers of a seed. In it events arrive, again and out of order, by webhook and by poll; requests are lost before and
//! after their effect, come late, time out; the process is killed before and after any request and any write; the power
//! fails with torn and lost sectors; the index is lost, stale or ahead; clocks jump; definitions change at a restart; an
//! operator pauses, decides and fills the crosswalk. In the end everything is made to work, and then each acknowledged
//! event must stand in the ledger once, in order, to the cent, or not at all for a reason.
//!
//! The checkers (`check`) know the senders' side and the ledger's side and nothing of what lies between.

mod act;
mod check;
mod definitions;
mod network;
mod operators;
mod run;
mod senders;
mod systems;
mod weather;

pub use run::{Outcome, run};
pub use weather::Mode;
