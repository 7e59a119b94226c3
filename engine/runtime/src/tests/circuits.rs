//! Outages: attempts stop, nothing is lost, and the end of the outage is found.

use super::systems::Fault;
use super::world::{World, event};
use axum::http::StatusCode;
use ml_connector_core::delivery::StateKind;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// More than a lane will ever keep in memory.
const MANY: usize = 4_200;

/// Many events of one payment, each a delivery of its own, in one order.
async fn many_events(world: &World, payment: &str) {
    let ids: Vec<usize> = (0..MANY).collect();
    for ids in ids.chunks(50) {
        let events: Vec<_> = ids
            .iter()
            .map(|id| event(&format!("EV-{payment}-{id}"), payment))
            .collect();
        assert_eq!(world.webhook(&events).await, StatusCode::ACCEPTED);
    }
}

#[tokio::test]
async fn one_blocked_order_keeps_nobody_else_waiting_however_many_follow() {
    let world = World::new().await;
    world.payments.pay("PM1", 100, "CU1");
    world
        .ledger
        .fail("POST /receipts", &[Fault::Status(422, None)]);
    many_events(&world, "PM1").await;
    world
        .until_true("the first is held", async || {
            world.ledger.count("POST /receipts") == 1
        })
        .await;
    world.collect("PM2", 100).await;
    world
        .until_true("another order goes on", async || {
            world.ledger.posted() == ["PM2"]
        })
        .await;
    world.stop().await;
}

#[tokio::test]
async fn a_source_that_is_away_keeps_nobody_else_waiting_however_many_need_it() {
    let world = World::with(&[
        (
            "connections:\n  pay:",
            "connections:\n  other:\n    connector: payfast\n    settings: { base_url: \"http://other.test\" }\n    \
             secrets: { token: pay/token, hook: [pay/hook, pay/hook-next] }\n  pay:",
        ),
        (
            "integrations:\n",
            "integrations:\n  - use: payfast-netledger/receipts\n    name: others\n    \
             connections: { payfast: other, netledger: ledger }\n",
        ),
        // Every event is an order of its own.
        ("order_key: \"{{ event.payment }}\"\n", ""),
    ])
    .await;
    let answering = std::sync::Arc::clone(&world.payments);
    world.net.route_async("http://other.test", move |request| {
        Box::pin(std::sync::Arc::clone(&answering).answer_in_time(request))
    });
    world.payments.pay("PM1", 100, "CU1");
    let connection = ml_connector_core::identity::ConnectionId::new("pay");
    let act = super::world::act();
    let pause = crate::operator::Command::Pause { connection, act };
    world.engine().execute(pause).await;
    many_events(&world, "PM1").await;
    let body = serde_json::json!({ "events": [event("EV-other", "PM1")] }).to_string();
    let signature = super::world::sign("hook-secret-5678", body.as_bytes());
    let status = world
        .send("other", &body, &[("X-Signature", &signature)])
        .await;
    assert_eq!(status, StatusCode::ACCEPTED);
    world
        .while_time_passes(
            "the other's goes on",
            Duration::from_millis(100),
            async || (world.ledger.posted() == ["PM1"]).then_some(()),
        )
        .await;
    let connection = ml_connector_core::identity::ConnectionId::new("pay");
    let act = super::world::act();
    let resume = crate::operator::Command::Resume { connection, act };
    world.engine().execute(resume).await;
    world
        .until_true("those that waited go on", async || {
            world.ledger.posted().len() > 50
        })
        .await;
    world.stop().await;
}

#[tokio::test]
async fn an_outage_costs_no_attempts_and_one_probe_at_a_time() {
    let world = World::new().await;
    world
        .ledger
        .fail("POST /receipts", &vec![Fault::NotSent; 3]);
    world
        .ledger
        .fail("GET /version", &vec![Fault::Status(500, None); 3]);
    for n in 0..3 {
        world.collect(&format!("PM{n}"), 100).await;
    }
    world.until_circuit("ledger", "open").await;
    let sent = world.ledger.count("POST /receipts");
    for n in 10..40 {
        world.collect(&format!("PM{n}"), 100).await;
    }
    // Probes come after 5, 10, 20 and 40 s; the first three find it still away.
    for (probe, wait) in [(1, 5), (2, 10), (3, 20)] {
        world.advance(wait * SECOND).await;
        world
            .until_true("a probe was made", async || {
                world.ledger.count("GET /version") == probe
            })
            .await;
        world
            .until_true("the next one is later", async || {
                world
                    .connection("ledger")
                    .await
                    .circuit
                    .probe_at
                    .is_some_and(|at| at > world.now())
            })
            .await;
    }
    assert_eq!(
        world.ledger.count("POST /receipts"),
        sent,
        "nothing was tried while it was open"
    );
    for n in 10..40 {
        let delivery = world.delivery(&format!("PM{n}")).await;
        assert_eq!(delivery.state.kind(), StateKind::Pending);
        assert_eq!(
            (delivery.progress.attempts, delivery.revision),
            (0, 0),
            "waiting costs nothing"
        );
    }
    world.advance(40 * SECOND).await;
    world.until_circuit("ledger", "closed").await;
    world
        .while_time_passes("everything is delivered", SECOND, async || {
            let all = world.deliveries().await;
            all.iter()
                .all(|one| one.state.kind() == StateKind::Delivered)
                .then_some(())
        })
        .await;
    let mut posted = world.ledger.posted();
    posted.sort();
    posted.dedup();
    assert_eq!(posted.len(), 33);
    assert_eq!(world.ledger.posted().len(), 33, "nothing twice");
    world.stop().await;
}

#[tokio::test]
async fn records_whose_source_is_away_wait_without_blocking_the_lane() {
    let world = World::new().await;
    world
        .payments
        .fail("GET /payments/PM1", &vec![Fault::NotSent; 3]);
    // The probe finds it away for as long as the test wants.
    world
        .payments
        .fail("GET /version", &vec![Fault::NotSent; 1000]);
    world.payments.pay("PM1", 100, "CU1");
    world.webhook(&[super::world::event("EV-PM1", "PM1")]).await;
    world
        .while_time_passes("its source counts as away", SECOND, async || {
            (world.connection("pay").await.circuit.state == "open").then_some(())
        })
        .await;
    world.payments.state().faults.clear();
    let waiting = world.delivery("PM1").await;
    assert_eq!(waiting.progress.attempts, 0);
    world
        .while_time_passes("it is delivered", SECOND, async || {
            (world.delivery("PM1").await.state.kind() == StateKind::Delivered).then_some(())
        })
        .await;
    assert_eq!(world.ledger.posted(), ["PM1"]);
    world.stop().await;
}

#[tokio::test]
async fn a_refused_token_stops_the_connection_and_a_new_one_in_the_vault_starts_it() {
    let world = World::new().await;
    world
        .payments
        .fail("GET /payments/PM1", &vec![Fault::Status(401, None); 3]);
    world.payments.pay("PM1", 100, "CU1");
    world.webhook(&[super::world::event("EV-PM1", "PM1")]).await;
    world
        .while_time_passes("the circuit opens", SECOND, async || {
            (world.connection("pay").await.circuit.state == "open").then_some(())
        })
        .await;
    let circuit = world.connection("pay").await.circuit;
    assert_eq!(circuit.cause.unwrap().class.as_str(), "authentication");
    let wait = circuit.probe_at.unwrap().duration_since(world.now());
    assert!(
        wait.as_secs() > 20 * 60,
        "refused credentials are not tried again soon: {wait:?}"
    );
    // Not held: nothing is wrong with the record.
    assert_eq!(world.delivery("PM1").await.state.kind(), StateKind::Pending);
    world.secrets.set("pay/token", "pay-token-1234");
    world
        .while_time_passes("the new token is noticed", SECOND, async || {
            (world.connection("pay").await.circuit.state == "closed").then_some(())
        })
        .await;
    world.until_state("PM1", "delivered").await;
    world.stop().await;
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_the_connector_allows() {
    let world = World::new().await;
    world.ledger.fail("POST /receipts", &vec![Fault::Hang; 8]);
    for n in 0..8 {
        world.collect(&format!("PM{n}"), 100).await;
    }
    world
        .until_true("two hang", async || world.ledger.state().at_once == 2)
        .await;
    world
        .until("all are there", async || {
            world.ledger.release();
            (world.ledger.posted().len() == 8).then_some(())
        })
        .await;
    assert_eq!(world.ledger.state().at_once_max, 2);
    world.stop().await;
}
