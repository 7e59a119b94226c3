//! Sessions: one log-on at a time, one renewal per stale token, turns between connections.

use super::definitions::{BASIC, BEARER};
use super::systems::Fault;
use super::world::World;
use ml_connector_core::delivery::StateKind;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A second company of the same installation, reached with the same user.
const BRANCH: [(&str, &str); 2] = [
    (
        "    secrets: { password: ledger/password }",
        concat!(
            "    secrets: { password: ledger/password }\n",
            "  branch:\n    connector: netledger\n",
            "    settings: { base_url: \"http://netledger.test\" }\n",
            "    secrets: { password: ledger/password }",
        ),
    ),
    (
        "    connections: { payfast: pay, netledger: ledger }",
        concat!(
            "    connections: { payfast: pay, netledger: ledger }\n",
            "  - use: payfast-netledger/receipts\n    name: branch-receipts\n",
            "    params: { collected_on: branch }\n",
            "    connections: { payfast: pay, netledger: branch }",
        ),
    ),
];

/// A payment whose receipt goes to the branch.
async fn collect_for_branch(world: &World, id: &str) {
    world.payments.pay(id, 100, "CU1");
    let mut event = super::world::event(&format!("EV-{id}"), id);
    event["action"] = "branch".into();
    world.webhook(&[event]).await;
}

#[tokio::test]
async fn many_calls_share_one_log_on_and_the_stop_logs_off() {
    let world = World::new().await;
    for n in 0..20 {
        world.collect(&format!("PM{n}"), 100).await;
    }
    world
        .until_true("all are there", async || world.ledger.posted().len() == 20)
        .await;
    assert_eq!(world.ledger.state().log_ons, 1);
    let ledger = std::sync::Arc::clone(&world.ledger);
    world.stop().await;
    let state = ledger.state();
    assert_eq!((state.log_offs, state.session.clone()), (1, None));
}

#[tokio::test]
async fn a_stale_session_is_renewed_once_and_nothing_is_posted_twice() {
    let world = World::new().await;
    world.collect("PM0", 100).await;
    world.until_state("PM0", "delivered").await;
    // A person logs on with the same user: the engine's session is over.
    world.ledger.state().session = Some("somebody else".to_owned());
    for n in 1..20 {
        world.collect(&format!("PM{n}"), 100).await;
    }
    world
        .while_time_passes("all are there", SECOND, async || {
            (world.ledger.posted().len() == 20).then_some(())
        })
        .await;
    assert_eq!(
        world.ledger.state().log_ons,
        2,
        "one renewal for all of them"
    );
    world.stop().await;
}

#[tokio::test]
async fn an_idle_session_is_logged_off() {
    let world = World::new().await;
    world.collect("PM1", 100).await;
    world.until_state("PM1", "delivered").await;
    world
        .while_time_passes("it is logged off", 30 * SECOND, async || {
            (world.ledger.state().log_offs == 1).then_some(())
        })
        .await;
    world.collect("PM2", 100).await;
    world.until_state("PM2", "delivered").await;
    assert_eq!(world.ledger.state().log_ons, 2);
    world.stop().await;
}

#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    let world = World::new().await;
    world.secrets.set("ledger/password", "an-old-one");
    for n in 0..10 {
        world.collect(&format!("PM{n}"), 100).await;
    }
    world.until_circuit("ledger", "open").await;
    let cause = world.connection("ledger").await.circuit.cause.unwrap();
    assert_eq!(
        (cause.class.as_str(), cause.help.as_str()),
        ("authentication", "set the password")
    );
    world.advance(600 * SECOND).await;
    assert_eq!(
        world.ledger.count("POST /logon"),
        1,
        "another try would lock the account"
    );
    for delivery in world.deliveries().await {
        assert_eq!(
            (delivery.state.kind(), delivery.progress.attempts),
            (StateKind::Pending, 0)
        );
    }
    world.secrets.set("ledger/password", "ledger-pass-99");
    world
        .while_time_passes("the right one is noticed", SECOND, async || {
            (world.ledger.posted().len() == 10).then_some(())
        })
        .await;
    world.stop().await;
}

#[tokio::test]
async fn a_refused_log_on_is_the_refusal_of_everybody_who_waited_for_it() {
    let world = World::with(&BRANCH).await;
    world.secrets.set("ledger/password", "an-old-one");
    world.ledger.fail("POST /logon", &[Fault::Hang]);
    for n in 0..4 {
        world.collect(&format!("PM{n}"), 100).await;
        collect_for_branch(&world, &format!("BR{n}")).await;
    }
    let waits = async |id: &str| world.connection(id).await.circuit.state == "closed";
    world
        .until_true("one logs on", async || {
            world.ledger.count("POST /logon") == 1
        })
        .await;
    assert!(waits("ledger").await && waits("branch").await);
    world.ledger.release();
    for id in ["ledger", "branch"] {
        world.until_circuit(id, "open").await;
        let circuit = world.connection(id).await.circuit;
        assert_eq!(circuit.cause.unwrap().class.as_str(), "authentication");
        let wait = circuit.probe_at.unwrap().duration_since(world.now());
        assert_eq!(
            wait.as_secs(),
            30 * 60,
            "{id}: one refusal, however many waited"
        );
    }
    assert_eq!(world.ledger.count("POST /logon"), 1);
    // Both connections probe after half an hour: that is one log-on, not two.
    world.advance(30 * MINUTE).await;
    for id in ["ledger", "branch"] {
        world
            .until_true("it has probed", async || {
                let circuit = world.connection(id).await.circuit;
                circuit.probe_at.is_some_and(|at| at > world.now())
            })
            .await;
    }
    assert_eq!(world.ledger.count("POST /logon"), 2);
    world.stop().await;
}

#[tokio::test]
async fn a_refused_log_on_is_not_repeated_because_another_secret_changes() {
    let world = World::new().await;
    world.secrets.set("ledger/password", "an-old-one");
    world.collect("PM1", 100).await;
    world.until_circuit("ledger", "open").await;
    world.secrets.set("pay/hook-next", "another");
    let until = world.now() + 5 * MINUTE;
    world
        .while_time_passes("the guard has looked often", SECOND, async || {
            (world.now() >= until).then_some(())
        })
        .await;
    assert_eq!(world.ledger.count("POST /logon"), 1);
    // A person says that the account is unlocked.
    world.resume("ledger").await;
    world
        .until_true("it is tried again", async || {
            world.ledger.count("POST /logon") == 2
        })
        .await;
    world.stop().await;
}

#[tokio::test]
async fn a_password_that_locks_its_account_is_tried_by_one_call_at_a_time() {
    let world = World::with(&[(BEARER, BASIC)]).await;
    // The first poll was refused.
    world.until_circuit("pay", "open").await;
    assert_eq!(world.payments.state().rejected, 1);
    for n in 0..6 {
        let id = format!("PM{n}");
        world.payments.pay(&id, 100, "CU1");
        let event = super::world::event(&format!("EV-{id}"), &id);
        world.webhook(&[event]).await;
    }
    world.payments.state().hang = true;
    world.resume("pay").await;
    // The health call needs no password; then everything that waits would go out at once.
    world
        .until_true("the health call was made", async || {
            world.payments.count("GET /version") == 1
        })
        .await;
    world
        .until_true("one call goes out", async || {
            world.payments.release();
            world.payments.state().rejected >= 2
        })
        .await;
    world.payments.state().hang = false;
    world
        .until_true("it is refused", async || {
            world.payments.release();
            world.connection("pay").await.circuit.state == "open"
        })
        .await;
    assert_eq!(world.payments.state().rejected, 2);
    world.stop().await;
}

#[tokio::test]
async fn a_missing_secret_stops_the_connection_and_names_itself() {
    let world = World::new().await;
    world.secrets.remove("ledger/password");
    world.collect("PM1", 100).await;
    world.until_circuit("ledger", "open").await;
    let cause = world.connection("ledger").await.circuit.cause.unwrap();
    assert!(cause.why.contains("ledger/password"), "{cause:?}");
    assert!(cause.help.contains("secrets set"), "{cause:?}");
    assert_eq!(world.state("PM1").await.kind(), StateKind::Pending);
    world.stop().await;
}

#[tokio::test]
async fn connections_of_one_scope_take_turns_with_one_live_session() {
    let world = World::with(&BRANCH).await;
    for n in 0..6 {
        world.collect(&format!("PM{n}"), 100).await;
        collect_for_branch(&world, &format!("BR{n}")).await;
    }
    world
        .while_time_passes("all are there", SECOND, async || {
            (world.ledger.posted().len() == 12).then_some(())
        })
        .await;
    // Every change of hands ended the session before. A second log-on beside a live one would have
    // shown as a stale session.
    {
        let state = world.ledger.state();
        assert_eq!(state.log_ons, state.log_offs + 1);
    }
    world.stop().await;
}

#[tokio::test]
async fn a_log_on_that_fails_for_the_moment_costs_no_attempt() {
    let world = World::new().await;
    world.ledger.fail(
        "POST /logon",
        &[Fault::Status(503, Some(30)), Fault::CutBefore],
    );
    world.collect("PM1", 100).await;
    world
        .while_time_passes("it is delivered", SECOND, async || {
            (world.delivery("PM1").await.state.kind() == StateKind::Delivered).then_some(())
        })
        .await;
    assert_eq!(world.delivery("PM1").await.progress.attempts, 1);
    world.stop().await;
}

#[tokio::test]
async fn a_session_that_ends_at_once_again_and_again_stops_the_connection() {
    let world = World::new().await;
    // Somebody logs on with the same user after every log-on of ours.
    world
        .ledger
        .fail("POST /receipts", &vec![Fault::Status(440, None); 200]);
    for n in 0..4 {
        world.collect(&format!("PM{n}"), 100).await;
    }
    world
        .while_time_passes("the circuit opens", SECOND, async || {
            (world.connection("ledger").await.circuit.state == "open").then_some(())
        })
        .await;
    let cause = world.connection("ledger").await.circuit.cause.unwrap();
    assert_eq!(cause.class.as_str(), "authentication");
    assert_eq!(
        world.ledger.state().log_ons,
        3,
        "one mark for each session, three open it"
    );
    world.stop().await;
}
