use serde::{Deserialize, Serialize};

use super::{ItemPayload, ItemTimes, MapId, MapSegment};
use crate::bytes::Bytes;
use crate::digest::Digest;
use crate::error::WireError;
use crate::failure::Failure;
use crate::outcome::Statistics;
use crate::shorten::shorten;
use crate::version::{HYPE_VERSION, Versioned, WIRE_FORMAT, read, write};

/// The maximum size of a message of an item without a failure, in bytes.
const MAX_MESSAGE: usize = 16 << 10;

/// The results of a chunk of a map, at [`names::map_out`](crate::names::map_out). It is created once: the first writer
/// wins, and its results are those of the map.
///
/// ```
/// use hype_wire::{Digest, ItemEnd, ItemPayload, ItemResult, MapChunk};
///
/// let mut chunk = MapChunk::new("hype-run-7f3k".parse().unwrap(), 0, 2, Digest::of(b"segment"));
/// let value = ItemPayload::of(vec![7]).unwrap();
/// chunk.results.push(ItemResult::new(ItemEnd::Value(value), 1));
/// assert_eq!(MapChunk::from_bytes(&chunk.to_bytes()?)?, chunk);
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapChunk {
    /// The format of the chunk.
    pub format: u32,
    /// The version of hype that wrote the chunk.
    pub hype: String,
    /// The map.
    pub map_id: MapId,
    /// The number of the segment.
    pub segment: u64,
    /// The number of the chunk in its segment, counted from 0.
    pub chunk: u32,
    /// The digest of the segment, over its bytes before they are sealed.
    pub plan: Digest,
    /// A random number that makes the object unique. A writer that lost the response to its write recognizes its own
    /// object by it.
    pub nonce: u64,
    /// A random number of the map in the program that ran the items, the same in all of its chunks. Each program counts
    /// its workers from 0.
    pub program: u64,
    /// The results of its items, in the order of the items.
    pub results: Vec<ItemResult>,
}

/// The result of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemResult {
    /// The value or the failure.
    pub end: ItemEnd,
    /// The number of attempts.
    pub attempts: u32,
    /// The durations and sizes of the last attempt.
    pub statistics: Statistics,
    /// When it ran, and the worker that ran it.
    pub times: ItemTimes,
    /// The end of the item's standard output, at most [`MAX_OUTPUT`](Self::MAX_OUTPUT) bytes.
    pub stdout: Bytes,
    /// The end of the item's standard error, at most [`MAX_OUTPUT`](Self::MAX_OUTPUT) bytes.
    pub stderr: Bytes,
}

/// The end of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemEnd {
    /// The function's value, as MessagePack.
    Value(ItemPayload),
    /// The failure, if there is no value.
    Failure(Failure),
    /// The item may have run, and must not run twice. The message is that of the failure.
    Lost(String),
    /// The item was never called, since its arguments can't be encoded.
    Rejected(String),
}

impl ItemResult {
    /// The maximum size of an item's standard output and of its standard error, in bytes.
    pub const MAX_OUTPUT: usize = 64 << 10;

    /// Creates a result without statistics, times and output. Truncates a failure that is too large.
    pub fn new(end: ItemEnd, attempts: u32) -> Self {
        let (stdout, stderr) = (Bytes::default(), Bytes::default());
        let end = end.shortened();
        let (statistics, times) = (Statistics::default(), ItemTimes::default());
        Self { end, attempts, statistics, times, stdout, stderr }
    }
}

impl ItemEnd {
    fn shortened(self) -> Self {
        match self {
            Self::Failure(failure) => Self::Failure(failure.shortened()),
            Self::Lost(message) => Self::Lost(shorten(message, MAX_MESSAGE)),
            Self::Rejected(message) => Self::Rejected(shorten(message, MAX_MESSAGE)),
            value @ Self::Value(_) => value,
        }
    }
}

impl MapChunk {
    /// The maximum size of an encoded chunk, in bytes: 64 items, each with the largest inline value or failure, and with
    /// all output. Readers reject larger objects.
    pub const MAX_SIZE: u64 = 96 << 20;

    /// The maximum size of a sealed chunk, in bytes.
    pub const MAX_SEALED_SIZE: u64 = Self::MAX_SIZE + 100;

    /// Creates a chunk without results.
    pub fn new(map_id: MapId, segment: u64, chunk: u32, plan: Digest) -> Self {
        Self {
            format: WIRE_FORMAT,
            hype: HYPE_VERSION.to_owned(),
            map_id,
            segment,
            chunk,
            plan,
            nonce: 0,
            program: 0,
            results: Vec::new(),
        }
    }

    /// Encodes the chunk.
    ///
    /// # Errors
    ///
    /// Returns an error if the chunk has too many items or too much output, or exceeds [`MAX_SIZE`](Self::MAX_SIZE).
    pub fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        self.check()?;
        write(self)
    }

    /// Decodes a chunk, in any supported format.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not a chunk, or if their format is not supported.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut chunk: Self = read(bytes)?;
        chunk.check()?;
        for result in &mut chunk.results {
            let end = std::mem::replace(&mut result.end, ItemEnd::Lost(String::new()));
            result.end = end.shortened();
        }
        Ok(chunk)
    }

    fn check(&self) -> Result<(), WireError> {
        let has_limits = |result: &ItemResult| {
            let value = match &result.end {
                ItemEnd::Value(value) => value.inline_size(),
                _ => 0,
            };
            value <= ItemPayload::INLINE_LIMIT
                && result.stdout.len().max(result.stderr.len()) <= ItemResult::MAX_OUTPUT
        };
        let problem = if self.results.len() > MapSegment::MAX_CHUNK_ITEMS {
            "it has too many items"
        } else if !self.results.iter().all(has_limits) {
            "an item has too large a value or too much output"
        } else {
            return Ok(());
        };
        let Self { segment, chunk, .. } = self;
        Err(WireError::new(format!("chunk {segment}-{chunk} of a map is inconsistent: {problem}")))
    }
}

impl Versioned for MapChunk {
    const OBJECT: &'static str = "chunk of a map";
    const MAX_SIZE: u64 = Self::MAX_SIZE;
    const IF_NEWER: &'static str = "build this program with hype {hype} or later";
    const IF_OLDER: &'static str =
        "use a newer runner (image spotify/hype of the submitting program's version)";
}
