//! The user's own files, as a manifest names them: by their content.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use hype_wire::{Blob, BlobHasher, File};

use crate::blocking_task::blocking;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::staging::directory::content;

/// How much of a file is read at once, in bytes.
const PIECE: usize = 256 << 10;

/// What an environment has staged: its files and directories.
#[derive(Debug, Default)]
pub(crate) struct StagedFiles {
    /// Each file, and where it is on this machine.
    pub(crate) files: Vec<(File, PathBuf)>,
    /// Directories that the guest sees though they may hold no file.
    pub(crate) directories: Vec<String>,
}

impl StagedFiles {
    /// Those that `env` names, found and hashed now.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when one of them cannot be read or staged.
    pub(crate) async fn of(env: &RunEnvironment) -> Result<Self> {
        if env.files().is_empty() && env.dirs().is_empty() {
            return Ok(Self::default());
        }
        let env = env.clone();
        blocking(move || Self::of_now(&env)).await
    }

    fn of_now(env: &RunEnvironment) -> Result<Self> {
        let mut directories = Vec::new();
        let mut found: Vec<_> =
            env.files().iter().map(|(path, source)| (path.clone(), source.clone())).collect();
        for (path, source) in env.dirs() {
            let content = content(source, path)?;
            found.extend(content.files);
            directories.extend(content.directories);
        }
        let blobs = blobs(&found)?;
        let files = found.into_iter().zip(blobs);
        let files = files.map(|((path, source), blob)| (File { path, blob }, source)).collect();
        Ok(Self { files, directories })
    }
}

/// The blobs of files, in their order, made by all cores.
fn blobs(files: &[(String, PathBuf)]) -> Result<Vec<Blob>> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, Blob)>> {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            match files.get(index) {
                Some((_, source)) => done.push((index, blob(source)?)),
                None => return Ok(done),
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut blobs = thread::scope(|scope| {
        // This thread is one of them, and does all the work where there are no others to be had.
        let others: Vec<_> = (1..cores.min(files.len()))
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut all = work()?;
        for other in others {
            let done = other.join().map_err(|_| Error::input("a file could not be hashed"))?;
            all.extend(done?);
        }
        Ok::<_, Error>(all)
    })?;
    blobs.sort_unstable_by_key(|(index, _)| *index);
    Ok(blobs.into_iter().map(|(_, blob)| blob).collect())
}

/// The blob of the file at `path`, of which one piece at a time is in memory.
fn blob(path: &Path) -> Result<Blob> {
    let read = || -> std::io::Result<Blob> {
        let mut file = fs::File::open(path)?;
        let mut hasher = BlobHasher::default();
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(hasher.finish()),
                length => hasher.update(&piece[..length]),
            }
        }
    };
    read().map_err(|error| {
        let unread = Error::input(format!("cannot read the file {}", path.display()));
        let is_directory = error.kind() == std::io::ErrorKind::IsADirectory;
        match unread.because(error) {
            unread if is_directory => unread.hint("stage a directory by RunEnvironment::with_dir"),
            unread => unread,
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
    fn a_directory_is_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let error = blob(directory.path()).unwrap_err();
        assert!(error.report().ends_with("Hint: stage a directory by RunEnvironment::with_dir"));
    }
}
