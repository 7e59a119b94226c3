//! Simulated twins of the seams: a clock that is moved by hand, drawn numbers from a seed, systems
//! in memory, secrets in a table. They are public because the scenario tests and the simulation
//! live in another crate.

use crate::seams::{
    Clock, Entropy, Outgoing, Secret, SecretError, SecretSource, SecretTurn, Transport,
};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::http::{HttpRequest, HttpResponse, SendError};
use ml_connector_store::{Announcer, Changes};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A clock that stands still until it is moved.
///
/// Sleeps are towards absolute times, so it does not matter whether a sleeper arrives before or
/// after the move that wakes it. Clones share the time.
#[derive(Debug, Clone)]
pub struct ManualClock {
    inner: Arc<ManualTime>,
}

#[derive(Debug)]
struct ManualTime {
    now: Mutex<Timestamp>,
    moved: Announcer,
    /// How many sleep until each time.
    sleepers: Mutex<BTreeMap<Timestamp, usize>>,
}

impl ManualClock {
    /// Stands at `now`.
    pub fn new(now: Timestamp) -> Self {
        let inner = ManualTime {
            now: Mutex::new(now),
            moved: Announcer::default(),
            sleepers: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Moves forward by `by`, and wakes everything that is due.
    pub fn advance(&self, by: Duration) {
        let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
        self.change(|now| now.checked_add(by).unwrap_or(Timestamp::MAX));
    }

    /// Moves forward to `to`; to a time that has passed it does not go back.
    pub fn advance_to(&self, to: Timestamp) {
        self.change(|now| now.max(to));
    }

    /// Sets the clock, back too, as a person or a time server does.
    pub fn set(&self, to: Timestamp) {
        self.change(|_| to);
    }

    fn change(&self, to: impl FnOnce(Timestamp) -> Timestamp) {
        {
            let mut now = held(&self.inner.now);
            *now = to(*now);
        }
        self.inner.moved.announce();
    }

    /// The earliest time that anything sleeps until.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let now = self.now();
        held(&self.inner.sleepers)
            .keys()
            .copied()
            .find(|until| *until > now)
    }

    /// Whether anything sleeps until exactly this time.
    pub fn is_awaited(&self, until: Timestamp) -> bool {
        held(&self.inner.sleepers).contains_key(&until)
    }

    /// Moves to the earliest time that anything sleeps until; `false` if nothing sleeps.
    pub fn advance_to_next(&self) -> bool {
        let next = self.next_wake();
        if let Some(next) = next {
            self.advance_to(next);
        }
        next.is_some()
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *held(&self.inner.now)
    }

    async fn sleep_until(&self, until: Timestamp) {
        let mut moved = self.inner.moved.changes();
        if self.now() >= until {
            return;
        }
        let _registered = Sleeper::register(Arc::clone(&self.inner), until);
        while self.now() < until {
            moved.changed().await;
        }
    }
}

/// Takes a sleeper off the list also when its task is dropped.
struct Sleeper {
    time: Arc<ManualTime>,
    until: Timestamp,
}

impl Sleeper {
    fn register(time: Arc<ManualTime>, until: Timestamp) -> Self {
        *held(&time.sleepers).entry(until).or_default() += 1;
        Self { time, until }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let mut sleepers = held(&self.time.sleepers);
        if let Some(count) = sleepers.get_mut(&self.until) {
            *count -= 1;
            if *count == 0 {
                sleepers.remove(&self.until);
            }
        }
    }
}

/// Numbers that a seed repeats (SplitMix64). A fixed one makes every wait exactly computable.
#[derive(Debug)]
pub struct SeededEntropy {
    state: AtomicU64,
    step: u64,
}

impl SeededEntropy {
    /// A sequence.
    pub fn new(seed: u64) -> Self {
        Self {
            state: AtomicU64::new(seed),
            step: 0x9e37_79b9_7f4a_7c15,
        }
    }
}

impl Entropy for SeededEntropy {
    fn draw(&self) -> u64 {
        let mut z = self
            .state
            .fetch_add(self.step, Ordering::Relaxed)
            .wrapping_add(self.step);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Always the same number: `u64::MAX` gives every jittered wait its full length.
#[derive(Debug, Clone, Copy)]
pub struct FixedEntropy(pub u64);

impl Entropy for FixedEntropy {
    fn draw(&self) -> u64 {
        self.0
    }
}

/// The future of one answer.
pub type Answering = Pin<Box<dyn Future<Output = Result<HttpResponse, SendError>> + Send>>;

type Handler = Box<dyn Fn(HttpRequest) -> Answering + Send + Sync>;

/// A network in memory: the handler is chosen by the beginning of the URL.
///
/// What was sent is counted, and announced, so that a test can wait for it.
#[derive(Default)]
pub struct MemoryTransport {
    routes: Mutex<Vec<Arc<Route>>>,
    sent: AtomicU64,
    sending: Announcer,
}

struct Route {
    prefix: String,
    handler: Handler,
}

impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransport")
            .field("sent", &self.sent())
            .finish_non_exhaustive()
    }
}

impl MemoryTransport {
    /// A network without systems.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers URLs that begin with `prefix`; a later route for the same beginning wins.
    pub fn route(
        &self,
        prefix: &str,
        handler: impl Fn(&HttpRequest) -> HttpResponse + Send + Sync + 'static,
    ) {
        self.route_async(prefix, move |request| {
            let response = handler(&request);
            Box::pin(async move { Ok(response) })
        });
    }

    /// As [`MemoryTransport::route`], for answers that may fail or take their time.
    pub fn route_async(
        &self,
        prefix: &str,
        handler: impl Fn(HttpRequest) -> Answering + Send + Sync + 'static,
    ) {
        let route = Route {
            prefix: prefix.to_owned(),
            handler: Box::new(handler),
        };
        held(&self.routes).push(Arc::new(route));
    }

    /// The number of requests sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// Changes with each request.
    pub fn changes(&self) -> Changes {
        self.sending.changes()
    }
}

#[async_trait]
impl Transport for MemoryTransport {
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<HttpResponse, SendError> {
        let request = outgoing.request;
        let route = held(&self.routes)
            .iter()
            .rev()
            .find(|route| request.url.starts_with(&route.prefix))
            .cloned();
        let Some(route) = route else {
            let why = format!("no system listens at {}", request.url_without_query());
            return Err(SendError::NotSent { why });
        };
        let answering = (route.handler)(request);
        self.sent.fetch_add(1, Ordering::SeqCst);
        self.sending.announce();
        let response = answering.await?;
        if response.body.len() as u64 > outgoing.answer_bytes_max {
            let why = format!(
                "the answer is longer than {} bytes",
                outgoing.answer_bytes_max
            );
            return Err(SendError::Unknown { why });
        }
        Ok(response)
    }
}

/// Secrets in a table.
#[derive(Default)]
pub struct MemorySecrets {
    values: Mutex<HashMap<String, String>>,
    version: AtomicU64,
    unwritable: Mutex<Option<String>>,
    /// The secrets whose turn somebody has.
    turns: Arc<Mutex<HashSet<String>>>,
}

/// Gives the turn back.
struct MemoryTurn {
    name: String,
    turns: Arc<Mutex<HashSet<String>>>,
}

impl Drop for MemoryTurn {
    fn drop(&mut self) {
        held(&self.turns).remove(&self.name);
    }
}

impl fmt::Debug for MemorySecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySecrets").finish_non_exhaustive()
    }
}

impl MemorySecrets {
    /// A table of names and values.
    pub fn new(values: &[(&str, &str)]) -> Self {
        let secrets = Self::default();
        for (name, value) in values {
            secrets.set(name, value);
        }
        secrets
    }

    /// Sets one.
    pub fn set(&self, name: &str, value: &str) {
        held(&self.values).insert(name.to_owned(), value.to_owned());
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Removes one.
    pub fn remove(&self, name: &str) {
        held(&self.values).remove(name);
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Makes every `put` fail with this reason, or none.
    pub fn refuse_writes(&self, why: Option<&str>) {
        *held(&self.unwritable) = why.map(str::to_owned);
    }
}

impl SecretSource for MemorySecrets {
    fn get(&self, name: &str) -> Result<Secret, SecretError> {
        match held(&self.values).get(name) {
            Some(value) => Ok(Secret::new(value.clone())),
            None => Err(SecretError::Missing(name.to_owned())),
        }
    }

    fn put(&self, name: &str, value: &Secret) -> Result<(), SecretError> {
        if let Some(why) = held(&self.unwritable).clone() {
            return Err(SecretError::Vault {
                name: name.to_owned(),
                why,
            });
        }
        self.set(name, value.expose());
        Ok(())
    }

    fn try_turn(&self, name: &str) -> Result<Option<SecretTurn>, SecretError> {
        let free = held(&self.turns).insert(name.to_owned());
        Ok(free.then(|| {
            SecretTurn::new(MemoryTurn {
                name: name.to_owned(),
                turns: Arc::clone(&self.turns),
            })
        }))
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}

/// The guard also after a panic elsewhere: these tables are whole after every statement.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
