//! Tokens: asked for by one task at a time, renewed in time, kept before use.

use super::definitions::{
    AUTHORIZED, BEARER, CHOSEN, CLIENT_CREDENTIALS, REFRESH_TOKEN, REFUSED, SIGNED, STALE,
};
use super::systems::Fault;
use super::world::World;
use crate::{Clock as _, SecretSource as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ml_connector_core::delivery::StateKind;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn many_calls_share_one_token_and_it_is_renewed_before_it_ends() {
    let world = World::with(&[(BEARER, CLIENT_CREDENTIALS)]).await;
    for n in 0..10 {
        world.collect(&format!("PM{n}"), 100).await;
    }
    world
        .until_true("all are there", async || world.ledger.posted().len() == 10)
        .await;
    {
        let payments = world.payments.state();
        assert_eq!(
            payments.issued,
            ["grant_type=client_credentials"],
            "one for the poll and all reads"
        );
    }
    // The token lives for ten minutes, and is renewed a minute before that.
    world.advance(539 * SECOND).await;
    world.collect("PM20", 100).await;
    world.until_state("PM20", "delivered").await;
    assert_eq!(world.payments.state().issued.len(), 1);
    world.advance(2 * SECOND).await;
    world.collect("PM21", 100).await;
    world.until_state("PM21", "delivered").await;
    assert_eq!(world.payments.state().issued.len(), 2);
    assert_eq!(
        world.payments.state().rejected,
        0,
        "no call met an expired token"
    );
    world.stop().await;
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once() {
    let world = World::with(&[(BEARER, CLIENT_CREDENTIALS), (REFUSED, STALE)]).await;
    world.collect("PM0", 100).await;
    world.until_state("PM0", "delivered").await;
    world.payments.state().good = "revoked".to_owned();
    for n in 1..10 {
        world.collect(&format!("PM{n}"), 100).await;
    }
    world
        .while_time_passes("all are there", SECOND, async || {
            (world.ledger.posted().len() == 10).then_some(())
        })
        .await;
    assert_eq!(world.payments.state().issued.len(), 2);
    world.stop().await;
}

#[tokio::test]
async fn a_rotated_refresh_token_is_kept_before_its_access_token_is_used() {
    let world = World::with(&[(BEARER, REFRESH_TOKEN)]).await;
    world.payments.state().rotate_to = Some("rotated-1".to_owned());
    world.advance(541 * SECOND).await;
    world.secrets.refuse_writes(Some("disk full"));
    world.collect("PM1", 100).await;
    world
        .until_true("a token was issued", async || {
            world.payments.state().issued.len() == 2
        })
        .await;
    world
        .until_true("it was not used", async || {
            world.delivery("PM1").await.revision > 0
        })
        .await;
    assert_eq!(world.state("PM1").await.kind(), StateKind::Pending);
    assert!(
        !world
            .payments
            .state()
            .calls
            .contains(&"GET /payments/PM1".to_owned())
    );
    world.secrets.refuse_writes(None);
    world
        .while_time_passes("it is delivered", SECOND, async || {
            (world.state("PM1").await.kind() == StateKind::Delivered).then_some(())
        })
        .await;
    assert_eq!(
        world.secrets.get("pay/token").unwrap().expose(),
        "rotated-1"
    );
    let asked = world.payments.state().issued.clone();
    assert!(
        asked[0].contains("refresh_token=pay-token-1234"),
        "{asked:?}"
    );
    // It was kept in memory until it could be stored: the old one may be void.
    assert_eq!(asked.len(), 2, "{asked:?}");
    world.stop().await;
}

#[tokio::test]
async fn a_refresh_token_is_renewed_in_time_though_nothing_is_asked() {
    const WITHIN: Duration = Duration::from_secs(7 * 24 * 3600);
    let world = World::with(&[(BEARER, AUTHORIZED), ("every: 10m", "every: 90d")]).await;
    let issued = async |times: usize| {
        world
            .until_true("it was renewed", async || {
                world.payments.state().issued.len() >= times
            })
            .await;
        assert_eq!(world.payments.state().issued.len(), times);
        // It is stored by a thread of its own, and whoever keeps it counts from then: the clock stands still until then.
        let next = world.clock.now() + WITHIN;
        world
            .until_true("the next renewal is planned", async || {
                world.clock.is_awaited(next)
            })
            .await;
    };
    issued(1).await;
    for times in 2..=5 {
        world.payments.state().rotate_to = Some(format!("rotated-{times}"));
        world.advance(WITHIN).await;
        issued(times).await;
    }
    assert_eq!(
        world.secrets.get("pay/token").unwrap().expose(),
        "rotated-5"
    );
    world.stop().await;
}

#[tokio::test]
async fn a_chosen_way_asks_in_json_and_reads_other_names() {
    let world = World::with(&[(BEARER, CHOSEN)]).await;
    world.payments.state().rotate_to = Some("rotated-1".to_owned());
    world.advance(601 * SECOND).await;
    world.collect("PM1", 100).await;
    world.until_state("PM1", "delivered").await;
    assert_eq!(
        world.secrets.get("pay/token").unwrap().expose(),
        "rotated-1"
    );
    let asked = world.payments.state().issued.clone();
    let first: serde_json::Value = serde_json::from_str(&asked[0]).unwrap();
    assert_eq!(first["grant_type"], "refresh_token");
    assert_eq!(first["client_id"], "me");
    world.stop().await;
}

#[tokio::test]
async fn a_signed_token_carries_its_claims_and_times() {
    let world = World::with(&[(BEARER, SIGNED), (REFUSED, STALE)]).await;
    world.collect("PM1", 100).await;
    // The system takes any token here: what matters is what it got.
    let seen = world.payments.seen_tokens();
    let token = world
        .until("a token was sent", async || {
            seen.lock().unwrap().last().cloned()
        })
        .await;
    let claims = token.split('.').nth(1).unwrap();
    let claims: serde_json::Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["iss"], "me");
    let lifetime = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(
        lifetime, 330,
        "five minutes, and half a minute for clocks that differ"
    );
    world.stop().await;
}

#[tokio::test]
async fn a_refused_token_request_is_made_once_for_everybody_who_waits() {
    let world = World::with(&[(BEARER, CLIENT_CREDENTIALS)]).await;
    world.payments.state().good = "revoked".to_owned();
    world
        .until_true("asked", async || world.payments.count("POST /token") == 1)
        .await;
    world
        .payments
        .fail("POST /token", &vec![Fault::Status(401, None); 50]);
    // The token ends; everything that waits needs a new one.
    world.payments.state().hang = true;
    world.advance(10 * 60 * SECOND).await;
    world
        .until_true("one asks", async || {
            world.payments.count("POST /token") == 2
        })
        .await;
    for n in 0..6 {
        let id = format!("PM{n}");
        world.payments.pay(&id, 100, "CU1");
        let event = super::world::event(&format!("EV-{id}"), &id);
        world.webhook(&[event]).await;
    }
    world.payments.state().hang = false;
    world
        .until_true("it is refused", async || {
            world.payments.release();
            world.connection("pay").await.circuit.state == "open"
        })
        .await;
    assert_eq!(world.payments.count("POST /token"), 2);
    let circuit = world.connection("pay").await.circuit;
    let wait = circuit.probe_at.unwrap().duration_since(world.now());
    assert_eq!(wait.as_secs(), 30 * 60);
    world.stop().await;
}
