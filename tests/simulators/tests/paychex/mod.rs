//! The payroll service.

mod checks;
mod hooks;
mod paging;
mod reads;
mod tokens;

use crate::support::{answer, json, request, start};
use jiff::Timestamp;
use jiff::civil::{Date, date};
use ml_connector_core::http::{HttpResponse, Method};
use ml_connector_simulators::paychex::{Effect, Line, Lines, Simulator, Switches, Tax};
use rust_decimal::Decimal;
use serde_json::Value;

pub(crate) const BASE: &str = "https://api.paychex.com";
pub(crate) const NONPII: &str = "application/vnd.paychex.workers.nonpii.v1+json";
pub(crate) const PROCESSED: &str = "application/vnd.paychex.payroll.processedchecks.v1+json";

/// A company with two organizations, two labor assignments and two workers.
pub(crate) struct World {
    pub(crate) px: Simulator,
    pub(crate) company: String,
    pub(crate) plant: String,
    pub(crate) machining: String,
    pub(crate) maintenance: String,
    pub(crate) day_shift: String,
    pub(crate) upkeep: String,
    pub(crate) workers: [String; 2],
    pub(crate) hourly: String,
    pub(crate) savings: String,
    pub(crate) matching: String,
    token: Option<String>,
}

pub(crate) fn world() -> World {
    world_with(Switches::default())
}

pub(crate) fn world_with(switches: Switches) -> World {
    let mut px = Simulator::new(switches, 7);
    let company = px.add_company("01234567", "NORTHWIND VALVE WORKS LLC");
    let plant = px.add_organization(&company, "2", "2 Plant East", None, start());
    let machining = px.add_organization(&company, "20", "20 Machining", Some(&plant), start());
    let maintenance = px.add_organization(&company, "30", "30 Maintenance", Some(&plant), start());
    let day_shift =
        px.add_labor_assignment(&company, "Machining day shift", Some(&machining), None);
    let upkeep = px.add_labor_assignment(&company, "Maintenance", Some(&maintenance), None);
    let hired = date(2021, 3, 15);
    let workers = [
        px.hire(&company, "318", ("Dana", "Okafor"), hired, start()),
        px.hire(&company, "319", ("Mara", "Lindqvist"), hired, start()),
    ];
    let hourly = px.add_component(&company, "Hourly", "REGULAR", Effect::Addition, start());
    let savings = px.add_component(&company, "401k EE", "_401K", Effect::Reduction, start());
    let matching = px.add_component(
        &company,
        "401k ER match",
        "_401K",
        Effect::EmployerInformational,
        start(),
    );
    World {
        px,
        company,
        plant,
        machining,
        maintenance,
        day_shift,
        upkeep,
        workers,
        hourly,
        savings,
        matching,
        token: None,
    }
}

pub(crate) fn money(text: &str) -> Decimal {
    text.parse().unwrap()
}

impl World {
    /// Asks for a token with a form.
    pub(crate) fn ask_token(&mut self, form: &str, now: Timestamp) -> HttpResponse {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let url = format!("{BASE}/auth/oauth/v2/token");
        answer(
            self.px
                .handle(&request(Method::Post, &url, &headers, form), now),
        )
    }

    pub(crate) fn fresh_token(&mut self, now: Timestamp) -> String {
        let form = "grant_type=client_credentials&client_id=key&client_secret=secret";
        let given = self.ask_token(form, now);
        json(&given)["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn call(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
        now: Timestamp,
    ) -> HttpResponse {
        if self.token.is_none() {
            self.token = Some(self.fresh_token(now));
        }
        let authorization = format!("Bearer {}", self.token.clone().unwrap());
        let mut all = vec![("Authorization", authorization.as_str())];
        all.extend(headers);
        let url = format!("{BASE}{path}");
        answer(self.px.handle(&request(method, &url, &all, body), now))
    }

    pub(crate) fn get(&mut self, path: &str, accept: &str) -> HttpResponse {
        self.call(Method::Get, path, &[("Accept", accept)], "", start())
    }

    /// A path under the company.
    pub(crate) fn own(&self, rest: &str) -> String {
        format!("/companies/{}/{rest}", self.company)
    }

    /// The content of an answer that must be one.
    pub(crate) fn content(&mut self, path: &str, accept: &str) -> Vec<Value> {
        let response = self.get(path, accept);
        assert_eq!(
            response.status,
            200,
            "{}",
            String::from_utf8_lossy(&response.body)
        );
        json(&response)["content"].as_array().unwrap().clone()
    }

    /// An open period of two weeks.
    pub(crate) fn open_period(&mut self) -> String {
        let days = (date(2026, 2, 16), date(2026, 3, 1));
        self.px
            .open_period(&self.company, Some("BI_WEEKLY"), days, pay_day())
    }

    /// The lines of the sheet's example, split over two labor assignments.
    pub(crate) fn lines(&self) -> Lines {
        let earning = |amount: &str, labor: &str, organization: &str| {
            Line::new(&self.hourly, money(amount)).at(Some(labor), Some(organization))
        };
        Lines {
            earnings: vec![
                earning("432.0", &self.day_shift, &self.machining),
                earning("288.0", &self.upkeep, &self.maintenance),
                earning("144.0", &self.day_shift, &self.machining),
            ],
            deductions: vec![Line::new(&self.savings, money("43.2"))],
            informational: vec![Line::new(&self.matching, money("25.92"))],
            taxes: vec![
                Tax::new("Employee Social Security Tax", false, money("53.57")),
                Tax::new("Federal Income Tax", false, money("102.08")),
                Tax::new("Employer Social Security Tax", true, money("53.57")),
            ],
        }
    }
}

pub(crate) fn pay_day() -> Date {
    date(2026, 3, 6)
}
