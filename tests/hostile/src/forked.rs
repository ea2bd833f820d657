//! Forks of this program.

use std::thread;

use libc::{c_int, c_uint, pid_t};

/// The time that a fork may take, in seconds. Work that waits for a thread of its parent would never end.
const TIMEOUT: c_uint = 120;

/// A fork of this program.
#[derive(Debug)]
#[must_use = "a fork that isn't waited for stays in the table of processes"]
pub struct Fork(pid_t);

impl Fork {
    /// Forks this program. Returns `None` in the fork, which is killed if it takes too long.
    ///
    /// # Safety
    ///
    /// No other thread of this program may hold a lock that the fork needs. Those of hype hold none while they wait for work,
    /// and the C library makes its allocator usable.
    ///
    /// # Panics
    ///
    /// Panics if the system can't fork.
    pub unsafe fn begin() -> Option<Self> {
        // SAFETY: as above.
        match unsafe { libc::fork() } {
            0 => {
                // SAFETY: this is a system call on a number.
                unsafe { libc::alarm(TIMEOUT) };
                None
            }
            child => {
                assert!(child > 0, "cannot fork: {}", std::io::Error::last_os_error());
                Some(Self(child))
            }
        }
    }

    /// Waits for the end of the fork.
    ///
    /// # Panics
    ///
    /// Panics if the fork failed or was killed.
    pub fn wait(self) {
        let mut status = 0;
        // SAFETY: the pointer is to a local variable.
        let waited = unsafe { libc::waitpid(self.0, &raw mut status, 0) };
        assert_eq!((waited, status), (self.0, 0), "the fork failed");
    }
}

/// Does `work` in a fork of this program, and waits until the fork has ended by `exit`: [`libc::exit`] or [`libc::_exit`].
///
/// # Panics
///
/// Panics if the system can't fork, or if `work` panics in the fork or takes too long.
pub fn in_fork(exit: unsafe extern "C" fn(c_int) -> !, work: impl FnOnce() + Send) {
    // SAFETY: tests fork while the other threads of the program wait.
    let Some(fork) = (unsafe { Fork::begin() }) else {
        // A thread of its own, since this one may run a task of a runtime.
        let done = thread::scope(|scope| scope.spawn(work).join());
        // SAFETY: no thread of the fork is left except those of hype, which wait.
        unsafe { exit(c_int::from(done.is_err())) }
    };
    fork.wait();
}
