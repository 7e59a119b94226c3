//! A story: the engine, its store, its clock, and the systems around it. The module above says how one is told.

use super::life::{Life, PATIENCE, open};
use super::network::{Moment, Network, Shared, Trouble, Wire};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::delivery::{DeliveryState, Hold, StateKind};
use ml_connector_core::identity::CrosswalkId;
use ml_connector_core::plan::Plan;
use ml_connector_runtime::operator::{Act, Command, Reply};
use ml_connector_runtime::simulated::{FixedEntropy, ManualClock, MemorySecrets};
use ml_connector_runtime::{Clock as _, Engine, Seams, SecretSource as _};
use ml_connector_simulators::serve::lock;
use ml_connector_simulators::webhooks::{Delivery as Webhook, Failure, Outgoing, deliver};
use ml_connector_simulators::{Simulated, demo};
use ml_connector_store::{CrosswalkEntry, Delivery, Selection, Store, verify};
use serde_json::Value;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The host name of the engine in the addresses of its webhooks.
const ENGINE: &str = "http://engine";
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
    network: Network,
}

impl Script {
    /// A story that begins at this moment, with this site file. The names in its base URLs are those of [`Script::system`].
    pub(crate) fn new(at: &str, site: &str) -> Self {
        Self {
            clock: ManualClock::new(at.parse().unwrap()),
            site: site.to_owned(),
            systems: Vec::new(),
            notifiers: Vec::new(),
            secrets: MemorySecrets::new(&[]),
            entries: Vec::new(),
            checks: Vec::new(),
            network: Network::new(),
        }
    }

    /// Answers every URL that begins so, from a port of its own.
    pub(crate) fn system<S: Simulated>(mut self, url: &str, system: &Arc<Mutex<S>>) -> Self {
        self.systems
            .push((url.to_owned(), system.clone() as Shared));
        self
    }

    /// Is off the network until [`Story::up`].
    pub(crate) fn down(self, system: &str) -> Self {
        self.network.set_down(system, true);
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
        let store = open(folder.path()).await;
        if !self.entries.is_empty() {
            let now = self.clock.now();
            let set = store.crosswalk_set(self.entries, now, "story", None);
            set.await.unwrap();
        }
        let mut story = Story {
            clock: self.clock,
            network: Arc::new(self.network),
            systems: self.systems,
            notifiers: self.notifiers,
            checks: self.checks,
            secrets: Arc::new(self.secrets),
            plan: demo::plan(demo::definitions(), &self.site).unwrap(),
            folder,
            life: None,
        };
        story.live(store).await;
        story
    }
}

/// A story that is being told.
pub(crate) struct Story {
    clock: ManualClock,
    network: Arc<Network>,
    systems: Vec<(String, Shared)>,
    notifiers: Vec<Arc<Mutex<dyn Outgoing>>>,
    checks: Vec<Check>,
    secrets: Arc<MemorySecrets>,
    plan: Arc<Plan>,
    folder: TempDir,
    life: Option<Life>,
}

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Story").finish_non_exhaustive()
    }
}

impl Story {
    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The engine that runs at the moment.
    pub(crate) fn engine(&self) -> &Engine {
        &self.life().engine
    }

    fn store(&self) -> &Store {
        &self.life().store
    }

    fn life(&self) -> &Life {
        self.life.as_ref().unwrap()
    }

    /// Starts an engine on what is in the store, and lets it do what it has to do at once.
    async fn live(&mut self, store: Store) {
        let (wire, transport) = Wire::up(&self.network, &self.systems, &self.clock).await;
        let seams = Seams {
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(FixedEntropy(u64::MAX)),
            transport,
            secrets: self.secrets.clone(),
        };
        self.life = Some(Life::begin(&self.plan, store, seams, wire).await);
        self.rest().await;
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
        self.secrets.get(name).unwrap().expose().to_owned()
    }

    /// Puts another value into the vault while the engine runs.
    pub(crate) fn set_secret(&self, name: &str, value: &str) {
        self.secrets.set(name, value);
    }

    /// Lets everything happen, and the clock move whenever nothing else does, until the condition holds.
    pub(crate) async fn until(
        &self,
        what: &str,
        condition: impl Fn(&[Delivery]) -> bool,
    ) -> Vec<Delivery> {
        let begun = Instant::now();
        loop {
            self.rest().await;
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
            self.step(None);
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
        self.rest().await;
        while self.now() < until {
            assert!(
                begun.elapsed() < PATIENCE,
                "time stands still at {}",
                self.now()
            );
            self.step(Some(until));
            self.rest().await;
        }
    }

    /// Puts every webhook that is due, and waits until the engine has nothing to do before a later time. Ends also when it
    /// waits for a call that never ends.
    async fn rest(&self) {
        let begun = Instant::now();
        loop {
            self.send_webhooks().await;
            if self.life().is_frozen() || self.life().is_idle(self.now()).await {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "the engine never rests at {}; last refused call: {:?}; {:?}",
                self.now(),
                self.network.last_refusal(),
                self.engine().counters()
            );
            self.life().stir().await;
        }
    }

    /// Moves the clock to the next thing to do, but not past the limit. Nothing else may be moving: a call or a commit in the
    /// middle of which an hour passes would run into its time limit.
    fn step(&self, limit: Option<Timestamp>) {
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
            self.clock.advance_to(next);
            for (_, system) in &self.systems {
                lock(&**system).tick(next);
            }
        }
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
                    let outcome = self.put(&webhook).await;
                    lock(&**sender).webhook_answered(webhook, outcome, self.now());
                }
            }
        }
    }

    /// Puts one request to the engine's listener, whatever it is.
    pub(crate) async fn receive(&self, webhook: &Webhook) -> StatusCode {
        let status = self.put(webhook).await.unwrap();
        StatusCode::from_u16(status).unwrap()
    }

    async fn put(&self, webhook: &Webhook) -> Result<u16, Failure> {
        let address = format!("http://{}", self.life().address());
        let webhook = Webhook {
            url: webhook.url.replacen(ENGINE, &address, 1),
            ..webhook.clone()
        };
        deliver(&webhook, PATIENCE).await
    }

    /// The next `times` calls to this system whose URL or body contains the marker meet this trouble.
    pub(crate) fn strike(&self, system: &str, marker: &str, trouble: Trouble, times: usize) {
        self.network.strike(system, marker, trouble, times);
    }

    /// Troubles that have not struck yet. A test that plans some asserts in the end that there is none.
    pub(crate) fn troubles_waiting(&self) -> usize {
        self.network.waiting()
    }

    /// Takes a system off the network: connections to it are refused.
    pub(crate) fn down(&self, system: &str) {
        self.network.set_down(system, true);
    }

    /// Brings it back.
    pub(crate) fn up(&self, system: &str) {
        self.network.set_down(system, false);
    }

    /// The engine ends without a word, and another one starts on what is on disk. What was on its way to a system and had no
    /// effect yet never has one.
    ///
    /// The store's files are closed in order, because a test has only one process; what a killed process leaves in them is
    /// seen by `tests/kill.rs` and the store's own tests. What matters here is what the engine had not settled.
    pub(crate) async fn crash(&mut self) {
        if let Some(life) = self.life.take() {
            life.crash().await;
        }
        self.live(open(self.folder.path()).await).await;
    }

    /// Crashes during the next call to this system with this marker: the claim is on disk, the answer is not.
    pub(crate) async fn crash_during(&mut self, system: &str, marker: &str, moment: Moment) {
        self.strike(system, marker, Trouble::Freeze(moment), 1);
        let begun = Instant::now();
        loop {
            self.rest().await;
            if self.life().is_frozen() {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "no call with `{marker}` came");
            self.step(None);
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
        if let Some(life) = self.life.take() {
            life.engine.stop(Duration::from_secs(1)).await;
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
