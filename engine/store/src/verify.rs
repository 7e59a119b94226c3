//! Auditing without the engine: the journal alone, no lock, no index.

use crate::journal::frame::Hash;
use crate::journal::{self, Damage, Scan, Start, Step, Tail};
use crate::medium::Medium;
use crate::model::AuditRecord;
use crate::open::Rebuilding;
use crate::store::{Store, prepare};
use crate::{OpenError, Options, open, read};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;

/// What verifying a journal found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Verification {
    /// Sound records, from the beginning to the end or to the first damage.
    pub records: u64,
    /// Of them, by kind.
    pub kinds: BTreeMap<String, u64>,
    /// Segment files.
    pub segments: usize,
    /// Bytes.
    pub bytes: u64,
    /// When the first and the last sound record were written.
    pub first_at: Option<Timestamp>,
    /// See `first_at`.
    pub last_at: Option<Timestamp>,
    /// Hash of the last sound record, hex: note it somewhere else, and a later cut will show.
    pub head: String,
    /// Bytes at the end of a write that has not finished: being written now, or torn by a crash. Not damage.
    pub unfinished_bytes: u64,
    /// The first thing that does not verify.
    pub damage: Option<Damage>,
}

/// Verifies the journal in a store's directory: every checksum, the hash chain, and that nothing is missing in between.
/// `progress` hears of bytes done and bytes in all.
///
/// # Errors
/// If there is no journal, it cannot be read, or a later version wrote it. Damage is a finding, not an error.
pub fn verify(
    directory: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verification, OpenError> {
    verify_medium(journal_in(directory)?, progress)
}

/// As [`verify`], on a simulated disk.
///
/// # Errors
/// As [`verify`].
#[cfg(feature = "simulation")]
pub fn verify_simulated(disk: &crate::simulated::SimulatedDisk) -> Result<Verification, OpenError> {
    verify_medium(Medium::Simulated(disk.clone()), &mut |_, _| {})
}

fn verify_medium(
    medium: Medium,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verification, OpenError> {
    let loaded = match journal::load(&medium) {
        Ok(loaded) => loaded,
        Err(journal::Error::Damaged(damage)) => return Ok(unreadable(damage)),
        Err(error) => return Err(error.into()),
    };
    Ok(verify_on(medium, loaded.segments, progress))
}

fn verify_on(
    medium: Medium,
    segments: Vec<journal::segment::Segment>,
    progress: &mut dyn FnMut(u64, u64),
) -> Verification {
    let total = segments.last().map_or(0, journal::segment::Segment::end);
    let mut found = Verification {
        records: 0,
        kinds: BTreeMap::new(),
        segments: segments.len(),
        bytes: total,
        first_at: None,
        last_at: None,
        head: ml_connector_core::hex::of(&Hash::default()),
        unfinished_bytes: 0,
        damage: None,
    };
    let mut scan = Scan::new(medium, segments, Start::ORIGIN);
    // Records of the group being read count only when the group is complete.
    let mut group: Vec<(String, Timestamp)> = Vec::new();
    loop {
        let (kind, at, ends, position) = match scan.next() {
            Ok(Step::Frame(frame, at)) => {
                let kind = crate::entry::Kind::of(frame.header.kind);
                let kind = kind.map_or("unknown", crate::entry::Kind::as_str);
                (
                    kind,
                    read::time(frame.header.time_us),
                    frame.header.ends_group(),
                    at.position,
                )
            }
            Ok(Step::End(Tail::Clean)) => break,
            Ok(Step::End(Tail::Torn { bytes, .. })) => {
                found.unfinished_bytes = bytes;
                break;
            }
            Err(damage) => {
                found.damage = Some(damage);
                break;
            }
        };
        group.push((kind.to_owned(), at));
        if ends {
            for (kind, at) in group.drain(..) {
                found.records += 1;
                *found.kinds.entry(kind).or_default() += 1;
                found.first_at.get_or_insert(at);
                found.last_at = Some(at);
            }
            found.head = ml_connector_core::hex::of(&scan.last().1);
            progress(position, total);
        }
    }
    progress(total, total);
    found
}

fn unreadable(damage: Damage) -> Verification {
    Verification {
        records: 0,
        kinds: BTreeMap::new(),
        segments: 0,
        bytes: 0,
        first_at: None,
        last_at: None,
        head: ml_connector_core::hex::of(&Hash::default()),
        unfinished_bytes: 0,
        damage: Some(damage),
    }
}

/// The records of a journal in order, each verified.
#[derive(Debug)]
pub struct AuditTrail {
    scan: Scan,
    ended: bool,
}

/// Reads the journal in a store's directory, without lock and index. A write that has not finished is left out at the end.
///
/// # Errors
/// If there is no journal, it cannot be read, or a later version wrote it.
pub fn read_journal(directory: &Path) -> Result<AuditTrail, OpenError> {
    let medium = journal_in(directory)?;
    let segments = journal::load(&medium)?.segments;
    Ok(AuditTrail {
        scan: Scan::new(medium, segments, Start::ORIGIN),
        ended: false,
    })
}

impl Iterator for AuditTrail {
    type Item = Result<AuditRecord, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = match self.scan.next() {
            Ok(Step::Frame(frame, at)) => {
                let record = read::audit_record(&frame.header, frame.meta, frame.body, frame.hash);
                record.map_err(|why| Damage {
                    file: "journal".into(),
                    offset: at.position,
                    sequence: Some(at.sequence),
                    why,
                })
            }
            Ok(Step::End(_)) => {
                self.ended = true;
                return None;
            }
            Err(damage) => Err(damage),
        };
        self.ended = next.is_err();
        Some(next)
    }
}

/// Sets the index aside and builds a new one. Needs the lock.
///
/// # Errors
/// As [`Store::open`]; also if there is no store.
pub fn rebuild_index(
    options: &Options,
    progress: &mut dyn FnMut(&Rebuilding),
) -> Result<u64, OpenError> {
    journal_in(&options.directory)?;
    let lock = prepare(&options.directory)?;
    open::set_aside(&options.directory.join("index"))
        .map_err(|error| OpenError::Index(error.to_string()))?;
    let medium = Medium::real(options.directory.join("journal"));
    let store = Store::open_on(&medium, options, Some(lock), progress)?;
    Ok(store.opening().records)
}

fn journal_in(directory: &Path) -> Result<Medium, OpenError> {
    let journal = directory.join("journal");
    if journal.is_dir() {
        Ok(Medium::real(journal))
    } else {
        Err(OpenError::NoStore(directory.to_owned()))
    }
}
