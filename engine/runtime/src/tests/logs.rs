//! Logs: enough to follow a record, and never a secret.

use super::systems::Fault;
use super::world::{World, log};
use serde_json::Value as Document;
use std::time::Duration;

#[tokio::test]
async fn logs_name_the_record_and_hold_no_secret() {
    let world = World::new().await;
    world.send("pay", "{}", &[("X-Signature", "00")]).await;
    world.ledger.fail(
        "POST /receipts",
        &[Fault::Status(422, None), Fault::CutAfter],
    );
    world.collect("PM-log-1", 100).await;
    world.until_state("PM-log-1", "held").await;
    world.collect("PM-log-2", 100).await;
    world.until_state("PM-log-2", "uncertain").await;
    world.secrets.set("ledger/password", "a-wrong-password");
    world.ledger.state().session = None;
    world.advance(Duration::from_secs(200)).await;
    world.until_circuit("ledger", "open").await;
    let delivery = world.delivery("PM-log-1").await;
    let log = log();
    let lines: Vec<Document> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is one JSON object"))
        .collect();
    let held = lines
        .iter()
        .find(|line| line["msg"] == "held" && line["event_id"] == "EV-PM-log-1")
        .unwrap();
    assert_eq!(held["level"], "warn");
    assert_eq!(held["delivery"], delivery.id.to_string());
    assert_eq!(held["integration"], "payfast-netledger/receipts");
    assert_eq!(held["connection"], "ledger");
    assert!(held["ts"].as_str().unwrap().ends_with('Z'));
    // This is the first wall alone: the writer here does not redact.
    for hidden in [
        "ledger-pass-99",
        "a-wrong-password",
        "pay-token-1234",
        "hook-secret-5678",
        "session-1-of",
        "issued-token-",
        "very-secret-client",
    ] {
        assert!(!log.contains(hidden), "`{hidden}` is in the log");
    }
    world.stop().await;
}
