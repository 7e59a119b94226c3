//! A story: the engine, its store, its clock, and the systems around it. The module above says how one is told.

use super::network::{Moment, Network, Shared, Trouble};
use axum::body::Body;
use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::delivery::{DeliveryState, Hold, StateKind};
use ml_connector_core::identity::CrosswalkId;
use ml_connector_core::plan::Plan;
use ml_connector_runtime::operator::{Act, Command, Reply};
use ml_connector_runtime::simulated::{FixedEntropy, ManualClock, MemorySecrets};
use ml_connector_runtime::{Clock as _, Engine, EngineOptions, Listen, Seams};
use ml_connector_simulators::serve::lock;
use ml_connector_simulators::webhooks::{Delivery as Webhook, Failure, Outgoing};
use ml_connector_simulators::{Simulated, demo};
use ml_connector_store::{CrosswalkEntry, Delivery, OpenError, Options, Selection, Store, verify};
use serde_json::Value;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long a story may wait in real time for one thing before it fails; none takes this long.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long nothing must have moved before the clock does.
const GLANCE: Duration = Duration::from_millis(3);

/// Before the clock moves further than any story lets pass at once, it is looked so often again whether really nothing
/// moves.
const LEAP: SignedDuration = SignedDuration::from_hours(72);
const BEFORE_LEAP: usize = 50;
/// Most webhooks put to the engine at a time.
const WEBHOOKS_AT_ONCE: usize = 64;

/// What must hold in the end: what does not, in words.
type Check = (String, Box<dyn Fn() -> Vec<String> + Send + Sync>);

/// A story that has not begun.
pub(crate) struct Script {
    clock: ManualClock,
    site: String,
    systems: Vec<(String, Shared)>,
    notifiers: Vec<Arc<Mutex<dyn Outgoing>>>,
    secrets: MemorySecrets,
    entries: Vec<CrosswalkEntry>,
    checks: Vec<Check>,
}

impl Script {
    /// A story that begins at this moment, with this site file. Its base URLs are names for [`Script::system`].
    pub(crate) fn new(at: &str, site: &str) -> Self {
        Self {
            clock: ManualClock::new(at.parse().unwrap()),
            site: site.to_owned(),
            systems: Vec::new(),
            notifiers: Vec::new(),
            secrets: MemorySecrets::new(&[]),
            entries: Vec::new(),
            checks: Vec::new(),
        }
    }

    /// Answers every URL that begins so.
    pub(crate) fn system<S: Simulated>(mut self, url: &str, system: &Arc<Mutex<S>>) -> Self {
        self.systems
            .push((url.to_owned(), system.clone() as Shared));
        self
    }

    /// Sends its due webhooks to the engine's own receiver. Its end points are `http://engine/webhooks/<connection>`.
    pub(crate) fn notifies<N: Outgoing>(mut self, system: &Arc<Mutex<N>>) -> Self {
        self.notifiers.push(system.clone());
        self
    }

    /// A secret by its name in the site file.
    pub(crate) fn secret(self, name: &str, value: &str) -> Self {
        self.secrets.set(name, value);
        self
    }

    /// An entry of a matching table that is there from the beginning.
    pub(crate) fn entry(mut self, table: &str, key: &str, values: Value) -> Self {
        self.entries.push(entry(table, key, values));
        self
    }

    /// Takes the entries of a matching table away again.
    pub(crate) fn without_entries(mut self, table: &str) -> Self {
        self.entries.retain(|entry| entry.table.as_str() != table);
        self
    }

    /// Something that must hold in the end; gives what does not, in words.
    pub(crate) fn check(
        mut self,
        what: &str,
        differences: impl Fn() -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        self.checks.push((what.to_owned(), Box::new(differences)));
        self
    }

    /// Starts the engine.
    pub(crate) async fn start(self) -> Story {
        let folder = in_memory();
        let store = open(&folder).await;
        if !self.entries.is_empty() {
            let now = self.clock.now();
            let set = store.crosswalk_set(self.entries, now, "story", None);
            set.await.unwrap();
        }
        let network = Arc::new(Network::default());
        let seams = Seams {
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(FixedEntropy(u64::MAX)),
            transport: Arc::new(network.transport(&self.systems, &self.clock)),
            secrets: Arc::new(self.secrets),
        };
        let plan = demo::plan(demo::definitions(), &self.site).unwrap();
        let (engine, runtime) = start(&plan, &store, &seams).await;
        Story {
            clock: self.clock,
            network,
            systems: self.systems,
            notifiers: self.notifiers,
            checks: self.checks,
            seams,
            plan,
            folder,
            running: Some((engine, store)),
            runtime: Some(runtime),
        }
    }
}

/// A story that is being told.
pub(crate) struct Story {
    clock: ManualClock,
    network: Arc<Network>,
    systems: Vec<(String, Shared)>,
    notifiers: Vec<Arc<Mutex<dyn Outgoing>>>,
    checks: Vec<Check>,
    seams: Seams,
    plan: Arc<Plan>,
    folder: TempDir,
    running: Option<(Engine, Store)>,
    /// The engine's own, so that a crash can take it away in the middle of anything.
    runtime: Option<Runtime>,
}

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Story").finish_non_exhaustive()
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Story {
    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The engine that runs at the moment.
    pub(crate) fn engine(&self) -> &Engine {
        &self.running.as_ref().unwrap().0
    }

    fn store(&self) -> &Store {
        &self.running.as_ref().unwrap().1
    }

    /// Every delivery, oldest first.
    pub(crate) async fn deliveries(&self) -> Vec<Delivery> {
        let selection = Selection {
            limit: 10_000,
            ..Selection::default()
        };
        self.store().delivery_list(&selection).await.unwrap()
    }

    /// Every delivery of one integration, oldest first.
    pub(crate) async fn deliveries_of(&self, integration: &str) -> Vec<Delivery> {
        let mut all = self.deliveries().await;
        all.retain(|one| one.instance.as_str() == integration);
        all
    }

    /// How many deliveries of an integration are in this state.
    pub(crate) async fn count(&self, integration: &str, state: StateKind) -> usize {
        let all = self.deliveries_of(integration).await;
        all.iter().filter(|one| one.state.kind() == state).count()
    }

    /// Why deliveries are held.
    pub(crate) async fn holds(&self) -> Vec<Hold> {
        let all = self.deliveries().await;
        all.into_iter()
            .filter_map(|one| match one.state {
                DeliveryState::Held(hold) => Some(hold),
                _ => None,
            })
            .collect()
    }

    /// An entry of a matching table.
    pub(crate) async fn looked_up(&self, table: &str, key: &str) -> Option<Value> {
        let table = CrosswalkId::new(table);
        self.store().crosswalk_get(&table, key).await.unwrap()
    }

    /// Fills entries in while the engine runs, as an operator would.
    pub(crate) async fn set_entry(&self, table: &str, key: &str, values: Value) {
        let act = Act {
            actor: "story".to_owned(),
            reason: "it was missing".to_owned(),
        };
        let entries = vec![entry(table, key, values)];
        let command = Command::CrosswalkSet { entries, act };
        let reply = self.engine().execute(command).await;
        assert!(!matches!(reply, Reply::Refused { .. }), "{reply:?}");
    }

    /// A secret as the vault has it now.
    pub(crate) fn secret(&self, name: &str) -> String {
        self.seams.secrets.get(name).unwrap().expose().to_owned()
    }

    /// Puts another value into the vault while the engine runs.
    pub(crate) fn set_secret(&self, name: &str, value: &str) {
        let value = ml_connector_runtime::Secret::new(value.to_owned());
        self.seams.secrets.put(name, &value).unwrap();
    }

    /// Lets everything happen, and the clock move whenever nothing else does, until the condition holds.
    pub(crate) async fn until(
        &self,
        what: &str,
        condition: impl Fn(&[Delivery]) -> bool,
    ) -> Vec<Delivery> {
        let begun = Instant::now();
        loop {
            let deliveries = self.deliveries().await;
            if condition(&deliveries) {
                return deliveries;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{what} never came at {}; last refused call: {:?}; {:?}; {deliveries:#?}",
                self.now(),
                self.network.last_refusal(),
                self.engine().counters()
            );
            self.turn(None).await;
        }
    }

    /// Until so many deliveries have been made in all and every one is delivered, skipped, discarded or held, with no webhook
    /// waiting to be sent.
    pub(crate) async fn settle(&self, made: usize) -> Vec<Delivery> {
        let what = format!("an end of all {made} deliveries");
        self.until(&what, |all| {
            let under_way = |one: &&Delivery| {
                matches!(
                    one.state.kind(),
                    StateKind::Pending | StateKind::InFlight | StateKind::Uncertain
                )
            };
            all.len() == made && !all.iter().any(|one| under_way(&one)) && self.sent_all()
        })
        .await
    }

    /// As [`Story::settle`], and every one of them is delivered.
    pub(crate) async fn all_delivered(&self, made: usize) -> Vec<Delivery> {
        let all = self.settle(made).await;
        for one in &all {
            assert_eq!(one.state.kind(), StateKind::Delivered, "{one:#?}");
        }
        all
    }

    /// Lets so much time pass, with everything that happens in it.
    pub(crate) async fn pass(&self, time: SignedDuration) {
        let until = self.now() + time;
        let begun = Instant::now();
        while self.now() < until {
            assert!(
                begun.elapsed() < PATIENCE,
                "time stands still at {}",
                self.now()
            );
            self.turn(Some(until)).await;
        }
    }

    /// Waits until nothing moves, then moves the clock to the next thing to do, but not past the limit.
    async fn turn(&self, limit: Option<Timestamp>) {
        let before = self.moves().await;
        self.send_webhooks().await;
        tokio::time::sleep(GLANCE).await;
        if self.moves().await != before {
            return;
        }
        let now = self.now();
        let systems = self.systems.iter();
        let ticks = systems.filter_map(|(_, system)| lock(&**system).next_tick_at());
        let senders = self.notifiers.iter();
        let repeats = senders.filter_map(|one| lock(&**one).next_webhook_at());
        let next = ticks
            .chain(repeats)
            .chain(self.clock.next_wake())
            .chain(limit)
            .filter(|at| *at > now)
            .min();
        if let Some(next) = next {
            // Whoever is slow to say when it wants to be woken would miss a long leap.
            let glances = if next.duration_since(now) > LEAP {
                BEFORE_LEAP
            } else {
                0
            };
            for _ in 0..glances {
                tokio::time::sleep(GLANCE).await;
                let sooner = self.clock.next_wake().is_some_and(|wake| wake < next);
                if sooner || self.moves().await != before {
                    return;
                }
            }
            self.clock.advance_to(next);
            for (_, system) in &self.systems {
                lock(&**system).tick(self.now());
            }
        }
    }

    /// Grows with every call and every record.
    async fn moves(&self) -> (u64, u64) {
        let (sequence, _) = self.store().head().await.unwrap();
        (self.network.calls(), sequence)
    }

    fn sent_all(&self) -> bool {
        let mut senders = self.notifiers.iter();
        senders.all(|one| lock(&**one).next_webhook_at().is_none())
    }

    /// Puts every webhook that is due to the engine and tells the sender how it went.
    async fn send_webhooks(&self) {
        for sender in &self.notifiers {
            loop {
                let due = lock(&**sender).take_due_webhooks(WEBHOOKS_AT_ONCE, self.now());
                if due.is_empty() {
                    break;
                }
                for webhook in due {
                    let status = self.receive(&webhook).await;
                    let outcome = match status.as_u16() {
                        status @ 200..=299 => Ok(status),
                        status => Err(Failure::Status(status)),
                    };
                    lock(&**sender).webhook_answered(webhook, outcome, self.now());
                }
            }
        }
    }

    /// Puts one request to the engine's receiver, whatever it is.
    pub(crate) async fn receive(&self, webhook: &Webhook) -> StatusCode {
        let path = webhook.url.splitn(4, '/').nth(3).unwrap_or_default();
        let mut request = Request::post(format!("/{path}"));
        for (name, value) in &webhook.headers {
            request = request.header(name, value);
        }
        let body = Body::from(webhook.body.clone());
        self.engine().receive(request.body(body).unwrap()).await
    }

    /// The next `times` calls to this system whose URL or body contains the marker meet this trouble.
    pub(crate) fn strike(&self, system: &str, marker: &str, trouble: Trouble, times: usize) {
        self.network.strike(system, marker, trouble, times);
    }

    /// Troubles that have not struck yet. A test that plans some asserts in the end that there is none.
    pub(crate) fn troubles_waiting(&self) -> usize {
        self.network.waiting()
    }

    /// Takes a system off the network: connections are refused.
    pub(crate) fn down(&self, system: &str) {
        self.network.set_down(system, true);
    }

    /// Brings it back.
    pub(crate) fn up(&self, system: &str) {
        self.network.set_down(system, false);
    }

    /// The engine ends without a word, and another one starts on what is on disk.
    ///
    /// The store's files are closed in order, because a test has only one process; what a killed process leaves in them is
    /// seen by `tests/kill.rs` and the store's own tests. What matters here is what the engine had not settled.
    pub(crate) async fn crash(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        if let Some((_, store)) = self.running.take() {
            store.close().await.unwrap();
        }
        let store = open(&self.folder).await;
        let (engine, runtime) = start(&self.plan, &store, &self.seams).await;
        self.running = Some((engine, store));
        self.runtime = Some(runtime);
    }

    /// Crashes during the next call to this system with this marker: the claim is on disk, the answer is not.
    pub(crate) async fn crash_during(&mut self, system: &str, marker: &str, moment: Moment) {
        let frozen = self.network.frozen();
        self.strike(system, marker, Trouble::Freeze(moment), 1);
        let begun = Instant::now();
        while self.network.frozen() == frozen {
            assert!(begun.elapsed() < PATIENCE, "no call with `{marker}` came");
            self.turn(None).await;
        }
        self.crash().await;
    }

    /// Stops the engine in order and asks: do the books agree, does every integration account for what it received, does the
    /// journal verify.
    #[track_caller]
    pub(crate) fn end(self) -> impl Future<Output = ()> {
        let at = std::panic::Location::caller();
        self.ended(at)
    }

    async fn ended(mut self, at: &'static std::panic::Location<'static>) {
        let mut differences = Vec::new();
        for (instance, counts) in self.store().counts().await.unwrap() {
            let sum: u64 = counts.states.iter().sum();
            if sum != counts.received {
                differences.push(format!(
                    "{instance}: {} received, {sum} accounted for",
                    counts.received
                ));
            }
        }
        for (what, check) in &self.checks {
            differences.extend(check().into_iter().map(|one| format!("{what}: {one}")));
        }
        if let Some((engine, _store)) = self.running.take() {
            engine.stop(Duration::from_secs(1)).await;
        }
        let verified = verify(&self.folder.path().join("store"), &mut |_, _| {}).unwrap();
        if let Some(damage) = verified.damage {
            differences.push(format!("the journal does not verify: {damage}"));
        }
        assert!(differences.is_empty(), "{at}: {differences:#?}");
    }
}

fn entry(table: &str, key: &str, values: Value) -> CrosswalkEntry {
    CrosswalkEntry {
        table: CrosswalkId::new(table),
        key: key.to_owned(),
        values,
    }
}

/// A folder in memory where there is one: days of a story make thousands of commits, and a slow disk tells nothing here.
fn in_memory() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let folder = memory.is_dir().then(|| tempfile::tempdir_in(memory));
    let folder = folder.and_then(Result::ok);
    folder.unwrap_or_else(|| tempfile::tempdir().unwrap())
}

/// Opens the store, as soon as what is left of an engine before has let go of it.
async fn open(folder: &TempDir) -> Store {
    let options = Options {
        directory: folder.path().join("store"),
        segment_bytes: 1 << 20,
        index_cache_bytes: 4 << 20,
    };
    let begun = Instant::now();
    loop {
        match Store::open(&options, &mut |_| {}) {
            Err(OpenError::Locked { .. }) if begun.elapsed() < PATIENCE => {
                tokio::time::sleep(GLANCE).await;
            }
            opened => return opened.unwrap(),
        }
    }
}

async fn start(plan: &Arc<Plan>, store: &Store, seams: &Seams) -> (Engine, Runtime) {
    let options = EngineOptions {
        plan: Arc::clone(plan),
        store: store.clone(),
        seams: seams.clone(),
        listen: Listen::default(),
        version: "test".to_owned(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let engine = runtime.spawn(Engine::start(options)).await;
    (engine.unwrap().unwrap(), runtime)
}
