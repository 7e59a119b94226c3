//! An authorization code with proof key and state, and a refresh token that several processes renew.

use super::definitions::{AUTHORIZED, BEARER};
use super::world::plan;
use crate::connect::{self, Callback, Error};
use crate::operator;
use crate::seams::Secret;
use crate::simulated::{FixedEntropy, ManualClock, MemorySecrets, MemoryTransport};
use crate::{Seams, SecretSource as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use ml_connector_core::http::{HttpRequest, HttpResponse};
use ml_connector_core::identity::ConnectionId;
use ml_connector_core::plan::Connection;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// The pieces of an address's query.
fn parameter(address: &str, name: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    let value = query
        .split('&')
        .find_map(|pair| pair.strip_prefix(&format!("{name}=")))?;
    Some(value.to_owned())
}

struct Cast {
    connection: Arc<Connection>,
    seams: Seams,
    secrets: Arc<MemorySecrets>,
    clock: ManualClock,
    asked: Arc<Mutex<Vec<String>>>,
}

/// A token end point that takes the code `good` once, and answers with these members.
fn cast(answer: serde_json::Value) -> Cast {
    // A health call that carries the token.
    let health = (
        "health: { operation: version }",
        "health: { operation: get_payment, with: { id: PM1 } }",
    );
    let plan = plan(&[(BEARER, AUTHORIZED), health]);
    let connection = Arc::clone(&plan.connections[&ConnectionId::new("pay")]);
    let net = Arc::new(MemoryTransport::new());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    net.route("http://payfast.test/token", move |request: &HttpRequest| {
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        let good = body.contains("code=good");
        seen.lock().unwrap().push(body);
        let body = if good {
            answer.to_string()
        } else {
            json!({"error": "invalid_grant"}).to_string()
        };
        HttpResponse {
            status: if good { 200 } else { 400 },
            headers: Vec::new(),
            body: Bytes::from(body),
        }
    });
    let secrets = Arc::new(MemorySecrets::new(&[("pay/hook", "x")]));
    let clock = ManualClock::new("2026-03-16T08:00:00Z".parse().unwrap());
    let seams = Seams {
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(FixedEntropy(0)),
        transport: net,
        secrets: Arc::<MemorySecrets>::clone(&secrets),
    };
    Cast {
        connection,
        seams,
        secrets,
        clock,
        asked,
    }
}

fn granted() -> serde_json::Value {
    json!({ "access_token": "a", "refresh_token": "first-refresh", "expires_in": 600 })
}

#[tokio::test]
async fn the_exchange_proves_that_it_comes_from_whoever_asked() {
    let cast = cast(granted());
    let begun = connect::begin(
        &cast.connection,
        &cast.seams,
        "http://127.0.0.1:7000/callback",
    )
    .unwrap();
    let address = &begun.address;
    assert!(
        address
            .starts_with("http://payfast.test/authorize?tenant=1&response_type=code&client_id=me&"),
        "{address}"
    );
    assert_eq!(parameter(address, "scope").unwrap(), "read%20write");
    assert_eq!(parameter(address, "prompt").unwrap(), "consent");
    assert_eq!(parameter(address, "left_out"), None);
    let state = parameter(address, "state").unwrap();
    let again = connect::begin(
        &cast.connection,
        &cast.seams,
        "http://127.0.0.1:7000/callback",
    )
    .unwrap();
    assert_ne!(parameter(&again.address, "state").unwrap(), state);

    let answer = Callback::of_text(&format!(
        "http://127.0.0.1:7000/callback?code=good&state={state}#x"
    ))
    .unwrap();
    assert!(matches!(
        connect::finish(&cast.connection, &cast.seams, &again.pending, &answer).await,
        Err(Error::OtherState)
    ));
    assert!(cast.asked.lock().unwrap().is_empty(), "nothing was sent");
    let connected = connect::finish(&cast.connection, &cast.seams, &begun.pending, &answer)
        .await
        .unwrap();
    assert_eq!(connected.stored, "pay/token");
    assert_eq!(
        cast.secrets.get("pay/token").unwrap().expose(),
        "first-refresh"
    );
    let asked = cast.asked.lock().unwrap().clone();
    let verifier = asked[0]
        .split("code_verifier=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    assert_eq!(
        parameter(address, "code_challenge").unwrap(),
        URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
    );
    assert!(
        asked[0].contains("grant_type=authorization_code"),
        "{asked:?}"
    );
    assert!(
        asked[0].contains("redirect_uri=http%3A%2F%2F127.0.0.1%3A7000%2Fcallback"),
        "{asked:?}"
    );
    assert!(
        !asked[0].contains("scope="),
        "a code has its scope already: {asked:?}"
    );
}

#[tokio::test]
async fn without_a_refresh_token_nothing_is_stored() {
    let cast = cast(json!({ "access_token": "a" }));
    let begun = connect::begin(
        &cast.connection,
        &cast.seams,
        "http://127.0.0.1:7000/callback",
    )
    .unwrap();
    let answer = Callback::of_text("good").unwrap();
    let refused = connect::finish(&cast.connection, &cast.seams, &begun.pending, &answer).await;
    assert!(matches!(refused, Err(Error::NoRefreshToken)), "{refused:?}");
    let answer = Callback::of_text("bad").unwrap();
    let refused = connect::finish(&cast.connection, &cast.seams, &begun.pending, &answer).await;
    let Err(Error::NotExchanged { why, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert!(why.contains("invalid_grant"), "{why}");
    assert!(cast.secrets.get("pay/token").is_err());
}

#[tokio::test]
async fn a_new_pairing_waits_for_whoever_renews_the_old_token() {
    let cast = cast(granted());
    cast.secrets.set("pay/token", "old");
    let begun = connect::begin(
        &cast.connection,
        &cast.seams,
        "http://127.0.0.1:7000/callback",
    )
    .unwrap();
    let answer = Callback::of_text("good").unwrap();
    // An engine is renewing the old token: what it stores must not come after the new one.
    let turn = cast.secrets.try_turn("pay/token").unwrap().unwrap();
    let (connection, seams) = (Arc::clone(&cast.connection), cast.seams.clone());
    let mut finishing =
        Box::pin(
            async move { connect::finish(&connection, &seams, &begun.pending, &answer).await },
        );
    assert!(futures_util::poll!(&mut finishing).is_pending());
    assert!(
        cast.asked.lock().unwrap().is_empty(),
        "the code is not used up while it waits"
    );
    cast.secrets
        .put("pay/token", &Secret::new("rotated".into()))
        .unwrap();
    drop(turn);
    cast.clock.advance(Duration::from_secs(1));
    finishing.await.unwrap();
    assert_eq!(
        cast.secrets.get("pay/token").unwrap().expose(),
        "first-refresh"
    );
}

/// A system whose refresh tokens are good for one use, as the strictest are. Its reads answer once `reads` allows them.
fn rotating(reads: watch::Receiver<bool>) -> (Arc<MemoryTransport>, Arc<Mutex<Vec<String>>>) {
    let net = Arc::new(MemoryTransport::new());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let answer = |status, body: String| HttpResponse {
        status,
        headers: Vec::new(),
        body: Bytes::from(body),
    };
    net.route_async("http://payfast.test", move |_| {
        let mut reads = reads.clone();
        Box::pin(async move {
            reads.wait_for(|open| *open).await.unwrap();
            Ok(answer(
                200,
                json!({ "id": "PM1", "amount": 1, "currency": "GBP", "customer": "CU1" })
                    .to_string(),
            ))
        })
    });
    net.route("http://payfast.test/token", move |request: &HttpRequest| {
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        let mut seen = seen.lock().unwrap();
        let uses = seen.len();
        let good = body.contains(&format!("refresh_token=refresh-{uses}"));
        seen.push(body);
        let next = json!({ "access_token": format!("access-{uses}"), "refresh_token": format!("refresh-{}", uses + 1), "expires_in": 600 });
        if good { answer(200, next.to_string()) } else { answer(400, json!({"error": "invalid_grant"}).to_string()) }
    });
    (net, asked)
}

#[tokio::test]
async fn a_token_that_was_stored_before_a_crash_is_the_one_that_is_used_after_it() {
    let mut cast = cast(granted());
    cast.secrets.set("pay/token", "refresh-0");
    let (open, reads) = watch::channel(false);
    let (net, asked) = rotating(reads);
    cast.seams.transport = net;
    // It dies between the answer and the first use of the access token.
    let mut dying = Box::pin(operator::ping(&cast.connection, &cast.seams));
    assert!(futures_util::poll!(&mut dying).is_pending());
    assert_eq!(asked.lock().unwrap().len(), 1);
    assert_eq!(
        cast.secrets.get("pay/token").unwrap().expose(),
        "refresh-1",
        "stored before use"
    );
    drop(dying);
    open.send(true).unwrap();
    let pinged = operator::ping(&cast.connection, &cast.seams).await;
    assert!(
        pinged.steps.iter().all(|step| step.error.is_none()),
        "{pinged:?}"
    );
    assert!(asked.lock().unwrap()[1].contains("refresh_token=refresh-1"));
}

#[tokio::test]
async fn a_token_that_is_lost_between_answer_and_disk_is_tried_once_and_then_a_person_is_asked() {
    let mut cast = cast(granted());
    cast.secrets.set("pay/token", "refresh-0");
    let (_open, reads) = watch::channel(true);
    let (net, asked) = rotating(reads);
    cast.seams.transport = net;
    cast.secrets.refuse_writes(Some("disk full"));
    let pinged = operator::ping(&cast.connection, &cast.seams).await;
    let why = pinged.steps[0].error.clone().unwrap();
    assert!(why.contains("could not be stored"), "{why}");
    // The process is gone, and with it what it had in memory.
    cast.secrets.refuse_writes(None);
    let pinged = operator::ping(&cast.connection, &cast.seams).await;
    assert!(
        pinged.steps[0].help.contains("ml-connector connect"),
        "{pinged:?}"
    );
    assert_eq!(asked.lock().unwrap().len(), 2, "once");
    assert_eq!(cast.secrets.get("pay/token").unwrap().expose(), "refresh-0");
}
