//! Both outputs of a guest as lines of one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use hype_wire::ERROR_MARK;

use crate::output::Stream;

/// How long a line may be, in bytes; a longer one is broken into several.
const LONGEST: usize = 64 << 10;

/// What was written of lines that have no end yet, one on each stream. Those of the standard error begin
/// with [`ERROR_MARK`] once they are whole.
#[derive(Debug, Default)]
pub struct MarkedLines {
    begun: [Mutex<Vec<u8>>; 2],
    has_written: AtomicBool,
}

impl MarkedLines {
    /// Takes what was written to `stream`, and gives the lines that are whole by that.
    pub fn add(&self, stream: Stream, bytes: &[u8]) -> Vec<u8> {
        let mut begun = self.begun[stream as usize].lock().unwrap_or_else(PoisonError::into_inner);
        self.has_written.fetch_or(!bytes.is_empty(), Ordering::Relaxed);
        let mut whole = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            for piece in piece.chunks(LONGEST) {
                begun.extend_from_slice(piece);
                if begun.ends_with(b"\n") || begun.len() >= LONGEST {
                    whole.extend(line(stream, &std::mem::take(&mut *begun)));
                }
            }
        }
        whole
    }

    /// Whether nothing was written.
    pub fn is_silent(&self) -> bool {
        !self.has_written.load(Ordering::Relaxed)
    }

    /// The lines that were begun.
    pub fn end(&self) -> Vec<u8> {
        let end = |stream| {
            let begun = &self.begun[stream as usize];
            let begun = std::mem::take(&mut *begun.lock().unwrap_or_else(PoisonError::into_inner));
            if begun.is_empty() { begun } else { line(stream, &begun) }
        };
        [end(Stream::Stdout), end(Stream::Stderr)].concat()
    }
}

fn line(stream: Stream, begun: &[u8]) -> Vec<u8> {
    let mark = match stream {
        Stream::Stdout => "",
        Stream::Stderr => ERROR_MARK,
    };
    let text = begun.strip_suffix(b"\n").unwrap_or(begun);
    [mark.as_bytes(), text, b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_and_those_of_the_standard_error_marked() {
        let lines = MarkedLines::default();
        let add =
            |stream, text: &str| String::from_utf8(lines.add(stream, text.as_bytes())).unwrap();
        assert_eq!((add(Stream::Stdout, ""), lines.is_silent()), (String::new(), true));
        assert_eq!(add(Stream::Stdout, "one\ntw"), "one\n");
        assert!(!lines.is_silent());
        assert_eq!(add(Stream::Stderr, "\nerr"), "\u{2063}\n");
        assert_eq!(add(Stream::Stdout, "o\n"), "two\n");
        assert_eq!(add(Stream::Stdout, "rest"), "");
        assert_eq!(lines.end(), "rest\n\u{2063}err\n".as_bytes());
        assert_eq!(lines.end(), b"");
    }

    #[test]
    fn a_line_without_end_needs_no_more_memory() {
        let lines = MarkedLines::default();
        let written = lines.add(Stream::Stderr, &vec![b'a'; 3 * LONGEST + 1]);
        assert_eq!(written.len(), 3 * (ERROR_MARK.len() + LONGEST + 1));
        assert_eq!(lines.end().len(), ERROR_MARK.len() + 2);
    }
}
