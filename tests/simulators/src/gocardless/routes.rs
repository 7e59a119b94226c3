//! From a request to its handler: paths, methods, envelopes, idempotency (GC 1.1, 2.0, 6).

use super::admission::{Rate, check_headers};
use super::calendar::{after_secs, http_date};
use super::error::Refusal;
use super::faults::Fault;
use super::fields::{self, Field};
use super::kind::Kind;
use super::list::Page;
use super::settings::Access;
use super::spec::{self, Spec};
use super::store::Record;
use super::{Simulator, billing};
use crate::wire::{self, Target};
use jiff::Timestamp;
use ml_connector_core::http::{HttpRequest, HttpResponse, Method};
use serde_json::{Value, json};

/// The odd envelope (GC 1.1).
const CREATE_WITH_ACTIONS: &str = "create_with_actions";

/// What a handler gives back.
pub(crate) struct Done {
    pub(crate) status: u16,
    pub(crate) body: Option<Value>,
}

impl Done {
    fn ok(body: Value) -> Self {
        Self {
            status: 200,
            body: Some(body),
        }
    }
}

/// A call that was let in.
struct Call<'a> {
    kind: Kind,
    spec: Spec,
    target: &'a Target,
    request: &'a HttpRequest,
    token: &'a str,
    now: Timestamp,
}

impl Simulator {
    /// Carries out a call without any fault.
    pub(crate) fn answer(&mut self, request: &HttpRequest, now: Timestamp) -> HttpResponse {
        let mut rate = None;
        let outcome = self.perform(request, now, &mut rate);
        let request_id = self.request_id();
        let (status, body) = match outcome {
            Ok(done) => (done.status, done.body),
            Err(refusal) => (refusal.status, Some(refusal.body(&request_id))),
        };
        Self::dress(status, body.as_ref(), rate.as_ref(), &request_id)
    }

    fn dress(
        status: u16,
        body: Option<&Value>,
        rate: Option<&Rate>,
        request_id: &str,
    ) -> HttpResponse {
        let mut response = match body {
            Some(body) => wire::response(status, "application/json", body.to_string()),
            None => HttpResponse {
                status,
                headers: Vec::new(),
                body: bytes::Bytes::new(),
            },
        };
        let mut header =
            |name: &str, value: String| response.headers.push((name.to_owned(), value));
        header("x-request-id", request_id.to_owned());
        if let Some(rate) = rate {
            header("RateLimit-Limit", rate.limit.to_string());
            header("RateLimit-Remaining", rate.remaining.to_string());
            header("RateLimit-Reset", rate.reset.clone());
        }
        response
    }

    fn request_id(&mut self) -> String {
        let (high, low) = (self.entropy.next_u64(), self.entropy.next_u64());
        let hex = format!("{high:016x}{low:016x}");
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        [
            part(0, 8),
            part(8, 12),
            part(12, 16),
            part(16, 20),
            part(20, 32),
        ]
        .join("-")
    }

    fn perform(
        &mut self,
        request: &HttpRequest,
        now: Timestamp,
        rate: &mut Option<Rate>,
    ) -> Result<Done, Refusal> {
        let target = Target::parse(&request.url, true)
            .ok_or_else(|| Refusal::usage(400, "bad_request", "The address is broken"))?;
        let kind = target.segments.first().and_then(|name| Kind::of(name));
        let (token, access) = self.authenticate(request)?;
        let counted = self.rate(&token, kind, now);
        let exceeded = counted.exceeded;
        *rate = Some(counted);
        if exceeded {
            return Err(Refusal::usage(
                429,
                "rate_limit_exceeded",
                "Rate limit exceeded",
            ));
        }
        check_headers(request)?;
        let kind = kind.ok_or_else(path_not_found)?;
        if kind == Kind::ScenarioSimulators && !self.settings.sandbox {
            return Err(path_not_found());
        }
        let call = Call {
            kind,
            spec: spec::of(kind),
            target: &target,
            request,
            token: &token,
            now,
        };
        call.check_method()?;
        if access == Access::ReadOnly && request.method != Method::Get {
            return Err(Refusal::usage(
                403,
                "insufficient_permissions",
                "The access token may only read",
            ));
        }
        self.route(&call)
    }

    fn route(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let plural = call.kind.plural();
        match (call.request.method, call.segments()) {
            (Method::Get, [_]) => {
                let page = Page::parse(call.kind, &call.target.query)?;
                let body = if call.kind == Kind::PayoutItems {
                    self.list_payout_items(&page, call.now)?
                } else if call.kind == Kind::Balances {
                    self.list_balances(&page, call.now)
                } else {
                    self.list(call.kind, &page, call.now)?
                };
                Ok(Done::ok(body))
            }
            (Method::Get, [_, id]) => {
                let row = self.found(call.kind, id, call.now)?;
                Ok(Done::ok(json!({ plural: row })))
            }
            (Method::Post, [_, last]) if *last == CREATE_WITH_ACTIONS => {
                let at = "/billing_request_with_actions";
                self.creating(
                    call,
                    "billing_request_with_actions",
                    |simulator, body, now| {
                        simulator.create_billing_request_with_actions(body, at, now)
                    },
                )
            }
            (Method::Post, [_]) => {
                let members = call.spec.create.unwrap_or(&[]);
                let kind = call.kind;
                self.creating(call, plural, |simulator, body, now| {
                    let body = fields::check(members, body, &format!("/{plural}"))?;
                    simulator.create(kind, &body, now)
                })
            }
            (Method::Put, [_, id]) => {
                self.found(call.kind, id, call.now)?;
                let body = envelope(&call.document()?, plural)?;
                let members = call.spec.update.unwrap_or(&[]);
                let body = fields::check(members, &body, &format!("/{plural}"))?;
                let row = self.update(call.kind, id, &body, call.now)?;
                Ok(Done::ok(json!({ plural: row })))
            }
            (Method::Delete, [_, id]) => {
                self.found(call.kind, id, call.now)?;
                self.remove_customer(id, call.now);
                Ok(Done {
                    status: 204,
                    body: None,
                })
            }
            (Method::Post, [_, id, _, action]) => self.acting(call, id, action),
            _ => Err(path_not_found()),
        }
    }

    /// A create: used key first, then the document; only a success uses the key up (GC 6).
    fn creating(
        &mut self,
        call: &Call<'_>,
        envelope_key: &str,
        create: impl FnOnce(&mut Self, &Record, Timestamp) -> Result<Record, Refusal>,
    ) -> Result<Done, Refusal> {
        let key = match call.request.header("idempotency-key") {
            Some(key) if key.len() > self.settings.idempotency_key_max => {
                return Err(Refusal::usage(
                    400,
                    "idempotency_key_too_long",
                    "The idempotency key is too long",
                ));
            }
            Some(key) => Some((call.token.to_owned(), call.path(), key.to_owned())),
            None => None,
        };
        if let Some((id, at)) = key.as_ref().and_then(|key| self.idempotency.get(key)) {
            let life = i64::try_from(self.settings.idempotency_life.as_secs()).unwrap_or(i64::MAX);
            if after_secs(*at, life) > call.now {
                return Err(Refusal::idempotent_conflict(id));
            }
        }
        let body = envelope(&call.document()?, envelope_key)?;
        let record = create(self, &body, call.now)?;
        if let Some(key) = key {
            self.idempotency
                .insert(key, (billing::id_of(&record), call.now));
        }
        Ok(Done {
            status: 201,
            body: Some(json!({ envelope_key: record })),
        })
    }

    fn acting(&mut self, call: &Call<'_>, id: &str, name: &str) -> Result<Done, Refusal> {
        let plural = call.kind.plural();
        let members: &[Field] = call
            .spec
            .actions
            .iter()
            .find(|action| action.name == name)
            .map(|action| action.fields)
            .ok_or_else(path_not_found)?;
        if call.kind != Kind::ScenarioSimulators {
            self.found(call.kind, id, call.now)?;
        }
        let body = if call.request.body.is_empty() {
            Record::new()
        } else {
            envelope(&call.document()?, "data")?
        };
        let body = fields::check(members, &body, "/data")?;
        let row = self.act(call.kind, id, name, &body, call.now)?;
        Ok(Done::ok(json!({ plural: row })))
    }

    /// A resource that exists and was not removed.
    pub(crate) fn found(&self, kind: Kind, id: &str, now: Timestamp) -> Result<Record, Refusal> {
        let row = self.store.get(kind, id).ok_or_else(Refusal::not_found)?;
        if row.removed {
            // GC 2.1 gives the reason and leaves the status open; 410 says that it was there and is gone.
            return Err(Refusal::usage(
                410,
                "customer_data_removed",
                "The customer was removed",
            ));
        }
        if kind == Kind::Events && !self.event_visible(row, now) {
            return Err(Refusal::not_found());
        }
        Ok(row.body.clone())
    }

    fn create(&mut self, kind: Kind, body: &Record, now: Timestamp) -> Result<Record, Refusal> {
        match kind {
            Kind::Customers => self.create_customer(body, now),
            Kind::CustomerBankAccounts => self.create_customer_bank_account(body, now),
            Kind::CreditorBankAccounts => self.create_creditor_bank_account(body, now),
            Kind::Mandates => self.create_mandate_by_api(body, now),
            Kind::Subscriptions => self.create_subscription(body, now),
            Kind::Payments => self.create_payment(body, now),
            Kind::Refunds => self.create_refund(body, now),
            Kind::BillingRequests => self.create_billing_request(body, "/billing_requests", now),
            Kind::BillingRequestFlows => self.create_billing_request_flow(body, now),
            Kind::InstalmentSchedules => self.create_instalment_schedule(body, now),
            // Restricted to some partners (GC 2.0).
            Kind::Creditors => Err(Refusal::usage(
                403,
                "forbidden",
                "Creditors are made in the dashboard",
            )),
            Kind::Payouts
            | Kind::PayoutItems
            | Kind::Events
            | Kind::TaxRates
            | Kind::Webhooks
            | Kind::Balances
            | Kind::ScenarioSimulators => Err(method_not_allowed()),
        }
    }

    /// Sets the given members. Metadata is replaced as a whole: whether the vendor merges is unverified (GC 1.3), and
    /// a client that sends the merged whole is right either way.
    fn update(
        &mut self,
        kind: Kind,
        id: &str,
        body: &Record,
        now: Timestamp,
    ) -> Result<Record, Refusal> {
        if kind == Kind::Subscriptions {
            self.check_subscription_update(id, body)?;
        } else if kind == Kind::Customers {
            self.check_customer_update(id, body)?;
        }
        let row = self
            .store
            .get_mut(kind, id)
            .ok_or_else(Refusal::not_found)?;
        for (name, value) in body {
            row.body.insert(name.clone(), value.clone());
        }
        let record = row.body.clone();
        if kind == Kind::Subscriptions {
            self.subscription_amended(id, now);
        }
        Ok(record)
    }

    fn act(
        &mut self,
        kind: Kind,
        id: &str,
        name: &str,
        body: &Record,
        now: Timestamp,
    ) -> Result<Record, Refusal> {
        match kind {
            Kind::Payments => self.act_on_payment(id, name, body, now)?,
            Kind::Mandates => self.act_on_mandate(id, name, body, now)?,
            Kind::Subscriptions => self.act_on_subscription(id, name, body, now)?,
            Kind::InstalmentSchedules => self.cancel_instalment_schedule(id, body, now)?,
            Kind::CustomerBankAccounts => self.disable_customer_bank_account(id, now)?,
            Kind::CreditorBankAccounts => self.disable_creditor_bank_account(id)?,
            Kind::BillingRequests => self.act_on_billing_request(id, name, body, now)?,
            Kind::BillingRequestFlows => {}
            Kind::Webhooks => self.retry_webhook(id, now)?,
            Kind::ScenarioSimulators => return self.run_scenario(id, body, now),
            Kind::Customers
            | Kind::Creditors
            | Kind::Refunds
            | Kind::Payouts
            | Kind::PayoutItems
            | Kind::Events
            | Kind::TaxRates
            | Kind::Balances => return Err(path_not_found()),
        }
        self.found(kind, id, now)
    }

    /// The fault planned for a call, if any.
    pub(crate) fn fault_for(&mut self, request: &HttpRequest) -> Option<Fault> {
        let target = Target::parse(&request.url, true)?;
        let kind = target.segments.first().and_then(|name| Kind::of(name));
        let segments = target.segments.len();
        self.faults
            .take(|on| on.covers(request.method, kind, segments))
    }

    /// The answer of a fault that replaces the call (GC 5, GC 5.1).
    pub(crate) fn faulty_answer(&mut self, fault: &Fault, now: Timestamp) -> HttpResponse {
        let request_id = self.request_id();
        match fault {
            Fault::RateLimited { reset_in } => {
                let reset = now.checked_add(*reset_in).unwrap_or(Timestamp::MAX);
                let limit = self.settings.calls_per_minute;
                let rate = Rate {
                    limit,
                    remaining: 0,
                    reset: http_date(reset),
                    exceeded: true,
                };
                let refusal = Refusal::usage(429, "rate_limit_exceeded", "Rate limit exceeded");
                Self::dress(
                    429,
                    Some(&refusal.body(&request_id)),
                    Some(&rate),
                    &request_id,
                )
            }
            Fault::InternalError => {
                let refusal =
                    Refusal::vendor(500, "internal_server_error", "Internal server error");
                Self::dress(500, Some(&refusal.body(&request_id)), None, &request_id)
            }
            Fault::BadGateway => wire::response(
                502,
                "text/html",
                "<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>",
            ),
            Fault::BareError { status, text } => {
                Self::dress(*status, Some(&json!({ "error": text })), None, &request_id)
            }
            Fault::Unavailable
            | Fault::DropBefore
            | Fault::DropAfter
            | Fault::Slow { .. }
            | Fault::Truncate { .. } => Self::dress(503, None, None, &request_id),
        }
    }
}

impl Call<'_> {
    fn segments(&self) -> &[String] {
        &self.target.segments
    }

    fn path(&self) -> String {
        self.segments().join("/")
    }

    /// 404 for a path that does not exist, 405 for one that exists under another method (GC 5).
    fn check_method(&self) -> Result<(), Refusal> {
        let method = self.request.method;
        let offered = match self.segments() {
            [_] => match method {
                Method::Get => self.spec.list.is_some(),
                Method::Post => self.spec.create.is_some(),
                Method::Put | Method::Patch | Method::Delete => false,
            },
            [kind, last] if kind == "billing_requests" && last == CREATE_WITH_ACTIONS => {
                method == Method::Post
            }
            [_, _] => match method {
                Method::Get => self.spec.get,
                Method::Put => self.spec.update.is_some(),
                Method::Delete => self.kind == Kind::Customers,
                Method::Post | Method::Patch => false,
            },
            [_, _, actions, name] if actions == "actions" => {
                if !self.spec.actions.iter().any(|action| action.name == name) {
                    return Err(path_not_found());
                }
                method == Method::Post
            }
            _ => return Err(path_not_found()),
        };
        if offered {
            Ok(())
        } else {
            Err(method_not_allowed())
        }
    }

    fn document(&self) -> Result<Record, Refusal> {
        match serde_json::from_slice(&self.request.body) {
            Ok(Value::Object(document)) => Ok(document),
            Ok(_) => Err(Refusal::structure("The body must be an object")),
            Err(_) => Err(Refusal::usage(400, "bad_request", "The body is not JSON")),
        }
    }
}

/// The one member of the envelope, an object (GC 1.1).
fn envelope(document: &Record, key: &str) -> Result<Record, Refusal> {
    match document.get(key) {
        Some(Value::Object(body)) if document.len() == 1 => Ok(body.clone()),
        _ => Err(Refusal::structure(format!(
            "The body must have the single root key {key}"
        ))),
    }
}

fn path_not_found() -> Refusal {
    Refusal::usage(404, "path_not_found", "Path not found")
}

fn method_not_allowed() -> Refusal {
    Refusal::usage(405, "method_not_allowed", "Method not allowed")
}
