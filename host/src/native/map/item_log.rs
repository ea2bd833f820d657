//! The output of one item, as lines with its index in the log of its map.

use std::sync::{Mutex, PoisonError};

use crate::map::node::Node;
use crate::run::log::{Log, LogStream, MAX_LINE};
use crate::run::unfinished_line::UnfinishedLine;

/// The output of one item.
#[derive(Debug)]
pub(crate) struct ItemLog {
    log: Log,
    /// The beginning of each line: the item's index.
    prefix: String,
    /// The unfinished line of each stream.
    unfinished: [Mutex<UnfinishedLine>; 2],
}

impl ItemLog {
    pub(crate) fn new(log: Log, item: Node) -> Self {
        Self { log, prefix: format!("[{item}] "), unfinished: Default::default() }
    }

    /// Returns the output of a process that runs no item. Its lines have no index.
    #[cfg(feature = "docker")]
    pub(crate) fn of_no_item(log: Log) -> Self {
        Self { log, prefix: String::new(), unfinished: Default::default() }
    }

    /// Appends bytes that the item wrote, and passes on whole lines. A line is split where the log would split it.
    pub(crate) fn write(&self, stream: LogStream, bytes: &[u8]) {
        let unfinished = self.unfinished[stream as usize].lock();
        let mut unfinished = unfinished.unwrap_or_else(PoisonError::into_inner);
        let maximum = MAX_LINE - self.prefix.len();
        unfinished.write(bytes, maximum, |line| self.pass_on(stream, line));
    }

    /// Passes on a line with the index before it.
    fn pass_on(&self, stream: LogStream, line: &[u8]) {
        self.log.write(stream, &[self.prefix.as_bytes(), line, b"\n"].concat());
    }
}

/// Passes on unfinished lines.
impl Drop for ItemLog {
    fn drop(&mut self) {
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            let unfinished = self.unfinished[stream as usize].lock();
            unfinished
                .unwrap_or_else(PoisonError::into_inner)
                .end(|line| self.pass_on(stream, line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(log: &Log, index: u64) -> ItemLog {
        ItemLog::new(log.clone(), Node::of_number(index))
    }

    #[test]
    fn lines_of_concurrent_items_are_not_mixed() {
        let log = Log::silent();
        let (one, other) = (item(&log, 1), item(&log, 20));
        one.write(LogStream::Stdout, b"a\nb");
        other.write(LogStream::Stdout, b"c");
        one.write(LogStream::Stderr, b"error\n");
        one.write(LogStream::Stdout, b"b\n");
        other.write(LogStream::Stdout, b"\n");
        other.write(LogStream::Stdout, b"unfinished");
        drop((one, other));
        assert_eq!(log.last(9), ["[1] a", "[1] error", "[1] bb", "[20] c", "[20] unfinished"]);
    }

    #[test]
    fn lines_of_merge_have_its_items() {
        let log = Log::silent();
        let merge = Node { level: 2, position: 1 };
        item(&log, merge.number()).write(LogStream::Stdout, b"merged\n");
        assert_eq!(log.last(9), ["[4..8] merged"]);
    }

    #[test]
    fn each_part_of_a_long_line_has_the_index() {
        let log = Log::silent();
        let item = item(&log, 1);
        for _ in 0..3 {
            item.write(LogStream::Stdout, &[b'a'; MAX_LINE]);
        }
        item.write(LogStream::Stdout, b"\n");
        let lines = log.last(9);
        assert!(lines.iter().all(|line| line.starts_with("[1] ")), "{:?}", lines.last());
        assert_eq!(lines.concat().matches('a').count(), 3 * MAX_LINE);
        assert_eq!(lines.len(), 4);
    }
}
