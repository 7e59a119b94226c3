//! Pay periods and checks (PX 4.11, 4.12).

use super::Simulator;
use super::envelope::{Done, Refusal};
use super::lists::Query;
use super::media::choose;
use super::records::{PayPeriod, PeriodStatus};
use super::routes::Call;
use super::settings::ProcessingAnswer;

/// The unprocessed projection is the default (PX 9.1 no. 1).
const CHECKS: [&str; 2] = ["payroll.checks", "payroll.processedchecks"];

impl Simulator {
    /// `GET /companies/{C}/payperiods`.
    pub(super) fn period_list(&self, call: &Call<'_>, company: &str) -> Result<Done, Refusal> {
        let media = choose(call.request, &["payroll.periods"])?;
        let query = Query::new(call.target, &self.switches);
        let (from, to) = (query.date("from")?, query.date("to")?);
        if from.is_some() != to.is_some() {
            return Err(Refusal::new(
                400,
                "API-8",
                "A start and an end date are required",
            ));
        }
        let mut wanted = Vec::new();
        for word in query.all("status") {
            let status = PeriodStatus::ALL.into_iter().find(|own| own.word() == word);
            wanted.push(status.ok_or_else(|| Refusal::invalid("status is not valid"))?);
        }
        let view = self.view(call);
        let own = self.records.periods.iter().filter(|own| {
            own.company == company
                && from.is_none_or(|from| from <= own.start)
                && to.is_none_or(|to| own.end <= to)
                && (wanted.is_empty() || wanted.contains(&view.period_status(own)))
                // A companion is not there before its data is.
                && (own.original.is_none() || view.now >= own.readable_from)
        });
        let items: Vec<_> = own.map(|own| view.period(own)).collect();
        let searched = from.is_some() || !wanted.is_empty();
        if items.is_empty() && searched {
            return Err(Refusal::nothing());
        }
        Ok(Done::items(media, items))
    }

    /// `GET /companies/{C}/payperiods/{P}`.
    pub(super) fn period_read(
        &self,
        call: &Call<'_>,
        company: &str,
        id: &str,
    ) -> Result<Done, Refusal> {
        let media = choose(call.request, &["payroll.period"])?;
        let view = self.view(call);
        let own = self.period_of(company, id, call)?;
        Ok(Done::items(media, vec![view.period(own)]))
    }

    fn period_of(&self, company: &str, id: &str, call: &Call<'_>) -> Result<&PayPeriod, Refusal> {
        let own = self.records.period(id).filter(|own| own.company == company);
        own.filter(|own| own.original.is_none() || call.now >= own.readable_from)
            .ok_or_else(|| Refusal::unknown("pay period"))
    }

    /// The period that a read of checks names. It is required, and there is no other way in (PX 4.12).
    fn wanted_period(&self, call: &Call<'_>, company: &str) -> Result<&PayPeriod, Refusal> {
        let query = Query::new(call.target, &self.switches);
        let id = query.get("payperiodid");
        let id = id.ok_or_else(|| Refusal::missing("payperiodid is required"))?;
        let own = self.records.period(id).filter(|own| own.company == company);
        let own = own.ok_or_else(|| Refusal::invalid("payperiodid is not valid"))?;
        let view = self.view(call);
        let months = jiff::Span::new().months(self.switches.history_months);
        let oldest = view.today().checked_sub(months).unwrap_or(view.today());
        if own.check_date < oldest {
            return Err(Refusal::invalid("payperiodid is not valid"));
        }
        Ok(own)
    }

    /// The ids of the checks that a projection shows of a period, as records keep them.
    fn readable(
        &self,
        call: &Call<'_>,
        period: &PayPeriod,
        processed: bool,
    ) -> Result<Vec<String>, Refusal> {
        let status = self.view(call).period_status(period);
        if status == PeriodStatus::Processing {
            return match self.switches.processing {
                ProcessingAnswer::BadRequest => Err(Refusal::new(
                    400,
                    "API-19",
                    "The pay period is in a state that does not allow this",
                )),
                ProcessingAnswer::Unavailable => {
                    Err(Refusal::new(503, "API-66", "The service is unavailable"))
                }
                ProcessingAnswer::Empty => Ok(Vec::new()),
            };
        }
        // Open periods have no processed checks, closed ones no unprocessed ones.
        if status.closed() != processed {
            return Ok(Vec::new());
        }
        let checks = self.records.checks_of(&period.id);
        Ok(checks.map(|own| own.id.clone()).collect())
    }

    /// `GET /companies/{C}/checks`.
    pub(super) fn check_list(&mut self, call: &Call<'_>, company: &str) -> Result<Done, Refusal> {
        let media = choose(call.request, &CHECKS)?;
        let query = Query::new(call.target, &self.switches);
        let processed = media == CHECKS[1];
        let period = self.wanted_period(call, company)?;
        let mut ids = self.readable(call, period, processed)?;
        // `filterbyuserid` leaves those that this app entered, and no app enters any here (PX 4.12).
        if query.get("filterbyuserid") == Some("true") {
            ids.clear();
        }
        let own = call.own_href(&self.switches);
        let page = self.page(ids, &query, call.request, &own)?;
        let items = self.shown(call, &page.ids, processed);
        Ok(Done::Content {
            media,
            items,
            pagination: page.pagination,
            links: page.links,
            etag: page.etag,
        })
    }

    /// `GET /workers/{W}/checks`, without paging.
    pub(super) fn worker_checks(
        &self,
        call: &Call<'_>,
        company: &str,
        worker: &str,
    ) -> Result<Done, Refusal> {
        let media = choose(call.request, &CHECKS)?;
        let processed = media == CHECKS[1];
        let period = self.wanted_period(call, company)?;
        let mut ids = self.readable(call, period, processed)?;
        ids.retain(|id| self.check(id).is_some_and(|own| own.worker == worker));
        Ok(Done::items(media, self.shown(call, &ids, processed)))
    }

    /// `GET /workers/{W}/checks/{id}`.
    pub(super) fn worker_check(
        &self,
        call: &Call<'_>,
        worker: &str,
        id: &str,
    ) -> Result<Done, Refusal> {
        let media = choose(call.request, &["payroll.check", "payroll.processedcheck"])?;
        let processed = media == "payroll.processedcheck";
        let unknown = || Refusal::unknown("check");
        let own = self.records.checks.iter().find(|own| {
            own.worker == worker
                && id
                    == if processed {
                        &own.id
                    } else {
                        &own.unprocessed_id
                    }
        });
        let own = own.ok_or_else(unknown)?;
        let period = self.records.period(&own.period).ok_or_else(unknown)?;
        let ids = self.readable(call, period, processed)?;
        if !ids.contains(&own.id) {
            return Err(unknown());
        }
        Ok(Done::items(
            media,
            self.shown(call, std::slice::from_ref(&own.id), processed),
        ))
    }

    fn shown(&self, call: &Call<'_>, ids: &[String], processed: bool) -> Vec<serde_json::Value> {
        let view = self.view(call);
        let checks = ids.iter().filter_map(|id| self.check(id));
        checks
            .map(|own| {
                if processed {
                    view.processed_check(own)
                } else {
                    view.unprocessed_check(own)
                }
            })
            .collect()
    }
}
