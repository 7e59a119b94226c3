//! After a crash, of the process or of one task: what was claimed and not answered is not known, and
//! is treated so.

use super::aim::safety;
use crate::connection::Links;
use crate::context::Context;
use crate::intake::UNSENT;
use crate::settle::{NotRecorded, With, settle};
use ml_connector_core::delivery::{Event, Policy, RepeatKind};
use ml_connector_core::plan::{Operation, Variant};
use ml_connector_core::protocol;
use ml_connector_store::{Delivery, Error};
use std::sync::Arc;

/// Settles every delivery that a previous run left in flight. Returns how many there were.
pub(crate) async fn recover(context: &Context, links: &Links) -> Result<usize, Error> {
    let in_flight = context.store.delivery_in_flight().await?;
    let count = in_flight.len();
    for delivery in in_flight {
        match lost(context, links, delivery).await {
            Ok(_) => {}
            Err(NotRecorded::Store(error)) => return Err(error),
            Err(NotRecorded::Refused(refused)) => {
                tracing::error!(error = %refused, "a delivery in flight cannot lose its lease");
            }
        }
    }
    if count > 0 {
        tracing::warn!(
            count,
            "deliveries were in flight when the engine ended; they are looked up"
        );
    }
    Ok(count)
}

/// The lease of one delivery is lost.
pub(super) async fn lost(
    context: &Context,
    links: &Links,
    delivery: Delivery,
) -> Result<Delivery, NotRecorded> {
    let policy = policy(context, links, &delivery);
    let event = match due(context, links, &delivery) {
        // A step that only reads cannot have changed anything, so there is nothing to look up; if it was one that reads.
        Some(operation) if operation.write().is_none() && is_harmless(&delivery) => {
            Event::NotSent {
                why: "the engine stopped while it waited for the answer".to_owned(),
            }
        }
        Some(_) | None => Event::LeaseLost,
    };
    settle(context, &delivery, event, &policy, With::default()).await
}

/// Whether what is under way was harmless to repeat when it was claimed: everything is that only reads, and a write
/// that changes nothing the second time. Of the rest a definition that only reads by now proves nothing.
fn is_harmless(delivery: &Delivery) -> bool {
    let claimed_as = delivery.progress.claimed_as;
    claimed_as.is_none_or(|kind| kind == RepeatKind::Natural)
}

/// The policy of what a delivery had under way. Without its definition nothing makes sending again
/// safe, and a person decides.
pub(super) fn policy(context: &Context, links: &Links, delivery: &Delivery) -> Policy {
    let Some(instance) = context.plan.instances.get(&delivery.instance) else {
        return UNSENT;
    };
    let repeat = match (links.get(&delivery.lane), due(context, links, delivery)) {
        (Some(link), Some(operation)) => safety(link, &operation),
        _ => UNSENT.repeat,
    };
    Policy {
        retry: instance.integration.retry,
        repeat,
    }
}

/// The operation a delivery had under way: its sink's, or the step's of a sequence. It goes by the
/// names that the claim kept; without those, a single request is still what it was.
fn due(context: &Context, links: &Links, delivery: &Delivery) -> Option<Arc<Operation>> {
    let instance = context.plan.instances.get(&delivery.instance)?;
    let connector = &links.get(&delivery.lane)?.plan().connector;
    let part = delivery.progress.part.as_ref();
    let sink = &instance.integration.sink.operation;
    let operation = connector
        .operations
        .get(part.map_or(sink, |part| &part.operation))?;
    let Some(part) = part else {
        let is_sequence = |variant: &Variant| !protocol::steps(variant).is_empty();
        let single = !operation.variants.iter().any(is_sequence);
        return single.then(|| Arc::clone(operation));
    };
    let Some(name) = &part.step else {
        return Some(Arc::clone(operation));
    };
    let mut variants = operation.variants.iter();
    let variant = variants.find(|variant| variant.name == part.variant)?;
    let mut steps = protocol::steps(variant).iter();
    let step = steps.find(|step| step.name == *name)?;
    connector.operations.get(&step.operation).cloned()
}
