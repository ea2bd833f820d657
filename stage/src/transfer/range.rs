//! A range of an object on its way into the room that was made for it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectStore};

use super::Persistence;
use super::download::DownloadError;

/// Memory for a part of a blob. What is in it at first doesn't matter.
pub(super) trait Room: AsRef<[u8]> + AsMut<[u8]> + Send + 'static {}

impl<R: AsRef<[u8]> + AsMut<[u8]> + Send + 'static> Room for R {}

/// A range of an object that should have `size` bytes.
pub(super) struct RangeOf {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) persistence: Persistence,
    pub(super) path: Path,
    pub(super) size: u64,
    pub(super) start: u64,
}

impl RangeOf {
    /// Fills `room` with as many bytes from the start of the range as it has place for.
    pub(super) async fn read<R: Room>(&self, mut room: R) -> Result<R, DownloadError> {
        let range = self.start..self.start + room.as_ref().len() as u64;
        let mut tries = self.persistence.begin();
        let found = loop {
            let end;
            (room, end) = fill(&self.store, &self.path, range.clone(), room).await?;
            match end {
                Err(error) if tries.again(&error).await => {}
                end => break end?,
            }
        };
        if found == self.size { Ok(room) } else { Err(DownloadError::Size(found)) }
    }
}

/// Fills `room` with this range of the object, and tells the size of the whole object, which is another
/// where the range is not all there.
async fn fill<R: Room>(
    store: &Arc<dyn ObjectStore>,
    path: &Path,
    range: Range<u64>,
    mut room: R,
) -> object_store::Result<(R, object_store::Result<u64>)> {
    // Of an empty object no range can be asked for.
    let bounded = (!range.is_empty()).then(|| GetRange::Bounded(range.clone()));
    let options = GetOptions { range: bounded, ..GetOptions::default() };
    let answer = match store.get_opts(path, options).await {
        Ok(answer) => answer,
        Err(error) => return Ok((room, Err(error))),
    };
    let size = answer.meta.size;
    if (answer.range.end - answer.range.start) != room.as_ref().len() as u64 {
        return Ok((room, Ok(size)));
    }
    let filled;
    match answer.payload {
        GetResultPayload::File(file, _) => {
            (room, filled) = fill_from_file(file, range.start, room).await?;
        }
        GetResultPayload::Stream(stream) => filled = fill_from_stream(stream, room.as_mut()).await,
    }
    Ok((room, filled.map(|()| size)))
}

async fn fill_from_stream(
    mut stream: BoxStream<'static, object_store::Result<Bytes>>,
    room: &mut [u8],
) -> object_store::Result<()> {
    let mut filled = 0;
    while let Some(bytes) = stream.next().await {
        let bytes = bytes?;
        let place = room.get_mut(filled..filled + bytes.len()).ok_or_else(cut)?;
        place.copy_from_slice(&bytes);
        filled += bytes.len();
    }
    if filled == room.len() { Ok(()) } else { Err(cut()) }
}

/// Reads straight into `room`, where the store's own way would be by memory of its own.
async fn fill_from_file<R: Room>(
    mut file: File,
    start: u64,
    mut room: R,
) -> object_store::Result<(R, object_store::Result<()>)> {
    let reading = tokio::task::spawn_blocking(move || {
        let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(room.as_mut()));
        (room, read.map_err(broken_off))
    });
    reading.await.map_err(|source| object_store::Error::JoinError { source })
}

/// An answer that has not as many bytes as it said.
fn cut() -> object_store::Error {
    broken_off(std::io::ErrorKind::UnexpectedEof.into())
}

pub(super) fn broken_off(source: std::io::Error) -> object_store::Error {
    object_store::Error::Generic { store: "hype", source: Box::new(source) }
}
