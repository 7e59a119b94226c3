//! `version`: which build this is.

use super::Format;
use crate::failure::Exit;
use crate::terminal::Terminal;
use schemars::JsonSchema;
use serde::Serialize;

/// Arguments of `version`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  ml-connector version --format json")]
pub(crate) struct Args {
    /// For whom to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Output of `version --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "version")]
pub(crate) struct VersionOutput {
    /// Version of this document's form.
    version: u32,
    /// Name of the program.
    name: String,
    /// Version of the program.
    release: String,
    /// Version of the definition language it takes.
    definitions: u32,
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let output = VersionOutput {
        version: 1,
        name: "ml-connector".into(),
        release: env!("CARGO_PKG_VERSION").into(),
        definitions: 1,
    };
    match args.format {
        Format::Text => terminal.line(format!("{} {}", output.name, output.release))?,
        Format::Json => terminal.json(&output)?,
    }
    Ok(Exit::Fine)
}
