//! What somebody does to the journal's files is found, and the first bad record is named: changed, removed, reordered; in
//! one segment or at the border of two; clumsily or with every checksum mended.

use super::rig::{directory, simple};
use crate::journal::frame::{HEADER_BYTES, Header};
use crate::journal::segment::SEGMENT_HEADER_BYTES;
use crate::*;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A journal on a real disk with at least three segments, closed.
async fn journal() -> tempfile::TempDir {
    let directory = directory();
    let options = Options {
        segment_bytes: 4 * 1024,
        ..Options::new(directory.path())
    };
    let store = Store::open(&options, &mut |_| ()).unwrap();
    for number in 0..24 {
        let (one, other) = (format!("e{number}"), format!("f{number}"));
        store.inbox_accept(simple(&[&one, &other])).await.unwrap();
    }
    store.close().await.unwrap();
    directory
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory.join("journal")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "seg"));
    paths.sort();
    assert!(paths.len() >= 3, "{paths:?}");
    paths
}

/// The records of a segment file: number and bytes.
fn frames(bytes: &[u8]) -> Vec<(u64, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = SEGMENT_HEADER_BYTES;
    while at < bytes.len() {
        let mark = bytes[at..at + 8].try_into().unwrap();
        let header = Header::decode(&bytes[at..], mark).unwrap();
        let end = at + header.length as usize;
        found.push((header.sequence, at..end));
        at = end;
    }
    found
}

/// Changes a segment file; gives what is sound by then.
fn tampered(directory: &Path, segment: usize, change: impl FnOnce(&mut Vec<u8>)) -> Verification {
    let path = &segments(directory)[segment];
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
    verify(directory, &mut |_, _| ()).unwrap()
}

/// Mends the checksums of a record after a change of its payload.
fn mend(bytes: &mut [u8], range: &Range<usize>) {
    let mark = bytes[range.start..range.start + 8].try_into().unwrap();
    let mut header = Header::decode(&bytes[range.start..], mark).unwrap();
    header.payload_crc = crc32fast::hash(&bytes[range.start + HEADER_BYTES..range.end]);
    bytes[range.start..range.start + HEADER_BYTES].copy_from_slice(&header.encode());
}

#[track_caller]
fn names(found: &Verification, first_bad: u64, word: &str) {
    let damage = found.damage.as_ref().expect("damage");
    assert_eq!(damage.sequence, Some(first_bad), "{damage}");
    assert!(damage.to_string().contains(word), "{damage}");
    // Of a write that does not verify as a whole, no record counts.
    assert!(
        found.records < first_bad && found.records + 3 >= first_bad,
        "{found:?}"
    );
    assert_eq!(found.kinds.values().sum::<u64>(), found.records);
}

/// The second record from the end of a segment's frames, so that others follow it in the same file.
fn inner(bytes: &[u8]) -> (u64, Range<usize>) {
    let frames = frames(bytes);
    frames[frames.len() - 3].clone()
}

/// Changes the content of a record, and nothing of its header.
fn flip(bytes: &mut [u8], range: &Range<usize>) {
    bytes[range.start + HEADER_BYTES + 4] ^= 1;
}

/// A change of a segment file, which gives the number of the first record that is bad by then, is found by this word: in
/// the first segment and in one that follows another.
async fn named_in_each_segment(word: &str, change: impl Fn(&mut Vec<u8>) -> u64) {
    for segment in [0, 1] {
        let directory = journal().await;
        let mut first_bad = 0;
        let found = tampered(directory.path(), segment, |bytes| first_bad = change(bytes));
        names(&found, first_bad, word);
    }
}

#[tokio::test]
async fn an_untouched_journal_verifies() {
    let directory = journal().await;
    let found = verify(directory.path(), &mut |_, _| ()).unwrap();
    assert_eq!((&found.damage, found.records), (&None, 24 * 3));
    let sealed: Vec<SealedRecord> = read_journal(directory.path())
        .unwrap()
        .sealed()
        .map(Result::unwrap)
        .collect();
    assert_eq!(sealed.last().unwrap().hash, found.head);
    assert!(sealed.windows(2).all(|two| two[1].previous == two[0].hash));
}

#[tokio::test]
async fn a_changed_record_is_named() {
    named_in_each_segment("checksum", |bytes| {
        let (changed, range) = inner(bytes);
        flip(bytes, &range);
        changed
    })
    .await;
}

#[tokio::test]
async fn a_changed_record_with_mended_checksums_is_named() {
    named_in_each_segment("changed", |bytes| {
        let (changed, range) = inner(bytes);
        flip(bytes, &range);
        mend(bytes, &range);
        changed
    })
    .await;
}

#[tokio::test]
async fn the_last_record_of_a_segment_is_named_when_it_was_changed() {
    let directory = journal().await;
    let mut changed = 0;
    let found = tampered(directory.path(), 0, |bytes| {
        let (sequence, range) = frames(bytes).pop().unwrap();
        changed = sequence;
        flip(bytes, &range);
        mend(bytes, &range);
    });
    let damage = found.damage.unwrap();
    assert!(
        damage
            .to_string()
            .contains("does not continue the hash chain"),
        "{damage}"
    );
    assert_eq!(damage.sequence, Some(changed));
}

#[tokio::test]
async fn a_removed_record_is_named() {
    named_in_each_segment("is expected", |bytes| {
        let (removed, range) = inner(bytes);
        bytes.drain(range);
        removed
    })
    .await;
}

#[tokio::test]
async fn reordered_records_are_named() {
    named_in_each_segment("is expected", |bytes| {
        let frames = frames(bytes);
        let [(first, one), (_, other)] = &frames[frames.len() - 4..frames.len() - 2] else {
            panic!("too few records")
        };
        let swapped = [&bytes[other.clone()], &bytes[one.clone()]].concat();
        bytes[one.start..other.end].copy_from_slice(&swapped);
        *first
    })
    .await;
}

#[tokio::test]
async fn a_removed_segment_is_named_by_its_first_record() {
    let directory = journal().await;
    let paths = segments(directory.path());
    let first = frames(&std::fs::read(&paths[1]).unwrap())[0].0;
    std::fs::remove_file(&paths[1]).unwrap();
    let found = verify(directory.path(), &mut |_, _| ()).unwrap();
    assert_eq!(found.damage.unwrap().sequence, Some(first));
    assert_eq!(found.records, first - 1);
}
