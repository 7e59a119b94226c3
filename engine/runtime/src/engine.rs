//! One running engine: start, readiness, graceful stop.
//!
//! Starting binds the listeners first, so that a wrong address is found before anything moves; then
//! what a previous run left in flight is settled; then everything else begins. Stopping goes the
//! other way round: no new intake, no new claims, what is under way ends or is recorded as unknown,
//! sessions are logged off, the store is closed.

use crate::admin;
use crate::api::Access;
use crate::connection::{Link, Links, Unusable};
use crate::context::{Context, later};
use crate::counters::CountersSnapshot;
use crate::deliver::recover;
use crate::intake::Router;
use crate::operator::{self, Command, PollStatus, Reply};
use crate::poller::Poller;
use crate::receiver::{self, Receiver};
use crate::seams::{Clock, Seams};
use crate::server::serve;
use crate::worker::Worker;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use jiff::Timestamp;
use ml_connector_core::identity::{ConnectionId, StreamId};
use ml_connector_core::plan::Plan;
use ml_connector_store::{Delivery, Note, Store};
use serde_json::json;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// How long a stop waits, after its grace time, for what has been told to give up.
const HALT_MAX: Duration = Duration::from_secs(10);
/// How long a stop waits for log-offs.
const LOG_OFF_MAX: Duration = Duration::from_secs(10);
/// After a change that may concern any lane, lanes are woken at most this often.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// What an engine is started with.
#[derive(Debug)]
pub struct EngineOptions {
    /// What it runs.
    pub plan: Arc<Plan>,
    /// The opened store. The engine closes it when it stops.
    pub store: Store,
    /// The outside world.
    pub seams: Seams,
    /// Where it listens.
    pub listen: Listen,
    /// The program's version, for `/version` and the audit trail.
    pub version: String,
}

/// Where an engine listens; port 0 takes a free one, nothing does not listen.
#[derive(Debug, Clone, Default)]
pub struct Listen {
    /// For webhooks.
    pub webhooks: Option<SocketAddr>,
    /// For the operator API, health and metrics.
    pub admin: Option<SocketAddr>,
    /// For operator commands: the path of a Unix socket.
    pub control: Option<PathBuf>,
    /// Who may use the operator API: the file of tokens. Without it the API admits nobody.
    pub tokens: Option<PathBuf>,
}

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A connection's settings do not make sense.
    #[error(transparent)]
    Connection(#[from] Unusable),
    /// The store fails.
    #[error("the store fails at the start")]
    Store(#[from] ml_connector_store::Error),
}

/// How a stop went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Whether everything under way ended within the grace time.
    pub in_time: bool,
    /// Whether the store was closed in order. If not, nothing that was acknowledged is lost, and
    /// the next start takes longer.
    pub store_closed: bool,
}

/// A running engine. Clones are the same engine.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    context: Arc<Context>,
    links: Arc<Links>,
    pollers: Vec<Arc<Poller>>,
    receiver: Arc<Receiver>,
    webhooks: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    control: Option<PathBuf>,
    access: Arc<Access>,
    started_at: Timestamp,
    version: String,
    ready: AtomicBool,
    /// Listeners and their connections.
    servers: TaskTracker,
    /// Told to stop after the workers: the status can be asked until the end.
    admin_stop: CancellationToken,
    /// Workers, pollers, guards.
    workers: TaskTracker,
}

impl Engine {
    /// Starts everything. When this returns, webhooks are taken.
    ///
    /// # Errors
    /// If an address cannot be listened on, a connection cannot be set up, or the store fails.
    pub async fn start(options: EngineOptions) -> Result<Self, StartError> {
        let EngineOptions {
            plan,
            store,
            seams,
            listen,
            version,
        } = options;
        let context = Arc::new(Context::new(plan, store, seams));
        let links = Arc::new(Links::new(&context)?);
        let router = Arc::new(Router::new(&context.plan));
        let webhooks = bind(listen.webhooks).await?;
        let admin = bind(listen.admin).await?;
        let control = match &listen.control {
            Some(path) => Some(operator::bind(path).map_err(|source| StartError::Listen {
                address: path.display().to_string(),
                source,
            })?),
            None => None,
        };

        let started_at = context.now();
        let facts = json!({ "version": version, "site": context.plan.site });
        let note = Note {
            kind: "engine_started".to_owned(),
            actor: None,
            reason: None,
            facts,
        };
        context.store.note(note, started_at).await?;
        recover(&context, &links).await?;

        let pollers = links
            .all()
            .flat_map(|link| Poller::of(&context, &router, link))
            .map(Arc::new)
            .collect();
        let receiver = Arc::new(Receiver::new(
            Arc::clone(&context),
            Arc::clone(&links),
            router,
        ));
        let engine = Self {
            inner: Arc::new(Inner {
                webhooks: address(webhooks.as_ref())?,
                admin: address(admin.as_ref())?,
                control: listen.control,
                access: Arc::new(Access::new(listen.tokens, Arc::clone(&context.seams.clock))),
                context,
                links,
                pollers,
                receiver,
                started_at,
                version,
                ready: AtomicBool::new(true),
                servers: TaskTracker::new(),
                admin_stop: CancellationToken::new(),
                workers: TaskTracker::new(),
            }),
        };
        engine.begin(webhooks, admin, control);
        Ok(engine)
    }

    fn begin(
        &self,
        webhooks: Option<TcpListener>,
        admin: Option<TcpListener>,
        control: Option<tokio::net::UnixListener>,
    ) {
        let inner = &self.inner;
        let context = &inner.context;
        for link in inner.links.all() {
            inner.workers.spawn(Arc::clone(link).guard());
            let (context, links) = (Arc::clone(context), Arc::clone(&inner.links));
            inner
                .workers
                .spawn(Worker::new(context, links, Arc::clone(link)).run());
        }
        for scope in inner.links.sessions.all() {
            let clock = Arc::clone(&context.seams.clock);
            inner
                .workers
                .spawn(scope.tend(clock, context.stopping.clone()));
        }
        for poller in &inner.pollers {
            inner.workers.spawn(Arc::clone(poller).run());
        }
        inner.workers.spawn(sweep(Arc::clone(context)));

        let clock = || Arc::clone(&context.seams.clock);
        let servers = || inner.servers.clone();
        if let Some(listener) = webhooks {
            let app = receiver::routes(Arc::clone(&inner.receiver));
            let stop = context.stopping.clone();
            inner
                .servers
                .spawn(serve(listener, app, clock(), stop, servers()));
        }
        if let Some(listener) = admin {
            let app = admin::routes(self, &inner.access);
            let stop = inner.admin_stop.clone();
            inner
                .servers
                .spawn(serve(listener, app, clock(), stop, servers()));
        }
        if let Some(listener) = control {
            let (app, stop) = (operator::routes(self.clone()), inner.admin_stop.clone());
            inner
                .servers
                .spawn(serve(listener, app, clock(), stop, servers()));
        }
    }

    /// Where webhooks are taken.
    pub fn webhooks(&self) -> Option<SocketAddr> {
        self.inner.webhooks
    }

    /// Where `/livez`, `/readyz` and `/version` answer.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.inner.admin
    }

    /// Whether it takes webhooks and its store can be written. Other systems do not matter: an engine whose target is
    /// away must go on taking events.
    pub async fn ready(&self) -> bool {
        self.takes_events() && self.writable().await
    }

    /// Whether it takes webhooks: from the start until it is told to stop.
    pub(crate) fn takes_events(&self) -> bool {
        self.inner.ready.load(Ordering::Acquire) && !self.inner.context.stopping.is_cancelled()
    }

    /// Whether the store can commit. After a commit that the disk refused, this tries one: nobody else might, since
    /// senders turn away from an engine that is not ready.
    pub(crate) async fn writable(&self) -> bool {
        self.store().check(self.inner.context.now()).await.is_ok()
    }

    /// The program's version.
    pub fn version(&self) -> &str {
        &self.inner.version
    }

    /// What it runs.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.inner.context.plan
    }

    /// Since when it runs.
    pub fn started_at(&self) -> Timestamp {
        self.inner.started_at
    }

    /// What it has done since its start.
    pub fn counters(&self) -> CountersSnapshot {
        self.inner.context.counters.snapshot()
    }

    /// Carries an operator's command out.
    pub async fn execute(&self, command: Command) -> Reply {
        let clock = self.clock();
        operator::execute(self.store(), Some(self), clock.as_ref(), command).await
    }

    /// Takes a webhook without a socket, exactly as the listener would. Returns the status.
    pub async fn receive(&self, request: Request<Body>) -> StatusCode {
        let app = receiver::routes(Arc::clone(&self.inner.receiver));
        match app.oneshot(request).await {
            Ok(response) => response.status(),
            Err(never) => match never {},
        }
    }

    /// Stops: intake and claims at once; what is under way may take `grace` to end, and is recorded
    /// as unknown after that.
    pub async fn stop(&self, grace: Duration) -> Stopped {
        let inner = &self.inner;
        let context = &inner.context;
        inner.ready.store(false, Ordering::Release);
        context.stopping.cancel();
        inner.workers.close();
        let in_time = self.within(grace, inner.workers.wait()).await;
        if !in_time {
            tracing::warn!(
                "the grace time is over; what waits for an answer is recorded as unknown"
            );
            context.halted.cancel();
            self.within(HALT_MAX, inner.workers.wait()).await;
        }
        let log_offs = async {
            for scope in inner.links.sessions.all() {
                scope.close().await;
            }
        };
        self.within(LOG_OFF_MAX, log_offs).await;
        let facts = json!({ "in_time": in_time });
        let note = Note {
            kind: "engine_stopped".to_owned(),
            actor: None,
            reason: None,
            facts,
        };
        if let Err(error) = context.store.note(note, context.now()).await {
            tracing::error!(%error, "the stop is not in the audit trail");
        }
        inner.admin_stop.cancel();
        inner.servers.close();
        self.within(HALT_MAX, inner.servers.wait()).await;
        if let Some(path) = &inner.control
            && let Err(error) = std::fs::remove_file(path)
        {
            tracing::warn!(%error, "cannot remove the control socket");
        }
        let closed = context.store.close().await;
        if let Err(error) = &closed {
            tracing::error!(%error, "the store was not closed in order");
        }
        Stopped {
            in_time,
            store_closed: closed.is_ok(),
        }
    }

    async fn within(&self, limit: Duration, work: impl Future<Output = ()>) -> bool {
        let until = later(self.inner.context.now(), limit);
        tokio::select! {
            biased;
            () = work => true,
            () = self.inner.context.seams.clock.sleep_until(until) => false,
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.context.store
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.inner.context.seams.clock)
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = &Arc<Link>> {
        self.inner.links.all()
    }

    pub(crate) fn link(&self, connection: &ConnectionId) -> Option<&Arc<Link>> {
        self.inner.links.get(connection)
    }

    /// Counts what a person made of a delivery.
    pub(crate) fn decided(&self, delivery: &Delivery) {
        let counters = &self.inner.context.counters;
        counters.moved(&delivery.instance, delivery.state.kind());
    }

    pub(crate) fn wake_all(&self) {
        self.inner.context.lanes.wake_all();
    }

    pub(crate) async fn polls(&self) -> Result<Vec<PollStatus>, ml_connector_store::Error> {
        let mut polls = Vec::with_capacity(self.inner.pollers.len());
        for poller in &self.inner.pollers {
            let poll = poller.name();
            let cursor = self.store().cursor(&StreamId::new(&poll)).await?;
            polls.push(PollStatus {
                poll,
                next: poller.next(),
                cursor,
            });
        }
        Ok(polls)
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
            changed = changes.changed() => if changed.is_err() { return },
        }
        if !context.rest(SWEEP_PAUSE).await {
            return;
        }
        changes.borrow_and_update();
        context.lanes.wake_all();
    }
}

async fn bind(address: Option<SocketAddr>) -> Result<Option<TcpListener>, StartError> {
    let Some(address) = address else {
        return Ok(None);
    };
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(source) => Err(StartError::Listen {
            address: address.to_string(),
            source,
        }),
    }
}

fn address(listener: Option<&TcpListener>) -> Result<Option<SocketAddr>, StartError> {
    listener
        .map(TcpListener::local_addr)
        .transpose()
        .map_err(|source| StartError::Listen {
            address: "the bound address".to_owned(),
            source,
        })
}
