//! `validate`: every check of definitions, without network and without secrets.

use crate::definitions::{Checked, check_paths, output};
use crate::failure::Exit;
use crate::findings::{self, FindingsOutput};
use crate::outputs::{Output, keep};
use crate::pages;
use crate::site::default_path;
use crate::terminal::{Terminal, Tone};
use clap::ValueEnum;
use ml_connector_core::diagnostic::render::{Style, render};
use std::path::PathBuf;

/// Arguments of `validate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ml-connector validate\n  \
    ml-connector validate mappings/netledger-payfast --deny-warnings\n  \
    ml-connector validate ml-connector.yaml --format github --output sarif=findings.sarif --output junit=validate.xml\n\n\
    Exit codes: 0 nothing found, 1 findings, 2 wrong usage or unreadable file.")]
pub(crate) struct Args {
    /// Site files, definition files, or folders with definitions.
    ///
    /// Without any: the site file if there is one (see `run --site`), else the present folder. A file is checked with
    /// everything around it, and its own findings are shown.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Keep the findings in a file as well; may be given several times.
    #[arg(long, value_name = "FORMAT=FILE")]
    output: Vec<Output<Format>>,
    /// Take warnings for errors.
    #[arg(long)]
    deny_warnings: bool,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// For people, with the lines of the files.
    #[default]
    Text,
    /// One JSON document; `ml-connector schema output validate` describes it.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, one test per file.
    Junit,
    /// Workflow commands, shown at the lines of a pull request.
    Github,
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let paths = if args.paths.is_empty() {
        vec![default_path()]
    } else {
        args.paths.clone()
    };
    let checked = check_paths(&paths)?;
    let output = output(&checked);
    for kept in &args.output {
        keep(
            &kept.file,
            &print(
                kept.format,
                &checked,
                &output,
                args.deny_warnings,
                Style::Plain,
            )?,
        )?;
    }
    let style = if terminal.colours_data() {
        Style::Coloured
    } else {
        Style::Plain
    };
    terminal.raw(print(
        args.format,
        &checked,
        &output,
        args.deny_warnings,
        style,
    )?)?;
    let summary = &output.summary;
    let fails = summary.errors > 0 || (args.deny_warnings && summary.warnings > 0);
    let tone = match (fails, summary.warnings) {
        (true, _) => Tone::Bad,
        (false, 0) => Tone::Good,
        (false, _) => Tone::Doubt,
    };
    terminal.tell(terminal.tone_told(tone, &summary.line()));
    Ok(if fails { Exit::Findings } else { Exit::Fine })
}

fn print(
    format: Format,
    checked: &[Checked],
    output: &FindingsOutput,
    warnings_fail: bool,
    style: Style,
) -> anyhow::Result<String> {
    Ok(match format {
        Format::Text => {
            let texts = checked
                .iter()
                .map(|one| render(&one.sources, &one.findings, style));
            let texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
            texts.join("\n")
        }
        Format::Json => format!("{:#}\n", serde_json::to_value(output)?),
        Format::Sarif => {
            format!(
                "{:#}\n",
                serde_json::to_value(findings::sarif(output, pages::rule))?
            )
        }
        Format::Junit => {
            let files: Vec<String> = checked.iter().flat_map(|one| one.files.clone()).collect();
            findings::junit(output, &files, warnings_fail)?
        }
        Format::Github => findings::github(output),
    })
}
