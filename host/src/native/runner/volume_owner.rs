//! Locks by which others know whether the owner of a transient volume is there: the system lets go of them when a
//! process ends, by whatever way.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// What the name of a lock file ends with; it stands beside the volume's directory and is made before that.
const SUFFIX: &str = ".owner";

/// The lock of one transient volume.
#[derive(Debug)]
pub(crate) struct VolumeOwner {
    file: File,
    path: PathBuf,
}

impl VolumeOwner {
    /// Takes the lock of the volume called `name` in `directory`, for as long as this is held. Others of this volume
    /// may have it, too.
    pub(crate) fn new(directory: &Path, name: &str) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let path = directory.join(format!("{name}{SUFFIX}"));
        loop {
            let file = OpenOptions::new().create(true).append(true).open(&path)?;
            match file.lock_shared() {
                // Nobody can tell then that the owner is gone, so that nobody removes the volume.
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
                locked => locked?,
            }
            // Somebody who took it for an orphan's may have removed it before it was locked.
            if is_at(&file, &path) {
                return Ok(Self { file, path });
            }
        }
    }

    /// Takes the lock at `path`, unless an owner has it, or it can't be told.
    fn of_orphan(path: PathBuf) -> io::Result<Option<Self>> {
        if !path.symlink_metadata()?.is_file() {
            return Ok(None);
        }
        let file = OpenOptions::new().append(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(is_at(&file, &path).then_some(Self { file, path })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(None)
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Removes the lock, of a volume that is gone.
    pub(crate) fn remove(self) -> io::Result<()> {
        let removed = match fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
        drop(self.file);
        removed
    }
}

/// Returns the names of the volumes in `directory` whose owners are gone, and their locks. `is_transient` says which
/// names transient volumes have.
pub(crate) fn orphans(
    directory: &Path,
    is_transient: impl Fn(&str) -> bool,
) -> io::Result<Vec<(String, VolumeOwner)>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut orphans = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)) else { continue };
        if !is_transient(name) {
            continue;
        }
        match VolumeOwner::of_orphan(entry.path()) {
            Ok(owner) => orphans.extend(owner.map(|owner| (name.to_owned(), owner))),
            // Another was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(orphans)
}

/// Whether `path` leads to `file`.
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

    fn names(directory: &Path) -> Vec<String> {
        let orphans = orphans(directory, |name| name.starts_with("hype-volume-")).unwrap();
        orphans.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn orphan_is_a_volume_whose_locks_nobody_has() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        assert_eq!(names(&directory.join("none")), [""; 0]);
        let one = VolumeOwner::new(directory, "hype-volume-a").unwrap();
        let other = VolumeOwner::new(directory, "hype-volume-a").unwrap();
        let _foreign = VolumeOwner::new(directory, "models").unwrap();
        fs::write(directory.join("models-of-somebody.owner"), "").unwrap();
        fs::create_dir(directory.join("hype-volume-b.owner")).unwrap();
        drop(one);
        assert_eq!(names(directory), [""; 0]);
        drop(other);
        assert_eq!(names(directory), ["hype-volume-a"]);
        let (_, owner) = orphans(directory, |_| true).unwrap().remove(0);
        owner.remove().unwrap();
        assert_eq!(names(directory), [""; 0]);
    }

    /// Whoever opens the file while it is removed has the lock of none.
    #[test]
    fn removed_lock_is_taken_anew() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        drop(VolumeOwner::new(directory, "hype-volume-a").unwrap());
        let mut all = orphans(directory, |_| true).unwrap();
        let taking = {
            let directory = directory.to_owned();
            std::thread::spawn(move || VolumeOwner::new(&directory, "hype-volume-a").unwrap())
        };
        let (_, orphan) = all.remove(0);
        orphan.remove().unwrap();
        let owner = taking.join().unwrap();
        assert!(owner.path.exists() && is_at(&owner.file, &owner.path));
        assert_eq!(names(directory), [""; 0]);
    }
}
