//! The other ways in: log-on by token, and receipts that are made at once.

use super::super::{Moment, Trouble};
use super::{Cast, ERP, INVOICES, PEOPLE, RECEIPTS, REVERSALS, Story, Switches, lock, reach};
use jiff::SignedDuration;
use ml_connector_core::delivery::StateKind;
use ml_connector_simulators::oracle_ebs::{Expired, Fault, On};

/// Settings of a connection whose site takes no Basic on services.
const TOKEN: &str = "package\n      auth: token";
/// Settings of a connection that makes its receipts at once.
const RECEIPT_API: &str = "receipt_api\n      receipt_method_id: \"3001\"\n      \
    remittance_account_id: \"10077\"";

/// Four invoices, collected and paid out.
async fn paid_out(cast: &Cast, story: &Story) -> Vec<String> {
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
        let erp = lock(&cast.erp);
        let (logins, calls) = (erp.logins(), erp.calls());
        drop(erp);
        assert!(logins * 2 < calls, "{logins} log-ons for {calls} calls");
        story.end().await;
    }
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
