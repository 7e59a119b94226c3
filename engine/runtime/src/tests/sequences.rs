//! Writes in several durable steps.

use super::definitions::{posting, posting_in_steps};
use super::systems::Fault;
use super::world::World;
use ml_connector_core::delivery::{DeliveryState, StateKind};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

async fn stepped() -> World {
    World::with(&[(posting(), &posting_in_steps())]).await
}

async fn delivered(world: &World) {
    world
        .while_time_passes("it is delivered", SECOND, async || {
            (world.state("PM1").await.kind() == StateKind::Delivered).then_some(())
        })
        .await;
}

fn posted(world: &World) {
    world
        .ledger
        .state()
        .states
        .insert("R1".to_owned(), "posted".to_owned());
}

async fn until_submitted(world: &World) {
    world
        .until_true("it is submitted", async || {
            world.ledger.count("POST /receipts/R1/submit") == 1
        })
        .await;
}

async fn until_asked(world: &World, times: usize) {
    world
        .while_time_passes("its state was asked", SECOND, async || {
            (world.ledger.count("GET /receipts/R1/state") >= times).then_some(())
        })
        .await;
}

#[tokio::test]
async fn steps_go_one_after_another_and_the_last_waits_until_it_holds() {
    let world = stepped().await;
    world.collect("PM1", 4950).await;
    until_submitted(&world).await;
    until_asked(&world, 3).await;
    assert_ne!(world.state("PM1").await.kind(), StateKind::Delivered);
    posted(&world);
    delivered(&world).await;
    let DeliveryState::Delivered { receipt } = world.state("PM1").await else {
        panic!()
    };
    assert_eq!(receipt.0["number"], "R1");
    assert_eq!(world.ledger.count("POST /receipts"), 1);
    assert_eq!(world.ledger.count("POST /receipts/R1/submit"), 1);
    // Waits of 10, 20, 40, 60 s …: not every second.
    assert!(world.ledger.count("GET /receipts/R1/state") < 8);
    world.stop().await;
}

#[tokio::test]
async fn a_restart_goes_on_at_the_step_where_it_stopped() {
    let mut world = stepped().await;
    world.collect("PM1", 4950).await;
    until_submitted(&world).await;
    until_asked(&world, 1).await;
    world.crash_and_restart().await;
    posted(&world);
    delivered(&world).await;
    assert_eq!(world.ledger.posted(), ["PM1"]);
    assert_eq!(world.ledger.count("POST /receipts/R1/submit"), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_first_step_whose_answer_was_lost_is_found_and_the_rest_follows() {
    let mut world = stepped().await;
    world.ledger.fail("POST /receipts", &[Fault::DoneAndSilent]);
    world.collect("PM1", 4950).await;
    world
        .until_true("it is inserted", async || world.ledger.posted().len() == 1)
        .await;
    world.crash_and_restart().await;
    world.until_state("PM1", "uncertain").await;
    world
        .while_time_passes("it is submitted", SECOND, async || {
            (world.ledger.count("POST /receipts/R1/submit") == 1).then_some(())
        })
        .await;
    posted(&world);
    delivered(&world).await;
    assert_eq!(world.ledger.count("POST /receipts"), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_step_that_only_reads_leaves_nothing_in_doubt() {
    let mut world = stepped().await;
    world.ledger.fail(
        "GET /receipts/R1/state",
        &[Fault::DoneAndSilent, Fault::CutBefore],
    );
    world.collect("PM1", 4950).await;
    until_asked(&world, 1).await;
    world.crash_and_restart().await;
    assert_eq!(world.state("PM1").await.kind(), StateKind::Pending);
    posted(&world);
    delivered(&world).await;
    assert_eq!(
        world.ledger.count("GET /receipts"),
        0,
        "nothing was looked up"
    );
    world.stop().await;
}

#[tokio::test]
async fn a_step_that_ends_otherwise_holds_the_record_and_a_retry_goes_on_there() {
    let world = stepped().await;
    world.collect("PM1", 4950).await;
    until_submitted(&world).await;
    world
        .ledger
        .state()
        .states
        .insert("R1".to_owned(), "failed".to_owned());
    let delivery = world
        .while_time_passes("it is held", SECOND, async || {
            let delivery = world.delivery("PM1").await;
            (delivery.state.kind() == StateKind::Held).then_some(delivery)
        })
        .await;
    let DeliveryState::Held(hold) = &delivery.state else {
        panic!()
    };
    assert_eq!(hold.why, "it could not be posted");
    posted(&world);
    assert_eq!(
        world
            .resolve("PM1", ml_connector_core::delivery::Decision::Retry)
            .await,
        None
    );
    delivered(&world).await;
    assert_eq!(world.ledger.posted(), ["PM1"]);
    world.stop().await;
}

/// Two sequences, by who posts; the second is shorter.
fn two_ways() -> String {
    let posting = posting_in_steps();
    let from = posting.find("    steps:").unwrap();
    let to = posting
        .find("    receipt: { number: \"{{ steps.insert.number }}\" }")
        .unwrap();
    let deeper = |text: &str| text.replace("\n    ", "\n        ");
    let steps = deeper(posting[from..to].trim_end());
    let short_from = posting.find("      - name: confirm").unwrap();
    let first_to = posting.find("      - name: submit").unwrap();
    let short = format!("{}{}", &posting[from..first_to], &posting[short_from..to]);
    let short = deeper(short.trim_end());
    format!(
        "{}    variants:\n      - name: by_clerk\n        when: settings.user == 'clerk'\n    {steps}\n      \
         - name: by_boss\n    {short}\n{}",
        &posting[..from],
        &posting[to..]
    )
}

#[tokio::test]
async fn what_was_begun_goes_on_as_it_was_begun_although_another_variant_applies_now() {
    let ways = two_ways();
    let mut world = World::with(&[(posting(), &ways)]).await;
    world.collect("PM1", 4950).await;
    until_submitted(&world).await;
    until_asked(&world, 1).await;
    let part = world.delivery("PM1").await.progress.part.unwrap();
    assert_eq!(part.variant, "by_clerk");
    assert_eq!(part.step.unwrap(), "confirm");
    let boss = "base_url: \"http://netledger.test\"";
    world.redefine(&[(posting(), &ways), (boss, &format!("{boss}, user: boss"))]);
    world.crash_and_restart().await;
    posted(&world);
    delivered(&world).await;
    assert_eq!(world.ledger.count("POST /receipts"), 1);
    assert_eq!(world.ledger.count("POST /receipts/R1/submit"), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_sequence_that_does_not_begin_any_more_as_it_was_begun_is_held_with_what_changed() {
    let mut world = stepped().await;
    world.collect("PM1", 4950).await;
    until_submitted(&world).await;
    until_asked(&world, 1).await;
    let renamed = posting_in_steps().replace("- name: submit", "- name: hand_in");
    world.redefine(&[(posting(), &renamed)]);
    world.crash_and_restart().await;
    let delivery = world
        .while_time_passes("it is held", SECOND, async || {
            let delivery = world.delivery("PM1").await;
            (delivery.state.kind() == StateKind::Held).then_some(delivery)
        })
        .await;
    let DeliveryState::Held(hold) = &delivery.state else {
        panic!()
    };
    assert!(
        hold.why.contains("`submit` is done, and is gone"),
        "{hold:?}"
    );
    // The definition is mended: it goes on where it was.
    world.redefine(&[(posting(), &posting_in_steps())]);
    world.crash_and_restart().await;
    posted(&world);
    let retry = ml_connector_core::delivery::Decision::Retry;
    assert_eq!(world.resolve("PM1", retry).await, None);
    delivered(&world).await;
    assert_eq!(world.ledger.count("POST /receipts/R1/submit"), 1);
    world.stop().await;
}
