//! The texts that definitions are read from, and places in them.
//!
//! Whoever calls the core reads the files and hands in their names and bytes; nothing here opens anything. A [`Span`] is
//! two byte offsets into one of these texts; line and column are computed only when somebody wants to show them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// A file of a [`SourceSet`], in the order the files were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// A stretch of one file: byte offsets, `end` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Which file.
    pub file: FileId,
    /// Byte offset of its first character.
    pub start: u32,
    /// Byte offset after its last character.
    pub end: u32,
}

impl Span {
    /// A stretch of a file; an `end` before `start` counts as empty.
    pub const fn new(file: FileId, start: u32, end: u32) -> Self {
        Self {
            file,
            start,
            end: if end < start { start } else { end },
        }
    }

    /// Its length in bytes.
    pub const fn len(self) -> u32 {
        self.end.saturating_sub(self.start)
    }

    /// Whether it covers nothing.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A place as people read it: both numbers start at 1, columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The character in that line.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One text.
#[derive(Debug)]
pub struct File {
    name: Arc<str>,
    text: Arc<str>,
    invalid_utf8_at: Option<u32>,
    line_starts: Vec<u32>,
}

impl File {
    /// Its name as it was handed in, with `/` between folders.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its text. Where the bytes were not UTF-8, each bad stretch is shown as U+FFFD.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The offset (in [`File::text`]) of the first bytes that were not UTF-8.
    pub fn invalid_utf8_at(&self) -> Option<u32> {
        self.invalid_utf8_at
    }

    /// The place of a byte offset. An offset inside a character counts as that character, one behind the text as its end.
    pub fn position(&self, offset: u32) -> Position {
        let line = self
            .line_starts
            .partition_point(|start| *start <= offset)
            .max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start as usize..).unwrap_or_default();
        let column = before
            .char_indices()
            .take_while(|(at, c)| at + c.len_utf8() <= (offset - start.min(offset)) as usize)
            .count();
        Position {
            line: to_u32(line),
            column: to_u32(column + 1),
        }
    }

    /// The text of a line (from 1) without its line break; empty behind the last.
    pub fn line(&self, line: u32) -> &str {
        let at = line.saturating_sub(1) as usize;
        let Some(start) = self.line_starts.get(at) else {
            return "";
        };
        let end = self
            .line_starts
            .get(at + 1)
            .map_or(self.text.len(), |next| *next as usize);
        let line = self.text.get(*start as usize..end).unwrap_or_default();
        line.trim_end_matches(['\n', '\r'])
    }
}

/// All texts of one run.
#[derive(Debug, Default)]
pub struct SourceSet {
    files: Vec<File>,
    by_name: HashMap<Arc<str>, FileId>,
}

/// The longest text that is taken; definitions are written by people, so a longer one is a mistake.
pub const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

impl SourceSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text. A name that was added before keeps its id and gets the new text, as an editor would want it.
    pub fn add(&mut self, name: &str, text: &str) -> FileId {
        self.insert(name, text.to_owned(), None)
    }

    /// Adds bytes that ought to be UTF-8; if they are not, loading reports it and shows the rest of the file all the same.
    pub fn add_bytes(&mut self, name: &str, bytes: &[u8]) -> FileId {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.insert(name, text.to_owned(), None),
            Err(error) => {
                let text = String::from_utf8_lossy(bytes).into_owned();
                self.insert(name, text, Some(to_u32(error.valid_up_to())))
            }
        }
    }

    /// The file of this id.
    pub fn file(&self, id: FileId) -> Option<&File> {
        self.files.get(id.0 as usize)
    }

    /// The file of this name.
    pub fn by_name(&self, name: &str) -> Option<FileId> {
        self.by_name.get(name).copied()
    }

    /// Every file with its id, in name order.
    pub fn files(&self) -> Vec<(FileId, &File)> {
        let mut files: Vec<_> = self
            .files
            .iter()
            .enumerate()
            .map(|(at, file)| (FileId(to_u32(at)), file))
            .collect();
        files.sort_by(|a, b| a.1.name.cmp(&b.1.name));
        files
    }

    /// A file's name, or `?` for an id of another set.
    pub fn name(&self, id: FileId) -> &str {
        self.file(id).map_or("?", File::name)
    }

    /// Where a span begins.
    pub fn position(&self, span: Span) -> Position {
        self.file(span.file)
            .map_or(Position { line: 1, column: 1 }, |file| {
                file.position(span.start)
            })
    }

    /// The text a span covers.
    pub fn text(&self, span: Span) -> &str {
        let text = self.file(span.file).map_or("", File::text);
        text.get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    /// `file:line:column`, as editors and terminals make links of.
    pub fn show(&self, span: Span) -> String {
        format!("{}:{}", self.name(span.file), self.position(span))
    }

    fn insert(&mut self, name: &str, text: String, invalid_utf8_at: Option<u32>) -> FileId {
        let line_starts = std::iter::once(0)
            .chain(
                text.bytes()
                    .enumerate()
                    .filter(|(_, byte)| *byte == b'\n')
                    .map(|(at, _)| to_u32(at + 1)),
            )
            .collect();
        let name: Arc<str> = Arc::from(name.replace('\\', "/"));
        let file = File {
            name: Arc::clone(&name),
            text: Arc::from(text),
            invalid_utf8_at,
            line_starts,
        };
        if let Some(id) = self.by_name.get(&name).copied()
            && let Some(slot) = self.files.get_mut(id.0 as usize)
        {
            *slot = file;
            return id;
        }
        let id = FileId(to_u32(self.files.len()));
        self.files.push(file);
        self.by_name.insert(name, id);
        id
    }
}

/// Offsets and counts of texts that fit [`FILE_BYTES_MAX`] fit 32 bits; larger ones are refused before they matter.
pub(crate) fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_start_at_one() {
        let mut set = SourceSet::new();
        let id = set.add("a.yaml", "aé€: 1\r\nzwei: x\n");
        let at = |start| set.position(Span::new(id, start, start)).to_string();
        assert_eq!(at(0), "1:1");
        assert_eq!(at(1), "1:2");
        assert_eq!(at(3), "1:3");
        assert_eq!(at(6), "1:4");
        assert_eq!(at(11), "2:1");
        assert_eq!(at(17), "2:7");
        assert_eq!(at(999), "3:1");
        assert_eq!(set.file(id).unwrap().line(1), "aé€: 1");
        assert_eq!(set.file(id).unwrap().line(9), "");
        assert_eq!(set.text(Span::new(id, 1, 6)), "é€");
    }

    #[test]
    fn an_offset_inside_a_character_counts_as_that_character() {
        let mut set = SourceSet::new();
        let id = set.add("a", "€x");
        assert_eq!(set.position(Span::new(id, 2, 2)).to_string(), "1:1");
        assert_eq!(set.text(Span::new(id, 1, 2)), "");
    }

    #[test]
    fn files_are_listed_by_name_and_replaced_by_name() {
        let mut set = SourceSet::new();
        let b = set.add("b", "1");
        let a = set.add("a", "2");
        assert_eq!(set.add("b", "3"), b);
        let names: Vec<_> = set
            .files()
            .iter()
            .map(|(id, file)| (*id, file.text().to_owned()))
            .collect();
        assert_eq!(names, [(a, "2".to_owned()), (b, "3".to_owned())]);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_kept_with_the_place() {
        let mut set = SourceSet::new();
        let id = set.add_bytes("a", b"ab\xffc");
        let file = set.file(id).unwrap();
        assert_eq!(
            (file.invalid_utf8_at(), file.text()),
            (Some(2), "ab\u{fffd}c")
        );
    }
}
