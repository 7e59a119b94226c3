//! The ERP.

mod browse;
mod calls;
mod faults;
mod find;
mod masters;
mod odata;
mod queries;
mod receipts;
mod sessions;
mod soap;
mod transactions;

use crate::support::{answer, encode, request, start};
use jiff::Timestamp;
use ml_connector_core::http::{HttpRequest, HttpResponse, Method};
use ml_connector_simulators::syspro::{Company, Period, Simulator, Switches};

pub(crate) const BASE: &str = "http://erp:20000/SYSPROWCFService/Rest";
pub(crate) const MARCH: Period = Period {
    year: 2026,
    number: 3,
};

/// A server with two customers, one of them in euro.
pub(crate) fn server() -> Simulator {
    server_with(Switches::default())
}

pub(crate) fn server_with(switches: Switches) -> Simulator {
    let mut simulator = Simulator::new(switches, 1, MARCH);
    let company = simulator.company_mut("EDU1").unwrap();
    company.add_customer("0000417", "Brookfield & Söhne <Ltd>", "GBP");
    company.add_customer("0000418", "Müller GmbH", "EUR");
    simulator
}

pub(crate) fn get(url: &str) -> HttpRequest {
    request(Method::Get, url, &[], "")
}

pub(crate) fn text(response: &HttpResponse) -> String {
    encoding_rs::WINDOWS_1252
        .decode(&response.body)
        .0
        .into_owned()
}

/// Logs the operator on and gives the id.
pub(crate) fn logon(simulator: &mut Simulator, now: Timestamp) -> String {
    let url =
        format!("{BASE}/Logon?Operator=GC&OperatorPassword=secret&CompanyId=EDU1&CompanyPassword=");
    let id = text(&answer(simulator.handle(&get(&url), now)));
    assert!(!id.starts_with("ERROR"), "{id}");
    id.trim().to_owned()
}

/// The URL of a call of an object by GET.
pub(crate) fn url(
    operation: &str,
    id: &str,
    object: &str,
    parameters: &str,
    document: &str,
) -> String {
    let mut url = format!("{BASE}/{operation}?UserId={id}&BusinessObject={object}");
    if !parameters.is_empty() {
        url = format!("{url}&XmlParameters={}", encode(parameters));
    }
    url + &format!("&XmlIn={}", encode(document))
}

/// Calls an object in a session of its own and gives the text of the answer.
pub(crate) fn run(
    simulator: &mut Simulator,
    operation: &str,
    object: &str,
    parameters: &str,
    document: &str,
) -> String {
    let id = logon(simulator, start());
    let url = url(operation, &id, object, parameters, document);
    text(&answer(simulator.handle(&get(&url), start())))
}

/// The text of the first element of that name, whatever its case.
pub(crate) fn value<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let lower = xml.to_lowercase();
    let open = format!("<{}>", name.to_lowercase());
    let from = lower.find(&open)? + open.len();
    let to = from + lower[from..].find("</")?;
    Some(xml[from..to].trim())
}

pub(crate) fn company(simulator: &Simulator) -> &Company {
    simulator.company("EDU1").unwrap()
}
