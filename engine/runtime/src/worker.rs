//! One dispatcher per connection that is written to (a *lane*): it reserves what is due and runs
//! it, a bounded number at a time.
//!
//! It is a reconciler: a wake-up is a hint, the store says what is due. A reservation lives in
//! memory only, so whatever a dying process had reserved is simply due again. While the lane's own
//! circuit is open nothing is reserved; a delivery whose *source* cannot be read is parked,
//! reserved, until that connection admits calls again. Neither costs an attempt or a commit.

use crate::connection::{Link, Links};
use crate::context::{Context, later};
use crate::deliver::{Done, Job};
use jiff::Timestamp;
use ml_connector_core::identity::{ConnectionId, DeliveryId};
use ml_connector_store::Delivery;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Deliveries prepared ahead of the connection's own concurrency, so that reads of the source
/// overlap with writes to the target.
const AHEAD: usize = 8;
/// Deliveries parked for other connections; when so many wait, the lane reserves no more.
const PARKED_MAX: usize = 4096;
/// The least wait when the store says that something is due which it does not hand out.
const PAUSE: Duration = Duration::from_millis(50);
/// The wait after the store failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// A lane's dispatcher.
#[derive(Debug)]
pub(crate) struct Worker {
    context: Arc<Context>,
    links: Arc<Links>,
    lane: Arc<Link>,
    wake: Arc<Notify>,
    tasks: JoinSet<Event>,
    running: usize,
    parked: HashMap<ConnectionId, Vec<DeliveryId>>,
}

/// What a task of the lane ends with.
#[derive(Debug)]
enum Event {
    Delivery(DeliveryId, Done),
    /// A connection that deliveries are parked for admits calls again.
    Open(ConnectionId),
}

impl Worker {
    pub(crate) fn new(context: Arc<Context>, links: Arc<Links>, lane: Arc<Link>) -> Self {
        let wake = context.lanes.of(lane.id());
        Self {
            context,
            links,
            lane,
            wake,
            tasks: JoinSet::new(),
            running: 0,
            parked: HashMap::new(),
        }
    }

    /// Runs until the engine stops and what was begun has ended.
    pub(crate) async fn run(mut self) {
        let limit = self
            .lane
            .concurrency()
            .saturating_mul(2)
            .saturating_add(AHEAD);
        let mut changes = self.lane.changes();
        let mut drained = true;
        while !self.context.stopping.is_cancelled() {
            changes.borrow_and_update();
            let free = limit.saturating_sub(self.running);
            let mut next_due = None;
            // While there is more than enough to do, whole batches are reserved, not one for every
            // one done.
            if self.may_reserve() && (drained || free > limit / 4) {
                match self.reserve(free).await {
                    Ok((full, due)) => {
                        drained = !full;
                        next_due = due;
                    }
                    Err(until) => next_due = Some(until),
                }
            }
            tokio::select! {
                biased;
                () = self.context.stopping.cancelled() => break,
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    self.ended(ended).await;
                    while let Some(ended) = self.tasks.try_join_next() {
                        self.ended(ended).await;
                    }
                }
                () = self.wake.notified() => drained = true,
                _ = changes.changed() => drained = true,
                () = self.context.seams.clock.sleep_until(next_due.unwrap_or(Timestamp::MAX)),
                    if next_due.is_some() => drained = true,
            }
        }
        while let Some(ended) = self.tasks.join_next().await {
            self.ended(ended).await;
        }
    }

    fn may_reserve(&self) -> bool {
        self.lane.admits() && self.parked.values().map(Vec::len).sum::<usize>() < PARKED_MAX
    }

    /// Reserves and starts up to `free` deliveries. Says whether it got as many as it could take,
    /// and if not, when to look again.
    async fn reserve(&mut self, free: usize) -> Result<(bool, Option<Timestamp>), Timestamp> {
        if free == 0 {
            return Ok((true, None));
        }
        let (store, lane) = (&self.context.store, self.lane.id());
        let now = self.context.now();
        let failed = |error: ml_connector_store::Error| {
            tracing::error!(connection = %lane, %error, "cannot reserve deliveries");
            later(now, STORE_PAUSE)
        };
        let reserved = store
            .delivery_reserve(lane, now, free)
            .await
            .map_err(failed)?;
        let (count, full) = (reserved.len(), reserved.len() >= free);
        let due = if full {
            None
        } else {
            store.delivery_next_due(lane).await.map_err(failed)?
        };
        for delivery in reserved {
            self.start(delivery);
        }
        let floor = if count == 0 { later(now, PAUSE) } else { now };
        Ok((full, due.map(|due| due.max(floor))))
    }

    fn start(&mut self, delivery: Delivery) {
        let id = delivery.id;
        let job = Job::new(
            Arc::clone(&self.context),
            Arc::clone(&self.links),
            Arc::clone(&self.lane),
            delivery,
        );
        self.running += 1;
        self.tasks
            .spawn(async move { Event::Delivery(id, job.run().await) });
    }

    async fn ended(&mut self, ended: Result<Event, tokio::task::JoinError>) {
        match ended {
            Ok(Event::Delivery(id, done)) => {
                self.running = self.running.saturating_sub(1);
                match done {
                    Done::Moved => {}
                    Done::WaitsFor(connection) => self.park(id, connection).await,
                }
            }
            Ok(Event::Open(connection)) => {
                for id in self.parked.remove(&connection).unwrap_or_default() {
                    self.context.store.delivery_release(id).await;
                }
            }
            // `Job::run` catches panics of its own, and nobody aborts these tasks.
            Err(error) => {
                self.running = self.running.saturating_sub(1);
                tracing::error!(connection = %self.lane.id(), %error, "a delivery's task ended early");
            }
        }
    }

    /// Keeps a delivery reserved until the connection it waits for admits calls. For the lane's own
    /// connection that is not needed: nothing is reserved before.
    async fn park(&mut self, id: DeliveryId, connection: ConnectionId) {
        if connection == *self.lane.id() || self.context.stopping.is_cancelled() {
            self.context.store.delivery_release(id).await;
            return;
        }
        let Some(link) = self.links.get(&connection).cloned() else {
            self.context.store.delivery_release(id).await;
            return;
        };
        let first = !self.parked.contains_key(&connection);
        self.parked.entry(connection.clone()).or_default().push(id);
        if first {
            let stopping = self.context.stopping.clone();
            self.tasks.spawn(async move {
                let mut changes = link.changes();
                while !link.admits() {
                    changes.borrow_and_update();
                    if link.admits() {
                        break;
                    }
                    tokio::select! {
                        biased;
                        () = stopping.cancelled() => break,
                        _ = changes.changed() => {}
                    }
                }
                Event::Open(connection)
            });
        }
    }
}
