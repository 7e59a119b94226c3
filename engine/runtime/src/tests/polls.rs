//! Polls: the safety net under the webhook.

use super::systems::Fault;
use super::world::{World, event};
use ml_connector_core::delivery::DeliveryState;
use ml_connector_core::identity::StreamId;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn listed(id: &str, at: &str) -> serde_json::Value {
    let mut event = event(&format!("EV-{id}"), id);
    event["at"] = at.into();
    event
}

async fn cursor(world: &World) -> Option<String> {
    world
        .store()
        .cursor(&StreamId::new("pay/sweep"))
        .await
        .unwrap()
}

async fn polled(world: &World, times: u64) {
    world
        .until_true("it has polled", async || {
            world.engine().counters().polls >= times
        })
        .await;
}

#[tokio::test]
async fn a_poll_finds_what_the_webhook_missed_and_repeats_nothing() {
    let world = World::new().await;
    polled(&world, 1).await;
    for n in 1..=5 {
        world.payments.pay(&format!("PM{n}"), 100, "CU1");
    }
    world.collect("PM3", 100).await;
    let events = (1..=5)
        .rev()
        .map(|n| listed(&format!("PM{n}"), &format!("2026-03-16T07:5{n}:00Z")));
    world.payments.state().events = events.collect();
    world.advance(10 * MINUTE).await;
    polled(&world, 2).await;
    world
        .until_true("all are there", async || world.ledger.posted().len() == 5)
        .await;
    assert_eq!(
        world.deliveries().await.len(),
        5,
        "the webhook's event is known"
    );
    assert_eq!(
        cursor(&world).await.as_deref(),
        Some("2026-03-16T07:55:00Z")
    );
    // The next poll reaches back by the overlap and finds nothing new.
    world.advance(10 * MINUTE).await;
    polled(&world, 3).await;
    assert_eq!(
        world.payments.state().since.last().unwrap(),
        "2026-03-16T07:54:00Z"
    );
    assert_eq!(world.deliveries().await.len(), 5);
    world.stop().await;
}

#[tokio::test]
async fn a_first_poll_that_finds_nothing_fixes_where_polling_begins() {
    let world = World::new().await;
    polled(&world, 1).await;
    assert_eq!(
        cursor(&world).await.as_deref(),
        Some("2026-03-16T07:00:00Z")
    );
    world.stop().await;
}

#[tokio::test]
async fn the_cursor_never_passes_what_is_not_stored() {
    let world = World::new().await;
    polled(&world, 1).await;
    let before = cursor(&world).await;
    let events = (1..=6)
        .rev()
        .map(|n| listed(&format!("PM{n}"), &format!("2026-03-16T07:5{n}:00Z")));
    world.payments.state().events = events.collect();
    // Pages come newest first; the second one fails, so the oldest items are not stored.
    let listings = world.payments.state().since.len();
    world.payments.state().page_fault = Some((2, Fault::Status(500, None)));
    world.advance(10 * MINUTE).await;
    world
        .until_true("a poll failed", async || {
            world.engine().counters().polls_failed == 1
        })
        .await;
    assert_eq!(world.payments.state().since.len(), listings + 1);
    assert_eq!(
        world.deliveries().await.len(),
        0,
        "the newest two would overtake the rest"
    );
    assert_eq!(cursor(&world).await, before, "and the cursor has not moved");
    world.advance(5 * SECOND).await;
    polled(&world, 2).await;
    assert_eq!(world.deliveries().await.len(), 6);
    assert_eq!(
        cursor(&world).await.as_deref(),
        Some("2026-03-16T07:56:00Z")
    );
    world.stop().await;
}

/// The payments in the order in which their events were accepted.
async fn accepted(world: &World) -> Vec<String> {
    let deliveries = world.deliveries().await.into_iter();
    deliveries
        .map(|delivery| delivery.event_id.replace("EV-", ""))
        .collect()
}

#[tokio::test]
async fn pages_that_come_newest_first_are_accepted_oldest_first() {
    let world = World::new().await;
    polled(&world, 1).await;
    let names: Vec<_> = (1..=6).map(|n| format!("PM{n}")).collect();
    let events = (1..=6)
        .rev()
        .map(|n| listed(&format!("PM{n}"), &format!("2026-03-16T07:5{n}:00Z")));
    world.payments.state().events = events.collect();
    world.advance(10 * MINUTE).await;
    polled(&world, 2).await;
    assert_eq!(accepted(&world).await, names);
    world.stop().await;
}

#[tokio::test]
async fn a_list_that_is_too_long_for_memory_is_read_in_parts_and_a_crash_loses_nothing() {
    let mut world = World::with(&[("pages_max: 10", "pages_max: 50")]).await;
    polled(&world, 1).await;
    let names: Vec<_> = (10..40).map(|n| format!("PM{n}")).collect();
    let events = (10..40).rev().map(|n| {
        let mut event = listed(&format!("PM{n}"), &format!("2026-03-16T07:{n}:00Z"));
        event["filling"] = "x".repeat(8 * 1024).into();
        event
    });
    world.payments.state().events = events.collect();
    let walks = world.payments.state().since.len();
    world.advance(10 * MINUTE).await;
    // The second walk ends early.
    world
        .until_true("the second walk", async || {
            let mut payments = world.payments.state();
            let begun: Vec<_> = payments.since[walks..].to_vec();
            if begun.iter().any(|since| *since != begun[0]) {
                payments.page_fault = Some((6, Fault::Status(500, None)));
            }
            payments.page_fault.is_some()
        })
        .await;
    world
        .until_true("it failed", async || {
            world.engine().counters().polls_failed == 1
        })
        .await;
    let first = accepted(&world).await;
    assert!(!first.is_empty() && first.len() < names.len(), "{first:?}");
    assert_eq!(first, names[..first.len()], "the oldest come first");
    let newest = first.last().unwrap().replace("PM", "");
    assert_eq!(
        cursor(&world).await.unwrap(),
        format!("2026-03-16T07:{newest}:00Z"),
        "everything older is stored"
    );
    world.crash_and_restart().await;
    polled(&world, 1).await;
    assert_eq!(accepted(&world).await, names);
    assert_eq!(
        cursor(&world).await.as_deref(),
        Some("2026-03-16T07:39:00Z")
    );
    world.stop().await;
}

#[tokio::test]
async fn more_items_of_one_time_than_memory_holds_are_accepted_as_they_come() {
    let world = World::with(&[("pages_max: 10", "pages_max: 50")]).await;
    polled(&world, 1).await;
    let events = (10..40).map(|n| {
        let mut event = listed(&format!("PM{n}"), "2026-03-16T07:30:00Z");
        event["filling"] = "x".repeat(8 * 1024).into();
        event
    });
    let newer = listed("PM50", "2026-03-16T07:31:00Z");
    world.payments.state().events = std::iter::once(newer).chain(events).collect();
    world.advance(10 * MINUTE).await;
    polled(&world, 2).await;
    let accepted = accepted(&world).await;
    assert_eq!(accepted.len(), 31);
    assert_eq!(accepted.last().unwrap(), "PM50");
    assert_eq!(
        cursor(&world).await.as_deref(),
        Some("2026-03-16T07:31:00Z")
    );
    world.stop().await;
}

#[tokio::test]
async fn items_that_are_not_as_declared_are_held_and_the_stream_goes_on() {
    let world = World::new().await;
    polled(&world, 1).await;
    for id in ["PM1", "PM2", "PM4"] {
        world.payments.pay(id, 100, "CU1");
    }
    let mut nameless = listed("PM2", "2026-03-16T07:52:00Z");
    nameless.as_object_mut().unwrap().remove("id");
    world.payments.state().events = vec![
        listed("PM4", "2026-03-16T07:54:00Z"),
        listed("PM3", "yesterday"),
        nameless,
        listed("PM1", "2026-03-16T07:51:00Z"),
    ];
    world.advance(10 * MINUTE).await;
    polled(&world, 2).await;
    for id in ["PM1", "PM4"] {
        world.until_state(id, "delivered").await;
    }
    let held = |why: &'static str| {
        let world = &world;
        async move {
            let all = world.deliveries().await.into_iter();
            let held = all.filter(
                |one| matches!(&one.state, DeliveryState::Held(hold) if hold.why.contains(why)),
            );
            held.collect::<Vec<_>>()
        }
    };
    let [odd] = held("has a `$.at` that is not a timestamp")
        .await
        .try_into()
        .unwrap();
    assert_eq!(odd.event_id, "EV-PM3");
    let [nameless] = held("has no `$.id`").await.try_into().unwrap();
    let stored = world
        .store()
        .message_get(nameless.message)
        .await
        .unwrap()
        .unwrap();
    assert!(String::from_utf8_lossy(&stored.raw).contains("PM2"));
    assert_eq!(
        cursor(&world).await.as_deref(),
        Some("2026-03-16T07:54:00Z")
    );
    // Listed again, they are known.
    world.advance(10 * MINUTE).await;
    polled(&world, 3).await;
    assert_eq!(world.deliveries().await.len(), 4);
    world.stop().await;
}

#[tokio::test]
async fn where_polling_begins_is_fixed_before_the_source_first_answers() {
    let world = World::with(&[("token: pay/token", "token: pay/later")]).await;
    world.until_circuit("pay", "open").await;
    world.advance(120 * MINUTE).await;
    world.payments.pay("PM1", 100, "CU1");
    world.payments.state().events = vec![listed("PM1", "2026-03-16T07:30:00Z")];
    world.secrets.set("pay/later", "pay-token-1234");
    world
        .while_time_passes("it is delivered", SECOND, async || {
            (world.ledger.posted() == ["PM1"]).then_some(())
        })
        .await;
    world.stop().await;
}

#[tokio::test]
async fn failed_polls_are_spaced_and_an_open_circuit_is_respected() {
    let world = World::new().await;
    polled(&world, 1).await;
    world.payments.fail("GET /events", &vec![Fault::NotSent; 3]);
    world
        .payments
        .fail("GET /version", &vec![Fault::NotSent; 1000]);
    world.advance(10 * MINUTE).await;
    world
        .while_time_passes("the circuit opens", SECOND, async || {
            (world.connection("pay").await.circuit.state == "open").then_some(())
        })
        .await;
    let asked = world
        .payments
        .state()
        .calls
        .iter()
        .filter(|call| *call == "GET /events")
        .count();
    world.advance(5 * SECOND).await;
    world
        .until_true("the probe failed", async || {
            world
                .connection("pay")
                .await
                .circuit
                .probe_at
                .is_some_and(|at| at > world.now())
        })
        .await;
    let now = world
        .payments
        .state()
        .calls
        .iter()
        .filter(|call| *call == "GET /events")
        .count();
    assert_eq!(now, asked, "no poll while it is open");
    world.payments.state().faults.clear();
    world
        .while_time_passes("it polls again", SECOND, async || {
            (world.engine().counters().polls >= 2).then_some(())
        })
        .await;
    world.stop().await;
}

#[tokio::test]
async fn more_pages_than_allowed_are_an_error_and_not_a_silent_cut() {
    let world = World::with(&[("pages_max: 10", "pages_max: 2")]).await;
    polled(&world, 1).await;
    let before = cursor(&world).await;
    let events = (1..=6)
        .rev()
        .map(|n| listed(&format!("PM{n}"), &format!("2026-03-16T07:5{n}:00Z")));
    world.payments.state().events = events.collect();
    world.advance(10 * MINUTE).await;
    world
        .until_true("a poll failed", async || {
            world.engine().counters().polls_failed == 1
        })
        .await;
    assert_eq!(cursor(&world).await, before);
    world.stop().await;
}
