//! The cache as runs see it: off their threads, and never an error.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hype_wire::Blob;
use hype_wire::launch::CACHE;

use super::directory::Directory;

/// How many bytes a cache may have: enough for the machine code of hundreds of components and for
/// files of moderate size, and little of the disk of a machine that runs many.
const BOUND: u64 = 4 << 30;

/// A directory in which runs find the blobs that others of their machine have fetched. Many
/// processes can use it at once, and cloning is cheap.
#[derive(Debug, Clone)]
pub struct Cache(Arc<Directory>);

impl Cache {
    /// The cache in `directory`, which is made when something is written.
    ///
    /// It holds 4 GiB; what was not used for longest goes first. Nothing but what a cache wrote is
    /// touched there. A directory that is of no use is none: then everything is fetched.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Directory::new(directory.into(), BOUND)))
    }

    /// The cache in the directory that the variable `HYPE_CACHE` of this process names, if it does.
    pub fn from_env() -> Option<Self> {
        let directory = std::env::var_os(CACHE)?;
        (!directory.is_empty()).then(|| Self::in_directory(directory))
    }

    /// The bytes of `blob`, if they are there.
    pub(crate) async fn read(&self, blob: &Blob) -> Option<Bytes> {
        let blob = *blob;
        self.with(move |directory| directory.read(&blob)).await?.map(Bytes::from)
    }

    /// Copies the bytes of `blob`, if they are there, to a new file at `to`, which only this user can
    /// read, and tells whether that is done. If not, there is no such file.
    pub(crate) async fn copy(&self, blob: &Blob, to: &Path) -> bool {
        let (blob, to) = (*blob, to.to_owned());
        self.with(move |directory| directory.copy(&blob, &to)).await.unwrap_or_default()
    }

    /// Keeps `bytes`, which are those of `blob`, for later runs.
    pub(crate) async fn keep(&self, blob: &Blob, bytes: &Bytes) {
        let (blob, bytes) = (*blob, bytes.clone());
        self.with(move |directory| directory.keep(&blob, &mut &*bytes)).await;
    }

    /// Copies the bytes of `blob` to `file`, which is empty, if they are there. If not, `file` is gone.
    pub(crate) async fn fill(&self, blob: &Blob, file: File) -> Option<File> {
        let blob = *blob;
        let fill = move |directory: &Directory| directory.fill(&blob, &file).then_some(file);
        self.with(fill).await.flatten()
    }

    /// Keeps what `file` has, which are the bytes of `blob`, for later runs.
    pub(crate) async fn keep_file(&self, blob: &Blob, file: File) {
        let blob = *blob;
        self.with(move |directory| directory.keep_file(&blob, &file)).await;
    }

    /// Does `work` where waiting for a disk holds nobody up.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Directory) -> T + Send + 'static,
    ) -> Option<T> {
        let directory = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || work(&directory)).await.ok()
    }
}
