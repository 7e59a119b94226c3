//! Resources in memory: rows in order of creation, found by id, with ids that come from the seed.

use super::kind::Kind;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

/// A resource as it is sent.
pub(crate) type Record = Map<String, Value>;

/// One resource.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) body: Record,
    /// Personal data removed for good (GC 2.1).
    pub(crate) removed: bool,
}

impl Row {
    /// A text member; empty if missing or null.
    pub(crate) fn text(&self, member: &str) -> &str {
        text(&self.body, member)
    }

    /// An integer member; 0 if missing.
    pub(crate) fn integer(&self, member: &str) -> i64 {
        self.body.get(member).and_then(Value::as_i64).unwrap_or(0)
    }

    /// The id behind a link.
    pub(crate) fn link(&self, name: &str) -> Option<&str> {
        self.body.get("links")?.get(name)?.as_str()
    }

    /// Sets one member.
    pub(crate) fn set(&mut self, member: &str, value: impl Into<Value>) {
        self.body.insert(member.to_owned(), value.into());
    }

    /// Sets one link.
    pub(crate) fn set_link(&mut self, name: &str, id: &str) {
        if let Some(links) = self.body.get_mut("links").and_then(Value::as_object_mut) {
            links.insert(name.to_owned(), Value::from(id));
        }
    }
}

/// A text member of a record; empty if missing or null.
pub(crate) fn text<'a>(record: &'a Record, member: &str) -> &'a str {
    record
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// All resources of one kind, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    by_id: HashMap<String, usize>,
}

impl Table {
    pub(crate) fn get(&self, id: &str) -> Option<&Row> {
        self.rows.get(*self.by_id.get(id)?)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Row> {
        self.rows.get_mut(*self.by_id.get(id)?)
    }

    /// Where the row stands in order of creation.
    pub(crate) fn position(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// All rows, oldest first.
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn push(&mut self, row: Row) {
        self.by_id.insert(row.id.clone(), self.rows.len());
        self.rows.push(row);
    }
}

/// Every table, and the numbering of ids.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    tables: BTreeMap<Kind, Table>,
    none: Table,
    scatter: u64,
    issued: u64,
}

impl Store {
    pub(crate) fn new(seed: u64) -> Self {
        let scatter = crate::entropy::Entropy::new(seed).next_u64();
        Self {
            tables: BTreeMap::new(),
            none: Table::default(),
            scatter,
            issued: 0,
        }
    }

    pub(crate) fn table(&self, kind: Kind) -> &Table {
        self.tables.get(&kind).unwrap_or(&self.none)
    }

    pub(crate) fn get(&self, kind: Kind, id: &str) -> Option<&Row> {
        self.table(kind).get(id)
    }

    pub(crate) fn get_mut(&mut self, kind: Kind, id: &str) -> Option<&mut Row> {
        self.tables.get_mut(&kind)?.get_mut(id)
    }

    /// All rows of a kind, oldest first.
    pub(crate) fn rows(&self, kind: Kind) -> &[Row] {
        self.table(kind).rows()
    }

    /// Adds a resource whose body already begins with its id.
    pub(crate) fn insert(&mut self, kind: Kind, created: Timestamp, body: Record) {
        let id = text(&body, "id").to_owned();
        self.tables.entry(kind).or_default().push(Row {
            id,
            created,
            body,
            removed: false,
        });
    }

    /// A fresh id: prefix, two zeros, ten characters that do not show the order of creation. The scattering is a
    /// bijection on 50 bits, so ids of one simulator never collide.
    pub(crate) fn fresh_id(&mut self, prefix: &str) -> String {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        const MASK: u64 = (1 << 50) - 1;
        self.issued += 1;
        let mut bits = self.issued.wrapping_add(self.scatter) & MASK;
        bits = bits.wrapping_mul(0x2_545F_4914_F6CD) & MASK;
        bits ^= bits >> 25;
        bits = bits.wrapping_mul(0x1_9E37_79B9_7F4B) & MASK;
        bits ^= bits >> 23;
        let mut id = format!("{prefix}00");
        for _ in 0..10 {
            let low = usize::try_from(bits & 31).unwrap_or(0);
            id.push(ALPHABET.get(low).map_or('0', |byte| char::from(*byte)));
            bits >>= 5;
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_repeat_with_the_seed_and_never_collide() {
        let mut store = Store::new(4);
        let mut other = Store::new(4);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..5000 {
            let id = store.fresh_id("PM");
            assert_eq!(id, other.fresh_id("PM"));
            assert_eq!(id.len(), 14);
            assert!(seen.insert(id));
        }
        assert_ne!(Store::new(5).fresh_id("PM"), Store::new(4).fresh_id("PM"));
    }
}
