//! Bytes on their way into a store and out of it: in parallel, and never many at once in memory.

mod copy;
mod download;
#[cfg(target_os = "linux")]
mod mapped;
mod persistence;
mod range;
mod room;
mod sink;
mod source;
mod turns;
mod upload;

pub use copy::hashed_copy;
pub(crate) use download::{Download, DownloadError, blob_of, whole};
pub(crate) use persistence::Persistence;
pub(crate) use room::release;
pub use source::Source;
pub(crate) use turns::Turns;
pub(crate) use upload::{Upload, UploadError};

/// How many bytes one request carries at most. What is larger goes in parts of this size.
pub(crate) const PART: usize = 8 << 20;
