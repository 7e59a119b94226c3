//! COMBRW, COMKEY and the look-ups in the general ledger (SY 4.10, 4.13).

use super::{run, server, value};

fn journal(reference: &str, amount: &str) -> String {
    format!(
        "<PostGlJournal><Item><PostJournal>Y</PostJournal><JournalReference>{reference}</JournalReference>\
         <Notation>Wages</Notation>\
         <JournalDetails><LedgerCode>10-6110</LedgerCode><Reference>{reference}</Reference><EntryAmount>{amount}</EntryAmount></JournalDetails>\
         <JournalDetails><LedgerCode>00-2310</LedgerCode><Reference>{reference}</Reference><EntryAmount>-{amount}</EntryAmount></JournalDetails>\
         </Item></PostGlJournal>"
    )
}

#[test]
fn a_table_is_browsed_page_by_page() {
    let mut simulator = server();
    for n in 1..=5 {
        let company = simulator.company_mut("EDU1").unwrap();
        company.add_customer(&format!("{n:07}"), &format!("Customer {n}"), "GBP");
    }
    let mut page = |start: &str, condition: &str| {
        let document = format!(
            "<Browse><BrowseName>ArCustomer</BrowseName><StartAtKey>{start}</StartAtKey><StartCondition>{condition}</StartCondition>\
             <ReturnRows>3</ReturnRows><BrowseDetails><TableName>ArCustomer</TableName><Title>Customers</Title><Column>Customer</Column>\
             <Column>Name</Column></BrowseDetails></Browse>"
        );
        run(&mut simulator, "Query/Browse", "", "", &document)
    };
    let first = page("", "GE");
    assert_eq!(first.matches("<Row>").count(), 3, "{first}");
    assert_eq!(
        (
            value(&first, "NextKey"),
            value(&first, "Fwd"),
            value(&first, "Back")
        ),
        (Some("0000003"), Some("Y"), Some("N"))
    );
    let second = page("0000003", "GR");
    assert!(
        second.contains("<Value>Customer 4</Value><DataType>A</DataType>"),
        "{second}"
    );
    let last = page("000000000000417", "GR");
    assert_eq!(
        (last.matches("<Row>").count(), value(&last, "Fwd")),
        (1, Some("N"))
    );
    assert!(page("", "XX").starts_with("ERROR"));
    let keys = "<Keys><TableName>ArCustomer</TableName><Key>0000003</Key></Keys>";
    let next = run(&mut simulator, "Query/NextKey", "", "", keys);
    assert_eq!(value(&next, "Customer"), Some("0000004"));
    let before = run(&mut simulator, "Query/PreviousKey", "", "", keys);
    assert_eq!(value(&before, "Customer"), Some("0000002"));
    let end = run(
        &mut simulator,
        "Query/NextKey",
        "",
        "",
        &keys.replace("0000003", "0000418"),
    );
    assert!(end.starts_with("ERROR"));
}

#[test]
fn the_ledger_answers_by_code_and_by_journal() {
    let mut simulator = server();
    for (reference, amount) in [("A", "10.00"), ("B", "20.00"), ("C", "30.00")] {
        let posted = run(
            &mut simulator,
            "Transaction/Post",
            "GENTJL",
            "",
            &journal(reference, amount),
        );
        assert_eq!(
            value(&posted, "JournalsProcessed"),
            Some("000001"),
            "{posted}"
        );
    }
    let mut page = |start: &str| {
        let document = format!(
            "<Query><Key><LedgerCode>10-6110</LedgerCode></Key><Option><MaxRowsToReturn>2</MaxRowsToReturn>{start}\
             <Direction>pagedown</Direction></Option></Query>"
        );
        run(&mut simulator, "Query/Query", "GENQRY", "", &document)
    };
    let first = page("");
    assert_eq!(
        (
            first.matches("<Transaction>").count(),
            value(&first, "EntryValue")
        ),
        (2, Some("10.00"))
    );
    assert!(
        first.contains("<NextKey><Period>202603</Period><Line>3</Line></NextKey>"),
        "{first}"
    );
    let second = page("<StartAtKey><Period>202603</Period><Line>3</Line></StartAtKey>");
    assert_eq!(
        (value(&second, "EntryValue"), second.contains("NextKey")),
        (Some("30.00"), false)
    );
    let zoom = "<Query><Option><GeneralLedgerJournal><IncludeGLJournals>Y</IncludeGLJournals><GlYear>2026</GlYear><GlPer>03</GlPer>\
        <GlJournal>2</GlJournal></GeneralLedgerJournal></Option></Query>";
    let zoom = run(&mut simulator, "Query/Query", "GENQZM", "", zoom);
    assert_eq!(
        (value(&zoom, "Reference"), zoom.matches("<Line>").count()),
        (Some("B"), 2)
    );
    let code = |code: &str| format!("<Query><Key><LedgerCode>{code}</LedgerCode></Key></Query>");
    let control = run(
        &mut simulator,
        "Query/Query",
        "GENQGL",
        "",
        &code("10-1200"),
    );
    assert_eq!(value(&control, "ControlAccFlag"), Some("Y"));
    assert!(run(&mut simulator, "Query/Query", "GENQGL", "", &code("99")).starts_with("ERROR"));
    let periods = run(&mut simulator, "Query/Query", "GENQPP", "", "<Query/>");
    assert!(
        periods.contains(
            "<GlPeriod>03</GlPeriod><PeriodEndDate>2026-03-31</PeriodEndDate><Status>O</Status>"
        ),
        "{periods}"
    );
    assert!(periods.contains(
        "<GlPeriod>04</GlPeriod><PeriodEndDate>2026-04-30</PeriodEndDate><Status>C</Status>"
    ));
}
