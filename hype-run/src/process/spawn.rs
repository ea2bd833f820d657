//! Makes a process. Until it becomes its program, it has this one's memory while the thread that makes it waits: a
//! copy, as `fork` makes one, takes the longer the more memory there is, and would be made twice on the way into
//! namespaces.
//!
//! What such a process does can be seen here, and locks may be held by the threads that go on: nothing there may
//! allocate, nor call what does.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr;

use libc::{c_char, c_int, c_long, c_uint, c_void, pid_t, sigset_t};
use rustix::process::{Pid, WaitOptions, waitpid};

/// A program to start.
pub(super) struct Program {
    pub(super) file: CString,
    /// The first is what it is told to be its name.
    pub(super) arguments: Vec<CString>,
    /// Each as `NAME=VALUE`.
    pub(super) variables: Vec<CString>,
    pub(super) directory: CString,
    /// Its standard streams.
    pub(super) streams: [OwnedFd; 3],
    /// A descriptor of a process in whose namespaces it starts.
    pub(super) within: Option<RawFd>,
}

/// Starts `program` as the first of a group, with no way to rights that this process lacks, with no descriptors but
/// its streams, and with those signals ignored alone that are ignored here, but for SIGPIPE.
///
/// # Errors
///
/// Those of the system; what was made has ended then.
pub(super) fn spawn(program: &Program) -> io::Result<Pid> {
    let arguments = pointers(&program.arguments);
    let variables = pointers(&program.variables);
    // Out of the way of the standard streams.
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
        within: program.within.unwrap_or(-1),
        stack: inner.top(),
        pid: 0,
        error: 0,
    };
    let first = if program.within.is_some() { enter } else { become_program };
    let made = without_signals(|| {
        // SAFETY: `first` makes system calls alone, on what outlives it: this thread goes on once the new process has
        // another memory, or ended.
        unsafe { clone(first, outer.top(), 0, &raw mut shared) }
    });
    // SAFETY: as above; the new processes wrote to it, of which the compiler doesn't know.
    let (told, error) = unsafe {
        ((&raw const shared.pid).read_volatile(), (&raw const shared.error).read_volatile())
    };
    let (made, told) = (made?, Pid::from_raw(told));
    let pid = match program.within {
        None => Some(made),
        Some(_) => {
            wait(made);
            told
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

/// Takes note of the end of one that has ended. Somebody else in this program may have done so.
fn wait(pid: Pid) {
    let _ = rustix::io::retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty()));
}

/// As programs are given strings: the last is null.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// What the new processes are told, and tell.
struct Shared {
    file: *const c_char,
    arguments: *const *const c_char,
    variables: *const *const c_char,
    directory: *const c_char,
    streams: [RawFd; 3],
    within: RawFd,
    stack: *mut c_void,
    /// The process in the namespaces.
    pid: pid_t,
    /// What the system said to what failed.
    error: c_int,
}

/// A stack for a process. What it calls goes a few calls deep.
struct Stack(Vec<u128>);

impl Stack {
    fn new() -> Self {
        Self(Vec::with_capacity((64 << 10) / size_of::<u128>()))
    }

    fn top(&mut self) -> *mut c_void {
        self.0.spare_capacity_mut().as_mut_ptr_range().end.cast()
    }
}

/// A new process, which does `what` while this thread waits for it to end or to become another program.
///
/// # Safety
///
/// `what` makes system calls alone and never returns; `stack` is the end of one that nothing else uses.
unsafe fn clone(
    what: extern "C" fn(*mut c_void) -> c_int,
    stack: *mut c_void,
    flags: c_int,
    shared: *mut Shared,
) -> io::Result<Pid> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD | flags;
    // SAFETY: as the caller's.
    let pid = unsafe { libc::clone(what, stack, flags, shared.cast()) };
    Pid::from_raw(pid.max(0)).ok_or_else(io::Error::last_os_error)
}

/// Does `what` while this thread handles no signals: what is on its way for it would be handled by a process that
/// has its memory.
fn without_signals<T>(what: impl FnOnce() -> T) -> T {
    // SAFETY: a set of signals is plain memory.
    unsafe {
        let mut all: sigset_t = std::mem::zeroed();
        let mut before: sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let result = what();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
        result
    }
}

/// Enters namespaces, and makes the program's process there: as a child of this one's parent, since this one ends.
extern "C" fn enter(shared: *mut c_void) -> c_int {
    let shared = shared.cast::<Shared>();
    let all = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID;
    // SAFETY: the process that made this one waits, and `shared` is its.
    unsafe {
        if libc::setns((*shared).within, all) == 0 {
            match clone(become_program, (*shared).stack, libc::CLONE_PARENT, shared) {
                Ok(pid) => (*shared).pid = pid.as_raw_pid(),
                Err(_) => tell(shared),
            }
        } else {
            tell(shared);
        }
        libc::_exit(0)
    }
}

extern "C" fn become_program(shared: *mut c_void) -> c_int {
    let shared = shared.cast::<Shared>();
    // SAFETY: the process that made this one waits, and `shared` is its.
    unsafe {
        let it = &*shared;
        if prepare(it) >= 0 {
            libc::execve(it.file, it.arguments, it.variables);
        }
        tell(shared);
        libc::_exit(127)
    }
}

/// # Safety
///
/// Only in a process of its own.
unsafe fn prepare(it: &Shared) -> c_int {
    // SAFETY: these are system calls, on strings that end with a zero byte and on numbers.
    unsafe {
        default_signals();
        for (fd, becomes) in it.streams.into_iter().zip(0..) {
            if libc::dup2(fd, becomes) < 0 {
                return -1;
            }
        }
        if libc::setpgid(0, 0) < 0 || libc::chdir(it.directory) < 0 || close_to_others() < 0 {
            return -1;
        }
        if it.within >= 0 {
            give_up_rights();
        }
        let mut none: sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut())
    }
}

/// # Safety
///
/// As [`prepare`], before any signal can come.
unsafe fn default_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: what is done for a signal is this process's own, unlike its memory.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(signal, ptr::null(), &raw mut action) < 0 {
                continue;
            }
            let is_left = action.sa_sigaction == libc::SIG_DFL
                || action.sa_sigaction == libc::SIG_IGN && signal != libc::SIGPIPE;
            if !is_left {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }
}

/// # Safety
///
/// Only after a failed system call, while the process that made this one waits.
unsafe fn tell(shared: *mut Shared) {
    // SAFETY: as the caller's.
    unsafe { (*shared).error = *libc::__errno_location() };
}

/// Takes all rights of its namespaces from the program that this process becomes, so that what is shown for
/// reading stays that.
///
/// # Safety
///
/// Only in a process of its own, before it becomes another program.
pub(super) unsafe fn give_up_rights() {
    let bits = libc::SECBIT_NOROOT | libc::SECBIT_NOROOT_LOCKED;
    // SAFETY: as the caller's.
    unsafe {
        libc::prctl(libc::PR_SET_SECUREBITS, bits as c_long, 0, 0, 0);
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1 as c_long, 0, 0, 0);
    }
}

/// Lets this process become no program with more rights than it has, nor hand descriptors on to one, but for its
/// three standard streams.
///
/// # Safety
///
/// As [`give_up_rights`].
unsafe fn close_to_others() -> c_int {
    // SAFETY: as the caller's.
    unsafe {
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1 as c_long, 0, 0, 0) < 0 {
            return -1;
        }
        let (first, last) = (3 as c_uint, c_uint::MAX);
        if libc::syscall(libc::SYS_close_range, first, last, libc::CLOSE_RANGE_CLOEXEC) == 0 {
            return 0;
        }
        // Systems from before 2021.
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        for fd in 3..c_int::try_from(limit.rlim_cur).unwrap_or(c_int::MAX) {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
    0
}
