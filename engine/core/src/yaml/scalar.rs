//! What a scalar is: the core schema of YAML 1.2, minus the numbers that mean something else to whoever typed them.

use serde_json::{Number, Value as Document};

/// One scalar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// Its content, without quotes and with escapes and folding undone.
    pub text: String,
    /// How it is written.
    pub style: Style,
    /// What it is. Anything quoted or in a block is text.
    pub kind: Kind,
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// As a block, `|` or `>`.
    Block,
}

/// What a scalar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, `null` or `~`.
    Null,
    /// `true` or `false`; `yes` and `on` are text.
    Bool(bool),
    /// A whole number as JSON writes it.
    Integer,
    /// A number with a point or an exponent as JSON writes it.
    Decimal,
    /// Text.
    Text,
}

/// A plain scalar that YAML takes for a number and a person may not have meant as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ambiguous {
    /// What is odd about it.
    pub(super) why: &'static str,
}

impl Ambiguous {
    /// What to write instead.
    pub(super) fn help(self) -> &'static str {
        if self.why.contains("zeros") {
            "put it into quotes to keep it as it is written; where a number is wanted, leave the zeros out"
        } else {
            "put it into quotes to keep it as it is written"
        }
    }
}

impl Scalar {
    /// Text.
    pub(super) fn text(text: String, style: Style) -> Self {
        Self {
            text,
            style,
            kind: Kind::Text,
        }
    }

    /// A scalar without quotes.
    pub(super) fn plain(text: String) -> Result<Self, Ambiguous> {
        let kind = kind(&text)?;
        Ok(Self {
            text,
            style: Style::Plain,
            kind,
        })
    }

    /// What this is, for messages.
    pub fn describe(&self) -> String {
        match self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Bool(value) => format!("the boolean {value}"),
            Kind::Integer | Kind::Decimal => format!("the number {}", self.text),
            Kind::Text if self.text.is_empty() => "an empty text".to_owned(),
            Kind::Text => "a text".to_owned(),
        }
    }

    /// The same content as a document.
    pub fn to_document(&self) -> Document {
        match self.kind {
            Kind::Null => Document::Null,
            Kind::Bool(value) => Document::Bool(value),
            Kind::Integer | Kind::Decimal => self
                .text
                .parse::<Number>()
                .map_or_else(|_| Document::String(self.text.clone()), Document::Number),
            Kind::Text => Document::String(self.text.clone()),
        }
    }
}

fn kind(text: &str) -> Result<Kind, Ambiguous> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Kind::Null),
        "true" | "True" | "TRUE" => return Ok(Kind::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Kind::Bool(false)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(Ambiguous {
            why: "YAML takes this for a number that is not finite",
        });
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Ok(Kind::Text);
    }
    if let Some(digits) = unsigned
        .strip_prefix("0x")
        .or_else(|| unsigned.strip_prefix("0o"))
        && !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return Err(Ambiguous {
            why: "YAML takes this for a number in another base",
        });
    }
    let Some(shape) = Shape::of(unsigned) else {
        return Ok(Kind::Text);
    };
    if text.starts_with('+') {
        return Err(Ambiguous {
            why: "the sign would be lost",
        });
    }
    if shape.whole.len() > 1 && shape.whole.starts_with('0') {
        return Err(Ambiguous {
            why: "the leading zeros would be lost",
        });
    }
    if shape.whole.is_empty() || shape.fraction == Some("") {
        return Err(Ambiguous {
            why: "a digit is missing beside the point",
        });
    }
    Ok(if shape.fraction.is_none() && !shape.exponent {
        Kind::Integer
    } else {
        Kind::Decimal
    })
}

/// The parts of what YAML 1.2 takes for a decimal number.
struct Shape<'a> {
    whole: &'a str,
    fraction: Option<&'a str>,
    exponent: bool,
}

impl<'a> Shape<'a> {
    fn of(unsigned: &'a str) -> Option<Self> {
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let exponent_is_number = exponent.is_none_or(|text| {
            let text = text.strip_prefix(['-', '+']).unwrap_or(text);
            !text.is_empty() && digits(text)
        });
        let has_digit = !whole.is_empty() || fraction.is_some_and(|text| !text.is_empty());
        (has_digit && digits(whole) && fraction.is_none_or(digits) && exponent_is_number).then_some(
            Self {
                whole,
                fraction,
                exponent: exponent.is_some(),
            },
        )
    }
}
