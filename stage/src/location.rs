//! From a stage's URL to the store behind it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use url::Url;

use crate::error::{StageError, StageErrorKind};

/// The store that `url` names, whose objects lie below that URL.
pub(crate) fn open(url: &str) -> Result<Arc<dyn ObjectStore>, StageError> {
    let path = directory(url)?;
    let store = LocalFileSystem::new_with_prefix(&path)
        .map_err(|error| unusable(&path, error))?
        .with_automatic_cleanup(true);
    Ok(Arc::new(store))
}

/// Makes the place that `url` names, where that is a directory.
pub(crate) fn make(url: &str) -> Result<(), StageError> {
    let path = directory(url)?;
    std::fs::create_dir_all(&path).map_err(|error| unusable(&path, error))
}

fn directory(url: &str) -> Result<PathBuf, StageError> {
    let parsed = Url::parse(url).map_err(|error| {
        let message = format!("`{url}` is not a stage's URL, such as file:///var/tmp/hype");
        StageError::because(StageErrorKind::Location, message, error)
    })?;
    let problem = match parsed.scheme() {
        "file" => match parsed.to_file_path() {
            Ok(path) => return Ok(path),
            Err(()) => format!("`{url}` is not an absolute path; write file:///absolute/path"),
        },
        scheme => {
            format!("this version of hype has no stage for {scheme}:// ({url}); it has: file://")
        }
    };
    Err(StageError::new(StageErrorKind::Location, problem))
}

fn unusable(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StageError {
    let message = format!("cannot use the directory {} as a stage", path.display());
    StageError::because(StageErrorKind::Location, message, error)
}
