//! Lists that do not say what has changed, lists inside lists, and calls that make a poll run at once.

use super::world::{Changes, World, event};
use ml_connector_core::identity::StreamId;
use serde_json::{Value as Document, json};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// The sweep reads its whole list, and the integration takes what is new or changed.
const BY_CONTENT: Changes<'static> = &[
    ("    feeds: events\n", ""),
    (
        "with: { since: \"{{ cursor }}\" }\n    id: $.id\n    cursor: { value: $.at, kind: timestamp, overlap: 1m, \
         initial: 1h }",
        "with: { since: \"2026-01-01\" }\n    id: $.payment\n    detect: fingerprint\n    fingerprint: { ignore: [$.at] }\n    \
         deleted: event\n    deleted_share_max: 40",
    ),
    (
        "trigger: events\n  when: event.action == params.collected_on",
        "trigger: sweep\n  when: event.change != 'deleted' and params.collected_on == 'collected'",
    ),
    (
        "dedup_key: \"{{ event.id }}\"",
        "dedup_key: \"{{ event.id }}-{{ event.number }}\"",
    ),
    (
        "order_key: \"{{ event.payment }}\"",
        "order_key: \"{{ event.id }}\"",
    ),
    ("id: \"{{ event.payment }}\"", "id: \"{{ event.id }}\""),
    (
        "    events_max: 50\n",
        "    events_max: 50\n    wakes: [sweep]\n",
    ),
];

fn listed(id: &str, action: &str, at: &str) -> Document {
    let mut event = event(&format!("EV-{id}"), id);
    event["at"] = at.into();
    event["action"] = action.into();
    event
}

/// Lets the poll run once with this list.
async fn poll(world: &World, list: &[Document]) {
    world.payments.state().events = list.to_vec();
    let counters = world.engine().counters();
    let before = counters.polls + counters.polls_failed;
    world.advance(10 * MINUTE).await;
    world
        .until_true("it has polled", async || {
            let counters = world.engine().counters();
            counters.polls + counters.polls_failed > before
        })
        .await;
}

async fn keys(world: &World) -> Vec<String> {
    let all = world.deliveries().await.into_iter();
    all.map(|one| one.dedup_key.to_string()).collect()
}

#[tokio::test]
async fn only_what_differs_is_an_event_and_only_a_whole_list_deletes() {
    let world = World::with(BY_CONTENT).await;
    for id in ["PM1", "PM2", "PM3"] {
        world.payments.pay(id, 100, "CU1");
    }
    let item = |id, action| listed(id, action, "2026-03-16T07:50:00Z");
    let all = [item("PM1", "a"), item("PM2", "a"), item("PM3", "a")];
    poll(&world, &all).await;
    assert_eq!(keys(&world).await, ["PM1-1", "PM2-1", "PM3-1"]);
    world
        .until_true("they are delivered and recorded so", async || {
            let all = world.deliveries().await;
            all.len() == 3 && all.iter().all(|one| one.state.kind().is_terminal())
        })
        .await;
    let head = world.store().head().await.unwrap();
    let mut later = all.clone();
    later[0]["at"] = "2026-03-16T07:59:00Z".into();
    poll(&world, &later).await;
    assert_eq!(
        world.store().head().await.unwrap(),
        head,
        "nothing is written"
    );
    later[0]["action"] = "b".into();
    poll(&world, &later).await;
    poll(&world, &all).await;
    assert_eq!(
        keys(&world).await[3..],
        ["PM1-2", "PM1-3"],
        "there and back again"
    );
    let stream = StreamId::new("pay/sweep");
    let event = world.store().event_get(&stream, "PM1 #2").await.unwrap();
    let event: Document = serde_json::from_slice(&event.unwrap()).unwrap();
    assert_eq!(
        (&event["item"]["action"], &event["before"]["action"]),
        (&"b".into(), &"a".into()),
        "what it was is told with what it is"
    );
    let print = async |id| {
        let poll = StreamId::new("pay/sweep");
        world.store().print(&poll, id).await.unwrap().unwrap().print
    };
    let failed = world.engine().counters().polls_failed;
    poll(&world, &[]).await;
    poll(&world, &all[..1]).await;
    assert_eq!(world.engine().counters().polls_failed, failed + 2);
    assert!(
        print("PM3").await.is_some(),
        "two of three is too many at once"
    );
    poll(&world, &all[..2]).await;
    assert!(print("PM3").await.is_none(), "one of three is gone");
    poll(&world, &all).await;
    assert_eq!(
        keys(&world).await.last().unwrap(),
        "PM3-3",
        "it is new again"
    );
    world.stop().await;
}

#[tokio::test]
async fn a_call_makes_the_poll_run_before_its_time() {
    let world = World::with(BY_CONTENT).await;
    world.payments.pay("PM1", 100, "CU1");
    let list = [listed("PM1", "a", "2026-03-16T07:50:00Z")];
    world.payments.state().events = list.to_vec();
    let notice = json!({ "id": "N1", "at": "", "action": "changed", "payment": "PM1" });
    world.webhook(&[notice]).await;
    world
        .while_time_passes("it was read", SECOND, async || {
            (keys(&world).await == ["PM1-1"]).then_some(())
        })
        .await;
    assert!(
        world
            .now()
            .duration_since("2026-03-16T08:00:00Z".parse().unwrap())
            .as_mins()
            < 5
    );
    world.stop().await;
}

#[tokio::test]
async fn a_poll_goes_over_the_items_of_another_list() {
    let mut changes = BY_CONTENT.to_vec();
    changes.push((
        "with: { since: \"2026-01-01\" }\n    id",
        "over: { operation: list_events, with: { since: \"{{ now | to_date | add_days(-30) }}\" }, when: over.action == 'open', id: $.at }\n    \
         with: { since: \"{{ over.at }}\" }\n    id",
    ));
    let world = World::with(&changes).await;
    world.payments.state().page_size = 10;
    for id in ["PM1", "PM2", "PM3"] {
        world.payments.pay(id, 100, "CU1");
    }
    let list = [
        listed("PM1", "open", "2026-03-16T07:50:00Z"),
        listed("PM2", "shut", "2026-03-16T07:51:00Z"),
        listed("PM3", "open", "2026-03-16T07:52:00Z"),
    ];
    let before = world.payments.count("GET /events");
    poll(&world, &list).await;
    assert_eq!(world.payments.count("GET /events") - before, 3);
    let mut keys = keys(&world).await;
    keys.sort();
    assert_eq!(
        keys,
        ["PM1-1", "PM2-1", "PM3-1"],
        "each once, though PM3 is in both"
    );
    world.stop().await;
}

#[tokio::test]
async fn only_a_list_that_was_read_deletes_what_stood_in_it() {
    let mut changes = BY_CONTENT.to_vec();
    changes.push((
        "with: { since: \"2026-01-01\" }\n    id",
        "over: { operation: list_events, with: { since: \"2026-01-01\" }, when: over.action == 'open', id: $.at }\n    \
         with: { since: \"{{ over.at }}\" }\n    id",
    ));
    let world = World::with(&changes).await;
    world.payments.state().page_size = 10;
    for id in ["PM1", "PM2", "PM3"] {
        world.payments.pay(id, 100, "CU1");
    }
    let item = |id, action, minute| listed(id, action, &format!("2026-03-16T07:{minute}:00Z"));
    let all = [
        item("PM1", "open", 50),
        item("PM2", "shut", 51),
        item("PM3", "open", 52),
    ];
    poll(&world, &all).await;
    let stream = StreamId::new("pay/sweep");
    let known = async |id| world.store().print(&stream, id).await.unwrap().unwrap();
    assert_eq!(
        known("PM2").await.list.as_deref(),
        Some("2026-03-16T07:50:00Z")
    );
    // The first list, in which the others were seen, is not read any more.
    poll(&world, &all[2..]).await;
    for id in ["PM1", "PM2"] {
        assert!(known(id).await.print.is_some(), "{id}");
    }
    assert_eq!(
        known("PM3").await.list.as_deref(),
        Some("2026-03-16T07:52:00Z"),
        "where it is seen now"
    );
    poll(&world, &all).await;
    poll(&world, &[item("PM1", "open", 50), item("PM3", "open", 52)]).await;
    assert!(known("PM2").await.print.is_none(), "its list lacks it");
    let event = world.store().event_get(&stream, "PM2 #2").await.unwrap();
    let event: Document = serde_json::from_slice(&event.unwrap()).unwrap();
    assert_eq!(
        (&event["change"], &event["before"]["id"]),
        (&"deleted".into(), &"EV-PM2".into())
    );
    world.stop().await;
}
