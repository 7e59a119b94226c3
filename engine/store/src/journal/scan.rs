//! Reading front to back with everything verified, and telling a torn tail from damage.
//!
//! A *torn tail* is the rest of a write whose sync never returned: nobody was told that it is stored, so it is cut off.
//! *Damage* is anything else, and never cut: it may have been acknowledged. Only the last group of the last segment can
//! be torn, because a group is written only after the one before was synced. So bytes that do not verify are torn if, and
//! only if,
//! 1. they lie in the last segment, and no header of a later group follows them (a later group proves that this one was
//!    synced; the segment's random mark makes sure that a stored body cannot pretend to be one), and
//! 2. they look like a write that was cut short: the file ends inside the group, or a part of the frame from a 512-byte
//!    sector boundary on is all zero, which is what an unwritten sector reads as.
//!
//! A flipped bit, an exchanged byte or a cut in the middle meets neither and is damage, also in the very last group. What
//! this rule cannot see is a cut exactly behind a group that somebody made on purpose: then the index, or the head that an
//! auditor noted, is ahead of the journal, and opening reports that.

use super::frame::{self, FRAME_BYTES_MAX, Frame, HEADER_BYTES, Hash, Header};
use super::segment::Segment;
use super::{At, Damage};
use crate::medium::{Medium, MediumFile};

/// Bytes read at once.
const READ_BYTES: usize = 1024 * 1024;

/// A device writes so many bytes or none of them.
const SECTOR_BYTES: u64 = 512;

/// Where to begin: behind the frame with this sequence and hash, at `position`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) sequence: u64,
    pub(crate) hash: Hash,
    pub(crate) position: u64,
}

impl Start {
    /// The beginning of the journal.
    pub(crate) const ORIGIN: Self = Self {
        sequence: 0,
        hash: [0; 32],
        position: 0,
    };
}

/// How a journal ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// With a complete group.
    Clean,
    /// With so many bytes of a write that never finished, from this position on.
    Torn { position: u64, bytes: u64 },
}

/// One step of a scan.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// A verified frame. It counts only when the end of its group has been seen.
    Frame(Frame<'a>, At),
    /// There is no more.
    End(Tail),
}

/// A verifying reader.
#[derive(Debug)]
pub(crate) struct Scan {
    medium: Medium,
    segments: Vec<Segment>,
    /// The segment being read and its file.
    current: usize,
    file: Option<MediumFile>,
    /// Offset in the file of the next frame.
    offset: u64,
    /// Sequence and hash of the frame before.
    last: (u64, Hash),
    /// Whether a segment was entered at its beginning and not yet compared with the one before.
    entered: bool,
    /// First sequence and offset of the group being read, unless it is complete.
    group: Option<(u64, u64)>,
    buffer: Vec<u8>,
    buffer_at: u64,
}

impl Scan {
    /// A scan from `start`, which is a group boundary of these segments.
    pub(crate) fn new(medium: Medium, segments: Vec<Segment>, start: Start) -> Self {
        let current = segments.partition_point(|segment| segment.end() <= start.position);
        let offset = segments.get(current).map_or(0, |segment| {
            start
                .position
                .max(segment.start())
                .saturating_sub(segment.header.base)
        });
        Self {
            medium,
            segments,
            current,
            file: None,
            offset,
            entered: offset == super::segment::SEGMENT_HEADER_BYTES as u64,
            last: (start.sequence, start.hash),
            group: None,
            buffer: Vec::new(),
            buffer_at: 0,
        }
    }

    /// Position of the next frame.
    pub(crate) fn position(&self) -> u64 {
        match self.segments.get(self.current) {
            Some(segment) => segment.header.base + self.offset,
            None => self.segments.last().map_or(0, Segment::end),
        }
    }

    /// Sequence and hash of the last frame given out.
    pub(crate) const fn last(&self) -> (u64, Hash) {
        self.last
    }

    /// The next frame, or how the journal ends.
    ///
    /// # Errors
    /// At the first thing that does not verify. The scan cannot go on then.
    pub(crate) fn next(&mut self) -> Result<Step<'_>, Damage> {
        let segment = loop {
            let Some(segment) = self.segments.get(self.current).copied() else {
                return Ok(Step::End(Tail::Clean));
            };
            if std::mem::take(&mut self.entered) {
                self.check_continues()?;
            }
            if self.offset < segment.length {
                break segment;
            }
            if self.group.is_some() {
                return self
                    .give_up(segment, "the segment ends inside a commit", Cut::FileEnds)
                    .map(Step::End);
            }
            if self.current + 1 == self.segments.len() {
                return Ok(Step::End(Tail::Clean));
            }
            self.current += 1;
            self.file = None;
            self.buffer.clear();
            self.offset = super::segment::SEGMENT_HEADER_BYTES as u64;
            self.entered = true;
        };
        let header = match self.header(segment)? {
            Ok(header) => header,
            Err((why, cut)) => return self.give_up(segment, &why, cut).map(Step::End),
        };
        let length = header.length as usize;
        let offset = self.offset;
        if offset + length as u64 > segment.length {
            return self
                .give_up(segment, "the record is cut", Cut::FileEnds)
                .map(Step::End);
        }
        let bytes = self.window(segment, offset, length)?;
        if let Err(why) = frame::verify(&header, bytes) {
            return self
                .give_up(segment, why, Cut::Within(length as u64))
                .map(Step::End);
        }
        let hash = frame::hash(bytes);
        if header.ends_group() {
            self.group = None;
        } else {
            self.group.get_or_insert((header.group, offset));
        }
        self.offset += length as u64;
        self.last = (header.sequence, hash);
        let at = At {
            sequence: header.sequence,
            position: segment.header.base + offset,
        };
        let bytes = self.window(segment, offset, length)?;
        Ok(Step::Frame(Frame::of(header, bytes, hash), at))
    }

    /// The header at the present offset, checked against what must come here.
    fn header(&mut self, segment: Segment) -> Result<Result<Header, (String, Cut)>, Damage> {
        let (last_sequence, last_hash) = self.last;
        let group = self.group.map_or(last_sequence + 1, |(group, _)| group);
        let bytes = self.window(segment, self.offset, HEADER_BYTES)?;
        let cut = if bytes.len() < HEADER_BYTES {
            Cut::FileEnds
        } else {
            Cut::Within(HEADER_BYTES as u64)
        };
        let header = match Header::decode(bytes, segment.header.mark) {
            Ok(header) => header,
            Err(why) => return Ok(Err((why.to_owned(), cut))),
        };
        let wrong = if header.sequence != last_sequence + 1 {
            format!(
                "record {} stands here, record {} is expected",
                header.sequence,
                last_sequence + 1
            )
        } else if header.previous != last_hash {
            // The chain breaks here, and what it says is that the record before is another one now.
            return Err(Damage {
                sequence: Some(last_sequence.max(1)),
                ..self.damage(
                    segment,
                    &format!(
                        "the hash chain is broken: record {last_sequence} has been changed, record {} was written after another one",
                        header.sequence
                    ),
                )
            });
        } else if header.group != group {
            format!(
                "the record belongs to the write of record {}, not of {group}",
                header.group
            )
        } else {
            return Ok(Ok(header));
        };
        Ok(Err((wrong, Cut::No)))
    }

    /// Decides whether what does not verify is a torn tail.
    fn give_up(&mut self, segment: Segment, why: &str, cut: Cut) -> Result<Tail, Damage> {
        let (sequence, group_offset) = self.group.unwrap_or((self.last.0 + 1, self.offset));
        let last_segment = self.current + 1 == self.segments.len();
        let torn = last_segment
            && match cut {
                Cut::No => false,
                Cut::FileEnds => true,
                Cut::Within(length) => self.lost_sector(segment, length)?,
            };
        if torn && !self.later_group(segment, sequence)? {
            return Ok(Tail::Torn {
                position: segment.header.base + group_offset,
                bytes: segment.length - group_offset,
            });
        }
        Err(self.damage(segment, why))
    }

    fn damage(&self, segment: Segment, why: &str) -> Damage {
        Damage {
            file: self.medium.describe(&segment.name()),
            offset: self.offset,
            sequence: Some(self.last.0 + 1),
            why: why.to_owned(),
        }
    }

    /// Whether a part of the next `length` bytes, from a sector boundary (or the frame's start) to the next boundary (or
    /// the end of the file), is all zero.
    fn lost_sector(&mut self, segment: Segment, length: u64) -> Result<bool, Damage> {
        let end = self.offset.saturating_add(length).min(segment.length);
        let mut at = self.offset;
        while at < end {
            let boundary = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
            let part = boundary.min(segment.length) - at;
            let bytes = self.window(segment, at, usize::try_from(part).unwrap_or(0))?;
            if bytes.iter().all(|byte| *byte == 0) {
                return Ok(true);
            }
            at = boundary;
        }
        Ok(false)
    }

    /// Whether the header of a group after the one that begins with `sequence` follows.
    fn later_group(&mut self, segment: Segment, sequence: u64) -> Result<bool, Damage> {
        let mark = segment.header.mark;
        let mut at = self.offset.saturating_add(1);
        while at + (HEADER_BYTES as u64) <= segment.length {
            let bytes = self.window(segment, at, READ_BYTES)?;
            let mut searched = 0;
            for (found, window) in bytes.windows(HEADER_BYTES).enumerate() {
                searched = found as u64 + 1;
                if window.starts_with(&mark)
                    && Header::decode(window, mark).is_ok_and(|header| header.group > sequence)
                {
                    return Ok(true);
                }
            }
            at += searched.max(1);
        }
        Ok(false)
    }

    /// Whether the present segment continues where the last frame ended.
    fn check_continues(&self) -> Result<(), Damage> {
        let Some(segment) = self.segments.get(self.current) else {
            return Ok(());
        };
        let (sequence, hash) = self.last;
        let why = if segment.header.first != sequence + 1 {
            format!(
                "the segment begins with record {}, after record {sequence}",
                segment.header.first
            )
        } else if segment.header.previous != hash {
            format!(
                "record {sequence} has been changed, or the segment is another one: it does not continue the hash chain"
            )
        } else {
            return Ok(());
        };
        // Where the numbers fit, it is the last record before that has been changed.
        let fits = segment.header.first == sequence + 1;
        Err(Damage {
            file: self.medium.describe(&segment.name()),
            offset: 0,
            sequence: Some(if fits { sequence } else { sequence + 1 }),
            why,
        })
    }

    /// Up to `length` bytes from `offset` on; fewer where the file ends.
    fn window(&mut self, segment: Segment, offset: u64, length: usize) -> Result<&[u8], Damage> {
        let length = length.min(FRAME_BYTES_MAX);
        let length =
            length.min(usize::try_from(segment.length.saturating_sub(offset)).unwrap_or(length));
        let buffered = self.buffer_at..self.buffer_at + self.buffer.len() as u64;
        if !(buffered.start <= offset && offset + length as u64 <= buffered.end) {
            self.fill(segment, offset, length)?;
        }
        let from = usize::try_from(offset - self.buffer_at).unwrap_or(usize::MAX);
        let available = self.buffer.get(from..).unwrap_or_default();
        Ok(available.get(..length).unwrap_or(available))
    }

    fn fill(&mut self, segment: Segment, offset: u64, length: usize) -> Result<(), Damage> {
        let failed = |medium: &Medium, error: std::io::Error| Damage {
            file: medium.describe(&segment.name()),
            offset,
            sequence: None,
            why: format!("it cannot be read: {error}"),
        };
        if self.file.is_none() {
            let file = self.medium.open_to_read(&segment.name());
            self.file = Some(file.map_err(|error| failed(&self.medium, error))?);
        }
        let wanted = length.max(READ_BYTES);
        let rest = usize::try_from(segment.length.saturating_sub(offset)).unwrap_or(wanted);
        self.buffer.resize(wanted.min(rest), 0);
        self.buffer_at = offset;
        if let Some(file) = &self.file {
            let read = file
                .read_at(&mut self.buffer, offset)
                .map_err(|error| failed(&self.medium, error))?;
            self.buffer.truncate(read);
        }
        Ok(())
    }
}

/// How bytes that do not verify could have come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// Not by a lost write.
    No,
    /// The file ends too early.
    FileEnds,
    /// Perhaps by a lost sector in so many bytes.
    Within(u64),
}
