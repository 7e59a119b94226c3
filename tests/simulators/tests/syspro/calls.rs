//! Paths, sizes, PostLD, bytes (SY 1.3, 3).

use super::{BASE, get, logon, run, server, server_with, text, url};
use crate::support::{answer, request, start};
use ml_connector_core::http::Method;
use ml_connector_simulators::syspro::{
    GlJournals, RootCase, Simulator, Switches, Wrapping, ZeroCounters,
};

const RECEIPT: &str = "<PostArPayment><Item><Payment><Customer>0000417</Customer>\
    <PaymentValue>49.50</PaymentValue><Reference>PM1</Reference><PaymentDate>2026-03-14</PaymentDate>\
    <JournalNotation>n</JournalNotation><Bank>GC</Bank><PaymentType>O</PaymentType>\
    <UnappliedPayment><GrossPaymentValue>49.50</GrossPaymentValue></UnappliedPayment>\
    </Payment></Item></PostArPayment>";

fn post_ld(simulator: &mut Simulator, body: &str, media: &str) -> (u16, String) {
    let url = format!("{BASE}/Transaction/PostLD");
    let response = answer(simulator.handle(
        &request(Method::Post, &url, &[("Content-Type", media)], body),
        start(),
    ));
    (response.status, text(&response))
}

fn body(id: &str, document: &str) -> String {
    format!(
        "<TransactionPostLD xmlns=\"http://SYSPROWcfService\"><UserId>{id}</UserId>\
         <BusinessObject>ARSTPY</BusinessObject><XmlParameters></XmlParameters>\
         <XmlIn><![CDATA[{document}]]></XmlIn></TransactionPostLD>"
    )
}

#[test]
fn an_answer_has_the_recorded_shape() {
    let mut simulator = server();
    let answer = run(&mut simulator, "Transaction/Post", "ARSTPY", "", RECEIPT);
    assert!(answer.starts_with("<?xml version=\"1.0\" encoding=\"Windows-1252\"?>\n<postarpayment Language='05' Language2='EN' "));
    assert!(answer.ends_with("</postarpayment>\n "));
    assert!(answer.contains("<Item><Payment><Key><TrnYear>2026</TrnYear><TrnMonth>03</TrnMonth><Journal>0000000001</Journal></Key><Customer>0000417</Customer></Payment></Item>"));
    assert!(answer.contains("<ItemsProcessed>000001</ItemsProcessed><ItemsInvalid/>"));
}

#[test]
fn switches_change_the_spelling_and_nothing_else() {
    for (name, switches) in Switches::variations() {
        let mut simulator = server_with(switches.clone());
        let id = {
            let url = format!(
                "{BASE}/Logon?Operator=GC&OperatorPassword=secret&CompanyId=EDU1&CompanyPassword="
            );
            let id = text(&answer(simulator.handle(&get(&url), start())));
            id.trim_matches('"').trim().to_owned()
        };
        let response = answer(simulator.handle(
            &get(&url("Transaction/Post", &id, "ARSTPY", "", RECEIPT)),
            start(),
        ));
        let shown = text(&response);
        let shown = if switches.quoted_answers {
            serde_json::from_str::<String>(&shown).unwrap()
        } else {
            shown
        };
        let root = match switches.root_case {
            RootCase::Lower => "<postarpayment ",
            RootCase::Upper => "<POSTARPAYMENT ",
            RootCase::AsSent => "<PostArPayment ",
        };
        assert!(shown.contains(root), "{name}: {shown}");
        assert_eq!(shown.contains("Language2="), switches.language2, "{name}");
        let zero = match switches.zero_counters {
            ZeroCounters::Empty => "<ItemsInvalid/>",
            ZeroCounters::Zeros => "<ItemsInvalid>000000</ItemsInvalid>",
        };
        assert!(shown.contains(zero), "{name}");
        assert_eq!(
            shown.contains("<GlJournal>"),
            switches.gl_journal != GlJournals::Absent,
            "{name}"
        );
        assert_eq!(simulator.receipts().len(), 1, "{name}");
    }
}

#[test]
fn bytes_are_windows_1252_whatever_is_declared_or_not() {
    let find = "<Query><TableName>ArCustomer</TableName><ReturnRows>9</ReturnRows><Columns><Column>Name</Column></Columns></Query>";
    let bytes = |utf8_answers: bool| {
        let mut simulator = server_with(Switches {
            utf8_answers,
            ..Switches::default()
        });
        let id = logon(&mut simulator, start());
        answer(simulator.handle(&get(&url("Query/Query", &id, "COMFND", "", find)), start())).body
    };
    let has =
        |bytes: &[u8], wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
    assert!(has(&bytes(false), b"M\xFCller") && std::str::from_utf8(&bytes(false)).is_err());
    assert!(has(&bytes(true), "Müller".as_bytes()));
    assert!(has(
        &bytes(true),
        "Brookfield &amp; Söhne &lt;Ltd&gt;".as_bytes()
    ));
}

#[test]
fn long_addresses_never_reach_the_service() {
    for status in [400, 414] {
        let mut simulator = server_with(Switches {
            too_long_status: status,
            ..Switches::default()
        });
        let id = logon(&mut simulator, start());
        let padding = format!("<!--{}-->", "x".repeat(17_000));
        let document = format!("{RECEIPT}{padding}");
        let long = get(&url("Transaction/Post", &id, "ARSTPY", "", &document));
        assert_eq!(answer(simulator.handle(&long, start())).status, status);
        assert_eq!(simulator.receipts().len(), 0);
        let (status, shown) = post_ld(
            &mut simulator,
            &body(&id, &document),
            "application/xml; charset=utf-8",
        );
        assert_eq!(status, 200, "{shown}");
        assert_eq!(simulator.receipts().len(), 1);
    }
}

#[test]
fn post_ld_is_picky_about_its_body() {
    let mut simulator = server();
    let id = logon(&mut simulator, start());
    let good = body(&id, RECEIPT);
    assert_eq!(post_ld(&mut simulator, &good, "text/plain").0, 415);
    let no_namespace = good.replace(" xmlns=\"http://SYSPROWcfService\"", "");
    assert_eq!(
        post_ld(&mut simulator, &no_namespace, "application/xml").0,
        400
    );
    let user = format!("<UserId>{id}</UserId>");
    let disordered = good
        .replace(&user, "")
        .replace("</BusinessObject>", &format!("</BusinessObject>{user}"));
    assert_eq!(
        post_ld(&mut simulator, &disordered, "application/xml").0,
        400
    );
    assert_eq!(post_ld(&mut simulator, "<", "application/xml").0, 400);
    assert_eq!(simulator.receipts().len(), 0);
    assert!(
        post_ld(&mut simulator, &body("0", RECEIPT), "application/xml")
            .1
            .contains("UserID is invalid")
    );
    assert!(
        post_ld(&mut simulator, &good, "application/xml")
            .1
            .contains("<postarpayment ")
    );

    simulator.switches.post_ld_wrapping = Wrapping::Text;
    let (_, wrapped) = post_ld(&mut simulator, &good, "application/xml");
    assert!(wrapped.starts_with("<string xmlns=") && wrapped.contains("&lt;postarpayment "));
    simulator.switches.version_8 = false;
    assert_eq!(post_ld(&mut simulator, &good, "application/xml").0, 404);
    assert_eq!(simulator.receipts().len(), 2);
}

#[test]
fn wrong_paths_and_methods_are_transport_errors() {
    let mut simulator = server();
    for (path, status) in [
        ("http://erp/Rest/Logon", 404),
        ("http://erp/SYSPROWCFService/Rest/Transaction/Undo", 404),
        ("http://erp/sysprowcfservice/REST/getversion", 200),
        ("http://erp/SYSPROWCFService/Rest/GetVersion?x=%zz", 400),
        ("http://erp/SYSPROWCFService/Rest/Transaction/PostLD", 405),
    ] {
        assert_eq!(
            answer(simulator.handle(&get(path), start())).status,
            status,
            "{path}"
        );
    }
    let post = request(Method::Post, &format!("{BASE}/Transaction/Post"), &[], "");
    assert_eq!(answer(simulator.handle(&post, start())).status, 405);
}

#[test]
fn a_plus_is_a_space_where_the_site_says_so() {
    let document = RECEIPT.replace("PM1", "A+B");
    let mut simulator = server();
    run(&mut simulator, "Transaction/Post", "ARSTPY", "", &document);
    assert_eq!(
        simulator.receipts()[0].reference,
        "A+B",
        "an encoded plus stays one"
    );
    let raw_plus = |plus_is_space: bool| {
        let mut simulator = server_with(Switches {
            plus_is_space,
            ..Switches::default()
        });
        let id = logon(&mut simulator, start());
        let url = url("Transaction/Post", &id, "ARSTPY", "", &document).replace("%2B", "+");
        answer(simulator.handle(&get(&url), start()));
        simulator.receipts()[0].reference.clone()
    };
    assert_eq!(
        (raw_plus(true), raw_plus(false)),
        ("A B".to_owned(), "A+B".to_owned())
    );
}
