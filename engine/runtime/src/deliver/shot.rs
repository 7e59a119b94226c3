//! An attempt: claim, send, judge, settle.

use super::aim::{Aim, Asking, NoTarget, Target, Turned, configuration};
use super::basis::Basis;
use super::prepare::Preparing;
use super::route::lane_of;
use super::{Done, Job};
use crate::capture;
use crate::connection::{self, Asked, Link, NotNow, Read, Turn};
use crate::context::later;
use crate::settle::{With, decide, record, record_surely};
use crate::telemetry::{Span, SpanKind};
use jiff::Timestamp;
use ml_connector_core::delivery::{
    Awaited, Class, DeliveryState, Effect, Event, LookUp, Outcome, Policy, RepeatSafety, Stepped,
    Trouble, backoff,
};
use ml_connector_core::http::SendError;
use ml_connector_core::identity::CrosswalkId;
use ml_connector_core::plan::LookUpSpec;
use ml_connector_core::protocol::{self, Answer, Call, ReadResult, StepVerdict};
use ml_connector_store::{CrosswalkEntry, Exchange, KeptContent};
use serde_json::Value as Document;
use std::sync::Arc;
use std::time::Duration;

/// A claim outlives the time limit of its request by this much.
const LEASE_MARGIN: Duration = Duration::from_secs(30);

/// What a claim says beside what is sent.
struct Claim<'a> {
    fingerprint: String,
    keep: Option<KeptContent>,
    basis: Basis<'a>,
}

impl Job {
    /// Prepares and, if there is something to write, writes it.
    pub(super) async fn attempt(&mut self) -> Turned {
        let Some(instance) = self.instance() else {
            let why = format!("the site does not run `{}`", self.delivery.instance);
            return self
                .not_prepared(Trouble::Lasting {
                    class: Class::Configuration,
                    why,
                    help:
                        "give the site the integration again: it goes on by itself; or discard it"
                            .to_owned(),
                    awaits: Some(Awaited::Integration {
                        instance: self.delivery.instance.clone(),
                    }),
                })
                .await;
        };
        if self.is_open() {
            return self.gather(&instance).await;
        }
        // A site may have given the integration another connection since the delivery was accepted.
        // That is fine as long as nothing was ever sent to the old one.
        if self.delivery.progress.attempts == 0
            && let Some(lane) = lane_of(&instance).filter(|lane| *lane != self.lane.id())
        {
            return self.routed(lane.clone(), None).await;
        }
        let event = self.event(&instance).await?;
        if self.delivery.unrouted {
            return match &event {
                Ok(event) => self.route(&instance, event).await,
                Err(trouble) => self.not_prepared(trouble.clone()).await,
            };
        }
        let (prepared, basis) = match self.ready(&instance, &event).await? {
            Preparing::Ready { prepared, basis } => (prepared, basis),
            Preparing::Skip(reason) => return self.apply(Event::Skipped { reason }).await,
            Preparing::Trouble(trouble) => return self.not_prepared(trouble).await,
            Preparing::WaitsFor(connection) => return Ok(self.waits_for(connection)),
        };
        let link = match self.sink(&prepared.connection) {
            Ok(link) => link,
            Err(trouble) => return self.not_prepared(trouble).await,
        };
        let kept = basis.keep(&prepared);
        let aim = kept.and_then(|keep| Ok((keep, Aim::new(&link, &self.delivery, *prepared)?)));
        let (keep, mut aim) = match aim {
            Ok(aim) => aim,
            Err(trouble) => return self.not_prepared(trouble).await,
        };
        let target = match aim.target(&self.delivery) {
            Ok(target) => target,
            Err(NoTarget::Trouble(trouble)) => return self.not_prepared(trouble).await,
            Err(NoTarget::Encode(error)) => {
                let not_now = link.not_encodable(&aim.operation.name, &error);
                return self.not_now(link.id(), not_now).await;
            }
        };
        let policy = aim.policy(&instance, &target);
        let asking = aim.asking(&target);
        if let Some(why) = self.not_repeatable(&asking, &policy) {
            let help =
                "look in the target for our reference, then resolve it as posted or as not posted";
            return self
                .not_prepared(Trouble::Lasting {
                    class: Class::InDoubt,
                    why: why.to_owned(),
                    help: help.to_owned(),
                    awaits: None,
                })
                .await;
        }
        let claim = Claim {
            fingerprint: asking.fingerprint,
            keep,
            basis,
        };
        self.shoot(&mut aim, &target, &policy, claim).await
    }

    /// Why what the target may have already must not be sent again as it would be now.
    fn not_repeatable(&self, asking: &Asking, policy: &Policy) -> Option<&'static str> {
        let progress = &self.delivery.progress;
        if !progress.is_repeatable(policy.repeat) {
            return Some("its answer was lost, and nothing makes sending it again safe now");
        }
        let keyed = progress.maybe_sent && policy.repeat == RepeatSafety::IdempotencyKey;
        let claimed = progress.claim.as_ref().filter(|_| keyed);
        let other = claimed.is_some_and(|claimed| *claimed != asking.fingerprint);
        other.then_some("its answer was lost, and it would be sent under another key now")
    }

    /// The connection that is written to: the lane's own.
    pub(super) fn sink(
        &self,
        wanted: &ml_connector_core::identity::ConnectionId,
    ) -> Result<Arc<Link>, Trouble> {
        let lane = self.lane.id();
        if wanted == lane {
            return Ok(Arc::clone(&self.lane));
        }
        Err(configuration(format!(
            "it was begun at `{lane}`, but the integration now writes to `{wanted}`"
        )))
    }

    async fn shoot(
        &mut self,
        aim: &mut Aim,
        target: &Target,
        policy: &Policy,
        claim: Claim<'_>,
    ) -> Turned {
        let Claim {
            fingerprint,
            keep,
            basis,
        } = claim;
        let link = Arc::clone(&aim.link);
        let turn = match link.enter(target.operation.anonymous).await {
            Ok(turn) => turn,
            Err(not_now) => return self.not_now(link.id(), not_now).await,
        };
        let call = aim.target_call(target);
        let request = match turn.encode(&call) {
            Ok(request) => request,
            Err(error) => {
                let not_now = link.not_encodable(&target.operation.name, &error);
                return self.not_now(link.id(), not_now).await;
            }
        };
        let lease_until = later(self.context.now(), request.timeout + LEASE_MARGIN);
        let claim = Event::Claimed {
            lease_until,
            fingerprint: Some(fingerprint),
            part: Some(target.part.clone()),
        };
        let stepped = decide(&self.context, &self.delivery, &claim, policy)?;
        let with = With {
            reference: aim.reference.clone(),
            keep,
            exchange: Some(capture::request(&call)),
            ..With::default()
        };
        self.delivery = record(&self.context, &self.delivery, claim, &stepped, with).await?;

        let began = self.context.now();
        let clock = Arc::clone(&self.context.seams.clock);
        let answer = tokio::select! {
            biased;
            answer = turn.send(&call, request) => answer,
            () = clock.sleep_until(lease_until) => {
                Err(SendError::Unknown { why: "no answer before the claim lapsed".to_owned() })
            }
        };
        let took = self.context.now().duration_since(began);
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(0);
        self.trace_sent(&link, target, began, &answer);
        let exchange = match &answer {
            Ok(answer) => capture::answer(&call, answer, took_ms),
            Err(_) => Exchange {
                operation: target.operation.name.clone(),
                duration_ms: took_ms,
                ..Exchange::default()
            },
        };
        let event = self.judge(aim, target, turn, &answer).await;
        self.finish(&link, policy, event, exchange, &basis).await
    }

    /// The span of a request that went out.
    fn trace_sent(
        &self,
        link: &Link,
        target: &Target,
        began: Timestamp,
        answer: &Result<Answer, SendError>,
    ) {
        let Some((trace, turn)) = self.trace else {
            return;
        };
        let attempts = self.delivery.progress.attempts.to_string();
        let id = self.delivery.id.to_string();
        let mut attributes = vec![
            ("mlc.delivery", id.clone()),
            ("mlc.connection", link.id().to_string()),
            ("mlc.operation", target.operation.name.clone()),
            ("mlc.attempt", attempts.clone()),
        ];
        let failed = match answer {
            Ok(answer) => {
                attributes.push(("http.response.status_code", answer.status.to_string()));
                None
            }
            Err(SendError::NotSent { .. }) => Some("not sent".to_owned()),
            Err(SendError::Unknown { .. }) => Some("no answer".to_owned()),
        };
        self.context.traces.add(Span {
            trace,
            id: trace.span(&["send", &id, &attempts]),
            parent: Some(turn),
            name: "send",
            kind: SpanKind::Client,
            began,
            ended: self.context.now(),
            attributes,
            failed,
        });
    }

    /// What an answer means. The turn is used to drop a stale token, and is over before anything
    /// else is asked of the connection.
    async fn judge(
        &self,
        aim: &mut Aim,
        target: &Target,
        turn: Turn,
        answer: &Result<Answer, SendError>,
    ) -> Event {
        let outcome = {
            let call = aim.target_call(target);
            if target.operation.write().is_none() {
                return self.judge_read_step(aim, target, turn, answer).await;
            }
            if let Err(SendError::NotSent { why }) = answer {
                self.context.counters.posted("not_sent");
                return Event::NotSent { why: why.clone() };
            }
            let outcome = capture::meaning_of_write(&call, answer, self.context.now());
            self.context.counters.posted(connection::word(&outcome));
            close_turn(turn, &outcome).await;
            match (&outcome, answer) {
                (Outcome::AlreadyThere { .. }, Ok(answer)) => {
                    match protocol::adoption(&call, answer) {
                        Some(spec) => adopt(&aim.link, &call, spec, answer).await,
                        None => outcome,
                    }
                }
                _ => outcome,
            }
        };
        match outcome {
            Outcome::Succeeded { ref result, .. } if target.part.step.is_some() => {
                self.step_ended(aim, target, result.clone())
            }
            Outcome::AlreadyThere { ref receipt } if target.part.step.is_some() => {
                self.step_ended(aim, target, receipt.0.clone().into_iter().collect())
            }
            Outcome::Succeeded { .. }
            | Outcome::AlreadyThere { .. }
            | Outcome::Retry { .. }
            | Outcome::Throttle { .. }
            | Outcome::Reauthenticate { .. }
            | Outcome::Rejected { .. }
            | Outcome::Unknown { .. } => Event::Answered(outcome),
        }
    }

    /// A step that only reads: whatever goes wrong, nothing was changed.
    async fn judge_read_step(
        &self,
        aim: &mut Aim,
        target: &Target,
        turn: Turn,
        answer: &Result<Answer, SendError>,
    ) -> Event {
        let call = aim.target_call(target);
        let outcome = match capture::meaning_of_read(&call, answer, self.context.now()) {
            ReadResult::Found { result, .. } => {
                turn.proven();
                drop(turn);
                return self.step_ended(aim, target, result);
            }
            ReadResult::NotFound { .. } => {
                turn.proven();
                drop(turn);
                return self.step_ended(aim, target, Document::Null);
            }
            ReadResult::Failed(outcome) => outcome,
        };
        close_turn(turn, &outcome).await;
        Event::Answered(if let Outcome::Unknown { why } = outcome {
            Outcome::Retry {
                after: None,
                class: Class::Intermittent,
                why,
            }
        } else {
            outcome
        })
    }

    /// Judges a step by its own rules: done, ask again, or ended otherwise.
    fn step_ended(&self, aim: &mut Aim, target: &Target, result: Document) -> Event {
        let now = self.context.now();
        let wrote = target.operation.write().is_some();
        let broken = |why: String| {
            if wrote {
                // It was carried out; only what comes next is not known. Sending it again would do it twice.
                return Event::Answered(Outcome::Unknown { why });
            }
            let help = "look in the target how far it came, then resolve it".to_owned();
            Event::Answered(Outcome::Rejected {
                class: Class::Configuration,
                why,
                help,
            })
        };
        let Some(step) = aim.step(target) else {
            return broken("the step is not in the connector any more".to_owned());
        };
        let name = step.name.clone();
        match protocol::step_verdict(&aim.call(), step, &result, now) {
            Ok(StepVerdict::Ended(outcome)) => Event::Answered(outcome),
            Ok(StepVerdict::Wait) if wrote => broken(format!(
                "step `{name}` was carried out, but its `until` does not hold; only a read can be asked again"
            )),
            Ok(StepVerdict::Wait) => self.step_waits(step.wait.as_ref()),
            Err(error) => broken(format!("step `{name}`: {error}")),
            Ok(StepVerdict::Done) => {
                aim.with_result(&name, result.clone());
                if !target.last {
                    return Event::StepDone {
                        name,
                        result,
                        due_at: now,
                    };
                }
                let receipt = protocol::sequence_receipt(&aim.call(), &name);
                Event::Answered(Outcome::Succeeded { receipt, result })
            }
        }
    }

    /// When to ask again. The time since the first asking stands for the number of times: each wait
    /// is in proportion to what has passed, which is what an exponential wait comes to.
    fn step_waits(&self, wait: Option<&ml_connector_core::delivery::RetryPolicy>) -> Event {
        let now = self.context.now();
        let fallback = crate::intake::UNSENT.retry;
        let wait = wait.unwrap_or(&fallback);
        let since = self.delivery.progress.trying_since.unwrap_or(now);
        let passed = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        if passed >= wait.give_up_after {
            return Event::Answered(Outcome::Rejected {
                class: Class::Exhausted,
                why: format!(
                    "the target has not finished within {} s",
                    wait.give_up_after.as_secs()
                ),
                help: "look in the target what keeps it, then retry: it goes on waiting".to_owned(),
            });
        }
        let mut asked = 0;
        let mut spent = Duration::ZERO;
        while spent < passed && asked < 64 {
            spent += backoff(wait, asked, u64::MAX, None).max(Duration::from_millis(1));
            asked += 1;
        }
        let jitter = self.context.seams.entropy.draw();
        // A part of the wait is kept whole, so that jitter never makes it ask at once again.
        let full = backoff(wait, asked, u64::MAX, None);
        let due = later(now, full / 2 + backoff(wait, asked, jitter, None) / 2);
        Event::StepWaits { due_at: due }
    }

    /// Decides, performs what follows for the connection, and commits.
    pub(super) async fn finish(
        &mut self,
        link: &Link,
        policy: &Policy,
        event: Event,
        exchange: Exchange,
        basis: &Basis<'_>,
    ) -> Turned {
        let stepped = decide(&self.context, &self.delivery, &event, policy)?;
        perform(link, &event, &stepped);
        let with = With {
            exchange: Some(exchange),
            remember: self.remember(&stepped, basis),
            ..With::default()
        };
        let recorded = record_surely(&self.context, &self.delivery, event, &stepped, with).await;
        self.delivery = recorded?;
        self.log();
        Ok(Done::Moved)
    }

    /// As the store takes them.
    pub(super) fn entries(made: Vec<(CrosswalkId, String, Document)>) -> Vec<CrosswalkEntry> {
        let entry = |(table, key, values)| CrosswalkEntry { table, key, values };
        made.into_iter().map(entry).collect()
    }

    /// Crosswalk entries that a success writes.
    pub(super) fn remember(&self, stepped: &Stepped, basis: &Basis<'_>) -> Vec<CrosswalkEntry> {
        let DeliveryState::Delivered { receipt } = &stepped.state else {
            return Vec::new();
        };
        match basis.remember(receipt) {
            Ok(entries) => Self::entries(entries),
            // It is posted: that must be recorded in any case.
            Err(trouble) => {
                tracing::error!(delivery = %self.delivery.id, ?trouble, "nothing remembered");
                Vec::new()
            }
        }
    }
}

/// Gives a turn back, with what the answer says about its credentials.
async fn close_turn(turn: Turn, outcome: &Outcome) {
    match outcome {
        Outcome::Reauthenticate { why } => turn.stale(why).await,
        Outcome::Succeeded { .. } | Outcome::AlreadyThere { .. } => turn.proven(),
        Outcome::Retry { .. }
        | Outcome::Throttle { .. }
        | Outcome::Rejected { .. }
        | Outcome::Unknown { .. } => {}
    }
}

/// Reads what the target says is there already, and compares it with what we meant.
async fn adopt(link: &Arc<Link>, call: &Call<'_>, spec: &LookUpSpec, answer: &Answer) -> Outcome {
    let duplicate = |why: String| Outcome::Rejected {
        class: Class::Duplicate,
        why,
        help: "compare the record in the target with this one, then resolve it".to_owned(),
    };
    let unknown = |why: String| Outcome::Unknown {
        why: format!("it is there already, but {why}"),
    };
    let Some(operation) = link.plan().connector.operations.get(&spec.operation) else {
        return unknown(format!("there is no operation `{}`", spec.operation));
    };
    let input = match protocol::look_up_input(call, spec, Some(answer)) {
        Ok(input) => input,
        Err(error) => return unknown(error.to_string()),
    };
    let asked = Asked {
        reference: call.reference,
        ..Asked::with(&input)
    };
    let read = match link.read(operation, asked).await {
        Ok(read) => read,
        Err(NotNow::Closed) => return unknown("its connection is closed".to_owned()),
        Err(NotNow::Trouble(Trouble::Passing { why, .. } | Trouble::Lasting { why, .. })) => {
            return unknown(why);
        }
    };
    match protocol::look_up_verdict(call, spec, &as_result(read)) {
        LookUp::Found { receipt } => Outcome::AlreadyThere { receipt },
        LookUp::Differs { why } => duplicate(why),
        LookUp::Absent => duplicate("the target says it has it, but does not show it".to_owned()),
        LookUp::Failed { why, .. } => unknown(why),
    }
}

/// A whole read as the codec judges it.
pub(super) fn as_result(read: Read) -> ReadResult {
    match read {
        Read::Found(result) => ReadResult::Found { result, next: None },
        Read::NotFound(why) => ReadResult::NotFound { why },
    }
}

/// What a decision means for the connection. Order keys are the store's; a stale token was dropped
/// with its turn.
fn perform(link: &Link, event: &Event, stepped: &Stepped) {
    let (class, why) = cause(event);
    for effect in &stepped.effects {
        match effect {
            Effect::SystemFine => link.fine(),
            Effect::SystemTrouble if class == Class::Authentication => {
                link.credentials_refused(why);
            }
            Effect::SystemTrouble => link.trouble(class, why),
            Effect::SlowDown { after } => link.slow_down(*after),
            Effect::ReleaseOrderKey | Effect::Reauthenticate => {}
        }
    }
}

fn cause(event: &Event) -> (Class, &str) {
    match event {
        Event::Answered(
            Outcome::Retry { class, why, .. } | Outcome::Rejected { class, why, .. },
        ) => (*class, why),
        Event::Answered(Outcome::Unknown { why }) | Event::NotSent { why } => {
            (Class::Intermittent, why)
        }
        Event::Answered(
            Outcome::Succeeded { .. }
            | Outcome::AlreadyThere { .. }
            | Outcome::Throttle { .. }
            | Outcome::Reauthenticate { .. },
        )
        | Event::Claimed { .. }
        | Event::GroupWaits { .. }
        | Event::GroupClosed
        | Event::Routed
        | Event::NotPrepared(_)
        | Event::Skipped { .. }
        | Event::StepDone { .. }
        | Event::StepWaits { .. }
        | Event::LeaseLost
        | Event::LookedUp(_)
        | Event::Released
        | Event::Decided { .. } => (Class::Intermittent, ""),
    }
}
