//! A blob on its way out of a store, verified over the very bytes that are handed on.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hype_wire::{Blob, Digest};
use object_store::path::Path;
use object_store::{GetResult, GetResultPayload, ObjectStore, ObjectStoreExt};
use tokio::task::JoinHandle;

use super::copy::hashed_copy;
#[cfg(target_os = "linux")]
use super::mapped::Mapped;
use super::range::{RangeOf, broken_off};
use super::room::room;
use super::sink::{Saved, Sink, Whole};
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
    /// Whether the store is this machine's.
    pub(crate) is_here: bool,
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

/// Whether so many bytes are hashed, or read from a file of this machine, before another thread would have begun.
fn is_quick(size: u64) -> bool {
    size <= 1 << 20
}

impl Download<'_> {
    /// All bytes of the blob, in memory once.
    pub(crate) async fn bytes(&self) -> Result<Bytes, DownloadError> {
        let size = self.room()?;
        let room = room(size);
        let (bytes, found) = if size <= PART {
            let _turn = self.turns.wait(size).await;
            let bytes = self.range(0).read(room).await?.freeze();
            let found = blob_of(bytes.clone()).await?;
            (bytes, found)
        } else {
            self.in_order(Whole::of(room)).await?.finish()
        };
        self.verify(found)?;
        Ok(bytes)
    }

    /// Writes all bytes of the blob to a new file that is this user's alone. On an error there is
    /// none.
    pub(crate) async fn save(&self, path: PathBuf) -> Result<(), DownloadError> {
        let created = path.clone();
        let file = blocking(move || create(&created)).await?;
        let end = self.fill(file, format!("the file {}", path.display())).await;
        if end.is_err() {
            // What made it fail is told rather than that it cannot be removed.
            let _ = blocking(move || Ok(std::fs::remove_file(path))).await;
        }
        end.map(drop)
    }

    /// Writes all bytes of the blob to `file`, of which errors speak as `name`, and gives it back.
    pub(crate) async fn fill(&self, mut file: File, name: String) -> Result<File, DownloadError> {
        let (file, found) = match self.here().await? {
            Some(mut from) => {
                let copy = move || {
                    let copied = hashed_copy(&mut from, &mut file);
                    copied.map(|found| (file, found)).map_err(|error| unwritable(&name, error))
                };
                if is_quick(self.blob.size) { copy()? } else { blocking(copy).await? }
            }
            None => {
                let saved = self.in_order(Saved::new(name, file)).await?;
                saved.finish()
            }
        };
        self.verify(found)?;
        Ok(file)
    }

    /// The same for a file in memory that is this process's alone.
    pub(crate) async fn fill_memory(
        &self,
        file: File,
        name: String,
    ) -> Result<File, DownloadError> {
        #[cfg(target_os = "linux")]
        if self.blob.size > PART as u64 {
            let size = self.room()?;
            let mapped = Mapped::new(file, size).map_err(|error| unwritable(&name, error))?;
            let (file, found) = self.in_order(mapped).await?.finish();
            self.verify(found)?;
            return Ok(file);
        }
        self.fill(file, name).await
    }

    /// The file that has the blob, if it is small and on this machine. There, memory for all of it would
    /// take as long as its bytes.
    async fn here(&self) -> Result<Option<File>, DownloadError> {
        if !self.is_here || self.blob.size > PART as u64 {
            return Ok(None);
        }
        let object = self.persistence.of(|| self.store.get(self.path)).await?;
        if object.meta.size != self.blob.size {
            return Err(DownloadError::Size(object.meta.size));
        }
        match object.payload {
            GetResultPayload::File(file, _) => Ok(Some(file)),
            GetResultPayload::Stream(_) => Ok(None),
        }
    }

    /// The size of the blob, which somebody may have made up, if there is memory for it. Without it
    /// the process would be aborted.
    fn room(&self) -> Result<usize, StageError> {
        let size = usize::try_from(self.blob.size).unwrap_or(usize::MAX);
        Vec::<u8>::new().try_reserve_exact(size).map(|()| size).map_err(|error| {
            let message = format!("there is no memory for the {size} bytes of {}", self.path);
            StageError::new(StageErrorKind::TooLarge, message).because(error)
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
                let room = sink.room(size);
                parts.push_back(Part(tokio::spawn(async move {
                    let part = range.read(room).await;
                    drop(turn);
                    part
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

fn create(path: &FilePath) -> Result<File, StageError> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| unwritable(&format!("the file {}", path.display()), error))
}

pub(super) fn unwritable(name: &str, error: std::io::Error) -> StageError {
    StageError::new(StageErrorKind::File, format!("cannot write {name}")).because(error)
}

/// All bytes of an object that its store has begun to give.
pub(crate) async fn whole(object: GetResult) -> object_store::Result<Bytes> {
    match &object.payload {
        GetResultPayload::File(file, _) if is_quick(object.meta.size) => {
            let mut bytes = vec![0; object.meta.size as usize];
            (&*file).read_exact(&mut bytes).map_err(broken_off)?;
            Ok(bytes.into())
        }
        _ => object.bytes().await,
    }
}

/// The blob that `bytes` are.
pub(crate) async fn blob_of(bytes: Bytes) -> Result<Blob, StageError> {
    if is_quick(bytes.len() as u64) {
        return Ok(Blob::of(&bytes));
    }
    blocking(move || Ok(Blob::of(&bytes))).await
}

/// A part that is under way. Dropping it stops that.
struct Part<R>(JoinHandle<Result<R, DownloadError>>);

impl<R> Drop for Part<R> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<R> Future for Part<R> {
    type Output = Result<R, DownloadError>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(context).map(|end| {
            end.unwrap_or_else(|source| Err(object_store::Error::JoinError { source }.into()))
        })
    }
}
