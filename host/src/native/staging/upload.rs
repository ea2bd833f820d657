//! Uploads of blobs to the stage, deduplicated between the runs of a submitter.

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

/// The number of blobs of one run that are uploaded concurrently. The stage limits their memory.
const CONCURRENT_UPLOADS: usize = 32;

/// A blob that a run needs, and the source of its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) blob: Blob,
    pub(crate) source: Source,
}

/// The uploads of one submitter.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    /// The running upload of each blob. Other runs that need the blob wait for it.
    running: Mutex<HashMap<Digest, Weak<OnceCell<()>>>>,
    /// Whether the message that all blobs were cached has been logged, which happens once per submitter.
    has_logged_all_cached: AtomicBool,
}

/// The message that announces the uploads of a run. It is logged when the first bytes are sent.
struct Announcement {
    line: String,
    is_logged: AtomicBool,
}

impl Announcement {
    fn log_once(&self) {
        if !self.is_logged.swap(true, Ordering::Relaxed) {
            tracing::info!(target: STEP, "{}", self.line);
        }
    }
}

impl Uploads {
    /// Uploads those of `uploads` that `stage` doesn't have, and waits until all of them are there.
    pub(crate) async fn finish(&self, stage: &Stage, uploads: Vec<Upload>) -> Result<()> {
        let count = uploads.len();
        let bytes: u64 = uploads.iter().map(|upload| upload.blob.size).sum();
        let span = tracing::info_span!("upload", files = count, bytes);
        self.finish_all(stage, uploads).instrument(span).await
    }

    async fn finish_all(&self, stage: &Stage, uploads: Vec<Upload>) -> Result<()> {
        let count = uploads.len();
        let line = format!("uploading {count} {} to {}", files(count), stage.url());
        let announcement = Arc::new(Announcement { line, is_logged: AtomicBool::new(false) });
        let staged = stream::iter(uploads)
            .map(|upload| self.finish_one(stage, upload, Arc::clone(&announcement)))
            .buffer_unordered(CONCURRENT_UPLOADS)
            .try_collect::<Vec<_>>()
            .await?;
        let new = staged.iter().filter(|staged| **staged == Staged::New).count();
        if new > 0 || !self.has_logged_all_cached.swap(true, Ordering::Relaxed) {
            announcement.log_once();
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
        let (blob, reported) = (upload.blob, Arc::new(AtomicU64::new(0)));
        let source = upload.source.with_progress({
            let reported = Arc::clone(&reported);
            move |sent| {
                announcement.log_once();
                report_progress(&blob, sent.saturating_sub(reported.swap(sent, Ordering::Relaxed)));
            }
        });
        let put = async || {
            staged = stage.put_blob(&blob, &source).await?;
            Ok::<_, Error>(())
        };
        // If the running upload of another run fails or is dropped, the next waiting run retries it.
        self.running_upload(&blob.digest).get_or_try_init(put).await?;
        report_progress(&blob, blob.size.saturating_sub(reported.load(Ordering::Relaxed)));
        Ok(staged)
    }

    /// Returns the cell that the upload of a blob initializes.
    fn running_upload(&self, digest: &Digest) -> Arc<OnceCell<()>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(upload) = running.get(digest).and_then(Weak::upgrade) {
            return upload;
        }
        running.retain(|_, upload| upload.strong_count() > 0);
        let upload = Arc::default();
        running.insert(*digest, Arc::downgrade(&upload));
        upload
    }
}

/// Reports that `bytes` more bytes of `blob` are in the stage.
fn report_progress(blob: &Blob, bytes: u64) {
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

    /// Returns an announcement that is never logged.
    fn silent() -> Arc<Announcement> {
        Arc::new(Announcement { line: String::new(), is_logged: AtomicBool::new(true) })
    }

    #[tokio::test]
    async fn changed_file_is_rejected() {
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
    async fn concurrent_uploads_of_a_blob_are_deduplicated() {
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
            // Each upload asks the stage, since a garbage collection may have removed the blob.
            std::fs::remove_dir_all(directory.path().join("blobs")).unwrap();
        }
    }

    #[tokio::test]
    async fn failed_upload_of_a_blob_is_retried_by_other_runs() {
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
