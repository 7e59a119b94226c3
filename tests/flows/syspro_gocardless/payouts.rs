//! Payouts.

use super::super::{Moment, Trouble};
use super::{Cast, ERP, FAILURES, PAYOUTS, RECEIPTS, Script, Story};
use jiff::SignedDuration;
use ml_connector_core::delivery::StateKind;
use ml_connector_simulators::gocardless::Kind;
use ml_connector_simulators::serve::lock;
use ml_connector_simulators::syspro::{Fault, On};
use rust_decimal::Decimal;

/// Every payout stands in the cash book once: out of one bank, into the other, and its fees.
fn script(cast: &Cast) -> Script {
    let (collector, erp) = (cast.collector.clone(), cast.erp.clone());
    let script = cast.script(&[RECEIPTS, FAILURES, PAYOUTS]);
    script.check("the cash book to the cent", move || {
        let collector = lock(&collector);
        let erp = lock(&erp);
        let book = erp.company("EDU1").unwrap().cash_book();
        let mut differences = Vec::new();
        let mut entries = 0;
        for id in collector.ids(Kind::Payouts) {
            let payout = collector.resource(Kind::Payouts, &id).unwrap();
            let money = |name: &str| Decimal::new(payout[name].as_i64().unwrap(), 2);
            for (mark, bank, kind, value) in [
                ("W", "GC", 'W', money("amount")),
                ("D", "NB", 'D', money("amount")),
                ("F", "GC", 'W', money("deducted_fees")),
            ] {
                let reference = format!("{id}-{mark}");
                let found: Vec<_> = book
                    .iter()
                    .filter(|own| own.reference == reference)
                    .collect();
                entries += found.len();
                match found.as_slice() {
                    [one] if one.bank == bank && one.kind == kind && one.value == value => {}
                    found => differences.push(format!("{reference} of {value}: {found:?}")),
                }
            }
        }
        if entries != book.len() {
            differences.push(format!(
                "{} entries, {entries} of them expected",
                book.len()
            ));
        }
        differences
    })
}

/// Money comes in, some of it is lost again, and what is left is paid out, twice. Gives how many deliveries that makes.
fn pay_out(cast: &Cast, story: &Story) -> usize {
    let payments = cast.collect(story, 3);
    {
        let mut collector = lock(&cast.collector);
        let now = story.now() + SignedDuration::from_millis(5);
        collector.pay_out("GBP", now).unwrap();
        collector.pay_out("EUR", now).unwrap();
        let later = now + SignedDuration::from_millis(5);
        collector
            .fail(&payments[0], "refer_to_payer", later)
            .unwrap();
    }
    cast.collect(story, 2);
    {
        let mut collector = lock(&cast.collector);
        let now = story.now() + SignedDuration::from_millis(20);
        collector.pay_out("GBP", now).unwrap();
    }
    cast.announce(story);
    cast.events(&[
        ("payments", "confirmed"),
        ("payments", "failed"),
        ("payouts", "paid"),
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payouts_stand_in_the_cash_book_once_with_their_fees() {
    let cast = Cast::new();
    let story = script(&cast).start().await;
    story.strike(ERP, "CSHTWD", Trouble::CutAfter, 1);
    story.strike(ERP, "CSHTWD", Trouble::CutBefore, 1);
    story.strike(ERP, "CSHTWD", Trouble::Answer(502), 1);
    lock(&cast.erp)
        .faults
        .plan(On::Object("CSHTWD"), Fault::Evict);
    let made = pay_out(&cast, &story);
    story.settle(made).await;
    let payouts = "syspro-gocardless/payouts";
    assert_eq!(story.count(payouts, StateKind::Delivered).await, 3);
    assert_eq!(story.troubles_waiting(), 0);
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payouts_survive_an_outage_and_crashes_before_and_after_their_effect() {
    for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
        let cast = Cast::new();
        let mut story = script(&cast).start().await;
        story.down(ERP);
        let made = pay_out(&cast, &story);
        story.pass(SignedDuration::from_hours(3)).await;
        story.up(ERP);
        story.crash_during(ERP, "CSHTWD", moment).await;
        story.settle(made).await;
        assert!(story.holds().await.is_empty());
        story.end().await;
    }
}
