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
/// it is in the executable, not in a library that another program has loaded. The loader is the executable of a program
/// that was started as its argument (`ld.so PROGRAM`). A program with more rights than the process that executes it isn't
/// taken over; its `main` would run.
pub(super) fn is_in_executable() -> bool {
    // The reference keeps the constructor in the executable.
    let address = std::hint::black_box(&CONSTRUCTOR);
    HAS_RUN.load(Ordering::Relaxed)
        && !has_more_rights()
        && is_in_main_object(std::ptr::from_ref(address).addr())
        && is_main_object_executed()
}

/// Returns whether `address` is in the main object.
fn is_in_main_object(address: usize) -> bool {
    main_object().is_some_and(|object| {
        // SAFETY: the main object has these headers until the process ends.
        let segments =
            unsafe { std::slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)) };
        segments.iter().any(|segment| {
            let start = (object.dlpi_addr as usize).wrapping_add(segment.p_vaddr as usize);
            let is_inside = address.wrapping_sub(start) < segment.p_memsz as usize;
            segment.p_type == libc::PT_LOAD && is_inside
        })
    })
}

/// Returns whether the main object is the file that the kernel executed: whether the headers that the kernel found there are
/// those of the main object. The copy of this vector in the program's memory would not tell, since the loader changes it.
fn is_main_object_executed() -> bool {
    // A process that others can't trace may not open it.
    let Ok(vector) = std::fs::read("/proc/self/auxv") else { return true };
    let (words, _) = vector.as_chunks();
    let (entries, _) = words.as_chunks::<2>();
    let mut entries = entries.iter().map(|entry| entry.map(usize::from_ne_bytes));
    let headers = entries.find(|[kind, _]| *kind == libc::AT_PHDR as usize);
    let headers_of = |object: libc::dl_phdr_info| object.dlpi_phdr.addr();
    headers.is_none_or(|[_, headers]| main_object().map(headers_of) == Some(headers))
}

/// Returns the first object that the loader reports, which is the main object.
fn main_object() -> Option<libc::dl_phdr_info> {
    unsafe extern "C" fn first(
        object: *mut libc::dl_phdr_info,
        _: libc::size_t,
        found: *mut libc::c_void,
    ) -> libc::c_int {
        // SAFETY: the loader passes a valid object, and `found` is the variable below.
        unsafe { *found.cast::<Option<libc::dl_phdr_info>>() = Some(*object) };
        1
    }
    let mut found = None;
    // SAFETY: `first` has the right type, and `found` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(first), (&raw mut found).cast()) };
    found
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;
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

    /// The variable that makes the test the program that the loader was started for.
    const LOADED: &str = "HYPE_TEST_LOADED";

    #[test]
    fn program_started_by_the_loader_is_not_the_executable() {
        if std::env::var_os(LOADED).is_some() {
            assert!(!is_in_executable());
            return;
        }
        // A static executable has no loader.
        let Some(loader) = loader() else { return };
        let test = "workers::entry::tests::program_started_by_the_loader_is_not_the_executable";
        let mut program = Command::new(loader);
        program.arg(std::env::current_exe().unwrap()).args(["--exact", test]).env(LOADED, "1");
        let output = program.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{output:?}");
    }

    /// Returns the path of the loader that this program names.
    fn loader() -> Option<&'static Path> {
        let object = main_object()?;
        let count = usize::from(object.dlpi_phnum);
        // SAFETY: the main object has these headers until the process ends.
        let segments = unsafe { std::slice::from_raw_parts(object.dlpi_phdr, count) };
        let named = segments.iter().find(|segment| segment.p_type == libc::PT_INTERP)?;
        let address = (object.dlpi_addr as usize).wrapping_add(named.p_vaddr as usize);
        // SAFETY: the segment is a string that ends with a zero.
        let path = unsafe { CStr::from_ptr(std::ptr::with_exposed_provenance(address)) };
        path.to_str().ok().map(Path::new)
    }

    #[test]
    fn standard_input_of_a_test_is_no_channel() {
        assert!(!is_started_for_it());
    }
}
