//! Passwords, tokens that run out, and refresh tokens that change with every use.

use super::super::Moment;
use super::{CLOUD, Cast, ERP, RECEIPTS, SIGNED, SOAP, SignedDuration, Switches, lock, named};
use ml_connector_core::delivery::StateKind;
use ml_connector_simulators::Simulated as _;
use ml_connector_simulators::sage_x3::{Fault, On};

/// Calls that ask for tokens.
const TOKEN: &str = "/v1/token";

/// After so long the token that was asked for at the start is of no use any more.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_mins(6);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_ends_in_the_middle_is_renewed_and_its_successor_kept() {
    let cast = Cast::new();
    let mut story = cast.start(CLOUD, &[RECEIPTS]).await;
    cast.collect(&story, 1);
    cast.announce(&story);
    story.settle(2).await;
    // Access tokens live for five minutes, and each refresh token once.
    story.pass(SignedDuration::from_mins(20)).await;
    cast.collect(&story, 1);
    cast.announce(&story);
    story.settle(4).await;
    story.crash().await;
    cast.collect(&story, 1);
    cast.announce(&story);
    story.all_delivered(6).await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_refused_in_the_middle_is_replaced() {
    for way in [SIGNED, CLOUD] {
        let cast = Cast::new();
        let story = cast.start(way, &[RECEIPTS]).await;
        cast.collect(&story, 1);
        cast.announce(&story);
        story.all_delivered(2).await;
        lock(&cast.x3).faults.plan(On::Writes, Fault::Unauthorised);
        cast.collect(&story, 1);
        cast.announce(&story);
        story.all_delivered(4).await;
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_refresh_token_is_kept_before_its_access_token_is_used() {
    for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
        let cast = Cast::new();
        let mut story = cast.start(CLOUD, &[RECEIPTS]).await;
        cast.collect(&story, 1);
        cast.announce(&story);
        // The very first use of the access token is frozen, and the engine ends in it.
        story.crash_during(ERP, "/v1/graphql", moment).await;
        let kept = story.secret("refresh");
        assert_ne!(kept, cast.refresh);
        assert!(lock(&cast.x3).refresh_token_lives(&kept, story.now()));
        assert!(!lock(&cast.x3).refresh_token_lives(&cast.refresh, story.now()));
        story.all_delivered(2).await;
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_lost_between_gateway_and_engine_stops_everything_and_loses_nothing() {
    let cast = Cast::new();
    let mut story = cast.start(CLOUD, &[RECEIPTS]).await;
    story.pass(TOKEN_LIFE).await;
    cast.collect(&story, 1);
    cast.announce(&story);
    // The gateway has changed the token, and the engine never hears of the new one.
    story.crash_during(ERP, TOKEN, Moment::AfterEffect).await;
    story.pass(SignedDuration::from_hours(12)).await;
    let receipts = named(RECEIPTS);
    assert_eq!(story.count(&receipts, StateKind::Pending).await, 2);
    // The old one is tried once, and then now and then, never in a loop.
    assert!(lock(&cast.x3).calls() < 20);
    // A person pairs the application again.
    let (_, refresh) = lock(&cast.x3).pair("cloud-app", story.now());
    story.set_secret("refresh", &refresh);
    story.all_delivered(2).await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_with_a_grace_takes_the_old_refresh_token_once_more() {
    let cast = Cast::with(&Switches {
        old_refresh_grace: Some(std::time::Duration::from_secs(60)),
        ..Switches::default()
    });
    let mut story = cast.start(CLOUD, &[RECEIPTS]).await;
    story.pass(TOKEN_LIFE).await;
    cast.collect(&story, 1);
    cast.announce(&story);
    story.crash_during(ERP, TOKEN, Moment::AfterEffect).await;
    story.all_delivered(2).await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_refused_is_not_tried_until_the_user_is_locked() {
    let cast = Cast::new();
    let story = cast.start(SOAP, &[RECEIPTS]).await;
    cast.collect(&story, 1);
    cast.announce(&story);
    story.all_delivered(2).await;
    let change = |password: &str| {
        let mut x3 = lock(&cast.x3);
        let user = x3.settings.users.get_mut("engine").unwrap();
        password.clone_into(&mut user.password);
    };
    change("changed");
    let before = lock(&cast.x3).calls();
    cast.collect(&story, 2);
    cast.announce(&story);
    story.pass(SignedDuration::from_mins(20)).await;
    assert_eq!(lock(&cast.x3).calls(), before + 1);
    assert!(!lock(&cast.x3).is_locked("engine"));
    story.set_secret("password", "changed");
    story.all_delivered(6).await;
    story.end().await;
}
