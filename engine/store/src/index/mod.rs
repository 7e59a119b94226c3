//! The index: where things are in the journal. It can be thrown away.
//!
//! # The cast
//! - [`fold`] is the one place that knows what a record changes; it serves commits and rebuilds alike, so a live index
//!   equals a rebuilt one by construction.
//! - [`view`] is what readers see, [`changes`] what is not on disk yet, [`base`] what is: sorted runs ([`run`]) in a sled
//!   tree, merged as they become many ([`merge`]).
//! - [`queue`] keeps the earliest due deliveries at hand.
//! - [`key`] and [`row`] are the layout. A change there raises [`base::FORMAT`], and every index is rebuilt.
//!
//! # The guarantees
//! - The index reflects exactly one position of the journal, and says which.
//! - Nothing in it is needed to keep a promise: at open it is brought forward, or set aside and rebuilt.

pub(crate) mod base;
pub(crate) mod changes;
pub(crate) mod fold;
pub(crate) mod key;
mod merge;
mod queue;
pub(crate) mod row;
mod run;
pub(crate) mod view;
