//! Customers and their bank accounts (GC 2.1, 2.2).

use super::Simulator;
use super::calendar::stamp;
use super::error::Refusal;
use super::events::Happening;
use super::fields::{link, required_link};
use super::kind::Kind;
use super::store::{Record, text};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Members of a customer in the order in which they are sent (GC 2.1).
const MEMBERS: [&str; 15] = [
    "email",
    "given_name",
    "family_name",
    "company_name",
    "address_line1",
    "address_line2",
    "address_line3",
    "city",
    "region",
    "postal_code",
    "country_code",
    "language",
    "phone_number",
    "swedish_identity_number",
    "danish_identity_number",
];

/// Countries whose local details are enough, with their currency (GC 9.3).
const COUNTRIES: [(&str, &str); 8] = [
    ("GB", "GBP"),
    ("US", "USD"),
    ("SE", "SEK"),
    ("AU", "AUD"),
    ("NZ", "NZD"),
    ("DK", "DKK"),
    ("CA", "CAD"),
    ("DE", "EUR"),
];

impl Simulator {
    /// `POST /customers`. Duplicates are fine (GC 2.1).
    pub(crate) fn create_customer(
        &mut self,
        body: &Record,
        now: Timestamp,
    ) -> Result<Record, Refusal> {
        check_names(body)?;
        let id = self.store.fresh_id(Kind::Customers.prefix());
        let mut record = Map::new();
        record.insert("id".to_owned(), json!(id));
        record.insert("created_at".to_owned(), json!(stamp(now)));
        for member in MEMBERS {
            record.insert(
                member.to_owned(),
                body.get(member).cloned().unwrap_or(Value::Null),
            );
        }
        if text(&record, "language").is_empty() {
            record.insert(
                "language".to_owned(),
                json!(language_of(text(body, "country_code"))),
            );
        }
        let metadata = body.get("metadata").cloned().unwrap_or_else(|| json!({}));
        record.insert("metadata".to_owned(), metadata);
        self.store.insert(Kind::Customers, now, record);
        self.found(Kind::Customers, &id, now)
    }

    /// An update must leave a customer that could have been created.
    pub(crate) fn check_customer_update(&self, id: &str, body: &Record) -> Result<(), Refusal> {
        let mut whole = self
            .store
            .get(Kind::Customers, id)
            .map(|row| row.body.clone())
            .unwrap_or_default();
        whole.extend(body.clone());
        check_names(&whole)
    }

    /// `DELETE`: for good; gone from lists afterwards (GC 2.1).
    pub(crate) fn remove_customer(&mut self, id: &str, now: Timestamp) {
        let mandates: Vec<String> = self
            .store
            .rows(Kind::Mandates)
            .iter()
            .filter(|row| row.link("customer") == Some(id))
            .map(|row| row.id.clone())
            .collect();
        for mandate in mandates {
            // Dead mandates stay as they are.
            let happening = Happening::api("cancelled", "mandate_cancelled", &Map::new());
            self.move_mandate(&mandate, happening, now).ok();
        }
        if let Some(row) = self.store.get_mut(Kind::Customers, id) {
            row.removed = true;
        }
    }

    /// `POST /customer_bank_accounts`.
    pub(crate) fn create_customer_bank_account(
        &mut self,
        body: &Record,
        now: Timestamp,
    ) -> Result<Record, Refusal> {
        let at = "/customer_bank_accounts";
        if link(body, "customer_bank_account_token").is_some() {
            // Tokens come from the vendor's page scripts, which nothing here plays.
            return Err(Refusal::link_not_found(format!(
                "{at}/links/customer_bank_account_token"
            )));
        }
        let customer = required_link(body, "customer", at)?.to_owned();
        let row = self.store.get(Kind::Customers, &customer);
        if row.is_none_or(|row| row.removed) {
            return Err(Refusal::link_not_found(format!("{at}/links/customer")));
        }
        let (number, country, currency) = account_details(body, at)?;
        let owner = ("customer", customer.as_str());
        if let Some(old) = self.same_account(Kind::CustomerBankAccounts, owner, &number) {
            return Err(Refusal::bank_account_exists("customer_bank_account", &old));
        }
        let id = self.insert_bank_account(
            Kind::CustomerBankAccounts,
            owner,
            body,
            &country,
            &currency,
            now,
        );
        self.account_numbers.insert(id.clone(), number);
        self.found(Kind::CustomerBankAccounts, &id, now)
    }

    /// An account of the same owner with the same number.
    pub(crate) fn same_account(
        &self,
        kind: Kind,
        owner: (&str, &str),
        number: &str,
    ) -> Option<String> {
        let rows = self.store.rows(kind).iter();
        rows.filter(|row| row.link(owner.0) == Some(owner.1))
            .find(|row| {
                self.account_numbers
                    .get(&row.id)
                    .is_some_and(|own| own == number)
            })
            .map(|row| row.id.clone())
    }

    /// Writes an account. Only the end of the number is ever shown (GC 2.2).
    pub(crate) fn insert_bank_account(
        &mut self,
        kind: Kind,
        owner: (&str, &str),
        body: &Record,
        country: &str,
        currency: &str,
        now: Timestamp,
    ) -> String {
        let id = self.store.fresh_id(kind.prefix());
        let number = match text(body, "iban") {
            "" => text(body, "account_number"),
            iban => iban,
        };
        let shown = if currency == "NZD" { 4 } else { 2 };
        let ending: String = {
            let digits: Vec<char> = number.chars().filter(char::is_ascii_alphanumeric).collect();
            digits
                .iter()
                .skip(digits.len().saturating_sub(shown))
                .collect()
        };
        let account_type = body
            .get("account_type")
            .filter(|_| currency == "USD")
            .cloned();
        let record = json!({
            "id": id,
            "created_at": stamp(now),
            "account_holder_name": text(body, "account_holder_name"),
            "account_number_ending": ending,
            "account_type": account_type,
            "bank_name": "TEST BANK PLC",
            "country_code": country,
            "currency": currency,
            "enabled": true,
            "metadata": body.get("metadata").cloned().unwrap_or_else(|| json!({})),
            "links": { owner.0: owner.1 },
        });
        if let Value::Object(record) = record {
            self.store.insert(kind, now, record);
        }
        id
    }

    /// `disable` also cancels the mandates and their payments; a second time is `disable_failed` (GC 2.2).
    pub(crate) fn disable_customer_bank_account(
        &mut self,
        id: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.disable(Kind::CustomerBankAccounts, id)?;
        let mandates: Vec<String> = self
            .store
            .rows(Kind::Mandates)
            .iter()
            .filter(|row| row.link("customer_bank_account") == Some(id))
            .map(|row| row.id.clone())
            .collect();
        for mandate in mandates {
            let happening = Happening::api("cancelled", "bank_account_closed", &Map::new());
            self.move_mandate(&mandate, happening, now).ok();
        }
        Ok(())
    }

    /// Sets `enabled` to false.
    pub(crate) fn disable(&mut self, kind: Kind, id: &str) -> Result<(), Refusal> {
        let row = self
            .store
            .get_mut(kind, id)
            .ok_or_else(Refusal::not_found)?;
        if row.body.get("enabled") == Some(&Value::Bool(false)) {
            return Err(Refusal::state(
                "disable_failed",
                "The bank account is already disabled",
            ));
        }
        row.set("enabled", false);
        Ok(())
    }
}

/// A company name, or both personal names (GC 2.1).
fn check_names(body: &Record) -> Result<(), Refusal> {
    if !text(body, "company_name").is_empty() {
        return Ok(());
    }
    let missing: Vec<(String, String)> = ["given_name", "family_name"]
        .into_iter()
        .filter(|name| text(body, name).is_empty())
        .map(|name| (format!("/customers/{name}"), "can't be blank".to_owned()))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Refusal::fields(missing))
    }
}

/// Number, country and currency from an IBAN or local details (GC 2.2).
pub(crate) fn account_details(
    body: &Record,
    at: &str,
) -> Result<(String, String, String), Refusal> {
    let mut missing = Vec::new();
    let mut require = |name: &str| {
        if text(body, name).is_empty() {
            missing.push((format!("{at}/{name}"), "is required".to_owned()));
        }
    };
    require("account_holder_name");
    let iban: String = text(body, "iban")
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    let country = if iban.is_empty() {
        require("country_code");
        require("account_number");
        text(body, "country_code").to_owned()
    } else {
        iban.chars().take(2).collect()
    };
    let known = COUNTRIES.iter().find(|(code, _)| *code == country);
    let currency = match text(body, "currency") {
        "" => known.map_or("EUR", |(_, currency)| *currency).to_owned(),
        currency => currency.to_owned(),
    };
    if currency == "USD" {
        require("account_type");
    }
    if !missing.is_empty() {
        return Err(Refusal::fields(missing));
    }
    if !iban.is_empty() && !(15..=34).contains(&iban.len()) {
        return Err(Refusal::field(format!("{at}/iban"), "is not a valid IBAN"));
    }
    let local = [
        text(body, "bank_code"),
        text(body, "branch_code"),
        text(body, "account_number"),
    ];
    let number = if iban.is_empty() {
        local.join("/")
    } else {
        iban
    };
    Ok((number, country, currency))
}

fn language_of(country: &str) -> &'static str {
    match country {
        "DE" | "AT" => "de",
        "FR" => "fr",
        "ES" => "es",
        "IT" => "it",
        "NL" => "nl",
        "PT" => "pt",
        "SE" => "sv",
        "DK" => "da",
        "NO" => "nb",
        "SI" => "sl",
        _ => "en",
    }
}
