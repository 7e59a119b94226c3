//! `new`: the beginning of a definition, with what the systems' definitions already say filled in.

mod connector;
mod openapi;

use crate::definitions::Definitions;
use crate::failure::{Exit, advise, usage};
use crate::files::{self, Root};
use crate::terminal::Terminal;
use anyhow::Context as _;
use clap::Subcommand;
use ml_connector_core::identity::ConnectorId;
use ml_connector_core::plan::{Connector, EventId, Operation, Trigger};
use serde_json::Value as Document;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Arguments of `new`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ml-connector new connector tallybook --openapi tallybook.yaml\n  \
    ml-connector new mapping netledger-payfast/bills --from payfast.events --to netledger.create_bill\n\n\
    `ml-connector validate` then says what is left to do: every `TODO` is a finding that lists what could stand there.")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The folder of a system that nobody has described yet.
    Connector {
        /// Its name, a lower-case word.
        name: String,
        /// The system's OpenAPI document, as JSON or YAML: its operations and their schemas are written down.
        #[arg(long, value_name = "FILE")]
        openapi: Option<PathBuf>,
    },
    /// An integration with its first case.
    Mapping {
        /// Its name: `PAIRING/FLOW`.
        name: String,
        /// Where events come from: `CONNECTOR.TRIGGER`.
        #[arg(long, value_name = "CONNECTOR.TRIGGER")]
        from: String,
        /// What is written: `CONNECTOR.OPERATION`.
        #[arg(long, value_name = "CONNECTOR.OPERATION")]
        to: String,
    },
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let (name, from, to) = match &args.what {
        What::Connector { name, openapi } => {
            return new_connector(name, openapi.as_deref(), terminal);
        }
        What::Mapping { name, from, to } => (name, from, to),
    };
    let (pairing, flow) = name
        .split_once('/')
        .filter(|(pairing, flow)| is_name(pairing) && is_name(flow))
        .ok_or_else(|| {
            usage(format!(
                "`{name}` is not of the form PAIRING/FLOW, in lower-case words joined by `-`"
            ))
        })?;
    let root = Root::above(Path::new("."))?;
    let mut definitions = Definitions::load(&root)?;
    definitions.sound(terminal)?;
    let source = source(&definitions, from)?;
    let sink = sink(&definitions, to)?;
    let folder = root.join("mappings").join(pairing);
    let schemas = root.join("schemas/dsl").is_dir();
    let integration = folder.join(format!("{flow}.yaml"));
    let case = folder.join("cases").join(format!("{flow}.yaml"));
    for (file, text) in [
        (
            &integration,
            integration_text(name, &source, &sink, schemas),
        ),
        (&case, case_text(name, &source, &sink, schemas)),
    ] {
        write_new(file, &text)?;
        terminal.line(file.display().to_string())?;
    }
    terminal.tell("`ml-connector validate` says what is left to do");
    Ok(Exit::Fine)
}

fn new_connector(
    name: &str,
    openapi: Option<&Path>,
    terminal: &mut Terminal,
) -> anyhow::Result<Exit> {
    if !is_name(name) {
        return Err(usage(format!(
            "`{name}` is no name: lower-case letters, digits and `-`, a letter first"
        )));
    }
    let document = match openapi {
        Some(file) => {
            let read = openapi::read(&files::read(file)?);
            let document = read.map_err(|why| usage(format!("`{}`: {why}", file.display())))?;
            Some(document)
        }
        None => None,
    };
    // The first connector of all makes the folders.
    let root = Root::above(Path::new(".")).unwrap_or_else(|_| PathBuf::from("."));
    let (files, lost) = connector::files(name, document.as_ref());
    for (file, text) in files {
        let file = root.join(&file);
        write_new(&file, &text)?;
        terminal.line(file.display().to_string())?;
    }
    if lost > 0 {
        terminal.tell(format!(
            "{lost} references lead out of the document or nowhere: anything goes there"
        ));
    }
    terminal.tell("`ml-connector validate` says what is left to do");
    Ok(Exit::Fine)
}

/// A connector and one of its triggers.
struct Source<'a> {
    connector: &'a Connector,
    trigger: &'a Trigger,
}

/// A connector and one of its writes.
struct Sink<'a> {
    connector: &'a Connector,
    operation: &'a Operation,
}

fn source<'a>(definitions: &'a Definitions, from: &str) -> anyhow::Result<Source<'a>> {
    let (connector, name) = named(definitions, from, "CONNECTOR.TRIGGER")?;
    let trigger = connector.triggers.get(name).ok_or_else(|| {
        none_of(
            "trigger",
            from,
            connector.triggers.keys().map(String::as_str),
        )
    })?;
    Ok(Source { connector, trigger })
}

fn sink<'a>(definitions: &'a Definitions, to: &str) -> anyhow::Result<Sink<'a>> {
    let (connector, name) = named(definitions, to, "CONNECTOR.OPERATION")?;
    let writes = || {
        connector
            .operations
            .iter()
            .filter(|(_, operation)| operation.write().is_some())
    };
    let operation = writes()
        .find(|(one, _)| one.as_str() == name)
        .ok_or_else(|| {
            none_of(
                "write operation",
                to,
                writes().map(|(name, _)| name.as_str()),
            )
        })?;
    Ok(Sink {
        connector,
        operation: operation.1,
    })
}

fn named<'a, 'n>(
    definitions: &'a Definitions,
    name: &'n str,
    form: &str,
) -> anyhow::Result<(&'a Connector, &'n str)> {
    let (connector, rest) = name
        .split_once('.')
        .ok_or_else(|| usage(format!("`{name}` is not of the form {form}")))?;
    let connectors = &definitions.library.connectors;
    let found = connectors.get(&ConnectorId::new(connector));
    let found = found.ok_or_else(|| {
        none_of(
            "connector",
            connector,
            connectors.keys().map(ConnectorId::as_str),
        )
    })?;
    Ok((found, rest))
}

fn none_of<'a>(what: &str, name: &str, there: impl Iterator<Item = &'a str>) -> anyhow::Error {
    let there: Vec<&str> = there.collect();
    usage(format!(
        "there is no {what} `{name}`; there are: {}",
        there.join(", ")
    ))
}

fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain)
}

fn integration_text(name: &str, source: &Source<'_>, sink: &Sink<'_>, schemas: bool) -> String {
    let (from, to) = (source.connector.id.as_str(), sink.connector.id.as_str());
    let members = members(&source.trigger.schema);
    let mut text = String::new();
    if schemas {
        text += "# yaml-language-server: $schema=../../schemas/dsl/integration.json\n";
    }
    let connections = if from == to {
        format!("{from}: {from}")
    } else {
        format!("{from}: {from}, {to}: {to}")
    };
    let key = match &source.trigger.id {
        EventId::At(paths) => event_expression(paths.first().map_or("", |path| path.source())),
        EventId::Content(_) => "event | fingerprint".to_owned(),
    };
    // Writing to a string cannot fail.
    let _written = write!(
        text,
        "version: 1\nintegration: {name}\ntitle: TODO what happens, in a sentence\n\
         connections: {{ {connections} }}\n\
         source:\n  connection: {from}\n  trigger: {trigger}\n  \
         # when: event.TODO == '…'        # which events; they have: {members}\n\
         dedup_key: \"{{{{ {key} }}}}\"\n\
         # order_key: \"{{{{ event.TODO }}}}\"   # what must go in order\n\
         sink:\n  operation: {to}.{operation}\n",
        trigger = source.trigger.name,
        operation = sink.operation.name,
    );
    if sink
        .operation
        .write()
        .is_some_and(|write| write.reference.is_some())
    {
        let _written = writeln!(
            text,
            "  reference: \"{{{{ {key} }}}}\"   # what the target's document is found by"
        );
    }
    text += "  fields:\n";
    for (field, property) in properties(&sink.operation.input) {
        let about = about(property);
        let _written = if is_needed(property) {
            writeln!(text, "    {field}: \"{{{{ event.TODO }}}}\"   # {about}")
        } else {
            writeln!(
                text,
                "    # {field}: \"{{{{ event.TODO }}}}\"   # {about}, optional"
            )
        };
    }
    text
}

fn case_text(name: &str, source: &Source<'_>, sink: &Sink<'_>, schemas: bool) -> String {
    let mut text = String::new();
    if schemas {
        text += "# yaml-language-server: $schema=../../../schemas/dsl/case.json\n";
    }
    let _written = write!(
        text,
        "version: 1\ncase: TODO what it shows, in a sentence\nintegration: {name}\nevent:\n"
    );
    for (member, _) in properties(&source.trigger.schema) {
        let _written = writeln!(text, "  {member}: TODO");
    }
    let _written = write!(
        text,
        "expect:          # `ml-connector test --update` fills in what comes of it\n  \
         deliver:\n    operation: {}.{}\n    input: {{}}\n    request: {{ method: POST, url: TODO }}\n",
        sink.connector.id, sink.operation.name
    );
    text
}

/// An expression for a simple path such as `$.id`.
fn event_expression(path: &str) -> String {
    let members = path.strip_prefix("$.").unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if members.is_empty() || !members.chars().all(plain) {
        "event.TODO".to_owned()
    } else {
        format!("event.{members}")
    }
}

fn properties(schema: &Document) -> impl Iterator<Item = (&String, &Document)> {
    schema
        .get("properties")
        .and_then(Document::as_object)
        .into_iter()
        .flatten()
}

fn members(schema: &Document) -> String {
    let names: Vec<&str> = properties(schema).map(|(name, _)| name.as_str()).collect();
    names.join(", ")
}

fn is_needed(property: &Document) -> bool {
    property.get("default").is_none() && property.get("optional") != Some(&Document::Bool(true))
}

/// A property in a few words.
fn about(property: &Document) -> String {
    let word = |key: &str| property.get(key).and_then(Document::as_str);
    let mut parts = vec![
        word("format")
            .or_else(|| word("type"))
            .unwrap_or("value")
            .to_owned(),
    ];
    if let Some(unit) = word("x-unit") {
        parts.push(format!("{unit} units"));
    }
    if let Some(length) = property.get("maxLength") {
        parts.push(format!("at most {length} characters"));
    }
    parts.extend(word("description").map(|text| text.trim_end_matches('.').to_owned()));
    parts.join(", ")
}

/// Writes a file that is not there yet.
fn write_new(file: &Path, text: &str) -> anyhow::Result<()> {
    if file.exists() {
        return Err(advise(
            format!("`{}` is there already", file.display()),
            "choose another name; nothing is overwritten",
        ));
    }
    let write = || {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, text)
    };
    write().with_context(|| format!("cannot write `{}`", file.display()))
}

#[cfg(test)]
mod tests {
    use super::{about, event_expression, is_name};
    use serde_json::json;

    #[test]
    fn simple_paths_become_expressions() {
        assert_eq!(event_expression("$.data.id"), "event.data.id");
        assert_eq!(event_expression("$['id']"), "event.TODO");
        assert_eq!(event_expression("$"), "event.TODO");
    }

    #[test]
    fn a_property_is_told_in_a_few_words() {
        assert_eq!(
            about(&json!({ "type": "string", "maxLength": 15, "description": "The account." })),
            "string, at most 15 characters, The account"
        );
        assert_eq!(
            about(&json!({ "type": "number", "x-unit": "major" })),
            "number, major units"
        );
    }

    #[test]
    fn names_are_lower_case_words() {
        assert!(is_name("payment-receipts") && is_name("sap2"));
        assert!(!is_name("") && !is_name("Payments") && !is_name("../x") && !is_name("-x"));
    }
}
