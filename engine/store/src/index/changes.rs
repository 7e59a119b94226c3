//! Changes to the index that are not in its tree yet.

use sled::IVec;
use std::collections::BTreeMap;
use std::ops::Bound;

/// What becomes of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is set, and was not there below.
    New(IVec),
    /// It is set, and may have been there below.
    Set(IVec),
    /// It is not there any more.
    Gone,
}

/// The net changes to a set of keys.
///
/// A key that is inserted and removed again within the same changes leaves no trace, so whatever comes and goes quickly
/// (an accepted record that is delivered at once) never reaches the tree.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes(BTreeMap<IVec, Change>);

impl Change {
    /// The value, if there is one.
    pub(crate) const fn value(&self) -> Option<&IVec> {
        match self {
            Self::New(value) | Self::Set(value) => Some(value),
            Self::Gone => None,
        }
    }
}

impl Changes {
    /// Sets a key that is not there.
    pub(crate) fn insert(&mut self, key: IVec, value: IVec) {
        self.merge(key, Change::New(value));
    }

    /// Sets a key.
    pub(crate) fn set(&mut self, key: IVec, value: IVec) {
        self.merge(key, Change::Set(value));
    }

    /// Removes a key.
    pub(crate) fn remove(&mut self, key: IVec) {
        self.merge(key, Change::Gone);
    }

    /// Takes a later change over.
    pub(crate) fn merge(&mut self, key: IVec, change: Change) {
        use std::collections::btree_map::Entry;
        match self.0.entry(key) {
            Entry::Vacant(place) => {
                place.insert(change);
            }
            Entry::Occupied(mut place) => match (place.get(), change) {
                (Change::New(_), Change::Gone) => {
                    place.remove();
                }
                (Change::New(_), Change::New(value) | Change::Set(value)) => {
                    place.insert(Change::New(value));
                }
                (Change::Set(_) | Change::Gone, Change::New(value) | Change::Set(value)) => {
                    place.insert(Change::Set(value));
                }
                (Change::Set(_) | Change::Gone, Change::Gone) => {
                    place.insert(Change::Gone);
                }
            },
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&Change> {
        self.0.get(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&IVec, &Change)> {
        self.0.iter()
    }

    /// The changes from one key up to, but not including, another.
    pub(crate) fn range<'a>(
        &'a self,
        from: &IVec,
        to: &IVec,
    ) -> impl Iterator<Item = (&'a IVec, &'a Change)> + use<'a> {
        self.0
            .range::<IVec, _>((Bound::Included(from), Bound::Excluded(to)))
    }
}

impl IntoIterator for Changes {
    type Item = (IVec, Change);
    type IntoIter = std::collections::btree_map::IntoIter<IVec, Change>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Two layers of changes over a map give what the same changes give when made to the map at once.
        #[test]
        fn layers_agree_with_the_plain_map(
            below in proptest::collection::btree_map(0..6_u8, 0..3_u8, 0..6),
            steps in proptest::collection::vec((0..6_u8, proptest::option::of(0..3_u8)), 0..20),
            split in 0..20_usize,
        ) {
            let key = |key: u8| IVec::from(&[key]);
            let mut plain = below.clone();
            let mut layers = [Changes::default(), Changes::default()];
            for (at, (number, value)) in steps.iter().enumerate() {
                let layer = &mut layers[usize::from(at >= split)];
                match value {
                    Some(value) if plain.contains_key(number) => layer.set(key(*number), IVec::from(&[*value])),
                    Some(value) => layer.insert(key(*number), IVec::from(&[*value])),
                    None => layer.remove(key(*number)),
                }
                match value {
                    Some(value) => plain.insert(*number, *value),
                    None => plain.remove(number),
                };
            }
            let [mut first, second] = layers;
            // Applied one after the other, and folded into one another first: the same.
            let mut separate = below.clone();
            for (key, change) in first.iter().chain(second.iter()) {
                match change.value() {
                    Some(value) => separate.insert(key[0], value[0]),
                    None => separate.remove(&key[0]),
                };
            }
            prop_assert_eq!(&separate, &plain);
            for (key, change) in second {
                first.merge(key, change);
            }
            let mut folded = below;
            for (key, change) in first.iter() {
                match change.value() {
                    Some(value) => folded.insert(key[0], value[0]),
                    None => folded.remove(&key[0]),
                };
            }
            prop_assert_eq!(folded, plain);
        }
    }
}
