//! The user's files, hashed for a manifest.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use hype_stage::on_all_cores;
use hype_wire::{Blob, BlobHasher, File, GuestPath};

use crate::blocking_task::blocking;
use crate::environment::RunEnvironment;
use crate::environment::check::guest_path;
use crate::error::{Error, Result};
use crate::staging::directory::content;

/// The size of the buffer for reading a file, in bytes.
const BUFFER_SIZE: usize = 256 << 10;

/// The staged files and directories of an environment.
#[derive(Debug, Default)]
pub(crate) struct StagedFiles {
    /// The files, each with its path on this machine.
    pub(crate) files: Vec<(File, PathBuf)>,
    /// The directories that exist in the guest even if no file is below them.
    pub(crate) directories: Vec<GuestPath>,
}

impl StagedFiles {
    /// Lists and hashes the files of `env`.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when one of them cannot be read or staged.
    pub(crate) async fn of(env: &RunEnvironment) -> Result<Self> {
        if env.files().is_empty() && env.dirs().is_empty() {
            return Ok(Self::default());
        }
        let env = env.clone();
        blocking(move || Self::of_blocking(&env)).await
    }

    fn of_blocking(env: &RunEnvironment) -> Result<Self> {
        let mut directories = Vec::new();
        let mut found: Vec<_> =
            env.files().iter().map(|(path, source)| (path.clone(), source.clone())).collect();
        for (path, source) in env.dirs() {
            let content = content(source, path)?;
            found.extend(content.files);
            for path in content.directories {
                directories.push(guest_path(&path)?);
            }
        }
        let blobs = blobs(&found)?;
        let files = found.into_iter().zip(blobs);
        let files = files
            .map(|((path, source), blob)| Ok((File { path: guest_path(&path)?, blob }, source)));
        Ok(Self { files: files.collect::<Result<_>>()?, directories })
    }
}

/// Hashes files on all cores, and returns their blobs in the same order.
fn blobs(files: &[(String, PathBuf)]) -> Result<Vec<Blob>> {
    on_all_cores(files.len(), |index| blob(&files[index].1))
}

/// Hashes the file at `path` without reading it into memory as a whole.
fn blob(path: &Path) -> Result<Blob> {
    let read = || -> std::io::Result<Blob> {
        let mut file = fs::File::open(path)?;
        let mut hasher = BlobHasher::default();
        let mut buffer = vec![0; BUFFER_SIZE];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hasher.finish()),
                length => hasher.update(&buffer[..length]),
            }
        }
    };
    read().map_err(|error| {
        let is_directory = error.kind() == std::io::ErrorKind::IsADirectory;
        let unreadable =
            Error::input(format!("cannot read the file {}", path.display())).because(error);
        match is_directory {
            true => unreadable.hint("stage a directory by RunEnvironment::with_dir"),
            false => unreadable,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_hashed_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let files: Vec<_> = (0..100)
            .map(|number| {
                let path = directory.path().join(number.to_string());
                fs::write(&path, number.to_string().repeat(number * 1000)).unwrap();
                (number.to_string(), path)
            })
            .collect();
        let expected = (0..100)
            .map(|number: usize| Blob::of(number.to_string().repeat(number * 1000).as_bytes()));
        assert_eq!(blobs(&files).unwrap(), expected.collect::<Vec<_>>());
        fs::remove_file(&files[77].1).unwrap();
        let error = blobs(&files).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot read the file {}", files[77].1.display()));
    }

    #[test]
    fn directory_error_suggests_with_dir() {
        let directory = tempfile::tempdir().unwrap();
        let error = blob(directory.path()).unwrap_err();
        assert!(error.report().ends_with("Hint: stage a directory by RunEnvironment::with_dir"));
    }
}
