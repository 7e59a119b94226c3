//! The ERP with many doors: SOAP web services, api1, GraphQL, and the cloud gateway's tokens, on one origin (X3 1.1).
//!
//! Whichever door an entry comes through, the same rules decide on it (`ledger`). Nothing is unique: the same source
//! document posted twice stands twice (X3 finding 5). Everything that sites differ in, or that nobody knows, is a member
//! of [`Switches`] or [`Settings`]; everything that can go wrong on the way is a [`Fault`]. "X3 5.4" is section 5.4 of
//! the fact sheet of Sage X3.

mod api1;
mod auth;
mod by_hand;
mod cloud;
mod envelope;
pub mod faults;
pub mod folder;
mod graphql;
mod import;
mod ledger;
mod message;
mod param;
mod pool;
mod screen;
pub mod settings;
mod soap;
mod where_clause;

pub use auth::connected_token;
pub use faults::{Fault, On};
pub use folder::{Account, Customer, Entry, EntryType, Folder, Line, Origin, Site};
pub use settings::{
    Audience, CloudApplication, ConnectedApplication, Pool, PostEntry, ResultText, Service,
    Settings, Switches, TooLong, UnknownField, User,
};

use crate::books::Posted;
use crate::entropy::Entropy;
use crate::faults::Faults;
use crate::late::Late;
use crate::wire::{self, Target};
use crate::{Reply, Simulated, Ticket};
use auth::{Caller, WebSession, plain};
use cloud::Gateway;
use faults::Class;
use jiff::Timestamp;
use ml_connector_core::http::{HttpRequest, HttpResponse, Method};
use pool::{Channels, Slot};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::time::Duration;

const SOAP: &str = "/soap-generic/syracuse/collaboration/syracuse/CAdxWebServiceXmlCC";
const XTREM: &str = "/xtrem/api";
const WSDL: &str = "/soap-wsdl/syracuse/collaboration/syracuse/CAdxWebServiceXmlCC";

/// A call that runs late.
#[derive(Debug, Clone)]
struct LateCall {
    request: HttpRequest,
    fault: Option<Fault>,
    /// First call of its pool.
    first: bool,
}

/// The whole system in memory.
#[derive(Debug)]
pub struct Simulator {
    /// Set-up of the site.
    pub settings: Settings,
    /// Site differences and unknowns.
    pub switches: Switches,
    /// Faults to inject.
    pub faults: Faults<On, Fault>,
    folders: BTreeMap<String, Folder>,
    sessions: Vec<WebSession>,
    wrong_passwords: BTreeMap<String, u32>,
    channels: Channels,
    gateway: Gateway,
    entropy: Entropy,
    down_until: Option<Timestamp>,
    late: Late<LateCall>,
    calls: u64,
    service_calls: BTreeMap<String, u64>,
}

impl Simulator {
    /// A site with one endpoint, `UKLIVE`, set up as in the sheet's examples, and the user `engine` (password `secret`).
    pub fn new(settings: Settings, switches: Switches, seed: u64) -> Self {
        Self {
            settings,
            switches,
            faults: Faults::new(seed ^ 0x5A6E),
            folders: BTreeMap::from([("UKLIVE".to_owned(), Folder::new())]),
            sessions: Vec::new(),
            wrong_passwords: BTreeMap::new(),
            channels: Channels::default(),
            gateway: Gateway::default(),
            entropy: Entropy::new(seed),
            down_until: None,
            late: Late::default(),
            calls: 0,
            service_calls: BTreeMap::new(),
        }
    }

    /// Adds or replaces an endpoint.
    pub fn set_folder(&mut self, endpoint: &str, folder: Folder) {
        self.folders.insert(endpoint.to_owned(), folder);
    }

    /// An endpoint's folder.
    pub fn folder(&self, endpoint: &str) -> Option<&Folder> {
        self.folders.get(endpoint)
    }

    /// An endpoint's folder, to set up.
    pub fn folder_mut(&mut self, endpoint: &str) -> Option<&mut Folder> {
        self.folders.get_mut(endpoint)
    }

    /// Every actual entry of every folder, in posting order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let all = self
            .folders
            .values()
            .flat_map(|folder| folder.entries.iter());
        all.filter(|entry| entry.category == folder::ACTUAL)
    }

    /// What stands on one account, one item per entry that touches it, debits positive: for comparing with what was
    /// collected. The reference is the source document, the customer is the partner of the account's line.
    pub fn posted_on(&self, account: &str) -> Vec<Posted> {
        let touching = self.entries().filter_map(|entry| {
            let line = entry.lines.iter().find(|line| line.account == account)?;
            Some(Posted {
                reference: entry.source_document.clone(),
                customer: line.partner.clone(),
                currency: entry.currency.clone(),
                amount: entry.on_account(account),
            })
        });
        touching.collect()
    }

    /// Debits and credits of all entries by currency; the two of each must be equal.
    pub fn sums(&self) -> BTreeMap<String, (Decimal, Decimal)> {
        let mut sums: BTreeMap<String, (Decimal, Decimal)> = BTreeMap::new();
        for entry in self.entries() {
            let sum = sums.entry(entry.currency.clone()).or_default();
            for line in &entry.lines {
                if line.amount.is_sign_negative() {
                    sum.1 -= line.amount;
                } else {
                    sum.0 += line.amount;
                }
            }
        }
        sums
    }

    /// Answers 503 until then, with all sessions lost.
    pub fn restart_until(&mut self, until: Timestamp) {
        self.sessions.clear();
        self.channels.clear();
        self.down_until = Some(until);
    }

    /// How many calls of a publication, a class or a GraphQL node have arrived, faults included.
    pub fn calls_of(&self, service: &str) -> u64 {
        self.service_calls.get(service).copied().unwrap_or(0)
    }

    /// The most SOAP channels that were busy at one moment.
    pub const fn channels_peak(&self) -> usize {
        self.channels.peak()
    }

    /// Runs calls that were held back and whose time has come.
    pub fn tick(&mut self, now: Timestamp) {
        while let Some((ticket, due, call)) = self.late.due(now) {
            let answer = self.answer(&call.request, due, call.fault.as_ref(), call.first);
            self.late.answered(ticket, answer);
        }
    }

    /// Carries out one call at the given moment.
    pub fn handle(&mut self, request: &HttpRequest, now: Timestamp) -> Reply {
        self.tick(now);
        self.calls += 1;
        let (class, service) = self.classify(request);
        if !service.is_empty() {
            *self.service_calls.entry(service.clone()).or_default() += 1;
        }
        let fault = self.faults.take(|on| on.covers(class, &service));
        match fault {
            Some(Fault::DropBefore) => Reply::Drop,
            Some(Fault::DropAfter) => {
                self.answer(request, now, None, false);
                Reply::Drop
            }
            Some(Fault::Slow { by }) => {
                let answer = self.answer(request, now, None, false);
                self.late.keep(answer, by, now)
            }
            Some(Fault::Late { by }) => {
                let call = LateCall {
                    request: request.clone(),
                    fault: None,
                    first: false,
                };
                self.late.put_off(call, by, now)
            }
            Some(Fault::Truncate { body_bytes }) => Reply::Truncate {
                response: self.answer(request, now, None, false),
                body_bytes,
            },
            Some(Fault::ProxyAfter { status }) => {
                self.answer(request, now, None, false);
                Reply::Answer(html(status, "Bad gateway"))
            }
            Some(Fault::ProxyBefore { status }) => Reply::Answer(html(status, "Bad gateway")),
            Some(Fault::Restart { down_for }) => {
                self.restart_until(now.checked_add(down_for).unwrap_or(Timestamp::MAX));
                Reply::Answer(self.answer(request, now, None, false))
            }
            fault => self.scheduled(request, now, fault),
        }
    }

    /// Runs a call now or, behind a SOAP channel that is busy, later.
    fn scheduled(&mut self, request: &HttpRequest, now: Timestamp, fault: Option<Fault>) -> Reply {
        let pool = self.pool_of(request);
        let Some((alias, pool)) = pool else {
            return Reply::Answer(self.answer(request, now, fault.as_ref(), false));
        };
        let slot = match fault {
            Some(Fault::QueueTimeout) => Slot::TimedOut,
            _ => self
                .channels
                .take(&alias, &pool, self.settings.run_time, now),
        };
        match slot {
            Slot::TimedOut => match self.admit(request, now) {
                Ok(_) => Reply::Answer(self.soap_queue_timeout(request)),
                Err(refusal) => Reply::Answer(refusal),
            },
            Slot::Ends { at, first } if at <= now => {
                Reply::Answer(self.answer(request, now, fault.as_ref(), first))
            }
            Slot::Ends { at, first } => {
                let by = Duration::try_from(at.duration_since(now)).unwrap_or_default();
                let call = LateCall {
                    request: request.clone(),
                    fault,
                    first,
                };
                self.late.put_off(call, by, now)
            }
        }
    }

    /// The pool that a SOAP call asks for, if it is there.
    fn pool_of(&self, request: &HttpRequest) -> Option<(String, Pool)> {
        if path(request) != SOAP {
            return None;
        }
        let call = envelope::read(request, &self.switches).ok()?;
        let pool = self.settings.pools.get(&call.pool)?.clone();
        pool.started.then_some((call.pool, pool))
    }

    /// Reads enough of a call to know which faults may strike it.
    fn classify(&self, request: &HttpRequest) -> (Class, String) {
        let nothing = || (Class::Other, String::new());
        let kind = |writes| if writes { Class::Write } else { Class::Read };
        let path = path(request);
        if Self::is_token_path(&path) {
            return (Class::Token, "token".to_owned());
        }
        if path == SOAP {
            let Ok(call) = envelope::read(request, &self.switches) else {
                return nothing();
            };
            let import = self.settings.services.get(&call.public_name) == Some(&Service::Import);
            let writes = match call.operation.as_str() {
                "save" | "modify" | "delete" => true,
                "run" => import,
                _ => false,
            };
            return (kind(writes), call.public_name);
        }
        if path == XTREM || path == self.settings.cloud_graphql_path {
            return graphql::glance(request)
                .map_or_else(nothing, |(mutation, node)| (kind(mutation), node));
        }
        let class = Target::parse(&request.url, true).and_then(|target| Self::api1_class(&target));
        class.map_or_else(nothing, |class| {
            (kind(request.method != Method::Get), class)
        })
    }

    /// Carries out a call without any fault of the network.
    fn answer(
        &mut self,
        request: &HttpRequest,
        now: Timestamp,
        fault: Option<&Fault>,
        first: bool,
    ) -> HttpResponse {
        if self.down_until.is_some_and(|until| now < until) {
            return html(503, "Service Unavailable");
        }
        let Some(target) = Target::parse(&request.url, true) else {
            return html(400, "Bad Request");
        };
        let path = path(request);
        let at_the_gateway = path == self.settings.cloud_graphql_path;
        let wanted = match path.as_str() {
            "/auth/login/page" => return html(200, "Sign in"),
            WSDL => return wire::response(200, "text/xml", wsdl(&self.settings.origin)),
            path if Self::is_token_path(path) => {
                return self.token_call(request, &target, path, now);
            }
            SOAP | XTREM => Method::Post,
            path if at_the_gateway && path == self.settings.cloud_graphql_path => Method::Post,
            path if path.starts_with("/api1/") => request.method,
            _ => return html(404, "Not Found"),
        };
        if request.method != wanted {
            return html(405, "Method not allowed");
        }
        if fault == Some(&Fault::Unauthorised) {
            return plain(401, "Unauthorized");
        }
        let caller = if at_the_gateway {
            let login = self.admit_at_the_gateway(request, now);
            login.map(|login| Caller {
                login,
                cookie: None,
            })
        } else {
            self.admit(request, now)
        };
        let caller = match caller {
            Ok(caller) => caller,
            Err(refusal) => return refusal,
        };
        let login = &caller.login;
        let mut answer = match path.as_str() {
            SOAP if fault == Some(&Fault::NoProcesses) => plain(500, "No Web services accepted"),
            SOAP => self.soap(request, login, now, fault, first),
            path if path.starts_with("/api1/") => self.api1(request, &target, login, now, fault),
            _ => self.graphql(request, login, now, fault),
        };
        if let Some(cookie) = caller.cookie {
            answer.headers.push(("Set-Cookie".to_owned(), cookie));
        }
        answer
    }
}

impl Simulated for Simulator {
    fn handle(&mut self, request: &HttpRequest, now: Timestamp) -> Reply {
        Self::handle(self, request, now)
    }

    fn collect(&mut self, ticket: Ticket, now: Timestamp) -> Reply {
        self.tick(now);
        self.late.collect(ticket, now)
    }

    fn tick(&mut self, now: Timestamp) {
        Self::tick(self, now);
    }

    fn next_tick_at(&self) -> Option<Timestamp> {
        let (_, due, _) = self.late.due(Timestamp::MAX)?;
        Some(due)
    }

    fn calls(&self) -> u64 {
        self.calls
    }
}

/// The path of a request, decoded.
fn path(request: &HttpRequest) -> String {
    Target::parse(&request.url, true)
        .map(|target| format!("/{}", target.segments.join("/")))
        .unwrap_or_default()
}

fn html(status: u16, text: &str) -> HttpResponse {
    let body = format!("<html><body><h1>{text}</h1></body></html>");
    wire::response(status, "text/html", body)
}

/// The WSDL names the operations and says nothing of the site's services (X3 5.1).
fn wsdl(origin: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><wsdl:definitions \
         xmlns:wsdl=\"http://schemas.xmlsoap.org/wsdl/\" \
         xmlns:wsdlsoap=\"http://schemas.xmlsoap.org/wsdl/soap/\" \
         targetNamespace=\"http://www.adonix.com/WSS\"><wsdl:service \
         name=\"CAdxWebServiceXmlCCService\"><wsdl:port name=\"CAdxWebServiceXmlCC\">\
         <wsdlsoap:address location=\"{origin}{SOAP}\"/></wsdl:port></wsdl:service>\
         </wsdl:definitions>"
    )
}
