use serde::{Deserialize, Serialize};

use super::{MapContainers, MapId};
use crate::blob::Blob;
use crate::bytes::Bytes;
use crate::call::FunctionRef;
use crate::digest::Digest;
use crate::error::WireError;
use crate::version::{HYPE_VERSION, Versioned, WIRE_FORMAT, read, write};

/// A segment of the plan of a map: consecutive items, at [`names::map_plan`](crate::names::map_plan). It is created once
/// and never changes.
///
/// Items are grouped into chunks, whose results are committed together. The last segment of a complete plan has the
/// number of all items.
///
/// ```
/// use hype_wire::{FunctionRef, ItemPayload, MapFunction, MapItem, MapSegment, PlannedItem};
///
/// let mut segment = MapSegment::new("hype-run-7f3k".parse().unwrap(), 0, 0);
/// let reference = FunctionRef::Closure("shop::price".into());
/// segment.functions.push(MapFunction { name: "price".into(), reference, has_wit_types: false });
/// let arguments = ItemPayload::of(vec![0x91, 7]).unwrap();
/// segment.items.push(PlannedItem::Call(MapItem { function: 0, arguments, seed: None }));
/// segment.chunks.push(1);
/// segment.end = Some(1);
/// # segment.head = Some(hype_wire::MapHead { manifest: hype_wire::Digest::of(b""), retries: 0, error_retries: 0, max_memory: None, started_unix_us: 0, containers: None });
/// assert_eq!(MapSegment::from_bytes(&segment.to_bytes()?)?, segment);
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapSegment {
    /// The format of the segment.
    pub format: u32,
    /// The version of hype that wrote the segment.
    pub hype: String,
    /// The map.
    pub map_id: MapId,
    /// The number of the segment, counted from 0.
    pub number: u64,
    /// The index of its first item.
    pub first: u64,
    /// The digest of the segment before it, over its bytes before they are sealed; `None` in segment 0.
    pub previous: Option<Digest>,
    /// The properties that all items share; only in segment 0.
    pub head: Option<MapHead>,
    /// The functions that its items call.
    pub functions: Vec<MapFunction>,
    /// Its items.
    pub items: Vec<PlannedItem>,
    /// The number of items in each of its chunks.
    pub chunks: Vec<u32>,
    /// The number of all items of the map, if this is its last segment.
    pub end: Option<u64>,
}

/// The properties that all items of a map share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapHead {
    /// The digest of the manifest of the map's run, whose job the items have.
    pub manifest: Digest,
    /// The maximum number of retries of an item after failures of the infrastructure, as the user asked for them.
    pub retries: u32,
    /// The maximum number of retries of an item after an error of its function.
    pub error_retries: u32,
    /// The maximum memory of a retry of an item that exceeded its own, in bytes.
    pub max_memory: Option<u64>,
    /// The start of the map, in microseconds since 1970, by the clock of its program.
    pub started_unix_us: u64,
    /// The containers in which the items run; `None` if they run in processes of this machine.
    pub containers: Option<MapContainers>,
}

/// A function that items call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapFunction {
    /// The function's name in messages.
    pub name: String,
    /// The function in its component.
    pub reference: FunctionRef,
    /// Whether its values have WIT types.
    pub has_wit_types: bool,
}

/// An item in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlannedItem {
    /// A call.
    Call(MapItem),
    /// An item that fails without a call, with this message, since its arguments can't be encoded.
    Rejected(String),
}

/// A call of a map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapItem {
    /// The position of the function in the list of functions.
    pub function: u32,
    /// The arguments: a MessagePack array with one element for each parameter.
    pub arguments: ItemPayload,
    /// The item's seed, if its environment is deterministic.
    pub seed: Option<u64>,
}

/// The arguments or the value of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemPayload {
    /// The bytes themselves.
    Inline(Bytes),
    /// The bytes are at [`names::map_blob`](crate::names::map_blob).
    Staged(Blob),
}

impl ItemPayload {
    /// The maximum size of bytes in a segment or a chunk. Larger ones are objects of their own.
    pub const INLINE_LIMIT: usize = 256 << 10;

    /// Returns the payload of bytes that may be inline, or else the bytes.
    ///
    /// # Errors
    ///
    /// Returns the bytes if they exceed [`INLINE_LIMIT`](Self::INLINE_LIMIT).
    pub fn of(bytes: Vec<u8>) -> Result<Self, Vec<u8>> {
        if bytes.len() > Self::INLINE_LIMIT { Err(bytes) } else { Ok(Self::Inline(Bytes(bytes))) }
    }

    /// Returns the size of the bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Staged(blob) => blob.size,
        }
    }

    /// Returns the number of bytes that the payload has in its segment or chunk.
    pub fn inline_size(&self) -> usize {
        match self {
            Self::Inline(bytes) => bytes.len(),
            Self::Staged(_) => 0,
        }
    }
}

impl MapSegment {
    /// The maximum number of items in a chunk.
    pub const MAX_CHUNK_ITEMS: usize = 64;

    /// The maximum number of items in a segment.
    pub const MAX_ITEMS: usize = 4096;

    /// The size of inline arguments from which on a writer begins another chunk.
    pub const CHUNK_BYTES: usize = 1 << 20;

    /// The size of inline arguments from which on a writer begins another segment.
    pub const SEGMENT_BYTES: usize = 4 << 20;

    /// The maximum size of an encoded segment, in bytes. Readers reject larger objects.
    pub const MAX_SIZE: u64 = 16 << 20;

    /// The maximum size of a sealed segment, in bytes.
    pub const MAX_SEALED_SIZE: u64 = Self::MAX_SIZE + 100;

    /// Creates a segment without items.
    pub fn new(map_id: MapId, number: u64, first: u64) -> Self {
        Self {
            format: WIRE_FORMAT,
            hype: HYPE_VERSION.to_owned(),
            map_id,
            number,
            first,
            previous: None,
            head: None,
            functions: Vec::new(),
            items: Vec::new(),
            chunks: Vec::new(),
            end: None,
        }
    }

    /// Returns the index after that of the last item.
    pub fn next(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    /// Encodes the segment.
    ///
    /// # Errors
    ///
    /// Returns an error if the segment is inconsistent, or exceeds [`MAX_SIZE`](Self::MAX_SIZE).
    pub fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        self.check()?;
        write(self)
    }

    /// Decodes a segment, in any supported format.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not a consistent segment, or if their format is not supported.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let segment: Self = read(bytes)?;
        segment.check()?;
        Ok(segment)
    }

    /// Checks that the parts of a segment are consistent.
    fn check(&self) -> Result<(), WireError> {
        let is_chunk = |items: &u32| (1..=Self::MAX_CHUNK_ITEMS).contains(&(*items as usize));
        let in_chunks: u64 = self.chunks.iter().map(|items| u64::from(*items)).sum();
        let is_known = |item: &PlannedItem| match item {
            PlannedItem::Call(call) => (call.function as usize) < self.functions.len(),
            PlannedItem::Rejected(_) => true,
        };
        let next = self.first.checked_add(self.items.len() as u64);
        let problem = if self.items.len() > Self::MAX_ITEMS {
            "it has too many items"
        } else if next.is_none() || self.end.is_some_and(|end| Some(end) != next) {
            "its end is not that of its items"
        } else if !self.chunks.iter().all(is_chunk) || in_chunks != self.items.len() as u64 {
            "its chunks don't fit its items"
        } else if !self.items.iter().all(is_known) {
            "an item calls a function that it doesn't list"
        } else if (self.number == 0) != self.head.is_some()
            || (self.number == 0) == self.previous.is_some()
            || (self.number == 0 && self.first != 0)
        {
            "only segment 0 is the first one"
        } else {
            return Ok(());
        };
        Err(WireError::new(format!("segment {} of a map is inconsistent: {problem}", self.number)))
    }
}

impl Versioned for MapSegment {
    const OBJECT: &'static str = "segment of a map";
    const MAX_SIZE: u64 = Self::MAX_SIZE;
    const IF_NEWER: &'static str = "use hype {hype} or later: a runner (image spotify/hype:{hype}), or a program that attaches";
    const IF_OLDER: &'static str = "build the submitting program with a newer hype";
}
