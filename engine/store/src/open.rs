//! Opening: find the end of the journal, and bring the index to it.
//!
//! The index is used if it is of this format, was left by a clean stop or by a killed process of this very boot, and
//! reflects a position that the journal confirms by hash. Otherwise it is set aside and rebuilt. Either way it is then
//! brought forward by the same fold, which also verifies every record it passes.

use crate::OpenError;
use crate::entry::Entry;
use crate::index::base::{Base, Reflected, Unusable, WriteError};
use crate::index::fold::Staged;
use crate::index::view::View;
use crate::journal::frame::Hash;
use crate::journal::{self, At, Damage, Journal, Scan, Start, Step, Tail, segment};
use crate::medium::{Medium, sync_directory};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Progress is reported every so many records.
const REPORT_EVERY: u64 = 4096;

/// How far bringing the index to the journal's end has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilding {
    /// Why the index is rebuilt from the beginning, or nothing if it is only brought forward.
    pub why: Option<String>,
    /// Bytes of the journal read so far.
    pub bytes_done: u64,
    /// Bytes to read.
    pub bytes_total: u64,
    /// Records read so far.
    pub records: u64,
}

/// What opening found and did, for the log and the audit trail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opening {
    /// Why the index was rebuilt, if it was.
    pub rebuilt: Option<String>,
    /// Records by which the index was brought forward.
    pub records: u64,
    /// Bytes of a write that never finished, cut off the journal's end. Nothing of it was acknowledged.
    pub cut_bytes: u64,
    /// The index knew of more records than the journal has, up to this one: unless the journal was restored from a copy,
    /// records are missing.
    pub ahead: Option<u64>,
}

/// An opened journal with its index.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) journal: Arc<Journal>,
    pub(crate) view: View,
    pub(crate) last: (u64, Hash),
    pub(crate) opening: Opening,
}

/// Opens journal and index.
///
/// # Errors
/// If the journal is damaged or of a later format, or the disk refuses.
pub(crate) fn open(
    medium: &Medium,
    index: &Path,
    cache_bytes: u64,
    progress: &mut dyn FnMut(&Rebuilding),
) -> Result<Opened, OpenError> {
    let loaded = journal::load(medium)?;
    if let Some(unborn) = &loaded.unborn {
        medium
            .remove(unborn)
            .and_then(|()| medium.sync())
            .map_err(OpenError::Journal)?;
    }
    let journal = Arc::new(Journal::new(medium.clone(), loaded.segments));
    let mut opening = Opening::default();
    let was_there = index.exists();
    match existing(index, &journal, cache_bytes, &mut opening) {
        Ok((view, reflected)) => match catch_up(&journal, &view, reflected, &mut opening, progress)
        {
            Ok(last) => {
                return Ok(Opened {
                    journal,
                    view,
                    last,
                    opening,
                });
            }
            Err(CatchUp::Journal(error)) => return Err(error),
            Err(CatchUp::Index(Unusable(why))) => opening.rebuilt = Some(why),
        },
        Err(Unusable(why)) => opening.rebuilt = (was_there || journal.end() > 0).then_some(why),
    }
    let (base, reflected) = fresh(index, cache_bytes)?;
    let view = View::new(base, reflected).map_err(|Unusable(why)| OpenError::Index(why))?;
    match catch_up(&journal, &view, reflected, &mut opening, progress) {
        Ok(last) => Ok(Opened {
            journal,
            view,
            last,
            opening,
        }),
        Err(CatchUp::Journal(error)) => Err(error),
        Err(CatchUp::Index(Unusable(why))) => Err(OpenError::Index(why)),
    }
}

/// The index as it was left, if it can be used.
fn existing(
    directory: &Path,
    journal: &Journal,
    cache_bytes: u64,
    opening: &mut Opening,
) -> Result<(View, Reflected), Unusable> {
    match fs::read_to_string(directory.join("state")) {
        Ok(state) => usable(state.trim())?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Unusable("there is none".to_owned()));
        }
        Err(error) => return Err(Unusable(error.to_string())),
    }
    let io = |error: io::Error| Unusable(error.to_string());
    // Before the tree is touched, so that a power cut from now on is noticed.
    mark(directory, &running()).map_err(io)?;
    let (base, reflected) = Base::open(directory, cache_bytes)?;
    confirm(journal, &reflected, opening)?;
    Ok((View::new(base, reflected)?, reflected))
}

/// Whether an index in this state can be trusted to be what its process wrote.
fn usable(state: &str) -> Result<(), Unusable> {
    if state == CLEAN || (state == running() && boot().is_some()) {
        return Ok(());
    }
    if state.starts_with(RUNNING) {
        return Err(Unusable(
            "the machine stopped while it was in use".to_owned(),
        ));
    }
    Err(Unusable("its state cannot be read".to_owned()))
}

/// Whether the journal has the record that the index names as its last.
fn confirm(
    journal: &Journal,
    reflected: &Reflected,
    opening: &mut Opening,
) -> Result<(), Unusable> {
    if *reflected == Reflected::default() {
        return Ok(());
    }
    if reflected.end > journal.end() {
        opening.ahead = Some(reflected.sequence);
        return Err(Unusable("it is ahead of the journal".to_owned()));
    }
    let other = || Unusable("it belongs to another journal".to_owned());
    let frame = journal.read(reflected.last).map_err(|_| other())?;
    let fits = frame.header.sequence == reflected.sequence
        && frame.header.ends_group()
        && frame.hash() == reflected.hash
        && reflected.last + u64::from(frame.header.length) == reflected.end;
    if fits { Ok(()) } else { Err(other()) }
}

/// An empty index; what was there is set aside.
fn fresh(directory: &Path, cache_bytes: u64) -> Result<(Base, Reflected), OpenError> {
    let io = |error: io::Error| OpenError::Index(error.to_string());
    set_aside(directory).map_err(io)?;
    fs::create_dir_all(directory).map_err(io)?;
    mark(directory, &running()).map_err(io)?;
    Base::open(directory, cache_bytes).map_err(|Unusable(why)| OpenError::Index(why))
}

/// Renames the index directory, so that somebody can look at it; only the latest such one is kept.
///
/// # Errors
/// If it cannot be renamed.
pub(crate) fn set_aside(directory: &Path) -> io::Result<()> {
    if !directory.exists() {
        return Ok(());
    }
    let aside = aside(directory);
    if aside.exists() {
        fs::remove_dir_all(&aside)?;
    }
    fs::rename(directory, aside)
}

fn aside(directory: &Path) -> PathBuf {
    directory.with_extension("set-aside")
}

enum CatchUp {
    Journal(OpenError),
    Index(Unusable),
}

impl From<Unusable> for CatchUp {
    fn from(unusable: Unusable) -> Self {
        Self::Index(unusable)
    }
}

impl From<Damage> for CatchUp {
    fn from(damage: Damage) -> Self {
        Self::Journal(damage.into())
    }
}

impl From<WriteError> for CatchUp {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::NoRoom(error) => Self::Journal(OpenError::Index(error.to_string())),
            WriteError::Failed(unusable) => Self::Index(unusable),
        }
    }
}

/// Folds everything behind the reflected position, and cuts off a torn tail. Returns sequence and hash of the last record.
fn catch_up(
    journal: &Journal,
    view: &View,
    reflected: Reflected,
    opening: &mut Opening,
    progress: &mut dyn FnMut(&Rebuilding),
) -> Result<(u64, Hash), CatchUp> {
    let start = Start {
        sequence: reflected.sequence,
        hash: reflected.hash,
        position: reflected.end,
    };
    let mut scan = Scan::new(journal.medium().clone(), journal.segments(), start);
    let mut report = Rebuilding {
        why: opening.rebuilt.clone(),
        bytes_done: 0,
        bytes_total: journal.end() - reflected.end,
        records: 0,
    };
    let mut staged = Staged::new(view);
    let mut committed = (reflected.sequence, reflected.hash);
    let tail = loop {
        let (header, at, entry, length) = match scan.next()? {
            Step::End(tail) => break tail,
            Step::Frame(frame, at) => (frame.header, at, Entry::of(&frame), frame.header.length),
        };
        let entry = entry.map_err(|why| damage(journal, at, why))?;
        staged.apply(&entry, at, header.time_us)?;
        report.records += 1;
        if header.ends_group() {
            committed = scan.last();
            let end = at.position + u64::from(length);
            let group = std::mem::replace(&mut staged, Staged::new(view));
            view.merge(group.finish(at, committed.1, end));
            staged = Staged::new(view);
            view.settle_much()?;
        }
        if report.records.is_multiple_of(REPORT_EVERY) {
            report.bytes_done = scan.position() - reflected.end;
            progress(&report);
        }
    };
    drop(staged);
    if let Tail::Torn { position, bytes } = tail {
        cut(journal, position).map_err(|error| CatchUp::Journal(OpenError::Journal(error)))?;
        opening.cut_bytes = bytes;
    }
    if report.why.is_some() || report.records >= REPORT_EVERY {
        report.bytes_done = report.bytes_total;
        progress(&report);
    }
    view.settle_all(0)?;
    opening.records = report.records;
    Ok(committed)
}

fn damage(journal: &Journal, at: At, why: String) -> CatchUp {
    let segments = journal.segments();
    let segment = segments
        .iter()
        .rfind(|segment| segment.header.base <= at.position);
    CatchUp::from(Damage {
        file: journal
            .medium()
            .describe(&segment.map(segment::Segment::name).unwrap_or_default()),
        offset: at.position - segment.map_or(0, |segment| segment.header.base),
        sequence: Some(at.sequence),
        why,
    })
}

/// Cuts the last segment at a position.
fn cut(journal: &Journal, position: u64) -> io::Result<()> {
    let segments = journal.segments();
    let Some(mut last) = segments.last().copied() else {
        return Ok(());
    };
    let file = journal.medium().open(&last.name())?;
    last.length = position.saturating_sub(last.header.base);
    file.set_len(last.length)?;
    file.sync()?;
    journal.extend(last);
    Ok(())
}

const CLEAN: &str = "clean";
const RUNNING: &str = "running";

fn running() -> String {
    format!("{RUNNING} {}", boot().unwrap_or_default())
}

/// Which run of the machine this is. After a power cut it is another one.
fn boot() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

/// Marks an index whose files are synced as clean.
///
/// # Errors
/// If the mark cannot be written.
pub(crate) fn mark_clean(directory: &Path) -> io::Result<()> {
    mark(directory, CLEAN)
}

/// Writes the state of an index so that a power cut leaves the old or the new one.
fn mark(directory: &Path, state: &str) -> io::Result<()> {
    let beside = directory.join("state.new");
    let mut file = fs::File::create(&beside)?;
    writeln!(file, "{state}")?;
    file.sync_all()?;
    fs::rename(&beside, directory.join("state"))?;
    sync_directory(directory)
}
