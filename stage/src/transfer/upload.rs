//! The upload of a blob, which is atomic: the object is complete or doesn't exist.

use std::sync::Arc;
use std::time::Duration;

use hype_wire::Digest;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::source::SourceReader;
use super::{PART, RetryPolicy, Source, TransferLimit};
use crate::error::StageError;

/// The maximum number of parts of an upload. Providers allow 10,000.
const MAX_PARTS: u64 = 9_000;

/// The timeout for the cleanup of a failed upload's parts.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(10);

/// The parameters of an upload.
pub(crate) struct Upload<'a> {
    pub(crate) store: &'a Arc<dyn ObjectStore>,
    pub(crate) transfers: &'a TransferLimit,
    pub(crate) retry: RetryPolicy,
    pub(crate) path: &'a Path,
    pub(crate) size: u64,
    /// The expected digest of a file.
    pub(crate) digest: Option<Digest>,
}

/// The error of an upload: of the store or of the source.
#[derive(Debug)]
pub(crate) enum UploadError {
    Store(object_store::Error),
    Source(StageError),
}

impl From<object_store::Error> for UploadError {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<StageError> for UploadError {
    fn from(error: StageError) -> Self {
        Self::Source(error)
    }
}

impl Upload<'_> {
    /// Uploads all of `source`, and replaces an existing object.
    pub(crate) async fn send(&self, source: &Source) -> Result<(), UploadError> {
        let reader = source.open(self.size, self.digest).await?;
        if reader.remaining() <= PART as u64 {
            self.send_in_one_request(reader).await?;
        } else {
            self.send_in_parts(reader, source).await?;
        }
        source.report_progress(self.size);
        Ok(())
    }

    async fn send_in_one_request(&self, reader: SourceReader) -> Result<(), UploadError> {
        let _permit = self.transfers.acquire(PART.min(self.size as usize)).await;
        let (bytes, _) = reader.next(PART).await?;
        let put = || self.store.put(self.path, bytes.clone().into());
        self.retry.run(put).await?;
        Ok(())
    }

    async fn send_in_parts(
        &self,
        reader: SourceReader,
        source: &Source,
    ) -> Result<(), UploadError> {
        let begin = || self.store.put_multipart(self.path);
        let mut upload = OpenUpload(Some(self.retry.run(begin).await?));
        match self.fill(&mut upload, reader, source).await {
            Ok(()) => {
                upload.disarm();
                Ok(())
            }
            Err(error) => {
                upload.abort().await;
                Err(error)
            }
        }
    }

    async fn fill(
        &self,
        upload: &mut OpenUpload,
        mut reader: SourceReader,
        source: &Source,
    ) -> Result<(), UploadError> {
        let size = part_size(self.size);
        let (mut tasks, mut sent) = (JoinSet::new(), 0);
        while reader.remaining() > 0 {
            let permit = self.transfers.acquire(size).await;
            while let Some(part) = tasks.try_join_next() {
                sent += part.map_err(join_error)??;
                source.report_progress(sent);
            }
            let bytes;
            (bytes, reader) = reader.next(size).await?;
            let length = bytes.len() as u64;
            let part = upload.part(bytes.into());
            tasks.spawn(async move {
                let part = part.await;
                drop(permit);
                part.map(|()| length)
            });
        }
        while let Some(part) = tasks.join_next().await {
            sent += part.map_err(join_error)??;
            source.report_progress(sent);
        }
        self.complete(upload).await
    }

    async fn complete(&self, upload: &mut OpenUpload) -> Result<(), UploadError> {
        let Err(error) = upload.complete().await else {
            return Ok(());
        };
        // If the response was lost, the client's retry finds no such upload, but the object exists.
        match self.store.head(self.path).await {
            Ok(object) if object.size == self.size => Ok(()),
            _ => Err(error.into()),
        }
    }
}

fn part_size(size: u64) -> usize {
    let min_size = size.div_ceil(MAX_PARTS);
    usize::try_from(min_size).unwrap_or(usize::MAX).max(PART)
}

fn join_error(error: tokio::task::JoinError) -> object_store::Error {
    object_store::Error::JoinError { source: error }
}

/// An open multipart upload, aborted on drop. Stores keep and bill its parts until it is completed or aborted.
struct OpenUpload(Option<Box<dyn MultipartUpload>>);

impl OpenUpload {
    fn part(&mut self, bytes: PutPayload) -> object_store::UploadPart {
        match &mut self.0 {
            Some(upload) => upload.put_part(bytes),
            None => Box::pin(std::future::ready(Err(closed()))),
        }
    }

    async fn complete(&mut self) -> object_store::Result<()> {
        match &mut self.0 {
            Some(upload) => upload.complete().await.map(drop),
            None => Err(closed()),
        }
    }

    /// Prevents the abort on drop, after the upload has been completed.
    fn disarm(mut self) {
        self.0 = None;
    }

    /// Removes the parts, unless the store is unreachable.
    async fn abort(mut self) {
        if let Some(upload) = self.0.take() {
            abort(upload).await;
        }
    }
}

impl Drop for OpenUpload {
    /// Spawns the abort, since Rust has no asynchronous drop. It runs as long as the runtime does.
    fn drop(&mut self) {
        if let (Some(upload), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(abort(upload));
        }
    }
}

async fn abort(mut upload: Box<dyn MultipartUpload>) {
    // A lifecycle rule of the bucket removes the parts if the abort fails.
    let _ = tokio::time::timeout(CLEANUP_TIMEOUT, upload.abort()).await;
}

fn closed() -> object_store::Error {
    object_store::Error::Generic { store: "hype", source: "the upload is over".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_size_bounds_the_number_of_parts() {
        assert_eq!(part_size(1 << 30), PART);
        let terabyte = 1 << 40;
        assert!(terabyte / part_size(terabyte) as u64 <= MAX_PARTS);
    }
}
