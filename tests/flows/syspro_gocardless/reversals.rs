//! Failures, chargebacks, refunds and refunds that come back: in any order, and around outages, lost answers, ended sessions
//! and crashes.

use super::super::{Moment, Trouble};
use super::{Cast, ERP, FAILURES, PEOPLE, RECEIPTS, REFUNDS, RETURNED, Story};
use jiff::SignedDuration;
use ml_connector_core::delivery::{Class, StateKind};
use ml_connector_simulators::serve::lock;
use ml_connector_simulators::syspro::{Fault, On};

/// Collects from everybody; then, before anything is told, some payments fail late, some are charged back, one fails before
/// any money came and one comes back from its chargeback. Gives how many deliveries that makes.
fn trouble(cast: &Cast, story: &Story) -> usize {
    let payments = cast.collect(story, 3);
    let never = {
        let mut collector = lock(&cast.collector);
        let asked = story.now() - SignedDuration::from_hours(24 * 7);
        collector
            .collect_payment(&cast.ids[0].1, 777, &[], asked)
            .unwrap()
    };
    let mut collector = lock(&cast.collector);
    let later = story.now() + SignedDuration::from_millis(5);
    collector
        .fail(&payments[0], "refer_to_payer", later)
        .unwrap();
    collector
        .fail(&payments[4], "mandate_cancelled", later)
        .unwrap();
    collector
        .charge_back(&payments[2], "refund_requested", later)
        .unwrap();
    collector
        .charge_back(&payments[5], "authorisation_disputed", later)
        .unwrap();
    let back = later + SignedDuration::from_millis(5);
    collector.cancel_charge_back(&payments[5], back).unwrap();
    collector.fail(&never, "refer_to_payer", later).unwrap();
    drop(collector);
    cast.announce(story);
    cast.events(&[
        ("payments", "confirmed"),
        ("payments", "chargeback_cancelled"),
        ("payments", "failed"),
        ("payments", "charged_back"),
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_receipt_of_lost_money_is_taken_back_whatever_comes_first() {
    let cast = Cast::new();
    let story = cast.script(&[RECEIPTS, FAILURES]).start().await;
    let made = trouble(&cast, &story);
    assert_eq!(made, 9 + 1 + 5);
    story.settle(made).await;
    let failures = "syspro-gocardless/failures";
    assert_eq!(story.count(failures, StateKind::Delivered).await, 4);
    assert_eq!(story.count(failures, StateKind::Skipped).await, 1);
    // The credits that held the money are as they were before it came.
    {
        let erp = lock(&cast.erp);
        let company = erp.company("EDU1").unwrap();
        for receipt in erp
            .receipts()
            .iter()
            .filter(|own| own.amount.is_sign_negative())
        {
            for (invoice, _) in &receipt.distribution {
                let invoice = company.invoice(&receipt.customer, invoice).unwrap();
                assert!(invoice.balance.is_zero(), "{invoice:?}");
            }
        }
    }
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reversals_survive_an_outage_lost_answers_and_an_ended_session() {
    let cast = Cast::new();
    let story = cast.script(&[RECEIPTS, FAILURES]).start().await;
    story.down(ERP);
    let made = trouble(&cast, &story);
    story.pass(SignedDuration::from_hours(8)).await;
    story.up(ERP);
    story.strike(ERP, "ARSTPY", Trouble::CutAfter, 4);
    story.strike(ERP, "ARSTPY", Trouble::CutBefore, 1);
    story.strike(ERP, "COMFND", Trouble::Answer(502), 1);
    lock(&cast.erp)
        .faults
        .plan(On::Object("ARSTPY"), Fault::Evict);
    story.settle(made).await;
    assert_eq!(story.troubles_waiting(), 0);
    assert!(story.holds().await.is_empty());
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reversals_survive_crashes_before_and_after_their_effect() {
    for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
        let cast = Cast::new();
        let mut story = cast.script(&[RECEIPTS, FAILURES]).start().await;
        let made = trouble(&cast, &story);
        story.crash_during(ERP, "reversals", moment).await;
        story.settle(made).await;
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_reversals_a_cancelled_chargeback_is_no_second_receipt() {
    let cast = Cast::new();
    let story = cast.script(&[RECEIPTS]).start().await;
    let payments = cast.collect(&story, 1);
    {
        let mut collector = lock(&cast.collector);
        let later = story.now() + SignedDuration::from_millis(5);
        collector
            .charge_back(&payments[0], "refund_requested", later)
            .unwrap();
        collector.cancel_charge_back(&payments[0], later).unwrap();
    }
    cast.announce(&story);
    story.settle(4).await;
    let holds = story.holds().await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert!(holds[0].why.contains("reversed"), "{holds:?}");
    // The first receipt is the right one: the books agree.
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_has_not_proved_negative_receipts_holds_them() {
    let cast = Cast::new();
    let careful = "  - { use: syspro-gocardless/failures, params: { bank: GC } }\n";
    let story = cast.script(&[RECEIPTS, careful]).start().await;
    let payments = cast.collect(&story, 1);
    let later = story.now() + SignedDuration::from_millis(5);
    lock(&cast.collector)
        .fail(&payments[0], "refer_to_payer", later)
        .unwrap();
    cast.announce(&story);
    story.settle(4).await;
    let holds = story.holds().await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!(holds[0].class, Class::Value);
    assert!(holds[0].why.contains("negative"), "{holds:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refunds_take_money_out_of_their_receipts_and_bring_it_back() {
    for moment in [None, Some(Moment::BeforeEffect), Some(Moment::AfterEffect)] {
        let cast = Cast::new();
        let integrations = [RECEIPTS, FAILURES, REFUNDS, RETURNED];
        let mut story = cast.script(&integrations).start().await;
        let payments = cast.collect(&story, 2);
        {
            // Nothing has been told yet: the refunds may arrive before the receipts they are taken from.
            let now = story.now() + SignedDuration::from_millis(5);
            let mut collector = lock(&cast.collector);
            let in_part = collector.refund(&payments[0], 250, now).unwrap();
            let whole = collector.refund(&payments[1], 1001, now).unwrap();
            for refund in [&in_part, &whole] {
                collector.pay_refund(refund, now).unwrap();
            }
        }
        cast.announce(&story);
        if let Some(moment) = moment {
            story.crash_during(ERP, "refund", moment).await;
        } else {
            story.strike(ERP, "refund", Trouble::CutAfter, 2);
        }
        let made = PEOPLE.len() * 2 + 2;
        story.all_delivered(made).await;
        assert_eq!(story.troubles_waiting(), 0);
        story.end().await;
    }
}

/// Lost answers and an ended session for whatever is posted next.
fn on_the_way(cast: &Cast, story: &Story) {
    story.strike(ERP, "ARSTPY", Trouble::CutAfter, 1);
    story.strike(ERP, "ARSTPY", Trouble::CutBefore, 1);
    lock(&cast.erp)
        .faults
        .plan(On::Object("ARSTPY"), Fault::Evict);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refunds_and_their_return_survive_outages_lost_answers_ended_sessions_and_crashes() {
    for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
        let cast = Cast::new();
        let integrations = [RECEIPTS, FAILURES, REFUNDS, RETURNED];
        let mut story = cast.script(&integrations).start().await;
        let payments = cast.collect(&story, 2);
        cast.announce(&story);
        story.all_delivered(6).await;

        story.down(ERP);
        let refund = {
            let now = story.now();
            let mut collector = lock(&cast.collector);
            let [in_part, whole] = [(0, 250), (1, 1001)].map(|(at, amount): (usize, _)| {
                let refund = collector.refund(&payments[at], amount, now).unwrap();
                collector.pay_refund(&refund, now).unwrap();
                refund
            });
            assert_ne!(in_part, whole);
            collector.pay_out("GBP", now).unwrap();
            in_part
        };
        cast.announce(&story);
        story.pass(SignedDuration::from_hours(3)).await;
        story.up(ERP);
        on_the_way(&cast, &story);
        story.crash_during(ERP, "refund", moment).await;
        story.all_delivered(8).await;

        // The bank sends one of them back, and the next payout has it.
        story.down(ERP);
        let bounced = story.now();
        lock(&cast.collector)
            .bounce_refund(&refund, bounced)
            .unwrap();
        cast.collect(&story, 1);
        lock(&cast.collector)
            .pay_out("GBP", story.now() + SignedDuration::from_millis(5))
            .unwrap();
        cast.announce(&story);
        story.pass(SignedDuration::from_hours(3)).await;
        story.up(ERP);
        on_the_way(&cast, &story);
        story.crash_during(ERP, "returned", moment).await;
        story.all_delivered(8 + 3 + 1).await;
        assert_eq!(story.troubles_waiting(), 0);
        assert_eq!(lock(&cast.erp).faults.waiting(), 0);
        story.end().await;
    }
}
