//! Custom form values: COMSFM by field, COMTFM by record, COMQFM for the fields themselves (SY 4.7).

use super::answer::{Exception, Findings, Node, counter, error_nodes, number, storable};
use super::company::{Company, FormField};
use super::keys::normal;
use super::xml::{self, Element, Flags, YES_NO};
use super::{Outcome, Run};

/// Runs COMSFM. Its schema default of ValidateOnly is **Y**: without the flag nothing is stored (SY 10 no. 14).
pub(super) fn set_up(
    company: &mut Company,
    operation: &str,
    parameters: &str,
    document: &str,
    run: &Run<'_>,
) -> Outcome {
    let flags = Flags::read(
        parameters,
        "SetupCustomForm",
        &[("ValidateOnly", YES_NO, "Y")],
    )?;
    let document = Element::parse(document, "XmlIn")?;
    document.expect_root("SetupCustomForm")?;
    document.expect_children(&["Item*"], false)?;
    let (mut read, mut invalid) = (0, 0);
    let mut root = Node::new("SetupCustomForm");
    for item in &document.children {
        item.expect_children(&["Key", "AlphaValue", "NumericValue", "DateValue"], false)?;
        let key = item
            .child("Key")
            .ok_or_else(|| Exception::new("an Item needs its Key"))?;
        key.expect_children(&["FormType", "KeyField", "FieldName"], false)?;
        read += 1;
        let field = field_named(company, key)?.clone();
        let place = (
            field.form.clone(),
            normal(key.text_or_blank("KeyField")),
            field.column.clone(),
        );
        let exists = company.form_values.contains_key(&place);
        let mut findings = Findings::default();
        check_record(
            company,
            &field.form,
            key.text_or_blank("KeyField"),
            &mut findings,
        );
        check_operation(operation, exists, &field, &mut findings, run);
        let value = read_value(&field, item, operation, &mut findings);
        if findings.errors.is_empty() {
            if !flags.yes("ValidateOnly") {
                match operation {
                    "setup/delete" => drop(company.form_values.remove(&place)),
                    _ => drop(company.form_values.insert(place, value)),
                }
            }
        } else {
            invalid += 1;
        }
        let shown = ["FormType", "KeyField", "FieldName"]
            .map(|name| Node::text(name.to_lowercase(), key.text_or_blank(name)));
        let errors = error_nodes(&findings.errors, run.switches);
        root.push(
            Node::new("item")
                .with(Node::new("key").with_all(shown))
                .with_all(errors),
        );
    }
    root.push(
        Node::new("StatusOfItems")
            .with(counter("RecordsRead", read, run.switches))
            .with(counter("RecordsInvalid", invalid, run.switches)),
    );
    Ok(root)
}

/// The field definition; an unknown field is an exception (SY 4.7). Its name is as defined, case included.
fn field_named<'a>(company: &'a Company, key: &Element) -> Result<&'a FormField, Exception> {
    let (form, name) = (
        key.text_or_blank("FormType"),
        key.text_or_blank("FieldName"),
    );
    let found = company
        .form_fields
        .iter()
        .find(|own| own.form == form && own.name == name);
    found.ok_or_else(|| {
        Exception::new(format!(
            "Custom form field {name} is not defined for {form}"
        ))
    })
}

fn check_record(company: &Company, form: &str, key: &str, findings: &mut Findings) {
    if form == "CUS" && company.customer(key).is_none() {
        findings.error("KeyField", key, number::NOT_FOUND, "Customer not found");
    }
}

/// Whether Add fails on an existing value is unverified: a switch (SY 4.7).
fn check_operation(
    operation: &str,
    exists: bool,
    field: &FormField,
    findings: &mut Findings,
    run: &Run<'_>,
) {
    match operation {
        "setup/add" if exists && !run.switches.add_replaces_form_value => {
            let text = "Duplicate key on table";
            findings.error("FieldName", &field.name, number::DUPLICATE, text);
        }
        "setup/update" | "setup/delete" if !exists => {
            findings.error(
                "FieldName",
                &field.name,
                number::NOT_FOUND,
                "Value not found",
            );
        }
        _ => {}
    }
}

/// Exactly one of the three values, of the field's type (SY 4.7).
fn read_value(
    field: &FormField,
    item: &Element,
    operation: &str,
    findings: &mut Findings,
) -> String {
    let given: Vec<&Element> = item
        .children
        .iter()
        .filter(|child| child.name != "Key")
        .collect();
    if operation == "setup/delete" {
        return String::new();
    }
    let [value] = given.as_slice() else {
        findings.error(
            "AlphaValue",
            "",
            number::REQUIRED,
            "Exactly one value is required",
        );
        return String::new();
    };
    let wanted = match field.kind {
        'N' => "NumericValue",
        'D' => "DateValue",
        _ => "AlphaValue",
    };
    if value.name != wanted {
        findings.error(
            wanted,
            &value.text,
            number::BAD_VALUE,
            "The field is of another type",
        );
    }
    check_text(field, &value.text, findings);
    storable(&value.text)
}

/// A value against the field's type and length.
fn check_text(field: &FormField, text: &str, findings: &mut Findings) {
    match field.kind {
        'N' if xml::number(text, 6).is_none() => {
            findings.error(
                "NumericValue",
                text,
                number::NOT_NUMERIC,
                "Value is not numeric",
            );
        }
        'D' if xml::date(text).is_none() => {
            findings.error("DateValue", text, number::BAD_DATE, "Invalid date");
        }
        'A' if text.chars().count() > field.length => {
            findings.error("AlphaValue", text, number::TOO_LONG, "Value is too long");
        }
        _ => {}
    }
}

/// Runs COMTFM: fields by **column** name. Its answer has no status block (SY 4.7).
pub(super) fn post(
    company: &mut Company,
    parameters: &str,
    document: &str,
    run: &Run<'_>,
) -> Outcome {
    let flags = Flags::read(
        parameters,
        "PostCustomForm",
        &[
            ("Function", &["A", "U", "D"], "A"),
            ("ValidateOnly", YES_NO, "N"),
            ("ApplyIfEntireDocumentValid", YES_NO, "N"),
        ],
    )?;
    let document = Element::parse(document, "XmlIn")?;
    document.expect_root("PostCustomForm")?;
    document.expect_children(&["Item*"], false)?;
    let operation = match flags.get("Function") {
        "U" => "setup/update",
        "D" => "setup/delete",
        _ => "setup/add",
    };
    let mut drafts = Vec::new();
    for item in &document.children {
        drafts.push(read_record(company, item, operation, run)?);
    }
    let all_valid = drafts
        .iter()
        .all(|(.., findings)| findings.errors.is_empty());
    let mut root = Node::new("PostCustomForm");
    for (form, key, values, findings) in drafts {
        let applies = all_valid || !flags.yes("ApplyIfEntireDocumentValid");
        if findings.errors.is_empty() && applies && !flags.yes("ValidateOnly") {
            for (column, value) in values {
                let place = (form.clone(), normal(&key), column);
                match operation {
                    "setup/delete" => drop(company.form_values.remove(&place)),
                    _ => drop(company.form_values.insert(place, value)),
                }
            }
        }
        let shown = Node::new("Key")
            .with(Node::text("FormType", form))
            .with(Node::new("KeyFields").with(Node::text("Customer", key)));
        root.push(
            Node::new("Item")
                .with(shown)
                .with_all(error_nodes(&findings.errors, run.switches)),
        );
    }
    Ok(root)
}

type Record = (String, String, Vec<(String, String)>, Findings);

fn read_record(
    company: &Company,
    item: &Element,
    operation: &str,
    run: &Run<'_>,
) -> Result<Record, Exception> {
    item.expect_children(&["Key", "Fields"], false)?;
    let key = item
        .child("Key")
        .ok_or_else(|| Exception::new("an Item needs its Key"))?;
    key.expect_children(&["FormType", "KeyFields"], false)?;
    let form = key.text_or_blank("FormType").to_owned();
    let fields = key
        .child("KeyFields")
        .and_then(|fields| fields.children.first());
    let record = fields.map(|field| field.text.clone()).unwrap_or_default();
    let mut findings = Findings::default();
    check_record(company, &form, &record, &mut findings);
    let mut values = Vec::new();
    for element in item
        .child("Fields")
        .map_or(&[][..], |fields| fields.children.as_slice())
    {
        let own = company.form_fields.iter();
        let field = own
            .clone()
            .find(|own| own.form == form && own.column == element.name);
        let field = field.ok_or_else(|| {
            Exception::new(format!("Column {} is not defined for {form}", element.name))
        })?;
        let place = (form.clone(), normal(&record), field.column.clone());
        let exists = company.form_values.contains_key(&place);
        check_operation(operation, exists, field, &mut findings, run);
        check_text(field, &element.text, &mut findings);
        values.push((field.column.clone(), storable(&element.text)));
    }
    Ok((form, record, values, findings))
}

/// Runs COMQFM: which fields a form has, "do our fields exist?" (SY 4.7). The element of the value is not known, so no
/// value is given.
pub(super) fn query(company: &Company, document: &str) -> Outcome {
    let query = Element::parse(document, "XmlIn")?;
    query.expect_root("Query")?;
    query.expect_children(&["Key"], false)?;
    let key = query
        .child("Key")
        .ok_or_else(|| Exception::new("a Key is required"))?;
    key.expect_children(&["FormType", "KeyField", "KeyFields"], false)?;
    let form = key.text_or_blank("FormType");
    let mut root = Node::query_root("Query");
    root.push(Node::new("Key").leaves([("FormType", form.to_owned())]));
    let fields = company
        .form_fields
        .iter()
        .filter(|field| field.form == form);
    for (at, field) in fields.enumerate() {
        root.push(Node::new("Field").leaves([
            ("Sequence", format!("{:03}", at + 1)),
            ("Name", field.name.clone()),
            ("Prompt", field.column.clone()),
            ("Column", field.column.clone()),
            ("Type", field.kind.to_string()),
            ("Length", field.length.to_string()),
            ("Decimals", "0".to_owned()),
            ("AllowNull", "Y".to_owned()),
        ]));
    }
    Ok(root)
}
