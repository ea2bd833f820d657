//! The cache that runs share. Its disk access runs on blocking threads, and its errors are cache misses.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hype_stage::spawn_io;
use hype_wire::Blob;
use hype_wire::launch::CACHE_VARIABLE;

use super::directory::Directory;

/// The maximum size of a cache, in bytes: enough for the machine code of hundreds of components, and a
/// small part of the disk of a machine that runs many closures.
const MAX_SIZE: u64 = 4 << 30;

/// A directory of blobs that earlier runs on this machine have fetched. Several processes can use the
/// same directory concurrently. Cloning is cheap.
///
/// # Examples
///
/// ```
/// use hype_run::{Cache, Executor};
///
/// let cache = Cache::from_env().unwrap_or_else(|| Cache::in_directory("/var/cache/hype"));
/// let executor = Executor::new().with_cache(cache);
/// ```
#[derive(Debug, Clone)]
pub struct Cache(Arc<Directory>);

impl Cache {
    /// Returns the cache in `directory`. The first write creates the directory.
    ///
    /// The cache holds up to 4 GiB and evicts the least recently used blobs. It doesn't touch other
    /// files in the directory. If the directory cannot be used, runs fetch all blobs from the stage.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Directory::new(directory.into(), MAX_SIZE)))
    }

    /// Returns the cache in the directory that the environment variable `HYPE_CACHE` names, or `None` if it is
    /// unset or empty.
    pub fn from_env() -> Option<Self> {
        let directory = std::env::var_os(CACHE_VARIABLE)?;
        (!directory.is_empty()).then(|| Self::in_directory(directory))
    }

    /// Returns the bytes of `blob`, if the cache has them.
    pub(crate) async fn read(&self, blob: &Blob) -> Option<Bytes> {
        let blob = *blob;
        self.with(move |directory| directory.read(&blob)).await?.map(Bytes::from)
    }

    /// Copies `blob` to a new file at `to` that only this user can read. Returns whether the cache has the
    /// blob; if not, no file is left at `to`.
    pub(crate) async fn copy(&self, blob: &Blob, to: &Path) -> bool {
        let (blob, to) = (*blob, to.to_owned());
        self.with(move |directory| directory.copy(&blob, &to)).await.unwrap_or_default()
    }

    /// Stores `bytes`, the content of `blob`, for later runs.
    pub(crate) async fn store(&self, blob: &Blob, bytes: &Bytes) {
        let (blob, bytes) = (*blob, bytes.clone());
        self.with(move |directory| directory.store(&blob, &mut &*bytes)).await;
    }

    /// Copies `blob` to the empty `file`. Returns the file, or `None` if the cache doesn't have the blob.
    #[cfg(target_os = "linux")]
    pub(crate) async fn fill(&self, blob: &Blob, file: File) -> Option<File> {
        let blob = *blob;
        let fill = move |directory: &Directory| directory.fill(&blob, &file).then_some(file);
        self.with(fill).await.flatten()
    }

    /// Stores the content of `file`, which is that of `blob`, for later runs.
    pub(crate) async fn store_file(&self, blob: &Blob, file: File) {
        let blob = *blob;
        self.with(move |directory| directory.store_file(&blob, &file)).await;
    }

    /// Runs `work` on a thread that may block.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Directory) -> T + Send + 'static,
    ) -> Option<T> {
        let directory = Arc::clone(&self.0);
        spawn_io(move || work(&directory)).await.ok()
    }
}
