//! The second wall: what a worker gives up before it runs anything, so that a guest that breaks out of its sandbox
//! reaches nothing but the files of its own job.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use hype_wire::Job;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use libc::c_long;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::message::Setup;
use super::seccomp;
use crate::limits::Bounds;
use crate::process::{are_nobodys, give_up_rights, landlock_version};

/// The memory of a worker beyond that of its guest and one value, in bytes: stacks, code, and records of wasmtime.
const ALLOWANCE: u64 = 512 << 20;

/// The number of descriptors of a worker whose guest starts commands: those of its files, and pipes. The kernel bounds the
/// memory of each pipe.
const MAX_FILES: u64 = 2_048;

/// The set with the capability to open files of all users, which Landlock restricts to the directories of the job.
///
/// A program that runs as root has workers of root, while commands run as `nobody` and may deny others access to their
/// files in the `/tmp` that they share with the guest.
const DAC_OVERRIDE: u32 = 1 << 1;

/// Returns whether guests in workers can share a directory with commands in a room.
pub(super) fn can_share_files() -> bool {
    !are_nobodys() || landlock_version().is_some()
}

/// The version of Landlock whose access rights are restricted. Older kernels restrict those that they know.
const VERSION: ABI = ABI::V6;

/// Restricts this process, which must have one thread, to what the job in `setup` needs. It can write to `directory`, and to the
/// directory `tmp` that its guest shares with commands.
///
/// # Errors
///
/// Returns an error if the kernel rejects a restriction. The process must then end.
pub(super) fn raise(setup: &Setup, directory: &Path, tmp: Option<&OwnedFd>) -> io::Result<()> {
    let kept = if tmp.is_some() && are_nobodys() { DAC_OVERRIDE } else { 0 };
    limit(Resource::Data, data_size()?.saturating_add(memory(&setup.job)))?;
    limit(Resource::Core, 0)?;
    if tmp.is_some() {
        limit(Resource::Nofile, MAX_FILES)?;
    }
    // SAFETY: these are system calls on numbers, in a process that has not run anything yet.
    unsafe {
        if give_up_rights() < 0 || keep_capabilities(kept) < 0 {
            return Err(io::Error::last_os_error());
        }
        libc::prctl(libc::PR_SET_DUMPABLE, 0 as c_long, 0, 0, 0);
    }
    let files = restrict_files(setup, directory, tmp).map_err(io::Error::other)?;
    if kept > 0 && files == RulesetStatus::NotEnforced {
        return Err(io::Error::other(
            "without Landlock a worker could open the files of all users",
        ));
    }
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

/// Removes all capabilities of this thread except for those in the set `kept`, if it has them.
///
/// # Safety
///
/// The process must have one thread.
unsafe fn keep_capabilities(kept: u32) -> c_long {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    /// Version 3, which has two sets of three words.
    const VERSION: u32 = 0x2008_0522;
    let mut header = Header { version: VERSION, pid: 0 };
    let mut sets = [[0_u32; 3]; 2];
    // SAFETY: the pointers are to structures of the expected layout.
    unsafe {
        if libc::syscall(libc::SYS_capget, &raw mut header, &raw mut sets) < 0 {
            return -1;
        }
        // The effective and the permitted set. The third is that of executed programs.
        let kept = sets[0][1] & kept;
        sets = [[kept, kept, 0], [0; 3]];
        libc::syscall(libc::SYS_capset, &raw const header, &raw const sets)
    }
}

/// Restricts this process to the directories of its job, if the kernel has Landlock. Returns whether it does.
fn restrict_files(
    setup: &Setup,
    directory: &Path,
    tmp: Option<&OwnedFd>,
) -> Result<RulesetStatus, RulesetError> {
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
    if let Some(tmp) = tmp {
        (&mut created).add_rule(PathBeneath::new(tmp, writing))?;
    }
    created.restrict_self().map(|status| status.ruleset)
}
