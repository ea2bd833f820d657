//! The system calls that start the process of a command. Until it executes its program, the new process shares the
//! memory of this one, as with `vfork`, and the thread that created it waits. `fork` would copy the page tables, which
//! takes time in proportion to the memory, and entering namespaces would need two copies.
//!
//! Other threads may hold locks meanwhile. So a new process must not allocate, or call a function that does.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr;

use libc::{c_char, c_int, c_long, c_uint, c_void, pid_t, sigset_t};
use rustix::process::{Pid, WaitOptions, waitpid};

use super::confinement::Applied;

/// A program to start.
pub(super) struct Program {
    pub(super) file: CString,
    /// The arguments; the first one is the name of the program.
    pub(super) arguments: Vec<CString>,
    /// The environment variables, in the form `NAME=VALUE`.
    pub(super) variables: Vec<CString>,
    pub(super) directory: CString,
    /// The standard input, output and error.
    pub(super) streams: [OwnedFd; 3],
    /// The namespaces in which the program runs; `None` for those of this process.
    pub(super) within: Option<Within>,
    pub(super) restrictions: Applied,
}

/// The namespaces of another process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Within {
    /// A pidfd of that process.
    pub(super) pidfd: RawFd,
    /// The kinds of namespaces to enter, as flags `CLONE_NEW…`.
    pub(super) kinds: c_int,
    /// The file through which a process joins the control group of the namespaces' commands; negative without a group.
    pub(super) group: RawFd,
}

/// Starts `program` with its restrictions, in a new session, with no other descriptors than its streams. Signals that
/// this process ignores stay ignored, except for SIGPIPE.
///
/// # Errors
///
/// Returns the error of the system call that failed. All processes that were created have ended then.
pub(super) fn spawn(program: &Program) -> io::Result<Pid> {
    let arguments = pointers(&program.arguments);
    let variables = pointers(&program.variables);
    // The new process copies these to its descriptors 0 to 2.
    let streams = program.streams.each_ref().map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 3));
    let [input, output, errors] = streams;
    let streams = [input?, output?, errors?];
    let (mut outer, mut inner) = (Stack::new(), Stack::new());
    let mut shared = Shared {
        file: program.file.as_ptr(),
        arguments: arguments.as_ptr(),
        variables: variables.as_ptr(),
        directory: program.directory.as_ptr(),
        streams: streams.each_ref().map(AsRawFd::as_raw_fd),
        within: program.within,
        restrictions: &raw const program.restrictions,
        stack: inner.top(),
        pid: 0,
        error: 0,
    };
    let first = if program.within.is_some() { enter } else { become_program };
    let made = keeping_dumpable(|| {
        without_signals(|| {
            // SAFETY: `first` only makes system calls, on data that outlives it: this thread waits until the new
            // process has executed its program or ended.
            unsafe { clone(first, outer.top(), 0, &raw mut shared) }
        })
    });
    // SAFETY: the new processes no longer use `shared`. The reads are volatile since the compiler doesn't know that
    // these processes wrote to it.
    let (inner_pid, error) = unsafe {
        ((&raw const shared.pid).read_volatile(), (&raw const shared.error).read_volatile())
    };
    let (made, inner_pid) = (made?, Pid::from_raw(inner_pid));
    let pid = match program.within {
        None => Some(made),
        Some(_) => {
            wait(made);
            inner_pid
        }
    };
    match (pid, error) {
        (Some(pid), 0) => Ok(pid),
        (None, 0) => Err(io::Error::other("the process that was to start it was ended")),
        (pid, error) => {
            pid.into_iter().for_each(wait);
            Err(io::Error::from_raw_os_error(error))
        }
    }
}

/// Reaps a process that has ended. Does nothing if another part of this program has already reaped it.
fn wait(pid: Pid) {
    let _ = rustix::io::retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty()));
}

/// Returns pointers to `strings` with a null pointer at the end, as `execve` takes them.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// The data that this process shares with the new ones: their input and their results.
struct Shared {
    file: *const c_char,
    arguments: *const *const c_char,
    variables: *const *const c_char,
    directory: *const c_char,
    streams: [RawFd; 3],
    within: Option<Within>,
    restrictions: *const Applied,
    stack: *mut c_void,
    /// The number of the process that [`enter`] created in the namespaces.
    pid: pid_t,
    /// The `errno` of the system call that failed, or 0.
    error: c_int,
}

/// The stack of a new process. It is small, since its calls nest only a few levels deep.
pub(crate) struct Stack(Vec<u128>);

impl Stack {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity((64 << 10) / size_of::<u128>()))
    }

    pub(crate) fn top(&mut self) -> *mut c_void {
        self.0.spare_capacity_mut().as_mut_ptr_range().end.cast()
    }
}

/// Creates a process that shares this one's memory and calls `entry`. Waits until it has executed a program or ended.
///
/// # Safety
///
/// `entry` must only make system calls and never return. `stack` must be the end of a stack that is not used otherwise.
unsafe fn clone(
    entry: extern "C" fn(*mut c_void) -> c_int,
    stack: *mut c_void,
    flags: c_int,
    shared: *mut Shared,
) -> io::Result<Pid> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD | flags;
    // SAFETY: the caller guarantees that `entry` and `stack` are suitable.
    let pid = unsafe { libc::clone(entry, stack, flags, shared.cast()) };
    Pid::from_raw(pid.max(0)).ok_or_else(io::Error::last_os_error)
}

/// Calls `action` while all signals are blocked in this thread, since a new process that shares its memory would run
/// their handlers.
pub(crate) fn without_signals<T>(action: impl FnOnce() -> T) -> T {
    // SAFETY: a set of signals has no invalid values, and the pointers are valid.
    unsafe {
        let mut all: sigset_t = std::mem::zeroed();
        let mut before: sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let result = action();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
        result
    }
}

/// Calls `action`, and then makes this process dumpable again if it was before. A new process that shares its memory
/// and changes its user clears that attribute.
fn keeping_dumpable<T>(action: impl FnOnce() -> T) -> T {
    // SAFETY: these are system calls on numbers.
    unsafe {
        let before = libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0);
        let result = action();
        if before == 1 {
            libc::prctl(libc::PR_SET_DUMPABLE, 1 as c_long, 0, 0, 0);
        }
        result
    }
}

/// Joins the control group, enters the namespaces, creates the process of the program there, and exits. The new process is a child of this
/// process's parent.
extern "C" fn enter(shared: *mut c_void) -> c_int {
    let shared = shared.cast::<Shared>();
    // SAFETY: the parent process waits, and keeps `shared` valid.
    unsafe {
        let Some(Within { pidfd, kinds, group }) = (*shared).within else { libc::_exit(127) };
        let is_member = group < 0 || libc::write(group, c"0".as_ptr().cast(), 1) == 1;
        if is_member && libc::setns(pidfd, kinds) == 0 {
            match clone(become_program, (*shared).stack, libc::CLONE_PARENT, shared) {
                Ok(pid) => (*shared).pid = pid.as_raw_pid(),
                Err(_) => record_error(shared),
            }
        } else {
            record_error(shared);
        }
        libc::_exit(0)
    }
}

/// Applies the restrictions, and executes the program.
extern "C" fn become_program(shared: *mut c_void) -> c_int {
    let shared = shared.cast::<Shared>();
    // SAFETY: the parent process waits, and keeps `shared` valid.
    unsafe {
        let it = &*shared;
        if prepare(it) >= 0 {
            libc::execve(it.file, it.arguments, it.variables);
        }
        record_error(shared);
        libc::_exit(127)
    }
}

/// Sets the signals, streams, session, user, directory and restrictions of this process. Returns a negative number if a
/// system call fails.
///
/// # Safety
///
/// The caller must be a new process that has not executed its program yet.
unsafe fn prepare(it: &Shared) -> c_int {
    // SAFETY: these are system calls, on strings that end with a zero byte and on numbers.
    unsafe {
        default_signals();
        for (fd, becomes) in it.streams.into_iter().zip(0..) {
            if libc::dup2(fd, becomes) < 0 {
                return -1;
            }
        }
        let restrictions = &*it.restrictions;
        // A new session has no terminal.
        if libc::setsid() < 0
            || restrictions.become_user() < 0
            || libc::chdir(it.directory) < 0
            || close_on_exec() < 0
        {
            return -1;
        }
        let mut none: sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        restrictions.restrict()
    }
}

/// Sets the default action for all signals, except for those that are ignored. SIGPIPE gets its default action too.
///
/// # Safety
///
/// The caller must be a new process in which all signals are blocked.
unsafe fn default_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: the new process shares the memory of its parent, but not its signal handlers.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(signal, ptr::null(), &raw mut action) < 0 {
                continue;
            }
            let is_kept = action.sa_sigaction == libc::SIG_DFL
                || action.sa_sigaction == libc::SIG_IGN && signal != libc::SIGPIPE;
            if !is_kept {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }
}

/// Records the `errno` of the system call that failed.
///
/// # Safety
///
/// The parent process must be waiting, so that `shared` is valid.
unsafe fn record_error(shared: *mut Shared) {
    // SAFETY: the caller guarantees that `shared` is valid.
    unsafe { (*shared).error = *libc::__errno_location() };
}

/// Marks all descriptors except for the three standard streams to be closed when this process executes its program.
///
/// # Safety
///
/// The caller must be a new process that has not executed its program yet.
unsafe fn close_on_exec() -> c_int {
    // SAFETY: these are system calls on numbers and on local memory.
    unsafe {
        let (first, last) = (3 as c_uint, c_uint::MAX);
        if libc::syscall(libc::SYS_close_range, first, last, libc::CLOSE_RANGE_CLOEXEC) == 0 {
            return 0;
        }
        // Kernels before 5.11 don't support the flag.
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        for fd in 3..c_int::try_from(limit.rlim_cur).unwrap_or(c_int::MAX) {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
    0
}
