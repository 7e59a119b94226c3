//! Where a delivery belongs: its keys and its lane, also after the definitions have changed.

use super::systems::Fault;
use super::world::{Changes, World, event};
use axum::http::StatusCode;
use ml_connector_core::delivery::{Class, Decision, DeliveryState, StateKind};
use ml_connector_core::identity::ConnectionId;
use ml_connector_store::Delivery;
use serde_json::json;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// One receipt per payment, for events that may lack what `when` asks for.
const LACKING: Changes<'static> = &[
    (
        "\"required\": [\"id\", \"at\", \"action\", \"payment\"]",
        "\"required\": [\"id\"]",
    ),
    (
        "dedup_key: \"{{ event.id }}\"",
        "dedup_key: \"{{ event.payment }}\"",
    ),
];
/// The same, corrected: without an action it counts as collected, but for one customer.
const CORRECTED: Changes<'static> = &[
    LACKING[0],
    LACKING[1],
    (
        "when: event.action ==",
        "when: event.action | default('refused' if event.payment == 'PM9' else 'collected') ==",
    ),
];

async fn of_event(world: &World, id: &str) -> Delivery {
    let all = world.deliveries().await;
    all.into_iter().find(|found| found.event_id == id).unwrap()
}

async fn retry(world: &World, id: &str) {
    let deliveries = vec![of_event(world, id).await.id];
    let command = crate::operator::Command::Resolve {
        deliveries,
        decision: Decision::Retry,
        act: super::world::act(),
    };
    world.engine().execute(command).await;
}

async fn until(world: &World, id: &str, wanted: StateKind) -> Delivery {
    world
        .until(&format!("{id} is {}", wanted.as_str()), async || {
            let found = of_event(world, id).await;
            (found.state.kind() == wanted).then_some(found)
        })
        .await
}

#[tokio::test]
async fn a_record_that_could_not_be_routed_is_routed_before_anything_is_sent() {
    let mut world = World::with(LACKING).await;
    for payment in ["PM1", "PM2", "PM9"] {
        world.payments.pay(payment, 100, "CU1");
    }
    let lacking = |id: &str, payment: &str| json!({ "id": id, "at": "2026-03-16T07:59:00Z", "payment": payment });
    let events = [
        lacking("EV1", "PM1"),
        lacking("EV2", "PM2"),
        lacking("EV9", "PM9"),
    ];
    assert_eq!(world.webhook(&events).await, StatusCode::ACCEPTED);
    for id in ["EV1", "EV2", "EV9"] {
        assert!(until(&world, id, StateKind::Held).await.unrouted);
    }
    // Meanwhile the payment is posted for another event.
    world.webhook(&[event("EV1b", "PM1")]).await;
    until(&world, "EV1b", StateKind::Delivered).await;

    // Still not to be routed: held as before.
    retry(&world, "EV1").await;
    until(&world, "EV1", StateKind::Held).await;

    world.redefine(CORRECTED);
    world.crash_and_restart().await;
    for id in ["EV1", "EV2", "EV9"] {
        retry(&world, id).await;
    }
    let duplicate = until(&world, "EV1", StateKind::Skipped).await;
    let first = of_event(&world, "EV1b").await.id;
    let DeliveryState::Skipped { reason } = duplicate.state else {
        panic!()
    };
    assert!(
        reason.contains("duplicate") && reason.contains(&first.to_string()),
        "{reason}"
    );
    let none_of_ours = until(&world, "EV9", StateKind::Skipped).await;
    let DeliveryState::Skipped { reason } = none_of_ours.state else {
        panic!()
    };
    assert!(reason.contains("source.when"), "{reason}");
    let routed = until(&world, "EV2", StateKind::Delivered).await;
    assert_eq!(routed.dedup_key.as_str(), "PM2");
    assert_eq!(routed.order_key.unwrap().as_str(), "PM2");
    assert!(!routed.unrouted);

    // Its dedup key counts from now on, for the same event and for others.
    world
        .webhook(&[lacking("EV2", "PM2"), event("EV2b", "PM2")])
        .await;
    world.crash_and_restart().await;
    world
        .webhook(&[lacking("EV2", "PM2"), event("EV2c", "PM2")])
        .await;
    assert_eq!(world.deliveries().await.len(), 4);
    assert_eq!(world.ledger.posted(), ["PM1", "PM2"]);
    world.stop().await;
}

/// The site with its target under another name: the old connection is not there any more.
const MOVED: Changes<'static> = &[
    ("  ledger:\n", "  books:\n"),
    ("netledger: ledger", "netledger: books"),
];
/// The site without target and without integration.
const TAKEN_AWAY: Changes<'static> = &[
    ("  ledger:\n", "  books:\n"),
    (
        "  - use: payfast-netledger/receipts\n    connections: { payfast: pay, netledger: ledger }\n",
        "  - use: payfast-netledger/receipts\n    name: others\n    connections: { payfast: pay, netledger: books }\n",
    ),
];

async fn pause(world: &World, connection: &str) {
    let connection = ConnectionId::new(connection);
    let act = super::world::act();
    let pause = crate::operator::Command::Pause { connection, act };
    world.engine().execute(pause).await;
}

async fn resume(world: &World, connection: &str) {
    let connection = ConnectionId::new(connection);
    let act = super::world::act();
    let resume = crate::operator::Command::Resume { connection, act };
    world.engine().execute(resume).await;
}

#[tokio::test]
async fn what_was_never_sent_follows_its_integration_to_another_connection() {
    let mut world = World::new().await;
    pause(&world, "ledger").await;
    world.collect("PM1", 100).await;
    world.redefine(MOVED);
    world.crash_and_restart().await;
    let delivery = world.until_state("PM1", "delivered").await;
    assert_eq!(delivery.lane.as_str(), "books");
    assert_eq!(world.ledger.posted(), ["PM1"]);
    world.stop().await;
}

#[tokio::test]
async fn what_waits_for_a_connection_that_is_gone_is_held_and_goes_on_when_it_is_back() {
    let mut world = World::new().await;
    // One was sent, and must not go elsewhere; one was not, but its integration is gone as well.
    world
        .ledger
        .fail("POST /receipts", &[Fault::Status(503, None)]);
    world.collect("PM1", 100).await;
    world
        .until_true("it is refused", async || {
            let delivery = world.delivery("PM1").await;
            delivery.progress.attempts == 1 && delivery.state.kind() == StateKind::Pending
        })
        .await;
    pause(&world, "ledger").await;
    world.collect("PM2", 200).await;
    world.redefine(TAKEN_AWAY);
    world.crash_and_restart().await;
    world.advance(60 * SECOND).await;
    for payment in ["PM1", "PM2"] {
        let delivery = world.until_state(payment, "held").await;
        let DeliveryState::Held(hold) = delivery.state else {
            panic!()
        };
        assert!(hold.why.contains("no connection `ledger`"), "{hold:?}");
        assert_eq!(hold.class, Class::Configuration);
    }
    world.redefine(&[]);
    world.crash_and_restart().await;
    resume(&world, "ledger").await;
    world.until_state("PM1", "delivered").await;
    world.until_state("PM2", "delivered").await;
    let mut posted = world.ledger.posted();
    posted.sort();
    assert_eq!(posted, ["PM1", "PM2"]);
    world.stop().await;
}

#[tokio::test]
async fn what_is_uncertain_at_a_connection_that_is_gone_waits_for_it() {
    let mut world = World::new().await;
    world.ledger.fail("POST /receipts", &[Fault::CutAfter]);
    world.collect("PM1", 100).await;
    world.until_state("PM1", "uncertain").await;
    world.redefine(MOVED);
    world.crash_and_restart().await;
    world.advance(600 * SECOND).await;
    world
        .until_true("it was tried", async || {
            world.delivery("PM1").await.revision > 2
        })
        .await;
    assert_eq!(world.state("PM1").await.kind(), StateKind::Uncertain);
    world.redefine(&[]);
    world.crash_and_restart().await;
    world
        .while_time_passes("it is found", 60 * SECOND, async || {
            let state = world.state("PM1").await;
            (state.kind() == StateKind::Delivered).then_some(())
        })
        .await;
    assert_eq!(world.ledger.posted(), ["PM1"]);
    world.stop().await;
}

#[tokio::test]
async fn what_waits_for_an_integration_that_is_gone_goes_on_when_it_is_back() {
    let mut world = World::new().await;
    pause(&world, "ledger").await;
    world.collect("PM1", 100).await;
    world.redefine(&[(
        "  - use: payfast-netledger/receipts\n",
        "  - use: payfast-netledger/receipts\n    name: others\n",
    )]);
    world.crash_and_restart().await;
    resume(&world, "ledger").await;
    let delivery = world.until_state("PM1", "held").await;
    let DeliveryState::Held(hold) = delivery.state else {
        panic!()
    };
    assert!(hold.why.contains("does not run"), "{hold:?}");
    world.redefine(&[]);
    world.crash_and_restart().await;
    resume(&world, "ledger").await;
    world.until_state("PM1", "delivered").await;
    world.stop().await;
}
