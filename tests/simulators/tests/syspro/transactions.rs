//! CSHTWD, GENTJL, ARSTIN, WIPTLP (SY 4.3, 4.8, 4.10, 4.12).

use super::{MARCH, company, run, server, value};
use ml_connector_simulators::syspro::{Fault, On, Simulator};
use rust_decimal::Decimal;

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn deposit(rest: &str) -> String {
    format!(
        "<PostCbDepositsWithdrawals><Item><AddTransaction><Bank>NB</Bank><DepositOrWithdrawal>D</DepositOrWithdrawal>\
         <Reconciled>N</Reconciled><Reference>PO000WXYZ6789</Reference><TransactionValue>970.00</TransactionValue>\
         <TransactionDate>2026-03-18</TransactionDate><Narration>payout</Narration>{rest}</AddTransaction></Item></PostCbDepositsWithdrawals>"
    )
}

fn line(code: &str, amount: &str) -> String {
    format!(
        "<LedgerDistribution><LedgerCode>{code}</LedgerCode><LedgerNotation>n</LedgerNotation><LedgerValue>{amount}</LedgerValue></LedgerDistribution>"
    )
}

#[test]
fn a_deposit_keeps_its_gl_journal_inside_the_key() {
    let mut simulator = server();
    let answer = run(
        &mut simulator,
        "Transaction/Post",
        "CSHTWD",
        "",
        &deposit(&line("10-1190", "970.00")),
    );
    assert!(answer.contains("<postcbdepositswithdrawals "), "{answer}");
    assert!(answer.contains("<Item><AddTransaction><Key><Bank>NB</Bank><CbTrnYear>2026</CbTrnYear><CbTrnMonth>03</CbTrnMonth>"), "{answer}");
    let key = &answer[answer.find("<Key>").unwrap()..answer.find("</Key>").unwrap()];
    assert!(key.contains("<GlJournal>") && value(key, "CbTrnDate") == Some("20260302"));
    assert_eq!(value(key, "CbTrnTime").unwrap().len(), 8);
    let entry = &company(&simulator).cash_book()[0];
    assert_eq!(
        (entry.kind, entry.value, entry.reference.as_str()),
        ('D', dec("970.00"), "PO000WXYZ6789")
    );
    assert_eq!(entry.lines, [("10-1190".to_owned(), dec("970.00"))]);
}

#[test]
fn deposits_must_be_distributed_to_known_codes() {
    let mut simulator = server();
    for (rest, wanted) in [
        (line("10-1190", "969.99"), "not been distributed"),
        (String::new(), "not been distributed"),
        (line("99-9999", "970.00"), "Ledger code not found"),
        (line("10-1200", "970.00"), "control account"),
        (
            line("10-1190", "1000.00") + &line("10-6910", "-30.00"),
            "negative",
        ),
    ] {
        let answer = run(
            &mut simulator,
            "Transaction/Post",
            "CSHTWD",
            "",
            &deposit(&rest),
        );
        assert!(
            answer.contains(wanted) && value(&answer, "ItemsInvalid") == Some("000001"),
            "{answer}"
        );
    }
    let withdrawal = deposit(&line("10-1190", "970.00")).replace(">D<", ">W<");
    assert!(
        run(
            &mut simulator,
            "Transaction/Post",
            "CSHTWD",
            "",
            &withdrawal
        )
        .contains("check number is required")
    );
    let flags = "<PostCbDepositsWithdrawals><Parameters><IgnoreWarnings>W</IgnoreWarnings></Parameters></PostCbDepositsWithdrawals>";
    let two = line("10-1190", "1000.00") + &line("10-6910", "-30.00");
    let posted = run(
        &mut simulator,
        "Transaction/Post",
        "CSHTWD",
        flags,
        &deposit(&two),
    );
    assert_eq!(
        (
            value(&posted, "ItemsProcessed"),
            value(&posted, "WarningDescription")
        ),
        (Some("000001"), Some("Ledger value is negative"))
    );
    assert!(
        run(
            &mut simulator,
            "Transaction/Post",
            "CSHTWD",
            "",
            &deposit("<Comment>x</Comment>")
        )
        .starts_with("ERROR")
    );
    assert_eq!(company(&simulator).cash_book().len(), 1);
}

fn journal(head: &str, lines: &[(&str, &str)]) -> String {
    let lines: String = lines
        .iter()
        .map(|(code, amount)| {
            format!("<JournalDetails><LedgerCode>{code}</LedgerCode><Reference>R</Reference><EntryAmount>{amount}</EntryAmount><Comment>c</Comment></JournalDetails>")
        })
        .collect();
    format!(
        "<PostGlJournal><Item><JournalType>N</JournalType><JournalNumber/>{head}{lines}</Item></PostGlJournal>"
    )
}

const WAGES: &[(&str, &str)] = &[("10-6110", "1250.00"), ("00-2310", "-1250.00")];

fn post_journal(simulator: &mut Simulator, document: &str) -> String {
    run(simulator, "Transaction/Post", "GENTJL", "", document)
}

#[test]
fn a_journal_is_posted_by_default_and_only_if_it_balances() {
    let mut simulator = server();
    let answer = post_journal(
        &mut simulator,
        &journal("<JournalReference>PAYX-1</JournalReference>", WAGES),
    );
    assert_eq!(value(&answer, "Jnlstatus"), Some("P"), "{answer}");
    assert_eq!(
        (
            value(&answer, "JournalsProcessed"),
            value(&answer, "PostingsProcessed")
        ),
        (Some("000001"), Some("000001"))
    );
    assert_eq!(
        (value(&answer, "DebitAmount"), value(&answer, "GlPeriod")),
        (Some("1250.00"), Some("03"))
    );
    let unposted = post_journal(
        &mut simulator,
        &journal("<PostJournal>N</PostJournal>", WAGES),
    );
    assert_eq!(
        (
            value(&unposted, "JournalsProcessed"),
            value(&unposted, "PostingsProcessed")
        ),
        (Some("000001"), None)
    );
    assert_eq!(company(&simulator).gl_journals().len(), 2);
    for (document, wanted) in [
        (
            journal("", &[("10-6110", "1250.00"), ("00-2310", "-1249.99")]),
            "does not balance",
        ),
        (journal("", &[]), "needs entries"),
        (journal("", &[("10-6110", "1,250.00")]), "not numeric"),
        (journal("", &[("99", "0.00")]), "not found"),
        (
            journal("", &[("10-1200", "5.00"), ("00-2310", "-5.00")]),
            "control account",
        ),
        (
            journal(
                "<PostingPeriod>04</PostingPeriod><PostingYear>2026</PostingYear>",
                WAGES,
            ),
            "future",
        ),
        (
            journal(
                "<PostingPeriod>12</PostingPeriod><PostingYear>2024</PostingYear>",
                WAGES,
            ),
            "not valid",
        ),
    ] {
        let answer = post_journal(&mut simulator, &document);
        assert!(
            answer.contains(wanted) && value(&answer, "JournalsInvalid") == Some("000001"),
            "{wanted}: {answer}"
        );
    }
    simulator
        .company_mut("EDU1")
        .unwrap()
        .closed
        .insert(MARCH.before());
    let closed = journal(
        "<PostingPeriod>02</PostingPeriod><PostingYear>2026</PostingYear>",
        WAGES,
    );
    assert!(post_journal(&mut simulator, &closed).contains("period is closed"));
    let two = journal("", WAGES).replace("</PostGlJournal>", "<Item/></PostGlJournal>");
    assert!(post_journal(&mut simulator, &two).starts_with("ERROR: "));
    assert_eq!(company(&simulator).gl_journals().len(), 2);
}

#[test]
fn a_journal_can_be_created_without_being_posted() {
    let mut simulator = server();
    simulator
        .faults
        .plan(On::Object("GENTJL"), Fault::JournalNotPosted);
    simulator
        .faults
        .plan(On::Object("GENTJL"), Fault::PostingInvalid);
    let first = post_journal(&mut simulator, &journal("", WAGES));
    assert_eq!(
        (
            value(&first, "JournalsProcessed"),
            value(&first, "PostingsProcessed")
        ),
        (Some("000001"), None)
    );
    let second = post_journal(&mut simulator, &journal("", WAGES));
    assert_eq!(value(&second, "PostingsInvalid"), Some("000001"));
    assert!(
        company(&simulator)
            .gl_journals()
            .iter()
            .all(|own| own.status == " ")
    );
    simulator.switches.authorisation_required = true;
    assert_eq!(
        value(
            &post_journal(&mut simulator, &journal("", WAGES)),
            "PostingsProcessed"
        ),
        None
    );
    let authorised = journal("<AuthorizeJournal>A</AuthorizeJournal>", WAGES);
    assert_eq!(
        value(
            &post_journal(&mut simulator, &authorised),
            "PostingsProcessed"
        ),
        Some("000001")
    );
    let find = "<Query><TableName>GenJournalCtl</TableName><ReturnRows>9</ReturnRows><Columns><Column>GlJournal</Column></Columns>\
        <Where><Expression><Column>JnlStatus</Column><Condition>EQ</Condition><Value>P</Value></Expression></Where></Query>";
    assert_eq!(
        value(
            &run(&mut simulator, "Query/Query", "COMFND", "", find),
            "RowsReturned"
        ),
        Some("1")
    );
}

#[test]
fn notes_have_their_own_counters_and_reopen_nothing_by_themselves() {
    let mut simulator = server();
    let note = "<PostArInvoices><Item><TransactionType>D</TransactionType><Customer>0000417</Customer>\
        <PostToExistingInvoice>N</PostToExistingInvoice><GenerateInvoiceNumber>Y</GenerateInvoiceNumber><Invoice/>\
        <InvoiceDate>2026-03-20</InvoiceDate><Reference>PM000ABCD1234-F1</Reference><InvoiceValue>49.50</InvoiceValue>\
        <ProductClass>GCRV</ProductClass></Item></PostArInvoices>";
    let answer = run(&mut simulator, "Transaction/Post", "ARSTIN", "", note);
    assert_eq!(
        (
            value(&answer, "ItemsValidated"),
            value(&answer, "InvalidItems")
        ),
        (Some("000001"), None),
        "{answer}"
    );
    let number = value(&answer, "Invoice").unwrap().to_owned();
    assert_eq!(
        company(&simulator).invoice("417", &number).unwrap().balance,
        dec("49.50")
    );
    assert_eq!(simulator.receipts().len(), 0);
    let credit = note
        .replace(">D<", ">C<")
        .replace("ExistingInvoice>N", "ExistingInvoice>Y")
        .replace("GenerateInvoiceNumber>Y", "GenerateInvoiceNumber>N")
        .replace("<Invoice/>", &format!("<Invoice>{number}</Invoice>"));
    run(&mut simulator, "Transaction/Post", "ARSTIN", "", &credit);
    assert_eq!(
        company(&simulator).invoice("417", &number).unwrap().balance,
        Decimal::ZERO
    );
    for bad in [
        note.replace("49.50", "-49.50"),
        note.replace("<ProductClass>GCRV</ProductClass>", ""),
        note.replace(">D<", ">X<"),
        note.replace("GenerateInvoiceNumber>Y", "GenerateInvoiceNumber>N"),
        note.replace("0000417", "0009999"),
    ] {
        let answer = run(&mut simulator, "Transaction/Post", "ARSTIN", "", &bad);
        assert_eq!(value(&answer, "InvalidItems"), Some("000001"), "{answer}");
    }
}

#[test]
fn labour_posts_nothing_unless_validate_only_is_n() {
    let mut simulator = server();
    simulator
        .company_mut("EDU1")
        .unwrap()
        .jobs
        .insert("00000731".to_owned());
    let worker = "<SetupBomEmployee><Item><Key><Employee>W1</Employee></Key><Name>x</Name></Item></SetupBomEmployee>";
    run(&mut simulator, "Setup/Add", "BOMSEC", "", worker);
    let document = "<PostLabour><Item><ItemTransactionDate>2026-03-14</ItemTransactionDate><Job>00000731</Job>\
        <LOperation>2</LOperation><LEmployee>W1</LEmployee><LRunTimeHours>7.50</LRunTimeHours><Reference>PAYX-1</Reference>\
        <OperCompleted>N</OperCompleted></Item></PostLabour>";
    let silent = run(&mut simulator, "Transaction/Post", "WIPTLP", "", document);
    assert_eq!(
        (
            value(&silent, "RecordsValidated"),
            value(&silent, "InvalidRecords")
        ),
        (Some("000001"), Some("0000000000"))
    );
    assert_eq!(company(&simulator).labour().len(), 0);
    let flags = "<PostLabour><Parameters><ValidateOnly>N</ValidateOnly></Parameters></PostLabour>";
    let posted = run(
        &mut simulator,
        "Transaction/Post",
        "WIPTLP",
        flags,
        document,
    );
    assert!(
        posted.contains("<postlabour ") && posted.contains("<EntryNumber>00001</EntryNumber>"),
        "{posted}"
    );
    assert_eq!(company(&simulator).labour()[0].hours, dec("7.50"));
    for bad in [
        document.replace("<Job>00000731</Job>", ""),
        document.replace("00000731", "9"),
        document.replace("W1", "W2"),
        document.replace("<OperCompleted>N</OperCompleted>", ""),
        document.replace("7.50", "7:30"),
    ] {
        let answer = run(&mut simulator, "Transaction/Post", "WIPTLP", flags, &bad);
        assert_eq!(
            value(&answer, "InvalidRecords"),
            Some("0000000001"),
            "{answer}"
        );
    }
    assert_eq!(company(&simulator).labour().len(), 1);
}
