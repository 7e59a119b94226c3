//! One run: lives of the engine, one after the other, on one disk.

use crate::act::{Answers, Life};
use crate::check;
use crate::definitions::plan;
use crate::network::{Network, held};
use crate::systems::{PASSWORD, Systems};
use crate::weather::{Mode, Weather};
use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::plan::Plan;
use ml_connector_runtime::simulated::{ManualClock, MemorySecrets, SeededEntropy};
use ml_connector_runtime::{Clock as _, Engine, EngineOptions, Listen, Seams};
use ml_connector_simulators::entropy::Entropy;
use ml_connector_store::simulated::{SimulatedDisk, verify_simulated};
use ml_connector_store::{Delivery, Options, Selection, Store};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// Lives of one run, without the last one.
const LIVES_MAX: usize = 6;
/// The secret of the hub's webhooks.
pub(crate) const HOOK: &str = "hook-secret";

/// The two versions of the definitions.
///
/// # Errors
/// If they cannot be read.
pub(crate) fn plans() -> Result<&'static [Arc<Plan>; 2]> {
    PLANS.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))
}

static PLANS: LazyLock<Result<[Arc<Plan>; 2]>> = LazyLock::new(|| Ok([plan(0)?, plan(1)?]));

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// What is wrong; empty if the promises held.
    pub wrong: Vec<String>,
    /// What was done, in order.
    pub acts: Vec<String>,
    /// Events that were made.
    pub events: usize,
    /// Times the process was killed or lost its power.
    pub crashes: usize,
    /// Deliveries that had to be decided by a person because nobody else could know.
    pub in_doubt: usize,
    /// The ledger at the end, in order, for comparing two runs.
    pub ledger: Vec<String>,
}

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The process was killed.
    Killed,
    /// The power failed.
    Power,
    /// It was stopped in order.
    Stopped,
}

/// What outlives a process.
pub(crate) struct Installation {
    pub(crate) entropy: Entropy,
    pub(crate) systems: Arc<Mutex<Systems>>,
    pub(crate) clock: ManualClock,
    pub(crate) disk: SimulatedDisk,
    pub(crate) index: TempDir,
    pub(crate) acknowledged: Vec<String>,
    /// Indices of events whose sender has no answer yet.
    pub(crate) unsent: Vec<usize>,
    pub(crate) answers: Answers,
    /// Events sent to this process without an answer yet.
    pub(crate) out: Vec<Vec<usize>>,
    pub(crate) acts: Vec<String>,
    pub(crate) wrong: Vec<String>,
    pub(crate) in_doubt: usize,
    /// How often a person wanted an event to be posted once more.
    pub(crate) again: BTreeMap<String, usize>,
    pub(crate) hub_time: Timestamp,
    seed: u64,
    crashes: usize,
}

/// Runs a seed from the first event to the last check.
///
/// # Errors
/// If the run itself cannot be set up; what the engine does wrong is in [`Outcome::wrong`].
pub fn run(seed: u64, mode: Mode) -> Result<Outcome> {
    let begin: Timestamp = "2026-03-16T08:00:00Z".parse()?;
    let weather = Weather {
        mode,
        away: false,
        clear: false,
    };
    let mut installation = Installation {
        entropy: Entropy::new(seed),
        systems: Arc::new(Mutex::new(Systems::new(seed, weather))),
        clock: ManualClock::new(begin),
        disk: SimulatedDisk::default(),
        index: tempfile::tempdir()?,
        acknowledged: Vec::new(),
        unsent: Vec::new(),
        answers: Answers::default(),
        out: Vec::new(),
        acts: Vec::new(),
        wrong: Vec::new(),
        in_doubt: 0,
        again: BTreeMap::new(),
        hub_time: begin,
        seed,
        crashes: 0,
    };
    let lives = 1 + installation.entropy.below(LIVES_MAX);
    for life in 0..lives {
        let end = installation.live(life, false)?;
        installation.bury(end)?;
        if !installation.wrong.is_empty() {
            break;
        }
    }
    if installation.wrong.is_empty() {
        installation.live(lives, true)?;
    }
    if installation.wrong.is_empty() {
        installation.last_look()?;
    }
    let systems = held(&installation.systems);
    let entries = systems.entries.iter();
    Ok(Outcome {
        wrong: installation.wrong,
        acts: installation.acts,
        events: systems.events.len(),
        crashes: installation.crashes,
        in_doubt: installation.in_doubt,
        ledger: entries
            .map(|entry| format!("{} {} {}", entry.kind, entry.reference, entry.amount))
            .collect(),
    })
}

impl Installation {
    /// Starts a process on the disk and lives with it until it ends.
    fn live(&mut self, life: usize, last: bool) -> Result<End> {
        let version = if last { 0 } else { self.entropy.below(2) };
        let plan = plans()?.get(version).context("there are two versions")?;
        self.acts.push(format!(
            "life {life} with definitions {version} at {}",
            self.clock.now()
        ));
        // Whoever starts it again has seen to the disk first.
        self.disk.fail(None);
        self.disk.power_fails_at(u64::MAX);
        let store = match Store::open_simulated(&self.disk, &self.options()) {
            Ok(store) => store,
            Err(error) => {
                self.wrong
                    .push(format!("the store does not open: {error:#}"));
                return Ok(End::Stopped);
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let deliveries = runtime.block_on(all(&store))?;
        let lost = check::lost(&self.acknowledged, &deliveries);
        if !lost.is_empty() {
            self.wrong.extend(lost);
            return Ok(End::Stopped);
        }
        let network = Arc::new(Network::new(Arc::clone(&self.systems), self.clock.clone()));
        let secrets = MemorySecrets::new(&[("hook", HOOK), ("password", PASSWORD)]);
        let seams = Seams {
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(SeededEntropy::new(self.seed ^ life as u64)),
            transport: Arc::clone(&network) as _,
            secrets: Arc::new(secrets),
        };
        let options = EngineOptions {
            plan: Arc::clone(plan),
            store: store.clone(),
            seams: seams.clone(),
            listen: Listen::default(),
            version: "campaign".to_owned(),
        };
        let end = runtime.block_on(async {
            tokio::select! {
                biased;
                () = network.blown() => End::Killed,
                end = Life::new(self, &store, &network, seams, last).run(Engine::start(options)) => end,
            }
        });
        if end != End::Stopped {
            store.abandon();
        }
        drop(runtime);
        Ok(end)
    }

    fn options(&self) -> Options {
        Options {
            directory: self.index.path().to_owned(),
            segment_bytes: 16 * 1024,
            index_cache_bytes: 1 << 20,
        }
    }

    /// What a crash leaves for the next life.
    fn bury(&mut self, end: End) -> Result<()> {
        self.lose_answers();
        let entropy = &mut self.entropy;
        self.acts.push(format!("the life ended: {end:?}"));
        match end {
            End::Stopped => {}
            End::Killed => {
                self.crashes += 1;
                self.disk = self.disk.after_kill();
            }
            End::Power => {
                self.crashes += 1;
                self.disk = self.disk.after_power_cut(&mut || entropy.next_u64());
            }
        }
        let index = self.index.path().join("index");
        let fate = self.entropy.below(if end == End::Power { 3 } else { 8 });
        match (fate, end) {
            // It is lost.
            (0, _) if index.exists() => std::fs::remove_dir_all(&index)?,
            // It was in use when the machine stopped, and may be anything.
            (1, End::Power) if index.exists() => {
                std::fs::write(index.join("state"), "running another-boot\n")?;
                let database = index.join("tree").join("db");
                if database.exists() {
                    let length = std::fs::metadata(&database)?.len();
                    let file = std::fs::OpenOptions::new().write(true).open(&database)?;
                    file.set_len(length / 2)?;
                }
            }
            // It stays as it is: of the same moment, or ahead of what the disk has kept.
            _ => {}
        }
        Ok(())
    }

    /// The checks that need no process.
    fn last_look(&mut self) -> Result<()> {
        let verified = verify_simulated(&self.disk)?;
        if let Some(damage) = verified.damage {
            self.wrong.push(format!("the journal is damaged: {damage}"));
        }
        let live = Store::open_simulated(&self.disk, &self.options())?;
        let elsewhere = tempfile::tempdir()?;
        let options = Options {
            directory: elsewhere.path().to_owned(),
            ..self.options()
        };
        let rebuilt = Store::open_simulated(&self.disk, &options)?;
        if live.dump()? != rebuilt.dump()? {
            self.wrong
                .push("the index is not what the journal gives".to_owned());
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let deliveries = runtime.block_on(all(&live))?;
        ensure!(deliveries.len() < ALL, "too many deliveries to check");
        let expected = self.expected();
        let found = check::books(&held(&self.systems), &expected, &self.again, &deliveries);
        self.wrong.extend(found);
        Ok(())
    }

    /// Ids of all events: what was acknowledged, and what a poll must have found.
    fn expected(&self) -> Vec<String> {
        let systems = held(&self.systems);
        systems
            .events
            .iter()
            .map(|event| event.id.clone())
            .collect()
    }

    /// Time that the hub gives its events: it never goes back.
    pub(crate) fn hub_now(&mut self) -> Timestamp {
        let next = self.hub_time.saturating_add(SignedDuration::from_millis(1));
        self.hub_time = next.unwrap_or(self.hub_time).max(self.clock.now());
        self.hub_time
    }
}

const ALL: usize = 100_000;

pub(crate) async fn all(store: &Store) -> Result<Vec<Delivery>> {
    let selection = Selection {
        limit: ALL,
        ..Selection::default()
    };
    Ok(store.delivery_list(&selection).await?)
}

/// How long a stop may take.
pub(crate) const GRACE: Duration = Duration::from_secs(20);
