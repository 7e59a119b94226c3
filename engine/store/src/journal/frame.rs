//! One journal record as bytes.
//!
//! ```text
//! header, 84 bytes, little-endian                       payload
//! ┌──────┬────────┬───────────┬──────────┬──────┬───────┬──────┬───────┬───┬─────────────┬──────────┬────────────┐
//! │ mark │ length │ meta      │ sequence │ time │ group │ kind │ flags │ 0 │ payload crc │ previous │ header crc │ meta, body
//! │ 8    │ u32    │ length u32│ u64      │ i64  │ u64   │ u8   │ u8    │u16│ u32         │ 32       │ u32        │
//! └──────┴────────┴───────────┴──────────┴──────┴───────┴──────┴───────┴───┴─────────────┴──────────┴────────────┘
//! ```
//! `length` is that of the whole frame. `group` is the sequence of the first frame of the same write. `previous` is the
//! SHA-256 of all bytes of the frame before, so each hash covers the whole past. The two CRCs find damage cheaply and
//! tell a damaged length from a cut frame; the chain finds tampering.

use sha2::{Digest, Sha256};

/// SHA-256 of a frame, or zeros before the first.
pub(crate) type Hash = [u8; 32];

/// Length of the header in bytes.
pub(crate) const HEADER_BYTES: usize = 84;

/// No frame is longer. A longer length can only be damage.
pub(crate) const FRAME_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Set on the last frame of each write: everything up to it was handed to the disk at once and synced at once.
pub(crate) const FLAG_END: u8 = 1;

/// The fixed part of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) mark: [u8; 8],
    pub(crate) length: u32,
    pub(crate) meta_length: u32,
    pub(crate) sequence: u64,
    pub(crate) time_us: i64,
    pub(crate) group: u64,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) payload_crc: u32,
    pub(crate) previous: Hash,
}

/// A verified frame in a buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) header: Header,
    /// SHA-256 of all its bytes: what the next frame names as its previous one.
    pub(crate) hash: Hash,
    /// What the record says, JSON.
    pub(crate) meta: &'a [u8],
    /// The raw event, or nothing.
    pub(crate) body: &'a [u8],
}

impl Header {
    /// Whether it is the last of its write.
    pub(crate) const fn ends_group(&self) -> bool {
        self.flags & FLAG_END != 0
    }

    /// The bytes as they lie in the file.
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut room = Room(&mut bytes);
        room.put(&self.mark);
        room.put(&self.length.to_le_bytes());
        room.put(&self.meta_length.to_le_bytes());
        room.put(&self.sequence.to_le_bytes());
        room.put(&self.time_us.to_le_bytes());
        room.put(&self.group.to_le_bytes());
        room.put(&[self.kind, self.flags, 0, 0]);
        room.put(&self.payload_crc.to_le_bytes());
        room.put(&self.previous);
        let (covered, crc) = bytes.split_at_mut(HEADER_BYTES - 4);
        crc.copy_from_slice(&crc32fast::hash(covered).to_le_bytes());
        bytes
    }

    /// Reads a header.
    ///
    /// # Errors
    /// A few words on what is wrong with it.
    pub(crate) fn decode(bytes: &[u8], mark: [u8; 8]) -> Result<Self, &'static str> {
        let (bytes, _) = bytes
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or("the record header is cut")?;
        let mut fields = Fields(bytes);
        let short = "the record header is cut";
        let header = Self {
            mark: fields.take().ok_or(short)?,
            length: u32::from_le_bytes(fields.take().ok_or(short)?),
            meta_length: u32::from_le_bytes(fields.take().ok_or(short)?),
            sequence: u64::from_le_bytes(fields.take().ok_or(short)?),
            time_us: i64::from_le_bytes(fields.take().ok_or(short)?),
            group: u64::from_le_bytes(fields.take().ok_or(short)?),
            kind: u8::from_le_bytes(fields.take().ok_or(short)?),
            flags: u8::from_le_bytes(fields.take().ok_or(short)?),
            payload_crc: {
                fields.take::<2>().ok_or(short)?;
                u32::from_le_bytes(fields.take().ok_or(short)?)
            },
            previous: fields.take().ok_or(short)?,
        };
        let crc = u32::from_le_bytes(fields.take().ok_or(short)?);
        let covered = bytes.split_at(HEADER_BYTES - 4).0;
        if crc32fast::hash(covered) != crc {
            return Err("the checksum of the record header does not match");
        }
        if header.mark != mark {
            return Err("the record belongs to another segment");
        }
        let length = header.length as usize;
        if length > FRAME_BYTES_MAX || length < HEADER_BYTES + header.meta_length as usize {
            return Err("the lengths in the record header contradict each other");
        }
        Ok(header)
    }
}

impl<'a> Frame<'a> {
    /// The frame in `bytes`, which [`verify`] has accepted.
    pub(crate) fn of(header: Header, bytes: &'a [u8], hash: Hash) -> Self {
        let payload = bytes.get(HEADER_BYTES..).unwrap_or_default();
        let (meta, body) = payload
            .split_at_checked(header.meta_length as usize)
            .unwrap_or_default();
        Self {
            header,
            hash,
            meta,
            body,
        }
    }
}

/// Checks a whole frame, whose header has been read already, against its checksum.
///
/// # Errors
/// If it is cut, or its payload does not match.
pub(crate) fn verify(header: &Header, bytes: &[u8]) -> Result<(), &'static str> {
    if bytes.len() < header.length as usize {
        return Err("the record is cut");
    }
    let payload = bytes.get(HEADER_BYTES..header.length as usize);
    if crc32fast::hash(payload.unwrap_or_default()) != header.payload_crc {
        return Err("the checksum of the record does not match");
    }
    Ok(())
}

/// SHA-256 of a whole frame.
pub(crate) fn hash(frame: &[u8]) -> Hash {
    Sha256::digest(frame).into()
}

/// Fixed-width fields from the front of a slice.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl Fields<'_> {
    /// The next `N` bytes.
    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
}

/// Room for fixed-width fields, filled from the front.
pub(crate) struct Room<'a>(pub(crate) &'a mut [u8]);

impl Room<'_> {
    /// Writes a field. One that would go beyond the end is dropped, which the layouts exclude.
    pub(crate) fn put(&mut self, field: &[u8]) {
        let rest = std::mem::take(&mut self.0);
        if let Some((front, back)) = rest.split_at_mut_checked(field.len()) {
            front.copy_from_slice(field);
            self.0 = back;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Header {
        Header {
            mark: *b"markmark",
            length: 90,
            meta_length: 4,
            sequence: 7,
            time_us: -5,
            group: 6,
            kind: 3,
            flags: FLAG_END,
            payload_crc: 0xdead_beef,
            previous: [9; 32],
        }
    }

    #[test]
    fn a_header_reads_back_as_it_was_written() {
        let header = sample();
        assert_eq!(Header::decode(&header.encode(), header.mark), Ok(header));
    }

    #[test]
    fn each_flipped_bit_of_a_header_is_found() {
        let header = sample();
        for bit in 0..HEADER_BYTES * 8 {
            let mut bytes = header.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&bytes, header.mark).is_err(), "bit {bit}");
        }
    }
}
