//! Who is calling: Basic, or a token that the client signed itself (X3 2.1, 2.2), and the session that a call opens
//! (X3 2.4).

use super::Simulator;
use super::settings::{Audience, ConnectedApplication, Switches};
use crate::wire;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::http::{HttpRequest, HttpResponse};
use serde_json::Value;
use sha2::Sha256;
use std::time::Duration;

/// Name of the session cookie; not documented (X3 2.4).
const COOKIE: &str = "client.sid";
/// Idle life of a session; not documented.
const SESSION_LIFE: SignedDuration = SignedDuration::from_mins(20);

/// A session at the web server.
#[derive(Debug, Clone)]
pub(crate) struct WebSession {
    id: String,
    login: String,
    used: Timestamp,
}

/// A user who was let in, and the cookie to set if a session was opened.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) login: String,
    pub(crate) cookie: Option<String>,
}

/// `Error NN: Invalid token` (X3 2.2).
pub(crate) fn invalid_token(code: u8) -> HttpResponse {
    plain(401, &format!("Error {code}: Invalid token"))
}

pub(crate) fn plain(status: u16, text: &str) -> HttpResponse {
    wire::response(status, "text/plain; charset=utf-8", text.to_owned())
}

impl Simulator {
    /// Lets a caller in, by Basic or by a connected application's token.
    pub(super) fn admit(
        &mut self,
        request: &HttpRequest,
        now: Timestamp,
    ) -> Result<Caller, HttpResponse> {
        let header = request.header("authorization").unwrap_or_default();
        let login = if let Some(token) = header.strip_prefix("Bearer ") {
            self.bearer(token.trim(), now).map_err(invalid_token)?
        } else {
            self.basic(header)
                .ok_or_else(|| plain(401, "Unauthorized"))?
        };
        let cookie = self.session(request, &login, now)?;
        Ok(Caller { login, cookie })
    }

    fn basic(&mut self, header: &str) -> Option<String> {
        let encoded = header.strip_prefix("Basic ")?;
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (login, password) = decoded.split_once(':')?;
        let user = self.settings.users.get(login)?;
        let wrong = self.wrong_passwords.entry(login.to_owned()).or_insert(0);
        let locked = self
            .switches
            .lock_after
            .is_some_and(|limit| *wrong >= limit);
        if user.password != password {
            *wrong += 1;
            return None;
        }
        if locked {
            return None;
        }
        *wrong = 0;
        Some(login.to_owned())
    }

    /// Whether wrong passwords have locked a user (X3 2.1).
    pub fn is_locked(&self, login: &str) -> bool {
        let wrong = self.wrong_passwords.get(login).copied().unwrap_or(0);
        self.switches.lock_after.is_some_and(|limit| wrong >= limit)
    }

    /// The codes are those of the sheet's table (X3 2.2); 30 was seen for a token that is none at all.
    fn bearer(&self, token: &str, now: Timestamp) -> Result<String, u8> {
        let claims = Claims::read(token).ok_or(30)?;
        let application = self.settings.applications.get(&claims.issuer).ok_or(41)?;
        claims.check(token, application, &self.switches, now)?;
        if !self.settings.users.contains_key(&application.user) {
            return Err(42);
        }
        Ok(application.user.clone())
    }

    /// Finds the caller's session or opens one; gives the cookie of a new one.
    fn session(
        &mut self,
        request: &HttpRequest,
        login: &str,
        now: Timestamp,
    ) -> Result<Option<String>, HttpResponse> {
        self.sessions
            .retain(|session| now.duration_since(session.used) <= SESSION_LIFE);
        let cookies = request.header("cookie").unwrap_or_default();
        let sent = cookies.split(';').find_map(|cookie| {
            let (name, value) = cookie.trim().split_once('=')?;
            (name == COOKIE).then_some(value)
        });
        let own = self
            .sessions
            .iter_mut()
            .find(|session| Some(session.id.as_str()) == sent && session.login == login);
        if let Some(session) = own {
            session.used = now;
            return Ok(None);
        }
        if self
            .switches
            .sessions_max
            .is_some_and(|limit| self.sessions.len() >= limit)
        {
            return Err(plain(503, "Too many sessions"));
        }
        let id = self.entropy.text(b"0123456789abcdef", 32);
        self.sessions.push(WebSession {
            id: id.clone(),
            login: login.to_owned(),
            used: now,
        });
        Ok(Some(format!("{COOKIE}={id}; Path=/; HttpOnly")))
    }

    /// How many sessions are open at the web server.
    pub fn open_sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Ends every session, as a restart does.
    pub fn drop_sessions(&mut self) {
        self.sessions.clear();
    }
}

struct Claims {
    issuer: String,
    subject: Option<String>,
    audience: String,
    issued: i64,
    expires: i64,
}

impl Claims {
    fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let head = decode(parts.next()?)?;
        let body = decode(parts.next()?)?;
        parts.next()?;
        if parts.next().is_some() || head.get("alg")?.as_str()? != "HS256" {
            return None;
        }
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            issuer: text("iss")?,
            subject: text("sub"),
            audience: text("aud")?,
            issued: body.get("iat")?.as_i64()?,
            expires: body.get("exp")?.as_i64()?,
        })
    }

    fn check(
        &self,
        token: &str,
        application: &ConnectedApplication,
        switches: &Switches,
        now: Timestamp,
    ) -> Result<(), u8> {
        let (signed, signature) = token.rsplit_once('.').ok_or(30)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| 50)?;
        if !signs(&application.secret, signed.as_bytes(), &signature) {
            return Err(50);
        }
        match &self.subject {
            None if switches.subject_required => return Err(42),
            // The case of the login matters (X3 2.2).
            Some(subject) if *subject != application.user => return Err(42),
            _ => {}
        }
        let audience = match switches.audience {
            Audience::RegisteredUrl => application.url.as_str(),
            Audience::Empty => "",
        };
        if self.audience != audience {
            return Err(45);
        }
        let now = now.as_second();
        if self.issued > now {
            return Err(21);
        }
        let longest = i64::try_from(application.validity.as_secs()).unwrap_or(i64::MAX);
        if self.expires <= now || self.expires - self.issued > longest {
            return Err(50);
        }
        Ok(())
    }
}

fn decode(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn signs(secret: &str, signed: &[u8], signature: &[u8]) -> bool {
    Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .is_ok_and(|mac| mac.chain_update(signed).verify_slice(signature).is_ok())
}

/// A token as a client or the gateway signs it: HS256.
pub(crate) fn sign(secret: &str, claims: &Value) -> String {
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let body = URL_SAFE_NO_PAD.encode(claims.to_string());
    let signed = format!("{head}.{body}");
    let signature = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .map(|mac| mac.chain_update(signed.as_bytes()).finalize().into_bytes())
        .unwrap_or_default();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A token for a connected application, as an administrator would make one to try it (X3 2.2).
pub fn connected_token(
    client_id: &str,
    application: &ConnectedApplication,
    audience: &str,
    now: Timestamp,
    life: Duration,
) -> String {
    let issued = now.as_second() - 30;
    let life = i64::try_from(life.as_secs()).unwrap_or(0);
    let claims = serde_json::json!({
        "iss": client_id,
        "sub": application.user,
        "aud": audience,
        "iat": issued,
        "exp": issued + life,
    });
    sign(&application.secret, &claims)
}
