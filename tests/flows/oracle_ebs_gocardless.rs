//! Oracle E-Business Suite and GoCardless: invoices go out as payments, payouts come back as receipts.

mod reconciliation;
mod troubles;
mod ways;

use super::collector::{self, BEGIN, COLLECTOR, kept, refunded};
use super::{Moment, Script, Story, Trouble};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::delivery::{Class, StateKind};
use ml_connector_simulators::books;
use ml_connector_simulators::gocardless::{self, Kind, Party};
use ml_connector_simulators::oracle_ebs::{self, Fault, On, Settings, Switches};
use ml_connector_simulators::serve::lock;
use rust_decimal::Decimal;
use serde_json::json;
use std::sync::{Arc, Mutex};

const ERP: &str = "http://erp";
const ORG: u64 = 204;

const SITE: &str = r#"
    poll: { events_sweep: { every: 12h } }
  ebs:
    connector: oracle-ebs
    settings:
      base_url: "http://erp/webservices/rest"
      username: GC_INTEGRATION
      responsibility: GC_RECEIVABLES
      org_id: "204"
      lockbox_number: GC001
      lockbox_id: "1005"
      lockbox_format_id: "1021"
      write_mode: WRITE_MODE
    secrets: { password: ebs }
    poll: { invoices: { every: 1h } }
integrations:
  - use: oracle-ebs-gocardless/open-invoices
  - use: oracle-ebs-gocardless/mandate-requests
    params: { redirect_uri: "https://halden.example/done", exit_uri: "https://halden.example/exit" }
  - use: oracle-ebs-gocardless/mandates
  - use: oracle-ebs-gocardless/receipts
  - use: oracle-ebs-gocardless/reversals
"#;

const INVOICES: &str = "oracle-ebs-gocardless/open-invoices";
const RECEIPTS: &str = "oracle-ebs-gocardless/receipts";
const REVERSALS: &str = "oracle-ebs-gocardless/reversals";

/// Account, number and name of everybody who owes; the last one has no mandate.
const PEOPLE: [(u64, &str, &str); 3] = [
    (1290, "C-2044", "Brookfield & Sons <Leeds>"),
    (1291, "C-2045", "Łódź Précis 漢"),
    (1292, "C-2046", "Newcomer Ltd"),
];

/// Both systems, with everybody in them.
struct Cast {
    collector: Arc<Mutex<gocardless::Simulator>>,
    erp: Arc<Mutex<oracle_ebs::Simulator>>,
    /// Customer and mandate at the collector of all but the last of [`PEOPLE`].
    ids: Vec<(String, String)>,
}

impl Cast {
    fn new(switches: Switches) -> Self {
        let mut collector = collector::simulator();
        let mut erp = oracle_ebs::Simulator::new(Settings::default(), switches, 7);
        for month in 1..=6 {
            erp.open_period(ORG, 2026, month);
        }
        let now: Timestamp = BEGIN.parse().unwrap();
        let long_ago = now - SignedDuration::from_hours(24 * 20);
        let mut ids = Vec::new();
        for (account, number, name) in PEOPLE {
            erp.add_customer(ORG, account, number, name, long_ago);
            if ids.len() + 1 < PEOPLE.len() {
                ids.push(collector::payer(&mut collector, name, "GBP"));
            }
        }
        Self {
            collector: collector::telling(collector),
            erp: Arc::new(Mutex::new(erp)),
            ids,
        }
    }

    fn script(&self, write_mode: &str) -> Script {
        self.script_of(&SITE.replace("WRITE_MODE", write_mode))
    }

    /// A story of a whole site file.
    fn script_of(&self, site: &str) -> Script {
        let (collector, erp) = (self.collector.clone(), self.erp.clone());
        let replaced = site.contains("partial_refunds: replace");
        let mut script = collector::script(site, &self.collector)
            .system(ERP, &self.erp)
            .secret("ebs", "secret")
            .check("receipts to the cent", move || {
                books(&lock(&collector), &lock(&erp), replaced)
            });
        for ((customer, mandate), (account, ..)) in self.ids.iter().zip(PEOPLE) {
            script = script
                .entry(
                    "customers",
                    customer,
                    json!({ "account": account.to_string() }),
                )
                .entry(
                    "mandates",
                    &format!("{account}-GBP"),
                    json!({ "mandate": mandate }),
                );
        }
        script
    }

    /// An open invoice; gives its schedule.
    fn invoice(&self, account: u64, number: &str, amount: &str, now: Timestamp) -> u64 {
        let amount: Decimal = amount.parse().unwrap();
        let due = Date::constant(2026, 4, 15);
        lock(&self.erp).add_invoice(account, number, amount, due, now)
    }

    /// Collects every payment that was asked for, and pays out.
    fn collect(&self, story: &Story) -> Vec<String> {
        let now = story.now();
        let mut collector = lock(&self.collector);
        let payments = collector.ids(Kind::Payments);
        for payment in &payments {
            let status = status(&collector, payment);
            if status == "pending_submission" {
                collector.confirm(payment, now).unwrap();
            }
        }
        collector.pay_out("GBP", now).unwrap();
        payments
    }

    /// Sends what has happened: in no order, in small requests, a third of it twice.
    fn announce(&self, story: &Story) {
        collector::announce(&self.collector, story);
    }

    /// Every transmission was submitted once, and no payment was taken twice.
    fn submitted_once(&self) {
        let erp = lock(&self.erp);
        let transmissions = erp.transmissions().len();
        assert_eq!(erp.requests().len(), transmissions, "one request for each");
        assert_eq!(
            erp.receipts().count(),
            transmissions,
            "one receipt for each"
        );
        assert!(erp.captured().is_empty());
    }
}

fn status(collector: &gocardless::Simulator, payment: &str) -> String {
    let found = collector.resource(Kind::Payments, payment).unwrap();
    found["status"].as_str().unwrap().to_owned()
}

/// What was paid out and not taken back must stand in the books, once; less what was refunded in part, where receipts of the
/// whole are replaced.
fn books(
    collector: &gocardless::Simulator,
    erp: &oracle_ebs::Simulator,
    replaced: bool,
) -> Vec<String> {
    let mut expected = kept(collector);
    expected.retain(|one| status(collector, &one.payment) == "paid_out");
    if !replaced {
        // A part of it is a person's.
        for one in &mut expected {
            one.amount += refunded(collector, &one.payment);
        }
    }
    let report = books::compare(&expected, &erp.posted());
    let differences = report.differences.iter();
    differences.map(ToString::to_string).collect()
}

/// Waits until so many deliveries of an integration are in a state.
async fn reach(story: &Story, integration: &str, state: StateKind, count: usize) {
    let mut patience = 200;
    while story.count(integration, state).await < count {
        patience -= 1;
        assert!(
            patience > 0,
            "{integration}: {:#?}",
            story.deliveries_of(integration).await
        );
        story.pass(SignedDuration::from_mins(30)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invoices_go_out_as_payments_and_come_back_as_receipts() {
    for write_mode in ["package", "open_interface"] {
        let cast = Cast::new(Switches::default());
        let story = cast.script(write_mode).start().await;
        let mut schedules = Vec::new();
        for (at, amount) in ["250", "79.9", "1.05", "1234.56"].iter().enumerate() {
            let (account, ..) = PEOPLE[at % 2];
            schedules.push(cast.invoice(account, &format!("INV-{at}"), amount, story.now()));
        }
        reach(&story, INVOICES, StateKind::Delivered, 4).await;
        let payments = cast.collect(&story);
        assert_eq!(payments.len(), 4, "one for each invoice");
        cast.announce(&story);
        reach(&story, RECEIPTS, StateKind::Delivered, 4).await;
        for schedule in schedules {
            let erp = lock(&cast.erp);
            let invoice = erp.invoice(schedule).unwrap();
            assert_eq!(invoice.status(), "CL", "{write_mode}: {invoice:?}");
        }
        cast.submitted_once();
        // An invoice that was closed by its receipt has changed, and is polled once more: nothing comes of it.
        story.pass(SignedDuration::from_hours(3)).await;
        assert_eq!(lock(&cast.collector).ids(Kind::Payments).len(), 4);
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_without_a_mandate_is_asked_and_then_charged() {
    let cast = Cast::new(Switches::default());
    let story = cast.script("package").start().await;
    cast.invoice(1292, "INV-9", "300", story.now());
    cast.invoice(1292, "INV-10", "20", story.now());
    reach(&story, INVOICES, StateKind::Held, 2).await;
    // The request is another integration's delivery, which may come a little later than the holds.
    let mut patience = 200;
    let link = loop {
        if let Some(link) = story.looked_up("mandate_requests", "1292-GBP").await {
            break link;
        }
        patience -= 1;
        assert!(patience > 0, "no mandate was asked for");
        story.pass(SignedDuration::from_mins(30)).await;
    };
    let link = link["link"].as_str().unwrap().to_owned();
    let flow = link.split("id=").nth(1).unwrap();
    let party = Party::new(PEOPLE[2].2, "GBP");
    let flows = lock(&cast.collector).ids(Kind::BillingRequestFlows);
    assert_eq!(flows, [flow], "one request for both invoices");
    lock(&cast.collector)
        .complete_flow(flow, &party, story.now())
        .unwrap();
    cast.announce(&story);
    reach(&story, INVOICES, StateKind::Delivered, 2).await;
    let amounts: Vec<i64> = {
        let collector = lock(&cast.collector);
        let payments = collector.ids(Kind::Payments);
        let amount =
            |id: &String| collector.resource(Kind::Payments, id).unwrap()["amount"].as_i64();
        payments.iter().filter_map(amount).collect()
    };
    assert_eq!(amounts.iter().sum::<i64>(), 32_000);
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answers_are_looked_up_and_nothing_is_submitted_twice() {
    let cast = Cast::new(Switches::default());
    let story = cast.script("package").start().await;
    story.strike(COLLECTOR, "ebs_schedule", Trouble::CutAfter, 1);
    for at in 0..3 {
        let (account, ..) = PEOPLE[at % 2];
        cast.invoice(account, &format!("INV-{at}"), "100.10", story.now());
    }
    reach(&story, INVOICES, StateKind::Delivered, 3).await;
    for operation in ["create_transmission", "stage_receipts", "submit_lockbox"] {
        story.strike(ERP, operation, Trouble::CutAfter, 1);
        story.strike(ERP, operation, Trouble::CutBefore, 1);
        story.strike(ERP, operation, Trouble::Answer(504), 1);
    }
    let wrong = Fault::Unexpected("ORA-00054: resource busy");
    lock(&cast.erp)
        .faults
        .plan(On::Operation("STAGE_RECEIPTS"), wrong);
    lock(&cast.erp)
        .faults
        .plan(On::Operation("SUBMIT_LOCKBOX"), Fault::StatusAfter(504));
    lock(&cast.erp)
        .faults
        .plan(On::Operation("SUBMIT_LOCKBOX"), Fault::NotSubmitted);
    cast.collect(&story);
    cast.announce(&story);
    reach(&story, RECEIPTS, StateKind::Delivered, 3).await;
    assert_eq!(story.troubles_waiting(), 0);
    cast.submitted_once();
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_survives_crashes_and_a_night_without_managers() {
    for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
        let cast = Cast::new(Switches::default());
        let mut story = cast.script("package").start().await;
        cast.invoice(1290, "INV-1", "250", story.now());
        cast.invoice(1291, "INV-2", "250", story.now());
        reach(&story, INVOICES, StateKind::Delivered, 2).await;
        let morning = story.now() + SignedDuration::from_hours(9);
        lock(&cast.erp).stop_managers_until(Some(morning));
        cast.collect(&story);
        cast.announce(&story);
        story.crash_during(ERP, "submit_lockbox", moment).await;
        story.pass(SignedDuration::from_hours(2)).await;
        // While it waits for the base tables.
        story.crash().await;
        reach(&story, RECEIPTS, StateKind::Delivered, 2).await;
        cast.submitted_once();
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_weekend_without_the_erp_costs_nothing_but_time() {
    let cast = Cast::new(Switches::default());
    let story = cast.script("package").start().await;
    cast.invoice(1290, "INV-1", "250", story.now());
    cast.invoice(1291, "INV-2", "80", story.now());
    reach(&story, INVOICES, StateKind::Delivered, 2).await;
    story.down(ERP);
    cast.collect(&story);
    cast.announce(&story);
    story.pass(SignedDuration::from_hours(20)).await;
    assert_eq!(story.count(RECEIPTS, StateKind::Delivered).await, 0);
    story.up(ERP);
    reach(&story, RECEIPTS, StateKind::Delivered, 2).await;
    cast.submitted_once();
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_goes_back_reverses_its_receipt() {
    let cast = Cast::new(Switches::default());
    let story = cast.script("package").start().await;
    for (at, amount) in ["250", "79.9", "60", "45"].iter().enumerate() {
        cast.invoice(PEOPLE[at % 2].0, &format!("INV-{at}"), amount, story.now());
    }
    reach(&story, INVOICES, StateKind::Delivered, 4).await;
    let payments = cast.collect(&story);
    cast.announce(&story);
    // The failure is told while the import is still under way: it waits for the receipt.
    story.pass(SignedDuration::from_mins(3)).await;
    lock(&cast.collector)
        .fail(&payments[0], "refer_to_payer", story.now())
        .unwrap();
    cast.announce(&story);
    story.pass(SignedDuration::from_mins(1)).await;
    assert_eq!(story.count(REVERSALS, StateKind::Delivered).await, 0);
    reach(&story, RECEIPTS, StateKind::Delivered, 4).await;
    {
        let mut collector = lock(&cast.collector);
        let now = story.now();
        collector
            .charge_back(&payments[1], "refund_requested", now)
            .unwrap();
        let whole = collector.resource(Kind::Payments, &payments[2]).unwrap();
        let whole = whole["amount"].as_i64().unwrap();
        let refund = collector.refund(&payments[2], whole, now).unwrap();
        collector.pay_refund(&refund, now).unwrap();
        let part = collector.refund(&payments[3], 100, now).unwrap();
        collector.pay_refund(&part, now).unwrap();
    }
    story.strike(ERP, "gcreceipt/reverse", Trouble::CutAfter, 1);
    cast.announce(&story);
    reach(&story, REVERSALS, StateKind::Delivered, 3).await;
    reach(&story, REVERSALS, StateKind::Held, 1).await;
    let holds = story.holds().await;
    assert!(
        holds
            .iter()
            .any(|hold| hold.why.contains("a part of the payment")),
        "{holds:#?}"
    );
    {
        let erp = lock(&cast.erp);
        let reversed = erp.receipts().filter(|receipt| receipt.reversal.is_some());
        assert_eq!(reversed.count(), 3);
    }
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_made_elsewhere_waits_until_one_invoice_fits_it() {
    let cast = Cast::new(Switches::default());
    let story = cast.script("package").start().await;
    let (_, first) = &cast.ids[0];
    let (_, second) = &cast.ids[1];
    let asked = story.now() - SignedDuration::from_hours(24 * 7);
    {
        let mut collector = lock(&cast.collector);
        for mandate in [first, second] {
            let payment = collector
                .collect_payment(mandate, 25_000, &[], asked)
                .unwrap();
            collector.confirm(&payment, story.now()).unwrap();
        }
        collector.pay_out("GBP", story.now()).unwrap();
    }
    // The second customer has two invoices of that amount, which nobody collects yet.
    for number in ["INV-7", "INV-8"] {
        cast.invoice(1291, number, "250", story.now());
    }
    reach(&story, INVOICES, StateKind::Delivered, 2).await;
    cast.announce(&story);
    reach(&story, RECEIPTS, StateKind::Held, 1).await;
    let holds = story.holds().await;
    assert_eq!(holds[0].class, Class::Value, "{holds:#?}");
    assert_eq!(lock(&cast.erp).receipts().count(), 0);
    // The first customer's invoice is entered late, and its receipt follows by itself.
    let late = cast.invoice(1290, "INV-9", "250", story.now());
    reach(&story, RECEIPTS, StateKind::Delivered, 1).await;
    assert_eq!(lock(&cast.erp).invoice(late).unwrap().status(), "CL");
    cast.submitted_once();
}
