//! The ERP behind its gateway.

mod gateway;
mod lockbox;
mod reads;
mod receipts;

use crate::support::{answer, json, request, start};
use base64::Engine as _;
use jiff::Timestamp;
use ml_connector_core::http::{HttpRequest, HttpResponse, Method};
use ml_connector_simulators::oracle_ebs::{Settings, Simulator, Switches};
use serde_json::{Value, json};

pub(crate) const BASE: &str = "http://ebs:8000/webservices/rest";
pub(crate) const ORG: u64 = 204;

/// A site with March 2026 open and a customer with one open invoice of 250 GBP; gives the schedule too.
pub(crate) fn site() -> (Simulator, u64) {
    site_with(Switches::default())
}

pub(crate) fn site_with(switches: Switches) -> (Simulator, u64) {
    let mut simulator = Simulator::new(Settings::default(), switches, 1);
    simulator.open_period(ORG, 2026, 3);
    simulator.add_customer(ORG, 1290, "C-2044", "Example Bakery <Ltd>", start());
    let due = "2026-03-22".parse().unwrap();
    let amount = "250".parse().unwrap();
    let schedule = simulator.add_invoice(1290, "INV-1001", amount, due, start());
    (simulator, schedule)
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    let text = format!("{user}:{password}");
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    format!("Basic {encoded}")
}

/// The usual context.
pub(crate) fn header() -> Value {
    json!({
        "Responsibility": "GC_RECEIVABLES", "RespApplication": "AR", "SecurityGroup": "STANDARD",
        "NLSLanguage": "AMERICAN", "Org_Id": "204"
    })
}

/// The body of an operation.
pub(crate) fn body(operation: &str, inputs: &Value) -> String {
    let wrapper = format!("{operation}_Input");
    json!({ wrapper: { "RESTHeader": header(), "InputParameters": inputs } }).to_string()
}

/// A POST with Basic credentials.
pub(crate) fn post(path: &str, body: &str) -> HttpRequest {
    let credentials = basic("GC_INTEGRATION", "secret");
    let headers = [
        ("Authorization", credentials.as_str()),
        ("Content-Type", "application/json"),
        ("Accept", "application/json"),
    ];
    request(Method::Post, &format!("{BASE}{path}"), &headers, body)
}

/// A GET with Basic credentials.
pub(crate) fn get(path: &str) -> HttpRequest {
    let credentials = basic("GC_INTEGRATION", "secret");
    let headers = [
        ("Authorization", credentials.as_str()),
        ("Accept", "application/json"),
    ];
    request(Method::Get, &format!("{BASE}{path}"), &headers, "")
}

/// The path of an operation.
pub(crate) fn path(operation: &str) -> String {
    let own = operation.to_lowercase();
    match operation {
        "AR_PAYMENTS_INTERFACE_ALL" | "SUBMIT_CP_ARLPLB" => format!("/gclockbox/{operation}/"),
        "GET_OPEN_INVOICES"
        | "GET_CUSTOMERS"
        | "GET_RECEIPT"
        | "GET_REQUEST_STATUS"
        | "GET_OPEN_PERIOD"
        | "CREATE_TRANSMISSION"
        | "GET_TRANSMISSION"
        | "STAGE_RECEIPTS"
        | "SUBMIT_LOCKBOX" => format!("/gcar/{own}/"),
        _ => format!("/gcreceipt/{own}/"),
    }
}

/// Calls an operation and gives the whole answer.
pub(crate) fn call(
    simulator: &mut Simulator,
    operation: &str,
    inputs: &Value,
    now: Timestamp,
) -> HttpResponse {
    let request = post(&path(operation), &body(operation, inputs));
    answer(simulator.handle(&request, now))
}

/// Calls an operation that answers 200 and gives its output.
pub(crate) fn run(
    simulator: &mut Simulator,
    operation: &str,
    inputs: &Value,
    now: Timestamp,
) -> Value {
    let response = call(simulator, operation, inputs, now);
    let body = json(&response);
    assert_eq!(response.status, 200, "{body}");
    body["OutputParameters"].clone()
}

/// Code of a fault.
pub(crate) fn code(response: &HttpResponse) -> String {
    json(response)["ISGServiceFault"]["Code"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// What a receipt for the invoice looks like.
pub(crate) fn receipt(schedule: u64) -> Value {
    json!({
        "P_API_VERSION": "1.0", "P_INIT_MSG_LIST": "T", "P_COMMIT": "T", "P_CURRENCY_CODE": "GBP",
        "P_AMOUNT": "250.00", "P_RECEIPT_NUMBER": "PM01", "P_RECEIPT_DATE": "2026-03-05T00:00:00",
        "P_GL_DATE": "2026-03-05T00:00:00", "P_CUSTOMER_ID": "1290",
        "P_CUSTOMER_SITE_USE_ID": "101290", "P_CUSTOMER_RECEIPT_REFERENCE": "PO01",
        "P_RECEIPT_METHOD_ID": "3001", "P_REMITTANCE_BANK_ACCOUNT_ID": "10077",
        "P_APPLIED_PAYMENT_SCHEDULE_ID": schedule.to_string(), "P_AMOUNT_APPLIED": "250.00",
        "P_APPLY_DATE": "2026-03-05T00:00:00", "P_APPLY_GL_DATE": "2026-03-05T00:00:00",
        "P_CALL_PAYMENT_PROCESSOR": "F",
        "P_ATTRIBUTE_REC": { "ATTRIBUTE_CATEGORY": "GoCardless", "ATTRIBUTE1": "PM01" }
    })
}

/// The inputs with some members replaced; null takes one away.
pub(crate) fn with(mut inputs: Value, changes: &Value) -> Value {
    let members = inputs.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    inputs
}
