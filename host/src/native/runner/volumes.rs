//! Volumes as directories of this machine, with the life cycle that they have on a cluster.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hype_stage::Removal;

use super::volume_owner::{self, VolumeOwner};
use crate::cleanup::owned::Owned;
use crate::environment::mount::{TRANSIENT, VolumeRequest};
use crate::error::{Error, Result};

/// A directory that holds one directory for each volume.
#[derive(Debug)]
pub(crate) struct Volumes {
    directory: PathBuf,
    /// The transient ones that were made, and entered to be removed.
    transient: Mutex<HashSet<String>>,
}

impl Volumes {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, transient: Mutex::default() }
    }

    /// The directory of `request`, made if absent. A transient one is entered into `owned`.
    pub(crate) fn directory(&self, request: &VolumeRequest, owned: &Owned) -> Result<PathBuf> {
        request.check_name()?;
        let volume = self.directory.join(request.name());
        if request.is_transient() {
            let mut known = self.transient.lock().unwrap_or_else(PoisonError::into_inner);
            if !known.contains(request.name()) {
                // Before the volume, so that there is none without.
                let owner = VolumeOwner::new(&self.directory, request.name())
                    .map_err(|error| unusable(request, error))?;
                let volume = volume.clone();
                owned.enter(
                    format!("volume {}", request.name()),
                    async move { remove(&volume, owner) },
                );
                known.insert(request.name().to_owned());
            }
        }
        self.make(request, &volume)
    }

    /// Removes the transient volumes whose owners are gone, killed for example, and returns their names.
    pub(crate) fn collect(&self, removal: Removal) -> Result<Vec<String>> {
        let directory = &self.directory;
        let orphans = volume_owner::orphans(directory, is_transient).map_err(|error| {
            Error::runner(format!("cannot look for volumes in {}", directory.display()), error)
        })?;
        let mut names = Vec::new();
        for (name, owner) in orphans {
            if removal == Removal::Real {
                remove(&directory.join(&name), owner)?;
            }
            names.push(format!("volume {name}"));
        }
        Ok(names)
    }

    fn make(&self, request: &VolumeRequest, volume: &Path) -> Result<PathBuf> {
        let data = volume.join("data");
        let description = format!("{} {}\n", request.storage_class(), request.size());
        let note = volume.join("request");
        match fs::read_to_string(&note) {
            Ok(found) if found == description => {}
            Ok(found) => {
                return Err(Error::input(format!(
                    "volume {} is there with class and size {}, and {} were asked for",
                    request.name(),
                    found.trim(),
                    description.trim()
                ))
                .hint(format!("ask for these, or remove {}", volume.display())));
            }
            Err(_) => {
                fs::create_dir_all(&data).map_err(|error| unusable(request, error))?;
                fs::write(&note, description).map_err(|error| unusable(request, error))?;
            }
        }
        Ok(data)
    }
}

/// Whether a transient volume may be called so.
fn is_transient(name: &str) -> bool {
    let rest = name.strip_prefix(TRANSIENT).and_then(|rest| rest.strip_prefix('-'));
    rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// Removes a volume, and what says whose it is.
fn remove(volume: &Path, owner: VolumeOwner) -> Result<()> {
    // A closure could write there.
    let removed = match hype_run::remove_tree(volume) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    };
    removed.and_then(|()| owner.remove()).map_err(|error| {
        Error::runner(format!("cannot remove the volume {}", volume.display()), error)
    })
}

fn unusable(request: &VolumeRequest, error: std::io::Error) -> Error {
    Error::runner(format!("cannot make the volume {}", request.name()), error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cleanup::background::Background;

    #[test]
    fn a_transient_volume_goes_with_its_submitter() {
        let directory = tempfile::tempdir().unwrap();
        let volumes = Volumes::new(directory.path().to_owned());
        let background = Background::start().unwrap();
        let owned = Owned::of_submitter(&background);
        let request = VolumeRequest::transient("ssd", "1Gi");
        let data = volumes.directory(&request, &owned).unwrap();
        fs::write(data.join("word"), "one").unwrap();
        assert_eq!(volumes.directory(&request.clone(), &owned).unwrap(), data);
        assert_eq!(fs::read_to_string(data.join("word")).unwrap(), "one");
        drop(owned);
        drop(background);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn collection_removes_volumes_whose_owners_are_gone() {
        let directory = tempfile::tempdir().unwrap();
        let background = Background::start().unwrap();
        let owned = Owned::of_submitter(&background);
        let make = |volumes: &Volumes, request: &VolumeRequest| {
            fs::write(volumes.directory(request, &owned).unwrap().join("word"), "one").unwrap();
        };
        let volumes = Volumes::new(directory.path().to_owned());
        let (living, orphan) =
            (VolumeRequest::transient("ssd", "1Gi"), VolumeRequest::transient("ssd", "1Gi"));
        make(&volumes, &living);
        make(&volumes, &VolumeRequest::persistent("models", "ssd", "1Gi"));
        // As of a process that was killed: all of it is there, but the lock.
        drop(VolumeOwner::new(directory.path(), orphan.name()).unwrap());
        volumes.make(&orphan, &directory.path().join(orphan.name())).unwrap();
        let name = [format!("volume {}", orphan.name())];
        assert_eq!(volumes.collect(Removal::DryRun).unwrap(), name);
        assert_eq!(volumes.collect(Removal::Real).unwrap(), name);
        assert_eq!(volumes.collect(Removal::Real).unwrap(), [""; 0]);
        let left = |name: &str| directory.path().join(name).join("data").exists();
        assert_eq!((left(orphan.name()), left(living.name()), left("models")), (false, true, true));
        drop(owned);
        drop(background);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_persistent_volume_is_found_again() {
        let directory = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let volumes = Volumes::new(directory.path().to_owned());
            let background = Background::start().unwrap();
            let owned = Owned::of_submitter(&background);
            let request = VolumeRequest::persistent("models", "ssd", "1Gi");
            let data = volumes.directory(&request, &owned).unwrap();
            fs::write(data.join("word"), "one").unwrap();
            let other = VolumeRequest::persistent("models", "ssd", "2Gi");
            let error = volumes.directory(&other, &owned).unwrap_err().to_string();
            assert!(error.contains("with class and size ssd 1Gi, and ssd 2Gi were"), "{error}");
        }
        assert!(directory.path().join("models/data/word").exists());
    }
}
