//! Makes an answer readable: bytes to text, text to a document.

use super::tidy::tidied;
use super::{Answer, Call, xml};
use crate::http::HttpResponse;
use crate::plan::{AnswerFormat, BodyFormat, Embedded, EmbeddedFormat, Encoding, XmlRules};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use encoding_rs::{Encoding as Charset, UTF_8, WINDOWS_1252};
use serde_json::Value as Document;
use std::collections::BTreeMap;

/// Makes an answer readable by the operation's (or connector's) rules. Never fails: an unreadable
/// body says so in itself.
///
/// JSON and XML are nested at most 128 deep; a document type in XML makes it unreadable.
pub fn decode(call: &Call<'_>, response: &HttpResponse) -> Answer {
    let format = call
        .operation
        .result
        .answer
        .as_ref()
        .unwrap_or(&call.connector.http.answer);
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &response.headers {
        headers
            .entry(name.to_ascii_lowercase())
            .and_modify(|known| {
                known.push_str(", ");
                known.push_str(value);
            })
            .or_insert_with(|| value.clone());
    }
    let mut answer = Answer {
        status: response.status,
        headers,
        text: String::new(),
        body: Document::Null,
        unreadable: None,
    };
    if format.body == BodyFormat::None {
        return answer;
    }
    let (text, strict) = to_text(&response.body, format.encoding);
    answer.text = if format.unquote { unquoted(text) } else { text };
    if !strict {
        answer.unreadable = Some("its bytes are not the text they should be".to_owned());
        return answer;
    }
    match body(&mut answer.text, format) {
        Ok(document) => answer.body = tidied(document, format),
        Err(why) => answer.unreadable = Some(why),
    }
    if let Err(why) = embed(&mut answer.body, format) {
        answer.unreadable = Some(why);
    }
    answer
}

/// Puts documents in the place of the texts that hold them, wherever they stand.
fn embed(document: &mut Document, format: &AnswerFormat) -> Result<(), String> {
    if format.embedded.is_empty() {
        return Ok(());
    }
    match document {
        Document::Array(items) => items.iter_mut().try_for_each(|item| embed(item, format)),
        Document::Object(members) => {
            for (name, value) in members.iter_mut() {
                match format.embedded.iter().find(|one| one.name == *name) {
                    Some(one) => unfold(value, one, format)?,
                    None => embed(value, format)?,
                }
            }
            Ok(())
        }
        Document::Null | Document::Bool(_) | Document::Number(_) | Document::String(_) => Ok(()),
    }
}

fn unfold(value: &mut Document, one: &Embedded, format: &AnswerFormat) -> Result<(), String> {
    // Beside attributes, text stands as a member of its own.
    let text = match &*value {
        Document::String(text) => text.clone(),
        Document::Object(members) => match members.get("#text") {
            Some(Document::String(text)) => text.clone(),
            None if members.keys().all(|name| name.starts_with('@')) => String::new(),
            _ => return Ok(()),
        },
        Document::Null | Document::Bool(_) | Document::Number(_) => return Ok(()),
        Document::Array(_) => String::new(),
    };
    if let Document::Array(items) = value {
        return items
            .iter_mut()
            .try_for_each(|item| unfold(item, one, format));
    }
    let broken = |why: &str| format!("what stands in `{}`: {why}", one.name);
    let text = if one.base64 {
        from_base64(&text, format.encoding).ok_or_else(|| broken("it is not base64"))?
    } else {
        text
    };
    if text.trim().is_empty() {
        *value = Document::Null;
        return Ok(());
    }
    let is_xml = match one.format {
        EmbeddedFormat::Json => false,
        EmbeddedFormat::Xml => true,
        EmbeddedFormat::JsonOrXml => xml::looks_like_xml(&text),
    };
    *value = if is_xml {
        let rules = XmlRules {
            unwrap: Vec::new(),
            ..format.xml.clone()
        };
        let read = xml::read(&text, &rules, format.encoding)
            .map_err(|error| broken(&error.to_string()))?;
        read.0
    } else {
        json(&text).map_err(|why| broken(&why))?
    };
    Ok(())
}

/// The text whose bytes a text holds in base64; `None` if it does not.
pub(super) fn from_base64(text: &str, encoding: Encoding) -> Option<String> {
    let compact: String = text.split_whitespace().collect();
    let bytes = BASE64_STANDARD.decode(compact).ok()?;
    Some(to_text(&bytes, encoding).0)
}

/// The text, and whether every byte of it made sense. A byte order mark decides, and is dropped.
fn to_text(bytes: &[u8], encoding: Encoding) -> (String, bool) {
    if let Some((charset, length)) = Charset::for_bom(bytes) {
        return decoded(charset, bytes.get(length..).unwrap_or_default());
    }
    match encoding {
        Encoding::Utf8 => decoded(UTF_8, bytes),
        Encoding::Windows1252 => decoded(WINDOWS_1252, bytes),
        Encoding::Auto => match std::str::from_utf8(bytes) {
            Ok(text) => (text.to_owned(), true),
            Err(_) => decoded(WINDOWS_1252, bytes),
        },
    }
}

fn decoded(charset: &'static Charset, bytes: &[u8]) -> (String, bool) {
    let (text, had_errors) = charset.decode_without_bom_handling(bytes);
    (text.into_owned(), !had_errors)
}

/// The content of a text that is one JSON string as a whole.
fn unquoted(text: String) -> String {
    let trimmed = text.trim();
    if trimmed.len() < 2 || !trimmed.starts_with('"') || !trimmed.ends_with('"') {
        return text;
    }
    serde_json::from_str(trimmed).unwrap_or(text)
}

fn body(text: &mut String, format: &AnswerFormat) -> Result<Document, String> {
    let starts = text.trim_start().chars().next();
    let Some(starts) = starts else {
        return Ok(match format.body {
            BodyFormat::Text | BodyFormat::XmlOrText | BodyFormat::JsonOrText | BodyFormat::Any => {
                Document::String(std::mem::take(text))
            }
            BodyFormat::Json | BodyFormat::Xml | BodyFormat::None => Document::Null,
        });
    };
    match format.body {
        BodyFormat::None => Ok(Document::Null),
        BodyFormat::Json => json(text),
        BodyFormat::JsonOrText if matches!(starts, '{' | '[') => json(text),
        BodyFormat::Xml => markup(text, format),
        BodyFormat::XmlOrText if xml::looks_like_xml(text) => markup(text, format),
        BodyFormat::Any if matches!(starts, '{' | '[') => {
            Ok(json(text).unwrap_or_else(|_| Document::String(text.clone())))
        }
        BodyFormat::Any if xml::looks_like_xml(text) => {
            let plain = Document::String(text.clone());
            Ok(markup(text, format).unwrap_or(plain))
        }
        BodyFormat::Text | BodyFormat::XmlOrText | BodyFormat::JsonOrText | BodyFormat::Any => {
            Ok(Document::String(text.clone()))
        }
    }
}

fn json(text: &str) -> Result<Document, String> {
    serde_json::from_str(text).map_err(|error| {
        let what = if error.is_eof() {
            "it is cut off"
        } else {
            "it is not JSON"
        };
        format!("{what} (line {}, column {})", error.line(), error.column())
    })
}

fn markup(text: &mut String, format: &AnswerFormat) -> Result<Document, String> {
    let (document, inner) =
        xml::read(text, &format.xml, format.encoding).map_err(|error| error.to_string())?;
    if let Some(inner) = inner {
        *text = inner;
    }
    Ok(document)
}
