//! A run: many changes, sorted, written once and never changed.
//!
//! The tree's own entries would be far too small: it keeps at most sixteen in a page, and every page costs memory and
//! time. So a run's entries are packed into blocks of about two kilobytes, and a block is one entry of the tree, under the
//! run's number and the block's last key. One forward step in the tree then finds the only block that can hold a key.
//!
//! Within a block each key leaves out what it shares with the one before.
//!
//! A run has a filter (a Bloom filter in cache lines): most keys that are looked up are new and stand nowhere, and a filter
//! says so without reading.

use super::base::Unusable;
use super::changes::Change;
use super::row::{put_number, take_number};
use super::view::odd;
use sled::{IVec, Tree};

/// A block is closed when it has so many bytes.
const BLOCK_BYTES: usize = 2048;

/// Bytes of a filter that are one entry of the tree.
const FILTER_CHUNK_BYTES: usize = 4096;

/// Filter bits for each key: about one wrong "perhaps" in a hundred.
const FILTER_BITS_PER_KEY: u64 = 10;

/// Bits that a key sets in its cache line.
const FILTER_PROBES: u32 = 6;

const BLOCK: u8 = b'r';
const FILTER: u8 = b'b';

/// A run that readers may use.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) number: u32,
    pub(crate) entries: u64,
    filter: Filter,
}

/// A set of keys that answers "certainly not" or "perhaps".
#[derive(Debug, Default)]
struct Filter {
    /// Eight words are one cache line.
    words: Vec<u64>,
}

/// The key of a run's block whose last entry has this key.
fn block_key(run: u32, last: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(5 + last.len());
    key.push(BLOCK);
    key.extend_from_slice(&run.to_be_bytes());
    key.extend_from_slice(last);
    key
}

fn filter_key(run: u32, chunk: u32) -> [u8; 9] {
    let mut key = [0; 9];
    let mut room = crate::journal::frame::Room(&mut key);
    room.put(&[FILTER]);
    room.put(&run.to_be_bytes());
    room.put(&chunk.to_be_bytes());
    key
}

/// Where all blocks of the runs from this number on begin, and where all filters do.
fn beginnings(run: u32) -> [Vec<u8>; 2] {
    [block_key(run, &[]), filter_key(run, 0).to_vec()]
}

impl Run {
    /// Loads the filter of a run.
    ///
    /// # Errors
    /// If the tree fails or the filter is not complete.
    pub(crate) fn load(tree: &Tree, number: u32, entries: u64) -> Result<Self, Unusable> {
        let mut bytes = Vec::new();
        for chunk in tree.scan_prefix(filter_prefix(number)) {
            bytes.extend_from_slice(&chunk?.1);
        }
        let words = bytes
            .chunks_exact(8)
            .filter_map(|chunk| chunk.first_chunk());
        let filter = Filter {
            words: words.map(|chunk| u64::from_le_bytes(*chunk)).collect(),
        };
        if filter.words.len() != Filter::lines(entries) * 8 {
            return Err(odd("a filter"));
        }
        Ok(Self {
            number,
            entries,
            filter,
        })
    }

    /// What the run says about a key, if it says anything.
    ///
    /// # Errors
    /// If the tree fails or a block cannot be read.
    pub(crate) fn get(&self, tree: &Tree, key: &[u8]) -> Result<Option<Change>, Unusable> {
        if !self.filter.perhaps(key) {
            return Ok(None);
        }
        let mut cursor = Cursor::new(tree, self.number, key);
        match cursor.next()? {
            Some((found, change)) if *found == *key => Ok(Some(change)),
            Some(_) | None => Ok(None),
        }
    }

    /// Removes what is left of all runs but these.
    ///
    /// # Errors
    /// If the tree fails.
    pub(crate) fn remove_others(tree: &Tree, kept: &[u32]) -> Result<(), Unusable> {
        let mut next = 0;
        loop {
            let mut found = None;
            for from in beginnings(next) {
                let table = from.first().copied();
                if let Some(entry) = tree.range(from..).next() {
                    let (key, _) = entry?;
                    let number = key.get(1..5).and_then(|number| number.first_chunk());
                    if let Some(number) = number.filter(|_| key.first().copied() == table) {
                        let number = u32::from_be_bytes(*number);
                        found = Some(found.map_or(number, |found: u32| found.min(number)));
                    }
                }
            }
            let Some(number) = found else { return Ok(()) };
            if !kept.contains(&number) {
                Self::remove(tree, number)?;
            }
            let Some(after) = number.checked_add(1) else {
                return Ok(());
            };
            next = after;
        }
    }

    /// Removes a run's blocks and filter.
    ///
    /// # Errors
    /// If the tree fails.
    pub(crate) fn remove(tree: &Tree, number: u32) -> Result<(), Unusable> {
        for prefix in [block_key(number, &[]), filter_prefix(number).to_vec()] {
            for key in tree.scan_prefix(prefix).keys() {
                tree.remove(key?)?;
            }
        }
        Ok(())
    }
}

fn filter_prefix(run: u32) -> [u8; 5] {
    let [a, b, c, d] = run.to_be_bytes();
    [FILTER, a, b, c, d]
}

/// Reads a run forward.
pub(crate) struct Cursor {
    blocks: sled::Iter,
    /// The block being read, and how far.
    block: IVec,
    at: usize,
    key: Vec<u8>,
    /// Entries before this key are passed over.
    from: Vec<u8>,
}

impl Cursor {
    /// A cursor before the first entry of a run that is not less than `from`.
    pub(crate) fn new(tree: &Tree, run: u32, from: &[u8]) -> Self {
        let start = block_key(run, from);
        let blocks = match run.checked_add(1) {
            Some(next) => tree.range(start..block_key(next, &[])),
            None => tree.range(start..vec![BLOCK + 1]),
        };
        Self {
            blocks,
            block: IVec::default(),
            at: 0,
            key: Vec::new(),
            from: from.to_vec(),
        }
    }

    /// The next entry.
    ///
    /// # Errors
    /// If the tree fails or a block cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<(IVec, Change)>, Unusable> {
        loop {
            if self.at >= self.block.len() {
                let Some(block) = self.blocks.next() else {
                    return Ok(None);
                };
                self.block = block?.1;
                self.at = 0;
                self.key.clear();
                continue;
            }
            let bytes = self.block.get(self.at..).unwrap_or_default();
            let mut rest = bytes;
            let change = read_entry(&mut rest, &mut self.key).ok_or_else(|| odd("a block"))?;
            self.at += bytes.len() - rest.len();
            if *self.key < *self.from {
                continue;
            }
            self.from.clear();
            return Ok(Some((IVec::from(self.key.as_slice()), change)));
        }
    }
}

/// Reads an entry from the front of `bytes`; `key` is that of the entry before, and becomes this one's.
fn read_entry(bytes: &mut &[u8], key: &mut Vec<u8>) -> Option<Change> {
    let shared = usize::try_from(take_number(bytes)?).ok()?;
    let own = usize::try_from(take_number(bytes)?).ok()?;
    let value = usize::try_from(take_number(bytes)?).ok()?;
    if shared > key.len() {
        return None;
    }
    let (own, rest) = bytes.split_at_checked(own)?;
    key.truncate(shared);
    key.extend_from_slice(own);
    let Some(length) = value.checked_sub(1) else {
        *bytes = rest;
        return Some(Change::Gone);
    };
    let (value, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(Change::Set(IVec::from(value)))
}

/// Writes a run, entry by entry in order. Nothing of it counts before the manifest names it.
#[derive(Debug)]
pub(crate) struct Builder {
    number: u32,
    entries: u64,
    block: Vec<u8>,
    last: Vec<u8>,
    filter: Filter,
}

impl Builder {
    /// A builder for at most so many entries.
    pub(crate) fn new(number: u32, entries_max: u64) -> Self {
        Self {
            number,
            entries: 0,
            block: Vec::with_capacity(BLOCK_BYTES + 256),
            last: Vec::new(),
            filter: Filter::for_keys(entries_max),
        }
    }

    /// Adds an entry, greater than all before.
    ///
    /// # Errors
    /// If the tree fails.
    pub(crate) fn add(&mut self, tree: &Tree, key: &[u8], change: &Change) -> Result<(), Unusable> {
        let shared = if self.block.is_empty() {
            0
        } else {
            self.last
                .iter()
                .zip(key)
                .take_while(|(one, other)| one == other)
                .count()
        };
        let own = key.get(shared..).unwrap_or_default();
        put_number(&mut self.block, shared as u64);
        put_number(&mut self.block, own.len() as u64);
        let value = change.value();
        put_number(
            &mut self.block,
            value.map_or(0, |value| value.len() as u64 + 1),
        );
        self.block.extend_from_slice(own);
        self.block
            .extend_from_slice(value.map(|value| &**value).unwrap_or_default());
        self.last.clear();
        self.last.extend_from_slice(key);
        self.filter.add(key);
        self.entries += 1;
        if self.block.len() >= BLOCK_BYTES {
            self.close_block(tree)
        } else {
            Ok(())
        }
    }

    fn close_block(&mut self, tree: &Tree) -> Result<(), Unusable> {
        if !self.block.is_empty() {
            tree.insert(block_key(self.number, &self.last), self.block.as_slice())?;
            self.block.clear();
        }
        Ok(())
    }

    /// Writes the rest.
    ///
    /// # Errors
    /// If the tree fails.
    pub(crate) fn finish(mut self, tree: &Tree) -> Result<Run, Unusable> {
        self.close_block(tree)?;
        let filter = self.filter.fitted(self.entries);
        let mut bytes = Vec::with_capacity(filter.words.len() * 8);
        for word in &filter.words {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        for (number, chunk) in (0..).zip(bytes.chunks(FILTER_CHUNK_BYTES)) {
            tree.insert(filter_key(self.number, number), chunk)?;
        }
        Ok(Run {
            number: self.number,
            entries: self.entries,
            filter,
        })
    }
}

impl Filter {
    /// Cache lines for so many keys, a power of two.
    fn lines(keys: u64) -> usize {
        let lines = (keys * FILTER_BITS_PER_KEY).div_ceil(512).max(1);
        usize::try_from(lines.next_power_of_two()).unwrap_or(1)
    }

    fn for_keys(keys: u64) -> Self {
        Self {
            words: vec![0; Self::lines(keys) * 8],
        }
    }

    /// The filter folded down to the size that so many keys need: fewer came than were announced.
    fn fitted(mut self, keys: u64) -> Self {
        let wanted = Self::lines(keys) * 8;
        while self.words.len() > wanted {
            let half = self.words.len() / 2;
            let upper = self.words.split_off(half);
            for (word, other) in self.words.iter_mut().zip(upper) {
                *word |= other;
            }
        }
        self
    }

    /// The first word of a key's line, and the bits in it.
    fn place(&self, key: &[u8]) -> (usize, u64) {
        let hash = mix(key);
        let lines = (self.words.len() / 8).max(1) as u64;
        // The number of lines is a power of two, so a smaller filter is this one folded.
        let line = usize::try_from(hash & (lines - 1)).unwrap_or(0);
        (
            line * 8,
            hash.rotate_left(32).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        )
    }

    fn add(&mut self, key: &[u8]) {
        let (first, bits) = self.place(key);
        for probe in 0..FILTER_PROBES {
            let bit = bits >> (64 - 9 - probe * 9) & 511;
            let word = usize::try_from(bit / 64).unwrap_or(0);
            if let Some(word) = self.words.get_mut(first + word) {
                *word |= 1 << (bit % 64);
            }
        }
    }

    fn perhaps(&self, key: &[u8]) -> bool {
        let (first, bits) = self.place(key);
        (0..FILTER_PROBES).all(|probe| {
            let bit = bits >> (64 - 9 - probe * 9) & 511;
            let word = usize::try_from(bit / 64).unwrap_or(0);
            self.words
                .get(first + word)
                .is_some_and(|word| word >> (bit % 64) & 1 == 1)
        })
    }
}

/// Spreads a key over 64 bits. Not secret: whoever chooses keys can at most make a look-up read a block.
fn mix(key: &[u8]) -> u64 {
    let mut hash = 0x51_7c_c1_b7_27_22_0a_95 ^ key.len() as u64;
    for chunk in key.chunks(8) {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 29;
    }
    hash.wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn tree() -> sled::Db {
        sled::Config::new().temporary(true).open().unwrap()
    }

    #[test]
    fn a_run_gives_back_what_was_put_in_and_nothing_else() {
        let tree = tree();
        let mut expected = BTreeMap::new();
        for number in 0..5000_u64 {
            let key = format!("k{:06}", number * 7 % 10_000).into_bytes();
            let change = match number % 5 {
                0 => Change::Gone,
                _ => Change::Set(IVec::from(number.to_string().as_bytes())),
            };
            expected.insert(key, change);
        }
        let mut builder = Builder::new(3, 100_000);
        for (key, change) in &expected {
            builder.add(&tree, key, change).unwrap();
        }
        let built = builder.finish(&tree).unwrap();
        let run = Run::load(&tree, 3, built.entries).unwrap();
        assert_eq!(run.filter.words, built.filter.words);
        let mut wrong = 0;
        for number in 0..10_000 {
            let key = format!("k{number:06}").into_bytes();
            assert_eq!(run.get(&tree, &key).unwrap(), expected.get(&key).cloned());
            let unknown = format!("u{number:06}").into_bytes();
            wrong += u32::from(run.filter.perhaps(&unknown));
        }
        assert!(
            wrong < 300,
            "the filter lets {wrong} of 10000 unknown keys through"
        );
        for from in ["", "k000003", "k004999", "k009999x", "z"] {
            let mut cursor = Cursor::new(&tree, 3, from.as_bytes());
            let mut found = Vec::new();
            while let Some((key, change)) = cursor.next().unwrap() {
                found.push((key.to_vec(), change));
            }
            let rest = expected.range(from.as_bytes().to_vec()..);
            assert!(
                found.iter().map(|(key, change)| (key, change)).eq(rest),
                "from {from}"
            );
        }
    }

    #[test]
    fn what_no_manifest_names_is_removed() {
        let tree = tree();
        for number in [1, 2, 300] {
            let mut builder = Builder::new(number, 10);
            builder.add(&tree, b"k", &Change::Gone).unwrap();
            builder.finish(&tree).unwrap();
        }
        Run::remove_others(&tree, &[2]).unwrap();
        assert_eq!(tree.len(), 2, "one block and one filter");
        assert!(Run::load(&tree, 2, 1).is_ok());
        assert!(Run::load(&tree, 300, 1).is_err());
    }
}
