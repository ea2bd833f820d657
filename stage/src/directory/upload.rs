//! A file that is written in parts.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use futures::FutureExt;
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::store::{failed, put_result};
use super::tree::Unpublished;
use crate::blocking::blocking;

/// An upload whose parts go to their places in a file under a temporary name.
#[derive(Debug)]
pub(super) struct DirectoryUpload {
    /// `None` once the upload was completed or aborted.
    file: Option<Arc<Unpublished>>,
    location: Path,
    offset: u64,
}

impl DirectoryUpload {
    pub(super) fn new(file: Unpublished, location: Path) -> Self {
        Self { file: Some(Arc::new(file)), location, offset: 0 }
    }

    fn take(&mut self) -> Result<Arc<Unpublished>> {
        self.file.take().ok_or_else(|| failed(&self.location, io::ErrorKind::BrokenPipe.into()))
    }
}

#[async_trait::async_trait]
impl MultipartUpload for DirectoryUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let mut offset = self.offset;
        self.offset += data.content_length() as u64;
        let (file, location) = (self.file.clone(), self.location.clone());
        blocking(move || {
            let write = || {
                let file = file.ok_or(io::ErrorKind::BrokenPipe)?;
                for piece in &data {
                    file.file.write_all_at(piece, offset)?;
                    offset += piece.len() as u64;
                }
                Ok(())
            };
            write().map_err(|error| failed(&location, error))
        })
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (file, location) = (self.take()?, self.location.clone());
        blocking(move || {
            // A part that is still being written holds the file, too.
            let file = Arc::into_inner(file).ok_or(io::ErrorKind::ResourceBusy);
            let replaced = file.map_err(io::Error::from).and_then(Unpublished::replace);
            replaced.map_err(|error| failed(&location, error)).map(|()| put_result())
        })
        .await
    }

    async fn abort(&mut self) -> Result<()> {
        let file = self.take()?;
        blocking(move || {
            drop(file);
            Ok(())
        })
        .await
    }
}
