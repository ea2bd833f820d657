//! Reads a range of an object into a given buffer.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectStore};

use super::RetryPolicy;
use super::download::DownloadError;
use crate::blocking::spawn_io;

/// A buffer for a part of a blob. Its initial content is arbitrary.
pub(super) trait PartBuffer: AsRef<[u8]> + AsMut<[u8]> + Send + 'static {}

impl<B: AsRef<[u8]> + AsMut<[u8]> + Send + 'static> PartBuffer for B {}

/// A range of an object with an expected size of `size` bytes.
pub(super) struct ObjectRange {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) retry: RetryPolicy,
    pub(super) path: Path,
    pub(super) size: u64,
    pub(super) start: u64,
}

impl ObjectRange {
    /// Fills `buffer` with the object's bytes from `start` on.
    pub(super) async fn read<B: PartBuffer>(&self, mut buffer: B) -> Result<B, DownloadError> {
        let range = self.start..self.start + buffer.as_ref().len() as u64;
        let mut retries = self.retry.start();
        let found = loop {
            let result;
            (buffer, result) = fill(&self.store, &self.path, range.clone(), buffer).await?;
            match result {
                Err(error) if retries.back_off(&error).await => {}
                result => break result?,
            }
        };
        if found == self.size { Ok(buffer) } else { Err(DownloadError::Size(found)) }
    }
}

/// Fills `buffer` with a range of the object. Returns the size of the whole object, which is not the expected size
/// if the range is incomplete.
async fn fill<B: PartBuffer>(
    store: &Arc<dyn ObjectStore>,
    path: &Path,
    range: Range<u64>,
    mut buffer: B,
) -> object_store::Result<(B, object_store::Result<u64>)> {
    // Stores reject ranges of an empty object.
    let bounded = (!range.is_empty()).then(|| GetRange::Bounded(range.clone()));
    let options = GetOptions { range: bounded, ..GetOptions::default() };
    let response = match store.get_opts(path, options).await {
        Ok(response) => response,
        Err(error) => return Ok((buffer, Err(error))),
    };
    let size = response.meta.size;
    if (response.range.end - response.range.start) != buffer.as_ref().len() as u64 {
        return Ok((buffer, Ok(size)));
    }
    let filled;
    match response.payload {
        GetResultPayload::File(file, _) => {
            (buffer, filled) = fill_from_file(file, range.start, buffer).await?;
        }
        GetResultPayload::Stream(stream) => {
            filled = fill_from_stream(stream, buffer.as_mut()).await;
        }
    }
    Ok((buffer, filled.map(|()| size)))
}

async fn fill_from_stream(
    mut stream: BoxStream<'static, object_store::Result<Bytes>>,
    buffer: &mut [u8],
) -> object_store::Result<()> {
    let mut filled = 0;
    while let Some(bytes) = stream.next().await {
        let bytes = bytes?;
        let slot = buffer.get_mut(filled..filled + bytes.len()).ok_or_else(wrong_length)?;
        slot.copy_from_slice(&bytes);
        filled += bytes.len();
    }
    if filled == buffer.len() { Ok(()) } else { Err(wrong_length()) }
}

/// Reads directly into `buffer`; the store's own method would allocate another buffer.
async fn fill_from_file<B: PartBuffer>(
    mut file: File,
    start: u64,
    mut buffer: B,
) -> object_store::Result<(B, object_store::Result<()>)> {
    let reading = spawn_io(move || {
        let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(buffer.as_mut()));
        (buffer, read.map_err(read_error))
    });
    reading.await.map_err(|source| object_store::Error::JoinError { source })
}

/// Returns the error of a response whose body is longer or shorter than announced.
fn wrong_length() -> object_store::Error {
    read_error(std::io::ErrorKind::UnexpectedEof.into())
}

pub(super) fn read_error(source: std::io::Error) -> object_store::Error {
    object_store::Error::Generic { store: "hype", source: Box::new(source) }
}
