//! Bytes on their way into a store and out of it: in parallel, and never many at once in memory.

mod download;
mod persistence;
mod source;
mod turns;
mod upload;

pub(crate) use download::{Download, DownloadError};
pub(crate) use persistence::Persistence;
pub use source::Source;
pub(crate) use turns::Turns;
pub(crate) use upload::{Upload, UploadError};

/// How many bytes one request carries at most. What is larger goes in parts of this size.
pub(crate) const PART: usize = 8 << 20;
