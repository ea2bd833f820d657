//! What the daemon's machine asks of a run: the user of its container, and the platform of its machine code.

use super::container::NOBODY;
use super::daemon::Reached;
use super::reach::Place;

/// Who runs `hype-run`: whoever owns what it is shown of this machine, else nobody.
pub(super) fn user(place: Place, has_binds: bool) -> String {
    match (place.is_rootless, has_binds) {
        // The container's root is then the user whose daemon it is.
        (true, _) => "0:0".to_owned(),
        (false, true) => this_user(),
        (false, false) => NOBODY.to_owned(),
    }
}

#[cfg(unix)]
fn this_user() -> String {
    use rustix::process::{getgid, getuid};
    format!("{}:{}", getuid().as_raw(), getgid().as_raw())
}

#[cfg(not(unix))]
fn this_user() -> String {
    NOBODY.to_owned()
}

/// What the submitter compiles for: this very processor if containers run here, else what all of its
/// kind can run.
pub(super) fn platform(reached: &Reached) -> Option<String> {
    #[cfg(feature = "local")]
    if reached.place.is_here && reached.architecture == std::env::consts::ARCH {
        return hype_run::Platform::here().map(|platform| platform.name().to_owned());
    }
    match reached.architecture.as_str() {
        "x86_64" | "amd64" => Some("x86_64".to_owned()),
        "aarch64" | "arm64" => Some("aarch64".to_owned()),
        _ => None,
    }
}
