//! Files in the cache of machine code that their programs have not finished.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{cache_error, cache_path};
use crate::error::Result;

/// The start of the names of unfinished files.
pub(super) const PREFIX: &str = ".unfinished-";

/// The age of an unfinished file whose program has ended.
const MAX_WRITE_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// A file in the cache that a program has not finished.
#[derive(Debug)]
pub(crate) struct UnfinishedFile {
    pub(crate) path: PathBuf,
    /// True if the file is so old that its program must have ended.
    pub(crate) is_old: bool,
}

/// Returns the files in the cache that programs have not finished.
///
/// # Errors
///
/// [`Runner`](crate::ErrorKind::Runner) when the cache can't be listed.
pub(crate) fn unfinished_files() -> Result<Vec<UnfinishedFile>> {
    match cache_path() {
        Some(directory) => unfinished_files_in(&directory),
        None => Ok(Vec::new()),
    }
}

fn unfinished_files_in(directory: &Path) -> Result<Vec<UnfinishedFile>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| cache_error(directory, error))?,
    };
    let unfinished = entries.flatten().filter_map(|entry| {
        let is_temporary = entry.file_name().to_str()?.starts_with(PREFIX);
        let metadata = entry.metadata().ok().filter(|metadata| metadata.is_file())?;
        let age = metadata.modified().ok()?.elapsed().unwrap_or_default();
        let (path, is_old) = (entry.path(), age >= MAX_WRITE_TIME);
        is_temporary.then_some(UnfinishedFile { path, is_old })
    });
    Ok(unfinished.collect())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn old_unfinished_file_is_a_leftover() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let (young, old) = (path(".unfinished-a"), path(".unfinished-b"));
        for file in [&young, &old, &path("code")] {
            fs::write(file, "").unwrap();
        }
        let file = File::options().write(true).open(&old).unwrap();
        file.set_modified(SystemTime::now() - MAX_WRITE_TIME).unwrap();
        let mut found = unfinished_files_in(directory.path()).unwrap();
        found.sort_by_key(|file| file.is_old);
        let found: Vec<_> = found.into_iter().map(|file| (file.path, file.is_old)).collect();
        assert_eq!(found, [(young, false), (old, true)]);
        assert!(unfinished_files_in(&path("none")).unwrap().is_empty());
    }
}
