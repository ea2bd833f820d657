//! A blob on its way into a store. Under its name there is all of it or nothing.

use std::sync::Arc;
use std::time::Duration;

use hype_wire::Digest;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::source::Reading;
use super::{PART, Persistence, Source, Turns};
use crate::error::StageError;

/// How many parts an upload has at most, for which providers allow 10,000.
const PARTS: u64 = 9_000;

/// How long a failed upload is given to remove its parts.
const CLEANUP: Duration = Duration::from_secs(10);

/// What an upload needs of its stage.
pub(crate) struct Upload<'a> {
    pub(crate) store: &'a Arc<dyn ObjectStore>,
    pub(crate) turns: &'a Turns,
    pub(crate) persistence: Persistence,
    pub(crate) path: &'a Path,
    pub(crate) size: u64,
    /// What a file must have whose bytes are sent.
    pub(crate) digest: Option<Digest>,
}

/// Why there is no upload: the store's error, or the source's.
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
    /// Sends all of `source`, whatever is in the store.
    pub(crate) async fn send(&self, source: &Source) -> Result<(), UploadError> {
        let reading = source.open(self.size, self.digest).await?;
        if reading.left() <= PART as u64 {
            self.send_whole(reading).await?;
        } else {
            self.send_parts(reading, source).await?;
        }
        source.tell(self.size);
        Ok(())
    }

    async fn send_whole(&self, reading: Reading) -> Result<(), UploadError> {
        let _turn = self.turns.wait(PART.min(self.size as usize)).await;
        let (bytes, _) = reading.next(PART).await?;
        let put = || self.store.put(self.path, bytes.clone().into());
        self.persistence.of(put).await?;
        Ok(())
    }

    async fn send_parts(&self, reading: Reading, source: &Source) -> Result<(), UploadError> {
        let begin = || self.store.put_multipart(self.path);
        let mut unfinished = Unfinished(Some(self.persistence.of(begin).await?));
        match self.fill(&mut unfinished, reading, source).await {
            Ok(()) => {
                unfinished.forget();
                Ok(())
            }
            Err(error) => {
                unfinished.abort().await;
                Err(error)
            }
        }
    }

    async fn fill(
        &self,
        unfinished: &mut Unfinished,
        mut reading: Reading,
        source: &Source,
    ) -> Result<(), UploadError> {
        let size = part_size(self.size);
        let (mut sending, mut sent) = (JoinSet::new(), 0);
        while reading.left() > 0 {
            let turn = self.turns.wait(size).await;
            while let Some(part) = sending.try_join_next() {
                sent += part.map_err(broken)??;
                source.tell(sent);
            }
            let bytes;
            (bytes, reading) = reading.next(size).await?;
            let length = bytes.len() as u64;
            let part = unfinished.part(bytes.into());
            sending.spawn(async move {
                let part = part.await;
                drop(turn);
                part.map(|()| length)
            });
        }
        while let Some(part) = sending.join_next().await {
            sent += part.map_err(broken)??;
            source.tell(sent);
        }
        self.complete(unfinished).await
    }

    async fn complete(&self, unfinished: &mut Unfinished) -> Result<(), UploadError> {
        let Err(error) = unfinished.complete().await else {
            return Ok(());
        };
        // Its answer may have been lost, and asked again the store knows of no such upload.
        let is_there = self.store.head(self.path).await;
        match is_there {
            Ok(object) if object.size == self.size => Ok(()),
            _ => Err(error.into()),
        }
    }
}

fn part_size(size: u64) -> usize {
    let least = size.div_ceil(PARTS);
    usize::try_from(least).unwrap_or(usize::MAX).max(PART)
}

fn broken(error: tokio::task::JoinError) -> object_store::Error {
    object_store::Error::JoinError { source: error }
}

/// An upload in parts, which stores keep, and take money for, until it is completed or aborted.
struct Unfinished(Option<Box<dyn MultipartUpload>>);

impl Unfinished {
    fn part(&mut self, bytes: PutPayload) -> object_store::UploadPart {
        match &mut self.0 {
            Some(upload) => upload.put_part(bytes),
            None => Box::pin(std::future::ready(Err(gone()))),
        }
    }

    async fn complete(&mut self) -> object_store::Result<()> {
        match &mut self.0 {
            Some(upload) => upload.complete().await.map(drop),
            None => Err(gone()),
        }
    }

    fn forget(mut self) {
        self.0 = None;
    }

    /// Removes its parts, unless the store is out of reach.
    async fn abort(mut self) {
        if let Some(upload) = self.0.take() {
            abort(upload).await;
        }
    }
}

impl Drop for Unfinished {
    /// Rust has no asynchronous drop: the parts of an upload that nobody waits for are removed as
    /// long as the runtime lives.
    fn drop(&mut self) {
        if let (Some(upload), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(abort(upload));
        }
    }
}

async fn abort(mut upload: Box<dyn MultipartUpload>) {
    // Stores have rules that remove what is left of it later.
    let _ = tokio::time::timeout(CLEANUP, upload.abort()).await;
}

fn gone() -> object_store::Error {
    object_store::Error::Generic { store: "hype", source: "the upload is over".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_upload_has_too_many_parts() {
        assert_eq!(part_size(1 << 30), PART);
        let terabyte = 1 << 40;
        assert!(terabyte / part_size(terabyte) as u64 <= PARTS);
    }
}
