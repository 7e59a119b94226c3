//! Tokens (PX 2).

use super::Simulator;
use super::envelope::Refusal;
use super::settings::TokenRefusal;
use crate::wire::{self, Target, percent_decode};
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::http::{HttpRequest, HttpResponse, Method};
use serde_json::{Value, json};

/// A token that was given out.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) client: String,
    ends: Timestamp,
}

impl Simulator {
    /// `POST /auth/oauth/v2/token`. The credentials must stand in the form, and nowhere else (PX 2).
    pub(super) fn token(
        &mut self,
        request: &HttpRequest,
        target: &Target,
        now: Timestamp,
    ) -> HttpResponse {
        if request.method != Method::Post {
            return Refusal::new(405, "API-59", "The method is not supported").response();
        }
        if let Some(wait) = self.too_many_tokens(now) {
            return self.slow_down(wait, now);
        }
        let refuse =
            |this: &Self, status, error: &str, text: &str| this.refuse_token(status, error, text);
        if wire::media_type(request).as_deref() != Some("application/x-www-form-urlencoded") {
            return refuse(self, 400, "invalid_request", "The body must be a form");
        }
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let member = |name: &str| {
            form.split('&').find_map(|pair| {
                let (key, value) = pair.split_once('=')?;
                (key == name).then(|| percent_decode(value, true)).flatten()
            })
        };
        let stray = ["client_id", "client_secret", "grant_type"]
            .iter()
            .any(|name| target.parameter(name).is_some());
        if stray {
            return refuse(
                self,
                400,
                "invalid_request",
                "Credentials do not belong in the address",
            );
        }
        if member("grant_type").as_deref() != Some("client_credentials") {
            return refuse(
                self,
                400,
                "unsupported_grant_type",
                "Only client_credentials",
            );
        }
        let id = member("client_id").unwrap_or_default();
        let secret = member("client_secret").unwrap_or_default();
        if self.clients.get(&id).is_none_or(|own| own.secret != secret) {
            return refuse(self, 401, "invalid_client", "The credentials are not valid");
        }
        self.give(&id, now)
    }

    fn give(&mut self, client: &str, now: Timestamp) -> HttpResponse {
        if self.switches.new_token_ends_old {
            self.tokens.retain(|_, own| own.client != client);
        }
        let (high, low) = (self.entropy.next_u64(), self.entropy.next_u64());
        let token = format!("{high:016x}-{low:016x}");
        let life =
            SignedDuration::try_from(self.switches.token_life).unwrap_or(SignedDuration::MAX);
        let ends = now.checked_add(life).unwrap_or(Timestamp::MAX);
        let client = client.to_owned();
        self.tokens.insert(token.clone(), Token { client, ends });
        self.tokens_given += 1;
        let seconds = self.switches.token_life.as_secs();
        let expires_in: Value = if self.switches.expires_in_as_text {
            json!(seconds.to_string())
        } else {
            json!(seconds)
        };
        let scope = if self.switches.scope_list {
            "api-delegation ext-api read:company_people write:company_people"
        } else {
            "oob"
        };
        let body = json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": expires_in,
            "scope": scope,
        });
        wire::response(200, "application/json;charset=UTF-8", body.to_string())
    }

    fn refuse_token(&self, status: u16, error: &str, text: &str) -> HttpResponse {
        match self.switches.token_refusal {
            TokenRefusal::OAuth => {
                let body = json!({ "error": error, "error_description": text });
                wire::response(status, "application/json", body.to_string())
            }
            TokenRefusal::List => Refusal::new(status, "API-102", text).response(),
            TokenRefusal::Page => wire::response(
                status,
                "text/html",
                format!("<html><body>{text}</body></html>"),
            ),
        }
    }

    /// Seconds to wait if this minute has seen too many requests.
    fn too_many_tokens(&mut self, now: Timestamp) -> Option<u64> {
        let minute = SignedDuration::from_secs(60);
        while self
            .token_calls
            .front()
            .is_some_and(|at| now.duration_since(*at) >= minute)
        {
            self.token_calls.pop_front();
        }
        if self.token_calls.len() >= self.switches.token_requests_per_minute {
            return Some(60);
        }
        self.token_calls.push_back(now);
        None
    }

    /// 429 with the time to wait, in either of its forms (PX 7.3).
    pub(super) fn slow_down(&self, seconds: u64, now: Timestamp) -> HttpResponse {
        let mut response = Refusal::new(429, "API-0", "Too many requests").response();
        let value = if self.switches.retry_after_date {
            let wait = i64::try_from(seconds).unwrap_or(i64::MAX);
            let until = now
                .checked_add(SignedDuration::from_secs(wait))
                .unwrap_or(Timestamp::MAX);
            until.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
        } else {
            seconds.to_string()
        };
        response.headers.push(("Retry-After".to_owned(), value));
        response
    }

    /// The client of a call, by its bearer token. 401 for anything else (PX 2).
    pub(super) fn client_of(
        &self,
        request: &HttpRequest,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        let given = request.header("authorization").unwrap_or_default();
        let Some(token) = given.strip_prefix("Bearer ") else {
            return Err(Refusal::new(
                401,
                "API-102",
                "The client is not authenticated",
            ));
        };
        match self.tokens.get(token.trim()) {
            Some(own) if now < own.ends => Ok(own.client.clone()),
            _ => Err(Refusal::new(
                401,
                self.switches.expired_code,
                "The bearer token is expired or invalid",
            )),
        }
    }
}
