//! Masters of payroll: what is announced, and what is only found by reading; also around outages, lost answers, ended sessions
//! and crashes.

use super::super::{Moment, Story, Trouble};
use super::{BEGIN, Cast, ERP, SITE, waits_for};
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::delivery::{Awaited, StateKind};
use ml_connector_core::identity::CrosswalkId;
use ml_connector_simulators::paychex::{Address, HookAuth, Sending};
use ml_connector_simulators::serve::lock;
use ml_connector_simulators::syspro::{self, Fault, On};
use ml_connector_store::Delivery;
use serde_json::json;

const MASTERS: &str = r"
  - use: syspro-paychex/organizations
  - use: syspro-paychex/workers
    params: { company_id: COMPANY }
";

const READ: &str = r"
  - use: syspro-paychex/organizations
  - use: syspro-paychex/locations
    params: { category: DEPT }
  - use: syspro-paychex/jobs
    params: { category: JOB, prefix: J }
  - use: syspro-paychex/workers-daily
";

impl Cast {
    /// A location and a costing job: their ids.
    fn add_place_and_job(&self) -> (String, String) {
        let mut payroll = lock(&self.payroll);
        let place =
            payroll.add_location(&self.company, "Albany Works & <Yard>", Address::default());
        let job = payroll.add_job(
            &self.company,
            "Order 4471 rework",
            &["AL", "4471"],
            date(2026, 1, 5),
        );
        (place, job)
    }

    /// Notifies the engine: in no order, a third of it twice.
    fn notify(&self) {
        let mut payroll = lock(&self.payroll);
        let auth = HookAuth::Basic {
            username: "paychex".to_owned(),
            password: "hook".to_owned(),
        };
        let now: Timestamp = BEGIN.parse().unwrap();
        let uri = "http://engine/webhooks/paychex/notifications";
        payroll.add_hook(Some(&self.company), uri, auth, now);
        payroll.set_sending(Sending {
            twice_per_mille: 300,
            lost_per_mille: 0,
            shuffled: true,
        });
    }

    /// What SYSPRO says of a master.
    fn master(&self, root: &str, key: &str, element: &str) -> Option<String> {
        let erp = lock(&self.erp);
        let company = erp.company("EDU1").unwrap();
        company.master(root, key, element).map(str::to_owned)
    }

    /// Lost answers, an ended session and ended tokens for whatever this object writes next.
    fn on_the_way(&self, story: &Story, object: &'static str) {
        story.strike(ERP, object, Trouble::CutAfter, 1);
        story.strike(ERP, object, Trouble::CutBefore, 1);
        story.strike(ERP, object, Trouble::Answer(502), 1);
        lock(&self.erp)
            .faults
            .plan(On::Object(object), Fault::Evict);
        lock(&self.payroll).end_tokens();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn masters_survive_an_outage_lost_answers_ended_sessions_and_crashes() {
    // Cost centres, dimension codes and employees.
    for object in ["BOMSCC", "GENSCD", "BOMSEC"] {
        for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
            let cast = Cast::new();
            let (place, _) = cast.add_place_and_job();
            let script = cast.script(&format!("{SITE}{READ}")).down(ERP);
            let department = json!({ "department": "10" });
            let script = script.entry("departments", &place, department);
            let mut story = script.start().await;
            story.pass(SignedDuration::from_hours(3)).await;
            assert_eq!(story.deliveries().await.len(), 34);
            story.up(ERP);
            cast.on_the_way(&story, object);
            story.crash_during(ERP, object, moment).await;
            story.all_delivered(34).await;
            assert_eq!(story.troubles_waiting(), 0);
            assert_eq!(lock(&cast.erp).faults.waiting(), 0);
            for (root, key, element, wanted) in [
                (
                    "SetupBomCostCentre",
                    "30",
                    "Description",
                    "30 Maintenance & Upkeep",
                ),
                (
                    "SetupGlDimensionCodes",
                    "EDU1|10|DEPT",
                    "Description",
                    "Albany Works & <Yard>",
                ),
                (
                    "SetupGlDimensionCodes",
                    "EDU1|JAL-4471|JOB",
                    "Description",
                    "Order 4471 rework",
                ),
                ("SetupBomEmployee", "W347", "Name", "Okafor 29, Dana"),
            ] {
                let known = cast.master(root, key, element);
                assert_eq!(known.as_deref(), Some(wanted), "{object}, {moment:?}");
            }
            cast.no_identifiers();
            story.end().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn announced_workers_survive_an_outage_lost_answers_ended_sessions_and_crashes() {
    for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
        let cast = Cast::new();
        cast.notify();
        let mut story = cast.script(&format!("{SITE}{MASTERS}")).start().await;
        story.all_delivered(2).await;
        story.down(ERP);
        for (number, name) in [("900", "Mara"), ("901", "Ines")] {
            let since = date(2026, 3, 2);
            let name = (name, "Lindqvist");
            lock(&cast.payroll).hire(&cast.company, number, name, since, story.now());
        }
        story.pass(SignedDuration::from_hours(3)).await;
        assert_eq!(cast.master("SetupBomEmployee", "W900", "Name"), None);
        story.up(ERP);
        cast.on_the_way(&story, "BOMSEC");
        story.crash_during(ERP, "BOMSEC", moment).await;
        let named = |key: &str| cast.master("SetupBomEmployee", key, "Name");
        let both = |_: &[Delivery]| {
            named("W900").as_deref() == Some("Lindqvist, Mara")
                && named("W901").as_deref() == Some("Lindqvist, Ines")
        };
        story.until("both", both).await;
        let made = story.deliveries().await.len();
        let all = story.settle(made).await;
        let ended =
            |one: &Delivery| matches!(one.state.kind(), StateKind::Delivered | StateKind::Skipped);
        assert!(all.iter().all(ended), "{all:#?}");
        assert_eq!(story.troubles_waiting(), 0);
        assert_eq!(lock(&cast.erp).faults.waiting(), 0);
        cast.no_identifiers();
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nothing_announces_is_read_and_written_only_when_it_changes() {
    let cast = Cast::new();
    let (place, job) = cast.add_place_and_job();
    let story = cast.script(&format!("{SITE}{READ}")).start().await;
    // Two organizations, one job, thirty workers; the location waits until somebody says which department it is.
    let awaited = Awaited::Crosswalk {
        table: CrosswalkId::new("departments"),
        key: place.clone(),
    };
    waits_for(&story, &awaited).await;
    story
        .set_entry("departments", &place, json!({ "department": "10" }))
        .await;
    story.all_delivered(34).await;
    let master = |root: &str, key: &str, element: &str| cast.master(root, key, element);
    let dimension =
        |key: &str, element: &str| master("SetupGlDimensionCodes", &format!("EDU1|{key}"), element);
    assert_eq!(
        dimension("10|DEPT", "Description").as_deref(),
        Some("Albany Works & <Yard>")
    );
    assert_eq!(
        dimension("JAL-4471|JOB", "Description").as_deref(),
        Some("Order 4471 rework")
    );
    assert_eq!(dimension("JAL-4471|JOB", "ActiveToDate"), None);
    let writes = |erp: &syspro::Simulator| {
        ["BOMSCC", "BOMSEC", "GENSCD"]
            .map(|object| erp.calls_of(object))
            .iter()
            .sum::<u64>()
    };
    let before = writes(&lock(&cast.erp));
    // Three days of readings find nothing new: no delivery, no write.
    story.pass(SignedDuration::from_hours(72)).await;
    story.all_delivered(34).await;
    assert_eq!(writes(&lock(&cast.erp)), before);
    {
        let mut payroll = lock(&cast.payroll);
        payroll.job_mut(&job).unwrap().end = Some(date(2026, 12, 31));
        payroll.location_mut(&place).unwrap().name = "Albany".to_owned();
        let now = story.now();
        payroll.change_organization(
            &cast.organizations[0],
            |own| "20 Turning".clone_into(&mut own.name),
            now,
        );
        // No notification: the hook does not exist.
        payroll.set_status(
            &cast.workers[3],
            "TERMINATED",
            "RESIGNED",
            date(2026, 3, 20),
            now,
        );
    }
    story.all_delivered(38).await;
    assert_eq!(
        dimension("JAL-4471|JOB", "ActiveToDate").as_deref(),
        Some("2026-12-31")
    );
    assert_eq!(
        dimension("10|DEPT", "Description").as_deref(),
        Some("Albany")
    );
    assert_eq!(
        master("SetupBomCostCentre", "20", "Description").as_deref(),
        Some("20 Turning")
    );
    assert_eq!(
        master("SetupBomEmployee", "W321", "Name").as_deref(),
        Some("Okafor 3, Dana (left 2026-03-20)")
    );
    assert_eq!(writes(&lock(&cast.erp)), before + 4);
    cast.no_identifiers();
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn masters_are_made_once_and_journals_wait_for_them() {
    let cast = Cast::new();
    cast.notify();
    let story = cast.script(&format!("{SITE}{MASTERS}")).start().await;
    cast.pay(3, story.now());
    // Two organizations and one journal of three checks.
    story
        .until("posted", |all| {
            all.iter()
                .filter(|own| own.state.kind() == StateKind::Delivered)
                .count()
                >= 3
        })
        .await;
    let known = story
        .looked_up("cost_centers", &cast.organizations[1])
        .await
        .unwrap();
    assert_eq!(known["section"], "30");
    let description = |story: &Story| {
        assert!(story.now() > BEGIN.parse().unwrap());
        cast.master("SetupBomCostCentre", "30", "Description")
    };
    assert_eq!(
        description(&story).as_deref(),
        Some("30 Maintenance & Upkeep")
    );
    let name = |code: &str| cast.master("SetupBomEmployee", code, "Name");
    let worker = lock(&cast.payroll).hire(
        &cast.company,
        "900",
        ("Mara", "Lindqvist"),
        date(2026, 3, 2),
        story.now(),
    );
    let becomes = async |wanted: &str| {
        let what = format!("`{wanted}`");
        let same = |_: &[Delivery]| name("W900").as_deref() == Some(wanted);
        story.until(&what, same).await;
    };
    becomes("Lindqvist, Mara").await;
    let (calls, now) = (lock(&cast.erp).calls_of("BOMSEC"), story.now());
    // Nothing that SYSPRO keeps has changed: no write.
    lock(&cast.payroll).set_status(&worker, "INACTIVE", "FAMILY_LEAVE", date(2026, 3, 10), now);
    story
        .until("a skip", |all| {
            all.iter().any(|own| own.state.kind() == StateKind::Skipped)
        })
        .await;
    assert_eq!(lock(&cast.erp).calls_of("BOMSEC"), calls);
    let resigned = date(2026, 3, 12);
    lock(&cast.payroll).set_status(&worker, "TERMINATED", "RESIGNED", resigned, story.now());
    becomes("Lindqvist, Mara (left 2026-03-12)").await;
    lock(&cast.payroll).set_status(&worker, "ACTIVE", "REHIRED", date(2026, 3, 16), story.now());
    becomes("Lindqvist, Mara").await;
    cast.no_identifiers();
    story.end().await;
}
