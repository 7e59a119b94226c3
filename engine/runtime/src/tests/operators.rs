//! What a person does, and that it is kept.

use super::api::Served;
use super::systems::Fault;
use super::world::{World, act};
use crate::operator::{self, Act, Command, Reply};
use ml_connector_core::delivery::{Decision, Receipt, StateKind};
use ml_connector_core::identity::{ConnectionId, CrosswalkId, InstanceId};
use serde_json::json;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_held_record_is_retried_by_a_person() {
    let world = World::new().await;
    world
        .ledger
        .fail("POST /receipts", &[Fault::Status(422, None)]);
    world.collect("PM1", 100).await;
    world.until_state("PM1", "held").await;
    assert_eq!(world.resolve("PM1", Decision::Retry).await, None);
    let delivery = world.until_state("PM1", "delivered").await;
    let history = world.store().delivery_history(delivery.id).await.unwrap();
    let text = serde_json::to_string(&history).unwrap();
    assert!(
        text.contains("ann") && text.contains("a test"),
        "actor and reason are kept: {text}"
    );
    world.stop().await;
}

#[tokio::test]
async fn what_is_in_doubt_cannot_be_retried_blindly() {
    let world = World::new().await;
    world.ledger.fail("POST /receipts", &[Fault::CutAfter]);
    world.collect("PM1", 100).await;
    world.until_state("PM1", "uncertain").await;
    let refused = world.resolve("PM1", Decision::Retry).await.unwrap();
    assert!(refused.contains("may already have it"), "{refused}");
    let receipt = Receipt([("number".to_owned(), "R1".into())].into());
    assert_eq!(
        world.resolve("PM1", Decision::Posted { receipt }).await,
        None
    );
    assert_eq!(world.state("PM1").await.kind(), StateKind::Delivered);
    world.stop().await;
}

#[tokio::test]
async fn what_a_person_found_posted_is_remembered_as_a_success_is() {
    let world = World::new().await;
    let receipts = CrosswalkId::new("receipts");
    for payment in ["PM1", "PM2"] {
        world.ledger.fail("POST /receipts", &[Fault::CutAfter]);
        world.collect(payment, 100).await;
        world.until_state(payment, "uncertain").await;
    }
    world.payments.pay("PM3", 100, "CU9");
    world.webhook(&[super::world::event("EV-PM3", "PM3")]).await;
    world.until_state("PM3", "held").await;
    let receipt = |number: &str| Receipt([("number".to_owned(), number.into())].into());
    let posted = async |payment: &str, number: &str| {
        let command = Command::Resolve {
            deliveries: vec![world.delivery(payment).await.id],
            decision: Decision::Posted {
                receipt: receipt(number),
            },
            act: act(),
        };
        let Reply::Resolved { results } = world.engine().execute(command).await else {
            panic!()
        };
        results.into_iter().next().unwrap()
    };
    assert_eq!(posted("PM1", "R1").await.notice, None);
    let entry = world.store().crosswalk_get(&receipts, "PM1").await.unwrap();
    assert_eq!(entry, Some(serde_json::json!({ "number": "R1" })));
    // What was prepared is kept with the claim: the source is not asked again.
    let pause = Command::Pause {
        connection: ConnectionId::new("pay"),
        act: act(),
    };
    world.engine().execute(pause).await;
    assert_eq!(posted("PM2", "R2").await.notice, None);
    let entry = world.store().crosswalk_get(&receipts, "PM2").await.unwrap();
    assert_eq!(entry, Some(serde_json::json!({ "number": "R2" })));
    // What cannot be made is said, and the decision holds all the same.
    let never_sent = posted("PM3", "R3").await;
    assert_eq!(never_sent.state.unwrap().kind(), StateKind::Delivered);
    let notice = never_sent.notice.unwrap();
    assert!(
        notice.contains("`receipts`") && notice.contains("`pay`"),
        "{notice}"
    );
    let entry = world.store().crosswalk_get(&receipts, "PM3").await.unwrap();
    assert_eq!(entry, None);
    world.stop().await;
}

#[tokio::test]
async fn an_act_without_a_reason_is_refused() {
    let world = World::new().await;
    let command = Command::Pause {
        connection: ConnectionId::new("ledger"),
        act: Act {
            actor: "ann".to_owned(),
            reason: " ".to_owned(),
        },
    };
    assert!(matches!(
        world.engine().execute(command).await,
        Reply::Refused { .. }
    ));
    world.stop().await;
}

#[tokio::test]
async fn a_paused_connection_is_left_alone_until_it_is_resumed() {
    let world = World::new().await;
    let connection = ConnectionId::new("ledger");
    let pause = Command::Pause {
        connection: connection.clone(),
        act: act(),
    };
    assert_eq!(world.engine().execute(pause).await, Reply::Done);
    for n in 0..5 {
        world.collect(&format!("PM{n}"), 100).await;
    }
    world.advance(3600 * SECOND).await;
    assert_eq!(
        world
            .connection("ledger")
            .await
            .circuit
            .pause
            .unwrap()
            .actor,
        "ann"
    );
    assert!(
        world.ledger.state().calls.is_empty(),
        "{:?}",
        world.ledger.state().calls
    );
    let resume = Command::Resume {
        connection,
        act: act(),
    };
    assert_eq!(world.engine().execute(resume).await, Reply::Done);
    world
        .until_true("all are there", async || world.ledger.posted().len() == 5)
        .await;
    world.stop().await;
}

#[tokio::test]
async fn a_pause_outlives_the_engine() {
    let mut world = World::new().await;
    let connection = ConnectionId::new("ledger");
    let pause = Command::Pause {
        connection: connection.clone(),
        act: act(),
    };
    assert_eq!(world.engine().execute(pause).await, Reply::Done);
    world.crash_and_restart().await;
    world.collect("PM1", 100).await;
    world.advance(3600 * SECOND).await;
    let paused = world.connection("ledger").await.circuit.pause.unwrap();
    assert_eq!(
        (paused.actor.as_str(), paused.reason.as_str()),
        ("ann", "a test")
    );
    assert!(world.ledger.state().calls.is_empty());
    let resume = Command::Resume {
        connection,
        act: act(),
    };
    assert_eq!(world.engine().execute(resume).await, Reply::Done);
    world.until_state("PM1", "delivered").await;
    world.crash_and_restart().await;
    assert_eq!(world.connection("ledger").await.circuit.pause, None);
    world.stop().await;
}

#[tokio::test]
async fn a_paused_integration_waits_and_its_events_are_taken_in() {
    let mut world = World::with(&[(
        "integrations:\n",
        "integrations:\n  - use: payfast-netledger/receipts\n    name: others\n    \
         connections: { payfast: pay, netledger: ledger }\n",
    )])
    .await;
    let instance = InstanceId::new("payfast-netledger/receipts");
    let pause = Command::PauseIntegration {
        instance: instance.clone(),
        act: act(),
    };
    assert_eq!(world.engine().execute(pause).await, Reply::Done);
    let states = async |world: &World| {
        let all = world.deliveries().await;
        let state = |of: &str| {
            let mut all = all.iter();
            all.find(|found| found.instance.as_str() == of)
                .map(|found| found.state.kind())
        };
        (state("payfast-netledger/receipts"), state("others"))
    };
    world.collect("PM1", 100).await;
    let wanted = (Some(StateKind::Pending), Some(StateKind::Delivered));
    let waits = async || states(&world).await == wanted;
    world.until_true("only the other one goes on", waits).await;
    world.crash_and_restart().await;
    world.advance(60 * SECOND).await;
    assert_eq!(states(&world).await, wanted);
    let Reply::Status(status) = world.engine().execute(Command::Status).await else {
        panic!()
    };
    assert_eq!(status.pauses.len(), 1);
    let resume = Command::ResumeIntegration {
        instance,
        act: act(),
    };
    assert_eq!(world.engine().execute(resume).await, Reply::Done);
    let both = (Some(StateKind::Delivered), Some(StateKind::Delivered));
    world
        .until_true("both are delivered", async || states(&world).await == both)
        .await;
    let nobody = Command::PauseIntegration {
        instance: InstanceId::new("nobody"),
        act: act(),
    };
    let refused = world.engine().execute(nobody).await;
    assert!(matches!(refused, Reply::Refused { .. }));
    world.stop().await;
}

#[tokio::test]
async fn the_control_socket_serves_the_same_commands() {
    let world = World::new().await;
    world.collect("PM1", 100).await;
    world.until_state("PM1", "delivered").await;
    let folder = tempfile::TempDir::new().unwrap();
    // Longer than a socket address can be.
    let deep = folder.path().join("d".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    for path in [
        folder.path().join("control.sock"),
        deep.join("control.sock"),
    ] {
        let stop = tokio_util::sync::CancellationToken::new();
        let tracker = tokio_util::task::TaskTracker::new();
        let listener = operator::bind(&path).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(&path).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
        let app = operator::routes(world.engine().clone());
        let clock = world.engine().clock();
        tracker.spawn(crate::server::serve(
            listener,
            app,
            clock,
            stop.clone(),
            tracker.clone(),
        ));
        let reply = operator::call(&path, &Command::Status).await.unwrap();
        let Reply::Status(status) = reply else {
            panic!("{reply:?}")
        };
        assert_eq!(status.site.as_deref(), Some("testsite"));
        assert_eq!(status.instances[0].counts.received, 1);
        assert_eq!(status.connections.len(), 2);
        stop.cancel();
        tracker.close();
        tracker.wait().await;
    }
    let nobody = folder.path().join("nobody.sock");
    let error = operator::call(&nobody, &Command::Status).await.unwrap_err();
    assert!(
        matches!(error, operator::CallError::NoEngine { .. }),
        "{error}"
    );
    world.stop().await;
}

#[tokio::test]
async fn a_ping_shows_what_it_read_or_why_it_could_not() {
    let world = World::new().await;
    let connection = ConnectionId::new("ledger");
    let ping = Command::Ping { connection };
    let Reply::Pinged(pinged) = world.engine().execute(ping.clone()).await else {
        panic!()
    };
    assert_eq!(pinged.steps[0].shows.as_deref(), Some("version 1.2"));
    world.ledger.fail("GET /version", &[Fault::NotSent]);
    let Reply::Pinged(pinged) = world.engine().execute(ping).await else {
        panic!()
    };
    assert!(
        pinged.steps[0].error.as_ref().unwrap().contains("refused"),
        "{pinged:?}"
    );
    world.stop().await;
}

#[tokio::test]
async fn an_integration_is_paused_and_resumed_over_the_api_with_a_reason() {
    let served = Served::new().await;
    let world = &served.world;
    let path = |what: &str| format!("/api/v1/integrations/payfast-netledger%2Freceipts/{what}");
    let body = json!({ "reason": "wrong ledger account" });
    served
        .post(&path("pause"), &json!({ "reason": "" }))
        .await
        .problem(400);
    let nobody = "/api/v1/integrations/nobody/pause";
    served.post(nobody, &body).await.problem(404);
    served.post(&path("pause"), &body).await.fine();
    let paused = async || {
        let all = served.get("/api/v1/integrations").await.fine();
        let one = all["integrations"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["integration"] == "payfast-netledger/receipts");
        one.unwrap()["paused"].as_bool().unwrap()
    };
    assert!(paused().await);
    world.collect("PM1", 100).await;
    world.advance(60 * SECOND).await;
    assert_eq!(world.state("PM1").await.kind(), StateKind::Pending);
    let body = json!({ "reason": "mended" });
    served.post(&path("resume"), &body).await.fine();
    world.until_state("PM1", "delivered").await;
    assert!(!paused().await);
    let records = served.get("/api/v1/audit/records?limit=1000").await.fine();
    let text = records.to_string();
    for kept in ["wrong ledger account", "mended", "ann-operator"] {
        assert!(text.contains(kept), "{kept}");
    }
    served.world.stop().await;
}
