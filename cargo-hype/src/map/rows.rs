//! The rows of a CSV file: RFC 4180, with a header.

use std::io::{self, Read};
use std::path::Path;

use csv::{ErrorKind, Position, Reader, ReaderBuilder, StringRecord};

/// Returns whether a file is a CSV file, by its name.
pub(super) fn is_table(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
}

/// A row, with its position in the file.
pub(super) struct Row {
    /// The number of the row's first line, counted from 1.
    pub(super) line: u64,
    pub(super) cells: StringRecord,
}

/// The rows of a CSV file below its header.
pub(super) struct Rows<R> {
    reader: Reader<R>,
    /// The difference between the numbers of lines and those of the reader: 1 if lines end with `\r\n`, since the reader
    /// ends a row before its line feed.
    lag: u64,
}

/// Reads the header of a CSV file, and returns it with the rows below.
pub(super) fn open<R: Read>(file: R) -> io::Result<(StringRecord, Rows<R>)> {
    let mut reader = ReaderBuilder::new().from_reader(file);
    let first_line = |error: csv::Error| {
        let line = error.position().map_or(1, Position::line);
        readable(error, line)
    };
    let mut header = reader.headers().map_err(first_line)?.clone();
    let lag = (2 + line_feeds(&header)).saturating_sub(reader.position().line());
    header.trim();
    match header.is_empty() {
        true => Err(io::Error::other("it has no header, which names the columns")),
        false => Ok((header, Rows { reader, lag })),
    }
}

impl<R: Read> Rows<R> {
    /// Returns the rows. An error is the last one.
    pub(super) fn iter(mut self) -> impl Iterator<Item = io::Result<Row>> {
        std::iter::from_fn(move || {
            let mut cells = StringRecord::new();
            let read = self.reader.read_record(&mut cells);
            let line = self.line_of(&cells);
            match read {
                Ok(true) => Some(Ok(Row { line, cells })),
                Ok(false) => None,
                Err(error) => Some(Err(readable(error, line))),
            }
        })
    }

    /// Returns the number of the first line of the row that was read last. The reader's position of a row is that of the
    /// blank lines above it.
    fn line_of(&self, cells: &StringRecord) -> u64 {
        let begin = cells.position().map_or(0, Position::line);
        let next = self.reader.position().line();
        begin.max(next.saturating_sub(1 + line_feeds(cells))) + self.lag
    }
}

fn line_feeds(cells: &StringRecord) -> u64 {
    cells.as_slice().bytes().filter(|byte| *byte == b'\n').count() as u64
}

/// Names the line of an error.
fn readable(error: csv::Error, line: u64) -> io::Error {
    match error.into_kind() {
        ErrorKind::Io(error) => error,
        ErrorKind::UnequalLengths { expected_len, len, .. } => io::Error::other(format!(
            "line {line} has another number of columns than the header: {len} instead of {expected_len}"
        )),
        ErrorKind::Utf8 { err, .. } => {
            io::Error::other(format!("line {line} is not UTF-8 in column {}", err.field() + 1))
        }
        _ => io::Error::other(format!("line {line} is not CSV")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> io::Result<Vec<(u64, Vec<String>)>> {
        let (_, rows) = open(text)?;
        let cells = |row: Row| row.cells.iter().map(str::to_owned).collect();
        rows.iter().map(|row| row.map(|row| (row.line, cells(row)))).collect()
    }

    #[test]
    fn rows_have_the_numbers_of_their_lines() {
        let row = |line, a: &str, b: &str| (line, vec![a.to_owned(), b.to_owned()]);
        for end in ["\n", "\r\n"] {
            let lines = [
                "\u{feff} a ,b",
                "1,\"two\nlines, with \"\"quotes\"\"\"",
                ",3",
                "",
                "",
                "4,",
                "5,",
            ];
            let text = lines.join(end);
            assert_eq!(open(text.as_bytes()).unwrap().0, vec!["a", "b"]);
            let rows = [
                row(2, "1", "two\nlines, with \"quotes\""),
                row(4, "", "3"),
                row(7, "4", ""),
                row(8, "5", ""),
            ];
            assert_eq!(read(text.as_bytes()).unwrap(), rows);
        }
    }

    #[test]
    fn problem_has_its_line() {
        for (text, problem) in [
            (&b""[..], "it has no header, which names the columns"),
            (
                b"a,b\n1,2\n3\n",
                "line 3 has another number of columns than the header: 1 instead of 2",
            ),
            (b"a,b\n\n3\n", "line 3 has another number of columns than the header: 1 instead of 2"),
            (b"a,b\n1,\xff\n", "line 2 is not UTF-8 in column 2"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), problem);
        }
    }
}
