//! Where the blobs of a run come from: the cache of this machine if it has them, else the stage.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hype_stage::{Stage, StageError};
use hype_wire::Blob;

use crate::cache::Cache;

/// The blobs of a stage. What is read is verified over the very bytes that it gives.
pub(crate) struct Blobs<'a> {
    stage: &'a Stage,
    cache: Option<&'a Cache>,
    fetched: AtomicU64,
}

impl<'a> Blobs<'a> {
    /// Those of `stage`, which `cache` may have, and keeps.
    pub(crate) fn new(stage: &'a Stage, cache: Option<&'a Cache>) -> Self {
        Self { stage, cache, fetched: AtomicU64::new(0) }
    }

    /// Returns the stage that the blobs are in.
    pub(crate) fn stage(&self) -> &Stage {
        self.stage
    }

    /// The bytes of `blob`.
    pub(crate) async fn get(&self, blob: &Blob) -> Result<Bytes, StageError> {
        if let Some(cache) = self.cache
            && let Some(bytes) = cache.read(blob).await
        {
            return Ok(bytes);
        }
        let bytes = self.stage.get_blob(blob).await?;
        self.count(blob);
        if let Some(cache) = self.cache {
            cache.keep(blob, &bytes).await;
        }
        Ok(bytes)
    }

    /// Writes `blob` to a new file at `to`, which only this user can read.
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
            cache.keep_file(blob, file).await;
        }
        Ok(())
    }

    /// A file that `make` gave, empty and this process's own, with the bytes of `blob`; none if it gives
    /// none.
    pub(crate) async fn in_file(
        &self,
        blob: &Blob,
        make: impl Fn() -> Option<File>,
    ) -> Result<Option<File>, StageError> {
        if let Some(cache) = self.cache
            && let Some(file) = make()
            && let Some(file) = cache.fill(blob, file).await
        {
            return Ok(Some(file));
        }
        let Some(file) = make() else {
            return Ok(None);
        };
        let file = self.stage.fill_with_blob(blob, file).await?;
        self.count(blob);
        if let Some(cache) = self.cache
            && let Ok(file) = file.try_clone()
        {
            cache.keep_file(blob, file).await;
        }
        Ok(Some(file))
    }

    /// The bytes of the object `name`, which belongs to this run alone: no cache has or keeps it.
    pub(crate) async fn get_own(&self, name: &str, blob: &Blob) -> Result<Bytes, StageError> {
        let bytes = self.stage.get_blob_at(name, blob).await?;
        self.count(blob);
        Ok(bytes)
    }

    /// How many bytes were read from the stage.
    pub(crate) fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    fn count(&self, blob: &Blob) {
        self.fetched.fetch_add(blob.size, Ordering::Relaxed);
    }
}
