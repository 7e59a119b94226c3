//! Set-up objects and custom forms (SY 4.5, 4.7, 4.11).

use super::{company, run, server, value};
use ml_connector_simulators::syspro::{FormField, Simulator};

fn set_up(simulator: &mut Simulator, operation: &str, object: &str, document: &str) -> String {
    run(
        simulator,
        &format!("Setup/{operation}"),
        object,
        "",
        document,
    )
}

fn employee(code: &str, rest: &str) -> String {
    format!(
        "<SetupBomEmployee><Item><Key><Employee>{code}</Employee></Key>{rest}</Item></SetupBomEmployee>"
    )
}

#[test]
fn add_is_not_an_upsert_and_update_is_neither() {
    let mut simulator = server();
    let centre = "<SetupBomCostCentre><Item><Key><CostCentre>ADM</CostCentre></Key><Description>Administration</Description></Item></SetupBomCostCentre>";
    let added = set_up(&mut simulator, "Add", "BOMSCC", centre);
    assert!(
        added.contains("<item><key><costcentre>ADM</costcentre></key></item>"),
        "{added}"
    );
    assert_eq!(
        (
            value(&added, "RecordsRead"),
            value(&added, "RecordsInvalid")
        ),
        (Some("000001"), None)
    );
    let again = set_up(&mut simulator, "Add", "BOMSCC", centre);
    assert!(
        again.contains("<ErrorNumber>120001</ErrorNumber>"),
        "{again}"
    );
    // Read is not applied (SY 10 no. 17).
    assert_eq!(
        (
            value(&again, "RecordsRead"),
            value(&again, "RecordsInvalid")
        ),
        (Some("000001"), Some("000001"))
    );
    let other = centre.replace("ADM", "PRD");
    let missing = set_up(&mut simulator, "Update", "BOMSCC", &other);
    assert!(
        missing.contains("not found")
            && company(&simulator)
                .master("SetupBomCostCentre", "PRD", "Description")
                .is_none()
    );
    set_up(
        &mut simulator,
        "Update",
        "BOMSCC",
        &centre
            .replace("Administration", "Admin & more")
            .replace("& ", "&amp; "),
    );
    assert_eq!(
        company(&simulator).master("SetupBomCostCentre", "ADM", "Description"),
        Some("Admin & more")
    );
    set_up(
        &mut simulator,
        "Delete",
        "BOMSCC",
        "<SetupBomCostCentre><Item><Key><CostCentre>ADM</CostCentre></Key></Item></SetupBomCostCentre>",
    );
    assert!(
        company(&simulator)
            .master("SetupBomCostCentre", "ADM", "Description")
            .is_none()
    );
}

#[test]
fn references_between_masters_are_checked() {
    let mut simulator = server();
    let worker = employee(
        "W00417",
        "<Name>Sample Worker</Name><WorkCentre>ADMIN</WorkCentre><Rates1>0</Rates1>",
    );
    let refused = set_up(&mut simulator, "Add", "BOMSEC", &worker);
    assert!(
        refused.contains("<WorkCentre><Value>ADMIN</Value>"),
        "{refused}"
    );
    set_up(
        &mut simulator,
        "Add",
        "BOMSCC",
        "<SetupBomCostCentre><Item><Key><CostCentre>ADM</CostCentre></Key><Description>d</Description></Item></SetupBomCostCentre>",
    );
    set_up(
        &mut simulator,
        "Add",
        "BOMSWC",
        "<SetupBomWorkCentre><Item><Key><WorkCentre>ADMIN</WorkCentre></Key><Description>d</Description><CostCentre>ADM</CostCentre></Item></SetupBomWorkCentre>",
    );
    let added = set_up(&mut simulator, "Add", "BOMSEC", &worker);
    // This one keeps its spelling (SY 4.11).
    assert!(added.contains("<Employee>W00417</Employee>"), "{added}");
    let unknown = set_up(
        &mut simulator,
        "Add",
        "BOMSEC",
        &employee("W2", "<FullName>x</FullName>"),
    );
    assert!(unknown.starts_with("ERROR: "));
    let long = set_up(
        &mut simulator,
        "Add",
        "BOMSEC",
        &employee("W000000000000417", "<Name>x</Name>"),
    );
    assert!(long.contains("too long"));
    let dimension = "<SetupGlDimensionCodes><Item><Key><Company>EDU1</Company><DimensionCode>D1</DimensionCode><DimensionCategory>DEPT</DimensionCategory></Key><Description>x</Description><ActiveFromDate>2026-02-30</ActiveFromDate></Item></SetupGlDimensionCodes>";
    assert!(set_up(&mut simulator, "Add", "GENSCD", dimension).contains("Invalid date"));
    assert!(
        !set_up(
            &mut simulator,
            "Add",
            "GENSCD",
            &dimension.replace("02-30", "02-28")
        )
        .contains("ErrorNumber")
    );
    simulator.switches.version_8 = false;
    assert!(set_up(&mut simulator, "Add", "GENSCD", dimension).starts_with("ERROR: "));
}

#[test]
fn customers_are_maintained_within_their_rules() {
    let mut simulator = server();
    let update = "<SetupArCustomer><Item><Key><Customer>0000417</Customer></Key><UserField1>GC</UserField1></Item></SetupArCustomer>";
    let answer = set_up(&mut simulator, "Update", "ARSSCS", update);
    assert!(
        answer.contains("<setuparcustomer ")
            && answer.contains("<item><key><customer>0000417</customer></key></item>"),
        "{answer}"
    );
    let customer = company(&simulator).customer("417").unwrap();
    assert_eq!(
        (customer.field("UserField1"), customer.field("Currency")),
        ("GC", "GBP")
    );
    assert!(
        set_up(
            &mut simulator,
            "Update",
            "ARSSCS",
            &update.replace(">GC<", ">12345678901<")
        )
        .contains("too long")
    );

    let add = "<SetupArCustomer><Item><Key><Customer/></Key><Name>New</Name><Branch>10</Branch><Area>N</Area>\
        <Salesperson>100</Salesperson><TermsCode>30</TermsCode><BalanceType>I</BalanceType><TaxStatus>N</TaxStatus>\
        <CreditLimit>0</CreditLimit></Item></SetupArCustomer>";
    let answer = set_up(&mut simulator, "Add", "ARSSCS", add);
    assert!(
        answer.contains("<customer>0000419</customer>"),
        "numbered: {answer}"
    );
    assert_eq!(
        company(&simulator)
            .customer("419")
            .unwrap()
            .field("Currency"),
        "GBP"
    );
    let incomplete = set_up(
        &mut simulator,
        "Add",
        "ARSSCS",
        "<SetupArCustomer><Item><Key><Customer>0000500</Customer></Key><Name>x</Name></Item></SetupArCustomer>",
    );
    assert_eq!(
        incomplete.matches("<ErrorNumber>").count(),
        7,
        "{incomplete}"
    );

    simulator.company_mut("EDU1").unwrap().add_invoice(
        "417",
        "1",
        jiff::civil::date(2026, 3, 1),
        5.into(),
    );
    let currency = update
        .replace("UserField1>", "Currency>")
        .replace(">GC<", ">EUR<");
    assert!(
        set_up(&mut simulator, "Update", "ARSSCS", &currency)
            .contains("Currency cannot be changed")
    );
}

fn with_fields() -> Simulator {
    let mut simulator = server();
    let field = |name: &str, column: &str, kind| FormField {
        form: "CUS".to_owned(),
        name: name.to_owned(),
        column: column.to_owned(),
        kind,
        length: 30,
    };
    simulator.company_mut("EDU1").unwrap().form_fields = vec![
        field("GCM001", "GcMandate", 'A'),
        field("GCM002", "GcSince", 'D'),
    ];
    simulator
}

fn form(name: &str, value: &str) -> String {
    format!(
        "<SetupCustomForm><Item><Key><FormType>CUS</FormType><KeyField>0000417</KeyField><FieldName>{name}</FieldName></Key>{value}</Item></SetupCustomForm>"
    )
}

const STORE: &str =
    "<SetupCustomForm><Parameters><ValidateOnly>N</ValidateOnly></Parameters></SetupCustomForm>";

#[test]
fn form_fields_store_nothing_unless_validate_only_is_n() {
    let mut simulator = with_fields();
    let document = form("GCM001", "<AlphaValue>MD1</AlphaValue>");
    let stored = |simulator: &Simulator| {
        company(simulator)
            .form_value("CUS", "0000417", "GcMandate")
            .map(str::to_owned)
    };
    let silent = run(&mut simulator, "Setup/Add", "COMSFM", "", &document);
    assert_eq!(
        (value(&silent, "RecordsInvalid"), stored(&simulator)),
        (None, None)
    );
    let added = run(&mut simulator, "Setup/Add", "COMSFM", STORE, &document);
    assert!(added.contains("<key><formtype>CUS</formtype><keyfield>0000417</keyfield><fieldname>GCM001</fieldname></key>"), "{added}");
    assert_eq!(stored(&simulator).as_deref(), Some("MD1"));
    let again = run(
        &mut simulator,
        "Setup/Add",
        "COMSFM",
        STORE,
        &document.replace("MD1", "MD2"),
    );
    assert!(again.contains("120001"));
    simulator.switches.add_replaces_form_value = true;
    run(
        &mut simulator,
        "Setup/Add",
        "COMSFM",
        STORE,
        &document.replace("MD1", "MD2"),
    );
    assert_eq!(stored(&simulator).as_deref(), Some("MD2"));
    let missing = run(
        &mut simulator,
        "Setup/Update",
        "COMSFM",
        STORE,
        &form("GCM002", "<DateValue>2026-03-01</DateValue>"),
    );
    assert!(missing.contains("not found"));
    for bad in [
        form("GCM002", "<AlphaValue>x</AlphaValue>"),
        form("GCM002", "<DateValue>1.3.2026</DateValue>"),
        form(
            "GCM001",
            "<AlphaValue>x</AlphaValue><NumericValue>1</NumericValue>",
        ),
        form("GCM001", ""),
        form("GCM001", "<AlphaValue>x</AlphaValue>").replace("0000417", "0009999"),
    ] {
        let answer = run(&mut simulator, "Setup/Add", "COMSFM", STORE, &bad);
        assert_eq!(value(&answer, "RecordsInvalid"), Some("000001"), "{answer}");
    }
    // An unknown field is an exception, and its case matters.
    assert!(
        run(
            &mut simulator,
            "Setup/Add",
            "COMSFM",
            STORE,
            &form("gcm001", "<AlphaValue>x</AlphaValue>")
        )
        .starts_with("ERROR")
    );
}

#[test]
fn records_are_posted_by_column_without_a_status_block() {
    let mut simulator = with_fields();
    let document = "<PostCustomForm><Item><Key><FormType>CUS</FormType><KeyFields><Customer>0000417</Customer></KeyFields></Key>\
        <Fields><GcMandate>MD1</GcMandate><GcSince>2026-03-01</GcSince></Fields></Item></PostCustomForm>";
    let answer = run(&mut simulator, "Transaction/Post", "COMTFM", "", document);
    assert!(
        answer.contains("<Item><Key><FormType>CUS</FormType>") && !answer.contains("StatusOfItems"),
        "{answer}"
    );
    assert_eq!(
        company(&simulator).form_value("CUS", "417", "GcSince"),
        Some("2026-03-01")
    );
    assert!(
        run(
            &mut simulator,
            "Transaction/Post",
            "COMTFM",
            "",
            &document.replace("GcMandate", "GCM001")
        )
        .starts_with("ERROR")
    );
    let query = "<Query><Key><FormType>CUS</FormType></Key></Query>";
    let fields = run(&mut simulator, "Query/Query", "COMQFM", "", query);
    assert_eq!(
        (fields.matches("<Field>").count(), value(&fields, "Column")),
        (2, Some("GcMandate"))
    );
    simulator.switches.plus_tables = true;
    let find = "<Query><TableName>ArCustomer+</TableName><ReturnRows>1</ReturnRows><Columns><Column>GcMandate</Column></Columns></Query>";
    assert_eq!(
        value(
            &run(&mut simulator, "Query/Query", "COMFND", "", find),
            "GcMandate"
        ),
        Some("MD1")
    );
}
