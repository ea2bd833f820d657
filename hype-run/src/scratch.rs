//! Temporary directories of guests, and their removal.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::blocking::without_delaying_others;

/// The start of the name of each temporary directory, before the number of its process and its namespace of processes.
const PREFIX: &str = "hype-run-";

/// A temporary directory of this user's guests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestDirectory {
    /// The path.
    pub path: PathBuf,
    /// True if the process that created the directory has ended without removing it.
    pub is_orphan: bool,
}

/// Returns the temporary directories of the guests of this user's processes on this machine. On Windows, it returns none.
///
/// Containers can share a directory for temporary files, but their processes have numbers of their own. So on Linux it
/// returns only directories of processes in the same namespace of processes.
///
/// # Errors
///
/// Returns an error if the system's directory for temporary files can't be read.
///
/// # Examples
///
/// ```
/// for directory in hype_run::guest_directories()? {
///     println!("{} {}", directory.path.display(), directory.is_orphan);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn guest_directories() -> std::io::Result<Vec<GuestDirectory>> {
    guest_directories_in(&std::env::temp_dir())
}

#[cfg(unix)]
fn guest_directories_in(temporary: &Path) -> std::io::Result<Vec<GuestDirectory>> {
    use std::os::unix::fs::MetadataExt;

    let user = rustix::process::geteuid().as_raw();
    let Some(namespace) = process_namespace() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for path in entries(temporary)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some((process, creator_namespace)) = process_of(name) else { continue };
        if creator_namespace != namespace {
            continue;
        }
        let is_own = path.symlink_metadata().is_ok_and(|it| it.is_dir() && it.uid() == user);
        if is_own {
            found.push(GuestDirectory { path, is_orphan: !exists(process) });
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// Returns the directories in `parent` that a process of this user and of this namespace has created.
#[cfg(target_os = "linux")]
pub(crate) fn directories_of(process: rustix::process::Pid, parent: &Path) -> Vec<PathBuf> {
    let is_its = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        process_of(name).is_some_and(|(creator, _)| creator == process)
    };
    let all = guest_directories_in(parent).unwrap_or_default();
    all.into_iter().map(|directory| directory.path).filter(|path| is_its(path)).collect()
}

#[cfg(not(unix))]
fn guest_directories_in(_: &Path) -> std::io::Result<Vec<GuestDirectory>> {
    Ok(Vec::new())
}

/// Returns the process that created the directory of this name, and its namespace of processes. The name has the form
/// `hype-run-PID-NAMESPACE-RANDOM`.
#[cfg(unix)]
fn process_of(name: &str) -> Option<(rustix::process::Pid, u64)> {
    let (process, rest) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let (namespace, random) = rest.split_once('-')?;
    let is_random = !random.is_empty() && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let process = process.parse().ok().filter(|_| is_random);
    Some((process.and_then(rustix::process::Pid::from_raw)?, namespace.parse().ok()?))
}

/// Returns the number of this process's namespace of processes, if the system shows it.
fn process_namespace() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt;
        fs::metadata("/proc/self/ns/pid").ok().map(|namespace| namespace.ino())
    }
    #[cfg(not(target_os = "linux"))]
    Some(0)
}

#[cfg(unix)]
fn exists(process: rustix::process::Pid) -> bool {
    rustix::process::test_kill_process(process) != Err(rustix::io::Errno::SRCH)
}

/// Creates a temporary directory of this process in `parent`, with a name that [`guest_directories`] recognises.
pub(crate) fn new_directory_in(parent: &Path) -> std::io::Result<PathBuf> {
    let namespace = process_namespace().unwrap_or_default();
    let prefix = format!("{PREFIX}{}-{namespace}-", std::process::id());
    tempfile::Builder::new().prefix(&prefix).tempdir_in(parent).map(TempDir::keep)
}

/// A temporary directory of one run. Dropping it removes the directory and everything in it.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self(new_directory_in(&tempfile::env::temp_dir())?))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = without_delaying_others(|| remove_tree(&self.0)) {
            tracing::warn!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// Removes the directory `root` and everything in it. Doesn't follow symbolic links.
///
/// Unlike [`std::fs::remove_dir_all`] it uses no stack and no descriptor per level. A guest can nest
/// directories so deep that either would run out, and that the innermost directory has no valid path.
/// So each directory is moved to the outermost level before it is emptied.
///
/// # Errors
///
/// When the directory doesn't exist, or something in it cannot be removed.
///
/// # Examples
///
/// ```
/// let root = tempfile::tempdir()?.keep();
/// std::fs::create_dir_all(root.join("a/b/c"))?;
/// hype_run::remove_tree(&root)?;
/// assert!(!root.exists());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn remove_tree(root: &Path) -> std::io::Result<()> {
    let mut moved = 0_u64;
    let mut remaining = entries(root)?;
    while let Some(path) = remaining.pop() {
        if !path.symlink_metadata()?.is_dir() {
            fs::remove_file(path)?;
            continue;
        }
        for inner in entries(&path)? {
            if inner.symlink_metadata()?.is_dir() {
                let up = free_name(root, &mut moved);
                fs::rename(inner, &up)?;
                remaining.push(up);
            } else {
                fs::remove_file(inner)?;
            }
        }
        fs::remove_dir(path)?;
    }
    fs::remove_dir(root)
}

fn entries(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect()
}

/// Returns an unused path in `root`.
fn free_name(root: &Path, moved: &mut u64) -> PathBuf {
    loop {
        *moved += 1;
        let path = root.join(format!("removed-{moved}"));
        if path.symlink_metadata().is_err() {
            return path;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn directory_of_an_ended_process_is_an_orphan() {
        let temporary = tempfile::tempdir().unwrap();
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let here = process_namespace().unwrap();
        let name = |process: u32, namespace| format!("hype-run-{process}-{namespace}-Ab3dEf");
        let (own, orphan) = (name(std::process::id(), here), name(ended.id(), here));
        // In another container the process of this number may be running.
        let of_another_container = name(ended.id(), here + 1);
        for name in [
            &own,
            &orphan,
            &of_another_container,
            "hype-run-abcdefghij",
            "hype-run-1-ab",
            "hype-run-1-1-a-b",
            "hype-run--1-1-ab",
        ] {
            fs::create_dir(temporary.path().join(name)).unwrap();
        }
        std::os::unix::fs::symlink("/", temporary.path().join(format!("{orphan}x"))).unwrap();
        let found: Vec<_> = guest_directories_in(temporary.path())
            .unwrap()
            .into_iter()
            .map(|it| (it.path.file_name().unwrap().to_str().unwrap().to_owned(), it.is_orphan))
            .collect();
        let mut expected = [(own, false), (orphan, true)];
        expected.sort();
        assert_eq!(found, expected);
        let scratch = Scratch::new().unwrap();
        let name = scratch.path().file_name().unwrap().to_str().unwrap();
        let (process, namespace) = process_of(name).unwrap();
        assert_eq!((process.as_raw_pid() as u32, namespace), (std::process::id(), here));
    }

    #[test]
    fn removal_keeps_the_targets_of_links() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("kept"), "kept").unwrap();
        let scratch = Scratch::new().unwrap();
        let root = scratch.path().to_owned();
        fs::create_dir_all(root.join("a/b/c")).unwrap();
        fs::create_dir_all(root.join("removed-1/removed-2")).unwrap();
        fs::write(root.join("a/b/c/file"), "gone").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(outside.path(), root.join("a/b/link")).unwrap();
        drop(scratch);
        assert!(!root.exists());
        assert_eq!(fs::read_to_string(outside.path().join("kept")).unwrap(), "kept");
    }

    /// Runs on a thread with a small stack, like the threads of a runtime.
    #[cfg(unix)]
    #[test]
    fn tree_deeper_than_any_path_is_removed() {
        let scratch = Scratch::new().unwrap();
        let root = scratch.path().to_owned();
        // Built from the innermost directory outwards, since no path reaches that deep.
        for level in 0..4_000 {
            let outer = root.join(format!("{}", level % 2));
            fs::create_dir(&outer).unwrap();
            if level > 0 {
                fs::rename(root.join(format!("{}", (level + 1) % 2)), outer.join("in")).unwrap();
            }
        }
        let thread = std::thread::Builder::new().stack_size(128 << 10);
        thread.spawn(|| drop(scratch)).unwrap().join().unwrap();
        assert!(!root.exists());
    }
}
