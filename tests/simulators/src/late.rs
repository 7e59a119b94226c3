//! Answers that come later than the caller hopes, and calls that run only then.

use crate::{Reply, Ticket};
use jiff::Timestamp;
use ml_connector_core::http::HttpResponse;
use std::collections::BTreeMap;
use std::time::Duration;

/// What is not out yet. `C` is what a simulator needs to run a call that it has held back.
#[derive(Debug)]
pub(crate) struct Late<C = ()> {
    held: BTreeMap<Ticket, Held<C>>,
    tickets: u64,
}

#[derive(Debug)]
struct Held<C> {
    due: Timestamp,
    /// `None`: ran at once, only its answer is late.
    call: Option<C>,
    answer: Option<HttpResponse>,
}

impl<C> Default for Late<C> {
    fn default() -> Self {
        Self {
            held: BTreeMap::new(),
            tickets: 0,
        }
    }
}

impl<C: Clone> Late<C> {
    /// Keeps the answer of a call that has run.
    pub(crate) fn keep(&mut self, answer: HttpResponse, by: Duration, now: Timestamp) -> Reply {
        self.hold(None, Some(answer), by, now)
    }

    /// Keeps a call that is to run then: see [`Late::due`].
    pub(crate) fn put_off(&mut self, call: C, by: Duration, now: Timestamp) -> Reply {
        self.hold(Some(call), None, by, now)
    }

    fn hold(
        &mut self,
        call: Option<C>,
        answer: Option<HttpResponse>,
        by: Duration,
        now: Timestamp,
    ) -> Reply {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let due = now.checked_add(by).unwrap_or(Timestamp::MAX);
        self.held.insert(ticket, Held { due, call, answer });
        Reply::Delay { by, ticket }
    }

    /// The first call whose time has come, and when that was. It comes again until it is [`Late::answered`].
    pub(crate) fn due(&self, now: Timestamp) -> Option<(Ticket, Timestamp, C)> {
        let due = self.held.iter().filter(|(_, held)| held.due <= now);
        due.filter(|(_, held)| held.answer.is_none())
            .min_by_key(|(_, held)| held.due)
            .and_then(|(ticket, held)| Some((*ticket, held.due, held.call.clone()?)))
    }

    /// The answer of a call that was put off.
    pub(crate) fn answered(&mut self, ticket: Ticket, answer: HttpResponse) {
        if let Some(held) = self.held.get_mut(&ticket) {
            held.answer = Some(answer);
        }
    }

    /// The answer that [`Reply::Delay`] promised; cut off if the ticket is unknown, was aborted or is still too early.
    pub(crate) fn collect(&mut self, ticket: Ticket, now: Timestamp) -> Reply {
        if self.held.get(&ticket).is_none_or(|held| held.due > now) {
            return Reply::Drop;
        }
        let held = self.held.remove(&ticket);
        held.and_then(|held| held.answer)
            .map_or(Reply::Drop, Reply::Answer)
    }

    /// The calls that were put off and whose answers nobody has.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &C> {
        self.held.values().filter_map(|held| held.call.as_ref())
    }

    /// Forgets such calls and their answers.
    pub(crate) fn abort(&mut self, these: impl Fn(&C) -> bool) {
        self.held
            .retain(|_, held| !held.call.as_ref().is_some_and(&these));
    }
}
