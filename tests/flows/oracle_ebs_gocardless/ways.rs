//! The other ways in: log-on by token, and receipts that are made at once.

use super::super::{Moment, Trouble};
use super::{
    Cast, ERP, INVOICES, Kind, PEOPLE, RECEIPTS, REVERSALS, SITE, Story, Switches, lock, reach,
};
use jiff::SignedDuration;
use ml_connector_core::delivery::{DeliveryState, StateKind};
use ml_connector_simulators::Simulated as _;
use ml_connector_simulators::oracle_ebs::{Expired, Fault, On};
use ml_connector_store::Delivery;
use rust_decimal::Decimal;

/// Settings of a connection whose site takes no Basic on services.
pub(super) const TOKEN: &str = "package\n      auth: token";
/// Settings of a connection that makes its receipts at once.
const RECEIPT_API: &str = "receipt_api\n      receipt_method_id: \"3001\"\n      \
    remittance_account_id: \"10077\"";

pub(super) const PARTIAL: &str = "oracle-ebs-gocardless/partial-refunds";

/// A site that replaces receipts of which a part was refunded.
pub(super) fn replacing() -> String {
    let site = SITE.replace(
        "  - use: oracle-ebs-gocardless/reversals\n",
        "  - { use: oracle-ebs-gocardless/reversals, params: { partial_refunds: replace } }\n  \
         - use: oracle-ebs-gocardless/partial-refunds\n",
    );
    let methods =
        "package\n      receipt_method_id: \"3001\"\n      remittance_account_id: \"10077\"";
    site.replace("WRITE_MODE", methods)
}

/// Four invoices, collected and paid out.
pub(super) async fn paid_out(cast: &Cast, story: &Story) -> Vec<String> {
    for (at, amount) in ["250", "79.9", "1.05", "1234.56"].iter().enumerate() {
        let (account, ..) = PEOPLE[at % 2];
        cast.invoice(account, &format!("INV-{at}"), amount, story.now());
    }
    reach(story, INVOICES, StateKind::Delivered, 4).await;
    let payments = cast.collect(story);
    cast.announce(story);
    payments
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_end_in_the_middle_are_opened_again() {
    for expired in [Expired::Unauthorized, Expired::Redirect, Expired::LoginPage] {
        let cast = Cast::new(Switches {
            expired,
            nested_token: expired == Expired::Redirect,
            ..Switches::default()
        });
        let mut story = cast.script(TOKEN).start().await;
        for operation in ["STAGE_RECEIPTS", "SUBMIT_LOCKBOX", "GET_RECEIPT"] {
            lock(&cast.erp)
                .faults
                .plan(On::Operation(operation), Fault::Expire);
        }
        paid_out(&cast, &story).await;
        story
            .crash_during(ERP, "create_transmission", Moment::AfterEffect)
            .await;
        reach(&story, RECEIPTS, StateKind::Delivered, 4).await;
        cast.submitted_once();
        // One session at a time, for many calls.
        let (logins, calls) = {
            let erp = lock(&cast.erp);
            (erp.logins(), erp.calls())
        };
        assert!(logins * 2 < calls, "{logins} log-ons for {calls} calls");
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_in_which_installations_differ_leads_to_the_same_books() {
    for (name, switches) in Switches::variations() {
        // The way in that notices.
        let ways: &[&str] = match name {
            "record ids filled" | "atomic inserts" | "good rows stay" | "X_REQUEST_ID" => {
                &["open_interface"]
            }
            "default" => &[TOKEN, "open_interface", RECEIPT_API],
            "a lax level with JSON nulls"
            | "400 for execution errors"
            | "commits anyway"
            | "foreign organisation ignored" => &[TOKEN, RECEIPT_API],
            _ => &[TOKEN],
        };
        for way in ways {
            println!("{name}, {way}");
            let cast = Cast::new(switches.clone());
            out_and_back(&cast, way).await;
        }
    }
}

/// Invoices out and receipts back, with answers that are lost and a session that ends, and one receipt reversed.
async fn out_and_back(cast: &Cast, way: &str) {
    let story = cast.script(way).start().await;
    for (account, number, amount) in [(1290, "INV-1", "250"), (1291, "INV-2", "79.9")] {
        cast.invoice(account, number, amount, story.now());
    }
    reach(&story, INVOICES, StateKind::Delivered, 2).await;
    lock(&cast.erp)
        .faults
        .plan(On::Operation("GET_RECEIPT"), Fault::Expire);
    let write = match way {
        RECEIPT_API => "create_and_apply",
        _ => "create_transmission",
    };
    story.strike(ERP, write, Trouble::CutAfter, 1);
    let payments = cast.collect(&story);
    cast.announce(&story);
    reach(&story, RECEIPTS, StateKind::Delivered, 2).await;
    assert_eq!(story.troubles_waiting(), 0, "an answer was lost");
    if way == RECEIPT_API {
        lock(&cast.collector)
            .charge_back(&payments[1], "refund_requested", story.now())
            .unwrap();
        cast.announce(&story);
        reach(&story, REVERSALS, StateKind::Delivered, 1).await;
    } else {
        cast.submitted_once();
    }
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_on_that_is_refused_does_not_lock_the_user() {
    let cast = Cast::new(Switches::default());
    let story = cast.script(TOKEN).start().await;
    story.set_secret("ebs", "changed meanwhile");
    cast.invoice(1290, "INV-1", "250", story.now());
    story.pass(SignedDuration::from_hours(1)).await;
    assert!(!lock(&cast.erp).is_locked("GC_INTEGRATION"));
    story.set_secret("ebs", "secret");
    reach(&story, INVOICES, StateKind::Delivered, 1).await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_that_are_made_at_once_are_made_once() {
    let cast = Cast::new(Switches::default());
    let mut story = cast.script(RECEIPT_API).start().await;
    for trouble in [Trouble::CutAfter, Trouble::CutBefore, Trouble::Answer(504)] {
        story.strike(ERP, "create_and_apply", trouble, 1);
    }
    lock(&cast.erp)
        .faults
        .plan(On::Operation("CREATE_AND_APPLY"), Fault::StatusAfter(504));
    let payments = paid_out(&cast, &story).await;
    story
        .crash_during(ERP, "create_and_apply", Moment::AfterEffect)
        .await;
    reach(&story, RECEIPTS, StateKind::Delivered, 4).await;
    {
        let erp = lock(&cast.erp);
        assert_eq!(erp.receipts().count(), 4);
        assert!(erp.transmissions().is_empty() && erp.captured().is_empty());
    }
    lock(&cast.collector)
        .charge_back(&payments[1], "refund_requested", story.now())
        .unwrap();
    cast.announce(&story);
    reach(&story, REVERSALS, StateKind::Delivered, 1).await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_whose_invoice_was_closed_meanwhile_stays_unapplied() {
    let cast = Cast::new(Switches::default());
    let story = cast.script(RECEIPT_API).start().await;
    let schedule = cast.invoice(1290, "INV-1", "250", story.now());
    reach(&story, INVOICES, StateKind::Delivered, 1).await;
    lock(&cast.erp).pay_elsewhere(schedule, story.now());
    cast.collect(&story);
    cast.announce(&story);
    reach(&story, RECEIPTS, StateKind::Delivered, 1).await;
    let status = {
        let erp = lock(&cast.erp);
        let receipt = erp.receipts().find(|own| own.number.starts_with("PM"));
        erp.receipt_status(receipt.unwrap())
    };
    assert_eq!(status, "UNAPP");
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refunded_in_part_leaves_a_receipt_of_the_rest() {
    let cast = Cast::new(Switches::default());
    let site = replacing();
    let mut story = cast.script_of(&site).start().await;
    let mut payments = paid_out(&cast, &story).await;
    // In the order of the invoices, whichever was collected first.
    payments.sort_by_key(|payment| {
        let own = lock(&cast.collector).resource(Kind::Payments, payment);
        let amount = own.unwrap()["amount"].as_i64();
        [25_000, 7_990, 105, 123_456]
            .iter()
            .position(|own| Some(*own) == amount)
    });
    reach(&story, RECEIPTS, StateKind::Delivered, 4).await;
    let refund = |payment: &str, amount: i64, now| {
        let mut collector = lock(&cast.collector);
        let refund = collector.refund(payment, amount, now).unwrap();
        collector.pay_refund(&refund, now).unwrap();
    };
    // In part and then in part again, in part and then the rest, and in part before it is charged back.
    let now = story.now();
    refund(&payments[0], 1_000, now);
    refund(&payments[1], 90, now);
    refund(&payments[3], 23_456, now);
    story.strike(ERP, "create_and_apply", Trouble::CutAfter, 1);
    story.strike(ERP, "create_and_apply", Trouble::CutBefore, 1);
    story.strike(ERP, "gcreceipt/reverse", Trouble::CutBefore, 2);
    cast.announce(&story);
    story
        .crash_during(ERP, "create_and_apply", Moment::AfterEffect)
        .await;
    reach(&story, PARTIAL, StateKind::Delivered, 3).await;
    refund(&payments[0], 2_050, story.now());
    refund(&payments[1], 7_900, story.now());
    lock(&cast.collector)
        .charge_back(&payments[3], "refund_requested", story.now())
        .unwrap();
    cast.announce(&story);
    reach(&story, PARTIAL, StateKind::Delivered, 4).await;
    reach(&story, REVERSALS, StateKind::Delivered, 2).await;
    // What is left of the first invoice is what was refunded.
    let left = {
        let erp = lock(&cast.erp);
        let invoice = erp.invoices().find(|own| own.number == "INV-0");
        invoice.unwrap().remaining
    };
    assert_eq!(left, "30.50".parse().unwrap());
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_refunds_of_one_payment_at_once_leave_one_receipt_of_the_rest() {
    let cast = Cast::new(Switches::default());
    let site = replacing();
    let story = cast.script_of(&site).start().await;
    let payments = paid_out(&cast, &story).await;
    reach(&story, RECEIPTS, StateKind::Delivered, 4).await;
    // Refund by refund of the greatest payment; an event of a refund does not say which payment it is of.
    let amount = |payment: &String| {
        let own = lock(&cast.collector).resource(Kind::Payments, payment);
        own.unwrap()["amount"].as_i64()
    };
    let payment = payments.iter().max_by_key(|one| amount(one)).unwrap();
    for part in [1_000, 2_000, 456] {
        let mut collector = lock(&cast.collector);
        let refund = collector.refund(payment, part, story.now()).unwrap();
        collector.pay_refund(&refund, story.now()).unwrap();
    }
    cast.announce(&story);
    reach(&story, PARTIAL, StateKind::Delivered, 1).await;
    story.pass(SignedDuration::from_hours(3)).await;
    let all = story.deliveries_of(PARTIAL).await;
    let delivered = |one: &&Delivery| one.state.kind() == StateKind::Delivered;
    assert_eq!(all.iter().filter(delivered).count(), 1, "{all:#?}");
    for one in &all {
        match &one.state {
            DeliveryState::Held(hold) => assert!(hold.why.contains("reversed"), "{hold:?}"),
            other => assert!(other.kind().is_terminal(), "{other:?}"),
        }
    }
    let live: Vec<Decimal> = {
        let erp = lock(&cast.erp);
        let own = erp.receipts().filter(|one| one.number.starts_with(payment));
        own.filter(|one| one.reversal.is_none())
            .map(|one| one.amount)
            .collect()
    };
    assert_eq!(live, ["1200.00".parse::<Decimal>().unwrap()]);
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_that_somebody_else_may_have_reversed_is_not_replaced() {
    let cast = Cast::new(Switches::default());
    let site = replacing();
    let story = cast.script_of(&site).start().await;
    let payments = paid_out(&cast, &story).await;
    reach(&story, RECEIPTS, StateKind::Delivered, 4).await;
    {
        let mut collector = lock(&cast.collector);
        let refund = collector.refund(&payments[0], 10, story.now()).unwrap();
        collector.pay_refund(&refund, story.now()).unwrap();
    }
    story.strike(ERP, "gcreceipt/reverse", Trouble::CutAfter, 1);
    cast.announce(&story);
    reach(&story, PARTIAL, StateKind::Held, 1).await;
    assert_eq!(lock(&cast.erp).receipts().count(), 4);
}
