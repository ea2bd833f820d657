//! Directories with the sockets of a user's submitters.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::private_files::{self, Forbidden, create_checked_directory};

/// The extension of a socket that listens.
const SOCKET: &str = "sock";

/// The extension of a socket that doesn't listen yet.
pub(super) const NEW_SOCKET: &str = "new";

/// The age of a socket without its final name whose program has ended: a program takes microseconds to name it.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns the directories that may contain sockets of this user, the preferred one first. All are on this machine, even
/// if the user's home directory isn't.
pub(super) fn candidates() -> Vec<PathBuf> {
    let user = rustix::process::geteuid().as_raw();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let mut all: Vec<_> = runtime
        // The XDG specification ignores relative paths.
        .filter(|path| path.is_absolute())
        .into_iter()
        .chain([PathBuf::from(format!("/run/user/{user}"))])
        .filter(|parent| parent.is_dir())
        .map(|parent| parent.join("hype"))
        .collect();
    all.push(std::env::temp_dir().join(format!("hype-{user}")));
    all.dedup();
    all
}

/// Returns the first directory of `candidates` that only this user can use. Creates it if it is missing.
pub(super) fn create(candidates: &[PathBuf]) -> io::Result<PathBuf> {
    let mut last = io::Error::other("there is no directory for sockets");
    for directory in candidates {
        match create_checked_directory(directory, Forbidden::All) {
            Ok(()) => return Ok(directory.clone()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Returns the paths of the sockets in those directories of `candidates` that only this user can use.
pub(super) fn sockets(candidates: &[PathBuf]) -> Vec<PathBuf> {
    paths(candidates, SOCKET)
}

/// Returns the paths of the sockets in these directories whose programs ended before they had their names.
pub(super) fn abandoned(candidates: &[PathBuf]) -> Vec<PathBuf> {
    let is_abandoned = |path: &PathBuf| {
        let modified = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
        modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age >= PUBLISH_TIMEOUT))
    };
    let mut paths = paths(candidates, NEW_SOCKET);
    paths.retain(is_abandoned);
    paths
}

/// Returns the paths in the directories that only this user can use, whose names have the form `PID-NAME.EXTENSION`.
fn paths(candidates: &[PathBuf], extension: &str) -> Vec<PathBuf> {
    let is_private = |directory: &&PathBuf| {
        fs::symlink_metadata(directory).is_ok_and(|metadata| {
            private_files::check(&metadata, directory, Forbidden::All).is_ok()
        })
    };
    let entries = candidates.iter().filter(is_private).flat_map(fs::read_dir).flatten().flatten();
    let is_match = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(|c: char| c.is_ascii_digit())
            && path.extension().is_some_and(|found| found == extension)
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).filter(is_match).collect();
    paths.sort();
    paths
}

/// Returns the name of a socket of this process. `unique` distinguishes its submitters.
pub(super) fn socket_name(unique: &str) -> String {
    format!("{}-{unique}.{SOCKET}", std::process::id())
}
