//! The structural check: whether a node is what its row of the table says, all findings at once.
//!
//! A node that has been reported is marked, and whoever reads it later stays silent about it and about what depends on it.

mod scalars;

use super::table::{Keys, Need, Rule, Shape, Table, Tagged};
use super::tables::content;
use super::words::{self, join};
use crate::codes;
use crate::diagnostic::{Diagnostic, Findings};
use crate::source::Span;
use crate::yaml::{Entry, Kind, Node, NodeId, Value};
use scalars::{IDENTIFIER_HELP, NAME_HELP};
use std::collections::HashSet;

/// The nodes of a definition that must not be read.
pub(super) type Broken = HashSet<NodeId>;

/// Checks a whole definition file.
pub(super) fn check(node: &Node, table: &'static Table, findings: &mut Findings) -> Broken {
    let mut walk = Walk {
        findings,
        broken: Broken::new(),
        path: Vec::new(),
    };
    walk.object(node, None, table, None);
    walk.broken
}

/// Checks a part of a file that no table leads to.
pub(super) fn check_part(
    node: &Node,
    key: Option<Span>,
    table: &'static Table,
    path: &[&str],
    findings: &mut Findings,
) -> Broken {
    let path = path.iter().map(|key| (*key).to_owned()).collect();
    let mut walk = Walk {
        findings,
        broken: Broken::new(),
        path,
    };
    walk.object(node, key, table, None);
    walk.broken
}

/// The place to show for a node: itself if it is a scalar, else its key, else its first line.
pub(super) fn point(node: &Node, key: Option<Span>) -> Span {
    match &node.value {
        Value::Scalar(_) if !node.span.is_empty() => node.span,
        Value::Scalar(_) | Value::Broken => key.unwrap_or(node.span),
        Value::List(items) => key
            .or_else(|| items.first().map(|item| point(item, None)))
            .unwrap_or(node.span),
        Value::Map(entries) => key
            .or_else(|| entries.first().map(|entry| entry.key_span))
            .unwrap_or(node.span),
    }
}

struct Walk<'a> {
    findings: &'a mut Findings,
    broken: Broken,
    path: Vec<String>,
}

impl Walk<'_> {
    /// The path of where we are, for messages.
    fn here(&self) -> String {
        if self.path.is_empty() {
            "this file".to_owned()
        } else {
            format!("`{}`", self.path.join("."))
        }
    }

    fn report(&mut self, node: &Node, finding: Diagnostic) {
        self.broken.insert(node.id);
        self.findings.push(finding);
    }

    fn wrong_type(&mut self, node: &Node, key: Option<Span>, expected: &str, help: Option<&str>) {
        let span = point(node, key);
        let (what, label) = if node.is_null() {
            (
                format!("{} is empty", self.here()),
                format!("expected {expected}"),
            )
        } else {
            (
                format!("{} must be {expected}", self.here()),
                format!("this is {}", node.describe()),
            )
        };
        let mut finding = Diagnostic::error(codes::WRONG_TYPE, span, what).label(label);
        finding.help = help.map(str::to_owned);
        self.report(node, finding);
    }

    fn value(&mut self, node: &Node, key: Option<Span>, shape: &'static Shape) {
        if node.value == Value::Broken {
            self.broken.insert(node.id);
            return;
        }
        match shape {
            Shape::Anything | Shape::Version => {}
            Shape::Object(table) => self.object(node, key, table, None),
            Shape::Tagged(tagged) => self.tagged(node, key, tagged),
            Shape::List(item) => self.list(node, key, item),
            Shape::OneOrMore(item) => match &node.value {
                Value::List(_) => self.list(node, key, item),
                Value::Scalar(_) | Value::Map(_) | Value::Broken => self.value(node, key, item),
            },
            Shape::Map(keys, item) => self.map(node, key, *keys, item),
            Shape::ScalarOr { scalar, other } => match &node.value {
                Value::Scalar(_) if !node.is_null() => self.value(node, key, scalar),
                Value::Map(_) => self.value(node, key, other),
                Value::Scalar(_) | Value::List(_) | Value::Broken => {
                    self.wrong_type(node, key, &expected(shape), None);
                }
            },
            Shape::Tree(_) => self.tree(node, key),
            Shape::Schema => self.schema(node, key),
            Shape::Properties => self.properties(node, key),
            Shape::Flag => match node.scalar().map(|scalar| scalar.kind) {
                Some(Kind::Bool(_)) => {}
                Some(_) | None => {
                    self.wrong_type(node, key, "a boolean", Some("write `true` or `false`"));
                }
            },
            Shape::Count { min, max } => self.count(node, key, *min, *max),
            Shape::Identifier
            | Shape::Name
            | Shape::PathName
            | Shape::OperationName
            | Shape::Text
            | Shape::Duration
            | Shape::Size
            | Shape::Factor
            | Shape::Cron
            | Shape::Zone
            | Shape::Word(_)
            | Shape::Expression(_)
            | Shape::Braced(_)
            | Shape::Template(_)
            | Shape::DurationTemplate(_)
            | Shape::CountTemplate(_)
            | Shape::JsonPath => match node.scalar() {
                Some(scalar) => self.scalar(node, key, scalar, shape),
                None => self.wrong_type(node, key, &expected(shape), None),
            },
        }
    }

    // -- objects ------------------------------------------------------------------------------------------------------

    fn object(
        &mut self,
        node: &Node,
        key: Option<Span>,
        table: &'static Table,
        tag: Option<(&'static str, &[&'static str])>,
    ) {
        let Value::Map(entries) = &node.value else {
            return self.wrong_type(node, key, "a map", None);
        };
        let mut meant = HashSet::new();
        for entry in entries {
            if tag.is_some_and(|(tag, _)| tag == entry.key) {
                continue;
            }
            let Some(field) = table.field(&entry.key) else {
                meant.extend(self.unknown_key(entry, table, tag.map(|(tag, _)| tag)));
                continue;
            };
            self.path.push(entry.key.clone());
            self.value(&entry.value, Some(entry.key_span), &field.shape);
            self.path.pop();
        }
        let place = point(node, key);
        for field in table.fields().filter(|field| field.need == Need::Required) {
            if node.get(field.name).is_none() && !meant.contains(field.name) {
                self.missing(place, field.name, field.doc);
            }
        }
        for rule in table.rules {
            self.rule(node, place, table, rule, &mut meant);
        }
    }

    fn missing(&mut self, place: Span, name: &str, doc: &str) {
        let what = format!("`{name}` is missing in {}", self.here());
        let finding = Diagnostic::error(codes::MISSING_KEY, place, what);
        self.findings.push(finding.help(format!("`{name}`: {doc}")));
    }

    /// Reports an unknown key and says which key was probably meant, so that this one is not reported as missing too.
    fn unknown_key(
        &mut self,
        entry: &Entry,
        table: &'static Table,
        tag: Option<&'static str>,
    ) -> Option<&'static str> {
        let names: Vec<&'static str> = tag
            .into_iter()
            .chain(table.fields().map(|field| field.name))
            .collect();
        let what = format!("unknown key `{}` in {}", entry.key, self.here());
        let mut finding = Diagnostic::error(codes::UNKNOWN_KEY, entry.key_span, what);
        let meant = words::nearest(&entry.key, names.iter().copied());
        if let Some(meant) = meant {
            finding = finding.help(format!("did you mean `{meant}`?"));
        } else if names.is_empty() {
            finding = finding.help("nothing else can stand here");
        } else {
            finding = finding.help(format!("what can stand here: {}", join(&names)));
        }
        self.findings.push(finding);
        self.broken.insert(entry.value.id);
        meant
    }

    fn tagged(&mut self, node: &Node, key: Option<Span>, tagged: &'static Tagged) {
        if !matches!(node.value, Value::Map(_)) {
            return self.wrong_type(node, key, "a map", None);
        }
        let place = point(node, key);
        let words: Vec<&'static str> = tagged.variants.iter().map(|(word, _)| *word).collect();
        let Some(tag) = node.get(tagged.tag) else {
            self.broken.insert(node.id);
            if let Some(entry) = node.entries().iter().find(|entry| {
                words::nearest(&entry.key, [tagged.tag]).is_some()
                    && !tagged
                        .variants
                        .iter()
                        .any(|(_, table)| table.field(&entry.key).is_some())
            }) {
                let what = format!("unknown key `{}` in {}", entry.key, self.here());
                let finding = Diagnostic::error(codes::UNKNOWN_KEY, entry.key_span, what);
                self.findings
                    .push(finding.help(format!("did you mean `{}`?", tagged.tag)));
            } else {
                let what = format!("`{}` is missing in {}", tagged.tag, self.here());
                let finding = Diagnostic::error(codes::MISSING_KEY, place, what);
                self.findings.push(finding.help(format!(
                    "`{}` is one of {}",
                    tagged.tag,
                    join(&words)
                )));
            }
            return;
        };
        let variant = tag.scalar().and_then(|scalar| tagged.variant(&scalar.text));
        let Some(table) = variant else {
            self.broken.insert(node.id);
            self.path.push(tagged.tag.to_owned());
            match tag.scalar() {
                Some(scalar) if !tag.is_null() => self.not_one_of(tag, scalar, &words),
                Some(_) | None if tag.value == Value::Broken => {}
                Some(_) | None => {
                    self.wrong_type(tag, Some(place), &format!("one of {}", join(&words)), None);
                }
            }
            self.path.pop();
            return;
        };
        self.object(node, key, table, Some((tagged.tag, &words)));
    }

    fn rule(
        &mut self,
        node: &Node,
        place: Span,
        table: &'static Table,
        rule: &'static Rule,
        meant: &mut HashSet<&'static str>,
    ) {
        let present = |keys: &[&'static str]| -> Vec<&Entry> {
            node.entries()
                .iter()
                .filter(|entry| keys.contains(&entry.key.as_str()))
                .collect()
        };
        match rule {
            Rule::ExactlyOne(keys) | Rule::AtMostOne(keys) => {
                let found = present(keys);
                if let [first, rest @ ..] = found.as_slice() {
                    for second in rest {
                        let what =
                            format!("`{}` and `{}` exclude each other", first.key, second.key);
                        let finding =
                            Diagnostic::error(codes::EXCLUSIVE_KEYS, second.key_span, what)
                                .related(first.key_span, "the other one")
                                .help(format!("keep one of {}", join(keys)));
                        self.findings.push(finding);
                    }
                } else if matches!(rule, Rule::ExactlyOne(_))
                    && !keys.iter().any(|key| meant.contains(key))
                {
                    let what = format!("{} needs one of {}", self.here(), join(keys));
                    self.findings
                        .push(Diagnostic::error(codes::EXCLUSIVE_KEYS, place, what));
                    // What says something only beside one of them is not reported as well.
                    meant.extend(keys.iter());
                }
            }
            Rule::OnlyWith { keys, with } => {
                if !present(with).is_empty() || with.iter().any(|key| meant.contains(key)) {
                    return;
                }
                for entry in present(keys) {
                    let what = format!("`{}` says something only beside {}", entry.key, join(with));
                    let finding = Diagnostic::error(codes::EXCLUSIVE_KEYS, entry.key_span, what);
                    self.findings
                        .push(finding.help(format!("remove `{}`", entry.key)));
                }
            }
            Rule::Needs { key, needs } => {
                if node.get(key).is_some() && node.get(needs).is_none() && !meant.contains(needs) {
                    let doc = table.field(needs).map_or("", |field| field.doc);
                    self.missing(place, needs, doc);
                }
            }
        }
    }

    // -- collections --------------------------------------------------------------------------------------------------

    fn list(&mut self, node: &Node, key: Option<Span>, item: &'static Shape) {
        let Value::List(items) = &node.value else {
            return self.wrong_type(
                node,
                key,
                "a list",
                Some("write `[…]`, or each item on a line after `- `"),
            );
        };
        for (at, one) in items.iter().enumerate() {
            self.path.push(at.to_string());
            self.value(one, None, item);
            self.path.pop();
        }
    }

    fn map(&mut self, node: &Node, key: Option<Span>, keys: Keys, item: &'static Shape) {
        let Value::Map(entries) = &node.value else {
            return self.wrong_type(node, key, "a map", None);
        };
        for entry in entries {
            self.own_key(entry, keys);
            self.path.push(entry.key.clone());
            self.value(&entry.value, Some(entry.key_span), item);
            self.path.pop();
        }
    }

    fn own_key(&mut self, entry: &Entry, keys: Keys) {
        let (good, help) = match keys {
            Keys::Identifier => (words::is_identifier(&entry.key), IDENTIFIER_HELP),
            Keys::Name => (words::is_name(&entry.key), NAME_HELP),
            Keys::Text => (!entry.key.is_empty(), "it must not be empty"),
        };
        if !good {
            let what = format!("`{}` cannot be a name in {}", entry.key, self.here());
            let finding = Diagnostic::error(codes::BAD_NAME, entry.key_span, what);
            self.findings.push(finding.help(help));
        }
    }

    fn schema(&mut self, node: &Node, key: Option<Span>) {
        let is_name = node
            .scalar()
            .is_some_and(|scalar| scalar.kind == Kind::Text && !scalar.text.is_empty());
        if !is_name && !matches!(node.value, Value::Map(_)) {
            let help =
                "write a file's name below `schemas/`, e.g. `system/record.json`, or a JSON Schema";
            self.wrong_type(node, key, "a schema", Some(help));
        }
    }

    fn properties(&mut self, node: &Node, key: Option<Span>) {
        let Value::Map(entries) = &node.value else {
            let help = "write a map of names, e.g. `{ bank: { type: string } }`";
            return self.wrong_type(node, key, "a map of names to JSON Schemas", Some(help));
        };
        for entry in entries {
            self.own_key(entry, Keys::Identifier);
            if !matches!(entry.value.value, Value::Map(_) | Value::Broken) {
                self.path.push(entry.key.clone());
                let help = "write e.g. `{ type: string }`";
                self.wrong_type(
                    &entry.value,
                    Some(entry.key_span),
                    "a JSON Schema",
                    Some(help),
                );
                self.path.pop();
            }
        }
    }

    fn tree(&mut self, node: &Node, key: Option<Span>) {
        match &node.value {
            Value::Broken => {
                self.broken.insert(node.id);
            }
            Value::Scalar(scalar) => self.template(node, key, scalar),
            Value::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.path.push(at.to_string());
                    self.tree(item, None);
                    self.path.pop();
                }
            }
            Value::Map(entries) => match tree_form(node) {
                Some(table) => self.object(node, key, table, None),
                None => {
                    for entry in entries {
                        self.own_key(entry, Keys::Text);
                        self.path.push(entry.key.clone());
                        self.tree(&entry.value, Some(entry.key_span));
                        self.path.pop();
                    }
                }
            },
        }
    }
}

/// The table of a map in a tree that is not content but says how content is made.
pub(super) fn tree_form(node: &Node) -> Option<&'static Table> {
    let has = |key: &str| node.get(key).is_some();
    if has("for") && (has("as") || has("each")) {
        Some(&content::EACH)
    } else if has("if") && has("then") {
        Some(&content::IF)
    } else {
        None
    }
}

/// What stands between braces, if the text is one expression in braces.
pub(super) fn braced(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("}}")).then_some(inner)
}

/// What a value must be, for messages.
pub(super) fn expected(shape: &Shape) -> String {
    match shape {
        Shape::Version => "the number 1".to_owned(),
        Shape::Identifier | Shape::Name | Shape::PathName => "a name".to_owned(),
        Shape::OperationName => "`connection.operation`".to_owned(),
        Shape::Text => "a text".to_owned(),
        Shape::Flag => "a boolean".to_owned(),
        Shape::Count { min, max } => format!("a whole number from {min} to {max}"),
        Shape::Duration | Shape::DurationTemplate(_) => "a length of time".to_owned(),
        Shape::Size => "a number of bytes".to_owned(),
        Shape::Factor => "a factor from 1 to 100".to_owned(),
        Shape::Cron => "a cron expression of five fields".to_owned(),
        Shape::Zone => "a time zone".to_owned(),
        Shape::Word(words) => format!("one of {}", join(words)),
        Shape::Expression(_) => "an expression".to_owned(),
        Shape::Braced(_) => "an expression in braces".to_owned(),
        Shape::Template(_) => "a text, a number, or an expression in braces".to_owned(),
        Shape::CountTemplate(_) => "a whole number from 1".to_owned(),
        Shape::Tree(_) => "content".to_owned(),
        Shape::JsonPath => "a JSONPath".to_owned(),
        Shape::Schema => "a schema".to_owned(),
        Shape::Properties => "a map of names to JSON Schemas".to_owned(),
        Shape::Anything => "anything".to_owned(),
        Shape::Object(_) | Shape::Tagged(_) | Shape::Map(..) => "a map".to_owned(),
        Shape::List(_) => "a list".to_owned(),
        Shape::OneOrMore(shape) => format!("{}, or a list", expected(shape)),
        Shape::ScalarOr { scalar, other } => {
            format!("{}, or {}", expected(scalar), expected(other))
        }
    }
}
