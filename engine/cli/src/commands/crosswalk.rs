//! `crosswalk`: the matching tables, one entry at a time or as CSV.

use super::Format;
use crate::csv;
use crate::failure::{Exit, usage};
use crate::operator::{ActArgs, Operator, block_on, unexpected};
use crate::outputs::keep;
use crate::site::SiteArgs;
use crate::table::{Table, count};
use crate::terminal::Terminal;
use crate::views::plain;
use anyhow::Context as _;
use clap::Subcommand;
use indexmap::IndexSet;
use ml_connector_core::identity::CrosswalkId;
use ml_connector_runtime::operator::{Command, Reply};
use ml_connector_store::CrosswalkEntry;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as Document};
use std::path::{Path, PathBuf};

/// Entries of one page, and of one commit.
const PAGE: usize = 1000;
/// Entries listed where no table is named: pages of several tables cannot be continued.
const ENTRIES_OF_ALL_MAX: usize = 5000;

/// Arguments of `crosswalk`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ml-connector crosswalk get customers MD0001\n  \
    ml-connector crosswalk set customers MD0001 account=0000417 --reason 'new customer'\n  \
    ml-connector crosswalk import customers.csv --reason 'initial load'\n  \
    ml-connector crosswalk export customers --output customers.csv\n  \
    ml-connector crosswalk list customers\n\n\
    The first column of a CSV file is the key, the others are named by its first row. Values are text: leading zeros stay. \
    Deliveries that are held for an entry go on when it is set.")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    site: SiteArgs,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print an entry.
    Get {
        /// The table.
        table: String,
        /// The key.
        key: String,
        /// For whom to print.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Set an entry. Columns that are not named are removed from it.
    Set {
        /// The table.
        table: String,
        /// The key.
        key: String,
        /// Its columns: `NAME=VALUE`.
        #[arg(required = true, value_name = "NAME=VALUE")]
        values: Vec<String>,
        #[command(flatten)]
        act: ActArgs,
    },
    /// Remove an entry.
    Remove {
        /// The table.
        table: String,
        /// The key.
        key: String,
        #[command(flatten)]
        act: ActArgs,
    },
    /// Set entries from a CSV file. Entries that it does not name stay.
    Import {
        /// The file, or `-` for stdin.
        file: PathBuf,
        /// The table. Without it: the file's name without its ending.
        #[arg(long, value_name = "TABLE")]
        table: Option<String>,
        #[command(flatten)]
        act: ActArgs,
    },
    /// Print a table as CSV.
    Export {
        /// The table.
        table: String,
        /// Into this file in place of stdout.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// List entries, of one table or of all.
    List {
        /// The table.
        table: Option<String>,
        /// For whom to print.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

/// Output of `crosswalk list` and `crosswalk get` with `--format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "crosswalk")]
pub(crate) struct CrosswalkOutput {
    /// Version of this document's form.
    version: u32,
    /// By table and key.
    entries: Vec<EntryView>,
}

/// One entry.
#[derive(Debug, Serialize, JsonSchema)]
struct EntryView {
    /// Its table.
    table: String,
    /// Its key.
    key: String,
    /// Its columns.
    values: Document,
}

impl EntryView {
    fn of(entry: CrosswalkEntry) -> Self {
        Self {
            table: entry.table.to_string(),
            key: entry.key,
            values: entry.values,
        }
    }
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let installation = args.site.read(terminal)?;
    block_on(async {
        let operator = match &args.what {
            What::Set { .. } | What::Import { .. } => {
                Operator::of_new(&installation, terminal).await?
            }
            What::Get { .. } | What::Remove { .. } | What::Export { .. } | What::List { .. } => {
                Operator::of(&installation, terminal).await?
            }
        };
        let done = act(&args.what, &operator, terminal).await;
        operator.close().await?;
        done
    })
}

async fn act(what: &What, operator: &Operator, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    match what {
        What::Get { table, key, format } => get(table, key, *format, operator, terminal).await,
        What::Set {
            table,
            key,
            values,
            act,
        } => {
            let entry = entry(table, key, pairs(values)?);
            set(
                vec![entry],
                act,
                "set on the command line",
                operator,
                terminal,
            )
            .await
        }
        What::Remove { table, key, act } => {
            let entry = entry(table, key, Document::Null);
            set(
                vec![entry],
                act,
                "removed on the command line",
                operator,
                terminal,
            )
            .await
        }
        What::Import { file, table, act } => {
            let table = table.clone().map_or_else(|| named_by(file), Ok)?;
            let entries = read_csv(file, &table, terminal)?;
            let reason = format!("imported from {}", file.display());
            set(entries, act, &reason, operator, terminal).await
        }
        What::Export { table, output } => {
            export(table, output.as_deref(), operator, terminal).await
        }
        What::List { table, format } => list(table.as_deref(), *format, operator, terminal).await,
    }
}

async fn get(
    table: &str,
    key: &str,
    format: Format,
    operator: &Operator,
    terminal: &mut Terminal,
) -> anyhow::Result<Exit> {
    let command = Command::CrosswalkGet {
        table: CrosswalkId::new(table),
        key: key.to_owned(),
    };
    let Reply::Entry { entry } = operator.ask(command).await? else {
        return Err(unexpected());
    };
    let found = if entry.is_some() {
        Exit::Fine
    } else {
        Exit::Findings
    };
    match (format, entry) {
        (Format::Json, entry) => {
            let entries = entry.into_iter().map(EntryView::of).collect();
            terminal.json(&CrosswalkOutput {
                version: 1,
                entries,
            })?;
        }
        (Format::Text, Some(entry)) => {
            for (name, value) in entry.values.as_object().into_iter().flatten() {
                terminal.line(format!("{name}={}", plain(value)))?;
            }
        }
        (Format::Text, None) => terminal.tell(format!("crosswalk `{table}` has no entry `{key}`")),
    }
    Ok(found)
}

async fn set(
    entries: Vec<CrosswalkEntry>,
    act: &ActArgs,
    otherwise: &str,
    operator: &Operator,
    terminal: &mut Terminal,
) -> anyhow::Result<Exit> {
    let act = act.act(Some(otherwise))?;
    let bar = terminal.progress("writing", entries.len() as u64);
    let (mut all_written, mut all_released) = (0, 0);
    for batch in entries.chunks(PAGE) {
        let command = Command::CrosswalkSet {
            entries: batch.to_vec(),
            act: act.clone(),
        };
        let Reply::Set { written, released } = operator.ask(command).await? else {
            return Err(unexpected());
        };
        all_written += written;
        all_released += released;
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    let written = format!("{} written", count(all_written, "entry", "entries"));
    terminal.tell(if all_released > 0 {
        let released = count(all_released, "delivery", "deliveries");
        format!("{written}; {released} that waited for it are due again")
    } else {
        written
    });
    Ok(Exit::Fine)
}

async fn export(
    table: &str,
    output: Option<&Path>,
    operator: &Operator,
    terminal: &mut Terminal,
) -> anyhow::Result<Exit> {
    let entries = all(Some(table), operator, terminal).await?;
    let columns: IndexSet<&str> = entries
        .iter()
        .filter_map(|entry| entry.values.as_object())
        .flat_map(|values| values.keys().map(String::as_str))
        .collect();
    let mut text = csv::row(std::iter::once("key").chain(columns.iter().copied()));
    for entry in &entries {
        let cell = |column: &&str| {
            entry
                .values
                .get(*column)
                .filter(|value| !value.is_null())
                .map(plain)
                .unwrap_or_default()
        };
        let cells: Vec<String> = std::iter::once(entry.key.clone())
            .chain(columns.iter().map(cell))
            .collect();
        text += &csv::row(cells.iter().map(String::as_str));
    }
    match output {
        Some(file) => keep(file, &text)?,
        None => terminal.raw(text)?,
    }
    terminal.tell(count(entries.len(), "entry", "entries"));
    Ok(Exit::Fine)
}

async fn list(
    table: Option<&str>,
    format: Format,
    operator: &Operator,
    terminal: &mut Terminal,
) -> anyhow::Result<Exit> {
    let entries = all(table, operator, terminal).await?;
    match format {
        Format::Json => {
            let entries = entries.into_iter().map(EntryView::of).collect();
            terminal.json(&CrosswalkOutput {
                version: 1,
                entries,
            })?;
        }
        Format::Text => {
            let mut lines = Table::new(["TABLE", "KEY", "VALUES"]);
            for entry in &entries {
                let values = entry.values.as_object().into_iter().flatten();
                let values: Vec<String> = values
                    .map(|(name, value)| format!("{name}={}", plain(value)))
                    .collect();
                lines.row([entry.table.to_string(), entry.key.clone(), values.join(" ")]);
            }
            for line in lines.lines() {
                terminal.line(line)?;
            }
            terminal.tell(count(entries.len(), "entry", "entries"));
        }
    }
    Ok(Exit::Fine)
}

/// Every entry of a table, page by page; of all tables the first ones.
async fn all(
    table: Option<&str>,
    operator: &Operator,
    terminal: &mut Terminal,
) -> anyhow::Result<Vec<CrosswalkEntry>> {
    let Some(table) = table else {
        let entries = page(None, None, ENTRIES_OF_ALL_MAX, operator).await?;
        if entries.len() == ENTRIES_OF_ALL_MAX {
            terminal.tell("there are more: name a table to see all of it");
        }
        return Ok(entries);
    };
    let mut entries: Vec<CrosswalkEntry> = Vec::new();
    loop {
        let after = entries.last().map(|entry| entry.key.clone());
        let page = page(Some(table), after, PAGE, operator).await?;
        let last = page.len() < PAGE;
        entries.extend(page);
        if last {
            return Ok(entries);
        }
    }
}

async fn page(
    table: Option<&str>,
    after: Option<String>,
    limit: usize,
    operator: &Operator,
) -> anyhow::Result<Vec<CrosswalkEntry>> {
    let table = table.map(CrosswalkId::new);
    let command = Command::CrosswalkList {
        table,
        after,
        limit,
    };
    let Reply::Entries { entries } = operator.ask(command).await? else {
        return Err(unexpected());
    };
    Ok(entries)
}

fn entry(table: &str, key: &str, values: Document) -> CrosswalkEntry {
    CrosswalkEntry {
        table: CrosswalkId::new(table),
        key: key.to_owned(),
        values,
    }
}

fn pairs(pairs: &[String]) -> anyhow::Result<Document> {
    let mut values = Map::new();
    for pair in pairs {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| usage(format!("`{pair}` is not of the form NAME=VALUE")))?;
        values.insert(name.to_owned(), value.into());
    }
    Ok(Document::Object(values))
}

/// The table a file is named after.
fn named_by(file: &Path) -> anyhow::Result<String> {
    file.file_stem()
        .and_then(|stem| stem.to_str())
        .filter(|stem| *stem != "-")
        .map(str::to_owned)
        .ok_or_else(|| usage("say which table with `--table TABLE`"))
}

fn read_csv(
    file: &Path,
    table: &str,
    terminal: &mut Terminal,
) -> anyhow::Result<Vec<CrosswalkEntry>> {
    let bytes = if file == Path::new("-") {
        terminal.read_input().context("cannot read stdin")?
    } else {
        std::fs::read(file).map_err(|error| crate::files::unreadable(file, &error))?
    };
    let text = String::from_utf8(bytes).map_err(|_| {
        usage(format!(
            "`{}` is not UTF-8; save it as \"CSV UTF-8\"",
            file.display()
        ))
    })?;
    entries(&text, table).map_err(|why| usage(format!("`{}`, {why}", file.display())))
}

/// Entries of a CSV text, all or none.
fn entries(text: &str, table: &str) -> Result<Vec<CrosswalkEntry>, String> {
    let mut rows = csv::parse(text)
        .map_err(|error| error.to_string())?
        .into_iter();
    let head = rows
        .next()
        .ok_or("line 1: there is no row with names of columns")?;
    let columns = head.cells.get(1..).unwrap_or_default();
    if columns.is_empty() || columns.iter().any(|name| name.trim().is_empty()) {
        return Err(format!(
            "line {}: the key and every other column need a name",
            head.line
        ));
    }
    let names: IndexSet<&str> = columns.iter().map(|name| name.trim()).collect();
    if names.len() < columns.len() {
        return Err(format!("line {}: a column stands twice", head.line));
    }
    let mut keys = IndexSet::new();
    let mut entries = Vec::new();
    for row in rows {
        let (key, cells) = row.cells.split_first().ok_or("an empty row")?;
        if key.is_empty() {
            return Err(format!("line {}: the key is empty", row.line));
        }
        if cells.len() > names.len() {
            return Err(format!("line {}: more values than columns", row.line));
        }
        if !keys.insert(key.clone()) {
            return Err(format!("line {}: the key `{key}` stands twice", row.line));
        }
        let values = names.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
        let values = values
            .map(|(name, cell)| ((*name).to_owned(), cell.as_str().into()))
            .collect();
        entries.push(entry(table, key, Document::Object(values)));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::entries;
    use serde_json::json;

    #[test]
    fn rows_become_entries_with_their_zeros() {
        let entries = entries("mandate,account,note\nMD1,0000417,\nMD2,7\n", "customers").unwrap();
        let found: Vec<_> = entries
            .iter()
            .map(|entry| (entry.key.as_str(), &entry.values))
            .collect();
        assert_eq!(
            found,
            [
                ("MD1", &json!({ "account": "0000417" })),
                ("MD2", &json!({ "account": "7" }))
            ]
        );
    }

    #[test]
    fn one_wrong_row_is_named_and_nothing_is_taken() {
        for (text, why) in [
            ("", "line 1: there is no row with names of columns"),
            (
                "key\nMD1\n",
                "line 1: the key and every other column need a name",
            ),
            ("key,a,a\n", "line 1: a column stands twice"),
            ("key,a\nMD1,1\n,2\n", "line 3: the key is empty"),
            ("key,a\nMD1,1,2\n", "line 2: more values than columns"),
            (
                "key,a\nMD1,1\nMD1,2\n",
                "line 3: the key `MD1` stands twice",
            ),
            ("key,a\nMD1,\"1\n", "line 2: a quoted value is not closed"),
        ] {
            assert_eq!(entries(text, "t").unwrap_err(), why, "{text:?}");
        }
    }
}
