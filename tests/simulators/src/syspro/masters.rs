//! Set-up objects: customers, employees, cost and work centres, dimensions, ledger codes (SY 4.5, 4.11).
//!
//! Add is not an upsert, and neither is Update (SY 10 no. 23): Add of a key that is there gives 120001, Update and
//! Delete of one that is not give a not-found error.

use super::answer::{Exception, Findings, Node, counter, error_nodes, number, storable};
use super::company::{Company, Customer, LedgerCode};
use super::keys::normal;
use super::xml::{self, Element, Flag, Flags, YES_NO};
use super::{Outcome, Run};
use std::collections::BTreeMap;

/// The type of an element.
#[derive(Clone, Copy)]
enum Kind {
    /// At most so many characters.
    Text(usize),
    /// A number with so many decimals.
    Number(usize),
    Flag,
    Choice(&'static [&'static str]),
    Date,
    /// A key of the masters of that root.
    Key(&'static str),
}

type Field = (&'static str, Kind);

/// One set-up object.
struct Object {
    code: &'static str,
    root: &'static str,
    key: &'static [Field],
    fields: &'static [Field],
    /// Elements that Add needs.
    required: &'static [&'static str],
    /// The answer keeps the spelling of its names (SY 4.11: BOMSEC does).
    mixed_case: bool,
    since_8: bool,
}

use Kind::{Choice, Date, Key, Number, Text};

/// SY 4.5. Lengths from SY 9.2.
const CUSTOMER_FIELDS: &[Field] = &[
    ("Name", Text(50)),
    ("ShortName", Text(20)),
    ("Contact", Text(50)),
    ("Telephone", Text(20)),
    ("Email", Text(255)),
    ("SoldToAddr1", Text(40)),
    ("SoldToAddr2", Text(40)),
    ("SoldToAddr3", Text(40)),
    ("SoldToAddr4", Text(40)),
    ("SoldToAddr5", Text(40)),
    ("SoldPostalCode", Text(10)),
    ("Currency", Text(3)),
    ("Branch", Text(10)),
    ("Area", Text(10)),
    ("Salesperson", Text(10)),
    ("TermsCode", Text(2)),
    ("CustomerClass", Text(10)),
    ("PriceCode", Text(10)),
    ("BalanceType", Choice(&["I", "B"])),
    ("TaxStatus", Choice(&["E", "N", "O"])),
    ("TaxExemptNumber", Text(30)),
    ("CreditLimit", Number(2)),
    ("CreditStatus", Number(0)),
    ("CustomerOnHold", Kind::Flag),
    ("MasterAccount", Text(15)),
    ("LanguageCode", Text(5)),
    ("SpecialInstrs", Text(30)),
    ("UserField1", Text(10)),
    ("UserField2", Number(2)),
];

/// SY 4.11. Lengths of keys are unverified there.
const OBJECTS: &[Object] = &[
    Object {
        code: "ARSSCS",
        root: "SetupArCustomer",
        key: &[("Customer", Text(15))],
        fields: CUSTOMER_FIELDS,
        required: &[
            "Name",
            "Branch",
            "Area",
            "Salesperson",
            "TermsCode",
            "BalanceType",
            "TaxStatus",
            "CreditLimit",
        ],
        mixed_case: false,
        since_8: false,
    },
    Object {
        code: "BOMSEC",
        root: "SetupBomEmployee",
        key: &[("Employee", Text(15))],
        fields: &[
            ("Name", Text(50)),
            ("StdHrsPerMonth", Number(2)),
            ("WorkCentre", Key("SetupBomWorkCentre")),
            ("EmployeeActCost", Text(10)),
            ("ShiftId", Text(10)),
            ("Rates1", Number(5)),
            ("Rates2", Number(5)),
            ("Rates3", Number(5)),
            ("Rates4", Number(5)),
            ("Rates5", Number(5)),
            ("Rates6", Number(5)),
            ("Rates7", Number(5)),
            ("Rates8", Number(5)),
            ("Rates9", Number(5)),
        ],
        required: &["Name"],
        mixed_case: true,
        since_8: false,
    },
    Object {
        code: "BOMSCC",
        root: "SetupBomCostCentre",
        key: &[("CostCentre", Text(10))],
        fields: &[
            ("Description", Text(50)),
            ("SubcontractFlag", Kind::Flag),
            ("UseEmployeeRate", Kind::Flag),
            ("ProductClass", Text(20)),
            ("EtCalcMeth", Text(1)),
            ("TimeUom", Text(10)),
            ("CapacityUom", Text(10)),
            ("UseOvertimeCap", Kind::Flag),
            ("OvertimeCapPct", Number(2)),
            ("SetUpRate1", Number(5)),
            ("RunTimeRate1", Number(5)),
            ("FixOverRate1", Number(5)),
            ("VarOverRate1", Number(5)),
            ("StartupRate1", Number(5)),
            ("TeardownRate1", Number(5)),
        ],
        required: &["Description"],
        mixed_case: false,
        since_8: false,
    },
    Object {
        code: "BOMSWC",
        root: "SetupBomWorkCentre",
        key: &[("WorkCentre", Text(20))],
        fields: &[
            ("Description", Text(50)),
            ("CostCentre", Key("SetupBomCostCentre")),
            ("WipBranch", Text(10)),
            ("ShiftCode", Text(10)),
            ("SiteCode", Text(10)),
        ],
        required: &["Description", "CostCentre"],
        mixed_case: false,
        since_8: false,
    },
    Object {
        code: "ASSSCC",
        root: "SetupAssetCostCenter",
        key: &[("Branch", Text(10)), ("AssetCostCenter", Text(10))],
        fields: &[("Description", Text(50))],
        required: &["Description"],
        mixed_case: false,
        since_8: false,
    },
    Object {
        code: "GENSCT",
        root: "SetupGlDimensionCategory",
        key: &[("Company", Text(4)), ("DimensionCategory", Text(10))],
        fields: &[
            ("Description", Text(50)),
            ("Caption", Text(30)),
            ("EntityBacked", Kind::Flag),
            ("Dataset", Text(30)),
            ("Status", Text(1)),
        ],
        required: &["Description"],
        mixed_case: false,
        since_8: true,
    },
    Object {
        code: "GENSCD",
        root: "SetupGlDimensionCodes",
        key: &[
            ("Company", Text(4)),
            ("DimensionCode", Text(30)),
            ("DimensionCategory", Text(10)),
        ],
        fields: &[
            ("Description", Text(50)),
            ("ActiveFromDate", Date),
            ("ActiveToDate", Date),
            ("Status", Text(1)),
            ("TemplateFlag", Kind::Flag),
        ],
        required: &["Description"],
        mixed_case: false,
        since_8: true,
    },
    Object {
        code: "GENSCO",
        root: "SetupGlCodes",
        key: &[("Company", Text(4)), ("GlCode", Text(35))],
        fields: &[
            ("Description", Text(50)),
            ("AccountType", Text(1)),
            ("GlGroup", Text(10)),
        ],
        required: &["Description"],
        mixed_case: false,
        since_8: false,
    },
];

/// Parameters of all of them, and the extra ones of ARSSCS and BOMSWC (SY 4.5, 4.11).
const FLAGS: &[Flag] = &[
    ("IgnoreWarnings", YES_NO, "N"),
    ("ApplyIfEntireDocumentValid", YES_NO, "Y"),
    ("ValidateOnly", YES_NO, "N"),
    ("UpdateFaxEmailOrders", YES_NO, "N"),
    ("UpdateFaxEmailReprint", YES_NO, "N"),
    ("ValidateTaxExemptionNo", YES_NO, "N"),
    ("TriggerAps", YES_NO, "N"),
];

/// Runs Add, Update or Delete of one of the objects.
pub(super) fn set_up(
    company: &mut Company,
    code: &str,
    operation: &str,
    parameters: &str,
    document: &str,
    run: &Run<'_>,
) -> Outcome {
    let object = OBJECTS.iter().find(|object| object.code == code);
    let object = object.filter(|object| run.switches.version_8 || !object.since_8);
    let object = object.ok_or_else(Exception::not_licensed)?;
    let flags = Flags::read(parameters, object.root, FLAGS)?;
    let document = Element::parse(document, "XmlIn")?;
    document.expect_root(object.root)?;
    document.expect_children(&["Item*"], false)?;
    let mut drafts = Vec::new();
    for item in &document.children {
        check_shape(object, item)?;
        drafts.push(check(company, object, operation, item));
    }
    let entire = flags.yes("ApplyIfEntireDocumentValid");
    let invalid = drafts
        .iter()
        .filter(|draft| !draft.findings.errors.is_empty())
        .count();
    let mut root = Node::new(object.root);
    let mut read = 0;
    for mut draft in drafts {
        read += 1;
        let ok = draft.findings.errors.is_empty() && (invalid == 0 || !entire);
        if ok && !flags.yes("ValidateOnly") {
            draft.number(company);
            store(company, object, operation, &draft);
        }
        root.push(answer_item(object, &draft, run));
    }
    root.push(
        Node::new("StatusOfItems")
            .with(counter("RecordsRead", read, run.switches))
            .with(counter("RecordsInvalid", invalid, run.switches)),
    );
    Ok(root)
}

/// An item that was checked.
struct Draft {
    /// Key elements and their values, in order.
    key: Vec<(&'static str, String)>,
    fields: BTreeMap<String, String>,
    findings: Findings,
    is_customer: bool,
}

impl Draft {
    /// The key as the company stores it.
    fn place(&self) -> String {
        self.key
            .iter()
            .map(|(_, value)| value.as_str())
            .collect::<Vec<_>>()
            .join("|")
    }

    /// A blank customer code is numbered where keys are numeric; weakly documented (SY 4.5).
    fn number(&mut self, company: &Company) {
        let Some(digits) = company.numeric_customers.filter(|_| self.is_customer) else {
            return;
        };
        let Some((_, code)) = self.key.first_mut().filter(|(_, code)| code.is_empty()) else {
            return;
        };
        let highest = company
            .customers
            .keys()
            .filter_map(|key| key.parse::<u64>().ok())
            .max();
        *code = format!("{:0digits$}", highest.unwrap_or(0) + 1);
    }
}

fn check_shape(object: &Object, item: &Element) -> Result<(), Exception> {
    let mut listed = vec!["Key"];
    listed.extend(object.fields.iter().map(|(name, _)| *name));
    item.expect_children(&listed, false)?;
    let key: Vec<&str> = object.key.iter().map(|(name, _)| *name).collect();
    match item.child("Key") {
        Some(element) => element.expect_children(&key, false),
        None => Err(Exception::new("an Item needs its Key")),
    }
}

fn check(company: &Company, object: &Object, operation: &str, item: &Element) -> Draft {
    let mut findings = Findings::default();
    let is_customer = object.code == "ARSSCS";
    let blank = Element {
        name: String::new(),
        text: String::new(),
        children: Vec::new(),
    };
    let key_element = item.child("Key").unwrap_or(&blank);
    let mut key = Vec::new();
    for (name, kind) in object.key {
        let text = key_element.text_or_blank(name);
        let numbered =
            is_customer && operation == "setup/add" && company.numeric_customers.is_some();
        if text.is_empty() && !numbered {
            findings.error(name, "", number::REQUIRED, "A key is required");
        }
        check_value(company, name, *kind, text, &mut findings);
        key.push((*name, storable(text)));
    }
    let mut fields = BTreeMap::new();
    for (name, kind) in object.fields {
        if let Some(text) = item.text_of(name) {
            check_value(company, name, *kind, text, &mut findings);
            fields.insert((*name).to_owned(), storable(text));
        }
    }
    let mut draft = Draft {
        key,
        fields,
        findings,
        is_customer,
    };
    check_existence(company, object, operation, &mut draft);
    draft
}

fn check_value(
    company: &Company,
    name: &'static str,
    kind: Kind,
    text: &str,
    findings: &mut Findings,
) {
    if text.is_empty() {
        return;
    }
    match kind {
        Text(most) if text.chars().count() > most => {
            findings.error(name, text, number::TOO_LONG, "Value is too long");
        }
        Number(decimals) if xml::number(text, decimals).is_none() => {
            findings.error(name, text, number::NOT_NUMERIC, "Value is not numeric");
        }
        Kind::Flag if !YES_NO.contains(&text) => {
            findings.error(name, text, number::BAD_VALUE, "Must be Y or N");
        }
        Choice(words) if !words.contains(&text) => {
            findings.error(name, text, number::BAD_VALUE, "Value is not valid");
        }
        Date if xml::date(text).is_none() => {
            findings.error(name, text, number::BAD_DATE, "Invalid date");
        }
        Key(root)
            if !company
                .masters
                .contains_key(&(root.to_owned(), text.to_owned())) =>
        {
            findings.error(name, text, number::NOT_FOUND, "Key not found");
        }
        Text(_) | Number(_) | Kind::Flag | Choice(_) | Date | Key(_) => {}
    }
}

/// Add wants the key free and the required elements, Update and Delete want it taken (SY 4.11).
fn check_existence(company: &Company, object: &Object, operation: &str, draft: &mut Draft) {
    let (name, value) = draft.key.last().cloned().unwrap_or_default();
    let exists = match object.code {
        "ARSSCS" => company.customers.contains_key(&normal(&value)) && !value.is_empty(),
        "GENSCO" => company.ledger_code(&value).is_some(),
        _ => company
            .masters
            .contains_key(&(object.root.to_owned(), draft.place())),
    };
    let findings = &mut draft.findings;
    if operation == "setup/add" {
        if exists {
            let text = format!("Duplicate key '{value}' on table");
            findings.error(name, &value, number::DUPLICATE, text);
        }
        for required in object.required {
            if draft.fields.get(*required).is_none_or(String::is_empty) {
                findings.error(required, "", number::REQUIRED, "A value is required");
            }
        }
    } else if !exists {
        findings.error(
            name,
            &value,
            number::NOT_FOUND,
            format!("{name} '{value}' not found"),
        );
    }
    if object.code == "ARSSCS" && exists {
        check_customer_change(company, operation, &value, draft);
    }
}

/// The currency cannot change once there are transactions (SY 4.5), and an account with any cannot go.
fn check_customer_change(company: &Company, operation: &str, code: &str, draft: &mut Draft) {
    let key = normal(code);
    let used = company.invoices_of(&key).next().is_some();
    let currency = company
        .customer(code)
        .map(|own| own.field("Currency").to_owned());
    if let Some(new) = draft.fields.get("Currency")
        && used
        && Some(new) != currency.as_ref()
    {
        let text = "Currency cannot be changed, transactions exist";
        draft
            .findings
            .error("Currency", new, number::BAD_VALUE, text);
    }
    if operation == "setup/delete" && used {
        let text = "Customer has transactions";
        draft
            .findings
            .error("Customer", code, number::BAD_VALUE, text);
    }
}

fn store(company: &mut Company, object: &Object, operation: &str, draft: &Draft) {
    let last = draft
        .key
        .last()
        .map(|(_, value)| value.clone())
        .unwrap_or_default();
    match (object.code, operation) {
        ("ARSSCS", "setup/delete") => {
            company.customers.remove(&normal(&last));
        }
        ("ARSSCS", _) => {
            let local = company.local_currency.clone();
            let fresh = || Customer {
                code: last.clone(),
                fields: BTreeMap::new(),
                credits: 0,
            };
            let customer = company.customers.entry(normal(&last)).or_insert_with(fresh);
            customer.fields.extend(draft.fields.clone());
            if customer.field("Currency").is_empty() {
                customer.fields.insert("Currency".to_owned(), local);
            }
        }
        ("GENSCO", "setup/delete") => company.ledger.retain(|own| own.code != last),
        ("GENSCO", _) => {
            company.ledger.retain(|own| own.code != last);
            let description = draft.fields.get("Description").cloned().unwrap_or_default();
            company.ledger.push(LedgerCode {
                code: last,
                description,
                control: false,
                on_hold: false,
            });
        }
        (_, "setup/delete") => {
            company
                .masters
                .remove(&(object.root.to_owned(), draft.place()));
        }
        _ => {
            let place = (object.root.to_owned(), draft.place());
            company
                .masters
                .entry(place)
                .or_default()
                .extend(draft.fields.clone());
        }
    }
}

/// `item/key/customer` in lower case, except where the object keeps its spelling (SY 3.4, 4.11).
fn answer_item(object: &Object, draft: &Draft, run: &Run<'_>) -> Node {
    let spell = |name: &str| {
        if object.mixed_case {
            name.to_owned()
        } else {
            name.to_lowercase()
        }
    };
    let mut key = Node::new("key");
    for (name, value) in &draft.key {
        key.push(Node::text(spell(name), value.clone()));
    }
    let mut item = Node::new("item").with(key);
    for node in error_nodes(&draft.findings.errors, run.switches) {
        item.push(node.renamed(spell));
    }
    item
}
