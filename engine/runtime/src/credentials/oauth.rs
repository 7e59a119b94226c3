//! OAuth2 client credentials (RFC 6749 section 4.4), refresh tokens (section 6) and the exchange of
//! an authorization code for the first of them (section 4.1.3).
//!
//! # A refresh token that changes with every use
//! The old one may be void as soon as the new one is on its way. So from reading it to storing the
//! next, one task of one process has the *turn* ([`crate::SecretSource::try_turn`]); the new one is
//! on disk before the access token that came with it is used; and one that could not be stored is
//! kept in memory and stored before anything else is asked. What is left is a process that dies
//! between the answer and the disk: then the old one is tried once, and where it is refused, the
//! connection says that it has to be connected again.

use super::token::{Token, renew_at};
use super::{Failure, misconfigured, scope_with_secrets};
use crate::connection::Caller;
use crate::context::later;
use crate::seams::{Secret, SecretError, SecretTurn};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use ml_connector_core::delivery::Class;
use ml_connector_core::http::{HttpRequest, HttpResponse, Method, SendError};
use ml_connector_core::plan::{OauthClient, OauthRefresh, TokenBody};
use ml_connector_core::protocol::percent_encode;
use ml_connector_core::template::{EvalError, Template};
use serde::Deserialize;
use serde_json::Value as Document;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long a token end point may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The lifetime assumed where the answer names none (RFC 6749 section 5.1 leaves it open).
const LIFETIME: Duration = Duration::from_secs(300);

/// What a token request is made of, beside the grant.
struct Client<'a> {
    id: &'a Template,
    secret: &'a Template,
    in_body: bool,
    renew_before: Duration,
    body: TokenBody,
    /// Names that the answer may use.
    access_token: &'a [String],
    refresh_token: &'a [String],
    /// What a person does about a refusal.
    help: &'static str,
}

impl<'a> Client<'a> {
    fn of_refresh(oauth: &'a OauthRefresh) -> Self {
        Self {
            id: &oauth.client_id,
            secret: &oauth.client_secret,
            in_body: oauth.in_body,
            renew_before: oauth.renew_before,
            body: oauth.body,
            access_token: &oauth.access_token,
            refresh_token: &oauth.refresh_token_names,
            help: if oauth.authorize.is_some() {
                AUTHORIZE_AGAIN
            } else {
                STORE_AGAIN
            },
        }
    }
}

const AUTHORIZE_AGAIN: &str = "check client id and secret; if they are right, the refresh token is void: connect again with \
                               `ml-connector connect CONNECTION`";
const STORE_AGAIN: &str =
    "check client id and secret; if they are right, store a new refresh token in the vault";

/// RFC 6749 section 5.1. Unknown members are ignored.
#[derive(Clone)]
pub(crate) struct Granted {
    access_token: Arc<Secret>,
    lifetime: Duration,
    /// Present where the answer has one.
    pub(crate) refresh_token: Option<Arc<Secret>>,
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

impl Granted {
    /// Reads an answer, whatever it calls its members. The lifetime may be a number or a text that is one.
    fn read(body: &[u8], client: &Client<'_>) -> Option<Self> {
        let answer: Document = serde_json::from_slice(body).ok()?;
        let text = |names: &[String]| {
            names
                .iter()
                .find_map(|name| answer.get(name)?.as_str().filter(|text| !text.is_empty()))
                .map(|text| Arc::new(Secret::new(text.to_owned())))
        };
        let seconds = |value: &Document| match value {
            Document::Number(number) => number.as_u64(),
            Document::String(text) => text.trim().parse().ok(),
            Document::Null | Document::Bool(_) | Document::Array(_) | Document::Object(_) => None,
        };
        let lifetime = ["expires_in", "expiresIn"]
            .iter()
            .find_map(|name| answer.get(*name).and_then(seconds));
        Some(Self {
            access_token: text(client.access_token)?,
            lifetime: lifetime.map_or(LIFETIME, Duration::from_secs),
            refresh_token: text(client.refresh_token),
        })
    }
}

/// A grant whose refresh token could not be stored.
pub(crate) struct Unkept {
    granted: Granted,
    at: Timestamp,
    /// What it was asked for with: where another one stands in the vault, somebody has connected
    /// anew, and this one is of no use.
    from: Arc<Secret>,
}

impl fmt::Debug for Unkept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unkept")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// RFC 6749 section 5.2.
#[derive(Deserialize)]
struct Denied {
    error: String,
}

pub(super) async fn client_credentials(
    caller: &Arc<Caller>,
    oauth: &OauthClient,
) -> Result<Arc<Token>, Failure> {
    let client = Client {
        id: &oauth.client_id,
        secret: &oauth.client_secret,
        in_body: oauth.in_body,
        renew_before: oauth.renew_before,
        body: oauth.body,
        access_token: &oauth.access_token,
        refresh_token: &[],
        help: "check client id and client secret in the vault",
    };
    let mut form = vec![("grant_type", "client_credentials".to_owned())];
    push_scope(caller, oauth.scope.as_ref(), &mut form)?;
    let url = token_url(caller, &oauth.token_url)?;
    let granted = ask(caller, &client, url, form).await?;
    Ok(token(&granted, caller.now(), client.renew_before))
}

pub(super) async fn refresh(
    caller: &Arc<Caller>,
    oauth: &OauthRefresh,
    unkept: &mut Option<Unkept>,
) -> Result<Arc<Token>, Failure> {
    let client = Client::of_refresh(oauth);
    let name = &oauth.refresh_token;
    let _turn = turn(caller, name).await?;
    let present = caller.secrets.resolve().first(name).map(str::to_owned);
    if let Some(waiting) = unkept.take()
        && present.as_deref() == Some(waiting.from.expose())
    {
        let Unkept { granted, at, from } = waiting;
        let granted = keep(caller, name, granted, at, from, unkept)?;
        let token = token(&granted, at, client.renew_before);
        if token.is_fresh(caller.now()) {
            return Ok(token);
        }
    }
    // Whoever had the turn before, or the lines above, may have stored another one.
    let present = caller.secrets.resolve().first(name).map(str::to_owned);
    let present = present.ok_or_else(|| Failure::Refused {
        class: Class::Authentication,
        why: format!("there is no refresh token under `{name}`"),
        help: client.help.to_owned(),
    })?;
    let mut form = vec![
        ("grant_type", "refresh_token".to_owned()),
        ("refresh_token", present.clone()),
    ];
    push_scope(caller, oauth.scope.as_ref(), &mut form)?;
    let url = token_url(caller, &oauth.token_url)?;
    let granted = ask(caller, &client, url, form).await?;
    let at = caller.now();
    let from = Arc::new(Secret::new(present));
    let granted = keep(caller, name, granted, at, from, unkept)?;
    Ok(token(&granted, at, client.renew_before))
}

/// Stores the refresh token of a grant, if it is a new one. What cannot be stored is put aside: the
/// old one may be void from here on, and using the access token would only hide that the connection
/// is lost at the next restart.
fn keep(
    caller: &Caller,
    name: &str,
    granted: Granted,
    at: Timestamp,
    from: Arc<Secret>,
    unkept: &mut Option<Unkept>,
) -> Result<Granted, Failure> {
    let rotated = granted
        .refresh_token
        .as_ref()
        .filter(|new| new.expose() != from.expose());
    let Some(rotated) = rotated else {
        return Ok(granted);
    };
    match caller.secrets.put(name, rotated) {
        Ok(()) => Ok(granted),
        Err(error) => {
            *unkept = Some(Unkept { granted, at, from });
            Err(Failure::Passing {
                class: Class::Configuration,
                why: format!("the rotated refresh token could not be stored: {error}"),
                after: None,
            })
        }
    }
}

/// Exchanges an authorization code. The caller has the turn, and stores what is granted.
pub(crate) async fn exchange(
    caller: &Arc<Caller>,
    oauth: &OauthRefresh,
    url: String,
    form: Vec<(&'static str, String)>,
) -> Result<Granted, Failure> {
    ask(caller, &Client::of_refresh(oauth), url, form).await
}

/// How often somebody who waits for a turn looks whether it is free.
const TURN_GLANCE: Duration = Duration::from_millis(100);
/// The longest wait for a turn: whoever has it ends with its request's time limit.
const TURN_MAX: Duration = Duration::from_secs(90);

/// Waits for the turn to use up a refresh token.
pub(crate) async fn turn(caller: &Caller, name: &str) -> Result<SecretTurn, Failure> {
    let passing = |why: String| Failure::Passing {
        class: Class::Configuration,
        why,
        after: None,
    };
    let until = later(caller.now(), TURN_MAX);
    loop {
        match caller.secrets.try_turn(name) {
            Ok(Some(turn)) => return Ok(turn),
            Ok(None) => {}
            Err(error @ SecretError::Missing(_)) => {
                return Err(Failure::Refused {
                    class: Class::Configuration,
                    why: error.to_string(),
                    help: format!("name one for `{name}` in the site file's `secrets`"),
                });
            }
            Err(error @ SecretError::Vault { .. }) => return Err(passing(error.to_string())),
        }
        let now = caller.now();
        if now >= until {
            let why = format!("another process has been changing `{name}` for too long");
            return Err(passing(why));
        }
        let glance = later(now, TURN_GLANCE);
        caller.seams.clock.sleep_until(glance).await;
    }
}

fn push_scope(
    caller: &Caller,
    scope: Option<&Template>,
    form: &mut Vec<(&'static str, String)>,
) -> Result<(), Failure> {
    if let Some(wanted) = scope {
        let wanted = wanted.text(&scope_with_secrets(caller));
        form.push(("scope", wanted.map_err(|error| misconfigured(&error))?));
    }
    Ok(())
}

fn token_url(caller: &Caller, url: &Template) -> Result<String, Failure> {
    url.text(&scope_with_secrets(caller))
        .map_err(|error| misconfigured(&error))
}

fn token(granted: &Granted, at: Timestamp, renew_before: Duration) -> Arc<Token> {
    Token::new(
        granted.access_token.expose().to_owned(),
        Some(renew_at(at, granted.lifetime, renew_before)),
    )
}

async fn ask(
    caller: &Arc<Caller>,
    client: &Client<'_>,
    url: String,
    form: Vec<(&'static str, String)>,
) -> Result<Granted, Failure> {
    let request = request(caller, client, url, form).map_err(|error| misconfigured(&error))?;
    caller.pace().await;
    caller.counters.logged_on();
    match caller.transmit(request).await {
        Ok(response) => read(&response, client),
        Err(SendError::NotSent { why } | SendError::Unknown { why }) => Err(Failure::Passing {
            class: Class::Intermittent,
            why: format!("no token: {why}"),
            after: None,
        }),
    }
}

fn request(
    caller: &Caller,
    client: &Client<'_>,
    url: String,
    mut form: Vec<(&'static str, String)>,
) -> Result<HttpRequest, EvalError> {
    let scope = scope_with_secrets(caller);
    let (id, secret) = (client.id.text(&scope)?, client.secret.text(&scope)?);
    let mut headers = vec![
        (
            "Content-Type".to_owned(),
            media_type(client.body).to_owned(),
        ),
        ("Accept".to_owned(), "application/json".to_owned()),
    ];
    if client.in_body {
        form.push(("client_id", id));
        form.push(("client_secret", secret));
    } else {
        // RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
        let pair = format!("{}:{}", percent_encode(&id), percent_encode(&secret));
        headers.push((
            "Authorization".to_owned(),
            format!("Basic {}", STANDARD.encode(pair)),
        ));
    }
    let body = match client.body {
        TokenBody::Form => form
            .iter()
            .map(|(name, value)| format!("{name}={}", percent_encode(value)))
            .collect::<Vec<_>>()
            .join("&"),
        TokenBody::Json => {
            let members = form
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into()));
            Document::Object(members.collect()).to_string()
        }
    };
    Ok(HttpRequest {
        method: Method::Post,
        url,
        headers,
        body: Bytes::from(body),
        timeout: TIMEOUT,
    })
}

const fn media_type(body: TokenBody) -> &'static str {
    match body {
        TokenBody::Form => "application/x-www-form-urlencoded",
        TokenBody::Json => "application/json",
    }
}

fn read(response: &HttpResponse, client: &Client<'_>) -> Result<Granted, Failure> {
    let status = response.status;
    if status == 200 {
        return Granted::read(&response.body, client).ok_or_else(|| Failure::Passing {
            class: Class::Intermittent,
            why: "the token end point's answer has no access token".to_owned(),
            after: None,
        });
    }
    if matches!(status, 400 | 401 | 403) {
        return Err(Failure::Refused {
            class: Class::Authentication,
            why: format!(
                "the token end point refuses with status {status}{}",
                denial(response)
            ),
            help: client.help.to_owned(),
        });
    }
    let after = response
        .header("Retry-After")
        .and_then(|text| text.trim().parse().ok());
    Err(Failure::Passing {
        class: if status == 429 {
            Class::Capacity
        } else {
            Class::Intermittent
        },
        why: format!("the token end point answers with status {status}"),
        after: after.map(Duration::from_secs),
    })
}

/// The error code of the answer, if it is one: lower-case letters and underscores only, so nothing
/// that was sent can come back into a log this way.
fn denial(response: &HttpResponse) -> String {
    serde_json::from_slice::<Denied>(&response.body)
        .ok()
        .filter(|denied| {
            denied
                .error
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        })
        .map(|denied| format!(", {}", denied.error))
        .unwrap_or_default()
}
