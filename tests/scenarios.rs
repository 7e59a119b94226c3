//! Stories with the shipped definitions and the simulated systems, in virtual time: what the ERP's business errors lead to,
//! that every way in which real installations differ leads to the same books, and what releases what is held.
//!
//! The engine polls the collector's events, so nothing has to be sent. Systems, sockets and clock are those of the stories in
//! `flows`.

use crate::flows::collector::{self, BEGIN};
use crate::flows::{Script, Story};
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::delivery::{Class, DeliveryState, StateKind};
use ml_connector_simulators::Simulated as _;
use ml_connector_simulators::books::{self, Posted, Report};
use ml_connector_simulators::gocardless::{self, Kind};
use ml_connector_simulators::serve::lock;
use ml_connector_simulators::syspro::{self, Fault, On, Operator, Period, Switches};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const CONNECTIONS: &str = r#"
  syspro:
    connector: syspro
    settings: { base_url: "http://erp/SYSPROWCFService/Rest", operator: GC, company_id: EDU1 }
    secrets: { operator_password: operator, company_password: company }
integrations:
  - use: syspro-gocardless/payment-receipts
    params: { bank: GC }
"#;

/// Account, name and currency of everybody who pays.
const PEOPLE: [(&str, &str, &str); 2] = [
    ("0000417", "Brookfield & Sons <Leeds>", "GBP"),
    ("0000418", "Łódź Précis 漢", "EUR"),
];

struct Cast {
    collector: Arc<Mutex<gocardless::Simulator>>,
    erp: Arc<Mutex<syspro::Simulator>>,
    /// Customer and mandate of each of [`PEOPLE`].
    ids: Vec<(String, String)>,
}

impl Cast {
    /// Two customers, each with so many collected payments, of which an engine is yet to learn.
    fn new(switches: Switches, payments: i64) -> Self {
        let (year, number) = (2026, 3);
        let mut erp = syspro::Simulator::new(switches, 7, Period { year, number });
        let operator = Operator {
            password: "op".to_owned(),
            bank: "GC".to_owned(),
        };
        erp.set_operator("GC", operator);
        let mut collector = collector::simulator();
        let company = erp.company_mut("EDU1").unwrap();
        let ids = PEOPLE.map(|(code, name, currency)| {
            company.add_customer(code, name, currency);
            collector::payer(&mut collector, name, currency)
        });
        let collector = Arc::new(Mutex::new(collector));
        let begin: Timestamp = BEGIN.parse().unwrap();
        let just_now = begin - SignedDuration::from_mins(5);
        collector::collect(&collector, &ids, payments, just_now);
        Self {
            collector,
            erp: Arc::new(Mutex::new(erp)),
            ids: ids.to_vec(),
        }
    }

    fn script(&self) -> Script {
        collector::script(CONNECTIONS, &self.collector)
            .system("http://erp", &self.erp)
            .secret("operator", "op")
            .secret("company", "")
    }

    /// An engine that knows which customer is which account.
    async fn start(&self) -> Story {
        let mut script = self.script();
        for ((customer, _), (code, _, currency)) in self.ids.iter().zip(PEOPLE) {
            let values = json!({ "syspro": code, "currency": currency });
            script = script.entry("customers", customer, values);
        }
        script.start().await
    }

    fn books(&self) -> Report {
        let posted: Vec<Posted> = lock(&self.erp)
            .receipts()
            .iter()
            .map(Posted::from)
            .collect();
        books::compare(&collector::kept(&lock(&self.collector)), &posted)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_in_which_installations_differ_leads_to_the_same_books() {
    for (name, switches) in Switches::variations() {
        if !switches.version_8 || switches.url_bytes_max < 4096 {
            // Sites that say otherwise in their settings; see the connector's golden cases.
            continue;
        }
        let cast = Cast::new(switches, 2);
        let story = cast.start().await;
        story.all_delivered(4).await;
        let report = cast.books();
        assert!(report.agrees(), "{name}: {:#?}", report.differences);
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passing_troubles_of_the_erp_cost_nothing_but_time() {
    let troubles = [
        (On::Object("ARSTPY"), Fault::DropBefore),
        (On::Object("ARSTPY"), Fault::DropAfter),
        (On::Object("ARSTPY"), Fault::Garbled),
        (On::Object("ARSTPY"), Fault::Truncate { body_bytes: 40 }),
        (
            On::Object("ARSTPY"),
            Fault::Slow {
                by: Duration::from_secs(400),
            },
        ),
        (On::Object("ARSTPY"), Fault::Locked),
        (On::Object("ARSTPY"), Fault::GlJournalError),
        (On::Object("ARSTPY"), Fault::Evict),
        (On::Object("COMFND"), Fault::DropBefore),
        (
            On::Any,
            Fault::Restart {
                down_for: Duration::from_secs(90),
            },
        ),
        (On::Logon, Fault::NoSeat),
        (
            On::Logon,
            Fault::MonthEnd {
                lasts: Duration::from_secs(1800),
            },
        ),
    ];
    for (on, fault) in troubles {
        let cast = Cast::new(Switches::default(), 2);
        lock(&cast.erp).faults.plan(on, fault.clone());
        if matches!(on, On::Object("COMFND")) {
            // A look-up happens only after a lost answer.
            lock(&cast.erp)
                .faults
                .plan(On::Object("ARSTPY"), Fault::DropAfter);
        }
        let story = cast.start().await;
        story.all_delivered(4).await;
        let report = cast.books();
        assert!(report.agrees(), "{fault:?}: {:#?}", report.differences);
        assert!(
            lock(&cast.erp).faults.waiting() == 0,
            "{fault:?} never struck"
        );
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn business_errors_wait_for_a_person_with_their_class_and_block_nobody_else() {
    for (fault, class) in [
        (Fault::CustomerOnHold, Class::Value),
        (Fault::PeriodClosed, Class::Period),
        (Fault::NotLicensed, Class::Configuration),
    ] {
        let cast = Cast::new(Switches::default(), 2);
        lock(&cast.erp)
            .faults
            .plan(On::Object("ARSTPY"), fault.clone());
        let story = cast.start().await;
        let all = story
            .until("one held, the others delivered", |all| {
                let count = |kind| all.iter().filter(|one| one.state.kind() == kind).count();
                count(StateKind::Held) == 1 && count(StateKind::Delivered) == 3
            })
            .await;
        let held = all.iter().find_map(|one| match &one.state {
            DeliveryState::Held(hold) => Some(hold.clone()),
            _ => None,
        });
        let held = held.unwrap();
        if fault != Fault::CustomerOnHold {
            assert_eq!(held.class, class, "{fault:?}: {held:?}");
        }
        assert!(!held.why.is_empty() && !held.help.is_empty(), "{held:?}");
        assert!(!held.in_doubt, "a refusal is no doubt: {held:?}");
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_without_an_account_is_held_until_the_crosswalk_has_it() {
    let cast = Cast::new(Switches::default(), 1);
    let story = cast.script().start().await;
    let all = story
        .until("both held", |all| {
            all.len() == 2 && all.iter().all(|one| one.state.kind() == StateKind::Held)
        })
        .await;
    for one in &all {
        let DeliveryState::Held(hold) = &one.state else {
            unreachable!()
        };
        assert_eq!(hold.class, Class::MissingMasterData);
        assert!(
            hold.help.contains("ml-connector crosswalk set customers"),
            "{}",
            hold.help
        );
    }
    assert_eq!(lock(&cast.erp).receipt_count(), 0);
    let map = async |number: usize| {
        let (code, _, currency) = PEOPLE[number];
        let values = json!({ "syspro": code, "currency": currency });
        story
            .set_entry("customers", &cast.ids[number].0, values)
            .await;
    };
    map(0).await;
    story
        .until("the first delivered", |all| {
            all.iter()
                .filter(|one| one.state.kind() == StateKind::Delivered)
                .count()
                == 1
        })
        .await;
    map(1).await;
    story.all_delivered(2).await;
    assert!(cast.books().agrees());
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nights_outage_spends_no_posts_on_the_dead_system_and_drains_afterwards() {
    let cast = Cast::new(Switches::default(), 5);
    let begin: Timestamp = BEGIN.parse().unwrap();
    let back = begin + SignedDuration::from_hours(8);
    lock(&cast.erp).restart_until(back);
    let story = cast.start().await;
    story.until("morning", |_| story.now() >= back).await;
    let (posts, calls) = {
        let erp = lock(&cast.erp);
        (erp.calls_of("ARSTPY"), erp.calls())
    };
    assert!(posts <= 1, "{posts} posts were tried on a dead system");
    assert!(
        calls < 60 * 30,
        "{calls} calls in sixty hours are not health calls alone"
    );
    let all = story.all_delivered(10).await;
    assert!(all.iter().all(|one| one.progress.attempts <= 3), "{all:#?}");
    assert!(cast.books().agrees());
    assert!(lock(&cast.collector).ids(Kind::Payments).len() >= 10);
    story.end().await;
}
