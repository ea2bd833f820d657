//! Properties of a container that depend on the daemon's machine: its user, and the platform of its machine code.

use super::container::NONROOT;
use super::daemon::ConnectedDaemon;
use super::stage_access::DaemonTraits;

/// Returns the user of `hype-run`: this user if the container has bind mounts, else the `nonroot` user.
pub(super) fn user(traits: DaemonTraits, has_binds: bool) -> String {
    match (traits.is_rootless, has_binds) {
        // The container's root is mapped to the user who runs the daemon.
        (true, _) => "0:0".to_owned(),
        (false, true) => this_user(),
        (false, false) => NONROOT.to_owned(),
    }
}

#[cfg(unix)]
fn this_user() -> String {
    use rustix::process::{getgid, getuid};
    format!("{}:{}", getuid().as_raw(), getgid().as_raw())
}

#[cfg(not(unix))]
fn this_user() -> String {
    NONROOT.to_owned()
}

/// Returns the platform to compile for: this processor if the daemon is local, else the baseline of its architecture. Code
/// for containers that make one call has no checks.
pub(super) fn platform(daemon: &ConnectedDaemon, shares_process: bool) -> Option<String> {
    let platform = checked_platform(daemon)?;
    Some(if shares_process { platform } else { format!("{platform}-unchecked") })
}

fn checked_platform(daemon: &ConnectedDaemon) -> Option<String> {
    #[cfg(feature = "local")]
    if daemon.traits.is_local
        && daemon.architecture == std::env::consts::ARCH
        // macOS and Windows have no platform of their own: their daemon runs Linux in a virtual machine.
        && let Some(platform) = hype_run::Platform::here()
    {
        return Some(platform.name().to_owned());
    }
    match daemon.architecture.as_str() {
        "x86_64" | "amd64" => Some("x86_64".to_owned()),
        "aarch64" | "arm64" => Some("aarch64".to_owned()),
        _ => None,
    }
}
