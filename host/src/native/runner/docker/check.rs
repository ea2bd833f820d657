//! The checks of a daemon and of the default image.

use super::daemon::{ConnectedDaemon, Daemon, request_error};
use super::image::Images;
use crate::doctor::Reporter;
use crate::error::{Error, Result};

const DAEMON: &str = "docker daemon";
const IMAGE: &str = "image";

/// The oldest version of the daemon that hype is tested with.
const OLDEST: (u32, u32) = (20, 10);

/// Checks the daemon, and that it has or can pull `image`.
pub(super) async fn check(daemon: &Daemon, images: &Images, image: &str, reporter: &Reporter) {
    let version = async {
        let daemon = daemon.connect().await?;
        Ok((daemon, version(daemon).await?))
    };
    let described = |(daemon, version): &(&ConnectedDaemon, String)| {
        format!("{} at {}, on {}", version, daemon.address, daemon.architecture)
    };
    let Some((daemon, _)) = reporter.result(DAEMON, version.await, described) else {
        return reporter.skipped(IMAGE, DAEMON);
    };
    let found = images.find(daemon, image).await;
    reporter.result(IMAGE, found, |_| format!("{image} is there"));
}

/// Returns the daemon's version, unless it is too old.
async fn version(daemon: &ConnectedDaemon) -> Result<String> {
    let request = daemon.retry.run(|| daemon.docker.version()).await;
    let version = request.map_err(|error| request_error("cannot read the daemon's version", error));
    let version = version?.version.unwrap_or_default();
    if is_too_old(&version) {
        let (major, minor) = OLDEST;
        return Err(Error::input(format!("the Docker daemon has version {version}"))
            .hint(format!("hype needs {major}.{minor} or later")));
    }
    Ok(format!("version {version}"))
}

/// Returns whether `version` is below the oldest one. Other daemons than Docker's, such as Podman's, have other
/// numbers, so a version that isn't of this form is accepted.
fn is_too_old(version: &str) -> bool {
    let mut numbers = version.split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < OLDEST && major >= 10,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_too_old;

    #[test]
    fn docker_before_20_10_is_too_old() {
        for (version, expected) in [
            ("19.03.15", true),
            ("20.10.24", false),
            ("28.5.1", false),
            ("5.4.2", false),
            ("unknown", false),
        ] {
            assert_eq!(is_too_old(version), expected, "{version}");
        }
    }
}
