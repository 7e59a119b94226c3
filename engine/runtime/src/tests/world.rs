//! A whole installation in memory: engine, store in a temporary folder, two systems, a clock that is
//! moved by hand.

use super::definitions;
use super::systems::{Ledger, Payments};
use crate::operator::{Act, Command, ConnectionStatus, Reply};
use crate::simulated::{FixedEntropy, ManualClock, MemorySecrets, MemoryTransport};
use crate::telemetry::TraceOptions;
use crate::{Clock as _, Engine, EngineOptions, Listen, Seams};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use jiff::Timestamp;
use ml_connector_core::delivery::{Decision, DeliveryState};
use ml_connector_core::http::{HttpRequest, HttpResponse};
use ml_connector_core::identity::{ConnectionId, CrosswalkId};
use ml_connector_core::plan::Plan;
use ml_connector_simulators::demo;
pub(super) use ml_connector_simulators::webhooks::sign;
use ml_connector_store::simulated::SimulatedDisk;
use ml_connector_store::{CrosswalkEntry, Delivery, OpenError, Options, Selection, Store};
use serde_json::{Value as Document, json};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long a test waits for something, in real time, before it fails. Nothing waits this long.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a condition is looked at while nothing announces a change.
const GLANCE: Duration = Duration::from_millis(5);

pub(super) struct World {
    pub(super) clock: ManualClock,
    pub(super) net: Arc<MemoryTransport>,
    pub(super) secrets: Arc<MemorySecrets>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) payments: Arc<Payments>,
    running: Option<(Engine, Store)>,
    plan: Arc<Plan>,
    traces: Option<TraceOptions>,
    folder: TempDir,
    /// Where the journal lies, for tests in which the disk fails; otherwise in the folder.
    disk: Option<SimulatedDisk>,
    /// The engine's own, so that a crash can take it away in the middle of anything.
    runtime: Option<Runtime>,
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// How traces are sent, and what sees them arrive.
type Traced = (TraceOptions, Box<dyn Fn(&HttpRequest) + Send + Sync>);

/// Definitions with changes, `(what, by what)`, for the tests that need another connector.
pub(super) type Changes<'a> = &'a [(&'a str, &'a str)];

pub(super) fn plan(changes: Changes<'_>) -> Arc<Plan> {
    let files = [
        ("connectors/payfast/connector.yaml", definitions::PAYFAST),
        (
            "connectors/netledger/connector.yaml",
            definitions::NETLEDGER,
        ),
        (
            "mappings/payfast-netledger/receipts.yaml",
            definitions::RECEIPTS,
        ),
        (
            "mappings/payfast-netledger/reversals.yaml",
            definitions::REVERSALS,
        ),
        ("schemas/payfast/event.json", definitions::EVENT_SCHEMA),
        ("schemas/payfast/payment.json", definitions::PAYMENT_SCHEMA),
    ];
    let changed = |text: &str| {
        changes
            .iter()
            .fold(text.to_owned(), |text, (what, by)| text.replace(what, by))
    };
    let files = files.map(|(name, text)| (name, changed(text)));
    demo::plan(files, &changed(definitions::SITE)).unwrap()
}

/// Opens the store, as soon as what is left of an engine before has let go of it.
async fn open(folder: &TempDir, disk: Option<&SimulatedDisk>) -> Store {
    let options = Options {
        directory: folder.path().join("store"),
        segment_bytes: 1 << 20,
        index_cache_bytes: 1 << 20,
    };
    if let Some(disk) = disk {
        return Store::open_simulated(disk, &options).unwrap();
    }
    let opening = async {
        loop {
            match Store::open(&options, &mut |_| {}) {
                Err(OpenError::Locked { .. }) => tokio::time::sleep(GLANCE).await,
                opened => return opened.unwrap(),
            }
        }
    };
    tokio::time::timeout(PATIENCE, opening).await.unwrap()
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(&[]).await
    }

    pub(super) async fn with(changes: Changes<'_>) -> Self {
        Self::listening(changes, Listen::default()).await
    }

    pub(super) async fn listening(changes: Changes<'_>, listen: Listen) -> Self {
        Self::build(changes, listen, None, None).await
    }

    /// With the journal on a disk that can be made to fail.
    pub(super) async fn on(disk: &SimulatedDisk) -> Self {
        Self::build(&[], Listen::default(), None, Some(disk.clone())).await
    }

    /// With traces, which go to what answers at the collector's address.
    pub(super) async fn traced(
        options: TraceOptions,
        collector: impl Fn(&HttpRequest) + Send + Sync + 'static,
    ) -> Self {
        let traces: Traced = (options, Box::new(collector));
        Self::build(&[], Listen::default(), Some(traces), None).await
    }

    async fn build(
        changes: Changes<'_>,
        listen: Listen,
        traces: Option<Traced>,
        disk: Option<SimulatedDisk>,
    ) -> Self {
        start_log();
        let folder = TempDir::new().unwrap();
        let clock = ManualClock::new("2026-03-16T08:00:00Z".parse().unwrap());
        let net = Arc::new(MemoryTransport::new());
        let (ledger, payments) = (Ledger::new("ledger-pass-99"), Payments::new());
        let answering = Arc::clone(&ledger);
        net.route_async("http://netledger.test", move |request| {
            Box::pin(Arc::clone(&answering).answer(request))
        });
        let answering = Arc::clone(&payments);
        net.route_async("http://payfast.test", move |request| {
            Box::pin(Arc::clone(&answering).answer_in_time(request))
        });
        let secrets = Arc::new(MemorySecrets::new(&[
            ("pay/token", "pay-token-1234"),
            ("pay/hook", "hook-secret-5678"),
            ("pay/hook-next", "hook-secret-next"),
            ("ledger/password", "ledger-pass-99"),
        ]));
        let plan = plan(changes);
        let store = open(&folder, disk.as_ref()).await;
        let seams = seams(&clock, &net, &secrets);
        let options = traces.map(|(options, collector)| {
            net.route_async("http://collector.test", move |request| {
                collector(&request);
                let (headers, body) = (Vec::new(), Bytes::new());
                Box::pin(std::future::ready(Ok(HttpResponse {
                    status: 200,
                    headers,
                    body,
                })))
            });
            options
        });
        let (engine, runtime) = start(&plan, &store, seams, listen, options.clone()).await;
        let world = Self {
            traces: options,
            clock,
            net,
            secrets,
            ledger,
            payments,
            running: Some((engine, store)),
            plan,
            folder,
            disk,
            runtime: Some(runtime),
        };
        world.crosswalk("CU1", "ACC1").await;
        world
            .until_true("the first poll is over", async || {
                let counters = world.engine().counters();
                counters.polls + counters.polls_failed > 0
            })
            .await;
        world
    }

    pub(super) fn seams(&self) -> Seams {
        seams(&self.clock, &self.net, &self.secrets)
    }

    /// The engine ends without a word, as in a crash, and another one starts on the same store.
    ///
    /// The store is closed in order, because a test has only one process: what a killed process leaves in the store is the
    /// store's own test. What matters here is what the engine had not settled.
    pub(super) async fn crash_and_restart(&mut self) {
        self.away_for(Duration::ZERO).await;
    }

    /// The same, and the other one starts so much later.
    pub(super) async fn away_for(&mut self, time: Duration) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        self.store().close().await.unwrap();
        self.clock.advance(time);
        self.restart().await;
    }

    /// The next start runs other definitions.
    pub(super) fn redefine(&mut self, changes: Changes<'_>) {
        self.plan = plan(changes);
    }

    /// Another engine on the same store, which the one before has closed.
    pub(super) async fn restart(&mut self) {
        self.running = None;
        let store = open(&self.folder, self.disk.as_ref()).await;
        let traces = self.traces.clone();
        let (engine, runtime) =
            start(&self.plan, &store, self.seams(), Listen::default(), traces).await;
        self.running = Some((engine, store));
        if let Some(old) = self.runtime.replace(runtime) {
            old.shutdown_background();
        }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.running.as_ref().unwrap().0
    }

    pub(super) fn store(&self) -> &Store {
        &self.running.as_ref().unwrap().1
    }

    /// A signed webhook with these events.
    pub(super) async fn webhook(&self, events: &[Document]) -> StatusCode {
        let body = json!({ "events": events }).to_string();
        let signature = sign("hook-secret-5678", body.as_bytes());
        self.send("pay", &body, &[("X-Signature", &signature)])
            .await
    }

    pub(super) async fn send(
        &self,
        connection: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> StatusCode {
        let mut request = Request::post(format!("/webhooks/{connection}"));
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            request = request.header("content-type", "application/json; charset=utf-8");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.engine()
            .receive(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    /// A payment of a known customer, and the event that says it was collected.
    pub(super) async fn collect(&self, id: &str, amount: u64) {
        self.payments.pay(id, amount, "CU1");
        let status = self.webhook(&[event(&format!("EV-{id}"), id)]).await;
        assert_eq!(status, StatusCode::ACCEPTED);
    }

    pub(super) async fn crosswalk(&self, key: &str, account: &str) {
        let entries = vec![CrosswalkEntry {
            table: CrosswalkId::new("customers"),
            key: key.to_owned(),
            values: json!({ "account": account }),
        }];
        let reply = self
            .engine()
            .execute(Command::CrosswalkSet {
                entries,
                act: act(),
            })
            .await;
        assert!(matches!(reply, Reply::Set { written: 1, .. }), "{reply:?}");
    }

    pub(super) async fn deliveries(&self) -> Vec<Delivery> {
        self.store()
            .delivery_list(&Selection {
                limit: 1000,
                ..Selection::default()
            })
            .await
            .unwrap()
    }

    /// The delivery of a payment.
    pub(super) async fn delivery(&self, payment: &str) -> Delivery {
        let key = format!("EV-{payment}");
        let all = self.deliveries().await;
        all.into_iter()
            .find(|delivery| delivery.dedup_key.as_str() == key)
            .unwrap()
    }

    pub(super) async fn state(&self, payment: &str) -> DeliveryState {
        self.delivery(payment).await.state
    }

    /// Waits until the delivery of a payment is in a state.
    pub(super) async fn until_state(&self, payment: &str, wanted: &str) -> Delivery {
        self.until(&format!("{payment} is {wanted}"), async || {
            let key = format!("EV-{payment}");
            let all = self.deliveries().await;
            all.into_iter().find(|delivery| {
                delivery.dedup_key.as_str() == key && delivery.state.kind().as_str() == wanted
            })
        })
        .await
    }

    /// Waits until something is there. Time stands still meanwhile.
    pub(super) async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let mut changes = self.store().changes();
        let mut sent = self.net.changes();
        let waiting = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::select! {
                    () = changes.changed() => {}
                    () = sent.changed() => {}
                    // A condition may be about the engine's memory, which announces nothing.
                    () = tokio::time::sleep(GLANCE) => {}
                }
            }
        };
        if let Ok(found) = tokio::time::timeout(PATIENCE, waiting).await {
            return found;
        }
        let deliveries = self.deliveries().await;
        panic!("waited in vain until {what}: {deliveries:#?}");
    }

    pub(super) async fn until_true(&self, what: &str, look: impl AsyncFn() -> bool) {
        self.until(what, async || look().await.then_some(())).await;
    }

    /// Moves the clock once nothing is under way any more: a call or a commit in the middle of which an hour passes runs into
    /// its time limit.
    pub(super) async fn advance(&self, by: Duration) {
        self.idle().await;
        self.clock.advance(by);
    }

    /// Waits until the engine has nothing to do before a later time.
    pub(super) async fn idle(&self) {
        self.until_true("the engine has gone to sleep", async || {
            let before = self.moves().await;
            let parked = self.is_parked();
            tokio::time::sleep(GLANCE).await;
            parked && self.is_parked() && self.moves().await == before
        })
        .await;
    }

    /// Whether every thread of the engine's runtime waits for something, and no task waits for a thread.
    fn is_parked(&self) -> bool {
        let metrics = self.runtime.as_ref().unwrap().metrics();
        // Counts parking and waking: an odd number is a thread that has parked.
        let idle = (0..metrics.num_workers())
            .all(|worker| metrics.worker_park_unpark_count(worker) % 2 == 1);
        idle && metrics.global_queue_depth() == 0
    }

    /// Grows with every request and every record; a store that has been closed takes no more of them.
    async fn moves(&self) -> (u64, Option<u64>) {
        let sequence = self.store().head().await.ok().map(|(sequence, _)| sequence);
        (self.net.sent(), sequence)
    }

    /// Moves time on in steps until something is there, for what takes several waits.
    pub(super) async fn while_time_passes<T>(
        &self,
        what: &str,
        step: Duration,
        look: impl AsyncFn() -> Option<T>,
    ) -> T {
        self.until(what, async || {
            let found = look().await;
            if found.is_none() {
                self.advance(step).await;
            }
            found
        })
        .await
    }

    pub(super) async fn connection(&self, id: &str) -> ConnectionStatus {
        let Reply::Status(status) = self.engine().execute(Command::Status).await else {
            panic!()
        };
        let id = ConnectionId::new(id);
        status
            .connections
            .into_iter()
            .find(|status| status.connection == id)
            .unwrap()
    }

    pub(super) async fn resume(&self, id: &str) {
        let command = Command::Resume {
            connection: ConnectionId::new(id),
            act: act(),
        };
        let reply = self.engine().execute(command).await;
        assert!(matches!(reply, Reply::Done), "{reply:?}");
    }

    pub(super) async fn until_circuit(&self, id: &str, wanted: &str) {
        self.until_true(&format!("the circuit of {id} is {wanted}"), async || {
            self.connection(id).await.circuit.state == wanted
        })
        .await;
    }

    pub(super) async fn resolve(&self, payment: &str, decision: Decision) -> Option<String> {
        let deliveries = vec![self.delivery(payment).await.id];
        let command = Command::Resolve {
            deliveries,
            decision,
            act: act(),
        };
        let Reply::Resolved { results } = self.engine().execute(command).await else {
            panic!()
        };
        results.into_iter().next().unwrap().error
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A clean end, which every test should be able to make.
    pub(super) async fn stop(self) {
        let clock = self.clock.clone();
        let stopped = self.engine().stop(Duration::from_secs(5)).await;
        assert!(stopped.store_closed, "{stopped:?} at {}", clock.now());
    }
}

fn seams(clock: &ManualClock, net: &Arc<MemoryTransport>, secrets: &Arc<MemorySecrets>) -> Seams {
    Seams {
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(FixedEntropy(u64::MAX)),
        transport: Arc::clone(net) as _,
        secrets: Arc::clone(secrets) as _,
    }
}

async fn start(
    plan: &Arc<Plan>,
    store: &Store,
    seams: Seams,
    listen: Listen,
    traces: Option<TraceOptions>,
) -> (Engine, Runtime) {
    let options = EngineOptions {
        plan: Arc::clone(plan),
        store: store.clone(),
        seams,
        listen,
        version: "test".to_owned(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let engine = runtime
        .spawn(Engine::start_traced(options, traces))
        .await
        .unwrap()
        .unwrap();
    (engine, runtime)
}

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Everything that any test of this process has logged so far, not redacted.
pub(super) fn log() -> String {
    String::from_utf8(LOG.lock().unwrap().clone()).unwrap()
}

fn start_log() {
    struct Log;
    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            LOG.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let subscriber = tracing_subscriber::fmt()
        .event_format(crate::telemetry::Lines)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(|| Log)
        .finish();
    // Every test but the first finds it started.
    let _started_before = tracing::subscriber::set_global_default(subscriber);
}

pub(super) fn act() -> Act {
    Act {
        actor: "ann".to_owned(),
        reason: "a test".to_owned(),
    }
}

pub(super) fn event(id: &str, payment: &str) -> Document {
    json!({ "id": id, "at": "2026-03-16T07:59:00Z", "action": "collected", "payment": payment })
}
