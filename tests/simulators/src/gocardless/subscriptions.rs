//! Subscriptions (GC 2.5).

use super::Simulator;
use super::calendar::{add_working_days, date_of, forward, is_working_day, parse_date, stamp};
use super::error::Refusal;
use super::events::Happening;
use super::fields::required_link;
use super::kind::Kind;
use super::payments::Maker;
use super::store::{Record, Row, text};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde_json::{Map, Value, json};

/// The amount can be changed so often (GC 2.5).
const AMENDMENTS_MAX: i64 = 10;

/// `upcoming_payments` shows so many (GC 2.5).
const UPCOMING_MAX: usize = 10;

impl Simulator {
    /// `POST /subscriptions`.
    pub(crate) fn create_subscription(
        &mut self,
        body: &Record,
        now: Timestamp,
    ) -> Result<Record, Refusal> {
        let at = "/subscriptions";
        let mandate = required_link(body, "mandate", at)?.to_owned();
        let scheme = self.usable_mandate(&mandate, &format!("{at}/links/mandate"))?;
        let mut errors = Vec::new();
        let mut wrong = |member: &str, message: &str| {
            errors.push((format!("{at}/{member}"), message.to_owned()));
        };
        let integer = |name: &str| body.get(name).and_then(Value::as_i64);
        if integer("amount").is_none_or(|amount| amount < 1) {
            wrong("amount", "must be greater than 0");
        }
        if text(body, "currency") != scheme.currency {
            wrong("currency", "does not fit the mandate");
        }
        if integer("interval").is_some_and(|interval| interval < 1) {
            wrong("interval", "must be at least 1");
        }
        if integer("day_of_month").is_some_and(|day| day != -1 && !(1..=28).contains(&day)) {
            wrong("day_of_month", "must be from 1 to 28, or -1");
        }
        let yearly = text(body, "interval_unit") == "yearly";
        if body.contains_key("month") && !yearly {
            wrong("month", "is only for yearly subscriptions");
        }
        let next = self.next_possible_charge_date(&mandate);
        let start = parse_date(text(body, "start_date"));
        if start.zip(next).is_some_and(|(start, next)| start < next) {
            wrong(
                "start_date",
                "must be on or after the mandate's next possible date",
            );
        }
        if !errors.is_empty() {
            return Err(Refusal::fields(errors));
        }
        let start = start.or(next).unwrap_or_else(|| date_of(now));
        let id = self.insert_subscription(body, start, now);
        let happening = Happening::api("created", "subscription_created", body);
        self.emit(Kind::Subscriptions, &id, happening, now);
        self.found(Kind::Subscriptions, &id, now)
    }

    fn insert_subscription(&mut self, body: &Record, start: Date, now: Timestamp) -> String {
        let id = self.store.fresh_id(Kind::Subscriptions.prefix());
        let member = |name: &str| body.get(name).cloned().unwrap_or(Value::Null);
        let or = |name: &str, default: Value| body.get(name).cloned().unwrap_or(default);
        let record = json!({
            "id": id,
            "created_at": stamp(now),
            "amount": member("amount"),
            "currency": member("currency"),
            "name": member("name"),
            "status": "active",
            "start_date": start.to_string(),
            "end_date": member("end_date"),
            "interval": or("interval", json!(1)),
            "interval_unit": member("interval_unit"),
            "day_of_month": member("day_of_month"),
            "month": member("month"),
            "count": member("count"),
            "payment_reference": member("payment_reference"),
            "app_fee": member("app_fee"),
            "retry_if_possible": or("retry_if_possible", json!(false)),
            "earliest_charge_date_after_resume": null,
            "parent_plan_paused": false,
            "upcoming_payments": [],
            "metadata": or("metadata", json!({})),
            "links": member("links"),
        });
        if let Value::Object(record) = record {
            self.store.insert(Kind::Subscriptions, now, record);
        }
        self.plan_upcoming(&id);
        id
    }

    /// Rewrites `upcoming_payments` from what was made so far.
    fn plan_upcoming(&mut self, id: &str) {
        let made = self.made_by(id);
        let Some(row) = self.store.get(Kind::Subscriptions, id) else {
            return;
        };
        let left = row
            .body
            .get("count")
            .and_then(Value::as_i64)
            .map_or(UPCOMING_MAX, |count| {
                usize::try_from(count).unwrap_or(0).saturating_sub(made)
            });
        let shown = if row.text("status") == "active" {
            left.min(UPCOMING_MAX)
        } else {
            0
        };
        let amount = row.integer("amount");
        let upcoming: Vec<Value> = (made..made + shown)
            .filter_map(|at| charge_date(row, at))
            .map(|date| json!({ "charge_date": date.to_string(), "amount": amount }))
            .collect();
        if let Some(row) = self.store.get_mut(Kind::Subscriptions, id) {
            row.set("upcoming_payments", upcoming);
        }
    }

    fn made_by(&self, id: &str) -> usize {
        let rows = self.store.rows(Kind::Payments).iter();
        rows.filter(|row| row.link("subscription") == Some(id))
            .count()
    }

    /// Makes the payments that are due: one by one as they come within reach of their mandate's next possible date,
    /// each announced by `payment_created` (GC 2.5).
    pub fn run_subscriptions(&mut self, now: Timestamp) -> Vec<String> {
        let active: Vec<String> = self
            .store
            .rows(Kind::Subscriptions)
            .iter()
            .filter(|row| row.text("status") == "active")
            .map(|row| row.id.clone())
            .collect();
        let mut made = Vec::new();
        for id in active {
            while let Some(payment) = self.next_of(&id, now) {
                made.push(payment);
            }
        }
        made
    }

    fn next_of(&mut self, id: &str, now: Timestamp) -> Option<String> {
        let row = self.store.get(Kind::Subscriptions, id)?;
        let upcoming = row
            .body
            .get("upcoming_payments")?
            .as_array()?
            .first()?
            .clone();
        let date = parse_date(upcoming.get("charge_date")?.as_str()?)?;
        let mandate = row.link("mandate")?.to_owned();
        let scheme = self.usable_mandate(&mandate, "").ok()?;
        let reach = add_working_days(date_of(now), scheme.charge_days + 1);
        if date > reach {
            return None;
        }
        let mut body = Map::new();
        for (to, from) in [
            ("amount", "amount"),
            ("currency", "currency"),
            ("description", "name"),
        ] {
            body.insert(
                to.to_owned(),
                row.body.get(from).cloned().unwrap_or(Value::Null),
            );
        }
        body.insert("charge_date".to_owned(), json!(date.to_string()));
        if let Some(reference) = row
            .body
            .get("payment_reference")
            .filter(|value| !value.is_null())
        {
            body.insert("reference".to_owned(), reference.clone());
        }
        let maker = Maker::Subscription(id.to_owned());
        let payment = self.insert_payment(&body, scheme, &mandate, &maker, now);
        let happening =
            Happening::vendor("payment_created", "payment_created").link("payment", &payment);
        self.emit(Kind::Subscriptions, id, happening, now);
        self.plan_upcoming(id);
        let count = self
            .store
            .get(Kind::Subscriptions, id)?
            .body
            .get("count")
            .and_then(Value::as_i64);
        if count
            .is_some_and(|count| usize::try_from(count).is_ok_and(|most| self.made_by(id) >= most))
        {
            let happening = Happening::vendor("finished", "subscription_finished");
            self.end_subscription(id, "finished", happening, now);
        }
        Some(payment)
    }

    /// Ends a subscription that has not ended yet.
    pub(crate) fn end_subscription(
        &mut self,
        id: &str,
        status: &str,
        happening: Happening,
        now: Timestamp,
    ) {
        let Some(row) = self.store.get_mut(Kind::Subscriptions, id) else {
            return;
        };
        if matches!(
            row.text("status"),
            "cancelled" | "finished" | "customer_approval_denied"
        ) {
            return;
        }
        row.set("status", status);
        row.set("upcoming_payments", Vec::<Value>::new());
        self.emit(Kind::Subscriptions, id, happening, now);
    }

    /// The amount may change ten times, and only while the subscription lives (GC 2.5).
    pub(crate) fn check_subscription_update(&self, id: &str, body: &Record) -> Result<(), Refusal> {
        let row = self
            .store
            .get(Kind::Subscriptions, id)
            .ok_or_else(Refusal::not_found)?;
        let ended = matches!(row.text("status"), "cancelled" | "finished");
        if ended && body.keys().any(|member| member != "metadata") {
            return Err(Refusal::state(
                "subscription_not_active",
                "The subscription has ended",
            ));
        }
        let changes_amount = body
            .get("amount")
            .is_some_and(|new| row.body.get("amount") != Some(new));
        let before = self
            .store
            .rows(Kind::Events)
            .iter()
            .filter(|event| {
                event.text("action") == "amended" && event.link("subscription") == Some(id)
            })
            .count();
        if changes_amount && i64::try_from(before).unwrap_or(i64::MAX) >= AMENDMENTS_MAX {
            return Err(Refusal::state(
                "number_of_subscription_amendments_exceeded",
                "The amount was changed too often",
            ));
        }
        Ok(())
    }

    pub(crate) fn subscription_amended(&mut self, id: &str, now: Timestamp) {
        self.plan_upcoming(id);
        let happening = Happening::api("amended", "subscription_amended", &Map::new());
        self.emit(Kind::Subscriptions, id, happening, now);
    }

    pub(crate) fn act_on_subscription(
        &mut self,
        id: &str,
        name: &str,
        body: &Record,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let status = self.status(Kind::Subscriptions, id).to_owned();
        let (from, to, refused): (&[&str], &str, _) = match name {
            "pause" => (&["active"], "paused", "subscription_cannot_be_paused"),
            "resume" => (&["paused"], "active", "subscription_not_active"),
            _ => (
                &["active", "paused", "pending_customer_approval"],
                "cancelled",
                "cancellation_failed",
            ),
        };
        if matches!(status.as_str(), "cancelled" | "finished") && name != "cancel" {
            return Err(Refusal::state(
                "subscription_already_ended",
                "The subscription has ended",
            ));
        }
        if !from.contains(&status.as_str()) {
            return Err(Refusal::state(
                refused,
                "The subscription is not in a fitting state",
            ));
        }
        let (action, cause) = match name {
            "pause" => ("paused", "subscription_paused"),
            "resume" => ("resumed", "subscription_resumed"),
            _ => ("cancelled", "subscription_cancelled"),
        };
        if let Some(row) = self.store.get_mut(Kind::Subscriptions, id) {
            row.set("status", to);
        }
        self.plan_upcoming(id);
        self.emit(
            Kind::Subscriptions,
            id,
            Happening::api(action, cause, body),
            now,
        );
        Ok(())
    }
}

/// The date of the payment with this number. Weekends move forward; the last day of a month moves back (GC 2.5).
fn charge_date(row: &Row, at: usize) -> Option<Date> {
    let start = parse_date(row.text("start_date"))?;
    let steps = i32::try_from(at).ok()? * i32::try_from(row.integer("interval").max(1)).ok()?;
    let date = match row.text("interval_unit") {
        "weekly" => start.checked_add(steps.weeks()),
        "yearly" => start.checked_add(steps.years()),
        _ => start.checked_add(steps.months()),
    };
    let date = date.ok()?;
    match row.body.get("day_of_month").and_then(Value::as_i64) {
        Some(-1) => {
            let mut last = date.last_of_month();
            while !is_working_day(last) {
                last = last.yesterday().ok()?;
            }
            Some(last)
        }
        Some(day) => {
            let mut own = date.with().day(i8::try_from(day).ok()?).build().ok()?;
            if own < start {
                own = own.checked_add(1.month()).ok()?;
            }
            Some(forward(own))
        }
        None => Some(forward(date)),
    }
}
