//! From a place in a scalar's content to the place in the file.

use crate::source::{SourceSet, Span, to_u32};
use std::iter::Peekable;
use std::str::CharIndices;

/// The place of `length` bytes at `offset` of a scalar's content, `scalar` being the scalar's own span.
///
/// The content and the written form agree in everything but quotes, escapes, and how lines are folded and indented, so
/// they are walked side by side. A place that cannot be found is the scalar's whole span.
pub fn place(
    sources: &SourceSet,
    scalar: Span,
    content: &str,
    offset: usize,
    length: usize,
) -> Span {
    let written = sources.text(scalar);
    let from = written_offset(written, content, offset);
    let to = written_offset(written, content, offset.saturating_add(length));
    match (from, to) {
        (Some(from), Some(to)) if from <= to => {
            let at = |offset: usize| scalar.start.saturating_add(to_u32(offset));
            Span::new(scalar.file, at(from), at(to))
        }
        _ => scalar,
    }
}

fn written_offset(written: &str, content: &str, offset: usize) -> Option<usize> {
    let quote = written
        .chars()
        .next()
        .filter(|c| matches!(c, '\'' | '"') && !content.starts_with(*c));
    // A plain scalar never starts with a quote, but a block may; then content and written form start with the same one.
    let mut walk = Walk {
        written: written.char_indices().peekable(),
        end: written.len(),
        quote,
    };
    if quote.is_some() {
        walk.written.next();
    }
    for (at, c) in content.char_indices() {
        if at >= offset {
            return Some(walk.seek(c));
        }
        walk.pass(c);
    }
    (offset >= content.len()).then(|| walk.here())
}

struct Walk<'a> {
    written: Peekable<CharIndices<'a>>,
    end: usize,
    quote: Option<char>,
}

impl Walk<'_> {
    fn here(&mut self) -> usize {
        self.written.peek().map_or(self.end, |(at, _)| *at)
    }

    /// Skips what folding and indentation added, up to where `c` is written.
    fn seek(&mut self, c: char) -> usize {
        if !c.is_whitespace() {
            while let Some((_, w)) = self.written.peek().copied() {
                let joins = w == '\\' && self.quote == Some('"') && self.continues_line();
                if !w.is_whitespace() && !joins {
                    break;
                }
                self.written.next();
            }
        }
        self.here()
    }

    /// Whether a backslash at this place only joins two lines.
    fn continues_line(&self) -> bool {
        let mut ahead = self.written.clone();
        ahead.next();
        matches!(ahead.peek(), Some((_, '\n' | '\r')))
    }

    /// Steps over the written form of `c`.
    fn pass(&mut self, c: char) {
        self.seek(c);
        let Some((_, w)) = self.written.peek().copied() else {
            return;
        };
        if c.is_whitespace() && !w.is_whitespace() && w != '\\' {
            // A line break that folding made of several; the written form is ahead already.
            return;
        }
        self.written.next();
        match (self.quote, w) {
            (Some('"'), '\\') => self.pass_escape(),
            (Some('\''), '\'') => {
                self.written.next();
            }
            _ => {}
        }
    }

    fn pass_escape(&mut self) {
        let digits = match self.written.next() {
            Some((_, 'x')) => 2,
            Some((_, 'u')) => 4,
            Some((_, 'U')) => 8,
            _ => 0,
        };
        for _ in 0..digits {
            self.written.next();
        }
    }
}
