//! From a request to its object (SY 3.1, 3.2).

use super::answer::{Exception, Node, render, respond};
use super::company::Company;
use super::faults::Class;
use super::session::Session;
use super::settings::Wrapping;
use super::soap::{Envelope, NAMESPACE};
use super::xml::Element;
use super::{
    Fault, LateCall, Outcome, Run, Simulator, arsqry, arstin, arstpy, combrw, comfnd, cshqry,
    cshtwd, forms, genq, gentjl, masters, odata, soap, wiptlp,
};
use crate::Reply;
use crate::wire::{self, Target};
use jiff::Timestamp;
use ml_connector_core::http::{HttpRequest, HttpResponse, Method};

/// Version of the service (SY 1.5).
const SERVICE_VERSION: &str = "8.0.0.12";
/// Version attribute of the answers: the object's own (SY 1.5).
const OBJECT_VERSION: &str = "8.0.161";

/// The parts of a call that reach an object.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    pub(super) user: String,
    pub(super) object: String,
    pub(super) parameters: String,
    pub(super) document: String,
}

impl Simulator {
    /// Carries out one call at the given moment.
    pub fn handle(&mut self, request: &HttpRequest, now: Timestamp) -> Reply {
        self.tick(now);
        self.calls += 1;
        let (class, object) = self.classify(request);
        if !object.is_empty() {
            *self.object_calls.entry(object.to_uppercase()).or_default() += 1;
        }
        let fault = self.faults.take(|on| on.covers(class, &object));
        match fault {
            Some(Fault::DropBefore) => Reply::Drop,
            Some(Fault::DropAfter) => {
                self.answer(request, now, None, false);
                Reply::Drop
            }
            Some(Fault::Http { status }) => Reply::Answer(html(status, "Service trouble")),
            Some(Fault::Late { by }) if object != odata::OBJECT => {
                let parts = self.parts(request).unwrap_or_default();
                match self.session(&parts.user, now) {
                    Ok(session) => {
                        let call = LateCall {
                            request: request.clone(),
                            session: session.id,
                        };
                        self.late.put_off(call, by, now)
                    }
                    Err(exception) => Reply::Answer(self.error(&exception)),
                }
            }
            Some(Fault::Late { by } | Fault::Slow { by }) => {
                let answer = self.answer(request, now, None, false);
                self.late.keep(answer, by, now)
            }
            Some(Fault::Truncate { body_bytes }) => Reply::Truncate {
                response: self.answer(request, now, None, false),
                body_bytes,
            },
            Some(Fault::Restart { down_for }) => {
                self.restart_until(now.checked_add(down_for).unwrap_or(Timestamp::MAX));
                Reply::Answer(self.answer(request, now, None, false))
            }
            Some(Fault::Evict) => {
                let parts = self.parts(request).unwrap_or_default();
                if let Ok(session) = self.session(&parts.user, now) {
                    self.sign_in_at_the_client(&session.operator);
                }
                Reply::Answer(self.answer(request, now, None, false))
            }
            Some(Fault::MonthEnd { lasts }) => {
                self.block_logons_until(now.checked_add(lasts).ok());
                Reply::Answer(self.answer(request, now, None, false))
            }
            fault => Reply::Answer(self.answer(request, now, fault, false)),
        }
    }

    /// Reads enough of a call to know which faults may strike it.
    fn classify(&self, request: &HttpRequest) -> (Class, String) {
        let Some(target) = Target::parse(&request.url, self.switches.plus_is_space) else {
            return (Class::Other, String::new());
        };
        if odata::place(&target).is_some() {
            return (Class::Query, odata::OBJECT.to_owned());
        }
        let soap = soap::is_it(&target).then(|| Envelope::read(request).ok());
        let operation = match soap {
            Some(call) => call.map(|call| call.operation.to_owned()),
            None => operation(&target),
        };
        let class = match operation.as_deref() {
            Some("logon") => Class::Logon,
            Some(name) if name.starts_with("query/") => Class::Query,
            Some(name) if name.starts_with("setup/") || name.starts_with("transaction/") => {
                Class::Write
            }
            _ => Class::Other,
        };
        (
            class,
            self.parts(request)
                .map(|parts| parts.object)
                .unwrap_or_default(),
        )
    }

    /// The parts of a call, from the query or from a PostLD body.
    fn parts(&self, request: &HttpRequest) -> Option<Parts> {
        let target = Target::parse(&request.url, self.switches.plus_is_space)?;
        if soap::is_it(&target) {
            return Envelope::read(request).ok().map(|call| call.parts);
        }
        if operation(&target).as_deref() == Some("transaction/postld") {
            return post_ld(request).ok();
        }
        let text = |name: &str| target.parameter(name).unwrap_or_default().to_owned();
        Some(Parts {
            user: text("UserId"),
            object: text("BusinessObject"),
            parameters: text("XmlParameters"),
            document: text("XmlIn"),
        })
    }

    /// Carries out a call without any fault of the network. `admitted`: its session was checked when it arrived.
    pub(super) fn answer(
        &mut self,
        request: &HttpRequest,
        now: Timestamp,
        fault: Option<Fault>,
        admitted: bool,
    ) -> HttpResponse {
        let Some(target) = Target::parse(&request.url, self.switches.plus_is_space) else {
            return html(400, "Bad Request");
        };
        let is_odata = odata::place(&target).is_some();
        if self.down_until.is_some_and(|until| now < until) && !is_odata {
            return html(503, "Service Unavailable");
        }
        // HTTP.sys refuses the request line before the service sees it (SY 3.2).
        if target.bytes > self.switches.url_bytes_max {
            return html(
                self.switches.too_long_status,
                "Bad Request - Request Too Long",
            );
        }
        if is_odata {
            let answer = self.odata(request, &target);
            return if fault == Some(Fault::Garbled) {
                garble(answer)
            } else {
                answer
            };
        }
        if soap::is_it(&target) {
            return self.soap(request, now, fault, admitted);
        }
        let Some(operation) = operation(&target) else {
            return html(404, "Not Found");
        };
        let wanted = if operation == "transaction/postld" {
            Method::Post
        } else {
            Method::Get
        };
        let known = OPERATIONS.contains(&operation.as_str())
            && (self.switches.version_8 || operation != "transaction/postld");
        if !known {
            return html(404, "Endpoint not found.");
        }
        if request.method != wanted {
            return html(405, "Method not allowed.");
        }
        let parts = if operation == "transaction/postld" {
            match post_ld(request) {
                Ok(parts) => parts,
                Err(status) => return html(status, "The server encountered an error"),
            }
        } else {
            self.parts(request).unwrap_or_default()
        };
        let logon = |name: &str| target.parameter(name).map(str::to_owned);
        let text = self.perform(&operation, &parts, logon, now, fault, admitted);
        let text = if operation == "transaction/postld" {
            text.map(|text| self.wrap(&text))
        } else {
            text
        };
        match text {
            Ok(text) => respond(&text, &self.switches),
            Err(exception) => self.error(&exception),
        }
    }

    /// Carries out an operation that was taken out of its request, whichever way it came. `logon` gives the members of
    /// a logon.
    pub(super) fn perform(
        &mut self,
        operation: &str,
        parts: &Parts,
        logon: impl Fn(&str) -> Option<String>,
        now: Timestamp,
        fault: Option<Fault>,
        admitted: bool,
    ) -> Result<String, Exception> {
        match operation {
            "logon" if fault == Some(Fault::NoSeat) => Err(Exception::new(
                "Maximum number of licensed users are logged in",
            )),
            "logon" => self.logon(logon, now),
            "logoff" => self.logoff(&parts.user, now),
            "getversion" => Ok(SERVICE_VERSION.to_owned()),
            "getlogonprofile" => self.profile(&parts.user, now),
            _ => self.run(operation, parts, now, fault, admitted),
        }
    }

    fn error(&self, exception: &Exception) -> HttpResponse {
        respond(&format!("ERROR: {}", exception.0), &self.switches)
    }

    fn profile(&mut self, user: &str, now: Timestamp) -> Result<String, Exception> {
        let session = self.session(user, now)?;
        let company = self.companies.get(&session.company);
        let company = company.ok_or_else(|| Exception::new("Invalid company"))?;
        let bank = self
            .operators
            .get(&session.operator)
            .map(|o| o.bank.clone())
            .unwrap_or_default();
        let period = company.period;
        let root = Node::query_root("UserProfile").leaves([
            ("CompanyName", company.name.clone()),
            ("OperatorCode", session.operator),
            ("OperatorGroup", "SYS".to_owned()),
            ("OperatorEmailAddress", String::new()),
            (
                "AccountingDate",
                format!("{}-{:02}-01", period.year, period.number),
            ),
            ("CompanyDate", now.strftime("%Y-%m-%d").to_string()),
            ("DefaultArBranch", "10".to_owned()),
            ("DefaultBank", bank),
            ("LocalCurrencyCode", company.local_currency.clone()),
            ("DateFormat", "01".to_owned()),
            ("SysproVersion", SERVICE_VERSION.to_owned()),
            ("EnetVersion", SERVICE_VERSION.to_owned()),
        ]);
        Ok(render(root, OBJECT_VERSION, &self.switches))
    }

    /// Checks the session and runs the object.
    fn run(
        &mut self,
        operation: &str,
        parts: &Parts,
        now: Timestamp,
        fault: Option<Fault>,
        admitted: bool,
    ) -> Result<String, Exception> {
        let session = match self.session(&parts.user, now) {
            Ok(session) => session,
            // Runs on although its session was evicted meanwhile (SY 2.5).
            Err(exception) => self
                .admitted_session(&parts.user)
                .filter(|_| admitted)
                .ok_or(exception)?,
        };
        match &fault {
            Some(Fault::NotLicensed) => return Err(Exception::not_licensed()),
            Some(Fault::Locked) => {
                return Err(Exception::new("Record is locked by another operator"));
            }
            _ => {}
        }
        let bank = self
            .operators
            .get(&session.operator)
            .map(|o| o.bank.clone())
            .unwrap_or_default();
        let company = self.companies.get_mut(&session.company);
        let company = company.ok_or_else(|| Exception::new("Invalid company"))?;
        let garbled = fault == Some(Fault::Garbled);
        let run = Run {
            switches: &self.switches,
            now,
            operator: &session.operator,
            operator_bank: &bank,
            fault,
        };
        let object = parts.object.trim().to_uppercase();
        let root = dispatch(company, operation, &object, parts, &run)?;
        let text = render(root, OBJECT_VERSION, &self.switches);
        Ok(if garbled {
            text.replace("</", "<")
        } else {
            text
        })
    }

    /// The operator and company of a session that has ended since its call was admitted.
    fn admitted_session(&self, id: &str) -> Option<Session> {
        let id = id.trim();
        self.ended
            .iter()
            .rev()
            .find(|session| session.id == id)
            .cloned()
    }

    fn wrap(&self, text: &str) -> String {
        let escaped = super::answer::escape(text);
        match self.switches.post_ld_wrapping {
            Wrapping::None => text.to_owned(),
            Wrapping::Text => format!(
                "<string xmlns=\"http://schemas.microsoft.com/2003/10/Serialization/\">{escaped}</string>"
            ),
            Wrapping::Result => format!(
                "<TransactionPostLDResult xmlns=\"{NAMESPACE}\">{escaped}</TransactionPostLDResult>"
            ),
        }
    }
}

/// Runs the object that a call names. One that is not there is answered like one without licence.
fn dispatch(
    company: &mut Company,
    operation: &str,
    object: &str,
    parts: &Parts,
    run: &Run<'_>,
) -> Outcome {
    let Parts {
        parameters,
        document,
        ..
    } = parts;
    match (operation, object) {
        ("query/query", "COMFND") => comfnd::find(company, document, run),
        ("query/query", "ARSQRY") => arsqry::query(company, document, run),
        ("query/query", "CSHQRY") => cshqry::query(company, document, run),
        ("query/query", "COMQFM") => forms::query(company, document),
        ("query/query", "GENQRY") => genq::ledger(company, document),
        ("query/query", "GENQZM") => genq::zoom(company, document),
        ("query/query", "GENQGL") => genq::validate(company, document),
        ("query/query", "GENQPP") => genq::periods(company, document),
        ("query/fetch", _) => comfnd::fetch(company, document, run),
        ("query/browse", _) => combrw::browse(company, document, run),
        ("query/nextkey", _) => combrw::neighbour(company, document, true, run),
        ("query/previouskey", _) => combrw::neighbour(company, document, false, run),
        ("setup/add" | "setup/update" | "setup/delete", "COMSFM") => {
            forms::set_up(company, operation, parameters, document, run)
        }
        ("setup/add" | "setup/update" | "setup/delete", object) => {
            masters::set_up(company, object, operation, parameters, document, run)
        }
        ("transaction/post" | "transaction/postld", object) => {
            let post = match object {
                "ARSTPY" => arstpy::post,
                "ARSTIN" => arstin::post,
                "CSHTWD" => cshtwd::post,
                "GENTJL" => gentjl::post,
                "COMTFM" => forms::post,
                "WIPTLP" => wiptlp::post,
                _ => return Err(Exception::not_licensed()),
            };
            post(company, parameters, document, run)
        }
        _ => Err(Exception::not_licensed()),
    }
}

/// Every operation that the service knows (SY 3.1, 3.2). Build is there and runs no object: the sheet names none of
/// that class.
const OPERATIONS: [&str; 15] = [
    "logon",
    "logoff",
    "getversion",
    "getlogonprofile",
    "query/query",
    "query/fetch",
    "query/browse",
    "query/nextkey",
    "query/previouskey",
    "setup/add",
    "setup/update",
    "setup/delete",
    "transaction/build",
    "transaction/post",
    "transaction/postld",
];

/// The operation of a path, in lower case: paths are case-insensitive (SY 1.3). `None` outside the REST base.
fn operation(target: &Target) -> Option<String> {
    let mut segments = target.segments.iter().map(|segment| segment.to_lowercase());
    if segments.next()? != "sysprowcfservice" || segments.next()? != "rest" {
        return None;
    }
    Some(segments.collect::<Vec<_>>().join("/"))
}

/// Reads a PostLD body: root, namespace, and children in their order, which the data contract needs (SY 3.2). Gives the
/// HTTP status of the refusal otherwise.
fn post_ld(request: &HttpRequest) -> Result<Parts, u16> {
    let media = wire::media_type(request).unwrap_or_default();
    if media != "application/xml" && media != "text/xml" {
        return Err(415);
    }
    let text = declared_text(&request.body).ok_or(400_u16)?;
    let text = text.as_str();
    let document =
        roxmltree::Document::parse(text.trim_start_matches('\u{feff}')).map_err(|_| 400_u16)?;
    let root = document.root_element();
    if root.tag_name().name() != "TransactionPostLD"
        || root.tag_name().namespace() != Some(NAMESPACE)
    {
        return Err(400);
    }
    let root = Element::parse(text, "body").map_err(|_| 400_u16)?;
    let order = ["UserId", "BusinessObject", "XmlParameters", "XmlIn"];
    let names: Vec<&str> = root
        .children
        .iter()
        .map(|child| child.name.as_str())
        .collect();
    if names != order {
        return Err(400);
    }
    let part = |name: &str| root.text_or_blank(name).to_owned();
    Ok(Parts {
        user: part("UserId"),
        object: part("BusinessObject"),
        parameters: part("XmlParameters"),
        document: part("XmlIn"),
    })
}

/// Decodes a body by the encoding that its XML declaration names; UTF-8 without one.
fn declared_text(body: &[u8]) -> Option<String> {
    let head: String = body.iter().take(80).map(|byte| char::from(*byte)).collect();
    let head = head.to_lowercase();
    if head.starts_with("<?xml") && head.contains("windows-1252") {
        return Some(encoding_rs::WINDOWS_1252.decode(body).0.into_owned());
    }
    std::str::from_utf8(body).ok().map(str::to_owned)
}

/// The same answer with its structure broken.
fn garble(mut answer: HttpResponse) -> HttpResponse {
    let text = String::from_utf8_lossy(&answer.body).replace([':', '}'], "");
    answer.body = text.into();
    answer
}

fn html(status: u16, text: &str) -> HttpResponse {
    wire::response(
        status,
        "text/html",
        format!("<HTML><BODY><h2>{text}</h2></BODY></HTML>"),
    )
}
