//! The system calls that start the fork server: this executable again, or the program that was named, as a process that
//! no `wait` of this program sees.
//!
//! The new process is a grandchild: its parent exits at once, and another process adopts it. It ends when its channel
//! closes or this program ends. A child would appear in the program's own calls of `wait`. So a program that adopts
//! orphans itself can't have a fork server.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::ptr;

use libc::{c_char, c_int, c_long, c_uint, c_void, pid_t, sigset_t};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Pid, child_subreaper, getpid};

use super::entry::VARIABLE;
use crate::own_program::loader_variables;
use crate::process::{Stack, without_signals};

/// The executable of this process, also after its file was replaced or removed.
const EXECUTABLE: &std::ffi::CStr = c"/proc/self/exe";

/// The name of the fork server and of workers in lists of processes.
const NAME: &std::ffi::CStr = c"hype-worker";

/// A process that was started.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) process: Pid,
    pub(super) pidfd: OwnedFd,
}

/// Starts `program`, or else this executable again, with `channel` and `owner` as its only descriptors besides `/dev/null`,
/// and with no variables but those of the loader.
///
/// # Errors
///
/// Returns an error if this process would adopt the fork server, or the error of the system call that failed. No process
/// is left then.
pub(super) fn launch(
    program: Option<&Path>,
    channel: BorrowedFd<'_>,
    owner: BorrowedFd<'_>,
) -> io::Result<Launched> {
    check_adopts_no_orphans()?;
    let program = program.map(|path| CString::new(path.as_os_str().as_bytes())).transpose()?;
    let null = OwnedFd::from(std::fs::File::options().read(true).write(true).open("/dev/null")?);
    // The new process copies these to its descriptors 0 to 2.
    let streams = [
        fcntl_dupfd_cloexec(channel, 3)?,
        fcntl_dupfd_cloexec(owner, 3)?,
        fcntl_dupfd_cloexec(&null, 3)?,
    ];
    let variables = variables();
    let pointers: Vec<_> = variables.iter().map(|it| it.as_ptr()).chain([ptr::null()]).collect();
    let (mut outer, mut inner) = (Stack::new(), Stack::new());
    let mut shared = Shared {
        program: program.as_deref().unwrap_or(EXECUTABLE).as_ptr(),
        streams: streams.each_ref().map(AsRawFd::as_raw_fd),
        arguments: [NAME.as_ptr(), ptr::null()],
        variables: pointers.as_ptr(),
        stack: inner.top(),
        process: 0,
        pidfd: -1,
        error: 0,
    };
    let shared = &raw mut shared;
    without_signals(|| {
        // Exit signal 0: the program gets no SIGCHLD, and its `wait` doesn't see the process between.
        // It has the descriptors of the program, so that the pidfd that it gets belongs to the program.
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES;
        // SAFETY: `between` only makes system calls, on data that outlives it: this thread waits until it has ended.
        let pid = unsafe { libc::clone(between, outer.top(), flags, shared.cast()) };
        if pid < 0 {
            return Err(io::Error::last_os_error());
        }
        reap(pid);
        // SAFETY: the new processes no longer use `shared`. The reads are volatile since they wrote to it.
        let (process, pidfd, error) = unsafe {
            (
                (&raw const (*shared).process).read_volatile(),
                (&raw const (*shared).pidfd).read_volatile(),
                (&raw const (*shared).error).read_volatile(),
            )
        };
        // SAFETY: the kernel has opened it in the table of this process, and nothing else uses it.
        let pidfd = (pidfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) });
        match (error, Pid::from_raw(process), pidfd) {
            (0, Some(process), Some(pidfd)) => Ok(Launched { process, pidfd }),
            (0, ..) => Err(io::ErrorKind::Unsupported.into()),
            (error, ..) => Err(io::Error::from_raw_os_error(error)),
        }
    })
}

/// Returns an error if orphans become children of this process.
fn check_adopts_no_orphans() -> io::Result<()> {
    let reason = if getpid() == Pid::INIT {
        "it is process 1; run it below an init process, such as `docker run --init`"
    } else if child_subreaper()?.is_some() {
        "it is a child subreaper (PR_SET_CHILD_SUBREAPER)"
    } else {
        return Ok(());
    };
    let problem = format!("this program would adopt the fork server as its child: {reason}");
    Err(io::Error::new(io::ErrorKind::Unsupported, problem))
}

/// Returns the environment of the fork server.
fn variables() -> Vec<CString> {
    let entry = (OsString::from(VARIABLE), OsString::from(hype_wire::HYPE_VERSION));
    let encode = |(mut variable, value): (OsString, OsString)| {
        variable.push("=");
        variable.push(value);
        CString::new(variable.into_vec()).ok()
    };
    loader_variables().chain([entry]).filter_map(encode).collect()
}

/// Reaps the process between this one and the fork server, which has ended.
fn reap(pid: pid_t) {
    loop {
        // SAFETY: this is a system call on numbers. `__WCLONE` is for processes without an exit signal.
        let waited = unsafe { libc::waitpid(pid, ptr::null_mut(), libc::__WCLONE) };
        if waited >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}

/// The data that this process shares with the new ones: their input and their result.
struct Shared {
    program: *const c_char,
    streams: [RawFd; 3],
    arguments: [*const c_char; 2],
    variables: *const *const c_char,
    stack: *mut c_void,
    /// The number of the process that executes the program, or 0.
    process: pid_t,
    /// The pidfd of the process that executes the program, or -1.
    pidfd: RawFd,
    /// The `errno` of the system call that failed, or 0.
    error: c_int,
}

/// Creates the process that executes the program, and exits.
extern "C" fn between(shared: *mut c_void) -> c_int {
    let shared = shared.cast::<Shared>();
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: the program waits, and keeps `shared` valid.
    unsafe {
        let pidfd = &raw mut (*shared).pidfd;
        let process = libc::clone(execute, (*shared).stack, flags, shared.cast(), pidfd);
        if process < 0 {
            record_error(shared);
        } else {
            (*shared).process = process;
        }
        libc::_exit(0)
    }
}

/// Executes the program, in a session of its own.
extern "C" fn execute(shared: *mut c_void) -> c_int {
    let shared = shared.cast::<Shared>();
    // SAFETY: the program waits, and keeps `shared` valid.
    unsafe {
        if prepare(&*shared) >= 0 {
            let Shared { program, arguments, variables, .. } = &*shared;
            libc::execve(*program, arguments.as_ptr(), *variables);
        }
        record_error(shared);
        libc::_exit(127)
    }
}

/// Sets the descriptors, the session, the directory and the signals of this process.
///
/// # Safety
///
/// The caller must be a new process that has not executed its program yet.
unsafe fn prepare(it: &Shared) -> c_int {
    // SAFETY: these are system calls on numbers and on local memory.
    unsafe {
        for (fd, becomes) in it.streams.into_iter().zip(0..) {
            if libc::dup2(fd, becomes) < 0 {
                return -1;
            }
        }
        if libc::syscall(libc::SYS_close_range, 3 as c_uint, c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
            < 0
            || libc::setsid() < 0
            || libc::chdir(c"/".as_ptr()) < 0
        {
            return -1;
        }
        for signal in 1..=libc::SIGRTMAX() {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        libc::prctl(libc::PR_SET_PDEATHSIG, 0 as c_long);
    }
    0
}

/// Records the `errno` of the system call that failed.
///
/// # Safety
///
/// The program must be waiting, so that `shared` is valid.
unsafe fn record_error(shared: *mut Shared) {
    // SAFETY: the caller guarantees that `shared` is valid.
    unsafe { (*shared).error = *libc::__errno_location() };
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::process::{Command, Stdio};

    use rustix::process::{PidfdFlags, pidfd_open, set_child_subreaper};

    use super::super::channel::Channel;
    use super::*;

    /// The variable that makes the test the program that adopts orphans.
    const PROGRAM: &str = "HYPE_TEST_SUBREAPER";

    #[test]
    fn program_that_adopts_orphans_starts_no_fork_server() {
        if std::env::var_os(PROGRAM).is_some() {
            set_child_subreaper(Some(getpid())).unwrap();
            let owner = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
            let (_ours, theirs) = Channel::pair().unwrap();
            let error = launch(None, theirs.as_fd(), owner.as_fd()).unwrap_err();
            assert!(error.to_string().contains("child subreaper"), "{error}");
            return;
        }
        let test = "workers::launch::tests::program_that_adopts_orphans_starts_no_fork_server";
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.args(["--exact", test]).env(PROGRAM, "1").stdout(Stdio::null());
        let status = program.status().unwrap();
        assert!(status.success(), "{status}");
    }
}
