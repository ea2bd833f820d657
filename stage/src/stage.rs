use std::fmt;
use std::fs::File;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures::future;
use hype_wire::{Blob, Digest, names};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use url::Url;

use crate::error::{StageError, StageErrorKind};
use crate::gc;
use crate::location::Location;
use crate::options::StageOptions;
use crate::provider::Provider;
use crate::refusal::Request;
use crate::store;
use crate::transfer::{
    Download, DownloadError, Persistence, Source, Turns, Upload, UploadError, blob_of, release,
    whole,
};

/// A prefix of an object store: blobs that all runs share, and the objects of each run.
///
/// Cloning is cheap, and clones share their connections.
#[derive(Clone)]
pub struct Stage {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// The provider that keeps the objects; none where this machine does.
    provider: Option<&'static Provider>,
    url: Arc<str>,
    turns: Turns,
    pub(crate) persistence: Persistence,
}

/// Whether a blob had to be uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staged {
    /// It was absent.
    New,
    /// It was there.
    Cached,
}

/// Whether an object that must be written once was written now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// We wrote it.
    Now,
    /// Somebody had written it, and theirs stays.
    Before,
}

impl Stage {
    /// The stage at `url`, such as `gs://bucket/prefix` or `file:///absolute/path`, with the
    /// environment of this process.
    ///
    /// # Errors
    ///
    /// [`StageErrorKind::Location`] when there is no such stage, [`StageErrorKind::Denied`] when
    /// the provider's credentials are none that can be used.
    pub fn open(url: &str) -> Result<Self, StageError> {
        Self::open_with(url, &StageOptions::new())
    }

    /// The stage at `url`, opened with `options`.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with(url: &str, options: &StageOptions) -> Result<Self, StageError> {
        Self::at(url, &Location::parse(url)?, options)
    }

    /// The stage at `url`, whose directory is made if it is one and absent.
    ///
    /// A submitter may begin a stage; a runner that finds none was sent to the wrong place.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), or when the directory cannot be made.
    pub fn open_or_make(url: &str) -> Result<Self, StageError> {
        let location = Location::parse(url)?;
        store::make(&location)?;
        Self::at(url, &location, &StageOptions::new())
    }

    fn at(url: &str, location: &Location, options: &StageOptions) -> Result<Self, StageError> {
        Ok(Self {
            provider: location.provider(),
            persistence: Persistence::new(options.retry_for()),
            ..Self::of(store::open(url, location, options)?, url.trim_end_matches('/'))
        })
    }

    /// The stage whose objects `store` keeps, here unless it is said.
    pub(crate) fn of(store: Arc<dyn ObjectStore>, url: &str) -> Self {
        Self {
            store,
            provider: None,
            url: url.into(),
            turns: Turns::new(),
            persistence: Persistence::default(),
        }
    }

    /// The stage in a directory of this machine, which is made if absent.
    ///
    /// # Errors
    ///
    /// [`StageErrorKind::Location`] when the path is relative or cannot be a directory.
    pub fn in_directory(path: &FilePath) -> Result<Self, StageError> {
        let url = Url::from_directory_path(path).map_err(|()| {
            let message = format!("{} is not an absolute path", path.display());
            StageError::new(StageErrorKind::Location, message)
        })?;
        Self::open_or_make(url.as_str())
    }

    /// The directory of this machine that `url` names as a stage; none if the stage is elsewhere.
    ///
    /// # Errors
    ///
    /// [`StageErrorKind::Location`] when there is no such stage.
    pub fn directory_of(url: &str) -> Result<Option<PathBuf>, StageError> {
        match Location::parse(url)? {
            Location::Directory(path) => Ok(Some(path)),
            _ => Ok(None),
        }
    }

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of the object `name`.
    pub fn url_of(&self, name: &str) -> String {
        format!("{}/{name}", self.url)
    }

    /// Puts `blob`, whose bytes `source` has, where its digest says, unless it is there and young
    /// enough not to be collected while a run needs it.
    ///
    /// Large ones go in parts, and what is read of a file is never all in memory. Until all of it
    /// is there, nothing is.
    ///
    /// # Errors
    ///
    /// [`StageErrorKind::File`] when a file cannot be read or hasn't the bytes of `blob` any more.
    pub async fn put_blob(&self, blob: &Blob, source: &Source) -> Result<Staged, StageError> {
        self.put_blob_now(blob, source, SystemTime::now()).await
    }

    pub(crate) async fn put_blob_now(
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

    /// Writes the object `name`, over another if there is one, and tells which blob `bytes` are.
    /// Large ones go in parts, while they are hashed.
    pub async fn put_blob_at(&self, name: &str, bytes: Bytes) -> Result<Blob, StageError> {
        let source = Source::bytes(bytes.clone());
        let uploading = self.upload(name, bytes.len() as u64, None, &source);
        let (blob, ()) = future::try_join(blob_of(bytes.clone()), uploading).await?;
        drop(source);
        release(bytes);
        Ok(blob)
    }

    /// Writes the object `name`, over another if there is one: `blob`, whose bytes `source` has.
    ///
    /// # Errors
    ///
    /// As [`put_blob`](Self::put_blob).
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
        let (store, turns, persistence) = (&self.store, &self.turns, self.persistence);
        let path = &Path::from(name);
        let upload = Upload { store, turns, persistence, path, size, digest };
        upload.send(source).await.map_err(|error| match error {
            UploadError::Source(error) => error,
            UploadError::Store(error) => self.failed(Request::Write, name, error),
        })
    }

    /// The bytes of a blob, after making sure that they are those that its digest names.
    pub async fn get_blob(&self, blob: &Blob) -> Result<Bytes, StageError> {
        self.get_blob_at(&names::blob(&blob.digest), blob).await
    }

    /// The bytes of the object `name`, after making sure that they are those of `blob`. Large ones
    /// come in parts, in parallel. One of another size is refused before it is read.
    pub async fn get_blob_at(&self, name: &str, blob: &Blob) -> Result<Bytes, StageError> {
        let path = Path::from(name);
        match self.download(&path, blob).bytes().await {
            Ok(bytes) => Ok(bytes),
            Err(error) => Err(self.not_read(name, blob, error).await),
        }
    }

    /// Writes the bytes of a blob to a new file at `to`, which only this user can read, after making
    /// sure that they are those that its digest names. Little of it is in memory at once.
    ///
    /// # Errors
    ///
    /// [`StageErrorKind::File`] when there is such a file, or it cannot be written. On any error
    /// there is none but what was there.
    pub async fn save_blob(&self, blob: &Blob, to: &FilePath) -> Result<(), StageError> {
        let name = names::blob(&blob.digest);
        let path = Path::from(name.as_str());
        match self.download(&path, blob).save(to.to_owned()).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.not_read(&name, blob, error).await),
        }
    }

    /// Writes the bytes of a blob to `file`, which is empty, in memory and this process's own, and gives it
    /// back once they are sure to be those that its digest names.
    ///
    /// # Errors
    ///
    /// [`StageErrorKind::File`] when it cannot be written. What it has on an error is of no use.
    pub async fn fill_with_blob(&self, blob: &Blob, file: File) -> Result<File, StageError> {
        let name = names::blob(&blob.digest);
        let path = Path::from(name.as_str());
        let copy = format!("a copy of {}", self.url_of(&name));
        match self.download(&path, blob).fill_memory(file, copy).await {
            Ok(file) => Ok(file),
            Err(error) => Err(self.not_read(&name, blob, error).await),
        }
    }

    fn download<'a>(&'a self, path: &'a Path, blob: &Blob) -> Download<'a> {
        let (store, turns, persistence) = (&self.store, &self.turns, self.persistence);
        let is_here = self.provider.is_none();
        Download { store, turns, persistence, path, blob: *blob, is_here }
    }

    /// Why the object `name` wasn't read as `blob`.
    async fn not_read(&self, name: &str, blob: &Blob, error: DownloadError) -> StageError {
        let error = match error {
            DownloadError::Store(error) => error,
            DownloadError::Here(error) => return error,
            DownloadError::Size(found) => return self.altered(name, "size", found, blob.size),
            DownloadError::Digest(found) => {
                return self.altered(name, "digest", found.short(), blob.digest.short());
            }
        };
        // Of an object that is too short, a part cannot be asked for.
        match self.head(name).await {
            Ok(Some(object)) if object.size != blob.size => {
                self.altered(name, "size", object.size, blob.size)
            }
            _ => self.failed(Request::Read, name, error),
        }
    }

    /// The bytes of the object `name`, after making sure that they have this digest. One with more
    /// than `at_most` bytes is refused before it is read.
    pub async fn get_verified(
        &self,
        name: &str,
        digest: &Digest,
        at_most: u64,
    ) -> Result<Bytes, StageError> {
        let bytes = self.get(name, at_most).await?;
        match Digest::of(&bytes) {
            found if found == *digest => Ok(bytes),
            found => Err(self.altered(name, "digest", found.short(), digest.short())),
        }
    }

    /// The bytes of the object `name`. One with more than `at_most` bytes is refused before it is
    /// read.
    pub async fn get(&self, name: &str, at_most: u64) -> Result<Bytes, StageError> {
        match self.get_if(name, |size| size <= at_most).await? {
            Ok(bytes) => Ok(bytes),
            Err(size) => Err(StageError::too_large(&self.url_of(name), size, at_most)),
        }
    }

    /// The bytes of the object `name` if their number `is_right`, else that number.
    async fn get_if(
        &self,
        name: &str,
        is_right: impl Fn(u64) -> bool,
    ) -> Result<Result<Bytes, u64>, StageError> {
        let _turn = self.turns.wait(0).await;
        let path = Path::from(name);
        let read = || async {
            let object = self.store.get(&path).await?;
            match object.meta.size {
                size if is_right(size) => whole(object).await.map(Ok),
                size => Ok(Err(size)),
            }
        };
        let read = self.persistence.of(read).await;
        read.map_err(|error| self.failed(Request::Read, name, error))
    }

    fn altered(
        &self,
        name: &str,
        what: &str,
        found: impl fmt::Display,
        wanted: impl fmt::Display,
    ) -> StageError {
        let url = self.url_of(name);
        let problem = format!("{url} was altered: its {what} is {found} and should be {wanted}");
        StageError::new(StageErrorKind::Altered, problem)
    }

    /// Writes the object `name`, over another if there is one.
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<(), StageError> {
        let _turn = self.turns.wait(bytes.len()).await;
        let path = Path::from(name);
        let write = || self.store.put(&path, PutPayload::from(bytes.clone()));
        let written = self.persistence.of(write).await;
        written.map(drop).map_err(|error| self.failed(Request::Write, name, error))
    }

    /// Writes the object `name` unless there is one, in one step.
    ///
    /// When the answer to a write is lost, asking again finds the object there. So `bytes` must be
    /// like nobody else's: an object that has them is ours.
    pub async fn create(&self, name: &str, bytes: Bytes) -> Result<Created, StageError> {
        let path = Path::from(name);
        let write = || {
            let payload = PutPayload::from(bytes.clone());
            self.store.put_opts(&path, payload, PutMode::Create.into())
        };
        match self.persistence.of(write).await {
            Ok(_) => Ok(Created::Now),
            Err(object_store::Error::AlreadyExists { .. }) => {
                let found = self.get_if(name, |size| size == bytes.len() as u64).await?;
                Ok(if found == Ok(bytes) { Created::Now } else { Created::Before })
            }
            Err(error) => Err(self.failed(Request::Write, name, error)),
        }
    }

    /// Whether there is an object `name`.
    pub async fn has(&self, name: &str) -> Result<bool, StageError> {
        Ok(self.head(name).await?.is_some())
    }

    pub(crate) async fn head(&self, name: &str) -> Result<Option<ObjectMeta>, StageError> {
        let _turn = self.turns.wait(0).await;
        let path = Path::from(name);
        match self.persistence.of(|| self.store.head(&path)).await {
            Ok(object) => Ok(Some(object)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(Request::LookFor, name, error)),
        }
    }

    /// The error of a request for the object `name`.
    pub(crate) fn failed(
        &self,
        request: Request,
        name: &str,
        error: object_store::Error,
    ) -> StageError {
        request.failed(self.provider, &self.url_of(name), error)
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stage({})", self.url)
    }
}
