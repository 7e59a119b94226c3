//! Webhooks: what is taken, what is refused, and that nothing of the refused is stored.

use super::world::{World, event, sign};
use axum::http::StatusCode;
use ml_connector_store::simulated::{Fault, SimulatedDisk};
use serde_json::json;

#[tokio::test]
async fn the_same_event_twice_is_one_delivery() {
    let world = World::new().await;
    world.collect("PM1", 100).await;
    let again = event("EV-PM1", "PM1");
    assert_eq!(
        world.webhook(std::slice::from_ref(&again)).await,
        StatusCode::ACCEPTED
    );
    assert_eq!(
        world.webhook(&[again, event("EV-PM2", "PM2")]).await,
        StatusCode::ACCEPTED
    );
    assert_eq!(world.deliveries().await.len(), 2);
    let counters = world.engine().counters();
    assert_eq!((counters.messages, counters.duplicates), (2, 2));
    world.stop().await;
}

#[tokio::test]
async fn what_is_not_genuine_is_refused_and_leaves_nothing() {
    let world = World::new().await;
    let (records, _) = world.store().head().await.unwrap();
    let body = json!({ "events": [event("EV-1", "PM1")] }).to_string();
    let right = sign("hook-secret-5678", body.as_bytes());
    let tampered = body.replace("PM1", "PM2");
    let other = sign("guessed", body.as_bytes());
    for (body, signature) in [
        (&tampered, right.as_str()),
        (&body, other.as_str()),
        (&body, ""),
        (&body, &right[..20]),
    ] {
        let status = world.send("pay", body, &[("X-Signature", signature)]).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(
        world.send("pay", &body, &[]).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(world.engine().counters().refused["not_genuine"], 5);
    assert_eq!(
        world.store().head().await.unwrap().0,
        records,
        "nothing was written"
    );
    world.stop().await;
}

#[tokio::test]
async fn every_live_secret_counts_and_a_rotated_one_no_longer() {
    let world = World::new().await;
    let body = json!({ "events": [event("EV-1", "PM1")] }).to_string();
    let next = sign("hook-secret-next", body.as_bytes());
    assert_eq!(
        world.send("pay", &body, &[("X-Signature", &next)]).await,
        StatusCode::ACCEPTED
    );
    world.secrets.set("pay/hook-next", "hook-secret-third");
    assert_eq!(
        world.send("pay", &body, &[("X-Signature", &next)]).await,
        StatusCode::UNAUTHORIZED
    );
    world.stop().await;
}

#[tokio::test]
async fn bodies_that_are_not_as_declared_are_refused_by_their_kind() {
    let world = World::new().await;
    let (records, _) = world.store().head().await.unwrap();
    let send = async |body: &str, content_type: &str| {
        let signature = sign("hook-secret-5678", body.as_bytes());
        world
            .send(
                "pay",
                body,
                &[("X-Signature", &signature), ("content-type", content_type)],
            )
            .await
    };
    let long = format!("{{\"events\":[],\"x\":\"{}\"}}", "y".repeat(65 * 1024));
    let many: Vec<_> = (0..51).map(|n| event(&format!("EV-{n}"), "PM1")).collect();
    let many = json!({ "events": many }).to_string();
    let deep = format!("{{\"events\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(
        send("{\"events\":[", "application/json").await,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        send("[]", "application/json").await,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        send("{\"events\":[{\"at\":\"x\"}]}", "application/json").await,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        send(&deep, "application/json").await,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        send(&many, "application/json").await,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        send("{}", "text/plain").await,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    assert_eq!(
        send(&long, "application/json").await,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let nobody = world.send("nobody", "{}", &[]).await;
    assert_eq!(nobody, StatusCode::NOT_FOUND);
    // The sink has no webhook.
    assert_eq!(world.send("ledger", "{}", &[]).await, StatusCode::NOT_FOUND);
    assert_eq!(
        world.store().head().await.unwrap().0,
        records,
        "nothing was written"
    );
    world.stop().await;
}

#[tokio::test]
async fn a_body_without_events_is_taken_and_an_event_for_nobody_is_kept() {
    let world = World::new().await;
    assert_eq!(world.webhook(&[]).await, StatusCode::ACCEPTED);
    let mut other = event("EV-1", "PM1");
    other["action"] = "created".into();
    assert_eq!(world.webhook(&[other]).await, StatusCode::ACCEPTED);
    assert!(world.deliveries().await.is_empty());
    assert_eq!(world.engine().counters().messages, 1);
    world.stop().await;
}

#[tokio::test]
async fn without_its_secret_a_webhook_is_put_off_not_taken() {
    let world = World::new().await;
    world.secrets.remove("pay/hook");
    world.secrets.remove("pay/hook-next");
    assert_eq!(
        world.webhook(&[event("EV-1", "PM1")]).await,
        StatusCode::SERVICE_UNAVAILABLE
    );
    world.secrets.set("pay/hook", "hook-secret-5678");
    assert_eq!(
        world.webhook(&[event("EV-1", "PM1")]).await,
        StatusCode::ACCEPTED
    );
    world.stop().await;
}

#[tokio::test]
async fn when_the_store_cannot_commit_the_sender_keeps_the_event() {
    let world = World::new().await;
    world.store().close().await.unwrap();
    assert_eq!(
        world.webhook(&[event("EV-1", "PM1")]).await,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(world.engine().counters().refused["not_stored"], 1);
    assert_eq!(world.engine().counters().messages, 0);
    assert!(!world.engine().ready().await);
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_acknowledged_and_once_there_is_room_it_is_taken_once() {
    let disk = SimulatedDisk::default();
    let mut world = World::on(&disk).await;
    world.payments.pay("PM1", 4950, "CU1");
    let collected = [event("EV-PM1", "PM1")];
    world.idle().await;
    let before = world.store().head().await.unwrap();
    // Not a byte fits; and so few that a commit would be torn.
    for room in [0, 20] {
        disk.fail(Some(Fault::Full(room)));
        let status = world.webhook(&collected).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{room}");
    }
    assert!(!world.engine().ready().await);
    let counters = world.engine().counters();
    assert_eq!((counters.messages, counters.duplicates), (0, 0));
    assert_eq!(counters.refused["not_stored"], 2);
    assert_eq!(world.store().head().await.unwrap(), before);
    assert!(world.deliveries().await.is_empty());

    disk.fail(None);
    assert!(world.engine().ready().await);
    assert_eq!(world.webhook(&collected).await, StatusCode::ACCEPTED);
    world.until_state("PM1", "delivered").await;
    // The sender tries again what it was refused, also after a restart.
    assert_eq!(world.webhook(&collected).await, StatusCode::ACCEPTED);
    world.crash_and_restart().await;
    assert_eq!(world.webhook(&collected).await, StatusCode::ACCEPTED);
    world.idle().await;
    assert_eq!(world.deliveries().await.len(), 1);
    assert_eq!(world.ledger.posted(), ["PM1"]);
    assert_eq!(world.ledger.count("POST /receipts"), 1);
    world.stop().await;
}
