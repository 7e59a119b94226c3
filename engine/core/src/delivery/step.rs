//! The one place where the fate of a delivery is decided.
//!
//! Long because: every event in every state is decided in one sight, and nowhere else.

mod decided;

use super::{
    Awaited, Class, Content, Decision, DeliveryState, Hold, LookUp, Outcome, Part, Progress,
    Receipt, RepeatKind, RepeatSafety, StateKind, Trouble,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How retries are spaced and when they end. Shape: `docs/guide/integrations.md`, `retry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The wait before the first retry, before jitter.
    pub first: Duration,
    /// What each further wait is multiplied by, in thousandths (2000 doubles).
    pub factor_thousandths: u32,
    /// No wait is longer.
    pub max: Duration,
    /// Whether each wait is drawn evenly between zero and its full length.
    pub full_jitter: bool,
    /// Retries end this long after the first.
    pub give_up_after: Duration,
}

/// What `step` needs to know of the integration and its operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Spacing and end of retries.
    pub retry: RetryPolicy,
    /// What makes sending again safe.
    pub repeat: RepeatSafety,
}

/// Something that happened to a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A worker is about to send; this is stored first.
    Claimed {
        /// When the claim lapses.
        lease_until: Timestamp,
        /// See [`Progress::claim`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fingerprint: Option<String>,
        /// See [`Progress::part`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        part: Option<Part>,
    },
    /// The group of events waits for more of them, or for what completes it.
    GroupWaits {
        /// When to ask again.
        due_at: Timestamp,
    },
    /// No further event joins the group: it may be prepared.
    GroupClosed,
    /// It was routed once more before anything was sent: it has its keys and its lane now.
    Routed,
    /// Fetching or mapping failed, so nothing was sent.
    NotPrepared(Trouble),
    /// The integration says that this record needs nothing.
    Skipped {
        /// In its words.
        reason: String,
    },
    /// Claimed, but certainly nothing left this machine.
    NotSent {
        /// What failed.
        why: String,
    },
    /// The target answered.
    Answered(Outcome),
    /// A step of a sequence finished; the next one waits until then.
    StepDone {
        /// The finished step's name.
        name: String,
        /// What later steps may use of its answer.
        result: super::Document,
        /// When the next step is due.
        due_at: Timestamp,
    },
    /// A step asks again later; nothing was changed at the target.
    StepWaits {
        /// When to ask again.
        due_at: Timestamp,
    },
    /// The claim lapsed, or its process ended, without an answer.
    LeaseLost,
    /// The target was asked for our reference.
    LookedUp(LookUp),
    /// What the delivery was held for has appeared.
    Released,
    /// A person decided.
    Decided {
        /// What.
        decision: Decision,
        /// Why, in the person's words.
        reason: String,
    },
}

impl Event {
    /// The one state this can happen in, where there is one, and the event's name in messages.
    const fn only_in(&self) -> Option<(StateKind, &'static str)> {
        match self {
            Self::Claimed { .. } => Some((StateKind::Pending, "claim")),
            Self::GroupWaits { .. } => Some((StateKind::Pending, "group waits")),
            Self::GroupClosed => Some((StateKind::Pending, "group closed")),
            Self::Routed => Some((StateKind::Pending, "routing")),
            Self::NotPrepared(_) => Some((StateKind::Pending, "preparation failure")),
            Self::Skipped { .. } => Some((StateKind::Pending, "skip")),
            Self::NotSent { .. } => Some((StateKind::InFlight, "not sent")),
            Self::Answered(_) => Some((StateKind::InFlight, "answer")),
            Self::StepWaits { .. } => Some((StateKind::InFlight, "step waits")),
            Self::LeaseLost => Some((StateKind::InFlight, "lost lease")),
            Self::StepDone { .. } | Self::LookedUp(_) | Self::Released | Self::Decided { .. } => {
                None
            }
        }
    }
}

/// What the shell must do beyond storing the new state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The record is finished: the next one with its order key may go.
    ReleaseOrderKey,
    /// The session or token is stale.
    Reauthenticate,
    /// The target did not answer or says it cannot: one mark against its circuit.
    SystemTrouble,
    /// The target answered sensibly: its circuit may close.
    SystemFine,
    /// The connection must pause.
    SlowDown {
        /// For how long, if the target said so.
        after: Option<Duration>,
    },
}

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stepped {
    /// The new state.
    pub state: DeliveryState,
    /// The new progress.
    pub progress: Progress,
    /// What else to do.
    pub effects: Vec<Effect>,
}

/// An event that cannot happen in this state. Nothing changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a delivery that is {state} cannot take `{event}`{hint}", state = .state.as_str())]
pub struct Refused {
    /// Where the delivery stands.
    pub state: StateKind,
    /// What was asked.
    pub event: &'static str,
    /// What to do instead, or empty.
    pub hint: &'static str,
}

/// Decides what an event makes of a delivery.
///
/// `jitter` is an evenly drawn number; `now` is the present. Nothing else enters.
///
/// # Errors
/// If the event cannot happen in this state, e.g. an answer for a delivery that was not claimed.
pub fn step(
    state: &DeliveryState,
    progress: &Progress,
    event: Event,
    policy: &Policy,
    now: Timestamp,
    jitter: u64,
) -> Result<Stepped, Refused> {
    let mut turn = Turn {
        policy,
        now,
        jitter,
        progress: progress.clone(),
        effects: Vec::new(),
    };
    if let Some((kind, name)) = event.only_in()
        && state.kind() != kind
    {
        return Err(refusal(state, name, ""));
    }
    if let (Event::Claimed { .. } | Event::Skipped { .. }, Some(group)) = (&event, &progress.group)
        && group.open
    {
        return Err(refusal(state, "claim or skip", ": its group is not closed"));
    }
    if matches!(event, Event::Skipped { .. }) && progress.content == Content::Fixed {
        return Err(refusal(state, "skip", ": it was begun, so it goes on"));
    }
    let next = match event {
        Event::Claimed {
            lease_until,
            fingerprint,
            part,
        } => {
            turn.may_be_claimed(state)?;
            turn.progress.part = part;
            turn.claimed(lease_until, fingerprint)
        }
        Event::GroupWaits { due_at } => turn.gathering(state, due_at)?,
        Event::GroupClosed => turn.closed(state)?,
        Event::Routed if progress.attempts > 0 => {
            let hint = ": it was sent under the keys and to the lane that it has";
            return Err(refusal(state, "routing", hint));
        }
        Event::Routed => DeliveryState::Pending { due_at: now },
        Event::NotPrepared(trouble) => turn.trouble(trouble),
        Event::Skipped { reason } => turn.finish(DeliveryState::Skipped { reason }),
        Event::NotSent { why } => turn.not_sent(&why),
        Event::Answered(outcome) => turn.answered(outcome),
        Event::StepDone {
            name,
            result,
            due_at,
        } => {
            // Of an uncertain step, a look-up that found it says so; the sequence goes on after it.
            if !matches!(state.kind(), StateKind::InFlight | StateKind::Uncertain) {
                return Err(refusal(state, "step done", ""));
            }
            turn.step_done(name, result, due_at)
        }
        Event::StepWaits { due_at } => {
            turn.effects.push(Effect::SystemFine);
            turn.progress.retries = 0;
            turn.progress.content = Content::Fixed;
            DeliveryState::Pending { due_at }
        }
        Event::LeaseLost => {
            turn.unknown("the engine stopped between sending and recording the answer".to_owned())
        }
        Event::LookedUp(found) => {
            let DeliveryState::Uncertain {
                since,
                absences,
                why,
                ..
            } = state
            else {
                return Err(refusal(state, "look-up", ""));
            };
            turn.looked_up(found, *since, *absences, why)
        }
        Event::Released => {
            let DeliveryState::Held(Hold {
                in_doubt: false,
                awaits: Some(_),
                ..
            }) = state
            else {
                return Err(refusal(state, "release", ""));
            };
            turn.fresh()
        }
        Event::Decided { decision, reason } => turn.decided(state, decision, reason)?,
    };
    if turn.progress.content == Content::Claimed && next.kind() != StateKind::InFlight {
        // Whatever it came to, it is not fixed: the claim did nothing.
        turn.progress.content = Content::Open;
    }
    Ok(Stepped {
        state: next,
        progress: turn.progress,
        effects: turn.effects,
    })
}

/// The wait before retry number `retry` (0 is the first).
///
/// With full jitter it is drawn evenly from zero to the exponential wait, which spreads many deliveries that failed
/// together better than any narrower band; `floor` (what the target asked for) is kept on top of it.
pub fn backoff(policy: &RetryPolicy, retry: u32, jitter: u64, floor: Option<Duration>) -> Duration {
    let mut millis = u128::from(u64::try_from(policy.first.as_millis()).unwrap_or(u64::MAX));
    let max = policy.max.as_millis();
    for _ in 0..retry {
        if millis >= max {
            break;
        }
        millis = millis.saturating_mul(u128::from(policy.factor_thousandths)) / 1000;
    }
    let full = u64::try_from(millis.min(max)).unwrap_or(u64::MAX);
    let wait = if policy.full_jitter {
        // The product of two 64-bit numbers over 2^64 scales without a modulo's bias.
        u64::try_from((u128::from(full) * u128::from(jitter)) >> 64).unwrap_or(full)
    } else {
        full
    };
    floor.unwrap_or_default() + Duration::from_millis(wait)
}

/// How often a record that is held for its accounting period is tried again: a period opens when a person opens it, and
/// nothing says so.
const PERIOD_LOOK: Duration = Duration::from_secs(6 * 3600);

/// One call of [`step`].
struct Turn<'a> {
    policy: &'a Policy,
    now: Timestamp,
    jitter: u64,
    progress: Progress,
    effects: Vec<Effect>,
}

impl Turn<'_> {
    fn gathering(
        &mut self,
        state: &DeliveryState,
        due_at: Timestamp,
    ) -> Result<DeliveryState, Refused> {
        if !self.progress.group.as_ref().is_some_and(|group| group.open) {
            return Err(refusal(state, "group waits", ": it has no open group"));
        }
        self.progress.retries = 0;
        self.progress.trying_since = None;
        Ok(DeliveryState::Pending { due_at })
    }

    fn closed(&mut self, state: &DeliveryState) -> Result<DeliveryState, Refused> {
        match &mut self.progress.group {
            Some(group) if group.open => group.open = false,
            Some(_) | None => {
                return Err(refusal(state, "group closed", ": it has no open group"));
            }
        }
        Ok(self.fresh())
    }

    /// What the target may have already is sent again only by what makes that safe now.
    fn may_be_claimed(&self, state: &DeliveryState) -> Result<(), Refused> {
        if self.progress.is_repeatable(self.policy.repeat) {
            return Ok(());
        }
        let hint = ": the target may already have it, and nothing makes repeating it safe";
        Err(refusal(state, "claim", hint))
    }

    fn claimed(&mut self, lease_until: Timestamp, fingerprint: Option<String>) -> DeliveryState {
        self.progress.claim = fingerprint;
        self.progress.claimed_as = Some(self.policy.repeat.kind());
        if self.progress.content == Content::Open {
            self.progress.content = Content::Claimed;
        }
        self.progress.attempts = self.progress.attempts.saturating_add(1);
        self.progress.trying_since.get_or_insert(self.now);
        DeliveryState::InFlight { lease_until }
    }

    fn trouble(&mut self, trouble: Trouble) -> DeliveryState {
        match trouble {
            Trouble::Passing { class, why, after } => self.retry(class, &why, after),
            Trouble::Lasting {
                class,
                why,
                help,
                awaits,
            } => DeliveryState::Held(Hold {
                class,
                why,
                help,
                since: self.now,
                awaits: awaits.or_else(|| self.look_again(class)),
                in_doubt: class == Class::InDoubt
                    && (self.progress.maybe_sent || self.progress.maybe_done),
            }),
        }
    }

    /// When a hold of this class ends by itself, to be tried again.
    fn look_again(&self, class: Class) -> Option<Awaited> {
        (class == Class::Period).then(|| Awaited::Until {
            due_at: later(self.now, PERIOD_LOOK),
        })
    }

    fn not_sent(&mut self, why: &str) -> DeliveryState {
        self.effects.push(Effect::SystemTrouble);
        self.retry(Class::Intermittent, why, None)
    }

    fn answered(&mut self, outcome: Outcome) -> DeliveryState {
        match outcome {
            Outcome::Succeeded { receipt, .. } | Outcome::AlreadyThere { receipt } => {
                self.delivered(receipt)
            }
            Outcome::Retry { after, class, why } => {
                let trouble = matches!(class, Class::Intermittent | Class::Authentication);
                self.effects.push(if trouble {
                    Effect::SystemTrouble
                } else {
                    Effect::SystemFine
                });
                self.retry(class, &why, after)
            }
            Outcome::Throttle { after, why } => {
                self.effects.push(Effect::SlowDown { after });
                self.retry(Class::Capacity, &why, after)
            }
            Outcome::Reauthenticate { why } => {
                self.effects.push(Effect::Reauthenticate);
                self.retry_soon(Class::Authentication, &why)
            }
            // A refusal of our credentials says nothing about this record, and concerns every other one as well: it
            // waits with its connection instead of being held.
            Outcome::Rejected {
                class: class @ Class::Authentication,
                why,
                ..
            } => {
                self.effects.push(Effect::SystemTrouble);
                self.retry(class, &why, None)
            }
            Outcome::Rejected { class, why, help } => {
                self.effects.push(Effect::SystemFine);
                let in_doubt = self.progress.maybe_sent;
                if !in_doubt && !self.progress.maybe_done && self.progress.results.is_empty() {
                    // It did nothing, so it may be mended: by whom it comes from, or in the definitions.
                    self.progress.content = Content::Open;
                }
                DeliveryState::Held(Hold {
                    class,
                    why,
                    help,
                    since: self.now,
                    awaits: self.look_again(class).filter(|_| !in_doubt),
                    in_doubt,
                })
            }
            Outcome::Unknown { why } => {
                self.effects.push(Effect::SystemTrouble);
                self.unknown(why)
            }
        }
    }

    fn step_done(
        &mut self,
        name: String,
        result: super::Document,
        due_at: Timestamp,
    ) -> DeliveryState {
        self.effects.push(Effect::SystemFine);
        self.progress.results.insert(name, result);
        self.progress.content = Content::Fixed;
        self.progress.step = self.progress.step.saturating_add(1);
        self.progress.retries = 0;
        self.progress.trying_since = None;
        self.progress.maybe_sent = false;
        self.progress.maybe_done = false;
        self.progress.look_ups_fail_since = None;
        DeliveryState::Pending { due_at }
    }

    /// The answer is not known. Only the declared repeat safety opens a way back to sending: that under which it was sent,
    /// as far as it is the present one too, or a look-up for what was claimed.
    fn unknown(&mut self, why: String) -> DeliveryState {
        self.progress.content = Content::Fixed;
        if let RepeatSafety::LookUp { settle, .. } = self.policy.repeat {
            return DeliveryState::Uncertain {
                due_at: later(self.now, settle),
                since: self.now,
                absences: 0,
                why,
            };
        }
        let present = self.policy.repeat.kind();
        match self.progress.claimed_as.unwrap_or(present) {
            RepeatKind::IdempotencyKey => self.progress.maybe_sent = true,
            RepeatKind::Natural => self.progress.maybe_done = true,
            RepeatKind::LookUp | RepeatKind::None => return self.in_doubt(why),
        }
        if self.progress.is_repeatable(self.policy.repeat) {
            self.retry(Class::Intermittent, &why, None)
        } else {
            self.in_doubt(why)
        }
    }

    fn looked_up(
        &mut self,
        found: LookUp,
        since: Timestamp,
        absences: u32,
        why: &str,
    ) -> DeliveryState {
        let RepeatSafety::LookUp {
            settle,
            absences: needed,
            give_up_after,
        } = self.policy.repeat
        else {
            // The definition changed under an uncertain delivery and no longer says how to look: a person decides.
            return self.in_doubt(why.to_owned());
        };
        match found {
            LookUp::Found { receipt } => self.delivered(receipt),
            LookUp::Differs { why } => {
                self.effects.push(Effect::SystemFine);
                self.in_doubt(why)
            }
            LookUp::Absent if absences + 1 >= needed => {
                self.effects.push(Effect::SystemFine);
                self.progress.look_ups_fail_since = None;
                self.retry(Class::Intermittent, why, None)
            }
            LookUp::Absent => {
                self.effects.push(Effect::SystemFine);
                self.progress.look_ups_fail_since = None;
                let due_at = later(self.now, settle);
                DeliveryState::Uncertain {
                    due_at,
                    since,
                    absences: absences + 1,
                    why: why.to_owned(),
                }
            }
            LookUp::Failed {
                why: trouble,
                after,
            } => {
                self.effects.push(Effect::SystemTrouble);
                // Counted from the first that failed: an outage in which nothing could be looked up is not held against
                // the record.
                let failing = *self.progress.look_ups_fail_since.get_or_insert(self.now);
                if self.now >= later(failing, give_up_after) {
                    return self.in_doubt(format!("{why}; the look-up fails: {trouble}"));
                }
                let wait = backoff(
                    &self.policy.retry,
                    self.progress.retries,
                    self.jitter,
                    after.or(Some(settle)),
                );
                self.progress.retries = self.progress.retries.saturating_add(1);
                DeliveryState::Uncertain {
                    due_at: later(self.now, wait),
                    since,
                    absences,
                    why: why.to_owned(),
                }
            }
        }
    }

    fn delivered(&mut self, receipt: Receipt) -> DeliveryState {
        self.effects.push(Effect::SystemFine);
        self.finish(DeliveryState::Delivered { receipt })
    }

    fn finish(&mut self, state: DeliveryState) -> DeliveryState {
        if let Some(group) = &mut self.progress.group {
            // What comes later under the same key must not join what has ended.
            group.open = false;
        }
        self.progress.content = Content::Open;
        self.effects.push(Effect::ReleaseOrderKey);
        state
    }

    /// Due at once, with the retry count forgotten: the reason it failed for is gone. What may have been sent is not.
    fn fresh(&mut self) -> DeliveryState {
        self.progress.retries = 0;
        self.progress.trying_since = None;
        self.progress.look_ups_fail_since = None;
        DeliveryState::Pending { due_at: self.now }
    }

    /// As [`Turn::fresh`], of what a person says does not stand in the target; what steps have done stands there.
    fn anew(&mut self) -> DeliveryState {
        self.progress.maybe_sent = false;
        self.progress.maybe_done = false;
        if self.progress.results.is_empty() {
            self.progress.content = Content::Open;
        }
        self.fresh()
    }

    fn retry(&mut self, class: Class, why: &str, after: Option<Duration>) -> DeliveryState {
        let since = *self.progress.trying_since.get_or_insert(self.now);
        if self.now >= later(since, self.policy.retry.give_up_after) {
            return DeliveryState::Held(Hold {
                class: Class::Exhausted,
                why: format!(
                    "{why} (last of {} tries, class {})",
                    self.progress.retries + 1,
                    class.as_str()
                ),
                help: "mend the cause, then retry it".to_owned(),
                since: self.now,
                awaits: None,
                // Weeks later the target may have forgotten the key, so a person looks first.
                in_doubt: self.progress.maybe_sent,
            });
        }
        let wait = backoff(
            &self.policy.retry,
            self.progress.retries,
            self.jitter,
            after,
        );
        self.progress.retries = self.progress.retries.saturating_add(1);
        DeliveryState::Pending {
            due_at: later(self.now, wait),
        }
    }

    /// At once the first time, since a fresh log-on usually mends it; with backoff when that did not help.
    fn retry_soon(&mut self, class: Class, why: &str) -> DeliveryState {
        if self.progress.retries > 0 {
            return self.retry(class, why, None);
        }
        self.progress.retries = 1;
        self.progress.trying_since.get_or_insert(self.now);
        DeliveryState::Pending { due_at: self.now }
    }

    fn in_doubt(&mut self, why: String) -> DeliveryState {
        DeliveryState::Held(Hold {
            class: Class::InDoubt,
            why,
            help:
                "look in the target for our reference, then resolve it as posted or as not posted"
                    .to_owned(),
            since: self.now,
            awaits: None,
            in_doubt: true,
        })
    }
}

fn refusal(state: &DeliveryState, event: &'static str, hint: &'static str) -> Refused {
    Refused {
        state: state.kind(),
        event,
        hint,
    }
}

/// `now + wait`, held at the end of representable time.
pub fn later(now: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| now.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;
