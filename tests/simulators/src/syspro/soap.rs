//! The SOAP side of the same service (SY 3.3): envelopes of SOAP 1.1 over HTTP, document/literal wrapped. Results are
//! base64 of what the REST layer would answer.

use super::answer::escape;
use super::call::Parts;
use super::{Fault, Simulator};
use crate::wire::{self, Target};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ml_connector_core::http::{HttpRequest, HttpResponse, Method};

/// Namespace of the contract (SY 3.3).
pub(super) const NAMESPACE: &str = "http://SYSPROWcfService";
const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";

const DOCUMENT: &[&str] = &["UserId", "XmlIn"];
const QUERY: &[&str] = &["UserId", "BusinessObject", "XmlIn"];
const WRITE: &[&str] = &["UserId", "BusinessObject", "XmlParameters", "XmlIn"];
const USER: &[&str] = &["UserId"];

/// Operations: name, REST operation, children in order (SY 3.3).
const OPERATIONS: &[(&str, &str, &[&str])] = &[
    (
        "Logon",
        "logon",
        &[
            "Operator",
            "OperatorPassword",
            "CompanyId",
            "CompanyPassword",
            "LanguageCode",
            "LogLevel",
            "EncoreInstance",
            "XmlIn",
        ],
    ),
    ("Logoff", "logoff", USER),
    ("GetLogonProfile", "getlogonprofile", USER),
    ("GetVersion", "getversion", &[]),
    ("QueryQuery", "query/query", QUERY),
    ("QueryQueryW", "query/query", QUERY),
    ("QueryBrowse", "query/browse", DOCUMENT),
    ("QueryFetch", "query/fetch", DOCUMENT),
    ("NextKey", "query/nextkey", DOCUMENT),
    ("PreviousKey", "query/previouskey", DOCUMENT),
    ("SetupAdd", "setup/add", WRITE),
    ("SetupUpdate", "setup/update", WRITE),
    ("SetupDelete", "setup/delete", WRITE),
    ("TransactionBuild", "transaction/build", QUERY),
    ("TransactionPost", "transaction/post", WRITE),
    ("TransactionPostW", "transaction/post", WRITE),
];

/// A call taken out of its envelope.
pub(super) struct Envelope {
    name: &'static str,
    /// The operation as the REST layer names it.
    pub(super) operation: &'static str,
    pub(super) parts: Parts,
    members: Vec<(String, String)>,
}

/// Whether a path is the SOAP address (SY 1.3).
pub(super) fn is_it(target: &Target) -> bool {
    let path: Vec<String> = target
        .segments
        .iter()
        .map(|part| part.to_lowercase())
        .collect();
    path == ["sysprowcfservice", "soap"]
}

impl Envelope {
    /// Takes a call out of its envelope. The data contract is sensitive to the order of children (SY 3.2).
    pub(super) fn read(request: &HttpRequest) -> Result<Self, String> {
        let text = std::str::from_utf8(&request.body).map_err(|_| "not UTF-8".to_owned())?;
        let document = roxmltree::Document::parse(text.trim_start_matches('\u{feff}'))
            .map_err(|_| "the envelope is not well-formed".to_owned())?;
        let root = document.root_element();
        if root.tag_name().name() != "Envelope" || root.tag_name().namespace() != Some(ENVELOPE) {
            return Err("the root is not an envelope of SOAP 1.1".to_owned());
        }
        let body = root
            .children()
            .find(|child| child.tag_name().name() == "Body")
            .and_then(|body| body.first_element_child())
            .ok_or_else(|| "the body is empty".to_owned())?;
        let wanted = body.tag_name().name();
        let found = OPERATIONS.iter().find(|(name, ..)| *name == wanted);
        let (name, operation, children) =
            found.ok_or_else(|| format!("the operation {wanted} is not known"))?;
        if body.tag_name().namespace() != Some(NAMESPACE) {
            return Err("the operation is in another namespace".to_owned());
        }
        let action = request.header("soapaction").unwrap_or_default();
        if action.trim_matches('"') != *name {
            return Err(format!("the SOAPAction {action} does not match"));
        }
        let members: Vec<(String, String)> = body
            .children()
            .filter(roxmltree::Node::is_element)
            .map(|child| {
                let text = child.children().filter_map(|part| part.text()).collect();
                (child.tag_name().name().to_owned(), text)
            })
            .collect();
        if !members
            .iter()
            .map(|(name, _)| name.as_str())
            .eq(children.iter().copied())
        {
            return Err(format!(
                "{name} needs {} in this order",
                children.join(", ")
            ));
        }
        let mut call = Self {
            name,
            operation,
            parts: Parts::default(),
            members,
        };
        let text = |name: &str| call.member(name).unwrap_or_default();
        call.parts = Parts {
            user: text("UserId"),
            object: text("BusinessObject"),
            parameters: text("XmlParameters"),
            document: text("XmlIn"),
        };
        Ok(call)
    }

    fn member(&self, name: &str) -> Option<String> {
        let own = self.members.iter().find(|(own, _)| own == name);
        own.map(|(_, value)| value.clone())
    }
}

impl Simulator {
    /// Carries out one SOAP call.
    pub(super) fn soap(
        &mut self,
        request: &HttpRequest,
        now: Timestamp,
        fault: Option<Fault>,
        admitted: bool,
    ) -> HttpResponse {
        if !self.switches.soap {
            return wire::response(404, "text/html", "<HTML><BODY>Not Found</BODY></HTML>");
        }
        if request.method != Method::Post {
            return wire::response(
                405,
                "text/html",
                "<HTML><BODY>Method not allowed.</BODY></HTML>",
            );
        }
        if wire::media_type(request).as_deref() != Some("text/xml") {
            return wire::response(415, "text/html", "<HTML><BODY>Unsupported</BODY></HTML>");
        }
        let call = match Envelope::read(request) {
            Ok(call) => call,
            Err(text) => return faulty("s:Client", &text),
        };
        let logon = |name: &str| call.member(name);
        let result = self.perform(call.operation, &call.parts, logon, now, fault, admitted);
        let text = match result {
            Ok(text) => text,
            // The library turns errors into exceptions, so a fault is to be expected (SY 3.3).
            Err(exception) if self.switches.soap_faults => {
                return faulty("s:Server", &format!("ERROR: {}", exception.0));
            }
            Err(exception) => format!("ERROR: {}", exception.0),
        };
        let bytes = encoding_rs::WINDOWS_1252.encode(&text).0;
        let bytes = if self.switches.utf8_answers {
            text.as_bytes()
        } else {
            bytes.as_ref()
        };
        let result = STANDARD.encode(bytes);
        let name = call.name;
        envelope(
            200,
            &format!(
                "<{name}Response xmlns=\"{NAMESPACE}\"><{name}Result>{result}</{name}Result></{name}Response>"
            ),
        )
    }
}

fn faulty(code: &str, text: &str) -> HttpResponse {
    let text = escape(text);
    envelope(
        500,
        &format!(
            "<s:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring></s:Fault>"
        ),
    )
}

fn envelope(status: u16, body: &str) -> HttpResponse {
    wire::response(
        status,
        "text/xml; charset=utf-8",
        format!("<s:Envelope xmlns:s=\"{ENVELOPE}\"><s:Body>{body}</s:Body></s:Envelope>"),
    )
}
