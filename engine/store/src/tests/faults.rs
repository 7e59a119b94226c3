//! A disk that is full, fails, or is read-only; a second process; a directory of somebody else.

use super::rig::*;
use crate::medium::{Fault, SimulatedDisk};
use crate::*;

#[tokio::test]
async fn a_full_disk_refuses_the_commit_as_a_whole_and_later_ones_work_again() {
    for space in [0, 1, 84, 300, 700] {
        let rig = Rig::new();
        rig.store.inbox_accept(simple(&["e1"])).await.unwrap();
        let delivery = reserve(&rig.store, 0, 1).await.remove(0);
        let before = rig.store.head().await.unwrap();
        rig.disk.fail(Some(Fault::Full(space)));
        let refused = rig.store.inbox_accept(simple(&["e2", "e3"])).await;
        assert!(
            matches!(refused, Err(Error::Unwritable(_))),
            "{space}: {refused:?}"
        );
        let refused = rig.store.delivery_record(claimed(&delivery)).await;
        assert!(matches!(refused, Err(Error::Unwritable(_))));
        assert_eq!(rig.store.head().await.unwrap(), before);
        assert!(
            due(&rig.store, 99).await.is_empty(),
            "nothing that was refused is handed out"
        );
        rig.disk.fail(None);
        let accepted = rig.store.inbox_accept(simple(&["e2", "e3"])).await.unwrap();
        assert_eq!(accepted.messages, 2, "what was refused is not a duplicate");
        deliver(&rig.store, &delivery).await;
        let rig = rig.reopened().await;
        assert_eq!(rig.store.opening().cut_bytes, 0);
        assert_eq!(
            rig.store
                .inbox_accept(simple(&["e1", "e2", "e3"]))
                .await
                .unwrap()
                .duplicates,
            3
        );
    }
}

#[tokio::test]
async fn a_disk_that_is_full_when_a_segment_begins_leaves_no_trace() {
    let rig = Rig::new();
    let mut number = 0;
    while rig.disk.content(&rig.disk.list()[0]).len() as u64 <= SEGMENT_BYTES {
        number += 1;
        rig.store
            .inbox_accept(simple(&[&format!("e{number}")]))
            .await
            .unwrap();
    }
    assert_eq!(rig.disk.list().len(), 1, "the next commit begins a segment");
    for space in [0, 40] {
        rig.disk.fail(Some(Fault::Full(space)));
        assert!(rig.store.inbox_accept(simple(&["next"])).await.is_err());
        assert_eq!(rig.disk.list().len(), 1);
    }
    rig.disk.fail(None);
    rig.store.inbox_accept(simple(&["next"])).await.unwrap();
    assert_eq!(rig.disk.list().len(), 2);
    let rig = rig.reopened().await;
    assert_eq!(
        rig.store
            .inbox_accept(simple(&["next"]))
            .await
            .unwrap()
            .duplicates,
        1
    );
}

#[tokio::test]
async fn a_failed_sync_acknowledges_nobody() {
    let rig = Rig::new();
    rig.store.inbox_accept(simple(&["e1"])).await.unwrap();
    rig.disk.fail(Some(Fault::SyncFails));
    assert!(matches!(
        rig.store.inbox_accept(simple(&["e2"])).await,
        Err(Error::Unwritable(_))
    ));
    // The cut could not be synced either: whether the bytes are on disk is not known, so nothing more is written.
    rig.disk.fail(None);
    let refused = rig.store.inbox_accept(simple(&["e3"])).await.unwrap_err();
    assert!(refused.to_string().contains("restart"), "{refused}");
    assert_eq!(
        rig.store.delivery_list(&all()).await.unwrap().len(),
        1,
        "reading goes on"
    );
    let rig = rig.reopened().await;
    assert_eq!(
        rig.store
            .inbox_accept(simple(&["e1", "e2", "e3"]))
            .await
            .unwrap()
            .messages,
        2
    );
}

#[tokio::test]
async fn a_write_that_can_not_be_undone_stops_writing_until_the_restart() {
    let rig = Rig::new();
    rig.store.inbox_accept(simple(&["e1"])).await.unwrap();
    rig.disk.fail(Some(Fault::Broken));
    assert!(rig.store.inbox_accept(simple(&["e2"])).await.is_err());
    rig.disk.fail(None);
    assert!(matches!(
        rig.store.inbox_accept(simple(&["e2"])).await,
        Err(Error::Unwritable(_))
    ));
    let at = jiff::Timestamp::UNIX_EPOCH;
    assert!(rig.store.check(at).await.is_err(), "and is not ready");
    let rig = rig.reopened().await;
    assert!(rig.store.opening().cut_bytes > 0, "half a commit was left");
    assert_eq!(
        rig.store
            .inbox_accept(simple(&["e1", "e2"]))
            .await
            .unwrap()
            .messages,
        1
    );
}

#[tokio::test]
async fn a_check_says_whether_the_store_can_commit() {
    let rig = Rig::new();
    let at = jiff::Timestamp::UNIX_EPOCH;
    rig.store.inbox_accept(simple(&["e1"])).await.unwrap();
    let before = rig.store.head().await.unwrap();
    rig.store.check(at).await.unwrap();
    assert_eq!(
        rig.store.head().await.unwrap(),
        before,
        "nothing is written"
    );
    // A full disk is asked again, and found well again.
    rig.disk.fail(Some(Fault::Full(0)));
    assert!(rig.store.inbox_accept(simple(&["e2"])).await.is_err());
    assert!(matches!(
        rig.store.check(at).await,
        Err(Error::Unwritable(_))
    ));
    rig.disk.fail(None);
    rig.store.check(at).await.unwrap();
    // An index that has failed takes no more commits.
    rig.store.fail_index();
    assert!(rig.store.check(at).await.is_err());
}

#[tokio::test]
async fn a_read_only_disk_is_said_at_open() {
    let disk = SimulatedDisk::default();
    disk.fail(Some(Fault::ReadOnly));
    let directory = directory();
    let refused = open_on(&disk, directory.path()).unwrap_err();
    let cause = std::error::Error::source(&refused).unwrap().to_string();
    assert!(cause.contains("read-only"), "{cause}");
}

#[test]
fn a_directory_that_cannot_be_made_or_written_is_named() {
    let parent = directory();
    let file = parent.path().join("file");
    std::fs::write(&file, "").unwrap();
    let beneath_a_file = Store::open(&Options::new(file.join("store")), &mut |_| ());
    assert!(
        matches!(&beneath_a_file, Err(OpenError::Directory { directory, .. }) if directory.starts_with(&file))
    );
    // What permissions forbid is allowed to the superuser, so this asks the kernel's own read-only directory.
    if cfg!(target_os = "linux") {
        let refused = Store::open(&Options::new("/proc/self/store"), &mut |_| ());
        assert!(matches!(refused, Err(OpenError::Directory { .. })));
    }
}

#[tokio::test]
async fn a_second_owner_is_refused_with_the_first_ones_process_id() {
    let directory = directory();
    let options = options(directory.path());
    let store = Store::open(&options, &mut |_| ()).unwrap();
    let refused = Store::open(&options, &mut |_| ()).unwrap_err();
    let OpenError::Locked { pid, .. } = &refused else {
        panic!("{refused}")
    };
    assert_eq!(*pid, Some(std::process::id()));
    assert!(
        refused
            .to_string()
            .contains(&std::process::id().to_string())
    );
    assert!(matches!(
        rebuild_index(&options, &mut |_| ()),
        Err(OpenError::Locked { .. })
    ));
    store.close().await.unwrap();
    drop(store);
    Store::open(&options, &mut |_| ()).unwrap();
}

#[tokio::test]
async fn a_journal_is_verified_read_and_its_index_rebuilt_without_the_engine() {
    let directory = directory();
    let options = options(directory.path());
    assert!(matches!(
        verify(directory.path(), &mut |_, _| ()),
        Err(OpenError::NoStore(_))
    ));
    let store = Store::open(&options, &mut |_| ()).unwrap();
    super::index::history(&store).await;
    // While the engine runs.
    let found = verify(directory.path(), &mut |_, _| ()).unwrap();
    let (sequence, hash) = store.head().await.unwrap();
    assert_eq!(
        (found.records, found.head.as_str()),
        (sequence, ml_connector_core::hex::of(&hash).as_str())
    );
    assert_eq!((found.damage, found.unfinished_bytes), (None, 0));
    assert_eq!(found.kinds["event"], 40);
    assert_eq!(found.kinds.values().sum::<u64>(), sequence);
    let live = store.dump().unwrap();
    store.close().await.unwrap();
    drop(store);

    let records: Vec<AuditRecord> = read_journal(directory.path())
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(records.len() as u64, sequence);
    for (before, after) in records.iter().zip(&records[1..]) {
        assert_eq!(
            (after.sequence, &after.previous),
            (before.sequence + 1, &before.hash)
        );
    }
    let folded = rebuild_index(&options, &mut |_| ()).unwrap();
    assert_eq!(folded, sequence);
    let store = Store::open(&options, &mut |_| ()).unwrap();
    assert_eq!(store.opening().records, 0);
    assert_eq!(store.dump().unwrap(), live);
    store.close().await.unwrap();

    let name = std::fs::read_dir(directory.path().join("journal"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let mut content = std::fs::read(name.path()).unwrap();
    content[1000] ^= 1;
    std::fs::write(name.path(), content).unwrap();
    let damage = verify(directory.path(), &mut |_, _| ())
        .unwrap()
        .damage
        .unwrap();
    assert_eq!(damage.file, name.path());
    assert!(
        damage.offset <= 1000 && damage.sequence.is_some(),
        "{damage}"
    );
    let last = read_journal(directory.path()).unwrap().last().unwrap();
    assert_eq!(last.unwrap_err(), damage);
}

fn all() -> Selection {
    Selection {
        limit: 99,
        ..Selection::default()
    }
}
