//! What is registered at the customer: mandates, subscriptions, failures; and who is which customer.

use super::super::{Moment, Trouble};
use super::{Cast, ERP, PEOPLE, RECEIPTS, REGISTERS, Story};
use bytes::Bytes;
use jiff::SignedDuration;
use ml_connector_core::delivery::StateKind;
use ml_connector_core::http::{HttpRequest, Method};
use ml_connector_simulators::serve::lock;
use ml_connector_simulators::syspro::{Fault, On};
use serde_json::json;
use std::time::Duration;

/// The dashboard's calls: as any program with a token.
fn call(cast: &Cast, story: &Story, path: &str, body: &serde_json::Value) -> serde_json::Value {
    let request = HttpRequest {
        method: Method::Post,
        url: format!("http://collector{path}"),
        headers: [
            ("Authorization", "Bearer token-value"),
            ("GoCardless-Version", "2015-07-06"),
            ("Content-Type", "application/json"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        body: Bytes::from(body.to_string()),
        timeout: Duration::MAX,
    };
    let reply = lock(&cast.collector).handle(&request, story.now());
    let answer = reply.answer().unwrap();
    assert!(
        answer.status < 300,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    serde_json::from_slice(&answer.body).unwrap()
}

/// Mandates come and go, a subscription is made and changed, a payment fails. Gives how many deliveries that makes.
fn changes(cast: &Cast, story: &Story) -> usize {
    let subscription = call(
        cast,
        story,
        "/subscriptions",
        &json!({ "subscriptions": {
            "amount": 4550, "currency": "GBP", "interval_unit": "monthly", "day_of_month": 16,
            "name": "Care & <more> é 漢", "links": { "mandate": cast.ids[0].1 },
        } }),
    );
    let id = subscription["subscriptions"]["id"].as_str().unwrap();
    call(
        cast,
        story,
        &format!("/subscriptions/{id}/actions/cancel"),
        &json!({ "data": {} }),
    );
    let payments = cast.collect(story, 1);
    let later = story.now() + SignedDuration::from_millis(5);
    let mut collector = lock(&cast.collector);
    collector
        .fail(&payments[2], "refer_to_payer", later)
        .unwrap();
    collector
        .cancel_mandate_at_bank(&cast.ids[1].1, later)
        .unwrap();
    drop(collector);
    cast.announce(story);
    cast.events(&[
        ("mandates", "*"),
        ("subscriptions", "created"),
        ("subscriptions", "cancelled"),
        ("payments", "failed"),
        ("payments", "cancelled"),
    ])
}

fn check(cast: &Cast) {
    let value = |code, column| cast.registered(code, column).unwrap_or_default();
    assert_eq!(value("0000418", "GcMandate"), cast.ids[1].1);
    assert_eq!(value("0000418", "GcMandateStatus"), "cancelled");
    assert_eq!(value("0000417", "GcSubscriptionStatus"), "cancelled");
    assert_eq!(value("0000417", "GcSubscriptionAmount"), "45.50");
    assert!(value("0000417", "GcSubscriptionRhythm").contains("Care & <more> é"));
    assert_eq!(value("0000419", "GcFailureCause"), "failed: refer_to_payer");
    assert_eq!(value("0000419", "GcFailureDate"), "2026-03-16");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_linked_in_the_erp_releases_its_payments() {
    let cast = Cast::new();
    let customers = "  - { use: syspro-gocardless/customers }\n";
    let script = cast.script(&[RECEIPTS, customers]);
    let story = script.without_entries("customers").start().await;
    cast.collect(&story, 1);
    cast.announce(&story);
    story.settle(3).await;
    assert_eq!(story.holds().await.len(), 3, "nobody is linked yet");
    for ((code, ..), (customer, _)) in PEOPLE.iter().zip(&cast.ids) {
        let mut erp = lock(&cast.erp);
        let company = erp.company_mut("EDU1").unwrap();
        company.set_form_value("CUS", code, "GcCustomer", customer);
    }
    story.all_delivered(6).await;
    let entry = story.looked_up("customers", &cast.ids[1].0).await.unwrap();
    assert_eq!(entry, json!({ "syspro": "0000418", "currency": "EUR" }));
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mandates_from_before_the_webhook_are_registered_by_the_daily_list() {
    let cast = Cast::new();
    let daily = "  - { use: syspro-gocardless/mandates-daily }\n";
    let story = cast.script_without_books(&[daily]).start().await;
    story.all_delivered(PEOPLE.len()).await;
    for ((code, ..), (_, mandate)) in PEOPLE.iter().zip(&cast.ids) {
        assert_eq!(cast.registered(code, "GcMandate").as_ref(), Some(mandate));
        assert_eq!(
            cast.registered(code, "GcMandateStatus").as_deref(),
            Some("active")
        );
    }
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_and_the_daily_list_survive_an_outage_lost_answers_and_a_crash() {
    for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
        let cast = Cast::new();
        let polled = "  - { use: syspro-gocardless/customers }\n  \
            - { use: syspro-gocardless/mandates-daily }\n";
        let script = cast.script(&[RECEIPTS, polled]).down(ERP);
        let mut story = script.without_entries("customers").start().await;
        for ((code, ..), (customer, _)) in PEOPLE.iter().zip(&cast.ids) {
            let mut erp = lock(&cast.erp);
            let company = erp.company_mut("EDU1").unwrap();
            company.set_form_value("CUS", code, "GcCustomer", customer);
        }
        cast.collect(&story, 1);
        cast.announce(&story);
        story.pass(SignedDuration::from_hours(3)).await;
        // Nobody can say whose payments and mandates these are.
        assert_eq!(story.holds().await.len(), 6);
        story.up(ERP);
        for marker in ["SYSPRO8Odata", "COMSFM"] {
            story.strike(ERP, marker, Trouble::CutAfter, 1);
            story.strike(ERP, marker, Trouble::CutBefore, 1);
            story.strike(ERP, marker, Trouble::Answer(502), 1);
        }
        lock(&cast.erp)
            .faults
            .plan(On::Object("COMSFM"), Fault::Evict);
        story.crash_during(ERP, "ArCustomer", moment).await;
        story.crash_during(ERP, "Setup/Add", moment).await;
        // Links, receipts and mandates.
        story.all_delivered(3 * PEOPLE.len()).await;
        assert_eq!(story.troubles_waiting(), 0);
        assert_eq!(lock(&cast.erp).faults.waiting(), 0);
        for ((code, ..), (_, mandate)) in PEOPLE.iter().zip(&cast.ids) {
            assert_eq!(cast.registered(code, "GcMandate").as_ref(), Some(mandate));
        }
        // Read again and again, what is known already is nothing new.
        story.pass(SignedDuration::from_hours(25)).await;
        story.all_delivered(3 * PEOPLE.len()).await;
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registers_show_how_things_stand_whatever_happened_on_the_way() {
    let cast = Cast::new();
    let story = cast.script_without_books(&[REGISTERS]).start().await;
    story.down(ERP);
    let made = changes(&cast, &story);
    story.pass(SignedDuration::from_hours(2)).await;
    story.up(ERP);
    story.strike(ERP, "COMSFM", Trouble::CutAfter, 3);
    story.strike(ERP, "COMSFM", Trouble::CutBefore, 1);
    lock(&cast.erp)
        .faults
        .plan(On::Object("COMSFM"), Fault::Evict);
    let all = story.settle(made).await;
    let ended = |one: &&ml_connector_store::Delivery| {
        matches!(one.state.kind(), StateKind::Delivered | StateKind::Skipped)
    };
    assert!(all.iter().all(|one| ended(&one)), "{all:#?}");
    assert_eq!(story.troubles_waiting(), 0);
    check(&cast);
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registers_survive_a_crash_between_and_during_their_steps() {
    for (marker, moment) in [
        ("Setup/Add", Moment::AfterEffect),
        ("Setup/Update", Moment::BeforeEffect),
        ("Setup/Update", Moment::AfterEffect),
    ] {
        let cast = Cast::new();
        let mut story = cast.script_without_books(&[REGISTERS]).start().await;
        let made = changes(&cast, &story);
        story.crash_during(ERP, marker, moment).await;
        story.settle(made).await;
        assert!(story.holds().await.is_empty());
        check(&cast);
        story.end().await;
    }
}
