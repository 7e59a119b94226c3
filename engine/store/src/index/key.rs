//! The keys and values of the index: one space of keys, the first byte says which table.
//!
//! | table | key | value |
//! |---|---|---|
//! | name | `n` instance or lane | its number |
//! | count | `c` instance number | counters |
//! | checkpoint | `s` sequence | position of that record |
//! | seen | `a` hash(stream, event id) | position of the event |
//! | ledger | `l` hash(instance, dedup key) | delivery |
//! | row | `d` delivery | [`super::row::Row`] |
//! | due | `q` lane number, due time, delivery | nothing |
//! | order | `o` hash(instance, order key) | first and last delivery that is not finished |
//! | waiting | `w` hash(awaited), delivery | nothing |
//! | in flight | `f` delivery | nothing |
//! | reference | `r` hash(instance, reference) | delivery |
//! | crosswalk | `x` table, 0, key | values, JSON |
//! | group | `g` hash(instance, group key) | [`super::row::GroupRow`] |
//! | member | `m` delivery, delivery that joined it | nothing |
//! | print | `p` hash(poll), hash(item's id) | [`super::row::print`] |
//! | cursor | `u` poll | cursor |
//! | pause | `h` what, name | who, why and since when, JSON |
//!
//! Hashes are the first 16 bytes of a SHA-256. Whatever is found by one is compared with the journal before it is
//! believed, so that a damaged index cannot make an event look like a duplicate.

use crate::journal::frame::{Fields, Room};
use crate::model::Pausable;
use ml_connector_core::delivery::Awaited;
use ml_connector_core::identity::{
    CrosswalkId, DedupKey, DeliveryId, InstanceId, OrderKey, Reference, StreamId,
};
use sha2::{Digest, Sha256};
use sled::IVec;

pub(crate) const NAME: u8 = b'n';
pub(crate) const COUNT: u8 = b'c';
pub(crate) const ROW: u8 = b'd';
pub(crate) const DUE: u8 = b'q';
pub(crate) const WAITING: u8 = b'w';
pub(crate) const IN_FLIGHT: u8 = b'f';
pub(crate) const CROSSWALK: u8 = b'x';
pub(crate) const PAUSE: u8 = b'h';
const CHECKPOINT: u8 = b's';
const SEEN: u8 = b'a';
const LEDGER: u8 = b'l';
const ORDER: u8 = b'o';
const REFERENCE: u8 = b'r';
const CURSOR: u8 = b'u';
const GROUP: u8 = b'g';
const PRINT: u8 = b'p';
const MEMBER: u8 = b'm';

/// Key, in the tree itself, of the index's format version.
pub(crate) const FORMAT: &[u8] = b"!format";
/// Key of the list of runs that count, and of the journal position that they reflect.
pub(crate) const MANIFEST: &[u8] = b"!manifest";

/// The first 16 bytes of a SHA-256.
pub(crate) type Short = [u8; 16];

/// A hash of two texts that no other two texts share.
fn short(kind: u8, first: &str, second: &str) -> Short {
    let mut hash = Sha256::new();
    hash.update([kind]);
    hash.update((first.len() as u64).to_le_bytes());
    hash.update(first);
    hash.update(second);
    let digest: [u8; 32] = hash.finalize().into();
    digest.first_chunk().copied().unwrap_or_default()
}

fn join(table: u8, parts: &[&[u8]]) -> IVec {
    let mut key = [0; 22];
    let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
    // Most keys fit in a vector's inline space, which needs no allocation.
    if let Some(inline) = key.get_mut(..length) {
        let mut room = Room(inline);
        room.put(&[table]);
        for part in parts {
            room.put(part);
        }
        return IVec::from(key.get(..length).unwrap_or_default());
    }
    let mut key = Vec::with_capacity(length);
    key.push(table);
    for part in parts {
        key.extend_from_slice(part);
    }
    IVec::from(key)
}

pub(crate) fn name(text: &str) -> IVec {
    join(NAME, &[text.as_bytes()])
}

pub(crate) fn count(instance: u32) -> IVec {
    join(COUNT, &[&instance.to_be_bytes()])
}

pub(crate) fn checkpoint(sequence: u64) -> IVec {
    join(CHECKPOINT, &[&sequence.to_be_bytes()])
}

pub(crate) fn seen(stream: &StreamId, event_id: &str) -> IVec {
    join(SEEN, &[&short(SEEN, stream.as_str(), event_id)])
}

pub(crate) fn ledger(instance: &InstanceId, key: &DedupKey) -> IVec {
    join(LEDGER, &[&short(LEDGER, instance.as_str(), key.as_str())])
}

/// All keys of a poll's items.
pub(crate) fn prints(poll: &StreamId) -> IVec {
    join(PRINT, &[&short(PRINT, poll.as_str(), "")])
}

pub(crate) fn print(poll: &StreamId, id: &str) -> IVec {
    let (poll, id) = (short(PRINT, poll.as_str(), ""), short(PRINT, "", id));
    join(PRINT, &[&poll, &id])
}

pub(crate) fn group(instance: &InstanceId, key: &str) -> IVec {
    join(GROUP, &[&short(GROUP, instance.as_str(), key)])
}

/// All keys of deliveries that joined this one.
pub(crate) fn members(of: DeliveryId) -> IVec {
    join(MEMBER, &[&of.0.to_be_bytes()])
}

pub(crate) fn member(of: DeliveryId, member: DeliveryId) -> IVec {
    join(MEMBER, &[&of.0.to_be_bytes(), &member.0.to_be_bytes()])
}

pub(crate) fn row(delivery: DeliveryId) -> IVec {
    join(ROW, &[&delivery.0.to_be_bytes()])
}

/// Orders times before and after 1970 as unsigned bytes.
const fn ordered(due_us: i64) -> u64 {
    due_us.cast_unsigned() ^ (1 << 63)
}

pub(crate) fn due(lane: u32, due_us: i64, delivery: u64) -> IVec {
    let due = ordered(due_us).to_be_bytes();
    join(DUE, &[&lane.to_be_bytes(), &due, &delivery.to_be_bytes()])
}

/// Lane, due time and delivery of a due key.
pub(crate) fn read_due(key: &[u8]) -> Option<(u32, i64, u64)> {
    let mut fields = Fields(key);
    fields.take::<1>().filter(|table| *table == [DUE])?;
    let lane = u32::from_be_bytes(fields.take()?);
    let due = (u64::from_be_bytes(fields.take()?) ^ (1 << 63)).cast_signed();
    Some((lane, due, u64::from_be_bytes(fields.take()?)))
}

pub(crate) fn order(instance: &InstanceId, key: &OrderKey) -> IVec {
    join(ORDER, &[&short(ORDER, instance.as_str(), key.as_str())])
}

/// The hash of what a delivery waits for. `None` for a time: that stands in the due queue.
pub(crate) fn awaited(awaited: &Awaited) -> Option<Short> {
    match awaited {
        Awaited::Crosswalk { table, key } | Awaited::Column { table, key, .. } => {
            Some(awaited_crosswalk(table, key))
        }
        Awaited::Delivery { delivery } => Some(awaited_delivery(*delivery)),
        Awaited::Connection { connection } => Some(short(DUE, "connection", connection.as_str())),
        Awaited::Integration { instance } => Some(short(DUE, "integration", instance.as_str())),
        Awaited::Until { .. } => None,
    }
}

pub(crate) fn awaited_crosswalk(table: &CrosswalkId, key: &str) -> Short {
    short(CROSSWALK, table.as_str(), key)
}

pub(crate) fn awaited_delivery(delivery: DeliveryId) -> Short {
    short(ROW, "", &delivery.0.to_string())
}

pub(crate) fn waiting(awaited: &Short, delivery: u64) -> IVec {
    join(WAITING, &[awaited, &delivery.to_be_bytes()])
}

/// The prefix of everything that waits for the same.
pub(crate) fn waiting_for(awaited: &Short) -> IVec {
    join(WAITING, &[awaited])
}

pub(crate) fn in_flight(delivery: DeliveryId) -> IVec {
    join(IN_FLIGHT, &[&delivery.0.to_be_bytes()])
}

/// The number at the end of a key.
pub(crate) fn last_number(key: &[u8]) -> Option<u64> {
    key.last_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

pub(crate) fn reference(instance: &InstanceId, reference: &Reference) -> IVec {
    join(
        REFERENCE,
        &[&short(REFERENCE, instance.as_str(), reference.as_str())],
    )
}

pub(crate) fn crosswalk(table: &CrosswalkId, key: &str) -> IVec {
    join(
        CROSSWALK,
        &[table.as_str().as_bytes(), &[0], key.as_bytes()],
    )
}

/// The prefix of a table's entries, or of all entries.
pub(crate) fn crosswalk_table(table: Option<&CrosswalkId>) -> IVec {
    match table {
        Some(table) => join(CROSSWALK, &[table.as_str().as_bytes(), &[0]]),
        None => join(CROSSWALK, &[]),
    }
}

/// Table and key of a crosswalk key.
pub(crate) fn read_crosswalk(key: &[u8]) -> Option<(CrosswalkId, String)> {
    let text = std::str::from_utf8(key.get(1..)?).ok()?;
    let (table, key) = text.split_once('\0')?;
    Some((CrosswalkId::new(table), key.to_owned()))
}

pub(crate) fn cursor(poll: &StreamId) -> IVec {
    join(CURSOR, &[poll.as_str().as_bytes()])
}

pub(crate) fn pause(what: &Pausable) -> IVec {
    let (kind, name) = match what {
        Pausable::Connection(connection) => (b"c", connection.as_str()),
        Pausable::Integration(instance) => (b"i", instance.as_str()),
    };
    join(PAUSE, &[kind, name.as_bytes()])
}

/// The key behind all keys with this prefix.
pub(crate) fn behind(prefix: &[u8]) -> IVec {
    let mut key = prefix.to_vec();
    while let Some(last) = key.pop() {
        if last < u8::MAX {
            key.push(last + 1);
            break;
        }
    }
    IVec::from(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_keys_sort_by_lane_then_time_then_delivery() {
        let mut keys = Vec::new();
        for lane in [0, 1, 300] {
            for time in [i64::MIN, -1, 0, 1, i64::MAX] {
                for delivery in [1, 255, 256, u64::MAX] {
                    keys.push((due(lane, time, delivery), (lane, time, delivery)));
                }
            }
        }
        let sorted = keys
            .iter()
            .map(|(key, _)| key.clone())
            .collect::<std::collections::BTreeSet<_>>();
        assert!(sorted.iter().eq(keys.iter().map(|(key, _)| key)));
        for (key, parts) in keys {
            assert_eq!(read_due(&key), Some(parts));
        }
    }

    #[test]
    fn where_one_text_ends_and_the_next_begins_matters() {
        assert_ne!(short(1, "ab", "c"), short(1, "a", "bc"));
        assert_ne!(short(1, "a", "b"), short(2, "a", "b"));
    }

    #[test]
    fn the_key_behind_a_prefix_is_behind_all_of_them() {
        assert_eq!(behind(b"ab"), IVec::from(b"ac"));
        assert_eq!(behind(b"a\xff"), IVec::from(b"b"));
    }
}
