//! Splits output into lines of a bounded size.

/// The last line of a stream, which has no line feed yet.
#[derive(Debug, Default)]
pub(crate) struct UnfinishedLine(Vec<u8>);

impl UnfinishedLine {
    /// Appends `bytes`, and calls `add` with each line that is now whole, without its line feed. A line of more than
    /// `maximum` bytes is split.
    pub(crate) fn write(&mut self, bytes: &[u8], maximum: usize, mut add: impl FnMut(&[u8])) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let whole = piece.strip_suffix(b"\n");
            self.0.extend_from_slice(whole.unwrap_or(piece));
            let mut rest = &self.0[..];
            while rest.len() > maximum {
                let (line, next) = rest.split_at(split_position(rest, maximum));
                add(line);
                rest = next;
            }
            if whole.is_some() {
                add(rest);
                self.0.clear();
            } else {
                let split = self.0.len() - rest.len();
                self.0.drain(..split);
            }
        }
    }

    /// Calls `add` with the line, unless it is empty, and clears it.
    pub(crate) fn end(&mut self, add: impl FnOnce(&[u8])) {
        if !self.0.is_empty() {
            add(&std::mem::take(&mut self.0));
        }
    }
}

/// Returns the position at which a too long line is split: between two characters, if it is UTF-8.
fn split_position(line: &[u8], maximum: usize) -> usize {
    let is_inside = |index: &usize| line.get(*index).is_some_and(|byte| byte & 0xc0 == 0x80);
    (maximum.saturating_sub(3)..=maximum).rev().find(|index| !is_inside(index)).unwrap_or(maximum)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `pieces` with the maximum 4, and returns the lines.
    fn lines(pieces: &[&str]) -> Vec<String> {
        let (mut unfinished, mut lines) = (UnfinishedLine::default(), Vec::new());
        let mut add = |line: &[u8]| lines.push(String::from_utf8(line.to_vec()).unwrap());
        for piece in pieces {
            unfinished.write(piece.as_bytes(), 4, &mut add);
            assert!(unfinished.0.len() <= 4);
        }
        unfinished.end(add);
        lines
    }

    #[test]
    fn lines_are_split_at_line_feeds_and_the_maximum() {
        assert_eq!(lines(&["one\ntw", "o\n\n", "end"]), ["one", "two", "", "end"]);
        assert_eq!(
            lines(&["12345678\n", "1234", "5\n1234\n"]),
            ["1234", "5678", "1234", "5", "1234"]
        );
        assert_eq!(lines(&["123ä567", "8\n"]), ["123", "ä56", "78"]);
        assert!(lines(&["", ""]).is_empty());
    }
}
