//! The journal: an append-only, hash-chained record of everything, and the only truth.
//!
//! # The cast
//! - A *frame* is one record: header, JSON, and for an accepted event its raw bytes ([`frame`]).
//! - A *group* is the frames of one write: one or more commits, synced together, the last frame flagged as its end.
//! - A *segment* is a file of whole groups; each names its predecessor's hash and length ([`segment`]).
//!
//! # The guarantees
//! - A commit is acknowledged only after its group is written and synced ([`Appender`]).
//! - A group is there as a whole or not at all. The next group is written only after the one before is synced, so at most
//!   the last group of the last segment can be incomplete.
//! - What was lost with the power is cut off, and nothing else is ([`scan`] says how the two are told apart). Every other
//!   thing that does not verify is [`Damage`] with file, offset and record, and stops the reader.
//!
//! Readers need no lock: what a position points to never changes.

mod append;
pub(crate) mod frame;
pub(crate) mod scan;
pub(crate) mod segment;

pub(crate) use append::Appender;
pub(crate) use scan::{Scan, Start, Step, Tail};

use crate::medium::{Medium, MediumFile};
use frame::{FRAME_BYTES_MAX, HEADER_BYTES, Hash, Header};
use segment::{SEGMENT_HEADER_BYTES, Segment, SegmentHeader, Unreadable};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// A first read takes this much: most frames fit, so most reads are one system call.
const FIRST_READ_BYTES: usize = 4096;

/// So many segment files are kept open for reading.
const OPEN_FILES_MAX: usize = 64;

/// A place in the journal that does not verify. It is never skipped.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Offset in it, in bytes.
    pub offset: u64,
    /// The record that is, or should be, there.
    pub sequence: Option<u64>,
    /// What is wrong, in words.
    pub why: String,
}

impl std::error::Error for Damage {}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.file.display(), self.offset)?;
        if let Some(sequence) = self.sequence {
            write!(f, ", record {sequence}")?;
        }
        write!(f, ": {}", self.why)
    }
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Damaged(#[from] Damage),
    #[error("{} has format {found}; this version reads up to {}", .file.display(), segment::FORMAT)]
    Newer { file: PathBuf, found: u32 },
    #[error("cannot read the journal")]
    Io(#[from] io::Error),
}

/// Where a frame lies and which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) sequence: u64,
    pub(crate) position: u64,
}

/// A frame read by its position.
#[derive(Debug)]
pub(crate) struct StoredFrame {
    pub(crate) header: Header,
    bytes: Vec<u8>,
}

impl StoredFrame {
    pub(crate) fn meta(&self) -> &[u8] {
        self.bytes
            .get(HEADER_BYTES..self.body_at())
            .unwrap_or_default()
    }

    pub(crate) fn hash(&self) -> Hash {
        frame::hash(&self.bytes)
    }

    /// The raw event, without copying it.
    pub(crate) fn into_body(self) -> bytes::Bytes {
        let at = self.body_at().min(self.bytes.len());
        bytes::Bytes::from(self.bytes).slice(at..)
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(self.body_at()..).unwrap_or_default()
    }

    const fn body_at(&self) -> usize {
        HEADER_BYTES + self.header.meta_length as usize
    }
}

/// The segments of a journal, for reading by position.
#[derive(Debug)]
pub(crate) struct Journal {
    medium: Medium,
    segments: RwLock<Vec<Segment>>,
    files: Mutex<BTreeMap<u64, Arc<MediumFile>>>,
}

impl Journal {
    /// The journal made of these segments, which [`load`] has found.
    pub(crate) fn new(medium: Medium, segments: Vec<Segment>) -> Self {
        Self {
            medium,
            segments: RwLock::new(segments),
            files: Mutex::default(),
        }
    }

    pub(crate) const fn medium(&self) -> &Medium {
        &self.medium
    }

    /// The segments as they stand.
    pub(crate) fn segments(&self) -> Vec<Segment> {
        self.segments
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Position behind the last synced byte.
    pub(crate) fn end(&self) -> u64 {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.last().map_or(0, Segment::end)
    }

    /// Adds a segment, or sets the length of the last one.
    pub(crate) fn extend(&self, segment: Segment) {
        let mut segments = self
            .segments
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match segments.last_mut() {
            Some(last) if last.header.first == segment.header.first => *last = segment,
            Some(_) | None => segments.push(segment),
        }
    }

    /// The frame at a position, verified against its checksums.
    ///
    /// # Errors
    /// If there is none, or it is damaged.
    pub(crate) fn read(&self, position: u64) -> Result<StoredFrame, Damage> {
        let (segment, file, offset) = self.locate(position)?;
        let damage = |why: &str, sequence: Option<u64>| Damage {
            file: self.medium.describe(&segment.name()),
            offset,
            sequence,
            why: why.to_owned(),
        };
        let failed = |error: io::Error| damage(&format!("it cannot be read: {error}"), None);
        let mut bytes = vec![0; FIRST_READ_BYTES];
        let read = file.read_at(&mut bytes, offset).map_err(failed)?;
        bytes.truncate(read);
        let header =
            Header::decode(&bytes, segment.header.mark).map_err(|why| damage(why, None))?;
        let length = (header.length as usize).min(FRAME_BYTES_MAX);
        if length > read {
            bytes.resize(length, 0);
            if let Some(rest) = bytes.get_mut(read..) {
                let more = file.read_at(rest, offset + read as u64).map_err(failed)?;
                bytes.truncate(read + more);
            }
        }
        bytes.truncate(length);
        frame::verify(&header, &bytes).map_err(|why| damage(why, Some(header.sequence)))?;
        Ok(StoredFrame { header, bytes })
    }

    /// The frame with this sequence, found by walking on from an earlier (or the same) frame.
    ///
    /// # Errors
    /// If the way there is damaged.
    pub(crate) fn walk(
        &self,
        from: u64,
        sequence: u64,
    ) -> Result<Option<(u64, StoredFrame)>, Damage> {
        let mut position = from;
        loop {
            let frame = self.read(position)?;
            if frame.header.sequence >= sequence {
                return Ok((frame.header.sequence == sequence).then_some((position, frame)));
            }
            position += u64::from(frame.header.length);
            match self.next_start(position) {
                Some(start) => position = start,
                None => return Ok(None),
            }
        }
    }

    /// The position itself, or the first frame of the next segment where a segment ends there.
    pub(crate) fn next_start(&self, position: u64) -> Option<u64> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let after = segments.partition_point(|segment| segment.end() <= position);
        let segment = segments.get(after)?;
        let start = position.max(segment.start());
        (start < segment.end()).then_some(start)
    }

    fn locate(&self, position: u64) -> Result<(Segment, Arc<MediumFile>, u64), Damage> {
        let segment = {
            let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
            let after = segments.partition_point(|segment| segment.end() <= position);
            segments
                .get(after)
                .copied()
                .filter(|segment| segment.start() <= position)
        };
        let Some(segment) = segment else {
            return Err(Damage {
                file: self.medium.describe(""),
                offset: position,
                sequence: None,
                why: "the journal has no record at this position".to_owned(),
            });
        };
        let offset = position - segment.header.base;
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files.get(&segment.header.first) {
            return Ok((segment, Arc::clone(file), offset));
        }
        let name = segment.name();
        let file = self.medium.open_to_read(&name).map_err(|error| Damage {
            file: self.medium.describe(&name),
            offset,
            sequence: None,
            why: format!("it cannot be opened: {error}"),
        })?;
        let file = Arc::new(file);
        if files.len() >= OPEN_FILES_MAX {
            files.pop_first();
        }
        files.insert(segment.header.first, Arc::clone(&file));
        Ok((segment, file, offset))
    }
}

/// The segments found, and a segment file whose creation was cut off by a crash, if there is one.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) segments: Vec<Segment>,
    pub(crate) unborn: Option<String>,
}

/// The segments as far as they can be read, each put where the one before ends: for finding the first record that does
/// not verify in a journal whose segments do not continue one another.
pub(crate) fn load_as_found(medium: &Medium) -> io::Result<Vec<Segment>> {
    let mut segments: Vec<Segment> = Vec::new();
    for name in medium
        .list()?
        .into_iter()
        .filter(|name| segment::is_segment(name))
    {
        let file = medium.open_to_read(&name)?;
        let length = file.len()?;
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let read = file.read_at(&mut bytes, 0)?;
        let Ok(mut header) = SegmentHeader::decode(bytes.get(..read).unwrap_or_default()) else {
            break;
        };
        if segment::name(header.first) != name {
            break;
        }
        header.base = segments.last().map_or(0, Segment::end);
        segments.push(Segment { header, length });
    }
    Ok(segments)
}

/// Finds the segments and checks that they continue one another.
///
/// # Errors
/// If a segment is missing, shortened, exchanged, unreadable, or of a later format.
pub(crate) fn load(medium: &Medium) -> Result<Loaded, Error> {
    let names: Vec<String> = medium
        .list()?
        .into_iter()
        .filter(|name| segment::is_segment(name))
        .collect();
    let mut segments: Vec<Segment> = Vec::with_capacity(names.len());
    for (at, name) in names.iter().enumerate() {
        let file = medium.open_to_read(name)?;
        let length = file.len()?;
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let read = file.read_at(&mut bytes, 0)?;
        let damage = |why: String| Damage {
            file: medium.describe(name),
            offset: 0,
            sequence: None,
            why,
        };
        let header = match SegmentHeader::decode(bytes.get(..read).unwrap_or_default()) {
            Ok(header) => header,
            Err(Unreadable::Newer(found)) => {
                return Err(Error::Newer {
                    file: medium.describe(name),
                    found,
                });
            }
            Err(Unreadable::Broken(why)) => {
                let last = at + 1 == names.len();
                let unwritten = read < SEGMENT_HEADER_BYTES || bytes.iter().all(|byte| *byte == 0);
                // Name and header are synced before the first frame is written: an unwritten header has no frames.
                if last && unwritten && length <= SEGMENT_HEADER_BYTES as u64 {
                    return Ok(Loaded {
                        segments,
                        unborn: Some(name.clone()),
                    });
                }
                return Err(damage(why.to_owned()).into());
            }
        };
        if segment::name(header.first) != *name {
            let why = format!(
                "its header says {}: it was renamed",
                segment::name(header.first)
            );
            return Err(damage(why).into());
        }
        let (base, follows) = segments
            .last()
            .map_or((0, None), |last| (last.end(), Some(last)));
        if header.base != base {
            let why = match follows {
                Some(last) => format!(
                    "it continues {} bytes into the journal, but {} ends after {base}: something between is missing",
                    header.base,
                    last.name()
                ),
                None => format!(
                    "the journal begins with record {}: earlier segments are missing",
                    header.first
                ),
            };
            return Err(damage(why).into());
        }
        segments.push(Segment { header, length });
    }
    Ok(Loaded {
        segments,
        unborn: None,
    })
}
