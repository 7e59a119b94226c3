//! Payouts: what waits for one, how one is made up, its items (GC 2.8, 2.9, 7).
//!
//! Everything that changes the merchant's balance becomes a waiting [`Line`]. A payout takes all waiting lines of one
//! currency, if their sum is positive; otherwise they wait for better days.

use super::Simulator;
use super::calendar::{add_working_days, date_of, months_before, stamp};
use super::error::Refusal;
use super::events::Happening;
use super::kind::Kind;
use super::list::Page;
use super::moves::{WrongState, missing};
use super::settings::Fees;
use jiff::Timestamp;
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Map, Value, json};

/// Items of older payouts are gone (GC 2.9).
const ITEMS_KEPT_MONTHS: i32 = 6;

/// Tax rate named on taxed items (GC 2.13).
pub(crate) const TAX_RATE: &str = "GB_VAT_1";

/// Something that the next payout of its currency will contain.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) currency: String,
    pub(crate) item: Item,
}

/// One item of a payout. Amounts are in minor units, signed, with one decimal (GC 2.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    kind: &'static str,
    amount: Decimal,
    /// Tax inside the amount, same sign.
    tax: Decimal,
    payment: Option<String>,
    mandate: Option<String>,
    refund: Option<String>,
}

impl Item {
    fn of_payment(kind: &'static str, amount: Decimal, payment: &str) -> Self {
        let payment = Some(payment.to_owned());
        Self {
            kind,
            amount,
            tax: Decimal::ZERO,
            payment,
            mandate: None,
            refund: None,
        }
    }
}

impl Simulator {
    /// A confirmed payment waits for a payout, with its fee (GC 7.2).
    pub(crate) fn earn(&mut self, payment: &str) {
        let Some((amount, currency)) = self.amount_of(payment) else {
            return;
        };
        self.wait(
            &currency,
            Item::of_payment("payment_paid_out", amount, payment),
        );
        if let Some(fees) = &self.settings.fees {
            let (fee, tax) = fee_of(fees, amount);
            let mut item = Item::of_payment("gocardless_fee", -fee, payment);
            item.tax = -tax;
            self.wait(&currency, item);
        }
    }

    /// A late failure or chargeback is taken back in a payout. A late failure gives the fee back, as in the worked
    /// example (GC 7.2); a chargeback does not (nothing says that it does).
    pub(crate) fn take_back(&mut self, payment: &str, kind: &'static str) {
        let Some((amount, currency)) = self.amount_of(payment) else {
            return;
        };
        self.wait(&currency, Item::of_payment(kind, -amount, payment));
        let Some(fees) = self.settings.fees.clone() else {
            return;
        };
        if kind == "payment_failed" {
            let (fee, tax) = fee_of(&fees, amount);
            let mut item = Item::of_payment("gocardless_fee", fee, payment);
            item.tax = tax;
            self.wait(&currency, item);
        }
        if !fees.surcharge_minor.is_zero() {
            let (fee, tax) = with_tax(&fees, fees.surcharge_minor);
            let mut item = Item::of_payment("surcharge_fee", -fee, payment);
            item.tax = -tax;
            self.wait(&currency, item);
        }
    }

    /// Nothing about this payment waits any longer.
    pub(crate) fn forget_lines(&mut self, payment: &str) {
        self.waiting_lines
            .retain(|line| line.item.payment.as_deref() != Some(payment));
    }

    /// A chargeback was withdrawn: what waits is forgotten; what was already taken comes back as
    /// `payment_paid_out`, which the sheet marks as unverified (GC 7.1).
    pub(crate) fn undo_charge_back(&mut self, payment: &str) {
        let waits = |line: &Line| {
            line.item.kind == "payment_charged_back"
                && line.item.payment.as_deref() == Some(payment)
        };
        if self.waiting_lines.iter().any(waits) {
            self.waiting_lines.retain(|line| !waits(line));
        } else if let Some((amount, currency)) = self.amount_of(payment) {
            self.wait(
                &currency,
                Item::of_payment("payment_paid_out", amount, payment),
            );
        }
    }

    /// A refund is taken from a payout (GC 7.1).
    pub(crate) fn owe_refund(&mut self, refund: &str) {
        if let Some((mut item, currency)) = self.refund_item(refund) {
            item.amount = -item.amount;
            self.wait(&currency, item);
        }
    }

    /// A bounced refund comes back if it was taken; if it still waits, it is not taken at all.
    pub(crate) fn refund_bounced(&mut self, refund: &str) {
        let before = self.waiting_lines.len();
        self.waiting_lines
            .retain(|line| line.item.refund.as_deref() != Some(refund));
        if self.waiting_lines.len() == before
            && let Some((mut item, currency)) = self.refund_item(refund)
        {
            item.kind = "refund_funds_returned";
            self.wait(&currency, item);
        }
    }

    fn refund_item(&self, refund: &str) -> Option<(Item, String)> {
        let row = self.store.get(Kind::Refunds, refund)?;
        let payment = row.link("payment").map(str::to_owned);
        let item = Item {
            kind: if payment.is_some() {
                "payment_refunded"
            } else {
                "refund"
            },
            amount: Decimal::from(row.integer("amount")),
            tax: Decimal::ZERO,
            payment,
            mandate: row.link("mandate").map(str::to_owned),
            refund: Some(refund.to_owned()),
        };
        Some((item, row.text("currency").to_owned()))
    }

    fn amount_of(&self, payment: &str) -> Option<(Decimal, String)> {
        let row = self.store.get(Kind::Payments, payment)?;
        Some((
            Decimal::from(row.integer("amount")),
            row.text("currency").to_owned(),
        ))
    }

    fn wait(&mut self, currency: &str, item: Item) {
        self.waiting_lines.push(Line {
            currency: currency.to_owned(),
            item,
        });
    }

    /// Whether a payment has been in a payout.
    pub(crate) fn is_in_payout(&self, payment: &str) -> bool {
        let row = self.store.get(Kind::Payments, payment);
        row.is_some_and(|row| row.link("payout").is_some())
    }

    /// Pays out everything that waits in one currency. `None` if nothing waits or the sum is not positive: then it
    /// waits on. An exchanged payout stays `pending` although its `paid` event is out (GC 4.5); see
    /// [`Simulator::confirm_fx`].
    pub fn pay_out(&mut self, currency: &str, now: Timestamp) -> Option<String> {
        let items: Vec<Item> = self
            .waiting_lines
            .iter()
            .filter(|line| line.currency == currency)
            .map(|line| line.item.clone())
            .collect();
        let net: Decimal = items.iter().map(|item| item.amount).sum();
        let net = whole(net);
        if items.is_empty() || net <= Decimal::ZERO {
            return None;
        }
        self.waiting_lines.retain(|line| line.currency != currency);
        let gross: Decimal = items
            .iter()
            .filter(|item| !is_fee(item.kind))
            .map(|item| item.amount)
            .sum();
        let id = self.insert_payout(net, gross - net, currency, now);
        let paid = self.emit(
            Kind::Payouts,
            &id,
            Happening::vendor("paid", "payout_paid"),
            now,
        );
        self.settle_items(&id, &items, &paid, now);
        self.payout_items.insert(id.clone(), items);
        Some(id)
    }

    fn insert_payout(
        &mut self,
        net: Decimal,
        fees: Decimal,
        currency: &str,
        now: Timestamp,
    ) -> String {
        const LETTERS: &[u8] = b"23456789ABCDEFGHJKMNPQRSTVWXYZ";
        let id = self.store.fresh_id(Kind::Payouts.prefix());
        let code = self.entropy.text(LETTERS, 5);
        let fx_currency = self
            .settings
            .fx_payout_currency
            .filter(|fx| *fx != currency);
        let account_currency = fx_currency.unwrap_or(currency);
        let account = self.payout_account(account_currency, now);
        let record = json!({
            "id": id,
            "created_at": stamp(now),
            "amount": minor(net),
            "deducted_fees": minor(fees),
            "currency": currency,
            "status": if fx_currency.is_some() { "pending" } else { "paid" },
            "arrival_date": add_working_days(date_of(now), 1).to_string(),
            "reference": format!("{}-{code}", self.settings.bank_reference_prefix),
            "payout_type": "merchant",
            "tax_currency": self.settings.tax_currency,
            "metadata": {},
            "fx": {
                "fx_currency": fx_currency,
                "fx_amount": null,
                "exchange_rate": null,
                "estimated_exchange_rate": null,
            },
            "links": { "creditor": self.creditor, "creditor_bank_account": account },
        });
        if let Value::Object(record) = record {
            self.store.insert(Kind::Payouts, now, record);
        }
        id
    }

    /// The events that say what went into the payout; each names the payout's event (GC 4.4).
    fn settle_items(&mut self, payout: &str, items: &[Item], paid: &str, now: Timestamp) {
        for item in items {
            let payment = item.payment.clone().unwrap_or_default();
            let refund = item.refund.clone().unwrap_or_default();
            let happening = match item.kind {
                "payment_paid_out" => {
                    if let Some(row) = self.store.get_mut(Kind::Payments, &payment) {
                        row.set_link("payout", payout);
                    }
                    let happening = Happening::vendor("paid_out", "payment_paid_out");
                    if self.settings.paid_out_names_payout {
                        happening.link("payout", payout)
                    } else {
                        happening
                    }
                }
                "payment_failed" => {
                    Happening::vendor("late_failure_settled", "late_failure_settled")
                }
                "payment_charged_back" => {
                    Happening::vendor("chargeback_settled", "chargeback_settled")
                }
                "payment_refunded" | "refund" => {
                    Happening::vendor("refund_settled", "refund_settled")
                }
                "refund_funds_returned" => {
                    Happening::vendor("funds_returned", "refund_funds_returned")
                }
                "surcharge_fee" => {
                    let happening =
                        Happening::vendor("surcharge_fee_debited", "surcharge_fee_debited");
                    self.emit(Kind::Payments, &payment, happening.parent(Some(paid)), now);
                    continue;
                }
                _ => continue,
            };
            let happening = happening.parent(Some(paid));
            // A payment that was charged back meanwhile keeps its status; the line alone tells.
            if refund.is_empty() {
                self.move_payment(&payment, happening, now).ok();
            } else {
                self.advance(Kind::Refunds, &refund, happening, now).ok();
            }
        }
    }

    /// The rate of an exchanged payout is final: amount, rate and status `paid`, event `fx_rate_confirmed` (GC 4.5).
    pub fn confirm_fx(
        &mut self,
        payout: &str,
        rate: Decimal,
        now: Timestamp,
    ) -> Result<(), WrongState> {
        let row = self
            .store
            .get_mut(Kind::Payouts, payout)
            .ok_or_else(|| missing(Kind::Payouts, payout))?;
        let status = row.text("status").to_owned();
        let fx_currency = row
            .body
            .get("fx")
            .and_then(|fx| fx.get("fx_currency"))
            .cloned();
        if status != "pending" || fx_currency.as_ref().is_none_or(Value::is_null) {
            return Err(WrongState::Status {
                kind: "payout",
                id: payout.to_owned(),
                status,
                action: "fx_rate_confirmed",
            });
        }
        let amount = whole(Decimal::from(row.integer("amount")) * rate);
        row.set(
            "fx",
            json!({
                "fx_currency": fx_currency,
                "fx_amount": minor(amount),
                "exchange_rate": rate.to_string(),
                "estimated_exchange_rate": null,
            }),
        );
        row.set("status", "paid");
        let happening = Happening::vendor("fx_rate_confirmed", "payout_fx_rate_confirmed");
        self.emit(Kind::Payouts, payout, happening, now);
        Ok(())
    }

    /// The tax authority's rate is known; only where `tax_currency` differs from `currency` (GC 4.5, GC 7.2).
    pub fn confirm_tax_rates(
        &mut self,
        payout: &str,
        rate: Decimal,
        now: Timestamp,
    ) -> Result<(), WrongState> {
        let row = self
            .store
            .get_mut(Kind::Payouts, payout)
            .ok_or_else(|| missing(Kind::Payouts, payout))?;
        if row.text("tax_currency").is_empty() || row.text("tax_currency") == row.text("currency") {
            return Err(WrongState::Status {
                kind: "payout",
                id: payout.to_owned(),
                status: row.text("status").to_owned(),
                action: "tax_exchange_rates_confirmed",
            });
        }
        self.tax_rates.insert(payout.to_owned(), rate);
        let happening = Happening::vendor(
            "tax_exchange_rates_confirmed",
            "payout_tax_exchange_rates_confirmed",
        );
        self.emit(Kind::Payouts, payout, happening, now);
        Ok(())
    }

    /// The bank sends the payout back: status `bounced`, announced on the creditor (GC 4.5).
    pub fn bounce_payout(&mut self, payout: &str, now: Timestamp) -> Result<(), WrongState> {
        let row = self
            .store
            .get_mut(Kind::Payouts, payout)
            .ok_or_else(|| missing(Kind::Payouts, payout))?;
        let status = row.text("status").to_owned();
        if status != "paid" {
            let (id, action) = (payout.to_owned(), "bounced");
            return Err(WrongState::Status {
                kind: "payout",
                id,
                status,
                action,
            });
        }
        row.set("status", "bounced");
        let creditor = self.creditor.clone();
        let happening = Happening::vendor("bounced_payout", "bounced_payout");
        self.emit(Kind::Creditors, &creditor, happening, now);
        Ok(())
    }

    /// `GET /payout_items`: 410 for payouts older than six months; the cursor is opaque (GC 2.9, GC 3).
    pub(crate) fn list_payout_items(&self, page: &Page, now: Timestamp) -> Result<Value, Refusal> {
        let payout = page.link("payout").unwrap_or_default();
        let row = self
            .store
            .get(Kind::Payouts, payout)
            .ok_or_else(Refusal::not_found)?;
        if row.created < months_before(now, ITEMS_KEPT_MONTHS) {
            return Err(Refusal::usage(
                410,
                "resource_not_found",
                "The items of this payout are gone",
            ));
        }
        let items = self.payout_items.get(payout).map_or(&[][..], Vec::as_slice);
        let place = |cursor: &str| {
            cursor
                .strip_prefix("item_")
                .and_then(|at| at.parse::<usize>().ok())
                .filter(|at| *at < items.len())
                .ok_or_else(|| Refusal::filter("unknown cursor"))
        };
        let mut start = page
            .after
            .as_deref()
            .map(place)
            .transpose()?
            .map_or(0, |at| at + 1);
        let mut end = items.len().min(start + page.limit);
        if let Some(before) = page.before.as_deref().map(place).transpose()? {
            end = before;
            start = start.max(end.saturating_sub(page.limit));
        }
        let currency = row.text("currency");
        let tax_currency = row.text("tax_currency");
        let bodies: Vec<Value> = items
            .get(start..end)
            .unwrap_or(&[])
            .iter()
            .map(|item| self.item_body(item, currency, tax_currency, payout))
            .collect();
        let before = (start > 0).then(|| format!("item_{start}"));
        let after = (end < items.len() && end > start).then(|| format!("item_{}", end - 1));
        Ok(self.envelope(
            Kind::PayoutItems,
            &bodies,
            before.as_deref(),
            after.as_deref(),
            page.limit,
        ))
    }

    fn item_body(&self, item: &Item, currency: &str, tax_currency: &str, payout: &str) -> Value {
        let mut links = Map::new();
        if let Some(payment) = &item.payment {
            links.insert("payment".to_owned(), json!(payment));
        }
        if item.refund.is_some() {
            links.insert("mandate".to_owned(), json!(item.mandate));
            links.insert("refund".to_owned(), json!(item.refund));
        }
        let mut taxes = Vec::new();
        if !item.tax.is_zero() {
            let rate = self.tax_rates.get(payout).copied();
            let same = currency == tax_currency;
            // Null until the tax authority's rate is confirmed, where the currencies differ (GC 7.2).
            let destination = if same {
                Some(item.tax)
            } else {
                rate.map(|rate| item.tax * rate)
            };
            taxes.push(json!({
                "amount": tenths(item.tax),
                "currency": currency,
                "destination_amount": destination.map(tenths),
                "destination_currency": tax_currency,
                "exchange_rate": rate.filter(|_| !same).map(|rate| rate.to_string()),
                "tax_rate_id": TAX_RATE,
            }));
        }
        json!({
            "type": item.kind,
            "amount": tenths(item.amount),
            "taxes": taxes,
            "links": links,
        })
    }
}

fn is_fee(kind: &str) -> bool {
    matches!(kind, "gocardless_fee" | "surcharge_fee" | "app_fee")
}

/// Fee with its tax, and the tax in it, both to a tenth of a minor unit (GC 7.2).
fn fee_of(fees: &Fees, amount: Decimal) -> (Decimal, Decimal) {
    let share = amount * fees.percent / Decimal::ONE_HUNDRED;
    with_tax(fees, tenth(share + fees.fixed_minor))
}

fn with_tax(fees: &Fees, net: Decimal) -> (Decimal, Decimal) {
    let percent = fees.tax_percent.unwrap_or_default();
    let tax = tenth(net * percent / Decimal::ONE_HUNDRED);
    (net + tax, tax)
}

fn tenth(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(1, RoundingStrategy::MidpointAwayFromZero)
}

/// Whole minor units. The rule at exactly .5 is unverified (GC 7.2).
fn whole(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero)
}

/// `"-78.6"`: signed, one decimal (GC 2.9).
fn tenths(amount: Decimal) -> String {
    format!("{:.1}", tenth(amount))
}

fn minor(amount: Decimal) -> i64 {
    amount.to_i64().unwrap_or(0)
}
