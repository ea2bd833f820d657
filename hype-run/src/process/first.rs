//! The first process of a room, which creates the room's root directory and then waits. It only makes system calls.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use libc::{c_int, c_uint};

use super::confinement::{drop_to, give_up_rights};
use super::layout::Step;
use super::room::{Plan, bytes};

/// The numbers under which the first process reports steps that are not in the plan.
pub(super) const USERS: u32 = u32::MAX;
pub(super) const ROOT: u32 = u32::MAX - 1;
pub(super) const PROC: u32 = u32::MAX - 2;

/// The hidden files of `/proc`: those about the whole machine that Docker hides too, and the environment of the first
/// process, which is empty, but which Landlock would deny to commands.
const HIDDEN: &[&CStr] = &[
    c"proc/1/environ",
    c"proc/interrupts",
    c"proc/kcore",
    c"proc/key-users",
    c"proc/keys",
    c"proc/kmsg",
    c"proc/latency_stats",
    c"proc/sched_debug",
    c"proc/sysrq-trigger",
    c"proc/timer_list",
];

/// A default access control list that lets the user `nobody` read and write the files and directories that root creates
/// below a directory with this attribute. Its format is the version, then a tag, rights and an ID for each entry.
const NOBODYS: [u8; 44] = {
    const ENTRIES: [(u16, u16, u32); 5] = [
        (0x01, 7, u32::MAX),
        (0x02, 7, 65534),
        (0x04, 7, u32::MAX),
        (0x10, 7, u32::MAX),
        (0x20, 5, u32::MAX),
    ];
    let mut bytes = [0; 44];
    bytes[0] = 2;
    let mut entry = 0;
    while entry < ENTRIES.len() {
        let (tag, rights, number) = ENTRIES[entry];
        let at = 4 + 8 * entry;
        [bytes[at], bytes[at + 1]] = tag.to_le_bytes();
        [bytes[at + 2], bytes[at + 3]] = rights.to_le_bytes();
        [bytes[at + 4], bytes[at + 5], bytes[at + 6], bytes[at + 7]] = number.to_le_bytes();
        entry += 1;
    }
    bytes
};

/// Creates the room of `plan`, then waits. `fds` are a pipe to wait on, a pipe for the report of a failed step, and the
/// file of the shell.
///
/// # Safety
///
/// The caller must be a new process that [`fork`](super::room::fork) created. Each of `fds` must be open or negative.
pub(super) unsafe fn run(plan: &Plan, fds: [RawFd; 3]) -> ! {
    // SAFETY: these are system calls, on strings that end with a zero byte and on numbers.
    unsafe {
        for (fd, becomes) in fds.into_iter().zip(0..) {
            if fd >= 0 {
                libc::dup2(fd, becomes);
            }
        }
        if let Err(step) = make(plan) {
            let report = [step, *libc::__errno_location() as u32];
            libc::write(1, report.as_ptr().cast(), size_of_val(&report));
            libc::_exit(1);
        }
        libc::syscall(libc::SYS_close_range, 3 as c_uint, c_uint::MAX, 0);
        // The kernel reaps orphaned processes of the room if this signal is ignored.
        libc::signal(libc::SIGCHLD, libc::SIG_IGN);
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
        // Without a shell, this process waits itself.
        libc::close(1);
        read_byte();
        libc::_exit(0);
    }
}

/// The result of a step: the error is the number of the failed step, whose reason is in `errno`.
type Done = Result<(), u32>;

fn done(result: c_int, step: u32) -> Done {
    if result < 0 { Err(step) } else { Ok(()) }
}

/// Creates the root directory of the room, and enters it.
///
/// # Safety
///
/// The caller must be the first process of a room.
unsafe fn make(plan: &Plan) -> Done {
    let none = std::ptr::null();
    // SAFETY: the caller is the first process of a room, as required.
    unsafe {
        if plan.identity.is_dropped {
            // The parent process writes the ID maps, then a byte.
            read_byte();
        } else {
            // Kernels without this file allow group maps without it.
            let _ = write_file(c"/proc/self/setgroups", c"deny");
            let [users, groups] = &plan.maps;
            done(write_file(c"/proc/self/uid_map", users), USERS)?;
            done(write_file(c"/proc/self/gid_map", groups), USERS)?;
        }
        let all = libc::MS_REC | libc::MS_PRIVATE;
        done(libc::mount(none, c"/".as_ptr(), none, all, none.cast()), ROOT)?;
        let (root, tmpfs) = (plan.root.as_ptr(), c"tmpfs".as_ptr());
        let flags = libc::MS_NOSUID | libc::MS_NODEV;
        done(libc::mount(tmpfs, root, tmpfs, flags, c"mode=755".as_ptr().cast()), ROOT)?;
        done(libc::chdir(root), ROOT)?;
        for ((step, mount), number) in plan.steps.iter().zip(&plan.mounts).zip(0..) {
            done(take(step, mount.as_ref(), plan.identity.is_dropped), number)?;
        }
        done(make_proc(), PROC)?;
        let here = c".".as_ptr();
        done(libc::syscall(libc::SYS_pivot_root, here, here) as c_int, ROOT)?;
        done(libc::umount2(here, libc::MNT_DETACH), ROOT)?;
        done(libc::chdir(c"/".as_ptr()), ROOT)?;
        done(give_up_rights(), USERS)?;
        if plan.identity.is_dropped { done(drop_to(plan.identity), USERS) } else { Ok(()) }
    }
}

/// Performs one step of the plan.
///
/// # Safety
///
/// The caller must be the first process of a room.
unsafe fn take(step: &Step, mount: Option<&OwnedFd>, is_dropped: bool) -> c_int {
    // SAFETY: the caller is the first process of a room, as required.
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
                let shown = match mount {
                    Some(mount) => attach(mount, at),
                    None => bind(source, at),
                };
                if *is_own { 0 } else { shown }
            }
            Step::Seal { is_read_only } => {
                let reading = if *is_read_only { libc::MOUNT_ATTR_RDONLY } else { 0 };
                restrict(c".", reading | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOSUID)
            }
            Step::Tmp { at, options } => make_tmp(at, options, is_dropped),
        }
    }
}

/// Mounts the room's `/tmp` at `at`.
///
/// # Safety
///
/// The caller must be the first process of a room.
unsafe fn make_tmp(at: &CStr, options: &CStr, is_dropped: bool) -> c_int {
    let tmpfs = c"tmpfs".as_ptr();
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    // SAFETY: the caller is the first process of a room, as required.
    unsafe {
        let mounted = libc::mount(tmpfs, at.as_ptr(), tmpfs, flags, options.as_ptr().cast());
        if mounted == 0 && is_dropped {
            // Root owns the closure's files. Where access control lists are not supported, commands can only read them.
            let name = c"system.posix_acl_default".as_ptr();
            let (list, size) = (NOBODYS.as_ptr().cast(), NOBODYS.len());
            libc::setxattr(at.as_ptr(), name, list, size, 0);
        }
        mounted
    }
}

/// Mounts `/proc` of the room, read-only. Where `/proc` of this process is partly hidden, as in a container, the kernel
/// rejects the mount, and the room's `/proc` stays empty.
///
/// # Safety
///
/// The caller must be the first process of a room.
unsafe fn make_proc() -> c_int {
    let (proc, none) = (c"proc".as_ptr(), std::ptr::null());
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    // SAFETY: the caller is the first process of a room, as required.
    unsafe {
        if libc::mount(proc, proc, proc, flags, none) < 0 {
            return 0;
        }
        for file in HIDDEN {
            // Most kernels lack some of these files, so an error is ignored.
            bind(c"/dev/null", file);
        }
        restrict(c"proc", libc::MOUNT_ATTR_RDONLY)
    }
}

/// Sets `attributes` on all mounts at and below `at`.
///
/// # Safety
///
/// The caller must be the first process of a room.
unsafe fn restrict(at: &CStr, attributes: u64) -> c_int {
    // SAFETY: the caller is the first process of a room, as required.
    unsafe {
        let mut change: libc::mount_attr = std::mem::zeroed();
        change.attr_set = attributes;
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            at.as_ptr(),
            libc::AT_RECURSIVE,
            &raw mut change,
            size_of::<libc::mount_attr>(),
        ) as c_int
    }
}

/// Mounts the file or directory `source` at `at`.
///
/// # Safety
///
/// The caller must be the first process of a room.
unsafe fn bind(source: &CStr, at: &CStr) -> c_int {
    let none = std::ptr::null();
    let all = libc::MS_BIND | libc::MS_REC;
    // SAFETY: the caller is the first process of a room, as required.
    unsafe { libc::mount(source.as_ptr(), at.as_ptr(), none, all, none.cast()) }
}

/// Attaches the prepared mount at `at`.
///
/// # Safety
///
/// The caller must be the first process of a room.
unsafe fn attach(mount: &OwnedFd, at: &CStr) -> c_int {
    // SAFETY: the caller is the first process of a room, as required.
    unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            at.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        ) as c_int
    }
}

/// Waits for a byte on the standard input, or for its end.
///
/// # Safety
///
/// The caller must be the first process of a room.
unsafe fn read_byte() {
    let mut byte = 0_u8;
    // SAFETY: the caller is the first process of a room, as required.
    unsafe {
        while libc::read(0, (&raw mut byte).cast(), 1) < 0
            && *libc::__errno_location() == libc::EINTR
        {}
    }
}

/// Writes `text` to the existing file `path`.
///
/// # Safety
///
/// The caller must be the first process of a room.
unsafe fn write_file(path: &CStr, text: &CStr) -> c_int {
    // SAFETY: the caller is the first process of a room, as required.
    unsafe {
        let file = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if file < 0 {
            return file;
        }
        let (text, length) = bytes(text);
        let written = libc::write(file, text, length);
        if written < 0 { -1 } else { libc::close(file) }
    }
}
