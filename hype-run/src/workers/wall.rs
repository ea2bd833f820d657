//! The second wall: what a worker gives up before it runs anything, so that a guest that breaks out of its sandbox
//! reaches nothing but the files of its own job.

use std::io;
use std::path::Path;

use hype_wire::Job;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
};
use libc::c_long;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::message::Setup;
use super::seccomp;
use crate::limits::Bounds;
use crate::process::give_up_rights;

/// The memory of a worker beyond that of its guest and one value, in bytes: stacks, code, and records of wasmtime.
const ALLOWANCE: u64 = 512 << 20;

/// The version of Landlock whose access rights are restricted. Older kernels restrict those that they know.
const VERSION: ABI = ABI::V6;

/// Restricts this process, which must have one thread, to what the job in `setup` needs. It can write to `directory`.
///
/// # Errors
///
/// Returns an error if the kernel rejects a restriction. The process must then end.
pub(super) fn raise(setup: &Setup, directory: &Path) -> io::Result<()> {
    limit(Resource::Data, data_size()?.saturating_add(memory(&setup.job)))?;
    limit(Resource::Core, 0)?;
    // SAFETY: these are system calls on numbers, in a process that has not run anything yet.
    unsafe {
        if give_up_rights() < 0 || drop_capabilities() < 0 {
            return Err(io::Error::last_os_error());
        }
        libc::prctl(libc::PR_SET_DUMPABLE, 0 as c_long, 0, 0, 0);
    }
    restrict_files(setup, directory).map_err(io::Error::other)?;
    seccomp::install()
}

/// Returns the memory that a worker of `job` may use, in bytes, besides that of the fork server.
pub(super) fn memory(job: &Job) -> u64 {
    let bounds = Bounds::from(&job.limits);
    bounds.memory.saturating_add(bounds.host_call() as u64).saturating_add(ALLOWANCE)
}

/// Returns the size of the writable mappings of this process, in bytes, as `RLIMIT_DATA` counts them. Most of it is the
/// address space that the pool reserves for tables, and is never used.
fn data_size() -> io::Result<u64> {
    let sizes = std::fs::read_to_string("/proc/self/statm")?;
    let pages = sizes.split(' ').nth(5).and_then(|pages| pages.parse::<u64>().ok());
    let pages = pages.ok_or(io::ErrorKind::InvalidData)?;
    Ok(pages.saturating_mul(rustix::param::page_size() as u64))
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    // A lower limit that this process already has is kept.
    let most = getrlimit(resource).maximum.map_or(most, |present| present.min(most));
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}

/// Removes all capabilities of this thread.
///
/// # Safety
///
/// The process must have one thread.
unsafe fn drop_capabilities() -> c_long {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    /// Version 3, which has two sets of three words.
    const VERSION: u32 = 0x2008_0522;
    let header = Header { version: VERSION, pid: 0 };
    let none = [[0_u32; 3]; 2];
    // SAFETY: the pointers are to structures of the expected layout.
    unsafe { libc::syscall(libc::SYS_capset, &raw const header, &raw const none) }
}

/// Restricts this process to the directories of its job, if the kernel has Landlock.
fn restrict_files(setup: &Setup, directory: &Path) -> Result<(), RulesetError> {
    let all = AccessFs::from_all(VERSION);
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .handle_access(AccessNet::from_all(VERSION))?
        .scope(Scope::AbstractUnixSocket)?
        .scope(Scope::Signal)?;
    let mut created = ruleset.create()?;
    let mut allow = |path: &Path, access: BitFlags<AccessFs>| -> Result<(), RulesetError> {
        // A mount that doesn't exist is reported when it is mounted.
        if let Ok(fd) = PathFd::new(path) {
            (&mut created).add_rule(PathBeneath::new(fd, access))?;
        }
        Ok(())
    };
    let writing = all & !BitFlags::from(AccessFs::Execute);
    allow(directory, writing)?;
    for (_, real) in &setup.roots {
        allow(real, reading)?;
    }
    for mount in &setup.job.mounts {
        let access = if mount.access == hype_wire::Access::ReadWrite { writing } else { reading };
        allow(mount.source.as_ref(), access)?;
    }
    created.restrict_self().map(drop)
}
