//! Removals of files that another program may remove at the same time.

use std::io;
#[cfg(feature = "local")]
use std::path::Path;

/// The maximum number of attempts to remove a directory from which another program removes files, too.
#[cfg(feature = "local")]
const MAX_ATTEMPTS: u32 = 1000;

/// Returns success if the file or directory to remove doesn't exist, as after a concurrent removal.
pub(crate) fn accept_missing(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Removes the directory `root` and everything in it. Idempotent: a missing directory is no error.
#[cfg(feature = "local")]
pub(crate) fn remove_tree(root: &Path) -> io::Result<()> {
    let mut removed = hype_run::remove_tree(root);
    for _ in 1..MAX_ATTEMPTS {
        let is_concurrent = removed.as_ref().is_err_and(|error| {
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty)
        });
        if !is_concurrent || root.symlink_metadata().is_err() {
            return accept_missing(removed);
        }
        removed = hype_run::remove_tree(root);
    }
    removed
}

#[cfg(test)]
#[cfg(feature = "local")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn programs_remove_a_directory_concurrently() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("root");
        for number in 0..50 {
            let inner = root.join(format!("{number}/a/b"));
            fs::create_dir_all(&inner).unwrap();
            fs::write(inner.join("file"), "").unwrap();
        }
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    remove_tree(&root).unwrap();
                    assert!(root.symlink_metadata().is_err());
                });
            }
        });
        remove_tree(&root).unwrap();
    }
}
