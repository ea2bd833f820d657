//! Small objects: written, created once, read with a maximum size.

use std::time::SystemTime;

use bytes::Bytes;
use hype_wire::Digest;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt, PutMode, PutPayload};

use crate::error::StageError;
use crate::stage::Stage;
use crate::store_error::Operation;
use crate::transfer::read_whole;

/// The result of [`Stage::create`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// This call created the object.
    New,
    /// The object existed already, and is unchanged.
    Existing,
}

impl Stage {
    /// Reads the object `name` and verifies its digest. An object of more than `at_most` bytes is rejected
    /// before it is read.
    ///
    /// # Errors
    ///
    /// Returns `StageErrorKind::NotFound`, `StageErrorKind::TooLarge` or `StageErrorKind::Altered`.
    ///
    /// ```
    /// use hype_stage::Stage;
    /// use hype_wire::Digest;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = Stage::open("memory://docs/get-verified")?;
    /// stage.put("runs/run-1/manifest", "bytes".into()).await?;
    /// let digest = Digest::of(b"bytes");
    /// assert_eq!(stage.get_verified("runs/run-1/manifest", &digest, 1 << 20).await?, "bytes");
    /// # Ok(())
    /// # }
    /// ```
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

    /// Reads the object `name`. An object of more than `at_most` bytes is rejected before it is read.
    ///
    /// # Errors
    ///
    /// Returns `StageErrorKind::NotFound` or `StageErrorKind::TooLarge`.
    ///
    /// ```
    /// use hype_stage::{Stage, StageErrorKind};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = Stage::open("memory://docs/get")?;
    /// stage.put("runs/run-1/outcome", "bytes".into()).await?;
    /// assert_eq!(stage.get("runs/run-1/outcome", 5).await?, "bytes");
    /// let error = stage.get("runs/run-1/outcome", 4).await.unwrap_err();
    /// assert_eq!(error.kind(), StageErrorKind::TooLarge);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get(&self, name: &str, at_most: u64) -> Result<Bytes, StageError> {
        match self.get_if(name, |size| size <= at_most).await? {
            Ok(bytes) => Ok(bytes),
            Err(size) => Err(StageError::too_large(&self.url_of(name), size, at_most)),
        }
    }

    /// Reads the object `name` if its size is accepted, else returns the size.
    async fn get_if(
        &self,
        name: &str,
        accepts_size: impl Fn(u64) -> bool,
    ) -> Result<Result<Bytes, u64>, StageError> {
        let read = self.read_if(name, accepts_size).await.map(|read| read.map(|(bytes, _)| bytes));
        read.map_err(|error| self.failed(Operation::Read, name, error))
    }

    /// Reads the object `name` with the time of its last change if its size is accepted, else returns the size.
    /// Returns `None` if it is missing.
    pub(crate) async fn find_if(
        &self,
        name: &str,
        accepts_size: impl Fn(u64) -> bool,
    ) -> Result<Option<Result<(Bytes, SystemTime), u64>>, StageError> {
        match self.read_if(name, accepts_size).await {
            Ok(read) => Ok(Some(read)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(Operation::Read, name, error)),
        }
    }

    async fn read_if(
        &self,
        name: &str,
        accepts_size: impl Fn(u64) -> bool,
    ) -> object_store::Result<Result<(Bytes, SystemTime), u64>> {
        let _permit = self.transfers.acquire(0).await;
        let path = Path::from(name);
        let read = || async {
            let object = self.store.get(&path).await?;
            let written = object.meta.last_modified.into();
            match object.meta.size {
                size if accepts_size(size) => {
                    read_whole(object).await.map(|bytes| Ok((bytes, written)))
                }
                size => Ok(Err(size)),
            }
        };
        self.retry.run(read).await
    }

    /// Writes the object `name`, and replaces an existing one. The operation is idempotent.
    ///
    /// # Errors
    ///
    /// Returns `StageErrorKind::Denied` or `StageErrorKind::Unavailable` if the store rejects the
    /// request or is unreachable.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = hype_stage::Stage::open("memory://docs/put")?;
    /// stage.put("runs/run-1/lease", "first".into()).await?;
    /// stage.put("runs/run-1/lease", "second".into()).await?;
    /// assert_eq!(stage.get("runs/run-1/lease", 1 << 20).await?, "second");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<(), StageError> {
        let _permit = self.transfers.acquire(bytes.len()).await;
        let path = Path::from(name);
        let write = || self.store.put(&path, PutPayload::from(bytes.clone()));
        let written = self.retry.run(write).await;
        written.map(drop).map_err(|error| self.failed(Operation::Write, name, error))
    }

    /// Copies the object `from` to `to` within the store, so that its bytes don't pass through this process. Replaces an
    /// existing object. The operation is idempotent.
    ///
    /// # Errors
    ///
    /// Returns `StageErrorKind::NotFound` if there is no object `from`, and `StageErrorKind::Denied` or
    /// `StageErrorKind::Unavailable` if the store rejects the request or is unreachable.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// use hype_stage::Stage;
    /// use hype_wire::names;
    ///
    /// let stage = Stage::open("memory://docs/copy")?;
    /// let (from, to) = (names::result("run-1", 1), names::value("run-2"));
    /// stage.put(&from, "value".into()).await?;
    /// stage.copy(&from, &to).await?;
    /// assert_eq!(stage.get(&to, 1 << 20).await?, "value");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn copy(&self, from: &str, to: &str) -> Result<(), StageError> {
        let _permit = self.transfers.acquire(0).await;
        let (source, target) = (Path::from(from), Path::from(to));
        let copied = self.retry.run(|| self.store.copy(&source, &target)).await;
        copied.map_err(|error| {
            let name = match error {
                object_store::Error::NotFound { .. } => from,
                _ => to,
            };
            self.failed(Operation::Write, name, error)
        })
    }

    /// Creates the object `name` unless it exists, atomically.
    ///
    /// If the response to a write is lost, the retry finds the object. It counts as created by this call
    /// if it has the same bytes, so `bytes` must be unique to the caller.
    ///
    /// # Errors
    ///
    /// Returns `StageErrorKind::Denied` or `StageErrorKind::Unavailable` if the store rejects the
    /// request or is unreachable.
    ///
    /// ```
    /// use hype_stage::{Created, Stage};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = Stage::open("memory://docs/create")?;
    /// assert_eq!(stage.create("runs/run-1/outcome", "first".into()).await?, Created::New);
    /// assert_eq!(stage.create("runs/run-1/outcome", "second".into()).await?, Created::Existing);
    /// assert_eq!(stage.get("runs/run-1/outcome", 1 << 20).await?, "first");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create(&self, name: &str, bytes: Bytes) -> Result<Created, StageError> {
        let path = Path::from(name);
        let write = || {
            let payload = PutPayload::from(bytes.clone());
            self.store.put_opts(&path, payload, PutMode::Create.into())
        };
        match self.retry.run(write).await {
            Ok(_) => Ok(Created::New),
            Err(object_store::Error::AlreadyExists { .. }) => {
                let found = self.get_if(name, |size| size == bytes.len() as u64).await?;
                Ok(if found == Ok(bytes) { Created::New } else { Created::Existing })
            }
            Err(error) => Err(self.failed(Operation::Write, name, error)),
        }
    }

    /// Returns whether the object `name` exists.
    ///
    /// # Errors
    ///
    /// Returns `StageErrorKind::Denied` or `StageErrorKind::Unavailable` if the store rejects the
    /// request or is unreachable.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = hype_stage::Stage::open("memory://docs/has")?;
    /// stage.put("clock", "".into()).await?;
    /// assert!(stage.has("clock").await? && !stage.has("runs/run-1/lease").await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn has(&self, name: &str) -> Result<bool, StageError> {
        Ok(self.head(name).await?.is_some())
    }

    pub(crate) async fn head(&self, name: &str) -> Result<Option<ObjectMeta>, StageError> {
        let _permit = self.transfers.acquire(0).await;
        let path = Path::from(name);
        match self.retry.run(|| self.store.head(&path)).await {
            Ok(object) => Ok(Some(object)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(Operation::LookFor, name, error)),
        }
    }
}
