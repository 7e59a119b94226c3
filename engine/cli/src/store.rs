//! Opening the store, with progress where it takes longer than a blink.

use crate::failure::Advice;
use crate::terminal::{BLINK, Terminal};
use indicatif::ProgressBar;
use ml_connector_runtime::{Clock as _, SystemClock};
use ml_connector_store::{OpenError, Options, Rebuilding, Store};
use std::path::Path;
use tokio::task::block_in_place;

/// Opens a store, which is made if it is not there.
pub(crate) fn open(folder: &Path, terminal: &mut Terminal) -> anyhow::Result<Store> {
    let mut progress = Progress::new(terminal);
    let opened = block_in_place(|| Store::open(&Options::new(folder), &mut |at| progress.at(at)));
    progress.end();
    let store = opened.map_err(|error| {
        let help = open_help(&error);
        anyhow::Error::new(error).context(Advice::new(
            format!("cannot open the store in `{}`", folder.display()),
            help,
        ))
    })?;
    report(&store, terminal);
    Ok(store)
}

/// Whether there is a store.
pub(crate) fn exists(folder: &Path) -> bool {
    folder.join("journal").is_dir()
}

/// Opens a store that must be there already.
pub(crate) fn open_existing(folder: &Path, terminal: &mut Terminal) -> anyhow::Result<Store> {
    if !exists(folder) {
        let error = OpenError::NoStore(folder.to_owned());
        let help = open_help(&error);
        return Err(
            anyhow::Error::new(error).context(Advice::new("nothing has been stored yet", help))
        );
    }
    open(folder, terminal)
}

/// What to do about a store that does not open.
pub(crate) fn open_help(error: &OpenError) -> &'static str {
    match error {
        OpenError::Locked { .. } => {
            "an engine or another command has it; `ml-connector status` asks a running engine"
        }
        OpenError::Damaged(_) => {
            "restore the file from a copy; `ml-connector store verify` says how far the journal is sound"
        }
        // An index that cannot be used is built anew by itself, so one that cannot be built lacks room or permission.
        OpenError::Directory { .. } | OpenError::Journal(_) | OpenError::Index(_) => {
            "check that the folder may be written and the disk is not full"
        }
        OpenError::NoStore(_) => "the engine makes its store when it starts: `ml-connector run`",
        OpenError::Newer { .. } | OpenError::Thread(_) => "nothing was changed",
    }
}

/// Says what opening had to mend.
fn report(store: &Store, terminal: &mut Terminal) {
    let opening = store.opening();
    if opening.cut_bytes > 0 {
        terminal.tell(format!(
            "note: {} bytes of a write that was never finished were cut off the journal; nothing of it was acknowledged",
            opening.cut_bytes
        ));
    }
    if let Some(sequence) = opening.ahead {
        terminal.tell(format!(
            "warning: the index knew of records up to {sequence} and the journal ends before that: \
             unless it was restored from a copy, records are missing"
        ));
    }
}

/// A bar for bringing an index forward, shown only when it takes longer than a blink.
pub(crate) struct Progress<'a> {
    terminal: &'a Terminal,
    began: jiff::Timestamp,
    bar: Option<ProgressBar>,
}

impl<'a> Progress<'a> {
    /// Starts the clock.
    pub(crate) fn new(terminal: &'a Terminal) -> Self {
        Self {
            terminal,
            began: SystemClock.now(),
            bar: None,
        }
    }

    /// How far an index has come.
    pub(crate) fn at(&mut self, at: &Rebuilding) {
        let what = match &at.why {
            Some(why) => format!("rebuilding the index ({why})"),
            None => "bringing the index forward".to_owned(),
        };
        self.bytes(&what, at.bytes_done, at.bytes_total);
    }

    /// How many bytes of how many are done.
    pub(crate) fn bytes(&mut self, what: &str, done: u64, total: u64) {
        if self.bar.is_none() && self.blinked() {
            self.bar = Some(self.terminal.progress(what, total));
        }
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    fn blinked(&self) -> bool {
        let waited = SystemClock.now().duration_since(self.began);
        std::time::Duration::try_from(waited).is_ok_and(|waited| waited >= BLINK)
    }

    /// Takes the bar away.
    pub(crate) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
