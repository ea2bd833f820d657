use std::fmt;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use hype_wire::{Blob, Digest, names};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use url::Url;

use crate::error::{StageError, StageErrorKind};
use crate::gc;
use crate::location;

/// A prefix of an object store: blobs that all runs share, and the objects of each run.
///
/// Cloning is cheap, and clones share their connections.
#[derive(Clone)]
pub struct Stage {
    pub(crate) store: Arc<dyn ObjectStore>,
    url: Arc<str>,
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
    /// The stage at `url`, such as `file:///absolute/path`.
    ///
    /// # Errors
    ///
    /// [`StageErrorKind::Location`] when there is no such stage.
    pub fn open(url: &str) -> Result<Self, StageError> {
        let url = url.trim_end_matches('/');
        Ok(Self::of(location::open(url)?, url))
    }

    pub(crate) fn of(store: Arc<dyn ObjectStore>, url: &str) -> Self {
        Self { store, url: url.into() }
    }

    /// The stage at `url`, whose directory is made if it is one and absent.
    ///
    /// A submitter may begin a stage; a runner that finds none was sent to the wrong place.
    ///
    /// # Errors
    ///
    /// [`StageErrorKind::Location`] when there can be no such stage.
    pub fn open_or_make(url: &str) -> Result<Self, StageError> {
        location::make(url)?;
        Self::open(url)
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

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of the object `name`.
    pub fn url_of(&self, name: &str) -> String {
        format!("{}/{name}", self.url)
    }

    /// Puts `blob` where its digest says, unless it is there and young enough not to be collected
    /// while a run needs it; `read` gives its bytes.
    pub async fn put_blob<E: From<StageError>>(
        &self,
        blob: &Blob,
        read: impl AsyncFnOnce() -> Result<Bytes, E>,
    ) -> Result<Staged, E> {
        self.put_blob_at(blob, read, SystemTime::now()).await
    }

    pub(crate) async fn put_blob_at<E: From<StageError>>(
        &self,
        blob: &Blob,
        read: impl AsyncFnOnce() -> Result<Bytes, E>,
        now: SystemTime,
    ) -> Result<Staged, E> {
        let name = names::blob(&blob.digest);
        if let Some(object) = self.head(&name).await?
            && object.size == blob.size
            && now < SystemTime::from(object.last_modified) + gc::REFRESH_AFTER
        {
            return Ok(Staged::Cached);
        }
        self.put(&name, read().await?).await?;
        Ok(Staged::New)
    }

    /// The bytes of a blob, after making sure that they are those that its digest names.
    pub async fn get_blob(&self, blob: &Blob) -> Result<Bytes, StageError> {
        self.get_blob_at(&names::blob(&blob.digest), blob).await
    }

    /// The bytes of the object `name`, after making sure that they are those of `blob`. One of
    /// another size is refused before it is read.
    pub async fn get_blob_at(&self, name: &str, blob: &Blob) -> Result<Bytes, StageError> {
        let check = |size| match size == blob.size {
            true => Ok(()),
            false => Err(self.altered(name, "size", size, blob.size)),
        };
        self.verified(name, &blob.digest, self.get_checked(name, check).await?)
    }

    /// The bytes of the object `name`, after making sure that they have this digest. One with more
    /// than `at_most` bytes is refused before it is read.
    pub async fn get_verified(
        &self,
        name: &str,
        digest: &Digest,
        at_most: u64,
    ) -> Result<Bytes, StageError> {
        self.verified(name, digest, self.get(name, at_most).await?)
    }

    /// The bytes of the object `name`. One with more than `at_most` bytes is refused before it is
    /// read.
    pub async fn get(&self, name: &str, at_most: u64) -> Result<Bytes, StageError> {
        let check = |size| match size <= at_most {
            true => Ok(()),
            false => Err(StageError::too_large(&self.url_of(name), size, at_most)),
        };
        self.get_checked(name, check).await
    }

    /// The bytes of the object `name`, if `check` has nothing against their number.
    async fn get_checked(
        &self,
        name: &str,
        check: impl FnOnce(u64) -> Result<(), StageError>,
    ) -> Result<Bytes, StageError> {
        let unread = |error| StageError::of_request("read", &self.url_of(name), error);
        let object = self.store.get(&Path::from(name)).await.map_err(unread)?;
        check(object.meta.size)?;
        object.bytes().await.map_err(unread)
    }

    fn verified(&self, name: &str, digest: &Digest, bytes: Bytes) -> Result<Bytes, StageError> {
        let found = Digest::of(&bytes);
        if found == *digest {
            return Ok(bytes);
        }
        Err(self.altered(name, "digest", found.short(), digest.short()))
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
        self.store
            .put(&Path::from(name), PutPayload::from(bytes))
            .await
            .map(drop)
            .map_err(|error| StageError::of_request("write", &self.url_of(name), error))
    }

    /// Writes the object `name` unless there is one, in one step.
    pub async fn create(&self, name: &str, bytes: Bytes) -> Result<Created, StageError> {
        let payload = PutPayload::from(bytes);
        let written = self.store.put_opts(&Path::from(name), payload, PutMode::Create.into()).await;
        match written {
            Ok(_) => Ok(Created::Now),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(Created::Before),
            Err(error) => Err(StageError::of_request("write", &self.url_of(name), error)),
        }
    }

    /// Removes all objects of a run. One that is gone already is no error.
    pub async fn remove_run(&self, run_id: &str) -> Result<(), StageError> {
        let prefix = names::run(run_id);
        let remove = async {
            let objects = self.store.list(Some(&Path::from(prefix.as_str())));
            let names = objects.map_ok(|object| object.location).boxed();
            self.store.delete_stream(names).try_for_each(|_| async { Ok(()) }).await
        };
        match remove.await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(StageError::of_request("remove", &self.url_of(&prefix), error)),
        }
    }

    pub(crate) async fn head(&self, name: &str) -> Result<Option<ObjectMeta>, StageError> {
        match self.store.head(&Path::from(name)).await {
            Ok(object) => Ok(Some(object)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(StageError::of_request("look for", &self.url_of(name), error)),
        }
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stage({})", self.url)
    }
}
