//! Polls: asking a source for new events on a schedule.
//!
//! # Order
//! Many lists come newest first, and deliveries with the same order key go in the order of
//! acceptance. So a poll reads its list to the end and then accepts it oldest first, in several
//! commits; see [`backlog`] for how much is held in memory and what happens beyond that.
//!
//! # By the calendar
//! A poll with `at` keeps when it was made last. What was missed while the engine stood still is made
//! up for once, at the start; one that was never made is made at once.
//!
//! # The cursor
//! It moves only in a commit after which everything older is stored, to a value that the items seen
//! have, and never back. So a crash in the middle loses nothing: the rest is asked for again, and
//! what was stored before is recognised by its id. Each poll reaches back behind the cursor by the
//! overlap; what it finds there is late, and is accepted as it comes. Where the first poll begins is
//! stored before it asks, so that a source that is away at first does not move the beginning.
//!
//! # Items that are not as declared
//! They do not stop the stream: each is stored and held for a person with the cause.

mod backlog;
mod changes;
mod cursor;
mod reading;

use self::reading::{Listed, Reading, route};
use crate::connection::{Link, NotNow};
use crate::context::{Context, later};
use crate::intake::Router;
use jiff::Timestamp;
use ml_connector_core::delivery::{RetryPolicy, Trouble, backoff};
use ml_connector_core::identity::StreamId;
use ml_connector_core::plan::{Operation, Pace, Poll, Trigger, TriggerKind};
use ml_connector_store::{Intake, Origin, Print, off_thread};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The first wait after a poll failed; it doubles up to the poll's own interval.
const FAILED_FIRST: Duration = Duration::from_secs(5);

/// The longest wait after a poll by the calendar failed.
const FAILED_MAX: Duration = Duration::from_secs(15 * 60);

/// How long a poll that is woken before its time gathers further calls.
const WOKEN: Duration = Duration::from_secs(5);

/// One poll trigger of one connection.
#[derive(Debug)]
pub(crate) struct Poller {
    context: Arc<Context>,
    router: Arc<Router>,
    link: Arc<Link>,
    trigger: String,
    pace: Pace,
    next: Mutex<Option<Timestamp>>,
}

/// Why a poll did not read everything it asked for.
#[derive(Debug)]
enum Failed {
    /// The connection admits no calls at the moment.
    Closed,
    /// Something failed.
    Trouble {
        why: String,
        after: Option<Duration>,
    },
    /// The definition and what comes do not fit.
    Definition(String),
    /// The store did not take a page.
    Store(ml_connector_store::Error),
}

impl Poller {
    /// The pollers of a connection: one for each poll trigger that any instance listens to.
    pub(crate) fn of(context: &Arc<Context>, router: &Arc<Router>, link: &Arc<Link>) -> Vec<Self> {
        let plan = link.plan();
        let polled = plan
            .connector
            .triggers
            .values()
            .filter_map(|trigger| match &trigger.kind {
                TriggerKind::Poll(poll) => Some((trigger, poll)),
                TriggerKind::Webhook(_) => None,
            });
        polled
            .filter(|(trigger, _)| router.listens(&StreamId::of(&plan.id, &trigger.stream)))
            .map(|(trigger, poll)| Self {
                context: Arc::clone(context),
                router: Arc::clone(router),
                link: Arc::clone(link),
                trigger: trigger.name.clone(),
                pace: plan
                    .poll_pace
                    .get(&trigger.name)
                    .unwrap_or(&poll.pace)
                    .clone(),
                next: Mutex::default(),
            })
            .collect()
    }

    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.link.id(), self.trigger)
    }

    /// When it asks next; nothing while it is asking or waits for its connection.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs until the engine stops. The first poll is made at once, because the last one may be long
    /// ago; by the calendar only where a time was missed.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut failures = 0;
        let mut due = self.first_due().await;
        loop {
            if !self.wait_until(due).await || !self.open().await {
                return;
            }
            let began = self.context.now();
            let polled = self.poll().await;
            self.context.counters.polled(polled.is_ok());
            due = match polled {
                Ok(()) => {
                    failures = 0;
                    self.ran(began).await;
                    self.after(began)
                }
                // The wait is for the connection, before the next try.
                Err(Failed::Closed) => began,
                Err(failed) => {
                    let wait = self.after_failure(&failed, failures);
                    failures += 1;
                    later(self.context.now(), wait)
                }
            };
        }
    }

    /// When it asks after a start.
    async fn first_due(&self) -> Timestamp {
        let now = self.context.now();
        let Pace::At(calendar) = &self.pace else {
            return now;
        };
        let ran = self.context.store.cursor(&self.ran_id()).await;
        let ran = ran.unwrap_or_else(|error| {
            let (connection, trigger) = (self.link.id(), self.trigger.as_str());
            tracing::error!(%connection, trigger, %error, "cannot read when it was polled last");
            None
        });
        match ran.and_then(|ran| ran.parse::<Timestamp>().ok()) {
            Some(ran) => calendar.next_after(ran).map_or(now, |due| due.max(now)),
            None => now,
        }
    }

    /// When it asks again after a poll that began then.
    fn after(&self, began: Timestamp) -> Timestamp {
        match &self.pace {
            Pace::Every(every) => later(began, *every),
            Pace::At(calendar) => calendar.next_after(began).unwrap_or(Timestamp::MAX),
        }
    }

    /// Keeps when a poll by the calendar was made, so that the next start knows what was missed.
    async fn ran(&self, began: Timestamp) {
        let Pace::At(_) = &self.pace else {
            return;
        };
        let plan = self.link.plan();
        let intake = Intake {
            connection: plan.id.clone(),
            stream: self.ran_id(),
            origin: Origin::Poll {
                trigger: self.trigger.clone(),
            },
            received_at: self.context.now(),
            plan_hash: self.context.plan.hash,
            events: Vec::new(),
            cursor: Some((self.ran_id(), began.to_string())),
            prints: None,
        };
        if let Err(error) = self.context.store.inbox_accept(intake).await {
            let (connection, trigger) = (self.link.id(), self.trigger.as_str());
            tracing::error!(%connection, trigger, %error, "cannot keep when it was polled");
        }
    }

    /// What the time of the last poll is kept under. No trigger has such a name.
    fn ran_id(&self) -> StreamId {
        StreamId::of(self.link.id(), &format!("{}@ran", self.trigger))
    }

    /// Waits until it is due, or is woken; `false` if the engine stops first.
    async fn wait_until(&self, due: Timestamp) -> bool {
        if due <= self.context.now() {
            return !self.context.stopping.is_cancelled();
        }
        self.set_next(Some(due));
        let wake = self.context.polls.of(self.link.id(), &self.trigger);
        let clock = &self.context.seams.clock;
        tokio::select! {
            biased;
            () = self.context.stopping.cancelled() => return false,
            () = clock.sleep_until(due) => {}
            // Many calls in a row make one poll, and what wakes it may need a moment to be readable.
            () = wake.notified() => {
                let soon = later(self.context.now(), WOKEN).min(due);
                self.set_next(Some(soon));
                tokio::select! {
                    biased;
                    () = self.context.stopping.cancelled() => return false,
                    () = clock.sleep_until(soon) => {}
                }
            }
        }
        self.set_next(None);
        true
    }

    /// Waits until the connection admits calls; `false` if the engine stops first.
    async fn open(&self) -> bool {
        let mut changes = self.link.changes();
        loop {
            changes.catch_up();
            if self.context.stopping.is_cancelled() {
                return false;
            }
            if self.link.admits() {
                return true;
            }
            tokio::select! {
                biased;
                () = self.context.stopping.cancelled() => return false,
                () = changes.changed() => {}
            }
        }
    }

    fn after_failure(&self, failed: &Failed, failures: u32) -> Duration {
        let (why, asked) = match failed {
            Failed::Closed => (String::new(), None),
            Failed::Trouble { why, after } => (why.clone(), *after),
            Failed::Definition(why) => (why.clone(), None),
            Failed::Store(error) => (error.to_string(), None),
        };
        let longest = match &self.pace {
            Pace::Every(every) => *every,
            Pace::At(_) => FAILED_MAX,
        };
        let policy = RetryPolicy {
            first: FAILED_FIRST.min(longest),
            factor_thousandths: 2000,
            max: longest,
            full_jitter: false,
            give_up_after: Duration::MAX,
        };
        let wait = backoff(&policy, failures, 0, None).max(asked.unwrap_or_default());
        let (connection, trigger) = (self.link.id(), self.trigger.as_str());
        tracing::warn!(%connection, trigger, why, again_in_s = wait.as_secs(), "poll failed");
        wait
    }

    async fn poll(&self) -> Result<(), Failed> {
        let (trigger, poll, operation) = self.definition()?;
        let reading = Reading {
            poller: self,
            trigger,
            poll,
            operation,
            now: self.context.now(),
        };
        match (&poll.changes, &poll.cursor) {
            (Some(changes), _) => reading.changed(changes).await,
            (None, Some(cursor)) => reading.in_order(cursor).await,
            (None, None) => reading.as_listed().await,
        }
    }

    fn definition(&self) -> Result<(&Trigger, &Poll, &Operation), Failed> {
        let connector = &self.link.plan().connector;
        let missing = |what: &str| Failed::Definition(format!("there is no {what}"));
        let trigger = connector
            .triggers
            .get(&self.trigger)
            .ok_or_else(|| missing("trigger"))?;
        let TriggerKind::Poll(poll) = &trigger.kind else {
            return Err(missing("poll"));
        };
        let operation = connector.operations.get(&poll.operation);
        Ok((
            trigger,
            poll,
            operation.ok_or_else(|| missing("operation"))?,
        ))
    }

    fn cursor_id(&self) -> StreamId {
        StreamId::of(self.link.id(), &self.trigger)
    }

    /// Some items, in one commit.
    async fn accept(
        &self,
        trigger: &Trigger,
        items: Vec<Listed>,
        cursor: Option<String>,
    ) -> Result<(), Failed> {
        self.accept_with(trigger, items, cursor, Vec::new()).await
    }

    /// As [`Poller::accept`], with what is known of the items from there on.
    async fn accept_with(
        &self,
        trigger: &Trigger,
        items: Vec<Listed>,
        cursor: Option<String>,
        prints: Vec<Print>,
    ) -> Result<(), Failed> {
        if items.is_empty() && cursor.is_none() && prints.is_empty() {
            return Ok(());
        }
        let plan = self.link.plan();
        let stream = StreamId::of(&plan.id, &trigger.stream);
        let now = self.context.now();
        let (router, routed) = (Arc::clone(&self.router), stream.clone());
        // Routing evaluates every listening integration for every item.
        let events = off_thread(move || -> Result<Vec<_>, serde_json::Error> {
            let items = items.into_iter();
            items
                .map(|item| route(&router, &routed, item, now))
                .collect()
        })
        .await
        .map_err(definition)?
        .map_err(definition)?;
        let intake = Intake {
            connection: plan.id.clone(),
            stream: stream.clone(),
            origin: Origin::Poll {
                trigger: trigger.name.clone(),
            },
            received_at: now,
            plan_hash: self.context.plan.hash,
            events,
            cursor: cursor.map(|value| (self.cursor_id(), value)),
            prints: (!prints.is_empty()).then(|| (self.cursor_id(), prints)),
        };
        let traced = self.context.traced(&intake);
        let accepted = self
            .context
            .store
            .inbox_accept(intake)
            .await
            .map_err(Failed::Store)?;
        if accepted.messages > 0 {
            self.context.trace_accepted(&stream, &traced, "poll", now);
        }
        self.context.counters.accepted(&accepted);
        if accepted.deliveries > 0 {
            self.router
                .lanes(&stream)
                .for_each(|lane| self.context.lanes.wake(lane));
        }
        Ok(())
    }

    fn set_next(&self, next: Option<Timestamp>) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }
}

fn not_now(not_now: NotNow) -> Failed {
    match not_now {
        NotNow::Closed => Failed::Closed,
        NotNow::Trouble(Trouble::Passing { why, after, .. }) => Failed::Trouble { why, after },
        NotNow::Trouble(Trouble::Lasting { why, .. }) => Failed::Trouble { why, after: None },
    }
}

fn definition(error: impl std::fmt::Display) -> Failed {
    Failed::Definition(error.to_string())
}
