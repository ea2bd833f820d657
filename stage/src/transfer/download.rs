//! A blob on its way out of a store, verified over the very bytes that are handed on.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use hype_wire::{Blob, BlobHasher};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectStore};
use tokio::task::JoinHandle;

use super::source::blocking;
use super::{PART, Persistence, Turns};
use crate::error::StageError;

/// What a download needs of its stage.
pub(crate) struct Download<'a> {
    pub(crate) store: &'a Arc<dyn ObjectStore>,
    pub(crate) turns: &'a Turns,
    pub(crate) persistence: Persistence,
    pub(crate) path: &'a Path,
    pub(crate) blob: Blob,
}

/// Why there are no bytes.
#[derive(Debug)]
pub(crate) enum DownloadError {
    Store(object_store::Error),
    /// The object has another size.
    Size(u64),
    /// The object is another.
    Digest(Blob),
    /// The work broke off.
    Broken(StageError),
}

impl From<object_store::Error> for DownloadError {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<StageError> for DownloadError {
    fn from(error: StageError) -> Self {
        Self::Broken(error)
    }
}

/// How many parts are asked for before the first of them is hashed.
const AHEAD: usize = 8;

impl Download<'_> {
    /// All bytes of the blob, in memory once.
    pub(crate) async fn bytes(&self) -> Result<Bytes, DownloadError> {
        let size = usize::try_from(self.blob.size).map_err(|_| DownloadError::Size(u64::MAX))?;
        // Zeroed memory that nobody has touched is none.
        let mut rest = BytesMut::zeroed(size);
        let (mut whole, mut hasher) = (BytesMut::new(), BlobHasher::default());
        let (mut parts, mut asked) = (VecDeque::new(), 0);
        loop {
            while parts.len() < AHEAD && !rest.is_empty() {
                let part = rest.split_to(PART.min(rest.len()));
                let range = asked..asked + part.len() as u64;
                asked = range.end;
                parts.push_back(self.ask(range, part).await);
            }
            let Some(part) = parts.pop_front() else { break };
            let part = part.await?;
            (hasher, whole) = blocking(move || {
                hasher.update(&part);
                // They are neighbours in one buffer, and nothing is copied.
                whole.unsplit(part);
                Ok((hasher, whole))
            })
            .await?;
        }
        match hasher.finish() {
            found if found == self.blob => Ok(whole.freeze()),
            found => Err(DownloadError::Digest(found)),
        }
    }

    /// Begins to fill `part` with this range of the object.
    async fn ask(&self, range: Range<u64>, mut part: BytesMut) -> Part {
        let turn = self.turns.wait(part.len()).await;
        let (store, path) = (Arc::clone(self.store), self.path.clone());
        let (persistence, size) = (self.persistence, self.blob.size);
        Part(tokio::spawn(async move {
            let mut tries = persistence.begin();
            let found = loop {
                match fill(&store, &path, range.clone(), &mut part).await {
                    Err(error) if tries.again(&error).await => {}
                    end => break end?,
                }
            };
            drop(turn);
            if found == size { Ok(part) } else { Err(DownloadError::Size(found)) }
        }))
    }
}

/// Fills `part` with this range of the object, and tells the size of the whole object, which is
/// another where the range is not all there.
async fn fill(
    store: &Arc<dyn ObjectStore>,
    path: &Path,
    range: Range<u64>,
    part: &mut BytesMut,
) -> object_store::Result<u64> {
    // Of an empty object no range can be asked for.
    let range = (!range.is_empty()).then_some(GetRange::Bounded(range));
    let answer = store.get_opts(path, GetOptions { range, ..GetOptions::default() }).await?;
    let size = answer.meta.size;
    if (answer.range.end - answer.range.start) != part.len() as u64 {
        return Ok(size);
    }
    let mut filled = 0;
    let mut put = |bytes: &[u8]| {
        let room = part.get_mut(filled..filled + bytes.len()).ok_or_else(cut)?;
        room.copy_from_slice(bytes);
        filled += bytes.len();
        Ok::<_, object_store::Error>(())
    };
    if let GetResultPayload::Stream(mut stream) = answer.payload {
        while let Some(bytes) = stream.next().await {
            put(&bytes?)?;
        }
    } else {
        put(&answer.bytes().await?)?;
    }
    if filled == part.len() { Ok(size) } else { Err(cut()) }
}

/// An answer that has not as many bytes as it said.
fn cut() -> object_store::Error {
    let source = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    object_store::Error::Generic { store: "hype", source: Box::new(source) }
}

/// A part that is under way. Dropping it stops that.
struct Part(JoinHandle<Result<BytesMut, DownloadError>>);

impl Drop for Part {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Future for Part {
    type Output = Result<BytesMut, DownloadError>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(context).map(|end| {
            end.unwrap_or_else(|source| Err(object_store::Error::JoinError { source }.into()))
        })
    }
}
