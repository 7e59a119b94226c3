//! Percent-encoding and character sets.

use super::EncodeError;
use crate::plan::Encoding;
use encoding_rs::WINDOWS_1252;
use std::borrow::Cow;

/// Percent-encodes everything but the unreserved characters of RFC 3986 section 2.3.
pub fn percent_encode(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for nibble in [byte >> 4, byte & 15] {
                encoded.push(char::from(
                    DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'),
                ));
            }
        }
    }
    encoded
}

/// Undoes [`percent_encode`]. What is no escape stays as it is, and bytes that are no UTF-8 become U+FFFD.
pub fn percent_decode(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after
            .split_first_chunk::<2>()
            .filter(|_| byte == b'%')
            .and_then(|(digits, after)| {
                let digits = std::str::from_utf8(digits).ok()?;
                Some((crate::hex::read(digits)?.first().copied()?, after))
            });
        let (byte, after) = escaped.unwrap_or((byte, after));
        decoded.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// A value as one segment of a path.
///
/// # Errors
/// If it would not stay one: empty, `.` and `..` are read as something else by every server.
pub(super) fn path_segment(value: &str) -> Result<String, String> {
    match value {
        "" => Err("a path segment would be empty".to_owned()),
        "." | ".." => Err("a path segment would be `.` or `..`".to_owned()),
        _ => Ok(percent_encode(value)),
    }
}

/// What happens to characters that the target's character set lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unmappable {
    /// The nearest ASCII spelling.
    Translit,
    /// A question mark.
    Question,
    /// An error.
    Fail,
}

impl Unmappable {
    /// The policy of this name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "translit" => Some(Self::Translit),
            "question" => Some(Self::Question),
            "fail" => Some(Self::Fail),
            _ => None,
        }
    }
}

/// The text with nothing in it that the character set lacks.
pub(super) fn fit<'t>(
    text: &'t str,
    encoding: Encoding,
    unmappable: Unmappable,
    place: &str,
) -> Result<Cow<'t, str>, EncodeError> {
    if text.is_ascii() || !matches!(encoding, Encoding::Windows1252) {
        return Ok(Cow::Borrowed(text));
    }
    let mut fitted = String::with_capacity(text.len());
    for c in text.chars() {
        if in_windows_1252(c) {
            fitted.push(c);
            continue;
        }
        match unmappable {
            Unmappable::Translit => match any_ascii::any_ascii_char(c) {
                "" => fitted.push('?'),
                spelled => fitted.push_str(spelled),
            },
            Unmappable::Question => fitted.push('?'),
            Unmappable::Fail => {
                let why = format!("it has U+{:04X}, which windows-1252 lacks", u32::from(c));
                return Err(EncodeError::value(place, why));
            }
        }
    }
    Ok(Cow::Owned(fitted))
}

/// The bytes of a text; everything in it must be in the character set.
pub(super) fn to_bytes(text: String, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Windows1252 => WINDOWS_1252.encode(&text).0.into_owned(),
        Encoding::Utf8 | Encoding::Auto => text.into_bytes(),
    }
}

/// How many bytes a text has in a character set; `None` if the set lacks one of its characters.
pub(crate) fn length_in(text: &str, encoding: Encoding) -> Option<usize> {
    match encoding {
        Encoding::Windows1252 => text
            .chars()
            .all(in_windows_1252)
            .then(|| text.chars().count()),
        Encoding::Utf8 | Encoding::Auto => Some(text.len()),
    }
}

fn in_windows_1252(c: char) -> bool {
    if c.is_ascii() {
        return true;
    }
    let mut buffer = [0; 4];
    // C1 controls are mapped to themselves by the web's variant of the set; no system means them.
    !('\u{80}'..='\u{9F}').contains(&c) && !WINDOWS_1252.encode(c.encode_utf8(&mut buffer)).2
}
