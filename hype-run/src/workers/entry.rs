//! The entry of the fork server: this program, started again, is taken over before its `main`.
//!
//! A constructor of the executable runs in each process of it. In all but the fork server it only notes that it ran:
//! this proves that the executable contains it, so that a process that executes it again is taken over. The fork
//! server has a variable and, as its standard input, a socket that its parent created; a variable alone changes nothing.
//! A program with more rights than the process that executed it, such as a set-user-ID program, is never taken over:
//! that process could send it any machine code.

use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::net::SocketType;

use super::channel::Channel;
use super::server;

/// The variable that the fork server has. Its value is the version of hype.
pub(super) const VARIABLE: &str = "HYPE_FORK_SERVER";

/// The standard input of the fork server: its channel.
const CHANNEL: i32 = 0;

/// The standard output of the fork server: a pidfd of the program.
const OWNER: i32 = 1;

static HAS_RUN: AtomicBool = AtomicBool::new(false);

/// The constructor. 101 is the first priority of programs, so that it runs before their other constructors.
#[used]
#[unsafe(link_section = ".init_array.00101")]
static CONSTRUCTOR: extern "C" fn() = construct;

extern "C" fn construct() {
    HAS_RUN.store(true, Ordering::Relaxed);
    if std::env::var_os(VARIABLE).is_none() || !is_started_for_it() || has_more_rights() {
        return;
    }
    // SAFETY: the process that started this one opened these descriptors for it, and nothing else uses them.
    let (channel, owner) = unsafe { (OwnedFd::from_raw_fd(CHANNEL), OwnedFd::from_raw_fd(OWNER)) };
    let status = server::serve(&Channel::from(channel), &owner);
    // SAFETY: ends the process without the destructors of the program, whose `main` never ran.
    unsafe { libc::_exit(status) }
}

/// Returns whether the standard input is a socket of the kind of a channel.
fn is_started_for_it() -> bool {
    // SAFETY: the descriptor is only queried; if it is closed, the query fails.
    let fd = unsafe { BorrowedFd::borrow_raw(CHANNEL) };
    rustix::net::sockopt::socket_type(fd.as_fd()).is_ok_and(|kind| kind == SocketType::SEQPACKET)
}

/// Returns whether this program has rights that the process that executed it lacks: its file sets the user, the group or
/// capabilities.
pub(super) fn has_more_rights() -> bool {
    // SAFETY: this reads a value that the kernel passed to this process.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Returns whether a process that executes this program again is taken over: the constructor ran in this process, and
/// it is in the main executable, not in a library that another program has loaded. A program with more rights than the
/// process that executes it isn't taken over; its `main` would run.
pub(super) fn is_in_executable() -> bool {
    // The reference keeps the constructor in the executable.
    let address = std::hint::black_box(&CONSTRUCTOR);
    HAS_RUN.load(Ordering::Relaxed)
        && !has_more_rights()
        && is_in_main_object(std::ptr::from_ref(address).addr())
}

/// Returns whether `address` is in the first object that the loader reports, which is the main executable.
fn is_in_main_object(address: usize) -> bool {
    unsafe extern "C" fn first(
        object: *mut libc::dl_phdr_info,
        _: libc::size_t,
        found: *mut libc::c_void,
    ) -> libc::c_int {
        // SAFETY: the loader passes a valid object, and `found` is the variable below.
        unsafe {
            let (object, found) = (&*object, &mut *found.cast::<(usize, bool)>());
            for index in 0..usize::from(object.dlpi_phnum) {
                let segment = &*object.dlpi_phdr.add(index);
                let start = (object.dlpi_addr as usize).wrapping_add(segment.p_vaddr as usize);
                let is_inside = found.0.wrapping_sub(start) < segment.p_memsz as usize;
                found.1 |= segment.p_type == libc::PT_LOAD && is_inside;
            }
        }
        1
    }
    let mut found = (address, false);
    // SAFETY: `first` has the right type, and `found` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(first), (&raw mut found).cast()) };
    found.1
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown};
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;

    /// The variable that makes the test the program with more rights.
    const PROGRAM: &str = "HYPE_TEST_SET_USER_ID";

    /// Returns a command that executes `program` to run the test of set-user-ID programs alone.
    fn with_more_rights(program: &Path) -> Command {
        let test = "workers::entry::tests::set_user_id_program_is_not_taken_over";
        let mut command = Command::new(program);
        command.args(["--exact", test]).env(PROGRAM, "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    #[test]
    fn set_user_id_program_is_not_taken_over() {
        const NOBODY: u32 = 65_534;
        if std::env::var_os(PROGRAM).is_some() {
            assert!(has_more_rights() && !is_in_executable());
            return;
        }
        if !rustix::process::geteuid().is_root() {
            tracing::warn!("not run: only root can create a program that runs as another user");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let access = |mode| std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(directory.path(), access(0o755)).unwrap();
        let program = directory.path().join("program");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        chown(&program, Some(NOBODY), None).unwrap();
        std::fs::set_permissions(&program, access(0o4755)).unwrap();
        let status = loop {
            match with_more_rights(&program).status() {
                // A process that another test has just forked still has the file open.
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                    std::thread::yield_now();
                }
                status => break status.unwrap(),
            }
        };
        if !status.success() {
            tracing::warn!(
                "not run: the system ignores the mode, for example by the mount option `nosuid`"
            );
            return;
        }
        let (ours, theirs) = Channel::pair().unwrap();
        let mut command = with_more_rights(&program);
        command.env(VARIABLE, hype_wire::HYPE_VERSION).stdin(Stdio::from(OwnedFd::from(theirs)));
        let mut started = command.spawn().unwrap();
        drop(command);
        let received = ours.receive(&mut vec![0; 1 << 17]).unwrap();
        drop(ours);
        started.wait().unwrap();
        assert!(received.is_none(), "the program is a fork server");
    }

    #[test]
    fn constructor_runs_in_this_executable() {
        assert!(is_in_executable());
    }

    #[test]
    fn function_of_a_library_is_outside_of_the_executable() {
        // A static executable contains its C library.
        if cfg!(target_feature = "crt-static") {
            return;
        }
        assert!(!is_in_main_object((libc::getpid as *const ()).addr()));
    }

    #[test]
    fn standard_input_of_a_test_is_no_channel() {
        assert!(!is_started_for_it());
    }
}
