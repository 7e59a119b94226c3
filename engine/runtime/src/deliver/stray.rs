//! Lanes that nobody serves: the site does not have their connection any more.
//!
//! Nothing in such a lane may stay there unseen. What can go another way does: a delivery of which
//! nothing was sent moves to the connection that its integration writes to now. The rest is held
//! for the connection, with the reason, and goes on by itself when a later start finds it in the
//! site again. What is uncertain stays so, since only that connection could tell.

use super::recover;
use super::route::lane_of;
use crate::connection::Links;
use crate::context::{Context, later};
use crate::intake::UNSENT;
use crate::settle::{NotRecorded, With, settle};
use futures_util::future::join_all;
use ml_connector_core::delivery::{
    Awaited, Class, DeliveryState, Event, LookUp, Policy, RepeatSafety, Trouble,
};
use ml_connector_core::identity::ConnectionId;
use ml_connector_store::{Delivery, Error, Routing};
use std::sync::Arc;
use std::time::Duration;

/// Deliveries that are decided at once: enough for their commits to share a write.
const TOGETHER: usize = 128;
/// How often an uncertain delivery asks for its connection, and how long until a person decides.
const UNCERTAIN: RepeatSafety = RepeatSafety::LookUp {
    settle: Duration::from_secs(3600),
    absences: 2,
    give_up_after: Duration::from_secs(7 * 24 * 3600),
};
/// The wait after the store failed.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// Releases what earlier starts held for connections and integrations that the site has again.
/// Runs beside everything else: there may be very many of them.
pub(crate) async fn returned(context: Arc<Context>) {
    let connections = context.plan.connections.keys().cloned();
    let connections = connections.map(|connection| Awaited::Connection { connection });
    let instances = context.plan.instances.keys().cloned();
    let instances = instances.map(|instance| Awaited::Integration { instance });
    for awaited in connections.chain(instances) {
        loop {
            let released = context
                .store
                .delivery_release_held(awaited.clone(), context.now());
            match released.await {
                Ok(0) => break,
                Ok(released) => {
                    tracing::info!(released, ?awaited, "held no longer");
                    context.lanes.wake_all();
                }
                Err(error) => {
                    tracing::error!(%error, "cannot release what the site has again");
                    if !context.rest(STORE_PAUSE).await {
                        return;
                    }
                }
            }
            if context.stopping.is_cancelled() {
                return;
            }
        }
    }
}

/// Serves every lane without a connection. There is none later that is not there at the start: what
/// is accepted goes to connections of the plan.
pub(crate) async fn strays(context: Arc<Context>, links: Arc<Links>) {
    let lanes = loop {
        match context.store.lanes().await {
            Ok(lanes) => break lanes,
            Err(error) => {
                tracing::error!(%error, "cannot look for lanes without a connection");
                if !context.rest(STORE_PAUSE).await {
                    return;
                }
            }
        }
    };
    let strays = lanes.into_iter().filter(|lane| links.get(lane).is_none());
    let serve = |lane| serve(Arc::clone(&context), Arc::clone(&links), lane);
    join_all(strays.map(serve)).await;
}

/// Serves one lane without a connection until the engine stops.
async fn serve(context: Arc<Context>, links: Arc<Links>, lane: ConnectionId) {
    tracing::warn!(connection = %lane, "deliveries wait for a connection that the site does not have");
    loop {
        let next = match turn(&context, &links, &lane).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(connection = %lane, %error, "cannot hold its deliveries");
                Some(later(context.now(), STORE_PAUSE))
            }
        };
        // Nothing is ever added to this lane but by what is done here.
        let Some(next) = next else { return };
        tokio::select! {
            biased;
            () = context.stopping.cancelled() => return,
            () = context.seams.clock.sleep_until(next) => {}
        }
    }
}

/// Decides about everything that is due. Returns when more will be.
async fn turn(
    context: &Context,
    links: &Links,
    lane: &ConnectionId,
) -> Result<Option<jiff::Timestamp>, Error> {
    loop {
        let store = &context.store;
        let due = store.delivery_reserve(lane, context.now(), TOGETHER, &[]);
        let due = due.await?;
        if due.is_empty() || context.stopping.is_cancelled() {
            return store.delivery_next_due(lane, &[]).await;
        }
        let mut failed = None;
        let decided = due.into_iter().map(async |delivery| {
            let id = delivery.id;
            let decided = decide(context, links, lane, delivery).await;
            if decided.is_err() {
                store.delivery_release(id).await;
            }
            decided
        });
        for decided in join_all(decided).await {
            match decided {
                // Somebody has decided about it meanwhile.
                Ok(()) | Err(NotRecorded::Store(Error::Changed(_))) => {}
                Err(NotRecorded::Store(error)) => failed = Some(error),
                Err(NotRecorded::Refused(error)) => {
                    tracing::error!(connection = %lane, %error, "a delivery cannot be held");
                }
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
    }
}

async fn decide(
    context: &Context,
    links: &Links,
    lane: &ConnectionId,
    delivery: Delivery,
) -> Result<(), NotRecorded> {
    let why = format!("the site has no connection `{lane}`");
    let (event, policy) = match &delivery.state {
        DeliveryState::Pending { .. } => {
            let instance = context.plan.instances.get(&delivery.instance);
            let sink = instance.and_then(|instance| lane_of(instance));
            if let Some(sink) = sink.filter(|_| delivery.progress.attempts == 0) {
                return moved(context, &delivery, sink).await;
            }
            let event = Event::NotPrepared(Trouble::Lasting {
                class: Class::Configuration,
                why,
                help: "give the site the connection again: it goes on by itself; or discard it"
                    .to_owned(),
                awaits: Some(Awaited::Connection {
                    connection: lane.clone(),
                }),
            });
            (event, UNSENT)
        }
        DeliveryState::Uncertain { .. } => {
            let event = Event::LookedUp(LookUp::Failed { why, after: None });
            let repeat = UNCERTAIN;
            (event, Policy { repeat, ..UNSENT })
        }
        DeliveryState::Held(_) => (Event::Released, UNSENT),
        DeliveryState::InFlight { .. } => {
            recover::lost(context, links, delivery).await?;
            return Ok(());
        }
        DeliveryState::Joined { .. }
        | DeliveryState::Delivered { .. }
        | DeliveryState::Skipped { .. }
        | DeliveryState::Discarded { .. } => return Ok(()),
    };
    settle(context, &delivery, event, &policy, With::default()).await?;
    Ok(())
}

async fn moved(
    context: &Context,
    delivery: &Delivery,
    to: &ConnectionId,
) -> Result<(), NotRecorded> {
    let routing = Routing {
        delivery: delivery.id,
        revision: delivery.revision,
        at: context.now(),
        lane: to.clone(),
        keys: None,
        plan_hash: context.plan.hash,
    };
    context.store.delivery_route(routing).await?;
    context.lanes.wake(to);
    Ok(())
}
