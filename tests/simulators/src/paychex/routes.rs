//! From a request to its handler: token, rate, rights, path (PX 2, 4, 7).

use super::envelope::{Done, Refusal};
use super::faults::{Fault, On, Shape500};
use super::media::carries_identifiers;
use super::settings::{Access, Client, Switches};
use super::{Asked, Simulator};
use crate::wire::{self, Target};
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::http::{HttpRequest, HttpResponse, Method};
use serde_json::json;

/// A call that was let in.
pub(crate) struct Call<'a> {
    pub(crate) request: &'a HttpRequest,
    pub(crate) target: &'a Target,
    pub(crate) client: Client,
    pub(crate) now: Timestamp,
}

impl Call<'_> {
    /// The address of this call, as links show it.
    pub(crate) fn own_href(&self, switches: &Switches) -> String {
        format!("{}/{}", switches.link_base, self.target.segments.join("/"))
    }
}

/// The part of the service that a request goes to, for faults.
pub(super) fn area(request: &HttpRequest) -> On {
    let Some(target) = Target::parse(&request.url, true) else {
        return On::Any;
    };
    let parts: Vec<&str> = target.segments.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["auth", ..] => On::Token,
        ["management", ..] => On::Management,
        ["companies" | "workers", _, "checks", ..] => On::Checks,
        ["companies", _, "payperiods", ..] => On::Periods,
        ["companies", _, "workers", ..] | ["workers", ..] => On::Workers,
        _ => On::Companies,
    }
}

impl Simulator {
    /// Carries out a call without any fault.
    pub(super) fn answer(&mut self, request: &HttpRequest, now: Timestamp) -> HttpResponse {
        let Some(target) = Target::parse(&request.url, true) else {
            return Refusal::invalid("The address is broken").response();
        };
        let is_token = target
            .segments
            .iter()
            .map(String::as_str)
            .eq(["auth", "oauth", "v2", "token"]);
        let mut response = if is_token {
            self.token(request, &target, now)
        } else if let Some(seconds) = self.too_fast(now) {
            self.slow_down(seconds, now)
        } else {
            match self.perform(request, &target, now) {
                Ok(done) => {
                    let own = format!("{}/{}", self.switches.link_base, target.segments.join("/"));
                    done.response(&own, &self.switches)
                }
                Err(refusal) => refusal.response(),
            }
        };
        // PX 3.4.
        let transaction = format!("{:016x}", self.entropy.next_u64());
        response
            .headers
            .push(("X-payx-txid".to_owned(), transaction));
        let correlation = request.header("x-payx-client-correlationid");
        response.headers.extend(
            correlation.map(|id| ("X-payx-client-correlationId".to_owned(), id.to_owned())),
        );
        response
    }

    fn perform(
        &mut self,
        request: &HttpRequest,
        target: &Target,
        now: Timestamp,
    ) -> Result<Done, Refusal> {
        let id = self
            .client_of(request, now)
            .inspect_err(|_| self.tokens_refused += 1);
        let id = id?;
        let client = self.clients.get(&id).cloned();
        let call = Call {
            request,
            target,
            client: client.ok_or_else(Refusal::forbidden)?,
            now,
        };
        let done = self.route(&call, &id);
        let identifiers = matches!(&done, Ok(Done::Content { media, items, .. })
            if carries_identifiers(media) && !items.is_empty());
        self.asked.push(Asked {
            what: format!("{} /{}", request.method.as_str(), target.segments.join("/")),
            accept: request.header("accept").unwrap_or_default().to_owned(),
            identifiers,
        });
        done
    }

    fn route(&mut self, call: &Call<'_>, client: &str) -> Result<Done, Refusal> {
        let parts: Vec<&str> = call.target.segments.iter().map(String::as_str).collect();
        if let ["management", rest @ ..] = parts.as_slice() {
            return self.management(call, client, rest);
        }
        if call.request.method != Method::Get {
            // Every write needs a right that no flow of ours has, and none is simulated (PX 4.7, 4.12).
            let may =
                call.client.people == Access::ReadWrite || call.client.payroll == Access::ReadWrite;
            return Err(if may {
                Refusal::new(405, "API-59", "The method is not supported")
            } else {
                Refusal::forbidden()
            });
        }
        match parts.as_slice() {
            ["companies"] => {
                allowed(call.client.people)?;
                self.companies(call)
            }
            ["companies", company, rest @ ..] => {
                let payroll = matches!(
                    rest.first(),
                    Some(&("paycomponents" | "payperiods" | "payfrequencies" | "checks"))
                );
                allowed(if payroll {
                    call.client.payroll
                } else {
                    call.client.people
                })?;
                self.reach(call, company)?;
                self.under_company(call, company, rest)
            }
            ["workers", worker, rest @ ..] => {
                let payroll = matches!(
                    rest.first(),
                    Some(&("paycomponents" | "checks" | "compensation"))
                );
                allowed(if payroll {
                    call.client.payroll
                } else {
                    call.client.people
                })?;
                self.under_worker(call, worker, rest)
            }
            _ => Err(Refusal::unknown("resource")),
        }
    }

    /// The company must exist, be linked, have payroll and not be end-dated (PX 1.4, 7.2).
    fn reach(&self, call: &Call<'_>, company: &str) -> Result<(), Refusal> {
        let own = self.records.companies.get(company);
        let own = own.ok_or_else(|| Refusal::unknown("company"))?;
        if !call.client.reaches(company) || !own.has_permission {
            return Err(Refusal::forbidden());
        }
        if own.ended {
            return Err(Refusal::new(403, "API-68", "The client has been end-dated"));
        }
        Ok(())
    }

    fn under_company(
        &mut self,
        call: &Call<'_>,
        company: &str,
        rest: &[&str],
    ) -> Result<Done, Refusal> {
        match rest {
            [] => {
                let media = super::media::choose(call.request, &["company"])?;
                let own = self.records.companies.get(company);
                let own = own.ok_or_else(|| Refusal::unknown("company"))?;
                Ok(Done::items(media, vec![self.view(call).company(own)]))
            }
            ["workers"] => self.worker_list(call, company),
            ["payperiods"] => self.period_list(call, company),
            ["payperiods", id] => self.period_read(call, company, id),
            ["checks"] => self.check_list(call, company),
            [
                what @ ("organizations" | "locations" | "jobs" | "jobtitles" | "laborassignments"
                | "paycomponents"),
            ] => self.company_list(call, company, what, None),
            [
                what @ ("organizations" | "locations" | "jobs" | "jobtitles" | "laborassignments"
                | "paycomponents"),
                id,
            ] => self.company_list(call, company, what, Some(id)),
            _ => Err(Refusal::unknown("resource")),
        }
    }

    fn under_worker(&self, call: &Call<'_>, worker: &str, rest: &[&str]) -> Result<Done, Refusal> {
        let own = self.records.worker(worker, call.now);
        let own = own.ok_or_else(|| Refusal::unknown("worker"))?;
        self.reach(call, &own.company)?;
        match rest {
            ["checks"] => self.worker_checks(call, &own.company, worker),
            ["checks", id] => self.worker_check(call, worker, id),
            rest => self.worker_read(call, own, rest),
        }
    }

    /// Seconds to wait if this second has seen too many calls (PX 7.3).
    fn too_fast(&mut self, now: Timestamp) -> Option<u64> {
        let second = SignedDuration::from_secs(1);
        while self
            .recent
            .front()
            .is_some_and(|at| now.duration_since(*at) >= second)
        {
            self.recent.pop_front();
        }
        if self.recent.len() >= self.switches.calls_per_second {
            return Some(1);
        }
        self.recent.push_back(now);
        None
    }

    /// The answer of a fault that has one of its own.
    pub(super) fn faulty(
        &self,
        fault: &Fault,
        request: &HttpRequest,
        now: Timestamp,
    ) -> HttpResponse {
        let page = |status: u16, text: &str| {
            wire::response(
                status,
                "text/html",
                format!("<html><body><h1>{text}</h1></body></html>"),
            )
        };
        match fault {
            Fault::Internal(Shape500::List) => {
                Refusal::new(500, "API-1", "An internal error occurred").response()
            }
            Fault::Internal(Shape500::Framework) => {
                let body = json!({
                    "timestamp": now.to_string(),
                    "status": 500,
                    "error": "Internal Server Error",
                    "path": request.url.split('?').next(),
                });
                wire::response(500, "application/json", body.to_string())
            }
            Fault::BadGateway => page(502, "Bad Gateway"),
            Fault::Unavailable => {
                Refusal::new(503, "API-66", "The service is unavailable").response()
            }
            Fault::TooMany { wait } => self.slow_down(wait.as_secs(), now),
            Fault::Locked => Refusal::new(423, "API-10", "The client is locked").response(),
            Fault::EndDated => {
                Refusal::new(403, "API-68", "The client has been end-dated").response()
            }
            // The rest has answers of its own and does not come here.
            Fault::Internal(Shape500::Page)
            | Fault::DropBefore
            | Fault::DropAfter
            | Fault::Slow { .. }
            | Fault::Truncate { .. }
            | Fault::TokensEnd => page(500, "Internal Server Error"),
        }
    }
}

fn allowed(access: Access) -> Result<(), Refusal> {
    match access {
        Access::None => Err(Refusal::forbidden()),
        Access::Read | Access::ReadWrite => Ok(()),
    }
}
