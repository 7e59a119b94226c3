//! Receipts.

use super::super::{Moment, Trouble};
use super::{CONNECTIONS, Cast, ERP, PEOPLE, RECEIPTS};
use http::StatusCode;
use jiff::SignedDuration;
use ml_connector_core::delivery::StateKind;
use ml_connector_simulators::serve::lock;
use ml_connector_simulators::syspro::{Fault, On};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_arrive_once_whatever_their_order_and_a_forged_one_never() {
    let cast = Cast::new();
    let story = cast.script(&[RECEIPTS]).start().await;
    cast.collect(&story, 4);
    cast.announce(&story);
    let forged = {
        let mut collector = lock(&cast.collector);
        collector.forge_webhook("payments", "confirmed", story.now())
    };
    let status = story.receive(&forged.unwrap().tampered()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    story.all_delivered(12).await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_wait_for_the_erp_and_lost_answers_are_looked_up() {
    let cast = Cast::new();
    let story = cast.script(&[RECEIPTS]).start().await;
    story.strike(ERP, "ARSTPY", Trouble::CutAfter, 2);
    story.strike(ERP, "ARSTPY", Trouble::CutBefore, 1);
    story.strike(ERP, "ARSTPY", Trouble::Answer(502), 1);
    lock(&cast.erp)
        .faults
        .plan(On::Object("ARSTPY"), Fault::Evict);
    cast.collect(&story, 2);
    cast.announce(&story);
    story.settle(6).await;
    story.down(ERP);
    cast.collect(&story, 2);
    cast.announce(&story);
    story.pass(SignedDuration::from_hours(8)).await;
    let integration = "syspro-gocardless/payment-receipts";
    assert_eq!(story.count(integration, StateKind::Delivered).await, 6);
    story.up(ERP);
    story.all_delivered(12).await;
    assert_eq!(story.troubles_waiting(), 0);
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_survive_crashes_before_and_after_their_effect() {
    for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
        let cast = Cast::new();
        let mut story = cast.script(&[RECEIPTS]).start().await;
        cast.collect(&story, 2);
        cast.announce(&story);
        story.crash_during(ERP, "ARSTPY", moment).await;
        story.all_delivered(6).await;
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_without_an_account_goes_by_itself_once_somebody_names_it() {
    let cast = Cast::new();
    let script = cast.script(&[RECEIPTS]).without_entries("customers");
    let story = script.start().await;
    cast.collect(&story, 1);
    cast.announce(&story);
    story.settle(3).await;
    assert_eq!(story.holds().await.len(), 3);
    for ((code, _, currency), (customer, _)) in PEOPLE.iter().zip(&cast.ids) {
        let values = json!({ "syspro": code, "currency": currency });
        story.set_entry("customers", customer, values).await;
    }
    story.all_delivered(3).await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_go_by_soap_where_a_site_wants_that() {
    for faults in [true, false] {
        let cast = Cast::new();
        lock(&cast.erp).switches.soap_faults = faults;
        let soap = "company_id: EDU1, post_transport: soap, \
            soap_url: \"http://erp/SYSPROWCFService/Soap\" }";
        let site = CONNECTIONS.replacen("company_id: EDU1 }", soap, 1) + RECEIPTS;
        let mut story = cast.with_books(cast.script_of(&site)).start().await;
        story.strike(ERP, "<TransactionPost", Trouble::CutAfter, 2);
        story.strike(ERP, "<TransactionPost", Trouble::CutBefore, 1);
        for fault in [Fault::Evict, Fault::Locked] {
            lock(&cast.erp).faults.plan(On::Object("ARSTPY"), fault);
        }
        cast.collect(&story, 2);
        cast.announce(&story);
        story
            .crash_during(ERP, "<TransactionPost", Moment::AfterEffect)
            .await;
        story.all_delivered(6).await;
        assert_eq!(story.troubles_waiting(), 0);
        story.end().await;
    }
}
