//! Replay: a plan says what would happen and does nothing; applying it takes up what was never posted and nothing else;
//! a second posting is a person's decision about one record.

use super::api::Served;
use super::systems::Fault;
use ml_connector_core::delivery::{Decision, StateKind};
use ml_connector_store::tokens::Role;
use serde_json::{Value as Document, json};

const PLAN: &str = "/api/v1/replays/plan";
const APPLY: &str = "/api/v1/replays/apply";

async fn plan(served: &Served, selection: Document) -> Document {
    served.post(PLAN, &selection).await.fine()
}

/// The records of a plan by their event.
fn sorted(plan: &Document, event: &str) -> Document {
    let records = plan["records"].as_array().unwrap();
    let found = records.iter().find(|record| record["event_id"] == event);
    found
        .unwrap_or_else(|| panic!("no {event} in {plan}"))
        .clone()
}

#[tokio::test]
async fn a_plan_sorts_and_posts_nothing_and_applies_to_what_was_never_posted() {
    let served = Served::new().await;
    let world = &served.world;
    world.collect("PM1", 100).await;
    world.until_state("PM1", "delivered").await;
    world
        .ledger
        .fail("POST /receipts", &[Fault::Status(422, None)]);
    world.collect("PM2", 200).await;
    world.until_state("PM2", "held").await;
    world.ledger.fail("POST /receipts", &[Fault::CutAfter]);
    world.collect("PM3", 300).await;
    world.until_state("PM3", "uncertain").await;
    world
        .ledger
        .fail("POST /receipts", &[Fault::Status(422, None)]);
    world.collect("PM4", 400).await;
    world.until_state("PM4", "held").await;
    assert_eq!(world.resolve("PM4", Decision::Discard).await, None);
    // The source corrects what PM1 says: it would be written differently now.
    world.payments.pay("PM1", 150, "CU1");
    let posts = world.ledger.count("POST /receipts");

    let made = plan(&served, json!({})).await;
    assert_eq!(sorted(&made, "EV-PM2")["sort"], "never_posted");
    assert_eq!(sorted(&made, "EV-PM2")["now"]["would"], "write");
    assert_eq!(sorted(&made, "EV-PM3")["sort"], "in_doubt");
    assert_eq!(sorted(&made, "EV-PM4")["sort"], "never_posted");
    let differs = sorted(&made, "EV-PM1");
    assert_eq!(differs["sort"], "would_differ");
    let difference = &differs["differences"][0];
    assert_eq!(difference["path"], "body.amount", "{differs}");
    let text = |name: &str| difference[name].to_string();
    assert_eq!(
        (text("was"), text("would_be")),
        ("1.00".to_owned(), "1.50".to_owned())
    );
    assert_eq!(made["sorts"]["never_posted"], 2);
    world.payments.pay("PM1", 100, "CU1");
    let again = plan(&served, json!({ "reference": "PM1" })).await;
    assert_eq!(sorted(&again, "EV-PM1")["sort"], "unchanged");
    assert_eq!(again["records"].as_array().unwrap().len(), 1);
    assert_eq!(
        world.ledger.count("POST /receipts"),
        posts,
        "a plan posts nothing"
    );

    let mut changed = made.clone();
    changed["records"][0]["sort"] = json!("never_posted");
    let body = json!({ "plan": changed, "reason": "x" });
    assert!(
        served
            .post(APPLY, &body)
            .await
            .problem(400)
            .contains("as it was made")
    );
    let body = json!({ "plan": made, "reason": "the account was opened" });
    let applied = served.post(APPLY, &body).await.fine();
    assert_eq!(applied["results"].as_array().unwrap().len(), 2, "{applied}");
    for payment in ["PM2", "PM4"] {
        world.until_state(payment, "delivered").await;
    }
    assert_eq!(
        world
            .ledger
            .posted()
            .iter()
            .filter(|one| *one == "PM1")
            .count(),
        1
    );
    let moved = served.post(APPLY, &body).await.problem(409);
    assert!(moved.contains("moved since"), "{moved}");
    let history = world
        .store()
        .delivery_history(world.delivery("PM4").await.id)
        .await
        .unwrap();
    let text = serde_json::to_string(&history).unwrap();
    assert!(
        text.contains("the account was opened (replay plan rpl_"),
        "{text}"
    );
    served.world.stop().await;
}

#[tokio::test]
async fn a_second_posting_is_forced_for_one_record_by_an_admin_and_has_its_own_reference() {
    let served = Served::new().await;
    let world = &served.world;
    world.collect("PM1", 100).await;
    let id = world.until_state("PM1", "delivered").await.id;
    let path = format!("/api/v1/deliveries/{id}/replay");
    let refused = served
        .post(&path, &json!({ "reason": "x" }))
        .await
        .problem(409);
    assert!(refused.contains("was posted"), "{refused}");
    let forced = json!({ "force": true, "reason": "it was reversed by hand" });
    served.post(&path, &forced).await.problem(403);
    served
        .ask(
            Some(Role::Admin),
            "POST",
            &path,
            Some(&json!({ "force": true, "reason": "" })),
        )
        .await
        .problem(400);
    assert_eq!(world.ledger.posted(), ["PM1"]);

    // The answer to the second posting is lost: the look-up must find the second, not the first.
    world.ledger.fail("POST /receipts", &[Fault::CutBefore]);
    let done = served
        .ask(Some(Role::Admin), "POST", &path, Some(&forced))
        .await
        .fine();
    assert_eq!(done["state"], "pending");
    world.until_state("PM1", "uncertain").await;
    world
        .until_true("it is posted again", async || {
            world.advance(std::time::Duration::from_secs(600)).await;
            world.state("PM1").await.kind() == StateKind::Delivered
        })
        .await;
    assert_eq!(world.ledger.posted(), ["PM1", "PM1-2"]);
    let delivery = world.delivery("PM1").await;
    assert_eq!(delivery.reference.as_ref().unwrap().as_str(), "PM1-2");
    let trail = served
        .get("/api/v1/audit/trail?reference=PM1")
        .await
        .fine()
        .to_string();
    assert!(
        trail.contains("post_again") && trail.contains("it was reversed by hand"),
        "{trail}"
    );
    served.world.stop().await;
}

#[tokio::test]
async fn what_may_have_been_posted_is_not_replayed_at_all() {
    let served = Served::new().await;
    let world = &served.world;
    world.ledger.fail("POST /receipts", &[Fault::CutAfter]);
    world.collect("PM1", 100).await;
    let id = world.until_state("PM1", "uncertain").await.id;
    let path = format!("/api/v1/deliveries/{id}/replay");
    for force in [false, true] {
        let body = json!({ "force": force, "reason": "hurry" });
        let refused = served
            .ask(Some(Role::Admin), "POST", &path, Some(&body))
            .await;
        assert!(refused.problem(409).contains("nobody knows"));
    }
    assert_eq!(world.resolve("PM1", Decision::Discard).await, None);
    let body = json!({ "reason": "hurry" });
    let refused = served.post(&path, &body).await.problem(409);
    assert!(refused.contains("may have been"), "{refused}");
    served
        .post(PLAN, &json!({ "states": ["nonsense"] }))
        .await
        .problem(400);
    served
        .post(PLAN, &json!({ "deliveries": ["dlv_1"], "state": [] }))
        .await
        .problem(400);
    served.world.stop().await;
}
