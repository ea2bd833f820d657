//! Requests by which a caller checks what it may do with a stage.

use std::time::{Duration, SystemTime};

use futures::{TryStreamExt, future};
use hype_wire::names;
use object_store::path::Path;

use crate::error::StageError;
use crate::stage::Stage;
use crate::store_error::Operation;
use crate::transfer::RetryPolicy;

impl Stage {
    /// Returns the stage with another retry time, see
    /// [`StageOptions::with_retry_for`](crate::StageOptions::with_retry_for).
    ///
    /// ```
    /// # fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = hype_stage::Stage::open("memory://docs/retry")?;
    /// let impatient = stage.with_retry_for(std::time::Duration::from_secs(5));
    /// assert_eq!(impatient.url(), stage.url());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_retry_for(&self, time: Duration) -> Self {
        let mut stage = self.clone();
        stage.retry = RetryPolicy::new(time);
        stage
    }

    /// Returns the time of the last change of the object `name`, by the store's clock; `None` if it doesn't exist.
    ///
    /// # Errors
    ///
    /// Returns `StageErrorKind::Denied` or `StageErrorKind::Unavailable` if the store rejects the request or is
    /// unreachable.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = hype_stage::Stage::open("memory://docs/modified")?;
    /// stage.put("runs/run-1/lease", "bytes".into()).await?;
    /// assert!(stage.modified("runs/run-1/lease").await?.is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn modified(&self, name: &str) -> Result<Option<SystemTime>, StageError> {
        Ok(self.head(name).await?.map(|object| object.last_modified.into()))
    }

    /// Returns the names of the objects of a run.
    ///
    /// # Errors
    ///
    /// Returns `StageErrorKind::Denied` or `StageErrorKind::Unavailable` if the store rejects the request or is
    /// unreachable.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = hype_stage::Stage::open("memory://docs/list-run")?;
    /// stage.put("runs/run-1/lease", "bytes".into()).await?;
    /// assert_eq!(stage.list_run("run-1").await?, ["runs/run-1/lease"]);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list_run(&self, run_id: &str) -> Result<Vec<String>, StageError> {
        let prefix = names::run(run_id);
        let path = Path::from(prefix.as_str());
        let list = || {
            let name = |object: object_store::ObjectMeta| future::ok(object.location.to_string());
            self.store.list(Some(&path)).and_then(name).try_collect::<Vec<_>>()
        };
        let listed = self.retry.run(list).await;
        listed.map_err(|error| self.failed(Operation::List, &prefix, error))
    }
}
