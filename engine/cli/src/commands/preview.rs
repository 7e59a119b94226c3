//! `preview`: the exact request an event would lead to, and why each field has its value. Sends and reads nothing.

use crate::definitions::{Definitions, groups};
use crate::failure::{Exit, usage};
use crate::files::{self, Root};
use crate::rehearsed::{PreviewOutput, yaml_text};
use crate::site::SiteArgs;
use crate::terminal::Terminal;
use anyhow::Context as _;
use clap::ValueEnum;
use indexmap::IndexMap;
use ml_connector_core::cases::{self, Case};
use ml_connector_core::identity::{ConnectionId, InstanceId, IntegrationId};
use ml_connector_core::plan::{Connection, EventId, Instance, Integration, TriggerKind};
use ml_connector_core::rehearsal::{End, Given, Need, Rehearsal, origins};
use ml_connector_runtime::{Clock as _, SystemClock};
use serde_json::Value as Document;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arguments of `preview`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ml-connector preview netledger-payfast/bills --event event.json --fetch bill=bill.json\n  \
    ml-connector preview netledger-payfast/bills --case mappings/netledger-payfast/cases/paid.yaml\n  \
    ml-connector preview bills --event event.json --fetch reads.json --crosswalk 'customer={\"account\":\"0000417\"}'\n\n\
    Secrets stand as [secret], the session as [session], values that schemas declare as personal as [masked].\n\
    Exit codes: 0 it would be sent, skipped, or is none of the integration's events; 1 it would be held, or something \
    was not given.")]
pub(crate) struct Args {
    /// The integration; with a site file also an integration's name there.
    integration: String,
    /// The event: a JSON file, or `-` for stdin. Of a whole webhook body the first event is taken.
    #[arg(long, value_name = "FILE", required_unless_present = "case")]
    event: Option<PathBuf>,
    /// A case that gives event, settings, parameters and what reads answer, as far as nothing else does.
    #[arg(long, value_name = "FILE")]
    case: Option<PathBuf>,
    /// What a read gives: `NAME=FILE`, or a JSON file with one member per read. Null stands for "not there".
    #[arg(long, value_name = "[NAME=]FILE")]
    fetch: Vec<String>,
    /// An entry of a matching table, by the name of the fetch: `NAME={"column":"value"}`, or `NAME=null`.
    #[arg(long, value_name = "NAME=JSON")]
    crosswalk: Vec<String>,
    /// A parameter, where there is no site file: `NAME=VALUE`; the value is text unless it is JSON.
    #[arg(long, value_name = "NAME=VALUE")]
    param: Vec<String>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    site: SiteArgs,
}

/// How a preview is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON document; `ml-connector schema output preview` describes it.
    Json,
    /// The same as YAML.
    Yaml,
}

/// What an event goes through: an instance with its connections.
struct Stage {
    instance: Arc<Instance>,
    connections: IndexMap<ConnectionId, Arc<Connection>>,
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let (definitions, bound) = load(args, terminal)?;
    let case = args
        .case
        .as_deref()
        .map(|file| case(&definitions, file))
        .transpose()?;
    let stage = match bound {
        Some(_) if !args.param.is_empty() => {
            return Err(usage(
                "the parameters are the site's; `--param` is for previews without a site file",
            ));
        }
        Some(stage) => stage,
        None => without_site(args, &definitions, case)?,
    };
    let event = match (&args.event, case) {
        (Some(file), _) => one_event(
            &stage.instance.integration,
            read_json(file, terminal)?,
            terminal,
        ),
        (None, Some(case)) => case.event.clone(),
        (None, None) => return Err(usage("give an event with `--event FILE` or `--case FILE`")),
    };
    let given = given(args, terminal)?;
    let rehearsal = Rehearsal {
        instance: &stage.instance,
        connections: &stage.connections,
        event: &event,
        group: case.map_or((1, None), |case| case.group),
        now: SystemClock.now(),
        mask_personal: true,
    };
    let rehearsed = rehearsal.run(&mut |need| answered(&given, case, need), None);
    let (event, rehearsed) = rehearsal.discreet(&rehearsed);
    let why = origins(&stage.instance, &event, &rehearsed);
    let name = stage.instance.integration.id.as_str();
    let output = PreviewOutput::of(name, &rehearsed, &why, &definitions.sources);
    match args.format {
        Format::Text => output.print(terminal)?,
        Format::Json => terminal.json(&output)?,
        Format::Yaml => terminal.raw(yaml_text(&serde_json::to_value(&output)?)?)?,
    }
    Ok(match rehearsed.end {
        End::Deliver(_) | End::Skipped { .. } | End::NotRouted => Exit::Fine,
        End::Trouble(_) | End::NotGiven(_) | End::Unwritable(_) => Exit::Findings,
    })
}

/// The definitions, and the instance that is meant if there is a site file. A case brings its own settings, so it goes
/// without.
fn load(args: &Args, terminal: &mut Terminal) -> anyhow::Result<(Definitions, Option<Stage>)> {
    if args.case.is_none() && args.site.site.is_file() {
        let installation = args.site.read(terminal)?;
        let (definitions, plan) = installation.plan(terminal)?;
        let wanted = InstanceId::new(&args.integration);
        let integration = IntegrationId::new(&args.integration);
        let found = plan.instances.get(&wanted).or_else(|| {
            plan.instances
                .values()
                .find(|one| one.integration.id == integration)
        });
        let stage = found.map(|instance| Stage {
            instance: Arc::clone(instance),
            connections: plan.connections.clone(),
        });
        return Ok((definitions, stage));
    }
    let near = args.case.clone().unwrap_or_else(|| PathBuf::from("."));
    let mut definitions = Definitions::load(&Root::above(&near)?)?;
    definitions.sound(terminal)?;
    Ok((definitions, None))
}

/// The integration with the settings of a case, or with none but defaults.
fn without_site(
    args: &Args,
    definitions: &Definitions,
    case: Option<&Case>,
) -> anyhow::Result<Stage> {
    let id = IntegrationId::new(&args.integration);
    let integration = definitions.library.integrations.get(&id).ok_or_else(|| {
        let names: Vec<&str> = definitions
            .library
            .integrations
            .keys()
            .map(IntegrationId::as_str)
            .collect();
        usage(format!(
            "there is no integration `{id}`; there are: {}",
            names.join(", ")
        ))
    })?;
    if let Some(case) = case.filter(|case| case.integration != id) {
        return Err(usage(format!(
            "the case is about `{}`, not `{id}`",
            case.integration
        )));
    }
    let none = IndexMap::new();
    let mut params = case.map_or(Document::Null, |case| case.params.clone());
    for param in &args.param {
        let (name, value) = pair(param)?;
        if !params.is_object() {
            params = Document::Object(serde_json::Map::new());
        }
        if let Document::Object(params) = &mut params {
            let value = serde_json::from_str(value).unwrap_or_else(|_| Document::from(value));
            params.insert(name.to_owned(), value);
        }
    }
    let settings = case.map_or(&none, |case| &case.settings);
    let (instance, connections) = cases::stage(integration, settings, &params);
    Ok(Stage {
        instance: Arc::new(instance),
        connections,
    })
}

fn case<'a>(definitions: &'a Definitions, file: &Path) -> anyhow::Result<&'a Case> {
    let group = groups(std::slice::from_ref(&file.to_owned()))?;
    let is_meant = |case: &&Case| {
        let name = definitions.sources.name(case.span.file);
        group.values().any(|group| group.names(name))
    };
    definitions
        .library
        .cases
        .iter()
        .find(is_meant)
        .ok_or_else(|| usage(format!("`{}` is no case", file.display())))
        .and_then(|case| match case.statement {
            Some(_) => Err(usage(format!(
                "`{}` is a case of a statement, which posts nothing; `ml-connector test` runs it",
                file.display()
            ))),
            None => Ok(case),
        })
}

/// What is handed in on the command line, by the name of the need.
fn given(args: &Args, terminal: &mut Terminal) -> anyhow::Result<IndexMap<String, Document>> {
    let mut given = IndexMap::new();
    for one in &args.fetch {
        if let Some((name, file)) = one.split_once('=') {
            given.insert(name.to_owned(), read_json(Path::new(file), terminal)?);
            continue;
        }
        let Document::Object(members) = read_json(Path::new(one), terminal)? else {
            return Err(usage(format!(
                "`{one}` must hold an object with one member per read"
            )));
        };
        given.extend(members);
    }
    for one in &args.crosswalk {
        let (name, json) = pair(one)?;
        let values = serde_json::from_str(json)
            .map_err(|error| usage(format!("the values of `{name}` are not JSON: {error}")))?;
        given.insert(name.to_owned(), values);
    }
    Ok(given)
}

fn answered(given: &IndexMap<String, Document>, case: Option<&Case>, need: &Need) -> Option<Given> {
    let document = given.get(&need.name).cloned().map(Given::Document);
    document.or_else(|| cases::given(case?, need))
}

/// The first event of a webhook's whole body; anything else is the event itself.
fn one_event(integration: &Integration, document: Document, terminal: &mut Terminal) -> Document {
    let source = &integration.source;
    let trigger = integration
        .connections
        .get(&source.connection)
        .and_then(|connector| connector.triggers.get(&source.trigger));
    let Some(trigger) = trigger else {
        return document;
    };
    let TriggerKind::Webhook(webhook) = &trigger.kind else {
        return document;
    };
    // An event has an id, a whole body has none.
    let has_id = |id: &EventId| id.of(&document, SystemClock.now()).is_some();
    if matches!(&trigger.id, id @ EventId::At(_) if has_id(id)) {
        return document;
    }
    let events = webhook.each.all(&document);
    let Some(first) = events.first() else {
        return document;
    };
    if events.len() > 1 {
        terminal.tell(format!("the first of {} events", events.len()));
    }
    (*first).clone()
}

fn read_json(file: &Path, terminal: &mut Terminal) -> anyhow::Result<Document> {
    let bytes = if file == Path::new("-") {
        terminal.read_input().context("cannot read stdin")?
    } else {
        files::read(file)?
    };
    serde_json::from_slice(&bytes)
        .map_err(|error| usage(format!("`{}` is not JSON: {error}", file.display())))
}

fn pair(text: &str) -> anyhow::Result<(&str, &str)> {
    text.split_once('=')
        .ok_or_else(|| usage(format!("`{text}` is not of the form NAME=VALUE")))
}
