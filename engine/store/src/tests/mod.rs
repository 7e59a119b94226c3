//! Promises of the store, each tried to be broken.

mod deliveries;
mod faults;
mod index;
mod model;
mod power;
mod rig;
mod tail;
mod tampering;
