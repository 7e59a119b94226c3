//! Pay periods and checks (PX 4.11, 4.12).

use super::{PROCESSED, money, world, world_with};
use crate::support::{at, json, start};
use ml_connector_core::http::Method;
use ml_connector_simulators::paychex::{
    Effect, Line, PeriodStatus, ProcessingAnswer, ReversalSign, Switches,
};
use serde_json::Value;
use std::time::Duration;

const JSON: &str = "application/json";

#[test]
fn the_two_shapes_of_a_check_have_little_in_common() {
    let mut world = world();
    let period = world.open_period();
    let lines = world.lines();
    let id = world
        .px
        .enter_check(&period, &world.workers[0].clone(), lines)
        .unwrap();
    let path = world.own(&format!("checks?payperiodid={period}&offset=0&limit=10"));
    let open = world.content(&path, JSON);
    assert_eq!(open[0]["earnings"][0]["payAmount"], "432.0");
    assert!(open[0].get("taxes").is_none() && open[0].get("netPay").is_none());
    assert_ne!(
        open[0]["paycheckId"],
        id.as_str(),
        "the id changes when it is processed"
    );
    assert!(world.content(&path, PROCESSED).is_empty());
    world.px.process(&period);
    let busy = world.get(&path, PROCESSED);
    assert_eq!(
        (busy.status, json(&busy)["errors"][0]["code"].as_str()),
        (400, Some("API-19"))
    );
    world.px.complete(&period, PeriodStatus::Completed, start());
    let done = world.content(&path, PROCESSED);
    let check = &done[0];
    assert_eq!(check["paycheckId"], id.as_str());
    assert_eq!(check["netPay"], "665.15");
    assert_eq!(check["earnings"][0]["amount"], "432.0");
    assert_eq!(
        check["earnings"][0]["classificationType"], "Regular",
        "mixed case"
    );
    assert_eq!(
        check["earnings"][0]["checkComponentId"], check["earnings"][1]["checkComponentId"],
        "parts of a split line share it"
    );
    assert_eq!(check["taxes"][2]["paidBy"], "EMPLOYER_LIABILITY");
    assert!(check["taxes"][0].get("organization").is_none());
    assert!(
        world.content(&path, JSON).is_empty(),
        "the default shows open checks only"
    );
    let worker = world.workers[0].clone();
    let one = format!("/workers/{worker}/checks/{id}");
    let processed = "application/vnd.paychex.payroll.processedcheck.v1+json";
    assert_eq!(world.content(&one, processed)[0]["netPay"], "665.15");
    assert_eq!(world.get(&one, JSON).status, 404);
}

#[test]
fn a_period_is_required_and_must_be_one_of_the_company() {
    let mut world = world();
    let missing = world.get(&world.own("checks?offset=0&limit=5"), PROCESSED);
    assert_eq!(
        (missing.status, json(&missing)["errors"][0]["code"].as_str()),
        (400, Some("API-49"))
    );
    assert_eq!(
        world
            .get(&world.own("checks?payPeriodId=1"), PROCESSED)
            .status,
        400
    );
    let unknown = world.get(&world.own("checks?payperiodid=1"), PROCESSED);
    assert_eq!(json(&unknown)["errors"][0]["code"], "API-40");
    let period = world.open_period();
    world.px.complete(&period, PeriodStatus::Completed, start());
    let path = world.own(&format!("checks?payperiodid={period}"));
    assert_eq!(world.get(&path, PROCESSED).status, 200);
    world.px.switches.history_months = -1;
    assert_eq!(world.get(&path, PROCESSED).status, 400, "too old");
}

#[test]
fn periods_are_searched_by_state_and_by_two_dates() {
    let mut world = world();
    let period = world.open_period();
    world
        .px
        .open_period(&world.company.clone(), None, (pay(1), pay(2)), pay(9));
    world
        .px
        .complete(&period, PeriodStatus::CompletedByMec, start());
    let mut found = |query: &str| {
        let response = world.get(&world.own(&format!("payperiods?{query}")), JSON);
        let ids: Vec<Value> = json(&response)["content"]
            .as_array()
            .map(|items| items.iter().map(|item| item["status"].clone()).collect())
            .unwrap_or_default();
        (response.status, ids)
    };
    assert_eq!(
        found("status=COMPLETED_BY_MEC&status=COMPLETED").1,
        ["COMPLETED_BY_MEC"]
    );
    assert_eq!(found("status=INITIAL").1, ["INITIAL"]);
    assert_eq!(found("status=COMPLETED,INITIAL").0, 400);
    assert_eq!(
        found("status=RELEASED").0,
        404,
        "nothing is not an empty list"
    );
    assert_eq!(found("from=2026-02-01T00:00:00Z").0, 400);
    assert_eq!(
        found("from=2026-02-01T00:00:00Z&to=2026-03-31T00:00:00Z")
            .1
            .len(),
        2
    );
    assert_eq!(found("from=2026-02-01&to=2026-03-31").0, 400, "plain dates");
    let all = world.content(&world.own("payperiods"), JSON);
    assert!(
        all[1].get("intervalCode").is_none(),
        "special runs have none"
    );
}

fn pay(d: i8) -> jiff::civil::Date {
    jiff::civil::date(2026, 3, d)
}

#[test]
fn a_reversal_is_a_period_of_its_own() {
    for (sign, expected) in [
        (ReversalSign::Negative, "-665.15"),
        (ReversalSign::Positive, "665.15"),
    ] {
        let mut world = world_with(Switches {
            reversal: sign,
            ..Switches::default()
        });
        let period = world.open_period();
        let worker = world.workers[0].clone();
        let lines = world.lines();
        let first = world
            .px
            .enter_check(&period, &worker, lines.clone())
            .unwrap();
        world
            .px
            .enter_check(&period, &world.workers[1].clone(), lines)
            .unwrap();
        world.px.complete(&period, PeriodStatus::Completed, start());
        let companion = world.px.reverse(&period, &[&first], start()).unwrap();
        let periods = world.content(&world.own("payperiods"), JSON);
        assert_eq!(periods[0]["status"], "REVERSED");
        assert_eq!(
            periods[1]["originalPayPeriodID"],
            period.as_str(),
            "with a large ID"
        );
        assert_eq!(
            (
                periods[1]["status"].as_str(),
                periods[1]["checkCount"].as_i64()
            ),
            (Some("COMPLETED"), Some(1))
        );
        let path = world.own(&format!("checks?payperiodid={companion}"));
        let checks = world.content(&path, PROCESSED);
        assert_eq!(checks[0]["netPay"], expected);
        assert_ne!(checks[0]["paycheckId"], first.as_str());
        let original = world.own(&format!("checks?payperiodid={period}"));
        assert_eq!(
            world.content(&original, PROCESSED).len(),
            2,
            "the original stays readable"
        );
    }
}

#[test]
fn a_pay_run_is_announced_before_its_checks_can_be_read() {
    for (processing, status) in [
        (ProcessingAnswer::BadRequest, 400),
        (ProcessingAnswer::Unavailable, 503),
        (ProcessingAnswer::Empty, 200),
    ] {
        let mut world = world_with(Switches {
            read_lag: Duration::from_secs(120),
            processing,
            ..Switches::default()
        });
        let period = world.open_period();
        let lines = world.lines();
        world
            .px
            .enter_check(&period, &world.workers[0].clone(), lines);
        world.px.process(&period);
        world.px.complete(&period, PeriodStatus::Completed, start());
        let path = world.own(&format!("checks?payperiodid={period}"));
        let accept = [("Accept", PROCESSED)];
        let early = world.call(Method::Get, &path, &accept, "", at(119));
        assert_eq!(early.status, status);
        let later = json(&world.call(Method::Get, &path, &accept, "", at(120)));
        assert_eq!(later["content"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn sums_tell_what_was_paid_and_an_amendment_shows() {
    let mut world = world();
    let company = world.company.clone();
    let car = world.px.add_component(
        &company,
        "Company car",
        "FRINGE_BENEFITS",
        Effect::AdditionWithInOut,
        start(),
    );
    let period = world.open_period();
    let mut lines = world.lines();
    lines.earnings.push(Line::new(&car, money("50.00")));
    let id = world
        .px
        .enter_check(&period, &world.workers[0].clone(), lines)
        .unwrap();
    world.px.complete(&period, PeriodStatus::Completed, start());
    let sums = world.px.sums(&period);
    assert_eq!(
        (sums.earnings, sums.in_out, sums.net()),
        (money("864.0"), money("50.00"), money("665.15"))
    );
    assert_eq!(sums.cost(), money("943.49"));
    assert_eq!(sums, world.px.check_sums(&id));
    let by = world.px.earnings_by_organization(&period);
    assert_eq!(by[&Some(world.machining.clone())], money("576.0"));
    world
        .px
        .amend_check(&id, |check| check.earnings[0].amount = money("433.0"));
    let path = world.own(&format!("checks?payperiodid={period}"));
    assert_eq!(world.content(&path, PROCESSED)[0]["netPay"], "666.15");
    world.px.reissue(&period, start());
    let after = world.content(&path, PROCESSED);
    assert_eq!(after[0]["paycheckId"], id.as_str());
    assert_eq!(
        world.px.period(&period).unwrap().status,
        PeriodStatus::Reissued
    );
}

#[test]
fn every_variation_serves_the_same_money() {
    for (name, switches) in Switches::variations() {
        let mut world = world_with(switches);
        let period = world.open_period();
        let lines = world.lines();
        let id = world
            .px
            .enter_check(&period, &world.workers[0].clone(), lines)
            .unwrap();
        world.px.complete(&period, PeriodStatus::Completed, start());
        let path = world.own(&format!("checks?payperiodid={period}&offset=0&limit=5"));
        let checks = world.content(&path, PROCESSED);
        assert_eq!(checks.len(), 1, "{name}");
        assert_eq!(checks[0]["netPay"], "665.15", "{name}");
        assert_eq!(checks[0]["paycheckId"], id.as_str(), "{name}");
        assert_eq!(
            &checks[0]["checkDate"].as_str().unwrap()[..10],
            "2026-03-06",
            "{name}"
        );
    }
}
