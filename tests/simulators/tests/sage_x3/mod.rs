//! The ERP with many doors.

mod doors;
mod soap;
mod trouble;

use crate::support::{answer, request, start};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ml_connector_core::http::{HttpRequest, HttpResponse, Method};
use ml_connector_simulators::sage_x3::{Folder, Settings, Simulator, Switches};

pub(crate) const ORIGIN: &str = "http://x3.example.test:8124";
pub(crate) const SOAP: &str = "/soap-generic/syracuse/collaboration/syracuse/CAdxWebServiceXmlCC";

/// A site with two customers.
pub(crate) fn site() -> Simulator {
    site_with(Switches::default())
}

pub(crate) fn site_with(switches: Switches) -> Simulator {
    let mut simulator = Simulator::new(Settings::default(), switches, 1);
    let folder = simulator.folder_mut("UKLIVE").unwrap();
    folder.add_customer("07535", "Brookfield & Söhne <Ltd>", "GBP", start());
    folder.add_customer("7535", "Another one", "GBP", start());
    simulator
}

pub(crate) fn folder(simulator: &Simulator) -> &Folder {
    simulator.folder("UKLIVE").unwrap()
}

pub(crate) fn basic(login: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{login}:{password}")))
}

/// A SOAP call with these parts after `callContext`.
pub(crate) fn call(operation: &str, pool: &str, parts: &str) -> HttpRequest {
    call_as(&basic("engine", "secret"), operation, pool, "XML", parts)
}

pub(crate) fn call_as(
    authorization: &str,
    operation: &str,
    pool: &str,
    returns: &str,
    parts: &str,
) -> HttpRequest {
    let body = format!(
        "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:w=\"http://www.adonix.com/WSS\"><e:Body><w:{operation}><callContext>\
         <codeLang>ENG</codeLang><poolAlias>{pool}</poolAlias><poolId/>\
         <requestConfig>adxwss.optreturn={returns}&amp;adxwss.beautify=false</requestConfig>\
         </callContext>{parts}</w:{operation}></e:Body></e:Envelope>"
    );
    let headers = [
        ("Authorization", authorization),
        ("Content-Type", "text/xml; charset=utf-8"),
        ("SOAPAction", "\"\""),
    ];
    request(Method::Post, &format!("{ORIGIN}{SOAP}"), &headers, &body)
}

/// The parameter of an entry like the sheet's, with these lines.
pub(crate) fn entry(source: &str, date: &str, lines: &str) -> String {
    format!(
        "<PARAM><GRP ID=\"HAE0_1\"><FLD NAME=\"FCY\">UK01</FLD><FLD NAME=\"TYP\">GCPAY</FLD>\
         <FLD NAME=\"NUM\"/><FLD NAME=\"ACCDAT\">{date}</FLD></GRP>\
         <GRP ID=\"HAE1_1\"><FLD NAME=\"DESVCR\">GoCardless {source}</FLD></GRP>\
         <GRP ID=\"HAE1_3\"><FLD NAME=\"BPRVCR\">{source}</FLD></GRP>\
         <GRP ID=\"HAE1_5\"><FLD NAME=\"CUR\">GBP</FLD></GRP>\
         <TAB ID=\"HAE2_1\">{lines}</TAB></PARAM>"
    )
}

pub(crate) fn line(account: &str, side: &str, amount: &str, more: &str) -> String {
    format!(
        "<LIN><FLD NAME=\"ACC1\">{account}</FLD><FLD NAME=\"{side}\">{amount}</FLD>{more}</LIN>"
    )
}

/// Debit `12500`, credit `40100`.
pub(crate) fn plain_lines(amount: &str) -> String {
    line("12500", "DEB", amount, "") + &line("40100", "CDT", amount, "")
}

pub(crate) fn save(parameter: &str) -> HttpRequest {
    let parts =
        format!("<publicName>YWSGAS</publicName><objectXml><![CDATA[{parameter}]]></objectXml>");
    call("save", "GCPOOL", &parts)
}

pub(crate) fn keys(pairs: &[(&str, &str)]) -> String {
    let items: String = pairs
        .iter()
        .map(|(key, value)| {
            let value = value.replace('<', "&lt;").replace('>', "&gt;");
            format!("<item><key>{key}</key><value>{value}</value></item>")
        })
        .collect();
    format!("<objectKeys>{items}</objectKeys>")
}

/// What a SOAP answer says: status, messages, result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) done: bool,
    pub(crate) messages: Vec<String>,
    pub(crate) result: Option<String>,
}

impl Said {
    pub(crate) fn text(&self) -> String {
        self.messages.join("; ")
    }

    pub(crate) fn result(&self) -> &str {
        self.result.as_deref().unwrap()
    }
}

/// Reads an answer as a careful client does: local names, messages by reference.
pub(crate) fn said(response: &HttpResponse) -> Said {
    assert_eq!(
        response.status,
        200,
        "{}",
        String::from_utf8_lossy(&response.body)
    );
    let text = std::str::from_utf8(&response.body).unwrap();
    let document = roxmltree::Document::parse(text).unwrap();
    let named = |name: &'static str| {
        document
            .descendants()
            .filter(move |node| node.tag_name().name() == name)
    };
    let content = |node: roxmltree::Node<'_, '_>| -> String {
        node.children().filter_map(|part| part.text()).collect()
    };
    let result = named("resultXml").next().unwrap();
    let nil = result
        .attributes()
        .any(|attribute| attribute.name() == "nil" && attribute.value() == "true");
    Said {
        done: content(named("status").next().unwrap()) == "1",
        messages: named("message").map(content).collect(),
        result: (!nil).then(|| content(result)),
    }
}

pub(crate) fn ask(simulator: &mut Simulator, request: &HttpRequest) -> Said {
    ask_at(simulator, request, start())
}

pub(crate) fn ask_at(simulator: &mut Simulator, request: &HttpRequest, now: Timestamp) -> Said {
    said(&answer(simulator.handle(request, now)))
}

/// The value of the first field of this name in an XML result.
pub(crate) fn field<'a>(result: &'a str, name: &str) -> Option<&'a str> {
    let open = format!("<FLD NAME=\"{name}\"");
    let rest = &result[result.find(&open)?..];
    let rest = &rest[rest.find('>')? + 1..];
    Some(&rest[..rest.find("</FLD>")?])
}
