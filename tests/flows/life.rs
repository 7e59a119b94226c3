//! One life of the engine in a story: from its start to its end, or to the crash that takes it away.

use super::network::Wire;
use jiff::Timestamp;
use ml_connector_core::plan::Plan;
use ml_connector_runtime::{Engine, EngineOptions, Listen, Seams};
use ml_connector_store::{OpenError, Options, Store};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

/// How long a story may wait in real time for one thing before it fails; none takes this long.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// How often is looked while nothing announces that there is something to see.
pub(super) const GLANCE: Duration = Duration::from_millis(1);

/// An engine with a runtime of its own, so that a crash can take it away in the middle of anything.
pub(super) struct Life {
    pub(super) engine: Engine,
    pub(super) store: Store,
    pub(super) wire: Option<Wire>,
    runtime: Option<Runtime>,
    /// Told whenever a thread of the runtime is about to find nothing to do.
    parking: Arc<Notify>,
}

impl fmt::Debug for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Life").finish_non_exhaustive()
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Life {
    /// Starts an engine on what is in the store. It takes webhooks at a free port.
    pub(super) async fn begin(plan: &Arc<Plan>, store: Store, seams: Seams, wire: Wire) -> Self {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let options = EngineOptions {
            plan: Arc::clone(plan),
            store: store.clone(),
            seams,
            listen: Listen {
                webhooks: Some(any_port),
                ..Listen::default()
            },
            version: "test".to_owned(),
        };
        let parking = Arc::new(Notify::new());
        let parks = Arc::clone(&parking);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            // With one of them, whoever comes last knows that all others have been served.
            .max_blocking_threads(1)
            .on_thread_park(move || parks.notify_one())
            .enable_all()
            .build()
            .unwrap();
        let engine = runtime.spawn(Engine::start(options)).await;
        Self {
            engine: engine.unwrap().unwrap(),
            store,
            wire: Some(wire),
            runtime: Some(runtime),
            parking,
        }
    }

    /// Where the engine takes webhooks.
    pub(super) fn address(&self) -> SocketAddr {
        self.engine.webhooks().unwrap()
    }

    /// Whether the engine waits for a call that will never end.
    pub(super) fn is_frozen(&self) -> bool {
        self.wire.as_ref().is_some_and(Wire::is_frozen)
    }

    /// Waits until something may have come to rest.
    pub(super) async fn stir(&self) {
        tokio::select! {
            () = self.parking.notified() => {}
            () = tokio::time::sleep(GLANCE) => {}
        }
    }

    /// Whether the engine has nothing to do before a later time.
    ///
    /// Its threads sleep, no call is under way, and both have stayed so while everybody who works for a task that waits has
    /// been asked, in order, and had nothing left: the store's writer, and the thread for what takes long.
    pub(super) async fn is_idle(&self, now: Timestamp) -> bool {
        let Some(before) = self.asleep() else {
            return false;
        };
        self.store.check(now).await.unwrap();
        let runtime = self.runtime.as_ref().unwrap();
        runtime.spawn_blocking(|| ()).await.unwrap();
        self.asleep() == Some(before)
    }

    /// If everything sleeps: a number that grows whenever something wakes.
    fn asleep(&self) -> Option<u64> {
        let metrics = self.runtime.as_ref().unwrap().metrics();
        // Counts parking and waking: an odd number is a thread that has parked.
        let counts = (0..metrics.num_workers()).map(|one| metrics.worker_park_unpark_count(one));
        let sum = counts
            .map(|count| (count % 2 == 1).then_some(count))
            .sum::<Option<u64>>()?;
        let calls = self.wire.as_ref().map_or(0, Wire::under_way);
        (metrics.global_queue_depth() == 0 && calls == 0).then_some(sum)
    }

    /// Ends it without a word.
    ///
    /// The store's files are closed in order, because a test has only one process.
    pub(super) async fn crash(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        if let Some(wire) = self.wire.take() {
            wire.cut().await;
        }
        self.store.close().await.unwrap();
    }
}

/// Opens the store, as soon as what is left of an engine before has let go of it.
pub(super) async fn open(folder: &Path) -> Store {
    let options = Options {
        directory: folder.join("store"),
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
