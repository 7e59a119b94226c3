//! Promises of the store, each tried to be broken.

mod deliveries;
mod rig;
