//! `schema`: JSON Schemas of what goes in (definitions) and what comes out (documents for programs).

use super::audit::{HistoryOutput, RecordOutput, VerificationOutput};
use super::crosswalk::CrosswalkOutput;
use super::deliveries::{DeliveriesOutput, DeliveryOutput, HoldsOutput};
use super::demo::DemoOutput;
use super::ping::PingOutput;
use super::resolve::DecisionsOutput;
use super::secrets::SecretsOutput;
use super::status::StatusOutput;
use super::test::TestOutput;
use super::tokens::TokensOutput;
use super::version::VersionOutput;
use crate::failure::{Exit, usage};
use crate::findings::FindingsOutput;
use crate::rehearsed::PreviewOutput;
use crate::terminal::Terminal;
use clap::Subcommand;
use ml_connector_core::definition::json_schema::schema_text;
use ml_connector_core::definition::tables::DefinitionKind;
use ml_connector_runtime::operator::{Reconciliation, ReplayPlan};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ml-connector schema integration > schemas/dsl/integration.json\n  \
    ml-connector schema output validate\n  \
    ml-connector schema output                # lists the names")]
pub(crate) struct Args {
    #[command(subcommand)]
    which: Which,
}

#[derive(Debug, Subcommand)]
enum Which {
    /// A connector definition.
    Connector,
    /// An integration definition.
    Integration,
    /// A case.
    Case,
    /// A site file.
    Site,
    /// The document a command prints with `--format json`.
    Output {
        /// Which; without it, the names.
        name: Option<String>,
    },
}

/// Makes a schema.
type Make = fn() -> Schema;

/// Every document a command prints for programs.
const OUTPUTS: &[(&str, Make)] = &[
    ("crosswalk", printed::<CrosswalkOutput>),
    ("decisions", printed::<DecisionsOutput>),
    ("deliveries", printed::<DeliveriesOutput>),
    ("delivery", printed::<DeliveryOutput>),
    ("demo", printed::<DemoOutput>),
    ("history", printed::<HistoryOutput>),
    ("holds", printed::<HoldsOutput>),
    ("ping", printed::<PingOutput>),
    ("preview", printed::<PreviewOutput>),
    ("reconciliation", printed::<Reconciliation>),
    ("record", printed::<RecordOutput>),
    ("replay", printed::<ReplayPlan>),
    ("secrets", printed::<SecretsOutput>),
    ("status", printed::<StatusOutput>),
    ("test", printed::<TestOutput>),
    ("tokens", printed::<TokensOutput>),
    ("validate", printed::<FindingsOutput>),
    ("verification", printed::<VerificationOutput>),
    ("version", printed::<VersionOutput>),
];

/// The schema of what is written, as against what could be read: members that may be left out are not required.
fn printed<T: JsonSchema>() -> Schema {
    SchemaSettings::default()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<T>()
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    match &args.which {
        Which::Connector => terminal.raw(schema_text(DefinitionKind::Connector))?,
        Which::Integration => terminal.raw(schema_text(DefinitionKind::Integration))?,
        Which::Case => terminal.raw(schema_text(DefinitionKind::Case))?,
        Which::Site => terminal.raw(schema_text(DefinitionKind::Site))?,
        Which::Output { name: Some(name) } => {
            let (_, schema) = OUTPUTS
                .iter()
                .find(|(one, _)| one == name)
                .ok_or_else(|| no_such(name))?;
            terminal.json(&schema())?;
        }
        Which::Output { name: None } => {
            for (name, _) in OUTPUTS {
                terminal.line(name)?;
            }
        }
    }
    Ok(Exit::Fine)
}

fn no_such(name: &str) -> anyhow::Error {
    let names: Vec<&str> = OUTPUTS.iter().map(|(name, _)| *name).collect();
    usage(format!(
        "there is no output `{name}`; there are: {}",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::OUTPUTS;

    #[test]
    fn every_output_has_a_version_and_a_description_of_each_member() {
        for (name, schema) in OUTPUTS {
            let schema = serde_json::to_value(schema()).unwrap();
            let members = schema["properties"].as_object().unwrap();
            assert!(members.contains_key("version"), "{name}");
            for (member, about) in members {
                let described = about["description"].is_string() || about["$ref"].is_string();
                assert!(described, "{name}.{member}");
            }
        }
    }
}
