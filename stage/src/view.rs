//! Views of a stage in a directory: the objects that one attempt may read, as hard links in a separate directory.
//!
//! A container mounts the view of its attempt instead of the stage, so that it sees no object of another run. A view
//! is at `views/RUN/ATTEMPT` below the stage's directory, beside the objects. Nothing here follows a symbolic link.

#[cfg_attr(not(unix), path = "view/unsupported.rs")]
mod files;
#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::blocking::blocking;
use crate::error::{StageError, StageErrorKind};
use crate::stage::Stage;
use hype_wire::Digest;

/// The folder of all views in a stage's directory.
const VIEWS: &str = "views";

/// The view of one attempt: the paths of its parts on this machine, none of which a container can replace.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StageView {
    /// The directory of the blobs, which corresponds to [`BLOBS`](hype_wire::names::BLOBS) in the stage. Mount it
    /// read-only, since its files are hard links to those of the stage.
    pub blobs: PathBuf,
    /// The run's directory in the stage, to which the attempt writes its outcome.
    pub run: PathBuf,
    /// The files of the run's manifest, arguments and value argument by their names in the stage. Mount them read-only.
    pub inputs: Vec<(String, PathBuf)>,
}

impl Stage {
    /// Creates the view of an attempt: the blobs with these digests, and the run's manifest, arguments and value argument. Missing
    /// objects are left out, so that the runner reports them.
    ///
    /// Objects are linked, or copied where links are impossible or the object belongs to another user.
    ///
    /// # Errors
    ///
    /// Returns [`StageErrorKind::Location`] if the stage is not in a directory, and [`StageErrorKind::File`] if the
    /// view can't be created.
    ///
    /// ```
    /// use hype_stage::{Source, Stage};
    /// use hype_wire::Blob;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let directory = tempfile::tempdir()?;
    /// let stage = Stage::in_directory(directory.path())?;
    /// let blob = Blob::of(b"component");
    /// stage.put_blob(&blob, &Source::bytes("component")).await?;
    /// stage.put("runs/run-1/manifest", "bytes".into()).await?;
    /// let view = stage.create_view("run-1", 1, vec![blob.digest]).await?;
    /// assert_eq!(std::fs::read(view.blobs.join(blob.digest.to_string()))?, b"component");
    /// stage.remove_views("run-1").await?;
    /// assert!(!view.blobs.exists());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_view(
        &self,
        run_id: &str,
        attempt: u32,
        blobs: Vec<Digest>,
    ) -> Result<StageView, StageError> {
        let Some(root) = Self::directory_of(self.url())? else {
            let message = format!("{} is not in a directory, which views need", self.url());
            return Err(StageError::new(StageErrorKind::Location, message));
        };
        let run = run_id.to_owned();
        let created = blocking(move || files::create(&root, &run, attempt, &blobs)).await;
        created.map_err(|error| self.view_error("create", run_id, error))
    }

    /// Removes the views of all attempts of a run. The operation is idempotent: missing views are not an error.
    ///
    /// # Errors
    ///
    /// Returns [`StageErrorKind::File`] if a view can't be removed.
    pub async fn remove_views(&self, run_id: &str) -> Result<(), StageError> {
        let Some(root) = Self::directory_of(self.url())? else { return Ok(()) };
        let run = run_id.to_owned();
        let removed = blocking(move || files::remove(&root, &run)).await;
        removed.map_err(|error| self.view_error("remove", run_id, error))
    }

    /// Returns the IDs of the runs that have views, with the time at which each run's latest view was created.
    pub(crate) async fn runs_with_views(&self) -> Result<BTreeMap<String, SystemTime>, StageError> {
        let Some(root) = Self::directory_of(self.url())? else { return Ok(BTreeMap::new()) };
        let listed = blocking(move || files::list(&root)).await;
        listed.map_err(|error| {
            let message = format!("cannot list the views in {}", self.url());
            StageError::new(StageErrorKind::File, message).because(error)
        })
    }

    fn view_error(&self, verb: &str, run_id: &str, error: io::Error) -> StageError {
        let message = format!("cannot {verb} the view of {run_id} in {}/{VIEWS}", self.url());
        StageError::new(StageErrorKind::File, message).because(error)
    }
}
