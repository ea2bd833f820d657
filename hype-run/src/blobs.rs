//! Reads the blobs of a run from this machine's cache, or else from the stage.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hype_stage::{Stage, StageError};
use hype_wire::Blob;

use crate::cache::Cache;

/// The blobs of a stage, with a cache in front of it. Each read verifies the bytes that it returns.
pub(crate) struct Blobs<'a> {
    stage: &'a Stage,
    cache: Option<&'a Cache>,
    fetched: AtomicU64,
}

impl<'a> Blobs<'a> {
    /// Creates a reader of the blobs of `stage` that stores them in `cache`.
    pub(crate) fn new(stage: &'a Stage, cache: Option<&'a Cache>) -> Self {
        Self { stage, cache, fetched: AtomicU64::new(0) }
    }

    /// Returns the bytes of `blob`.
    pub(crate) async fn get(&self, blob: &Blob) -> Result<Bytes, StageError> {
        if let Some(cache) = self.cache
            && let Some(bytes) = cache.read(blob).await
        {
            return Ok(bytes);
        }
        let bytes = self.stage.get_blob(blob).await?;
        self.count(blob);
        if let Some(cache) = self.cache {
            cache.store(blob, &bytes).await;
        }
        Ok(bytes)
    }

    /// Writes `blob` to a new file at `to`. Only the user of this process can read the file.
    pub(crate) async fn save(&self, blob: &Blob, to: &Path) -> Result<(), StageError> {
        if let Some(cache) = self.cache
            && cache.copy(blob, to).await
        {
            return Ok(());
        }
        self.stage.save_blob(blob, to).await?;
        self.count(blob);
        if let Some(cache) = self.cache
            && let Ok(file) = File::open(to)
        {
            cache.store_file(blob, file).await;
        }
        Ok(())
    }

    /// Writes `blob` to a file that `create` creates, and returns the file. `create` must return an empty
    /// file that no other process can open. Returns `None` if it returns none.
    #[cfg(target_os = "linux")]
    pub(crate) async fn in_file(
        &self,
        blob: &Blob,
        create: impl Fn() -> Option<File>,
    ) -> Result<Option<File>, StageError> {
        if let Some(cache) = self.cache
            && let Some(file) = create()
            && let Some(file) = cache.fill(blob, file).await
        {
            return Ok(Some(file));
        }
        let Some(file) = create() else {
            return Ok(None);
        };
        let file = self.stage.fill_with_blob(blob, file).await?;
        self.count(blob);
        if let Some(cache) = self.cache
            && let Ok(file) = file.try_clone()
        {
            cache.store_file(blob, file).await;
        }
        Ok(Some(file))
    }

    /// Returns the bytes of the object `name`, which belongs to this run alone and is not cached.
    pub(crate) async fn get_uncached(&self, name: &str, blob: &Blob) -> Result<Bytes, StageError> {
        let bytes = self.stage.get_blob_at(name, blob).await?;
        self.count(blob);
        Ok(bytes)
    }

    /// Returns the number of bytes that were read from the stage.
    pub(crate) fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    fn count(&self, blob: &Blob) {
        self.fetched.fetch_add(blob.size, Ordering::Relaxed);
    }
}
