//! What tests and the demonstration tell the simulated world to do.

use super::Simulator;
use super::calendar::{add_working_days, date_of, to_millis};
use super::events::{Happening, Origin};
use super::kind::Kind;
use super::moves::WrongState;
use super::payments::Maker;
use super::schemes;
use super::store::{Record, text};
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde_json::{Map, json};

/// A payer to set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// Company name.
    pub name: String,
    /// Electronic mail address.
    pub email: String,
    /// Currency of the bank account; decides the scheme (GC 8.2).
    pub currency: String,
    /// Metadata of the customer.
    pub metadata: Vec<(String, String)>,
}

impl Party {
    /// A payer with that name and currency.
    pub fn new(name: impl Into<String>, currency: impl Into<String>) -> Self {
        let email = "accounts@payer.example".to_owned();
        Self {
            name: name.into(),
            email,
            currency: currency.into(),
            metadata: Vec::new(),
        }
    }
}

/// A payment that was collected: confirmed, or paid out already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// `PM…`.
    pub payment: String,
    /// `MD…`.
    pub mandate: String,
    /// `CU…`.
    pub customer: String,
    /// Minor units.
    pub amount_minor: i64,
    /// ISO code.
    pub currency: String,
    /// When it was charged.
    pub charge_date: Option<Date>,
}

impl Collected {
    /// The amount in major units; all eight currencies have two decimals (GC 8.1).
    pub fn amount(&self) -> Decimal {
        Decimal::new(self.amount_minor, 2)
    }
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// When.
    pub at: Timestamp,
    /// To what, in the plural, e.g. `payments`.
    pub resource: &'a str,
    /// What, e.g. `confirmed`.
    pub action: &'a str,
    /// Why, in the vendor's word.
    pub cause: &'a str,
    /// The payment that it names.
    pub payment: Option<&'a str>,
    /// The refund that it names.
    pub refund: Option<&'a str>,
}

impl Simulator {
    /// A customer with a bank account and an active mandate. Gives customer and mandate; `None` if the currency has no
    /// scheme.
    pub fn add_payer(&mut self, party: &Party, now: Timestamp) -> Option<(String, String)> {
        let now = to_millis(now);
        let scheme = schemes::of_currency(&party.currency)?;
        let metadata: Record = party
            .metadata
            .iter()
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect();
        let mut body = Map::new();
        body.insert("company_name".to_owned(), json!(party.name));
        body.insert("email".to_owned(), json!(party.email));
        body.insert("metadata".to_owned(), json!(metadata));
        let customer = text(&self.create_customer(&body, now).ok()?, "id").to_owned();
        let mut account = self.test_account(party);
        account.insert("links".to_owned(), json!({ "customer": customer }));
        let account = text(
            &self.create_customer_bank_account(&account, now).ok()?,
            "id",
        )
        .to_owned();
        let mandate = self.insert_mandate(
            &account,
            scheme.name,
            "pending_submission",
            &Map::new(),
            now,
        );
        self.emit(
            Kind::Mandates,
            &mandate,
            Happening::api("created", "mandate_created", &Map::new()),
            now,
        );
        self.activate(&mandate, now).ok()?;
        Some((customer, mandate))
    }

    /// Bank details that validation accepts, different for every call.
    pub(crate) fn test_account(&mut self, party: &Party) -> Record {
        let number = format!("{:08}", self.entropy.below(100_000_000));
        let details = match party.currency.as_str() {
            "EUR" => json!({ "iban": format!("DE8937040044{number}00") }),
            "USD" => json!({
                "country_code": "US",
                "bank_code": "026073150",
                "account_number": number,
                "account_type": "checking",
            }),
            "SEK" => {
                json!({ "country_code": "SE", "branch_code": "5491", "account_number": number })
            }
            "AUD" => {
                json!({ "country_code": "AU", "branch_code": "082082", "account_number": number })
            }
            "NZD" => {
                json!({ "country_code": "NZ", "bank_code": "12", "branch_code": "3113", "account_number": number })
            }
            "DKK" => json!({ "country_code": "DK", "bank_code": "345", "account_number": number }),
            "CAD" => {
                json!({ "country_code": "CA", "bank_code": "0003", "branch_code": "00006", "account_number": number })
            }
            _ => json!({ "country_code": "GB", "branch_code": "200000", "account_number": number }),
        };
        let mut account = details.as_object().cloned().unwrap_or_default();
        account.insert("account_holder_name".to_owned(), json!(party.name));
        account
    }

    /// The bank accepts a mandate.
    pub fn activate(&mut self, mandate: &str, now: Timestamp) -> Result<(), WrongState> {
        let now = to_millis(now);
        if self.status(Kind::Mandates, mandate) == "pending_submission" {
            let happening = Happening::vendor("submitted", "mandate_submitted");
            self.move_mandate(mandate, happening, now)?;
        }
        let happening = Happening::vendor("active", "mandate_activated");
        self.move_mandate(mandate, happening, now).map(|_| ())
    }

    /// The payer tells the bank to stop.
    pub fn cancel_mandate_at_bank(
        &mut self,
        mandate: &str,
        now: Timestamp,
    ) -> Result<(), WrongState> {
        let happening = Happening::new("cancelled", Origin::Bank, "mandate_cancelled");
        self.move_mandate(mandate, happening, to_millis(now))
            .map(|_| ())
    }

    /// Someone creates a payment in the dashboard. Gives its id; `None` if the mandate cannot be used.
    pub fn collect_payment(
        &mut self,
        mandate: &str,
        amount_minor: i64,
        metadata: &[(&str, &str)],
        now: Timestamp,
    ) -> Option<String> {
        let now = to_millis(now);
        self.roll_day(now);
        let scheme = self.usable_mandate(mandate, "").ok()?;
        let metadata: Record = metadata
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect();
        let mut body = Map::new();
        body.insert("amount".to_owned(), json!(amount_minor));
        body.insert("currency".to_owned(), json!(scheme.currency));
        body.insert("metadata".to_owned(), json!(metadata));
        // Reckoned from the given moment, which may lie before what the simulator has seen already.
        let charge_date = add_working_days(date_of(now), scheme.charge_days);
        body.insert("charge_date".to_owned(), json!(charge_date.to_string()));
        Some(self.insert_payment(&body, scheme, mandate, &Maker::Api, now))
    }

    /// The payment is sent to the bank.
    pub fn submit(&mut self, payment: &str, now: Timestamp) -> Result<(), WrongState> {
        let happening = Happening::vendor("submitted", "payment_submitted");
        self.move_payment(payment, happening, to_millis(now))
            .map(|_| ())
    }

    /// The money was collected; submits first where that has not happened.
    pub fn confirm(&mut self, payment: &str, now: Timestamp) -> Result<(), WrongState> {
        if self.status(Kind::Payments, payment) == "pending_submission" {
            self.submit(payment, now)?;
        }
        let happening = Happening::vendor("confirmed", "payment_confirmed");
        self.move_payment(payment, happening, to_millis(now))
            .map(|_| ())
    }

    /// The bank refuses a payment, early or late; submits first where that has not happened.
    pub fn fail(&mut self, payment: &str, cause: &str, now: Timestamp) -> Result<(), WrongState> {
        if self.status(Kind::Payments, payment) == "pending_submission" {
            self.submit(payment, now)?;
        }
        self.fail_payment(payment, Origin::Bank, cause, false, to_millis(now))
            .map(|_| ())
    }

    /// The bank refuses a payment for lack of funds and the vendor tries again by itself: `failed` with
    /// `will_attempt_retry`, then `resubmission_requested` (GC 10 no. 5).
    pub fn fail_and_retry(&mut self, payment: &str, now: Timestamp) -> Result<(), WrongState> {
        let now = to_millis(now);
        if self.status(Kind::Payments, payment) == "pending_submission" {
            self.submit(payment, now)?;
        }
        self.fail_payment(payment, Origin::Bank, "refer_to_payer", true, now)?;
        let happening = Happening::vendor("resubmission_requested", "payment_autoretried");
        self.resubmit(payment, happening, &Map::new(), now)
    }

    /// The payer gets the money back through the bank.
    pub fn charge_back(
        &mut self,
        payment: &str,
        cause: &str,
        now: Timestamp,
    ) -> Result<(), WrongState> {
        let happening = Happening::new("charged_back", Origin::Bank, cause);
        self.move_payment(payment, happening, to_millis(now))
            .map(|_| ())
    }

    /// The chargeback is withdrawn.
    pub fn cancel_charge_back(&mut self, payment: &str, now: Timestamp) -> Result<(), WrongState> {
        let happening = Happening::vendor("chargeback_cancelled", "payment_confirmed");
        self.move_payment(payment, happening, to_millis(now))
            .map(|_| ())
    }

    /// Pays out even if only reversals wait, by letting another payer's payment of sufficient size be confirmed first;
    /// the scenario simulators promise a settlement at once (GC 9.1).
    pub(crate) fn force_pay_out(&mut self, currency: &str, now: Timestamp) -> Option<String> {
        if let Some(payout) = self.pay_out(currency, now) {
            return Some(payout);
        }
        let party = Party::new("Scenario Filler Ltd", currency);
        let (_, mandate) = self.add_payer(&party, now)?;
        let filler = self.collect_payment(&mandate, self.settings.payment_max_minor, &[], now)?;
        self.confirm(&filler, now).ok()?;
        self.pay_out(currency, now)
    }

    /// Everything that has happened, oldest first.
    pub fn events(&self) -> impl Iterator<Item = Event<'_>> {
        self.store.rows(Kind::Events).iter().map(|row| Event {
            at: row.created,
            resource: row.text("resource_type"),
            action: row.text("action"),
            cause: row
                .body
                .get("details")
                .and_then(|details| details.get("cause")?.as_str())
                .unwrap_or_default(),
            payment: row.link("payment"),
            refund: row.link("refund"),
        })
    }

    /// What the payer has got of a payment by refunds that have not come back, in major units.
    pub fn refunded(&self, payment: &str) -> Decimal {
        let mut sum = 0;
        for event in self.events().filter(|own| own.resource == "refunds") {
            let sign = match event.action {
                "paid" => 1,
                "funds_returned" => -1,
                _ => continue,
            };
            let refund = event
                .refund
                .and_then(|id| self.store.get(Kind::Refunds, id));
            let refund = refund.filter(|row| row.link("payment") == Some(payment));
            sum += sign * refund.map_or(0, |row| row.integer("amount"));
        }
        Decimal::new(sum, 2)
    }

    /// The customer who owes a payment.
    pub fn payer_of(&self, payment: &str) -> Option<&str> {
        let payment = self.store.get(Kind::Payments, payment)?;
        let mandate = self.store.get(Kind::Mandates, payment.link("mandate")?)?;
        mandate.link("customer")
    }

    /// Every payment that was collected and not lost again, oldest first.
    pub fn collected(&self) -> Vec<Collected> {
        let rows = self.store.rows(Kind::Payments).iter();
        rows.filter(|row| matches!(row.text("status"), "confirmed" | "paid_out"))
            .map(|row| Collected {
                payment: row.id.clone(),
                mandate: row.link("mandate").unwrap_or_default().to_owned(),
                customer: self.payer_of(&row.id).unwrap_or_default().to_owned(),
                amount_minor: row.integer("amount"),
                currency: row.text("currency").to_owned(),
                charge_date: super::calendar::parse_date(row.text("charge_date")),
            })
            .collect()
    }
}
