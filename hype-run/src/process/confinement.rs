//! The restrictions that the process of a command applies to itself before it executes its program.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

use libc::{c_int, c_long, c_uint, c_void};

use super::identity::Identity;
use super::landlock_rules;
use super::seccomp::{FILTERS, Filters};
use crate::limits::{COMMAND_FILES, COMMAND_PROCESSES};

/// The devices that a command can write to.
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// The directories that a command can write to, and its limits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// The writable directories, as paths on this machine.
    pub(crate) writable: Vec<PathBuf>,
    /// The maximum size of a file, in bytes.
    pub(crate) file_size: Option<u64>,
    /// The maximum memory of a process, in bytes.
    pub(crate) memory: u64,
}

/// The restrictions of one guest's commands.
pub(super) struct Confinement {
    filters: &'static Filters,
    landlock: Option<OwnedFd>,
    limits: Vec<Limit>,
    identity: Option<Identity>,
}

/// The limit of one resource, as `setrlimit` takes it.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Limit {
    resource: c_int,
    limit: libc::rlimit,
}

impl Confinement {
    /// Creates the restrictions of commands in a room, which run as `identity`.
    ///
    /// # Errors
    ///
    /// Returns an error if the kernel rejects the Landlock rules, or the seccomp filters can't be compiled.
    pub(super) fn in_room(scope: &Scope, identity: Identity) -> io::Result<Self> {
        let mut confinement = Self::new(scope, false)?;
        // Linux counts processes for each user and user namespace, so only those of the room count here.
        confinement.limits.push(limit(libc::RLIMIT_NPROC, COMMAND_PROCESSES));
        confinement.identity = Some(identity);
        Ok(confinement)
    }

    /// Creates the restrictions of commands outside of a room, beside other processes of this user.
    pub(super) fn beside(scope: &Scope) -> io::Result<Self> {
        Self::new(scope, true)
    }

    fn new(scope: &Scope, scopes_signals: bool) -> io::Result<Self> {
        let filters = FILTERS.as_ref().map_err(|error| io::Error::other(error.as_str()))?;
        let landlock = landlock_rules::rules(&scope.writable, DEVICES, scopes_signals)
            .map_err(io::Error::other)?;
        // The first three descriptors of the new process become its standard streams.
        let landlock = landlock.map(|fd| rustix::io::fcntl_dupfd_cloexec(&fd, 3)).transpose()?;
        let mut limits = vec![
            limit(libc::RLIMIT_DATA, scope.memory),
            limit(libc::RLIMIT_NOFILE, COMMAND_FILES),
            limit(libc::RLIMIT_CORE, 0),
        ];
        limits.extend(scope.file_size.map(|size| limit(libc::RLIMIT_FSIZE, size)));
        Ok(Self { filters, landlock, limits, identity: None })
    }

    /// Returns the restrictions in the form that a new process applies. It contains pointers into this value, which
    /// must outlive it.
    pub(super) fn to_apply(&self, has_network: bool) -> Applied {
        let programs = self.filters.get(has_network);
        Applied {
            programs: programs.each_ref().map(|program| libc::sock_fprog {
                len: program.len().try_into().unwrap_or(u16::MAX),
                filter: program.as_ptr().cast::<libc::sock_filter>().cast_mut(),
            }),
            landlock: self.landlock.as_ref().map_or(-1, AsRawFd::as_raw_fd),
            limits: self.limits.as_ptr(),
            limit_count: self.limits.len(),
            identity: self.identity,
        }
    }
}

fn limit(resource: impl Into<i64>, most: u64) -> Limit {
    Limit {
        resource: resource.into() as c_int,
        limit: libc::rlimit { rlim_cur: most, rlim_max: most },
    }
}

/// The restrictions as numbers and pointers, for a process that can only make system calls.
pub(super) struct Applied {
    programs: [libc::sock_fprog; 2],
    landlock: RawFd,
    limits: *const Limit,
    limit_count: usize,
    identity: Option<Identity>,
}

impl Applied {
    /// Changes the owner of `pipe` to the command's user, if that is not the user of this process.
    pub(super) fn give(&self, pipe: &OwnedFd) -> io::Result<()> {
        match self.identity {
            Some(Identity { uid, gid, is_dropped: true }) => {
                std::os::unix::fs::fchown(pipe, Some(uid), Some(gid))
            }
            _ => Ok(()),
        }
    }

    /// Removes all capabilities from the program that this process executes, and changes the user of this process to
    /// the command's user.
    ///
    /// # Safety
    ///
    /// The caller must be a new process that has not executed its program yet. It makes the system calls directly,
    /// since the functions of the C library would change the user of all threads of the original process.
    pub(super) unsafe fn become_user(&self) -> c_int {
        // SAFETY: these are system calls on numbers.
        unsafe {
            match self.identity {
                _ if give_up_rights() < 0 => -1,
                Some(identity) if identity.is_dropped => drop_to(identity),
                _ => 0,
            }
        }
    }

    /// Applies the limits, Landlock rules and seccomp filters to this process.
    ///
    /// # Safety
    ///
    /// The caller must be a new process that has not executed its program yet.
    pub(super) unsafe fn restrict(&self) -> c_int {
        // SAFETY: these are system calls on numbers, and on memory that outlives the call.
        unsafe {
            for index in 0..self.limit_count {
                let Limit { resource, mut limit } = *self.limits.add(index);
                // A lower limit that this process already has is kept.
                let mut present: libc::rlimit = std::mem::zeroed();
                let none = std::ptr::null_mut::<libc::rlimit>();
                let get = libc::SYS_prlimit64;
                if libc::syscall(get, 0, resource, none, &raw mut present) == 0 {
                    limit.rlim_max = limit.rlim_max.min(present.rlim_max);
                    limit.rlim_cur = limit.rlim_cur.min(limit.rlim_max);
                }
                if libc::syscall(get, 0, resource, &raw const limit, none) < 0 {
                    return -1;
                }
            }
            if self.landlock >= 0
                && libc::syscall(libc::SYS_landlock_restrict_self, self.landlock, 0 as c_uint) < 0
            {
                return -1;
            }
            for program in &self.programs {
                let filter = libc::SECCOMP_MODE_FILTER as c_long;
                let program = (&raw const *program).cast::<c_void>();
                if libc::prctl(libc::PR_SET_SECCOMP, filter, program, 0, 0) < 0 {
                    return -1;
                }
            }
        }
        0
    }
}

/// Removes all capabilities from the program that this process executes. The process itself keeps its capabilities
/// until then, so that processes without them can't read its memory, which still is that of hype.
///
/// # Safety
///
/// The caller must be a new process that has not executed its program yet.
pub(crate) unsafe fn give_up_rights() -> c_int {
    /// An upper bound for the number of capabilities. The kernel has fewer.
    const CAPABILITIES: c_long = 64;
    let bits = libc::SECBIT_NOROOT | libc::SECBIT_NOROOT_LOCKED;
    // SAFETY: the caller is a new process, as required.
    unsafe {
        libc::prctl(libc::PR_SET_SECUREBITS, bits as c_long, 0, 0, 0);
        libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as c_long, 0, 0, 0);
        let mut capability = 0;
        while capability < CAPABILITIES
            && libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) == 0
        {
            capability += 1;
        }
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1 as c_long, 0, 0, 0)
    }
}

/// Changes the user and group of this process to `identity`, and drops its supplementary groups.
///
/// # Safety
///
/// The caller must be a new process that has not executed its program yet.
pub(super) unsafe fn drop_to(identity: Identity) -> c_int {
    let Identity { uid, gid, .. } = identity;
    let none = std::ptr::null::<libc::gid_t>();
    // SAFETY: the caller is a new process, as required.
    unsafe {
        if libc::syscall(libc::SYS_setgroups, 0_usize, none) < 0
            || libc::syscall(libc::SYS_setresgid, gid, gid, gid) < 0
            || libc::syscall(libc::SYS_setresuid, uid, uid, uid) < 0
        {
            return -1;
        }
    }
    0
}
