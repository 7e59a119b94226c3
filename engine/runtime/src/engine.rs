//! One running engine: start, readiness, graceful stop.
//!
//! Starting binds the listeners first, so that a wrong address is found before anything moves; then
//! what a previous run left in flight is settled; then everything else begins. Stopping goes the
//! other way round: no new intake, no new claims, what is under way ends or is recorded as unknown,
//! sessions are logged off, the store is closed. A reload puts a new [`Generation`] in the place of
//! the running one; one that cannot be made leaves everything as it is.

use crate::admin;
use crate::api::Access;
use crate::connection::{Link, Links, Unusable};
use crate::context::{Context, later};
use crate::counters::CountersSnapshot;
use crate::deliver::recover;
use crate::generation::Generation;
use crate::operator::{self, Command, PollStatus, ReloadStatus, Reply};
use crate::receiver;
use crate::seams::{Clock, Seams};
use crate::server::serve;
use crate::telemetry::{TraceOptions, Traces};
use arc_swap::ArcSwap;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use jiff::Timestamp;
use ml_connector_core::hex;
use ml_connector_core::identity::{ConnectionId, StreamId};
use ml_connector_core::plan::Plan;
use ml_connector_store::{Delivery, Note, Store};
use serde_json::json;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// How long a stop waits, after its grace time, for what has been told to give up.
const HALT_MAX: Duration = Duration::from_secs(10);
/// How long a stop waits for log-offs.
const LOG_OFF_MAX: Duration = Duration::from_secs(10);
/// How long a reload waits for calls under way. Every call has a time limit of its own, so this is
/// for definitions that allow very long ones; what is not answered by then is recorded as unknown.
const RELOAD_MAX: Duration = Duration::from_secs(5 * 60);

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

/// Why a plan is not taken over. The one before goes on.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// A connection's settings do not make sense.
    #[error(transparent)]
    Connection(#[from] Unusable),
    /// The store fails.
    #[error("the store fails at a reload")]
    Store(#[from] ml_connector_store::Error),
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopping,
}

/// A person wants the definitions read again. Dropped when that is over.
#[derive(Debug)]
pub struct ReloadRequest {
    _done: oneshot::Sender<()>,
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
    running: Arc<ArcSwap<Generation>>,
    /// `stopping` and `halted` of every generation.
    stops: (CancellationToken, CancellationToken),
    /// One reload at a time.
    reloading: tokio::sync::Mutex<()>,
    reloaded: Mutex<Option<ReloadStatus>>,
    /// Who reads definitions, if anybody does: the engine itself reads no files.
    reloader: Mutex<Option<mpsc::Sender<ReloadRequest>>>,
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
}

impl Engine {
    /// Starts everything. When this returns, webhooks are taken.
    ///
    /// # Errors
    /// If an address cannot be listened on, a connection cannot be set up, or the store fails.
    pub async fn start(options: EngineOptions) -> Result<Self, StartError> {
        Self::start_traced(options, None).await
    }

    /// As [`Engine::start`], and sends traces.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub async fn start_traced(
        options: EngineOptions,
        traces: Option<TraceOptions>,
    ) -> Result<Self, StartError> {
        let EngineOptions {
            plan,
            store,
            seams,
            listen,
            version,
        } = options;
        let stops = (CancellationToken::new(), CancellationToken::new());
        let (servers, admin_stop) = (TaskTracker::new(), CancellationToken::new());
        let traces = traces.map_or_else(Traces::default, |options| {
            let (clock, transport) = (Arc::clone(&seams.clock), Arc::clone(&seams.transport));
            let (traces, export) =
                Traces::start(options, &version, clock, transport, admin_stop.clone());
            servers.spawn(export);
            traces
        });
        let generation = Generation::new(Context::new(plan, store, seams, &stops, traces))?;
        let context = Arc::clone(&generation.context);
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
        generation.pause().await?;
        recover(&context, &generation.links).await?;

        let engine = Self {
            inner: Arc::new(Inner {
                webhooks: address(webhooks.as_ref())?,
                admin: address(admin.as_ref())?,
                control: listen.control,
                access: Arc::new(Access::new(listen.tokens, Arc::clone(&context.seams.clock))),
                running: Arc::new(ArcSwap::from_pointee(generation)),
                stops,
                reloading: tokio::sync::Mutex::default(),
                reloaded: Mutex::default(),
                reloader: Mutex::default(),
                started_at,
                version,
                ready: AtomicBool::new(true),
                servers,
                admin_stop,
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
        self.running().begin();

        let clock = || self.clock();
        let servers = || inner.servers.clone();
        if let Some(listener) = webhooks {
            let app = receiver::routes(Arc::clone(&inner.running));
            let stop = inner.stops.0.clone();
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
        self.inner.ready.load(Ordering::Acquire) && !self.inner.stops.0.is_cancelled()
    }

    /// Whether the store can commit. After a commit that the disk refused, this tries one: nobody else might, since
    /// senders turn away from an engine that is not ready.
    pub(crate) async fn writable(&self) -> bool {
        self.store()
            .check(self.running().context.now())
            .await
            .is_ok()
    }

    /// The program's version.
    pub fn version(&self) -> &str {
        &self.inner.version
    }

    /// What it runs.
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.running().context.plan)
    }

    /// Since when it runs.
    pub fn started_at(&self) -> Timestamp {
        self.inner.started_at
    }

    /// What it has done since its start.
    pub fn counters(&self) -> CountersSnapshot {
        self.running().context.counters.snapshot()
    }

    /// Carries an operator's command out.
    pub async fn execute(&self, command: Command) -> Reply {
        let clock = self.clock();
        operator::execute(&self.store(), Some(self), clock.as_ref(), command).await
    }

    /// Takes a webhook without a socket, exactly as the listener would. Returns the status.
    pub async fn receive(&self, request: Request<Body>) -> StatusCode {
        let app = receiver::routes(Arc::clone(&self.inner.running));
        match app.oneshot(request).await {
            Ok(response) => response.status(),
            Err(never) => match never {},
        }
    }

    /// Stops: intake and claims at once; what is under way may take `grace` to end, and is recorded
    /// as unknown after that.
    pub async fn stop(&self, grace: Duration) -> Stopped {
        let inner = &self.inner;
        let (stopping, halted) = &inner.stops;
        inner.ready.store(false, Ordering::Release);
        stopping.cancel();
        // A reload that is waiting for the generation before ends with it.
        let ended = async || {
            let _no_reload = inner.reloading.lock().await;
            self.running().ended().await;
        };
        let in_time = self.within(grace, ended()).await;
        if !in_time {
            tracing::warn!(
                "the grace time is over; what waits for an answer is recorded as unknown"
            );
            halted.cancel();
            self.within(HALT_MAX, ended()).await;
        }
        let running = self.running();
        let context = &running.context;
        self.within(LOG_OFF_MAX, running.log_off()).await;
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

    /// Takes another plan over, with the outside world it needs. Webhooks follow it at once; the
    /// rest begins when the calls under way have ended. Says whether it is another plan at all.
    ///
    /// # Errors
    /// If it cannot be run; the present one goes on then.
    pub async fn reload(&self, plan: Arc<Plan>, seams: Seams) -> Result<bool, ReloadError> {
        // A task of its own: whoever asked may go away, and half a reload would be none.
        let engine = self.clone();
        let reload = async move { engine.take_over(plan, seams).await };
        let taken_over = self.inner.servers.spawn(reload).await;
        taken_over.unwrap_or(Err(ReloadError::Stopping))
    }

    async fn take_over(&self, plan: Arc<Plan>, seams: Seams) -> Result<bool, ReloadError> {
        let inner = &self.inner;
        let _one = inner.reloading.lock().await;
        let old = self.running();
        if old.context.plan.hash == plan.hash {
            self.note_reload(true, "nothing has changed".to_owned());
            return Ok(false);
        }
        let context = old.context.with_plan(plan, seams, &inner.stops);
        let new = Arc::new(Generation::new(context)?);
        let hash = hex::of(&new.context.plan.hash);
        let note = Note {
            kind: "plan_loaded".to_owned(),
            actor: None,
            reason: None,
            facts: json!({ "site": new.context.plan.site, "plan": hash }),
        };
        new.context.store.note(note, new.context.now()).await?;
        inner.running.store(Arc::clone(&new));
        old.context.stopping.cancel();
        if !self.within(RELOAD_MAX, old.ended()).await {
            tracing::warn!("a reload waits no longer; what is not answered is recorded as unknown");
            old.context.halted.cancel();
            old.ended().await;
        }
        self.within(LOG_OFF_MAX, old.log_off()).await;
        if inner.stops.0.is_cancelled() {
            return Err(ReloadError::Stopping);
        }
        recover(&new.context, &new.links).await?;
        new.links.go_on_from(&old.links, new.context.now());
        new.pause().await?;
        new.begin();
        self.note_reload(true, String::new());
        tracing::info!(plan = hash, "reloaded");
        Ok(true)
    }

    /// What persons ask for reloads with; whoever takes it reads the definitions and calls [`Engine::reload`] or
    /// [`Engine::reload_failed`], then lets go of the request.
    pub fn reload_requests(&self) -> mpsc::Receiver<ReloadRequest> {
        let (sender, requests) = mpsc::channel(1);
        let reloader = self.inner.reloader.lock();
        let mut reloader = reloader.unwrap_or_else(PoisonError::into_inner);
        *reloader = Some(sender);
        requests
    }

    /// Has the definitions read again, and waits until that is over; nothing if nobody here reads them.
    pub(crate) async fn ask_for_reload(&self) -> Option<ReloadStatus> {
        let reloader = {
            let reloader = self.inner.reloader.lock();
            reloader.unwrap_or_else(PoisonError::into_inner).clone()
        };
        let (done, ended) = oneshot::channel();
        reloader?.send(ReloadRequest { _done: done }).await.ok()?;
        // It is dropped when the reload is over, whichever way that went.
        let _over = ended.await;
        self.reloaded()
    }

    /// Keeps why definitions were not taken over, for the status.
    pub fn reload_failed(&self, why: &str) {
        tracing::error!(why, "not reloaded; the plan before goes on");
        self.note_reload(false, why.to_owned());
    }

    fn note_reload(&self, loaded: bool, why: String) {
        let at = self.running().context.now();
        let status = ReloadStatus { at, loaded, why };
        *self.last_reload() = Some(status);
    }

    /// How the last reload went, if there was one.
    pub(crate) fn reloaded(&self) -> Option<ReloadStatus> {
        self.last_reload().clone()
    }

    fn last_reload(&self) -> std::sync::MutexGuard<'_, Option<ReloadStatus>> {
        let reloaded = self.inner.reloaded.lock();
        reloaded.unwrap_or_else(PoisonError::into_inner)
    }

    async fn within(&self, limit: Duration, work: impl Future<Output = ()>) -> bool {
        let clock = self.clock();
        let until = later(clock.now(), limit);
        tokio::select! {
            biased;
            () = work => true,
            () = clock.sleep_until(until) => false,
        }
    }

    fn running(&self) -> Arc<Generation> {
        self.inner.running.load_full()
    }

    pub(crate) fn store(&self) -> Store {
        self.running().context.store.clone()
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.running().context.seams.clock)
    }

    /// What preparing a delivery takes.
    pub(crate) fn bench(&self) -> (Arc<Context>, Arc<Links>) {
        let running = self.running();
        (Arc::clone(&running.context), Arc::clone(&running.links))
    }

    pub(crate) fn links(&self) -> Vec<Arc<Link>> {
        self.running().links.all().cloned().collect()
    }

    pub(crate) fn link(&self, connection: &ConnectionId) -> Option<Arc<Link>> {
        self.running().links.get(connection).cloned()
    }

    /// Counts what a person made of a delivery.
    pub(crate) fn decided(&self, delivery: &Delivery) {
        let running = self.running();
        let counters = &running.context.counters;
        counters.moved(&delivery.instance, delivery.state.kind());
    }

    /// What every part shares, and the connections.
    pub(crate) fn parts(&self) -> (Arc<Context>, Arc<Links>) {
        let running = self.running();
        (Arc::clone(&running.context), Arc::clone(&running.links))
    }

    pub(crate) fn wake_all(&self) {
        self.running().context.lanes.wake_all();
    }

    pub(crate) async fn polls(&self) -> Result<Vec<PollStatus>, ml_connector_store::Error> {
        let running = self.running();
        let mut polls = Vec::with_capacity(running.pollers.len());
        for poller in &running.pollers {
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
