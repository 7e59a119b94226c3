//! Resources as answers show them (PX 4).

use super::envelope::{Object, link};
use super::records::{
    Check, Company, Job, JobTitle, LaborAssignment, Line, Location, Organization, PayComponent,
    PayPeriod, PayRate, PeriodStatus, Records, Status, Worker,
};
use super::settings::Switches;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

/// What every projection needs to know.
pub(crate) struct View<'a> {
    pub(crate) records: &'a Records,
    pub(crate) switches: &'a Switches,
    pub(crate) now: Timestamp,
}

/// A calendar day as a date-time at midnight (PX 8).
pub(crate) fn midnight(day: Date) -> String {
    format!("{day}T00:00:00Z")
}

impl View<'_> {
    pub(crate) fn today(&self) -> Date {
        self.now.to_zoned(jiff::tz::TimeZone::UTC).date()
    }

    fn object(&self) -> Object<'_> {
        Object::new(self.switches)
    }

    pub(crate) fn href(&self, path: &str) -> String {
        format!("{}{path}", self.switches.link_base)
    }

    pub(crate) fn company(&self, own: &Company) -> Value {
        let own_href = self.href(&format!("/companies/{}", own.id));
        self.object()
            .put("companyId", own.id.clone())
            .put("displayId", own.display_id.clone())
            .put("legalName", own.legal_name.clone())
            .put("hasPermission", own.has_permission)
            .put(
                "legalId",
                json!({ "legalIdType": "FEIN", "legalIdValue": "000000000" }),
            )
            .put(
                "links",
                json!([
                    link("self", &own_href),
                    link("workers", &format!("{own_href}/workers"))
                ]),
            )
            .done()
    }

    /// The tree is in the links alone (PX 4.2).
    pub(crate) fn organization(&self, own: &Organization) -> Value {
        let href = |id: &str| self.href(&format!("/companies/{}/organizations/{id}", own.company));
        let mut links = vec![link("self", &href(&own.id))];
        links.extend(own.parent.as_ref().map(|id| link("parent", &href(id))));
        let below = self.records.organizations.iter();
        let below = below.filter(|other| other.parent.as_ref() == Some(&own.id) && !other.gone);
        links.extend(below.map(|other| link("child", &href(&other.id))));
        let numbered = self.switches.organization_numbers;
        self.object()
            .put("organizationId", own.id.clone())
            .put("name", own.name.clone())
            .maybe("number", own.number.clone().filter(|_| numbered))
            .maybe("level", own.level.clone().filter(|_| numbered))
            .put("links", links)
            .done()
    }

    /// As it is embedded in workers and lines (PX 4.2).
    fn short_organization(&self, id: &str) -> Option<Value> {
        let own = self.records.organization(id)?;
        Some(json!({ "organizationId": own.id, "name": own.name }))
    }

    pub(crate) fn location(&self, own: &Location) -> Value {
        let address = json!({
            "streetLineOne": own.address.street,
            "city": own.address.city,
            "postalCode": own.address.postal_code,
            "countrySubdivisionCode": own.address.state,
            "countryCode": "US",
        });
        self.object()
            .put("locationId", own.id.clone())
            .put("name", own.name.clone())
            .put("address", address)
            .maybe("movedIn", own.moved_in.map(midnight))
            .maybe("movedOut", own.moved_out.map(midnight))
            .done()
    }

    pub(crate) fn job(&self, own: &Job) -> Value {
        let number: serde_json::Map<String, Value> = own
            .number
            .iter()
            .enumerate()
            .map(|(at, part)| (format!("segment{}", at + 1), json!(part)))
            .collect();
        self.object()
            .put("jobId", own.id.clone())
            .put("jobName", own.name.clone())
            .maybe("startDate", own.start.map(midnight))
            .maybe("endDate", own.end.map(midnight))
            .put("jobNumber", number)
            .done()
    }

    pub(crate) fn job_title(&self, own: &JobTitle) -> Value {
        self.object()
            .put("jobTitleId", own.id.clone())
            .put("title", own.title.clone())
            .maybe("startDate", own.start.map(midnight))
            .maybe("endDate", own.end.map(midnight))
            .done()
    }

    pub(crate) fn labor_assignment(&self, own: &LaborAssignment) -> Value {
        self.object()
            .put("laborAssignmentId", own.id.clone())
            .put("name", own.name.clone())
            .maybe("startDate", own.start.map(midnight))
            .maybe("endDate", own.end.map(midnight))
            .maybe("organizationId", own.organization.clone())
            .maybe("positionId", own.position.clone())
            .maybe("locationId", own.location.clone())
            .done()
    }

    pub(crate) fn component(&self, own: &PayComponent) -> Value {
        self.object()
            .put("componentId", own.id.clone())
            .put("name", own.name.clone())
            .put("classificationType", own.classification.clone())
            .put("effectOnPay", own.effect.word())
            .put("startDate", "2016-01-01T00:00:00Z")
            .put("appliesToWorkerTypes", json!(["EMPLOYEE"]))
            .done()
    }

    fn status(&self, own: &Status, with_order: bool) -> Value {
        self.object()
            .maybe("workerStatusId", own.id.clone())
            .put("statusType", own.kind.clone())
            .put("statusReason", own.reason.clone())
            .put("effectiveDate", midnight(own.effective))
            .maybe("order", with_order.then_some(own.order))
            .done()
    }

    /// Every status, latest first, future ones too (PX 4.7).
    pub(crate) fn history(&self, own: &Worker) -> Vec<Value> {
        let mut history: Vec<&Status> = own.history.iter().collect();
        history.sort_by_key(|status| std::cmp::Reverse((status.effective, status.order)));
        history
            .into_iter()
            .map(|status| self.status(status, true))
            .collect()
    }

    /// A worker in one of the five projections (PX 3.2, 4.7).
    pub(crate) fn worker(&self, own: &Worker, media: &str) -> Value {
        let communications = media.contains("communications") || media.ends_with("roster");
        if media.ends_with("roster") {
            return self
                .object()
                .maybe("employeeId", own.employee_id.clone())
                .put("name", self.name(own))
                .put("communications", Self::communications(own))
                .done();
        }
        let full = !media.contains("nonpii");
        let href = |path: &str| self.href(&format!("/workers/{}{path}", own.id));
        let mut links = vec![
            link("self", &href("")),
            link("communications", &href("/communications")),
        ];
        let boss = own
            .supervisor
            .as_ref()
            .and_then(|id| self.records.worker(id, self.now));
        links.extend(
            boss.map(|own| link("supervisor", &self.href(&format!("/workers/{}", own.id)))),
        );
        let legal = json!({ "legalIdType": "SSN", "legalIdValue": own.social_security_number });
        let title = own.job_title.as_ref().and_then(|id| {
            let title = self.records.job_titles.iter().find(|own| own.id == *id)?;
            Some(json!({ "jobTitleId": title.id, "title": title.title }))
        });
        let object = self
            .object()
            .put("workerId", own.id.clone())
            .maybe("employeeId", own.employee_id.clone())
            .maybe("clockId", own.employee_id.clone())
            .put("workerType", own.worker_type.clone())
            .maybe("employmentType", own.employment_type.clone())
            .maybe("exemptionType", own.exemption_type.clone());
        let object = if full {
            object
                .put("workState", "NY")
                .put("birthDate", midnight(own.born))
                .put("sex", "NOT_SPECIFIED")
                .put("legalId", legal)
        } else {
            object
        };
        let object = object
            .put("hireDate", midnight(own.hired))
            .put("name", self.name(own))
            .maybe("laborAssignmentId", own.labor_assignment.clone())
            .maybe("locationId", own.location.clone())
            .maybe("jobId", own.job.clone())
            .maybe("job", title)
            .maybe(
                "organization",
                own.organization
                    .as_deref()
                    .and_then(|id| self.short_organization(id)),
            )
            .maybe(
                "supervisor",
                boss.map(|boss| json!({ "workerId": boss.id, "name": self.name(boss) })),
            )
            .maybe(
                "currentStatus",
                own.status_on(self.today())
                    .map(|status| self.status(status, false)),
            )
            .put("links", links);
        if communications {
            object
                .put("communications", Self::communications(own))
                .done()
        } else {
            object.done()
        }
    }

    fn name(&self, own: &Worker) -> Value {
        self.object()
            .maybe("familyName", own.name.family.clone())
            .put("givenName", own.name.given.clone())
            .maybe("middleName", own.name.middle.clone())
            .done()
    }

    pub(crate) fn communications(own: &Worker) -> Vec<Value> {
        let mail = own.email.iter().map(|uri| {
            json!({ "communicationId": format!("00MAIL{}", own.id.get(6..).unwrap_or_default()),
                "type": "EMAIL", "usageType": "BUSINESS", "uri": uri })
        });
        mail.collect()
    }

    pub(crate) fn rate(&self, own: &PayRate, at: usize) -> Value {
        self.object()
            .put("rateId", own.id.clone())
            .put("startDate", midnight(own.start))
            .put("rateNumber", format!("RATE_{}", at + 1))
            .put("rateType", own.kind.clone())
            .put("amount", own.amount.to_string())
            .put("default", at == 0)
            .done()
    }

    /// The state that reads see: a closed period is still being processed until its data is there (PX 6.5).
    pub(crate) fn period_status(&self, own: &PayPeriod) -> PeriodStatus {
        if own.status.closed() && self.now < own.readable_from {
            PeriodStatus::Processing
        } else {
            own.status
        }
    }

    pub(crate) fn period(&self, own: &PayPeriod) -> Value {
        let count = self.records.checks_of(&own.id).count();
        let submit = own
            .check_date
            .checked_sub(jiff::Span::new().days(2))
            .unwrap_or(own.check_date);
        self.object()
            .put("payPeriodId", own.id.clone())
            .maybe("intervalCode", own.interval.clone())
            .put("status", self.period_status(own).word())
            .put("description", own.description.clone())
            .put("startDate", midnight(own.start))
            .put("endDate", midnight(own.end))
            .put("submitByDate", midnight(submit))
            .put("checkDate", midnight(own.check_date))
            .put("checkCount", count)
            .maybe("originalPayPeriodID", own.original.clone())
            .done()
    }

    /// A check before it is processed: other names, no taxes, no net pay (PX 4.12).
    pub(crate) fn unprocessed_check(&self, own: &Check) -> Value {
        let lines = |lines: &[Line]| -> Vec<Value> {
            lines
                .iter()
                .map(|line| {
                    self.object()
                        .put("componentId", line.component.clone())
                        .put("checkComponentId", line.check_component.clone())
                        .maybe("laborAssignmentId", line.labor_assignment.clone())
                        .put("payAmount", line.amount.to_string())
                        .maybe("payRate", line.rate.map(|rate| rate.to_string()))
                        .maybe("payHours", line.hours.map(|hours| hours.to_string()))
                        .done()
                })
                .collect()
        };
        self.object()
            .put("workerId", own.worker.clone())
            .put("paycheckId", own.unprocessed_id.clone())
            .put("payPeriodId", own.period.clone())
            .put("blockAutoDistribution", false)
            .put("earnings", lines(&own.earnings))
            .put("deductions", lines(&own.deductions))
            .put("informational", lines(&own.informational))
            .done()
    }

    pub(crate) fn processed_check(&self, own: &Check) -> Value {
        let mut sums = super::sums::Sums::default();
        sums.add(own, self.records);
        let date = self
            .records
            .period(&own.period)
            .map(|period| period.check_date);
        let time = if self.switches.odd_check_times {
            "20"
        } else {
            "00"
        };
        let taxes: Vec<Value> = own
            .taxes
            .iter()
            .map(|tax| {
                let paid_by = if tax.employer {
                    "EMPLOYER_LIABILITY"
                } else {
                    "EMPLOYEE_WITHHOLDING"
                };
                self.object()
                    .put("name", tax.name.clone())
                    .maybe("laborAssignmentId", tax.labor_assignment.clone())
                    .maybe("jobId", tax.job.clone())
                    .put("paidBy", paid_by)
                    .put("amount", tax.amount.to_string())
                    .done()
            })
            .collect();
        self.object()
            .put("payPeriodId", own.period.clone())
            .put("paycheckId", own.id.clone())
            .put("workerId", own.worker.clone())
            .maybe("checkDate", date.map(|day| format!("{day}T{time}:00:00Z")))
            .put("netPay", sums.net().to_string())
            .put("checkType", own.kind.clone())
            .put("checkNumber", own.number.clone())
            .put("earnings", self.lines(&own.earnings))
            .put("deductions", self.lines(&own.deductions))
            .put("informational", self.lines(&own.informational))
            .put("taxes", taxes)
            .done()
    }

    fn lines(&self, lines: &[Line]) -> Vec<Value> {
        lines.iter().map(|line| self.line(line)).collect()
    }

    fn line(&self, own: &Line) -> Value {
        let component = self.records.component(&own.component);
        // In processed checks the words are in mixed case, but for those with a leading underscore (PX 4.10, 4.12).
        let classification = component.map(|own| mixed_case(&own.classification));
        let job = own.job.as_ref().and_then(|id| self.records.job(id));
        self.object()
            .put("componentId", own.component.clone())
            .put("checkComponentId", own.check_component.clone())
            .maybe("name", component.map(|own| own.name.clone()))
            .maybe("classificationType", classification)
            .maybe("effectOnPay", component.map(|own| own.effect.word()))
            .put("memoed", own.memoed)
            .maybe("laborAssignmentId", own.labor_assignment.clone())
            .maybe(
                "organization",
                own.organization
                    .as_deref()
                    .and_then(|id| self.short_organization(id)),
            )
            .maybe("jobName", job.map(|own| own.name.clone()))
            .put("amount", own.amount.to_string())
            .maybe("rate", own.rate.map(|rate| rate.to_string()))
            .maybe("hours", own.hours.map(|hours| hours.to_string()))
            .done()
    }
}

fn mixed_case(word: &str) -> String {
    if word.starts_with('_') {
        return word.to_owned();
    }
    let mut letters = word.chars();
    let first = letters.next().map(String::from).unwrap_or_default();
    first + &letters.as_str().to_lowercase()
}

#[cfg(test)]
mod tests {
    #[test]
    fn classifications_are_in_mixed_case_but_for_those_with_an_underscore() {
        assert_eq!(super::mixed_case("REGULAR"), "Regular");
        assert_eq!(super::mixed_case("_401K"), "_401K");
    }
}
