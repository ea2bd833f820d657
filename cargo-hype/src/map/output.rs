//! The output of a map: a result a line, or a row of a table, in a file that may have some of them from an earlier run.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::Path;

use serde::Deserialize;

use super::outcome::Outcome;
use super::rows::is_table;
use super::table::{self, Table};
use crate::error::{Error, Result};
use crate::json;
use crate::print::{break_if_reader_left, json_output};

/// The results of a map.
pub(crate) struct Results {
    writer: Box<dyn Write>,
    /// The output's name in messages; `None` for standard output.
    name: Option<String>,
    /// The indexes of the results that the file had.
    done: HashSet<u64>,
    /// The table that the results are rows of; `None` if they are lines of JSON.
    table: Option<Table>,
}

/// The beginning of each result, which its index follows.
const HEAD: &str = "{\"index\":";

/// The beginnings of what follows the index.
const TAILS: [&str; 2] = [",\"value\":", ",\"error\":"];

/// The part of a result that names its item.
#[derive(Deserialize)]
struct Indexed {
    index: u64,
}

impl Results {
    /// Opens a file, or standard output for `-`. Removes an unfinished line from the end of the file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            let writer = Box::new(json_output());
            return Ok(Self { writer, name: None, done: HashSet::new(), table: None });
        }
        // A pipe or a device has no earlier results, and reading it might wait forever.
        let is_readable = path.metadata().map_or(true, |metadata| metadata.is_file());
        let file = OpenOptions::new().read(is_readable).append(true).create(true).open(path);
        let cannot_open = |error| {
            Error::input(format!("cannot open the output {}", path.display())).because(error)
        };
        let file = file.map_err(cannot_open)?;
        let (done, table) = match (is_readable, is_table(path)) {
            (true, true) => {
                let (done, table) = read_table(&file, path)?;
                (done, Some(table))
            }
            (true, false) => (read_done(&file, path)?, None),
            (false, is_table) => (HashSet::new(), is_table.then(Table::default)),
        };
        Ok(Self { writer: Box::new(file), name: Some(path.display().to_string()), done, table })
    }

    /// Rejects a file that has results.
    pub(super) fn check_new(&self) -> Result<()> {
        match (self.done.is_empty(), &self.name) {
            (false, Some(name)) => Err(Error::input(format!("{name} has results of another map"))
                .hint(
                    "name a new file, or go on with that map: cargo hype map .. --resume MAP, or without --staged",
                )),
            _ => Ok(()),
        }
    }

    /// Returns whether the results are written to standard output.
    pub(super) fn is_stdout(&self) -> bool {
        self.name.is_none()
    }

    /// Takes the indexes of the results that the file had.
    pub(super) fn take_done(&mut self) -> HashSet<u64> {
        std::mem::take(&mut self.done)
    }

    /// Writes an outcome that is a result. Breaks if the reader of the output has closed it.
    ///
    /// # Errors
    ///
    /// If the output can't be written, or is a table and the value has no row in it.
    pub(super) fn write(&mut self, index: u64, outcome: &Outcome) -> Result<ControlFlow<()>> {
        let result = match (&mut self.table, outcome) {
            (Some(table), Outcome::Value { value, survey }) => {
                let row = table.row(index, &value.0, survey);
                Ok(row.map_err(|problem| {
                    Error::input(format!("the value of item {index} {problem}"))
                        .hint("write lines of JSON instead of CSV: --output results.jsonl")
                })?)
            }
            (None, Outcome::Value { value, survey }) => {
                line(index, "value", |line| json::write(&value.0, survey, line))
            }
            (None, Outcome::Failure { error, is_result: true }) => {
                let (kind, message) = (super::tally::kind(error), error.to_string());
                let error = serde_json::json!({ "kind": kind, "message": message }).to_string();
                line(index, "error", |line| write!(line, "{}", json::escaped(&error)))
            }
            // A table has no failures.
            (_, Outcome::Failure { .. }) => return Ok(ControlFlow::Continue(())),
        };
        let written = result.and_then(|result| self.writer.write_all(&result));
        break_if_reader_left(self.name.as_deref().unwrap_or("standard output"), written)
    }
}

/// Returns a result as a line of JSON.
fn line(
    index: u64,
    name: &str,
    write_content: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
) -> io::Result<Vec<u8>> {
    let mut line = format!("{HEAD}{index},\"{name}\":").into_bytes();
    write_content(&mut line)?;
    line.extend(b"}\n");
    Ok(line)
}

/// Returns the indexes of the results in `file`, and its columns. Removes an unfinished row from its end.
fn read_table(file: &File, path: &Path) -> Result<(HashSet<u64>, Table)> {
    let cannot_read =
        |error| Error::input(format!("cannot read the output {}", path.display())).because(error);
    let found = table::read(file).map_err(cannot_read)?.ok_or_else(|| no_results(path))?;
    file.set_len(found.end).map_err(cannot_read)?;
    Ok((found.done, found.table))
}

/// Returns the indexes of the results in `file`. Removes an unfinished line from its end.
fn read_done(file: &File, path: &Path) -> Result<HashSet<u64>> {
    let cannot_read =
        |error| Error::input(format!("cannot read the output {}", path.display())).because(error);
    let (mut reader, mut done, mut end) = (BufReader::new(file), HashSet::new(), 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        let size = reader.read_until(b'\n', &mut line).map_err(cannot_read)?;
        if !line.ends_with(b"\n") {
            break;
        }
        let indexed: Indexed =
            serde_json::from_slice(&line).map_err(|error| no_results(path).because(error))?;
        done.insert(indexed.index);
        end += size as u64;
    }
    match line.as_slice() {
        [] => Ok(done),
        torn if begins_result(torn) => file.set_len(end).map(|()| done).map_err(cannot_read),
        _ => Err(no_results(path)),
    }
}

/// Returns whether a result can begin with `line`.
fn begins_result(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(HEAD.as_bytes()) else {
        return HEAD.as_bytes().starts_with(line);
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (index, rest) = rest.split_at(digits);
    let follows_index =
        |tail: &&str| tail.as_bytes().starts_with(rest) || rest.starts_with(tail.as_bytes());
    rest.is_empty() || !index.is_empty() && TAILS.iter().any(follows_index)
}

fn no_results(path: &Path) -> Error {
    Error::input(format!("{} contains something else than results", path.display()))
        .hint("name a new file, or one that an earlier run has written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torn_result_is_removed_and_computed_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("results.jsonl");
        let result = "{\"index\":7,\"value\":\"ü\"}".as_bytes();
        let failure = b"{\"index\":12,\"error\":{";
        for whole in ["", "{\"index\":0,\"value\":1}\n{\"index\":5,\"error\":{}}\n"] {
            let indexes = if whole.is_empty() { HashSet::new() } else { HashSet::from([0, 5]) };
            for torn in (0..=result.len()).map(|size| &result[..size]).chain([&failure[..]]) {
                std::fs::write(&path, [whole.as_bytes(), torn].concat()).unwrap();
                assert_eq!(Results::open(&path).unwrap().take_done(), indexes);
                assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
            }
        }
    }

    #[test]
    fn file_without_results_is_rejected_unchanged() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("letter.txt");
        for text in [
            "dear all\n",
            "dear all",
            "{\"index\":0}\ndear all\n",
            "{\"name\":1}",
            "{\"index\":{\"_id\":1}}",
            "{\"index\":,\"value\":1}",
            "{\"index\":0,\"title\":\"a\"}",
            "{\"index\":0,\"value\":1}\n{\"name\":1}",
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Results::open(&path).err().unwrap();
            assert!(error.to_string().contains("something else than results"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
