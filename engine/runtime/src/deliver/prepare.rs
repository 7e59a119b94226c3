//! Preparation: the mapping says what it needs next, this fetches it, until the mapping knows what
//! is to be written.

use super::aim::configuration;
use super::basis::Basis;
use crate::connection::{Asked, Links, NotNow, Read};
use crate::context::{Context, later};
use ml_connector_core::delivery::{Awaited, Class, DeliveryState, Trouble};
use ml_connector_core::identity::{ConnectionId, DeliveryId, InstanceId};
use ml_connector_core::mapping::{self, Next, Preparation, Prepared, RequiredKey, Supply};
use ml_connector_core::plan::Instance;
use ml_connector_store::{Delivery, Error};
use serde_json::Value as Document;
use std::time::Duration;

/// How often a delivery looks again for one that it requires and that has not been accepted yet.
const REQUIRED_LOOK: Duration = Duration::from_secs(10 * 60);

/// The end of a preparation.
#[derive(Debug)]
pub(super) enum Preparing<'a> {
    Ready {
        prepared: Box<Prepared>,
        basis: Basis<'a>,
    },
    Skip(String),
    Trouble(Trouble),
    WaitsFor(ConnectionId),
}

/// Reads done for this one preparation; asking twice for the same gives the same.
type Cache = Vec<(ConnectionId, String, Document, Supply)>;

pub(super) async fn prepare<'a>(
    context: &Context,
    links: &Links,
    delivery: &Delivery,
    instance: &'a Instance,
    event: &'a Document,
) -> Result<Preparing<'a>, Error> {
    let mut preparation = Preparation::new(instance, event);
    let mut cache: Cache = Vec::new();
    loop {
        let supply = match preparation.next() {
            Next::Ready(prepared) => {
                let basis = Basis::Prepared(Box::new(preparation));
                return Ok(Preparing::Ready { prepared, basis });
            }
            Next::Skip { reason } => return Ok(Preparing::Skip(reason)),
            Next::Trouble(trouble) => return Ok(Preparing::Trouble(trouble)),
            Next::Crosswalk { table, key } => {
                match context.store.crosswalk_get(&table, &key).await? {
                    Some(values) => Supply::Found(values),
                    None => Supply::Missing {
                        why: format!("`{table}` has no entry for `{key}`"),
                        awaits: Some(Awaited::Crosswalk { table, key }),
                    },
                }
            }
            Next::Delivery { integration, by } => {
                let instances = mapping::instances_of(&context.plan, instance, &integration);
                required(context, delivery, &instances, &by).await?
            }
            Next::Read {
                connection,
                operation,
                input,
            } => {
                let known = cache
                    .iter()
                    .find(|(c, o, i, _)| *c == connection && *o == operation && *i == input);
                if let Some((.., supply)) = known {
                    supply.clone()
                } else {
                    let supply = match read(links, &connection, &operation, &input).await {
                        Ok(supply) => supply,
                        Err(waits_for) => return Ok(Preparing::WaitsFor(waits_for)),
                    };
                    cache.push((connection, operation, input, supply.clone()));
                    supply
                }
            }
        };
        preparation.supply(supply);
    }
}

/// One read. An error names the connection that must admit calls first.
async fn read(
    links: &Links,
    connection: &ConnectionId,
    operation: &str,
    input: &Document,
) -> Result<Supply, ConnectionId> {
    let not_there = |what: String| {
        Ok(Supply::Failed(Trouble::Lasting {
            class: Class::Configuration,
            why: format!("{what} is not there"),
            help: "correct the integration or the site, then retry it".to_owned(),
            awaits: None,
        }))
    };
    let Some(link) = links.get(connection) else {
        return not_there(format!("connection `{connection}`"));
    };
    let Some(found) = link.plan().connector.operations.get(operation) else {
        return not_there(format!("operation `{operation}` of `{connection}`"));
    };
    match link.read(found, Asked::with(input)).await {
        Ok(Read::Found(result)) => Ok(Supply::Found(result)),
        Ok(Read::NotFound(why)) => Ok(Supply::Missing { awaits: None, why }),
        Err(NotNow::Trouble(trouble)) => Ok(Supply::Failed(trouble)),
        Err(NotNow::Closed) => Err(connection.clone()),
    }
}

/// The delivery itself, or the one of several events that it is part of.
async fn whole(context: &Context, found: Option<Delivery>) -> Result<Option<Delivery>, Error> {
    match found.as_ref().map(|found| &found.state) {
        Some(DeliveryState::Joined { into }) => context.store.delivery_get(*into).await,
        Some(_) | None => Ok(found),
    }
}

/// Whether another delivery can only go when this one has ended.
fn comes_after(found: &Delivery, own: &Delivery) -> bool {
    found.instance == own.instance
        && found.order_key.is_some()
        && found.order_key == own.order_key
        && found.id > own.id
        && !found.state.kind().is_terminal()
}

/// A reference is known from the first claim on. Until then a delivery of a required integration
/// that has our order key, and so is about the same thing, may still turn out to be the one: to go
/// on without it would skip what has to come after it.
async fn may_become_it(
    context: &Context,
    own: &Delivery,
    instances: &[InstanceId],
) -> Result<Option<DeliveryId>, Error> {
    let Some(order_key) = &own.order_key else {
        return Ok(None);
    };
    for instance in instances.iter().filter(|one| **one != own.instance) {
        let last = context.store.delivery_last_in_order(instance, order_key);
        if let Some(last) = last.await? {
            return Ok(Some(last.id));
        }
    }
    Ok(None)
}

/// Another delivery's receipt, or what to wait for.
async fn required(
    context: &Context,
    own: &Delivery,
    instances: &[InstanceId],
    by: &RequiredKey,
) -> Result<Supply, Error> {
    let mut ended = None;
    for instance in instances {
        let found = match by {
            RequiredKey::DedupKey(key) => context.store.delivery_by_key(instance, key).await?,
            RequiredKey::Reference(reference) => {
                context
                    .store
                    .delivery_by_reference(instance, reference)
                    .await?
            }
        };
        let Some(found) = whole(context, found).await? else {
            continue;
        };
        if comes_after(&found, own) {
            return Ok(Supply::Failed(configuration(format!(
                "it requires {}, which comes after it in its order: neither can go first",
                found.id
            ))));
        }
        let Delivery { id, state, .. } = found;
        match state {
            DeliveryState::Delivered { receipt } => {
                return Ok(Supply::Found(receipt.0.into_iter().collect()));
            }
            DeliveryState::Skipped { reason } | DeliveryState::Discarded { reason } => {
                ended = Some(format!("{id} was not delivered: {reason}"));
            }
            DeliveryState::Joined { .. }
            | DeliveryState::Pending { .. }
            | DeliveryState::InFlight { .. }
            | DeliveryState::Uncertain { .. }
            | DeliveryState::Held(_) => {
                let why = format!("{id} must be delivered first");
                return Ok(Supply::NotYet {
                    awaits: Awaited::Delivery { delivery: id },
                    why,
                });
            }
        }
    }
    if matches!(by, RequiredKey::Reference(_))
        && let Some(id) = may_become_it(context, own, instances).await?
    {
        let why = format!("{id} may be the one that it requires, and must end first");
        return Ok(Supply::NotYet {
            awaits: Awaited::Delivery { delivery: id },
            why,
        });
    }
    Ok(match ended {
        Some(why) => Supply::Missing { awaits: None, why },
        None => Supply::Missing {
            why: "the delivery that it requires has not been accepted yet".to_owned(),
            awaits: Some(Awaited::Until {
                due_at: later(context.now(), REQUIRED_LOOK),
            }),
        },
    })
}
