//! The default stage on this machine, which is used when the user names no stage.
//!
//! A user may have no cache directory, for example in a container or as a service. Then the stage is in the temporary
//! directory, since staged objects can be staged again.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::private_files;
#[cfg(unix)]
use crate::private_files::Forbidden;

/// Returns the directory of the stage: in the user's cache directory, or else in the temporary directory.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) when neither is writable.
pub(crate) fn directory() -> Result<PathBuf> {
    let cache = dirs::cache_dir().map(|cache| cache.join("hype"));
    choose(cache.as_deref(), &std::env::temp_dir())
}

fn choose(cache: Option<&Path>, temporary: &Path) -> Result<PathBuf> {
    let unusable = match cache.map(|cache| writable(cache.join("stage"))) {
        Some(Ok(stage)) => return Ok(stage),
        Some(Err(error)) => error,
        None => io::Error::other("this user has no cache directory"),
    };
    let stage = private(temporary).and_then(|directory| writable(directory.join("stage")));
    if let Ok(stage) = &stage {
        tracing::info!("staging in {}: {unusable}", stage.display());
    }
    stage.map_err(|error| {
        Error::input("no directory for a stage is writable")
            .because(format!("{unusable}; and {error}"))
            .hint("name one: HYPE_STAGING=file:///directory, or Submitter::local_with")
    })
}

/// Creates `directory` if it doesn't exist, and returns it if files can be created in it.
fn writable(directory: PathBuf) -> io::Result<PathBuf> {
    let probe = || {
        private_files::create_directory(&directory)?;
        tempfile::tempfile_in(&directory)
    };
    match probe() {
        Ok(_) => Ok(directory),
        Err(error) => {
            let message = format!("cannot write to {}: {error}", directory.display());
            Err(io::Error::new(error.kind(), message))
        }
    }
}

/// Returns a private directory of this user in `temporary`, which all users share, so that another user may have
/// created a directory of this name before.
#[cfg(unix)]
fn private(temporary: &Path) -> io::Result<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let user = tempfile::tempfile_in(temporary)?.metadata()?.uid();
    let directory = temporary.join(format!("hype-{user}"));
    private_files::create_checked_directory(&directory, Forbidden::All)?;
    Ok(directory)
}

/// Returns a directory in the user's temporary directory.
#[cfg(not(unix))]
fn private(temporary: &Path) -> io::Result<PathBuf> {
    Ok(temporary.join("hype"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn cache_directory_is_preferred() {
        let root = tempfile::tempdir().unwrap();
        let cache = root.path().join("cache/hype");
        assert_eq!(choose(Some(&cache), root.path()).unwrap(), cache.join("stage"));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn private_temporary_directory_replaces_missing_cache() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let stage = choose(Some(&file.join("hype")), root.path()).unwrap();
        assert_eq!(choose(None, root.path()).unwrap(), stage);
        let directory = stage.parent().unwrap();
        assert!(directory.starts_with(root.path()) && stage.is_dir());
        assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o777, 0o700);

        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
        let error = choose(None, root.path()).unwrap_err();
        assert!(error.report().contains("must be usable only by this user"), "{error:?}");
        assert!(error.report().contains("HYPE_STAGING"), "{error:?}");
        assert!(choose(None, &root.path().join("none")).is_err());
    }
}
