//! Companies, masters, workers (PX 3, 4).

use super::{NONPII, world, world_with};
use crate::support::{day, json, start};
use jiff::civil::date;
use ml_connector_core::http::Method;
use ml_connector_simulators::paychex::{Address, Fault, On, Shape500, Switches};
use serde_json::Value;
use std::time::Duration;

const JSON: &str = "application/json";

#[test]
fn a_company_is_found_by_its_display_id_in_lower_case() {
    let mut world = world();
    let found = world.content("/companies?displayid=01234567", JSON);
    assert_eq!(found[0]["companyId"], world.company.as_str());
    assert_eq!(found[0]["displayId"], "01234567");
    let nobody = world.get("/companies?displayid=1234567", JSON);
    assert_eq!(
        (nobody.status, json(&nobody)["errors"][0]["code"].as_str()),
        (404, Some("API-43"))
    );
    assert_eq!(
        world.content("/companies?displayId=0", JSON).len(),
        1,
        "a name that nobody knows"
    );
    assert_eq!(world.get("/companies/displayid/01234567", JSON).status, 404);
}

#[test]
fn the_tree_of_organizations_is_in_its_links() {
    let mut world = world();
    let list = world.content(&world.own("organizations"), JSON);
    assert_eq!(list.len(), 3);
    let rels = |item: &Value, rel: &str| -> Vec<String> {
        let links = item["links"].as_array().unwrap();
        let own = links.iter().filter(|link| link["rel"] == rel);
        own.map(|link| {
            link["href"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect()
    };
    assert_eq!(
        rels(&list[0], "child"),
        [world.machining.clone(), world.maintenance.clone()]
    );
    assert_eq!(rels(&list[1], "parent"), [world.plant.clone()]);
    assert!(list[1].get("parentId").is_none());
    let gone = world.machining.clone();
    world
        .px
        .change_organization(&gone, |own| own.gone = true, start());
    assert_eq!(world.content(&world.own("organizations"), JSON).len(), 2);
    assert_eq!(
        world
            .content(&world.own(&format!("organizations/{gone}")), JSON)
            .len(),
        1
    );
    world.px.switches.organization_numbers = false;
    assert!(
        world.content(&world.own("organizations"), JSON)[0]
            .get("number")
            .is_none()
    );
}

#[test]
fn masters_are_lists_without_paging_and_can_be_asked_for_a_day() {
    let mut world = world();
    let company = world.company.clone();
    let job = world.px.add_job(
        &company,
        "Order 4471 rework",
        &["AL", "4471"],
        date(2026, 1, 5),
    );
    world.px.job_mut(&job).unwrap().end = Some(date(2026, 2, 1));
    world
        .px
        .add_location(&company, "Albany Works", Address::default());
    world.px.add_job_title(&company, "CNC Machinist");
    let jobs = world.content(&world.own("jobs?offset=5&limit=1"), JSON);
    assert_eq!(
        jobs[0]["jobNumber"]["segment2"], "4471",
        "offset and limit mean nothing here"
    );
    let then = world.own("jobs?asof=2026-03-01T00%3A00%3A00Z");
    assert!(world.content(&then, JSON).is_empty());
    assert_eq!(world.get(&world.own("jobs?asof=March"), JSON).status, 400);
    for what in [
        "locations",
        "jobtitles",
        "laborassignments",
        "paycomponents",
    ] {
        assert!(!world.content(&world.own(what), JSON).is_empty(), "{what}");
    }
    let deductions = world.own("paycomponents?effectonpay=REDUCTION");
    assert_eq!(world.content(&deductions, JSON)[0]["name"], "401k EE");
}

#[test]
fn who_asks_for_workers_in_the_usual_way_gets_their_numbers_and_it_is_noted() {
    let mut world = world();
    let path = world.own("workers?offset=0&limit=10");
    let safe = world.content(&path, NONPII);
    let text = serde_json::to_string(&safe).unwrap();
    assert!(
        !text.contains("legalId") && !text.contains("birthDate") && !text.contains("workState")
    );
    assert!(world.px.identifiers_served().is_empty());
    assert_eq!(world.px.asked().last().unwrap().accept, NONPII);
    let full = world.content(&path, JSON);
    assert_eq!(full[0]["legalId"]["legalIdType"], "SSN");
    assert_eq!(world.px.identifiers_served().len(), 1);
    let typed = world.get(&path, NONPII);
    assert_eq!(
        typed.header("content-type"),
        Some("application/vnd.paychex.workers.nonpii.v1+json;charset=UTF-8")
    );
    let odd = world.get(&path, "application/vnd.paychex.worker.nonpii.v1+json");
    assert_eq!(
        (odd.status, json(&odd)["errors"][0]["code"].as_str()),
        (406, Some("API-75"))
    );
    let one = format!("/workers/{}", world.workers[0]);
    assert!(
        world.content(&one, "application/vnd.paychex.worker.nonpii.v1+json")[0]
            .get("legalId")
            .is_none()
    );
    let roster = world.content(&path, "application/vnd.paychex.workers.roster.v1+json");
    assert!(roster[0].get("workerId").is_none());
}

#[test]
fn filters_of_workers_come_one_group_at_a_time() {
    let mut world = world();
    let mut code = |query: &str| {
        let response = world.get(&world.own(&format!("workers?{query}")), NONPII);
        let code = json(&response)["errors"][0]["code"]
            .as_str()
            .map(str::to_owned);
        (response.status, code.unwrap_or_default())
    };
    assert_eq!(code("employeeid=318").0, 200);
    assert_eq!(
        code("employeeid=999"),
        (404, "API-43".to_owned()),
        "not an empty list"
    );
    assert_eq!(
        code("employeeid=318&offset=0&limit=5"),
        (400, "API-40".to_owned())
    );
    assert_eq!(
        code("from=2026-01-01T00:00:00Z"),
        (400, "API-42".to_owned())
    );
    assert_eq!(
        code("from=2026-01-01&to=2026-12-31"),
        (400, "API-40".to_owned()),
        "plain dates"
    );
    assert_eq!(
        code("from=2026-01-01T00:00:00Z&to=2026-12-31T00:00:00Z").0,
        200
    );
    assert_eq!(
        code("from=2025-01-01T00:00:00Z&to=2025-12-31T00:00:00Z").0,
        404,
        "made, not changed"
    );
}

#[test]
fn a_status_that_begins_later_is_in_the_history_and_not_yet_current() {
    let mut world = world();
    let id = world.workers[0].clone();
    world.px.set_status(
        &id,
        "TERMINATED",
        "CUSTOM_UNKNOWN",
        date(2026, 3, 10),
        start(),
    );
    let one = format!("/workers/{id}");
    let nonpii = "application/vnd.paychex.worker.nonpii.v1+json";
    assert_eq!(
        world.content(&one, nonpii)[0]["currentStatus"]["statusType"],
        "ACTIVE"
    );
    let history = world.content(&format!("{one}/status"), JSON);
    assert_eq!(history[0]["statusType"], "TERMINATED");
    assert!(
        history[0].get("workerStatusId").is_none(),
        "a custom reason matches no status"
    );
    let headers = [("Accept", nonpii)];
    let token = world.fresh_token(day(9));
    let authorization = format!("Bearer {token}");
    let headers = [headers[0], ("Authorization", authorization.as_str())];
    let url = format!("https://api.paychex.com{one}");
    let later = crate::support::request(Method::Get, &url, &headers, "");
    let later = json(&crate::support::answer(world.px.handle(&later, day(9))));
    assert_eq!(
        later["content"][0]["currentStatus"]["statusReason"],
        "CUSTOM_UNKNOWN"
    );
    world
        .px
        .set_status(&id, "ACTIVE", "REHIRED", date(2026, 3, 20), start());
    assert_eq!(
        world.px.worker(&id).unwrap().hired,
        date(2021, 3, 15),
        "stays on a rehire"
    );
}

#[test]
fn a_change_is_announced_before_it_can_be_read() {
    let mut world = world_with(Switches {
        read_lag: Duration::from_secs(90),
        ..Switches::default()
    });
    let company = world.company.clone();
    let id = world
        .px
        .hire(&company, "400", ("Ana", "Ruiz"), date(2026, 3, 2), start());
    let nonpii = [("Accept", "application/vnd.paychex.worker.nonpii.v1+json")];
    let path = format!("/workers/{id}");
    let mut at = |secs| {
        world
            .call(Method::Get, &path, &nonpii, "", crate::support::at(secs))
            .status
    };
    assert_eq!(at(89), 404);
    assert_eq!(at(90), 200);
}

#[test]
fn shapes_differ_and_errors_too() {
    let mut world = world_with(Switches {
        metadata: false,
        links: false,
        nulls: true,
        extra_fields: true,
        ..Switches::default()
    });
    let body = json(&world.get(&world.own("workers?offset=0&limit=1"), NONPII));
    let worker = &body["content"][0];
    assert!(worker["locationId"].is_null() && worker.get("locationId").is_some());
    assert!(worker.get("futureField").is_some());
    assert!(body["metadata"].get("contentItemCount").is_none());
    for shape in [Shape500::List, Shape500::Framework, Shape500::Page] {
        world.px.faults.plan(On::Companies, Fault::Internal(shape));
        assert_eq!(world.get("/companies", JSON).status, 500);
    }
    world.px.faults.plan(On::Any, Fault::Locked);
    assert_eq!(
        json(&world.get("/companies", JSON))["errors"][0]["code"],
        "API-10"
    );
    assert_eq!(
        world
            .call(Method::Post, &world.own("workers"), &[], "[]", start())
            .status,
        403
    );
    assert_eq!(
        world.get("/Companies", JSON).status,
        404,
        "paths have a case"
    );
}

#[test]
fn more_calls_in_a_second_than_allowed_are_throttled() {
    let mut world = world();
    world.px.switches.calls_per_second = 2;
    assert_eq!(world.get("/companies", JSON).status, 200);
    assert_eq!(world.get("/companies", JSON).status, 200);
    let refused = world.get("/companies", JSON);
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, Some("1"))
    );
}
