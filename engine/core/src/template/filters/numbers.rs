//! Filters that calculate. All are exact, or an error; rounding happens only where its name says
//! so.

use super::{Param, Spec, Trouble, arg, count, items, number, text};
use crate::money::{self, Rounding};
use crate::template::convert::from_number;
use crate::value::{DIGITS_MAX, Number};
use minijinja::Value;

const MODE: Param = Param::optional("mode", "'half_even'").literal();

pub(super) const TABLE: &[Spec] = &[
    Spec::filter(
        "from_minor",
        &[Param::required("currency")],
        "minor units as an amount with exactly the currency's decimal places: 4950 GBP is 49.50",
        from_minor,
    ),
    Spec::filter(
        "to_minor",
        &[Param::required("currency")],
        "an amount as minor units; an error if it is not a whole number of them",
        to_minor,
    ),
    Spec::filter(
        "decimal",
        &[],
        "a number, or a text that is strictly one, as exact decimal",
        decimal,
    ),
    Spec::filter(
        "sign_first",
        &[],
        "a number with its sign behind it (`12.50-`) as a text with its sign before it",
        sign_first,
    ),
    Spec::filter(
        "int",
        &[],
        "a whole number, or a text that is strictly one, as integer",
        int,
    ),
    Spec::filter("add", &[Param::required("x")], "the sum", |args| {
        Ok(from_number(
            number(arg(args, 0))?.add(&number(arg(args, 1))?)?,
        ))
    }),
    Spec::filter("sub", &[Param::required("x")], "the difference", |args| {
        Ok(from_number(
            number(arg(args, 0))?.sub(&number(arg(args, 1))?)?,
        ))
    }),
    Spec::filter("mul", &[Param::required("x")], "the product", |args| {
        Ok(from_number(
            number(arg(args, 0))?.mul(&number(arg(args, 1))?)?,
        ))
    }),
    Spec::filter(
        "div",
        &[Param::required("x"), Param::required("scale"), MODE],
        "the quotient rounded to `scale` decimal places",
        div,
    ),
    Spec::filter("neg", &[], "the opposite", |args| {
        Ok(from_number(number(arg(args, 0))?.neg()?))
    }),
    Spec::filter("abs", &[], "without the sign", |args| {
        Ok(from_number(number(arg(args, 0))?.abs()?))
    }),
    Spec::filter(
        "round",
        &[Param::optional("scale", "0"), MODE],
        "rounded to `scale` decimal places; modes: half_even, half_up, half_down, up, down",
        round,
    ),
    Spec::filter(
        "sum",
        &[],
        "the sum of a list of numbers; 0 for an empty one",
        |args| sum(items(arg(args, 0))?),
    ),
    Spec::filter(
        "sum_of",
        &[Param::required("member")],
        "the sum of one member over a list of maps; 0 for an empty one",
        sum_of,
    ),
];

/// The rounding mode of this name.
pub(super) fn mode(name: &str) -> Result<Rounding, String> {
    Rounding::from_name(name).ok_or_else(|| {
        let known: Vec<_> = Rounding::ALL.iter().map(|mode| mode.as_str()).collect();
        format!(
            "there is no rounding mode `{name}`; there are {}",
            known.join(", ")
        )
    })
}

fn rounding(value: &Value) -> Result<Rounding, Trouble> {
    mode(&text(value)?).map_err(Trouble::from)
}

fn scale(value: &Value) -> Result<u32, Trouble> {
    let scale = count(value, DIGITS_MAX as usize)?;
    u32::try_from(scale).map_err(|_| Trouble::from("the scale is too large"))
}

fn from_minor(args: &[Value]) -> Result<Value, Trouble> {
    let minor = number(arg(args, 0))?
        .integer()
        .ok_or("minor units must be a whole number; is the amount in major units already?")?;
    money::from_minor(minor, &text(arg(args, 1))?)
        .map(|amount| from_number(Number::from(amount)))
        .map_err(|error| error.to_string().into())
}

fn to_minor(args: &[Value]) -> Result<Value, Trouble> {
    let major = number(arg(args, 0))?.decimal()?;
    money::to_minor(major, &text(arg(args, 1))?)
        .map(|minor| from_number(Number::Integer(minor)))
        .map_err(|error| error.to_string().into())
}

fn decimal(args: &[Value]) -> Result<Value, Trouble> {
    Ok(from_number(Number::from(number(arg(args, 0))?.decimal()?)))
}

fn sign_first(args: &[Value]) -> Result<Value, Trouble> {
    let written = text(arg(args, 0))?;
    let written = written.trim();
    let turned = match written.strip_suffix('-') {
        Some(unsigned) if !unsigned.starts_with('-') => format!("-{}", unsigned.trim_end()),
        _ => written.strip_suffix('+').unwrap_or(written).to_owned(),
    };
    Ok(Value::from(turned))
}

fn int(args: &[Value]) -> Result<Value, Trouble> {
    let whole = number(arg(args, 0))?
        .integer()
        .ok_or("a whole number is needed")?;
    Ok(from_number(Number::Integer(whole)))
}

fn div(args: &[Value]) -> Result<Value, Trouble> {
    let (a, b) = (number(arg(args, 0))?, number(arg(args, 1))?);
    Ok(from_number(a.div(
        &b,
        scale(arg(args, 2))?,
        rounding(arg(args, 3))?,
    )?))
}

fn round(args: &[Value]) -> Result<Value, Trouble> {
    let value = number(arg(args, 0))?;
    Ok(from_number(
        value.round(scale(arg(args, 1))?, rounding(arg(args, 2))?)?,
    ))
}

fn sum(values: Vec<Value>) -> Result<Value, Trouble> {
    let mut total = Number::Integer(0);
    for value in values {
        total = total.add(&number(&value)?)?;
    }
    Ok(from_number(total))
}

fn sum_of(args: &[Value]) -> Result<Value, Trouble> {
    let member = text(arg(args, 1))?;
    let values = items(arg(args, 0))?
        .iter()
        .map(|item| item.get_attr(&member).map_err(|_| Trouble::Missing))
        .collect::<Result<_, _>>()?;
    sum(values)
}
