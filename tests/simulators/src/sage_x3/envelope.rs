//! SOAP 1.1 envelopes, RPC/encoded: reading calls, writing answers (X3 5.1, 5.4).

use super::message::Message;
use super::param::escape;
use super::settings::{ResultText, Switches};
use crate::wire;
use ml_connector_core::http::{HttpRequest, HttpResponse};
use roxmltree::Node;

const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const SERVICE: &str = "http://www.adonix.com/WSS";

/// The operations with their parts after `callContext` and `publicName`, in the order of the WSDL (X3 5.1).
const OPERATIONS: [(&str, &[&str]); 12] = [
    ("run", &["inputXml"]),
    ("save", &["objectXml"]),
    ("modify", &["objectKeys", "objectXml"]),
    ("read", &["objectKeys"]),
    ("query", &["objectKeys", "listSize"]),
    ("delete", &["objectKeys"]),
    ("actionObject", &["actionCode", "objectXml"]),
    ("actionObjectKeys", &["actionCode", "objectKeys"]),
    (
        "insertLines",
        &["objectKeys", "blocKey", "lineKey", "lineXml"],
    ),
    ("deleteLines", &["objectKeys", "blocKey", "lineKeys"]),
    ("getDescription", &[]),
    ("getDataXmlSchema", &[]),
];
const CONTEXT: [&str; 6] = [
    "codeLang",
    "codeUser",
    "password",
    "poolAlias",
    "poolId",
    "requestConfig",
];

/// A call that was understood.
#[derive(Debug, Clone, Default)]
pub(crate) struct Call {
    pub(crate) operation: String,
    pub(crate) public_name: String,
    pub(crate) language: String,
    pub(crate) pool: String,
    /// `adxwss.optreturn=JSON` (X3 5.2).
    pub(crate) json: bool,
    /// `objectXml` or `inputXml`.
    pub(crate) document: String,
    pub(crate) keys: Vec<(String, String)>,
    pub(crate) list_size: usize,
}

/// Why there is no call: the text of the Fault. The shape of faults was never seen (X3 9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) String);

fn refuse<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(why.into()))
}

/// Reads a call: strict on namespaces and part names, lenient on prefixes (X3 11.3 no. 4).
pub(crate) fn read(request: &HttpRequest, switches: &Switches) -> Result<Call, Refusal> {
    if wire::media_type(request).as_deref() != Some("text/xml") {
        return refuse("content type is not text/xml");
    }
    // SOAP 1.1 demands the header; what it says is not checked (X3 5.1).
    if request.header("soapaction").is_none() {
        return refuse("no SOAPAction header");
    }
    let text = std::str::from_utf8(&request.body).map_err(|_| Refusal("not UTF-8".to_owned()))?;
    let document = roxmltree::Document::parse(text.trim_start_matches('\u{feff}').trim_start())
        .map_err(|error| Refusal(format!("not well-formed XML: {error}")))?;
    let root = document.root_element();
    if !root.has_tag_name((ENVELOPE, "Envelope")) {
        return refuse("root is not a SOAP 1.1 Envelope");
    }
    let body = elements(root).find(|child| child.has_tag_name((ENVELOPE, "Body")));
    let operation = body.and_then(|body| elements(body).next());
    let Some(operation) = operation else {
        return refuse("no operation in the Body");
    };
    if operation.tag_name().namespace() != Some(SERVICE) {
        return refuse("operation is not in the service's namespace");
    }
    let name = operation.tag_name().name();
    let Some((_, own)) = OPERATIONS.iter().find(|(own, _)| *own == name) else {
        return refuse(format!("no operation {name}"));
    };
    let listed: Vec<&str> = ["callContext", "publicName"]
        .into_iter()
        .chain(own.iter().copied())
        .collect();
    check_parts(operation, &listed, switches)?;
    call(operation, name, request)
}

fn elements<'a, 'b: 'a>(node: Node<'a, 'b>) -> impl Iterator<Item = Node<'a, 'b>> {
    node.children().filter(Node::is_element)
}

fn check_parts(
    operation: Node<'_, '_>,
    listed: &[&str],
    switches: &Switches,
) -> Result<(), Refusal> {
    let mut last = None;
    for part in elements(operation) {
        let name = part.tag_name().name();
        if part.tag_name().namespace().is_some() {
            return refuse(format!("part {name} must be unqualified"));
        }
        let Some(place) = listed.iter().position(|own| *own == name) else {
            return refuse(format!("unknown part {name}"));
        };
        let in_order = last.is_none_or(|last| last < place);
        if switches.strict_order && !in_order {
            return refuse(format!("part {name} out of order"));
        }
        last = Some(place);
    }
    for name in listed {
        if !elements(operation).any(|part| part.tag_name().name() == *name) {
            return refuse(format!("part {name} is missing"));
        }
    }
    Ok(())
}

fn call(operation: Node<'_, '_>, name: &str, request: &HttpRequest) -> Result<Call, Refusal> {
    let part = |name: &str| elements(operation).find(|part| part.tag_name().name() == name);
    let mut call = Call {
        operation: name.to_owned(),
        public_name: part("publicName").map(text).unwrap_or_default(),
        language: request
            .header("accept-language")
            .map_or("", |language| match language.get(..2) {
                Some("fr") => "FRA",
                _ => "ENG",
            })
            .to_owned(),
        list_size: 0,
        ..Call::default()
    };
    for member in part("callContext").into_iter().flat_map(elements) {
        let value = text(member).trim().to_owned();
        let name = member.tag_name().name();
        if !CONTEXT.contains(&name) || member.tag_name().namespace().is_some() {
            return refuse(format!("unknown member {name} of callContext"));
        }
        match name {
            "codeLang" if !value.is_empty() => call.language = value,
            "poolAlias" => call.pool = value,
            "requestConfig" => {
                let mut options = value.split('&');
                call.json = options.any(|option| option == "adxwss.optreturn=JSON");
            }
            // codeUser and password are ignored since Update 9, poolId pins a process (X3 5.2).
            _ => {}
        }
    }
    if call.language.is_empty() {
        return refuse("neither codeLang nor Accept-Language");
    }
    let document = part("objectXml").or_else(|| part("inputXml"));
    call.document = document.map(text).unwrap_or_default();
    if let Some(size) = part("listSize") {
        call.list_size = text(size)
            .trim()
            .parse()
            .map_err(|_| Refusal("listSize is not a number".to_owned()))?;
    }
    // The item name is free in SOAP encoding (X3 5.8).
    for item in part("objectKeys").into_iter().flat_map(elements) {
        let member = |name: &str| {
            elements(item)
                .find(|child| child.has_tag_name(name))
                .map(text)
        };
        let (Some(key), Some(value)) = (member("key"), member("value")) else {
            return refuse("objectKeys items need key and value");
        };
        call.keys
            .push((key.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(call)
}

fn text(node: Node<'_, '_>) -> String {
    node.children().filter_map(|part| part.text()).collect()
}

/// What a call comes to: `CAdxResultXml` (X3 5.4).
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// Done, or not.
    pub(crate) done: bool,
    pub(crate) messages: Vec<Message>,
    pub(crate) result: Option<String>,
    /// Milliseconds that it ran.
    pub(crate) millis: u64,
    /// First call of the pool: sessions had to be started (X3 11 no. 13).
    pub(crate) first: bool,
}

impl Answer {
    /// Refused.
    pub(crate) fn refused(messages: Vec<Message>) -> Self {
        Self {
            messages,
            ..Self::default()
        }
    }

    /// Done.
    pub(crate) fn done(result: String, messages: Vec<Message>) -> Self {
        Self {
            done: true,
            messages,
            result: Some(result),
            ..Self::default()
        }
    }
}

struct Prefixes {
    envelope: &'static str,
    encoding: &'static str,
    service: &'static str,
}

const fn prefixes(switches: &Switches) -> Prefixes {
    if switches.other_prefixes {
        Prefixes {
            envelope: "S",
            encoding: "E",
            service: "ns1",
        }
    } else {
        Prefixes {
            envelope: "soapenv",
            encoding: "soapenc",
            service: "wss",
        }
    }
}

fn wrap(body: &str, switches: &Switches) -> String {
    let Prefixes {
        envelope: env,
        encoding: enc,
        service: wss,
    } = prefixes(switches);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><{env}:Envelope xmlns:{env}=\"{ENVELOPE}\" \
         xmlns:{enc}=\"http://schemas.xmlsoap.org/soap/encoding/\" xmlns:{wss}=\"{SERVICE}\" \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><{env}:Body>{body}</{env}:Body>\
         </{env}:Envelope>"
    )
}

/// Writes an answer. HTTP is 200 whether it was done or not (X3 5.4).
pub(crate) fn write(
    operation: &str,
    answer: &Answer,
    language: &str,
    switches: &Switches,
) -> HttpResponse {
    let Prefixes {
        envelope: env,
        encoding: enc,
        service: wss,
    } = prefixes(switches);
    let count = answer.messages.len();
    let content = |message: &Message| {
        format!(
            "<type xsi:type=\"xsd:int\">{}</type><message xsi:type=\"xsd:string\">{}</message>",
            message.kind,
            escape(message.text(language))
        )
    };
    let mut inside = String::new();
    let mut beside = String::new();
    for (at, message) in answer.messages.iter().enumerate() {
        let content = content(message);
        if switches.inline_messages {
            inside += &format!("<messages xsi:type=\"{wss}:CAdxMessage\">{content}</messages>");
        } else {
            // By reference: the text stands in a sibling of the response element (X3 5.4).
            inside += &format!("<messages href=\"#id{at}\"/>");
            beside += &format!(
                "<multiRef id=\"id{at}\" {enc}:root=\"0\" \
                 {env}:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\" \
                 xsi:type=\"{wss}:CAdxMessage\">{content}</multiRef>"
            );
        }
    }
    let result = match &answer.result {
        None => "<resultXml xsi:type=\"xsd:string\" xsi:nil=\"true\"/>".to_owned(),
        Some(text) => {
            let text = match switches.result_text {
                ResultText::Cdata => {
                    let text = text.replace("]]>", "]]]]><![CDATA[>");
                    format!("<![CDATA[{text}]]>")
                }
                ResultText::Escaped => escape(text),
            };
            format!("<resultXml xsi:type=\"xsd:string\">{text}</resultXml>")
        }
    };
    let body = format!(
        "<{wss}:{operation}Response \
         {env}:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\">\
         <{operation}Return xsi:type=\"{wss}:CAdxResultXml\">\
         <messages xsi:type=\"{enc}:Array\" {enc}:arrayType=\"{wss}:CAdxMessage[{count}]\">{inside}\
         </messages>{result}<status xsi:type=\"xsd:int\">{}</status>\
         <technicalInfos xsi:type=\"{wss}:CAdxTechnicalInfos\">{}</technicalInfos>\
         </{operation}Return></{wss}:{operation}Response>{beside}",
        u8::from(answer.done),
        technical(answer)
    );
    wire::response(200, "text/xml; charset=utf-8", wrap(&body, switches))
}

/// All members (X3 5.4, 11.3 no. 4).
fn technical(answer: &Answer) -> String {
    let millis = answer.millis;
    let load = if answer.first { 1900 } else { 0 };
    let total = millis + load;
    let member = |name: &str, kind: &str, value: &str| {
        format!("<{name} xsi:type=\"xsd:{kind}\">{value}</{name}>")
    };
    let number = |name: &str, value: u64| member(name, "double", &value.to_string());
    let flag = |name: &str| member(name, "boolean", "false");
    [
        flag("busy"),
        flag("changeLanguage"),
        flag("changeUserId"),
        flag("flushAdx"),
        number("loadWebsDuration", load),
        member("nbDistributionCycle", "int", "-1"),
        number("poolDistribDuration", 0),
        member("poolEntryIdx", "int", "1"),
        number("poolExecDuration", millis),
        number("poolRequestDuration", 0),
        number("poolWaitDuration", 0),
        "<processReport xsi:type=\"xsd:string\" xsi:nil=\"true\"/>".to_owned(),
        member("processReportSize", "int", "-1"),
        flag("reloadWebs"),
        flag("resumitAfterDBOpen"),
        member("rowInDistribStack", "int", "0"),
        number("totalDuration", total),
        "<traceRequest xsi:type=\"xsd:string\" xsi:nil=\"true\"/>".to_owned(),
        member("traceRequestSize", "int", "-1"),
    ]
    .concat()
}

/// A Fault, under HTTP 500.
pub(crate) fn fault(refusal: &Refusal, switches: &Switches) -> HttpResponse {
    let env = prefixes(switches).envelope;
    let body = format!(
        "<{env}:Fault><faultcode>{env}:Client</faultcode><faultstring>{}</faultstring></{env}:Fault>",
        escape(&refusal.0)
    );
    wire::response(500, "text/xml; charset=utf-8", wrap(&body, switches))
}
