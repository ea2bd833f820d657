//! Collects the results of items into chunks, which are committed when all their items have ended.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use hype_wire::{ItemEnd, ItemTimes, Statistics};

use crate::map::staged::plan::Chunk;

/// The number of bytes that a result needs besides its value and its output, roughly.
const RESULT_BYTES: u64 = 256;

/// The result of an item that is about to be committed.
#[derive(Debug)]
pub(crate) struct NewResult {
    /// The value, or how the item ended without one.
    pub(crate) end: Result<Bytes, ItemEnd>,
    pub(crate) attempts: u32,
    pub(crate) statistics: Statistics,
    pub(crate) times: ItemTimes,
    /// The ends of its standard output and of its standard error.
    pub(crate) output: [Vec<u8>; 2],
}

impl NewResult {
    /// Returns the size of the result in memory.
    pub(crate) fn size(&self) -> u64 {
        let value = self.end.as_ref().map_or(0, Bytes::len);
        let output = self.output.iter().map(Vec::len).sum::<usize>();
        (value + output) as u64 + RESULT_BYTES
    }
}

/// A chunk whose items have all ended.
#[derive(Debug)]
pub(crate) struct Complete {
    pub(crate) chunk: Chunk,
    pub(crate) results: Vec<NewResult>,
}

/// The chunks whose items have not all ended.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    /// By the index of their first items.
    open: BTreeMap<u64, Open>,
    /// Results of items whose chunk isn't known yet, by index.
    early: HashMap<u64, NewResult>,
}

#[derive(Debug)]
struct Open {
    chunk: Chunk,
    results: Vec<Option<NewResult>>,
    missing: u32,
}

impl Commits {
    /// Adds a chunk. Returns it if all its items have ended already.
    pub(crate) fn add(&mut self, chunk: Chunk) -> Option<Complete> {
        let items = chunk.first..chunk.first + u64::from(chunk.items);
        let results: Vec<_> = items.map(|index| self.early.remove(&index)).collect();
        let missing = results.iter().filter(|result| result.is_none()).count() as u32;
        let first = chunk.first;
        self.open.insert(first, Open { chunk, results, missing });
        self.take_complete(first)
    }

    /// Adds the result of an item. Returns its chunk if all its items have ended.
    pub(crate) fn end(&mut self, index: u64, result: NewResult) -> Option<Complete> {
        let of_chunk = self.open.range_mut(..=index).next_back();
        let open = of_chunk.filter(|(first, open)| index - **first < u64::from(open.chunk.items));
        let Some((first, open)) = open else {
            self.early.insert(index, result);
            return None;
        };
        if open.results[(index - first) as usize].replace(result).is_none() {
            open.missing -= 1;
        }
        let first = *first;
        self.take_complete(first)
    }

    fn take_complete(&mut self, first: u64) -> Option<Complete> {
        if self.open.get(&first)?.missing > 0 {
            return None;
        }
        let Open { chunk, results, .. } = self.open.remove(&first)?;
        Some(Complete { chunk, results: results.into_iter().flatten().collect() })
    }
}

#[cfg(test)]
mod tests {
    use hype_wire::Digest;

    use super::*;

    fn chunk(first: u64, items: u32) -> Chunk {
        Chunk { segment: 0, number: 0, plan: Digest::of(b""), first, items }
    }

    fn result(index: u64) -> NewResult {
        NewResult {
            end: Ok(Bytes::from(vec![index as u8])),
            attempts: 1,
            statistics: Statistics::default(),
            times: ItemTimes::default(),
            output: Default::default(),
        }
    }

    fn values(complete: Option<Complete>) -> Option<Vec<u8>> {
        let results = complete?.results.into_iter();
        Some(results.map(|result| result.end.unwrap()[0]).collect())
    }

    #[test]
    fn chunk_is_complete_when_its_last_item_ends() {
        let mut commits = Commits::default();
        // Before the chunk is known.
        assert!(commits.end(11, result(11)).is_none());
        assert!(commits.add(chunk(10, 3)).is_none());
        assert!(commits.add(chunk(13, 1)).is_none());
        assert!(commits.end(12, result(12)).is_none());
        assert!(commits.end(12, result(12)).is_none());
        assert_eq!(values(commits.end(13, result(13))), Some(vec![13]));
        assert_eq!(values(commits.end(10, result(10))), Some(vec![10, 11, 12]));
        assert!(commits.open.is_empty() && commits.early.is_empty());
    }

    #[test]
    fn chunk_of_ended_items_is_complete_at_once() {
        let mut commits = Commits::default();
        for index in 0..2 {
            assert!(commits.end(index, result(index)).is_none());
        }
        assert_eq!(values(commits.add(chunk(0, 2))), Some(vec![0, 1]));
    }
}
