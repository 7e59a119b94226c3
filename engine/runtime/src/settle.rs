//! Recording what happened to a delivery: the decision is `step`'s, the commit is the store's.

use crate::context::{Context, later};
use ml_connector_core::delivery::{self, DeliveryState, Event, Policy, Refused, Stepped};
use ml_connector_core::identity::Reference;
use ml_connector_store::{CrosswalkEntry, Delivery, Error, Exchange, KeptContent, Transition};
use std::time::Duration;

/// The wait before an outcome is tried to be recorded again.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// What is recorded with a transition, beside the transition.
#[derive(Debug, Default)]
pub(crate) struct With {
    pub(crate) reference: Option<Reference>,
    pub(crate) keep: Option<KeptContent>,
    pub(crate) exchange: Option<Exchange>,
    pub(crate) remember: Vec<CrosswalkEntry>,
    pub(crate) actor: Option<String>,
}

/// Why a transition was not recorded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotRecorded {
    /// It cannot happen in the present state.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] Error),
}

/// Decides what an event makes of a delivery.
pub(crate) fn decide(
    context: &Context,
    delivery: &Delivery,
    event: &Event,
    policy: &Policy,
) -> Result<Stepped, Refused> {
    let jitter = context.seams.entropy.draw();
    let (state, progress) = (&delivery.state, &delivery.progress);
    delivery::step(
        state,
        progress,
        event.clone(),
        policy,
        context.now(),
        jitter,
    )
}

/// Commits a decision once. Returns the delivery as it stands now.
pub(crate) async fn record(
    context: &Context,
    delivery: &Delivery,
    event: Event,
    stepped: &Stepped,
    with: With,
) -> Result<Delivery, Error> {
    let transition = transition(context, delivery, event, stepped, with);
    context
        .store
        .delivery_record(transition)
        .await
        .inspect(|_| counted(context, delivery, &stepped.state))
}

/// Commits a decision about something that has already happened outside. While the store fails it
/// is tried again until the engine halts: what is not recorded would have to be looked up.
pub(crate) async fn record_surely(
    context: &Context,
    delivery: &Delivery,
    event: Event,
    stepped: &Stepped,
    with: With,
) -> Result<Delivery, Error> {
    let transition = transition(context, delivery, event, stepped, with);
    loop {
        match context.store.delivery_record(transition.clone()).await {
            Ok(delivery) => {
                counted(context, &delivery, &stepped.state);
                return Ok(delivery);
            }
            Err(error @ (Error::Changed(_) | Error::Missing(_) | Error::Closed)) => {
                return Err(error);
            }
            Err(error) => {
                tracing::error!(delivery = %delivery.id, %error, "cannot record what happened; trying again");
                let until = later(context.now(), STORE_PAUSE);
                tokio::select! {
                    biased;
                    () = context.halted.cancelled() => return Err(error),
                    () = context.seams.clock.sleep_until(until) => {}
                }
            }
        }
    }
}

/// Decides and commits where nothing outside depends on it.
pub(crate) async fn settle(
    context: &Context,
    delivery: &Delivery,
    event: Event,
    policy: &Policy,
    with: With,
) -> Result<Delivery, NotRecorded> {
    let stepped = decide(context, delivery, &event, policy)?;
    Ok(record(context, delivery, event, &stepped, with).await?)
}

fn transition(
    context: &Context,
    delivery: &Delivery,
    event: Event,
    stepped: &Stepped,
    with: With,
) -> Transition {
    Transition {
        delivery: delivery.id,
        revision: delivery.revision,
        at: context.now(),
        event,
        state: stepped.state.clone(),
        progress: stepped.progress.clone(),
        reference: with.reference,
        keep: with.keep,
        exchange: with.exchange,
        remember: with.remember,
        actor: with.actor,
        plan_hash: context.plan.hash,
    }
}

fn counted(context: &Context, delivery: &Delivery, state: &DeliveryState) {
    context.counters.moved(&delivery.instance, state.kind());
}
