//! SYSPRO: logging on and off, and looking for a receipt in whatever form rows come.

use super::{Given, System, answer, line, line_of_read, query};
use ml_connector_core::delivery::LookUp;
use ml_connector_core::http::HttpResponse;
use serde_json::json;

const BASE: &str =
    "base_url: 'http://syspro.example/SYSPROWCFService/Rest', operator: GCENG, company_id: EDU1";
const REFERENCE: &str = "PM00C3R5T7V9WX-E07FCB";

fn system(settings: &str) -> System {
    System::new(
        "syspro",
        &format!("{BASE}{settings}"),
        "operator_password: syspro/operator",
    )
}

fn receipt() -> serde_json::Value {
    json!({"customer": "0000417", "amount": "120.00".parse::<serde_json::Number>().unwrap(), "date": "2026-03-11",
        "bank": "GC", "notation": "GoCardless"})
}

fn looked_up(response: &HttpResponse) -> LookUp {
    system("").look_up("post_receipt", receipt(), REFERENCE, response)
}

fn rows(rows: &[(&str, &str, &str)]) -> HttpResponse {
    let row = |(customer, invoice, value): &(&str, &str, &str)| {
        format!(
            "<Row><Customer>{customer}</Customer><Invoice>{invoice}</Invoice><DocumentType>I</DocumentType>\
             <TrnValue>{value}</TrnValue><DiscValue>             0.00</DiscValue><Journal>       512</Journal>\
             <TrnYear>2026</TrnYear><TrnMonth>    3</TrnMonth><Reference>{REFERENCE}</Reference></Row>"
        )
    };
    let count = rows.len();
    let rows: String = rows.iter().map(row).collect();
    answer(
        200,
        &format!(
            "<?xml version=\"1.0\" encoding=\"Windows-1252\"?><ArInvoicePay Language='05' DecFormat='1'><HeaderDetails>\
             <TableName>ArInvoicePay</TableName></HeaderDetails>{rows}<RowsReturned>            {count}</RowsReturned>\
             </ArInvoicePay>\n "
        ),
    )
}

fn found(lookup: &LookUp) -> bool {
    matches!(lookup, LookUp::Found { receipt } if receipt.0["journal"] == "512"
        && receipt.0["trn_year"] == "2026" && receipt.0["trn_month"] == "3")
}

#[test]
fn a_receipt_is_found_in_every_form_its_rows_may_have() {
    for (what, given) in [
        (
            "presented key",
            rows(&[("0000417", "_CRD01", "          120.00")]),
        ),
        (
            "padded key",
            rows(&[("000000000000417", "_CRD01", "120.00")]),
        ),
        ("key without zeros", rows(&[("417", "_CRD01", "120")])),
        ("negative", rows(&[("0000417", "_CRD01", "-120.00")])),
        (
            "sign behind",
            rows(&[("0000417", "_CRD01", "          120.00-")]),
        ),
        (
            "two invoices",
            rows(&[
                ("0000417", "104233", "-100.00"),
                ("0000417", "_CRD01", "-20.00"),
            ]),
        ),
    ] {
        assert!(found(&looked_up(&given)), "{what}");
    }
}

#[test]
fn case_of_names_quotes_and_bytes_do_not_matter() {
    let text = String::from_utf8(rows(&[("0000417", "_CRD01", "120.00")]).body.to_vec()).unwrap();
    assert!(found(&looked_up(&answer(
        200,
        &text.to_lowercase().replace("_crd01", "_CRD01")
    ))));
    assert!(found(&looked_up(&answer(
        200,
        &serde_json::to_string(text.trim()).unwrap()
    ))));
    let mut latin = text.replace("_CRD01", "#").into_bytes();
    *latin.iter_mut().find(|byte| **byte == b'#').unwrap() = 0xE9;
    assert!(!latin.is_ascii());
    assert!(found(&looked_up(&HttpResponse {
        body: latin.into(),
        ..answer(200, "")
    })));
}

/// Each of these is there, but not as we would have posted it: nothing may be sent, and nothing taken for delivered.
#[test]
fn another_amount_or_customer_under_our_reference_is_for_a_person() {
    for given in [
        rows(&[("0000417", "_CRD01", "119.99")]),
        rows(&[
            ("0000417", "_CRD01", "120.00"),
            ("0000417", "_CRD02", "120.00"),
        ]),
        rows(&[("0000418", "_CRD01", "120.00")]),
        rows(&[
            ("0000417", "104233", "60.00"),
            ("0000418", "_CRD01", "60.00"),
        ]),
        rows(&[("0000417", "_CRD01", "a lot")]),
    ] {
        assert!(
            matches!(looked_up(&given), LookUp::Differs { .. }),
            "{:?}",
            looked_up(&given)
        );
    }
}

#[test]
fn only_an_answer_that_says_so_proves_absence() {
    let absent = |given: &HttpResponse| matches!(looked_up(given), LookUp::Absent);
    assert!(absent(&rows(&[])));
    assert!(absent(&answer(
        200,
        "<arinvoicepay><rowsreturned/></arinvoicepay>"
    )));
    for said in [
        "ERROR: No rows found for selection",
        "ERROR: Record not found\n ",
        "\"ERROR: no records\"",
    ] {
        // Whether a text says so is the site's to know: what counts as absent may be posted again.
        assert!(!absent(&answer(200, said)), "{said}");
    }
}

/// Each of these would post a receipt twice if it passed for "not there".
#[test]
fn an_answer_that_is_no_answer_proves_nothing() {
    let whole = String::from_utf8(rows(&[("0000417", "_CRD01", "120.00")]).body.to_vec()).unwrap();
    let cut = &whole[..whole.len() / 2];
    for (what, given) in [
        ("cut off", answer(200, cut)),
        ("empty", answer(200, "")),
        ("a page", answer(200, "<html><body>Sign in</body></html>")),
        (
            "another table",
            answer(200, "<ArInvoice><RowsReturned>0</RowsReturned></ArInvoice>"),
        ),
        (
            "rows missing",
            answer(
                200,
                "<ArInvoicePay><RowsReturned>2</RowsReturned></ArInvoicePay>",
            ),
        ),
        (
            "fewer rows",
            answer(200, &whole.replace("            1<", "            2<")),
        ),
        (
            "no such table",
            answer(200, "ERROR: Table ArInvoicePay not found"),
        ),
        (
            "no such column",
            answer(200, "ERROR: Column Reference does not exist"),
        ),
        (
            "session",
            answer(200, "ERROR: The supplied UserID is invalid."),
        ),
        (
            "not licensed",
            answer(200, "ERROR: e.net exception raised: 100000"),
        ),
        ("unavailable", answer(503, "")),
        ("no listener", answer(404, "")),
        ("too long", answer(414, "")),
        (
            "error in a field",
            answer(
                200,
                "<ArInvoicePay><Item><ErrorNumber>240096</ErrorNumber></Item></ArInvoicePay>",
            ),
        ),
    ] {
        let verdict = looked_up(&given);
        assert!(
            matches!(verdict, LookUp::Failed { .. }),
            "{what}: {verdict:?}"
        );
    }
}

#[test]
fn the_search_names_the_customer_only_as_the_site_says() {
    let asked = |settings: &str, customer: &str| {
        let given = json!({"customer": customer, "reference": REFERENCE});
        let request = system(settings).request("find_receipt", given, &Given(&[("session", "S1")]));
        let query = query(&request);
        assert_eq!(query["BusinessObject"], "COMFND");
        assert_eq!(query["UserId"], "S1");
        query["XmlIn"].as_str().unwrap().to_owned()
    };
    let column =
        "<Column>Reference</Column><Condition>EQ</Condition><Value>PM00C3R5T7V9WX-E07FCB</Value>";
    let customer = |value: &str| {
        format!("<Column>Customer</Column><Condition>EQ</Condition><Value>{value}</Value>")
    };
    let any = asked("", "0000417");
    assert!(
        any.starts_with("<Query xmlns:xsd=") && any.contains(column),
        "{any}"
    );
    assert!(
        any.contains("<ReturnRows>200</ReturnRows>") && !any.contains("<AndOr>"),
        "{any}"
    );
    let presented = asked(", key_form_for_tables: presented", "0000417");
    assert!(
        presented.contains(column) && presented.contains(&customer("0000417")),
        "{presented}"
    );
    assert!(
        asked(", key_form_for_tables: padded", "0000417").contains(&customer("000000000000417"))
    );
    assert!(asked(", key_form_for_tables: padded", "ABC1").contains(&customer("ABC1")));
}

#[test]
fn a_log_on_sends_all_four_parameters_even_when_blank() {
    let request = system("").request(
        "logon",
        json!({}),
        &Given(&[("operator_password", "p&w ü")]),
    );
    assert_eq!(
        serde_json::Value::Object(query(&request)),
        json!({"Operator": "GCENG", "OperatorPassword": "p&w ü", "CompanyId": "EDU1", "CompanyPassword": ""})
    );
    assert!(
        request.url.contains("OperatorPassword=p%26w%20%C3%BC&"),
        "{}",
        request.url
    );
}

#[test]
fn a_log_on_is_told_from_its_refusals() {
    let system = system("");
    for (said, expected) in [
        ("0123456789ABCDEF0123456789ABCDEF00  ", "succeeded"),
        ("\"0123456789ABCDEF0123456789ABCDEF00  \"", "succeeded"),
        (
            "<string xmlns=\"x\">0123456789ABCDEF0123456789ABCDEF00  </string>",
            "succeeded",
        ),
        (
            "ERROR: Invalid operator password\n ",
            "rejected authentication",
        ),
        ("ERROR: Invalid company", "rejected authentication"),
        ("ERROR: No licenses available", "retry capacity Some(300s)"),
        (
            "ERROR: Users are prevented from logging in: month end",
            "retry capacity Some(300s)",
        ),
        (
            "ERROR: something nobody has seen",
            "rejected authentication",
        ),
        ("<html><body>Sign in to the proxy</body></html>", "unknown"),
        ("", "unknown"),
    ] {
        let (outcome, _) = system.write("logon", json!({}), &answer(200, said));
        let line = line(&outcome).replace("unknown", "retry intermittent None");
        assert_eq!(
            line,
            expected.replace("unknown", "retry intermittent None"),
            "{said}"
        );
    }
}

#[test]
fn health_and_ping_believe_only_what_can_be_an_answer() {
    let system = system("");
    let version = |body| line_of_read(&system.read("version", json!({}), &answer(200, body)));
    assert_eq!(version("8.0.161 \n "), "found \"8.0.161 \\n \"");
    assert!(version("<html>8</html>").starts_with("retry"));
    assert!(version("ERROR: no").starts_with("rejected"));
    let check = |body| line_of_read(&system.read("check_receipt", json!({}), &answer(200, body)));
    let refused = "<postarpayment><Item><Customer><Value>MLCONNECTORPING</Value><ErrorNumber>100000</ErrorNumber>\
                   <ErrorDescription>Customer not found</ErrorDescription></Customer></Item></postarpayment>";
    assert!(check(refused).starts_with("found"));
    assert!(check("ERROR: Customer MLCONNECTORPING not found").starts_with("found"));
    assert_eq!(
        check("ERROR: e.net exception raised: 100000"),
        "rejected configuration"
    );
    let request = system.request("check_receipt", json!({}), &Given(&[("session", "S1")]));
    let parameters = query(&request)["XmlParameters"].clone();
    assert!(
        parameters
            .as_str()
            .unwrap()
            .contains("<ValidateOnly>Y</ValidateOnly>")
    );
}

/// Patterns are the site's: an operator who speaks another language is understood.
#[test]
fn texts_in_another_language_are_recognised_by_the_sites_patterns() {
    let german = system(
        ", session_invalid_patterns: 'UserID ist ung.ltig', lock_patterns: 'gesperrt', period_patterns: 'Periode .* geschlossen'",
    );
    for (said, expected) in [
        ("ERROR: Die UserID ist ungültig.", "reauthenticate"),
        ("ERROR: Satz gesperrt", "retry lock Some(30s)"),
        ("ERROR: Periode 3 ist geschlossen", "rejected period"),
        (
            "ERROR: The supplied UserID is invalid.",
            "rejected configuration",
        ),
    ] {
        let (outcome, _) = german.write("post_receipt", receipt(), &answer(200, said));
        assert_eq!(line(&outcome), expected, "{said}");
    }
}
