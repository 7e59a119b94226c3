//! One delivery on its way: prepare, claim, send, settle; or look up what became of it.
//!
//! What happens is decided by `delivery::step` alone. This module performs: it reads what the
//! mapping asks for, commits the claim before anything is sent, sends once, and commits what came
//! of it. A delivery is never lost with its task: a panic is caught, and what had been claimed by
//! then is treated as a lost lease.

mod aim;
mod basis;
mod foresee;
mod gather;
mod look_up;
mod posted;
mod prepare;
mod recover;
mod route;
mod shot;
mod stray;

pub(crate) use foresee::Foreseen;
pub(crate) use posted::{Remembered, remembered};
pub(crate) use recover::recover;
pub(crate) use stray::{returned, strays};

use crate::connection::{Link, Links, NotNow};
use crate::context::{Context, later};
use crate::intake::UNSENT;
use crate::settle::{NotRecorded, With, settle};
use crate::telemetry::{Span, SpanKind, Trace};
use futures_util::FutureExt as _;
use jiff::Timestamp;
use ml_connector_core::delivery::{Class, DeliveryState, Event, LookUp, Trouble};
use ml_connector_core::identity::{ConnectionId, InstanceId, StreamId};
use ml_connector_core::plan::Instance;
use ml_connector_store::{Delivery, Error};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// How long a task holds on to a delivery after the store failed, so that it is not taken up again
/// at once.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// How a delivery's task ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Done {
    /// It stands somewhere else now, or was given back.
    Moved,
    /// It is still reserved, and cannot go on before this connection admits calls.
    WaitsFor {
        /// Whose it is.
        instance: InstanceId,
        /// Which.
        connection: ConnectionId,
    },
}

/// The trace of a delivery's event and the span of its present turn, if anybody wants them.
fn trace(context: &Context, delivery: &Delivery) -> Option<(Trace, [u8; 8])> {
    if !context.traces.on() {
        return None;
    }
    let instance = context.plan.instances.get(&delivery.instance)?;
    let source = &instance.integration.source;
    let from = instance.connections.get(&source.connection)?;
    let trace = Trace::of(&StreamId::of(from, &source.trigger), &delivery.event_id);
    let (id, revision) = (delivery.id.to_string(), delivery.revision.to_string());
    let wanted = context.traces.wants(trace);
    wanted.then(|| (trace, trace.span(&["deliver", &id, &revision])))
}

/// A reserved delivery and what it takes to move it.
#[derive(Debug)]
pub(crate) struct Job {
    context: Arc<Context>,
    links: Arc<Links>,
    lane: Arc<Link>,
    delivery: Delivery,
    /// The event's trace and the span of this turn, where they are wanted.
    trace: Option<(Trace, [u8; 8])>,
}

impl Job {
    pub(crate) fn new(
        context: Arc<Context>,
        links: Arc<Links>,
        lane: Arc<Link>,
        delivery: Delivery,
    ) -> Self {
        let trace = trace(&context, &delivery);
        Self {
            context,
            links,
            lane,
            delivery,
            trace,
        }
    }

    /// Moves the delivery as far as it goes.
    pub(crate) async fn run(mut self) -> Done {
        let began = self.context.now();
        let done = self.turn().await;
        self.trace_turn(began, &done);
        done
    }

    async fn turn(&mut self) -> Done {
        let id = self.delivery.id;
        match AssertUnwindSafe(self.advance()).catch_unwind().await {
            Ok(Ok(done)) => return done,
            Ok(Err(error)) => self.report(&error).await,
            Err(_) => {
                tracing::error!(delivery = %id, "the engine failed on this delivery; please report it");
                if let Err(error) = self.after_panic().await {
                    self.report(&error).await;
                }
            }
        }
        self.context.store.delivery_release(id).await;
        Done::Moved
    }

    /// The span of what was done with the delivery, to whatever end.
    fn trace_turn(&self, began: Timestamp, done: &Done) {
        let Some((trace, id)) = self.trace else {
            return;
        };
        let delivery = &self.delivery;
        let state = match done {
            Done::Moved => delivery.state.kind().as_str(),
            Done::WaitsFor { .. } => "waits for a connection",
        };
        let failed = match &delivery.state {
            DeliveryState::Held(hold) => Some(format!("held: {}", hold.class.as_str())),
            DeliveryState::Uncertain { .. } => Some("uncertain".to_owned()),
            DeliveryState::Pending { .. }
            | DeliveryState::InFlight { .. }
            | DeliveryState::Delivered { .. }
            | DeliveryState::Skipped { .. }
            | DeliveryState::Discarded { .. }
            | DeliveryState::Joined { .. } => None,
        };
        self.context.traces.add(Span {
            trace,
            id,
            parent: Some(trace.root()),
            name: "deliver",
            kind: SpanKind::Internal,
            began,
            ended: self.context.now(),
            attributes: vec![
                ("mlc.delivery", delivery.id.to_string()),
                ("mlc.integration", delivery.instance.to_string()),
                ("mlc.connection", delivery.lane.to_string()),
                ("mlc.state", state.to_owned()),
            ],
            failed,
        });
    }

    async fn advance(&mut self) -> Result<Done, NotRecorded> {
        match &self.delivery.state {
            DeliveryState::Pending { .. } => self.attempt().await,
            DeliveryState::Uncertain { .. } => self.look_up().await,
            // Held until a time that has come.
            DeliveryState::Held(_) => self.apply(Event::Released).await,
            // Nobody has it any more: its task died, or could not record what came of it.
            DeliveryState::InFlight { .. } => self.lapsed().await,
            DeliveryState::Delivered { .. }
            | DeliveryState::Skipped { .. }
            | DeliveryState::Discarded { .. }
            | DeliveryState::Joined { .. } => {
                self.context.store.delivery_release(self.delivery.id).await;
                Ok(Done::Moved)
            }
        }
    }

    /// As after a crash: only its repeat safety leads on.
    async fn lapsed(&mut self) -> Result<Done, NotRecorded> {
        let delivery = self.delivery.clone();
        self.delivery = recover::lost(&self.context, &self.links, delivery).await?;
        self.log();
        Ok(Done::Moved)
    }

    /// Records an event before or without sending.
    async fn apply(&mut self, event: Event) -> Result<Done, NotRecorded> {
        let (context, delivery) = (&self.context, &self.delivery);
        let policy = self.policy_before_sending();
        self.delivery = settle(context, delivery, event, &policy, With::default()).await?;
        self.log();
        Ok(Done::Moved)
    }

    async fn not_prepared(&mut self, trouble: Trouble) -> Result<Done, NotRecorded> {
        self.apply(Event::NotPrepared(trouble)).await
    }

    /// A call that could not be made.
    async fn not_now(
        &mut self,
        connection: &ConnectionId,
        why: NotNow,
    ) -> Result<Done, NotRecorded> {
        match why {
            NotNow::Closed => Ok(self.waits_for(connection.clone())),
            NotNow::Trouble(trouble) => self.not_prepared(trouble).await,
        }
    }

    fn waits_for(&self, connection: ConnectionId) -> Done {
        Done::WaitsFor {
            instance: self.delivery.instance.clone(),
            connection,
        }
    }

    fn instance(&self) -> Option<Arc<Instance>> {
        self.context
            .plan
            .instances
            .get(&self.delivery.instance)
            .cloned()
    }

    /// The spacing of the integration's retries; safety does not matter before anything is sent.
    fn policy_before_sending(&self) -> ml_connector_core::delivery::Policy {
        match self.instance() {
            Some(instance) => ml_connector_core::delivery::Policy {
                retry: instance.integration.retry,
                ..UNSENT
            },
            None => UNSENT,
        }
    }

    /// A panic is a bug of ours. The record must not be lost by it, nor tried again for ever.
    async fn after_panic(&mut self) -> Result<(), NotRecorded> {
        let Some(delivery) = self.context.store.delivery_get(self.delivery.id).await? else {
            return Ok(());
        };
        let why = "the engine failed on this record; please report it".to_owned();
        let event = match &delivery.state {
            DeliveryState::InFlight { .. } => {
                recover::lost(&self.context, &self.links, delivery).await?;
                return Ok(());
            }
            DeliveryState::Pending { .. } => Event::NotPrepared(Trouble::Lasting {
                class: Class::Configuration,
                why,
                help: "retry it after an upgrade".to_owned(),
                awaits: None,
            }),
            DeliveryState::Uncertain { .. } => Event::LookedUp(LookUp::Failed { why, after: None }),
            DeliveryState::Held(_)
            | DeliveryState::Delivered { .. }
            | DeliveryState::Skipped { .. }
            | DeliveryState::Discarded { .. }
            | DeliveryState::Joined { .. } => return Ok(()),
        };
        let policy = recover::policy(&self.context, &self.links, &delivery);
        settle(&self.context, &delivery, event, &policy, With::default()).await?;
        Ok(())
    }

    async fn report(&self, error: &NotRecorded) {
        let (id, integration) = (self.delivery.id, &self.delivery.instance);
        match error {
            // Somebody decided about it meanwhile; nothing had been sent.
            NotRecorded::Store(Error::Changed(_)) => {
                tracing::info!(delivery = %id, %integration, "changed meanwhile");
            }
            NotRecorded::Store(_) | NotRecorded::Refused(_) => {
                tracing::error!(delivery = %id, %integration, %error, "not recorded");
                let until = later(self.context.now(), STORE_PAUSE);
                tokio::select! {
                    biased;
                    () = self.context.stopping.cancelled() => {}
                    () = self.context.seams.clock.sleep_until(until) => {}
                }
            }
        }
    }

    fn log(&self) {
        let delivery = &self.delivery;
        let (id, integration, connection) = (delivery.id, &delivery.instance, &delivery.lane);
        let event_id = delivery.event_id.as_str();
        let state = delivery.state.kind().as_str();
        match &delivery.state {
            DeliveryState::Held(hold) => {
                let (class, why) = (hold.class.as_str(), hold.why.as_str());
                tracing::warn!(
                    delivery = %id, %integration, %connection, event_id, class, why, "held"
                );
            }
            DeliveryState::Uncertain { why, .. } => {
                tracing::warn!(delivery = %id, %integration, %connection, event_id, why, "uncertain");
            }
            DeliveryState::Pending { .. }
            | DeliveryState::InFlight { .. }
            | DeliveryState::Delivered { .. }
            | DeliveryState::Skipped { .. }
            | DeliveryState::Discarded { .. }
            | DeliveryState::Joined { .. } => {
                tracing::debug!(delivery = %id, %integration, %connection, event_id, state, "moved");
            }
        }
    }
}
