//! `explain`: what a finding's code means and how to mend it.

use crate::failure::{Exit, usage};
use crate::pages;
use crate::table::Table;
use crate::terminal::Terminal;
use ml_connector_core::codes;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  ml-connector explain E0301\n\nWithout a code: all codes.")]
pub(crate) struct Args {
    /// A code as findings show it, e.g. `E0301`.
    code: Option<String>,
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let Some(code) = &args.code else {
        let mut table = Table::new(["CODE", "MEANING"]);
        for (code, title) in codes::ALL {
            table.row([code.as_str().to_owned(), (*title).to_owned()]);
        }
        for line in table.lines() {
            terminal.line(line)?;
        }
        return Ok(Exit::Fine);
    };
    let code = code.trim_matches(['[', ']']).to_ascii_uppercase();
    let rule = pages::rule(&code).ok_or_else(|| {
        usage(format!(
            "there is no code `{code}`; `ml-connector explain` lists them"
        ))
    })?;
    terminal.raw(rule.page)?;
    Ok(Exit::Fine)
}
