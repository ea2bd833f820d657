//! Status lines at the bottom of a terminal. All other output scrolls above them.
//!
//! The program may write to its terminal at any time, without this module's knowledge. So the status lines are not
//! drawn at the cursor: the scrolling region of the terminal is set to the rows above them (DECSTBM), they are drawn at
//! fixed rows, and the cursor is restored.

use std::fmt::Write as _;
use std::io::Write;

/// Rows and columns of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// The lines that are drawn, and the size of the terminal at that time.
#[derive(Debug)]
struct DrawnLines {
    size: Size,
    lines: Vec<String>,
}

/// A terminal, and the lines at its bottom.
#[derive(Debug)]
pub(crate) struct Screen<W> {
    out: W,
    drawn: Option<DrawnLines>,
    is_closed: bool,
}

/// Moves the cursor down by a row, keeps its column, and scrolls at the bottom. A line feed would move to the first
/// column.
const DOWN: &str = "\x0b";
/// Saves the cursor's position and attributes, and resets the attributes.
const SAVE: &str = "\x1b7\x1b[0m";
const RESTORE: &str = "\x1b8";
const SCROLL_ALL: &str = "\x1b[r";
const ERASE_BELOW: &str = "\x1b[J";
const ERASE_LINE: &str = "\x1b[2K";

impl<W: Write> Screen<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, drawn: None, is_closed: false }
    }

    /// Draws `lines`, each of which must fit, on a terminal of this `size`. At most half of the rows are used.
    pub(crate) fn show(&mut self, mut lines: Vec<String>, size: Size) {
        lines.truncate(size.rows / 2);
        if self.is_closed || lines.is_empty() {
            return self.clear();
        }
        let mut text = String::new();
        let previous_count = match &self.drawn {
            Some(drawn) if drawn.size != size => {
                // The terminal has moved the lines and reset the scrolling region.
                text.push_str(&erase_sequence());
                0
            }
            Some(drawn) if drawn.lines == lines => return,
            Some(drawn) => drawn.lines.len(),
            None => 0,
        };
        text.push_str(&draw_sequence(&lines, previous_count, size));
        self.write(&text);
        self.drawn = Some(DrawnLines { size, lines });
    }

    /// Returns whether lines are drawn.
    pub(crate) fn is_showing(&self) -> bool {
        self.drawn.is_some()
    }

    /// Erases the lines.
    pub(crate) fn clear(&mut self) {
        if self.drawn.take().is_some() {
            self.write(&erase_sequence());
        }
    }

    /// Erases the lines permanently.
    pub(crate) fn close(&mut self) {
        self.clear();
        self.is_closed = true;
    }

    /// Writes `text` above the lines.
    pub(crate) fn write(&mut self, text: &str) {
        // A closed standard error must not stop the program.
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

/// Returns the sequence that erases everything below the cursor, which is above the lines.
fn erase_sequence() -> String {
    format!("{SAVE}{SCROLL_ALL}{RESTORE}{ERASE_BELOW}")
}

/// Returns the sequence that draws `lines` in place of `previous_count` lines.
fn draw_sequence(lines: &[String], previous_count: usize, size: Size) -> String {
    let (count, rows) = (lines.len(), size.rows);
    let mut text = String::new();
    if let Some(more @ 1..) = count.checked_sub(previous_count) {
        // Scroll to free the rows, if the cursor is near the bottom.
        text.push_str(&DOWN.repeat(more));
        text.push_str(&format!("\x1b[{more}A"));
    }
    text.push_str(SAVE);
    if count != previous_count {
        text.push_str(&format!("\x1b[1;{}r", rows - count));
    }
    let all = count.max(previous_count);
    let lines = std::iter::repeat_n("", all - count).chain(lines.iter().map(String::as_str));
    for (row, line) in (rows - all + 1..).zip(lines) {
        // Writing to a string cannot fail.
        let _ = write!(text, "\x1b[{row};1H{ERASE_LINE}{line}");
    }
    text + RESTORE
}

#[cfg(test)]
mod tests {
    use super::super::test_terminal::Terminal;
    use super::*;

    const SIZE: Size = Size { rows: 6, columns: 20 };

    impl Screen<Terminal> {
        fn of(size: Size) -> Self {
            Self::new(Terminal::new(size))
        }

        fn rows(&self) -> Vec<String> {
            self.out.rows()
        }
    }

    fn lines(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| text.to_string()).collect()
    }

    #[test]
    fn program_output_is_kept_and_progress_lines_are_erased() {
        for before in 0..8 {
            for (one, other) in [(1, 3), (3, 1), (2, 2)] {
                let mut screen = Screen::of(SIZE);
                let bars = |count: usize| lines(&["bar one", "bar two", "bar three"][..count]);
                let mut expected = Vec::new();
                let mut print = |screen: &mut Screen<Terminal>, count: usize| {
                    for _ in 0..count {
                        let line = format!("line {}", expected.len());
                        screen.write(&format!("{line}\n"));
                        expected.push(line);
                    }
                };
                print(&mut screen, before);
                screen.show(bars(one), SIZE);
                print(&mut screen, 1);
                screen.show(bars(other), SIZE);
                print(&mut screen, 9);
                screen.show(bars(one), SIZE);
                let rows = screen.rows();
                assert!(rows.ends_with(&bars(one)), "{rows:?}");
                print(&mut screen, 2);
                screen.clear();
                print(&mut screen, 1);
                let (rows, case) = (screen.rows(), format!("{before}, {one}, {other}"));
                // The first lines have scrolled out of the screen.
                assert!(rows.len() >= SIZE.rows - 3, "{case}: {rows:?}");
                assert!(expected.ends_with(&rows), "{case}: {rows:?}");
            }
        }
    }

    /// The cursor is restored, for example at the end of a prompt.
    #[test]
    fn unfinished_output_line_continues_after_drawing() {
        for before in [0, 5] {
            let mut screen = Screen::of(SIZE);
            screen.write(&"line\n".repeat(before));
            screen.write("your name: ");
            screen.show(lines(&["bar"]), SIZE);
            screen.write("ada");
            screen.clear();
            assert_eq!(screen.rows().last().unwrap(), "your name: ada");
            assert!(screen.rows().iter().rev().skip(1).all(|row| row == "line"));
        }
    }

    #[test]
    fn progress_lines_move_to_the_bottom_after_resize() {
        let mut screen = Screen::of(SIZE);
        screen.write("line\n");
        screen.show(lines(&["bar one", "bar two"]), SIZE);
        for (rows, columns) in [(10, 20), (10, 12), (5, 30)] {
            let size = Size { rows, columns };
            screen.out.resize(size);
            screen.show(lines(&["bar one", "bar two"]), size);
            let visible = screen.rows();
            assert!(visible.ends_with(&lines(&["bar one", "bar two"])), "{visible:?}");
            let bars = visible.iter().filter(|row| row.starts_with("bar")).count();
            assert_eq!((visible.len(), bars, visible[0].as_str()), (rows, 2, "line"));
        }
        screen.clear();
        assert_eq!(screen.rows(), ["line"]);
    }

    #[test]
    fn progress_lines_take_at_most_half_of_the_terminal() {
        let mut screen = Screen::of(SIZE);
        screen.show(vec!["bar".to_owned(); 10], SIZE);
        assert_eq!(screen.rows().iter().filter(|row| *row == "bar").count(), 3);
        let mut tiny = Screen::of(Size { rows: 1, columns: 20 });
        tiny.show(lines(&["bar"]), Size { rows: 1, columns: 20 });
        assert_eq!(tiny.rows(), [""; 0]);
    }

    #[test]
    fn closed_screen_draws_no_progress_lines() {
        let mut screen = Screen::of(SIZE);
        screen.show(lines(&["bar"]), SIZE);
        screen.close();
        screen.show(lines(&["bar"]), SIZE);
        screen.write("line");
        assert_eq!(screen.rows(), ["line"]);
    }
}
