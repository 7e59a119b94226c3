//! From a request to its answer. Order of checks: front end, credentials, alias, operation, grant, media types, body,
//! context; the sheet does not know the real order (EB appendix B no. 1).

use super::answer::{Out, Refusal, Row, Writer, html};
use super::faults::{Class, Fault};
use super::input::{Body, Header, Reader};
use super::lockbox::Arguments;
use super::services::{Operation, Service, Shape, operations};
use super::session::Caller;
use super::{Scope, Simulator, interface, package, receipts, wadl};
use crate::Reply;
use crate::wire::{self, Target};
use jiff::Timestamp;
use ml_connector_core::http::{HttpRequest, HttpResponse, Method};

const JSON: &str = "application/json";

/// Where a request goes.
enum Route {
    Security(String),
    /// `provider/isActive`.
    Active,
    /// The WADL or an XSD of a service.
    Document(String),
    Operation {
        alias: String,
        segment: String,
    },
}

impl Simulator {
    /// Carries out one call at the given moment.
    pub fn handle(&mut self, request: &HttpRequest, now: Timestamp) -> Reply {
        self.tick(now);
        self.calls += 1;
        let (class, name) = self.classify(request);
        *self.operation_calls.entry(name.clone()).or_default() += 1;
        let fault = self.faults.take(|on| on.covers(class, &name));
        match fault {
            Some(Fault::DropBefore) => Reply::Drop,
            Some(Fault::DropAfter) => {
                self.answer(request, now, None);
                Reply::Drop
            }
            Some(Fault::StatusAfter(status)) => {
                self.answer(request, now, None);
                Reply::Answer(html(status, "Gateway Timeout"))
            }
            Some(Fault::Slow { by }) => {
                let answer = self.answer(request, now, None);
                self.late.keep(answer, by, now)
            }
            Some(Fault::Late { by }) => self.late.put_off(request.clone(), by, now),
            Some(Fault::Truncate { body_bytes }) => Reply::Truncate {
                response: self.answer(request, now, None),
                body_bytes,
            },
            Some(Fault::Status(status)) => Reply::Answer(html(status, "Error")),
            Some(Fault::Isg {
                status,
                code,
                message,
            }) => Reply::Answer(Refusal::new(status, code, message).response("", &name)),
            Some(Fault::Expire) => {
                self.end_sessions();
                Reply::Answer(self.answer(request, now, None))
            }
            Some(Fault::Cutover { lasts }) => {
                self.cutover_until(now.checked_add(lasts).unwrap_or(Timestamp::MAX));
                Reply::Answer(self.answer(request, now, None))
            }
            fault => Reply::Answer(self.answer(request, now, fault)),
        }
    }

    /// Reads enough of a call to know which faults may strike it, and to count it.
    fn classify(&self, request: &HttpRequest) -> (Class, String) {
        match self.route(request) {
            Some(Route::Security(name)) => (Class::Security, name),
            Some(Route::Operation { alias, segment }) => {
                let found = self
                    .service(&alias)
                    .and_then(|service| self.operation(service, &segment));
                match found {
                    Some(own) if own.shape == Shape::Table && request.method == Method::Get => {
                        (Class::Read, own.name.to_owned())
                    }
                    Some(own) if own.writes => (Class::Write, own.name.to_owned()),
                    Some(own) => (Class::Read, own.name.to_owned()),
                    None => (Class::Other, segment),
                }
            }
            Some(Route::Active) => (Class::Read, "isActive".to_owned()),
            Some(Route::Document(_)) => (Class::Read, "WADL".to_owned()),
            None => (Class::Other, String::new()),
        }
    }

    fn route(&self, request: &HttpRequest) -> Option<Route> {
        let target = Target::parse(&request.url, true)?;
        let mut segments = target.segments.iter().map(String::as_str);
        if segments.next()? != "webservices" || segments.next()? != "rest" {
            return None;
        }
        let path = request.url.split('?').next().unwrap_or_default();
        let closed = path.ends_with('/') || !self.switches.slash_required;
        match (segments.next()?, segments.next(), segments.next()) {
            (name @ ("login" | "logout" | "initialize"), None, _) => {
                Some(Route::Security(name.to_owned()))
            }
            ("provider", Some("isActive"), None) if closed => Some(Route::Active),
            (alias, None, _) if !target.query.is_empty() => Some(Route::Document(alias.to_owned())),
            (alias, Some(segment), None) if closed => Some(Route::Operation {
                alias: alias.to_owned(),
                segment: segment.to_owned(),
            }),
            _ => None,
        }
    }

    fn service(&self, alias: &str) -> Option<Service> {
        Service::of(alias, &self.settings.aliases, &self.switches)
    }

    fn operation(&self, service: Service, segment: &str) -> Option<&'static Operation> {
        operations(service).find(|own| {
            let spelt = own.segment(&self.switches);
            spelt == segment
                || (!self.switches.case_sensitive && spelt.eq_ignore_ascii_case(segment))
        })
    }

    /// Carries out a call without any fault of the network.
    pub(super) fn answer(
        &mut self,
        request: &HttpRequest,
        now: Timestamp,
        fault: Option<Fault>,
    ) -> HttpResponse {
        if self.down_until.is_some_and(|until| now < until) {
            return html(503, "Service Unavailable");
        }
        let Some(route) = self.route(request) else {
            return html(404, "Not Found");
        };
        let (alias, segment) = match &route {
            Route::Security(name) => return self.security(name, request, now),
            Route::Active => ("provider".to_owned(), "isActive".to_owned()),
            Route::Document(alias) => (alias.clone(), String::new()),
            Route::Operation { alias, segment } => (alias.clone(), segment.clone()),
        };
        let caller = match self.caller(request, now) {
            Ok(caller) => caller,
            Err(denied) => return self.denied(&denied, &alias, &segment),
        };
        let done = match route {
            Route::Active if self.switches.provider => {
                Ok(wire::response(200, "text/plain", "ACTIVE"))
            }
            Route::Operation { .. } => self.call(request, &caller, &alias, &segment, now, fault),
            Route::Document(_) => self.document(request, &alias),
            Route::Active | Route::Security(_) => Err(self.unknown_alias()),
        };
        done.unwrap_or_else(|refusal| refusal.response(&alias, &segment))
    }

    fn unknown_alias(&self) -> Refusal {
        let text = "The service alias is not deployed";
        Refusal::new(self.switches.unknown_status, "ISG_INVALID_ALIAS", text)
    }

    fn document(&self, request: &HttpRequest, alias: &str) -> Result<HttpResponse, Refusal> {
        let service = self.service(alias).ok_or_else(|| self.unknown_alias())?;
        let query = request.url.split_once('?').map_or("", |(_, query)| query);
        wadl::document(service, alias, query, &self.switches).ok_or_else(|| {
            let text = "The document does not exist";
            Refusal::new(self.switches.unknown_status, "ISG_INVALID_FUNCTION", text)
        })
    }

    fn call(
        &mut self,
        request: &HttpRequest,
        caller: &Caller,
        alias: &str,
        segment: &str,
        now: Timestamp,
        fault: Option<Fault>,
    ) -> Result<HttpResponse, Refusal> {
        let service = self.service(alias).ok_or_else(|| self.unknown_alias())?;
        let operation = self.operation(service, segment).ok_or_else(|| {
            let text = "The operation does not exist in the service";
            Refusal::new(self.switches.unknown_status, "ISG_INVALID_FUNCTION", text)
        })?;
        if self.revoked.contains(operation.name) {
            let text = format!("User is not authorized for {}", operation.name);
            return Err(Refusal::new(403, "ISG_SERVICE_AUTH_FAILURE", text));
        }
        let reads_row = operation.shape == Shape::Table
            && matches!(request.method, Method::Get | Method::Delete);
        if operation.shape != Shape::Table && request.method != Method::Post {
            return Err(Refusal::new(
                405,
                "ISG_INVALID_METHOD",
                "Only POST is deployed",
            ));
        }
        media(request, reads_row)?;
        let target = Target::parse(&request.url, true).unwrap_or(Target {
            segments: Vec::new(),
            query: Vec::new(),
            bytes: 0,
        });
        let body = if reads_row {
            Body {
                header: context_of(&target),
                ..Body::default()
            }
        } else {
            let reader = Reader {
                switches: &self.switches,
                zone: &self.settings.zone,
            };
            reader.body(&request.body, operation)?
        };
        let scope = self.scope(&body.header, caller)?;
        self.run(
            operation,
            alias,
            request.method,
            &target,
            &body,
            &scope,
            now,
            fault,
        )
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "everything that makes up one call"
    )]
    fn run(
        &mut self,
        operation: &Operation,
        alias: &str,
        method: Method,
        target: &Target,
        body: &Body,
        scope: &Scope,
        now: Timestamp,
        fault: Option<Fault>,
    ) -> Result<HttpResponse, Refusal> {
        let local = super::local(now, &self.settings.zone);
        let switches = self.switches.clone();
        let settings = self.settings.clone();
        let writer = Writer {
            switches: &switches,
            zone: &settings.zone,
        };
        let row = match (operation.service, operation.shape) {
            _ if let Some(Fault::Unexpected(text)) = fault => {
                receipts::status("U", &[text.to_owned()], &scope.language)
            }
            (_, Shape::Table) => {
                let call = interface::Call {
                    method,
                    target,
                    body,
                    org: scope.org,
                    switches: &switches,
                    writer: &writer,
                    rows_max: settings.rows_max,
                };
                return call.run(&mut self.tables, &mut self.lockboxes);
            }
            (_, Shape::Program) => {
                let arguments = Arguments::read(&body.inputs, scope.org);
                let id = self.submit(&arguments, now, fault);
                let name = if switches.x_request_id {
                    "X_REQUEST_ID"
                } else {
                    "REQUEST_ID"
                };
                vec![(name, Out::id(id))]
            }
            (Service::Receipts, Shape::Procedure) => {
                let call = receipts::Call {
                    inputs: &body.inputs,
                    scope,
                    switches: &switches,
                    now: local,
                };
                receipts::run(&mut self.tables, operation.name, &call)
            }
            (_, Shape::Procedure) => {
                let call = package::Call {
                    inputs: &body.inputs,
                    scope,
                    switches: &switches,
                    settings: &settings,
                    now: local,
                };
                self.package(operation, &call, now, fault)
            }
        };
        let instance_first = self.calls.is_multiple_of(2);
        Ok(writer.output(&operation.namespace(alias), row, instance_first))
    }

    fn package(
        &mut self,
        operation: &Operation,
        call: &package::Call<'_>,
        now: Timestamp,
        fault: Option<Fault>,
    ) -> Row {
        let (tables, lockboxes) = (&mut self.tables, &mut self.lockboxes);
        if !operation.writes {
            return package::read(tables, lockboxes, operation.name, call);
        }
        let before = lockboxes.requests().len();
        if fault == Some(Fault::NotSubmitted) && operation.name == "SUBMIT_LOCKBOX" {
            let mut row = receipts::status("S", &[], &call.scope.language);
            row.push(("X_REQUEST_ID", Out::id(0)));
            return row;
        }
        let row = package::write(tables, lockboxes, operation.name, call, now);
        if lockboxes.requests().len() > before {
            self.doom(fault);
        }
        row
    }

    /// Submits the program, unless a fault prevents that.
    fn submit(&mut self, arguments: &Arguments, now: Timestamp, fault: Option<Fault>) -> u64 {
        if fault == Some(Fault::NotSubmitted) {
            return 0;
        }
        let id = self.lockboxes.submit(&self.tables, arguments, now);
        if id > 0 {
            self.doom(fault);
        }
        id
    }

    /// Lets a fault strike the newest request later.
    fn doom(&mut self, fault: Option<Fault>) {
        let id = self.lockboxes.requests().last().map_or(0, |own| own.id);
        if let Some(request) = self.lockboxes.request_mut(id) {
            request.fate = fault;
        }
    }
}

/// Content-Type and Accept must both name JSON (EB 2.4). XML, the other form that services take, is not simulated.
fn media(request: &HttpRequest, without_body: bool) -> Result<(), Refusal> {
    if !without_body && wire::media_type(request).as_deref() != Some(JSON) {
        let text = "Content-Type must be application/json";
        return Err(Refusal::new(415, "ISG_INVALID_CONTENT_TYPE", text));
    }
    let accept = request.header("accept").unwrap_or_default();
    if !accept.contains(JSON) {
        let text = "Accept must name application/json";
        return Err(Refusal::new(406, "ISG_INVALID_ACCEPT", text));
    }
    Ok(())
}

/// The context of a call without a body (EB 2.4).
fn context_of(target: &Target) -> Header {
    let text = |name: &str| {
        let value = target.parameter(name).filter(|value| !value.is_empty());
        value.map(str::to_owned)
    };
    Header {
        responsibility: text("ctx_responsibility"),
        application: text("ctx_respapplication"),
        security_group: text("ctx_securitygroup"),
        language: text("ctx_nlslanguage"),
        org: text("ctx_orgid"),
    }
}
