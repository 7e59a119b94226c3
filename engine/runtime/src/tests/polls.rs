//! Polls: the safety net under the webhook.

use super::systems::Fault;
use super::world::{World, event};
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
    world.clock.advance(10 * MINUTE);
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
    world.clock.advance(10 * MINUTE);
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
    world.clock.advance(10 * MINUTE);
    world
        .until_true("a poll failed", async || {
            world.engine().counters().polls_failed == 1
        })
        .await;
    assert_eq!(world.payments.state().since.len(), listings + 1);
    assert_eq!(
        world.deliveries().await.len(),
        2,
        "the first page is stored"
    );
    assert_eq!(cursor(&world).await, before, "and the cursor has not moved");
    world.clock.advance(5 * SECOND);
    polled(&world, 2).await;
    assert_eq!(world.deliveries().await.len(), 6);
    assert_eq!(
        cursor(&world).await.as_deref(),
        Some("2026-03-16T07:56:00Z")
    );
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
    world.clock.advance(10 * MINUTE);
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
    world.clock.advance(5 * SECOND);
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
    world.clock.advance(10 * MINUTE);
    world
        .until_true("a poll failed", async || {
            world.engine().counters().polls_failed == 1
        })
        .await;
    assert_eq!(cursor(&world).await, before);
    world.stop().await;
}
