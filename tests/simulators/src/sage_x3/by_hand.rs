//! What people do to entries at the screen, behind the engine's back.

use super::folder::Folder;

impl Folder {
    /// Somebody deletes the entries with this source document. Gives how many there were.
    pub fn remove_entries_of(&mut self, source_document: &str) -> usize {
        let before = self.entries.len();
        self.entries
            .retain(|entry| !entry.source_document.eq_ignore_ascii_case(source_document));
        before - self.entries.len()
    }

    /// Somebody enters an entry once more, with the same source document.
    pub fn repeat_entry_of(&mut self, source_document: &str) {
        let Some(mut again) = self.entries_of(source_document).next().cloned() else {
            return;
        };
        again.number = self.next_number(&again.kind.clone(), again.date.year());
        self.entries.push(again);
    }
}
