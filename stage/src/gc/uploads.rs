//! Interrupted uploads to a stage in a directory. Object stores discard theirs by themselves.

use std::time::SystemTime;

use super::{CollectMode, CollectReport};
#[cfg(unix)]
use crate::blocking::blocking;
use crate::error::StageError;
#[cfg(unix)]
use crate::error::StageErrorKind;
use crate::stage::Stage;

impl Stage {
    /// Removes the files of uploads to a directory that were interrupted before `cutoff`, and adds them to `report`.
    #[cfg(unix)]
    pub(super) async fn collect_uploads(
        &self,
        cutoff: SystemTime,
        mode: CollectMode,
        report: &mut CollectReport,
    ) -> Result<(), StageError> {
        let Some(root) = Self::directory_of(self.url())? else { return Ok(()) };
        let removes = mode == CollectMode::Delete;
        let collected =
            blocking(move || crate::directory::collect_uploads(&root, cutoff, removes)).await;
        let collected = collected.map_err(|error: std::io::Error| {
            let message = format!("cannot remove interrupted uploads in {}", self.url());
            StageError::new(StageErrorKind::File, message).because(error)
        })?;
        report.kept_uploads += collected.kept;
        for upload in collected.removed {
            report.bytes += upload.size;
            report.uploads.push(upload.path);
        }
        for (path, error) in collected.failures {
            report.failures.push(format!("cannot remove {}: {error}", self.url_of(&path)));
        }
        Ok(())
    }

    /// Does nothing: this system has no stages in directories of hype's own format.
    #[cfg(not(unix))]
    pub(super) async fn collect_uploads(
        &self,
        _: SystemTime,
        _: CollectMode,
        _: &mut CollectReport,
    ) -> Result<(), StageError> {
        Ok(())
    }
}
