//! The circuit breaker of a connection, and its pause.
//!
//! While it is open nothing is claimed or read, so waiting deliveries use up no attempts. One
//! probe at a time finds out whether the system is back (see [`super::guard`]).

use crate::context::later;
use jiff::Timestamp;
use ml_connector_core::delivery::Class;
use ml_connector_core::plan;
use ml_connector_store::{Announcer, Changes};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a refusal of our credentials is left alone before one more try: repeating it soon would
/// lock the account.
pub(crate) const REFUSED_FIRST: Duration = Duration::from_secs(30 * 60);
/// The longest wait after repeated refusals.
pub(crate) const REFUSED_MAX: Duration = Duration::from_secs(4 * 3600);

/// A connection's circuit.
#[derive(Debug)]
pub(crate) struct Circuit {
    rules: plan::Circuit,
    state: Mutex<State>,
    announcer: Announcer,
}

#[derive(Debug)]
struct State {
    condition: Condition,
    /// Troubles in a row.
    troubles: u32,
    /// How often it opened since a call other than a probe last went well; what the wait grows by.
    opened: u32,
    /// Whether it is open because of a refusal.
    refused: bool,
    cause: Option<Cause>,
    pause: Option<Pause>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Closed,
    /// One call may try.
    HalfOpen {
        taken: bool,
    },
    Open {
        until: Timestamp,
    },
}

/// Why a circuit opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// What kind of trouble.
    pub class: Class,
    /// What happened.
    pub why: String,
    /// The next step in plain words; empty where waiting is enough.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
    /// Since when.
    pub since: Timestamp,
}

/// That a person stopped a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who.
    pub actor: String,
    /// Why, in the person's words.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// A circuit as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CircuitView {
    /// `closed`, `half_open` or `open`.
    pub state: String,
    /// Why it is not closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// When the next probe is due, if it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_at: Option<Timestamp>,
    /// Whether a person stopped the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
}

/// Leave to make one call. Of a half-open circuit there is one at a time, given back on drop.
#[derive(Debug)]
pub(crate) struct Admission {
    trial_of: Option<Arc<Circuit>>,
}

impl Admission {
    /// The probe's own leave.
    pub(crate) const fn of_probe() -> Self {
        Self { trial_of: None }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let Some(circuit) = &self.trial_of {
            let mut state = circuit.held();
            if state.condition == (Condition::HalfOpen { taken: true }) {
                state.condition = Condition::HalfOpen { taken: false };
                drop(state);
                circuit.changed();
            }
        }
    }
}

impl Circuit {
    pub(crate) fn new(rules: plan::Circuit) -> Arc<Self> {
        let state = State {
            condition: Condition::Closed,
            troubles: 0,
            opened: 0,
            refused: false,
            cause: None,
            pause: None,
        };
        Arc::new(Self {
            rules,
            state: Mutex::new(state),
            announcer: Announcer::default(),
        })
    }

    /// Changes whenever what [`Circuit::admits`] says may have changed.
    pub(crate) fn changes(&self) -> Changes {
        self.announcer.changes()
    }

    /// Whether a call would be let through.
    pub(crate) fn admits(&self) -> bool {
        let state = self.held();
        state.pause.is_none()
            && matches!(
                state.condition,
                Condition::Closed | Condition::HalfOpen { taken: false }
            )
    }

    /// Lets one call through, if calls are let through at all.
    pub(crate) fn admit(self: &Arc<Self>) -> Option<Admission> {
        let mut state = self.held();
        if state.pause.is_some() {
            return None;
        }
        match state.condition {
            Condition::Closed => Some(Admission { trial_of: None }),
            Condition::HalfOpen { taken: false } => {
                state.condition = Condition::HalfOpen { taken: true };
                Some(Admission {
                    trial_of: Some(Arc::clone(self)),
                })
            }
            Condition::HalfOpen { taken: true } | Condition::Open { .. } => None,
        }
    }

    /// The system answered sensibly.
    pub(crate) fn fine(&self) {
        let mut state = self.held();
        state.troubles = 0;
        match state.condition {
            Condition::Closed => state.opened = 0,
            Condition::HalfOpen { .. } => {
                state.opened = 0;
                state.condition = Condition::Closed;
                state.cause = None;
                drop(state);
                self.changed();
            }
            // The answer to a call made before it opened. The probe decides.
            Condition::Open { .. } => {}
        }
    }

    /// The system did not answer, or says that it cannot. Returns whether this opened the circuit.
    pub(crate) fn trouble(&self, class: Class, why: &str, now: Timestamp) -> bool {
        let mut state = self.held();
        state.troubles = state.troubles.saturating_add(1);
        let opens = match state.condition {
            Condition::Closed => state.troubles >= self.rules.failures.max(1),
            Condition::HalfOpen { .. } => true,
            Condition::Open { .. } => false,
        };
        if opens {
            let cause = Cause {
                class,
                why: why.to_owned(),
                help: String::new(),
                since: now,
            };
            state.refused = false;
            self.open(state, cause, now);
        }
        opens
    }

    /// Our credentials are refused, or there are none: opens at once. Returns whether this opened it.
    ///
    /// Calls that were under way together are refused together; that is one refusal. One that comes
    /// while the circuit is open for a trouble makes the wait as long as a refusal's.
    pub(crate) fn refuse(&self, cause: Cause, now: Timestamp) -> bool {
        let mut state = self.held();
        match state.condition {
            Condition::Open { .. } if state.refused => return false,
            Condition::Open { .. } => state.opened = state.opened.saturating_sub(1),
            Condition::Closed | Condition::HalfOpen { .. } => {}
        }
        state.refused = true;
        self.open(state, cause, now);
        true
    }

    fn open(&self, mut state: MutexGuard<'_, State>, cause: Cause, now: Timestamp) {
        let wait = wait_when_open(cause.class, &self.rules, state.opened);
        let until = later(now, wait);
        state.condition = Condition::Open { until };
        state.opened = state.opened.saturating_add(1);
        state.cause = Some(cause);
        drop(state);
        self.changed();
    }

    /// When the probe is due, if the circuit is open and nobody has paused the connection.
    pub(crate) fn probe_due(&self) -> Option<Timestamp> {
        let state = self.held();
        match state.condition {
            Condition::Open { until } if state.pause.is_none() => Some(until),
            Condition::Open { .. } | Condition::Closed | Condition::HalfOpen { .. } => None,
        }
    }

    /// The probe found the system well.
    pub(crate) fn probed_fine(&self) {
        self.leave_open(Condition::Closed);
    }

    /// There is no probe: the next call is the probe.
    pub(crate) fn half_open(&self) {
        self.leave_open(Condition::HalfOpen { taken: false });
    }

    fn leave_open(&self, condition: Condition) {
        let mut state = self.held();
        if let Condition::Open { .. } = state.condition {
            state.condition = condition;
            state.troubles = 0;
            if condition == Condition::Closed {
                state.cause = None;
            }
            drop(state);
            self.changed();
        }
    }

    /// The probe found it still in trouble: the wait doubles.
    pub(crate) fn probed_trouble(&self, cause: Cause, now: Timestamp) {
        let state = self.held();
        let since = state
            .cause
            .as_ref()
            .map_or(cause.since, |known| known.since);
        self.open(state, Cause { since, ..cause }, now);
    }

    /// A person stops the connection.
    pub(crate) fn pause(&self, pause: Pause) {
        self.held().pause = Some(pause);
        self.changed();
    }

    /// A person lets it go on; an open circuit is probed at once.
    pub(crate) fn resume(&self, now: Timestamp) {
        let mut state = self.held();
        state.pause = None;
        state.opened = 0;
        if let Condition::Open { until } = &mut state.condition {
            *until = now;
        }
        drop(state);
        self.changed();
    }

    /// Stands where the same connection's circuit stood under the plan before. What a correction of
    /// the definitions may have mended is probed at once.
    pub(crate) fn go_on_from(&self, before: &Self, now: Timestamp) {
        let before = before.held();
        let mut state = self.held();
        state.condition = match before.condition {
            Condition::Open { until } => {
                let class = before.cause.as_ref().map(|cause| cause.class);
                let mended = class == Some(Class::Configuration);
                Condition::Open {
                    until: if mended { now } else { until },
                }
            }
            Condition::HalfOpen { .. } => Condition::HalfOpen { taken: false },
            Condition::Closed => Condition::Closed,
        };
        state.troubles = before.troubles;
        state.opened = before.opened;
        state.refused = before.refused;
        state.cause.clone_from(&before.cause);
        state.pause.clone_from(&before.pause);
        drop(state);
        self.changed();
    }

    pub(crate) fn view(&self) -> CircuitView {
        let state = self.held();
        let (word, probe_at) = match state.condition {
            Condition::Closed => ("closed", None),
            Condition::HalfOpen { .. } => ("half_open", None),
            Condition::Open { until } => ("open", Some(until)),
        };
        CircuitView {
            state: word.to_owned(),
            cause: state.cause.clone(),
            probe_at,
            pause: state.pause.clone(),
        }
    }

    fn changed(&self) {
        self.announcer.announce();
    }

    fn held(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long nothing is asked after the circuit opened for the `times`-th time in a row, counted from
/// 0: by the connector's rules, and for long where our credentials are refused.
pub(crate) fn wait_when_open(class: Class, rules: &plan::Circuit, times: u32) -> Duration {
    let (first, max) = if class == Class::Authentication {
        (REFUSED_FIRST, REFUSED_MAX)
    } else {
        (rules.first, rules.max)
    };
    doubled(first, max, times)
}

/// `first` doubled `times` times, held at `max`.
fn doubled(first: Duration, max: Duration, times: u32) -> Duration {
    first
        .saturating_mul(2_u32.saturating_pow(times.min(20)))
        .min(max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    const RULES: plan::Circuit = plan::Circuit {
        failures: 3,
        first: Duration::from_secs(5),
        max: Duration::from_secs(60),
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn trouble(circuit: &Circuit, times: u32, now: Timestamp) {
        for _ in 0..times {
            circuit.trouble(Class::Intermittent, "no answer", now);
        }
    }

    #[test]
    fn only_troubles_in_a_row_open_it() {
        let circuit = Circuit::new(RULES);
        trouble(&circuit, 2, at(0));
        circuit.fine();
        trouble(&circuit, 2, at(0));
        assert!(circuit.admit().is_some());
        trouble(&circuit, 1, at(0));
        assert!(circuit.admit().is_none());
        assert_eq!(circuit.probe_due(), Some(at(5)));
    }

    #[test]
    fn the_wait_doubles_until_a_call_that_is_no_probe_goes_well() {
        let circuit = Circuit::new(RULES);
        trouble(&circuit, 3, at(0));
        // A system that passes its health call and fails every write must not be hammered.
        for wait in [5, 10, 20, 40, 60, 60] {
            assert_eq!(circuit.probe_due(), Some(at(wait)));
            circuit.probed_fine();
            trouble(&circuit, 3, at(0));
        }
        circuit.probed_fine();
        circuit.fine();
        trouble(&circuit, 3, at(0));
        assert_eq!(circuit.probe_due(), Some(at(5)));
    }

    #[test]
    fn a_late_answer_does_not_close_it() {
        let circuit = Circuit::new(RULES);
        trouble(&circuit, 3, at(0));
        circuit.fine();
        assert!(circuit.admit().is_none());
    }

    #[test]
    fn half_open_admits_one_call_at_a_time() {
        let circuit = Circuit::new(RULES);
        trouble(&circuit, 3, at(0));
        circuit.half_open();
        let trial = circuit.admit().unwrap();
        assert!(circuit.admit().is_none());
        drop(trial);
        let trial = circuit.admit().unwrap();
        circuit.fine();
        drop(trial);
        assert!(circuit.admit().is_some() && circuit.admit().is_some());
        assert_eq!(circuit.view().state, "closed");
    }

    #[test]
    fn a_refusal_opens_at_once_and_for_long_until_somebody_resumes() {
        let circuit = Circuit::new(RULES);
        let cause = Cause {
            class: Class::Authentication,
            why: "wrong password".into(),
            help: "set it".into(),
            since: at(0),
        };
        circuit.refuse(cause.clone(), at(0));
        assert_eq!(circuit.probe_due(), Some(later(at(0), REFUSED_FIRST)));
        circuit.probed_trouble(cause.clone(), at(10));
        assert_eq!(circuit.probe_due(), Some(later(at(10), 2 * REFUSED_FIRST)));
        circuit.resume(at(20));
        assert_eq!(circuit.probe_due(), Some(at(20)));
        assert_eq!(circuit.view().cause, Some(cause));
    }

    #[test]
    fn refusals_of_calls_that_were_under_way_together_are_one() {
        let cause = Cause {
            class: Class::Authentication,
            why: "wrong password".into(),
            help: "set it".into(),
            since: at(0),
        };
        let circuit = Circuit::new(RULES);
        assert!(circuit.refuse(cause.clone(), at(0)));
        assert!(!circuit.refuse(cause.clone(), at(1)));
        assert!(!circuit.refuse(cause.clone(), at(2)));
        assert_eq!(circuit.probe_due(), Some(later(at(0), REFUSED_FIRST)));
        // One that comes while it is open for a trouble is a refusal all the same.
        let circuit = Circuit::new(RULES);
        trouble(&circuit, 3, at(0));
        assert!(circuit.refuse(cause, at(1)));
        assert_eq!(circuit.probe_due(), Some(later(at(1), REFUSED_FIRST)));
    }

    #[test]
    fn a_pause_stops_calls_and_probes() {
        let circuit = Circuit::new(RULES);
        let mut changes = circuit.changes();
        circuit.pause(Pause {
            actor: "ann".into(),
            reason: "upgrade".into(),
            since: at(0),
        });
        assert!(changes.changed().now_or_never().is_some());
        assert!(circuit.admit().is_none() && !circuit.admits());
        trouble(&circuit, 3, at(0));
        assert_eq!(circuit.probe_due(), None);
        circuit.resume(at(7));
        assert_eq!(circuit.probe_due(), Some(at(7)));
    }
}
