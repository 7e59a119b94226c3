//! What is posted, by every way of writing, in whatever order it is heard of.

use super::{API1, CLOUD, Cast, POSTING, RECEIPTS, REFUNDS, REVERSALS, SIGNED, SOAP, STATES};
use super::{Kind, PEOPLE, SignedDuration, Switches, json, lock, named};
use ml_connector_core::delivery::StateKind;

/// Collected, partly refunded, charged back and failed late, by one way of writing.
async fn everything(way: &str) {
    let cast = Cast::new();
    let story = cast
        .start(way, &[RECEIPTS, REFUNDS, REVERSALS, STATES])
        .await;
    let payments = cast.collect(&story, 2);
    let later = story.now() + SignedDuration::from_millis(5);
    {
        let mut collector = lock(&cast.collector);
        let refund = collector.refund(&payments[0], 301, later).unwrap();
        collector.pay_refund(&refund, later).unwrap();
        collector
            .charge_back(&payments[1], "authorisation_disputed", later)
            .unwrap();
        collector
            .fail(&payments[2], "refer_to_payer", later)
            .unwrap();
    }
    cast.announce(&story);
    // Four receipts, a refund, two reversals, two tracked states.
    story.all_delivered(9).await;
    assert_eq!(lock(&cast.x3).entries().count(), 4 + 1 + 2, "{way}");
    let state = story
        .looked_up("payment_states", &payments[1])
        .await
        .unwrap();
    assert_eq!(state["status"], "charged_back");
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_posted_once_by_soap() {
    everything(SOAP).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_posted_once_by_api1() {
    everything(API1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_posted_once_by_graphql_with_signed_tokens() {
    everything(SIGNED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_posted_once_by_graphql_through_the_cloud() {
    everything(CLOUD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_an_entry_back_waits_for_it_and_names_it() {
    let cast = Cast::new();
    let script = cast.script(SOAP, &POSTING);
    let story = script.without_entries("customers").start().await;
    let payments = cast.collect(&story, 1);
    {
        let mut collector = lock(&cast.collector);
        let later = story.now() + SignedDuration::from_millis(5);
        let refund = collector.refund(&payments[0], 1001, later).unwrap();
        collector.pay_refund(&refund, later).unwrap();
        collector
            .charge_back(&payments[1], "authorisation_disputed", later)
            .unwrap();
    }
    cast.announce(&story);
    // Nobody knows whose payments these are, so nothing is there that could be taken back.
    let all = story.settle(4).await;
    assert!(all.iter().all(|one| one.state.kind() == StateKind::Held));
    for ((customer, _), (number, ..)) in cast.ids.iter().zip(PEOPLE) {
        story
            .set_entry("customers", customer, json!({ "x3": number }))
            .await;
    }
    story.all_delivered(4).await;
    {
        let x3 = lock(&cast.x3);
        let entries: Vec<_> = x3.entries().collect();
        for payment in &payments {
            let own = |entry: &&&_| {
                let entry: &ml_connector_simulators::sage_x3::Entry = entry;
                entry.source_document == *payment
            };
            let number = &entries.iter().find(own).unwrap().number;
            let names = |text: &str| entries.iter().any(|entry| entry.description == text);
            let back = ["Refund", "Reversal"];
            assert!(
                back.iter()
                    .any(|word| names(&format!("{word} GCPAY {number}"))),
                "nothing takes {number} back: {entries:#?}"
            );
        }
    }
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_is_collected_again_has_an_entry_for_each_time() {
    let cast = Cast::new();
    let story = cast.start(SOAP, &POSTING).await;
    let payments = cast.collect(&story, 1);
    cast.announce(&story);
    story.all_delivered(2).await;
    {
        let mut collector = lock(&cast.collector);
        let day = SignedDuration::from_hours(24);
        let (failed, again) = (story.now() + day, story.now() + day * 5);
        collector.fail_and_retry(&payments[0], failed).unwrap();
        collector.confirm(&payments[0], again).unwrap();
    }
    story.pass(SignedDuration::from_hours(24 * 6)).await;
    cast.announce(&story);
    story.all_delivered(4).await;
    let documents: Vec<String> = {
        let x3 = lock(&cast.x3);
        let own = |document: &String| document.contains(&payments[0]);
        let documents = x3.entries().map(|entry| entry.source_document.clone());
        documents.filter(own).collect()
    };
    let payment = &payments[0];
    assert_eq!(
        documents.iter().collect::<std::collections::BTreeSet<_>>(),
        [
            payment.clone(),
            format!("{payment}-2"),
            format!("X-{payment}")
        ]
        .iter()
        .collect()
    );
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_a_site_answers_it_is_understood() {
    for (name, switches) in Switches::variations() {
        // The door that notices.
        let way = match name {
            "full where" | "creates answer 200" => API1,
            "a grace for old refresh tokens"
            | "camel-case tokens"
            | "short token lives"
            | "full filters"
            | "pages of three"
            | "warnings as errors"
            | "amounts as numbers" => CLOUD,
            _ => SOAP,
        };
        println!("{name}, {way}");
        let cast = Cast::with(&switches);
        let story = cast.start(way, &[RECEIPTS, REFUNDS]).await;
        let payments = cast.collect(&story, 1);
        {
            let mut collector = lock(&cast.collector);
            let later = story.now() + SignedDuration::from_millis(5);
            let refund = collector.refund(&payments[0], 301, later).unwrap();
            collector.pay_refund(&refund, later).unwrap();
        }
        cast.announce(&story);
        story.all_delivered(3).await;
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_period_holds_and_its_opening_lets_go() {
    let cast = Cast::new();
    let story = cast.start(SOAP, &[RECEIPTS]).await;
    let close = |closed| {
        let mut x3 = lock(&cast.x3);
        x3.folder_mut("UKLIVE")
            .unwrap()
            .set_closed("UK10", 2026, 3, closed);
    };
    close(true);
    cast.collect(&story, 1);
    cast.announce(&story);
    story.settle(2).await;
    assert_eq!(story.count(&named(RECEIPTS), StateKind::Held).await, 2);
    let holds = story.holds().await;
    assert!(holds.iter().all(|hold| hold.why.contains("03/2026")));
    close(false);
    // Nobody needs to say so: it is tried again by itself.
    story.pass(SignedDuration::from_hours(7)).await;
    story.all_delivered(2).await;
    assert_eq!(lock(&cast.collector).ids(Kind::Payments).len(), 2);
    story.end().await;
}
