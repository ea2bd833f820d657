//! The objects of a staged map, which survives its program.
//!
//! ```text
//! maps/ID/plan/INDEX   a MapSegment: consecutive items from INDEX on, chained by the digest of the segment before it
//! maps/ID/out/N-C      a MapChunk: the results of chunk C of segment N; created once, the first writer wins
//! maps/ID/blobs/BLAKE3 arguments or a value that are too large for a segment or a chunk
//! ```
//!
//! Readers verify them by the [`MapKey`].

mod chunk;
mod containers;
mod id;
mod key;
mod segment;
mod times;

pub use chunk::{ItemEnd, ItemResult, MapChunk};
pub use containers::{MapContainers, MapVolume};
pub use id::MapId;
pub use key::MapKey;
pub use segment::{ItemPayload, MapFunction, MapHead, MapItem, MapSegment, PlannedItem};
pub use times::ItemTimes;
