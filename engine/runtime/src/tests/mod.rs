//! The engine's promises, each tried against two invented systems on virtual time.

mod definitions;
mod systems;
mod world;

mod api;
mod begun;
mod changes;
mod circuits;
mod connect;
mod groups;
mod health;
mod intake;
mod listeners;
mod logs;
mod operators;
mod outcomes;
mod polls;
mod reconciliations;
mod reloads;
mod repeats;
mod replays;
mod requires;
mod routes;
mod schedules;
mod sequences;
mod sessions;
mod stops;
mod tokens;
mod traces;
