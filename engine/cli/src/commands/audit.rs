//! `audit`: prove what happened. Reads the journal itself, whether or not an engine runs.

use super::Format;
use crate::csv;
use crate::failure::{Exit, usage};
use crate::history;
use crate::moments::moment_argument;
use crate::operator::{Operator, block_on, unexpected};
use crate::site::SiteArgs;
use crate::store::Progress;
use crate::table::count;
use crate::terminal::{Terminal, Tone};
use crate::views::{DeliveryView, RecordView, deliveries_table, moment};
use anyhow::Context as _;
use base64::Engine as _;
use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use ml_connector_core::hex;
use ml_connector_runtime::operator::{Command, Reply};
use ml_connector_store::{SealedRecord, Verification, read_journal, verify};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// Arguments of `audit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ml-connector audit show PM000123\n  \
    ml-connector audit show dlv_42\n  \
    ml-connector audit verify\n  \
    ml-connector audit verify --store /backup/data --expect 4f2a…   # the head noted at the last audit\n  \
    ml-connector audit export --since 2026-03-01 --output march.jsonl\n  \
    ml-connector audit export --format csv --output trail.csv\n\n\
    Exit codes of `verify`: 0 every record verifies, 1 something does not.")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    site: SiteArgs,
    /// The store's folder, in place of the site file's: a copy can be audited without a site.
    #[arg(long, value_name = "FOLDER", global = true)]
    store: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Everything that happened to one payment or document, across its events and integrations.
    Show {
        /// A payment's or event's id, a delivery, our reference, or the target's document number.
        reference: String,
        /// For whom to print.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Verify every checksum and the hash chain of the journal.
    Verify {
        /// A head noted earlier, hex: it must still be part of the chain.
        #[arg(long, value_name = "HASH")]
        expect: Option<String>,
        /// For whom to print.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Write the journal's records, each verified, in order.
    Export {
        /// Written at or after: a time, a date, or how long ago, e.g. `2d`.
        #[arg(long, value_name = "WHEN", value_parser = moment_argument)]
        since: Option<Timestamp>,
        /// Written before.
        #[arg(long, value_name = "WHEN", value_parser = moment_argument)]
        until: Option<Timestamp>,
        /// Into this file in place of stdout.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// How records are written.
        #[arg(long, value_enum, default_value_t)]
        format: ExportFormat,
    },
}

/// How records are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum ExportFormat {
    /// One JSON document per line; `ml-connector schema output record` describes one.
    #[default]
    Jsonl,
    /// A table with a row of names, for spreadsheets.
    Csv,
}

/// Output of `audit verify --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "verification")]
pub(crate) struct VerificationOutput {
    /// Version of this document's form.
    version: u32,
    /// Whether everything verifies.
    sound: bool,
    /// Sound records, from the beginning to the end or to the first damage.
    records: u64,
    /// Of them, by kind.
    kinds: BTreeMap<String, u64>,
    /// Segment files.
    segments: usize,
    /// Bytes of the journal.
    bytes: u64,
    /// When the first sound record was written.
    first_at: Option<String>,
    /// When the last one was written.
    last_at: Option<String>,
    /// Hash of the last sound record, hex: note it elsewhere, and a later cut will show.
    head: String,
    /// Bytes at the end of a write that has not finished: being written now, or torn by a crash. Not damage.
    unfinished_bytes: u64,
    /// Number of the first record that does not verify; null if all do.
    first_bad: Option<u64>,
    /// What is wrong with it, and where it lies.
    damage: Option<String>,
    /// Whether the head that was noted earlier is part of the chain; null if none was given.
    expected_found: Option<bool>,
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    match &args.what {
        What::Show { reference, format } => {
            if args.store.is_some() {
                return Err(usage(
                    "`audit show` asks the installation; use `--site`, not `--store`",
                ));
            }
            show(&args.site, reference, *format, terminal)
        }
        What::Verify { expect, format } => {
            let store = folder(args, terminal)?;
            check(&store, expect.as_deref(), *format, terminal)
        }
        What::Export {
            since,
            until,
            output,
            format,
        } => {
            let store = folder(args, terminal)?;
            let within = |at: Timestamp| {
                since.is_none_or(|since| at >= since) && until.is_none_or(|until| at < until)
            };
            export(&store, &within, *format, output.as_deref(), terminal)
        }
    }
}

fn folder(args: &Args, terminal: &mut Terminal) -> anyhow::Result<PathBuf> {
    match &args.store {
        Some(folder) => Ok(folder.clone()),
        None => Ok(args.site.read(terminal)?.store()),
    }
}

fn show(
    site: &SiteArgs,
    reference: &str,
    format: Format,
    terminal: &mut Terminal,
) -> anyhow::Result<Exit> {
    let installation = site.read(terminal)?;
    let command = Command::Trail {
        reference: reference.to_owned(),
    };
    let reply = block_on(Operator::ask_once(&installation, terminal, command))?;
    let Reply::Trail {
        deliveries,
        records,
    } = reply
    else {
        return Err(unexpected());
    };
    let views: Vec<DeliveryView> = deliveries.iter().map(DeliveryView::of).collect();
    match format {
        Format::Text => {
            for line in deliveries_table(&views) {
                terminal.line(line)?;
            }
            terminal.line("")?;
            history::print(&records, terminal)?;
        }
        Format::Json => terminal.json(&HistoryOutput {
            version: 1,
            reference: reference.to_owned(),
            deliveries: views,
            history: records.iter().map(RecordView::of).collect(),
        })?,
    }
    Ok(Exit::Fine)
}

/// Output of `audit show --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "history")]
pub(crate) struct HistoryOutput {
    /// Version of this document's form.
    version: u32,
    /// What was asked for.
    reference: String,
    /// Every delivery that it names, and those that belong to the same order or event.
    deliveries: Vec<DeliveryView>,
    /// Everything that happened to them, oldest first.
    history: Vec<RecordView>,
}

/// One line of `audit export`: a record with the bytes that its hash is made of. `docs/guide/audit.md` says how to verify it
/// without this program.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "record")]
pub(crate) struct RecordOutput {
    /// Version of this document's form.
    version: u32,
    /// Sequence number.
    sequence: u64,
    /// When it was written.
    at: String,
    /// What kind of record it is: intake, event, transition, crosswalk or note.
    kind: String,
    /// The frame's header, hex.
    header: String,
    /// What the record says: a JSON document as text, byte for byte.
    meta: String,
    /// The event as it was received, where it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// The event as it was received, base64, where it is not text.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    /// SHA-256 of header, meta and body, hex.
    hash: String,
    /// The hash of the record before, hex.
    previous: String,
}

/// The columns of `audit export --format csv`.
const COLUMNS: [&str; 9] = [
    "sequence",
    "at",
    "kind",
    "header",
    "meta",
    "body",
    "body_base64",
    "hash",
    "previous",
];

impl RecordOutput {
    fn of(record: SealedRecord) -> Self {
        let (body, body_base64) = match String::from_utf8(record.body) {
            Ok(text) if text.is_empty() => (None, None),
            Ok(text) => (Some(text), None),
            Err(error) => {
                let engine = base64::engine::general_purpose::STANDARD;
                (None, Some(engine.encode(error.as_bytes())))
            }
        };
        Self {
            version: 1,
            sequence: record.sequence,
            at: record.at.to_string(),
            kind: record.kind.to_owned(),
            header: hex::of(&record.header),
            meta: record.meta,
            body,
            body_base64,
            hash: record.hash,
            previous: record.previous,
        }
    }

    /// One line, with its end.
    fn line(&self, format: ExportFormat) -> serde_json::Result<String> {
        match format {
            ExportFormat::Jsonl => serde_json::to_string(self).map(|line| line + "\n"),
            ExportFormat::Csv => Ok(csv::row([
                self.sequence.to_string().as_str(),
                &self.at,
                &self.kind,
                &self.header,
                &self.meta,
                self.body.as_deref().unwrap_or_default(),
                self.body_base64.as_deref().unwrap_or_default(),
                &self.hash,
                &self.previous,
            ])),
        }
    }
}

pub(super) fn check(
    store: &Path,
    expect: Option<&str>,
    format: Format,
    terminal: &mut Terminal,
) -> anyhow::Result<Exit> {
    let mut progress = Progress::new(terminal);
    let found = verify(store, &mut |done, total| {
        progress.bytes("verifying", done, total);
    });
    progress.end();
    let found =
        found.with_context(|| format!("cannot verify the journal in `{}`", store.display()))?;
    let expected_found = match expect {
        Some(hash) => Some(holds(store, &hash.to_ascii_lowercase())?),
        None => None,
    };
    let output = VerificationOutput::of(&found, expected_found);
    match format {
        Format::Json => terminal.json(&output)?,
        Format::Text => print(&output, terminal)?,
    }
    Ok(if output.sound {
        Exit::Fine
    } else {
        Exit::Findings
    })
}

/// Whether a record of the journal has this hash. What comes after damage does not count.
fn holds(store: &Path, hash: &str) -> anyhow::Result<bool> {
    let mut records = read_journal(store)?;
    Ok(records.any(|record| record.is_ok_and(|record| record.hash == hash)))
}

impl VerificationOutput {
    fn of(found: &Verification, expected_found: Option<bool>) -> Self {
        Self {
            version: 1,
            sound: found.damage.is_none() && expected_found != Some(false),
            records: found.records,
            kinds: found.kinds.clone(),
            segments: found.segments,
            bytes: found.bytes,
            first_at: found.first_at.map(|at| at.to_string()),
            last_at: found.last_at.map(|at| at.to_string()),
            head: found.head.clone(),
            unfinished_bytes: found.unfinished_bytes,
            first_bad: found.damage.as_ref().and_then(|damage| damage.sequence),
            damage: found.damage.as_ref().map(ToString::to_string),
            expected_found,
        }
    }
}

fn print(output: &VerificationOutput, terminal: &mut Terminal) -> anyhow::Result<()> {
    let verdict = if output.sound {
        terminal.tone(Tone::Good, "every record verifies")
    } else {
        terminal.tone(Tone::Bad, "does not verify")
    };
    let records = count(output.records, "sound record", "sound records");
    let segments = count(output.segments, "segment", "segments");
    terminal.line(format!(
        "{verdict}: {records} in {segments}, {} bytes",
        output.bytes
    ))?;
    for (kind, number) in &output.kinds {
        terminal.line(format!("  {number:>10}  {kind}"))?;
    }
    if let (Some(first), Some(last)) = (&output.first_at, &output.last_at) {
        terminal.line(format!("  from {first} to {last}"))?;
    }
    terminal.line(format!("  head {}", output.head))?;
    if output.unfinished_bytes > 0 {
        terminal.line(format!(
            "  {} bytes at the end of a write that has not finished; nothing of it was acknowledged",
            output.unfinished_bytes
        ))?;
    }
    if let Some(damage) = &output.damage {
        if let Some(first) = output.first_bad {
            let first = format!("  the first bad record is record {first}");
            terminal.line(terminal.tone(Tone::Bad, &first))?;
        }
        terminal.line(terminal.tone(Tone::Bad, &format!("  damage: {damage}")))?;
        terminal
            .line("  help: restore the file from a copy; what stands before the damage is sound")?;
    }
    match output.expected_found {
        Some(true) => terminal.line("  the head noted earlier is part of the chain")?,
        Some(false) => terminal.line(terminal.tone(
            Tone::Bad,
            "  the head noted earlier is not part of the chain: records were removed or replaced",
        ))?,
        None => {}
    }
    Ok(())
}

fn export(
    store: &Path,
    within: &dyn Fn(Timestamp) -> bool,
    format: ExportFormat,
    output: Option<&Path>,
    terminal: &mut Terminal,
) -> anyhow::Result<Exit> {
    let records = read_journal(store)
        .with_context(|| format!("cannot read the journal in `{}`", store.display()))?;
    let mut file = match output {
        Some(path) => {
            let file =
                File::create(path).with_context(|| format!("cannot write `{}`", path.display()))?;
            Some(BufWriter::new(file))
        }
        None => None,
    };
    let mut write = |text: &str, terminal: &mut Terminal| match &mut file {
        Some(file) => file.write_all(text.as_bytes()),
        None => terminal.raw(text),
    };
    if format == ExportFormat::Csv {
        write(&csv::row(COLUMNS), terminal)?;
    }
    let (mut written, mut last) = (0_u64, None);
    for record in records.sealed() {
        let record =
            record.context("the journal does not verify; what was exported before is sound")?;
        if !within(record.at) {
            continue;
        }
        let at = record.at;
        let line = RecordOutput::of(record).line(format);
        write(&line.map_err(std::io::Error::from)?, terminal)?;
        written += 1;
        last = Some(at);
    }
    if let Some(mut file) = file {
        file.flush()?;
        file.get_ref().sync_all()?;
    }
    let until = last
        .map(|at| format!(", the last of {}", moment(at)))
        .unwrap_or_default();
    terminal.tell(format!("{}{until}", count(written, "record", "records")));
    Ok(Exit::Fine)
}
