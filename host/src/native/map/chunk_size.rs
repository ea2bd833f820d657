//! The decision how many items a worker or a process gets at once.

use std::time::Duration;

use crate::map::items::ChunkSize;
use crate::map::recent_mean::RecentMean;

/// The maximum number of items that a process has.
const MAX_ITEMS: usize = 64;

/// The size of arguments, in bytes, from which on a process gets no more items.
const MAX_BYTES: usize = 4 << 20;

/// Determines the chunks of one process by the time that its items take.
#[derive(Debug)]
pub(crate) struct Chunks {
    /// The number of processes of the map.
    processes: usize,
    /// The time that the items of a process take together, as far as it is known.
    target: Duration,
    /// The fixed maximum number of items; `None` if it follows from their time.
    fixed: Option<usize>,
    /// The mean time of an item, in seconds.
    mean: RecentMean,
}

/// The items that a process has.
#[cfg(feature = "docker")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) items: usize,
    /// The size of their arguments.
    pub(crate) bytes: usize,
}

impl Chunks {
    pub(crate) fn new(processes: usize, target: Duration, fixed: Option<usize>) -> Self {
        Self { processes, target, fixed, mean: RecentMean::default() }
    }

    /// Records the time that an item took.
    pub(crate) fn record(&mut self, took: Duration) {
        self.mean.record(took.as_secs_f64());
    }

    /// Returns the size of the chunk of a process without items, while `waiting` items wait.
    pub(crate) fn first(&self, waiting: usize) -> ChunkSize {
        ChunkSize { items: self.maximum().min(self.share(waiting).max(1)), bytes: MAX_BYTES }
    }

    /// Returns the size of the chunk of a process that has items, so that it doesn't wait for more.
    #[cfg(feature = "docker")]
    pub(crate) fn next(&self, load: Load, waiting: usize) -> ChunkSize {
        let (maximum, bytes) = (self.maximum(), MAX_BYTES.saturating_sub(load.bytes));
        let items = match load.items * 2 <= maximum {
            true => (maximum - load.items).min(self.share(waiting)),
            false => 0,
        };
        ChunkSize { items, bytes }
    }

    /// Returns the maximum number of items in a chunk.
    pub(crate) fn maximum(&self) -> usize {
        if let Some(fixed) = self.fixed {
            return fixed;
        }
        let Some(mean) = self.mean.get() else { return 1 };
        ((self.target.as_secs_f64() / mean) as usize).clamp(1, MAX_ITEMS)
    }

    /// Returns the part of the waiting items that one process may take. The others take theirs, and half of the items stay
    /// for those that are done first.
    fn share(&self, waiting: usize) -> usize {
        waiting / (2 * self.processes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Duration = Duration::from_millis(100);

    fn after(took: Duration) -> Chunks {
        let mut chunks = Chunks::new(2, TARGET, None);
        chunks.record(took);
        chunks
    }

    #[test]
    fn first_chunk_of_unknown_items_has_one() {
        assert_eq!(Chunks::new(2, TARGET, None).first(1000).items, 1);
        assert_eq!(Chunks::new(2, TARGET, Some(9)).first(1000).items, 9);
    }

    #[test]
    fn chunk_takes_a_tenth_of_a_second_and_has_at_most_64_items() {
        for (micros, items) in [(0, 64), (10, 64), (10_000, 10), (60_000, 1), (10_000_000, 1)] {
            let chunks = after(Duration::from_micros(micros));
            assert_eq!(chunks.first(1000).items, items, "{micros} µs");
        }
    }

    #[test]
    fn mean_follows_the_last_items() {
        let mut chunks = after(Duration::from_micros(10));
        (0..9).for_each(|_| chunks.record(Duration::from_secs(1)));
        assert_eq!(chunks.first(1000).items, 1);
        (0..99).for_each(|_| chunks.record(Duration::from_micros(10)));
        assert_eq!(chunks.first(1000).items, 64);
    }

    #[test]
    fn last_items_are_shared_by_all_processes() {
        let chunks = after(Duration::from_micros(10));
        let sizes = [400, 100, 9, 4, 3, 1].map(|waiting| chunks.first(waiting).items);
        assert_eq!(sizes, [64, 25, 2, 1, 1, 1]);
    }

    #[test]
    fn process_gets_more_items_before_it_has_none() {
        let chunks = after(Duration::from_micros(10));
        let next = |items, bytes, waiting| {
            let ChunkSize { items, bytes } = chunks.next(Load { items, bytes }, waiting);
            (items, bytes)
        };
        assert_eq!(next(40, 0, 1000).0, 0);
        assert_eq!(next(32, 100, 1000), (32, MAX_BYTES - 100));
        assert_eq!(next(1, MAX_BYTES + 1, 1000).1, 0);
        // An item doesn't wait for another one if another process can take it.
        assert_eq!(next(1, 0, 3).0, 0);
        assert_eq!(after(Duration::from_secs(1)).next(Load { items: 1, bytes: 0 }, 1000).items, 0);
    }
}
