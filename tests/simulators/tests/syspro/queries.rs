//! ARSQRY and CSHQRY (SY 4.4, 4.9).

use super::{run, server, value};

#[test]
fn an_account_shows_receipts_under_both_names() {
    let mut simulator = server();
    let receipt = "<PostArPayment><Item><Payment><Customer>0000417</Customer><PaymentValue>5.00</PaymentValue>\
        <Reference>PM1</Reference><JournalNotation>n</JournalNotation>\
        <UnappliedPayment><GrossPaymentValue>5.00</GrossPaymentValue></UnappliedPayment></Payment></Item></PostArPayment>";
    run(&mut simulator, "Transaction/Post", "ARSTPY", "", receipt);
    let query = "<Query><Key><Customer>0000417</Customer></Key><Option><IncludeTransactions>Y</IncludeTransactions>\
        <IncludeCheckPayments>Y</IncludeCheckPayments><IncludeZeroBalances>Y</IncludeZeroBalances></Option></Query>";
    let account = run(&mut simulator, "Query/Query", "ARSQRY", "", query);
    assert!(account.contains("<ARStatement "), "{account}");
    assert_eq!(
        (
            value(&account, "Reference"),
            value(&account, "ChequeReference")
        ),
        (Some("PM1"), Some("PM1"))
    );
    assert_eq!(
        value(&account, "Name"),
        Some("Brookfield &amp; Söhne &lt;Ltd&gt;")
    );
    let bare = run(
        &mut simulator,
        "Query/Query",
        "ARSQRY",
        "",
        "<Query><Key><Customer>417</Customer></Key></Query>",
    );
    assert!(!bare.contains("PM1"));
    let nobody = run(
        &mut simulator,
        "Query/Query",
        "ARSQRY",
        "",
        "<Query><Key><Customer>9</Customer></Key></Query>",
    );
    assert!(nobody.starts_with("ERROR: "));
    let odd = query.replace("IncludeTransactions>Y", "IncludeTransactions>yes");
    assert!(run(&mut simulator, "Query/Query", "ARSQRY", "", &odd).starts_with("ERROR: "));
}

#[test]
fn a_bank_lists_its_transactions_by_kind() {
    let mut simulator = server();
    let entry = |kind: &str, reference: &str| {
        format!(
            "<Item><AddTransaction><Bank>NB</Bank><DepositOrWithdrawal>{kind}</DepositOrWithdrawal><Reference>{reference}</Reference>\
             <TransactionValue>7.00</TransactionValue><WithdrawalType>N</WithdrawalType><LedgerDistribution><LedgerCode>10-1190</LedgerCode>\
             <LedgerValue>7.00</LedgerValue></LedgerDistribution></AddTransaction></Item>"
        )
    };
    let document = format!(
        "<PostCbDepositsWithdrawals>{}{}</PostCbDepositsWithdrawals>",
        entry("D", "PO1-D"),
        entry("W", "PO1-W")
    );
    let posted = run(&mut simulator, "Transaction/Post", "CSHTWD", "", &document);
    assert_eq!(value(&posted, "ItemsProcessed"), Some("000002"), "{posted}");
    let query = |options: &str| {
        format!("<Query><Key><Bank>NB</Bank></Key><Option>{options}</Option></Query>")
    };
    let all = run(&mut simulator, "Query/Query", "CSHQRY", "", &query(""));
    assert!(
        all.contains("<CshTrnQuery ")
            && all.contains("<TrnReference>PO1-D</TrnReference>")
            && all.contains("PO1-W"),
        "{all}"
    );
    let deposits = run(
        &mut simulator,
        "Query/Query",
        "CSHQRY",
        "",
        &query("<IncludeWithdrawals>N</IncludeWithdrawals>"),
    );
    assert!(deposits.contains("PO1-D") && !deposits.contains("PO1-W"));
    let other = run(
        &mut simulator,
        "Query/Query",
        "CSHQRY",
        "",
        &query("").replace("NB", "GC"),
    );
    assert!(!other.contains("PO1"));
    assert!(
        run(
            &mut simulator,
            "Query/Query",
            "CSHQRY",
            "",
            &query("").replace("NB", "ZZ")
        )
        .starts_with("ERROR")
    );
}
