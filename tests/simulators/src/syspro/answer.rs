//! Answers: element trees, field errors, counters, bytes (SY 3.4, 8.1).

use super::settings::{Nesting, RootCase, Switches, ZeroCounters};
use crate::wire;
use ml_connector_core::http::HttpResponse;
use std::fmt::Write as _;

/// An `ERROR` text instead of an answer: the call did not run, or not to its end (SY 8.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exception(pub(crate) String);

impl Exception {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text of a BO that the site cannot run (SY 2.5).
    pub(crate) fn not_licensed() -> Self {
        Self::new("e.net exception raised: 100000")
    }
}

/// Error numbers. Those from 900000 on are invented: the real ones are not known (SY 8.1), and no client may depend on
/// them.
pub(crate) mod number {
    /// Duplicate key on table.
    pub(crate) const DUPLICATE: u32 = 120_001;
    /// Code not numeric.
    pub(crate) const NOT_NUMERIC: u32 = 240_003;
    pub(crate) const NOT_FOUND: u32 = 900_001;
    pub(crate) const REQUIRED: u32 = 900_002;
    pub(crate) const TOO_LONG: u32 = 900_003;
    pub(crate) const BAD_DATE: u32 = 900_004;
    pub(crate) const BAD_VALUE: u32 = 900_005;
    pub(crate) const NOT_DISTRIBUTED: u32 = 900_006;
    pub(crate) const ON_HOLD: u32 = 900_007;
    pub(crate) const NOT_ALLOWED: u32 = 900_008;
    pub(crate) const LOCKED: u32 = 900_009;
    pub(crate) const UNBALANCED: u32 = 900_010;
    pub(crate) const PERIOD: u32 = 900_011;
    pub(crate) const WARNING: u32 = 900_100;
}

/// A refused field (SY 8.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldError {
    pub(crate) field: &'static str,
    pub(crate) value: String,
    pub(crate) number: u32,
    pub(crate) text: String,
}

impl FieldError {
    pub(crate) fn new(
        field: &'static str,
        value: impl Into<String>,
        number: u32,
        text: impl Into<String>,
    ) -> Self {
        Self {
            field,
            value: value.into(),
            number,
            text: text.into(),
        }
    }
}

/// What the checks of one item found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    pub(crate) errors: Vec<FieldError>,
    pub(crate) warnings: Vec<FieldError>,
}

impl Findings {
    pub(crate) fn error(
        &mut self,
        field: &'static str,
        value: impl Into<String>,
        number: u32,
        text: impl Into<String>,
    ) {
        self.errors
            .push(FieldError::new(field, value, number, text));
    }

    pub(crate) fn warning(&mut self, field: &'static str, value: impl Into<String>, text: &str) {
        self.warnings
            .push(FieldError::new(field, value, number::WARNING, text));
    }

    /// Without IgnoreWarnings a warning is an error (SY 3.6).
    pub(crate) fn settle(&mut self, ignore_warnings: bool) -> bool {
        if !ignore_warnings {
            self.errors.append(&mut self.warnings);
        }
        self.errors.is_empty()
    }
}

/// An element of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) name: String,
    text: String,
    children: Vec<Node>,
    /// Keeps its spelling when the root's case is changed, as SORTOI and the queries do (SY 3.4).
    fixed_case: bool,
}

impl Node {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: String::new(),
            children: Vec::new(),
            fixed_case: false,
        }
    }

    pub(crate) fn text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::new(name)
        }
    }

    /// The same element under another spelling of its name.
    pub(crate) fn renamed(mut self, spell: impl Fn(&str) -> String) -> Self {
        self.name = spell(&self.name);
        self
    }

    /// A root whose case never changes.
    pub(crate) fn query_root(name: impl Into<String>) -> Self {
        Self {
            fixed_case: true,
            ..Self::new(name)
        }
    }

    pub(crate) fn push(&mut self, child: Self) {
        self.children.push(child);
    }

    pub(crate) fn with(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    pub(crate) fn with_all(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }

    /// Adds leaves.
    pub(crate) fn leaves<const N: usize>(mut self, leaves: [(&str, String); N]) -> Self {
        self.children.extend(
            leaves
                .into_iter()
                .map(|(name, text)| Self::text(name, text)),
        );
        self
    }

    fn write(&self, out: &mut String) {
        if self.text.is_empty() && self.children.is_empty() {
            write!(out, "<{}/>", self.name).ok();
            return;
        }
        write!(out, "<{}>{}", self.name, escape(&self.text)).ok();
        for child in &self.children {
            child.write(out);
        }
        write!(out, "</{}>", self.name).ok();
    }
}

/// The error of one item: `<customer><Value/><ErrorNumber/><ErrorDescription/></customer>`, or the last two directly in
/// the item (SY 8.1).
pub(crate) fn error_nodes(errors: &[FieldError], switches: &Switches) -> Vec<Node> {
    errors
        .iter()
        .flat_map(|error| {
            let value = Node::text("Value", error.value.clone());
            let number = Node::text("ErrorNumber", format!("{:06}", error.number));
            let text = Node::text("ErrorDescription", error.text.clone());
            match switches.nesting {
                Nesting::Field => {
                    vec![Node::new(error.field).with(value).with(number).with(text)]
                }
                Nesting::Item => vec![number, text],
            }
        })
        .collect()
}

/// Warnings that were let pass (SY 8.1).
pub(crate) fn warning_nodes(warnings: &[FieldError]) -> Vec<Node> {
    if warnings.is_empty() {
        return Vec::new();
    }
    let texts = warnings
        .iter()
        .map(|warning| Node::text("WarningDescription", warning.text.clone()));
    vec![Node::new("WarningMessages").with_all(texts)]
}

/// A counter: six digits, zero possibly empty (SY 3.4).
pub(crate) fn counter(name: &str, count: usize, switches: &Switches) -> Node {
    let text = match (count, switches.zero_counters) {
        (0, ZeroCounters::Empty) => String::new(),
        _ => format!("{count:06}"),
    };
    Node::text(name, text)
}

/// A number right-aligned with spaces (SY 3.4).
pub(crate) fn padded(text: impl std::fmt::Display, width: usize) -> String {
    format!("{text:>width$}")
}

/// The answer of an object as text: declaration, root attributes, newline and space at the end (SY 3.4).
pub(crate) fn render(mut root: Node, version: &str, switches: &Switches) -> String {
    if !root.fixed_case {
        root.name = match switches.root_case {
            RootCase::Lower => root.name.to_lowercase(),
            RootCase::Upper => root.name.to_uppercase(),
            RootCase::AsSent => root.name,
        };
    }
    let language2 = if switches.language2 {
        " Language2='EN'"
    } else {
        ""
    };
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"Windows-1252\"?>\n");
    write!(
        out,
        "<{} Language='05'{language2} CssStyle='' DecFormat='1' DateFormat='01' Role='01' \
         Version='{version}' OperatorPrimaryRole='   '>",
        root.name
    )
    .ok();
    for child in &root.children {
        child.write(&mut out);
        out.push('\n');
    }
    write!(out, "</{}>\n ", root.name).ok();
    out
}

/// Text as an HTTP answer, always 200 and octet-stream (SY 3.4).
pub(crate) fn respond(text: &str, switches: &Switches) -> HttpResponse {
    let quoted;
    let text = if switches.quoted_answers {
        quoted = serde_json::Value::from(text).to_string();
        &quoted
    } else {
        text
    };
    let bytes = if switches.utf8_answers {
        text.as_bytes().to_vec()
    } else {
        encoding_rs::WINDOWS_1252.encode(text).0.into_owned()
    };
    wire::response(200, "application/octet-stream", bytes)
}

/// Text as SYSPRO stores it: characters beyond Windows-1252 are lost (SY 3.5).
pub(crate) fn storable(text: &str) -> String {
    text.chars()
        .map(|c| {
            let mut buffer = [0; 4];
            let lost = encoding_rs::WINDOWS_1252
                .encode(c.encode_utf8(&mut buffer))
                .2;
            if lost { '?' } else { c }
        })
        .collect()
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
