//! Payments (GC 2.6).

use super::Simulator;
use super::calendar::{add_working_days, date_of, forward, parse_date, stamp};
use super::error::Refusal;
use super::events::{Happening, Origin};
use super::fields::required_link;
use super::kind::Kind;
use super::moves::{Moved, WrongState};
use super::schemes::{self, Scheme};
use super::store::{Record, text};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

/// A failed payment can be retried so often (GC 2.6).
const RETRIES_MAX: i64 = 3;

/// Where a payment comes from, for its `created` event (GC 4.5).
#[derive(Debug, Clone)]
pub(crate) enum Maker {
    Api,
    Subscription(String),
    Instalments(String),
}

impl Simulator {
    /// `POST /payments`.
    pub(crate) fn create_payment(
        &mut self,
        body: &Record,
        now: Timestamp,
    ) -> Result<Record, Refusal> {
        let at = "/payments";
        let mandate = required_link(body, "mandate", at)?.to_owned();
        let scheme = self.usable_mandate(&mandate, &format!("{at}/links/mandate"))?;
        let errors = self.payment_errors(body, scheme, &mandate, at);
        if !errors.is_empty() {
            return Err(Refusal::fields(errors));
        }
        let id = self.insert_payment(body, scheme, &mandate, &Maker::Api, now);
        self.found(Kind::Payments, &id, now)
    }

    /// The scheme of a mandate that payments can be made on, or why there can be none (GC 2.4).
    pub(crate) fn usable_mandate(&self, id: &str, at: &str) -> Result<&'static Scheme, Refusal> {
        let row = self
            .store
            .get(Kind::Mandates, id)
            .ok_or_else(|| Refusal::link_not_found(at))?;
        let live = [
            "pending_customer_approval",
            "pending_submission",
            "submitted",
            "active",
        ];
        if !live.contains(&row.text("status")) {
            if let Some(new) = row.link("new_mandate") {
                let refusal = Refusal::state("mandate_replaced", "The mandate was replaced");
                return Err(refusal.linking("new_mandate", new));
            }
            return Err(Refusal::state(
                "mandate_is_inactive",
                "The mandate is not active",
            ));
        }
        let account = row.link("customer_bank_account").unwrap_or_default();
        let enabled = self
            .store
            .get(Kind::CustomerBankAccounts, account)
            .is_none_or(|account| {
                account
                    .body
                    .get("enabled")
                    .and_then(Value::as_bool)
                    .unwrap_or(true)
            });
        if !enabled {
            return Err(Refusal::state(
                "bank_account_disabled",
                "The bank account is disabled",
            ));
        }
        schemes::named(row.text("scheme")).ok_or_else(Refusal::not_found)
    }

    /// Everything wrong with the members of a payment (GC 2.6, GC 8.1).
    fn payment_errors(
        &self,
        body: &Record,
        scheme: &Scheme,
        mandate: &str,
        at: &str,
    ) -> Vec<(String, String)> {
        let mut errors = Vec::new();
        let mut wrong =
            |member: &str, message: String| errors.push((format!("{at}/{member}"), message));
        let currency = text(body, "currency");
        if currency != scheme.currency {
            wrong("currency", "does not fit the mandate".to_owned());
        }
        let amount = body.get("amount").and_then(Value::as_i64).unwrap_or(0);
        let least = schemes::amount_min(currency);
        if amount < least {
            wrong("amount", format!("must be at least {least}"));
        }
        if amount > self.settings.payment_max_minor {
            wrong(
                "amount",
                format!("must be at most {}", self.settings.payment_max_minor),
            );
        }
        if let Some(date) = parse_date(text(body, "charge_date")) {
            let next = self.next_possible_charge_date(mandate);
            if next.is_some_and(|next| date < next) {
                wrong(
                    "charge_date",
                    "must be on or after the mandate's next possible date".to_owned(),
                );
            }
        }
        match (
            body.get("reference").and_then(Value::as_str),
            scheme.reference_max,
        ) {
            (Some(_), None) => wrong("reference", "is not allowed for this scheme".to_owned()),
            (Some(reference), Some(most)) if reference.chars().count() > most => {
                wrong(
                    "reference",
                    format!("is too long (maximum is {most} characters)"),
                );
            }
            _ => {}
        }
        if body.contains_key("app_fee") {
            wrong("app_fee", "can only be set by partner apps".to_owned());
        }
        if body.contains_key("faster_ach") && scheme.name != "ach" {
            wrong("faster_ach", "is only for ACH".to_owned());
        }
        errors
    }

    /// The earliest charge date of a mandate; `None` once it is dead (GC 2.4).
    pub(crate) fn next_possible_charge_date(&self, mandate: &str) -> Option<Date> {
        parse_date(
            self.store
                .get(Kind::Mandates, mandate)?
                .text("next_possible_charge_date"),
        )
    }

    /// Writes a payment and its `created` event; everything was checked before.
    pub(crate) fn insert_payment(
        &mut self,
        body: &Record,
        scheme: &Scheme,
        mandate: &str,
        maker: &Maker,
        now: Timestamp,
    ) -> String {
        let next = self
            .next_possible_charge_date(mandate)
            .unwrap_or_else(|| date_of(now));
        let charge_date = forward(parse_date(text(body, "charge_date")).unwrap_or(next));
        let waits = self.status(Kind::Mandates, mandate) == "pending_customer_approval";
        let id = self.store.fresh_id(Kind::Payments.prefix());
        let mut links = Map::new();
        links.insert("mandate".to_owned(), json!(mandate));
        links.insert("creditor".to_owned(), json!(self.creditor));
        let happening = match maker {
            Maker::Api => Happening::api("created", "payment_created", body),
            Maker::Subscription(subscription) => {
                links.insert("subscription".to_owned(), json!(subscription));
                Happening::vendor("created", "payment_created")
            }
            Maker::Instalments(schedule) => {
                links.insert("instalment_schedule".to_owned(), json!(schedule));
                Happening::api("created", "instalment_schedule_created", &Map::new())
            }
        };
        let currency = text(body, "currency");
        let member = |name: &str| body.get(name).cloned().unwrap_or(Value::Null);
        let record = json!({
            "id": id,
            "created_at": stamp(now),
            "charge_date": charge_date.to_string(),
            "amount": member("amount"),
            "amount_refunded": 0,
            "currency": currency,
            "status": if waits { "pending_customer_approval" } else { "pending_submission" },
            "description": member("description"),
            "reference": member("reference"),
            "scheme": scheme.name,
            "retry_if_possible": body.get("retry_if_possible").cloned().unwrap_or(json!(false)),
            "metadata": body.get("metadata").cloned().unwrap_or_else(|| json!({})),
            // Present without any exchange, with the payment's own currency (GC 2.6).
            "fx": {
                "fx_currency": currency,
                "fx_amount": null,
                "exchange_rate": null,
                "estimated_exchange_rate": null,
            },
            "links": links,
        });
        if let Value::Object(record) = record {
            self.store.insert(Kind::Payments, now, record);
        }
        self.emit(Kind::Payments, &id, happening, now);
        id
    }

    pub(crate) fn act_on_payment(
        &mut self,
        id: &str,
        name: &str,
        body: &Record,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if name == "retry" {
            self.retry_payment(id, body, now)
        } else {
            self.cancel_payment(id, body, now)
        }
    }

    /// Works only in `pending_submission`; a second one is refused like the first on a sent payment (GC 2.6, GC 6).
    fn cancel_payment(&mut self, id: &str, body: &Record, now: Timestamp) -> Result<(), Refusal> {
        let refused = || Refusal::state("cancellation_failed", "The payment cannot be cancelled");
        if self.status(Kind::Payments, id) != "pending_submission" {
            return Err(refused());
        }
        let happening = Happening::api("cancelled", "payment_cancelled", body);
        self.move_payment(id, happening, now)
            .map(|_| ())
            .map_err(|_| refused())
    }

    /// Works only in `failed`, at most three times (GC 2.6).
    fn retry_payment(&mut self, id: &str, body: &Record, now: Timestamp) -> Result<(), Refusal> {
        let refused = || Refusal::state("retry_failed", "The payment cannot be retried");
        let row = self
            .store
            .get(Kind::Payments, id)
            .ok_or_else(Refusal::not_found)?;
        let mandate = row.link("mandate").unwrap_or_default().to_owned();
        if row.text("status") != "failed" || self.retries_of(id) >= RETRIES_MAX {
            return Err(refused());
        }
        self.usable_mandate(&mandate, "/data/links/mandate")?;
        if let Some(date) = parse_date(text(body, "charge_date"))
            && self
                .next_possible_charge_date(&mandate)
                .is_some_and(|next| date < next)
        {
            return Err(Refusal::field(
                "/data/charge_date",
                "must be on or after the mandate's next possible date",
            ));
        }
        self.resubmit(
            id,
            Happening::api("resubmission_requested", "payment_retried", body),
            body,
            now,
        )
        .map_err(|_| refused())
    }

    /// Sends a failed payment again: same id, new charge date (GC 2.6).
    pub(crate) fn resubmit(
        &mut self,
        id: &str,
        happening: Happening,
        body: &Record,
        now: Timestamp,
    ) -> Result<(), WrongState> {
        self.move_payment(id, happening, now)?;
        let mandate = self
            .store
            .get(Kind::Payments, id)
            .and_then(|row| row.link("mandate"));
        let next = mandate.and_then(|mandate| self.next_possible_charge_date(mandate));
        let asked = parse_date(text(body, "charge_date"));
        let date = forward(
            asked
                .or(next)
                .unwrap_or_else(|| add_working_days(date_of(now), 3)),
        );
        if let Some(row) = self.store.get_mut(Kind::Payments, id) {
            row.set("charge_date", date.to_string());
        }
        Ok(())
    }

    fn retries_of(&self, id: &str) -> i64 {
        let events = self.store.rows(Kind::Events).iter();
        let retries = events
            .filter(|event| {
                event.text("action") == "resubmission_requested"
                    && event.link("payment") == Some(id)
            })
            .count();
        i64::try_from(retries).unwrap_or(i64::MAX)
    }

    /// A step of the payment's state machine with what it means for the next payout (GC 2.6, GC 7.1).
    pub(crate) fn move_payment(
        &mut self,
        id: &str,
        happening: Happening,
        now: Timestamp,
    ) -> Result<Moved, WrongState> {
        let action = happening.action;
        let moved = self.advance(Kind::Payments, id, happening, now)?;
        match (action, moved.from.as_str()) {
            ("confirmed", _) => self.earn(id),
            ("failed", "paid_out") => self.take_back(id, "payment_failed"),
            ("charged_back", "paid_out") => self.take_back(id, "payment_charged_back"),
            // Not paid out yet: what was waiting for a payout simply does not come.
            ("failed" | "charged_back", "confirmed") => self.forget_lines(id),
            ("chargeback_cancelled", _) => self.undo_charge_back(id),
            _ => {}
        }
        Ok(moved)
    }

    /// Fails a payment; `failed` after `confirmed` or `paid_out` is a late failure (GC 4.5).
    pub(crate) fn fail_payment(
        &mut self,
        id: &str,
        origin: Origin,
        cause: &str,
        will_attempt_retry: bool,
        now: Timestamp,
    ) -> Result<Moved, WrongState> {
        let happening = Happening::new("failed", origin, cause)
            .detail("will_attempt_retry", will_attempt_retry);
        self.move_payment(id, happening, now)
    }
}
