//! OAuth2 client credentials (RFC 6749 section 4.4) and refresh tokens (section 6).

use super::token::{Token, renew_at};
use super::{Failure, misconfigured, scope_with_secrets};
use crate::connection::Caller;
use crate::seams::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ml_connector_core::delivery::Class;
use ml_connector_core::http::{HttpRequest, HttpResponse, Method, SendError};
use ml_connector_core::plan::{OauthClient, OauthRefresh, TokenBody};
use ml_connector_core::protocol::percent_encode;
use ml_connector_core::template::{EvalError, Template};
use serde::Deserialize;
use serde_json::Value as Document;
use std::sync::Arc;
use std::time::Duration;

/// How long a token end point may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The lifetime assumed where the answer names none (RFC 6749 section 5.1 leaves it open).
const LIFETIME: Duration = Duration::from_secs(300);

/// What a token request is made of, beside the grant.
struct Client<'a> {
    token_url: &'a Template,
    id: &'a Template,
    secret: &'a Template,
    scope: Option<&'a Template>,
    in_body: bool,
    renew_before: Duration,
    body: TokenBody,
    /// Names that the answer may use.
    access_token: &'a [String],
    refresh_token: &'a [String],
}

/// RFC 6749 section 5.1. Unknown members are ignored.
struct Granted {
    access_token: String,
    expires_in: Option<u64>,
    refresh_token: Option<String>,
}

impl Granted {
    /// Reads an answer, whatever it calls its members. The lifetime may be a number or a text that is one.
    fn read(body: &[u8], client: &Client<'_>) -> Option<Self> {
        let answer: Document = serde_json::from_slice(body).ok()?;
        let text = |names: &[String]| {
            names
                .iter()
                .find_map(|name| answer.get(name)?.as_str().filter(|text| !text.is_empty()))
                .map(str::to_owned)
        };
        let seconds = |value: &Document| match value {
            Document::Number(number) => number.as_u64(),
            Document::String(text) => text.trim().parse().ok(),
            Document::Null | Document::Bool(_) | Document::Array(_) | Document::Object(_) => None,
        };
        Some(Self {
            access_token: text(client.access_token)?,
            expires_in: ["expires_in", "expiresIn"]
                .iter()
                .find_map(|name| answer.get(*name).and_then(seconds)),
            refresh_token: text(client.refresh_token),
        })
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
        token_url: &oauth.token_url,
        id: &oauth.client_id,
        secret: &oauth.client_secret,
        scope: oauth.scope.as_ref(),
        in_body: oauth.in_body,
        renew_before: oauth.renew_before,
        body: oauth.body,
        access_token: &oauth.access_token,
        refresh_token: &[],
    };
    let form = vec![("grant_type", "client_credentials".to_owned())];
    let granted = ask(caller, &client, form).await?;
    Ok(token(caller, &granted, client.renew_before))
}

pub(super) async fn refresh(
    caller: &Arc<Caller>,
    oauth: &OauthRefresh,
) -> Result<Arc<Token>, Failure> {
    let client = Client {
        token_url: &oauth.token_url,
        id: &oauth.client_id,
        secret: &oauth.client_secret,
        scope: oauth.scope.as_ref(),
        in_body: oauth.in_body,
        renew_before: oauth.renew_before,
        body: oauth.body,
        access_token: &oauth.access_token,
        refresh_token: &oauth.refresh_token_names,
    };
    let name = &oauth.refresh_token;
    let present = caller
        .secrets
        .resolve()
        .first(name)
        .map(str::to_owned)
        .ok_or_else(|| Failure::Refused {
            class: Class::Authentication,
            why: format!("there is no refresh token under `{name}`"),
            help: "authorise the connection again".to_owned(),
        })?;
    let form = vec![
        ("grant_type", "refresh_token".to_owned()),
        ("refresh_token", present.clone()),
    ];
    let granted = ask(caller, &client, form).await?;
    if let Some(rotated) = granted
        .refresh_token
        .as_ref()
        .filter(|new| **new != present)
    {
        // The old one may be void from here on. If the new one cannot be kept, using the access
        // token would only hide that the connection is lost at the next restart.
        caller
            .secrets
            .put(name, &Secret::new(rotated.clone()))
            .map_err(|error| Failure::Passing {
                class: Class::Configuration,
                why: format!("the rotated refresh token could not be stored: {error}"),
                after: None,
            })?;
    }
    Ok(token(caller, &granted, client.renew_before))
}

fn token(caller: &Caller, granted: &Granted, renew_before: Duration) -> Arc<Token> {
    let lifetime = granted.expires_in.map_or(LIFETIME, Duration::from_secs);
    Token::new(
        granted.access_token.clone(),
        Some(renew_at(caller.now(), lifetime, renew_before)),
    )
}

async fn ask(
    caller: &Arc<Caller>,
    client: &Client<'_>,
    form: Vec<(&'static str, String)>,
) -> Result<Granted, Failure> {
    let request = request(caller, client, form).map_err(|error| misconfigured(&error))?;
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
    mut form: Vec<(&'static str, String)>,
) -> Result<HttpRequest, EvalError> {
    let scope = scope_with_secrets(caller);
    let url = client.token_url.text(&scope)?;
    let (id, secret) = (client.id.text(&scope)?, client.secret.text(&scope)?);
    if let Some(wanted) = client.scope {
        form.push(("scope", wanted.text(&scope)?));
    }
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
            help: "check client id, client secret and refresh token in the vault".to_owned(),
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
