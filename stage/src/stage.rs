use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use url::Url;

use crate::error::{StageError, StageErrorKind};
use crate::location::Location;
use crate::options::StageOptions;
use crate::provider::Provider;
use crate::store;
use crate::store_error::Operation;
use crate::transfer::{RetryPolicy, TransferLimit};

/// A prefix of an object store that holds blobs, shared by all runs, and the objects of each run.
///
/// All requests are retried on transient errors until the retry time passes
/// ([`StageOptions::with_retry_for`]). Cloning is cheap, and clones share their connections.
///
/// ```
/// use hype_stage::Stage;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), hype_stage::StageError> {
/// let stage = Stage::open("memory://docs/prefix")?;
/// stage.put("runs/run-1/manifest", "bytes".into()).await?;
/// assert_eq!(stage.get("runs/run-1/manifest", 1 << 20).await?, "bytes");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Stage {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// The storage provider; `None` for a directory or memory.
    pub(crate) provider: Option<&'static Provider>,
    url: Arc<str>,
    pub(crate) transfers: TransferLimit,
    pub(crate) retry: RetryPolicy,
}

impl Stage {
    /// Opens the stage at `url`, such as `gs://bucket/prefix` or `file:///absolute/path`, with the
    /// variables of this process. A directory must exist.
    ///
    /// # Errors
    ///
    /// Returns [`StageErrorKind::Location`] if `url` names no stage, and [`StageErrorKind::Denied`] if the
    /// provider's credentials can't be used.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = hype_stage::Stage::open("gs://bucket/prefix")?;
    /// assert_eq!(stage.url(), "gs://bucket/prefix");
    /// # Ok(())
    /// # }
    /// ```
    pub fn open(url: &str) -> Result<Self, StageError> {
        Self::open_with(url, &StageOptions::new())
    }

    /// Opens the stage at `url` with `options`.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`open`](Self::open).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use hype_stage::{Stage, StageOptions};
    ///
    /// # fn main() -> Result<(), hype_stage::StageError> {
    /// let options = StageOptions::new().with_retry_for(Duration::from_secs(30));
    /// let stage = Stage::open_with("memory://docs/open-with", &options)?;
    /// assert_eq!(stage.url(), "memory://docs/open-with");
    /// # Ok(())
    /// # }
    /// ```
    pub fn open_with(url: &str, options: &StageOptions) -> Result<Self, StageError> {
        Self::open_location(url, &Location::parse(url)?, options)
    }

    /// Opens the stage at `url`, and creates its directory if `url` names one that doesn't exist.
    ///
    /// Only submitters create a stage. A runner whose stage doesn't exist has been given a wrong URL.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`open`](Self::open), and [`StageErrorKind::Location`] if the directory can't
    /// be created.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hype_stage::Stage;
    ///
    /// let directory = tempfile::tempdir()?;
    /// let url = format!("file://{}/stage", directory.path().display());
    /// assert!(Stage::open(&url).is_err());
    /// Stage::open_or_create(&url)?;
    /// assert!(directory.path().join("stage").is_dir());
    /// # Ok(())
    /// # }
    /// ```
    pub fn open_or_create(url: &str) -> Result<Self, StageError> {
        Self::open_or_create_with(url, &StageOptions::new())
    }

    /// Opens the stage at `url` with `options`, and creates its directory if it is one and absent.
    ///
    /// # Errors
    ///
    /// Those of [`open_or_create`](Self::open_or_create).
    pub fn open_or_create_with(url: &str, options: &StageOptions) -> Result<Self, StageError> {
        let location = Location::parse(url)?;
        store::create_directory(&location, options)?;
        Self::open_location(url, &location, options)
    }

    fn open_location(
        url: &str,
        location: &Location,
        options: &StageOptions,
    ) -> Result<Self, StageError> {
        Ok(Self {
            provider: location.provider(),
            retry: RetryPolicy::new(options.retry_for()),
            ..Self::of(store::open(url, location, options)?, url.trim_end_matches('/'))
        })
    }

    /// Creates a stage over `store`, without a provider.
    pub(crate) fn of(store: Arc<dyn ObjectStore>, url: &str) -> Self {
        Self {
            store,
            provider: None,
            url: url.into(),
            transfers: TransferLimit::new(),
            retry: RetryPolicy::default(),
        }
    }

    /// Opens the stage in a directory of this machine, and creates the directory if it doesn't exist.
    ///
    /// # Errors
    ///
    /// Returns [`StageErrorKind::Location`] if the path is relative or can't be a directory.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hype_stage::Stage;
    ///
    /// let directory = tempfile::tempdir()?;
    /// let stage = Stage::in_directory(&directory.path().join("my stage"))?;
    /// assert!(stage.url().starts_with("file:///") && stage.url().ends_with("/my%20stage"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn in_directory(path: &Path) -> Result<Self, StageError> {
        let url = Url::from_directory_path(path).map_err(|()| {
            let message = format!("{} is not an absolute path", path.display());
            StageError::new(StageErrorKind::Location, message)
        })?;
        Self::open_or_create(url.as_str())
    }

    /// Returns the directory that `url` names, or `None` for other stages.
    ///
    /// # Errors
    ///
    /// Returns [`StageErrorKind::Location`] if `url` names no stage.
    ///
    /// ```
    /// use hype_stage::Stage;
    ///
    /// # fn main() -> Result<(), hype_stage::StageError> {
    /// assert_eq!(Stage::directory_of("file:///var/stage")?, Some("/var/stage".into()));
    /// assert_eq!(Stage::directory_of("gs://bucket/prefix")?, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn directory_of(url: &str) -> Result<Option<PathBuf>, StageError> {
        match Location::parse(url)? {
            Location::Directory(path) => Ok(Some(path)),
            _ => Ok(None),
        }
    }

    /// Returns the stage's URL, without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the URL of the object `name`.
    ///
    /// ```
    /// use hype_stage::Stage;
    ///
    /// # fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = Stage::open("memory://docs/prefix/")?;
    /// assert_eq!(stage.url_of("runs/run-1/manifest"), "memory://docs/prefix/runs/run-1/manifest");
    /// # Ok(())
    /// # }
    /// ```
    pub fn url_of(&self, name: &str) -> String {
        format!("{}/{name}", self.url)
    }

    /// Returns the error of an object whose size or digest differs.
    pub(crate) fn altered(
        &self,
        name: &str,
        property: &str,
        found: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> StageError {
        let url = self.url_of(name);
        let problem =
            format!("{url} was altered: its {property} is {found} and should be {expected}");
        StageError::new(StageErrorKind::Altered, problem)
    }

    /// Returns the error of a failed request for the object `name`.
    pub(crate) fn failed(
        &self,
        operation: Operation,
        name: &str,
        error: object_store::Error,
    ) -> StageError {
        operation.failed(self.provider, &self.url_of(name), error)
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stage({})", self.url)
    }
}
