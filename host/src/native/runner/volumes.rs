//! Volumes as directories of this machine, with the same life cycle as on a cluster.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hype_stage::CollectMode;

use super::CollectedLeftovers;
use super::collected::{OF_LIVE_PROGRAM, PERSISTENT};
use super::volume_owner::{self, FoundOwner, VolumeOwner};
use crate::cleanup::list::CleanupList;
use crate::environment::mount::{TRANSIENT_PREFIX, VolumeRequest};
use crate::error::{Error, Result};
use crate::private_files;
use crate::removal::remove_tree;

/// The name of the file in a volume's directory with its class and size.
const REQUEST: &str = "request";

/// A directory with one subdirectory for each volume.
#[derive(Debug)]
pub(crate) struct Volumes {
    directory: PathBuf,
    /// The transient volumes that were created and registered for removal.
    transient: Mutex<HashSet<String>>,
}

impl Volumes {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, transient: Mutex::default() }
    }

    /// Returns the directory of the volume `request`, after creating it if it is missing. Registers a transient volume
    /// with `cleanup`.
    pub(crate) fn directory(
        &self,
        request: &VolumeRequest,
        cleanup: &CleanupList,
    ) -> Result<PathBuf> {
        request.check_name()?;
        let volume = self.directory.join(request.name());
        if request.is_transient() {
            let mut registered = self.transient.lock().unwrap_or_else(PoisonError::into_inner);
            if !registered.contains(request.name()) {
                // Locked before the volume exists, so that no volume is without a lock.
                let owner = VolumeOwner::new(&self.directory, request.name())
                    .map_err(|error| unusable(request, error))?;
                let volume = volume.clone();
                cleanup.register(format!("volume {}", request.name()), async move {
                    remove(&volume, owner)
                });
                registered.insert(request.name().to_owned());
            }
        }
        self.create(request, &volume)
    }

    /// Garbage-collects the transient volumes whose owners have ended without cleanup. A volume that can't be removed
    /// doesn't keep the others.
    pub(crate) fn collect(&self, mode: CollectMode) -> Result<CollectedLeftovers> {
        let directory = &self.directory;
        let failed = |error| {
            Error::runner(format!("cannot look for volumes in {}", directory.display()), error)
        };
        let names = names(directory).map_err(failed)?;
        let mut collected = CollectedLeftovers::default();
        for name in names {
            let title = format!("volume {name}");
            if !is_transient(&name) {
                collected.keep(title, PERSISTENT);
                continue;
            }
            match VolumeOwner::find(directory, &name) {
                Ok(FoundOwner::Ended(owner)) => {
                    let removed = match mode {
                        CollectMode::Delete => remove(&directory.join(&name), owner),
                        CollectMode::DryRun => Ok(()),
                    };
                    collected.record_removal(title, removed);
                }
                Ok(FoundOwner::Alive) => collected.keep(title, OF_LIVE_PROGRAM),
                Ok(FoundOwner::Unknown(reason)) => collected.keep(title, reason),
                Err(error) => collected.failures.push(Error::runner(
                    format!("cannot find out whether the program of {title} is running"),
                    error,
                )),
            }
        }
        Ok(collected)
    }

    fn create(&self, request: &VolumeRequest, volume: &Path) -> Result<PathBuf> {
        let data = volume.join("data");
        let description = format!("{} {}\n", request.storage_class(), request.size());
        let note = volume.join(REQUEST);
        match fs::read_to_string(&note) {
            Ok(found) if found == description => {}
            Ok(found) => {
                return Err(Error::input(format!(
                    "volume {} exists with class and size {}, but {} were requested",
                    request.name(),
                    found.trim(),
                    description.trim()
                ))
                .hint(format!("request these, or remove {}", volume.display())));
            }
            Err(_) => {
                // Closures write what other users of this machine must not read.
                private_files::create_directory(&data).map_err(|error| unusable(request, error))?;
                fs::write(&note, description).map_err(|error| unusable(request, error))?;
            }
        }
        Ok(data)
    }
}

/// Returns the names of the volumes in `directory`, and of the locks of volumes, which are created first.
fn names(directory: &Path) -> io::Result<BTreeSet<String>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries?,
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let (path, name) = match entry {
            Ok(entry) => (entry.path(), entry.file_name().into_string()),
            Err(error) => return Err(error),
        };
        let Ok(name) = name else { continue };
        match volume_owner::volume_of_lock(&name) {
            Some(volume) if is_transient(volume) => drop(names.insert(volume.to_owned())),
            _ if is_transient(&name) || path.join(REQUEST).is_file() => drop(names.insert(name)),
            _ => {}
        }
    }
    Ok(names)
}

/// Returns whether `name` is a valid name of a transient volume.
fn is_transient(name: &str) -> bool {
    let rest = name.strip_prefix(TRANSIENT_PREFIX).and_then(|rest| rest.strip_prefix('-'));
    rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// Removes a volume and its lock.
fn remove(volume: &Path, owner: VolumeOwner) -> Result<()> {
    // The contents are untrusted, since closures write them.
    remove_tree(volume).and_then(|()| owner.remove()).map_err(|error| {
        Error::runner(format!("cannot remove the volume {}", volume.display()), error)
    })
}

fn unusable(request: &VolumeRequest, error: io::Error) -> Error {
    Error::runner(format!("cannot create the volume {}", request.name()), error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cleanup::background::Background;

    #[test]
    fn submitter_removes_its_transient_volumes() {
        let directory = tempfile::tempdir().unwrap();
        let volumes = Volumes::new(directory.path().to_owned());
        let background = Background::start().unwrap();
        let cleanup = CleanupList::of_submitter(&background);
        let request = VolumeRequest::transient("ssd", "1Gi");
        let data = volumes.directory(&request, &cleanup).unwrap();
        fs::write(data.join("word"), "one").unwrap();
        assert_eq!(volumes.directory(&request.clone(), &cleanup).unwrap(), data);
        assert_eq!(fs::read_to_string(data.join("word")).unwrap(), "one");
        drop(cleanup);
        drop(background);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    #[cfg(unix)]
    fn other_users_cannot_read_volumes() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("hype/volumes");
        let background = Background::start().unwrap();
        let cleanup = CleanupList::of_submitter(&background);
        let volumes = Volumes::new(home.clone());
        let request = VolumeRequest::transient("ssd", "1Gi");
        let data = volumes.directory(&request, &cleanup).unwrap();
        for created in [home.parent().unwrap(), &home, data.parent().unwrap(), &data] {
            let mode = created.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", created.display());
        }
    }

    #[test]
    fn collection_removes_orphaned_volumes() {
        let directory = tempfile::tempdir().unwrap();
        let background = Background::start().unwrap();
        let cleanup = CleanupList::of_submitter(&background);
        let create = |volumes: &Volumes, request: &VolumeRequest| {
            fs::write(volumes.directory(request, &cleanup).unwrap().join("word"), "one").unwrap();
        };
        let volumes = Volumes::new(directory.path().to_owned());
        let (living, orphan) =
            (VolumeRequest::transient("ssd", "1Gi"), VolumeRequest::transient("ssd", "1Gi"));
        create(&volumes, &living);
        create(&volumes, &VolumeRequest::persistent("models", "ssd", "1Gi"));
        // A killed process leaves the volume, but not the lock.
        drop(VolumeOwner::new(directory.path(), orphan.name()).unwrap());
        volumes.create(&orphan, &directory.path().join(orphan.name())).unwrap();
        let name = [format!("volume {}", orphan.name())];
        let collect = |mode| volumes.collect(mode).unwrap();
        assert_eq!(collect(CollectMode::DryRun).removed, name);
        let collected = collect(CollectMode::Delete);
        assert_eq!(collected.removed, name);
        let kept: Vec<_> =
            collected.kept.iter().map(|kept| (kept.name.as_str(), kept.reason.as_str())).collect();
        let living_name = format!("volume {}", living.name());
        assert_eq!(
            kept,
            [
                (living_name.as_str(), "its program is running"),
                ("volume models", "it is persistent")
            ]
        );
        assert_eq!(collect(CollectMode::Delete).removed, [""; 0]);
        let left = |name: &str| directory.path().join(name).join("data").exists();
        assert_eq!((left(orphan.name()), left(living.name()), left("models")), (false, true, true));
        drop(cleanup);
        drop(background);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(unix)]
    fn volume_that_cannot_be_removed_does_not_keep_the_others() {
        let directory = tempfile::tempdir().unwrap();
        let volumes = Volumes::new(directory.path().to_owned());
        let names = ["hype-volume-a", "hype-volume-b", "hype-volume-c"];
        for name in names {
            drop(VolumeOwner::new(directory.path(), name).unwrap());
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        // A lock that is a FIFO or a directory can't be locked.
        let lock = directory.path().join("hype-volume-b.owner");
        fs::remove_file(&lock).unwrap();
        fs::create_dir(&lock).unwrap();
        let collected = volumes.collect(CollectMode::Delete).unwrap();
        assert_eq!(collected.removed, ["volume hype-volume-a", "volume hype-volume-c"]);
        assert_eq!(collected.kept[0].name, "volume hype-volume-b");
        assert_eq!(collected.kept[0].reason, "its lock hype-volume-b.owner is no file");
        // Only a directory can be removed as a volume.
        fs::remove_dir(&lock).unwrap();
        drop(VolumeOwner::new(directory.path(), "hype-volume-b").unwrap());
        drop(VolumeOwner::new(directory.path(), "hype-volume-d").unwrap());
        fs::remove_dir(directory.path().join("hype-volume-b")).unwrap();
        fs::write(directory.path().join("hype-volume-b"), "").unwrap();
        let collected = volumes.collect(CollectMode::Delete).unwrap();
        let all = (collected.removed.as_slice(), collected.failures.len());
        assert_eq!(all, (&["volume hype-volume-d".to_owned()][..], 1), "{collected:?}");
    }

    #[test]
    fn persistent_volume_survives_its_submitter() {
        let directory = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let volumes = Volumes::new(directory.path().to_owned());
            let background = Background::start().unwrap();
            let cleanup = CleanupList::of_submitter(&background);
            let request = VolumeRequest::persistent("models", "ssd", "1Gi");
            let data = volumes.directory(&request, &cleanup).unwrap();
            fs::write(data.join("word"), "one").unwrap();
            let other = VolumeRequest::persistent("models", "ssd", "2Gi");
            let error = volumes.directory(&other, &cleanup).unwrap_err().to_string();
            assert!(error.contains("with class and size ssd 1Gi, but ssd 2Gi were"), "{error}");
        }
        assert!(directory.path().join("models/data/word").exists());
    }
}
