//! Reconciliation of payouts: what GoCardless says against the entries in X3, also after people have been there.

use super::super::reconciled::{differences, line, since};
use super::{API1, BEGIN, CLOUD, Cast, SOAP};
use jiff::SignedDuration;
use ml_connector_simulators::serve::lock;

/// Collected, paid out, partly refunded and failed late, by one way of reading.
async fn compared(way: &str) {
    let cast = Cast::new();
    let integrations = ["payment-receipts", "refunds", "reversals", "payouts"];
    let story = cast.start(way, &integrations).await;
    let payments = cast.collect(&story, 3);
    {
        let mut collector = lock(&cast.collector);
        let now = story.now() + SignedDuration::from_millis(5);
        collector.pay_out("GBP", now).unwrap();
        collector.pay_out("EUR", now).unwrap();
        let later = now + SignedDuration::from_millis(5);
        let refund = collector.refund(&payments[0], 301, later).unwrap();
        collector.pay_refund(&refund, later).unwrap();
        collector
            .fail(&payments[2], "refer_to_payer", later)
            .unwrap();
    }
    cast.collect(&story, 3);
    {
        let mut collector = lock(&cast.collector);
        let now = story.now() + SignedDuration::from_millis(20);
        collector.pay_out("GBP", now).unwrap();
    }
    cast.announce(&story);
    let whole = async || since(&story, BEGIN).await;
    let mut patience = 100;
    let fine = loop {
        let seen = whole().await;
        if seen.agrees() && seen.lines.len() == 9 + 2 {
            break seen;
        }
        patience -= 1;
        assert!(patience > 0, "{way}: {:#?}", seen.lines);
        story.pass(SignedDuration::from_mins(10)).await;
    };
    assert_eq!(fine.statements.len(), 3);
    let refund = fine
        .lines
        .iter()
        .find(|line| line.kind == "refund")
        .unwrap();
    assert_eq!(refund.found.as_deref(), Some("-3.01"), "{refund:?}");

    // At the screen: one entry is deleted, another one entered twice.
    let reference = |payment: &str| line(&fine, "payment", payment).reference.clone().unwrap();
    {
        let mut x3 = lock(&cast.x3);
        let folder = x3.folder_mut("UKLIVE").unwrap();
        assert_eq!(folder.remove_entries_of(&reference(&payments[1])), 1);
        folder.repeat_entry_of(&reference(&payments[4]));
    }
    let wanted = [
        format!("extra payment {} 10.75", payments[4]),
        format!("missing payment {} -10.01", payments[1]),
    ];
    assert_eq!(differences(&whole().await), wanted, "{way}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_paid_out_is_found_by_soap_and_what_people_changed_is_named() {
    compared(SOAP).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_paid_out_is_found_by_api1_and_what_people_changed_is_named() {
    compared(API1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_paid_out_is_found_in_the_cloud_and_what_people_changed_is_named() {
    compared(CLOUD).await;
}
