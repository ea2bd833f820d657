//! The source of an upload.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hype_wire::{BlobHasher, Digest};

use crate::blocking::spawn_io;
use crate::error::{StageError, StageErrorKind};

/// The bytes of a blob, in memory or in a file. Cloning is cheap.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::sync::Arc;
///
/// use hype_stage::{Source, Stage};
/// use hype_wire::Blob;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let file = tempfile::NamedTempFile::new()?;
/// std::fs::write(file.path(), "bytes")?;
///
/// let sent = Arc::new(AtomicU64::new(0));
/// let source = Source::file(file.path()).with_progress({
///     let sent = Arc::clone(&sent);
///     move |bytes| sent.store(bytes, Ordering::Relaxed)
/// });
/// let stage = Stage::open("memory://docs/source")?;
/// stage.put_blob(&Blob::of(b"bytes"), &source).await?;
/// assert_eq!(sent.load(Ordering::Relaxed), 5);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Source {
    content: Content,
    on_progress: Option<Arc<dyn Fn(u64) + Send + Sync>>,
}

#[derive(Clone)]
enum Content {
    Bytes(Bytes),
    File(PathBuf),
}

impl Source {
    /// Creates a source of bytes in memory.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self { content: Content::Bytes(bytes.into()), on_progress: None }
    }

    /// Creates a source of the bytes of a file, which is read in pieces.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { content: Content::File(path.into()), on_progress: None }
    }

    /// Sets a callback that receives the number of bytes sent so far. It is not called for a blob that
    /// the stage already has.
    #[must_use]
    pub fn with_progress(mut self, on_progress: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(on_progress));
        self
    }

    /// Reports the number of bytes sent so far.
    pub(super) fn report_progress(&self, sent: u64) {
        if let Some(on_progress) = &self.on_progress {
            on_progress(sent);
        }
    }

    /// Opens the source to be read in order. It must have `size` bytes, and a file must have `digest`, if that
    /// is known.
    pub(super) async fn open(
        &self,
        size: u64,
        digest: Option<Digest>,
    ) -> Result<SourceReader, StageError> {
        let content = match &self.content {
            Content::Bytes(bytes) => OpenContent::Bytes(bytes.clone()),
            Content::File(path) => {
                let path = path.clone();
                run_blocking(move || {
                    let file = File::open(&path).map_err(|error| unreadable(&path, error))?;
                    let hasher = BlobHasher::default();
                    Ok(OpenContent::File(Box::new(OpenFile { path, file, hasher, digest })))
                })
                .await?
            }
        };
        Ok(SourceReader { content, remaining: size })
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.content {
            Content::Bytes(bytes) => write!(f, "Source({} bytes)", bytes.len()),
            Content::File(path) => write!(f, "Source({})", path.display()),
        }
    }
}

/// A reader of a source, from start to end.
pub(super) struct SourceReader {
    content: OpenContent,
    /// The number of bytes not read yet.
    remaining: u64,
}

enum OpenContent {
    /// The bytes not read yet. They can't have changed since they were hashed.
    Bytes(Bytes),
    File(Box<OpenFile>),
}

struct OpenFile {
    path: PathBuf,
    file: File,
    /// The hash of the bytes read so far.
    hasher: BlobHasher,
    /// The expected digest of the whole file.
    digest: Option<Digest>,
}

impl SourceReader {
    /// Returns the number of bytes not read yet.
    pub(super) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Reads the next bytes, at most `size`. Verifies the digest with the last bytes.
    pub(super) async fn next(self, size: usize) -> Result<(Bytes, Self), StageError> {
        let Self { content, remaining } = self;
        let size = usize::try_from(remaining).unwrap_or(usize::MAX).min(size);
        let remaining = remaining - size as u64;
        let (bytes, content) = match content {
            OpenContent::Bytes(mut bytes) => {
                let size = size.min(bytes.len());
                (bytes.split_to(size), OpenContent::Bytes(bytes))
            }
            OpenContent::File(mut file) => {
                run_blocking(move || {
                    let bytes = file.next(size)?;
                    if remaining == 0 {
                        file.verify()?;
                    }
                    Ok((bytes, OpenContent::File(file)))
                })
                .await?
            }
        };
        Ok((bytes, Self { content, remaining }))
    }
}

impl OpenFile {
    fn next(&mut self, size: usize) -> Result<Bytes, StageError> {
        let mut bytes = Vec::with_capacity(size);
        let read = (&mut self.file).take(size as u64).read_to_end(&mut bytes);
        read.map_err(|error| unreadable(&self.path, error))?;
        if bytes.len() < size {
            return Err(changed(&self.path));
        }
        self.hasher.update(&bytes);
        Ok(bytes.into())
    }

    /// Fails if the bytes read so far don't match the expected digest, if there is one.
    fn verify(&self) -> Result<(), StageError> {
        match self.digest {
            Some(digest) if digest != self.hasher.finish().digest => Err(changed(&self.path)),
            _ => Ok(()),
        }
    }
}

fn unreadable(path: &Path, error: std::io::Error) -> StageError {
    let message = format!("cannot read the file {}", path.display());
    StageError::new(StageErrorKind::File, message).because(error)
}

fn changed(path: &Path) -> StageError {
    let message = format!("the file {} changed while it was being staged", path.display());
    StageError::new(StageErrorKind::File, message).hint("submit again when nothing writes to it")
}

/// Runs blocking `work` on a thread for blocking operations.
pub(super) async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StageError> + Send + 'static,
) -> Result<T, StageError> {
    spawn_io(work).await.map_err(|error| {
        StageError::new(StageErrorKind::Unavailable, "the transfer of a blob was aborted")
            .because(error)
    })?
}
