//! What runs under one plan: its connections, workers and polls, and what webhooks become.
//!
//! A reload makes a new generation beside the old one. They never work at the same time: two of them
//! would break the limits of connections and end each other's sessions. So webhooks go to the new
//! one at once, the old one ends what it has begun, and then the new one begins.

use crate::connection::{Links, Unusable};
use crate::context::Context;
use crate::deliver;
use crate::intake::Router;
use crate::operator;
use crate::poller::Poller;
use crate::receiver::Receiver;
use crate::worker::Worker;
use ml_connector_store::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// After a change that may concern any lane, lanes are woken at most this often.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) context: Arc<Context>,
    pub(crate) links: Arc<Links>,
    pub(crate) pollers: Vec<Arc<Poller>>,
    pub(crate) receiver: Arc<Receiver>,
    /// Workers, pollers, guards.
    workers: TaskTracker,
}

impl Generation {
    /// Makes everything; nothing runs yet.
    ///
    /// # Errors
    /// If a connection's settings do not make sense.
    pub(crate) fn new(context: Context) -> Result<Self, Unusable> {
        let context = Arc::new(context);
        let links = Arc::new(Links::new(&context)?);
        let router = Arc::new(Router::new(&context.plan));
        let pollers = links
            .all()
            .flat_map(|link| Poller::of(&context, &router, link))
            .map(Arc::new)
            .collect();
        let receiver = Receiver::new(Arc::clone(&context), Arc::clone(&links), router);
        Ok(Self {
            receiver: Arc::new(receiver),
            context,
            links,
            pollers,
            workers: TaskTracker::new(),
        })
    }

    /// Stops what a person has stopped until it is resumed.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn pause(&self) -> Result<(), Error> {
        for paused in self.context.store.pauses().await? {
            operator::paused(&self.context, &self.links, paused);
        }
        Ok(())
    }

    /// Starts what works on its own.
    pub(crate) fn begin(&self) {
        let context = &self.context;
        for link in self.links.all() {
            self.workers.spawn(Arc::clone(link).guard());
            self.workers.spawn(Arc::clone(link).keep());
            let (context, links) = (Arc::clone(context), Arc::clone(&self.links));
            self.workers
                .spawn(Worker::new(context, links, Arc::clone(link)).run());
        }
        for scope in self.links.sessions.all() {
            let clock = Arc::clone(&context.seams.clock);
            self.workers
                .spawn(scope.tend(clock, context.stopping.clone()));
        }
        for poller in &self.pollers {
            self.workers.spawn(Arc::clone(poller).run());
        }
        self.workers.spawn(sweep(Arc::clone(context)));
        let links = Arc::clone(&self.links);
        self.workers
            .spawn(deliver::strays(Arc::clone(context), links));
        self.workers.spawn(deliver::returned(Arc::clone(context)));
    }

    /// Waits until everything that was told to stop has ended.
    pub(crate) async fn ended(&self) {
        self.workers.close();
        self.workers.wait().await;
    }

    /// Ends the sessions that are live.
    pub(crate) async fn log_off(&self) {
        for scope in self.links.sessions.all() {
            scope.close().await;
        }
    }
}

/// Wakes every lane after changes: a crosswalk entry or a finished delivery may have released
/// deliveries of any lane. Lanes that get new deliveries are woken where those are accepted; this
/// is for the rest, so it may take its time.
async fn sweep(context: Arc<Context>) {
    let mut changes = context.store.changes();
    loop {
        tokio::select! {
            biased;
            () = context.stopping.cancelled() => return,
            () = changes.changed() => {}
        }
        if !context.rest(SWEEP_PAUSE).await {
            return;
        }
        changes.catch_up();
        context.lanes.wake_all();
    }
}
