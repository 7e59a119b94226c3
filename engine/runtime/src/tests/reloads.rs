//! Reloads: new definitions take over between calls, and bad ones change nothing.

use super::api::Served;
use super::systems::Fault;
use super::world::{World, plan};
use crate::operator::{Command, ReloadStatus, Reply};
use ml_connector_store::tokens::Role;
use serde_json::{Value as Document, json};
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
/// Another text in every receipt.
const CHANGED: [(&str, &str); 1] = [("for {{ payment.customer }}", "again {{ payment.customer }}")];

async fn reloaded(world: &World) -> Option<ReloadStatus> {
    let Reply::Status(status) = world.engine().execute(Command::Status).await else {
        panic!()
    };
    status.reload
}

#[tokio::test]
async fn new_definitions_take_over_when_the_calls_under_way_have_ended() {
    let world = World::new().await;
    world.collect("PM1", 100).await;
    world.until_state("PM1", "delivered").await;
    world.ledger.fail("POST /receipts", &[Fault::Hang]);
    world.collect("PM2", 100).await;
    world
        .until_true("one is under way", async || {
            world.ledger.state().at_once == 1
        })
        .await;
    let (engine, seams) = (world.engine().clone(), world.seams());
    let reload = tokio::spawn(async move { engine.reload(plan(&CHANGED), seams).await });
    world
        .until_true("the new plan is there", async || {
            world.engine().plan().hash == plan(&CHANGED).hash
        })
        .await;
    // Events are taken all the time; what becomes of them waits.
    world.collect("PM3", 100).await;
    assert!(world.engine().ready().await);
    assert_eq!(world.ledger.posted(), ["PM1"]);
    world.ledger.release();
    assert!(reload.await.unwrap().unwrap());
    world.until_state("PM3", "delivered").await;
    {
        let state = world.ledger.state();
        let notes: Vec<_> = state.receipts.iter().map(|one| &one["note"]).collect();
        assert_eq!(notes, ["for CU1", "for CU1", "again CU1"]);
        assert_eq!(
            (state.log_ons, state.log_offs),
            (2, 1),
            "the session before was ended before the next began"
        );
    }
    assert!(reloaded(&world).await.unwrap().loaded);
    // The same once more is no change.
    let (engine, seams) = (world.engine().clone(), world.seams());
    assert!(!engine.reload(plan(&CHANGED), seams).await.unwrap());
    world.stop().await;
}

#[tokio::test]
async fn definitions_that_cannot_be_run_change_nothing_and_are_said() {
    let world = World::new().await;
    let before = Arc::clone(&world.engine().plan());
    world.engine().reload_failed("2 errors");
    let reload = reloaded(&world).await.unwrap();
    assert_eq!((reload.loaded, reload.why.as_str()), (false, "2 errors"));
    assert_eq!(world.engine().plan().hash, before.hash);
    assert!(world.engine().ready().await);
    world.collect("PM1", 100).await;
    world.until_state("PM1", "delivered").await;
    world.stop().await;
}

#[tokio::test]
async fn a_reload_sends_refused_credentials_no_second_time_and_keeps_a_pause() {
    let world = World::new().await;
    world.secrets.set("ledger/password", "an-old-one");
    world.collect("PM1", 100).await;
    world.until_circuit("ledger", "open").await;
    let command = Command::Pause {
        connection: "pay".into(),
        act: super::world::act(),
    };
    world.engine().execute(command).await;
    let seams = world.seams();
    assert!(world.engine().reload(plan(&CHANGED), seams).await.unwrap());
    assert_eq!(world.connection("ledger").await.circuit.state, "open");
    assert!(world.connection("pay").await.circuit.pause.is_some());
    let until = world.now() + 60 * SECOND;
    world
        .while_time_passes("a minute", SECOND, async || {
            (world.now() >= until).then_some(())
        })
        .await;
    assert_eq!(world.ledger.count("POST /logon"), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_person_asks_for_a_reload_with_a_reason_and_hears_how_it_went() {
    let served = Served::new().await;
    let engine = served.world.engine().clone();
    let ask = async |role: Role, body: Document| {
        let path = "/api/v1/reload";
        served.ask(Some(role), "POST", path, Some(&body)).await
    };
    let reason = || json!({ "reason": "new fee code" });
    // Nobody reads definitions for it yet.
    let nobody = ask(Role::Admin, reason()).await.problem(409);
    assert!(nobody.contains("nobody reads definitions"), "{nobody}");
    let mut requests = engine.reload_requests();
    let seams = served.world.seams();
    let reading = tokio::spawn(async move {
        let request = requests.recv().await.unwrap();
        engine.reload(plan(&CHANGED), seams).await.unwrap();
        drop(request);
        let request = requests.recv().await.unwrap();
        engine.reload_failed("2 errors");
        drop(request);
    });
    ask(Role::Operator, reason()).await.problem(403);
    ask(Role::Admin, json!({ "reason": " " }))
        .await
        .problem(400);
    let loaded = ask(Role::Admin, reason()).await.fine();
    assert_eq!(loaded["loaded"], true, "{loaded}");
    assert_eq!(served.world.engine().plan().hash, plan(&CHANGED).hash);
    let refused = ask(Role::Admin, reason()).await.fine();
    assert_eq!(
        (&refused["loaded"], &refused["why"]),
        (&json!(false), &json!("2 errors"))
    );
    reading.await.unwrap();
    let records = served.get("/api/v1/audit/records?limit=1000").await.fine();
    let asked: Vec<&Document> = records["records"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|record| record.to_string().contains("reload_asked"))
        .collect();
    assert_eq!(asked.len(), 3);
    let text = asked[1].to_string();
    assert!(
        text.contains("new fee code") && text.contains("ann-admin"),
        "{text}"
    );
    served.world.stop().await;
}
