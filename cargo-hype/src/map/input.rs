//! The input of a map: lines of a file, or the rows of a table.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use csv::StringRecord;
use futures::channel::mpsc;
use futures::executor::block_on;
use futures::{SinkExt, StreamExt, stream::BoxStream};

use super::rows::{self, Row, is_table};
use crate::error::{Error, Result};

/// The number of entries that are read ahead.
const READ_AHEAD: usize = 64;

/// The arguments of a call.
pub(super) enum Entry {
    /// A line of text.
    Line(String),
    /// A row of a table.
    Row(Row),
}

/// The entries of a file.
pub(super) struct Input {
    /// The header of a table.
    pub(super) header: Option<StringRecord>,
    /// The number of entries; `None` if the input can be read only once, such as a pipe.
    pub(super) count: Option<u64>,
    /// The entries with their indexes: the numbers of lines, or of rows below the header, counted from 0.
    pub(super) entries: BoxStream<'static, (u64, Entry)>,
    /// The error that ended the entries.
    pub(super) failure: InputFailure,
}

/// The error that has ended the entries of an input, if one has.
#[derive(Clone, Default)]
pub(super) struct InputFailure(Arc<OnceLock<io::Error>>);

impl InputFailure {
    /// Returns the error that has ended the entries.
    pub(super) fn check(&self) -> Result<()> {
        match self.0.get() {
            Some(error) => {
                Err(Error::input("cannot read all of the input").because(error.to_string()))
            }
            None => Ok(()),
        }
    }
}

impl Input {
    /// Opens a file, or standard input for `-`.
    ///
    /// # Errors
    ///
    /// If the file can't be read, or is a table with an error.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::of_lines(None, io::stdin()));
        }
        let open = || {
            let mut file = File::open(path)?;
            let is_repeatable = file.metadata()?.is_file();
            let count = is_repeatable.then(|| count(&file, path)).transpose()?;
            if is_repeatable {
                file.rewind()?;
            }
            match is_table(path) {
                true => Self::of_table(count, file),
                false => Ok(Self::of_lines(count, file)),
            }
        };
        open().map_err(|error| {
            Error::input(format!("cannot read the input {}", path.display())).because(error)
        })
    }

    fn of_lines(count: Option<u64>, file: impl Read + Send + 'static) -> Self {
        let lines = (0..).zip(BufReader::new(file).lines());
        let is_blank =
            |line: &io::Result<String>| matches!(line, Ok(line) if line.trim().is_empty());
        let lines = lines.filter(move |(_, line)| !is_blank(line));
        Self::read(None, count, lines.map(|(index, line)| Ok((index, Entry::Line(line?)))))
    }

    fn of_table(count: Option<u64>, file: impl Read + Send + 'static) -> io::Result<Self> {
        let (header, rows) = rows::open(file)?;
        let rows = (0..).zip(rows.iter());
        Ok(Self::read(Some(header), count, rows.map(|(index, row)| Ok((index, Entry::Row(row?))))))
    }

    /// Reads entries in another thread, since reading may block.
    fn read(
        header: Option<StringRecord>,
        count: Option<u64>,
        entries: impl Iterator<Item = io::Result<(u64, Entry)>> + Send + 'static,
    ) -> Self {
        let (mut sender, receiver) = mpsc::channel(READ_AHEAD);
        let failure = InputFailure::default();
        let reader_failure = failure.clone();
        std::thread::spawn(move || {
            for entry in entries {
                let sent = match entry {
                    Ok(entry) => block_on(sender.send(entry)),
                    Err(error) => {
                        // This thread sets it once.
                        let _ = reader_failure.0.set(error);
                        return;
                    }
                };
                if sent.is_err() {
                    return;
                }
            }
        });
        Self { header, count, entries: receiver.boxed(), failure }
    }
}

/// Counts the entries of a file.
fn count(file: &File, path: &Path) -> io::Result<u64> {
    let mut count = 0;
    if is_table(path) {
        let (_, rows) = rows::open(file)?;
        for row in rows.iter() {
            row?;
            count += 1;
        }
    } else {
        for line in BufReader::new(file).lines() {
            count += u64::from(!line?.trim().is_empty());
        }
    }
    Ok(count)
}
