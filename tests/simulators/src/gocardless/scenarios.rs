//! Scenario simulators: the sandbox's own way to move things (GC 9.1).

use super::Simulator;
use super::error::Refusal;
use super::events::{Happening, Origin};
use super::fields::required_link;
use super::kind::Kind;
use super::moves::WrongState;
use super::schemes;
use super::store::Record;
use jiff::Timestamp;
use serde_json::json;

impl Simulator {
    /// `POST /scenario_simulators/<id>/actions/run`.
    pub(crate) fn run_scenario(
        &mut self,
        name: &str,
        body: &Record,
        now: Timestamp,
    ) -> Result<Record, Refusal> {
        let id = required_link(body, "resource", "/data")?.to_owned();
        let known = match name.split('_').next() {
            Some("payment") => self.payment_scenario(name, &id, now)?,
            Some("mandate") => self.mandate_scenario(name, &id, now)?,
            Some("refund") => self.refund_scenario(name, &id, now)?,
            Some("payout") if name == "payout_bounced" => {
                self.bounce_payout(&id, now).map_err(refuse)?;
                true
            }
            Some("creditor") => self.creditor_scenario(name, &id, now)?,
            _ => false,
        };
        if !known {
            return Err(Refusal::not_found());
        }
        let mut record = Record::new();
        record.insert("id".to_owned(), json!(name));
        Ok(record)
    }

    /// A pending payment on an active mandate; where the mandate is sent with its first payment it may still be
    /// pending too (the footnote of GC 9.1).
    fn ready_payment(&self, id: &str, late: bool) -> Result<(), Refusal> {
        let row = self
            .store
            .get(Kind::Payments, id)
            .ok_or_else(Refusal::not_found)?;
        let scheme = row.text("scheme");
        if late && scheme == "autogiro" {
            return Err(unfit());
        }
        if late && row.text("status") == "paid_out" {
            return Ok(());
        }
        let mandate = self.status(Kind::Mandates, row.link("mandate").unwrap_or_default());
        let with_first =
            schemes::named(scheme).is_some_and(|scheme| scheme.sent_with_first_payment);
        let mandate_fits = mandate == "active" || (with_first && mandate == "pending_submission");
        if row.text("status") == "pending_submission" && mandate_fits {
            Ok(())
        } else {
            Err(unfit())
        }
    }

    fn payment_scenario(&mut self, name: &str, id: &str, now: Timestamp) -> Result<bool, Refusal> {
        let late = name.starts_with("payment_late_failure");
        if name == "payment_submitted" {
            if self.status(Kind::Payments, id) != "pending_submission" {
                return Err(self
                    .store
                    .get(Kind::Payments, id)
                    .map_or_else(Refusal::not_found, |_| unfit()));
            }
        } else {
            self.ready_payment(id, late)?;
        }
        let currency = self
            .store
            .get(Kind::Payments, id)
            .map(|row| row.text("currency").to_owned());
        let currency = currency.unwrap_or_default();
        let paid = |simulator: &mut Self| {
            if simulator.status(Kind::Payments, id) != "paid_out" {
                simulator.confirm(id, now)?;
                simulator.pay_out(&currency, now);
            }
            Ok(())
        };
        let outcome: Result<(), WrongState> = match name {
            "payment_submitted" => self.submit(id, now),
            "payment_confirmed" => self.confirm(id, now),
            "payment_paid_out" => paid(self),
            "payment_failed" => self.fail(id, "refer_to_payer", now),
            "payment_charged_back" | "payment_chargeback_settled" => {
                paid(self).and_then(|()| self.charge_back(id, "authorisation_disputed", now))
            }
            "payment_late_failure" | "payment_late_failure_settled" => {
                paid(self).and_then(|()| self.fail(id, "refer_to_payer", now))
            }
            _ => return Ok(false),
        };
        outcome.map_err(refuse)?;
        if name.ends_with("_settled") {
            self.force_pay_out(&currency, now);
        }
        Ok(true)
    }

    fn mandate_scenario(&mut self, name: &str, id: &str, now: Timestamp) -> Result<bool, Refusal> {
        let row = self
            .store
            .get(Kind::Mandates, id)
            .ok_or_else(Refusal::not_found)?;
        let scheme = row.text("scheme").to_owned();
        let status = row.text("status").to_owned();
        let fits = |statuses: &[&str], schemes_ok: bool| {
            if statuses.contains(&status.as_str()) && schemes_ok {
                Ok(())
            } else {
                Err(unfit())
            }
        };
        let is = |names: &[&str]| names.contains(&scheme.as_str());
        let happening = match name {
            "mandate_activated" => {
                fits(
                    &["pending_submission"],
                    !is(&["ach", "becs", "becs_nz", "sepa_core"]),
                )?;
                self.activate(id, now).map_err(refuse)?;
                return Ok(true);
            }
            "mandate_customer_approval_granted" | "mandate_customer_approval_skipped" => {
                fits(&["pending_customer_approval"], is(&["bacs", "sepa_core"]))?;
                let action = if name.ends_with("granted") {
                    "customer_approval_granted"
                } else {
                    "customer_approval_skipped"
                };
                Happening::new(action, Origin::Customer, action)
            }
            "mandate_failed" => {
                fits(&["pending_submission", "submitted"], !is(&["sepa_core"]))?;
                Happening::new("failed", Origin::Bank, "invalid_bank_details")
            }
            "mandate_expired" => {
                fits(
                    &["pending_submission"],
                    !is(&["autogiro", "becs_nz", "pad"]),
                )?;
                Happening::vendor("expired", "mandate_expired")
            }
            "mandate_transferred" | "mandate_transferred_with_resubmission" => {
                let resubmits = name.ends_with("resubmission");
                fits(
                    &["pending_submission"],
                    is(&["bacs"]) || (!resubmits && is(&["sepa_core"])),
                )?;
                self.transfer_mandate(id, now);
                return Ok(true);
            }
            "mandate_suspended_by_payer" => {
                fits(&["active"], is(&["pay_to"]))?;
                // The status is documented, the name of its event is not (GC 4.5): none is written.
                if let Some(row) = self.store.get_mut(Kind::Mandates, id) {
                    row.set("status", "suspended_by_payer");
                }
                return Ok(true);
            }
            _ => return Ok(false),
        };
        self.move_mandate(id, happening, now).map_err(refuse)?;
        Ok(true)
    }

    /// The payer changed banks: the mandate moves to a new account (GC 4.4).
    fn transfer_mandate(&mut self, id: &str, now: Timestamp) {
        let Some(row) = self.store.get(Kind::Mandates, id) else {
            return;
        };
        let old = row
            .link("customer_bank_account")
            .unwrap_or_default()
            .to_owned();
        let customer = row.link("customer").unwrap_or_default().to_owned();
        let Some(account) = self.store.get(Kind::CustomerBankAccounts, &old) else {
            return;
        };
        let (country, currency) = (
            account.text("country_code").to_owned(),
            account.text("currency").to_owned(),
        );
        let mut body = account.body.clone();
        body.insert("account_number".to_owned(), json!("55779912"));
        let owner = ("customer", customer.as_str());
        let kind = Kind::CustomerBankAccounts;
        let new = self.insert_bank_account(kind, owner, &body, &country, &currency, now);
        if let Some(row) = self.store.get_mut(Kind::Mandates, id) {
            row.set_link("customer_bank_account", &new);
        }
        let happening = Happening::new("transferred", Origin::Bank, "bank_account_transferred")
            .link("previous_customer_bank_account", old)
            .link("new_customer_bank_account", new);
        self.advance(Kind::Mandates, id, happening, now).ok();
    }

    fn refund_scenario(&mut self, name: &str, id: &str, now: Timestamp) -> Result<bool, Refusal> {
        let row = self
            .store
            .get(Kind::Refunds, id)
            .ok_or_else(Refusal::not_found)?;
        let currency = row.text("currency").to_owned();
        let outcome = match name {
            "refund_paid" => self.pay_refund(id, now),
            "refund_settled" => {
                if row.text("status") != "paid" {
                    self.pay_refund(id, now).map_err(refuse)?;
                }
                self.force_pay_out(&currency, now);
                Ok(())
            }
            "refund_bounced" => self.bounce_refund(id, now),
            "refund_returned" => {
                self.force_pay_out(&currency, now);
                self.bounce_refund(id, now).map_err(refuse)?;
                self.force_pay_out(&currency, now);
                Ok(())
            }
            _ => return Ok(false),
        };
        outcome.map_err(refuse)?;
        Ok(true)
    }

    fn creditor_scenario(&mut self, name: &str, id: &str, now: Timestamp) -> Result<bool, Refusal> {
        self.store
            .get(Kind::Creditors, id)
            .ok_or_else(Refusal::not_found)?;
        let Some(status) = name.strip_prefix("creditor_verification_status_") else {
            return Ok(false);
        };
        if !["action_required", "in_review", "successful"].contains(&status) {
            return Ok(false);
        }
        self.verify_creditor(status, now);
        Ok(true)
    }
}

fn unfit() -> Refusal {
    Refusal::state(
        "bad_request",
        "The resource is not in a state for this simulator",
    )
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that `map_err` wants"
)]
fn refuse(error: WrongState) -> Refusal {
    match &error {
        WrongState::Missing { .. } => Refusal::not_found(),
        WrongState::Status { .. } => unfit(),
    }
}
