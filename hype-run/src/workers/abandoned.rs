//! The directories of workers whose fork server was killed. A fork server that ends otherwise removes them itself.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;

use crate::scratch::{directories_of, remove_tree};

/// The time that a killed fork server has to end.
const END_TIMEOUT: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };

/// The time that the last system call of a killed worker may take.
const LAST_CALL_TIMEOUT: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(10);

/// Removes the directories that the workers of the fork server `process` have in `parents`, when it has ended. A thread of
/// its own waits for that: if this program ends earlier, garbage collection finds the directories.
pub(super) fn remove(process: Pid, pidfd: OwnedFd, parents: Vec<PathBuf>) {
    let work = move || {
        if has_ended(&pidfd, &END_TIMEOUT) {
            let directories = parents.iter().flat_map(|parent| directories_of(process, parent));
            directories.for_each(|directory| remove_when_unused(&directory, remove_tree));
        }
    };
    let thread = std::thread::Builder::new().name("hype-cleanup".into());
    if let Err(error) = thread.spawn(work) {
        tracing::debug!("cannot remove the directories of a killed fork server: {error}");
    }
}

/// Waits until a process has ended, and returns `false` if it takes longer than `timeout`.
pub(super) fn has_ended(pidfd: &OwnedFd, timeout: &Timespec) -> bool {
    let wait = || poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(timeout));
    rustix::io::retry_on_intr(wait).is_ok_and(|ready| ready > 0)
}

/// Removes a directory of a worker that the kernel kills with its fork server. The last system call of the worker may still
/// create or remove a file, and a process of the fork server may still remove the same directory.
fn remove_when_unused(directory: &Path, remove: impl Fn(&Path) -> io::Result<()>) {
    let started = Instant::now();
    while let Err(error) = remove(directory) {
        // The error may also mean that a file in the directory is gone.
        if directory.symlink_metadata().is_err() {
            return;
        }
        if started.elapsed() > LAST_CALL_TIMEOUT {
            tracing::warn!("cannot remove {}: {error}", directory.display());
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn directory_is_removed_although_a_file_in_it_disappears() {
        let directory = tempfile::tempdir().unwrap().keep();
        std::fs::write(directory.join("file"), "left").unwrap();
        let tries = Cell::new(0);
        remove_when_unused(&directory, |path| {
            tries.set(tries.get() + 1);
            match tries.get() {
                1 => Err(io::ErrorKind::NotFound.into()),
                _ => remove_tree(path),
            }
        });
        assert!(!directory.exists());
        remove_when_unused(&directory, remove_tree);
    }
}
