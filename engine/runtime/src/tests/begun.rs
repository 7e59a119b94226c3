//! What was begun goes on as it was prepared, whatever changes meanwhile; what did nothing is prepared anew.

use super::definitions::{posting, posting_by_key, posting_in_steps, posting_once};
use super::systems::Fault;
use super::world::World;
use ml_connector_core::delivery::{Class, Decision, DeliveryState, StateKind};
use ml_connector_core::identity::CrosswalkId;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A rule that reads what may change while a record is under way.
const CLOSED: (&str, &str) = (
    "sink:\n  operation: netledger.post_receipt",
    "skip:\n  - { when: customer.account == 'closed', reason: the account is closed }\n\
     sink:\n  operation: netledger.post_receipt",
);

async fn delivered(world: &World) {
    world
        .while_time_passes("it is delivered", SECOND, async || {
            let state = world.state("PM1").await;
            assert!(
                !matches!(
                    state.kind(),
                    StateKind::Skipped | StateKind::Held | StateKind::Discarded
                ),
                "{state:?}"
            );
            (state.kind() == StateKind::Delivered).then_some(())
        })
        .await;
}

async fn held(world: &World) -> DeliveryState {
    world
        .while_time_passes("it is held", SECOND, async || {
            let state = world.state("PM1").await;
            (state.kind() == StateKind::Held).then_some(state)
        })
        .await
}

/// The amounts that stand in the ledger.
fn amounts(world: &World) -> Vec<String> {
    let state = world.ledger.state();
    let amounts = state.receipts.iter().map(|receipt| &receipt["amount"]);
    amounts.map(ToString::to_string).collect()
}

/// The three steps, where the second one says whose receipt it is as well.
fn steps_that_name_the_customer() -> String {
    posting_in_steps()
        .replace(
            "operation: submit\n        with: { number: \"{{ steps.insert.number }}\" }",
            "operation: submit\n        with: { number: \"{{ steps.insert.number }}\", customer: \"{{ input.customer }}\" }",
        )
        .replace(
            "repeat: natural\n    input: { number: { type: string } }\n    request:\n      method: POST\n",
            "repeat: natural\n    input: { number: { type: string }, customer: { type: string } }\n    request:\n      \
             method: POST\n      body: { json: { customer: \"{{ input.customer }}\" } }\n",
        )
}

#[tokio::test]
async fn a_sequence_goes_on_as_it_was_prepared_although_it_would_be_skipped_now() {
    let steps = steps_that_name_the_customer();
    let mut world = World::with(&[(posting(), &steps), CLOSED]).await;
    let away = Fault::Status(503, None);
    world.ledger.fail("POST /receipts/R1/submit", &[away]);
    world.collect("PM1", 4950).await;
    world
        .until_true("the first step is done", async || {
            world.ledger.count("POST /receipts/R1/submit") == 1
        })
        .await;
    world.until_state("PM1", "pending").await;
    world.crosswalk("CU1", "closed").await;
    world.payments.pay("PM1", 1, "CU1");
    // The same once more behind a restart, with a mapping that writes otherwise.
    let otherwise = (
        "customer: \"{{ customer.account }}\"",
        "customer: \"{{ customer.account }}-new\"",
    );
    world.redefine(&[(posting(), &steps), CLOSED, otherwise]);
    world.crash_and_restart().await;
    let submitted = async || {
        let id = world.delivery("PM1").await.id;
        let history = world.store().delivery_history(id).await.unwrap();
        let submits = history.into_iter().filter(|record| {
            let exchange = &record.content["exchange"];
            exchange["operation"] == "submit" && exchange["request_body"] != serde_json::Value::Null
        });
        submits
            .map(|record| record.content["exchange"]["request_body"].to_string())
            .collect::<Vec<_>>()
    };
    world
        .while_time_passes("it is submitted", SECOND, async || {
            (world.ledger.count("POST /receipts/R1/submit") == 2).then_some(())
        })
        .await;
    let state = "posted".to_owned();
    world.ledger.state().states.insert("R1".to_owned(), state);
    delivered(&world).await;
    let bodies = submitted().await;
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    assert!(
        bodies
            .iter()
            .all(|body| body.contains("ACC1") && !body.contains("new")),
        "{bodies:?}"
    );
    assert_eq!(amounts(&world), ["49.50"]);
    let (table, key) = (CrosswalkId::new("receipts"), "PM1");
    let remembered = world.store().crosswalk_get(&table, key).await.unwrap();
    assert_eq!(remembered.unwrap()["number"], "R1");
    world.stop().await;
}

#[tokio::test]
async fn what_is_uncertain_is_looked_up_as_it_was_sent_although_its_source_and_mapping_changed() {
    let mut world = World::with(&[CLOSED]).await;
    world.ledger.fail("POST /receipts", &[Fault::DoneAndSilent]);
    world.collect("PM1", 4950).await;
    world
        .until_true("it is posted", async || world.ledger.posted().len() == 1)
        .await;
    world.payments.pay("PM1", 1, "CU1");
    world.crosswalk("CU1", "closed").await;
    let renamed = (
        "reference: \"{{ payment.id }}\"",
        "reference: \"NEW-{{ payment.id }}\"",
    );
    world.redefine(&[CLOSED, renamed]);
    world.crash_and_restart().await;
    delivered(&world).await;
    assert_eq!(world.ledger.count("POST /receipts"), 1);
    assert_eq!(world.delivery("PM1").await.reference.unwrap(), "PM1".into());
    world.stop().await;
}

#[tokio::test]
async fn what_is_proven_absent_is_sent_again_as_it_was_looked_up() {
    let mut world = World::with(&[CLOSED]).await;
    world.ledger.fail("POST /receipts", &[Fault::CutBefore]);
    world.collect("PM1", 4950).await;
    world.until_state("PM1", "uncertain").await;
    world.payments.pay("PM1", 1, "CU1");
    world.crosswalk("CU1", "closed").await;
    let renamed = (
        "reference: \"{{ payment.id }}\"",
        "reference: \"NEW-{{ payment.id }}\"",
    );
    world.redefine(&[CLOSED, renamed]);
    world.crash_and_restart().await;
    delivered(&world).await;
    assert_eq!(world.ledger.posted(), ["PM1"]);
    assert_eq!(amounts(&world), ["49.50"]);
    world.stop().await;
}

#[tokio::test]
async fn what_is_repeated_by_key_is_repeated_with_the_same_content() {
    let world = World::with(&[(posting(), &posting_by_key()), CLOSED]).await;
    world.ledger.fail("POST /receipts", &[Fault::CutAfter]);
    world.collect("PM1", 4950).await;
    world
        .until_true("it is posted", async || world.ledger.posted().len() == 1)
        .await;
    world.until_state("PM1", "pending").await;
    world.payments.pay("PM1", 1, "CU1");
    world.crosswalk("CU1", "closed").await;
    delivered(&world).await;
    assert_eq!(amounts(&world), ["49.50"]);
    world.stop().await;
}

#[tokio::test]
async fn what_may_be_sent_is_not_sent_again_when_its_key_is_gone_from_the_definition() {
    let mut world = World::with(&[(posting(), &posting_by_key())]).await;
    world.ledger.fail("POST /receipts", &[Fault::CutAfter]);
    world.collect("PM1", 4950).await;
    world
        .until_true("it is posted", async || world.ledger.posted().len() == 1)
        .await;
    world.until_state("PM1", "pending").await;
    world.redefine(&[(posting(), &posting_once())]);
    world.crash_and_restart().await;
    let DeliveryState::Held(hold) = held(&world).await else {
        panic!()
    };
    assert!(hold.in_doubt && hold.class == Class::InDoubt, "{hold:?}");
    assert_eq!(world.ledger.count("POST /receipts"), 1);
    world.stop().await;
}

#[tokio::test]
async fn what_may_stand_there_is_not_sent_again_when_repeating_it_is_not_harmless_any_more() {
    let harmless = posting_once().replace("repeat: none", "repeat: natural");
    for now in [posting_once(), posting_by_key(), posting().to_owned()] {
        let mut world = World::with(&[(posting(), &harmless)]).await;
        world.ledger.fail("POST /receipts", &[Fault::CutAfter]);
        world.collect("PM1", 4950).await;
        world
            .until_true("it is posted", async || world.ledger.posted().len() == 1)
            .await;
        world.until_state("PM1", "pending").await;
        world.redefine(&[(posting(), &now)]);
        world.crash_and_restart().await;
        let DeliveryState::Held(hold) = held(&world).await else {
            panic!()
        };
        assert!(hold.in_doubt && hold.class == Class::InDoubt, "{hold:?}");
        assert_eq!(world.ledger.count("POST /receipts"), 1, "{now}");
        let refused = world.resolve("PM1", Decision::Retry).await.unwrap();
        assert!(refused.contains("posted"), "{refused}");
        world.stop().await;
    }
}

#[tokio::test]
async fn what_may_be_sent_is_not_forgotten_by_a_retry_that_a_person_asks_for() {
    let world = World::with(&[(posting(), &posting_by_key())]).await;
    let refused = Fault::Status(400, None);
    world
        .ledger
        .fail("POST /receipts", &[Fault::CutAfter, refused]);
    world.collect("PM1", 4950).await;
    world
        .until_true("it is posted", async || world.ledger.posted().len() == 1)
        .await;
    world.until_state("PM1", "pending").await;
    assert_eq!(world.resolve("PM1", Decision::Retry).await, None);
    let DeliveryState::Held(hold) = held(&world).await else {
        panic!()
    };
    assert!(hold.in_doubt, "the target has it: {hold:?}");
    world.stop().await;
}

#[tokio::test]
async fn what_was_refused_is_prepared_anew() {
    let world = World::new().await;
    let refused = Fault::Status(400, None);
    world.ledger.fail("POST /receipts", &[refused]);
    world.collect("PM1", 4950).await;
    world.until_state("PM1", "held").await;
    assert!(world.delivery("PM1").await.kept.is_none());
    world.payments.pay("PM1", 5000, "CU1");
    assert_eq!(world.resolve("PM1", Decision::Retry).await, None);
    delivered(&world).await;
    assert_eq!(amounts(&world), ["50.00"]);
    world.stop().await;
}
