//! What is kept of an exchange for the audit: written without secrets and without declared personal
//! data.
//!
//! The call is encoded a second time with [`Masked`] credentials and masked inputs, and of an answer
//! only what its schema does not declare personal is shown: what must not be kept was never there.
//! Only an answer that no schema describes is searched for the personal values that were sent.

use super::{Answer, Call, Masked, encode, receipt, xml};
use crate::cases::query_parameters;
use crate::masking::{blotted, declares_personal, masked, personal_values};
use crate::plan::{Encoding, OperationKind, XmlRules};
use serde_json::{Map, Value as Document};
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

/// A captured request as a document, so that two can be compared field by field: method and URL, the query decoded, and
/// whatever is JSON or XML read as that, at any place.
pub fn readable(request: &str, body: &str) -> Document {
    let mut document = Map::new();
    let (line, query) = request.split_once('?').unwrap_or((request, ""));
    document.insert("request".to_owned(), line.into());
    if !query.is_empty() {
        let query = query_parameters(query).into_iter();
        let query = query.map(|(name, value)| match value {
            Document::String(text) => (name, structured(text)),
            other @ (Document::Null
            | Document::Bool(_)
            | Document::Number(_)
            | Document::Array(_)
            | Document::Object(_)) => (name, other),
        });
        document.insert("query".to_owned(), Document::Object(query.collect()));
    }
    if !body.is_empty() {
        document.insert("body".to_owned(), structured(body.to_owned()));
    }
    Document::Object(document)
}

/// A text as what it looks like.
fn structured(text: String) -> Document {
    if xml::looks_like_xml(&text)
        && let Ok((document, _)) = xml::read(&text, &XmlRules::default(), Encoding::Utf8)
    {
        return document;
    }
    let opens = text.trim_start().starts_with(['{', '[']);
    let read = opens.then(|| serde_json::from_str(&text).ok()).flatten();
    read.unwrap_or(Document::String(text))
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

#[cfg(test)]
mod tests {
    use super::readable;
    use serde_json::json;

    #[test]
    fn a_capture_is_taken_apart_as_far_as_it_can_be_read() {
        assert_eq!(
            readable(
                "POST http://x/y?In=%3Ca%3E%3Cb%3E1.50%3C%2Fb%3E%3C%2Fa%3E&k=v",
                ""
            ),
            json!({ "request": "POST http://x/y", "query": { "In": { "a": { "b": "1.50" } }, "k": "v" } })
        );
        assert_eq!(
            readable("POST http://x/y", "{\"a\":[1,{\"b\":\"c\"}]}"),
            json!({ "request": "POST http://x/y", "body": { "a": [1, { "b": "c" }] } })
        );
        assert_eq!(
            readable("POST http://x/y", "{\"a\":1… (99 bytes)")["body"],
            "{\"a\":1… (99 bytes)"
        );
    }
}
