//! Text in columns.

/// Returns `text` with spaces in place of line breaks and tabs. Names in a stage must not look like further lines.
pub(crate) fn one_line(text: &str) -> String {
    text.replace(['\n', '\r', '\t'], " ")
}

/// The space between columns, and before cells and notes below a row.
const GAP: &str = "  ";

/// A table whose columns are as wide as their longest cell. Notes are lines below a row.
#[derive(Debug)]
pub(crate) struct Table<const COLUMNS: usize> {
    rows: Vec<Row<COLUMNS>>,
}

#[derive(Debug)]
struct Row<const COLUMNS: usize> {
    cells: [String; COLUMNS],
    note: Option<String>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// Creates a table with these headings.
    pub(crate) fn new(headings: [&str; COLUMNS]) -> Self {
        Self { rows: vec![Row { cells: headings.map(str::to_owned), note: None }] }
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, cells: [String; COLUMNS]) {
        self.rows.push(Row { cells: cells.map(|cell| one_line(&cell)), note: None });
    }

    /// Sets the line below the last row.
    pub(crate) fn note(&mut self, note: String) {
        if let Some(row) = self.rows.last_mut() {
            row.note = Some(one_line(&note));
        }
    }

    /// Returns the lines of the table. If the rows are wider than `max_width`, the last cell of each has its own line.
    pub(crate) fn lines(&self, max_width: Option<usize>) -> Vec<String> {
        let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
            let cells = self.rows.iter().map(|row| row.cells[column].chars().count());
            cells.max().unwrap_or_default()
        });
        let width = widths.iter().sum::<usize>() + GAP.len() * COLUMNS.saturating_sub(1);
        let is_folded = max_width.is_some_and(|max| width > max);
        let mut lines = Vec::new();
        for row in &self.rows {
            let cells = row.cells.iter().zip(widths);
            let mut padded: Vec<_> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
            let folded = if is_folded { padded.pop() } else { None };
            lines.push(padded.join(GAP).trim_end().to_owned());
            lines.extend(folded.map(|cell| format!("{GAP}{}", cell.trim_end())));
            lines.extend(row.note.clone());
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_break_in_a_cell_makes_no_row() {
        let mut table = Table::new(["ID"]);
        table.add(["a\nforged".to_owned()]);
        table.note("why\nforged".to_owned());
        let lines = table.lines(None);
        assert!(lines.len() == 3 && !lines.concat().contains('\n'), "{lines:?}");
    }

    #[test]
    fn columns_are_as_wide_as_their_longest_cell() {
        let mut table = Table::new(["A", "LONG"]);
        table.add(["first".into(), "b".into()]);
        table.note("  because".into());
        table.add(["ä".into(), String::new()]);
        let lines = ["A      LONG", "first  b", "  because", "ä"];
        assert_eq!(table.lines(None), lines);
        assert_eq!(table.lines(Some(11)), lines);
    }

    #[test]
    fn last_column_of_a_wide_table_is_below_the_others() {
        let mut table = Table::new(["A", "B", "WHERE"]);
        table.add(["a".into(), "b".into(), "somewhere".into()]);
        table.note("  because".into());
        let lines = ["A  B", "  WHERE", "a  b", "  somewhere", "  because"];
        assert_eq!(table.lines(Some(14)), lines);
    }
}
