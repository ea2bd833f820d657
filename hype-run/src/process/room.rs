//! A room for commands, like those that bubblewrap creates: user, mount, PID, network, IPC, UTS and cgroup namespaces
//! with their own root directory, created by system calls.
//!
//! The first process in the PID namespace waits until the other end of a pipe is closed. When it ends, the kernel kills
//! all other processes of the namespace. A fork of this process would keep a copy of its memory, so the first process
//! executes a shell that waits.
//!
//! Between `fork` and `exec`, the new process has no other threads, but locks that they held stay locked. So it must
//! not allocate, or call a function that does.

use std::ffi::{CStr, CString};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libc::{c_int, c_long, pid_t};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, waitpid};

use super::first;
use super::identity::Identity;
use super::idmap;
use super::layout::{Step, c_string};
use super::memory_group::MemoryGroup;
use super::spawn::Within;
use super::started::Started;

/// The namespaces of a room. A command with a network grant doesn't enter the network namespace.
const KINDS: c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWNET;

/// A plan from which [`Room::make`] creates a room.
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// The prepared ID-mapped mount of each step, if it has one.
    pub(super) mounts: Vec<Option<OwnedFd>>,
    /// An empty directory. It is the mount point of the root directory, only within the room.
    pub(super) root: CString,
    pub(super) identity: Identity,
    /// The maps of users and groups for the user namespace.
    pub(super) maps: [CString; 2],
    shell: Option<OwnedFd>,
    /// The memory of all commands together, in bytes.
    memory: u64,
}

impl Plan {
    /// Creates a plan for a room whose commands run as `identity` and use `memory` bytes together. `steps` create the root directory, which is mounted
    /// at the empty directory `root`.
    ///
    /// # Errors
    ///
    /// Returns an error if the path `root` contains a zero byte.
    pub(super) fn new(
        steps: Vec<Step>,
        root: &Path,
        identity: Identity,
        memory: u64,
    ) -> io::Result<Self> {
        let shell = rustix::fs::open(
            "/bin/sh",
            rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        );
        let mounts = steps.iter().map(|step| match step {
            Step::Show { source, is_own: false, .. } if identity.is_dropped => idmap::mount(source),
            _ => None,
        });
        let [users, groups] = identity.maps().map(CString::new);
        Ok(Self {
            mounts: mounts.collect(),
            steps,
            root: c_string(root)?,
            identity,
            maps: [users?, groups?],
            shell: shell.ok(),
            memory,
        })
    }
}

/// A room. Dropping it ends all processes in it.
pub(crate) struct Room {
    first: Pid,
    pidfd: OwnedFd,
    /// The control group of the commands; `None` if this user cannot create one.
    group: Option<MemoryGroup>,
    /// The processes in the room that this process started.
    inside: Vec<Arc<Started>>,
    /// The pipe that keeps the first process alive: it ends when the pipe is closed, also if this process is killed.
    _lifeline: io::PipeWriter,
}

impl Room {
    /// Creates the room that `plan` describes.
    ///
    /// # Errors
    ///
    /// Returns the error of the system call that failed.
    pub(super) fn make(plan: &Plan) -> io::Result<Self> {
        let (waiting, lifeline) = io::pipe()?;
        let (status, reporting) = io::pipe()?;
        // The first process copies these to its descriptors 0 to 2.
        let [waiting, reporting] = [OwnedFd::from(waiting), OwnedFd::from(reporting)]
            .map(|fd| rustix::io::fcntl_dupfd_cloexec(&fd, 10));
        let (waiting, reporting) = (waiting?, reporting?);
        let shell = plan.shell.as_ref().map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 10));
        let shell = shell.transpose()?;
        let fds = [Some(&waiting), Some(&reporting), shell.as_ref()];
        let fds = fds.map(|fd| fd.map_or(-1, AsRawFd::as_raw_fd));
        // SAFETY: the new process only makes system calls, on data that was created before.
        let made = unsafe { fork(KINDS) }.map_err(|error| {
            io::Error::new(error.kind(), format!("the system refuses namespaces: {error}"))
        })?;
        let Some(first) = made else {
            // SAFETY: this is the new process, which has only one thread.
            unsafe { first::run(plan, fds) }
        };
        drop((waiting, reporting));
        let pidfd = pidfd_open(first, PidfdFlags::empty()).map_err(io::Error::from);
        let begun = begin(plan, first, &lifeline).and_then(|()| {
            let mut report = Vec::new();
            io::PipeReader::from(OwnedFd::from(status)).read_to_end(&mut report)?;
            if report.is_empty() { Ok(()) } else { Err(refusal(plan, &report)) }
        });
        match pidfd.and_then(|pidfd| begun.map(|()| pidfd)) {
            Ok(pidfd) => Ok(Self {
                first,
                pidfd,
                group: MemoryGroup::create(plan.memory),
                inside: Vec::new(),
                _lifeline: lifeline,
            }),
            Err(error) => {
                end(first, &[]);
                Err(error)
            }
        }
    }

    /// Returns the namespaces that a command enters.
    pub(super) fn within(&self, has_network: bool) -> Within {
        let kinds = if has_network { KINDS & !libc::CLONE_NEWNET } else { KINDS };
        Within {
            pidfd: self.pidfd.as_raw_fd(),
            kinds,
            group: self.group.as_ref().map_or(-1, MemoryGroup::processes),
        }
    }

    /// Returns the path on this machine of the room's `path`.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        Path::new("/proc").join(self.first.as_raw_pid().to_string()).join("root").join(path)
    }

    /// Adds a process that was started in the room. Dropping the room waits for it.
    pub(super) fn admit(&mut self, started: &Arc<Started>) {
        self.inside.retain(|it| it.status().is_none());
        self.inside.push(Arc::clone(started));
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        end(self.first, &self.inside);
    }
}

/// Writes the ID maps of a room if its first process isn't allowed to, and then lets that process begin.
fn begin(plan: &Plan, first: Pid, mut lifeline: &io::PipeWriter) -> io::Result<()> {
    if !plan.identity.is_dropped {
        return Ok(());
    }
    for (file, map) in ["uid_map", "gid_map"].into_iter().zip(&plan.maps) {
        std::fs::write(format!("/proc/{}/{file}", first.as_raw_pid()), map.as_bytes())
            .map_err(|error| refused("a namespace of users", &error))?;
    }
    lifeline.write_all(b"\n")
}

/// Kills the first process of a room, and waits until all processes of the room have ended. `inside` are those that are
/// children of this process.
fn end(first: Pid, inside: &[Arc<Started>]) {
    let _ = kill_process(first, Signal::KILL);
    for started in inside {
        started.wait();
    }
    // The call fails if another part of this program has already reaped the process.
    let _ = rustix::io::retry_on_intr(|| waitpid(Some(first), WaitOptions::empty()));
}

/// Parses the report of the first process: the number of the failed step, and its `errno`.
fn refusal(plan: &Plan, report: &[u8]) -> io::Error {
    let number = |at: usize| {
        let bytes = report.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        u32::from_ne_bytes(bytes.unwrap_or_default())
    };
    let what = match number(0) {
        first::USERS => "a namespace of users".to_owned(),
        first::ROOT => "a root in it".to_owned(),
        first::PROC => "the mount of /proc in it".to_owned(),
        step => match plan.steps.get(step as usize) {
            Some(Step::Show { source, at, .. }) => {
                format!("the mount of {} at /{}", source.to_string_lossy(), at.to_string_lossy())
            }
            Some(Step::Seal { .. }) => "mounts for reading alone".to_owned(),
            Some(Step::Tmp { .. }) => "the mount of /tmp".to_owned(),
            _ => "the entries of a root".to_owned(),
        },
    };
    refused(&what, &io::Error::from_raw_os_error(number(4).cast_signed()))
}

fn refused(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("the system refuses {what}: {error}"))
}

/// Creates a process like `fork`, in new namespaces of these kinds. Returns `None` in the new process.
///
/// # Safety
///
/// The new process must only make system calls, and must execute another program or exit.
pub(super) unsafe fn fork(namespaces: c_int) -> io::Result<Option<Pid>> {
    let flags = c_long::from(namespaces | libc::SIGCHLD);
    let none: c_long = 0;
    // SAFETY: without shared memory, this call is equivalent to `fork`. The C library's handlers, which `fork` also
    // runs, have no effect on a process that only makes system calls.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, none, none, none, none) };
    match pid {
        ..0 => Err(io::Error::last_os_error()),
        pid => Ok(Pid::from_raw(pid as pid_t)),
    }
}

/// Returns the pointer and length of `text`, as `write` takes them.
pub(super) fn bytes(text: &CStr) -> (*const libc::c_void, usize) {
    (text.as_ptr().cast(), text.count_bytes())
}

#[cfg(test)]
mod tests;
