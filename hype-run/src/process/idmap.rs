//! ID-mapped mounts that show root's files as owned by the user `nobody`, for commands of a process that runs as root.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;

use libc::{c_int, c_uint};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::room::fork;

/// The map of IDs: root becomes `nobody`, and other users are kept.
const MAP: &str = "0 65534 1\n1 1 65533\n65535 65535 4294901760\n";

/// Creates a detached mount of `source` that shows root's files as owned by `nobody`. Returns `None` if the file system
/// doesn't support ID-mapped mounts.
pub(super) fn mount(source: &CStr) -> Option<OwnedFd> {
    static USERS: OnceLock<Option<OwnedFd>> = OnceLock::new();
    let users = USERS.get_or_init(|| namespace().ok()).as_ref()?;
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_RECURSIVE as c_uint;
    // SAFETY: a system call on a string that ends with a zero byte.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, source.as_ptr(), flags) };
    let fd = c_int::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: the descriptor was just opened, and has no other owner.
    let mount = unsafe { OwnedFd::from_raw_fd(fd) };
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: users.as_raw_fd().unsigned_abs().into(),
    };
    // SAFETY: a system call on memory of the size that it receives.
    let changed = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    (changed == 0).then_some(mount)
}

/// Creates a user namespace with [`MAP`]. The descriptor keeps it after the process that was created for it has ended.
fn namespace() -> io::Result<OwnedFd> {
    let (waiting, _lifeline) = io::pipe()?;
    // SAFETY: the new process only makes system calls.
    let Some(pid) = (unsafe { fork(libc::CLONE_NEWUSER) })? else {
        let mut byte = 0_u8;
        // SAFETY: these are system calls. The process waits here until it is killed.
        unsafe {
            libc::read(waiting.as_raw_fd(), (&raw mut byte).cast(), 1);
            libc::_exit(0)
        }
    };
    let opened = open(pid);
    let _ = kill_process(pid, Signal::KILL);
    let _ = rustix::io::retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty()));
    opened
}

fn open(pid: Pid) -> io::Result<OwnedFd> {
    let path = |file: &str| format!("/proc/{}/{file}", pid.as_raw_pid());
    std::fs::write(path("uid_map"), MAP)?;
    std::fs::write(path("gid_map"), MAP)?;
    Ok(File::open(path("ns/user"))?.into())
}
