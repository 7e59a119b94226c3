//! Polls: asking a source for new events on a schedule.
//!
//! Each page is accepted in a commit of its own. The cursor moves in the commit of the *last* page:
//! lists may come newest first, so after a crash in the middle everything is asked for again, and
//! what was stored before is recognised by its id. It moves to the greatest value seen and never
//! back, and each poll reaches back behind it by the overlap.

use crate::connection::{Asked, Link, NotNow, Page};
use crate::context::{Context, later, off_thread};
use crate::intake::Router;
use bytes::Bytes;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};
use ml_connector_core::delivery::{RetryPolicy, Trouble, backoff};
use ml_connector_core::identity::StreamId;
use ml_connector_core::plan::{Cursor, CursorKind, Operation, Poll, Trigger, TriggerKind};
use ml_connector_core::protocol::{self, RawEvent};
use ml_connector_core::template::Scope;
use ml_connector_store::{Intake, Origin};
use serde_json::Value as Document;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The first wait after a poll failed; it doubles up to the poll's own interval.
const FAILED_FIRST: Duration = Duration::from_secs(5);

/// One poll trigger of one connection.
#[derive(Debug)]
pub(crate) struct Poller {
    context: Arc<Context>,
    router: Arc<Router>,
    link: Arc<Link>,
    trigger: String,
    every: Duration,
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

/// Where a poll begins, and how far it has come.
struct Progress {
    /// What the stored cursor says.
    stored: Option<String>,
    /// What the request is asked with.
    from: Document,
    /// The greatest value seen, in the form it is stored in.
    greatest: Option<String>,
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
                every: plan
                    .poll_every
                    .get(&trigger.name)
                    .copied()
                    .unwrap_or(poll.every),
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

    /// Runs until the engine stops. The first poll is made at once: the last one may be long ago.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut failures = 0;
        loop {
            if !self.open().await {
                return;
            }
            let began = self.context.now();
            let polled = self.poll().await;
            self.context.counters.polled(polled.is_ok());
            let due = match polled {
                Ok(()) => {
                    failures = 0;
                    later(began, self.every)
                }
                // The wait is for the connection, at the top of the loop.
                Err(Failed::Closed) => continue,
                Err(failed) => {
                    let wait = self.after_failure(&failed, failures);
                    failures += 1;
                    later(self.context.now(), wait)
                }
            };
            self.set_next(Some(due));
            tokio::select! {
                biased;
                () = self.context.stopping.cancelled() => return,
                () = self.context.seams.clock.sleep_until(due) => {}
            }
            self.set_next(None);
        }
    }

    /// Waits until the connection admits calls; `false` if the engine stops first.
    async fn open(&self) -> bool {
        let mut changes = self.link.changes();
        loop {
            changes.borrow_and_update();
            if self.context.stopping.is_cancelled() {
                return false;
            }
            if self.link.admits() {
                return true;
            }
            tokio::select! {
                biased;
                () = self.context.stopping.cancelled() => return false,
                _ = changes.changed() => {}
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
        let policy = RetryPolicy {
            first: FAILED_FIRST.min(self.every),
            factor_thousandths: 2000,
            max: self.every,
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
        let mut progress = self.begin(poll).await?;
        let scope = Scope::new()
            .with("settings", &self.link.plan().settings)
            .with("cursor", &progress.from);
        let input = protocol::input(operation, &poll.with, &scope).map_err(definition)?;
        drop(scope);
        let pages_max = operation
            .paginate
            .as_ref()
            .map_or(1, |paginate| paginate.pages_max.max(1));
        let mut page = Document::Null;
        for _ in 0..pages_max {
            let asked = Asked {
                input: &input,
                reference: None,
                cursor: &progress.from,
                page: &page,
            };
            let read = self
                .link
                .read_page(operation, asked)
                .await
                .map_err(not_now)?;
            let (items, next) = match read {
                Page::Found {
                    result: Document::Array(items),
                    next,
                } => (items, next),
                Page::Found {
                    result: Document::Null,
                    next,
                } => (Vec::new(), next),
                Page::Found { result, next } => (vec![result], next),
                Page::NotFound(_) => (Vec::new(), None),
            };
            progress.see(poll.cursor.as_ref(), &items, self.context.now())?;
            let items = oldest_first(poll.cursor.as_ref(), items);
            let last = next.is_none();
            let cursor = if last { progress.moved() } else { None };
            self.accept(trigger, items, cursor).await?;
            match next {
                Some(next) => page = next,
                None => return Ok(()),
            }
        }
        Err(Failed::Definition(format!(
            "more than {pages_max} pages; the cursor stays where it is. Raise `pages_max` in the \
             connector, or poll more often"
        )))
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

    async fn begin(&self, poll: &Poll) -> Result<Progress, Failed> {
        let Some(cursor) = &poll.cursor else {
            return Ok(Progress {
                stored: None,
                from: Document::Null,
                greatest: None,
            });
        };
        let stored = self
            .context
            .store
            .cursor(&self.cursor_id())
            .await
            .map_err(Failed::Store)?;
        let from = if let Some(value) = &stored {
            moment(cursor.kind, value)
                .and_then(|at| back(at, cursor.overlap))
                .ok_or_else(|| Failed::Definition("the stored cursor cannot be read".to_owned()))?
        } else {
            let settings = &self.link.plan().settings;
            let initial = protocol::duration(&cursor.initial, settings).map_err(definition)?;
            back(self.context.now(), initial).unwrap_or(Timestamp::MIN)
        };
        let from = written(cursor.kind, from);
        // A first poll that finds nothing has still seen everything up to where it began. Without
        // this the beginning would move on with the clock, past what arrives while the engine is
        // down.
        let greatest = Some(stored.clone().unwrap_or_else(|| from.clone()));
        Ok(Progress {
            stored,
            from: Document::String(from),
            greatest,
        })
    }

    /// One page, in one commit.
    async fn accept(
        &self,
        trigger: &Trigger,
        items: Vec<Document>,
        cursor: Option<String>,
    ) -> Result<(), Failed> {
        if items.is_empty() && cursor.is_none() {
            return Ok(());
        }
        let events = items
            .into_iter()
            .map(|item| raw_event(trigger, item))
            .collect::<Result<Vec<_>, _>>()?;
        let plan = self.link.plan();
        let stream = StreamId::of(&plan.id, &trigger.stream);
        let now = self.context.now();
        let (router, routed) = (Arc::clone(&self.router), stream.clone());
        // Routing a page evaluates every listening integration for every item.
        let events = off_thread(move || router.route(&routed, events, now))
            .await
            .map_err(|error| Failed::Definition(error.to_string()))?;
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
        };
        let accepted = self
            .context
            .store
            .inbox_accept(intake)
            .await
            .map_err(Failed::Store)?;
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

/// A page's items in the order in which they happened: many lists begin with the newest, and deliveries with the same order
/// key go in the order of acceptance.
fn oldest_first(cursor: Option<&Cursor>, mut items: Vec<Document>) -> Vec<Document> {
    if let Some(cursor) = cursor {
        items.sort_by_cached_key(|item| {
            let value = cursor.value.first(item).and_then(Document::as_str);
            value.and_then(|value| moment(cursor.kind, value))
        });
    }
    items
}

impl Progress {
    /// Takes the items' cursor values into account.
    ///
    /// A value that lies in the future does not move the cursor beyond `now`: what comes until then would never be asked for.
    fn see(
        &mut self,
        cursor: Option<&Cursor>,
        items: &[Document],
        now: Timestamp,
    ) -> Result<(), Failed> {
        let Some(cursor) = cursor else { return Ok(()) };
        for item in items {
            let value = cursor
                .value
                .first(item)
                .and_then(Document::as_str)
                .ok_or_else(|| {
                    Failed::Definition(format!("an item has no `{}`", cursor.value.source()))
                })?;
            let at = moment(cursor.kind, value).ok_or_else(|| {
                let (path, kind) = (cursor.value.source(), word(cursor.kind));
                Failed::Definition(format!("`{path}` of an item is not a {kind}"))
            })?;
            let known = self
                .greatest
                .as_deref()
                .and_then(|known| moment(cursor.kind, known));
            let at = at.min(now);
            if known.is_none_or(|known| at > known) {
                self.greatest = Some(written(cursor.kind, at));
            }
        }
        Ok(())
    }

    /// The new cursor, if it differs from the stored one.
    fn moved(&self) -> Option<String> {
        self.greatest
            .clone()
            .filter(|greatest| Some(greatest) != self.stored.as_ref())
    }
}

fn raw_event(trigger: &Trigger, document: Document) -> Result<RawEvent, Failed> {
    let id = match trigger.id.first(&document) {
        Some(Document::String(id)) if !id.is_empty() => id.clone(),
        Some(Document::Number(id)) => id.to_string(),
        _ => {
            return Err(Failed::Definition(format!(
                "an item has no `{}`",
                trigger.id.source()
            )));
        }
    };
    let raw =
        serde_json::to_vec(&document).map_err(|error| Failed::Definition(error.to_string()))?;
    Ok(RawEvent {
        id,
        raw: Bytes::from(raw),
        document,
    })
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

const fn word(kind: CursorKind) -> &'static str {
    match kind {
        CursorKind::Timestamp => "timestamp",
        CursorKind::Date => "date",
    }
}

/// A cursor value as a point in time; a date is its beginning in UTC.
fn moment(kind: CursorKind, text: &str) -> Option<Timestamp> {
    match kind {
        CursorKind::Timestamp => text.parse().ok(),
        CursorKind::Date => {
            let date: civil::Date = text.parse().ok()?;
            Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
        }
    }
}

/// A point in time as a cursor value.
fn written(kind: CursorKind, at: Timestamp) -> String {
    match kind {
        CursorKind::Timestamp => at.to_string(),
        CursorKind::Date => at.to_zoned(TimeZone::UTC).date().to_string(),
    }
}

fn back(at: Timestamp, by: Duration) -> Option<Timestamp> {
    at.checked_sub(SignedDuration::try_from(by).ok()?).ok()
}
