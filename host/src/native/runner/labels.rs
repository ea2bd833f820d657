//! The labels of resources that runners create, by which other processes find them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The ID of the run that owns the resource.
pub(crate) const RUN: &str = "com.spotify.hype/run";
/// The submitter that created the resource, as leases name it.
pub(crate) const SUBMITTER: &str = "com.spotify.hype/submitter";
/// The digest of the run's manifest, which only the run's submitter and runner know from a trusted channel.
pub(crate) const MANIFEST: &str = "com.spotify.hype/manifest";
/// The component's name.
pub(crate) const COMPONENT: &str = "com.spotify.hype/component";
/// The function's name.
pub(crate) const FUNCTION: &str = "com.spotify.hype/function";
/// The Unix time in seconds after which an unused resource may be garbage-collected.
pub(crate) const EXPIRY: &str = "com.spotify.hype/expiry";
/// The life cycle of a volume: `transient` or `persistent`.
#[cfg(any(feature = "docker", feature = "kubernetes"))]
pub(crate) const VOLUME: &str = "com.spotify.hype/volume";
/// The storage class that a volume was requested with.
#[cfg(feature = "docker")]
pub(crate) const CLASS: &str = "com.spotify.hype/class";
/// The size that a volume was requested with.
#[cfg(feature = "docker")]
pub(crate) const SIZE: &str = "com.spotify.hype/size";

/// The time that an unused resource is kept, since its submitter may still run.
const TIME_TO_LIVE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Returns the expiry of a resource that is created now and used for at most `max_use`.
pub(crate) fn expiry(max_use: Option<Duration>) -> String {
    let until = TIME_TO_LIVE.saturating_add(max_use.unwrap_or_default());
    unix_seconds(SystemTime::now()).saturating_add(until.as_secs()).to_string()
}

/// Returns whether `expiry` has passed. A missing or malformed expiry never passes.
pub(crate) fn is_expired(expiry: Option<&str>, now: SystemTime) -> bool {
    let expiry: Option<u64> = expiry.and_then(|expiry| expiry.parse().ok());
    expiry.is_some_and(|expiry| expiry <= unix_seconds(now))
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
#[cfg(any(feature = "docker", feature = "kubernetes"))]
mod tests {
    use super::*;

    #[test]
    fn resource_expires_a_week_after_its_longest_use() {
        let (now, day) = (SystemTime::now(), Duration::from_secs(24 * 3600));
        let expiry = |max_use| super::expiry(max_use);
        assert!(!is_expired(Some(&expiry(None)), now + 6 * day));
        assert!(is_expired(Some(&expiry(None)), now + 8 * day));
        assert!(!is_expired(Some(&expiry(Some(2 * day))), now + 8 * day));
        assert!(!is_expired(Some(&expiry(Some(Duration::MAX))), now + 8 * day));
        assert!(!is_expired(None, now) && !is_expired(Some("soon"), now));
    }
}
