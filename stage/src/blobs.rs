//! Uploads and downloads of blobs, which are verified by their digests.

use std::fs::File;
use std::path::Path as FilePath;
use std::time::SystemTime;

use bytes::Bytes;
use futures::future;
use hype_wire::{Blob, Digest, names};
use object_store::path::Path;

use crate::error::StageError;
use crate::gc;
use crate::stage::Stage;
use crate::store_error::Operation;
use crate::transfer::{Download, DownloadError, Source, Upload, UploadError, blob_of, release};

/// The result of [`Stage::put_blob`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staged {
    /// The blob was missing or old, and has been uploaded.
    New,
    /// The blob was in the stage already.
    Cached,
}

impl Stage {
    /// Uploads `blob` from `source`, unless the stage has it and it is younger than
    /// [`REFRESH_AFTER`](crate::REFRESH_AFTER), so that no garbage collection removes it during the run.
    ///
    /// Large blobs are uploaded in parts, and a file is never read into memory as a whole. The object
    /// appears atomically when the upload is complete. The operation is idempotent.
    ///
    /// # Errors
    ///
    /// Returns `StageErrorKind::File` if a file can't be read or its bytes differ from `blob`.
    ///
    /// ```
    /// use hype_stage::{Source, Stage, Staged};
    /// use hype_wire::Blob;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = Stage::open("memory://docs/put-blob")?;
    /// let (blob, source) = (Blob::of(b"bytes"), Source::bytes("bytes"));
    /// assert_eq!(stage.put_blob(&blob, &source).await?, Staged::New);
    /// assert_eq!(stage.put_blob(&blob, &source).await?, Staged::Cached);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn put_blob(&self, blob: &Blob, source: &Source) -> Result<Staged, StageError> {
        self.put_blob_at_time(blob, source, SystemTime::now()).await
    }

    pub(crate) async fn put_blob_at_time(
        &self,
        blob: &Blob,
        source: &Source,
        now: SystemTime,
    ) -> Result<Staged, StageError> {
        let name = names::blob(&blob.digest);
        if let Some(object) = self.head(&name).await?
            && object.size == blob.size
            && now < SystemTime::from(object.last_modified) + gc::REFRESH_AFTER
        {
            return Ok(Staged::Cached);
        }
        self.upload(&name, blob.size, Some(blob.digest), source).await?;
        Ok(Staged::New)
    }

    /// Writes the object `name`, replaces an existing one, and returns the blob of `bytes`. Large objects
    /// are uploaded in parts while they are hashed.
    ///
    /// # Errors
    ///
    /// Returns `StageErrorKind::Denied` or `StageErrorKind::Unavailable` if the store rejects the
    /// request or is unreachable.
    ///
    /// ```
    /// use hype_stage::Stage;
    /// use hype_wire::{Blob, names};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = Stage::open("memory://docs/put-blob-at")?;
    /// let name = names::result("run-1", 1);
    /// let blob = stage.put_blob_at(&name, "value".into()).await?;
    /// assert_eq!(blob, Blob::of(b"value"));
    /// assert_eq!(stage.get_blob_at(&name, &blob).await?, "value");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn put_blob_at(&self, name: &str, bytes: Bytes) -> Result<Blob, StageError> {
        let source = Source::bytes(bytes.clone());
        let uploading = self.upload(name, bytes.len() as u64, None, &source);
        let (blob, ()) = future::try_join(blob_of(bytes.clone()), uploading).await?;
        drop(source);
        release(bytes);
        Ok(blob)
    }

    /// Writes `blob` from `source` to the object `name`, and replaces an existing one.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`put_blob`](Self::put_blob).
    ///
    /// ```
    /// use hype_stage::{Source, Stage};
    /// use hype_wire::{Blob, names};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = Stage::open("memory://docs/put-at")?;
    /// let name = names::log("run-1", 1);
    /// stage.put_at(&name, &Blob::of(b"log"), &Source::bytes("log")).await?;
    /// assert_eq!(stage.get(&name, 1 << 20).await?, "log");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn put_at(&self, name: &str, blob: &Blob, source: &Source) -> Result<(), StageError> {
        self.upload(name, blob.size, Some(blob.digest), source).await
    }

    async fn upload(
        &self,
        name: &str,
        size: u64,
        digest: Option<Digest>,
        source: &Source,
    ) -> Result<(), StageError> {
        let (store, transfers, retry) = (&self.store, &self.transfers, self.retry);
        let path = &Path::from(name);
        let upload = Upload { store, transfers, retry, path, size, digest };
        upload.send(source).await.map_err(|error| match error {
            UploadError::Source(error) => error,
            UploadError::Store(error) => self.failed(Operation::Write, name, error),
        })
    }

    /// Reads a blob and verifies its size and its digest.
    ///
    /// # Errors
    ///
    /// Returns `StageErrorKind::NotFound` if the blob is missing, `StageErrorKind::Altered` if its size
    /// or its digest differs, and `StageErrorKind::TooLarge` if it doesn't fit into memory.
    ///
    /// ```
    /// use hype_stage::{Stage, StageErrorKind};
    /// use hype_wire::{Blob, names};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = Stage::open("memory://docs/get-blob")?;
    /// let blob = Blob::of(b"bytes");
    /// assert_eq!(stage.get_blob(&blob).await.unwrap_err().kind(), StageErrorKind::NotFound);
    ///
    /// stage.put(&names::blob(&blob.digest), "other".into()).await?;
    /// assert_eq!(stage.get_blob(&blob).await.unwrap_err().kind(), StageErrorKind::Altered);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_blob(&self, blob: &Blob) -> Result<Bytes, StageError> {
        self.get_blob_at(&names::blob(&blob.digest), blob).await
    }

    /// Reads the object `name` and verifies that it is `blob`. Large objects are downloaded in parts, in
    /// parallel. An object of another size is rejected before it is read.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`get_blob`](Self::get_blob).
    pub async fn get_blob_at(&self, name: &str, blob: &Blob) -> Result<Bytes, StageError> {
        let path = Path::from(name);
        match Box::pin(self.download(&path, blob).bytes()).await {
            Ok(bytes) => Ok(bytes),
            Err(error) => Err(self.read_error(name, blob, error).await),
        }
    }

    /// Downloads a blob to a new file at `to` with mode 0600, and verifies its digest. Only a few parts are
    /// in memory at a time. On an error, the new file is removed.
    ///
    /// # Errors
    ///
    /// Returns `StageErrorKind::File` if the file exists or can't be written, and the errors of
    /// [`get_blob`](Self::get_blob).
    ///
    /// ```
    /// use hype_stage::Stage;
    /// use hype_wire::{Blob, names};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let stage = Stage::open("memory://docs/save-blob")?;
    /// let blob = Blob::of(b"bytes");
    /// stage.put(&names::blob(&blob.digest), "bytes".into()).await?;
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("copy");
    /// stage.save_blob(&blob, &path).await?;
    /// assert_eq!(std::fs::read_to_string(path)?, "bytes");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn save_blob(&self, blob: &Blob, to: &FilePath) -> Result<(), StageError> {
        let name = names::blob(&blob.digest);
        let path = Path::from(name.as_str());
        match Box::pin(self.download(&path, blob).save(to.to_owned())).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.read_error(&name, blob, error).await),
        }
    }

    /// Downloads a blob into `file`, an empty in-memory file that only this process has open, verifies its
    /// digest and returns the file.
    ///
    /// # Errors
    ///
    /// Returns `StageErrorKind::File` if the file can't be written, and the errors of
    /// [`get_blob`](Self::get_blob).
    ///
    /// ```
    /// use std::io::{Read, Seek};
    ///
    /// use hype_stage::Stage;
    /// use hype_wire::{Blob, names};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let stage = Stage::open("memory://docs/fill-with-blob")?;
    /// let blob = Blob::of(b"bytes");
    /// stage.put(&names::blob(&blob.digest), "bytes".into()).await?;
    /// let mut file = stage.fill_with_blob(&blob, tempfile::tempfile()?).await?;
    /// let mut found = String::new();
    /// file.rewind()?;
    /// file.read_to_string(&mut found)?;
    /// assert_eq!(found, "bytes");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn fill_with_blob(&self, blob: &Blob, file: File) -> Result<File, StageError> {
        let name = names::blob(&blob.digest);
        let path = Path::from(name.as_str());
        let copy = format!("a copy of {}", self.url_of(&name));
        match Box::pin(self.download(&path, blob).fill(file, copy)).await {
            Ok(file) => Ok(file),
            Err(error) => Err(self.read_error(&name, blob, error).await),
        }
    }

    fn download<'a>(&'a self, path: &'a Path, blob: &Blob) -> Download<'a> {
        let (store, transfers, retry) = (&self.store, &self.transfers, self.retry);
        let is_local = self.provider.is_none();
        Download { store, transfers, retry, path, blob: *blob, is_local }
    }

    /// Returns the error of a failed download of `blob` from the object `name`.
    async fn read_error(&self, name: &str, blob: &Blob, error: DownloadError) -> StageError {
        let error = match error {
            DownloadError::Store(error) => error,
            DownloadError::Local(error) => return error,
            DownloadError::Size(found) => return self.altered(name, "size", found, blob.size),
            DownloadError::Digest(found) => {
                return self.altered(name, "digest", found.short(), blob.digest.short());
            }
        };
        // The store rejects a range beyond the end of an object that is too short.
        match self.head(name).await {
            Ok(Some(object)) if object.size != blob.size => {
                self.altered(name, "size", object.size, blob.size)
            }
            _ => self.failed(Operation::Read, name, error),
        }
    }
}
