//! Billing requests and their flows: how mandates and instant payments are set up (GC 2.11).

use super::Simulator;
use super::calendar::{after_secs, stamp};
use super::customers::account_details;
use super::error::Refusal;
use super::events::{Happening, Origin};
use super::fields::{self, link, required_link};
use super::kind::Kind;
use super::payments::Maker;
use super::schemes;
use super::spec::{self, BILLING_REQUEST_ACTIONS};
use super::store::{Record, text};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// How long a flow's address works; illustrative in the sheet (GC 2.11).
const FLOW_SECS: i64 = 7 * 86_400;

/// The id at the head of a record.
pub(crate) fn id_of(record: &Record) -> String {
    text(record, "id").to_owned()
}

impl Simulator {
    /// `POST /billing_requests`.
    pub(crate) fn create_billing_request(
        &mut self,
        body: &Record,
        at: &str,
        now: Timestamp,
    ) -> Result<Record, Refusal> {
        check_requests(body, at)?;
        let mandate_request = body.get("mandate_request").and_then(Value::as_object);
        let payment_request = body.get("payment_request").and_then(Value::as_object);
        let mut links = Map::new();
        links.insert("creditor".to_owned(), json!(self.creditor));
        let customer = if let Some(customer) = link(body, "customer") {
            let known = self.store.get(Kind::Customers, customer);
            if known.is_none_or(|row| row.removed) {
                return Err(Refusal::link_not_found(format!("{at}/links/customer")));
            }
            customer.to_owned()
        } else {
            self.insert_blank_customer(now)
        };
        links.insert("customer".to_owned(), json!(customer));
        links.insert(
            "customer_billing_detail".to_owned(),
            json!(self.store.fresh_id("CBD")),
        );
        let mandate_request = mandate_request.map(|request| {
            links.insert(
                "mandate_request".to_owned(),
                json!(self.store.fresh_id("MRQ")),
            );
            let mut shown = request.clone();
            shown
                .entry("verify")
                .or_insert_with(|| json!("recommended"));
            shown.entry("links").or_insert_with(|| json!({}));
            shown
        });
        if payment_request.is_some() {
            links.insert(
                "payment_request".to_owned(),
                json!(self.store.fresh_id("PRQ")),
            );
        }
        let id = self.store.fresh_id(Kind::BillingRequests.prefix());
        let record = json!({
            "id": id,
            "created_at": stamp(now),
            "status": "pending",
            "mandate_request": mandate_request,
            "payment_request": payment_request,
            "metadata": body.get("metadata").cloned().unwrap_or_else(|| json!({})),
            "fallback_enabled": body.get("fallback_enabled").cloned().unwrap_or(json!(false)),
            "actions": [
                step("collect_customer_details", &[]),
                step("collect_bank_account", &["collect_customer_details"]),
                step("confirm_payer_details", &["collect_customer_details", "collect_bank_account"]),
            ],
            "links": links,
        });
        if let Value::Object(record) = record {
            self.store.insert(Kind::BillingRequests, now, record);
        }
        self.billing_event(&id, "created", Origin::Api, now);
        self.found(Kind::BillingRequests, &id, now)
    }

    /// The odd envelope: the document also carries the actions to take at once (GC 1.1).
    pub(crate) fn create_billing_request_with_actions(
        &mut self,
        body: &Record,
        at: &str,
        now: Timestamp,
    ) -> Result<Record, Refusal> {
        let mut members = spec::of(Kind::BillingRequests)
            .create
            .unwrap_or(&[])
            .to_vec();
        members.push(BILLING_REQUEST_ACTIONS);
        let mut body = fields::check(&members, body, at)?;
        let Some(Value::Array(actions)) = body.shift_remove("actions") else {
            return Err(Refusal::incorrectly_typed(format!("{at}/actions")));
        };
        let record = self.create_billing_request(&body, at, now)?;
        let id = id_of(&record);
        for action in actions {
            let typed = || Refusal::incorrectly_typed(format!("{at}/actions"));
            let action = action.as_object().ok_or_else(typed)?;
            let name = text(action, "type").to_owned();
            let data = action
                .get(&name)
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default();
            self.act_on_billing_request(&id, &name, &data, now)?;
        }
        self.found(Kind::BillingRequests, &id, now)
    }

    fn insert_blank_customer(&mut self, now: Timestamp) -> String {
        let id = self.store.fresh_id(Kind::Customers.prefix());
        let record =
            json!({ "id": id, "created_at": stamp(now), "language": "en", "metadata": {} });
        if let Value::Object(record) = record {
            self.store.insert(Kind::Customers, now, record);
        }
        id
    }

    /// `POST /billing_request_flows`.
    pub(crate) fn create_billing_request_flow(
        &mut self,
        body: &Record,
        now: Timestamp,
    ) -> Result<Record, Refusal> {
        let at = "/billing_request_flows";
        let request = required_link(body, "billing_request", at)?.to_owned();
        if self.store.get(Kind::BillingRequests, &request).is_none() {
            return Err(Refusal::link_not_found(format!(
                "{at}/links/billing_request"
            )));
        }
        let id = self.store.fresh_id(Kind::BillingRequestFlows.prefix());
        let or = |name: &str, default: Value| body.get(name).cloned().unwrap_or(default);
        let record = json!({
            "id": id,
            "created_at": stamp(now),
            "expires_at": stamp(after_secs(now, FLOW_SECS)),
            "authorisation_url": format!("https://pay.gocardless.com/billing/static/flow?id={id}"),
            "redirect_uri": or("redirect_uri", Value::Null),
            "exit_uri": or("exit_uri", Value::Null),
            "auto_fulfil": or("auto_fulfil", json!(true)),
            "lock_customer_details": or("lock_customer_details", json!(false)),
            "lock_bank_account": or("lock_bank_account", json!(false)),
            "lock_currency": or("lock_currency", json!(false)),
            "session_token": null,
            "links": { "billing_request": request },
        });
        if let Value::Object(record) = record {
            self.store.insert(Kind::BillingRequestFlows, now, record);
        }
        let happening = Happening::api("flow_created", "billing_request_flow_created", body)
            .link("billing_request_flow", &id);
        self.emit(Kind::BillingRequests, &request, happening, now);
        self.found(Kind::BillingRequestFlows, &id, now)
    }

    pub(crate) fn act_on_billing_request(
        &mut self,
        id: &str,
        name: &str,
        body: &Record,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let status = self.status(Kind::BillingRequests, id);
        if !matches!(status, "pending" | "ready_to_fulfil") {
            let reason = if name == "cancel" {
                "cancellation_failed"
            } else {
                "bad_request"
            };
            return Err(Refusal::state(
                reason,
                "The billing request is not in a fitting state",
            ));
        }
        match name {
            "collect_customer_details" => {
                self.collect_customer_details(id, body)?;
                self.complete(id, name, now);
            }
            "collect_bank_account" => {
                self.need(id, &["collect_customer_details"])?;
                self.collect_bank_account(id, body, now)?;
                self.complete(id, name, now);
            }
            "confirm_payer_details" => {
                self.need(id, &["collect_customer_details", "collect_bank_account"])?;
                self.complete(id, name, now);
            }
            "fulfil" => self.fulfil(id, now)?,
            "cancel" => {
                self.set_billing_status(id, "cancelled");
                self.billing_event(id, "cancelled", Origin::Api, now);
            }
            _ => {}
        }
        Ok(())
    }

    fn collect_customer_details(&mut self, id: &str, body: &Record) -> Result<(), Refusal> {
        let details = body
            .get("customer")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        let members = spec::of(Kind::Customers).update.unwrap_or(&[]);
        let details = fields::check(members, &details, "/data/customer")?;
        let row = self.store.get(Kind::BillingRequests, id);
        let customer = row
            .and_then(|row| row.link("customer"))
            .unwrap_or_default()
            .to_owned();
        self.check_customer_update(&customer, &details)?;
        if let Some(row) = self.store.get_mut(Kind::Customers, &customer) {
            row.body.extend(details);
        }
        Ok(())
    }

    fn collect_bank_account(
        &mut self,
        id: &str,
        body: &Record,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let (number, country, currency) = account_details(body, "/data")?;
        let row = self.store.get(Kind::BillingRequests, id);
        let customer = row
            .and_then(|row| row.link("customer"))
            .unwrap_or_default()
            .to_owned();
        let owner = ("customer", customer.as_str());
        let kind = Kind::CustomerBankAccounts;
        let account = match self.same_account(kind, owner, &number) {
            Some(old) => old,
            None => self.insert_bank_account(kind, owner, body, &country, &currency, now),
        };
        self.account_numbers.insert(account.clone(), number);
        if let Some(row) = self.store.get_mut(Kind::BillingRequests, id) {
            row.set_link("customer_bank_account", &account);
        }
        Ok(())
    }

    /// Refuses an action whose predecessors are not completed.
    fn need(&self, id: &str, names: &[&str]) -> Result<(), Refusal> {
        if names.iter().all(|name| self.completed(id, name)) {
            return Ok(());
        }
        Err(Refusal::state(
            "bad_request",
            "Required actions are not completed",
        ))
    }

    fn completed(&self, id: &str, name: &str) -> bool {
        let actions = self
            .store
            .get(Kind::BillingRequests, id)
            .and_then(|row| row.body.get("actions"));
        actions.and_then(Value::as_array).is_some_and(|actions| {
            actions.iter().any(|action| {
                action.get("type").and_then(Value::as_str) == Some(name)
                    && action.get("status").and_then(Value::as_str) == Some("completed")
            })
        })
    }

    fn complete(&mut self, id: &str, name: &str, now: Timestamp) {
        let actions = self.store.get_mut(Kind::BillingRequests, id);
        let actions = actions
            .and_then(|row| row.body.get_mut("actions"))
            .and_then(Value::as_array_mut);
        for action in actions.into_iter().flatten() {
            if action.get("type").and_then(Value::as_str) == Some(name)
                && let Some(action) = action.as_object_mut()
            {
                action.insert("status".to_owned(), json!("completed"));
            }
        }
        let event = match name {
            "collect_customer_details" => "collect_customer_details",
            "collect_bank_account" => "collect_bank_account",
            _ => "payer_details_confirmed",
        };
        self.billing_event(id, event, Origin::Api, now);
        if self.completed(id, "confirm_payer_details") {
            self.set_billing_status(id, "ready_to_fulfil");
        }
    }

    fn set_billing_status(&mut self, id: &str, status: &str) {
        if let Some(row) = self.store.get_mut(Kind::BillingRequests, id) {
            row.set("status", status);
        }
    }

    /// Makes the mandate and the payment, and says so (GC 2.11, step 3).
    fn fulfil(&mut self, id: &str, now: Timestamp) -> Result<(), Refusal> {
        self.need(id, &["confirm_payer_details"])?;
        let row = self
            .store
            .get(Kind::BillingRequests, id)
            .ok_or_else(Refusal::not_found)?;
        let account = row
            .link("customer_bank_account")
            .unwrap_or_default()
            .to_owned();
        let customer = row.link("customer").unwrap_or_default().to_owned();
        let request = |name: &str| row.body.get(name).and_then(Value::as_object).cloned();
        let (mandate_request, payment_request) =
            (request("mandate_request"), request("payment_request"));
        let mut happening =
            Happening::new("fulfilled", Origin::Gocardless, "billing_request_fulfilled")
                .link("customer", customer)
                .link("customer_bank_account", &account);
        let mut made = Vec::new();
        if let Some(request) = mandate_request {
            let scheme = match text(&request, "scheme") {
                "" => schemes::of_currency(text(&request, "currency")).map_or("bacs", |s| s.name),
                scheme => scheme,
            };
            let metadata = request.get("metadata").cloned();
            let mut body = Map::new();
            body.extend(metadata.map(|metadata| ("metadata".to_owned(), metadata)));
            let mandate = self.insert_mandate(&account, scheme, "pending_submission", &body, now);
            let created = Happening::api("created", "mandate_created", &body);
            self.emit(Kind::Mandates, &mandate, created, now);
            made.push(("mandate_request_mandate", mandate));
        }
        if let Some(request) = payment_request {
            made.push((
                "payment_request_payment",
                self.instant_payment(&account, &request, now),
            ));
        }
        for (name, made) in made {
            happening = happening.link(name, &made);
            if let Some(row) = self.store.get_mut(Kind::BillingRequests, id) {
                row.set_link(name, &made);
            }
        }
        self.set_billing_status(id, "fulfilled");
        self.emit(Kind::BillingRequests, id, happening, now);
        Ok(())
    }

    /// An instant payment hangs on a mandate of its own that is used up by it.
    fn instant_payment(&mut self, account: &str, request: &Record, now: Timestamp) -> String {
        let currency = text(request, "currency");
        let scheme = match currency {
            "GBP" => schemes::named("faster_payments"),
            "EUR" => schemes::named("sepa_instant_credit_transfer"),
            "AUD" => schemes::named("pay_to"),
            other => schemes::of_currency(other),
        };
        let scheme = scheme.unwrap_or(&schemes::SCHEMES[0]);
        let mandate = self.insert_mandate(account, scheme.name, "consumed", &Map::new(), now);
        self.insert_payment(request, scheme, &mandate, &Maker::Api, now)
    }

    fn billing_event(&mut self, id: &str, action: &'static str, origin: Origin, now: Timestamp) {
        let happening = Happening::new(action, origin, &format!("billing_request_{action}"));
        self.emit(Kind::BillingRequests, id, happening, now);
    }

    /// The payer walks through a flow and authorises everything, as a test would with real fingers.
    pub fn complete_flow(
        &mut self,
        flow: &str,
        payer: &super::Party,
        now: Timestamp,
    ) -> Option<()> {
        let request = self
            .store
            .get(Kind::BillingRequestFlows, flow)?
            .link("billing_request")?
            .to_owned();
        let visited = Happening::new(
            "flow_visited",
            Origin::Payer,
            "billing_request_flow_visited",
        )
        .link("billing_request_flow", flow);
        self.emit(Kind::BillingRequests, &request, visited, now);
        let mut details = Map::new();
        details.insert(
            "customer".to_owned(),
            json!({ "company_name": payer.name, "email": payer.email }),
        );
        self.act_on_billing_request(&request, "collect_customer_details", &details, now)
            .ok()?;
        let account = self.test_account(payer);
        self.act_on_billing_request(&request, "collect_bank_account", &account, now)
            .ok()?;
        self.act_on_billing_request(&request, "confirm_payer_details", &Map::new(), now)
            .ok()?;
        self.act_on_billing_request(&request, "fulfil", &Map::new(), now)
            .ok()
    }
}

/// A mandate or a payment is asked for, and a scheme fits its currency.
fn check_requests(body: &Record, at: &str) -> Result<(), Refusal> {
    let mandate_request = body.get("mandate_request").and_then(Value::as_object);
    let payment_request = body.get("payment_request").and_then(Value::as_object);
    if mandate_request.is_none() && payment_request.is_none() {
        return Err(Refusal::field(
            format!("{at}/mandate_request"),
            "or payment_request is required",
        ));
    }
    if let Some(request) = mandate_request {
        let scheme = text(request, "scheme");
        let fits = schemes::named(scheme).is_some_and(|s| s.currency == text(request, "currency"));
        if !scheme.is_empty() && !fits {
            let pointer = format!("{at}/mandate_request/scheme");
            return Err(Refusal::field(pointer, "does not fit the currency"));
        }
    }
    Ok(())
}

fn step(name: &str, requires: &[&str]) -> Value {
    json!({
        "type": name,
        "required": true,
        "completes_actions": [],
        "requires_actions": requires,
        "status": "pending",
    })
}
