//! `store`: care for the store's files.

use super::{Format, audit};
use crate::failure::{Advice, Exit};
use crate::site::SiteArgs;
use crate::store::{Progress, open_help};
use crate::table::count;
use crate::terminal::Terminal;
use clap::Subcommand;
use ml_connector_store::{Options, rebuild_index};

/// Arguments of `store`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ml-connector store verify\n  \
    ml-connector store rebuild-index\n\n\
    The journal is the truth; the index can be thrown away. `verify` can run beside the engine, `rebuild-index` cannot.")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    site: SiteArgs,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Verify every checksum and the hash chain of the journal; the same as `audit verify`.
    Verify {
        /// For whom to print.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Set the index aside and build it again from the journal.
    RebuildIndex,
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let folder = args.site.read(terminal)?.store();
    match args.what {
        What::Verify { format } => audit::check(&folder, None, format, terminal),
        What::RebuildIndex => {
            let mut progress = Progress::new(terminal);
            let rebuilt = rebuild_index(&Options::new(&folder), &mut |at| progress.at(at));
            progress.end();
            let records = rebuilt.map_err(|error| {
                let help = open_help(&error);
                let what = format!("cannot rebuild the index in `{}`", folder.display());
                anyhow::Error::new(error).context(Advice::new(what, help))
            })?;
            terminal.tell(format!(
                "the index is built from {}",
                count(records, "record", "records")
            ));
            Ok(Exit::Fine)
        }
    }
}
