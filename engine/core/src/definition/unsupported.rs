//! What the grammar admits and this version cannot do yet: one list.
//!
//! Such a key or word is refused by `validate`, never ignored. When the engine learns it, its line here goes.

use super::table::Table;

/// One thing that is refused.
#[derive(Debug)]
pub struct Unsupported {
    /// The table, or the tagged object, it stands in.
    pub table: &'static str,
    /// The key.
    pub key: &'static str,
    /// The word, where only that is refused.
    pub word: Option<&'static str>,
    /// What to do in the meantime.
    pub help: &'static str,
}

/// Everything this version refuses.
pub static UNSUPPORTED: &[Unsupported] = &[Unsupported {
    table: "Integration",
    key: "schedule",
    word: None,
    help: "deliveries are made at any time; remove `schedule`",
}];

/// Whether a key of a table is refused whatever it says.
pub(super) fn key<'a>(
    list: &'a [Unsupported],
    table: &Table,
    key: &str,
) -> Option<&'a Unsupported> {
    list.iter()
        .find(|one| one.table == table.name && one.key == key && one.word.is_none())
}

/// Whether a word is refused at a key of a table or tagged object.
pub(super) fn word<'a>(
    list: &'a [Unsupported],
    table: &str,
    key: &str,
    word: &str,
) -> Option<&'a Unsupported> {
    list.iter()
        .find(|one| one.table == table && one.key == key && one.word == Some(word))
}
