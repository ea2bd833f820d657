//! How objects go from a stage.

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, future, stream};
use hype_wire::names;
use object_store::path::Path;

use crate::error::StageError;
use crate::refusal::Request;
use crate::stage::Stage;

impl Stage {
    /// Removes all objects of a run. One that is gone already is no error.
    pub async fn remove_run(&self, run_id: &str) -> Result<(), StageError> {
        let prefix = names::run(run_id);
        let path = Path::from(prefix.as_str());
        let listed = || {
            let objects = self.store.list(Some(&path));
            objects.map_ok(|object| object.location).boxed()
        };
        self.remove_all(&prefix, listed).await
    }

    /// Removes the objects with these names. One that is gone already is no error.
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
        what: &str,
        paths: impl Fn() -> BoxStream<'static, object_store::Result<Path>>,
    ) -> Result<(), StageError> {
        let remove = || {
            let removed = self.store.delete_stream(paths());
            let removed = removed.filter(|end| {
                let is_gone = matches!(end, Err(object_store::Error::NotFound { .. }));
                future::ready(!is_gone)
            });
            removed.try_for_each(|_| future::ready(Ok(())))
        };
        let removed = self.persistence.of(remove).await;
        removed.map_err(|error| self.failed(Request::Remove, what, error))
    }
}
