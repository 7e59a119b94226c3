//! Instalment schedules (GC 2.12).

use super::Simulator;
use super::calendar::{date_of, forward, parse_date, stamp};
use super::error::Refusal;
use super::events::Happening;
use super::fields::{integer, required_link};
use super::kind::Kind;
use super::payments::Maker;
use super::store::{Record, text};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde_json::{Map, Value, json};

impl Simulator {
    /// `POST /instalment_schedules`: `pending` at first, the payments come with [`Simulator::run_schedules`].
    pub(crate) fn create_instalment_schedule(
        &mut self,
        body: &Record,
        now: Timestamp,
    ) -> Result<Record, Refusal> {
        let at = "/instalment_schedules";
        let mandate = required_link(body, "mandate", at)?.to_owned();
        let scheme = self.usable_mandate(&mandate, &format!("{at}/links/mandate"))?;
        if text(body, "currency") != scheme.currency {
            return Err(Refusal::field(
                format!("{at}/currency"),
                "does not fit the mandate",
            ));
        }
        let first = self
            .next_possible_charge_date(&mandate)
            .unwrap_or_else(|| date_of(now));
        let instalments = read_instalments(body, first, at)?;
        let sum: i64 = instalments.iter().map(|(_, amount)| amount).sum();
        if body.get("total_amount").and_then(Value::as_i64) != Some(sum) {
            return Err(Refusal::field(
                format!("{at}/total_amount"),
                "must equal the sum",
            ));
        }
        let customer = self
            .store
            .get(Kind::Mandates, &mandate)
            .and_then(|row| row.link("customer"));
        let links = json!({ "mandate": mandate, "customer": customer });
        let id = self.store.fresh_id(Kind::InstalmentSchedules.prefix());
        let record = json!({
            "id": id,
            "created_at": stamp(now),
            "name": text(body, "name"),
            "currency": text(body, "currency"),
            "total_amount": sum,
            "status": "pending",
            "payment_errors": {},
            "metadata": body.get("metadata").cloned().unwrap_or_else(|| json!({})),
            "links": links,
        });
        if let Value::Object(record) = record {
            self.store.insert(Kind::InstalmentSchedules, now, record);
        }
        self.planned_instalments.insert(id.clone(), instalments);
        self.found(Kind::InstalmentSchedules, &id, now)
    }

    /// Creation is asynchronous: turns pending schedules into `active` ones with their payments, or into
    /// `creation_failed` with errors keyed by instalment (GC 2.12).
    pub fn run_schedules(&mut self, now: Timestamp) {
        for (id, instalments) in std::mem::take(&mut self.planned_instalments) {
            let Some(row) = self.store.get(Kind::InstalmentSchedules, &id) else {
                continue;
            };
            if row.text("status") != "pending" {
                continue;
            }
            let mandate = row.link("mandate").unwrap_or_default().to_owned();
            let currency = row.text("currency").to_owned();
            let next = self.next_possible_charge_date(&mandate);
            let errors: Map<String, Value> = instalments
                .iter()
                .enumerate()
                .filter(|(_, (date, _))| next.is_none_or(|next| *date < next))
                .map(|(at, _)| {
                    let error = json!([{ "field": "charge_date", "message": "is too early" }]);
                    (at.to_string(), error)
                })
                .collect();
            let usable = self.usable_mandate(&mandate, "").ok();
            let Some(scheme) = usable.filter(|_| errors.is_empty()) else {
                self.schedule_failed(&id, errors, now);
                continue;
            };
            let maker = Maker::Instalments(id.clone());
            let mut payments = Vec::new();
            for (date, amount) in instalments {
                let mut body = Map::new();
                body.insert("amount".to_owned(), json!(amount));
                body.insert("currency".to_owned(), json!(currency));
                body.insert("charge_date".to_owned(), json!(date.to_string()));
                payments.push(self.insert_payment(&body, scheme, &mandate, &maker, now));
            }
            if let Some(row) = self.store.get_mut(Kind::InstalmentSchedules, &id) {
                row.set("status", "active");
                if let Some(links) = row.body.get_mut("links").and_then(Value::as_object_mut) {
                    links.insert("payments".to_owned(), json!(payments));
                }
            }
            let happening = Happening::api("created", "instalment_schedule_created", &Map::new());
            self.emit(Kind::InstalmentSchedules, &id, happening, now);
        }
    }

    fn schedule_failed(&mut self, id: &str, errors: Map<String, Value>, now: Timestamp) {
        if let Some(row) = self.store.get_mut(Kind::InstalmentSchedules, id) {
            row.set("status", "creation_failed");
            row.set("payment_errors", errors);
        }
        let cause = "instalment_schedule_creation_failed";
        let happening = Happening::api("creation_failed", cause, &Map::new());
        self.emit(Kind::InstalmentSchedules, id, happening, now);
    }

    pub(crate) fn cancel_instalment_schedule(
        &mut self,
        id: &str,
        body: &Record,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if !matches!(
            self.status(Kind::InstalmentSchedules, id),
            "pending" | "active"
        ) {
            return Err(Refusal::state(
                "cancellation_failed",
                "The schedule cannot be cancelled",
            ));
        }
        let payments: Vec<String> = self
            .store
            .rows(Kind::Payments)
            .iter()
            .filter(|row| row.link("instalment_schedule") == Some(id))
            .filter(|row| row.text("status") == "pending_submission")
            .map(|row| row.id.clone())
            .collect();
        let happening = Happening::api("cancelled", "instalment_schedule_cancelled", body);
        self.end_schedule(id, happening, now);
        for payment in payments {
            let happening =
                Happening::api("cancelled", "instalment_schedule_cancelled", &Map::new());
            self.move_payment(&payment, happening, now).ok();
        }
        Ok(())
    }

    /// Ends a schedule that has not ended yet.
    pub(crate) fn end_schedule(&mut self, id: &str, happening: Happening, now: Timestamp) {
        let Some(row) = self.store.get_mut(Kind::InstalmentSchedules, id) else {
            return;
        };
        if !matches!(row.text("status"), "pending" | "active") {
            return;
        }
        row.set("status", "cancelled");
        self.emit(Kind::InstalmentSchedules, id, happening, now);
    }
}

/// An array of dated amounts, or an object that says how to space them (GC 2.12).
fn read_instalments(body: &Record, first: Date, at: &str) -> Result<Vec<(Date, i64)>, Refusal> {
    let pointer = format!("{at}/instalments");
    let typed = || Refusal::incorrectly_typed(&pointer);
    match body.get("instalments") {
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| {
                let item = item.as_object().ok_or_else(typed)?;
                for key in item.keys() {
                    if !["charge_date", "amount", "description"].contains(&key.as_str()) {
                        let message = format!("{key} is not a permitted key");
                        return Err(Refusal::field(format!("{pointer}/{key}"), message));
                    }
                }
                let amount = item.get("amount").and_then(integer).ok_or_else(typed)?;
                let date = match text(item, "charge_date") {
                    "" => first,
                    date => parse_date(date)
                        .ok_or_else(|| Refusal::field(&pointer, "is not a valid date"))?,
                };
                Ok((forward(date), amount))
            })
            .collect(),
        Some(Value::Object(plan)) => {
            let start = parse_date(text(plan, "start_date")).unwrap_or(first);
            let interval = plan.get("interval").and_then(integer).unwrap_or(1);
            let interval = i32::try_from(interval).map_err(|_| typed())?;
            let amounts = plan
                .get("amounts")
                .and_then(Value::as_array)
                .ok_or_else(typed)?;
            let mut instalments = Vec::new();
            for (number, amount) in amounts.iter().enumerate() {
                let steps = interval * i32::try_from(number).map_err(|_| typed())?;
                let date = match text(plan, "interval_unit") {
                    "weekly" => start.checked_add(steps.weeks()),
                    "yearly" => start.checked_add(steps.years()),
                    "monthly" => start.checked_add(steps.months()),
                    _ => {
                        return Err(Refusal::field(
                            format!("{pointer}/interval_unit"),
                            "is required",
                        ));
                    }
                };
                let date = date.map_err(|_| typed())?;
                instalments.push((forward(date), integer(amount).ok_or_else(typed)?));
            }
            Ok(instalments)
        }
        _ => Err(typed()),
    }
}
