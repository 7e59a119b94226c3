//! Payouts: what they are made of, tied to the entries, to the cent.

use super::super::Trouble;
use super::{Cast, ERP, Kind, RECEIPTS, REFUNDS, REVERSALS, SOAP, SignedDuration, Story, lock};
use rust_decimal::Decimal;

const FLOWS: [&str; 5] = [RECEIPTS, REFUNDS, REVERSALS, "payout-entries", "payouts"];

/// What the matching table says of each payout against the payout itself, and against the entries of its payments.
async fn tied(cast: &Cast, story: &Story) {
    let payouts = lock(&cast.collector).ids(Kind::Payouts);
    let number =
        |value: &serde_json::Value| -> Decimal { value.as_str().unwrap().parse().unwrap() };
    for id in &payouts {
        let payout = lock(&cast.collector).resource(Kind::Payouts, id).unwrap();
        let known = story.looked_up("payouts", id).await.unwrap();
        let minor = |name: &str| Decimal::from(payout[name].as_i64().unwrap());
        assert_eq!(
            number(&known["net"]) * Decimal::ONE_HUNDRED,
            minor("amount")
        );
        assert_eq!(
            number(&known["fees"]) * Decimal::ONE_HUNDRED,
            minor("deducted_fees")
        );
        // Items carry tenths of the minor unit; the payout is rounded.
        let made_of = number(&known["payments"]) + number(&known["taken_back"]);
        let rest = made_of - minor("deducted_fees") - minor("amount");
        assert!(rest.abs() < Decimal::ONE, "{id}: {known:#}, {payout:#}");
    }
    let payments = lock(&cast.collector).ids(Kind::Payments);
    for payment in payments {
        let own = lock(&cast.collector).resource(Kind::Payments, &payment);
        let own = own.unwrap();
        let tied = story.looked_up("payout_entries", &payment).await;
        if own["links"]["payout"].is_null() {
            assert_eq!(tied, None, "{payment}");
            continue;
        }
        let tied = tied.unwrap();
        assert_eq!(tied["payout"], own["links"]["payout"]);
        let x3 = lock(&cast.x3);
        let entry = x3
            .entries()
            .find(|entry| entry.source_document == payment)
            .unwrap();
        assert_eq!(tied["entry"], entry.number.as_str());
        assert_eq!(tied["in_x3"], entry.number.as_str());
        assert_eq!(number(&tied["amount"]), entry.debit());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payouts_are_tied_to_their_entries_to_the_cent() {
    let cast = Cast::new();
    let story = cast.start(SOAP, &FLOWS).await;
    let pay_out = |now| {
        let mut collector = lock(&cast.collector);
        collector.pay_out("GBP", now).unwrap();
        collector.pay_out("EUR", now).unwrap();
    };
    let payments = cast.collect(&story, 3);
    pay_out(story.now() + SignedDuration::from_millis(5));
    cast.announce(&story);
    // Six receipts, six payments in two payouts.
    story.all_delivered(6 + 6 + 2).await;
    {
        let mut collector = lock(&cast.collector);
        let now = story.now();
        let refund = collector.refund(&payments[0], 333, now).unwrap();
        collector.pay_refund(&refund, now).unwrap();
        collector
            .charge_back(&payments[1], "authorisation_disputed", now)
            .unwrap();
        collector.fail(&payments[2], "refer_to_payer", now).unwrap();
    }
    cast.collect(&story, 3);
    pay_out(story.now() + SignedDuration::from_millis(5));
    // The look-ups of entries are reads: one that gets lost is simply made again.
    story.strike(ERP, "YWSGCFIND", Trouble::CutAfter, 2);
    cast.announce(&story);
    story.all_delivered(14 + 14 + 3).await;
    tied(&cast, &story).await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payouts_post_nothing_whatever_happens() {
    let cast = Cast::new();
    let mut story = cast.start(SOAP, &FLOWS).await;
    cast.collect(&story, 2);
    lock(&cast.collector)
        .pay_out("GBP", story.now() + SignedDuration::from_millis(5))
        .unwrap();
    cast.announce(&story);
    story.settle(4 + 2 + 1).await;
    story.crash().await;
    story.all_delivered(4 + 2 + 1).await;
    assert_eq!(lock(&cast.x3).entries().count(), 4);
    tied(&cast, &story).await;
    story.end().await;
}
