//! ARSTPY (SY 4.1, 4.2).

use super::{MARCH, company, run, server, server_with, value};
use jiff::civil::date;
use ml_connector_simulators::syspro::{Negatives, Nesting, Simulator, Switches, TooLong};
use rust_decimal::Decimal;

/// A document with one payment of customer 0000417 and these elements behind the bank.
fn payment(value: &str, rest: &str) -> String {
    of_customer("0000417", value, rest)
}

fn of_customer(customer: &str, value: &str, rest: &str) -> String {
    format!(
        "<PostArPayment>{}</PostArPayment>",
        item(customer, value, "PM000ABCD1234", rest)
    )
}

fn item(customer: &str, value: &str, reference: &str, rest: &str) -> String {
    format!(
        "<Item><Payment><Customer>{customer}</Customer><PaymentValue>{value}</PaymentValue>\
         <Reference>{reference}</Reference><PaymentDate>2026-03-14</PaymentDate>\
         <JournalNotation>GoCardless</JournalNotation><Bank>GC</Bank><PaymentType>O</PaymentType>{rest}\
         </Payment></Item>"
    )
}

fn pay(invoice: &str, members: &str) -> String {
    format!(
        "<InvoiceToPay><TransactionType>I</TransactionType><Invoice>{invoice}</Invoice>{members}</InvoiceToPay>"
    )
}

fn unapplied(value: &str) -> String {
    format!("<UnappliedPayment><GrossPaymentValue>{value}</GrossPaymentValue></UnappliedPayment>")
}

fn parameters(flags: &str) -> String {
    format!("<PostArPayment><Parameters>{flags}</Parameters></PostArPayment>")
}

fn post(simulator: &mut Simulator, flags: &str, document: &str) -> String {
    run(
        simulator,
        "Transaction/Post",
        "ARSTPY",
        &parameters(flags),
        document,
    )
}

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// Two invoices: 40.00 without and 100.00 with a terms discount of 2.50 until the 20th.
fn with_invoices() -> Simulator {
    with_invoices_and(Switches::default())
}

fn with_invoices_and(switches: Switches) -> Simulator {
    let mut simulator = server_with(switches);
    let company = simulator.company_mut("EDU1").unwrap();
    company.add_invoice("0000417", "104233", date(2026, 2, 20), dec("40.00"));
    let invoice = company.add_invoice("0000417", "104234", date(2026, 3, 1), dec("100.00"));
    invoice.terms_discount = Some((dec("2.50"), date(2026, 3, 20)));
    simulator
}

fn balance(simulator: &Simulator, invoice: &str) -> Decimal {
    company(simulator).invoice("417", invoice).unwrap().balance
}

#[test]
fn the_sheets_example_posts_and_leaves_rows_with_the_reference() {
    let mut simulator = with_invoices();
    let invoice = pay(
        "104233",
        "<GrossPaymentValue>40.00</GrossPaymentValue><DiscountValue>0.00</DiscountValue>",
    );
    let answer = post(
        &mut simulator,
        "",
        &payment("49.50", &(invoice + &unapplied("9.50"))),
    );
    assert_eq!(value(&answer, "ItemsProcessed"), Some("000001"), "{answer}");
    let receipts = simulator.receipts();
    let [receipt] = receipts.as_slice() else {
        panic!("{receipts:?}")
    };
    assert_eq!(
        (receipt.customer.as_str(), receipt.reference.as_str()),
        ("0000417", "PM000ABCD1234")
    );
    assert_eq!(
        (receipt.amount, receipt.currency.as_str()),
        (dec("49.50"), "GBP")
    );
    assert_eq!(
        (receipt.period, receipt.bank.as_str(), receipt.date),
        (MARCH, "GC", date(2026, 3, 14))
    );
    assert_eq!(
        receipt.distribution,
        [
            ("104233".to_owned(), dec("40")),
            ("_CRD01".to_owned(), dec("9.5"))
        ]
    );
    assert_eq!(balance(&simulator, "104233"), Decimal::ZERO);
    assert_eq!(balance(&simulator, "_CRD01"), dec("-9.50"));
    assert_eq!(
        company(&simulator)
            .invoice("417", "_CRD01")
            .unwrap()
            .purchase_order,
        "Unapplied cash"
    );
}

#[test]
fn a_value_must_be_distributed_in_full_unless_told_otherwise() {
    let half = pay(
        "104233",
        "<GrossPaymentValue>40.00</GrossPaymentValue><DiscountValue/>",
    );
    for (flag, posted) in [
        ("", None),
        ("N", None),
        ("Y", Some(("40.00", 1))),
        ("U", Some(("49.50", 2))),
    ] {
        let mut simulator = with_invoices();
        let flags = format!("<AutoCorrectPaymentValue>{flag}</AutoCorrectPaymentValue>");
        let answer = post(&mut simulator, &flags, &payment("49.50", &half));
        match posted {
            None => {
                assert!(
                    answer.contains("<PaymentValue><Value>49.50</Value><ErrorNumber>"),
                    "{answer}"
                );
                assert_eq!(value(&answer, "ItemsInvalid"), Some("000001"));
                assert_eq!(
                    (simulator.receipts().len(), balance(&simulator, "104233")),
                    (0, dec("40"))
                );
            }
            Some((amount, parts)) => {
                let receipts = simulator.receipts();
                assert_eq!(
                    (receipts[0].amount, receipts[0].distribution.len()),
                    (dec(amount), parts)
                );
            }
        }
    }
    // Nothing distributed at all, and too much.
    let mut simulator = with_invoices();
    assert!(post(&mut simulator, "", &payment("1.00", "")).contains("not been distributed"));
    let too_much = post(
        &mut simulator,
        "<AutoCorrectPaymentValue>U</AutoCorrectPaymentValue>",
        &payment("9.00", &half),
    );
    assert!(too_much.contains("not been distributed"), "{too_much}");
    assert_eq!(simulator.receipts().len(), 0);
}

#[test]
fn absent_and_blank_differ() {
    // Absent gross: the whole balance. Absent discount: the terms discount, in time and in full.
    let mut simulator = with_invoices();
    post(&mut simulator, "", &payment("97.50", &pay("104234", "")));
    assert_eq!(
        (
            simulator.receipts()[0].amount,
            balance(&simulator, "104234")
        ),
        (dec("97.50"), Decimal::ZERO)
    );
    // The same with a stated value of 100 is no longer in full: the trap of SY 10 no. 8.
    let mut simulator = with_invoices();
    let refused = post(
        &mut simulator,
        "",
        &payment(
            "100.00",
            &pay("104234", "<GrossPaymentValue>100.00</GrossPaymentValue>"),
        ),
    );
    assert!(refused.contains("not been distributed"));
    // A blank discount is none, and too late is none either.
    post(
        &mut simulator,
        "",
        &payment("100.00", &pay("104234", "<DiscountValue/>")),
    );
    assert_eq!(balance(&simulator, "104234"), Decimal::ZERO);
    let mut simulator = with_invoices();
    let late = payment("100.00", &pay("104234", "")).replace("2026-03-14", "2026-03-21");
    post(&mut simulator, "", &late);
    assert_eq!(simulator.receipts()[0].amount, dec("100.00"));
    // A blank gross is zero.
    let mut simulator = with_invoices();
    post(
        &mut simulator,
        "",
        &payment(
            "0.00",
            &pay("104233", "<GrossPaymentValue/><DiscountValue/>"),
        ),
    );
    assert_eq!(
        (
            simulator.receipts()[0].amount,
            balance(&simulator, "104233")
        ),
        (dec("0"), dec("40"))
    );
    // An absent date is the server's.
    let mut simulator = with_invoices();
    let dateless =
        payment("1.00", &unapplied("1.00")).replace("<PaymentDate>2026-03-14</PaymentDate>", "");
    post(&mut simulator, "", &dateless);
    assert_eq!(simulator.receipts()[0].date, date(2026, 3, 2));
}

#[test]
fn credits_are_numbered_per_customer_and_the_same_document_posts_twice() {
    let mut simulator = server();
    let document = payment("5.00", &unapplied("5.00"));
    for _ in 0..2 {
        post(&mut simulator, "", &document);
    }
    post(
        &mut simulator,
        "",
        &of_customer("0000418", "7.00", &unapplied("7.00")),
    );
    let receipts = simulator.receipts();
    let credits: Vec<&str> = receipts
        .iter()
        .map(|receipt| receipt.distribution[0].0.as_str())
        .collect();
    assert_eq!(credits, ["_CRD01", "_CRD02", "_CRD01"]);
    assert_eq!(receipts[2].currency, "EUR");
    let journals: Vec<&str> = receipts
        .iter()
        .map(|receipt| receipt.journal.as_str())
        .collect();
    assert_eq!(journals, ["0000000001", "0000000002", "0000000003"]);
}

#[test]
fn unknown_misplaced_and_repeated_elements_are_exceptions() {
    let mut simulator = server();
    let good = payment("5.00", &unapplied("5.00"));
    let cases = [
        good.replace("<Bank>", "<BankCode>")
            .replace("</Bank>", "</BankCode>"),
        good.replace("<Bank>GC</Bank>", "<bank>GC</bank>"),
        good.replace("<Bank>GC</Bank>", "<Bank>GC</Bank><Bank>GC</Bank>"),
        good.replace("<Reference>PM000ABCD1234</Reference>", "")
            .replace("<Bank>", "<Reference>x</Reference><Bank>"),
        good.replace("PostArPayment", "PostARPayment"),
        good.replace("<Item>", "").replace("</Item>", ""),
        good.replace("</Item>", ""),
        good.replace(
            "</Payment>",
            "</Payment><Payment><Customer>1</Customer></Payment>",
        ),
        "<PostArPayment/>".to_owned(),
        String::new(),
    ];
    for case in cases {
        let answer = post(&mut simulator, "", &case);
        assert!(answer.starts_with("ERROR: "), "{case}: {answer}");
    }
    for flags in [
        "<Validate>N</Validate>",
        "<ValidateOnly>yes</ValidateOnly>",
        "<PostingPeriod>X</PostingPeriod>",
    ] {
        assert!(
            post(&mut simulator, flags, &good).starts_with("ERROR: "),
            "{flags}"
        );
    }
    assert_eq!(simulator.receipts().len(), 0);
    simulator.switches.version_8 = false;
    assert!(
        post(
            &mut simulator,
            "<IncludeDimensionAnalysis>N</IncludeDimensionAnalysis>",
            &good
        )
        .starts_with("ERROR")
    );
    simulator.switches.strict_order = false;
    let swapped = good.replace(
        "<Bank>GC</Bank><PaymentType>O</PaymentType>",
        "<PaymentType>O</PaymentType><Bank>GC</Bank>",
    );
    assert!(!post(&mut simulator, "", &swapped).starts_with("ERROR"));
    assert_eq!(
        simulator.receipts()[0].journal,
        "00001",
        "five digits before version 8"
    );
}

#[test]
fn fields_are_refused_where_they_stand() {
    let mut simulator = with_invoices();
    simulator
        .company_mut("EDU1")
        .unwrap()
        .add_customer("0000500", "Closed", "GBP")
        .fields
        .insert("PaymentsAllowed".to_owned(), "N".to_owned());
    let credit = unapplied("5.00");
    let long = "R".repeat(31);
    let cases = [
        (
            of_customer("0009999", "5.00", &credit),
            "Customer",
            "0009999",
        ),
        (
            of_customer("0000500", "5.00", &credit),
            "Customer",
            "0000500",
        ),
        (
            payment("5.00", &credit).replace("PM000ABCD1234", &long),
            "Reference",
            &long,
        ),
        (
            payment("12.340000000000002", &credit),
            "PaymentValue",
            "12.340000000000002",
        ),
        (
            payment("5.00", &credit).replace("2026-03-14", "14/03/2026"),
            "PaymentDate",
            "14/03/2026",
        ),
        (
            payment("5.00", &credit).replace("<Bank>GC", "<Bank>ZZ"),
            "Bank",
            "ZZ",
        ),
        (
            payment("5.00", &credit).replace("<PaymentType>O", "<PaymentType>Q"),
            "PaymentType",
            "Q",
        ),
        (payment("5.00", &pay("999", "")), "Invoice", "999"),
    ];
    for (document, field, wrong) in cases {
        let answer = post(&mut simulator, "", &document);
        let wanted = format!("<{field}><Value>{wrong}</Value><ErrorNumber>");
        assert!(answer.contains(&wanted), "{field}: {answer}");
        assert_eq!(
            (
                value(&answer, "ItemsInvalid"),
                value(&answer, "ItemsProcessed")
            ),
            (Some("000001"), None)
        );
    }
    let no_notation =
        payment("5.00", &credit).replace("<JournalNotation>GoCardless</JournalNotation>", "");
    assert!(post(&mut simulator, "", &no_notation).contains("<JournalNotation><Value/>"));
    simulator.switches.nesting = Nesting::Item;
    let flat = post(&mut simulator, "", &of_customer("0009999", "5.00", &credit));
    assert!(flat.contains("<Item><Payment><ErrorNumber>"), "{flat}");
    assert_eq!(simulator.receipts().len(), 0);
    simulator.switches.long_reference = TooLong::Truncated;
    post(
        &mut simulator,
        "",
        &payment("5.00", &credit).replace("PM000ABCD1234", &long),
    );
    assert_eq!(simulator.receipts()[0].reference.len(), 30);
}

#[test]
fn keys_are_taken_in_both_forms_and_characters_beyond_1252_are_lost() {
    let mut simulator = server();
    let document =
        of_customer("000000000000417", "5.00", &unapplied("5.00")).replace("GoCardless", "é € 漢");
    post(&mut simulator, "", &document);
    let receipts = simulator.receipts();
    assert_eq!(
        (receipts[0].customer.as_str(), receipts[0].notation.as_str()),
        ("0000417", "é € ?")
    );
}

#[test]
fn warnings_reject_unless_they_are_ignored() {
    let over = payment(
        "41.00",
        &pay(
            "104233",
            "<GrossPaymentValue>41.00</GrossPaymentValue><DiscountValue/>",
        ),
    );
    let mut simulator = with_invoices();
    assert!(post(&mut simulator, "", &over).contains("over-paid"));
    assert_eq!(simulator.receipts().len(), 0);
    let posted = post(&mut simulator, "<IgnoreWarnings>Y</IgnoreWarnings>", &over);
    assert_eq!(
        value(&posted, "WarningDescription"),
        Some("Invoice is over-paid")
    );
    assert_eq!(balance(&simulator, "104233"), dec("-1.00"));
}

#[test]
fn reversals_are_negative_payments_where_the_site_takes_them() {
    let reversal = payment(
        "-40.00",
        &pay(
            "104233",
            "<GrossPaymentValue>-40.00</GrossPaymentValue><DiscountValue>0.00</DiscountValue>",
        ),
    )
    .replace("PM000ABCD1234", "PM000ABCD1234-F1");
    for (negatives, ignore, posts) in [
        (Negatives::Accepted, "N", true),
        (Negatives::Warned, "N", false),
        (Negatives::Warned, "Y", true),
        (Negatives::Rejected, "Y", false),
    ] {
        let mut simulator = with_invoices_and(Switches {
            negatives,
            ..Switches::default()
        });
        post(
            &mut simulator,
            "",
            &payment("40.00", &pay("104233", "<DiscountValue/>")),
        );
        let flags = format!("<IgnoreWarnings>{ignore}</IgnoreWarnings>");
        post(&mut simulator, &flags, &reversal);
        assert_eq!(
            simulator.receipts().len() == 2,
            posts,
            "{negatives:?} {ignore}"
        );
        let open = if posts { dec("40.00") } else { Decimal::ZERO };
        assert_eq!(balance(&simulator, "104233"), open);
    }
}

#[test]
fn a_purged_invoice_can_be_re_established() {
    let mut simulator = with_invoices();
    post(
        &mut simulator,
        "",
        &payment("40.00", &pay("104233", "<DiscountValue/>")),
    );
    simulator.company_mut("EDU1").unwrap().purge_paid_invoices();
    simulator.switches.negatives = Negatives::Accepted;
    let gone = pay(
        "104233",
        "<GrossPaymentValue>-40.00</GrossPaymentValue><DiscountValue>0.00</DiscountValue>",
    );
    assert!(post(&mut simulator, "", &payment("-40.00", &gone)).contains("Invoice not found"));
    let back = "<InvoiceToReEstablish><Invoice>104233</Invoice><OriginalInvoiceValue>40.00</OriginalInvoiceValue>\
        <GrossPaymentValue>-40.00</GrossPaymentValue></InvoiceToReEstablish>";
    post(&mut simulator, "", &payment("-40.00", back));
    assert_eq!(balance(&simulator, "104233"), dec("40.00"));
    assert_eq!(
        company(&simulator)
            .invoice("417", "104233")
            .unwrap()
            .purchase_order,
        "Re-established"
    );
}

#[test]
fn automatic_payments_use_up_the_undistributed_part() {
    let mut simulator = with_invoices();
    let options = "<AutomaticPaymentsOptions><ApplyAutomaticPayments>Y</ApplyAutomaticPayments>\
        <AutomaticPaymentsSequence>D</AutomaticPaymentsSequence></AutomaticPaymentsOptions>";
    post(&mut simulator, "", &payment("60.00", options));
    assert_eq!(
        (balance(&simulator, "104233"), balance(&simulator, "104234")),
        (Decimal::ZERO, dec("80.00"))
    );
}

#[test]
fn validate_only_and_entire_documents() {
    let good = item("0000417", "5.00", "PM1", &unapplied("5.00"));
    let bad = item("0009999", "5.00", "PM2", &unapplied("5.00"));
    let both = format!("<PostArPayment>{good}{bad}</PostArPayment>");
    let mut simulator = server();
    let answer = post(
        &mut simulator,
        "<ValidateOnly>Y</ValidateOnly>",
        &format!("<PostArPayment>{good}</PostArPayment>"),
    );
    assert_eq!(
        (value(&answer, "ItemsProcessed"), value(&answer, "Journal")),
        (Some("000001"), None)
    );
    assert_eq!(simulator.receipts().len(), 0);
    let answer = post(&mut simulator, "", &both);
    assert_eq!(
        (
            value(&answer, "ItemsProcessed"),
            value(&answer, "ItemsInvalid")
        ),
        (None, Some("000001"))
    );
    assert_eq!(simulator.receipts().len(), 0);
    let answer = post(
        &mut simulator,
        "<ApplyIfEntireDocumentValid>N</ApplyIfEntireDocumentValid>",
        &both,
    );
    assert_eq!(
        (
            value(&answer, "ItemsProcessed"),
            value(&answer, "ItemsInvalid")
        ),
        (Some("000001"), Some("000001"))
    );
    assert_eq!(simulator.receipts().len(), 1);
}

#[test]
fn the_period_flag_decides_and_closed_ones_refuse() {
    let mut simulator = server();
    let document = payment("5.00", &unapplied("5.00"));
    post(
        &mut simulator,
        "<PostingPeriod>P</PostingPeriod>",
        &document,
    );
    assert_eq!(simulator.receipts()[0].period, MARCH.before());
    simulator
        .company_mut("EDU1")
        .unwrap()
        .closed
        .insert(MARCH.before());
    let refused = post(
        &mut simulator,
        "<PostingPeriod>P</PostingPeriod>",
        &document,
    );
    assert!(
        refused.starts_with("ERROR: ") && refused.contains("period") && refused.contains("closed")
    );
    assert!(
        !post(
            &mut simulator,
            "<PostingPeriod>C</PostingPeriod>",
            &document
        )
        .starts_with("ERROR")
    );
}

#[test]
fn adjustments_and_miscellaneous_receipts() {
    let mut simulator = with_invoices();
    let adjust = "<PostArPayment><Item><Adjustments><Customer>0000417</Customer><InvoiceToAdjust>\
        <TransactionType>I</TransactionType><Invoice>104233</Invoice><AdjustmentValue>3.00</AdjustmentValue>\
        <Reference>ADJ1</Reference><JournalNotation>n</JournalNotation></InvoiceToAdjust></Adjustments></Item></PostArPayment>";
    post(&mut simulator, "", adjust);
    assert_eq!(balance(&simulator, "104233"), dec("37.00"));
    simulator
        .company_mut("EDU1")
        .unwrap()
        .customer_mut("417")
        .unwrap()
        .fields
        .insert("CustomerOnHold".to_owned(), "Y".to_owned());
    assert!(post(&mut simulator, "", adjust).contains("on hold"));
    assert!(!post(&mut simulator, "", &payment("1.00", &unapplied("1.00"))).contains("on hold"));
    let miscellaneous = "<PostArPayment><Item><MiscellaneousReceipt><Bank>GC</Bank><Currency>EUR</Currency>\
        <MiscellaneousReceiptValue>8.00</MiscellaneousReceiptValue><Reference>M1</Reference>\
        <CreditLedgerCode>10-6910</CreditLedgerCode><JournalNotation>n</JournalNotation>\
        </MiscellaneousReceipt></Item></PostArPayment>";
    post(&mut simulator, "", miscellaneous);
    let last = simulator.receipts().pop().unwrap();
    assert_eq!(
        (last.customer.as_str(), last.amount, last.currency.as_str()),
        ("", dec("8.00"), "EUR")
    );
}
