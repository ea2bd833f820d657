//! Where closures of this process are staged when nobody says where.
//!
//! A program may run where its user has no directories: in a container, or as a service. What is
//! staged can be staged again, so that a directory among the temporary files does as well.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The directory of the stage: in the user's cache, else among the temporary files.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) when neither can be written to.
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
    let stage = ours(temporary).and_then(|directory| writable(directory.join("stage")));
    if let Ok(stage) = &stage {
        tracing::info!("staging in {}: {unusable}", stage.display());
    }
    stage.map_err(|error| {
        Error::input("there is no directory for a stage")
            .because(format!("{unusable}; and {error}"))
            .hint("name one: HYPE_STAGING=file:///directory, or Submitter::local_with")
    })
}

/// `directory`, made if absent, once a file could be made there.
fn writable(directory: PathBuf) -> io::Result<PathBuf> {
    let probe = || {
        fs::create_dir_all(&directory)?;
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

/// A directory for this user alone in one that all users share, where anybody may have been first.
#[cfg(unix)]
fn ours(temporary: &Path) -> io::Result<PathBuf> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    let user = tempfile::tempfile_in(temporary)?.metadata()?.uid();
    let directory = temporary.join(format!("hype-{user}"));
    match fs::DirBuilder::new().mode(0o700).create(&directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let metadata = directory.symlink_metadata()?;
    if metadata.is_dir() && metadata.uid() == user && metadata.mode() & 0o077 == 0 {
        return Ok(directory);
    }
    let message = format!("{} is not this user's alone", directory.display());
    Err(io::Error::other(message))
}

/// A directory in that of the user's temporary files.
#[cfg(not(unix))]
fn ours(temporary: &Path) -> io::Result<PathBuf> {
    Ok(temporary.join("hype"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_of_the_user_comes_first() {
        let root = tempfile::tempdir().unwrap();
        let cache = root.path().join("cache/hype");
        assert_eq!(choose(Some(&cache), root.path()).unwrap(), cache.join("stage"));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn without_a_cache_there_is_a_temporary_directory_for_this_user_alone() {
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
        assert!(error.report().contains("is not this user's alone"), "{error:?}");
        assert!(error.report().contains("HYPE_STAGING"), "{error:?}");
        assert!(choose(None, &root.path().join("none")).is_err());
    }
}
