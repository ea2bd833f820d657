//! Lines at the bottom of a terminal, which everything else that is written scrolls above.
//!
//! A program writes to its terminal whenever it likes, and nobody tells us. So the lines aren't drawn where the cursor
//! is: the terminal is told to scroll the rows above them alone (DECSTBM), they are drawn at their rows, and the cursor is
//! put back to where it was.

use std::fmt::Write as _;
use std::io::Write;

/// Rows and columns of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// What stands at the bottom.
#[derive(Debug)]
struct Shown {
    size: Size,
    lines: Vec<String>,
}

/// A terminal, and the lines at its bottom.
#[derive(Debug)]
pub(crate) struct Screen<W> {
    out: W,
    shown: Option<Shown>,
    is_closed: bool,
}

/// Puts the cursor down so that it scrolls at the bottom, and keeps its column. A line feed would go to the first
/// column.
const DOWN: &str = "\x0b";
/// Keeps where the cursor is and how it writes, and writes plainly.
const SAVE: &str = "\x1b7\x1b[0m";
const RESTORE: &str = "\x1b8";
const SCROLL_ALL: &str = "\x1b[r";
const ERASE_BELOW: &str = "\x1b[J";
const ERASE_LINE: &str = "\x1b[2K";

impl<W: Write> Screen<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, shown: None, is_closed: false }
    }

    /// Shows `lines`, each of which fits, on a terminal that has this `size` now. They get half of it at the most.
    pub(crate) fn show(&mut self, mut lines: Vec<String>, size: Size) {
        lines.truncate(size.rows / 2);
        if self.is_closed || lines.is_empty() {
            return self.clear();
        }
        let mut text = String::new();
        let before = match &self.shown {
            Some(shown) if shown.size != size => {
                // The terminal has moved them, and scrolls all of its rows again.
                text.push_str(&erased());
                0
            }
            Some(shown) if shown.lines == lines => return,
            Some(shown) => shown.lines.len(),
            None => 0,
        };
        text.push_str(&drawn(&lines, before, size));
        self.write(&text);
        self.shown = Some(Shown { size, lines });
    }

    /// Whether there are lines at the bottom.
    pub(crate) fn is_showing(&self) -> bool {
        self.shown.is_some()
    }

    /// Takes the lines away.
    pub(crate) fn clear(&mut self) {
        if self.shown.take().is_some() {
            self.write(&erased());
        }
    }

    /// Takes the lines away for good.
    pub(crate) fn close(&mut self) {
        self.clear();
        self.is_closed = true;
    }

    /// Writes `text` above the lines.
    pub(crate) fn write(&mut self, text: &str) {
        // What nobody can read is no reason to stop.
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

/// What takes away all below the cursor, which is above the lines.
fn erased() -> String {
    format!("{SAVE}{SCROLL_ALL}{RESTORE}{ERASE_BELOW}")
}

/// What draws `lines` where so many lines were `before`.
fn drawn(lines: &[String], before: usize, size: Size) -> String {
    let (count, rows) = (lines.len(), size.rows);
    let mut text = String::new();
    if let Some(more @ 1..) = count.checked_sub(before) {
        // Room for more, where the cursor is near the bottom.
        text.push_str(&DOWN.repeat(more));
        text.push_str(&format!("\x1b[{more}A"));
    }
    text.push_str(SAVE);
    if count != before {
        text.push_str(&format!("\x1b[1;{}r", rows - count));
    }
    let all = count.max(before);
    let lines = std::iter::repeat_n("", all - count).chain(lines.iter().map(String::as_str));
    for (row, line) in (rows - all + 1..).zip(lines) {
        // Writing to a string is no error.
        let _ = write!(text, "\x1b[{row};1H{ERASE_LINE}{line}");
    }
    text + RESTORE
}

#[cfg(test)]
mod tests {
    use super::super::terminal_of_tests::Terminal;
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

    /// What a program prints between two looks at what goes on stays as it was printed, and nothing else does.
    #[test]
    fn what_a_program_prints_stays_and_the_lines_go() {
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
                let (rows, told) = (screen.rows(), format!("{before}, {one}, {other}"));
                // What was above has been scrolled away.
                assert!(rows.len() >= SIZE.rows - 3, "{told}: {rows:?}");
                assert!(expected.ends_with(&rows), "{told}: {rows:?}");
            }
        }
    }

    /// The cursor stays where a question ends.
    #[test]
    fn a_line_that_is_begun_goes_on() {
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
    fn the_lines_are_at_the_bottom_of_a_terminal_of_another_size_too() {
        let mut screen = Screen::of(SIZE);
        screen.write("line\n");
        screen.show(lines(&["bar one", "bar two"]), SIZE);
        for (rows, columns) in [(10, 20), (10, 12), (5, 30)] {
            let size = Size { rows, columns };
            screen.out.resize(size);
            screen.show(lines(&["bar one", "bar two"]), size);
            let shown = screen.rows();
            assert!(shown.ends_with(&lines(&["bar one", "bar two"])), "{shown:?}");
            let bars = shown.iter().filter(|row| row.starts_with("bar")).count();
            assert_eq!((shown.len(), bars, shown[0].as_str()), (rows, 2, "line"));
        }
        screen.clear();
        assert_eq!(screen.rows(), ["line"]);
    }

    #[test]
    fn half_of_a_small_terminal_stays_for_the_program() {
        let mut screen = Screen::of(SIZE);
        screen.show(vec!["bar".to_owned(); 10], SIZE);
        assert_eq!(screen.rows().iter().filter(|row| *row == "bar").count(), 3);
        let mut tiny = Screen::of(Size { rows: 1, columns: 20 });
        tiny.show(lines(&["bar"]), Size { rows: 1, columns: 20 });
        assert_eq!(tiny.rows(), [""; 0]);
    }

    #[test]
    fn nothing_is_shown_once_it_is_closed() {
        let mut screen = Screen::of(SIZE);
        screen.show(lines(&["bar"]), SIZE);
        screen.close();
        screen.show(lines(&["bar"]), SIZE);
        screen.write("line");
        assert_eq!(screen.rows(), ["line"]);
    }
}
