//! Answers that get lost, calls that never arrive, an ERP that is away, an engine that is killed: for receipts by every way of
//! writing, for whatever follows them by two.

use super::super::{Moment, Trouble};
use super::{API1, CLOUD, Cast, ERP, POSTING, RECEIPTS, REFUNDS, REVERSALS, SOAP, STATES};
use super::{SignedDuration, WAYS, lock, named};
use jiff::Timestamp;
use ml_connector_core::delivery::StateKind;
use ml_connector_simulators::sage_x3::{Fault, On};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answers_are_looked_up_by_every_way() {
    for (way, marker) in WAYS {
        let cast = Cast::new();
        let story = cast.start(way, &[RECEIPTS]).await;
        story.strike(ERP, marker, Trouble::CutAfter, 1);
        story.strike(ERP, marker, Trouble::CutBefore, 1);
        story.strike(ERP, marker, Trouble::Answer(502), 1);
        let proxy = Fault::ProxyAfter { status: 504 };
        lock(&cast.x3).faults.plan(On::Writes, proxy);
        cast.collect(&story, 3);
        cast.announce(&story);
        story.all_delivered(6).await;
        assert_eq!(story.troubles_waiting(), 0, "{way}");
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_that_proves_nothing_is_looked_up_as_well() {
    let cast = Cast::new();
    let story = cast.start(SOAP, &[RECEIPTS]).await;
    for fault in [
        Fault::Locked,
        Fault::RefusedButWritten,
        Fault::Mute,
        Fault::QueueTimeout,
        Fault::NoProcesses,
    ] {
        lock(&cast.x3).faults.plan(On::Writes, fault);
    }
    cast.collect(&story, 3);
    cast.announce(&story);
    story.all_delivered(6).await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_costs_only_time() {
    for way in [SOAP, API1] {
        let cast = Cast::new();
        let story = cast.start(way, &POSTING).await;
        let payments = cast.collect(&story, 2);
        cast.announce(&story);
        story.all_delivered(4).await;
        story.down(ERP);
        {
            let mut collector = lock(&cast.collector);
            let now = story.now();
            let refund = collector.refund(&payments[0], 301, now).unwrap();
            collector.pay_refund(&refund, now).unwrap();
            collector.fail(&payments[1], "refer_to_payer", now).unwrap();
        }
        cast.collect(&story, 1);
        cast.announce(&story);
        story.pass(SignedDuration::from_hours(8)).await;
        let receipts = named(RECEIPTS);
        assert_eq!(story.count(&receipts, StateKind::Delivered).await, 4);
        assert_eq!(lock(&cast.x3).entries().count(), 4);
        story.up(ERP);
        story.all_delivered(8).await;
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_web_server_in_the_middle_loses_nothing() {
    let cast = Cast::new();
    let story = cast.start(SOAP, &[RECEIPTS]).await;
    let down_for = std::time::Duration::from_secs(20 * 60);
    lock(&cast.x3)
        .faults
        .plan(On::Writes, Fault::Restart { down_for });
    cast.collect(&story, 2);
    cast.announce(&story);
    story.all_delivered(4).await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_around_the_post_loses_and_doubles_nothing() {
    for (way, marker) in WAYS {
        for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
            let cast = Cast::new();
            let mut story = cast.start(way, &[RECEIPTS]).await;
            cast.collect(&story, 1);
            cast.announce(&story);
            story.crash_during(ERP, marker, moment).await;
            story.all_delivered(2).await;
            story.end().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_the_erp_is_away_loses_nothing() {
    let cast = Cast::new();
    let mut story = cast.start(SOAP, &POSTING).await;
    let payments = cast.collect(&story, 1);
    cast.announce(&story);
    story.all_delivered(2).await;
    story.down(ERP);
    lock(&cast.collector)
        .charge_back(&payments[0], "authorisation_disputed", story.now())
        .unwrap();
    cast.collect(&story, 1);
    cast.announce(&story);
    story.pass(SignedDuration::from_hours(1)).await;
    story.crash().await;
    story.pass(SignedDuration::from_hours(1)).await;
    story.up(ERP);
    story.all_delivered(5).await;
    story.end().await;
}

/// What follows a receipt, by one way of writing: the ERP is away for longer than a token lives, answers get lost, a token is
/// refused, and the engine crashes in a call with this marker.
async fn followed(way: &str, integration: &str, marker: &str) {
    for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
        let cast = Cast::new();
        let mut flows = vec![RECEIPTS, integration];
        if integration == STATES {
            flows.push(REVERSALS);
        }
        let mut story = cast.start(way, &flows).await;
        let payments = cast.collect(&story, 2);
        cast.announce(&story);
        story.all_delivered(4).await;
        story.down(ERP);
        let (made, entries) = happen(&cast, integration, &payments, story.now());
        cast.announce(&story);
        story.pass(SignedDuration::from_hours(3)).await;
        let followers = named(integration);
        assert_eq!(story.count(&followers, StateKind::Delivered).await, 0);
        story.up(ERP);
        story.strike(ERP, marker, Trouble::CutAfter, 1);
        story.strike(ERP, marker, Trouble::CutBefore, 1);
        if way == CLOUD {
            lock(&cast.x3).faults.plan(On::Any, Fault::Unauthorised);
        }
        story.crash_during(ERP, marker, moment).await;
        story.all_delivered(4 + made).await;
        assert_eq!(story.troubles_waiting(), 0, "{way}, {integration}");
        assert_eq!(lock(&cast.x3).faults.waiting(), 0, "{way}, {integration}");
        let posted = lock(&cast.x3).entries().count();
        assert_eq!(posted, 4 + entries, "{way}, {integration}");
        story.end().await;
    }
}

/// What an integration has to tell about. Gives how many deliveries and how many entries that makes.
fn happen(cast: &Cast, integration: &str, payments: &[String], now: Timestamp) -> (usize, usize) {
    let mut collector = lock(&cast.collector);
    match integration {
        REFUNDS => {
            for (payment, amount) in payments.iter().zip([301, 77]) {
                let refund = collector.refund(payment, amount, now).unwrap();
                collector.pay_refund(&refund, now).unwrap();
            }
            (2, 2)
        }
        REVERSALS | STATES => {
            collector.fail(&payments[0], "refer_to_payer", now).unwrap();
            collector
                .charge_back(&payments[1], "authorisation_disputed", now)
                .unwrap();
            if integration == STATES {
                (4, 2)
            } else {
                (2, 2)
            }
        }
        "payout-entries" | "payouts" => {
            collector.pay_out("GBP", now).unwrap();
            collector.pay_out("EUR", now).unwrap();
            if integration == "payouts" {
                (2, 0)
            } else {
                (4, 0)
            }
        }
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_a_receipt_survives_everything_by_soap() {
    followed(SOAP, REFUNDS, "YWSGAS").await;
    followed(SOAP, REVERSALS, "YWSGAS").await;
    for confirmed in [STATES, "payout-entries", "payouts"] {
        followed(SOAP, confirmed, "YWSGCFIND").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_a_receipt_survives_everything_in_the_cloud() {
    followed(CLOUD, REFUNDS, "mutation").await;
    followed(CLOUD, REVERSALS, "mutation").await;
    for confirmed in [STATES, "payout-entries", "payouts"] {
        followed(CLOUD, confirmed, "/v1/graphql").await;
    }
}
