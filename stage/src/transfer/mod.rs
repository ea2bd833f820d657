//! Uploads and downloads: in parallel parts, with bounded memory and retries.

mod buffer;
mod copy;
mod download;
mod limit;
mod range;
mod retry;
mod sink;
mod source;
mod upload;

pub(crate) use buffer::release;
pub use copy::{CopyError, hashed_copy};
pub(crate) use download::{Download, DownloadError, blob_of, read_whole};
pub(crate) use limit::TransferLimit;
pub(crate) use retry::RetryPolicy;
pub use source::Source;
pub(crate) use upload::{Upload, UploadError};

/// The size of a part, in bytes. Larger objects are transferred in parts.
pub(crate) const PART: usize = 8 << 20;
