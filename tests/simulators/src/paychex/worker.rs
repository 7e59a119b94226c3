//! Hiring, changing, letting go (PX 4.7). Each change is announced at once and can be read after the lag.

use super::Simulator;
use super::records::{Kept, Name, PayRate, Status, Worker};
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

impl Simulator {
    /// Hires a worker: ACTIVE, HIRED from that day on. Gives the id and announces it.
    pub fn hire(
        &mut self,
        company: &str,
        employee_id: &str,
        name: (&str, &str),
        day: Date,
        now: Timestamp,
    ) -> String {
        let id = self.records.letters();
        let status = Status {
            id: Some(self.records.letters()),
            kind: "ACTIVE".to_owned(),
            reason: "HIRED".to_owned(),
            effective: day,
            order: 0,
        };
        let digits = self.records.workers.len() + 1;
        let worker = Worker {
            id: id.clone(),
            company: company.to_owned(),
            employee_id: Some(employee_id.to_owned()),
            worker_type: "EMPLOYEE".to_owned(),
            employment_type: Some("FULL_TIME".to_owned()),
            exemption_type: Some("NON_EXEMPT".to_owned()),
            name: Name {
                family: Some(name.1.to_owned()),
                given: name.0.to_owned(),
                middle: None,
            },
            hired: day,
            born: Date::constant(1980, 5, 17),
            // Numbers that begin with 9 are never issued.
            social_security_number: format!("900{digits:06}"),
            labor_assignment: None,
            location: None,
            job: None,
            job_title: None,
            organization: None,
            supervisor: None,
            history: vec![status],
            email: None,
            rates: Vec::new(),
            created: now.to_zoned(jiff::tz::TimeZone::UTC).date(),
        };
        self.records.workers.push(Kept {
            now: worker,
            before: None,
            visible_from: self.readable_from(now),
        });
        self.announce_worker(company, &id, "WRKR_EMPL", "ADD", now);
        id
    }

    /// Changes a worker and announces it in a domain: `WRKR_EMPL`, `WRKR_ASGN`, `WRKR_DEM` … (PX 6.4). Unknown ids
    /// change nothing.
    pub fn change_worker(
        &mut self,
        id: &str,
        domain: &str,
        change: impl FnOnce(&mut Worker),
        now: Timestamp,
    ) {
        let visible_from = self.readable_from(now);
        let Some(kept) = self
            .records
            .workers
            .iter_mut()
            .find(|kept| kept.now.id == id)
        else {
            return;
        };
        kept.before = kept.seen(now).cloned();
        kept.visible_from = visible_from;
        change(&mut kept.now);
        let company = kept.now.company.clone();
        self.announce_worker(&company, id, domain, "UPDATE", now);
    }

    /// Adds a status to a worker's history. One that begins later is in the history at once and current on its day.
    pub fn set_status(&mut self, id: &str, kind: &str, reason: &str, day: Date, now: Timestamp) {
        // A custom reason matches no status of the company (PX 4.7).
        let status_id = (reason != "CUSTOM_UNKNOWN").then(|| self.records.letters());
        let add = |worker: &mut Worker| {
            let same_day = worker.history.iter().filter(|own| own.effective == day);
            let order = u32::try_from(same_day.count()).unwrap_or(u32::MAX);
            worker.history.push(Status {
                id: status_id,
                kind: kind.to_owned(),
                reason: reason.to_owned(),
                effective: day,
                order,
            });
        };
        self.change_worker(id, "WRKR_EMPL", add, now);
    }

    /// Gives a worker another rate of pay. No notification exists for it (PX 6.4).
    pub fn add_rate(&mut self, id: &str, kind: &str, amount: Decimal, start: Date) {
        let rate = PayRate {
            id: self.records.numeral(),
            kind: kind.to_owned(),
            amount,
            start,
        };
        if let Some(kept) = self
            .records
            .workers
            .iter_mut()
            .find(|kept| kept.now.id == id)
        {
            kept.now.rates.push(rate);
        }
    }

    /// A worker as he or she is, whatever reads may see.
    pub fn worker(&self, id: &str) -> Option<&Worker> {
        self.records
            .workers
            .iter()
            .map(|kept| &kept.now)
            .find(|own| own.id == id)
    }

    /// Every worker of a company.
    pub fn workers(&self, company: &str) -> Vec<&Worker> {
        let own = self.records.workers.iter().map(|kept| &kept.now);
        own.filter(|own| own.company == company).collect()
    }
}
