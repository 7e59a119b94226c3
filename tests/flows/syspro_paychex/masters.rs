//! Masters of payroll: what is announced, and what is only found by reading.

use super::super::Story;
use super::{BEGIN, Cast, SITE, waits_for};
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::delivery::{Awaited, StateKind};
use ml_connector_core::identity::CrosswalkId;
use ml_connector_simulators::paychex::{Address, HookAuth, Sending};
use ml_connector_simulators::serve::lock;
use ml_connector_simulators::syspro;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nothing_announces_is_read_and_written_only_when_it_changes() {
    let cast = Cast::new();
    let (place, job) = {
        let mut payroll = lock(&cast.payroll);
        let place =
            payroll.add_location(&cast.company, "Albany Works & <Yard>", Address::default());
        let job = payroll.add_job(
            &cast.company,
            "Order 4471 rework",
            &["AL", "4471"],
            date(2026, 1, 5),
        );
        (place, job)
    };
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
    let master = |root: &str, key: &str, element: &str| {
        let erp = lock(&cast.erp);
        let company = erp.company("EDU1").unwrap();
        company.master(root, key, element).map(str::to_owned)
    };
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
    {
        let mut payroll = lock(&cast.payroll);
        let auth = HookAuth::Basic {
            username: "paychex".to_owned(),
            password: "hook".to_owned(),
        };
        let now: Timestamp = BEGIN.parse().unwrap();
        let uri = "http://engine/webhooks/paychex/notifications";
        payroll.add_hook(Some(&cast.company), uri, auth, now);
        let sending = Sending {
            twice_per_mille: 300,
            lost_per_mille: 0,
            shuffled: true,
        };
        payroll.set_sending(sending);
    }
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
        let erp = lock(&cast.erp);
        let company = erp.company("EDU1").unwrap();
        company
            .master("SetupBomCostCentre", "30", "Description")
            .map(str::to_owned)
    };
    assert_eq!(
        description(&story).as_deref(),
        Some("30 Maintenance & Upkeep")
    );
    let name = |code: &str| {
        let erp = lock(&cast.erp);
        let company = erp.company("EDU1").unwrap();
        company
            .master("SetupBomEmployee", code, "Name")
            .map(str::to_owned)
    };
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
