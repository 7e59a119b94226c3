//! Reads XML into documents.

use super::DEPTH_MAX;
use crate::plan::{Encoding, XmlRules};
use crate::protocol::answer;
use roxmltree::{Node, ParsingOptions};
use serde_json::{Map, Value as Document};

/// The most nodes (elements, texts, attributes) of one document.
const NODES_MAX: u32 = 2_000_000;

/// Wrappers inside wrappers.
const UNWRAP_MAX: usize = 4;

/// References inside what is referred to.
const REFERENCES_MAX: usize = 16;

const NIL_NAMESPACE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Why something is no readable document. Never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(in crate::protocol) struct UnreadableXml(String);

/// Whether a text starts like an XML document.
pub(in crate::protocol) fn looks_like_xml(text: &str) -> bool {
    let mut chars = text.trim_start().chars();
    chars.next() == Some('<')
        && chars
            .next()
            .is_some_and(|c| c.is_alphabetic() || matches!(c, '?' | '!' | '_' | ':'))
}

/// The document and its text: `{root: …}`. Where a wrapper stands around a text, that text, and
/// what it holds.
///
/// An element with text only is a text; one with children or attributes is a map, with attributes
/// as `@name` and text beside them as `#text`; what repeats, or is declared a list, is a list.
/// Names are local names.
///
/// # Errors
/// If it is not well-formed, has a document type (entities could be anything) or is nested too
/// deep.
pub(in crate::protocol) fn read(
    text: &str,
    rules: &XmlRules,
    encoding: Encoding,
) -> Result<(Document, Option<String>), UnreadableXml> {
    unwrapped(text, rules, encoding, UNWRAP_MAX)
}

fn unwrapped(
    text: &str,
    rules: &XmlRules,
    encoding: Encoding,
    wrappers: usize,
) -> Result<(Document, Option<String>), UnreadableXml> {
    let options = ParsingOptions {
        nodes_limit: NODES_MAX,
        ..ParsingOptions::default()
    };
    let parsed = roxmltree::Document::parse_with_options(text.trim(), options)
        .map_err(|error| UnreadableXml(in_words(&error)))?;
    let root = parsed.root_element();
    if depth_exceeds(root) {
        return Err(UnreadableXml(format!(
            "elements are nested deeper than {DEPTH_MAX}"
        )));
    }
    if let Some(inner) = wrapped_text(root, rules)
        && let Some(left) = wrappers.checked_sub(1)
    {
        let inner = if rules.unwrap_base64 && root.tag_name().name() == "Envelope" {
            answer::from_base64(&inner, encoding).unwrap_or(inner)
        } else {
            inner
        };
        if looks_like_xml(&inner) {
            let (document, innermost) = unwrapped(&inner, rules, encoding, left)?;
            return Ok((document, innermost.or(Some(inner))));
        }
        return Ok((Document::String(inner.clone()), Some(inner)));
    }
    let mut document = Map::new();
    let root = Tree { rules, root };
    let value = root.element(root.root, REFERENCES_MAX);
    document.insert(name_of(root.root.tag_name().name(), rules), value);
    Ok((Document::Object(document), None))
}

/// The text of the first wrapper, if it holds nothing but text.
fn wrapped_text(root: Node<'_, '_>, rules: &XmlRules) -> Option<String> {
    if rules.unwrap.is_empty() {
        return None;
    }
    let is_wrapper = |node: &Node<'_, '_>| {
        let name = node.tag_name().name();
        node.is_element()
            && rules
                .unwrap
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
    };
    let wrapper = root.descendants().find(is_wrapper)?;
    if wrapper.children().any(|child| child.is_element()) {
        return None;
    }
    Some(
        wrapper
            .children()
            .filter_map(|child| child.text())
            .collect(),
    )
}

fn depth_exceeds(root: Node<'_, '_>) -> bool {
    let mut depth = 1_usize;
    let mut here = root;
    // Walks the whole tree without a stack of its own: down first, then on, then up.
    loop {
        if let Some(child) = here.first_element_child() {
            depth += 1;
            if depth > DEPTH_MAX {
                return true;
            }
            here = child;
            continue;
        }
        loop {
            if here == root {
                return false;
            }
            if let Some(next) = here.next_sibling_element() {
                here = next;
                break;
            }
            let Some(parent) = here.parent_element() else {
                return false;
            };
            depth -= 1;
            here = parent;
        }
    }
}

/// A document and how it is read.
struct Tree<'r, 'a, 'i> {
    rules: &'r XmlRules,
    root: Node<'a, 'i>,
}

impl<'a, 'i> Tree<'_, 'a, 'i> {
    /// What an element refers to, if it says nothing itself (SOAP 1.1 section 5.4.1).
    fn referred(&self, node: Node<'a, 'i>) -> Option<Node<'a, 'i>> {
        if !self.rules.references || node.has_children() {
            return None;
        }
        let id = node.attribute("href")?.strip_prefix('#')?;
        self.root
            .descendants()
            .find(|other| other.attribute("id") == Some(id))
    }

    fn element(&self, node: Node<'a, 'i>, references: usize) -> Document {
        match (self.referred(node), references.checked_sub(1)) {
            (Some(other), Some(left)) => self.own(other, left),
            // A chain that is longer goes round in a circle.
            (Some(_), None) => Document::Null,
            (None, _) => self.own(node, references),
        }
    }

    fn own(&self, node: Node<'a, 'i>, references: usize) -> Document {
        let rules = self.rules;
        if node
            .attribute((NIL_NAMESPACE, "nil"))
            .is_some_and(|nil| matches!(nil, "true" | "1"))
        {
            return Document::Null;
        }
        let mut members = Map::new();
        for attribute in node.attributes() {
            let name = format!("@{}", name_of(attribute.name(), rules));
            members.insert(name, attribute.value().into());
        }
        let mut text = String::new();
        for child in node.children() {
            if child.is_element() {
                let name = name_of(child.tag_name().name(), rules);
                let value = self.element(child, references);
                add(&mut members, name, value, rules);
            } else if let Some(part) = child.text().filter(|_| child.is_text()) {
                text.push_str(part);
            }
        }
        let text = if rules.trim {
            text.trim()
        } else {
            text.as_str()
        };
        if members.is_empty() {
            return text.into();
        }
        if !text.trim().is_empty() {
            members.insert("#text".to_owned(), text.into());
        }
        Document::Object(members)
    }
}

fn add(members: &mut Map<String, Document>, name: String, value: Document, rules: &XmlRules) {
    match members.get_mut(&name) {
        Some(Document::Array(items)) => items.push(value),
        Some(first) => {
            let items = vec![std::mem::take(first), value];
            *first = Document::Array(items);
        }
        None => {
            let is_list = rules.lists.iter().any(|list| {
                if rules.lowercase_names {
                    list.eq_ignore_ascii_case(&name)
                } else {
                    *list == name
                }
            });
            members.insert(
                name,
                if is_list {
                    Document::Array(vec![value])
                } else {
                    value
                },
            );
        }
    }
}

fn name_of(name: &str, rules: &XmlRules) -> String {
    if rules.lowercase_names {
        name.to_lowercase()
    } else {
        name.to_owned()
    }
}

/// The parser's own messages quote names out of the document; positions are enough.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all other kinds of malformed are one to us"
)]
fn in_words(error: &roxmltree::Error) -> String {
    let what = match error {
        roxmltree::Error::DtdDetected => "a document type is not taken",
        roxmltree::Error::NodesLimitReached => "the document has too many elements",
        _ => "it is not well-formed XML",
    };
    let at = error.pos();
    format!("{what} (line {}, column {})", at.row, at.col)
}
