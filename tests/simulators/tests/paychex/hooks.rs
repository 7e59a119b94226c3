//! PX 6.

use super::world;
use crate::support::{at, json, start};
use ml_connector_core::http::Method;
use ml_connector_simulators::paychex::{HookAuth, PeriodStatus, Sending, Switches};
use ml_connector_simulators::webhooks::{Delivery, Failure};
use serde_json::{Value, json as value};

const URI: &str = "https://hooks.example.invalid/notify";

fn basic() -> HookAuth {
    HookAuth::Basic {
        username: "hook".to_owned(),
        password: "pw".to_owned(),
    }
}

fn body(delivery: &Delivery) -> Value {
    serde_json::from_slice(&delivery.body).unwrap()
}

#[test]
fn hooks_are_registered_and_never_give_their_secret_back() {
    let mut world = world();
    let hooks = "/management/hooks";
    assert_eq!(world.get(hooks, "application/json").status, 404, "none");
    let wish = value!({ "uri": URI, "companyId": world.company, "domains": ["CLT_PYRN"],
        "authentication": { "authType": "BASIC_AUTH", "username": "u", "password": "hush" } });
    let made = world.call(Method::Post, hooks, &[], &wish.to_string(), start());
    assert_eq!(made.status, 201);
    let made = json(&made);
    assert_eq!(made["authType"], "BASIC_AUTH");
    assert!(!made.to_string().contains("hush"));
    let listed = json(&world.get(hooks, "application/json"));
    assert_eq!(listed[0]["hookId"], made["hookId"], "a bare array");
    let one = format!("{hooks}/{}", made["hookId"].as_str().unwrap());
    assert_eq!(
        world.call(Method::Put, &one, &[], "{}", start()).status,
        405
    );
    assert_eq!(
        world.call(Method::Delete, &one, &[], "", start()).status,
        204
    );
    assert_eq!(
        world.call(Method::Delete, &one, &[], "", start()).status,
        404
    );
    for (broken, code) in [
        (
            value!({ "domains": ["CLT_PYRN"], "authentication": { "authType": "NO_AUTH" } }),
            "API-46",
        ),
        (
            value!({ "uri": URI, "domains": ["CLT_ACCESS"], "authentication": { "authType": "NO_AUTH" } }),
            "API-22",
        ),
        (
            value!({ "uri": URI, "domains": ["CLT_ORG"], "authentication": { "authType": "APIKEY", "apiKey": "k" } }),
            "API-22",
        ),
    ] {
        let refused = world.call(Method::Post, hooks, &[], &broken.to_string(), start());
        assert_eq!(
            (refused.status, json(&refused)["errors"][0]["code"].as_str()),
            (400, Some(code))
        );
    }
    assert!(
        json(&world.get("/management/domains", "application/json"))[0].is_array(),
        "a list in a list"
    );
}

#[test]
fn notifications_carry_no_data_and_no_signature() {
    let mut world = world();
    let company = world.company.clone();
    world.px.add_hook(Some(&company), URI, basic(), start());
    let worker = world.workers[0].clone();
    world
        .px
        .change_worker(&worker, "WRKR_ASGN", |own| own.location = None, start());
    let period = world.open_period();
    world.px.complete(&period, PeriodStatus::Completed, start());
    world
        .px
        .add_organization(&company, "9", "9 Stores", None, start());
    let sent = world.px.take_due_webhooks(9, start());
    assert_eq!(sent.len(), 3);
    let basic = ("Authorization".to_owned(), "Basic aG9vazpwdw==".to_owned());
    assert!(
        sent.iter()
            .all(|own| own.headers.contains(&basic) && own.headers.len() == 2)
    );
    let change = body(&sent[0]);
    assert_eq!(change["workerId"], worker.as_str());
    assert_eq!(change["asOfDate"], "2026-03-02T09:00:00.000+00:00");
    assert_eq!(change["domains"], value!(["WRKR_ASGN"]));
    let run = body(&sent[1]);
    assert_eq!(
        (run["payperiodId"].as_str(), run["action"].as_str()),
        (Some(period.as_str()), Some("PAYRUN_COMPLETED"))
    );
    let organization = body(&sent[2]);
    assert!(organization.get("notificationType").is_none());
    assert_ne!(change["notificationId"], run["notificationId"]);
}

#[test]
fn what_is_not_taken_comes_again_every_five_minutes() {
    let mut world = world();
    world
        .px
        .add_hook(None, URI, HookAuth::Key("k".to_owned()), start());
    let worker = world.workers[0].clone();
    world
        .px
        .change_worker(&worker, "WRKR_EMPL", |_| {}, start());
    let mut now = 0;
    for outcome in [Ok(404), Ok(503), Err(Failure::NoAnswer), Ok(302)] {
        let delivery = world.px.take_due_webhooks(9, at(now)).pop().unwrap();
        assert!(
            delivery
                .headers
                .contains(&("x-api-key".to_owned(), "k".to_owned()))
        );
        world.px.webhook_answered(delivery, outcome, at(now));
        now += 300;
        assert_eq!(world.px.next_webhook_at(), Some(at(now)));
    }
    let delivery = world.px.take_due_webhooks(9, at(now)).pop().unwrap();
    assert_eq!(delivery.attempt, 5);
    world.px.webhook_answered(delivery, Ok(204), at(now));
    assert_eq!(world.px.notifications_waiting(), 0);
}

#[test]
fn notifications_are_doubled_lost_and_joined() {
    let mut world = world();
    world.px.add_hook(None, URI, HookAuth::None, start());
    world.px.set_sending(Sending {
        twice_per_mille: 1000,
        ..Sending::default()
    });
    let worker = world.workers[0].clone();
    world.px.change_worker(&worker, "WRKR_DEM", |_| {}, start());
    let twice = world.px.take_due_webhooks(9, start());
    assert_eq!((twice.len(), twice[0].id == twice[1].id), (2, true));
    world.px.set_sending(Sending {
        lost_per_mille: 1000,
        ..Sending::default()
    });
    world.px.change_worker(&worker, "WRKR_DEM", |_| {}, start());
    assert_eq!(world.px.notifications_waiting(), 0);
    world.px.set_sending(Sending::default());
    world.px.switches = Switches {
        joined_domains: true,
        ..Switches::default()
    };
    world
        .px
        .change_worker(&worker, "WRKR_EMPL", |_| {}, start());
    let joined = world.px.take_due_webhooks(9, start());
    assert_eq!(
        body(&joined[0])["domains"],
        value!(["WRKR_EMPL", "WRKR_ASGN"])
    );
}
