//! Filters on texts.

use super::{Param, Spec, Trouble, arg, bounded, count, text};
use crate::hex;
use crate::template::convert;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use minijinja::Value;
use regex::Regex;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{OnceLock, RwLock};

/// The most characters a text is padded to.
const PAD_MAX: usize = 10_000;

const N: Param = Param::required("n");
const FILL: Param = Param::optional("fill", "' '");

pub(super) const TABLE: &[Spec] = &[
    Spec::filter(
        "string",
        &[],
        "a number or boolean as text, in plain notation",
        |args| Ok(Value::from(text(arg(args, 0))?.into_owned())),
    ),
    Spec::filter("upper", &[], "in capital letters", |args| {
        bounded(text(arg(args, 0))?.to_uppercase())
    }),
    Spec::filter("lower", &[], "in small letters", |args| {
        bounded(text(arg(args, 0))?.to_lowercase())
    }),
    Spec::filter("trim", &[], "without white space at both ends", |args| {
        Ok(Value::from(text(arg(args, 0))?.trim()))
    }),
    Spec::filter(
        "replace",
        &[Param::required("old"), Param::required("new")],
        "with every `old` replaced by `new`",
        replace,
    ),
    Spec::filter(
        "truncate",
        &[N],
        "its first `n` characters; nothing is ever cut without being asked for",
        |args| {
            let n = count(arg(args, 1), usize::MAX)?;
            Ok(Value::from(
                text(arg(args, 0))?.chars().take(n).collect::<String>(),
            ))
        },
    ),
    Spec::filter(
        "pad_left",
        &[N, FILL],
        "filled on the left up to `n` characters",
        |args| pad(args, true),
    ),
    Spec::filter(
        "pad_right",
        &[N, FILL],
        "filled on the right up to `n` characters",
        |args| pad(args, false),
    ),
    Spec::filter(
        "translit",
        &[],
        "in ASCII: `Müller` becomes `Muller`",
        |args| bounded(any_ascii::any_ascii(&text(arg(args, 0))?)),
    ),
    Spec::filter(
        "urlencode",
        &[],
        "percent-encoded (RFC 3986): everything but letters, digits and `-._~`",
        |args| bounded(crate::protocol::percent_encode(&text(arg(args, 0))?)),
    ),
    Spec::filter(
        "sha256_hex",
        &[Param::optional("n", "64")],
        "the first `n` hexadecimal digits of its SHA-256",
        sha256_hex,
    ),
    Spec::filter(
        "base64",
        &[],
        "its UTF-8 in base64 (RFC 4648 section 4)",
        |args| bounded(BASE64_STANDARD.encode(text(arg(args, 0))?.as_bytes())),
    ),
    Spec::filter(
        "split",
        &[Param::optional("separator", "none")],
        "cut into a list, at white space or at a separator",
        split,
    ),
    Spec::filter(
        "tojson",
        &[],
        "as JSON text, numbers with all their digits",
        |args| bounded(convert::to_document(arg(args, 0))?.to_string()),
    ),
    Spec::filter("from_json", &[], "a JSON text as what it says", |args| {
        let document = serde_json::from_str(&text(arg(args, 0))?)
            .map_err(|_| Trouble::from("the text is not JSON"))?;
        Ok(convert::to_value(&document))
    }),
];

/// Patterns that are kept compiled. They stand in definitions and settings, so there are few; if
/// one is made of data instead, this bounds what it costs.
const PATTERNS_MAX: usize = 1000;

/// A compiled pattern, compiled once and kept.
pub(super) fn pattern(text: &str) -> Result<Regex, String> {
    static KNOWN: OnceLock<RwLock<HashMap<String, Regex>>> = OnceLock::new();
    let known = KNOWN.get_or_init(RwLock::default);
    if let Ok(known) = known.read()
        && let Some(pattern) = known.get(text)
    {
        return Ok(pattern.clone());
    }
    let pattern = Regex::new(text).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "the regular expression is too large".to_owned(),
        _ => "the pattern is not a regular expression".to_owned(),
    })?;
    if let Ok(mut known) = known.write()
        && known.len() < PATTERNS_MAX
    {
        known.insert(text.to_owned(), pattern.clone());
    }
    Ok(pattern)
}

fn replace(args: &[Value]) -> Result<Value, Trouble> {
    let (whole, old, new) = (
        text(arg(args, 0))?,
        text(arg(args, 1))?,
        text(arg(args, 2))?,
    );
    if old.is_empty() {
        return Err("there is nothing to replace: `old` is empty".into());
    }
    let hits = whole.matches(old.as_ref()).count();
    if whole.len() + hits.saturating_mul(new.len()) > super::TEXT_BYTES_MAX {
        return Err("the text would become too long".into());
    }
    bounded(whole.replace(old.as_ref(), &new))
}

fn pad(args: &[Value], left: bool) -> Result<Value, Trouble> {
    let (whole, n, fill) = (
        text(arg(args, 0))?,
        count(arg(args, 1), PAD_MAX)?,
        text(arg(args, 2))?,
    );
    let mut fills = fill.chars();
    let (Some(fill), None) = (fills.next(), fills.next()) else {
        return Err("`fill` must be one character".into());
    };
    let filling: String =
        std::iter::repeat_n(fill, n.saturating_sub(whole.chars().count())).collect();
    Ok(Value::from(if left {
        filling + &whole
    } else {
        whole.into_owned() + &filling
    }))
}

fn sha256_hex(args: &[Value]) -> Result<Value, Trouble> {
    let n = count(arg(args, 1), 64)?;
    let mut digits = hex::of(&Sha256::digest(text(arg(args, 0))?.as_bytes()));
    digits.truncate(n);
    Ok(Value::from(digits))
}

fn split(args: &[Value]) -> Result<Value, Trouble> {
    let whole = text(arg(args, 0))?;
    let parts: Vec<Value> = if arg(args, 1).is_none() {
        whole.split_whitespace().map(Value::from).collect()
    } else {
        let separator = text(arg(args, 1))?;
        if separator.is_empty() {
            return Err("`separator` is empty".into());
        }
        whole.split(separator.as_ref()).map(Value::from).collect()
    };
    Ok(Value::from(parts))
}
