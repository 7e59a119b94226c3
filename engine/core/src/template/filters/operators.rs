//! Operators and tests: exact on integers and decimals alike, and never quietly false where kinds
//! do not fit.

use super::{Param, Spec, Trouble, arg, expected, text, texts};
use crate::template::convert::{from_number, kind_of, number_of, text_of};
use crate::value::{Inexact, Number};
use minijinja::Value;
use minijinja::value::ValueKind;
use std::cmp::Ordering;

pub(super) const TABLE: &[Spec] = &[
    Spec::operator("eq", |args| {
        equal(arg(args, 0), arg(args, 1)).map(Value::from)
    }),
    Spec::operator("ne", |args| {
        equal(arg(args, 0), arg(args, 1)).map(|same| Value::from(!same))
    }),
    Spec::operator("lt", |args| ordered(args, Ordering::is_lt)),
    Spec::operator("le", |args| ordered(args, Ordering::is_le)),
    Spec::operator("gt", |args| ordered(args, Ordering::is_gt)),
    Spec::operator("ge", |args| ordered(args, Ordering::is_ge)),
    Spec::operator("in", contains),
    Spec::operator("add", add),
    Spec::operator("sub", |args| calculate(args, Number::sub)),
    Spec::operator("mul", |args| calculate(args, Number::mul)),
    Spec::operator("floor_div", |args| {
        whole(args, |a, b| floor(a, b).map(|(quotient, _)| quotient))
    }),
    Spec::operator("rem", |args| {
        whole(args, |a, b| floor(a, b).map(|(_, rest)| rest))
    }),
    Spec::operator("neg", |args| Ok(from_number(operand(arg(args, 0))?.neg()?))),
    Spec::operator("concat", |args| {
        super::bounded(format!("{}{}", text(arg(args, 0))?, text(arg(args, 1))?))
    }),
    Spec::operator("reach", reach).takes_missing(),
    Spec::operator("present", |args| {
        Ok(Value::from(
            !arg(args, 0).is_undefined() && !arg(args, 0).is_none(),
        ))
    })
    .takes_missing(),
];

const OTHER: &[Param] = &[Param::required("other")];

pub(super) const TESTS: &[Spec] = &[
    Spec::test(
        "defined",
        &[],
        "whether it is there, looking along the whole chain",
        |args| Ok(Value::from(!arg(args, 0).is_undefined())),
    )
    .takes_missing(),
    Spec::test("undefined", &[], "whether it is not there", |args| {
        Ok(Value::from(arg(args, 0).is_undefined()))
    })
    .takes_missing(),
    Spec::test(
        "present",
        &[],
        "whether it is there and neither null nor an empty text",
        |args| {
            let value = arg(args, 0);
            let nothing = value.is_undefined() || value.is_none() || value.as_str() == Some("");
            Ok(Value::from(!nothing))
        },
    )
    .takes_missing(),
    Spec::test("none", &[], "whether it is null", |args| {
        Ok(Value::from(arg(args, 0).is_none()))
    }),
    Spec::test("true", &[], "whether it is the boolean true", |args| {
        Ok(Value::from(
            arg(args, 0).kind() == ValueKind::Bool && arg(args, 0).is_true(),
        ))
    }),
    Spec::test("false", &[], "whether it is the boolean false", |args| {
        Ok(Value::from(
            arg(args, 0).kind() == ValueKind::Bool && !arg(args, 0).is_true(),
        ))
    }),
    Spec::test("number", &[], "whether it is a number", |args| {
        Ok(Value::from(number_of(arg(args, 0)).is_some()))
    }),
    Spec::test("integer", &[], "whether it is a whole number", |args| {
        Ok(Value::from(
            number_of(arg(args, 0)).is_some_and(|number| number.integer().is_some()),
        ))
    }),
    Spec::test("string", &[], "whether it is a text", |args| {
        Ok(Value::from(arg(args, 0).kind() == ValueKind::String))
    }),
    Spec::test("list", &[], "whether it is a list", |args| {
        Ok(Value::from(matches!(
            arg(args, 0).kind(),
            ValueKind::Seq | ValueKind::Iterable
        )))
    }),
    Spec::test("mapping", &[], "whether it is a map", |args| {
        Ok(Value::from(arg(args, 0).kind() == ValueKind::Map))
    }),
    Spec::test(
        "matching",
        &[Param::required("pattern")],
        "whether a text contains a match of a regular expression; `^…$` ties it to the ends",
        |args| {
            let found = texts::pattern(&text(arg(args, 1))?).map_err(Trouble::from)?;
            Ok(Value::from(found.is_match(&text(arg(args, 0))?)))
        },
    ),
    Spec::test(
        "startingwith",
        OTHER,
        "whether a text begins with another",
        |args| {
            Ok(Value::from(
                text(arg(args, 0))?.starts_with(text(arg(args, 1))?.as_ref()),
            ))
        },
    ),
    Spec::test(
        "endingwith",
        OTHER,
        "whether a text ends with another",
        |args| {
            Ok(Value::from(
                text(arg(args, 0))?.ends_with(text(arg(args, 1))?.as_ref()),
            ))
        },
    ),
    Spec::test("in", OTHER, "as the operator `in`", contains),
    Spec::test(
        "amounts_to",
        OTHER,
        "whether two numbers are equal, where either may be a text that is strictly one",
        |args| {
            let same = super::number(arg(args, 0))?.compare(&super::number(arg(args, 1))?)?;
            Ok(Value::from(same.is_eq()))
        },
    ),
    Spec::test("eq", OTHER, "as the operator `==`", |args| {
        equal(arg(args, 0), arg(args, 1)).map(Value::from)
    }),
    Spec::test("ne", OTHER, "as the operator `!=`", |args| {
        equal(arg(args, 0), arg(args, 1)).map(|same| Value::from(!same))
    }),
    Spec::test("lt", OTHER, "as the operator `<`", |args| {
        ordered(args, Ordering::is_lt)
    }),
    Spec::test("le", OTHER, "as the operator `<=`", |args| {
        ordered(args, Ordering::is_le)
    }),
    Spec::test("gt", OTHER, "as the operator `>`", |args| {
        ordered(args, Ordering::is_gt)
    }),
    Spec::test("ge", OTHER, "as the operator `>=`", |args| {
        ordered(args, Ordering::is_ge)
    }),
];

/// Equality: numbers by value, lists and maps by their parts.
///
/// # Errors
/// If a number meets a text: the answer would be no, whatever the text says.
pub(super) fn equal(a: &Value, b: &Value) -> Result<bool, Trouble> {
    if a.is_undefined() || b.is_undefined() {
        return Err(Trouble::Missing);
    }
    match (number_of(a), number_of(b)) {
        (Some(x), Some(y)) => return x.compare(&y).map(Ordering::is_eq).map_err(Trouble::from),
        (Some(_), None) if b.kind() == ValueKind::String => return Err(mixed()),
        (None, Some(_)) if a.kind() == ValueKind::String => return Err(mixed()),
        (Some(_), None) | (None, Some(_)) => return Ok(false),
        (None, None) => {}
    }
    let list = |value: &Value| matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable);
    if list(a) && list(b) {
        return equal_lists(&super::items(a)?, &super::items(b)?);
    }
    if a.kind() == ValueKind::Map && b.kind() == ValueKind::Map {
        return equal_maps(a, b);
    }
    Ok(a.kind() == b.kind() && a == b)
}

fn equal_lists(a: &[Value], b: &[Value]) -> Result<bool, Trouble> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (x, y) in a.iter().zip(b) {
        if !equal(x, y)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_maps(a: &Value, b: &Value) -> Result<bool, Trouble> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for key in a.try_iter().map_err(|_| expected("a map", a))? {
        let (x, y) = (
            a.get_item(&key).unwrap_or_default(),
            b.get_item(&key).unwrap_or_default(),
        );
        if y.is_undefined() || !equal(&x, &y)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn mixed() -> Trouble {
    Trouble::from("a number is compared with a text; make the text a number with `| decimal`")
}

/// Order of two numbers or two texts.
pub(super) fn order(a: &Value, b: &Value) -> Result<Ordering, Trouble> {
    match (number_of(a), number_of(b)) {
        (Some(x), Some(y)) => return x.compare(&y).map_err(Trouble::from),
        (Some(_), None) if b.kind() == ValueKind::String => return Err(mixed()),
        (None, Some(_)) if a.kind() == ValueKind::String => return Err(mixed()),
        _ => {}
    }
    match (a.as_str(), b.as_str()) {
        (Some(x), Some(y)) => Ok(x.cmp(y)),
        _ if a.is_undefined() || b.is_undefined() => Err(Trouble::Missing),
        _ => Err(format!("{} and {} have no order", kind_of(a), kind_of(b)).into()),
    }
}

fn ordered(args: &[Value], holds: fn(Ordering) -> bool) -> Result<Value, Trouble> {
    order(arg(args, 0), arg(args, 1)).map(|order| Value::from(holds(order)))
}

fn contains(args: &[Value]) -> Result<Value, Trouble> {
    let (item, container) = (arg(args, 0), arg(args, 1));
    match container.kind() {
        ValueKind::String => {
            let part = text_of(item).ok_or_else(|| expected("a text", item))?;
            Ok(Value::from(
                container
                    .as_str()
                    .is_some_and(|whole| whole.contains(&part)),
            ))
        }
        ValueKind::Map => Ok(Value::from(item.as_str().is_some_and(|name| {
            container
                .get_attr(name)
                .is_ok_and(|member| !member.is_undefined())
        }))),
        _ => {
            for candidate in super::items(container)? {
                if equal(item, &candidate)? {
                    return Ok(Value::from(true));
                }
            }
            Ok(Value::from(false))
        }
    }
}

fn operand(value: &Value) -> Result<Number, Trouble> {
    number_of(value).ok_or_else(|| match value.kind() {
        ValueKind::String => {
            Trouble::from("an operator needs numbers; make the text a number with `| decimal`")
        }
        _ => expected("a number", value),
    })
}

fn calculate(
    args: &[Value],
    operation: fn(&Number, &Number) -> Result<Number, Inexact>,
) -> Result<Value, Trouble> {
    let (a, b) = (operand(arg(args, 0))?, operand(arg(args, 1))?);
    Ok(from_number(operation(&a, &b)?))
}

fn add(args: &[Value]) -> Result<Value, Trouble> {
    match (arg(args, 0).as_str(), arg(args, 1).as_str()) {
        (Some(a), Some(b)) => super::bounded([a, b].concat()),
        _ => calculate(args, Number::add),
    }
}

fn whole(args: &[Value], operation: fn(i128, i128) -> Option<i128>) -> Result<Value, Trouble> {
    let whole = |at| {
        operand(arg(args, at))?.integer().ok_or(Trouble::from(
            "`//` and `%` need whole numbers; use `| div(x, scale)`",
        ))
    };
    let (a, b) = (whole(0)?, whole(1)?);
    if b == 0 {
        return Err(Inexact::DivisionByZero.into());
    }
    operation(a, b)
        .map(|result| from_number(Number::Integer(result)))
        .ok_or(Inexact::TooLong.into())
}

/// Quotient and rest with the quotient rounded down, as `//` and `%` mean it.
fn floor(a: i128, b: i128) -> Option<(i128, i128)> {
    let (quotient, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
    if rest != 0 && (rest < 0) != (b < 0) {
        return Some((quotient.checked_sub(1)?, rest.checked_add(b)?));
    }
    Some((quotient, rest))
}

/// A chain that may end anywhere.
#[expect(
    clippy::unnecessary_wraps,
    reason = "every row of the table has this shape"
)]
fn reach(args: &[Value]) -> Result<Value, Trouble> {
    let mut here = arg(args, 0).clone();
    for link in args.get(1..).unwrap_or_default() {
        if here.is_undefined() || here.is_none() {
            return Ok(Value::UNDEFINED);
        }
        here = here.get_item(link).unwrap_or_default();
    }
    Ok(here)
}
