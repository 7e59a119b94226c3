//! The merchant's own entities, their bank accounts, tax rates and balances (GC 2.3, 2.13, 2.14).

use super::Simulator;
use super::calendar::stamp;
use super::customers::account_details;
use super::error::Refusal;
use super::events::Happening;
use super::fields::required_link;
use super::kind::Kind;
use super::list::Page;
use super::payouts::TAX_RATE;
use super::store::Record;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Currencies with a default payout account (GC 2.3).
const CURRENCIES: [&str; 8] = ["aud", "cad", "dkk", "eur", "gbp", "nzd", "sek", "usd"];

impl Simulator {
    /// One verified creditor with a GBP account, and the tax rate named on fees.
    pub(crate) fn set_up_creditor(&mut self, now: Timestamp) {
        let id = self.store.fresh_id(Kind::Creditors.prefix());
        let mut links = Map::new();
        for currency in CURRENCIES {
            links.insert(format!("default_{currency}_payout_account"), Value::Null);
        }
        let record = json!({
            "id": id,
            "created_at": stamp(now),
            "name": "Halden Supplies Ltd",
            "address_line1": "1 Wharf Road",
            "address_line2": null,
            "address_line3": null,
            "city": "London",
            "region": null,
            "postal_code": "E1 4AB",
            "country_code": "GB",
            "creditor_type": "company",
            "verification_status": "successful",
            "can_create_refunds": self.settings.refunds,
            "fx_payout_currency": self.settings.fx_payout_currency,
            "bank_reference_prefix": self.settings.bank_reference_prefix,
            "scheme_identifiers": [],
            "logo_url": null,
            "mandate_imports_enabled": false,
            "custom_payment_pages_enabled": self.settings.mandates_by_api,
            "merchant_responsible_for_notifications": false,
            "links": links,
        });
        if let Value::Object(record) = record {
            self.store.insert(Kind::Creditors, now, record);
        }
        self.creditor = id;
        let rate = json!({
            "id": TAX_RATE,
            "type": "VAT",
            "percentage": "20.0",
            "jurisdiction": "GB",
            "start_date": "2011-01-04",
            "end_date": null,
        });
        if let Value::Object(rate) = rate {
            self.store.insert(Kind::TaxRates, now, rate);
        }
        self.payout_account("GBP", now);
    }

    /// The account that payouts of a currency go to, opened on first use.
    pub(crate) fn payout_account(&mut self, currency: &str, now: Timestamp) -> String {
        let link = format!("default_{}_payout_account", currency.to_lowercase());
        let creditor = self.creditor.clone();
        let row = self.store.get(Kind::Creditors, &creditor);
        if let Some(account) = row.and_then(|row| row.link(&link)) {
            return account.to_owned();
        }
        let mut body = Map::new();
        body.insert("account_holder_name".to_owned(), json!("HALDEN SUPPLIES"));
        body.insert("account_number".to_owned(), json!("55779911"));
        let owner = ("creditor", creditor.as_str());
        let kind = Kind::CreditorBankAccounts;
        let account = self.insert_bank_account(kind, owner, &body, "GB", currency, now);
        self.set_verification(&account, "successful");
        if let Some(row) = self.store.get_mut(Kind::Creditors, &creditor) {
            row.set_link(&link, &account);
        }
        account
    }

    fn set_verification(&mut self, account: &str, status: &str) {
        if let Some(row) = self.store.get_mut(Kind::CreditorBankAccounts, account) {
            row.set("verification_status", status);
        }
    }

    /// `POST /creditor_bank_accounts`.
    pub(crate) fn create_creditor_bank_account(
        &mut self,
        body: &Record,
        now: Timestamp,
    ) -> Result<Record, Refusal> {
        let at = "/creditor_bank_accounts";
        let creditor = required_link(body, "creditor", at)?.to_owned();
        if creditor != self.creditor {
            return Err(Refusal::link_not_found(format!("{at}/links/creditor")));
        }
        let (number, country, currency) = account_details(body, at)?;
        let owner = ("creditor", creditor.as_str());
        if let Some(old) = self.same_account(Kind::CreditorBankAccounts, owner, &number) {
            return Err(Refusal::bank_account_exists("creditor_bank_account", &old));
        }
        let kind = Kind::CreditorBankAccounts;
        let id = self.insert_bank_account(kind, owner, body, &country, &currency, now);
        self.account_numbers.insert(id.clone(), number);
        self.set_verification(&id, "pending");
        if body.get("set_as_default_payout_account") == Some(&Value::Bool(true)) {
            let link = format!("default_{}_payout_account", currency.to_lowercase());
            if let Some(row) = self.store.get_mut(Kind::Creditors, &creditor) {
                row.set_link(&link, &id);
            }
        }
        self.found(kind, &id, now)
    }

    pub(crate) fn disable_creditor_bank_account(&mut self, id: &str) -> Result<(), Refusal> {
        self.disable(Kind::CreditorBankAccounts, id)
    }

    /// The creditor's verification changes; announced as `creditors.updated` (GC 4.5, GC 9.1).
    pub(crate) fn verify_creditor(&mut self, status: &str, now: Timestamp) {
        let creditor = self.creditor.clone();
        if let Some(row) = self.store.get_mut(Kind::Creditors, &creditor) {
            row.set("verification_status", status);
        }
        let happening = Happening::vendor("updated", "creditor_updated")
            .detail("property", "verification_status");
        self.emit(Kind::Creditors, &creditor, happening, now);
    }

    /// `GET /balances`: what is confirmed and what is under way, per currency (GC 2.14).
    pub(crate) fn list_balances(&self, page: &Page, now: Timestamp) -> Value {
        let mut balances: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for row in self.store.rows(Kind::Payments) {
            let kind = match row.text("status") {
                "submitted" => "pending_payments_submitted",
                "confirmed" => "confirmed_funds",
                _ => continue,
            };
            *balances.entry((row.text("currency"), kind)).or_default() += row.integer("amount");
        }
        for row in self.store.rows(Kind::Payouts) {
            if row.text("status") == "pending" {
                let entry = balances
                    .entry((row.text("currency"), "pending_payouts"))
                    .or_default();
                *entry += row.integer("amount");
            }
        }
        let wanted = page
            .link("creditor")
            .is_none_or(|creditor| creditor == self.creditor);
        let bodies: Vec<Value> = balances
            .into_iter()
            .filter(|_| wanted)
            .take(page.limit)
            .map(|((currency, kind), amount)| {
                json!({
                    "amount": amount,
                    "balance_type": kind,
                    "currency": currency,
                    "last_updated_at": stamp(now),
                    "links": { "creditor": self.creditor },
                })
            })
            .collect();
        self.envelope(Kind::Balances, &bodies, None, None, page.limit)
    }
}
