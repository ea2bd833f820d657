//! Where the bytes of a blob come from.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hype_wire::{BlobHasher, Digest};

use crate::error::{StageError, StageErrorKind};

/// Where the bytes of a blob come from. Cloning is cheap.
#[derive(Clone)]
pub struct Source {
    origin: Origin,
    told: Option<Arc<dyn Fn(u64) + Send + Sync>>,
}

#[derive(Clone)]
enum Origin {
    Bytes(Bytes),
    File(PathBuf),
}

impl Source {
    /// Bytes in memory.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self { origin: Origin::Bytes(bytes.into()), told: None }
    }

    /// A file, which is read piece by piece.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { origin: Origin::File(path.into()), told: None }
    }

    /// Has `told` hear, whenever some have been sent, how many bytes of the blob have been sent so
    /// far. What isn't sent, since it is in the stage already, isn't told.
    #[must_use]
    pub fn with_progress(mut self, told: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.told = Some(Arc::new(told));
        self
    }

    /// Says how many bytes have been sent.
    pub(super) fn tell(&self, sent: u64) {
        if let Some(told) = &self.told {
            told(sent);
        }
    }

    /// Opens it to be read in order; it should have `size` bytes, and a file this digest, if one is
    /// known.
    pub(super) async fn open(
        &self,
        size: u64,
        digest: Option<Digest>,
    ) -> Result<Reading, StageError> {
        let origin = match &self.origin {
            Origin::Bytes(bytes) => Opened::Bytes(bytes.clone()),
            Origin::File(path) => {
                let path = path.clone();
                blocking(move || {
                    let file = File::open(&path).map_err(|error| unreadable(&path, error))?;
                    let hasher = BlobHasher::default();
                    Ok(Opened::File(Box::new(OpenFile { path, file, hasher, digest })))
                })
                .await?
            }
        };
        Ok(Reading { origin, left: size })
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Bytes(bytes) => write!(f, "Source({} bytes)", bytes.len()),
            Origin::File(path) => write!(f, "Source({})", path.display()),
        }
    }
}

/// A source that is being read. It gives what it has once, from the beginning to the end.
pub(super) struct Reading {
    origin: Opened,
    left: u64,
}

enum Opened {
    /// What is still to be given. These cannot change once they were hashed.
    Bytes(Bytes),
    File(Box<OpenFile>),
}

struct OpenFile {
    path: PathBuf,
    file: File,
    /// Of what was given.
    hasher: BlobHasher,
    /// What all of it must have.
    digest: Option<Digest>,
}

impl Reading {
    /// How many bytes are still to come.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// The next bytes, at most `size`. With the last of them it is certain that all of them are as
    /// they should be.
    pub(super) async fn next(self, size: usize) -> Result<(Bytes, Self), StageError> {
        let Self { origin, left } = self;
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(size);
        let left = left - size as u64;
        let (bytes, origin) = match origin {
            Opened::Bytes(mut bytes) => {
                let size = size.min(bytes.len());
                (bytes.split_to(size), Opened::Bytes(bytes))
            }
            Opened::File(mut file) => {
                blocking(move || {
                    let bytes = file.next(size)?;
                    if left == 0 {
                        file.verify()?;
                    }
                    Ok((bytes, Opened::File(file)))
                })
                .await?
            }
        };
        Ok((bytes, Self { origin, left }))
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

/// Has `work` done off the threads that drive futures.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StageError> + Send + 'static,
) -> Result<T, StageError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        StageError::new(StageErrorKind::Unavailable, "the work on a blob broke off").because(error)
    })?
}
