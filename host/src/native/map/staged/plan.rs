//! Collects the items of a map into segments, and decides where chunks and segments end.

use std::sync::Arc;

use bytes::Bytes;
use hype_wire::{
    Blob, Digest, ItemPayload, MapFunction, MapHead, MapId, MapItem, MapSegment, PlannedItem,
};

use crate::error::Result;
use crate::map::items::ItemFunction;

/// The number of bytes that an item needs in a segment besides its arguments, roughly.
const ITEM_BYTES: u64 = 32;

/// The size of items in memory from which on a segment ends, so that large arguments are written before the map must wait
/// for room.
const MAX_MEMORY: u64 = 16 << 20;

/// The maximum size of the message of a rejected item, in characters.
const MAX_MESSAGE: usize = 1000;

/// An item that is about to be planned.
#[derive(Debug)]
pub(crate) enum NewItem {
    /// A call.
    Call { function: Arc<ItemFunction>, arguments: Bytes, seed: Option<u64> },
    /// An item that fails without a call, with this message.
    Rejected(String),
}

impl NewItem {
    /// Returns the size of the item in memory.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Call { arguments, .. } => arguments.len() as u64 + ITEM_BYTES,
            Self::Rejected(message) => message.len() as u64 + ITEM_BYTES,
        }
    }
}

/// The position of a chunk, for its results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) segment: u64,
    pub(crate) number: u32,
    /// The digest of the segment.
    pub(crate) plan: Digest,
    /// The index of its first item.
    pub(crate) first: u64,
    pub(crate) items: u32,
}

/// A segment that is complete.
#[derive(Debug)]
pub(crate) struct Cut {
    /// The index of its first item.
    pub(crate) first: u64,
    /// The encoded segment.
    pub(crate) bytes: Vec<u8>,
    /// Arguments that are objects of their own.
    pub(crate) blobs: Vec<(Blob, Bytes)>,
    pub(crate) chunks: Vec<Chunk>,
    /// The size of its items in memory.
    pub(crate) size: u64,
}

/// The plan of a map while its input is read.
#[derive(Debug)]
pub(crate) struct Planner {
    segment: MapSegment,
    functions: Vec<Arc<ItemFunction>>,
    blobs: Vec<(Blob, Bytes)>,
    /// The size of the inline arguments of the segment.
    bytes: usize,
    /// The size of the inline arguments of its last chunk.
    chunk_bytes: usize,
    size: u64,
}

impl Planner {
    /// Begins the plan of a new map.
    pub(crate) fn new(map_id: MapId, head: MapHead) -> Self {
        Self::of(MapSegment { head: Some(head), ..MapSegment::new(map_id, 0, 0) })
    }

    /// Continues a plan whose last segment has the digest `previous`: with segment `number`, whose first item has the
    /// index `first`.
    pub(crate) fn resume(map_id: MapId, number: u64, first: u64, previous: Digest) -> Self {
        let segment = MapSegment::new(map_id, number, first);
        Self::of(MapSegment { previous: Some(previous), ..segment })
    }

    fn of(segment: MapSegment) -> Self {
        let (functions, blobs) = (Vec::new(), Vec::new());
        Self { segment, functions, blobs, bytes: 0, chunk_bytes: 0, size: 0 }
    }

    /// Returns whether no item waits for its segment.
    pub(crate) fn is_empty(&self) -> bool {
        self.segment.items.is_empty()
    }

    /// Returns whether the segment has as many items as it may have.
    pub(crate) fn is_full(&self) -> bool {
        self.segment.items.len() >= MapSegment::MAX_ITEMS
            || self.bytes >= MapSegment::SEGMENT_BYTES
            || self.size >= MAX_MEMORY
    }

    /// Adds the next item.
    pub(crate) fn add(&mut self, item: NewItem) {
        self.size += item.size();
        let (item, bytes) = match item {
            NewItem::Rejected(message) => {
                let message: String = message.chars().take(MAX_MESSAGE).collect();
                let bytes = message.len();
                (PlannedItem::Rejected(message), bytes)
            }
            NewItem::Call { function, arguments, seed } => {
                let function = self.function(function);
                // The item holds large arguments, too, so that converting them to a vector would copy them.
                let arguments = match arguments.len() > ItemPayload::INLINE_LIMIT {
                    true => {
                        let blob = Blob::of(&arguments);
                        self.blobs.push((blob, arguments));
                        ItemPayload::Staged(blob)
                    }
                    false => ItemPayload::Inline(hype_wire::Bytes(arguments.into())),
                };
                let bytes = arguments.inline_size();
                (PlannedItem::Call(MapItem { function, arguments, seed }), bytes)
            }
        };
        self.segment.items.push(item);
        self.bytes += bytes;
        self.chunk_bytes += bytes;
        match self.segment.chunks.last_mut() {
            Some(items)
                if (*items as usize) < MapSegment::MAX_CHUNK_ITEMS
                    && self.chunk_bytes <= MapSegment::CHUNK_BYTES =>
            {
                *items += 1;
            }
            _ => {
                self.segment.chunks.push(1);
                self.chunk_bytes = bytes;
            }
        }
    }

    /// Returns the position of `function` in the segment's list.
    fn function(&mut self, function: Arc<ItemFunction>) -> u32 {
        let known = self.functions.iter().position(|known| Arc::ptr_eq(known, &function));
        let position = known.unwrap_or_else(|| {
            let ItemFunction { name, reference, has_wit_types, .. } = &*function;
            self.segment.functions.push(MapFunction {
                name: name.clone(),
                reference: reference.clone(),
                has_wit_types: *has_wit_types,
            });
            self.functions.push(function);
            self.functions.len() - 1
        });
        position as u32
    }

    /// Ends the segment, and begins the next one. `is_last` marks the end of the plan.
    ///
    /// # Errors
    ///
    /// An error if the segment exceeds its maximum size.
    pub(crate) fn cut(&mut self, is_last: bool) -> Result<Cut> {
        self.segment.end = is_last.then_some(self.segment.next());
        let bytes = self.segment.to_bytes()?;
        let (plan, next) = (Digest::of(&bytes), self.segment.next());
        let following = MapSegment::new(self.segment.map_id.clone(), self.segment.number + 1, next);
        let following = Self::of(MapSegment { previous: Some(plan), ..following });
        let Self { segment, blobs, size, .. } = std::mem::replace(self, following);
        Ok(Cut { first: segment.first, chunks: chunks(&segment, plan), bytes, blobs, size })
    }
}

/// Returns the chunks of a segment, whose digest is `plan`.
pub(crate) fn chunks(segment: &MapSegment, plan: Digest) -> Vec<Chunk> {
    let mut first = segment.first;
    let chunk = |(number, items): (u32, &u32)| {
        let chunk = Chunk { segment: segment.number, number, plan, first, items: *items };
        first += u64::from(*items);
        chunk
    };
    (0..).zip(&segment.chunks).map(chunk).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planner() -> Planner {
        let head = MapHead {
            manifest: Digest::of(b"manifest"),
            retries: 0,
            error_retries: 0,
            max_memory: None,
            started_unix_us: 0,
            containers: None,
        };
        Planner::new("hype-run-7f3k".parse().unwrap(), head)
    }

    fn function() -> Arc<ItemFunction> {
        Arc::new(ItemFunction {
            name: "f".to_owned(),
            reference: hype_wire::FunctionRef::Closure("p::f".to_owned()),
            has_wit_types: false,
            step: 0,
        })
    }

    fn call(function: &Arc<ItemFunction>, size: usize) -> NewItem {
        let arguments = Bytes::from(vec![7; size]);
        NewItem::Call { function: Arc::clone(function), arguments, seed: None }
    }

    #[test]
    fn items_fill_chunks_and_segments_in_order() {
        let (mut planner, function) = (planner(), function());
        for _ in 0..MapSegment::MAX_ITEMS {
            assert!(!planner.is_full());
            planner.add(call(&function, 1));
        }
        assert!(planner.is_full());
        let first = planner.cut(false).unwrap();
        assert_eq!(first.chunks.len(), 64);
        let last = first.chunks.last().unwrap();
        assert_eq!((last.number, last.first, last.items), (63, 4032, 64));
        planner.add(NewItem::Rejected("no".to_owned()));
        planner.add(call(&function, 1));
        let second = planner.cut(true).unwrap();
        let segment = MapSegment::from_bytes(&second.bytes).unwrap();
        assert_eq!((segment.number, segment.first, segment.end), (1, 4096, Some(4098)));
        assert_eq!(segment.previous, Some(Digest::of(&first.bytes)));
        assert_eq!(segment.functions.len(), 1);
        assert!(planner.is_empty());
    }

    #[test]
    fn large_arguments_end_chunks_and_segments_early() {
        let (mut planner, function) = (planner(), function());
        let mut items = 0;
        while !planner.is_full() {
            planner.add(call(&function, 200 << 10));
            items += 1;
        }
        assert_eq!(items, 21);
        let cut = planner.cut(false).unwrap();
        let lengths: Vec<_> = cut.chunks.iter().map(|chunk| chunk.items).collect();
        assert_eq!(lengths, [5, 5, 5, 5, 1]);
    }

    #[test]
    fn largest_arguments_are_blobs() {
        let (mut planner, function) = (planner(), function());
        planner.add(call(&function, ItemPayload::INLINE_LIMIT + 1));
        let cut = planner.cut(false).unwrap();
        let segment = MapSegment::from_bytes(&cut.bytes).unwrap();
        let [PlannedItem::Call(item)] = &segment.items[..] else { panic!("{segment:?}") };
        assert_eq!(item.arguments, ItemPayload::Staged(cut.blobs[0].0));
        assert_eq!(cut.blobs[0].0, Blob::of(&cut.blobs[0].1));
        for _ in 0..16 {
            assert!(!planner.is_full());
            planner.add(call(&function, 1 << 20));
        }
        assert!(planner.is_full());
    }
}
