//! A blob on its way out of a store, verified over the very bytes that are handed on.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use hype_wire::{Blob, BlobHasher, Digest};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectStore};
use tokio::task::JoinHandle;

use super::source::blocking;
use super::{PART, Persistence, Turns};
use crate::error::{StageError, StageErrorKind};

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
    Digest(Digest),
    /// The work here broke off.
    Here(StageError),
}

impl From<object_store::Error> for DownloadError {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<StageError> for DownloadError {
    fn from(error: StageError) -> Self {
        Self::Here(error)
    }
}

/// How many parts are asked for before the first of them is hashed.
const AHEAD: usize = 8;

/// How many bytes are hashed in no time.
const AT_ONCE: usize = 1 << 20;

impl Download<'_> {
    /// All bytes of the blob, in memory once.
    pub(crate) async fn bytes(&self) -> Result<Bytes, DownloadError> {
        let size = self.room()?;
        // Zeroed memory that nobody has touched is none.
        let mut room = BytesMut::zeroed(size);
        let (bytes, found) = if size <= PART {
            let _turn = self.turns.wait(size).await;
            self.range(0).read(&mut room).await?;
            hashed(room.freeze()).await?
        } else {
            let whole = self.in_order(Whole { room, ..Whole::default() }).await?;
            (whole.bytes.freeze(), whole.hasher.finish())
        };
        self.verify(found)?;
        Ok(bytes)
    }

    /// Writes all bytes of the blob to a new file that is this user's alone. On an error there is
    /// none.
    pub(crate) async fn save(&self, path: PathBuf) -> Result<(), DownloadError> {
        let opened = path.clone();
        let saved = blocking(move || Saved::create(&opened)).await?;
        let saved = self.in_order(saved).await;
        let end = saved.and_then(|saved| self.verify(saved.hasher.finish()));
        if end.is_err() {
            // What made it fail is told rather than that it cannot be removed.
            let _ = blocking(move || Ok(std::fs::remove_file(path))).await;
        }
        end
    }

    /// The size of the blob, which somebody may have made up, if there is memory for it. Without it
    /// the process would be aborted.
    fn room(&self) -> Result<usize, StageError> {
        let size = usize::try_from(self.blob.size).unwrap_or(usize::MAX);
        Vec::<u8>::new().try_reserve_exact(size).map(|()| size).map_err(|error| {
            let message = format!("there is no memory for the {size} bytes of {}", self.path);
            StageError::because(StageErrorKind::TooLarge, message, error)
        })
    }

    fn verify(&self, found: Blob) -> Result<(), DownloadError> {
        if found == self.blob { Ok(()) } else { Err(DownloadError::Digest(found.digest)) }
    }

    /// Reads the blob part by part and puts them into `sink` in their order, each while others are on
    /// their way.
    async fn in_order<S: Sink>(&self, mut sink: S) -> Result<S, DownloadError> {
        let (mut parts, mut asked) = (VecDeque::new(), 0);
        loop {
            while parts.len() < AHEAD && asked < self.blob.size {
                let left = usize::try_from(self.blob.size - asked).unwrap_or(usize::MAX);
                let (size, range) = (left.min(PART), self.range(asked));
                let turn = self.turns.wait(size).await;
                let mut part = sink.room(size);
                parts.push_back(Part(tokio::spawn(async move {
                    range.read(&mut part).await?;
                    drop(turn);
                    Ok(part)
                })));
                asked += size as u64;
            }
            let Some(part) = parts.pop_front() else {
                return Ok(sink);
            };
            let part = part.await?;
            sink = blocking(move || sink.append(part).map(|()| sink)).await?;
        }
    }

    fn range(&self, start: u64) -> RangeOf {
        RangeOf {
            store: Arc::clone(self.store),
            persistence: self.persistence,
            path: self.path.clone(),
            size: self.blob.size,
            start,
        }
    }
}

/// Where the parts of a blob are put together.
trait Sink: Send + 'static {
    /// Room for the next part, which has so many bytes. What is in it doesn't matter.
    fn room(&mut self, size: usize) -> BytesMut;

    /// Takes the part that comes next, in the room that was given for it.
    fn append(&mut self, part: BytesMut) -> Result<(), StageError>;
}

/// The parts of a blob, put together in memory.
#[derive(Default)]
struct Whole {
    room: BytesMut,
    bytes: BytesMut,
    hasher: BlobHasher,
}

impl Sink for Whole {
    fn room(&mut self, size: usize) -> BytesMut {
        self.room.split_to(size)
    }

    fn append(&mut self, part: BytesMut) -> Result<(), StageError> {
        self.hasher.update(&part);
        // They are neighbours in one buffer, and nothing is copied.
        self.bytes.unsplit(part);
        Ok(())
    }
}

/// The parts of a blob, put together in a file.
struct Saved {
    path: PathBuf,
    file: File,
    hasher: BlobHasher,
    /// The room of parts that were written. Memory that is new costs as much as hashing what comes
    /// into it.
    spent: Vec<BytesMut>,
}

impl Saved {
    fn create(path: &FilePath) -> Result<Self, StageError> {
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| unwritable(path, error))?;
        Ok(Self { path: path.to_owned(), file, hasher: BlobHasher::default(), spent: Vec::new() })
    }
}

impl Sink for Saved {
    fn room(&mut self, size: usize) -> BytesMut {
        let mut room = self.spent.pop().unwrap_or_default();
        room.resize(size, 0);
        room
    }

    fn append(&mut self, part: BytesMut) -> Result<(), StageError> {
        self.hasher.update(&part);
        self.file.write_all(&part).map_err(|error| unwritable(&self.path, error))?;
        self.spent.push(part);
        Ok(())
    }
}

fn unwritable(path: &FilePath, error: std::io::Error) -> StageError {
    let message = format!("cannot write the file {}", path.display());
    StageError::because(StageErrorKind::File, message, error)
}

async fn hashed(bytes: Bytes) -> Result<(Bytes, Blob), StageError> {
    if bytes.len() <= AT_ONCE {
        let found = Blob::of(&bytes);
        return Ok((bytes, found));
    }
    blocking(move || {
        let found = Blob::of(&bytes);
        Ok((bytes, found))
    })
    .await
}

/// A range of an object that should have `size` bytes.
struct RangeOf {
    store: Arc<dyn ObjectStore>,
    persistence: Persistence,
    path: Path,
    size: u64,
    start: u64,
}

impl RangeOf {
    /// Fills `part` with as many bytes from the start of the range as it has room for.
    async fn read(&self, part: &mut BytesMut) -> Result<(), DownloadError> {
        let range = self.start..self.start + part.len() as u64;
        let mut tries = self.persistence.begin();
        let found = loop {
            match fill(&self.store, &self.path, range.clone(), part).await {
                Err(error) if tries.again(&error).await => {}
                end => break end?,
            }
        };
        if found == self.size { Ok(()) } else { Err(DownloadError::Size(found)) }
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
