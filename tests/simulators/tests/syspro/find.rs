//! COMFND and COMFCH (SY 4.13, 5.2).

use super::{run, server, server_with, value};
use ml_connector_simulators::syspro::{Simulator, Switches};

fn query(table: &str, columns: &[&str], filter: &str) -> String {
    let columns: String = columns
        .iter()
        .map(|name| format!("<Column>{name}</Column>"))
        .collect();
    format!(
        "<Query><TableName>{table}</TableName><ReturnRows>20</ReturnRows><Columns>{columns}</Columns>{filter}</Query>"
    )
}

fn expression(parts: &str, column: &str, condition: &str, value: &str) -> String {
    let (open, close) = parts.split_once('x').unwrap();
    format!(
        "<Expression>{open}<Column>{column}</Column><Condition>{condition}</Condition><Value>{value}</Value>{close}</Expression>"
    )
}

fn filter(expressions: &[String]) -> String {
    format!("<Where>{}</Where>", expressions.concat())
}

fn find(simulator: &mut Simulator, document: &str) -> String {
    run(simulator, "Query/Query", "COMFND", "", document)
}

fn post(simulator: &mut Simulator, reference: &str, amount: &str) {
    let document = format!(
        "<PostArPayment><Item><Payment><Customer>0000417</Customer><PaymentValue>{amount}</PaymentValue>\
         <Reference>{reference}</Reference><JournalNotation/><UnappliedPayment><GrossPaymentValue>{amount}</GrossPaymentValue>\
         </UnappliedPayment></Payment></Item></PostArPayment>"
    );
    let answer = run(simulator, "Transaction/Post", "ARSTPY", "", &document);
    assert_eq!(value(&answer, "ItemsProcessed"), Some("000001"), "{answer}");
}

fn by_reference(reference: &str) -> String {
    let filter = filter(&[
        expression("x", "Customer", "EQ", "0000417"),
        expression("<AndOr>And</AndOr>x", "Reference", "EQ", reference),
    ]);
    query(
        "ArInvoicePay",
        &[
            "Invoice",
            "Journal",
            "TrnYear",
            "TrnMonth",
            "TrnValue",
            "Reference",
        ],
        &filter,
    )
}

#[test]
fn a_receipt_is_found_by_customer_and_reference() {
    let mut simulator = server();
    post(&mut simulator, "PM1", "49.50");
    post(&mut simulator, "PM2", "1.00");
    let found = find(&mut simulator, &by_reference("PM1"));
    assert!(found.contains("<ArInvoicePay Language='05'"), "{found}");
    assert_eq!(value(&found, "TrnValue"), Some("49.50"));
    assert_eq!(value(&found, "RowsReturned"), Some("1"));
    assert!(
        found.contains("<RowsReturned>            1</RowsReturned>"),
        "padded"
    );
    assert!(!found.contains("PM2"));
    let none = find(&mut simulator, &by_reference("PM3"));
    assert_eq!(
        (none.matches("<Row>").count(), value(&none, "RowsReturned")),
        (0, Some("0"))
    );
    simulator.switches.no_rows_as_error = true;
    assert!(find(&mut simulator, &by_reference("PM3")).starts_with("ERROR: "));
}

#[test]
fn a_key_in_the_form_that_the_site_does_not_store_finds_nothing() {
    let padded = by_reference("PM1").replace("0000417", "000000000000417");
    for (padded_keys, right, wrong) in [
        (false, by_reference("PM1"), padded.clone()),
        (true, padded, by_reference("PM1")),
    ] {
        let mut simulator = server_with(Switches {
            padded_keys,
            ..Switches::default()
        });
        post(&mut simulator, "PM1", "1.00");
        assert_eq!(
            value(&find(&mut simulator, &right), "RowsReturned"),
            Some("1")
        );
        assert_eq!(
            value(&find(&mut simulator, &wrong), "RowsReturned"),
            Some("0")
        );
    }
    let mut simulator = server_with(Switches {
        padded_keys: true,
        ..Switches::default()
    });
    let all = find(&mut simulator, &query("ArCustomer", &["Customer"], ""));
    assert!(all.contains("<Customer>000000000000417</Customer>"));
}

#[test]
fn conditions_combine_as_in_sql() {
    let mut simulator = server();
    for (reference, amount) in [
        ("A1", "10.00"),
        ("A2", "20.00"),
        ("B1", "30.00"),
        ("C1", "40.00"),
    ] {
        post(&mut simulator, reference, amount);
    }
    let mut refs = |filter: String| {
        let answer = find(
            &mut simulator,
            &query("ArInvoicePay", &["Reference"], &filter),
        );
        let mut found: Vec<String> = ["A1", "A2", "B1", "C1"]
            .iter()
            .filter(|name| answer.contains(*name))
            .map(|name| (*name).to_owned())
            .collect();
        found.sort();
        found.join(" ")
    };
    assert_eq!(
        refs(filter(&[expression("x", "TrnValue", "GE", "20")])),
        "A2 B1 C1"
    );
    assert_eq!(
        refs(filter(&[expression("x", "TrnValue", "NE", "20.00")])),
        "A1 B1 C1"
    );
    assert_eq!(
        refs(filter(&[expression("x", "Reference", "LIKE", "A*")])),
        "A1 A2"
    );
    assert_eq!(
        refs(filter(&[expression("x", "Reference", "LIKE", "?1")])),
        "A1 B1 C1"
    );
    assert_eq!(
        refs(filter(&[expression(
            "x",
            "JournalDate",
            "LT",
            "2026-03-02"
        )])),
        ""
    );
    // And binds tighter than Or; brackets turn that round.
    let or = "<AndOr>Or</AndOr>x";
    let and = "<AndOr>And</AndOr>x";
    let tests = |first: &str, second: &str, third: &str| {
        filter(&[
            expression(first, "Reference", "EQ", "A1"),
            expression(second, "Reference", "EQ", "B1"),
            expression(third, "TrnValue", "GT", "15"),
        ])
    };
    assert_eq!(refs(tests("x", or, and)), "A1 B1");
    let open = "<OpenBracket>(</OpenBracket>x";
    let close = "<AndOr>Or</AndOr>x<CloseBracket>)</CloseBracket>";
    assert_eq!(refs(tests(open, close, and)), "B1");
}

#[test]
fn names_are_case_sensitive_and_brackets_must_match() {
    let mut simulator = server();
    let bad = [
        query("arcustomer", &["Customer"], ""),
        query("ArCustomer", &["customer"], ""),
        query("ArCustomer", &[], ""),
        query("ArCustomer+", &["Customer"], ""),
        query(
            "ArCustomer",
            &["Customer"],
            &filter(&[expression(
                "<OpenBracket>(</OpenBracket>x",
                "Name",
                "EQ",
                "A",
            )]),
        ),
        query(
            "ArCustomer",
            &["Customer"],
            &filter(&[expression(
                "<OpenBracket>((((</OpenBracket>x<CloseBracket>((((</CloseBracket>",
                "Name",
                "EQ",
                "A",
            )]),
        ),
        query(
            "ArCustomer",
            &["Customer"],
            &filter(&[expression("x", "Name", "IS", "A")]),
        ),
        query("ArCustomer", &["Customer"], "").replace("ReturnRows", "Rows"),
        query("ArCustomer", &["Customer"], "").replace(">20<", ">many<"),
    ];
    for document in bad {
        assert!(
            find(&mut simulator, &document).starts_with("ERROR: "),
            "{document}"
        );
    }
}

#[test]
fn rows_are_limited_and_ordered() {
    let mut simulator = server();
    let document = query(
        "ArCustomer",
        &["Customer", "Name"],
        "<OrderBy><Column>Name</Column></OrderBy>",
    );
    let all = find(&mut simulator, &document);
    assert!(all.find("Brookfield").unwrap() < all.find("ller GmbH").unwrap());
    let one = find(&mut simulator, &document.replace(">20<", ">1<"));
    assert_eq!(
        (value(&one, "RowsReturned"), one.matches("<Row>").count()),
        (Some("1"), 1)
    );
}

#[test]
fn a_row_is_fetched_by_its_key_in_either_form() {
    let mut simulator = server();
    for key in ["0000417", "000000000000417"] {
        let document = format!("<Fetch><TableName>ArCustomer</TableName><Key>{key}</Key></Fetch>");
        let row = run(&mut simulator, "Query/Fetch", "", "", &document);
        assert_eq!(value(&row, "Currency"), Some("GBP"), "{row}");
    }
    let missing = run(
        &mut simulator,
        "Query/Fetch",
        "",
        "",
        "<Fetch><TableName>ArCustomer</TableName><Key>9</Key></Fetch>",
    );
    assert!(missing.starts_with("ERROR: "));
}
