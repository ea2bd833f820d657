//! The removal of objects from a stage.

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, future, stream};
use hype_wire::{ObjectName, names};
use object_store::path::Path;

use crate::error::StageError;
use crate::stage::Stage;
use crate::store_error::Operation;

impl Stage {
    /// Removes all objects and views of a run and its entry in the index of live runs, and nothing else below its
    /// prefix. The operation is idempotent: missing
    /// objects are not an error.
    ///
    /// # Errors
    ///
    /// Returns `StageErrorKind::Denied` or `StageErrorKind::Unavailable` if the store rejects a request or
    /// is unreachable, and `StageErrorKind::File` if a view can't be removed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = hype_stage::Stage::open("memory://docs/remove-run")?;
    /// stage.put("runs/run-1/manifest", "bytes".into()).await?;
    /// stage.remove_run("run-1").await?;
    /// stage.remove_run("run-1").await?;
    /// assert!(!stage.has("runs/run-1/manifest").await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn remove_run(&self, run_id: &str) -> Result<(), StageError> {
        // Views come first: a collection finds what is left by the run's objects.
        self.remove_views(run_id).await?;
        let entry = Path::from(names::live(run_id));
        let owner = run_id.to_owned();
        // The entry is last, so that a program that lists live runs finds a run whose removal was interrupted.
        self.remove_below(names::run(run_id), [entry], move |name| {
            ObjectName::parse(name) == Some(ObjectName::OfRun(&owner))
        })
        .await
    }

    /// Removes all objects of a staged map: its plan, its results and its blobs. The objects of its run are not among
    /// them. The operation is idempotent: missing objects are not an error.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`remove_run`](Self::remove_run).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = hype_stage::Stage::open("memory://docs/remove-map")?;
    /// stage.put("maps/run-1/plan/0", "bytes".into()).await?;
    /// stage.remove_map("run-1").await?;
    /// assert!(!stage.has("maps/run-1/plan/0").await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn remove_map(&self, map_id: &str) -> Result<(), StageError> {
        let owner = map_id.to_owned();
        self.remove_below(names::map(map_id), [], move |name| {
            ObjectName::parse(name) == Some(ObjectName::OfMap(&owner))
        })
        .await
    }

    /// Removes the objects below `prefix` whose names are accepted, and then those at `last`.
    async fn remove_below<const N: usize>(
        &self,
        prefix: String,
        last: [Path; N],
        is_removed: impl Fn(&str) -> bool + Clone + Send + 'static,
    ) -> Result<(), StageError> {
        let path = Path::from(prefix.as_str());
        let listed = || {
            let (is_removed, last) = (is_removed.clone(), last.clone());
            let paths = self.store.list(Some(&path)).map_ok(|object| object.location);
            let accepted = paths.try_filter(move |path| future::ready(is_removed(path.as_ref())));
            accepted.chain(stream::iter(last.map(Ok))).boxed()
        };
        self.remove_all(&prefix, listed).await
    }

    /// Removes the objects with these names. The operation is idempotent: missing objects are not an error.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`remove_run`](Self::remove_run).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = hype_stage::Stage::open("memory://docs/remove")?;
    /// stage.put("runs/run-1/lease", "bytes".into()).await?;
    /// stage.remove(&["runs/run-1/lease".to_owned()]).await?;
    /// assert!(!stage.has("runs/run-1/lease").await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn remove(&self, names: &[String]) -> Result<(), StageError> {
        let Some(first) = names.first() else { return Ok(()) };
        let paths = || {
            let paths: Vec<_> = names.iter().map(|name| Ok(Path::from(name.as_str()))).collect();
            stream::iter(paths).boxed()
        };
        self.remove_all(first, paths).await
    }

    async fn remove_all(
        &self,
        name: &str,
        paths: impl Fn() -> BoxStream<'static, object_store::Result<Path>>,
    ) -> Result<(), StageError> {
        let remove = || {
            self.store
                .delete_stream(paths())
                .filter(|result| {
                    let is_missing = matches!(result, Err(object_store::Error::NotFound { .. }));
                    future::ready(!is_missing)
                })
                .try_for_each(|_| future::ready(Ok(())))
        };
        let removed = self.retry.run(remove).await;
        removed.map_err(|error| self.failed(Operation::Remove, name, error))
    }
}
