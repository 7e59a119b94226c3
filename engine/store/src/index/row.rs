//! The small values of the index as bytes: variable-length numbers, no names.

use ml_connector_core::delivery::{Awaited, Class, DeliveryState, StateKind};
use sled::IVec;

use super::key::{self, Short};
use crate::model::{Counts, Print};

/// What the index knows of a delivery: enough to fold its next record without reading the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Position of its latest record.
    pub(crate) position: u64,
    pub(crate) kind: StateKind,
    /// Why it is held, if it is.
    pub(crate) class: Option<Class>,
    /// Numbers of its instance and lane.
    pub(crate) instance: u32,
    pub(crate) lane: u32,
    /// When it was accepted, seconds since 1970.
    pub(crate) created_s: i64,
    /// When it is due, microseconds since 1970, if it waits for a time.
    pub(crate) due_us: Option<i64>,
    /// Whether the due queue has it. One that waits behind another with its order key is due only later.
    pub(crate) queued: bool,
    /// What it is held for.
    pub(crate) awaited: Option<Short>,
    /// The next delivery with its order key, if that was accepted while this one was not finished.
    pub(crate) next: Option<u64>,
}

const HAS_CLASS: u64 = 8;
const HAS_DUE: u64 = 16;
const IS_QUEUED: u64 = 32;
const HAS_AWAITED: u64 = 64;
const HAS_NEXT: u64 = 128;

impl Row {
    pub(crate) fn encode(&self) -> IVec {
        let mut out = Vec::with_capacity(32);
        let kind = StateKind::ALL
            .iter()
            .position(|kind| *kind == self.kind)
            .unwrap_or(0) as u64;
        let flag = |set: bool, flag: u64| if set { flag } else { 0 };
        put_number(
            &mut out,
            kind | flag(self.class.is_some(), HAS_CLASS)
                | flag(self.due_us.is_some(), HAS_DUE)
                | flag(self.queued, IS_QUEUED)
                | flag(self.awaited.is_some(), HAS_AWAITED)
                | flag(self.next.is_some(), HAS_NEXT),
        );
        put_number(&mut out, self.position);
        put_number(&mut out, u64::from(self.instance));
        put_number(&mut out, u64::from(self.lane));
        put_signed(&mut out, self.created_s);
        if let Some(class) = self.class {
            let class = Class::ALL
                .iter()
                .position(|known| *known == class)
                .unwrap_or(0);
            put_number(&mut out, class as u64);
        }
        if let Some(due) = self.due_us {
            put_signed(&mut out, due);
        }
        if let Some(awaited) = &self.awaited {
            out.extend_from_slice(awaited);
        }
        if let Some(next) = self.next {
            put_number(&mut out, next);
        }
        IVec::from(out)
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        let flags = take_number(bytes)?;
        let kind = *StateKind::ALL.get(usize::try_from(flags & 7).ok()?)?;
        let position = take_number(bytes)?;
        let instance = u32::try_from(take_number(bytes)?).ok()?;
        let lane = u32::try_from(take_number(bytes)?).ok()?;
        let created_s = take_signed(bytes)?;
        let mut row = Self {
            position,
            kind,
            class: None,
            instance,
            lane,
            created_s,
            due_us: None,
            queued: flags & IS_QUEUED != 0,
            awaited: None,
            next: None,
        };
        if flags & HAS_CLASS != 0 {
            row.class = Some(*Class::ALL.get(usize::try_from(take_number(bytes)?).ok()?)?);
        }
        if flags & HAS_DUE != 0 {
            row.due_us = Some(take_signed(bytes)?);
        }
        if flags & HAS_AWAITED != 0 {
            let (awaited, rest) = bytes.split_first_chunk()?;
            row.awaited = Some(*awaited);
            *bytes = rest;
        }
        if flags & HAS_NEXT != 0 {
            row.next = Some(take_number(bytes)?);
        }
        bytes.is_empty().then_some(row)
    }

    /// Takes over what a state says.
    pub(crate) fn set_state(&mut self, state: &DeliveryState) {
        self.kind = state.kind();
        self.class = None;
        self.awaited = None;
        self.due_us = due_us(state);
        if let DeliveryState::Held(hold) = state {
            self.class = Some(hold.class);
            self.awaited = hold.awaits.as_ref().and_then(key::awaited);
        }
    }
}

/// When a state is due, rounded up: nothing is handed out before its time.
fn due_us(state: &DeliveryState) -> Option<i64> {
    let due = match state {
        DeliveryState::Held(hold) => match &hold.awaits {
            Some(Awaited::Until { due_at }) => Some(*due_at),
            Some(
                Awaited::Crosswalk { .. }
                | Awaited::Column { .. }
                | Awaited::Delivery { .. }
                | Awaited::Connection { .. }
                | Awaited::Integration { .. },
            )
            | None => None,
        },
        DeliveryState::Pending { .. }
        | DeliveryState::InFlight { .. }
        | DeliveryState::Uncertain { .. }
        | DeliveryState::Delivered { .. }
        | DeliveryState::Skipped { .. }
        | DeliveryState::Discarded { .. }
        | DeliveryState::Joined { .. } => state.due_at(),
    }?;
    let micros = due.as_microsecond();
    let exact = due.as_nanosecond() == i128::from(micros) * 1000;
    Some(if exact || due.as_nanosecond() < 0 {
        micros
    } else {
        micros + 1
    })
}

/// The present delivery of a group's key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct GroupRow {
    /// The delivery that further events join; 0 if the next one begins another.
    pub(crate) open: u64,
    /// Which delivery of the key the last one is.
    pub(crate) number: u64,
    /// Its events, and what they weigh together.
    pub(crate) count: u64,
    pub(crate) weight: u64,
    /// All events that ever came under the key.
    pub(crate) total: u64,
}

impl GroupRow {
    pub(crate) fn encode(self) -> IVec {
        let mut out = Vec::with_capacity(16);
        for number in [self.open, self.number, self.count, self.weight, self.total] {
            put_number(&mut out, number);
        }
        IVec::from(out)
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        let row = Self {
            open: take_number(bytes)?,
            number: take_number(bytes)?,
            count: take_number(bytes)?,
            weight: take_number(bytes)?,
            total: take_number(bytes)?,
        };
        bytes.is_empty().then_some(row)
    }
}

/// What a poll knows of an item.
pub(crate) fn print(print: &Print) -> IVec {
    let mut out = Vec::with_capacity(40 + print.id.len());
    put_number(&mut out, print.number);
    for text in [&print.print, &print.list] {
        let text = text.as_deref().unwrap_or_default();
        put_number(&mut out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(print.id.as_bytes());
    IVec::from(out)
}

/// Reads [`print`].
pub(crate) fn read_print(mut bytes: &[u8]) -> Option<Print> {
    let number = take_number(&mut bytes)?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let mut part = || {
        let length = usize::try_from(take_number(&mut bytes)?).ok()?;
        let (part, rest) = bytes.split_at_checked(length)?;
        bytes = rest;
        text(part)
    };
    let (content, list) = (part()?, part()?);
    Some(Print {
        id: text(bytes)?,
        print: Some(content).filter(|content| !content.is_empty()),
        number,
        list: Some(list).filter(|list| !list.is_empty()),
    })
}

/// A value that is one number.
pub(crate) fn number(value: u64) -> IVec {
    let mut out = Vec::with_capacity(10);
    put_number(&mut out, value);
    IVec::from(out)
}

/// Reads [`number`].
pub(crate) fn read_number(mut bytes: &[u8]) -> Option<u64> {
    let number = take_number(&mut bytes)?;
    bytes.is_empty().then_some(number)
}

/// A value that is two numbers.
pub(crate) fn pair(first: u64, second: u64) -> IVec {
    let mut out = Vec::with_capacity(20);
    put_number(&mut out, first);
    put_number(&mut out, second);
    IVec::from(out)
}

/// Reads [`pair`].
pub(crate) fn read_pair(mut bytes: &[u8]) -> Option<(u64, u64)> {
    let pair = (take_number(&mut bytes)?, take_number(&mut bytes)?);
    bytes.is_empty().then_some(pair)
}

/// Counters as a value.
pub(crate) fn counts(counts: &Counts) -> IVec {
    let mut out = Vec::with_capacity(40);
    put_number(&mut out, counts.received);
    put_number(&mut out, counts.duplicates);
    for count in counts.states {
        put_number(&mut out, count);
    }
    IVec::from(out)
}

/// Reads [`counts`].
pub(crate) fn read_counts(mut bytes: &[u8]) -> Option<Counts> {
    let bytes = &mut bytes;
    let mut counts = Counts {
        received: take_number(bytes)?,
        duplicates: take_number(bytes)?,
        ..Counts::default()
    };
    for count in &mut counts.states {
        *count = take_number(bytes)?;
    }
    bytes.is_empty().then_some(counts)
}

/// LEB128.
pub(crate) fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// Reads [`put_number`] from the front.
pub(crate) fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Small numbers of either sign stay short.
fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_number(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

fn take_signed(bytes: &mut &[u8]) -> Option<i64> {
    let value = take_number(bytes)?;
    Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_known_of_an_item_is_read_as_it_was_written() {
        for (content, list) in [
            (None, None),
            (Some("a1"), None),
            (Some("a1"), Some("P-1")),
            (None, Some("é")),
        ] {
            let one = Print {
                id: "漢 1".to_owned(),
                print: content.map(str::to_owned),
                number: 300,
                list: list.map(str::to_owned),
            };
            assert_eq!(read_print(&print(&one)), Some(one));
        }
        assert_eq!(read_print(&[1, 9, b'x']), None, "cut off");
    }

    proptest! {
        #[test]
        fn a_row_reads_back_as_it_was_written(
            position: u64, kind in 0..8_usize, class in proptest::option::of(0..12_usize), instance: u32, lane: u32,
            created_s: i64, due_us: Option<i64>, queued: bool, awaited: Option<Short>, next: Option<u64>,
        ) {
            let row = Row {
                position, kind: StateKind::ALL[kind], class: class.map(|class| Class::ALL[class]), instance, lane,
                created_s, due_us, queued, awaited, next,
            };
            prop_assert_eq!(Row::decode(&row.encode()), Some(row));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            Row::decode(&bytes);
            read_counts(&bytes);
            read_pair(&bytes);
        }
    }

    #[test]
    fn a_due_time_is_never_rounded_to_before_itself() {
        for nanos in [
            0_i128,
            1,
            999,
            1000,
            1001,
            -1,
            -999,
            -1000,
            -1001,
            1_700_000_000_000_000_001,
        ] {
            let due_at = jiff::Timestamp::from_nanosecond(nanos).unwrap();
            let due = due_us(&DeliveryState::Pending { due_at }).unwrap();
            assert!(i128::from(due) * 1000 >= nanos, "{nanos}");
            assert!(i128::from(due) * 1000 < nanos + 1000, "{nanos}");
        }
    }
}
