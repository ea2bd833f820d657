//! Results as a table in a CSV file: an index and a value, or an index and the fields of a record.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use csv::{ByteRecord, ReaderBuilder, WriterBuilder};

use crate::json::{self, Json, Survey};

/// The name of the column of indexes.
const INDEX: &str = "index";

/// The name of the column of values that are no records.
const VALUE: &str = "value";

/// The columns of a table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// The columns after the index, once there is a header.
    columns: Option<Vec<String>>,
}

/// The results that a file has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) table: Table,
    /// The indexes of the results.
    pub(super) done: HashSet<u64>,
    /// The size of the file without an unfinished row at its end.
    pub(super) end: u64,
}

impl Table {
    /// Returns the row of a value, after the header if it is the first.
    ///
    /// # Errors
    ///
    /// If the value has no form in the table. The message is the end of a sentence about the value.
    pub(super) fn row(
        &mut self,
        index: u64,
        value: &[u8],
        survey: &Survey,
    ) -> Result<Vec<u8>, String> {
        let mut text = Vec::new();
        // Writing to a Vec never fails.
        let _ = json::write(value, survey, &mut text);
        let value = std::str::from_utf8(&text).ok().and_then(|text| json::read(text).ok());
        let cells = cells(value.ok_or("has no form in JSON")?)?;
        let mut writer = WriterBuilder::new().from_writer(Vec::new());
        let columns = match &self.columns {
            Some(columns) => columns,
            None => {
                let columns = cells.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
                let names = std::iter::once(INDEX).chain(columns.iter().map(String::as_str));
                writer.write_record(names).map_err(|error| error.to_string())?;
                self.columns.insert(columns)
            }
        };
        if let Some((other, _)) = cells.iter().find(|(name, _)| !columns.contains(name)) {
            return Err(format!("has the field `{other}`, and the table has no such column"));
        }
        let cell = |column: &String| {
            let cell = cells.iter().find(|(name, _)| name == column);
            cell.map_or("", |(_, cell)| cell.as_str())
        };
        let index = index.to_string();
        let row = std::iter::once(index.as_str()).chain(columns.iter().map(cell));
        writer.write_record(row).map_err(|error| error.to_string())?;
        writer.into_inner().map_err(|error| error.to_string())
    }
}

/// Returns the cells of a value with the names of their columns.
fn cells(value: Json) -> Result<Vec<(String, String)>, String> {
    match value {
        Json::Object(fields) => {
            let cell = |(name, value)| match scalar(&value) {
                Some(cell) => Ok((name, cell)),
                None => Err(format!("has a list or a record in the field `{name}`")),
            };
            fields.into_iter().map(cell).collect()
        }
        value => match scalar(&value) {
            Some(cell) => Ok(vec![(VALUE.to_owned(), cell)]),
            None => Err("is a list".to_owned()),
        },
    }
}

fn scalar(value: &Json) -> Option<String> {
    match value {
        Json::Null => Some(String::new()),
        Json::Text(text) => Some(text.clone()),
        Json::List(_) | Json::Object(_) => None,
        Json::Unsigned(number) => Some(number.to_string()),
        Json::Negative(number) => Some(number.to_string()),
        Json::Bool(_) | Json::Float(_) => serde_json::to_string(value).ok(),
    }
}

/// Reads the results in `file`. Returns `None` if it contains something else.
pub(super) fn read(mut file: &File) -> io::Result<Option<Found>> {
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).from_reader(BufReader::new(file));
    let mut found = Found { table: Table::default(), done: HashSet::new(), end: 0 };
    // The last row, and the position of its first byte.
    let (mut last, mut row, mut begin) = (None, ByteRecord::new(), 0);
    while reader.read_byte_record(&mut row)? {
        if let Some((_, row)) = last.replace((begin, std::mem::take(&mut row)))
            && !found.add(&row)
        {
            return Ok(None);
        }
        begin = reader.position().byte();
    }
    let Some((begin, row)) = last else {
        return Ok(Some(found));
    };
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(begin))?;
    file.read_to_end(&mut text)?;
    // Inside quotes, which come in pairs, a row may contain the ends of lines.
    let is_whole =
        text.ends_with(b"\n") && text.iter().filter(|byte| **byte == b'"').count() % 2 == 0;
    found.end = if is_whole { begin + text.len() as u64 } else { begin };
    let is_result = if is_whole { found.add(&row) } else { found.may_begin(&text) };
    Ok(is_result.then_some(found))
}

impl Found {
    /// Adds the header or a row. Returns whether it is one.
    fn add(&mut self, row: &ByteRecord) -> bool {
        let mut cells = row.iter().map(|cell| std::str::from_utf8(cell).ok());
        let Some(first) = cells.next().flatten() else {
            return false;
        };
        match &self.table.columns {
            None => {
                self.table.columns = cells.map(|cell| cell.map(str::to_owned)).collect();
                first == INDEX && self.table.columns.is_some()
            }
            Some(columns) => {
                let index = first.parse();
                self.done.extend(index.as_ref().ok());
                index.is_ok() && cells.count() == columns.len()
            }
        }
    }

    /// Returns whether the next row can begin with `text`.
    fn may_begin(&self, text: &[u8]) -> bool {
        let first = text.split(|byte| *byte == b',').next().unwrap_or_default();
        match self.table.columns {
            None if first.len() == text.len() => INDEX.as_bytes().starts_with(first),
            None => first == INDEX.as_bytes(),
            Some(_) => first.iter().all(u8::is_ascii_digit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the rows of `values`, which are MessagePack.
    fn rows(table: &mut Table, values: &[(u64, &[u8])]) -> Result<String, String> {
        let mut text = Vec::new();
        for (index, value) in values {
            text.extend(table.row(*index, value, &json::survey(value)?)?);
        }
        Ok(String::from_utf8(text).unwrap())
    }

    #[test]
    fn scalars_and_records_have_rows() {
        let scalars: [(u64, &[u8]); 4] =
            [(7, b"\xa3a,b"), (0, b"\xc0"), (1, b"\xcb\x3f\xe0\0\0\0\0\0\0"), (2, b"\xa3x\"\n")];
        let text = "index,value\n7,\"a,b\"\n0,\n1,0.5\n2,\"x\"\"\n\"\n";
        assert_eq!(rows(&mut Table::default(), &scalars).unwrap(), text);
        // The second record has no field b.
        let records: [(u64, &[u8]); 2] = [(0, b"\x82\xa1a\x01\xa1b\xc3"), (1, b"\x81\xa1a\xff")];
        let text = "index,a,b\n0,1,true\n1,-1,\n";
        assert_eq!(rows(&mut Table::default(), &records).unwrap(), text);
    }

    #[test]
    fn value_without_row_is_an_error() {
        let mut table = Table::default();
        let error = |table: &mut Table, value: &[u8]| rows(table, &[(0, value)]).unwrap_err();
        assert_eq!(error(&mut table, b"\x91\x01"), "is a list");
        assert_eq!(error(&mut table, b"\x81\xa1a\x90"), "has a list or a record in the field `a`");
        rows(&mut table, &[(0, b"\x81\xa1a\x01")]).unwrap();
        let other = "has the field `b`, and the table has no such column";
        assert_eq!(error(&mut table, b"\x81\xa1b\x01"), other);
    }

    fn read_text(text: &str) -> Option<Found> {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        file.rewind().unwrap();
        read(&file).unwrap()
    }

    #[test]
    fn results_are_read_up_to_a_torn_row() {
        let text = "index,a,b\n7,\"x\n\",\n2,y,\"two\n\"\"lines\"\n";
        let wholes = [0, "index,a,b\n".len(), "index,a,b\n7,\"x\n\",\n".len(), text.len()];
        for size in 0..=text.len() {
            let end = *wholes.iter().rfind(|whole| **whole <= size).unwrap();
            let found = read_text(&text[..size]).unwrap();
            let done: &[u64] =
                [&[][..], &[], &[7], &[7, 2]][wholes.iter().position(|w| *w == end).unwrap()];
            assert_eq!((found.end, found.done), (end as u64, done.iter().copied().collect()));
            let columns = (end > 0).then(|| vec!["a".to_owned(), "b".to_owned()]);
            assert_eq!(found.table, Table { columns });
        }
    }

    #[test]
    fn other_text_is_rejected() {
        for text in
            ["dear all\n", "dear all", "name,x\n", "index,a\nx,1\n", "index,a\n1\n", "index,a\nx"]
        {
            assert_eq!(read_text(text), None, "{text}");
        }
    }
}
