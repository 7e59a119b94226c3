//! A rehearsal as people and programs see it: what would be sent, and why each field has its value.

use crate::terminal::{Terminal, Tone};
use crate::views::plain;
use ml_connector_core::cases::request_document;
use ml_connector_core::delivery::Trouble;
use ml_connector_core::rehearsal::{Answered, Asked, End, Need, Origin, Rehearsed};
use ml_connector_core::source::SourceSet;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Document;
use std::io;

/// Output of `preview --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "preview")]
pub(crate) struct PreviewOutput {
    /// Version of this document's form.
    pub(crate) version: u32,
    /// Which integration.
    pub(crate) integration: String,
    /// Where it ended: deliver, skipped, held, not_routed, or needs (something that was not given).
    pub(crate) end: String,
    /// Why it ended there, unless it would be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
    /// The next step, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) help: Option<String>,
    /// What was asked on the way.
    pub(crate) reads: Vec<ReadView>,
    /// Where the keys and fields came from.
    pub(crate) fields: Vec<FieldView>,
    /// The write operation, as `connection.operation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operation: Option<String>,
    /// The request, secrets and personal values masked: `method`, `url`, and where there are any `query`, `headers`, `body`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<Document>,
}

/// Something that was asked before mapping.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ReadView {
    /// The name under which the integration sees it.
    name: String,
    /// What was asked.
    asked: String,
    /// The request of a read operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Document>,
    /// What it gave; null for "not there".
    gave: Document,
}

/// Where one value came from.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FieldView {
    /// Dotted path of the field.
    field: String,
    /// Its value; null where the path stands for several.
    value: Document,
    /// The expression, as written.
    expression: String,
    /// Where it is written: `file:line:column`.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    /// What the expression read, by name.
    reads: serde_json::Map<String, Document>,
}

impl PreviewOutput {
    /// Makes a view of a rehearsal.
    pub(crate) fn of(
        integration: &str,
        rehearsed: &Rehearsed,
        origins: &[Origin],
        sources: &SourceSet,
    ) -> Self {
        let (end, why, help) = ended(&rehearsed.end);
        let (operation, request) = match &rehearsed.end {
            End::Deliver(written) => {
                let prepared = &written.prepared;
                let operation = format!("{}.{}", prepared.connection, prepared.operation);
                (Some(operation), Some(request_document(&written.request)))
            }
            End::NotRouted
            | End::Skipped { .. }
            | End::Trouble(_)
            | End::NotGiven(_)
            | End::Unwritable(_) => (None, None),
        };
        Self {
            version: 1,
            integration: integration.to_owned(),
            end: end.to_owned(),
            why,
            help,
            reads: rehearsed.answered.iter().map(ReadView::of).collect(),
            fields: origins
                .iter()
                .map(|origin| FieldView::of(origin, sources))
                .collect(),
            operation,
            request,
        }
    }

    /// Prints it for people.
    pub(crate) fn print(&self, terminal: &mut Terminal) -> io::Result<()> {
        let verdict = match self.end.as_str() {
            "deliver" => terminal.tone(Tone::Good, "would be sent"),
            "skipped" => terminal.tone(Tone::Doubt, "would be skipped"),
            "not_routed" => terminal.tone(Tone::Doubt, "is none of its events"),
            "needs" => terminal.tone(Tone::Bad, "needs something that was not given"),
            _ => terminal.tone(Tone::Bad, "would be held"),
        };
        terminal.line(format!("{}: {verdict}", self.integration))?;
        if let Some(why) = &self.why {
            terminal.line(format!("  {why}"))?;
        }
        if let Some(help) = &self.help {
            terminal.line(format!("  help: {help}"))?;
        }
        self.print_reads(terminal)?;
        self.print_fields(terminal)?;
        if let (Some(operation), Some(request)) = (&self.operation, &self.request) {
            heading(terminal, &format!("Request ({operation})"))?;
            print_request(terminal, request, "  ")?;
        }
        Ok(())
    }

    fn print_reads(&self, terminal: &mut Terminal) -> io::Result<()> {
        if self.reads.is_empty() {
            return Ok(());
        }
        heading(terminal, "Reads")?;
        for read in &self.reads {
            terminal.line(format!(
                "  {}: {}",
                terminal.tone(Tone::Strong, &read.name),
                read.asked
            ))?;
            if let Some(request) = &read.request {
                let (method, url) = (plain_at(request, "method"), plain_at(request, "url"));
                terminal.line(terminal.tone(Tone::Faint, &format!("    {method} {url}")))?;
            }
            let gave = if read.gave.is_null() {
                "nothing".to_owned()
            } else {
                cut(&read.gave.to_string())
            };
            terminal.line(format!("    gave {gave}"))?;
        }
        Ok(())
    }

    fn print_fields(&self, terminal: &mut Terminal) -> io::Result<()> {
        if self.fields.is_empty() {
            return Ok(());
        }
        heading(terminal, "Fields")?;
        let width = self
            .fields
            .iter()
            .map(|field| field.field.chars().count())
            .max()
            .unwrap_or(0);
        for field in &self.fields {
            let fill = " ".repeat(width - field.field.chars().count());
            let name = terminal.tone(Tone::Strong, &field.field);
            terminal.line(format!("  {name}{fill}  {}", cut(&plain(&field.value))))?;
            let indent = " ".repeat(width + 4);
            let place = field.place.as_deref().unwrap_or_default();
            let from = format!("{indent}from {}  {place}", field.expression);
            terminal.line(terminal.tone(Tone::Faint, from.trim_end()))?;
            for (name, value) in &field.reads {
                let read = format!("{indent}where {name} = {}", cut(&value.to_string()));
                terminal.line(terminal.tone(Tone::Faint, &read))?;
            }
        }
        Ok(())
    }
}

impl ReadView {
    fn of(answered: &Answered) -> Self {
        let Need { name, what } = &answered.need;
        let request = match what {
            Asked::Read {
                request: Ok(request),
                ..
            } => Some(request_document(request)),
            Asked::Read {
                request: Err(_), ..
            }
            | Asked::Crosswalk { .. }
            | Asked::Delivery { .. } => None,
        };
        Self {
            name: name.clone(),
            asked: asked(what),
            request,
            gave: answered.document.clone(),
        }
    }
}

impl FieldView {
    fn of(origin: &Origin, sources: &SourceSet) -> Self {
        let reads = origin
            .reads
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().unwrap_or(Document::Null)));
        Self {
            field: origin.field.clone(),
            value: origin.value.clone().unwrap_or(Document::Null),
            expression: origin.expression.clone(),
            place: origin.span.map(|span| sources.show(span)),
            reads: reads.collect(),
        }
    }
}

/// What is asked, in words.
pub(crate) fn asked(what: &Asked) -> String {
    match what {
        Asked::Read {
            connection,
            operation,
            input,
            ..
        } => {
            format!("{connection}.{operation} with {input}")
        }
        Asked::Crosswalk { table, key } => format!("crosswalk {table}, key {key}"),
        Asked::Delivery { integration, key } => format!("the receipt of {integration} for {key}"),
    }
}

fn ended(end: &End) -> (&'static str, Option<String>, Option<String>) {
    match end {
        End::Deliver(_) => ("deliver", None, None),
        End::NotRouted => ("not_routed", None, None),
        End::Skipped { reason } => ("skipped", Some(reason.clone()), None),
        End::Trouble(Trouble::Passing { class, why, .. }) => {
            ("held", Some(format!("{}: {why}", class.as_str())), None)
        }
        End::Trouble(Trouble::Lasting {
            class, why, help, ..
        }) => {
            let help = Some(help.clone()).filter(|help| !help.is_empty());
            ("held", Some(format!("{}: {why}", class.as_str())), help)
        }
        End::Unwritable(error) => ("held", Some(error.to_string()), None),
        End::NotGiven(need) => {
            let help = match &need.what {
                Asked::Crosswalk { .. } => format!(
                    "give the entry's values with `--crosswalk {}={{\"column\":\"value\"}}`, or null if there is none",
                    need.name
                ),
                Asked::Read { .. } | Asked::Delivery { .. } => format!(
                    "give what it answers with `--fetch {}=FILE`, or use a case that has it: `--case FILE`",
                    need.name
                ),
            };
            (
                "needs",
                Some(format!("{}: {}", need.name, asked(&need.what))),
                Some(help),
            )
        }
    }
}

/// A request, one part per line; texts of several lines and documents below their names.
pub(crate) fn print_request(
    terminal: &mut Terminal,
    request: &Document,
    indent: &str,
) -> io::Result<()> {
    let (method, url) = (plain_at(request, "method"), plain_at(request, "url"));
    terminal.line(format!("{indent}{method} {url}"))?;
    for part in ["query", "headers"] {
        let Some(Document::Object(members)) = request.get(part) else {
            continue;
        };
        terminal.line(format!("{indent}{part}:"))?;
        for (name, value) in members {
            let value = plain(value);
            if value.contains('\n') {
                terminal.line(format!("{indent}  {name}:"))?;
                block(terminal, &value, &format!("{indent}    "))?;
            } else {
                terminal.line(format!("{indent}  {name}: {value}"))?;
            }
        }
    }
    if let Some(body) = request.get("body") {
        terminal.line(format!("{indent}body:"))?;
        let text = body
            .as_str()
            .map_or_else(|| format!("{body:#}"), str::to_owned);
        block(terminal, &text, &format!("{indent}  "))?;
    }
    Ok(())
}

fn block(terminal: &mut Terminal, text: &str, indent: &str) -> io::Result<()> {
    text.lines()
        .try_for_each(|line| terminal.line(format!("{indent}{line}")))
}

fn heading(terminal: &mut Terminal, text: &str) -> io::Result<()> {
    terminal.line("")?;
    terminal.line(terminal.tone(Tone::Strong, text))
}

fn plain_at(document: &Document, member: &str) -> String {
    document.get(member).map(plain).unwrap_or_default()
}

/// The longest value shown on a line.
const VALUE_CHARACTERS_MAX: usize = 160;

fn cut(text: &str) -> String {
    if text.chars().count() <= VALUE_CHARACTERS_MAX {
        return text.to_owned();
    }
    text.chars()
        .take(VALUE_CHARACTERS_MAX)
        .chain(['…'])
        .collect()
}

/// A document as YAML.
pub(crate) fn yaml_text(document: &Document) -> anyhow::Result<String> {
    Ok(serde_yaml::to_string(&yaml_value(document))?)
}

fn yaml_value(document: &Document) -> serde_yaml::Value {
    match document {
        Document::Null => serde_yaml::Value::Null,
        Document::Bool(flag) => serde_yaml::Value::Bool(*flag),
        // serde_yaml has no exact decimals: what is not an integer is written as text, which keeps its digits.
        Document::Number(number) => match number.as_i64() {
            Some(number) => serde_yaml::Value::from(number),
            None => serde_yaml::Value::String(number.to_string()),
        },
        Document::String(text) => serde_yaml::Value::String(text.clone()),
        Document::Array(items) => items.iter().map(yaml_value).collect::<Vec<_>>().into(),
        Document::Object(members) => {
            let pairs = members
                .iter()
                .map(|(name, value)| (serde_yaml::Value::String(name.clone()), yaml_value(value)));
            serde_yaml::Value::Mapping(pairs.collect())
        }
    }
}
