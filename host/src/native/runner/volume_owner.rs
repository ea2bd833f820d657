//! File locks that show whether the owner of a transient volume still runs. The system releases them when a process
//! ends for any reason.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::private_files;
use crate::removal::accept_missing;

/// The suffix of a lock file, which is next to the volume's directory and is created before it.
const SUFFIX: &str = ".owner";

/// The lock of one transient volume.
#[derive(Debug)]
pub(crate) struct VolumeOwner {
    file: File,
    path: PathBuf,
}

impl VolumeOwner {
    /// Takes a shared lock on the volume `name` in `directory`, until the value is dropped.
    pub(crate) fn new(directory: &Path, name: &str) -> io::Result<Self> {
        private_files::create_directory(directory)?;
        let path = directory.join(format!("{name}{SUFFIX}"));
        loop {
            let file = private_files::open_or_create(&path)?;
            match file.lock_shared() {
                // Without locks, no collection can see that the owner has ended, so it keeps the volume.
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
                locked => locked?,
            }
            // A concurrent collection may have removed the file before it was locked.
            if is_at(&file, &path) {
                return Ok(Self { file, path });
            }
        }
    }

    /// Returns whether the owner of the volume `name` in `directory` exists, and the exclusive lock if it has ended.
    pub(crate) fn find(directory: &Path, name: &str) -> io::Result<FoundOwner> {
        let lock = format!("{name}{SUFFIX}");
        let path = directory.join(&lock);
        let missing = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => {
                Ok(FoundOwner::Unknown(format!("its lock {lock} is missing")))
            }
            _ => Err(error),
        };
        match path.symlink_metadata() {
            Err(error) => return missing(error),
            Ok(metadata) if !metadata.is_file() => {
                return Ok(FoundOwner::Unknown(format!("its lock {lock} is no file")));
            }
            Ok(_) => {}
        }
        let file = match OpenOptions::new().append(true).open(&path) {
            Err(error) => return missing(error),
            Ok(file) => file,
        };
        match file.try_lock() {
            Ok(()) if is_at(&file, &path) => Ok(FoundOwner::Ended(Self { file, path })),
            Ok(()) => Ok(FoundOwner::Unknown("another program is removing it".to_owned())),
            Err(TryLockError::WouldBlock) => Ok(FoundOwner::Alive),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                let reason =
                    "its file system has no locks, which show whether its program is running";
                Ok(FoundOwner::Unknown(reason.to_owned()))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Deletes the lock file after its volume was removed.
    pub(crate) fn remove(self) -> io::Result<()> {
        let removed = accept_missing(fs::remove_file(&self.path));
        drop(self.file);
        removed
    }
}

/// The owner of a volume.
#[derive(Debug)]
pub(crate) enum FoundOwner {
    /// The owner exists.
    Alive,
    /// The owner has ended; contains the volume's exclusive lock.
    Ended(VolumeOwner),
    /// The locks don't show whether it exists, for this reason.
    Unknown(String),
}

/// Returns the volume's name in the name of a lock file.
pub(crate) fn volume_of_lock(name: &str) -> Option<&str> {
    name.strip_suffix(SUFFIX)
}

/// Returns whether `path` still leads to `file`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |metadata: io::Result<fs::Metadata>| metadata.ok().map(|it| (it.dev(), it.ino()));
    id(file.metadata()).is_some_and(|file| id(path.symlink_metadata()) == Some(file))
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether the owner of `hype-volume-a` has ended.
    fn has_ended(directory: &Path) -> bool {
        match VolumeOwner::find(directory, "hype-volume-a").unwrap() {
            FoundOwner::Ended(_) => true,
            FoundOwner::Alive => false,
            FoundOwner::Unknown(reason) => panic!("{reason}"),
        }
    }

    #[test]
    fn volume_without_locks_is_an_orphan() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let one = VolumeOwner::new(directory, "hype-volume-a").unwrap();
        let other = VolumeOwner::new(directory, "hype-volume-a").unwrap();
        drop(one);
        assert!(!has_ended(directory));
        drop(other);
        assert!(has_ended(directory));
        let found = VolumeOwner::find(directory, "hype-volume-a").unwrap();
        let FoundOwner::Ended(owner) = found else { panic!("{found:?}") };
        owner.remove().unwrap();
        let found = VolumeOwner::find(directory, "hype-volume-a").unwrap();
        assert!(matches!(found, FoundOwner::Unknown(_)), "{found:?}");
    }

    /// An owner that opened the file before its removal would hold the lock of a deleted file.
    #[test]
    fn owner_recreates_removed_lock_file() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        drop(VolumeOwner::new(directory, "hype-volume-a").unwrap());
        let found = VolumeOwner::find(directory, "hype-volume-a").unwrap();
        let FoundOwner::Ended(orphan) = found else { panic!("{found:?}") };
        let taking = {
            let directory = directory.to_owned();
            std::thread::spawn(move || VolumeOwner::new(&directory, "hype-volume-a").unwrap())
        };
        orphan.remove().unwrap();
        let owner = taking.join().unwrap();
        assert!(owner.path.exists() && is_at(&owner.file, &owner.path));
        assert!(!has_ended(directory));
    }
}
