//! Amounts of money: exact decimals that know how many minor units their currency has.
//!
//! Services count in minor units (`4950` pence), ledgers write major units (`49.50`). The step
//! between the two is where money gets lost, so it lives here alone: exact or an error, never a
//! binary float, never a silent rounding.

use iso_currency::Currency;
use rust_decimal::{Decimal, RoundingStrategy};

/// Why an amount cannot be converted. The messages name currencies and rules, never amounts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not an alphabetic code of ISO 4217.
    #[error("`{0}` is not an ISO 4217 currency code")]
    UnknownCurrency(String),
    /// Gold, special drawing rights and the like have no minor unit.
    #[error("`{0}` has no minor unit in ISO 4217")]
    NoMinorUnit(String),
    /// More decimal places than the currency has.
    #[error("the amount has more than the {exponent} decimal places of {currency}; round it first")]
    Inexact {
        /// Which currency.
        currency: String,
        /// Its number of decimal places.
        exponent: u32,
    },
    /// More than 28 digits.
    #[error("the amount is too large for exact arithmetic")]
    TooLarge,
}

/// How a value between two steps is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest step; a tie to the even one.
    HalfEven,
    /// To the nearest step; a tie away from zero.
    HalfUp,
    /// To the nearest step; a tie towards zero.
    HalfDown,
    /// Away from zero.
    Up,
    /// Towards zero.
    Down,
}

impl Rounding {
    /// All, in the order the manual lists them.
    pub const ALL: [Self; 5] = [
        Self::HalfEven,
        Self::HalfUp,
        Self::HalfDown,
        Self::Up,
        Self::Down,
    ];

    /// The word used in definitions.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HalfEven => "half_even",
            Self::HalfUp => "half_up",
            Self::HalfDown => "half_down",
            Self::Up => "up",
            Self::Down => "down",
        }
    }

    /// The mode of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }

    /// The same as the decimal crate calls it.
    pub(crate) const fn strategy(self) -> RoundingStrategy {
        match self {
            Self::HalfEven => RoundingStrategy::MidpointNearestEven,
            Self::HalfUp => RoundingStrategy::MidpointAwayFromZero,
            Self::HalfDown => RoundingStrategy::MidpointTowardZero,
            Self::Up => RoundingStrategy::AwayFromZero,
            Self::Down => RoundingStrategy::ToZero,
        }
    }
}

/// How many decimal places a currency has: 0 (JPY), 2 (most), 3 (KWD) or 4 (CLF).
///
/// # Errors
/// If the code is unknown or its currency has no minor unit.
pub fn exponent(currency: &str) -> Result<u32, Error> {
    let known =
        Currency::from_code(currency).ok_or_else(|| Error::UnknownCurrency(currency.to_owned()))?;
    known
        .exponent()
        .map(u32::from)
        .ok_or_else(|| Error::NoMinorUnit(currency.to_owned()))
}

/// Minor units as an amount with exactly the currency's decimal places: 4950 GBP is `49.50`, 4950
/// JPY is `4950`.
///
/// # Errors
/// If the currency has no minor unit, or the amount has more than 28 digits.
pub fn from_minor(minor: i128, currency: &str) -> Result<Decimal, Error> {
    Decimal::try_from_i128_with_scale(minor, exponent(currency)?).map_err(|_| Error::TooLarge)
}

/// An amount as minor units. `49.5` and `49.5000` GBP are 4950; `49.505` GBP is an error, not a
/// rounding.
///
/// # Errors
/// If the currency has no minor unit, or the amount is not a whole number of them.
pub fn to_minor(major: Decimal, currency: &str) -> Result<i128, Error> {
    let exponent = exponent(currency)?;
    let plain = major.normalize();
    let missing = exponent
        .checked_sub(plain.scale())
        .ok_or_else(|| Error::Inexact {
            currency: currency.to_owned(),
            exponent,
        })?;
    let power = 10_i128.checked_pow(missing).ok_or(Error::TooLarge)?;
    plain.mantissa().checked_mul(power).ok_or(Error::TooLarge)
}

/// Rounds to `scale` decimal places; a value with fewer is extended with zeros, so the result
/// always shows `scale` places.
///
/// # Errors
/// If the extended value has more than 28 digits.
pub fn round(value: Decimal, scale: u32, mode: Rounding) -> Result<Decimal, Error> {
    let mut rounded = value.round_dp_with_strategy(scale, mode.strategy());
    rounded.rescale(scale);
    if rounded.scale() == scale {
        Ok(rounded)
    } else {
        Err(Error::TooLarge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::OnceLock;

    fn every_code() -> &'static [String] {
        static CODES: OnceLock<Vec<String>> = OnceLock::new();
        CODES.get_or_init(find_codes)
    }

    fn find_codes() -> Vec<String> {
        let letters = b'A'..=b'Z';
        let mut codes = Vec::new();
        for a in letters.clone() {
            for b in letters.clone() {
                for c in letters.clone() {
                    let code: String = [a, b, c].into_iter().map(char::from).collect();
                    if exponent(&code).is_ok() {
                        codes.push(code);
                    }
                }
            }
        }
        codes
    }

    #[test]
    fn exponents_follow_iso_4217() {
        for (code, expected) in [
            ("GBP", 2),
            ("EUR", 2),
            ("JPY", 0),
            ("KWD", 3),
            ("TND", 3),
            ("CLF", 4),
            ("ISK", 0),
        ] {
            assert_eq!(exponent(code), Ok(expected), "{code}");
        }
        assert_eq!(
            exponent("gbp"),
            Err(Error::UnknownCurrency("gbp".to_owned()))
        );
        assert_eq!(exponent("XAU"), Err(Error::NoMinorUnit("XAU".to_owned())));
        assert!(every_code().len() > 150);
    }

    #[test]
    fn amounts_show_the_places_of_their_currency() {
        for (minor, code, expected) in [
            (4950, "GBP", "49.50"),
            (-5, "GBP", "-0.05"),
            (4950, "JPY", "4950"),
            (4950, "KWD", "4.950"),
            (1, "CLF", "0.0001"),
            (0, "EUR", "0.00"),
        ] {
            assert_eq!(from_minor(minor, code).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn a_fraction_of_a_minor_unit_is_refused() {
        let odd = Decimal::from_str_exact("49.505").unwrap();
        assert_eq!(
            to_minor(odd, "GBP"),
            Err(Error::Inexact {
                currency: "GBP".to_owned(),
                exponent: 2
            })
        );
        assert_eq!(to_minor(odd, "KWD"), Ok(49505));
    }

    #[test]
    fn rounding_modes_differ_at_ties() {
        let cases = [
            (Rounding::HalfEven, "0.12", "-0.12"),
            (Rounding::HalfUp, "0.13", "-0.13"),
            (Rounding::HalfDown, "0.12", "-0.12"),
            (Rounding::Up, "0.13", "-0.13"),
            (Rounding::Down, "0.12", "-0.12"),
        ];
        for (mode, plus, minus) in cases {
            let tie = Decimal::from_str_exact("0.125").unwrap();
            assert_eq!(round(tie, 2, mode).unwrap().to_string(), plus);
            assert_eq!(round(-tie, 2, mode).unwrap().to_string(), minus);
            assert_eq!(Rounding::from_name(mode.as_str()), Some(mode));
        }
        assert_eq!(
            round(Decimal::from(3), 2, Rounding::HalfUp)
                .unwrap()
                .to_string(),
            "3.00"
        );
        assert_eq!(
            round(Decimal::MAX, 2, Rounding::HalfUp),
            Err(Error::TooLarge)
        );
    }

    proptest! {
        #[test]
        fn minor_units_survive_the_round_trip(minor in -1_000_000_000_000_000_i128..=1_000_000_000_000_000) {
            for code in every_code() {
                let major = from_minor(minor, code).unwrap();
                prop_assert_eq!(major.scale(), exponent(code).unwrap());
                prop_assert_eq!(to_minor(major, code), Ok(minor));
                prop_assert_eq!(to_minor(major.normalize(), code), Ok(minor));
            }
        }
    }
}
