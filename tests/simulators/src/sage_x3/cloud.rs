//! The cloud gateway: an authorization that a person grants, and a refresh token that changes with every use (X3 2.3).

use super::Simulator;
use super::auth::sign;
use crate::wire::{self, Target};
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::http::{HttpRequest, HttpResponse};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Root of the gateway, and the other one that it may send a customer to (X3 2.3 step 3).
const ROOT: &str = "/v1";
const OTHER_ROOT: &str = "/fr/v1";
/// Signs the gateway's tokens.
const KEY: &str = "gateway";

/// An authorization that was asked for.
#[derive(Debug, Clone)]
struct Grant {
    client: String,
    redirect_uri: String,
    /// Set when a person has accepted.
    code: Option<String>,
}

#[derive(Debug, Clone)]
struct Refresh {
    client: String,
    expires: Timestamp,
    used: Option<Timestamp>,
}

/// What the gateway has handed out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gateway {
    grants: BTreeMap<String, Grant>,
    access: BTreeMap<String, Timestamp>,
    refresh: BTreeMap<String, Refresh>,
    /// The customer was sent to the other root.
    moved: bool,
    issued: u64,
}

fn message(status: u16, text: &str) -> HttpResponse {
    let body = json!({ "message": text }).to_string();
    wire::response(status, "application/json", body)
}

fn later(now: Timestamp, life: Duration) -> Timestamp {
    now.checked_add(life).unwrap_or(Timestamp::MAX)
}

impl Simulator {
    /// Whether a path belongs to the gateway's token service.
    pub(super) fn is_token_path(path: &str) -> bool {
        [ROOT, OTHER_ROOT].iter().any(|root| {
            let rest = path.strip_prefix(root);
            matches!(rest, Some("/token" | "/token/authorise"))
        })
    }

    pub(super) fn token_call(
        &mut self,
        request: &HttpRequest,
        target: &Target,
        path: &str,
        now: Timestamp,
    ) -> HttpResponse {
        let other = path.starts_with(OTHER_ROOT);
        let result = if path.ends_with("/authorise") {
            self.authorise(target)
        } else if other != self.gateway.moved {
            // The other root must be used from then on (X3 2.3 step 3).
            Err(message(404, "Not found"))
        } else {
            self.token(request, now)
        };
        result.unwrap_or_else(|refusal| refusal)
    }

    fn authorise(&mut self, target: &Target) -> Result<HttpResponse, HttpResponse> {
        let names = ["client_id", "scope", "customer", "redirect_uri", "state"];
        for name in names {
            if target.parameter(name).unwrap_or_default().is_empty() {
                return Err(message(400, &format!("Missing parameter {name}")));
            }
        }
        let text = |name: &str| target.parameter(name).unwrap_or_default().to_owned();
        let client = text("client_id");
        let application = self.settings.cloud_applications.get(&client);
        let application = application.ok_or_else(|| message(404, "Client not found"))?;
        if application.redirect_uri != text("redirect_uri") {
            return Err(message(404, "Redirect URI not found"));
        }
        if self.settings.cloud_customer != text("customer") {
            return Err(message(404, "Customer not found"));
        }
        if application.disabled {
            return Err(message(403, "Application disabled"));
        }
        let grant = Grant {
            client,
            redirect_uri: text("redirect_uri"),
            code: None,
        };
        self.gateway.grants.insert(text("state"), grant);
        Ok(message(200, "Request sent"))
    }

    /// A person accepts an authorization: what the gateway then posts to the redirect URI. It is a POST, with
    /// `authorizationCode`, and may name another root (X3 11 no. 12).
    pub fn approve(&mut self, state: &str) -> Option<(String, Value)> {
        let code = self.entropy.text(b"abcdefghijklmnopqrstuvwxyz", 24);
        let grant = self.gateway.grants.get_mut(state)?;
        grant.code = Some(code.clone());
        let mut body = json!({ "authorizationCode": code, "state": state });
        if self.switches.other_root {
            self.gateway.moved = true;
            body["endpoint"] = json!(format!("{}{OTHER_ROOT}/", self.settings.origin));
        }
        Some((grant.redirect_uri.clone(), body))
    }

    fn token(
        &mut self,
        request: &HttpRequest,
        now: Timestamp,
    ) -> Result<HttpResponse, HttpResponse> {
        let body: Value =
            serde_json::from_slice(&request.body).map_err(|_| message(400, "Invalid body"))?;
        let member = |name: &str| -> Result<String, HttpResponse> {
            let text = body.get(name).and_then(Value::as_str);
            text.map(str::to_owned)
                .ok_or_else(|| message(400, &format!("Missing parameter {name}")))
        };
        let client = member("client_id")?;
        let application = self.settings.cloud_applications.get(&client);
        let application = application.ok_or_else(|| message(404, "Client not found"))?;
        if application.secret != member("client_secret")? {
            return Err(message(404, "Client not found"));
        }
        if application.disabled {
            return Err(message(403, "Application disabled"));
        }
        match member("grant_type")?.as_str() {
            "authorization_code" => {
                self.redeem(&member("code")?, &member("redirect_uri")?, &client)?;
            }
            "refresh_token" => self.rotate(&member("refresh_token")?, &client, now)?,
            _ => return Err(message(400, "Grant type not allowed")),
        }
        let (access, refresh) = self.issue(&client, now);
        let names = if self.switches.camel_case_tokens {
            ["accessToken", "refreshToken"]
        } else {
            ["access_token", "refresh_token"]
        };
        let mut pair = serde_json::Map::new();
        for (name, token) in names.into_iter().zip([access, refresh]) {
            pair.insert(name.to_owned(), Value::String(token));
        }
        let body = Value::Object(pair).to_string();
        Ok(wire::response(200, "application/json", body))
    }

    fn redeem(&mut self, code: &str, redirect: &str, client: &str) -> Result<(), HttpResponse> {
        let found = self.gateway.grants.iter().find(|(_, grant)| {
            grant.code.as_deref() == Some(code)
                && grant.client == client
                && grant.redirect_uri == redirect
        });
        let Some(state) = found.map(|(state, _)| state.clone()) else {
            return Err(message(403, "Request not found"));
        };
        self.gateway.grants.remove(&state);
        Ok(())
    }

    /// The old token dies with its use (X3 2.3: assume single use), unless the switch gives it a grace.
    fn rotate(&mut self, token: &str, client: &str, now: Timestamp) -> Result<(), HttpResponse> {
        let grace = self.switches.old_refresh_grace;
        let own = self.gateway.refresh.get_mut(token);
        let own = own.filter(|own| own.client == client && now < own.expires);
        let Some(own) = own else {
            return Err(message(403, "Request expired"));
        };
        let within = |used: Timestamp| grace.is_some_and(|grace| now < later(used, grace));
        match own.used {
            Some(used) if !within(used) => return Err(message(403, "Request expired")),
            Some(_) => {}
            None => own.used = Some(now),
        }
        Ok(())
    }

    fn issue(&mut self, client: &str, now: Timestamp) -> (String, String) {
        self.gateway.issued += 1;
        let serial = self.gateway.issued;
        let access_until = later(now, self.switches.access_life);
        let refresh_until = later(now, self.switches.refresh_life);
        let claims = |expires: Timestamp| {
            json!({
                "iss": self.settings.origin,
                "aud": self.settings.origin,
                "iat": now.as_second(),
                "exp": expires.as_second(),
                "region": "fr",
                "sub": "config-1",
                "azp": client,
                "scopes": ["businessDomain.ALL", "api.graphQL"],
                "n": serial,
            })
        };
        let access = sign(KEY, &claims(access_until));
        let mut with_id = claims(refresh_until);
        with_id["jti"] = json!(serial.to_string());
        let refresh = sign(KEY, &with_id);
        self.gateway.access.insert(access.clone(), access_until);
        let kept = Refresh {
            client: client.to_owned(),
            expires: refresh_until,
            used: None,
        };
        self.gateway.refresh.insert(refresh.clone(), kept);
        (access, refresh)
    }

    /// A pair of tokens as if a person had gone through the authorization: access and refresh token.
    pub fn pair(&mut self, client: &str, now: Timestamp) -> (String, String) {
        self.issue(client, now)
    }

    /// The customer withdraws the access: every token is dead, the pairing starts again (X3 2.3).
    pub fn withdraw_access(&mut self) {
        self.gateway.access.clear();
        self.gateway.refresh.clear();
    }

    /// Whether a refresh token would still be taken.
    pub fn refresh_token_lives(&self, token: &str, now: Timestamp) -> bool {
        let own = self.gateway.refresh.get(token);
        own.is_some_and(|own| own.used.is_none() && now < own.expires)
    }

    /// How many pairs of tokens were handed out.
    pub const fn token_pairs(&self) -> u64 {
        self.gateway.issued
    }

    /// Lets a caller in at the gateway: OAuth2 alone, no Basic (X3 1.3).
    pub(super) fn admit_at_the_gateway(
        &self,
        request: &HttpRequest,
        now: Timestamp,
    ) -> Result<String, HttpResponse> {
        let header = request.header("authorization").unwrap_or_default();
        let token = header.strip_prefix("Bearer ").unwrap_or_default();
        let expires = self.gateway.access.get(token.trim());
        let lives =
            expires.is_some_and(|expires| expires.duration_since(now) > SignedDuration::ZERO);
        let user = self.settings.users.keys().next();
        match user {
            Some(user) if lives => Ok(user.clone()),
            _ => Err(message(401, "Unauthorised")),
        }
    }
}
