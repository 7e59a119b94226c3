//! Comma-separated tables (RFC 4180) in and out: matching tables travel in spreadsheets.
//!
//! Every value is text: an account number keeps its leading zeros. A byte order mark and line feeds alone are taken,
//! because spreadsheets write them.

/// A row with the line it begins on, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// For messages.
    pub(crate) line: usize,
    /// As many as the row has.
    pub(crate) cells: Vec<String>,
}

/// Text that is not a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The file ends inside quotes.
    #[error("line {line}: a quoted value is not closed")]
    Unclosed {
        /// Where it was opened.
        line: usize,
    },
    /// Text next to a quoted value.
    #[error(
        "line {line}: text beside a quoted value; quote the whole value and double the quotes in it"
    )]
    Beside {
        /// Where.
        line: usize,
    },
}

/// Reads rows; empty lines are none.
pub(crate) fn parse(text: &str) -> Result<Vec<Row>, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rows = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while !rest.is_empty() {
        let begins = line;
        let mut cells = Vec::new();
        let end = loop {
            let (cell, tail, breaks) = cell(rest, line)?;
            line += breaks;
            cells.push(cell);
            match tail.strip_prefix(',') {
                Some(more) => rest = more,
                None => break tail,
            }
        };
        rest = end
            .strip_prefix("\r\n")
            .or_else(|| end.strip_prefix('\n'))
            .or_else(|| end.strip_prefix('\r'))
            .unwrap_or(end);
        line += 1;
        if cells.iter().any(|cell| !cell.is_empty()) {
            rows.push(Row {
                line: begins,
                cells,
            });
        }
    }
    Ok(rows)
}

/// One cell, what follows it, and the line breaks inside it.
fn cell(text: &str, line: usize) -> Result<(String, &str, usize), Error> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', '\r', '\n']).unwrap_or(text.len());
        let (cell, tail) = text.split_at(end);
        return if cell.contains('"') {
            Err(Error::Beside { line })
        } else {
            Ok((cell.to_owned(), tail, 0))
        };
    };
    let mut cell = String::new();
    loop {
        let (before, after) = rest.split_once('"').ok_or(Error::Unclosed { line })?;
        cell.push_str(before);
        if let Some(more) = after.strip_prefix('"') {
            cell.push('"');
            rest = more;
        } else if after.is_empty() || after.starts_with([',', '\r', '\n']) {
            let breaks = cell.matches('\n').count();
            return Ok((cell, after, breaks));
        } else {
            return Err(Error::Beside {
                line: line + cell.matches('\n').count(),
            });
        }
    }
}

/// Writes one row, with the line end the standard asks for.
pub(crate) fn row<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let quoted = cells.into_iter().map(|cell| {
        if cell.contains(['"', ',', '\r', '\n']) || cell.trim() != cell {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell.to_owned()
        }
    });
    quoted.collect::<Vec<_>>().join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::{Error, parse, row};

    fn cells(text: &str) -> Vec<Vec<String>> {
        parse(text)
            .unwrap()
            .into_iter()
            .map(|row| row.cells)
            .collect()
    }

    #[test]
    fn what_was_written_is_read_again() {
        let table = [
            ["key", "account", "note"],
            ["MD1", "0000417", "plain"],
            ["MD\"2", " padded ", "two\r\nlines, and a comma"],
            ["MD3", "", ""],
        ];
        let text: String = table
            .iter()
            .map(|cells| row(cells.iter().copied()))
            .collect();
        assert_eq!(cells(&text), table);
    }

    #[test]
    fn spreadsheets_are_taken_as_they_come() {
        let text = "\u{feff}key,account\n\nMD1,0000417\rMD2,\"00\"\"1\"";
        assert_eq!(
            cells(text),
            [["key", "account"], ["MD1", "0000417"], ["MD2", "00\"1"]]
        );
    }

    #[test]
    fn rows_know_their_line_behind_values_of_several_lines() {
        let rows = parse("a,\"1\n2\n3\"\nb,x\n").unwrap();
        assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 4]);
    }

    #[test]
    fn quotes_in_the_wrong_place_are_named_with_their_line() {
        assert_eq!(parse("a\nb,\"open\n"), Err(Error::Unclosed { line: 2 }));
        assert_eq!(parse("a\n\"b\"c\n"), Err(Error::Beside { line: 2 }));
        assert_eq!(parse("a\nb\"c\"\n"), Err(Error::Beside { line: 2 }));
    }
}
