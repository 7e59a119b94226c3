//! Scripted misfortune (SY appendix B).

use super::{BASE, get, logon, run, server, text, url, value};
use crate::support::{answer, at, start};
use ml_connector_simulators::syspro::{Fault, On, Simulator};
use ml_connector_simulators::{Reply, Simulated as _, Ticket};
use std::time::Duration;

const ITEM: &str = "<Item><Payment><Customer>0000417</Customer><PaymentValue>5.00</PaymentValue>\
    <Reference>PM1</Reference><JournalNotation>n</JournalNotation>\
    <UnappliedPayment><GrossPaymentValue>5.00</GrossPaymentValue></UnappliedPayment></Payment></Item>";

fn document(items: usize) -> String {
    format!("<PostArPayment>{}</PostArPayment>", ITEM.repeat(items))
}

fn post_with(simulator: &mut Simulator, id: &str) -> Reply {
    simulator.handle(
        &get(&url("Transaction/Post", id, "ARSTPY", "", &document(1))),
        start(),
    )
}

#[test]
fn a_cut_before_posts_nothing_and_a_cut_after_has_posted() {
    let mut simulator = server();
    let id = logon(&mut simulator, start());
    simulator
        .faults
        .plan(On::Object("ARSTPY"), Fault::DropBefore);
    simulator
        .faults
        .plan(On::Object("ARSTPY"), Fault::DropAfter);
    simulator
        .faults
        .plan(On::Object("ARSTPY"), Fault::Truncate { body_bytes: 60 });
    assert_eq!(post_with(&mut simulator, &id), Reply::Drop);
    assert_eq!(simulator.receipts().len(), 0);
    assert_eq!(post_with(&mut simulator, &id), Reply::Drop);
    assert_eq!(simulator.receipts().len(), 1);
    assert!(matches!(
        post_with(&mut simulator, &id),
        Reply::Truncate { body_bytes: 60, .. }
    ));
    assert_eq!(
        (simulator.receipts().len(), simulator.calls_of("arstpy")),
        (2, 3)
    );
}

#[test]
fn a_late_post_happens_long_after_the_caller_gave_up() {
    let mut simulator = server();
    let id = logon(&mut simulator, start());
    simulator.faults.plan(
        On::Writes,
        Fault::Late {
            by: Duration::from_secs(240),
        },
    );
    let Reply::Delay { ticket, .. } = post_with(&mut simulator, &id) else {
        panic!("not held back")
    };
    simulator.tick(at(239));
    assert_eq!(simulator.receipts().len(), 0);
    // The operator's next logon does not stop it, unless the switch says so.
    logon(&mut simulator, at(200));
    simulator.tick(at(240));
    assert_eq!(simulator.receipts().len(), 1);
    assert!(text(&answer(simulator.collect(ticket, at(240)))).contains("postarpayment"));
    assert_eq!(simulator.collect(ticket, at(241)), Reply::Drop);

    let mut simulator = server();
    simulator.switches.eviction_aborts_running_post = true;
    let id = logon(&mut simulator, start());
    simulator.faults.plan(
        On::Writes,
        Fault::Late {
            by: Duration::from_secs(240),
        },
    );
    assert!(matches!(
        post_with(&mut simulator, &id),
        Reply::Delay { .. }
    ));
    logon(&mut simulator, at(1));
    simulator.tick(at(300));
    assert_eq!(simulator.receipts().len(), 0);
    assert_eq!(simulator.collect(Ticket(1), at(300)), Reply::Drop);
}

#[test]
fn a_slow_answer_has_posted_at_once() {
    let mut simulator = server();
    let id = logon(&mut simulator, start());
    simulator.faults.plan(
        On::Writes,
        Fault::Slow {
            by: Duration::from_secs(9),
        },
    );
    let Reply::Delay { ticket, .. } = post_with(&mut simulator, &id) else {
        panic!("not held back")
    };
    assert_eq!(simulator.receipts().len(), 1);
    assert!(matches!(simulator.collect(ticket, at(9)), Reply::Answer(_)));
}

#[test]
fn a_restart_loses_all_sessions() {
    let mut simulator = server();
    let id = logon(&mut simulator, start());
    simulator.faults.plan(
        On::Any,
        Fault::Restart {
            down_for: Duration::from_secs(30),
        },
    );
    assert_eq!(answer(post_with(&mut simulator, &id)).status, 503);
    let version = get(&format!("{BASE}/GetVersion"));
    assert_eq!(answer(simulator.handle(&version, at(29))).status, 503);
    assert_eq!(answer(simulator.handle(&version, at(30))).status, 200);
    let again = simulator.handle(
        &get(&url("Transaction/Post", &id, "ARSTPY", "", &document(1))),
        at(30),
    );
    assert!(text(&answer(again)).contains("UserID is invalid"));
    assert_eq!(simulator.receipts().len(), 0);
}

#[test]
fn refusals_that_clear_by_themselves() {
    let mut simulator = server();
    let id = logon(&mut simulator, start());
    let on = On::Object("ARSTPY");
    simulator.faults.plan_times(2, &on, &Fault::Locked);
    simulator.faults.plan(on, Fault::PeriodClosed);
    simulator.faults.plan(on, Fault::CustomerOnHold);
    simulator.faults.plan(on, Fault::NotLicensed);
    simulator.faults.plan(on, Fault::Garbled);
    let mut next = || text(&answer(post_with(&mut simulator, &id)));
    assert!(next().starts_with("ERROR: Record is locked") && next().contains("locked"));
    assert!(next().contains("period"));
    assert!(next().contains("<ErrorDescription>Customer is on hold</ErrorDescription>"));
    assert_eq!(next(), "ERROR: e.net exception raised: 100000");
    assert!(roxmltree::Document::parse(&next()).is_err());
    assert_eq!(
        simulator.receipts().len(),
        1,
        "the garbled answer had posted"
    );
    simulator.faults.plan(On::Any, Fault::Evict);
    assert!(text(&answer(post_with(&mut simulator, &id))).contains("UserID is invalid"));
    simulator.faults.plan(
        On::Logon,
        Fault::MonthEnd {
            lasts: Duration::from_secs(60),
        },
    );
    simulator.faults.plan(On::Logon, Fault::NoSeat);
    let logon = get(&format!(
        "{BASE}/Logon?Operator=GC&OperatorPassword=secret&CompanyId=EDU1&CompanyPassword="
    ));
    let mut at_second = |second| text(&answer(simulator.handle(&logon, at(second))));
    assert!(at_second(0).contains("prevented"));
    assert!(at_second(61).contains("licensed"));
    assert_eq!(at_second(61).len(), 36);
}

#[test]
fn a_gl_error_is_a_posted_receipt() {
    let mut simulator = server();
    simulator.faults.plan(On::Writes, Fault::GlJournalError);
    let answer = run(
        &mut simulator,
        "Transaction/Post",
        "ARSTPY",
        "",
        &document(1),
    );
    assert_eq!(
        (
            value(&answer, "GlJournalError"),
            value(&answer, "ItemsProcessed")
        ),
        (Some("100156"), Some("000001"))
    );
    assert!(simulator.receipts()[0].gl_failed);
}

#[test]
fn partial_success_posts_every_other_item() {
    let mut simulator = server();
    simulator.faults.plan(On::Writes, Fault::PartialSuccess);
    let flags = "<PostArPayment><Parameters><ApplyIfEntireDocumentValid>N</ApplyIfEntireDocumentValid></Parameters></PostArPayment>";
    let answer = run(
        &mut simulator,
        "Transaction/Post",
        "ARSTPY",
        flags,
        &document(3),
    );
    assert_eq!(
        (
            value(&answer, "ItemsProcessed"),
            value(&answer, "ItemsInvalid")
        ),
        (Some("000002"), Some("000001"))
    );
    assert_eq!(simulator.receipts().len(), 2);
}
