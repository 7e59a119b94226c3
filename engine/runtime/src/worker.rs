//! One dispatcher per connection that is written to (a *lane*): it reserves what is due and runs
//! it, a bounded number at a time.
//!
//! It is a reconciler: a wake-up is a hint, the store says what is due. A reservation lives in
//! memory only, so whatever a dying process had reserved is simply due again. While the lane's own
//! circuit is open nothing is reserved. Where a *source* cannot be read, the integration whose
//! delivery met that stands aside until that connection admits calls again: its deliveries stay
//! where they are, and those of other integrations pass them. An integration that a person has
//! paused, or whose windows are closed, stands aside likewise. None of that costs an attempt, a
//! commit or memory per delivery.

use crate::connection::{Link, Links};
use crate::context::{Context, later};
use crate::deliver::{Done, Job};
use jiff::Timestamp;
use ml_connector_core::identity::{ConnectionId, DeliveryId, InstanceId};
use ml_connector_core::plan::Instance;
use ml_connector_store::Delivery;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{self, JoinSet};

/// Deliveries prepared ahead of the connection's own concurrency, so that reads of the source
/// overlap with writes to the target.
const AHEAD: usize = 8;
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
    /// What the tasks have reserved.
    running: HashMap<task::Id, DeliveryId>,
    /// The integrations of the lane that deliver in windows only.
    windowed: Vec<Arc<Instance>>,
    /// The integrations that stand aside, by the connection that they wait for.
    aside: HashMap<ConnectionId, BTreeSet<InstanceId>>,
}

/// What a task of the lane ends with.
#[derive(Debug)]
enum Event {
    Delivery(Done),
    /// A connection that integrations stand aside for admits calls again.
    Open(ConnectionId),
}

impl Worker {
    pub(crate) fn new(context: Arc<Context>, links: Arc<Links>, lane: Arc<Link>) -> Self {
        let wake = context.lanes.of(lane.id());
        let instances = context.plan.instances.values();
        let windowed = instances.filter(|one| {
            let target = &one.integration.sink.connection;
            one.windows.is_some() && one.connections.get(target) == Some(lane.id())
        });
        let windowed = windowed.map(Arc::clone).collect();
        Self {
            context,
            links,
            lane,
            wake,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            windowed,
            aside: HashMap::new(),
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
            changes.catch_up();
            let free = limit.saturating_sub(self.running.len());
            let mut next_due = None;
            // While there is more than enough to do, whole batches are reserved, not one for every
            // one done.
            if self.lane.admits() && (drained || free > limit / 4) {
                let (full, due) = self.reserve(free).await;
                drained = !full;
                next_due = due;
            }
            tokio::select! {
                biased;
                () = self.context.stopping.cancelled() => break,
                Some(ended) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => {
                    self.ended(ended).await;
                    while let Some(ended) = self.tasks.try_join_next_with_id() {
                        self.ended(ended).await;
                    }
                }
                () = self.wake.notified() => drained = true,
                () = changes.changed() => drained = true,
                () = self.context.seams.clock.sleep_until(next_due.unwrap_or(Timestamp::MAX)),
                    if next_due.is_some() => drained = true,
            }
        }
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.ended(ended).await;
        }
    }

    /// Reserves and starts up to `free` deliveries. Says whether it got as many as it could take,
    /// and if not, when to look again.
    async fn reserve(&mut self, free: usize) -> (bool, Option<Timestamp>) {
        if free == 0 {
            return (true, None);
        }
        let now = self.context.now();
        let mut without = self.context.pauses.all();
        without.extend(self.aside.values().flatten().cloned());
        let (closed, opens) = self.closed(now);
        without.extend(closed);
        let without: Vec<InstanceId> = without.into_iter().collect();
        let (context, lane) = (Arc::clone(&self.context), self.lane.id().clone());
        let failed = |error: ml_connector_store::Error| {
            tracing::error!(connection = %lane, %error, "cannot reserve deliveries");
            (false, Some(later(now, STORE_PAUSE)))
        };
        let reserved = context.store.delivery_reserve(&lane, now, free, &without);
        let reserved = match reserved.await {
            Ok(reserved) => reserved,
            Err(error) => return failed(error),
        };
        let count = reserved.len();
        // Before anything else is asked of the store: what is reserved is in nobody's hands else.
        for delivery in reserved {
            self.start(delivery);
        }
        if count >= free {
            return (true, None);
        }
        match context.store.delivery_next_due(&lane, &without).await {
            Ok(due) => {
                let floor = if count == 0 { later(now, PAUSE) } else { now };
                let due = due.map(|due| due.max(floor));
                (false, due.into_iter().chain(opens).min())
            }
            Err(error) => failed(error),
        }
    }

    /// The integrations of the lane whose windows are closed, and when the first of them opens.
    fn closed(&self, now: Timestamp) -> (Vec<InstanceId>, Option<Timestamp>) {
        let closed: Vec<(InstanceId, Timestamp)> = self
            .windowed
            .iter()
            .filter_map(|one| Some((one.id.clone(), one.windows.as_ref()?.closed_until(now)?)))
            .collect();
        let opens = closed.iter().map(|(_, opens)| *opens).min();
        (closed.into_iter().map(|(id, _)| id).collect(), opens)
    }

    fn start(&mut self, delivery: Delivery) {
        let id = delivery.id;
        let job = Job::new(
            Arc::clone(&self.context),
            Arc::clone(&self.links),
            Arc::clone(&self.lane),
            delivery,
        );
        let task = self
            .tasks
            .spawn(async move { Event::Delivery(job.run().await) });
        self.running.insert(task.id(), id);
    }

    async fn ended(&mut self, ended: Result<(task::Id, Event), task::JoinError>) {
        match ended {
            Ok((task, Event::Delivery(done))) => {
                let id = self.running.remove(&task);
                if let (
                    Done::WaitsFor {
                        instance,
                        connection,
                    },
                    Some(id),
                ) = (done, id)
                {
                    self.context.store.delivery_release(id).await;
                    self.stand_aside(instance, connection);
                }
            }
            Ok((_, Event::Open(connection))) => {
                self.aside.remove(&connection);
            }
            // `Job::run` catches panics of its own, and nobody aborts these tasks. Should one die
            // all the same, its delivery is not lost with it.
            Err(error) => {
                tracing::error!(connection = %self.lane.id(), %error, "a delivery's task ended early");
                if let Some(id) = self.running.remove(&error.id()) {
                    self.context.store.delivery_release(id).await;
                }
            }
        }
    }

    /// Leaves an integration's deliveries where they are until the connection that one of them
    /// waits for admits calls. For the lane's own connection that is not needed: nothing is
    /// reserved before.
    fn stand_aside(&mut self, instance: InstanceId, connection: ConnectionId) {
        if connection == *self.lane.id() || self.context.stopping.is_cancelled() {
            return;
        }
        let Some(link) = self.links.get(&connection).cloned() else {
            return;
        };
        let first = !self.aside.contains_key(&connection);
        self.aside
            .entry(connection.clone())
            .or_default()
            .insert(instance);
        if first {
            let stopping = self.context.stopping.clone();
            self.tasks.spawn(async move {
                let mut changes = link.changes();
                while !link.admits() {
                    changes.catch_up();
                    if link.admits() {
                        break;
                    }
                    tokio::select! {
                        biased;
                        () = stopping.cancelled() => break,
                        () = changes.changed() => {}
                    }
                }
                Event::Open(connection)
            });
        }
    }
}
