//! The download of a blob. The digest is computed over the bytes that are returned.

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

use super::buffer::zeroed;
use super::copy::{CopyError, hashed_copy};
use super::range::{ObjectRange, read_error};
use super::sink::{FileSink, MemorySink, Sink};
use super::source::run_blocking;
use super::{PART, RetryPolicy, TransferLimit};
use crate::error::{StageError, StageErrorKind};

/// The parameters of a download.
pub(crate) struct Download<'a> {
    pub(crate) store: &'a Arc<dyn ObjectStore>,
    pub(crate) transfers: &'a TransferLimit,
    pub(crate) retry: RetryPolicy,
    pub(crate) path: &'a Path,
    pub(crate) blob: Blob,
    /// Whether the store is on this machine.
    pub(crate) is_local: bool,
}

/// The error of a download.
#[derive(Debug)]
pub(crate) enum DownloadError {
    Store(object_store::Error),
    /// The object has this other size.
    Size(u64),
    /// The object has this other digest.
    Digest(Digest),
    /// A local operation failed.
    Local(StageError),
}

impl From<object_store::Error> for DownloadError {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<StageError> for DownloadError {
    fn from(error: StageError) -> Self {
        Self::Local(error)
    }
}

/// The maximum number of parts that are requested ahead of hashing.
const AHEAD: usize = 8;

/// Returns whether hashing or reading `size` local bytes takes less time than switching to another thread.
fn is_quick(size: u64) -> bool {
    size <= 1 << 20
}

impl Download<'_> {
    /// Downloads the blob into memory, without a copy.
    pub(crate) async fn bytes(&self) -> Result<Bytes, DownloadError> {
        let size = self.check_memory()?;
        let buffer = zeroed(size);
        let (bytes, found) = if size <= PART {
            let _permit = self.transfers.acquire(size).await;
            let bytes = self.range(0).read(buffer).await?.freeze();
            let found = blob_of(bytes.clone()).await?;
            (bytes, found)
        } else {
            self.download_parts(MemorySink::new(buffer)).await?.finish()
        };
        self.verify(found)?;
        Ok(bytes)
    }

    /// Downloads the blob to a new file with mode 0600. Removes the file on an error.
    pub(crate) async fn save(&self, path: PathBuf) -> Result<(), DownloadError> {
        let created = path.clone();
        let file = run_blocking(move || create(&created)).await?;
        let filled = self.fill(file, format!("the file {}", path.display())).await;
        if filled.is_err() {
            // The first error matters more than one of the removal.
            let _ = run_blocking(move || Ok(std::fs::remove_file(path))).await;
        }
        filled.map(drop)
    }

    /// Downloads the blob to the empty `file`, called `name` in errors, and returns the file.
    pub(crate) async fn fill(&self, mut file: File, name: String) -> Result<File, DownloadError> {
        let mut retries = self.retry.start();
        let (file, found) = loop {
            let Some(from) = self.local_file().await? else {
                break self.download_parts(FileSink::new(name, file)).await?.finish();
            };
            let copied;
            (file, copied) = copy(from, file, self.blob.size).await?;
            match copied {
                Ok(found) => break (file, found),
                Err(CopyError::Write(error)) => return Err(unwritable(&name, error).into()),
                Err(CopyError::Read(error)) => {
                    let error = read_error(error);
                    if !retries.back_off(&error).await {
                        return Err(error.into());
                    }
                }
            }
        };
        self.verify(found)?;
        Ok(file)
    }

    /// Returns the file of the object in a store on this machine, which is copied directly.
    async fn local_file(&self) -> Result<Option<File>, DownloadError> {
        if !self.is_local {
            return Ok(None);
        }
        let object = self.retry.run(|| self.store.get(self.path)).await?;
        if object.meta.size != self.blob.size {
            return Err(DownloadError::Size(object.meta.size));
        }
        match object.payload {
            GetResultPayload::File(file, _) => Ok(Some(file)),
            GetResultPayload::Stream(_) => Ok(None),
        }
    }

    /// Returns the size of the blob if that much memory can be allocated. The size is untrusted, and a failed
    /// allocation would abort the process.
    fn check_memory(&self) -> Result<usize, StageError> {
        let size = usize::try_from(self.blob.size).unwrap_or(usize::MAX);
        Vec::<u8>::new().try_reserve_exact(size).map(|()| size).map_err(|error| {
            let message = format!("there is no memory for the {size} bytes of {}", self.path);
            StageError::new(StageErrorKind::TooLarge, message).because(error)
        })
    }

    fn verify(&self, found: Blob) -> Result<(), DownloadError> {
        if found == self.blob { Ok(()) } else { Err(DownloadError::Digest(found.digest)) }
    }

    /// Downloads the blob in concurrent parts and appends them to `sink` in order.
    async fn download_parts<S: Sink>(&self, mut sink: S) -> Result<S, DownloadError> {
        let (mut parts, mut requested) = (VecDeque::new(), 0);
        loop {
            while parts.len() < AHEAD && requested < self.blob.size {
                let left = usize::try_from(self.blob.size - requested).unwrap_or(usize::MAX);
                let (size, range) = (left.min(PART), self.range(requested));
                let permit = self.transfers.acquire(size).await;
                let buffer = sink.buffer(size);
                parts.push_back(PartTask(tokio::spawn(async move {
                    let part = range.read(buffer).await;
                    drop(permit);
                    part
                })));
                requested += size as u64;
            }
            let Some(part) = parts.pop_front() else {
                return Ok(sink);
            };
            let part = part.await?;
            sink = run_blocking(move || sink.append(part).map(|()| sink)).await?;
        }
    }

    fn range(&self, start: u64) -> ObjectRange {
        ObjectRange {
            store: Arc::clone(self.store),
            retry: self.retry,
            path: self.path.clone(),
            size: self.blob.size,
            start,
        }
    }
}

/// Copies the `size` bytes of `from` to `to`, and returns `to`.
async fn copy(
    from: File,
    to: File,
    size: u64,
) -> Result<(File, Result<Blob, CopyError>), StageError> {
    if is_quick(size) {
        let copied = hashed_copy(&from, &to, size);
        return Ok((to, copied));
    }
    run_blocking(move || {
        let copied = hashed_copy(&from, &to, size);
        Ok((to, copied))
    })
    .await
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

/// Reads all bytes of an opened object.
pub(crate) async fn read_whole(object: GetResult) -> object_store::Result<Bytes> {
    match &object.payload {
        GetResultPayload::File(file, _) if is_quick(object.meta.size) => {
            let mut bytes = vec![0; object.meta.size as usize];
            (&*file).read_exact(&mut bytes).map_err(read_error)?;
            Ok(bytes.into())
        }
        _ => object.bytes().await,
    }
}

/// Computes the blob of `bytes`.
pub(crate) async fn blob_of(bytes: Bytes) -> Result<Blob, StageError> {
    if is_quick(bytes.len() as u64) {
        return Ok(Blob::of(&bytes));
    }
    run_blocking(move || Ok(Blob::of(&bytes))).await
}

/// The task that downloads a part; aborted on drop.
struct PartTask<R>(JoinHandle<Result<R, DownloadError>>);

impl<R> Drop for PartTask<R> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<R> Future for PartTask<R> {
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
