//! Companies, their masters and their workers (PX 4.1 – 4.10).

use super::Simulator;
use super::envelope::{Done, Refusal};
use super::lists::Query;
use super::media::choose;
use super::records::Worker;
use super::routes::Call;
use super::show::View;
use jiff::civil::Date;
use serde_json::{Value, json};

/// The members that filter workers, in groups that cannot be mixed (PX 4.7).
const WORKER_FILTERS: [&[&str]; 5] = [
    &["givenname", "familyname", "legallastfour"],
    &["from", "to"],
    &["employeeid"],
    &["locationid"],
    &["offset", "limit"],
];

impl Simulator {
    pub(super) fn view(&self, call: &Call<'_>) -> View<'_> {
        View {
            records: &self.records,
            switches: &self.switches,
            now: call.now,
        }
    }

    /// `GET /companies`: those that are linked, or the one with a display id (PX 4.1).
    pub(super) fn companies(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let media = choose(call.request, &["companies"])?;
        let query = Query::new(call.target, &self.switches);
        let view = self.view(call);
        let linked = self.records.companies.values();
        let linked = linked.filter(|own| call.client.reaches(&own.id));
        let found: Vec<Value> = match query.get("displayid") {
            None => linked.map(|own| view.company(own)).collect(),
            Some(wanted) => {
                let own = linked.filter(|own| own.display_id == wanted);
                let own: Vec<Value> = own.map(|own| view.company(own)).collect();
                if own.is_empty() {
                    return Err(Refusal::nothing());
                }
                own
            }
        };
        Ok(Done::items(media, found))
    }

    /// Whatever hangs under a company and is not paged.
    pub(super) fn company_list(
        &self,
        call: &Call<'_>,
        company: &str,
        what: &str,
        id: Option<&str>,
    ) -> Result<Done, Refusal> {
        let view = self.view(call);
        let query = Query::new(call.target, &self.switches);
        // On `asof` the state of that day is shown, where the operation knows it (PX 4).
        let day = query.date("asof")?;
        let in_force = |start: Option<Date>, end: Option<Date>| {
            day.is_none_or(|day| {
                start.is_none_or(|start| start <= day) && end.is_none_or(|end| day <= end)
            })
        };
        let records = &self.records;
        let own = |other: &String| other == company;
        let (offered, items): (&[&'static str], Vec<(&str, Value)>) = match what {
            "organizations" => (
                if id.is_some() {
                    &["company.organization"]
                } else {
                    &["company.organizations"]
                },
                records
                    .organizations
                    .iter()
                    // One that is gone is no longer listed, and can still be read (PX 4.2).
                    .filter(|item| own(&item.company) && (!item.gone || id.is_some()))
                    .map(|item| (item.id.as_str(), view.organization(item)))
                    .collect(),
            ),
            "locations" => (
                if id.is_some() {
                    &["company.location"]
                } else {
                    &["company.locations"]
                },
                records
                    .locations
                    .iter()
                    .filter(|item| own(&item.company) && in_force(item.moved_in, item.moved_out))
                    .map(|item| (item.id.as_str(), view.location(item)))
                    .collect(),
            ),
            "jobs" => (
                if id.is_some() {
                    &["company.job"]
                } else {
                    &["company.jobs"]
                },
                records
                    .jobs
                    .iter()
                    .filter(|item| own(&item.company) && in_force(item.start, item.end))
                    .map(|item| (item.id.as_str(), view.job(item)))
                    .collect(),
            ),
            "jobtitles" => (
                if id.is_some() {
                    &["company.jobtitle"]
                } else {
                    &["company.jobtitles"]
                },
                records
                    .job_titles
                    .iter()
                    .filter(|item| own(&item.company))
                    .map(|item| (item.id.as_str(), view.job_title(item)))
                    .collect(),
            ),
            "laborassignments" => (
                if id.is_some() {
                    &["company.laborassignment"]
                } else {
                    &["company.laborassignments"]
                },
                records
                    .labor_assignments
                    .iter()
                    .filter(|item| own(&item.company) && in_force(item.start, item.end))
                    .map(|item| (item.id.as_str(), view.labor_assignment(item)))
                    .collect(),
            ),
            _ => (
                if id.is_some() {
                    &["payroll.paycomponent"]
                } else {
                    &["payroll.paycomponents"]
                },
                records
                    .components
                    .iter()
                    .filter(|item| own(&item.company))
                    .filter(|item| {
                        query
                            .get("effectonpay")
                            .is_none_or(|e| e == item.effect.word())
                    })
                    .filter(|item| {
                        let wanted = query.get("classificationtype");
                        wanted.is_none_or(|kind| kind == item.classification)
                    })
                    .map(|item| (item.id.as_str(), view.component(item)))
                    .collect(),
            ),
        };
        let media = choose(call.request, offered)?;
        match id {
            None => Ok(Done::items(
                media,
                items.into_iter().map(|(_, item)| item).collect(),
            )),
            Some(id) => {
                let found = items.into_iter().find(|(own, _)| *own == id);
                let (_, item) = found.ok_or_else(|| Refusal::unknown("resource"))?;
                Ok(Done::items(media, vec![item]))
            }
        }
    }

    /// `GET /companies/{C}/workers`: a page, or one group of filters, never both (PX 4.7).
    pub(super) fn worker_list(&mut self, call: &Call<'_>, company: &str) -> Result<Done, Refusal> {
        let media = choose(
            call.request,
            &[
                "workers",
                "workers.nonpii",
                "workers_communications",
                "workers.nonpii_communications",
                "workers.roster",
            ],
        )?;
        let query = Query::new(call.target, &self.switches);
        let used = WORKER_FILTERS
            .iter()
            .filter(|group| group.iter().any(|name| query.has(name)))
            .count();
        if used > 1 {
            return Err(Refusal::invalid("The query members cannot be combined"));
        }
        let between = (query.date("from")?, query.date("to")?);
        if between.0.is_some() != between.1.is_some() {
            return Err(Refusal::new(400, "API-42", "from and to go together"));
        }
        let fits = |own: &Worker| {
            let name = |wanted: Option<&str>, given: Option<&str>| {
                wanted
                    .is_none_or(|wanted| given.is_some_and(|own| own.eq_ignore_ascii_case(wanted)))
            };
            name(query.get("givenname"), Some(&own.name.given))
                && name(query.get("familyname"), own.name.family.as_deref())
                && query
                    .get("legallastfour")
                    .is_none_or(|four| own.social_security_number.ends_with(four))
                && query.get("employeeid").is_none_or(|id| own.employee_id.as_deref() == Some(id))
                && query.get("locationid").is_none_or(|id| own.location.as_deref() == Some(id))
                // The day on which the record was made, not changed (PX 4.7).
                && between.0.is_none_or(|from| from <= own.created)
                && between.1.is_none_or(|to| own.created <= to)
        };
        let kept = self.records.workers.iter();
        let found: Vec<String> = kept
            .filter_map(|kept| kept.seen(call.now))
            .filter(|own| own.company == company && fits(own))
            .map(|own| own.id.clone())
            .collect();
        let filtered = used == 1 && query.page()?.is_none();
        if filtered && found.is_empty() {
            return Err(Refusal::nothing());
        }
        let own = call.own_href(&self.switches);
        let page = self.page(found, &query, call.request, &own)?;
        let view = self.view(call);
        let items = page
            .ids
            .iter()
            .filter_map(|id| self.records.worker(id, call.now))
            .map(|own| view.worker(own, media))
            .collect();
        Ok(Done::Content {
            media,
            items,
            pagination: page.pagination,
            links: page.links,
            etag: page.etag,
        })
    }

    /// `GET /workers/{W}` and what hangs under it but for checks.
    pub(super) fn worker_read(
        &self,
        call: &Call<'_>,
        own: &Worker,
        rest: &[&str],
    ) -> Result<Done, Refusal> {
        let view = self.view(call);
        let unstarted = own
            .status_on(view.today())
            .is_none_or(|status| status.kind == "IN_PROGRESS");
        let wrong_state = || {
            Refusal::new(
                400,
                "API-19",
                "The worker is in a state that does not allow this",
            )
        };
        match rest {
            [] => {
                let media = choose(
                    call.request,
                    &[
                        "worker",
                        "worker.nonpii",
                        "worker_communications",
                        "worker.nonpii_communications",
                    ],
                )?;
                Ok(Done::items(media, vec![view.worker(own, media)]))
            }
            ["status"] => {
                let media = choose(call.request, &["company.workerstatuses"])?;
                Ok(Done::items(media, view.history(own)))
            }
            ["communications"] => {
                let media = choose(call.request, &["worker.communications"])?;
                Ok(Done::items(media, View::communications(own)))
            }
            ["compensation"] => {
                let media = choose(
                    call.request,
                    &[
                        "payroll.compensation",
                        "payroll.compensation.standards_rates",
                    ],
                )?;
                if unstarted {
                    return Err(wrong_state());
                }
                // The default has links only (PX 4.9).
                let items = if media.ends_with("standards_rates") {
                    vec![json!({ "payRates": self.rates(call, own) })]
                } else {
                    Vec::new()
                };
                Ok(Done::items(media, items))
            }
            ["compensation", "payrates"] => {
                let media = choose(call.request, &["payroll.compensation.payrates"])?;
                if unstarted {
                    return Err(wrong_state());
                }
                Ok(Done::items(media, self.rates(call, own)))
            }
            ["paycomponents"] => {
                let media = choose(call.request, &["payroll.paycomponents"])?;
                Ok(Done::items(media, Vec::new()))
            }
            ["timeoff"] => {
                let media = choose(call.request, &["worker.timeoff"])?;
                Ok(Done::items(media, Vec::new()))
            }
            ["assignmentdistributions"] => {
                let media = choose(call.request, &["worker.assignmentdistributions"])?;
                let home = own.labor_assignment.iter();
                let items = home.map(|id| json!({ "laborAssignmentId": id, "value": "100" }));
                Ok(Done::items(media, items.collect()))
            }
            _ => Err(Refusal::unknown("resource")),
        }
    }

    fn rates(&self, call: &Call<'_>, own: &Worker) -> Vec<Value> {
        let view = self.view(call);
        let rates = own.rates.iter().enumerate();
        rates.map(|(at, rate)| view.rate(rate, at)).collect()
    }
}
