//! WADL and XSD of a deployed service (EB 1.5), in the shape that the gateway publishes.

use super::services::{Kind, Operation, Service, Shape, operations};
use super::settings::Switches;
use crate::wire;
use ml_connector_core::http::HttpResponse;
use std::fmt::Write as _;

/// The document that a query asks for: `WADL`, or `XSD={OPERATION}_SYNCH_TYPEDEF.xsd`.
pub(super) fn document(
    service: Service,
    alias: &str,
    query: &str,
    switches: &Switches,
) -> Option<HttpResponse> {
    if query.eq_ignore_ascii_case("WADL") {
        let text = wadl(service, alias, switches);
        return Some(wire::response(200, "application/xml", text));
    }
    let name = query
        .strip_prefix("XSD=")?
        .strip_suffix("_SYNCH_TYPEDEF.xsd")?;
    let operation = operations(service).find(|own| own.name == name)?;
    Some(wire::response(
        200,
        "application/xml",
        xsd(operation, alias),
    ))
}

/// `resources/@base` names an inner host: its addresses are not to be followed (EB 10 no. 24).
fn wadl(service: Service, alias: &str, switches: &Switches) -> String {
    let mut text =
        String::from("<application xmlns=\"http://wadl.dev.java.net/2009/02\">\n<grammars>\n");
    for own in operations(service) {
        let href = format!("?XSD={}_SYNCH_TYPEDEF.xsd", own.name);
        writeln!(text, "<include href=\"{href}\"/>").ok();
    }
    let base = format!("http://ebsapp01.internal:8000/webservices/rest/{alias}/");
    writeln!(text, "</grammars>\n<resources base=\"{base}\">").ok();
    for own in operations(service) {
        let verbs: &[&str] = match own.shape {
            Shape::Table => &["POST", "GET", "PUT", "DELETE"],
            Shape::Procedure | Shape::Program => &["POST"],
        };
        writeln!(text, "<resource path=\"/{}/\">", own.segment(switches)).ok();
        for verb in verbs {
            writeln!(text, "<method id=\"{}\" name=\"{verb}\"/>", own.name).ok();
        }
        text.push_str("</resource>\n");
    }
    text.push_str("</resources>\n</application>\n");
    text
}

fn xsd(operation: &Operation, alias: &str) -> String {
    let mut text = format!(
        "<schema xmlns=\"http://www.w3.org/2001/XMLSchema\" targetNamespace=\"{}\" \
         elementFormDefault=\"qualified\">\n<element name=\"InputParameters\"><complexType><sequence>\n",
        operation.namespace(alias)
    );
    for (name, kind) in operation.inputs {
        let kind = match kind {
            Kind::Number => "decimal",
            Kind::Date => "dateTime",
            Kind::Text => "string",
            Kind::Record | Kind::Table => "anyType",
        };
        writeln!(
            text,
            "<element name=\"{name}\" type=\"{kind}\" minOccurs=\"0\" nillable=\"true\"/>"
        )
        .ok();
    }
    text.push_str("</sequence></complexType></element>\n</schema>\n");
    text
}
