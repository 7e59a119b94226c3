//! What neither side may lose or do twice while the other is away, answers get lost, sessions end and the engine crashes.

use super::super::{Moment, Trouble};
use super::ways::{PARTIAL, TOKEN, paid_out, replacing};
use super::{COLLECTOR, Cast, ERP, INVOICES, Kind, PEOPLE, Party, RECEIPTS, REVERSALS, Switches};
use super::{Story, lock, reach, status};
use jiff::SignedDuration;
use ml_connector_core::delivery::StateKind;
use ml_connector_simulators::oracle_ebs::{Fault, On};

const REQUESTS: &str = "oracle-ebs-gocardless/mandate-requests";
const MANDATES: &str = "oracle-ebs-gocardless/mandates";

/// The next calls with this marker are cut off: one after its effect, one before.
fn lose(story: &Story, system: &str, marker: &str) {
    story.strike(system, marker, Trouble::CutAfter, 1);
    story.strike(system, marker, Trouble::CutBefore, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_and_mandates_survive_a_collector_that_is_away_and_crashes() {
    for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
        let cast = Cast::new(Switches::default());
        let mut story = cast.script(TOKEN).down(COLLECTOR).start().await;
        for (account, number) in [(1290, "INV-1"), (1291, "INV-2"), (1292, "INV-3")] {
            cast.invoice(account, number, "100.10", story.now());
        }
        story.pass(SignedDuration::from_hours(3)).await;
        assert_eq!(story.count(REQUESTS, StateKind::Delivered).await, 0);
        story.up(COLLECTOR);
        lock(&cast.erp).faults.plan(On::Reads, Fault::Expire);
        for marker in [
            "/billing_requests",
            "/billing_request_flows",
            "ebs_schedule",
        ] {
            lose(&story, COLLECTOR, marker);
        }
        story.crash_during(COLLECTOR, "ebs_schedule", moment).await;
        story
            .crash_during(COLLECTOR, "/billing_request_flows", moment)
            .await;
        reach(&story, INVOICES, StateKind::Delivered, 2).await;
        reach(&story, REQUESTS, StateKind::Delivered, 1).await;

        let requests = lock(&cast.collector).ids(Kind::BillingRequests);
        assert_eq!(requests.len(), 1, "asked once, whichever page was shown");
        let link = story.looked_up("mandate_requests", "1292-GBP").await;
        let link = link.unwrap()["link"].as_str().unwrap().to_owned();
        let flow = link.split("id=").nth(1).unwrap();
        story.down(COLLECTOR);
        let party = Party::new(PEOPLE[2].2, "GBP");
        lock(&cast.collector)
            .complete_flow(flow, &party, story.now())
            .unwrap();
        cast.announce(&story);
        story.pass(SignedDuration::from_hours(3)).await;
        story.up(COLLECTOR);
        lose(&story, COLLECTOR, "/mandates/");
        lock(&cast.erp).faults.plan(On::Reads, Fault::Expire);
        story.crash_during(COLLECTOR, "ebs_customer", moment).await;
        reach(&story, MANDATES, StateKind::Delivered, 1).await;
        reach(&story, INVOICES, StateKind::Delivered, 3).await;
        assert_eq!(lock(&cast.collector).ids(Kind::Payments).len(), 3);
        assert_eq!(story.troubles_waiting(), 0);
        assert_eq!(lock(&cast.erp).faults.waiting(), 0);
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reversals_survive_an_outage_lost_answers_ended_sessions_and_crashes() {
    for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
        let cast = Cast::new(Switches::default());
        let mut story = cast.script(TOKEN).start().await;
        let payments = paid_out(&cast, &story).await;
        reach(&story, RECEIPTS, StateKind::Delivered, 4).await;
        story.down(ERP);
        for payment in &payments[..2] {
            lock(&cast.collector)
                .charge_back(payment, "refund_requested", story.now())
                .unwrap();
        }
        cast.announce(&story);
        story.pass(SignedDuration::from_hours(3)).await;
        assert_eq!(story.count(REVERSALS, StateKind::Delivered).await, 0);
        story.up(ERP);
        lose(&story, ERP, "gcreceipt/reverse");
        for operation in ["REVERSE", "GET_RECEIPT"] {
            lock(&cast.erp)
                .faults
                .plan(On::Operation(operation), Fault::Expire);
        }
        story.crash_during(ERP, "gcreceipt/reverse", moment).await;
        reach(&story, REVERSALS, StateKind::Delivered, 2).await;
        assert_eq!(story.troubles_waiting(), 0);
        assert_eq!(lock(&cast.erp).faults.waiting(), 0);
        {
            let (collector, erp) = (lock(&cast.collector), lock(&cast.erp));
            let reversed = erp.receipts().filter(|receipt| receipt.reversal.is_some());
            let back = payments
                .iter()
                .filter(|payment| status(&collector, payment) == "charged_back");
            assert_eq!((reversed.count(), back.count()), (2, 2));
        }
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partial_refund_survives_an_outage_an_ended_session_and_a_crash() {
    for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
        let cast = Cast::new(Switches::default());
        let site = replacing().replacen(
            "write_mode: package",
            "write_mode: package\n      auth: token",
            1,
        );
        let mut story = cast.script_of(&site).start().await;
        let payments = paid_out(&cast, &story).await;
        reach(&story, RECEIPTS, StateKind::Delivered, 4).await;
        story.down(ERP);
        {
            let mut collector = lock(&cast.collector);
            let refund = collector.refund(&payments[0], 10, story.now()).unwrap();
            collector.pay_refund(&refund, story.now()).unwrap();
        }
        cast.announce(&story);
        story.pass(SignedDuration::from_hours(3)).await;
        assert_eq!(story.count(PARTIAL, StateKind::Delivered).await, 0);
        story.up(ERP);
        lose(&story, ERP, "create_and_apply");
        for operation in ["CREATE_AND_APPLY", "GET_RECEIPT"] {
            lock(&cast.erp)
                .faults
                .plan(On::Operation(operation), Fault::Expire);
        }
        story.crash_during(ERP, "create_and_apply", moment).await;
        reach(&story, PARTIAL, StateKind::Delivered, 1).await;
        assert_eq!(story.troubles_waiting(), 0);
        assert_eq!(lock(&cast.erp).faults.waiting(), 0);
        story.end().await;
    }
}
