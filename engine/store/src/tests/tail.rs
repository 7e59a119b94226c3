//! Torn tails are cut, damage is named, and the two are told apart.

use super::rig::*;
use crate::journal::{self, Damage, Scan, Start, Step, Tail};
use crate::medium::{Medium, SimulatedDisk};
use crate::*;

/// A journal of several segments, and where its last group begins in the last one.
async fn journal() -> (SimulatedDisk, u64) {
    let rig = Rig::new();
    for number in 0..30 {
        rig.store
            .inbox_accept(simple(&[&format!("e{number}")]))
            .await
            .unwrap();
    }
    rig.store.inbox_accept(simple(&["x1", "x2"])).await.unwrap();
    let name = rig.disk.list().pop().unwrap();
    let before = rig.disk.content(&name).len() as u64;
    let large = "y".repeat(700);
    rig.store
        .inbox_accept(simple(&[&large, "y2"]))
        .await
        .unwrap();
    rig.store.close().await.unwrap();
    assert!(rig.disk.list().len() > 2, "the tests need several segments");
    assert_eq!(
        rig.disk.list().pop().unwrap(),
        name,
        "the last group follows another one"
    );
    (rig.disk, before)
}

/// Reads everything. Returns how many records are sound, and how it ends.
fn scan(disk: &SimulatedDisk) -> (u64, Result<Tail, Damage>) {
    let medium = Medium::Simulated(disk.clone());
    let segments = match journal::load(&medium) {
        Ok(loaded) => loaded.segments,
        Err(journal::Error::Damaged(damage)) => return (0, Err(damage)),
        Err(error) => panic!("{error}"),
    };
    let mut scan = Scan::new(medium, segments, Start::ORIGIN);
    let mut records = 0;
    loop {
        match scan.next() {
            Ok(Step::Frame(..)) => records += 1,
            Ok(Step::End(tail)) => return (records, Ok(tail)),
            Err(damage) => return (records, Err(damage)),
        }
    }
}

/// Offsets at which the frames of a segment begin.
fn frames(content: &[u8]) -> Vec<usize> {
    let mut at = journal::segment::SEGMENT_HEADER_BYTES;
    let mut offsets = Vec::new();
    while at < content.len() {
        offsets.push(at);
        at += u32::from_le_bytes(content[at + 8..at + 12].try_into().unwrap()) as usize;
    }
    offsets
}

#[tokio::test]
async fn a_last_commit_cut_at_any_byte_is_cut_off_and_nothing_else() {
    let (disk, start) = journal().await;
    let name = disk.list().pop().unwrap();
    let content = disk.content(&name);
    let (all, _) = scan(&disk);
    for cut in usize::try_from(start).unwrap()..=content.len() {
        let torn = disk.after_kill();
        torn.overwrite(&name, content[..cut].to_vec());
        let (_, tail) = scan(&torn);
        if cut as u64 == start || cut == content.len() {
            assert_eq!(tail, Ok(Tail::Clean), "cut at {cut}");
        } else {
            let bytes = cut as u64 - start;
            assert!(
                matches!(tail, Ok(Tail::Torn { bytes: torn, .. }) if torn == bytes),
                "cut at {cut}: {tail:?}"
            );
        }
        if cut % 211 == 0 {
            // The whole store on top of it, which goes on writing.
            let rig = Rig::on(torn);
            let accepted = rig.store.inbox_accept(simple(&["x2", "y2"])).await.unwrap();
            assert_eq!((accepted.messages, accepted.duplicates), (1, 1));
            let (records, tail) = scan(&rig.disk);
            assert_eq!((records, tail), (all - 1, Ok(Tail::Clean)));
        }
    }
}

#[tokio::test]
async fn sectors_that_never_reached_the_disk_are_a_torn_tail_in_the_last_commit_only() {
    let (disk, start) = journal().await;
    let name = disk.list().pop().unwrap();
    let content = disk.content(&name);
    let start = usize::try_from(start).unwrap();
    for sector in 0..content.len().div_ceil(512) {
        let range = (sector * 512).max(80)..(sector * 512 + 512).min(content.len());
        let mut lost = content.clone();
        lost[range.clone()].fill(0);
        let torn = disk.after_kill();
        torn.overwrite(&name, lost);
        let (_, tail) = scan(&torn);
        if range.start < start {
            assert!(
                tail.is_err(),
                "sector {sector} lies in a commit that a later one proves synced"
            );
        }
        // A sector shared with the commit before holds synced bytes, so the part of it that is lost is the new one.
        let mut lost = content.clone();
        lost[range.start.max(start)..range.end.max(start)].fill(0);
        torn.overwrite(&name, lost);
        let (_, tail) = scan(&torn);
        let whole = range.end <= start;
        let expected = if whole {
            Tail::Clean
        } else {
            let bytes = (content.len() - start) as u64;
            match tail {
                Ok(Tail::Torn { position, .. }) => Tail::Torn { position, bytes },
                _ => Tail::Clean,
            }
        };
        assert_eq!(tail, Ok(expected), "sector {sector}");
        assert!(whole || expected != Tail::Clean, "sector {sector}");
    }
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_damage_named_by_file_and_offset() {
    let (disk, _) = journal().await;
    for name in disk.list() {
        let content = disk.content(&name);
        let frames = frames(&content);
        for byte in 0..content.len() {
            let mut flipped = content.clone();
            flipped[byte] ^= 1 << (byte % 8);
            let damaged = disk.after_kill();
            damaged.overwrite(&name, flipped);
            let (_, tail) = scan(&damaged);
            let damage = tail.expect_err(&format!("byte {byte} of {name}"));
            assert!(
                damage.file.ends_with(&name),
                "byte {byte} of {name}: {damage}"
            );
            let frame = frames
                .iter()
                .rfind(|start| **start <= byte)
                .map_or(0, |start| *start);
            assert_eq!(
                damage.offset, frame as u64,
                "byte {byte} of {name}: {damage}"
            );
        }
    }
}

#[tokio::test]
async fn damage_refuses_the_store_and_a_restored_copy_opens_it_again() {
    let (disk, _) = journal().await;
    let name = disk.list().remove(1);
    let mut content = disk.content(&name);
    content[700] ^= 4;
    let damaged = disk.after_kill();
    damaged.overwrite(&name, content);
    let directory = directory();
    let refused = open_on(&damaged, directory.path());
    assert!(matches!(&refused, Err(OpenError::Damaged(damage)) if damage.file.ends_with(&name)));
    assert!(refused.unwrap_err().to_string().contains(&name));
    damaged.overwrite(&name, disk.content(&name));
    let store = open_on(&damaged, directory.path()).unwrap();
    assert_eq!(
        store
            .inbox_accept(simple(&["e1", "y2"]))
            .await
            .unwrap()
            .duplicates,
        2
    );
}

#[tokio::test]
async fn a_missing_duplicated_exchanged_or_shortened_segment_is_damage() {
    let (disk, _) = journal().await;
    let names = disk.list();
    for (at, name) in names.iter().enumerate().take(names.len() - 1) {
        let missing = disk.after_kill();
        missing.erase(name);
        let (_, tail) = scan(&missing);
        let damage = tail.expect_err("a missing segment");
        assert!(damage.file.ends_with(&names[at + 1]), "{damage}");

        let shortened = disk.after_kill();
        let content = disk.content(name);
        let last = *frames(&content).last().unwrap();
        shortened.overwrite(name, content[..last].to_vec());
        assert!(
            scan(&shortened).1.is_err(),
            "a segment that lost its last record"
        );

        let exchanged = disk.after_kill();
        let next = disk.content(&names[at + 1]);
        exchanged.overwrite(&names[at + 1], content.clone());
        exchanged.overwrite(name, next);
        assert!(
            scan(&exchanged).1.is_err(),
            "two segments that changed places"
        );

        let doubled = disk.after_kill();
        doubled.overwrite(&format!("{:020}.seg", 999_999), content);
        let damage = scan(&doubled).1.expect_err("a copy under another name");
        assert!(damage.why.contains("renamed"), "{damage}");
    }
}

#[tokio::test]
async fn a_record_that_was_replaced_by_a_valid_one_breaks_the_chain() {
    let (disk, _) = journal().await;
    let name = disk.list().remove(0);
    let content = disk.content(&name);
    let frames = frames(&content);
    let (start, next) = (frames[2], frames[3]);
    let mut forged = content.clone();
    // A changed body with both checksums made right again.
    forged[next - 3] ^= 1;
    let payload_crc = crc32fast::hash(&forged[start + 84..next]);
    forged[start + 44..start + 48].copy_from_slice(&payload_crc.to_le_bytes());
    let header_crc = crc32fast::hash(&forged[start..start + 80]);
    forged[start + 80..start + 84].copy_from_slice(&header_crc.to_le_bytes());
    let tampered = disk.after_kill();
    tampered.overwrite(&name, forged);
    let (records, tail) = scan(&tampered);
    let damage = tail.expect_err("a forged record");
    assert!(damage.why.contains("hash chain"), "{damage}");
    assert_eq!(
        (records, damage.sequence, damage.offset),
        (3, Some(3), next as u64),
        "the record that was changed is named, at the place where that shows"
    );
}

#[tokio::test]
async fn a_stored_body_cannot_pose_as_a_record() {
    let (disk, start) = journal().await;
    let name = disk.list().pop().unwrap();
    let content = disk.content(&name);
    // The attacker knows everything but the segment's mark: a later group's header with another mark inside a body.
    let mut header = journal::frame::Header::decode(
        &content[frames(&content)[0]..],
        content[20..28].try_into().unwrap(),
    )
    .unwrap();
    header.mark = *b"guessed!";
    header.group = u64::MAX - 1;
    let mut torn = content[..usize::try_from(start).unwrap() + 100].to_vec();
    torn.extend_from_slice(&header.encode());
    let attacked = disk.after_kill();
    attacked.overwrite(&name, torn.clone());
    assert!(matches!(scan(&attacked).1, Ok(Tail::Torn { .. })));
    // With the right mark it would be believed, so the mark is what protects.
    header.mark = content[20..28].try_into().unwrap();
    torn.truncate(usize::try_from(start).unwrap() + 100);
    torn.extend_from_slice(&header.encode());
    attacked.overwrite(&name, torn);
    assert!(scan(&attacked).1.is_err());
}

#[tokio::test]
async fn a_segment_whose_creation_was_cut_off_is_taken_away() {
    let (disk, _) = journal().await;
    for left in [0, 1, 40, 79] {
        let crashed = disk.after_kill();
        crashed.overwrite(&format!("{:020}.seg", 999_999), vec![0; left]);
        let rig = Rig::on(crashed);
        assert_eq!(rig.disk.list(), disk.list());
        rig.store.inbox_accept(simple(&["z"])).await.unwrap();
    }
}

#[tokio::test]
async fn a_later_format_is_refused_by_name() {
    let (disk, _) = journal().await;
    let name = disk.list().pop().unwrap();
    let mut content = disk.content(&name);
    content[8] = 9;
    let crc = crc32fast::hash(&content[..76]);
    content[76..80].copy_from_slice(&crc.to_le_bytes());
    disk.overwrite(&name, content);
    let directory = directory();
    let refused = open_on(&disk, directory.path());
    assert!(matches!(
        refused,
        Err(OpenError::Newer {
            found: 9,
            supported: 1,
            ..
        })
    ));
}
