//! Records that depend on others: a reversal waits for its receipt and uses its number.

use super::definitions::WITH_REVERSALS;
use super::systems::Fault;
use super::world::{World, act};
use crate::operator::Command;
use axum::http::StatusCode;
use ml_connector_core::delivery::{Awaited, Decision, DeliveryState, Hold, StateKind};
use ml_connector_core::identity::ConnectionId;
use ml_connector_store::Delivery;
use serde_json::json;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const REVERSED: &str = "POST /receipts/R1/submit";

async fn fail(world: &World, payment: &str) {
    let event = json!({ "id": format!("EV-failed-{payment}"), "at": "2026-03-16T07:59:30Z", "action": "failed", "payment": payment });
    assert_eq!(world.webhook(&[event]).await, StatusCode::ACCEPTED);
}

async fn reversal(world: &World) -> Delivery {
    let all = world.deliveries().await;
    let mut all = all.into_iter();
    all.find(|found| found.instance.as_str() == "payfast-netledger/reversals")
        .unwrap()
}

async fn held(world: &World) -> Hold {
    world
        .until("the reversal is held", async || {
            match reversal(world).await.state {
                DeliveryState::Held(hold) => Some(hold),
                _ => None,
            }
        })
        .await
}

async fn reversed(world: &World, step: Duration) {
    world
        .while_time_passes("it is reversed", step, async || {
            let state = reversal(world).await.state;
            (state.kind() == StateKind::Delivered).then_some(())
        })
        .await;
    assert_eq!(world.ledger.count(REVERSED), 1);
    assert_eq!(world.ledger.posted(), ["PM1"]);
}

#[tokio::test]
async fn a_reversal_uses_what_its_receipt_got() {
    let world = World::with(&[WITH_REVERSALS]).await;
    world.collect("PM1", 100).await;
    world.until_state("PM1", "delivered").await;
    fail(&world, "PM1").await;
    reversed(&world, SECOND).await;
    world.stop().await;
}

#[tokio::test]
async fn a_reversal_of_a_held_receipt_goes_when_that_has_gone() {
    let mut world = World::with(&[WITH_REVERSALS]).await;
    world
        .ledger
        .fail("POST /receipts", &[Fault::Status(422, None)]);
    world.collect("PM1", 100).await;
    let receipt = world.until_state("PM1", "held").await;
    fail(&world, "PM1").await;
    let delivery = receipt.id;
    assert_eq!(
        held(&world).await.awaits,
        Some(Awaited::Delivery { delivery })
    );
    world.crash_and_restart().await;
    assert_eq!(world.resolve("PM1", Decision::Retry).await, None);
    reversed(&world, SECOND).await;
    world.stop().await;
}

#[tokio::test]
async fn a_reversal_that_comes_before_its_receipt_waits_for_it() {
    let world = World::with(&[WITH_REVERSALS]).await;
    fail(&world, "PM1").await;
    assert!(matches!(
        held(&world).await.awaits,
        Some(Awaited::Until { .. })
    ));
    world.collect("PM1", 100).await;
    world.until_state("PM1", "delivered").await;
    reversed(&world, MINUTE).await;
    world.stop().await;
}

/// A reversal that goes on without a receipt where there is none: a payment may fail before it is posted at all.
const SKIPPING: (&str, &str) = (
    "reference: \"{{ event.payment }}\", missing: hold }",
    "reference: \"{{ event.payment }}\", missing: skip }",
);

#[tokio::test]
async fn a_receipt_that_was_never_sent_yet_is_not_taken_for_none() {
    let world = World::with(&[WITH_REVERSALS, SKIPPING]).await;
    // The receipt waits for its customer: nobody knows its reference yet.
    world.payments.pay("PM1", 100, "CU7");
    world.webhook(&[super::world::event("EV-PM1", "PM1")]).await;
    let receipt = world.until_state("PM1", "held").await;
    assert_eq!(receipt.reference, None);
    fail(&world, "PM1").await;
    let delivery = receipt.id;
    assert_eq!(
        held(&world).await.awaits,
        Some(Awaited::Delivery { delivery })
    );
    world.crosswalk("CU7", "ACC7").await;
    reversed(&world, SECOND).await;
    world.stop().await;
}

#[tokio::test]
async fn without_any_receipt_a_reversal_that_may_is_skipped() {
    let world = World::with(&[WITH_REVERSALS, SKIPPING]).await;
    let command = Command::Pause {
        connection: ConnectionId::new("pay"),
        act: act(),
    };
    world.engine().execute(command).await;
    fail(&world, "PM1").await;
    world
        .until_true("it is skipped", async || {
            reversal(&world).await.state.kind() == StateKind::Skipped
        })
        .await;
    assert_eq!(world.ledger.count(REVERSED), 0);
    world.stop().await;
}
