//! Users, sessions and the application context of a call (EB 2).

use super::answer::{Refusal, html};
use super::input::Header;
use super::settings::Expired;
use super::tables::OrgId;
use super::{Scope, Simulator};
use crate::wire;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ml_connector_core::http::{HttpRequest, HttpResponse, Method};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// A session that a login has opened.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) token: String,
    pub(super) user: String,
    pub(super) started: Timestamp,
    pub(super) used: Timestamp,
    /// Sticky: reused by calls that name less (EB 2.4).
    pub(super) header: Header,
    pub(super) orgs: BTreeSet<OrgId>,
}

/// Who calls.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) user: String,
    /// Place of the session, if the call came with a token.
    pub(super) session: Option<usize>,
}

/// Why nobody may call.
pub(super) enum Denied {
    /// Wrong or missing credentials.
    Fault(Refusal),
    /// The session is over.
    Ended,
}

const LANGUAGES: [&str; 6] = [
    "AMERICAN",
    "ENGLISH",
    "GERMAN",
    "FRENCH",
    "NORWEGIAN",
    "SIMPLIFIED CHINESE",
];

impl Simulator {
    /// Checks credentials, a token before a password.
    pub(super) fn caller(
        &mut self,
        request: &HttpRequest,
        now: Timestamp,
    ) -> Result<Caller, Denied> {
        if let Some(token) = self.cookie(request) {
            let idle = seconds(self.settings.idle);
            let life = seconds(self.settings.session_max);
            let at = self.sessions.iter().position(|session| {
                session.token == token
                    && now.duration_since(session.used) <= idle
                    && now.duration_since(session.started) <= life
            });
            let session = at.and_then(|at| Some((at, self.sessions.get_mut(at)?)));
            let (at, session) = session.ok_or(Denied::Ended)?;
            session.used = now;
            return Ok(Caller {
                user: session.user.clone(),
                session: Some(at),
            });
        }
        self.password(request).map(|user| Caller {
            user,
            session: None,
        })
    }

    /// Checks user and password; several wrong ones in a row lock the user (EB 2.1).
    fn password(&mut self, request: &HttpRequest) -> Result<String, Denied> {
        let wrong = || {
            let text = "Invalid user name or password";
            Denied::Fault(Refusal::new(401, "FND_SOA_AUTHENTICATION_FAILURE", text))
        };
        let header = request.header("authorization").ok_or_else(wrong)?;
        let encoded = header.strip_prefix("Basic ").ok_or_else(wrong)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| wrong())?;
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        let (name, password) = text.split_once(':').ok_or_else(wrong)?;
        let limit = self.settings.lock_after;
        let user = self.users.get_mut(name).ok_or_else(wrong)?;
        if limit.is_some_and(|limit| user.failures >= limit) {
            return Err(wrong());
        }
        if user.password != password {
            user.failures += 1;
            return Err(wrong());
        }
        user.failures = 0;
        Ok(name.to_owned())
    }

    fn cookie(&self, request: &HttpRequest) -> Option<String> {
        let header = request.header("cookie")?;
        header.split(';').find_map(|part| {
            let (name, value) = part.trim().split_once('=')?;
            (name == self.settings.cookie).then(|| value.to_owned())
        })
    }

    /// What a caller without rights sees.
    pub(super) fn denied(&self, denied: &Denied, service: &str, operation: &str) -> HttpResponse {
        match (denied, self.switches.expired) {
            (Denied::Fault(refusal), _) => refusal.response(service, operation),
            (Denied::Ended, Expired::Unauthorized) => {
                let text = "The session has expired";
                Refusal::new(401, "FND_SOA_AUTHENTICATION_FAILURE", text)
                    .response(service, operation)
            }
            (Denied::Ended, Expired::LoginPage) => html(200, "Login"),
            (Denied::Ended, Expired::Redirect) => {
                let mut response = html(302, "Found");
                let place = "/OA_HTML/AppsLocalLogin.jsp".to_owned();
                response.headers.push(("Location".to_owned(), place));
                response
            }
        }
    }

    /// login, logout, initialize: granted to every user (EB 2.2).
    pub(super) fn security(
        &mut self,
        operation: &str,
        request: &HttpRequest,
        now: Timestamp,
    ) -> HttpResponse {
        let wanted = if operation == "initialize" {
            Method::Post
        } else {
            Method::Get
        };
        if request.method != wanted {
            return html(405, "Method Not Allowed");
        }
        match operation {
            "login" => match self.password(request) {
                Ok(user) => self.open_session(user, now),
                Err(denied) => self.denied(&denied, "login", operation),
            },
            _ => match self.caller(request, now) {
                Ok(Caller {
                    session: Some(at), ..
                }) if operation == "logout" => {
                    self.sessions.remove(at);
                    wire::response(
                        200,
                        "application/json",
                        r#"{"data":{"result":"logged out"}}"#,
                    )
                }
                Ok(caller) => self.initialize(request, &caller),
                Err(denied) => self.denied(&denied, operation, operation),
            },
        }
    }

    fn open_session(&mut self, user: String, now: Timestamp) -> HttpResponse {
        const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz0123456789";
        let token = self.entropy.text(LETTERS, 24);
        let data = json!({
            "accessToken": token,
            "accessTokenName": self.settings.cookie,
            "ebsVersion": "12.2.11",
            "userName": user,
        });
        let body = if self.switches.nested_token {
            json!({ "response": { "data": data } })
        } else {
            json!({ "data": data })
        };
        let mut response = wire::response(200, "application/json", body.to_string());
        let cookie = format!("{}={token}; Path=/; HttpOnly", self.settings.cookie);
        response.headers.push(("Set-Cookie".to_owned(), cookie));
        self.logins += 1;
        self.sessions.push(Session {
            token,
            user,
            started: now,
            used: now,
            header: Header::default(),
            orgs: BTreeSet::new(),
        });
        response
    }

    /// Sets the context of a session by keys; needs a token (EB 2.2).
    fn initialize(&mut self, request: &HttpRequest, caller: &Caller) -> HttpResponse {
        let refused = |text: &str| {
            Refusal::new(500, "ISG_SERVICE_EXECUTION_ERROR", text)
                .response("initialize", "initialize")
        };
        let Some(at) = caller.session else {
            return refused("initialize needs a security token");
        };
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
            return refused("The payload is not JSON");
        };
        let text = |pointer: &str| match body.pointer(pointer) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let header = Header {
            responsibility: text("/data/resp/key"),
            application: text("/data/resp/applKey"),
            security_group: text("/data/securityGroup/key"),
            language: None,
            org: text("/data/org/id"),
        };
        if let Err(refusal) = self.scope(&header, caller) {
            return refusal.response("initialize", "initialize");
        }
        if let Some(session) = self.sessions.get_mut(at) {
            session.header = header;
        }
        wire::response(
            200,
            "application/json",
            r#"{"data":{"result":"initialized"}}"#,
        )
    }

    /// The context of a call: what it names, for a token completed by what its session remembers (EB 2.4).
    pub(super) fn scope(&mut self, named: &Header, caller: &Caller) -> Result<Scope, Refusal> {
        let sticky = caller
            .session
            .and_then(|at| self.sessions.get(at))
            .map(|session| session.header.clone())
            .unwrap_or_default();
        let header = Header {
            responsibility: named.responsibility.clone().or(sticky.responsibility),
            application: named.application.clone().or(sticky.application),
            security_group: named.security_group.clone().or(sticky.security_group),
            language: named.language.clone().or(sticky.language),
            org: named.org.clone().or(sticky.org),
        };
        let refuse = |text: String| Err(Refusal::execution(&self.switches, text));
        let language = header
            .language
            .clone()
            .unwrap_or_else(|| "AMERICAN".to_owned());
        if !LANGUAGES.contains(&language.as_str()) {
            return refuse(format!("NLS language {language} is not installed"));
        }
        if header
            .security_group
            .as_deref()
            .is_some_and(|own| own != "STANDARD")
        {
            return refuse("Security group is not valid".to_owned());
        }
        let Some(key) = &header.responsibility else {
            return Ok(Scope {
                org: None,
                several_orgs: false,
                language,
            });
        };
        let assigned = self
            .users
            .get(&caller.user)
            .is_some_and(|user| user.responsibilities.contains(key));
        let found = self
            .responsibilities
            .iter()
            .find(|own| own.key == *key && header.application.as_deref() == Some(&own.application));
        let Some(responsibility) = found.filter(|_| assigned) else {
            return refuse(format!("Responsibility {key} is not valid for the user"));
        };
        let default = responsibility.orgs.first().copied();
        let org = match header.org.as_deref().map(str::parse::<OrgId>) {
            None => default,
            Some(Ok(org)) if responsibility.orgs.contains(&org) => Some(org),
            Some(_) if self.switches.foreign_org_ignored => default,
            Some(_) => return refuse("The operating unit is not accessible".to_owned()),
        };
        let mut several_orgs = false;
        if let Some(session) = caller.session.and_then(|at| self.sessions.get_mut(at)) {
            session.header = header;
            session.orgs.extend(org);
            several_orgs = session.orgs.len() > 1;
        }
        Ok(Scope {
            org,
            several_orgs,
            language,
        })
    }
}

fn seconds(duration: Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX)
}
