//! Plain counters since the start, for the status, the demo and the tests. What must be exact for
//! years is counted by the store; these say what this process has done.

use ml_connector_core::delivery::StateKind;
use ml_connector_core::identity::InstanceId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The live counters.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    messages: AtomicU64,
    duplicates: AtomicU64,
    deliveries: AtomicU64,
    deduplicated: AtomicU64,
    polls: AtomicU64,
    polls_failed: AtomicU64,
    reads: AtomicU64,
    log_ons: AtomicU64,
    refused: Mutex<BTreeMap<&'static str, u64>>,
    posts: Mutex<BTreeMap<&'static str, u64>>,
    moved: Mutex<BTreeMap<InstanceId, BTreeMap<&'static str, u64>>>,
}

/// The counters at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountersSnapshot {
    /// New events accepted, by webhook or poll.
    pub messages: u64,
    /// Events that were known by their id.
    pub duplicates: u64,
    /// Deliveries made of them.
    pub deliveries: u64,
    /// Deliveries not made because their dedup key was known.
    pub deduplicated: u64,
    /// Polls that read everything they asked for.
    pub polls: u64,
    /// Polls that did not.
    pub polls_failed: u64,
    /// Reads of other systems.
    pub reads: u64,
    /// Log-ons and tokens asked for.
    pub log_ons: u64,
    /// Webhooks refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Writes sent, by what the answer meant.
    pub posts: BTreeMap<String, u64>,
    /// Transitions of deliveries, by the state they led to.
    pub transitions: BTreeMap<String, u64>,
    /// What became of deliveries, by integration: claimed, delivered, skipped, held, retried, uncertain or discarded.
    #[serde(default)]
    pub moved: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Counters {
    pub(crate) fn accepted(&self, accepted: &ml_connector_store::Accepted) {
        self.messages
            .fetch_add(accepted.messages.into(), Ordering::Relaxed);
        self.duplicates
            .fetch_add(accepted.duplicates.into(), Ordering::Relaxed);
        self.deliveries
            .fetch_add(accepted.deliveries.into(), Ordering::Relaxed);
        self.deduplicated
            .fetch_add(accepted.deduplicated.into(), Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        bump(&self.refused, reason);
    }

    pub(crate) fn polled(&self, whole: bool) {
        if whole {
            &self.polls
        } else {
            &self.polls_failed
        }
        .fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn logged_on(&self) {
        self.log_ons.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn posted(&self, outcome: &'static str) {
        bump(&self.posts, outcome);
    }

    /// A delivery of an integration went into a state. Integrations are those that were ever enabled, so this is bounded.
    pub(crate) fn moved(&self, instance: &InstanceId, state: StateKind) {
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        if !moved.contains_key(instance) {
            moved.insert(instance.clone(), BTreeMap::new());
        }
        if let Some(moves) = moved.get_mut(instance) {
            *moves.entry(became(state)).or_default() += 1;
        }
    }

    pub(crate) fn snapshot(&self) -> CountersSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CountersSnapshot {
            messages: read(&self.messages),
            duplicates: read(&self.duplicates),
            deliveries: read(&self.deliveries),
            deduplicated: read(&self.deduplicated),
            polls: read(&self.polls),
            polls_failed: read(&self.polls_failed),
            reads: read(&self.reads),
            log_ons: read(&self.log_ons),
            refused: copy(&self.refused),
            posts: copy(&self.posts),
            transitions: self.transitions(),
            moved: self.by_instance(),
        }
    }

    fn transitions(&self) -> BTreeMap<String, u64> {
        let moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sums = BTreeMap::new();
        for (became_word, count) in moved.values().flatten() {
            let state = StateKind::ALL
                .into_iter()
                .find(|state| became(*state) == *became_word);
            let word = state.map_or(*became_word, StateKind::as_str);
            *sums.entry(word.to_owned()).or_default() += count;
        }
        sums
    }

    fn by_instance(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        let words = |moves: &BTreeMap<&'static str, u64>| {
            let words = moves
                .iter()
                .map(|(word, count)| ((*word).to_owned(), *count));
            words.collect()
        };
        let named = moved
            .iter()
            .map(|(instance, moves)| (instance.to_string(), words(moves)));
        named.collect()
    }
}

/// The word for what becomes of a delivery that goes into a state: one that is pending again is retried.
const fn became(state: StateKind) -> &'static str {
    match state {
        StateKind::Pending => "retried",
        StateKind::InFlight => "claimed",
        StateKind::Uncertain => "uncertain",
        StateKind::Held => "held",
        StateKind::Delivered => "delivered",
        StateKind::Skipped => "skipped",
        StateKind::Discarded => "discarded",
        StateKind::Joined => "joined",
    }
}

type ByName = Mutex<BTreeMap<&'static str, u64>>;

fn bump(counts: &ByName, name: &'static str) {
    *counts
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .entry(name)
        .or_default() += 1;
}

fn copy(counts: &ByName) -> BTreeMap<String, u64> {
    let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    counts
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}
