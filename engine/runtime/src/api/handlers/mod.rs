//! The handlers: each translates a request to commands and the replies to a document.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever is not the reply that was asked for is told as a problem"
)]

mod about;
mod audit;
mod connections;
mod crosswalks;
mod deliveries;
mod reconciliations;
mod replays;

pub(super) use about::{integrations, openapi, overview, reload, version};
pub(super) use audit::{event, records, trail, verification};
pub(super) use connections::{
    connections, pause, pause_integration, ping, resume, resume_integration,
};
pub(super) use crosswalks::{entries, entry, remove_entry, set_entry};
pub(super) use deliveries::{deliveries, delivery, holds, resolve, resolve_cause, resolve_many};
pub(super) use reconciliations::reconcile;
pub(super) use replays::{apply_plan, make_plan, replay};

use super::problem::Problem;
use super::route::{Answer, Ask};
use crate::operator::{Command, Reply};

/// Rows of a page, where the request does not say.
const ROWS: usize = 50;
/// The most rows of a page.
const ROWS_MAX: usize = 1000;

/// How many rows are asked for.
fn limit(ask: &Ask) -> Result<usize, Problem> {
    match ask.one_parsed::<usize>("limit")? {
        None => Ok(ROWS),
        Some(rows @ 1..=ROWS_MAX) => Ok(rows),
        Some(_) => Err(Problem::invalid(format!(
            "`limit` is a number from 1 to {ROWS_MAX}"
        ))),
    }
}

/// Carries out what has nothing to say but that it was done.
async fn done(ask: &Ask, command: Command) -> Result<Answer, Problem> {
    match ask.execute(command).await {
        Reply::Done => Answer::of(&super::documents::Done { done: true }),
        other => Err(Problem::of(other)),
    }
}
