//! Amounts of money: no minor unit stands where a major one is meant, or the other way round, and no conversion lacks its
//! currency.

use super::super::Context;
use super::super::infer::{Facts, infer};
use super::super::nearest::nearest;
use super::super::scope::Entry;
use super::super::walk::Leaf;
use crate::codes;
use crate::diagnostic::{Diagnostic, Findings};
use crate::money;
use crate::schema::{Schema, Type, Types, Unit};
use crate::template::{Kind, Segment, Shape};
use serde_json::{Value as Document, json};
use std::sync::LazyLock;

pub(super) fn rule(context: &Context<'_>, findings: &mut Findings) {
    for leaf in &context.walk.leaves {
        leaf.shape
            .walk(&mut |shape| one(context, leaf, shape, findings));
    }
    let amounts = context.walk.amounts.iter();
    for leaf in amounts.filter_map(|id| context.walk.leaf(*id)) {
        let facts = infer(&leaf.shape, &leaf.scope);
        into_field(
            context,
            leaf,
            &facts,
            leaf.key,
            &Schema::of(&AMOUNT),
            findings,
        );
    }
}

/// What a line of a reconciliation takes as amount.
static AMOUNT: LazyLock<Document> = LazyLock::new(|| json!({ "x-unit": "major" }));

/// A value that goes into a field: its unit is the field's.
pub(super) fn into_field(
    context: &Context<'_>,
    leaf: &Leaf<'_>,
    facts: &Facts,
    name: &str,
    schema: &Schema<'_>,
    findings: &mut Findings,
) {
    let (Some(given), Some(wanted)) = (facts.unit, schema.unit()) else {
        return;
    };
    if given == wanted {
        return;
    }
    let span = context.place(leaf, &leaf.shape.at);
    let message = format!(
        "an amount in {} units goes into `{name}`, which takes {} units",
        given.as_str(),
        wanted.as_str()
    );
    let filter = match wanted {
        Unit::Major => "from_minor",
        Unit::Minor => "to_minor",
    };
    let source = leaf.source.get(leaf.shape.at.clone()).unwrap_or_default();
    let currency = currency_beside(leaf).unwrap_or_else(|| "currency".to_owned());
    findings.push(
        Diagnostic::error(codes::UNIT, span, message)
            .label(format!("{} units", given.as_str()))
            .help(format!("write `{{{{ {source} | {filter}({currency}) }}}}`"))
            .note("1 GBP is 100 minor units, 1 JPY is 1, and 1 KWD is 1000: as it stands, the amount would be off by that"),
    );
}

/// `payment.currency` for `payment.amount`, if there is one.
fn currency_beside(leaf: &Leaf<'_>) -> Option<String> {
    let path = leaf.shape.name()?;
    let (_, parents) = path.split_last()?;
    let mut beside = parents.to_vec();
    beside.push(Segment {
        name: "currency".to_owned(),
        at: 0..0,
    });
    leaf.scope.find(&beside).ok()?;
    Some(
        beside
            .iter()
            .map(|segment| segment.name.as_str())
            .collect::<Vec<_>>()
            .join("."),
    )
}

fn one(context: &Context<'_>, leaf: &Leaf<'_>, shape: &Shape, findings: &mut Findings) {
    match &shape.kind {
        Kind::Filter { name, on, args } if name == "from_minor" || name == "to_minor" => {
            converted(context, leaf, name, on, findings);
            currency(context, leaf, shape, name, args, findings);
        }
        Kind::Filter { name, on, args } if name == "add" || name == "sub" => {
            let parts: Vec<&Shape> = std::iter::once(on.as_ref()).chain(args).collect();
            mixed(context, leaf, shape, &parts, findings);
        }
        Kind::Filter { name, on, .. } if name == "min" || name == "max" || name == "sum" => {
            if let Kind::List(items) = &on.kind {
                mixed(
                    context,
                    leaf,
                    on,
                    &items.iter().collect::<Vec<_>>(),
                    findings,
                );
            }
        }
        Kind::Sum(parts) => mixed(
            context,
            leaf,
            shape,
            &parts.iter().collect::<Vec<_>>(),
            findings,
        ),
        Kind::Compare { left, right, .. } => mixed(context, leaf, shape, &[left, right], findings),
        Kind::Value(_)
        | Kind::Name(_)
        | Kind::Filter { .. }
        | Kind::Test { .. }
        | Kind::Not(_)
        | Kind::All(_)
        | Kind::Any(_)
        | Kind::Choice { .. }
        | Kind::List(_)
        | Kind::Text(_)
        | Kind::Other(_) => {}
    }
}

fn converted(
    context: &Context<'_>,
    leaf: &Leaf<'_>,
    filter: &str,
    on: &Shape,
    findings: &mut Findings,
) {
    let facts = infer(on, &leaf.scope);
    let span = || context.place(leaf, &on.at);
    let (wanted, whole) = if filter == "from_minor" {
        (Unit::Minor, true)
    } else {
        (Unit::Major, false)
    };
    if let Some(unit) = facts.unit {
        if unit != wanted {
            let message = format!(
                "`{filter}` takes {} units, and this is in {} units",
                wanted.as_str(),
                unit.as_str()
            );
            findings.push(
                Diagnostic::error(codes::CONVERSION, span(), message).help(format!(
                    "leave `{filter}` out, or correct `x-unit` in the schema"
                )),
            );
        }
        return;
    }
    let takes = if whole {
        Types::only(Type::Integer)
    } else {
        Types::NUMBER
    };
    if facts.types.and(takes).is_none() {
        let what = if whole { "a whole number" } else { "a number" };
        let message = format!("`{filter}` takes {what}, and this is {}", facts.types);
        let finding = Diagnostic::error(codes::CONVERSION, span(), message);
        findings.push(if facts.types.has(Type::Text) {
            finding.help("`decimal` reads a number from a text")
        } else {
            finding
        });
    } else if declared(leaf, on) {
        let message = format!(
            "nothing says that this amount is in {} units",
            wanted.as_str()
        );
        findings.push(
            Diagnostic::warning(codes::CONVERSION, span(), message).help(format!(
                "add `x-unit: {}` to its schema, so that its unit is checked everywhere",
                wanted.as_str()
            )),
        );
    }
}

/// Whether an expression is a name whose schema says what it is.
fn declared(leaf: &Leaf<'_>, shape: &Shape) -> bool {
    let Some(entry) = shape.name().and_then(|path| leaf.scope.find(path).ok()) else {
        return false;
    };
    matches!(&entry, Entry::Schema(schema) if !schema.is_open())
}

fn currency(
    context: &Context<'_>,
    leaf: &Leaf<'_>,
    shape: &Shape,
    filter: &str,
    args: &[Shape],
    findings: &mut Findings,
) {
    let Some(given) = args.first() else {
        let message = format!("`{filter}` needs the currency");
        findings.push(
            Diagnostic::error(codes::CURRENCY, context.place(leaf, &shape.at), message)
                .help(format!("write `{filter}(payment.currency)`, or `{filter}('GBP')` where there is only one"))
                .note("how many minor units a currency has depends on the currency: GBP 100, JPY 1, KWD 1000"),
        );
        return;
    };
    let facts = infer(given, &leaf.scope);
    let span = || context.place(leaf, &given.at);
    if facts.types.and(Types::only(Type::Text)).is_none() {
        let message = format!(
            "a currency is a text such as `GBP`, and this is {}",
            facts.types
        );
        findings.push(Diagnostic::error(codes::CURRENCY, span(), message));
        return;
    }
    for code in facts
        .values
        .iter()
        .flatten()
        .filter_map(serde_json::Value::as_str)
    {
        if money::exponent(code).is_ok() {
            continue;
        }
        let message = format!("`{code}` is no ISO 4217 currency");
        let finding = Diagnostic::error(codes::CURRENCY, span(), message);
        let upper = code.to_uppercase();
        findings.push(match nearest(&upper, COMMON) {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => finding.help("three capital letters, such as `GBP`"),
        });
    }
}

/// Currencies worth suggesting.
const COMMON: [&str; 14] = [
    "AUD", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "JPY", "KWD", "NOK", "NZD", "PLN", "SEK",
    "USD",
];

fn mixed(
    context: &Context<'_>,
    leaf: &Leaf<'_>,
    whole: &Shape,
    parts: &[&Shape],
    findings: &mut Findings,
) {
    let units: Vec<(&Shape, Unit)> = parts
        .iter()
        .filter_map(|part| Some((*part, infer(part, &leaf.scope).unit?)))
        .collect();
    let Some((first, unit)) = units.first() else {
        return;
    };
    let Some((other, _)) = units.iter().find(|(_, other)| other != unit) else {
        return;
    };
    let (minor, major) = if *unit == Unit::Minor {
        (first, other)
    } else {
        (other, first)
    };
    findings.push(
        Diagnostic::error(
            codes::MIXED_UNITS,
            context.place(leaf, &whole.at),
            "an amount in minor units meets one in major units",
        )
        .related(context.place(leaf, &minor.at), "minor units")
        .related(context.place(leaf, &major.at), "major units")
        .help("convert one of them first, with `from_minor(currency)` or `to_minor(currency)`"),
    );
}
