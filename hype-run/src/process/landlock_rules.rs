//! Landlock rules, where the kernel supports them: a command can write only to the guest's writable directories and to
//! some devices, independently of mounts and of the rights of its user.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, Scope,
};

/// The version of Landlock whose access rights are restricted. Older kernels restrict those that they know.
const VERSION: ABI = ABI::V6;

/// Returns the version of Landlock that this kernel supports.
pub(crate) fn version() -> Option<u32> {
    const VERSION_QUESTION: libc::c_uint = 1;
    let none: *const libc::c_void = std::ptr::null();
    // SAFETY: the query for the version takes no attributes.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, VERSION_QUESTION)
    };
    u32::try_from(version).ok().filter(|version| *version > 0)
}

/// Creates rules for a command that can write below `writable`, and to `devices`. Skips directories that don't exist.
/// If `scopes_signals`, the command can send signals only to its own processes. Returns `None` if the kernel has no
/// Landlock.
///
/// # Errors
///
/// Returns an error if the kernel has Landlock and rejects the rules.
pub(super) fn rules(
    writable: &[PathBuf],
    devices: &[&str],
    scopes_signals: bool,
) -> Result<Option<OwnedFd>, RulesetError> {
    let writing = AccessFs::from_write(VERSION);
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(writing)?
        .scope(Scope::AbstractUnixSocket)?;
    let ruleset = if scopes_signals { ruleset.scope(Scope::Signal)? } else { ruleset };
    let mut created = ruleset.create()?;
    let device_access = AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
    let devices = devices.iter().map(|path| (Path::new(path), device_access));
    let directories = writable.iter().map(|path| (path.as_path(), writing));
    for (path, access) in directories.chain(devices) {
        if let Ok(fd) = PathFd::new(path) {
            created = created.add_rule(PathBeneath::new(fd, access))?;
        }
    }
    Ok(created.into())
}
