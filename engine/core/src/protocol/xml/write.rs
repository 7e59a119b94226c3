//! Builds XML documents. Everything is escaped here; there is no way to paste markup in.

use super::DEPTH_MAX;
use crate::plan::Encoding;
use crate::protocol::EncodeError;
use crate::protocol::text::{Unmappable, fit};
use crate::value::scalar_text;
use quick_xml::Writer;
use quick_xml::escape::escape;
use quick_xml::events::{BytesCData, BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use serde_json::{Map, Value as Document};
use std::borrow::Cow;

/// How a document is written.
#[derive(Debug, Clone, Copy)]
pub(in crate::protocol) struct Writing {
    /// Whether the XML declaration stands before it.
    pub(in crate::protocol) declaration: bool,
    /// The target's character set.
    pub(in crate::protocol) encoding: Encoding,
    /// What happens to characters it lacks.
    pub(in crate::protocol) unmappable: Unmappable,
}

impl Default for Writing {
    fn default() -> Self {
        Self {
            declaration: false,
            encoding: Encoding::Utf8,
            unmappable: Unmappable::Fail,
        }
    }
}

/// Writes a document with one root: `@name` is an attribute, `#text` the text beside attributes,
/// `#cdata` the same as CDATA, a list repeats its element, null leaves it out.
///
/// # Errors
/// If there is not exactly one root, a name is not an XML name, or a text has a character that XML
/// 1.0 (section 2.2) or the target's character set lacks.
pub(in crate::protocol) fn write(
    document: &Document,
    writing: Writing,
    place: &str,
) -> Result<String, EncodeError> {
    let one_root = || EncodeError::value(place, "an XML document has exactly one root element");
    let roots = document.as_object().ok_or_else(one_root)?;
    let mut elements = roots.iter().filter(|(_, value)| !value.is_null());
    let (Some((name, root)), None) = (elements.next(), elements.next()) else {
        return Err(one_root());
    };
    if root.is_array() || name.starts_with(['@', '#']) {
        return Err(one_root());
    }
    let mut output = Output {
        writer: Writer::new(Vec::new()),
        writing,
    };
    if writing.declaration {
        let encoding = match writing.encoding {
            Encoding::Windows1252 => "Windows-1252",
            Encoding::Utf8 | Encoding::Auto => "utf-8",
        };
        output.event(
            Event::Decl(BytesDecl::new("1.0", Some(encoding), None)),
            place,
        )?;
    }
    output.element(name, root, &format!("{place}.{name}"), DEPTH_MAX)?;
    String::from_utf8(output.writer.into_inner())
        .map_err(|_| EncodeError::value(place, "the document is not text"))
}

struct Output {
    writer: Writer<Vec<u8>>,
    writing: Writing,
}

type Written = Result<(), EncodeError>;

impl Output {
    fn event(&mut self, event: Event<'_>, place: &str) -> Written {
        // Writing into memory cannot fail; if it ever does, nothing half-written leaves.
        self.writer
            .write_event(event)
            .map_err(|_| EncodeError::value(place, "the document cannot be written"))
    }

    fn element(&mut self, name: &str, value: &Document, place: &str, depth: usize) -> Written {
        let Some(below) = depth.checked_sub(1) else {
            let why = format!("elements are nested deeper than {DEPTH_MAX}");
            return Err(EncodeError::value(place, why));
        };
        match value {
            Document::Null => Ok(()),
            Document::Array(items) => items.iter().enumerate().try_for_each(|(at, item)| {
                self.element(name, item, &format!("{place}[{at}]"), below)
            }),
            Document::Object(members) => self.structured(name, members, place, below),
            Document::Bool(_) | Document::Number(_) | Document::String(_) => {
                let start = BytesStart::new(checked_name(name, place)?);
                let text = self.text(value, place)?;
                if text.is_empty() {
                    return self.event(Event::Empty(start), place);
                }
                self.event(Event::Start(start), place)?;
                self.event(
                    Event::Text(BytesText::from_escaped(escape_text(&text))),
                    place,
                )?;
                self.event(Event::End(BytesEnd::new(name)), place)
            }
        }
    }

    fn structured(
        &mut self,
        name: &str,
        members: &Map<String, Document>,
        place: &str,
        depth: usize,
    ) -> Written {
        let mut start = BytesStart::new(checked_name(name, place)?);
        let mut empty = true;
        for (key, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            let Some(attribute) = key.strip_prefix('@') else {
                empty = false;
                continue;
            };
            let place = format!("{place}.{key}");
            let text = self.text(value, &place)?;
            let escaped = escape_attribute(&text);
            let name = checked_name(attribute, &place)?;
            start.push_attribute(quick_xml::events::attributes::Attribute {
                key: quick_xml::name::QName(name),
                value: Cow::Owned(escaped),
            });
        }
        if empty {
            return self.event(Event::Empty(start), place);
        }
        self.event(Event::Start(start), place)?;
        for (key, value) in members.iter().filter(|(key, _)| !key.starts_with('@')) {
            let place = format!("{place}.{key}");
            match key.as_str() {
                _ if value.is_null() => {}
                "#text" => {
                    let text = self.text(value, &place)?;
                    self.event(
                        Event::Text(BytesText::from_escaped(escape_text(&text))),
                        &place,
                    )?;
                }
                "#cdata" => {
                    let text = self.text(value, &place)?;
                    for part in cdata_parts(&text) {
                        self.event(Event::CData(BytesCData::new(part)), &place)?;
                    }
                }
                name => self.element(name, value, &place, depth)?,
            }
        }
        self.event(Event::End(BytesEnd::new(name)), place)
    }

    /// A scalar's text, with every character allowed and in the target's set.
    fn text(&self, value: &Document, place: &str) -> Result<String, EncodeError> {
        let text = scalar_text(value).ok_or_else(|| {
            let kind = crate::value::kind_of(value);
            EncodeError::value(place, format!("it must be a text and is {kind}"))
        })?;
        if let Some(c) = text.chars().find(|c| !is_xml_char(*c)) {
            let why = format!("it has U+{:04X}, which XML does not allow", u32::from(c));
            return Err(EncodeError::value(place, why));
        }
        fit(&text, self.writing.encoding, self.writing.unmappable, place).map(Cow::into_owned)
    }
}

/// A carriage return that is not escaped would be read back as a line feed (XML 1.0 section 2.11).
fn escape_text(text: &str) -> String {
    escape(text).replace('\r', "&#13;")
}

/// In an attribute any white space would be read back as a space (XML 1.0 section 3.3.3).
fn escape_attribute(text: &str) -> String {
    escape(text)
        .replace('\r', "&#13;")
        .replace('\n', "&#10;")
        .replace('\t', "&#9;")
}

/// `]]>` ends CDATA, so it is divided between two sections.
fn cdata_parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = text.split("]]>").map(str::to_owned).collect();
    let last = parts.len().saturating_sub(1);
    for (at, part) in parts.iter_mut().enumerate() {
        if at > 0 {
            part.insert(0, '>');
        }
        if at < last {
            part.push_str("]]");
        }
    }
    parts
}

/// XML 1.0 section 2.2.
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// XML 1.0 section 2.3, with the letters of every script taken together.
fn checked_name<'n>(name: &'n str, place: &str) -> Result<&'n str, EncodeError> {
    let mut chars = name.chars();
    let starts = chars
        .next()
        .is_some_and(|c| c.is_alphabetic() || c == '_' || c == ':');
    if starts && chars.all(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '.')) {
        return Ok(name);
    }
    Err(EncodeError::value(place, "it is not an XML name"))
}
