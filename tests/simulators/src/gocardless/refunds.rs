//! Refunds (GC 2.7).

use super::Simulator;
use super::calendar::stamp;
use super::error::Refusal;
use super::events::Happening;
use super::fields::link;
use super::kind::Kind;
use super::moves::WrongState;
use super::store::{Record, text};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Most refunds of one payment: limits of 5 and 25 are on record (GC 2.7).
const REFUNDS_MAX: usize = 25;

impl Simulator {
    /// `POST /refunds`.
    pub(crate) fn create_refund(
        &mut self,
        body: &Record,
        now: Timestamp,
    ) -> Result<Record, Refusal> {
        if !self.settings.refunds {
            return Err(Refusal::usage(
                403,
                "feature_disabled",
                "Refunds are not switched on",
            ));
        }
        let id = match (link(body, "payment"), link(body, "mandate")) {
            (Some(payment), None) => {
                let payment = payment.to_owned();
                self.refund_of_payment(&payment, body, now)?
            }
            (None, Some(mandate)) => {
                let mandate = mandate.to_owned();
                self.refund_of_mandate(&mandate, body, now)?
            }
            _ => {
                return Err(Refusal::field(
                    "/refunds/links/payment",
                    "exactly one of payment and mandate is required",
                ));
            }
        };
        self.found(Kind::Refunds, &id, now)
    }

    fn refund_of_payment(
        &mut self,
        id: &str,
        body: &Record,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        let payment = self
            .store
            .get(Kind::Payments, id)
            .ok_or_else(|| Refusal::link_not_found("/refunds/links/payment"))?;
        if !matches!(payment.text("status"), "confirmed" | "paid_out") {
            return Err(Refusal::state(
                "refund_payment_invalid_state",
                "The payment is not in a state that can be refunded",
            ));
        }
        let amount = positive_amount(body)?;
        let before = payment.integer("amount_refunded");
        // The guard against doubles: earlier refunds and this one (GC 2.7).
        let Some(total) = body
            .get("total_amount_confirmation")
            .and_then(Value::as_i64)
        else {
            return Err(Refusal::field(
                "/refunds/total_amount_confirmation",
                "is required",
            ));
        };
        if total != before + amount {
            return Err(Refusal::state(
                "total_amount_confirmation_invalid",
                "The confirmed total does not match the refunds of this payment",
            ));
        }
        if before + amount > payment.integer("amount") {
            return Err(Refusal::state(
                "available_refund_amount_insufficient",
                "There is not enough left to refund",
            ));
        }
        if self.refunds_of(id) >= REFUNDS_MAX {
            return Err(Refusal::state(
                "number_of_refunds_exceeded",
                "Too many refunds",
            ));
        }
        let mandate = payment.link("mandate").unwrap_or_default().to_owned();
        let currency = payment.text("currency").to_owned();
        if let Some(payment) = self.store.get_mut(Kind::Payments, id) {
            payment.set("amount_refunded", before + amount);
        }
        let links = json!({ "payment": id, "mandate": mandate });
        let refund = self.insert_refund(amount, &currency, &links, body, now);
        let happening = Happening::api("created", "payment_refunded", body);
        self.emit(Kind::Refunds, &refund, happening, now);
        self.owe_refund(&refund);
        Ok(refund)
    }

    fn refund_of_mandate(
        &mut self,
        id: &str,
        body: &Record,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        let scheme = self.usable_mandate(id, "/refunds/links/mandate")?;
        let amount = positive_amount(body)?;
        let links = json!({ "mandate": id });
        let refund = self.insert_refund(amount, scheme.currency, &links, body, now);
        self.emit(
            Kind::Refunds,
            &refund,
            Happening::api("created", "refund_created", body),
            now,
        );
        self.owe_refund(&refund);
        Ok(refund)
    }

    fn insert_refund(
        &mut self,
        amount: i64,
        currency: &str,
        links: &Value,
        body: &Record,
        now: Timestamp,
    ) -> String {
        let id = self.store.fresh_id(Kind::Refunds.prefix());
        let record = json!({
            "id": id,
            "created_at": stamp(now),
            "amount": amount,
            "currency": currency,
            "reference": body.get("reference").cloned().unwrap_or(Value::Null),
            "status": "created",
            "metadata": body.get("metadata").cloned().unwrap_or_else(|| json!({})),
            "fx": {
                "fx_currency": null,
                "fx_amount": null,
                "exchange_rate": null,
                "estimated_exchange_rate": null,
            },
            "links": links,
        });
        if let Value::Object(record) = record {
            self.store.insert(Kind::Refunds, now, record);
        }
        id
    }

    fn refunds_of(&self, payment: &str) -> usize {
        let rows = self.store.rows(Kind::Refunds).iter();
        rows.filter(|row| row.link("payment") == Some(payment))
            .count()
    }

    /// The payer's bank has the money.
    pub fn pay_refund(&mut self, id: &str, now: Timestamp) -> Result<(), WrongState> {
        self.advance(
            Kind::Refunds,
            id,
            Happening::vendor("paid", "refund_paid"),
            now,
        )
        .map(|_| ())
    }

    /// The refund comes back: event `failed`, status `bounced`, also after `paid` or a settlement (GC 2.7, GC 4.5). If
    /// a payout was reduced by it, the next one gives the money back; otherwise nothing is taken.
    pub fn bounce_refund(&mut self, id: &str, now: Timestamp) -> Result<(), WrongState> {
        self.advance(
            Kind::Refunds,
            id,
            Happening::vendor("failed", "refund_failed"),
            now,
        )?;
        self.refund_bounced(id);
        let Some(row) = self.store.get(Kind::Refunds, id) else {
            return Ok(());
        };
        let amount = row.integer("amount");
        let payment = row.link("payment").map(str::to_owned);
        if let Some(payment) = payment.and_then(|id| self.store.get_mut(Kind::Payments, &id)) {
            let refunded = payment.integer("amount_refunded");
            payment.set("amount_refunded", refunded - amount);
        }
        Ok(())
    }

    /// Refunds a payment as the dashboard does, with the right confirmation. Gives the refund.
    pub fn refund(
        &mut self,
        payment: &str,
        amount_minor: i64,
        now: Timestamp,
    ) -> Result<String, WrongState> {
        let missing = || super::moves::missing(Kind::Payments, payment);
        let row = self
            .store
            .get(Kind::Payments, payment)
            .ok_or_else(missing)?;
        let status = row.text("status").to_owned();
        let mut body = Map::new();
        body.insert("amount".to_owned(), json!(amount_minor));
        let total = row.integer("amount_refunded") + amount_minor;
        body.insert("total_amount_confirmation".to_owned(), json!(total));
        body.insert("links".to_owned(), json!({ "payment": payment }));
        let record = self
            .create_refund(&body, now)
            .map_err(|_| WrongState::Status {
                kind: "payment",
                id: payment.to_owned(),
                status,
                action: "refund",
            })?;
        Ok(text(&record, "id").to_owned())
    }
}

fn positive_amount(body: &Record) -> Result<i64, Refusal> {
    let amount = body.get("amount").and_then(Value::as_i64).unwrap_or(0);
    if amount < 1 {
        return Err(Refusal::field("/refunds/amount", "must be greater than 0"));
    }
    Ok(amount)
}
