//! Traces: one per event, also across a restart, and without content.

use super::systems::Fault;
use super::world::World;
use crate::telemetry::TraceOptions;
use serde_json::Value as Document;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn options() -> TraceOptions {
    TraceOptions {
        endpoint: "http://collector.test/v1/traces".to_owned(),
        headers: vec![("x-key".to_owned(), "collector-key".to_owned())],
        timeout: 10 * SECOND,
        resource: vec![("service.name".to_owned(), "posting".to_owned())],
        kept_per_million: 1_000_000,
        delay: SECOND,
    }
}

fn text<'a>(span: &'a Document, attribute: &str) -> Option<&'a str> {
    let attributes = span["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|one| one["key"] == attribute)?;
    found["value"]["stringValue"].as_str()
}

#[tokio::test]
async fn an_event_is_one_trace_from_its_acceptance_to_its_delivery_after_a_restart() {
    let seen: Arc<Mutex<Vec<Document>>> = Arc::default();
    let collected = Arc::clone(&seen);
    let mut world = World::traced(options(), move |request| {
        assert_eq!(request.header("x-key"), Some("collector-key"));
        let body: Document = serde_json::from_slice(&request.body).unwrap();
        let resource = &body["resourceSpans"][0];
        assert_eq!(text(&resource["resource"], "service.name"), Some("posting"));
        let spans = resource["scopeSpans"][0]["spans"].as_array().unwrap();
        collected.lock().unwrap().extend(spans.iter().cloned());
    })
    .await;
    // The first try gets no answer; it is found out after a restart.
    world.ledger.fail("POST /receipts", &[Fault::CutAfter]);
    world.collect("PM1", 100).await;
    world.until_state("PM1", "uncertain").await;
    let spans = |name: &str| {
        let seen = seen.lock().unwrap();
        let named = seen.iter().filter(|span| span["name"] == name);
        named.cloned().collect::<Vec<_>>()
    };
    world
        .while_time_passes("spans are sent", SECOND / 2, async || {
            let sent = |name| !spans(name).is_empty();
            (sent("send") && sent("accept") && sent("deliver")).then_some(())
        })
        .await;
    world.crash_and_restart().await;
    world
        .while_time_passes("it is found", SECOND, async || {
            (world.delivery("PM1").await.state.kind().as_str() == "delivered").then_some(())
        })
        .await;
    // What is still waiting is sent at the stop.
    world.stop().await;
    let [accept] = spans("accept").try_into().unwrap();
    assert_eq!(text(&accept, "mlc.event_id"), Some("EV-PM1"));
    assert!(accept.get("parentSpanId").is_none());
    let delivers = spans("deliver");
    for one in &delivers {
        assert_eq!(one["parentSpanId"], accept["spanId"]);
    }
    let states: Vec<_> = delivers
        .iter()
        .filter_map(|one| text(one, "mlc.state"))
        .collect();
    assert_eq!(states.first(), Some(&"uncertain"));
    assert_eq!(states.last(), Some(&"delivered"));
    let [send] = spans("send").try_into().unwrap();
    assert_eq!(send["parentSpanId"], delivers[0]["spanId"]);
    assert_eq!(send["status"]["message"], "no answer");
    let all = seen.lock().unwrap().clone();
    let ids: BTreeSet<_> = all.iter().map(|span| span["spanId"].to_string()).collect();
    assert_eq!(ids.len(), all.len(), "every span has an id of its own");
    for span in &all {
        assert_eq!(span["traceId"], accept["traceId"]);
        assert_eq!(span["traceId"].as_str().unwrap().len(), 32);
        let began: u64 = span["startTimeUnixNano"].as_str().unwrap().parse().unwrap();
        let ended: u64 = span["endTimeUnixNano"].as_str().unwrap().parse().unwrap();
        assert!(began <= ended);
    }
    let said = Document::from(all).to_string();
    for secret in ["ledger-pass-99", "pay-token-1234", "CU1", "collector-key"] {
        assert!(!said.contains(secret), "{secret} is in a trace");
    }
}
