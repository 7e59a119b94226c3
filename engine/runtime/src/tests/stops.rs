//! Crashes and stops, also in the middle of a send.

use super::systems::Fault;
use super::world::World;
use ml_connector_core::delivery::StateKind;
use ml_connector_core::identity::Reference;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_crash_after_the_claim_is_looked_up_and_not_sent_again() {
    let mut world = World::new().await;
    world.ledger.fail("POST /receipts", &[Fault::DoneAndSilent]);
    world.collect("PM1", 100).await;
    world
        .until_true("it is posted", async || world.ledger.posted().len() == 1)
        .await;
    assert_eq!(world.state("PM1").await.kind(), StateKind::InFlight);
    world.crash_and_restart().await;
    let delivery = world.until_state("PM1", "uncertain").await;
    assert_eq!(
        delivery.reference.as_ref().map(Reference::as_str),
        Some("PM1")
    );
    world.advance(2 * MINUTE).await;
    world.until_state("PM1", "delivered").await;
    assert_eq!(world.ledger.posted(), ["PM1"]);
    world.stop().await;
}

#[tokio::test]
async fn a_crash_before_anything_was_posted_posts_it_later_once() {
    let mut world = World::new().await;
    world.ledger.fail("POST /receipts", &[Fault::Hang]);
    world.collect("PM1", 100).await;
    world
        .until_true("it is under way", async || {
            world.ledger.count("POST /receipts") == 1
        })
        .await;
    world.crash_and_restart().await;
    world.until_state("PM1", "uncertain").await;
    world
        .while_time_passes("it is delivered", MINUTE, async || {
            (world.state("PM1").await.kind() == StateKind::Delivered).then_some(())
        })
        .await;
    assert_eq!(world.ledger.posted(), ["PM1"]);
    world.stop().await;
}

#[tokio::test]
async fn a_stop_lets_what_is_under_way_end() {
    let world = World::new().await;
    world.ledger.fail("POST /receipts", &[Fault::Hang]);
    world.collect("PM1", 100).await;
    world
        .until_true("it is under way", async || {
            world.ledger.count("POST /receipts") == 1
        })
        .await;
    let engine = world.engine().clone();
    let stop = tokio::spawn(async move { engine.stop(MINUTE).await });
    world
        .until_true("no webhook is taken any more", async || {
            world
                .webhook(&[super::world::event("EV-late", "PM1")])
                .await
                == 503
        })
        .await;
    world.ledger.release();
    let stopped = stop.await.unwrap();
    assert!(stopped.in_time && stopped.store_closed, "{stopped:?}");
    assert_eq!(world.ledger.posted(), ["PM1"]);
    assert_eq!(world.ledger.state().log_offs, 1);
}

#[tokio::test]
async fn a_stop_records_what_does_not_end_as_unknown() {
    let mut world = World::new().await;
    world.ledger.fail("POST /receipts", &[Fault::DoneAndSilent]);
    world.collect("PM1", 100).await;
    world
        .until_true("it is posted", async || world.ledger.posted().len() == 1)
        .await;
    let engine = world.engine().clone();
    let stop = tokio::spawn(async move { engine.stop(MINUTE / 6).await });
    // In steps shorter than the claim, which must not lapse before the grace time is over.
    world
        .while_time_passes("the engine has stopped", MINUTE / 60, async || {
            stop.is_finished().then_some(())
        })
        .await;
    let stopped = stop.await.unwrap();
    assert!(!stopped.in_time && stopped.store_closed, "{stopped:?}");
    world.restart().await;
    let id = world.delivery("PM1").await.id;
    let history = world.store().delivery_history(id).await.unwrap();
    let text = serde_json::to_string(&history).unwrap();
    assert!(
        text.contains("the engine stopped while it waited"),
        "{text}"
    );
    world.advance(3 * MINUTE).await;
    world.until_state("PM1", "delivered").await;
    assert_eq!(world.ledger.posted(), ["PM1"]);
    world.stop().await;
}

#[tokio::test]
async fn an_answer_that_never_comes_ends_with_the_claim() {
    let world = World::new().await;
    world.ledger.fail("POST /receipts", &[Fault::DoneAndSilent]);
    world.collect("PM1", 100).await;
    world
        .until_true("it is posted", async || world.ledger.posted().len() == 1)
        .await;
    world.advance(2 * MINUTE).await;
    world.until_state("PM1", "uncertain").await;
    world.advance(2 * MINUTE).await;
    world.until_state("PM1", "delivered").await;
    assert_eq!(world.ledger.posted(), ["PM1"]);
    world.stop().await;
}
