//! `schema`: JSON Schemas of what goes in (definitions) and what comes out (documents for programs).

use super::audit::{HistoryOutput, RecordOutput, VerificationOutput};
use super::crosswalk::CrosswalkOutput;
use super::deliveries::{DecisionsOutput, DeliveriesOutput, DeliveryOutput};
use super::demo::DemoOutput;
use super::ping::PingOutput;
use super::secrets::SecretsOutput;
use super::status::StatusOutput;
use super::test::TestOutput;
use super::version::VersionOutput;
use crate::failure::{Exit, usage};
use crate::findings::FindingsOutput;
use crate::rehearsed::PreviewOutput;
use crate::terminal::Terminal;
use clap::Subcommand;
use ml_connector_core::definition::json_schema::schema_text;
use ml_connector_core::definition::tables::DefinitionKind;
use schemars::{Schema, schema_for};

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
    ("crosswalk", || schema_for!(CrosswalkOutput)),
    ("decisions", || schema_for!(DecisionsOutput)),
    ("deliveries", || schema_for!(DeliveriesOutput)),
    ("delivery", || schema_for!(DeliveryOutput)),
    ("demo", || schema_for!(DemoOutput)),
    ("history", || schema_for!(HistoryOutput)),
    ("ping", || schema_for!(PingOutput)),
    ("preview", || schema_for!(PreviewOutput)),
    ("record", || schema_for!(RecordOutput)),
    ("secrets", || schema_for!(SecretsOutput)),
    ("status", || schema_for!(StatusOutput)),
    ("test", || schema_for!(TestOutput)),
    ("validate", || schema_for!(FindingsOutput)),
    ("verification", || schema_for!(VerificationOutput)),
    ("version", || schema_for!(VersionOutput)),
];

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
