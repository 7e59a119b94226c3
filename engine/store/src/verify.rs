//! Auditing without the engine: the journal alone, no lock, no index.

use crate::journal::frame::{Frame, Hash};
use crate::journal::{self, At, Damage, Scan, Start, Step, Tail};
use crate::medium::Medium;
use crate::model::AuditRecord;
use crate::open::Rebuilding;
use crate::store::{Store, prepare};
use crate::{OpenError, Options, open, read};
use jiff::Timestamp;
use ml_connector_core::hex;
use sha2::{Digest as _, Sha256};
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
#[cfg(any(test, feature = "simulation"))]
pub fn verify_simulated(disk: &crate::simulated::SimulatedDisk) -> Result<Verification, OpenError> {
    verify_medium(Medium::Simulated(disk.clone()), &mut |_, _| {})
}

fn verify_medium(
    medium: Medium,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verification, OpenError> {
    let loaded = match journal::load(&medium) {
        Ok(loaded) => loaded,
        Err(journal::Error::Damaged(damage)) => {
            // Which record is the first bad one says more than that the files do not fit together.
            let segments = journal::load_as_found(&medium).map_err(OpenError::Journal)?;
            let mut found = verify_on(medium, segments, progress);
            found.damage.get_or_insert(Damage {
                sequence: Some(found.records + 1),
                ..damage
            });
            return Ok(found);
        }
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
        head: hex::of(&Hash::default()),
        unfinished_bytes: 0,
        damage: None,
    };
    let mut scan = Scan::new(medium, segments, Start::ORIGIN);
    // Records of the group being read count only when the group is complete.
    let mut group: Vec<(String, Timestamp)> = Vec::new();
    let mut last: Option<Counted> = None;
    loop {
        let (kind, at, ends, position, previous) = match scan.next() {
            Ok(Step::Frame(frame, at)) => {
                let kind = crate::entry::Kind::of(frame.header.kind);
                let kind = kind.map_or("unknown", crate::entry::Kind::as_str);
                (
                    kind,
                    read::time(frame.header.time_us),
                    frame.header.ends_group(),
                    at.position,
                    frame.header.previous,
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
                let before = found.last_at.replace(at);
                last = Some(Counted {
                    kind: kind.clone(),
                    before,
                    previous,
                });
                *found.kinds.entry(kind).or_default() += 1;
                found.first_at.get_or_insert(at);
            }
            found.head = hex::of(&scan.last().1);
            progress(position, total);
        }
    }
    progress(total, total);
    if let Some(first_bad) = found.damage.as_ref().and_then(|damage| damage.sequence)
        && first_bad == found.records
        && let Some(last) = last
    {
        last.take_back(&mut found);
    }
    found
}

/// The record that was counted last.
struct Counted {
    kind: String,
    /// When the one before was written.
    before: Option<Timestamp>,
    /// Hash of the one before.
    previous: Hash,
}

impl Counted {
    /// The record after it says that it has been changed: it is not sound after all.
    fn take_back(self, found: &mut Verification) {
        found.records -= 1;
        if let Some(number) = found.kinds.get_mut(&self.kind) {
            *number -= 1;
        }
        found.kinds.retain(|_, number| *number > 0);
        found.last_at = self.before;
        if self.before.is_none() {
            found.first_at = None;
        }
        found.head = hex::of(&self.previous);
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

/// A record with the bytes that its hash is made of, so that somebody else can verify it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRecord {
    /// Sequence number.
    pub sequence: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What kind of record it is.
    pub kind: &'static str,
    /// The frame's header; `docs/guide/audit.md` says what stands where.
    pub header: Vec<u8>,
    /// What the record says: JSON, byte for byte.
    pub meta: String,
    /// The event as received, or nothing.
    pub body: Vec<u8>,
    /// SHA-256 of header, meta and body, hex.
    pub hash: String,
    /// The hash of the one before, hex.
    pub previous: String,
}

impl AuditTrail {
    /// The records with their bytes.
    pub fn sealed(self) -> impl Iterator<Item = Result<SealedRecord, Damage>> {
        let mut trail = self;
        std::iter::from_fn(move || {
            if trail.ended {
                return None;
            }
            let next = match trail.scan.next() {
                Ok(Step::Frame(frame, at)) => seal(&frame, at),
                Ok(Step::End(_)) => {
                    trail.ended = true;
                    return None;
                }
                Err(damage) => Err(damage),
            };
            trail.ended = next.is_err();
            Some(next)
        })
    }
}

fn seal(frame: &Frame<'_>, at: At) -> Result<SealedRecord, Damage> {
    let header = &frame.header;
    let odd = |why: &str| Damage {
        file: "journal".into(),
        offset: at.position,
        sequence: Some(at.sequence),
        why: why.to_owned(),
    };
    let bytes = header.encode();
    let digest = Sha256::new()
        .chain_update(bytes)
        .chain_update(frame.meta)
        .chain_update(frame.body)
        .finalize();
    if *digest != frame.hash {
        return Err(odd("the record's header has bytes that mean nothing"));
    }
    let meta = std::str::from_utf8(frame.meta).map_err(|_| odd("the record is not text"))?;
    let kind = crate::entry::Kind::of(header.kind).map_or("unknown", crate::entry::Kind::as_str);
    Ok(SealedRecord {
        sequence: header.sequence,
        at: read::time(header.time_us),
        kind,
        header: bytes.to_vec(),
        meta: meta.to_owned(),
        body: frame.body.to_vec(),
        hash: hex::of(&frame.hash),
        previous: hex::of(&header.previous),
    })
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
