//! PX 2.

use super::{World, world, world_with};
use crate::support::{answer, at, json, request, start};
use ml_connector_core::http::Method;
use ml_connector_simulators::paychex::{Access, Client, Fault, On, Switches, TokenRefusal};

const FORM: &str = "grant_type=client_credentials&client_id=key&client_secret=secret";

#[test]
fn a_token_lives_as_long_as_its_answer_says_and_ends_the_one_before() {
    let mut world = world();
    let given = json(&world.ask_token(FORM, start()));
    assert_eq!(
        (given["expires_in"].as_i64(), given["scope"].as_str()),
        (Some(3599), Some("oob"))
    );
    let use_it = |world: &mut World, token: &str, now| {
        let authorization = format!("Bearer {token}");
        let headers = [("Authorization", authorization.as_str())];
        let call = request(
            Method::Get,
            "https://api.paychex.com/companies",
            &headers,
            "",
        );
        answer(world.px.handle(&call, now))
    };
    let token = given["access_token"].as_str().unwrap();
    assert_eq!(use_it(&mut world, token, at(3598)).status, 200);
    let expired = use_it(&mut world, token, at(3599));
    assert_eq!(
        (expired.status, json(&expired)["errors"][0]["code"].as_str()),
        (401, Some("API-103"))
    );
    let first = world.fresh_token(at(4000));
    let second = world.fresh_token(at(4001));
    assert_eq!(
        use_it(&mut world, &first, at(4002)).status,
        401,
        "ended by the second"
    );
    assert_eq!(use_it(&mut world, &second, at(4002)).status, 200);
    assert_eq!(world.px.tokens_given(), 3);
}

#[test]
fn credentials_stand_in_the_form_and_nowhere_else() {
    let mut world = world();
    let mut post = |url: &str, headers: &[(&str, &str)], body: &str| {
        answer(
            world
                .px
                .handle(&request(Method::Post, url, headers, body), start()),
        )
        .status
    };
    let url = "https://api.paychex.com/auth/oauth/v2/token";
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(post(url, &form, FORM), 200);
    assert_eq!(
        post(&format!("{url}?{FORM}"), &form, ""),
        400,
        "in the address"
    );
    assert_eq!(
        post(&format!("{url}?client_id=key"), &form, FORM),
        400,
        "half in the address"
    );
    let basic = [form[0], ("Authorization", "Basic a2V5OnNlY3JldA==")];
    assert_eq!(
        post(url, &basic, "grant_type=client_credentials"),
        401,
        "as HTTP Basic"
    );
    assert_eq!(
        post(url, &[("Content-Type", "application/json")], "{}"),
        400
    );
    assert_eq!(
        post(url, &form, &FORM.replace("secret=secret", "secret=wrong")),
        401
    );
    assert_eq!(
        post(url, &form, &FORM.replace("client_credentials", "password")),
        400
    );
}

#[test]
fn who_asks_for_a_token_with_every_call_is_stopped() {
    let mut world = world();
    for n in 0..10 {
        assert_eq!(world.ask_token(FORM, at(n)).status, 200);
    }
    let refused = world.ask_token(FORM, at(11));
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, Some("60"))
    );
    assert_eq!(
        world.ask_token(FORM, at(61)).status,
        200,
        "a minute after the first"
    );
    world.px.switches.retry_after_date = true;
    let refused = world.ask_token(FORM, at(61));
    assert_eq!(refused.status, 200);
    let refused = world.ask_token(FORM, at(61));
    assert_eq!(
        refused.header("retry-after"),
        Some("Mon, 02 Mar 2026 09:02:01 GMT")
    );
}

#[test]
fn a_wrong_secret_is_refused_in_three_shapes() {
    for (refusal, sign) in [
        (TokenRefusal::OAuth, "invalid_client"),
        (TokenRefusal::List, "API-102"),
        (TokenRefusal::Page, "<html>"),
    ] {
        let switches = Switches {
            token_refusal: refusal,
            ..Switches::default()
        };
        let mut world = world_with(switches);
        let refused = world.ask_token(&FORM.replace("=secret", "=no"), start());
        assert_eq!(refused.status, 401);
        assert!(String::from_utf8_lossy(&refused.body).contains(sign));
    }
}

#[test]
fn rights_are_two_switches_and_a_list_of_companies() {
    let mut world = world();
    let periods = world.own("payperiods");
    let workers = world.own("workers?offset=0&limit=5");
    world.px.set_client(
        "key",
        Client {
            payroll: Access::None,
            ..Client::reader("secret")
        },
    );
    assert_eq!(world.get(&workers, "application/json").status, 200);
    let refused = world.get(&periods, "application/json");
    assert_eq!(
        (refused.status, json(&refused)["errors"][0]["code"].as_str()),
        (403, Some("API-2"))
    );
    world.px.set_client(
        "key",
        Client {
            companies: Some([].into()),
            ..Client::reader("secret")
        },
    );
    assert_eq!(world.get(&workers, "application/json").status, 403);
    world.px.set_client("key", Client::reader("secret"));
    let company = world.company.clone();
    world.px.company_mut(&company).unwrap().ended = true;
    let ended = world.get(&workers, "application/json");
    assert_eq!(json(&ended)["errors"][0]["code"], "API-68");
}

#[test]
fn tokens_can_end_in_the_middle_and_headers_come_back() {
    let mut world = world();
    assert_eq!(world.get("/companies", "application/json").status, 200);
    world.px.faults.plan(On::Reads, Fault::TokensEnd);
    assert_eq!(world.get("/companies", "application/json").status, 401);
    let headers = [("X-payx-client-correlationId", "c-1")];
    let marked = world.call(Method::Get, "/companies", &headers, "", start());
    assert_eq!(marked.header("x-payx-client-correlationid"), Some("c-1"));
    assert!(marked.header("x-payx-txid").is_some());
}
