//! What the employer does in the service's own screens: masters, pay runs, reversals (PX 4.1 – 4.12). Tests steer the
//! simulator with these verbs; the API can do none of them.

use super::Simulator;
use super::records::{
    Address, Check, Company, Effect, Job, JobTitle, LaborAssignment, Line, Location, Organization,
    PayComponent, PayPeriod, PeriodStatus, Tax,
};
use super::settings::ReversalSign;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

impl Simulator {
    /// A company; gives its id.
    pub fn add_company(&mut self, display_id: &str, legal_name: &str) -> String {
        let id = self.records.letters();
        let company = Company {
            id: id.clone(),
            display_id: display_id.to_owned(),
            legal_name: legal_name.to_owned(),
            has_permission: true,
            ended: false,
        };
        self.records.companies.insert(id.clone(), company);
        id
    }

    /// A company, to change.
    pub fn company_mut(&mut self, id: &str) -> Option<&mut Company> {
        self.records.companies.get_mut(id)
    }

    /// An organization under another one, or at the top; gives its id and announces it.
    pub fn add_organization(
        &mut self,
        company: &str,
        number: &str,
        name: &str,
        parent: Option<&str>,
        now: Timestamp,
    ) -> String {
        let id = self.records.numeral();
        let level = if parent.is_some() {
            "Department"
        } else {
            "Division"
        };
        self.records.organizations.push(Organization {
            id: id.clone(),
            company: company.to_owned(),
            name: name.to_owned(),
            number: Some(number.to_owned()),
            level: Some(level.to_owned()),
            parent: parent.map(str::to_owned),
            gone: false,
        });
        self.announce_company(company, "CLT_ORG", "ADD", now);
        id
    }

    /// Changes an organization and announces it.
    pub fn change_organization(
        &mut self,
        id: &str,
        change: impl FnOnce(&mut Organization),
        now: Timestamp,
    ) {
        let found = self
            .records
            .organizations
            .iter_mut()
            .find(|own| own.id == id);
        let Some(organization) = found else { return };
        change(organization);
        let company = organization.company.clone();
        self.announce_company(&company, "CLT_ORG", "UPDATE", now);
    }

    /// A location; no notification exists for it (PX 4.3).
    pub fn add_location(&mut self, company: &str, name: &str, address: Address) -> String {
        let id = self.records.numeral();
        self.records.locations.push(Location {
            id: id.clone(),
            company: company.to_owned(),
            name: name.to_owned(),
            address,
            moved_in: None,
            moved_out: None,
        });
        id
    }

    /// A location, to change.
    pub fn location_mut(&mut self, id: &str) -> Option<&mut Location> {
        self.records.locations.iter_mut().find(|own| own.id == id)
    }

    /// A costing job; no notification exists for it (PX 6.4).
    pub fn add_job(&mut self, company: &str, name: &str, number: &[&str], start: Date) -> String {
        let id = self.records.numeral();
        self.records.jobs.push(Job {
            id: id.clone(),
            company: company.to_owned(),
            name: name.to_owned(),
            number: number.iter().map(|part| (*part).to_owned()).collect(),
            start: Some(start),
            end: None,
        });
        id
    }

    /// A job, to change.
    pub fn job_mut(&mut self, id: &str) -> Option<&mut Job> {
        self.records.jobs.iter_mut().find(|own| own.id == id)
    }

    /// A position.
    pub fn add_job_title(&mut self, company: &str, title: &str) -> String {
        let id = self.records.numeral();
        self.records.job_titles.push(JobTitle {
            id: id.clone(),
            company: company.to_owned(),
            title: title.to_owned(),
            start: None,
            end: None,
        });
        id
    }

    /// A labor assignment.
    pub fn add_labor_assignment(
        &mut self,
        company: &str,
        name: &str,
        organization: Option<&str>,
        location: Option<&str>,
    ) -> String {
        let id = self.records.numeral();
        self.records.labor_assignments.push(LaborAssignment {
            id: id.clone(),
            company: company.to_owned(),
            name: name.to_owned(),
            start: None,
            end: None,
            organization: organization.map(str::to_owned),
            position: None,
            location: location.map(str::to_owned),
        });
        id
    }

    /// A pay component; gives its id and announces it.
    pub fn add_component(
        &mut self,
        company: &str,
        name: &str,
        classification: &str,
        effect: Effect,
        now: Timestamp,
    ) -> String {
        let id = self.records.numeral();
        self.records.components.push(PayComponent {
            id: id.clone(),
            company: company.to_owned(),
            name: name.to_owned(),
            classification: classification.to_owned(),
            effect,
        });
        self.announce_company(company, "CLT_PAY_COMP", "ADD", now);
        id
    }

    /// A pay period in INITIAL; a special run where there is no interval (PX 9.1 no. 14).
    pub fn open_period(
        &mut self,
        company: &str,
        interval: Option<&str>,
        days: (Date, Date),
        check_date: Date,
    ) -> String {
        let id = self.records.numeral();
        let description = interval.map_or("Bonus Payroll", |_| "Bi-weekly Payroll (1)");
        self.records.periods.push(PayPeriod {
            id: id.clone(),
            company: company.to_owned(),
            interval: interval.map(str::to_owned),
            status: PeriodStatus::Initial,
            description: description.to_owned(),
            start: days.0,
            end: days.1,
            check_date,
            original: None,
            readable_from: Timestamp::MIN,
        });
        id
    }

    /// Enters a check into an open period, which is in ENTRY from then on; gives the id that it will have when it is
    /// processed. `None` if the period is closed.
    pub fn enter_check(&mut self, period: &str, worker: &str, lines: Lines) -> Option<String> {
        let mut periods = self.records.periods.iter_mut();
        let own = periods.find(|own| own.id == period)?;
        if !matches!(own.status, PeriodStatus::Initial | PeriodStatus::Entry) {
            return None;
        }
        own.status = PeriodStatus::Entry;
        Some(self.add_check(period, worker, lines))
    }

    /// A check in whatever period, also one that is closed: a manual check, entered afterwards. Gives its id.
    pub fn add_check(&mut self, period: &str, worker: &str, lines: Lines) -> String {
        let id = self.records.letters();
        let unprocessed_id = if self.switches.check_id_changes {
            self.records.numeral()
        } else {
            id.clone()
        };
        let number = self.records.printed();
        self.records.checks.push(Check {
            id: id.clone(),
            unprocessed_id,
            period: period.to_owned(),
            worker: worker.to_owned(),
            kind: "Regular".to_owned(),
            number,
            earnings: lines.earnings,
            deductions: lines.deductions,
            informational: lines.informational,
            taxes: lines.taxes,
        });
        id
    }

    /// Sends a period off: it cannot be read until it is done (PX 9.1 no. 30).
    pub fn process(&mut self, period: &str) {
        if let Some(own) = self.records.periods.iter_mut().find(|own| own.id == period) {
            own.status = PeriodStatus::Processing;
        }
    }

    /// Closes a period in this state and announces the pay run. Reads show it after the lag (PX 6.5).
    pub fn complete(&mut self, period: &str, status: PeriodStatus, now: Timestamp) {
        let readable = self.readable_from(now);
        let Some(own) = self.records.periods.iter_mut().find(|own| own.id == period) else {
            return;
        };
        own.status = status;
        own.readable_from = readable;
        let company = own.company.clone();
        self.announce_pay_run(&company, period, now);
    }

    /// Undoes checks of a completed period, all of them if none is named: the period turns REVERSED, and a companion
    /// with the opposite appears (PX 4.11). Gives the companion's id.
    pub fn reverse(&mut self, period: &str, only: &[&str], now: Timestamp) -> Option<String> {
        let readable = self.readable_from(now);
        let own = self
            .records
            .periods
            .iter_mut()
            .find(|own| own.id == period)?;
        if own.status != PeriodStatus::Completed && own.status != PeriodStatus::Reversed {
            return None;
        }
        own.status = PeriodStatus::Reversed;
        let mut companion = own.clone();
        companion.id = self.records.numeral();
        companion.interval = None;
        companion.status = PeriodStatus::Completed;
        "Reverse".clone_into(&mut companion.description);
        companion.original = Some(period.to_owned());
        companion.readable_from = readable;
        let undone: Vec<Check> = self
            .records
            .checks_of(period)
            .filter(|check| only.is_empty() || only.contains(&check.id.as_str()))
            .cloned()
            .collect();
        for mut check in undone {
            check.id = self.records.letters();
            check.unprocessed_id.clone_from(&check.id);
            check.period.clone_from(&companion.id);
            check.number = self.records.printed();
            if self.switches.reversal == ReversalSign::Negative {
                check.negate();
            }
            self.records.checks.push(check);
        }
        let (id, company) = (companion.id.clone(), companion.company.clone());
        self.records.periods.push(companion);
        self.announce_pay_run(&company, &id, now);
        Some(id)
    }

    /// Prints the checks of a completed period once more: REISSUED, other numbers, same money (PX 4.11).
    pub fn reissue(&mut self, period: &str, now: Timestamp) {
        let numbers: Vec<String> = (0..self.records.checks_of(period).count())
            .map(|_| self.records.printed())
            .collect();
        let own = self
            .records
            .checks
            .iter_mut()
            .filter(|own| own.period == period);
        for (check, number) in own.zip(numbers) {
            check.number = number;
        }
        self.complete(period, PeriodStatus::Reissued, now);
    }

    /// Changes a check, also one that is processed: that is not forbidden (PX 10.2 no. 14). Nothing is announced.
    pub fn amend_check(&mut self, id: &str, change: impl FnOnce(&mut Check)) {
        if let Some(check) = self.records.checks.iter_mut().find(|own| own.id == id) {
            change(check);
        }
    }

    /// Takes a check away, also one that is processed, as nothing forbids. Nothing is announced.
    pub fn remove_check(&mut self, id: &str) -> Option<Check> {
        let at = self.records.checks.iter().position(|own| own.id == id)?;
        Some(self.records.checks.remove(at))
    }

    /// Puts a check back as it was.
    pub fn put_back(&mut self, check: Check) {
        self.records.checks.push(check);
    }

    /// A pay period as it is, whatever reads may see.
    pub fn period(&self, id: &str) -> Option<&PayPeriod> {
        self.records.period(id)
    }

    /// Every pay period of a company.
    pub fn periods(&self, company: &str) -> Vec<&PayPeriod> {
        let own = self.records.periods.iter();
        own.filter(|own| own.company == company).collect()
    }

    pub(super) fn readable_from(&self, now: Timestamp) -> Timestamp {
        let lag = SignedDuration::try_from(self.switches.read_lag).unwrap_or(SignedDuration::MAX);
        now.checked_add(lag).unwrap_or(Timestamp::MAX)
    }
}

/// The lines of a check to be entered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// Earnings.
    pub earnings: Vec<Line>,
    /// Deductions.
    pub deductions: Vec<Line>,
    /// Informational lines.
    pub informational: Vec<Line>,
    /// Taxes.
    pub taxes: Vec<Tax>,
}

impl Line {
    /// A line of a component with this amount, distributed to nothing.
    pub fn new(component: &str, amount: Decimal) -> Self {
        Self {
            component: component.to_owned(),
            check_component: format!("9{}", component.get(1..).unwrap_or_default()),
            labor_assignment: None,
            organization: None,
            job: None,
            amount,
            rate: None,
            hours: None,
            memoed: false,
        }
    }

    /// The same line, distributed.
    #[must_use]
    pub fn at(mut self, labor_assignment: Option<&str>, organization: Option<&str>) -> Self {
        self.labor_assignment = labor_assignment.map(str::to_owned);
        self.organization = organization.map(str::to_owned);
        self
    }
}

impl Tax {
    /// A tax withheld from the worker, or owed by the employer.
    pub fn new(name: &str, employer: bool, amount: Decimal) -> Self {
        Self {
            name: name.to_owned(),
            employer,
            amount,
            labor_assignment: None,
            job: None,
        }
    }
}

impl Check {
    /// Turns every amount round.
    fn negate(&mut self) {
        let lines = self.earnings.iter_mut();
        let lines = lines
            .chain(&mut self.deductions)
            .chain(&mut self.informational);
        for line in lines {
            line.amount = -line.amount;
            line.hours = line.hours.map(|hours| -hours);
        }
        for tax in &mut self.taxes {
            tax.amount = -tax.amount;
        }
    }
}
