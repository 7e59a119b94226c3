//! The engine's promises, each tried against two invented systems on virtual time.

mod definitions;
mod systems;
mod world;

mod circuits;
mod intake;
mod operators;
mod outcomes;
mod polls;
mod sessions;
mod stops;
