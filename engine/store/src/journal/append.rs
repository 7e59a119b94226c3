//! Writing: one group at a time, each one write and one sync.

use super::frame::{self, FLAG_END, FRAME_BYTES_MAX, HEADER_BYTES, Hash, Header};
use super::segment::{self, SEGMENT_HEADER_BYTES, Segment, SegmentHeader};
use super::{At, Journal};
use crate::medium::MediumFile;
use std::io;
use std::sync::Arc;

/// The group buffer is given back when a rare large group has grown it beyond this.
const BUFFER_BYTES_KEPT: usize = 8 * 1024 * 1024;

/// The end of the journal. There is one, owned by the writer thread.
#[derive(Debug)]
pub(crate) struct Appender {
    journal: Arc<Journal>,
    file: MediumFile,
    segment: Segment,
    segment_bytes: u64,
    /// Sequence and hash of the last synced frame.
    synced: (u64, Hash),
    /// The frames of the group, all but the last one sealed.
    buffer: Vec<u8>,
    /// The last frame of the group, whose header waits to know whether it is the last.
    unsealed: Option<Unsealed>,
    /// Sequence and hash of the last sealed frame of the group.
    sealed: (u64, Hash),
    /// Why nothing can be written any more.
    broken: Option<String>,
}

#[derive(Debug)]
struct Unsealed {
    start: usize,
    header: Header,
}

impl Appender {
    /// Continues behind the last frame, `last`.
    ///
    /// A process that was killed between a write and its sync leaves frames that only the page cache has. They are
    /// synced first: what is built on them must not outlive them in a power cut.
    ///
    /// # Errors
    /// If the last segment cannot be opened for writing or synced, or there is none and it cannot be created.
    pub(crate) fn open(
        journal: Arc<Journal>,
        segment_bytes: u64,
        last: (u64, Hash),
    ) -> io::Result<Self> {
        let (file, segment) = match journal.segments().last().copied() {
            Some(segment) => {
                let file = journal.medium().open(&segment.name())?;
                file.sync()?;
                journal.medium().sync()?;
                (file, segment)
            }
            None => create(&journal, last)?,
        };
        Ok(Self {
            journal,
            file,
            segment,
            segment_bytes,
            synced: last,
            buffer: Vec::new(),
            unsealed: None,
            sealed: last,
            broken: None,
        })
    }

    /// Sequence and hash of the last synced frame.
    pub(crate) const fn head(&self) -> (u64, Hash) {
        self.synced
    }

    /// Starts a group, in a new segment if the present one is full.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        self.abandon();
        if let Some(why) = &self.broken {
            return Err(io::Error::other(format!("{why}; restart to recover")));
        }
        if self.segment.length >= self.segment_bytes.max(SEGMENT_HEADER_BYTES as u64 + 1) {
            (self.file, self.segment) = create(&self.journal, self.synced)?;
        }
        Ok(())
    }

    /// Adds a frame to the group. `meta` writes its JSON.
    ///
    /// # Errors
    /// If it is longer than a frame may be, or `meta` fails. The group cannot be committed then.
    pub(crate) fn push(
        &mut self,
        kind: u8,
        time_us: i64,
        meta: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>,
        body: &[u8],
    ) -> io::Result<At> {
        self.seal(0);
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; HEADER_BYTES]);
        meta(&mut self.buffer).map_err(io::Error::other)?;
        let meta_length = self.buffer.len() - start - HEADER_BYTES;
        self.buffer.extend_from_slice(body);
        let length = self.buffer.len() - start;
        let (Ok(length), Ok(meta_length), true) = (
            u32::try_from(length),
            u32::try_from(meta_length),
            length <= FRAME_BYTES_MAX,
        ) else {
            let why = format!("a record of {length} bytes; the most is {FRAME_BYTES_MAX}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        };
        let sequence = self.sealed.0 + 1;
        let header = Header {
            mark: self.segment.header.mark,
            length,
            meta_length,
            sequence,
            time_us,
            group: self.synced.0 + 1,
            kind,
            flags: 0,
            payload_crc: 0,
            previous: self.sealed.1,
        };
        self.unsealed = Some(Unsealed { start, header });
        Ok(At {
            sequence,
            position: self.segment.end() + start as u64,
        })
    }

    /// Writes and syncs the group. When this returns, it is on disk; if it fails, nothing of it is.
    ///
    /// # Errors
    /// If the disk refuses. Later groups are tried again, unless the partial bytes could not be cut off either.
    pub(crate) fn commit(&mut self) -> io::Result<()> {
        self.seal(FLAG_END);
        if self.buffer.is_empty() {
            return Ok(());
        }
        let written = self
            .file
            .write_at(&self.buffer, self.segment.length)
            .and_then(|()| self.file.sync());
        if let Err(error) = written {
            self.cut_back();
            self.abandon();
            return Err(error);
        }
        self.segment.length += self.buffer.len() as u64;
        self.synced = self.sealed;
        self.journal.extend(self.segment);
        self.abandon();
        Ok(())
    }

    /// Forgets the group.
    pub(crate) fn abandon(&mut self) {
        self.buffer.clear();
        if self.buffer.capacity() > BUFFER_BYTES_KEPT {
            self.buffer = Vec::new();
        }
        self.unsealed = None;
        self.sealed = self.synced;
    }

    /// A group that failed must not be found by a recovery: nobody was told that it is stored.
    fn cut_back(&mut self) {
        let cut = self
            .file
            .set_len(self.segment.length)
            .and_then(|()| self.file.sync());
        if let Err(error) = cut {
            self.broken = Some(format!(
                "a failed write to {} could not be undone: {error}",
                self.journal
                    .medium()
                    .describe(&self.segment.name())
                    .display()
            ));
        }
    }

    /// Completes the header of the last frame.
    fn seal(&mut self, flags: u8) {
        let Some(Unsealed { start, mut header }) = self.unsealed.take() else {
            return;
        };
        let Some(frame) = self.buffer.get_mut(start..) else {
            return;
        };
        header.flags = flags;
        if let Some((place, payload)) = frame.split_first_chunk_mut::<HEADER_BYTES>() {
            header.payload_crc = crc32fast::hash(payload);
            *place = header.encode();
        }
        self.sealed = (header.sequence, frame::hash(frame));
    }
}

/// Creates the segment that continues behind `last`.
fn create(journal: &Journal, last: (u64, Hash)) -> io::Result<(MediumFile, Segment)> {
    let mut mark = [0; 8];
    getrandom::fill(&mut mark).map_err(io::Error::other)?;
    // A zero in front would make an unwritten sector look like the beginning of a frame.
    if let Some(first) = mark.first_mut() {
        *first |= 1;
    }
    let header = SegmentHeader {
        mark,
        first: last.0 + 1,
        base: journal.end(),
        previous: last.1,
    };
    let file = segment::create(journal.medium(), &header)?;
    let segment = Segment {
        header,
        length: SEGMENT_HEADER_BYTES as u64,
    };
    journal.extend(segment);
    Ok((file, segment))
}
