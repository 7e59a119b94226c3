//! From parser events to nodes.

use super::scalar::{Scalar, Style};
use super::{DEPTH_MAX, Entry, NODES_MAX, Node, NodeId, Value};
use crate::codes;
use crate::diagnostic::{Diagnostic, Findings};
use crate::source::{FILE_BYTES_MAX, FileId, SourceSet, Span, to_u32};
use saphyr_parser::{Event, Parser, ScalarStyle};
use std::collections::HashMap;

/// Reads one file. `None` means that nothing of it can be used; why has been reported.
///
/// A file without content is the scalar nothing.
pub fn load(sources: &SourceSet, file: FileId, findings: &mut Findings) -> Option<Node> {
    let source = sources.file(file)?;
    let text = source.text();
    if text.len() > FILE_BYTES_MAX {
        let limit = FILE_BYTES_MAX / 1024 / 1024;
        let finding = Diagnostic::error(
            codes::TOO_LARGE,
            Span::new(file, 0, 0),
            "the file is too long",
        );
        findings.push(finding.help(format!(
            "a definition file has at most {limit} MiB; split it"
        )));
        return None;
    }
    if let Some(at) = source.invalid_utf8_at() {
        let finding = Diagnostic::error(
            codes::NOT_UTF8,
            Span::new(file, at, at),
            "the file is not UTF-8",
        );
        findings.push(finding.help("save the file as UTF-8"));
        return None;
    }
    let mut loader = Loader::new(file, text, findings);
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => loader.take(event, span),
            Err(error) => {
                let at = loader.offset(error.marker().index());
                loader.syntax(text, at, error.info());
                return None;
            }
        }
        if loader.failed {
            return None;
        }
    }
    Some(loader.finish())
}

/// Where a slip stands that the parser notices later or in other words: its place, what it is, and how to mend it.
fn slip(text: &str, at: usize, info: &str) -> Option<(usize, &'static str, &'static str)> {
    let line = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    if info.contains("tab") {
        // The tab stands in the indentation of this line or of the next one that is not empty.
        let mut from = line;
        for line in text.get(line..)?.split_inclusive('\n').take(3) {
            let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
            if let Some(tab) = line.get(..indentation)?.find('\t') {
                return Some((from + tab, "a tab", "indent with spaces"));
            }
            from += line.len();
        }
    }
    if info.contains("simple key expect") {
        let above = text.get(..line)?.trim_end();
        let begin = above.rfind('\n').map_or(0, |end| end + 1);
        let colon = above.get(begin..)?.find(':')?;
        return Some((
            begin + colon,
            "a key ends with a colon and a space",
            "write a space after the colon",
        ));
    }
    None
}

/// A list or map whose end has not come yet.
struct Open {
    id: NodeId,
    start: u32,
    anchor: usize,
    tagged: bool,
    content: OpenContent,
}

enum OpenContent {
    List(Vec<Node>),
    Map(OpenMap),
}

#[derive(Default)]
struct OpenMap {
    entries: Vec<Entry>,
    seen: HashMap<String, Span>,
    key: Option<Key>,
    bad_keys: bool,
}

/// A key whose value has not come yet.
enum Key {
    Good {
        text: String,
        span: Span,
    },
    /// Reported; its value is dropped.
    Bad,
}

struct Loader<'a> {
    file: FileId,
    /// Byte offset of every character, if any has more than one byte.
    offsets: Option<Vec<u32>>,
    end: u32,
    findings: &'a mut Findings,
    stack: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    root: Option<Node>,
    documents: usize,
    numbers: u32,
    nodes: usize,
    failed: bool,
}

impl<'a> Loader<'a> {
    fn new(file: FileId, text: &str, findings: &'a mut Findings) -> Self {
        let offsets =
            (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| to_u32(at)).collect());
        Self {
            file,
            offsets,
            end: to_u32(text.len()),
            findings,
            stack: Vec::new(),
            anchors: HashMap::new(),
            root: None,
            documents: 0,
            numbers: 0,
            nodes: 0,
            failed: false,
        }
    }

    /// The parser counts characters, spans count bytes.
    fn offset(&self, index: usize) -> u32 {
        match &self.offsets {
            Some(offsets) => offsets.get(index).copied().unwrap_or(self.end),
            None => to_u32(index).min(self.end),
        }
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        Span::new(
            self.file,
            self.offset(span.start.index()),
            self.offset(span.end.index()),
        )
    }

    fn id(&mut self) -> NodeId {
        let id = NodeId {
            file: self.file,
            number: self.numbers,
        };
        self.numbers = self.numbers.saturating_add(1);
        id
    }

    fn report(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    fn syntax(&mut self, text: &str, at: u32, info: &str) {
        // Of some slips the parser notices only what they lead to.
        if let Some((at, label, help)) = slip(text, at as usize, info) {
            let at = to_u32(at);
            let span = Span::new(self.file, at, at);
            let finding = Diagnostic::error(codes::YAML_SYNTAX, span, "this is not YAML");
            return self.report(finding.label(label).help(help));
        }
        let span = Span::new(self.file, at, at);
        let mut finding =
            Diagnostic::error(codes::YAML_SYNTAX, span, "this is not YAML").label(info);
        if info.contains("mapping values") {
            finding = finding
                .help("put a text that contains `: ` into quotes, and check the indentation");
        } else if info.contains("unknown anchor") {
            finding = finding.help("put a text that starts with `*` into quotes");
        } else if info.contains("quoted scalar") {
            finding = finding.help("the closing quote is missing");
        } else if info.contains("expected key") {
            finding = finding.help(
                "keys of one map begin in the same column: compare this line with those above",
            );
        } else if info.contains("expected ','") {
            finding = finding
                .help("put a text that contains `: `, `,` or a bracket into quotes, and close every bracket");
        }
        self.report(finding);
    }

    fn take(&mut self, event: Event<'_>, at: saphyr_parser::Span) {
        let span = self.span(at);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents == 2 {
                    let what = "a second document in one file";
                    let finding = Diagnostic::error(codes::YAML_FEATURE, span, what);
                    self.report(finding.help("give each definition its own file"));
                }
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Scalar(text, style, anchor, tag) => {
                let node = self.scalar(text.into_owned(), style, tag.is_some(), span);
                self.add(node, anchor, 1);
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(anchor, tag.is_some(), span, OpenContent::List(Vec::new()));
            }
            Event::MappingStart(anchor, tag) => {
                self.open(
                    anchor,
                    tag.is_some(),
                    span,
                    OpenContent::Map(OpenMap::default()),
                );
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
        }
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, tagged: bool, span: Span) -> Node {
        let id = self.id();
        if tagged {
            self.report_tag(span);
            return Node {
                id,
                span,
                value: Value::Broken,
            };
        }
        let (scalar, span) = match style {
            ScalarStyle::Plain => {
                // Inside flow collections the parser gives an absent value the place of what follows it.
                let span = if text.is_empty() {
                    Span::new(span.file, span.start, span.start)
                } else {
                    span
                };
                match Scalar::plain(text) {
                    Ok(scalar) => (scalar, span),
                    Err(ambiguous) => {
                        let what = "this number has to be quoted";
                        let finding = Diagnostic::error(codes::AMBIGUOUS_NUMBER, span, what);
                        let finding = finding.label(ambiguous.why);
                        self.report(finding.help(ambiguous.help()));
                        return Node {
                            id,
                            span,
                            value: Value::Broken,
                        };
                    }
                }
            }
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                (Scalar::text(text, Style::Quoted), span)
            }
            ScalarStyle::Literal | ScalarStyle::Folded => (Scalar::text(text, Style::Block), span),
        };
        Node {
            id,
            span,
            value: Value::Scalar(scalar),
        }
    }

    fn report_tag(&mut self, span: Span) {
        let finding = Diagnostic::error(codes::YAML_FEATURE, span, "definitions use no YAML tags");
        self.report(finding.help("remove the tag; quotes make a value text"));
    }

    fn open(&mut self, anchor: usize, tagged: bool, span: Span, content: OpenContent) {
        if self.stack.len() >= DEPTH_MAX {
            let what = format!("nested deeper than {DEPTH_MAX} levels");
            self.report(Diagnostic::error(codes::TOO_LARGE, span, what));
            self.failed = true;
            return;
        }
        let id = self.id();
        self.stack.push(Open {
            id,
            start: span.start,
            anchor,
            tagged,
            content,
        });
    }

    fn close(&mut self, span: Span) {
        let Some(open) = self.stack.pop() else { return };
        let (last, value) = match open.content {
            OpenContent::List(items) => {
                (items.last().map(|item| item.span.end), Value::List(items))
            }
            // Nothing but keys that were reported: whoever expects text here need not be told again.
            OpenContent::Map(map) if map.entries.is_empty() && map.bad_keys => {
                (None, Value::Broken)
            }
            OpenContent::Map(map) => (
                map.entries.last().map(|entry| entry.value.span.end),
                Value::Map(map.entries),
            ),
        };
        // The end of a block collection is noticed only where the next thing starts.
        let end = if span.is_empty() {
            last.unwrap_or(open.start)
        } else {
            span.end
        };
        let span = Span::new(self.file, open.start, end);
        let mut node = Node {
            id: open.id,
            span,
            value,
        };
        if open.tagged {
            self.report_tag(span);
            node.value = Value::Broken;
        }
        self.add(node, open.anchor, 1);
    }

    fn alias(&mut self, anchor: usize, span: Span) {
        let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
            let what = "an alias inside what it stands for";
            self.report(Diagnostic::error(codes::YAML_FEATURE, span, what));
            let id = self.id();
            self.add(
                Node {
                    id,
                    span,
                    value: Value::Broken,
                },
                0,
                1,
            );
            return;
        };
        let deep = self.stack.len() + depth(&node);
        if deep > DEPTH_MAX {
            let what = format!("nested deeper than {DEPTH_MAX} levels");
            self.report(Diagnostic::error(codes::TOO_LARGE, span, what));
            self.failed = true;
            return;
        }
        self.add(node, 0, size);
    }

    /// Adds a finished node of `size` new nodes to what is open.
    fn add(&mut self, node: Node, anchor: usize, size: usize) {
        // An anchored node is kept a second time, for its aliases.
        let size = if anchor == 0 {
            size
        } else {
            size.saturating_add(count(&node))
        };
        self.nodes = self.nodes.saturating_add(size);
        if self.nodes > NODES_MAX {
            let what = format!("more than {NODES_MAX} values, aliases counted each time");
            self.report(Diagnostic::error(codes::TOO_LARGE, node.span, what));
            self.failed = true;
            return;
        }
        if anchor != 0 {
            let size = count(&node);
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(open) = self.stack.last_mut() else {
            self.root.get_or_insert(node);
            return;
        };
        match &mut open.content {
            OpenContent::List(items) => items.push(node),
            OpenContent::Map(map) => map.add(node, self.findings),
        }
    }

    fn finish(mut self) -> Node {
        let id = NodeId {
            file: self.file,
            number: u32::MAX,
        };
        let nothing = Value::Scalar(Scalar {
            text: String::new(),
            style: Style::Plain,
            kind: super::Kind::Null,
        });
        let empty = Node {
            id,
            span: Span::new(self.file, 0, 0),
            value: nothing,
        };
        self.root.take().unwrap_or(empty)
    }
}

impl OpenMap {
    fn add(&mut self, node: Node, findings: &mut Findings) {
        match self.key.take() {
            None => {
                let key = as_key(&node, findings);
                self.bad_keys |= matches!(key, Key::Bad);
                self.key = Some(key);
            }
            Some(Key::Bad) => {}
            Some(Key::Good { text, span }) => {
                if let Some(first) = self.seen.get(&text) {
                    let what = format!("the key `{text}` stands twice");
                    let finding = Diagnostic::error(codes::DUPLICATE_KEY, span, what)
                        .related(*first, "it stands here first")
                        .help("remove one of the two");
                    findings.push(finding);
                } else {
                    self.seen.insert(text.clone(), span);
                    self.entries.push(Entry {
                        key: text,
                        key_span: span,
                        value: node,
                    });
                }
            }
        }
    }
}

fn as_key(node: &Node, findings: &mut Findings) -> Key {
    match &node.value {
        Value::Scalar(scalar) => Key::Good {
            text: scalar.text.clone(),
            span: node.span,
        },
        Value::Broken => Key::Bad,
        Value::Map(_) => {
            // `key: {{ expression }}` without quotes is, to YAML, a map whose key is a map.
            let what = "an expression in braces has to be quoted";
            let finding = Diagnostic::error(codes::YAML_FEATURE, node.span, what);
            findings.push(finding.help("write \"{{ … }}\" with quotes around it"));
            Key::Bad
        }
        Value::List(_) => {
            findings.push(Diagnostic::error(
                codes::YAML_FEATURE,
                node.span,
                "a key has to be text",
            ));
            Key::Bad
        }
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.value {
        Value::Scalar(_) | Value::Broken => 0,
        Value::List(items) => items.iter().map(count).sum(),
        Value::Map(entries) => entries.iter().map(|entry| 1 + count(&entry.value)).sum(),
    }
}

fn depth(node: &Node) -> usize {
    match &node.value {
        Value::Scalar(_) | Value::Broken => 0,
        Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Map(entries) => {
            1 + entries
                .iter()
                .map(|entry| depth(&entry.value))
                .max()
                .unwrap_or(0)
        }
    }
}
