//! What a poll has read and not accepted yet: brought into order, in bounded memory.
//!
//! Deliveries with the same order key go in the order of acceptance, so a list that comes newest
//! first has to be read to its end before its first item can be accepted. A backlog collects items
//! up to [`BYTES_MAX`]. When there is more,
//! - a list that has come oldest first so far needs no collecting: its items go straight through;
//! - of any other list the *oldest* items are kept and the newer ones dropped. The cursor then
//!   moves to the newest one kept, and the list is read again from there.

use bytes::Bytes;
use jiff::Timestamp;
use std::cmp::Reverse;
use std::fmt;

/// Bytes of items that are held in memory by one poll, as JSON; a lower bound shows the same in
/// tests with lists that fit into them.
pub(super) const BYTES_MAX: usize = if cfg!(test) {
    64 * 1024
} else {
    16 * 1024 * 1024
};
/// What an item takes beside its content.
const ITEM_BYTES: usize = 128;

/// An item that has an id and a place in time. `Debug` shows no content.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) id: String,
    /// As it will be stored.
    pub(super) raw: Bytes,
    /// Its cursor value, or the present if that is earlier.
    pub(super) at: Timestamp,
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Item({}, {}, {} bytes)",
            self.id,
            self.at,
            self.raw.len()
        )
    }
}

impl Item {
    fn bytes(&self) -> usize {
        self.raw.len() + self.id.len() + ITEM_BYTES
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Backlog {
    bytes_max: usize,
    /// With their place in the list.
    items: Vec<(usize, Item)>,
    taken: usize,
    bytes: usize,
    /// Nothing from here on is kept.
    beyond: Option<Timestamp>,
    direction: Direction,
    /// Everything goes straight through.
    passing: bool,
}

/// In which direction of time items come.
#[derive(Debug, Default)]
pub(super) struct Direction {
    last: Option<Timestamp>,
    later: usize,
    earlier: usize,
}

impl Direction {
    pub(super) fn see(&mut self, at: Timestamp) {
        if let Some(last) = self.last.replace(at) {
            self.later += usize::from(at > last);
            self.earlier += usize::from(at < last);
        }
    }

    fn only_later(&self) -> bool {
        self.later > 0 && self.earlier == 0
    }

    /// Sorts oldest first. Items of the same time keep their order, which is turned round if the
    /// list comes newest first.
    fn sort(&self, items: &mut [(usize, Item)]) {
        if self.earlier > self.later {
            items.sort_by_key(|(nth, item)| (item.at, Reverse(*nth)));
        } else {
            items.sort_by_key(|(nth, item)| (item.at, *nth));
        }
    }
}

/// Items oldest first.
pub(super) fn oldest_first(items: Vec<Item>) -> Vec<Item> {
    let mut direction = Direction::default();
    for item in &items {
        direction.see(item.at);
    }
    let mut items: Vec<_> = items.into_iter().enumerate().collect();
    direction.sort(&mut items);
    items.into_iter().map(|(_, item)| item).collect()
}

impl Backlog {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            items: Vec::new(),
            taken: 0,
            bytes: 0,
            beyond: None,
            direction: Direction::default(),
            passing: false,
        }
    }

    /// Takes the next item of the list; gives back what can be accepted at once, in order.
    pub(super) fn take(&mut self, item: Item) -> Vec<Item> {
        let goes_back = self.direction.last.is_some_and(|last| item.at < last);
        self.direction.see(item.at);
        if self.passing {
            if goes_back {
                tracing::warn!(id = item.id, "an old item stands behind newer ones");
            }
            return vec![item];
        }
        if self.beyond.is_some_and(|beyond| item.at >= beyond) {
            return Vec::new();
        }
        self.bytes += item.bytes();
        self.items.push((self.taken, item));
        self.taken += 1;
        if self.bytes <= self.bytes_max {
            return Vec::new();
        }
        if self.beyond.is_none() && self.direction.only_later() {
            self.passing = true;
            self.bytes = 0;
            return self.items.drain(..).map(|(_, item)| item).collect();
        }
        self.drop_newest();
        Vec::new()
    }

    /// Keeps the older half. All items of one time stay together, so that the cursor can stand
    /// between those kept and those dropped.
    fn drop_newest(&mut self) {
        let mut sizes: Vec<_> = self
            .items
            .iter()
            .map(|(_, item)| (item.at, item.bytes()))
            .collect();
        sizes.sort_unstable();
        let mut bytes = 0;
        let cut = sizes.iter().find(|(_, size)| {
            bytes += size;
            bytes > self.bytes_max / 2
        });
        let Some((beyond, _)) = cut else { return };
        self.items.retain(|(_, item)| item.at < *beyond);
        self.bytes = self.items.iter().map(|(_, item)| item.bytes()).sum();
        self.beyond = Some(*beyond);
    }

    /// What was kept, oldest first, and from which time on nothing was.
    pub(super) fn finish(mut self) -> (Vec<Item>, Option<Timestamp>) {
        self.direction.sort(&mut self.items);
        let items = self.items.into_iter().map(|(_, item)| item).collect();
        (items, self.beyond)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(second: i64, nth: usize) -> Item {
        Item {
            id: format!("{second}-{nth}"),
            raw: Bytes::from(vec![b'x'; 100]),
            at: Timestamp::from_second(second).unwrap(),
        }
    }

    fn ids(items: &[Item]) -> Vec<&str> {
        items.iter().map(|item| item.id.as_str()).collect()
    }

    fn seconds(items: &[Item]) -> Vec<i64> {
        items.iter().map(|item| item.at.as_second()).collect()
    }

    #[test]
    fn a_list_that_comes_newest_first_is_turned_round_also_within_one_time() {
        let mut backlog = Backlog::new(BYTES_MAX);
        for one in [item(3, 2), item(3, 1), item(2, 1), item(1, 2), item(1, 1)] {
            assert!(backlog.take(one).is_empty());
        }
        let (items, beyond) = backlog.finish();
        assert_eq!(ids(&items), ["1-1", "1-2", "2-1", "3-1", "3-2"]);
        assert_eq!(beyond, None);
    }

    #[test]
    fn beyond_the_bound_the_oldest_are_kept_and_memory_stays_flat() {
        let mut backlog = Backlog::new(10 * 240);
        for second in (0..1000).rev() {
            assert!(backlog.take(item(second, 0)).is_empty());
            assert!(backlog.bytes <= backlog.bytes_max);
        }
        let (items, beyond) = backlog.finish();
        let kept = i64::try_from(items.len()).unwrap();
        assert!(kept >= 4, "{kept}");
        assert_eq!(seconds(&items), (0..kept).collect::<Vec<_>>());
        assert_eq!(beyond, Some(Timestamp::from_second(kept).unwrap()));
    }

    #[test]
    fn a_long_list_that_comes_oldest_first_goes_straight_through() {
        let mut backlog = Backlog::new(10 * 240);
        let mut passed = Vec::new();
        for second in 0..1000 {
            passed.extend(backlog.take(item(second, 0)));
        }
        let (rest, beyond) = backlog.finish();
        passed.extend(rest);
        assert_eq!(seconds(&passed), (0..1000).collect::<Vec<_>>());
        assert_eq!(beyond, None);
    }

    #[test]
    fn items_of_one_time_are_kept_or_dropped_together() {
        let mut backlog = Backlog::new(10 * 240);
        for nth in 0..100 {
            backlog.take(item(7, nth));
        }
        backlog.take(item(6, 0));
        let (items, beyond) = backlog.finish();
        assert_eq!(seconds(&items), [6]);
        assert_eq!(beyond, Some(Timestamp::from_second(7).unwrap()));
    }
}
