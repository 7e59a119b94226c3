//! The two invented systems in memory, with a script for what goes wrong.

use bytes::Bytes;
use ml_connector_core::http::{HttpRequest, HttpResponse, Method, SendError};
use serde_json::{Value as Document, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// What happens to the next request of a kind, instead of the usual.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// It does not leave the machine.
    NotSent,
    /// It is done, and the answer is lost.
    CutAfter,
    /// It is lost before anything is done.
    CutBefore,
    /// Nothing is done; this status comes back, with `Retry-After` if it is given.
    Status(u16, Option<u32>),
    /// Nothing is done until `release` is called; then as usual.
    Hang,
    /// It is done, and no answer ever comes.
    DoneAndSilent,
}

/// The ledger: receipts by reference, one session at a time.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    state: Mutex<LedgerState>,
    release: Notify,
}

#[derive(Debug, Default)]
pub(super) struct LedgerState {
    pub(super) password: String,
    pub(super) session: Option<String>,
    pub(super) log_ons: u32,
    pub(super) log_offs: u32,
    pub(super) receipts: Vec<Document>,
    /// Idempotency keys seen.
    pub(super) keys: Vec<String>,
    /// How far submitted receipts have come, by number.
    pub(super) states: BTreeMap<String, String>,
    /// What was asked, in order, e.g. `POST /receipts`.
    pub(super) calls: Vec<String>,
    /// Every request body and URL, for the search for what must not be there.
    faults: BTreeMap<String, VecDeque<Fault>>,
    /// Requests of any kind that are under way, and the most there ever were.
    pub(super) at_once: usize,
    pub(super) at_once_max: usize,
}

impl Ledger {
    pub(super) fn new(password: &str) -> Arc<Self> {
        let ledger = Self::default();
        ledger.state().password = password.to_owned();
        Arc::new(ledger)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, LedgerState> {
        self.state.lock().unwrap()
    }

    /// The next requests `what` (e.g. `POST /receipts`) meet these faults, one each.
    pub(super) fn fail(&self, what: &str, faults: &[Fault]) {
        self.state()
            .faults
            .entry(what.to_owned())
            .or_default()
            .extend(faults.iter().cloned());
    }

    /// Lets everything go on that hangs.
    pub(super) fn release(&self) {
        self.release.notify_waiters();
    }

    pub(super) fn count(&self, what: &str) -> usize {
        self.state()
            .calls
            .iter()
            .filter(|call| *call == what)
            .count()
    }

    pub(super) fn posted(&self) -> Vec<String> {
        let state = self.state();
        state
            .receipts
            .iter()
            .map(|receipt| receipt["reference"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(super) async fn answer(
        self: Arc<Self>,
        request: HttpRequest,
    ) -> Result<HttpResponse, SendError> {
        let path = path(&request).to_owned();
        let what = format!("{} {}", request.method.as_str(), path);
        let fault = {
            let mut state = self.state();
            state.calls.push(what.clone());
            state.at_once += 1;
            state.at_once_max = state.at_once_max.max(state.at_once);
            state.faults.get_mut(&what).and_then(VecDeque::pop_front)
        };
        if let Some(Fault::Hang) = fault {
            self.release.notified().await;
        }
        if let Some(Fault::DoneAndSilent) = fault {
            self.state().act(&what, &request);
            return std::future::pending().await;
        }
        let mut state = self.state();
        state.at_once -= 1;
        let cut = || SendError::Unknown {
            why: "connection cut".to_owned(),
        };
        match fault {
            Some(Fault::NotSent) => Err(SendError::NotSent {
                why: "connection refused".to_owned(),
            }),
            Some(Fault::CutBefore) => Err(cut()),
            Some(Fault::Status(status, wait)) => Ok(with_wait(status, wait)),
            Some(Fault::CutAfter) => {
                state.act(&what, &request);
                Err(cut())
            }
            Some(Fault::Hang | Fault::DoneAndSilent) | None => Ok(state.act(&what, &request)),
        }
    }
}

impl LedgerState {
    fn act(&mut self, what: &str, request: &HttpRequest) -> HttpResponse {
        let given = request.header("X-Session");
        let in_session = given.is_some() && given == self.session.as_deref();
        match what {
            "GET /version" => reply(200, &json!({ "version": "1.2" })),
            "POST /logon" => {
                let body = body(request);
                if body["password"] != self.password.as_str() {
                    return reply(403, &json!({ "error": "no" }));
                }
                self.log_ons += 1;
                let session = format!(
                    "session-{}-of-{}",
                    self.log_ons,
                    body["user"].as_str().unwrap()
                );
                self.session = Some(session.clone());
                reply(200, &json!({ "session": session }))
            }
            "POST /logoff" if in_session => {
                self.session = None;
                self.log_offs += 1;
                reply(200, &json!({}))
            }
            _ if !in_session => reply(440, &json!({ "error": "no session" })),
            "POST /receipts" => {
                let mut receipt = body(request);
                if let Some(key) = request.header("Idempotency-Key") {
                    if self.keys.iter().any(|known| known == key) {
                        return reply(409, &json!({ "reference": receipt["reference"] }));
                    }
                    self.keys.push(key.to_owned());
                }
                let number = format!("R{}", self.receipts.len() + 1);
                receipt["number"] = number.clone().into();
                self.receipts.push(receipt);
                reply(201, &json!({ "number": number }))
            }
            "GET /receipts" => {
                let wanted = query(request, "reference");
                let found: Vec<&Document> = self
                    .receipts
                    .iter()
                    .filter(|receipt| receipt["reference"] == wanted.as_str())
                    .collect();
                reply(200, &json!({ "receipts": found }))
            }
            _ => self.steps(what),
        }
    }

    fn steps(&mut self, what: &str) -> HttpResponse {
        let parts: Vec<&str> = what.split('/').collect();
        match parts.as_slice() {
            ["POST ", "receipts", number, "submit"] => {
                self.states
                    .insert((*number).to_owned(), "submitted".to_owned());
                reply(200, &json!({}))
            }
            ["GET ", "receipts", number, "state"] => match self.states.get(*number) {
                Some(state) => reply(200, &json!({ "state": state })),
                None => reply(404, &json!({})),
            },
            _ => reply(404, &json!({})),
        }
    }
}

/// The payment service: payments by id, events in a list.
#[derive(Debug, Default)]
pub(super) struct Payments {
    state: Mutex<PaymentsState>,
    release: Notify,
    tokens: Arc<Mutex<Vec<String>>>,
}

#[derive(Debug, Default)]
pub(super) struct PaymentsState {
    pub(super) payments: BTreeMap<String, Document>,
    /// Newest first, as such services list them.
    pub(super) events: Vec<Document>,
    pub(super) page_size: usize,
    pub(super) faults: BTreeMap<String, VecDeque<Fault>>,
    pub(super) calls: Vec<String>,
    /// Nothing is answered until `release` is called.
    pub(super) hang: bool,
    /// The list request that asks for items from here on meets this fault, once.
    pub(super) page_fault: Option<(usize, Fault)>,
    /// Requests refused for their token.
    pub(super) rejected: u32,
    /// The bearer token that is good at the moment.
    pub(super) good: String,
    /// Tokens issued, and what each was asked with.
    pub(super) issued: Vec<String>,
    /// The refresh token that comes with the next access token.
    pub(super) rotate_to: Option<String>,
    /// What each list request asked for.
    pub(super) since: Vec<String>,
}

impl Payments {
    pub(super) fn new() -> Arc<Self> {
        let payments = Self::default();
        payments.state().page_size = 2;
        payments.state().good = "pay-token-1234".to_owned();
        Arc::new(payments)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, PaymentsState> {
        self.state.lock().unwrap()
    }

    /// The bearer tokens that came, in order.
    pub(super) fn seen_tokens(&self) -> Arc<Mutex<Vec<String>>> {
        Arc::clone(&self.tokens)
    }

    pub(super) fn pay(&self, id: &str, amount: u64, customer: &str) {
        let payment =
            json!({ "id": id, "amount": amount, "currency": "GBP", "customer": customer });
        self.state().payments.insert(id.to_owned(), payment);
    }

    pub(super) fn fail(&self, what: &str, faults: &[Fault]) {
        self.state()
            .faults
            .entry(what.to_owned())
            .or_default()
            .extend(faults.iter().cloned());
    }

    /// Answers what hangs.
    pub(super) fn release(&self) {
        self.release.notify_waiters();
    }

    pub(super) fn count(&self, what: &str) -> usize {
        self.state()
            .calls
            .iter()
            .filter(|call| *call == what)
            .count()
    }

    pub(super) async fn answer_in_time(
        self: Arc<Self>,
        request: HttpRequest,
    ) -> Result<HttpResponse, SendError> {
        let released = self.release.notified();
        let answer = self.answer(&request);
        let hang = self.state().hang;
        if hang {
            released.await;
        }
        answer
    }

    fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, SendError> {
        let path = path(request).to_owned();
        let mut state = self.state();
        let what = format!("{} {path}", request.method.as_str());
        state.calls.push(what.clone());
        let fault = state.faults.get_mut(&what).and_then(VecDeque::pop_front);
        match fault {
            Some(Fault::NotSent) => {
                return Err(SendError::NotSent {
                    why: "refused".to_owned(),
                });
            }
            Some(Fault::Status(status, wait)) => return Ok(with_wait(status, wait)),
            Some(Fault::CutAfter | Fault::CutBefore | Fault::Hang | Fault::DoneAndSilent) => {
                return Err(SendError::Unknown {
                    why: "cut".to_owned(),
                });
            }
            None => {}
        }
        if path == "/token" {
            return Ok(state.issue(request));
        }
        assert_eq!(request.method, Method::Get);
        if path == "/version" {
            return Ok(reply(200, &json!({})));
        }
        let bearer = request
            .header("authorization")
            .and_then(|field| field.strip_prefix("Bearer "));
        self.tokens
            .lock()
            .unwrap()
            .extend(bearer.map(str::to_owned));
        if request.header("authorization") != Some(&format!("Bearer {}", state.good)) {
            state.rejected += 1;
            return Ok(reply(401, &json!({})));
        }
        if let Some(id) = path.strip_prefix("/payments/") {
            return Ok(match state.payments.get(id) {
                Some(payment) => reply(200, payment),
                None => reply(404, &json!({})),
            });
        }
        assert_eq!(path, "/events");
        let since = query(request, "since");
        let from = query(request, "after").parse::<usize>().unwrap_or(0);
        if let Some((_, Fault::Status(status, wait))) =
            state.page_fault.take_if(|(page, _)| *page == from)
        {
            return Ok(with_wait(status, wait));
        }
        state.since.push(since.clone());
        let size = state.page_size;
        let listed: Vec<&Document> = state
            .events
            .iter()
            .filter(|event| event["at"].as_str().unwrap() >= since.as_str())
            .collect();
        let page: Vec<&&Document> = listed.iter().skip(from).take(size).collect();
        let next = (from + size < listed.len()).then(|| (from + size).to_string());
        Ok(reply(200, &json!({ "events": page, "next": next })))
    }
}

impl PaymentsState {
    fn issue(&mut self, request: &HttpRequest) -> HttpResponse {
        self.issued
            .push(String::from_utf8(request.body.to_vec()).unwrap());
        self.good = format!("issued-token-{}", self.issued.len());
        let mut answer =
            json!({ "access_token": self.good, "expires_in": 600, "token_type": "bearer" });
        if let Some(next) = &self.rotate_to {
            answer["refresh_token"] = next.clone().into();
        }
        // Asked in JSON it answers in its own words: other names, and a lifetime in text.
        if request.body.starts_with(b"{") {
            let refresh = answer["refresh_token"].take();
            answer =
                json!({ "accessToken": self.good, "expires_in": "600", "refreshToken": refresh });
        }
        reply(200, &answer)
    }
}

fn path(request: &HttpRequest) -> &str {
    let rest = request.url_without_query().split_once("://").unwrap().1;
    rest.find('/').map_or("/", |at| &rest[at..])
}

fn query(request: &HttpRequest, name: &str) -> String {
    let query = request.url.split_once('?').map_or("", |(_, query)| query);
    let value = query
        .split('&')
        .find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    let value = value.unwrap_or_default();
    value
        .replace("%3A", ":")
        .replace("%2B", "+")
        .replace("%2F", "/")
}

fn body(request: &HttpRequest) -> Document {
    serde_json::from_slice(&request.body).unwrap()
}

fn reply(status: u16, body: &Document) -> HttpResponse {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    HttpResponse {
        status,
        headers,
        body: Bytes::from(body.to_string()),
    }
}

fn with_wait(status: u16, wait: Option<u32>) -> HttpResponse {
    let mut response = reply(status, &json!({ "error": "scripted" }));
    if let Some(wait) = wait {
        response
            .headers
            .push(("Retry-After".to_owned(), wait.to_string()));
    }
    response
}
