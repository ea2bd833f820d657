//! Keys of runs in files of the user, by which another process of the user verifies the outcome of a run.
//!
//! Each key is in a file that only the user can read, in a directory that only the user can list, except on Windows,
//! where they have the rights of the parent directory. No server and no stage ever has it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hype_wire::{RunKey, names};

use crate::error::{Error, Result};
use crate::private_files::{self, Forbidden};
use crate::removal::accept_missing;

/// The maximum size of a key's file, in bytes.
const MAX_SIZE: u64 = 4 << 10;

/// The files with the user's keys, one for each run.
#[derive(Debug, Clone)]
pub(crate) struct KeyStore {
    /// The directory; `None` for a user without a home directory.
    directory: Option<PathBuf>,
}

/// The fields of a key's file besides the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyFile {
    /// The Unix time in seconds from which on it may be garbage-collected.
    pub(crate) expiry: Option<String>,
    /// The URL of the stage with the map, if it is the key of a staged map.
    pub(crate) stage: Option<String>,
    pub(crate) written: SystemTime,
}

impl KeyStore {
    /// Returns the store in the user's state directory: `$XDG_STATE_HOME/hype/keys`, by default
    /// `~/.local/state/hype/keys`.
    pub(crate) fn of_user() -> Self {
        let home = dirs::home_dir();
        Self { directory: directory(std::env::var_os("XDG_STATE_HOME"), home.as_deref()) }
    }

    /// Returns the store in `directory`, which is created on the first write.
    #[cfg(test)]
    pub(crate) fn at(directory: &Path) -> Self {
        Self { directory: Some(directory.to_owned()) }
    }

    /// Writes the key of a run, whose file may be garbage-collected after `expiry`, a Unix time in seconds. Idempotent.
    ///
    /// # Errors
    ///
    /// An error if the directory can't be written to, or if other users can.
    #[cfg(feature = "docker")]
    pub(crate) fn write(&self, run_id: &str, key: &RunKey, expiry: &str) -> io::Result<()> {
        self.write_text(run_id, &format!("{}\n{expiry}\n", key.reveal()))
    }

    /// Writes the key of a run that has staged a map, like [`write`](Self::write). `stage` is the URL of its stage.
    ///
    /// # Errors
    ///
    /// An error if the directory can't be written to, or if other users can.
    pub(crate) fn write_of_map(
        &self,
        run_id: &str,
        key: &RunKey,
        expiry: &str,
        stage: &str,
    ) -> io::Result<()> {
        self.write_text(run_id, &format!("{}\n{expiry}\n{stage}\n", key.reveal()))
    }

    fn write_text(&self, run_id: &str, text: &str) -> io::Result<()> {
        let path = self.path(run_id)?;
        if let Some(directory) = &self.directory {
            private_files::create_checked_directory(directory, Forbidden::All)?;
        }
        let mut file = match private_files::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                accept_missing(fs::remove_file(&path))?;
                private_files::create_new(&path)?
            }
            opened => opened?,
        };
        file.write_all(text.as_bytes())
    }

    /// Returns the key of a run; `None` if this user has no such file, or if other users can read it.
    pub(crate) fn find(&self, run_id: &str) -> Option<RunKey> {
        let text = self.path(run_id).and_then(|path| read_private(&path)).ok()?;
        text.lines().next()?.parse().ok()
    }

    /// Deletes the key of a run. Idempotent: a missing file is no error.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) if the file can't be deleted.
    pub(crate) fn delete(&self, run_id: &str) -> Result<()> {
        let removed = self.path(run_id).and_then(|path| accept_missing(fs::remove_file(path)));
        removed.map_err(|error| Error::runner(format!("cannot remove the key of {run_id}"), error))
    }

    /// Returns the runs that have a key, each with its file.
    pub(crate) fn files(&self) -> BTreeMap<String, KeyFile> {
        let entries = self.directory.iter().flat_map(fs::read_dir).flatten().flatten();
        let runs = entries.filter_map(|entry| entry.file_name().into_string().ok());
        runs.filter_map(|run_id| self.file(&run_id).map(|file| (run_id, file))).collect()
    }

    /// Returns the file with the key of a run, if this user has one.
    pub(crate) fn file(&self, run_id: &str) -> Option<KeyFile> {
        let path = self.path(run_id).ok()?;
        let (text, written) = (read_private(&path).ok()?, path.metadata().ok()?.modified().ok()?);
        let mut lines = text.lines().skip(1).map(str::to_owned);
        Some(KeyFile { expiry: lines.next(), stage: lines.next(), written })
    }

    /// Returns the path of a run's file.
    fn path(&self, run_id: &str) -> io::Result<PathBuf> {
        let directory = self.directory.as_ref().filter(|_| names::is_run_id(run_id));
        directory.map(|directory| directory.join(run_id)).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                "the user has no home directory, or the run no ID",
            )
        })
    }
}

/// Returns the directory of keys for these values of `XDG_STATE_HOME` and the home directory.
fn directory(state_home: Option<OsString>, home: Option<&Path>) -> Option<PathBuf> {
    // The XDG specification ignores relative paths.
    let state_home = state_home.map(PathBuf::from).filter(|path| path.is_absolute());
    let state_home = state_home.or_else(|| Some(home?.join(".local/state")))?;
    Some(state_home.join("hype/keys"))
}

/// Reads a regular file that only this user can use.
fn read_private(path: &Path) -> io::Result<String> {
    let metadata = path.symlink_metadata()?;
    private_files::check(&metadata, path, Forbidden::All)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    File::open(path)?.take(MAX_SIZE).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
#[cfg(all(unix, feature = "docker"))]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    const RUN: &str = "hype-run-abcdefghij";

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().mode() & 0o777
    }

    #[test]
    fn key_is_kept_in_a_private_file() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("state/hype/keys");
        let store = KeyStore::at(&directory);
        assert_eq!(store.find(RUN), None);
        for byte in [1, 2] {
            let key = RunKey::new([byte; 32]);
            store.write(RUN, &key, "1").unwrap();
            assert_eq!(store.find(RUN), Some(key));
        }
        assert_eq!((mode(&directory), mode(&directory.join(RUN))), (0o700, 0o600));
        store.delete(RUN).unwrap();
        store.delete(RUN).unwrap();
        assert_eq!(store.find(RUN), None);
    }

    #[test]
    fn file_of_others_is_no_key() {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).unwrap();
        let store = KeyStore::at(directory.path());
        let (key, path) = (RunKey::new([1; 32]), directory.path().join(RUN));
        store.write(RUN, &key, "1").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert_eq!(store.find(RUN), None);
        fs::rename(&path, directory.path().join("target")).unwrap();
        fs::set_permissions(directory.path().join("target"), Permissions::from_mode(0o600))
            .unwrap();
        std::os::unix::fs::symlink("target", &path).unwrap();
        assert_eq!(store.find(RUN), None);
        for run_id in ["../hype-run-a", "", "A", "a/b"] {
            assert!(store.write(run_id, &key, "1").is_err(), "{run_id}");
            assert!(store.delete(run_id).is_err() && store.find(run_id).is_none(), "{run_id}");
        }
    }

    #[test]
    fn directory_of_others_gets_no_key() {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o770)).unwrap();
        let store = KeyStore::at(directory.path());
        let error = store.write(RUN, &RunKey::new([1; 32]), "1").unwrap_err().to_string();
        assert!(error.contains("chmod go="), "{error}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn keys_are_listed_with_their_expiry() {
        let home = tempfile::tempdir().unwrap();
        let store = KeyStore::at(&home.path().join("keys"));
        for (run_id, expiry) in [("run-a", "1"), ("run-b", "9")] {
            store.write(run_id, &RunKey::new([1; 32]), expiry).unwrap();
        }
        fs::write(home.path().join("keys/Notes"), "1\n1\n").unwrap();
        store.write_of_map("run-c", &RunKey::new([1; 32]), "3", "file:///stage").unwrap();
        let files = store.files();
        let files: Vec<_> = files
            .iter()
            .map(|(run_id, file)| (&**run_id, file.expiry.as_deref(), file.stage.as_deref()))
            .collect();
        let of_map = ("run-c", Some("3"), Some("file:///stage"));
        assert_eq!(files, [("run-a", Some("1"), None), ("run-b", Some("9"), None), of_map]);
    }

    #[test]
    fn state_directory_follows_xdg() {
        let home = Some(Path::new("/home/me"));
        let of_home = Some(PathBuf::from("/home/me/.local/state/hype/keys"));
        assert_eq!(directory(None, home), of_home);
        assert_eq!(directory(Some("relative".into()), home), of_home);
        assert_eq!(directory(Some("/state".into()), home), Some("/state/hype/keys".into()));
        assert_eq!(directory(None, None), None);
    }
}
