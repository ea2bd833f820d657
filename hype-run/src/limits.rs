//! The limits of a guest's resources.
//!
//! | resource | limit | a guest that exceeds it |
//! |---|---|---|
//! | time, its compilation included | the manifest's; else none | ends as `deadline` |
//! | component that is compiled | [`hype_wire::ComponentRef::MAX_SIZE`] | isn't read; ends as `incompatible` |
//! | memory of a compiling child process | [`COMPILER_MEMORY`] | ends as `resources` |
//! | all linear memories and tables, and what the host holds for the guest | the manifest's; else 4 GiB | is denied the growth, and ends as `memory` if it then traps or if the host held more |
//! | stack of calls | 512 KiB of machine code's frames | ends as `stack` |
//! | elements of all tables | [`TABLE_ELEMENTS`] | is denied the growth; ends as `resources` if it then traps |
//! | instances, tables, memories | [`INSTANCES`], [`TABLES`], [`MEMORIES`] | ends as `resources` |
//! | handles and resources | [`HANDLES`] | ends as `resources` |
//! | open files and directories | [`OPEN_FILES`] | ends as `resources` |
//! | directories being listed | [`LISTINGS`] | ends as `resources` |
//! | bytes in one call of the host | the limit of its value, [`HOST_CALL`] at least | ends as `resources` |
//! | its value | the manifest's; else [`VALUE`] | ends as `result` |
//! | `/tmp` | the manifest's; else [`TMP`] | gets an error of the call: no space is left |
//! | body of an HTTP request or response | the manifest's; else [`HTTP_BODY`] | gets an error of the call |
//! | concurrent commands | [`COMMANDS`] | gets an error of the call |
//! | processes and threads of commands | [`COMMAND_PROCESSES`] | can't start more; in containers all are killed |
//! | memory of a command's process | as linear memory | can't allocate more |
//! | memory of all commands, and `/tmp` | the sum of both limits, where a control group can be created | has processes killed |
//! | open files of a command's process | [`COMMAND_FILES`] | can't open more |
//! | file that a command writes, without a writable mount | as `/tmp` | can't write more |
//! | concurrent HTTP requests | [`CONNECTIONS`] | gets an error of the call |
//! | random bytes in one call | 64 MiB | ends as `trap` |
//! | output in one write | 64 KiB | ends as `trap` |
//! | output kept for the outcome | the last 64 KiB of each stream | loses the beginning |
//! | message, causes, names of a failure | see [`crate::truncate`] | has them truncated |

use std::time::Duration;

use hype_wire::Limits;

/// The maximum number of a guest's resources in the host, and of its handles.
pub(crate) const HANDLES: usize = 10_000;

/// The maximum number of files and directories that a guest has open. Each is a descriptor of this
/// process, which runs other guests too.
pub(crate) const OPEN_FILES: usize = 500;

/// The maximum number of directories that a guest lists concurrently. The host holds each whole listing
/// in memory.
pub(crate) const LISTINGS: usize = 16;

/// The maximum number of elements of all tables of a guest together.
pub(crate) const TABLE_ELEMENTS: usize = 1 << 20;

/// The maximum number of core module instances of a component.
pub(crate) const INSTANCES: usize = 1_000;

/// The maximum number of tables of a component.
pub(crate) const TABLES: usize = 1_000;

/// The maximum number of memories of a component. Each reserves gigabytes of address space.
pub(crate) const MEMORIES: usize = 100;

/// The maximum memory of a process that compiles a component, in bytes: as much as a guest may use by default.
/// A component of 10 MB with usual functions needs 190 MiB; huge functions need much more.
pub(crate) const COMPILER_MEMORY: u64 = 4 << 30;

/// The bytes that a guest may always pass to the host in one call, even if its value must be smaller.
const HOST_CALL: u64 = 16 << 20;

/// The default maximum size of a value, in bytes: the largest list that fits into a 32-bit memory together
/// with a copy.
const VALUE: u64 = 2 << 30;

/// The default maximum size of a guest's linear memories together, in bytes.
const MEMORY: u64 = 4 << 30;

/// The default maximum size of `/tmp`, in bytes. It suits intermediate files; large files belong on a
/// volume. The file system below `/tmp` is often in memory, or small and shared.
const TMP: u64 = 1 << 30;

/// The default maximum size of an HTTP body, in bytes. A guest needs a volume to store a larger one
/// than `/tmp` holds.
const HTTP_BODY: u64 = 4 << 30;

/// The maximum number of a guest's concurrent HTTP requests. Each uses a descriptor of this process.
pub(crate) const CONNECTIONS: usize = 64;

/// The maximum number of a guest's concurrent commands. Each is a process and uses descriptors of this one.
pub(crate) const COMMANDS: usize = 64;

/// The maximum number of processes and threads of all commands of a guest.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "commands run on Linux only"))]
pub(crate) const COMMAND_PROCESSES: u64 = 1_024;

/// The maximum number of open files of a command's process.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "commands run on Linux only"))]
pub(crate) const COMMAND_FILES: u64 = 4_096;

/// The default timeout of DNS, TCP and TLS of an HTTP request.
pub(crate) const HTTP_CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// The default timeout for the head of an HTTP response, and between two frames of its body.
pub(crate) const HTTP_READ_TIMEOUT: Duration = Duration::from_secs(600);

/// The maximum number of blocking threads that one call of a guest uses: one for the call of the host that the guest waits
/// for, 4 for files, 4 for host names, and a reserve. A runtime that runs guests has as many for each call.
pub const BLOCKING_THREADS_PER_CALL: usize = 16;

/// The limits of one run that its manifest may set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The maximum size of all linear memories together, in bytes.
    pub(crate) memory: u64,
    /// The maximum size of the value, in bytes.
    pub(crate) value: u64,
    /// The maximum size of `/tmp`, in bytes.
    pub(crate) tmp: u64,
    /// The maximum size of an HTTP body, in bytes.
    pub(crate) http_body: u64,
}

impl Bounds {
    /// Returns the bytes that a guest may pass to the host in one call. The host copies them, and a guest
    /// could refer to the same memory many times to make the copy larger than its memory.
    pub(crate) fn host_call(&self) -> usize {
        let bytes = self.value.min(self.memory).max(HOST_CALL);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            memory: limits.memory.unwrap_or(MEMORY),
            value: limits.result.unwrap_or(VALUE),
            tmp: limits.tmp.unwrap_or(TMP),
            http_body: limits.http_body.unwrap_or(HTTP_BODY),
        }
    }
}
