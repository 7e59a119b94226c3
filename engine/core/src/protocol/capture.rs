//! What is kept of an exchange for the audit: written without secrets and without declared personal
//! data.
//!
//! The call is encoded a second time with [`Masked`] credentials and masked inputs, and of an answer
//! only what its schema does not declare personal is shown: what must not be kept was never there.
//! Only an answer that no schema describes is searched for the personal values that were sent.

use super::{Answer, Call, Masked, encode, receipt};
use crate::masking::{blotted, declares_personal, masked, personal_values};
use crate::plan::OperationKind;
use serde_json::Value as Document;
use std::fmt::Write as _;

/// The most bytes kept of a request line.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// The most bytes kept of a body.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// A request as people may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Method and URL.
    pub request: String,
    /// The body; bytes that are no text as their number.
    pub body: String,
}

/// Writes a call down for people.
pub fn capture(call: &Call<'_>) -> Captured {
    let input = masked(call.input, &call.operation.input);
    let shown = Call {
        input: &input,
        ..call.clone()
    };
    match encode(&shown, &Masked) {
        Ok(request) => Captured {
            request: cut(
                format!("{} {}", request.method.as_str(), request.url),
                LINE_BYTES_MAX,
            ),
            body: match std::str::from_utf8(&request.body) {
                Ok(text) => cut(text.to_owned(), BODY_BYTES_MAX),
                Err(_) => format!("({} bytes)", request.body.len()),
            },
        },
        // A mask in place of a number, say, may not be writable; then the operation's name must do.
        Err(_) => Captured {
            request: format!(
                "{} (not shown: it cannot be written with masks)",
                call.operation.name
            ),
            body: String::new(),
        },
    }
}

/// An answer's body for people. Of a log-on nothing is shown, for its answer is a credential.
pub fn capture_answer(call: &Call<'_>, answer: &Answer) -> String {
    if matches!(call.operation.kind, OperationKind::Session) {
        return String::new();
    }
    let schema = &call.operation.result.schema;
    if !declares_personal(schema) {
        // What no schema describes may still say back what was sent.
        let sent = personal_values(call.input, &call.operation.input);
        return cut(blotted(&answer.text, &sent), BODY_BYTES_MAX);
    }
    match receipt::select(call, answer) {
        Ok(Document::Array(items)) if call.operation.result.list => {
            let items: Vec<_> = items.iter().map(|item| masked(item, schema)).collect();
            cut(Document::Array(items).to_string(), BODY_BYTES_MAX)
        }
        Ok(result) => cut(masked(&result, schema).to_string(), BODY_BYTES_MAX),
        // An answer without the declared result may echo what was sent; how much it said is all
        // that is safe to keep.
        Err(_) => format!("({} characters)", answer.text.chars().count()),
    }
}

/// The text up to so many bytes, saying how long it was.
fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let whole = text.len();
        let end = (0..=bytes_max)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        text.truncate(end);
        // Writing into a `String` cannot fail.
        write!(text, "… ({whole} bytes)").unwrap_or_default();
    }
    text
}
