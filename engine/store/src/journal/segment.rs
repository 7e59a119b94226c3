//! A segment file: its name, its header, and its place among the others.
//!
//! A position is a byte offset in the whole journal: the sum of the lengths of all earlier segments (headers included)
//! plus the offset in the file. So a missing, shortened or exchanged segment shows in the headers alone.

use super::frame::{Fields, Hash, Room};
use crate::medium::{Medium, MediumFile};
use std::io;

/// Length of the segment header.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 80;

/// The newest layout this version reads and the only one that it writes.
pub(crate) const FORMAT: u32 = 1;

const MAGIC: [u8; 8] = *b"MLCJRNL\n";
const SUFFIX: &str = ".seg";

/// What a segment's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// Random bytes that open each frame of this segment. A sender cannot know them, so a body cannot pose as a frame.
    pub(crate) mark: [u8; 8],
    /// Sequence of the first frame.
    pub(crate) first: u64,
    /// Position of the first byte of the file.
    pub(crate) base: u64,
    /// Hash of the last frame of the segment before.
    pub(crate) previous: Hash,
}

/// Why a header cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Written by a later version.
    Newer(u32),
    /// It does not verify.
    Broken(&'static str),
}

/// A segment of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Its header.
    pub(crate) header: SegmentHeader,
    /// Its length in bytes, header included.
    pub(crate) length: u64,
}

impl SegmentHeader {
    /// The bytes as they open the file.
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let mut room = Room(&mut bytes);
        room.put(&MAGIC);
        room.put(&FORMAT.to_le_bytes());
        room.put(&[0; 8]);
        room.put(&self.mark);
        room.put(&self.first.to_le_bytes());
        room.put(&self.base.to_le_bytes());
        room.put(&self.previous);
        let (covered, crc) = bytes.split_at_mut(SEGMENT_HEADER_BYTES - 4);
        crc.copy_from_slice(&crc32fast::hash(covered).to_le_bytes());
        bytes
    }

    /// Reads the header of a segment.
    ///
    /// # Errors
    /// If a later version wrote it, or it does not verify.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let short = Unreadable::Broken("the segment header is cut");
        let (bytes, _) = bytes
            .split_first_chunk::<SEGMENT_HEADER_BYTES>()
            .ok_or(short)?;
        let mut fields = Fields(bytes);
        if fields.take().ok_or(short)? != MAGIC {
            return Err(Unreadable::Broken("the file is not a journal segment"));
        }
        let format = u32::from_le_bytes(fields.take().ok_or(short)?);
        let covered = bytes.split_at(SEGMENT_HEADER_BYTES - 4);
        // The checksum stands at the same place in every format, so a flipped version is not taken for a later one.
        if covered.1 != crc32fast::hash(covered.0).to_le_bytes() {
            return Err(Unreadable::Broken(
                "the checksum of the segment header does not match",
            ));
        }
        if format != FORMAT {
            return Err(Unreadable::Newer(format));
        }
        fields.take::<8>().ok_or(short)?;
        Ok(Self {
            mark: fields.take().ok_or(short)?,
            first: u64::from_le_bytes(fields.take().ok_or(short)?),
            base: u64::from_le_bytes(fields.take().ok_or(short)?),
            previous: fields.take().ok_or(short)?,
        })
    }
}

impl Segment {
    /// Its file's name.
    pub(crate) fn name(&self) -> String {
        name(self.header.first)
    }

    /// Position behind its last byte.
    pub(crate) const fn end(&self) -> u64 {
        self.header.base.saturating_add(self.length)
    }

    /// Position of its first frame.
    pub(crate) const fn start(&self) -> u64 {
        self.header.base.saturating_add(SEGMENT_HEADER_BYTES as u64)
    }
}

/// The file name of the segment whose first frame has this sequence.
pub(crate) fn name(first: u64) -> String {
    format!("{first:020}{SUFFIX}")
}

/// Whether a file name is a segment's.
pub(crate) fn is_segment(name: &str) -> bool {
    name.strip_suffix(SUFFIX).is_some_and(|digits| {
        digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Creates a segment so that name and header are durable.
///
/// # Errors
/// If the disk refuses; nothing is left behind then, unless even removing fails.
pub(crate) fn create(medium: &Medium, header: &SegmentHeader) -> io::Result<MediumFile> {
    let name = name(header.first);
    let file = medium.create(&name)?;
    let written = file
        .write_at(&header.encode(), 0)
        .and_then(|()| file.sync())
        .and_then(|()| medium.sync());
    match written {
        Ok(()) => Ok(file),
        Err(error) => {
            drop(file);
            // The first failure is the one to report; a left-over is recognised and removed at the next open.
            medium.remove(&name).ok();
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flipped_bit_of_a_segment_header_is_found() {
        let header = SegmentHeader {
            mark: [1; 8],
            first: 5,
            base: 900,
            previous: [7; 32],
        };
        assert_eq!(SegmentHeader::decode(&header.encode()), Ok(header));
        for bit in 0..SEGMENT_HEADER_BYTES * 8 {
            let mut bytes = header.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(
                matches!(SegmentHeader::decode(&bytes), Err(Unreadable::Broken(_))),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn a_later_format_is_named_and_not_guessed() {
        let mut bytes = SegmentHeader {
            mark: [1; 8],
            first: 1,
            base: 0,
            previous: [0; 32],
        }
        .encode();
        bytes[8] = 2;
        let crc = crc32fast::hash(&bytes[..SEGMENT_HEADER_BYTES - 4]);
        bytes[SEGMENT_HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&bytes), Err(Unreadable::Newer(2)));
    }
}
