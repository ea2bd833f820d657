//! The workers of the fork server, and the removal of what they leave.
//!
//! A worker that has ended stays in the table of processes until the fork server reaps it. So the number of a new worker
//! can't belong to another process before its pidfd is open, and its directory is removed only after its end. The fork
//! server reads the memory of its workers by their numbers.

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use libc::{c_int, c_uint, pid_t};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, pidfd_open,
    pidfd_send_signal, waitid, waitpid,
};

use super::memory::{self, ProcessStatus};
use super::worker_end::{LastEnds, WorkerEnd};
use crate::scratch::remove_tree;

/// The children of the fork server.
#[derive(Debug, Default)]
pub(super) struct Children {
    running: Vec<Child>,
    ended: LastEnds,
    /// The time at which the memory of the workers is read again.
    next_look: Option<Instant>,
}

#[derive(Debug)]
struct Child {
    pidfd: OwnedFd,
    /// `None` for a child that removes a directory.
    worker: Option<WorkerParts>,
    /// Whether the child was killed since it used too much memory.
    is_over_memory: bool,
    /// The status of a worker, if it could be opened.
    status: Option<ProcessStatus>,
}

/// A child that was forked.
#[derive(Debug)]
pub(super) struct Forked<'a> {
    pub(super) pidfd: BorrowedFd<'a>,
    /// The reason why the memory of this worker can't be read, if so.
    pub(super) unwatched: Option<io::Error>,
}

/// A worker, as the fork server knows it.
#[derive(Debug)]
pub(super) struct WorkerParts {
    pub(super) number: u64,
    /// The directory to remove when the worker has ended.
    pub(super) directory: PathBuf,
    /// The maximum memory of the worker, in bytes.
    pub(super) most_memory: u64,
}

impl Children {
    /// Forks a child, which exits with the status of `work` and owns the directory of `worker`.
    ///
    /// # Safety
    ///
    /// This process must have one thread, so that its copy is in a known state.
    ///
    /// # Errors
    ///
    /// Returns the error of the system. The directory is removed then.
    pub(super) unsafe fn fork(
        &mut self,
        worker: Option<WorkerParts>,
        work: impl FnOnce() -> c_int,
    ) -> io::Result<Forked<'_>> {
        let opened = std::io::pipe().and_then(|(mut is_seen, seen)| {
            // SAFETY: the caller guarantees that there is one thread.
            match unsafe { libc::fork() } {
                -1 => Err(io::Error::last_os_error()),
                0 => {
                    drop(seen);
                    // Waits until the fork server has opened the status of this process, or has ended.
                    let _ = is_seen.read_to_end(&mut Vec::new());
                    drop(is_seen);
                    // SAFETY: ends the child without the destructors of this process.
                    unsafe { libc::_exit(work()) }
                }
                pid => open(pid).map(|(pid, pidfd)| {
                    (pidfd, worker.is_some().then(|| ProcessStatus::open(pid)).transpose())
                }),
            }
        });
        match opened {
            Ok((pidfd, status)) => {
                let (status, unwatched) = match status {
                    Ok(status) => (status, None),
                    Err(error) => (None, Some(error)),
                };
                self.running.push(Child { pidfd, worker, is_over_memory: false, status });
                // A new worker is looked at soon.
                self.next_look = None;
                let pidfd = self.running[self.running.len() - 1].pidfd.as_fd();
                Ok(Forked { pidfd, unwatched })
            }
            Err(error) => {
                worker.map(|worker| remove_new(&worker.directory));
                Err(error)
            }
        }
    }

    /// Returns the descriptors of all children, which a new child inherits.
    pub(super) fn descriptors(&self) -> Vec<RawFd> {
        let status_of = |child: &Child| child.status.as_ref().map(AsRawFd::as_raw_fd);
        let of = |child: &Child| [Some(child.pidfd.as_raw_fd()), status_of(child)];
        self.running.iter().flat_map(of).flatten().collect()
    }

    /// Returns the end of the worker with this number, if it is one of the last ones.
    pub(super) fn end_of(&self, worker: u64) -> Option<WorkerEnd> {
        self.ended.of(worker)
    }

    /// Waits until a request arrives at `channel`, reaps the children that end meanwhile, and kills those that use too much
    /// memory. Returns `false` when `owner` has ended.
    pub(super) fn wait(&mut self, channel: BorrowedFd<'_>, owner: BorrowedFd<'_>) -> bool {
        loop {
            let timeout = self.look_at_memory(Instant::now());
            let mut ready: Vec<_> = [channel, owner]
                .into_iter()
                .chain(self.running.iter().map(|child| child.pidfd.as_fd()))
                .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
                .collect();
            match poll(&mut ready, timeout.as_ref()) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return false,
            }
            let mut is_ready = ready.iter().map(|fd| !fd.revents().is_empty());
            let (has_request, is_over) = (is_ready.next(), is_ready.next());
            let have_ended: Vec<bool> = is_ready.collect();
            if is_over == Some(true) {
                return false;
            }
            self.reap(&have_ended);
            if has_request == Some(true) {
                return true;
            }
        }
    }

    /// Kills the workers that use more memory than they may, if it is time to look. Returns the time until the next look.
    fn look_at_memory(&mut self, now: Instant) -> Option<Timespec> {
        if self.next_look.is_none_or(|next| now >= next) {
            let looks = self.running.iter_mut().filter_map(Child::memory_left);
            self.next_look = looks.min().map(|left| now + memory::interval(left));
        }
        let left = self.next_look?.saturating_duration_since(now);
        Timespec::try_from(left).ok()
    }

    fn reap(&mut self, have_ended: &[bool]) {
        for index in (0..have_ended.len()).rev().filter(|index| have_ended[*index]) {
            let (end, worker) = self.running.swap_remove(index).reap();
            if let Some(WorkerParts { number, directory, .. }) = worker {
                end.into_iter().for_each(|end| self.ended.add(number, end));
                self.remove(directory);
            }
        }
    }

    /// Removes `directory`, in another process if it isn't empty, since that may take long.
    fn remove(&mut self, directory: PathBuf) {
        if std::fs::remove_dir(&directory).is_ok() {
            return;
        }
        let work = || {
            // A copy of the channel would hide the end of the fork server from the program.
            // SAFETY: this process uses none of its descriptors.
            unsafe { libc::syscall(libc::SYS_close_range, 0 as c_uint, c_uint::MAX, 0 as c_uint) };
            c_int::from(remove_tree(&directory).is_err())
        };
        // SAFETY: the fork server has one thread.
        if unsafe { self.fork(None, work) }.is_err() {
            let _ = remove_tree(&directory);
        }
    }

    /// Kills all children, and removes their directories.
    pub(super) fn end(self) {
        let directories: Vec<PathBuf> = {
            for child in &self.running {
                child.kill();
            }
            let workers = self.running.into_iter().filter_map(|child| child.reap().1);
            workers.map(|worker| worker.directory).collect()
        };
        for directory in directories {
            let _ = remove_tree(&directory);
        }
    }
}

/// Opens the pidfd of the new child `pid`. Only this process's `wait` frees the number of the child.
///
/// # Errors
///
/// Returns the error of the system, for example because this process has no descriptor left. The child has ended then.
fn open(pid: pid_t) -> io::Result<(Pid, OwnedFd)> {
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?;
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => Ok((pid, pidfd)),
        Err(error) => {
            end(pid);
            Err(error.into())
        }
    }
}

/// Removes the directory of a child that has just begun. An empty directory is removed without a descriptor, of which none
/// may be left.
fn remove_new(directory: &Path) -> io::Result<()> {
    std::fs::remove_dir(directory).or_else(|_| remove_tree(directory))
}

/// Kills the child `pid`, and waits for its end.
fn end(pid: Pid) {
    let _ = kill_process(pid, Signal::KILL);
    let _ = rustix::io::retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty()));
}

impl Child {
    /// Returns the memory that a worker may use in addition. Kills a worker that uses too much. Memory that can't be read is
    /// read again at the next look; that of a worker that is ending can't be.
    fn memory_left(&mut self) -> Option<u64> {
        let most = self.worker.as_ref().filter(|_| !self.is_over_memory)?.most_memory;
        let used = self.status.as_ref()?.memory();
        let left = used.map_or(Some(most), |used| most.checked_sub(used));
        if left.is_none() {
            self.is_over_memory = true;
            self.kill();
        }
        left
    }

    /// Kills the child, unless it removes a directory.
    fn kill(&self) {
        if self.worker.is_some() {
            // The error means that the child has ended.
            let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        }
    }

    /// Waits for the end of the child, and returns it.
    fn reap(self) -> (Option<WorkerEnd>, Option<WorkerParts>) {
        let child = || waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED);
        // The error means that it was reaped.
        let status = rustix::io::retry_on_intr(child).ok().flatten();
        let end = status.and_then(|status| {
            let exited = status.exit_status().map(WorkerEnd::Exited);
            exited.or(status.terminating_signal().map(WorkerEnd::Killed))
        });
        let most_memory = self.worker.as_ref().filter(|_| self.is_over_memory);
        let end = most_memory.map(|worker| WorkerEnd::OverMemory(worker.most_memory)).or(end);
        (end, self.worker)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use rustix::process::getpid;

    use super::super::channel::Channel;
    use super::*;
    use crate::scratch::new_directory_in;

    fn this_process() -> OwnedFd {
        pidfd_open(getpid(), PidfdFlags::empty()).unwrap()
    }

    #[test]
    fn ended_child_keeps_its_number_until_it_is_reaped() {
        let mut children = Children::default();
        let parent = tempfile::tempdir().unwrap();
        let directory = new_directory_in(parent.path()).unwrap();
        std::fs::write(directory.join("file"), "left").unwrap();
        let worker = WorkerParts { number: 7, directory: directory.clone(), most_memory: u64::MAX };
        // SAFETY: the child only exits.
        let forked = unsafe { children.fork(Some(worker), || 3) }.unwrap();
        assert!(forked.unwatched.is_none(), "{forked:?}");
        let pidfd = forked.pidfd.try_clone_to_owned().unwrap();
        let mut ended = [PollFd::new(&pidfd, PollFlags::IN)];
        poll(&mut ended, None).unwrap();
        let is_zombie = || {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            waitid(WaitId::PidFd(pidfd.as_fd()), options).is_ok()
        };
        assert!(is_zombie() && directory.exists());
        let (program, channel) = Channel::pair().unwrap();
        program.send([b"request", b""], &[]).unwrap();
        while is_zombie() {
            assert!(children.wait(channel.as_fd(), this_process().as_fd()));
        }
        assert_eq!(children.end_of(7), Some(WorkerEnd::Exited(3)));
        children.end();
        assert!(!directory.exists());
    }

    #[test]
    fn end_kills_children_and_removes_their_directories() {
        let mut children = Children::default();
        let parent = tempfile::tempdir().unwrap();
        for _ in 0..3 {
            let directory = new_directory_in(parent.path()).unwrap();
            std::fs::write(directory.join("file"), "left").unwrap();
            let wait = || loop {
                // SAFETY: waits for the signal that ends this copy of the test.
                unsafe { libc::pause() };
            };
            let worker = WorkerParts { number: 0, directory, most_memory: u64::MAX };
            // SAFETY: the child only waits.
            unsafe { children.fork(Some(worker), wait) }.unwrap();
        }
        // A pidfd and a status of each.
        assert_eq!(children.descriptors().len(), 6);
        children.end();
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
