//! Blobs on their way into the stage.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures::{StreamExt, TryStreamExt, stream};
use hype_stage::{Source, Stage, Staged};
use hype_wire::{Blob, Digest};
use tokio::sync::OnceCell;
use tracing::Instrument;

use crate::error::{Error, Result};
use crate::progress::{STEP, UPLOADED};

/// How many blobs of a run are uploaded at once. The stage bounds how much of them is in memory.
const AT_ONCE: usize = 32;

/// A blob that a run needs, and where its bytes are if the stage lacks them.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) blob: Blob,
    pub(crate) source: Source,
}

/// The way of one submitter's blobs into its stage.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    /// The blobs that are on their way. Who needs one of them waits for it.
    under_way: Mutex<HashMap<Digest, Weak<OnceCell<()>>>>,
    /// Whether it was told that a run needed nothing new, which is told once for all runs.
    is_nothing_told: AtomicBool,
}

/// The line that tells of the uploads of a run, once there is one.
struct Announcement {
    line: String,
    is_told: AtomicBool,
}

impl Announcement {
    fn tell(&self) {
        if !self.is_told.swap(true, Ordering::Relaxed) {
            tracing::info!(target: STEP, "{}", self.line);
        }
    }
}

impl Uploads {
    /// Makes sure that all of `uploads` are in `stage`.
    pub(crate) async fn finish(&self, stage: &Stage, uploads: Vec<Upload>) -> Result<()> {
        let count = uploads.len();
        let bytes: u64 = uploads.iter().map(|upload| upload.blob.size).sum();
        let span = tracing::info_span!("upload", files = count, bytes);
        self.finish_all(stage, uploads).instrument(span).await
    }

    async fn finish_all(&self, stage: &Stage, uploads: Vec<Upload>) -> Result<()> {
        let count = uploads.len();
        let line = format!("uploading {count} {} to {}", files(count), stage.url());
        let announcement = Arc::new(Announcement { line, is_told: AtomicBool::new(false) });
        let staged = stream::iter(uploads)
            .map(|upload| self.finish_one(stage, upload, Arc::clone(&announcement)))
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<_>>()
            .await?;
        let new = staged.iter().filter(|staged| **staged == Staged::New).count();
        if new > 0 || !self.is_nothing_told.swap(true, Ordering::Relaxed) {
            announcement.tell();
            tracing::info!(target: STEP, "uploading complete: {new} newly uploaded, {} cached", count - new);
        }
        Ok(())
    }

    async fn finish_one(
        &self,
        stage: &Stage,
        upload: Upload,
        announcement: Arc<Announcement>,
    ) -> Result<Staged> {
        let mut staged = Staged::Cached;
        let (blob, told) = (upload.blob, Arc::new(AtomicU64::new(0)));
        let source = upload.source.with_progress({
            let told = Arc::clone(&told);
            move |sent| {
                announcement.tell();
                tell(&blob, sent.saturating_sub(told.swap(sent, Ordering::Relaxed)));
            }
        });
        let put = async || {
            staged = stage.put_blob(&blob, &source).await?;
            Ok::<_, Error>(())
        };
        // When another's upload fails or is given up, the next of those who wait does it.
        self.way(&blob.digest).get_or_try_init(put).await?;
        tell(&blob, blob.size.saturating_sub(told.load(Ordering::Relaxed)));
        Ok(staged)
    }

    fn way(&self, digest: &Digest) -> Arc<OnceCell<()>> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(way) = under_way.get(digest).and_then(Weak::upgrade) {
            return way;
        }
        under_way.retain(|_, way| way.strong_count() > 0);
        let way = Arc::default();
        under_way.insert(*digest, Arc::downgrade(&way));
        way
    }
}

/// Tells that so many bytes more of `blob` are in the stage.
fn tell(blob: &Blob, bytes: u64) {
    if bytes > 0 {
        tracing::debug!(target: UPLOADED, bytes, "more of {} is in the stage", blob.digest);
    }
}

fn files(count: usize) -> &'static str {
    if count == 1 { "file" } else { "files" }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The announcement of another's uploads.
    fn silent() -> Arc<Announcement> {
        Arc::new(Announcement { line: String::new(), is_told: AtomicBool::new(true) })
    }

    #[tokio::test]
    async fn a_file_that_changed_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(&directory.path().join("stage")).unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "one").unwrap();
        let upload = Upload { blob: Blob::of(b"one"), source: Source::file(&path) };
        std::fs::write(&path, "two").unwrap();
        let uploads = Uploads::default();
        let error = uploads.finish(&stage, vec![upload.clone()]).await.unwrap_err();
        let expected = format!("the file {} changed while it was being staged", path.display());
        assert!(error.report().contains(&expected), "{error:?}");
        assert_eq!(error.exit_code(), 2);
        assert!(stage.get_blob(&upload.blob).await.is_err());
    }

    #[tokio::test]
    async fn what_several_need_at_once_is_uploaded_once() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        let blob = Blob::of(b"one");
        let upload = Upload { blob, source: Source::bytes("one") };
        let uploads = Uploads::default();
        for _ in 0..2 {
            let all = (0..10).map(|_| uploads.finish_one(&stage, upload.clone(), silent()));
            let all = futures::future::try_join_all(all).await.unwrap();
            assert_eq!(all.iter().filter(|staged| **staged == Staged::New).count(), 1);
            assert_eq!(
                uploads.finish_one(&stage, upload.clone(), silent()).await.unwrap(),
                Staged::Cached
            );
            // The stage is asked each time, since others may clean it up.
            std::fs::remove_dir_all(directory.path().join("blobs")).unwrap();
        }
    }

    #[tokio::test]
    async fn one_failure_is_no_others() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        let blob = Blob::of(b"one");
        let missing = Upload { blob, source: Source::file(directory.path().join("missing")) };
        let good = Upload { blob, source: Source::bytes("one") };
        let uploads = Uploads::default();
        let (first, second) =
            tokio::join!(uploads.finish(&stage, vec![missing]), uploads.finish(&stage, vec![good]));
        first.unwrap_err();
        second.unwrap();
        assert_eq!(stage.get_blob(&blob).await.unwrap(), "one");
    }
}
