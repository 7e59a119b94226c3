//! Writes that are repeated by key, or not at all.

use super::definitions::{posting, posting_by_key, posting_once};
use super::systems::Fault;
use super::world::World;
use ml_connector_core::delivery::{Class, DeliveryState};
use serde_json::json;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_lost_answer_is_asked_again_with_the_same_key_and_adopted() {
    let world = World::with(&[(posting(), &posting_by_key())]).await;
    world.ledger.fail("POST /receipts", &[Fault::CutAfter]);
    world.collect("PM1", 4950).await;
    let delivery = world
        .while_time_passes("it is delivered", SECOND, async || {
            let delivery = world.delivery("PM1").await;
            (delivery.state.kind().as_str() == "delivered").then_some(delivery)
        })
        .await;
    let DeliveryState::Delivered { receipt } = delivery.state else {
        panic!()
    };
    assert_eq!(receipt.0["number"], "R1");
    assert_eq!(delivery.progress.attempts, 2);
    assert_eq!(world.ledger.posted(), ["PM1"]);
    assert_eq!(
        world.ledger.state().keys.len(),
        1,
        "both requests carried one key"
    );
    world.stop().await;
}

#[tokio::test]
async fn what_the_target_has_under_our_key_and_differs_is_held_as_duplicate() {
    let world = World::with(&[(posting(), &posting_by_key())]).await;
    world.ledger.fail("POST /receipts", &[Fault::CutAfter]);
    world.collect("PM1", 4950).await;
    world
        .until_true("it is posted", async || world.ledger.posted().len() == 1)
        .await;
    world.ledger.state().receipts[0]["amount"] = json!(1);
    let delivery = world
        .while_time_passes("it is held", SECOND, async || {
            let delivery = world.delivery("PM1").await;
            (delivery.state.kind().as_str() == "held").then_some(delivery)
        })
        .await;
    let DeliveryState::Held(hold) = delivery.state else {
        panic!()
    };
    assert_eq!(hold.class, Class::Duplicate);
    world.stop().await;
}

#[tokio::test]
async fn without_any_safety_a_person_decides_about_a_lost_answer() {
    let world = World::with(&[(posting(), &posting_once())]).await;
    world.ledger.fail("POST /receipts", &[Fault::CutBefore]);
    world.collect("PM1", 4950).await;
    let delivery = world.until_state("PM1", "held").await;
    let DeliveryState::Held(hold) = delivery.state else {
        panic!()
    };
    assert!(hold.in_doubt && hold.class == Class::InDoubt);
    world.advance(3600 * SECOND).await;
    assert_eq!(world.ledger.count("POST /receipts"), 1);
    let not_posted = ml_connector_core::delivery::Decision::NotPosted;
    assert_eq!(world.resolve("PM1", not_posted).await, None);
    world.until_state("PM1", "delivered").await;
    assert_eq!(world.ledger.posted(), ["PM1"]);
    world.stop().await;
}
