//! Exact numbers: how a JSON number becomes something to calculate with, and how it becomes a JSON
//! number again.
//!
//! A document's number is text with digits. It enters as an integer (`i128`) if it is written as
//! one, else as a decimal of up to 28 digits with its scale kept (`49.50` stays `49.50`), else it
//! is only carried along. Every operation here is exact or says that it cannot be; nothing rounds
//! unless asked to.

use crate::money::{self, Rounding};
use rust_decimal::Decimal;
use serde_json::Value as Document;
use std::cmp::Ordering;
use std::fmt;

/// The most digits before and after the point that exact arithmetic takes.
pub const DIGITS_MAX: u32 = 28;

/// A number that is never a binary float.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Number {
    /// Written without point and exponent.
    Integer(i128),
    /// Anything else with at most 28 digits; never negative zero.
    Decimal(Decimal),
    /// Too long for exact arithmetic: carried from document to document, refused by every
    /// operation.
    Verbatim(Box<str>),
}

/// Why an operation has no exact result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Inexact {
    /// An operand or the result has too many digits.
    #[error("a number has more than {DIGITS_MAX} digits")]
    TooLong,
    /// Division by zero.
    #[error("division by zero")]
    DivisionByZero,
}

impl Number {
    /// Reads a JSON number's text. `None` if it is not one.
    pub fn from_json(text: &str) -> Option<Self> {
        if !is_json_number(text) {
            return None;
        }
        if !text.contains(['.', 'e', 'E']) {
            return Some(
                text.parse()
                    .map_or_else(|_| Self::Verbatim(text.into()), Self::Integer),
            );
        }
        let exact = if text.contains(['e', 'E']) {
            Decimal::from_scientific(text)
        } else {
            Decimal::from_str_exact(text)
        };
        Some(exact.map_or_else(|_| Self::Verbatim(text.into()), Self::from))
    }

    /// Reads a text as strictly as a definition's `decimal` filter: digits with at most one point
    /// and one sign, no spaces, no grouping, no exponent.
    pub fn from_text(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return None;
        }
        let text = text.strip_prefix('+').unwrap_or(text);
        if !text.contains('.') {
            return Some(
                text.parse()
                    .map_or_else(|_| Self::Verbatim(text.into()), Self::Integer),
            );
        }
        Some(Decimal::from_str_exact(text).map_or_else(|_| Self::Verbatim(text.into()), Self::from))
    }

    /// The document's number, if it is one.
    pub fn of(document: &Document) -> Option<Self> {
        match document {
            Document::Number(number) => Self::from_json(number.as_str()),
            Document::Null
            | Document::Bool(_)
            | Document::String(_)
            | Document::Array(_)
            | Document::Object(_) => None,
        }
    }

    /// As decimal.
    ///
    /// # Errors
    /// If it has more than 28 digits.
    pub fn decimal(&self) -> Result<Decimal, Inexact> {
        match self {
            Self::Integer(value) => {
                Decimal::try_from_i128_with_scale(*value, 0).map_err(|_| Inexact::TooLong)
            }
            Self::Decimal(value) => Ok(*value),
            Self::Verbatim(_) => Err(Inexact::TooLong),
        }
    }

    /// As integer, if it is a whole number (`3.00` is).
    pub fn integer(&self) -> Option<i128> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Decimal(value) => {
                let plain = value.normalize();
                (plain.scale() == 0).then(|| plain.mantissa())
            }
            Self::Verbatim(_) => None,
        }
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        match self {
            Self::Integer(value) => *value == 0,
            Self::Decimal(value) => value.is_zero(),
            Self::Verbatim(_) => false,
        }
    }

    /// As a JSON number with the same digits.
    pub fn to_document(&self) -> Document {
        let number = self.to_string().parse::<serde_json::Number>();
        number.map_or(Document::Null, Document::Number)
    }

    /// Exact order.
    ///
    /// # Errors
    /// If one of them has too many digits; two equal texts are equal all the same.
    pub fn compare(&self, other: &Self) -> Result<Ordering, Inexact> {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => Ok(a.cmp(b)),
            (Self::Verbatim(a), Self::Verbatim(b)) if a == b => Ok(Ordering::Equal),
            (Self::Verbatim(_), _) | (_, Self::Verbatim(_)) => Err(Inexact::TooLong),
            (Self::Decimal(a), Self::Decimal(b)) => Ok(a.cmp(b)),
            (Self::Integer(a), Self::Decimal(b)) => Ok(compare_whole(*a, *b)),
            (Self::Decimal(a), Self::Integer(b)) => Ok(compare_whole(*b, *a).reverse()),
        }
    }

    /// The sum, with the greater scale of the two.
    ///
    /// # Errors
    /// If it has too many digits.
    pub fn add(&self, other: &Self) -> Result<Self, Inexact> {
        if let (Self::Integer(a), Self::Integer(b)) = (self, other) {
            return a.checked_add(*b).map(Self::Integer).ok_or(Inexact::TooLong);
        }
        let (a, b) = (self.decimal()?, other.decimal()?);
        let scale = a.scale().max(b.scale());
        let sum = at_scale(a, scale)?
            .checked_add(at_scale(b, scale)?)
            .ok_or(Inexact::TooLong)?;
        decimal(sum, scale)
    }

    /// The difference, with the greater scale of the two.
    ///
    /// # Errors
    /// If it has too many digits.
    pub fn sub(&self, other: &Self) -> Result<Self, Inexact> {
        self.add(&other.neg()?)
    }

    /// The product; its scale is the sum of both.
    ///
    /// # Errors
    /// If it has too many digits.
    pub fn mul(&self, other: &Self) -> Result<Self, Inexact> {
        if let (Self::Integer(a), Self::Integer(b)) = (self, other) {
            return a.checked_mul(*b).map(Self::Integer).ok_or(Inexact::TooLong);
        }
        let (a, b) = (self.decimal()?, other.decimal()?);
        // Where the plain product has too many places, trailing zeros of the operands may be what
        // is too much.
        exact_product(a, b).or_else(|_| exact_product(a.normalize(), b.normalize()))
    }

    /// The quotient rounded to `scale` places.
    ///
    /// # Errors
    /// If the divisor is zero or the result has too many digits.
    pub fn div(&self, other: &Self, scale: u32, mode: Rounding) -> Result<Self, Inexact> {
        let (a, b) = (self.decimal()?.normalize(), other.decimal()?.normalize());
        if b.is_zero() {
            return Err(Inexact::DivisionByZero);
        }
        let up = scale.checked_add(b.scale()).ok_or(Inexact::TooLong)?;
        let (numerator, denominator) = if up >= a.scale() {
            (times_ten(a.mantissa(), up - a.scale())?, b.mantissa())
        } else {
            (a.mantissa(), times_ten(b.mantissa(), a.scale() - up)?)
        };
        decimal(divide(numerator, denominator, mode), scale)
    }

    /// The opposite.
    ///
    /// # Errors
    /// If it has too many digits.
    pub fn neg(&self) -> Result<Self, Inexact> {
        match self {
            Self::Integer(value) => value
                .checked_neg()
                .map(Self::Integer)
                .ok_or(Inexact::TooLong),
            Self::Decimal(value) => Ok(Self::from(-*value)),
            Self::Verbatim(_) => Err(Inexact::TooLong),
        }
    }

    /// Without its sign.
    ///
    /// # Errors
    /// If it has too many digits.
    pub fn abs(&self) -> Result<Self, Inexact> {
        if self.compare(&Self::Integer(0))? == Ordering::Less {
            self.neg()
        } else {
            Ok(self.clone())
        }
    }

    /// Rounded to `scale` places, always showing them.
    ///
    /// # Errors
    /// If it has too many digits.
    pub fn round(&self, scale: u32, mode: Rounding) -> Result<Self, Inexact> {
        money::round(self.decimal()?, scale, mode)
            .map(Self::from)
            .map_err(|_| Inexact::TooLong)
    }
}

impl From<Decimal> for Number {
    fn from(mut value: Decimal) -> Self {
        if value.is_zero() {
            value.set_sign_positive(true);
        }
        Self::Decimal(value)
    }
}

impl From<i128> for Number {
    fn from(value: i128) -> Self {
        Self::Integer(value)
    }
}

/// Plain notation: no exponent, no grouping, every place of the scale.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(f),
            Self::Decimal(value) => value.fmt(f),
            Self::Verbatim(text) => f.write_str(text),
        }
    }
}

/// A scalar as text: strings as they are, numbers in plain notation, `true` and `false`. `None` for
/// null, lists, maps.
pub fn scalar_text(document: &Document) -> Option<String> {
    match document {
        Document::String(text) => Some(text.clone()),
        Document::Bool(value) => Some(value.to_string()),
        Document::Number(number) => Some(
            Number::from_json(number.as_str())
                .map_or_else(|| number.as_str().to_owned(), |number| number.to_string()),
        ),
        Document::Null | Document::Array(_) | Document::Object(_) => None,
    }
}

/// What people call this kind of value.
pub fn kind_of(document: &Document) -> &'static str {
    match document {
        Document::Null => "null",
        Document::Bool(_) => "a boolean",
        Document::Number(_) => "a number",
        Document::String(_) => "a text",
        Document::Array(_) => "a list",
        Document::Object(_) => "a map",
    }
}

fn is_json_number(text: &str) -> bool {
    let rest = text.strip_prefix('-').unwrap_or(text);
    let (number, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && digits(fraction)
        && digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
}

/// An integer may be longer than any decimal; then its sign alone decides.
fn compare_whole(whole: i128, decimal: Decimal) -> Ordering {
    Decimal::try_from_i128_with_scale(whole, 0)
        .map_or_else(|_| whole.cmp(&0), |whole| whole.cmp(&decimal))
}

fn times_ten(value: i128, power: u32) -> Result<i128, Inexact> {
    10_i128
        .checked_pow(power)
        .and_then(|factor| value.checked_mul(factor))
        .ok_or(Inexact::TooLong)
}

fn at_scale(value: Decimal, scale: u32) -> Result<i128, Inexact> {
    times_ten(value.mantissa(), scale.saturating_sub(value.scale()))
}

fn decimal(mantissa: i128, scale: u32) -> Result<Number, Inexact> {
    Decimal::try_from_i128_with_scale(mantissa, scale)
        .map(Number::from)
        .map_err(|_| Inexact::TooLong)
}

fn exact_product(a: Decimal, b: Decimal) -> Result<Number, Inexact> {
    let product = a
        .mantissa()
        .checked_mul(b.mantissa())
        .ok_or(Inexact::TooLong)?;
    decimal(product, a.scale() + b.scale())
}

/// Integer division with the remainder rounded. The divisor is not zero.
fn divide(numerator: i128, denominator: i128, mode: Rounding) -> i128 {
    let quotient = numerator / denominator;
    let remainder = (numerator % denominator).unsigned_abs();
    if remainder == 0 {
        return quotient;
    }
    let half = remainder.cmp(&(denominator.unsigned_abs() - remainder));
    let away = match mode {
        Rounding::Down => false,
        Rounding::Up => true,
        Rounding::HalfDown => half == Ordering::Greater,
        Rounding::HalfUp => half != Ordering::Less,
        Rounding::HalfEven => {
            half == Ordering::Greater || (half == Ordering::Equal && quotient % 2 != 0)
        }
    };
    let sign = if (numerator < 0) == (denominator < 0) {
        1
    } else {
        -1
    };
    if away { quotient + sign } else { quotient }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number {
        Number::from_json(text).unwrap()
    }

    #[test]
    fn json_numbers_keep_their_digits() {
        for text in [
            "0",
            "-7",
            "49.50",
            "0.10",
            "123456789012345678901234567890",
            "1.000",
        ] {
            assert_eq!(number(text).to_string(), text);
            assert_eq!(number(text).to_document().to_string(), text);
        }
        assert_eq!(number("1e2").to_string(), "100");
        assert_eq!(number("15E-3").to_string(), "0.015");
        assert_eq!(number("-0.00").to_string(), "0.00");
        let long = "0.12345678901234567890123456789012345";
        assert_eq!(number(long), Number::Verbatim(long.into()));
        assert_eq!(number(long).to_document().to_string(), long);
        assert_eq!(number(long).add(&number("1")), Err(Inexact::TooLong));
        assert_eq!(number("1e400"), Number::Verbatim("1e400".into()));
    }

    #[test]
    fn texts_are_read_strictly() {
        for text in [
            "", " 1", "1 ", "1,000", "1_000", "1e3", ".5", "5.", "--1", "0x1", "NaN", "١",
        ] {
            assert_eq!(Number::from_text(text), None, "{text:?}");
        }
        assert_eq!(Number::from_text("+1.20"), Some(number("1.20")));
        assert_eq!(Number::from_text("007"), Some(Number::Integer(7)));
    }

    #[test]
    fn comparisons_are_exact() {
        let pairs = [
            ("1", "1.00", Ordering::Equal),
            ("0.1", "0.10000000000000000001", Ordering::Less),
            ("9007199254740993", "9007199254740992.0", Ordering::Greater),
            (
                "-170141183460469231731687303715884105728",
                "0.5",
                Ordering::Less,
            ),
            (
                "170141183460469231731687303715884105727",
                "7922816251426433759354395033.5",
                Ordering::Greater,
            ),
        ];
        for (a, b, expected) in pairs {
            assert_eq!(number(a).compare(&number(b)), Ok(expected), "{a} {b}");
            assert_eq!(
                number(b).compare(&number(a)),
                Ok(expected.reverse()),
                "{b} {a}"
            );
        }
    }

    #[test]
    fn arithmetic_keeps_scales_and_refuses_to_lose_digits() {
        assert_eq!(
            number("0.1").add(&number("0.2")).unwrap().to_string(),
            "0.3"
        );
        assert_eq!(
            number("1.50").sub(&number("2")).unwrap().to_string(),
            "-0.50"
        );
        assert_eq!(
            number("1.10").mul(&number("3")).unwrap().to_string(),
            "3.30"
        );
        let tiny = number("0.0000000000000001");
        assert_eq!(tiny.mul(&tiny), Err(Inexact::TooLong));
        let padded = number("2.000000000000000000");
        assert_eq!(padded.mul(&padded).unwrap().to_string(), "4");
        assert_eq!(
            Number::Integer(i128::MAX).add(&Number::Integer(1)),
            Err(Inexact::TooLong)
        );
    }

    #[test]
    fn division_rounds_as_told() {
        let div = |a: &str, b: &str, mode| number(a).div(&number(b), 2, mode).unwrap().to_string();
        assert_eq!(div("10", "3", Rounding::HalfEven), "3.33");
        assert_eq!(div("-10", "3", Rounding::Up), "-3.34");
        assert_eq!(div("1", "8", Rounding::HalfEven), "0.12");
        assert_eq!(div("3", "8", Rounding::HalfEven), "0.38");
        assert_eq!(div("1", "-8", Rounding::HalfUp), "-0.13");
        assert_eq!(
            number("1").div(&number("0.00"), 2, Rounding::Down),
            Err(Inexact::DivisionByZero)
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            if let Some(read) = Number::from_json(&text) {
                let again = Number::from_json(&read.to_string()).unwrap();
                prop_assert_eq!(read.compare(&again).unwrap_or(Ordering::Equal), Ordering::Equal);
            }
            let _ = Number::from_text(&text);
        }

        #[test]
        fn sums_and_differences_cancel(a in -1_000_000_000_000_i64..1_000_000_000_000, s in 0_u32..10, b in any::<i32>(), t in 0_u32..10) {
            let x = Number::from(Decimal::new(a, s));
            let y = Number::from(Decimal::new(i64::from(b), t));
            let back = x.add(&y).unwrap().sub(&y).unwrap();
            prop_assert_eq!(back.compare(&x), Ok(Ordering::Equal));
        }

        #[test]
        fn a_quotient_is_within_half_a_step(a in any::<i32>(), b in 1_i32..100_000, scale in 0_u32..6) {
            let quotient = Number::Integer(a.into()).div(&Number::Integer(b.into()), scale, Rounding::HalfEven).unwrap();
            let back = quotient.mul(&Number::Integer(b.into())).unwrap();
            let off = back.sub(&Number::Integer(a.into())).unwrap().abs().unwrap();
            let half_step = Number::from(Decimal::new(i64::from(b), scale)).div(&Number::Integer(2), scale + 1, Rounding::Up).unwrap();
            prop_assert!(off.compare(&half_step).unwrap() != Ordering::Greater);
        }
    }
}
