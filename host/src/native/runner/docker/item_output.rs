//! The output of a container that runs items, by item.

use std::collections::VecDeque;

use hype_wire::items::{ItemChunk, ItemMessage};

use crate::map::item_log::ItemLog;
use crate::map::node::Node;
use crate::run::log::{Log, LogStream, MAX_LINE, sanitize};
use crate::run::unfinished_line::UnfinishedLine;

/// The number of lines of an item that are kept for the error of its container.
const LAST_LINES: usize = 5;

/// The output of a container while it runs one item or none. The item's own output arrives in messages, and `hype-run`
/// writes to the container's standard error.
#[derive(Debug)]
pub(super) struct ContainerOutput {
    log: Log,
    /// The items that the container has. The first one runs.
    items: VecDeque<Node>,
    /// The output of `hype-run` while the item runs. Its lines have the item's index, as those of the item itself.
    own: Option<ItemLog>,
    last: LastLines,
}

impl ContainerOutput {
    pub(super) fn new(log: Log) -> Self {
        Self { log, items: VecDeque::new(), own: None, last: LastLines::default() }
    }

    /// Records that the container gets items.
    pub(super) fn assign<A>(&mut self, chunk: &ItemChunk<A>) {
        if self.items.is_empty() {
            self.begin_next();
        }
        self.items.extend(chunk.items.iter().map(|item| Node::of_number(item.index)));
    }

    /// Appends what `hype-run` wrote to the standard error, and passes on whole lines.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        let Self { log, items, own, last } = self;
        let own = own.get_or_insert_with(|| match items.front() {
            Some(item) => ItemLog::new(log.clone(), *item),
            None => ItemLog::of_no_item(log.clone()),
        });
        own.write(LogStream::Stderr, bytes);
        last.write(LastLines::OWN, bytes);
    }

    /// Records a message of the container: output of the running item, or its end.
    pub(super) fn record(&mut self, message: &ItemMessage) {
        match message {
            ItemMessage::Output { is_error, bytes } => {
                self.last.write(usize::from(*is_error), bytes);
            }
            ItemMessage::Ended { .. } => {
                self.items.pop_front();
                self.begin_next();
            }
            ItemMessage::Ready | ItemMessage::Unprepared(_) => {}
        }
    }

    /// Returns the last lines since the running item began, or since the last one ended.
    pub(super) fn last_lines(&mut self) -> Vec<String> {
        self.last.take()
    }

    fn begin_next(&mut self) {
        (self.own, self.last) = (None, LastLines::default());
    }
}

/// The last lines of an item.
#[derive(Debug, Default)]
struct LastLines {
    lines: VecDeque<String>,
    /// The unfinished lines of the item's two streams, and of `hype-run`.
    unfinished: [UnfinishedLine; 3],
}

impl LastLines {
    /// The stream of `hype-run` itself, after the standard output and error of the item.
    const OWN: usize = 2;

    fn write(&mut self, stream: usize, bytes: &[u8]) {
        let Self { lines, unfinished } = self;
        unfinished[stream].write(bytes, MAX_LINE, |line| add(lines, line));
    }

    /// Returns the lines, and forgets them.
    fn take(&mut self) -> Vec<String> {
        let Self { lines, unfinished } = self;
        unfinished.iter_mut().for_each(|it| it.end(|line| add(lines, line)));
        lines.drain(..).collect()
    }
}

fn add(lines: &mut VecDeque<String>, line: &[u8]) {
    if lines.len() == LAST_LINES {
        lines.pop_front();
    }
    lines.push_back(sanitize(line));
}

#[cfg(test)]
mod tests {
    use hype_wire::items::{AssignedItem, AttemptEnd};
    use hype_wire::{FunctionRef, Statistics};

    use super::*;

    fn chunk(indexes: &[u64]) -> ItemChunk<()> {
        let item = |index: &u64| AssignedItem {
            index: *index,
            function: FunctionRef::Closure("p::f".into()),
            seed: None,
            memory: None,
            arguments: (),
        };
        ItemChunk { items: indexes.iter().map(item).collect() }
    }

    fn output(text: &str) -> ItemMessage {
        ItemMessage::Output { is_error: false, bytes: text.as_bytes().to_vec().into() }
    }

    fn ended(index: u64) -> ItemMessage {
        let end = AttemptEnd::Value(Vec::new().into());
        ItemMessage::Ended { index, end, statistics: Statistics::default() }
    }

    #[test]
    fn lines_of_concurrent_containers_have_the_indexes_of_their_items() {
        let log = Log::silent();
        let [mut one, mut other] = [(); 2].map(|()| ContainerOutput::new(log.clone()));
        one.write(b"starts\n");
        one.assign(&chunk(&[3, 4]));
        other.assign(&chunk(&[20]));
        one.write(b"hype-run: the ");
        other.write(b"other\n");
        one.write(b"first\nunfinished");
        one.record(&ended(3));
        one.write(b"second\n");
        one.record(&ended(4));
        one.write(b"idle\n");
        assert_eq!(
            log.last(9),
            [
                "starts",
                "[20] other",
                "[3] hype-run: the first",
                "[3] unfinished",
                "[4] second",
                "idle"
            ]
        );
    }

    #[test]
    fn last_lines_are_those_of_the_running_item() {
        let mut container = ContainerOutput::new(Log::silent());
        container.assign(&chunk(&[3, 4]));
        container.record(&output("of the first item\n"));
        container.record(&ended(3));
        container.record(&output("1\nunfini"));
        container.write(b"killed\n");
        container.record(&output("shed"));
        assert_eq!(container.last_lines(), ["1", "killed", "unfinished"]);
        container.record(&output("0\n1\n2\n3\n4\n5\n"));
        assert_eq!(container.last_lines(), ["1", "2", "3", "4", "5"]);
        container.record(&ended(4));
        assert!(container.last_lines().is_empty());
    }
}
