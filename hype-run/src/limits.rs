//! What a guest may use, all in one place.
//!
//! | what | bound | a guest that goes beyond |
//! |---|---|---|
//! | time, its compilation included | the manifest's; else none | ends as `deadline` |
//! | linear memory, all together | the manifest's; else 4 GiB | is refused it; ends as `memory` if that makes it trap |
//! | stack of calls | 512 KiB of machine code's frames | ends as `stack` |
//! | elements of all tables | [`TABLE_ELEMENTS`] | is refused them; ends as `resources` if that makes it trap |
//! | instances, tables, memories | [`INSTANCES`], [`TABLES`], [`MEMORIES`] | ends as `resources` |
//! | handles and resources | [`HANDLES`] | ends as `resources` |
//! | open files and directories | [`OPEN_FILES`] | ends as `resources` |
//! | directories being listed | [`LISTINGS`] | ends as `resources` |
//! | bytes in one call of the host | those of its value, [`HANDED`] at least | ends as `resources` |
//! | its value | the manifest's; else [`VALUE`] | ends as `result` |
//! | `/tmp` | the manifest's; else [`TMP`] | is told that no space is left |
//! | body of an HTTP request or answer | the manifest's; else [`HTTP_BODY`] | is told so by the call |
//! | commands at once | [`COMMANDS`] | is told so by the call |
//! | HTTP requests at once | [`CONNECTIONS`] | is told so by the call |
//! | random bytes at once | 64 MiB | ends as `trap` |
//! | output in one write | 64 KiB | ends as `trap` |
//! | output kept for the outcome | 64 KiB of each stream, the last | loses the beginning |
//! | message, causes, names of a failure | see [`crate::brevity`] | has them cut |

use std::time::Duration;

use hype_wire::Limits;

/// How many resources of the host, and handles to them and to its own, a guest may have at once.
pub(crate) const HANDLES: usize = 10_000;

/// How many files and directories a guest may have open at once: each is a descriptor of this
/// process, which serves other guests too.
pub(crate) const OPEN_FILES: usize = 500;

/// How many lists of a directory's entries a guest may hold at once: the host keeps each whole.
pub(crate) const LISTINGS: usize = 16;

/// How many elements all tables of a guest may have together.
pub(crate) const TABLE_ELEMENTS: usize = 1 << 20;

/// How many instances of core modules a component may make.
pub(crate) const INSTANCES: usize = 1_000;

/// How many tables a component may make.
pub(crate) const TABLES: usize = 1_000;

/// How many memories a component may make. Each takes gigabytes of address space, used or not.
pub(crate) const MEMORIES: usize = 100;

/// What a guest may hand to the host in one call, however small its value has to be.
const HANDED: u64 = 16 << 20;

/// How large a value may be that no manifest bounds: what one list in a 32-bit memory can hold
/// beside a copy of itself.
const VALUE: u64 = 2 << 30;

/// How much linear memory a guest may have that no manifest bounds.
const MEMORY: u64 = 4 << 30;

/// How much `/tmp` may hold that no manifest bounds. It is enough for what a function puts aside
/// while it works; what is meant to be large belongs on a volume. And it is little enough for the
/// file system below, which is often one of memory, or a small one that others share.
const TMP: u64 = 1 << 30;

/// How large a body of HTTP may be that no manifest bounds. A guest that puts it aside needs a volume.
const HTTP_BODY: u64 = 4 << 30;

/// How many HTTP requests of a guest may be under way: each is a descriptor of this process.
pub(crate) const CONNECTIONS: usize = 64;

/// How many commands of a guest may run at once: each is a process, with descriptors of this one.
pub(crate) const COMMANDS: usize = 64;

/// How long a connection may take to come about that the guest sets no limit for.
pub(crate) const HTTP_CONNECT: Duration = Duration::from_secs(30);

/// How long a host may say nothing that the guest sets no limit for.
pub(crate) const HTTP_WAIT: Duration = Duration::from_secs(600);

/// The bounds of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// All its linear memory, in bytes.
    pub(crate) memory: u64,
    /// Its value, in bytes.
    pub(crate) value: u64,
    /// What is below `/tmp`, in bytes.
    pub(crate) tmp: u64,
    /// A body of HTTP, in bytes.
    pub(crate) http_body: u64,
}

impl Bounds {
    /// What a guest may hand to the host in one call, in bytes. The host makes a copy of it, which
    /// a guest with little memory could make large by naming the same memory many times.
    pub(crate) fn handed(&self) -> usize {
        let handed = self.value.min(self.memory).max(HANDED);
        usize::try_from(handed).unwrap_or(usize::MAX)
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
