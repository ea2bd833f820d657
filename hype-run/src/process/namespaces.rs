//! Namespaces for commands, made by system calls: of users, so that nobody needs rights for it; of mounts, so that
//! they see what their guest does, where it does; and of processes, so that all of them end together.
//!
//! The first process in them waits until nobody holds the other end of a pipe. When it ends, the system
//! ends all others in there, whatever they did to get away. A process of this program's image would keep
//! its memory as it was, so a shell does that waiting.
//!
//! Between the making of a process and the program that it becomes, other threads of this one are gone, and may have
//! left locks behind: nothing there may allocate, nor call what does.

use std::ffi::{CStr, CString};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::Arc;

use libc::{c_int, c_long, c_uint, c_void, pid_t};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, waitpid};

use super::layout::{Step, c_string};
use super::spawn::give_up_rights;
use super::started::Started;

/// What they are made of: a root, and who is who in them.
pub(crate) struct Plan {
    steps: Vec<Step>,
    /// An empty directory, which becomes that root there and nowhere else.
    root: CString,
    users: CString,
    groups: CString,
    shell: Option<OwnedFd>,
}

impl Plan {
    /// By `steps`, with the empty directory `root`.
    ///
    /// # Errors
    ///
    /// When there is a zero byte in its path.
    pub(crate) fn new(steps: Vec<Step>, root: &Path) -> io::Result<Self> {
        let alone = |id: u32| Ok::<_, io::Error>(CString::new(format!("{id} {id} 1\n"))?);
        let shell = rustix::fs::open(
            "/bin/sh",
            rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        );
        Ok(Self {
            steps,
            root: c_string(root)?,
            users: alone(rustix::process::geteuid().as_raw())?,
            groups: alone(rustix::process::getegid().as_raw())?,
            shell: shell.ok(),
        })
    }
}

/// Namespaces, until this is dropped: then all that runs in them has ended.
pub(super) struct Namespaces {
    first: Pid,
    pidfd: OwnedFd,
    /// Those in there that this process started.
    inside: Vec<Arc<Started>>,
    /// The first process ends when nobody has it, this process being gone.
    _lifeline: OwnedFd,
}

impl Namespaces {
    /// Makes them by `plan`.
    ///
    /// # Errors
    ///
    /// When the system refuses it.
    pub(crate) fn make(plan: &Plan) -> io::Result<Self> {
        let (waiting, lifeline) = io::pipe()?;
        let (status, telling) = io::pipe()?;
        // Out of the way of those that the first process has.
        let [waiting, telling] = [OwnedFd::from(waiting), OwnedFd::from(telling)]
            .map(|fd| rustix::io::fcntl_dupfd_cloexec(&fd, 10));
        let (waiting, telling) = (waiting?, telling?);
        let shell = plan.shell.as_ref().map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 10));
        let shell = shell.transpose()?;
        let fds = [Some(&waiting), Some(&telling), shell.as_ref()];
        let fds = fds.map(|fd| fd.map_or(-1, AsRawFd::as_raw_fd));
        let flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID;
        // SAFETY: the new process makes system calls alone, on what was made before.
        let made = unsafe { fork(flags) }.map_err(|error| {
            io::Error::new(error.kind(), format!("the system refuses namespaces: {error}"))
        })?;
        let Some(first) = made else {
            // SAFETY: this is the new process, which has only one thread.
            unsafe { be_first(plan, fds) }
        };
        drop((waiting, telling));
        let pidfd = pidfd_open(first, PidfdFlags::empty()).map_err(io::Error::from);
        let mut told = Vec::new();
        let read = io::PipeReader::from(OwnedFd::from(status)).read_to_end(&mut told);
        let refusal = match (read, &told[..]) {
            (Ok(_), []) => None,
            (Ok(_), told) => Some(refusal(plan, told)),
            (Err(error), _) => Some(error),
        };
        match (pidfd, refusal) {
            (Ok(pidfd), None) => {
                Ok(Self { first, pidfd, inside: Vec::new(), _lifeline: lifeline.into() })
            }
            (Err(error), None) | (_, Some(error)) => {
                end(first, &[]);
                Err(error)
            }
        }
    }

    /// What they are entered by.
    pub(super) fn as_raw_fd(&self) -> RawFd {
        self.pidfd.as_raw_fd()
    }

    /// Takes note of a process that was started in there.
    pub(super) fn admit(&mut self, started: &Arc<Started>) {
        self.inside.retain(|it| it.status().is_none());
        self.inside.push(Arc::clone(started));
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        end(self.first, &self.inside);
    }
}

/// Ends the first process, and waits until all others have ended with it. It waits for those, and those of this
/// process wait for this process.
fn end(first: Pid, inside: &[Arc<Started>]) {
    let _ = kill_process(first, Signal::KILL);
    for started in inside {
        started.wait();
    }
    // Somebody else in this program may have waited for it.
    let _ = rustix::io::retry_on_intr(|| waitpid(Some(first), WaitOptions::empty()));
}

/// How far the first process came, and what stopped it there.
const USERS: u32 = u32::MAX;
const ROOT: u32 = u32::MAX - 1;
const PROC: u32 = u32::MAX - 2;

fn refusal(plan: &Plan, told: &[u8]) -> io::Error {
    let number = |at: usize| {
        let bytes = told.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        u32::from_ne_bytes(bytes.unwrap_or_default())
    };
    let what = match number(0) {
        USERS => "a namespace of users".to_owned(),
        ROOT => "a root in it".to_owned(),
        PROC => "the mount of /proc in it".to_owned(),
        step => match plan.steps.get(step as usize) {
            Some(Step::Show { source, at, .. }) => {
                format!("the mount of {} at /{}", source.to_string_lossy(), at.to_string_lossy())
            }
            Some(Step::EndReadOnly) => "mounts for reading alone".to_owned(),
            _ => "the entries of a root".to_owned(),
        },
    };
    let error = io::Error::from_raw_os_error(number(4).cast_signed());
    io::Error::new(error.kind(), format!("the system refuses {what}: {error}"))
}

/// A new process, as `fork` makes one, with these namespaces of its own; in it there is nothing here.
///
/// # Safety
///
/// The new process may do nothing but system calls, and must become another program or exit.
unsafe fn fork(namespaces: c_int) -> io::Result<Option<Pid>> {
    let flags = c_long::from(namespaces | libc::SIGCHLD);
    let none: c_long = 0;
    // SAFETY: without memory in common, it is as `fork`. None of what `fork` does besides is of use to a
    // process that only makes system calls.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, none, none, none, none) };
    match pid {
        ..0 => Err(io::Error::last_os_error()),
        pid => Ok(Pid::from_raw(pid as pid_t)),
    }
}

/// Becomes the first process, which never returns.
///
/// # Safety
///
/// Only in a process of its own, made by [`fork`]; `fds` are open there, or negative.
unsafe fn be_first(plan: &Plan, fds: [RawFd; 3]) -> ! {
    // SAFETY: these are system calls, on strings that end with a zero byte and on numbers.
    unsafe {
        for (fd, becomes) in fds.into_iter().zip(0..) {
            if fd >= 0 {
                libc::dup2(fd, becomes);
            }
        }
        libc::syscall(libc::SYS_close_range, 3 as c_uint, c_uint::MAX, 0);
        if let Err(step) = make_root(plan) {
            let told = [step, *libc::__errno_location() as u32];
            libc::write(1, told.as_ptr().cast(), size_of_val(&told));
            libc::_exit(1);
        }
        // What processes leave behind is nobody's else to wait for.
        libc::signal(libc::SIGCHLD, libc::SIG_IGN);
        give_up_rights();
        libc::fcntl(1, libc::F_SETFD, libc::FD_CLOEXEC);
        libc::fcntl(2, libc::F_SETFD, libc::FD_CLOEXEC);
        let arguments = [c"sh".as_ptr(), c"-c".as_ptr(), c"read _".as_ptr(), std::ptr::null()];
        let variables: [*const libc::c_char; 1] = [std::ptr::null()];
        libc::syscall(
            libc::SYS_execveat,
            2,
            c"".as_ptr(),
            arguments.as_ptr(),
            variables.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
        // Without a shell this process itself waits.
        libc::close(1);
        let mut byte = 0_u8;
        while libc::read(0, (&raw mut byte).cast(), 1) < 0
            && *libc::__errno_location() == libc::EINTR
        {}
        libc::_exit(0);
    }
}

/// What stopped the making of a root, with the reason in `errno`.
type Stopped = Result<(), u32>;

fn done(result: c_int, step: u32) -> Stopped {
    if result < 0 { Err(step) } else { Ok(()) }
}

/// # Safety
///
/// As [`be_first`].
unsafe fn make_root(plan: &Plan) -> Stopped {
    let none = std::ptr::null();
    // SAFETY: as the caller's.
    unsafe {
        // Where there is no such file, groups may be mapped without it.
        let _ = write_file(c"/proc/self/setgroups", c"deny");
        done(write_file(c"/proc/self/uid_map", &plan.users), USERS)?;
        done(write_file(c"/proc/self/gid_map", &plan.groups), USERS)?;
        let all = libc::MS_REC | libc::MS_PRIVATE;
        done(libc::mount(none, c"/".as_ptr(), none, all, none.cast()), ROOT)?;
        let (root, tmpfs) = (plan.root.as_ptr(), c"tmpfs".as_ptr());
        let flags = libc::MS_NOSUID | libc::MS_NODEV;
        done(libc::mount(tmpfs, root, tmpfs, flags, c"mode=755".as_ptr().cast()), ROOT)?;
        done(libc::chdir(root), ROOT)?;
        for (step, number) in plan.steps.iter().zip(0..) {
            done(take(step), number)?;
        }
        let proc = c"proc".as_ptr();
        let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
        if libc::mount(proc, proc, proc, flags, none.cast()) < 0 {
            // Where some of it is hidden, as in a container, there is none but that which is there.
            done(show(c"/proc", c"proc"), PROC)?;
        }
        let here = c".".as_ptr();
        done(libc::syscall(libc::SYS_pivot_root, here, here) as c_int, ROOT)?;
        done(libc::umount2(here, libc::MNT_DETACH), ROOT)?;
        done(libc::chdir(c"/".as_ptr()), ROOT)
    }
}

/// # Safety
///
/// As [`be_first`].
unsafe fn take(step: &Step) -> c_int {
    // SAFETY: as the caller's.
    unsafe {
        match step {
            Step::Directory(at) => libc::mkdir(at.as_ptr(), 0o755),
            Step::File(at) => {
                let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_CLOEXEC;
                let file = libc::open(at.as_ptr(), flags, 0o644 as c_uint);
                if file < 0 { file } else { libc::close(file) }
            }
            Step::Link { to, at } => libc::symlink(to.as_ptr(), at.as_ptr()),
            Step::Show { source, at, is_own } => {
                let shown = show(source, at);
                if *is_own { 0 } else { shown }
            }
            Step::EndReadOnly => {
                let mut attributes: libc::mount_attr = std::mem::zeroed();
                attributes.attr_set = libc::MOUNT_ATTR_RDONLY;
                libc::syscall(
                    libc::SYS_mount_setattr,
                    libc::AT_FDCWD,
                    c".".as_ptr(),
                    libc::AT_RECURSIVE,
                    &raw mut attributes,
                    size_of::<libc::mount_attr>(),
                ) as c_int
            }
        }
    }
}

/// # Safety
///
/// As [`be_first`].
unsafe fn show(source: &CStr, at: &CStr) -> c_int {
    let none = std::ptr::null();
    let all = libc::MS_BIND | libc::MS_REC;
    // SAFETY: as the caller's.
    unsafe { libc::mount(source.as_ptr(), at.as_ptr(), none, all, none.cast()) }
}

/// # Safety
///
/// As [`be_first`].
unsafe fn write_file(path: &CStr, text: &CStr) -> c_int {
    // SAFETY: as the caller's.
    unsafe {
        let file = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if file < 0 {
            return file;
        }
        let written = libc::write(file, text.as_ptr().cast::<c_void>(), text.count_bytes());
        if written < 0 { -1 } else { libc::close(file) }
    }
}
