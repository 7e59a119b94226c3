//! The invented systems, and the truth: what the ledger has really done.

use crate::definitions::NEW_REFERENCE;
use crate::weather::{Fate, Weather};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::http::{HttpRequest, HttpResponse, Method, SendError};
use ml_connector_core::protocol::percent_decode;
use ml_connector_simulators::entropy::Entropy;
use ml_connector_store::Delivery;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The ledger's password.
pub(crate) const PASSWORD: &str = "clerk-password";
/// How long the ledger takes to post a submitted batch.
const POSTING: SignedDuration = SignedDuration::from_secs(45);
/// Events on a page.
const PAGE: usize = 4;

/// An event of the hub.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) account: String,
    pub(crate) amount: i64,
    pub(crate) currency: &'static str,
    pub(crate) of: Option<String>,
    pub(crate) at: Timestamp,
    /// Whether a poll finds it. What is not listed is sent until it is acknowledged, and then never again.
    pub(crate) listed: bool,
}

impl Event {
    pub(crate) fn document(&self) -> Value {
        json!({
            "id": self.id, "at": self.at.to_string(), "kind": self.kind, "account": self.account,
            "amount": self.amount, "currency": self.currency, "of": self.of,
        })
    }
}

/// An entry in the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) number: i64,
    pub(crate) kind: String,
    pub(crate) reference: String,
    pub(crate) account: String,
    pub(crate) amount: String,
    pub(crate) currency: String,
    pub(crate) reverses: Option<i64>,
    /// For a batch: how often it was submitted and when it is posted.
    pub(crate) submitted: Option<Timestamp>,
}

impl Entry {
    /// The reference, as both versions of the definitions would write it.
    pub(crate) fn bare_reference(&self) -> String {
        self.reference.replace(NEW_REFERENCE, "")
    }

    /// Whether it is what a delivery posted the first time.
    pub(crate) fn is_of(&self, delivery: &Delivery) -> bool {
        let bare = self.bare_reference();
        match &delivery.progress.group {
            Some(group) => bare == format!("{}-{}", group.key, group.number),
            None => bare == delivery.event_id,
        }
    }
}

/// Both systems.
#[derive(Debug)]
pub(crate) struct Systems {
    pub(crate) entropy: Entropy,
    pub(crate) weather: Weather,
    pub(crate) hub_away: bool,
    pub(crate) events: Vec<Event>,
    pub(crate) entries: Vec<Entry>,
    keys: BTreeMap<String, i64>,
    /// Every state that was put, in order: account, event.
    pub(crate) states: Vec<(String, String)>,
    blocked: BTreeSet<String>,
    session: Option<String>,
    pub(crate) log_ons: u64,
    late: Vec<(Timestamp, HttpRequest)>,
    /// What no correct sender asks for.
    pub(crate) odd: Vec<String>,
    /// Requests so far.
    pub(crate) calls: u64,
}

impl Systems {
    pub(crate) fn new(seed: u64, weather: Weather) -> Self {
        Self {
            entropy: Entropy::new(seed ^ 0x5157_e115),
            weather,
            hub_away: false,
            events: Vec::new(),
            entries: Vec::new(),
            keys: BTreeMap::new(),
            states: Vec::new(),
            blocked: BTreeSet::new(),
            session: None,
            log_ons: 0,
            late: Vec::new(),
            odd: Vec::new(),
            calls: 0,
        }
    }

    /// Blocks or frees an account: the ledger's business error.
    pub(crate) fn block(&mut self, account: &str, blocked: bool) {
        if blocked {
            self.blocked.insert(account.to_owned());
        } else {
            self.blocked.remove(account);
        }
    }

    /// Carries out what arrived late and is due by now.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        let (due, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.late)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.late = waiting;
        for (at, request) in due {
            drop(self.ledger(&request, at));
        }
    }

    /// Whether something that was sent is still on its way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.late.is_empty()
    }

    /// What becomes of a request, and after how long. `None`: no answer will ever come.
    pub(crate) fn take(
        &mut self,
        request: &HttpRequest,
        now: Timestamp,
    ) -> (Duration, Result<HttpResponse, SendError>) {
        self.calls += 1;
        self.tick(now);
        let at_once = |answer| (Duration::ZERO, answer);
        if request.url.starts_with("http://payhub") {
            return at_once(if self.hub_away {
                Err(SendError::NotSent {
                    why: "nobody there".to_owned(),
                })
            } else {
                Ok(self.hub(request))
            });
        }
        let mut fate = self.weather.fate(&mut self.entropy);
        // Only what is found by its reference may be done later than a repetition of it: the look-up waits for that. A
        // system that recognises keys, or that a repetition does not hurt, promises nothing about the order of two.
        let looked_up = request.method == Method::Post && path(request) == "/entries";
        if matches!(fate, Fate::Late(_)) && !looked_up {
            fate = Fate::CutAfter;
        }
        let cut = |why: &str| {
            Err(SendError::Unknown {
                why: why.to_owned(),
            })
        };
        match fate {
            Fate::Answered(after) if after > request.timeout => {
                drop(self.ledger(request, now));
                (request.timeout, cut("no answer in time"))
            }
            Fate::Answered(after) => (after, Ok(self.ledger(request, now))),
            Fate::NotSent => at_once(Err(SendError::NotSent {
                why: "refused".to_owned(),
            })),
            Fate::CutBefore => at_once(cut("the connection was cut")),
            Fate::Silent => (request.timeout, cut("no answer in time")),
            Fate::CutAfter => {
                drop(self.ledger(request, now));
                at_once(cut("the connection was cut"))
            }
            Fate::Late(after) => {
                let after = SignedDuration::try_from(after).unwrap_or_default();
                self.late
                    .push((now.saturating_add(after).unwrap_or(now), request.clone()));
                at_once(cut("the connection was cut"))
            }
            Fate::Garbled => {
                let mut answer = self.ledger(request, now);
                answer.body = Bytes::from_static(b"{\"number\": 1");
                at_once(Ok(answer))
            }
            Fate::FailedAfter => {
                drop(self.ledger(request, now));
                at_once(Ok(reply(500, &json!({}))))
            }
            Fate::Busy => at_once(Ok(reply(503, &json!({})))),
            Fate::Throttled => {
                let mut answer = reply(429, &json!({}));
                answer
                    .headers
                    .push(("Retry-After".to_owned(), "7".to_owned()));
                at_once(Ok(answer))
            }
            Fate::SessionLost => {
                self.session = None;
                at_once(Ok(self.ledger(request, now)))
            }
        }
    }

    fn hub(&mut self, request: &HttpRequest) -> HttpResponse {
        match path(request).as_str() {
            "/ready" => reply(200, &json!({})),
            "/events" => {
                let since: Option<Timestamp> =
                    parameter(request, "since").and_then(|text| text.parse().ok());
                let Some(since) = since else {
                    return reply(422, &json!({ "error": "since" }));
                };
                let skip: usize = parameter(request, "after")
                    .and_then(|text| text.parse().ok())
                    .unwrap_or(0);
                let all: Vec<&Event> = self
                    .events
                    .iter()
                    .rev()
                    .filter(|event| event.listed && event.at >= since)
                    .collect();
                let page: Vec<Value> = all
                    .iter()
                    .skip(skip)
                    .take(PAGE)
                    .map(|event| event.document())
                    .collect();
                let next = (skip + PAGE < all.len()).then(|| (skip + PAGE).to_string());
                reply(200, &json!({ "events": page, "next": next }))
            }
            path => match path.strip_prefix("/accounts/") {
                Some(id) => reply(200, &json!({ "id": id, "name": format!("Owner of {id}") })),
                None => reply(404, &json!({})),
            },
        }
    }

    fn ledger(&mut self, request: &HttpRequest, now: Timestamp) -> HttpResponse {
        let path = path(request);
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match (request.method, path.as_str()) {
            (Method::Get, "/ready") => return reply(200, &json!({})),
            (Method::Post, "/logon") => {
                if body.get("password").and_then(Value::as_str) != Some(PASSWORD) {
                    return reply(403, &json!({}));
                }
                self.log_ons += 1;
                let session = format!("session-{}", self.log_ons);
                self.session = Some(session.clone());
                return reply(200, &json!({ "session": session }));
            }
            _ => {}
        }
        if self.session.is_none() || request.header("Session") != self.session.as_deref() {
            return reply(440, &json!({}));
        }
        match (request.method, path.as_str()) {
            (Method::Get, "/entries") => {
                let reference = parameter(request, "reference").unwrap_or_default();
                let found = self
                    .entries
                    .iter()
                    .filter(|entry| entry.reference == reference);
                let found: Vec<Value> = found
                    .map(|entry| json!({ "number": entry.number, "amount": entry.amount }))
                    .collect();
                reply(200, &json!({ "entries": found }))
            }
            (Method::Post, "/entries") => self.enter(&body),
            (Method::Post, "/keyed") => {
                let Some(key) = request.header("Idempotency-Key").map(str::to_owned) else {
                    return reply(400, &json!({}));
                };
                self.enter_once(key, &body)
            }
            // It knows what was put there, and nothing of what was posted.
            (Method::Put, path) if path.starts_with("/entries/") => {
                self.enter_once(path.to_owned(), &body)
            }
            (Method::Put, path) => {
                let account = path.trim_start_matches("/states/").to_owned();
                self.states.push((account, text(&body, "event")));
                reply(200, &json!({}))
            }
            (method, path) => self.batch(method, path, &body, now),
        }
    }

    /// Enters what was not entered under this key before.
    fn enter_once(&mut self, key: String, body: &Value) -> HttpResponse {
        if let Some(number) = self.keys.get(&key) {
            return reply(201, &json!({ "number": number }));
        }
        let answer = self.enter(body);
        if answer.status == 201
            && let Some(entry) = self.entries.last()
        {
            self.keys.insert(key, entry.number);
        }
        answer
    }

    fn enter(&mut self, body: &Value) -> HttpResponse {
        let account = text(body, "account");
        if self.blocked.contains(&account) {
            return reply(423, &json!({}));
        }
        let number = i64::try_from(self.entries.len()).unwrap_or_default() + 1;
        self.entries.push(Entry {
            number,
            kind: text(body, "kind"),
            reference: text(body, "reference"),
            account,
            amount: text(body, "amount"),
            currency: text(body, "currency"),
            reverses: body["reverses"].as_i64(),
            submitted: None,
        });
        reply(201, &json!({ "number": number }))
    }

    fn batch(&mut self, method: Method, path: &str, body: &Value, now: Timestamp) -> HttpResponse {
        let rest = path.trim_start_matches("/batches/");
        let (number, submit) = match rest.strip_suffix("/submit") {
            Some(number) => (number, true),
            None => (rest, false),
        };
        let number: Option<i64> = number.parse().ok();
        let entry = self
            .entries
            .iter_mut()
            .find(|entry| Some(entry.number) == number);
        let Some(entry) = entry else {
            return reply(404, &json!({}));
        };
        if submit && method == Method::Post {
            if text(body, "account") != entry.account || text(body, "amount") != entry.amount {
                self.odd.push(format!(
                    "{path} was asked for something else than was opened: {body}"
                ));
            }
            entry.submitted.get_or_insert(now);
            return reply(200, &json!({}));
        }
        let posted = entry
            .submitted
            .is_some_and(|at| now.duration_since(at) >= POSTING);
        let state = match (posted, entry.submitted) {
            (true, _) => "posted",
            (false, Some(_)) => "submitted",
            (false, None) => "open",
        };
        reply(200, &json!({ "state": state }))
    }
}

fn reply(status: u16, body: &Value) -> HttpResponse {
    HttpResponse {
        status,
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: Bytes::from(body.to_string()),
    }
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_default().to_owned()
}

fn path(request: &HttpRequest) -> String {
    let url = request.url_without_query();
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    path.find('/')
        .and_then(|at| path.get(at..))
        .unwrap_or_default()
        .to_owned()
}

fn parameter(request: &HttpRequest, name: &str) -> Option<String> {
    let (_, query) = request.url.split_once('?')?;
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key == name).then(|| percent_decode(value))
    })
}
