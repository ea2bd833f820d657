//! Merges the standard output and standard error of a guest into lines of one stream.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use hype_wire::ERROR_MARK;

use crate::output::Stream;

/// The maximum length of a line, in bytes. A longer line is split.
const MAX_LINE: usize = 64 << 10;

/// Merges the lines of two streams. Each line of the standard error begins with [`ERROR_MARK`].
///
/// # Examples
///
/// ```
/// use hype_run::{MarkedLines, Stream};
///
/// let lines = MarkedLines::default();
/// assert_eq!(lines.add(Stream::Stdout, b"one\ntw"), b"one\n");
/// assert_eq!(lines.add(Stream::Stderr, b"oops\n"), "\u{2063}oops\n".as_bytes());
/// assert_eq!(lines.end(), b"tw\n");
/// ```
#[derive(Debug, Default)]
pub struct MarkedLines {
    /// The incomplete last line of each stream.
    pending: [Mutex<Vec<u8>>; 2],
    has_written: AtomicBool,
}

impl MarkedLines {
    /// Adds `bytes` that were written to `stream`. Returns the lines that are now complete.
    pub fn add(&self, stream: Stream, bytes: &[u8]) -> Vec<u8> {
        let mut pending =
            self.pending[stream as usize].lock().unwrap_or_else(PoisonError::into_inner);
        self.has_written.fetch_or(!bytes.is_empty(), Ordering::Relaxed);
        let mut complete = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            for piece in piece.chunks(MAX_LINE) {
                pending.extend_from_slice(piece);
                if pending.ends_with(b"\n") || pending.len() >= MAX_LINE {
                    complete.extend(line(stream, &std::mem::take(&mut *pending)));
                }
            }
        }
        complete
    }

    /// Returns whether no bytes were added.
    pub fn is_silent(&self) -> bool {
        !self.has_written.load(Ordering::Relaxed)
    }

    /// Returns the incomplete last line of each stream, completed.
    pub fn end(&self) -> Vec<u8> {
        let end = |stream| {
            let pending = &self.pending[stream as usize];
            let pending =
                std::mem::take(&mut *pending.lock().unwrap_or_else(PoisonError::into_inner));
            if pending.is_empty() { pending } else { line(stream, &pending) }
        };
        [end(Stream::Stdout), end(Stream::Stderr)].concat()
    }
}

fn line(stream: Stream, pending: &[u8]) -> Vec<u8> {
    let mark = match stream {
        Stream::Stdout => "",
        Stream::Stderr => ERROR_MARK,
    };
    let text = pending.strip_suffix(b"\n").unwrap_or(pending);
    [mark.as_bytes(), text, b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_lines_of_standard_error_are_marked() {
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
    fn endless_line_is_split() {
        let lines = MarkedLines::default();
        let written = lines.add(Stream::Stderr, &vec![b'a'; 3 * MAX_LINE + 1]);
        assert_eq!(written.len(), 3 * (ERROR_MARK.len() + MAX_LINE + 1));
        assert_eq!(lines.end().len(), ERROR_MARK.len() + 2);
    }
}
