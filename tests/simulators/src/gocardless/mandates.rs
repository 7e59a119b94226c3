//! Mandates (GC 2.4).

use super::Simulator;
use super::calendar::{add_working_days, date_of, parse_date, stamp};
use super::error::Refusal;
use super::events::Happening;
use super::fields::{link, required_link};
use super::kind::Kind;
use super::moves::{Moved, WrongState};
use super::schemes;
use super::store::{Record, text};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// A dead mandate can be reinstated so often (GC 2.4).
const REINSTATEMENTS_MAX: usize = 10;

/// Letters of mandate references.
const LETTERS: &[u8] = b"23456789ABCDEFGHJKMNPQRSTVWXYZ";

impl Simulator {
    /// `POST /mandates`, only open to merchants with approved payment pages (GC 2.4).
    pub(crate) fn create_mandate_by_api(
        &mut self,
        body: &Record,
        now: Timestamp,
    ) -> Result<Record, Refusal> {
        if !self.settings.mandates_by_api {
            return Err(Refusal::usage(
                403,
                "forbidden",
                "Mandates are set up by billing requests",
            ));
        }
        let at = "/mandates";
        let account = required_link(body, "customer_bank_account", at)?.to_owned();
        let pointer = format!("{at}/links/customer_bank_account");
        let row = self
            .store
            .get(Kind::CustomerBankAccounts, &account)
            .ok_or_else(|| Refusal::link_not_found(&pointer))?;
        if !row
            .body
            .get("enabled")
            .and_then(Value::as_bool)
            .unwrap_or(false)
        {
            return Err(Refusal::state(
                "bank_account_disabled",
                "The bank account is disabled",
            ));
        }
        if link(body, "creditor").is_some_and(|creditor| creditor != self.creditor) {
            return Err(Refusal::link_not_found(format!("{at}/links/creditor")));
        }
        let currency = row.text("currency").to_owned();
        let scheme = match text(body, "scheme") {
            "" => schemes::of_currency(&currency),
            name => schemes::named(name).filter(|scheme| scheme.currency == currency),
        };
        let scheme = scheme.ok_or_else(|| {
            Refusal::field(format!("{at}/scheme"), "does not fit the bank account")
        })?;
        let id = self.insert_mandate(&account, scheme.name, "pending_submission", body, now);
        self.emit(
            Kind::Mandates,
            &id,
            Happening::api("created", "mandate_created", body),
            now,
        );
        self.found(Kind::Mandates, &id, now)
    }

    /// Writes a mandate without any event.
    pub(crate) fn insert_mandate(
        &mut self,
        account: &str,
        scheme: &str,
        status: &str,
        body: &Record,
        now: Timestamp,
    ) -> String {
        let customer = self
            .store
            .get(Kind::CustomerBankAccounts, account)
            .and_then(|row| row.link("customer"))
            .unwrap_or_default()
            .to_owned();
        let id = self.store.fresh_id(Kind::Mandates.prefix());
        let reference = match text(body, "reference") {
            "" => {
                let code = self.entropy.text(LETTERS, 5);
                format!("{}-{code}", self.settings.bank_reference_prefix)
            }
            reference => reference.to_owned(),
        };
        // A new mandate takes a day longer than one in place (GC 7.4).
        let days = schemes::named(scheme).map_or(3, |scheme| scheme.charge_days);
        let days = if status == "active" { days } else { days + 1 };
        let record = json!({
            "id": id,
            "created_at": stamp(now),
            "reference": reference,
            "scheme": scheme,
            "status": status,
            "next_possible_charge_date": add_working_days(date_of(now), days).to_string(),
            "next_possible_standard_ach_charge_date": null,
            "payments_require_approval": false,
            "mandate_type": "bank_debit",
            "consent_type": null,
            "consent_parameters": null,
            "authorisation_source": "web",
            "funds_settlement": "managed",
            "verified_at": null,
            "metadata": body.get("metadata").cloned().unwrap_or_else(|| json!({})),
            "links": {
                "creditor": self.creditor,
                "customer": customer,
                "customer_bank_account": account,
            },
        });
        if let Value::Object(record) = record {
            self.store.insert(Kind::Mandates, now, record);
        }
        id
    }

    pub(crate) fn act_on_mandate(
        &mut self,
        id: &str,
        name: &str,
        body: &Record,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if name == "reinstate" {
            return self.reinstate_mandate(id, body, now);
        }
        let happening = Happening::api("cancelled", "mandate_cancelled", body);
        self.move_mandate(id, happening, now)
            .map(|_| ())
            .map_err(|_| Refusal::state("cancellation_failed", "The mandate cannot be cancelled"))
    }

    /// Only a resubmission: whether it succeeds shows later (GC 2.4).
    fn reinstate_mandate(
        &mut self,
        id: &str,
        body: &Record,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let refused = || Refusal::state("mandate_not_inactive", "The mandate cannot be reinstated");
        let before = self
            .store
            .rows(Kind::Events)
            .iter()
            .filter(|event| {
                event.text("action") == "resubmission_requested"
                    && event.text("resource_type") == "mandates"
                    && event.link("mandate") == Some(id)
            })
            .count();
        if before >= REINSTATEMENTS_MAX {
            return Err(refused());
        }
        let happening = Happening::api("resubmission_requested", "resubmission_requested", body);
        self.move_mandate(id, happening, now)
            .map_err(|_| refused())?;
        let scheme = self
            .store
            .get(Kind::Mandates, id)
            .map(|row| row.text("scheme").to_owned());
        let days = scheme
            .and_then(|scheme| schemes::named(&scheme))
            .map_or(3, |s| s.charge_days);
        if let Some(row) = self.store.get_mut(Kind::Mandates, id) {
            let next = add_working_days(date_of(now), days + 1);
            row.set("next_possible_charge_date", next.to_string());
        }
        Ok(())
    }

    /// A step of the mandate's state machine. When it dies, its pending payments, its subscriptions and its instalment
    /// schedules die with it, each with an event that names this one (GC 2.4, GC 4.4).
    pub(crate) fn move_mandate(
        &mut self,
        id: &str,
        happening: Happening,
        now: Timestamp,
    ) -> Result<Moved, WrongState> {
        let cause = match happening.action {
            "expired" => "mandate_expired",
            "failed" => "mandate_failed",
            _ => "mandate_cancelled",
        };
        let by_api = happening.cause() == "mandate_cancelled" && !happening.is_from_bank();
        let moved = self.advance(Kind::Mandates, id, happening, now)?;
        if matches!(
            self.status(Kind::Mandates, id),
            "cancelled" | "failed" | "expired"
        ) {
            if let Some(row) = self.store.get_mut(Kind::Mandates, id) {
                row.set("next_possible_charge_date", Value::Null);
            }
            self.mandate_died(id, cause, by_api, &moved.event, now);
        }
        Ok(moved)
    }

    fn mandate_died(&mut self, id: &str, cause: &str, by_api: bool, event: &str, now: Timestamp) {
        // The matrix knows no mandate_failed for payments and subscriptions (GC 4.5).
        let for_payments = if cause == "mandate_expired" {
            cause
        } else {
            "mandate_cancelled"
        };
        let happening = |cause: &str| {
            let happening = if by_api {
                Happening::api("cancelled", cause, &Map::new())
            } else {
                Happening::vendor("cancelled", cause)
            };
            happening.parent(Some(event))
        };
        for payment in self.under_mandate(Kind::Payments, id) {
            let status = self.status(Kind::Payments, &payment);
            if matches!(status, "pending_submission" | "submitted")
                && (status != "submitted" || !by_api)
            {
                // Allowed from both statuses by the state machine, so this cannot be refused.
                self.move_payment(&payment, happening(for_payments), now)
                    .ok();
            }
        }
        for subscription in self.under_mandate(Kind::Subscriptions, id) {
            self.end_subscription(&subscription, "cancelled", happening(for_payments), now);
        }
        for schedule in self.under_mandate(Kind::InstalmentSchedules, id) {
            self.end_schedule(
                &schedule,
                Happening::vendor("cancelled", cause).parent(Some(event)),
                now,
            );
        }
    }

    /// Earliest charge dates move with the days (GC 8.3). Called before everything that may show or use one.
    pub(crate) fn roll_day(&mut self, now: Timestamp) {
        let today = date_of(now);
        if today <= self.today {
            return;
        }
        self.today = today;
        for mandate in self.ids(Kind::Mandates) {
            let Some(row) = self.store.get_mut(Kind::Mandates, &mandate) else {
                continue;
            };
            let Some(before) = parse_date(row.text("next_possible_charge_date")) else {
                continue;
            };
            let days = schemes::named(row.text("scheme")).map_or(3, |scheme| scheme.charge_days);
            let next = add_working_days(today, days).max(before);
            row.set("next_possible_charge_date", next.to_string());
        }
    }

    /// Ids of a kind that hang on a mandate.
    pub(crate) fn under_mandate(&self, kind: Kind, mandate: &str) -> Vec<String> {
        let rows = self.store.rows(kind).iter();
        rows.filter(|row| row.link("mandate") == Some(mandate))
            .map(|row| row.id.clone())
            .collect()
    }

    /// The scheme moves the merchant to a new identifier: the old mandate is `cancelled`, the event is `replaced`, and
    /// `links.new_mandate` names the successor (GC 2.4). Gives the new mandate.
    pub fn replace_mandate(&mut self, id: &str, now: Timestamp) -> Result<String, WrongState> {
        let row = self
            .store
            .get(Kind::Mandates, id)
            .ok_or_else(|| super::moves::missing(Kind::Mandates, id))?;
        let account = row
            .link("customer_bank_account")
            .unwrap_or_default()
            .to_owned();
        let scheme = row.text("scheme").to_owned();
        let carried = row.body.clone();
        let new = self.insert_mandate(&account, &scheme, "active", &Map::new(), now);
        if let Some(row) = self.store.get_mut(Kind::Mandates, &new) {
            row.set(
                "metadata",
                carried
                    .get("metadata")
                    .cloned()
                    .unwrap_or_else(|| json!({})),
            );
        }
        let happening =
            Happening::vendor("replaced", "scheme_identifier_changed").link("new_mandate", &new);
        self.advance(Kind::Mandates, id, happening, now)?;
        if let Some(row) = self.store.get_mut(Kind::Mandates, id) {
            row.set_link("new_mandate", &new);
            row.set("next_possible_charge_date", Value::Null);
        }
        Ok(new)
    }
}
