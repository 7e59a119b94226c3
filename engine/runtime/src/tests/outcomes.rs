//! What becomes of a delivery, by what the target answers or does not.

use super::systems::Fault;
use super::world::World;
use crate::operator::Command;
use ml_connector_core::delivery::{Class, DeliveryState, Event, StateKind};
use ml_connector_core::identity::{ConnectionId, CrosswalkId};
use ml_connector_store::Transition;
use serde_json::json;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_collected_payment_becomes_one_receipt() {
    let world = World::new().await;
    world.collect("PM1", 4950).await;
    let delivery = world.until_state("PM1", "delivered").await;
    assert_eq!(delivery.progress.attempts, 1);
    {
        let ledger = world.ledger.state();
        assert_eq!(ledger.receipts.len(), 1);
        // The amount keeps its decimals on the wire.
        assert_eq!(ledger.receipts[0]["amount"].to_string(), "49.50");
        assert_eq!(ledger.receipts[0]["customer"], "ACC1");
        assert_eq!(ledger.receipts[0]["reference"], "PM1");
    }
    let receipts = CrosswalkId::new("receipts");
    let remembered = world.store().crosswalk_get(&receipts, "PM1").await.unwrap();
    assert_eq!(remembered, Some(json!({ "number": "R1" })));
    let counters = world.engine().counters();
    assert_eq!(counters.posts["succeeded"], 1);
    assert_eq!(counters.messages, 1);
    world.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_lost_is_looked_up_and_adopted() {
    let world = World::new().await;
    world.ledger.fail("POST /receipts", &[Fault::CutAfter]);
    world.collect("PM1", 4950).await;
    world.until_state("PM1", "uncertain").await;
    // Before the settle time is over nothing is asked.
    assert_eq!(world.ledger.count("GET /receipts"), 0);
    world.advance(2 * MINUTE).await;
    let delivery = world.until_state("PM1", "delivered").await;
    let DeliveryState::Delivered { receipt } = delivery.state else {
        panic!()
    };
    assert_eq!(receipt.0["number"], "R1");
    assert_eq!(world.ledger.posted(), ["PM1"]);
    let receipts = CrosswalkId::new("receipts");
    let remembered = world.store().crosswalk_get(&receipts, "PM1").await.unwrap();
    assert_eq!(
        remembered,
        Some(json!({ "number": "R1" })),
        "an adopted receipt is remembered too"
    );
    world.stop().await;
}

#[tokio::test]
async fn what_is_proven_absent_is_sent_again_and_not_before() {
    let world = World::new().await;
    world.ledger.fail("POST /receipts", &[Fault::CutBefore]);
    world.collect("PM1", 4950).await;
    world.until_state("PM1", "uncertain").await;
    world.advance(2 * MINUTE).await;
    world
        .until_true("the first look-up is recorded", async || {
            matches!(
                world.state("PM1").await,
                DeliveryState::Uncertain { absences: 1, .. }
            )
        })
        .await;
    assert_eq!(
        world.ledger.count("POST /receipts"),
        1,
        "one absence is no proof"
    );
    world.advance(2 * MINUTE).await;
    world.until_state("PM1", "pending").await;
    world.advance(5 * SECOND).await;
    world.until_state("PM1", "delivered").await;
    assert_eq!(world.ledger.posted(), ["PM1"]);
    assert_eq!(world.ledger.count("GET /receipts"), 2);
    world.stop().await;
}

#[tokio::test]
async fn what_is_there_under_our_reference_and_differs_waits_for_a_person() {
    let world = World::new().await;
    let theirs = json!({ "reference": "PM1", "amount": 1, "number": "R77" });
    world.ledger.state().receipts.push(theirs);
    world.ledger.fail("POST /receipts", &[Fault::CutBefore]);
    world.collect("PM1", 4950).await;
    world.until_state("PM1", "uncertain").await;
    world.advance(2 * MINUTE).await;
    let delivery = world.until_state("PM1", "held").await;
    let DeliveryState::Held(hold) = delivery.state else {
        panic!()
    };
    assert!(hold.in_doubt);
    assert_eq!(world.ledger.count("POST /receipts"), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_look_up_that_fails_proves_nothing() {
    let world = World::new().await;
    world.ledger.fail("POST /receipts", &[Fault::CutAfter]);
    world.ledger.fail(
        "GET /receipts",
        &[Fault::Status(500, None), Fault::CutBefore],
    );
    world.collect("PM1", 4950).await;
    world.until_state("PM1", "uncertain").await;
    world
        .while_time_passes("it is found", MINUTE, async || {
            (world.state("PM1").await.kind().as_str() == "delivered").then_some(())
        })
        .await;
    assert_eq!(
        world.ledger.posted(),
        ["PM1"],
        "sent once in spite of two failed look-ups"
    );
    world.stop().await;
}

#[tokio::test]
async fn the_wait_that_a_system_asks_for_is_kept() {
    let world = World::new().await;
    world
        .ledger
        .fail("POST /receipts", &[Fault::Status(503, Some(300))]);
    world.collect("PM1", 4950).await;
    world
        .until_true("the refusal is recorded", async || {
            world.delivery("PM1").await.revision > 1
        })
        .await;
    let delivery = world.until_state("PM1", "pending").await;
    let due = delivery.state.due_at().unwrap();
    assert!(
        due.duration_since(world.now()).as_secs() >= 300,
        "due at {due}"
    );
    world.advance(299 * SECOND).await;
    world.collect("PM2", 100).await;
    world.until_state("PM2", "delivered").await;
    assert_eq!(world.ledger.posted(), ["PM2"]);
    world.advance(MINUTE).await;
    world.until_state("PM1", "delivered").await;
    world.stop().await;
}

#[tokio::test]
async fn a_throttle_quietens_the_whole_connection() {
    let world = World::new().await;
    world
        .ledger
        .fail("POST /receipts", &[Fault::Status(429, Some(60))]);
    world.collect("PM1", 4950).await;
    world
        .until_true("the refusal is recorded", async || {
            world.delivery("PM1").await.revision > 1
        })
        .await;
    world.collect("PM2", 100).await;
    world
        .until_true("the second waits for its turn", async || {
            world
                .payments
                .state()
                .calls
                .iter()
                .any(|call| call == "GET /payments/PM2")
        })
        .await;
    assert_eq!(world.ledger.count("POST /receipts"), 1);
    world.advance(2 * MINUTE).await;
    world.until_state("PM2", "delivered").await;
    world.until_state("PM1", "delivered").await;
    world.stop().await;
}

#[tokio::test]
async fn a_refusal_holds_the_record_with_the_systems_words() {
    let world = World::new().await;
    world
        .ledger
        .fail("POST /receipts", &[Fault::Status(422, None)]);
    world.collect("PM1", 4950).await;
    let delivery = world.until_state("PM1", "held").await;
    let DeliveryState::Held(hold) = delivery.state else {
        panic!()
    };
    assert_eq!((hold.class, hold.why.as_str()), (Class::Value, "refused"));
    assert!(!hold.in_doubt);
    world.stop().await;
}

#[tokio::test]
async fn a_customer_without_account_is_held_until_the_matching_table_has_it() {
    let world = World::new().await;
    world.payments.pay("PM1", 4950, "CU2");
    world.webhook(&[super::world::event("EV-PM1", "PM1")]).await;
    let delivery = world.until_state("PM1", "held").await;
    let DeliveryState::Held(hold) = delivery.state else {
        panic!()
    };
    assert_eq!(hold.class, Class::MissingMasterData);
    world.crosswalk("CU2", "ACC2").await;
    world.until_state("PM1", "delivered").await;
    assert_eq!(world.ledger.state().receipts[0]["customer"], "ACC2");
    world.stop().await;
}

#[tokio::test]
async fn a_payment_that_is_gone_is_held() {
    let world = World::new().await;
    world.webhook(&[super::world::event("EV-PM9", "PM9")]).await;
    let delivery = world.until_state("PM9", "held").await;
    assert_eq!(delivery.progress.attempts, 0);
    assert_eq!(world.ledger.count("POST /receipts"), 0);
    world.stop().await;
}

#[tokio::test]
async fn what_was_not_sent_is_tried_again_without_a_look_up() {
    let world = World::new().await;
    world.ledger.fail("POST /receipts", &[Fault::NotSent]);
    world.collect("PM1", 4950).await;
    world
        .until_true("the failure is recorded", async || {
            world.delivery("PM1").await.revision > 1
        })
        .await;
    world.advance(5 * SECOND).await;
    world.until_state("PM1", "delivered").await;
    assert_eq!(world.ledger.count("GET /receipts"), 0);
    assert_eq!(world.ledger.posted(), ["PM1"]);
    world.stop().await;
}

#[tokio::test]
async fn a_claim_that_nobody_settles_is_looked_up_when_its_lease_has_lapsed() {
    let world = World::new().await;
    let ledger = ConnectionId::new("ledger");
    let (connection, act) = (ledger.clone(), super::world::act());
    let pause = Command::Pause { connection, act };
    world.engine().execute(pause).await;
    world.collect("PM1", 4950).await;
    // A claim whose task has died: no answer will ever be recorded for it.
    let waiting = world.delivery("PM1").await;
    let lease_until = world.now() + jiff::SignedDuration::from_secs(60);
    let mut progress = waiting.progress.clone();
    progress.attempts = 1;
    let claim = Transition {
        delivery: waiting.id,
        revision: waiting.revision,
        at: world.now(),
        event: Event::Claimed {
            lease_until,
            fingerprint: None,
            part: None,
        },
        state: DeliveryState::InFlight { lease_until },
        progress,
        reference: Some("PM1".into()),
        keep: None,
        exchange: None,
        remember: Vec::new(),
        actor: None,
        plan_hash: [0; 32],
    };
    world.store().delivery_record(claim).await.unwrap();
    let (connection, act) = (ledger, super::world::act());
    let resume = Command::Resume { connection, act };
    world.engine().execute(resume).await;
    world.collect("PM2", 100).await;
    world.until_state("PM2", "delivered").await;
    assert_eq!(world.state("PM1").await.kind(), StateKind::InFlight);
    world.advance(MINUTE).await;
    world.until_state("PM1", "uncertain").await;
    // Absence is proven by two look-ups, and only then it is sent.
    world
        .while_time_passes("it is delivered", 10 * SECOND, async || {
            let state = world.state("PM1").await;
            (state.kind() == StateKind::Delivered).then_some(())
        })
        .await;
    assert_eq!(world.ledger.count("GET /receipts"), 2);
    assert_eq!(world.ledger.posted(), ["PM2", "PM1"]);
    world.stop().await;
}

#[tokio::test]
async fn what_is_held_for_its_period_goes_when_the_period_opens() {
    let world = World::with(&[(
        "  - { when: status >= 400, outcome: rejected, class: value, why: \"refused\" }",
        "  - { when: status == 423, outcome: rejected, class: period, why: period closed, help: open it }\n  \
         - { when: status >= 400, outcome: rejected, class: value, why: \"refused\" }",
    )])
    .await;
    let closed = Fault::Status(423, None);
    world
        .ledger
        .fail("POST /receipts", &[closed.clone(), closed]);
    world.collect("PM1", 4950).await;
    let delivery = world.until_state("PM1", "held").await;
    let DeliveryState::Held(hold) = delivery.state else {
        panic!()
    };
    assert_eq!(hold.class, Class::Period);
    world
        .while_time_passes("the period is open", 60 * MINUTE, async || {
            let state = world.state("PM1").await;
            (state.kind() == StateKind::Delivered).then_some(())
        })
        .await;
    assert_eq!(world.ledger.count("POST /receipts"), 3);
    assert_eq!(world.ledger.posted(), ["PM1"]);
    world.stop().await;
}

#[tokio::test]
async fn deliveries_of_one_order_key_go_one_after_another() {
    let world = World::new().await;
    world.payments.pay("PM1", 100, "CU1");
    world.ledger.fail("POST /receipts", &[Fault::Hang]);
    let first = super::world::event("EV-a", "PM1");
    let second = super::world::event("EV-b", "PM1");
    world.webhook(&[first, second]).await;
    world
        .until_true("the first is under way", async || {
            world.ledger.count("POST /receipts") == 1
        })
        .await;
    // Others may pass it, its own successor may not.
    world.collect("PM2", 200).await;
    world.until_state("PM2", "delivered").await;
    assert_eq!(world.ledger.count("POST /receipts"), 2);
    world.ledger.release();
    world
        .until_true("both are there", async || world.ledger.posted().len() == 3)
        .await;
    assert_eq!(world.ledger.posted(), ["PM2", "PM1", "PM1"]);
    world.stop().await;
}

#[tokio::test]
async fn what_the_audit_keeps_holds_no_secret_and_no_personal_value() {
    let world = World::new().await;
    world.collect("PM1", 4950).await;
    let delivery = world.until_state("PM1", "delivered").await;
    let history = world.store().delivery_history(delivery.id).await.unwrap();
    let text = serde_json::to_string(&history).unwrap();
    assert!(
        text.contains("/receipts") && text.contains("49.50"),
        "the exchange is there: {text}"
    );
    assert!(text.contains("[masked]"), "{text}");
    for hidden in [
        "ledger-pass-99",
        "session-1-of",
        "for CU1",
        "pay-token-1234",
    ] {
        assert!(!text.contains(hidden), "`{hidden}` in {text}");
    }
    world.stop().await;
}
